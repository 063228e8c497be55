// SPDX-License-Identifier: GPL-2.0

//! What `ib-bond doctor` makes of what it has found.

use super::world::World;
use crate::doctor::{diagnose, Diagnosis, When};
use crate::driver::{Driver, Installed};
use crate::facts::{adapter, has_joined, Arp, BondFacts, Facts, Infiniband, SlaveFacts};
use crate::firewall::{take, Chain, Firewall, Hook};
use crate::netlink::{Link, LinkType};
use crate::status::Report;
use std::path::Path;

/// bond0 over two slaves, which work, on adapters of their own.
fn world(link_type: LinkType, slaves: [&str; 2]) -> World {
    let world = World::new()
        .with(slaves[0], link_type)
        .with(slaves[1], link_type);
    let net = "10.0.0.1/24".parse().unwrap();
    let mut world = world.with_bond("bond0", &slaves, Some(net), false);
    for name in [slaves[0], slaves[1], "bond0"] {
        world.get(name).carrier = true;
    }
    let mtu = world.get(slaves[0]).mtu;
    world.get("bond0").mtu = mtu;
    let active = world.get(slaves[0]).index;
    world.get("bond0").bond.as_mut().unwrap().active = Some(active);
    world
}

fn ethernet() -> World {
    world(LinkType::Ethernet, ["eth0", "eth1"])
}

fn infiniband() -> World {
    world(LinkType::Infiniband, ["ib0", "ib1"])
}

fn installed(driver: Driver) -> Option<Installed> {
    Some(Installed { driver, file: None })
}

fn facts(world: &World) -> Facts {
    let now = world.snapshot("bond0");
    let slaves = now.devices.iter().filter(|device| device.slave.is_some());
    Facts {
        release: "7.3.4".into(),
        running: Some(Driver::Rust),
        installed: installed(Driver::Rust),
        bonds: [(
            "bond0".to_string(),
            BondFacts {
                link_events: Some(true),
                announcements: Some(1),
            },
        )]
        .into(),
        slaves: slaves
            .map(|slave| {
                (
                    slave.name.clone(),
                    below(&slave.name, slave.ipoib.is_some()),
                )
            })
            .collect(),
        arp: now
            .devices
            .iter()
            .map(|device| (device.name.clone(), Arp::default()))
            .collect(),
        firewall: Firewall::default(),
        report: Report::of(&now.devices, &now.addresses, |_| None),
        devices: now.devices,
        addresses: now.addresses,
    }
}

fn below(name: &str, is_ib: bool) -> SlaveFacts {
    let number = &name[name.len() - 1..];
    SlaveFacts {
        adapter: Some(format!("0000:0{number}:00")),
        port: Some(match is_ib {
            true => format!("mlx5_{number} port 1"),
            false => name.into(),
        }),
        port_id: None,
        switch_id: None,
        infiniband: is_ib.then(|| Infiniband {
            adapter: format!("mlx5_{number}"),
            number: 1,
            state: "ACTIVE".into(),
            physical: "LinkUp".into(),
            guid: format!("0002:c903:0000:000{number}"),
            system_guid: format!("0002:c903:0001:000{number}"),
            partitions: vec![0xffff],
        }),
        has_joined: is_ib.then_some(true),
    }
}

fn all(facts: &Facts) -> Diagnosis {
    diagnose(facts, &[]).unwrap()
}

/// The only finding has this identifier, hurts then, and says this.
fn finds(facts: &Facts, id: &str, when: When, said: &[&str]) {
    let diagnosis = all(facts);
    let ids: Vec<&str> = diagnosis.findings.iter().map(|found| found.id).collect();
    assert_eq!(ids, [id], "{}", diagnosis.text());
    assert_eq!(diagnosis.worst, Some(when));
    let text = diagnosis.text();
    for part in said {
        assert!(text.contains(part), "{part}: {text}");
    }
    assert!(!diagnosis.findings[0].way_out.is_empty());
}

