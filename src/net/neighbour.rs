// SPDX-License-Identifier: GPL-2.0

//! The neighbours that a device knows, and ARP requests and neighbour solicitations through a given
//! device.
//!
//! C headers: [`include/net/neighbour.h`](srctree/include/net/neighbour.h),
//! [`include/net/arp.h`](srctree/include/net/arp.h),
//! [`include/net/ndisc.h`](srctree/include/net/ndisc.h)

use crate::bindings;
use crate::link_type::Broadcast;
use crate::netdevice::{NetDevice, MAX_ADDR_LEN};
use crate::rcu::Rcu;
use crate::route::{be32, in6, Tags};
use crate::rtnl::Rtnl;
use core::net::{Ipv4Addr, Ipv6Addr};
use core::ptr;
use core::sync::atomic::{AtomicPtr, Ordering};
use kernel::error::{to_result, Result};
use kernel::types::Opaque;

/// Sends an ARP request for `target` through `dev`, from the hardware address of `dev` and from
/// `source`, with the VLAN tags `tags`. Returns whether the request was handed over. Any context
/// but hard interrupts.
pub fn send_arp_request(
    dev: &NetDevice,
    target: Ipv4Addr,
    source: Ipv4Addr,
    tags: &Tags,
    _rcu: &Rcu,
) -> bool {
    // SAFETY: The device is valid (type invariant); the frame is ours until it is handed over.
    unsafe {
        let skb = bindings::nh_arp_request(dev.as_ptr(), be32(target), be32(source));
        let skb = tag(skb, tags);
        if !skb.is_null() {
            bindings::arp_xmit(skb);
        }
        !skb.is_null()
    }
}

/// As [`send_arp_request`], with a neighbour solicitation; it passes no netfilter hook.
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

/// Sends an ARP probe (RFC 5227) for `target` through `dev` to the hardware address `to`. Receivers
/// learn nothing from a probe, but an IPv4 host that has the address answers. Any context but hard
/// interrupts.
pub fn send_arp_probe(dev: &NetDevice, target: Ipv4Addr, to: &[u8; MAX_ADDR_LEN], _rcu: &Rcu) {
    // SAFETY: The device is valid (type invariant), and the array is as long as any address; the
    // frame is ours until it is handed over.
    unsafe {
        let skb = bindings::nh_arp_probe(dev.as_ptr(), be32(target), to.as_ptr());
        if !skb.is_null() {
            bindings::arp_xmit(skb);
        }
    }
}

/// What a neighbour stands for (`RTN_*`).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// A host.
    Unicast,
    /// A group.
    Multicast,
    /// Anything else.
    Other,
}

/// What a device knows about a host or a group that it sends to (`struct neighbour`).
///
/// # Invariants
///
/// The pointee is a neighbour that was in the list of a device during the read-side section in
/// which the reference lives.
#[repr(transparent)]
pub struct Neighbour(Opaque<bindings::neighbour>);

impl Neighbour {
    /// Returns what the neighbour stands for.
    pub fn kind(&self) -> Kind {
        // SAFETY: The neighbour is valid (type invariant); the field is constant.
        match u32::from(unsafe { (*self.0.get()).type_ }) {
            bindings::RTN_UNICAST => Kind::Unicast,
            bindings::RTN_MULTICAST => Kind::Multicast,
            _ => Kind::Other,
        }
    }

    /// `NUD_*`
    fn state(&self) -> u32 {
        // SAFETY: The neighbour is valid (type invariant); the field is a byte that may change
        // meanwhile.
        unsafe { ptr::read_volatile(&raw const (*self.0.get()).nud_state) }.into()
    }

    /// Returns whether the hardware address needs no resolution (`NUD_NOARP`), as for groups.
    pub fn needs_no_arp(&self) -> bool {
        self.state() & bindings::NUD_NOARP != 0
    }

    /// Returns whether the hardware address was resolved and is known (`NUD_VALID` without
    /// `NUD_NOARP`).
    pub fn was_resolved(&self) -> bool {
        const VALID: u32 = bindings::NUD_PERMANENT
            | bindings::NUD_REACHABLE
            | bindings::NUD_PROBE
            | bindings::NUD_STALE
            | bindings::NUD_DELAY;
        self.state() & VALID != 0
    }

    /// Returns the IPv4 address of the neighbour, if it has one.
    pub fn ipv4(&self) -> Option<Ipv4Addr> {
        // SAFETY: The neighbour is valid (type invariant) and belongs to a table: it has
        // operations, and its key is as long as an address of their family.
        unsafe {
            let neigh = self.0.get();
            if bindings::nh_neigh_family(neigh) != bindings::AF_INET as i32 {
                return None;
            }
            let key = (&raw const (*neigh).primary_key).cast::<[u8; 4]>();
            Some(Ipv4Addr::from(key.read()))
        }
    }

