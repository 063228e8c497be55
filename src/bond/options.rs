// SPDX-License-Identifier: GPL-2.0

//! The options of a bond, and all copies of them that are read where RTNL is not held.

use super::heard::Rules;
use core::sync::atomic::{AtomicBool, AtomicU16, AtomicU64, AtomicU8, Ordering};
use kernel::prelude::*;
use kernel::sync::SetOnce;
use net::new_rtnl_lock;
use net::rtnl::Rtnl;
use net::sync::{Latch, RtnlLock, TICK_US};
use policy::arp::Micros;
use policy::hash::HashPolicy;
use policy::mode::Sender;
use policy::Config;

static DEFAULTS: SetOnce<Config> = SetOnce::new();

/// Sets the options that new bonds have; once, when the module is loaded.
pub(crate) fn set_defaults(config: Config) {
    DEFAULTS.populate(config);
}

/// Returns the options that new bonds have.
pub(crate) fn defaults() -> Config {
    DEFAULTS.as_ref().copied().unwrap_or_default()
}

/// The options of a bond.
#[pin_data]
pub(crate) struct Options {
    #[pin]
    config: RtnlLock<Config>,
    /// What is read for each packet.
    traffic: Traffic,
    /// `config.reads_carrier()`, for polls: whether the carrier is what the device reports, which
    /// can be read without a lock.
    reads_carrier: AtomicBool,
    /// What counts as an answer to the ARP monitor, for the receive path.
    rules: Latch<Rules>,
    /// The resolution that reception times need, in µs, and whether ticks are fine enough for it;
    /// also for the receive path.
    resolution: AtomicU64,
    takes_ticks: AtomicBool,
}

/// What is read for a packet that leaves.
struct Traffic {
    link_events: AtomicBool,
    packets_per_slave: AtomicU16,
    hash_policy: AtomicU8,
    resilient_hash: AtomicBool,
    goes_by_load: AtomicBool,
    rlb_ipv6: AtomicBool,
}

impl Options {
    pub(super) fn new(config: Config) -> impl PinInit<Self> {
        let traffic = Traffic {
            link_events: AtomicBool::new(config.link_events),
            packets_per_slave: AtomicU16::new(config.packets_per_slave),
            hash_policy: AtomicU8::new(hash_policy(&config)),
            resilient_hash: AtomicBool::new(config.resilient_hash),
            goes_by_load: AtomicBool::new(config.sender() == Sender::Load),
            rlb_ipv6: AtomicBool::new(config.rlb_ipv6),
        };
        pin_init!(Self {
            traffic,
            reads_carrier: AtomicBool::new(config.reads_carrier()),
            rules: Latch::new(Rules::of(&config)),
            resolution: AtomicU64::new(resolution(&config)),
            takes_ticks: AtomicBool::new(takes_ticks(&config)),
            config <- new_rtnl_lock!(config, "Bond::config"),
        })
    }

    /// Returns the options.
    #[inline]
    pub(super) fn get(&self, rtnl: &Rtnl) -> Config {
        self.config.get(rtnl)
    }

    /// Returns a copy of the options. Process context, without RTNL.
    pub(crate) fn copy(&self) -> Config {
        self.config.copy()
    }

    /// Replaces the options, and everything that is published of them here.
    pub(super) fn publish(&self, config: Config, rtnl: &Rtnl) {
        self.config.set(rtnl, config);
        let Traffic {
            link_events,
            packets_per_slave,
            hash_policy,
            resilient_hash,
            goes_by_load,
            rlb_ipv6,
        } = &self.traffic;
        link_events.store(config.link_events, Ordering::Relaxed);
        packets_per_slave.store(config.packets_per_slave, Ordering::Relaxed);
        let number = self::hash_policy(&config);
        hash_policy.store(number, Ordering::Relaxed);
        resilient_hash.store(config.resilient_hash, Ordering::Relaxed);
        goes_by_load.store(config.sender() == Sender::Load, Ordering::Relaxed);
        rlb_ipv6.store(config.rlb_ipv6, Ordering::Relaxed);
        self.reads_carrier
            .store(config.reads_carrier(), Ordering::Relaxed);
        self.resolution
            .store(resolution(&config), Ordering::Relaxed);
        self.takes_ticks
            .store(takes_ticks(&config), Ordering::Relaxed);
        self.rules.set(Rules::of(&config), rtnl);
    }

    /// `link_events`. Any context.
    #[inline(always)]
    pub(super) fn link_events(&self) -> bool {
        self.traffic.link_events.load(Ordering::Relaxed)
    }

    /// `packets_per_slave`. Any context.
    #[inline(always)]
    pub(super) fn packets_per_slave(&self) -> u16 {
        self.traffic.packets_per_slave.load(Ordering::Relaxed)
    }

    /// `xmit_hash_policy`, as a number, and [`BROADCAST_NEIGHBOR`]. Any context.
    #[inline(always)]
    pub(super) fn hash_policy_number(&self) -> u8 {
        self.traffic.hash_policy.load(Ordering::Relaxed)
    }

    /// `xmit_hash_policy`. Any context.
    #[inline]
    pub(super) fn hash_policy(&self) -> HashPolicy {
        let number = self.hash_policy_number() & !BROADCAST_NEIGHBOR;
        HashPolicy::from_number(number.into()).unwrap_or_default()
    }

    /// `resilient_hash`. Any context.
    pub(super) fn resilient_hash(&self) -> bool {
        self.traffic.resilient_hash.load(Ordering::Relaxed)
    }

    /// Whether the load picks the slave of a packet. Any context.
    #[inline(always)]
    pub(super) fn goes_by_load(&self) -> bool {
        self.traffic.goes_by_load.load(Ordering::Relaxed)
    }

    /// `rlb_ipv6`. Any context.
    pub(super) fn rlb_ipv6(&self) -> bool {
        self.traffic.rlb_ipv6.load(Ordering::Relaxed)
    }

    /// `broadcast_neighbor`. Any context.
    pub(super) fn broadcasts_neighbor(&self) -> bool {
        self.hash_policy_number() & BROADCAST_NEIGHBOR != 0
    }

    /// Whether the carrier of a slave is the one that its device reports. Any context.
    pub(super) fn reads_carrier(&self) -> bool {
        self.reads_carrier.load(Ordering::Relaxed)
    }

    /// What counts as an answer to the ARP monitor. Any context.
    pub(super) fn rules(&self) -> Rules {
        self.rules.get()
    }

    /// The resolution that reception times need, in µs. Any context.
    pub(super) fn resolution(&self) -> Micros {
        self.resolution.load(Ordering::Relaxed)
    }

    /// Whether timer ticks are fine enough for reception times. Any context.
    pub(super) fn takes_ticks(&self) -> bool {
        self.takes_ticks.load(Ordering::Relaxed)
    }
}

/// The bit beside the number of the hash policy that stands for `broadcast_neighbor`. With this bit,
/// the number is that of no policy, so only packets whose policy is not found right away are asked
/// whether they are for the neighbours.
const BROADCAST_NEIGHBOR: u8 = 0x80;

fn hash_policy(config: &Config) -> u8 {
    let bit = if config.broadcast_neighbor {
        BROADCAST_NEIGHBOR
    } else {
        0
    };
    config.xmit_hash_policy as u8 | bit
}

fn resolution(config: &Config) -> Micros {
    config.arp_monitor().map_or(0, |it| it.resolution())
}

fn takes_ticks(config: &Config) -> bool {
    config
        .arp_monitor()
        .is_some_and(|it| it.takes_ticks_of(TICK_US))
}
