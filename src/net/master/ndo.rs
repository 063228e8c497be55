// SPDX-License-Identifier: GPL-2.0

//! The C side of [`Master`]: `struct net_device_ops`, `struct header_ops`, and the work. Where a device begins and
//! ends is in [`ops`](super::ops).
//!
//! C header: [`include/linux/netdevice.h`](srctree/include/linux/netdevice.h)
//!
//! Only `setup::<T>` installs the tables, so that the core calls these functions with a device of driver `T`, and between
//! `ndo_init` and the destructor. Where RTNL is held, no instance lock is: a master has none, and the core lets go of
//! that of a device before it gives or takes it to or from a master.

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

/// The device is opened.
///
/// # Safety
///
/// `dev` must be a device of driver `T` for which `ndo_init` succeeded; RTNL must be held, and no instance lock.
pub(crate) unsafe extern "C" fn ndo_open<T: Master>(dev: *mut bindings::net_device) -> i32 {
    // SAFETY: By the caller's promise; RTNL is held.
    from_result(|| unsafe { T::open(Dev::from_raw(dev), RtnlOnly::assume()) }.map(|()| 0))
}

/// The device is closed.
///
/// # Safety
///
/// `dev` must be a device of driver `T` for which `ndo_init` succeeded; RTNL must be held, and no instance lock.
pub(crate) unsafe extern "C" fn ndo_stop<T: Master>(dev: *mut bindings::net_device) -> i32 {
    // SAFETY: By the caller's promise; RTNL is held.
    unsafe { T::stop(Dev::from_raw(dev), RtnlOnly::assume()) };
    0
}

/// A packet shall leave.
///
/// # Safety
///
/// `dev` must be a device of driver `T` for which `ndo_init` succeeded; `skb` must be a packet that is given to us, and bottom halves be off.
pub(crate) unsafe extern "C" fn ndo_start_xmit<T: Master>(
    skb: *mut bindings::sk_buff,
    dev: *mut bindings::net_device,
) -> bindings::netdev_tx_t {
    // SAFETY: By the caller's promise. The packet is given to us. The stack calls this with bottom halves off,
    // which is an RCU read-side section.
    unsafe { T::start_xmit(Dev::from_raw(dev), SkBuff::from_raw(skb), Rcu::assume()) }
}

/// Keeps the stack's queue mapping for the lower device, and gives the packet a queue of ours.
///
/// # Safety
///
/// Both must be valid; the control block of the packet must be ours until it is queued.
pub(crate) unsafe extern "C" fn ndo_select_queue(
    dev: *mut bindings::net_device,
    skb: *mut bindings::sk_buff,
    _sb_dev: *mut bindings::net_device,
) -> u16 {
    // SAFETY: Packet and device are valid during the call; `cb` is ours until the packet is queued.
    let recorded = unsafe {
        let recorded = (*skb).queue_mapping;
        *crate::skbuff::lower_queue_mapping(skb) = recorded;
        recorded
    };
    // skb_get_rx_queue(): the mapping is one more than the queue that received the packet.
    let Some(queue) = recorded.checked_sub(1) else {
        return 0;
    };
    // SAFETY: As above.
    let queues = unsafe { NetDevice::from_raw(dev) }.real_num_tx_queues();
    if queue < queues {
        queue
    } else {
        // A division is slow, and seldom needed.
        queue.checked_rem(queues).unwrap_or(0)
    }
}

/// The statistics are read.
///
/// # Safety
///
/// `dev` must be a device of driver `T` for which `ndo_init` succeeded; `storage` must be valid for writes, and may be aligned to four bytes only.
pub(crate) unsafe extern "C" fn ndo_get_stats64<T: Master>(
    dev: *mut bindings::net_device,
    storage: *mut bindings::rtnl_link_stats64,
) {
    let rcu = crate::rcu::read_lock();
    // SAFETY: By the caller's promise; `Stats` has the layout of the C struct, which is valid for writes. In a
    // netlink message it is aligned to four bytes only.
    unsafe {
        storage
            .cast::<Stats>()
            .write_unaligned(T::stats(Dev::from_raw(dev), &rcu))
    };
}

