// SPDX-License-Identifier: GPL-2.0

//! How well a bond is, as text and as JSON.

use super::world::World;
use crate::netlink::{Link, LinkType};
use crate::status::{parse_idle_reasons, Health, Report};

/// bond0 over ib0 and ib1, which work.
fn world() -> World {
    let world = World::new()
        .with("ib0", LinkType::Infiniband)
        .with("ib1", LinkType::Infiniband);
    let mut world = world.with_bond(
        "bond0",
        &["ib0", "ib1"],
        Some("10.0.0.1/24".parse().unwrap()),
        true,
    );
    for name in ["ib0", "ib1", "bond0"] {
        world.get(name).carrier = true;
    }
    let active = world.get("ib0").index;
    world.get("bond0").bond.as_mut().unwrap().active = Some(active);
    world.get("ib0").slave.as_mut().unwrap().is_active = true;
    world
}

fn report(world: &World) -> Report {
    let now = world.snapshot("bond0");
    let record = |device: &crate::netlink::Device| {
        world
            .records
            .iter()
            .find(|r| r.index == device.index)
            .cloned()
    };
    Report::of(&now.devices, &now.addresses, record)
}

fn is(world: &World, state: Health, reasons: &[&str]) {
    let report = report(world);
    assert_eq!((report.bonds[0].state, report.state), (state, Some(state)));
    assert_eq!(report.bonds[0].reasons, reasons);
}

#[test]
fn a_bond_is_well_while_every_link_works() {
    is(&world(), Health::Well, &[]);
    assert_eq!(Health::Well.exit_status(), 0);
}

#[test]
fn a_bond_is_degraded_while_a_slave_is_down_or_one_link_is_left() {
    let mut one = world();
    one.get("ib1").slave.as_mut().unwrap().link = Link::Down;
    is(&one, Health::Degraded, &["ib1 has no link"]);
    let mut three = World::new();
    for name in ["ib0", "ib1", "ib2"] {
        three = three.with(name, LinkType::Infiniband);
    }
    let mut three = three.with_bond("bond0", &["ib0", "ib1", "ib2"], None, true);
    for name in ["ib0", "ib1", "bond0"] {
        three.get(name).carrier = true;
    }
    is(&three, Health::Degraded, &["ib2 has no link"]);
    let mut waits = world();
    waits.get("ib1").slave.as_mut().unwrap().link = Link::GoingBack;
    is(&waits, Health::Degraded, &["ib1 has no link"]);
    let mut single = world();
    single.get("ib1").master = None;
    is(&single, Health::Degraded, &["it has one slave only"]);
    assert_eq!(Health::Degraded.exit_status(), 1);
}

#[test]
fn a_bond_is_down_without_links_or_if_it_is_set_down() {
    let mut down = world();
    down.get("bond0").up = false;
    is(&down, Health::Down, &["the bond is set down"]);
    let mut cut = world();
    for name in ["ib0", "ib1"] {
        cut.get(name).carrier = false;
        cut.get(name).slave.as_mut().unwrap().link = Link::Down;
    }
    cut.get("bond0").carrier = false;
    is(&cut, Health::Down, &["ib0 has no link", "ib1 has no link"]);
    let mut empty = world();
    empty.get("ib0").master = None;
    empty.get("ib1").master = None;
    empty.get("bond0").carrier = false;
    is(&empty, Health::Down, &["it has no slaves"]);
    assert_eq!(Health::Down.exit_status(), 2);
}

#[test]
fn without_a_monitor_the_carrier_counts() {
    let mut world = world();
    world.get("bond0").bond.as_mut().unwrap().miimon = 0;
    world.get("ib1").carrier = false;
    is(&world, Health::Degraded, &["ib1 has no link"]);
}

#[test]
fn an_lacp_slave_outside_the_aggregator_carries_nothing() {
    let mut world = world();
    let bond = world.get("bond0").bond.as_mut().unwrap();
    (bond.mode, bond.aggregator, bond.active) = (4, Some(1), None);
    for (name, aggregator) in [("ib0", 1), ("ib1", 2)] {
        world.get(name).slave.as_mut().unwrap().aggregator = Some(aggregator);
    }
    is(
        &world,
        Health::Degraded,
        &["ib1 carries no traffic: it is not in the aggregator in use"],
    );
}

#[test]
fn the_driver_says_why_a_slave_carries_nothing() {
    let text = "Slave Interface: a0\nMII Status: up\n\nSlave Interface: b0\n  Carries no traffic: no partner\n";
    assert_eq!(
        parse_idle_reasons(text),
        [("b0".to_string(), "no partner".to_string())]
    );
}

#[test]
fn the_text_and_the_json_say_the_same() {
    let report = report(&world());
    let text = report.text();
    for part in [
        "bond0 is well.",
        "10.0.0.1/24, active-backup, miimon 100 ms, MTU",
        "ib0",
        "0xffff",
        "datagram",
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
    let json: serde_json::Value = serde_json::from_str(&report.json()).unwrap();
    assert_eq!(json["schema"], 1);
    assert_eq!(json["state"], "well");
    let bond = &json["bonds"][0];
    assert_eq!(bond["active_slave"], "ib0");
    assert_eq!(bond["made_by"], "command");
    assert_eq!(bond["addresses"][0], "10.0.0.1/24");
    assert_eq!(bond["slaves"][1]["role"], "backup");
    assert_eq!(bond["slaves"][0]["pkey"], "0xffff");
}

#[test]
fn every_field_of_the_json_is_in_the_documentation() {
    fn names(value: &serde_json::Value, found: &mut Vec<String>) {
        match value {
            serde_json::Value::Object(fields) => {
                for (name, value) in fields {
                    found.push(name.clone());
                    names(value, found);
                }
            }
            serde_json::Value::Array(values) => values.iter().for_each(|value| names(value, found)),
            _ => {}
        }
    }
    let page = include_str!("../../Documentation/ib-bond.md");
    let mut found = Vec::new();
    names(
        &serde_json::from_str(&report(&world()).json()).unwrap(),
        &mut found,
    );
    for name in found {
        assert!(
            page.contains(&format!("`{name}`")),
            "{name} is not described"
        );
    }
}
