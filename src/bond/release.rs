// SPDX-License-Identifier: GPL-2.0

//! How a slave leaves.

use super::address::{addr_of, restore};
use super::device::{keep_stats, take_rx_flags};
use super::failover::{self, Source};
use super::message::Of;
use super::slave::{set_role, Key};
use super::{arp, monitor, BondDev, SlaveDev};
use kernel::prelude::*;
use net::netdev_features::Features;
use net::netdevice::NetDevice;
use net::notifier::Announce;
use net::rtnl::Rtnl;
use net::{netdev_err, netdev_info, netdev_warn};
use policy::address;
use policy::receive::SlaveFlags;
use policy::Event;

/// Why a slave leaves.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Why {
    /// Somebody wants it to.
    Asked,
    /// Its device goes away.
    Unregistered,
    /// The bond goes away.
    BondGoes,
}

/// Releases a slave. May sleep.
pub(crate) fn release(dev: &BondDev, device: &NetDevice, rtnl: &Rtnl) -> Result {
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
pub(super) fn release_unregistered(dev: &BondDev, slave: &SlaveDev, rtnl: &Rtnl) {
    leave(dev, slave, Why::Unregistered, rtnl);
}

/// Releases all slaves of a bond that goes away.
pub(super) fn release_all(dev: &BondDev, rtnl: &Rtnl) {
    failover::deactivate(dev, rtnl);
    while let Some(slave) = dev.lowers(rtnl).next() {
        leave(dev, slave, Why::BondGoes, rtnl);
    }
    netdev_info!(dev, "Released all slaves");
}

fn leave(dev: &BondDev, slave: &SlaveDev, why: Why, rtnl: &Rtnl) {
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
            backup: config.mode.uses_primary(),
            inactive: true,
        },
        rtnl,
    );
    let role = if was_backup { "backup" } else { "active" };
    netdev_info!(
        dev,
        "{}",
        Of(device, format_args!("Releasing {role} interface"))
    );

    // Traffic goes elsewhere before the wait for those packets that are on their way.
    if why != Why::BondGoes {
        failover::handle(
            dev,
            Event::Released { key: Key(slave) },
            Source::PLAIN,
            rtnl,
        );
        failover::settle(dev, Source::PLAIN, rtnl);
    }
    arp::dismiss(slave, rtnl);
    keep_stats(dev, slave);
    slave.unlink(rtnl);

    let is_last = dev.lowers(rtnl).next().is_none();
    let addresses = address::at_release(
        &config,
        *slave.data().perm_addr(),
        addr_of(dev, rtnl),
        is_last,
    );
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
    if addresses.randomize_bond {
        dev.randomize_addr(rtnl);
        let _ = dev.announce(rtnl, Announce::ChangeAddr);
        let _ = dev.announce(rtnl, Announce::Release);
    }
    monitor::update_features(dev, rtnl);
    if was_challenged && !dev.features().has(Features::VLAN_CHALLENGED) {
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
        if up {
            device.unsync_addrs_from(rtnl, dev);
        }
    }

    device.close(rtnl);
    device.set_no_addrconf(rtnl, false);
    if addresses.restore {
        restore(dev, device, slave.data().perm_addr(), rtnl);
    }
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
    if !device.is_bond_master() {
        device.set_bonding(rtnl, false);
    }
}
