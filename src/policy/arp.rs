// SPDX-License-Identifier: GPL-2.0

//! The ARP monitor: whether a link works, judged by what comes in through it.
//!
//! Every `arp_interval` a *round* of probes goes out: ARP requests to `arp_ip_target`, neighbour
//! solicitations to `ns_ip6_target`. In active-backup mode the active slave sends them, and the
//! backups hear them, through the switch; in the other modes every slave sends its own. A round that
//! has no answer after half an interval is repeated, so that one lost packet costs nothing. A link is
//! down when `arp_missed_max` rounds, and as many intervals, have passed without an answer; a backup
//! is given one and a half more, and is not judged while the active slave is without an answer.
//!
//! Both are asked for: the time alone would condemn a link because this machine slept. So would a
//! single round, which may just have been sent; two are needed at least. A link that is down is up
//! when it is heard again. Without an active slave the slaves are tried in turn, one each interval.

use crate::link::Link;
use crate::mode::Probes;
use crate::options::Config;
use crate::wire::ether::{ETH_P_8021AD, ETH_P_8021Q, ETH_P_ARP, ETH_P_IPV6};
use crate::wire::ndisc::Discovery;

/// A point in time, or a length of time, in microseconds of a clock that never goes back.
pub type Micros = u64;

/// What is known of the traffic of one slave.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Traffic {
    /// When something that counts was last received, 0 for never; where all targets must answer, the
    /// time of the one that has been silent for longest.
    pub last_rx: Micros,
    /// From when on the slave is judged: when it joined, or began to be tried. Where one slave sends
    /// for all, also when another one became active, since the backups hear that one from then on.
    pub since: Micros,
    /// The rounds since something was received; see [`Traffic::answered`].
    pub unanswered: u32,
    /// The rounds in a row in which this slave had to send a probe, and could not.
    pub unsent: u32,
}

impl Traffic {
    /// The counts after another round. `before` is the time of the one before; `sent` tells whether
    /// a probe left through this slave, where it had to. A round that is sent before it is due, since
    /// a carrier came back, is one more and does not count: it may be answered as late as the next.
    pub fn after_round(self, before: Micros, sent: Option<bool>) -> Traffic {
        Traffic {
            unanswered: self.answered(before).unanswered.saturating_add(1),
            unsent: match sent {
                Some(false) => self.unsent.saturating_add(1),
                _ => 0,
            },
            ..self
        }
    }

    /// The counts as they are before the next round, where the last one was at `last`: what has come
    /// in since is the answer to all of them.
    pub fn answered(self, last: Micros) -> Traffic {
        let unanswered = if self.last_rx >= last {
            0
        } else {
            self.unanswered
        };
        Traffic { unanswered, ..self }
    }

    /// Whether a round was not answered, or could not be sent.
    pub fn is_in_doubt(&self) -> bool {
        self.unanswered > 1 || self.unsent > 0
    }
}

/// What a slave has to do with the probes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Duty {
    /// It sends them and hears the answers: the active slave; every slave of a mode without one.
    Sends,
    /// It hears those of the active slave.
    Listens,
    /// There is no active slave; it is tried, or waits for its turn.
    Waits,
}

/// What a look at a link found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It stays as it is.
    Keep,
    /// It works again.
    Up,
    /// It works no more.
    Down,
    /// It was tried without success.
    GiveUp,
}

/// The settings of the monitor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Monitor {
    interval: Micros,
    missed_max: u32,
    /// Whether one slave sends for all.
    one_sends: bool,
}

impl Config {
    /// The ARP monitor of these options, if it is on.
    pub fn arp_monitor(&self) -> Option<Monitor> {
        let one_sends = match self.mode.row().probes {
            Probes::ByActive => true,
            Probes::ByEach => false,
            Probes::Refused => return None,
        };
        self.is_probed().then(|| Monitor {
            interval: u64::from(self.arp_interval).saturating_mul(1000),
            missed_max: u32::from(self.arp_missed_max),
            one_sends,
        })
    }
}

