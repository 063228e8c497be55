// SPDX-License-Identifier: GPL-2.0

//! The links of slaves: what their devices say, what the policy makes of that, and the roles that
//! follow.

use super::listeners::tell;
use super::master::{BondDev, SlaveDev};
use super::slave::Key;
use net::bonding::published::Role;
use net::ethtool::Answer;
use net::master::device::Slot;
use net::netdev_lock::{Askable, Held};
use net::netdevice::LinkSettings;
use net::rtnl::Rtnl;
use policy::mode::Protocol;
use policy::receive::SlaveFlags;
use policy::transmit;
use policy::{Config, Duplex, LinkState, Port};

/// Replaces what the policy knows about a slave, and publishes its link state.
pub(super) fn set_port(slave: &SlaveDev, port: Port, rtnl: &Rtnl) {
    slave.data().publish(port, rtnl);
    let state = port.link.state() as i8;
    if slave.link() != state {
        slave.data().heard.link_changed(port.link);
        slave.set_link(rtnl, state);
    }
}

/// Returns the published state of a slave's link. For every packet.
#[inline(always)]
pub(super) fn link_state(slave: &SlaveDev) -> LinkState {
    match slave.link() {
        0 => LinkState::Up,
        1 => LinkState::Fail,
        3 => LinkState::Back,
        _ => LinkState::Down,
    }
}

/// Whether a slave has carrier, and its link counts as up. Any context.
pub(super) fn is_up(slave: &SlaveDev) -> bool {
    slave.dev().has_link() && link_state(slave) == LinkState::Up
}

/// Whether a slave can be chosen. Any context.
pub(super) fn can_send(slave: &SlaveDev) -> bool {
    transmit::can_send(slave.dev().has_link(), link_state(slave), slave.is_backup())
}

/// Reads the carrier of a device that is, or becomes, a slave. May send link events of the device.
///
/// `known` is what the driver said last, which counts while the driver cannot be asked.
pub(super) fn carrier(slave_dev: &Askable<'_>, config: &Config, known: bool) -> bool {
    if config.reads_carrier() {
        return slave_dev.dev().has_link();
    }
    slave_dev.dev().is_running()
        && match slave_dev.driver_link() {
            Answer::Told(link) => link,
            Answer::NotNow => known,
            Answer::Never => true,
        }
}

/// Asks a slave's driver for speed and duplex. `slave_dev` is the slave's.
pub(super) fn read_link_settings(slave: &SlaveDev, slave_dev: &Askable<'_>, rtnl: &Rtnl) {
    let unknown = LinkSettings {
        speed: u32::MAX,
        duplex: u8::MAX,
    };
    let settings = match slave_dev.link_settings() {
        Answer::Told(settings) => settings,
        Answer::Never => unknown,
        // What the driver said last counts.
        Answer::NotNow => return,
    };
    let duplex = match settings.duplex {
        0 => Duplex::Half,
        1 => Duplex::Full,
        _ => Duplex::Unknown,
    };
    let known = settings.speed != 0 && settings.speed != u32::MAX && duplex != Duplex::Unknown;
    let port = Port {
        speed: known.then_some(settings.speed),
        duplex: if known { duplex } else { Duplex::Unknown },
        ..slave.data().port(rtnl)
    };
    set_port(slave, port, rtnl);
}

/// What these flags tell other kernel code about a slave.
pub(super) fn role(flags: SlaveFlags) -> Role {
    Role {
        backup: flags.backup,
        inactive: flags.inactive,
    }
}

/// Sets the current role of a slave, and tells listeners if it has changed.
pub(super) fn set_role(bond: &BondDev, slave: &SlaveDev, flags: SlaveFlags, held: &Held<'_>) {
    let was_backup = slave.is_backup();
    slave.set_role(role(flags));
    if was_backup != flags.backup {
        tell(bond, slave, held);
    }
}

/// Sets the current roles of all slaves of a bond, unless a protocol does that.
pub(super) fn set_roles(bond: &BondDev, held: &Held<'_>) {
    let config = bond.data().config(held);
    match config.mode.row().protocol {
        Protocol::None => {}
        Protocol::Lacp => return,
    }
    let active = [Slot::Active, Slot::Tried].map(|slot| bond.slot(held, slot).map(Key));
    for slave in bond.lowers(held) {
        let is_active = active.contains(&Some(Key(slave)));
        let link = slave.data().port(held).link.state();
        set_role(bond, slave, SlaveFlags::of(&config, is_active, link), held);
    }
}
