// SPDX-License-Identifier: GPL-2.0

//! A bond with the ARP monitor on a simulated network: slaves on cables to a switch, a target behind
//! it, frames that take their time or get lost, and the work of a driver around `policy::arp`.

use std::collections::BTreeMap;

use policy::arp::{is_news, Duty, Micros, Monitor, Receiver, Traffic, Trust, Verdict};
use policy::{Event, LinkState, Mode, Outcome, Ports};

use crate::world::{config, World};

/// How much later than asked for the work runs at least, in µs.
pub(crate) const LATE: Micros = 20;

/// A frame on its way to a slave.
#[derive(Clone, Copy, Debug)]
struct Frame {
    to: u32,
    is_reply: bool,
}

/// What happened to a bond.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Entry {
    /// The flag says whether the slave has carrier, too.
    Link(u32, LinkState, bool),
    Active(Option<u32>),
    Tried(Option<u32>),
    /// A probe left through this slave.
    Probe(u32),
}

/// What the network knows of a slave; all of it but `last_tx` is hidden from the bond.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Line {
    /// Whether the cable passes frames on; its loss is silent.
    pub(crate) cable: bool,
    /// Since when the way from the slave to the target has been broken, if it is.
    pub(crate) broken: Option<Micros>,
    /// Whether the slave was heard since its way was broken last.
    pub(crate) innocent: bool,
    /// The frames lost in a row.
    lost: u32,
    last_tx: Micros,
}

#[derive(Clone, Debug)]
pub(crate) struct Network {
    pub(crate) world: World,
    pub(crate) monitor: Monitor,
    pub(crate) now: Micros,
    pub(crate) interval: Micros,
    pub(crate) missed_max: u32,
    pub(crate) lines: Vec<Line>,
    pub(crate) log: Vec<(Micros, Entry)>,
    /// How many frames in a row may get lost at a slave.
    pub(crate) noise: u32,
    /// Whether the work runs before what was received meanwhile is noted, after a stall.
    pub(crate) work_first: bool,
    /// When this machine last woke up from a stall.
    pub(crate) woke: Micros,
    /// The probes that are lost from now on, wherever they go.
    pub(crate) lose: u32,
    /// Whether probes do not even leave, as without a route; frames from others still arrive.
    pub(crate) cannot_send: bool,
    target: bool,
    validate: bool,
    /// The slave to which the switch delivers answers, if not to the one that asked.
    pub(crate) misled: Option<u32>,
    air: BTreeMap<(Micros, u32), Frame>,
    sent: u32,
    dice: u64,
    round: Micros,
    hurry: bool,
    wake: Micros,
}

impl Network {
    /// A bond of slaves 0, 1, ... that has just been set up, all of it working. `interval` in ms.
    pub(crate) fn new(mode: Mode, slaves: u32, interval: u32, missed_max: u8) -> Network {
        let mut config = config(mode, &[]);
        config.arp_interval = interval;
        config.arp_missed_max = missed_max;
        let line = Line {
            cable: true,
            broken: None,
            innocent: false,
            lost: 0,
            last_tx: 0,
        };
        let now = 1_000_000;
        let mut net = Network {
            world: World::new(config),
            monitor: config.arp_monitor().expect("an interval"),
            now,
            interval: u64::from(interval) * 1000,
            missed_max: u32::from(missed_max),
            lines: vec![line; slaves as usize],
            log: Vec::new(),
            noise: 0,
            work_first: false,
            woke: 0,
            lose: 0,
            cannot_send: false,
            target: true,
            validate: true,
            misled: None,
            air: BTreeMap::new(),
            sent: 0,
            dice: 0x9e37_79b9_7f4a_7c15,
            round: 0,
            hurry: true,
            wake: now,
        };
        for key in 0..slaves {
            let outcome = net.world.enslave(key, true);
            net.give_time(key);
            net.carry_out(outcome, None, None);
        }
        net
    }

