// SPDX-License-Identifier: GPL-2.0

//! How a device becomes a lower device, and what happens to the packets that it receives then.
//!
//! C header: [`include/linux/netdevice.h`](srctree/include/linux/netdevice.h)
//! (`netdev_master_upper_dev_link()`, `netdev_rx_handler_register()`)
//!
//! A work item frees the object of a lower device. It takes RTNL after an RCU grace period, so
//! neither a read-side section nor a function that holds RTNL ever sees an object disappear,
//! whatever it calls in the meantime.

use super::device::{next_of, Dev, Layout, Lower, Master, Rx};
use crate::bindings;
use crate::netdevice::NetDevice;
use crate::netlink::ExtAck;
use crate::rcu::Rcu;
use crate::rtnl::{self, Rtnl};
use crate::skbuff::{dev_of, Received};
use core::pin::Pin;
use core::ptr;
use core::sync::atomic::{AtomicU32, Ordering};
use kernel::error::{code::*, to_result, Result};
use kernel::prelude::*;
use kernel::sync::atomic::Relaxed;
use kernel::types::Opaque;

/// How a master distributes its packets (`enum netdev_lag_tx_type`), for drivers that do so in
/// hardware.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum LagTx {
    /// Through the lower devices in turn.
    RoundRobin,
    /// Through one lower device at a time.
    ActiveBackup,
    /// Through all lower devices at once.
    Broadcast,
    /// By a hash.
    Hash(LagHash),
    /// In another way.
    Unknown,
}

/// The input of the hash that distributes packets (`enum netdev_lag_hash`).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum LagHash {
    /// Hardware addresses.
    L2,
    /// IP addresses and ports.
    L34,
    /// Hardware and IP addresses.
    L23,
    /// Like `L23`, within tunnels.
    E23,
    /// Like `L34`, within tunnels.
    E34,
    /// The VLAN and the hardware address of the source.
    VlanSrcMac,
}

impl LagHash {
    const fn raw(self) -> bindings::netdev_lag_hash {
        match self {
            LagHash::L2 => bindings::netdev_lag_hash_NETDEV_LAG_HASH_L2,
            LagHash::L34 => bindings::netdev_lag_hash_NETDEV_LAG_HASH_L34,
            LagHash::L23 => bindings::netdev_lag_hash_NETDEV_LAG_HASH_L23,
            LagHash::E23 => bindings::netdev_lag_hash_NETDEV_LAG_HASH_E23,
            LagHash::E34 => bindings::netdev_lag_hash_NETDEV_LAG_HASH_E34,
            LagHash::VlanSrcMac => bindings::netdev_lag_hash_NETDEV_LAG_HASH_VLAN_SRCMAC,
        }
    }
}

