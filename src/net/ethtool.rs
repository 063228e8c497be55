// SPDX-License-Identifier: GPL-2.0

//! What ethtool asks of a device, and what drivers of other devices are asked in the same way.
//!
//! C header: [`include/linux/ethtool.h`](srctree/include/linux/ethtool.h)

use crate::bindings;
use crate::device::{Dev, Master, Ops};
use crate::netdev_lock::{Askable, OpsGuard};
use crate::netdevice::{LinkSettings, NetDevice};
use crate::rcu::Rcu;
use crate::rtnl::RtnlOnly;
use crate::timestamp::TimestampInfo;
use kernel::error::{code::*, from_result, to_result, Result};

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

/// What a driver says when it is asked.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Answer<T> {
    /// This.
    Told(T),
    /// It cannot be asked now: its hardware sleeps, or it refuses.
    NotNow,
    /// It knows nothing of what was asked for.
    Never,
}

/// The hardware of a device that is awake, and does not fall asleep until this is dropped; the device's
/// instance lock is held where there is one.
///
/// As ethtool does it, but what sleeps is not woken: who asks again and again would never let it sleep,
/// and an event may be one of a driver that is just about to wake its hardware.
pub(crate) struct Awake<'a> {
    lock: OpsGuard<'a>,
    held: bool,
}

impl<'a> Awake<'a> {
    /// Takes the instance lock, where that is to be taken, and keeps the hardware awake. May sleep.
    ///
    /// # Errors
    ///
    /// `EAGAIN` if the hardware sleeps.
    pub(crate) fn keep(dev: &Askable<'a>) -> Result<Self> {
        let mut this = Awake {
            lock: dev.lock(),
            held: false,
        };
        // SAFETY: The device is allocated, and the place is valid for writes.
        to_result(unsafe { bindings::nh_keep_awake(dev.dev().as_ptr(), &mut this.held) })?;
        Ok(this)
    }

    /// Tells the driver that it will be asked through ethtool. May sleep.
    ///
    /// # Errors
    ///
    /// `ENODEV` if the device is not there, or what the driver answers.
    pub(crate) fn begin(&self) -> Result<Asked<'_>> {
        let device = self.lock.dev();
        if !device.is_present() {
            return Err(ENODEV);
        }
        // SAFETY: The device is allocated, and its operations are static. RTNL is held, and the instance
        // lock by those drivers that want it; the hardware is awake.
        unsafe {
            let dev = device.as_ptr();
            if let Some(begin) = (*dev).ethtool_ops.as_ref().and_then(|ops| ops.begin) {
                to_result(begin(dev))?;
            }
        }
        Ok(Asked(device))
    }
}

impl Drop for Awake<'_> {
    fn drop(&mut self) {
        if self.held {
            // SAFETY: The device is allocated, and `keep` has kept its hardware awake.
            unsafe { bindings::nh_let_sleep(self.lock.dev().as_ptr()) };
        }
    }
}

/// A device whose driver was told that it will be asked, and is told when this is dropped that it was.
pub(crate) struct Asked<'a>(&'a NetDevice);

impl Asked<'_> {
    pub(crate) fn as_ptr(&self) -> *mut bindings::net_device {
        self.0.as_ptr()
    }
}

impl Drop for Asked<'_> {
    fn drop(&mut self) {
        let dev = self.as_ptr();
        // SAFETY: As in `Awake::begin`, which has told the driver; what keeps the hardware awake is
        // borrowed by us.
        unsafe {
            if let Some(complete) = (*dev).ethtool_ops.as_ref().and_then(|ops| ops.complete) {
                complete(dev);
            }
        }
    }
}

impl Askable<'_> {
    /// Asks the driver for speed and duplex. May sleep.
    pub fn link_settings(&self) -> Answer<LinkSettings> {
        let Ok(awake) = Awake::keep(self) else {
            return Answer::NotNow;
        };
        if !self.dev().is_present() {
            return Answer::Never;
        }
        let Ok(asked) = awake.begin() else {
            return Answer::NotNow;
        };
        let mut settings = LinkSettings {
            speed: u32::MAX,
            duplex: u8::MAX,
        };
        // SAFETY: The device is allocated, RTNL and the instance lock are held, and the out arguments are
        // valid.
        let res = to_result(unsafe {
            bindings::nh_link_settings(asked.as_ptr(), &mut settings.speed, &mut settings.duplex)
        });
        match res {
            Ok(()) => Answer::Told(settings),
            Err(_) => Answer::Never,
        }
    }
}

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
