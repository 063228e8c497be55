// SPDX-License-Identifier: GPL-2.0

//! All that this crate has for bonds alone, and not for other masters.

pub mod info;
pub mod ioctl;
pub mod published;
pub mod timestamp;
pub mod trace;
