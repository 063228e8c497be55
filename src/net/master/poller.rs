// SPDX-License-Identifier: GPL-2.0

//! One timer for the polling of all devices of a driver.
//!
//! C headers: [`include/linux/workqueue.h`](srctree/include/linux/workqueue.h),
//! [`include/linux/jiffies.h`](srctree/include/linux/jiffies.h)
//!
//! A machine with a thousand devices that each have a timer of their own never sleeps. Here, one
//! work item goes over the devices that want to be polled, and sleeps until the first of them is
//! due. Devices that are polled at multiples of the same interval are polled at the same moment.

use crate::bindings;
use crate::rcu::Rcu;
use crate::rtnl::Rtnl;
use crate::sync::{fetch_min, jiffies};
use core::ptr;
use kernel::static_lock_class;
use kernel::str::CStrExt;
use kernel::sync::atomic::{Acquire, Atomic, Full, Relaxed, Release};
use kernel::types::Opaque;

/// A time that never comes, in jiffies.
const NEVER: u64 = u64::MAX;

/// The polling state of a driver, in its registry.
///
/// # Invariants
///
/// The list, from `first` on, holds links of registered devices, which leave the list before the
/// grace period at the end of their unregistration. All pointers to links, including those in links
/// that have left the list, are stored with release semantics. Without RTNL, they are loaded with
/// acquire semantics.
pub(crate) struct Poller {
    first: Atomic<*mut Link>,
    /// When the work runs next, in jiffies; [`NEVER`] also while the work goes over the list.
    due: Atomic<u64>,
    work: Opaque<bindings::delayed_work>,
}

// SAFETY: The list and the time are atomics; the work has locks of its own.
unsafe impl Sync for Poller {}

/// The entry of a device in the list. All zeros if the device is on no list.
pub(crate) struct Link {
    next: Atomic<*mut Link>,
    is_listed: Atomic<bool>,
    /// The interval at which the device is polled, in jiffies; 0 if it is not polled.
    interval: Atomic<u64>,
    /// When the device is polled next, in jiffies.
    due: Atomic<u64>,
}

/// Returns the next multiple of `interval`; [`NEVER`] if `interval` is 0.
fn following(now: u64, interval: u64) -> u64 {
    match now.checked_div(interval) {
        Some(past) => past.saturating_add(1).saturating_mul(interval),
        None => NEVER,
    }
}

impl Link {
    /// Polls the device if it is time. Returns when it is time again.
    fn look(&self, now: u64, poll: impl FnOnce()) -> u64 {
        let due = self.due.load(Relaxed);
        if now < due {
            return due;
        }
        poll();
        let next = following(now, self.interval.load(Relaxed));
        // Unless somebody has changed the interval in the meantime.
        match self.due.cmpxchg(due, next, Relaxed) {
            Ok(_) => next,
            Err(other) => other,
        }
    }
}

impl Poller {
    pub(crate) const fn new() -> Self {
        Self {
            first: Atomic::new(ptr::null_mut()),
            due: Atomic::new(NEVER),
            work: Opaque::uninit(),
        }
    }

    /// Makes the poller ready for devices. `work` is what calls [`Self::look`].
    ///
    /// # Safety
    ///
    /// The poller must be a static. Its work must not be in use: this must be the first call, or
    /// [`Self::stop`] must have been called before.
    pub(crate) unsafe fn start(&self, work: bindings::work_func_t) {
        // SAFETY: The poller, the name and the class are statics; the caller guarantees that nobody
        // uses the work.
        unsafe {
            bindings::nh_init_delayed_work(
                self.work.get(),
                work,
                c"Poller::work".as_char_ptr(),
                static_lock_class!().as_ptr().cast(),
            )
        };
    }

    /// Cancels the work and waits until it no longer runs. No device may be left. Sleeps.
    ///
    /// # Safety
    ///
    /// [`Self::start`] must have been called.
    pub(crate) unsafe fn stop(&self) {
        // SAFETY: The caller guarantees that `start` was called, so the work is initialised.
        unsafe { bindings::cancel_delayed_work_sync(self.work.get()) };
        self.due.store(NEVER, Relaxed);
    }

