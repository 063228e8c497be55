// SPDX-License-Identifier: GPL-2.0

//! The RTNL mutex, and data that it protects.
//!
//! C header: [`include/linux/rtnetlink.h`](srctree/include/linux/rtnetlink.h)
//!
//! A function that needs RTNL takes `&Rtnl`. References to devices and to their lower devices that
//! are found under RTNL live as long as that borrow: a device that is unregistered is freed only
//! after RTNL was dropped (`netdev_run_todo()`), and a [`Lower`](crate::lower::Lower) likewise.

use crate::bindings;
use core::cell::UnsafeCell;
use core::ops::Deref;
use core::ptr::NonNull;
use kernel::types::NotThreadSafe;

/// Proof that the current thread holds RTNL.
///
/// # Invariants
///
/// The current thread holds RTNL as long as a reference to this type is alive.
pub struct Rtnl(NotThreadSafe);

impl Rtnl {
    /// Makes the proof in a callback which the kernel calls under RTNL.
    ///
    /// # Safety
    ///
    /// The current thread must hold RTNL for all of `'a`, that is, `'a` must end before the callback
    /// returns.
    #[inline]
    pub(crate) unsafe fn assume<'a>() -> &'a Rtnl {
        // SAFETY: `Rtnl` has no size, so that any aligned pointer is valid for it.
        // INVARIANT: The caller holds RTNL for `'a`.
        unsafe { NonNull::<Rtnl>::dangling().as_ref() }
    }
}

/// Proof that the current thread holds RTNL, and the instance lock of no device (see
/// [`netdev_lock`](crate::netdev_lock)), so that it may take one.
///
/// # Invariants
///
/// As for [`Rtnl`].
pub struct RtnlOnly(Rtnl);

impl RtnlOnly {
    /// Makes the proof in a callback which the kernel calls under RTNL and no instance lock: that of an operation
    /// of a master, which has none itself, and whose lower devices are not locked by whoever calls it.
    ///
    /// # Safety
    ///
    /// As for [`Rtnl::assume`]; and the current thread must hold no instance lock.
    #[inline]
    pub(crate) unsafe fn assume<'a>() -> &'a RtnlOnly {
        // SAFETY: `RtnlOnly` has no size, so that any aligned pointer is valid for it.
        // INVARIANT: The caller holds RTNL for `'a`.
        unsafe { NonNull::<RtnlOnly>::dangling().as_ref() }
    }
}

impl Deref for RtnlOnly {
    type Target = Rtnl;

    fn deref(&self) -> &Rtnl {
        &self.0
    }
}

/// RTNL, held until this guard is dropped.
///
/// Dropping may sleep: `rtnl_unlock()` finishes the unregistration of devices.
pub struct RtnlGuard(RtnlOnly);

impl Deref for RtnlGuard {
    type Target = RtnlOnly;

    fn deref(&self) -> &RtnlOnly {
        &self.0
    }
}

impl Drop for RtnlGuard {
    fn drop(&mut self) {
        // SAFETY: The guard exists, so that this thread holds RTNL; references derived from it have
        // ended, since they borrow the guard.
        unsafe { bindings::rtnl_unlock() };
    }
}

/// Takes RTNL. Sleeps; must not be called with RTNL held.
pub fn lock() -> RtnlGuard {
    // SAFETY: No requirement but the context, which sleeping is allowed in by this function's doc.
    unsafe { bindings::rtnl_lock() };
    // INVARIANT: RTNL was taken just now. Instance locks are taken after it.
    RtnlGuard(RtnlOnly(Rtnl(NotThreadSafe)))
}

/// Takes RTNL if that is possible without waiting.
///
/// For work items which are cancelled, and sysfs files which are removed, under RTNL.
pub fn try_lock() -> Option<RtnlGuard> {
    // SAFETY: As in `lock()`; does not sleep.
    if unsafe { bindings::rtnl_trylock() } == 0 {
        return None;
    }
    // INVARIANT: RTNL was taken just now.
    Some(RtnlGuard(RtnlOnly(Rtnl(NotThreadSafe))))
}

/// A value that is read and written under RTNL only.
///
/// It is copied or moved in and out, so that no reference into it exists while somebody else writes it.
pub struct RtnlCell<T>(UnsafeCell<T>);

// SAFETY: All accesses happen with RTNL held (see `get` and `set`), so one at a time.
unsafe impl<T: Send> Sync for RtnlCell<T> {}

impl<T> RtnlCell<T> {
    /// Makes a cell.
    pub const fn new(value: T) -> Self {
        Self(UnsafeCell::new(value))
    }

    /// Puts a value into the cell, and returns the one that was there.
    pub fn replace(&self, _rtnl: &Rtnl, value: T) -> T {
        // SAFETY: As in `set`; the old value is dropped by the caller, not here.
        unsafe { core::ptr::replace(self.0.get(), value) }
    }
}

impl<T: Copy> RtnlCell<T> {
    /// Returns a copy of the value.
    #[inline]
    pub fn get(&self, _rtnl: &Rtnl) -> T {
        // SAFETY: RTNL is held, so that nobody writes meanwhile.
        unsafe { *self.0.get() }
    }

    /// Replaces the value.
    #[inline]
    pub fn set(&self, _rtnl: &Rtnl, value: T) {
        // SAFETY: RTNL is held, so that nobody else reads or writes meanwhile, and no reference to
        // the value exists.
        unsafe { *self.0.get() = value };
    }
}

/// Whether a function is under way, for whoever it calls meanwhile.
pub struct Underway(RtnlCell<bool>);

impl Underway {
    /// Makes one of a function that is not.
    #[allow(clippy::new_without_default)]
    pub const fn new() -> Self {
        Self(RtnlCell::new(false))
    }

    /// Returns whether the function is under way.
    pub fn is(&self, rtnl: &Rtnl) -> bool {
        self.0.get(rtnl)
    }

    /// Runs the function.
    pub fn during<R>(&self, rtnl: &Rtnl, run: impl FnOnce() -> R) -> R {
        let was = self.0.get(rtnl);
        self.0.set(rtnl, true);
        let res = run();
        self.0.set(rtnl, was);
        res
    }
}
