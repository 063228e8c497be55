// SPDX-License-Identifier: GPL-2.0

//! Messages that are sent without interrupts, such as those of netconsole.
//!
//! C header: [`include/linux/netpoll.h`](srctree/include/linux/netpoll.h)
//!
//! While somebody sends such messages through a master, each lower device has a `struct netpoll` of its
//! own, by which it sends them on. How a driver does that is in [`netpoll_ops`](super::netpoll_ops).

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
    /// Returns whether somebody sends such messages through the device.
    pub fn is_polled(&self, _rtnl: &Rtnl) -> bool {
        // SAFETY: The device is valid (type invariant).
        unsafe { has_npinfo(self.as_ptr()) }
    }
}

impl<T: Master> Lower<T> {
    /// Has the device send such messages for its master. May sleep.
    pub fn poll(&self, _rtnl: &Rtnl) -> Result {
        if !self.netpoll.load(Relaxed).is_null() {
            return Ok(());
        }
        if !self.is_linked_to(self.master()) {
            // Nobody would undo it.
            return Err(ENODEV);
        }
        let netpoll = KBox::new(Opaque::<bindings::netpoll>::zeroed(), GFP_KERNEL)?;
        // SAFETY: Ours, and zeroed, which is how it has to be but for the name, a static string.
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
            // SAFETY: RTNL is held. It was set up by `poll`, and nobody finds it any more; this waits
            // for those who did, and frees it with `kfree()`, which suits a `KBox`.
            unsafe { bindings::__netpoll_free(netpoll) };
        }
    }
}

/// Returns whether a device is used for such messages.
///
/// # Safety
///
/// `dev` must be allocated.
#[inline(always)]
pub(crate) unsafe fn has_npinfo(dev: *mut bindings::net_device) -> bool {
    // SAFETY: By the caller's promise; a pointer that is read as a whole.
    !unsafe { ptr::read_volatile(&raw const (*dev).npinfo) }.is_null()
}
