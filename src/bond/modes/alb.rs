// SPDX-License-Identifier: GPL-2.0

//! balance-alb: as balance-tlb, where the address of the client is what makes a flow; and each client
//! is told the address of a slave to send to.

use super::output::drop_packet;
use super::packet::{Outgoing, Subject};
use super::tlb::{balanced, is_discovery, send_as, unbalanced};
use crate::bond::clients::{route, Route};
use crate::bond::master::BondDev;
use net::rcu::Rcu;
use net::skbuff::{SkBuff, View};
use policy::wire::ether::{ETH_P_ARP, ETH_P_IP, ETH_P_IPV6};
use policy::wire::frame::{is_group, BROADCAST};

const IPPROTO_IGMP: u8 = 2;

/// Sends a packet.
#[inline(never)]
pub(super) fn xmit(bond: &BondDev, skb: SkBuff, rcu: &Rcu) -> i32 {
    match flow(bond, skb.view()) {
        Some(number) => balanced(bond, skb, number, rcu),
        None if tells_clients(bond, skb.view()) => xmit_routed(bond, skb, rcu),
        None => unbalanced(bond, skb, rcu),
    }
}

/// Whether clients may learn an address of ours from a packet.
fn tells_clients(bond: &BondDev, packet: View<'_>) -> bool {
    match packet.protocol() {
        ETH_P_ARP => true,
        ETH_P_IPV6 => bond.data().options.rlb_ipv6() && is_discovery(packet),
        _ => false,
    }
}

#[cold]
#[inline(never)]
fn xmit_routed(bond: &BondDev, mut skb: SkBuff, rcu: &Rcu) -> i32 {
    match route(bond, &mut skb, rcu) {
        Route::Slave(slave) => send_as(bond, skb, slave, rcu),
        Route::Active => unbalanced(bond, skb, rcu),
        Route::Nowhere => drop_packet(bond, skb),
    }
}

/// The number of a packet's flow, if the packet belongs to one: IPv4, but neither to all nor IGMP;
/// IPv6 to one host, but no neighbour discovery.
pub(super) fn flow(bond: &BondDev, packet: View<'_>) -> Option<u32> {
    let to = packet.bytes::<6>(0)?;
    let at = packet.network_offset();
    let number = match packet.protocol() {
        ETH_P_IP if to != BROADCAST => {
            let [_, _, _, _, _, _, _, _, _, protocol, _, _, _, _, _, _, client @ ..] =
                packet.bytes::<20>(at)?;
            if protocol == IPPROTO_IGMP || client == [0xff; 4] {
                return None;
            }
            xor(&client)
        }
        // What goes to groups are reports of membership, too, from which switches learn ports.
        ETH_P_IPV6 if !is_group(&to) && !is_discovery(packet) => {
            let header = packet.bytes::<40>(at)?;
            let (_, client) = header.split_first_chunk::<24>()?;
            xor(client)
        }
        _ => return None,
    };
    Some(if bond.data().options.goes_by_load() {
        number.into()
    } else {
        Outgoing(bond, packet).hash(bond.data().options.hash_policy())
    })
}

fn xor(bytes: &[u8]) -> u8 {
    bytes.iter().fold(0, |sum, byte| sum ^ byte)
}
