// SPDX-License-Identifier: GPL-2.0

//! Who notices that a link changed: the kernel's events at once, and the poll every `miimon` ms for
//! drivers that report late or not at all.
//!
//! One work item per bond does all that waits: ends of delays, repeated announcements, what a failover
//! had to leave for later. It never waits for RTNL, since closing a bond waits for it under RTNL. The
//! polls of all bonds share one timer ([`net::poll`]) and take no lock; one that finds something new
//! has the work of that bond run.

use super::device::{all_have_addrs, forget_lists, retry_lists};
use super::failover::{self, Source};
use super::message::{netdev_info, NameOf, Text};
use super::slave::{read_link_settings, set_roles, tell_rest, Key, Slaves};
use super::{
    address, announce, arp, link_type, paths, release, transmit, xdp, Bond, BondDev, SlaveDev,
};
use core::sync::atomic::Ordering;
use kernel::error::Result;
use net::device::Dev;
use net::ethtool::Answer;
use net::netdevice::{NetDevice, ARPHRD_ETHER};
use net::netlink::ExtAck;
use net::notifier::{self, Announce, Listener};
use net::poll;
use net::published::Slot;
use net::rcu::Rcu;
use net::rtnl::{self, Rtnl};
use net::sync::{jiffies, msecs_to_jiffies, now_ms, now_us};
use policy::{Config, Event, Millis};

pub(super) const NEVER: Millis = u64::MAX;

/// How long to wait for RTNL before the next try, in ms; the shortest time that there is. Whoever holds RTNL lets go
/// of it, which is the bound, and a try costs next to nothing: to wait longer would put off failovers.
const RETRY_MS: u32 = 1;

/// Starts the monitor of a bond that goes up.
pub(super) fn open(dev: &BondDev, rtnl: &Rtnl) {
    set_roles(dev, Source::Plain, rtnl);
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
    let bond = dev.data();
    let config = bond.config();
    bond.deadline.store(NEVER, Ordering::Relaxed);
    let next = next_poll(&bond, jiffies());
    bond.next_poll.store(next, Ordering::Relaxed);
    if next == poll::NEVER {
        dev.stop_polling(rtnl);
    } else {
        dev.poll_at(next, rtnl);
    }
    if config.is_monitored() {
        bond.look.store(true, Ordering::Release);
        kick(dev);
    }
    if config.is_probed() {
        arp::restart(dev, rtnl);
    }
    paths::renew(dev);
    arm(dev, rtnl);
}

/// Stops the monitor of a bond that goes down.
pub(super) fn stop(dev: &BondDev, rtnl: &Rtnl) {
    let bond = dev.data();
    dev.stop_polling(rtnl);
    bond.next_poll.store(poll::NEVER, Ordering::Relaxed);
    dev.cancel_work(rtnl);
    bond.deadline.store(NEVER, Ordering::Relaxed);
    forget_lists(dev, rtnl);
    paths::cancel(dev);
    announce::cancel(dev, rtnl);
    admit_all(dev, rtnl);
    failover::settle(dev, Source::Plain, rtnl);
    if all_have_addrs(dev) {
        dev.lowers(rtnl)
            .for_each(|slave| slave.dev().unsync_addrs_from(rtnl, dev));
    } else if let Some(slave) = dev.settled(rtnl) {
        slave.dev().unsync_addrs_from(rtnl, dev);
    }
    // Listeners that were not told yet are told while the bond is down.
    arm(dev, rtnl);
}

/// Notes when the next delay ends. A bond that is down does not wait: it looks when it goes up.
pub(super) fn set_deadline(dev: &BondDev, deadline: Option<Millis>) {
    let deadline = deadline.filter(|_| dev.is_running());
    dev.data()
        .deadline
        .store(deadline.unwrap_or(NEVER), Ordering::Relaxed);
}

/// Has the work run as soon as possible.
pub(super) fn kick(dev: &BondDev) {
    dev.data().kicked.store(true, Ordering::Release);
    dev.schedule(0);
}

/// Has the work run when the next thing is due.
pub(super) fn arm(dev: &BondDev, rtnl: &Rtnl) {
    let due = announce::due(dev, rtnl).min(next_due(dev));
    schedule_for(dev, due);
}

