// SPDX-License-Identifier: GPL-2.0

//! Memory that others may write while it is read: what packets consist of.
//!
//! User space can have the memory of a frame in its address space (AF_XDP, `PACKET_TX_RING`,
//! `MSG_ZEROCOPY`), and clones of a packet share it. A Rust reference would promise that it does not
//! change. So there is none: what is read is copied, each byte once, and then stays as it is.

use core::marker::PhantomData;

/// Bytes that others may write meanwhile.
///
/// # Invariants
///
/// From `start` on, `len` bytes may be read for all of `'a`, as memory whose content may change at any time.
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
    /// From `start` on, `len` bytes must be readable for all of the lifetime that is chosen.
    #[inline(always)]
    pub(crate) unsafe fn new(start: *const u8, len: usize) -> Self {
        // INVARIANT: By the caller's promise.
        Self {
            start,
            len,
            _owner: PhantomData,
        }
    }

    /// Where they begin, for C functions that know what they read.
    #[inline(always)]
    pub(crate) fn as_ptr(self) -> *const u8 {
        self.start
    }

    /// How many there are.
    #[inline(always)]
    pub(crate) fn len(self) -> usize {
        self.len
    }

    /// Those behind the first `count`; none if there are not as many.
    #[inline(always)]
    pub(crate) fn skip(self, count: usize) -> Option<Self> {
        let len = self.len.checked_sub(count)?;
        // SAFETY: `count` is at most `len`, so that the sum is at most one behind the last byte (type invariant).
        let start = unsafe { self.start.add(count) };
        // INVARIANT: These are the last of those that may be read.
        Some(Self { start, len, ..self })
    }

    /// Copies `N` of them, from `at` on; none if they end before.
    #[inline(always)]
    pub fn get<const N: usize>(self, at: usize) -> Option<[u8; N]> {
        if at.checked_add(N)? > self.len {
            return None;
        }
        // SAFETY: The `N` bytes at `at` are within those that may be read (type invariant).
        Some(unsafe { read(self.start.add(at)) })
    }
}

/// A number that may lie anywhere.
#[repr(C, packed)]
struct Unaligned<T>(T);

/// Copies `N` bytes in as few reads as there can be, each of which is one (`READ_ONCE()`).
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
                // SAFETY: By the caller's promise, and by the condition for the buffer; neither has to be aligned.
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
