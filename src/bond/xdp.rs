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
    bond: &BondDev,
    program: Option<&Program>,
    extack: Option<&ExtAck>,
    rtnl: &RtnlOnly,
) -> Result {
    if !bond.data().config(rtnl).allows_xdp() {
        let msg = c"No native XDP support for the current bonding mode";
        return Err(refuse(bond, None, extack, msg));
    }
    for slave in bond.lowers(rtnl) {
        if let Some(msg) = objection(slave.dev(), rtnl) {
            return Err(refuse(bond, Some(slave.dev()), extack, msg));
        }
    }
    let before = bond.xdp_program(rtnl);
    let run = |slave: &SlaveDev| {
        slave
            .dev()
            .run_xdp(rtnl, program, extack)
            .inspect_err(|_| slave_err!(bond, slave.dev(), "its driver refuses the XDP program"))
    };
    let put_back = |slave: &SlaveDev| {
        if slave.dev().run_xdp(rtnl, before.as_ref(), None).is_err() {
            slave_warn!(
                bond,
                slave.dev(),
                "cannot have the XDP program back that it had"
            );
        }
    };
    bond.all_or_none(rtnl, run, put_back)
}

/// Why a device cannot run the program of a bond.
fn objection(slave_dev: &NetDevice, rtnl: &Rtnl) -> Option<&'static CStr> {
    if !slave_dev.can_run_xdp() {
        Some(c"Slave device does not support XDP")
    } else if slave_dev.has_own_xdp(rtnl) {
        Some(c"Slave has XDP program loaded, please unload before enslaving")
    } else {
        None
    }
}

fn refuse(
    bond: &BondDev,
    slave_dev: Option<&NetDevice>,
    extack: Option<&ExtAck>,
    msg: &'static CStr,
) -> Error {
    let text = msg.to_str().unwrap_or("No XDP");
    match (extack, slave_dev) {
        (Some(extack), _) => extack.set_msg(msg),
        (None, Some(slave_dev)) => {
            slave_err!(bond, slave_dev, "Error: {text}");
        }
        (None, None) => bond_err!(bond, "Error: {text}"),
    }
    eopnotsupp()
}

/// Checks whether a device that joins can run the bond's program, as far as this is known
/// beforehand.
pub(super) fn check(
    bond: &BondDev,
    slave_dev: &NetDevice,
    extack: Option<&ExtAck>,
    rtnl: &Rtnl,
) -> Result {
    match objection(slave_dev, rtnl).filter(|_| bond.has_xdp_program(rtnl)) {
        Some(msg) => Err(refuse(bond, Some(slave_dev), extack, msg)),
        None => Ok(()),
    }
}

/// Has a device that joins run the bond's program.
pub(super) fn join(
    bond: &BondDev,
    slave_dev: &NetDevice,
    extack: Option<&ExtAck>,
    rtnl: &RtnlOnly,
) -> Result {
    let Some(program) = bond.xdp_program(rtnl) else {
        return Ok(());
    };
    slave_dev
        .run_xdp(rtnl, Some(&program), extack)
        .inspect_err(|_| {
            slave_err!(bond, slave_dev, "its driver refuses the XDP program");
        })
}

/// Undoes [`join`].
pub(super) fn leave(bond: &BondDev, slave_dev: &NetDevice, rtnl: &RtnlOnly) {
    if bond.xdp_program(rtnl).is_some() && slave_dev.run_xdp(rtnl, None, None).is_err() {
        slave_warn!(bond, slave_dev, "failed to unload XDP program");
    }
}

/// Sets the XDP features of the bond: what all slaves support.
pub(super) fn update_features(bond: &BondDev, rtnl: &Rtnl) {
    let slaves = bond
        .lowers(rtnl)
        .map(|slave| slave.dev().xdp_features(rtnl));
    let features = match slaves.reduce(XdpFeatures::and) {
        Some(all) if bond.data().config(rtnl).allows_xdp() => {
            all.and(XdpFeatures::ALL_WITHOUT_RINGS)
        }
        _ => XdpFeatures::NONE,
    };
    bond.set_xdp_features(rtnl, features);
}
