// SPDX-License-Identifier: GPL-2.0

//! The driver: turns the kernel's callbacks into events of the policy crate, and what that decides
//! into calls of the kernel.
//!
//! | question | file |
//! |---|---|
//! | what is a bond, what is a slave? | `mod.rs`, `slave.rs` |
//! | how does a device join and leave? | `enslave.rs`, `release.rs` |
//! | who notices that a link changed? | `monitor.rs`, `arp.rs` |
//! | what happens then? | `failover.rs` |
//! | which way does a packet go? | `transmit.rs`, `receive.rs` |
//! | who has which hardware address? | `address.rs` |
//! | how do the neighbours learn of it? | `announce.rs` |
//! | who asks for InfiniBand paths before a failover? | `paths.rs` |
//! | what does an option do? | `configure.rs` |
//! | TLS in hardware? | `tls.rs` |
//! | IPsec in hardware? | `ipsec.rs` |
//! | XDP programs? | `xdp.rs` |
//! | MTU, VLANs, statistics, link settings? | `device.rs` |
//! | a bond that is not Ethernet? | `link_type.rs` |
//! | what has been decided lately? | `history.rs` |
//! | how does a message name the slave? | `message.rs` |

mod address;
mod announce;
mod arp;
pub(crate) mod configure;
mod device;
mod enslave;
mod failover;
mod history;
mod ipsec;
mod link_type;
pub(crate) mod message;
mod monitor;
mod paths;
mod receive;
mod release;
mod slave;
mod tls;
mod transmit;
mod wake;
mod xdp;

pub(crate) use address::copy_addr;
pub(crate) use device::{link_settings, timestamps};
pub(crate) use enslave::enslave;
pub(crate) use history::History;
pub(crate) use message::Text;
pub(crate) use monitor::Events;
pub(crate) use release::release;
pub(crate) use slave::Slave;

use crate::interface::debugfs::EventsFile;
use core::pin::Pin;
use core::sync::atomic::{AtomicBool, AtomicU16, AtomicU8, Ordering};
use kernel::new_spinlock;
use kernel::prelude::*;
use kernel::sync::{Arc, SpinLock};
use net::device::{Dev, Master, Rx};
use net::lower::Lower;
use net::netdevice::{NetDevice, Stats, Vlan};
use net::netlink::ExtAck;
use net::rcu::Rcu;
use net::registration::Registry;
use net::rtnl::{Rtnl, RtnlCell, RtnlOnly};
use net::shared::Bytes;
use net::skbuff::{Received, SkBuff};
use net::sock::Socket;
use net::static_ref::StaticRef;
use net::sync::{BhLock, NestedLock, PerCpuCounter};
use net::xdp::Program;
use net::{new_bh_lock, new_nested_lock};
use policy::notify::Announcements;
use policy::paths::Lookups;
use policy::retry::Retry;
use policy::arp::Micros;
use policy::{Config, Millis, Mode};
use wake::{Task, Wake};

/// A bond's device.
pub(crate) type BondDev = Dev<Bond>;

/// A slave, as its bond has it.
pub(crate) type SlaveDev = Lower<Bond>;

/// Where the driver's registration is found.
static REGISTRY: Registry<Bond> = Registry::new();

/// A bond.
///
/// What other kernel code reads of it (mode, active and primary slave) is kept in its [`BondDev`].
#[pin_data]
pub(crate) struct Bond {
    /// The options. Written under RTNL; the lock is for readers without.
    #[pin]
    config: SpinLock<Config>,
    /// `config.link_events`, for every packet.
    link_events: AtomicBool,
    /// `config.packets_per_slave`, for every packet.
    packets_per_slave: AtomicU16,
    /// `config.xmit_hash_policy`, for every packet.
    hash_policy: AtomicU8,
    /// The packets that left in turn.
    turn: PerCpuCounter,
    /// What the slaves have counted since they joined, those that left included.
    #[pin]
    counted: NestedLock<Stats>,
    /// What is still to be announced after a failover.
    announcements: RtnlCell<Announcements>,
    /// Whether the primary becomes active as soon as it is up, whatever `primary_reselect` says.
    force_primary: RtnlCell<bool>,
    /// Whether the carrier is what the device says, which takes no lock to read.
    reads_carrier: AtomicBool,
    /// What is still to be done.
    wake: Wake,
    /// When slaves are given the bond's address lists again, since there was no memory for all.
    lists: RtnlCell<Retry>,
    /// What has been decided lately, and the file that shows it.
    history: Arc<History>,
    pub(crate) events_file: RtnlCell<Option<EventsFile>>,
    /// What the ARP monitor keeps.
    prober: arp::Prober,
    /// Where the backups of an InfiniBand bond are in asking for paths.
    #[pin]
    lookups: BhLock<Lookups>,
    /// Whether features are being computed, which sends the event that asks for it.
    computing_features: RtnlCell<bool>,
    /// Whether the bond's own code is changing addresses, which sends events as well.
    changing_addrs: RtnlCell<bool>,
    /// Whether the bond's own code is changing MTUs, which sends events as well.
    changing_mtu: RtnlCell<bool>,
    /// Whether the bond moves into another partition, and stays the kind of link that it is.
    is_changing_partition: RtnlCell<bool>,
    /// Whether somebody has chosen the bond's MTU.
    has_chosen_mtu: RtnlCell<bool>,
}

