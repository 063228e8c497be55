// SPDX-License-Identifier: GPL-2.0

//! What must hold for a bond whatever happens to it.

use policy::notify::Countdown;
use policy::transmit::{slot, take_turn, turn};
use policy::{handle, Event, Group, LinkState, Mode, OptionId, Port, Ports, Reselect};
use proptest::prelude::*;

use crate::cases::cases;
use crate::world::{config, Step, World};

/// Something that happens to a bond.
#[derive(Clone, Debug)]
enum Op {
    Carrier(u32, bool),
    Silently(u32, bool),
    Poll,
    /// Time passes, and the bond is woken up when it asked for it.
    Pass(u64),
    /// Time passes, and nobody wakes the bond up.
    Jump(u64),
    Enslave(u32, bool),
    Release(u32),
    Prio(u32, i32),
    Primary(Option<u32>),
    Activate(u32),
    Clear,
    Set(OptionId, u64),
}

fn slave() -> impl Strategy<Value = u32> {
    0u32..4
}

fn setting() -> impl Strategy<Value = Op> {
    prop_oneof![
        prop_oneof![Just(0u64), Just(1), Just(50), Just(100)].prop_map(|n| (OptionId::Miimon, n)),
        (0u64..600).prop_map(|n| (OptionId::Updelay, n)),
        (0u64..600).prop_map(|n| (OptionId::Downdelay, n)),
        (0u64..2).prop_map(|n| (OptionId::LinkEvents, n)),
        (0u64..3).prop_map(|n| (OptionId::PrimaryReselect, n)),
    ]
    .prop_map(|(id, number)| Op::Set(id, number))
}

fn op() -> impl Strategy<Value = Op> {
    prop_oneof![
        8 => (slave(), any::<bool>()).prop_map(|(key, up)| Op::Carrier(key, up)),
        2 => (slave(), any::<bool>()).prop_map(|(key, up)| Op::Silently(key, up)),
        3 => Just(Op::Poll),
        5 => (0u64..400).prop_map(Op::Pass),
        1 => (0u64..400).prop_map(Op::Jump),
        4 => (slave(), any::<bool>()).prop_map(|(key, up)| Op::Enslave(key, up)),
        2 => slave().prop_map(Op::Release),
        2 => (slave(), -2..3).prop_map(|(key, prio)| Op::Prio(key, prio)),
        1 => proptest::option::of(slave()).prop_map(Op::Primary),
        2 => slave().prop_map(Op::Activate),
        1 => Just(Op::Clear),
        3 => setting(),
    ]
}

/// A mode and the events; more often than not, delays are set before any other event.
fn ops() -> impl Strategy<Value = (Mode, Vec<Op>)> {
    let mode = prop_oneof![2 => Just(Mode::ActiveBackup), 1 => Just(Mode::RoundRobin)];
    let delays = (0u64..3, 0u64..300, 0u64..300).prop_map(|(miimon, updelay, downdelay)| {
        vec![
            Op::Set(OptionId::Miimon, miimon),
            Op::Set(OptionId::Updelay, updelay),
            Op::Set(OptionId::Downdelay, downdelay),
        ]
    });
    let ops = (delays, proptest::collection::vec(op(), 1..80)).prop_map(|(mut ops, more)| {
        ops.extend(more);
        ops
    });
    (mode, ops)
}

fn apply(world: &mut World, op: &Op) {
    let exists = |key: &u32| world.has(*key);
    match op {
        Op::Enslave(key, up) if !exists(key) => {
            world.enslave(*key, *up);
        }
        Op::Carrier(key, up) if exists(key) => {
            world.carrier(*key, *up);
        }
        Op::Silently(key, up) if exists(key) => world.silently(*key, *up),
        Op::Release(key) if exists(key) => {
            world.release(*key);
        }
        Op::Prio(key, prio) if exists(key) => {
            world.set_prio(*key, *prio);
        }
        Op::Activate(key) if exists(key) => {
            world.event(Event::Activate { key: *key });
        }
        Op::Poll => {
            world.poll();
        }
        Op::Pass(ms) => {
            world.pass(*ms);
        }
        Op::Jump(ms) => world.now += ms,
        Op::Primary(primary) => world.set_primary(*primary),
        Op::Clear => {
            world.event(Event::ClearActive);
        }
        Op::Set(id, number) => {
            world.set(*id, *number);
        }
        _ => {}
    }
}

