// SPDX-License-Identifier: GPL-2.0

//! The machines of LACP: what the standard demands of a bond on the wire.

use policy::lacp::{
    AdSelect, Churn, Mux, Periodic, Port, PortFacts, Reason, Receive, Report, Settings,
    AGGREGATE_WAIT, CHURN_DETECTION, LONG_TIMEOUT, SHORT_TIMEOUT,
};
use policy::wire::slow::{Lacpdu, PortInfo, State};
use policy::{Duplex, Millis};

use crate::lab::{settings, End, Lab, UP};

/// Bonds that are aggregated and have nothing more to say.
fn aggregated(links: usize) -> Lab {
    let mut lab = Lab::pair(settings(1), settings(2), links);
    lab.pass(AGGREGATE_WAIT + 10);
    for bond in [0, 1] {
        assert_eq!(lab.carrying(bond), (0..links).collect::<Vec<_>>());
    }
    lab
}

/// A bond with one slave, and a partner that says what a test wants it to say.
fn alone(change: impl FnOnce(&mut Settings)) -> Lab {
    let mut settings = settings(1);
    change(&mut settings);
    let mut lab = Lab::new(&[settings]);
    lab.join((0, 0), UP);
    lab
}

const PORT: End = (0, 0);

/// An LACPDU of a partner that agrees with all that a port says.
pub(crate) fn answer(lab: &Lab, end: End) -> Lacpdu {
    let system = &lab.bonds[end.0].system;
    let partner = lab.port(end).actor(system.settings(), system.active());
    Lacpdu {
        actor: PortInfo {
            system: settings(9).system,
            key: 15,
            port_priority: 255,
            port: 1 + end.1 as u16,
            state: State::ACTIVITY
                .union(State::TIMEOUT)
                .union(State::AGGREGATION)
                .union(State::SYNCHRONIZATION)
                .union(State::COLLECTING)
                .union(State::DISTRIBUTING),
        },
        partner,
    }
}

/// Has the partner of a port answer each second.
fn converse(lab: &mut Lab, ends: &[End], time: Millis) {
    let end = lab.now + time;
    while lab.now < end {
        for port in ends {
            let pdu = answer(lab, *port);
            lab.receive(*port, &pdu);
        }
        lab.pass(500.min(end - lab.now));
    }
}

/// The options of a bond with the slow rate.
fn slow(number: u8) -> Settings {
    Settings {
        is_fast: false,
        ..settings(number)
    }
}

#[test]
fn two_bonds_aggregate_their_links() {
    let mut lab = Lab::pair(settings(1), settings(2), 4);
    let begin = lab.now;
    lab.pass(AGGREGATE_WAIT - 10);
    assert!(lab.carrying(0).is_empty() && !lab.carrier(0));
    lab.pass(20);
    for bond in [0, 1] {
        assert_eq!(lab.carrying(bond), [0, 1, 2, 3]);
        assert!(lab.carrier(bond));
        assert_eq!(lab.bonds[bond].system.active(), 1);
    }
    // In order: nothing, in sync, receiving and sending.
    let said = lab.sent_by((0, 2), begin);
    let bits = |pdu: &Lacpdu| pdu.actor.state.bits() & 0x38;
    let mut states: Vec<u8> = said.iter().map(|(_, pdu)| bits(pdu)).collect();
    states.dedup();
    let times: Vec<_> = said
        .iter()
        .map(|(at, pdu)| (at - begin, bits(pdu)))
        .collect();
    assert_eq!(states, [0, 0x8, 0x38], "{times:x?}");
}

#[test]
fn a_settled_bond_with_the_slow_rate_sends_twice_a_minute() {
    let mut lab = Lab::pair(slow(1), slow(2), 2);
    lab.pass(100_000);
    let from = lab.now;
    lab.pass(60_000);
    for end in [(0, 0), (0, 1), (1, 0), (1, 1)] {
        assert_eq!(lab.sent_by(end, from).len(), 2, "{end:?}");
    }
}

#[test]
fn a_silent_partner_expires_and_is_then_forgotten() {
    for (is_fast, timeout) in [(true, SHORT_TIMEOUT), (false, LONG_TIMEOUT)] {
        let mut lab = alone(|settings| settings.is_fast = is_fast);
        converse(&mut lab, &[PORT], 4_000);
        assert!(lab.carries(PORT));
        let pdu = answer(&lab, PORT);
        lab.receive(PORT, &pdu);
        lab.pass(timeout - 1);
        assert!(lab.carries(PORT));
        lab.pass(1);
        assert!(matches!(lab.port(PORT).receive, Receive::Expired { .. }));
        assert!(!lab.carries(PORT), "not in sync any more");
        let state = lab.port(PORT).partner.state;
        assert!(state.has(State::TIMEOUT) && !state.has(State::SYNCHRONIZATION));
        let from = lab.now;
        lab.pass(SHORT_TIMEOUT - 1);
        assert!(lab.sent_by(PORT, from).len() >= 3, "one each second");
        lab.pass(1);
        assert_eq!(lab.port(PORT).receive, Receive::Defaulted);
        assert!(lab.state(PORT).has(State::DEFAULTED));
        assert!(lab.carries(PORT), "falls back");
        let pdu = answer(&lab, PORT);
        lab.receive(PORT, &pdu);
        assert!(matches!(lab.port(PORT).receive, Receive::Current { .. }));
        assert!(!lab.carries(PORT), "waits to aggregate");
        lab.pass(AGGREGATE_WAIT);
        let pdu = answer(&lab, PORT);
        lab.receive(PORT, &pdu);
        assert!(lab.carries(PORT));
    }
}

