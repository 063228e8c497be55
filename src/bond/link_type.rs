// SPDX-License-Identifier: GPL-2.0

//! Bonds over devices that are not Ethernet: the first slave decides what the bond is, and what its
//! MTU is unless somebody has chosen that.

use super::message::{netdev_err, netdev_info, netdev_warn, Of};
use super::{Bond, BondDev, SlaveDev};
use kernel::prelude::*;
use net::device::Dev;
use net::link_type::LinkLayer;
use net::netdevice::{NetDevice, ARPHRD_ETHER, ARPHRD_INFINIBAND};
use net::netlink::ExtAck;
use net::notifier::TypeChange;
use net::rtnl::{Rtnl, RtnlOnly};

/// The MTU of a bond that is Ethernet, until somebody chooses another (`ETH_DATA_LEN`).
pub(super) const ETHERNET_MTU: u32 = 1500;

/// Asks whether the bond may become what its first slave is. Listeners may refuse.
pub(super) fn ask<'a>(
    dev: &'a BondDev,
    slave: &NetDevice,
    rtnl: &'a Rtnl,
) -> Result<TypeChange<'a>> {
    dev.ask_type_change(rtnl).map_err(|_| {
        netdev_err!(dev, "{}", Of(slave, "refused to change device type"));
        EBUSY
    })
}

/// Makes a bond that carries no traffic another kind of link, to which nobody has objected.
pub(super) fn become_like(dev: &BondDev, link: &LinkLayer, change: TypeChange<'_>, rtnl: &RtnlOnly) {
    if link.is_ethernet() {
        return turn_ethernet(dev, change, rtnl);
    }
    dev.flush_addrs(rtnl);
    let was_up = dev.is_up();
    // What the user configured before the first slave came is to work afterwards.
    let keep = dev.keep_addrs_on_close(rtnl, 1);
    dev.close(rtnl);
    dev.keep_addrs_on_close(rtnl, keep);
    dev.become_like(link, rtnl);
    drop(change);
    if was_up {
        // Nothing can fail but a listener's veto.
        let _ = dev.open(rtnl, None);
    }
}

/// Makes a bond without slaves Ethernet (again), with a hardware address of its own. It stays up, and keeps
/// its IP addresses. Listeners may refuse.
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
        let _ = set_mtu(dev, ETHERNET_MTU, rtnl);
    }
}

/// Objects to a change of the link type of a slave: neither the addresses that it gets of the bond nor the headers of
/// its packets would fit any more.
pub(super) fn keep_type(
    dev: &BondDev,
    slave: &NetDevice,
    extack: Option<&ExtAck>,
    rtnl: &Rtnl,
) -> Result {
    // A bond that follows its slave into another partition stays InfiniBand.
    let is_bond_that_moves = Dev::<Bond>::from_netdev(slave)
        .is_some_and(|below| below.data().is_changing_partition.get(rtnl));
    if is_bond_that_moves {
        return Ok(());
    }
    if let Some(extack) = extack {
        extack.set_msg(c"The link type of a slave of a bond cannot change; release it first");
    }
    netdev_err!(
        dev,
        "{}",
        Of(
            slave,
            "its link type cannot change while it is a slave; release it first"
        )
    );
    Err(EBUSY)
}

/// Looks at the partition of a slave whose link is up: InfiniBand's subnet manager may have moved its
/// port. The bond goes where its active slave is, and its multicast groups with it.
pub(super) fn partition_seen(dev: &BondDev, slave: &NetDevice, is_active: bool, rtnl: &Rtnl) {
    if slave.link_type() != ARPHRD_INFINIBAND || dev.link_type() != ARPHRD_INFINIBAND {
        return;
    }
    let (was, is) = (dev.partition(rtnl), slave.partition(rtnl));
    if was == is {
        return;
    }
    if is_active && change_partition(dev, slave, rtnl).is_ok() {
        netdev_info!(
            dev,
            "{}",
            Of(
                slave,
                format_args!(
                    "its partition (P_Key) is {is:#06x} now: the bond follows, from {was:#06x}"
                )
            )
        );
    } else {
        netdev_warn!(
            dev,
            "{}",
            Of(
                slave,
                format_args!(
                    "its partition (P_Key) is {is:#06x} now, but the bond is in {was:#06x}: the \
                     peers cannot be reached through it"
                )
            )
        );
    }
}

fn change_partition(dev: &BondDev, slave: &NetDevice, rtnl: &Rtnl) -> Result {
    let is_changing = &dev.data().is_changing_partition;
    is_changing.set(rtnl, true);
    let res = dev.ask_type_change(rtnl).map(|change| {
        dev.take_broadcast(slave, rtnl);
        drop(change);
    });
    is_changing.set(rtnl, false);
    res
}

/// Returns the MTU that the bond has once `slave` is its first one.
pub(super) fn mtu_with(dev: &BondDev, slave: &NetDevice, rtnl: &Rtnl) -> u32 {
    if dev.data().has_chosen_mtu.get(rtnl) {
        dev.mtu()
    } else if slave.link_type() == ARPHRD_ETHER {
        ETHERNET_MTU
    } else {
        slave.mtu()
    }
}

/// Sets the bond's MTU, and its slaves', without anybody having chosen it.
pub(super) fn set_mtu(dev: &BondDev, mtu: u32, rtnl: &RtnlOnly) -> Result {
    if dev.mtu() == mtu {
        return Ok(());
    }
    let changing = &dev.data().changing_mtu;
    let was = changing.get(rtnl);
    changing.set(rtnl, true);
    let res = dev.set_mtu(rtnl, mtu);
    changing.set(rtnl, was);
    res
}

/// Has the bond follow its slaves if the MTU of one became smaller than the bond's: InfiniBand's does when its
/// multicast group is joined, or when connected mode ends.
pub(super) fn follow_mtu(dev: &BondDev, rtnl: &RtnlOnly) {
    let is_smaller = |slave: &&SlaveDev| {
        slave.dev().link_type() != ARPHRD_ETHER && slave.dev().mtu() < dev.mtu()
    };
    if dev.data().changing_mtu.get(rtnl) {
        return;
    }
    let smaller = dev.lowers(rtnl).filter(is_smaller).map(SlaveDev::dev);
    let Some(slave) = smaller.min_by_key(|slave| slave.mtu()) else {
        return;
    };
    let (was, mtu) = (dev.mtu(), slave.mtu());
    match set_mtu(dev, mtu, rtnl) {
        Ok(()) => netdev_info!(
            dev,
            "{}",
            Of(
                slave,
                format_args!("its MTU is {mtu} now: the MTU of the bond follows, from {was}")
            )
        ),
        Err(err) => netdev_err!(
            dev,
            "{}",
            Of(
                slave,
                format_args!(
                    "its MTU is {mtu} now, but the bond keeps {was} (error {}): larger packets \
                     will be lost",
                    err.to_errno()
                )
            )
        ),
    }
}
