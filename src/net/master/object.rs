// SPDX-License-Identifier: GPL-2.0

//! The sysfs directory of a lower device, as an object with references.
//!
//! C header: [`include/linux/kobject.h`](srctree/include/linux/kobject.h)

use crate::bindings;
use crate::netdevice::NetDevice;
use crate::rtnl::Rtnl;
use kernel::error::{to_result, Result};
use kernel::prelude::*;
use kernel::str::CStrExt;
use kernel::types::Opaque;

/// A directory of objects: its name, and their type, both static.
pub(crate) struct DirRef {
    name: *const kernel::ffi::c_char,
    ktype: *const bindings::kobj_type,
}

// SAFETY: Both are constant.
unsafe impl Sync for DirRef {}

impl DirRef {
    /// Makes one.
    ///
    /// # Safety
    ///
    /// Both are valid for ever; the name ends with a NUL.
    pub(crate) const unsafe fn new(
        name: *const kernel::ffi::c_char,
        ktype: *const bindings::kobj_type,
    ) -> Self {
        DirRef { name, ktype }
    }
}

/// The directory of one lower device, which is part of its [`Lower`](super::device::Lower), and counts the references
/// to it.
#[repr(transparent)]
#[pin_data]
pub(crate) struct Object {
    #[pin]
    kobj: Opaque<bindings::kobject>,
}

impl Object {
    /// Makes the object, with one reference, which [`Self::put`] gives back; `dir` is the driver's.
    pub(crate) fn new(dir: &DirRef) -> impl PinInit<Self> {
        let ktype = dir.ktype;
        pin_init!(Self {
            kobj <- Opaque::ffi_init(move |kobj: *mut bindings::kobject| {
                // SAFETY: The place is valid for writes, and pinned. The type is a static.
                unsafe {
                    kobj.write(pin_init::zeroed());
                    bindings::kobject_init(kobj, ktype);
                }
            }),
        })
    }

    /// Makes the directory of a device. Sleeps.
    ///
    /// # Safety
    ///
    /// The object must be that of a lower device of this device, and be [removed](Self::remove) before the device
    /// goes, in process context and under RTNL like this.
    pub(crate) unsafe fn add(&self, dev: &NetDevice, dir: &DirRef) -> Result {
        // SAFETY: The object is initialised, and was not added before. The parent is valid; the format takes one
        // string.
        to_result(unsafe {
            let parent = &raw mut (*dev.as_ptr()).dev.kobj;
            bindings::kobject_add(self.kobj.get(), parent, c"%s".as_char_ptr(), dir.name)
        })
    }

    /// Removes the directory, if there is one. Waits until nobody reads its files.
    pub(crate) fn remove(&self, _rtnl: &Rtnl) {
        // SAFETY: The object is initialised; whether it is in sysfs changes under RTNL, by `add` and here.
        unsafe {
            if (*self.kobj.get()).state_in_sysfs() != 0 {
                bindings::kobject_del(self.kobj.get());
            }
        }
    }

    /// Gives the first reference back. Nothing else may be done with the object from here on.
    ///
    /// # Safety
    ///
    /// To be called once, after the directory was removed.
    pub(crate) unsafe fn put(&self) {
        // SAFETY: By the caller's promise; its release has the lower device freed.
        unsafe { bindings::kobject_put(self.kobj.get()) };
    }
}
