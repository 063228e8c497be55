// SPDX-License-Identifier: GPL-2.0

//! The slave that a packet leaves through.

use policy::transmit::{
    by_queue, can_send, check_queue_id, slot, stand_in, take_turn, turn, StandIn,
};
use policy::{IfName, LinkState};

#[test]
fn slaves_take_turns() {
    let turns = |packets| {
        (0..6)
            .map(|n| slot(turn(n, packets), 3).unwrap())
            .collect::<Vec<_>>()
    };
    assert_eq!(turns(1), [0, 1, 2, 0, 1, 2]);
    assert_eq!(turns(2), [0, 0, 1, 1, 2, 2]);
    assert_eq!(turns(0), [0, 1, 2, 0, 1, 2], "the caller's random numbers");
    assert_eq!(slot(turn(5, 1), 0), None);
    assert_eq!(slot(turn(u32::MAX, 65_535), u32::MAX), Some(65_537));
}

#[test]
fn a_slave_that_cannot_send_is_skipped() {
    let slaves = |can: [bool; 3]| (0..3).zip(can);
    assert_eq!(take_turn(slaves([true; 3]), 1), Some(1));
    assert_eq!(take_turn(slaves([true, false, true]), 1), Some(2));
    assert_eq!(take_turn(slaves([true, false, false]), 1), Some(0));
    assert_eq!(take_turn(slaves([true, true, false]), 2), Some(0));
    assert_eq!(take_turn(slaves([false; 3]), 1), None);
    assert_eq!(
        take_turn(slaves([true; 3]), 7),
        Some(0),
        "slaves have left meanwhile"
    );
}

#[test]
fn sending_takes_carrier_a_link_and_an_active_slave() {
    assert!(can_send(true, LinkState::Up, false));
    assert!(!can_send(false, LinkState::Up, false));
    assert!(!can_send(true, LinkState::Up, true));
    for link in [LinkState::Fail, LinkState::Down, LinkState::Back] {
        assert!(!can_send(true, link, false));
    }
}

#[test]
fn the_stand_in_is_the_best_slave_with_carrier() {
    let slave = |key, carrier, link, prio| StandIn {
        key,
        carrier,
        link,
        prio,
    };
    let pick = |slaves: &[StandIn<u32>]| stand_in(slaves.iter().copied());
    assert_eq!(pick(&[]), None);
    assert_eq!(
        pick(&[
            slave(1, false, LinkState::Up, 9),
            slave(2, true, LinkState::Up, 0)
        ]),
        Some(2)
    );
    assert_eq!(
        pick(&[
            slave(1, true, LinkState::Up, 0),
            slave(2, true, LinkState::Up, 0)
        ]),
        Some(1)
    );
    assert_eq!(
        pick(&[
            slave(1, true, LinkState::Up, 0),
            slave(2, true, LinkState::Up, 1)
        ]),
        Some(2)
    );
    assert_eq!(
        pick(&[
            slave(1, true, LinkState::Back, 9),
            slave(2, true, LinkState::Up, -1)
        ]),
        Some(2)
    );
    assert_eq!(
        pick(&[
            slave(1, true, LinkState::Down, 0),
            slave(2, true, LinkState::Back, 0)
        ]),
        Some(2)
    );
    assert_eq!(pick(&[slave(1, true, LinkState::Fail, 0)]), None);
}

#[test]
fn a_queue_belongs_to_at_most_one_slave() {
    let slaves = [(1, 0, true), (2, 3, true), (3, 4, false)];
    assert_eq!(by_queue(slaves.into_iter(), 3), Some(2));
    assert_eq!(by_queue(slaves.into_iter(), 4), None, "its link is down");
    assert_eq!(by_queue(slaves.into_iter(), 5), None);
}

#[test]
fn a_queue_id_must_exist_and_be_free() {
    let slave = IfName::new(b"eth0").unwrap();
    let check = |queue| check_queue_id(slave, queue, 16, [0, 3].into_iter());
    assert!(check(0).is_ok());
    assert!(check(16).is_ok());
    assert_eq!(check(17).unwrap_err().errno(), 1);
    let taken = check(3).unwrap_err();
    assert_eq!(taken.errno(), 1);
    assert!(taken
        .to_string()
        .starts_with("option queue_id: invalid value (eth0:3); "));
}
