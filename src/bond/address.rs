// SPDX-License-Identifier: GPL-2.0

//! Who has which hardware address.

use super::message::Of;
use super::slave::Key;
use super::{BondDev, SlaveDev};
use kernel::prelude::*;
use net::errno::{eaddrnotavail, eopnotsupp};
use net::netdev_err;
use net::netdevice::{NetDevice, ARPHRD_ETHER};
use net::rtnl::Rtnl;
use policy::address::{self, AtFailover, HwAddr};

/// Returns the hardware address of a device.
pub(super) fn addr_of(dev: &NetDevice, rtnl: &Rtnl) -> HwAddr {
    HwAddr::new(&dev.addr(rtnl)).unwrap_or(HwAddr::EMPTY)
}

/// Sets the address of the bond and of its slaves, or of none (`ndo_set_mac_address`).
pub(super) fn set_addr(dev: &BondDev, addr: &[u8], rtnl: &Rtnl) -> Result {
    if dev.link_type() != ARPHRD_ETHER {
        netdev_err!(
            dev,
            "Cannot set the hardware address: it is that of the active slave, because its slaves \
             cannot change theirs"
        );
        return Err(eopnotsupp());
    }
    if !address::sets_slaves(&dev.data().config()) {
        return Ok(());
    }
    if !is_valid_ether(addr) {
        return Err(eaddrnotavail());
    }
    let before = addr_of(dev, rtnl);
    for slave in dev.lowers(rtnl) {
        if let Err(err) = slave.dev().set_addr(rtnl, addr, None) {
            for done in dev.lowers(rtnl).take_while(|done| Key(done) != Key(slave)) {
                restore(dev, done.dev(), &before, rtnl);
            }
            return Err(err);
        }
    }
    dev.assign_addr(rtnl, addr);
    Ok(())
}

/// Gives the bond the address of another device (`SIOCBONDSETHWADDR`, or its first slave).
pub(crate) fn steal_addr(dev: &BondDev, from: &NetDevice, rtnl: &Rtnl) -> Result {
    let addr = addr_of(from, rtnl);
    if addr.as_bytes().len() != addr_of(dev, rtnl).as_bytes().len() {
        netdev_err!(
            dev,
            "{}",
            Of(
                from,
                "its hardware address is of another length than that of the bond; take another device"
            )
        );
        return Err(EINVAL);
    }
    dev.steal_addr(rtnl, addr.as_bytes())
}

/// Sets an address that the device had before; says so if that fails.
pub(super) fn restore(dev: &BondDev, device: &NetDevice, addr: &HwAddr, rtnl: &Rtnl) {
    if let Err(err) = device.set_addr(rtnl, addr.as_bytes(), None) {
        netdev_err!(
            dev,
            "{}",
            Of(
                device,
                format_args!(
                    "Error {} setting its address back to {addr}",
                    err.to_errno()
                )
            )
        );
    }
}

/// Does to the addresses what `fail_over_mac` asks for after the active slave changed.
pub(super) fn fail_over(dev: &BondDev, new: Option<&SlaveDev>, rtnl: &Rtnl) {
    let with_addr = |slave: &'_ SlaveDev| addr_of(slave.dev(), rtnl);
    let config = dev.data().config();
    let action = address::at_failover(
        &config,
        new.map(|slave| (Key(slave), with_addr(slave))),
        addr_of(dev, rtnl),
        dev.lowers(rtnl).map(|slave| (Key(slave), with_addr(slave))),
    );
    let Some(new) = new else { return };
    match action {
        AtFailover::Nothing => {}
        AtFailover::BondTakes(addr) => {
            if let Err(err) = dev.steal_addr(rtnl, addr.as_bytes()) {
                say(dev, new.dev(), err, "setting bond MAC from slave");
            }
        }
        AtFailover::NewTakes(addr) => {
            if let Err(err) = new.dev().set_addr(rtnl, addr.as_bytes(), None) {
                say(dev, new.dev(), err, "setting MAC of new active slave");
            }
        }
        AtFailover::Swap {
            new: theirs,
            other,
            old: ours,
        } => {
            if let Err(err) = new.dev().set_addr(rtnl, theirs.as_bytes(), None) {
                say(dev, new.dev(), err, "setting MAC of new active slave");
            } else if let Err(err) = other.0.dev().set_addr(rtnl, ours.as_bytes(), None) {
                say(dev, other.0.dev(), err, "setting MAC of old active slave");
            }
        }
    }
}

fn say(dev: &BondDev, slave: &NetDevice, err: Error, what: &str) {
    let errno = err.to_errno().unsigned_abs();
    netdev_err!(dev, "{}", Of(slave, format_args!("Error {errno} {what}")));
}

/// Returns whether a device may have this Ethernet address (`is_valid_ether_addr()`).
fn is_valid_ether(addr: &[u8]) -> bool {
    matches!(addr, [first, ..] if first & 1 == 0) && addr.iter().any(|byte| *byte != 0)
}
