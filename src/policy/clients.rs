// SPDX-License-Identifier: GPL-2.0

//! Which slave each client of a balance-alb bond sends to.
//!
//! Each slave has a hardware address of its own. What a client is told in ARP, or in the neighbour
//! discovery of IPv6, is the address of the slave that it was assigned to, so what it sends arrives
//! on that slave. When the assignment or an address changes, the client is told: it is asked, from
//! the address that it is to use, for its own address. A client has to take the sender's address
//! from a question (RFC 826; RFC 4861, 7.2.3), at once and whatever it knew before, and its answer
//! shows that it has.
//!
//! The table is memory of the caller, in sets of [`WAYS`] entries. So two clients do not compete for
//! one place, and each packet looks at few entries.

use core::net::IpAddr;

use crate::balance::SlaveId;
use crate::link::Millis;
use crate::wire::frame::Mac;

/// The number of entries in a table.
pub const CLIENTS: usize = 1024;

/// The number of entries among which a client has its place.
pub const WAYS: usize = 8;

/// How often a client that does not answer is told.
const NOTICES: u8 = 4;

/// The time from the first notice to the second, in milliseconds; the next ones take three times as
/// long each.
const GAP: Millis = 100;

/// How long the notices wait that correct what a broadcast has told all clients, in milliseconds:
/// they must not overtake the broadcast, which goes through another slave.
const AFTER_BROADCAST: Millis = 20;

/// A slave, as far as clients are concerned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Member {
    /// Its name.
    pub id: SlaveId,
    /// Its hardware address.
    pub addr: Mac,
    /// Its speed in Mbit/s, if the device tells it.
    pub speed: Option<u32>,
    /// Whether it can send, and so can receive.
    pub can_send: bool,
}

/// One of our addresses, and the address of a client in the same VLAN.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pair {
    /// Our address.
    pub ours: IpAddr,
    /// The address of the client.
    pub theirs: IpAddr,
    /// The VLAN id; 0 for none.
    pub vid: u16,
}

/// An entry of the table.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Client(Option<Known>);

/// What is known of a client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Known {
    /// The addresses.
    pub pair: Pair,
    /// The hardware address of the client, once it is known.
    pub addr: Option<Mac>,
    /// The slave that it was assigned to; none while no slave can send.
    pub slave: Option<SlaveId>,
    /// The address of ours that the client was told last, if any.
    told: Option<Mac>,
    /// When it is told the next time, and how many times are left.
    notice: Option<(Millis, u8)>,
    /// When it was last used.
    used: Millis,
}

/// What a client is to be told: the caller sends it a question for [`Pair::theirs`] through this
/// slave, from the address of that slave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Notice {
    /// The addresses.
    pub pair: Pair,
    /// The hardware address of the client.
    pub addr: Mac,
    /// The slave that the client is to send to.
    pub slave: Member,
}

/// What was heard from a client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Heard {
    /// The hardware address of the client.
    pub addr: Mac,
    /// The address of ours that it has answered to, if this is an answer.
    pub answers: Option<Mac>,
}

/// The clients of a bond.
#[derive(Debug)]
pub struct Clients<'a>(pub &'a mut [Client]);

