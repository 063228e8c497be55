// SPDX-License-Identifier: GPL-2.0

//! An adapter's queue pairs by number, and its multicast groups.

use super::{Qp, MAX_HCA_PORTS};
use kernel::prelude::*;
use kernel::sync::Arc;
use rdma::mr::{self, Mr};
use rdma::qp::Kind;

/// How many queue pairs an adapter has, besides QP0 and QP1; a power of two.
pub(super) const MAX_QPS: usize = 4096;
/// How many attachments of queue pairs to multicast groups there are.
pub(super) const MAX_ATTACHED: usize = 4096;

/// How many memory regions there are; all but one can be used.
pub(super) const MAX_MRS: usize = 8192;

const SLOT_BITS: u32 = MAX_QPS.trailing_zeros();
/// Queue pair numbers have 24 bits.
const NUMBERS: u32 = 1 << 24;

/// The queue pairs.
pub(super) struct Table {
    slots: KVec<Option<Arc<Qp>>>,
    /// QP0 and QP1 of each port.
    special: [[Option<Arc<Qp>>; 2]; MAX_HCA_PORTS],
    /// Where to look for a free place.
    next: u32,
}

impl Table {
    pub(super) fn new() -> Result<Self> {
        let mut slots = KVec::with_capacity(MAX_QPS, GFP_KERNEL)?;
        while slots.push_within_capacity(None).is_ok() && slots.len() < MAX_QPS {}
        Ok(Self {
            slots,
            special: [const { [const { None }; 2] }; MAX_HCA_PORTS],
            // The first numbers are reserved.
            next: 64,
        })
    }

    fn slot(number: u32) -> usize {
        (number & (MAX_QPS as u32).wrapping_sub(1)) as usize
    }

    fn special(&mut self, port: u32, number: u32) -> Option<&mut Option<Arc<Qp>>> {
        let port = self.special.get_mut((port as usize).wrapping_sub(1))?;
        port.get_mut(number as usize)
    }

    /// Reserves the number for a new queue pair. It is a fresh one as long as possible, so that
    /// packets for a queue pair that is gone do not reach another.
    pub(super) fn number(&mut self, kind: Kind) -> Result<u32> {
        match kind {
            Kind::Management => return Ok(0),
            Kind::Services => return Ok(1),
            _ => {}
        }
        for _ in 0..MAX_QPS {
            let number = self.next;
            self.next = match number.wrapping_add(1) {
                next if next < NUMBERS.wrapping_sub(1) => next,
                _ => 1 << SLOT_BITS,
            };
            if matches!(self.slots.get(Self::slot(number)), Some(None)) {
                return Ok(number);
            }
        }
        Err(ENOSPC)
    }

    /// Makes a queue pair findable by its number.
    pub(super) fn insert(&mut self, qp: &Arc<Qp>) -> Result {
        let place = match qp.number {
            number @ 0..2 => self.special(qp.initial_port, number),
            number => self.slots.get_mut(Self::slot(number)),
        };
        match place {
            Some(place @ None) => *place = Some(qp.clone()),
            _ => return Err(EBUSY),
        }
        Ok(())
    }

    /// Forgets a queue pair, and returns it, so that it is not dropped with the lock held.
    #[must_use]
    pub(super) fn remove(&mut self, qp: &Arc<Qp>) -> Option<Arc<Qp>> {
        let place = match qp.number {
            number @ 0..2 => self.special(qp.initial_port, number),
            number => self.slots.get_mut(Self::slot(number)),
        }?;
        match place {
            Some(found) if Arc::ptr_eq(found, qp) => place.take(),
            _ => None,
        }
    }

    /// The queue pair with that number at that port.
    pub(super) fn find(&mut self, port: u32, number: u32) -> Option<Arc<Qp>> {
        if number < 2 {
            return self.special(port, number)?.clone();
        }
        let found = self.slots.get(Self::slot(number))?.as_ref()?;
        (found.number == number).then(|| found.clone())
    }
}

/// The memory regions by key.
pub(super) struct Regions {
    slots: KVec<Option<Arc<Mr>>>,
    next: usize,
}

impl Regions {
    pub(super) fn new() -> Result<Self> {
        let mut slots = KVec::with_capacity(MAX_MRS, GFP_KERNEL)?;
        while slots.push_within_capacity(None).is_ok() && slots.len() < MAX_MRS {}
        Ok(Self { slots, next: 1 })
    }

    fn slot(key: u32) -> usize {
        (key >> mr::KEY_BITS) as usize
    }

    /// Adds a region; key 0 stands for the kernel's own memory.
    pub(super) fn insert(&mut self, mr: Arc<Mr>) -> Result<u32> {
        for _ in 0..MAX_MRS {
            let index = self.next;
            self.next = match index.wrapping_add(1) {
                next if next < MAX_MRS => next,
                _ => 1,
            };
            if let Some(place @ None) = self.slots.get_mut(index) {
                *place = Some(mr);
                return Ok((index as u32) << mr::KEY_BITS);
            }
        }
        Err(ENOSPC)
    }

    /// Returns what must be dropped without holding the lock.
    #[must_use]
    pub(super) fn remove(&mut self, key: u32) -> Option<Arc<Mr>> {
        self.slots.get_mut(Self::slot(key))?.take()
    }

    /// The region with that key; the region itself checks the last part of the key.
    pub(super) fn find(&self, key: u32) -> Option<Arc<Mr>> {
        self.slots.get(Self::slot(key))?.clone()
    }
}

/// Which queue pairs want which multicasts.
pub(super) struct Groups {
    attached: KVec<([u8; 16], Arc<Qp>)>,
}

impl Groups {
    pub(super) fn new() -> Result<Self> {
        Ok(Self {
            attached: KVec::with_capacity(MAX_ATTACHED, GFP_KERNEL)?,
        })
    }

    pub(super) fn attach(&mut self, gid: [u8; 16], qp: Arc<Qp>) -> Result {
        self.attached
            .push_within_capacity((gid, qp))
            .map_err(|_| ENOSPC)
    }

    /// Returns what must be dropped without holding the lock.
    #[must_use]
    pub(super) fn detach(&mut self, gid: [u8; 16], qp: &Arc<Qp>) -> Option<([u8; 16], Arc<Qp>)> {
        let mut entries = self.attached.iter();
        let index = entries.position(|(g, q)| *g == gid && Arc::ptr_eq(q, qp))?;
        self.attached.remove(index).ok()
    }

    pub(super) fn members(&self, gid: [u8; 16]) -> impl Iterator<Item = &Arc<Qp>> + '_ {
        let members = self.attached.iter().filter(move |(g, _)| *g == gid);
        members.map(|(_, qp)| qp)
    }
}
