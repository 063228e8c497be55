// SPDX-License-Identifier: GPL-2.0

//! The choice of a slave by a number: a hash, or the number of a turn. For every packet: no lock,
//! no allocation, no shared cache line written.

use super::links::can_send;
use super::master::{BondDev, SlaveDev};
use super::slave::Key;
use super::{balance, clients};
use kernel::error::Result;
use net::rcu::Rcu;
use net::rtnl::Rtnl;
use policy::mode::Sender;
use policy::resilient::{self, Members};
use policy::transmit;

/// The slave that a hash picks among those that can send.
#[inline(always)]
pub(super) fn by_hash<'a>(bond: &'a BondDev, hash: u32, rcu: &'a Rcu) -> Option<&'a SlaveDev> {
    match bond.choose(hash, rcu) {
        Some(slave) if slave.dev().has_link() => Some(slave),
        _ => by_hash_now(bond, hash, rcu),
    }
}

/// Like [`by_hash`], for when [`update`] has not learned of a lost carrier yet.
#[cold]
#[inline(never)]
pub(super) fn by_hash_now<'a>(bond: &'a BondDev, hash: u32, rcu: &'a Rcu) -> Option<&'a SlaveDev> {
    if bond.data().options.resilient_hash() {
        let sharers = || {
            bond.lowers_rcu(rcu)
                .filter(|slave| slave.data().has_share())
        };
        if let Some(members) = Members::of(sharers().map(can_send)) {
            let place = members.choose(hash)?;
            // The list may have become shorter in the meantime.
            let chosen = sharers().nth(place as usize);
            return chosen.or_else(|| sharers().find(|slave| can_send(slave)));
        }
    }
    let able = || bond.lowers_rcu(rcu).filter(|slave| can_send(slave));
    let (count, last) = able().fold((0u32, None), |(count, _), slave| {
        (count.saturating_add(1), Some(slave))
    });
    let place = hash.checked_rem(count)?;
    // Another slave may have lost its carrier in the meantime.
    able()
        .nth(place as usize)
        .or_else(|| able().next())
        .or(last)
}

/// Records which slaves can send, for the modes that choose by a number; leaves out `leaving`, a
/// slave that is about to leave.
pub(super) fn update(bond: &BondDev, leaving: Option<&SlaveDev>, rtnl: &Rtnl) {
    let config = bond.data().config(rtnl);
    if !config.uses_number() {
        return;
    }
    let is_able = |slave: &SlaveDev| can_send(slave) && leaving.map(Key) != Some(Key(slave));
    let sharers = || bond.lowers(rtnl).filter(|slave| slave.data().has_share());
    let members = || Members::of(sharers().map(is_able));
    let is_resilient = match config.sender() {
        Sender::Hash => config.resilient_hash && members().is_some(),
        // The load picks among the places; a slave that leaves has given up its share.
        Sender::Load => {
            bond.set_choices(sharers, rtnl);
            return balance::members_changed(bond, rtnl);
        }
        Sender::Turn | Sender::Active | Sender::All => false,
    };
    if !is_resilient {
        let able = || bond.lowers(rtnl).filter(|slave| is_able(slave));
        return bond.set_choices(able, rtnl);
    }
    bond.set_choices(
        || {
            let members = members().unwrap_or_default();
            (0..members.places())
                .filter_map(move |place| members.choose(place))
                .filter_map(move |place| sharers().nth(place as usize))
        },
        rtnl,
    );
}

/// Makes room in the table of choices for one more slave. May sleep.
pub(super) fn reserve(bond: &BondDev, rtnl: &Rtnl) -> Result {
    let slaves = bond.lower_count().saturating_add(1);
    match bond.data().config(rtnl).mode.row().sender {
        Sender::Hash => bond.reserve_choices(resilient::places(slaves).max(slaves), rtnl),
        Sender::Turn => bond.reserve_choices(slaves, rtnl),
        Sender::Load => {
            bond.reserve_choices(resilient::places(slaves).max(slaves), rtnl)?;
            balance::reserve(bond, rtnl)?;
            clients::reserve(bond, rtnl)
        }
        Sender::Active | Sender::All => Ok(()),
    }
}

/// The slave whose turn it is, or else the next one that can send.
#[cold]
#[inline(never)]
pub(super) fn after<'a>(bond: &'a BondDev, turn: u32, rcu: &'a Rcu) -> Option<&'a SlaveDev> {
    let slot = transmit::slot(turn, bond.lower_count())?;
    let slaves = bond.lowers_rcu(rcu).map(|slave| (slave, can_send(slave)));
    transmit::take_turn(slaves, slot)
}
