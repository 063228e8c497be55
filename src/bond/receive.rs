// SPDX-License-Identifier: GPL-2.0

//! What becomes of a packet that a slave has received.

use super::{arp, transmit, SlaveDev};
use net::device::Rx;
use net::netdevice::ARPHRD_ETHER;
use net::rcu::Rcu;
use net::skbuff::Received;
use policy::receive::{classify, Receive};
use policy::Mode;

/// Classifies a packet. Softirq; no lock, no allocation, no shared cache line written.
#[inline]
pub(super) fn receive(slave: &SlaveDev, packet: &Received, rcu: &Rcu) -> Rx {
    if slave.data().heard.is_watched() {
        arp::note(slave, packet, rcu);
    }
    if !slave.is_inactive() {
        return Rx::Another;
    }
    on_inactive(slave, packet, rcu)
}

#[cold]
fn on_inactive(slave: &SlaveDev, packet: &Received, rcu: &Rcu) -> Rx {
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
