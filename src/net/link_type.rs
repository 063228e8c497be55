// SPDX-License-Identifier: GPL-2.0

//! Masters that are not Ethernet: what `ether_setup()` decides, taken over from a lower device.
//!
//! C header: [`include/linux/netdevice.h`](srctree/include/linux/netdevice.h)

use crate::bindings;
use crate::device::{Dev, Master};
use crate::netdevice::{NetDevice, ARPHRD_ETHER, MAX_ADDR_LEN};
use crate::rtnl::Rtnl;
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

impl NetDevice {
    /// Returns whether both have the same link type and, if that is not Ethernet, the same broadcast
    /// address, which holds the partition of an InfiniBand link.
    pub fn is_same_link(&self, other: &NetDevice, _rtnl: &Rtnl) -> bool {
        if self.link_type() != other.link_type() {
            return false;
        }
        let len = other.addr_len().min(MAX_ADDR_LEN);
        // SAFETY: Both devices are allocated; RTNL protects these fields.
        unsafe {
            let (ours, theirs) = (&(*self.as_ptr()).broadcast, &(*other.as_ptr()).broadcast);
            self.link_type() == ARPHRD_ETHER || ours.get(..len) == theirs.get(..len)
        }
    }

    /// Returns the partition (P_Key) of an InfiniBand link, which is in its broadcast address.
    pub fn partition(&self, _rtnl: &Rtnl) -> u16 {
        // SAFETY: The device is allocated; RTNL protects this field, but for InfiniBand's own driver,
        // which replaces bytes of it.
        let broadcast = unsafe { (*self.as_ptr()).broadcast };
        match broadcast.get(PARTITION) {
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
    /// Takes over what `lower`, which is not Ethernet, is as a link: type, lengths, broadcast address,
    /// header, flags. The MTU stays. The device must be down: whoever builds a packet reads these
    /// fields one by one.
    pub fn become_like(&self, lower: &NetDevice, _rtnl: &Rtnl) {
        let Some(ops) = T::registry().ops() else {
            return;
        };
        let (dev, like) = (self.as_ptr(), lower.as_ptr());
        // SAFETY: Both devices are allocated; RTNL protects these fields, and nobody sends through
        // the device while it is down.
        unsafe {
            (*dev).header_ops = if (*like).header_ops.is_null() {
                ptr::null()
            } else {
                &ops.header
            };
            (*dev).type_ = (*like).type_;
            (*dev).hard_header_len = (*like).hard_header_len;
            (*dev).min_header_len = (*like).min_header_len;
            (*dev).needed_headroom = (*like).needed_headroom;
            (*dev).addr_len = (*like).addr_len;
            (*dev).broadcast = (*like).broadcast;
            let (set, clear) = if lower.is_pointopoint() {
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
    pub fn take_broadcast(&self, lower: &NetDevice, _rtnl: &Rtnl) {
        // SAFETY: Both devices are allocated; RTNL protects this field.
        unsafe { (*self.as_ptr()).broadcast = (*lower.as_ptr()).broadcast };
    }

    /// Makes the device Ethernet again. The MTU stays.
    ///
    /// It may be up, if it has no lower devices: addresses and headers get shorter, so that whoever is
    /// building a packet has room enough.
    pub fn become_ethernet(&self, _rtnl: &Rtnl) {
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
