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

/// Where a driver's registration is found by its devices. Made as a static by the driver.
pub struct Registry<T: Master> {
    pub(crate) ops: AtomicPtr<Ops<T>>,
    wq: AtomicPtr<bindings::workqueue_struct>,
    /// How many devices there are.
    pub(crate) devices: AtomicU32,
    pub(crate) poller: Poller<T>,
}

impl<T: Master> Registry<T> {
    /// Makes an empty place.
    #[allow(clippy::new_without_default)]
    pub const fn new() -> Self {
        Self {
            ops: AtomicPtr::new(ptr::null_mut()),
            wq: AtomicPtr::new(ptr::null_mut()),
            devices: AtomicU32::new(0),
            poller: Poller::new(),
        }
    }

    pub(crate) fn ops(&self) -> Option<&'static Ops<T>> {
        // SAFETY: Only `Registration::new` writes it, from a static reference.
        unsafe { self.ops.load(Ordering::Acquire).as_ref() }
    }

    /// The driver's workqueue; NULL without a registration, during which no device exists.
    pub(crate) fn wq(&self) -> *mut bindings::workqueue_struct {
        self.wq.load(Ordering::Acquire)
    }
}

/// A driver that is registered. Dropping it undoes that, after all devices have gone.
pub struct Registration<T: Master>(PhantomData<T>);

impl<T: Master> Registration<T> {
    /// Registers the driver; one registration at a time. `name` is that of its workqueue. May sleep.
    pub fn new(name: &'static CStr, ops: &'static Ops<T>) -> Result<Self> {
        let registry = T::registry();
        // SAFETY: The name is NUL-terminated.
        let wq = unsafe { bindings::nh_alloc_workqueue(name.as_char_ptr()) };
        if wq.is_null() {
            return Err(ENOMEM);
        }
        let none = ptr::null_mut();
        if registry
            .wq
            .compare_exchange(none, wq, Ordering::AcqRel, Ordering::Relaxed)
            .is_err()
        {
            // SAFETY: Allocated above, and nobody has seen it.
            unsafe { bindings::destroy_workqueue(wq) };
            return Err(EBUSY);
        }
        // SAFETY: There was no registration, so that this is the first, or `drop` has stopped it.
        unsafe { registry.poller.start() };
        registry
            .ops
            .store(ptr::from_ref(ops).cast_mut(), Ordering::Release);
        Ok(Self(PhantomData))
    }
}

impl<T: Master> Drop for Registration<T> {
    fn drop(&mut self) {
        let registry = T::registry();
        if registry.devices.load(Ordering::Acquire) != 0 {
            // Their work and their lower devices need the queue: better to leave it to them.
            kernel::pr_err!("a driver went away before its devices\n");
            return;
        }
        registry.ops.store(ptr::null_mut(), Ordering::Release);
        // SAFETY: `new` has started it.
        unsafe { registry.poller.stop() };
        // SAFETY: Waits for the grace periods after which lower devices are queued to be freed.
        unsafe { bindings::rcu_barrier() };
        let wq = registry.wq.load(Ordering::Acquire);
        // SAFETY: Allocated by `new`; destroying it finishes what is queued, and no device is left,
        // which might queue more.
        unsafe { bindings::destroy_workqueue(wq) };
        registry.wq.store(ptr::null_mut(), Ordering::Release);
    }
}
