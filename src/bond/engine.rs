// SPDX-License-Identifier: GPL-2.0

//! What happens when links change, slaves come and go, or options are set: the policy decides, and
//! this file carries out the decision.
//!
//! A failover has two steps. [`switch`] moves the traffic: from then on, packets leave through the
//! new active slave. [`settle`] moves what belongs to the traffic (address lists, promiscuous mode,
//! hardware addresses) and tells the neighbours. If the failover was caused by an event of a device
//! whose instance lock is held, the second step may have to wait until that lock is dropped.

use super::links::{read_link_settings, role, set_port, set_role, set_roles};
use super::listeners::tell;
use super::master::{Bond, BondDev, SlaveDev};
use super::message::{bond_info, slave_info};
use super::ports::Slaves;
use super::slave::Key;
use super::wake::Task;
use super::{address, choose, clients, ipsec, lacp, learning};
use super::{link_type, lists, notify, paths, probe, stations};
use net::master::device::Slot;
use net::netdev_lock::Held;
use net::notifier::Announce;
use net::rtnl::{Rtnl, RtnlOnly};
use net::sync::{now_ms, ratelimit};
use policy::address::moves_slaves;
use policy::history::{What, Why};
use policy::link::{Role, TransitionMessage};
use policy::mode::{Active, Addresses, Carrier, NotifyPeers, Protocol};
use policy::receive::SlaveFlags;
use policy::{Config, Event, Millis, Outcome, Port, Transition};

/// Has the policy handle an event, and carries out what it decides.
pub(super) fn handle(bond: &BondDev, event: Event<Key<'_>>, held: &Held<'_>) {
    let config = bond.data().config(held);
    let slaves = Slaves { bond, rtnl: held };
    let outcome = policy::handle(&slaves, slaves.group(), &config, event, now_ms());
    carry_out(bond, &outcome, held);
}

fn carry_out(bond: &BondDev, outcome: &Outcome<Key<'_>>, held: &Held<'_>) {
    let rtnl: &Rtnl = held;
    let config = bond.data().config(rtnl);
    bond.data()
        .force_primary
        .set(rtnl, outcome.group.force_primary);
    // A bond that is down does not wait for delays: it looks at its links when it goes up.
    let deadline = outcome.deadline.filter(|_| bond.is_running());
    Bond::wake_at_ms(bond, Task::Delays, deadline);

    let mut by_links = false;
    if outcome.links_changed {
        for slave in bond.lowers(rtnl) {
            by_links |= report(bond, slave, &config, held);
        }
    }
    let tried = bond.slot(rtnl, Slot::Tried).map(Key) != outcome.group.tried;
    if tried {
        let slave = outcome.group.tried.map(|key| key.0);
        bond.set_slot(rtnl, Slot::Tried, slave);
        if let Some(slave) = slave {
            slave.data().heard.start();
        }
    }
    if outcome.active_changed {
        switch(
            bond,
            outcome.group.active.map(|key| key.0),
            outcome.why,
            outcome.early_ms,
            held,
        );
    }
    lacp::refresh(bond, rtnl);
    set_carrier(bond, carrier(bond, outcome.carrier, rtnl), by_links, rtnl);
    if outcome.active_changed {
        settle(bond, held);
        ipsec::active_changed(bond, rtnl);
    }
    if tried {
        set_roles(bond, held);
        probe::hurry(bond);
    }
    choose::update(bond, None, rtnl);
    if outcome.links_changed || outcome.active_changed {
        paths::renew(bond);
        clients::refresh(bond, rtnl);
        learning::restart(bond, rtnl);
    }
}