#[test]
fn a_link_that_comes_back_carries_as_soon_as_both_ends_have_spoken() {
    let mut lab = aggregated(2);
    lab.pass(5_000);
    lab.set_link((0, 1), false);
    assert_eq!(lab.carrying(0), [0]);
    let partner = lab.port((0, 1)).partner;
    assert_eq!(partner.system, settings(2).system, "is remembered");
    lab.pass(500);
    lab.set_link((0, 1), true);
    assert!(matches!(lab.port((0, 1)).receive, Receive::Expired { .. }));
    lab.pass(10);
    assert_eq!((lab.carrying(0), lab.carrying(1)), (vec![0, 1], vec![0, 1]));
}

#[test]
fn a_partner_out_of_sync_is_sent_nothing_from_then_on() {
    let mut lab = alone(|_| ());
    converse(&mut lab, &[PORT], 4_000);
    assert!(lab.carries(PORT));
    let mut pdu = answer(&lab, PORT);
    pdu.actor.state = pdu.actor.state.with(State::SYNCHRONIZATION, false);
    lab.receive(PORT, &pdu);
    assert!(!lab.flags(PORT).distributing);
    assert_eq!(lab.reason(PORT), Some(Reason::PartnerNotInSync));
    let pdu = answer(&lab, PORT);
    lab.receive(PORT, &pdu);
    assert!(lab.carries(PORT), "and again at once");
}

#[test]
fn independent_control_receives_before_it_sends() {
    let mut lab = alone(|settings| settings.is_coupled = false);
    let deaf = |lab: &Lab| {
        let mut pdu = answer(lab, PORT);
        let both = State::COLLECTING.union(State::DISTRIBUTING);
        pdu.actor.state = pdu.actor.state.with(both, false);
        pdu
    };
    for _ in 0..8 {
        let pdu = deaf(&lab);
        lab.receive(PORT, &pdu);
        lab.pass(500);
    }
    assert_eq!(lab.port(PORT).mux, Mux::Collecting);
    let flags = lab.flags(PORT);
    assert!(flags.collecting && !flags.distributing);
    assert_eq!(lab.reason(PORT), Some(Reason::PartnerNotCollecting));
    let pdu = answer(&lab, PORT);
    lab.receive(PORT, &pdu);
    assert!(lab.carries(PORT));
    let pdu = deaf(&lab);
    lab.receive(PORT, &pdu);
    let flags = lab.flags(PORT);
    assert!(flags.collecting && !flags.distributing, "goes on receiving");
}

#[test]
fn passive_bonds_are_silent_and_answer() {
    let passive = |number| Settings {
        is_active: false,
        ..settings(number)
    };
    let mut lab = Lab::pair(passive(1), passive(2), 1);
    lab.pass(100_000);
    assert!(lab.sent.is_empty());
    lab.set(1, |settings| settings.is_active = true);
    lab.pass(AGGREGATE_WAIT + 1_100);
    assert!(lab.carries(PORT));
    assert_eq!(lab.port(PORT).partner.system, settings(2).system);
}

#[test]
fn three_lacpdus_a_second_are_the_most_whatever_the_partner_does() {
    let mut lab = alone(|_| ());
    for step in 0..20_000u32 {
        let mut pdu = answer(&lab, PORT);
        pdu.partner.key ^= step as u16;
        pdu.actor.system.addr[5] ^= (step >> 3) as u8 & 3;
        lab.receive(PORT, &pdu);
        lab.pass(1);
    }
    let times: Vec<Millis> = lab.sent_by(PORT, 0).iter().map(|it| it.0).collect();
    assert!(times.len() > 50);
    for window in times.windows(4) {
        assert!(window[3] - window[0] >= 1_000, "{window:?}");
    }
    // What was held back is sent once the limit allows it.
    lab.pass(1_000);
    let last = lab.sent_by(PORT, 0).pop().map(|it| it.1.actor);
    let system = &lab.bonds[0].system;
    assert_eq!(
        last,
        Some(lab.port(PORT).actor(system.settings(), system.active()))
    );
}

#[test]
fn a_wrong_reflection_is_answered_and_not_believed() {
    let mut lab = alone(|_| ());
    converse(&mut lab, &[PORT], 4_000);
    let wrong: [fn(&mut PortInfo); 6] = [
        |info| info.key += 1,
        |info| info.port += 1,
        |info| info.port_priority += 1,
        |info| info.system.priority -= 1,
        |info| info.system.addr[0] ^= 4,
        |info| info.state = info.state.with(State::AGGREGATION, false),
    ];
    for change in wrong {
        converse(&mut lab, &[PORT], 3_000);
        assert!(lab.carries(PORT));
        lab.pass(1);
        let from = lab.now;
        let mut pdu = answer(&lab, PORT);
        change(&mut pdu.partner);
        lab.receive(PORT, &pdu);
        assert!(!lab.carries(PORT));
        assert_eq!(lab.sent_by(PORT, from).len(), 1);
    }
    // These are no business of the partner's.
    for bits in [
        State::COLLECTING,
        State::DISTRIBUTING,
        State::DEFAULTED,
        State::EXPIRED,
    ] {
        converse(&mut lab, &[PORT], 3_000);
        lab.pass(1);
        let from = lab.now;
        let mut pdu = answer(&lab, PORT);
        let has = pdu.partner.state.has(bits);
        pdu.partner.state = pdu.partner.state.with(bits, !has);
        lab.receive(PORT, &pdu);
        assert!(lab.carries(PORT));
        assert!(lab.sent_by(PORT, from).is_empty());
    }
}

