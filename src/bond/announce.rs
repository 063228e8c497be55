// SPDX-License-Identifier: GPL-2.0

//! How the neighbours learn of a failover: gratuitous ARP and unsolicited neighbour advertisements
//! (`NETDEV_NOTIFY_PEERS`, which IPv4, IPv6 and the VLANs on top answer), and IGMP reports.

use super::{failover, Bond, BondDev};
use core::sync::atomic::Ordering;
use net::notifier::Announce;
use net::published::Slot;
use net::rtnl::Rtnl;
use net::sync::now_ms;
use policy::notify::{Announcements, Countdown};
use policy::Millis;

/// Nothing to announce.
pub(super) const NOTHING: Announcements = Announcements {
    peers: Countdown::DONE,
    igmp: Countdown::DONE,
};

/// Notes what a change of the active slave calls for.
pub(super) fn after_change(dev: &BondDev, has_active: bool, rtnl: &Rtnl) {
    let bond = dev.data();
    let announcements =
        Announcements::after_change(&bond.config(), has_active, dev.is_running(), now_ms());
    set(&bond, announcements, rtnl);
}

/// Sends what is due.
pub(super) fn step(dev: &BondDev, rtnl: &Rtnl) {
    // The bond may not have the address yet that is to be announced, nor the slave the groups: `settle` comes back.
    if !failover::is_settled(dev, rtnl) {
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
    set(&bond, Announcements { peers, igmp }, rtnl);
    // Listeners may refuse events, but not these.
    if tell_peers {
        let _ = dev.announce(rtnl, Announce::NotifyPeers);
    }
    if report {
        let _ = dev.announce(rtnl, Announce::ResendIgmp);
    }
}

/// When [`step`] has something to do next. What waits for a carrier is not looked at before the event that tells of that.
pub(super) fn due(dev: &BondDev, rtnl: &Rtnl) -> Millis {
    let announcements = dev.data().announcements.get(rtnl);
    let due = |countdown: Countdown| {
        let due = if dev.carrier_ok() {
            countdown.due()
        } else {
            countdown.due_without_carrier()
        };
        due.unwrap_or(Millis::MAX)
    };
    due(announcements.peers).min(due(announcements.igmp))
}

/// Values of `Bond::announcing`: nothing, something that waits for a carrier, or something with its time.
pub(super) const IDLE: u8 = 0;
const WAITS: u8 = 1;
const TIMED: u8 = 2;

fn set(bond: &Bond, announcements: Announcements, rtnl: &Rtnl) {
    let both = [announcements.peers, announcements.igmp];
    let is_timed = |it: &Countdown| it.due_without_carrier().is_some();
    let announcing = if both.iter().any(is_timed) {
        TIMED
    } else if both.iter().any(|it| it.due().is_some()) {
        WAITS
    } else {
        IDLE
    };
    bond.announcements.set(rtnl, announcements);
    bond.announcing.store(announcing, Ordering::Relaxed);
}

/// Whether there is anything to announce that does not wait for a carrier. Any context.
pub(super) fn is_pending(dev: &BondDev) -> bool {
    match dev.data().announcing.load(Ordering::Relaxed) {
        IDLE => false,
        WAITS => dev.carrier_ok(),
        _ => true,
    }
}

/// Forgets what was still to be announced.
pub(super) fn cancel(dev: &BondDev, rtnl: &Rtnl) {
    set(&dev.data(), NOTHING, rtnl);
}