impl<T: Master> Lower<T> {
    /// Links `dev` below `master`: takes over its received packets, tells the core and the notifier
    /// chain (`NETDEV_CHANGEUPPER`), and adds it to the master's list. May sleep. `prepare` is
    /// called before anybody can find the lower device.
    ///
    /// From here on, other kernel code recognises `dev` by its flags ([`Layout::FLAG`] and
    /// `IFF_SLAVE`), and expects its `rx_handler_data` to point to what [`Layout::Lower`]
    /// describes.
    ///
    /// # Errors
    ///
    /// `ENODEV` if one of the devices is not registered, or is about to be unregistered: nothing
    /// would undo the link. `EBUSY` if `dev` is `master`, is above it, or has another handler or
    /// master. `EPERM` if `dev` is a master of another kind: its private area would be taken for
    /// one of this kind. `ENOMEM`, and any error with which a listener refuses the link.
    pub fn link_up<'a, E>(
        master: &'a Dev<T>,
        dev: &'a NetDevice,
        data: impl PinInit<T::Lower, E>,
        tx: LagTx,
        prepare: impl FnOnce(&Lower<T>),
        extack: Option<&ExtAck>,
        rtnl: &'a Rtnl,
    ) -> Result<&'a Lower<T>>
    where
        Error: From<E>,
    {
        if !master.is_registered(rtnl) || !dev.is_registered(rtnl) {
            return Err(ENODEV);
        }
        // The core refuses this too, but only when packets may already have looped through the
        // handlers.
        let upper: &NetDevice = master;
        if upper == dev || master.has_upper(rtnl, dev) {
            return Err(EBUSY);
        }
        let flag = <T::Layout as Layout>::FLAG;
        if dev.is_master() && !dev.has_priv_flag(flag) {
            return Err(EPERM);
        }
        let dir = T::REGISTRY.lower_dir().ok_or(ENODEV)?;
        let this = Self::new(master, dev, data, dir, Some(free::<T>))?;
        // SAFETY: The object stays where it is until `free` makes a box of it again.
        let raw = KBox::into_raw(unsafe { Pin::into_inner_unchecked(this) });
        // SAFETY: The pointer was just made from a box. From here on, only `dispose` has the object
        // freed, and not before RTNL has been dropped.
        let lower: &'a Lower<T> = unsafe { &*raw };
        prepare(lower);

        // SAFETY: RTNL is held. The object, which is the handler's data, outlives the handler:
        // `unlink` unregisters the handler first.
        let res = to_result(unsafe {
            bindings::netdev_rx_handler_register(dev.as_ptr(), Some(rx_handler::<T>), raw.cast())
        });
        if let Err(err) = res {
            lower.dispose();
            return Err(err);
        }
        // Not before the handler is ours: a device that others take for one of our lower devices
        // must have our data. A master that becomes a lower device has the flag already, and keeps
        // it.
        if !dev.has_priv_flag(flag) {
            lower.marked.store(true, Relaxed);
            dev.set_priv_flag(rtnl, flag, true);
        }

        let mut info = bindings::netdev_lag_upper_info {
            tx_type: match tx {
                LagTx::RoundRobin => bindings::netdev_lag_tx_type_NETDEV_LAG_TX_TYPE_ROUNDROBIN,
                LagTx::ActiveBackup => bindings::netdev_lag_tx_type_NETDEV_LAG_TX_TYPE_ACTIVEBACKUP,
                LagTx::Broadcast => bindings::netdev_lag_tx_type_NETDEV_LAG_TX_TYPE_BROADCAST,
                LagTx::Hash(_) => bindings::netdev_lag_tx_type_NETDEV_LAG_TX_TYPE_HASH,
                LagTx::Unknown => bindings::netdev_lag_tx_type_NETDEV_LAG_TX_TYPE_UNKNOWN,
            },
            hash_type: match tx {
                LagTx::Hash(hash) => hash.raw(),
                _ => bindings::netdev_lag_hash_NETDEV_LAG_HASH_NONE,
            },
        };
        // SAFETY: RTNL is held, both devices are valid, and the info is valid for the call.
        let res = to_result(unsafe {
            bindings::netdev_master_upper_dev_link(
                dev.as_ptr(),
                master.as_ptr(),
                raw.cast(),
                (&raw mut info).cast(),
                ExtAck::as_ptr(extack),
            )
        });
        if let Err(err) = res {
            lower.unmark(rtnl);
            // SAFETY: RTNL is held, and the handler was registered above. This waits until the
            // handler no longer runs.
            unsafe { bindings::netdev_rx_handler_unregister(dev.as_ptr()) };
            lower.dispose();
            return Err(err);
        }
        dev.mark_slave(rtnl, true);

        let mut tail = &master.private().first;
        while let Some(last) = next_of(tail) {
            tail = &last.next;
        }
        lower.linked.store(true, Relaxed);
        tail.store(raw, Ordering::Release);
        master.add_to_count(1);
        // SAFETY: The device stays while this object is linked to it, and `unlink` removes the
        // directory under RTNL.
        unsafe { lower.object.add(dev, dir) }.inspect_err(|_| lower.unlink(rtnl, || ()))?;
        Ok(lower)
    }

    /// Undoes [`Self::link_up`]. When this returns, the device cannot be found through its master
    /// any more, and none of its packets is on its way to the master. Sleeps.
    ///
    /// Until `then` has run, the device keeps [`Layout::FLAG`], by which drivers recognise a lower
    /// device that is leaving: they look for the flag when the device is closed. Has no effect if
    /// the lower device was already unlinked; `then` does not run in that case.
    ///
    /// Existing references stay valid until their lifetimes end.
    pub fn unlink(&self, rtnl: &Rtnl, then: impl FnOnce()) {
        if !self.linked.xchg(false, Relaxed) {
            return;
        }
        let (dev, master) = (self.dev(), self.master());
        master.clear_slots(self, rtnl);
        let mut at = &master.private().first;
        while let Some(lower) = next_of(at) {
            if ptr::eq(lower, self) {
                // The removed node keeps its own link: a reader may still be at it.
                at.store(self.next.load(Ordering::Relaxed), Ordering::Release);
                break;
            }
            at = &lower.next;
        }
        master.add_to_count(-1);
        self.object.remove(rtnl);
        // SAFETY: RTNL is held, and `link_up` registered the handler. This waits for a grace
        // period, after the changes to the slots and the list above.
        unsafe { bindings::netdev_rx_handler_unregister(dev.as_ptr()) };
        // SAFETY: RTNL is held, and the devices are linked.
        unsafe { bindings::netdev_upper_dev_unlink(dev.as_ptr(), master.as_ptr()) };
        dev.mark_slave(rtnl, false);
        self.unpoll(rtnl);
        master.ipsec_states().take_from(dev, rtnl);
        then();
        self.unmark(rtnl);
        self.dispose();
    }

    /// Clears the flag that [`Self::link_up`] has set on the device.
    fn unmark(&self, rtnl: &Rtnl) {
        if self.marked.xchg(false, Relaxed) {
            self.dev()
                .set_priv_flag(rtnl, <T::Layout as Layout>::FLAG, false);
        }
    }

    /// Has the object freed when no reference to it can exist any more.
    fn dispose(&self) {
        // SAFETY: This is called once: by a `link_up` that failed, or by the first `unlink`. The
        // directory was not made, or has been removed.
        unsafe { self.object.put() };
    }
}

