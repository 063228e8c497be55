// SPDX-License-Identifier: GPL-2.0

//! Who notices that a link changed: the kernel's events at once, and the poll every `miimon` ms for
//! drivers that report late or not at all.
//!
//! One work item per bond does all that waits ([`Task`]): ends of delays, repeated announcements, what a failover
//! had to leave for later. It never waits for RTNL, since closing a bond waits for it under RTNL. The
//! polls of all bonds share one timer ([`net::device::Dev::poll_every`]) and take no lock; one that finds something
//! new has the work of that bond run.

use super::device::{all_have_addrs, forget_lists, retry_lists};
use super::failover;
use super::message::{netdev_info, NameOf, Text};
use super::slave::{read_link_settings, set_roles, tell_rest, Key, Slaves};
use super::wake::{self, Task};
use super::{
    address, announce, arp, link_type, paths, release, transmit, xdp, Bond, BondDev, SlaveDev,
};
use core::sync::atomic::Ordering;
use kernel::error::Result;
use net::device::Dev;
use net::ethtool::Answer;
use net::netdev_lock::{Askable, Held};
use net::netdevice::{NetDevice, ARPHRD_ETHER};
use net::netlink::ExtAck;
use net::notifier::{self, Announce, Listener};
use net::published::Slot;
use net::rcu::Rcu;
use net::rtnl::{self, Rtnl, RtnlOnly};
use net::sync::{msecs_to_jiffies, now_us};
use policy::arp::Micros;
use policy::{Config, Event};

/// How long to wait for RTNL before the next try, in µs; the shortest time that there is. Whoever holds RTNL lets go
/// of it, which is the bound, and a try costs next to nothing: to wait longer would put off failovers.
const RETRY: Micros = 1000;

/// Starts the monitor of a bond that goes up.
pub(super) fn open(dev: &BondDev, rtnl: &RtnlOnly) {
    set_roles(dev, &Held::none(rtnl));
    admit_all(dev, rtnl);
    restart(dev, rtnl);
}

/// While the bond is down, nobody looks at what its slaves receive.
fn admit_all(dev: &BondDev, rtnl: &Rtnl) {
    dev.lowers(rtnl)
        .for_each(|slave| arp::admit(dev, slave, rtnl));
}

/// Looks at all links now, and goes on from there. Without effect while the bond is down.
pub(super) fn restart(dev: &BondDev, rtnl: &Rtnl) {
    let config = dev.data().config();
    dev.poll_every(msecs_to_jiffies(config.miimon), rtnl);
    Bond::wake_at_ms(dev, Task::Delays, None);
    if config.is_monitored() {
        Bond::wake(dev, Task::Look);
    }
    if config.is_probed() {
        arp::restart(dev, rtnl);
    }
    paths::renew(dev);
}

/// Stops the monitor of a bond that goes down.
pub(super) fn stop(dev: &BondDev, rtnl: &RtnlOnly) {
    dev.stop_polling(rtnl);
    dev.cancel_work(rtnl);
    Bond::wake_at_ms(dev, Task::Delays, None);
    arp::stop(dev);
    forget_lists(dev, rtnl);
    paths::cancel(dev);
    announce::cancel(dev, rtnl);
    admit_all(dev, rtnl);
    failover::settle(dev, &Held::none(rtnl));
    if all_have_addrs(dev) {
        dev.lowers(rtnl)
            .for_each(|slave| slave.dev().unsync_addrs_from(rtnl, dev));
    } else if let Some(slave) = dev.settled(rtnl) {
        slave.dev().unsync_addrs_from(rtnl, dev);
    }
    // Listeners that were not told yet are told while the bond is down.
    dev.run_work_at(dev.data().wake.next());
}

