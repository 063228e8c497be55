// SPDX-License-Identifier: GPL-2.0

//! TLS in the hardware of slaves. A socket's records are encrypted by one device, so that this is for
//! the mode and the hash that send all packets of a socket through the same slave.
//!
//! Packets that take another slave, because that one cannot send, are encrypted in software.

use super::{is_mode, transmit, BondDev, SlaveDev};
use net::rcu::Rcu;
use net::skbuff::SkBuff;
use net::sock::Socket;
use policy::hash::{of_flow, Flow, HashPolicy};
use policy::Mode;

fn pins_sockets(dev: &BondDev) -> bool {
    is_mode(dev, Mode::Xor) && transmit::hash_policy(dev) == HashPolicy::Layer34
}

/// The slave through which the packets of a socket leave.
pub(super) fn slave_of<'a>(
    dev: &'a BondDev,
    socket: &Socket,
    rcu: &'a Rcu,
) -> Option<&'a SlaveDev> {
    if !pins_sockets(dev) {
        return None;
    }
    let ends = socket.ends();
    let hash = of_flow(&Flow {
        src: ends.src,
        dst: ends.dst,
        ports: ends.ports,
        icmp: 0,
    });
    transmit::by_hash(dev, hash, rcu)
}

/// The slave whose hardware encrypts what is in a packet, if it can send.
///
/// That is the one that a hash picked when the connection began; others may have come and gone since.
pub(super) fn slave_of_packet<'a>(
    dev: &'a BondDev,
    skb: &SkBuff,
    rcu: &'a Rcu,
) -> Option<&'a SlaveDev> {
    if transmit::hash_policy(dev) != HashPolicy::Layer34 {
        return None;
    }
    let device = skb.tls_device(rcu)?;
    dev.lowers_rcu(rcu)
        .find(|slave| slave.dev() == device && transmit::can_send(slave))
}
