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
pub(super) fn after_change(dev: &BondDev, has_active: bool, rtnl: &Rtnl) {
    let bond = dev.data();
    let announcements =
        Announcements::after_change(&bond.config(rtnl), has_active, dev.is_running(), now_ms());
    set(dev, announcements, rtnl);
}

/// Records that the peers are to be told the addresses again.
pub(super) fn tell_peers(dev: &BondDev, rtnl: &Rtnl) {
    let bond = dev.data();
    let now = bond.announcements.get(rtnl);
    set(dev, now.with_peers(&bond.config(rtnl), now_ms()), rtnl);
}

/// Sends what is due.
pub(super) fn step(dev: &BondDev, rtnl: &Rtnl) {
    // The bond may not have the address yet that is to be announced, nor the slave its multicast
    // groups: `engine::settle` calls this again.
    if !Bond::is_settled(dev, rtnl) {
        return;
    }
    let bond = dev.data();
    let announcements = bond.announcements.get(rtnl);
    let now = now_ms();
    let active = dev.slot(rtnl, Slot::Active);
    // While a carrier change of the bond is on its way, its queues may still swallow packets.
    let on_air = dev.carrier_ok() && !dev.linkwatch_pending();
    let ready = on_air && active.is_some_and(|slave| !slave.dev().linkwatch_pending());
    let (peers, tell_peers, _) = announcements.peers.next(now, ready);
    let (igmp, report, _) = announcements.igmp.next(now, on_air);
    set(dev, Announcements { peers, igmp }, rtnl);
    // Listeners may refuse events, but not these.
    if tell_peers {
        let _ = dev.announce(rtnl, Announce::NOTIFY_PEERS);
    }
    if report {
        let _ = dev.announce(rtnl, Announce::RESEND_IGMP);
    }
}

/// Records what there is to announce. What waits for a carrier is not looked at before the event
/// that reports the carrier.
fn set(dev: &BondDev, announcements: Announcements, rtnl: &Rtnl) {
    dev.data().announcements.set(rtnl, announcements);
    let due = |countdown: Countdown| match dev.carrier_ok() {
        true => countdown.due(),
        false => countdown.due_without_carrier(),
    };
    let Announcements { peers, igmp } = announcements;
    let due = [peers, igmp].into_iter().filter_map(due).min();
    Bond::wake_at_ms(dev, Task::Notify, due);
}

/// Forgets what was still to be announced.
pub(super) fn cancel(dev: &BondDev, rtnl: &Rtnl) {
    set(dev, Announcements::default(), rtnl);
}
