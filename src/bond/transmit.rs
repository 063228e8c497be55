// SPDX-License-Identifier: GPL-2.0

//! Which way a packet goes. No lock, no allocation, no shared cache line written.

use super::message::{netdev_err, Of};
use super::slave::Key;
use super::{is_active_backup, is_mode, tls, Bond, BondDev, SlaveDev};
use core::sync::atomic::Ordering;
use net::published::Slot;
use net::rcu::Rcu;
use net::rtnl::Rtnl;
use net::skbuff::{SkBuff, View, XMIT_DROP, XMIT_SUCCESS};
use net::sync::ratelimit;
use policy::hash::{Flow, HashPolicy, Packet};
use policy::transmit::{self, StandIn};
use policy::{LinkState, Mode};

/// Sends a packet. Bottom halves off.
///
/// All but the usual case is in functions of their own, which take the packet over: so this one needs
/// neither a stack frame nor a saved register.
#[inline(always)]
pub(super) fn start_xmit(dev: &BondDev, skb: SkBuff, rcu: &Rcu) -> i32 {
    if skb.queue_mapping() != 0 || skb.has_sec_path() {
        return start_xmit_seldom(dev, skb, rcu);
    }
    start_xmit_mode(dev, skb, rcu)
}

#[inline(always)]
fn start_xmit_mode(dev: &BondDev, skb: SkBuff, rcu: &Rcu) -> i32 {
    match dev.mode() {
        ACTIVE_BACKUP => match dev.slot_rcu(rcu, Slot::Active) {
            Some(active) if active.dev().has_link() => skb.transmit_through(active.dev()),
            active => start_xmit_lost(dev, skb, active, rcu),
        },
        XOR => start_xmit_hash(dev, skb, rcu),
        BROADCAST => broadcast(dev, skb, rcu),
        _ => start_xmit_turn(dev, skb, rcu),
    }
}

const ACTIVE_BACKUP: i32 = Mode::ActiveBackup as i32;
const XOR: i32 = Mode::Xor as i32;
const BROADCAST: i32 = Mode::Broadcast as i32;

#[inline(always)]
fn transmit_or_drop(dev: &BondDev, skb: SkBuff, slave: Option<&SlaveDev>) -> i32 {
    match slave {
        Some(slave) => skb.transmit_through(slave.dev()),
        None => drop_packet(dev, skb),
    }
}

#[cold]
#[inline(never)]
fn drop_packet(dev: &BondDev, skb: SkBuff) -> i32 {
    skb.drop_on(dev);
    XMIT_DROP
}

/// Sends a packet whose transmit queue may belong to a slave, or whose encryption may be left to one: that
/// of the moment when this was decided, which may be before a failover.
#[cold]
#[inline(never)]
fn start_xmit_seldom(dev: &BondDev, skb: SkBuff, rcu: &Rcu) -> i32 {
    if let Some(slave) = by_queue(dev, skb.queue_mapping(), rcu) {
        return transmit_elsewhere(dev, skb, slave);
    }
    if skb.has_sec_path() && is_active_backup(dev) {
        return match active_backup(dev, rcu) {
            Some(slave) => transmit_elsewhere(dev, skb, slave),
            None => drop_packet(dev, skb),
        };
    }
    start_xmit_mode(dev, skb, rcu)
}

/// Sends a packet while the active slave has no link, or there is none.
#[cold]
#[inline(never)]
fn start_xmit_lost(dev: &BondDev, skb: SkBuff, active: Option<&SlaveDev>, rcu: &Rcu) -> i32 {
    match active {
        Some(active) => transmit_elsewhere(dev, skb, stand_in(dev, rcu).unwrap_or(active)),
        None => drop_packet(dev, skb),
    }
}

#[inline(never)]
fn start_xmit_hash(dev: &BondDev, skb: SkBuff, rcu: &Rcu) -> i32 {
    const LAYER2: u8 = HashPolicy::Layer2 as u8;
    const LAYER34: u8 = HashPolicy::Layer34 as u8;
    const LAYER23: u8 = HashPolicy::Layer23 as u8;
    const ENCAP23: u8 = HashPolicy::Encap23 as u8;
    const ENCAP34: u8 = HashPolicy::Encap34 as u8;
    const VLAN_SRCMAC: u8 = HashPolicy::VlanSrcMac as u8;
    match dev.data().hash_policy.load(Ordering::Relaxed) {
        LAYER2 => start_xmit_quick(HashPolicy::Layer2, dev, skb, rcu),
        LAYER34 if !skb.has_socket() => start_xmit_layer34(dev, skb, rcu),
        LAYER23 => start_xmit_layer23(dev, skb, rcu),
        ENCAP23 => start_xmit_encap23(dev, skb, rcu),
        ENCAP34 => start_xmit_encap34(dev, skb, rcu),
        VLAN_SRCMAC => start_xmit_quick(HashPolicy::VlanSrcMac, dev, skb, rcu),
        _ => start_xmit_any_hash(dev, skb, rcu),
    }
}

