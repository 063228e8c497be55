// SPDX-License-Identifier: GPL-2.0

//! The C side of [`Master`]: `struct net_device_ops`, `struct header_ops`, and the work. How
//! devices are set up and torn down is in [`ops`](super::ops).
//!
//! C header: [`include/linux/netdevice.h`](srctree/include/linux/netdevice.h)
//!
//! Only `setup::<T>` installs the tables, so the core calls these functions with a device of driver
//! `T` only, and only between `ndo_init` and the destructor. Where RTNL is held, no instance lock
//! is held: a master has none, and the core drops the instance lock of another device before it
//! adds that device to a master or removes it from one.

use super::device::{Dev, Master, Private, Slot};
use crate::alarm::Alarm;
use crate::bindings;
use crate::netdev_features::Features;
use crate::netdevice::{NetDevice, Stats, Vlan, MAX_ADDR_LEN};
use crate::netlink::ExtAck;
use crate::rcu::Rcu;
use crate::rtnl::{Rtnl, RtnlOnly};
use crate::skbuff::SkBuff;
use core::mem::ManuallyDrop;
use core::ptr;
use kernel::error::{code::*, from_result};
use kernel::types::Opaque;

/// Opens the device.
///
/// # Safety
///
/// `dev` must be a device of driver `T` for which `ndo_init` has succeeded. The caller must hold
/// RTNL and no instance lock.
pub(crate) unsafe extern "C" fn ndo_open<T: Master>(dev: *mut bindings::net_device) -> i32 {
    // SAFETY: The caller passes an initialised device of driver `T`, and holds RTNL and no instance
    // lock.
    from_result(|| unsafe { T::open(Dev::from_raw(dev), RtnlOnly::assume()) }.map(|()| 0))
}

/// Closes the device.
///
/// # Safety
///
/// `dev` must be a device of driver `T` for which `ndo_init` has succeeded. The caller must hold
/// RTNL and no instance lock.
pub(crate) unsafe extern "C" fn ndo_stop<T: Master>(dev: *mut bindings::net_device) -> i32 {
    // SAFETY: The caller passes an initialised device of driver `T`, and holds RTNL and no instance
    // lock.
    unsafe { T::stop(Dev::from_raw(dev), RtnlOnly::assume()) };
    0
}

/// Sends a packet.
///
/// # Safety
///
/// `dev` must be a device of driver `T` for which `ndo_init` has succeeded. `skb` must be a packet
/// that is given to us. Bottom halves must be off.
pub(crate) unsafe extern "C" fn ndo_start_xmit<T: Master>(
    skb: *mut bindings::sk_buff,
    dev: *mut bindings::net_device,
) -> bindings::netdev_tx_t {
    // SAFETY: The caller passes an initialised device of driver `T`, and a packet that becomes
    // ours. Bottom halves are off, which is an RCU read-side section.
    unsafe { T::start_xmit(Dev::from_raw(dev), SkBuff::from_raw(skb), Rcu::assume()) }
}

/// Keeps the stack's queue mapping for the lower device, and returns one of our queues for the
/// packet.
///
/// # Safety
///
/// `dev` and `skb` must be valid. The control block of the packet must be ours until the packet is
/// queued.
pub(crate) unsafe extern "C" fn ndo_select_queue(
    dev: *mut bindings::net_device,
    skb: *mut bindings::sk_buff,
    _sb_dev: *mut bindings::net_device,
) -> u16 {
    // SAFETY: The packet and the device are valid during the call; `cb` is ours until the packet is
    // queued.
    let recorded = unsafe {
        let recorded = (*skb).queue_mapping;
        *crate::skbuff::lower_queue_mapping(skb) = recorded;
        recorded
    };
    // As `skb_get_rx_queue()` does: the mapping is one more than the queue that received the
    // packet.
    let Some(queue) = recorded.checked_sub(1) else {
        return 0;
    };
    // SAFETY: As above.
    let queues = unsafe { NetDevice::from_raw(dev) }.real_num_tx_queues();
    if queue < queues {
        queue
    } else {
        // A division is slow, and rarely needed.
        queue.checked_rem(queues).unwrap_or(0)
    }
}

/// Returns the statistics.
///
/// # Safety
///
/// `dev` must be a device of driver `T` for which `ndo_init` has succeeded. `storage` must be valid
/// for writes, and may be aligned to only four bytes.
pub(crate) unsafe extern "C" fn ndo_get_stats64<T: Master>(
    dev: *mut bindings::net_device,
    storage: *mut bindings::rtnl_link_stats64,
) {
    let rcu = crate::rcu::read_lock();
    // SAFETY: The caller passes an initialised device of driver `T`. `storage` is valid for writes,
    // and `Stats` has the layout of the C struct. In a netlink message, `storage` is aligned to
    // only four bytes.
    unsafe {
        storage
            .cast::<Stats>()
            .write_unaligned(T::stats(Dev::from_raw(dev), &rcu))
    };
}

