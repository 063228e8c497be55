// SPDX-License-Identifier: GPL-2.0

//! Registration of a driver of master devices, and its workqueue.
//!
//! C header: [`include/linux/workqueue.h`](srctree/include/linux/workqueue.h)

use crate::bindings;
use crate::device::{Master, Ops};
use crate::poll::Poller;
use core::marker::PhantomData;
use core::ptr;
use core::sync::atomic::{AtomicPtr, AtomicU32, Ordering};
use kernel::error::{code::*, Result};
use kernel::prelude::*;
use kernel::str::CStrExt;
use kernel::sync::Arc;
use kernel::time::delay::fsleep;
use kernel::time::Delta;

/// Where a driver's registration is found by its devices. Made as a static by the driver.
pub struct Registry<T: Master> {
    ops: AtomicPtr<Ops<T>>,
    wq: AtomicPtr<bindings::workqueue_struct>,
    free_wq: AtomicPtr<bindings::workqueue_struct>,
    /// How many there are who need the driver to be registered: its registration, and each [`User`]. With none it
    /// is not registered.
    users: AtomicU32,
    pub(crate) poller: Poller<T>,
}

impl<T: Master> Registry<T> {
    /// Makes an empty place.
    #[allow(clippy::new_without_default)]
    pub const fn new() -> Self {
        Self {
            ops: AtomicPtr::new(ptr::null_mut()),
            wq: AtomicPtr::new(ptr::null_mut()),
            free_wq: AtomicPtr::new(ptr::null_mut()),
            users: AtomicU32::new(0),
            poller: Poller::new(),
        }
    }

    /// The driver's tables; none without a registration.
    pub(crate) fn ops(&self) -> Option<&'static Ops<T>> {
        // SAFETY: Only `Registration::new` writes it, from a static reference.
        unsafe { self.ops.load(Ordering::Acquire).as_ref() }
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
}

/// One who needs the driver to be registered: a device, the object of a lower device, or who is about to make one.
///
/// # Invariants
///
/// The driver is registered, and its users count this one.
pub(crate) struct User<T: Master>(PhantomData<fn(T)>);

impl<T: Master> User<T> {
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

    /// Returns the driver's tables.
    pub(crate) fn ops(&self) -> &'static Ops<T> {
        // SAFETY: The driver is registered (type invariant): the pointer is that of its static tables.
        unsafe { &*T::REGISTRY.ops.load(Ordering::Acquire) }
    }
}

impl<T: Master> Drop for User<T> {
    fn drop(&mut self) {
        T::REGISTRY.users.fetch_sub(1, Ordering::Release);
    }
}

/// A queue that is destroyed when dropped, after what is queued has run.
struct Queue(*mut bindings::workqueue_struct);

impl Queue {
    fn new(queue: *mut bindings::workqueue_struct) -> Result<Self> {
        if queue.is_null() {
            return Err(ENOMEM);
        }
        Ok(Queue(queue))
    }

    fn into_raw(self) -> *mut bindings::workqueue_struct {
        core::mem::ManuallyDrop::new(self).0
    }
}

impl Drop for Queue {
    fn drop(&mut self) {
        // SAFETY: Allocated by whoever made this, and ours; nobody queues more.
        unsafe { bindings::destroy_workqueue(self.0) };
    }
}

/// A driver that is registered. Dropping it undoes that, after all devices have gone.
///
/// It is shared with those who make devices without being asked, such as the
/// [registration of the link type](crate::rtnetlink::Registration), and goes with the last of them.
///
/// # Invariants
///
/// The driver's registry counts it as a user, and holds its tables and queues.
pub struct Registration<T: Master>(PhantomData<fn(T)>);

impl<T: Master> Registration<T> {
    /// Registers the driver; one registration at a time. `name` is that of its workqueues. May sleep.
    ///
    /// # Errors
    ///
    /// `EBUSY` if it is registered; `ENOMEM`.
    pub fn new(name: &'static CStr, ops: &'static Ops<T>) -> Result<Arc<Self>> {
        let registry = T::REGISTRY.get();
        // SAFETY: The name is NUL-terminated.
        let wq = Queue::new(unsafe { bindings::nh_alloc_workqueue(name.as_char_ptr()) })?;
        // SAFETY: As above.
        let free_wq = Queue::new(unsafe { bindings::nh_alloc_free_workqueue(name.as_char_ptr()) })?;
        let none = ptr::null_mut();
        if registry
            .wq
            .compare_exchange(none, wq.0, Ordering::AcqRel, Ordering::Relaxed)
            .is_err()
        {
            return Err(EBUSY);
        }
        let _ = wq.into_raw();
        registry
            .free_wq
            .store(free_wq.into_raw(), Ordering::Release);
        // SAFETY: There was no registration, so that this is the first, or `drop` has stopped it.
        unsafe { registry.poller.start() };
        registry
            .ops
            .store(ptr::from_ref(ops).cast_mut(), Ordering::Release);
        // Who becomes a user by this sees all of the above.
        registry.users.store(1, Ordering::Release);
        // INVARIANT: As stored.
        Ok(Arc::new(Self(PhantomData), GFP_KERNEL)?)
    }

    /// Returns the driver's tables.
    pub(crate) fn ops(&self) -> &'static Ops<T> {
        // SAFETY: The pointer is that of the static tables (type invariant).
        unsafe { &*T::REGISTRY.ops.load(Ordering::Acquire) }
    }
}

impl<T: Master> Drop for Registration<T> {
    fn drop(&mut self) {
        let registry = T::REGISTRY.get();
        registry.users.fetch_sub(1, Ordering::Release);
        // Who deletes a device may still be at it, and has need of what goes below: the device is a user until its
        // destructor, the last that the driver has to do for it. Likewise with the lower devices that have left.
        // With the last user gone, there is none who could let others in.
        while registry.users.load(Ordering::Acquire) != 0 {
            fsleep(Delta::from_millis(10));
        }
        registry.ops.store(ptr::null_mut(), Ordering::Release);
        // SAFETY: `new` has started it.
        unsafe { registry.poller.stop() };
        // What is queued is finished; no device is left, which might queue more.
        drop(Queue(
            registry.free_wq.swap(ptr::null_mut(), Ordering::AcqRel),
        ));
        drop(Queue(registry.wq.load(Ordering::Acquire)));
        registry.wq.store(ptr::null_mut(), Ordering::Release);
    }
}
