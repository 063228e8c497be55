// SPDX-License-Identifier: GPL-2.0

//! Bonds that run LACP over cables, on a simulated clock.

use std::cell::RefCell;
use std::collections::BTreeMap;

use policy::lacp::{AdSelect, Flags, Port, PortFacts, Ports};
use policy::lacp::{Reason, Report, Settings, Shortage, System};
use policy::wire::slow::{Lacpdu, State, SystemId};
use policy::{Duplex, Millis};

/// The ports of a bond; the key is the place of the slave.
#[derive(Clone, Default)]
pub(crate) struct Slaves(RefCell<BTreeMap<usize, Port>>);

impl Ports for Slaves {
    type Key = usize;

    fn keys(&self) -> impl Iterator<Item = usize> + Clone {
        let keys: Vec<usize> = self.0.borrow().keys().copied().collect();
        keys.into_iter()
    }

    fn get(&self, key: usize) -> Port {
        self.0.borrow()[&key]
    }

    fn set(&self, key: usize, port: Port) {
        self.0.borrow_mut().insert(key, port);
    }
}

/// A bond.
#[derive(Clone)]
pub(crate) struct Bond {
    pub(crate) system: System,
    pub(crate) slaves: Slaves,
}

/// A port of a bond: the number of the bond, and the place of the slave.
pub(crate) type End = (usize, usize);

/// The options of a bond whose address ends with `number`.
pub(crate) fn settings(number: u8) -> Settings {
    Settings {
        is_up: true,
        system: SystemId {
            priority: 0xffff,
            addr: [2, 0, 0, 0, 0, number],
        },
        is_active: true,
        is_fast: true,
        is_strict: false,
        is_coupled: true,
        select: AdSelect::Stable,
        min_links: 0,
        user_key: 0,
    }
}

/// A link of 10 Gbit/s that is up.
pub(crate) const UP: PortFacts = PortFacts {
    link: true,
    speed: Some(10_000),
    duplex: Duplex::Full,
    priority: 255,
};

/// Bonds and the cables between them.
#[derive(Clone, Default)]
pub(crate) struct Lab {
    pub(crate) now: Millis,
    pub(crate) bonds: Vec<Bond>,
    cables: BTreeMap<End, End>,
    /// The LACPDUs on their way, by the time at which they arrive.
    on_their_way: Vec<(Millis, End, Lacpdu)>,
    /// All LACPDUs that were sent: when, from where.
    pub(crate) sent: Vec<(Millis, End, Lacpdu)>,
    /// How long an LACPDU is on its way, in ms, and which ones get lost: decided by a function of
    /// the number of LACPDUs sent so far; several times are several copies.
    pub(crate) channel: Option<fn(usize) -> Vec<Millis>>,
}

impl Lab {
    /// A lab with these bonds, all of whose slaves are linked to nothing.
    pub(crate) fn new(bonds: &[Settings]) -> Lab {
        let bonds = bonds.iter().map(|settings| Bond {
            system: System::new(*settings),
            slaves: Slaves::default(),
        });
        Lab {
            now: 1_000_000,
            bonds: bonds.collect(),
            ..Lab::default()
        }
    }

    /// Two bonds with `links` cables between them.
    pub(crate) fn pair(left: Settings, right: Settings, links: usize) -> Lab {
        let mut lab = Lab::new(&[left, right]);
        for place in 0..links {
            lab.cable((0, place), (1, place));
            lab.join((0, place), UP);
            lab.join((1, place), UP);
        }
        lab
    }

    /// Connects two ports, each of which loses its previous cable.
    pub(crate) fn cable(&mut self, from: End, to: End) {
        self.cut(from);
        self.cut(to);
        self.cables.insert(from, to);
        self.cables.insert(to, from);
    }

    /// Takes away a cable. Neither end notices.
    pub(crate) fn cut(&mut self, end: End) {
        if let Some(other) = self.cables.remove(&end) {
            self.cables.remove(&other);
        }
    }

    pub(crate) fn join(&mut self, end: End, facts: PortFacts) {
        let (now, bond) = (self.now, &mut self.bonds[end.0]);
        bond.slaves.set(end.1, Port::new(facts));
        bond.system.join(&bond.slaves, end.1, facts, now);
        self.send();
    }

    pub(crate) fn drain(&mut self, end: End) {
        let (now, bond) = (self.now, &mut self.bonds[end.0]);
        bond.system.drain(&bond.slaves, end.1, now);
        self.send();
    }

    /// What there is to say about a port.
    pub(crate) fn report(&self, end: End) -> Report {
        let bond = &self.bonds[end.0];
        bond.system.report(&bond.slaves, &self.port(end))
    }

    /// Whether a port that has carried data still has a share of the hashes.
    pub(crate) fn keeps_share(&self, end: End) -> bool {
        self.bonds[end.0].system.keeps_share(&self.port(end))
    }

    pub(crate) fn leave(&mut self, end: End) {
        let (now, bond) = (self.now, &mut self.bonds[end.0]);
        let last = bond.system.leave(&bond.slaves, end.1, now);
        bond.slaves.0.borrow_mut().remove(&end.1);
        if let Some(pdu) = last {
            self.put_on_cable(end, pdu);
        }
        self.send();
    }

    pub(crate) fn set_port(&mut self, end: End, facts: PortFacts) {
        let (now, bond) = (self.now, &mut self.bonds[end.0]);
        bond.system.set_port(&bond.slaves, end.1, facts, now);
        self.send();
    }

