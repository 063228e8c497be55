// SPDX-License-Identifier: GPL-2.0

//! Bonds over devices that are not Ethernet: the first slave decides what the bond is.

use super::message::Of;
use super::BondDev;
use kernel::prelude::*;
use net::netdev_err;
use net::netdevice::{NetDevice, ARPHRD_ETHER};
use net::notifier::Announce;
use net::rtnl::Rtnl;

/// Makes the bond what its first slave is. Listeners may refuse.
pub(super) fn take_over(dev: &BondDev, slave: &NetDevice, rtnl: &Rtnl) -> Result {
    if dev.announce(rtnl, Announce::PreTypeChange).is_err() {
        netdev_err!(dev, "{}", Of(slave, "refused to change device type"));
        return Err(EBUSY);
    }
    dev.flush_addrs(rtnl);
    if slave.link_type() == ARPHRD_ETHER {
        dev.become_ethernet(rtnl);
    } else {
        let was_up = dev.is_up();
        dev.close(rtnl);
        dev.become_like(slave, rtnl);
        if was_up {
            // It has no slaves yet, so that nothing can fail but a listener's veto.
            let _ = dev.open(rtnl, None);
        }
    }
    let _ = dev.announce(rtnl, Announce::PostTypeChange);
    Ok(())
}

/// Makes a bond without slaves Ethernet again, after its first slave was refused.
pub(super) fn give_back(dev: &BondDev, was_up: bool, mtu: u32, rtnl: &Rtnl) {
    if dev.link_type() == ARPHRD_ETHER {
        return;
    }
    dev.close(rtnl);
    dev.become_ethernet(rtnl);
    // It has no slaves, so that neither can fail but for a listener's veto.
    let _ = dev.set_mtu(rtnl, mtu);
    if was_up {
        let _ = dev.open(rtnl, None);
    }
}
