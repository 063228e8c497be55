// SPDX-License-Identifier: GPL-2.0

//! How a packet leaves once its slave is chosen.

use crate::bond::master::{BondDev, SlaveDev};
use net::skbuff::{SkBuff, XMIT_DROP};

/// Which slaves to pick from.
#[derive(Clone, Copy)]
pub(super) enum Links {
    Working,
    /// As if all links worked.
    All,
}

/// Sends a packet through a slave that need not be the active one. Drops the packet if it is to be
/// encrypted by the hardware of another slave: it would leave in the clear.
#[cold]
pub(super) fn elsewhere(bond: &BondDev, skb: SkBuff, slave: Option<&SlaveDev>) -> i32 {
    match slave {
        Some(slave) if !skb.needs_other_ipsec(slave.dev()) => skb.transmit_through(slave.dev()),
        _ => drop_packet(bond, skb),
    }
}

#[inline(always)]
pub(super) fn transmit_or_drop(bond: &BondDev, skb: SkBuff, slave: Option<&SlaveDev>) -> i32 {
    match slave {
        Some(slave) => skb.transmit_through(slave.dev()),
        None => drop_packet(bond, skb),
    }
}

#[cold]
#[inline(never)]
pub(super) fn drop_packet(bond: &BondDev, skb: SkBuff) -> i32 {
    skb.drop_on(bond);
    XMIT_DROP
}
