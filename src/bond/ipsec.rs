// SPDX-License-Identifier: GPL-2.0

//! IPsec in the hardware of the active slave. In other modes, IPsec is done in software: a state
//! can be in one device only.

use super::master::{Bond, BondDev, SlaveDev};
use super::message::slave_warn;
use kernel::prelude::*;
use net::errno::eopnotsupp;
use net::master::device::Slot;
use net::rcu::Rcu;
use net::rtnl::Rtnl;
use policy::mode::Ipsec;

fn is_offered(bond: &BondDev) -> bool {
    match Bond::mode(bond).row().ipsec {
        Ipsec::Active => true,
        Ipsec::Software => false,
    }
}

/// The slave whose hardware does IPsec now.
pub(super) fn lower<'a>(bond: &'a BondDev, rcu: &'a Rcu) -> Result<&'a SlaveDev> {
    if !is_offered(bond) {
        return Err(eopnotsupp());
    }
    bond.slot_rcu(rcu, Slot::Active).ok_or(ENODEV)
}

/// The active slave has changed: the new one, if any, takes over the states. Until it has them,
/// packets are encrypted in software, so that traffic need not wait.
pub(super) fn active_changed(bond: &BondDev, rtnl: &Rtnl) {
    let new = bond.slot(rtnl, Slot::Active).filter(|_| is_offered(bond));
    let failed = bond.move_ipsec(new, rtnl);
    if let (Some(new), true) = (new, failed != 0) {
        slave_warn!(
            bond,
            new.dev(),
            "cannot take over {failed} IPsec states: their packets are encrypted in software"
        );
    }
}

/// The mode has changed: the new one decides whether the bond offers IPsec.
pub(super) fn mode_changed(bond: &BondDev, rtnl: &Rtnl) {
    bond.want_ipsec(rtnl, is_offered(bond));
}
