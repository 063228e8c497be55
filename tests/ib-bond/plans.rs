// SPDX-License-Identifier: GPL-2.0

//! What is planned for what is wanted and what is there; each plan is carried out with every one of its operations
//! failing in turn (`world::fails_whole`).

use super::world::{fails_whole, World};
use crate::args::Net;
use crate::netlink::LinkType::{Ethernet, Infiniband, Other};
use crate::state::Origin;
use crate::steps::Step;
use crate::up::{list, plan, Wanted};

fn net(text: &str) -> Net {
    text.parse().unwrap()
}

fn wanted(slaves: &[&str]) -> Wanted {
    Wanted {
        bond: "bond0".into(),
        address: Some(net("10.0.0.1/24")),
        slaves: Some(slaves.iter().map(|name| name.to_string()).collect()),
        miimon: None,
        is_connected: None,
        mtu: None,
        origin: Origin::Command,
        may_miss: false,
    }
}

fn infiniband() -> World {
    World::new()
        .with("ib0", Infiniband)
        .with("ib1", Infiniband)
        .with("ib2", Infiniband)
}

fn ethernet() -> World {
    World::new()
        .with("eth0", Ethernet)
        .with("eth1", Ethernet)
        .with("eth2", Ethernet)
}

/// Plans and does it, with every operation failing once; then nothing is left to do. Returns the number of operations
/// that can fail.
fn achieve(world: &mut World, wanted: &Wanted) -> usize {
    let steps = plan(wanted, &world.snapshot(&wanted.bond)).unwrap().steps;
    let count = fails_whole(world, &steps);
    let again = plan(wanted, &world.snapshot(&wanted.bond)).unwrap().steps;
    assert_eq!(again, [], "the same again");
    count
}

fn refused(world: &World, wanted: &Wanted) -> String {
    plan(wanted, &world.snapshot(&wanted.bond))
        .unwrap_err()
        .sentence
}

fn master_of(world: &mut World, slave: &str) -> Option<String> {
    let master = world.get(slave).master?;
    let found = world.devices.iter().find(|device| device.index == master);
    Some(found.unwrap().name.clone())
}

#[test]
fn a_bond_is_made_with_all_its_defaults() {
    let mut world = infiniband();
    let all = Wanted {
        slaves: None,
        ..wanted(&[])
    };
    achieve(&mut world, &all);
    let bond = world.get("bond0").clone();
    let options = bond.bond.unwrap();
    assert_eq!(
        (options.mode, options.miimon, options.fail_over_mac),
        (1, 100, 1)
    );
    assert!(bond.up);
    assert_eq!(master_of(&mut world, "ib0").as_deref(), Some("bond0"));
    assert_eq!(master_of(&mut world, "ib1").as_deref(), Some("bond0"));
    assert_eq!(master_of(&mut world, "ib2"), None);
    assert_eq!(world.addresses, [("bond0".into(), net("10.0.0.1/24"))]);
    assert_eq!(world.records[0].index, bond.index);
}

#[test]
fn the_driver_is_loaded_first_and_unloaded_if_a_step_fails() {
    let mut world = infiniband();
    world.has_driver = false;
    let steps = plan(&wanted(&["ib0", "ib1"]), &world.snapshot("bond0"))
        .unwrap()
        .steps;
    assert_eq!(steps[0], Step::LoadDriver);
    achieve(&mut world, &wanted(&["ib0", "ib1"]));
    assert!(world.has_driver);
}

#[test]
fn children_are_made_and_slaves_that_are_up_are_set_down() {
    let mut world = infiniband();
    world.get("ib0").up = true;
    let count = achieve(&mut world, &wanted(&["ib0.f1f1", "ib1.8001"]));
    // Two children, a bond, two slaves, up, an address and a record.
    assert_eq!(count, 8);
    assert_eq!(world.get("ib0.f1f1").ipoib.unwrap().pkey, 0xf1f1);
    assert_eq!(world.records[0].children, ["ib0.f1f1", "ib1.8001"]);

    let mut world = ethernet();
    world.get("eth0").up = true;
    world.addresses = vec![
        ("eth0".into(), net("2001:db8::1/64")),
        ("eth0".into(), net("10.9.9.9")),
    ];
    achieve(&mut world, &wanted(&["eth0", "eth1"]));
    assert_eq!(world.get("bond0").bond.as_ref().unwrap().fail_over_mac, 0);
}

