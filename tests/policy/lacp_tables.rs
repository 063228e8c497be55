// SPDX-License-Identifier: GPL-2.0

//! LACP: what a bond does in each combination of its options with what may happen to it.

use policy::lacp::{AdSelect, PortFacts, Settings};
use policy::wire::slow::State;

use crate::lab::{settings, End, Lab, UP};
use crate::lacp::answer;

const FAST: PortFacts = PortFacts {
    speed: Some(25_000),
    ..UP
};

/// A bond with two links to one switch, and one that is faster to another. Each switch has a port
/// left.
fn with_two_switches(select: AdSelect) -> Lab {
    let ours = Settings {
        select,
        ..settings(1)
    };
    let mut lab = Lab::new(&[ours, settings(2), settings(3)]);
    for (place, other, facts) in [(0, (1, 0), UP), (1, (1, 1), UP), (2, (2, 0), FAST)] {
        plug(&mut lab, place, other, facts);
    }
    lab.pass(10_000);
    lab
}

fn plug(lab: &mut Lab, place: usize, other: End, facts: PortFacts) {
    lab.cable((0, place), other);
    lab.join((0, place), facts);
    lab.join(other, facts);
}

fn links(lab: &mut Lab, places: &[usize], link: bool) {
    for place in places {
        lab.set_link((0, *place), link);
    }
}

#[test]
fn each_policy_follows_each_event() {
    use AdSelect::{ActorPortPrio, Bandwidth, Count, Stable};
    type Event = fn(&mut Lab);
    const A: &[usize] = &[0, 1];
    const B: &[usize] = &[2];
    // What carries traffic with stable, bandwidth, count and actor_port_prio.
    let table: [(&str, Event, [&[usize]; 4]); 13] = [
        ("nothing", |_| (), [A, B, A, A]),
        (
            "one of two links is lost",
            |lab| links(lab, &[0], false),
            [&[1], B, B, B],
        ),
        (
            "and comes back",
            |lab| {
                links(lab, &[0], false);
                lab.pass(5_000);
                links(lab, &[0], true);
            },
            [A, B, A, A],
        ),
        ("the fast link is lost", |lab| links(lab, B, false), [A; 4]),
        (
            "and comes back",
            |lab| {
                links(lab, B, false);
                lab.pass(5_000);
                links(lab, B, true);
            },
            [A, B, A, A],
        ),
        ("both links are lost", |lab| links(lab, A, false), [B; 4]),
        (
            "and come back",
            |lab| {
                links(lab, A, false);
                lab.pass(5_000);
                links(lab, A, true);
            },
            [B, B, A, A],
        ),
        (
            "the fast slave gets a higher priority",
            |lab| {
                let priority = 600;
                lab.set_port((0, 2), PortFacts { priority, ..FAST });
            },
            [A, B, A, B],
        ),
        (
            "the fast link becomes slow",
            |lab| {
                let speed = Some(5_000);
                lab.set_port((0, 2), PortFacts { speed, ..FAST });
            },
            [A; 4],
        ),
        (
            "one of two slaves leaves",
            |lab| lab.leave((0, 0)),
            [&[1], B, B, B],
        ),
        (
            "a slow slave joins",
            |lab| plug(lab, 3, (1, 2), UP),
            [&[0, 1, 3]; 4],
        ),
        (
            "a fast slave joins",
            |lab| plug(lab, 3, (2, 1), FAST),
            [A, &[2, 3], &[2, 3], &[2, 3]],
        ),
        (
            "the switch with two links falls silent",
            |lab| {
                lab.cut((0, 0));
                lab.cut((0, 1));
            },
            [B; 4],
        ),
    ];
    for (what, event, carrying) in table {
        for (select, carrying) in [Stable, Bandwidth, Count, ActorPortPrio]
            .into_iter()
            .zip(carrying)
        {
            let mut lab = with_two_switches(select);
            event(&mut lab);
            lab.pass(15_000);
            assert_eq!(lab.carrying(0), carrying, "{select:?}: {what}");
            // And the switches use the same links. Who has fallen silent does not know.
            for place in [0, 1, 2, 3] {
                let (end, used) = ((0, place), carrying.contains(&place));
                if let Some(other) = lab.other(end).filter(|_| lab.has(end)) {
                    assert_eq!(lab.carries(other), used, "{select:?}: {what}: {other:?}");
                }
            }
        }
    }
}

/// What the partner of a port does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Partner {
    /// It is in sync.
    InSync,
    /// It answers, and is out of sync.
    OutOfSync,
    /// It was in sync, and has been silent for three to six seconds.
    Expired,
    /// It was in sync, and has been silent for longer.
    Defaulted,
    /// It has never answered.
    Silent,
}

#[test]
fn carrier_by_min_links_lacp_strict_and_what_the_partners_do() {
    use Partner::{Defaulted, Expired, InSync, OutOfSync, Silent};
    // How many links count with lacp_strict off, and on.
    let table = [
        (InSync, InSync, 2, 2),
        (InSync, OutOfSync, 1, 1),
        (InSync, Expired, 2, 1),
        (InSync, Defaulted, 1, 1),
        (InSync, Silent, 1, 1),
        (OutOfSync, OutOfSync, 0, 0),
        (OutOfSync, Expired, 1, 0),
        (OutOfSync, Defaulted, 0, 0),
        (OutOfSync, Silent, 0, 0),
        (Expired, Expired, 2, 0),
        (Expired, Defaulted, 1, 0),
        (Expired, Silent, 1, 0),
        (Defaulted, Defaulted, 1, 0),
        (Defaulted, Silent, 1, 0),
        (Silent, Silent, 1, 0),
    ];
    for (first, second, usual, strict) in table {
        for is_strict in [false, true] {
            for min_links in 0..=3 {
                let lab = with_partners([first, second], is_strict, min_links);
                let count = if is_strict { strict } else { usual };
                assert_eq!(
                    lab.carrier(0),
                    count >= min_links.max(1),
                    "{first:?}, {second:?}, min_links {min_links}, strict {is_strict}"
                );
            }
        }
    }
}

/// A bond with two slaves, 11 s after it was set up.
fn with_partners(partners: [Partner; 2], is_strict: bool, min_links: u32) -> Lab {
    let mut lab = Lab::new(&[Settings {
        is_strict,
        min_links,
        ..settings(1)
    }]);
    for place in [0, 1] {
        lab.join((0, place), UP);
    }
    for half in 0..22 {
        for (place, partner) in partners.into_iter().enumerate() {
            let (end, speaks) = (
                (0, place),
                match partner {
                    Partner::InSync | Partner::OutOfSync => true,
                    Partner::Expired => half <= 14,
                    Partner::Defaulted => half <= 8,
                    Partner::Silent => false,
                },
            );
            if speaks {
                let mut pdu = answer(&lab, end);
                let in_sync = partner != Partner::OutOfSync;
                pdu.actor.state = pdu.actor.state.with(State::SYNCHRONIZATION, in_sync);
                lab.receive(end, &pdu);
            }
        }
        lab.pass(500);
    }
    lab
}
