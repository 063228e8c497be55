// SPDX-License-Identifier: GPL-2.0

//! A timer for an object with several deadlines: it fires at the earliest of the times that it was set to.
//!
//! C header: [`include/linux/hrtimer.h`](srctree/include/linux/hrtimer.h)
//!
//! The kernel crate's `HrTimer` owns the object that it fires for. Here the object, a network device, owns the
//! timer, and is kept by the core.

use crate::bindings;
use crate::sync::fetch_min;
use kernel::sync::atomic::{Acquire, Atomic, Full, Relaxed};
use kernel::types::Opaque;

/// A time that never comes, in µs.
pub const NEVER: u64 = u64::MAX;

/// The timer, and the time for which it is set. All zeros before [`Alarm::init`].
#[repr(C)]
pub(crate) struct Alarm {
    timer: Opaque<bindings::hrtimer>,
    /// In µs of the monotonic clock; [`NEVER`] if nobody has set it since [`Alarm::begin`].
    due: Atomic<u64>,
}

/// What the timer calls, in hard interrupts: a function that gets the timer, the first field of its [`Alarm`].
pub(crate) type Callback =
    unsafe extern "C" fn(*mut bindings::hrtimer) -> bindings::hrtimer_restart;

impl Alarm {
    /// Makes it ready.
    ///
    /// # Safety
    ///
    /// The memory stays where it is, and nobody else uses it yet. Once it was set it must not go before
    /// [`Self::cancel`].
    pub(crate) unsafe fn init(&self, callback: Callback) {
        self.due.store(NEVER, Relaxed);
        // SAFETY: By the caller's promise the timer is ours.
        unsafe { bindings::nh_hrtimer_setup(self.timer.get(), Some(callback)) };
    }

    /// Has it fire at `at`, in µs of the monotonic clock, unless it is set to an earlier time. Any context.
    ///
    /// Whoever answers it calls [`Self::begin`] first, and reads after that what callers have stored before this.
    pub(crate) fn set(&self, at: u64) {
        if fetch_min(&self.due, at) <= at {
            return;
        }
        loop {
            let due = self.due.load(Acquire);
            if due == NEVER {
                // Whoever answers it has just begun, and sees for himself.
                return;
            }
            // SAFETY: The timer was initialised by `init`, and is there until `cancel`.
            unsafe { bindings::nh_hrtimer_start_at_us(self.timer.get(), due) };
            // Of two that were here at once, the later one may have set the later time.
            if self.due.load(Acquire) == due {
                return;
            }
        }
    }

    /// Forgets the time: what was due is looked at from here on.
    pub(crate) fn begin(&self) {
        self.due.xchg(NEVER, Full);
    }

    /// Waits until the timer does not fire, and forgets the time.
    pub(crate) fn cancel(&self) {
        // SAFETY: The timer was initialised by `init`.
        unsafe { bindings::hrtimer_cancel(self.timer.get()) };
        self.due.store(NEVER, Relaxed);
    }
}