#[test]
fn only_what_differs_is_changed() {
    let before = ethernet().with_bond("bond0", &["eth0", "eth1"], Some(net("10.0.0.1/24")), true);
    let steps = |wanted: &Wanted| plan(wanted, &before.snapshot("bond0")).unwrap().steps;
    let same = wanted(&["eth0", "eth1"]);
    assert_eq!(steps(&same), []);
    assert_eq!(
        steps(&Wanted {
            slaves: None,
            address: None,
            ..same.clone()
        }),
        []
    );
    let miimon = Wanted {
        miimon: Some(50),
        ..same.clone()
    };
    assert!(matches!(
        steps(&miimon).as_slice(),
        [Step::Configure { .. }]
    ));
    let address = Wanted {
        address: Some(net("10.0.0.2")),
        ..same.clone()
    };
    assert!(matches!(
        steps(&address).as_slice(),
        [Step::ReplaceAddress { .. }, Step::Remember(_)]
    ));
    let mtu = Wanted {
        mtu: Some(9000),
        ..same
    };
    for wanted in [
        miimon,
        address,
        mtu,
        wanted(&["eth1"]),
        wanted(&["eth1", "eth2"]),
        wanted(&["eth2"]),
    ] {
        achieve(&mut before.clone(), &wanted);
    }
}

#[test]
fn an_address_that_somebody_else_gave_stays() {
    let mut world =
        ethernet().with_bond("bond0", &["eth0", "eth1"], Some(net("10.0.0.1/24")), true);
    world.addresses.push(("bond0".into(), net("10.5.5.5/24")));
    achieve(
        &mut world,
        &Wanted {
            address: Some(net("10.0.0.2")),
            ..wanted(&["eth0", "eth1"])
        },
    );
    let expected = [
        ("bond0".into(), net("10.5.5.5/24")),
        ("bond0".into(), net("10.0.0.2/24")),
    ];
    assert_eq!(world.addresses, expected);
}

#[test]
fn a_child_that_was_made_goes_with_its_place() {
    let mut world = infiniband();
    achieve(&mut world, &wanted(&["ib0.f1f1", "ib1.f1f1"]));
    achieve(&mut world, &wanted(&["ib0.f1f1", "ib2"]));
    assert!(!world.devices.iter().any(|device| device.name == "ib1.f1f1"));
    assert_eq!(world.records[0].children, ["ib0.f1f1"]);
}

#[test]
fn new_slaves_join_before_old_ones_leave_unless_their_partitions_differ() {
    let order = |world: &World, slaves: &[&str]| {
        let steps = plan(&wanted(slaves), &world.snapshot("bond0"))
            .unwrap()
            .steps;
        let at = |is: fn(&Step) -> bool| steps.iter().position(is).unwrap();
        at(|step| matches!(step, Step::Enslave { .. }))
            < at(|step| matches!(step, Step::Release { .. }))
    };
    let world = infiniband().with_bond("bond0", &["ib0", "ib1"], None, true);
    assert!(order(&world, &["ib0", "ib2"]));
    assert!(order(&world, &["ib2"]));
    assert!(!order(&world, &["ib2.8001"]));
    achieve(&mut world.clone(), &wanted(&["ib2.8001"]));
}

#[test]
fn a_bond_that_nobody_uses_is_taken_over() {
    let mut world = infiniband().with_bond("bond0", &[], None, false);
    let bond = world.get("bond0");
    bond.up = false;
    bond.bond.as_mut().unwrap().mode = 0;
    bond.bond.as_mut().unwrap().miimon = 0;
    achieve(&mut world, &wanted(&["ib0", "ib1"]));
    assert_eq!(world.get("bond0").bond.as_ref().unwrap().mode, 1);
}

#[test]
fn bonds_of_others_stay_theirs() {
    let with = |slaves: &[&str], net| ethernet().with_bond("bond0", slaves, net, false);
    let mine = wanted(&["eth0", "eth1"]);
    let said = refused(&with(&["eth0", "eth2"], None), &mine);
    assert!(
        said.contains("bond0 exists already over eth0 and eth2, and ib-bond has not made it"),
        "{said}"
    );
    refused(&with(&[], Some(net("10.0.0.1/24"))), &mine);
    // It may wait for its slaves.
    refused(&with(&[], None), &mine);
    // An old record, of a bond that is gone.
    let mut world = with(&["eth0"], None);
    world = world.with_bond("old", &[], None, true);
    world.records[0].bond = "bond0".into();
    refused(&world, &mine);
    // What is there is what is wanted.
    let same = with(&["eth0", "eth1"], Some(net("10.0.0.1/24")));
    assert_eq!(plan(&mine, &same.snapshot("bond0")).unwrap().steps, []);
    refused(
        &same,
        &Wanted {
            miimon: Some(7),
            ..mine
        },
    );
}

