// SPDX-License-Identifier: GPL-2.0

//! What bonds, and no other masters, tell other drivers.
//!
//! C header: [`include/linux/netdevice.h`](srctree/include/linux/netdevice.h)

use crate::bindings;
use crate::netdevice::NetDevice;
use crate::notifier::Announce;
use crate::rtnl::Rtnl;

impl Announce {
    /// Another slave has become the active one.
    pub const BONDING_FAILOVER: Announce = Announce(bindings::netdev_cmd_NETDEV_BONDING_FAILOVER);
}

/// What `NETDEV_BONDING_INFO` tells about a bond and one of its slaves
/// (`struct netdev_bonding_info`).
#[derive(Clone, Copy, Debug)]
pub struct BondingInfo {
    /// `BOND_MODE_*`
    pub mode: i32,
    /// The interval of the link monitor, in ms.
    pub miimon: i32,
    /// The number of slaves of the bond.
    pub num_slaves: i32,
    /// `BOND_LINK_*`
    pub link: i8,
    /// `BOND_STATE_ACTIVE` (0) or `BOND_STATE_BACKUP` (1).
    pub state: i8,
    /// The number of times that the link went down.
    pub link_failure_count: u32,
}

impl NetDevice {
    /// Announces the state of this slave and of its bond (`NETDEV_BONDING_INFO`). May sleep.
    pub fn bonding_info_changed(&self, _rtnl: &Rtnl, info: &BondingInfo) {
        let mut raw: bindings::netdev_bonding_info = pin_init::zeroed();
        raw.master.bond_mode = info.mode;
        raw.master.miimon = info.miimon;
        raw.master.num_slaves = info.num_slaves;
        let name = self.name();
        raw.slave
            .slave_name
            .iter_mut()
            .zip(name.as_array())
            .for_each(|(to, from)| *to = *from);
        raw.slave.link = info.link;
        raw.slave.state = info.state;
        raw.slave.link_failure_count = info.link_failure_count;
        // SAFETY: The device is valid (type invariant), RTNL is held, and the info is valid for the
        // call.
        unsafe { bindings::netdev_bonding_info_change(self.as_ptr(), &mut raw) };
    }
}