#[inline(never)]
fn start_xmit_layer34(dev: &BondDev, skb: SkBuff, rcu: &Rcu) -> i32 {
    start_xmit_quick(HashPolicy::Layer34, dev, skb, rcu)
}

#[inline(never)]
fn start_xmit_layer23(dev: &BondDev, skb: SkBuff, rcu: &Rcu) -> i32 {
    start_xmit_quick(HashPolicy::Layer23, dev, skb, rcu)
}

#[inline(never)]
fn start_xmit_encap23(dev: &BondDev, skb: SkBuff, rcu: &Rcu) -> i32 {
    start_xmit_quick(HashPolicy::Encap23, dev, skb, rcu)
}

#[inline(never)]
fn start_xmit_encap34(dev: &BondDev, skb: SkBuff, rcu: &Rcu) -> i32 {
    start_xmit_quick(HashPolicy::Encap34, dev, skb, rcu)
}

#[inline(always)]
fn start_xmit_quick(policy: HashPolicy, dev: &BondDev, skb: SkBuff, rcu: &Rcu) -> i32 {
    let Some(hash) = policy::hash::quick(policy, Outgoing(dev, skb.view())) else {
        return start_xmit_any_hash(dev, skb, rcu);
    };
    match dev.choose(hash, rcu) {
        Some(slave) if slave.dev().has_link() => skb.transmit_through(slave.dev()),
        _ => start_xmit_hash_now(dev, skb, hash, rcu),
    }
}

#[inline(never)]
fn start_xmit_any_hash(dev: &BondDev, skb: SkBuff, rcu: &Rcu) -> i32 {
    let slave = tls::slave_of_packet(dev, &skb, rcu).or_else(|| by_hash(dev, hash(dev, &skb), rcu));
    transmit_or_drop(dev, skb, slave)
}

#[cold]
#[inline(never)]
fn start_xmit_hash_now(dev: &BondDev, skb: SkBuff, hash: u32, rcu: &Rcu) -> i32 {
    let slave = by_hash_now(dev, hash, rcu);
    transmit_or_drop(dev, skb, slave)
}

#[inline(never)]
fn start_xmit_turn(dev: &BondDev, skb: SkBuff, rcu: &Rcu) -> i32 {
    let slave = round_robin(dev, skb.view().is_igmp(), rcu);
    transmit_or_drop(dev, skb, slave)
}

/// Sends a packet through a slave that need not be the active one, unless it is to be encrypted by the
/// hardware of another: it would leave in clear.
#[cold]
fn transmit_elsewhere(dev: &BondDev, skb: SkBuff, slave: &SlaveDev) -> i32 {
    if skb.needs_other_ipsec(slave.dev()) {
        return drop_packet(dev, skb);
    }
    skb.transmit_through(slave.dev())
}

/// The slave that a packet would leave through; if `all`, as if all links worked. None in broadcast
/// mode.
pub(super) fn slave_of<'a>(
    dev: &'a BondDev,
    skb: &SkBuff,
    all: bool,
    rcu: &'a Rcu,
) -> Option<&'a SlaveDev> {
    if is_active_backup(dev) {
        active_backup(dev, rcu)
    } else if is_mode(dev, Mode::Broadcast) {
        None
    } else if !is_mode(dev, Mode::Xor) {
        round_robin(dev, skb.view().is_igmp(), rcu)
    } else if all {
        let place = hash(dev, skb).checked_rem(dev.lower_count())?;
        dev.lowers_rcu(rcu).nth(place as usize)
    } else {
        by_hash(dev, hash(dev, skb), rcu)
    }
}

/// The slave that a packet would leave through, and after `previous` the next one: only in broadcast
/// mode are there several.
pub(super) fn next_slave_of<'a>(
    dev: &'a BondDev,
    skb: &SkBuff,
    previous: Option<&SlaveDev>,
    rcu: &'a Rcu,
) -> Option<&'a SlaveDev> {
    if is_mode(dev, Mode::Broadcast) {
        let mut slaves = dev.lowers_rcu(rcu);
        if let Some(previous) = previous {
            slaves.find(|slave| core::ptr::eq(*slave, previous))?;
        }
        slaves.find(|slave| is_up(slave))
    } else if previous.is_none() {
        slave_of(dev, skb, false, rcu)
    } else {
        None
    }
}

