// SPDX-License-Identifier: GPL-2.0

//! A bond in a test: slaves in a `Vec`, a clock, and what a driver does around `handle`.

use std::cell::{Cell, RefCell};

use policy::arp::Traffic;
use policy::{
    handle, Config, DeviceState, Event, Group, Link, Millis, Mode, OptionId, Outcome, Port, Ports,
    Transition, Value,
};

/// The slaves of a bond, in the order in which they were enslaved.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Slaves(RefCell<Vec<Slave>>);

#[derive(Clone, Debug, PartialEq)]
struct Slave {
    key: u32,
    port: Cell<Port>,
    traffic: Cell<Traffic>,
}

impl Slaves {
    fn find<R>(&self, key: u32, then: impl FnOnce(&Slave) -> R) -> R {
        let slaves = self.0.borrow();
        then(
            slaves
                .iter()
                .find(|slave| slave.key == key)
                .expect("no such slave"),
        )
    }

    pub(crate) fn set_traffic(&self, key: u32, traffic: Traffic) {
        self.find(key, |slave| slave.traffic.set(traffic));
    }
}

impl Ports for Slaves {
    type Key = u32;

    fn keys(&self) -> impl Iterator<Item = u32> + Clone {
        self.0
            .borrow()
            .iter()
            .map(|slave| slave.key)
            .collect::<Vec<_>>()
            .into_iter()
    }

    fn get(&self, key: u32) -> Port {
        self.find(key, |slave| slave.port.get())
    }

    fn set(&self, key: u32, port: Port) {
        self.find(key, |slave| slave.port.set(port));
    }

    fn traffic(&self, key: u32) -> Traffic {
        self.find(key, |slave| slave.traffic.get())
    }
}

/// One event and what came of it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Step {
    pub(crate) now: Millis,
    pub(crate) event: Event<u32>,
    pub(crate) config: Config,
    pub(crate) group: Group<u32>,
    pub(crate) before: Vec<(u32, Port)>,
    pub(crate) after: Vec<(u32, Port)>,
    pub(crate) outcome: Outcome<u32>,
    /// The slaves whose carrier has changed without the bond having had a look since.
    pub(crate) unseen: Vec<u32>,
}

/// A bond and its world.
#[derive(Clone, Debug)]
pub(crate) struct World {
    pub(crate) slaves: Slaves,
    pub(crate) group: Group<u32>,
    pub(crate) config: Config,
    pub(crate) now: Millis,
    /// Which slave the primary option names.
    pub(crate) primary: Option<u32>,
    pub(crate) last: Option<Outcome<u32>>,
    pub(crate) unseen: Vec<u32>,
    pub(crate) log: Vec<Step>,
}

impl World {
    pub(crate) fn new(config: Config) -> World {
        World {
            slaves: Slaves::default(),
            group: Group::EMPTY,
            config,
            now: 1_000,
            primary: None,
            last: None,
            unseen: Vec::new(),
            log: Vec::new(),
        }
    }

    /// An active-backup bond with these options.
    pub(crate) fn active_backup(options: &[(OptionId, u64)]) -> World {
        World::new(config(Mode::ActiveBackup, options))
    }

    /// A balance-rr bond with these options.
    pub(crate) fn round_robin(options: &[(OptionId, u64)]) -> World {
        World::new(config(Mode::RoundRobin, options))
    }

    pub(crate) fn event(&mut self, event: Event<u32>) -> Outcome<u32> {
        let (group, before) = (self.group, self.ports());
        let outcome = handle(&self.slaves, self.group, &self.config, event, self.now);
        self.group = outcome.group;
        self.last = Some(outcome);
        self.note_unseen(event);
        self.log.push(Step {
            now: self.now,
            event,
            config: self.config,
            group,
            before,
            after: self.ports(),
            outcome,
            unseen: self.unseen.clone(),
        });
        outcome
    }

    fn note_unseen(&mut self, event: Event<u32>) {
        let events = self.config.link_events;
        match event {
            Event::Carrier { key, .. } | Event::Enslaved { key } | Event::Released { key } => {
                self.unseen.retain(|&it| it != key);
                if matches!(event, Event::Carrier { .. }) && !events {
                    self.unseen.push(key);
                }
            }
            Event::Poll if self.config.is_monitored() => self.unseen.clear(),
            Event::Tick if events => self.unseen.clear(),
            Event::OptionsChanged { effects } if effects.monitor => self.unseen.clear(),
            _ => {}
        }
    }

