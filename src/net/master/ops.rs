// SPDX-License-Identifier: GPL-2.0

//! The tables that make up a driver of masters, and how its devices are set up and torn down.
//!
//! The optional parts of a driver add what they need to the tables: [`xdp`](super::xdp),
//! [`netpoll`](super::netpoll_ops), [`xfrm`](super::xfrm), and so on, each with a function
//! `with_...`.

use super::device::{private, Dev, Layout, Master, Private};
use super::link_table::LinkTable;
use super::ndo;
use super::object::DirRef;
use super::registry::User;
use crate::bindings;
use crate::namespace::Net;
use crate::netdevice::{NetDevice, IFNAMSIZ};
use crate::rtnl::{Rtnl, RtnlGuard, RtnlOnly};
use crate::xfrm_state::States;
use core::marker::PhantomData;
use core::pin::Pin;
use core::ptr;
use core::sync::atomic::Ordering;
use kernel::error::{code::*, from_result, to_result, Result};
use kernel::prelude::*;
use kernel::static_lock_class;
use kernel::str::{as_char_ptr_in_const_context, CStrExt};
use kernel::sync::atomic::{Full, Relaxed};
use kernel::sync::Completion;

/// The tables of C functions that make up a driver; the driver's module makes them as a static.
pub struct Ops<T: Master> {
    pub(crate) netdev: bindings::net_device_ops,
    pub(crate) xfrm: bindings::xfrmdev_ops,
    pub(crate) ethtool: bindings::ethtool_ops,
    pub(crate) link: LinkTable,
    pub(crate) group: *const bindings::attribute_group,
    lower_dir: DirRef,
    parts: [Option<Part<T>>; PARTS],
    /// Whether the `/proc` file of a device is removed when the device is torn down.
    pub(crate) has_procfs: bool,
    device_type: bindings::device_type,
    header: bindings::header_ops,
    _driver: PhantomData<fn(T)>,
}

// SAFETY: The tables are constant, except for the link table, which its `registered` flag guards.
unsafe impl<T: Master> Sync for Ops<T> {}

impl<T: Master> Ops<T> {
    /// Makes the tables; see [`Ops::new`].
    pub(crate) const fn with_dir(kind: &'static CStr, lower_dir: DirRef) -> Self {
        Self {
            netdev: bindings::net_device_ops {
                ndo_init: Some(ndo_init::<T>),
                ndo_uninit: Some(ndo_uninit::<T>),
                ndo_open: Some(ndo::ndo_open::<T>),
                ndo_stop: Some(ndo::ndo_stop::<T>),
                ndo_start_xmit: Some(ndo::ndo_start_xmit::<T>),
                ndo_select_queue: Some(ndo::ndo_select_queue),
                ndo_get_stats64: Some(ndo::ndo_get_stats64::<T>),
                ndo_change_rx_flags: Some(ndo::ndo_change_rx_flags::<T>),
                ndo_set_rx_mode: Some(ndo::ndo_set_rx_mode::<T>),
                ndo_change_mtu: Some(ndo::ndo_change_mtu::<T>),
                ndo_set_mac_address: Some(ndo::ndo_set_mac_address::<T>),
                ndo_neigh_setup: Some(ndo::ndo_neigh_setup::<T>),
                ndo_vlan_rx_add_vid: Some(ndo::ndo_vlan_rx_add_vid::<T>),
                ndo_vlan_rx_kill_vid: Some(ndo::ndo_vlan_rx_kill_vid::<T>),
                ndo_add_slave: Some(ndo::ndo_add_slave::<T>),
                ndo_del_slave: Some(ndo::ndo_del_slave::<T>),
                ndo_fix_features: Some(ndo::ndo_fix_features::<T>),
                ndo_features_check: Some(bindings::passthru_features_check),
                ndo_get_xmit_slave: Some(ndo::ndo_get_xmit_slave::<T>),
                ..pin_init::zeroed()
            },
            xfrm: pin_init::zeroed(),
            ethtool: pin_init::zeroed(),
            link: LinkTable::new(kind),
            group: ptr::null(),
            lower_dir,
            parts: [const { None }; PARTS],
            has_procfs: false,
            device_type: bindings::device_type {
                name: as_char_ptr_in_const_context(kind),
                ..pin_init::zeroed()
            },
            header: bindings::header_ops {
                create: Some(ndo::header_create::<T>),
                parse: Some(ndo::header_parse::<T>),
                ..pin_init::zeroed()
            },
            _driver: PhantomData,
        }
    }

