// SPDX-License-Identifier: GPL-2.0

//! The lower devices of a master that a number, such as the hash of a packet, chooses from.
//!
//! The table is changed in place, so a change needs no memory and cannot fail. A reader that
//! chooses while the table changes may get a lower device that was in the table a moment ago.

use crate::rcu::Rcu;
use crate::rtnl::Rtnl;
use crate::sync::synchronize_net;
use core::num::NonZeroU32;
use core::ptr;
use core::sync::atomic::{AtomicPtr, AtomicU64, Ordering};
use kernel::error::Result;
use kernel::prelude::*;

/// The number of places in the first table.
const FEWEST: u32 = 4;

/// A table of lower devices.
///
/// # Invariants
///
/// Each place holds a lower device that is linked to the master, or NULL.
struct Table<L> {
    /// Never changes its length.
    places: KVec<AtomicPtr<L>>,
}

impl<L> Table<L> {
    /// Makes a table of `capacity` places that starts with the contents of the table `before`.
    fn new(capacity: u32, before: Option<&Table<L>>) -> Result<KBox<Self>> {
        let mut places = KVec::with_capacity(capacity as usize, GFP_KERNEL)?;
        let mut held = before.map_or(&[][..], |table| &table.places).iter();
        for _ in 0..capacity {
            let lower = held
                .next()
                .map_or(ptr::null_mut(), |place| place.load(Ordering::Relaxed));
            places
                .push_within_capacity(AtomicPtr::new(lower))
                .map_err(|_| ENOMEM)?;
        }
        // INVARIANT: The places hold what those of the table before hold, or NULL.
        Ok(KBox::new(Self { places }, GFP_KERNEL)?)
    }
}

/// How many places are in use, starting with the first, in the low half; and how often the table
/// was emptied, which wraps, in the high half. One word holds both, so that a table that was emptied
/// stays empty until it is filled by somebody who knows of that.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Use(u64);

impl Use {
    const HALF: u32 = 32;

    #[inline(always)]
    const fn len(self) -> u32 {
        self.0 as u32
    }

    const fn with_len(self, len: u32) -> Use {
        Use(self.0.wrapping_shr(Self::HALF).wrapping_shl(Self::HALF) | len as u64)
    }

    const fn emptied(self) -> Use {
        Use(self.0.wrapping_add(1u64.wrapping_shl(Self::HALF))).with_len(0)
    }
}

/// The table, in a master's private area; all zeros if there is none.
///
/// # Invariants
///
/// The length in `used` is at most the number of places of the table that whoever has read `used`
/// before finds in `table`: a table is only replaced by one that is at least as long.
#[repr(C)]
pub(crate) struct Choices<L> {
    table: AtomicPtr<Table<L>>,
    /// A [`Use`]. Not an atomic of the `kernel` crate, whose loads are function calls in a module.
    used: AtomicU64,
}

impl<L> Choices<L> {
    /// Returns the table. Tables are made and freed under RTNL only.
    fn current<'a>(&'a self, _rtnl: &'a Rtnl) -> Option<&'a Table<L>> {
        // SAFETY: RTNL is held, and tables are replaced under RTNL only, so this one stays for
        // `'a`.
        unsafe { self.table.load(Ordering::Relaxed).as_ref() }
    }

    /// Returns what is in use. What is read after that is no older.
    #[inline(always)]
    fn used(&self) -> Use {
        Use(self.used.load(Ordering::Acquire))
    }

    /// Empties the table, because what is in it is not to be chosen any more. Any context. A
    /// [`Self::fill`] at the same time has no effect; the caller has to have another one follow.
    pub(crate) fn empty(&self) {
        let emptied = |used| Some(Use(used).emptied().0);
        let _ = self
            .used
            .fetch_update(Ordering::SeqCst, Ordering::Relaxed, emptied);
    }

