// SPDX-License-Identifier: GPL-2.0

//! What a bond offers: what all its slaves support and its mode allows.

use super::master::BondDev;
use super::{ipsec, xdp};
use net::netdevice::ARPHRD_ETHER;
use net::rtnl::Rtnl;

/// Computes the bond's features from those of its slaves.
pub(super) fn update(dev: &BondDev, rtnl: &Rtnl) {
    let changing = &dev.data().get_ref().changing_features;
    if !changing.is(rtnl) {
        // A bond that is not Ethernet is up while it waits for a slave, and its header length stays
        // the same: packets that are on their way when the slave joins have only the headroom that
        // they were made with.
        let waits = dev.lowers(rtnl).next().is_none() && dev.link_type() != ARPHRD_ETHER;
        changing.during(rtnl, || dev.update_master_features(!waits, rtnl));
    }
}

/// The mode has changed.
pub(super) fn mode_changed(dev: &BondDev, rtnl: &Rtnl) {
    ipsec::mode_changed(dev, rtnl);
}

/// Slaves have come or gone.
pub(super) fn slaves_changed(dev: &BondDev, rtnl: &Rtnl) {
    update(dev, rtnl);
    xdp::update_features(dev, rtnl);
}
