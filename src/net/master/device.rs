// SPDX-License-Identifier: GPL-2.0

//! Masters, devices that carry their traffic through other devices, and these, their lower devices.
//!
//! C header: [`include/linux/netdevice.h`](srctree/include/linux/netdevice.h)
//!
//! A driver implements [`Master`] for the data of one device, makes a static [`Ops`](super::ops::Ops) of it, and
//! registers that with a [`Registration`](super::registration::Registration). A device of the driver is a [`Dev<T>`],
//! its lower devices are [`Lower<T>`]s.

use super::choices::Choices;
use super::object::{DirRef, Object};
use super::poller::Link;
use super::registry::{Registered, User};
use crate::alarm::Alarm;
use crate::bindings;
use crate::netdevice::{NetDevice, Stats, Vlan};
use crate::netlink::ExtAck;
use crate::rcu::Rcu;
use crate::rtnl::{Rtnl, RtnlOnly};
use crate::skbuff::{Received, SkBuff};
use crate::xfrm_state::States;
use core::ffi::c_void;
use core::marker::PhantomData;
use core::ops::Deref;
use core::ptr;
use core::sync::atomic::{AtomicI32, AtomicPtr, Ordering};
use kernel::error::{code::*, Result};
use kernel::prelude::*;
use kernel::sync::atomic::{Atomic, Relaxed};
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
pub trait Master: Registered + Send + Sync {
    /// The data of one lower device.
    type Lower: Send + Sync + 'static;

    /// What other kernel code finds in the private areas of devices.
    type Layout: Layout;

    /// The name of the driver.
    const NAME: &'static CStr;

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

/// Places in a master that hold one of its lower devices.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Slot {
    /// The one that carries the traffic, where that is one.
    Active,
    /// The one that the user prefers.
    Primary,
    /// The one that is tried while none carries the traffic.
    Tried,
}

/// The beginning of the private area of a master. All zeros is a valid value.
///
/// # Safety
///
/// Each function returns the place of one field, always the same, which nobody accesses but by the atomic, or in C as a
/// whole.
pub unsafe trait Head: Send + Sync {
    /// The device that the area belongs to.
    fn dev(&self) -> &AtomicPtr<bindings::net_device>;
    /// One of the pointers to lower devices: to their heads.
    fn slot<L>(&self, slot: Slot) -> &AtomicPtr<L>;
    /// How many lower devices there are.
    fn count(&self) -> &AtomicI32;
}

/// The beginning of what `rx_handler_data` of a lower device points to.
///
/// # Safety
///
/// What [`HeadBelow::new`] was given is returned ever after.
pub unsafe trait HeadBelow: Send + Sync {
    /// Makes the head of a lower device below a master with this private area.
    fn new(dev: *mut bindings::net_device, master: *mut c_void) -> Self;
    /// The lower device.
    fn dev(&self) -> *mut bindings::net_device;
    /// The private area of the master.
    fn master(&self) -> *mut c_void;
}

/// What other kernel code finds in the private areas of a driver's devices, in places that it knows. The driver keeps
/// this part of its state there and nowhere else.
///
/// # Safety
///
/// Other code takes devices with this flag, and `IFF_MASTER` or `IFF_SLAVE`, for ones whose areas begin like that.
pub unsafe trait Layout: 'static {
    /// At the beginning of `netdev_priv()` of a master.
    type Master: Head;
    /// At the beginning of what `rx_handler_data` of a lower device points to.
    type Lower: HeadBelow;
    /// The private flag (`IFF_*`) by which other code knows both.
    const FLAG: u32;
}

pub(crate) type MasterHead<T> = <<T as Master>::Layout as Layout>::Master;
pub(crate) type LowerHead<T> = <<T as Master>::Layout as Layout>::Lower;