#[test]
fn another_partner_is_aggregated_anew() {
    let changes: [fn(&mut PortInfo); 5] = [
        |info| info.key += 1,
        |info| info.port += 1,
        |info| info.port_priority += 1,
        |info| info.system.priority -= 1,
        |info| info.system.addr[0] ^= 4,
    ];
    for change in changes {
        let mut lab = alone(|_| ());
        converse(&mut lab, &[PORT], 4_000);
        assert!(lab.carries(PORT));
        let mut pdu = answer(&lab, PORT);
        change(&mut pdu.actor);
        lab.receive(PORT, &pdu);
        assert!(!lab.carries(PORT), "detached");
        assert!(matches!(lab.port(PORT).mux, Mux::Waiting { .. }));
        assert!(!lab.state(PORT).has(State::SYNCHRONIZATION));
        lab.pass(AGGREGATE_WAIT);
        pdu.partner = answer(&lab, PORT).partner;
        lab.receive(PORT, &pdu);
        assert!(lab.carries(PORT));
    }
}

#[test]
fn ports_with_other_keys_or_partners_stand_by() {
    let mut lab = Lab::new(&[settings(1), settings(2), settings(3)]);
    let slower = PortFacts {
        speed: Some(1_000),
        ..UP
    };
    for (place, other, facts) in [
        (0, (1, 0), UP),
        (1, (1, 1), UP),
        (2, (2, 0), UP),
        (3, (1, 2), slower),
    ] {
        lab.cable((0, place), other);
        lab.join((0, place), facts);
        lab.join(other, facts);
    }
    lab.pass(10_000);
    assert_eq!(lab.carrying(0), [0, 1]);
    assert_eq!(lab.reason((0, 2)), Some(Reason::OtherPartner));
    assert_eq!(lab.reason((0, 3)), Some(Reason::OtherKey));
    let aggregators = [0, 1, 2, 3].map(|place| lab.port((0, place)).aggregator);
    assert_eq!(aggregators, [1, 1, 3, 4]);
    // A partner must not send to a port that does not receive.
    assert!(!lab.carries((2, 0)) && !lab.carries((1, 2)));
    // The standby has waited already: it needs one exchange.
    lab.set_link((0, 0), false);
    lab.set_link((0, 1), false);
    lab.pass(10);
    assert_eq!(lab.carrying(0), [2]);
    assert!(lab.carries((2, 0)));
    lab.set_link((0, 0), true);
    lab.pass(10_000);
    assert_eq!(lab.carrying(0), [2], "stable does not fail back");
}

/// A bond with two links to one switch and one faster link to another.
fn with_two_switches(select: AdSelect, priority: u16) -> Lab {
    let mut ours = settings(1);
    ours.select = select;
    let mut lab = Lab::new(&[ours, settings(2), settings(3)]);
    let faster = PortFacts {
        speed: Some(100_000),
        priority,
        ..UP
    };
    for (place, other, facts) in [(0, (1, 0), UP), (1, (1, 1), UP), (2, (2, 0), faster)] {
        lab.cable((0, place), other);
        lab.join((0, place), facts);
        lab.join(other, facts);
    }
    lab.pass(10_000);
    lab
}

#[test]
fn ad_select_says_which_aggregator_is_used() {
    use AdSelect::{ActorPortPrio, Bandwidth, Count, Stable};
    for (select, priority, carrying) in [
        (Stable, 255, vec![0, 1]),
        (Bandwidth, 255, vec![2]),
        (Count, 255, vec![0, 1]),
        (ActorPortPrio, 255, vec![0, 1]),
        (ActorPortPrio, 600, vec![2]),
    ] {
        let mut lab = with_two_switches(select, priority);
        assert_eq!(lab.carrying(0), carrying, "{select:?}");
        // All but stable follow at once what changes.
        lab.set_link((0, 0), false);
        lab.pass(10);
        let carrying = match (select, priority) {
            (Stable, _) => vec![1],
            // As many ports: the bandwidth decides.
            (Bandwidth | Count, _) => vec![2],
            (ActorPortPrio, _) => vec![2],
        };
        assert_eq!(lab.carrying(0), carrying, "{select:?} {priority}");
    }
}

#[test]
fn without_a_partner_the_port_of_the_highest_priority_carries() {
    let mut lab = Lab::new(&[settings(1)]);
    for (place, priority) in [(0, 255), (1, 300), (2, 300)] {
        lab.join((0, place), PortFacts { priority, ..UP });
    }
    lab.pass(SHORT_TIMEOUT - 1);
    assert!(lab.carrying(0).is_empty() && !lab.carrier(0));
    lab.pass(1);
    assert_eq!(lab.carrying(0), [1]);
    assert!(lab.carrier(0));
    lab.set_link((0, 1), false);
    assert_eq!(lab.carrying(0), [2]);
    lab.set_link((0, 1), true);
    lab.pass(10_000);
    assert_eq!(lab.carrying(0), [2], "it stays");
    assert_eq!(lab.reason((0, 0)), Some(Reason::NoAnswer));
    // A partner that answers wins.
    converse(&mut lab, &[(0, 0)], 4_000);
    assert_eq!(lab.carrying(0), [0]);
}

