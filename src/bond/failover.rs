// SPDX-License-Identifier: GPL-2.0

//! What happens when links change: the policy decides, and this carries it out.
//!
//! A failover has two steps. [`switch`] moves the traffic: from there on packets leave through the
//! new active slave. [`settle`] moves what belongs to the traffic: address lists, promiscuous mode,
//! hardware addresses; and tells the neighbours. Where the event that caused it came from a device
//! whose instance lock is held meanwhile, the second step may have to wait until that is dropped.

use super::device::{all_have_addrs, give_lists, give_rx_flags, take_rx_flags};
use super::message::{netdev_info, Of};
use super::slave::{read_link_settings, set_role, set_roles, tell, Key, Slaves};
use super::{
    address, announce, arp, history, ipsec, link_type, monitor, paths, transmit, BondDev, SlaveDev,
};
use net::netdevice::NetDevice;
use net::notifier::Announce;
use net::published::Slot;
use net::rtnl::Rtnl;
use net::sync::{now_ms, ratelimit};
use policy::history::{What, Why};
use policy::link::{Role, TransitionMessage};
use policy::options::FailOverMac;
use policy::receive::SlaveFlags;
use policy::{Config, Event, Millis, Mode, Outcome, Port, Transition};

/// Where an event comes from, and so which instance locks the caller may hold.
#[derive(Clone, Copy)]
pub(super) enum Source<'a> {
    /// Nobody's lock is held but RTNL.
    Plain,
    /// An event of this slave's device, which runs under the device's instance lock.
    Locked(&'a NetDevice),
    /// The device of a slave was closed. Its instance lock is held, or was until a moment ago, and so
    /// are those of all devices that are closed together with it, which have all stopped running.
    Closed(&'a NetDevice),
}

impl Source<'_> {
    /// Whether the instance lock of a device may be held already.
    fn holds_lock_of(&self, dev: &NetDevice) -> bool {
        match *self {
            Source::Plain => false,
            Source::Locked(device) => device == dev,
            Source::Closed(device) => dev.needs_ops_lock() && (device == dev || !dev.is_running()),
        }
    }
}

/// Has the policy handle an event, and carries out what it decides.
pub(super) fn handle(dev: &BondDev, event: Event<Key<'_>>, source: Source<'_>, rtnl: &Rtnl) {
    let bond = dev.data();
    let slaves = Slaves { dev, rtnl };
    let outcome = policy::handle(&slaves, slaves.group(), &bond.config(), event, now_ms());
    carry_out(dev, &outcome, source, rtnl);
}

fn carry_out(dev: &BondDev, outcome: &Outcome<Key<'_>>, source: Source<'_>, rtnl: &Rtnl) {
    let bond = dev.data();
    let config = bond.config();
    bond.force_primary.set(rtnl, outcome.group.force_primary);
    monitor::set_deadline(dev, outcome.deadline);

    let mut by_links = false;
    if outcome.links_changed {
        for slave in dev.lowers(rtnl) {
            by_links |= report(dev, slave, &config, source, rtnl);
        }
    }
    let tried = dev.slot(rtnl, Slot::Tried).map(Key) != outcome.group.tried;
    if tried {
        let slave = outcome.group.tried.map(|key| key.0);
        dev.set_slot(rtnl, Slot::Tried, slave);
        if let Some(slave) = slave {
            arp::give_time(slave);
        }
    }
    if outcome.active_changed {
        switch(
            dev,
            outcome.group.active.map(|key| key.0),
            outcome.why,
            outcome.early_ms,
            source,
            rtnl,
        );
    }
    set_carrier(dev, outcome.carrier, by_links, rtnl);
    if outcome.active_changed {
        settle(dev, source, rtnl);
        ipsec::active_changed(dev, rtnl);
    }
    if tried {
        set_roles(dev, source, rtnl);
        arp::hurry(dev);
    }
    transmit::links_changed(dev, None, rtnl);
    if outcome.links_changed || outcome.active_changed {
        paths::renew(dev);
    }
    monitor::arm(dev, rtnl);
}

/// Reports what happened to a slave's link, once; returns whether it went up or down for good.
fn report(
    dev: &BondDev,
    slave: &SlaveDev,
    config: &Config,
    source: Source<'_>,
    rtnl: &Rtnl,
) -> bool {
    let Some(transition) = slave.data().port().pending else {
        return false;
    };
    super::slave::set_port(
        slave,
        Port {
            pending: None,
            ..slave.data().port()
        },
        rtnl,
    );
    let cause = slave.data().port().cause;
    history::note(dev, Some(slave), What::Link(transition, cause), rtnl);
    let settled = transition.settled();
    let is_up = |transition| transition == Transition::WentUp;
    if is_up(transition) || settled.is_some_and(is_up) {
        let holds_lock = source.holds_lock_of(slave.dev());
        // Nothing can be asked of what may be closed.
        if !(holds_lock && matches!(source, Source::Closed(_))) {
            read_link_settings(slave, holds_lock, rtnl);
        }
    }
    let port = slave.data().port();
    let role = match (config.mode.uses_primary(), slave.is_backup()) {
        (false, _) if config.is_probed() => Role::Probed,
        (false, _) => Role::Member,
        (true, false) => Role::Active,
        (true, true) => Role::Backup,
    };
    let mut any_final = false;
    for transition in [Some(transition), settled].into_iter().flatten() {
        let message = TransitionMessage {
            transition,
            role,
            speed: port.speed,
            duplex: port.duplex,
        };
        let is_final = matches!(transition, Transition::WentUp | Transition::WentDown);
        any_final |= is_final;
        if is_final || ratelimit() {
            netdev_info!(dev, "{}", Of(slave.dev(), message));
        }
    }
    // Where one slave is active, the roles follow from which it is. One that leaves stays inactive.
    if !config.mode.uses_primary() {
        let flags = SlaveFlags {
            inactive: slave.is_inactive(),
            ..SlaveFlags::of(config, false, port.link.state)
        };
        slave.set_role(rtnl, super::slave::role(flags));
    }
    tell(dev, slave, source, rtnl);
    any_final
}

