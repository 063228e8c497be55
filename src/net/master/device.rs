// SPDX-License-Identifier: GPL-2.0

//! Masters and their lower devices. A master carries its traffic through other devices, its lower
//! devices.
//!
//! C header: [`include/linux/netdevice.h`](srctree/include/linux/netdevice.h)
//!
//! A driver implements [`Master`] for the data of one device, makes a static
//! [`Ops`](super::ops::Ops) of that type, and registers it with a
//! [`Registration`](super::registration::Registration). A device of the driver is a [`Dev<T>`], its
//! lower devices are [`Lower<T>`]s.

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
    /// The packet counts as received by the master (`RX_HANDLER_ANOTHER`).
    Another,
    /// The packet is only for sockets that are bound to the lower device (`RX_HANDLER_EXACT`).
    Exact,
    /// The packet stays with the lower device (`RX_HANDLER_PASS`).
    Pass,
    /// The packet was for the driver itself, and is freed (`RX_HANDLER_CONSUMED`).
    Consumed,
}

/// A driver of master devices; implemented by the data of one device.
///
/// Functions that take an [`RtnlOnly`] or an [`Rtnl`] run under RTNL and may sleep, unless their
/// documentation says otherwise. Functions that take an [`Rcu`] must not sleep.
pub trait Master: Registered + Send + Sync {
    /// The data of one lower device.
    type Lower: Send + Sync + 'static;

    /// What other kernel code finds in the private areas of devices.
    type Layout: Layout;

    /// The name of the driver.
    const NAME: &'static CStr;

    /// Makes the data of a device that is being registered (`ndo_init`). Functions of the device
    /// cannot be called yet, since they need the data.
    fn new(rtnl: &RtnlOnly) -> Result<Pin<KBox<Self>>>;

    /// Called once the data exist; the device is not registered yet.
    fn ready(dev: &Dev<Self>, rtnl: &RtnlOnly);

    /// Releases all lower devices (`ndo_uninit`).
    fn uninit(dev: &Dev<Self>, rtnl: &RtnlOnly);

    /// Called when the device goes up (`ndo_open`).
    fn open(dev: &Dev<Self>, rtnl: &RtnlOnly) -> Result;

    /// Called when the device goes down (`ndo_stop`).
    fn stop(dev: &Dev<Self>, rtnl: &RtnlOnly);

    /// Sends a packet (`ndo_start_xmit`). Called with bottom halves off. Returns a `NET_XMIT_*`
    /// code.
    fn start_xmit(dev: &Dev<Self>, skb: SkBuff, rcu: &Rcu) -> i32;