    /// Both ends of a cable lose or get their link.
    pub(crate) fn set_link(&mut self, end: End, link: bool) {
        let other = self.cables.get(&end).copied();
        for end in [Some(end), other].into_iter().flatten() {
            let facts = self.port(end).facts;
            self.set_port(end, PortFacts { link, ..facts });
        }
    }

    pub(crate) fn set(&mut self, bond: usize, change: impl FnOnce(&mut Settings)) {
        let (now, bond) = (self.now, &mut self.bonds[bond]);
        let mut settings = *bond.system.settings();
        change(&mut settings);
        bond.system.set(&bond.slaves, settings, now);
        self.send();
    }

    /// A port receives an LACPDU.
    pub(crate) fn receive(&mut self, end: End, pdu: &Lacpdu) -> bool {
        let (now, bond) = (self.now, &mut self.bonds[end.0]);
        let is_new_loop = bond.system.receive(&bond.slaves, end.1, pdu, now);
        self.send();
        is_new_loop
    }

    fn put_on_cable(&mut self, from: End, pdu: Lacpdu) {
        self.sent.push((self.now, from, pdu));
        let Some(to) = self.cables.get(&from) else {
            return;
        };
        let delays = self.channel.map_or(vec![1], |it| it(self.sent.len()));
        for delay in delays {
            self.on_their_way.push((self.now + delay, *to, pdu));
        }
    }

    fn send(&mut self) {
        for number in 0..self.bonds.len() {
            let keys: Vec<usize> = self.bonds[number].slaves.keys().collect();
            for key in keys {
                let bond = &self.bonds[number];
                let pdu = bond.system.transmit(&bond.slaves, key, self.now);
                if let Some(pdu) = pdu {
                    self.put_on_cable((number, key), pdu);
                }
            }
        }
    }

    /// When something happens next.
    fn next(&self) -> Option<Millis> {
        let due = |bond: &Bond| bond.system.due(&bond.slaves);
        let deadlines = self.bonds.iter().filter_map(due);
        let arrivals = self.on_their_way.iter().map(|(at, ..)| *at);
        deadlines.chain(arrivals).min()
    }

    /// Lets time pass.
    pub(crate) fn pass(&mut self, time: Millis) {
        let end = self.now + time;
        let mut idle = 0;
        while let Some(next) = self.next().filter(|next| *next <= end) {
            idle = if next <= self.now { idle + 1 } else { 0 };
            assert!(idle < 100, "time stands still at {}", self.now);
            self.now = self.now.max(next);
            let now = self.now;
            let is_here = |it: &(Millis, End, Lacpdu)| it.0 <= now;
            let here: Vec<_> = self.on_their_way.iter().copied().filter(is_here).collect();
            self.on_their_way.retain(|it| !is_here(it));
            for (_, to, pdu) in here {
                if self.bonds[to.0].slaves.0.borrow().contains_key(&to.1) {
                    self.receive(to, &pdu);
                }
            }
            for bond in &mut self.bonds {
                bond.system.run(&bond.slaves, now);
            }
            self.send();
        }
        self.now = end;
    }

    pub(crate) fn port(&self, end: End) -> Port {
        self.bonds[end.0].slaves.get(end.1)
    }

    pub(crate) fn flags(&self, end: End) -> Flags {
        self.bonds[end.0].system.flags(&self.port(end))
    }

    /// Whether a port sends and receives data.
    pub(crate) fn carries(&self, end: End) -> bool {
        let flags = self.flags(end);
        flags.collecting && flags.distributing
    }

    /// The places of the slaves of a bond that send and receive data.
    pub(crate) fn carrying(&self, bond: usize) -> Vec<usize> {
        let slaves = self.bonds[bond].slaves.keys();
        slaves
            .filter(|slave| self.carries((bond, *slave)))
            .collect()
    }

    pub(crate) fn carrier(&self, bond: usize) -> bool {
        let bond = &self.bonds[bond];
        bond.system.carrier(&bond.slaves)
    }

    /// What there is to say about a bond that has too few links.
    pub(crate) fn shortage(&self, bond: usize) -> Option<Shortage> {
        let bond = &self.bonds[bond];
        bond.system.lasting_shortage(&bond.slaves)
    }

    pub(crate) fn reason(&self, end: End) -> Option<Reason> {
        let bond = &self.bonds[end.0];
        bond.system.reason(&bond.slaves, &self.port(end))
    }

    /// Whether there is such a port.
    pub(crate) fn has(&self, end: End) -> bool {
        self.bonds[end.0].slaves.0.borrow().contains_key(&end.1)
    }

    /// Whether no LACPDU is on its way.
    pub(crate) fn is_quiet(&self) -> bool {
        self.on_their_way.is_empty()
    }

    /// The other end of a cable.
    pub(crate) fn other(&self, end: End) -> Option<End> {
        self.cables.get(&end).copied()
    }

    /// What a port says of itself.
    pub(crate) fn state(&self, end: End) -> State {
        let system = &self.bonds[end.0].system;
        self.port(end)
            .actor(system.settings(), system.active())
            .state
    }

    /// The LACPDUs that a port has sent since `from`.
    pub(crate) fn sent_by(&self, end: End, from: Millis) -> Vec<(Millis, Lacpdu)> {
        let of_port = |it: &&(Millis, End, Lacpdu)| it.1 == end && it.0 >= from;
        let sent = self.sent.iter().filter(of_port);
        sent.map(|(at, _, pdu)| (*at, *pdu)).collect()
    }
}
