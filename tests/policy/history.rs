// SPDX-License-Identifier: GPL-2.0

//! The reasons that a bond gives for what it decides.

use crate::world::World;
use policy::history::{Cause, Entry, What, Why};
use policy::lacp::Shortage;
use policy::{Event, IfName, LinkState, OptionId, Transition};

fn text(slave: Option<&str>, what: What) -> String {
    let slave = slave.map(|name| IfName::new(name.as_bytes()).unwrap());
    let entry = Entry {
        at: 61_002,
        slave,
        what,
    };
    assert_eq!(
        entry.to_string(),
        format!("[   61.002] {}", entry.text()),
        "the time comes first"
    );
    entry.text().to_string()
}

#[test]
fn entries_are_sentences() {
    let active = |why, early_ms| What::Active { why, early_ms };
    for (slave, what, expected) in [
        (
            Some("ib0"),
            What::Link(Transition::WentDown, Cause::Carrier),
            "ib0 down: lost carrier",
        ),
        (
            Some("ib0"),
            What::Link(Transition::WentUp, Cause::Delay(200)),
            "ib0 up after updelay 200 ms",
        ),
        (
            Some("ib0"),
            What::Link(Transition::WentDown, Cause::Probes { missed: 3, of: 3 }),
            "ib0 down: 3 of 3 ARP probes missed",
        ),
        (
            Some("ib0"),
            What::Link(Transition::GoingDown { ms: 100 }, Cause::Carrier),
            "ib0 lost carrier, downdelay 100 ms runs",
        ),
        (
            Some("ib0"),
            What::Joined(LinkState::Down),
            "ib0 joined without link",
        ),
        (
            Some("ib1"),
            active(Why::Lost, Some(30)),
            "ib1 is active: the one before lost its link, 30 ms before its updelay is over",
        ),
        (
            None,
            active(Why::Lost, None),
            "no slave is active: the one before lost its link",
        ),
        (
            None,
            What::Short(Shortage {
                carrying: 1,
                min_links: 2,
            }),
            "no carrier: 1 slave carries traffic, min_links is 2",
        ),
    ] {
        assert_eq!(text(slave, what), expected);
    }
}

const DELAYS: [(OptionId, u64); 3] = [
    (OptionId::Miimon, 100),
    (OptionId::Updelay, 500),
    (OptionId::Downdelay, 300),
];

/// Two slaves with links, 1 active.
fn pair(options: &[(OptionId, u64)]) -> World {
    let mut bond = World::active_backup(options);
    assert_eq!(bond.enslave(1, true).why, Why::First);
    bond.enslave(2, true);
    bond.pass(1_000);
    assert_eq!(bond.group.active, Some(1));
    bond
}

#[test]
fn a_lost_link_and_one_that_is_back() {
    let mut bond = pair(&[]);
    assert_eq!(bond.carrier(1, false).why, Why::Lost);
    assert_eq!(bond.port(1).cause, Cause::Carrier);
    assert_eq!(bond.carrier(2, false).why, Why::Lost);
    assert_eq!(bond.group.active, None);
    assert_eq!(bond.carrier(1, true).why, Why::First);
    assert_eq!(bond.port(1).cause, Cause::Carrier);
}

#[test]
fn the_end_of_a_delay_is_a_reason() {
    let mut bond = pair(&DELAYS);
    bond.carrier(1, false);
    assert_eq!(bond.port(1).cause, Cause::Carrier);
    let over = bond.pass(300).unwrap();
    assert_eq!((over.active_changed, over.why), (true, Why::Lost));
    assert_eq!(bond.port(1).cause, Cause::Delay(300));
    bond.carrier(1, true);
    bond.pass(500);
    assert_eq!(bond.port(1).cause, Cause::Delay(500));
}

#[test]
fn a_link_that_need_not_wait_is_up_by_its_carrier() {
    let mut bond = pair(&DELAYS);
    for key in [1, 2] {
        bond.carrier(key, false);
        bond.pass(300);
    }
    assert!(bond.carrier(1, true).active_changed);
    assert_eq!(bond.port(1).cause, Cause::Carrier);
}

#[test]
fn one_that_is_wanted_more() {
    let mut bond = pair(&[]);
    bond.set_prio(2, 5);
    bond.carrier(2, false);
    let back = bond.carrier(2, true);
    assert_eq!((back.active_changed, back.why), (true, Why::Priority));
    bond.set_primary(Some(1));
    let named = bond.last.unwrap();
    assert_eq!((named.active_changed, named.why), (true, Why::Primary));
}

#[test]
fn what_the_user_asked_for() {
    let mut bond = pair(&[]);
    let by_hand = bond.event(Event::Activate { key: 2 });
    assert_eq!((by_hand.active_changed, by_hand.why), (true, Why::ByHand));
    let left = bond.release(2);
    assert_eq!((left.active_changed, left.why), (true, Why::Left));
    assert_eq!(bond.group.active, Some(1));
}

#[test]
fn a_link_that_nobody_watches_is_up() {
    let mut bond = pair(&[(OptionId::Miimon, 100)]);
    bond.carrier(1, false);
    bond.set(OptionId::LinkEvents, 0);
    bond.set(OptionId::Miimon, 0);
    assert_eq!(bond.port(1).link.state(), LinkState::Up);
    assert_eq!(bond.port(1).cause, Cause::Unwatched);
}
