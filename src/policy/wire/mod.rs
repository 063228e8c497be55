// SPDX-License-Identifier: GPL-2.0

//! Packet formats. They are read from bytes in network byte order, which may hold anything.

pub mod arp;
pub mod ether;
pub mod frame;
pub mod ndisc;
pub mod slow;
