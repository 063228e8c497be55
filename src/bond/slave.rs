// SPDX-License-Identifier: GPL-2.0

//! A slave: its data, and the slaves of a bond as the policy sees them.

use super::address::addr_of;
use super::wake::Task;
use super::{arp, monitor, Bond, BondDev, SlaveDev};
use core::sync::atomic::{AtomicBool, AtomicI32, AtomicU16, AtomicU8, Ordering};
use kernel::new_spinlock;
use kernel::prelude::*;
use kernel::sync::SpinLock;
use net::ethtool::Answer;
use net::lower::Role;
use net::netdev_lock::{Askable, Held};
use net::netdevice::{LinkSettings, Stats, STATS};
use net::notifier::BondingInfo;
use net::published::Slot;
use net::rtnl::{Rtnl, RtnlCell, RtnlOnly};
use policy::address::HwAddr;
use policy::arp::Traffic;
use policy::receive::SlaveFlags;
use policy::statistics::Counters;
use policy::{Duplex, Group, LinkState, Port, Ports};

/// What a slave's device had, to be put back.
#[derive(Clone, Copy)]
pub(super) struct Before {
    pub(super) mtu: u32,
    pub(super) addr: HwAddr,
}

impl Before {
    const NOTHING: Before = Before {
        mtu: 0,
        addr: HwAddr::EMPTY,
    };

    /// Notes what a slave has now.
    pub(super) fn note(slave: &SlaveDev, rtnl: &Rtnl) {
        let (mtu, addr) = (slave.dev().mtu(), addr_of(slave.dev(), rtnl));
        slave.data().before.set(rtnl, Before { mtu, addr });
    }
}

/// The data of one slave.
///
/// What other kernel code reads of it (link, backup, inactive) is kept in its [`SlaveDev`].
#[pin_data]
pub(crate) struct Slave {
    /// What the policy knows of it. Written under RTNL; the lock is for readers without.
    #[pin]
    port: SpinLock<Port>,
    /// What its device has counted, as it was when the bond looked last. Taken inside the bond's lock.
    #[pin]
    counted: SpinLock<Counters<STATS>>,
    /// The address that it had before it joined.
    perm_addr: HwAddr,
    /// Whether it is leaving, and takes its own address with it, though that be the bond's.
    pub(super) takes_addr: RtnlCell<bool>,
    /// The MTU that it had before it joined, in bytes.
    pub(super) original_mtu: u32,
    /// The port's `prio`, for the transmit path: the lock is not for softirqs.
    prio: AtomicI32,
    /// What a poll has to find for nothing to be new.
    known: AtomicU8,
    queue_id: AtomicU16,
    /// What the ARP monitor keeps of it.
    pub(super) heard: arp::Heard,
    /// Whether it could not be given the address lists of the bond, and the user knows.
    pub(super) lacks_lists: AtomicBool,
    /// What it had when a request to all slaves began, which one of them may refuse.
    pub(super) before: RtnlCell<Before>,
    /// What listeners have still to be told: [`INFO`], [`STATE`]. Written under RTNL.
    owed: AtomicU8,
}

impl Slave {
    /// Makes the data of a device that joins.
    pub(super) fn new(
        port: Port,
        perm_addr: HwAddr,
        original_mtu: u32,
        stats: Stats,
    ) -> impl PinInit<Self> {
        let known = known(&port);
        pin_init!(Self {
            port <- new_spinlock!(port, "Slave::port"),
            counted <- new_spinlock!(Counters::new(stats.0), "Slave::counted"),
            perm_addr,
            takes_addr: RtnlCell::new(false),
            original_mtu,
            prio: AtomicI32::new(0),
            known: AtomicU8::new(known),
            queue_id: AtomicU16::new(0),
            heard: arp::Heard::new(),
            lacks_lists: AtomicBool::new(false),
            before: RtnlCell::new(Before::NOTHING),
            owed: AtomicU8::new(0),
        })
    }

    /// Returns what the policy knows of the slave. Process context.
    pub(crate) fn port(&self) -> Port {
        *self.port.lock()
    }

    /// Returns whether a poll that finds this carrier finds nothing new. Any context.
    #[inline]
    pub(super) fn expects(&self, carrier: bool) -> bool {
        let carrier = if carrier { CARRIER } else { 0 };
        self.known.load(Ordering::Relaxed) == carrier | SETTLED
    }

