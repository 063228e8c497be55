// SPDX-License-Identifier: GPL-2.0

//! balance-tlb: what belongs to a flow leaves through the slave that the load picks or, with
//! `tlb_dynamic_lb` off, that the hash picks; all else leaves through the active slave. A slave other
//! than the active one sends from its own address, so that switches do not see one address behind
//! several ports.

use super::active_backup;
use super::output::{drop_packet, transmit_or_drop};
use super::packet::{Outgoing, Subject};
use crate::bond::balance;
use crate::bond::balancer::Balancer;
use crate::bond::choose::by_hash;
use crate::bond::master::{BondDev, SlaveDev};
use net::master::device::Slot;
use net::netdevice::NetDevice;
use net::rcu::Rcu;
use net::skbuff::{SkBuff, View};
use policy::balance::UNBALANCED;
use policy::hash::HashPolicy;
use policy::wire::ether::{ETH_P_IP, ETH_P_IPV6};
use policy::wire::frame::is_group;
use policy::wire::ndisc::Discovery;

/// Sends a packet. Each policy has a function of its own, for the usual packets.
#[inline(never)]
pub(super) fn xmit(bond: &BondDev, skb: SkBuff, rcu: &Rcu) -> i32 {
    const LAYER2: u8 = HashPolicy::Layer2 as u8;
    const LAYER34: u8 = HashPolicy::Layer34 as u8;
    const LAYER23: u8 = HashPolicy::Layer23 as u8;
    const ENCAP23: u8 = HashPolicy::Encap23 as u8;
    const ENCAP34: u8 = HashPolicy::Encap34 as u8;
    const VLAN_SRCMAC: u8 = HashPolicy::VlanSrcMac as u8;
    match bond.data().options.hash_policy_number() {
        LAYER2 => xmit_quick(HashPolicy::Layer2, bond, skb, rcu),
        LAYER34 => xmit_layer34(bond, skb, rcu),
        LAYER23 => xmit_layer23(bond, skb, rcu),
        ENCAP23 => xmit_encap23(bond, skb, rcu),
        ENCAP34 => xmit_encap34(bond, skb, rcu),
        VLAN_SRCMAC => xmit_quick(HashPolicy::VlanSrcMac, bond, skb, rcu),
        _ => xmit_any(bond, skb, rcu),
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
    if !is_surely_flow(skb.view()) {
        return xmit_any(bond, skb, rcu);
    }
    match policy::hash::quick(policy, Outgoing(bond, skb.view())) {
        Some(number) if bond.data().options.goes_by_load() => {
            balanced_by_load(bond, skb, number as u8, rcu, balanced)
        }
        Some(number) => balanced_by_hash(bond, skb, number, rcu),
        None => xmit_any(bond, skb, rcu),
    }
}

/// Whether the first look shows that a packet belongs to a flow: IP to one host, but no ICMPv6.
#[inline(always)]
fn is_surely_flow(packet: View<'_>) -> bool {
    match packet.in_one_piece(0) {
        Some(to) if !is_group(&to) => match packet.protocol() {
            ETH_P_IP => true,
            ETH_P_IPV6 => next_header(packet).is_some_and(|next| next != Discovery::ICMPV6),
            _ => false,
        },
        _ => false,
    }
}

/// What follows the header of an IPv6 packet, if that is at hand.
#[inline(always)]
fn next_header(packet: View<'_>) -> Option<u8> {
    let at = packet
        .network_offset()
        .checked_add(Discovery::NEXT_HEADER)?;
    let [next] = packet.in_one_piece(at)?;
    Some(next)
}

#[inline(never)]
fn xmit_any(bond: &BondDev, skb: SkBuff, rcu: &Rcu) -> i32 {
    match flow(bond, skb.view()) {
        Some(number) => balanced(bond, skb, number, rcu),
        None => unbalanced(bond, skb, rcu),
    }
}

/// The number of a packet's flow, if the packet belongs to one: IP to one host, but no neighbour
/// discovery.
pub(super) fn flow(bond: &BondDev, packet: View<'_>) -> Option<u32> {
    let to = packet.bytes::<6>(0)?;
    let is_flow = match packet.protocol() {
        ETH_P_IP => !is_group(&to),
        ETH_P_IPV6 => !is_group(&to) && !is_discovery(packet),
        _ => false,
    };
    is_flow.then(|| {
        let policy = bond.data().options.hash_policy();
        Outgoing(bond, packet).hash(policy)
    })
}

/// Whether a packet is a neighbour solicitation or advertisement.
pub(super) fn is_discovery(packet: View<'_>) -> bool {
    let at = packet.network_offset();
    Discovery::is_one(|byte| {
        let [byte] = packet.bytes(at.checked_add(byte)?)?;
        Some(byte)
    })
}

fn balancer(bond: &BondDev) -> &Balancer {
    &bond.data().get_ref().balancer
}

/// Sends a packet of the flow with this number through the slave that the load picks; hands to `other`
/// what is unusual. The usual case needs no stack frame.
#[inline(always)]
pub(super) fn balanced_by_load(
    bond: &BondDev,
    mut skb: SkBuff,
    number: u8,
    rcu: &Rcu,
    other: impl FnOnce(&BondDev, SkBuff, u32, &Rcu) -> i32,
) -> i32 {
    let balancer = balancer(bond);
    let place = balancer.number(number);
    match place.and_then(|place| ready(bond, &mut skb, place, rcu)) {
        Some(dev) => skb.transmit_counted(dev, balancer.sent(), number.into()),
        None => other(bond, skb, number.into(), rcu),
    }
}

/// Sends a packet of the flow with this number through the slave that the hash picks.
#[inline(always)]
fn balanced_by_hash(bond: &BondDev, mut skb: SkBuff, number: u32, rcu: &Rcu) -> i32 {
    match ready(bond, &mut skb, number, rcu) {
        Some(dev) => skb.transmit_through(dev),
        None => balanced(bond, skb, number, rcu),
    }
}

/// The device of the slave that a number picks from the table of choices, once the packet has the
/// source address for it; `None` if anything is unusual.
#[inline(always)]
fn ready<'a>(
    bond: &'a BondDev,
    skb: &mut SkBuff,
    number: u32,
    rcu: &'a Rcu,
) -> Option<&'a NetDevice> {
    let slave = bond.choose(number, rcu)?;
    let dev = slave.dev();
    let is_ready = dev.has_link()
        && (is_active(bond, slave, rcu) || skb.set_own_ether_source(&dev.ether_addr()));
    is_ready.then_some(dev)
}

