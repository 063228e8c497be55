// SPDX-License-Identifier: GPL-2.0

//! The life of a bond, event by event.

use policy::{Event, LinkState, OptionId, Ports, Reselect, Transition};

use crate::world::World;

const DELAYS: [(OptionId, u64); 3] = [
    (OptionId::Miimon, 100),
    (OptionId::Updelay, 500),
    (OptionId::Downdelay, 300),
];

fn pair(world: &mut World) {
    world.enslave(1, true);
    world.enslave(2, true);
}

#[test]
fn failover_and_back_at_once_without_any_monitor_configured() {
    let mut bond = World::active_backup(&[]);
    bond.set_primary(Some(1));
    pair(&mut bond);
    assert_eq!(bond.group.active, Some(1));

    let lost = bond.carrier(1, false);
    assert_eq!((lost.group.active, lost.active_changed), (Some(2), true));
    assert!(lost.carrier && lost.links_changed);
    assert_eq!(lost.deadline, None);
    assert_eq!(bond.take(1), Some(Transition::WentDown));
    assert_eq!(bond.port(1).failures, 1);

    let back = bond.carrier(1, true);
    assert_eq!((back.group.active, back.active_changed), (Some(1), true));
    assert_eq!(bond.take(1), Some(Transition::WentUp));
}

#[test]
fn without_a_primary_the_active_slave_stays() {
    let mut bond = World::active_backup(&[]);
    pair(&mut bond);
    bond.carrier(1, false);
    assert!(!bond.carrier(1, true).active_changed);
    assert_eq!(bond.group.active, Some(2));
}

#[test]
fn a_slave_of_higher_priority_takes_over_when_it_comes_up() {
    let mut bond = World::active_backup(&[]);
    pair(&mut bond);
    assert_eq!(bond.set_prio(2, 10).group.active, Some(2));
    bond.carrier(2, false);
    assert_eq!(bond.group.active, Some(1));
    assert_eq!(bond.carrier(2, true).group.active, Some(2));

    bond.set_primary(Some(1));
    assert_eq!(bond.group.active, Some(1));
    assert!(bond.group.ignores_prio());
    assert!(!bond.set_prio(2, 20).active_changed);
}

#[test]
fn the_last_link_takes_the_carrier_with_it() {
    let mut bond = World::active_backup(&[]);
    pair(&mut bond);
    bond.carrier(2, false);
    let lost = bond.carrier(1, false);
    assert_eq!(
        (lost.group.active, lost.active_changed, lost.carrier),
        (None, true, false)
    );
    let back = bond.carrier(2, true);
    assert_eq!((back.group.active, back.carrier), (Some(2), true));
}

#[test]
fn downdelay_keeps_the_active_slave_until_it_is_over() {
    let mut bond = World::active_backup(&DELAYS);
    pair(&mut bond);
    bond.pass(500);
    let start = bond.now;
    let lost = bond.carrier(1, false);
    assert!(!lost.active_changed);
    assert_eq!(lost.deadline, Some(start + 300));
    assert_eq!(bond.take(1), Some(Transition::GoingDown { ms: 300 }));
    bond.pass(299);
    assert_eq!(bond.group.active, Some(1));
    bond.pass(1);
    assert_eq!(bond.group.active, Some(2));
    assert_eq!(bond.take(1), Some(Transition::WentDown));
}

#[test]
fn a_link_that_comes_back_in_time_changes_nothing() {
    let mut bond = World::active_backup(&DELAYS);
    pair(&mut bond);
    bond.carrier(1, false);
    bond.pass(200);
    let again = bond.carrier(1, true);
    assert!(!again.active_changed);
    assert_eq!(bond.take(1), Some(Transition::UpAgain { after_ms: 200 }));
    assert_eq!(bond.port(1).failures, 0);
}

#[test]
fn updelay_holds_a_primary_back() {
    let mut bond = World::active_backup(&DELAYS);
    bond.set_primary(Some(1));
    pair(&mut bond);
    bond.pass(500);
    bond.carrier(1, false);
    bond.pass(300);
    assert_eq!(bond.group.active, Some(2));
    bond.carrier(1, true);
    assert_eq!(bond.take(1), Some(Transition::GoingUp { ms: 500 }));
    bond.pass(499);
    assert_eq!(bond.group.active, Some(2));
    bond.pass(1);
    assert_eq!(bond.group.active, Some(1));
}

