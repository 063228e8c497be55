// SPDX-License-Identifier: GPL-2.0

//! XDP programs of a bond: all slaves run them.

use super::master::{BondDev, SlaveDev};
use super::message::{bond_err, slave_err, slave_warn};
use core::ffi::CStr;
use kernel::prelude::*;
use net::errno::eopnotsupp;
use net::netdevice::NetDevice;
use net::netlink::ExtAck;
use net::rtnl::{Rtnl, RtnlOnly};
use net::xdp::{Program, XdpFeatures};

/// Has all slaves run a program, or no program; if that fails, nothing changes.
pub(super) fn set(
    dev: &BondDev,
    program: Option<&Program>,
    extack: Option<&ExtAck>,
    rtnl: &RtnlOnly,
) -> Result {
    if !dev.data().config(rtnl).allows_xdp() {
        let msg = c"No native XDP support for the current bonding mode";
        return Err(refuse(dev, None, extack, msg));
    }
    for slave in dev.lowers(rtnl) {
        if let Some(msg) = objection(slave.dev(), rtnl) {
            return Err(refuse(dev, Some(slave.dev()), extack, msg));
        }
    }
    let before = dev.xdp_program(rtnl);
    let run = |slave: &SlaveDev| {
        slave
            .dev()
            .run_xdp(rtnl, program, extack)
            .inspect_err(|_| slave_err!(dev, slave.dev(), "its driver refuses the XDP program"))
    };
    let put_back = |slave: &SlaveDev| {
        if slave.dev().run_xdp(rtnl, before.as_ref(), None).is_err() {
            slave_warn!(
                dev,
                slave.dev(),
                "cannot have the XDP program back that it had"
            );
        }
    };
    dev.all_or_none(rtnl, run, put_back)
}

/// Why a device cannot run the program of a bond.
fn objection(device: &NetDevice, rtnl: &Rtnl) -> Option<&'static CStr> {
    if !device.can_run_xdp() {
        Some(c"Slave device does not support XDP")
    } else if device.has_own_xdp(rtnl) {
        Some(c"Slave has XDP program loaded, please unload before enslaving")
    } else {
        None
    }
}

fn refuse(
    dev: &BondDev,
    device: Option<&NetDevice>,
    extack: Option<&ExtAck>,
    msg: &'static CStr,
) -> Error {
    let text = msg.to_str().unwrap_or("No XDP");
    match (extack, device) {
        (Some(extack), _) => extack.set_msg(msg),
        (None, Some(device)) => {
            slave_err!(dev, device, "Error: {text}");
        }
        (None, None) => bond_err!(dev, "Error: {text}"),
    }
    eopnotsupp()
}

/// Checks whether a device that joins can run the bond's program, as far as this is known
/// beforehand.
pub(super) fn check(
    dev: &BondDev,
    device: &NetDevice,
    extack: Option<&ExtAck>,
    rtnl: &Rtnl,
) -> Result {
    match objection(device, rtnl).filter(|_| dev.has_xdp_program(rtnl)) {
        Some(msg) => Err(refuse(dev, Some(device), extack, msg)),
        None => Ok(()),
    }
}

/// Has a device that joins run the bond's program.
pub(super) fn join(
    dev: &BondDev,
    device: &NetDevice,
    extack: Option<&ExtAck>,
    rtnl: &RtnlOnly,
) -> Result {
    let Some(program) = dev.xdp_program(rtnl) else {
        return Ok(());
    };
    device
        .run_xdp(rtnl, Some(&program), extack)
        .inspect_err(|_| {
            slave_err!(dev, device, "its driver refuses the XDP program");
        })
}

/// Undoes [`join`].
pub(super) fn leave(dev: &BondDev, device: &NetDevice, rtnl: &RtnlOnly) {
    if dev.xdp_program(rtnl).is_some() && device.run_xdp(rtnl, None, None).is_err() {
        slave_warn!(dev, device, "failed to unload XDP program");
    }
}

/// Sets the XDP features of the bond: what all slaves support.
pub(super) fn update_features(dev: &BondDev, rtnl: &Rtnl) {
    let slaves = dev.lowers(rtnl).map(|slave| slave.dev().xdp_features(rtnl));
    let features = match slaves.reduce(XdpFeatures::and) {
        Some(all) if dev.data().config(rtnl).allows_xdp() => {
            all.and(XdpFeatures::ALL_WITHOUT_RINGS)
        }
        _ => XdpFeatures::NONE,
    };
    dev.set_xdp_features(rtnl, features);
}
