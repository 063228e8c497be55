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
use super::{address, choose, ipsec, lacp, link_type, lists, notify, paths, probe};
use net::master::device::Slot;
use net::netdev_lock::Held;
use net::notifier::Announce;
use net::rtnl::{Rtnl, RtnlOnly};
use net::sync::{now_ms, ratelimit};
use policy::history::{What, Why};
use policy::link::{Role, TransitionMessage};
use policy::mode::{Active, Carrier, NotifyPeers, Protocol};
use policy::options::FailOverMac;
use policy::receive::SlaveFlags;
use policy::{Config, Event, Millis, Outcome, Port, Transition};

/// Has the policy handle an event, and carries out what it decides.
pub(super) fn handle(dev: &BondDev, event: Event<Key<'_>>, held: &Held<'_>) {
    let config = dev.data().config(held);
    let slaves = Slaves { dev, rtnl: held };
    let outcome = policy::handle(&slaves, slaves.group(), &config, event, now_ms());
    carry_out(dev, &outcome, held);
}

fn carry_out(dev: &BondDev, outcome: &Outcome<Key<'_>>, held: &Held<'_>) {
    let rtnl: &Rtnl = held;
    let config = dev.data().config(rtnl);
    dev.data()
        .force_primary
        .set(rtnl, outcome.group.force_primary);
    // A bond that is down does not wait for delays: it looks at its links when it goes up.
    let deadline = outcome.deadline.filter(|_| dev.is_running());
    Bond::wake_at_ms(dev, Task::Delays, deadline);

    let mut by_links = false;
    if outcome.links_changed {
        for slave in dev.lowers(rtnl) {
            by_links |= report(dev, slave, &config, held);
        }
    }
    let tried = dev.slot(rtnl, Slot::Tried).map(Key) != outcome.group.tried;
    if tried {
        let slave = outcome.group.tried.map(|key| key.0);
        dev.set_slot(rtnl, Slot::Tried, slave);
        if let Some(slave) = slave {
            slave.data().heard.start();
        }
    }
    if outcome.active_changed {
        switch(
            dev,
            outcome.group.active.map(|key| key.0),
            outcome.why,
            outcome.early_ms,
            held,
        );
    }
    lacp::refresh(dev, rtnl);
    set_carrier(dev, carrier(dev, outcome.carrier, rtnl), by_links, rtnl);
    if outcome.active_changed {
        settle(dev, held);
        ipsec::active_changed(dev, rtnl);
    }
    if tried {
        set_roles(dev, held);
        probe::hurry(dev);
    }
    choose::update(dev, None, rtnl);
    if outcome.links_changed || outcome.active_changed {
        paths::renew(dev);
    }
}

