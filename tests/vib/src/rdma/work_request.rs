// SPDX-License-Identifier: GPL-2.0

//! Work requests, and queues of them.
//!
//! C header: [`include/rdma/ib_verbs.h`](srctree/include/rdma/ib_verbs.h)

use crate::address::Av;
use crate::bindings;
use crate::cq::Opcode;
use crate::memory::{SgList, Sge};
use crate::mr::{Mr, MrObject};
use crate::ops::AhObject;
use kernel::prelude::*;
use kernel::sync::{Arc, ArcBorrow};

/// How many scatter/gather elements a work request has, at most.
pub const MAX_SGE: u32 = 32;

/// What a completion needs: the name that a consumer gave to a work request. Code that has this has
/// given back the memory of the request.
pub struct WorkId(pub(crate) u64);

/// The operation that a work request of a send queue asks for.
#[derive(Clone)]
#[allow(missing_docs)]
pub enum Operation {
    /// Sends to what the other side has posted for receiving; may invalidate a region there.
    Send {
        immediate: Option<[u8; 4]>,
        invalidate: Option<u32>,
    },
    /// Writes to a region of the other side.
    Write {
        address: u64,
        key: u32,
        immediate: Option<[u8; 4]>,
    },
    /// Reads from a region of the other side.
    Read { address: u64, key: u32 },
    /// Adds to eight bytes of a region of the other side, or replaces them if they are `operand`.
    Atomic {
        address: u64,
        key: u32,
        operand: u64,
        swap: Option<u64>,
    },
    /// Makes a region valid.
    Register {
        mr: Arc<Mr>,
        address: u64,
        key: u32,
        access: u32,
    },
    /// Makes a region invalid.
    Invalidate { key: u32 },
}

impl Operation {
    /// The opcode in the completion.
    pub fn opcode(&self) -> Opcode {
        match self {
            Operation::Send { .. } => Opcode::Send,
            Operation::Write { .. } => Opcode::RdmaWrite,
            Operation::Read { .. } => Opcode::RdmaRead,
            Operation::Atomic { swap: None, .. } => Opcode::FetchAdd,
            Operation::Atomic { swap: Some(_), .. } => Opcode::CompareSwap,
            Operation::Register { .. } => Opcode::RegisterMr,
            Operation::Invalidate { .. } => Opcode::LocalInvalidate,
        }
    }
}

/// A work request of a send queue, while it is being posted.
pub struct SendWr<'a> {
    wr: &'a bindings::ib_send_wr,
    datagram: bool,
}

/// Where a datagram goes.
pub struct Datagram {
    /// The address vector.
    pub av: Av,
    /// The queue pair there.
    pub qpn: u32,
    /// The Q_Key that the queue pair there must have; with the top bit, the sender's own one.
    pub qkey: u32,
    /// The place of the P_Key in the table, if the queue pair does not determine it (QP1).
    pub pkey_index: u16,
}

impl<'a> SendWr<'a> {
    /// Wraps what a consumer has posted; `datagram` says that the queue pair's requests are
    /// datagrams.
    ///
    /// # Safety
    ///
    /// `wr` must be a work request for such a queue pair, valid and not completed before `'a` ends.
    pub(crate) unsafe fn new(wr: &'a bindings::ib_send_wr, datagram: bool) -> Self {
        Self { wr, datagram }
    }