/// Frees the object of a lower device, which sysfs no longer uses, once nobody else can use it
/// either.
///
/// # Safety
///
/// Must be called once, by the release function of the sysfs object.
pub(crate) unsafe fn free_later<T: Master>(this: *mut Lower<T>) {
    // SAFETY: The work was initialised by `Lower::new`, and the caller guarantees that it is queued
    // only once. The queue exists until the driver is unregistered, which waits for this object.
    unsafe {
        let work = Opaque::cast_into(&raw const (*this).free);
        bindings::queue_rcu_work(T::REGISTRY.free_wq(), work);
    }
}

/// Frees a [`Lower`] a grace period after it was disposed of.
///
/// # Safety
///
/// `work` must be the work of a [`Lower<T>`] that was disposed of a grace period ago.
unsafe extern "C" fn free<T: Master>(work: *mut bindings::work_struct) {
    // SAFETY: The caller passes the work of a `Lower<T>`. The work is the first field of the
    // `rcu_work` in it, and `Opaque` is transparent.
    let lower =
        unsafe { kernel::container_of!(work.cast::<Opaque<bindings::rcu_work>>(), Lower<T>, free) };
    // Whoever held RTNL when the object was disposed of has dropped it once this has taken RTNL.
    drop(rtnl::lock());
    // SAFETY: `link_up` made the pointer from a pinned box, and nobody has a reference any more.
    // The last thing that the object does is to give up its use of the driver; whoever destroys the
    // queue waits for the rest of this function.
    drop(unsafe { Pin::new_unchecked(KBox::from_raw(lower)) });
}