    /// Returns the tables of the driver, if it is registered.
    pub(crate) fn of_registered() -> Option<&'static Self> {
        // SAFETY: The registry holds the tables of its own driver, as `open` stored them, or NULL.
        unsafe { T::REGISTRY.tables().cast::<Self>().as_ref() }
    }

    /// Lets users of the driver in; see [`Registry::open`](super::registry::Registry::open).
    ///
    /// # Safety
    ///
    /// As for [`Registry::open`](super::registry::Registry::open).
    pub(crate) unsafe fn open(&'static self, unused: &Completion) {
        let tables = ptr::from_ref(self).cast();
        // SAFETY: The tables are those of `self`, which is static. The caller guarantees the rest.
        unsafe { T::REGISTRY.open(tables, &self.netdev, &self.header, &self.lower_dir, unused) };
    }

    /// Adds a part that has something to do when a device is torn down. Only for constants: panics
    /// if there are too many parts.
    pub(crate) const fn with_part(mut self, part: Part<T>) -> Self {
        self.parts = match self.parts {
            [None, b, c] => [Some(part), b, c],
            [a, None, c] => [a, Some(part), c],
            [a, b, None] => [a, b, Some(part)],
            _ => panic!("more parts than places"),
        };
        self
    }
}

/// The number of parts that can be added.
const PARTS: usize = 3;

/// What a part of a driver does when a device is torn down (`ndo_uninit`).
#[derive(Clone, Copy)]
pub(crate) struct Part<T: Master> {
    /// Called while there still are lower devices.
    pub(crate) before: fn(&Dev<T>, &Rtnl),
    /// Called when there are no lower devices any more.
    pub(crate) after: fn(&Dev<T>, &Rtnl),
}

/// Does nothing: for a [`Part`] that has nothing to do at one of the two times.
pub(crate) fn nothing<T: Master>(_dev: &Dev<T>, _rtnl: &Rtnl) {}

impl<T: Master> Dev<T> {
    /// Makes and registers a device in `net`; `name` may hold a `%d`. May sleep.
    ///
    /// # Errors
    ///
    /// `ENODEV` if the driver is not registered, `EINVAL` for a name that is too long, `ENOMEM`,
    /// and the errors of `register_netdevice()`.
    pub fn create<'a>(net: &Net, name: &[u8], queues: u32, _rtnl: &'a Rtnl) -> Result<&'a Dev<T>> {
        // Keeps the driver registered until the device itself is one of its users.
        let _user = User::<T>::new().ok_or(ENODEV)?;
        let ops = Ops::<T>::of_registered().ok_or(ENODEV)?;
        let mut buf = [0u8; IFNAMSIZ];
        if name.len() >= IFNAMSIZ {
            return Err(EINVAL);
        }
        buf.iter_mut().zip(name).for_each(|(to, from)| *to = *from);
        // SAFETY: The name ends with a NUL, and the size of the private area is the one that
        // `setup` expects.
        let dev = unsafe {
            bindings::alloc_netdev_mqs(
                Private::<T>::SIZE as i32,
                buf.as_ptr().cast(),
                bindings::NET_NAME_UNKNOWN as u8,
                Some(setup::<T>),
                queues,
                queues,
            )
        };
        if dev.is_null() {
            return Err(ENOMEM);
        }
        // SAFETY: The device is ours; nobody else knows of it yet.
        unsafe {
            bindings::nh_dev_net_set(dev, net.as_ptr());
            (*dev).rtnl_link_ops = ops.link.as_ptr();
        }
        // SAFETY: RTNL is held and the device is set up.
        let res = to_result(unsafe { bindings::register_netdevice(dev) });
        if let Err(err) = res {
            // SAFETY: Registration failed, so the device is still ours.
            unsafe { bindings::free_netdev(dev) };
            return Err(err);
        }
        // SAFETY: `ndo_init` has succeeded, and the device stays while RTNL is held.
        Ok(unsafe { Dev::from_raw(dev) })
    }

    /// Unregisters the device (`unregister_netdevice()`). It is freed when RTNL is dropped. Sleeps.
    ///
    /// Takes the guard of RTNL: only the function that took RTNL has it, and that function is not
    /// called from within an operation of the core on the device. Such an operation, for example
    /// the one that opens the device, goes on using the device afterwards.
    pub fn unregister(&self, rtnl: &RtnlGuard) {
        // SAFETY: A callback that the core calls under RTNL cannot have the guard.
        unsafe { self.unregister_now(rtnl) }
    }

    /// Like [`Self::unregister`].
    ///
    /// # Safety
    ///
    /// The caller must not be called from within an operation of the core on the device, unless
    /// that operation does not use the device any more.
    pub(crate) unsafe fn unregister_now(&self, rtnl: &Rtnl) {
        if self.is_registered(rtnl) {
            // SAFETY: RTNL is held. A device that is not registered (any more), or that is on a
            // list of devices to be unregistered, is left alone here. The caller guarantees that no
            // operation of the core goes on using the device.
            unsafe { bindings::nh_unregister_netdevice(self.as_ptr()) };
        }
    }
}