/// `IFF_PROMISC` or `IFF_ALLMULTI` changed.
///
/// # Safety
///
/// `dev` must be a device of driver `T` for which `ndo_init` succeeded; RTNL must be held, and no instance lock.
pub(crate) unsafe extern "C" fn ndo_change_rx_flags<T: Master>(
    dev: *mut bindings::net_device,
    change: i32,
) {
    let change = change as u32;
    // SAFETY: By the caller's promise; RTNL is held.
    unsafe {
        T::rx_flags_changed(
            Dev::from_raw(dev),
            change & bindings::net_device_flags_IFF_PROMISC != 0,
            change & bindings::net_device_flags_IFF_ALLMULTI != 0,
            RtnlOnly::assume(),
        )
    };
}

/// The address lists changed.
///
/// # Safety
///
/// `dev` must be a device of driver `T` for which `ndo_init` succeeded; RTNL must be held, and the address lock of the device, with bottom halves off.
pub(crate) unsafe extern "C" fn ndo_set_rx_mode<T: Master>(dev: *mut bindings::net_device) {
    // SAFETY: By the caller's promise. RTNL is held: the core defers this for devices that have
    // `ndo_change_rx_flags`, to callers with RTNL or to a work item that takes it.
    let (dev, rtnl) = unsafe { (Dev::<T>::from_raw(dev), Rtnl::assume()) };
    // The caller holds the address lock of `dev`, bottom halves off.
    T::rx_mode(dev, rtnl, &mut |lower, multiple| {
        if !lower.is_linked_to(dev) {
            return Err(EINVAL);
        }
        lower.dev().sync_addrs_locked(dev, multiple)
    });
}

/// The MTU shall change.
///
/// # Safety
///
/// `dev` must be a device of driver `T` for which `ndo_init` succeeded; RTNL must be held, and no instance lock.
pub(crate) unsafe extern "C" fn ndo_change_mtu<T: Master>(
    dev: *mut bindings::net_device,
    mtu: i32,
) -> i32 {
    from_result(|| {
        let bytes = u32::try_from(mtu).map_err(|_| EINVAL)?;
        // SAFETY: By the caller's promise; RTNL is held.
        unsafe { T::change_mtu(Dev::from_raw(dev), bytes, RtnlOnly::assume())? };
        // SAFETY: The core reads the field as a whole word; RTNL protects writes.
        unsafe { ptr::write_volatile(&raw mut (*dev).mtu, bytes) };
        Ok(0)
    })
}

/// The hardware address shall change.
///
/// # Safety
///
/// `dev` must be a device of driver `T` for which `ndo_init` succeeded; RTNL must be held, and no instance lock. `addr` must be a
/// `struct sockaddr_storage`, or a `struct sockaddr` for an address of up to 14 bytes.
pub(crate) unsafe extern "C" fn ndo_set_mac_address<T: Master>(
    dev: *mut bindings::net_device,
    addr: *mut core::ffi::c_void,
) -> i32 {
    from_result(|| {
        // SAFETY: By the caller's promise; RTNL is held.
        let (dev, rtnl) = unsafe { (Dev::<T>::from_raw(dev), RtnlOnly::assume()) };
        let len = dev.addr_len().min(MAX_ADDR_LEN);
        // SAFETY: The argument is a `struct sockaddr_storage` (or a `struct sockaddr` for an address
        // of up to 14 bytes), whose address follows the 16 bits of the family.
        let bytes = unsafe { core::slice::from_raw_parts(addr.cast::<u8>().add(2), len) };
        T::set_addr(dev, bytes, rtnl).map(|()| 0)
    })
}

