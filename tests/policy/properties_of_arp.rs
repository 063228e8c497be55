// SPDX-License-Identifier: GPL-2.0

//! What must hold for the ARP monitor whatever the network does.

use policy::arp::{is_news, Duty, Micros, Monitor, Traffic, Watch};
use policy::wire::arp::Arp;
use policy::wire::ether::{skip_tags, ETH_P_ARP, ETH_P_IPV6};
use policy::wire::ndisc::Discovery;
use policy::{Event, Link, LinkState, Mode, Ports};
use proptest::prelude::*;

use crate::cases::cases;
use crate::network::{Entry, Network, LATE};
use crate::world::config;

/// Something that happens to a network; times are in sixteenths of an interval.
#[derive(Clone, Copy, Debug)]
enum Op {
    Cable(u32, bool),
    Target(bool),
    Carrier(u32, bool),
    /// From now on, some frames get lost, or none.
    Noise(bool),
    Pass(u64),
    /// Time enough for everything to settle.
    Settle,
    Stall(u64),
}

#[derive(Clone, Debug)]
struct Trace {
    mode: Mode,
    slaves: u32,
    interval: u32,
    missed_max: u8,
    seed: u64,
    work_first: bool,
    ops: Vec<Op>,
}

fn op(stalls: bool) -> impl Strategy<Value = Op> {
    prop_oneof![
        4 => (0u32..4, any::<bool>()).prop_map(|(key, works)| Op::Cable(key, works)),
        1 => any::<bool>().prop_map(Op::Target),
        2 => (0u32..4, any::<bool>()).prop_map(|(key, up)| Op::Carrier(key, up)),
        8 => (0u64..80).prop_map(Op::Pass),
        1 => Just(Op::Settle),
        // A loss just before a stall may look like one that lasts.
        2 => (any::<bool>(), 0u64..1000).prop_map(move |(on, time)| {
            if stalls { Op::Stall(time) } else { Op::Noise(on) }
        }),
    ]
}

fn trace() -> impl Strategy<Value = Trace> {
    let mode = prop_oneof![
        3 => Just(Mode::ActiveBackup), 1 => Just(Mode::RoundRobin), 1 => Just(Mode::Xor)
    ];
    let interval = prop_oneof![Just(1u32), Just(10), Just(100), Just(1000)];
    let ops = any::<bool>().prop_flat_map(|stalls| proptest::collection::vec(op(stalls), 1..40));
    (
        mode,
        1u32..5,
        interval,
        1u8..6,
        any::<u64>(),
        any::<bool>(),
        ops,
    )
        .prop_map(
            |(mode, slaves, interval, missed_max, seed, work_first, ops)| Trace {
                mode,
                slaves,
                interval,
                missed_max,
                seed,
                work_first,
                ops,
            },
        )
}

impl Trace {
    fn start(&self) -> Network {
        let net = Network::new(self.mode, self.slaves, self.interval, self.missed_max);
        let mut net = net.seeded(self.seed);
        net.work_first = self.work_first;
        net
    }

    /// Runs the trace; `check` is called after each sixteenth of an interval and after each event,
    /// and is told whether everything has had time to settle.
    fn run(&self, mut check: impl FnMut(&Network, bool)) -> Network {
        let mut net = self.start();
        let settle = settling_time(&net);
        let ops = self.ops.iter().copied();
        let end = [Op::Noise(false), Op::Target(true), Op::Settle];
        for op in ops.chain(end) {
            let step = net.interval / 16;
            let pass = |net: &mut Network, steps: u64, check: &mut dyn FnMut(&Network, bool)| {
                for _ in 0..steps {
                    net.pass(step);
                    check(net, false);
                }
            };
            match op {
                Op::Cable(key, works) => net.cable(key % self.slaves, works),
                Op::Target(works) => net.target(works),
                Op::Carrier(key, up) => net.carrier(key % self.slaves, up),
                Op::Noise(on) => net.noise = if on { net.missed_max - 1 } else { 0 },
                Op::Pass(steps) => pass(&mut net, steps, &mut check),
                Op::Settle => {
                    pass(&mut net, settle / step, &mut check);
                    check(&net, true);
                }
                Op::Stall(steps) => net.stall(steps * step),
            }
            // What is cut and mended between two checks would not be seen.
            if !matches!(op, Op::Pass(_) | Op::Settle) {
                check(&net, false);
            }
        }
        net
    }
}

