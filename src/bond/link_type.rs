// SPDX-License-Identifier: GPL-2.0

//! Bonds over devices that are not Ethernet: the first slave decides the link type of the bond, and
//! its MTU unless somebody has chosen one.

use super::master::{Bond, BondDev};
use super::message::{slave_err, slave_info, slave_warn};
use super::mtu;
use kernel::prelude::*;
use net::link_type::LinkLayer;
use net::master::device::Dev;
use net::netdevice::{NetDevice, ARPHRD_INFINIBAND};
use net::netlink::ExtAck;
use net::notifier::TypeChange;
use net::rtnl::{Rtnl, RtnlOnly};

/// Asks whether the bond may take the link type of its first slave. Listeners may refuse.
pub(super) fn ask<'a>(
    dev: &'a BondDev,
    slave: &NetDevice,
    rtnl: &'a Rtnl,
) -> Result<TypeChange<'a>> {
    dev.ask_type_change(rtnl).map_err(|_| {
        slave_err!(dev, slave, "refused to change device type");
        EBUSY
    })
}

/// Changes the link type of a bond that carries no traffic; no listener has objected to that.
pub(super) fn become_like(
    dev: &BondDev,
    link: &LinkLayer,
    change: TypeChange<'_>,
    rtnl: &RtnlOnly,
) {
    if link.is_ethernet() {
        return turn_ethernet(dev, change, rtnl);
    }
    dev.flush_addrs(rtnl);
    let was_up = dev.is_up();
    // What the user configured before the first slave joined has to work afterwards.
    let keep = dev.keep_addrs_on_close(rtnl, 1);
    dev.close(rtnl);
    dev.keep_addrs_on_close(rtnl, keep);
    dev.become_like(link, rtnl);
    drop(change);
    if was_up {
        // Only the veto of a listener can make this fail.
        let _ = dev.open(rtnl, None);
    }
}

/// Makes a bond without slaves Ethernet (again), with a hardware address of its own. The bond stays
/// up, and keeps its IP addresses. Listeners may refuse.
pub(super) fn become_ethernet(dev: &BondDev, rtnl: &RtnlOnly) -> Result {
    let change = dev.ask_type_change(rtnl).map_err(|_| EBUSY)?;
    turn_ethernet(dev, change, rtnl);
    Ok(())
}

fn turn_ethernet(dev: &BondDev, change: TypeChange<'_>, rtnl: &RtnlOnly) {
    dev.flush_addrs(rtnl);
    dev.become_ethernet(rtnl);
    dev.randomize_addr(rtnl);
    drop(change);
    if !dev.data().has_chosen_mtu.get(rtnl) {
        // No slave has to agree.
        let _ = mtu::set(dev, mtu::ETHERNET, rtnl);
    }
}

/// Objects to a change of the link type of a slave: neither the addresses that the slave gets from
/// the bond nor the headers of its packets would fit any more.
pub(super) fn keep_type(
    dev: &BondDev,
    slave: &NetDevice,
    extack: Option<&ExtAck>,
    rtnl: &Rtnl,
) -> Result {
    // A bond that follows its slave into another partition stays InfiniBand.
    let is_bond_that_moves = Dev::<Bond>::from_netdev(slave)
        .is_some_and(|below| below.data().changing_partition.is(rtnl));
    if is_bond_that_moves {
        return Ok(());
    }
    if let Some(extack) = extack {
        extack.set_msg(c"The link type of a slave of a bond cannot change; release it first");
    }
    slave_err!(
        dev,
        slave,
        "its link type cannot change while it is a slave; release it first"
    );
    Err(EBUSY)
}

/// Looks at the partition of a slave whose link is up: the subnet manager of InfiniBand may have
/// moved its port. The bond follows its active slave, and the bond's multicast groups go with it.
pub(super) fn partition_seen(dev: &BondDev, slave: &NetDevice, is_active: bool, rtnl: &Rtnl) {
    if slave.link_type() != ARPHRD_INFINIBAND || dev.link_type() != ARPHRD_INFINIBAND {
        return;
    }
    let (was, is) = (dev.partition(rtnl), slave.partition(rtnl));
    if was == is {
        return;
    }
    if is_active && change_partition(dev, slave, rtnl).is_ok() {
        slave_info!(
            dev,
            slave,
            "its partition (P_Key) is {is:#06x} now: the bond follows, from {was:#06x}"
        );
    } else {
        slave_warn!(
            dev,
            slave,
            "its partition (P_Key) is {is:#06x} now, but the bond is in {was:#06x}: the peers cannot be \
             reached through it"
        );
    }
}

fn change_partition(dev: &BondDev, slave: &NetDevice, rtnl: &Rtnl) -> Result {
    let changing = &dev.data().get_ref().changing_partition;
    changing.during(rtnl, || {
        let change = dev.ask_type_change(rtnl)?;
        dev.take_broadcast(slave, rtnl);
        drop(change);
        Ok(())
    })
}
