// SPDX-License-Identifier: GPL-2.0

//! The ARP monitor: whether a link works, judged by what comes in through it.
//!
//! Every `arp_interval` a *round* of probes goes out: ARP requests to `arp_ip_target`, neighbour
//! solicitations to `ns_ip6_target`. In active-backup mode the active slave sends them, and the
//! backups hear them through the switch; in the other modes every slave sends its own. A round that
//! has no answer after half an interval is repeated, so that one lost packet costs nothing. A link
//! is down when `arp_missed_max` rounds, and as many intervals, have passed without an answer; a
//! backup is given one and a half intervals more, and is not judged while the active slave is
//! without an answer.
//!
//! Both rounds and intervals are required: time alone would condemn a link because this machine
//! slept. So would a single round, which may only just have been sent; at least two are needed. A
//! link that is down comes up when something is heard on it again. Without an active slave, the
//! slaves are tried in turn, one per interval.

use crate::link::Link;
use crate::mode::Probes;
use crate::options::Config;
use crate::wire::ether::{ETH_P_8021AD, ETH_P_8021Q, ETH_P_ARP, ETH_P_IPV6, ETH_P_SLOW};
use crate::wire::ndisc::Discovery;

/// A point in time, or a length of time, in microseconds of a clock that never goes back.
pub type Micros = u64;

/// What is known about the traffic of one slave.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Traffic {
    /// When something that counts was last received, 0 for never; where all targets must answer,
    /// when the target that has been silent for longest was last heard.
    pub last_rx: Micros,
    /// The time from which the slave is judged: when it joined, or when the monitor began to try
    /// it. Where one slave sends for all, also when another slave became active, since the backups
    /// hear the probes of that slave from then on.
    pub since: Micros,
    /// The number of rounds since something was received; see [`Traffic::answered`].
    pub unanswered: u32,
    /// The number of consecutive rounds in which this slave had to send a probe, and could not.
    pub unsent: u32,
}

impl Traffic {
    /// The counts after another round. `before` is the time of the round before; `sent` tells
    /// whether a probe left through this slave, where it had to send one. A round that is sent
    /// early because a carrier came back is an extra one and does not count: its answer may come as
    /// late as that of the next round.
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

    /// The counts before the next round, where the last round was sent at `last`: what has come in
    /// since then is the answer to all rounds so far.
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

/// What part a slave has in the probing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Duty {
    /// The slave sends probes and hears the answers: the active slave, or every slave of a mode
    /// without an active slave.
    Sends,
    /// The slave hears the probes of the active slave.
    Listens,
    /// There is no active slave; the slave is tried, or waits for its turn.
    Waits,
}

/// What a look at a link found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The link stays as it is.
    Keep,
    /// The link works again.
    Up,
    /// The link no longer works.
    Down,
    /// The link was tried without success.
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
    /// What part a slave has in the probing, given whether it is the active slave and whether the
    /// bond has an active slave.
    pub fn duty(&self, is_active: bool, has_active: bool) -> Duty {
        if !self.one_sends || is_active {
            Duty::Sends
        } else if has_active {
            Duty::Listens
        } else {
            Duty::Waits
        }
    }

    /// Whether one slave sends for all, so that the slaves are tried in turn when none is active.
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

    /// The earliest time at which a link that is up goes down, if nothing more is received.
    pub fn deadline(&self, duty: Duty, traffic: &Traffic) -> Micros {
        let patience = match (duty, self.missed_max) {
            // The answer to the next probe needs time, too.
            (Duty::Sends, 0 | 1) => self.intervals(3, 2),
            (Duty::Sends, missed) => self.intervals(missed, 1),
            // The last probe of the active slave needs time, too.
            _ => self.intervals(self.rounds(duty).saturating_mul(2).saturating_add(1), 2),
        };
        let silent = traffic.last_rx.max(traffic.since).saturating_add(patience);
        silent.max(self.grace(traffic))
    }

    /// How many rounds must have been sent in vain. The last one may still be answered, and the
    /// first one of a new active slave may come too early for the backups to trust it.
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

    /// When the next round is due after one at `last`. `heard` tells whether that round has all the
    /// answers that it needs; `searching` tells that there is no active slave.
    pub fn next_round(&self, last: Micros, heard: bool, searching: bool) -> Micros {
        let pause = if heard || searching {
            self.interval
        } else {
            self.intervals(1, 2)
        };
        last.saturating_add(pause)
    }

    /// Whether `then` is at most one and a half intervals ago.
    pub fn is_recent(&self, then: Micros, now: Micros) -> bool {
        then != 0 && now.saturating_sub(then) <= self.intervals(3, 2)
    }

    /// How precisely the time of reception has to be known.
    pub fn resolution(&self) -> Micros {
        self.interval.wrapping_shr(5)
    }

    /// Whether a clock with ticks of this length is fine enough to tell that there is nothing to
    /// note.
    pub fn takes_ticks_of(&self, tick: Micros) -> bool {
        tick <= self.interval.wrapping_shr(4)
    }

    fn intervals(&self, numerator: u32, denominator: u32) -> Micros {
        let total = self.interval.saturating_mul(u64::from(numerator));
        total.checked_div(u64::from(denominator)).unwrap_or(total)
    }
}

