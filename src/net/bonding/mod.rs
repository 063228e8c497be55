// SPDX-License-Identifier: GPL-2.0

//! What the kernel knows of bonds alone, and of no other masters: all that this crate has of them.

pub mod info;
pub mod ioctl;
pub mod published;
pub mod timestamp;
pub mod trace;
