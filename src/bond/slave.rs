// SPDX-License-Identifier: GPL-2.0

//! A slave: its data, and its name for the policy.

use super::heard::Heard;
use super::master::{Bond, SlaveDev};
use core::sync::atomic::{AtomicBool, AtomicI32, AtomicU16, AtomicU32, AtomicU8, Ordering};
use kernel::new_spinlock;
use kernel::prelude::*;
use kernel::sync::SpinLock;
use net::netdevice::{Stats, STATS};
use net::rtnl::{Rtnl, RtnlCell};
use net::sync::{BhLock, RtnlLock};
use net::{new_bh_lock, new_rtnl_lock};
use policy::address::HwAddr;
use policy::balance::SlaveId;
use policy::lacp::{self, PortFacts, Report};
use policy::mode::Probes;
use policy::statistics::Counters;
use policy::wire::frame::Mac;
use policy::{Duplex, Millis, Port};

/// Why a slave leaves.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Departure {
    /// Somebody asked for its release.
    Asked,
    /// Its device goes away.
    Unregistered,
    /// The bond goes away.
    BondGoes,
}

/// What a slave's device had before a change, so that it can be put back.
#[derive(Clone, Copy)]
pub(super) struct Before {
    pub(super) mtu: u32,
    pub(super) addr: HwAddr,
}

/// What LACP keeps for a slave.
pub(super) struct LacpPort {
    pub(super) port: lacp::Port,
    /// What there is to say about it.
    pub(super) report: Report,
}

/// What was last said about a slave to listeners and to the user, in 802.3ad mode.
#[derive(Clone, Copy)]
pub(super) struct Reported {
    pub(super) report: Report,
    pub(super) is_backup: bool,
}

/// The address of a slave without link, for which another slave receives.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Adopted {
    pub(super) by: SlaveId,
    pub(super) addr: Mac,
    pub(super) until: Millis,
}

