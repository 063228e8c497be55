// SPDX-License-Identifier: GPL-2.0

//! Which slave the flows of balance-tlb and balance-alb leave through, by their load.
//!
//! A hash puts each flow into one of 256 buckets. A bucket has a slave from its first packet on, the
//! one with the most room; a bucket without packets gives the slave up, so the next flow in that
//! bucket finds the best slave anew, and no packet can overtake another. Buckets in use are moved
//! only while a slave has noticeably more to do than another one, few at a time, and only where the
//! move helps.
//!
//! The table is memory of the caller. Packets do not change it: they are counted elsewhere, and the
//! caller hands in the counts at each look.

use crate::link::Millis;

/// The number of buckets.
pub const BUCKETS: usize = 256;

/// The counter of the packets that are in no bucket: they leave through the active slave.
pub const UNBALANCED: usize = BUCKETS;

/// The number of counters, and of entries in a table.
pub const COUNTERS: usize = BUCKETS + 1;

/// How often the caller looks at the counters, in milliseconds.
pub const LOOK: Millis = 1000;

/// After how many looks without a packet a bucket gives up its slave.
const IDLE_LOOKS: u8 = 2;

/// How many looks in a row have to find the load uneven before a bucket in use is moved.
const UNEVEN_LOOKS: u8 = 2;

/// How many looks a bucket that was moved stays where it is.
const REST_LOOKS: u8 = 10;

/// The most buckets in use that one look moves.
pub const MOVES: u32 = 8;

/// Two loads differ noticeably if they differ by this part of the higher one, at least.
const WORTH: u128 = 16;

/// A slave that uses no more than this part of its speed is not relieved: nobody would notice, but
/// packets could be reordered.
const FLOOR: u128 = 128;

/// Bytes per second that make up 1 Mbit/s.
const MBIT: u64 = 125_000;

/// Names a slave; no other slave of the bond has the same number while it is one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct SlaveId(pub u32);

/// A slave, as far as the load is concerned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Member {
    /// Its name.
    pub id: SlaveId,
    /// Its speed in Mbit/s, if the device tells it.
    pub speed: Option<u32>,
    /// Whether it can send.
    pub can_send: bool,
    /// Whether it is the active slave, through which everything leaves that is in no bucket.
    pub is_active: bool,
}

/// One bucket.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Bucket {
    /// The slave that its packets leave through, or left through last.
    slave: Option<SlaveId>,
    /// What its counter was at the last look, in bytes.
    seen: u64,
    /// Bytes per second, smoothed; 0 before the first look that has found packets.
    rate: u64,
    /// How many looks have found no packet, one after the other. Before the first packet of a flow
    /// was counted, as many as it takes to be idle.
    idle: u8,
    /// How many looks it is not moved any more.
    rest: u8,
    /// Whether it has got its slave since the last look.
    is_new: bool,
}

impl Bucket {
    /// A bucket that has never had a packet.
    pub const EMPTY: Bucket = Bucket {
        slave: None,
        seen: 0,
        rate: 0,
        idle: IDLE_LOOKS,
        rest: 0,
        is_new: false,
    };

    /// Whether it has a slave that its next packet may use without asking.
    const fn is_placed(&self) -> bool {
        self.slave.is_some() && (self.is_new || self.idle < IDLE_LOOKS)
    }

    /// Gives up its slave, but remembers it.
    fn rest_idle(&mut self) {
        self.idle = IDLE_LOOKS;
        self.rate = 0;
        self.is_new = false;
    }
}

/// What a look has found and done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Looked {
    /// How many buckets in use have another slave now.
    pub moved: u32,
    /// Whether all buckets are idle: there need be no other look before the next packet that asks
    /// for a slave.
    pub is_idle: bool,
}

/// The load of a slave: what it sends, and what it could send. Two loads are compared without a
/// division, so speeds of any size differ exactly.
#[derive(Clone, Copy, Debug)]
struct Load {
    /// Bytes per second.
    rate: u64,
    /// In Mbit/s, never 0.
    speed: u32,
}

impl Load {
    fn with(self, rate: u64) -> Load {
        Load {
            rate: self.rate.saturating_add(rate),
            ..self
        }
    }

    fn without(self, rate: u64) -> Load {
        Load {
            rate: self.rate.saturating_sub(rate),
            ..self
        }
    }

    /// The part of its speed that a slave uses, as a number that can be compared with that of a
    /// slave of the speed `other`.
    fn against(self, other: Load) -> u128 {
        u128::from(self.rate).saturating_mul(other.speed.into())
    }

    fn is_less_than(self, other: Load) -> bool {
        self.against(other) < other.against(self)
    }

    /// Whether it is noticeably less than the other one.
    fn is_much_less_than(self, other: Load) -> bool {
        self.against(other).saturating_mul(WORTH)
            < other.against(self).saturating_mul(WORTH.saturating_sub(1))
    }

    /// Whether it is so low that nothing is gained by a move.
    fn is_low(self, is_known: bool) -> bool {
        let all = u128::from(self.speed).saturating_mul(MBIT.into());
        is_known && u128::from(self.rate).saturating_mul(FLOOR) <= all
    }
}

