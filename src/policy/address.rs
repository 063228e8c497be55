// SPDX-License-Identifier: GPL-2.0

//! Who has which hardware address: `fail_over_mac`, and slaves that cannot change theirs.

use core::fmt;

use crate::mode::Mode;
use crate::options::{Config, FailOverMac};

/// The longest hardware address, `MAX_ADDR_LEN` of `linux/netdevice.h`.
pub const MAX_ADDR_LEN: usize = 32;

/// A hardware address: 6 bytes for Ethernet, 20 for IP over InfiniBand.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct HwAddr {
    len: u8,
    bytes: [u8; MAX_ADDR_LEN],
}

impl HwAddr {
    /// No address.
    pub const EMPTY: HwAddr = HwAddr {
        len: 0,
        bytes: [0; MAX_ADDR_LEN],
    };

    /// The address, unless it is longer than 32 bytes.
    pub fn new(address: &[u8]) -> Option<HwAddr> {
        let len = u8::try_from(address.len()).ok()?;
        if address.len() > MAX_ADDR_LEN {
            return None;
        }
        let mut bytes = [0; MAX_ADDR_LEN];
        for (to, from) in bytes.iter_mut().zip(address) {
            *to = *from;
        }
        Some(HwAddr { len, bytes })
    }

    /// The bytes of the address.
    pub fn as_bytes(&self) -> &[u8] {
        self.bytes.get(..usize::from(self.len)).unwrap_or_default()
    }
}

impl fmt::Display for HwAddr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut separator = "";
        for byte in self.as_bytes() {
            write!(f, "{separator}{byte:02x}")?;
            separator = ":";
        }
        Ok(())
    }
}

impl fmt::Debug for HwAddr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Whether a slave can be enslaved at all, by its address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Admission {
    /// It can.
    Admit,
    /// It can, once `fail_over_mac` is `active`; the driver sets that, since it is the first slave.
    /// It keeps its address.
    AdmitAsActive,
    /// It cannot (`EOPNOTSUPP`): it is unable to change its address, which the `fail_over_mac` of
    /// the bond asks for.
    Refuse,
}

/// Whether a slave can join, given whether it can change its address (InfiniBand devices cannot)
/// and whether it is the first.
pub fn admit(config: &Config, can_set_address: bool, is_first: bool) -> Admission {
    if can_set_address
        || config.mode != Mode::ActiveBackup
        || config.fail_over_mac == FailOverMac::Active
    {
        Admission::Admit
    } else if is_first {
        Admission::AdmitAsActive
    } else {
        Admission::Refuse
    }
}

/// Whether the bond takes over the address of its first slave: if nobody has given it one, so that
/// it has a random one.
pub const fn bond_takes_over(is_first: bool, bond_address_is_random: bool) -> bool {
    is_first && bond_address_is_random
}

/// What becomes of the address of a slave that joins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AtEnslave {
    /// It keeps it.
    Keep,
    /// It gets that of the bond.
    SetTo(HwAddr),
    /// It gets a random one, because it has that of the bond, which another slave uses.
    Random,
}

/// What becomes of the address of a slave that joins; `bond` is the address of the bond after
/// [`bond_takes_over`].
pub fn at_enslave(config: &Config, is_first: bool, slave: HwAddr, bond: HwAddr) -> AtEnslave {
    match follows(config) {
        FailOverMac::None => AtEnslave::SetTo(bond),
        FailOverMac::Follow if !is_first && slave == bond => AtEnslave::Random,
        FailOverMac::Active | FailOverMac::Follow => AtEnslave::Keep,
    }
}

/// What a failover does to the addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AtFailover<K> {
    /// Nothing.
    Nothing,
    /// The bond gets this address, that of the new active slave.
    BondTakes(HwAddr),
    /// The new active slave gets this address, that of the bond.
    NewTakes(HwAddr),
    /// The new active slave gets `new`, and then the slave `other` gets `old`: they swap.
    Swap {
        /// For the new active slave.
        new: HwAddr,
        /// The slave that had that address.
        other: K,
        /// For the other slave.
        old: HwAddr,
    },
}

/// What a failover does to the addresses.
///
/// `new` is the new active slave with its address, if any; `slaves` are all slaves with theirs, among
/// which the one that has the address of the bond is looked up: the former active one, unless somebody
/// has given that another address.
pub fn at_failover<K: Copy + Eq>(
    config: &Config,
    new: Option<(K, HwAddr)>,
    bond: HwAddr,
    slaves: impl Iterator<Item = (K, HwAddr)>,
) -> AtFailover<K> {
    let Some((new, address)) = new else {
        return AtFailover::Nothing;
    };
    match follows(config) {
        FailOverMac::None => AtFailover::Nothing,
        FailOverMac::Active => AtFailover::BondTakes(address),
        FailOverMac::Follow => {
            let mut holders = slaves.filter(|&(key, it)| key != new && it == bond);
            match holders.next() {
                Some((other, _)) => AtFailover::Swap {
                    new: bond,
                    other,
                    old: address,
                },
                None => AtFailover::NewTakes(bond),
            }
        }
    }
}

/// What a slave's release does to the addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AtRelease {
    /// The slave gets its own address back.
    pub restore: bool,
    /// The bond goes on using the address that is the slave's own: warn the user.
    pub conflict: bool,
    /// The bond gets a random address, since it has no slaves left.
    pub randomize_bond: bool,
}

/// What a slave's release does to the addresses; `own` is the address that it had before it was
/// enslaved, `is_last` says that no slave is left.
pub fn at_release(config: &Config, own: HwAddr, bond: HwAddr, is_last: bool) -> AtRelease {
    let restore = follows(config) != FailOverMac::Active;
    AtRelease {
        restore,
        conflict: restore && !is_last && own == bond,
        randomize_bond: is_last,
    }
}

/// Whether setting the address of the bond sets those of its slaves too. It does not where they
/// differ on purpose: then the request is accepted without effect, as in the in-tree driver.
pub fn sets_slaves(config: &Config) -> bool {
    follows(config) == FailOverMac::None
}

/// The policy in force: only active-backup has one.
fn follows(config: &Config) -> FailOverMac {
    match config.mode {
        Mode::ActiveBackup => config.fail_over_mac,
        _ => FailOverMac::None,
    }
}
