// SPDX-License-Identifier: GPL-2.0

//! Registration of a driver of master devices, and its workqueues.
//!
//! C header: [`include/linux/workqueue.h`](srctree/include/linux/workqueue.h)

use super::device::Master;
use super::ops::Ops;
use super::poll;
use crate::bindings;
use core::marker::PhantomData;
use core::ptr;
use kernel::error::{code::*, Result};
use kernel::prelude::*;
use kernel::str::CStrExt;
use kernel::sync::atomic::{Acquire, Full, Release};
use kernel::sync::{Arc, Completion};

/// A workqueue. Dropping this waits until everything queued has run, and destroys the workqueue.
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
        // SAFETY: The workqueue was allocated for this object and belongs to it; nobody queues
        // more.
        unsafe { bindings::destroy_workqueue(self.0) };
    }
}

/// A driver that is registered. Dropping this unregisters the driver, once all devices are gone.
///
/// The registration is shared with whatever makes devices on its own, such as the
/// [registration of the link type](super::rtnetlink::Registration), and is dropped with the last of
/// them.
///
/// # Invariants
///
/// The driver's registry counts it as a user, and holds its tables and queues.
#[pin_data(PinnedDrop)]
pub struct Registration<T: Master> {
    /// Completed by the last user of the driver.
    #[pin]
    unused: Completion,
    ops: &'static Ops<T>,
    _driver: PhantomData<fn(T)>,
}

impl<T: Master> Registration<T> {
    /// Registers the driver. Only one registration may exist at a time. `name` is the name of its
    /// workqueues. May sleep.
    ///
    /// # Errors
    ///
    /// `EBUSY` if the driver is already registered; `ENOMEM`.
    pub fn new(name: &'static CStr, ops: &'static Ops<T>) -> Result<Arc<Self>> {
        let registry = T::REGISTRY.get();
        // SAFETY: The name is NUL-terminated.
        let wq = Queue::new(unsafe { bindings::nh_alloc_workqueue(name.as_char_ptr()) })?;
        // SAFETY: As above.
        let free_wq = Queue::new(unsafe { bindings::nh_alloc_free_workqueue(name.as_char_ptr()) })?;
        let none = ptr::null_mut();
        if registry.wq.cmpxchg(none, wq.0, Full).is_err() {
            return Err(EBUSY);
        }
        let this = Arc::pin_init(
            pin_init!(Self {
                unused <- Completion::new(),
                ops,
                _driver: PhantomData,
            }),
            GFP_KERNEL,
        )
        .inspect_err(|_| registry.wq.store(ptr::null_mut(), Release))?;
        let _ = wq.into_raw();
        registry.free_wq.store(free_wq.into_raw(), Release);
        // SAFETY: Either this is the first registration, or `drop` of the one before has stopped
        // the poller. Registries are statics.
        unsafe { registry.poller.start(Some(poll::work::<T>)) };
        // INVARIANT: The queues were stored above, and `open` stores the tables and counts the
        // first user.
        // SAFETY: The tables are static, the queues are there, and `drop` waits for the completion.
        unsafe { ops.open(&this.unused) };
        Ok(this)
    }

    /// Returns the driver's tables.
    pub(crate) fn ops(&self) -> &'static Ops<T> {
        self.ops
    }
}

#[pinned_drop]
impl<T: Master> PinnedDrop for Registration<T> {
    fn drop(self: Pin<&mut Self>) {
        let registry = T::REGISTRY.get();
        registry.leave();
        // A device may still be in the middle of its deletion, which needs what is torn down below:
        // the device is a user until its destructor runs, the last thing that the driver does for
        // it. The same holds for lower devices that have left. Once the last user is gone, nobody
        // can let others in.
        self.unused.wait_for_completion();
        registry.close();
        // SAFETY: `new` has started the poller.
        unsafe { registry.poller.stop() };
        // Everything queued finishes here; no device is left that could queue more.
        drop(Queue(registry.free_wq.xchg(ptr::null_mut(), Full)));
        drop(Queue(registry.wq.load(Acquire)));
        registry.wq.store(ptr::null_mut(), Release);
    }
}
