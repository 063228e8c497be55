// SPDX-License-Identifier: GPL-2.0

//! What the ARP monitor keeps for a bond and for its slaves. `probe.rs` fills and reads it.
//!
//! What slaves receive is noted in softirqs, in atomics; a packet that is not news writes nothing.

use core::num::NonZeroU8;
use core::sync::atomic::Ordering::{Relaxed, Release};
use core::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, AtomicU8, AtomicUsize};
use net::link_type::Broadcast;
use net::rtnl::RtnlCell;
use net::skbuff::Received;
use net::sync::{now_us, tick};
use policy::arp::{heard_from, Micros, Monitor, Traffic, Watch};
use policy::options::{ArpTargets, ArpValidate, NsTargets, MAX_TARGETS};
use policy::wire::ether::{ETH_P_ARP, ETH_P_IPV6};
use policy::wire::ndisc::Discovery;
use policy::{Config, Link};

/// What the monitor of a bond keeps.
pub(super) struct Prober {
    /// When the last round of probes was sent, in µs; 0 before the first.
    pub(super) round: AtomicU64,
    /// Whether the user was told of a target without a route.
    pub(super) told: AtomicBool,
}

impl Prober {
    pub(super) const fn new() -> Self {
        Self {
            round: AtomicU64::new(0),
            told: AtomicBool::new(false),
        }
    }
}

/// What counts as an answer.
#[derive(Clone, Copy)]
pub(super) struct Rules {
    pub(super) monitor: Option<Monitor>,
    pub(super) scope: Scope,
    pub(super) arp_targets: ArpTargets,
    pub(super) ns_targets: NsTargets,
}

impl Rules {
    pub(super) fn of(config: &Config) -> Self {
        Self {
            monitor: config.arp_monitor(),
            scope: Scope::of(config),
            arp_targets: config.arp_targets,
            ns_targets: config.ns_targets,
        }
    }
}

/// Which targets have to answer.
#[derive(Clone, Copy)]
pub(super) struct Scope {
    validate: ArpValidate,
    all_targets: bool,
    arp_targets: usize,
    ns_targets: usize,
}

impl Scope {
    pub(super) fn of(config: &Config) -> Self {
        Self {
            validate: config.arp_validate,
            all_targets: config.arp_all_targets,
            arp_targets: config.arp_targets.len(),
            ns_targets: config.ns_targets.len(),
        }
    }

    /// When a slave was last heard, in µs; where all targets must answer, the time of the target
    /// that has been silent for longest. `only_hears` tells whether the slave hears the probes of
    /// another slave, and sends none.
    pub(super) fn last_rx(&self, heard: &Heard, only_hears: bool) -> Micros {
        let last_rx = heard.last_rx.load(Relaxed);
        if !self.all_targets || !self.validate.validates(only_hears) {
            return last_rx;
        }
        let arp = heard.arp_rx.iter().take(self.arp_targets);
        let ns = heard.ns_rx.iter().take(self.ns_targets);
        Iterator::chain(arp, ns)
            .map(|it| it.load(Relaxed))
            .min()
            .unwrap_or(last_rx)
    }
}

/// What the monitor keeps for a slave. All times are in µs.
pub(super) struct Heard {
    /// Which packets are looked at: two bits ([`Watch`]) for while the slave sends probes, two for
    /// while it hears those of another slave, and [`WATCHES`]; 0 if none are.
    pub(super) watch: AtomicU8,
    /// The tick in which something was last noted, if nothing more has to be noted in that tick; or
    /// [`NO_TICK`].
    pub(super) noted: AtomicUsize,
    /// What is heard from this time on is news; see [`Heard::expect`].
    pub(super) news_from: AtomicU64,
    /// Whether the work was told of news since then.
    pub(super) told: AtomicBool,
    pub(super) last_rx: AtomicU64,
    pub(super) last_tx: AtomicU64,
    pub(super) since: AtomicU64,
    pub(super) unanswered: AtomicU32,
    pub(super) unsent: AtomicU32,
    /// When each target answered last, in the order of the options.
    pub(super) arp_rx: [AtomicU64; MAX_TARGETS],
    pub(super) ns_rx: [AtomicU64; MAX_TARGETS],
    pub(super) groups: RtnlCell<Groups>,
}

/// The solicited-node groups that a slave listens to as a backup.
#[derive(Clone, Copy)]
pub(super) struct Groups {
    /// The targets whose groups it has joined: a bit for each place in the option.
    pub(super) targets: u16,
    /// The broadcast address that the link had when they were joined.
    pub(super) link: Broadcast,
}

/// The bits of [`Heard::watch`], which are not all zero: some packets are looked at.
#[derive(Clone, Copy)]
pub(super) struct Watched(NonZeroU8);

impl Watched {
    /// Which packets are looked at while the slave hears the probes of another slave, or while it
    /// sends its own.
    #[inline(always)]
    pub(super) fn get(self, hears: bool) -> Watch {
        let bits = self.0.get();
        Watch::from_bits(if hears { bits >> 2 } else { bits })
    }

    /// Whether they are those of LACP, and not for the monitor.
    pub(super) fn is_lacp(self) -> bool {
        self.clients().is_none() && self.get(false) == Watch::SlowProtocols
    }