/// Receives the packets of a lower device (`rx_handler_func_t`).
///
/// Everything but the usual case is in separate functions, so that this one needs no stack frame.
///
/// # Safety
///
/// `pskb` must point to a packet that was received by a device which `link_up` of the same `T` has
/// linked. The caller must be in the read-side section in which it has read this handler.
unsafe extern "C" fn rx_handler<T: Master>(
    pskb: *mut *mut bindings::sk_buff,
) -> bindings::rx_handler_result_t {
    // SAFETY: The stack gives us a valid packet; `users` is an aligned word that is read as a
    // whole.
    let skb = unsafe { *pskb };
    // SAFETY: As above.
    let users = unsafe { AtomicU32::from_ptr((&raw mut (*skb).users).cast()) };
    if users.load(Ordering::Relaxed) != 1 {
        // SAFETY: The caller's guarantees hold for `receive_shared`, too, which has the same
        // requirements.
        return unsafe { receive_shared::<T>(pskb) };
    }
    // SAFETY: The packet is not shared, and the stack has read this handler in the read-side
    // section that is still open.
    unsafe { receive::<T>(skb) }
}

/// Receives a packet to which others hold references, too.
///
/// # Safety
///
/// As for [`rx_handler`].
#[cold]
#[inline(never)]
unsafe fn receive_shared<T: Master>(
    pskb: *mut *mut bindings::sk_buff,
) -> bindings::rx_handler_result_t {
    // SAFETY: The packet is valid. We own one reference to it, which is given away in exchange for
    // the result.
    let skb = unsafe { bindings::nh_share_check(*pskb) };
    if skb.is_null() {
        return bindings::rx_handler_result_RX_HANDLER_CONSUMED;
    }
    // SAFETY: `pskb` is valid during the call, and the packet is not shared any more.
    unsafe {
        *pskb = skb;
        receive::<T>(skb)
    }
}

/// Receives a packet that is not shared.
///
/// # Safety
///
/// `skb` must be valid. The caller must be in the read-side section in which the stack has read the
/// handler of the packet's device, and that handler must be one of ours for `T`.
#[inline(always)]
unsafe fn receive<T: Master>(skb: *mut bindings::sk_buff) -> bindings::rx_handler_result_t {
    // SAFETY: The caller guarantees that the handler is ours, so `rx_handler_data` is the object
    // that was registered with it (`netdev_rx_handler_register()`). It is not freed before the
    // section ends.
    let lower = unsafe { &*(**dev_of(skb)).rx_handler_data.cast::<Lower<T>>() };
    // SAFETY: The caller guarantees that the packet is valid; it is on the receive path and not
    // shared.
    let packet = unsafe { Received::from_raw(skb) };
    if T::takes(lower, packet) {
        // SAFETY: The packet is valid.
        unsafe { *dev_of(skb) = lower.master().as_ptr() };
        return bindings::rx_handler_result_RX_HANDLER_ANOTHER;
    }
    // SAFETY: The caller's guarantees hold for `receive_some`, too.
    unsafe { receive_some(lower, skb) }
}

/// Like [`receive`], for a packet that has to be looked at.
///
/// # Safety
///
/// As for [`receive`].
#[inline(never)]
unsafe fn receive_some<T: Master>(
    lower: &Lower<T>,
    skb: *mut bindings::sk_buff,
) -> bindings::rx_handler_result_t {
    // SAFETY: The caller guarantees that the packet is valid and not shared, and that this is a
    // read-side section.
    let (packet, rcu) = unsafe { (Received::from_raw(skb), Rcu::assume()) };
    match T::receive(lower, packet, rcu) {
        Rx::Another => {
            // SAFETY: The packet is valid.
            unsafe { *dev_of(skb) = lower.master().as_ptr() };
            bindings::rx_handler_result_RX_HANDLER_ANOTHER
        }
        Rx::Exact => bindings::rx_handler_result_RX_HANDLER_EXACT,
        Rx::Pass => bindings::rx_handler_result_RX_HANDLER_PASS,
        Rx::Consumed => {
            // SAFETY: The packet is valid. We own the reference, which is given away in exchange
            // for the result.
            unsafe { bindings::nh_consume_skb(skb) };
            bindings::rx_handler_result_RX_HANDLER_CONSUMED
        }
    }
}