#[test]
fn strict_bonds_wait_for_a_partner() {
    let mut lab = alone(|settings| settings.is_strict = true);
    lab.pass(60_000);
    assert!(!lab.carrier(0) && lab.carrying(0).is_empty());
    let pdu = answer(&lab, PORT);
    lab.receive(PORT, &pdu);
    assert!(!lab.carrier(0));
    converse(&mut lab, &[PORT], 4_000);
    assert!(lab.carrier(0) && lab.carries(PORT));
}

#[test]
fn min_links_counts_the_links_of_the_aggregator_in_use() {
    let mut lab = aggregated(3);
    lab.set(0, |settings| settings.min_links = 3);
    assert!(lab.carrier(0));
    assert_eq!(lab.shortage(0), None);
    lab.set_link((0, 2), false);
    assert!(!lab.carrier(0));
    let shortage = lab.shortage(0).map(|it| it.to_string());
    assert_eq!(
        shortage.as_deref(),
        Some("2 slaves carry traffic, min_links is 3")
    );
    lab.set(0, |settings| settings.min_links = 2);
    assert!(lab.carrier(0));
    assert_eq!(lab.shortage(0), None);
    lab.set_link((0, 0), false);
    lab.set_link((0, 1), false);
    assert_eq!(lab.shortage(0), None, "each slave says what it lacks");
    assert_eq!(lab.reason((0, 0)), Some(Reason::NoLink));
    lab.set(0, |settings| settings.is_up = false);
    assert_eq!(lab.reason((0, 0)), Some(Reason::BondDown));
}

/// Two slaves rarely come into sync at the same instant.
#[test]
fn a_shortage_is_told_once_no_slave_is_about_to_join() {
    let mut lab = alone(|settings| settings.min_links = 2);
    lab.join((0, 1), UP);
    let hear = |lab: &mut Lab, end: End, in_sync: bool| {
        let mut pdu = answer(lab, end);
        pdu.actor.state = pdu.actor.state.with(State::SYNCHRONIZATION, in_sync);
        lab.receive(end, &pdu);
    };
    for _ in 0..4 {
        hear(&mut lab, PORT, false);
        hear(&mut lab, (0, 1), false);
        lab.pass(1_000);
    }
    hear(&mut lab, PORT, true);
    assert!(lab.carries(PORT) && !lab.carrier(0));
    assert_eq!(lab.shortage(0), None, "the other one is about to join");
    hear(&mut lab, (0, 1), true);
    assert!(lab.carrier(0));
    lab.set_link((0, 1), false);
    assert!(lab.shortage(0).is_some());
}

#[test]
fn half_duplex_links_and_links_without_a_speed_are_silent() {
    for (facts, reason, carries) in [
        (
            PortFacts {
                duplex: Duplex::Half,
                ..UP
            },
            Reason::HalfDuplex,
            true,
        ),
        (PortFacts { speed: None, ..UP }, Reason::NoSpeed, false),
    ] {
        let mut lab = Lab::new(&[settings(1)]);
        lab.join(PORT, facts);
        lab.pass(10_000);
        let pdu = answer(&lab, PORT);
        lab.receive(PORT, &pdu);
        lab.pass(10_000);
        assert!(lab.sent.is_empty());
        assert_eq!(lab.carries(PORT), carries, "falls back, if need be");
        if !carries {
            assert_eq!(lab.reason(PORT), Some(reason));
        }
        lab.set_port(PORT, UP);
        assert_eq!(lab.sent.len(), 1);
    }
}

#[test]
fn a_bond_that_hears_itself_does_not_aggregate_and_says_so_once() {
    let mut lab = Lab::new(&[settings(1)]);
    lab.cable((0, 0), (0, 1));
    lab.join((0, 0), UP);
    lab.join((0, 1), UP);
    lab.pass(20_000);
    assert_eq!(lab.carrying(0), [0], "falls back, as without a partner");
    assert_eq!(lab.reason((0, 1)), Some(Reason::Looped));
    assert_eq!(lab.port((0, 0)).receive, Receive::Defaulted);
    let pdu = lab.sent_by((0, 0), 0)[0].1;
    assert!(!lab.receive((0, 1), &pdu), "is known");
    converse(&mut lab, &[(0, 1)], 4_000);
    assert!(lab.carries((0, 1)));
    let Receive::Current { until } = lab.port((0, 1)).receive else {
        panic!("{:?}", lab.port((0, 1)).receive);
    };
    assert!(lab.receive((0, 1), &pdu), "is new");
    assert_eq!(lab.port((0, 1)).receive, Receive::Current { until });
}

#[test]
fn a_port_that_hears_nothing_is_better_than_one_that_hears_the_bond() {
    let mut lab = Lab::new(&[settings(1)]);
    lab.cable((0, 0), (0, 1));
    for place in 0..3 {
        lab.join((0, place), UP);
    }
    lab.pass(20_000);
    assert_eq!(lab.carrying(0), [2]);
}

