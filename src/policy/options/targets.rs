// SPDX-License-Identifier: GPL-2.0

//! The addresses that the ARP monitor probes: `arp_ip_target` and `ns_ip6_target`.

use core::net::{Ipv4Addr, Ipv6Addr};

/// The largest number of targets of each kind (`BOND_MAX_ARP_TARGETS`, `BOND_MAX_NS_TARGETS`).
pub const MAX_TARGETS: usize = 16;

/// An address that can be a target.
pub trait Target: Copy + Eq {
    /// No target.
    const NONE: Self;

    /// Whether this is the address of one host, which can answer.
    fn is_probable(self) -> bool;
}

impl Target for Ipv4Addr {
    const NONE: Self = Ipv4Addr::UNSPECIFIED;

    fn is_probable(self) -> bool {
        !self.is_unspecified() && !self.is_broadcast()
    }
}

impl Target for Ipv6Addr {
    const NONE: Self = Ipv6Addr::UNSPECIFIED;

    fn is_probable(self) -> bool {
        !self.is_unspecified() && !self.is_loopback() && !self.is_multicast()
    }
}

/// Why a list of targets cannot be changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TargetError {
    /// The address is not that of one host.
    NotProbable,
    /// The address is already in the list.
    Duplicate,
    /// There is no room for another.
    Full,
    /// The address is not in the list.
    Missing,
}

/// A list of targets, each once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Targets<A: Target> {
    /// The targets, with [`Target::NONE`] after the last one.
    addrs: [A; MAX_TARGETS],
}

/// The list of `arp_ip_target`.
pub type ArpTargets = Targets<Ipv4Addr>;

/// The list of `ns_ip6_target`.
pub type NsTargets = Targets<Ipv6Addr>;

impl<A: Target> Targets<A> {
    /// No targets.
    pub const NONE: Self = Targets {
        addrs: [A::NONE; MAX_TARGETS],
    };

    /// The targets, in the order in which they were added.
    pub fn iter(&self) -> impl Iterator<Item = A> + Clone + '_ {
        self.addrs.iter().copied().take_while(|it| *it != A::NONE)
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.iter().next().is_none()
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.iter().count()
    }

    /// The place of a target in the list.
    pub fn position(&self, addr: A) -> Option<usize> {
        self.iter().position(|it| it == addr)
    }

    /// Appends a target.
    ///
    /// # Errors
    ///
    /// [`TargetError`], but not [`TargetError::Missing`]; the list stays as it was.
    pub fn add(&mut self, addr: A) -> Result<(), TargetError> {
        if !addr.is_probable() {
            return Err(TargetError::NotProbable);
        }
        if self.position(addr).is_some() {
            return Err(TargetError::Duplicate);
        }
        let free = self.addrs.iter_mut().find(|it| **it == A::NONE);
        *free.ok_or(TargetError::Full)? = addr;
        Ok(())
    }

    /// Removes a target; the targets after it move up.
    ///
    /// # Errors
    ///
    /// [`TargetError::NotProbable`] and [`TargetError::Missing`]; the list stays as it was.
    pub fn remove(&mut self, addr: A) -> Result<(), TargetError> {
        if !addr.is_probable() {
            return Err(TargetError::NotProbable);
        }
        let at = self.position(addr).ok_or(TargetError::Missing)?;
        let mut behind = A::NONE;
        let rest = self.addrs.get_mut(at..).unwrap_or_default();
        for slot in rest.iter_mut().rev() {
            core::mem::swap(slot, &mut behind);
        }
        Ok(())
    }
}
