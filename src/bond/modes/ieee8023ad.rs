// SPDX-License-Identifier: GPL-2.0

//! 802.3ad: as balance-xor, among the slaves that LACP lets send. With `broadcast_neighbor`, what
//! neighbours ask and tell each other leaves through all of these.

use super::broadcast;
use super::xor::{xmit_any, xmit_or};
use crate::bond::links::can_send;
use crate::bond::master::BondDev;
use net::rcu::Rcu;
use net::skbuff::{SkBuff, View};
use policy::wire::ether::{ETH_P_ARP, ETH_P_IPV6};
use policy::wire::ndisc::Discovery;

/// Sends a packet.
#[inline(never)]
pub(super) fn xmit(bond: &BondDev, skb: SkBuff, rcu: &Rcu) -> i32 {
    xmit_or(xmit_some, bond, skb, rcu)
}

#[inline(never)]
fn xmit_some(bond: &BondDev, skb: SkBuff, rcu: &Rcu) -> i32 {
    if bond.data().options.broadcasts_neighbor() && is_for_neighbours(skb.view()) {
        let slaves = bond.lowers_rcu(rcu).filter(|slave| can_send(slave));
        return broadcast::through(bond, skb, slaves);
    }
    xmit_any(bond, skb, rcu)
}

/// Whether a packet is ARP, or a neighbour solicitation or advertisement.
fn is_for_neighbours(packet: View<'_>) -> bool {
    let at = packet.network_offset();
    match packet.protocol() {
        ETH_P_ARP => true,
        ETH_P_IPV6 => Discovery::is_one(|byte| {
            let [byte] = packet.bytes(at.checked_add(byte)?)?;
            Some(byte)
        }),
        _ => false,
    }
}
