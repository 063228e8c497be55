// SPDX-License-Identifier: GPL-2.0

//! Tests of the virtual fabric's decisions.

mod groups;
mod ports;
mod properties;
mod sa;
mod smp;
mod world;
