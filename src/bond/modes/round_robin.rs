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
pub(super) fn xmit(dev: &BondDev, skb: SkBuff, rcu: &Rcu) -> i32 {
    let slave = pick(dev, &Outgoing(dev, skb.view()), rcu);
    transmit_or_drop(dev, skb, slave)
}

/// IGMP goes through the active slave, so that a switch sees it on one port only; all else in turn.
#[inline(always)]
pub(super) fn pick<'a>(
    dev: &'a BondDev,
    subject: &impl Subject,
    rcu: &'a Rcu,
) -> Option<&'a SlaveDev> {
    if subject.is_igmp() {
        return dev
            .slot_rcu(rcu, Slot::Active)
            .or_else(|| after(dev, 0, rcu));
    }
    let bond = dev.data().get_ref();
    let turn = match bond.options.packets_per_slave() {
        1 => bond.turn.increment(),
        packets => turn_of(bond, packets),
    };
    match dev.choose_of_all(turn, rcu) {
        Some(slave) if slave.dev().has_link() => Some(slave),
        _ => after(dev, turn, rcu),
    }
}

#[cold]
#[inline(never)]
fn turn_of(bond: &Bond, packets_per_slave: u16) -> u32 {
    let counter = match packets_per_slave {
        0 => net::sync::random_u32(),
        _ => bond.turn.increment(),
    };
    transmit::turn(counter, packets_per_slave)
}