#[test]
fn two_switches_that_pass_for_one_may_use_the_same_port_numbers() {
    let mut lab = Lab::new(&[settings(1)]);
    lab.join((0, 0), UP);
    lab.join((0, 1), UP);
    for _ in 0..8 {
        for end in [(0, 0), (0, 1)] {
            let mut pdu = answer(&lab, end);
            pdu.actor.port = 7;
            lab.receive(end, &pdu);
        }
        lab.pass(500);
    }
    assert_eq!(lab.carrying(0), [0, 1]);
}

#[test]
fn swapped_cables_are_aggregated_again() {
    let mut lab = aggregated(2);
    // As behind media converters: no link goes down.
    lab.cable((0, 0), (1, 1));
    lab.cable((0, 1), (1, 0));
    lab.pass(10_000);
    assert_eq!((lab.carrying(0), lab.carrying(1)), (vec![0, 1], vec![0, 1]));
    assert_eq!(lab.port((0, 0)).partner.port, 2);
    assert_eq!(lab.port((0, 1)).partner.port, 1);
}

/// A port that is to leave sends nothing more, and receives until its partner has stopped.
#[test]
fn a_port_that_drains_has_its_partner_stop_first() {
    let mut lab = Lab::pair(settings(1), settings(2), 2);
    lab.pass(3_000);
    assert_eq!(lab.report(PORT), Report::InUse(1));
    assert!(lab.port(PORT).is_sent_data());
    lab.drain(PORT);
    let flags = |lab: &Lab| (lab.flags(PORT).collecting, lab.flags(PORT).distributing);
    assert_eq!(flags(&lab), (true, false));
    lab.pass(100);
    assert!(!lab.port(PORT).is_sent_data() && !lab.carries((1, PORT.1)));
    assert!(lab.carries((0, 1)) && lab.carries((1, 1)));
    lab.leave(PORT);
    assert!(lab.carrier(0) && lab.carrier(1));
}

/// Many drivers do not tell the speed of a link that is down.
#[test]
fn a_link_without_speed_while_it_is_down_finds_back_into_its_aggregator() {
    let mut lab = aggregated(2);
    let down = PortFacts {
        link: false,
        speed: None,
        duplex: Duplex::Unknown,
        ..UP
    };
    lab.set_port((0, 0), down);
    lab.set_link((1, 0), false);
    lab.set(0, |settings| settings.select = AdSelect::Bandwidth);
    lab.pass(1_000);
    assert_eq!(lab.carrying(0), [1], "the working aggregator stays in use");
    // The other one joins again, and finds the first.
    lab.leave((0, 1));
    lab.join((0, 1), UP);
    lab.pass(AGGREGATE_WAIT + 1_100);
    assert_eq!(lab.carrying(0), [1]);
    lab.set_port((0, 0), UP);
    lab.set_link((1, 0), true);
    lab.pass(AGGREGATE_WAIT + 1_100);
    assert_eq!(lab.carrying(0), [0, 1]);
    assert_eq!(lab.port((0, 0)).aggregator, lab.port((0, 1)).aggregator);
}

/// A partner that falls silent does not cost the bond its carrier, if it goes on without one.
#[test]
fn the_carrier_stays_while_a_silent_partner_expires() {
    for is_strict in [false, true] {
        let mut lab = alone(|settings| settings.is_strict = is_strict);
        converse(&mut lab, &[PORT], AGGREGATE_WAIT + 1_000);
        assert!(lab.carrier(0));
        for _ in 0..80 {
            lab.pass(100);
            assert!(lab.carrier(0) || is_strict);
        }
        assert_eq!(lab.carrier(0), !is_strict);
    }
}

/// The partner is given 3 s to come back into sync, however long ago it was last heard.
#[test]
fn patience_begins_when_sync_is_lost() {
    let mut lab = Lab::new(&[slow(1)]);
    lab.join((0, 0), UP);
    lab.join((0, 1), UP);
    let systems = [7, 8];
    let say = |lab: &mut Lab, place: usize, in_sync: bool| {
        let mut pdu = answer(lab, (0, place));
        pdu.actor.system = settings(systems[place]).system;
        let state = pdu.actor.state.with(State::SYNCHRONIZATION, in_sync);
        pdu.actor.state = state.with(State::TIMEOUT, false);
        lab.receive((0, place), &pdu);
    };
    for _ in 0..4 {
        say(&mut lab, 0, true);
        say(&mut lab, 1, true);
        lab.pass(1_000);
    }
    let first = lab.bonds[0].system.active();
    let used = usize::from(first != lab.port((0, 0)).aggregator);
    lab.pass(25_000);
    say(&mut lab, used, false);
    lab.pass(2_900);
    assert_eq!(lab.bonds[0].system.active(), first);
    lab.pass(4_000);
    assert_ne!(lab.bonds[0].system.active(), first);
}

