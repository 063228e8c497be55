// SPDX-License-Identifier: GPL-2.0

//! The lower devices of a master among which a number, the hash of a packet, chooses.
//!
//! The table is changed in place, so that a change needs no memory and cannot fail. Who chooses
//! meanwhile may get one that was in it a moment ago.

use crate::rcu::Rcu;
use crate::rtnl::Rtnl;
use crate::sync::synchronize_net;
use core::ptr;
use core::sync::atomic::{AtomicPtr, AtomicU32, Ordering};
use kernel::error::Result;
use kernel::prelude::*;

/// How many places the first table has.
const FEWEST: u32 = 4;

/// # Invariants
///
/// The places hold lower devices that are linked to the master, or NULL. No more of them are in use than there are:
/// `len` is at most the length of `places`, which never changes.
struct Table<L> {
    /// How many places are in use, from the first on.
    len: AtomicU32,
    places: KVec<AtomicPtr<L>>,
}

impl<L> Table<L> {
    /// Makes a table with the places of another.
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
        // INVARIANT: There are `capacity` places.
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

/// The place of the table in a master's private area; all zeros for none.
pub(crate) struct Choices<L>(AtomicPtr<Table<L>>);

impl<L> Choices<L> {
    /// The table. Tables are made and freed under RTNL only.
    fn table<'a>(&'a self, _rtnl: &'a Rtnl) -> Option<&'a Table<L>> {
        // SAFETY: RTNL is held, so that the table is not replaced.
        unsafe { self.0.load(Ordering::Relaxed).as_ref() }
    }

    /// Takes a lower device out, wherever it is.
    pub(crate) fn forget(&self, lower: &L, rtnl: &Rtnl) {
        for place in self.table(rtnl).map_or(&[][..], |table| &table.places) {
            if ptr::eq(place.load(Ordering::Relaxed), lower) {
                place.store(ptr::null_mut(), Ordering::Relaxed);
            }
        }
    }

    /// Frees the table.
    ///
    /// # Safety
    ///
    /// Nobody uses the master any more.
    pub(crate) unsafe fn free(&self) {
        let table = self.0.swap(ptr::null_mut(), Ordering::Relaxed);
        if !table.is_null() {
            // SAFETY: Made from a box by `reserve`; by the caller's promise nobody reads it.
            drop(unsafe { KBox::from_raw(table) });
        }
    }

    /// Makes room in the table for so many. May sleep.
    pub(crate) fn reserve(&self, needed: u32, rtnl: &Rtnl) -> Result {
        let before = self.table(rtnl);
        if before.is_some_and(|table| table.places.len() >= needed as usize) {
            return Ok(());
        }
        let table = Table::new(needed.saturating_mul(2).max(FEWEST), before)?;
        let old = self.0.swap(KBox::into_raw(table), Ordering::Release);
        if !old.is_null() {
            synchronize_net();
            // SAFETY: Made from a box by an earlier call, and nobody reads it since the grace period.
            drop(unsafe { KBox::from_raw(old) });
        }
        Ok(())
    }

    /// Replaces what is in the table; what does not fit (see [`Self::reserve`]) is left out.
    ///
    /// # Safety
    ///
    /// The lower devices must be linked to the master, and be [forgotten](Self::forget) before they are not.
    pub(crate) unsafe fn set<'a>(&self, lowers: impl Iterator<Item = &'a L>, rtnl: &Rtnl)
    where
        L: 'a,
    {
        let mut len = 0u32;
        for lower in lowers {
            // The iterator is the caller's code: what it ran may have made a new table.
            let table = self.table(rtnl);
            let Some(place) = table.and_then(|table| table.places.get(len as usize)) else {
                break;
            };
            // INVARIANT: By the caller's promise.
            place.store(ptr::from_ref(lower).cast_mut(), Ordering::Release);
            len = len.saturating_add(1);
        }
        let Some(table) = self.table(rtnl) else {
            return;
        };
        // INVARIANT: A table made meanwhile has more places than the one before, but nobody has to know that here.
        let len = len.min(u32::try_from(table.places.len()).unwrap_or(u32::MAX));
        table.len.store(len, Ordering::Release);
        for place in table.places.get(len as usize..).unwrap_or_default() {
            place.store(ptr::null_mut(), Ordering::Relaxed);
        }
    }

    /// Chooses a lower device of the table by a number, if that has a length which `allows` it; none if it is empty, or
    /// about to change.
    #[inline(always)]
    pub(crate) fn choose_if<'a>(
        &'a self,
        number: u32,
        allows: impl FnOnce(u32) -> bool,
        _rcu: &'a Rcu,
    ) -> Option<&'a L> {
        // SAFETY: A table is freed a grace period after it was replaced, or with the master.
        let table = unsafe { self.0.load(Ordering::Acquire).as_ref() }?;
        let len = table.len.load(Ordering::Acquire);
        if !allows(len) {
            return None;
        }
        let place = number.checked_rem(len)?;
        // SAFETY: A remainder is less than what it is of, which is at most the number of places (type invariant).
        let lower = unsafe { table.places.get_unchecked(place as usize) }.load(Ordering::Acquire);
        // SAFETY: By the type invariant it was linked when it was read, and lower devices are freed
        // a grace period after they were unlinked.
        unsafe { lower.as_ref() }
    }
}