fn finds_nothing(facts: &Facts) {
    let diagnosis = all(facts);
    assert_eq!(diagnosis.findings, [], "{}", diagnosis.text());
    assert_eq!(diagnosis.exit_status(), 0);
    assert_eq!(diagnosis.text(), "bond0: nothing found\n");
}

#[test]
fn nothing_is_found_where_nothing_is_wrong() {
    finds_nothing(&facts(&ethernet()));
    finds_nothing(&facts(&infiniband()));
}

#[test]
fn the_exit_status_is_that_of_the_worst_finding() {
    let mut later = facts(&ethernet());
    later.bonds.get_mut("bond0").unwrap().announcements = Some(0);
    assert_eq!(all(&later).exit_status(), 1);
    let mut now = ethernet();
    now.get("bond0").up = false;
    let mut now = facts(&now);
    now.bonds.get_mut("bond0").unwrap().announcements = Some(0);
    let diagnosis = all(&now);
    assert_eq!(diagnosis.exit_status(), 2);
    // What is wrong now comes first.
    assert_eq!(diagnosis.findings[0].id, "bond-down");
}

#[test]
fn what_is_no_bond_is_refused() {
    let facts = facts(&ethernet());
    let refused = |name: &str| diagnose(&facts, &[name.into()]).unwrap_err().sentence;
    assert!(refused("eth0").contains("eth0 is no bond"));
    assert!(refused("bond9").contains("there is no bond bond9"));
    assert!(diagnose(&facts, &["bond0".into()]).is_ok());
}

#[test]
fn links() {
    let mut world = ethernet();
    world.get("eth1").carrier = false;
    world.get("eth1").slave.as_mut().unwrap().link = Link::Down;
    let ids = |world: &World| -> Vec<&str> {
        let findings = all(&facts(world)).findings;
        findings.iter().map(|found| found.id).collect()
    };
    assert_eq!(ids(&world), ["no-link", "one-link"]);
    world.get("eth1").up = false;
    assert_eq!(ids(&world), ["slave-down", "one-link"]);
    world.get("eth0").carrier = false;
    assert_eq!(ids(&world), ["no-link", "slave-down", "all-links-down"]);
    world.get("eth1").master = None;
    world.get("eth0").carrier = true;
    finds(
        &facts(&world),
        "one-link",
        When::NextFailover,
        &["one slave only, eth0", "enslave a second one"],
    );
    world.get("eth0").master = None;
    finds(&facts(&world), "no-slaves", When::Now, &["has no slaves"]);
}

#[test]
fn a_link_that_the_arp_monitor_does_not_hear() {
    let mut world = ethernet();
    world.get("eth1").slave.as_mut().unwrap().link = Link::Down;
    let diagnosis = all(&facts(&world));
    assert!(diagnosis.findings[0].problem.contains("hears nothing"));
}

#[test]
fn slaves_on_one_adapter_or_one_port() {
    let mut same = facts(&ethernet());
    for name in ["eth0", "eth1"] {
        same.slaves.get_mut(name).unwrap().adapter = Some("0000:03:00".into());
    }
    let said = ["eth0 and eth1 are on one adapter (0000:03:00)"];
    finds(&same, "same-adapter", When::NextFailover, &said);
    for name in ["eth0", "eth1"] {
        same.slaves.get_mut(name).unwrap().port = Some("eth9".into());
    }
    let said = ["share one port (eth9)"];
    finds(&same, "same-port", When::NextFailover, &said);
    let mut same = facts(&ethernet());
    for name in ["eth0", "eth1"] {
        same.slaves.get_mut(name).unwrap().port_id = Some("00aa".into());
    }
    finds(&same, "same-port", When::NextFailover, &[]);
    let mut same = facts(&ethernet());
    for name in ["eth0", "eth1"] {
        same.slaves.get_mut(name).unwrap().switch_id = Some("00aa".into());
    }
    finds(&same, "same-adapter", When::NextFailover, &[]);
    let mut same = facts(&infiniband());
    let guid = |facts: &mut Facts, name: &str| {
        let port = facts.slaves.get_mut(name).unwrap();
        port.infiniband.as_mut().unwrap().system_guid = "0002:c903:0001:0009".into();
    };
    guid(&mut same, "ib0");
    finds_nothing(&same);
    guid(&mut same, "ib1");
    finds(&same, "same-adapter", When::NextFailover, &[]);
    // Whatever is not known is not the same.
    let mut unknown = facts(&ethernet());
    for name in ["eth0", "eth1"] {
        *unknown.slaves.get_mut(name).unwrap() = SlaveFacts::default();
    }
    finds_nothing(&unknown);
}

