// SPDX-License-Identifier: GPL-2.0

//! A port and its machines: Receive (6.4.12), Periodic Transmission (6.4.13), Mux (6.4.15),
//! Transmit (6.4.16), and the two Churn Detection machines (6.4.17).

use super::system::Settings;
use super::{
    AGGREGATE_WAIT, CHURN_DETECTION, FAST_PERIODIC, LONG_TIMEOUT, SHORT_TIMEOUT, SLOW_PERIODIC,
};
use crate::link::Millis;
use crate::select::Duplex;
use crate::wire::slow::{Lacpdu, PortInfo, State, SystemId};

/// What is known of a slave apart from the protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PortFacts {
    /// Whether its link counts as up.
    pub link: bool,
    /// The speed in Mbit/s, if the device says. A port without a speed is not used: the speed is
    /// part of the key.
    pub speed: Option<u32>,
    /// The duplex mode, which is part of the key too. LACP does not run on half-duplex links.
    pub duplex: Duplex,
    /// The option `actor_port_prio`.
    pub priority: u16,
}

impl PortFacts {
    /// Whether the device tells speed and duplex mode.
    pub(super) fn is_known(&self) -> bool {
        self.speed.is_some() && self.duplex != Duplex::Unknown
    }

    /// The operational key: the option `ad_user_port_key`, a code for the speed, and a bit for full
    /// duplex, as the in-tree driver builds it.
    fn key(&self, user_key: u16) -> u16 {
        /// The speeds in Mbit/s, in the order of their codes; the first code is 1.
        const SPEEDS: [u32; 19] = [
            1, 10, 100, 1_000, 2_500, 5_000, 10_000, 14_000, 20_000, 25_000, 40_000, 50_000,
            56_000, 80_000, 100_000, 200_000, 400_000, 800_000, 1_600_000,
        ];
        let place = SPEEDS.iter().position(|it| Some(*it) == self.speed);
        let code = place.map_or(0, |place| place.saturating_add(1) as u16);
        user_key.wrapping_shl(6) | code.wrapping_shl(1) | u16::from(self.duplex == Duplex::Full)
    }
}

/// The states of the Receive machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Receive {
    /// The link is down (`PORT_DISABLED`).
    Disabled,
    /// LACP does not run on the port (`LACP_DISABLED`).
    LacpDisabled,
    /// Nothing was heard for too long, or nothing yet.
    Expired {
        /// When to give up.
        until: Millis,
    },
    /// The partner does not answer; its parameters are defaults.
    Defaulted,
    /// The parameters of the partner are those that it has sent.
    Current {
        /// When they expire.
        until: Millis,
    },
}

/// The states of the Periodic Transmission machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Periodic {
    /// Nothing is sent periodically (`NO_PERIODIC`).
    None,
    /// An LACPDU each second.
    Fast {
        /// When the next one is due.
        next: Millis,
    },
    /// An LACPDU each 30 seconds.
    Slow {
        /// When the next one is due.
        next: Millis,
    },
}

/// The states of the Mux machine. `COLLECTING_DISTRIBUTING` of coupled control is `Distributing`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mux {
    /// The port belongs to no aggregator.
    Detached,
    /// The port waits for others that join the same aggregator.
    Waiting {
        /// When the wait is over.
        until: Millis,
    },
    /// The port is attached to its aggregator.
    Attached,
    /// The port receives data; only with independent control.
    Collecting,
    /// The port receives and sends data.
    Distributing,
}

/// The states of a Churn Detection machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Churn {
    /// The port is out of sync, but not yet for long.
    Monitor {
        /// When it will have been for too long.
        until: Millis,
    },
    /// The port has been out of sync for too long.
    Churned,
    /// The port is in sync, or its link is down.
    None,
}

impl Churn {
    /// The number that netlink reports.
    pub const fn number(self) -> u8 {
        match self {
            Churn::Monitor { .. } => 0,
            Churn::Churned => 1,
            Churn::None => 2,
        }
    }

    /// What `/proc` shows.
    pub const fn text(self) -> &'static str {
        match self {
            Churn::Monitor { .. } => "monitoring",
            Churn::Churned => "churned",
            Churn::None => "none",
        }
    }

    /// The state from now on, and whether the port has just churned.
    fn next(self, runs: bool, in_sync: bool, now: Millis) -> (Churn, bool) {
        match self {
            _ if !runs || in_sync => (Churn::None, false),
            Churn::Monitor { until } if until <= now => (Churn::Churned, true),
            Churn::Monitor { .. } | Churn::Churned => (self, false),
            Churn::None => {
                let until = now.saturating_add(CHURN_DETECTION);
                (Churn::Monitor { until }, false)
            }
        }
    }
}