    /// Returns the lower device through which a packet would leave (`ndo_get_xmit_slave`). If
    /// `all`, the links of all lower devices are assumed to work.
    fn xmit_lower<'a>(
        dev: &'a Dev<Self>,
        skb: &SkBuff,
        all: bool,
        rcu: &'a Rcu,
    ) -> Option<&'a Lower<Self>>;

    /// Returns whether a packet that arrives on a lower device is for the master ([`Rx::Another`])
    /// and nothing else has to be done. Softirq, for each packet.
    fn takes(lower: &Lower<Self>, packet: Received<'_>) -> bool;

    /// Classifies a packet from a lower device for which [`Self::takes`] returned false. Softirq.
    fn receive(lower: &Lower<Self>, packet: Received<'_>, rcu: &Rcu) -> Rx;

    /// Returns the statistics (`ndo_get_stats64`). Must not sleep.
    fn stats(dev: &Dev<Self>, rcu: &Rcu) -> Stats;

    /// Called when `IFF_PROMISC` or `IFF_ALLMULTI` of the device has changed
    /// (`ndo_change_rx_flags`).
    fn rx_flags_changed(dev: &Dev<Self>, promisc: bool, allmulti: bool, rtnl: &RtnlOnly);

    /// Called when the device's address lists have changed (`ndo_set_rx_mode`). Calls `sync` for
    /// each lower device that has to have the lists; the second argument says whether the lower
    /// device shares them with others. The address lock is held; must not sleep.
    fn rx_mode(dev: &Dev<Self>, rtnl: &Rtnl, sync: &mut dyn FnMut(&Lower<Self>, bool) -> Result);

    /// Changes the MTU to `mtu` bytes (`ndo_change_mtu`).
    fn change_mtu(dev: &Dev<Self>, mtu: u32, rtnl: &RtnlOnly) -> Result;

    /// Changes the hardware address (`ndo_set_mac_address`). `addr` has `dev.addr_len()` bytes.
    fn set_addr(dev: &Dev<Self>, addr: &[u8], rtnl: &RtnlOnly) -> Result;

    /// Lets a VLAN id through (`ndo_vlan_rx_add_vid`).
    fn add_vlan(dev: &Dev<Self>, vlan: Vlan, rtnl: &Rtnl) -> Result;

    /// Called when a VLAN id is no longer needed (`ndo_vlan_rx_kill_vid`).
    fn del_vlan(dev: &Dev<Self>, vlan: Vlan, rtnl: &Rtnl);

    /// Makes another device a lower device (`ndo_add_slave`).
    fn add_lower(
        dev: &Dev<Self>,
        lower: &NetDevice,
        extack: Option<&ExtAck>,
        rtnl: &RtnlOnly,
    ) -> Result;

    /// Releases a lower device (`ndo_del_slave`).
    fn del_lower(dev: &Dev<Self>, lower: &NetDevice, rtnl: &RtnlOnly) -> Result;

    /// Called when it is time to look at the device again (see [`Dev::poll_every`]). Process
    /// context, must not sleep.
    fn poll(dev: &Dev<Self>, rcu: &Rcu);

    /// The work that [`Dev::run_work`] asked for. Process context, without RTNL.
    fn work(dev: &Dev<Self>);
}

/// Places in a master that hold one of its lower devices.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Slot {
    /// The lower device that carries the traffic, if a single one does.
    Active,
    /// The lower device that the user prefers.
    Primary,
    /// The lower device that is tried while none carries the traffic.
    Tried,
}

/// The beginning of the private area of a master. All zeros is a valid value.
///
/// # Safety
///
/// Each function must always return the same field. Nothing may access that field except through
/// the returned atomic or, in C, as a whole word.
pub unsafe trait Head: Send + Sync {
    /// Returns the pointer to the device that the area belongs to.
    fn dev(&self) -> &AtomicPtr<bindings::net_device>;
    /// Returns one of the pointers to lower devices, which point to their heads.
    fn slot<L>(&self, slot: Slot) -> &AtomicPtr<L>;
    /// Returns the number of lower devices.
    fn count(&self) -> &AtomicI32;
}

/// The beginning of the data that `rx_handler_data` of a lower device points to.
///
/// # Safety
///
/// `dev` and `master` must always return what was passed to [`HeadBelow::new`].
pub unsafe trait HeadBelow: Send + Sync {
    /// Makes the head of a lower device; `master` is the private area of its master.
    fn new(dev: *mut bindings::net_device, master: *mut c_void) -> Self;
    /// Returns the lower device.
    fn dev(&self) -> *mut bindings::net_device;
    /// Returns the private area of the master.
    fn master(&self) -> *mut c_void;
}

/// What other kernel code finds at known places in the private areas of a driver's devices. The
/// driver keeps this part of its state there and nowhere else.
///
/// # Safety
///
/// The types must be laid out as other code expects. It assumes that the private area of a device
/// with [`Self::FLAG`] and `IFF_MASTER` begins like [`Self::Master`], and that `rx_handler_data` of
/// a device with [`Self::FLAG`] and `IFF_SLAVE` points to data that begin like [`Self::Lower`].
pub unsafe trait Layout: 'static {
    /// The beginning of `netdev_priv()` of a master.
    type Master: Head;
    /// The beginning of the data that `rx_handler_data` of a lower device points to.
    type Lower: HeadBelow;
    /// The private flag (`IFF_*`) by which other code recognises both.
    const FLAG: u32;
}

pub(crate) type MasterHead<T> = <<T as Master>::Layout as Layout>::Master;
pub(crate) type LowerHead<T> = <<T as Master>::Layout as Layout>::Lower;

/// The private area of a device (`netdev_priv()`).
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
    /// The XDP program that is attached; see `xdp.rs`.
    pub(crate) xdp_program: Atomic<*mut bindings::bpf_prog>,
    /// The IPsec states that lower devices hold for the device; NULL before `ndo_init` and after
    /// the destructor, like `data`.
    pub(crate) ipsec: Atomic<*mut States>,
    /// The device's entry in the list of polled devices; see `poll.rs`.
    pub(crate) poll: Link,
    /// The file in `/proc/net`; see `procfs.rs`.
    pub(crate) proc_file: Atomic<*mut bindings::proc_dir_entry>,
    pub(crate) work: Opaque<bindings::work_struct>,
    /// The timer that has the work run later.
    pub(crate) alarm: Alarm,
}

