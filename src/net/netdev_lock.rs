// SPDX-License-Identifier: GPL-2.0

//! The instance lock of a network device, in types.
//!
//! C header: [`include/net/netdev_lock.h`](srctree/include/net/netdev_lock.h)
//!
//! If a driver asks for it, its operations are called under the instance lock of the device, which
//! is taken after RTNL. The core takes the lock in `dev_open()`, `dev_set_mtu()` and the like, and
//! holds it while it notifies listeners of events of the device: a listener that changed the device
//! then would deadlock. So the functions that take an instance lock ask for [`RtnlOnly`], and a
//! listener gets [`Held`], which has such a proof only if no instance lock is held.
//!
//! ```ignore
//! # use net::netdev_lock::Held;
//! # use net::netdevice::NetDevice;
//! /// Returns whether this could be done at once.
//! fn shrink(dev: &NetDevice, held: &Held<'_>) -> Result<bool> {
//!     match held.rtnl_only() {
//!         Some(rtnl) => dev.set_mtu(rtnl, 1280).map(|()| true),
//!         None => Ok(false),
//!     }
//! }
//! ```

use crate::bindings;
use crate::netdevice::NetDevice;
use crate::rtnl::{Rtnl, RtnlOnly};
use core::ops::Deref;

/// RTNL, and the instance locks that the caller may hold.
#[derive(Clone, Copy)]
pub struct Held<'a> {
    locks: Locks<'a>,
    rtnl: &'a Rtnl,
}

#[derive(Clone, Copy)]
enum Locks<'a> {
    None(&'a RtnlOnly),
    /// The instance lock of this device.
    Of(&'a NetDevice),
    /// This device was closed. Its lock is held, or was until a moment ago, and so are the locks of
    /// all devices that are closed together with it. All of these devices have stopped running.
    Closing(&'a NetDevice),
}

impl Deref for Held<'_> {
    type Target = Rtnl;

    fn deref(&self) -> &Rtnl {
        self.rtnl
    }
}

impl<'a> Held<'a> {
    /// States that no instance lock is held.
    pub fn none(rtnl: &'a RtnlOnly) -> Self {
        Held {
            locks: Locks::None(rtnl),
            rtnl,
        }
    }

    /// States what a listener holds in an event of `dev`, other than the events of its end.
    ///
    /// # Safety
    ///
    /// The current thread must hold RTNL for all of `'a`, and no instance lock but that of `dev`.
    pub(crate) unsafe fn in_event_of(dev: &'a NetDevice) -> Self {
        if !dev.needs_ops_lock() {
            // SAFETY: By the caller's promise, no other instance lock is held, and `dev` has none.
            return Held::none(unsafe { RtnlOnly::assume() });
        }
        // SAFETY: By the caller's promise.
        let rtnl = unsafe { Rtnl::assume() };
        let locks = Locks::Of(dev);
        Held { locks, rtnl }
    }

    /// States what a listener holds when it is told that `dev` was closed.
    ///
    /// # Safety
    ///
    /// The current thread must hold RTNL for all of `'a`, and no instance locks but those of
    /// devices that were closed together with `dev`. It must hold none if `dev` has none
    /// (`unregister_netdevice_many()` closes devices without an instance lock separately).
    pub(crate) unsafe fn when_closed(dev: &'a NetDevice) -> Self {
        // SAFETY: By the caller's promise, RTNL is held, and no instance lock is if `dev` has none.
        // If `dev` has one, `Locks::Of` is replaced below.
        let held = unsafe { Held::in_event_of(dev) };
        match held.locks {
            Locks::None(_) => held,
            _ => Held {
                locks: Locks::Closing(dev),
                ..held
            },
        }
    }

    /// Returns the proof that no instance lock is held, if none is.
    pub fn rtnl_only(&self) -> Option<&'a RtnlOnly> {
        match self.locks {
            Locks::None(rtnl) => Some(rtnl),
            Locks::Of(_) | Locks::Closing(_) => None,
        }
    }

    /// Returns `dev` as a device whose driver can be asked. Returns `None` if it may be one of the
    /// devices that were just closed.
    pub fn ask(&self, dev: &'a NetDevice) -> Option<Askable<'a>> {
        let is_held = match self.locks {
            Locks::None(_) => false,
            Locks::Of(device) => device == dev,
            Locks::Closing(device) if device == dev => return None,
            Locks::Closing(_) if dev.needs_ops_lock() && !dev.is_running() => return None,
            Locks::Closing(_) => false,
        };
        Some(Askable { dev, is_held })
    }
}

/// A device whose driver can be asked: RTNL is held, and the instance lock of the device is either
/// held by the caller or free.
#[derive(Clone, Copy)]
pub struct Askable<'a> {
    dev: &'a NetDevice,
    is_held: bool,
}

impl<'a> Askable<'a> {
    /// Returns the device.
    pub fn dev(&self) -> &'a NetDevice {
        self.dev
    }

    /// Takes the instance lock, unless the caller holds it. May sleep.
    pub(crate) fn lock(&self) -> OpsGuard<'a> {
        if !self.is_held {
            // SAFETY: The device is valid (type invariant), and the caller does not hold the lock.
            unsafe { bindings::nh_lock_ops(self.dev.as_ptr()) };
        }
        OpsGuard(*self)
    }
}

/// The instance lock of a device, which is held as long as this exists.
pub(crate) struct OpsGuard<'a>(Askable<'a>);

impl<'a> OpsGuard<'a> {
    pub(crate) fn dev(&self) -> &'a NetDevice {
        self.0.dev
    }
}

impl Drop for OpsGuard<'_> {
    fn drop(&mut self) {
        if !self.0.is_held {
            // SAFETY: `Askable::lock` has taken the lock.
            unsafe { bindings::nh_unlock_ops(self.0.dev.as_ptr()) };
        }
    }
}

impl NetDevice {
    /// Returns the device as one whose driver can be asked.
    pub fn ask<'a>(&'a self, _rtnl: &'a RtnlOnly) -> Askable<'a> {
        Askable {
            dev: self,
            is_held: false,
        }
    }

    /// Returns whether operations of the device run under its instance lock
    /// (`netdev_need_ops_lock()`).
    fn needs_ops_lock(&self) -> bool {
        // SAFETY: The device is valid (type invariant); its operations are static.
        unsafe { bindings::nh_needs_ops_lock(self.as_ptr()) }
    }
}