    /// The memory to send, which is the consumer's again after [`SendWr::finish`].
    pub fn memory(&self) -> SgList<'_> {
        let count = usize::try_from(self.wr.num_sge).unwrap_or(0);
        if count == 0 {
            // SAFETY: Nothing is in it.
            return unsafe { SgList::new(&[]) };
        }
        // SAFETY: `sg_list` has `num_sge` elements, and `Sge` is a transparent wrapper.
        let elements = unsafe { core::slice::from_raw_parts(self.wr.sg_list.cast::<Sge>(), count) };
        // SAFETY: By the promise at `new`.
        unsafe { SgList::new(elements) }
    }

    /// The destination, if this is a datagram.
    pub fn datagram(&self) -> Option<Datagram> {
        if !self.datagram {
            return None;
        }
        // SAFETY: Requests of such a queue pair are the first field of a `struct ib_ud_wr`.
        let wr = unsafe { &*core::ptr::from_ref(self.wr).cast::<bindings::ib_ud_wr>() };
        // SAFETY: The consumer's address handle is alive while a request with it is being posted; the
        // core allocated it as large as we said.
        let ah = unsafe { wr.ah.cast::<AhObject>().as_ref() }?;
        Some(Datagram {
            av: ah.av,
            qpn: wr.remote_qpn,
            qkey: wr.remote_qkey,
            pkey_index: wr.pkey_index,
        })
    }

    /// The operation; none if it is not supported here.
    pub fn operation(&self) -> Option<Operation> {
        let wr = core::ptr::from_ref(self.wr);
        // SAFETY: Any bits are a valid integer.
        let (immediate, key) = unsafe { (self.wr.ex.imm_data, self.wr.ex.invalidate_rkey) };
        let immediate = Some(immediate.to_ne_bytes());
        let write = |immediate| {
            // SAFETY: Such a request is the first field of a `struct ib_rdma_wr`.
            let wr = unsafe { &*wr.cast::<bindings::ib_rdma_wr>() };
            let (address, key) = (wr.remote_addr, wr.rkey);
            Operation::Write {
                address,
                key,
                immediate,
            }
        };
        Some(match self.wr.opcode {
            bindings::ib_wr_opcode_IB_WR_SEND => Operation::Send {
                immediate: None,
                invalidate: None,
            },
            bindings::ib_wr_opcode_IB_WR_SEND_WITH_IMM => Operation::Send {
                immediate,
                invalidate: None,
            },
            bindings::ib_wr_opcode_IB_WR_SEND_WITH_INV => Operation::Send {
                immediate: None,
                invalidate: Some(key),
            },
            bindings::ib_wr_opcode_IB_WR_LOCAL_INV => Operation::Invalidate { key },
            _ if self.datagram => return None,
            bindings::ib_wr_opcode_IB_WR_RDMA_WRITE => write(None),
            bindings::ib_wr_opcode_IB_WR_RDMA_WRITE_WITH_IMM => write(immediate),
            bindings::ib_wr_opcode_IB_WR_RDMA_READ => {
                // SAFETY: Such a request is the first field of a `struct ib_rdma_wr`.
                let wr = unsafe { &*wr.cast::<bindings::ib_rdma_wr>() };
                let (address, key) = (wr.remote_addr, wr.rkey);
                Operation::Read { address, key }
            }
            opcode @ (bindings::ib_wr_opcode_IB_WR_ATOMIC_CMP_AND_SWP
            | bindings::ib_wr_opcode_IB_WR_ATOMIC_FETCH_AND_ADD) => {
                // SAFETY: Such a request is the first field of a `struct ib_atomic_wr`.
                let wr = unsafe { &*wr.cast::<bindings::ib_atomic_wr>() };
                let swap = opcode == bindings::ib_wr_opcode_IB_WR_ATOMIC_CMP_AND_SWP;
                Operation::Atomic {
                    address: wr.remote_addr,
                    key: wr.rkey,
                    operand: wr.compare_add,
                    swap: swap.then_some(wr.swap),
                }
            }
            bindings::ib_wr_opcode_IB_WR_REG_MR => {
                // SAFETY: Such a request is the first field of a `struct ib_reg_wr`.
                let wr = unsafe { &*wr.cast::<bindings::ib_reg_wr>() };
                // SAFETY: The consumer's region is alive while a request with it is being posted, and
                // it is one of ours.
                let (mr, address) = unsafe {
                    let mr = ArcBorrow::from_raw((*wr.mr.cast::<MrObject>()).mr);
                    (mr.into(), (*wr.mr).iova)
                };
                Operation::Register {
                    mr,
                    // Consumers change this address after they have named the pages.
                    address,
                    key: wr.key,
                    access: wr.access as u32,
                }
            }
            _ => return None,
        })
    }

    /// The consumer's name for the request and its elements, for a queue.
    pub(crate) fn parts(&self) -> (u64, &[Sge]) {
        // SAFETY: Any bits are a valid integer.
        let id = unsafe { self.wr.__bindgen_anon_1.wr_id };
        (id, self.memory().elements())
    }

    fn flag(&self, flag: i32) -> bool {
        self.wr.send_flags & flag != 0
    }

    /// Whether the consumer wants a completion even if the queue pair does not signal all requests.
    pub fn is_signaled(&self) -> bool {
        self.flag(bindings::ib_send_flags_IB_SEND_SIGNALED)
    }

    /// Whether the receiver must be told even if it waits for solicited packets only.
    pub fn is_solicited(&self) -> bool {
        self.flag(bindings::ib_send_flags_IB_SEND_SOLICITED)
    }

    /// Ends the request: its memory is the consumer's again.
    pub fn finish(self) -> WorkId {
        // SAFETY: Any bits are a valid integer.
        WorkId(unsafe { self.wr.__bindgen_anon_1.wr_id })
    }
}

