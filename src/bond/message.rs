// SPDX-License-Identifier: GPL-2.0

//! Texts of the policy, and names of slaves, in messages of the kernel log.

use core::fmt;
use net::netdevice::NetDevice;

/// Prints a text with a slave's name in front.
pub(super) struct Of<'a, T>(pub(super) &'a NetDevice, pub(super) T);

impl<T: fmt::Display> kernel::fmt::Display for Of<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "(slave {}): {}", self.0.name(), self.1)
    }
}

/// Prints what implements the `Display` of `core`.
pub(crate) struct Text<T>(pub(crate) T);

impl<T: fmt::Display> kernel::fmt::Display for Text<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
