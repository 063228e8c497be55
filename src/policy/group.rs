// SPDX-License-Identifier: GPL-2.0

//! The slaves of a bond as a group: what an event means for their links, for the active slave, for
//! the carrier of the bond, and for the time of the next check.
//!
//! The state of each slave stays where the caller keeps it (the driver: in its slaves, under RTNL;
//! the tests: in a `Vec`), and is reached through [`Ports`].

use crate::arp::{Duty, Micros, Monitor, Traffic, Verdict};
use crate::history::{Cause, Why};
use crate::link::{Delays, Link, LinkState, Millis, Transition};
use crate::options::{Config, Effects};
use crate::select::{self, Candidate, Duplex};

/// What is known about one slave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Port {
    /// The link, after the delays.
    pub link: Link,
    /// Whether the device is running and has carrier, as the caller last saw it.
    pub carrier: bool,
    /// The slave's `prio`.
    pub prio: i32,
    /// The speed in Mbit/s, if the device says.
    pub speed: Option<u32>,
    /// The duplex mode.
    pub duplex: Duplex,
    /// How often the link has gone down; the count stays at its largest value.
    pub failures: u32,
    /// What has happened to the link and was not reported yet. The caller reports the transition
    /// and clears it.
    pub pending: Option<Transition>,
    /// Why that has happened.
    pub cause: Cause,
}

impl Port {
    /// A port as it is right after [`Link::initial`].
    pub const fn new(link: Link, carrier: bool) -> Port {
        Port {
            link,
            carrier,
            prio: 0,
            speed: None,
            duplex: Duplex::Unknown,
            failures: 0,
            pending: None,
            cause: Cause::Carrier,
        }
    }

    /// The port as a candidate for the active slave.
    pub const fn candidate<K: Copy + Eq>(self, key: K) -> Candidate<K> {
        Candidate {
            key,
            link: self.link,
            usable: self.carrier,
            prio: self.prio,
            speed: self.speed,
            duplex: self.duplex,
        }
    }
}

/// Where the ports are kept. `get` and `set` are called with keys that `keys` has listed, or that
/// came in an event.
pub trait Ports {
    /// Identifies a slave.
    type Key: Copy + Eq;

    /// The slaves in the order in which they were enslaved.
    fn keys(&self) -> impl Iterator<Item = Self::Key> + Clone;

    /// The port of a slave.
    fn get(&self, key: Self::Key) -> Port;

    /// Stores the port of a slave.
    fn set(&self, key: Self::Key, port: Port);

    /// What the ARP monitor knows of the traffic of a slave.
    fn traffic(&self, key: Self::Key) -> Traffic;
}

/// What the bond knows of its slaves as a group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Group<K> {
    /// The active slave. A bond that uses all slaves alike has one too: the bond's IGMP traffic
    /// goes through that slave.
    pub active: Option<K>,
    /// The primary slave, if one of the slaves has the name that the option `primary` gives.
    pub primary: Option<K>,
    /// Whether the primary slave becomes active as soon as it is up, whatever `primary_reselect`
    /// says. Set it when the user names a slave as primary, or enslaves the primary.
    pub force_primary: bool,
    /// The slave that the ARP monitor tries while none is active.
    pub tried: Option<K>,
}

impl<K> Group<K> {
    /// No slaves.
    pub const EMPTY: Group<K> = Group {
        active: None,
        primary: None,
        force_primary: false,
        tried: None,
    };

    /// Whether a slave's `prio` has no effect on the choice, because there is a primary slave. The
    /// in-tree driver warns of it when `prio` is set.
    pub const fn ignores_prio(&self) -> bool {
        self.primary.is_some()
    }
}

impl<K> Default for Group<K> {
    fn default() -> Self {
        Self::EMPTY
    }
}

/// What has happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event<K> {
    /// The kernel reports that a slave has got or lost its carrier (or was set up or down). Counts
    /// only with `link_events`.
    Carrier {
        /// The slave.
        key: K,
        /// Whether the device is running and has carrier.
        up: bool,
    },
    /// The `miimon` interval is over, and the caller has read the carriers into the ports again.
    Poll,
    /// The deadline of an earlier outcome has come. The caller should read the carriers into the
    /// ports first, in case one of them was lost without an event.
    Tick,
    /// The ARP monitor looks at the links. The caller has read the carriers into the ports.
    Probed {
        /// The time, by the clock of [`Ports::traffic`].
        now: Micros,
    },
    /// A slave has joined. It is listed, and its link is [`Link::initial`]; if it is the primary,
    /// the caller has set `primary` and `force_primary` of the group.
    Enslaved {
        /// The slave.
        key: K,
    },
    /// A slave has left; it should not be listed any more.
    Released {
        /// The slave that has left.
        key: K,
    },
    /// An option was set, and the configuration is the new one. If it changed the monitor, the
    /// caller has read the carriers into the ports again. If it was `primary`, the caller has set
    /// `primary` and `force_primary` of the group.
    OptionsChanged {
        /// What [`Config::apply`] returned.
        effects: Effects,
    },
    /// A slave's `prio` was set.
    PrioChanged,
    /// Another slave is the primary slave now, because a device was renamed; the caller has set
    /// `primary` of the group.
    PrimaryRenamed,
    /// The user wants this slave to be active. Nothing happens if [`select::may_activate`] forbids
    /// it.
    Activate {
        /// The slave.
        key: K,
    },
    /// The user wants the bond to choose its active slave afresh.
    ClearActive,
}

