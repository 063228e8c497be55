// SPDX-License-Identifier: GPL-2.0

//! Safe abstractions of the kernel's network core.
//!
//! This crate is written as if it were the part of the `kernel` crate that upstream lacks: one
//! module per C header, and [`master`] for drivers of devices that stand above others. [`bonding`]
//! has what only bonds have. All `unsafe` code of the project is in this crate; its types carry the
//! rules:
//!
//! - [`rtnl::Rtnl`] proves that RTNL is held; what RTNL protects can only be reached with it;
//! - [`rcu::Rcu`] proves a read-side section;
//! - [`skbuff::SkBuff`] is owned: dropping it frees the packet, transmitting consumes it;
//! - a registration is a value: dropping it unregisters.

#![deny(
    missing_docs,
    unsafe_op_in_unsafe_fn,
    clippy::undocumented_unsafe_blocks
)]

pub mod alarm;
mod bindings;
pub mod bonding;
pub mod bridge;
mod buffer;
pub mod debugfs;
pub mod dev_addr;
pub mod errno;
pub mod ethtool;
pub mod flow;
pub mod link_type;
pub mod master;
pub mod mii;
pub mod moduleparam;
pub mod namespace;
pub mod neighbour;
pub mod netdev_features;
pub mod netdev_lock;
pub mod netdevice;
pub mod netlink;
pub mod notifier;
pub mod printk;
mod procfs;
pub mod rcu;
pub mod route;
pub mod rtnl;
pub mod seq_file;
pub mod shared;
pub mod shutdown;
pub mod skbuff;
pub mod sock;
pub mod static_ref;
pub mod sync;
pub mod sysfs;
pub mod timestamp;
pub mod utsrelease;
pub mod xdp;
pub mod xfrm_state;
