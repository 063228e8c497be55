// SPDX-License-Identifier: GPL-2.0

//! The sysfs directory of a lower device, as a reference-counted object.
//!
//! C header: [`include/linux/kobject.h`](srctree/include/linux/kobject.h)

use crate::bindings;
use crate::netdevice::NetDevice;
use crate::rtnl::Rtnl;
use kernel::error::{to_result, Result};
use kernel::prelude::*;
use kernel::str::CStrExt;
use kernel::types::Opaque;

/// The name and the type of the objects of a driver's lower devices, both static.
pub(crate) struct DirRef {
    name: *const kernel::ffi::c_char,
    ktype: *const bindings::kobj_type,
}

// SAFETY: What the pointers point to is constant.
unsafe impl Sync for DirRef {}

impl DirRef {
    /// Makes one from a name and a type.
    ///
    /// # Safety
    ///
    /// Both pointers must be valid for ever, and the name must end with a NUL.
    pub(crate) const unsafe fn new(
        name: *const kernel::ffi::c_char,
        ktype: *const bindings::kobj_type,
    ) -> Self {
        DirRef { name, ktype }
    }
}

/// The directory of one lower device. It is part of the [`Lower`](super::device::Lower) and counts
/// the references to it.
#[repr(transparent)]
#[pin_data]
pub(crate) struct Object {
    #[pin]
    kobj: Opaque<bindings::kobject>,
}

impl Object {
    /// Makes the object with one reference, which [`Self::put`] drops; `dir` is that of the driver.
    pub(crate) fn new(dir: &DirRef) -> impl PinInit<Self> {
        let ktype = dir.ktype;
        pin_init!(Self {
            kobj <- Opaque::ffi_init(move |kobj: *mut bindings::kobject| {
                // SAFETY: The memory is valid for writes, and pinned. The type is a static.
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
    /// The object must belong to a lower device that is `dev`. It must be [removed](Self::remove)
    /// before `dev` goes away. Both must happen in process context and under RTNL.
    pub(crate) unsafe fn add(&self, dev: &NetDevice, dir: &DirRef) -> Result {
        // SAFETY: The object is initialised, and was not added before. The parent is valid; the
        // format takes one string, the name.
        to_result(unsafe {
            let parent = &raw mut (*dev.as_ptr()).dev.kobj;
            bindings::kobject_add(self.kobj.get(), parent, c"%s".as_char_ptr(), dir.name)
        })
    }

    /// Removes the directory, if there is one. Waits until nobody reads its files any more.
    pub(crate) fn remove(&self, _rtnl: &Rtnl) {
        // SAFETY: The object is initialised. Only `add` and this function change whether it is in
        // sysfs, both under RTNL.
        unsafe {
            if (*self.kobj.get()).state_in_sysfs() != 0 {
                bindings::kobject_del(self.kobj.get());
            }
        }
    }

    /// Drops the first reference. Nothing else may be done with the object from here on.
    ///
    /// # Safety
    ///
    /// Must be called once, after the directory was removed.
    pub(crate) unsafe fn put(&self) {
        // SAFETY: The caller guarantees that this is called only once, so the first reference is
        // still there. The release function has the lower device freed.
        unsafe { bindings::kobject_put(self.kobj.get()) };
    }
}