/// The same if the partner was in sync when the aggregator was chosen, and with what it says next it
/// is not any more.
#[test]
fn patience_begins_when_sync_is_lost_right_after_the_choice() {
    let mut lab = Lab::new(&[Settings {
        select: AdSelect::Bandwidth,
        ..slow(1)
    }]);
    let speed = Some(1_000);
    lab.join((0, 0), PortFacts { speed, ..UP });
    lab.join((0, 1), UP);
    let say = |lab: &mut Lab, place: usize, in_sync: bool| {
        let mut pdu = answer(lab, (0, place));
        pdu.actor.system = settings(7 + place as u8).system;
        let state = pdu.actor.state.with(State::SYNCHRONIZATION, in_sync);
        pdu.actor.state = state.with(State::TIMEOUT, false);
        lab.receive((0, place), &pdu);
    };
    say(&mut lab, 0, true);
    say(&mut lab, 1, true);
    let chosen = lab.port((0, 1)).aggregator;
    assert_eq!(lab.bonds[0].system.active(), chosen);
    lab.pass(AGGREGATE_WAIT - 100);
    say(&mut lab, 1, false);
    lab.pass(5_900);
    assert_eq!(lab.bonds[0].system.active(), chosen);
    lab.pass(200);
    assert_ne!(lab.bonds[0].system.active(), chosen);
}

/// What lasts is reported, and not what is about to change.
#[test]
fn a_port_is_reported_once_it_has_settled() {
    let mut lab = Lab::new(&[settings(1)]);
    lab.join(PORT, UP);
    assert_eq!(lab.report(PORT), Report::Unsettled);
    lab.pass(SHORT_TIMEOUT + 10);
    assert_eq!(lab.report(PORT), Report::Alone);
    lab.set(0, |settings| settings.is_strict = true);
    assert_eq!(lab.report(PORT), Report::Unused(Reason::NoAnswer));
    lab.set_link(PORT, false);
    assert_eq!(lab.report(PORT), Report::Unsettled);
}

#[test]
fn a_slave_that_leaves_and_a_bond_that_goes_down_tell_their_partners() {
    let mut lab = aggregated(2);
    lab.leave((0, 1));
    lab.pass(1);
    assert_eq!(lab.carrying(1), [0]);
    let last = lab.sent_by((0, 1), 0).pop().map(|it| it.1.actor.state);
    assert_eq!(last.map(|state| state.bits() & 0x38), Some(0));

    lab.set(0, |settings| settings.is_up = false);
    lab.pass(1);
    assert!(lab.carrying(0).is_empty() && lab.carrying(1).is_empty());
    let from = lab.now + 1;
    lab.pass(60_000);
    assert!(lab.sent_by((0, 0), from).is_empty());
    lab.set(0, |settings| settings.is_up = true);
    assert!(matches!(lab.port(PORT).receive, Receive::Expired { .. }));
    assert!(!lab.port(PORT).has_partner(), "begins afresh");
    lab.pass(AGGREGATE_WAIT + 1_100);
    assert_eq!(lab.carrying(0), [0]);
}

#[test]
fn a_port_that_was_silent_has_nothing_to_take_back() {
    let mut lab = alone(|settings| settings.is_active = false);
    lab.pass(10_000);
    lab.leave(PORT);
    assert!(lab.sent.is_empty());
}

#[test]
fn numbers_are_free_again_when_their_slaves_have_left() {
    let mut lab = Lab::new(&[settings(1)]);
    for place in 0..3 {
        lab.join((0, place), UP);
    }
    lab.leave((0, 1));
    lab.join((0, 5), UP);
    let numbers = [0, 2, 5].map(|place| lab.port((0, place)).number);
    assert_eq!(numbers, [1, 3, 2]);
}

#[test]
fn changed_options_are_on_the_wire_at_once() {
    type Set = fn(&mut Settings);
    type Said = fn(&PortInfo) -> u64;
    let changes: [(Set, Said, u64); 5] = [
        (
            |it| it.system.priority = 7,
            |it| it.system.priority.into(),
            7,
        ),
        (
            |it| it.system.addr[5] = 77,
            |it| it.system.addr[5].into(),
            77,
        ),
        (
            |it| it.user_key = 3,
            |it| it.key.into(),
            3 << 6 | 7 << 1 | 1,
        ),
        (
            |it| it.is_fast = false,
            |it| (it.state.bits() & 2).into(),
            0,
        ),
        (
            |it| it.is_active = false,
            |it| (it.state.bits() & 1).into(),
            0,
        ),
    ];
    for (change, said, value) in changes {
        let mut lab = aggregated(1);
        lab.pass(5_000);
        let from = lab.now;
        lab.set(0, change);
        let sent = lab.sent_by(PORT, from);
        assert_eq!(sent.iter().map(|it| said(&it.1.actor)).next(), Some(value));
        lab.pass(10_000);
        assert!(lab.carries(PORT) && lab.carries((1, 0)));
    }
    let mut lab = aggregated(1);
    lab.pass(5_000);
    let from = lab.now;
    lab.set_port(PORT, PortFacts { priority: 9, ..UP });
    assert_eq!(lab.sent_by(PORT, from)[0].1.actor.port_priority, 9);
}

#[test]
fn a_change_to_the_short_timeout_is_answered_at_once() {
    let mut lab = Lab::pair(slow(1), slow(2), 1);
    lab.pass(50_000);
    assert!(matches!(lab.port((1, 0)).periodic, Periodic::Slow { .. }));
    let from = lab.now;
    lab.set(0, |settings| settings.is_fast = true);
    lab.pass(10);
    assert!(matches!(lab.port((1, 0)).periodic, Periodic::Fast { .. }));
    assert_eq!(lab.sent_by((1, 0), from).len(), 1);
}

