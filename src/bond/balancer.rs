// SPDX-License-Identifier: GPL-2.0

//! What a bond keeps of the load of its slaves. `balance.rs` fills and reads it.

use core::sync::atomic::{AtomicU16, Ordering};
use kernel::prelude::*;
use net::new_bh_lock;
use net::sync::{BhLock, PerCpuCounters};
use policy::balance::{Bucket, SlaveId, Table, BUCKETS, COUNTERS};
use policy::Millis;

/// What is kept of the load.
#[pin_data]
pub(super) struct Balancer {
    /// For each bucket, one more than the place of its slave in the table of choices; 0 if its next
    /// packet has to ask.
    places: [AtomicU16; BUCKETS],
    /// What was sent, in bytes.
    pub(super) sent: PerCpuCounters<COUNTERS>,
    #[pin]
    pub(super) state: BhLock<State>,
}

pub(super) struct State {
    /// Empty until the first slave joins in one of these modes.
    pub(super) buckets: KVec<Bucket>,
    uneven: u8,
    /// When the counters were looked at last.
    pub(super) looked: Millis,
    /// Whether another look is to come.
    pub(super) looks: bool,
}

impl State {
    pub(super) fn table(&mut self) -> Table<'_> {
        Table {
            buckets: &mut self.buckets,
            uneven: &mut self.uneven,
        }
    }
}

impl Balancer {
    pub(super) fn new() -> impl PinInit<Self> {
        pin_init!(Self {
            places: [const { AtomicU16::new(0) }; BUCKETS],
            sent: PerCpuCounters::new(),
            state <- new_bh_lock!(
                State { buckets: KVec::new(), uneven: 0, looked: 0, looks: false },
                "Bond::balancer"
            ),
        })
    }

    /// Counts a packet of this length, in bytes. Bottom halves off.
    #[inline(always)]
    pub(super) fn count(&self, bucket: usize, len: u32) {
        self.sent.add(bucket, len);
    }

    /// What was sent, in bytes, by buckets.
    #[inline(always)]
    pub(super) fn sent(&self) -> &PerCpuCounters<COUNTERS> {
        &self.sent
    }

    /// The slave of a bucket, as a number for the table of choices; `None` if the next packet has to
    /// ask, and always if the load does not count.
    #[inline(always)]
    pub(super) fn number(&self, bucket: u8) -> Option<u32> {
        let place = self.place(bucket.into())?.load(Ordering::Relaxed);
        u32::from(place).checked_sub(1)
    }

    #[inline(always)]
    fn place(&self, bucket: usize) -> Option<&AtomicU16> {
        self.places.get(bucket)
    }

    /// Has the packets of a bucket find a slave, by its place among those that have a share; without
    /// one, the next packet asks. The lock is held.
    pub(super) fn assign(
        &self,
        bucket: usize,
        slave: Option<SlaveId>,
        sharers: impl Iterator<Item = SlaveId>,
    ) {
        let mut places = (1..=u16::MAX).zip(sharers);
        let found = slave.and_then(|slave| places.find(|(_, it)| *it == slave));
        if let Some(place) = self.place(bucket) {
            place.store(found.map_or(0, |(place, _)| place), Ordering::Relaxed);
        }
    }

    /// Has packets find the slaves that the table says. The lock is held.
    pub(super) fn publish(
        &self,
        table: &Table<'_>,
        sharers: impl Iterator<Item = SlaveId> + Clone,
    ) {
        for bucket in 0..BUCKETS {
            self.assign(bucket, table.slave(bucket), sharers.clone());
        }
    }
}
