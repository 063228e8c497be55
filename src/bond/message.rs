// SPDX-License-Identifier: GPL-2.0

//! Messages of the kernel log, and texts of the policy and names of devices in them.
//!
//! All that is printed, traced or noted down goes through [`policy::name::Printable`], so that a name with
//! control characters harms nobody who reads it. `/proc` and sysfs show names as they are, as programs
//! need them.

use core::fmt;
use kernel::prelude::fmt;
use net::netdevice::NetDevice;
use net::printk::{self, Level};
use policy::name::Printable;

/// Prints a slave's name in front of what there is to say of it.
pub(super) struct Of<'a, T>(pub(super) &'a NetDevice, pub(super) T);

impl<T: fmt::Display> kernel::fmt::Display for Of<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "(slave {}): {}", NameOf(self.0), self.1)
    }
}

/// Prints the name of a device.
pub(crate) struct NameOf<'a>(pub(crate) &'a NetDevice);

impl fmt::Display for NameOf<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&Printable(self.0.name().as_bytes()), f)
    }
}

/// Prints what implements the `Display` of `core`.
pub(crate) struct Text<T>(pub(crate) T);

impl<T: fmt::Display> kernel::fmt::Display for Text<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Prints a line about a device, which begins with its name. Any context.
pub(crate) fn print(dev: &NetDevice, level: Level, text: kernel::fmt::Arguments<'_>) {
    let (name, registration) = (Text(NameOf(dev)), dev.registration());
    printk::print(level, fmt!("{}{}: {}", name, registration, Text(text)));
}

/// Prints an informational line about a device: `netdev_info!(dev, "now {}", what)`.
macro_rules! netdev_info {
    ($dev:expr, $($arg:tt)+) => {
        $crate::bond::message::print(
            $dev, ::net::printk::Level::Info, ::kernel::prelude::fmt!($($arg)+),
        )
    };
}

/// Prints a warning about a device.
macro_rules! netdev_warn {
    ($dev:expr, $($arg:tt)+) => {
        $crate::bond::message::print(
            $dev, ::net::printk::Level::Warn, ::kernel::prelude::fmt!($($arg)+),
        )
    };
}

/// Prints an error about a device.
macro_rules! netdev_err {
    ($dev:expr, $($arg:tt)+) => {
        $crate::bond::message::print(
            $dev, ::net::printk::Level::Err, ::kernel::prelude::fmt!($($arg)+),
        )
    };
}

pub(crate) use {netdev_err, netdev_info, netdev_warn};
