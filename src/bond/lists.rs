// SPDX-License-Identifier: GPL-2.0

//! Which packets slaves receive for the bond: its address lists, its promiscuous and all-multicast
//! modes.

use super::master::{Bond, BondDev, SlaveDev};
use super::message::{slave_err, slave_warn};
use super::wake::Task;
use kernel::prelude::*;
use net::netdevice::{NetDevice, ARPHRD_INFINIBAND};
use net::rtnl::{Rtnl, RtnlOnly};
use net::sync::now_ms;
use policy::retry::{Retry, Tried};
use policy::wire::slow::SLOW_PROTOCOLS;

/// Passes on the bond's promiscuous and all-multicast modes to the slave that has its addresses, or
/// to all slaves.
pub(super) fn rx_flags_changed(bond: &BondDev, promisc: bool, allmulti: bool, rtnl: &RtnlOnly) {
    let inc = |changed: bool, on: bool| match (changed, on) {
        (false, _) => 0,
        (true, true) => 1,
        (true, false) => -1,
    };
    let promisc = inc(promisc, bond.is_promisc());
    let allmulti = inc(allmulti, bond.is_allmulti());
    if bond.data().config(rtnl).mode.uses_primary() {
        if let Some(slave) = bond.settled(rtnl) {
            add_rx_flags(bond, slave.dev(), promisc, allmulti, rtnl);
        }
    } else {
        bond.lowers(rtnl)
            .for_each(|slave| add_rx_flags(bond, slave.dev(), promisc, allmulti, rtnl));
    }
}

/// Has a slave receive all that the bond wants.
pub(super) fn give_rx_flags(bond: &BondDev, slave: &NetDevice, rtnl: &RtnlOnly) {
    let (promisc, allmulti) = (bond.is_promisc().into(), bond.is_allmulti().into());
    add_rx_flags(bond, slave, promisc, allmulti, rtnl);
}

/// Takes back what [`give_rx_flags`] gave when the bond had these modes.
pub(super) fn take_rx_flags(
    bond: &BondDev,
    slave: &NetDevice,
    promisc: bool,
    allmulti: bool,
    rtnl: &RtnlOnly,
) {
    let dec = |on: bool| if on { -1 } else { 0 };
    add_rx_flags(bond, slave, dec(promisc), dec(allmulti), rtnl);
}

fn add_rx_flags(bond: &BondDev, slave: &NetDevice, promisc: i32, allmulti: i32, rtnl: &RtnlOnly) {
    let add = |count: i32, add: &dyn Fn(i32) -> Result| match count {
        0 => Ok(()),
        count => add(count),
    };
    let promisc = add(promisc, &|count| slave.add_promiscuity(rtnl, count));
    let allmulti = add(allmulti, &|count| slave.add_allmulti(rtnl, count));
    if promisc.is_err() || allmulti.is_err() {
        slave_warn!(bond, slave, "cannot change which packets it receives");
    }
}

/// Whether all slaves have the bond's address lists, not only the one that is active.
///
/// Over InfiniBand a backup is a member of the bond's multicast groups beforehand, because joining
/// them takes requests to the subnet administrator. It drops what it receives.
pub(super) fn all_have_addrs(bond: &BondDev) -> bool {
    !Bond::mode(bond).uses_primary() || bond.link_type() == ARPHRD_INFINIBAND
}

/// Passes on the bond's address lists to the slave that has its addresses, or to all slaves.
pub(super) fn rx_mode(
    bond: &BondDev,
    rtnl: &Rtnl,
    sync: &mut dyn FnMut(&SlaveDev, bool) -> Result,
) {
    let mut tried = Tried::Done;
    if all_have_addrs(bond) {
        for slave in bond.lowers(rtnl) {
            tried = tried.and(gave(bond, slave, sync(slave, true), rtnl));
        }
    } else if let Some(slave) = bond.settled(rtnl) {
        tried = gave(bond, slave, sync(slave, false), rtnl);
    }
    if bond
        .lowers(rtnl)
        .any(|slave| slave.data().lacks_slow.get(rtnl))
    {
        tried = tried.and(Tried::Later);
    }
    set_retry(
        bond,
        bond.data().lists.get(rtnl).after(tried, now_ms()),
        rtnl,
    );
}

/// Gives slaves the bond's address lists again, if there was no memory for all of them.
pub(super) fn retry(bond: &BondDev, rtnl: &Rtnl) {
    if bond.is_up() {
        for slave in bond.lowers(rtnl) {
            if slave.data().lacks_slow.get(rtnl) {
                hear_slow_protocols(bond, slave, true, rtnl);
            }
        }
        rx_mode(bond, rtnl, &mut |slave, multiple| {
            slave.dev().sync_addrs_from(rtnl, bond, multiple)
        });
    } else {
        forget(bond, rtnl);
    }
}

/// Gives one slave the bond's address lists. If there is no memory for that, all slaves are given
/// the lists again later.
pub(super) fn give(bond: &BondDev, slave: &SlaveDev, multiple: bool, rtnl: &Rtnl) {
    let res = slave.dev().sync_addrs_from(rtnl, bond, multiple);
    let tried = gave(bond, slave, res, rtnl);
    // The next try also serves the slaves that already wait for their lists.
    if tried == Tried::Later {
        set_retry(
            bond,
            bond.data().lists.get(rtnl).after(tried, now_ms()),
            rtnl,
        );
    }
}

/// Has a slave receive slow protocols, such as LACP, or no longer.
pub(super) fn hear_slow_protocols(bond: &BondDev, slave: &SlaveDev, hears: bool, rtnl: &Rtnl) {
    let hears_slow = &slave.data().hears_slow;
    if hears_slow.get(rtnl) == hears {
        return;
    }
    slave.data().lacks_slow.set(rtnl, false);
    if !hears {
        slave.dev().leave_group(rtnl, &SLOW_PROTOCOLS);
        hears_slow.set(rtnl, false);
        return;
    }
    let res = slave.dev().join_group(rtnl, &SLOW_PROTOCOLS);
    hears_slow.set(rtnl, res.is_ok());
    if gave(bond, slave, res, rtnl) == Tried::Later {
        slave.data().lacks_slow.set(rtnl, true);
        let retry = bond.data().lists.get(rtnl);
        set_retry(bond, retry.after(Tried::Later, now_ms()), rtnl);
    }
}

/// No slave waits for address lists any more.
pub(super) fn forget(bond: &BondDev, rtnl: &Rtnl) {
    set_retry(bond, Retry::Never, rtnl);
}

/// Sets when slaves are given the bond's address lists again: without them, a slave would not
/// receive multicast packets, and nobody would know why.
fn set_retry(bond: &BondDev, retry: Retry, rtnl: &Rtnl) {
    bond.data().lists.set(rtnl, retry);
    Bond::wake_at_ms(bond, Task::Lists, retry.due());
}

/// Returns the outcome of giving a slave the address lists. Logs once that a slave cannot have
/// them.
fn gave(bond: &BondDev, slave: &SlaveDev, res: Result, rtnl: &Rtnl) -> Tried {
    let lacks = &slave.data().lacks_lists;
    let Err(err) = res else {
        lacks.set(rtnl, false);
        return Tried::Done;
    };
    let tried = Tried::failed(err.to_errno().wrapping_neg());
    if tried == Tried::Hopeless && !lacks.replace(rtnl, true) {
        slave_err!(
            bond,
            slave.dev(),
            "cannot receive for the multicast and further addresses of the bond (error {}); release it",
            err.to_errno()
        );
    }
    tried
}
