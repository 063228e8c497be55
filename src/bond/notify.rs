// SPDX-License-Identifier: GPL-2.0

//! How the neighbours learn of a failover: gratuitous ARP and unsolicited neighbour advertisements
//! (`NETDEV_NOTIFY_PEERS`, which IPv4, IPv6 and the VLANs on top answer), and IGMP reports.

use super::master::{Bond, BondDev};
use super::wake::Task;
use net::master::device::Slot;
use net::notifier::Announce;
use net::rtnl::Rtnl;
use net::sync::now_ms;
use policy::notify::{Announcements, Countdown};

/// Records what a change of the active slave calls for.
pub(super) fn after_change(bond: &BondDev, has_active: bool, rtnl: &Rtnl) {
    let data = bond.data();
    let announcements =
        Announcements::after_change(&data.config(rtnl), has_active, bond.is_running(), now_ms());
    set(bond, announcements, rtnl);
}

/// Records that the peers are to be told the addresses again.
pub(super) fn tell_peers(bond: &BondDev, rtnl: &Rtnl) {
    let data = bond.data();
    let now = data.announcements.get(rtnl);
    set(bond, now.with_peers(&data.config(rtnl), now_ms()), rtnl);
}

/// Sends what is due.
pub(super) fn step(bond: &BondDev, rtnl: &Rtnl) {
    // The bond may not have the address yet that is to be announced, nor the slave its multicast
    // groups: `engine::settle` calls this again.
    if !Bond::is_settled(bond, rtnl) {
        return;
    }
    let data = bond.data();
    let announcements = data.announcements.get(rtnl);
    let now = now_ms();
    let active = bond.slot(rtnl, Slot::Active);
    // While a carrier change of the bond is on its way, its queues may still swallow packets.
    let on_air = bond.carrier_ok() && !bond.linkwatch_pending();
    let ready = on_air && active.is_some_and(|slave| !slave.dev().linkwatch_pending());
    let (peers, tell_peers, _) = announcements.peers.next(now, ready);
    let (igmp, report, _) = announcements.igmp.next(now, on_air);
    set(bond, Announcements { peers, igmp }, rtnl);
    // Listeners may refuse events, but not these.
    if tell_peers {
        let _ = bond.announce(rtnl, Announce::NOTIFY_PEERS);
    }
    if report {
        let _ = bond.announce(rtnl, Announce::RESEND_IGMP);
    }
}

/// Records what there is to announce. What waits for a carrier is not looked at before the event
/// that reports the carrier.
fn set(bond: &BondDev, announcements: Announcements, rtnl: &Rtnl) {
    bond.data().announcements.set(rtnl, announcements);
    let due = |countdown: Countdown| match bond.carrier_ok() {
        true => countdown.due(),
        false => countdown.due_without_carrier(),
    };
    let Announcements { peers, igmp } = announcements;
    let due = [peers, igmp].into_iter().filter_map(due).min();
    Bond::wake_at_ms(bond, Task::Notify, due);
}

/// Forgets what was still to be announced.
pub(super) fn cancel(bond: &BondDev, rtnl: &Rtnl) {
    set(bond, Announcements::default(), rtnl);
}
