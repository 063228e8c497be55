// SPDX-License-Identifier: GPL-2.0

//! The way to a neighbour: which device a route leads to, and through which VLANs.
//!
//! C headers: [`include/net/route.h`](srctree/include/net/route.h),
//! [`include/net/ip6_route.h`](srctree/include/net/ip6_route.h),
//! [`include/linux/if_vlan.h`](srctree/include/linux/if_vlan.h)

use crate::bindings;
use crate::namespace::Net;
use crate::netdevice::NetDevice;
use crate::rcu::Rcu;
use core::net::{Ipv4Addr, Ipv6Addr};
use core::ptr;

/// The most devices that may be stacked (`MAX_NEST_DEV`).
const MAX_DEPTH: usize = bindings::MAX_NEST_DEV as usize;

pub(crate) fn be32(addr: Ipv4Addr) -> bindings::__be32 {
    u32::from_ne_bytes(addr.octets())
}

pub(crate) fn in6(addr: Ipv6Addr) -> bindings::in6_addr {
    let mut raw: bindings::in6_addr = pin_init::zeroed();
    raw.in6_u.u6_addr8 = addr.octets();
    raw
}

/// Returns the device that packets to `addr` leave through, if there is a route. Any context.
pub fn device_to<'a>(net: &Net, addr: Ipv4Addr, _rcu: &'a Rcu) -> Option<&'a NetDevice> {
    // SAFETY: The namespace is alive. We are in a read-side section, which keeps the device
    // allocated.
    unsafe {
        let dev = bindings::nh_route_dev(net.as_ptr(), be32(addr));
        (!dev.is_null()).then(|| NetDevice::from_raw(dev))
    }
}

/// As [`device_to`], for IPv6. A link-local address is looked up on `link`, since each link has
/// addresses of its own (RFC 4007, section 6). If there is no route, the address is looked up on
/// the devices that are stacked on `link`: a bridge or a VLAN there may have the route in its
/// place.
pub fn device_to6<'a>(
    net: &Net,
    addr: Ipv6Addr,
    link: &NetDevice,
    rcu: &'a Rcu,
) -> Option<&'a NetDevice> {
    let raw = in6(addr);
    // SAFETY: As in `device_to`; the address is valid during the call.
    let route = |on: i32| unsafe {
        let dev = bindings::nh_route_dev6(net.as_ptr(), &raw, on);
        (!dev.is_null()).then(|| NetDevice::from_raw(dev))
    };
    if !addr.is_unicast_link_local() {
        return route(0);
    }
    route(link.ifindex()).or_else(|| route(0).filter(|via| path(link, via, rcu).is_some()))
}

/// A VLAN tag.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub(crate) struct Tag {
    /// `ETH_P_8021Q` or `ETH_P_8021AD`; 0 for none.
    pub(crate) proto: u16,
    pub(crate) vid: u16,
}

/// The VLAN tags that a packet needs, the outermost first.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub struct Tags(pub(crate) [Tag; MAX_DEPTH]);

impl Tags {
    /// Returns the protocol (`ETH_P_8021Q` or `ETH_P_8021AD`) and the VLAN id of each tag, the
    /// outermost first.
    pub fn iter(&self) -> impl Iterator<Item = (u16, u16)> + Clone + '_ {
        let tags = self.0.iter().filter(|tag| tag.proto != 0);
        tags.map(|tag| (tag.proto, tag.vid))
    }
}

/// Calls a function with each device that is stacked on `dev`, directly or not, and with the tags of
/// the VLANs on the path, that device included. A device to which several paths lead is named for
/// each.
pub fn each_upper(dev: &NetDevice, rcu: &Rcu, call: &mut dyn FnMut(&NetDevice, &Tags)) {
    visit(dev, 0, &mut Tags::default(), rcu, call);
}

fn visit(
    dev: &NetDevice,
    depth: usize,
    tags: &mut Tags,
    rcu: &Rcu,
    call: &mut dyn FnMut(&NetDevice, &Tags),
) {
    for upper in Uppers::of(dev, rcu) {
        let Some(tag) = tags.0.get_mut(depth) else {
            return;
        };
        *tag = vlan_tag(upper);
        call(upper, tags);
        visit(upper, depth.saturating_add(1), tags, rcu, call);
        if let Some(tag) = tags.0.get_mut(depth) {
            *tag = Tag::default();
        }
    }
}

/// Finds the path from `from` up to `to` through the devices that are stacked on `from`. Returns
/// the tags of the VLANs on the path, or `None` if there is no path.
pub fn path(from: &NetDevice, to: &NetDevice, rcu: &Rcu) -> Option<Tags> {
    let mut tags = Tags::default();
    climb(from, to, 0, &mut tags, rcu).then_some(tags)
}

fn climb(from: &NetDevice, to: &NetDevice, depth: usize, tags: &mut Tags, rcu: &Rcu) -> bool {
    if from == to {
        return true;
    }
    for upper in Uppers::of(from, rcu) {
        let Some(tag) = tags.0.get_mut(depth) else {
            return false;
        };
        *tag = vlan_tag(upper);
        if climb(upper, to, depth.saturating_add(1), tags, rcu) {
            return true;
        }
        if let Some(tag) = tags.0.get_mut(depth) {
            *tag = Tag::default();
        }
    }
    false
}