/// What stands at `netdev_priv()` of a device.
#[repr(C)]
pub(crate) struct Private<T: Master> {
    head: MasterHead<T>,
    /// The data; NULL before `ndo_init` and after the destructor.
    pub(crate) data: AtomicPtr<T>,
    /// The first lower device; see [`Lower`].
    pub(crate) first: AtomicPtr<Lower<T>>,
    /// The lower device that has the master's addresses; see [`Dev::settled`].
    settled: Atomic<*mut Lower<T>>,
    /// The lower devices that hashes choose from.
    choices: Choices<Lower<T>>,
    /// The program that is attached; see `xdp.rs`.
    pub(crate) xdp_program: Atomic<*mut bindings::bpf_prog>,
    /// The states of IPsec that lower devices hold for it; NULL as `data` is.
    pub(crate) ipsec: Atomic<*mut States>,
    /// Its place among those that are polled; see `poll.rs`.
    pub(crate) poll: Link,
    /// The file in `/proc/net`; see `procfs.rs`.
    pub(crate) proc_file: Atomic<*mut bindings::proc_dir_entry>,
    pub(crate) work: Opaque<bindings::work_struct>,
    /// Has the work run later.
    pub(crate) alarm: Alarm,
}

impl<T: Master> Private<T> {
    /// The size of the private area, in bytes.
    pub(crate) const SIZE: usize = size_of::<Self>();

    /// The device that the area belongs to.
    #[inline(always)]
    pub(crate) fn dev(&self) -> *mut bindings::net_device {
        self.head.dev().load(Ordering::Relaxed)
    }

    pub(crate) fn set_dev(&self, dev: *mut bindings::net_device) {
        self.head.dev().store(dev, Ordering::Relaxed);
    }

    /// Frees the table of choices.
    ///
    /// # Safety
    ///
    /// Nobody uses the device any more.
    pub(crate) unsafe fn free_choices(&self) {
        // SAFETY: By the caller's promise.
        unsafe { self.choices.free() };
    }
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
    /// `dev` must point to a device that `setup` of the same `T` (`ops.rs`) set up, that `ndo_init` succeeded
    /// for, and that stays so for all of `'a`.
    #[inline(always)]
    pub(crate) unsafe fn from_raw<'a>(dev: *mut bindings::net_device) -> &'a Dev<T> {
        // SAFETY: By the caller's promise. INVARIANT: likewise.
        unsafe { &*dev.cast() }
    }

