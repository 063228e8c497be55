// SPDX-License-Identifier: GPL-2.0

//! What must hold for two bonds that run LACP, whatever the cables between them do.

use policy::lacp::{AdSelect, PortFacts, Settings};
use policy::wire::slow::State;
use policy::Millis;
use proptest::prelude::*;

use crate::cases::cases;
use crate::lab::{settings, Lab, UP};

const LINKS: usize = 3;

/// Something that happens to two bonds.
#[derive(Clone, Copy, Debug)]
enum Op {
    Link(usize, bool),
    /// One end of a link loses its carrier, or gets it.
    Half(usize, usize, bool),
    Cut(usize),
    Cable(usize, usize),
    Speed(usize, usize, bool),
    Up(usize, bool),
    Rate(usize, bool),
    Active(usize, bool),
    Channel(usize),
    Pass(Millis),
}

fn op() -> impl Strategy<Value = Op> {
    let (bond, link) = (0..2usize, 0..LINKS);
    prop_oneof![
        3 => (link.clone(), any::<bool>()).prop_map(|(link, up)| Op::Link(link, up)),
        1 => (bond.clone(), link.clone(), any::<bool>()).prop_map(|(b, l, up)| Op::Half(b, l, up)),
        2 => link.clone().prop_map(Op::Cut),
        3 => (link.clone(), link.clone()).prop_map(|(from, to)| Op::Cable(from, to)),
        1 => (bond.clone(), link, any::<bool>()).prop_map(|(b, l, fast)| Op::Speed(b, l, fast)),
        1 => (bond.clone(), any::<bool>()).prop_map(|(bond, up)| Op::Up(bond, up)),
        1 => (bond.clone(), any::<bool>()).prop_map(|(bond, fast)| Op::Rate(bond, fast)),
        1 => (bond, any::<bool>()).prop_map(|(bond, active)| Op::Active(bond, active)),
        2 => (0..CHANNELS.len()).prop_map(Op::Channel),
        8 => prop_oneof![0..50u64, 0..5_000u64, 0..100_000u64].prop_map(Op::Pass),
    ]
}

type Channel = fn(usize) -> Vec<Millis>;

/// Channels that deliver, delay, lose, repeat and reorder LACPDUs.
const CHANNELS: [Channel; 4] = [
    |_| vec![1],
    |count| vec![1 + (count as u64).wrapping_mul(7919) % 400],
    |count| match count.wrapping_mul(7919) % 5 {
        0 | 1 => vec![],
        _ => vec![3],
    },
    |count| match count.wrapping_mul(7919) % 7 {
        0 => vec![],
        1 => vec![1, 90],
        2 => vec![250],
        _ => vec![2],
    },
];

#[derive(Clone, Debug)]
struct Trace {
    bonds: [Settings; 2],
    ops: Vec<Op>,
}

fn bond(number: u8) -> impl Strategy<Value = Settings> {
    let select = prop_oneof![
        Just(AdSelect::Stable),
        Just(AdSelect::Bandwidth),
        Just(AdSelect::Count),
        Just(AdSelect::ActorPortPrio)
    ];
    (any::<(bool, bool, bool)>(), select).prop_map(move |(options, select)| Settings {
        is_fast: options.0,
        is_coupled: options.1,
        is_strict: options.2,
        select,
        ..settings(number)
    })
}

fn trace() -> impl Strategy<Value = Trace> {
    let ops = proptest::collection::vec(op(), 1..40);
    (bond(1), bond(2), ops).prop_map(|(left, right, ops)| Trace {
        bonds: [left, right],
        ops,
    })
}

fn apply(lab: &mut Lab, op: Op) {
    let link_of = |lab: &Lab, end, link| PortFacts {
        link,
        ..lab.port(end).facts
    };
    match op {
        Op::Link(link, up) => lab.set_link((0, link), up),
        Op::Half(bond, link, up) => {
            let facts = link_of(lab, (bond, link), up);
            lab.set_port((bond, link), facts);
        }
        Op::Cut(link) => lab.cut((0, link)),
        Op::Cable(from, to) => lab.cable((0, from), (1, to)),
        Op::Speed(bond, link, fast) => {
            let facts = PortFacts {
                speed: Some(if fast { 10_000 } else { 1_000 }),
                ..lab.port((bond, link)).facts
            };
            lab.set_port((bond, link), facts);
        }
        Op::Up(bond, up) => lab.set(bond, |it| it.is_up = up),
        Op::Rate(bond, fast) => lab.set(bond, |it| it.is_fast = fast),
        Op::Active(bond, active) => lab.set(bond, |it| it.is_active = active),
        Op::Channel(channel) => lab.channel = Some(CHANNELS[channel]),
        Op::Pass(time) => lab.pass(time),
    }
}

/// All ports of both bonds.
fn ends() -> impl Iterator<Item = (usize, usize)> {
    (0..2).flat_map(|bond| (0..LINKS).map(move |link| (bond, link)))
}