/// Queues all devices of driver `T` in `net` for unregistration.
///
/// # Safety
///
/// `kill_list` must be the list of an `exit_rtnl` callback that is running.
pub(crate) unsafe fn unregister_all<T: Master>(
    net: &Net,
    _rtnl: &Rtnl,
    kill_list: *mut bindings::list_head,
) {
    let rcu = crate::rcu::read_lock();
    for dev in net.devices(&rcu) {
        if Dev::<T>::from_netdev(dev).is_some() {
            // SAFETY: RTNL is held. With a list, this only moves the device there, without sleeping
            // or touching the list that this loop goes over.
            unsafe { bindings::unregister_netdevice_queue(dev.as_ptr(), kill_list) };
        }
    }
}

/// Sets up a device that was just allocated (`rtnl_link_ops.setup`).
///
/// # Safety
///
/// `dev` must be a zeroed device with a private area of [`Private::SIZE`] bytes.
pub(crate) unsafe extern "C" fn setup<T: Master>(dev: *mut bindings::net_device) {
    // The driver is registered: what allocates a device (`Dev::create`, or the registration of the
    // link type) is one of its users.
    let Some(ops) = Ops::<T>::of_registered() else {
        return;
    };
    // SAFETY: During set-up, the device is ours alone; all tables are static.
    unsafe {
        bindings::ether_setup(dev);
        (*dev).max_mtu = bindings::ETH_MAX_MTU;
        (*dev).netdev_ops = &ops.netdev;
        (*dev).xfrmdev_ops = &ops.xfrm;
        (*dev).ethtool_ops = &ops.ethtool;
        (*dev).sysfs_groups[0] = ops.group;
        (*dev).needs_free_netdev = true;
        (*dev).priv_destructor = Some(destructor::<T>);
        (*dev).flags |= bindings::net_device_flags_IFF_MASTER;
        bindings::nh_setup_software_device(dev, &ops.device_type);
        bindings::nh_set_master_features(dev);
        (*private::<T>(dev)).set_dev(dev);
    }
    // SAFETY: As above.
    let dev = unsafe { NetDevice::from_raw(dev) };
    dev.change_priv_flags(
        <T::Layout as Layout>::FLAG
            | bindings::netdev_priv_flags_IFF_UNICAST_FLT
            | bindings::netdev_priv_flags_IFF_NO_QUEUE,
        bindings::netdev_priv_flags_IFF_XMIT_DST_RELEASE
            | bindings::netdev_priv_flags_IFF_TX_SKB_SHARING,
    );
}

