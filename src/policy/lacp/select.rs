// SPDX-License-Identifier: GPL-2.0

//! The Selection Logic (6.4.14): which ports form an aggregator, and which aggregator is in use.

use core::cmp::Ordering;
use core::fmt;

use super::port::{Churn, Mux, Port, Receive};
use super::system::{Settings, System};
use super::Ports;
use crate::link::Millis;
use crate::select::Duplex;
use crate::wire::slow::{State, SystemId};

/// When another aggregator takes over, and which: the option `ad_select`, with the numbers of
/// `net/bonding.h` (`BOND_AD_*`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum AdSelect {
    /// When the one in use has no link or partner left: the one with the most bandwidth.
    #[default]
    Stable = 0,
    /// At once: the one with the most bandwidth.
    Bandwidth = 1,
    /// At once: the one with the most ports.
    Count = 2,
    /// At once: the one with the largest sum of `actor_port_prio`.
    ActorPortPrio = 3,
}

impl AdSelect {
    /// The policy with this number, if there is one.
    pub const fn from_number(number: u64) -> Option<AdSelect> {
        match number {
            0 => Some(AdSelect::Stable),
            1 => Some(AdSelect::Bandwidth),
            2 => Some(AdSelect::Count),
            3 => Some(AdSelect::ActorPortPrio),
            _ => None,
        }
    }
}

/// An aggregator: the ports that have selected it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Aggregator {
    /// Its number.
    pub id: u16,
    /// How many of its ports are enabled.
    pub ports: u32,
    /// How many of its ports send data.
    pub distributing: u32,
    /// The sum of the speeds of its enabled ports, in Mbit/s.
    pub bandwidth: u64,
    /// The sum of the `actor_port_prio` of its enabled ports.
    pub priority: u64,
    /// Whether its only port is half duplex.
    pub is_individual: bool,
    /// Whether its only port hears the bond itself.
    pub is_looped: bool,
    /// Whether the partner refuses to use it ([`Port::is_refused`]).
    pub is_refused: bool,
    /// Whether the partner is in sync on one of its ports.
    pub in_sync: bool,
    /// The key of its ports.
    pub key: u16,
    /// The partner's system; all zeros for none.
    pub partner: SystemId,
    /// The partner's key.
    pub partner_key: u16,
}

impl Aggregator {
    fn has_partner(&self) -> bool {
        self.partner.addr != [0; 6]
    }

    /// The aggregator that is ranked higher is better. Without a partner, the priority decides
    /// first: then a single port carries all traffic, and the user says which.
    fn rank(&self, select: AdSelect) -> ((bool, bool, bool, bool), u64, u32, u64) {
        let by_priority = select == AdSelect::ActorPortPrio || !self.has_partner();
        let by_count = matches!(select, AdSelect::Count | AdSelect::ActorPortPrio);
        (
            (
                !self.is_individual,
                self.has_partner(),
                !self.is_refused,
                !self.is_looped,
            ),
            if by_priority { self.priority } else { 0 },
            if by_count { self.ports } else { 0 },
            self.bandwidth,
        )
    }

    /// Whether this aggregator replaces the one in use.
    fn replaces(&self, active: &Aggregator, select: AdSelect) -> bool {
        let stays = match select {
            AdSelect::Stable if active.has_partner() => !active.is_refused,
            AdSelect::Stable => !self.has_partner(),
            AdSelect::Bandwidth | AdSelect::Count | AdSelect::ActorPortPrio => false,
        };
        !stays && self.rank(select).cmp(&active.rank(select)) == Ordering::Greater
    }
}

/// How long the partner may be out of sync on the aggregator in use, while it is in sync on another
/// one, in ms. Longer than [`AGGREGATE_WAIT`](super::AGGREGATE_WAIT), for which it may be waiting.
const GIVES_IN: Millis = 3_000;

/// Why a port carries no data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// The bond is down.
    BondDown,
    /// The link of the port is down.
    NoLink,
    /// The device does not tell speed or duplex mode.
    NoSpeed,
    /// The link is half duplex, on which LACP does not run.
    HalfDuplex,
    /// The port hears the bond itself.
    Looped,
    /// The partner does not answer, or not yet.
    NoAnswer,
    /// The partner says that its port cannot be aggregated.
    PartnerIndividual,
    /// The key differs from that of the ports in use: another speed, for instance.
    OtherKey,
    /// The partner is another system than that of the ports in use.
    OtherPartner,
    /// The partner's key differs from that of the ports in use.
    OtherPartnerKey,
    /// The port waits for others to join.
    Waiting,
    /// The partner uses the ports of another aggregator.
    Refused,
    /// The partner is not in sync.
    PartnerNotInSync,
    /// The partner does not receive yet.
    PartnerNotCollecting,
}

/// What there is to say about a port once it has settled.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Report {
    /// Nothing yet: its state is about to change, or its link is down.
    #[default]
    Unsettled,
    /// It carries data, in the aggregator of this number.
    InUse(u16),
    /// It carries data, though no partner answers.
    Alone,
    /// It carries no data, and will not before somebody changes something.
    Unused(Reason),
}

