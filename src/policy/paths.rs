// SPDX-License-Identifier: GPL-2.0

//! When a backup asks for the paths to the neighbours of the bond, so that they are known before a
//! failover needs them.

use crate::link::Millis;

/// How long after a change the backups ask; the neighbours are resolved again in that time.
const SOON: Millis = 500;

/// The longest pause between two rounds. A driver may forget a path that is used less often than
/// every minute (IPoIB does).
const LONGEST: Millis = 32_000;

/// The pause between two parts of a round, and how many neighbours a part covers: this limits what
/// a round asks of a subnet administrator at once.
const BREATH: Millis = 250;

/// See [`BREATH`].
pub const PART: u32 = 16;

/// How far the backups have got with asking.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Lookups {
    /// They have nothing to ask.
    #[default]
    None,
    /// They continue at a given time.
    At {
        /// When they continue.
        due: Millis,
        /// The pause after this round.
        pause: Millis,
        /// How many neighbours this round has covered already.
        asked: u32,
    },
}

impl Lookups {
    /// The lookups after links, or the active slave, have changed: the first round comes soon, then
    /// the pauses double, so that neighbours that have appeared since then do not wait long.
    pub fn after_change(now: Millis) -> Lookups {
        Lookups::At {
            due: now.saturating_add(SOON),
            pause: SOON,
            asked: 0,
        }
    }

    /// When to go on, if at all.
    pub const fn due(self) -> Option<Millis> {
        match self {
            Lookups::None => None,
            Lookups::At { due, .. } => Some(due),
        }
    }

    /// How many neighbours to skip now, if it is time.
    pub fn skip(self, now: Millis) -> Option<u32> {
        match self {
            Lookups::At { due, asked, .. } if due <= now => Some(asked),
            Lookups::None | Lookups::At { .. } => None,
        }
    }

    /// The lookups after a part of a round that found this many neighbours, [`PART`] at most.
    pub fn next(self, now: Millis, found: u32) -> Lookups {
        match self {
            Lookups::None => Lookups::None,
            Lookups::At { pause, asked, .. } if found >= PART => Lookups::At {
                due: now.saturating_add(BREATH),
                pause,
                asked: asked.saturating_add(found),
            },
            Lookups::At { pause, .. } => Lookups::At {
                due: now.saturating_add(pause),
                pause: pause.saturating_mul(2).min(LONGEST),
                asked: 0,
            },
        }
    }
}
