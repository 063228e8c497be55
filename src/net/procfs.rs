// SPDX-License-Identifier: GPL-2.0

//! A directory in `/proc/net`. [`master::procfs`](crate::master::procfs) has the files of devices
//! in it.
//!
//! C header: [`include/linux/proc_fs.h`](srctree/include/linux/proc_fs.h)

use crate::bindings;
use crate::namespace::Net;
use core::ptr::NonNull;
use kernel::prelude::*;
use kernel::str::CStrExt;

/// A directory in the `/proc/net` of a namespace, which is removed on drop.
pub(crate) struct Dir(NonNull<bindings::proc_dir_entry>);

impl Dir {
    /// Creates the directory. Returns `None` if the name is taken, or if there is no memory.
    ///
    /// # Safety
    ///
    /// The value must be dropped before the namespace goes away, and after all files in the
    /// directory have been removed.
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
        // SAFETY: `new` has made the directory. Its caller promises that the directory is empty by
        // now.
        unsafe { bindings::proc_remove(self.0.as_ptr()) };
    }
}
