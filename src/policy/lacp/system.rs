// SPDX-License-Identifier: GPL-2.0

//! A bond as a system of the protocol: the inputs, and what follows from them.

use super::port::{Flags, Port, PortFacts, Receive};
use super::select::{AdSelect, Report, Shortage};
use super::Ports;
use crate::link::Millis;
use crate::wire::slow::{Lacpdu, SystemId};

/// What the options and the device of a bond say.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Settings {
    /// Whether the bond is up.
    pub is_up: bool,
    /// The system of the bond: `ad_actor_sys_prio`, and `ad_actor_system` or the bond's address.
    pub system: SystemId,
    /// `lacp_active`
    pub is_active: bool,
    /// `lacp_rate fast`
    pub is_fast: bool,
    /// `lacp_strict`
    pub is_strict: bool,
    /// `coupled_control`
    pub is_coupled: bool,
    /// `ad_select`
    pub select: AdSelect,
    /// `min_links`
    pub min_links: u32,
    /// `ad_user_port_key`
    pub user_key: u16,
}

/// What a bond in 802.3ad mode knows apart from its ports.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct System {
    pub(super) settings: Settings,
    /// The aggregator in use; 0 for none.
    pub(super) active: u16,
    /// When that one was chosen, or its partner was last in sync.
    pub(super) in_use_since: Millis,
    /// Whether its partner was in sync when the machines last ran.
    pub(super) was_in_sync: bool,
}

/// Changes each port.
fn each<P: Ports>(ports: &P, mut change: impl FnMut(&mut Port)) {
    for key in ports.keys() {
        let mut port = ports.get(key);
        change(&mut port);
        ports.set(key, port);
    }
}

impl System {
    /// A bond without ports.
    pub const fn new(settings: Settings) -> System {
        System {
            settings,
            active: 0,
            in_use_since: 0,
            was_in_sync: false,
        }
    }

    /// What the options and the device say.
    pub const fn settings(&self) -> &Settings {
        &self.settings
    }

    /// The number of the aggregator in use; 0 for none.
    pub const fn active(&self) -> u16 {
        self.active
    }

    /// The options or the device of the bond may have changed. A bond that goes down tells its
    /// partners; one that goes up begins afresh.
    pub fn set<P: Ports>(&mut self, ports: &P, settings: Settings, now: Millis) {
        let was_up = self.settings.is_up;
        if was_up != settings.is_up {
            each(ports, |port| {
                *port = match was_up {
                    true => self.left(*port),
                    false => port.begun(port.number),
                }
            });
        }
        if self.settings.is_fast && !settings.is_fast {
            // The partner now sends as seldom as it is asked to.
            each(ports, |port| port.wait_longer(now));
        }
        self.settings = settings;
        self.run(ports, now);
    }

    /// A slave joins the bond, as a port with the lowest number that is free.
    pub fn join<P: Ports>(&mut self, ports: &P, key: P::Key, facts: PortFacts, now: Millis) {
        let is_free = |number: &u16| {
            let mut others = ports.keys().filter(|other| *other != key);
            others.all(|other| ports.get(other).number != *number)
        };
        let number = (1..=u16::MAX).find(is_free).unwrap_or(0);
        ports.set(key, Port::new(facts).begun(number));
        self.run(ports, now);
    }

    /// A slave is about to leave the bond: see [`Port::drains`]. The caller waits a while for its
    /// partner to [stop](Port::is_sent_data), and calls [`Self::leave`] then.
    pub fn drain<P: Ports>(&mut self, ports: &P, key: P::Key, now: Millis) {
        let mut port = ports.get(key);
        port.drains = true;
        // The caller waits: the limit of three LACPDUs in a second does not hold it up.
        port.farewell = port.runs_lacp(&self.settings) && port.has_told();
        ports.set(key, port);
        self.run(ports, now);
    }

    /// A slave leaves the bond. Returns the LACPDU that tells its partner, if there is one.
    pub fn leave<P: Ports>(&mut self, ports: &P, key: P::Key, now: Millis) -> Option<Lacpdu> {
        let mut port = self.left(ports.get(key));
        let last = port
            .farewell
            .then(|| port.transmit(&self.settings, self.active, now))
            .flatten();
        port.number = 0;
        ports.set(key, port);
        self.run(ports, now);
        last
    }

    /// A port that ends what it does, and has to tell its partner if it has ever told it anything.
    fn left(&self, mut port: Port) -> Port {
        port.farewell = port.runs_lacp(&self.settings) && port.has_told();
        port.unselect();
        port
    }

    /// What is known of a slave apart from the protocol may have changed.
    pub fn set_port<P: Ports>(&mut self, ports: &P, key: P::Key, facts: PortFacts, now: Millis) {
        let mut port = ports.get(key);
        if port.facts != facts {
            port.facts = facts;
            ports.set(key, port);
            self.run(ports, now);
        }
    }

    /// A port has received an LACPDU. Returns whether the LACPDU came from the bond itself for the
    /// first time since the port has heard anybody else; such an LACPDU has no other effect.
    pub fn receive<P: Ports>(&mut self, ports: &P, key: P::Key, pdu: &Lacpdu, now: Millis) -> bool {
        let mut port = ports.get(key);
        port.counters.lacpdu_rx = port.counters.lacpdu_rx.saturating_add(1);
        if !port.runs_lacp(&self.settings) {
            ports.set(key, port);
            return false;
        }
        // The machine may not have run since the link came up.
        port.run_receive(&self.settings, now);
        if pdu.actor.system.addr == self.settings.system.addr {
            let is_new = !port.is_looped;
            port.is_looped = true;
            ports.set(key, port);
            self.run(ports, now);
            return is_new;
        }
        port.receive(&self.settings, self.active, pdu, now);
        ports.set(key, port);
        self.run(ports, now);
        false
    }

