// SPDX-License-Identifier: GPL-2.0

//! What the rest of the kernel reads from a bond and from its slaves.
//!
//! C header: [`include/net/bonding.h`](srctree/include/net/bonding.h)
//!
//! Where `netif_is_bond_master(dev)` holds, other code takes `netdev_priv(dev)` for a
//! `struct bonding`, and reads `curr_active_slave` and `params.mode`. Where a device is a slave of
//! a bond, other code takes `rx_handler_data` for a `struct slave`, and reads `dev`, `bond`,
//! `link`, `backup` and `inactive`. This is done by ib_core's RoCE GID table, mlx4, mlx5, hns and
//! `net/lag.h`. Our private data begin with these structs, up to the last of those fields
//! ([`Layout`]).

use crate::bindings;
use crate::master::device::{Dev, Head, HeadBelow, Layout, Lower, Master, Slot};
use crate::netdevice::NetDevice;
use crate::rtnl::Rtnl;
use core::cell::UnsafeCell;
use core::ffi::c_void;
use core::mem::offset_of;
use core::sync::atomic::{AtomicI32, AtomicI8, AtomicPtr, AtomicU8, Ordering};

/// The layout of bonds.
pub struct Bonding;

// SAFETY: The heads begin like the C structures; the assertions below check that.
unsafe impl Layout for Bonding {
    type Master = BondHead;
    type Lower = SlaveHead;
    const FLAG: u32 = bindings::netdev_priv_flags_IFF_BONDING;
}

/// The role of a slave in its bond, as other kernel code sees it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Role {
    /// Nothing is to be sent through the slave.
    pub backup: bool,
    /// What the slave receives is not for the bond.
    pub inactive: bool,
}

const MASTER_WORDS: usize = (offset_of!(bindings::bonding, params)
    + offset_of!(bindings::bond_params, xmit_policy))
.div_ceil(8);

const LOWER_WORDS: usize = offset_of!(bindings::slave, original_mtu).div_ceil(8);

/// The bits after `link_new_state` in `struct slave`, in the order of their declaration.
const BACKUP: u8 = 1 << 0;
const INACTIVE: u8 = 1 << 1;

const _: () = {
    assert!(offset_of!(bindings::bonding, dev) == 0);
    assert!(offset_of!(bindings::slave, dev) == 0);
    assert!(align_of::<BondHead>() == align_of::<bindings::bonding>());
    assert!(align_of::<SlaveHead>() == align_of::<bindings::slave>());
    // The bits are in one byte. C compilers for little-endian machines fill its lowest bits first.
    assert!(offset_of!(bindings::slave, duplex) == offset_of!(bindings::slave, _bitfield_1) + 1);
    assert!(cfg!(target_endian = "little"));
};

/// The beginning of `struct bonding`, up to and including `params.mode`.
#[repr(C, align(8))]
pub struct BondHead(UnsafeCell<[u64; MASTER_WORDS]>);

/// The beginning of `struct slave`, up to and including `duplex`.
#[repr(C, align(8))]
pub struct SlaveHead(UnsafeCell<[u64; LOWER_WORDS]>);

/// Returns an atomic view of a field of the C struct that `$head` is the beginning of.
macro_rules! field {
    ($head:expr, $ty:ty, $atomic:ty, $($path:tt)+) => {{
        let base = $head.0.get().cast::<$ty>();
        // SAFETY: The field lies within the head, whose length is computed from the last field. It
        // is aligned as in C. All accesses to it are atomic or, in C, of the whole word.
        unsafe { <$atomic>::from_ptr((&raw mut (*base).$($path)+).cast()) }
    }};
}

// SAFETY: The contents are accessed through atomics only.
unsafe impl Sync for BondHead {}
// SAFETY: As above.
unsafe impl Send for BondHead {}
// SAFETY: As above.
unsafe impl Sync for SlaveHead {}
// SAFETY: As above.
unsafe impl Send for SlaveHead {}

// SAFETY: Each function returns a different field of the C structure, at the place that is computed
// from that structure.
unsafe impl Head for BondHead {
    #[inline(always)]
    fn dev(&self) -> &AtomicPtr<bindings::net_device> {
        field!(
            self,
            bindings::bonding,
            AtomicPtr<bindings::net_device>,
            dev
        )
    }

    #[inline(always)]
    fn slot<L>(&self, slot: Slot) -> &AtomicPtr<L> {
        match slot {
            Slot::Active => field!(self, bindings::bonding, AtomicPtr<L>, curr_active_slave),
            Slot::Primary => field!(self, bindings::bonding, AtomicPtr<L>, primary_slave),
            Slot::Tried => field!(self, bindings::bonding, AtomicPtr<L>, current_arp_slave),
        }
    }

    #[inline(always)]
    fn count(&self) -> &AtomicI32 {
        field!(self, bindings::bonding, AtomicI32, slave_cnt)
    }
}

