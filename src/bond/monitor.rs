// SPDX-License-Identifier: GPL-2.0

//! The monitor of a bond's links: it runs while the bond is up.
//!
//! The kernel's events report most changes at once (`events.rs`). The poll every `miimon` ms is for
//! drivers that report late or not at all; the polls of all bonds share one timer
//! ([`net::master::device::Dev::poll_every`]) and take no lock. The ARP monitor is in `probe.rs`.

use super::links::set_roles;
use super::master::{Bond, BondDev};
use super::wake::Task;
use super::{balance, clients, learning, stations};
use super::{engine, lacp, lists, notify, paths, probe};
use net::netdev_lock::Held;
use net::rcu::Rcu;
use net::rtnl::{Rtnl, RtnlOnly};
use net::sync::msecs_to_jiffies;

/// Starts the monitor of a bond that goes up.
pub(super) fn open(bond: &BondDev, rtnl: &RtnlOnly) {
    set_roles(bond, &Held::none(rtnl));
    admit_all(bond, rtnl);
    restart(bond, rtnl);
    lacp::refresh(bond, rtnl);
    learning::restart(bond, rtnl);
}

/// While the bond is down, nobody looks at what its slaves receive.
fn admit_all(bond: &BondDev, rtnl: &Rtnl) {
    bond.lowers(rtnl)
        .for_each(|slave| probe::admit(bond, slave, rtnl));
}

/// Looks at all links now, and goes on from there. Without effect while the bond is down.
pub(super) fn restart(bond: &BondDev, rtnl: &Rtnl) {
    let config = bond.data().config(rtnl);
    bond.poll_every(msecs_to_jiffies(config.miimon), rtnl);
    Bond::wake_at_ms(bond, Task::Delays, None);
    if config.is_monitored() {
        Bond::wake(bond, Task::Look);
    }
    if config.is_probed() {
        probe::restart(bond, rtnl);
    }
    paths::renew(bond);
}

/// Stops the monitor of a bond that goes down.
pub(super) fn stop(bond: &BondDev, rtnl: &RtnlOnly) {
    bond.stop_polling(rtnl);
    bond.cancel_work(rtnl);
    lacp::refresh(bond, rtnl);
    Bond::wake_at_ms(bond, Task::Delays, None);
    probe::stop(bond);
    lists::forget(bond, rtnl);
    paths::cancel(bond);
    notify::cancel(bond, rtnl);
    balance::stop(bond);
    learning::stop(bond);
    clients::stop(bond, rtnl);
    stations::stop(bond, rtnl);
    admit_all(bond, rtnl);
    engine::settle(bond, &Held::none(rtnl));
    if lists::all_have_addrs(bond) {
        bond.lowers(rtnl)
            .for_each(|slave| slave.dev().unsync_addrs_from(rtnl, bond));
    } else if let Some(slave) = bond.settled(rtnl) {
        slave.dev().unsync_addrs_from(rtnl, bond);
    }
    // Listeners that were not told yet are told while the bond is down.
    bond.run_work_at(bond.data().wake.next());
}

/// Polls the links, for drivers that report late or not at all. Takes no lock: if there is
/// something new, the work sees to it.
#[inline]
pub(super) fn poll(bond: &BondDev, rcu: &Rcu) {
    let finds_nothing = bond.data().options.reads_carrier()
        && bond
            .lowers_rcu(rcu)
            .all(|slave| slave.data().expects(slave.dev().has_link()));
    if !finds_nothing {
        Bond::wake(bond, Task::Look);
    }
}
