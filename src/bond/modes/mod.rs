// SPDX-License-Identifier: GPL-2.0

//! What the modes do with packets: one file for each mode. No lock, no allocation, no shared cache
//! line written; except for the first packet of a flow in balance-tlb and balance-alb, and for ARP
//! and neighbour discovery in balance-alb.
//!
//! Each mode's file has `xmit`, which sends a packet, and `pick`, which returns the slave that it
//! would leave through.

mod active_backup;
mod alb;
mod broadcast;
mod ieee8023ad;
mod output;
pub(super) mod packet;
pub(super) mod receive;
mod round_robin;
mod tlb;
mod xor;

use super::links::is_up;
use super::master::{Bond, BondDev, SlaveDev};
use net::rcu::Rcu;
use net::shared::Bytes;
use net::skbuff::SkBuff;
use net::sock::Socket;
use output::{elsewhere, Links};
use packet::{Anything, Frame, Outgoing, Subject};
use policy::hash::HashPolicy;
use policy::mode::{QueueOverride, Sender, Tls, Xdp};
use policy::{transmit, Mode};

/// Sends a packet. Bottom halves off.
///
/// Everything but the usual case is in separate functions, which take over the packet, so that this
/// function needs neither a stack frame nor a saved register.
#[inline(always)]
pub(super) fn start_xmit(bond: &BondDev, skb: SkBuff, rcu: &Rcu) -> i32 {
    if skb.has_queue_or_sec_path() {
        return xmit_seldom(bond, skb, rcu);
    }
    xmit(bond, skb, rcu)
}

#[inline(always)]
fn xmit(bond: &BondDev, skb: SkBuff, rcu: &Rcu) -> i32 {
    match Bond::mode(bond) {
        Mode::ActiveBackup => active_backup::xmit(bond, skb, rcu),
        Mode::Xor => xor::xmit(bond, skb, rcu),
        Mode::Broadcast => broadcast::xmit(bond, skb, rcu),
        Mode::RoundRobin => round_robin::xmit(bond, skb, rcu),
        Mode::Ieee8023ad => ieee8023ad::xmit(bond, skb, rcu),
        Mode::Tlb => tlb::xmit(bond, skb, rcu),
        Mode::Alb => alb::xmit(bond, skb, rcu),
    }
}

/// Through which slaves a packet leaves.
pub(super) enum Pick<'a> {
    One(&'a SlaveDev),
    /// All whose links are up.
    All,
    None,
}

/// Returns the slaves through which `subject` would leave.
fn pick<'a>(bond: &'a BondDev, subject: &impl Subject, links: Links, rcu: &'a Rcu) -> Pick<'a> {
    let one = match Bond::mode(bond) {
        Mode::ActiveBackup => active_backup::pick(bond, rcu),
        Mode::Xor | Mode::Ieee8023ad => xor::pick_of(bond, subject, links, rcu),
        Mode::Broadcast => return Pick::All,
        Mode::RoundRobin => round_robin::pick(bond, subject, rcu),
        Mode::Tlb => {
            let flow = subject.packet().and_then(|it| tlb::flow(bond, it));
            tlb::pick(bond, flow, rcu)
        }
        Mode::Alb => {
            let flow = subject.packet().and_then(|it| alb::flow(bond, it));
            tlb::pick(bond, flow, rcu)
        }
    };
    one.map_or(Pick::None, Pick::One)
}

fn one<'a>(pick: Pick<'a>) -> Option<&'a SlaveDev> {
    match pick {
        Pick::One(slave) => Some(slave),
        Pick::All | Pick::None => None,
    }
}

/// The slave that a packet would leave through, if there is just one; with `all`, as if all links
/// worked.
pub(super) fn slave_of<'a>(
    bond: &'a BondDev,
    skb: &SkBuff,
    all: bool,
    rcu: &'a Rcu,
) -> Option<&'a SlaveDev> {
    let links = if all { Links::All } else { Links::Working };
    one(pick(bond, &Outgoing(bond, skb.view()), links, rcu))
}

