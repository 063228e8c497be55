// SPDX-License-Identifier: GPL-2.0

//! The state of one slave's link, with `updelay` and `downdelay`.
//!
//! A link that loses its carrier is *going down* for `downdelay` before it counts as down, and one
//! that gets its carrier back is *going back* for `updelay` before it counts as up. Both delays are
//! deadlines, fixed when the delay begins, so a carrier event, a poll and the expiry of a delay are
//! all the same thing: [`Link::observe`] with the carrier and the time.

use core::fmt;

use crate::select::Duplex;

/// A point in time, or a length of time, in milliseconds of a clock that never goes back. The
/// caller provides the time; this crate reads no clock.
pub type Millis = u64;

/// The state of a link; the numbers are those of `linux/if_bonding.h` (`BOND_LINK_*`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(i8)]
pub enum LinkState {
    /// Up and running.
    Up = 0,
    /// Without carrier, but `downdelay` is not over.
    Fail = 1,
    /// Down.
    Down = 2,
    /// With carrier again, but `updelay` is not over.
    Back = 3,
}

impl LinkState {
    /// The text after `MII Status: ` in `/proc/net/bonding/BOND` and in sysfs.
    pub const fn text(self) -> &'static str {
        match self {
            LinkState::Up => "up",
            LinkState::Fail => "going down",
            LinkState::Down => "down",
            LinkState::Back => "going back",
        }
    }
}

/// The delays in force, in milliseconds; zero means none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Delays {
    /// From carrier to a link that is up (`updelay`).
    pub up: Millis,
    /// From loss of carrier to a link that is down (`downdelay`).
    pub down: Millis,
}

/// The link of one slave. All times are points in time, in milliseconds; `since` is when the link
/// entered its state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Link {
    /// The link works.
    Up {
        /// When the link entered this state.
        since: Millis,
    },
    /// The link has no carrier, and counts as down when `downdelay` is over.
    GoingDown {
        /// When the link entered this state.
        since: Millis,
        /// When `downdelay` is over.
        until: Millis,
    },
    /// The link does not work.
    Down {
        /// When the link entered this state.
        since: Millis,
    },
    /// The link has carrier again, and counts as up when `updelay` is over.
    GoingBack {
        /// When the link entered this state.
        since: Millis,
        /// When `updelay` is over.
        until: Millis,
    },
    /// The link was down, and the ARP monitor tries it: it counts as up when something is heard on
    /// it.
    Tried {
        /// When the link entered this state.
        since: Millis,
    },
    /// The ARP monitor has tried the link in vain, and tries others.
    GivenUp {
        /// When the link entered this state.
        since: Millis,
    },
}

/// What has just happened to a link, with what a message about it needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transition {
    /// The carrier is gone; the link goes down after `ms` unless the carrier comes back.
    GoingDown {
        /// The `downdelay`.
        ms: Millis,
    },
    /// The carrier came back before `downdelay` was over; the link never counted as down.
    UpAgain {
        /// How long the carrier was away.
        after_ms: Millis,
    },
    /// The link is down.
    WentDown,
    /// The carrier is back; the link goes up after `ms` unless the carrier is lost again.
    GoingUp {
        /// The `updelay`.
        ms: Millis,
    },
    /// The carrier was lost again before `updelay` was over; the link never counted as up.
    DownAgain {
        /// How long the carrier had been back.
        after_ms: Millis,
    },
    /// The link is up.
    WentUp,
}

impl Transition {
    /// The transition that the in-tree driver logs after this one: a link that recovers, or fails,
    /// before its delay is over is then reported as definitely up, or down.
    pub const fn settled(self) -> Option<Transition> {
        match self {
            Transition::UpAgain { .. } => Some(Transition::WentUp),
            Transition::DownAgain { .. } => Some(Transition::WentDown),
            _ => None,
        }
    }
}

impl Link {
    /// A link that works.
    pub const fn up(now: Millis) -> Link {
        Link::Up { since: now }
    }

    /// A link that does not work.
    pub const fn down(now: Millis) -> Link {
        Link::Down { since: now }
    }

    /// The link of a device that is being enslaved. Where nobody watches the links (`monitored` is
    /// false) each counts as up, as in the in-tree driver.
    pub fn initial(carrier: bool, delays: Delays, monitored: bool, now: Millis) -> Link {
        match (monitored, carrier) {
            (false, _) => Link::up(now),
            (true, false) => Link::down(now),
            (true, true) if delays.up == 0 => Link::up(now),
            (true, true) => Link::going_back(delays, now),
        }
    }

    const fn going_down(delays: Delays, now: Millis) -> Link {
        Link::GoingDown {
            since: now,
            until: now.saturating_add(delays.down),
        }
    }

    const fn going_back(delays: Delays, now: Millis) -> Link {
        Link::GoingBack {
            since: now,
            until: now.saturating_add(delays.up),
        }
    }

    /// What the link counts as.
    pub const fn state(self) -> LinkState {
        match self {
            Link::Up { .. } => LinkState::Up,
            Link::GoingDown { .. } | Link::GivenUp { .. } => LinkState::Fail,
            Link::Down { .. } => LinkState::Down,
            Link::GoingBack { .. } | Link::Tried { .. } => LinkState::Back,
        }
    }

