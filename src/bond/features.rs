// SPDX-License-Identifier: GPL-2.0

//! What a bond offers: what all its slaves support and its mode allows.

use super::master::BondDev;
use super::{ipsec, xdp};
use net::netdevice::ARPHRD_ETHER;
use net::rtnl::Rtnl;

/// Computes the bond's features from those of its slaves.
pub(super) fn update(bond: &BondDev, rtnl: &Rtnl) {
    let changing = &bond.data().get_ref().changing_features;
    if !changing.is(rtnl) {
        // A bond that is not Ethernet is up while it waits for a slave, and its header length stays
        // the same: packets that are on their way when the slave joins have only the headroom that
        // they were made with.
        let waits = bond.lowers(rtnl).next().is_none() && bond.link_type() != ARPHRD_ETHER;
        changing.during(rtnl, || bond.update_master_features(!waits, rtnl));
    }
}

/// The mode has changed.
pub(super) fn mode_changed(bond: &BondDev, rtnl: &Rtnl) {
    ipsec::mode_changed(bond, rtnl);
}

/// Slaves have come or gone.
pub(super) fn slaves_changed(bond: &BondDev, rtnl: &Rtnl) {
    update(bond, rtnl);
    xdp::update_features(bond, rtnl);
}
