// SPDX-License-Identifier: GPL-2.0

//! What drivers of other devices are asked as ethtool asks them. What ethtool asks a master is in
//! [`master::ethtool`](crate::master::ethtool).
//!
//! C header: [`include/linux/ethtool.h`](srctree/include/linux/ethtool.h)

use crate::bindings;
use crate::netdev_lock::{Askable, OpsGuard};
use crate::netdevice::{LinkSettings, NetDevice};
use kernel::error::{code::*, to_result, Result};

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
        // SAFETY: The device is valid (type invariant), and the place is valid for writes.
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
        // SAFETY: The device is valid (type invariant), and its operations are static. RTNL is held, and the instance
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
            // SAFETY: The device is valid (type invariant), and `keep` has kept its hardware awake.
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
        // SAFETY: The device is valid (type invariant), RTNL and the instance lock are held, and the out arguments are
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
