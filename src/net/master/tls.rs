// SPDX-License-Identifier: GPL-2.0

//! TLS in the hardware of lower devices: one device encrypts the records of a socket.
//!
//! C header: [`include/linux/netdevice.h`](srctree/include/linux/netdevice.h)
//! (`ndo_sk_get_lower_dev`)

use super::device::{Dev, Lower, Master};
use super::ops::Ops;
use crate::bindings;
use crate::rcu::Rcu;
use crate::sock::Socket;
use core::ptr;

/// A driver that knows through which lower device the packets of a socket leave.
pub trait TlsMaster: Master {
    /// Returns the lower device through which all packets of a socket leave, if it is always the
    /// same one (`ndo_sk_get_lower_dev`).
    fn socket_lower<'a>(
        dev: &'a Dev<Self>,
        socket: &Socket,
        rcu: &'a Rcu,
    ) -> Option<&'a Lower<Self>>;
}

impl<T: TlsMaster> Ops<T> {
    /// Adds TLS in hardware.
    pub const fn with_tls(mut self) -> Self {
        self.netdev.ndo_sk_get_lower_dev = Some(ndo_sk_get_lower_dev::<T>);
        self
    }
}

/// Returns the lower device through which all packets of a socket leave. Not all callers are in an
/// RCU read-side section.
///
/// # Safety
///
/// `dev` must be a device of driver `T` for which `ndo_init` has succeeded. `sk` must be a TCP or
/// UDP socket.
unsafe extern "C" fn ndo_sk_get_lower_dev<T: TlsMaster>(
    dev: *mut bindings::net_device,
    sk: *mut bindings::sock,
) -> *mut bindings::net_device {
    let rcu = crate::rcu::read_lock();
    // SAFETY: The caller passes an initialised device of driver `T`; the socket is valid during the
    // call.
    let (dev, socket) = unsafe { (Dev::<T>::from_raw(dev), &*sk.cast::<Socket>()) };
    T::socket_lower(dev, socket, &rcu).map_or(ptr::null_mut(), |lower| lower.dev().as_ptr())
}