/// Frees the data of a device (`priv_destructor`).
///
/// # Safety
///
/// `dev` must be a device that [`setup`] of the same `T` has set up, and that nobody uses any more.
/// Must be called once.
unsafe extern "C" fn destructor<T: Master>(dev: *mut bindings::net_device) {
    // SAFETY: The caller guarantees that `setup` has set up the device, that nobody uses the device
    // any more, and that this is called once.
    let data = unsafe {
        (*private::<T>(dev))
            .data
            .swap(ptr::null_mut(), Ordering::AcqRel)
    };
    // SAFETY: Nobody uses the device any more.
    unsafe { (*private::<T>(dev)).free_choices() };
    // SAFETY: As above.
    let states = unsafe { (*private::<T>(dev)).ipsec.xchg(ptr::null_mut(), Full) };
    if !states.is_null() {
        // SAFETY: `ndo_init` made the pointer from a pinned box.
        drop(unsafe { Pin::new_unchecked(KBox::from_raw(states)) });
    }
    if !data.is_null() {
        // SAFETY: There are data, so `ndo_init` has succeeded. Code that still used the device when
        // it was unregistered may have set the alarm after `ndo_uninit` cancelled it.
        unsafe { (*private::<T>(dev)).alarm.cancel() };
        // SAFETY: `ndo_init` made the pointer from a pinned box.
        drop(unsafe { Pin::new_unchecked(KBox::from_raw(data)) });
        // SAFETY: `ndo_init` forgot the user when it made the data, and this is called once.
        drop(unsafe { User::<T>::remembered() });
    }
}

/// Initialises a device that is being registered.
///
/// # Safety
///
/// `dev` must be a device that [`setup`] of the same `T` has set up, and that is being registered.
/// The caller must hold RTNL and no instance lock.
unsafe extern "C" fn ndo_init<T: Master>(dev: *mut bindings::net_device) -> i32 {
    from_result(|| {
        // SAFETY: The caller passes a valid device, and holds RTNL and no instance lock during
        // registration.
        let (netdev, rtnl) = unsafe { (NetDevice::from_raw(dev), RtnlOnly::assume()) };
        let user = User::<T>::new().ok_or(ENODEV)?;
        let data = T::new(rtnl)?;
        let states = KBox::pin_init(States::new(), GFP_KERNEL)?;
        // SAFETY: As for the data below.
        let states = KBox::into_raw(unsafe { Pin::into_inner_unchecked(states) });
        // SAFETY: The data stay pinned until the destructor drops the box.
        let data = KBox::into_raw(unsafe { Pin::into_inner_unchecked(data) });
        // SAFETY: The private area belongs to the device; the work is initialised before it may be
        // scheduled.
        unsafe {
            let private = private::<T>(dev);
            bindings::nh_init_work(
                (*private).work.get(),
                Some(ndo::work::<T>),
                c"Master::work".as_char_ptr(),
                static_lock_class!().as_ptr().cast(),
            );
            (*private).alarm.init(ndo::alarm::<T>);
            (*private).ipsec.store(states, Relaxed);
            (*private).data.store(data, Ordering::Release);
            // The destructor takes the user back.
            user.forget();
            bindings::nh_lockdep_set_classes(dev);
            if u32::from((*dev).addr_assign_type) == bindings::NET_ADDR_PERM
                && netdev.addr(rtnl).iter().all(|byte| *byte == 0)
            {
                bindings::nh_eth_hw_addr_random(dev);
            }
            // There is nothing to carry traffic yet.
            bindings::netif_carrier_off(dev);
            T::ready(Dev::from_raw(dev), rtnl);
        }
        Ok(0)
    })
}

/// Tears down a device that is being unregistered.
///
/// # Safety
///
/// `dev` must be a device of driver `T` for which `ndo_init` has succeeded. The caller must hold
/// RTNL and no instance lock.
unsafe extern "C" fn ndo_uninit<T: Master>(dev: *mut bindings::net_device) {
    // SAFETY: The caller passes an initialised device of driver `T`, and holds RTNL and no instance
    // lock.
    let (dev, rtnl) = unsafe { (Dev::<T>::from_raw(dev), RtnlOnly::assume()) };
    let parts = Ops::<T>::of_registered().map_or(&[][..], |ops| &ops.parts);
    for part in parts.iter().flatten() {
        (part.before)(dev, rtnl);
    }
    T::uninit(dev, rtnl);
    // Lower devices that the driver has kept point to the device.
    while let Some(lower) = dev.lowers(rtnl).next() {
        lower.unlink(rtnl, || ());
    }
    dev.stop_polling(rtnl);
    for part in parts.iter().flatten() {
        (part.after)(dev, rtnl);
    }
    // SAFETY: The work was initialised by `ndo_init`, and does not wait for RTNL. Queueing a
    // disabled work item has no effect.
    unsafe { bindings::disable_work_sync(dev.private().work.get()) };
    // The destructor cancels an alarm that is set after this.
    dev.private().alarm.cancel();
}
