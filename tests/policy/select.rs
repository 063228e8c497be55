// SPDX-License-Identifier: GPL-2.0

//! The choice of the active slave.

use policy::select::{choose, may_activate};
use policy::{Candidate, Choice, Config, Delays, Duplex, Link, LinkState, Reselect};

fn up(key: u32) -> Candidate<u32> {
    Candidate {
        key,
        link: Link::up(0),
        usable: true,
        prio: 0,
        speed: Some(1000),
        duplex: Duplex::Full,
    }
}

fn down(key: u32) -> Candidate<u32> {
    Candidate {
        link: Link::down(0),
        usable: false,
        ..up(key)
    }
}

fn failing(key: u32) -> Candidate<u32> {
    let link = Link::up(0)
        .observe(false, 0, Delays { up: 0, down: 100 }, false)
        .0;
    Candidate {
        link,
        usable: false,
        ..up(key)
    }
}

fn back(key: u32, delay: u64) -> Candidate<u32> {
    Candidate {
        link: Link::initial(true, Delays { up: delay, down: 0 }, true, 0),
        ..up(key)
    }
}

fn best(
    slaves: &[Candidate<u32>],
    current: Option<u32>,
    primary: Option<u32>,
    reselect: Reselect,
) -> Option<u32> {
    choose(slaves.iter().copied(), current, primary, false, reselect).best
}

#[test]
fn nobody_is_chosen_from_nothing() {
    assert_eq!(best(&[], None, None, Reselect::Always), None);
    assert_eq!(best(&[], Some(1), Some(2), Reselect::Always), None);
    assert_eq!(
        best(&[down(1), down(2)], Some(1), Some(2), Reselect::Always),
        None
    );
}

#[test]
fn the_first_that_is_up_wins_without_primary_and_priority() {
    assert_eq!(
        best(&[down(1), up(2), up(3)], None, None, Reselect::Always),
        Some(2)
    );
    // As in the in-tree driver, also over an equal that is active now.
    assert_eq!(
        best(&[up(1), up(2)], Some(2), None, Reselect::Always),
        Some(1)
    );
    assert_eq!(
        best(&[up(1), up(2)], Some(2), None, Reselect::Failure),
        Some(2)
    );
}

#[test]
fn priority_counts_where_there_is_no_primary_that_is_up() {
    let slaves = [
        up(1),
        Candidate { prio: 5, ..up(2) },
        Candidate { prio: 5, ..up(3) },
    ];
    assert_eq!(best(&slaves, Some(1), None, Reselect::Always), Some(2));
    assert_eq!(best(&slaves, Some(3), None, Reselect::Always), Some(2));
    assert_eq!(best(&slaves, Some(1), Some(1), Reselect::Always), Some(1));
    let slaves = [
        down(1),
        Candidate { prio: -5, ..up(2) },
        Candidate {
            prio: i32::MIN,
            ..up(3)
        },
    ];
    assert_eq!(best(&slaves, None, Some(1), Reselect::Always), Some(2));
}

#[test]
fn reselect_decides_whether_the_primary_takes_over() {
    let slaves = [up(1), up(2)];
    assert_eq!(best(&slaves, Some(2), Some(1), Reselect::Always), Some(1));
    assert_eq!(best(&slaves, Some(2), Some(1), Reselect::Better), Some(2));
    assert_eq!(best(&slaves, Some(2), Some(1), Reselect::Failure), Some(2));
    let faster = [
        Candidate {
            speed: Some(10_000),
            ..up(1)
        },
        up(2),
    ];
    assert_eq!(best(&faster, Some(2), Some(1), Reselect::Better), Some(1));
    assert_eq!(best(&faster, Some(2), Some(1), Reselect::Failure), Some(2));
    let duplex = [
        up(1),
        Candidate {
            duplex: Duplex::Half,
            ..up(2)
        },
    ];
    assert_eq!(best(&duplex, Some(2), Some(1), Reselect::Better), Some(1));
    let slower = [
        Candidate {
            speed: Some(100),
            ..up(1)
        },
        Candidate {
            duplex: Duplex::Half,
            ..up(2)
        },
    ];
    assert_eq!(best(&slower, Some(2), Some(1), Reselect::Better), Some(2));
    let unknown = [
        Candidate {
            speed: None,
            ..up(1)
        },
        up(2),
    ];
    assert_eq!(best(&unknown, Some(2), Some(1), Reselect::Better), Some(1));
}