    /// Returns the hardware address that `dev` sends to. This must be a neighbour of `dev`.
    pub fn hw_addr(&self, dev: &NetDevice) -> [u8; MAX_ADDR_LEN] {
        let mut addr = [0; MAX_ADDR_LEN];
        // SAFETY: The device and the neighbour are valid (type invariants); the array is as long as
        // any address.
        unsafe { bindings::nh_neigh_ha(dev.as_ptr(), self.0.get(), addr.as_mut_ptr()) };
        addr
    }
}

/// The iterator of [`NetDevice::neighbours`].
///
/// # Invariants
///
/// `next` is NULL or the `dev_list` of a neighbour that was in the list of the device during the
/// read-side section of `'a`. Such a neighbour is freed a grace period after it has left the list,
/// and its link to the next one stays.
pub struct Neighbours<'a> {
    dev: &'a NetDevice,
    next: *mut bindings::hlist_node,
    table: usize,
}

impl<'a> Iterator for Neighbours<'a> {
    type Item = &'a Neighbour;

    fn next(&mut self) -> Option<&'a Neighbour> {
        while self.next.is_null() {
            // SAFETY: The device is valid (type invariant).
            let lists = unsafe { &raw mut (*self.dev.as_ptr()).neighbours };
            if self.table >= bindings::NEIGH_NR_TABLES as usize {
                return None;
            }
            // SAFETY: `table` is less than the number of lists; writers publish links with release
            // semantics.
            let first = unsafe {
                let list = lists.cast::<bindings::hlist_head>().add(self.table);
                AtomicPtr::from_ptr(&raw mut (*list).first)
            };
            self.next = first.load(Ordering::Acquire);
            self.table = self.table.saturating_add(1);
        }
        let node = self.next;
        // SAFETY: The node is valid by the type invariant; writers publish links with release
        // semantics.
        self.next = unsafe { AtomicPtr::from_ptr(&raw mut (*node).next) }.load(Ordering::Acquire);
        // SAFETY: By the type invariant, the node is part of a neighbour. INVARIANT: likewise.
        unsafe {
            let neigh = kernel::container_of!(node, bindings::neighbour, dev_list);
            Some(&*neigh.cast::<Neighbour>())
        }
    }
}

impl NetDevice {
    /// Iterates over the neighbours of the device.
    pub fn neighbours<'a>(&'a self, _rcu: &'a Rcu) -> Neighbours<'a> {
        Neighbours {
            dev: self,
            next: ptr::null_mut(),
            table: 0,
        }
    }

    /// Returns whether the device is a member of the group with this hardware address. Takes the
    /// address lock.
    pub fn is_member(&self, addr: &[u8; MAX_ADDR_LEN]) -> bool {
        // SAFETY: The device is valid (type invariant); the array is as long as any address.
        unsafe { bindings::nh_is_mc_member(self.as_ptr(), addr.as_ptr()) }
    }
}

/// Adds VLAN tags to a frame: the outermost tag beside the frame, for the device to insert, and the
/// others within the frame. Returns the frame, or NULL if there is no memory.
///
/// # Safety
///
/// `skb` must be NULL or a complete frame that the caller owns; it is consumed.
unsafe fn tag(mut skb: *mut bindings::sk_buff, tags: &Tags) -> *mut bindings::sk_buff {
    let mut tags = tags.0.iter().filter(|tag| tag.proto != 0);
    let outermost = tags.next();
    // Each tag goes in front of the tags that are already there.
    for tag in tags.rev() {
        if !skb.is_null() {
            // SAFETY: By the caller's promise. If the frame cannot be changed, C frees it and
            // returns NULL.
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
    /// Makes the device receive what is sent to the solicited-node group of `addr` (RFC 4291,
    /// 2.7.1) on a link with the broadcast address `link`, which the link-layer address of the
    /// group may depend on.
    pub fn join_solicited_node(&self, _rtnl: &Rtnl, addr: Ipv6Addr, link: &Broadcast) -> Result {
        self.change_solicited_node(addr, link, true)
    }

    /// Undoes one [`Self::join_solicited_node`] with the same arguments, whatever the broadcast
    /// address is by now.
    pub fn leave_solicited_node(&self, _rtnl: &Rtnl, addr: Ipv6Addr, link: &Broadcast) -> Result {
        self.change_solicited_node(addr, link, false)
    }

    fn change_solicited_node(&self, addr: Ipv6Addr, link: &Broadcast, join: bool) -> Result {
        let (dev, addr, link) = (self.as_ptr(), in6(addr), link.as_bytes().as_ptr());
        // SAFETY: The device is valid (type invariant); the addresses are valid during the call.
        to_result(unsafe { bindings::nh_solicited_node_change(dev, &addr, link, join) })
    }
}
