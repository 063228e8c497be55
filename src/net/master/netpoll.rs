// SPDX-License-Identifier: GPL-2.0

//! Messages that are sent without interrupts, such as those of netconsole (netpoll).
//!
//! C header: [`include/linux/netpoll.h`](srctree/include/linux/netpoll.h)
//!
//! While somebody sends netpoll messages through a master, each lower device has a `struct netpoll`
//! of its own, through which it passes them on. How a driver does that is in
//! [`netpoll_ops`](super::netpoll_ops).

use super::device::{Dev, Lower, Master};
use crate::bindings;
use crate::rtnl::Rtnl;
use core::ptr;
use kernel::error::{code::ENODEV, to_result, Result};
use kernel::prelude::*;
use kernel::str::CStrExt;
use kernel::sync::atomic::{Relaxed, Release};
use kernel::types::Opaque;

impl<T: Master> Dev<T> {
    /// Returns whether somebody sends netpoll messages through the device.
    pub fn is_polled(&self, _rtnl: &Rtnl) -> bool {
        // SAFETY: The device is valid (type invariant).
        unsafe { has_npinfo(self.as_ptr()) }
    }
}

impl<T: Master> Lower<T> {
    /// Has the device send netpoll messages for its master. May sleep.
    pub fn poll(&self, _rtnl: &Rtnl) -> Result {
        if !self.netpoll.load(Relaxed).is_null() {
            return Ok(());
        }
        if !self.is_linked_to(self.master()) {
            // Nothing would undo this.
            return Err(ENODEV);
        }
        let netpoll = KBox::new(Opaque::<bindings::netpoll>::zeroed(), GFP_KERNEL)?;
        // SAFETY: The netpoll is ours. It is zeroed, as it has to be, except for the name, which is
        // a static string.
        to_result(unsafe {
            (*netpoll.get()).name = T::NAME.as_char_ptr();
            bindings::__netpoll_setup(netpoll.get(), self.dev().as_ptr())
        })?;
        self.netpoll.store(KBox::into_raw(netpoll).cast(), Release);
        Ok(())
    }

    /// Undoes [`Self::poll`]. Sleeps.
    pub(crate) fn unpoll(&self, _rtnl: &Rtnl) {
        let netpoll = self.netpoll.xchg(ptr::null_mut(), Relaxed);
        if !netpoll.is_null() {
            // SAFETY: RTNL is held. `poll` has set up the netpoll, and nobody can find it any more.
            // This waits for those who have found it before, and frees it with `kfree()`, which
            // suits a `KBox`.
            unsafe { bindings::__netpoll_free(netpoll) };
        }
    }
}

/// Returns whether a device is used for netpoll messages.
///
/// # Safety
///
/// `dev` must be allocated.
#[inline(always)]
pub(crate) unsafe fn has_npinfo(dev: *mut bindings::net_device) -> bool {
    // SAFETY: The caller guarantees that the device is allocated; the pointer is read as a whole.
    !unsafe { ptr::read_volatile(&raw const (*dev).npinfo) }.is_null()
}
