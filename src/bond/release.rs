// SPDX-License-Identifier: GPL-2.0

//! How a slave leaves.

use super::device::{all_have_addrs, keep_stats, take_rx_flags};
use super::failover;
use super::message::{netdev_err, netdev_info, netdev_warn, Of};
use super::slave::{set_role, Key};
use super::{address, arp, history, link_type, monitor, transmit, xdp, BondDev, SlaveDev};
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

/// Why a slave leaves.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Why {
    /// Somebody wants it to.
    Asked,
    /// Its device goes away.
    Unregistered,
    /// The bond goes away.
    BondGoes,
}

/// Releases a slave. May sleep.
pub(crate) fn release(dev: &BondDev, device: &NetDevice, rtnl: &RtnlOnly) -> Result {
    let Some(slave) = dev.lower_of(rtnl, device) else {
        netdev_err!(
            dev,
            "{}",
            Of(device, "cannot release: it is not a slave of this bond")
        );
        return Err(EINVAL);
    };
    leave(dev, slave, Why::Asked, rtnl);
    Ok(())
}

/// Releases a slave whose device goes away.
pub(super) fn release_unregistered(dev: &BondDev, slave: &SlaveDev, rtnl: &RtnlOnly) {
    leave(dev, slave, Why::Unregistered, rtnl);
}

/// Releases all slaves of a bond that goes away.
pub(super) fn release_all(dev: &BondDev, rtnl: &RtnlOnly) {
    failover::deactivate(dev, rtnl);
    while let Some(slave) = dev.lowers(rtnl).next() {
        leave(dev, slave, Why::BondGoes, rtnl);
    }
    netdev_info!(dev, "Released all slaves");
}

fn leave(dev: &BondDev, slave: &SlaveDev, why: Why, rtnl: &RtnlOnly) {
    let device = slave.dev();
    let config = dev.data().config();
    let was_backup = slave.is_backup();
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
    history::note(dev, Some(slave), What::Left, rtnl);
    let claim = address::claim(dev, why, device, rtnl);
    slave.data().takes_addr.set(rtnl, claim == Claim::Borrowed);
    let role = if was_backup { "backup" } else { "active" };
    netdev_info!(
        dev,
        "{}",
        Of(device, format_args!("Releasing {role} interface"))
    );

    // Traffic goes elsewhere before the wait for those packets that are on their way.
    if why != Why::BondGoes {
        let held = Held::none(rtnl);
        failover::handle(dev, Event::Released { key: Key(slave) }, &held);
        failover::settle(dev, &held);
    }
    transmit::links_changed(dev, Some(slave), rtnl);
    arp::dismiss(slave, rtnl);
    keep_stats(dev, slave);
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

/// What a bond was when a slave began to leave.
struct Before {
    config: Config,
    claim: Claim,
    was_challenged: bool,
    promisc: bool,
    allmulti: bool,
    up: bool,
}

/// Takes from each other what a bond and a slave have had of each other, when nobody finds the slave any more.
fn go_alone(dev: &BondDev, slave: &SlaveDev, why: Why, before: Before, rtnl: &RtnlOnly) {
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
    if why != Why::BondGoes && addresses.conflict {
        netdev_warn!(
            dev,
            "{}",
            Of(
                device,
                format_args!(
                    "the permanent HWaddr of slave - {} - is still in use by bond - set the HWaddr \
                     of slave to a different address to avoid conflicts",
                    slave.data().perm_addr()
                )
            )
        );
    }
    let up_links = dev.lowers(rtnl).map(|slave| slave.data().port().link.state);
    failover::set_carrier(dev, policy::select::carrier(up_links), false, rtnl);
    monitor::update_features(dev, rtnl);
    xdp::update_features(dev, rtnl);
    if is_ethernet && was_challenged && !dev.features().has(Features::VLAN_CHALLENGED) {
        netdev_info!(
            dev,
            "{}",
            Of(
                device,
                "last VLAN challenged slave left bond - VLAN blocking is removed"
            )
        );
    }
    device.del_vlans_of(rtnl, dev);

    if !config.mode.uses_primary() {
        take_rx_flags(dev, device, promisc, allmulti, rtnl);
    }
    if up && all_have_addrs(dev) {
        device.unsync_addrs_from(rtnl, dev);
    }
    if addresses.randomize_bond {
        be_without_slaves(dev, why, rtnl);
    }

    device.close(rtnl);
    device.set_no_addrconf(rtnl, false);
    address::release(dev, &addresses.plan, rtnl);
    let mtu = slave.data().original_mtu;
    if why == Why::Asked {
        if device.set_mtu(rtnl, mtu).is_err() {
            netdev_warn!(
                dev,
                "{}",
                Of(device, format_args!("cannot set its MTU back to {mtu}"))
            );
        }
    } else {
        device.restore_mtu(rtnl, mtu);
    }
}

/// What the bond is when its last slave has left: Ethernet with an address of its own. But if it was
/// something else and the slave's device disappeared, it waits for that to come back, as it is.
fn be_without_slaves(dev: &BondDev, why: Why, rtnl: &RtnlOnly) {
    let is_other = dev.link_type() != ARPHRD_ETHER;
    let stays = match why {
        Why::Asked if is_other => link_type::become_ethernet(dev, rtnl).is_err(),
        _ => is_other,
    };
    if !stays {
        if !is_other {
            dev.randomize_addr(rtnl);
        }
        let _ = dev.announce(rtnl, Announce::ChangeAddr);
    }
    let _ = dev.announce(rtnl, Announce::Release);
}
