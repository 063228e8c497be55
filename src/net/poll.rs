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
use crate::device::{Dev, Master, Private};
use crate::rcu::{self, Rcu};
use crate::rtnl::Rtnl;
use crate::sync::jiffies;
use core::ptr;
use core::sync::atomic::{AtomicBool, AtomicPtr, AtomicU64, Ordering};
use kernel::static_lock_class;
use kernel::str::CStrExt;
use kernel::types::Opaque;

/// A time that never comes, in jiffies.
const NEVER: u64 = u64::MAX;

/// What a driver has for polling, in its registration.
///
/// # Invariants
///
/// The list, from `first` on, holds private areas of registered devices, which leave it before the
/// grace period at the end of their unregistration. All links, also those of devices that have left, are
/// stored with release semantics, and loaded without RTNL with acquire semantics.
pub(crate) struct Poller<T: Master> {
    first: AtomicPtr<Private<T>>,
    /// When the work runs next, in jiffies; [`NEVER`] too while it goes over the list.
    due: AtomicU64,
    work: Opaque<bindings::delayed_work>,
}

// SAFETY: The list and the time are atomics; the work has locks of its own.
unsafe impl<T: Master> Sync for Poller<T> {}

/// The place of a device on the list. All zeros when it is on none.
pub(crate) struct Link<T: Master> {
    next: AtomicPtr<Private<T>>,
    is_listed: AtomicBool,
    /// How often the device is looked at, in jiffies; 0 for not at all.
    interval: AtomicU64,
    /// When that is next, in jiffies.
    due: AtomicU64,
}

/// The next multiple of an interval. [`NEVER`] if that is 0.
fn following(now: u64, interval: u64) -> u64 {
    match now.checked_div(interval) {
        Some(past) => past.saturating_add(1).saturating_mul(interval),
        None => NEVER,
    }
}

impl<T: Master> Poller<T> {
    pub(crate) const fn new() -> Self {
        Self {
            first: AtomicPtr::new(ptr::null_mut()),
            due: AtomicU64::new(NEVER),
            work: Opaque::uninit(),
        }
    }

    /// Makes it ready for devices.
    ///
    /// # Safety
    ///
    /// The work is not in use: this is the first call, or [`Self::stop`] came before it.
    pub(crate) unsafe fn start(&self) {
        // SAFETY: The poller is a static, as name and class are; by the caller's promise nobody uses the
        // work.
        unsafe {
            bindings::nh_init_delayed_work(
                self.work.get(),
                Some(work::<T>),
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
        self.due.store(NEVER, Ordering::Relaxed);
    }

    /// Has the work run at `due` at the latest.
    fn run_at(&self, due: u64) {
        if self.due.fetch_min(due, Ordering::AcqRel) <= due {
            return;
        }
        loop {
            let due = self.due.load(Ordering::Acquire);
            if due == NEVER {
                // The work has just begun, and sees for itself.
                return;
            }
            let delay = due.saturating_sub(jiffies()) as usize;
            // SAFETY: The work was initialised by `start`. The queue exists while devices do, and as long as
            // the work runs: `stop` waits for it before the queue goes.
            unsafe { bindings::nh_mod_delayed_work(T::REGISTRY.wq(), self.work.get(), delay) };
            // Of two that were here at once, the later one may have set the later time.
            if self.due.load(Ordering::Acquire) == due {
                return;
            }
        }
    }
}

unsafe extern "C" fn work<T: Master>(_work: *mut bindings::work_struct) {
    let poller = &T::REGISTRY.poller;
    poller.due.swap(NEVER, Ordering::AcqRel);
    let now = jiffies();
    let mut due = NEVER;
    {
        let rcu = rcu::read_lock();
        let mut at = &poller.first;
        // SAFETY: By the type invariant the areas on the list are in use, and stay so until a grace
        // period after they left it, as what they point to does.
        while let Some(private) = unsafe { at.load(Ordering::Acquire).as_ref() } {
            // SAFETY: As above; `ndo_init` succeeded for a registered device.
            let dev = unsafe { Dev::<T>::from_raw(private.head.dev().load(Ordering::Relaxed)) };
            due = due.min(look(dev, now, &rcu));
            at = &private.poll.next;
        }
    }
    if due != NEVER {
        poller.run_at(due);
    }
}

/// Looks at a device if it is time. Returns when that is next.
fn look<T: Master>(dev: &Dev<T>, now: u64, rcu: &Rcu) -> u64 {
    let link = &dev.private().poll;
    let due = link.due.load(Ordering::Relaxed);
    if now < due {
        return due;
    }
    T::poll(dev, rcu);
    let next = following(now, link.interval.load(Ordering::Relaxed));
    // Unless somebody has changed the interval meanwhile.
    match link
        .due
        .compare_exchange(due, next, Ordering::Relaxed, Ordering::Relaxed)
    {
        Ok(_) => next,
        Err(other) => other,
    }
}

impl<T: Master> Dev<T> {
    /// Has [`Master::poll`] called at each multiple of `interval`, in jiffies, until [`Self::stop_polling`]; with 0, not
    /// any more. Without effect for a device that is not registered.
    pub fn poll_every(&self, interval: u64, rtnl: &Rtnl) {
        let poller = &T::REGISTRY.poller;
        let link = &self.private().poll;
        if interval == 0 {
            return self.stop_polling(rtnl);
        }
        if !self.is_registered(rtnl) {
            return;
        }
        let due = following(jiffies(), interval);
        link.interval.store(interval, Ordering::Relaxed);
        link.due.store(due, Ordering::Relaxed);
        if !link.is_listed.swap(true, Ordering::Relaxed) {
            // The work may stand here since before the device has left the list, and go on with this link: as any
            // other link it is stored so that who reads it sees what it leads to.
            link.next
                .store(poller.first.load(Ordering::Relaxed), Ordering::Release);
            // INVARIANT: The device is registered; `ndo_uninit` takes it off.
            poller
                .first
                .store(ptr::from_ref(self.private()).cast_mut(), Ordering::Release);
        }
        poller.run_at(due);
    }

    /// Ends what [`Self::poll_every`] began. A call of [`Master::poll`] may still be on its way.
    pub fn stop_polling(&self, _rtnl: &Rtnl) {
        let link = &self.private().poll;
        link.due.store(NEVER, Ordering::Relaxed);
        if !link.is_listed.swap(false, Ordering::Relaxed) {
            return;
        }
        let own = ptr::from_ref(self.private());
        let mut at = &T::REGISTRY.poller.first;
        // SAFETY: The list changes under RTNL only; by the type invariant its areas are in use.
        while let Some(private) = unsafe { at.load(Ordering::Relaxed).as_ref() } {
            if ptr::eq(private, own) {
                // Our own link stays: the work may stand here.
                at.store(link.next.load(Ordering::Relaxed), Ordering::Release);
                return;
            }
            at = &private.poll.next;
        }
    }
}
