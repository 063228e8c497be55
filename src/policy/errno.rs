// SPDX-License-Identifier: GPL-2.0

//! Positive error numbers, with the values that Linux has on every architecture on which it
//! supports Rust (`include/uapi/asm-generic/errno-base.h`, `errno.h`).

/// Operation not permitted.
pub const EPERM: i32 = 1;
/// Out of memory.
pub const ENOMEM: i32 = 12;
/// Permission denied; the bonding option is not supported in the current mode.
pub const EACCES: i32 = 13;
/// Device or resource busy; the bond is up.
pub const EBUSY: i32 = 16;
/// No such device.
pub const ENODEV: i32 = 19;
/// Invalid argument.
pub const EINVAL: i32 = 22;
/// Directory not empty; the bond has slaves.
pub const ENOTEMPTY: i32 = 39;
/// Operation not supported.
pub const EOPNOTSUPP: i32 = 95;