    /// Has the work run in the queue `wq`, at `due` at the latest.
    ///
    /// # Safety
    ///
    /// [`Self::start`] must have been called, and the queue must exist until after [`Self::stop`].
    unsafe fn run_at(&self, due: u64, wq: *mut bindings::workqueue_struct) {
        if fetch_min(&self.due, due) <= due {
            return;
        }
        loop {
            let due = self.due.load(Acquire);
            if due == NEVER {
                // The work has just started, and sees the new time itself.
                return;
            }
            let delay = due.saturating_sub(jiffies()) as usize;
            // SAFETY: The caller guarantees that the work is initialised and that the queue exists.
            unsafe { bindings::nh_mod_delayed_work(wq, self.work.get(), delay) };
            // If two callers were here at once, the last one may have set the later time.
            if self.due.load(Acquire) == due {
                return;
            }
        }
    }

    /// Polls all devices on the list for which it is time, with `poll`. Called from the work.
    ///
    /// # Safety
    ///
    /// As for [`Self::add`].
    pub(crate) unsafe fn look(
        &self,
        wq: *mut bindings::workqueue_struct,
        rcu: &Rcu,
        mut poll: impl FnMut(&Link),
    ) {
        self.due.xchg(NEVER, Full);
        let (now, mut due) = (jiffies(), NEVER);
        let _section = rcu;
        let mut at = &self.first;
        // SAFETY: By the type invariant, a link on the list is in use, and stays in use until a
        // grace period after it left the list. So does the link that it points to.
        while let Some(link) = unsafe { at.load(Acquire).as_ref() } {
            due = due.min(link.look(now, || poll(link)));
            at = &link.next;
        }
        if due != NEVER {
            // SAFETY: The caller guarantees that `start` was called and that the queue exists until
            // after `stop`.
            unsafe { self.run_at(due, wq) };
        }
    }

    /// Puts a link on the list, and has its device polled at each multiple of `interval`, in
    /// jiffies, which must not be 0.
    ///
    /// # Safety
    ///
    /// [`Self::start`] must have been called, and the queue must exist until after [`Self::stop`].
    /// The link must be [removed](Self::remove) before the grace period at the end of its device's
    /// unregistration.
    pub(crate) unsafe fn add(
        &self,
        link: &Link,
        interval: u64,
        wq: *mut bindings::workqueue_struct,
        _rtnl: &Rtnl,
    ) {
        let due = following(jiffies(), interval);
        link.interval.store(interval, Relaxed);
        link.due.store(due, Relaxed);
        if !link.is_listed.xchg(true, Relaxed) {
            // The work may have been at this link since before the device left the list, and go on
            // from here. Like any other link, this one is stored so that whoever reads it also sees
            // the link that it leads to.
            link.next.store(self.first.load(Relaxed), Release);
            // INVARIANT: The caller guarantees that the link is removed before that grace period.
            self.first.store(ptr::from_ref(link).cast_mut(), Release);
        }
        // SAFETY: The caller guarantees that `start` was called and that the queue exists until
        // after `stop`.
        unsafe { self.run_at(due, wq) };
    }

    /// Takes a link off the list. A poll of its device may still be running.
    pub(crate) fn remove(&self, link: &Link, _rtnl: &Rtnl) {
        link.due.store(NEVER, Relaxed);
        if !link.is_listed.xchg(false, Relaxed) {
            return;
        }
        let mut at = &self.first;
        // SAFETY: The list changes under RTNL only, and by the type invariant, what is on it is in
        // use.
        while let Some(one) = unsafe { at.load(Relaxed).as_ref() } {
            if ptr::eq(one, link) {
                // The removed link keeps its own pointer: the work may be at it.
                at.store(link.next.load(Relaxed), Release);
                return;
            }
            at = &one.next;
        }
    }
}
