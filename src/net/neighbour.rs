// SPDX-License-Identifier: GPL-2.0

//! Asking for neighbours: ARP requests and neighbour solicitations through a given device.
//!
//! C headers: [`include/net/arp.h`](srctree/include/net/arp.h),
//! [`include/net/ndisc.h`](srctree/include/net/ndisc.h)

use crate::bindings;
use crate::link_type::Broadcast;
use crate::netdevice::NetDevice;
use crate::rcu::Rcu;
use crate::route::{be32, in6, Tags};
use crate::rtnl::Rtnl;
use core::net::{Ipv4Addr, Ipv6Addr};
use kernel::error::{to_result, Result};

/// Sends an ARP request for `target` through `dev`, from its hardware address and from `source`, with
/// these VLAN tags. Returns whether it was handed over. Any context but hard interrupts.
pub fn send_arp_request(
    dev: &NetDevice,
    target: Ipv4Addr,
    source: Ipv4Addr,
    tags: &Tags,
    _rcu: &Rcu,
) -> bool {
    // SAFETY: The device is allocated; the frame is ours, and is given away in the end.
    unsafe {
        let skb = bindings::nh_arp_request(dev.as_ptr(), be32(target), be32(source));
        let skb = tag(skb, tags);
        if !skb.is_null() {
            bindings::arp_xmit(skb);
        }
        !skb.is_null()
    }
}

/// Sends a neighbour solicitation for `target`, likewise; it passes no netfilter hook.
pub fn send_solicitation(
    dev: &NetDevice,
    target: Ipv6Addr,
    source: Ipv6Addr,
    tags: &Tags,
    _rcu: &Rcu,
) -> bool {
    let (target, source) = (in6(target), in6(source));
    // SAFETY: As in `send_arp_request`; the addresses are valid during the call.
    unsafe {
        let skb = bindings::nh_ndisc_solicitation(dev.as_ptr(), &target, &source);
        let skb = tag(skb, tags);
        if !skb.is_null() {
            bindings::__dev_queue_xmit(skb, core::ptr::null_mut());
        }
        !skb.is_null()
    }
}

/// Has `lower` find the ways to the neighbours of `dev` and to the groups that it sends to, by ARP probes
/// (RFC 5227), which nobody learns anything from. Leaves out the first `skip`; returns how many of the
/// `count` after those there are; none if both have not the same link type. Any context but hard interrupts.
pub fn probe_neighbours(
    dev: &NetDevice,
    lower: &NetDevice,
    skip: u32,
    count: u32,
    _rcu: &Rcu,
) -> u32 {
    // SAFETY: Both devices are allocated; neighbours live until a grace period after they have left
    // the list of their device, and this is a read-side section.
    unsafe { bindings::nh_probe_neighbours(dev.as_ptr(), lower.as_ptr(), skip, count) }
}

/// Puts VLAN tags into a frame: the outermost beside it, where the device may insert it, the others
/// into it. Returns the frame, or NULL if there is no memory.
///
/// # Safety
///
/// `skb` must be NULL or a complete frame that the caller owns; it is consumed.
unsafe fn tag(mut skb: *mut bindings::sk_buff, tags: &Tags) -> *mut bindings::sk_buff {
    let mut tags = tags.0.iter().filter(|tag| tag.proto != 0);
    let outermost = tags.next();
    // Each goes in front of those that are there.
    for tag in tags.rev() {
        if !skb.is_null() {
            // SAFETY: By the caller's promise; a frame that could not be changed was freed.
            skb = unsafe { bindings::nh_vlan_insert_tag(skb, tag.proto, tag.vid) };
        }
    }
    if let Some(tag) = outermost.filter(|_| !skb.is_null()) {
        // SAFETY: As above.
        unsafe { bindings::nh_vlan_put_tag(skb, tag.proto, tag.vid) };
    }
    skb
}

impl NetDevice {
    /// Has the device hear what is sent to the solicited-node group of `addr` (RFC 4291, 2.7.1) on a link with
    /// this broadcast address, which the link-layer address of the group may depend on.
    pub fn join_solicited_node(&self, _rtnl: &Rtnl, addr: Ipv6Addr, link: &Broadcast) -> Result {
        self.change_solicited_node(addr, link, true)
    }

    /// Undoes one [`Self::join_solicited_node`] with the same arguments, whatever the broadcast address is now.
    pub fn leave_solicited_node(&self, _rtnl: &Rtnl, addr: Ipv6Addr, link: &Broadcast) -> Result {
        self.change_solicited_node(addr, link, false)
    }

    fn change_solicited_node(&self, addr: Ipv6Addr, link: &Broadcast, join: bool) -> Result {
        let (dev, addr, link) = (self.as_ptr(), in6(addr), link.as_bytes().as_ptr());
        // SAFETY: The device is allocated; the addresses are valid during the call.
        to_result(unsafe { bindings::nh_solicited_node_change(dev, &addr, link, join) })
    }
}