#[test]
fn a_failed_active_slave_is_replaced_whatever_reselect_says() {
    for reselect in [Reselect::Always, Reselect::Better, Reselect::Failure] {
        assert_eq!(best(&[up(1), down(2)], Some(2), Some(1), reselect), Some(1));
        assert_eq!(best(&[up(1), down(2)], Some(2), None, reselect), Some(1));
        assert_eq!(best(&[up(1), failing(2)], Some(2), None, reselect), Some(1));
    }
}

#[test]
fn a_forced_primary_wins_once_it_is_up() {
    let slaves = [down(1), up(2)];
    let choice = choose(
        slaves.into_iter(),
        Some(2),
        Some(1),
        true,
        Reselect::Failure,
    );
    assert_eq!(
        choice,
        Choice {
            best: Some(2),
            force_primary: true
        }
    );
    let slaves = [up(1), up(2)];
    let choice = choose(
        slaves.into_iter(),
        Some(2),
        Some(1),
        true,
        Reselect::Failure,
    );
    assert_eq!(
        choice,
        Choice {
            best: Some(1),
            force_primary: false
        }
    );
}

#[test]
fn with_no_link_up_the_shortest_updelay_is_cut_short() {
    let slaves = [down(1), back(2, 500), back(3, 400), back(4, 400)];
    assert_eq!(best(&slaves, None, None, Reselect::Always), Some(3));
    let lost = Candidate {
        usable: false,
        ..back(3, 100)
    };
    assert_eq!(
        best(&[back(2, 500), lost], None, None, Reselect::Always),
        Some(2)
    );
}

#[test]
fn a_failing_active_slave_stays_while_there_is_nothing_better() {
    assert_eq!(
        best(&[failing(1), down(2)], Some(1), None, Reselect::Always),
        Some(1)
    );
    assert_eq!(
        best(&[failing(1), failing(2)], None, None, Reselect::Always),
        None
    );
    assert_eq!(
        best(&[failing(1), back(2, 100)], Some(1), None, Reselect::Always),
        Some(2)
    );
}

#[test]
fn no_slave_without_carrier_is_chosen_while_another_has_it() {
    let stale = Candidate {
        usable: false,
        prio: 9,
        ..up(1)
    };
    assert_eq!(
        best(&[stale, up(2)], Some(1), Some(1), Reselect::Failure),
        Some(2)
    );
    assert_eq!(
        best(&[stale, back(2, 100)], None, Some(1), Reselect::Always),
        Some(2)
    );
    assert_eq!(
        best(&[stale, down(2)], None, None, Reselect::Always),
        Some(1)
    );
}

#[test]
fn by_hand_only_a_working_slave_can_take_over_from_another() {
    assert!(may_activate(Some(1), &up(2)).is_ok());
    assert!(
        may_activate(Some(1), &down(1)).is_ok(),
        "it is active already"
    );
    assert!(may_activate(Some(1), &down(2)).is_err());
    assert!(may_activate(Some(1), &back(2, 100)).is_err());
    assert!(may_activate(
        Some(1),
        &Candidate {
            usable: false,
            ..up(2)
        }
    )
    .is_err());
    let error = may_activate(None, &up(2)).unwrap_err();
    assert_eq!(error.errno(), 22);
    assert!(error
        .to_string()
        .starts_with("Could not set as active slave; either "));
}

#[test]
fn the_bond_has_carrier_if_a_link_is_up() {
    use LinkState::{Back, Down, Fail, Up};
    let config = Config::default();
    assert!(!config.carrier([].into_iter()));
    assert!(!config.carrier([Down, Fail, Back].into_iter()));
    assert!(config.carrier([Down, Up].into_iter()));
}
