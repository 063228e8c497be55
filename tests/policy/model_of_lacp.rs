// SPDX-License-Identifier: GPL-2.0

//! Every run of two bonds that run LACP, with up to so many faults: explored by a model checker.

use std::collections::hash_map::DefaultHasher;
use std::collections::HashMap;
use std::hash::{Hash, Hasher};
use std::sync::Mutex;

use policy::lacp::{
    Periodic, Settings, AGGREGATE_WAIT, FAST_PERIODIC, LONG_TIMEOUT, SHORT_TIMEOUT, SLOW_PERIODIC,
};
use policy::wire::slow::State;
use policy::Millis;
use stateright::{Checker, HasDiscoveries, Model, Property};

use crate::lab::{settings, End};
use crate::two_bonds::{Event, Pair, NOW};

/// What is explored.
struct Runs {
    bonds: Vec<[Settings; 2]>,
    links: usize,
    /// How many faults a run has at most.
    faults: u8,
    /// Whether more than the channel has faults.
    is_all: bool,
    /// Whether runs begin with slaves that have just joined, rather than with bonds that have settled.
    is_fresh: bool,
    /// How long it may take until both ends agree, in ms, once nothing goes wrong any more.
    patience: Millis,
    /// States from which all ends well, by their hash: after how many ms.
    good: Mutex<HashMap<u64, Millis>>,
}

fn hash(pair: &Pair) -> u64 {
    let mut hasher = DefaultHasher::new();
    pair.hash(&mut hasher);
    hasher.finish()
}

/// The next state if all goes well, and how long that takes.
fn well(pair: &Pair) -> Option<(Pair, Millis)> {
    let mut events = Vec::new();
    pair.usual(&mut events);
    let event = *events.first()?;
    let due = [0, 1].into_iter().filter_map(|bond| pair.due(bond)).min();
    let time = match event {
        Event::Pass => due.unwrap_or(NOW).saturating_sub(NOW),
        _ => 0,
    };
    Some((pair.after(event), time))
}

impl Runs {
    /// After how many ms both ends agree for good, if all goes well from now on; `None` for never.
    fn settles(&self, pair: &Pair) -> Option<Millis> {
        let mut good = self.good.lock().expect("nobody has panicked");
        let mut pair = pair.clone();
        pair.faults = 0;
        let mut path: Vec<(u64, bool, Millis)> = Vec::new();
        let mut places = HashMap::new();
        let mut rest = loop {
            let key = hash(&pair);
            if let Some(rest) = good.get(&key) {
                break *rest;
            }
            if let Some(place) = places.insert(key, path.len()) {
                // From here on, all repeats itself.
                match path[place..].iter().all(|(_, agrees, _)| *agrees) {
                    true => break 0,
                    false => return None,
                }
            }
            let agrees = pair.agrees();
            match well(&pair) {
                Some((next, time)) => {
                    path.push((key, agrees, time));
                    pair = next;
                }
                None if agrees => break 0,
                None => return None,
            }
        };
        for (key, agrees, time) in path.into_iter().rev() {
            rest = match agrees && rest == 0 {
                true => 0,
                false => rest + time,
            };
            good.insert(key, rest);
        }
        Some(rest)
    }

    /// The state that two bonds come back to for ever.
    fn settled(pair: Pair) -> Pair {
        let mut seen = HashMap::new();
        let mut pair = pair;
        while seen.insert(hash(&pair), ()).is_none() {
            match well(&pair) {
                Some((next, _)) => pair = next,
                None => break,
            }
        }
        pair
    }
}

/// What a port does, says and knows fits together.
fn is_consistent(pair: &Pair, end: End) -> bool {
    let Some(slave) = pair.slave(end) else {
        return true;
    };
    let (port, flags, settings) = (&slave.port, pair.flags(end), pair.settings(end));
    let said = pair.actor(end.0, port).state;
    let falls_back = !port.has_partner() && !settings.is_strict;
    let in_use = port.aggregator != 0 && port.aggregator == pair.bonds[end.0].system.active();
    let in_sync =
        port.partner.state.has(State::SYNCHRONIZATION) && said.has(State::SYNCHRONIZATION);
    let collects = settings.is_coupled || port.partner.state.has(State::COLLECTING);
    let both = State::COLLECTING.union(State::DISTRIBUTING);
    !flags.distributing
        || flags.collecting
            && in_use
            && port.is_enabled(settings)
            && (falls_back || in_sync && collects && said.has(both))
}