/// The time in which a bond finds a slave that works, in the worst case: each slave is active for a
/// while before it is given up, then each is tried for an interval; at last, the backups are heard.
fn settling_time(net: &Network) -> Micros {
    let slaves = net.lines.len() as u64;
    let patience = u64::from(net.missed_max.max(2)) + 2;
    (slaves + 1) * (patience + 1) * (net.interval + 4 * LATE)
}

/// The time within which a failure must be noticed, once the slave is judged.
fn bound(net: &Network, duty: Duty) -> Micros {
    let patience = u64::from(net.missed_max.max(2));
    let halves = match duty {
        Duty::Sends => 2 * patience,
        Duty::Listens => 2 * patience + 3,
        Duty::Waits => panic!("a slave is up, and none is active"),
    };
    // Each round may be late.
    halves * (net.interval / 2 + 2 * LATE) + 2 * LATE
}

proptest! {
    #![proptest_config(cases(400))]

    #[test]
    fn a_dead_path_is_noticed_within_the_bound(trace in trace()) {
        let mut doubt = 0;
        trace.run(|net, _| {
            if net.noise > 0 || net.active().is_some_and(|key| !net.works(key)) {
                doubt = net.now + 2 * net.interval;
            }
            for key in net.keys().filter(|&key| net.state(key) == LinkState::Up) {
                let Some(broken) = net.lines[key as usize].broken else { continue };
                let traffic = net.traffic(key);
                let mut judged = broken.max(traffic.since).max(net.woke);
                if net.duty(key) == Duty::Listens {
                    // It may hear the active slave while the target is away, and is not blamed for
                    // what the active slave does not hear.
                    judged = judged.max(traffic.last_rx).max(doubt);
                }
                let bound = bound(net, net.duty(key));
                assert!(net.now <= judged + bound, "{key} since {broken}: {}", net.story());
            }
        });
    }

    #[test]
    fn no_working_slave_is_brought_down_by_fewer_losses_than_arp_missed_max(trace in trace()) {
        let mut seen = 0;
        let mut innocent = vec![false; trace.slaves as usize];
        trace.run(|net, _| {
            for (_, entry) in &net.log[seen..] {
                if let Entry::Link(key, LinkState::Down, true) = *entry {
                    let line = net.lines[key as usize];
                    let worked = line.innocent && innocent[key as usize];
                    assert!(!worked, "{key} is brought down: {}", net.story());
                }
            }
            seen = net.log.len();
            innocent = net.lines.iter().map(|line| line.innocent).collect();
        });
    }

    #[test]
    fn what_works_is_found_and_what_does_not_is_not_used(trace in trace()) {
        let mut quiet = true;
        let noisy = |net: &Network| net.noise > 0;
        trace.run(|net, settled| {
            quiet &= !noisy(net);
            if !settled {
                return;
            }
            let some_works = net.keys().any(|key| net.works(key));
            assert_eq!(net.active().is_some_and(|key| net.works(key)), some_works, "{}", net.story());
            // Losses may keep a slave waiting for longer, but in the end it is up.
            for key in net.keys().filter(|_| !noisy(net)) {
                let up = net.state(key) == LinkState::Up;
                assert_eq!(up, net.works(key), "{key}: {}", net.story());
            }
            assert!(!some_works || net.world.group.tried.is_none(), "{}", net.story());
        });
    }

    #[test]
    fn a_bond_finds_its_way_where_answers_are_not_looked_into(trace in trace()) {
        let mut net = trace.start().unvalidated();
        for op in &trace.ops {
            match *op {
                Op::Cable(key, works) => net.cable(key % trace.slaves, works),
                Op::Carrier(key, up) => net.carrier(key % trace.slaves, up),
                Op::Pass(steps) => net.pass(steps * net.interval / 16),
                Op::Stall(steps) => net.stall(steps * net.interval / 16),
                Op::Noise(_) | Op::Target(_) | Op::Settle => {
                    net.pass(settling_time(&net));
                    for key in net.keys() {
                        let up = net.state(key) == LinkState::Up;
                        prop_assert_eq!(up, net.works(key), "{}: {}", key, net.story());
                    }
                }
            }
        }
    }

    #[test]
    fn one_slave_at_a_time_sends_and_one_at_most_is_tried(trace in trace()) {
        let net = trace.run(|net, _| {
            let group = net.world.group;
            assert!(group.active.is_none() || group.tried.is_none(), "{}", net.story());
            assert!(trace.mode == Mode::ActiveBackup || group.tried.is_none(), "{}", net.story());
            if let Some(tried) = group.tried {
                assert_eq!(net.state(tried), LinkState::Back);
            }
        });
        if trace.mode != Mode::ActiveBackup {
            return Ok(());
        }
        let (mut active, mut tried) = (None, None);
        for (_, entry) in &net.log {
            match *entry {
                Entry::Active(key) => active = key,
                Entry::Tried(key) => tried = key,
                Entry::Probe(key) => prop_assert_eq!(active.or(tried), Some(key)),
                Entry::Link(..) => {}
            }
        }
    }

    #[test]
    fn the_same_trace_gives_the_same_decisions(trace in trace()) {
        prop_assert_eq!(trace.run(|_, _| ()).log, trace.run(|_, _| ()).log);
    }
}

