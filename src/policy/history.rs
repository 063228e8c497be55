// SPDX-License-Identifier: GPL-2.0

//! What a bond has decided and why, for people who ask afterwards.

use core::fmt;

use crate::lacp::{Reason, Shortage};
use crate::link::{LinkState, Millis, Transition};
use crate::name::IfName;

/// Why a link changed its state.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Cause {
    /// The carrier was lost, or is back.
    #[default]
    Carrier,
    /// A delay is over: `updelay` or `downdelay`, in milliseconds.
    Delay(Millis),
    /// The ARP monitor heard nothing for too long.
    Probes {
        /// How many probes in a row had no answer.
        missed: u32,
        /// How many of them are too many (`arp_missed_max`).
        of: u32,
    },
    /// The ARP monitor heard an answer.
    Answer,
    /// Nobody watches the links any more.
    Unwatched,
}

/// Why the active slave is another one, or why there is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Why {
    /// There was no active slave before.
    First,
    /// The link of the previous active slave is down.
    Lost,
    /// The previous active slave has left the bond.
    Left,
    /// The new active slave is the primary slave.
    Primary,
    /// The new active slave has a higher `prio`.
    Priority,
    /// An option changed.
    Options,
    /// The user wants this slave.
    ByHand,
    /// The user wants the bond to choose afresh.
    Cleared,
}

/// What was decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum What {
    /// A slave has joined, and its link counts as being in this state.
    Joined(LinkState),
    /// A slave has left.
    Left,
    /// The link of a slave changed its state.
    Link(Transition, Cause),
    /// The slave is active now; or none is.
    Active {
        /// The reason.
        why: Why,
        /// What was left of the slave's `updelay`, in milliseconds, if it was cut short because
        /// there was no better slave.
        early_ms: Option<Millis>,
    },
    /// A slave carries data now, in the aggregator of this number.
    InUse(u16),
    /// A slave carries data now, though no partner answers.
    Alone,
    /// A slave carries no data.
    Unused(Reason),
    /// The bond has no carrier, though slaves carry data.
    Short(Shortage),
}

/// One decision.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The time of the decision, in milliseconds since boot.
    pub at: Millis,
    /// The slave that the decision is about.
    pub slave: Option<IfName>,
    /// What was decided.
    pub what: What,
}

impl Entry {
    /// The decision without the time.
    pub const fn text(&self) -> Text<'_> {
        Text(self)
    }
}

impl fmt::Display for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.at.checked_div(1000).unwrap_or_default();
        let rest = self.at.checked_rem(1000).unwrap_or_default();
        write!(f, "[{seconds:5}.{rest:03}] {}", self.text())
    }
}

/// The text of an [`Entry`].
pub struct Text<'a>(&'a Entry);

impl fmt::Display for Text<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.0.slave, self.0.what) {
            (Some(slave), _) => write!(f, "{slave} ")?,
            (None, What::Short(_)) => {}
            (None, _) => f.write_str("no slave ")?,
        }
        match self.0.what {
            What::Joined(LinkState::Down) => f.write_str("joined without link"),
            What::Joined(LinkState::Back) => f.write_str("joined, its updelay runs"),
            What::Joined(_) => f.write_str("joined with link"),
            What::Left => f.write_str("left"),
            What::Link(transition, cause) => write_link(f, transition, cause),
            What::InUse(aggregator) => {
                write!(f, "carries traffic in aggregator {aggregator}")
            }
            What::Alone => f.write_str("carries traffic without an LACP partner"),
            What::Unused(reason) => write!(f, "carries no traffic: {reason}"),
            What::Short(shortage) => write!(f, "no carrier: {shortage}"),
            What::Active { why, early_ms } => {
                f.write_str("is active: ")?;
                f.write_str(match why {
                    Why::First => "there was none",
                    Why::Lost => "the one before lost its link",
                    Why::Left => "the one before left",
                    Why::Primary => "it is the primary slave",
                    Why::Priority => "it has a higher prio",
                    Why::Options => "by the options as they are now",
                    Why::ByHand => "by hand",
                    Why::Cleared => "cleared by hand",
                })?;
                match early_ms {
                    None => Ok(()),
                    Some(ms) => write!(f, ", {ms} ms before its updelay is over"),
                }
            }
        }
    }
}

fn write_link(f: &mut fmt::Formatter<'_>, transition: Transition, cause: Cause) -> fmt::Result {
    match (transition, cause) {
        (Transition::GoingDown { ms }, _) => write!(f, "lost carrier, downdelay {ms} ms runs"),
        (Transition::UpAgain { after_ms }, _) => {
            write!(f, "has carrier again after {after_ms} ms, within downdelay")
        }
        (Transition::WentDown, Cause::Delay(ms)) => write!(f, "down after downdelay {ms} ms"),
        (Transition::WentDown, Cause::Probes { missed, of }) => {
            write!(f, "down: {missed} of {of} ARP probes missed")
        }
        (Transition::WentDown, _) => f.write_str("down: lost carrier"),
        (Transition::GoingUp { ms }, _) => write!(f, "has carrier, updelay {ms} ms runs"),
        (Transition::DownAgain { after_ms }, _) => {
            write!(f, "lost carrier again after {after_ms} ms, within updelay")
        }
        (Transition::WentUp, Cause::Delay(ms)) => write!(f, "up after updelay {ms} ms"),
        (Transition::WentUp, Cause::Answer) => f.write_str("up: an ARP probe was answered"),
        (Transition::WentUp, Cause::Unwatched) => f.write_str("up: no monitor watches it"),
        (Transition::WentUp, _) => f.write_str("up: has carrier"),
    }
}
