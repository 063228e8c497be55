// SPDX-License-Identifier: GPL-2.0

//! Send queues of connections: work requests that wait until the other side has answered.

use crate::bindings;
use crate::memory::{SgList, Sge};
use crate::work_request::{Operation, SendWr, WorkId, MAX_SGE};
use kernel::prelude::*;

struct Slot {
    id: u64,
    operation: Operation,
    elements: usize,
    signaled: bool,
    solicited: bool,
}

/// A work request in a queue.
pub struct Request<'a> {
    /// What to do.
    pub operation: &'a Operation,
    /// The memory to send, or to read into.
    pub memory: SgList<'a>,
    /// Whether the consumer wants a completion.
    pub signaled: bool,
    /// Whether the receiver must be told in any case.
    pub solicited: bool,
}

/// A ring of work requests.
pub struct SendQueue {
    slots: KVVec<Option<Slot>>,
    elements: KVVec<Sge>,
    per_slot: usize,
    head: usize,
    used: usize,
}

impl SendQueue {
    /// Makes a queue that holds at least `depth` requests with at most `sges` elements each. Sleeps.
    pub fn new(depth: u32, sges: u32) -> Result<Self> {
        let per_slot = sges.clamp(1, MAX_SGE) as usize;
        let depth = (depth.max(1) as usize)
            .checked_next_power_of_two()
            .ok_or(EINVAL)?;
        let total = depth.checked_mul(per_slot).ok_or(EINVAL)?;
        let mut slots = KVVec::with_capacity(depth, GFP_KERNEL)?;
        for _ in 0..depth {
            slots.push_within_capacity(None).map_err(|_| ENOMEM)?;
        }
        let empty = Sge(bindings::ib_sge {
            addr: 0,
            length: 0,
            lkey: 0,
        });
        Ok(Self {
            slots,
            elements: KVVec::from_elem(empty, total, GFP_KERNEL)?,
            per_slot,
            head: 0,
            used: 0,
        })
    }

    /// A queue that holds nothing.
    pub const fn empty() -> Self {
        Self {
            slots: KVVec::new(),
            elements: KVVec::new(),
            per_slot: 0,
            head: 0,
            used: 0,
        }
    }

    fn index(&self, place: usize) -> usize {
        // The length is a power of two.
        self.head.wrapping_add(place) & self.slots.len().wrapping_sub(1)
    }

    /// Puts a request at the end. The consumer gets its memory back with [`SendQueue::pop`].
    pub fn post(&mut self, wr: SendWr<'_>, operation: Operation) -> Result {
        let (id, elements) = wr.parts();
        if self.used >= self.slots.len() {
            return Err(ENOMEM);
        }
        if elements.len() > self.per_slot {
            return Err(EINVAL);
        }
        let index = self.index(self.used);
        let first = index.wrapping_mul(self.per_slot);
        let places = self.elements.get_mut(first..).ok_or(EINVAL)?;
        places
            .iter_mut()
            .zip(elements)
            .for_each(|(to, from)| *to = *from);
        *self.slots.get_mut(index).ok_or(EINVAL)? = Some(Slot {
            id,
            operation,
            elements: elements.len(),
            signaled: wr.is_signaled(),
            solicited: wr.is_solicited(),
        });
        self.used = self.used.wrapping_add(1);
        Ok(())
    }

    /// The first request.
    pub fn head(&self) -> Option<Request<'_>> {
        if self.used == 0 {
            return None;
        }
        let slot = self.slots.get(self.head)?.as_ref()?;
        let first = self.head.wrapping_mul(self.per_slot);
        let elements = self.elements.get(first..)?.get(..slot.elements)?;
        Some(Request {
            operation: &slot.operation,
            // SAFETY: The request is completed only after `pop`, for which `self` must not be borrowed.
            memory: unsafe { SgList::new(elements) },
            signaled: slot.signaled,
            solicited: slot.solicited,
        })
    }

    /// Takes the first request, and ends it: its memory is the consumer's again.
    pub fn pop(&mut self) -> Option<WorkId> {
        if self.used == 0 {
            return None;
        }
        let slot = self.slots.get_mut(self.head)?.take()?;
        self.head = self.index(1);
        self.used = self.used.wrapping_sub(1);
        Some(WorkId(slot.id))
    }

    /// Forgets all requests, as when the queue pair is reset.
    pub fn clear(&mut self) {
        while self.pop().is_some() {}
    }
}
