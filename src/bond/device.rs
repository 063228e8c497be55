// SPDX-License-Identifier: GPL-2.0

//! What a bond is as a network device: MTU, receive flags, address lists, VLANs, statistics, link
//! settings.

use super::message::{netdev_err, netdev_warn, Of};
use super::slave::{read_link_settings, Before, Key};
use super::wake::Task;
use super::{is_active_backup, is_mode, Bond, BondDev, SlaveDev};
use core::sync::atomic::Ordering;
use kernel::prelude::*;
use net::netdevice::{LinkSettings, NetDevice, Stats, Vlan, ARPHRD_INFINIBAND};
use net::published::Slot;
use net::rcu::Rcu;
use net::rtnl::{Rtnl, RtnlOnly};
use net::sync::now_ms;
use net::timestamp::TimestampInfo;
use policy::retry::{Retry, Tried};
use policy::{Duplex, LinkState, Mode};

/// Sets the MTU of all slaves, or of none.
pub(super) fn change_mtu(dev: &BondDev, mtu: u32, rtnl: &RtnlOnly) -> Result {
    let bond = dev.data();
    let is_ours = bond.changing_mtu.get(rtnl);
    bond.changing_mtu.set(rtnl, true);
    let res = set_slave_mtus(dev, mtu, rtnl);
    bond.changing_mtu.set(rtnl, is_ours);
    if res.is_ok() && !is_ours {
        bond.has_chosen_mtu.set(rtnl, true);
    }
    res
}

fn set_slave_mtus(dev: &BondDev, mtu: u32, rtnl: &RtnlOnly) -> Result {
    for slave in dev.lowers(rtnl) {
        Before::note(slave, rtnl);
        if let Err(err) = give_mtu(slave.dev(), mtu, rtnl) {
            netdev_err!(
                dev,
                "{}",
                Of(slave.dev(), format_args!("cannot have the MTU {mtu}"))
            );
            for done in dev.lowers(rtnl).take_while(|done| Key(done) != Key(slave)) {
                let before = done.data().before.get(rtnl).mtu;
                if done.dev().set_mtu(rtnl, before).is_err() {
                    netdev_warn!(
                        dev,
                        "{}",
                        Of(
                            done.dev(),
                            format_args!("cannot set its MTU back to {before}")
                        )
                    );
                }
            }
            return Err(err);
        }
    }
    Ok(())
}

/// Sets the MTU of a slave. IPoIB accepts one that its fabric does not carry, and uses less.
pub(super) fn give_mtu(device: &NetDevice, mtu: u32, rtnl: &RtnlOnly) -> Result {
    let before = device.mtu();
    if before == mtu {
        return Ok(());
    }
    device.set_mtu(rtnl, mtu)?;
    if device.link_type() == ARPHRD_INFINIBAND && device.mtu() < mtu {
        let _ = device.set_mtu(rtnl, before);
        return Err(EINVAL);
    }
    Ok(())
}

/// Passes the bond's promiscuous and all-multicast modes on: to the slave that has its addresses, or
/// to all.
pub(super) fn rx_flags_changed(dev: &BondDev, promisc: bool, allmulti: bool, rtnl: &RtnlOnly) {
    let inc = |changed: bool, on: bool| match (changed, on) {
        (false, _) => 0,
        (true, true) => 1,
        (true, false) => -1,
    };
    let promisc = inc(promisc, dev.is_promisc());
    let allmulti = inc(allmulti, dev.is_allmulti());
    if dev.data().config().mode.uses_primary() {
        if let Some(slave) = dev.settled(rtnl) {
            add_rx_flags(dev, slave.dev(), promisc, allmulti, rtnl);
        }
    } else {
        dev.lowers(rtnl)
            .for_each(|slave| add_rx_flags(dev, slave.dev(), promisc, allmulti, rtnl));
    }
}

/// Has a slave receive all that the bond wants.
pub(super) fn give_rx_flags(dev: &BondDev, slave: &NetDevice, rtnl: &RtnlOnly) {
    let (promisc, allmulti) = (dev.is_promisc().into(), dev.is_allmulti().into());
    add_rx_flags(dev, slave, promisc, allmulti, rtnl);
}

