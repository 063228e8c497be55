// SPDX-License-Identifier: GPL-2.0

//! Drivers of masters: devices that carry their traffic through other devices.
//!
//! | question | file |
//! |---|---|
//! | what is a master, what is a lower device? | `device.rs` |
//! | how is a driver registered? | `registration.rs`, `registry.rs` |
//! | which tables is a driver made of? | `ops.rs`, `ndo.rs` |
//! | how does a device become a lower device? | `lower.rs` |
//!
//! The optional parts of a driver are in `ethtool.rs`, `netpoll_ops.rs`, `pernet.rs`, `procfs.rs`,
//! `rtnetlink.rs`, `sysfs.rs`, `tls.rs`, `xdp.rs` and `xfrm.rs`.

mod choices;
pub mod device;
pub mod ethtool;
mod link_table;
pub mod link_type;
pub mod lower;
mod ndo;
mod netpoll;
pub mod netpoll_ops;
mod object;
pub mod ops;
pub mod pernet;
mod poll;
mod poller;
pub mod procfs;
pub mod registration;
pub mod registry;
pub mod rtnetlink;
pub mod sysfs;
pub mod tls;
pub mod xdp;
pub mod xfrm;
