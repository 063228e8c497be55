// SPDX-License-Identifier: GPL-2.0

//! Files in sysfs.
//!
//! C header: [`include/linux/sysfs.h`](srctree/include/linux/sysfs.h)

use crate::bindings;
use core::ptr;
use core::sync::atomic::{AtomicPtr, Ordering};

/// Removes the directory that `dir` holds, if it holds one. Waits until nobody reads its files.
pub(crate) fn remove_dir(dir: &AtomicPtr<bindings::kobject>) {
    let kobj = dir.swap(ptr::null_mut(), Ordering::AcqRel);
    if !kobj.is_null() {
        // SAFETY: The object was added by us and is ours to take away; its release frees it.
        unsafe {
            bindings::kobject_del(kobj);
            bindings::kobject_put(kobj);
        }
    }
}
