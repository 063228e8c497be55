// SPDX-License-Identifier: GPL-2.0

//! Statistics: what a device has counted since the bond looked last.
//!
//! A bond adds up what its slaves count. Most counters have 64 bits and only grow. Those of some
//! devices have 32 bits and begin at zero again after 2^32, and some drivers begin at zero again
//! when a device is reset. Nothing says which kind a counter is, so it is judged by what it does:
//!
//! - A counter that is higher than it was has grown by the difference, however much that is.
//! - A counter that is lower has wrapped if that means that it grew by at most 2^31, if it was
//!   never beyond 32 bits, and if each other counter of the device is either no lower, or may have
//!   wrapped as well. A reset also takes the packet counter back, which is far from 2^32 when the
//!   byte counter is near it.
//! - Otherwise the device was reset, and a counter that is lower has grown by nothing.
//!
//! So the sum never goes back, and a reset adds nothing that was not counted.

/// The most that a counter of 32 bits may grow between two looks, so that a wrap can be told from a
/// counter that went back.
const MAX_WRAP: u64 = 1 << 31;

/// The size of a counter of 32 bits.
const NARROW: u64 = 1 << 32;

/// The counters of a device, as they were when they were last read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Counters<const N: usize> {
    last: [Counter; N],
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Counter {
    value: u64,
    /// Whether it was ever beyond 32 bits.
    is_wide: bool,
}

/// What a counter has done.
enum Moved {
    Ahead(u64),
    MaybeWrapped(u64),
    Back,
}

impl Counter {
    const fn moved(self, now: u64) -> Moved {
        if let Some(more) = now.checked_sub(self.value) {
            return Moved::Ahead(more);
        }
        let wrapped = now.wrapping_add(NARROW).wrapping_sub(self.value);
        if self.is_wide || wrapped > MAX_WRAP {
            Moved::Back
        } else {
            Moved::MaybeWrapped(wrapped)
        }
    }
}

impl<const N: usize> Counters<N> {
    /// The counters of a device that nobody has read before.
    pub fn new(now: [u64; N]) -> Self {
        Counters {
            last: now.map(|value| Counter {
                value,
                is_wide: value >= NARROW,
            }),
        }
    }

    /// Adds to `sum` what was counted since the last call. `now` is what the counters say.
    pub fn add_new(&mut self, sum: &mut [u64; N], now: [u64; N]) {
        let was_reset = self
            .last
            .iter()
            .zip(now)
            .any(|(counter, now)| matches!(counter.moved(now), Moved::Back));
        for ((counter, sum), now) in self.last.iter_mut().zip(sum).zip(now) {
            let more = match counter.moved(now) {
                Moved::Ahead(more) => more,
                Moved::MaybeWrapped(more) if !was_reset => more,
                Moved::MaybeWrapped(_) | Moved::Back => 0,
            };
            *sum = sum.wrapping_add(more);
            counter.value = now;
            counter.is_wide |= now >= NARROW;
        }
    }
}