    /// Whether the link counts as up.
    pub const fn is_up(self) -> bool {
        matches!(self, Link::Up { .. })
    }

    /// When the link entered its state.
    pub const fn since(self) -> Millis {
        match self {
            Link::Up { since }
            | Link::GoingDown { since, .. }
            | Link::Down { since }
            | Link::GoingBack { since, .. }
            | Link::Tried { since }
            | Link::GivenUp { since } => since,
        }
    }

    /// When the delay is over, if one is running.
    pub const fn deadline(self) -> Option<Millis> {
        match self {
            Link::GoingDown { until, .. } | Link::GoingBack { until, .. } => Some(until),
            Link::Up { .. } | Link::Down { .. } | Link::Tried { .. } | Link::GivenUp { .. } => None,
        }
    }

    /// The next state of the link, given its carrier and the time, and what happened, if anything.
    ///
    /// `skip_updelay` is set where the bond has no other link: then the first link with carrier
    /// counts as up at once (`Documentation/networking/bonding.rst`, `updelay`).
    pub fn observe(
        self,
        carrier: bool,
        now: Millis,
        delays: Delays,
        skip_updelay: bool,
    ) -> (Link, Option<Transition>) {
        let after_ms = now.saturating_sub(self.since());
        let (up, down) = (Link::up(now), Link::down(now));
        let (link, transition) = match (self, carrier) {
            (Link::Up { .. }, true) | (Link::Down { .. }, false) => return (self, None),

            (Link::Up { .. }, false) if delays.down == 0 => (down, Transition::WentDown),
            (Link::Up { .. }, false) => (
                Link::going_down(delays, now),
                Transition::GoingDown { ms: delays.down },
            ),

            (Link::GoingDown { .. } | Link::GivenUp { .. }, true) => {
                (up, Transition::UpAgain { after_ms })
            }
            (Link::GoingDown { until, .. }, false) if now < until => return (self, None),
            (Link::GoingDown { .. } | Link::GivenUp { .. }, false) => (down, Transition::WentDown),

            (Link::Down { .. }, true) if delays.up == 0 || skip_updelay => (up, Transition::WentUp),
            (Link::Down { .. }, true) => (
                Link::going_back(delays, now),
                Transition::GoingUp { ms: delays.up },
            ),

            (Link::GoingBack { .. } | Link::Tried { .. }, false) => {
                (down, Transition::DownAgain { after_ms })
            }
            (Link::GoingBack { until, .. }, true) if now < until && !skip_updelay => {
                return (self, None)
            }
            (Link::GoingBack { .. } | Link::Tried { .. }, true) => (up, Transition::WentUp),
        };
        (link, Some(transition))
    }

    /// How much of the running delay is left, in milliseconds; zero if none is running.
    pub fn remaining(self, now: Millis) -> Millis {
        self.deadline()
            .map_or(0, |deadline| deadline.saturating_sub(now))
    }
}

/// What a slave is to its bond, for messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// The active slave of a bond that singles one out.
    Active,
    /// Another slave of such a bond.
    Backup,
    /// A slave of a bond that uses all of them alike.
    Member,
    /// Like `Member`, but watched by the ARP monitor.
    Probed,
}

/// The line of the kernel log about a transition, in the words of the in-tree driver, without the
/// names of bond and slave that go in front.
#[derive(Clone, Copy, Debug)]
pub struct TransitionMessage {
    /// What happened.
    pub transition: Transition,
    /// What the slave is to the bond.
    pub role: Role,
    /// The speed in Mbit/s, if known.
    pub speed: Option<u32>,
    /// The duplex mode.
    pub duplex: Duplex,
}

impl fmt::Display for TransitionMessage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.transition {
            Transition::GoingDown { ms } => {
                let role = match self.role {
                    Role::Active => "active ",
                    Role::Backup => "backup ",
                    Role::Member | Role::Probed => "",
                };
                write!(
                    f,
                    "link status down for {role}interface, disabling it in {ms} ms"
                )
            }
            Transition::UpAgain { after_ms } => {
                write!(f, "link status up again after {after_ms} ms")
            }
            Transition::WentDown if self.role == Role::Probed => {
                f.write_str("interface is now down")
            }
            Transition::WentUp if self.role == Role::Probed => f.write_str("interface is now up"),
            Transition::WentDown => f.write_str("link status definitely down, disabling slave"),
            Transition::GoingUp { ms } => write!(f, "link status up, enabling it in {ms} ms"),
            Transition::DownAgain { after_ms } => {
                write!(f, "link status down again after {after_ms} ms")
            }
            Transition::WentUp => write!(
                f,
                "link status definitely up, {} Mbps {} duplex",
                self.speed.unwrap_or(0),
                // The in-tree driver calls an unknown duplex mode "full".
                if self.duplex == Duplex::Half {
                    "half"
                } else {
                    "full"
                },
            ),
        }
    }
}