#[test]
fn updelay_is_skipped_without_any_other_link() {
    let mut bond = World::active_backup(&DELAYS);
    let first = bond.enslave(1, true);
    assert_eq!((first.group.active, first.carrier), (Some(1), true));
    assert_eq!(bond.take(1), Some(Transition::WentUp));
    assert_eq!(bond.enslave(2, true).group.active, Some(1));
    assert_eq!(bond.port(2).link.state(), LinkState::Back);
}

#[test]
fn the_only_link_left_is_used_before_its_updelay_is_over() {
    let mut bond = World::active_backup(&DELAYS);
    pair(&mut bond);
    bond.carrier(1, false);
    bond.pass(300);
    let outcome = bond.last.unwrap();
    assert_eq!(outcome.group.active, Some(2));
    assert_eq!(outcome.early_ms, Some(200));
    assert_eq!(bond.port(2).link.state(), LinkState::Up);
}

#[test]
fn a_released_active_slave_is_replaced() {
    let mut bond = World::active_backup(&[]);
    bond.set_primary(Some(1));
    pair(&mut bond);
    let outcome = bond.release(1);
    assert_eq!(
        (outcome.group.active, outcome.group.primary),
        (Some(2), None)
    );
    assert!(!bond.release(7).active_changed, "a stranger");
    let outcome = bond.release(2);
    assert_eq!((outcome.group.active, outcome.carrier), (None, false));
}

#[test]
fn a_slave_that_is_still_listed_while_it_is_released_is_no_candidate() {
    let mut bond = World::active_backup(&[]);
    bond.enslave(1, true);
    let outcome = bond.event(Event::Released { key: 1 });
    assert_eq!((outcome.group.active, outcome.carrier), (None, false));
}

#[test]
fn the_active_slave_can_be_chosen_by_hand() {
    let mut bond = World::active_backup(&[]);
    pair(&mut bond);
    assert_eq!(bond.event(Event::Activate { key: 2 }).group.active, Some(2));
    bond.carrier(1, false);
    assert!(
        !bond.event(Event::Activate { key: 1 }).active_changed,
        "it has no link"
    );
    bond.carrier(1, true);
    assert_eq!(bond.event(Event::ClearActive).group.active, Some(1));
}

#[test]
fn a_primary_named_later_takes_over_although_reselect_is_failure() {
    let mut bond = World::active_backup(&[(OptionId::PrimaryReselect, 2)]);
    assert_eq!(bond.config.primary_reselect, Reselect::Failure);
    pair(&mut bond);
    bond.set_primary(Some(2));
    assert_eq!(bond.group.active, Some(2));
    bond.carrier(2, false);
    bond.carrier(2, true);
    assert_eq!(
        bond.group.active,
        Some(1),
        "by itself it takes over only on failure"
    );
}

#[test]
fn a_renamed_primary_is_none_any_more() {
    let mut bond = World::active_backup(&[]);
    bond.set_primary(Some(2));
    pair(&mut bond);
    assert_eq!(bond.group.active, Some(2));
    bond.group.primary = None;
    assert_eq!(bond.event(Event::PrimaryRenamed).group.active, Some(1));
}

#[test]
fn link_events_off_leaves_everything_to_the_poll() {
    let mut bond = World::active_backup(&[(OptionId::LinkEvents, 0), (OptionId::Miimon, 100)]);
    pair(&mut bond);
    let event = bond.carrier(1, false);
    assert_eq!(
        (event.group.active, event.links_changed, event.deadline),
        (Some(1), false, None)
    );
    assert!(!bond.event(Event::Tick).links_changed);
    assert_eq!(bond.poll().group.active, Some(2));
}

#[test]
fn a_poll_finds_what_no_event_told() {
    let mut bond = World::active_backup(&[(OptionId::Miimon, 100)]);
    pair(&mut bond);
    bond.silently(1, false);
    assert_eq!(bond.poll().group.active, Some(2));
}

#[test]
fn without_events_and_monitor_every_link_counts_as_up() {
    let mut bond = World::active_backup(&[(OptionId::LinkEvents, 0)]);
    assert_eq!(bond.enslave(1, false).group.active, Some(1));
    assert!(bond.enslave(2, true).carrier);
    assert_eq!(bond.carrier(1, false).group.active, Some(1));
    assert_eq!(bond.poll().group.active, Some(1));
    // Somebody starts to watch.
    assert!(bond.set(OptionId::LinkEvents, 1));
    assert_eq!(bond.group.active, Some(2));
    assert_eq!(bond.port(1).link.state(), LinkState::Down);
    // And stops again.
    assert!(bond.set(OptionId::LinkEvents, 0));
    assert_eq!(bond.port(1).link.state(), LinkState::Up);
}

