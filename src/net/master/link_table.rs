// SPDX-License-Identifier: GPL-2.0

//! The table of a link type; see [`rtnetlink`](super::rtnetlink).

use crate::bindings;
use core::cell::UnsafeCell;
use core::ffi::CStr;
use kernel::str::as_char_ptr_in_const_context;
use kernel::sync::atomic::Atomic;

/// The link operations of a driver, which the kernel chains into a list while they are registered.
pub(crate) struct LinkTable {
    ops: UnsafeCell<bindings::rtnl_link_ops>,
    pub(crate) registered: Atomic<bool>,
}

impl LinkTable {
    /// Makes the table of a link type, without operations.
    pub(crate) const fn new(kind: &'static CStr) -> Self {
        LinkTable {
            ops: UnsafeCell::new(bindings::rtnl_link_ops {
                kind: as_char_ptr_in_const_context(kind),
                ..pin_init::zeroed()
            }),
            registered: Atomic::new(false),
        }
    }

    /// Returns the table, to be filled before it is registered.
    pub(crate) const fn get_mut(&mut self) -> &mut bindings::rtnl_link_ops {
        self.ops.get_mut()
    }

    pub(crate) fn as_ptr(&self) -> *mut bindings::rtnl_link_ops {
        self.ops.get()
    }
}