/// What was received and sent (`BOND_3AD_STAT_*` of `linux/if_bonding.h`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// LACPDUs received.
    pub lacpdu_rx: u64,
    /// LACPDUs sent.
    pub lacpdu_tx: u64,
    /// PDUs of other slow protocols received.
    pub lacpdu_unknown_rx: u64,
    /// PDUs received that were too short or malformed.
    pub lacpdu_illegal_rx: u64,
    /// Marker PDUs received.
    pub marker_rx: u64,
    /// Marker PDUs sent.
    pub marker_tx: u64,
    /// Marker Response PDUs received.
    pub marker_resp_rx: u64,
    /// Marker Response PDUs sent.
    pub marker_resp_tx: u64,
    /// Malformed Marker PDUs received.
    pub marker_unknown_rx: u64,
}

/// The times of the last `N` events, the latest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Limit<const N: usize>([Option<Millis>; N]);

impl<const N: usize> Limit<N> {
    const NEW: Self = Limit([None; N]);

    /// The earliest time at which one more event stays within `N` events per second.
    fn from(&self) -> Millis {
        let oldest = self.0.last().copied().flatten();
        oldest.map_or(0, |at| at.saturating_add(FAST_PERIODIC))
    }

    /// The time of the latest event; 0 for none.
    fn latest(&self) -> Millis {
        self.0.first().copied().flatten().unwrap_or(0)
    }

    fn add(&mut self, now: Millis) {
        let mut next = Some(now);
        for place in &mut self.0 {
            core::mem::swap(place, &mut next);
        }
    }
}

/// How long after an LACPDU the partner may still answer an earlier one, in ms. An answer that does
/// not reflect the port counts only after that: it has crossed the LACPDU on its way, and to send
/// another one would use up the three of a second.
const CROSSING: Millis = 50;

/// What a port does with data.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Flags {
    /// It receives them.
    pub collecting: bool,
    /// It sends them.
    pub distributing: bool,
}

/// The partner's parameters as long as there is none (6.4.7: the administrative values).
pub(super) const NO_PARTNER: PortInfo = PortInfo {
    system: SystemId {
        priority: 0xffff,
        addr: [0; 6],
    },
    key: 1,
    port_priority: 0xff,
    port: 1,
    state: State::from_bits(0),
};

/// A port of the bond: a slave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Port {
    /// The number of the port; 0 while it does not take part.
    pub number: u16,
    /// The aggregator that the port has selected; 0 for none. Aggregators have the numbers of ports.
    pub aggregator: u16,
    /// See [`PortFacts`].
    pub facts: PortFacts,
    /// The operational key.
    pub key: u16,
    /// What is known of the partner.
    pub partner: PortInfo,
    /// The Receive machine.
    pub receive: Receive,
    /// The Periodic Transmission machine.
    pub periodic: Periodic,
    /// The Mux machine.
    pub mux: Mux,
    /// The Churn Detection machine of this end.
    pub actor_churn: Churn,
    /// The Churn Detection machine of the partner's end.
    pub partner_churn: Churn,
    /// How often this end has churned.
    pub actor_churned: u32,
    /// How often the partner's end has churned.
    pub partner_churned: u32,
    /// Whether the last LACPDU came from the bond itself.
    pub is_looped: bool,
    /// Whether the partner has kept this port, while it was in use, out of sync for too long, and
    /// has not been in sync since.
    pub is_refused: bool,
    /// What was received and sent.
    pub counters: Counters,
    /// Need To Transmit.
    need_to_transmit: bool,
    /// The port falls silent because nobody keeps up the protocol, and its partner was not told yet.
    falls_silent: bool,
    /// The port has left the protocol, and its partner was not told yet.
    pub(super) farewell: bool,
    /// When the partner should know what the last LACPDU has said; until then, what it says of the
    /// port may be older.
    resend: Option<Millis>,
    /// What the last LACPDU has said of the port.
    told: Option<PortInfo>,
    sent: Limit<3>,
    answered: Limit<5>,
}

