// SPDX-License-Identifier: GPL-2.0

//! The load of the slaves, in balance-tlb and balance-alb mode: which slave each flow leaves through
//! is decided by `policy::balance`.
//!
//! A packet finds its slave without a lock: one word for each bucket says which place in the table
//! of choices its slave has. Only the first packet of a flow takes the lock, to have the bucket get
//! a slave. What is sent is counted per CPU. While there is traffic, the counters are looked at each
//! second; a bond without traffic has no timer.

use super::links::can_send;
use super::master::{Bond, BondDev, SlaveDev};
use super::slave::id;
use super::wake::Task;
use kernel::prelude::*;
use net::master::device::Slot;
use net::rcu::{self, Rcu};
use net::rtnl::Rtnl;
use net::sync::now_ms;
use policy::balance::{Bucket, Member, SlaveId, COUNTERS, LOOK};

/// Makes room for what is kept of the load. May sleep.
pub(super) fn reserve(bond: &BondDev, rtnl: &Rtnl) -> Result {
    let balancer = &bond.data().get_ref().balancer;
    balancer.sent.allocate(rtnl)?;
    if balancer.state.with(|state| !state.buckets.is_empty()) {
        return Ok(());
    }
    let mut buckets = KVec::with_capacity(COUNTERS, GFP_KERNEL)?;
    for _ in 0..COUNTERS {
        buckets
            .push_within_capacity(Bucket::EMPTY)
            .map_err(|_| ENOMEM)?;
    }
    balancer.state.with(|state| state.buckets = buckets);
    Ok(())
}

/// The slaves that have a share of the flows, in the order of the table of choices.
fn sharers<'a>(bond: &'a BondDev, rcu: &'a Rcu) -> impl Iterator<Item = &'a SlaveDev> + Clone {
    bond.lowers_rcu(rcu)
        .filter(|slave| slave.data().has_share())
}

fn members<'a>(bond: &'a BondDev, rcu: &'a Rcu) -> impl Iterator<Item = Member> + Clone + 'a {
    let active = bond.slot_rcu(rcu, Slot::Active).map(id);
    sharers(bond, rcu).map(move |slave| Member {
        id: id(slave),
        speed: slave.data().speed(),
        can_send: can_send(slave),
        is_active: Some(id(slave)) == active,
    })
}

/// The slave through which the packets of a bucket leave. For every packet.
#[inline(always)]
pub(super) fn choose<'a>(bond: &'a BondDev, bucket: u8, rcu: &'a Rcu) -> Option<&'a SlaveDev> {
    let balancer = &bond.data().get_ref().balancer;
    let number = balancer.number(bucket);
    match number.and_then(|number| bond.choose(number, rcu)) {
        Some(slave) if slave.dev().has_link() => Some(slave),
        _ => ask(bond, bucket, rcu),
    }
}

/// Has a bucket get a slave: its flow is new, or its slave has just lost its link.
#[cold]
#[inline(never)]
fn ask<'a>(bond: &'a BondDev, bucket: u8, rcu: &'a Rcu) -> Option<&'a SlaveDev> {
    let balancer = &bond.data().get_ref().balancer;
    let bucket = usize::from(bucket);
    let now = now_ms();
    let (chosen, begins) = balancer.state.with(|state| {
        let mut table = state.table();
        let has_slave =
            |slave: &SlaveId| members(bond, rcu).any(|it| it.id == *slave && it.can_send);
        let chosen = match table.slave(bucket).filter(has_slave) {
            Some(slave) => Some(slave),
            None => table.place(bucket, members(bond, rcu)),
        };
        balancer.assign(bucket, chosen, sharers(bond, rcu).map(id));
        let begins = chosen.is_some() && !state.looks;
        if begins {
            state.table().resume(|bucket| balancer.sent.sum(bucket));
            (state.looks, state.looked) = (true, now);
        }
        (chosen, begins)
    });
    if begins {
        Bond::wake_at_ms(bond, Task::Balance, Some(now.saturating_add(LOOK)));
    }
    sharers(bond, rcu).find(|slave| Some(id(slave)) == chosen)
}

/// Slaves have come, gone, or got another link. The table of choices is up to date.
pub(super) fn members_changed(bond: &BondDev, _rtnl: &Rtnl) {
    let rcu = rcu::read_lock();
    let balancer = &bond.data().get_ref().balancer;
    balancer.state.with(|state| {
        let mut table = state.table();
        table.members_changed(members(bond, &rcu));
        balancer.publish(&table, sharers(bond, &rcu).map(id));
    });
}

/// Looks at the counters, and evens out the load. Process context, without RTNL.
pub(super) fn look(bond: &BondDev) {
    let rcu = rcu::read_lock();
    let balancer = &bond.data().get_ref().balancer;
    let now = now_ms();
    let goes_on = balancer.state.with(|state| {
        let elapsed = now.saturating_sub(state.looked).max(1);
        state.looked = now;
        let mut table = state.table();
        let count = |bucket| balancer.sent.sum(bucket);
        let looked = table.look(count, elapsed, members(bond, &rcu));
        balancer.publish(&table, sharers(bond, &rcu).map(id));
        state.looks = !looked.is_idle;
        state.looks
    });
    if goes_on {
        Bond::wake_at_ms(bond, Task::Balance, Some(now.saturating_add(LOOK)));
    }
}

/// The bond goes down.
pub(super) fn stop(bond: &BondDev) {
    let balancer = &bond.data().get_ref().balancer;
    balancer.state.with(|state| {
        state.looks = false;
        let mut table = state.table();
        table.reset(|bucket| balancer.sent.sum(bucket));
        balancer.publish(&table, core::iter::empty());
    });
    Bond::wake_at_ms(bond, Task::Balance, None);
}