impl<T: Master> Private<T> {
    /// The size of the private area, in bytes.
    pub(crate) const SIZE: usize = size_of::<Self>();

    /// Returns the device that the area belongs to.
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
    /// The caller must ensure that nobody uses the device any more.
    pub(crate) unsafe fn free_choices(&self) {
        // SAFETY: The caller guarantees that nobody uses the device any more.
        unsafe { self.choices.free() };
    }
}

/// A device of driver `T`.
///
/// # Invariants
///
/// As for [`NetDevice`]. In addition, the private area is a [`Private<T>`] whose `data` is valid.
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
    /// `dev` must point to a device that `setup` of the same `T` (`ops.rs`) has set up and for
    /// which `ndo_init` has succeeded. The device must stay valid for all of `'a`.
    #[inline(always)]
    pub(crate) unsafe fn from_raw<'a>(dev: *mut bindings::net_device) -> &'a Dev<T> {
        // SAFETY: The caller guarantees that `dev` points to a device of driver `T` that is valid
        // for `'a`. INVARIANT: `ndo_init` has succeeded for it, so the `data` of its private area
        // is valid.
        unsafe { &*dev.cast() }
    }

    /// Returns the device as one of driver `T`, if it is one.
    pub fn from_netdev(dev: &NetDevice) -> Option<&Dev<T>> {
        let ops = T::REGISTRY.netdev();
        // SAFETY: The device is valid (type invariant).
        if ops.is_null() || !ptr::eq(unsafe { (*dev.as_ptr()).netdev_ops }, ops) {
            return None;
        }
        // SAFETY: Only `setup::<T>` gives a device these operations, so its private area is a
        // `Private<T>`, which is at least zeroed.
        let private = unsafe { &*private::<T>(dev.as_ptr()) };
        if private.data.load(Ordering::Acquire).is_null() {
            return None;
        }
        // SAFETY: As above; `data` is not NULL, so it is valid, and it stays valid as long as the
        // device.
        Some(unsafe { Dev::from_raw(dev.as_ptr()) })
    }

    #[inline(always)]
    pub(crate) fn private(&self) -> &Private<T> {
        // SAFETY: By the type invariant, the private area is a `Private<T>`.
        unsafe { &*private::<T>(self.as_ptr()) }
    }

    /// Returns what other kernel code finds at the beginning of the private area.
    #[inline(always)]
    pub(crate) fn head(&self) -> &MasterHead<T> {
        &self.private().head
    }

    /// Recomputes the features from those of the lower devices. If `update_header`, also recomputes
    /// the room for headers, which becomes that of Ethernet if there are no lower devices. May
    /// sleep.
    pub fn update_master_features(&self, update_header: bool, _rtnl: &Rtnl) {
        // SAFETY: The device is valid (type invariant) and RTNL is held.
        unsafe { bindings::netdev_compute_master_upper_features(self.as_ptr(), update_header) };
    }

    /// Sets the carrier. RTNL keeps others from doing so at the same time.
    pub fn set_carrier(&self, _rtnl: &Rtnl, on: bool) {
        // SAFETY: The device is valid (type invariant). It has no hardware, so only its driver sets
        // the carrier.
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
        // SAFETY: By the type invariant, the pointer is valid; the data were pinned when they were
        // made and are never moved.
        unsafe { Pin::new_unchecked(&*self.private().data.load(Ordering::Relaxed)) }
    }

    /// Returns the IPsec states that lower devices hold for this device.
    pub fn ipsec_states(&self) -> &States {
        // SAFETY: By the type invariant, `ndo_init` has succeeded, and so has made the states. They
        // are freed together with the data.
        unsafe { &*self.private().ipsec.load(Relaxed) }
    }

    /// Iterates over the lower devices in the order in which they were added.
    ///
    /// The iterator may or may not return those that are added or removed in the meantime.
    pub fn lowers<'a>(&'a self, _rtnl: &'a Rtnl) -> Lowers<'a, T> {
        Lowers::new(&self.private().first)
    }

    /// Like [`Self::lowers`], in an RCU read-side section.
    #[inline(always)]
    pub fn lowers_rcu<'a>(&'a self, _rcu: &'a Rcu) -> Lowers<'a, T> {
        Lowers::new(&self.private().first)
    }

    /// Returns how many lower devices there are. Any context.
    #[inline(always)]
    pub fn lower_count(&self) -> u32 {
        // The count is never negative: a lower device is added before it is removed.
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
        // SAFETY: Slots hold linked lower devices only (`set_slot`, `Lower::unlink`), and these
        // stay allocated as long as RTNL is held.
        unsafe {
            self.head()
                .slot::<Lower<T>>(slot)
                .load(Ordering::Relaxed)
                .as_ref()
        }
    }

    /// Like [`Self::slot`], in an RCU read-side section.
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

    /// Makes room for `needed` places in the table that a number chooses from. May sleep.
    ///
    /// # Errors
    ///
    /// `ENOMEM`; the table stays as it is.
    pub fn reserve_choices(&self, needed: u32, rtnl: &Rtnl) -> Result {
        self.private().choices.reserve(needed, rtnl)
    }

    /// Replaces what a number chooses from by what `lowers` returns: one place for each item, so a
    /// lower device may have several. What does not fit (see [`Self::reserve_choices`]) is left out.
    pub fn set_choices<'a, I>(&'a self, lowers: impl FnOnce() -> I, rtnl: &Rtnl)
    where
        I: Iterator<Item = &'a Lower<T>>,
    {
        let linked = || lowers().filter(|lower| lower.is_linked_to(self));
        // SAFETY: The filter leaves only linked lower devices. When one is unlinked, `clear_slots`
        // forgets it.
        unsafe { self.private().choices.fill(linked, rtnl) };
    }

    /// Has [`Self::choose`] return none until the next [`Self::set_choices`] that begins after this,
    /// because one of the lower devices is not to be chosen any more. Any context.
    pub fn empty_choices(&self) {
        self.private().choices.empty();
    }

    /// Chooses a lower device by a number. Returns none if there is none to choose from, or if the
    /// choice is about to change.
    #[inline(always)]
    pub fn choose<'a>(&'a self, number: u32, rcu: &'a Rcu) -> Option<&'a Lower<T>> {
        self.private().choices.choose_if(number, |_| true, rcu)
    }

    /// Like [`Self::choose`], but only while all lower devices can be chosen.
    #[inline(always)]
    pub fn choose_of_all<'a>(&'a self, number: u32, rcu: &'a Rcu) -> Option<&'a Lower<T>> {
        let is_all = |len| len == self.lower_count();
        self.private().choices.choose_if(number, is_all, rcu)
    }

    /// Puts a lower device into `slot`, where the rest of the kernel sees it.
    ///
    /// If the lower device is not linked any more, the slot becomes empty.
    pub fn set_slot(&self, _rtnl: &Rtnl, slot: Slot, lower: Option<&Lower<T>>) {
        let lower = lower.filter(|lower| lower.is_linked_to(self));
        self.head().slot(slot).store(
            lower.map_or(ptr::null_mut(), |lower| ptr::from_ref(lower).cast_mut()),
            Ordering::Release,
        );
    }

    /// Returns the lower device that was last recorded as having the master's addresses.
    ///
    /// A failover that runs from a link event may switch the traffic at once, but must leave the
    /// address lists for later (see [`netdev_lock`](crate::netdev_lock)). Until then, this slot
    /// says which lower device has them.
    pub fn settled<'a>(&'a self, _rtnl: &'a Rtnl) -> Option<&'a Lower<T>> {
        // SAFETY: As in `slot`.
        unsafe { self.private().settled.load(Relaxed).as_ref() }
    }

    /// Records which lower device has the master's addresses.
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

    /// Calls `act` for all lower devices. If it fails for one, calls `undo` for those before that
    /// one.
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

    /// Returns the lower device of this master that `dev` is, if it is one.
    pub fn lower_of<'a>(&'a self, rtnl: &'a Rtnl, dev: &NetDevice) -> Option<&'a Lower<T>> {
        self.lowers(rtnl).find(|lower| lower.dev() == dev)
    }

    /// Has [`Master::work`] run as soon as possible. Any context.
    ///
    /// The work sees what the caller stored before this call.
    pub fn run_work(&self) {
        // SAFETY: The work was initialised by `ndo_init`, and the queue exists as long as devices
        // do. `ndo_uninit` disables the work, so it cannot be queued after that.
        unsafe { bindings::nh_queue_work(T::REGISTRY.wq(), self.private().work.get()) };
    }

    /// Has [`Master::work`] run at `at`, in µs of the monotonic clock, or earlier. Any context.
    ///
    /// The work sees what the caller stored before this call. If several callers ask, it runs once,
    /// at the earliest of their times, and whatever is due later has to be asked for again then.
    pub fn run_work_at(&self, at: u64) {
        self.private().alarm.set(at);
    }

    /// Cancels [`Master::work`] and waits until it no longer runs. Sleeps. `work` must not wait for
    /// RTNL, which the caller holds.
    pub fn cancel_work(&self, _rtnl: &Rtnl) {
        let private = self.private();
        // SAFETY: The work was initialised by `ndo_init`. While the work is disabled, the alarm
        // cannot queue it, and the work cannot set the alarm.
        unsafe {
            bindings::disable_work_sync(private.work.get());
            private.alarm.cancel();
            bindings::enable_work(private.work.get());
        }
    }
}