/// Reports a change of a slave's link, once. Returns whether the link went up or down for good.
fn report(bond: &BondDev, slave: &SlaveDev, config: &Config, held: &Held<'_>) -> bool {
    let rtnl: &Rtnl = held;
    let Some(transition) = slave.data().port(rtnl).pending else {
        return false;
    };
    let port = Port {
        pending: None,
        ..slave.data().port(rtnl)
    };
    set_port(slave, port, rtnl);
    let what = What::Link(transition, port.cause);
    bond.data().history.note(bond, Some(slave.dev()), what);
    let settled = transition.settled();
    let is_up = |transition| transition == Transition::WentUp;
    if is_up(transition) || settled.is_some_and(is_up) {
        if let Some(slave_dev) = held.ask(slave.dev()) {
            read_link_settings(slave, &slave_dev, rtnl);
        }
    }
    let port = slave.data().port(rtnl);
    let active = config.mode.row().active;
    let part = match (active, slave.is_backup()) {
        (Active::All, _) if config.is_probed() => Role::Probed,
        (Active::All, _) => Role::Member,
        (Active::One, false) => Role::Active,
        (Active::One, true) => Role::Backup,
    };
    let mut any_final = false;
    for transition in [Some(transition), settled].into_iter().flatten() {
        let message = TransitionMessage {
            transition,
            role: part,
            speed: port.speed,
            duplex: port.duplex,
        };
        let is_final = matches!(transition, Transition::WentUp | Transition::WentDown);
        any_final |= is_final;
        if is_final || ratelimit() {
            slave_info!(bond, slave.dev(), "{message}");
        }
    }
    // In modes with one active slave, the roles follow from which slave is active, and with a
    // protocol, from what that says. A slave that is leaving stays inactive.
    let by_link = match config.mode.row().protocol {
        Protocol::None => active == Active::All,
        Protocol::Lacp => false,
    };
    if by_link {
        let flags = SlaveFlags {
            inactive: slave.is_inactive(),
            ..SlaveFlags::of(config, false, port.link.state())
        };
        slave.set_role(role(flags));
    }
    tell(bond, slave, held);
    any_final
}

/// Sets the carrier of the bond. Logs a change that came with a change of a link, but not one that
/// somebody asked for by enslaving or releasing a slave, nor the one at the beginning of
/// `downdelay`.
fn set_carrier(bond: &BondDev, carrier: bool, by_links: bool, rtnl: &Rtnl) {
    if bond.carrier_ok() == carrier {
        return;
    }
    bond.set_carrier(rtnl, carrier);
    if by_links {
        if carrier {
            bond_info!(bond, "active interface up!");
        } else {
            bond_info!(bond, "now running without any active interface!");
        }
    }
}

/// Works out the carrier of the bond again, because slaves or options have changed.
pub(super) fn update_carrier(bond: &BondDev, rtnl: &Rtnl) {
    let config = bond.data().config(rtnl);
    let links = bond
        .lowers(rtnl)
        .map(|slave| slave.data().port(rtnl).link.state());
    let any_link = config.carrier(links);
    set_carrier(bond, carrier(bond, any_link, rtnl), false, rtnl);
}

/// Whether the bond has carrier; `any_link` tells whether it has a working link.
fn carrier(bond: &BondDev, any_link: bool, rtnl: &Rtnl) -> bool {
    match bond.data().config(rtnl).mode.row().carrier {
        Carrier::AnyLink => any_link,
        Carrier::Aggregator => lacp::carrier(bond),
    }
}

/// Follows what LACP has decided: which slaves can be chosen, the carrier, and what listeners and
/// the user are told.
pub(super) fn aggregate(bond: &BondDev, held: &Held<'_>) {
    let rtnl: &Rtnl = held;
    if !lacp::runs(bond) {
        return;
    }
    lacp::aggregates(bond);
    choose::update(bond, None, rtnl);
    set_carrier(bond, lacp::carrier(bond), bond.is_running(), rtnl);
    let mut begins = false;
    for slave in bond.lowers(rtnl) {
        begins |= lacp::report(bond, slave, held);
    }
    lacp::report_shortage(bond, rtnl);
    // What the slaves carry, and in which aggregator, is part of what the bond is.
    let _ = bond.announce(rtnl, Announce::CHANGE_INFO_DATA);
    if begins && bond.data().config(rtnl).broadcast_neighbor {
        notify::tell_peers(bond, rtnl);
    }
}

