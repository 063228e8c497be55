// SPDX-License-Identifier: GPL-2.0

//! Learning frames, in balance-tlb and balance-alb mode: from these, switches learn behind which port
//! each address of the bond is. They are sent every `lp_interval`, since a slave that does not send
//! would be forgotten, and whenever addresses move.

use super::links::can_send;
use super::master::{Bond, BondDev, SlaveDev};
use super::wake::Task;
use net::master::device::Slot;
use net::rcu::{self, Rcu};
use net::route::{each_upper, Tags};
use net::rtnl::Rtnl;
use net::sync::now_ms;
use policy::wire::frame::{Frame, Mac, Tag};

/// Sends learning frames at once, and then every `lp_interval`. May be called at any time under
/// RTNL.
pub(super) fn restart(bond: &BondDev, _rtnl: &Rtnl) {
    if Bond::mode(bond).has_own_addresses() && bond.is_running() {
        Bond::wake(bond, Task::Learn);
    }
}

/// The bond goes down.
pub(super) fn stop(bond: &BondDev) {
    Bond::wake_at_ms(bond, Task::Learn, None);
}

/// Sends learning frames, and has it done again. Process context, without RTNL.
pub(super) fn round(bond: &BondDev) {
    if !Bond::mode(bond).has_own_addresses() {
        return;
    }
    let rcu = rcu::read_lock();
    let active = bond.slot_rcu(&rcu, Slot::Active);
    let mut has_slaves = false;
    for slave in bond.lowers_rcu(&rcu) {
        has_slaves = true;
        if can_send(slave) {
            let is_active = active.is_some_and(|active| core::ptr::eq(active, slave));
            teach(bond, slave, slave.dev().ether_addr(), is_active, &rcu);
        }
    }
    drop(rcu);
    if has_slaves {
        let seconds = u64::from(bond.data().options.copy().lp_interval);
        let due = now_ms().saturating_add(seconds.saturating_mul(1000));
        Bond::wake_at_ms(bond, Task::Learn, Some(due));
    }
}

/// The tags of a frame.
pub(super) fn tags(tags: &Tags) -> impl Iterator<Item = Tag> + Clone + '_ {
    tags.iter().map(|(proto, vid)| Tag { proto, vid })
}

/// Teaches the switches that `addr` is behind a slave, in all VLANs of the bond; through the active
/// slave also where the addresses are that VLANs and macvlans on the bond have of their own. Any
/// context but hard interrupts.
pub(super) fn teach(bond: &BondDev, slave: &SlaveDev, addr: Mac, is_active: bool, rcu: &Rcu) {
    let send = |addr, path: &Tags| {
        let frame = Frame::learning(addr, tags(path));
        slave.dev().send_control(frame.as_bytes());
    };
    send(addr, &Tags::default());
    let bond_addr = bond.ether_addr();
    each_upper(bond, rcu, &mut |upper, path| {
        let own = upper.ether_addr();
        if upper.is_vlan() && own == bond_addr {
            send(addr, path);
        } else if is_active && (upper.is_vlan() || upper.is_macvlan()) && own != bond_addr {
            send(own, path);
        }
    });
}
