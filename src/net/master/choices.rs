// SPDX-License-Identifier: GPL-2.0

//! The lower devices of a master that a number, such as the hash of a packet, chooses from.
//!
//! The table is changed in place, so a change needs no memory and cannot fail. A reader that
//! chooses while the table changes may get a lower device that was in the table a moment ago.

use crate::rcu::Rcu;
use crate::rtnl::Rtnl;
use crate::sync::synchronize_net;
use core::ptr;
use core::sync::atomic::{fence, AtomicPtr, AtomicU32, Ordering};
use kernel::error::Result;
use kernel::prelude::*;

/// The number of places in the first table.
const FEWEST: u32 = 4;

/// A table of lower devices.
///
/// # Invariants
///
/// Each place holds a lower device that is linked to the master, or NULL. `len` is at most the
/// length of `places`, which never changes.
struct Table<L> {
    /// The number of places in use, starting with the first.
    len: AtomicU32,
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
        let len = before.map_or(0, |table| table.len.load(Ordering::Relaxed));
        // INVARIANT: There are `capacity` places, and `len` is at most `capacity`.
        let len = len.min(capacity);
        Ok(KBox::new(
            Self {
                len: AtomicU32::new(len),
                places,
            },
            GFP_KERNEL,
        )?)
    }
}

/// The table, in a master's private area; all zeros if there is none.
#[repr(C)]
pub(crate) struct Choices<L> {
    table: AtomicPtr<Table<L>>,
    /// How often the table was emptied from outside RTNL; wraps.
    emptied: AtomicU32,
}

impl<L> Choices<L> {
    /// Returns the table. Tables are made and freed under RTNL only.
    fn current<'a>(&'a self, _rtnl: &'a Rtnl) -> Option<&'a Table<L>> {
        // SAFETY: RTNL is held, and tables are replaced under RTNL only, so this one stays for
        // `'a`.
        unsafe { self.table.load(Ordering::Relaxed).as_ref() }
    }

    /// Empties the table, because one of the lower devices in it is not to be chosen any more. Any
    /// context. A [`Self::fill`] at the same time begins again.
    pub(crate) fn empty(&self, _rcu: &Rcu) {
        self.emptied.fetch_add(1, Ordering::SeqCst);
        fence(Ordering::SeqCst);
        // SAFETY: A table is freed a grace period after it was replaced.
        if let Some(table) = unsafe { self.table.load(Ordering::Acquire).as_ref() } {
            // INVARIANT: There are more than 0 places.
            table.len.store(0, Ordering::Release);
        }
    }

    /// Fills the table with what `lowers` returns. What does not fit (see [`Self::reserve`]) is left
    /// out.
    ///
    /// # Safety
    ///
    /// As for [`Self::set`].
    pub(crate) unsafe fn fill<'a, I>(&self, lowers: impl Fn() -> I, rtnl: &Rtnl)
    where
        I: Iterator<Item = &'a L>,
        L: 'a,
    {
        loop {
            let emptied = self.emptied.load(Ordering::SeqCst);
            // SAFETY: By the caller's promise.
            unsafe { self.set(lowers(), rtnl) };
            // Either this sees that the table was emptied meanwhile, or `empty` comes after `set`.
            fence(Ordering::SeqCst);
            if self.emptied.load(Ordering::SeqCst) == emptied {
                return;
            }
        }
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
        let emptied = self.emptied.load(Ordering::SeqCst);
        let table = Table::new(needed.saturating_mul(2).max(FEWEST), before)?;
        let old = self.table.swap(KBox::into_raw(table), Ordering::Release);
        // As in `fill`. If the table before was emptied meanwhile, so is this one.
        fence(Ordering::SeqCst);
        if self.emptied.load(Ordering::SeqCst) != emptied {
            if let Some(table) = self.current(rtnl) {
                table.len.store(0, Ordering::Release);
            }
        }
        if !old.is_null() {
            synchronize_net();
            // SAFETY: An earlier call made the pointer from a box. After the grace period, nobody
            // reads it.
            drop(unsafe { KBox::from_raw(old) });
        }
        Ok(())
    }

    /// Replaces the contents of the table.
    ///
    /// # Safety
    ///
    /// The lower devices must be linked to the master. Each one must be [forgotten](Self::forget)
    /// before it ceases to be linked.
    unsafe fn set<'a>(&self, lowers: impl Iterator<Item = &'a L>, rtnl: &Rtnl)
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
        let Some(table) = self.current(rtnl) else {
            return;
        };
        // INVARIANT: `len` is limited to the number of places. If a new table was made in the
        // meantime, it has more places than the one before, but this code does not rely on that.
        let len = len.min(u32::try_from(table.places.len()).unwrap_or(u32::MAX));
        table.len.store(len, Ordering::Release);
        for place in table.places.get(len as usize..).unwrap_or_default() {
            place.store(ptr::null_mut(), Ordering::Relaxed);
        }
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
        // SAFETY: A table is freed a grace period after it was replaced, or together with the
        // master.
        let table = unsafe { self.table.load(Ordering::Acquire).as_ref() }?;
        let len = table.len.load(Ordering::Acquire);
        if !allows(len) {
            return None;
        }
        let place = number.checked_rem(len)?;
        // SAFETY: The remainder is less than `len`, which is at most the number of places (type
        // invariant).
        let lower = unsafe { table.places.get_unchecked(place as usize) }.load(Ordering::Acquire);
        // SAFETY: By the type invariant, the lower device was linked when the pointer was read.
        // Lower devices are freed a grace period after they were unlinked.
        unsafe { lower.as_ref() }
    }
}