fn time() -> impl Strategy<Value = u64> {
    prop_oneof![
        any::<u64>(),
        Just(0),
        0u64..5_000_000,
        (u64::MAX - 5_000_000)..=u64::MAX
    ]
}

fn traffic() -> impl Strategy<Value = Traffic> {
    let count = || prop_oneof![any::<u32>(), 0u32..10, Just(u32::MAX)];
    (time(), time(), count(), count()).prop_map(|(last_rx, since, unanswered, unsent)| Traffic {
        last_rx,
        since,
        unanswered,
        unsent,
    })
}

fn monitor(mode: Mode, interval: u32, missed_max: u8) -> Monitor {
    let mut config = config(mode, &[]);
    config.arp_interval = interval;
    config.arp_missed_max = missed_max;
    config.arp_monitor().unwrap()
}

fn protocol() -> impl Strategy<Value = u16> {
    prop_oneof![
        any::<u16>(),
        Just(ETH_P_ARP),
        Just(ETH_P_IPV6),
        Just(0x0800),
        Just(0x8100),
        Just(0x88a8),
    ]
}

fn link() -> impl Strategy<Value = Link> {
    (time(), 0..4u8).prop_map(|(since, state)| match state {
        0 => Link::Up { since },
        1 => Link::GivenUp { since },
        2 => Link::Down { since },
        _ => Link::Tried { since },
    })
}