/// A work request of a receive queue, while it is being posted.
pub struct RecvWr<'a>(&'a bindings::ib_recv_wr);

impl<'a> RecvWr<'a> {
    /// Wraps what a consumer has posted.
    ///
    /// # Safety
    ///
    /// `wr` must be a valid work request. Its memory is lent until the request is completed.
    pub(crate) unsafe fn new(wr: &'a bindings::ib_recv_wr) -> Self {
        Self(wr)
    }

    fn elements(&self) -> &'a [Sge] {
        let count = usize::try_from(self.0.num_sge).unwrap_or(0);
        if count == 0 {
            return &[];
        }
        // SAFETY: `sg_list` has `num_sge` elements, and `Sge` is a transparent wrapper.
        unsafe { core::slice::from_raw_parts(self.0.sg_list.cast::<Sge>(), count) }
    }

    /// Ends the request: its memory is the consumer's again.
    pub fn finish(self) -> WorkId {
        // SAFETY: Any bits are a valid integer.
        WorkId(unsafe { self.0.__bindgen_anon_1.wr_id })
    }
}

#[derive(Clone, Copy)]
struct Slot {
    id: u64,
    elements: usize,
}

/// A receive queue: a ring of work requests that wait for packets.
pub struct RecvQueue {
    slots: KVVec<Slot>,
    elements: KVVec<Sge>,
    per_slot: usize,
    head: usize,
    used: usize,
}

impl RecvQueue {
    /// Makes a queue that holds at least `depth` requests with at most `sges` elements each. Sleeps.
    pub fn new(depth: u32, sges: u32) -> Result<Self> {
        let per_slot = sges.clamp(1, MAX_SGE) as usize;
        let depth = (depth.max(1) as usize)
            .checked_next_power_of_two()
            .ok_or(EINVAL)?;
        let total = depth.checked_mul(per_slot).ok_or(EINVAL)?;
        let empty = Sge(bindings::ib_sge {
            addr: 0,
            length: 0,
            lkey: 0,
        });
        Ok(Self {
            slots: KVVec::from_elem(Slot { id: 0, elements: 0 }, depth, GFP_KERNEL)?,
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

    /// Puts a request at the end.
    pub fn post(&mut self, wr: RecvWr<'_>) -> Result {
        let elements = wr.elements();
        if self.used >= self.slots.len() {
            return Err(ENOMEM);
        }
        // SAFETY: The consumer lends the memory.
        let local = unsafe { SgList::new(elements) }.is_local();
        if elements.len() > self.per_slot || !local {
            return Err(EINVAL);
        }
        let index = self.index(self.used);
        let first = index.wrapping_mul(self.per_slot);
        let places = self.elements.get_mut(first..).ok_or(EINVAL)?;
        places
            .iter_mut()
            .zip(elements)
            .for_each(|(to, from)| *to = *from);
        *self.slots.get_mut(index).ok_or(EINVAL)? = Slot {
            // SAFETY: Any bits are a valid integer.
            id: unsafe { wr.0.__bindgen_anon_1.wr_id },
            elements: elements.len(),
        };
        self.used = self.used.wrapping_add(1);
        Ok(())
    }

    /// The memory of the first request.
    pub fn head(&self) -> Option<SgList<'_>> {
        if self.used == 0 {
            return None;
        }
        let slot = self.slots.get(self.head)?;
        let first = self.head.wrapping_mul(self.per_slot);
        let elements = self.elements.get(first..)?.get(..slot.elements)?;
        // SAFETY: The request is completed only after `pop`, for which `self` must not be borrowed.
        Some(unsafe { SgList::new(elements) })
    }

    /// Takes the first request, and ends it: its memory is the consumer's again.
    pub fn pop(&mut self) -> Option<WorkId> {
        if self.used == 0 {
            return None;
        }
        let id = self.slots.get(self.head)?.id;
        self.head = self.index(1);
        self.used = self.used.wrapping_sub(1);
        Some(WorkId(id))
    }

    /// Forgets all requests, as when the queue pair is reset.
    pub fn clear(&mut self) {
        self.used = 0;
    }
}
