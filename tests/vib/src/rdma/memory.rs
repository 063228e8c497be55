// SPDX-License-Identifier: GPL-2.0

//! Memory that work requests name, and copying between memories of this kind.
//!
//! The device has no DMA device, so the core hands out kernel addresses as DMA addresses
//! (`ib_uses_virt_dma()`).

use crate::bindings;
use core::marker::PhantomData;
use core::ptr::NonNull;

/// The key that stands for all of the kernel's memory.
pub const LOCAL_DMA_LKEY: u32 = 0;

/// A range of memory that need not be contiguous.
///
/// # Safety
///
/// What [`Memory::chunk`] returns must be valid for reads as long as `self` is borrowed. Other threads
/// may access it at the same time: that is how memory for DMA is.
pub unsafe trait Memory {
    /// How many bytes there are.
    fn size(&self) -> usize;

    /// The address of the byte at `offset`, and how many contiguous bytes begin there, at least
    /// one; none after the end.
    fn chunk(&self, offset: usize) -> Option<(NonNull<u8>, usize)>;
}

/// Memory that may be written to.
///
/// # Safety
///
/// What [`Memory::chunk`] returns must be valid for writes, too.
pub unsafe trait WritableMemory: Memory {}

/// A scatter/gather element of a work request that has not been completed.
#[derive(Clone, Copy)]
#[repr(transparent)]
pub struct Sge(pub(crate) bindings::ib_sge);

/// The scatter/gather elements of a work request that has not been completed.
#[derive(Clone, Copy)]
pub struct SgList<'a>(&'a [Sge]);

impl<'a> SgList<'a> {
    pub(crate) fn elements(&self) -> &'a [Sge] {
        self.0
    }

    /// Whether all keys are the one for the kernel's own memory, the only one that can be used
    /// here.
    pub fn is_local(&self) -> bool {
        self.0.iter().all(|sge| sge.0.lkey == LOCAL_DMA_LKEY)
    }

    /// Wraps what a consumer has posted.
    ///
    /// # Safety
    ///
    /// The elements must be from a work request that is not completed before `'a` ends: until then,
    /// the consumer lends us the memory.
    pub(crate) unsafe fn new(elements: &'a [Sge]) -> Self {
        Self(elements)
    }
}

// SAFETY: By the promise at `new`, the memory is valid.
unsafe impl Memory for SgList<'_> {
    fn size(&self) -> usize {
        self.0
            .iter()
            .fold(0, |sum, sge| sum.wrapping_add(sge.0.length as usize))
    }

    fn chunk(&self, mut offset: usize) -> Option<(NonNull<u8>, usize)> {
        for Sge(sge) in self.0 {
            let length = sge.length as usize;
            match length.checked_sub(offset) {
                Some(left) if left > 0 => {
                    let address = (sge.addr as usize).wrapping_add(offset);
                    return Some((NonNull::new(address as *mut u8)?, left));
                }
                _ => offset = offset.wrapping_sub(length),
            }
        }
        None
    }
}

// SAFETY: A consumer who posts memory that is received into lends it for writing.
unsafe impl WritableMemory for SgList<'_> {}

/// Bytes of our own, to be read.
pub struct Bytes<'a>(NonNull<u8>, usize, PhantomData<&'a [u8]>);

impl<'a> Bytes<'a> {
    /// Wraps the bytes.
    pub fn new(bytes: &'a [u8]) -> Self {
        Self(NonNull::from(bytes).cast(), bytes.len(), PhantomData)
    }
}

// SAFETY: The bytes are borrowed as long as `self` exists.
unsafe impl Memory for Bytes<'_> {
    fn size(&self) -> usize {
        self.1
    }

    fn chunk(&self, offset: usize) -> Option<(NonNull<u8>, usize)> {
        let left = self.1.checked_sub(offset)?;
        // SAFETY: Within the bytes.
        (left > 0).then(|| (unsafe { self.0.add(offset) }, left))
    }
}

/// Copies `length` bytes; false if one side ends before that, after copying what there was.
pub fn copy(
    to: &impl WritableMemory,
    mut to_offset: usize,
    from: &impl Memory,
    mut from_offset: usize,
    mut length: usize,
) -> bool {
    while length > 0 {
        let (Some((target, room)), Some((source, there))) =
            (to.chunk(to_offset), from.chunk(from_offset))
        else {
            return false;
        };
        let now = length.min(room).min(there);
        // SAFETY: Both are valid for `now` bytes, and `ptr::copy` lets them overlap.
        unsafe { core::ptr::copy(source.as_ptr(), target.as_ptr(), now) };
        to_offset = to_offset.wrapping_add(now);
        from_offset = from_offset.wrapping_add(now);
        length = length.wrapping_sub(now);
    }
    true
}

/// Copies from the memory of a work request into `to`, as far as both reach.
pub fn read(to: &mut [u8], from: &SgList<'_>) {
    let (mut offset, mut target) = (0, to.as_mut_ptr());
    let mut left = to.len();
    while left > 0 {
        let Some((source, there)) = from.chunk(offset) else {
            return;
        };
        let now = left.min(there);
        // SAFETY: `source` is valid for `now` bytes, and that many are left in `to`.
        unsafe { core::ptr::copy(source.as_ptr(), target, now) };
        // SAFETY: Not beyond the end of `to`.
        target = unsafe { target.add(now) };
        offset = offset.wrapping_add(now);
        left = left.wrapping_sub(now);
    }
}

// An address of the core fits into a pointer.
const _: () = assert!(size_of::<usize>() == size_of::<u64>());
