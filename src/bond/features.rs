// SPDX-License-Identifier: GPL-2.0

//! What a bond offers: what all its slaves can, and its mode allows.

use super::master::BondDev;
use super::{ipsec, xdp};
use net::netdevice::ARPHRD_ETHER;
use net::rtnl::Rtnl;

/// Computes the bond's features from those of its slaves.
pub(super) fn update(dev: &BondDev, rtnl: &Rtnl) {
    let changing = &dev.data().get_ref().changing_features;
    if !changing.is(rtnl) {
        // While a bond that is not Ethernet waits for a slave it is up, and its headers stay as long as they
        // are: packets that are on their way when the slave comes have no more room than they were made with.
        let waits = dev.lowers(rtnl).next().is_none() && dev.link_type() != ARPHRD_ETHER;
        changing.during(rtnl, || dev.update_master_features(!waits, rtnl));
    }
}

/// The mode is another.
pub(super) fn mode_changed(dev: &BondDev, rtnl: &Rtnl) {
    ipsec::mode_changed(dev, rtnl);
}

/// Slaves have come or gone.
pub(super) fn slaves_changed(dev: &BondDev, rtnl: &Rtnl) {
    update(dev, rtnl);
    xdp::update_features(dev, rtnl);
}
