// SPDX-License-Identifier: GPL-2.0

//! Drivers of master devices: devices that carry their traffic through other devices.
//!
//! C header: [`include/linux/netdevice.h`](srctree/include/linux/netdevice.h)
//!
//! A driver implements [`Master`] for the data of one device, makes a static [`Ops`] of it, and
//! registers that with a [`Registration`]. A device of the driver is a [`Dev<T>`]. Its lower
//! devices are [`Lower<T>`](crate::lower::Lower)s.

use crate::alarm::Alarm;
use crate::bindings;
use crate::choices::Choices;
use crate::lower::{Lower, Lowers};
use crate::namespace::Net;
use crate::ndo;
use crate::netdevice::{NetDevice, Stats, Vlan, IFNAMSIZ};
use crate::netlink::ExtAck;
use crate::netpoll;
use crate::poll;
use crate::published::{MasterHead, Slot};
use crate::rcu::Rcu;
use crate::registration::{Registry, User};
use crate::rtnl::{Rtnl, RtnlGuard, RtnlOnly};
use crate::shared::Bytes;
use crate::skbuff::{Received, SkBuff};
use crate::sock::{self, Socket};
use crate::static_ref::StaticRef;
use crate::sysfs::{LowerDir, LowerDirRef, LowerFiles};
use crate::timestamp;
use crate::xdp::{self, Program};
use crate::xfrm::{self, States};
use core::marker::PhantomData;
use core::ops::Deref;
use core::ptr;
use core::sync::atomic::{AtomicPtr, Ordering};
use kernel::error::{code::*, to_result, Result};
use kernel::prelude::*;
use kernel::str::as_char_ptr_in_const_context;
use kernel::types::Opaque;

/// What the driver wants done with a received packet (`rx_handler_result_t`).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Rx {
    /// It arrived on the master (`RX_HANDLER_ANOTHER`).
    Another,
    /// Only for sockets that are bound to the lower device (`RX_HANDLER_EXACT`).
    Exact,
    /// It stays the lower device's (`RX_HANDLER_PASS`).
    Pass,
}

