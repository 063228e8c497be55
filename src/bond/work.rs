// SPDX-License-Identifier: GPL-2.0

//! The work of a bond: one work item does everything that waits ([`Task`]): the ends of delays,
//! repeated announcements, and what a failover had to leave for later.
//!
//! The work item never waits for RTNL, since closing a bond waits for the work item under RTNL.

use super::listeners::tell_rest;
use super::master::{BondDev, SlaveDev};
use super::ports::read_carriers;
use super::wake::{self, Task};
use super::{balance, clients, learning, stations};
use super::{engine, lacp, lists, mtu, notify, paths, probe};
use net::netdev_lock::Held;
use net::rtnl::{self, RtnlOnly};
use net::sync::now_us;
use policy::arp::Micros;
use policy::Event;

/// How long to wait before RTNL is tried again, in µs; the shortest time that there is. The wait is
/// bounded, because the holder of RTNL releases it, and a try costs next to nothing: a longer wait
/// would delay failovers.
const RETRY: Micros = 1000;

/// The work of a bond: does what is due, and has itself run again when the next task is due.
pub(super) fn work(bond: &BondDev) {
    let wake = &bond.data().wake;
    let now = now_us();
    if wake.take(Task::Paths, now) {
        paths::round(bond);
    }
    if wake.take(Task::Lacp, now) {
        lacp::run(bond);
    }
    if wake.take(Task::Balance, now) {
        balance::look(bond);
    }
    if wake.take(Task::Learn, now) {
        learning::round(bond);
    }
    if wake.take(Task::Clients, now) {
        clients::run(bond);
    }
    let is_probed = bond.data().options.copy().is_probed();
    let needs_rtnl = wake.any_due(&Task::UNDER_RTNL, now) || is_probed && finds_news(bond);
    let mut next = wake::NEVER;
    if needs_rtnl {
        match rtnl::try_lock() {
            Some(rtnl) => do_due(bond, &rtnl),
            None => next = now.saturating_add(RETRY),
        }
    }
    // Setting one of these has the probes looked at, whatever the time is.
    wake.take(Task::Probes, now);
    let hurry = wake.take(Task::Hurry, now);
    if is_probed {
        probe::round(bond, hurry);
    }
    if next == wake::NEVER {
        next = bond.data().wake.next();
    }
    bond.run_work_at(next);
}

/// Does what is due and needs RTNL.
fn do_due(bond: &BondDev, rtnl: &RtnlOnly) {
    let wake = &bond.data().wake;
    let held = &Held::none(rtnl);
    let is_due = |task| wake.take(task, now_us());
    if is_due(Task::Settle) {
        engine::settle(bond, held);
    }
    if is_due(Task::Mtu) {
        mtu::follow(bond, rtnl);
    }
    if is_due(Task::Lists) {
        lists::retry(bond, rtnl);
    }
    if is_due(Task::Speed) {
        lacp::ask_for_speeds(bond, rtnl);
    }
    if is_due(Task::Aggregate) {
        engine::aggregate(bond, held);
    }
    let (looks, delay_is_over) = (is_due(Task::Look), is_due(Task::Delays));
    if bond.is_running() {
        if looks {
            read_carriers(bond, rtnl);
            engine::handle(bond, Event::Poll, held);
        }
        if bond.data().config(rtnl).is_probed() {
            read_carriers(bond, rtnl);
            let event = Event::Probed { now: now_us() };
            engine::handle(bond, event, held);
        } else if delay_is_over {
            read_carriers(bond, rtnl);
            engine::handle(bond, Event::Tick, held);
        }
    }
    if is_due(Task::Adopt) {
        clients::adopt(bond, rtnl);
    }
    if is_due(Task::Stations) && bond.is_running() {
        stations::announce(bond, rtnl);
    }
    if is_due(Task::Notify) && bond.is_running() {
        notify::step(bond, rtnl);
    }
    if is_due(Task::Listeners) {
        tell_rest(bond, rtnl);
    }
}

/// Whether the ARP monitor has something to decide. Process context, without RTNL.
fn finds_news(bond: &BondDev) -> bool {
    let rcu = net::rcu::read_lock();
    let is_known = |slave: &SlaveDev| slave.data().knows(slave.dev().has_link());
    let all_known = bond.lowers_rcu(&rcu).all(is_known);
    drop(rcu);
    !all_known || probe::finds_change(bond)
}
