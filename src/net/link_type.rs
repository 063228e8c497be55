// SPDX-License-Identifier: GPL-2.0

//! The properties of a device as a link: type, header, broadcast address. Masters take them over in
//! [`master::link_type`](crate::master::link_type).
//!
//! C header: [`include/linux/netdevice.h`](srctree/include/linux/netdevice.h)

use crate::bindings;
use crate::netdevice::{NetDevice, ARPHRD_ETHER, MAX_ADDR_LEN};
use crate::rtnl::Rtnl;
use crate::shared;

/// The position of the partition in an InfiniBand broadcast address (RFC 4391, 4).
const PARTITION: core::ops::Range<usize> = 8..10;

/// The broadcast address of a link, as it was when it was read. Group addresses may depend on it:
/// those of InfiniBand contain the partition (RFC 4391, 4), and those of GRE the other end of the
/// tunnel.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Broadcast([u8; MAX_ADDR_LEN]);

impl Broadcast {
    /// No broadcast address yet.
    pub const NONE: Broadcast = Broadcast([0; MAX_ADDR_LEN]);

    pub(crate) fn as_bytes(&self) -> &[u8; MAX_ADDR_LEN] {
        &self.0
    }
}

/// The properties of a device as a link: type, lengths, broadcast address, and whether it has
/// headers and is a point-to-point link.
pub struct LinkLayer {
    pub(crate) kind: u16,
    pub(crate) has_header: bool,
    pub(crate) is_pointopoint: bool,
    pub(crate) hard_header_len: u16,
    pub(crate) min_header_len: u8,
    pub(crate) needed_headroom: u16,
    pub(crate) addr_len: u8,
    pub(crate) broadcast: Broadcast,
}

impl LinkLayer {
    /// Returns whether the link is Ethernet.
    pub fn is_ethernet(&self) -> bool {
        self.kind == ARPHRD_ETHER
    }
}

impl NetDevice {
    /// Returns the properties of the device as a link.
    pub fn link_layer(&self, rtnl: &Rtnl) -> LinkLayer {
        let dev = self.as_ptr();
        let broadcast = self.broadcast(rtnl);
        // SAFETY: The device is valid (type invariant), and RTNL protects these fields.
        unsafe {
            LinkLayer {
                kind: (*dev).type_,
                has_header: !(*dev).header_ops.is_null(),
                is_pointopoint: self.is_pointopoint(),
                hard_header_len: (*dev).hard_header_len,
                min_header_len: (*dev).min_header_len,
                needed_headroom: (*dev).needed_headroom,
                addr_len: (*dev).addr_len,
                broadcast,
            }
        }
    }

    /// Returns whether both devices have the same link type and, if that is not Ethernet, the same
    /// broadcast address. On an InfiniBand link, the broadcast address contains the partition.
    pub fn is_same_link(&self, other: &NetDevice, rtnl: &Rtnl) -> bool {
        self.is_link(&other.link_layer(rtnl), rtnl)
    }

    /// As [`Self::is_same_link`], for a link whose properties were read before.
    pub fn is_link(&self, link: &LinkLayer, rtnl: &Rtnl) -> bool {
        let ours = self.link_layer(rtnl);
        let len = usize::from(link.addr_len).min(MAX_ADDR_LEN);
        ours.kind == link.kind
            && (link.is_ethernet() || ours.broadcast.0.get(..len) == link.broadcast.0.get(..len))
    }

    /// Returns the broadcast address.
    pub fn broadcast(&self, _rtnl: &Rtnl) -> Broadcast {
        // SAFETY: The device is valid (type invariant), and the field has this length. RTNL
        // protects it, except that InfiniBand's own driver replaces the bytes of the partition
        // whenever the partition changes; `shared::read` allows for such concurrent writes.
        Broadcast(unsafe { shared::read((&raw const (*self.as_ptr()).broadcast).cast()) })
    }

    /// Returns the partition (P_Key) of an InfiniBand link, which is part of its broadcast address.
    pub fn partition(&self, rtnl: &Rtnl) -> u16 {
        match self.broadcast(rtnl).0.get(PARTITION) {
            Some(&[high, low]) => u16::from_be_bytes([high, low]),
            _ => 0,
        }
    }

    /// Sets whether IPv6 keeps permanent addresses when the device is closed (`keep_addr_on_down`).
    /// Returns the previous setting.
    pub fn keep_addrs_on_close(&self, _rtnl: &Rtnl, keep: i32) -> i32 {
        // SAFETY: The device is valid (type invariant) and RTNL is held.
        unsafe { bindings::nh_keep_addr_on_down(self.as_ptr(), keep) }
    }
}