/// A driver of master devices; implemented by the data of one device.
///
/// Functions with an [`RtnlOnly`] or an [`Rtnl`] run under RTNL and may sleep, unless they say otherwise. Those with an
/// [`Rcu`] may not sleep.
pub trait Master: Sized + Send + Sync + 'static {
    /// The data of one lower device.
    type Lower: Send + Sync + 'static;

    /// The driver's place for its registration: a static of its own.
    const REGISTRY: StaticRef<Registry<Self>>;

    /// Makes the data of a device that is being registered (`ndo_init`). The device is none yet whose functions
    /// could be called: they need the data.
    fn new(rtnl: &RtnlOnly) -> Result<Pin<KBox<Self>>>;

    /// The data were made; the device is not registered yet.
    fn ready(dev: &Dev<Self>, rtnl: &RtnlOnly);

    /// Lets go of all lower devices (`ndo_uninit`).
    fn uninit(dev: &Dev<Self>, rtnl: &RtnlOnly);

    /// The device goes up (`ndo_open`).
    fn open(dev: &Dev<Self>, rtnl: &RtnlOnly) -> Result;

    /// The device goes down (`ndo_stop`).
    fn stop(dev: &Dev<Self>, rtnl: &RtnlOnly);

    /// A packet shall leave (`ndo_start_xmit`). Bottom halves off. Returns a `NET_XMIT_*` code.
    fn start_xmit(dev: &Dev<Self>, skb: SkBuff, rcu: &Rcu) -> i32;

    /// The lower device through which a packet would leave (`ndo_get_xmit_slave`); if `all`, as if
    /// the links of all of them worked.
    fn xmit_lower<'a>(
        dev: &'a Dev<Self>,
        skb: &SkBuff,
        all: bool,
        rcu: &'a Rcu,
    ) -> Option<&'a Lower<Self>>;

    /// The lower device through which a packet would leave, and after `previous` the next one, if it
    /// leaves through several; for messages that are sent without interrupts.
    fn next_xmit_lower<'a>(
        dev: &'a Dev<Self>,
        skb: &SkBuff,
        previous: Option<&Lower<Self>>,
        rcu: &'a Rcu,
    ) -> Option<&'a Lower<Self>>;

    /// The lower device through which a frame of an XDP program would leave; it begins with its
    /// Ethernet header (`ndo_xdp_get_xmit_slave`).
    fn frame_lower<'a>(
        dev: &'a Dev<Self>,
        frame: Bytes<'_>,
        rcu: &'a Rcu,
    ) -> Option<&'a Lower<Self>>;

    /// The lower device through which all packets of a socket leave, if it is always the same
    /// (`ndo_sk_get_lower_dev`).
    fn socket_lower<'a>(
        dev: &'a Dev<Self>,
        socket: &Socket,
        rcu: &'a Rcu,
    ) -> Option<&'a Lower<Self>>;

    /// An XDP program shall run for what the device receives, or none (`ndo_bpf`): it is given to the
    /// lower devices.
    fn set_xdp(
        dev: &Dev<Self>,
        program: Option<&Program>,
        extack: Option<&ExtAck>,
        rtnl: &RtnlOnly,
    ) -> Result;

    /// Whether a packet that arrives on a lower device is the master's ([`Rx::Another`]), and nothing else has
    /// to be done. Softirq, for each packet.
    fn takes(lower: &Lower<Self>, packet: Received<'_>) -> bool;

    /// A packet arrived on a lower device for which [`Self::takes`] was false. Softirq.
    fn receive(lower: &Lower<Self>, packet: Received<'_>, rcu: &Rcu) -> Rx;

    /// Statistics are read (`ndo_get_stats64`). No sleeping.
    fn stats(dev: &Dev<Self>, rcu: &Rcu) -> Stats;

    /// `IFF_PROMISC` or `IFF_ALLMULTI` of the device changed (`ndo_change_rx_flags`).
    fn rx_flags_changed(dev: &Dev<Self>, promisc: bool, allmulti: bool, rtnl: &RtnlOnly);

    /// The device's address lists changed (`ndo_set_rx_mode`): calls `sync` for each lower device
    /// that shall have them; the second argument is whether it shares them with others. Address lock
    /// held, no sleeping.
    fn rx_mode(dev: &Dev<Self>, rtnl: &Rtnl, sync: &mut dyn FnMut(&Lower<Self>, bool) -> Result);

    /// The MTU shall change, to this many bytes (`ndo_change_mtu`).
    fn change_mtu(dev: &Dev<Self>, mtu: u32, rtnl: &RtnlOnly) -> Result;

    /// The hardware address shall change (`ndo_set_mac_address`). `addr` has `dev.addr_len()` bytes.
    fn set_addr(dev: &Dev<Self>, addr: &[u8], rtnl: &RtnlOnly) -> Result;

    /// A VLAN id shall pass (`ndo_vlan_rx_add_vid`).
    fn add_vlan(dev: &Dev<Self>, vlan: Vlan, rtnl: &Rtnl) -> Result;

    /// A VLAN id is not wanted any more (`ndo_vlan_rx_kill_vid`).
    fn del_vlan(dev: &Dev<Self>, vlan: Vlan, rtnl: &Rtnl);

    /// The lower device whose hardware time stamps are the device's (`ndo_hwtstamp_get`, `_set`).
    fn timestamp_lower<'a>(dev: &'a Dev<Self>, rtnl: &'a Rtnl) -> Option<&'a Lower<Self>>;

    /// The lower device whose hardware does IPsec for the device now. `EOPNOTSUPP` if it is done in
    /// software.
    fn ipsec_lower<'a>(dev: &'a Dev<Self>, rcu: &'a Rcu) -> Result<&'a Lower<Self>>;

    /// The lower device through which all packets leave at this moment, if there is one.
    fn sole_lower<'a>(dev: &'a Dev<Self>, rcu: &'a Rcu) -> Option<&'a Lower<Self>>;

    /// Another device shall become a lower device (`ndo_add_slave`).
    fn add_lower(
        dev: &Dev<Self>,
        lower: &NetDevice,
        extack: Option<&ExtAck>,
        rtnl: &RtnlOnly,
    ) -> Result;

    /// A lower device shall leave (`ndo_del_slave`).
    fn del_lower(dev: &Dev<Self>, lower: &NetDevice, rtnl: &RtnlOnly) -> Result;

    /// It is time to look at the device again (see [`Dev::poll_every`]). Process context, no sleeping.
    fn poll(dev: &Dev<Self>, rcu: &Rcu);

    /// The work that [`Dev::run_work`] asked for. Process context, without RTNL.
    fn work(dev: &Dev<Self>);
}

/// The tables of C functions that make up a driver; made as a static by the driver's module.
pub struct Ops<T: Master> {
    netdev: bindings::net_device_ops,
    xfrm: bindings::xfrmdev_ops,
    pub(crate) ethtool: bindings::ethtool_ops,
    pub(crate) link: crate::rtnetlink::LinkTable,
    pub(crate) group: *const bindings::attribute_group,
    pub(crate) lower_dir: LowerDirRef<T>,
    device_type: bindings::device_type,
    pub(crate) header: bindings::header_ops,
    _driver: PhantomData<fn(T)>,
}

// SAFETY: The tables are constant, but for the link table, which takes care of itself.
unsafe impl<T: Master> Sync for Ops<T> {}

impl<T: Master> Ops<T> {
    /// Makes the tables. `kind` is the name of the device type, in sysfs and of rtnetlink; `lower_dir` is what
    /// each lower device has in sysfs.
    pub const fn new<F: LowerFiles<T>, const N: usize>(
        kind: &'static CStr,
        lower_dir: &'static LowerDir<T, F, N>,
    ) -> Self {
        Self {
            netdev: bindings::net_device_ops {
                ndo_init: Some(ndo::ndo_init::<T>),
                ndo_uninit: Some(ndo::ndo_uninit::<T>),
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
                ndo_sk_get_lower_dev: Some(sock::ndo_sk_get_lower_dev::<T>),
                ndo_netpoll_setup: Some(netpoll::ndo_netpoll_setup::<T>),
                ndo_netpoll_cleanup: Some(netpoll::ndo_netpoll_cleanup::<T>),
                ndo_poll_controller: Some(netpoll::ndo_poll_controller::<T>),
                ndo_bpf: Some(xdp::ndo_bpf::<T>),
                ndo_xdp_xmit: Some(xdp::ndo_xdp_xmit::<T>),
                ndo_xdp_get_xmit_slave: Some(xdp::ndo_xdp_get_xmit_slave::<T>),
                ndo_hwtstamp_get: Some(timestamp::ndo_hwtstamp_get::<T>),
                ndo_hwtstamp_set: Some(timestamp::ndo_hwtstamp_set::<T>),
                ..pin_init::zeroed()
            },
            xfrm: xfrm::ops::<T>(),
            ethtool: pin_init::zeroed(),
            link: crate::rtnetlink::LinkTable::new(kind),
            group: ptr::null(),
            lower_dir: LowerDirRef::new(lower_dir),
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

    pub(crate) const fn netdev_mut(&mut self) -> &mut bindings::net_device_ops {
        &mut self.netdev
    }
}

/// What stands at `netdev_priv()` of a device.
#[repr(C)]
pub(crate) struct Private<T: Master> {
    pub(crate) head: MasterHead,
    /// The data; NULL before `ndo_init` and after the destructor.
    pub(crate) data: AtomicPtr<T>,
    /// The first lower device; see [`Lower`].
    pub(crate) first: AtomicPtr<Lower<T>>,
    /// The lower device that has the master's addresses; see [`Dev::settled`].
    pub(crate) settled: AtomicPtr<Lower<T>>,
    /// The lower devices that hashes choose from.
    pub(crate) choices: Choices<T>,
    /// The program that is attached; see [`crate::xdp`].
    pub(crate) xdp_program: AtomicPtr<bindings::bpf_prog>,
    /// The states of IPsec that lower devices hold for it; NULL as `data` is.
    pub(crate) ipsec: AtomicPtr<States>,
    /// Its place among those that are polled; see [`crate::poll`].
    pub(crate) poll: poll::Link<T>,
    /// The file in `/proc/net`; see [`crate::procfs`].
    pub(crate) proc_file: AtomicPtr<bindings::proc_dir_entry>,
    pub(crate) work: Opaque<bindings::work_struct>,
    /// Has the work run later.
    pub(crate) alarm: Alarm,
}

impl<T: Master> Private<T> {
    /// The size of the private area, in bytes.
    pub(crate) const SIZE: usize = size_of::<Self>();
}

/// A device of driver `T`.
///
/// # Invariants
///
/// As for [`NetDevice`]; besides, the private area is a [`Private<T>`] whose `data` is valid.
#[repr(transparent)]
pub struct Dev<T: Master> {
    dev: NetDevice,
    _driver: PhantomData<T>,
}

impl<T: Master> Deref for Dev<T> {
    type Target = NetDevice;

    #[inline(always)]
    fn deref(&self) -> &NetDevice {
        &self.dev
    }
}

impl<T: Master> Dev<T> {
    /// Makes a reference from a C pointer.
    ///
    /// # Safety
    ///
    /// `dev` must point to a device that [`setup`] of the same `T` set up, that `ndo_init` succeeded
    /// for, and that stays so for all of `'a`.
    #[inline(always)]
    pub(crate) unsafe fn from_raw<'a>(dev: *mut bindings::net_device) -> &'a Dev<T> {
        // SAFETY: By the caller's promise. INVARIANT: likewise.
        unsafe { &*dev.cast() }
    }

    /// Returns the device as one of driver `T`, if it is one.
    pub fn from_netdev(dev: &NetDevice) -> Option<&Dev<T>> {
        let ops = T::REGISTRY.ops()?;
        // SAFETY: The device is allocated.
        if !ptr::eq(unsafe { (*dev.as_ptr()).netdev_ops }, &ops.netdev) {
            return None;
        }
        // SAFETY: Only `setup::<T>` gives a device these operations, so that its private area is a
        // `Private<T>` (zeroed at least).
        let private = unsafe { &*private::<T>(dev.as_ptr()) };
        if private.data.load(Ordering::Acquire).is_null() {
            return None;
        }
        // SAFETY: As above; the data are valid and go only with the device.
        Some(unsafe { Dev::from_raw(dev.as_ptr()) })
    }

    #[inline(always)]
    pub(crate) fn private(&self) -> &Private<T> {
        // SAFETY: By the type invariant.
        unsafe { &*private::<T>(self.as_ptr()) }
    }

    /// Recomputes the features from those of the lower devices; with `update_header`, the room for headers, too,
    /// which without lower devices becomes that of Ethernet. May sleep.
    pub fn update_master_features(&self, update_header: bool, _rtnl: &Rtnl) {
        // SAFETY: The device is allocated and RTNL is held.
        unsafe { bindings::netdev_compute_master_upper_features(self.as_ptr(), update_header) };
    }

    /// Sets the carrier. RTNL, so that nobody else does the same.
    pub fn set_carrier(&self, _rtnl: &Rtnl, on: bool) {
        // SAFETY: The device is allocated. It has no hardware, so that nobody but its driver does this.
        unsafe {
            if on {
                bindings::netif_carrier_on(self.as_ptr());
            } else {
                bindings::netif_carrier_off(self.as_ptr());
            }
        }
    }

    /// Returns the driver's data.
    #[inline(always)]
    pub fn data(&self) -> Pin<&T> {
        // SAFETY: By the type invariant the pointer is valid; the data were pinned when they were
        // made and are never moved.
        unsafe { Pin::new_unchecked(&*self.private().data.load(Ordering::Relaxed)) }
    }

    /// Returns the mode, `BOND_MODE_*`, that is published for other kernel code. Any context.
    #[inline(always)]
    pub fn mode(&self) -> i32 {
        self.private().head.mode().load(Ordering::Relaxed)
    }

    /// Returns the states of IPsec that lower devices hold for this device.
    pub fn ipsec_states(&self) -> &States {
        // SAFETY: By the type invariant `ndo_init` succeeded, which made them; they go with the data.
        unsafe { &*self.private().ipsec.load(Ordering::Relaxed) }
    }

    /// Publishes the mode, `BOND_MODE_*`.
    pub fn set_mode(&self, _rtnl: &Rtnl, mode: i32) {
        self.private().head.mode().store(mode, Ordering::Relaxed);
    }

    /// Goes over the lower devices in the order in which they came.
    ///
    /// Those that come or go meanwhile may or may not be seen.
    pub fn lowers<'a>(&'a self, _rtnl: &'a Rtnl) -> Lowers<'a, T> {
        Lowers::new(&self.private().first)
    }

    /// As [`Self::lowers`], in an RCU read-side section.
    #[inline(always)]
    pub fn lowers_rcu<'a>(&'a self, _rcu: &'a Rcu) -> Lowers<'a, T> {
        Lowers::new(&self.private().first)
    }

    /// Returns how many lower devices there are. Any context.
    #[inline(always)]
    pub fn lower_count(&self) -> u32 {
        // Never negative: one is added before one is taken away.
        self.private().head.count().load(Ordering::Relaxed) as u32
    }

    pub(crate) fn add_to_count(&self, change: i32) {
        let count = self.private().head.count();
        count.store(
            count.load(Ordering::Relaxed).wrapping_add(change),
            Ordering::Relaxed,
        );
    }

    /// Returns the lower device in `slot`.
    pub fn slot<'a>(&'a self, _rtnl: &'a Rtnl, slot: Slot) -> Option<&'a Lower<T>> {
        // SAFETY: Slots hold linked lower devices only (`set_slot`, `Lower::unlink`), and these stay
        // allocated as long as RTNL is held.
        unsafe {
            self.private()
                .head
                .slot::<Lower<T>>(slot)
                .load(Ordering::Relaxed)
                .as_ref()
        }
    }

    /// As [`Self::slot`], in an RCU read-side section.
    #[inline(always)]
    pub fn slot_rcu<'a>(&'a self, _rcu: &'a Rcu, slot: Slot) -> Option<&'a Lower<T>> {
        // SAFETY: Slots hold linked lower devices only; these are freed a grace period after they
        // left their slots.
        unsafe {
            self.private()
                .head
                .slot::<Lower<T>>(slot)
                .load(Ordering::Acquire)
                .as_ref()
        }
    }

    /// Puts a lower device into `slot`, where the rest of the kernel sees it.
    ///
    /// One that is not linked any more leaves the slot empty.
    pub fn set_slot(&self, _rtnl: &Rtnl, slot: Slot, lower: Option<&Lower<T>>) {
        let lower = lower.filter(|lower| lower.is_linked_to(self));
        self.private().head.slot(slot).store(
            lower.map_or(ptr::null_mut(), |lower| ptr::from_ref(lower).cast_mut()),
            Ordering::Release,
        );
    }

    /// Returns the lower device that was last said to have the master's addresses.
    ///
    /// A failover that runs from a link event may switch the traffic at once but must leave the
    /// address lists for later (see [`NetDevice::needs_ops_lock`]); this slot tells where they are.
    pub fn settled<'a>(&'a self, _rtnl: &'a Rtnl) -> Option<&'a Lower<T>> {
        // SAFETY: As in `slot`.
        unsafe { self.private().settled.load(Ordering::Relaxed).as_ref() }
    }

    /// Tells which lower device has the master's addresses.
    pub fn set_settled(&self, _rtnl: &Rtnl, lower: Option<&Lower<T>>) {
        let lower = lower.filter(|lower| lower.is_linked_to(self));
        self.private().settled.store(
            lower.map_or(ptr::null_mut(), |lower| ptr::from_ref(lower).cast_mut()),
            Ordering::Relaxed,
        );
    }

    /// Empties all slots that hold `lower`.
    pub(crate) fn clear_slots(&self, lower: &Lower<T>, rtnl: &Rtnl) {
        self.private().choices.forget(lower, rtnl);
        let raw = ptr::from_ref(lower).cast_mut();
        let head = &self.private().head;
        for slot in [
            head.slot::<Lower<T>>(Slot::Active),
            head.slot::<Lower<T>>(Slot::Primary),
            head.slot::<Lower<T>>(Slot::Tried),
            &self.private().settled,
        ] {
            if slot.load(Ordering::Relaxed) == raw {
                slot.store(ptr::null_mut(), Ordering::Relaxed);
            }
        }
    }

    /// Does something to all lower devices; if one refuses, undoes it for those in front of that one.
    pub fn all_or_none(
        &self,
        rtnl: &Rtnl,
        mut act: impl FnMut(&Lower<T>) -> Result,
        undo: impl FnMut(&Lower<T>),
    ) -> Result {
        for lower in self.lowers(rtnl) {
            if let Err(err) = act(lower) {
                let done = self.lowers(rtnl).take_while(|done| !ptr::eq(*done, lower));
                done.for_each(undo);
                return Err(err);
            }
        }
        Ok(())
    }

    /// Finds the lower device that `dev` is for this master.
    pub fn lower_of<'a>(&'a self, rtnl: &'a Rtnl, dev: &NetDevice) -> Option<&'a Lower<T>> {
        self.lowers(rtnl).find(|lower| lower.dev() == dev)
    }

    /// Has [`Master::work`] run as soon as possible. Any context.
    ///
    /// The work reads what the caller has stored before.
    pub fn run_work(&self) {
        // SAFETY: The work was initialised by `ndo_init`, and the queue exists as long as devices do.
        // `ndo_uninit` disables the work, so that it is not queued after that.
        unsafe { bindings::nh_queue_work(T::REGISTRY.wq(), self.private().work.get()) };
    }

    /// Has [`Master::work`] run at `at`, in µs of the monotonic clock, or earlier. Any context.
    ///
    /// The work reads what the caller has stored before. It runs once for all who asked for it meanwhile, at the
    /// earliest of their times: whoever has something to do later asks again then.
    pub fn run_work_at(&self, at: u64) {
        self.private().alarm.set(at);
    }

    /// Waits until [`Master::work`] does not run and will not run. Sleeps. `work` must not wait for
    /// RTNL, which the caller holds.
    pub fn cancel_work(&self, _rtnl: &Rtnl) {
        let private = self.private();
        // SAFETY: The work was initialised by `ndo_init`. While it is disabled, the alarm cannot queue it, nor it
        // set the alarm.
        unsafe {
            bindings::disable_work_sync(private.work.get());
            private.alarm.cancel();
            bindings::enable_work(private.work.get());
        }
    }

    /// Makes and registers a device in `net`; `name` may hold a `%d`. May sleep.
    ///
    /// # Errors
    ///
    /// `ENODEV` if the driver is not registered, `EINVAL` for a name that is too long, `ENOMEM`, and those
    /// of `register_netdevice()`.
    pub fn create<'a>(net: &Net, name: &[u8], queues: u32, _rtnl: &'a Rtnl) -> Result<&'a Dev<T>> {
        // The driver stays registered until the device is one of its users itself.
        let user = User::<T>::new().ok_or(ENODEV)?;
        let ops = user.ops();
        let mut buf = [0u8; IFNAMSIZ];
        if name.len() >= IFNAMSIZ {
            return Err(EINVAL);
        }
        buf.iter_mut().zip(name).for_each(|(to, from)| *to = *from);
        // SAFETY: The name ends with a NUL, and `setup` suits the size of the private area.
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
        // SAFETY: The device is ours; nobody else knows it yet.
        unsafe {
            bindings::nh_dev_net_set(dev, net.as_ptr());
            (*dev).rtnl_link_ops = ops.link.as_ptr();
        }
        // SAFETY: RTNL is held and the device is set up.
        let res = to_result(unsafe { bindings::register_netdevice(dev) });
        if let Err(err) = res {
            // SAFETY: Registration failed, so that the device is still ours.
            unsafe { bindings::free_netdev(dev) };
            return Err(err);
        }
        // SAFETY: `ndo_init` has succeeded; the device stays while RTNL is held.
        Ok(unsafe { Dev::from_raw(dev) })
    }

    /// Unregisters the device (`unregister_netdevice()`). It is freed when RTNL is dropped. Sleeps.
    ///
    /// Needs the guard of RTNL: only who has taken that is not called from within an operation of the core on the
    /// device, such as the one that opens it, which goes on with the device afterwards.
    pub fn unregister(&self, rtnl: &RtnlGuard) {
        // SAFETY: Nobody can have the guard in a callback that the core calls under RTNL.
        unsafe { self.unregister_now(rtnl) }
    }

    /// As [`Self::unregister`].
    ///
    /// # Safety
    ///
    /// The caller is not called from within an operation of the core on the device, or that does not use the device
    /// any more.
    pub(crate) unsafe fn unregister_now(&self, rtnl: &Rtnl) {
        if self.is_registered(rtnl) {
            // SAFETY: RTNL is held. A device that is not registered (any more), or is on a list of those that will be
            // unregistered, was left alone; for the rest see the caller's promise.
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
            // or touching the list that is gone over.
            unsafe { bindings::unregister_netdevice_queue(dev.as_ptr(), kill_list) };
        }
    }
}

/// Gives the private area of a device.
#[inline(always)]
pub(crate) fn private<T: Master>(dev: *mut bindings::net_device) -> *mut Private<T> {
    // netdev_priv(): the area follows the structure, which ends with a flexible array.
    // SAFETY: Only computes an address.
    unsafe { (&raw mut (*dev).priv_).cast() }
}

/// Sets up a device that was just allocated (`rtnl_link_ops.setup`).
///
/// # Safety
///
/// `dev` must be zeroed memory of a device with a private area of [`Private::SIZE`] bytes.
pub(crate) unsafe extern "C" fn setup<T: Master>(dev: *mut bindings::net_device) {
    // Who allocates a device is a user of the driver: `Dev::create`, or the registration of the link type.
    let Some(ops) = T::REGISTRY.ops() else {
        return;
    };
    // SAFETY: The device is ours alone during set-up; all tables are static.
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
        (*private::<T>(dev))
            .head
            .dev()
            .store(dev, Ordering::Relaxed);
    }
    // SAFETY: As above.
    let dev = unsafe { NetDevice::from_raw(dev) };
    dev.change_priv_flags(
        bindings::netdev_priv_flags_IFF_BONDING
            | bindings::netdev_priv_flags_IFF_UNICAST_FLT
            | bindings::netdev_priv_flags_IFF_NO_QUEUE,
        bindings::netdev_priv_flags_IFF_XMIT_DST_RELEASE
            | bindings::netdev_priv_flags_IFF_TX_SKB_SHARING,
    );
}