/// Moves the traffic to another slave, or to none.
fn switch(
    bond: &BondDev,
    new: Option<&SlaveDev>,
    why: Why,
    early_ms: Option<Millis>,
    held: &Held<'_>,
) {
    let rtnl: &Rtnl = held;
    let config = bond.data().config(rtnl);
    let old = bond.slot(rtnl, Slot::Active);
    bond.set_slot(rtnl, Slot::Active, new);
    notify::after_change(bond, new.is_some(), rtnl);
    if !config.mode.uses_primary() {
        return;
    }
    let what = What::Active { why, early_ms };
    bond.data().history.note(bond, new.map(SlaveDev::dev), what);
    probe::give_all_time(bond, rtnl);

    if let Some(new) = new {
        new.data().set_lingers(false);
        if let Some(old) = old {
            stations::linger(bond, old, rtnl);
        }
    }
    // The new one first: it has traffic already, and must not drop what it receives.
    for (slave, is_active) in [(new, true), (old, false)] {
        if let Some(slave) = slave {
            let flags = SlaveFlags::of(&config, is_active, slave.data().port(rtnl).link.state());
            set_role(bond, slave, flags, held);
        }
    }
    if let Some(new) = new {
        match early_ms {
            Some(ms) => slave_info!(
                bond,
                new.dev(),
                "making interface the new active one {ms} ms earlier"
            ),
            None => slave_info!(bond, new.dev(), "making interface the new active one"),
        }
        if early_ms.is_some() {
            tell(bond, new, held);
        }
    }
}

/// Moves what belongs to the traffic to where the traffic is now, and tells the neighbours.
///
/// Does nothing if that is already done, so it may be called at any time under RTNL. If an instance
/// lock may be held and something here has to take the instance lock of a slave, everything is left
/// to the work.
pub(super) fn settle(bond: &BondDev, held: &Held<'_>) {
    let rtnl: &Rtnl = held;
    if Bond::is_settled(bond, rtnl) {
        return;
    }
    let config = bond.data().config(rtnl);
    let (old, new) = (bond.settled(rtnl), bond.slot(rtnl, Slot::Active));
    let follows = moves_slaves(&config);
    match held.rtnl_only() {
        Some(rtnl) => {
            if let Some(old) = old {
                lists::take_rx_flags(bond, old.dev(), bond.is_promisc(), bond.is_allmulti(), rtnl);
            }
            if let Some(new) = new {
                lists::give_rx_flags(bond, new.dev(), rtnl);
            }
        }
        None if follows || bond.is_promisc() || bond.is_allmulti() => {
            return Bond::wake(bond, Task::Settle);
        }
        None => {}
    }
    if bond.is_up() && !lists::all_have_addrs(bond) {
        if let Some(old) = old {
            old.dev().unsync_addrs_from(rtnl, bond);
        }
        if let Some(new) = new {
            lists::give(bond, new, false, rtnl);
        }
    }
    bond.set_settled(rtnl, new);
    for slave in [old, new].into_iter().flatten() {
        probe::admit(bond, slave, rtnl);
    }

    if let Some(new) = new {
        link_type::partition_seen(bond, new.dev(), true, rtnl);
    }
    if new.is_none() {
        return;
    }
    match config.mode.row().addresses {
        Addresses::ByOption => address::fail_over(bond, new, held),
        Addresses::Own => {
            address::fail_over(bond, new, held);
            learning::restart(bond, rtnl);
            clients::refresh(bond, rtnl);
        }
        Addresses::Shared => {}
    }
    match config.mode.row().notify_peers {
        NotifyPeers::OnFailover => {
            let _ = bond.announce(rtnl, Announce::BONDING_FAILOVER);
            notify::step(bond, rtnl);
        }
        NotifyPeers::Never => {}
    }
    stations::moved(bond, rtnl);
}

/// Gives up the active slave without choosing another.
pub(super) fn deactivate(bond: &BondDev, rtnl: &RtnlOnly) {
    let held = Held::none(rtnl);
    if bond.slot(rtnl, Slot::Active).is_some() {
        switch(bond, None, Why::Cleared, None, &held);
        ipsec::active_changed(bond, rtnl);
    }
    settle(bond, &held);
}