    /// Which packets tell of clients, if it is not the monitor that looks at packets.
    #[inline(always)]
    pub(super) fn clients(self) -> Option<OfClients> {
        let bits = self.0.get() & (OF_CLIENTS | WITH_IPV6);
        (bits != 0).then_some(OfClients {
            with_ipv6: bits & WITH_IPV6 != 0,
        })
    }
}

/// Which packets tell of the clients of a balance-alb bond.
#[derive(Clone, Copy)]
pub(super) struct OfClients {
    /// Whether neighbour discovery does, too.
    pub(super) with_ipv6: bool,
}

impl OfClients {
    /// Whether a packet of this protocol (`ETH_P_*`) may tell of one; `next_header` as for
    /// [`Watch::wants`].
    #[inline(always)]
    pub(super) fn wants(self, protocol: u16, next_header: impl FnOnce() -> Option<u8>) -> bool {
        match protocol {
            ETH_P_ARP => true,
            ETH_P_IPV6 if self.with_ipv6 => {
                matches!(next_header(), None | Some(Discovery::ICMPV6))
            }
            _ => false,
        }
    }
}

/// Whether any packets are looked at.
const WATCHES: u8 = 1 << 4;

/// Whether packets that tell of clients are looked at, and whether IPv6 does.
const OF_CLIENTS: u8 = 1 << 5;
const WITH_IPV6: u8 = 1 << 6;

/// Stands for no tick; only one tick in many million years has this value.
const NO_TICK: usize = usize::MAX;

impl Heard {
    pub(super) fn new() -> Self {
        Self {
            watch: AtomicU8::new(0),
            noted: AtomicUsize::new(NO_TICK),
            news_from: AtomicU64::new(0),
            told: AtomicBool::new(false),
            last_rx: AtomicU64::new(0),
            last_tx: AtomicU64::new(0),
            since: AtomicU64::new(0),
            unanswered: AtomicU32::new(0),
            unsent: AtomicU32::new(0),
            arp_rx: [const { AtomicU64::new(0) }; MAX_TARGETS],
            ns_rx: [const { AtomicU64::new(0) }; MAX_TARGETS],
            groups: RtnlCell::new(Groups {
                targets: 0,
                link: Broadcast::NONE,
            }),
        }
    }

    /// Which of the packets that the slave receives are looked at: see [`Heard::ignores`]. For
    /// every packet.
    #[inline(always)]
    pub(super) fn watched(&self) -> Option<Watched> {
        NonZeroU8::new(self.watch.load(Relaxed)).map(Watched)
    }

    /// Whether a packet need not be looked at, on a slave that is not a backup: the packet is not
    /// of a kind that counts, or one was noted a moment ago. For every packet.
    #[inline(always)]
    pub(super) fn ignores(&self, watched: Watched, packet: Received<'_>) -> bool {
        self.ignores_for(watched.get(false), packet)
    }

    #[inline(always)]
    pub(super) fn ignores_for(&self, watch: Watch, packet: Received<'_>) -> bool {
        let next_header = || packet.byte_in_place(Discovery::NEXT_HEADER);
        watch != Watch::Answers && self.noted.load(Relaxed) == tick()
            || !watch.wants(packet.protocol(), next_header)
    }

    /// Sets which packets are looked at while the slave sends probes, and while it hears those of
    /// another slave.
    pub(super) fn set_watch(&self, watch: Option<(Watch, Watch)>) {
        let bits = watch.map_or(0, |(sending, hearing)| {
            WATCHES | sending as u8 | (hearing as u8) << 2
        });
        self.watch.store(bits, Relaxed);
    }

    /// Has the packets looked at that tell of clients.
    pub(super) fn watch_clients(&self, of: OfClients) {
        let with_ipv6 = if of.with_ipv6 { WITH_IPV6 } else { 0 };
        self.watch.store(WATCHES | OF_CLIENTS | with_ipv6, Relaxed);
    }

    /// What is heard at this time or later is news: it is noted, and the work is told once.
    pub(super) fn expect(&self, from: Micros) {
        self.news_from.fetch_max(from, Relaxed);
        self.told.store(false, Relaxed);
        // Last: a receiver of a packet after this reads what was stored before.
        self.noted.store(NO_TICK, Release);
    }

    /// Judges the slave from now on only: it has joined, or is being tried.
    pub(super) fn start(&self) {
        let now = now_us();
        self.since.store(now, Relaxed);
        self.unanswered.store(0, Relaxed);
        self.unsent.store(0, Relaxed);
        self.expect(now);
    }

    /// The state of the slave's link has changed. If the link is not up, it leaves that state when
    /// the slave is heard.
    pub(super) fn link_changed(&self, link: Link) {
        self.expect(heard_from(link, self.since.load(Relaxed)));
    }

    /// What is known about the slave's traffic, if the last round of probes was at `round`.
    pub(super) fn traffic(&self, scope: &Scope, only_hears: bool, round: Micros) -> Traffic {
        let traffic = Traffic {
            last_rx: scope.last_rx(self, only_hears),
            since: self.since.load(Relaxed),
            unanswered: self.unanswered.load(Relaxed),
            unsent: self.unsent.load(Relaxed),
        };
        traffic.answered(round)
    }
}