    /// Returns the device as one of driver `T`, if it is one.
    pub fn from_netdev(dev: &NetDevice) -> Option<&Dev<T>> {
        let ops = T::REGISTRY.netdev();
        // SAFETY: The device is valid (type invariant).
        if ops.is_null() || !ptr::eq(unsafe { (*dev.as_ptr()).netdev_ops }, ops) {
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

    /// What other kernel code finds at the beginning of the private area.
    #[inline(always)]
    pub(crate) fn head(&self) -> &MasterHead<T> {
        &self.private().head
    }

    /// Recomputes the features from those of the lower devices; with `update_header`, the room for headers, too,
    /// which without lower devices becomes that of Ethernet. May sleep.
    pub fn update_master_features(&self, update_header: bool, _rtnl: &Rtnl) {
        // SAFETY: The device is valid (type invariant) and RTNL is held.
        unsafe { bindings::netdev_compute_master_upper_features(self.as_ptr(), update_header) };
    }

    /// Sets the carrier. RTNL, so that nobody else does the same.
    pub fn set_carrier(&self, _rtnl: &Rtnl, on: bool) {
        // SAFETY: The device is valid (type invariant). It has no hardware, so that nobody but its driver does this.
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

    /// Returns the states of IPsec that lower devices hold for this device.
    pub fn ipsec_states(&self) -> &States {
        // SAFETY: By the type invariant `ndo_init` succeeded, which made them; they go with the data.
        unsafe { &*self.private().ipsec.load(Relaxed) }
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
        self.head().count().load(Ordering::Relaxed) as u32
    }

    pub(crate) fn add_to_count(&self, change: i32) {
        let count = self.head().count();
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
            self.head()
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
            self.head()
                .slot::<Lower<T>>(slot)
                .load(Ordering::Acquire)
                .as_ref()
        }
    }

    /// Makes room for one more lower device than there are among those that a number chooses from. May sleep.
    pub fn reserve_choice(&self, rtnl: &Rtnl) -> Result {
        let needed = self.lower_count().saturating_add(1);
        self.private().choices.reserve(needed, rtnl)
    }

    /// Replaces those that a number chooses from; what does not fit (see [`Self::reserve_choice`]) is left out.
    pub fn set_choices<'a>(&'a self, lowers: impl Iterator<Item = &'a Lower<T>>, rtnl: &Rtnl) {
        let linked = lowers.filter(|lower| lower.is_linked_to(self));
        // SAFETY: They are linked; `clear_slots` has one forgotten that is unlinked.
        unsafe { self.private().choices.set(linked, rtnl) };
    }

    /// Chooses a lower device by a number; none if there is none to choose from, or that is about to change.
    #[inline(always)]
    pub fn choose<'a>(&'a self, number: u32, rcu: &'a Rcu) -> Option<&'a Lower<T>> {
        self.private().choices.choose_if(number, |_| true, rcu)
    }

    /// As [`Self::choose`], but only while all lower devices can be chosen.
    #[inline(always)]
    pub fn choose_of_all<'a>(&'a self, number: u32, rcu: &'a Rcu) -> Option<&'a Lower<T>> {
        let is_all = |len| len == self.lower_count();
        self.private().choices.choose_if(number, is_all, rcu)
    }

    /// Puts a lower device into `slot`, where the rest of the kernel sees it.
    ///
    /// One that is not linked any more leaves the slot empty.
    pub fn set_slot(&self, _rtnl: &Rtnl, slot: Slot, lower: Option<&Lower<T>>) {
        let lower = lower.filter(|lower| lower.is_linked_to(self));
        self.head().slot(slot).store(
            lower.map_or(ptr::null_mut(), |lower| ptr::from_ref(lower).cast_mut()),
            Ordering::Release,
        );
    }

    /// Returns the lower device that was last said to have the master's addresses.
    ///
    /// A failover that runs from a link event may switch the traffic at once but must leave the
    /// address lists for later (see [`netdev_lock`](crate::netdev_lock)); this slot tells where they are.
    pub fn settled<'a>(&'a self, _rtnl: &'a Rtnl) -> Option<&'a Lower<T>> {
        // SAFETY: As in `slot`.
        unsafe { self.private().settled.load(Relaxed).as_ref() }
    }

    /// Tells which lower device has the master's addresses.
    pub fn set_settled(&self, _rtnl: &Rtnl, lower: Option<&Lower<T>>) {
        let lower = lower.filter(|lower| lower.is_linked_to(self));
        self.private().settled.store(
            lower.map_or(ptr::null_mut(), |lower| ptr::from_ref(lower).cast_mut()),
            Relaxed,
        );
    }

    /// Empties all slots that hold `lower`.
    pub(crate) fn clear_slots(&self, lower: &Lower<T>, rtnl: &Rtnl) {
        self.private().choices.forget(lower, rtnl);
        let raw = ptr::from_ref(lower).cast_mut();
        let head = self.head();
        for slot in [Slot::Active, Slot::Primary, Slot::Tried] {
            let slot = head.slot::<Lower<T>>(slot);
            if slot.load(Ordering::Relaxed) == raw {
                slot.store(ptr::null_mut(), Ordering::Relaxed);
            }
        }
        if self.private().settled.load(Relaxed) == raw {
            self.private().settled.store(ptr::null_mut(), Relaxed);
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
}

/// Gives the private area of a device.
#[inline(always)]
pub(crate) fn private<T: Master>(dev: *mut bindings::net_device) -> *mut Private<T> {
    // netdev_priv(): the area follows the structure, which ends with a flexible array.
    // SAFETY: Only computes an address.
    unsafe { (&raw mut (*dev).priv_).cast() }
}

/// A lower device of a master of driver `T`, and the driver's data about it.
///
/// `rx_handler_data` and the private pointer of the core's adjacency point to it. Each master keeps a list of its own,
/// beside the one of the core, whose nodes keep their links when they leave it.
#[repr(C)]
#[pin_data]
pub struct Lower<T: Master> {
    head: LowerHead<T>,
    pub(super) next: AtomicPtr<Lower<T>>,
    pub(super) linked: Atomic<bool>,
    /// Whether the device has the flag of [`Layout`] from us.
    pub(super) marked: Atomic<bool>,
    /// The sysfs directory, and the references to all of this.
    #[pin]
    pub(crate) object: Object,
    /// By what it sends messages without interrupts; see `netpoll.rs`.
    pub(crate) netpoll: Atomic<*mut bindings::netpoll>,
    #[pin]
    pub(super) free: Opaque<bindings::rcu_work>,
    #[pin]
    data: T::Lower,
    /// Last, so that it goes last.
    _user: User<T>,
}

// SAFETY: The head and the links are atomics, the sysfs object is added and removed under RTNL and counted by C, the
// work belongs to its release, and the data may be shared by the bound on `T::Lower`.
unsafe impl<T: Master> Sync for Lower<T> {}
// SAFETY: As above.
unsafe impl<T: Master> Send for Lower<T> {}

impl<T: Master> Lower<T> {
    /// Makes the object of a device that is not linked yet.
    ///
    /// Not public: the object refers to devices that stay as long as RTNL is held, or it is linked.
    pub(super) fn new<E>(
        master: &Dev<T>,
        dev: &NetDevice,
        data: impl PinInit<T::Lower, E>,
        dir: &DirRef,
        free: bindings::work_func_t,
    ) -> Result<Pin<KBox<Self>>>
    where
        Error: From<E>,
    {
        let private: *const Private<T> = master.private();
        KBox::try_pin_init(
            try_pin_init!(Self {
                head: LowerHead::<T>::new(dev.as_ptr(), private.cast_mut().cast()),
                next: AtomicPtr::new(ptr::null_mut()),
                linked: Atomic::new(false),
                marked: Atomic::new(false),
                object <- Object::new(dir),
                netpoll: Atomic::new(ptr::null_mut()),
                free <- Opaque::ffi_init(move |work| {
                    // SAFETY: The work is pinned and valid for writes.
                    unsafe { bindings::nh_init_rcu_work(work, free) }
                }),
                data <- data,
                _user: User::new().ok_or(ENODEV)?,
            }? Error),
            GFP_KERNEL,
        )
    }

    /// Returns the device.
    #[inline(always)]
    pub fn dev(&self) -> &NetDevice {
        // SAFETY: The device stays allocated as long as references to this object may exist: it
        // cannot go while it is linked, and after that not before a grace period and the drop of
        // RTNL.
        unsafe { NetDevice::from_raw(self.head.dev()) }
    }

    /// Returns the master.
    #[inline(always)]
    pub fn master(&self) -> &Dev<T> {
        // SAFETY: The head has the private area of the master, as `new` has put it there. A master
        // goes only after all lower devices have left it; see `dev` for the time after that.
        unsafe { Dev::from_raw((*self.head.master().cast::<Private<T>>()).dev()) }
    }

    /// Returns the driver's data.
    #[inline(always)]
    pub fn data(&self) -> &T::Lower {
        &self.data
    }

    /// What other kernel code finds at the beginning of what `rx_handler_data` points to.
    #[inline(always)]
    pub(crate) fn head(&self) -> &LowerHead<T> {
        &self.head
    }

    pub(crate) fn is_linked_to(&self, master: &Dev<T>) -> bool {
        self.linked.load(Relaxed) && ptr::eq(self.master(), master)
    }
}

#[inline(always)]
pub(super) fn next_of<'a, T: Master>(link: &AtomicPtr<Lower<T>>) -> Option<&'a Lower<T>> {
    // SAFETY: Links are NULL or point to objects that are freed only when nobody can be on the list
    // any more; callers choose `'a` no longer than the section that they are in.
    unsafe { link.load(Ordering::Acquire).as_ref() }
}

/// The iterator over lower devices.
pub struct Lowers<'a, T: Master> {
    next: Option<&'a Lower<T>>,
    _section: PhantomData<&'a ()>,
}

impl<'a, T: Master> Lowers<'a, T> {
    #[inline(always)]
    pub(crate) fn new(first: &'a AtomicPtr<Lower<T>>) -> Self {
        Self {
            next: next_of(first),
            _section: PhantomData,
        }
    }
}

impl<T: Master> Clone for Lowers<'_, T> {
    fn clone(&self) -> Self {
        Self {
            next: self.next,
            _section: PhantomData,
        }
    }
}

impl<'a, T: Master> Iterator for Lowers<'a, T> {
    type Item = &'a Lower<T>;

    #[inline(always)]
    fn next(&mut self) -> Option<&'a Lower<T>> {
        let lower = self.next?;
        self.next = next_of(&lower.next);
        Some(lower)
    }
}
