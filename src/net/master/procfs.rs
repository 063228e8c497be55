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

/// The file of each device of a driver, in the driver's directory. It has the device's name.
pub trait DeviceFile<T: Master>: 'static {
    /// Shows the file. Must not wait for RTNL: the file is removed under RTNL.
    fn show(dev: &Dev<T>, seq: &mut Seq<'_>);
}

/// Adds the file of a device, in place of one that the device may already have. Sleeps.
///
/// The file is removed together with the device, or by [`unpublish`]. A namespace that is going
/// away takes no more files.
///
/// # Errors
///
/// `ENOENT` if there is no directory; `ENODEV` if the device is not registered, or its driver has
/// no [files](Ops::with_procfs); `ENOMEM` if the file could not be made.
pub fn publish<P: PerNet, F: DeviceFile<P::Driver>>(dev: &Dev<P::Driver>, rtnl: &Rtnl) -> Result {
    unpublish(dev, rtnl);
    let dir = dir::<P>(dev, rtnl).ok_or(ENOENT)?;
    let has_procfs = Ops::<P::Driver>::of_registered().is_some_and(|ops| ops.has_procfs);
    if !has_procfs || !dev.is_registered(rtnl) {
        return Err(ENODEV);
    }
    let name: Name = dev.name();
    // SAFETY: RTNL is held, so the directory stays; the name ends with a NUL. The device is valid
    // until its `ndo_uninit` has removed the file, which waits for those who read it.
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

/// Removes the file of a device, if it has one. Waits until nobody reads the file any more.
pub fn unpublish<T: Master>(dev: &Dev<T>, _rtnl: &Rtnl) {
    remove(&dev.private().proc_file);
}

/// Removes the file that `file` points to, if there is one.
pub(crate) fn remove(file: &Atomic<*mut bindings::proc_dir_entry>) {
    let file = file.xchg(ptr::null_mut(), Relaxed);
    if !file.is_null() {
        // SAFETY: `publish` created the file, and it has not been removed yet: its directory stays
        // until the devices of its namespace are gone.
        unsafe { bindings::proc_remove(file) };
    }
}

/// Shows the file.
///
/// # Safety
///
/// `seq` must belong to a file that [`publish`] of the same driver made, and that is not removed
/// before this returns.
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
    /// Has the file of a device removed when the device is torn down.
    pub const fn with_procfs(mut self) -> Self {
        self.has_procfs = true;
        self.with_part(Part {
            before: unpublish::<T>,
            after: nothing::<T>,
        })
    }
}
