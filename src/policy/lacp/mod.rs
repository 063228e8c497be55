// SPDX-License-Identifier: GPL-2.0

//! The Link Aggregation Control Protocol (IEEE 802.1AX-2014, 6.4) of a bond in 802.3ad mode.
//!
//! An input (a PDU, a link, an option, the time) changes the state of the ports, and all machines of
//! the standard then run until they settle: nothing waits for a tick. Each port has its machines,
//! whose deadlines are inside the states that have them (`port.rs`, `machines.rs`). The bond as a whole selects
//! aggregators and uses one of them ([`System`], `select.rs`).
//!
//! The standard's `Selected` is [`Port::aggregator`]: 0 stands for UNSELECTED. STANDBY does not
//! occur: a bond has no limit on the number of ports of an aggregator.
//!
//! Ports stay where the caller keeps them, and are reached through [`Ports`]. The caller holds one
//! lock during each call.

mod machines;
mod port;
#[cfg(not(MODULE))] // Not in the kernel.
mod rebase;
mod select;
mod system;

pub use port::{Churn, Counters, Flags, Mux, Periodic, Port, PortFacts, Receive};
pub use select::{AdSelect, Aggregator, Reason, Report, Shortage};
pub use system::{Settings, System};

use crate::link::Millis;

/// The time between two LACPDUs of a port with a short timeout (`Fast_Periodic_Time`), in ms.
pub const FAST_PERIODIC: Millis = 1_000;
/// The time between two LACPDUs of a port with a long timeout (`Slow_Periodic_Time`), in ms.
pub const SLOW_PERIODIC: Millis = 30_000;
/// After which time without an LACPDU what is known of the partner expires (`Short_Timeout_Time`),
/// in ms.
pub const SHORT_TIMEOUT: Millis = 3_000;
/// Like [`SHORT_TIMEOUT`], for a long timeout (`Long_Timeout_Time`).
pub const LONG_TIMEOUT: Millis = 90_000;
/// How long ports wait for others to join an aggregator (`Aggregate_Wait_Time`), in ms.
pub const AGGREGATE_WAIT: Millis = 2_000;
/// How long a port may be out of sync (`Churn_Detection_Time`), in ms.
pub const CHURN_DETECTION: Millis = 60_000;

/// Where the ports are kept. `get` and `set` are called with keys that `keys` has listed, or that
/// came with an input.
pub trait Ports {
    /// Identifies a slave.
    type Key: Copy + Eq;

    /// The slaves in the order in which they were enslaved.
    fn keys(&self) -> impl Iterator<Item = Self::Key> + Clone;

    /// The port of a slave.
    fn get(&self, key: Self::Key) -> Port;

    /// Stores the port of a slave.
    fn set(&self, key: Self::Key, port: Port);
}
