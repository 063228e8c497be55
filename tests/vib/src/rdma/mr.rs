// SPDX-License-Identifier: GPL-2.0

//! Memory regions: memory that the other side of a connection may read or write.
//!
//! C header: [`include/rdma/ib_verbs.h`](srctree/include/rdma/ib_verbs.h)

use crate::bindings;
use crate::irq_lock;
use crate::memory::{self, Memory, WritableMemory};
use crate::sync::{IrqGuard, IrqLock};
use core::ptr::NonNull;
use kernel::prelude::*;
use kernel::sync::Arc;

/// What the other side may do with a region (`IB_ACCESS_*`).
pub mod access {
    use crate::bindings;

    /// The other side may write.
    pub const REMOTE_WRITE: u32 = bindings::ib_access_flags_IB_ACCESS_REMOTE_WRITE;
    /// The other side may read.
    pub const REMOTE_READ: u32 = bindings::ib_access_flags_IB_ACCESS_REMOTE_READ;
    /// The other side may do atomic operations.
    pub const REMOTE_ATOMIC: u32 = bindings::ib_access_flags_IB_ACCESS_REMOTE_ATOMIC;
}

/// The part of a key that is the consumer's, to tell one use of a region from the next.
pub const KEY_BITS: u32 = 8;

/// The access is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Refused;

/// How addresses are mapped to memory.
enum Mapping {
    /// All of the kernel's memory: addresses are used as they are.
    Everything,
    /// Pages of the same size.
    Pages { pages: KVVec<u64>, capacity: usize },
}

struct State {
    mapping: Mapping,
    page_size: usize,
    address: u64,
    length: u64,
    key: u32,
    access: u32,
    valid: bool,
}

/// A memory region.
#[pin_data]
pub struct Mr {
    #[pin]
    state: IrqLock<State>,
}

impl Mr {
    fn new(mapping: Mapping, access: u32) -> Result<Arc<Self>> {
        let valid = matches!(mapping, Mapping::Everything);
        let state = State {
            mapping,
            page_size: 0,
            address: 0,
            length: if valid { u64::MAX } else { 0 },
            key: 0,
            access,
            valid,
        };
        Arc::pin_init(
            pin_init!(Self { state <- irq_lock!(state, c"vib_mr") }),
            GFP_KERNEL,
        )
    }

    /// A region of all of the kernel's memory. Sleeps.
    ///
    /// # Safety
    ///
    /// The caller is responsible for the addresses that the other side sends.
    pub(crate) unsafe fn everything(access: u32) -> Result<Arc<Self>> {
        Self::new(Mapping::Everything, access)
    }

    /// A region of up to this many pages, which a work request makes valid. Sleeps.
    pub(crate) fn of_pages(capacity: u32) -> Result<Arc<Self>> {
        let capacity = capacity as usize;
        let pages = KVVec::with_capacity(capacity, GFP_KERNEL)?;
        Self::new(Mapping::Pages { pages, capacity }, 0)
    }

    pub(crate) fn set_key(&self, key: u32) {
        self.state.lock().key = key;
    }

    /// Forgets the pages, before the consumer names new ones.
    pub(crate) fn clear_pages(&self) {
        if let Mapping::Pages { pages, .. } = &mut self.state.lock().mapping {
            pages.clear();
        }
    }

    pub(crate) fn add_page(&self, page: u64) -> Result {
        match &mut self.state.lock().mapping {
            Mapping::Pages { pages, capacity } if pages.len() < *capacity => {
                pages.push_within_capacity(page).map_err(|_| ENOMEM)
            }
            _ => Err(ENOMEM),
        }
    }

    /// Sets how much of the added pages belongs to the region.
    pub(crate) fn set_range(&self, length: u64, page_size: usize) {
        let mut state = self.state.lock();
        state.length = length;
        state.page_size = page_size;
    }

    /// The region goes away: nobody can reach its memory any more. Sleeps.
    pub(crate) fn close(&self) {
        let mut state = self.state.lock();
        state.valid = false;
        let empty = Mapping::Pages {
            pages: KVVec::new(),
            capacity: 0,
        };
        let old = core::mem::replace(&mut state.mapping, empty);
        drop(state);
        drop(old);
    }

