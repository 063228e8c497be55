// SPDX-License-Identifier: GPL-2.0

//! Masters that are not Ethernet: what `ether_setup()` decides, taken over from a lower device.
//!
//! C header: [`include/linux/netdevice.h`](srctree/include/linux/netdevice.h)

use crate::bindings;
use crate::device::{Dev, Master};
use crate::lower::Lower;
use crate::netdevice::{NetDevice, ARPHRD_ETHER, MAX_ADDR_LEN};
use crate::rtnl::Rtnl;
use crate::shared;
use core::ptr;

/// Where the partition is in an InfiniBand broadcast address (RFC 4391, 4).
const PARTITION: core::ops::Range<usize> = 8..10;

/// What a link that has only two ends lacks, and what it has.
const BROADCAST: u32 =
    bindings::net_device_flags_IFF_BROADCAST | bindings::net_device_flags_IFF_MULTICAST;
const POINTOPOINT: u32 =
    bindings::net_device_flags_IFF_POINTOPOINT | bindings::net_device_flags_IFF_NOARP;

/// What [`Dev::become_ethernet`] leaves alone.
const KEPT: u32 = bindings::net_device_flags_IFF_SLAVE
    | bindings::net_device_flags_IFF_UP
    | bindings::net_device_flags_IFF_MASTER
    | bindings::net_device_flags_IFF_PROMISC
    | bindings::net_device_flags_IFF_ALLMULTI;

/// The broadcast address of a link at the time when it was read. Addresses of groups may depend on it: in those of
/// InfiniBand is the partition (RFC 4391, 4), in those of GRE the other end of the tunnel.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Broadcast([u8; MAX_ADDR_LEN]);

impl Broadcast {
    /// None yet.
    pub const NONE: Broadcast = Broadcast([0; MAX_ADDR_LEN]);

    pub(crate) fn as_bytes(&self) -> &[u8; MAX_ADDR_LEN] {
        &self.0
    }
}

/// What a device is as a link: type, lengths, broadcast address, header, ends.
pub struct LinkLayer {
    kind: u16,
    has_header: bool,
    is_pointopoint: bool,
    hard_header_len: u16,
    min_header_len: u8,
    needed_headroom: u16,
    addr_len: u8,
    broadcast: Broadcast,
}

impl LinkLayer {
    /// Returns whether it is Ethernet.
    pub fn is_ethernet(&self) -> bool {
        self.kind == ARPHRD_ETHER
    }
}