/// Some ports carry data, but fewer than `min_links`, so the bond has no carrier.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shortage {
    /// How many ports carry data.
    pub carrying: u32,
    /// `min_links`
    pub min_links: u32,
}

impl fmt::Display for Shortage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Shortage {
            carrying,
            min_links,
        } = self;
        match carrying {
            1 => write!(f, "1 slave carries traffic, min_links is {min_links}"),
            _ => write!(
                f,
                "{carrying} slaves carry traffic, min_links is {min_links}"
            ),
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Reason::BondDown => "the bond is down",
            Reason::NoLink => "the link is down",
            Reason::NoSpeed => "its device does not tell speed or duplex mode",
            Reason::HalfDuplex => "the link is half duplex",
            Reason::Looped => "it hears this bond itself; look for a loop",
            Reason::NoAnswer => "the partner does not answer; enable LACP there",
            Reason::PartnerIndividual => "the partner does not aggregate its port",
            Reason::OtherKey => "its key differs from that of the slaves in use: another speed",
            Reason::OtherPartner => "its partner is another system than that of the slaves in use",
            Reason::OtherPartnerKey => {
                "its partner's key differs from that of the slaves in use: another group there"
            }
            Reason::Waiting => "it waits for other slaves",
            Reason::Refused => "the partner does not use it",
            Reason::PartnerNotInSync => "the partner is not in sync",
            Reason::PartnerNotCollecting => "the partner does not receive yet",
        })
    }
}

impl System {
    /// The aggregator with this number, if a port has selected it.
    pub fn aggregator<P: Ports>(&self, ports: &P, id: u16) -> Option<Aggregator> {
        let members = ports
            .keys()
            .map(|key| ports.get(key))
            .filter(|port| id != 0 && port.number != 0 && port.aggregator == id);
        members.fold(None, |sum, port| Some(self.with_port(sum, id, &port)))
    }

    fn with_port(&self, sum: Option<Aggregator>, id: u16, port: &Port) -> Aggregator {
        let mut sum = sum.unwrap_or(Aggregator {
            id,
            ports: 0,
            distributing: 0,
            bandwidth: 0,
            priority: 0,
            is_individual: false,
            is_looped: false,
            is_refused: false,
            in_sync: false,
            key: port.key,
            partner: port.partner.system,
            partner_key: port.partner.key,
        });
        if port.is_enabled(&self.settings) {
            let flags = port.flags(&self.settings, self.active);
            sum.ports = sum.ports.saturating_add(1);
            sum.is_individual |= port.facts.duplex != Duplex::Full;
            sum.is_looped |= port.is_looped;
            sum.is_refused |= port.is_refused;
            sum.in_sync |= port.partner.state.has(State::SYNCHRONIZATION);
            sum.distributing = sum.distributing.saturating_add(flags.distributing.into());
            let speed = port.facts.speed.unwrap_or(0);
            sum.bandwidth = sum.bandwidth.saturating_add(speed.into());
            sum.priority = sum.priority.saturating_add(port.facts.priority.into());
        }
        sum
    }

    /// Has each port select an aggregator, unless it has one or may not have one.
    pub(super) fn select<P: Ports>(&self, ports: &P) {
        for key in ports.keys() {
            let mut port = ports.get(key);
            if port.aggregator == 0 && may_select(&port) {
                port.aggregator = self.aggregator_for(ports, key, &port);
                ports.set(key, port);
            }
        }
    }

    /// The aggregator of the ports with the same link aggregation group identifier (6.3.6), or else
    /// one that no port has selected.
    fn aggregator_for<P: Ports>(&self, ports: &P, key: P::Key, port: &Port) -> u16 {
        let others = ports.keys().filter(|other| *other != key);
        let mut selected = others
            .map(|other| ports.get(other))
            .filter(|other| other.aggregator != 0);
        let lag = |port: &Port| (port.key, port.partner.system, port.partner.key);
        let same = selected.find(|other| {
            port.has_partner()
                && !port.is_individual()
                && !other.is_individual()
                && lag(other) == lag(port)
        });
        if let Some(same) = same {
            return same.aggregator;
        }
        let is_free = |id: &u16| {
            let mut taken = ports.keys().map(|key| ports.get(key).aggregator);
            *id != 0 && !taken.any(|taken| taken == *id)
        };
        let numbers = ports.keys().map(|key| ports.get(key).number);
        core::iter::once(port.number)
            .chain(numbers)
            .find(is_free)
            // Unreachable: there are as many numbers as ports, and this port has selected none.
            .unwrap_or(port.number)
    }

    /// The aggregator that is to be used, 0 for none: see [`AdSelect`].
    pub(super) fn choose<P: Ports>(&self, ports: &P) -> u16 {
        let select = self.settings.select;
        let usable = |id| self.aggregator(ports, id).filter(|it| it.ports > 0);
        let active = usable(self.active);
        let candidates = ports
            .keys()
            .filter_map(|key| usable(ports.get(key).aggregator));
        let best = candidates.fold(active, |best, next| match best {
            Some(best) if next.rank(select) <= best.rank(select) => Some(best),
            _ => Some(next),
        });
        match (active, best) {
            (Some(active), Some(best)) if !best.replaces(&active, select) => active.id,
            (_, best) => best.map_or(0, |best| best.id),
        }
    }

