// SPDX-License-Identifier: GPL-2.0

//! The registry of a driver of masters: how devices find their driver, and who needs it.

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
    /// The registry of the driver: a static of its own.
    const REGISTRY: StaticRef<Registry<Self>>;
}

/// Where the devices of a driver find its registration. The driver makes this as a static.
///
/// # Invariants
///
/// While the driver is registered, the pointers are those of its static tables and of its queues;
/// otherwise, they are NULL.
pub struct Registry<T> {
    /// The driver's `Ops<T>`.
    tables: Atomic<*mut c_void>,
    netdev: Atomic<*mut bindings::net_device_ops>,
    header: Atomic<*mut bindings::header_ops>,
    lower_dir: Atomic<*mut DirRef>,
    pub(crate) wq: Atomic<*mut bindings::workqueue_struct>,
    pub(crate) free_wq: Atomic<*mut bindings::workqueue_struct>,
    /// The number of users that need the driver to be registered: its registration, and each
    /// [`User`]. Without users, the driver is not registered.
    users: Atomic<u32>,
    /// What the last user completes.
    unused: Atomic<*mut Completion>,
    pub(crate) poller: Poller,
    _driver: PhantomData<fn(T)>,
}

impl<T> Registry<T> {
    /// Makes an empty registry.
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

    /// Returns the driver's `Ops<T>`; NULL without a registration.
    pub(crate) fn tables(&self) -> *mut c_void {
        self.tables.load(Acquire)
    }

    /// Returns the driver's device operations; NULL without a registration.
    pub(crate) fn netdev(&self) -> *const bindings::net_device_ops {
        self.netdev.load(Acquire)
    }

    /// Returns the driver's header operations; NULL without a registration.
    pub(crate) fn header(&self) -> *const bindings::header_ops {
        self.header.load(Acquire)
    }

    /// Returns the directory that each lower device has in sysfs; none without a registration.
    pub(crate) fn lower_dir(&self) -> Option<&'static DirRef> {
        // SAFETY: By the type invariant, the pointer is that of a static table, or NULL.
        unsafe { self.lower_dir.load(Acquire).as_ref() }
    }

    /// Returns the driver's workqueue; NULL without a registration, in which case no device exists.
    pub(crate) fn wq(&self) -> *mut bindings::workqueue_struct {
        self.wq.load(Acquire)
    }

    /// Returns the queue for work items that wait for RTNL. It runs one item at a time: as many at
    /// once as there are lower devices would keep other work from running. NULL if [`Self::wq`] is.
    pub(crate) fn free_wq(&self) -> *mut bindings::workqueue_struct {
        self.free_wq.load(Acquire)
    }

    /// Lets users in; the registration is the first of them. `tables` is the driver's `Ops<T>`; the
    /// other tables are parts of it.
    ///
    /// # Safety
    ///
    /// The tables must be static. The queues must exist, and there must be no users. `unused` must
    /// stay valid until it is completed.
    pub(crate) unsafe fn open(
        &self,
        tables: *const c_void,
        netdev: *const bindings::net_device_ops,
        header: *const bindings::header_ops,
        lower_dir: &'static DirRef,
        unused: &Completion,
    ) {
        // INVARIANT: The caller guarantees that the tables are static, and that the queues exist.
        self.tables.store(tables.cast_mut(), Release);
        self.netdev.store(netdev.cast_mut(), Release);
        self.header.store(header.cast_mut(), Release);
        self.lower_dir
            .store(ptr::from_ref(lower_dir).cast_mut(), Release);
        self.unused.store(ptr::from_ref(unused).cast_mut(), Release);
        // Whoever becomes a user because of this store sees all of the above.
        self.users.store(1, Release);
    }

    /// Removes a user; the last one to leave completes what `open` was given.
    pub(crate) fn leave(&self) {
        let unused = self.unused.load(Acquire);
        if self.users.fetch_sub(1, Full) == 1 {
            // SAFETY: The caller of `open` guarantees that the completion is valid until it is
            // completed, which the last user does here.
            unsafe { (*unused).complete_all() };
        }
    }

    /// Forgets the tables, once there are no users.
    pub(crate) fn close(&self) {
        self.tables.store(ptr::null_mut(), Release);
        self.netdev.store(ptr::null_mut(), Release);
        self.header.store(ptr::null_mut(), Release);
        self.lower_dir.store(ptr::null_mut(), Release);
        self.unused.store(ptr::null_mut(), Release);
    }
}

/// A user that needs the driver to be registered: a device, the object of a lower device, or a
/// function that is about to make one.
///
/// # Invariants
///
/// The driver is registered, and its users count this one.
pub(crate) struct User<T: Registered>(PhantomData<fn(T)>);

impl<T: Registered> User<T> {
    /// Becomes a user of the driver, if the driver is registered.
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
            // INVARIANT: There was a user, so the driver is registered. It stays registered as long
            // as this user exists.
            .map(|_| Self(PhantomData))
    }

    /// Keeps the user counted until [`Self::remembered`] takes it back.
    pub(crate) fn forget(self) {
        core::mem::forget(self);
    }

    /// Takes back a user that was forgotten.
    ///
    /// # Safety
    ///
    /// Must be called once for each [`Self::forget`].
    pub(crate) unsafe fn remembered() -> Self {
        // INVARIANT: The caller guarantees that the forgotten user was not taken back before, so it
        // is still counted.
        Self(PhantomData)
    }
}

impl<T: Registered> Drop for User<T> {
    fn drop(&mut self) {
        T::REGISTRY.leave();
    }
}
