// SPDX-License-Identifier: GPL-2.0

//! What users touch: every way to configure a bond and to look at it.
//!
//! | interface | file |
//! |---|---|
//! | `ip link ... type bond` | `netlink.rs` |
//! | `/sys/class/net/BOND/bonding/` | `sysfs.rs` |
//! | `/sys/class/net/SLAVE/bonding_slave/` | `slave_sysfs.rs` |
//! | `/sys/class/net/bonding_masters` | `masters.rs` |
//! | `/proc/net/bonding/BOND` | `procfs.rs` |
//! | `/sys/kernel/debug/bonding/BOND/events` | `debugfs.rs` |
//! | module parameters | `params.rs` |
//! | ifenslave, mii-tool | `ioctl.rs` |
//! | ethtool | `ethtool.rs` |
//!
//! Names, types, ranges and defaults of the options come from `policy::options::OPTIONS`; what
//! setting one does is in `bond::configure`.

pub(crate) mod debugfs;
mod ethtool;
mod ioctl;
mod masters;
mod netlink;
pub(crate) mod params;
mod procfs;
mod slave_sysfs;
mod sysfs;

pub(crate) use masters::{create_bonds, Namespaces};
pub(crate) use procfs::Files;

use crate::bond::Bond;
use net::master::ops::Ops;

/// The driver's tables.
pub(crate) static OPS: Ops<Bond> = Ops::new(c"bond", &slave_sysfs::DIR)
    .with_link::<netlink::Link, { netlink::ATTRS }, { netlink::SLAVE_ATTRS }>(
        &netlink::POLICY,
        &netlink::SLAVE_POLICY,
    )
    .with_ioctl::<ioctl::Old>()
    .with_ethtool::<ethtool::Answers>()
    .with_sysfs(&sysfs::DIR)
    .with_procfs()
    .with_netpoll()
    .with_timestamps()
    .with_tls()
    .with_xdp()
    .with_xfrm();