#[test]
fn three_slaves_on_two_adapters_are_redundant() {
    let world = World::new()
        .with("eth0", LinkType::Ethernet)
        .with("eth1", LinkType::Ethernet)
        .with("eth2", LinkType::Ethernet);
    let mut world = world.with_bond("bond0", &["eth0", "eth1", "eth2"], None, false);
    for name in ["eth0", "eth1", "eth2", "bond0"] {
        world.get(name).carrier = true;
    }
    let mut three = facts(&world);
    three.slaves.get_mut("eth1").unwrap().adapter = Some("0000:00:00".into());
    finds_nothing(&three);
    three.slaves.get_mut("eth2").unwrap().adapter = Some("0000:00:00".into());
    finds(
        &three,
        "same-adapter",
        When::NextFailover,
        &["eth0, eth1 and eth2"],
    );
}

#[test]
fn adapters_in_the_paths_of_sysfs() {
    let is = |path: &str, shown: &str| assert_eq!(adapter(Path::new(path)).as_deref(), Some(shown));
    is(
        "/sys/devices/pci0000:00/0000:00:02.0/0000:03:00.1",
        "0000:03:00",
    );
    is("/sys/devices/pci0000:00/0000:00:04.0/virtio1", "0000:00:04");
    is("/sys/devices/pci10000:00/10000:00:02.0", "10000:00:02");
    is("/sys/devices/netdevsim10", "netdevsim10");
    is("/sys/devices/faux/vib0", "vib0");
    is("/sys/devices/platform/soc/1e.ethernet", "1e.ethernet");
}

#[test]
fn a_monitor_is_needed() {
    let mut world = ethernet();
    world.get("bond0").bond.as_mut().unwrap().miimon = 0;
    let mut bond = facts(&world);
    finds_nothing(&bond);
    bond.bonds.get_mut("bond0").unwrap().link_events = Some(false);
    finds(
        &bond,
        "no-monitor",
        When::NextFailover,
        &["bonding/link_events"],
    );
    // The kernel's own driver does not have it.
    bond.bonds.get_mut("bond0").unwrap().link_events = None;
    finds(
        &bond,
        "no-monitor",
        When::NextFailover,
        &["echo 100 > /sys/class/net/bond0/bonding/miimon\"."],
    );
    world.get("bond0").bond.as_mut().unwrap().arp_interval = 100;
    let mut bond = facts(&world);
    bond.bonds.get_mut("bond0").unwrap().link_events = None;
    finds_nothing(&bond);
}

#[test]
fn slaves_must_agree() {
    let mut world = infiniband();
    world.get("ib1").ipoib.as_mut().unwrap().pkey = 0xf1f1;
    let mut differ = facts(&world);
    let port = differ.slaves.get_mut("ib1").unwrap();
    port.infiniband.as_mut().unwrap().partitions.push(0x71f1);
    finds(
        &differ,
        "different-partitions",
        When::NextFailover,
        &["ib0 has P_Key 0xffff and ib1 has P_Key 0xf1f1"],
    );
    let mut world = infiniband();
    world.get("ib0").ipoib.as_mut().unwrap().is_connected = true;
    finds(
        &facts(&world),
        "different-modes",
        When::NextFailover,
        &["ib0 has mode connected and ib1 has mode datagram"],
    );
    let mut world = ethernet();
    world.get("eth1").mtu = 9000;
    finds(
        &facts(&world),
        "different-mtus",
        When::NextFailover,
        &["eth1 has MTU 9000", "ip link set bond0 mtu 1500"],
    );
    world.get("eth0").mtu = 9000;
    finds_nothing(&facts(&world));
    world.get("bond0").mtu = 9001;
    finds(
        &facts(&world),
        "mtu-above-slaves",
        When::Now,
        &["ip link set bond0 mtu 9000"],
    );
}

