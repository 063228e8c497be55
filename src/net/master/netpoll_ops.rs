// SPDX-License-Identifier: GPL-2.0

//! Messages that are sent without interrupts through a master; see [`netpoll`](super::netpoll).

use super::device::{Dev, Lower, Master};
use super::netpoll::has_npinfo;
use super::ops::Ops;
use crate::bindings;
use crate::rcu::Rcu;
use crate::rtnl::Rtnl;
use crate::skbuff::{lower_queue_mapping, SkBuff, XMIT_DROP};
use kernel::error::from_result;
use kernel::sync::atomic::Acquire;

/// A driver through whose devices such messages can be sent.
pub trait Netpoll: Master {
    /// The lower device through which a packet would leave, and after `previous` the next one, if it
    /// leaves through several; for messages that are sent without interrupts.
    fn next_xmit_lower<'a>(
        dev: &'a Dev<Self>,
        skb: &SkBuff,
        previous: Option<&Lower<Self>>,
        rcu: &'a Rcu,
    ) -> Option<&'a Lower<Self>>;
}

impl<T: Netpoll> Ops<T> {
    /// Adds such messages.
    pub const fn with_netpoll(mut self) -> Self {
        self.netdev.ndo_start_xmit = Some(ndo_start_xmit::<T>);
        self.netdev.ndo_netpoll_setup = Some(ndo_netpoll_setup::<T>);
        self.netdev.ndo_netpoll_cleanup = Some(ndo_netpoll_cleanup::<T>);
        self.netdev.ndo_poll_controller = Some(ndo_poll_controller::<T>);
        self
    }
}

/// Sends a packet, which may be such a message.
///
/// # Safety
///
/// `dev` must be a device of driver `T`, and `skb` a packet that is given to us. The stack calls this with bottom
/// halves off, which is an RCU read-side section.
unsafe extern "C" fn ndo_start_xmit<T: Netpoll>(
    skb: *mut bindings::sk_buff,
    dev: *mut bindings::net_device,
) -> bindings::netdev_tx_t {
    // SAFETY: By the caller's promise.
    unsafe {
        let (dev, skb, rcu) = (Dev::from_raw(dev), SkBuff::from_raw(skb), Rcu::assume());
        if sends_messages::<T>(dev) {
            return start_xmit(dev, skb, rcu);
        }
        T::start_xmit(dev, skb, rcu)
    }
}

/// Returns whether some of the packets that leave may be such messages.
#[inline(always)]
fn sends_messages<T: Netpoll>(dev: &Dev<T>) -> bool {
    // SAFETY: The device is valid (type invariant).
    unsafe { has_npinfo(dev.as_ptr()) }
}

/// Sends what may be a message: its sender then runs with interrupts off.
#[cold]
#[inline(never)]
fn start_xmit<T: Netpoll>(dev: &Dev<T>, skb: SkBuff, rcu: &Rcu) -> i32 {
    // SAFETY: The helper only looks at the CPU.
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
    // SAFETY: The packet is valid and ours; for the mapping, see `SkBuff::transmit_through`. The netpoll is freed only when nobody runs with interrupts off any more who might have found it. If
    // there is none, the packet is freed.
    unsafe {
        (*skb).queue_mapping = *lower_queue_mapping(skb);
        bindings::netpoll_send_skb(netpoll, skb)
    }
}

/// Somebody begins to send such messages.
///
/// # Safety
///
/// `dev` must be a device of driver `T` for which `ndo_init` succeeded; RTNL must be held.
unsafe extern "C" fn ndo_netpoll_setup<T: Netpoll>(dev: *mut bindings::net_device) -> i32 {
    // SAFETY: By the caller's promise.
    let (dev, rtnl) = unsafe { (Dev::<T>::from_raw(dev), Rtnl::assume()) };
    from_result(|| {
        dev.all_or_none(rtnl, |lower| lower.poll(rtnl), |lower| lower.unpoll(rtnl))
            .map(|()| 0)
    })
}

/// Nobody sends such messages any more.
///
/// # Safety
///
/// `dev` must be a device of driver `T` for which `ndo_init` succeeded; RTNL must be held.
unsafe extern "C" fn ndo_netpoll_cleanup<T: Netpoll>(dev: *mut bindings::net_device) {
    // SAFETY: By the caller's promise.
    let (dev, rtnl) = unsafe { (Dev::<T>::from_raw(dev), Rtnl::assume()) };
    dev.lowers(rtnl).for_each(|lower| lower.unpoll(rtnl));
}

/// Has the lower devices look for packets without an interrupt. Interrupts off.
///
/// # Safety
///
/// `dev` must be a device of driver `T` for which `ndo_init` succeeded.
unsafe extern "C" fn ndo_poll_controller<T: Netpoll>(dev: *mut bindings::net_device) {
    let rcu = crate::rcu::read_lock();
    // SAFETY: By the caller's promise.
    let dev = unsafe { Dev::<T>::from_raw(dev) };
    for lower in dev.lowers_rcu(&rcu).filter(|lower| lower.dev().has_link()) {
        // SAFETY: The device is valid (type invariant); does nothing unless it is used for such messages.
        unsafe { bindings::netpoll_poll_dev(lower.dev().as_ptr()) };
    }
}
