// SPDX-License-Identifier: GPL-2.0

//! Bonds over devices that are not Ethernet: the first slave decides what the bond is, and what its
//! MTU is unless somebody has chosen that.

use super::message::{netdev_err, netdev_info, netdev_warn, Of};
use super::BondDev;
use kernel::prelude::*;
use net::link_type::LinkLayer;
use net::netdevice::{NetDevice, ARPHRD_ETHER, ARPHRD_INFINIBAND};
use net::notifier::Announce;
use net::rtnl::Rtnl;

/// The MTU of a bond that is Ethernet, until somebody chooses another (`ETH_DATA_LEN`).
pub(super) const ETHERNET_MTU: u32 = 1500;

/// Makes the bond what its first slave is. Listeners may refuse.
pub(super) fn take_over(dev: &BondDev, slave: &NetDevice, rtnl: &Rtnl) -> Result {
    become_like(dev, &slave.link_layer(rtnl), rtnl)
        .inspect_err(|_| netdev_err!(dev, "{}", Of(slave, "refused to change device type")))
}

/// Makes a bond without slaves another kind of link. Listeners may refuse.
pub(super) fn become_like(dev: &BondDev, link: &LinkLayer, rtnl: &Rtnl) -> Result {
    if link.is_ethernet() {
        return become_ethernet(dev, rtnl);
    }
    dev.announce(rtnl, Announce::PreTypeChange)
        .map_err(|_| EBUSY)?;
    dev.flush_addrs(rtnl);
    let was_up = dev.is_up();
    // What the user configured before the first slave came is to work afterwards.
    let keep = dev.keep_addrs_on_close(rtnl, 1);
    dev.close(rtnl);
    dev.keep_addrs_on_close(rtnl, keep);
    dev.become_like(link, rtnl);
    let _ = dev.announce(rtnl, Announce::PostTypeChange);
    if was_up {
        // It has no slaves yet, so that nothing can fail but a listener's veto.
        let _ = dev.open(rtnl, None);
    }
    Ok(())
}

/// Makes a bond without slaves Ethernet (again), with a hardware address of its own. It stays up, and keeps
/// its IP addresses. Listeners may refuse.
pub(super) fn become_ethernet(dev: &BondDev, rtnl: &Rtnl) -> Result {
    dev.announce(rtnl, Announce::PreTypeChange)
        .map_err(|_| EBUSY)?;
    dev.flush_addrs(rtnl);
    dev.become_ethernet(rtnl);
    dev.randomize_addr(rtnl);
    let _ = dev.announce(rtnl, Announce::PostTypeChange);
    if !dev.data().has_chosen_mtu.get(rtnl) {
        // No slave has to agree.
        let _ = set_mtu(dev, ETHERNET_MTU, rtnl);
    }
    Ok(())
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
    if is_active && dev.announce(rtnl, Announce::PreTypeChange).is_ok() {
        dev.take_broadcast(slave, rtnl);
        let _ = dev.announce(rtnl, Announce::PostTypeChange);
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
pub(super) fn set_mtu(dev: &BondDev, mtu: u32, rtnl: &Rtnl) -> Result {
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

/// Has the bond follow a slave whose MTU became smaller than the bond's: InfiniBand's does when its
/// multicast group is joined, or when connected mode ends.
pub(super) fn mtu_changed(dev: &BondDev, slave: &NetDevice, rtnl: &Rtnl) {
    let (was, mtu) = (dev.mtu(), slave.mtu());
    if dev.data().changing_mtu.get(rtnl) || slave.link_type() == ARPHRD_ETHER || mtu >= was {
        return;
    }
    let followed = &dev.data().followed_mtu;
    followed.set(rtnl, Some(slave.ifindex()));
    let res = set_mtu(dev, mtu, rtnl);
    followed.set(rtnl, None);
    match res {
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
