// SPDX-License-Identifier: GPL-2.0

//! Two bonds that run LACP over one or two cables, as a state that can be compared, hashed and
//! stepped: what the model checker explores (`model_of_lacp.rs`).
//!
//! The clock stands still at [`NOW`]: when time passes, all times in the state move back instead. So
//! states that differ in nothing but the time of day are the same state, and there are finitely many.

use std::cell::Cell;

use policy::lacp::{Flags, Port, PortFacts, Ports, Receive, Settings, System, LONG_TIMEOUT};
use policy::wire::slow::{Lacpdu, PortInfo, State};
use policy::Millis;

use crate::lab::{End, UP};

/// The time at which everything happens.
pub(crate) const NOW: Millis = 1_000_000;

/// How many LACPDUs a cable holds in one direction; one more pushes out the first. Three can be sent
/// at a time, and a last one.
const CABLE: usize = 4;

/// The ports of a bond while it is given an input.
struct Slots([Cell<Option<Port>>; 2]);

impl Ports for Slots {
    type Key = usize;

    fn keys(&self) -> impl Iterator<Item = usize> + Clone {
        (0..2).filter(|place| self.0[*place].get().is_some())
    }

    fn get(&self, key: usize) -> Port {
        self.0[key].get().expect("the port is there")
    }

    fn set(&self, key: usize, port: Port) {
        self.0[key].set(Some(port));
    }
}

/// The last LACPDU that a port has received since it was last without a partner: what an observer
/// knows of it, who does not look into the machines.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Heard {
    /// How long ago, in ms.
    pub(crate) age: Millis,
    /// Whether it said that its sender is in sync, with the port as it is (6.4.9, recordPDU).
    pub(crate) in_sync: bool,
    /// Whether it said that its sender receives data.
    pub(crate) collects: bool,
    /// Whether the port at the other end of the cable has sent it, and nothing since: the channel
    /// has neither lost nor delayed anything newer.
    pub(crate) is_last_word: bool,
}

/// A slave of a bond.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Slave {
    pub(crate) port: Port,
    pub(crate) heard: Option<Heard>,
    /// Whether its partner has it wrong, according to that, and it has said nothing since.
    pub(crate) is_misunderstood: bool,
    /// How long ago the last three LACPDUs were sent, in ms, the latest first, within a second.
    sent: [Option<Millis>; 3],
}

impl Slave {
    fn new(port: Port) -> Slave {
        Slave {
            port,
            heard: None,
            is_misunderstood: false,
            sent: [None; 3],
        }
    }

    /// Whether it has to wait before it may send another LACPDU.
    pub(crate) fn is_held_back(&self) -> bool {
        self.sent[2].is_some()
    }
}

/// An LACPDU on its way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Flying {
    pdu: Lacpdu,
    /// Whether its sender has sent nothing since.
    is_last_word: bool,
    /// Whether time has passed since it was sent.
    is_late: bool,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Bond {
    pub(crate) system: System,
    pub(crate) slaves: [Option<Slave>; 2],
}

/// What happens. The first two are all that ever happens if all is well.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Event {
    /// The first LACPDU on its way to a port arrives.
    Arrive(End),
    /// The time of the next deadline comes.
    Pass,
    /// The same, while LACPDUs are on their way.
    Delay,
    /// The LACPDU in this place on its way to a port is lost.
    Lose(End, usize),
    /// It arrives, and will arrive once more.
    Repeat(End, usize),
    /// It arrives before the first one.
    Overtake(End, usize),
    /// A cable is cut, or mended; neither end notices.
    Cut(usize, bool),
    /// Both ends of a cable lose their link, or get it.
    Link(usize, bool),
    /// One end of a cable loses its link, or gets it.
    Half(End, bool),
    /// Two cables change places at one end.
    Swap,
    /// A bond begins (`BEGIN`), and its partner was not told.
    Crash(usize),
    /// A bond goes up or down.
    Up(usize, bool),
    /// A slave is about to leave: its partner is told that it is not in sync any more.
    Drain(End),
    /// It leaves.
    Leave(End),
    /// It joins again.
    Join(End),
}