    /// When the aggregator in use is to be given up because the partner uses another one: it is in
    /// sync there, and not here. The system with the higher number gives in first, so that the two
    /// do not change places for ever.
    pub(super) fn refused_at<P: Ports>(&self, ports: &P) -> Option<Millis> {
        let active = self.aggregator(ports, self.active)?;
        let is_elsewhere = |id| {
            let other = self.aggregator(ports, id);
            other.is_some_and(|other| other.id != active.id && other.ports > 0 && other.in_sync)
        };
        let mut others = ports.keys().map(|key| ports.get(key).aggregator);
        // One that was given up and is still the best stays: there is nothing to wait for.
        let stays = active.ports == 0 || active.in_sync || active.is_refused;
        if stays || !others.any(is_elsewhere) {
            return None;
        }
        let number = |system: SystemId| (system.priority, system.addr);
        let patience = match number(self.settings.system) > number(active.partner) {
            true => GIVES_IN,
            false => GIVES_IN.saturating_mul(2),
        };
        Some(self.in_use_since.saturating_add(patience))
    }

    /// When all ports that wait for an aggregator have waited long enough (`Ready`); `None` if no
    /// port waits for it.
    pub(super) fn ready_at<P: Ports>(&self, ports: &P, id: u16) -> Option<Millis> {
        let members = ports.keys().map(|key| ports.get(key));
        let waits = members.filter_map(|port| match port.mux {
            Mux::Waiting { until } => (port.aggregator == id).then_some(until),
            Mux::Detached | Mux::Attached | Mux::Collecting | Mux::Distributing => None,
        });
        waits.max()
    }

    /// What there is to say about a port: see [`Report`].
    pub fn report<P: Ports>(&self, ports: &P, port: &Port) -> Report {
        let Some(reason) = self.reason(ports, port) else {
            return match port.has_partner() {
                true => Report::InUse(port.aggregator),
                false => Report::Alone,
            };
        };
        let lasts = match reason {
            Reason::BondDown | Reason::NoLink | Reason::Waiting | Reason::PartnerNotCollecting => {
                false
            }
            Reason::NoAnswer => port.receive == Receive::Defaulted,
            Reason::PartnerNotInSync => port.partner_churn == Churn::Churned,
            Reason::NoSpeed
            | Reason::HalfDuplex
            | Reason::Looped
            | Reason::PartnerIndividual
            | Reason::OtherKey
            | Reason::OtherPartner
            | Reason::OtherPartnerKey
            | Reason::Refused => true,
        };
        match lasts {
            true => Report::Unused(reason),
            false => Report::Unsettled,
        }
    }

    /// Why a port carries no data, or not in both directions; `None` if it does.
    pub fn reason<P: Ports>(&self, ports: &P, port: &Port) -> Option<Reason> {
        let settings = &self.settings;
        if port.flags(settings, self.active).distributing {
            return None;
        }
        Some(match self.aggregator(ports, self.active) {
            _ if !settings.is_up => Reason::BondDown,
            _ if port.number == 0 || !port.facts.link => Reason::NoLink,
            _ if !port.facts.is_known() => Reason::NoSpeed,
            _ if port.facts.duplex != Duplex::Full => Reason::HalfDuplex,
            _ if port.is_looped => Reason::Looped,
            _ if !matches!(port.receive, Receive::Current { .. }) => Reason::NoAnswer,
            _ if port.aggregator == self.active || self.active == 0 => own_reason(port, settings),
            _ if port.is_refused => Reason::Refused,
            _ if !port.partner.state.has(State::AGGREGATION) => Reason::PartnerIndividual,
            Some(active) if active.partner != port.partner.system => Reason::OtherPartner,
            Some(active) if active.key != port.key => Reason::OtherKey,
            Some(active) if active.partner_key != port.partner.key => Reason::OtherPartnerKey,
            _ => own_reason(port, settings),
        })
    }
}

/// Why a port of the aggregator in use does not carry data.
fn own_reason(port: &Port, settings: &Settings) -> Reason {
    match port.mux {
        Mux::Detached | Mux::Waiting { .. } => Reason::Waiting,
        Mux::Attached => Reason::PartnerNotInSync,
        Mux::Collecting if !settings.is_coupled => Reason::PartnerNotCollecting,
        Mux::Collecting | Mux::Distributing => Reason::PartnerNotInSync,
    }
}

/// Whether a port knows enough to select an aggregator. What it hears first after its link came up
/// decides, or that it hears nothing for 3 s, or nothing but the bond itself.
fn may_select(port: &Port) -> bool {
    let is_known = match port.receive {
        Receive::Current { .. } => !port.is_looped,
        Receive::Defaulted | Receive::LacpDisabled => true,
        Receive::Disabled | Receive::Expired { .. } => false,
    };
    port.number != 0 && is_known
}
