// SPDX-License-Identifier: GPL-2.0

//! The machines of a port: Receive (6.4.12), Periodic Transmission (6.4.13), Mux (6.4.15), Transmit
//! (6.4.16), and the two Churn Detection machines (6.4.17).

use super::port::{Churn, Mux, Periodic, Port, Receive, NO_PARTNER};
use super::system::Settings;
use super::{AGGREGATE_WAIT, FAST_PERIODIC, LONG_TIMEOUT, SHORT_TIMEOUT, SLOW_PERIODIC};
use crate::link::Millis;
use crate::wire::slow::{Lacpdu, PortInfo, State};

/// How long after an LACPDU the partner may still answer an earlier one, in ms. An answer that does
/// not reflect the port counts only after that: it has crossed the LACPDU on its way, and to send
/// another one would use up the three of a second.
const CROSSING: Millis = 50;

impl Port {
    /// The port leaves its aggregator (`Selected` becomes UNSELECTED), and detaches from it.
    pub(super) fn unselect(&mut self) {
        self.aggregator = 0;
        self.mux = Mux::Detached;
    }

    /// The timeout has become longer: what is known of the partner expires later.
    pub(super) fn wait_longer(&mut self, now: Millis) {
        if let Receive::Current { until } = &mut self.receive {
            *until = (*until).max(now.saturating_add(LONG_TIMEOUT));
        }
    }

    /// The partner is, or is not, the one that its parameters described.
    fn meet(&mut self, partner: PortInfo) {
        let is_same = |of: &PortInfo| {
            let aggregation = of.state.masked(State::AGGREGATION);
            (of.system, of.key, of.port_priority, of.port, aggregation)
        };
        if is_same(&partner) != is_same(&self.partner) {
            self.unselect();
        }
        self.partner = partner;
    }

    /// Runs the Receive machine, but for LACPDUs.
    pub(super) fn run_receive(&mut self, settings: &Settings, now: Millis) {
        let (is_enabled, runs_lacp) = (self.is_enabled(settings), self.runs_lacp(settings));
        if is_enabled {
            let key = self.facts.key(settings.user_key);
            if self.key != key {
                self.key = key;
                self.unselect();
            }
        }
        let next = match self.receive {
            _ if !is_enabled => Receive::Disabled,
            _ if !runs_lacp => Receive::LacpDisabled,
            Receive::Disabled | Receive::LacpDisabled => self.expired(now),
            Receive::Current { until } if until <= now => self.expired(now),
            Receive::Expired { until } if until <= now => Receive::Defaulted,
            state => state,
        };
        if next == self.receive {
            return;
        }
        self.receive = next;
        match next {
            Receive::Disabled => {
                self.is_looped = false;
                self.is_refused = false;
                self.partner.state = self.partner.state.with(State::SYNCHRONIZATION, false);
            }
            Receive::LacpDisabled | Receive::Defaulted => self.meet(NO_PARTNER),
            Receive::Expired { .. } => {
                self.partner.state = self
                    .partner
                    .state
                    .with(State::SYNCHRONIZATION, false)
                    .with(State::TIMEOUT, true);
                self.need_to_transmit = true;
            }
            Receive::Current { .. } => {}
        }
    }

    fn expired(&self, now: Millis) -> Receive {
        Receive::Expired {
            until: now.saturating_add(SHORT_TIMEOUT),
        }
    }

