// SPDX-License-Identifier: GPL-2.0

//! Lower devices of a master.
//!
//! C header: [`include/linux/netdevice.h`](srctree/include/linux/netdevice.h)
//! (`netdev_master_upper_dev_link()`, `netdev_rx_handler_register()`)
//!
//! Each master keeps a list of its own, beside the one of the core, whose nodes keep their links
//! when they leave it. A node is freed by a work item that has taken RTNL after an RCU grace period,
//! so that neither a read-side section nor a function that holds RTNL ever sees one go, whatever it
//! calls meanwhile.

use crate::bindings;
use crate::device::{Dev, Master, Rx};
use crate::netdevice::NetDevice;
use crate::netlink::ExtAck;
use crate::published::LowerHead;
use crate::rcu::Rcu;
use crate::registration::User;
use crate::rtnl::{self, Rtnl};
use crate::skbuff::{dev_of, Received};
use crate::sysfs::{LowerDirRef, LowerObject};
use core::marker::PhantomData;
use core::pin::Pin;
use core::ptr;
use core::sync::atomic::{AtomicBool, AtomicPtr, AtomicU32, Ordering};
use kernel::error::{code::*, to_result, Result};
use kernel::prelude::*;
use kernel::types::Opaque;

/// How a master spreads its packets (`enum netdev_lag_tx_type`), for drivers that do it in hardware.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum LagTx {
    /// In turn.
    RoundRobin,
    /// Through one at a time.
    ActiveBackup,
    /// Through all at once.
    Broadcast,
    /// By a hash.
    Hash(LagHash),
    /// In another way.
    Unknown,
}

/// What enters the hash that spreads packets (`enum netdev_lag_hash`).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum LagHash {
    /// Hardware addresses.
    L2,
    /// IP addresses and ports.
    L34,
    /// Hardware and IP addresses.
    L23,
    /// As `L23`, within tunnels.
    E23,
    /// As `L34`, within tunnels.
    E34,
    /// The VLAN and the source's hardware address.
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

/// What a lower device is to its master, for other kernel code (`struct slave` in `include/net/bonding.h`).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Role {
    /// It is no one to send through.
    pub backup: bool,
    /// What it receives is not the master's.
    pub inactive: bool,
}