/// Data are sent only as long as what the partner has said last allows it, and what it has said is
/// believed no longer than the timeout.
fn is_allowed(pair: &Pair, end: End) -> bool {
    let Some(slave) = pair.slave(end) else {
        return true;
    };
    if !pair.flags(end).distributing || !slave.port.has_partner() {
        return true;
    }
    let settings = pair.settings(end);
    let timeout = match settings.is_fast {
        true => SHORT_TIMEOUT,
        false => LONG_TIMEOUT,
    };
    slave.heard.is_some_and(|heard| {
        heard.in_sync && (settings.is_coupled || heard.collects) && heard.age < timeout
    })
}

/// With independent control, data are sent to a port that receives them.
///
/// The partner may have stopped a moment ago. It says so at once, or as soon as the limit of three
/// LACPDUs in a second allows it; that is heard with the next LACPDU that arrives. Only as long as
/// the partner's last word has not arrived, or it may not say anything, may data be sent in vain.
fn is_received(pair: &Pair, end: End) -> bool {
    let Some(slave) = pair.slave(end) else {
        return true;
    };
    let sends = pair.flags(end).distributing && slave.port.has_partner();
    let hears_all = slave.heard.is_some_and(|heard| heard.is_last_word);
    if !sends || pair.settings(end).is_coupled || !hears_all {
        return true;
    }
    let other = pair.other(end);
    pair.slave(other)
        .is_some_and(|partner| pair.flags(other).collecting || partner.is_held_back())
}

/// A port that its partner has wrong says it again, as soon as the limit allows it, unless neither of
/// them keeps up the protocol (6.4.9, update_NTT).
fn is_put_right(pair: &Pair, end: End) -> bool {
    pair.slave(end).is_none_or(|slave| {
        let is_soon = |due| due <= NOW + FAST_PERIODIC;
        !slave.is_misunderstood
            || slave.port.periodic == Periodic::None
            || pair.due(end.0).is_some_and(is_soon)
    })
}

/// Whether each port fulfils a condition.
fn each(pair: &Pair, condition: fn(&Pair, End) -> bool) -> bool {
    pair.ends().all(|end| condition(pair, end))
}

impl Model for Runs {
    type State = Pair;
    type Action = Event;

    fn init_states(&self) -> Vec<Pair> {
        let begin = |bonds: &[Settings; 2]| {
            let pair = Pair::new(*bonds, self.links, self.faults);
            if self.is_fresh {
                pair
            } else {
                Runs::settled(pair)
            }
        };
        self.bonds.iter().map(begin).collect()
    }

    fn actions(&self, pair: &Pair, events: &mut Vec<Event>) {
        pair.usual(events);
        let mut faults = Vec::new();
        pair.channel_faults(&mut faults);
        if self.is_all {
            pair.other_faults(&mut faults, events);
        }
        if pair.faults > 0 {
            events.extend(faults);
        }
    }

    fn next_state(&self, pair: &Pair, event: Event) -> Option<Pair> {
        let mut next = pair.after(event);
        next.faults -= u8::from(event.is_fault());
        Some(next)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        vec![
            Property::always(
                "what a port does, says and knows fits together",
                |_, it: &Pair| each(it, is_consistent) && !it.has_lied,
            ),
            Property::always(
                "data are sent only if the partner has said so",
                |_, it: &Pair| each(it, is_allowed),
            ),
            Property::always(
                "data are sent to a port that receives them",
                |_, it: &Pair| each(it, is_received),
            ),
            Property::always(
                "a port that its partner has wrong says it again",
                |_, it: &Pair| each(it, is_put_right),
            ),
            Property::always("at most three LACPDUs in a second", |_, it: &Pair| {
                !it.has_flooded
            }),
            Property::always(
                "nothing is to be done before the deadline",
                |_, it: &Pair| [0, 1].into_iter().all(|bond| it.sleeps(bond)),
            ),
            Property::always("both ends agree in the end", |runs: &Runs, it| {
                runs.settles(it).is_some_and(|time| time <= runs.patience)
            }),
            // What is excused above does happen.
            Property::sometimes("all links carry data", |_, it: &Pair| {
                each(it, |it, end| it.flags(end).distributing)
            }),
            Property::sometimes("the limit holds a port back", |_, it: &Pair| {
                !each(it, |it, end| {
                    it.slave(end).is_some_and(|it| !it.is_held_back())
                })
            }),
            Property::sometimes("data are sent in vain", |runs: &Runs, it| {
                !runs.is_all
                    || !each(it, |it, end| {
                        it.settings(end).is_coupled
                            || !it.flags(end).distributing
                            || it.flags(it.other(end)).collecting
                    })
            }),
        ]
    }
}