#[test]
fn ports_partitions_and_groups() {
    let mut world = infiniband();
    world.get("ib1").carrier = false;
    world.get("ib1").slave.as_mut().unwrap().link = Link::Down;
    let one = |change: &dyn Fn(&mut SlaveFacts), id: &str, said: &str| {
        let mut facts = facts(&world);
        change(facts.slaves.get_mut("ib1").unwrap());
        let diagnosis = all(&facts);
        let ids: Vec<&str> = diagnosis.findings.iter().map(|found| found.id).collect();
        assert_eq!(ids, [id, "one-link"]);
        assert!(diagnosis.text().contains(said), "{}", diagnosis.text());
    };
    let state = |state: &'static str| {
        move |below: &mut SlaveFacts| below.infiniband.as_mut().unwrap().state = state.into()
    };
    one(&state("DOWN"), "port-not-active", "look at its cable");
    one(&state("INIT"), "port-not-active", "start a subnet manager");
    one(
        &|below| below.infiniband.as_mut().unwrap().partitions.clear(),
        "not-in-partition",
        "port 0002:c903:0000:0001 a member",
    );
    one(
        &|below| below.has_joined = Some(false),
        "broadcast-group-not-joined",
        "broadcast group of its partition 0xffff",
    );
    // Without debugfs nobody can say.
    one(
        &|below| below.has_joined = None,
        "no-link",
        "ib1 has no link",
    );
}

#[test]
fn the_broadcast_group_in_the_list_of_groups() {
    let group = |gid: &str, answer: &str| {
        format!("GID: {gid}\n  created: 1\n  queuelen: 0\n  complete:       {answer}\n  send_only:       no\n\n")
    };
    let other = group("ff12:401b:ffff:0:0:0:0:1", "yes");
    let broadcast = "ff12:401b:ffff:0:0:0:ffff:ffff";
    assert_eq!(
        has_joined(&(other.clone() + &group(broadcast, "yes")), 0xffff),
        Some(true)
    );
    assert_eq!(
        has_joined(&(other.clone() + &group(broadcast, "no")), 0xffff),
        Some(false)
    );
    assert_eq!(has_joined(&group(broadcast, "yes"), 0xf1f1), Some(false));
    assert_eq!(has_joined(&other, 0xffff), Some(false));
}

#[test]
fn addresses_of_slaves() {
    let mut world = ethernet();
    world
        .addresses
        .push(("eth1".into(), "192.0.2.1/24".parse().unwrap()));
    finds(
        &facts(&world),
        "address-on-slave",
        When::Now,
        &["ip address del 192.0.2.1/24 dev eth1"],
    );
}

#[test]
fn lacp_says_why() {
    let mut world = ethernet();
    let bond = world.get("bond0").bond.as_mut().unwrap();
    (bond.mode, bond.aggregator, bond.active) = (4, Some(1), None);
    for (name, aggregator) in [("eth0", 1), ("eth1", 2)] {
        world.get(name).slave.as_mut().unwrap().aggregator = Some(aggregator);
    }
    let mut facts = facts(&world);
    let last = |facts: &Facts| all(facts).findings[0].clone();
    assert_eq!(last(&facts).id, "lacp-not-aggregated");
    assert!(last(&facts).way_out.contains("same LACP group"));
    facts.report.bonds[0].slaves[1].carries_nothing =
        Some("the partner does not answer; enable LACP there".into());
    assert_eq!(
        last(&facts).problem,
        "eth1 carries no traffic: the partner does not answer"
    );
    assert_eq!(last(&facts).way_out, "enable LACP there");
}