    /// Fills the table with what `lowers` returns. What does not fit (see [`Self::reserve`]) is left
    /// out. If the table is emptied in the meantime, it stays empty.
    ///
    /// # Safety
    ///
    /// As for [`Self::set`].
    pub(crate) unsafe fn fill<'a, I>(&self, lowers: impl FnOnce() -> I, rtnl: &Rtnl)
    where
        I: Iterator<Item = &'a L>,
        L: 'a,
    {
        // What `lowers` returns is no older than this.
        let before = self.used();
        // SAFETY: By the caller's promise.
        let len = unsafe { self.set(lowers(), rtnl) };
        // INVARIANT: `set` has returned at most the number of places. Nobody else fills the table, so
        // the word is only different if somebody has emptied the table.
        let _ = self.used.compare_exchange(
            before.0,
            before.with_len(len).0,
            Ordering::SeqCst,
            Ordering::Relaxed,
        );
    }

    /// Removes a lower device from the table, wherever it is.
    pub(crate) fn forget(&self, lower: &L, rtnl: &Rtnl) {
        for place in self.current(rtnl).map_or(&[][..], |table| &table.places) {
            if ptr::eq(place.load(Ordering::Relaxed), lower) {
                place.store(ptr::null_mut(), Ordering::Relaxed);
            }
        }
    }

    /// Frees the table.
    ///
    /// # Safety
    ///
    /// The caller must ensure that nobody uses the master any more.
    pub(crate) unsafe fn free(&self) {
        let table = self.table.swap(ptr::null_mut(), Ordering::Relaxed);
        if !table.is_null() {
            // SAFETY: `reserve` made the pointer from a box; the caller guarantees that nobody
            // reads it.
            drop(unsafe { KBox::from_raw(table) });
        }
    }

    /// Makes room in the table for `needed` lower devices. May sleep.
    pub(crate) fn reserve(&self, needed: u32, rtnl: &Rtnl) -> Result {
        let before = self.current(rtnl);
        if before.is_some_and(|table| table.places.len() >= needed as usize) {
            return Ok(());
        }
        // INVARIANT: The new table is longer than the one before.
        let table = Table::new(needed.max(FEWEST), before)?;
        let old = self.table.swap(KBox::into_raw(table), Ordering::Release);
        if !old.is_null() {
            synchronize_net();
            // SAFETY: An earlier call made the pointer from a box. After the grace period, nobody
            // reads it.
            drop(unsafe { KBox::from_raw(old) });
        }
        Ok(())
    }

    /// Replaces the contents of the places. Returns how many are in use now.
    ///
    /// # Safety
    ///
    /// The lower devices must be linked to the master. Each one must be [forgotten](Self::forget)
    /// before it ceases to be linked.
    unsafe fn set<'a>(&self, lowers: impl Iterator<Item = &'a L>, rtnl: &Rtnl) -> u32
    where
        L: 'a,
    {
        let mut len = 0u32;
        for lower in lowers {
            // The iterator is code of the caller, which may have made a new table.
            let table = self.current(rtnl);
            let Some(place) = table.and_then(|table| table.places.get(len as usize)) else {
                break;
            };
            // INVARIANT: The caller guarantees that `lower` is linked to the master.
            place.store(ptr::from_ref(lower).cast_mut(), Ordering::Release);
            len = len.saturating_add(1);
        }
        len
    }

    /// Chooses a lower device from the table by `number`, if `allows` accepts the number of places
    /// in use. Returns none if the table is empty or about to change.
    #[inline(always)]
    pub(crate) fn choose_if<'a>(
        &'a self,
        number: u32,
        allows: impl FnOnce(u32) -> bool,
        _rcu: &'a Rcu,
    ) -> Option<&'a L> {
        // First the length: see the type invariant.
        let len = NonZeroU32::new(self.used().len())?;
        // SAFETY: A table is freed a grace period after it was replaced, or together with the
        // master.
        let table = unsafe { self.table.load(Ordering::Acquire).as_ref() }?;
        if !allows(len.get()) {
            return None;
        }
        let place = number % len;
        // SAFETY: The remainder is less than `len`, which is at most the number of places (type
        // invariant).
        let lower = unsafe { table.places.get_unchecked(place as usize) }.load(Ordering::Acquire);
        // SAFETY: By the type invariant, the lower device was linked when the pointer was read.
        // Lower devices are freed a grace period after they were unlinked.
        unsafe { lower.as_ref() }
    }
}
