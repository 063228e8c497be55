// SPDX-License-Identifier: GPL-2.0

//! XDP programs of a bond: all slaves run them.

use super::message::{netdev_err, netdev_warn, Of};
use super::{is_active_backup, is_mode, transmit, BondDev, SlaveDev};
use core::ffi::CStr;
use kernel::prelude::*;
use net::errno::eopnotsupp;
use net::flow::dissect_frame;
use net::netdevice::NetDevice;
use net::netlink::ExtAck;
use net::rcu::Rcu;
use net::rtnl::{Rtnl, RtnlOnly};
use net::shared::Bytes;
use net::xdp::{Program, XdpFeatures};
use policy::hash::{Flow, Packet};
use policy::Mode;

const ETH_ALEN: usize = 6;
const ETH_HLEN: usize = 14;
const ETH_P_IP: u16 = 0x0800;
const IPPROTO_IGMP: u8 = 2;

/// A frame that no stack has seen.
#[derive(Clone, Copy)]
struct Frame<'a>(&'a BondDev, Bytes<'a>);

impl Packet for Frame<'_> {
    fn bytes<const N: usize>(&self, at: usize) -> Option<[u8; N]> {
        self.1.get(at)
    }

    fn protocol(&self) -> u16 {
        self.bytes(ETH_ALEN.wrapping_mul(2))
            .map_or(0, u16::from_be_bytes)
    }

    fn network_offset(&self) -> usize {
        ETH_HLEN
    }

    fn vlan_tag(&self) -> u16 {
        0
    }

    fn flow_hash(&self) -> Option<u32> {
        None
    }

    fn dissect(&self) -> Option<Flow> {
        let found = dissect_frame(self.0.net(), self.1, self.protocol(), ETH_HLEN)?;
        Some(Flow {
            src: found.src,
            dst: found.dst,
            ports: found.ports,
            icmp: found.icmp,
        })
    }

    fn has_own_dissector(&self) -> bool {
        self.0.net().has_flow_dissector()
    }
}

/// The slave that a frame leaves through.
pub(super) fn slave_of<'a>(
    dev: &'a BondDev,
    bytes: Bytes<'_>,
    rcu: &'a Rcu,
) -> Option<&'a SlaveDev> {
    let frame = Frame(dev, bytes);
    if is_active_backup(dev) {
        transmit::active_backup(dev, rcu)
    } else if is_mode(dev, Mode::RoundRobin) {
        transmit::round_robin(dev, is_igmp(&frame), rcu)
    } else if is_mode(dev, Mode::Xor) {
        let hash = policy::hash::hash(transmit::hash_policy(dev), frame);
        transmit::by_hash(dev, hash, rcu)
    } else {
        None
    }
}

fn is_igmp(frame: &Frame<'_>) -> bool {
    frame.protocol() == ETH_P_IP
        && frame
            .bytes::<20>(ETH_HLEN)
            .is_some_and(|[_, _, _, _, _, _, _, _, _, protocol, ..]| protocol == IPPROTO_IGMP)
}

/// Has all slaves run a program, or none; or nothing changes.
pub(super) fn set(
    dev: &BondDev,
    program: Option<&Program>,
    extack: Option<&ExtAck>,
    rtnl: &RtnlOnly,
) -> Result {
    if !dev.data().config().allows_xdp() {
        let msg = c"No native XDP support for the current bonding mode";
        return Err(refuse(dev, None, extack, msg));
    }
    for slave in dev.lowers(rtnl) {
        if let Some(msg) = objection(slave.dev(), rtnl) {
            return Err(refuse(dev, Some(slave.dev()), extack, msg));
        }
    }
    let before = dev.xdp_program(rtnl);
    for slave in dev.lowers(rtnl) {
        if let Err(err) = slave.dev().run_xdp(rtnl, program, extack) {
            netdev_err!(
                dev,
                "{}",
                Of(slave.dev(), "its driver refuses the XDP program")
            );
            put_back(dev, slave, before.as_ref(), rtnl);
            return Err(err);
        }
    }
    Ok(())
}

/// Gives the slaves in front of `end` the program that they had.
fn put_back(dev: &BondDev, end: &SlaveDev, before: Option<&Program>, rtnl: &RtnlOnly) {
    for slave in dev
        .lowers(rtnl)
        .take_while(|slave| !core::ptr::eq(*slave, end))
    {
        if slave.dev().run_xdp(rtnl, before, None).is_err() {
            netdev_warn!(
                dev,
                "{}",
                Of(slave.dev(), "cannot have the XDP program back that it had")
            );
        }
    }
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
            netdev_err!(dev, "{}", Of(device, format_args!("Error: {text}")));
        }
        (None, None) => netdev_err!(dev, "Error: {text}"),
    }
    eopnotsupp()
}

/// Whether a device that joins can run the bond's program, as far as that can be said beforehand.
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
            netdev_err!(dev, "{}", Of(device, "its driver refuses the XDP program"));
        })
}

/// Undoes [`join`].
pub(super) fn leave(dev: &BondDev, device: &NetDevice, rtnl: &RtnlOnly) {
    if dev.xdp_program(rtnl).is_some() && device.run_xdp(rtnl, None, None).is_err() {
        netdev_warn!(dev, "{}", Of(device, "failed to unload XDP program"));
    }
}

/// Says what the bond can do with XDP: what all slaves can.
pub(super) fn update_features(dev: &BondDev, rtnl: &Rtnl) {
    let slaves = dev.lowers(rtnl).map(|slave| slave.dev().xdp_features(rtnl));
    let features = match slaves.reduce(XdpFeatures::and) {
        Some(all) if dev.data().config().allows_xdp() => all.and(XdpFeatures::ALL_WITHOUT_RINGS),
        _ => XdpFeatures::NONE,
    };
    dev.set_xdp_features(rtnl, features);
}