/// Returns the private area of a device.
#[inline(always)]
pub(crate) fn private<T: Master>(dev: *mut bindings::net_device) -> *mut Private<T> {
    // As `netdev_priv()` does: the area follows the structure, which ends with a flexible array.
    // SAFETY: This only computes an address.
    unsafe { (&raw mut (*dev).priv_).cast() }
}

/// A lower device of a master of driver `T`, and the driver's data about it.
///
/// `rx_handler_data` and the private pointer of the core's adjacency point to this. Besides the
/// list of the core, each master keeps a list of its own. A node that leaves that list keeps its
/// link.
#[repr(C)]
#[pin_data]
pub struct Lower<T: Master> {
    head: LowerHead<T>,
    pub(super) next: AtomicPtr<Lower<T>>,
    pub(super) linked: Atomic<bool>,
    /// Whether we have set [`Layout::FLAG`] on the device.
    pub(super) marked: Atomic<bool>,
    /// The sysfs directory, which also counts the references to the whole structure.
    #[pin]
    pub(crate) object: Object,
    /// The `struct netpoll` through which the device sends messages without interrupts; see
    /// `netpoll.rs`.
    pub(crate) netpoll: Atomic<*mut bindings::netpoll>,
    #[pin]
    pub(super) free: Opaque<bindings::rcu_work>,
    #[pin]
    data: T::Lower,
    /// The last field, so that it is dropped last.
    _user: User<T>,
}