impl BondHead {
    /// `BOND_MODE_*`
    #[inline(always)]
    fn mode(&self) -> &AtomicI32 {
        field!(self, bindings::bonding, AtomicI32, params.mode)
    }
}

// SAFETY: Only `new` writes the two fields, so they always hold what it was given.
unsafe impl HeadBelow for SlaveHead {
    /// Makes the head of a slave that is a backup and inactive, and whose link is down.
    fn new(dev: *mut bindings::net_device, master: *mut c_void) -> Self {
        let head = SlaveHead(UnsafeCell::new([0; LOWER_WORDS]));
        field!(
            (&head),
            bindings::slave,
            AtomicPtr<bindings::net_device>,
            dev
        )
        .store(dev, Ordering::Relaxed);
        field!((&head), bindings::slave, AtomicPtr<c_void>, bond).store(master, Ordering::Relaxed);
        head.link()
            .store(bindings::BOND_LINK_DOWN as i8, Ordering::Relaxed);
        head.bits().store(BACKUP | INACTIVE, Ordering::Relaxed);
        head
    }

    #[inline(always)]
    fn dev(&self) -> *mut bindings::net_device {
        field!(self, bindings::slave, AtomicPtr<bindings::net_device>, dev).load(Ordering::Relaxed)
    }

    #[inline(always)]
    fn master(&self) -> *mut c_void {
        field!(self, bindings::slave, AtomicPtr<c_void>, bond).load(Ordering::Relaxed)
    }
}

impl SlaveHead {
    /// `BOND_LINK_*`
    #[inline(always)]
    fn link(&self) -> &AtomicI8 {
        field!(self, bindings::slave, AtomicI8, link)
    }

    #[inline(always)]
    fn bits(&self) -> &AtomicU8 {
        field!(self, bindings::slave, AtomicU8, _bitfield_1)
    }
}

impl<T: Master<Layout = Bonding>> Dev<T> {
    /// Returns the mode, `BOND_MODE_*`, that is published for other kernel code. Any context.
    #[inline(always)]
    pub fn mode(&self) -> i32 {
        self.head().mode().load(Ordering::Relaxed)
    }

    /// Publishes the mode, `BOND_MODE_*`.
    pub fn set_mode(&self, _rtnl: &Rtnl, mode: i32) {
        self.head().mode().store(mode, Ordering::Relaxed);
    }
}

impl<T: Master<Layout = Bonding>> Lower<T> {
    /// Returns the published link state, `BOND_LINK_*`. Any context.
    #[inline(always)]
    pub fn link(&self) -> i8 {
        self.head().link().load(Ordering::Relaxed)
    }

    /// Publishes the link state, `BOND_LINK_*`.
    pub fn set_link(&self, _rtnl: &Rtnl, link: i8) {
        self.head().link().store(link, Ordering::Relaxed);
    }

    #[inline(always)]
    fn role_bits(&self) -> u8 {
        self.head().bits().load(Ordering::Relaxed) & (BACKUP | INACTIVE)
    }

    /// Returns whether this slave is a backup, that is, does not transmit. Any context.
    #[inline(always)]
    pub fn is_backup(&self) -> bool {
        self.role_bits() & BACKUP != 0
    }

    /// Returns whether packets that this slave receives are not for the bond. Any context.
    #[inline(always)]
    pub fn is_inactive(&self) -> bool {
        self.role_bits() & INACTIVE != 0
    }

    /// Returns whether this slave is neither a backup nor inactive. Any context.
    #[inline(always)]
    pub fn is_plain(&self) -> bool {
        self.role_bits() == 0
    }

    /// Returns what was last published by [`Self::set_role`]. Any context.
    pub fn role(&self) -> Role {
        Role {
            backup: self.is_backup(),
            inactive: self.is_inactive(),
        }
    }

    /// Publishes whether this slave is a backup, and whether it is inactive. Any context; the
    /// driver has a rule about who does so when.
    pub fn set_role(&self, role: Role) {
        let backup = if role.backup { BACKUP } else { 0 };
        let inactive = if role.inactive { INACTIVE } else { 0 };
        let change = |bits| Some(bits & !(BACKUP | INACTIVE) | backup | inactive);
        // The change is never refused.
        let _ = self
            .head()
            .bits()
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, change);
    }
}

impl NetDevice {
    /// Returns whether `IFF_BONDING` is set, as it is on a bond and on its slaves.
    pub fn is_bonding(&self) -> bool {
        self.has_priv_flag(Bonding::FLAG)
    }

    /// Returns whether this is a bond (`netif_is_bond_master()`).
    pub fn is_bond_master(&self) -> bool {
        self.is_master() && self.is_bonding()
    }

    /// Returns whether this is a slave of a bond (`netif_is_bond_slave()`).
    pub fn is_bond_slave(&self) -> bool {
        self.is_slave() && self.is_bonding()
    }
}