impl NetDevice {
    /// Returns what the device is as a link.
    pub fn link_layer(&self, rtnl: &Rtnl) -> LinkLayer {
        let dev = self.as_ptr();
        let broadcast = self.broadcast(rtnl);
        // SAFETY: The device is allocated, and RTNL protects these fields.
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

    /// Returns whether both have the same link type and, if that is not Ethernet, the same broadcast
    /// address, which holds the partition of an InfiniBand link.
    pub fn is_same_link(&self, other: &NetDevice, rtnl: &Rtnl) -> bool {
        self.is_link(&other.link_layer(rtnl), rtnl)
    }

    /// Returns the same about a link that was looked at before.
    pub fn is_link(&self, link: &LinkLayer, rtnl: &Rtnl) -> bool {
        let ours = self.link_layer(rtnl);
        let len = usize::from(link.addr_len).min(MAX_ADDR_LEN);
        ours.kind == link.kind
            && (link.is_ethernet() || ours.broadcast.0.get(..len) == link.broadcast.0.get(..len))
    }

    /// Returns the broadcast address.
    pub fn broadcast(&self, _rtnl: &Rtnl) -> Broadcast {
        // SAFETY: The device is allocated, and the field has this length. RTNL protects it, but for
        // InfiniBand's own driver, which replaces the bytes of the partition whenever that changes.
        Broadcast(unsafe { shared::read((&raw const (*self.as_ptr()).broadcast).cast()) })
    }

    /// Returns the partition (P_Key) of an InfiniBand link, which is in its broadcast address.
    pub fn partition(&self, rtnl: &Rtnl) -> u16 {
        match self.broadcast(rtnl).0.get(PARTITION) {
            Some(&[high, low]) => u16::from_be_bytes([high, low]),
            _ => 0,
        }
    }

    /// Has IPv6 keep permanent addresses when the device is closed, or not (`keep_addr_on_down`).
    /// Returns what it did before.
    pub fn keep_addrs_on_close(&self, _rtnl: &Rtnl, keep: i32) -> i32 {
        // SAFETY: The device is allocated and RTNL is held.
        unsafe { bindings::nh_keep_addr_on_down(self.as_ptr(), keep) }
    }
}

impl<T: Master> Dev<T> {
    /// Becomes a link that is not Ethernet. The MTU stays. Without effect on a device that is up: whoever builds a
    /// packet reads these fields one by one.
    pub fn become_like(&self, link: &LinkLayer, _rtnl: &Rtnl) {
        if self.is_up() {
            return;
        }
        let Some(ops) = T::REGISTRY.ops() else {
            return;
        };
        let dev = self.as_ptr();
        let header_ops: *const bindings::header_ops = if link.has_header {
            &ops.header
        } else {
            ptr::null()
        };
        // SAFETY: The device is allocated; RTNL protects these fields, and nobody sends through the
        // device while it is down. What others read without RTNL all the same is written as a whole.
        unsafe {
            ptr::write_volatile(&raw mut (*dev).header_ops, header_ops);
            ptr::write_volatile(&raw mut (*dev).type_, link.kind);
            (*dev).hard_header_len = link.hard_header_len;
            (*dev).min_header_len = link.min_header_len;
            (*dev).needed_headroom = link.needed_headroom;
            ptr::write_volatile(&raw mut (*dev).addr_len, link.addr_len);
            (*dev).broadcast = link.broadcast.0;
            let (set, clear) = if link.is_pointopoint {
                (POINTOPOINT, BROADCAST)
            } else if self.is_pointopoint() {
                (BROADCAST, POINTOPOINT)
            } else {
                (0, 0)
            };
            (*dev).flags = ((*dev).flags & !clear) | set;
        }
    }

    /// Takes over the broadcast address of `lower`, a link of the same type. The device may be up: those
    /// who build a packet meanwhile take the one partition or the other, and it leaves through `lower`.
    pub fn take_broadcast(&self, lower: &NetDevice, rtnl: &Rtnl) {
        let Broadcast(broadcast) = lower.broadcast(rtnl);
        // SAFETY: The device is allocated; RTNL protects this field of a master.
        unsafe { (*self.as_ptr()).broadcast = broadcast };
    }

    /// Makes the device Ethernet again. The MTU stays.
    ///
    /// Without effect while it has a lower device that is not Ethernet. It may be up: addresses and headers get
    /// shorter, so that whoever is building a packet has room enough.
    pub fn become_ethernet(&self, rtnl: &Rtnl) {
        let is_ethernet = |lower: &Lower<T>| lower.dev().link_type() == ARPHRD_ETHER;
        if !self.lowers(rtnl).all(is_ethernet) {
            return;
        }
        let dev = self.as_ptr();
        // SAFETY: The device is allocated and RTNL is held. `ether_setup()` sets the flags anew, and
        // what is the user's or ours.
        unsafe {
            let keep = (*dev).flags & KEPT;
            let (mtu, tx_queue_len) = ((*dev).mtu, (*dev).tx_queue_len);
            bindings::ether_setup(dev);
            (*dev).flags |= keep;
            (*dev).mtu = mtu;
            (*dev).tx_queue_len = tx_queue_len;
            (*dev).max_mtu = bindings::ETH_MAX_MTU;
            (*dev).needed_headroom = 0;
        }
        self.change_priv_flags(0, bindings::netdev_priv_flags_IFF_TX_SKB_SHARING);
    }
}
