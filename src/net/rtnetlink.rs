// SPDX-License-Identifier: GPL-2.0

//! Link types of rtnetlink (`ip link add type KIND`).
//!
//! C header: [`include/net/rtnetlink.h`](srctree/include/net/rtnetlink.h)

use crate::bindings;
use core::cell::UnsafeCell;
use core::ffi::CStr;

/// The link operations of a driver, which the kernel chains into a list while they are registered.
pub struct LinkTable(UnsafeCell<bindings::rtnl_link_ops>);

impl LinkTable {
    pub(crate) const fn new(kind: &'static CStr) -> Self {
        LinkTable(UnsafeCell::new(bindings::rtnl_link_ops {
            kind: kind.as_ptr().cast(),
            ..pin_init::zeroed()
        }))
    }

    pub(crate) fn as_ptr(&self) -> *mut bindings::rtnl_link_ops {
        self.0.get()
    }
}
