// SPDX-License-Identifier: GPL-2.0

//! Formats of packets. They are read from bytes in network byte order, which may be anything.

pub mod arp;
pub mod ether;
pub mod ndisc;
