// SPDX-License-Identifier: GPL-2.0

//! The decisions of a virtual InfiniBand subnet: one switch, up to [`MAX_PORTS`] ports of channel
//! adapters plugged into it, and the subnet manager and administrator that lives in the switch.
//!
//! Where a packet goes, which LID a port gets, who is in a multicast group, what the answer to a
//! management datagram is, and who must be told when something changes: all of that is decided in
//! this crate. The caller keeps a [`Subnet`] under a lock of its own, moves the packets, and
//! dispatches the [`Events`] once it has released the lock.
//!
//! The crate knows no kernel type, allocates nothing, takes no lock and reads no clock, so the same
//! sources are compiled twice: into `vib.ko`, and on the host, where the tests run.
//!
//! Nothing here can panic, since a panic is a `BUG()` in a kernel: no operator that checks for
//! overflow, no indexing, no `unwrap`. The lints below and the build of the module hold to that.

#![cfg_attr(not(MODULE), no_std)] // Kbuild says so itself.
#![forbid(unsafe_code)]
#![deny(missing_docs)]
#![deny(
    clippy::arithmetic_side_effects,
    clippy::as_underscore,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::string_slice,
    clippy::unreachable,
    clippy::unwrap_used
)]

pub mod address;
mod attribute;
pub mod event;
mod loss;
pub mod mad;
mod multicast;
mod quantity;
mod sa;
mod smp;
pub mod subnet;
pub mod text;

pub use address::{Gid, Guid, Lid, Pkey, PortId, PortSet, MAX_PORTS};
pub use attribute::CAPABILITIES;
pub use event::{Event, Events};
pub use mad::Mad;
pub use sa::Reply;
pub use subnet::{
    Destination, NodeDescription, PkeyTable, Port, PortConfig, Refused, Subnet, MAX_PKEYS,
};
