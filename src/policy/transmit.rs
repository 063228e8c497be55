// SPDX-License-Identifier: GPL-2.0

//! Which slave a packet leaves through. All of this runs for every packet.

use core::fmt::Write;

use crate::link::LinkState;
use crate::name::IfName;
use crate::options::{Excerpt, OptionError, OptionId, Reason};

/// Whose turn it is in balance-rr: the number of a slave, where counting goes on with the first
/// slave after the last one.
///
/// `counter` is a number that grows by one with each packet, or a random number if
/// `packets_per_slave` is 0.
#[inline(always)]
pub fn turn(counter: u32, packets_per_slave: u16) -> u32 {
    match packets_per_slave {
        0 | 1 => counter,
        packets => counter.checked_div(u32::from(packets)).unwrap_or(counter),
    }
}

/// The place in the list of the slave whose [`turn`] it is; `None` if there are no slaves.
#[inline]
pub const fn slot(turn: u32, slaves: u32) -> Option<u32> {
    turn.checked_rem(slaves)
}

/// The slave at this place of the list, or else the next one that can send, starting over at the
/// beginning. Each slave comes with whether it can send.
#[inline]
pub fn take_turn<K: Copy>(slaves: impl Iterator<Item = (K, bool)>, slot: u32) -> Option<K> {
    let mut before = None;
    let mut ahead = slot;
    for (key, can_send) in slaves {
        match ahead.checked_sub(1) {
            Some(fewer) => ahead = fewer,
            None if can_send => return Some(key),
            None => continue,
        }
        if can_send && before.is_none() {
            before = Some(key);
        }
    }
    before
}

/// Whether a slave can send in the modes that use all slaves: it is running and has carrier, its
/// link counts as up, and it does not stand by.
#[inline]
pub const fn can_send(carrier: bool, link: LinkState, backup: bool) -> bool {
    carrier && matches!(link, LinkState::Up) && !backup
}

/// A slave that may take a packet in place of an active one without carrier.
#[derive(Clone, Copy, Debug)]
pub struct StandIn<K> {
    /// The slave.
    pub key: K,
    /// Whether it is running and has carrier.
    pub carrier: bool,
    /// Its link, after the delays.
    pub link: LinkState,
    /// Its `prio`.
    pub prio: i32,
}

/// The slave that takes a packet while the active slave has no carrier, before the failover that is
/// about to come: of the slaves with carrier, the one with the highest priority whose link is up
/// (the first of equals); if none is up, the first one whose `updelay` is running.
#[inline]
pub fn stand_in<K: Copy>(slaves: impl Iterator<Item = StandIn<K>>) -> Option<K> {
    let rank = |it: &StandIn<K>| match it.link {
        LinkState::Up => Some((true, it.prio)),
        LinkState::Back => Some((false, 0)),
        LinkState::Fail | LinkState::Down => None,
    };
    let mut best: Option<(K, (bool, i32))> = None;
    for slave in slaves.filter(|it| it.carrier) {
        if let Some(rank) = rank(&slave) {
            if best.is_none_or(|(_, so_far)| rank > so_far) {
                best = Some((slave.key, rank));
            }
        }
    }
    best.map(|(key, _)| key)
}

/// The slave that has this queue as its `queue_id`, if its link is up. Each slave comes with its
/// `queue_id`, and with whether it has carrier and its link counts as up.
#[inline]
pub fn by_queue<K>(slaves: impl Iterator<Item = (K, u16, bool)>, queue_mapping: u16) -> Option<K> {
    let mut owner = slaves.filter(|&(_, queue_id, _)| queue_id == queue_mapping);
    owner
        .next()
        .and_then(|(key, _, is_up)| is_up.then_some(key))
}

/// Whether a slave may get this `queue_id`: the bond must have the queue (0 to its number of
/// queues), and no other slave may have it, except for 0.
///
/// # Errors
///
/// [`Reason::InvalidQueue`]: `EPERM`, as in the in-tree driver.
pub fn check_queue_id(
    slave: IfName,
    queue: u16,
    queues: u32,
    mut others: impl Iterator<Item = u16>,
) -> Result<(), OptionError> {
    if u32::from(queue) <= queues && (queue == 0 || others.all(|other| other != queue)) {
        return Ok(());
    }
    let mut given = Excerpt::new(&[]);
    // An excerpt takes what fits and never fails.
    let _ = write!(given, "{slave}:{queue}");
    Err(OptionError {
        option: OptionId::QueueId,
        reason: Reason::InvalidQueue(given),
    })
}
