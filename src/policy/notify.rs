// SPDX-License-Identifier: GPL-2.0

//! Telling the neighbours: peer notifications and IGMP reports after a failover.

use crate::link::Millis;
use crate::mode::{NotifyPeers, ResendIgmp};
use crate::options::Config;

/// The time between two IGMP reports in milliseconds (`HZ/5` in the in-tree driver).
const IGMP_INTERVAL: Millis = 200;

/// The time between two peer notifications if there is no monitor to set the pace, in milliseconds:
/// the interval that the documentation recommends for `miimon`.
const DEFAULT_INTERVAL: Millis = 100;

/// What is to be announced after the active slave has changed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Announcements {
    /// Tell the peers, by gratuitous ARP and unsolicited neighbour advertisements.
    pub peers: Countdown,
    /// Report IGMP membership again.
    pub igmp: Countdown,
}

impl Announcements {
    /// What a change of the active slave calls for.
    ///
    /// `has_active` says whether there is a new active slave, `running` whether the bond is up.
    /// Both countdowns replace those of an earlier change.
    pub fn after_change(
        config: &Config,
        has_active: bool,
        running: bool,
        now: Millis,
    ) -> Announcements {
        let row = config.mode.row();
        let peers = match row.notify_peers {
            NotifyPeers::OnFailover => has_active,
            NotifyPeers::Never => false,
        };
        let igmp = match row.resend_igmp {
            ResendIgmp::OnFailover => has_active,
            ResendIgmp::OnChange => true,
            ResendIgmp::Never => false,
        };
        Announcements {
            peers: if running && peers {
                Countdown::peers(config, now)
            } else {
                Countdown::Done
            },
            igmp: if running && igmp {
                Countdown::igmp(config, now)
            } else {
                Countdown::Done
            },
        }
    }
}

impl Announcements {
    /// Adds the notifications that tell the peers the addresses again, though the same slave is
    /// active.
    pub fn with_peers(self, config: &Config, now: Millis) -> Announcements {
        Announcements {
            peers: Countdown::peers(config, now),
            ..self
        }
    }
}

/// Something that is sent a number of times at a steady pace.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Countdown {
    /// Nothing is left to send.
    #[default]
    Done,
    /// Nothing was sent yet. If the first one has to wait, it is sent later.
    First(Left),
    /// The first one was sent.
    Again(Left),
}

/// What is left to send.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Left {
    count: u8,
    due: Millis,
    interval: Millis,
}

impl Countdown {
    /// Peer notifications: `num_grat_arp` of them, the first one at once, then one every
    /// `peer_notif_delay`, or at the pace of the monitor (`miimon` or `arp_interval`) if that is
    /// slower, or every 100 ms without a monitor.
    pub fn peers(config: &Config, now: Millis) -> Countdown {
        let pace = match (config.miimon, config.arp_interval) {
            (0, 0) => DEFAULT_INTERVAL,
            (0, interval) | (interval, _) => Millis::from(interval),
        };
        let interval = pace.max(config.peer_notif_delay_ms());
        Countdown::start(config.num_peer_notif, interval, now)
    }

    /// IGMP reports: `resend_igmp` of them, the first one as soon as the caller has released its
    /// locks, then one every 200 ms.
    pub fn igmp(config: &Config, now: Millis) -> Countdown {
        Countdown::start(config.resend_igmp, IGMP_INTERVAL, now)
    }

    const fn start(count: u8, interval: Millis, now: Millis) -> Countdown {
        match count {
            0 => Countdown::Done,
            count => Countdown::First(Left {
                count,
                due: now,
                interval,
            }),
        }
    }

    /// When to call [`Countdown::next`], if at all.
    pub const fn due(self) -> Option<Millis> {
        match self {
            Countdown::Done => None,
            Countdown::First(left) | Countdown::Again(left) => Some(left.due),
        }
    }

    /// Like [`Countdown::due`], for a bond without carrier: the first one would be sent in vain,
    /// and the caller calls [`Countdown::next`] when the carrier comes.
    pub const fn due_without_carrier(self) -> Option<Millis> {
        match self {
            Countdown::Done | Countdown::First(_) => None,
            Countdown::Again(left) => Some(left.due),
        }
    }

    /// The countdown after this moment, whether to send now, and when to come back.
    ///
    /// `ready` says whether sending makes sense: the bond has carrier, and no link event of the
    /// active slave is on its way. The first notification waits until sending makes sense, and is
    /// tried again after an interval; a later one is lost if sending makes no sense when it is due.
    pub fn next(self, now: Millis, ready: bool) -> (Countdown, bool, Option<Millis>) {
        let (Countdown::First(left) | Countdown::Again(left)) = self else {
            return (self, false, None);
        };
        if now < left.due {
            return (self, false, self.due());
        }
        let later = Left {
            due: now.saturating_add(left.interval),
            ..left
        };
        let after = match (self, left.count.saturating_sub(1)) {
            (Countdown::First(_), _) if !ready => Countdown::First(later),
            (_, 0) => Countdown::Done,
            (_, count) => Countdown::Again(Left { count, ..later }),
        };
        (after, ready, after.due())
    }
}
