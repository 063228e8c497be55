// SPDX-License-Identifier: GPL-2.0

//! Files in `/proc/net`.
//!
//! C header: [`include/linux/proc_fs.h`](srctree/include/linux/proc_fs.h)

use super::device::{Dev, Master};
use super::ops::{nothing, Ops, Part};
use super::pernet::{dir, PerNet};
use crate::bindings;
use crate::netdevice::Name;
use crate::rtnl::Rtnl;
use crate::seq_file::Seq;
use core::ptr;
use kernel::error::{code::*, Result};
use kernel::sync::atomic::{Atomic, Relaxed};

/// The file that each device of a driver has in the driver's directory; it has the device's name.
pub trait DeviceFile<T: Master>: 'static {
    /// Shows the file. Must not wait for RTNL, under which the file is removed.
    fn show(dev: &Dev<T>, seq: &mut Seq<'_>);
}

/// Adds the file of a device, in place of the one that it may have. Sleeps.
///
/// The file goes with the device, or by [`unpublish`]. A namespace that is going away takes no more.
///
/// # Errors
///
/// `ENOENT` without a directory; `ENODEV` if the device is not registered, or its driver has no
/// [files](Ops::with_procfs); `ENOMEM` if the file could not be made.
pub fn publish<P: PerNet, F: DeviceFile<P::Driver>>(dev: &Dev<P::Driver>, rtnl: &Rtnl) -> Result {
    unpublish(dev, rtnl);
    let dir = dir::<P>(dev, rtnl).ok_or(ENOENT)?;
    let has_procfs = Ops::<P::Driver>::of_registered().is_some_and(|ops| ops.has_procfs);
    if !has_procfs || !dev.is_registered(rtnl) {
        return Err(ENODEV);
    }
    let name: Name = dev.name();
    // SAFETY: RTNL is held, under which the directory is there; the name ends with a NUL. The device
    // is valid until its `ndo_uninit` has taken the file away, which waits for those who read it.
    let file = unsafe {
        bindings::proc_create_single_data(
            name.as_array().as_ptr().cast(),
            0o444,
            dir.as_ptr(),
            Some(show::<P::Driver, F>),
            dev.as_ptr().cast(),
        )
    };
    if file.is_null() {
        return Err(ENOMEM);
    }
    dev.private().proc_file.store(file, Relaxed);
    Ok(())
}

/// Removes the file of a device, if it has one. Waits until nobody reads it.
pub fn unpublish<T: Master>(dev: &Dev<T>, _rtnl: &Rtnl) {
    remove(&dev.private().proc_file);
}

/// Removes the file that `file` holds, if it holds one.
pub(crate) fn remove(file: &Atomic<*mut bindings::proc_dir_entry>) {
    let file = file.xchg(ptr::null_mut(), Relaxed);
    if !file.is_null() {
        // SAFETY: Created by `publish` and not removed yet: its directory stays until the devices of
        // its namespace have gone.
        unsafe { bindings::proc_remove(file) };
    }
}

/// Shows the file.
///
/// # Safety
///
/// `seq` must be of a file that [`publish`] of the same driver made, which is not removed before this returns.
unsafe extern "C" fn show<T: Master, F: DeviceFile<T>>(
    seq: *mut bindings::seq_file,
    _v: *mut core::ffi::c_void,
) -> i32 {
    // SAFETY: The file belongs to a device of driver `T`, and is not removed before this returns;
    // see `publish`. The `seq_file` is ours during the call.
    let (dev, mut seq) = unsafe {
        (
            Dev::<T>::from_raw((*seq).private.cast()),
            Seq::from_raw(seq),
        )
    };
    F::show(dev, &mut seq);
    0
}

impl<T: Master> Ops<T> {
    /// Has the file of a device go when the device ends.
    pub const fn with_procfs(mut self) -> Self {
        self.has_procfs = true;
        self.with_part(Part {
            before: unpublish::<T>,
            after: nothing::<T>,
        })
    }
}
