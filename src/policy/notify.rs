// SPDX-License-Identifier: GPL-2.0

//! Telling the neighbours: peer notifications and IGMP reports after a failover.

use crate::link::Millis;
use crate::mode::Mode;
use crate::options::Config;

/// The time between two IGMP reports in milliseconds (`HZ/5` in the in-tree driver).
const IGMP_INTERVAL: Millis = 200;

/// The time between two peer notifications where there is no monitor to give one, in milliseconds: the interval
/// that the documentation recommends for `miimon`.
const DEFAULT_INTERVAL: Millis = 100;

/// What is to be announced after the active slave has changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
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
        let peers = running && has_active && config.mode == Mode::ActiveBackup;
        let igmp = running
            && (config.mode == Mode::RoundRobin || (config.mode.uses_primary() && has_active));
        Announcements {
            peers: if peers {
                Countdown::peers(config, now)
            } else {
                Countdown::DONE
            },
            igmp: if igmp {
                Countdown::igmp(config, now)
            } else {
                Countdown::DONE
            },
        }
    }
}

/// Something that is sent a number of times at a steady pace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Countdown {
    left: u8,
    due: Millis,
    interval: Millis,
    /// Whether nothing was sent yet; a first time that has to wait is made up for.
    first: bool,
}

impl Countdown {
    /// Nothing left to send.
    pub const DONE: Countdown = Countdown {
        left: 0,
        due: 0,
        interval: 0,
        first: false,
    };

    /// Peer notifications: `num_grat_arp` of them, the first one at once, then one every
    /// `peer_notif_delay`, or at the pace of the monitor (`miimon` or `arp_interval`) if that is slower, or every
    /// 100 ms without any.
    pub fn peers(config: &Config, now: Millis) -> Countdown {
        let pace = match (config.miimon, config.arp_interval) {
            (0, 0) => DEFAULT_INTERVAL,
            (0, interval) | (interval, _) => Millis::from(interval),
        };
        let interval = pace.max(config.peer_notif_delay_ms());
        Countdown {
            left: config.num_peer_notif,
            due: now,
            interval,
            first: true,
        }
    }

    /// IGMP reports: `resend_igmp` of them, the first one as soon as the caller has let go of its
    /// locks, then one every 200 ms.
    pub fn igmp(config: &Config, now: Millis) -> Countdown {
        Countdown {
            left: config.resend_igmp,
            due: now,
            interval: IGMP_INTERVAL,
            first: true,
        }
    }

    /// When to call [`Countdown::next`], if at all.
    pub fn due(self) -> Option<Millis> {
        (self.left > 0).then_some(self.due)
    }

    /// The same, while a first time would be in vain until the carrier comes: the caller calls when it does.
    pub fn due_without_carrier(self) -> Option<Millis> {
        self.due().filter(|_| !self.first)
    }

    /// The countdown after this moment, whether to send now, and when to come back.
    ///
    /// `ready` says whether sending makes sense: the bond has carrier, and no link event of the
    /// active slave is on its way. The first notification waits for it, coming back after an
    /// interval; the later ones are lost if their time comes without it.
    pub fn next(self, now: Millis, ready: bool) -> (Countdown, bool, Option<Millis>) {
        if self.left == 0 || now < self.due {
            return (self, false, self.due());
        }
        let mut after = self;
        after.due = now.saturating_add(self.interval);
        if ready || !self.first {
            after.left = self.left.saturating_sub(1);
            after.first = false;
        }
        (after, ready, after.due())
    }
}
