// SPDX-License-Identifier: GPL-2.0

//! Link types of rtnetlink (`ip link add type KIND`).
//!
//! C header: [`include/net/rtnetlink.h`](srctree/include/net/rtnetlink.h)

use super::device::{Dev, Lower, Master, Private};
use super::ops::{setup, Ops};
use super::registration::Registration as Driver;
use crate::bindings;
use crate::netdevice::NetDevice;
use crate::netlink::{total_size, Attr, Attrs, ExtAck, Message, Nest, Policy};
use crate::rcu::{self, Rcu};
use crate::rtnl::{Rtnl, RtnlOnly};
use kernel::error::{code::*, from_result, to_result, Result};
use kernel::sync::atomic::{Full, Release};
use kernel::sync::Arc;

/// The link operations of a driver: what users ask of its devices by netlink.
///
/// All functions run under RTNL and may sleep, except for those that fill messages. These run in an
/// RCU read-side section, whether or not their caller holds RTNL, which the kernel is about to do
/// without.
pub trait LinkOps<T: Master>: 'static {
    /// The number of attributes of a device, including number 0, which is not an attribute.
    const ATTRS: usize;
    /// The number of attributes of a lower device, likewise.
    const LOWER_ATTRS: usize;

    /// Returns how many queues a new device has.
    fn queues() -> u32;

    /// Checks a request to add or change a device before the request is carried out; `address` is
    /// the hardware address that it asks for.
    fn validate(address: Option<Attr<'_>>, extack: Option<&ExtAck>) -> Result;

    /// Sets the attributes of a device. If this fails for a new device, the device is removed
    /// again.
    fn change(dev: &Dev<T>, attrs: &Attrs<'_>, extack: Option<&ExtAck>, rtnl: &RtnlOnly) -> Result;

    /// Returns the room, in bytes, that the attributes of a device take at most.
    fn size() -> usize;

    /// Writes the attributes of a device.
    fn fill(dev: &Dev<T>, message: &mut Message<'_>, rcu: &Rcu) -> Result;

    /// Sets the attributes of a lower device.
    fn change_lower(
        lower: &Lower<T>,
        attrs: &Attrs<'_>,
        extack: Option<&ExtAck>,
        rtnl: &RtnlOnly,
    ) -> Result;

    /// Returns the room, in bytes, that the attributes of a lower device take at most.
    fn lower_size() -> usize;

    /// Writes the attributes of a lower device.
    fn fill_lower(lower: &Lower<T>, message: &mut Message<'_>, rcu: &Rcu) -> Result;

    /// The nest of the extended statistics (`LINK_XSTATS_TYPE_*`).
    const XSTATS: u16;

    /// Returns the room, in bytes, that the extended statistics take at most.
    fn xstats_size() -> usize;

    /// Returns the extended statistics of a device, or of one of its lower devices.
    fn xstats(dev: &Dev<T>, lower: Option<&Lower<T>>) -> Result<Nest>;
}

impl<T: Master> Ops<T> {
    /// Adds the link operations.
    pub const fn with_link<L: LinkOps<T>, const N: usize, const M: usize>(
        mut self,
        policy: &'static Policy<N>,
        lower_policy: &'static Policy<M>,
    ) -> Self {
        assert!(N == L::ATTRS && M == L::LOWER_ATTRS);
        let ops = self.link.get_mut();
        *ops = bindings::rtnl_link_ops {
            kind: ops.kind,
            priv_size: Private::<T>::SIZE,
            setup: Some(setup::<T>),
            maxtype: Policy::<N>::MAX as u32,
            policy: policy.as_ptr(),
            validate: Some(validate::<T, L>),
            newlink: Some(newlink::<T, L>),
            changelink: Some(changelink::<T, L>),
            get_size: Some(get_size::<T, L>),
            fill_info: Some(fill_info::<T, L>),
            get_num_tx_queues: Some(get_num_queues::<T, L>),
            get_num_rx_queues: Some(get_num_queues::<T, L>),
            slave_maxtype: Policy::<M>::MAX as u32,
            slave_policy: lower_policy.as_ptr(),
            slave_changelink: Some(slave_changelink::<T, L>),
            get_slave_size: Some(get_slave_size::<T, L>),
            fill_slave_info: Some(fill_slave_info::<T, L>),
            get_linkxstats_size: Some(get_linkxstats_size::<T, L>),
            fill_linkxstats: Some(fill_linkxstats::<T, L>),
            ..pin_init::zeroed()
        };
        self
    }
}

/// A link type that is registered. Dropping this deletes all its devices in all namespaces.
pub struct Registration<T: Master> {
    ops: &'static Ops<T>,
    /// Keeps the driver registered: users can make devices as long as the link type is registered.
    _driver: Arc<Driver<T>>,
}

impl<T: Master> Registration<T> {
    /// Registers the link type of a driver. Only one registration may exist at a time. May sleep.
    /// The driver stays registered as long as its link type.
    ///
    /// # Errors
    ///
    /// `EEXIST` if there already is a link type of that name, `EBUSY` if it is this one, `ENODEV`
    /// if the driver has no link operations.
    pub fn new(driver: Arc<Driver<T>>) -> Result<Self> {
        let ops = driver.ops();
        if ops.link.registered.xchg(true, Full) {
            return Err(EBUSY);
        }
        // SAFETY: The table is static and not registered, so nobody else uses it.
        let res = unsafe {
            let link = ops.link.as_ptr();
            if (*link).setup.is_some() {
                to_result(bindings::rtnl_link_register(link))
            } else {
                Err(ENODEV)
            }
        };
        if res.is_err() {
            ops.link.registered.store(false, Release);
        }
        res.map(|()| Self {
            ops,
            _driver: driver,
        })
    }
}

impl<T: Master> Drop for Registration<T> {
    fn drop(&mut self) {
        let link = &self.ops.link;
        // SAFETY: `new` registered the link type. The driver is still registered: the fields of
        // this are dropped afterwards.
        unsafe { bindings::rtnl_link_unregister(link.as_ptr()) };
        link.registered.store(false, Release);
    }
}

/// Checks a request.
///
/// # Safety
///
/// `tb` must have an entry for each `IFLA_*`. The entries and `extack` must be valid or NULL.
unsafe extern "C" fn validate<T: Master, L: LinkOps<T>>(
    tb: *mut *mut bindings::nlattr,
    _data: *mut *mut bindings::nlattr,
    extack: *mut bindings::netlink_ext_ack,
) -> i32 {
    from_result(|| {
        // SAFETY: The kernel's array has an entry for each `IFLA_*`. The entries and `extack` are
        // valid or NULL during the call.
        let (tb, extack) = unsafe {
            (
                Attrs::from_raw(tb, bindings::IFLA_ADDRESS as u16),
                ExtAck::from_raw(extack),
            )
        };
        let address = tb.and_then(|tb| tb.get(bindings::IFLA_ADDRESS as u16));
        L::validate(address, extack).map(|()| 0)
    })
}

/// Registers a device that was made by a request.
///
/// # Safety
///
/// `dev` must be allocated and set up by `setup` of the same `T`. The caller must hold RTNL and no
/// instance lock. The arrays of attributes must have the sizes that the table states.
unsafe extern "C" fn newlink<T: Master, L: LinkOps<T>>(
    dev: *mut bindings::net_device,
    params: *mut bindings::rtnl_newlink_params,
    extack: *mut bindings::netlink_ext_ack,
) -> i32 {
    from_result(|| {
        // SAFETY: The device was allocated and set up by our `setup`; the caller holds RTNL.
        to_result(unsafe { bindings::register_netdevice(dev) })?;
        // SAFETY: The device was just registered, so `ndo_init` has succeeded. The caller holds
        // RTNL and no instance lock.
        let (dev, rtnl) = unsafe { (Dev::<T>::from_raw(dev), RtnlOnly::assume()) };
        // SAFETY: The caller guarantees the sizes of the arrays; what they point to is valid during
        // the call.
        let (attrs, extack) = unsafe {
            (
                Attrs::from_raw((*params).data, max::<T, L>()),
                ExtAck::from_raw(extack),
            )
        };
        if let Some(attrs) = attrs {
            if let Err(err) = L::change(dev, &attrs, extack, rtnl) {
                // SAFETY: After an error, rtnetlink only calls `free_netdev()` for the device. That
                // function sees that the device is being unregistered, and leaves it to the core.
                unsafe { dev.unregister_now(rtnl) };
                return Err(err);
            }
        }
        Ok(0)
    })
}

fn max<T: Master, L: LinkOps<T>>() -> u16 {
    L::ATTRS.saturating_sub(1) as u16
}

/// Changes a device as a request asks.
///
/// # Safety
///
/// `dev` must be a device of driver `T` for which `ndo_init` has succeeded. The caller must hold
/// RTNL and no instance lock. The array of attributes must have the size that the table states.
unsafe extern "C" fn changelink<T: Master, L: LinkOps<T>>(
    dev: *mut bindings::net_device,
    _tb: *mut *mut bindings::nlattr,
    data: *mut *mut bindings::nlattr,
    extack: *mut bindings::netlink_ext_ack,
) -> i32 {
    from_result(|| {
        // SAFETY: The caller passes an initialised device of driver `T`, and holds RTNL and no
        // instance lock. The attributes and `extack` are valid during the call.
        unsafe {
            match Attrs::from_raw(data, max::<T, L>()) {
                Some(attrs) => L::change(
                    Dev::from_raw(dev),
                    &attrs,
                    ExtAck::from_raw(extack),
                    RtnlOnly::assume(),
                ),
                None => Ok(()),
            }
        }
        .map(|()| 0)
    })
}

/// Returns the room that the attributes of a device take.
///
/// # Safety
///
/// None: this only counts.
unsafe extern "C" fn get_size<T: Master, L: LinkOps<T>>(
    _dev: *const bindings::net_device,
) -> usize {
    L::size()
}

/// Writes the attributes of a device.
///
/// # Safety
///
/// `dev` must be a device of driver `T` that is registered, and `skb` must be a message that
/// belongs to the caller.
unsafe extern "C" fn fill_info<T: Master, L: LinkOps<T>>(
    skb: *mut bindings::sk_buff,
    dev: *const bindings::net_device,
) -> i32 {
    let rcu = rcu::read_lock();
    from_result(|| {
        // SAFETY: The caller passes a registered device of driver `T`; the message is ours during
        // the call.
        let (dev, mut message) = unsafe { (Dev::from_raw(dev.cast_mut()), Message::from_raw(skb)) };
        L::fill(dev, &mut message, &rcu).map(|()| 0)
    })
}

/// Returns the number of queues of a new device.
///
/// # Safety
///
/// None: this only asks the driver.
unsafe extern "C" fn get_num_queues<T: Master, L: LinkOps<T>>() -> u32 {
    L::queues()
}

/// Finds the lower device for which a callback was called.
///
/// # Safety
///
/// `dev` and `lower` must be what a callback was given, and the caller must hold RTNL. `'a` must
/// end before the callback returns.
unsafe fn lower_of<'a, T: Master>(
    dev: *const bindings::net_device,
    lower: *const bindings::net_device,
) -> Option<&'a Lower<T>> {
    // SAFETY: Both devices are valid and RTNL is held. The pointer that the core keeps for a lower
    // device of driver `T` is the one that `Lower::link_up` gave it. It stays valid as long as RTNL
    // is held.
    unsafe {
        bindings::netdev_lower_dev_get_private(dev.cast_mut(), lower.cast_mut())
            .cast::<Lower<T>>()
            .as_ref()
    }
}

/// Changes a lower device as a request asks.
///
/// # Safety
///
/// `dev` must be a device of driver `T` for which `ndo_init` has succeeded. The caller must hold
/// RTNL and no instance lock. `lower` must be a device below it. The array of attributes must have
/// the size that the table states.
unsafe extern "C" fn slave_changelink<T: Master, L: LinkOps<T>>(
    dev: *mut bindings::net_device,
    lower: *mut bindings::net_device,
    _tb: *mut *mut bindings::nlattr,
    data: *mut *mut bindings::nlattr,
    extack: *mut bindings::netlink_ext_ack,
) -> i32 {
    from_result(|| {
        // SAFETY: The caller passes a device of driver `T` and a device below it, and holds RTNL
        // and no instance lock. The attributes and `extack` are valid during the call.
        let (lower, attrs, extack, rtnl) = unsafe {
            (
                lower_of::<T>(dev, lower),
                Attrs::from_raw(data, L::LOWER_ATTRS.saturating_sub(1) as u16),
                ExtAck::from_raw(extack),
                RtnlOnly::assume(),
            )
        };
        let Some(attrs) = attrs else { return Ok(0) };
        L::change_lower(lower.ok_or(EINVAL)?, &attrs, extack, rtnl).map(|()| 0)
    })
}

/// Returns the room that the attributes of a lower device take.
///
/// # Safety
///
/// None: this only counts.
unsafe extern "C" fn get_slave_size<T: Master, L: LinkOps<T>>(
    _dev: *const bindings::net_device,
    _lower: *const bindings::net_device,
) -> usize {
    L::lower_size()
}

/// Writes the attributes of a lower device.
///
/// # Safety
///
/// `dev` and `lower` must be devices, `dev` one of driver `T` that is registered. `skb` must be a
/// message that belongs to the caller.
unsafe extern "C" fn fill_slave_info<T: Master, L: LinkOps<T>>(
    skb: *mut bindings::sk_buff,
    dev: *const bindings::net_device,
    lower: *const bindings::net_device,
) -> i32 {
    let rcu = rcu::read_lock();
    from_result(|| {
        // SAFETY: The caller passes a registered device of driver `T` and another device; the
        // message is ours during the call.
        let (dev, lower, mut message) = unsafe {
            (
                Dev::<T>::from_raw(dev.cast_mut()),
                NetDevice::from_raw(lower.cast_mut()),
                Message::from_raw(skb),
            )
        };
        match dev.lowers_rcu(&rcu).find(|at| at.dev() == lower) {
            Some(lower) => L::fill_lower(lower, &mut message, &rcu).map(|()| 0),
            // The lower device may just have left: there is nothing to report.
            None => Ok(0),
        }
    })
}

/// Whose extended statistics are asked for.
enum Xstats {
    OfDevice,
    OfLower,
}

fn xstats(attr: i32) -> Option<Xstats> {
    match attr.unsigned_abs() {
        bindings::IFLA_STATS_LINK_XSTATS => Some(Xstats::OfDevice),
        bindings::IFLA_STATS_LINK_XSTATS_SLAVE => Some(Xstats::OfLower),
        _ => None,
    }
}

/// Returns the room that the extended statistics take.
///
/// # Safety
///
/// None: this only counts.
unsafe extern "C" fn get_linkxstats_size<T: Master, L: LinkOps<T>>(
    _dev: *const bindings::net_device,
    attr: i32,
) -> usize {
    match xstats(attr) {
        Some(_) => total_size(L::xstats_size()),
        None => 0,
    }
}

/// Writes the driver's nest.
///
/// # Safety
///
/// `dev` must be a device, whose operations or whose master's operations these are. The caller must
/// hold RTNL. `skb` must be a message that belongs to the caller.
unsafe extern "C" fn fill_linkxstats<T: Master, L: LinkOps<T>>(
    skb: *mut bindings::sk_buff,
    dev: *const bindings::net_device,
    _prividx: *mut i32,
    attr: i32,
) -> i32 {
    from_result(|| {
        let whose = xstats(attr).ok_or(EINVAL)?;
        // SAFETY: The caller passes a device and holds RTNL; the message is ours during the call.
        let (dev, rtnl, mut message) = unsafe {
            (
                NetDevice::from_raw(dev.cast_mut()),
                Rtnl::assume(),
                Message::from_raw(skb),
            )
        };
        let nest = match whose {
            Xstats::OfDevice => L::xstats(Dev::from_netdev(dev).ok_or(EINVAL)?, None)?,
            Xstats::OfLower => {
                let master = dev.master(rtnl).and_then(Dev::<T>::from_netdev);
                match master.and_then(|master| Some((master, master.lower_of(rtnl, dev)?))) {
                    Some((master, lower)) => L::xstats(master, Some(lower))?,
                    // The lower device is about to leave.
                    None => return Ok(0),
                }
            }
        };
        message.put_nest(L::XSTATS, false, &nest).map(|()| 0)
    })
}