#[test]
fn failures_are_counted_and_the_count_does_not_wrap() {
    let mut bond = World::active_backup(&DELAYS);
    pair(&mut bond);
    bond.carrier(2, false);
    assert_eq!(bond.port(2).failures, 1, "lost before its updelay was over");
    let mut port = bond.port(2);
    port.failures = u32::MAX;
    bond.slaves.set(2, port);
    bond.carrier(2, true);
    bond.carrier(2, false);
    assert_eq!(bond.port(2).failures, u32::MAX);
}

#[test]
fn round_robin_keeps_one_slave_for_igmp() {
    let mut bond = World::round_robin(&[]);
    bond.enslave(1, false);
    assert_eq!(bond.group.active, None);
    assert_eq!(bond.enslave(2, true).group.active, Some(2));
    assert!(!bond.enslave(3, true).active_changed);
    assert!(!bond.carrier(1, true).active_changed);
    assert_eq!(bond.carrier(2, false).group.active, Some(1));
    assert_eq!(bond.release(1).group.active, Some(3));
    // Events that single out a slave have no effect here.
    assert!(!bond.event(Event::Activate { key: 2 }).active_changed);
    assert!(!bond.event(Event::ClearActive).active_changed);
    assert!(!bond.set_prio(2, 9).active_changed);
}

#[test]
fn round_robin_waits_for_updelay_unless_it_has_no_link() {
    let mut bond = World::round_robin(&DELAYS);
    bond.enslave(1, true);
    assert_eq!(bond.port(1).link.state(), LinkState::Up);
    bond.enslave(2, true);
    assert_eq!(bond.port(2).link.state(), LinkState::Back);
    bond.pass(500);
    assert_eq!(bond.port(2).link.state(), LinkState::Up);
}

#[test]
fn round_robin_without_any_link_takes_one_that_is_going_up() {
    let mut bond = World::round_robin(&DELAYS);
    bond.enslave(1, true);
    bond.enslave(2, true);
    let lost = bond.carrier(1, false);
    assert_eq!(bond.port(1).link.state(), LinkState::Fail);
    assert_eq!(bond.port(2).link.state(), LinkState::Up);
    assert_eq!((lost.group.active, lost.early_ms), (Some(2), Some(500)));
}

#[test]
fn only_one_link_of_a_poll_is_spared_its_updelay() {
    let mut bond = World::active_backup(&DELAYS);
    bond.enslave(1, false);
    bond.enslave(2, false);
    bond.silently(1, true);
    bond.silently(2, true);
    assert_eq!(bond.poll().group.active, Some(1));
    assert_eq!(bond.port(1).link.state(), LinkState::Up);
    assert_eq!(bond.port(2).link.state(), LinkState::Back);
}

#[test]
fn a_change_of_miimon_changes_the_delays_to_come() {
    let mut bond = World::active_backup(&DELAYS);
    pair(&mut bond);
    assert!(bond.set(OptionId::Miimon, 10));
    assert_eq!(bond.config.downdelay_ms(), 30);
    let start = bond.now;
    assert_eq!(bond.carrier(1, false).deadline, Some(start + 30));
}

#[test]
fn the_arp_monitor_ends_the_delays_that_run() {
    let mut bond = World::active_backup(&DELAYS);
    pair(&mut bond);
    bond.carrier(1, false);
    assert_eq!(bond.port(1).link.state(), LinkState::Fail);
    assert_eq!(bond.port(2).link.state(), LinkState::Back);
    bond.take(1);
    bond.take(2);
    // The carrier is back, which has not been reported yet.
    bond.silently(1, true);
    assert!(bond.set(OptionId::ArpInterval, 10_000));
    assert_eq!(bond.port(1).link.state(), LinkState::Up);
    assert!(matches!(
        bond.take(1),
        Some(Transition::UpAgain { after_ms: 0 })
    ));
    assert_eq!(bond.port(2).link.state(), LinkState::Down);
    assert_eq!(bond.take(2), None, "nothing has happened to it");
    assert_eq!((bond.port(1).failures, bond.port(2).failures), (0, 0));
    assert_eq!(bond.group.active, Some(1));
    assert_eq!(bond.last.and_then(|it| it.deadline), None);
}
