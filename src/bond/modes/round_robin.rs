// SPDX-License-Identifier: GPL-2.0

//! balance-rr: one slave after the other.

use super::output::transmit_or_drop;
use super::packet::{Outgoing, Subject};
use crate::bond::choose::after;
use crate::bond::master::{Bond, BondDev, SlaveDev};
use net::master::device::Slot;
use net::rcu::Rcu;
use net::skbuff::SkBuff;
use policy::transmit;

/// Sends a packet.
#[inline(never)]
pub(super) fn xmit(bond: &BondDev, skb: SkBuff, rcu: &Rcu) -> i32 {
    let slave = pick(bond, &Outgoing(bond, skb.view()), rcu);
    transmit_or_drop(bond, skb, slave)
}

/// IGMP goes through the active slave, so that a switch sees it on one port only; all else in turn.
#[inline(always)]
pub(super) fn pick<'a>(
    bond: &'a BondDev,
    subject: &impl Subject,
    rcu: &'a Rcu,
) -> Option<&'a SlaveDev> {
    if subject.is_igmp() {
        return bond
            .slot_rcu(rcu, Slot::Active)
            .or_else(|| after(bond, 0, rcu));
    }
    let data = bond.data().get_ref();
    let turn = match data.options.packets_per_slave() {
        1 => data.turn.increment(),
        packets => turn_of(data, packets),
    };
    match bond.choose_of_all(turn, rcu) {
        Some(slave) if slave.dev().has_link() => Some(slave),
        _ => after(bond, turn, rcu),
    }
}

#[cold]
#[inline(never)]
fn turn_of(data: &Bond, packets_per_slave: u16) -> u32 {
    let counter = match packets_per_slave {
        0 => net::sync::random_u32(),
        _ => data.turn.increment(),
    };
    transmit::turn(counter, packets_per_slave)
}