/// The work of a bond: does what is due, and comes back when the next thing is.
pub(super) fn work(dev: &BondDev) {
    let wake = &dev.data().wake;
    let now = now_us();
    if wake.take(Task::Paths, now) {
        paths::round(dev);
    }
    let is_probed = dev.data().config().is_probed();
    let needs_rtnl = wake.any_due(&Task::UNDER_RTNL, now) || is_probed && finds_news(dev);
    let mut next = wake::NEVER;
    if needs_rtnl {
        match rtnl::try_lock() {
            Some(rtnl) => do_due(dev, &rtnl),
            None => next = now.saturating_add(RETRY),
        }
    }
    // Whoever sets these has the probes looked at, whatever the time.
    wake.take(Task::Probes, now);
    let hurry = wake.take(Task::Hurry, now);
    if is_probed {
        arp::round(dev, hurry);
    }
    if next == wake::NEVER {
        next = dev.data().wake.next();
    }
    dev.run_work_at(next);
}

/// Does what is due and needs RTNL.
fn do_due(dev: &BondDev, rtnl: &RtnlOnly) {
    let wake = &dev.data().wake;
    let held = &Held::none(rtnl);
    let is_due = |task| wake.take(task, now_us());
    if is_due(Task::Settle) {
        failover::settle(dev, held);
    }
    if is_due(Task::Mtu) {
        link_type::follow_mtu(dev, rtnl);
    }
    if is_due(Task::Lists) {
        retry_lists(dev, rtnl);
    }
    let (looks, delay_is_over) = (is_due(Task::Look), is_due(Task::Delays));
    if dev.is_running() {
        let slaves = Slaves { dev, rtnl };
        if looks {
            slaves.read_carriers(rtnl);
            failover::handle(dev, Event::Poll, held);
        }
        if dev.data().config().is_probed() {
            slaves.read_carriers(rtnl);
            let event = Event::Probed { now: now_us() };
            failover::handle(dev, event, held);
        } else if delay_is_over {
            slaves.read_carriers(rtnl);
            failover::handle(dev, Event::Tick, held);
        }
    }
    if is_due(Task::Notify) && dev.is_running() {
        announce::step(dev, rtnl);
    }
    if is_due(Task::Listeners) {
        tell_rest(dev, rtnl);
    }
}

/// Whether the ARP monitor has something to decide. Process context, without RTNL.
fn finds_news(dev: &BondDev) -> bool {
    let rcu = net::rcu::read_lock();
    let is_known = |slave: &SlaveDev| slave.data().knows(slave.dev().has_link());
    let all_known = dev.lowers_rcu(&rcu).all(is_known);
    drop(rcu);
    !all_known || arp::finds_change(dev)
}

/// Reads the carrier of a device that is, or becomes, a slave. May send link events of the device.
///
/// `known` is what counts while the driver cannot be asked: what it said last.
pub(super) fn carrier(device: &Askable<'_>, config: &Config, known: bool) -> bool {
    if config.reads_carrier() {
        return device.dev().has_link();
    }
    device.dev().is_running()
        && match device.driver_link() {
            Answer::Told(link) => link,
            Answer::NotNow => known,
            Answer::Never => true,
        }
}

/// Polls the links, for drivers that report late or not at all. Takes no lock: if there is something
/// new, the work sees to it.
#[inline]
pub(super) fn poll(dev: &BondDev, rcu: &Rcu) {
    let finds_nothing = dev.data().reads_carrier.load(Ordering::Relaxed)
        && dev
            .lowers_rcu(rcu)
            .all(|slave| slave.data().expects(slave.dev().has_link()));
    if !finds_nothing {
        Bond::wake(dev, Task::Look);
    }
}

/// Listens to the events of all devices.
pub(crate) struct Events;

impl Listener for Events {
    fn event(
        device: &NetDevice,
        event: notifier::Event,
        extack: Option<&ExtAck>,
        held: &Held<'_>,
    ) -> Result {
        let rtnl: &Rtnl = held;
        if !device.is_bonding() {
            return Ok(());
        }
        if event == notifier::Event::Change {
            if let Some(dev) = Dev::<Bond>::from_netdev(device) {
                // Its carrier came back, and with it a way for what waits to be announced.
                announce::step(dev, rtnl);
            }
        }
        if !device.is_slave() {
            return Ok(());
        }
        let Some(dev) = device.master(rtnl).and_then(Dev::<Bond>::from_netdev) else {
            return Ok(());
        };
        match dev.lower_of(rtnl, device) {
            Some(slave) if event == notifier::Event::PreTypeChange => {
                link_type::keep_type(dev, slave.dev(), extack, rtnl)
            }
            Some(slave) => {
                slave_event(dev, slave, event, held);
                Ok(())
            }
            None => Ok(()),
        }
    }
}