/// The parameters of neighbours are set up.
///
/// # Safety
///
/// Both must be valid, and ours during the call.
pub(crate) unsafe extern "C" fn ndo_neigh_setup<T: Master>(
    dev: *mut bindings::net_device,
    parms: *mut bindings::neigh_parms,
) -> i32 {
    // Devices on top, such as VLANs, call this with parameters of their own: not ours to change.
    // SAFETY: Both are valid during the call.
    unsafe {
        if (*parms).dev == dev {
            (*parms).neigh_setup = Some(neigh_setup::<T>);
        }
    }
    0
}

/// Sets up a neighbour of the master as the first lower device's driver would.
///
/// # Safety
///
/// `neigh` must be a new neighbour of a device of driver `T`.
unsafe extern "C" fn neigh_setup<T: Master>(neigh: *mut bindings::neighbour) -> i32 {
    let rcu = crate::rcu::read_lock();
    // SAFETY: The neighbour is new and belongs to a device of driver `T`, which it keeps.
    let dev = unsafe { Dev::<T>::from_raw((*neigh).dev) };
    match dev.lowers_rcu(&rcu).next() {
        // SAFETY: Both are valid during the call.
        Some(lower) => unsafe { bindings::nh_neigh_setup_from(lower.dev().as_ptr(), neigh) },
        None => 0,
    }
}

/// A VLAN id shall pass.
///
/// # Safety
///
/// `dev` must be a device of driver `T` for which `ndo_init` succeeded; RTNL must be held.
pub(crate) unsafe extern "C" fn ndo_vlan_rx_add_vid<T: Master>(
    dev: *mut bindings::net_device,
    proto: u16,
    id: u16,
) -> i32 {
    from_result(|| {
        // SAFETY: By the caller's promise; RTNL is held.
        unsafe { T::add_vlan(Dev::from_raw(dev), Vlan { proto, id }, Rtnl::assume()) }.map(|()| 0)
    })
}

/// A VLAN id need not pass any more.
///
/// # Safety
///
/// `dev` must be a device of driver `T` for which `ndo_init` succeeded; RTNL must be held.
pub(crate) unsafe extern "C" fn ndo_vlan_rx_kill_vid<T: Master>(
    dev: *mut bindings::net_device,
    proto: u16,
    id: u16,
) -> i32 {
    // SAFETY: By the caller's promise; RTNL is held.
    unsafe { T::del_vlan(Dev::from_raw(dev), Vlan { proto, id }, Rtnl::assume()) };
    0
}

