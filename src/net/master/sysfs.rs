// SPDX-License-Identifier: GPL-2.0

//! Files in sysfs for the devices of a driver, and for their lower devices.
//!
//! C headers: [`include/linux/sysfs.h`](srctree/include/linux/sysfs.h),
//! [`include/linux/device.h`](srctree/include/linux/device.h)
//!
//! As for all files in sysfs, no function that shows or stores a file may wait for RTNL; see
//! [`sysfs`](crate::sysfs).

use super::device::{Dev, Lower, Master};
use super::lower::free_later;
use super::object::{DirRef, Object};
use super::ops::Ops;
use crate::bindings;
use crate::sysfs::{id_of, padded, stored, File, Page, Table, NAME_SIZE};
use core::ffi::CStr;
use core::marker::PhantomData;
use core::ptr;
use kernel::error::Result;

/// The files in a directory of each device of a driver.
pub trait DeviceFiles<T: Master>: 'static {
    /// What identifies a file to the driver.
    type Id: Copy + Send + Sync + 'static;

    /// Shows a file. Must not wait for RTNL.
    fn show(dev: &Dev<T>, id: Self::Id, page: &mut Page<'_>);

    /// Stores the whole of `text` into a file. May sleep; takes RTNL with
    /// [`lock_rtnl`](crate::sysfs::lock_rtnl).
    fn store(dev: &Dev<T>, id: Self::Id, text: &[u8]) -> Result;
}

/// A directory with `N` files for each device of driver `T`; made as a static.
pub struct DeviceDir<T: Master, F: DeviceFiles<T>, const N: usize> {
    table: Table<F::Id, N>,
    _driver: PhantomData<fn(T)>,
}

// SAFETY: The table is constant, and so is all that it points to.
unsafe impl<T: Master, F: DeviceFiles<T>, const N: usize> Sync for DeviceDir<T, F, N> {}

impl<T: Master, F: DeviceFiles<T>, const N: usize> DeviceDir<T, F, N> {
    /// Makes the static `this`, a directory called `name`.
    pub const fn new(this: &'static Self, name: &str, files: &[File<F::Id>; N]) -> Self {
        let table = Table::new(
            &this.table,
            name,
            files,
            Some(device_show::<T, F>),
            Some(device_store::<T, F>),
        );
        DeviceDir {
            table,
            _driver: PhantomData,
        }
    }
}

impl<T: Master> Ops<T> {
    /// Adds a directory for each device.
    pub const fn with_sysfs<F: DeviceFiles<T>, const N: usize>(
        mut self,
        dir: &'static DeviceDir<T, F, N>,
    ) -> Self {
        self.group = &raw const dir.table.group;
        self
    }
}

/// Returns the device whose file is used.
///
/// # Safety
///
/// `dev` must be the `struct device` of a network device of driver `T`. Its files must exist for
/// all of `'a`, which is between `ndo_init` and the destructor.
unsafe fn to_dev<'a, T: Master>(dev: *mut bindings::device) -> &'a Dev<T> {
    // SAFETY: The caller guarantees that `dev` is part of a network device of driver `T`, which is
    // initialised as long as its files exist.
    unsafe { Dev::from_raw(kernel::container_of!(dev, bindings::net_device, dev)) }
}

/// Shows a file of a device.
///
/// # Safety
///
/// The file must belong to a [`DeviceDir<T, F, _>`](DeviceDir), and must not be removed before this
/// returns. `buf` must be a page.
unsafe extern "C" fn device_show<T: Master, F: DeviceFiles<T>>(
    dev: *mut bindings::device,
    attr: *mut bindings::device_attribute,
    buf: *mut kernel::ffi::c_char,
) -> isize {
    // SAFETY: The file belongs to a `DeviceDir<T, F, _>`, which only devices of driver `T` have,
    // and it is not removed before this returns. The buffer is a page.
    let (dev, id, mut page) =
        unsafe { (to_dev::<T>(dev), id_of(attr.cast()), Page::from_raw(buf)) };
    F::show(dev, id, &mut page);
    page.finish()
}

/// Stores into a file of a device.
///
/// # Safety
///
/// As for [`device_show`]; `buf` must have `count` bytes.
unsafe extern "C" fn device_store<T: Master, F: DeviceFiles<T>>(
    dev: *mut bindings::device,
    attr: *mut bindings::device_attribute,
    buf: *const kernel::ffi::c_char,
    count: usize,
) -> isize {
    // SAFETY: As in `device_show`; the buffer has `count` bytes.
    let (dev, id, text) = unsafe {
        (
            to_dev::<T>(dev),
            id_of(attr.cast()),
            core::slice::from_raw_parts(buf.cast(), count),
        )
    };
    stored(F::store(dev, id, text), count)
}