#[test]
fn announcements_and_arp() {
    let mut silent = facts(&ethernet());
    silent.bonds.get_mut("bond0").unwrap().announcements = Some(0);
    finds(
        &silent,
        "no-announcements",
        When::NextFailover,
        &["num_grat_arp"],
    );
    let with = |arp: Arp| {
        let mut facts = facts(&ethernet());
        facts.arp.insert("bond0".into(), arp);
        facts
    };
    for ignore in [1, 2] {
        finds_nothing(&with(Arp {
            ignore,
            ..Arp::default()
        }));
    }
    finds(
        &with(Arp {
            ignore: 8,
            ..Arp::default()
        }),
        "arp-ignore",
        When::Now,
        &["answers no ARP"],
    );
    let drops = Arp {
        drops_announcements: true,
        ..Arp::default()
    };
    finds(
        &with(drops),
        "arp-dropped",
        When::NextFailover,
        &["drop_gratuitous_arp"],
    );
    // Alone in its network, a bond may filter.
    finds_nothing(&with(Arp {
        is_filtered: true,
        ..Arp::default()
    }));
}

#[test]
fn a_second_device_in_the_network_of_the_bond() {
    let mut world = ethernet().with("eth5", LinkType::Ethernet);
    world.get("eth5").up = true;
    world
        .addresses
        .push(("eth5".into(), "10.0.1.9/24".parse().unwrap()));
    finds_nothing(&facts(&world));
    world.addresses[1].1 = "10.0.0.9/24".parse().unwrap();
    let mut rivals = facts(&world);
    finds(
        &rivals,
        "arp-flux",
        When::NextFailover,
        &["bond0 and eth5", "net.ipv4.conf.eth5.arp_ignore"],
    );
    rivals.arp.insert(
        "bond0".into(),
        Arp {
            is_filtered: true,
            ..Arp::default()
        },
    );
    finds(
        &rivals,
        "arp-filter",
        When::NextFailover,
        &["bond0 and eth5"],
    );
    rivals.arp.insert("bond0".into(), Arp::default());
    rivals.arp.insert(
        "eth5".into(),
        Arp {
            ignore: 1,
            announce: 2,
            ..Arp::default()
        },
    );
    finds_nothing(&rivals);
}

#[test]
fn a_vlan_on_the_bond_counts_as_the_bond() {
    let mut world = ethernet().with("bond0.5", LinkType::Ethernet);
    let bond = world.get("bond0").index;
    world.get("bond0.5").parent = Some(bond);
    world.addresses = vec![("bond0.5".into(), "10.0.0.1/24".parse().unwrap())];
    let mut facts = facts(&world);
    finds_nothing(&facts);
    facts.arp.insert(
        "bond0.5".into(),
        Arp {
            ignore: 8,
            ..Arp::default()
        },
    );
    finds(
        &facts,
        "arp-ignore",
        When::Now,
        &["net.ipv4.conf.bond0/5.arp_ignore"],
    );
}

/// A netlink message of this kind.
fn message(kind: u16, flags: u16, payload: &[u8]) -> Vec<u8> {
    let length = (16 + payload.len()) as u32;
    let mut bytes = length.to_ne_bytes().to_vec();
    bytes.extend(kind.to_ne_bytes());
    bytes.extend(flags.to_ne_bytes());
    bytes.extend([0; 8]);
    bytes.extend(payload);
    bytes
}

#[test]
fn a_list_of_the_firewall_is_whole_or_an_error() {
    const DONE: u16 = 3;
    let rule = message(0xa06, 2, &[3, 0, 0, 0, 1, 2, 3, 4]);
    let mut found = Vec::new();
    let of = |error: std::io::Error| error.raw_os_error();
    assert_eq!(take(&rule, &mut found).map_err(of), Ok(false));
    let end = [rule.clone(), message(DONE, 2, &0i32.to_ne_bytes())].concat();
    assert_eq!(take(&end, &mut found).map_err(of), Ok(true));
    assert_eq!(found, [[1, 2, 3, 4], [1, 2, 3, 4]]);
    let broken = message(DONE, 2, &(-12i32).to_ne_bytes());
    assert_eq!(take(&broken, &mut found).map_err(of), Err(Some(12)));
    let changed = message(0xa06, 0x12, &[3, 0, 0, 0]);
    assert_eq!(take(&changed, &mut found).map_err(of), Err(Some(11)));
}

