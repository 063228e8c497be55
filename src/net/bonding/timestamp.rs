// SPDX-License-Identifier: GPL-2.0

//! Hardware timestamps of a bond: those of one slave. The clock may change to that of another
//! slave.
//!
//! C header: [`include/linux/net_tstamp.h`](srctree/include/linux/net_tstamp.h)

use crate::bindings;
use crate::errno::eopnotsupp;
use crate::master::device::{Dev, Lower, Master};
use crate::master::ops::Ops;
use crate::netdevice::NetDevice;
use crate::rtnl::Rtnl;
use kernel::error::{from_result, to_result, Result};

/// A driver whose devices have the timestamps of a lower device.
pub trait Timestamps: Master {
    /// Returns the lower device whose hardware timestamps are the device's (`ndo_hwtstamp_get`,
    /// `ndo_hwtstamp_set`).
    fn timestamp_lower<'a>(dev: &'a Dev<Self>, rtnl: &'a Rtnl) -> Option<&'a Lower<Self>>;
}

impl<T: Timestamps> Ops<T> {
    /// Adds hardware timestamps.
    pub const fn with_timestamps(mut self) -> Self {
        self.netdev.ndo_hwtstamp_get = Some(ndo_hwtstamp_get::<T>);
        self.netdev.ndo_hwtstamp_set = Some(ndo_hwtstamp_set::<T>);
        self
    }
}

/// A device whose hardware was woken up, since timestamps are configured in the hardware. It may
/// sleep again when this is dropped.
struct Woken<'a>(&'a NetDevice);

impl<'a> Woken<'a> {
    fn new(dev: &'a NetDevice) -> Self {
        // SAFETY: The device is valid (type invariant).
        unsafe { bindings::nh_wake(dev.as_ptr()) };
        Woken(dev)
    }
}

impl Drop for Woken<'_> {
    fn drop(&mut self) {
        // SAFETY: The device is valid (type invariant), and `new` woke up its hardware.
        unsafe { bindings::nh_let_sleep(self.0.as_ptr()) };
    }
}

// The callbacks. The caller holds RTNL, `dev` is a device of driver `T`, and `config` is valid
// during the call.

/// Reports how the lower device makes timestamps.
///
/// # Safety
///
/// `dev` must be a device of driver `T` for which `ndo_init` has succeeded. The caller must hold
/// RTNL. `config` must be valid for reads and writes.
unsafe extern "C" fn ndo_hwtstamp_get<T: Timestamps>(
    dev: *mut bindings::net_device,
    config: *mut bindings::kernel_hwtstamp_config,
) -> i32 {
    from_result(|| {
        // SAFETY: The caller passes an initialised device of driver `T` and holds RTNL.
        let (dev, rtnl) = unsafe { (Dev::<T>::from_raw(dev), Rtnl::assume()) };
        let lower = Woken::new(stamping(dev, rtnl)?);
        // SAFETY: The device is valid (type invariant). Its instance lock is not held: the request
        // is not for this device, but for its master.
        to_result(unsafe { bindings::generic_hwtstamp_get_lower(lower.0.as_ptr(), config) })?;
        // SAFETY: The caller guarantees that `config` is valid for reads and writes.
        to_result(unsafe { bindings::nh_hwtstamp_of_lower(config) }).map(|()| 0)
    })
}

/// Configures how the lower device makes timestamps.
///
/// # Safety
///
/// `dev` must be a device of driver `T` for which `ndo_init` has succeeded. The caller must hold
/// RTNL. `config` must be valid for reads and writes; `extack` must be valid or NULL.
unsafe extern "C" fn ndo_hwtstamp_set<T: Timestamps>(
    dev: *mut bindings::net_device,
    config: *mut bindings::kernel_hwtstamp_config,
    extack: *mut bindings::netlink_ext_ack,
) -> i32 {
    from_result(|| {
        // Whoever configures timestamps has to know that the clock is a different one after a
        // failover.
        // SAFETY: The caller guarantees that `config` is valid for reads.
        let flags = unsafe { (*config).flags } as u32;
        if flags & bindings::hwtstamp_flags_HWTSTAMP_FLAG_BONDED_PHC_INDEX == 0 {
            return Err(eopnotsupp());
        }
        // SAFETY: The caller passes an initialised device of driver `T` and holds RTNL.
        let (dev, rtnl) = unsafe { (Dev::<T>::from_raw(dev), Rtnl::assume()) };
        let lower = Woken::new(stamping(dev, rtnl)?);
        // SAFETY: As in `ndo_hwtstamp_get`.
        to_result(unsafe {
            bindings::generic_hwtstamp_set_lower(lower.0.as_ptr(), config, extack)
        })?;
        // SAFETY: The caller guarantees that `config` is valid for reads and writes.
        to_result(unsafe { bindings::nh_hwtstamp_of_lower(config) }).map(|()| 0)
    })
}

fn stamping<'a, T: Timestamps>(dev: &'a Dev<T>, rtnl: &'a Rtnl) -> Result<&'a NetDevice> {
    T::timestamp_lower(dev, rtnl)
        .map(Lower::dev)
        .ok_or_else(eopnotsupp)
}