impl Event {
    /// Whether something goes wrong, and not only its time comes or somebody mends it.
    pub(crate) fn is_fault(self) -> bool {
        match self {
            Event::Arrive(_) | Event::Pass | Event::Leave(_) | Event::Join(_) => false,
            Event::Cut(_, bad) => bad,
            Event::Link(_, good) | Event::Half(_, good) | Event::Up(_, good) => !good,
            Event::Delay | Event::Lose(..) | Event::Repeat(..) | Event::Overtake(..) => true,
            Event::Swap | Event::Crash(_) | Event::Drain(_) => true,
        }
    }
}

/// Two bonds, and what is between them.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Pair {
    pub(crate) bonds: [Bond; 2],
    links: usize,
    is_crossed: bool,
    /// By the place of the slave of the first bond.
    is_cut: [bool; 2],
    /// By the port to which they fly.
    flying: [[Vec<Flying>; 2]; 2],
    /// Whether a port has sent more than three LACPDUs in a second.
    pub(crate) has_flooded: bool,
    /// Whether an LACPDU contradicted itself.
    pub(crate) has_lied: bool,
    /// How many faults are still to come.
    pub(crate) faults: u8,
}

impl Pair {
    /// Two bonds whose slaves have just joined.
    pub(crate) fn new(settings: [Settings; 2], links: usize, faults: u8) -> Pair {
        let bond = |settings| Bond {
            system: System::new(settings),
            slaves: [None, None],
        };
        let mut pair = Pair {
            bonds: settings.map(bond),
            links,
            is_crossed: false,
            is_cut: [false; 2],
            flying: Default::default(),
            has_flooded: false,
            has_lied: false,
            faults,
        };
        for end in pair.ends() {
            pair.join(end, UP);
        }
        pair
    }

    /// All ports, also those that have left.
    pub(crate) fn ends(&self) -> impl Iterator<Item = End> {
        let links = self.links;
        (0..2).flat_map(move |bond| (0..links).map(move |place| (bond, place)))
    }

    /// The port at the other end of a cable.
    pub(crate) fn other(&self, (bond, place): End) -> End {
        (1 - bond, place ^ usize::from(self.is_crossed))
    }

    /// The cable of a port, by the place of the slave of the first bond.
    fn cable(&self, end: End) -> usize {
        match end.0 {
            0 => end.1,
            _ => self.other(end).1,
        }
    }

    pub(crate) fn slave(&self, end: End) -> Option<&Slave> {
        self.bonds[end.0].slaves[end.1].as_ref()
    }

    pub(crate) fn settings(&self, end: End) -> &Settings {
        self.bonds[end.0].system.settings()
    }

    /// What a port does with data.
    pub(crate) fn flags(&self, end: End) -> Flags {
        let flags = |slave: &Slave| self.bonds[end.0].system.flags(&slave.port);
        self.slave(end).map(flags).unwrap_or_default()
    }

    /// What a port says of itself.
    pub(crate) fn actor(&self, bond: usize, port: &Port) -> PortInfo {
        let system = &self.bonds[bond].system;
        port.actor(system.settings(), system.active())
    }

    /// Whether LACPDUs can be sent between a port and the one at the other end, and one of them begins.
    fn can_talk(&self, end: End) -> bool {
        let ends = [end, self.other(end)];
        let runs = |end: &End| {
            let runs = |it: &Slave| it.port.runs_lacp(self.settings(*end)) && !it.port.drains;
            self.slave(*end).is_some_and(runs)
        };
        let is_intact = !self.is_cut[self.cable(end)] && ends.iter().all(runs);
        is_intact && ends.iter().any(|end| self.settings(*end).is_active)
    }

    /// Whether both ends carry data over each link that is fit for it, and over no other.
    pub(crate) fn agrees(&self) -> bool {
        let is_any = self.ends().any(|end| self.can_talk(end));
        self.ends().all(|end| {
            let flags = self.flags(end);
            let has_partner = |it: &Slave| it.port.has_partner();
            match self.can_talk(end) {
                true => flags.collecting && flags.distributing,
                // Without any partner, a port may send all the same.
                false if is_any || self.slave(end).is_some_and(has_partner) => !flags.distributing,
                false => true,
            }
        })
    }

