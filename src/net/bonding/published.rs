// SPDX-License-Identifier: GPL-2.0

//! What the rest of the kernel reads of a bond and of its slaves.
//!
//! C header: [`include/net/bonding.h`](srctree/include/net/bonding.h)
//!
//! Where `netif_is_bond_master(dev)` holds, other code takes `netdev_priv(dev)` for a
//! `struct bonding` and reads `curr_active_slave` and `params.mode`; where a device is a bond's
//! slave, it takes `rx_handler_data` for a `struct slave` and reads `dev`, `bond`, `link`, `backup`
//! and `inactive` (ib_core's RoCE GID table, mlx4, mlx5, hns, `net/lag.h`). Our private data begin
//! with these structs as far as those fields go ([`Layout`]).

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

// SAFETY: The heads begin like the C structures, which the assertions below hold to.
unsafe impl Layout for Bonding {
    type Master = BondHead;
    type Lower = SlaveHead;
    const FLAG: u32 = bindings::netdev_priv_flags_IFF_BONDING;
}

/// What a slave is to its bond, for other kernel code.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Role {
    /// It is no one to send through.
    pub backup: bool,
    /// What it receives is not the bond's.
    pub inactive: bool,
}

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
    assert!(align_of::<BondHead>() == align_of::<bindings::bonding>());
    assert!(align_of::<SlaveHead>() == align_of::<bindings::slave>());
    // The bits are one byte, of which C compilers for little-endian machines fill the lowest first.
    assert!(offset_of!(bindings::slave, duplex) == offset_of!(bindings::slave, _bitfield_1) + 1);
    assert!(cfg!(target_endian = "little"));
};

/// The beginning of `struct bonding`, up to and with `params.mode`.
#[repr(C, align(8))]
pub struct BondHead(UnsafeCell<[u64; MASTER_WORDS]>);

/// The beginning of `struct slave`, up to and with `duplex`.
#[repr(C, align(8))]
pub struct SlaveHead(UnsafeCell<[u64; LOWER_WORDS]>);

/// Gives an atomic view of a field of the C struct that `$head` begins like.
macro_rules! field {
    ($head:expr, $ty:ty, $atomic:ty, $($path:tt)+) => {{
        let base = $head.0.get().cast::<$ty>();
        // SAFETY: The field lies within the head (its length is computed from the last field), it is
        // aligned as in C, and all accesses to it are atomic or, in C, of the whole word.
        unsafe { <$atomic>::from_ptr((&raw mut (*base).$($path)+).cast()) }
    }};
}

// SAFETY: What is in it is accessed by atomics only.
unsafe impl Sync for BondHead {}
// SAFETY: As above.
unsafe impl Send for BondHead {}
// SAFETY: As above.
unsafe impl Sync for SlaveHead {}
// SAFETY: As above.
unsafe impl Send for SlaveHead {}

// SAFETY: Each field is another one of the C structure, and its place is computed from that.
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

// SAFETY: Both fields are written by `new` only.
unsafe impl HeadBelow for SlaveHead {
    /// Makes the head of a slave that is a backup and inactive, with its link down.
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

    /// Returns whether this is a backup, that is, does not transmit. Any context.
    #[inline(always)]
    pub fn is_backup(&self) -> bool {
        self.role_bits() & BACKUP != 0
    }

    /// Returns whether received packets are not for the bond. Any context.
    #[inline(always)]
    pub fn is_inactive(&self) -> bool {
        self.role_bits() & INACTIVE != 0
    }

    /// Returns whether it is neither. Any context.
    #[inline(always)]
    pub fn is_plain(&self) -> bool {
        self.role_bits() == 0
    }

    /// Publishes both.
    pub fn set_role(&self, _rtnl: &Rtnl, role: Role) {
        let bits = self.head().bits();
        // RTNL is held, so that no change is lost.
        let others = bits.load(Ordering::Relaxed) & !(BACKUP | INACTIVE);
        let backup = if role.backup { BACKUP } else { 0 };
        let inactive = if role.inactive { INACTIVE } else { 0 };
        bits.store(others | backup | inactive, Ordering::Relaxed);
    }
}

impl NetDevice {
    /// Returns whether `IFF_BONDING` is set, which a bond and its slaves carry.
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