    /// Makes the region valid under a key; `address` is the first one in it. Any context.
    pub fn register(&self, address: u64, key: u32, access: u32) -> Result<(), Refused> {
        let mut state = self.state.lock();
        if state.valid || (key ^ state.key) >> KEY_BITS != 0 {
            return Err(Refused);
        }
        state.address = address;
        state.key = key;
        state.access = access;
        state.valid = true;
        Ok(())
    }

    /// Makes the region invalid: its memory is the consumer's again. Any context.
    pub fn invalidate(&self, key: u32) -> Result<(), Refused> {
        let mut state = self.state.lock();
        let paged = matches!(state.mapping, Mapping::Pages { .. });
        if !state.valid || state.key != key || !paged {
            return Err(Refused);
        }
        state.valid = false;
        Ok(())
    }

    fn range(
        &self,
        key: u32,
        address: u64,
        length: usize,
        access: u32,
    ) -> Result<Range<'_>, Refused> {
        let state = self.state.lock();
        let start = address.checked_sub(state.address).ok_or(Refused)?;
        let end = start.checked_add(length as u64).ok_or(Refused)?;
        if !state.valid || state.key != key || state.access & access != access || end > state.length
        {
            return Err(Refused);
        }
        Ok(Range {
            start,
            length,
            state,
        })
    }

    /// Writes what a work request sends. Any context.
    pub fn write(&self, key: u32, address: u64, from: &impl Memory) -> Result<(), Refused> {
        let length = from.size();
        let range = self.range(key, address, length, access::REMOTE_WRITE)?;
        memory::copy(&range, 0, from, 0, length)
            .then_some(())
            .ok_or(Refused)
    }

    /// Reads into the memory of a work request. Any context.
    pub fn read(&self, key: u32, address: u64, to: &impl WritableMemory) -> Result<(), Refused> {
        let length = to.size();
        let range = self.range(key, address, length, access::REMOTE_READ)?;
        memory::copy(to, 0, &range, 0, length)
            .then_some(())
            .ok_or(Refused)
    }

    /// Changes eight bytes, and returns the old ones; atomic with regard to other such changes. Any
    /// context.
    pub fn exchange(
        &self,
        key: u32,
        address: u64,
        change: impl FnOnce(u64) -> u64,
    ) -> Result<u64, Refused> {
        let range = self.range(key, address, 8, access::REMOTE_ATOMIC)?;
        let (place, _) = range.chunk(0).ok_or(Refused)?;
        if address & 7 != 0 || place.as_ptr() as usize & 7 != 0 {
            return Err(Refused);
        }
        let place = place.as_ptr().cast::<u64>();
        // SAFETY: Aligned, so that all eight bytes are in the page, and valid while the range exists.
        unsafe {
            let old = place.read_volatile();
            place.write_volatile(change(old));
            Ok(old)
        }
    }
}

/// A part of a region, which stays valid while this exists.
struct Range<'a> {
    start: u64,
    length: usize,
    state: IrqGuard<'a, State>,
}

// SAFETY: The consumer has lent the memory until the region is made invalid, for which the lock is
// taken; with the access that was checked, it may be written to.
unsafe impl Memory for Range<'_> {
    fn size(&self) -> usize {
        self.length
    }

    fn chunk(&self, offset: usize) -> Option<(NonNull<u8>, usize)> {
        let left = self.length.checked_sub(offset).filter(|&left| left > 0)?;
        let at = self.start.checked_add(offset as u64)?;
        match &self.state.mapping {
            Mapping::Everything => Some((NonNull::new(at as *mut u8)?, left)),
            Mapping::Pages { pages, .. } => {
                let size = self.state.page_size;
                if !size.is_power_of_two() {
                    return None;
                }
                let mask = size.wrapping_sub(1);
                let first = self.state.address as usize & mask;
                let at = first.checked_add(at as usize)?;
                let page = *pages.get(at.wrapping_shr(size.trailing_zeros()))?;
                let within = at & mask;
                let place = (page as usize).wrapping_add(within) as *mut u8;
                Some((NonNull::new(place)?, left.min(size.wrapping_sub(within))))
            }
        }
    }
}

// SAFETY: As above.
unsafe impl WritableMemory for Range<'_> {}

/// A region, as the core knows it.
#[repr(C)]
pub(crate) struct MrObject {
    pub(crate) ib: bindings::ib_mr,
    /// From `Arc::into_raw`.
    pub(crate) mr: *const Mr,
}