fn next_due(dev: &BondDev) -> Millis {
    let bond = dev.data();
    bond.deadline
        .load(Ordering::Relaxed)
        .min(bond.lists_due.load(Ordering::Relaxed))
        .min(paths::due(dev))
}

fn schedule_for(dev: &BondDev, due: Millis) {
    if dev.data().kicked.load(Ordering::Acquire) {
        dev.schedule(0);
    } else if due != NEVER {
        dev.schedule(delay_until(due));
    }
}

/// How long to wait for a time that comes, in ms. The kernel's timers may be late by an eighth of a long
/// wait, so that it is made in steps which fall short of the time.
fn delay_until(due: Millis) -> u32 {
    const SHORT_MS: u32 = 60;
    let delay = u32::try_from(due.saturating_sub(now_ms())).unwrap_or(u32::MAX);
    if delay <= SHORT_MS {
        delay
    } else {
        delay.wrapping_sub(delay >> 3)
    }
}

/// The work of a bond.
pub(super) fn work(dev: &BondDev) {
    let bond = dev.data();
    paths::round(dev);
    if bond.config().is_probed() {
        if is_idle(dev) && !arp::finds_change(dev) {
            return arp::round(dev);
        }
    } else if is_idle(dev) {
        // Whoever asked for something meanwhile has scheduled the work for an earlier time.
        return match paths::due(dev) {
            NEVER => (),
            due => dev.schedule_if_idle(delay_until(due)),
        };
    }
    let Some(rtnl) = rtnl::try_lock() else {
        arp::round(dev);
        // Whoever holds RTNL now and arms the work for later does not put this off.
        bond.kicked.store(true, Ordering::Release);
        return dev.schedule(RETRY_MS);
    };
    let rtnl: &Rtnl = &rtnl;
    // Reads all that who has kicked has stored before.
    bond.kicked.swap(false, Ordering::AcqRel);
    failover::settle(dev, Source::Plain, rtnl);
    retry_lists(dev, rtnl);

    let now = now_ms();
    if dev.is_running() {
        let slaves = Slaves { dev, rtnl };
        if bond.look.swap(false, Ordering::Acquire) {
            slaves.read_carriers();
            failover::handle(dev, Event::Poll, Source::Plain, rtnl);
        }
        if bond.config().is_probed() {
            slaves.read_carriers();
            let event = Event::Probed { now: now_us() };
            failover::handle(dev, event, Source::Plain, rtnl);
        } else if bond.deadline.load(Ordering::Relaxed) <= now {
            slaves.read_carriers();
            failover::handle(dev, Event::Tick, Source::Plain, rtnl);
        }
        announce::step(dev, rtnl);
    }
    tell_rest(dev, rtnl);
    arp::round(dev);
    arm(dev, rtnl);
}

/// Reads the carrier of a device that is, or becomes, a slave; `locked` as in
/// [`link_settings`](NetDevice::link_settings). May send link events of the device.
///
/// `known` is what counts while the driver cannot be asked: what it said last.
pub(super) fn carrier(
    device: &NetDevice,
    config: &Config,
    known: bool,
    locked: bool,
    rtnl: &Rtnl,
) -> bool {
    if config.reads_carrier() {
        return device.has_link();
    }
    device.is_running()
        && match device.driver_link(rtnl, locked) {
            Answer::Told(link) => link,
            Answer::NotNow => known,
            Answer::Never => true,
        }
}

/// Returns whether nothing is to be done but to send what is sent at intervals.
fn is_idle(dev: &BondDev) -> bool {
    let bond = dev.data();
    let rcu = net::rcu::read_lock();
    !bond.kicked.load(Ordering::Acquire)
        && bond.deadline.load(Ordering::Relaxed) == NEVER
        && bond.lists_due.load(Ordering::Relaxed) == NEVER
        && !announce::is_pending(dev)
        && dev
            .lowers_rcu(&rcu)
            .all(|slave| slave.data().knows(slave.dev().has_link()))
}

/// `miimon` in jiffies; 0 for no polls.
pub(super) fn interval(config: &Config) -> u64 {
    msecs_to_jiffies(config.miimon)
}