/// The earliest time of reception that brings up a link that is not up; `since` is that of the
/// slave's [`Traffic`].
pub fn heard_from(link: Link, since: Micros) -> Micros {
    match link {
        Link::Tried { .. } | Link::GoingBack { .. } => since,
        // What came before the link went down, but in the same millisecond, does not count.
        Link::Up { .. } | Link::GoingDown { .. } | Link::Down { .. } | Link::GivenUp { .. } => {
            link.since().saturating_add(1).saturating_mul(1000)
        }
    }
}

/// Whether it is news that a slave, or a target, was heard now, after it was last noted at `noted`.
/// It is news if this is the first time since `from`, when something changed or a round of probes
/// was sent, or the first time within `resolution`. What is not news is not written down, so a peer
/// that sends many frames does not cause more writes to a cache line.
pub fn is_news(noted: Micros, from: Micros, resolution: Micros, now: Micros) -> bool {
    noted < from || now.saturating_sub(noted) > resolution
}

/// Which of the packets that a slave receives are looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Watch {
    /// LACPDUs and other slow protocols, for [`crate::lacp`].
    SlowProtocols = 0,
    /// All of them: each shows that the link works.
    All = 1,
    /// ARP and IPv6 packets, which show that the link works.
    Neighbours = 2,
    /// Packets that may be an answer from a target.
    Answers = 3,
}

impl Watch {
    /// What these options ask for, if anything; `hears` tells whether the slave hears the probes of
    /// another slave, and sends none itself.
    pub const fn of(config: &Config, hears: bool) -> Option<Watch> {
        if config.mode.runs_lacp() {
            Some(Watch::SlowProtocols)
        } else if !config.is_probed() {
            None
        } else if config.arp_validate.validates(hears) {
            Some(Watch::Answers)
        } else if config.arp_validate.filters() {
            Some(Watch::Neighbours)
        } else {
            Some(Watch::All)
        }
    }

    /// The value whose number is in the lowest two bits.
    #[inline(always)]
    pub const fn from_bits(bits: u8) -> Watch {
        match bits & 3 {
            0 => Watch::SlowProtocols,
            1 => Watch::All,
            2 => Watch::Neighbours,
            _ => Watch::Answers,
        }
    }

    /// Whether a packet of this protocol (`ETH_P_*`) may be one to look at. `next_header` is the
    /// byte at [`Discovery::NEXT_HEADER`] of an IPv6 packet, if it is at hand. Runs for every
    /// packet.
    #[inline(always)]
    pub fn wants(self, protocol: u16, next_header: impl FnOnce() -> Option<u8>) -> bool {
        match self {
            Watch::SlowProtocols => protocol == ETH_P_SLOW,
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

/// What the receiver of a frame has to know about its bond.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Receiver {
    /// Whether the slave is the active one, or the one that is being tried.
    pub is_active: bool,
    /// Whether the active slave, if there is one, has had an answer since it became active. Without
    /// this condition, the bond might keep itself up by its own probes.
    pub active_was_heard: Option<bool>,
    /// Whether a slave that is being tried has sent a probe within the last one and a half
    /// intervals.
    pub tried_lately: bool,
}

impl Receiver {
    /// Whether a frame counts, and as what. A switch that has not yet learned of a change may
    /// deliver an answer to a slave other than the one that asked; such an answer is as good.
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
