// SPDX-License-Identifier: GPL-2.0

//! How a slave leaves.

use super::links::set_role;
use super::master::{BondDev, SlaveDev};
use super::message::{bond_info, slave_err, slave_info, slave_warn};
use super::slave::{Departure, Key};
use super::{address, choose, engine, features, lacp};
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
pub(crate) fn release(dev: &BondDev, device: &NetDevice, rtnl: &RtnlOnly) -> Result {
    let Some(slave) = dev.lower_of(rtnl, device) else {
        slave_err!(
            dev,
            device,
            "cannot release: it is not a slave of this bond"
        );
        return Err(EINVAL);
    };
    leave(dev, slave, Departure::Asked, rtnl);
    Ok(())
}

/// Releases a slave whose device goes away.
pub(super) fn release_unregistered(dev: &BondDev, slave: &SlaveDev, rtnl: &RtnlOnly) {
    leave(dev, slave, Departure::Unregistered, rtnl);
}

/// Releases all slaves of a bond that goes away.
pub(super) fn release_all(dev: &BondDev, rtnl: &RtnlOnly) {
    engine::deactivate(dev, rtnl);
    while let Some(slave) = dev.lowers(rtnl).next() {
        leave(dev, slave, Departure::BondGoes, rtnl);
    }
    bond_info!(dev, "Released all slaves");
}

fn leave(dev: &BondDev, slave: &SlaveDev, why: Departure, rtnl: &RtnlOnly) {
    let device = slave.dev();
    let config = dev.data().config(rtnl);
    let was_backup = slave.is_backup();
    if why == Departure::Asked {
        lacp::drain(dev, slave, rtnl);
    }
    lacp::leave(dev, slave, rtnl);
    let was_challenged = dev.features().has(Features::VLAN_CHALLENGED);
    // The events below may change these, but not what this slave was given.
    let (promisc, allmulti, up) = (dev.is_promisc(), dev.is_allmulti(), dev.is_up());

    set_role(
        dev,
        slave,
        SlaveFlags {
            backup: true,
            inactive: true,
        },
        &Held::none(rtnl),
    );
    dev.data().history.note(dev, Some(device), What::Left);
    let claim = address::claim(dev, why, device, rtnl);
    slave.data().takes_addr.set(rtnl, claim == Claim::Borrowed);
    let role = if was_backup { "backup" } else { "active" };
    slave_info!(dev, device, "Releasing {role} interface");

    // The others share its flows as if it had never been there.
    slave.data().set_has_share(false);
    // Traffic moves elsewhere before the wait for packets that are on their way.
    if why != Departure::BondGoes {
        let held = Held::none(rtnl);
        engine::handle(dev, Event::Released { key: Key(slave) }, &held);
        engine::settle(dev, &held);
    }
    choose::update(dev, Some(slave), rtnl);
    probe::dismiss(slave, rtnl);
    stats::keep(dev, slave);
    xdp::leave(dev, device, rtnl);
    let before = Before {
        config,
        claim,
        was_challenged,
        promisc,
        allmulti,
        up,
    };
    slave.unlink(rtnl, || go_alone(dev, slave, why, before, rtnl));
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
fn go_alone(dev: &BondDev, slave: &SlaveDev, why: Departure, before: Before, rtnl: &RtnlOnly) {
    let Before {
        config,
        claim,
        was_challenged,
        promisc,
        allmulti,
        up,
    } = before;
    let device = slave.dev();
    let is_ethernet = dev.link_type() == ARPHRD_ETHER;
    let addresses = address::at_release(dev, slave, claim, rtnl);
    if why != Departure::BondGoes && addresses.conflict {
        slave_warn!(
            dev,
            device,
            "the permanent HWaddr of slave - {} - is still in use by bond - set the HWaddr \
                     of slave to a different address to avoid conflicts",
            slave.data().perm_addr()
        );
    }
    engine::update_carrier(dev, rtnl);
    features::slaves_changed(dev, rtnl);
    if is_ethernet && was_challenged && !dev.features().has(Features::VLAN_CHALLENGED) {
        slave_info!(
            dev,
            device,
            "last VLAN challenged slave left bond - VLAN blocking is removed"
        );
    }
    device.del_vlans_of(rtnl, dev);

    if !config.mode.uses_primary() {
        lists::take_rx_flags(dev, device, promisc, allmulti, rtnl);
    }
    if up && lists::all_have_addrs(dev) {
        device.unsync_addrs_from(rtnl, dev);
    }
    if addresses.randomize_bond {
        be_without_slaves(dev, why, rtnl);
    }

    device.close(rtnl);
    device.set_no_addrconf(rtnl, false);
    address::release(dev, &addresses.plan, rtnl);
    let original = slave.data().original_mtu;
    if why == Departure::Asked {
        mtu::put_back(dev, device, original, rtnl);
    } else {
        device.restore_mtu(rtnl, original);
    }
}

/// Turns a bond whose last slave has left into Ethernet, with an address of its own. But if the
/// bond was something else and the slave's device disappeared, the bond stays as it is and waits
/// for the device to come back.
fn be_without_slaves(dev: &BondDev, why: Departure, rtnl: &RtnlOnly) {
    let is_other = dev.link_type() != ARPHRD_ETHER;
    let stays = match why {
        Departure::Asked if is_other => link_type::become_ethernet(dev, rtnl).is_err(),
        _ => is_other,
    };
    if !stays {
        if !is_other {
            dev.randomize_addr(rtnl);
        }
        let _ = dev.announce(rtnl, Announce::CHANGE_ADDR);
    }
    let _ = dev.announce(rtnl, Announce::RELEASE);
}
