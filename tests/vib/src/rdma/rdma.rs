// SPDX-License-Identifier: GPL-2.0

//! Safe abstractions of the kernel's RDMA core, for providers in software.
//!
//! Written like a part of the `kernel` crate that upstream lacks. All `unsafe` code of vib.ko is in
//! this crate; its types enforce the rules:
//!
//! - [`device::Registration`] is a registered device: dropping it unregisters;
//! - a posted work request lends its memory until it is completed: [`work_request::WorkId`] is what
//!   a completion needs, and getting it gives the memory back;
//! - [`cq::Completer`] is a queue pair's way into its completion queue, and closes with it.

#![deny(
    missing_docs,
    unsafe_op_in_unsafe_fn,
    clippy::undocumented_unsafe_blocks
)]
// Only C calls callbacks; the conditions are stated once for a whole table, above it.
#![allow(clippy::missing_safety_doc)]

pub mod address;
mod bindings;
pub mod cq;
pub mod device;
pub mod memory;
pub mod mr;
mod ops;
pub mod provider;
pub mod qp;
pub mod send_queue;
pub mod sync;
pub mod work;
pub mod work_request;

const __LOG_PREFIX: &[u8] = b"vib\0";
