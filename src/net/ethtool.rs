// SPDX-License-Identifier: GPL-2.0

//! Questions to the drivers of other devices, asked as ethtool asks them. What ethtool asks a
//! master is in [`master::ethtool`](crate::master::ethtool).
//!
//! C header: [`include/linux/ethtool.h`](srctree/include/linux/ethtool.h)

use crate::bindings;
use crate::netdev_lock::{Askable, OpsGuard};
use crate::netdevice::{LinkSettings, NetDevice};
use kernel::error::{code::*, to_result, Result};

/// A driver's answer to a question.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Answer<T> {
    /// The driver's answer.
    Told(T),
    /// The driver cannot be asked now: its hardware sleeps, or it refuses.
    NotNow,
    /// The driver knows nothing about what was asked.
    Never,
}

/// The hardware of a device, which is awake and does not fall asleep until this is dropped. The
/// device's instance lock is held, if it has one.
///
/// This is what ethtool does, except that hardware that sleeps is not woken: a caller that asks
/// again and again would never let it sleep, and an event may come from a driver that is just about
/// to wake its hardware.
pub(crate) struct Awake<'a> {
    lock: OpsGuard<'a>,
    held: bool,
}

impl<'a> Awake<'a> {
    /// Takes the instance lock where necessary, and keeps the hardware awake. May sleep.
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
    /// `ENODEV` if the device is not present, or the error that the driver returns.
    pub(crate) fn begin(&self) -> Result<Asked<'_>> {
        let device = self.lock.dev();
        if !device.is_present() {
            return Err(ENODEV);
        }
        // SAFETY: The device is valid (type invariant), and its operations are static. RTNL is
        // held, and so is the instance lock if the driver wants it; the hardware is awake.
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
            // SAFETY: The device is valid (type invariant), and `held` says that `keep` has kept
            // its hardware awake.
            unsafe { bindings::nh_let_sleep(self.lock.dev().as_ptr()) };
        }
    }
}

/// A device whose driver was told that it will be asked (`begin`). Dropping this tells the driver
/// that the questions are over (`complete`).
pub(crate) struct Asked<'a>(&'a NetDevice);

impl Asked<'_> {
    pub(crate) fn as_ptr(&self) -> *mut bindings::net_device {
        self.0.as_ptr()
    }
}

impl Drop for Asked<'_> {
    fn drop(&mut self) {
        let dev = self.as_ptr();
        // SAFETY: As in `Awake::begin`, which has told the driver. We borrow the `Awake`, which
        // keeps the hardware awake.
        unsafe {
            if let Some(complete) = (*dev).ethtool_ops.as_ref().and_then(|ops| ops.complete) {
                complete(dev);
            }
        }
    }
}

impl Askable<'_> {
    /// Asks the driver for the speed and duplex of the link. May sleep.
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
        // SAFETY: The device is valid (type invariant), RTNL and the instance lock are held, and
        // the out arguments are valid.
        let res = to_result(unsafe {
            bindings::nh_link_settings(asked.as_ptr(), &mut settings.speed, &mut settings.duplex)
        });
        match res {
            Ok(()) => Answer::Told(settings),
            Err(_) => Answer::Never,
        }
    }
}
