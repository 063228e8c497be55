// SPDX-License-Identifier: GPL-2.0

//! Memory that others may write while it is read, such as the data of packets.
//!
//! User space can have the memory of a frame in its address space (AF_XDP, `PACKET_TX_RING`,
//! `MSG_ZEROCOPY`), and clones of a packet share it. A Rust reference would promise that the memory
//! does not change. So there is no reference: each byte is read once, and the copy does not change.

use core::marker::PhantomData;

/// Bytes that others may write meanwhile.
///
/// # Invariants
///
/// `len` bytes from `start` on may be read for all of `'a`, as memory whose content may change at
/// any time.
#[derive(Clone, Copy)]
pub struct Bytes<'a> {
    start: *const u8,
    len: usize,
    _owner: PhantomData<&'a ()>,
}

impl Bytes<'_> {
    /// Makes the object.
    ///
    /// # Safety
    ///
    /// `len` bytes from `start` on must be readable for all of the lifetime that the caller
    /// chooses.
    #[inline(always)]
    pub(crate) unsafe fn new(start: *const u8, len: usize) -> Self {
        // INVARIANT: By the caller's promise.
        Self {
            start,
            len,
            _owner: PhantomData,
        }
    }

    /// Returns a pointer to the first byte, for C functions that allow for concurrent writes.
    #[inline(always)]
    pub(crate) fn as_ptr(self) -> *const u8 {
        self.start
    }

    /// Returns the number of bytes.
    #[inline(always)]
    pub(crate) fn len(self) -> usize {
        self.len
    }

    /// Returns the bytes after the first `count`, or `None` if there are fewer.
    #[inline(always)]
    pub(crate) fn skip(self, count: usize) -> Option<Self> {
        let len = self.len.checked_sub(count)?;
        // SAFETY: `count` is at most `len`, so the sum is at most one past the last byte (type
        // invariant).
        let start = unsafe { self.start.add(count) };
        // INVARIANT: These are the last of the bytes that may be read.
        Some(Self { start, len, ..self })
    }

    /// Copies `N` bytes from `at` on. Returns `None` if the bytes end before.
    #[inline(always)]
    pub fn get<const N: usize>(self, at: usize) -> Option<[u8; N]> {
        if at.checked_add(N)? > self.len {
            return None;
        }
        // SAFETY: The `N` bytes at `at` are within the bytes that may be read (type invariant).
        Some(unsafe { read(self.start.add(at)) })
    }
}

/// A number at any address, aligned or not.
#[repr(C, packed)]
struct Unaligned<T>(T);

/// Copies `N` bytes in as few reads as possible, each of which is a single access (`READ_ONCE()`).
///
/// # Safety
///
/// `N` bytes at `from` must be readable; they may change meanwhile.
#[inline(always)]
pub(crate) unsafe fn read<const N: usize>(from: *const u8) -> [u8; N] {
    let mut bytes = [0; N];
    let mut at = 0usize;
    macro_rules! words {
        ($word:ty) => {
            while N.wrapping_sub(at) >= size_of::<$word>() {
                // SAFETY: The source is readable by the caller's promise, and the loop condition stays within `bytes`; neither need be aligned.
                unsafe {
                    let word = from.add(at).cast::<Unaligned<$word>>().read_volatile();
                    bytes.as_mut_ptr().add(at).cast::<Unaligned<$word>>().write(word);
                }
                at = at.wrapping_add(size_of::<$word>());
            }
        };
    }
    words!(u64);
    words!(u32);
    words!(u16);
    words!(u8);
    bytes
}
