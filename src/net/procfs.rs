// SPDX-License-Identifier: GPL-2.0

//! A directory in `/proc/net`. The files of devices in it are in [`master::procfs`](crate::master::procfs).
//!
//! C header: [`include/linux/proc_fs.h`](srctree/include/linux/proc_fs.h)

use crate::bindings;
use crate::namespace::Net;
use core::ptr::NonNull;
use kernel::prelude::*;
use kernel::str::CStrExt;

/// A directory in the `/proc/net` of a namespace, until it is dropped.
pub(crate) struct Dir(NonNull<bindings::proc_dir_entry>);

impl Dir {
    /// Makes the directory, unless there is one of this name or no memory.
    ///
    /// # Safety
    ///
    /// The value must be dropped before the namespace goes, and after all its files have gone.
    pub(crate) unsafe fn new(net: &Net, name: &'static CStr) -> Option<Dir> {
        // SAFETY: The name is NUL-terminated, and the namespace is alive.
        NonNull::new(unsafe {
            bindings::proc_mkdir(name.as_char_ptr(), bindings::nh_proc_net(net.as_ptr()))
        })
        .map(Dir)
    }

    pub(crate) fn as_ptr(&self) -> *mut bindings::proc_dir_entry {
        self.0.as_ptr()
    }
}

impl Drop for Dir {
    fn drop(&mut self) {
        // SAFETY: Made by `new`, whose caller promises that it is empty.
        unsafe { bindings::proc_remove(self.0.as_ptr()) };
    }
}