impl Bond {
    /// Returns the options. Process context.
    pub(crate) fn config(&self) -> Config {
        *self.config.lock()
    }

    /// Returns what the bond has decided lately.
    pub(crate) fn history(dev: &BondDev) -> Arc<History> {
        dev.data().history.clone()
    }

    /// Returns what the ARP monitor keeps.
    fn prober(&self) -> &arp::Prober {
        &self.prober
    }

    /// Has a task done as soon as possible. Any context.
    fn wake(dev: &BondDev, task: Task) {
        dev.data().wake.set(task, 0);
        dev.run_work();
    }

    /// Has a task done at `due`, in µs, in place of the time that was set for it before. Any context.
    fn wake_at(dev: &BondDev, task: Task, due: Micros) {
        dev.data().wake.set(task, due);
        dev.run_work_at(due);
    }

    /// As [`Self::wake_at`], with a time in ms, or none.
    fn wake_at_ms(dev: &BondDev, task: Task, due: Option<Millis>) {
        let due = dev.data().wake.set_ms(task, due);
        dev.run_work_at(due);
    }

    /// Replaces the options, and publishes what is read elsewhere.
    fn set_config(dev: &BondDev, config: Config, rtnl: &Rtnl) {
        let bond = dev.data();
        *bond.config.lock() = config;
        bond.link_events
            .store(config.link_events, Ordering::Relaxed);
        bond.packets_per_slave
            .store(config.packets_per_slave, Ordering::Relaxed);
        bond.hash_policy
            .store(config.xmit_hash_policy as u8, Ordering::Relaxed);
        bond.reads_carrier
            .store(config.reads_carrier(), Ordering::Relaxed);
        dev.set_mode(rtnl, i32::from(config.mode.number()));
    }
}

impl Master for Bond {
    type Lower = Slave;

    const REGISTRY: StaticRef<Registry<Self>> = StaticRef::new(&REGISTRY);

    fn new(_rtnl: &RtnlOnly) -> Result<Pin<KBox<Self>>> {
        let defaults = configure::defaults();
        KBox::try_pin_init(
            try_pin_init!(Self {
                config <- new_spinlock!(defaults, "Bond::config"),
                link_events: AtomicBool::new(defaults.link_events),
                packets_per_slave: AtomicU16::new(defaults.packets_per_slave),
                hash_policy: AtomicU8::new(defaults.xmit_hash_policy as u8),
                turn: PerCpuCounter::new()?,
                counted <- new_nested_lock!(Stats::default(), "Bond::counted"),
                announcements: RtnlCell::new(announce::NOTHING),
                force_primary: RtnlCell::new(false),
                reads_carrier: AtomicBool::new(defaults.reads_carrier()),
                wake: Wake::new(),
                lists: RtnlCell::new(Retry::NEVER),
                history: History::new()?,
                events_file: RtnlCell::new(None),
                prober: arp::Prober::new(defaults),
                lookups <- new_bh_lock!(Lookups::NONE, "Bond::lookups"),
                computing_features: RtnlCell::new(false),
                changing_addrs: RtnlCell::new(false),
                changing_mtu: RtnlCell::new(false),
                has_chosen_mtu: RtnlCell::new(false),
                is_changing_partition: RtnlCell::new(false),
            }? Error),
            GFP_KERNEL,
        )
    }

    fn ready(dev: &BondDev, rtnl: &RtnlOnly) {
        let has_chosen_mtu = dev.mtu() != link_type::ETHERNET_MTU;
        dev.data().has_chosen_mtu.set(rtnl, has_chosen_mtu);
        dev.set_mode(rtnl, i32::from(dev.data().config().mode.number()));
        ipsec::mode_changed(dev, rtnl);
    }

    fn uninit(dev: &BondDev, rtnl: &RtnlOnly) {
        release::release_all(dev, rtnl);
    }

    fn open(dev: &BondDev, rtnl: &RtnlOnly) -> Result {
        monitor::open(dev, rtnl);
        Ok(())
    }

