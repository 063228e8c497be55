// SPDX-License-Identifier: GPL-2.0

//! One timer for what all devices of a driver look at again and again.
//!
//! C headers: [`include/linux/workqueue.h`](srctree/include/linux/workqueue.h),
//! [`include/linux/jiffies.h`](srctree/include/linux/jiffies.h)
//!
//! A machine with a thousand devices that each have a timer of their own never sleeps. Here one work
//! item goes over the devices that want to be polled, and sleeps until the first of them is due. Who
//! polls at multiples of the same interval is looked at in the same moment.

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

/// What a driver has for polling, in its registry.
///
/// # Invariants
///
/// The list, from `first` on, holds links of registered devices, which leave it before the grace period at the end
/// of their unregistration. All links, also those of devices that have left, are stored with release semantics, and
/// loaded without RTNL with acquire semantics.
pub(crate) struct Poller {
    first: Atomic<*mut Link>,
    /// When the work runs next, in jiffies; [`NEVER`] too while it goes over the list.
    due: Atomic<u64>,
    work: Opaque<bindings::delayed_work>,
}

// SAFETY: The list and the time are atomics; the work has locks of its own.
unsafe impl Sync for Poller {}

/// The place of a device on the list. All zeros when it is on none.
pub(crate) struct Link {
    next: Atomic<*mut Link>,
    is_listed: Atomic<bool>,
    /// How often the device is looked at, in jiffies; 0 for not at all.
    interval: Atomic<u64>,
    /// When that is next, in jiffies.
    due: Atomic<u64>,
}

/// The next multiple of an interval. [`NEVER`] if that is 0.
fn following(now: u64, interval: u64) -> u64 {
    match now.checked_div(interval) {
        Some(past) => past.saturating_add(1).saturating_mul(interval),
        None => NEVER,
    }
}

impl Link {
    /// Looks at the device if it is time. Returns when that is next.
    fn look(&self, now: u64, poll: impl FnOnce()) -> u64 {
        let due = self.due.load(Relaxed);
        if now < due {
            return due;
        }
        poll();
        let next = following(now, self.interval.load(Relaxed));
        // Unless somebody has changed the interval meanwhile.
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

    /// Makes it ready for devices. The work calls [`Self::look`].
    ///
    /// # Safety
    ///
    /// The poller is a static, and its work is not in use: this is the first call, or [`Self::stop`] came before it.
    pub(crate) unsafe fn start(&self, work: bindings::work_func_t) {
        // SAFETY: The poller, the name and the class are statics; by the caller's promise nobody uses the work.
        unsafe {
            bindings::nh_init_delayed_work(
                self.work.get(),
                work,
                c"Poller::work".as_char_ptr(),
                static_lock_class!().as_ptr().cast(),
            )
        };
    }

    /// Waits until the work does not run and will not run. No device may be left. Sleeps.
    ///
    /// # Safety
    ///
    /// [`Self::start`] was called.
    pub(crate) unsafe fn stop(&self) {
        // SAFETY: By the caller's promise the work is initialised.
        unsafe { bindings::cancel_delayed_work_sync(self.work.get()) };
        self.due.store(NEVER, Relaxed);
    }

    /// Has the work run at `due` at the latest, in a queue.
    ///
    /// # Safety
    ///
    /// [`Self::start`] was called, and the queue exists until after [`Self::stop`].
    unsafe fn run_at(&self, due: u64, wq: *mut bindings::workqueue_struct) {
        if fetch_min(&self.due, due) <= due {
            return;
        }
        loop {
            let due = self.due.load(Acquire);
            if due == NEVER {
                // The work has just begun, and sees for itself.
                return;
            }
            let delay = due.saturating_sub(jiffies()) as usize;
            // SAFETY: By the caller's promise.
            unsafe { bindings::nh_mod_delayed_work(wq, self.work.get(), delay) };
            // Of two that were here at once, the later one may have set the later time.
            if self.due.load(Acquire) == due {
                return;
            }
        }
    }

    /// Looks at all devices on the list for which it is time, with `poll`; from the work.
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
        // SAFETY: By the type invariant what is on the list is in use, and stays so until a grace period after it
        // left the list, as what it points to does.
        while let Some(link) = unsafe { at.load(Acquire).as_ref() } {
            due = due.min(link.look(now, || poll(link)));
            at = &link.next;
        }
        if due != NEVER {
            // SAFETY: By the caller's promise.
            unsafe { self.run_at(due, wq) };
        }
    }

    /// Puts a link on the list, and has it looked at at each multiple of `interval`, in jiffies, not 0.
    ///
    /// # Safety
    ///
    /// [`Self::start`] was called, and the queue exists until after [`Self::stop`]. The link is [removed](Self::remove)
    /// before the grace period at the end of its device's unregistration.
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
            // The work may stand here since before the device has left the list, and go on with this link: as any
            // other link it is stored so that who reads it sees what it leads to.
            link.next.store(self.first.load(Relaxed), Release);
            // INVARIANT: By the caller's promise.
            self.first.store(ptr::from_ref(link).cast_mut(), Release);
        }
        // SAFETY: By the caller's promise.
        unsafe { self.run_at(due, wq) };
    }

    /// Takes a link off the list. A look at its device may still be on its way.
    pub(crate) fn remove(&self, link: &Link, _rtnl: &Rtnl) {
        link.due.store(NEVER, Relaxed);
        if !link.is_listed.xchg(false, Relaxed) {
            return;
        }
        let mut at = &self.first;
        // SAFETY: The list changes under RTNL only; by the type invariant what is on it is in use.
        while let Some(one) = unsafe { at.load(Relaxed).as_ref() } {
            if ptr::eq(one, link) {
                // Our own link stays: the work may stand here.
                at.store(link.next.load(Relaxed), Release);
                return;
            }
            at = &one.next;
        }
    }
}