/// Handles a change of `IFF_PROMISC` or `IFF_ALLMULTI`.
///
/// # Safety
///
/// `dev` must be a device of driver `T` for which `ndo_init` has succeeded. The caller must hold
/// RTNL and no instance lock.
pub(crate) unsafe extern "C" fn ndo_change_rx_flags<T: Master>(
    dev: *mut bindings::net_device,
    change: i32,
) {
    let change = change as u32;
    // SAFETY: The caller passes an initialised device of driver `T`, and holds RTNL and no instance
    // lock.
    unsafe {
        T::rx_flags_changed(
            Dev::from_raw(dev),
            change & bindings::net_device_flags_IFF_PROMISC != 0,
            change & bindings::net_device_flags_IFF_ALLMULTI != 0,
            RtnlOnly::assume(),
        )
    };
}

/// Handles a change of the address lists.
///
/// # Safety
///
/// `dev` must be a device of driver `T` for which `ndo_init` has succeeded. The caller must hold
/// RTNL and the address lock of the device, with bottom halves off.
pub(crate) unsafe extern "C" fn ndo_set_rx_mode<T: Master>(dev: *mut bindings::net_device) {
    // SAFETY: The caller passes an initialised device of driver `T`. RTNL is held: for devices that
    // have `ndo_change_rx_flags`, the core leaves this call to callers that hold RTNL or to a work
    // item that takes it.
    let (dev, rtnl) = unsafe { (Dev::<T>::from_raw(dev), Rtnl::assume()) };
    // The caller holds the address lock of `dev`, with bottom halves off.
    T::rx_mode(dev, rtnl, &mut |lower, multiple| {
        if !lower.is_linked_to(dev) {
            return Err(EINVAL);
        }
        lower.dev().sync_addrs_locked(dev, multiple)
    });
}

/// Changes the MTU.
///
/// # Safety
///
/// `dev` must be a device of driver `T` for which `ndo_init` has succeeded. The caller must hold
/// RTNL and no instance lock.
pub(crate) unsafe extern "C" fn ndo_change_mtu<T: Master>(
    dev: *mut bindings::net_device,
    mtu: i32,
) -> i32 {
    from_result(|| {
        let bytes = u32::try_from(mtu).map_err(|_| EINVAL)?;
        // SAFETY: The caller passes an initialised device of driver `T`, and holds RTNL and no
        // instance lock.
        unsafe { T::change_mtu(Dev::from_raw(dev), bytes, RtnlOnly::assume())? };
        // SAFETY: The device is valid. The core reads the field as a whole word; RTNL protects
        // writes.
        unsafe { ptr::write_volatile(&raw mut (*dev).mtu, bytes) };
        Ok(0)
    })
}

/// Changes the hardware address.
///
/// # Safety
///
/// `dev` must be a device of driver `T` for which `ndo_init` has succeeded. The caller must hold
/// RTNL and no instance lock. `addr` must be a `struct sockaddr_storage`, or a `struct sockaddr`
/// for an address of up to 14 bytes.
pub(crate) unsafe extern "C" fn ndo_set_mac_address<T: Master>(
    dev: *mut bindings::net_device,
    addr: *mut core::ffi::c_void,
) -> i32 {
    from_result(|| {
        // SAFETY: The caller passes an initialised device of driver `T`, and holds RTNL and no
        // instance lock.
        let (dev, rtnl) = unsafe { (Dev::<T>::from_raw(dev), RtnlOnly::assume()) };
        let len = dev.addr_len().min(MAX_ADDR_LEN);
        // SAFETY: `addr` is a `struct sockaddr_storage` (or a `struct sockaddr` for an address of
        // up to 14 bytes). The address in it follows the 16 bits of the family.
        let bytes = unsafe { core::slice::from_raw_parts(addr.cast::<u8>().add(2), len) };
        T::set_addr(dev, bytes, rtnl).map(|()| 0)
    })
}

/// Sets up the parameters of neighbours.
///
/// # Safety
///
/// `dev` and `parms` must be valid, and ours during the call.
pub(crate) unsafe extern "C" fn ndo_neigh_setup<T: Master>(
    dev: *mut bindings::net_device,
    parms: *mut bindings::neigh_parms,
) -> i32 {
    // Upper devices, such as VLANs, call this with parameters of their own, which are not ours to
    // change.
    // SAFETY: `dev` and `parms` are valid during the call.
    unsafe {
        if (*parms).dev == dev {
            (*parms).neigh_setup = Some(neigh_setup::<T>);
        }
    }
    0
}

