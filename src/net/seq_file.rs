// SPDX-License-Identifier: GPL-2.0

//! Files that are read from their beginning to their end.
//!
//! C header: [`include/linux/seq_file.h`](srctree/include/linux/seq_file.h)

use crate::bindings;
use core::fmt;

/// The output of a file (`struct seq_file`). It may be of any length.
///
/// ```ignore
/// # use core::fmt::Write;
/// # use net::seq_file::Seq;
/// fn show(name: &[u8], speed: u32, seq: &mut Seq<'_>) -> core::fmt::Result {
///     seq.bytes(name);
///     writeln!(seq, ": {speed} Mbit/s")
/// }
/// ```
pub struct Seq<'a>(&'a mut bindings::seq_file);

impl<'a> Seq<'a> {
    /// # Safety
    ///
    /// The file must be valid, and used by nobody but the caller, for as long as the value is used.
    pub(crate) unsafe fn from_raw(file: *mut bindings::seq_file) -> Self {
        // SAFETY: By the caller's promise.
        Seq(unsafe { &mut *file })
    }

    /// Writes bytes as they are.
    pub fn bytes(&mut self, bytes: &[u8]) {
        // SAFETY: The file is valid and ours. If there is no room, the kernel shows the file again
        // with more.
        unsafe { bindings::seq_write(self.0, bytes.as_ptr().cast(), bytes.len()) };
    }
}

impl fmt::Write for Seq<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.bytes(text.as_bytes());
        Ok(())
    }
}
