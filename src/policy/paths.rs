// SPDX-License-Identifier: GPL-2.0

//! When a backup asks for the paths to the neighbours of the bond, so that they are known before a
//! failover needs them.

use crate::link::Millis;

/// How long after a change the backups ask; the neighbours are resolved anew in that time.
const SOON: Millis = 500;

/// The longest pause between two rounds. Whoever uses a path less often than every minute may forget
/// it (IPoIB does).
const LONGEST: Millis = 32_000;

/// The pause between two parts of a round, and how many neighbours a part asks: what a round asks of a
/// subnet administrator at once has a limit.
const BREATH: Millis = 250;

/// See [`BREATH`].
pub const PART: u32 = 16;

/// Where the backups are in asking.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lookups {
    /// When to go on.
    due: Option<Millis>,
    /// The pause after this round.
    pause: Millis,
    /// How many neighbours this round has asked already.
    asked: u32,
}

impl Lookups {
    /// Nothing to ask.
    pub const NONE: Lookups = Lookups {
        due: None,
        pause: SOON,
        asked: 0,
    };

    /// After links, or the active slave, have changed: soon, then at pauses that double, so that
    /// neighbours that are new since then do not wait long.
    pub fn after_change(now: Millis) -> Lookups {
        Lookups {
            due: Some(now.saturating_add(SOON)),
            ..Lookups::NONE
        }
    }

    /// When to go on, if at all.
    pub fn due(self) -> Option<Millis> {
        self.due
    }

    /// Which neighbours to skip now, if it is time.
    pub fn skip(self, now: Millis) -> Option<u32> {
        self.due.filter(|due| *due <= now).map(|_| self.asked)
    }

    /// After a part of a round, which found so many neighbours, [`PART`] at most.
    pub fn next(self, now: Millis, found: u32) -> Lookups {
        if found >= PART {
            return Lookups {
                due: Some(now.saturating_add(BREATH)),
                asked: self.asked.saturating_add(found),
                ..self
            };
        }
        Lookups {
            due: Some(now.saturating_add(self.pause)),
            pause: self.pause.saturating_mul(2).min(LONGEST),
            asked: 0,
        }
    }
}
