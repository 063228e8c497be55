// SPDX-License-Identifier: GPL-2.0

//! Where a driver of masters is found by its devices, and who needs it.

use super::object::DirRef;
use super::poller::Poller;
use crate::bindings;
use crate::static_ref::StaticRef;
use core::ffi::c_void;
use core::marker::PhantomData;
use core::ptr;
use core::sync::atomic::{AtomicPtr, AtomicU32, Ordering};
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
    tables: AtomicPtr<c_void>,
    netdev: AtomicPtr<bindings::net_device_ops>,
    header: AtomicPtr<bindings::header_ops>,
    lower_dir: AtomicPtr<DirRef>,
    pub(crate) wq: AtomicPtr<bindings::workqueue_struct>,
    pub(crate) free_wq: AtomicPtr<bindings::workqueue_struct>,
    /// How many there are who need the driver to be registered: its registration, and each [`User`]. With none it
    /// is not registered.
    users: AtomicU32,
    /// What the last of them completes.
    unused: AtomicPtr<Completion>,
    pub(crate) poller: Poller,
    _driver: PhantomData<fn(T)>,
}

impl<T> Registry<T> {
    /// Makes an empty place.
    #[allow(clippy::new_without_default)]
    pub const fn new() -> Self {
        Self {
            tables: AtomicPtr::new(ptr::null_mut()),
            netdev: AtomicPtr::new(ptr::null_mut()),
            header: AtomicPtr::new(ptr::null_mut()),
            lower_dir: AtomicPtr::new(ptr::null_mut()),
            wq: AtomicPtr::new(ptr::null_mut()),
            free_wq: AtomicPtr::new(ptr::null_mut()),
            users: AtomicU32::new(0),
            unused: AtomicPtr::new(ptr::null_mut()),
            poller: Poller::new(),
            _driver: PhantomData,
        }
    }

    /// The driver's `Ops<T>`; NULL without a registration.
    pub(crate) fn tables(&self) -> *mut c_void {
        self.tables.load(Ordering::Acquire)
    }

    /// The driver's operations of devices; NULL without a registration.
    pub(crate) fn netdev(&self) -> *const bindings::net_device_ops {
        self.netdev.load(Ordering::Acquire)
    }

    /// The driver's header operations; NULL without a registration.
    pub(crate) fn header(&self) -> *const bindings::header_ops {
        self.header.load(Ordering::Acquire)
    }

    /// What each lower device has in sysfs; none without a registration.
    pub(crate) fn lower_dir(&self) -> Option<&'static DirRef> {
        // SAFETY: By the type invariant.
        unsafe { self.lower_dir.load(Ordering::Acquire).as_ref() }
    }

    /// The driver's workqueue; NULL without a registration, during which no device exists.
    pub(crate) fn wq(&self) -> *mut bindings::workqueue_struct {
        self.wq.load(Ordering::Acquire)
    }

    /// The queue of those who wait for RTNL, one at a time: as many as there are lower devices would keep
    /// the others from running. As [`Self::wq`].
    pub(crate) fn free_wq(&self) -> *mut bindings::workqueue_struct {
        self.free_wq.load(Ordering::Acquire)
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
        self.tables.store(tables.cast_mut(), Ordering::Release);
        self.netdev.store(netdev.cast_mut(), Ordering::Release);
        self.header.store(header.cast_mut(), Ordering::Release);
        self.lower_dir
            .store(ptr::from_ref(lower_dir).cast_mut(), Ordering::Release);
        self.unused
            .store(ptr::from_ref(unused).cast_mut(), Ordering::Release);
        // Who becomes a user by this sees all of the above.
        self.users.store(1, Ordering::Release);
    }

    /// Leaves the users; the last one completes what `open` was given.
    pub(crate) fn leave(&self) {
        let unused = self.unused.load(Ordering::Acquire);
        if self.users.fetch_sub(1, Ordering::AcqRel) == 1 {
            // SAFETY: Valid until it is completed, by the promise of `open`'s caller: here, by the last user.
            unsafe { (*unused).complete_all() };
        }
    }

    /// Forgets the tables, when there are no users.
    pub(crate) fn close(&self) {
        self.tables.store(ptr::null_mut(), Ordering::Release);
        self.netdev.store(ptr::null_mut(), Ordering::Release);
        self.header.store(ptr::null_mut(), Ordering::Release);
        self.lower_dir.store(ptr::null_mut(), Ordering::Release);
        self.unused.store(ptr::null_mut(), Ordering::Release);
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
        T::REGISTRY
            .users
            .fetch_update(Ordering::Acquire, Ordering::Relaxed, more)
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
