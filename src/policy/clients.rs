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
    /// What is still to be said.
    notice: Option<Pending>,
    /// When it was last used.
    used: Millis,
}

/// A notice that a client has not answered yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Pending {
    /// The address of ours that it tells.
    addr: Mac,
    /// When it is sent the next time.
    due: Millis,
    /// How many times it is sent from now on.
    left: u8,
}

impl Pending {
    const fn new(addr: Mac, due: Millis) -> Pending {
        Pending {
            addr,
            due,
            left: NOTICES,
        }
    }
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
            if client.addr.is_none() {
                continue;
            }
            let slave = client.slave;
            let member = members.clone().find(|it| Some(it.id) == slave);
            // One that is on its way is not put off: broadcasts may follow each other closely.
            let soon = client.notice.filter(|it| it.due <= after);
            client.notice = member
                .filter(|it| it.addr != addr)
                .map(|it| soon.unwrap_or(Pending::new(it.addr, after)));
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
            client.notice = Some(Pending::new(member.addr, now));
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
        let mut shares = Shares::of(self.known(), members.clone());
        for client in self.known_mut() {
            let slave = client.slave;
            let able = |it: &Member| Some(it.id) == slave && it.can_send;
            if !members.clone().any(|it| able(&it)) {
                client.slave = shares.fewest(members.clone()).map(|it| it.id);
                shares.give(members.clone(), client.slave);
                moved = moved.saturating_add(1);
            }
        }
        // Each move makes the shares more even, so there are at most as many as clients.
        for _ in 0..self.0.len() {
            let Some((from, to)) = shares.uneven(members.clone()) else {
                break;
            };
            let mut its = self.known_mut().filter(|it| it.slave == Some(from.id));
            let Some(client) = its.next() else {
                break;
            };
            client.slave = Some(to.id);
            shares.take(members.clone(), from.id);
            shares.give(members.clone(), Some(to.id));
            moved = moved.saturating_add(1);
        }
        for client in self.known_mut() {
            let slave = client.slave;
            let member = members.clone().find(|it| Some(it.id) == slave);
            let Some(member) = member.filter(|_| client.addr.is_some()) else {
                client.notice = None;
                continue;
            };
            // One that was sent, but not answered, goes on.
            let same = client.notice.filter(|it| it.addr == member.addr);
            client.notice = match same {
                None if client.told != Some(member.addr) => Some(Pending::new(member.addr, now)),
                same => same,
            };
        }
        moved
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
            let Some(notice) = client.notice.filter(|it| it.due <= now) else {
                continue;
            };
            let slave = client.slave;
            let member = members.clone().find(|it| Some(it.id) == slave);
            let (Some(member), Some(addr)) = (member, client.addr) else {
                client.notice = None;
                continue;
            };
            if !member.can_send {
                // Its link may be back soon; otherwise the client gets another slave.
                let due = now.saturating_add(GAP);
                client.notice = Some(Pending { due, ..notice });
                continue;
            }
            let done = NOTICES.saturating_sub(notice.left);
            let gap = (0..done).fold(GAP, |gap, _| gap.saturating_mul(3));
            client.notice = match notice.left.saturating_sub(1) {
                0 => None,
                left => Some(Pending {
                    addr: member.addr,
                    due: now.saturating_add(gap),
                    left,
                }),
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
        let dues = self.known().filter_map(|it| it.notice.map(|it| it.due));
        dues.min()
    }

    /// The slave that has the fewest clients for its speed, once it has one more; the first of
    /// equals.
    fn fewest<M>(&self, members: M) -> Option<Member>
    where
        M: Iterator<Item = Member> + Clone,
    {
        Shares::of(self.known(), members.clone()).fewest(members)
    }
}

/// The most slaves among which clients are shared; further ones get none.
const MOST: usize = 64;

/// How many clients each slave has, in the order of the slaves.
struct Shares([u64; MOST]);

impl Shares {
    fn of<'a, M>(clients: impl Iterator<Item = &'a Known>, members: M) -> Shares
    where
        M: Iterator<Item = Member> + Clone,
    {
        let mut shares = Shares([0; MOST]);
        for client in clients {
            shares.give(members.clone(), client.slave);
        }
        shares
    }

    /// A slave has one client more.
    fn give(&mut self, members: impl Iterator<Item = Member>, id: Option<SlaveId>) {
        for (count, member) in self.0.iter_mut().zip(members) {
            if Some(member.id) == id {
                *count = count.saturating_add(1);
                return;
            }
        }
    }

    /// A slave has one client less.
    fn take(&mut self, members: impl Iterator<Item = Member>, id: SlaveId) {
        for (count, member) in self.0.iter_mut().zip(members) {
            if member.id == id {
                *count = count.saturating_sub(1);
                return;
            }
        }
    }

    /// The slaves that can send, the number of clients that each has, and its speed. A speed that is
    /// not known counts as the lowest one that is.
    fn able<'s, M>(&'s self, members: M) -> impl Iterator<Item = (Member, u64, u64)> + 's
    where
        M: Iterator<Item = Member> + Clone + 's,
    {
        let known = members.clone().filter(|it| it.can_send);
        let unknown = known.filter_map(|it| it.speed).min().unwrap_or(1);
        let all = members.zip(self.0.iter());
        let able = all.filter(|(it, _)| it.can_send);
        able.map(move |(it, count)| {
            let speed = it.speed.unwrap_or(unknown).max(1);
            (it, *count, speed.into())
        })
    }

    /// See [`Clients::fewest`].
    fn fewest<M>(&self, members: M) -> Option<Member>
    where
        M: Iterator<Item = Member> + Clone,
    {
        self.least(members).map(|(member, ..)| member)
    }

    fn least<M>(&self, members: M) -> Option<(Member, u64, u64)>
    where
        M: Iterator<Item = Member> + Clone,
    {
        let mut best: Option<(Member, u64, u64)> = None;
        for next in self.able(members) {
            if best.is_none_or(|best| is_less(more(next), more(best))) {
                best = Some(next);
            }
        }
        best
    }

    /// A slave that has more than its share, and the one that has room for a client, if any.
    fn uneven<M>(&self, members: M) -> Option<(Member, Member)>
    where
        M: Iterator<Item = Member> + Clone,
    {
        let share = |(_, count, speed): (Member, u64, u64)| (count, speed);
        let to = self.least(members.clone())?;
        let mut from = to;
        for next in self.able(members) {
            if is_less(share(from), share(next)) {
                from = next;
            }
        }
        is_less(more(to), share(from)).then_some((from.0, to.0))
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
