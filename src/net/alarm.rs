// SPDX-License-Identifier: GPL-2.0

//! A timer for an object with several deadlines: it fires at the earliest of the times that it was
//! set to.
//!
//! C header: [`include/linux/hrtimer.h`](srctree/include/linux/hrtimer.h)
//!
//! The kernel crate's `HrTimer` owns the object that it fires for. Here the object, a network
//! device, owns the timer, and the network core manages the device.

use crate::bindings;
use crate::sync::fetch_min;
use kernel::sync::atomic::{Acquire, Atomic, Full, Relaxed};
use kernel::types::Opaque;

/// A time that never comes, in µs.
pub const NEVER: u64 = u64::MAX;

/// The timer, and the time to which it is set. All fields are zero before [`Alarm::init`].
#[repr(C)]
pub(crate) struct Alarm {
    timer: Opaque<bindings::hrtimer>,
    /// The time in µs of the monotonic clock; [`NEVER`] if it has not been set since
    /// [`Alarm::begin`].
    due: Atomic<u64>,
}

/// The function that the timer calls in hard interrupt context. Its argument is the timer, which is
/// the first field of an [`Alarm`].
pub(crate) type Callback =
    unsafe extern "C" fn(*mut bindings::hrtimer) -> bindings::hrtimer_restart;

impl Alarm {
    /// Initialises the timer.
    ///
    /// # Safety
    ///
    /// The alarm must not move, and nobody else may use it yet. Once it has been set, it must not
    /// be freed before [`Self::cancel`].
    pub(crate) unsafe fn init(&self, callback: Callback) {
        self.due.store(NEVER, Relaxed);
        // SAFETY: By the caller's promise, nobody else uses the timer yet, and it does not move.
        unsafe { bindings::nh_hrtimer_setup(self.timer.get(), Some(callback)) };
    }

    /// Sets the timer to fire at `at`, in µs of the monotonic clock, unless it is set to an earlier
    /// time. Any context.
    ///
    /// The code that handles the alarm calls [`Self::begin`] first. After that, it reads what
    /// callers have stored before this call.
    pub(crate) fn set(&self, at: u64) {
        if fetch_min(&self.due, at) <= at {
            return;
        }
        loop {
            let due = self.due.load(Acquire);
            if due == NEVER {
                // The handler has just called `begin`, and reads what our caller has stored.
                return;
            }
            // SAFETY: The timer was initialised by `init`, and exists until `cancel`.
            unsafe { bindings::nh_hrtimer_start_at_us(self.timer.get(), due) };
            // Of two concurrent callers, the last one to start the timer may have used the later
            // time.
            if self.due.load(Acquire) == due {
                return;
            }
        }
    }

    /// Clears the time: from here on, the caller looks at what was due.
    pub(crate) fn begin(&self) {
        self.due.xchg(NEVER, Full);
    }

    /// Cancels the timer, waits for its callback to finish, and clears the time.
    pub(crate) fn cancel(&self) {
        // SAFETY: The timer was initialised by `init`.
        unsafe { bindings::hrtimer_cancel(self.timer.get()) };
        self.due.store(NEVER, Relaxed);
    }
}