impl<T: Master> Ops<T> {
    /// Makes the tables. `kind` is the name of the device type in sysfs, and of the link type in
    /// rtnetlink. `lower_dir` is the directory that each lower device has in sysfs.
    pub const fn new<F: LowerFiles<T>, const N: usize>(
        kind: &'static CStr,
        lower_dir: &'static LowerDir<T, F, N>,
    ) -> Self {
        Self::with_dir(kind, lower_dir.dir_ref())
    }
}

/// The read-only files in a directory of each lower device of a driver.
pub trait LowerFiles<T: Master>: 'static {
    /// What identifies a file to the driver.
    type Id: Copy + Send + Sync + 'static;

    /// Shows a file. Must not wait for RTNL.
    fn show(lower: &Lower<T>, id: Self::Id, page: &mut Page<'_>);
}

/// A directory with `N` files in the sysfs directory of each lower device of driver `T`; made as a
/// static.
#[repr(C)]
pub struct LowerDir<T: Master, F: LowerFiles<T>, const N: usize> {
    table: Table<F::Id, N>,
    /// The name of this directory. The files in `table` are not in a directory of their own.
    name: [u8; NAME_SIZE],
    groups: [*const bindings::attribute_group; 2],
    ops: bindings::sysfs_ops,
    ktype: bindings::kobj_type,
    _driver: PhantomData<fn(T)>,
}

// SAFETY: As for `DeviceDir`.
unsafe impl<T: Master, F: LowerFiles<T>, const N: usize> Sync for LowerDir<T, F, N> {}

impl<T: Master, F: LowerFiles<T>, const N: usize> LowerDir<T, F, N> {
    /// Makes the static `this`, a directory called `name`.
    pub const fn new(this: &'static Self, name: &str, files: &[File<F::Id>; N]) -> Self {
        LowerDir {
            table: Table::new(&this.table, "", files, None, None),
            name: padded(name),
            groups: [&raw const this.table.group, ptr::null()],
            ops: bindings::sysfs_ops {
                show: Some(lower_show::<T, F>),
                store: None,
            },
            ktype: bindings::kobj_type {
                release: Some(lower_release::<T>),
                sysfs_ops: &raw const this.ops,
                default_groups: (&raw const this.groups).cast_mut().cast(),
                ..pin_init::zeroed()
            },
            _driver: PhantomData,
        }
    }
}

impl<T: Master, F: LowerFiles<T>, const N: usize> LowerDir<T, F, N> {
    /// Returns what the tables of the driver keep of the directory.
    pub(crate) const fn dir_ref(&'static self) -> DirRef {
        // SAFETY: Both are parts of a static; the name is padded with NULs.
        unsafe { DirRef::new((&raw const self.name).cast(), &raw const self.ktype) }
    }
}

/// Returns the lower device that an object is part of.
///
/// # Safety
///
/// The object must be part of a [`Lower<T>`].
unsafe fn to_lower<T: Master>(kobj: *mut bindings::kobject) -> *mut Lower<T> {
    // SAFETY: The caller guarantees that the object is part of a `Lower<T>`; `Object` is
    // transparent.
    unsafe { kernel::container_of!(kobj.cast::<Object>(), Lower<T>, object) }
}

/// Has the lower device freed when the last reference to its object is gone.
///
/// # Safety
///
/// The object must be part of a [`Lower<T>`], and its last reference must be gone.
unsafe extern "C" fn lower_release<T: Master>(kobj: *mut bindings::kobject) {
    // SAFETY: The object belongs to a `LowerDir<T, _, _>`, as only the objects of a `Lower<T>` do.
    // Its last reference is gone.
    unsafe { free_later(to_lower::<T>(kobj)) };
}

/// Shows a file of a lower device.
///
/// # Safety
///
/// The file must belong to a [`LowerDir<T, F, _>`](LowerDir), and must not be removed before this
/// returns. `buf` must be a page.
unsafe extern "C" fn lower_show<T: Master, F: LowerFiles<T>>(
    kobj: *mut bindings::kobject,
    attr: *mut bindings::attribute,
    buf: *mut kernel::ffi::c_char,
) -> isize {
    // SAFETY: The file belongs to a `LowerDir<T, F, _>`, which only objects of a `Lower<T>` have.
    // The file is removed after this has returned and before the lower device is freed. The buffer
    // is a page.
    let (lower, id, mut page) =
        unsafe { (&*to_lower::<T>(kobj), id_of(attr), Page::from_raw(buf)) };
    F::show(lower, id, &mut page);
    page.finish()
}
