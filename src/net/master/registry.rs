// SPDX-License-Identifier: GPL-2.0

//! Where a driver of masters is found by its devices, and who needs it.

use super::object::DirRef;
use super::poller::Poller;
use crate::bindings;
use crate::static_ref::StaticRef;
use crate::sync::update_u32;
use core::ffi::c_void;
use core::marker::PhantomData;
use core::ptr;
use kernel::sync::atomic::{Acquire, Atomic, Full, Release};
use kernel::sync::Completion;

/// A driver that can be registered.
pub trait Registered: Sized + 'static {
    /// The driver's place for its registration: a static of its own.
    const REGISTRY: StaticRef<Registry<Self>>;
}

/// Where a driver's registration is found by its devices. Made as a static by the driver.
///
/// # Invariants
///
/// While the driver is registered, the pointers are those of its static tables and of its queues; else they are NULL.
pub struct Registry<T> {
    /// The driver's `Ops<T>`.
    tables: Atomic<*mut c_void>,
    netdev: Atomic<*mut bindings::net_device_ops>,
    header: Atomic<*mut bindings::header_ops>,
    lower_dir: Atomic<*mut DirRef>,
    pub(crate) wq: Atomic<*mut bindings::workqueue_struct>,
    pub(crate) free_wq: Atomic<*mut bindings::workqueue_struct>,
    /// How many there are who need the driver to be registered: its registration, and each [`User`]. With none it
    /// is not registered.
    users: Atomic<u32>,
    /// What the last of them completes.
    unused: Atomic<*mut Completion>,
    pub(crate) poller: Poller,
    _driver: PhantomData<fn(T)>,
}

impl<T> Registry<T> {
    /// Makes an empty place.
    #[allow(clippy::new_without_default)]
    pub const fn new() -> Self {
        Self {
            tables: Atomic::new(ptr::null_mut()),
            netdev: Atomic::new(ptr::null_mut()),
            header: Atomic::new(ptr::null_mut()),
            lower_dir: Atomic::new(ptr::null_mut()),
            wq: Atomic::new(ptr::null_mut()),
            free_wq: Atomic::new(ptr::null_mut()),
            users: Atomic::new(0),
            unused: Atomic::new(ptr::null_mut()),
            poller: Poller::new(),
            _driver: PhantomData,
        }
    }

    /// The driver's `Ops<T>`; NULL without a registration.
    pub(crate) fn tables(&self) -> *mut c_void {
        self.tables.load(Acquire)
    }

    /// The driver's operations of devices; NULL without a registration.
    pub(crate) fn netdev(&self) -> *const bindings::net_device_ops {
        self.netdev.load(Acquire)
    }

    /// The driver's header operations; NULL without a registration.
    pub(crate) fn header(&self) -> *const bindings::header_ops {
        self.header.load(Acquire)
    }

    /// What each lower device has in sysfs; none without a registration.
    pub(crate) fn lower_dir(&self) -> Option<&'static DirRef> {
        // SAFETY: By the type invariant.
        unsafe { self.lower_dir.load(Acquire).as_ref() }
    }

    /// The driver's workqueue; NULL without a registration, during which no device exists.
    pub(crate) fn wq(&self) -> *mut bindings::workqueue_struct {
        self.wq.load(Acquire)
    }

    /// The queue of those who wait for RTNL, one at a time: as many as there are lower devices would keep
    /// the others from running. As [`Self::wq`].
    pub(crate) fn free_wq(&self) -> *mut bindings::workqueue_struct {
        self.free_wq.load(Acquire)
    }

    /// Lets users in, of whom the registration is the first. `tables` is the driver's `Ops<T>`, of which the others are
    /// parts.
    ///
    /// # Safety
    ///
    /// The tables are static. The queues are there, and there are no users. `unused` stays valid until it is completed.
    pub(crate) unsafe fn open(
        &self,
        tables: *const c_void,
        netdev: *const bindings::net_device_ops,
        header: *const bindings::header_ops,
        lower_dir: &'static DirRef,
        unused: &Completion,
    ) {
        // INVARIANT: By the caller's promise.
        self.tables.store(tables.cast_mut(), Release);
        self.netdev.store(netdev.cast_mut(), Release);
        self.header.store(header.cast_mut(), Release);
        self.lower_dir
            .store(ptr::from_ref(lower_dir).cast_mut(), Release);
        self.unused.store(ptr::from_ref(unused).cast_mut(), Release);
        // Who becomes a user by this sees all of the above.
        self.users.store(1, Release);
    }

    /// Leaves the users; the last one completes what `open` was given.
    pub(crate) fn leave(&self) {
        let unused = self.unused.load(Acquire);
        if self.users.fetch_sub(1, Full) == 1 {
            // SAFETY: Valid until it is completed, by the promise of `open`'s caller: here, by the last user.
            unsafe { (*unused).complete_all() };
        }
    }

    /// Forgets the tables, when there are no users.
    pub(crate) fn close(&self) {
        self.tables.store(ptr::null_mut(), Release);
        self.netdev.store(ptr::null_mut(), Release);
        self.header.store(ptr::null_mut(), Release);
        self.lower_dir.store(ptr::null_mut(), Release);
        self.unused.store(ptr::null_mut(), Release);
    }
}

/// One who needs the driver to be registered: a device, the object of a lower device, or who is about to make one.
///
/// # Invariants
///
/// The driver is registered, and its users count this one.
pub(crate) struct User<T: Registered>(PhantomData<fn(T)>);

impl<T: Registered> User<T> {
    /// Joins the users of a driver that is registered.
    pub(crate) fn new() -> Option<Self> {
        let more = |users: u32| {
            if users == 0 {
                None
            } else {
                users.checked_add(1)
            }
        };
        update_u32(&T::REGISTRY.users, more)
            .ok()
            // INVARIANT: There was a user, so that the driver is registered; it stays so while there is this one.
            .map(|_| Self(PhantomData))
    }

    /// Stays a user until somebody [remembers](Self::remembered) it.
    pub(crate) fn forget(self) {
        core::mem::forget(self);
    }

    /// Returns the user that was forgotten.
    ///
    /// # Safety
    ///
    /// To be called once for each [`Self::forget`].
    pub(crate) unsafe fn remembered() -> Self {
        // INVARIANT: By the caller's promise nobody has taken it off since.
        Self(PhantomData)
    }
}

impl<T: Registered> Drop for User<T> {
    fn drop(&mut self) {
        T::REGISTRY.leave();
    }
}
