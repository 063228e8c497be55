// SPDX-License-Identifier: GPL-2.0

//! The paths to the neighbours through the backups of an InfiniBand bond.
//!
//! An InfiniBand port has to ask the subnet administrator for the path to each neighbour, and be
//! let into each multicast group that it sends to, before the first packet can leave; and the
//! neighbours have to ask for the path to it. The backups see to that beforehand, so that a
//! failover does not depend on how fast the administrator is, or whether it answers at all.

use super::master::{Bond, BondDev};
use super::wake::Task;
use core::net::Ipv4Addr;
use net::master::device::Slot;
use net::neighbour::{self, Kind};
use net::netdevice::{NetDevice, ARPHRD_INFINIBAND};
use net::rcu::{self, Rcu};
use net::sync::now_ms;
use policy::paths::{Lookups, PART};

/// Links, or the active slave, have changed: the backups have something to ask for.
pub(super) fn renew(bond: &BondDev) {
    let asks = bond.link_type() == ARPHRD_INFINIBAND
        && Bond::mode(bond).uses_primary()
        && bond.is_running();
    set(
        bond,
        if asks {
            Lookups::after_change(now_ms())
        } else {
            Lookups::None
        },
    );
}

/// The bond goes down.
pub(super) fn cancel(bond: &BondDev) {
    set(bond, Lookups::None);
}

fn set(bond: &BondDev, lookups: Lookups) {
    change(bond, |_| lookups);
}

/// Records where the backups are and, under the same lock, when they go on, so that two callers do
/// both in the same order.
fn change(bond: &BondDev, change: impl FnOnce(Lookups) -> Lookups) {
    let data = bond.data();
    let due = data.lookups.with(|lookups| {
        *lookups = change(*lookups);
        data.wake.set_ms(Task::Paths, lookups.due())
    });
    bond.run_work_at(due);
}

/// Has the backups ask for paths, if it is time. Called from the work of the bond.
pub(super) fn round(bond: &BondDev) {
    let data = bond.data();
    let before = data.lookups.get();
    let Some(skip) = before.skip(now_ms()) else {
        return;
    };
    let mut found = 0;
    let rcu = rcu::read_lock();
    let active = bond.slot_rcu(&rcu, Slot::Active);
    for slave in bond.lowers_rcu(&rcu) {
        let is_active = active.is_some_and(|active| core::ptr::eq(active, slave));
        if !is_active && slave.dev().has_link() {
            found = probe(bond, slave.dev(), skip, &rcu).max(found);
        }
    }
    drop(rcu);
    // Unless there was a change meanwhile.
    change(bond, |lookups| match lookups == before {
        true => before.next(now_ms(), found),
        false => lookups,
    });
}

/// Has a slave find the paths to the known neighbours of the bond, and to the groups that the bond
/// sends to. Leaves out the first `skip`; returns how many there are after those, at most [`PART`].
fn probe(bond: &BondDev, slave: &NetDevice, skip: u32, rcu: &Rcu) -> u32 {
    // The bond and the slave have to use the same kind of hardware address.
    if bond.link_type() != slave.link_type() || bond.addr_len() != slave.addr_len() {
        return 0;
    }
    let mut found = 0u32;
    let neighbours = bond.neighbours(rcu).skip(skip as usize);
    for neighbour in neighbours.take(PART as usize) {
        found = found.saturating_add(1);
        let addr = neighbour.hw_addr(bond);
        let (asks, target) = match neighbour.kind() {
            Kind::Unicast => (neighbour.was_resolved(), neighbour.ipv4()),
            Kind::Multicast => (neighbour.needs_no_arp() && !slave.is_member(&addr), None),
            Kind::Other => (false, None),
        };
        if asks {
            let target = target.unwrap_or(Ipv4Addr::UNSPECIFIED);
            neighbour::send_arp_probe(slave, target, &addr, rcu);
        }
    }
    found
}