    /// Runs the Receive machine for an LACPDU of the partner.
    pub(super) fn receive(&mut self, settings: &Settings, active: u16, pdu: &Lacpdu, now: Millis) {
        const REFLECTED: State = State::ACTIVITY
            .union(State::TIMEOUT)
            .union(State::AGGREGATION)
            .union(State::SYNCHRONIZATION);
        let actor = self.actor(settings, active);
        let masked = |info: PortInfo, mask| PortInfo {
            state: info.state.masked(mask),
            ..info
        };
        let reflects = |mask| masked(pdu.partner, mask) == masked(actor, mask);
        // update_NTT
        let reflected = self.sent.latest().saturating_add(CROSSING);
        self.resend = match reflects(REFLECTED) {
            true => None,
            false if now < reflected => Some(reflected),
            false => Some(now),
        };
        // recordPDU
        let is_individual = !pdu.actor.state.has(State::AGGREGATION);
        let matches = reflects(State::AGGREGATION) || is_individual;
        let is_kept = pdu.actor.state.has(State::ACTIVITY)
            || settings.is_active && pdu.partner.state.has(State::ACTIVITY);
        let in_sync = matches && is_kept && pdu.actor.state.has(State::SYNCHRONIZATION);
        self.is_refused &= !in_sync;
        // update_Selected
        self.meet(PortInfo {
            state: pdu.actor.state.with(State::SYNCHRONIZATION, in_sync),
            ..pdu.actor
        });
        self.is_looped = false;
        let timeout = if settings.is_fast {
            SHORT_TIMEOUT
        } else {
            LONG_TIMEOUT
        };
        self.receive = Receive::Current {
            until: now.saturating_add(timeout),
        };
    }

    /// Runs the Periodic Transmission machine.
    pub(super) fn run_periodic(&mut self, settings: &Settings, now: Millis) {
        let is_active = settings.is_active || self.partner.state.has(State::ACTIVITY);
        if !self.runs_lacp(settings) || !is_active {
            self.falls_silent |= self.periodic != Periodic::None;
            self.falls_silent &= self.runs_lacp(settings);
            self.periodic = Periodic::None;
            self.need_to_transmit = false;
            self.resend = None;
            return;
        }
        let fast = || Periodic::Fast {
            next: now.saturating_add(FAST_PERIODIC),
        };
        let slow = || Periodic::Slow {
            next: now.saturating_add(SLOW_PERIODIC),
        };
        let wants_fast = self.partner.state.has(State::TIMEOUT);
        if self.resend.is_some_and(|at| at <= now) {
            self.resend = None;
            self.need_to_transmit = true;
        }
        let (next, transmits) = match (self.periodic, wants_fast) {
            (Periodic::None, true) => (fast(), true),
            (Periodic::None, false) => (slow(), true),
            (Periodic::Slow { .. }, true) => (fast(), true),
            (Periodic::Fast { .. }, false) => (slow(), false),
            (Periodic::Fast { next }, true) if next <= now => (fast(), true),
            (Periodic::Slow { next }, false) if next <= now => (slow(), true),
            (state, _) => (state, false),
        };
        self.periodic = next;
        self.need_to_transmit |= transmits;
    }

    /// Runs the Mux machine. `is_ready` says whether all ports that wait for the aggregator have
    /// waited long enough.
    pub(super) fn run_mux(
        &mut self,
        settings: &Settings,
        active: u16,
        is_ready: bool,
        now: Millis,
    ) {
        // Each state is passed at most once on the way up, and once on the way down.
        for _ in 0..8 {
            let next = self.next_mux(settings, active, is_ready, now);
            if next == self.mux {
                return;
            }
            self.mux = next;
        }
    }

    fn next_mux(&self, settings: &Settings, active: u16, is_ready: bool, now: Millis) -> Mux {
        if self.aggregator == 0 {
            return Mux::Detached;
        }
        let in_sync = self.aggregator == active
            && self.is_enabled(settings)
            && self.partner.state.has(State::SYNCHRONIZATION);
        let collects = self.partner.state.has(State::COLLECTING);
        match self.mux {
            Mux::Detached => Mux::Waiting {
                until: now.saturating_add(AGGREGATE_WAIT),
            },
            Mux::Waiting { .. } if is_ready => Mux::Attached,
            Mux::Waiting { until } => Mux::Waiting { until },
            Mux::Collecting | Mux::Distributing if !in_sync => Mux::Attached,
            Mux::Attached if !in_sync => Mux::Attached,
            Mux::Attached if settings.is_coupled => Mux::Distributing,
            Mux::Attached => Mux::Collecting,
            Mux::Collecting if collects || settings.is_coupled => Mux::Distributing,
            Mux::Collecting => Mux::Collecting,
            Mux::Distributing if collects || settings.is_coupled => Mux::Distributing,
            Mux::Distributing => Mux::Collecting,
        }
    }

