// SPDX-License-Identifier: GPL-2.0

//! RCU read-side sections of the network core.
//!
//! C header: [`include/linux/rcupdate.h`](srctree/include/linux/rcupdate.h)
//!
//! The guard of the kernel crate takes the read lock. On the packet path, the caller already holds
//! the lock. Therefore the proof ([`Rcu`]) and the lock ([`RcuGuard`]) are two types here, as are
//! [`Rtnl`](crate::rtnl::Rtnl) and its guard.

use core::ops::Deref;
use core::ptr::NonNull;
use kernel::types::NotThreadSafe;

/// Proof that the current thread is in an RCU read-side section.
///
/// # Invariants
///
/// The section lasts as long as a reference to this type is alive.
pub struct Rcu(NotThreadSafe);

impl Rcu {
    /// Makes the proof in a callback that the kernel calls in a read-side section.
    ///
    /// # Safety
    ///
    /// The current thread must be in an RCU read-side section (`rcu_read_lock()`, or bottom halves
    /// disabled) for all of `'a`, that is, `'a` must end before the callback returns.
    #[inline(always)]
    pub(crate) unsafe fn assume<'a>() -> &'a Rcu {
        // SAFETY: `Rcu` has no size, so any aligned pointer is valid for it.
        // INVARIANT: The caller is in a read-side section for `'a`.
        unsafe { NonNull::<Rcu>::dangling().as_ref() }
    }
}

/// An RCU read-side section, which lasts until this guard is dropped.
pub struct RcuGuard {
    proof: Rcu,
    _guard: kernel::sync::rcu::Guard,
}

impl Deref for RcuGuard {
    type Target = Rcu;

    fn deref(&self) -> &Rcu {
        &self.proof
    }
}

/// Enters an RCU read-side section. Any context; no sleeping until the guard is dropped.
///
/// ```ignore
/// # use core::net::Ipv4Addr;
/// # use net::namespace::Net;
/// # use net::{rcu, route};
/// fn is_reachable(net: &Net, addr: Ipv4Addr) -> bool {
///     let rcu = rcu::read_lock();
///     route::device_to(net, addr, &rcu).is_some()
/// }
/// ```
pub fn read_lock() -> RcuGuard {
    RcuGuard {
        _guard: kernel::sync::rcu::read_lock(),
        proof: Rcu(NotThreadSafe),
    }
}