/// A device shall become a lower device.
///
/// # Safety
///
/// `dev` must be a device of driver `T` for which `ndo_init` succeeded; RTNL must be held, and no instance lock. `lower` must be
/// a device, and `extack` be valid or NULL.
pub(crate) unsafe extern "C" fn ndo_add_slave<T: Master>(
    dev: *mut bindings::net_device,
    lower: *mut bindings::net_device,
    extack: *mut bindings::netlink_ext_ack,
) -> i32 {
    from_result(|| {
        // SAFETY: By the caller's promise; RTNL is held, and the other arguments are valid during the call.
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

/// A lower device shall leave.
///
/// # Safety
///
/// `dev` must be a device of driver `T` for which `ndo_init` succeeded; RTNL must be held, and no instance lock. `lower` must be
/// a device.
pub(crate) unsafe extern "C" fn ndo_del_slave<T: Master>(
    dev: *mut bindings::net_device,
    lower: *mut bindings::net_device,
) -> i32 {
    from_result(|| {
        // SAFETY: By the caller's promise; RTNL is held, and `lower` is valid during the call.
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

/// What all lower devices can do, as far as the user wants it.
///
/// # Safety
///
/// `dev` must be a device of driver `T` for which `ndo_init` succeeded; RTNL must be held.
pub(crate) unsafe extern "C" fn ndo_fix_features<T: Master>(
    dev: *mut bindings::net_device,
    wanted: bindings::netdev_features_t,
) -> bindings::netdev_features_t {
    // SAFETY: By the caller's promise; RTNL is held.
    let (dev, rtnl) = unsafe { (Dev::<T>::from_raw(dev), Rtnl::assume()) };
    let mask = Features(wanted);
    let mut features = mask.base();
    for lower in dev.lowers(rtnl) {
        features = features.increment(lower.dev().features(), mask);
    }
    features.add_tso(mask).0
}

/// Somebody asks through which lower device a packet would leave.
///
/// # Safety
///
/// `dev` must be a device of driver `T` for which `ndo_init` succeeded; `skb` must be a packet, and the caller be in an RCU read-side section.
pub(crate) unsafe extern "C" fn ndo_get_xmit_slave<T: Master>(
    dev: *mut bindings::net_device,
    skb: *mut bindings::sk_buff,
    all: bool,
) -> *mut bindings::net_device {
    // SAFETY: By the caller's promise; callers are in an RCU read-side section.
    let (dev, rcu) = unsafe { (Dev::<T>::from_raw(dev), Rcu::assume()) };
    // SAFETY: The packet is valid during the call. It stays the caller's, so it is not dropped.
    let skb = ManuallyDrop::new(unsafe { SkBuff::from_raw(skb) });
    T::xmit_lower(dev, &skb, all, rcu).map_or(ptr::null_mut(), |lower| lower.dev().as_ptr())
}

/// Builds a header as the active lower device's driver would.
///
/// # Safety
///
/// `dev` must be a device of driver `T` for which `ndo_init` succeeded; the other arguments must be what `dev_hard_header()` takes.
pub(crate) unsafe extern "C" fn header_create<T: Master>(
    skb: *mut bindings::sk_buff,
    dev: *mut bindings::net_device,
    proto: u16,
    daddr: *const core::ffi::c_void,
    saddr: *const core::ffi::c_void,
    len: u32,
) -> i32 {
    let rcu = crate::rcu::read_lock();
    // SAFETY: By the caller's promise.
    match unsafe { Dev::<T>::from_raw(dev) }.slot_rcu(&rcu, Slot::Active) {
        // SAFETY: The arguments are passed on to the device that they are meant for.
        Some(lower) => unsafe {
            bindings::nh_header_create(lower.dev().as_ptr(), skb, proto, daddr, saddr, len)
        },
        None => 0,
    }
}

/// Reads the sender's address as the active lower device's driver would.
///
/// # Safety
///
/// `dev` must be a device of driver `T` for which `ndo_init` succeeded; `skb` must be a packet, and `haddr` have room for `MAX_ADDR_LEN` bytes.
pub(crate) unsafe extern "C" fn header_parse<T: Master>(
    skb: *const bindings::sk_buff,
    dev: *const bindings::net_device,
    haddr: *mut u8,
) -> i32 {
    let rcu = crate::rcu::read_lock();
    // SAFETY: By the caller's promise.
    match unsafe { Dev::<T>::from_raw(dev.cast_mut()) }.slot_rcu(&rcu, Slot::Active) {
        // SAFETY: As in `header_create`.
        Some(lower) => unsafe { bindings::nh_header_parse(lower.dev().as_ptr(), skb, haddr) },
        None => 0,
    }
}

/// Has the work run (`hrtimer.function`). Hard interrupt.
///
/// # Safety
///
/// `timer` must be that of the [`Alarm`] in a [`Private<T>`] that is in use.
pub(crate) unsafe extern "C" fn alarm<T: Master>(
    timer: *mut bindings::hrtimer,
) -> bindings::hrtimer_restart {
    // SAFETY: The timer is the first field of the alarm of a `Private<T>`, which is in use: it is cancelled before
    // the device goes.
    let dev = unsafe {
        let private = kernel::container_of!(timer.cast::<Alarm>(), Private<T>, alarm);
        Dev::<T>::from_raw((*private).dev())
    };
    dev.run_work();
    bindings::hrtimer_restart_HRTIMER_NORESTART
}

/// The work of a device.
///
/// # Safety
///
/// `work` must be that in a [`Private<T>`] that is in use.
pub(crate) unsafe extern "C" fn work<T: Master>(work: *mut bindings::work_struct) {
    // SAFETY: The work is that of a `Private<T>`, which is in use: the work is cancelled before the device goes.
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
