// SPDX-License-Identifier: GPL-2.0

//! Messages in the kernel log, in the style that log parsers know: first the name of the bond, then
//! that of the slave.
//!
//! Everything that is printed, traced or recorded goes through [`policy::name::Printable`], so that
//! a name with control characters cannot harm anybody who reads it. `/proc` and sysfs show names
//! unchanged, because programs need them that way.

use core::fmt;
use kernel::prelude::fmt;
use net::netdevice::NetDevice;
use net::printk::{self, Level};
use policy::name::Printable;

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

/// Prints a line about a bond. Any context.
pub(crate) fn print(bond: &NetDevice, level: Level, text: fmt::Arguments<'_>) {
    let (name, registration) = (Text(NameOf(bond)), bond.registration());
    printk::print(level, fmt!("{}{}: {}", name, registration, Text(text)));
}

/// Prints a line about a slave, or a device that is about to be one. Any context.
pub(super) fn print_of(
    bond: &NetDevice,
    slave: &NetDevice,
    level: Level,
    text: fmt::Arguments<'_>,
) {
    print(
        bond,
        level,
        format_args!("(slave {}): {text}", NameOf(slave)),
    );
}

/// Prints an informational line about a bond: `bond_info!(bond, "now {what}")`.
macro_rules! bond_info {
    ($bond:expr, $($arg:tt)+) => {
        $crate::bond::message::print($bond, ::net::printk::Level::Info, ::core::format_args!($($arg)+))
    };
}

/// Prints a warning about a bond.
macro_rules! bond_warn {
    ($bond:expr, $($arg:tt)+) => {
        $crate::bond::message::print($bond, ::net::printk::Level::Warn, ::core::format_args!($($arg)+))
    };
}

/// Prints an error about a bond.
macro_rules! bond_err {
    ($bond:expr, $($arg:tt)+) => {
        $crate::bond::message::print($bond, ::net::printk::Level::Err, ::core::format_args!($($arg)+))
    };
}

/// Prints an informational line about a slave: `slave_info!(bond, slave_dev, "now {what}")`.
macro_rules! slave_info {
    ($bond:expr, $slave:expr, $($arg:tt)+) => {
        $crate::bond::message::print_of(
            $bond, $slave, ::net::printk::Level::Info, ::core::format_args!($($arg)+),
        )
    };
}

/// Prints a warning about a slave.
macro_rules! slave_warn {
    ($bond:expr, $slave:expr, $($arg:tt)+) => {
        $crate::bond::message::print_of(
            $bond, $slave, ::net::printk::Level::Warn, ::core::format_args!($($arg)+),
        )
    };
}

/// Prints an error about a slave.
macro_rules! slave_err {
    ($bond:expr, $slave:expr, $($arg:tt)+) => {
        $crate::bond::message::print_of(
            $bond, $slave, ::net::printk::Level::Err, ::core::format_args!($($arg)+),
        )
    };
}

pub(crate) use {bond_err, bond_warn};
pub(super) use {bond_info, slave_err, slave_info, slave_warn};