/// Sets up a neighbour of the master as the driver of the first lower device would.
///
/// # Safety
///
/// `neigh` must be a new neighbour of a device of driver `T`.
unsafe extern "C" fn neigh_setup<T: Master>(neigh: *mut bindings::neighbour) -> i32 {
    let rcu = crate::rcu::read_lock();
    // SAFETY: The neighbour is new and belongs to a device of driver `T`, to which it holds a
    // reference.
    let dev = unsafe { Dev::<T>::from_raw((*neigh).dev) };
    match dev.lowers_rcu(&rcu).next() {
        // SAFETY: The lower device and the neighbour are valid during the call.
        Some(lower) => unsafe { bindings::nh_neigh_setup_from(lower.dev().as_ptr(), neigh) },
        None => 0,
    }
}

/// Lets a VLAN id through.
///
/// # Safety
///
/// `dev` must be a device of driver `T` for which `ndo_init` has succeeded. The caller must hold
/// RTNL.
pub(crate) unsafe extern "C" fn ndo_vlan_rx_add_vid<T: Master>(
    dev: *mut bindings::net_device,
    proto: u16,
    id: u16,
) -> i32 {
    from_result(|| {
        // SAFETY: The caller passes an initialised device of driver `T` and holds RTNL.
        unsafe { T::add_vlan(Dev::from_raw(dev), Vlan { proto, id }, Rtnl::assume()) }.map(|()| 0)
    })
}

/// Called when a VLAN id is no longer needed.
///
/// # Safety
///
/// `dev` must be a device of driver `T` for which `ndo_init` has succeeded. The caller must hold
/// RTNL.
pub(crate) unsafe extern "C" fn ndo_vlan_rx_kill_vid<T: Master>(
    dev: *mut bindings::net_device,
    proto: u16,
    id: u16,
) -> i32 {
    // SAFETY: The caller passes an initialised device of driver `T` and holds RTNL.
    unsafe { T::del_vlan(Dev::from_raw(dev), Vlan { proto, id }, Rtnl::assume()) };
    0
}

/// Makes a device a lower device.
///
/// # Safety
///
/// `dev` must be a device of driver `T` for which `ndo_init` has succeeded. The caller must hold
/// RTNL and no instance lock. `lower` must be a device; `extack` must be valid or NULL.
pub(crate) unsafe extern "C" fn ndo_add_slave<T: Master>(
    dev: *mut bindings::net_device,
    lower: *mut bindings::net_device,
    extack: *mut bindings::netlink_ext_ack,
) -> i32 {
    from_result(|| {
        // SAFETY: The caller passes an initialised device of driver `T`, and holds RTNL and no
        // instance lock. The other arguments are valid during the call.
        unsafe {
            T::add_lower(
                Dev::from_raw(dev),
                NetDevice::from_raw(lower),
                ExtAck::from_raw(extack),
                RtnlOnly::assume(),
            )
        }
        .map(|()| 0)
    })
}

/// Releases a lower device.
///
/// # Safety
///
/// `dev` must be a device of driver `T` for which `ndo_init` has succeeded. The caller must hold
/// RTNL and no instance lock. `lower` must be a device.
pub(crate) unsafe extern "C" fn ndo_del_slave<T: Master>(
    dev: *mut bindings::net_device,
    lower: *mut bindings::net_device,
) -> i32 {
    from_result(|| {
        // SAFETY: The caller passes an initialised device of driver `T`, and holds RTNL and no
        // instance lock. `lower` is valid during the call.
        unsafe {
            T::del_lower(
                Dev::from_raw(dev),
                NetDevice::from_raw(lower),
                RtnlOnly::assume(),
            )
        }
        .map(|()| 0)
    })
}

/// Returns the features that all lower devices have, as far as the user wants them.
///
/// # Safety
///
/// `dev` must be a device of driver `T` for which `ndo_init` has succeeded. The caller must hold
/// RTNL.
pub(crate) unsafe extern "C" fn ndo_fix_features<T: Master>(
    dev: *mut bindings::net_device,
    wanted: bindings::netdev_features_t,
) -> bindings::netdev_features_t {
    // SAFETY: The caller passes an initialised device of driver `T` and holds RTNL.
    let (dev, rtnl) = unsafe { (Dev::<T>::from_raw(dev), Rtnl::assume()) };
    let mask = Features(wanted);
    let mut features = mask.base();
    for lower in dev.lowers(rtnl) {
        features = features.increment(lower.dev().features(), mask);
    }
    features.add_tso(mask).0
}

