// SPDX-License-Identifier: GPL-2.0

//! Netpoll (messages that are sent without interrupts) through a master; see
//! [`netpoll`](super::netpoll).

use super::device::{Dev, Lower, Master};
use super::netpoll::has_npinfo;
use super::ops::Ops;
use crate::bindings;
use crate::rcu::Rcu;
use crate::rtnl::Rtnl;
use crate::skbuff::{lower_queue_mapping, SkBuff, XMIT_DROP};
use kernel::error::from_result;
use kernel::sync::atomic::Acquire;

/// A driver through whose devices netpoll messages can be sent.
pub trait Netpoll: Master {
    /// Returns the lower device through which a netpoll message would leave; if it leaves through
    /// several, returns the one that follows `previous`.
    fn next_xmit_lower<'a>(
        dev: &'a Dev<Self>,
        skb: &SkBuff,
        previous: Option<&Lower<Self>>,
        rcu: &'a Rcu,
    ) -> Option<&'a Lower<Self>>;
}

impl<T: Netpoll> Ops<T> {
    /// Adds support for netpoll messages.
    pub const fn with_netpoll(mut self) -> Self {
        self.netdev.ndo_start_xmit = Some(ndo_start_xmit::<T>);
        self.netdev.ndo_netpoll_setup = Some(ndo_netpoll_setup::<T>);
        self.netdev.ndo_netpoll_cleanup = Some(ndo_netpoll_cleanup::<T>);
        self.netdev.ndo_poll_controller = Some(ndo_poll_controller::<T>);
        self
    }
}

/// Sends a packet, which may be a netpoll message.
///
/// # Safety
///
/// `dev` must be a device of driver `T`, and `skb` a packet that is given to us. Bottom halves must
/// be off, which is an RCU read-side section.
unsafe extern "C" fn ndo_start_xmit<T: Netpoll>(
    skb: *mut bindings::sk_buff,
    dev: *mut bindings::net_device,
) -> bindings::netdev_tx_t {
    // SAFETY: The caller passes a device of driver `T` and a packet that becomes ours, and is in an
    // RCU read-side section, since bottom halves are off.
    unsafe {
        let (dev, skb, rcu) = (Dev::from_raw(dev), SkBuff::from_raw(skb), Rcu::assume());
        if sends_messages::<T>(dev) {
            return start_xmit(dev, skb, rcu);
        }
        T::start_xmit(dev, skb, rcu)
    }
}

/// Returns whether some of the packets that leave may be netpoll messages.
#[inline(always)]
fn sends_messages<T: Netpoll>(dev: &Dev<T>) -> bool {
    // SAFETY: The device is valid (type invariant).
    unsafe { has_npinfo(dev.as_ptr()) }
}

/// Sends what may be a netpoll message: if it is one, its sender runs with interrupts off.
#[cold]
#[inline(never)]
fn start_xmit<T: Netpoll>(dev: &Dev<T>, skb: SkBuff, rcu: &Rcu) -> i32 {
    // SAFETY: The helper only reads the state of this CPU.
    if unsafe { bindings::nh_irqs_disabled() } {
        xmit(dev, skb, rcu)
    } else {
        T::start_xmit(dev, skb, rcu)
    }
}

fn xmit<T: Netpoll>(dev: &Dev<T>, skb: SkBuff, rcu: &Rcu) -> i32 {
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

fn send<T: Netpoll>(lower: &Lower<T>, skb: SkBuff) -> i32 {
    let netpoll = lower.netpoll.load(Acquire);
    let skb = skb.into_raw();
    // SAFETY: The packet is valid and ours; for the mapping, see `SkBuff::transmit_through`. The
    // netpoll is freed only when nobody who may have found it runs with interrupts off any more. If
    // there is no netpoll, the packet is freed.
    unsafe {
        (*skb).queue_mapping = *lower_queue_mapping(skb);
        bindings::netpoll_send_skb(netpoll, skb)
    }
}

/// Called when somebody begins to send netpoll messages.
///
/// # Safety
///
/// `dev` must be a device of driver `T` for which `ndo_init` has succeeded. The caller must hold
/// RTNL.
unsafe extern "C" fn ndo_netpoll_setup<T: Netpoll>(dev: *mut bindings::net_device) -> i32 {
    // SAFETY: The caller passes an initialised device of driver `T` and holds RTNL.
    let (dev, rtnl) = unsafe { (Dev::<T>::from_raw(dev), Rtnl::assume()) };
    from_result(|| {
        dev.all_or_none(rtnl, |lower| lower.poll(rtnl), |lower| lower.unpoll(rtnl))
            .map(|()| 0)
    })
}

/// Called when nobody sends netpoll messages any more.
///
/// # Safety
///
/// `dev` must be a device of driver `T` for which `ndo_init` has succeeded. The caller must hold
/// RTNL.
unsafe extern "C" fn ndo_netpoll_cleanup<T: Netpoll>(dev: *mut bindings::net_device) {
    // SAFETY: The caller passes an initialised device of driver `T` and holds RTNL.
    let (dev, rtnl) = unsafe { (Dev::<T>::from_raw(dev), Rtnl::assume()) };
    dev.lowers(rtnl).for_each(|lower| lower.unpoll(rtnl));
}

/// Has the lower devices look for packets without an interrupt. Called with interrupts off.
///
/// # Safety
///
/// `dev` must be a device of driver `T` for which `ndo_init` has succeeded.
unsafe extern "C" fn ndo_poll_controller<T: Netpoll>(dev: *mut bindings::net_device) {
    let rcu = crate::rcu::read_lock();
    // SAFETY: The caller passes an initialised device of driver `T`.
    let dev = unsafe { Dev::<T>::from_raw(dev) };
    for lower in dev.lowers_rcu(&rcu).filter(|lower| lower.dev().has_link()) {
        // SAFETY: The device is valid (type invariant). This does nothing if the device is not used
        // for netpoll messages.
        unsafe { bindings::netpoll_poll_dev(lower.dev().as_ptr()) };
    }
}