    pub(crate) fn active_backup(slaves: u32, interval: u32, missed_max: u8) -> Network {
        Network::new(Mode::ActiveBackup, slaves, interval, missed_max)
    }

    /// With `arp_validate=none`.
    pub(crate) fn unvalidated(self) -> Network {
        Network {
            validate: false,
            ..self
        }
    }

    pub(crate) fn seeded(self, seed: u64) -> Network {
        Network {
            dice: seed | 1,
            ..self
        }
    }

    /// What has happened lately, for the message of a test that fails.
    pub(crate) fn story(&self) -> String {
        let tail = &self.log[self.log.len().saturating_sub(40)..];
        let traffic: Vec<_> = self.keys().map(|key| self.traffic(key)).collect();
        let (now, lines) = (self.now, &self.lines);
        format!(
            "at {now}, {lines:?}, {traffic:?}, woke {} after {tail:?}",
            self.woke
        )
    }

    pub(crate) fn active(&self) -> Option<u32> {
        self.world.group.active
    }

    pub(crate) fn state(&self, key: u32) -> LinkState {
        self.world.port(key).link.state()
    }

    pub(crate) fn keys(&self) -> std::ops::Range<u32> {
        0..self.lines.len() as u32
    }

    pub(crate) fn duty(&self, key: u32) -> Duty {
        let active = self.active();
        self.monitor.duty(active == Some(key), active.is_some())
    }

    pub(crate) fn traffic(&self, key: u32) -> Traffic {
        self.world.slaves.traffic(key)
    }

    /// Whether frames get from this slave to the target and back.
    pub(crate) fn works(&self, key: u32) -> bool {
        self.target && self.passes(key)
    }

    fn passes(&self, key: u32) -> bool {
        self.line(key).cable && self.world.port(key).carrier
    }

    fn line(&self, key: u32) -> &Line {
        &self.lines[key as usize]
    }

    /// Breaks or mends a cable; nobody is told.
    pub(crate) fn cable(&mut self, key: u32, works: bool) {
        self.lines[key as usize].cable = works;
        self.note_ways();
    }

    pub(crate) fn target(&mut self, works: bool) {
        self.target = works;
        if !works {
            self.air.clear();
        }
        self.note_ways();
    }

    pub(crate) fn carrier(&mut self, key: u32, up: bool) {
        self.at(|net| net.world.carrier(key, up));
        if up {
            self.hurry = true;
            self.wake_by(self.now + LATE);
        }
        self.note_ways();
    }

    fn note_ways(&mut self) {
        for key in self.keys() {
            let works = self.works(key);
            let now = self.now;
            let line = &mut self.lines[key as usize];
            if works {
                line.broken = None;
            } else {
                line.broken = line.broken.or(Some(now));
                line.innocent = false;
            }
        }
    }

    /// Lets time pass.
    pub(crate) fn pass(&mut self, time: Micros) {
        let end = self.now + time;
        while let Some(next) = self.next_event().filter(|&next| next <= end) {
            self.now = self.now.max(next);
            self.receive_all();
            if self.wake <= self.now {
                self.work();
            }
        }
        self.now = end;
    }

    /// Lets time pass until `done`, or until `limit` is over. Returns how long that took.
    pub(crate) fn until(&mut self, limit: Micros, done: impl Fn(&Network) -> bool) -> Micros {
        let start = self.now;
        while !done(self) {
            let next = self.next_event().expect("the work is never given up");
            assert!(
                next <= start + limit,
                "not within {limit} us: {}",
                self.story()
            );
            self.pass(next.saturating_sub(self.now));
        }
        self.now - start
    }

    /// This machine does nothing for a while; what arrives meanwhile waits.
    pub(crate) fn stall(&mut self, time: Micros) {
        self.now += time;
        self.woke = self.now;
        if self.work_first && self.wake <= self.now {
            self.work();
        }
        self.pass(0);
    }

