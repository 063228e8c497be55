// SPDX-License-Identifier: GPL-2.0

//! What the rest of the kernel reads of a bond and of its slaves.
//!
//! C header: [`include/net/bonding.h`](srctree/include/net/bonding.h)
//!
//! Where `netif_is_bond_master(dev)` holds, other code takes `netdev_priv(dev)` for a
//! `struct bonding` and reads `curr_active_slave` and `params.mode`; where a device is a bond's
//! slave, it takes `rx_handler_data` for a `struct slave` and reads `dev`, `bond`, `link`, `backup`
//! and `inactive` (ib_core's RoCE GID table, mlx4, mlx5, hns, `net/lag.h`). Our private data begin
//! with these structs as far as those fields go. They are no copies: the driver keeps this part of
//! its state here and nowhere else.

use crate::bindings;
use core::cell::UnsafeCell;
use core::mem::offset_of;
use core::sync::atomic::{AtomicI32, AtomicI8, AtomicPtr, AtomicU8, Ordering};

const MASTER_WORDS: usize = (offset_of!(bindings::bonding, params)
    + offset_of!(bindings::bond_params, xmit_policy))
.div_ceil(8);

const LOWER_WORDS: usize = offset_of!(bindings::slave, original_mtu).div_ceil(8);

/// The bits that `struct slave` keeps behind `link_new_state`, in the order of their declaration.
const BACKUP: u8 = 1 << 0;
const INACTIVE: u8 = 1 << 1;

const _: () = {
    assert!(offset_of!(bindings::bonding, dev) == 0);
    assert!(offset_of!(bindings::slave, dev) == 0);
    assert!(align_of::<MasterHead>() == align_of::<bindings::bonding>());
    assert!(align_of::<LowerHead>() == align_of::<bindings::slave>());
    // The bits are one byte, of which C compilers for little-endian machines fill the lowest first.
    assert!(offset_of!(bindings::slave, duplex) == offset_of!(bindings::slave, _bitfield_1) + 1);
    assert!(cfg!(target_endian = "little"));
};

/// The beginning of `struct bonding`, up to and with `params.mode`.
#[repr(C, align(8))]
pub(crate) struct MasterHead(UnsafeCell<[u64; MASTER_WORDS]>);

/// The beginning of `struct slave`, up to and with `duplex`.
#[repr(C, align(8))]
pub(crate) struct LowerHead(UnsafeCell<[u64; LOWER_WORDS]>);

/// Gives an atomic view of a field of the C struct that `$head` begins like.
macro_rules! field {
    ($head:expr, $ty:ty, $atomic:ty, $($path:tt)+) => {{
        let base = $head.0.get().cast::<$ty>();
        // SAFETY: The field lies within the head (its length is computed from the last field), it is
        // aligned as in C, and all accesses to it are atomic or, in C, of the whole word.
        unsafe { <$atomic>::from_ptr((&raw mut (*base).$($path)+).cast()) }
    }};
}

/// Places in a master that hold one of its lower devices.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Slot {
    /// `curr_active_slave`
    Active,
    /// `primary_slave`
    Primary,
    /// `current_arp_slave`: the one that the ARP monitor tries.
    Tried,
}

impl MasterHead {
    /// The device that the head belongs to.
    pub(crate) fn dev(&self) -> &AtomicPtr<bindings::net_device> {
        field!(
            self,
            bindings::bonding,
            AtomicPtr<bindings::net_device>,
            dev
        )
    }

    /// One of the pointers to a `struct slave`.
    #[inline(always)]
    pub(crate) fn slot<L>(&self, slot: Slot) -> &AtomicPtr<L> {
        match slot {
            Slot::Active => field!(self, bindings::bonding, AtomicPtr<L>, curr_active_slave),
            Slot::Primary => field!(self, bindings::bonding, AtomicPtr<L>, primary_slave),
            Slot::Tried => field!(self, bindings::bonding, AtomicPtr<L>, current_arp_slave),
        }
    }

    /// How many lower devices there are.
    pub(crate) fn count(&self) -> &AtomicI32 {
        field!(self, bindings::bonding, AtomicI32, slave_cnt)
    }

    /// `BOND_MODE_*`
    #[inline(always)]
    pub(crate) fn mode(&self) -> &AtomicI32 {
        field!(self, bindings::bonding, AtomicI32, params.mode)
    }
}

impl LowerHead {
    /// Makes the head of a lower device that is a backup and inactive, with its link down.
    pub(crate) fn new(dev: *mut bindings::net_device, bond: *mut bindings::bonding) -> Self {
        let head = LowerHead(UnsafeCell::new([0; LOWER_WORDS]));
        field!(
            (&head),
            bindings::slave,
            AtomicPtr<bindings::net_device>,
            dev
        )
        .store(dev, Ordering::Relaxed);
        field!((&head), bindings::slave, AtomicPtr<bindings::bonding>, bond)
            .store(bond, Ordering::Relaxed);
        head.link()
            .store(bindings::BOND_LINK_DOWN as i8, Ordering::Relaxed);
        head.bits().store(BACKUP | INACTIVE, Ordering::Relaxed);
        head
    }

    #[inline(always)]
    pub(crate) fn dev(&self) -> *mut bindings::net_device {
        field!(self, bindings::slave, AtomicPtr<bindings::net_device>, dev).load(Ordering::Relaxed)
    }

    #[inline(always)]
    pub(crate) fn bond(&self) -> *mut bindings::bonding {
        field!(self, bindings::slave, AtomicPtr<bindings::bonding>, bond).load(Ordering::Relaxed)
    }

    /// `BOND_LINK_*`
    #[inline(always)]
    pub(crate) fn link(&self) -> &AtomicI8 {
        field!(self, bindings::slave, AtomicI8, link)
    }

    #[inline(always)]
    fn bits(&self) -> &AtomicU8 {
        field!(self, bindings::slave, AtomicU8, _bitfield_1)
    }

    #[inline(always)]
    pub(crate) fn is_backup(&self) -> bool {
        self.bits().load(Ordering::Relaxed) & BACKUP != 0
    }

    #[inline(always)]
    pub(crate) fn is_inactive(&self) -> bool {
        self.bits().load(Ordering::Relaxed) & INACTIVE != 0
    }

    #[inline(always)]
    pub(crate) fn is_plain(&self) -> bool {
        self.bits().load(Ordering::Relaxed) & (BACKUP | INACTIVE) == 0
    }

    /// Sets the two bits. Callers hold RTNL, so that no change is lost.
    pub(crate) fn set_bits(&self, backup: bool, inactive: bool) {
        let others = self.bits().load(Ordering::Relaxed) & !(BACKUP | INACTIVE);
        let backup = if backup { BACKUP } else { 0 };
        let inactive = if inactive { INACTIVE } else { 0 };
        self.bits()
            .store(others | backup | inactive, Ordering::Relaxed);
    }
}
