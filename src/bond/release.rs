// SPDX-License-Identifier: GPL-2.0

//! How a slave leaves.

use super::links::set_role;
use super::master::{BondDev, SlaveDev};
use super::message::{bond_info, slave_err, slave_info, slave_warn};
use super::slave::{Departure, Key};
use super::{address, choose, clients, engine, features, lacp};
use super::{link_type, lists, mtu, probe, stats, xdp};
use kernel::prelude::*;
use net::netdev_features::Features;
use net::netdev_lock::Held;
use net::netdevice::{NetDevice, ARPHRD_ETHER};
use net::notifier::Announce;
use net::rtnl::RtnlOnly;
use policy::address::Claim;
use policy::history::What;
use policy::receive::SlaveFlags;
use policy::{Config, Event};

/// Releases a slave. May sleep.
pub(crate) fn release(bond: &BondDev, slave_dev: &NetDevice, rtnl: &RtnlOnly) -> Result {
    let Some(slave) = bond.lower_of(rtnl, slave_dev) else {
        slave_err!(
            bond,
            slave_dev,
            "cannot release: it is not a slave of this bond"
        );
        return Err(EINVAL);
    };
    leave(bond, slave, Departure::Asked, rtnl);
    Ok(())
}

/// Releases a slave whose device goes away.
pub(super) fn release_unregistered(bond: &BondDev, slave: &SlaveDev, rtnl: &RtnlOnly) {
    leave(bond, slave, Departure::Unregistered, rtnl);
}

/// Releases all slaves of a bond that goes away.
pub(super) fn release_all(bond: &BondDev, rtnl: &RtnlOnly) {
    engine::deactivate(bond, rtnl);
    while let Some(slave) = bond.lowers(rtnl).next() {
        leave(bond, slave, Departure::BondGoes, rtnl);
    }
    bond_info!(bond, "Released all slaves");
}

fn leave(bond: &BondDev, slave: &SlaveDev, why: Departure, rtnl: &RtnlOnly) {
    let slave_dev = slave.dev();
    let config = bond.data().config(rtnl);
    let was_backup = slave.is_backup();
    if why == Departure::Asked {
        lacp::drain(bond, slave, rtnl);
    }
    lacp::leave(bond, slave, rtnl);
    let was_challenged = bond.features().has(Features::VLAN_CHALLENGED);
    // The events below may change these, but not what this slave was given.
    let (promisc, allmulti, up) = (bond.is_promisc(), bond.is_allmulti(), bond.is_up());

    set_role(
        bond,
        slave,
        SlaveFlags {
            backup: true,
            inactive: true,
        },
        &Held::none(rtnl),
    );
    bond.data().history.note(bond, Some(slave_dev), What::Left);
    let claim = address::claim(bond, why, slave_dev, rtnl);
    slave.data().takes_addr.set(rtnl, claim == Claim::Borrowed);
    let role = if was_backup { "backup" } else { "active" };
    slave_info!(bond, slave_dev, "Releasing {role} interface");

    // The others share its flows as if it had never been there.
    slave.data().set_has_share(false);
    // Traffic moves elsewhere before the wait for packets that are on their way.
    if why != Departure::BondGoes {
        let held = Held::none(rtnl);
        engine::handle(bond, Event::Released { key: Key(slave) }, &held);
        engine::settle(bond, &held);
    }
    choose::update(bond, Some(slave), rtnl);
    clients::leave(bond, slave, rtnl);
    probe::dismiss(slave, rtnl);
    stats::keep(bond, slave);
    xdp::leave(bond, slave_dev, rtnl);
    let before = Before {
        config,
        claim,
        was_challenged,
        promisc,
        allmulti,
        up,
    };
    slave.unlink(rtnl, || go_alone(bond, slave, why, before, rtnl));
}

/// The state of a bond when a slave began to leave.
struct Before {
    config: Config,
    claim: Claim,
    was_challenged: bool,
    promisc: bool,
    allmulti: bool,
    up: bool,
}

/// Undoes what a bond and a slave have given each other, once nobody can find the slave any more.
fn go_alone(bond: &BondDev, slave: &SlaveDev, why: Departure, before: Before, rtnl: &RtnlOnly) {
    let Before {
        config,
        claim,
        was_challenged,
        promisc,
        allmulti,
        up,
    } = before;
    let slave_dev = slave.dev();
    let is_ethernet = bond.link_type() == ARPHRD_ETHER;
    let addresses = address::at_release(bond, slave, claim, rtnl);
    if why != Departure::BondGoes && addresses.conflict {
        slave_warn!(
            bond,
            slave_dev,
            "the permanent HWaddr of slave - {} - is still in use by bond - set the HWaddr \
                     of slave to a different address to avoid conflicts",
            slave.data().perm_addr()
        );
    }
    engine::update_carrier(bond, rtnl);
    features::slaves_changed(bond, rtnl);
    if is_ethernet && was_challenged && !bond.features().has(Features::VLAN_CHALLENGED) {
        slave_info!(
            bond,
            slave_dev,
            "last VLAN challenged slave left bond - VLAN blocking is removed"
        );
    }
    slave_dev.del_vlans_of(rtnl, bond);

    if !config.mode.uses_primary() {
        lists::take_rx_flags(bond, slave_dev, promisc, allmulti, rtnl);
    }
    if up && lists::all_have_addrs(bond) {
        slave_dev.unsync_addrs_from(rtnl, bond);
    }
    if addresses.randomize_bond {
        be_without_slaves(bond, why, rtnl);
    }

    slave_dev.close(rtnl);
    slave_dev.set_no_addrconf(rtnl, false);
    address::release(bond, &addresses.plan, rtnl);
    let original = slave.data().original_mtu;
    if why == Departure::Asked {
        mtu::put_back(bond, slave_dev, original, rtnl);
    } else {
        slave_dev.restore_mtu(rtnl, original);
    }
}

/// Turns a bond whose last slave has left into Ethernet, with an address of its own. But if the
/// bond was something else and the slave's device disappeared, the bond stays as it is and waits
/// for the device to come back.
fn be_without_slaves(bond: &BondDev, why: Departure, rtnl: &RtnlOnly) {
    let is_other = bond.link_type() != ARPHRD_ETHER;
    let stays = match why {
        Departure::Asked if is_other => link_type::become_ethernet(bond, rtnl).is_err(),
        _ => is_other,
    };
    if !stays {
        if !is_other {
            bond.randomize_addr(rtnl);
        }
        let _ = bond.announce(rtnl, Announce::CHANGE_ADDR);
    }
    let _ = bond.announce(rtnl, Announce::RELEASE);
}