    /// Whether nothing is on its way.
    pub(crate) fn is_quiet(&self) -> bool {
        self.flying.iter().flatten().all(Vec::is_empty)
    }

    /// When a bond has something to do next, if nothing happens before.
    pub(crate) fn due(&self, bond: usize) -> Option<Millis> {
        let slots = self.slots(bond);
        self.bonds[bond].system.due(&slots)
    }

    /// Whether a bond has nothing to do before it says that it has: neither now, nor just before.
    pub(crate) fn sleeps(&self, bond: usize) -> bool {
        let due = self.due(bond).unwrap_or(NOW + 1_000_000);
        due > NOW
            && [NOW, due - 1].into_iter().all(|at| {
                let (before, after) = (self.slots(bond), self.slots(bond));
                let mut system = self.bonds[bond].system;
                let is_as_before = system.rebased(NOW, at - NOW);
                system.run(&after, at);
                let sends = |key| system.transmit(&after, key, at).is_some();
                let later = |slots: &Slots, key| slots.get(key).rebased(NOW, at - NOW);
                let is_same = |key| later(&before, key) == later(&after, key);
                let mut keys = after.keys();
                keys.all(|key| is_same(key) && !sends(key))
                    && system.rebased(NOW, at - NOW) == is_as_before
            })
    }

    fn slots(&self, bond: usize) -> Slots {
        let port = |slave: &Option<Slave>| Cell::new(slave.as_ref().map(|it| it.port));
        Slots(self.bonds[bond].slaves.each_ref().map(port))
    }

    /// Gives an input to a bond, and sends what it has to send. A `farewell` is not subject to the
    /// limit.
    fn input(&mut self, bond: usize, farewell: bool, input: impl FnOnce(&mut System, &Slots)) {
        let slots = self.slots(bond);
        let system = &mut self.bonds[bond].system;
        input(system, &slots);
        let mut sent = Vec::new();
        for key in slots.keys() {
            while let Some(pdu) = system.transmit(&slots, key, NOW) {
                sent.push(((bond, key), pdu));
                assert!(sent.len() < 100, "sends without end");
            }
        }
        for place in 0..2 {
            if let (Some(slave), Some(port)) =
                (&mut self.bonds[bond].slaves[place], slots.0[place].get())
            {
                slave.port = port;
            }
        }
        for (end, pdu) in sent {
            self.send(end, pdu, farewell);
        }
    }

    fn send(&mut self, from: End, pdu: Lacpdu, farewell: bool) {
        let has = |bits| pdu.actor.state.has(bits);
        self.has_lied |= has(State::DISTRIBUTING) && !has(State::COLLECTING)
            || has(State::DISTRIBUTING) && !has(State::SYNCHRONIZATION);
        let slave = self.bonds[from.0].slaves[from.1].as_mut();
        if let Some(slave) = slave {
            self.has_flooded |= slave.is_held_back() && !farewell;
            slave.sent = [Some(0), slave.sent[0], slave.sent[1]];
            slave.is_misunderstood = false;
        }
        self.outdate(from);
        let to = self.other(from);
        if self.is_cut[self.cable(from)] {
            return;
        }
        let flying = &mut self.flying[to.0][to.1];
        if flying.len() == CABLE {
            flying.remove(0);
        }
        flying.push(Flying {
            pdu,
            is_last_word: true,
            is_late: false,
        });
    }

    /// What a port has said is not its last word any more.
    fn outdate(&mut self, from: End) {
        let to = self.other(from);
        if let Some(slave) = &mut self.bonds[to.0].slaves[to.1] {
            if let Some(heard) = &mut slave.heard {
                heard.is_last_word = false;
            }
        }
        for flying in &mut self.flying[to.0][to.1] {
            flying.is_last_word = false;
        }
    }

