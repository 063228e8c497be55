// SPDX-License-Identifier: GPL-2.0

//! Timers that run in a work item.
//!
//! C header: [`include/linux/workqueue.h`](srctree/include/linux/workqueue.h)

use crate::bindings;
use crate::sync::BottomHalvesOff;
use core::ptr;
use core::sync::atomic::{AtomicPtr, Ordering};
use kernel::prelude::*;
use kernel::sync::Arc;
use kernel::types::Opaque;

/// The monotonic clock, in ms (`ktime_get()`). Any context.
pub fn now_ms() -> u64 {
    // SAFETY: No requirement.
    unsafe { bindings::rh_monotonic_ms() }
}

/// An object with a timer.
pub trait HasTimer: Send + Sync + Sized + 'static {
    /// The time is up. Process context, bottom halves off.
    fn time_is_up(this: Arc<Self>);
}

/// A timer of a `T`; while it runs, it holds a reference to the `T`.
#[pin_data]
pub struct Timer<T> {
    #[pin]
    work: Opaque<bindings::delayed_work>,
    owner: AtomicPtr<T>,
}

// SAFETY: The work is the work queue's business; the rest is atomic.
unsafe impl<T: Send + Sync> Send for Timer<T> {}
// SAFETY: As above.
unsafe impl<T: Send + Sync> Sync for Timer<T> {}

impl<T: HasTimer> Timer<T> {
    /// Makes a timer that is not running.
    pub fn new() -> impl PinInit<Self> {
        pin_init!(Self {
            work <- Opaque::ffi_init(|work| {
                // SAFETY: `work` is valid for writes and pinned.
                unsafe { bindings::rh_init_delayed_work(work, Some(time_is_up::<T>)) }
            }),
            owner: AtomicPtr::new(ptr::null_mut()),
        })
    }

    /// Starts the timer, unless it is running. `owner` contains the timer. Any context.
    pub fn start(&self, owner: &Arc<T>, msecs: u32) {
        let new = Arc::as_ptr(owner).cast_mut();
        let offset = (ptr::from_ref(self) as usize).wrapping_sub(new as usize);
        // This alone guarantees that the timer lives as long as its owner.
        if offset >= size_of::<T>() {
            return;
        }
        self.owner.store(new, Ordering::Release);
        // `time_is_up` or `stop` gives this reference back.
        let reference = Arc::into_raw(owner.clone());
        // SAFETY: Initialised by `new`, and alive as long as `self`.
        if !unsafe { bindings::rh_queue_delayed_work(self.work.get(), msecs) } {
            // SAFETY: From `into_raw`.
            drop(unsafe { Arc::from_raw(reference) });
        }
    }

    /// Stops the timer for good, and waits until it is no longer running. Sleeps.
    pub fn stop(&self) {
        // SAFETY: Initialised by `new`.
        if unsafe { bindings::disable_delayed_work_sync(self.work.get()) } {
            // SAFETY: It was queued, with a reference to the owner, and will not run.
            drop(unsafe { Arc::from_raw(self.owner.load(Ordering::Acquire)) });
        }
    }
}

/// # Safety
///
/// C calls this with the work of a [`Timer`] that was started.
unsafe extern "C" fn time_is_up<T: HasTimer>(work: *mut bindings::work_struct) {
    // SAFETY: The work is the first field of a `delayed_work`, which is in a `Timer<T>`; its owner's
    // reference, which we have, keeps it alive.
    let owner = unsafe {
        let work = work.cast::<Opaque<bindings::delayed_work>>();
        let timer = &*kernel::container_of!(work, Timer<T>, work);
        Arc::from_raw(timer.owner.load(Ordering::Acquire))
    };
    let _off = BottomHalvesOff::new();
    T::time_is_up(owner);
}

const _: () = assert!(core::mem::offset_of!(bindings::delayed_work, work) == 0);