    fn next_event(&self) -> Option<Micros> {
        let frame = self.air.keys().next().map(|&(time, _)| time);
        Some(frame.map_or(self.wake, |time| time.min(self.wake)))
    }

    /// Handles an event of the bond, and records it in the network's log.
    fn at(&mut self, event: impl FnOnce(&mut Network) -> Outcome<u32>) -> Outcome<u32> {
        let (active, tried) = (self.active(), self.world.group.tried);
        let before: Vec<_> = self.keys().map(|key| self.state(key)).collect();
        self.world.now = self.now / 1000;
        let outcome = event(self);
        for (key, before) in self.keys().zip(before) {
            let (state, carrier) = (self.state(key), self.world.port(key).carrier);
            if state != before {
                self.log.push((self.now, Entry::Link(key, state, carrier)));
            }
            self.world.take(key);
        }
        self.world.log.clear();
        self.carry_out(outcome, active, tried);
        outcome
    }

    fn carry_out(&mut self, outcome: Outcome<u32>, active: Option<u32>, tried: Option<u32>) {
        let group = outcome.group;
        if group.active != active {
            self.log.push((self.now, Entry::Active(group.active)));
            if self.monitor.one_sends() {
                self.keys()
                    .filter(|&key| self.world.has(key))
                    .for_each(|key| self.give_time(key));
            }
        }
        if group.tried != tried {
            self.log.push((self.now, Entry::Tried(group.tried)));
            if let Some(key) = group.tried {
                self.give_time(key);
            }
            self.hurry = true;
            self.wake_by(self.now + LATE);
        }
    }

    fn give_time(&self, key: u32) {
        let traffic = Traffic {
            since: self.now,
            unanswered: 0,
            unsent: 0,
            ..self.traffic(key)
        };
        self.world.slaves.set_traffic(key, traffic);
    }

    fn wake_by(&mut self, time: Micros) {
        self.wake = self.wake.min(time);
    }

    /// The work of the bond.
    fn work(&mut self) {
        self.wake = Micros::MAX;
        let found = self.finds_change();
        let now = self.now;
        let outcome = self.at(|net| net.world.event(Event::Probed { now }));
        assert!(
            found || !(outcome.active_changed || outcome.links_changed),
            "{}",
            self.story()
        );
        self.send_round();
        let deadlines: Vec<_> = self
            .keys()
            .filter(|&key| self.state(key) == LinkState::Up)
            .map(|key| self.monitor.deadline(self.duty(key), &self.traffic(key)))
            .filter(|&time| time > self.now)
            .collect();
        let next = self.next_round();
        self.wake_by(deadlines.into_iter().fold(next, Micros::min) + LATE);
    }

    /// The check by which a driver finds out without locks whether it must take any.
    fn finds_change(&self) -> bool {
        self.is_searching()
            || self.keys().any(|key| {
                let port = self.world.port(key);
                let verdict =
                    self.monitor
                        .verdict(port.link, self.duty(key), &self.traffic(key), self.now);
                port.carrier && verdict != Verdict::Keep
            })
    }

    fn sends(&self, key: u32) -> bool {
        if self.monitor.one_sends() {
            self.active().or(self.world.group.tried) == Some(key)
        } else {
            self.world.port(key).carrier
        }
    }

    fn next_round(&self) -> Micros {
        let heard = self
            .keys()
            .filter(|&key| self.sends(key))
            .all(|key| self.traffic(key).last_rx >= self.round);
        self.monitor
            .next_round(self.round, heard, self.is_searching())
    }

    fn is_searching(&self) -> bool {
        self.monitor.one_sends() && self.active().is_none()
    }