/// The data of one slave.
///
/// What other kernel code reads (link, backup, inactive) is kept in the slave's [`SlaveDev`].
#[pin_data]
pub(crate) struct Slave {
    /// What the policy knows about the slave.
    #[pin]
    port: RtnlLock<Port>,
    /// The counters of the slave's device when the bond last looked. The lock is taken inside that
    /// of the bond.
    #[pin]
    counted: SpinLock<Counters<STATS>>,
    /// The address that it had before it joined.
    perm_addr: HwAddr,
    /// Whether the slave is leaving and takes its own address with it, even if the bond has that
    /// address.
    pub(super) takes_addr: RtnlCell<bool>,
    /// The MTU that it had before it joined, in bytes.
    pub(super) original_mtu: u32,
    /// The port's `prio`, for the transmit path: softirqs must not take the lock of `port`.
    prio: AtomicI32,
    /// The speed of the link in Mbit/s, 0 if it is not known; likewise.
    speed: AtomicU32,
    /// What a poll finds if nothing is new.
    known: AtomicU8,
    queue_id: AtomicU16,
    /// What the ARP monitor keeps for the slave.
    pub(super) heard: Heard,
    /// What LACP keeps for the slave. The lock is taken inside that of the bond.
    #[pin]
    pub(super) lacp: BhLock<LacpPort>,
    pub(super) reported: RtnlCell<Reported>,
    /// Whether the slave receives slow protocols; and whether it could not be made to, for want of
    /// memory.
    pub(super) hears_slow: RtnlCell<bool>,
    pub(super) lacks_slow: RtnlCell<bool>,
    /// What listeners were last told: whether the slave is a backup.
    pub(super) told_backup: RtnlCell<bool>,
    actor_port_prio: AtomicU16,
    /// See [`Self::has_share`].
    has_share: AtomicBool,
    /// See [`Self::lingers`].
    lingers: AtomicBool,
    /// Whether the slave could not be given the address lists of the bond, and the user was told.
    pub(super) lacks_lists: RtnlCell<bool>,
    /// What the slave had when a request to all slaves began, in case one of them refuses.
    pub(super) before: RtnlCell<Before>,
    /// What listeners still have to be told; see `listeners.rs`.
    pub(super) owed: RtnlCell<u8>,
    /// Which slave receives for this one while it has no link; see `clients.rs`.
    pub(super) adopted: RtnlCell<Option<Adopted>>,
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
        let before = Before {
            mtu: original_mtu,
            addr: perm_addr,
        };
        let facts = PortFacts {
            link: false,
            speed: None,
            duplex: Duplex::Unknown,
            priority: ACTOR_PORT_PRIO,
        };
        pin_init!(Self {
            port <- new_rtnl_lock!(port, "Slave::port"),
            counted <- new_spinlock!(Counters::new(stats.0), "Slave::counted"),
            perm_addr,
            takes_addr: RtnlCell::new(false),
            original_mtu,
            prio: AtomicI32::new(0),
            speed: AtomicU32::new(0),
            known: AtomicU8::new(known),
            queue_id: AtomicU16::new(0),
            heard: Heard::new(),
            lacp <- new_bh_lock!(
                LacpPort { port: lacp::Port::new(facts), report: Report::Unsettled },
                "Slave::lacp"
            ),
            reported: RtnlCell::new(Reported { report: Report::Unsettled, is_backup: true }),
            hears_slow: RtnlCell::new(false),
            lacks_slow: RtnlCell::new(false),
            told_backup: RtnlCell::new(true),
            actor_port_prio: AtomicU16::new(ACTOR_PORT_PRIO),
            has_share: AtomicBool::new(true),
            lingers: AtomicBool::new(false),
            lacks_lists: RtnlCell::new(false),
            before: RtnlCell::new(before),
            owed: RtnlCell::new(0),
            adopted: RtnlCell::new(None),
        })
    }

    /// Returns what the policy knows about the slave.
    #[inline]
    pub(super) fn port(&self, rtnl: &Rtnl) -> Port {
        self.port.get(rtnl)
    }

    /// Returns a copy of what the policy knows about the slave. Process context, without RTNL.
    pub(crate) fn copy_port(&self) -> Port {
        self.port.copy()
    }

    /// Replaces what the policy knows about the slave, and the parts of it that are published here.
    /// See `links::set_port`.
    pub(super) fn publish(&self, port: Port, rtnl: &Rtnl) {
        self.port.set(rtnl, port);
        self.prio.store(port.prio, Ordering::Relaxed);
        let speed = port.speed.unwrap_or(0);
        self.speed.store(speed, Ordering::Relaxed);
        self.known.store(known(&port), Ordering::Relaxed);
    }

    /// Returns whether a poll that finds this carrier finds nothing new. Any context.
    #[inline]
    pub(super) fn expects(&self, carrier: bool) -> bool {
        let carrier = if carrier { CARRIER } else { 0 };
        self.known.load(Ordering::Relaxed) == carrier | STEADY
    }

    /// Returns whether the bond already knows this carrier. Any context.
    pub(super) fn knows(&self, carrier: bool) -> bool {
        (self.known.load(Ordering::Relaxed) & CARRIER != 0) == carrier
    }

    /// Returns the slave's `prio`. Any context.
    pub(super) fn prio(&self) -> i32 {
        self.prio.load(Ordering::Relaxed)
    }

    /// Returns the speed of the slave's link in Mbit/s, if it is known. Any context.
    pub(super) fn speed(&self) -> Option<u32> {
        match self.speed.load(Ordering::Relaxed) {
            0 => None,
            speed => Some(speed),
        }
    }

    /// Returns the address that the device had before it joined.
    pub(crate) fn perm_addr(&self) -> &HwAddr {
        &self.perm_addr
    }

    /// Returns the transmit queue of the bond that belongs to this slave; 0 for none. Any context.
    pub(crate) fn queue_id(&self) -> u16 {
        self.queue_id.load(Ordering::Relaxed)
    }

    /// Returns the slave's `actor_port_prio`. Any context.
    pub(crate) fn actor_port_prio(&self) -> u16 {
        self.actor_port_prio.load(Ordering::Relaxed)
    }

    pub(super) fn set_actor_port_prio(&self, prio: u16) {
        self.actor_port_prio.store(prio, Ordering::Relaxed);
    }

    /// Returns whether the slave has a share of the hashes, even while it cannot send: whether
    /// [`resilient_hash`](super::options::Options::resilient_hash) counts it. Any context.
    pub(super) fn has_share(&self) -> bool {
        self.has_share.load(Ordering::Relaxed)
    }

    /// Changes that. Returns whether it was different. One caller at a time.
    pub(super) fn set_has_share(&self, has_share: bool) -> bool {
        let before = self.has_share();
        self.has_share.store(has_share, Ordering::Relaxed);
        before != has_share
    }

    /// Whether the slave, which was the active one, still receives what switches send to one station
    /// until they have learned that the station is reached through another slave. Any context.
    pub(super) fn lingers(&self) -> bool {
        self.lingers.load(Ordering::Relaxed)
    }

    pub(super) fn set_lingers(&self, lingers: bool) {
        self.lingers.store(lingers, Ordering::Relaxed);
    }

    pub(super) fn set_queue_id(&self, queue: u16) {
        self.queue_id.store(queue, Ordering::Relaxed);
    }

    /// Adds to a sum what the device has counted since the last time.
    pub(super) fn count(&self, sum: &mut Stats, now: Stats) {
        self.counted.lock().add_new(&mut sum.0, now.0);
    }
}

/// The default of `actor_port_prio`.
const ACTOR_PORT_PRIO: u16 = 255;

/// Bits of `Slave::known`: the carrier, and whether the link is in the state that this carrier
/// leads to. While a delay runs, the link is not: with `link_events` off, only polls end the delay.
const CARRIER: u8 = 1;
const STEADY: u8 = 2;

fn known(port: &Port) -> u8 {
    let is_steady = port.link.deadline().is_none() && port.carrier == port.link.is_up();
    (if port.carrier { CARRIER } else { 0 }) | (if is_steady { STEADY } else { 0 })
}

/// Whether a slave only hears the probes of another slave. Where all slaves are used, each sends
/// its own probes, and has to hear the answers to be used again. Any context.
pub(super) fn only_hears(slave: &SlaveDev) -> bool {
    let has_one_sender = match Bond::mode(slave.master()).row().probes {
        Probes::ByActive => true,
        Probes::ByEach | Probes::Refused => false,
    };
    has_one_sender && slave.is_backup()
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

/// Names a slave where references cannot be kept. Any context.
pub(super) fn id(slave: &SlaveDev) -> SlaveId {
    SlaveId(slave.dev().ifindex().unsigned_abs())
}