/// Frees the data of a device (`priv_destructor`).
unsafe extern "C" fn destructor<T: Master>(dev: *mut bindings::net_device) {
    // SAFETY: Called once, for a device that `setup` set up and that nobody uses any more.
    let data = unsafe {
        (*private::<T>(dev))
            .data
            .swap(ptr::null_mut(), Ordering::AcqRel)
    };
    // SAFETY: Nobody uses the device any more.
    unsafe { (*private::<T>(dev)).choices.free() };
    // SAFETY: As above.
    let states = unsafe {
        (*private::<T>(dev))
            .ipsec
            .swap(ptr::null_mut(), Ordering::AcqRel)
    };
    if !states.is_null() {
        // SAFETY: `ndo_init` made the pointer from such a box.
        drop(unsafe { Pin::new_unchecked(KBox::from_raw(states)) });
    }
    if !data.is_null() {
        // SAFETY: `ndo_init` has succeeded, since there are data. Whoever used the device when it was
        // unregistered may have set the alarm after `ndo_uninit` had cancelled it.
        unsafe { (*private::<T>(dev)).alarm.cancel() };
        // SAFETY: `ndo_init` made the pointer from such a box.
        drop(unsafe { Pin::new_unchecked(KBox::from_raw(data)) });
        // SAFETY: `ndo_init` has forgotten it when it made the data.
        drop(unsafe { User::<T>::remembered() });
    }
}