/// What the caller has to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Outcome<K> {
    /// The group from now on.
    pub group: Group<K>,
    /// Whether the active slave has changed.
    pub active_changed: bool,
    /// Why the active slave has changed, if it has.
    pub why: Why,
    /// The part of its `updelay`, in milliseconds, that the new active slave was spared because
    /// there was no better slave.
    pub early_ms: Option<Millis>,
    /// Whether the link of a port has changed its state; the port may have a `pending` transition.
    pub links_changed: bool,
    /// Whether the bond has carrier.
    pub carrier: bool,
    /// When to come back with [`Event::Tick`], if at all.
    pub deadline: Option<Millis>,
}

/// Handles an event: updates the ports, chooses the active slave.
///
/// The function keeps no state of its own: the same ports, group, configuration, event and time
/// give the same outcome.
pub fn handle<P: Ports>(
    ports: &P,
    group: Group<P::Key>,
    config: &Config,
    event: Event<P::Key>,
    now: Millis,
) -> Outcome<P::Key> {
    let uses_primary = config.mode.uses_primary();
    let mut round = Round {
        ports,
        config,
        group,
        now,
        gone: None,
        select: false,
        changed: false,
    };
    match event {
        Event::Carrier { key, up } => {
            let mut port = ports.get(key);
            port.carrier = up;
            ports.set(key, port);
            if config.link_events {
                round.observe(core::iter::once(key));
            }
        }
        Event::Poll => {
            if config.is_monitored() {
                round.observe(ports.keys());
            }
        }
        Event::Tick => {
            if config.link_events {
                round.observe(ports.keys());
            }
        }
        Event::Probed { now } => {
            if let Some(monitor) = config.arp_monitor() {
                round.judge(&monitor, now);
            }
        }
        Event::Enslaved { key } => {
            if config.is_monitored() {
                round.observe(core::iter::once(key));
            }
            round.select |= uses_primary;
        }
        Event::Released { key } => {
            round.gone = Some(key);
            if round.group.primary == Some(key) {
                round.group.primary = None;
            }
            if round.group.active == Some(key) {
                round.group.active = None;
                round.select = true;
            }
            if round.group.tried == Some(key) {
                round.group.tried = None;
            }
        }
        Event::OptionsChanged { effects } => {
            if effects.monitor && config.is_monitored() {
                if config.is_probed() {
                    round.end_delays();
                }
                round.observe(ports.keys());
            } else if effects.monitor {
                round.trust_all();
            }
            round.select |= effects.reselect && uses_primary;
        }
        Event::PrioChanged => round.select |= uses_primary && round.group.primary.is_none(),
        Event::PrimaryRenamed => round.select |= uses_primary,
        Event::Activate { key } => {
            let candidate = round.candidate(key);
            if uses_primary && select::may_activate(round.group.active, &candidate).is_ok() {
                round.group.active = Some(key);
            }
        }
        Event::ClearActive => {
            if uses_primary {
                round.group.active = None;
            }
        }
    }
    let asked = match event {
        Event::Activate { .. } => Some(Why::ByHand),
        Event::ClearActive => Some(Why::Cleared),
        _ => None,
    };
    round.finish(group.active, asked)
}

/// One event in progress.
struct Round<'a, P: Ports> {
    ports: &'a P,
    config: &'a Config,
    group: Group<P::Key>,
    now: Millis,
    /// A slave that has left and is no candidate even if it is still listed.
    gone: Option<P::Key>,
    /// Whether the active slave has to be chosen.
    select: bool,
    /// Whether the link of a port has changed its state.
    changed: bool,
}