fn slave_event(dev: &BondDev, slave: &SlaveDev, event: notifier::Event, held: &Held<'_>) {
    use notifier::Event::*;
    let rtnl: &Rtnl = held;
    match event {
        // No instance lock is held.
        Unregister => held
            .rtnl_only()
            .into_iter()
            .for_each(|rtnl| release::release_unregistered(dev, slave, rtnl)),
        Up | Change | Down => link_event(dev, slave, event, held),
        ChangeName => renamed(dev, slave, held),
        FeatChange => update_features(dev, rtnl),
        ChangeAddr => address::slave_changed(dev, slave, rtnl),
        ChangeMtu => match held.rtnl_only() {
            Some(rtnl) => link_type::follow_mtu(dev, rtnl),
            None => Bond::wake(dev, Task::Mtu),
        },
        ResendIgmp => {
            let _ = dev.announce(rtnl, Announce::ResendIgmp);
        }
        XdpFeatChange => xdp::update_features(dev, rtnl),
        Register | PreTypeChange => {}
    }
}

/// The device of a slave was opened or closed, or its carrier may be another.
fn link_event(dev: &BondDev, slave: &SlaveDev, event: notifier::Event, held: &Held<'_>) {
    let rtnl: &Rtnl = held;
    // Nothing can be asked of what is closed.
    let device = held
        .ask(slave.dev())
        .filter(|_| event != notifier::Event::Down);
    if let Some(device) = &device {
        read_link_settings(slave, device, rtnl);
    }
    if dev.is_running() && dev.data().link_events.load(Ordering::Relaxed) {
        let config = dev.data().config();
        let known = match event {
            // What was known is that it was closed.
            notifier::Event::Up => slave.dev().has_link(),
            _ => slave.data().port().carrier,
        };
        let up = match &device {
            Some(device) => carrier(device, &config, known),
            None => slave.dev().has_link(),
        };
        let key = Key(slave);
        failover::handle(dev, Event::Carrier { key, up }, held);
        if up && config.is_probed() {
            arp::hurry(dev);
        }
    }
    transmit::links_changed(dev, None, rtnl);
    if slave.dev().has_link() {
        let active = dev.slot(rtnl, Slot::Active).map(Key);
        let is_active = active == Some(Key(slave));
        link_type::partition_seen(dev, slave.dev(), is_active, rtnl);
        // The groups of the targets are others in another partition.
        arp::admit(dev, slave, rtnl);
    }
}

/// A slave has another name: is it the primary now, or not any more?
fn renamed(dev: &BondDev, slave: &SlaveDev, held: &Held<'_>) {
    let rtnl: &Rtnl = held;
    let config = dev.data().config();
    let Some(primary) = config.primary.filter(|_| config.mode.uses_primary()) else {
        return;
    };
    let was = dev.slot(rtnl, Slot::Primary);
    if was.map(Key) == Some(Key(slave)) {
        dev.set_slot(rtnl, Slot::Primary, None);
        netdev_info!(
            dev,
            "Primary slave changed to none, reselecting active slave"
        );
    } else if primary.as_bytes() == slave.dev().name().as_bytes() {
        dev.set_slot(rtnl, Slot::Primary, Some(slave));
        netdev_info!(
            dev,
            "Primary slave changed to {}, reselecting active slave",
            Text(NameOf(slave.dev()))
        );
    } else {
        return;
    }
    failover::handle(dev, Event::PrimaryRenamed, held);
}

/// Computes the bond's features from those of its slaves.
pub(super) fn update_features(dev: &BondDev, rtnl: &Rtnl) {
    let computing = &dev.data().computing_features;
    if !computing.get(rtnl) {
        computing.set(rtnl, true);
        // While a bond that is not Ethernet waits for a slave it is up, and its headers stay as long as they
        // are: packets that are on their way when the slave comes have no more room than they were made with.
        let waits = dev.lowers(rtnl).next().is_none() && dev.link_type() != ARPHRD_ETHER;
        dev.update_master_features(!waits, rtnl);
        computing.set(rtnl, false);
    }
}