proptest! {
    #![proptest_config(cases(2000))]

    #[test]
    fn nothing_panics_whatever_the_clocks_say(
        interval in 1u32.., missed_max: u8, traffic in traffic(), link in link(),
        now in time(), last in time(), sent in proptest::option::of(any::<bool>()),
    ) {
        let monitor = monitor(Mode::ActiveBackup, interval, missed_max);
        for duty in [Duty::Sends, Duty::Listens, Duty::Waits] {
            monitor.verdict(link, duty, &traffic, now);
            monitor.deadline(duty, &traffic);
        }
        traffic.after_round(last, sent);
        monitor.is_recent(last, now);
        prop_assert!(monitor.resolution() <= u64::from(interval) * 1000 / 32);
        for (heard, searching) in [(false, false), (false, true), (true, false), (true, true)] {
            let next = monitor.next_round(last, heard, searching);
            prop_assert!(next >= last);
            prop_assert!(next > last || last == u64::MAX);
        }
    }

    #[test]
    fn events_never_panic_whatever_the_clocks_say(
        modes in any::<bool>(), interval in 1u32.., missed_max: u8,
        looks in proptest::collection::vec(
            (time(), time(), proptest::collection::vec((traffic(), any::<bool>()), 3)), 1..20,
        ),
    ) {
        let mode = if modes { Mode::ActiveBackup } else { Mode::RoundRobin };
        let mut world = Network::new(mode, 3, 1, 2).world;
        world.config.arp_interval = interval;
        world.config.arp_missed_max = missed_max;
        for (now, ms, slaves) in looks {
            for (key, (traffic, carrier)) in (0..).zip(slaves) {
                world.slaves.set_traffic(key, traffic);
                world.silently(key, carrier);
            }
            world.now = ms;
            let outcome = world.event(Event::Probed { now });
            let active = outcome.group.active;
            prop_assert!(active.is_none_or(|key| world.port(key).carrier));
            let up = world.slaves.keys().any(|key| world.port(key).link.state() == LinkState::Up);
            prop_assert_eq!(active.is_some(), up);
        }
    }

    #[test]
    fn the_parsers_take_any_bytes(
        bytes in proptest::collection::vec(any::<u8>(), 0..160), protocol: u16, addr_len in 0usize..40,
    ) {
        Arp::parse(&bytes, protocol, addr_len);
        Discovery::parse(&bytes);
        let (_, at) = skip_tags(0x8100, &bytes);
        prop_assert!(at <= bytes.len());
        prop_assert!(skip_tags(protocol, &bytes).1 <= bytes.len());
    }

    #[test]
    fn what_is_not_looked_at_is_no_answer(
        mut bytes in proptest::collection::vec(any::<u8>(), 0..160), protocol in protocol(), icmp: bool,
    ) {
        if let Some(next_header) = bytes.get_mut(Discovery::NEXT_HEADER).filter(|_| icmp) {
            *next_header = 58;
        }
        let next_header = || bytes.get(Discovery::NEXT_HEADER).copied();
        if !Watch::Answers.wants(protocol, next_header) {
            let (protocol, at) = skip_tags(protocol, &bytes);
            prop_assert_ne!(protocol, ETH_P_ARP);
            prop_assert!(protocol != ETH_P_IPV6 || Discovery::parse(&bytes[at..]).is_none());
        }
        // A byte that is not available may be anything.
        prop_assert_eq!(Watch::Answers.wants(ETH_P_IPV6, || None), true);
        prop_assert_eq!(Watch::Neighbours.wants(protocol, next_header), matches!(protocol, 0x0806 | 0x86dd));
        prop_assert!(Watch::All.wants(protocol, next_header));
        prop_assert_eq!(Watch::SlowProtocols.wants(protocol, next_header), protocol == 0x8809);
    }

    #[test]
    fn a_flood_is_written_down_as_often_as_the_monitor_has_to_know(
        interval in 1u32..10_000, mut noted in 0u64..1_000_000, from in 0u64..1_000_000,
        pauses in proptest::collection::vec(0u64..10_000, 1..400),
    ) {
        let resolution = monitor(Mode::ActiveBackup, interval, 2).resolution();
        let begin = noted.max(from);
        let (mut now, mut writes) = (begin, 0);
        for pause in pauses {
            now += pause;
            if is_news(noted, from, resolution, now) {
                noted = now;
                writes += 1;
            }
            prop_assert!(noted >= from, "the first one is news");
            prop_assert!(now - noted <= resolution);
        }
        prop_assert!(writes <= 1 + (now - begin) / (resolution + 1), "{writes}");
    }

    #[test]
    fn what_is_heard_in_time_is_never_down(
        interval in 1u32..100_000, missed_max in 1u8.., mut traffic in traffic(), age in 0u64..,
        now in 1u64 << 48.., sends: bool,
    ) {
        let monitor = monitor(Mode::ActiveBackup, interval, missed_max);
        traffic.unsent = 0;
        traffic.last_rx = now - age % (u64::from(interval) * 1000);
        let duty = if sends { Duty::Sends } else { Duty::Listens };
        let verdict = monitor.verdict(Link::up(0), duty, &traffic, now);
        prop_assert_eq!(verdict, policy::arp::Verdict::Keep);
    }
}