// SAFETY: The head and the links are atomics. The sysfs object is added and removed under RTNL, and
// C code counts its references. Only the release of that object uses the work. `T::Lower` is `Sync`
// and `Send` by its bound.
unsafe impl<T: Master> Sync for Lower<T> {}
// SAFETY: As above.
unsafe impl<T: Master> Send for Lower<T> {}

impl<T: Master> Lower<T> {
    /// Makes the object of a device that is not linked yet.
    ///
    /// Not public: the devices that the object refers to stay only as long as RTNL is held or the
    /// object is linked.
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
        // cannot go away while it is linked, and afterwards only once a grace period has passed and
        // RTNL has been dropped.
        unsafe { NetDevice::from_raw(self.head.dev()) }
    }

    /// Returns the master.
    #[inline(always)]
    pub fn master(&self) -> &Dev<T> {
        // SAFETY: The head holds the private area of the master, which `new` stored there. A master
        // goes away only after all lower devices have left it; see `dev` for the time after that.
        unsafe { Dev::from_raw((*self.head.master().cast::<Private<T>>()).dev()) }
    }

    /// Returns the driver's data.
    #[inline(always)]
    pub fn data(&self) -> &T::Lower {
        &self.data
    }

    /// Returns what other kernel code finds at the beginning of the data that `rx_handler_data`
    /// points to.
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
    // SAFETY: Links are NULL or point to objects that are freed only when nobody can be traversing
    // the list any more. Callers choose an `'a` that is no longer than the section they are in.
    unsafe { link.load(Ordering::Acquire).as_ref() }
}

/// An iterator over lower devices.
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
