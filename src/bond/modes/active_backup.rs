// SPDX-License-Identifier: GPL-2.0

//! active-backup: one slave carries the traffic. While the active slave has lost its carrier and
//! nothing has acted on that yet, a slave with a working link stands in for it.

use super::output::elsewhere;
use crate::bond::links::link_state;
use crate::bond::master::{Bond, BondDev, SlaveDev};
use net::master::device::Slot;
use net::rcu::Rcu;
use net::skbuff::SkBuff;
use policy::transmit::{self, StandIn};

/// Sends a packet.
#[inline(always)]
pub(super) fn xmit(bond: &BondDev, skb: SkBuff, rcu: &Rcu) -> i32 {
    match bond.slot_rcu(rcu, Slot::Active) {
        Some(active) if active.dev().has_link() => skb.transmit_through(active.dev()),
        active => xmit_lost(bond, skb, active, rcu),
    }
}

/// Sends a packet while the active slave has no carrier, or while there is no active slave.
#[cold]
#[inline(never)]
fn xmit_lost(bond: &BondDev, skb: SkBuff, active: Option<&SlaveDev>, rcu: &Rcu) -> i32 {
    let slave = active.map(|active| stand_in(bond, rcu).unwrap_or(active));
    elsewhere(bond, skb, slave)
}

/// The active slave or, while it has lost its carrier and nothing has acted on that yet, a backup.
pub(super) fn pick<'a>(bond: &'a BondDev, rcu: &'a Rcu) -> Option<&'a SlaveDev> {
    let active = bond.slot_rcu(rcu, Slot::Active)?;
    if active.dev().has_link() {
        return Some(active);
    }
    Some(stand_in(bond, rcu).unwrap_or(active))
}

/// Whether this slave, a backup, sends in place of an active slave without carrier.
pub(super) fn stands_in(slave: &SlaveDev, rcu: &Rcu) -> bool {
    let bond = slave.master();
    Bond::mode(bond).uses_primary()
        && bond
            .slot_rcu(rcu, Slot::Active)
            .is_some_and(|active| !active.dev().has_link())
        && stand_in(bond, rcu).is_some_and(|stand_in| core::ptr::eq(stand_in, slave))
}

#[cold]
fn stand_in<'a>(bond: &'a BondDev, rcu: &'a Rcu) -> Option<&'a SlaveDev> {
    if !bond.data().options.link_events() {
        return None;
    }
    transmit::stand_in(bond.lowers_rcu(rcu).map(|slave| StandIn {
        key: slave,
        carrier: slave.dev().has_link(),
        link: link_state(slave),
        prio: slave.data().prio(),
    }))
}
