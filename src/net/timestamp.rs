// SPDX-License-Identifier: GPL-2.0

//! Time stamps that devices give to packets.
//!
//! C headers: [`include/linux/net_tstamp.h`](srctree/include/linux/net_tstamp.h),
//! [`include/linux/ethtool.h`](srctree/include/linux/ethtool.h)

use crate::bindings;
use crate::device::{Dev, Master};
use crate::errno::eopnotsupp;
use crate::lower::Lower;
use crate::netdevice::NetDevice;
use crate::rcu::Rcu;
use crate::rtnl::Rtnl;
use kernel::error::{code::*, from_result, to_result, Result};

/// The time stamps that a device can make (`struct kernel_ethtool_ts_info`).
#[repr(transparent)]
pub struct TimestampInfo(bindings::kernel_ethtool_ts_info);

impl TimestampInfo {
    /// Makes a reference from a C pointer.
    ///
    /// # Safety
    ///
    /// `info` must point to an initialised structure that nobody else uses during `'a`.
    pub(crate) unsafe fn from_raw<'a>(
        info: *mut bindings::kernel_ethtool_ts_info,
    ) -> &'a mut TimestampInfo {
        // SAFETY: By the caller's promise; the type is transparent.
        unsafe { &mut *info.cast() }
    }

    /// Makes one that says nothing yet.
    pub fn new() -> TimestampInfo {
        TimestampInfo(pin_init::zeroed())
    }

    /// Returns whether the device stamps in software what it sends.
    pub fn stamps_sent(&self) -> bool {
        self.0.so_timestamping & bindings::SOF_TIMESTAMPING_TX_SOFTWARE != 0
    }

    /// Says that the device stamps in software what it sends.
    pub fn set_stamps_sent(&mut self) {
        self.0.so_timestamping |= bindings::SOF_TIMESTAMPING_TX_SOFTWARE;
    }
}

impl Default for TimestampInfo {
    fn default() -> Self {
        Self::new()
    }
}

impl NetDevice {
    /// Asks the driver which time stamps it can make, which it knows without its hardware. No sleeping.
    ///
    /// # Errors
    ///
    /// `ENODEV` if the device is not there, or what the driver answers.
    pub fn timestamps(&self, _rcu: &Rcu, info: &mut TimestampInfo) -> Result {
        if !self.is_present() {
            return Err(ENODEV);
        }
        // SAFETY: The device is allocated, and the structure is valid for writes.
        to_result(unsafe { bindings::ethtool_get_ts_info_by_layer(self.as_ptr(), &mut info.0) })
    }
}

/// A device whose hardware was woken, and may sleep again when this is dropped: who configures time
/// stamps does so in the hardware.
struct Woken<'a>(&'a NetDevice);

impl<'a> Woken<'a> {
    fn new(dev: &'a NetDevice) -> Self {
        // SAFETY: The device is allocated.
        unsafe { bindings::nh_wake(dev.as_ptr()) };
        Woken(dev)
    }
}

impl Drop for Woken<'_> {
    fn drop(&mut self) {
        // SAFETY: The device is allocated, and `new` has woken its hardware.
        unsafe { bindings::nh_let_sleep(self.0.as_ptr()) };
    }
}

// The callbacks. RTNL is held, `dev` is a device of driver `T`, and `config` is valid during the call.

pub(crate) unsafe extern "C" fn ndo_hwtstamp_get<T: Master>(
    dev: *mut bindings::net_device,
    config: *mut bindings::kernel_hwtstamp_config,
) -> i32 {
    from_result(|| {
        // SAFETY: See above.
        let (dev, rtnl) = unsafe { (Dev::<T>::from_raw(dev), Rtnl::assume()) };
        let lower = Woken::new(stamping(dev, rtnl)?);
        // SAFETY: The device is allocated; its instance lock is not held: it is not the one that
        // was asked.
        to_result(unsafe { bindings::generic_hwtstamp_get_lower(lower.0.as_ptr(), config) })?;
        // SAFETY: See above.
        to_result(unsafe { bindings::nh_hwtstamp_of_lower(config) }).map(|()| 0)
    })
}

pub(crate) unsafe extern "C" fn ndo_hwtstamp_set<T: Master>(
    dev: *mut bindings::net_device,
    config: *mut bindings::kernel_hwtstamp_config,
    extack: *mut bindings::netlink_ext_ack,
) -> i32 {
    from_result(|| {
        // Who sets it has to know that the clock is another one after a failover.
        // SAFETY: See above.
        let flags = unsafe { (*config).flags } as u32;
        if flags & bindings::hwtstamp_flags_HWTSTAMP_FLAG_BONDED_PHC_INDEX == 0 {
            return Err(eopnotsupp());
        }
        // SAFETY: See above.
        let (dev, rtnl) = unsafe { (Dev::<T>::from_raw(dev), Rtnl::assume()) };
        let lower = Woken::new(stamping(dev, rtnl)?);
        // SAFETY: As in `ndo_hwtstamp_get`.
        to_result(unsafe {
            bindings::generic_hwtstamp_set_lower(lower.0.as_ptr(), config, extack)
        })?;
        // SAFETY: See above.
        to_result(unsafe { bindings::nh_hwtstamp_of_lower(config) }).map(|()| 0)
    })
}

fn stamping<'a, T: Master>(dev: &'a Dev<T>, rtnl: &'a Rtnl) -> Result<&'a NetDevice> {
    T::timestamp_lower(dev, rtnl)
        .map(Lower::dev)
        .ok_or_else(eopnotsupp)
}
