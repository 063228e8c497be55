// SPDX-License-Identifier: GPL-2.0

//! The driver turns the kernel's callbacks into events for the policy crate, and the decisions of
//! that crate into calls of the kernel.
//!
//! The files stand on floors, which `Documentation/code-map.md` draws; a file imports only from
//! files below it.
//!
//! | question | file |
//! |---|---|
//! | what is a bond, what is a slave? | `master.rs`, `slave.rs` |
//! | what are its options, and where are they read? | `options.rs` |
//! | what does a bond still have to do, and when? | `wake.rs` (done in `work.rs`) |
//! | how does a device join and leave? | `enslave.rs`, `release.rs` |
//! | what notices that a link changed? | `events.rs`, `monitor.rs`, `probe.rs` |
//! | what happens then? | `engine.rs` |
//! | which way does a packet go? | `modes/` |
//! | which slaves can be chosen? | `choose.rs` |
//! | which device has which hardware address? | `address.rs` |
//! | which packets do slaves receive for the bond? | `lists.rs` |
//! | how do the neighbours learn of a failover? | `notify.rs` |
//! | what does LACP hear, and what follows? | `lacp.rs` |
//! | which slave has how much to send? | `balance.rs` |
//! | which slave do clients send to? | `clients.rs` |
//! | how do switches learn where addresses are? | `learning.rs`, `stations.rs` |
//! | what follows when the machine stops? | `shutdown.rs` |
//! | how do other drivers learn of it? | `listeners.rs` |
//! | what asks for InfiniBand paths before a failover? | `paths.rs` |
//! | what does an option do? | `configure.rs` |
//! | IPsec in hardware? XDP programs? | `ipsec.rs`, `xdp.rs` (TLS: `modes/xor.rs`) |
//! | MTU, statistics, link settings? | `mtu.rs`, `stats.rs`, `ethtool.rs` |
//! | a bond that is not Ethernet? | `link_type.rs` |
//! | what has been decided lately? | `history.rs` |
//! | how does a message name the slave? | `message.rs` |

mod address;
mod balance;
mod balancer;
mod choose;
mod client_table;
mod clients;
pub(crate) mod configure;
mod driver;
mod engine;
mod enslave;
pub(crate) mod ethtool;
mod events;
mod features;
mod heard;
mod history;
mod ipsec;
pub(crate) mod lacp;
mod learning;
mod link_type;
mod links;
mod listeners;
mod lists;
mod master;
pub(crate) mod message;
mod modes;
mod monitor;
mod mtu;
mod notify;
pub(crate) mod options;
mod paths;
mod ports;
mod probe;
mod release;
mod shutdown;
mod slave;
mod stations;
mod stats;
mod wake;
mod work;
mod xdp;

pub(crate) use address::copy_addr;
pub(crate) use client_table::ClientTable;
pub(crate) use enslave::enslave;
pub(crate) use events::Events;
pub(crate) use history::History;
pub(crate) use master::{Bond, BondDev, SlaveDev};
pub(crate) use release::release;
pub(crate) use shutdown::Shutdown;