/// The first slave that a packet would leave through or, after `previous`, the next one.
pub(super) fn next_slave_of<'a>(
    bond: &'a BondDev,
    skb: &SkBuff,
    previous: Option<&SlaveDev>,
    rcu: &'a Rcu,
) -> Option<&'a SlaveDev> {
    let picked = match Bond::mode(bond).row().sender {
        // Other slaves send from addresses of their own.
        Sender::Load => pick(bond, &Anything, Links::Working, rcu),
        Sender::Turn | Sender::Active | Sender::Hash | Sender::All => {
            pick(bond, &Outgoing(bond, skb.view()), Links::Working, rcu)
        }
    };
    match (picked, previous) {
        (Pick::One(slave), None) => Some(slave),
        (Pick::One(_), Some(_)) | (Pick::None, _) => None,
        (Pick::All, previous) => {
            let mut slaves = bond.lowers_rcu(rcu);
            if let Some(previous) = previous {
                slaves.find(|slave| core::ptr::eq(*slave, previous))?;
            }
            slaves.find(|slave| is_up(slave))
        }
    }
}

/// The slave that a frame of an XDP program leaves through.
pub(super) fn slave_of_frame<'a>(
    bond: &'a BondDev,
    frame: Bytes<'_>,
    rcu: &'a Rcu,
) -> Option<&'a SlaveDev> {
    match Bond::mode(bond).row().xdp {
        Xdp::Native | Xdp::ButVlan => one(pick(bond, &Frame(bond, frame), Links::Working, rcu)),
        Xdp::Refused => None,
    }
}

/// The slave through which all packets of a socket leave, so that its hardware can encrypt their
/// TLS records.
pub(super) fn slave_of_socket<'a>(
    bond: &'a BondDev,
    socket: &Socket,
    rcu: &'a Rcu,
) -> Option<&'a SlaveDev> {
    match (
        Bond::mode(bond).row().tls,
        bond.data().options.hash_policy(),
    ) {
        (Tls::Layer34, HashPolicy::Layer34) => one(pick(bond, socket, Links::Working, rcu)),
        (Tls::Layer34 | Tls::Software, _) => None,
    }
}

/// The slave through which all packets leave at this moment, where there is just one.
pub(super) fn sole_slave<'a>(bond: &'a BondDev, rcu: &'a Rcu) -> Option<&'a SlaveDev> {
    match Bond::mode(bond).row().sender {
        Sender::Active => one(pick(bond, &Anything, Links::Working, rcu)),
        Sender::Turn | Sender::Hash | Sender::All | Sender::Load => None,
    }
}

/// Sends a packet whose transmit queue may belong to a slave, or whose encryption may be left to a
/// slave: the one that was active when this was decided, possibly before a failover.
#[cold]
#[inline(never)]
fn xmit_seldom(bond: &BondDev, skb: SkBuff, rcu: &Rcu) -> i32 {
    if let Some(slave) = by_queue(bond, skb.queue_mapping(), rcu) {
        return elsewhere(bond, skb, Some(slave));
    }
    if skb.has_sec_path() && Bond::mode(bond).row().sender == Sender::Active {
        let slave = sole_slave(bond, rcu);
        return elsewhere(bond, skb, slave);
    }
    xmit(bond, skb, rcu)
}

/// The slave that the packet's transmit queue belongs to, in the modes that obey it, if the slave
/// works.
#[cold]
fn by_queue<'a>(bond: &'a BondDev, queue: u16, rcu: &'a Rcu) -> Option<&'a SlaveDev> {
    let is_obeyed = match Bond::mode(bond).row().queue_override {
        QueueOverride::Obeyed => queue != 0,
        QueueOverride::Ignored => false,
    };
    if !is_obeyed {
        return None;
    }
    let slaves = bond
        .lowers_rcu(rcu)
        .map(|slave| (slave, slave.data().queue_id(), is_up(slave)));
    transmit::by_queue(slaves, queue)
}
