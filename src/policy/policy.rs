// SPDX-License-Identifier: GPL-2.0

//! The decisions of the bonding driver.
//!
//! Which slave is active, whether a link counts as up after its delays, whether an option may be
//! set now, when the peers are told about a failover: whatever the driver *decides* is decided in
//! this crate and nowhere else. An event goes in together with the current state and the current
//! time; the next state and what there is to do come out.
//!
//! The crate knows no kernel type, allocates nothing, takes no lock and reads no clock, so the same
//! sources are compiled twice: into `bonding.ko`, and on the host, where the tests run.
//!
//! Nothing here can panic, since a panic is a `BUG()` in a kernel: no operator that checks for
//! overflow, no indexing, no `unwrap`. The lints below and the build of the module enforce that.

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
pub mod arp;
pub mod balance;
pub mod clients;
pub mod errno;
pub mod group;
pub mod hash;
pub mod history;
pub mod lacp;
pub mod link;
pub mod mode;
pub mod name;
pub mod notify;
pub mod options;
pub mod paths;
pub mod receive;
pub mod resilient;
pub mod retry;
pub mod select;
pub mod statistics;
pub mod transmit;
pub mod wire;

pub use address::HwAddr;
pub use group::{handle, Event, Group, Outcome, Port, Ports};
pub use link::{Delays, Link, LinkState, Millis, Transition};
pub use mode::Mode;
pub use name::IfName;
pub use options::{Config, DeviceState, Effects, OptionError, OptionId, Value};
pub use select::{Candidate, Choice, Duplex, Reselect};
