// SPDX-License-Identifier: GPL-2.0

//! Sockets whose packets go through a device.
//!
//! C headers: [`include/net/sock.h`](srctree/include/net/sock.h),
//! [`include/net/tls.h`](srctree/include/net/tls.h)

use crate::bindings;
use crate::netdevice::NetDevice;
use crate::rcu::Rcu;
use crate::skbuff::SkBuff;
use kernel::types::Opaque;

/// A socket of TCP or UDP over IP (`struct sock`).
///
/// # Invariants
///
/// The pointee is such a socket, which stays allocated as long as a reference to it is alive.
#[repr(transparent)]
pub struct Socket(Opaque<bindings::sock>);

/// The ends of a socket's flow. Each field has the bytes as they lie in memory, read as a
/// native-endian number. For IPv6, an address is the XOR of its four words.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Ends {
    /// The source address.
    pub src: u32,
    /// The destination address.
    pub dst: u32,
    /// Both ports.
    pub ports: u32,
}

impl Socket {
    /// Returns the ends of the socket's flow.
    pub fn ends(&self) -> Ends {
        let mut ends = Ends {
            src: 0,
            dst: 0,
            ports: 0,
        };
        // SAFETY: The socket is valid (type invariant), and so are the out arguments.
        unsafe {
            bindings::nh_sock_ends(self.0.get(), &mut ends.src, &mut ends.dst, &mut ends.ports)
        };
        ends
    }
}

impl SkBuff {
    /// Returns the device whose hardware encrypts the TLS records of the packet's socket, if there
    /// is one (`tls_is_skb_tx_device_offloaded()`).
    #[inline]
    pub fn tls_device<'a>(&self, _rcu: &'a Rcu) -> Option<&'a NetDevice> {
        // SAFETY: The packet is valid. Before a device goes away, it gives up its TLS sockets, and
        // waits for the readers that have found it through them.
        unsafe {
            let skb = self.as_ptr();
            if (*skb).sk.is_null() {
                return None;
            }
            let dev = bindings::nh_tls_device(skb);
            (!dev.is_null()).then(|| NetDevice::from_raw(dev))
        }
    }
}