    /// Returns whether this is the carrier that is known. Any context.
    pub(super) fn knows(&self, carrier: bool) -> bool {
        (self.known.load(Ordering::Relaxed) & CARRIER != 0) == carrier
    }

    /// Returns the slave's `prio`. Any context.
    pub(super) fn prio(&self) -> i32 {
        self.prio.load(Ordering::Relaxed)
    }

    /// Returns the address that the device had before it joined.
    pub(crate) fn perm_addr(&self) -> &HwAddr {
        &self.perm_addr
    }

    /// Returns the transmit queue of the bond that is this slave's; 0 for none. Any context.
    pub(crate) fn queue_id(&self) -> u16 {
        self.queue_id.load(Ordering::Relaxed)
    }

    /// Whether a listener has still to be told of its state.
    pub(super) fn is_told_later(&self) -> bool {
        self.owed.load(Ordering::Relaxed) != 0
    }

    pub(super) fn set_queue_id(&self, queue: u16) {
        self.queue_id.store(queue, Ordering::Relaxed);
    }

    /// Adds to a sum what the device has counted since the last time.
    pub(super) fn count(&self, sum: &mut Stats, now: Stats) {
        self.counted.lock().add_new(&mut sum.0, now.0);
    }
}

/// Bits of `Slave::known`: the carrier, and whether the link is in the state that this leads to. While a
/// delay runs it is not: with `link_events` off, polls are all that ends the delay.
const CARRIER: u8 = 1;
const SETTLED: u8 = 2;

fn known(port: &Port) -> u8 {
    let is_up = port.link.state == LinkState::Up;
    let settled = port.link.deadline.is_none() && port.carrier == is_up;
    (if port.carrier { CARRIER } else { 0 }) | (if settled { SETTLED } else { 0 })
}

/// Replaces what the policy knows of a slave, and publishes its link state.
pub(super) fn set_port(slave: &SlaveDev, port: Port, rtnl: &Rtnl) {
    *slave.data().port.lock() = port;
    slave.data().prio.store(port.prio, Ordering::Relaxed);
    slave.data().known.store(known(&port), Ordering::Relaxed);
    let state = port.link.state as i8;
    if slave.link() != state {
        arp::link_changed(slave, port.link);
        slave.set_link(rtnl, state);
    }
}

/// Names a slave to the policy.
#[derive(Clone, Copy)]
pub(super) struct Key<'a>(pub(super) &'a SlaveDev);

impl PartialEq for Key<'_> {
    fn eq(&self, other: &Self) -> bool {
        core::ptr::eq(self.0, other.0)
    }
}

impl Eq for Key<'_> {}

/// The slaves of a bond, under RTNL.
pub(super) struct Slaves<'a> {
    pub(super) dev: &'a BondDev,
    pub(super) rtnl: &'a Rtnl,
}

impl<'a> Ports for Slaves<'a> {
    type Key = Key<'a>;

    fn keys(&self) -> impl Iterator<Item = Key<'a>> + Clone {
        self.dev.lowers(self.rtnl).map(Key)
    }

    fn get(&self, key: Key<'a>) -> Port {
        key.0.data().port()
    }

    fn set(&self, key: Key<'a>, port: Port) {
        set_port(key.0, port, self.rtnl);
    }

    fn traffic(&self, key: Key<'a>) -> Traffic {
        arp::traffic(key.0, &self.dev.data().config())
    }
}

impl<'a> Slaves<'a> {
    /// Returns what the bond knows of its slaves as a group.
    pub(super) fn group(&self) -> Group<Key<'a>> {
        Group {
            active: self.dev.slot(self.rtnl, Slot::Active).map(Key),
            primary: self.dev.slot(self.rtnl, Slot::Primary).map(Key),
            force_primary: self.dev.data().force_primary.get(self.rtnl),
            tried: self.dev.slot(self.rtnl, Slot::Tried).map(Key),
        }
    }

    /// Reads the carriers of all slaves.
    pub(super) fn read_carriers(&self, rtnl: &RtnlOnly) {
        let config = self.dev.data().config();
        for slave in self.dev.lowers(self.rtnl) {
            // Asking a driver may send an event, which changes the port.
            let known = slave.data().port().carrier;
            let carrier = monitor::carrier(&slave.dev().ask(rtnl), &config, known);
            let port = slave.data().port();
            if port.carrier != carrier {
                set_port(slave, Port { carrier, ..port }, self.rtnl);
            }
        }
    }
}

