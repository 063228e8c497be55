// SPDX-License-Identifier: GPL-2.0

//! Events of the devices of slaves, and of bonds themselves.

use super::links::{carrier, read_link_settings};
use super::master::{Bond, BondDev, SlaveDev};
use super::message::{bond_info, NameOf};
use super::slave::Key;
use super::wake::Task;
use super::{address, choose, clients, engine, features, lacp, link_type};
use super::{mtu, notify, probe, release, xdp};
use kernel::error::Result;
use net::master::device::Dev;
use net::master::device::Slot;
use net::netdev_lock::Held;
use net::netdevice::NetDevice;
use net::netlink::ExtAck;
use net::notifier::{self, Announce, Listener};
use net::rtnl::Rtnl;
use policy::Event;

/// Listens to the events of all devices.
pub(crate) struct Events;

impl Listener for Events {
    fn event(
        device: &NetDevice,
        event: notifier::Event,
        extack: Option<&ExtAck>,
        held: &Held<'_>,
    ) -> Result {
        let rtnl: &Rtnl = held;
        if !device.is_bonding() {
            return Ok(());
        }
        if let Some(bond) = Dev::<Bond>::from_netdev(device) {
            match event {
                // The carrier of the bond came back: announcements that wait for it can be sent.
                notifier::Event::Change => notify::step(bond, rtnl),
                // The address of the bond is the system's.
                notifier::Event::ChangeAddr => lacp::refresh(bond, rtnl),
                _ => {}
            }
        }
        if !device.is_slave() {
            return Ok(());
        }
        let Some(bond) = device.master(rtnl).and_then(Dev::<Bond>::from_netdev) else {
            return Ok(());
        };
        match bond.lower_of(rtnl, device) {
            Some(slave) if event == notifier::Event::PreTypeChange => {
                link_type::keep_type(bond, slave.dev(), extack, rtnl)
            }
            Some(slave) => {
                slave_event(bond, slave, event, held);
                Ok(())
            }
            None => Ok(()),
        }
    }
}

fn slave_event(bond: &BondDev, slave: &SlaveDev, event: notifier::Event, held: &Held<'_>) {
    use notifier::Event::*;
    let rtnl: &Rtnl = held;
    match event {
        // No instance lock is held.
        Unregister => held
            .rtnl_only()
            .into_iter()
            .for_each(|rtnl| release::release_unregistered(bond, slave, rtnl)),
        Up | Change | Down => link_event(bond, slave, event, held),
        ChangeName => {
            clients::rename(bond, rtnl);
            renamed(bond, slave, held);
        }
        FeatChange => features::update(bond, rtnl),
        ChangeAddr => {
            address::slave_changed(bond, slave, rtnl);
            // Clients are not told an address that a slave has for a moment only.
            if !bond.data().changing_addrs.is(rtnl) {
                clients::refresh(bond, rtnl);
            }
        }
        ChangeMtu => match held.rtnl_only() {
            Some(rtnl) => mtu::follow(bond, rtnl),
            None => Bond::wake(bond, Task::Mtu),
        },
        ResendIgmp => {
            let _ = bond.announce(rtnl, Announce::RESEND_IGMP);
        }
        XdpFeatChange => xdp::update_features(bond, rtnl),
        Register | PreTypeChange => {}
    }
}

/// The device of a slave was opened or closed, or its carrier may have changed.
fn link_event(bond: &BondDev, slave: &SlaveDev, event: notifier::Event, held: &Held<'_>) {
    let rtnl: &Rtnl = held;
    // The driver of a closed device cannot be asked.
    let device = held
        .ask(slave.dev())
        .filter(|_| event != notifier::Event::Down);
    if let Some(device) = &device {
        read_link_settings(slave, device, rtnl);
    }
    if bond.is_running() && bond.data().options.link_events() {
        let config = bond.data().config(rtnl);
        let known = match event {
            // What was known is that the device was closed.
            notifier::Event::Up => slave.dev().has_link(),
            _ => slave.data().port(rtnl).carrier,
        };
        let up = match &device {
            Some(device) => carrier(device, &config, known),
            None => slave.dev().has_link(),
        };
        let key = Key(slave);
        engine::handle(bond, Event::Carrier { key, up }, held);
        if up && config.is_probed() {
            probe::hurry(bond);
        }
    }
    lacp::refresh(bond, rtnl);
    choose::update(bond, None, rtnl);
    if slave.dev().has_link() {
        let active = bond.slot(rtnl, Slot::Active).map(Key);
        let is_active = active == Some(Key(slave));
        link_type::partition_seen(bond, slave.dev(), is_active, rtnl);
        // In another partition, the groups of the targets are different ones.
        probe::admit(bond, slave, rtnl);
    }
}

/// A slave was renamed: it may be the primary now, or may no longer be the primary.
fn renamed(bond: &BondDev, slave: &SlaveDev, held: &Held<'_>) {
    let rtnl: &Rtnl = held;
    let config = bond.data().config(rtnl);
    let Some(primary) = config.primary.filter(|_| config.mode.uses_primary()) else {
        return;
    };
    let was = bond.slot(rtnl, Slot::Primary);
    if was.map(Key) == Some(Key(slave)) {
        bond.set_slot(rtnl, Slot::Primary, None);
        bond_info!(
            bond,
            "Primary slave changed to none, reselecting active slave"
        );
    } else if primary.as_bytes() == slave.dev().name().as_bytes() {
        bond.set_slot(rtnl, Slot::Primary, Some(slave));
        bond_info!(
            bond,
            "Primary slave changed to {}, reselecting active slave",
            NameOf(slave.dev())
        );
    } else {
        return;
    }
    engine::handle(bond, Event::PrimaryRenamed, held);
}