#[test]
fn churn_is_found_and_ends() {
    let mut lab = alone(|_| ());
    let out_of_sync = |lab: &mut Lab, time: Millis| {
        let end = lab.now + time;
        while lab.now < end {
            let mut pdu = answer(lab, PORT);
            pdu.actor.state = pdu.actor.state.with(State::SYNCHRONIZATION, false);
            lab.receive(PORT, &pdu);
            lab.pass(500);
        }
    };
    out_of_sync(&mut lab, CHURN_DETECTION - 500);
    assert!(matches!(
        lab.port(PORT).partner_churn,
        Churn::Monitor { .. }
    ));
    assert_eq!(
        lab.port(PORT).actor_churn,
        Churn::None,
        "this end is in sync"
    );
    out_of_sync(&mut lab, 1_000);
    assert_eq!(lab.port(PORT).partner_churn, Churn::Churned);
    assert_eq!(lab.port(PORT).partner_churned, 1);
    converse(&mut lab, &[PORT], 1_000);
    assert_eq!(lab.port(PORT).partner_churn, Churn::None);
}

#[test]
fn a_partner_that_does_not_aggregate_is_used_alone() {
    let mut lab = Lab::new(&[settings(1)]);
    lab.join((0, 0), UP);
    lab.join((0, 1), UP);
    for _ in 0..8 {
        for end in [(0, 0), (0, 1)] {
            let mut pdu = answer(&lab, end);
            pdu.actor.state = pdu.actor.state.with(State::AGGREGATION, false);
            lab.receive(end, &pdu);
        }
        lab.pass(500);
    }
    assert_eq!(lab.carrying(0), [0]);
    assert_eq!(lab.reason((0, 1)), Some(Reason::PartnerIndividual));
}

#[test]
fn markers_are_answered_five_times_a_second() {
    let lab = alone(|_| ());
    let bond = &lab.bonds[0];
    let answers = |now| bond.system.receive_marker(&bond.slaves, 0, now);
    let count = (0..2_000).filter(|ms| answers(lab.now + ms)).count();
    assert_eq!(count, 10);
    let counters = lab.port(PORT).counters;
    assert_eq!((counters.marker_rx, counters.marker_resp_tx), (2_000, 10));
}

#[test]
fn keys_are_those_of_the_in_tree_driver() {
    for (speed, code) in [
        (10, 2),
        (1_000, 4),
        (10_000, 7),
        (25_000, 10),
        (800_000, 18),
        (3, 0),
    ] {
        let mut lab = alone(|settings| settings.user_key = 1023);
        lab.set_port(
            PORT,
            PortFacts {
                speed: Some(speed),
                ..UP
            },
        );
        assert_eq!(lab.port(PORT).key, 1023 << 6 | code << 1 | 1, "{speed}");
    }
}

#[test]
fn a_port_that_does_not_take_part_does_nothing() {
    let port = Port::new(UP);
    let mut settings = settings(1);
    assert!(!port.is_enabled(&settings), "it has no number");
    settings.is_up = false;
    let mut lab = Lab::new(&[settings]);
    lab.join(PORT, UP);
    lab.pass(100_000);
    assert!(lab.sent.is_empty() && lab.carrying(0).is_empty() && !lab.carrier(0));
}

#[test]
fn ports_that_wait_at_the_same_time_are_attached_together() {
    let mut lab = Lab::pair(settings(1), settings(2), 1);
    lab.pass(AGGREGATE_WAIT / 2);
    lab.cable((0, 1), (1, 1));
    for end in [(0, 1), (1, 1)] {
        lab.join(end, UP);
    }
    lab.pass(AGGREGATE_WAIT - 100);
    assert!(
        lab.carrying(0).is_empty(),
        "the first one waits for the second"
    );
    lab.pass(110);
    assert_eq!((lab.carrying(0), lab.carrying(1)), (vec![0, 1], vec![0, 1]));
}

#[test]
fn a_partner_that_repeats_what_is_wrong_is_answered_until_it_knows() {
    let mut lab = alone(|settings| settings.is_fast = false);
    let mut pdu = answer(&lab, PORT);
    pdu.partner.key ^= 1;
    pdu.actor.state = pdu.actor.state.with(State::TIMEOUT, false);
    for _ in 0..4 {
        lab.receive(PORT, &pdu);
        lab.pass(20_000);
        let from = lab.now;
        lab.receive(PORT, &pdu);
        assert_eq!(lab.sent_by(PORT, from).len(), 1, "at once");
        // It may have crossed that answer.
        lab.pass(5);
        lab.receive(PORT, &pdu);
        lab.pass(40);
        assert_eq!(lab.sent_by(PORT, from).len(), 1);
        lab.pass(5);
        assert_eq!(lab.sent_by(PORT, from).len(), 2, "it has not");
    }
}

#[test]
fn a_partner_that_does_not_keep_up_the_protocol_is_not_in_sync() {
    let mut lab = alone(|settings| settings.is_active = false);
    for _ in 0..8 {
        let mut pdu = answer(&lab, PORT);
        // Both ends are passive.
        pdu.actor.state = pdu.actor.state.with(State::ACTIVITY, false);
        lab.receive(PORT, &pdu);
        lab.pass(500);
    }
    assert_eq!(lab.reason(PORT), Some(Reason::PartnerNotInSync));
    lab.set(0, |settings| settings.is_active = true);
    let mut pdu = answer(&lab, PORT);
    pdu.actor.state = pdu.actor.state.with(State::ACTIVITY, false);
    lab.receive(PORT, &pdu);
    assert!(lab.carries(PORT), "this end keeps it up");
}

