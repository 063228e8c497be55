// SPDX-License-Identifier: GPL-2.0

//! What ethtool asks of a device.
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
    /// What stands in the place of a firmware version, cut to 31 bytes.
    const FIRMWARE: &'static str;

    /// Returns speed and duplex of the link. May sleep.
    fn link_settings(dev: &Dev<T>, rtnl: &RtnlOnly) -> LinkSettings;

    /// Tells of the time stamps that the device can make. `info` says so far that it stamps what it
    /// receives in software. No sleeping.
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

/// Tells of the driver.
///
/// # Safety
///
/// `info` must be a zeroed structure that is the caller's.
unsafe extern "C" fn get_drvinfo<T: Master, E: Ethtool<T>>(
    _dev: *mut bindings::net_device,
    info: *mut bindings::ethtool_drvinfo,
) {
    // SAFETY: The caller gives us a zeroed structure.
    let info = unsafe { &mut *info };
    // The last byte stays zero.
    for (to, from) in info.driver.iter_mut().take(31).zip(E::DRIVER.bytes()) {
        *to = from;
    }
    for (to, from) in info.fw_version.iter_mut().take(31).zip(E::FIRMWARE.bytes()) {
        *to = from;
    }
}

/// Tells of the link.
///
/// # Safety
///
/// `dev` must be a device of driver `T` for which `ndo_init` succeeded; RTNL must be held, and no instance lock. `settings` must be a zeroed structure.
unsafe extern "C" fn get_link_ksettings<T: Master, E: Ethtool<T>>(
    dev: *mut bindings::net_device,
    settings: *mut bindings::ethtool_link_ksettings,
) -> i32 {
    // SAFETY: The device is of driver `T` (only its `setup` installs these operations) and
    // registered; RTNL is held.
    let link = unsafe { E::link_settings(Dev::from_raw(dev), RtnlOnly::assume()) };
    // SAFETY: The caller gives us a zeroed structure.
    let base = unsafe { &mut (*settings).base };
    base.speed = link.speed;
    base.duplex = link.duplex;
    base.port = bindings::PORT_OTHER as u8;
    0
}

/// Tells of the time stamps.
///
/// # Safety
///
/// `dev` must be a device of driver `T` for which `ndo_init` succeeded; `info` must be an initialised structure that nobody else uses.
unsafe extern "C" fn get_ts_info<T: Master, E: Ethtool<T>>(
    dev: *mut bindings::net_device,
    info: *mut bindings::kernel_ethtool_ts_info,
) -> i32 {
    let rcu = crate::rcu::read_lock();
    from_result(|| {
        // SAFETY: As above, but for RTNL; the caller gives us an initialised structure.
        let (dev, info) = unsafe { (Dev::from_raw(dev), TimestampInfo::from_raw(info)) };
        E::timestamps(dev, info, &rcu).map(|()| 0)
    })
}