/// The slave with the least load of all, once `rate` is added to that of each; the first of equals.
fn least<M>(loads: M, rate: u64) -> Option<(Member, Load)>
where
    M: Iterator<Item = (Member, Load)>,
{
    loads.reduce(|first, next| {
        if next.1.with(rate).is_less_than(first.1.with(rate)) {
            next
        } else {
            first
        }
    })
}

/// The slave with the most load of all; the first of equals.
fn most<M>(loads: M) -> Option<(Member, Load)>
where
    M: Iterator<Item = (Member, Load)>,
{
    loads.reduce(|first, next| {
        if first.1.is_less_than(next.1) {
            next
        } else {
            first
        }
    })
}

/// The buckets of a bond, and how often looks have found the load uneven.
#[derive(Debug)]
pub struct Table<'a> {
    /// [`COUNTERS`] entries; the last one is for the packets that are in no bucket, and never has a
    /// slave.
    pub buckets: &'a mut [Bucket],
    /// How many looks in a row have found the load uneven.
    pub uneven: &'a mut u8,
}

impl Table<'_> {
    /// The slave that the packets of a bucket leave through; `None` if it has to be
    /// [placed](Self::place) first.
    pub fn slave(&self, bucket: usize) -> Option<SlaveId> {
        let bucket = self.buckets.get(bucket)?;
        bucket.slave.filter(|_| bucket.is_placed())
    }

    /// Chooses a slave for a bucket whose next packet needs one. A bucket that was idle keeps its
    /// slave unless another one has noticeably more room. `None` if no slave can send.
    pub fn place<M>(&mut self, bucket: usize, members: M) -> Option<SlaveId>
    where
        M: Iterator<Item = Member> + Clone,
    {
        let rate = self.typical();
        let before = self.buckets.get(bucket).and_then(|it| it.slave);
        let (best, load) = least(self.loads(members.clone()), rate)?;
        let same = self
            .loads(members)
            .find(|(member, _)| Some(member.id) == before)
            .filter(|(_, same)| !load.with(rate).is_much_less_than(same.with(rate)));
        let id = same.map_or(best.id, |(member, _)| member.id);
        let place = self.buckets.get_mut(bucket)?;
        *place = Bucket {
            slave: Some(id),
            is_new: true,
            ..*place
        };
        Some(id)
    }

    /// Slaves have come, gone, or got another link: buckets in use whose slave cannot send get
    /// another one at once, and idle ones forget a slave that is gone. Returns how many buckets in
    /// use have another slave now.
    pub fn members_changed<M>(&mut self, members: M) -> u32
    where
        M: Iterator<Item = Member> + Clone,
    {
        let mut moved = 0u32;
        for place in 0..BUCKETS {
            let Some(bucket) = self.buckets.get_mut(place) else {
                return moved;
            };
            let Some(slave) = bucket.slave else {
                continue;
            };
            if members.clone().any(|it| it.id == slave && it.can_send) {
                continue;
            }
            let (is_placed, rate) = (bucket.is_placed(), bucket.rate);
            bucket.slave = None;
            if !is_placed {
                bucket.rest_idle();
            } else if let Some((best, _)) = least(self.loads(members.clone()), rate) {
                if let Some(bucket) = self.buckets.get_mut(place) {
                    bucket.slave = Some(best.id);
                    moved = moved.saturating_add(1);
                }
            } else if let Some(bucket) = self.buckets.get_mut(place) {
                bucket.rest_idle();
            }
        }
        moved
    }

    /// Looks at the counters, `elapsed` milliseconds after the last look. `count` returns what a
    /// counter has counted in all, in bytes; it may wrap.
    pub fn look<M>(&mut self, count: impl Fn(usize) -> u64, elapsed: Millis, members: M) -> Looked
    where
        M: Iterator<Item = Member> + Clone,
    {
        for (place, bucket) in (0..COUNTERS).zip(self.buckets.iter_mut()) {
            measure(bucket, count(place), elapsed);
        }
        let moved = self.even_out(members);
        Looked {
            moved,
            is_idle: self.flows().all(|(_, it)| it.idle >= IDLE_LOOKS),
        }
    }

    /// Begins afresh, with what each counter has counted so far.
    pub fn reset(&mut self, count: impl Fn(usize) -> u64) {
        for (place, bucket) in (0..COUNTERS).zip(self.buckets.iter_mut()) {
            *bucket = Bucket {
                seen: count(place),
                ..Bucket::EMPTY
            };
        }
        *self.uneven = 0;
    }

    /// Looks begin again, after a time without flows: what has left through the active slave
    /// meanwhile does not count.
    pub fn resume(&mut self, count: impl Fn(usize) -> u64) {
        if let Some(bucket) = self.buckets.get_mut(UNBALANCED) {
            (bucket.seen, bucket.rate) = (count(UNBALANCED), 0);
        }
    }

    /// What a slave sends, in bytes per second. A bucket that was not measured yet counts for
    /// `typical`.
    fn rate(&self, member: &Member, typical: u64) -> u64 {
        let its = self
            .flows()
            .filter(|(_, it)| it.slave == Some(member.id) && it.is_placed());
        let rates = its.map(|(_, it)| match it.rate {
            0 => typical,
            rate => rate,
        });
        let other = self.buckets.get(UNBALANCED).filter(|_| member.is_active);
        rates.fold(other.map_or(0, |it| it.rate), u64::saturating_add)
    }

    /// The buckets of flows, with their numbers.
    fn flows(&self) -> impl Iterator<Item = (usize, &Bucket)> + Clone {
        (0..BUCKETS).filter_map(|place| Some((place, self.buckets.get(place)?)))
    }

    /// The average rate of the buckets whose rate is known, at least 1.
    fn typical(&self) -> u64 {
        let rates = || self.flows().map(|(_, it)| it.rate);
        let known = rates().filter(|rate| *rate > 0);
        let count = known.fold(0u64, |count, _| count.saturating_add(1));
        let sum = rates().fold(0, u64::saturating_add);
        sum.checked_div(count).unwrap_or(0).max(1)
    }

    /// The loads of the slaves that can send. A speed that is not known counts as the lowest one
    /// that is.
    fn loads<'s, M>(&'s self, members: M) -> impl Iterator<Item = (Member, Load)> + Clone + 's
    where
        M: Iterator<Item = Member> + Clone + 's,
    {
        let able = members.filter(|it| it.can_send);
        let known = able.clone().filter_map(|it| it.speed).min();
        let unknown = known.unwrap_or(1).max(1);
        let typical = self.typical();
        able.map(move |member| {
            let speed = member.speed.unwrap_or(unknown).max(1);
            let rate = self.rate(&member, typical);
            (member, Load { rate, speed })
        })
    }

    /// Moves buckets in use from slaves with much load to others, if looks have found the load
    /// uneven for long enough. Returns how many.
    fn even_out<M>(&mut self, members: M) -> u32
    where
        M: Iterator<Item = Member> + Clone,
    {
        let mut moved = 0u32;
        while moved < MOVES {
            let Some((place, to)) = self.best_move(members.clone()) else {
                if moved == 0 {
                    *self.uneven = 0;
                }
                return moved;
            };
            if *self.uneven < UNEVEN_LOOKS {
                *self.uneven = self.uneven.saturating_add(1);
                if *self.uneven < UNEVEN_LOOKS {
                    return moved;
                }
            }
            if let Some(bucket) = self.buckets.get_mut(place) {
                bucket.slave = Some(to);
                bucket.rest = REST_LOOKS;
            }
            moved = moved.saturating_add(1);
        }
        moved
    }

    /// The bucket that relieves the busiest slave best, and the slave that has the most room, if
    /// their loads differ noticeably and a move makes the higher one lower. One of many flows need
    /// not gain much: others follow.
    fn best_move<M>(&self, members: M) -> Option<(usize, SlaveId)>
    where
        M: Iterator<Item = Member> + Clone,
    {
        let is_known = members.clone().any(|it| it.can_send && it.speed.is_some());
        let (busy, high) = most(self.loads(members.clone()))?;
        let (free, low) = least(self.loads(members), 0)?;
        if busy.id == free.id || high.is_low(is_known) || !low.is_much_less_than(high) {
            return None;
        }
        // The higher of the two loads after the move.
        let after = |rate: u64| {
            let (left, more) = (high.without(rate), low.with(rate));
            if left.is_less_than(more) {
                more
            } else {
                left
            }
        };
        let movable = self.flows().filter(|(_, it)| {
            it.slave == Some(busy.id) && it.rate > 0 && it.rest == 0 && it.is_placed()
        });
        let (place, bucket) = movable.reduce(|best, next| {
            if after(next.1.rate).is_less_than(after(best.1.rate)) {
                next
            } else {
                best
            }
        })?;
        after(bucket.rate)
            .is_less_than(high)
            .then_some((place, free.id))
    }
}

/// Takes note of a counter.
fn measure(bucket: &mut Bucket, count: u64, elapsed: Millis) {
    let bytes = count.wrapping_sub(bucket.seen);
    bucket.seen = count;
    bucket.rest = bucket.rest.saturating_sub(1);
    let was_new = core::mem::replace(&mut bucket.is_new, false);
    if bytes == 0 {
        bucket.idle = if was_new {
            // A packet has asked for a slave, and is counted in a moment.
            0
        } else {
            bucket.idle.saturating_add(1).min(IDLE_LOOKS)
        };
        bucket.rate = match bucket.idle {
            IDLE_LOOKS => 0,
            _ => smooth(bucket.rate, 0),
        };
        return;
    }
    let sample = bytes
        .saturating_mul(1000)
        .checked_div(elapsed)
        .unwrap_or(bytes);
    bucket.idle = 0;
    bucket.rate = match bucket.rate {
        0 => sample,
        rate => smooth(rate, sample),
    }
    .max(1);
}

/// Three parts of what was, and one of what is new.
fn smooth(before: u64, sample: u64) -> u64 {
    let (before, sample) = (before >> 2, sample >> 2);
    before.saturating_mul(3).saturating_add(sample)
}
