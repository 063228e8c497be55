// SPDX-License-Identifier: GPL-2.0

//! Network namespaces. [`netdevice`](crate::netdevice) finds the devices in them.
//!
//! C header: [`include/net/net_namespace.h`](srctree/include/net/net_namespace.h)

use crate::bindings;
use kernel::types::Opaque;

/// A network namespace (`struct net`).
///
/// # Invariants
///
/// The pointee is alive as long as a reference to it exists.
#[repr(transparent)]
pub struct Net(Opaque<bindings::net>);

// SAFETY: A namespace may be used from any thread.
unsafe impl Send for Net {}
// SAFETY: As above; what changes under RTNL can only be reached with RTNL held.
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

    /// Returns whether a BPF program dissects the flows of packets in this namespace, in place of
    /// the kernel (`BPF_FLOW_DISSECTOR`).
    #[inline(always)]
    pub fn has_flow_dissector(&self) -> bool {
        // SAFETY: The namespace is valid.
        unsafe { bindings::nh_has_flow_dissector(self.as_ptr()) }
    }

    /// Returns the initial namespace.
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

    /// Returns whether the current task may administer this namespace (`CAP_NET_ADMIN`).
    pub fn is_admin(&self) -> bool {
        // SAFETY: The namespace is alive.
        unsafe { bindings::nh_net_admin(self.as_ptr()) }
    }
}
