// SPDX-License-Identifier: GPL-2.0

//! Network namespaces.
//!
//! C header: [`include/net/net_namespace.h`](srctree/include/net/net_namespace.h)

use crate::bindings;
use crate::netdevice::{NetDevice, IFNAMSIZ};
use crate::rcu::Rcu;
use crate::rtnl::Rtnl;
use core::marker::PhantomData;
use core::sync::atomic::{AtomicPtr, Ordering};
use kernel::types::Opaque;

/// A network namespace (`struct net`).
///
/// # Invariants
///
/// The pointee is alive as long as a reference to it.
#[repr(transparent)]
pub struct Net(Opaque<bindings::net>);

// SAFETY: A namespace may be used from any thread.
unsafe impl Send for Net {}
// SAFETY: As above; what changes under RTNL is reached with RTNL only.
unsafe impl Sync for Net {}

impl Net {
    /// Makes a reference from a C pointer.
    ///
    /// # Safety
    ///
    /// `net` must point to a namespace that stays alive for all of `'a`.
    pub(crate) unsafe fn from_raw<'a>(net: *mut bindings::net) -> &'a Net {
        // SAFETY: By the caller's promise. INVARIANT: likewise.
        unsafe { &*net.cast() }
    }

    /// Returns whether a BPF program takes the flows of packets in this namespace apart, instead of the kernel
    /// (`BPF_FLOW_DISSECTOR`).
    #[inline(always)]
    pub fn has_flow_dissector(&self) -> bool {
        // SAFETY: The namespace is valid.
        unsafe { bindings::nh_has_flow_dissector(self.as_ptr()) }
    }

    /// Returns the namespace that the system starts with.
    pub fn init() -> &'static Net {
        // SAFETY: `init_net` is never freed.
        unsafe { Net::from_raw(&raw mut bindings::init_net) }
    }

    pub(crate) fn as_ptr(&self) -> *mut bindings::net {
        self.0.get()
    }

    /// Returns the number of the namespace, which `lsns` shows and `/proc/PID/ns/net` points to.
    pub fn number(&self) -> u32 {
        // SAFETY: The namespace is alive.
        unsafe { bindings::nh_net_number(self.as_ptr()) }
    }

    /// Returns whether the current task may administrate this namespace (`CAP_NET_ADMIN`).
    pub fn is_admin(&self) -> bool {
        // SAFETY: The namespace is alive.
        unsafe { bindings::nh_net_admin(self.as_ptr()) }
    }

    /// Finds a device by its name.
    pub fn device_by_name<'a>(&self, _rtnl: &'a Rtnl, name: &[u8]) -> Option<&'a NetDevice> {
        let mut buf = [0u8; IFNAMSIZ];
        if name.len() >= IFNAMSIZ {
            return None;
        }
        buf.iter_mut().zip(name).for_each(|(to, from)| *to = *from);
        // SAFETY: The namespace is alive, RTNL is held, and the name ends with a NUL.
        let dev = unsafe { bindings::__dev_get_by_name(self.as_ptr(), buf.as_ptr().cast()) };
        // SAFETY: A device found under RTNL stays allocated as long as RTNL is held.
        (!dev.is_null()).then(|| unsafe { NetDevice::from_raw(dev) })
    }

    /// Finds a device by its index.
    pub fn device_by_index<'a>(&self, _rtnl: &'a Rtnl, index: i32) -> Option<&'a NetDevice> {
        // SAFETY: The namespace is alive and RTNL is held.
        let dev = unsafe { bindings::__dev_get_by_index(self.as_ptr(), index) };
        // SAFETY: As in `device_by_name`.
        (!dev.is_null()).then(|| unsafe { NetDevice::from_raw(dev) })
    }

    /// Goes over all devices of the namespace, in the order of their registration.
    pub fn devices<'a>(&self, _rcu: &'a Rcu) -> Devices<'a> {
        // SAFETY: The namespace is alive.
        let head = unsafe { bindings::nh_net_devices(self.as_ptr()) };
        Devices {
            head,
            at: head,
            _section: PhantomData,
        }
    }
}

/// The iterator of [`Net::devices`].
///
/// # Invariants
///
/// `at` is the list head or the `dev_list` of a device that was in the list during the read-side
/// section of `'a`. Such a device is neither freed nor moved to another namespace before the section
/// ends, and its link to the next one stays when it leaves the list.
pub struct Devices<'a> {
    head: *mut bindings::list_head,
    at: *mut bindings::list_head,
    _section: PhantomData<&'a Rcu>,
}

impl<'a> Iterator for Devices<'a> {
    type Item = &'a NetDevice;

    fn next(&mut self) -> Option<&'a NetDevice> {
        // SAFETY: By the invariant, `at` is valid; writers publish links with release semantics.
        let next = unsafe { AtomicPtr::from_ptr(&raw mut (*self.at).next) }.load(Ordering::Acquire);
        if next == self.head {
            return None;
        }
        self.at = next;
        // SAFETY: Every entry of the list but its head is the `dev_list` of a device.
        let dev = unsafe { kernel::container_of!(next, bindings::net_device, dev_list) };
        // SAFETY: A device that was seen in the list stays allocated during the section.
        Some(unsafe { NetDevice::from_raw(dev) })
    }
}