/// Returns the tag that packets of a VLAN device get, and no tag for other devices.
fn vlan_tag(dev: &NetDevice) -> Tag {
    let (mut proto, mut vid) = (0, 0);
    // SAFETY: The device is valid (type invariant), and the results are valid for writes.
    if unsafe { bindings::nh_vlan_tag(dev.as_ptr(), &mut proto, &mut vid) } {
        Tag { proto, vid }
    } else {
        Tag::default()
    }
}

/// Iterates over the devices directly above a device.
struct Uppers<'a> {
    dev: &'a NetDevice,
    /// The position in the list; the list head is where the iteration begins.
    place: *mut bindings::list_head,
    _rcu: &'a Rcu,
}

impl<'a> Uppers<'a> {
    fn of(dev: &'a NetDevice, rcu: &'a Rcu) -> Self {
        Uppers {
            dev,
            // SAFETY: This only computes an address within a device that is allocated.
            place: unsafe { &raw mut (*dev.as_ptr()).adj_list.upper },
            _rcu: rcu,
        }
    }
}

impl<'a> Iterator for Uppers<'a> {
    type Item = &'a NetDevice;

    fn next(&mut self) -> Option<&'a NetDevice> {
        // SAFETY: We are in a read-side section, which keeps the devices on the list; `place` is
        // the list head, or where the last call has put it.
        unsafe {
            let upper = bindings::netdev_upper_get_next_dev_rcu(self.dev.as_ptr(), &mut self.place);
            (!upper.is_null()).then(|| NetDevice::from_raw(upper))
        }
    }
}

impl NetDevice {
    /// Returns whether this is a VLAN on another device (`is_vlan_dev()`). Any context.
    pub fn is_vlan(&self) -> bool {
        vlan_tag(self) != Tag::default()
    }

    /// Returns the source address with which the device asks for `to`, if it has one.
    pub fn source_addr(&self, to: Ipv4Addr, _rcu: &Rcu) -> Option<Ipv4Addr> {
        // SAFETY: The device is valid (type invariant), and we are in a read-side section.
        let addr = unsafe { bindings::nh_confirm_addr(self.as_ptr(), be32(to), 0) };
        (addr != 0).then(|| Ipv4Addr::from(addr.to_ne_bytes()))
    }

    /// As [`Self::source_addr`], for IPv6.
    pub fn source_addr6(&self, to: Ipv6Addr, _rcu: &Rcu) -> Option<Ipv6Addr> {
        let (to, mut from) = (in6(to), in6(Ipv6Addr::UNSPECIFIED));
        // SAFETY: The device is valid (type invariant), and both addresses are valid during the
        // call.
        let found = unsafe { bindings::nh_source_addr6(self.as_ptr(), &to, &mut from) };
        // SAFETY: All bytes were initialised.
        found.then(|| Ipv6Addr::from(unsafe { from.in6_u.u6_addr8 }))
    }

    /// Returns whether the device, or a device that is stacked on it, has this address.
    pub fn has_addr(&self, addr: Ipv4Addr, rcu: &Rcu) -> bool {
        self.any_upper(rcu, &mut |dev| {
            // SAFETY: The device is valid (type invariant), and we are in a read-side section.
            unsafe { bindings::nh_confirm_addr(dev.as_ptr(), 0, be32(addr)) == be32(addr) }
        })
    }

    /// As [`Self::has_addr`], for IPv6.
    pub fn has_addr6(&self, addr: Ipv6Addr, rcu: &Rcu) -> bool {
        let addr = in6(addr);
        self.any_upper(rcu, &mut |dev| {
            // SAFETY: The device is valid (type invariant); the address is valid during the call.
            unsafe { bindings::nh_has_addr6(dev.as_ptr(), &addr) }
        })
    }

    /// Returns whether `test` holds for this device or for a device that is stacked on it.
    fn any_upper(&self, _rcu: &Rcu, test: &mut dyn FnMut(&NetDevice) -> bool) -> bool {
        /// # Safety
        ///
        /// `nested.data` must point to a `&mut dyn FnMut(&NetDevice) -> bool`, and the device must
        /// be on a list that a read-side section keeps.
        unsafe extern "C" fn call(
            dev: *mut bindings::net_device,
            nested: *mut bindings::netdev_nested_priv,
        ) -> i32 {
            // SAFETY: By the caller's promise.
            unsafe {
                let test = &mut *(*nested).data.cast::<&mut dyn FnMut(&NetDevice) -> bool>();
                test(NetDevice::from_raw(dev)).into()
            }
        }
        if test(self) {
            return true;
        }
        let mut test: &mut dyn FnMut(&NetDevice) -> bool = test;
        let mut nested = bindings::netdev_nested_priv {
            data: ptr::from_mut(&mut test).cast(),
            ..pin_init::zeroed()
        };
        // SAFETY: We are in a read-side section, and `nested` is what `call` expects.
        unsafe {
            bindings::netdev_walk_all_upper_dev_rcu(self.as_ptr(), Some(call), &mut nested) != 0
        }
    }
}

impl Net {
    /// Returns whether an address of this host belongs to a bridge.
    pub fn is_bridge_addr(&self, addr: core::net::IpAddr, _rcu: &Rcu) -> bool {
        match addr {
            // SAFETY: The namespace is alive, and we are in a read-side section.
            core::net::IpAddr::V4(addr) => unsafe {
                bindings::nh_is_bridge_addr(self.as_ptr(), be32(addr))
            },
            // SAFETY: As above; the address is valid during the call.
            core::net::IpAddr::V6(addr) => unsafe {
                bindings::nh_is_bridge_addr6(self.as_ptr(), &in6(addr))
            },
        }
    }
}