    /// Runs both Churn Detection machines.
    pub(super) fn run_churn(&mut self, settings: &Settings, active: u16, now: Millis) {
        let runs = self.runs_lacp(settings);
        let in_sync = |info: PortInfo| info.state.has(State::SYNCHRONIZATION);
        let actor = self.actor(settings, active);
        let (state, churned) = self.actor_churn.next(runs, in_sync(actor), now);
        self.actor_churn = state;
        self.actor_churned = self.actor_churned.saturating_add(churned.into());
        let (state, churned) = self.partner_churn.next(runs, in_sync(self.partner), now);
        self.partner_churn = state;
        self.partner_churned = self.partner_churned.saturating_add(churned.into());
    }

    /// Whether an LACPDU is to be sent as soon as the limit of the Transmit machine allows it.
    fn has_to_transmit(&self, settings: &Settings, active: u16) -> bool {
        // A port that comes to know its partner by defaults only need not tell anybody.
        const OWN: State = State::DEFAULTED.union(State::EXPIRED);
        let said = |info: PortInfo| PortInfo {
            state: State::from_bits(info.state.bits() & !OWN.bits()),
            ..info
        };
        let is_new = self.told.map(said) != Some(said(self.actor(settings, active)));
        match self.periodic {
            Periodic::None => self.falls_silent,
            Periodic::Fast { .. } | Periodic::Slow { .. } => self.need_to_transmit || is_new,
        }
    }

    /// Returns the LACPDU that is to be sent now, if there is one, and counts it as sent. At most
    /// three are sent in a second, except for the last one of a port that leaves.
    pub(super) fn transmit(
        &mut self,
        settings: &Settings,
        active: u16,
        now: Millis,
    ) -> Option<Lacpdu> {
        let is_due = self.has_to_transmit(settings, active) && self.sent.from() <= now;
        if !is_due && !self.farewell {
            return None;
        }
        let actor = self.actor(settings, active);
        self.farewell = false;
        self.falls_silent = false;
        self.need_to_transmit = false;
        self.resend = None;
        self.told = Some(actor);
        self.sent.add(now);
        self.counters.lacpdu_tx = self.counters.lacpdu_tx.saturating_add(1);
        let partner = self.partner;
        Some(Lacpdu { actor, partner })
    }

    /// The last LACPDU could not be sent.
    pub(super) fn unsent(&mut self) {
        self.told = None;
        self.need_to_transmit = true;
        self.counters.lacpdu_tx = self.counters.lacpdu_tx.saturating_sub(1);
    }

    /// Whether an LACPDU was sent since the port began.
    pub(super) fn has_told(&self) -> bool {
        self.told.is_some()
    }

    /// Whether a Marker PDU is answered, and counts the answer: not more than five in a second
    /// (6.5.4.2).
    pub(super) fn answers_marker(&mut self, now: Millis) -> bool {
        let answers = self.number != 0 && self.answered.from() <= now;
        if answers {
            self.answered.add(now);
            self.counters.marker_resp_tx = self.counters.marker_resp_tx.saturating_add(1);
        }
        answers
    }

    /// When the machines of the port have to run again, if nothing happens before; except for the Mux
    /// machine, which waits for other ports too.
    pub(super) fn due(&self, settings: &Settings, active: u16) -> Option<Millis> {
        let receive = match self.receive {
            Receive::Expired { until } | Receive::Current { until } => Some(until),
            Receive::Disabled | Receive::LacpDisabled | Receive::Defaulted => None,
        };
        let periodic = match self.periodic {
            Periodic::Fast { next } | Periodic::Slow { next } => Some(next),
            Periodic::None => None,
        };
        let churn = [self.actor_churn, self.partner_churn].map(|churn| match churn {
            Churn::Monitor { until } => Some(until),
            Churn::Churned | Churn::None => None,
        });
        let transmit = self
            .has_to_transmit(settings, active)
            .then(|| self.sent.from());
        [receive, periodic, transmit, self.resend]
            .into_iter()
            .chain(churn)
            .flatten()
            .min()
    }
}