/// A lower device of a master of driver `T`, and the driver's data about it.
///
/// `rx_handler_data` and the private pointer of the core's adjacency point to it.
#[repr(C)]
#[pin_data]
pub struct Lower<T: Master> {
    head: LowerHead,
    next: AtomicPtr<Lower<T>>,
    linked: AtomicBool,
    /// Whether the device has `IFF_BONDING` from us.
    marked: AtomicBool,
    /// The sysfs directory, and the references to all of this.
    #[pin]
    pub(crate) object: LowerObject,
    /// By what it sends messages without interrupts; see [`crate::netpoll`].
    pub(crate) netpoll: AtomicPtr<bindings::netpoll>,
    #[pin]
    free: Opaque<bindings::rcu_work>,
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
    fn new<E>(
        master: &Dev<T>,
        dev: &NetDevice,
        data: impl PinInit<T::Lower, E>,
        dir: &LowerDirRef<T>,
    ) -> Result<Pin<KBox<Self>>>
    where
        Error: From<E>,
    {
        let private: *const crate::device::Private<T> = master.private();
        KBox::try_pin_init(
            try_pin_init!(Self {
                head: LowerHead::new(dev.as_ptr(), private.cast_mut().cast()),
                next: AtomicPtr::new(ptr::null_mut()),
                linked: AtomicBool::new(false),
                marked: AtomicBool::new(false),
                object <- LowerObject::new(dir),
                netpoll: AtomicPtr::new(ptr::null_mut()),
                free <- Opaque::ffi_init(|work| {
                    // SAFETY: The work is pinned and valid for writes.
                    unsafe { bindings::nh_init_rcu_work(work, Some(free::<T>)) }
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
        // SAFETY: `bond` is the private area of the master, which begins with its device. A master
        // goes only after all lower devices have left it; see `dev` for the time after that.
        unsafe { Dev::from_raw((*self.head.bond()).dev) }
    }

    /// Returns the driver's data.
    #[inline(always)]
    pub fn data(&self) -> &T::Lower {
        &self.data
    }

    /// Returns the published link state, `BOND_LINK_*`. Any context.
    #[inline(always)]
    pub fn link(&self) -> i8 {
        self.head.link().load(Ordering::Relaxed)
    }

    /// Publishes the link state, `BOND_LINK_*`.
    pub fn set_link(&self, _rtnl: &Rtnl, link: i8) {
        self.head.link().store(link, Ordering::Relaxed);
    }

    /// Returns whether this is a backup, that is, does not transmit. Any context.
    #[inline(always)]
    pub fn is_backup(&self) -> bool {
        self.head.is_backup()
    }

    /// Returns whether received packets are not for the master. Any context.
    #[inline(always)]
    pub fn is_inactive(&self) -> bool {
        self.head.is_inactive()
    }

    /// Returns whether it is neither. Any context.
    #[inline(always)]
    pub fn is_plain(&self) -> bool {
        self.head.is_plain()
    }

    /// Publishes both.
    pub fn set_role(&self, _rtnl: &Rtnl, role: Role) {
        self.head.set_bits(role.backup, role.inactive);
    }

    pub(crate) fn is_linked_to(&self, master: &Dev<T>) -> bool {
        self.linked.load(Ordering::Relaxed) && ptr::eq(self.master(), master)
    }

    /// Links `dev` below `master`: takes its received packets, tells the core and the notifier chain
    /// (`NETDEV_CHANGEUPPER`), and adds it to the master's list. May sleep. Listeners find it in the role given.
    ///
    /// From here on other kernel code knows `dev` for the slave of a bond (`IFF_BONDING` and `IFF_SLAVE`), and takes
    /// its `rx_handler_data` for a `struct slave`.
    ///
    /// # Errors
    ///
    /// `ENODEV` if one of the devices is not registered, or is about to be unregistered: nobody would undo this.
    /// `EBUSY` if `dev` is `master`, is above it, or has another handler or master; `EPERM` if `dev` is a master of
    /// another kind, whose private area would be taken for a `struct bonding`. `ENOMEM`, and what a listener has
    /// against it.
    pub fn link_up<'a, E>(
        master: &'a Dev<T>,
        dev: &'a NetDevice,
        data: impl PinInit<T::Lower, E>,
        (role, tx): (Role, LagTx),
        extack: Option<&ExtAck>,
        rtnl: &'a Rtnl,
    ) -> Result<&'a Lower<T>>
    where
        Error: From<E>,
    {
        if !master.is_registered(rtnl) || !dev.is_registered(rtnl) {
            return Err(ENODEV);
        }
        // The core refuses this too, but not before packets have gone round in the handlers.
        let upper: &NetDevice = master;
        if upper == dev || master.has_upper(rtnl, dev) {
            return Err(EBUSY);
        }
        if dev.is_master() && !dev.is_bonding() {
            return Err(EPERM);
        }
        let dir = &T::REGISTRY.ops().ok_or(ENODEV)?.lower_dir;
        let this = Self::new(master, dev, data, dir)?;
        // SAFETY: The object stays where it is until `free` makes a box of it again.
        let raw = KBox::into_raw(unsafe { Pin::into_inner_unchecked(this) });
        // SAFETY: Just made from a box; from here on it is freed by `dispose` only, which waits
        // until RTNL was dropped.
        let lower: &'a Lower<T> = unsafe { &*raw };
        lower.set_role(rtnl, role);

        // SAFETY: RTNL is held; the data outlive the handler, which `unlink` takes away.
        let res = to_result(unsafe {
            bindings::netdev_rx_handler_register(dev.as_ptr(), Some(rx_handler::<T>), raw.cast())
        });
        if let Err(err) = res {
            lower.dispose();
            return Err(err);
        }
        // Not before the handler is ours: what others take for the slave of a bond has our data. A bond that becomes
        // a slave has the flag already, and keeps it.
        if !dev.is_bonding() {
            lower.marked.store(true, Ordering::Relaxed);
            dev.mark_bonding(rtnl, true);
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
            // SAFETY: Registered above; waits until the handler does not run any more.
            unsafe { bindings::netdev_rx_handler_unregister(dev.as_ptr()) };
            lower.dispose();
            return Err(err);
        }
        dev.mark_slave(rtnl, true);

        let mut tail = &master.private().first;
        while let Some(last) = next_of(tail) {
            tail = &last.next;
        }
        lower.linked.store(true, Ordering::Relaxed);
        tail.store(raw, Ordering::Release);
        master.add_to_count(1);
        // SAFETY: The device stays while this is linked to it, and `unlink` removes the directory.
        unsafe { lower.object.add(dev, dir) }.inspect_err(|_| lower.unlink(rtnl, || ()))?;
        Ok(lower)
    }

    /// Undoes [`Self::link_up`]: nobody finds the device through its master any more, and no packet
    /// of it is on its way to the master when this returns. Sleeps.
    ///
    /// Until `then` has run, the device carries `IFF_BONDING`, by which drivers know one that leaves a bond: they
    /// look for it when the device is closed. Without effect on one that was unlinked; then `then` does not run.
    ///
    /// References that exist stay valid as long as they may be kept.
    pub fn unlink(&self, rtnl: &Rtnl, then: impl FnOnce()) {
        if !self.linked.swap(false, Ordering::Relaxed) {
            return;
        }
        let (dev, master) = (self.dev(), self.master());
        master.clear_slots(self, rtnl);
        let mut at = &master.private().first;
        while let Some(lower) = next_of(at) {
            if ptr::eq(lower, self) {
                // Our own link stays: somebody may stand here.
                at.store(self.next.load(Ordering::Relaxed), Ordering::Release);
                break;
            }
            at = &lower.next;
        }
        master.add_to_count(-1);
        self.object.remove(rtnl);
        // SAFETY: RTNL is held; the handler was registered by `link_up`. Waits for a grace period
        // after the slots and the list were changed above.
        unsafe { bindings::netdev_rx_handler_unregister(dev.as_ptr()) };
        // SAFETY: RTNL is held, and the devices were linked.
        unsafe { bindings::netdev_upper_dev_unlink(dev.as_ptr(), master.as_ptr()) };
        dev.mark_slave(rtnl, false);
        self.unpoll(rtnl);
        master.ipsec_states().take_from(dev, rtnl);
        then();
        self.unmark(rtnl);
        self.dispose();
    }

    /// Takes away the flag that [`Self::link_up`] has given to the device.
    fn unmark(&self, rtnl: &Rtnl) {
        if self.marked.swap(false, Ordering::Relaxed) {
            self.dev().mark_bonding(rtnl, false);
        }
    }

    /// Frees the object when no reference to it can exist any more.
    fn dispose(&self) {
        // SAFETY: Called once: by a `link_up` that failed, or by the first `unlink`. The directory was not made or is
        // removed.
        unsafe { self.object.put() };
    }

    /// Frees the object, of which sysfs knows no more, when the others cannot either.
    ///
    /// # Safety
    ///
    /// To be called once, by the release of the sysfs object.
    pub(crate) unsafe fn free_later(this: *mut Self) {
        // SAFETY: The work was initialised by `new`, and is queued once, by the caller's promise. The queue is there
        // until the driver is unregistered, which waits for us.
        unsafe {
            let work = Opaque::cast_into(&raw const (*this).free);
            bindings::queue_rcu_work(T::REGISTRY.free_wq(), work);
        }
    }
}

/// Frees a [`Lower`], a grace period after it was disposed of.
unsafe extern "C" fn free<T: Master>(work: *mut bindings::work_struct) {
    // SAFETY: The work is the first field of the `rcu_work` in a `Lower<T>`, and `Opaque` is
    // transparent.
    let lower =
        unsafe { kernel::container_of!(work.cast::<Opaque<bindings::rcu_work>>(), Lower<T>, free) };
    // Whoever held RTNL when the object was disposed of has dropped it now.
    drop(rtnl::lock());
    // SAFETY: Made from a pinned box by `link_up`; nobody has a reference any more.
    // That the driver loses its user is the last that the object does; what is left of this function is waited for
    // with the queue.
    drop(unsafe { Pin::new_unchecked(KBox::from_raw(lower)) });
}

#[inline(always)]
fn next_of<'a, T: Master>(link: &AtomicPtr<Lower<T>>) -> Option<&'a Lower<T>> {
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

/// Receives the packets of a lower device (`rx_handler_func_t`).
///
/// All but the usual case is in functions of their own, so that this one needs no stack frame.
unsafe extern "C" fn rx_handler<T: Master>(
    pskb: *mut *mut bindings::sk_buff,
) -> bindings::rx_handler_result_t {
    // SAFETY: The stack gives us a valid packet; `users` is an aligned word that is read as a whole.
    let skb = unsafe { *pskb };
    // SAFETY: As above.
    let users = unsafe { AtomicU32::from_ptr((&raw mut (*skb).users).cast()) };
    if users.load(Ordering::Relaxed) != 1 {
        // SAFETY: The arguments are handed on.
        return unsafe { receive_shared::<T>(pskb) };
    }
    // SAFETY: The packet is not shared; the stack has read this handler in the section that we are in.
    unsafe { receive::<T>(skb) }
}

/// Receives a packet that others have, too.
///
/// # Safety
///
/// As for [`rx_handler`].
#[cold]
#[inline(never)]
unsafe fn receive_shared<T: Master>(
    pskb: *mut *mut bindings::sk_buff,
) -> bindings::rx_handler_result_t {
    // SAFETY: The packet is valid; we own one reference, which is given away for the result.
    let skb = unsafe { bindings::nh_share_check(*pskb) };
    if skb.is_null() {
        return bindings::rx_handler_result_RX_HANDLER_CONSUMED;
    }
    // SAFETY: The place is valid during the call; the packet is ours alone now.
    unsafe {
        *pskb = skb;
        receive::<T>(skb)
    }
}

/// Receives a packet that is not shared.
///
/// # Safety
///
/// `skb` must be valid, and the caller be in the read-side section in which the stack has read the
/// handler of the packet's device, one of ours.
#[inline(always)]
unsafe fn receive<T: Master>(skb: *mut bindings::sk_buff) -> bindings::rx_handler_result_t {
    // SAFETY: By the caller's promise, the data belong to the handler (`netdev_rx_handler_register()`)
    // and are not freed before the section ends.
    let lower = unsafe { &*(**dev_of(skb)).rx_handler_data.cast::<Lower<T>>() };
    // SAFETY: By the caller's promise.
    let packet = unsafe { Received::from_raw(skb) };
    if T::takes(lower, packet) {
        // SAFETY: The packet is valid.
        unsafe { *dev_of(skb) = lower.master().as_ptr() };
        return bindings::rx_handler_result_RX_HANDLER_ANOTHER;
    }
    // SAFETY: By the caller's promise.
    unsafe { receive_some(lower, skb) }
}

/// As [`receive`], for a packet that has to be looked at.
///
/// # Safety
///
/// As there.
#[inline(never)]
unsafe fn receive_some<T: Master>(
    lower: &Lower<T>,
    skb: *mut bindings::sk_buff,
) -> bindings::rx_handler_result_t {
    // SAFETY: By the caller's promise.
    let (packet, rcu) = unsafe { (Received::from_raw(skb), Rcu::assume()) };
    match T::receive(lower, packet, rcu) {
        Rx::Another => {
            // SAFETY: The packet is valid.
            unsafe { *dev_of(skb) = lower.master().as_ptr() };
            bindings::rx_handler_result_RX_HANDLER_ANOTHER
        }
        Rx::Exact => bindings::rx_handler_result_RX_HANDLER_EXACT,
        Rx::Pass => bindings::rx_handler_result_RX_HANDLER_PASS,
    }
}
