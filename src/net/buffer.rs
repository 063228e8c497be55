// SPDX-License-Identifier: GPL-2.0

//! A short text for C, built without allocating memory.

use core::fmt::{self, Write};

/// A text of at most `N - 1` bytes, followed by a NUL. What does not fit is left out.
///
/// # Invariants
///
/// `len` is less than `N`, and all bytes from `len` on are zero.
pub(crate) struct Buffer<const N: usize> {
    bytes: [u8; N],
    len: usize,
}

impl<const N: usize> Buffer<N> {
    /// Makes an empty text.
    pub(crate) const fn new() -> Self {
        const { assert!(N > 0) };
        // INVARIANT: All bytes are zero.
        Buffer {
            bytes: [0; N],
            len: 0,
        }
    }

    /// Appends bytes as they are.
    pub(crate) fn push(&mut self, bytes: &[u8]) {
        let end = N.saturating_sub(1);
        let free = self.bytes.get_mut(self.len..end).unwrap_or_default();
        // INVARIANT: Writing stops before the last byte, so `len` stays less than `N`, and the
        // bytes from there on stay zero.
        for (to, from) in free.iter_mut().zip(bytes) {
            *to = *from;
            self.len = self.len.saturating_add(1);
        }
    }

    /// Returns a pointer to the text, which is followed by a NUL.
    pub(crate) fn as_ptr(&self) -> *const kernel::ffi::c_char {
        self.bytes.as_ptr().cast()
    }

    /// Returns the length of the text in bytes.
    pub(crate) fn len(&self) -> usize {
        self.len
    }
}

impl<const N: usize> Write for Buffer<N> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.push(text.as_bytes());
        Ok(())
    }
}