    fn arrive(&mut self, to: End, flying: Flying) {
        let settings = *self.settings(to);
        let Some(slave) = &self.bonds[to.0].slaves[to.1] else {
            return;
        };
        if !slave.port.runs_lacp(&settings) {
            return;
        }
        let (said, of_us) = (flying.pdu.actor.state, flying.pdu.partner);
        let us = self.actor(to.0, &slave.port);
        let identity = |it: PortInfo| (it.system, it.key, it.port_priority, it.port);
        let agrees = |bit| us.state.has(bit) == of_us.state.has(bit);
        let is_us = identity(us) == identity(of_us) && agrees(State::AGGREGATION);
        let is_known = is_us
            && agrees(State::ACTIVITY)
            && agrees(State::TIMEOUT)
            && agrees(State::SYNCHRONIZATION);
        let is_kept =
            said.has(State::ACTIVITY) || settings.is_active && of_us.state.has(State::ACTIVITY);
        let heard = Heard {
            age: 0,
            in_sync: said.has(State::SYNCHRONIZATION) && is_us && is_kept,
            collects: said.has(State::COLLECTING),
            is_last_word: flying.is_last_word,
        };
        if let Some(slave) = &mut self.bonds[to.0].slaves[to.1] {
            slave.heard = Some(heard);
            slave.is_misunderstood = !is_known;
        }
        self.input(to.0, false, |system, slots| {
            system.receive(slots, to.1, &flying.pdu, NOW);
        });
    }

    fn join(&mut self, end: End, facts: PortFacts) {
        self.bonds[end.0].slaves[end.1] = Some(Slave::new(Port::new(facts)));
        self.input(end.0, false, |system, slots| {
            system.join(slots, end.1, facts, NOW);
        });
    }

    fn set_link(&mut self, end: End, link: bool) {
        if !link {
            // It cannot say that it has stopped.
            self.outdate(end);
        }
        if let Some(slave) = self.slave(end) {
            let facts = PortFacts {
                link,
                ..slave.port.facts
            };
            self.input(end.0, false, |system, slots| {
                system.set_port(slots, end.1, facts, NOW);
            });
        }
    }

    fn pass(&mut self) {
        let due = [0, 1].into_iter().filter_map(|bond| self.due(bond)).min();
        let time = due.unwrap_or(NOW).saturating_sub(NOW);
        for bond in [0, 1] {
            self.age(bond, time);
        }
        for flying in self.flying.iter_mut().flatten().flatten() {
            flying.is_late = true;
        }
        for bond in [0, 1] {
            self.input(bond, false, |system, slots| system.run(slots, NOW));
        }
    }

    /// Lets time pass for a bond, and clears what does not matter any more.
    fn age(&mut self, bond: usize, time: Millis) {
        let bond = &mut self.bonds[bond];
        bond.system = bond.system.rebased(NOW, time);
        for slave in bond.slaves.iter_mut().flatten() {
            slave.port = slave.port.rebased(NOW, time);
            for age in &mut slave.sent {
                *age = age.map(|age| age + time).filter(|age| *age < 1_000);
            }
            let is_current = matches!(slave.port.receive, Receive::Current { .. });
            slave.heard = slave.heard.filter(|_| is_current);
            slave.is_misunderstood &= is_current;
            if let Some(heard) = &mut slave.heard {
                heard.age = (heard.age + time).min(LONG_TIMEOUT);
            }
        }
    }

    /// What can happen now, apart from faults.
    pub(crate) fn usual(&self, events: &mut Vec<Event>) {
        let arriving = self
            .ends()
            .filter(|(bond, place)| !self.flying[*bond][*place].is_empty());
        events.extend(arriving.map(Event::Arrive));
        if events.is_empty() && (self.due(0).is_some() || self.due(1).is_some()) {
            events.push(Event::Pass);
        }
    }

    /// What the channel can do wrong.
    pub(crate) fn channel_faults(&self, events: &mut Vec<Event>) {
        let flying = || self.flying.iter().flatten().flatten();
        let is_due = self.due(0).is_some() || self.due(1).is_some();
        if !self.is_quiet() && is_due && flying().all(|it| !it.is_late) {
            events.push(Event::Delay);
        }
        for end in self.ends() {
            for place in 0..self.flying[end.0][end.1].len() {
                events.extend([Event::Lose(end, place), Event::Repeat(end, place)]);
                if place > 0 {
                    events.push(Event::Overtake(end, place));
                }
            }
        }
    }

