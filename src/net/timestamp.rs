// SPDX-License-Identifier: GPL-2.0

//! Time stamps that devices make for packets.
//!
//! C headers: [`include/linux/net_tstamp.h`](srctree/include/linux/net_tstamp.h),
//! [`include/linux/ethtool.h`](srctree/include/linux/ethtool.h)

use crate::bindings;
use crate::netdevice::NetDevice;
use crate::rcu::Rcu;
use kernel::error::{code::*, to_result, Result};

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

    /// Makes a structure that claims no time stamps yet.
    pub fn new() -> TimestampInfo {
        TimestampInfo(pin_init::zeroed())
    }

    /// Returns whether the device makes software time stamps of what it sends.
    pub fn stamps_sent(&self) -> bool {
        self.0.so_timestamping & bindings::SOF_TIMESTAMPING_TX_SOFTWARE != 0
    }

    /// Says that the device makes software time stamps of what it sends.
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
    /// Asks the driver which time stamps the device can make. The driver knows this without asking
    /// the hardware. Does not sleep.
    ///
    /// # Errors
    ///
    /// `ENODEV` if the device is not present, or the error that the driver returns.
    pub fn timestamps(&self, _rcu: &Rcu, info: &mut TimestampInfo) -> Result {
        if !self.is_present() {
            return Err(ENODEV);
        }
        // SAFETY: The device is valid (type invariant), and the structure is valid for writes.
        to_result(unsafe { bindings::ethtool_get_ts_info_by_layer(self.as_ptr(), &mut info.0) })
    }
}