#[test]
fn stable_keeps_the_port_that_carries_without_a_partner() {
    let mut lab = alone(|_| ());
    lab.pass(SHORT_TIMEOUT);
    assert_eq!(lab.carrying(0), [0]);
    lab.join(
        (0, 1),
        PortFacts {
            priority: 300,
            ..UP
        },
    );
    lab.pass(10_000);
    assert_eq!(lab.carrying(0), [0]);
    lab.set(0, |settings| settings.select = AdSelect::ActorPortPrio);
    assert_eq!(lab.carrying(0), [1], "at once");
}

#[test]
fn bonds_that_use_different_links_come_together() {
    for (left, right) in [
        (AdSelect::Stable, AdSelect::Bandwidth),
        (AdSelect::Bandwidth, AdSelect::Stable),
        (AdSelect::Stable, AdSelect::Stable),
    ] {
        let select = |number, select| Settings {
            select,
            ..settings(number)
        };
        let mut lab = Lab::pair(select(1, left), select(2, right), 1);
        lab.pass(10_000);
        lab.cable((0, 1), (1, 1));
        let faster = PortFacts {
            speed: Some(100_000),
            ..UP
        };
        for end in [(0, 1), (1, 1)] {
            lab.join(end, faster);
        }
        if left == right {
            // One end loses its carrier for a moment, and uses the other link from then on.
            lab.pass(10_000);
            lab.set_port((0, 0), PortFacts { link: false, ..UP });
            lab.set_port((0, 0), UP);
        }
        lab.pass(20_000);
        let (ours, theirs) = (lab.carrying(0), lab.carrying(1));
        assert_eq!(ours, theirs, "{left:?} {right:?}");
        assert_eq!(ours.len(), 1);
        let idle = 1 - ours[0];
        assert!(lab.reason((0, idle)).is_some() && lab.reason((1, idle)).is_some());
        // And stay there.
        let from = lab.now + 1;
        for _ in 0..600 {
            lab.pass(100);
            assert_eq!(lab.carrying(0), ours);
        }
        assert!(lab.sent_by((0, ours[0]), from).len() <= 61);
    }
}

#[test]
fn bonds_that_change_over_at_the_same_time_do_not_do_so_for_ever() {
    let prefer = |number| Settings {
        select: AdSelect::ActorPortPrio,
        ..settings(number)
    };
    let mut lab = Lab::new(&[prefer(1), prefer(2)]);
    for (place, speed) in [(0, 10_000), (1, 1_000)] {
        lab.cable((0, place), (1, place));
        for bond in [0, 1] {
            let facts = PortFacts {
                speed: Some(speed),
                // Each bond prefers another link.
                priority: if bond == place { 300 } else { 255 },
                ..UP
            };
            lab.join((bond, place), facts);
        }
    }
    lab.pass(10_000);
    assert_eq!(
        (lab.carrying(0), lab.carrying(1)),
        (vec![0], vec![0]),
        "the first bond decides"
    );
}

#[test]
fn a_longer_timeout_costs_nothing() {
    let mut lab = aggregated(2);
    lab.pass(5_500);
    lab.set(0, |settings| settings.is_fast = false);
    for _ in 0..5_000 {
        lab.pass(1);
        assert_eq!(lab.carrying(0), [0, 1]);
    }
}

#[test]
fn a_bond_that_falls_silent_says_so() {
    let mut lab = Lab::pair(settings(1), settings(2), 1);
    lab.set(1, |settings| settings.is_active = false);
    lab.pass(10_000);
    assert!(lab.carries(PORT) && lab.carries((1, 0)));
    lab.set(0, |settings| settings.is_active = false);
    lab.pass(10);
    assert!(!lab.carries((1, 0)), "nobody keeps up the protocol");
    let from = lab.now;
    lab.pass(60_000);
    assert!(lab.sent_by(PORT, from).is_empty());
}

#[test]
fn the_number_of_an_aggregator_in_use_is_not_a_claim() {
    let mut lab = Lab::new(&[settings(1), settings(2), settings(3), settings(4)]);
    let faster = PortFacts {
        speed: Some(100_000),
        ..UP
    };
    for (place, other, facts) in [(0, (1, 0), UP), (1, (2, 0), faster)] {
        lab.cable((0, place), other);
        lab.join((0, place), facts);
        lab.join(other, facts);
        lab.pass(5_000);
    }
    assert_eq!(lab.carrying(0), [0]);
    // The first one is plugged into another switch.
    lab.cable((0, 0), (3, 0));
    lab.join((3, 0), UP);
    lab.pass(10);
    assert_eq!(lab.port((0, 0)).partner.system, settings(4).system);
    assert_eq!(lab.carrying(0), [1], "which was ready");
}

#[test]
fn a_partner_without_an_address_is_none() {
    let mut lab = Lab::new(&[settings(1)]);
    lab.join((0, 0), UP);
    lab.join((0, 1), UP);
    for _ in 0..8 {
        for end in [(0, 0), (0, 1)] {
            let mut pdu = answer(&lab, end);
            pdu.actor.system.addr = [0; 6];
            lab.receive(end, &pdu);
        }
        lab.pass(500);
    }
    assert_eq!(lab.carrying(0).len(), 1);
}