    fn send_round(&mut self) {
        let due = self.round == 0 || self.now >= self.next_round();
        if !self.hurry && !due {
            return;
        }
        // A probe that is sent early is an extra one; while slaves are tried, it starts the
        // interval.
        let counts = due || self.is_searching();
        let last = self.round;
        self.hurry = false;
        if counts {
            self.round = self.now;
        }
        for key in self.keys() {
            let sends = self.sends(key);
            if counts {
                let sent = sends.then(|| self.world.port(key).carrier && !self.cannot_send);
                let traffic = self.traffic(key).after_round(last, sent);
                self.world.slaves.set_traffic(key, traffic);
            }
            if sends {
                self.probe(key);
            }
        }
    }

    /// A slave broadcasts a request; the target answers.
    fn probe(&mut self, from: u32) {
        self.log.push((self.now, Entry::Probe(from)));
        self.lines[from as usize].last_tx = self.now;
        if !self.passes(from) || self.cannot_send {
            return;
        }
        let spared = self.keys().any(|key| self.line(key).lost >= self.noise);
        if self.lose > 0 {
            self.lose -= 1;
            return;
        }
        if !spared && self.roll(4) == 0 {
            let listens = self.monitor.one_sends();
            let lines = (0..).zip(&mut self.lines);
            lines
                .filter(|(key, _)| listens || *key == from)
                .for_each(|(_, line)| line.lost += 1);
            return;
        }
        for key in self.keys() {
            if key != from {
                self.fly(key, false);
            } else if self.target {
                self.fly(self.misled.unwrap_or(key), true);
            }
        }
    }

    /// Sends a frame on its way to a slave, unless it gets lost. It takes less than a quarter of an
    /// interval.
    fn fly(&mut self, to: u32, is_reply: bool) {
        if !is_reply && self.validate && !self.monitor.one_sends() {
            // The frame would not count.
            return;
        }
        if self.line(to).lost < self.noise && self.roll(3) == 0 {
            self.lines[to as usize].lost += 1;
            return;
        }
        let counts = is_reply || !self.validate || self.active_was_heard() == Some(true);
        let line = &mut self.lines[to as usize];
        if counts {
            line.lost = 0;
        } else {
            // The frame comes too early to count, which is as bad.
            line.lost += 1;
        }
        let latency = self.roll(self.interval / 4);
        self.sent += 1;
        let frame = Frame { to, is_reply };
        self.air.insert((self.now + latency, self.sent), frame);
    }

    fn roll(&mut self, sides: u64) -> u64 {
        self.dice ^= self.dice << 13;
        self.dice ^= self.dice >> 7;
        self.dice ^= self.dice << 17;
        (self.dice >> 32) % sides.max(1)
    }

    fn receive_all(&mut self) {
        while let Some(entry) = self.air.first_entry().filter(|it| it.key().0 <= self.now) {
            let frame = entry.remove();
            if self.passes(frame.to) {
                self.receive(frame);
            }
        }
    }

    fn receive(&mut self, frame: Frame) {
        let key = frame.to;
        if self.validate && !self.counts(frame) {
            return;
        }
        let mut traffic = self.traffic(key);
        let resolution = self.monitor.resolution();
        if !is_news(traffic.last_rx, self.round, resolution, self.now) {
            return;
        }
        traffic.last_rx = self.now;
        let traffic = traffic.answered(self.round);
        self.world.slaves.set_traffic(key, traffic);
        self.lines[key as usize].innocent = self.works(key);
        if self.state(key) != LinkState::Up {
            self.wake_by(self.now);
        }
    }

    fn active_was_heard(&self) -> Option<bool> {
        let traffic = self.traffic(self.active()?);
        Some(traffic.last_rx > traffic.since)
    }

    fn counts(&self, frame: Frame) -> bool {
        let tried = self.world.group.tried;
        let receiver = Receiver {
            is_active: self.sends(frame.to),
            active_was_heard: self.active_was_heard(),
            tried_lately: tried
                .is_some_and(|key| self.monitor.is_recent(self.line(key).last_tx, self.now)),
        };
        match receiver.trusts(frame.is_reply) {
            Some(Trust::Answer) => frame.is_reply,
            Some(Trust::Probe) => !frame.is_reply,
            None => false,
        }
    }
}