impl<P: Ports> Round<'_, P> {
    /// Looks at the carrier of these ports.
    fn observe(&mut self, keys: impl Iterator<Item = P::Key>) {
        // Only the first link that comes back to a bond without links is spared its updelay.
        let mut skip_updelay = self.has_no_link();
        let is_probed = self.config.is_probed();
        for key in keys {
            let port = self.ports.get(key);
            if is_probed && port.carrier {
                // The ARP monitor requires more than a carrier.
                continue;
            }
            let was = port.link;
            let (link, transition) =
                port.link
                    .observe(port.carrier, self.now, self.config.delays(), skip_updelay);
            let Some(transition) = transition else {
                continue;
            };
            if link.is_up() {
                skip_updelay &= was.state() == LinkState::Fail;
            }
            let cause = self.cause(was, transition);
            self.enter(key, port, link, transition, cause);
        }
    }

    /// Moves a link to another state.
    fn enter(
        &mut self,
        key: P::Key,
        mut port: Port,
        link: Link,
        transition: Transition,
        cause: Cause,
    ) {
        port.cause = cause;
        port.link = link;
        port.pending = Some(transition);
        match link.state() {
            LinkState::Up => self.select |= self.outranks_active(key, port.prio),
            LinkState::Down => {
                port.failures = port.failures.saturating_add(1);
                self.select |= self.group.active == Some(key);
            }
            LinkState::Fail | LinkState::Back => {}
        }
        self.ports.set(key, port);
        self.changed = true;
    }

    /// The ARP monitor takes over, and it knows no delays. A link that was going down counts as up
    /// if it has carrier again, until it misses an answer; a link that was going back counts as
    /// down until something is heard on it.
    fn end_delays(&mut self) {
        for key in self.ports.keys() {
            let port = self.ports.get(key);
            match (port.link, port.carrier) {
                // Nothing has happened to the link itself.
                (Link::GoingBack { .. }, true) => {
                    let link = Link::down(self.now);
                    self.ports.set(key, Port { link, ..port });
                    self.changed = true;
                }
                (Link::GoingDown { .. } | Link::GoingBack { .. }, carrier) => {
                    let due = match port.link {
                        Link::GoingDown { since, .. } => Link::GoingDown {
                            since,
                            until: self.now,
                        },
                        link => link,
                    };
                    let (link, transition) =
                        due.observe(carrier, self.now, Delays::default(), false);
                    if let Some(transition) = transition {
                        self.enter(key, port, link, transition, Cause::Carrier);
                    }
                }
                _ => {}
            }
        }
    }

    /// Has the ARP monitor look at all links.
    fn judge(&mut self, monitor: &Monitor, now: Micros) {
        self.observe(self.ports.keys());
        let active = self.group.active;
        // The backups hear the probes of the active slave, so its silence is no fault of theirs.
        let in_doubt = active.is_some_and(|active| {
            !self.ports.get(active).carrier || self.ports.traffic(active).is_in_doubt()
        });
        for key in self.ports.keys() {
            let mut port = self.ports.get(key);
            if !port.carrier {
                continue;
            }
            let duty = monitor.duty(active == Some(key), active.is_some());
            match monitor.verdict(port.link, duty, &self.ports.traffic(key), now) {
                Verdict::Keep => continue,
                Verdict::Down if in_doubt && duty == Duty::Listens => continue,
                Verdict::Up => {
                    port.link = Link::up(self.now);
                    port.pending = Some(Transition::WentUp);
                    port.cause = Cause::Answer;
                    self.select |= self.outranks_active(key, port.prio);
                }
                Verdict::Down => {
                    port.link = Link::down(self.now);
                    port.pending = Some(Transition::WentDown);
                    let of = u32::from(self.config.arp_missed_max);
                    port.cause = Cause::Probes { missed: of, of };
                    port.failures = port.failures.saturating_add(1);
                    self.select |= self.group.active == Some(key);
                }
                Verdict::GiveUp => {
                    port.link = Link::GivenUp { since: self.now };
                }
            }
            self.ports.set(key, port);
            self.changed = true;
        }
    }

    /// Tries the next slave with carrier, if none is active and none is being tried.
    fn try_next(&mut self, monitor: &Monitor) {
        let last = self.group.tried;
        let is_tried = self.listed().filter(|&key| Some(key) == last).any(|key| {
            let port = self.ports.get(key);
            port.carrier && matches!(port.link, Link::Tried { .. })
        });
        if self.group.active.is_some() {
            self.group.tried = None;
        } else if monitor.one_sends() && !is_tried {
            let has_carrier = |&key: &P::Key| self.ports.get(key).carrier;
            let behind = self.listed().skip_while(|&key| Some(key) != last).skip(1);
            let next = behind.chain(self.listed()).find(has_carrier);
            self.group.tried = next;
            if let Some(next) = next {
                let port = self.ports.get(next);
                let link = Link::Tried { since: self.now };
                self.ports.set(next, Port { link, ..port });
                self.changed = true;
            }
        }
    }

    /// Nobody watches the links any more, so each counts as up.
    fn trust_all(&mut self) {
        for key in self.ports.keys() {
            let mut port = self.ports.get(key);
            if !port.link.is_up() {
                port.link = Link::up(self.now);
                port.pending = Some(Transition::WentUp);
                port.cause = Cause::Unwatched;
                self.ports.set(key, port);
                self.changed = true;
            }
        }
    }

    /// Why a link changed its state when its carrier was looked at.
    fn cause(&self, was: Link, transition: Transition) -> Cause {
        let is_over = was.deadline().is_some_and(|deadline| deadline <= self.now);
        match transition {
            Transition::WentDown if is_over => Cause::Delay(self.config.downdelay_ms()),
            Transition::WentUp if is_over => Cause::Delay(self.config.updelay_ms()),
            _ => Cause::Carrier,
        }
    }

    /// Why the active slave has changed.
    fn why(&self, before: Option<P::Key>) -> Why {
        let Some(before) = before else {
            return Why::First;
        };
        if self.gone == Some(before) {
            return Why::Left;
        }
        let is_up = |key| self.ports.get(key).link.is_up();
        match self.group.active {
            Some(new) if is_up(before) && self.group.primary == Some(new) => Why::Primary,
            Some(new)
                if is_up(before) && self.ports.get(new).prio > self.ports.get(before).prio =>
            {
                Why::Priority
            }
            _ if is_up(before) => Why::Options,
            _ => Why::Lost,
        }
    }

    fn has_no_link(&self) -> bool {
        if self.config.mode.uses_primary() {
            self.group.active.is_none()
        } else {
            !self.carrier()
        }
    }

    /// Whether a link that has just come up is a reason to choose again.
    fn outranks_active(&self, key: P::Key, prio: i32) -> bool {
        match self.group.active {
            None => true,
            Some(active) => self.group.primary == Some(key) || prio > self.ports.get(active).prio,
        }
    }

    fn candidate(&self, key: P::Key) -> Candidate<P::Key> {
        let mut candidate = self.ports.get(key).candidate(key);
        // Where nobody watches the links, the carrier does not count.
        candidate.usable |= !self.config.is_monitored();
        // A slave that the ARP monitor tries waits for an answer, not for the end of a delay.
        candidate.usable &= !self.config.is_probed() || candidate.link.state() != LinkState::Back;
        candidate
    }

    fn listed(&self) -> impl Iterator<Item = P::Key> + Clone + '_ {
        let gone = self.gone;
        self.ports.keys().filter(move |&key| Some(key) != gone)
    }

    fn carrier(&self) -> bool {
        let links = self.listed().map(|key| self.ports.get(key).link.state());
        self.config.carrier(links)
    }

    fn finish(mut self, before: Option<P::Key>, asked: Option<Why>) -> Outcome<P::Key> {
        // A bond that uses all its slaves and has no link left takes a slave whose link is going
        // back, as it would if that link came back now.
        let stranded = !self.config.mode.uses_primary() && !self.carrier();
        if self.select || stranded || self.group.active.is_none() {
            let choice = select::choose(
                self.listed().map(|key| self.candidate(key)),
                self.group.active,
                self.group
                    .primary
                    .filter(|_| self.config.mode.uses_primary()),
                self.group.force_primary,
                self.config.primary_reselect,
            );
            self.group.active = choice.best;
            self.group.force_primary = choice.force_primary;
        }
        match self.config.arp_monitor() {
            Some(monitor) => self.try_next(&monitor),
            None => self.group.tried = None,
        }
        let early_ms = self
            .group
            .active
            .and_then(|active| self.end_updelay(active));
        let deadlines = self
            .listed()
            .filter_map(|key| self.ports.get(key).link.deadline());
        Outcome {
            group: self.group,
            active_changed: self.group.active != before,
            why: asked.unwrap_or_else(|| self.why(before)),
            early_ms,
            links_changed: self.changed,
            carrier: self.carrier(),
            deadline: if self.config.link_events {
                deadlines.min()
            } else {
                None
            },
        }
    }

    /// The active slave is the best there is, so its link counts as up now. Returns the
    /// milliseconds that were left of its `updelay`.
    fn end_updelay(&mut self, active: P::Key) -> Option<Millis> {
        let mut port = self.ports.get(active);
        if port.link.state() != LinkState::Back {
            return None;
        }
        let left = port.link.remaining(self.now);
        port.link = Link::up(self.now);
        self.ports.set(active, port);
        self.changed = true;
        Some(left)
    }
}
