// SPDX-License-Identifier: GPL-2.0

//! When something that failed is tried again: only if it may work then, and less and less often.

use crate::errno::ENOMEM;
use crate::link::Millis;

/// The pause before the first try after one that failed; each further pause is twice as long.
const SHORTEST: Millis = 100;

/// The longest pause. Memory that was short for minutes is available again at some time, and
/// nothing else says so.
const LONGEST: Millis = 12_800;

/// The result of a try.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tried {
    /// It is done.
    Done,
    /// It cannot work as things are: whatever changes that also has it tried again.
    Hopeless,
    /// It may work later: there was no memory.
    Later,
}

impl Tried {
    /// The result that a positive errno stands for.
    pub const fn failed(errno: i32) -> Tried {
        match errno {
            ENOMEM => Tried::Later,
            _ => Tried::Hopeless,
        }
    }

    /// The result of two tries together.
    pub fn and(self, other: Tried) -> Tried {
        match (self, other) {
            (Tried::Later, _) | (_, Tried::Later) => Tried::Later,
            (Tried::Hopeless, _) | (_, Tried::Hopeless) => Tried::Hopeless,
            (Tried::Done, Tried::Done) => Tried::Done,
        }
    }
}

/// When something is tried again.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Retry {
    /// Never.
    #[default]
    Never,
    /// At a given time.
    At {
        /// When to try.
        due: Millis,
        /// The pause after that try, if it fails.
        pause: Millis,
    },
}

impl Retry {
    /// When to try again, if at all.
    pub const fn due(self) -> Option<Millis> {
        match self {
            Retry::Never => None,
            Retry::At { due, .. } => Some(due),
        }
    }

    /// When to try again after a try.
    pub fn after(self, tried: Tried, now: Millis) -> Retry {
        let pause = match self {
            Retry::Never => SHORTEST,
            Retry::At { pause, .. } => pause,
        };
        match tried {
            Tried::Later => Retry::At {
                due: now.saturating_add(pause),
                pause: pause.saturating_mul(2).min(LONGEST),
            },
            Tried::Done | Tried::Hopeless => Retry::Never,
        }
    }
}