impl Port {
    /// A port that does not take part yet.
    pub const fn new(facts: PortFacts) -> Port {
        Port {
            number: 0,
            aggregator: 0,
            facts,
            key: 0,
            partner: NO_PARTNER,
            receive: Receive::Disabled,
            periodic: Periodic::None,
            mux: Mux::Detached,
            actor_churn: Churn::None,
            partner_churn: Churn::None,
            actor_churned: 0,
            partner_churned: 0,
            is_looped: false,
            is_refused: false,
            counters: Counters {
                lacpdu_rx: 0,
                lacpdu_tx: 0,
                lacpdu_unknown_rx: 0,
                lacpdu_illegal_rx: 0,
                marker_rx: 0,
                marker_tx: 0,
                marker_resp_rx: 0,
                marker_resp_tx: 0,
                marker_unknown_rx: 0,
            },
            need_to_transmit: false,
            falls_silent: false,
            farewell: false,
            resend: None,
            told: None,
            sent: Limit::NEW,
            answered: Limit::NEW,
        }
    }

    /// The port as it begins (`BEGIN`), with this number. What was sent lately still counts.
    pub(super) fn begun(self, number: u16) -> Port {
        Port {
            number,
            counters: self.counters,
            actor_churned: self.actor_churned,
            partner_churned: self.partner_churned,
            sent: self.sent,
            answered: self.answered,
            ..Port::new(self.facts)
        }
    }

    /// Whether the port is enabled: the bond is up, and the link is up and has a known speed.
    pub fn is_enabled(&self, settings: &Settings) -> bool {
        self.number != 0 && settings.is_up && self.facts.link && self.facts.is_known()
    }

    /// Whether LACP runs on the port.
    pub fn runs_lacp(&self, settings: &Settings) -> bool {
        self.is_enabled(settings) && self.facts.duplex == Duplex::Full
    }

    /// Whether the partner has answered.
    pub fn has_partner(&self) -> bool {
        self.partner.system.addr != [0; 6]
    }

    /// Whether the port cannot be aggregated with others: this end or the partner says so.
    pub fn is_individual(&self) -> bool {
        self.facts.duplex != Duplex::Full || !self.partner.state.has(State::AGGREGATION)
    }

    /// What the port says of itself, where `active` is the aggregator in use.
    pub fn actor(&self, settings: &Settings, active: u16) -> PortInfo {
        let is_used = self.aggregator != 0 && self.aggregator == active;
        let is_attached = match self.mux {
            Mux::Attached | Mux::Collecting | Mux::Distributing => true,
            Mux::Detached | Mux::Waiting { .. } => false,
        };
        let collects = matches!(self.mux, Mux::Collecting | Mux::Distributing);
        let is_defaulted = matches!(self.receive, Receive::Defaulted | Receive::LacpDisabled);
        let state = State::default()
            .with(State::ACTIVITY, settings.is_active)
            .with(State::TIMEOUT, settings.is_fast)
            .with(State::AGGREGATION, self.facts.duplex == Duplex::Full)
            // A partner may send as soon as it sees this: only where data are received.
            .with(State::SYNCHRONIZATION, is_attached && is_used)
            .with(State::COLLECTING, collects)
            .with(State::DISTRIBUTING, self.mux == Mux::Distributing)
            .with(State::DEFAULTED, is_defaulted)
            .with(
                State::EXPIRED,
                matches!(self.receive, Receive::Expired { .. }),
            );
        PortInfo {
            system: settings.system,
            key: self.key,
            port_priority: self.facts.priority,
            port: self.number,
            state,
        }
    }

    /// What the port does with data, where `active` is the aggregator in use.
    ///
    /// Without any partner, a port of the aggregator in use carries data all the same, unless
    /// `lacp_strict` forbids it.
    pub fn flags(&self, settings: &Settings, active: u16) -> Flags {
        let is_used = self.aggregator != 0 && self.aggregator == active;
        if !is_used || !self.is_enabled(settings) {
            return Flags::default();
        }
        let falls_back = !self.has_partner() && !settings.is_strict;
        Flags {
            collecting: falls_back || matches!(self.mux, Mux::Collecting | Mux::Distributing),
            distributing: falls_back || self.mux == Mux::Distributing,
        }
    }

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
            .and(State::TIMEOUT)
            .and(State::AGGREGATION)
            .and(State::SYNCHRONIZATION);
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
        const OWN: State = State::DEFAULTED.and(State::EXPIRED);
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