    /// What people and cables can do wrong. The second list is how that ends.
    pub(crate) fn other_faults(&self, events: &mut Vec<Event>, ends: &mut Vec<Event>) {
        for cable in 0..self.links {
            let is_cut = self.is_cut[cable];
            let list = if is_cut { &mut *ends } else { &mut *events };
            list.push(Event::Cut(cable, !is_cut));
        }
        for end in self.ends() {
            let Some(slave) = self.slave(end) else {
                ends.push(Event::Join(end));
                continue;
            };
            let link = slave.port.facts.link;
            let list = if link { &mut *events } else { &mut *ends };
            list.push(Event::Half(end, !link));
            if end.0 == 0 && link {
                events.push(Event::Link(end.1, false));
            }
            match slave.port.drains {
                true => ends.push(Event::Leave(end)),
                false => events.push(Event::Drain(end)),
            }
        }
        for bond in [0, 1] {
            events.push(Event::Crash(bond));
            let is_up = self.bonds[bond].system.settings().is_up;
            let list = if is_up { &mut *events } else { &mut *ends };
            list.push(Event::Up(bond, !is_up));
        }
        if self.links == 2 {
            events.push(Event::Swap);
        }
    }

    /// The state after an event.
    pub(crate) fn after(&self, event: Event) -> Pair {
        let mut next = self.clone();
        next.happen(event);
        for bond in [0, 1] {
            next.age(bond, 0);
        }
        next
    }

    fn happen(&mut self, event: Event) {
        match event {
            Event::Arrive(end) => self.happen(Event::Overtake(end, 0)),
            Event::Overtake(end, place) => {
                let flying = self.flying[end.0][end.1].remove(place);
                self.arrive(end, flying);
            }
            Event::Repeat(end, place) => {
                let flying = self.flying[end.0][end.1][place];
                self.arrive(end, flying);
            }
            Event::Lose(end, place) => {
                self.flying[end.0][end.1].remove(place);
            }
            Event::Pass | Event::Delay => self.pass(),
            Event::Cut(cable, is_cut) => {
                self.is_cut[cable] = is_cut;
                self.unplug(cable);
            }
            Event::Link(cable, link) => {
                for end in [(0, cable), self.other((0, cable))] {
                    self.set_link(end, link);
                }
            }
            Event::Half(end, link) => self.set_link(end, link),
            Event::Swap => {
                for cable in 0..self.links {
                    self.unplug(cable);
                }
                self.is_crossed = !self.is_crossed;
            }
            Event::Crash(bond) => {
                let settings = *self.bonds[bond].system.settings();
                self.bonds[bond].system = System::new(settings);
                let slaves = std::mem::take(&mut self.bonds[bond].slaves);
                for (place, slave) in slaves.into_iter().enumerate() {
                    if let Some(slave) = slave {
                        self.outdate((bond, place));
                        self.join((bond, place), slave.port.facts);
                    }
                }
            }
            Event::Up(bond, is_up) => {
                let settings = Settings {
                    is_up,
                    ..*self.bonds[bond].system.settings()
                };
                self.input(bond, !is_up, |system, slots| {
                    system.set(slots, settings, NOW);
                });
            }
            Event::Drain(end) => self.input(end.0, true, |system, slots| {
                system.drain(slots, end.1, NOW);
            }),
            Event::Leave(end) => {
                let mut last = None;
                self.input(end.0, false, |system, slots| {
                    last = system.leave(slots, end.1, NOW);
                });
                if let Some(pdu) = last {
                    self.send(end, pdu, true);
                }
                self.bonds[end.0].slaves[end.1] = None;
            }
            Event::Join(end) => self.join(end, UP),
        }
    }

    /// Nothing comes out of a cable any more that was sent into it.
    fn unplug(&mut self, cable: usize) {
        for end in [(0, cable), self.other((0, cable))] {
            self.outdate(end);
            self.flying[end.0][end.1].clear();
        }
    }
}