#[inline(always)]
fn is_active(bond: &BondDev, slave: &SlaveDev, rcu: &Rcu) -> bool {
    bond.slot_rcu(rcu, Slot::Active)
        .is_some_and(|active| core::ptr::eq(active, slave))
}

/// Sends a packet of the flow with this number.
#[inline(never)]
pub(super) fn balanced(bond: &BondDev, skb: SkBuff, number: u32, rcu: &Rcu) -> i32 {
    let slave = if bond.data().options.goes_by_load() {
        balancer(bond).count((number as u8).into(), skb.view().length());
        balance::choose(bond, number as u8, rcu)
    } else {
        by_hash(bond, number, rcu)
    };
    match slave {
        Some(slave) => send_as(bond, skb, slave, rcu),
        None => drop_packet(bond, skb),
    }
}

/// Sends a packet through a slave, from the address of that slave. The active one has the address of
/// the bond, from which the packet is already.
#[inline(always)]
pub(super) fn send_as(bond: &BondDev, mut skb: SkBuff, slave: &SlaveDev, rcu: &Rcu) -> i32 {
    if !is_active(bond, slave, rcu) && !skb.set_ether_source(&slave.dev().ether_addr()) {
        return drop_packet(bond, skb);
    }
    skb.transmit_through(slave.dev())
}

/// Sends a packet that belongs to no flow.
#[inline(never)]
pub(super) fn unbalanced(bond: &BondDev, skb: SkBuff, rcu: &Rcu) -> i32 {
    balancer(bond).count(UNBALANCED, skb.view().length());
    let slave = active_backup::pick(bond, rcu);
    transmit_or_drop(bond, skb, slave)
}

/// The slave that a packet would leave through; `flow` is the number of its flow, if it belongs to
/// one.
pub(super) fn pick<'a>(bond: &'a BondDev, flow: Option<u32>, rcu: &'a Rcu) -> Option<&'a SlaveDev> {
    match flow {
        Some(number) if bond.data().options.goes_by_load() => {
            balance::choose(bond, number as u8, rcu)
        }
        Some(number) => by_hash(bond, number, rcu),
        None => active_backup::pick(bond, rcu),
    }
}
