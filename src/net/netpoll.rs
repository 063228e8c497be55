// SPDX-License-Identifier: GPL-2.0

//! Messages that are sent without interrupts, such as those of netconsole.
//!
//! C header: [`include/linux/netpoll.h`](srctree/include/linux/netpoll.h)
//!
//! While somebody sends such messages through a master, each lower device has a `struct netpoll` of its
//! own, by which it sends them on.

use crate::bindings;
use crate::device::{Dev, Master};
use crate::lower::Lower;
use crate::rcu::Rcu;
use crate::rtnl::Rtnl;
use crate::skbuff::{SkBuff, XMIT_DROP};
use core::ptr;
use core::sync::atomic::Ordering;
use kernel::error::{code::ENODEV, from_result, to_result, Result};
use kernel::prelude::*;
use kernel::str::CStrExt;
use kernel::types::Opaque;

impl<T: Master> Dev<T> {
    /// Returns whether somebody sends such messages through the device.
    pub fn is_polled(&self, _rtnl: &Rtnl) -> bool {
        // SAFETY: The device is allocated.
        unsafe { has_npinfo(self.as_ptr()) }
    }
}

impl<T: Master> Lower<T> {
    /// Has the device send such messages for its master. May sleep.
    pub fn poll(&self, _rtnl: &Rtnl) -> Result {
        if !self.netpoll.load(Ordering::Relaxed).is_null() {
            return Ok(());
        }
        if !self.is_linked_to(self.master()) {
            // Nobody would undo it.
            return Err(ENODEV);
        }
        let netpoll = KBox::new(Opaque::<bindings::netpoll>::zeroed(), GFP_KERNEL)?;
        // SAFETY: Ours, and zeroed, which is how it has to be but for the name, a static string.
        to_result(unsafe {
            (*netpoll.get()).name = c"bonding".as_char_ptr();
            bindings::__netpoll_setup(netpoll.get(), self.dev().as_ptr())
        })?;
        self.netpoll
            .store(KBox::into_raw(netpoll).cast(), Ordering::Release);
        Ok(())
    }

    /// Undoes [`Self::poll`]. Sleeps.
    pub(crate) fn unpoll(&self, _rtnl: &Rtnl) {
        let netpoll = self.netpoll.swap(ptr::null_mut(), Ordering::Relaxed);
        if !netpoll.is_null() {
            // SAFETY: RTNL is held. It was set up by `poll`, and nobody finds it any more; this waits
            // for those who did, and frees it with `kfree()`, which suits a `KBox`.
            unsafe { bindings::__netpoll_free(netpoll) };
        }
    }
}

/// Returns whether a device is used for such messages.
///
/// # Safety
///
/// `dev` must be allocated.
#[inline(always)]
unsafe fn has_npinfo(dev: *mut bindings::net_device) -> bool {
    // SAFETY: By the caller's promise; a pointer that is read as a whole.
    !unsafe { ptr::read_volatile(&raw const (*dev).npinfo) }.is_null()
}

/// Returns whether some of the packets that leave may be such messages.
#[inline(always)]
pub(crate) fn sends_messages<T: Master>(dev: &Dev<T>) -> bool {
    // SAFETY: The device is allocated.
    unsafe { has_npinfo(dev.as_ptr()) }
}

/// Sends what may be a message: its sender then runs with interrupts off.
#[cold]
#[inline(never)]
pub(crate) fn start_xmit<T: Master>(dev: &Dev<T>, skb: SkBuff, rcu: &Rcu) -> i32 {
    // SAFETY: The helper only looks at the CPU.
    if unsafe { bindings::nh_irqs_disabled() } {
        xmit(dev, skb, rcu)
    } else {
        T::start_xmit(dev, skb, rcu)
    }
}

fn xmit<T: Master>(dev: &Dev<T>, skb: SkBuff, rcu: &Rcu) -> i32 {
    let mut lower = T::next_xmit_lower(dev, &skb, None, rcu);
    while let Some(this) = lower {
        lower = T::next_xmit_lower(dev, &skb, Some(this), rcu);
        if lower.is_none() {
            return send(this, skb);
        }
        if let Some(copy) = skb.try_clone() {
            send(this, copy);
        }
    }
    skb.drop_on(dev);
    XMIT_DROP
}

fn send<T: Master>(lower: &Lower<T>, skb: SkBuff) -> i32 {
    let netpoll = lower.netpoll.load(Ordering::Acquire);
    let skb = skb.into_raw();
    // SAFETY: The packet is valid and ours; for the mapping, see `SkBuff::transmit_through`. The netpoll is freed only when nobody runs with interrupts off any more who might have found it. If
    // there is none, the packet is freed.
    unsafe {
        (*skb).queue_mapping = *crate::skbuff::lower_queue_mapping(skb);
        bindings::netpoll_send_skb(netpoll, skb)
    }
}

// The callbacks. For all of them: `dev` is a device of driver `T`.

/// RTNL is held.
pub(crate) unsafe extern "C" fn ndo_netpoll_setup<T: Master>(
    dev: *mut bindings::net_device,
) -> i32 {
    // SAFETY: See above.
    let (dev, rtnl) = unsafe { (Dev::<T>::from_raw(dev), Rtnl::assume()) };
    from_result(|| {
        dev.all_or_none(rtnl, |lower| lower.poll(rtnl), |lower| lower.unpoll(rtnl))
            .map(|()| 0)
    })
}

/// RTNL is held.
pub(crate) unsafe extern "C" fn ndo_netpoll_cleanup<T: Master>(dev: *mut bindings::net_device) {
    // SAFETY: See above.
    let (dev, rtnl) = unsafe { (Dev::<T>::from_raw(dev), Rtnl::assume()) };
    dev.lowers(rtnl).for_each(|lower| lower.unpoll(rtnl));
}

/// Has the lower devices look for packets without an interrupt. Interrupts off.
pub(crate) unsafe extern "C" fn ndo_poll_controller<T: Master>(dev: *mut bindings::net_device) {
    let rcu = crate::rcu::read_lock();
    // SAFETY: See above.
    let dev = unsafe { Dev::<T>::from_raw(dev) };
    for lower in dev.lowers_rcu(&rcu).filter(|lower| lower.dev().has_link()) {
        // SAFETY: The device is allocated; does nothing unless it is used for such messages.
        unsafe { bindings::netpoll_poll_dev(lower.dev().as_ptr()) };
    }
}
