// SPDX-License-Identifier: GPL-2.0

//! broadcast: every packet leaves through every slave whose link is up.

use super::output::drop_packet;
use crate::bond::links::is_up;
use crate::bond::master::{BondDev, SlaveDev};
use crate::bond::message::slave_err;
use net::rcu::Rcu;
use net::skbuff::{SkBuff, XMIT_DROP, XMIT_SUCCESS};
use net::sync::ratelimit;

/// Sends a packet through all slaves whose links are up.
#[inline(never)]
pub(super) fn xmit(bond: &BondDev, skb: SkBuff, rcu: &Rcu) -> i32 {
    through(bond, skb, bond.lowers_rcu(rcu).filter(|slave| is_up(slave)))
}

/// Sends a packet through all these slaves.
pub(super) fn through<'a>(
    bond: &BondDev,
    skb: SkBuff,
    mut slaves: impl Iterator<Item = &'a SlaveDev>,
) -> i32 {
    let Some(mut last) = slaves.next() else {
        return drop_packet(bond, skb);
    };
    let mut code = XMIT_DROP;
    for slave in slaves {
        match skb.try_clone() {
            Some(copy) => {
                if copy.transmit_through(last.dev()) == XMIT_SUCCESS {
                    code = XMIT_SUCCESS;
                }
            }
            None => warn_of_memory(bond, last),
        }
        last = slave;
    }
    if skb.transmit_through(last.dev()) == XMIT_SUCCESS {
        code = XMIT_SUCCESS;
    }
    if code == XMIT_DROP {
        SkBuff::count_drop_on(bond);
    }
    code
}

#[cold]
fn warn_of_memory(bond: &BondDev, slave: &SlaveDev) {
    if ratelimit() {
        slave_err!(
            bond,
            slave.dev(),
            "no memory for a copy of a packet; dropped it"
        );
    }
}
