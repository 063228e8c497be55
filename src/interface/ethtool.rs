// SPDX-License-Identifier: GPL-2.0

//! What ethtool shows about a bond.

use crate::bond::{ethtool, Bond, BondDev};
use kernel::error::Result;
use net::master::ethtool::Ethtool;
use net::netdevice::LinkSettings;
use net::rcu::Rcu;
use net::rtnl::RtnlOnly;
use net::timestamp::TimestampInfo;

/// The answers to ethtool.
pub(super) struct Answers;

impl Ethtool<Bond> for Answers {
    const DRIVER: &'static str = "bonding";
    /// The version of the interface of ifenslave (`BOND_ABI_VERSION`).
    const FIRMWARE: &'static str = "2";

    fn link_settings(bond: &BondDev, rtnl: &RtnlOnly) -> LinkSettings {
        ethtool::link_settings(bond, rtnl)
    }

    fn timestamps(bond: &BondDev, info: &mut TimestampInfo, rcu: &Rcu) -> Result {
        ethtool::timestamps(bond, info, rcu)
    }
}