impl Monitor {
    /// What a slave has to do with the probes, in a bond that has an active slave or not.
    pub fn duty(&self, is_active: bool, has_active: bool) -> Duty {
        if !self.one_sends || is_active {
            Duty::Sends
        } else if has_active {
            Duty::Listens
        } else {
            Duty::Waits
        }
    }

    /// Whether one slave sends for all, so that slaves are tried in turn when there is none.
    pub fn one_sends(&self) -> bool {
        self.one_sends
    }

    /// Looks at a link.
    pub fn verdict(&self, link: Link, duty: Duty, traffic: &Traffic, now: Micros) -> Verdict {
        if link.is_up() {
            if duty == Duty::Waits {
                return Verdict::Keep;
            }
            let missed =
                traffic.unanswered >= self.rounds(duty) && now >= self.deadline(duty, traffic);
            let unsent = traffic.unsent >= self.missed_max.max(1) && now >= self.grace(traffic);
            return if missed || unsent {
                Verdict::Down
            } else {
                Verdict::Keep
            };
        }
        let recent = now.saturating_sub(traffic.last_rx) <= self.intervals(3, 2);
        if traffic.last_rx >= heard_from(link, traffic.since).max(1) && recent {
            Verdict::Up
        } else if matches!(link, Link::Tried { .. })
            && now >= traffic.since.saturating_add(self.interval)
        {
            Verdict::GiveUp
        } else {
            Verdict::Keep
        }
    }

    /// When a link that is up is down at the earliest, if nothing more is received.
    pub fn deadline(&self, duty: Duty, traffic: &Traffic) -> Micros {
        let patience = match (duty, self.missed_max) {
            // The answer to the next probe needs its time, too.
            (Duty::Sends, 0 | 1) => self.intervals(3, 2),
            (Duty::Sends, missed) => self.intervals(missed, 1),
            // The last probe of the active slave does, too.
            _ => self.intervals(self.rounds(duty).saturating_mul(2).saturating_add(1), 2),
        };
        let silent = traffic.last_rx.max(traffic.since).saturating_add(patience);
        silent.max(self.grace(traffic))
    }

    /// How many rounds must have been sent in vain. The last one may still be answered, and the first
    /// one of a new active slave may come too early for the backups to trust it.
    fn rounds(&self, duty: Duty) -> u32 {
        let rounds = self.missed_max.max(2);
        match duty {
            Duty::Sends => rounds,
            _ => rounds.saturating_add(1),
        }
    }

    /// A slave that has just joined or become active is left alone for two intervals at least.
    fn grace(&self, traffic: &Traffic) -> Micros {
        traffic.since.saturating_add(self.intervals(2, 1))
    }

    /// When the next round is due after one at `last`; `heard` tells whether that was answered by
    /// all who had to, `searching` that there is no active slave.
    pub fn next_round(&self, last: Micros, heard: bool, searching: bool) -> Micros {
        let pause = if heard || searching {
            self.interval
        } else {
            self.intervals(1, 2)
        };
        last.saturating_add(pause)
    }

    /// Whether something at `then` is at most one and a half intervals ago.
    pub fn is_recent(&self, then: Micros, now: Micros) -> bool {
        then != 0 && now.saturating_sub(then) <= self.intervals(3, 2)
    }

    /// How fine the time of reception has to be known.
    pub fn resolution(&self) -> Micros {
        self.interval.wrapping_shr(5)
    }

    /// Whether a clock whose ticks are this long is fine enough to tell that there is nothing to note.
    pub fn takes_ticks_of(&self, tick: Micros) -> bool {
        tick <= self.interval.wrapping_shr(4)
    }

    fn intervals(&self, numerator: u32, denominator: u32) -> Micros {
        let total = self.interval.saturating_mul(u64::from(numerator));
        total.checked_div(u64::from(denominator)).unwrap_or(total)
    }
}