impl Clients<'_> {
    /// The clients that are known.
    pub fn known(&self) -> impl Iterator<Item = &Known> + Clone {
        self.0.iter().filter_map(|client| client.0.as_ref())
    }

    /// The client at a place of the table, if there is one.
    pub fn known_at(&self, place: usize) -> Option<Known> {
        self.0.get(place).and_then(|client| client.0)
    }

    fn known_mut(&mut self) -> impl Iterator<Item = &mut Known> {
        self.0.iter_mut().filter_map(|client| client.0.as_mut())
    }

    /// The entries among which a client has its place.
    fn set(&mut self, pair: &Pair) -> &mut [Client] {
        let sets = self.0.len().checked_div(WAYS).unwrap_or(0);
        let number = (spread(pair) as usize).checked_rem(sets).unwrap_or(0);
        let first = number.saturating_mul(WAYS);
        let last = first.saturating_add(WAYS).min(self.0.len());
        self.0.get_mut(first..last).unwrap_or_default()
    }

    fn find(&mut self, pair: &Pair) -> Option<&mut Known> {
        let known = self.set(pair).iter_mut().filter_map(|it| it.0.as_mut());
        let mut known = known.filter(|it| it.pair == *pair);
        known.next()
    }

    /// Whether one of our addresses has clients.
    pub fn serves(&self, ours: IpAddr) -> bool {
        self.known().any(|it| it.pair.ours == ours)
    }

    /// We are about to send a client a message that tells it an address of ours. Returns the slave
    /// through which the message has to leave, and whose address it has to tell; `None` if no slave
    /// can send.
    ///
    /// A client that is new gets the slave with the fewest clients for its speed. If there is no
    /// place left for it, the client that was used longest ago is forgotten; `fallback` is the slave
    /// that a client without an entry sends to, and the forgotten client is told so first.
    pub fn tells<M>(
        &mut self,
        pair: &Pair,
        addr: Option<Mac>,
        (members, fallback): (M, Option<Member>),
        now: Millis,
    ) -> (Option<Member>, Option<Notice>)
    where
        M: Iterator<Item = Member> + Clone,
    {
        let mut forgotten = None;
        if self.find(pair).is_none() {
            let slave = self.fewest(members.clone()).map(|it| it.id);
            let known = Known {
                pair: *pair,
                addr: None,
                slave,
                told: None,
                notice: None,
                used: now,
            };
            forgotten = self.insert(known).and_then(|it| {
                Some(Notice {
                    pair: it.pair,
                    addr: it.addr?,
                    slave: fallback.filter(|slave| it.told != Some(slave.addr))?,
                })
            });
        }
        let Some(client) = self.find(pair) else {
            return (None, forgotten);
        };
        client.used = now;
        client.addr = addr.or(client.addr);
        let slave = client.slave;
        let member = members
            .clone()
            .find(|it| Some(it.id) == slave && it.can_send);
        let member = match member {
            Some(member) => Some(member),
            None => self.fewest(members),
        };
        if let Some(client) = self.find(pair) {
            client.slave = member.map(|it| it.id);
            client.told = member.map(|it| it.addr);
            client.notice = None;
        }
        (member, forgotten)
    }

    /// Puts a client into the table. Returns the client that had its place.
    fn insert(&mut self, known: Known) -> Option<Known> {
        let oldest = |best: &Client| best.0.map_or(0, |it| it.used.saturating_add(1));
        let set = self.set(&known.pair);
        let place = set.iter_mut().min_by_key(|it| oldest(it))?;
        place.0.replace(known)
    }

    /// We are about to send all stations of a VLAN a message that tells them `addr` as the hardware
    /// address of `ours`: all clients of that address have to be corrected, but those that are to
    /// use `addr`. If the message is a question for `asked`, the client that answers is one from now
    /// on.
    pub fn broadcasts<M>(
        &mut self,
        (ours, vid): (IpAddr, u16),
        addr: Mac,
        asked: Option<IpAddr>,
        members: M,
        now: Millis,
    ) where
        M: Iterator<Item = Member> + Clone,
    {
        if let Some(theirs) = asked.filter(|theirs| *theirs != ours) {
            let pair = Pair { ours, theirs, vid };
            // A client that is new is told once its address is known.
            self.tells(&pair, None, (members.clone(), None), now);
        }
        let after = now.saturating_add(AFTER_BROADCAST);
        for client in self.known_mut() {
            if client.pair.ours != ours || client.pair.vid != vid {
                continue;
            }
            client.told = Some(addr);
            let slave = client.slave;
            let member = members.clone().find(|it| Some(it.id) == slave);
            if client.addr.is_some() && member.is_some_and(|it| it.addr != addr) {
                client.notice = Some((after, NOTICES));
            }
        }
    }

    /// A client was heard that asks for one of our addresses, or answers.
    pub fn heard<M>(&mut self, pair: &Pair, heard: Heard, members: M, now: Millis)
    where
        M: Iterator<Item = Member>,
    {
        let Some(client) = self.find(pair) else {
            return;
        };
        client.used = now;
        let is_new = client.addr.replace(heard.addr) != Some(heard.addr);
        let slave = client.slave;
        let mut members = members;
        let Some(member) = members.find(|it| Some(it.id) == slave) else {
            return;
        };
        if heard.answers == Some(member.addr) {
            client.told = Some(member.addr);
            client.notice = None;
        } else if is_new && client.told != Some(member.addr) {
            client.notice = Some((now, NOTICES));
        }
    }

    /// Somebody else says that one of our addresses is theirs: clients must not be told our hardware
    /// addresses any more.
    pub fn is_not_ours(&mut self, ours: IpAddr, vid: u16) {
        for client in self.0.iter_mut() {
            if client
                .0
                .is_some_and(|it| it.pair.ours == ours && it.pair.vid == vid)
            {
                client.0 = None;
            }
        }
    }

    /// A VLAN is gone, and with it its clients.
    pub fn vlan_gone(&mut self, vid: u16) {
        for client in self.0.iter_mut() {
            if client.0.is_some_and(|it| it.pair.vid == vid) {
                client.0 = None;
            }
        }
    }

    /// Slaves have come, gone, or got another link or address: each client that has lost its slave
    /// gets another one, no slave has more than its share, and clients that have to use another
    /// address than before are told. Returns how many clients have another slave now.
    pub fn members_changed<M>(&mut self, members: M, now: Millis) -> u32
    where
        M: Iterator<Item = Member> + Clone,
    {
        let mut moved = self.follow_addrs(members.clone());
        for place in 0..self.0.len() {
            let able = |id| members.clone().any(|it| Some(it.id) == id && it.can_send);
            let Some(client) = self.0.get(place).and_then(|it| it.0) else {
                continue;
            };
            if !able(client.slave) {
                let slave = self.fewest(members.clone()).map(|it| it.id);
                self.assign(place, slave);
                moved = moved.saturating_add(1);
            }
        }
        // Each round makes the shares more even, so there are at most as many as clients.
        for _ in 0..self.0.len() {
            let Some((place, slave)) = self.best_move(members.clone()) else {
                break;
            };
            self.assign(place, Some(slave));
            moved = moved.saturating_add(1);
        }
        for client in self.known_mut() {
            let slave = client.slave;
            let member = members.clone().find(|it| Some(it.id) == slave);
            let is_told = member.is_none_or(|it| client.told == Some(it.addr));
            client.notice = match client.notice {
                _ if is_told || client.addr.is_none() => None,
                Some(notice) => Some(notice),
                None => Some((now, NOTICES)),
            };
        }
        moved
    }

    fn assign(&mut self, place: usize, slave: Option<SlaveId>) {
        if let Some(client) = self.0.get_mut(place).and_then(|it| it.0.as_mut()) {
            client.slave = slave;
            client.notice = None;
        }
    }

    /// A client that has lost its slave, while another slave has taken over the address that the
    /// client was told, goes with the address: it need not be told anything. Returns how many have.
    fn follow_addrs<M>(&mut self, members: M) -> u32
    where
        M: Iterator<Item = Member> + Clone,
    {
        let mut moved = 0u32;
        for client in self.known_mut() {
            let slave = client.slave;
            let has_slave = members
                .clone()
                .any(|it| Some(it.id) == slave && it.can_send);
            let told = client.told;
            let heir = members
                .clone()
                .find(|it| it.can_send && Some(it.addr) == told);
            if let Some(heir) = heir.filter(|_| !has_slave) {
                client.slave = Some(heir.id);
                moved = moved.saturating_add(1);
            }
        }
        moved
    }

    /// The client to be told next, whose time has come. It counts as told.
    pub fn next_notice<M>(&mut self, members: M, now: Millis) -> Option<Notice>
    where
        M: Iterator<Item = Member> + Clone,
    {
        for client in self.known_mut() {
            let Some((due, left)) = client.notice.filter(|(due, _)| *due <= now) else {
                continue;
            };
            let slave = client.slave;
            let member = members
                .clone()
                .find(|it| Some(it.id) == slave && it.can_send);
            client.notice = None;
            let (Some(member), Some(addr)) = (member, client.addr) else {
                continue;
            };
            let done = NOTICES.saturating_sub(left);
            let gap = (0..done).fold(GAP, |gap, _| gap.saturating_mul(3));
            client.notice = match left.saturating_sub(1) {
                0 => None,
                left => Some((due.max(now).saturating_add(gap), left)),
            };
            client.told = Some(member.addr);
            return Some(Notice {
                pair: client.pair,
                addr,
                slave: member,
            });
        }
        None
    }

    /// When [`Self::next_notice`] has to be called, if at all.
    pub fn due(&self) -> Option<Millis> {
        let dues = self.known().filter_map(|it| it.notice.map(|(due, _)| due));
        dues.min()
    }

    fn count(&self, id: SlaveId) -> u64 {
        let its = self.known().filter(|it| it.slave == Some(id));
        its.fold(0, |count, _| count.saturating_add(1))
    }

    /// The slaves that can send, the number of clients that each has, and its speed. A speed that is
    /// not known counts as the lowest one that is.
    fn shares<'s, M>(&'s self, members: M) -> impl Iterator<Item = (Member, u64, u64)> + 's
    where
        M: Iterator<Item = Member> + Clone + 's,
    {
        let able = members.filter(|it| it.can_send);
        let known = able.clone().filter_map(|it| it.speed).min();
        let unknown = known.unwrap_or(1);
        able.map(move |it| {
            let speed = it.speed.unwrap_or(unknown).max(1);
            (it, self.count(it.id), speed.into())
        })
    }

    /// The slave that has the fewest clients for its speed, once it has one more; the first of
    /// equals.
    fn fewest<M>(&self, members: M) -> Option<Member>
    where
        M: Iterator<Item = Member> + Clone,
    {
        let best = self.shares(members).reduce(|best, next| {
            if is_less(more(next), more(best)) {
                next
            } else {
                best
            }
        });
        best.map(|(member, ..)| member)
    }

    /// A client, and the slave that it should move to, if one slave has more than its share.
    fn best_move<M>(&self, members: M) -> Option<(usize, SlaveId)>
    where
        M: Iterator<Item = Member> + Clone,
    {
        let to = self.fewest(members.clone())?;
        let after = self
            .shares(members.clone())
            .find(|(it, ..)| it.id == to.id)
            .map(more)?;
        let share = |(_, count, speed): (Member, u64, u64)| (count, speed);
        let from = self.shares(members).reduce(|most, next| {
            if is_less(share(most), share(next)) {
                next
            } else {
                most
            }
        })?;
        if !is_less(after, share(from)) {
            return None;
        }
        let is_its = |it: &Client| it.0.is_some_and(|it| it.slave == Some(from.0.id));
        let place = (0..self.0.len()).find(|place| self.0.get(*place).is_some_and(is_its))?;
        Some((place, to.id))
    }
}

/// The share of a slave that has one more client.
fn more((_, count, speed): (Member, u64, u64)) -> (u64, u64) {
    (count.saturating_add(1), speed)
}

/// Whether a number of clients at a speed is a smaller share than another one.
fn is_less((count, speed): (u64, u64), (other, other_speed): (u64, u64)) -> bool {
    count.saturating_mul(other_speed) < other.saturating_mul(speed)
}

/// A number that differs for neighbouring addresses (Fibonacci hashing).
fn spread(pair: &Pair) -> u32 {
    const GOLDEN: u32 = 0x9e37_79b1;
    let fold = |addr: IpAddr| match addr {
        IpAddr::V4(addr) => addr.to_bits(),
        IpAddr::V6(addr) => {
            let bits = addr.to_bits();
            (bits ^ (bits >> 32) ^ (bits >> 64) ^ (bits >> 96)) as u32
        }
    };
    let mixed = fold(pair.theirs)
        .wrapping_mul(GOLDEN)
        .wrapping_add(fold(pair.ours))
        .wrapping_add(pair.vid.into());
    mixed.wrapping_mul(GOLDEN) >> 16
}
