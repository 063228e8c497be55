// SPDX-License-Identifier: GPL-2.0

//! Which way a packet goes. No lock, no allocation, no shared cache line written.

use super::{is_active_backup, BondDev, SlaveDev};
use core::sync::atomic::Ordering;
use net::published::Slot;
use net::rcu::Rcu;
use net::skbuff::{SkBuff, XMIT_DROP};
use policy::transmit::{self, StandIn};
use policy::LinkState;

/// Sends a packet. Bottom halves off.
#[inline]
pub(super) fn start_xmit(dev: &BondDev, mut skb: SkBuff, rcu: &Rcu) -> i32 {
    let queue = skb.queue_mapping();
    if queue != 0 {
        if let Some(slave) = by_queue(dev, queue, rcu) {
            return skb.transmit_through(slave.dev());
        }
    }
    let slave = if is_active_backup(dev) {
        active_backup(dev, rcu)
    } else {
        round_robin(dev, skb.is_igmp(), rcu)
    };
    match slave {
        Some(slave) => skb.transmit_through(slave.dev()),
        None => {
            skb.drop_on(dev);
            XMIT_DROP
        }
    }
}

/// The slave that a packet without peculiarities would leave through.
pub(super) fn next_slave<'a>(dev: &'a BondDev, rcu: &'a Rcu) -> Option<&'a SlaveDev> {
    if is_active_backup(dev) {
        active_backup(dev, rcu)
    } else {
        round_robin(dev, false, rcu)
    }
}

/// The active slave; while that has lost its carrier and nobody has acted on it, a backup.
#[inline(always)]
fn active_backup<'a>(dev: &'a BondDev, rcu: &'a Rcu) -> Option<&'a SlaveDev> {
    let active = dev.slot_rcu(rcu, Slot::Active)?;
    if active.dev().has_link() {
        return Some(active);
    }
    Some(stand_in(dev, rcu).unwrap_or(active))
}

/// Whether this slave, a backup, sends in place of an active one without carrier.
pub(super) fn stands_in(slave: &SlaveDev, rcu: &Rcu) -> bool {
    let dev = slave.master();
    is_active_backup(dev)
        && dev
            .slot_rcu(rcu, Slot::Active)
            .is_some_and(|active| !active.dev().has_link())
        && stand_in(dev, rcu).is_some_and(|stand_in| core::ptr::eq(stand_in, slave))
}

#[cold]
fn stand_in<'a>(dev: &'a BondDev, rcu: &'a Rcu) -> Option<&'a SlaveDev> {
    if !dev.data().link_events.load(Ordering::Relaxed) {
        return None;
    }
    transmit::stand_in(dev.lowers_rcu(rcu).map(|slave| StandIn {
        key: slave,
        carrier: slave.dev().has_link(),
        link: link_state(slave),
        prio: slave.data().prio(),
    }))
}

/// IGMP goes through the active slave, so that a switch sees it on one port only; all else in turn.
fn round_robin<'a>(dev: &'a BondDev, is_igmp: bool, rcu: &'a Rcu) -> Option<&'a SlaveDev> {
    if is_igmp {
        if let Some(active) = dev.slot_rcu(rcu, Slot::Active) {
            return Some(active);
        }
    }
    let bond = dev.data();
    let packets_per_slave = bond.packets_per_slave.load(Ordering::Relaxed);
    let counter = match (is_igmp, packets_per_slave) {
        (true, _) => 0,
        (false, 0) => net::sync::random_u32(),
        (false, _) => bond.get_ref().turn.increment(),
    };
    let slot = transmit::slot(counter, packets_per_slave, dev.lower_count())?;
    let slaves = dev.lowers_rcu(rcu).map(|slave| {
        let can_send =
            transmit::can_send(slave.dev().has_link(), link_state(slave), slave.is_backup());
        (slave, can_send)
    });
    transmit::take_turn(slaves, slot)
}

/// The slave that the packet's transmit queue belongs to, if that works.
#[cold]
fn by_queue<'a>(dev: &'a BondDev, queue: u16, rcu: &'a Rcu) -> Option<&'a SlaveDev> {
    let slaves = dev.lowers_rcu(rcu).map(|slave| {
        let is_up = slave.dev().has_link() && link_state(slave) == LinkState::Up;
        (slave, slave.data().queue_id(), is_up)
    });
    transmit::by_queue(slaves, queue)
}

#[inline(always)]
fn link_state(slave: &SlaveDev) -> LinkState {
    match slave.link() {
        0 => LinkState::Up,
        1 => LinkState::Fail,
        3 => LinkState::Back,
        _ => LinkState::Down,
    }
}