/// When the next poll is due, in jiffies: at a multiple of the interval, as that of all other bonds
/// with this interval, so that they wake the machine together.
fn next_poll(bond: &Bond, now: u64) -> u64 {
    let interval = bond.poll_interval.load(Ordering::Relaxed);
    match now.checked_div(interval) {
        Some(past) => past.saturating_add(1).saturating_mul(interval),
        None => poll::NEVER,
    }
}

/// Polls the links, for drivers that report late or not at all. Takes no lock: if there is something
/// new, the work sees to it.
#[inline]
pub(super) fn poll(dev: &BondDev, now: u64, rcu: &Rcu) -> u64 {
    let bond = dev.data();
    let due = bond.next_poll.load(Ordering::Relaxed);
    if now < due {
        return due;
    }
    let finds_nothing = bond.reads_carrier.load(Ordering::Relaxed)
        && dev
            .lowers_rcu(rcu)
            .all(|slave| slave.data().expects(slave.dev().has_link()));
    if !finds_nothing {
        bond.look.store(true, Ordering::Release);
        kick(dev);
    }
    let next = next_poll(&bond, now);
    // Unless somebody has changed the interval meanwhile.
    let _ = bond
        .next_poll
        .compare_exchange(due, next, Ordering::Relaxed, Ordering::Relaxed);
    next
}

/// Listens to the events of all devices.
pub(crate) struct Events;

impl Listener for Events {
    fn event(
        device: &NetDevice,
        event: notifier::Event,
        extack: Option<&ExtAck>,
        rtnl: &Rtnl,
    ) -> Result {
        if !device.is_bonding() {
            return Ok(());
        }
        if event == notifier::Event::Change {
            if let Some(dev) = Dev::<Bond>::from_netdev(device) {
                // Its carrier came back, and with it a way for what waits to be announced.
                announce::step(dev, rtnl);
                arm(dev, rtnl);
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
                slave_event(dev, slave, event, rtnl);
                Ok(())
            }
            None => Ok(()),
        }
    }
}

fn slave_event(dev: &BondDev, slave: &SlaveDev, event: notifier::Event, rtnl: &Rtnl) {
    use notifier::Event::*;
    match event {
        Unregister => release::release_unregistered(dev, slave, rtnl),
        Up | Change | Down => {
            let source = match event {
                _ if !slave.dev().needs_ops_lock() => Source::Plain,
                Down => Source::Closed(slave.dev()),
                _ => Source::Locked(slave.dev()),
            };
            // Nothing can be asked of what is closed.
            if event != Down {
                read_link_settings(slave, true, rtnl);
            }
            if dev.is_running() && dev.data().link_events.load(Ordering::Relaxed) {
                let config = dev.data().config();
                let up = match event {
                    Down => slave.dev().has_link(),
                    // What was known is that it was closed.
                    Up => carrier(slave.dev(), &config, slave.dev().has_link(), true, rtnl),
                    _ => {
                        let known = slave.data().port().carrier;
                        carrier(slave.dev(), &config, known, true, rtnl)
                    }
                };
                failover::handle(
                    dev,
                    Event::Carrier {
                        key: Key(slave),
                        up,
                    },
                    source,
                    rtnl,
                );
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
        ChangeName => renamed(dev, slave, rtnl),
        FeatChange => update_features(dev, rtnl),
        ChangeAddr => address::slave_changed(dev, slave, rtnl),
        ChangeMtu => link_type::mtu_changed(dev, slave.dev(), rtnl),
        ResendIgmp => {
            let _ = dev.announce(rtnl, Announce::ResendIgmp);
        }
        XdpFeatChange => xdp::update_features(dev, rtnl),
        Register | PreTypeChange => {}
    }
}

/// A slave has another name: is it the primary now, or not any more?
fn renamed(dev: &BondDev, slave: &SlaveDev, rtnl: &Rtnl) {
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
    let source = match slave.dev().needs_ops_lock() {
        true => Source::Locked(slave.dev()),
        false => Source::Plain,
    };
    failover::handle(dev, Event::PrimaryRenamed, source, rtnl);
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