    pub(crate) fn has(&self, key: u32) -> bool {
        self.slaves.keys().any(|it| it == key)
    }

    pub(crate) fn port(&self, key: u32) -> Port {
        self.slaves.get(key)
    }

    pub(crate) fn ports(&self) -> Vec<(u32, Port)> {
        self.slaves
            .keys()
            .map(|key| (key, self.port(key)))
            .collect()
    }

    /// Reports the pending transition of a slave, as the driver does.
    pub(crate) fn take(&self, key: u32) -> Option<Transition> {
        let mut port = self.port(key);
        let pending = port.pending.take();
        self.slaves.set(key, port);
        pending
    }

    pub(crate) fn enslave(&mut self, key: u32, carrier: bool) -> Outcome<u32> {
        let link = Link::initial(
            carrier,
            self.config.delays(),
            self.config.is_monitored(),
            self.now,
        );
        self.slaves.0.borrow_mut().push(Slave {
            key,
            port: Cell::new(Port::new(link, carrier)),
            traffic: Cell::default(),
        });
        if self.primary == Some(key) && self.config.mode.uses_primary() {
            self.group.primary = Some(key);
            self.group.force_primary = true;
        }
        self.event(Event::Enslaved { key })
    }

    pub(crate) fn release(&mut self, key: u32) -> Outcome<u32> {
        self.slaves.0.borrow_mut().retain(|slave| slave.key != key);
        self.event(Event::Released { key })
    }

    pub(crate) fn carrier(&mut self, key: u32, up: bool) -> Outcome<u32> {
        self.event(Event::Carrier { key, up })
    }

    /// Changes a carrier without an event; only a poll can find out.
    pub(crate) fn silently(&mut self, key: u32, up: bool) {
        let mut port = self.port(key);
        port.carrier = up;
        self.slaves.set(key, port);
        self.unseen.push(key);
    }

    pub(crate) fn poll(&mut self) -> Outcome<u32> {
        self.event(Event::Poll)
    }

    /// Lets time pass, ticking whenever the bond asked for it.
    pub(crate) fn pass(&mut self, ms: Millis) -> Option<Outcome<u32>> {
        let end = self.now.saturating_add(ms);
        while let Some(due) = self
            .last
            .and_then(|it| it.deadline)
            .filter(|&due| due <= end)
        {
            self.now = self.now.max(due);
            let again = self.event(Event::Tick).deadline;
            assert!(
                again.is_none_or(|it| it > self.now),
                "{again:?} is over at {}",
                self.now
            );
        }
        self.now = end;
        self.last
    }

    pub(crate) fn set_prio(&mut self, key: u32, prio: i32) -> Outcome<u32> {
        let mut port = self.port(key);
        port.prio = prio;
        self.slaves.set(key, port);
        self.event(Event::PrioChanged)
    }

    /// Sets an option of the bond to a number, as the driver does; false if it is refused.
    pub(crate) fn set(&mut self, id: OptionId, number: u64) -> bool {
        let state = DeviceState {
            has_slaves: self.slaves.keys().next().is_some(),
            is_up: true,
            has_xdp: false,
        };
        match self.config.apply(id, Value::Number(number), state) {
            Ok((config, effects)) => {
                self.config = config;
                self.event(Event::OptionsChanged { effects });
                true
            }
            Err(_) => false,
        }
    }

    /// Names a primary slave, enslaved or not, or none.
    pub(crate) fn set_primary(&mut self, primary: Option<u32>) {
        let before = self.group.primary;
        self.primary = primary;
        self.group.primary = primary.filter(|&key| self.has(key));
        self.group.force_primary |= self.group.primary.is_some();
        let effects = policy::Effects {
            primary: true,
            reselect: primary.is_none() || self.group.primary.is_some() || before.is_some(),
            ..Default::default()
        };
        self.event(Event::OptionsChanged { effects });
    }
}

/// The default configuration with this mode and these options, in order.
pub(crate) fn config(mode: Mode, options: &[(OptionId, u64)]) -> Config {
    let config = Config::default().with_mode(mode);
    options.iter().fold(config, |config, &(id, number)| {
        config
            .apply(id, Value::Number(number), DeviceState::default())
            .expect("valid option")
            .0
    })
}
