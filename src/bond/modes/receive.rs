// SPDX-License-Identifier: GPL-2.0

//! What becomes of a packet that a slave has received.

use super::active_backup::stands_in;
use crate::bond::clients;
use crate::bond::heard::Watched;
use crate::bond::lacp;
use crate::bond::master::{Bond, SlaveDev};
use crate::bond::probe;
use net::master::device::Rx;
use net::netdevice::ARPHRD_ETHER;
use net::rcu::Rcu;
use net::skbuff::Received;
use policy::arp::Watch;
use policy::receive::{classify, Receive};
use policy::wire::ndisc::Discovery;

/// Whether a packet is for the bond, and neither the ARP monitor nor LACP need look at it. For every
/// packet.
#[inline(always)]
pub(in crate::bond) fn takes(slave: &SlaveDev, packet: Received<'_>) -> bool {
    let heard = &slave.data().heard;
    match heard.watched() {
        None => !slave.is_inactive(),
        Some(watched) if watched.get(false) == Watch::Answers => {
            slave.is_plain() && heard.ignores_for(Watch::Answers, packet)
        }
        Some(watched) => match watched.clients() {
            // Each slave hears what is sent to its address.
            Some(clients) => {
                packet.is_for_host()
                    && !clients.wants(packet.protocol(), || {
                        packet.byte_in_place(Discovery::NEXT_HEADER)
                    })
                    && !slave.master().is_bridge_port()
            }
            None => slave.is_plain() && heard.ignores(watched, packet),
        },
    }
}

/// Classifies a packet. Softirq; no lock, no allocation, and no shared cache line written, except
/// for LACP and for news to the ARP monitor.
pub(in crate::bond) fn receive(slave: &SlaveDev, packet: Received<'_>, rcu: &Rcu) -> Rx {
    match slave.data().heard.watched() {
        Some(watched) if watched.clients().is_some() => of_clients(slave, watched, packet, rcu),
        Some(watched) if watched.is_lacp() => {
            if lacp::receive(slave, packet, rcu) {
                return Rx::Consumed;
            }
        }
        Some(watched) => probe::note(slave, watched, packet, rcu),
        None => {}
    }
    if slave.is_inactive() {
        on_inactive(slave, packet, rcu)
    } else {
        Rx::Another
    }
}

/// Looks at a packet that may tell of a client, or be for the address of a slave without link.
fn of_clients(slave: &SlaveDev, watched: Watched, packet: Received<'_>, rcu: &Rcu) {
    // The active slave hears broadcasts as well.
    let is_copy = slave.is_inactive() && !packet.is_unicast();
    let next_header = || packet.byte_in_place(Discovery::NEXT_HEADER);
    if let Some(clients) = watched.clients().filter(|_| !is_copy) {
        if clients.wants(packet.protocol(), next_header) {
            clients::hear(slave, packet, rcu);
        }
    }
    let is_in_use = || !slave.is_inactive() || stands_in(slave, rcu);
    clients::take(slave, packet, is_in_use, rcu);
}

fn on_inactive(slave: &SlaveDev, packet: Received<'_>, rcu: &Rcu) -> Rx {
    // What is for all arrives on the active slave, too, and may be our own.
    if slave.data().lingers() && packet.is_unicast() {
        return Rx::Another;
    }
    // A slave that sends for an active one without carrier also receives the answers, until the
    // failover or the end of `downdelay`. There are no duplicates: the active slave receives
    // nothing.
    let inactive = !stands_in(slave, rcu);
    let link_local = slave.dev().link_type() == ARPHRD_ETHER && packet.is_link_local();
    let idle = Bond::mode(slave.master()).row().idle;
    // What is for others is flooded: the active slave has it, too.
    match classify(idle, inactive, packet.is_for_host(), link_local) {
        Receive::Deliver => Rx::Another,
        Receive::Exact => Rx::Exact,
        Receive::Pass => Rx::Pass,
    }
}