/// Returns the lower device through which a packet would leave.
///
/// # Safety
///
/// `dev` must be a device of driver `T` for which `ndo_init` has succeeded. `skb` must be a packet.
/// The caller must be in an RCU read-side section.
pub(crate) unsafe extern "C" fn ndo_get_xmit_slave<T: Master>(
    dev: *mut bindings::net_device,
    skb: *mut bindings::sk_buff,
    all: bool,
) -> *mut bindings::net_device {
    // SAFETY: The caller passes an initialised device of driver `T`, and is in an RCU read-side
    // section.
    let (dev, rcu) = unsafe { (Dev::<T>::from_raw(dev), Rcu::assume()) };
    // SAFETY: The packet is valid during the call. It remains the caller's, so it is not dropped.
    let skb = ManuallyDrop::new(unsafe { SkBuff::from_raw(skb) });
    T::xmit_lower(dev, &skb, all, rcu).map_or(ptr::null_mut(), |lower| lower.dev().as_ptr())
}

/// Builds a header as the driver of the active lower device would.
///
/// # Safety
///
/// `dev` must be a device of driver `T` for which `ndo_init` has succeeded. The other arguments
/// must be what `dev_hard_header()` takes.
pub(crate) unsafe extern "C" fn header_create<T: Master>(
    skb: *mut bindings::sk_buff,
    dev: *mut bindings::net_device,
    proto: u16,
    daddr: *const core::ffi::c_void,
    saddr: *const core::ffi::c_void,
    len: u32,
) -> i32 {
    let rcu = crate::rcu::read_lock();
    // SAFETY: The caller passes an initialised device of driver `T`.
    match unsafe { Dev::<T>::from_raw(dev) }.slot_rcu(&rcu, Slot::Active) {
        // SAFETY: The lower device is valid. The caller guarantees that the other arguments are
        // what `dev_hard_header()` takes for it.
        Some(lower) => unsafe {
            bindings::nh_header_create(lower.dev().as_ptr(), skb, proto, daddr, saddr, len)
        },
        None => 0,
    }
}

/// Reads the sender's address as the driver of the active lower device would.
///
/// # Safety
///
/// `dev` must be a device of driver `T` for which `ndo_init` has succeeded. `skb` must be a packet,
/// and `haddr` must have room for `MAX_ADDR_LEN` bytes.
pub(crate) unsafe extern "C" fn header_parse<T: Master>(
    skb: *const bindings::sk_buff,
    dev: *const bindings::net_device,
    haddr: *mut u8,
) -> i32 {
    let rcu = crate::rcu::read_lock();
    // SAFETY: The caller passes an initialised device of driver `T`.
    match unsafe { Dev::<T>::from_raw(dev.cast_mut()) }.slot_rcu(&rcu, Slot::Active) {
        // SAFETY: The lower device is valid, `skb` is a packet, and `haddr` has room for
        // `MAX_ADDR_LEN` bytes, as the caller guarantees.
        Some(lower) => unsafe { bindings::nh_header_parse(lower.dev().as_ptr(), skb, haddr) },
        None => 0,
    }
}

/// Has the work run (`hrtimer.function`). Hard interrupt.
///
/// # Safety
///
/// `timer` must be the timer of the [`Alarm`] in a [`Private<T>`] that is in use.
pub(crate) unsafe extern "C" fn alarm<T: Master>(
    timer: *mut bindings::hrtimer,
) -> bindings::hrtimer_restart {
    // SAFETY: The timer is the first field of the alarm in a `Private<T>` that is in use: the timer
    // is cancelled before the device goes away.
    let dev = unsafe {
        let private = kernel::container_of!(timer.cast::<Alarm>(), Private<T>, alarm);
        Dev::<T>::from_raw((*private).dev())
    };
    dev.run_work();
    bindings::hrtimer_restart_HRTIMER_NORESTART
}

/// Runs the work of a device.
///
/// # Safety
///
/// `work` must be the work in a [`Private<T>`] that is in use.
pub(crate) unsafe extern "C" fn work<T: Master>(work: *mut bindings::work_struct) {
    // SAFETY: The work is the one in a `Private<T>` that is in use: the work is cancelled before
    // the device goes away.
    let dev = unsafe {
        let private = kernel::container_of!(
            work.cast::<Opaque<bindings::work_struct>>(),
            Private<T>,
            work
        );
        Dev::<T>::from_raw((*private).dev())
    };
    dev.private().alarm.begin();
    T::work(dev);
}