/// Sets the carrier of the bond; tells of a change that came with that of a link, not of one that
/// somebody asked for by enslaving or releasing, nor of the one at the beginning of `downdelay`.
pub(super) fn set_carrier(dev: &BondDev, carrier: bool, by_links: bool, rtnl: &Rtnl) {
    if dev.carrier_ok() == carrier {
        return;
    }
    dev.set_carrier(rtnl, carrier);
    if by_links {
        if carrier {
            netdev_info!(dev, "active interface up!");
        } else {
            netdev_info!(dev, "now running without any active interface!");
        }
    }
}

/// Moves the traffic to another slave, or to none.
fn switch(
    dev: &BondDev,
    new: Option<&SlaveDev>,
    why: Why,
    early_ms: Option<Millis>,
    source: Source<'_>,
    rtnl: &Rtnl,
) {
    let bond = dev.data();
    let config = bond.config();
    let old = dev.slot(rtnl, Slot::Active);
    dev.set_slot(rtnl, Slot::Active, new);
    announce::after_change(dev, new.is_some(), rtnl);
    if !config.mode.uses_primary() {
        return;
    }
    history::note(dev, new, What::Active { why, early_ms }, rtnl);
    arp::give_all_time(dev, rtnl);

    // The new one first: it has traffic already, and must not drop what it receives.
    for (slave, is_active) in [(new, true), (old, false)] {
        if let Some(slave) = slave {
            let flags = SlaveFlags::of(&config, is_active, slave.data().port().link.state);
            set_role(dev, slave, flags, source, rtnl);
        }
    }
    if let Some(new) = new {
        match early_ms {
            Some(ms) => netdev_info!(
                dev,
                "{}",
                Of(
                    new.dev(),
                    format_args!("making interface the new active one {ms} ms earlier")
                )
            ),
            None => netdev_info!(
                dev,
                "{}",
                Of(new.dev(), "making interface the new active one")
            ),
        }
        if early_ms.is_some() {
            tell(dev, new, source, rtnl);
        }
    }
}

/// Whether what belongs to the traffic is where that is.
pub(super) fn is_settled(dev: &BondDev, rtnl: &Rtnl) -> bool {
    !dev.data().config().mode.uses_primary()
        || dev.settled(rtnl).map(Key) == dev.slot(rtnl, Slot::Active).map(Key)
}

/// Moves what belongs to the traffic to where it is now, and tells the neighbours.
///
/// Does nothing if that was done already, so that it may be called at any time under RTNL.
pub(super) fn settle(dev: &BondDev, source: Source<'_>, rtnl: &Rtnl) {
    if is_settled(dev, rtnl) {
        return;
    }
    let config = dev.data().config();
    let old = dev.settled(rtnl);
    let new = dev.slot(rtnl, Slot::Active);
    // These take the instance lock of the device that they change.
    let follows = config.fail_over_mac == FailOverMac::Follow;
    let takes_lock = dev.is_promisc() || dev.is_allmulti();
    let is_locked =
        |slave: Option<&SlaveDev>| slave.is_some_and(|slave| source.holds_lock_of(slave.dev()));
    // Which slaves swap their addresses is not known yet.
    let conflict = follows && !matches!(source, Source::Plain);
    if conflict || (takes_lock && (is_locked(old) || is_locked(new))) {
        monitor::kick(dev);
        return;
    }

    if let Some(old) = old {
        leave(dev, old, rtnl);
    }
    if let Some(new) = new {
        give_rx_flags(dev, new.dev(), rtnl);
        if dev.is_up() && !all_have_addrs(dev) {
            give_lists(dev, new, false, rtnl);
        }
    }
    dev.set_settled(rtnl, new);
    for slave in [old, new].into_iter().flatten() {
        arp::admit(dev, slave, rtnl);
    }

    if let Some(new) = new {
        link_type::partition_seen(dev, new.dev(), true, rtnl);
    }
    if config.mode == Mode::ActiveBackup && new.is_some() {
        address::fail_over(dev, new, rtnl);
        let _ = dev.announce(rtnl, Announce::BondingFailover);
        announce::step(dev, rtnl);
    }
}

/// Takes the bond's address lists and receive flags off a slave.
pub(super) fn leave(dev: &BondDev, slave: &SlaveDev, rtnl: &Rtnl) {
    take_rx_flags(dev, slave.dev(), dev.is_promisc(), dev.is_allmulti(), rtnl);
    if dev.is_up() && !all_have_addrs(dev) {
        slave.dev().unsync_addrs_from(rtnl, dev);
    }
}

/// Gives up the active slave without choosing another.
pub(super) fn deactivate(dev: &BondDev, rtnl: &Rtnl) {
    if dev.slot(rtnl, Slot::Active).is_some() {
        switch(dev, None, Why::Cleared, None, Source::Plain, rtnl);
        ipsec::active_changed(dev, rtnl);
    }
    settle(dev, Source::Plain, rtnl);
}
