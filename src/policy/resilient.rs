// SPDX-License-Identifier: GPL-2.0

//! A choice by the hash of a packet that moves few flows (`resilient_hash`).
//!
//! The hash picks among all members, as if all of them could send. If the one that the hash picks
//! cannot, its packets are spread over the others: each value of the hash has an order of its own in
//! which the others stand in. So when a member is lost, only the flows that it carried move. When it
//! comes back, these return to it, and its share of the flows of members that are still lost.

/// How many members there may be.
pub const MOST: u32 = 256;

/// About how many places a table has to have for the load of lost members to be spread evenly.
const PLACES: u32 = 1024;

/// How many places a table has at most.
const MOST_PLACES: u32 = 4096;

const WORDS: usize = 4;

/// Those that a hash chooses from, up to [`MOST`], and which of them can send.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Members {
    count: u32,
    able: [u64; WORDS],
}

impl Members {
    /// The members, in the order of the list, each with whether it can send; `None` if there are too
    /// many.
    pub fn of(members: impl Iterator<Item = bool>) -> Option<Members> {
        let mut all = Members::default();
        for can_send in members {
            let (word, bit) = place_of(all.count);
            *all.able.get_mut(word)? |= u64::from(can_send).wrapping_shl(bit);
            all.count = all.count.saturating_add(1);
        }
        Some(all)
    }

    fn can_send(&self, member: u32) -> bool {
        let (word, bit) = place_of(member);
        let word = self.able.get(word).copied().unwrap_or(0);
        member < self.count && word.wrapping_shr(bit) & 1 == 1
    }

    /// How many values of the hash the choice tells apart: a hash chooses the same member as its
    /// remainder by this number does.
    pub fn places(&self) -> u32 {
        let able: u32 = self.able.iter().map(|word| word.count_ones()).sum();
        match able == self.count {
            true => self.count,
            false => places(self.count),
        }
    }

    /// The member that a hash chooses; `None` if nobody can send.
    pub fn choose(&self, hash: u32) -> Option<u32> {
        let place = hash.checked_rem(places(self.count))?;
        let own = place.checked_rem(self.count)?;
        if self.can_send(own) {
            return Some(own);
        }
        // While one member is missing, each of the others gets the same share of its places.
        let others = self.count.saturating_sub(1);
        let turn = place.checked_div(self.count)?.checked_rem(others)?;
        let next = own.saturating_add(turn).saturating_add(1);
        let next = next.checked_rem(self.count)?;
        if self.can_send(next) {
            return Some(next);
        }
        // Further on, a number drawn from the place and the member decides: the highest that is left.
        (0..self.count)
            .filter(|member| self.can_send(*member))
            .max_by_key(|member| draw(place, *member))
    }
}

/// The word and the bit of a member.
fn place_of(member: u32) -> (usize, u32) {
    let word = usize::try_from(member.wrapping_shr(6)).unwrap_or(WORDS);
    (word, member & 63)
}

/// How many places a table for this many members has at most: a multiple of their number. Where
/// there is room, which is so up to 64 members, each member has a multiple of as many places as there
/// are others; beyond, the load of a lost member is spread over some of the others only.
pub fn places(members: u32) -> u32 {
    let others = members.saturating_sub(1).max(1);
    let pairs = members.saturating_mul(others);
    let each = match members {
        // Any order of two others is covered.
        0..=3 => others,
        _ => others.saturating_mul(PLACES.checked_div(pairs).unwrap_or(1).max(1)),
    };
    let room = MOST_PLACES.checked_div(members).unwrap_or(1).max(1);
    members.saturating_mul(each.min(room))
}

/// A number that looks random, and is always the same for the same place and member.
fn draw(place: u32, member: u32) -> u32 {
    // The last steps of MurmurHash3, which spread each bit over all others.
    let mut it = place
        .wrapping_mul(0x9e37_79b1)
        .wrapping_add(member.wrapping_mul(0x85eb_ca77));
    it = (it ^ it.wrapping_shr(16)).wrapping_mul(0x85eb_ca6b);
    it = (it ^ it.wrapping_shr(13)).wrapping_mul(0xc2b2_ae35);
    it ^ it.wrapping_shr(16)
}
