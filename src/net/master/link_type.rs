// SPDX-License-Identifier: GPL-2.0

//! Masters that are not Ethernet: they take over from a lower device what `ether_setup()` decides
//! for Ethernet.
//!
//! C header: [`include/linux/netdevice.h`](srctree/include/linux/netdevice.h)

use super::device::{Dev, Lower, Master};
use crate::bindings;
use crate::link_type::LinkLayer;
use crate::netdevice::{NetDevice, ARPHRD_ETHER};
use crate::rtnl::Rtnl;
use core::ptr;

/// The flags that a link with only two ends lacks (`BROADCAST`), and those that it has
/// (`POINTOPOINT`).
const BROADCAST: u32 =
    bindings::net_device_flags_IFF_BROADCAST | bindings::net_device_flags_IFF_MULTICAST;
const POINTOPOINT: u32 =
    bindings::net_device_flags_IFF_POINTOPOINT | bindings::net_device_flags_IFF_NOARP;

/// The flags that [`Dev::become_ethernet`] leaves alone.
const KEPT: u32 = bindings::net_device_flags_IFF_SLAVE
    | bindings::net_device_flags_IFF_UP
    | bindings::net_device_flags_IFF_MASTER
    | bindings::net_device_flags_IFF_PROMISC
    | bindings::net_device_flags_IFF_ALLMULTI;

impl<T: Master> Dev<T> {
    /// Turns the device into a link that is not Ethernet. The MTU stays the same. Has no effect on
    /// a device that is up, since code that builds a packet reads these fields one by one.
    pub fn become_like(&self, link: &LinkLayer, _rtnl: &Rtnl) {
        if self.is_up() {
            return;
        }
        let dev = self.as_ptr();
        let header_ops = if link.has_header {
            T::REGISTRY.header()
        } else {
            ptr::null()
        };
        // SAFETY: The device is valid (type invariant). RTNL protects these fields, and nobody
        // sends through the device while it is down. Fields that others read without RTNL all the
        // same are written as a whole.
        unsafe {
            ptr::write_volatile(&raw mut (*dev).header_ops, header_ops);
            ptr::write_volatile(&raw mut (*dev).type_, link.kind);
            (*dev).hard_header_len = link.hard_header_len;
            (*dev).min_header_len = link.min_header_len;
            (*dev).needed_headroom = link.needed_headroom;
            ptr::write_volatile(&raw mut (*dev).addr_len, link.addr_len);
            (*dev).broadcast = *link.broadcast.as_bytes();
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

    /// Takes over the broadcast address of `lower`, a link of the same type. The device may be up:
    /// a packet that is being built at the same time gets the address of one partition or the
    /// other, and leaves through `lower`.
    pub fn take_broadcast(&self, lower: &NetDevice, rtnl: &Rtnl) {
        let broadcast = *lower.broadcast(rtnl).as_bytes();
        // SAFETY: The device is valid (type invariant); RTNL protects this field of a master.
        unsafe { (*self.as_ptr()).broadcast = broadcast };
    }

    /// Makes the device Ethernet again. The MTU stays the same.
    ///
    /// Has no effect while the device has a lower device that is not Ethernet. The device may be
    /// up: addresses and headers get shorter, so a packet that is being built has enough room.
    pub fn become_ethernet(&self, rtnl: &Rtnl) {
        let is_ethernet = |lower: &Lower<T>| lower.dev().link_type() == ARPHRD_ETHER;
        if !self.lowers(rtnl).all(is_ethernet) {
            return;
        }
        let dev = self.as_ptr();
        // SAFETY: The device is valid (type invariant) and RTNL is held. `ether_setup()` overwrites
        // the flags, and other fields that the user or the driver has set; these are restored
        // afterwards.
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
