// SPDX-License-Identifier: GPL-2.0

//! The MTU of a bond and of its slaves, in bytes.

use super::master::{BondDev, SlaveDev};
use super::message::{slave_err, slave_info, slave_warn};
use super::slave::Before;
use kernel::prelude::*;
use net::netdevice::{NetDevice, ARPHRD_ETHER, ARPHRD_INFINIBAND};
use net::rtnl::{Rtnl, RtnlOnly};

/// The MTU of a bond that is Ethernet, until somebody chooses another (`ETH_DATA_LEN`).
pub(super) const ETHERNET: u32 = 1500;

/// Sets the MTU of all slaves, or of none.
pub(super) fn change(dev: &BondDev, mtu: u32, rtnl: &RtnlOnly) -> Result {
    let bond = dev.data();
    let is_ours = bond.changing_mtu.is(rtnl);
    bond.changing_mtu
        .during(rtnl, || give_all(dev, mtu, rtnl))?;
    if !is_ours {
        bond.has_chosen_mtu.set(rtnl, true);
    }
    Ok(())
}

fn give_all(dev: &BondDev, mtu: u32, rtnl: &RtnlOnly) -> Result {
    let set = |slave: &SlaveDev| {
        let before = &slave.data().before;
        let mtu_before = slave.dev().mtu();
        before.set(
            rtnl,
            Before {
                mtu: mtu_before,
                ..before.get(rtnl)
            },
        );
        give(slave.dev(), mtu, rtnl).inspect_err(|_| {
            slave_err!(dev, slave.dev(), "cannot have the MTU {mtu}");
        })
    };
    let undo =
        |slave: &SlaveDev| put_back(dev, slave.dev(), slave.data().before.get(rtnl).mtu, rtnl);
    dev.all_or_none(rtnl, set, undo)
}

/// Restores an MTU that the device had before; logs a warning if that fails.
pub(super) fn put_back(dev: &BondDev, device: &NetDevice, mtu: u32, rtnl: &RtnlOnly) {
    if device.set_mtu(rtnl, mtu).is_err() {
        slave_warn!(dev, device, "cannot set its MTU back to {mtu}");
    }
}

/// Sets the MTU of a slave. IPoIB accepts an MTU that its fabric does not support, and uses a
/// smaller one.
pub(super) fn give(device: &NetDevice, mtu: u32, rtnl: &RtnlOnly) -> Result {
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

/// Returns the MTU that the bond has once `slave` is its first one.
pub(super) fn with_first(dev: &BondDev, slave: &NetDevice, rtnl: &Rtnl) -> u32 {
    if dev.data().has_chosen_mtu.get(rtnl) {
        dev.mtu()
    } else if slave.link_type() == ARPHRD_ETHER {
        ETHERNET
    } else {
        slave.mtu()
    }
}

/// Sets the MTU of the bond and of its slaves; it does not count as chosen by somebody.
pub(super) fn set(dev: &BondDev, mtu: u32, rtnl: &RtnlOnly) -> Result {
    if dev.mtu() == mtu {
        return Ok(());
    }
    let changing = &dev.data().get_ref().changing_mtu;
    changing.during(rtnl, || dev.set_mtu(rtnl, mtu))
}

/// Has the bond follow its slaves if the MTU of one has become smaller than the bond's: the MTU of
/// an InfiniBand device shrinks when its multicast group is joined, or when connected mode ends.
pub(super) fn follow(dev: &BondDev, rtnl: &RtnlOnly) {
    let is_smaller = |slave: &&SlaveDev| {
        slave.dev().link_type() != ARPHRD_ETHER && slave.dev().mtu() < dev.mtu()
    };
    if dev.data().changing_mtu.is(rtnl) {
        return;
    }
    let smaller = dev.lowers(rtnl).filter(is_smaller).map(SlaveDev::dev);
    let Some(slave) = smaller.min_by_key(|slave| slave.mtu()) else {
        return;
    };
    let (was, mtu) = (dev.mtu(), slave.mtu());
    match set(dev, mtu, rtnl) {
        Ok(()) => slave_info!(
            dev,
            slave,
            "its MTU is {mtu} now: the MTU of the bond follows, from {was}"
        ),
        Err(err) => slave_err!(
            dev,
            slave,
            "its MTU is {mtu} now, but the bond keeps {was} (error {}): larger packets will be lost",
            err.to_errno()
        ),
    }
}
