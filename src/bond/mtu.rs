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
pub(super) fn change(bond: &BondDev, mtu: u32, rtnl: &RtnlOnly) -> Result {
    let data = bond.data();
    let is_ours = data.changing_mtu.is(rtnl);
    data.changing_mtu
        .during(rtnl, || give_all(bond, mtu, rtnl))?;
    if !is_ours {
        data.has_chosen_mtu.set(rtnl, true);
    }
    Ok(())
}

fn give_all(bond: &BondDev, mtu: u32, rtnl: &RtnlOnly) -> Result {
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
            slave_err!(bond, slave.dev(), "cannot have the MTU {mtu}");
        })
    };
    let undo =
        |slave: &SlaveDev| put_back(bond, slave.dev(), slave.data().before.get(rtnl).mtu, rtnl);
    bond.all_or_none(rtnl, set, undo)
}

/// Restores an MTU that the device had before; logs a warning if that fails.
pub(super) fn put_back(bond: &BondDev, slave_dev: &NetDevice, mtu: u32, rtnl: &RtnlOnly) {
    if slave_dev.set_mtu(rtnl, mtu).is_err() {
        slave_warn!(bond, slave_dev, "cannot set its MTU back to {mtu}");
    }
}

/// Sets the MTU of a slave. IPoIB accepts an MTU that its fabric does not support, and uses a
/// smaller one.
pub(super) fn give(slave_dev: &NetDevice, mtu: u32, rtnl: &RtnlOnly) -> Result {
    let before = slave_dev.mtu();
    if before == mtu {
        return Ok(());
    }
    slave_dev.set_mtu(rtnl, mtu)?;
    if slave_dev.link_type() == ARPHRD_INFINIBAND && slave_dev.mtu() < mtu {
        let _ = slave_dev.set_mtu(rtnl, before);
        return Err(EINVAL);
    }
    Ok(())
}

/// Returns the MTU that the bond has once `slave` is its first one.
pub(super) fn with_first(bond: &BondDev, slave: &NetDevice, rtnl: &Rtnl) -> u32 {
    if bond.data().has_chosen_mtu.get(rtnl) {
        bond.mtu()
    } else if slave.link_type() == ARPHRD_ETHER {
        ETHERNET
    } else {
        slave.mtu()
    }
}

/// Sets the MTU of the bond and of its slaves; it does not count as chosen by somebody.
pub(super) fn set(bond: &BondDev, mtu: u32, rtnl: &RtnlOnly) -> Result {
    if bond.mtu() == mtu {
        return Ok(());
    }
    let changing = &bond.data().get_ref().changing_mtu;
    changing.during(rtnl, || bond.set_mtu(rtnl, mtu))
}

/// Has the bond follow its slaves if the MTU of one has become smaller than the bond's: the MTU of
/// an InfiniBand device shrinks when its multicast group is joined, or when connected mode ends.
pub(super) fn follow(bond: &BondDev, rtnl: &RtnlOnly) {
    let is_smaller = |slave: &&SlaveDev| {
        slave.dev().link_type() != ARPHRD_ETHER && slave.dev().mtu() < bond.mtu()
    };
    if bond.data().changing_mtu.is(rtnl) {
        return;
    }
    let smaller = bond.lowers(rtnl).filter(is_smaller).map(SlaveDev::dev);
    let Some(slave) = smaller.min_by_key(|slave| slave.mtu()) else {
        return;
    };
    let (was, mtu) = (bond.mtu(), slave.mtu());
    match set(bond, mtu, rtnl) {
        Ok(()) => slave_info!(
            bond,
            slave,
            "its MTU is {mtu} now: the MTU of the bond follows, from {was}"
        ),
        Err(err) => slave_err!(
            bond,
            slave,
            "its MTU is {mtu} now, but the bond keeps {was} (error {}): larger packets will be lost",
            err.to_errno()
        ),
    }
}
