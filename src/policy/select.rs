// SPDX-License-Identifier: GPL-2.0

//! Which slave is the active one.

use core::fmt;

use crate::errno;
use crate::link::{Link, LinkState, Millis};

/// The duplex mode of a link, in the order in which the in-tree driver ranks them: a mode that is
/// not known counts as the best.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Duplex {
    /// Half duplex (`DUPLEX_HALF`).
    Half,
    /// Full duplex (`DUPLEX_FULL`).
    Full,
    /// The device does not say (`DUPLEX_UNKNOWN`).
    Unknown,
}

/// When a better slave takes over from an active one that works: the option `primary_reselect`,
/// with the numbers of `net/bonding.h` (`BOND_PRI_RESELECT_*`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Reselect {
    /// Whenever it is up.
    Always = 0,
    /// If it is faster, or as fast with a better duplex mode.
    Better = 1,
    /// Only when the active slave fails.
    Failure = 2,
}

impl Reselect {
    /// The policy with this number, if there is one.
    pub const fn from_number(number: u64) -> Option<Reselect> {
        match number {
            0 => Some(Reselect::Always),
            1 => Some(Reselect::Better),
            2 => Some(Reselect::Failure),
            _ => None,
        }
    }
}

/// What the choice needs to know about a slave.
#[derive(Clone, Copy, Debug)]
pub struct Candidate<K: Copy + Eq> {
    /// The slave.
    pub key: K,
    /// Its link, after the delays.
    pub link: Link,
    /// Whether the device is running and has carrier at this moment.
    pub usable: bool,
    /// Its `prio`; the highest wins where there is no primary slave.
    pub prio: i32,
    /// Its speed in Mbit/s, if the device says.
    pub speed: Option<u32>,
    /// Its duplex mode.
    pub duplex: Duplex,
}

impl<K: Copy + Eq> Candidate<K> {
    /// Whether the link counts as up and is usable.
    fn is_up(&self) -> bool {
        self.usable && self.link.is_up()
    }

    fn is_faster_than(&self, other: &Self) -> bool {
        // An unknown speed is SPEED_UNKNOWN in the in-tree driver: the largest number there is.
        let rank = |it: &Self| (it.speed.unwrap_or(u32::MAX), it.duplex);
        rank(self) > rank(other)
    }
}

/// The outcome of a choice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Choice<K> {
    /// The slave that should be active.
    pub best: Option<K>,
    /// Whether the primary slave still has to be made active whatever `primary_reselect` says; this
    /// is cleared when the primary slave is up.
    pub force_primary: bool,
}

/// Chooses the active slave.
///
/// `force_primary` is set when the user has just named the primary slave, or it has just been
/// enslaved: then it becomes active as soon as it is up, whatever `reselect` says.
///
/// The rules are those of the in-tree driver (`bonding.rst`: `primary`, `primary_reselect`,
/// `prio`): the primary slave if it is up, else the slave of the highest priority that is up (the
/// first of equals), and `reselect` decides whether it replaces a current slave that is up too. If
/// none is up, the slave whose `updelay` is over first. In addition, no slave without carrier is
/// chosen while another one has carrier, and a current slave whose `downdelay` is running stays as
/// long as there is nothing better.
pub fn choose<K, I>(
    candidates: I,
    current: Option<K>,
    primary: Option<K>,
    force_primary: bool,
    reselect: Reselect,
) -> Choice<K>
where
    K: Copy + Eq,
    I: Iterator<Item = Candidate<K>> + Clone,
{
    let find = |key: Option<K>| key.and_then(|key| candidates.clone().find(|it| it.key == key));
    let current = find(current);
    let primary = find(primary).filter(Candidate::is_up);

    let settled = |best: Candidate<K>| Choice {
        best: Some(best.key),
        force_primary,
    };
    if let Some(primary) = primary {
        if force_primary {
            return Choice {
                best: Some(primary.key),
                force_primary: false,
            };
        }
        return settled(challenge(primary, current, reselect));
    }
    if let Some(top) = highest_priority(candidates.clone().filter(Candidate::is_up)) {
        return settled(challenge(top, current, reselect));
    }

    let back = candidates
        .clone()
        .filter(|it| it.usable && it.link.state() == LinkState::Back)
        .reduce(|first, next| {
            if deadline(&next) < deadline(&first) {
                next
            } else {
                first
            }
        });
    let failing = current.filter(|it| matches!(it.link.state(), LinkState::Up | LinkState::Fail));
    let stale = candidates.filter(|it| it.link.state() == LinkState::Up);
    let best = back.or(failing).or_else(|| highest_priority(stale));
    Choice {
        best: best.map(|it| it.key),
        force_primary,
    }
}

/// Chooses between a slave that is up and wants to be active, and the current active slave.
fn challenge<K: Copy + Eq>(
    challenger: Candidate<K>,
    current: Option<Candidate<K>>,
    reselect: Reselect,
) -> Candidate<K> {
    let Some(current) = current.filter(Candidate::is_up) else {
        return challenger;
    };
    let wins = match reselect {
        Reselect::Always => true,
        Reselect::Better => challenger.is_faster_than(&current),
        Reselect::Failure => false,
    };
    if wins {
        challenger
    } else {
        current
    }
}

/// The first of the candidates with the highest priority.
fn highest_priority<K: Copy + Eq>(
    candidates: impl Iterator<Item = Candidate<K>>,
) -> Option<Candidate<K>> {
    candidates.reduce(|first, next| if next.prio > first.prio { next } else { first })
}

fn deadline<K: Copy + Eq>(candidate: &Candidate<K>) -> Millis {
    candidate.link.deadline().unwrap_or(0)
}

/// Why a slave cannot be made active by hand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotUsable;

impl NotUsable {
    /// The error number of the in-tree driver.
    pub const fn errno(self) -> i32 {
        errno::EINVAL
    }
}

impl fmt::Display for NotUsable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(
            "Could not set as active slave; either the bond has no active slave, or the device \
             or its link is down; bring it up first",
        )
    }
}

/// Whether the user may make this slave the active one: always if it is already, else only if its
/// link is up and another slave is active now.
///
/// # Errors
///
/// [`NotUsable`]: `EINVAL`.
pub fn may_activate<K: Copy + Eq>(
    current: Option<K>,
    candidate: &Candidate<K>,
) -> Result<(), NotUsable> {
    match current {
        Some(current) if current == candidate.key => Ok(()),
        Some(_) if candidate.is_up() => Ok(()),
        _ => Err(NotUsable),
    }
}
