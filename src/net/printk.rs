// SPDX-License-Identifier: GPL-2.0

//! Lines in the kernel log.
//!
//! C header: [`include/linux/printk.h`](srctree/include/linux/printk.h)
//!
//! `netdev_err()` and the like print the name of the device as it is, whatever bytes it contains,
//! so they are not here.
//!
//! ```ignore
//! # use net::printk::{print, Level};
//! fn found(number: usize) {
//!     print(Level::Info, fmt!("example: {number} ports"));
//! }
//! ```

use crate::bindings;
use kernel::str::CStrExt;

/// The severity of a line.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Level {
    /// `KERN_ERR`
    Err,
    /// `KERN_WARNING`
    Warn,
    /// `KERN_INFO`
    Info,
}

/// Prints a line without a prefix. The text must have no control characters. Any context.
pub fn print(level: Level, args: kernel::fmt::Arguments<'_>) {
    let format = match level {
        Level::Err => c"\x013%pA\n",
        Level::Warn => c"\x014%pA\n",
        Level::Info => c"\x016%pA\n",
    };
    // SAFETY: `%pA` prints a `fmt::Arguments`, which is valid for the call, and the format is
    // NUL-terminated.
    unsafe {
        bindings::_printk(
            format.as_char_ptr(),
            (&raw const args).cast::<core::ffi::c_void>(),
        );
    }
}
