// SPDX-License-Identifier: GPL-2.0

//! The RTNL mutex, and the data that it protects.
//!
//! C header: [`include/linux/rtnetlink.h`](srctree/include/linux/rtnetlink.h)
//!
//! A function that needs RTNL takes `&Rtnl`. References to devices and to their lower devices that
//! are found under RTNL live as long as that borrow: a device that is unregistered is freed only
//! after RTNL was released (`netdev_run_todo()`), and so is a
//! [`Lower`](crate::master::device::Lower).
//!
//! ```ignore
//! # use net::namespace::Net;
//! # use net::rtnl;
//! fn mtu_of_lo() -> Option<u32> {
//!     let rtnl = rtnl::lock();
//!     let lo = Net::init().device_by_name(&rtnl, b"lo")?;
//!     Some(lo.mtu())
//! }
//! ```

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
    /// Makes the proof in a callback that the kernel calls under RTNL.
    ///
    /// # Safety
    ///
    /// The current thread must hold RTNL for all of `'a`, that is, `'a` must end before the
    /// callback returns.
    #[inline]
    pub(crate) unsafe fn assume<'a>() -> &'a Rtnl {
        // SAFETY: `Rtnl` has no size, so any aligned pointer is valid for it.
        // INVARIANT: The caller holds RTNL for `'a`.
        unsafe { NonNull::<Rtnl>::dangling().as_ref() }
    }
}

/// Proof that the current thread holds RTNL but no instance lock of any device (see
/// [`netdev_lock`](crate::netdev_lock)), so it may take one.
///
/// # Invariants
///
/// As for [`Rtnl`].
pub struct RtnlOnly(Rtnl);

impl RtnlOnly {
    /// Makes the proof in a callback that the kernel calls under RTNL but no instance lock. That is
    /// an operation of a master: the master has no instance lock itself, and the caller of the
    /// operation does not lock the lower devices.
    ///
    /// # Safety
    ///
    /// As for [`Rtnl::assume`]; in addition, the current thread must hold no instance lock.
    #[inline]
    pub(crate) unsafe fn assume<'a>() -> &'a RtnlOnly {
        // SAFETY: `RtnlOnly` has no size, so any aligned pointer is valid for it.
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
        // SAFETY: The guard exists, so this thread holds RTNL. References derived from the guard
        // have ended, since they borrow it.
        unsafe { bindings::rtnl_unlock() };
    }
}

/// Takes RTNL. Sleeps; must not be called with RTNL held.
pub fn lock() -> RtnlGuard {
    // SAFETY: The only requirement is a context that may sleep, as the documentation of this
    // function says.
    unsafe { bindings::rtnl_lock() };
    // INVARIANT: RTNL was just taken. Instance locks are taken after RTNL, so none is held.
    RtnlGuard(RtnlOnly(Rtnl(NotThreadSafe)))
}

/// Takes RTNL if that is possible without waiting.
///
/// For work items that are cancelled under RTNL, and for sysfs files that are removed under RTNL.
pub fn try_lock() -> Option<RtnlGuard> {
    // SAFETY: As in `lock()`; this does not sleep.
    if unsafe { bindings::rtnl_trylock() } == 0 {
        return None;
    }
    // INVARIANT: RTNL was just taken.
    Some(RtnlGuard(RtnlOnly(Rtnl(NotThreadSafe))))
}

/// A value that is only read and written under RTNL.
///
/// The value is copied or moved in and out, so no reference to it exists while somebody else writes
/// it.
pub struct RtnlCell<T>(UnsafeCell<T>);

// SAFETY: All accesses happen with RTNL held (see `get` and `set`), so there is one at a time.
unsafe impl<T: Send> Sync for RtnlCell<T> {}

impl<T> RtnlCell<T> {
    /// Makes a cell.
    pub const fn new(value: T) -> Self {
        Self(UnsafeCell::new(value))
    }

    /// Puts a value into the cell, and returns the one that was there.
    pub fn replace(&self, _rtnl: &Rtnl, value: T) -> T {
        // SAFETY: As in `set`; the caller drops the old value.
        unsafe { core::ptr::replace(self.0.get(), value) }
    }
}

impl<T: Copy> RtnlCell<T> {
    /// Returns a copy of the value.
    #[inline]
    pub fn get(&self, _rtnl: &Rtnl) -> T {
        // SAFETY: RTNL is held, so nobody writes meanwhile.
        unsafe { *self.0.get() }
    }

    /// Replaces the value.
    #[inline]
    pub fn set(&self, _rtnl: &Rtnl, value: T) {
        // SAFETY: RTNL is held, so nobody else reads or writes meanwhile, and no reference to the
        // value exists.
        unsafe { *self.0.get() = value };
    }
}

/// Tells the code that a function calls whether that function is under way.
pub struct Underway(RtnlCell<bool>);

impl Underway {
    /// Makes the flag of a function that is not under way.
    #[allow(clippy::new_without_default)]
    pub const fn new() -> Self {
        Self(RtnlCell::new(false))
    }

    /// Returns whether the function is under way.
    pub fn is(&self, rtnl: &Rtnl) -> bool {
        self.0.get(rtnl)
    }

    /// Runs the function, which counts as under way until it returns.
    pub fn during<R>(&self, rtnl: &Rtnl, run: impl FnOnce() -> R) -> R {
        let was = self.0.get(rtnl);
        self.0.set(rtnl, true);
        let res = run();
        self.0.set(rtnl, was);
        res
    }
}