/// Reports a change of a slave's link, once. Returns whether the link went up or down for good.
fn report(dev: &BondDev, slave: &SlaveDev, config: &Config, held: &Held<'_>) -> bool {
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
    dev.data().history.note(dev, Some(slave.dev()), what);
    let settled = transition.settled();
    let is_up = |transition| transition == Transition::WentUp;
    if is_up(transition) || settled.is_some_and(is_up) {
        if let Some(device) = held.ask(slave.dev()) {
            read_link_settings(slave, &device, rtnl);
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
            slave_info!(dev, slave.dev(), "{message}");
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
    tell(dev, slave, held);
    any_final
}

/// Sets the carrier of the bond. Logs a change that came with a change of a link, but not one that
/// somebody asked for by enslaving or releasing a slave, nor the one at the beginning of
/// `downdelay`.
fn set_carrier(dev: &BondDev, carrier: bool, by_links: bool, rtnl: &Rtnl) {
    if dev.carrier_ok() == carrier {
        return;
    }
    dev.set_carrier(rtnl, carrier);
    if by_links {
        if carrier {
            bond_info!(dev, "active interface up!");
        } else {
            bond_info!(dev, "now running without any active interface!");
        }
    }
}

/// Works out the carrier of the bond again, because slaves or options have changed.
pub(super) fn update_carrier(dev: &BondDev, rtnl: &Rtnl) {
    let config = dev.data().config(rtnl);
    let links = dev
        .lowers(rtnl)
        .map(|slave| slave.data().port(rtnl).link.state());
    let any_link = config.carrier(links);
    set_carrier(dev, carrier(dev, any_link, rtnl), false, rtnl);
}

/// Whether the bond has carrier; `any_link` tells whether it has a working link.
fn carrier(dev: &BondDev, any_link: bool, rtnl: &Rtnl) -> bool {
    match dev.data().config(rtnl).mode.row().carrier {
        Carrier::AnyLink => any_link,
        Carrier::Aggregator => lacp::carrier(dev),
    }
}

/// Follows what LACP has decided: which slaves can be chosen, the carrier, and what listeners and
/// the user are told.
pub(super) fn aggregate(dev: &BondDev, held: &Held<'_>) {
    let rtnl: &Rtnl = held;
    if !lacp::runs(dev) {
        return;
    }
    lacp::aggregates(dev);
    choose::update(dev, None, rtnl);
    set_carrier(dev, lacp::carrier(dev), dev.is_running(), rtnl);
    let mut begins = false;
    for slave in dev.lowers(rtnl) {
        begins |= lacp::report(dev, slave, held);
    }
    lacp::report_shortage(dev, rtnl);
    // What the slaves carry, and in which aggregator, is part of what the bond is.
    let _ = dev.announce(rtnl, Announce::CHANGE_INFO_DATA);
    if begins && dev.data().config(rtnl).broadcast_neighbor {
        notify::tell_peers(dev, rtnl);
    }
}

/// Moves the traffic to another slave, or to none.
fn switch(
    dev: &BondDev,
    new: Option<&SlaveDev>,
    why: Why,
    early_ms: Option<Millis>,
    held: &Held<'_>,
) {
    let rtnl: &Rtnl = held;
    let config = dev.data().config(rtnl);
    let old = dev.slot(rtnl, Slot::Active);
    dev.set_slot(rtnl, Slot::Active, new);
    notify::after_change(dev, new.is_some(), rtnl);
    if !config.mode.uses_primary() {
        return;
    }
    let what = What::Active { why, early_ms };
    dev.data().history.note(dev, new.map(SlaveDev::dev), what);
    probe::give_all_time(dev, rtnl);

    // The new one first: it has traffic already, and must not drop what it receives.
    for (slave, is_active) in [(new, true), (old, false)] {
        if let Some(slave) = slave {
            let flags = SlaveFlags::of(&config, is_active, slave.data().port(rtnl).link.state());
            set_role(dev, slave, flags, held);
        }
    }
    if let Some(new) = new {
        match early_ms {
            Some(ms) => slave_info!(
                dev,
                new.dev(),
                "making interface the new active one {ms} ms earlier"
            ),
            None => slave_info!(dev, new.dev(), "making interface the new active one"),
        }
        if early_ms.is_some() {
            tell(dev, new, held);
        }
    }
}

/// Moves what belongs to the traffic to where the traffic is now, and tells the neighbours.
///
/// Does nothing if that is already done, so it may be called at any time under RTNL. If an instance
/// lock may be held and something here has to take the instance lock of a slave, everything is left
/// to the work.
pub(super) fn settle(dev: &BondDev, held: &Held<'_>) {
    let rtnl: &Rtnl = held;
    if Bond::is_settled(dev, rtnl) {
        return;
    }
    let config = dev.data().config(rtnl);
    let (old, new) = (dev.settled(rtnl), dev.slot(rtnl, Slot::Active));
    let follows = config.fail_over_mac == FailOverMac::Follow;
    match held.rtnl_only() {
        Some(rtnl) => {
            if let Some(old) = old {
                lists::take_rx_flags(dev, old.dev(), dev.is_promisc(), dev.is_allmulti(), rtnl);
            }
            if let Some(new) = new {
                lists::give_rx_flags(dev, new.dev(), rtnl);
            }
        }
        None if follows || dev.is_promisc() || dev.is_allmulti() => {
            return Bond::wake(dev, Task::Settle);
        }
        None => {}
    }
    if dev.is_up() && !lists::all_have_addrs(dev) {
        if let Some(old) = old {
            old.dev().unsync_addrs_from(rtnl, dev);
        }
        if let Some(new) = new {
            lists::give(dev, new, false, rtnl);
        }
    }
    dev.set_settled(rtnl, new);
    for slave in [old, new].into_iter().flatten() {
        probe::admit(dev, slave, rtnl);
    }

    if let Some(new) = new {
        link_type::partition_seen(dev, new.dev(), true, rtnl);
    }
    match config.mode.row().notify_peers {
        NotifyPeers::OnFailover if new.is_some() => {
            address::fail_over(dev, new, held);
            let _ = dev.announce(rtnl, Announce::BONDING_FAILOVER);
            notify::step(dev, rtnl);
        }
        NotifyPeers::OnFailover | NotifyPeers::Never => {}
    }
}

/// Gives up the active slave without choosing another.
pub(super) fn deactivate(dev: &BondDev, rtnl: &RtnlOnly) {
    let held = Held::none(rtnl);
    if dev.slot(rtnl, Slot::Active).is_some() {
        switch(dev, None, Why::Cleared, None, &held);
        ipsec::active_changed(dev, rtnl);
    }
    settle(dev, &held);
}
