// SPDX-License-Identifier: GPL-2.0

//! The end of the machine's run: reboot, power off, halt, `kexec`.
//!
//! C header: [`include/linux/platform_device.h`](srctree/include/linux/platform_device.h)
//!
//! The kernel shuts devices down in the reverse order of their registration. A platform device
//! stands for the driver here, so its turn comes after that of whatever was set up over its network,
//! such as an iSCSI disk whose cache is still to be written, and before that of the network hardware,
//! unless the hardware was plugged in after the module was loaded. A reboot notifier would be called
//! before all of them.

use crate::bindings;
use core::marker::PhantomData;
use kernel::error::{from_err_ptr, Result};
use kernel::prelude::*;

/// Whoever wants to know.
pub trait Listener: 'static {
    /// The machine is about to stop, and does not go on. May sleep; no lock is held.
    fn stops();
}

/// A listener, which stays registered until this is dropped.
///
/// # Invariants
///
/// `nh_shutdown_register()` has returned the pointer, which was not unregistered yet.
pub struct Registration<L: Listener> {
    shutdown: *mut bindings::nh_shutdown,
    _listener: PhantomData<fn(L)>,
}

// SAFETY: The listener may be unregistered from any thread.
unsafe impl<L: Listener> Send for Registration<L> {}
// SAFETY: A shared reference gives access to nothing.
unsafe impl<L: Listener> Sync for Registration<L> {}

impl<L: Listener> Registration<L> {
    /// Registers the listener. `name` is that of the platform device, and of its driver. Sleeps.
    ///
    /// # Errors
    ///
    /// `ENOMEM`; `EEXIST` or `EBUSY` if the name is taken.
    pub fn new(name: &'static CStr) -> Result<Self> {
        // SAFETY: The name ends with a NUL, and is static, and so is the function.
        let shutdown =
            unsafe { bindings::nh_shutdown_register(name.as_char_ptr(), Some(call::<L>)) };
        // INVARIANT: The pointer was just returned, unless it stands for an error.
        Ok(Self {
            shutdown: from_err_ptr(shutdown)?,
            _listener: PhantomData,
        })
    }
}

impl<L: Listener> Drop for Registration<L> {
    fn drop(&mut self) {
        // SAFETY: By the type invariant; the pointer is not used any more.
        unsafe { bindings::nh_shutdown_unregister(self.shutdown) };
    }
}

/// Tells the listener.
///
/// # Safety
///
/// Process context, with no lock that a listener may take.
unsafe extern "C" fn call<L: Listener>() {
    L::stops();
}
