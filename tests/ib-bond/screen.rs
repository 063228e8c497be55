// SPDX-License-Identifier: GPL-2.0

//! What `ib-bond watch` shows, on screens of all sizes.

use super::cases::cases;
use super::world::World;
use crate::netlink::{Counters, Link, LinkType};
use crate::screen::{changes, short, Decisions, Rate, View};
use crate::status::Report;
use crate::terminal::Style;
use proptest::prelude::*;
use std::collections::BTreeMap;
use std::time::Duration;

fn world() -> World {
    let world = World::new()
        .with("ib0", LinkType::Infiniband)
        .with("ib1", LinkType::Infiniband);
    let net = "10.0.0.1/24".parse().unwrap();
    let mut world = world.with_bond("bond0", &["ib0", "ib1"], Some(net), false);
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
    Report::of(&now.devices, &now.addresses, |_| None)
}

fn view(world: &World, decisions: usize) -> View {
    let rate = Rate {
        rx_packets: 1000.4,
        rx_bytes: 1_500_000.0,
        tx_packets: 7.0,
        tx_bytes: 500.0,
        lost: 3.0,
    };
    let lines = (0..decisions).map(|number| format!("[    1.000] decision {number}"));
    View {
        report: report(world),
        rates: BTreeMap::from([("ib0".to_string(), rate)]),
        decisions: BTreeMap::from([(
            "bond0".to_string(),
            Decisions {
                without_reasons: None,
                lines: lines.collect(),
            },
        )]),
        driver: "bonding.ko in Rust".into(),
        interval: Duration::from_secs(1),
    }
}

fn texts(view: &View, columns: usize, rows: Option<usize>) -> Vec<String> {
    let lines = view.lines(columns, rows);
    lines
        .into_iter()
        .map(|line| line.text.trim_end().to_string())
        .collect()
}

#[test]
fn a_screen_has_links_roles_rates_and_decisions() {
    let lines = texts(&view(&world(), 2), 80, Some(24));
    assert_eq!(
        lines,
        [
            "ib-bond watch: bonding.ko in Rust, every 1 s; q ends",
            "",
            "bond0 is well",
            "  10.0.0.1/24, active-backup, MTU 1500",
            "  device  link        role  in pkt/s    in B/s  out pkt/s   out B/s    lost/s",
            "  bond0   up                       0         0         0         0         0",
            "  ib0     up          active    1000      1.5M         7       500         3",
            "  ib1     up          backup       0         0         0         0         0",
            "  Last decisions:",
            "    [    1.000] decision 0",
            "    [    1.000] decision 1",
        ]
        .map(|line| line.replace(
            "MTU 1500",
            &format!("MTU {}", report(&world()).bonds[0].mtu)
        ))
    );
}

#[test]
fn the_latest_decisions_are_shown_as_far_as_there_is_room() {
    let lines = texts(&view(&world(), 40), 80, Some(24));
    assert_eq!(lines.len(), 24);
    assert_eq!(lines[23], "    [    1.000] decision 39");
    let lines = texts(&view(&world(), 40), 80, None);
    assert_eq!(
        lines
            .iter()
            .filter(|line| line.contains("decision "))
            .count(),
        8
    );
}

#[test]
fn bonds_share_the_room() {
    let world = world().with("ib2", LinkType::Infiniband);
    let mut view = view(&world.with_bond("bond1", &["ib2"], None, false), 40);
    let decisions = view.decisions["bond0"].clone();
    view.decisions.insert("bond1".into(), decisions);
    let lines = texts(&view, 80, Some(24));
    assert_eq!(lines.len(), 24);
    let latest = lines.iter().filter(|line| line.contains("decision 39"));
    assert_eq!(latest.count(), 2, "{lines:#?}");
}

#[test]
fn a_screen_that_is_too_small_says_so() {
    let lines = texts(&view(&world(), 4), 80, Some(5));
    assert_eq!(lines.len(), 5);
    assert!(
        lines[4].starts_with("5 more lines: make the window taller"),
        "{}",
        lines[4]
    );
}

