// SPDX-License-Identifier: GPL-2.0

//! What ethtool asks a device for.
//!
//! C header: [`include/linux/ethtool.h`](srctree/include/linux/ethtool.h)

use super::device::{Dev, Master};
use super::ops::Ops;
use crate::bindings;
use crate::netdevice::LinkSettings;
use crate::rcu::Rcu;
use crate::rtnl::RtnlOnly;
use crate::timestamp::TimestampInfo;
use kernel::error::{from_result, Result};

/// The answers of a driver.
pub trait Ethtool<T: Master>: 'static {
    /// The name of the driver, cut to 31 bytes.
    const DRIVER: &'static str;
    /// The text that is shown as the firmware version, cut to 31 bytes.
    const FIRMWARE: &'static str;

    /// Returns the speed and the duplex mode of the link. May sleep.
    fn link_settings(dev: &Dev<T>, rtnl: &RtnlOnly) -> LinkSettings;

    /// Reports the timestamps that the device can make. On entry, `info` already says that the
    /// device makes software timestamps of what it receives. Must not sleep.
    fn timestamps(dev: &Dev<T>, info: &mut TimestampInfo, rcu: &Rcu) -> Result;
}

impl<T: Master> Ops<T> {
    /// Adds the answers to ethtool.
    pub const fn with_ethtool<E: Ethtool<T>>(mut self) -> Self {
        self.ethtool.get_drvinfo = Some(get_drvinfo::<T, E>);
        self.ethtool.get_link = Some(bindings::ethtool_op_get_link);
        self.ethtool.get_link_ksettings = Some(get_link_ksettings::<T, E>);
        self.ethtool.get_ts_info = Some(get_ts_info::<T, E>);
        self
    }
}

/// Reports the name of the driver and the text for its firmware version.
///
/// # Safety
///
/// `info` must be a zeroed structure that belongs to the caller.
unsafe extern "C" fn get_drvinfo<T: Master, E: Ethtool<T>>(
    _dev: *mut bindings::net_device,
    info: *mut bindings::ethtool_drvinfo,
) {
    // SAFETY: The caller passes a zeroed structure that only it uses.
    let info = unsafe { &mut *info };
    // The last byte of each text stays zero.
    for (to, from) in info.driver.iter_mut().take(31).zip(E::DRIVER.bytes()) {
        *to = from;
    }
    for (to, from) in info.fw_version.iter_mut().take(31).zip(E::FIRMWARE.bytes()) {
        *to = from;
    }
}

/// Reports the settings of the link.
///
/// # Safety
///
/// `dev` must be a device of driver `T` for which `ndo_init` has succeeded. The caller must hold
/// RTNL and no instance lock. `settings` must be a zeroed structure.
unsafe extern "C" fn get_link_ksettings<T: Master, E: Ethtool<T>>(
    dev: *mut bindings::net_device,
    settings: *mut bindings::ethtool_link_ksettings,
) -> i32 {
    // SAFETY: The device is of driver `T` (only its `setup` installs these operations) and
    // initialised; the caller holds RTNL and no instance lock.
    let link = unsafe { E::link_settings(Dev::from_raw(dev), RtnlOnly::assume()) };
    // SAFETY: The caller passes a zeroed structure.
    let base = unsafe { &mut (*settings).base };
    base.speed = link.speed;
    base.duplex = link.duplex;
    base.port = bindings::PORT_OTHER as u8;
    0
}

/// Reports the timestamps that the device can make.
///
/// # Safety
///
/// `dev` must be a device of driver `T` for which `ndo_init` has succeeded; `info` must be an
/// initialised structure that nobody else uses.
unsafe extern "C" fn get_ts_info<T: Master, E: Ethtool<T>>(
    dev: *mut bindings::net_device,
    info: *mut bindings::kernel_ethtool_ts_info,
) -> i32 {
    let rcu = crate::rcu::read_lock();
    from_result(|| {
        // SAFETY: The caller passes an initialised device of driver `T`, and an initialised
        // structure that nobody else uses.
        let (dev, info) = unsafe { (Dev::from_raw(dev), TimestampInfo::from_raw(info)) };
        E::timestamps(dev, info, &rcu).map(|()| 0)
    })
}
