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
    bond: &'a BondDev,
    slave: &NetDevice,
    rtnl: &'a Rtnl,
) -> Result<TypeChange<'a>> {
    bond.ask_type_change(rtnl).map_err(|_| {
        slave_err!(bond, slave, "refused to change device type");
        EBUSY
    })
}

/// Changes the link type of a bond that carries no traffic; no listener has objected to that.
pub(super) fn become_like(
    bond: &BondDev,
    link: &LinkLayer,
    change: TypeChange<'_>,
    rtnl: &RtnlOnly,
) {
    if link.is_ethernet() {
        return turn_ethernet(bond, change, rtnl);
    }
    bond.flush_addrs(rtnl);
    let was_up = bond.is_up();
    // What the user configured before the first slave joined has to work afterwards.
    let keep = bond.keep_addrs_on_close(rtnl, 1);
    bond.close(rtnl);
    bond.keep_addrs_on_close(rtnl, keep);
    bond.become_like(link, rtnl);
    drop(change);
    if was_up {
        // Only the veto of a listener can make this fail.
        let _ = bond.open(rtnl, None);
    }
}

/// Makes a bond without slaves Ethernet (again), with a hardware address of its own. The bond stays
/// up, and keeps its IP addresses. Listeners may refuse.
pub(super) fn become_ethernet(bond: &BondDev, rtnl: &RtnlOnly) -> Result {
    let change = bond.ask_type_change(rtnl).map_err(|_| EBUSY)?;
    turn_ethernet(bond, change, rtnl);
    Ok(())
}

fn turn_ethernet(bond: &BondDev, change: TypeChange<'_>, rtnl: &RtnlOnly) {
    bond.flush_addrs(rtnl);
    bond.become_ethernet(rtnl);
    bond.randomize_addr(rtnl);
    drop(change);
    if !bond.data().has_chosen_mtu.get(rtnl) {
        // No slave has to agree.
        let _ = mtu::set(bond, mtu::ETHERNET, rtnl);
    }
}

/// Objects to a change of the link type of a slave: neither the addresses that the slave gets from
/// the bond nor the headers of its packets would fit any more.
pub(super) fn keep_type(
    bond: &BondDev,
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
        bond,
        slave,
        "its link type cannot change while it is a slave; release it first"
    );
    Err(EBUSY)
}

/// Looks at the partition of a slave whose link is up: the subnet manager of InfiniBand may have
/// moved its port. The bond follows its active slave, and the bond's multicast groups go with it.
pub(super) fn partition_seen(bond: &BondDev, slave: &NetDevice, is_active: bool, rtnl: &Rtnl) {
    if slave.link_type() != ARPHRD_INFINIBAND || bond.link_type() != ARPHRD_INFINIBAND {
        return;
    }
    let (was, is) = (bond.partition(rtnl), slave.partition(rtnl));
    if was == is {
        return;
    }
    if is_active && change_partition(bond, slave, rtnl).is_ok() {
        slave_info!(
            bond,
            slave,
            "its partition (P_Key) is {is:#06x} now: the bond follows, from {was:#06x}"
        );
    } else {
        slave_warn!(
            bond,
            slave,
            "its partition (P_Key) is {is:#06x} now, but the bond is in {was:#06x}: the peers cannot be \
             reached through it"
        );
    }
}

fn change_partition(bond: &BondDev, slave: &NetDevice, rtnl: &Rtnl) -> Result {
    let changing = &bond.data().get_ref().changing_partition;
    changing.during(rtnl, || {
        let change = bond.ask_type_change(rtnl)?;
        bond.take_broadcast(slave, rtnl);
        drop(change);
        Ok(())
    })
}