/// Asks a slave's driver for speed and duplex. `device` is that of the slave.
pub(super) fn read_link_settings(slave: &SlaveDev, device: &Askable<'_>, rtnl: &Rtnl) {
    let unknown = LinkSettings {
        speed: u32::MAX,
        duplex: u8::MAX,
    };
    let settings = match device.link_settings() {
        Answer::Told(settings) => settings,
        Answer::Never => unknown,
        // What it said last counts.
        Answer::NotNow => return,
    };
    let duplex = match settings.duplex {
        0 => Duplex::Half,
        1 => Duplex::Full,
        _ => Duplex::Unknown,
    };
    let known = settings.speed != 0 && settings.speed != u32::MAX && duplex != Duplex::Unknown;
    let port = slave.data().port();
    let port = Port {
        speed: known.then_some(settings.speed),
        duplex: if known { duplex } else { Duplex::Unknown },
        ..port
    };
    set_port(slave, port, rtnl);
}

/// What these flags say of a slave to other kernel code.
pub(super) fn role(flags: SlaveFlags) -> Role {
    Role {
        backup: flags.backup,
        inactive: flags.inactive,
    }
}

/// Gives a slave the role that it has now, and tells of a change.
pub(super) fn set_role(
    dev: &BondDev,
    slave: &SlaveDev,
    flags: SlaveFlags,
    held: &Held<'_>,
) {
    let was_backup = slave.is_backup();
    slave.set_role(held, role(flags));
    if was_backup != flags.backup {
        tell(dev, slave, held);
    }
}

/// Bits of `Slave::owed`: `NETDEV_BONDING_INFO`, and `NETDEV_CHANGELOWERSTATE`.
const INFO: u8 = 1;
const STATE: u8 = 2;

/// Tells listeners of the state of a slave: switch drivers at once, unless an instance lock is held, the others soon.
pub(super) fn tell(dev: &BondDev, slave: &SlaveDev, held: &Held<'_>) {
    let mut owed = INFO;
    match held.rtnl_only() {
        Some(rtnl) => tell_state(slave, rtnl),
        None => owed |= STATE,
    }
    slave.data().owed.fetch_or(owed, Ordering::Relaxed);
    Bond::wake(dev, Task::Listeners);
}

fn tell_state(slave: &SlaveDev, rtnl: &RtnlOnly) {
    use policy::LinkState::{Fail, Up};
    let link_up = matches!(slave.data().port().link.state, Up | Fail);
    slave.data().owed.fetch_and(!STATE, Ordering::Relaxed);
    slave
        .dev()
        .lower_state_changed(rtnl, link_up, !slave.is_backup());
}

/// Tells listeners what they have still to be told.
pub(super) fn tell_rest(dev: &BondDev, rtnl: &RtnlOnly) {
    let config = dev.data().config();
    for slave in dev.lowers(rtnl) {
        let owed = slave.data().owed.swap(0, Ordering::Relaxed);
        if owed & STATE != 0 {
            tell_state(slave, rtnl);
        }
        if owed & INFO != 0 {
            let port = slave.data().port();
            slave.dev().bonding_info_changed(
                rtnl,
                &BondingInfo {
                    mode: i32::from(config.mode.number()),
                    miimon: i32::try_from(config.miimon).unwrap_or(i32::MAX),
                    num_slaves: i32::try_from(dev.lower_count()).unwrap_or(i32::MAX),
                    link: port.link.state as i8,
                    state: i8::from(slave.is_backup()),
                    link_failure_count: port.failures,
                },
            );
        }
    }
}

/// Gives all slaves of a bond the roles that they have now.
pub(super) fn set_roles(dev: &BondDev, held: &Held<'_>) {
    let config = dev.data().config();
    let active = [Slot::Active, Slot::Tried].map(|slot| dev.slot(held, slot).map(Key));
    for slave in dev.lowers(held) {
        let is_active = active.contains(&Some(Key(slave)));
        let flags = SlaveFlags::of(&config, is_active, slave.data().port().link.state);
        set_role(dev, slave, flags, held);
    }
}
