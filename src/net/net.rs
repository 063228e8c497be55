// SPDX-License-Identifier: GPL-2.0

//! Safe abstractions of the kernel's network core.
//!
//! Written as if it were the part of the `kernel` crate that upstream lacks: one module for one C
//! header, knowing nothing of bonding but for [`published`], which lays out what the rest of the
//! kernel reads of a bond. All `unsafe` code of the project is in this crate; its types carry the
//! rules:
//!
//! - [`rtnl::Rtnl`] proves that RTNL is held; what it protects is reached with it only;
//! - [`rcu::Rcu`] proves a read-side section;
//! - [`skbuff::SkBuff`] is owned: dropping it frees the packet, transmitting consumes it;
//! - a registration is a value: dropping it unregisters.

#![deny(
    missing_docs,
    unsafe_op_in_unsafe_fn,
    clippy::undocumented_unsafe_blocks
)]
// Callbacks are called by C only; what holds then is said once for all of a table, above them.
#![allow(clippy::missing_safety_doc)]

pub mod alarm;
mod bindings;
mod buffer;
pub mod choices;
pub mod debugfs;
pub mod dev_addr;
pub mod device;
pub mod errno;
pub mod ethtool;
pub mod flow;
pub mod ioctl;
pub mod link_type;
pub mod lower;
pub mod mii;
pub mod moduleparam;
pub mod namespace;
mod ndo;
pub mod neighbour;
pub mod netdev_features;
pub mod netdev_lock;
pub mod netdevice;
pub mod netlink;
mod netpoll;
pub mod notifier;
pub mod pernet;
mod poll;
pub mod printk;
pub mod procfs;
pub mod published;
pub mod rcu;
pub mod registration;
pub mod route;
pub mod rtnetlink;
pub mod rtnl;
pub mod seq_file;
pub mod shared;
pub mod skbuff;
pub mod sock;
pub mod static_ref;
pub mod sync;
pub mod sysfs;
pub mod timestamp;
pub mod trace;
pub mod utsrelease;
pub mod xdp;
pub mod xfrm;

const __LOG_PREFIX: &[u8] = b"bonding\0";
