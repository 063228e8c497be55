// SPDX-License-Identifier: GPL-2.0

//! What ethtool shows of a bond.

use crate::bond::{self, Bond, BondDev};
use net::ethtool::Ethtool;
use net::netdevice::LinkSettings;
use net::rtnl::Rtnl;

/// The answers to ethtool.
pub(super) struct Answers;

impl Ethtool<Bond> for Answers {
    const DRIVER: &'static str = "bonding";
    /// The version of the interface of ifenslave (`BOND_ABI_VERSION`).
    const FIRMWARE: &'static str = "2";

    fn link_settings(dev: &BondDev, rtnl: &Rtnl) -> LinkSettings {
        bond::link_settings(dev, rtnl)
    }
}
