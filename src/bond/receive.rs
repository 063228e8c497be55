// SPDX-License-Identifier: GPL-2.0

//! What becomes of a packet that a slave has received.

use super::{arp, transmit, SlaveDev};
use net::device::Rx;
use net::netdevice::ARPHRD_ETHER;
use net::rcu::Rcu;
use net::skbuff::Received;
use policy::receive::{classify, Receive};
use policy::Mode;

/// Whether all packets of a slave are the bond's, and the ARP monitor does not want to see them.
#[inline(always)]
pub(super) fn takes_all(slave: &SlaveDev) -> bool {
    !slave.data().heard.is_watched() && !slave.is_inactive()
}

/// Classifies a packet. Softirq; no lock, no allocation, no shared cache line written.
pub(super) fn receive(slave: &SlaveDev, packet: Received<'_>, rcu: &Rcu) -> Rx {
    if slave.data().heard.is_watched() {
        arp::note(slave, packet, rcu);
    }
    if slave.is_inactive() {
        on_inactive(slave, packet, rcu)
    } else {
        Rx::Another
    }
}

fn on_inactive(slave: &SlaveDev, packet: Received<'_>, rcu: &Rcu) -> Rx {
    // What answers the packets that this slave sends for an active one without carrier, until the
    // failover or the end of `downdelay`. No duplicates: the active one receives nothing.
    let inactive = !transmit::stands_in(slave, rcu);
    let link_local = slave.dev().link_type() == ARPHRD_ETHER && packet.is_link_local();
    // Only balance-alb asks whether the packet is unicast, and is not built.
    match classify(Mode::ActiveBackup, inactive, false, link_local) {
        Receive::Deliver => Rx::Another,
        Receive::Exact => Rx::Exact,
        Receive::Pass => Rx::Pass,
    }
}
