// SPDX-License-Identifier: GPL-2.0

//! balance-xor: a hash of the packet picks the slave.

use super::output::{transmit_or_drop, Links};
use super::packet::{Outgoing, Subject};
use crate::bond::choose::{by_hash, by_hash_now};
use crate::bond::links::can_send;
use crate::bond::master::{BondDev, SlaveDev};
use net::rcu::Rcu;
use net::skbuff::SkBuff;
use policy::hash::HashPolicy;

/// Sends a packet. Each policy has a function of its own.
#[inline(never)]
pub(super) fn xmit(bond: &BondDev, skb: SkBuff, rcu: &Rcu) -> i32 {
    xmit_or(xmit_any, bond, skb, rcu)
}

/// Like [`xmit`]; hands to `other` what is not for a function of a policy.
#[inline(always)]
pub(super) fn xmit_or(
    other: impl FnOnce(&BondDev, SkBuff, &Rcu) -> i32,
    bond: &BondDev,
    skb: SkBuff,
    rcu: &Rcu,
) -> i32 {
    const LAYER2: u8 = HashPolicy::Layer2 as u8;
    const LAYER34: u8 = HashPolicy::Layer34 as u8;
    const LAYER23: u8 = HashPolicy::Layer23 as u8;
    const ENCAP23: u8 = HashPolicy::Encap23 as u8;
    const ENCAP34: u8 = HashPolicy::Encap34 as u8;
    const VLAN_SRCMAC: u8 = HashPolicy::VlanSrcMac as u8;
    match bond.data().options.hash_policy_number() {
        LAYER2 => xmit_quick(HashPolicy::Layer2, bond, skb, rcu),
        LAYER34 if !skb.has_socket() => xmit_layer34(bond, skb, rcu),
        LAYER23 => xmit_layer23(bond, skb, rcu),
        ENCAP23 => xmit_encap23(bond, skb, rcu),
        ENCAP34 => xmit_encap34(bond, skb, rcu),
        VLAN_SRCMAC => xmit_quick(HashPolicy::VlanSrcMac, bond, skb, rcu),
        _ => other(bond, skb, rcu),
    }
}

#[inline(never)]
fn xmit_layer34(bond: &BondDev, skb: SkBuff, rcu: &Rcu) -> i32 {
    xmit_quick(HashPolicy::Layer34, bond, skb, rcu)
}

#[inline(never)]
fn xmit_layer23(bond: &BondDev, skb: SkBuff, rcu: &Rcu) -> i32 {
    xmit_quick(HashPolicy::Layer23, bond, skb, rcu)
}

#[inline(never)]
fn xmit_encap23(bond: &BondDev, skb: SkBuff, rcu: &Rcu) -> i32 {
    xmit_quick(HashPolicy::Encap23, bond, skb, rcu)
}

#[inline(never)]
fn xmit_encap34(bond: &BondDev, skb: SkBuff, rcu: &Rcu) -> i32 {
    xmit_quick(HashPolicy::Encap34, bond, skb, rcu)
}

#[inline(always)]
fn xmit_quick(policy: HashPolicy, bond: &BondDev, skb: SkBuff, rcu: &Rcu) -> i32 {
    let Some(hash) = policy::hash::quick(policy, Outgoing(bond, skb.view())) else {
        return xmit_any(bond, skb, rcu);
    };
    match bond.choose(hash, rcu) {
        Some(slave) if slave.dev().has_link() => skb.transmit_through(slave.dev()),
        _ => xmit_now(bond, skb, hash, rcu),
    }
}

#[inline(never)]
pub(super) fn xmit_any(bond: &BondDev, skb: SkBuff, rcu: &Rcu) -> i32 {
    let slave = of_tls(bond, &skb, rcu).or_else(|| pick(bond, &Outgoing(bond, skb.view()), rcu));
    transmit_or_drop(bond, skb, slave)
}

#[cold]
#[inline(never)]
fn xmit_now(bond: &BondDev, skb: SkBuff, hash: u32, rcu: &Rcu) -> i32 {
    let slave = by_hash_now(bond, hash, rcu);
    transmit_or_drop(bond, skb, slave)
}

/// The slave that a hash picks.
pub(super) fn pick<'a>(
    bond: &'a BondDev,
    subject: &impl Subject,
    rcu: &'a Rcu,
) -> Option<&'a SlaveDev> {
    let hash = subject.hash(bond.data().options.hash_policy());
    by_hash(bond, hash, rcu)
}

/// Like [`pick`], from all slaves or from those that can send.
pub(super) fn pick_of<'a>(
    bond: &'a BondDev,
    subject: &impl Subject,
    links: Links,
    rcu: &'a Rcu,
) -> Option<&'a SlaveDev> {
    match links {
        Links::Working => pick(bond, subject, rcu),
        Links::All => {
            let hash = subject.hash(bond.data().options.hash_policy());
            let place = hash.checked_rem(bond.lower_count())?;
            bond.lowers_rcu(rcu).nth(place as usize)
        }
    }
}

/// The slave whose hardware encrypts the TLS records in a packet, if it can send.
///
/// A hash picked that slave when the connection began; other slaves may have come and gone since.
/// Packets that take another slave, because that one cannot send, are encrypted in software.
fn of_tls<'a>(bond: &'a BondDev, skb: &SkBuff, rcu: &'a Rcu) -> Option<&'a SlaveDev> {
    if bond.data().options.hash_policy() != HashPolicy::Layer34 {
        return None;
    }
    let slave_dev = skb.tls_device(rcu)?;
    bond.lowers_rcu(rcu)
        .find(|slave| slave.dev() == slave_dev && can_send(slave))
}
