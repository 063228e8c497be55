// SPDX-License-Identifier: GPL-2.0

//! What a bond still has to do, and when.
//!
//! Each task has one time, which its owner sets ([`Bond::wake`](super::master::Bond::wake) and
//! similar functions); nothing else records what is still to be done. The work of the bond runs at
//! the earliest of these times, and does what is due.

use kernel::sync::atomic::{Acquire, Atomic, Release};
use net::sync::update_u64;
use policy::arp::Micros;
use policy::Millis;

/// A time that never comes, in µs.
pub(super) const NEVER: Micros = net::alarm::NEVER;

/// Something that a bond does later.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Task {
    /// Move what belongs to the traffic to where the traffic is now.
    Settle,
    /// Follow a slave whose MTU became smaller.
    Mtu,
    /// Give the slaves the bond's address lists again.
    Lists,
    /// Look at all links.
    Look,
    /// Look at the links because an `updelay` or a `downdelay` is over.
    Delays,
    /// Send peer notifications and IGMP reports.
    Notify,
    /// Tell listeners about the state of slaves.
    Listeners,
    /// Send a round of probes, or judge the answers to them.
    Probes,
    /// Send one more probe at once, since a link may work again.
    Hurry,
    /// Ask for the paths to the neighbours.
    Paths,
    /// Run the machines of LACP.
    Lacp,
    /// Follow what LACP has decided.
    Aggregate,
    /// Ask the drivers of slaves for speed and duplex mode again.
    Speed,
    /// Look at what the slaves have sent.
    Balance,
    /// Send learning frames.
    Learn,
    /// Tell clients which slave to send to.
    Clients,
    /// Have the active slave receive for those without link.
    Adopt,
    /// Announce the stations behind bridges.
    Stations,
}

impl Task {
    const ALL: [Task; 18] = [
        Task::Settle,
        Task::Mtu,
        Task::Lists,
        Task::Look,
        Task::Delays,
        Task::Notify,
        Task::Listeners,
        Task::Probes,
        Task::Hurry,
        Task::Paths,
        Task::Lacp,
        Task::Aggregate,
        Task::Speed,
        Task::Balance,
        Task::Learn,
        Task::Clients,
        Task::Adopt,
        Task::Stations,
    ];

    /// The tasks that need RTNL.
    pub(super) const UNDER_RTNL: [Task; 11] = [
        Task::Settle,
        Task::Mtu,
        Task::Lists,
        Task::Look,
        Task::Delays,
        Task::Notify,
        Task::Listeners,
        Task::Aggregate,
        Task::Speed,
        Task::Adopt,
        Task::Stations,
    ];
}

/// The time of a task, in µs of the monotonic clock; 0 for at once.
struct Due(Atomic<u64>);

impl Due {
    const fn never() -> Self {
        Due(Atomic::new(NEVER))
    }
}

/// The times of all tasks. Any context.
pub(super) struct Wake {
    settle: Due,
    mtu: Due,
    lists: Due,
    look: Due,
    delays: Due,
    notify: Due,
    listeners: Due,
    probes: Due,
    hurry: Due,
    paths: Due,
    lacp: Due,
    aggregate: Due,
    speed: Due,
    balance: Due,
    learn: Due,
    clients: Due,
    adopt: Due,
    stations: Due,
}

impl Wake {
    pub(super) const fn new() -> Self {
        Wake {
            settle: Due::never(),
            mtu: Due::never(),
            lists: Due::never(),
            look: Due::never(),
            delays: Due::never(),
            notify: Due::never(),
            listeners: Due::never(),
            probes: Due::never(),
            hurry: Due::never(),
            paths: Due::never(),
            lacp: Due::never(),
            aggregate: Due::never(),
            speed: Due::never(),
            balance: Due::never(),
            learn: Due::never(),
            clients: Due::never(),
            adopt: Due::never(),
            stations: Due::never(),
        }
    }

    fn time(&self, task: Task) -> &Atomic<u64> {
        let Due(time) = match task {
            Task::Settle => &self.settle,
            Task::Mtu => &self.mtu,
            Task::Lists => &self.lists,
            Task::Look => &self.look,
            Task::Delays => &self.delays,
            Task::Notify => &self.notify,
            Task::Listeners => &self.listeners,
            Task::Probes => &self.probes,
            Task::Hurry => &self.hurry,
            Task::Paths => &self.paths,
            Task::Lacp => &self.lacp,
            Task::Aggregate => &self.aggregate,
            Task::Speed => &self.speed,
            Task::Balance => &self.balance,
            Task::Learn => &self.learn,
            Task::Clients => &self.clients,
            Task::Adopt => &self.adopt,
            Task::Stations => &self.stations,
        };
        time
    }

    /// Sets the time of a task, in place of the previous one. The caller has to have the work run
    /// at that time.
    pub(super) fn set(&self, task: Task, due: Micros) {
        self.time(task).store(due, Release);
    }

    /// Does the same with a time in ms, or with none. Returns the time in µs.
    pub(super) fn set_ms(&self, task: Task, due: Option<Millis>) -> Micros {
        let due = due.map_or(NEVER, |due| due.saturating_mul(1000));
        self.set(task, due);
        due
    }

    /// Returns whether the task is due, and forgets its time if so. What is read after that
    /// includes what was stored before the time was set.
    pub(super) fn take(&self, task: Task, now: Micros) -> bool {
        let take = |due: Micros| (due <= now).then_some(NEVER);
        update_u64(self.time(task), take).is_ok()
    }

    /// Returns whether one of these tasks is due.
    pub(super) fn any_due(&self, tasks: &[Task], now: Micros) -> bool {
        let is_due = |task: &Task| self.time(*task).load(Acquire) <= now;
        tasks.iter().any(is_due)
    }

    /// Returns the earliest of all times.
    pub(super) fn next(&self) -> Micros {
        let times = Task::ALL.iter().map(|task| self.time(*task));
        let next = times.map(|time| time.load(Acquire)).min();
        next.unwrap_or(NEVER)
    }
}