#[test]
fn what_cannot_work_is_refused_before_anything_is_touched() {
    let says = |world: &World, slaves: &[&str], text: &str| {
        let said = refused(world, &wanted(slaves));
        assert!(said.contains(text), "{said}");
    };
    let world = infiniband().with("eth0", Ethernet).with("ppp0", Other(512));
    says(&world, &["ib0", "ib7"], "there is no interface ib7");
    says(
        &world,
        &["ib0", "ib7.8001"],
        "there is no interface ib7.8001",
    );
    says(&world, &["eth0", "eth0.8001"], "eth0 is no IPoIB interface");
    says(&world, &["ib0", "bond0"], "a slave of itself");
    says(
        &world,
        &["ib0", "ppp0"],
        "ppp0 is neither an InfiniBand nor an Ethernet interface",
    );
    says(
        &world,
        &["ib0", "eth0"],
        "ib0 is InfiniBand and eth0 is Ethernet",
    );
    let used = world
        .clone()
        .with_bond("bond1", &["ib1", "ib2"], None, false);
    says(&used, &["ib0", "ib1"], "ib1 is in use by bond1 already");
    let taken = world.clone().with("bond0", Ethernet);
    says(
        &taken,
        &["ib0", "ib1"],
        "the name bond0 is taken by a device that is no bond",
    );
    let other = world.with_bond("bond0", &["ib1", "ib2"], None, true);
    says(
        &other,
        &["eth0"],
        "bond0 is a bond of InfiniBand interfaces, and eth0 is Ethernet",
    );
}

#[test]
fn slaves_that_are_not_there_yet_join_later() {
    let mut world = World::new().with("ib0", Infiniband);
    let patient = Wanted {
        may_miss: true,
        ..wanted(&["ib0", "ib1"])
    };
    let first = plan(&patient, &world.snapshot("bond0")).unwrap();
    assert!(first
        .notes
        .iter()
        .any(|note| note.contains("ib1 is not there yet")));
    achieve(&mut world, &patient);
    let mut world = world.with("ib1", Infiniband);
    achieve(&mut world, &patient);
    assert_eq!(master_of(&mut world, "ib1").as_deref(), Some("bond0"));
    assert!(
        plan(&patient, &World::new().snapshot("bond0"))
            .unwrap()
            .is_waiting
    );
}

#[test]
fn connected_mode_and_its_mtu() {
    let mut world = infiniband();
    let connected = Wanted {
        is_connected: Some(true),
        mtu: Some(65520),
        ..wanted(&["ib0", "ib1.8001"])
    };
    achieve(&mut world, &connected);
    for name in ["bond0", "ib0", "ib1.8001"] {
        assert_eq!(world.get(name).mtu, 65520, "{name}");
    }
    assert!(world.get("ib1.8001").ipoib.unwrap().is_connected);
    achieve(
        &mut world,
        &Wanted {
            is_connected: Some(false),
            mtu: Some(2044),
            ..connected
        },
    );
}

#[test]
fn the_in_tree_driver_gets_the_mtu_of_links_that_are_up() {
    let mut world = infiniband();
    world.in_tree = true;
    let has_mtu = |world: &World| {
        let steps = plan(&wanted(&["ib0", "ib1"]), &world.snapshot("bond0"))
            .unwrap()
            .steps;
        steps
            .iter()
            .any(|step| matches!(step, Step::SetMtu { mtu: 2044, .. }))
    };
    assert!(!has_mtu(&world));
    for name in ["ib0", "ib1"] {
        let device = world.get(name);
        (device.up, device.carrier) = (true, true);
    }
    assert!(has_mtu(&world));
    achieve(&mut world, &wanted(&["ib0", "ib1"]));
    world.in_tree = false;
    assert!(!has_mtu(&infiniband()));
}

#[test]
fn names_in_a_sentence() {
    assert_eq!(list(["a"]), "a");
    assert_eq!(list(["a", "b"]), "a and b");
    assert_eq!(list(["a", "b", "c"]), "a, b and c");
}