    fn stop(dev: &BondDev, rtnl: &RtnlOnly) {
        monitor::stop(dev, rtnl);
    }

    #[inline(always)]
    fn start_xmit(dev: &BondDev, skb: SkBuff, rcu: &Rcu) -> i32 {
        transmit::start_xmit(dev, skb, rcu)
    }

    fn xmit_lower<'a>(
        dev: &'a BondDev,
        skb: &SkBuff,
        all: bool,
        rcu: &'a Rcu,
    ) -> Option<&'a SlaveDev> {
        transmit::slave_of(dev, skb, all, rcu)
    }

    fn next_xmit_lower<'a>(
        dev: &'a BondDev,
        skb: &SkBuff,
        previous: Option<&SlaveDev>,
        rcu: &'a Rcu,
    ) -> Option<&'a SlaveDev> {
        transmit::next_slave_of(dev, skb, previous, rcu)
    }

    fn frame_lower<'a>(dev: &'a BondDev, frame: Bytes<'_>, rcu: &'a Rcu) -> Option<&'a SlaveDev> {
        xdp::slave_of(dev, frame, rcu)
    }

    fn socket_lower<'a>(dev: &'a BondDev, socket: &Socket, rcu: &'a Rcu) -> Option<&'a SlaveDev> {
        tls::slave_of(dev, socket, rcu)
    }

    fn set_xdp(
        dev: &BondDev,
        program: Option<&Program>,
        extack: Option<&ExtAck>,
        rtnl: &RtnlOnly,
    ) -> Result {
        xdp::set(dev, program, extack, rtnl)
    }

    #[inline(always)]
    fn takes(lower: &SlaveDev, packet: Received<'_>) -> bool {
        receive::takes(lower, packet)
    }

    fn receive(lower: &SlaveDev, packet: Received<'_>, rcu: &Rcu) -> Rx {
        receive::receive(lower, packet, rcu)
    }

    fn stats(dev: &BondDev, rcu: &Rcu) -> Stats {
        device::stats(dev, rcu)
    }

    fn rx_flags_changed(dev: &BondDev, promisc: bool, allmulti: bool, rtnl: &RtnlOnly) {
        device::rx_flags_changed(dev, promisc, allmulti, rtnl);
    }

    fn rx_mode(dev: &BondDev, rtnl: &Rtnl, sync: &mut dyn FnMut(&SlaveDev, bool) -> Result) {
        device::rx_mode(dev, rtnl, sync);
    }

    fn change_mtu(dev: &BondDev, mtu: u32, rtnl: &RtnlOnly) -> Result {
        device::change_mtu(dev, mtu, rtnl)
    }

    fn set_addr(dev: &BondDev, addr: &[u8], rtnl: &RtnlOnly) -> Result {
        address::set_addr(dev, addr, rtnl)
    }

    fn add_vlan(dev: &BondDev, vlan: Vlan, rtnl: &Rtnl) -> Result {
        device::add_vlan(dev, vlan, rtnl)
    }

    fn del_vlan(dev: &BondDev, vlan: Vlan, rtnl: &Rtnl) {
        dev.lowers(rtnl)
            .for_each(|slave| slave.dev().del_vlan(rtnl, vlan));
    }

    fn timestamp_lower<'a>(dev: &'a BondDev, rtnl: &'a Rtnl) -> Option<&'a SlaveDev> {
        device::timestamp_lower(dev, rtnl)
    }

    fn ipsec_lower<'a>(dev: &'a BondDev, rcu: &'a Rcu) -> Result<&'a SlaveDev> {
        ipsec::lower(dev, rcu)
    }

    fn sole_lower<'a>(dev: &'a BondDev, rcu: &'a Rcu) -> Option<&'a SlaveDev> {
        transmit::active_backup(dev, rcu).filter(|_| is_active_backup(dev))
    }

    fn add_lower(dev: &BondDev, lower: &NetDevice, extack: Option<&ExtAck>, rtnl: &RtnlOnly) -> Result {
        enslave(dev, lower, extack, rtnl)
    }

    fn del_lower(dev: &BondDev, lower: &NetDevice, rtnl: &RtnlOnly) -> Result {
        release(dev, lower, rtnl)
    }

    #[inline]
    fn poll(dev: &BondDev, rcu: &Rcu) {
        monitor::poll(dev, rcu);
    }

    fn work(dev: &BondDev) {
        monitor::work(dev);
    }
}

/// Returns whether the published mode is this one, without taking a lock; for every packet.
#[inline(always)]
fn is_mode(dev: &BondDev, mode: Mode) -> bool {
    dev.mode() == mode as i32
}

#[inline(always)]
fn is_active_backup(dev: &BondDev) -> bool {
    is_mode(dev, Mode::ActiveBackup)
}