/// Bonds with each of these options.
fn bonds(number: u8) -> impl Iterator<Item = Settings> {
    (0..8).map(move |bits| Settings {
        is_active: bits & 1 == 0,
        is_fast: bits & 2 == 0,
        is_coupled: bits & 4 == 0,
        ..settings(number)
    })
}

/// Two bonds with those combinations of options that are wanted; not both orders of the same two.
fn pairs(is_wanted: fn(&[Settings; 2]) -> bool) -> Vec<[Settings; 2]> {
    let left = bonds(1).enumerate();
    left.flat_map(|(count, left)| bonds(2).skip(count).map(move |right| [left, right]))
        .filter(is_wanted)
        .collect()
}

/// Explores all runs, and says how many states there are.
fn explore(runs: Runs) {
    let name = std::thread::current().name().unwrap_or("").to_string();
    let checker = runs
        .checker()
        .finish_when(HasDiscoveries::AnyFailures)
        .spawn_bfs()
        .join();
    let good = checker.model().good.lock().expect("nobody has panicked");
    println!(
        "{name}: {} states, {} steps, the longest run {}; agrees after {} ms at most",
        checker.unique_state_count(),
        checker.state_count(),
        checker.max_depth(),
        good.values().max().unwrap_or(&0),
    );
    drop(good);
    for property in checker.model().properties() {
        let path = checker.discovery(property.name);
        if !property.expectation.discovery_is_failure() {
            assert!(path.is_some(), "never: {}", property.name);
        } else if let Some(path) = path {
            let last = path.last_state();
            let options = [0, 1].map(|bond| {
                let it = last.settings((bond, 0));
                (it.is_active, it.is_fast, it.is_coupled)
            });
            let [left, right] = &last.bonds;
            panic!(
                "not true: {}\nactive, fast, coupled: {options:?}\nthe run: {:?}\n{left:?}\n{right:?}",
                property.name,
                path.clone().into_actions(),
            );
        }
    }
}

/// How many faults: `MODEL_FAULTS` in the environment is how many more.
fn faults(count: u8) -> u8 {
    let more = std::env::var("MODEL_FAULTS").map_or(0, |text| {
        text.parse().expect("MODEL_FAULTS is no small number")
    });
    count.saturating_add(more)
}

fn is_same_rate(bonds: &[Settings; 2]) -> bool {
    bonds[0].is_fast == bonds[1].is_fast
}

#[test]
fn one_link_whatever_goes_wrong() {
    explore(Runs {
        bonds: pairs(|_| true),
        links: 1,
        faults: faults(1),
        is_all: true,
        is_fresh: true,
        patience: LONG_TIMEOUT,
        good: Mutex::default(),
    });
}

#[test]
fn one_link_that_goes_wrong_twice() {
    explore(Runs {
        bonds: pairs(|it| {
            it.iter()
                .all(|it| it.is_active && it.is_fast && !it.is_coupled)
        }),
        links: 1,
        faults: faults(2),
        is_all: true,
        is_fresh: false,
        // A port that has forgotten its partner speaks each 30 s.
        patience: SHORT_TIMEOUT + SLOW_PERIODIC + AGGREGATE_WAIT,
        good: Mutex::default(),
    });
}

#[test]
fn one_link_over_a_bad_channel() {
    explore(Runs {
        bonds: pairs(|_| true),
        links: 1,
        faults: faults(2),
        is_all: false,
        is_fresh: true,
        // A lost LACPDU is made good with the next one.
        patience: SLOW_PERIODIC,
        good: Mutex::default(),
    });
}

#[test]
fn two_links_whatever_goes_wrong() {
    explore(Runs {
        bonds: pairs(is_same_rate),
        links: 2,
        faults: faults(1),
        is_all: true,
        is_fresh: false,
        patience: LONG_TIMEOUT,
        good: Mutex::default(),
    });
}

#[test]
fn two_links_over_a_bad_channel() {
    explore(Runs {
        bonds: pairs(|it| is_same_rate(it) && it.iter().all(|it| it.is_active)),
        links: 2,
        faults: faults(1),
        is_all: false,
        is_fresh: true,
        patience: LONG_TIMEOUT,
        good: Mutex::default(),
    });
}

#[test]
fn two_links_of_bonds_with_different_rates() {
    explore(Runs {
        bonds: pairs(|it| !is_same_rate(it) && it.iter().all(|it| it.is_active && !it.is_coupled)),
        links: 2,
        faults: faults(1),
        is_all: true,
        is_fresh: false,
        patience: LONG_TIMEOUT,
        good: Mutex::default(),
    });
}
