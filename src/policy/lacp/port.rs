// SPDX-License-Identifier: GPL-2.0

//! A port: the states of its machines (`machines.rs`), and what follows from them.

use super::system::Settings;
use super::{CHURN_DETECTION, FAST_PERIODIC};
use crate::link::Millis;
use crate::select::Duplex;
use crate::wire::slow::{PortInfo, Slow, State, SystemId};

/// What is known of a slave apart from the protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
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
    pub(super) fn key(&self, user_key: u16) -> u16 {
        /// The speeds in Mbit/s, in the order of their codes; the first code is 1.
        const SPEEDS: [u32; 19] = [
            1, 10, 100, 1_000, 2_500, 5_000, 10_000, 14_000, 20_000, 25_000, 40_000, 50_000,
            56_000, 80_000, 100_000, 200_000, 400_000, 800_000, 1_600_000,
        ];
        let place = SPEEDS.iter().position(|it| Some(*it) == self.speed);
        let code = place.map_or(0, |place| place.saturating_add(1) as u16);
        let full = match self.duplex {
            Duplex::Full => FULL_DUPLEX,
            Duplex::Half | Duplex::Unknown => 0,
        };
        user_key.wrapping_shl(6) | code.wrapping_shl(1) | full
    }
}

/// The bit of a key that stands for full duplex.
const FULL_DUPLEX: u16 = 1;

/// The states of the Receive machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
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
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
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
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
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
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
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
    pub(super) fn next(self, runs: bool, in_sync: bool, now: Millis) -> (Churn, bool) {
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
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
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

impl Counters {
    /// The sum of both.
    pub fn plus(&self, other: &Counters) -> Counters {
        Counters {
            lacpdu_rx: self.lacpdu_rx.saturating_add(other.lacpdu_rx),
            lacpdu_tx: self.lacpdu_tx.saturating_add(other.lacpdu_tx),
            lacpdu_unknown_rx: self
                .lacpdu_unknown_rx
                .saturating_add(other.lacpdu_unknown_rx),
            lacpdu_illegal_rx: self
                .lacpdu_illegal_rx
                .saturating_add(other.lacpdu_illegal_rx),
            marker_rx: self.marker_rx.saturating_add(other.marker_rx),
            marker_tx: self.marker_tx.saturating_add(other.marker_tx),
            marker_resp_rx: self.marker_resp_rx.saturating_add(other.marker_resp_rx),
            marker_resp_tx: self.marker_resp_tx.saturating_add(other.marker_resp_tx),
            marker_unknown_rx: self
                .marker_unknown_rx
                .saturating_add(other.marker_unknown_rx),
        }
    }

    /// The numbers in the order of `BOND_3AD_STAT_*`.
    pub const fn in_order(&self) -> [u64; 9] {
        [
            self.lacpdu_rx,
            self.lacpdu_tx,
            self.lacpdu_unknown_rx,
            self.lacpdu_illegal_rx,
            self.marker_rx,
            self.marker_tx,
            self.marker_resp_rx,
            self.marker_resp_tx,
            self.marker_unknown_rx,
        ]
    }

    /// Counts a received PDU of which the machines of the port do not hear.
    pub fn note(&mut self, pdu: &Slow) {
        let counter = match pdu {
            Slow::MarkerResponse(_) => &mut self.marker_resp_rx,
            Slow::IllegalLacpdu => &mut self.lacpdu_illegal_rx,
            Slow::IllegalMarker => &mut self.marker_unknown_rx,
            Slow::Other => &mut self.lacpdu_unknown_rx,
            // `System::receive` and `System::receive_marker` count these.
            Slow::Lacpdu(_) | Slow::Marker(_) => return,
        };
        *counter = counter.saturating_add(1);
    }
}

/// The times of the last `N` events, the latest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Limit<const N: usize>(pub(super) [Option<Millis>; N]);

impl<const N: usize> Limit<N> {
    pub(super) const NEW: Self = Limit([None; N]);

    /// The earliest time at which one more event stays within `N` events per second.
    pub(super) fn from(&self) -> Millis {
        let oldest = self.0.last().copied().flatten();
        oldest.map_or(0, |at| at.saturating_add(FAST_PERIODIC))
    }

    /// The time of the latest event; 0 for none.
    pub(super) fn latest(&self) -> Millis {
        self.0.first().copied().flatten().unwrap_or(0)
    }

    pub(super) fn add(&mut self, now: Millis) {
        let mut next = Some(now);
        for place in &mut self.0 {
            core::mem::swap(place, &mut next);
        }
    }
}

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
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
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
    /// Whether the port is about to leave: it sends no data any more, and tells its partner to stop,
    /// but still receives what is on its way.
    pub drains: bool,
    /// What was received and sent.
    pub counters: Counters,
    /// Need To Transmit.
    pub(super) need_to_transmit: bool,
    /// The port falls silent because nobody keeps up the protocol, and its partner was not told yet.
    pub(super) falls_silent: bool,
    /// The port has left the protocol, and its partner was not told yet.
    pub(super) farewell: bool,
    /// When the partner should know what the last LACPDU has said; until then, what it says of the
    /// port may be older.
    pub(super) resend: Option<Millis>,
    /// What the last LACPDU has said of the port.
    pub(super) told: Option<PortInfo>,
    pub(super) sent: Limit<3>,
    pub(super) answered: Limit<5>,
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
            drains: false,
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

    /// Whether the port cannot be aggregated with others: this end or the partner says so. Goes by
    /// the key, which stays the same while the link is down and the device does not know better.
    pub fn is_individual(&self) -> bool {
        self.key & FULL_DUPLEX == 0 || !self.partner.state.has(State::AGGREGATION)
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
            .with(
                State::SYNCHRONIZATION,
                is_attached && is_used && !self.drains,
            )
            .with(State::COLLECTING, collects)
            .with(
                State::DISTRIBUTING,
                self.mux == Mux::Distributing && !self.drains,
            )
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
            distributing: (falls_back || self.mux == Mux::Distributing) && !self.drains,
        }
    }

    /// Whether the partner sends data to this port, as far as is known.
    pub fn is_sent_data(&self) -> bool {
        matches!(self.receive, Receive::Current { .. })
            && self.partner.state.has(State::DISTRIBUTING)
    }
}
