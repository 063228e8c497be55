// SPDX-License-Identifier: GPL-2.0

//! The monitor of a bond's links: it runs while the bond is up.
//!
//! The kernel's events report most changes at once (`events.rs`). The poll every `miimon` ms is for
//! drivers that report late or not at all; the polls of all bonds share one timer
//! ([`net::master::device::Dev::poll_every`]) and take no lock. The ARP monitor is in `probe.rs`.

use super::links::set_roles;
use super::master::{Bond, BondDev};
use super::wake::Task;
use super::{engine, lacp, lists, notify, paths, probe};
use net::netdev_lock::Held;
use net::rcu::Rcu;
use net::rtnl::{Rtnl, RtnlOnly};
use net::sync::msecs_to_jiffies;

/// Starts the monitor of a bond that goes up.
pub(super) fn open(dev: &BondDev, rtnl: &RtnlOnly) {
    set_roles(dev, &Held::none(rtnl));
    admit_all(dev, rtnl);
    restart(dev, rtnl);
    lacp::refresh(dev, rtnl);
}

/// While the bond is down, nobody looks at what its slaves receive.
fn admit_all(dev: &BondDev, rtnl: &Rtnl) {
    dev.lowers(rtnl)
        .for_each(|slave| probe::admit(dev, slave, rtnl));
}

/// Looks at all links now, and goes on from there. Without effect while the bond is down.
pub(super) fn restart(dev: &BondDev, rtnl: &Rtnl) {
    let config = dev.data().config(rtnl);
    dev.poll_every(msecs_to_jiffies(config.miimon), rtnl);
    Bond::wake_at_ms(dev, Task::Delays, None);
    if config.is_monitored() {
        Bond::wake(dev, Task::Look);
    }
    if config.is_probed() {
        probe::restart(dev, rtnl);
    }
    paths::renew(dev);
}

/// Stops the monitor of a bond that goes down.
pub(super) fn stop(dev: &BondDev, rtnl: &RtnlOnly) {
    dev.stop_polling(rtnl);
    dev.cancel_work(rtnl);
    lacp::refresh(dev, rtnl);
    Bond::wake_at_ms(dev, Task::Delays, None);
    probe::stop(dev);
    lists::forget(dev, rtnl);
    paths::cancel(dev);
    notify::cancel(dev, rtnl);
    admit_all(dev, rtnl);
    engine::settle(dev, &Held::none(rtnl));
    if lists::all_have_addrs(dev) {
        dev.lowers(rtnl)
            .for_each(|slave| slave.dev().unsync_addrs_from(rtnl, dev));
    } else if let Some(slave) = dev.settled(rtnl) {
        slave.dev().unsync_addrs_from(rtnl, dev);
    }
    // Listeners that were not told yet are told while the bond is down.
    dev.run_work_at(dev.data().wake.next());
}

/// Polls the links, for drivers that report late or not at all. Takes no lock: if there is
/// something new, the work sees to it.
#[inline]
pub(super) fn poll(dev: &BondDev, rcu: &Rcu) {
    let finds_nothing = dev.data().options.reads_carrier()
        && dev
            .lowers_rcu(rcu)
            .all(|slave| slave.data().expects(slave.dev().has_link()));
    if !finds_nothing {
        Bond::wake(dev, Task::Look);
    }
}