    /// A port has received a Marker PDU. Returns whether to answer it.
    pub fn receive_marker<P: Ports>(&self, ports: &P, key: P::Key, now: Millis) -> bool {
        let mut port = ports.get(key);
        port.counters.marker_rx = port.counters.marker_rx.saturating_add(1);
        let answers = port.is_enabled(&self.settings) && port.answers_marker(now);
        ports.set(key, port);
        answers
    }

    /// Runs all machines: a deadline may have come.
    pub fn run<P: Ports>(&mut self, ports: &P, now: Millis) {
        let settings = self.settings;
        each(ports, |port| port.run_receive(&settings, now));
        // One that has lost all its ports is not in use any more, even if its number is used again.
        if self.aggregator(ports, self.active).is_none() {
            self.active = 0;
        }
        self.select(ports);
        self.use_best(ports, now);
        self.run_mux(ports, now);
        each(ports, |port| {
            port.run_periodic(&settings, now);
            port.run_churn(&settings, self.active, now);
        });
    }

    /// Uses the best aggregator.
    fn use_best<P: Ports>(&mut self, ports: &P, now: Millis) {
        let in_sync = |active: super::Aggregator| active.in_sync;
        let is_in_sync = self.aggregator(ports, self.active).is_some_and(in_sync);
        // Until now, if it has just gone out of sync.
        if is_in_sync || self.was_in_sync {
            self.in_use_since = now;
        }
        self.was_in_sync = is_in_sync;
        if self.refused_at(ports).is_some_and(|at| at <= now) {
            each(ports, |port| {
                port.is_refused |= port.aggregator == self.active
            });
        }
        let best = self.choose(ports);
        if best != self.active {
            self.active = best;
            self.in_use_since = now;
            self.was_in_sync = self.aggregator(ports, best).is_some_and(in_sync);
        }
    }

    fn run_mux<P: Ports>(&self, ports: &P, now: Millis) {
        // First all begin to wait: no port leaves another one behind that joins at the same time.
        for is_ready in [false, true] {
            each(ports, |port| {
                let ready_at = self.ready_at(ports, port.aggregator);
                let is_ready = is_ready && ready_at.is_none_or(|at| at <= now);
                port.run_mux(&self.settings, self.active, is_ready, now);
            });
        }
    }

    /// Returns the next LACPDU that a port has to send now, and counts it as sent.
    pub fn transmit<P: Ports>(&self, ports: &P, key: P::Key, now: Millis) -> Option<Lacpdu> {
        let mut port = ports.get(key);
        let pdu = port.transmit(&self.settings, self.active, now);
        if pdu.is_some() {
            ports.set(key, port);
        }
        pdu
    }

    /// The last LACPDU of a port could not be sent: there is another one to send, within the limit.
    pub fn not_sent<P: Ports>(&self, ports: &P, key: P::Key) {
        let mut port = ports.get(key);
        port.unsent();
        ports.set(key, port);
    }

    /// When to call [`Self::run`] and [`Self::transmit`], if nothing happens before.
    pub fn due<P: Ports>(&self, ports: &P) -> Option<Millis> {
        let due = ports.keys().filter_map(|key| {
            let port = ports.get(key);
            let own = port.due(&self.settings, self.active);
            let ready = self.ready_at(ports, port.aggregator);
            own.into_iter().chain(ready).min()
        });
        due.chain(self.refused_at(ports)).min()
    }

    /// What a port does with data.
    pub fn flags(&self, port: &Port) -> Flags {
        port.flags(&self.settings, self.active)
    }

    /// Whether a port that has sent data before still counts among those that packets are
    /// distributed over, though it may not send now: until it is part of an aggregator that is not
    /// used.
    pub fn keeps_share(&self, port: &Port) -> bool {
        self.active == 0 || port.aggregator == self.active || !port.has_partner()
    }

    /// Whether the bond has carrier: at least `min_links` ports send data, and at least one. Without
    /// that, what is sent would be lost.
    ///
    /// Unless `lacp_strict` is on, a port whose partner has fallen silent counts, too, since it is
    /// about to send without a partner: the bond does not lose its carrier for 3 s.
    pub fn carrier<P: Ports>(&self, ports: &P) -> bool {
        let settings = &self.settings;
        let counts = |port: &Port| {
            let waits = matches!(port.receive, Receive::Expired { .. }) && port.has_partner();
            let falls_back = waits && port.is_enabled(settings) && !settings.is_strict;
            port.flags(settings, self.active).distributing || falls_back
        };
        let in_use = ports.keys().map(|key| ports.get(key)).filter(|port| {
            port.number != 0 && port.aggregator != 0 && port.aggregator == self.active
        });
        let count = in_use.fold(0u32, |sum, port| sum.saturating_add(counts(&port).into()));
        count >= settings.min_links.max(1)
    }

    /// Why the bond has no carrier, if it is for `min_links` alone.
    pub fn shortage<P: Ports>(&self, ports: &P) -> Option<Shortage> {
        let carrying = self.aggregator(ports, self.active)?.distributing;
        let is_short = carrying > 0 && !self.carrier(ports);
        is_short.then_some(Shortage {
            carrying,
            min_links: self.settings.min_links,
        })
    }

    /// The shortage that there is to tell: not while a port is about to change its state.
    pub fn lasting_shortage<P: Ports>(&self, ports: &P) -> Option<Shortage> {
        let shortage = self.shortage(ports)?;
        let is_settled = |port: &Port| {
            !port.is_enabled(&self.settings) || self.report(ports, port) != Report::Unsettled
        };
        let mut all = ports.keys().map(|key| ports.get(key));
        all.all(|port| is_settled(&port)).then_some(shortage)
    }
}
