// SPDX-License-Identifier: GPL-2.0

//! What bridges know.
//!
//! C header: [`include/net/switchdev.h`](srctree/include/net/switchdev.h)

use crate::bindings;
use crate::netdevice::NetDevice;
use crate::rtnl::RtnlOnly;
use core::ffi::c_void;
use kernel::error::{to_result, Result};

/// A station that a bridge knows.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Station {
    /// Its hardware address.
    pub addr: [u8; 6],
    /// The protocol (`ETH_P_8021Q`) and the id of the VLAN tag that its frames have on the port.
    pub tag: Option<(u16, u16)>,
}

/// Calls a function, which must not sleep, with each station that a bridge knows behind ports other
/// than `port`, whose frames may leave through `port`. May sleep.
///
/// # Errors
///
/// `EINVAL` if `port` is not the port of a bridge. `EOPNOTSUPP` if the kernel has no switchdev, by
/// which bridges tell. `ENOMEM`.
pub fn each_station<F: FnMut(Station)>(port: &NetDevice, _rtnl: &RtnlOnly, mut call: F) -> Result {
    /// # Safety
    ///
    /// `addr` must point to six bytes, and `context` to an `F` that nobody else uses.
    unsafe extern "C" fn hand<F: FnMut(Station)>(
        context: *mut c_void,
        addr: *const u8,
        proto: u16,
        vid: u16,
    ) {
        // SAFETY: By the caller's promise.
        unsafe {
            let station = Station {
                addr: addr.cast::<[u8; 6]>().read(),
                tag: (proto != 0).then_some((proto, vid)),
            };
            (*context.cast::<F>())(station);
        }
    }
    // SAFETY: The device is valid (type invariant) and RTNL is held. C calls the function with this
    // closure, which lives until the call returns.
    to_result(unsafe {
        bindings::nh_each_station(port.as_ptr(), Some(hand::<F>), (&raw mut call).cast())
    })
}