/// From when on a slave whose link is not up has to be heard for it to be up; `since` is that of its [`Traffic`].
pub fn heard_from(link: Link, since: Micros) -> Micros {
    match link {
        Link::Tried { .. } | Link::GoingBack { .. } => since,
        // What came before the link went down, in the same millisecond, does not count.
        Link::Up { .. } | Link::GoingDown { .. } | Link::Down { .. } | Link::GivenUp { .. } => {
            link.since().saturating_add(1).saturating_mul(1000)
        }
    }
}

/// Whether it is news that a slave, or a target, was heard now, after it was noted at `noted`: it is the
/// first time since `from`, when something changed or a round of probes was sent, or in `resolution`. What
/// is no news is not written down: whoever sends many frames has no cache line written more often.
pub fn is_news(noted: Micros, from: Micros, resolution: Micros, now: Micros) -> bool {
    noted < from || now.saturating_sub(noted) > resolution
}

/// What the monitor looks at of the packets that a slave receives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Watch {
    /// Nothing.
    Nothing = 0,
    /// All of them: each shows that the link works.
    All = 1,
    /// ARP and IPv6, which show it.
    Neighbours = 2,
    /// What may be an answer of a target.
    Answers = 3,
}

impl Watch {
    /// What these options ask for; `hears` tells whether the slave hears the probes of another, and sends none.
    pub const fn of(config: &Config, hears: bool) -> Watch {
        if !config.is_probed() {
            Watch::Nothing
        } else if config.arp_validate.validates(hears) {
            Watch::Answers
        } else if config.arp_validate.filters() {
            Watch::Neighbours
        } else {
            Watch::All
        }
    }

    /// The one whose number the last two bits are.
    #[inline(always)]
    pub const fn from_bits(bits: u8) -> Watch {
        match bits & 3 {
            0 => Watch::Nothing,
            1 => Watch::All,
            2 => Watch::Neighbours,
            _ => Watch::Answers,
        }
    }

    /// Whether a packet of this protocol (`ETH_P_*`) may be one to look at. `next_header` is the byte at
    /// [`Discovery::NEXT_HEADER`] of an IPv6 packet, if it is at hand. For every packet.
    #[inline(always)]
    pub fn wants(self, protocol: u16, next_header: impl FnOnce() -> Option<u8>) -> bool {
        match self {
            Watch::Nothing => false,
            Watch::All => true,
            Watch::Neighbours => matches!(protocol, ETH_P_ARP | ETH_P_IPV6),
            Watch::Answers => match protocol {
                ETH_P_IPV6 => matches!(next_header(), None | Some(Discovery::ICMPV6)),
                ETH_P_ARP | ETH_P_8021Q | ETH_P_8021AD => true,
                _ => false,
            },
        }
    }
}

/// Why a frame that a slave received says something about its link; by the rules of the in-tree
/// driver (`bond_arp_rcv()`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trust {
    /// An answer: it must be from a target, to an address of the bond.
    Answer,
    /// A probe of the active slave, which came through the network: from the bond, to a target.
    Probe,
}

/// What the receiver of a frame has to know of its bond.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Receiver {
    /// Whether the slave is the active one, or the one that is being tried.
    pub is_active: bool,
    /// Whether the active slave, if there is one, has had an answer since it became active. Otherwise
    /// the bond might keep itself up by its own probes.
    pub active_was_heard: Option<bool>,
    /// Whether a slave that is being tried has sent a probe within the last one and a half intervals.
    pub tried_lately: bool,
}

impl Receiver {
    /// Whether a frame counts, and as what. A switch that has not learned of the change yet may
    /// deliver an answer to another slave than the one which asked, which is as good.
    pub fn trusts(&self, is_reply: bool) -> Option<Trust> {
        if self.is_active {
            Some(Trust::Answer)
        } else if self.active_was_heard == Some(true) {
            Some(Trust::Probe)
        } else if self.tried_lately && is_reply {
            Some(Trust::Answer)
        } else {
            None
        }
    }
}