/// Takes back what [`give_rx_flags`] gave when the bond had these modes.
pub(super) fn take_rx_flags(
    dev: &BondDev,
    slave: &NetDevice,
    promisc: bool,
    allmulti: bool,
    rtnl: &RtnlOnly,
) {
    let dec = |on: bool| if on { -1 } else { 0 };
    add_rx_flags(dev, slave, dec(promisc), dec(allmulti), rtnl);
}

fn add_rx_flags(dev: &BondDev, slave: &NetDevice, promisc: i32, allmulti: i32, rtnl: &RtnlOnly) {
    let add = |count: i32, add: &dyn Fn(i32) -> Result| match count {
        0 => Ok(()),
        count => add(count),
    };
    let promisc = add(promisc, &|count| slave.add_promiscuity(rtnl, count));
    let allmulti = add(allmulti, &|count| slave.add_allmulti(rtnl, count));
    if promisc.is_err() || allmulti.is_err() {
        netdev_warn!(
            dev,
            "{}",
            Of(slave, "cannot change which packets it receives")
        );
    }
}

/// Whether all slaves have the bond's address lists, not only the one that is active.
///
/// Over InfiniBand a backup is a member of the bond's multicast groups beforehand, because joining them
/// takes requests to the subnet administrator. It drops what it receives.
pub(super) fn all_have_addrs(dev: &BondDev) -> bool {
    !is_active_backup(dev) || dev.link_type() == ARPHRD_INFINIBAND
}

/// Passes the bond's address lists on: to the slave that has its addresses, or to all.
pub(super) fn rx_mode(dev: &BondDev, rtnl: &Rtnl, sync: &mut dyn FnMut(&SlaveDev, bool) -> Result) {
    let mut tried = Tried::Done;
    if all_have_addrs(dev) {
        for slave in dev.lowers(rtnl) {
            tried = tried.and(gave_lists(dev, slave, sync(slave, true)));
        }
    } else if let Some(slave) = dev.settled(rtnl) {
        tried = gave_lists(dev, slave, sync(slave, false));
    }
    set_lists_retry(dev, dev.data().lists.get(rtnl).after(tried, now_ms()), rtnl);
}

/// Gives slaves the bond's address lists again, if there was no memory for all of them.
pub(super) fn retry_lists(dev: &BondDev, rtnl: &Rtnl) {
    if dev.is_up() {
        rx_mode(dev, rtnl, &mut |slave, multiple| {
            slave.dev().sync_addrs_from(rtnl, dev, multiple)
        });
    } else {
        forget_lists(dev, rtnl);
    }
}

/// Gives one slave the bond's address lists, and the others, too, if there was no memory for that.
pub(super) fn give_lists(dev: &BondDev, slave: &SlaveDev, multiple: bool, rtnl: &Rtnl) {
    let res = slave.dev().sync_addrs_from(rtnl, dev, multiple);
    let tried = gave_lists(dev, slave, res);
    // What others wait for they get then, too.
    if tried == Tried::Later {
        set_lists_retry(dev, dev.data().lists.get(rtnl).after(tried, now_ms()), rtnl);
    }
}

/// Nobody waits for address lists any more.
pub(super) fn forget_lists(dev: &BondDev, rtnl: &Rtnl) {
    set_lists_retry(dev, Retry::NEVER, rtnl);
}

/// Has the bond's address lists given to slaves again: without them, a slave would not receive multicast
/// packets, and nobody would know why.
fn set_lists_retry(dev: &BondDev, retry: Retry, rtnl: &Rtnl) {
    dev.data().lists.set(rtnl, retry);
    Bond::wake_at_ms(dev, Task::Lists, retry.due());
}

/// What came of giving a slave the address lists. What cannot be is said once.
fn gave_lists(dev: &BondDev, slave: &SlaveDev, res: Result) -> Tried {
    let lacks = &slave.data().lacks_lists;
    let Err(err) = res else {
        lacks.store(false, Ordering::Relaxed);
        return Tried::Done;
    };
    let tried = Tried::failed(err.to_errno().wrapping_neg());
    if tried == Tried::Hopeless && !lacks.swap(true, Ordering::Relaxed) {
        netdev_err!(
            dev,
            "{}",
            Of(
                slave.dev(),
                format_args!(
                    "cannot receive for the multicast and further addresses of the bond (error {}); \
                     release it",
                    err.to_errno()
                )
            )
        );
    }
    tried
}

