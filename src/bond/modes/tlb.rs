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
use net::rcu::Rcu;
use net::skbuff::{SkBuff, View};
use policy::balance::UNBALANCED;
use policy::wire::ether::{ETH_P_IP, ETH_P_IPV6};
use policy::wire::frame::is_group;
use policy::wire::ndisc::Discovery;

/// Sends a packet.
#[inline(never)]
pub(super) fn xmit(bond: &BondDev, skb: SkBuff, rcu: &Rcu) -> i32 {
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

/// Sends a packet of the flow with this number.
#[inline(always)]
pub(super) fn balanced(bond: &BondDev, skb: SkBuff, number: u32, rcu: &Rcu) -> i32 {
    let slave = if bond.data().options.goes_by_load() {
        balancer(bond).count((number as u8).into(), skb.view().len());
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
    let is_active = bond
        .slot_rcu(rcu, Slot::Active)
        .is_some_and(|active| core::ptr::eq(active, slave));
    if !is_active && !skb.set_ether_source(&slave.dev().ether_addr()) {
        return drop_packet(bond, skb);
    }
    skb.transmit_through(slave.dev())
}

/// Sends a packet that belongs to no flow.
#[inline(never)]
pub(super) fn unbalanced(bond: &BondDev, skb: SkBuff, rcu: &Rcu) -> i32 {
    balancer(bond).count(UNBALANCED, skb.view().len());
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
