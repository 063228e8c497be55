// SPDX-License-Identifier: GPL-2.0

//! balance-alb: as balance-tlb, where the address of the client is what makes a flow; and each client
//! is told the address of a slave to send to.

use super::output::drop_packet;
use super::packet::{Outgoing, Subject};
use super::tlb::{balanced, balanced_by_load, is_discovery, send_as, unbalanced};
use crate::bond::clients::{route, Route};
use crate::bond::master::BondDev;
use net::rcu::Rcu;
use net::skbuff::{SkBuff, View};
use policy::wire::ether::{ETH_P_ARP, ETH_P_IP, ETH_P_IPV6};
use policy::wire::frame::{is_group, BROADCAST};
use policy::wire::ndisc::Discovery;

const IPPROTO_IGMP: u8 = 2;
/// Where the second half of an IPv4 header begins, with the time to live (RFC 791, 3.1).
const IPV4_TTL: usize = 8;
const IPV6_LEN: usize = 40;

/// Sends a packet. What is not IPv4 has a function of its own.
#[inline(never)]
pub(super) fn xmit(bond: &BondDev, skb: SkBuff, rcu: &Rcu) -> i32 {
    match quick_ipv4(skb.view()) {
        Some(number) => balanced_by_load(bond, skb, number, rcu, xmit_unready),
        None => xmit_other(bond, skb, rcu),
    }
}

#[inline(never)]
fn xmit_other(bond: &BondDev, skb: SkBuff, rcu: &Rcu) -> i32 {
    match quick_ipv6(skb.view()) {
        Some(number) => balanced_by_load(bond, skb, number, rcu, xmit_unready),
        None => xmit_any(bond, skb, rcu),
    }
}

#[inline(never)]
fn xmit_unready(bond: &BondDev, skb: SkBuff, number: u32, rcu: &Rcu) -> i32 {
    if bond.data().options.goes_by_load() {
        balanced(bond, skb, number, rcu)
    } else {
        xmit_any(bond, skb, rcu)
    }
}

/// As [`flow`] by load, for IPv4 to one host; `None` for what needs a closer look, too.
#[inline(always)]
fn quick_ipv4(packet: View<'_>) -> Option<u8> {
    if is_group(&packet.in_one_piece(0)?) || packet.protocol() != ETH_P_IP {
        return None;
    }
    of_ipv4(packet.in_one_piece_from(packet.network_offset(), IPV4_TTL)?)
}

/// The same for IPv6, but no ICMPv6.
#[inline(always)]
fn quick_ipv6(packet: View<'_>) -> Option<u8> {
    if is_group(&packet.in_one_piece(0)?) || packet.protocol() != ETH_P_IPV6 {
        return None;
    }
    let header = packet.in_one_piece_from::<IPV6_LEN>(packet.network_offset(), 0)?;
    let [_, _, _, _, _, _, next, ..] = header;
    (next != Discovery::ICMPV6).then(|| of_ipv6(&header))
}

#[inline(never)]
fn xmit_any(bond: &BondDev, skb: SkBuff, rcu: &Rcu) -> i32 {
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
        ETH_P_IP if to != BROADCAST => of_ipv4(packet.bytes(at.checked_add(IPV4_TTL)?)?)?,
        // What goes to groups are reports of membership, too, from which switches learn ports.
        ETH_P_IPV6 if !is_group(&to) && !is_discovery(packet) => of_ipv6(&packet.bytes(at)?),
        _ => return None,
    };
    Some(if bond.data().options.goes_by_load() {
        number.into()
    } else {
        Outgoing(bond, packet).hash(bond.data().options.hash_policy())
    })
}

/// The number of the client that an IPv4 packet goes to, by its header from [`IPV4_TTL`] on: the XOR of
/// the bytes of its address.
#[inline(always)]
fn of_ipv4(header: [u8; 12]) -> Option<u8> {
    let [_, protocol, _, _, _, _, _, _, client @ ..] = header;
    let client = u32::from_ne_bytes(client);
    (protocol != IPPROTO_IGMP && client != u32::MAX).then(|| xor(client.into()))
}

/// The same for IPv6.
#[inline(always)]
fn of_ipv6(header: &[u8; IPV6_LEN]) -> u8 {
    header
        .last_chunk::<16>()
        .map_or(0, |client| xor(u128::from_ne_bytes(*client)))
}

/// The XOR of all bytes.
#[inline(always)]
const fn xor(bytes: u128) -> u8 {
    let bytes = bytes as u64 ^ (bytes >> 64) as u64;
    let bytes = bytes as u32 ^ (bytes >> 32) as u32;
    let bytes = bytes ^ (bytes >> 16);
    (bytes ^ (bytes >> 8)) as u8
}