/// Pushes a VLAN id to all slaves, or to none.
pub(super) fn add_vlan(dev: &BondDev, vlan: Vlan, rtnl: &Rtnl) -> Result {
    for slave in dev.lowers(rtnl) {
        if let Err(err) = slave.dev().add_vlan(rtnl, vlan) {
            dev.lowers(rtnl)
                .take_while(|done| Key(done) != Key(slave))
                .for_each(|done| done.dev().del_vlan(rtnl, vlan));
            return Err(err);
        }
    }
    Ok(())
}

/// Adds what the slaves have counted since the last time to the statistics of the bond. No sleeping.
pub(super) fn stats(dev: &BondDev, rcu: &Rcu) -> Stats {
    let bond = dev.data();
    let mut sum = bond.counted.lock(dev.lower_level());
    for slave in dev.lowers_rcu(rcu) {
        slave.data().count(&mut sum, slave.dev().stats(rcu));
    }
    *sum
}

/// The same of a slave that leaves: what it has counted stays.
pub(super) fn keep_stats(dev: &BondDev, slave: &SlaveDev) {
    let rcu = net::rcu::read_lock();
    let bond = dev.data();
    // Asked under the lock: what somebody else has counted meanwhile would else be counted once more.
    let mut sum = bond.counted.lock(dev.lower_level());
    slave.data().count(&mut sum, slave.dev().stats(&rcu));
}

/// The slave whose hardware time stamps are the bond's: the active one, where there is but one.
pub(super) fn timestamp_lower<'a>(dev: &'a BondDev, rtnl: &'a Rtnl) -> Option<&'a SlaveDev> {
    let uses_primary = dev.data().config().mode.uses_primary();
    dev.slot(rtnl, Slot::Active).filter(|_| uses_primary)
}

/// Tells of the time stamps that a bond can make: those of the active slave, or, where all slaves send,
/// those in software that all of them make.
pub(crate) fn timestamps(dev: &BondDev, info: &mut TimestampInfo, rcu: &Rcu) -> Result {
    if dev.data().config().mode.uses_primary() {
        if let Some(active) = dev.slot_rcu(rcu, Slot::Active) {
            return active.dev().timestamps(rcu, info);
        }
    }
    let mut stamps_sent = false;
    for slave in dev.lowers_rcu(rcu) {
        let mut one = TimestampInfo::new();
        slave.dev().timestamps(rcu, &mut one)?;
        stamps_sent = one.stamps_sent();
        if !stamps_sent {
            break;
        }
    }
    if stamps_sent {
        info.set_stamps_sent();
    }
    Ok(())
}

/// Returns speed and duplex of the bond for ethtool: the sum of what can send, or in broadcast mode
/// the slowest; and the duplex mode of the first.
pub(crate) fn link_settings(dev: &BondDev, rtnl: &RtnlOnly) -> LinkSettings {
    let mut speed = 0u32;
    let mut duplex = Duplex::Unknown;
    for slave in dev.lowers(rtnl) {
        if slave.data().port().link.state != LinkState::Up
            || !slave.dev().has_link()
            || slave.is_backup()
        {
            continue;
        }
        read_link_settings(slave, &slave.dev().ask(rtnl), rtnl);
        let port = slave.data().port();
        speed = match (speed, port.speed) {
            (sum, None) => sum,
            (0, Some(one)) => one,
            (sum, Some(one)) if is_mode(dev, Mode::Broadcast) => sum.min(one),
            (sum, Some(one)) => sum.saturating_add(one),
        };
        if duplex == Duplex::Unknown {
            duplex = port.duplex;
        }
    }
    LinkSettings {
        speed: if speed == 0 { u32::MAX } else { speed },
        duplex: match duplex {
            Duplex::Half => 0,
            Duplex::Full => 1,
            Duplex::Unknown => u8::MAX,
        },
    }
}