/// The active slave; while that has lost its carrier and nobody has acted on it, a backup.
#[inline(always)]
pub(super) fn active_backup<'a>(dev: &'a BondDev, rcu: &'a Rcu) -> Option<&'a SlaveDev> {
    let active = dev.slot_rcu(rcu, Slot::Active)?;
    if active.dev().has_link() {
        return Some(active);
    }
    Some(stand_in(dev, rcu).unwrap_or(active))
}

/// Whether this slave, a backup, sends in place of an active one without carrier.
pub(super) fn stands_in(slave: &SlaveDev, rcu: &Rcu) -> bool {
    let dev = slave.master();
    is_active_backup(dev)
        && dev
            .slot_rcu(rcu, Slot::Active)
            .is_some_and(|active| !active.dev().has_link())
        && stand_in(dev, rcu).is_some_and(|stand_in| core::ptr::eq(stand_in, slave))
}

#[cold]
fn stand_in<'a>(dev: &'a BondDev, rcu: &'a Rcu) -> Option<&'a SlaveDev> {
    if !dev.data().link_events.load(Ordering::Relaxed) {
        return None;
    }
    transmit::stand_in(dev.lowers_rcu(rcu).map(|slave| StandIn {
        key: slave,
        carrier: slave.dev().has_link(),
        link: link_state(slave),
        prio: slave.data().prio(),
    }))
}

/// IGMP goes through the active slave, so that a switch sees it on one port only; all else in turn.
#[inline(always)]
pub(super) fn round_robin<'a>(
    dev: &'a BondDev,
    is_igmp: bool,
    rcu: &'a Rcu,
) -> Option<&'a SlaveDev> {
    if is_igmp {
        return dev
            .slot_rcu(rcu, Slot::Active)
            .or_else(|| after(dev, 0, rcu));
    }
    let bond = dev.data().get_ref();
    let turn = match bond.packets_per_slave.load(Ordering::Relaxed) {
        1 => bond.turn.increment(),
        packets => turn_of(bond, packets),
    };
    match dev.choose_of_all(turn, rcu) {
        Some(slave) if slave.dev().has_link() => Some(slave),
        _ => after(dev, turn, rcu),
    }
}

#[cold]
#[inline(never)]
fn turn_of(bond: &Bond, packets_per_slave: u16) -> u32 {
    let counter = match packets_per_slave {
        0 => net::sync::random_u32(),
        _ => bond.turn.increment(),
    };
    transmit::turn(counter, packets_per_slave)
}

/// The slave whose turn it is, or else the next one that can send.
#[cold]
#[inline(never)]
fn after<'a>(dev: &'a BondDev, turn: u32, rcu: &'a Rcu) -> Option<&'a SlaveDev> {
    let slot = transmit::slot(turn, dev.lower_count())?;
    let slaves = dev.lowers_rcu(rcu).map(|slave| (slave, can_send(slave)));
    transmit::take_turn(slaves, slot)
}

/// A packet on its way out, as the policy looks at it.
#[derive(Clone, Copy)]
struct Outgoing<'a>(&'a BondDev, View<'a>);

impl Packet for Outgoing<'_> {
    #[inline(always)]
    fn bytes<const N: usize>(&self, at: usize) -> Option<[u8; N]> {
        self.1.bytes(at)
    }

    #[inline(always)]
    fn in_one_piece<const N: usize>(&self, at: usize) -> Option<[u8; N]> {
        self.1.in_one_piece(at)
    }

    #[inline(always)]
    fn protocol(&self) -> u16 {
        self.1.protocol()
    }

    #[inline(always)]
    fn network_offset(&self) -> usize {
        self.1.network_offset()
    }

    #[inline(always)]
    fn vlan_tag(&self) -> u16 {
        self.1.vlan_tag()
    }

    fn flow_hash(&self) -> Option<u32> {
        self.1.l4_hash()
    }

    fn dissect(&self) -> Option<Flow> {
        let found = self.1.dissect(self.0.net())?;
        Some(Flow {
            src: found.src,
            dst: found.dst,
            ports: found.ports,
            icmp: found.icmp,
        })
    }

    #[inline(always)]
    fn has_own_dissector(&self) -> bool {
        self.0.net().has_flow_dissector()
    }
}