/// The events of a bond to which all this happens.
fn run(mode: Mode, ops: &[Op]) -> Vec<Step> {
    let mut world = World::new(config(mode, &[]));
    for op in ops {
        apply(&mut world, op);
    }
    world.log
}

fn port(ports: &[(u32, Port)], key: u32) -> Option<Port> {
    ports
        .iter()
        .find(|(it, _)| *it == key)
        .map(|(_, port)| *port)
}

impl Step {
    /// Whether traffic could go through the slave, as far as the bond knows.
    fn is_usable(&self, port: &Port) -> bool {
        !self.config.is_monitored()
            || (port.carrier && matches!(port.link.state(), LinkState::Up | LinkState::Back))
    }

    /// Whether the bond was without any link when the event came.
    fn had_no_link(&self) -> bool {
        if self.config.mode.uses_primary() {
            self.group.active.is_none()
        } else {
            self.before
                .iter()
                .all(|(_, port)| port.link.state() != LinkState::Up)
        }
    }

    /// Whether every link counts as up because nobody watches them.
    fn trusts_all(&self) -> bool {
        !self.config.is_monitored()
    }
}

proptest! {
    #![proptest_config(cases(2000))]

    #[test]
    fn an_active_slave_exists_whenever_one_is_usable((mode, ops) in ops()) {
        for step in run(mode, &ops) {
            let usable = step.after.iter().any(|(_, port)| step.is_usable(port));
            prop_assert!(!usable || step.outcome.group.active.is_some(), "{step:#?}");
        }
    }

    #[test]
    fn the_active_slave_is_one_of_the_slaves_and_its_change_is_told((mode, ops) in ops()) {
        for step in run(mode, &ops) {
            let active = step.outcome.group.active;
            prop_assert!(active.is_none_or(|key| port(&step.after, key).is_some()), "{step:#?}");
            prop_assert_eq!(step.outcome.active_changed, active != step.group.active);
        }
    }

    #[test]
    fn no_slave_without_link_is_active_while_another_is_usable((mode, ops) in ops()) {
        for step in run(mode, &ops) {
            let Some(active) = step.outcome.group.active else { continue };
            let link = port(&step.after, active).unwrap();
            if step.trusts_all() || link.carrier {
                continue;
            }
            let other = step.after.iter().any(|(key, it)| *key != active && step.is_usable(it));
            prop_assert!(!step.outcome.active_changed || !other, "it was chosen in {step:#?}");
            // A slave that is already active may stay so while its downdelay is running, or until
            // the bond has had a look at it.
            if !step.unseen.contains(&active) {
                prop_assert_eq!(link.link.state(), LinkState::Fail, "{:#?}", step);
            }
        }
    }

    #[test]
    fn a_balancing_bond_without_links_takes_one_that_is_going_up((_, ops) in ops()) {
        for step in run(Mode::RoundRobin, &ops) {
            let going_up =
                |it: &Port| it.carrier && matches!(it.link.state(), LinkState::Up | LinkState::Back);
            let none_up = step.after.iter().all(|(_, it)| it.link.state() != LinkState::Up);
            prop_assert!(!none_up || !step.after.iter().any(|(_, it)| going_up(it)), "{step:#?}");
        }
    }

    #[test]
    fn the_active_slave_never_waits_for_a_delay_to_be_up((mode, ops) in ops()) {
        for step in run(mode, &ops) {
            let Some(active) = step.outcome.group.active else { continue };
            let state = port(&step.after, active).unwrap().link.state();
            prop_assert!(matches!(state, LinkState::Up | LinkState::Fail), "{step:#?}");
        }
    }

    #[test]
    fn the_arp_monitor_leaves_no_delay_running((mode, ops) in ops()) {
        let mut world = World::new(config(mode, &[]));
        for op in &ops {
            apply(&mut world, op);
        }
        let before = world.ports();
        prop_assert!(world.set(OptionId::ArpInterval, 10_000));
        prop_assert_eq!(world.last.and_then(|it| it.deadline), None);
        for (key, after) in world.ports() {
            prop_assert_eq!(after.link.deadline(), None);
            let link = port(&before, key).unwrap().link;
            let failed = after.failures - port(&before, key).unwrap().failures;
            prop_assert!(failed == 0 || !after.carrier);
            match (link.state(), link.deadline()) {
                (LinkState::Fail, Some(_)) => {
                    let expected = if after.carrier { LinkState::Up } else { LinkState::Down };
                    prop_assert_eq!(after.link.state(), expected);
                }
                // What counts is that the slave was heard, not how long its carrier has been back.
                (LinkState::Back, Some(_)) if world.group.tried != Some(key) => {
                    prop_assert_eq!(after.link.state(), LinkState::Down);
                }
                _ => {}
            }
        }
    }

    #[test]
    fn delays_are_never_cut_short((mode, ops) in ops()) {
        for step in run(mode, &ops) {
            for (key, before) in &step.before {
                let Some(after) = port(&step.after, *key) else { continue };
                let (from, to) = (before.link.state(), after.link.state());
                let delays = step.config.delays();
                let over = before.link.deadline().is_some_and(|it| step.now >= it);
                // The documented exceptions: a bond without links does not wait for updelay, and
                // takes the one that is going up if it needs an active slave.
                let no_link = step.had_no_link();
                let taken = step.outcome.active_changed
                    && step.outcome.group.active == Some(*key)
                    && step.after.iter().all(|(other, it)| {
                        other == key || it.link.state() != LinkState::Up || !it.carrier
                    });
                let allowed = match (from, to) {
                    _ if from == to => after.link == before.link,
                    _ if step.trusts_all() => to == LinkState::Up,
                    (LinkState::Up, LinkState::Fail) => {
                        after.link.deadline() == Some(step.now + delays.down) && delays.down > 0
                    }
                    (LinkState::Up, LinkState::Down) => delays.down == 0,
                    (LinkState::Fail, LinkState::Up) => after.carrier,
                    (LinkState::Fail, LinkState::Down) => over,
                    (LinkState::Down, LinkState::Back) => {
                        after.link.deadline() == Some(step.now + delays.up) && delays.up > 0
                    }
                    (LinkState::Down, LinkState::Up) => delays.up == 0 || no_link || taken,
                    (LinkState::Back, LinkState::Up) => over || no_link || taken,
                    (LinkState::Back, LinkState::Down) => !after.carrier,
                    _ => false,
                };
                prop_assert!(allowed, "slave {key} from {from:?} to {to:?} in {step:#?}");
            }
        }
    }

    #[test]
    fn delays_end_when_they_are_over((mode, ops) in ops()) {
        for step in run(mode, &ops) {
            let looked = match step.event {
                Event::Poll => step.config.is_monitored(),
                Event::Tick => step.config.link_events,
                _ => false,
            };
            let deadlines = step.after.iter().filter_map(|(_, port)| port.link.deadline());
            if looked {
                prop_assert!(deadlines.clone().all(|it| it > step.now), "{step:#?}");
            }
            let expected = if step.config.link_events { deadlines.min() } else { None };
            prop_assert_eq!(step.outcome.deadline, expected);
            for (_, port) in &step.after {
                let waits = matches!(port.link.state(), LinkState::Fail | LinkState::Back);
                prop_assert_eq!(port.link.deadline().is_some(), waits);
            }
        }
    }

    #[test]
    fn a_working_active_slave_is_kept_with_primary_reselect_failure((mode, ops) in ops()) {
        for step in run(mode, &ops) {
            let Some(active) = step.group.active else { continue };
            let works = |ports: &[(u32, Port)]| {
                port(ports, active).is_some_and(|it| {
                    it.link.state() == LinkState::Up && (it.carrier || step.trusts_all())
                })
            };
            let by_hand = matches!(step.event, Event::Activate { .. } | Event::ClearActive);
            let keep = step.config.primary_reselect == Reselect::Failure
                && !step.group.force_primary
                && !by_hand
                && works(&step.before)
                && works(&step.after);
            prop_assert!(!keep || !step.outcome.active_changed, "{step:#?}");
        }
    }

    #[test]
    fn the_bond_has_carrier_while_a_link_is_up((mode, ops) in ops()) {
        for step in run(mode, &ops) {
            let up = step.after.iter().any(|(_, port)| port.link.state() == LinkState::Up);
            prop_assert_eq!(step.outcome.carrier, up, "{:#?}", step);
        }
    }

    #[test]
    fn failures_and_changes_are_counted((mode, ops) in ops()) {
        for step in run(mode, &ops) {
            let mut changed = false;
            for (key, before) in &step.before {
                let Some(after) = port(&step.after, *key) else { continue };
                let (from, to) = (before.link.state(), after.link.state());
                changed |= from != to;
                let failed = from != LinkState::Down && to == LinkState::Down;
                prop_assert_eq!(after.failures, before.failures + u32::from(failed));
                if from != to && step.outcome.early_ms.is_none() {
                    prop_assert!(after.pending.is_some());
                }
            }
            prop_assert_eq!(step.outcome.links_changed, changed, "{:#?}", step);
        }
    }

    #[test]
    fn the_same_events_give_the_same_decisions((mode, ops) in ops()) {
        prop_assert_eq!(run(mode, &ops), run(mode, &ops));
    }

    #[test]
    fn a_second_look_at_once_changes_nothing((mode, ops) in ops()) {
        let mut world = World::new(config(mode, &[]));
        for op in &ops {
            apply(&mut world, op);
        }
        world.poll();
        let ports = world.ports();
        let second = world.poll();
        prop_assert!(!second.active_changed && !second.links_changed);
        prop_assert_eq!(world.ports(), ports);
    }

    #[test]
    fn nothing_panics_whatever_the_clock_says(
        (mode, ops) in ops(),
        times in proptest::collection::vec(
            prop_oneof![any::<u64>(), Just(u64::MAX), Just(0), u64::MAX - 1000..u64::MAX],
            1..20,
        ),
    ) {
        let mut world = World::new(config(mode, &[
            (OptionId::Miimon, 1_000_000_000),
            (OptionId::Updelay, 2_000_000_000),
            (OptionId::Downdelay, 2_000_000_000),
        ]));
        for (op, now) in ops.iter().zip(times.iter().cycle()) {
            world.now = *now;
            match op {
                Op::Pass(_) => { world.event(Event::Tick); }
                Op::Jump(_) => {}
                op => apply(&mut world, op),
            }
        }
    }

    #[test]
    fn an_unknown_active_or_primary_slave_does_no_harm(
        (mode, ops) in ops(), primary in slave(), force in any::<bool>(),
    ) {
        // The keys of the group need not be those of slaves, after a release for instance.
        let mut world = World::new(config(mode, &[]));
        for op in &ops {
            apply(&mut world, op);
        }
        let primary = Some(primary + 100);
        let group = Group { active: None, primary, force_primary: force, tried: primary };
        let outcome = handle(&world.slaves, group, &world.config, Event::PrimaryRenamed, world.now);
        prop_assert!(outcome.group.active.is_none_or(|key| world.slaves.keys().any(|it| it == key)));
    }

    #[test]
    fn turns_are_fair_and_only_for_those_who_can_send(
        can in proptest::collection::vec(any::<bool>(), 0..8), counter: u32, packets: u16,
    ) {
        let slaves = || can.iter().copied().enumerate();
        let place = slot(turn(counter, packets), can.len() as u32);
        prop_assert_eq!(place.is_some(), !can.is_empty());
        let Some(place) = place else { return Ok(()) };
        prop_assert!((place as usize) < can.len());
        let taken = take_turn(slaves(), place);
        prop_assert_eq!(taken.is_some(), can.contains(&true));
        prop_assert!(taken.is_none_or(|key| can[key]));
        if can[place as usize] {
            prop_assert_eq!(taken, Some(place as usize));
        }
    }

    #[test]
    fn notifications_keep_their_number_and_their_pace(
        count in 0u64..256, miimon in 0u64..500, delay in 0u64..2000, start in 0u64..1000,
        ready in proptest::collection::vec(any::<bool>(), 300),
    ) {
        let mut options = vec![(OptionId::NumGratArp, count), (OptionId::Miimon, miimon)];
        if miimon > 0 {
            options.push((OptionId::PeerNotifDelay, delay));
        }
        let config = config(Mode::ActiveBackup, &options);
        let pace = config.peer_notif_delay_ms().max(if miimon > 0 { miimon } else { 100 });
        let mut countdown = Countdown::peers(&config, start);
        let mut sent = Vec::new();
        for ready in ready.into_iter().chain(std::iter::repeat_n(true, 300)) {
            let Some(now) = countdown.due() else { break };
            let (next, send, _) = countdown.next(now, ready);
            prop_assert!(ready || !send);
            if send {
                sent.push(now);
            }
            countdown = next;
        }
        prop_assert_eq!(countdown.due(), None);
        prop_assert!(sent.len() as u64 <= count);
        prop_assert!(count == 0 || !sent.is_empty(), "the first is never lost");
        prop_assert!(sent.windows(2).all(|pair| pair[1] - pair[0] >= pace));
    }
}
