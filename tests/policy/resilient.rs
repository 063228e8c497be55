// SPDX-License-Identifier: GPL-2.0

//! The choice that moves only the flows of lost slaves.

use crate::lab::{settings, Lab, UP};
use policy::resilient::{places, Members, MOST};
use proptest::prelude::*;

/// The members in a number's binary digits that can send.
fn members(count: u32, able: u128) -> Members {
    let can_send = |member| able >> member & 1 == 1;
    Members::of((0..count).map(can_send)).unwrap()
}

const ALL: u128 = u128::MAX;

#[test]
fn with_all_members_the_choice_is_the_remainder() {
    for count in 1..=MOST {
        let all = Members::of((0..count).map(|_| true)).unwrap();
        assert_eq!(all.places(), count);
        assert_eq!(places(count) % count, 0, "{count} members");
        for hash in (0..10_000).chain([u32::MAX - 1, u32::MAX]) {
            assert_eq!(all.choose(hash), Some(hash % count));
        }
    }
}

#[test]
fn nobody_is_chosen_where_nobody_can_send() {
    assert_eq!(members(0, ALL).choose(7), None);
    assert_eq!(members(0, ALL).places(), 0);
    assert_eq!(members(4, 0).choose(7), None);
}

#[test]
fn more_members_than_fit_are_too_many() {
    assert!(Members::of((0..MOST).map(|_| true)).is_some());
    assert!(Members::of((0..=MOST).map(|_| true)).is_none());
}

/// How many values of the hash, of all that are told apart, choose each of the members.
fn shares(count: u32, able: u128) -> Vec<u32> {
    let chosen = members(count, able);
    let mut shares = vec![0; count as usize];
    for hash in 0..chosen.places() {
        shares[chosen.choose(hash).unwrap() as usize] += 1;
    }
    shares
}

/// The in-tree driver's choice spreads flows evenly over what is left; so does this one.
#[test]
fn the_load_of_one_lost_member_is_spread_evenly() {
    for count in 2..=32 {
        for lost in 0..count {
            let shares = shares(count, ALL ^ 1 << lost);
            let left: Vec<u32> = (0..count)
                .filter(|member| *member != lost)
                .map(|member| shares[member as usize])
                .collect();
            assert_eq!(
                left.iter().min(),
                left.iter().max(),
                "{count} without {lost}"
            );
        }
    }
}

/// The most that a member carries, as a multiple of an even share, whichever members are lost.
#[test]
fn the_load_of_several_lost_members_is_spread_nearly_evenly() {
    let worst = |count: u32| {
        let able = 1..1u128 << count;
        let most = able.map(|able| {
            let shares = shares(count, able);
            let total: u32 = shares.iter().sum();
            let even = f64::from(total) / f64::from(able.count_ones());
            f64::from(*shares.iter().max().unwrap()) / even
        });
        most.fold(0.0, f64::max)
    };
    for (count, bound) in [(2, 1.0), (3, 1.0), (4, 1.02), (6, 1.05), (8, 1.07)] {
        let worst = worst(count);
        assert!(
            worst <= bound,
            "{count} members: {worst:.3} times an even share"
        );
    }
}

/// A port that has carried data keeps its share of the hashes while it is lost, and gives it up when
/// it is part of an aggregator that is not used: the ports of that one are not lost.
#[test]
fn a_port_of_802_3ad_that_is_lost_keeps_its_share() {
    let mut lab = Lab::new(&[settings(1), settings(2), settings(3)]);
    for (place, other) in [(0, (1, 0)), (1, (1, 1)), (2, (2, 0))] {
        lab.cable((0, place), other);
        lab.join((0, place), UP);
        lab.join(other, UP);
    }
    lab.pass(10_000);
    let shares = |lab: &Lab| [0, 1, 2].map(|place| lab.keeps_share((0, place)));
    assert_eq!(
        (lab.carrying(0), shares(&lab)),
        (vec![0, 1], [true, true, false])
    );
    lab.set_link((0, 0), false);
    assert_eq!(
        (lab.carrying(0), shares(&lab)),
        (vec![1], [true, true, false])
    );
    lab.set_link((0, 0), true);
    lab.pass(10_000);
    // A partner that falls silent.
    lab.cut((0, 1));
    lab.pass(10_000);
    assert_eq!(
        (lab.carrying(0), shares(&lab)),
        (vec![0], [true, true, false])
    );
    lab.set_link((0, 0), false);
    assert_eq!(
        (lab.carrying(0), shares(&lab)),
        (vec![2], [false, true, true])
    );
}

proptest! {
    /// From any set of members that can send to any other: a flow moves only if the member that
    /// carried it was lost, or to a member that has come back.
    #[test]
    fn only_the_flows_of_members_that_change_move(
        count in 1..=100u32, before: u128, after: u128, hashes in prop::collection::vec(any::<u32>(), 100),
    ) {
        let (was, is) = (members(count, before), members(count, after));
        for hash in hashes {
            let (old, new) = (was.choose(hash), is.choose(hash));
            let was_lost = old.is_none_or(|old| after >> old & 1 == 0);
            let came_back = new.is_none_or(|new| before >> new & 1 == 0);
            prop_assert!(old == new || was_lost || came_back, "{old:?} to {new:?}");
        }
    }

    /// The flows of a member that is lost return to it, whatever happened in between: there is no
    /// memory. And a table of that many places chooses as the hash itself does.
    #[test]
    fn a_table_chooses_as_the_hash_does(count in 1..=256u32, able: u128, hash: u32) {
        let members = members(count.min(128), able);
        prop_assume!(members.places() > 0);
        prop_assert_eq!(members.choose(hash), members.choose(hash % members.places()));
        if let Some(chosen) = members.choose(hash) {
            prop_assert!(able >> chosen & 1 == 1);
        }
    }

    #[test]
    fn a_table_is_never_large(count in 0..100_000u32) {
        prop_assert!(places(count) <= count.max(4096));
    }
}