/// The hash of a packet, by `xmit_hash_policy`.
#[inline]
fn hash(dev: &BondDev, skb: &SkBuff) -> u32 {
    policy::hash::hash(hash_policy(dev), Outgoing(dev, skb.view()))
}

#[inline]
pub(super) fn hash_policy(dev: &BondDev) -> HashPolicy {
    let policy = dev.data().hash_policy.load(Ordering::Relaxed);
    HashPolicy::from_number(policy.into()).unwrap_or_default()
}

/// The slave that a hash picks among those that can send.
#[inline(always)]
pub(super) fn by_hash<'a>(dev: &'a BondDev, hash: u32, rcu: &'a Rcu) -> Option<&'a SlaveDev> {
    match dev.choose(hash, rcu) {
        Some(slave) if slave.dev().has_link() => Some(slave),
        _ => by_hash_now(dev, hash, rcu),
    }
}

/// As [`by_hash`], before [`links_changed`] has heard of a lost carrier.
#[cold]
#[inline(never)]
fn by_hash_now<'a>(dev: &'a BondDev, hash: u32, rcu: &'a Rcu) -> Option<&'a SlaveDev> {
    let able = || dev.lowers_rcu(rcu).filter(|slave| can_send(slave));
    let (count, last) = able().fold((0u32, None), |(count, _), slave| {
        (count.saturating_add(1), Some(slave))
    });
    let place = hash.checked_rem(count)?;
    // Another may have lost its carrier meanwhile.
    able()
        .nth(place as usize)
        .or_else(|| able().next())
        .or(last)
}

/// Notes which slaves can send, for the modes that choose by a number; without one that is about to
/// leave.
pub(super) fn links_changed(dev: &BondDev, leaving: Option<&SlaveDev>, rtnl: &Rtnl) {
    if !dev.data().config().mode.uses_number() {
        return;
    }
    let able = dev
        .lowers(rtnl)
        .filter(|slave| can_send(slave) && leaving.map(Key) != Some(Key(slave)));
    dev.set_choices(able, rtnl);
}

/// Sends a packet through all slaves whose links are up.
#[inline(never)]
fn broadcast(dev: &BondDev, skb: SkBuff, rcu: &Rcu) -> i32 {
    let mut slaves = dev.lowers_rcu(rcu).filter(|slave| is_up(slave));
    let Some(mut last) = slaves.next() else {
        return drop_packet(dev, skb);
    };
    let mut code = XMIT_DROP;
    for slave in slaves {
        match skb.try_clone() {
            Some(copy) => {
                if copy.transmit_through(last.dev()) == XMIT_SUCCESS {
                    code = XMIT_SUCCESS;
                }
            }
            None => warn_of_memory(dev, last),
        }
        last = slave;
    }
    if skb.transmit_through(last.dev()) == XMIT_SUCCESS {
        code = XMIT_SUCCESS;
    }
    if code == XMIT_DROP {
        SkBuff::count_drop_on(dev);
    }
    code
}

#[cold]
fn warn_of_memory(dev: &BondDev, slave: &SlaveDev) {
    if ratelimit() {
        netdev_err!(
            dev,
            "{}",
            Of(slave.dev(), "no memory for a copy of a packet; dropped it")
        );
    }
}

fn is_up(slave: &SlaveDev) -> bool {
    slave.dev().has_link() && link_state(slave) == LinkState::Up
}

pub(super) fn can_send(slave: &SlaveDev) -> bool {
    transmit::can_send(slave.dev().has_link(), link_state(slave), slave.is_backup())
}

/// The slave that the packet's transmit queue belongs to, in the modes that have that, if it works.
#[cold]
fn by_queue<'a>(dev: &'a BondDev, queue: u16, rcu: &'a Rcu) -> Option<&'a SlaveDev> {
    if queue == 0 || is_mode(dev, Mode::Xor) || is_mode(dev, Mode::Broadcast) {
        return None;
    }
    let slaves = dev
        .lowers_rcu(rcu)
        .map(|slave| (slave, slave.data().queue_id(), is_up(slave)));
    transmit::by_queue(slaves, queue)
}

#[inline(always)]
fn link_state(slave: &SlaveDev) -> LinkState {
    match slave.link() {
        0 => LinkState::Up,
        1 => LinkState::Fail,
        3 => LinkState::Back,
        _ => LinkState::Down,
    }
}
