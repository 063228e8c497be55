// SPDX-License-Identifier: GPL-2.0

//! What a bond has decided: the last 64 decisions are kept for debugfs, and each decision is also
//! traced.

use super::message::NameOf;
use core::fmt;
use kernel::new_spinlock;
use kernel::prelude::*;
use kernel::sync::{Arc, SpinLock};
use net::bonding::trace;
use net::netdevice::NetDevice;
use net::sync::now_ms;
use policy::history::{Entry, What};
use policy::IfName;

/// How many decisions are kept.
const LENGTH: usize = 64;

/// The decisions of one bond.
#[pin_data]
pub(crate) struct History {
    #[pin]
    ring: SpinLock<Ring>,
}

struct Ring {
    /// The decision with the number `n` is at `n % LENGTH`.
    entries: KVec<Entry>,
    /// The number of the next decision.
    next: usize,
}

impl Ring {
    fn push(&mut self, entry: Entry) {
        let place = self.next.wrapping_rem(LENGTH);
        if let Some(place) = self.entries.get_mut(place) {
            *place = entry;
        } else if self.entries.push_within_capacity(entry).is_err() {
            // Does not happen: room for all entries was allocated.
            return;
        }
        self.next = self.next.wrapping_add(1);
    }

    /// Returns the first decision, from this number on, that is still kept, and its number.
    fn from(&self, number: usize) -> Option<(usize, Entry)> {
        let number = number.max(self.next.saturating_sub(LENGTH));
        if number >= self.next {
            return None;
        }
        let entry = self.entries.get(number.wrapping_rem(LENGTH))?;
        Some((number, *entry))
    }
}

impl History {
    /// Makes an empty history. May sleep.
    pub(super) fn new() -> Result<Arc<Self>> {
        let entries = KVec::with_capacity(LENGTH, GFP_KERNEL)?;
        Arc::pin_init(
            pin_init!(Self {
                ring <- new_spinlock!(Ring { entries, next: 0 }, "History::ring"),
            }),
            GFP_KERNEL,
        )
    }
}

impl History {
    /// Records a decision of a bond, about one of its slaves or about none. Process context.
    pub(super) fn note(&self, bond: &NetDevice, slave: Option<&NetDevice>, what: What) {
        let entry = Entry {
            at: now_ms(),
            slave: slave.and_then(|slave| IfName::new(slave.name().as_bytes())),
            what,
        };
        trace::bond_event(NameOf(bond), entry.text());
        self.ring.lock().push(entry);
    }
}

impl fmt::Display for History {
    /// Writes a line for each decision, the oldest first. Process context.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut number = 0;
        loop {
            // The lock is not held while the text is made.
            let Some((at, entry)) = self.ring.lock().from(number) else {
                return Ok(());
            };
            writeln!(f, "{entry}")?;
            number = at.wrapping_add(1);
        }
    }
}