#[test]
fn firewalls() {
    let with = |hook, devices: &[&str], may_drop| {
        let mut facts = facts(&ethernet());
        facts.firewall.chains.push(Chain {
            table: "filter".into(),
            name: "output".into(),
            hook,
            devices: devices.iter().map(|name| name.to_string()).collect(),
            may_drop,
        });
        facts
    };
    finds_nothing(&with(Hook::ArpOutput, &[], false));
    let said = [
        "chain output of table arp filter",
        "nft list table arp filter",
    ];
    finds(
        &with(Hook::ArpOutput, &[], true),
        "firewall-drops-arp",
        When::NextFailover,
        &said,
    );
    finds(
        &with(Hook::ArpInput, &[], true),
        "firewall-drops-arp",
        When::NextFailover,
        &["the ARP of others"],
    );
    finds_nothing(&with(Hook::Egress, &["eth7", "wlan*"], true));
    finds(
        &with(Hook::Egress, &["eth1"], true),
        "firewall-drops-arp",
        When::NextFailover,
        &["netdev"],
    );
    finds(
        &with(Hook::Ingress, &["bon*"], true),
        "firewall-drops-arp",
        When::NextFailover,
        &[],
    );
    let mut legacy = facts(&ethernet());
    legacy.firewall.legacy.push("filter".into());
    finds(
        &legacy,
        "arptables-legacy",
        When::NextFailover,
        &["table filter"],
    );
    let mut unknown = facts(&ethernet());
    unknown.firewall.unknown = Some("Operation not permitted".into());
    assert!(all(&unknown)
        .text()
        .contains("Note: the firewall was not looked at: Operation not permitted"));
    assert_eq!(all(&unknown).exit_status(), 0);
}

#[test]
fn drivers() {
    let with = |running, found| {
        let mut facts = facts(&ethernet());
        (facts.running, facts.installed) = (running, found);
        facts
    };
    let ours = installed(Driver::Rust);
    let theirs = installed(Driver::InTree);
    finds(
        &with(Some(Driver::InTree), ours),
        "driver-in-tree",
        When::NextFailover,
        &["ib-bond switch rust"],
    );
    finds(
        &with(Some(Driver::Rust), theirs.clone()),
        "driver-not-installed",
        When::NextFailover,
        &["kernel 7.3.4"],
    );
    finds(
        &with(Some(Driver::Rust), None),
        "driver-not-installed",
        When::NextFailover,
        &["depmod"],
    );
    finds_nothing(&with(Some(Driver::InTree), theirs));
}

#[test]
fn every_identifier_and_every_field_is_in_the_documentation() {
    let page = include_str!("../../Documentation/ib-bond-doctor.md");
    let source = include_str!("../../src/bin/ib-bond/doctor.rs");
    let is_id = |word: &&str| {
        word.contains('-') && word.bytes().all(|b| b.is_ascii_lowercase() || b == b'-')
    };
    let ids: Vec<&str> = source
        .split('"')
        .filter(is_id)
        .filter(|id| !id.starts_with('-') && *id != "kebab-case")
        .collect();
    assert!(ids.len() > 20, "{ids:?}");
    for id in ids {
        assert!(page.contains(&format!("`{id}`")), "{id} is not described");
    }
    for field in [
        "worst", "bonds", "findings", "unknown", "id", "when", "bond", "devices", "problem",
        "way_out",
    ] {
        assert!(
            page.contains(&format!("`{field}`")),
            "{field} is not described"
        );
    }
}

#[test]
fn the_json_has_what_the_text_says() {
    let mut world = ethernet();
    world.get("bond0").up = false;
    let json: serde_json::Value = serde_json::from_str(&all(&facts(&world)).json()).unwrap();
    assert_eq!(json["schema"], 1);
    assert_eq!(json["worst"], "now");
    assert_eq!(json["findings"][0]["id"], "bond-down");
    assert_eq!(json["findings"][0]["when"], "now");
    assert_eq!(json["findings"][0]["bond"], "bond0");
}