/// What holds at any time.
fn check(lab: &Lab) -> Result<(), TestCaseError> {
    for end in ends() {
        let (port, flags) = (lab.port(end), lab.flags(end));
        let system = &lab.bonds[end.0].system;
        let is_used = port.aggregator != 0 && port.aggregator == system.active();
        let falls_back = !port.has_partner() && !system.settings().is_strict;
        let in_sync = port.partner.state.has(State::SYNCHRONIZATION);
        prop_assert!(!flags.distributing || flags.collecting);
        if flags.distributing {
            prop_assert!(is_used && port.is_enabled(system.settings()));
            prop_assert!(in_sync || falls_back);
            let collects = port.partner.state.has(State::COLLECTING);
            prop_assert!(system.settings().is_coupled || collects || falls_back);
        }
        prop_assert_eq!(lab.reason(end).is_none(), flags.distributing);
    }
    Ok(())
}

/// No port has sent more than three LACPDUs in a second, but for the last one before it went down.
fn check_rates(lab: &Lab) -> Result<(), TestCaseError> {
    for end in ends() {
        let sent = lab.sent_by(end, 0);
        for window in sent.windows(4) {
            let (first, last) = (window[0], window[3]);
            let says_farewell = window
                .iter()
                .any(|(_, pdu)| pdu.actor.state.bits() & 0x38 == 0);
            prop_assert!(last.0 - first.0 >= 1_000 || says_farewell, "{:?}", window);
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(cases(200))]

    #[test]
    fn both_ends_agree_in_the_end(trace in trace()) {
        let mut lab = Lab::pair(trace.bonds[0], trace.bonds[1], LINKS);
        for op in trace.ops {
            apply(&mut lab, op);
            check(&lab)?;
        }
        check_rates(&lab)?;
        // From now on, all is well.
        lab.channel = None;
        for link in 0..LINKS {
            lab.cable((0, link), (1, link));
            for bond in [0, 1] {
                lab.set_port((bond, link), UP);
            }
        }
        for bond in [0, 1] {
            lab.set(bond, |it| (it.is_up, it.is_active) = (true, true));
        }
        lab.pass(130_000);
        check(&lab)?;
        for bond in [0, 1] {
            prop_assert_eq!(lab.carrying(bond), (0..LINKS).collect::<Vec<_>>());
            prop_assert!(lab.carrier(bond));
        }
        // And nobody has anything more to say than what is due periodically.
        let from = lab.now + 1;
        lab.pass(60_000);
        for end in ends() {
            let is_fast = lab.bonds[1 - end.0].system.settings().is_fast;
            let most = if is_fast { 61 } else { 2 };
            prop_assert!(lab.sent_by(end, from).len() <= most);
        }
    }

    #[test]
    fn bonds_with_links_of_all_kinds_use_the_same_links(
        trace in trace(),
        speeds in proptest::array::uniform3(any::<bool>()),
        priorities in proptest::array::uniform6(250..260u16),
    ) {
        let mut lab = Lab::pair(trace.bonds[0], trace.bonds[1], LINKS);
        for op in trace.ops {
            apply(&mut lab, op);
            check(&lab)?;
        }
        lab.channel = None;
        for link in 0..LINKS {
            lab.cable((0, link), (1, link));
            for bond in [0, 1] {
                let facts = PortFacts {
                    speed: Some(if speeds[link] { 10_000 } else { 1_000 }),
                    priority: priorities[2 * link + bond],
                    ..UP
                };
                lab.set_port((bond, link), facts);
            }
        }
        for bond in [0, 1] {
            lab.set(bond, |it| (it.is_up, it.is_active) = (true, true));
        }
        lab.pass(300_000);
        check(&lab)?;
        prop_assert_eq!(lab.carrying(0), lab.carrying(1));
        prop_assert!(!lab.carrying(0).is_empty());
    }

    #[test]
    fn with_independent_control_nothing_is_sent_to_a_port_that_does_not_receive(
        mut trace in trace()
    ) {
        for settings in &mut trace.bonds {
            settings.is_coupled = false;
        }
        let mut lab = Lab::pair(trace.bonds[0], trace.bonds[1], LINKS);
        for op in trace.ops {
            // What gets lost, and a carrier that only one end has lost, take their time.
            if let Op::Link(..) | Op::Up(..) | Op::Speed(..) | Op::Pass(_) = op {
                apply(&mut lab, op);
            }
            while !lab.is_quiet() {
                lab.pass(1);
            }
            // What the limit held back is said within a second.
            lab.pass(1_002);
            while !lab.is_quiet() {
                lab.pass(1);
            }
            for end in ends().filter(|end| lab.port(*end).has_partner()) {
                let other = lab.other(end).expect("all cables are there");
                let collects = lab.flags(other).collecting;
                prop_assert!(!lab.flags(end).distributing || collects, "{:?}", end);
            }
        }
    }
}
