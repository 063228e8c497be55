// SPDX-License-Identifier: GPL-2.0

//! Netlink messages.
//!
//! C headers: [`include/linux/netlink.h`](srctree/include/linux/netlink.h),
//! [`include/net/netlink.h`](srctree/include/net/netlink.h)

use crate::bindings;
use core::ffi::CStr;
use core::ptr;
use kernel::types::Opaque;

/// Where a request's answer takes a sentence for the user (`struct netlink_ext_ack`).
#[repr(transparent)]
pub struct ExtAck(Opaque<bindings::netlink_ext_ack>);

impl ExtAck {
    /// Makes a reference from a C pointer, which may be NULL.
    ///
    /// # Safety
    ///
    /// `extack` must be NULL, or point to an object that nobody else uses during `'a`.
    pub(crate) unsafe fn from_raw<'a>(extack: *mut bindings::netlink_ext_ack) -> Option<&'a ExtAck> {
        // SAFETY: By the caller's promise; the type is transparent.
        unsafe { extack.cast::<ExtAck>().as_ref() }
    }

    pub(crate) fn as_ptr(this: Option<&ExtAck>) -> *mut bindings::netlink_ext_ack {
        this.map_or(ptr::null_mut(), |extack| extack.0.get())
    }

    /// Sets the message (`NL_SET_ERR_MSG()`). The last one counts.
    pub fn set_msg(&self, msg: &'static CStr) {
        // SAFETY: The object is ours for the lifetime of the reference (see `from_raw`), and the
        // message lives for ever.
        unsafe { (*self.0.get())._msg = msg.as_ptr().cast() };
    }
}
