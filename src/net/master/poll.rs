// SPDX-License-Identifier: GPL-2.0

//! Polling of devices; see [`poller`](super::poller).

use super::device::{Dev, Master, Private};
use super::poller::Link;
use crate::bindings;
use crate::rcu;
use crate::rtnl::Rtnl;

/// Runs the work of the driver's poller.
///
/// # Safety
///
/// Must be called by the queue of a driver that is registered.
pub(crate) unsafe extern "C" fn work<T: Master>(_work: *mut bindings::work_struct) {
    let rcu = rcu::read_lock();
    let poll = |link: &Link| {
        // SAFETY: The link is the one in a `Private<T>` for which `ndo_init` has succeeded:
        // `poll_every` puts only links of registered devices on the list.
        let dev = unsafe {
            let private = kernel::container_of!(core::ptr::from_ref(link), Private<T>, poll);
            Dev::<T>::from_raw((*private).dev())
        };
        T::poll(dev, &rcu);
    };
    // SAFETY: The poller has been started, and is stopped before the queue is destroyed
    // (`Registration`).
    unsafe { T::REGISTRY.poller.look(T::REGISTRY.wq(), &rcu, poll) };
}

impl<T: Master> Dev<T> {
    /// Has [`Master::poll`] called at each multiple of `interval`, in jiffies, until
    /// [`Self::stop_polling`]. An interval of 0 stops the polling. Has no effect on a device that
    /// is not registered.
    pub fn poll_every(&self, interval: u64, rtnl: &Rtnl) {
        if interval == 0 {
            return self.stop_polling(rtnl);
        }
        if self.is_registered(rtnl) {
            let (poller, wq) = (&T::REGISTRY.poller, T::REGISTRY.wq());
            // SAFETY: The driver is registered as long as it has devices, so the poller has been
            // started, and is stopped before the queue is destroyed. `ndo_uninit` takes the device
            // off the list.
            unsafe { poller.add(&self.private().poll, interval, wq, rtnl) };
        }
    }

    /// Ends what [`Self::poll_every`] began. A call of [`Master::poll`] may still be running.
    pub fn stop_polling(&self, rtnl: &Rtnl) {
        T::REGISTRY.poller.remove(&self.private().poll, rtnl);
    }
}