#[test]
fn a_lost_link_stands_out() {
    let mut world = world();
    world.get("ib1").carrier = false;
    world.get("ib1").slave.as_mut().unwrap().link = Link::Down;
    let lines = view(&world, 0).lines(80, None);
    let alarms: Vec<&str> = lines
        .iter()
        .filter(|line| line.style == Style::Alarm)
        .map(|line| line.text.as_str())
        .collect();
    assert!(alarms[0].starts_with("bond0 is degraded: ib1 has no link"));
    assert!(alarms[1].starts_with("  ib1     down"));
}

#[test]
fn names_do_not_reach_the_terminal_raw() {
    let mut world = world();
    world.get("ib0").name = "\x1b[2Jx".into();
    for line in view(&world, 1).lines(80, None) {
        assert!(!line.text.contains('\x1b'), "{}", line.text);
    }
}

#[test]
fn numbers_are_short() {
    let is = |number: f64, shown: &str| assert_eq!(short(number), shown);
    is(0.0, "0");
    is(0.4, "0");
    is(99_999.0, "99999");
    is(100_000.0, "100.0k");
    is(999_960.0, "1.0M");
    is(12_345_678.0, "12.3M");
    is(5e12, "5.0T");
    is(1e300, &short(1e300));
}

#[test]
fn rates_are_differences_over_time() {
    let before = Counters {
        rx_packets: 10,
        rx_bytes: 1000,
        rx_lost: 1,
        tx_lost: 5,
        ..Counters::default()
    };
    let after = Counters {
        rx_packets: 30,
        rx_bytes: 3000,
        rx_lost: 2,
        tx_lost: 6,
        ..Counters::default()
    };
    let rate = Rate::between(&before, &after, Duration::from_secs(2));
    assert_eq!(
        (rate.rx_packets, rate.rx_bytes, rate.lost),
        (10.0, 1000.0, 1.0)
    );
    // A device that came back counts from the beginning.
    let rate = Rate::between(&after, &before, Duration::from_secs(1));
    assert_eq!(rate.rx_packets, 10.0);
}

#[test]
fn without_the_drivers_history_what_was_seen_is_told() {
    let before = world();
    let mut after = world();
    after.get("ib0").carrier = false;
    after.get("ib0").slave.as_mut().unwrap().link = Link::Down;
    let other = after.get("ib1").index;
    after.get("bond0").bond.as_mut().unwrap().active = Some(other);
    let seen = |before: &World, after: &World| -> Vec<String> {
        let found = changes(&report(before), &report(after)).into_iter();
        found
            .map(|(bond, text)| format!("{bond}: {text}"))
            .collect()
    };
    assert_eq!(
        seen(&before, &after),
        ["bond0: ib0 down", "bond0: ib1 is active"]
    );
    assert_eq!(
        seen(&after, &before),
        ["bond0: ib0 up", "bond0: ib0 is active"]
    );
    assert_eq!(seen(&before, &before), Vec::<String>::new());
    let mut without = world();
    without.get("ib1").master = None;
    assert_eq!(seen(&before, &without), ["bond0: ib1 left"]);
    assert_eq!(seen(&without, &before), ["bond0: ib1 joined"]);
    assert_eq!(seen(&World::new(), &before), ["bond0: the bond appeared"]);
}

proptest! {
    #![proptest_config(cases(1000))]

    #[test]
    fn a_screen_is_never_exceeded(columns in 0usize..200, rows in 0usize..60, decisions in 0usize..70) {
        let lines = view(&world(), decisions).lines(columns, Some(rows));
        prop_assert!(lines.len() <= rows);
        prop_assert!(lines.iter().all(|line| line.text.chars().count() <= columns));
    }

    #[test]
    fn a_short_number_fits_its_column(number in 0.0f64..1e19) {
        prop_assert!(short(number).len() <= 8);
    }
}
