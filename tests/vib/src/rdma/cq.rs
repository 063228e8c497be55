// SPDX-License-Identifier: GPL-2.0

//! Completion queues in software.
//!
//! Consumers are told of completions from a work item that runs as a bottom half, as if it were the
//! interrupt of a device: never from within the call that posted a request, whose caller may hold
//! any lock.
//!
//! C header: [`include/rdma/ib_verbs.h`](srctree/include/rdma/ib_verbs.h)

use crate::bindings;
use crate::sync::IrqLock;
use crate::work_request::WorkId;
use core::ptr;
use core::sync::atomic::{AtomicBool, Ordering};
use kernel::prelude::*;
use kernel::sync::Arc;
use kernel::types::Opaque;

/// How a work request ended (`enum ib_wc_status`).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u32)]
#[allow(missing_docs)]
pub enum Status {
    Success = bindings::ib_wc_status_IB_WC_SUCCESS,
    LocalLength = bindings::ib_wc_status_IB_WC_LOC_LEN_ERR,
    LocalQp = bindings::ib_wc_status_IB_WC_LOC_QP_OP_ERR,
    LocalProtection = bindings::ib_wc_status_IB_WC_LOC_PROT_ERR,
    Flushed = bindings::ib_wc_status_IB_WC_WR_FLUSH_ERR,
    RemoteInvalidRequest = bindings::ib_wc_status_IB_WC_REM_INV_REQ_ERR,
    RemoteAccess = bindings::ib_wc_status_IB_WC_REM_ACCESS_ERR,
    RemoteOperation = bindings::ib_wc_status_IB_WC_REM_OP_ERR,
    RetryExceeded = bindings::ib_wc_status_IB_WC_RETRY_EXC_ERR,
    RnrRetryExceeded = bindings::ib_wc_status_IB_WC_RNR_RETRY_EXC_ERR,
}

/// What a completed work request did (`enum ib_wc_opcode`).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u32)]
#[allow(missing_docs)]
pub enum Opcode {
    Send = bindings::ib_wc_opcode_IB_WC_SEND,
    RdmaWrite = bindings::ib_wc_opcode_IB_WC_RDMA_WRITE,
    RdmaRead = bindings::ib_wc_opcode_IB_WC_RDMA_READ,
    CompareSwap = bindings::ib_wc_opcode_IB_WC_COMP_SWAP,
    FetchAdd = bindings::ib_wc_opcode_IB_WC_FETCH_ADD,
    LocalInvalidate = bindings::ib_wc_opcode_IB_WC_LOCAL_INV,
    RegisterMr = bindings::ib_wc_opcode_IB_WC_REG_MR,
    Recv = bindings::ib_wc_opcode_IB_WC_RECV,
    RecvRdmaWithImmediate = bindings::ib_wc_opcode_IB_WC_RECV_RDMA_WITH_IMM,
}

/// A completion (`struct ib_wc`), without the fields that say whose it is.
#[derive(Clone, Copy)]
pub struct Completion {
    /// How the request ended.
    pub status: Status,
    /// What the request was.
    pub opcode: Opcode,
    /// How many bytes were moved.
    pub bytes: u32,
    /// The queue pair that sent.
    pub src_qp: u32,
    /// The LID that it was sent from.
    pub slid: u16,
    /// The service level.
    pub sl: u8,
    /// The place of the P_Key in the table (QP1).
    pub pkey_index: u16,
    /// Whether a global route header is in the first 40 bytes.
    pub grh: bool,
    /// Immediate data, as on the wire.
    pub immediate: Option<[u8; 4]>,
    /// The remote key that the sender has invalidated.
    pub invalidated: Option<u32>,
    /// Whether the sender wants the receiver to be told.
    pub solicited: bool,
}

impl Completion {
    /// A completion that only says what the request was and how it ended.
    pub const fn new(opcode: Opcode, status: Status) -> Self {
        Self {
            status,
            opcode,
            bytes: 0,
            src_qp: 0,
            slid: 0,
            sl: 0,
            pkey_index: 0,
            grh: false,
            immediate: None,
            invalidated: None,
            solicited: false,
        }
    }
}

/// For which completion the consumer is told.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Armed {
    No,
    Solicited,
    Next,
}

struct Ring {
    /// Uninitialised beyond what is used; its length stays zero.
    entries: KVVec<bindings::ib_wc>,
    size: usize,
    head: usize,
    used: usize,
    armed: Armed,
    overrun: bool,
    /// The consumer has gone, or is about to.
    closed: bool,
}

impl Ring {
    fn index(&self, place: usize) -> usize {
        // The size is a power of two.
        self.head.wrapping_add(place) & self.size.wrapping_sub(1)
    }

    fn place(&mut self, place: usize) -> *mut bindings::ib_wc {
        let index = self.index(place);
        // SAFETY: Below `size`, for which there is room.
        unsafe { self.entries.as_mut_ptr().add(index) }
    }
}

/// A completion queue.
#[pin_data]
pub(crate) struct Cq {
    #[pin]
    ring: IrqLock<Ring>,
    #[pin]
    work: Opaque<bindings::work_struct>,
    cq: *mut bindings::ib_cq,
}

// SAFETY: The ring is behind a lock, the work is the work queue's business, and the pointer is read only.
unsafe impl Send for Cq {}
// SAFETY: As above.
unsafe impl Sync for Cq {}

impl Cq {
    /// Makes a queue for at least `entries` completions. Sleeps.
    ///
    /// # Safety
    ///
    /// `cq` must stay valid until [`Cq::close`] has returned.
    pub(crate) unsafe fn new(cq: *mut bindings::ib_cq, entries: u32) -> Result<Arc<Self>> {
        let size = (entries.max(1) as usize)
            .checked_next_power_of_two()
            .ok_or(EINVAL)?;
        let ring = Ring {
            entries: KVVec::with_capacity(size, GFP_KERNEL)?,
            size,
            head: 0,
            used: 0,
            armed: Armed::No,
            overrun: false,
            closed: false,
        };
        Arc::pin_init(
            pin_init!(Self {
                ring <- crate::irq_lock!(ring, c"vib_cq"),
                work <- Opaque::ffi_init(|work| {
                    // SAFETY: `work` is valid for writes and pinned.
                    unsafe { bindings::rh_init_work(work, Some(tell_consumer)) }
                }),
                cq,
            }),
            GFP_KERNEL,
        )
    }

    /// When this returns, the consumer is no longer told of anything. Sleeps.
    pub(crate) fn close(&self) {
        let mut ring = self.ring.lock();
        ring.closed = true;
        ring.used = 0;
        // Freed here, not with the last reference, which may be dropped where sleeping is
        // forbidden.
        let entries = core::mem::take(&mut ring.entries);
        drop(ring);
        drop(entries);
        // SAFETY: Initialised by `new`; nobody queues it any more.
        unsafe { bindings::disable_work_sync(self.work.get()) };
    }

    /// Gives the oldest completions to the consumer.
    ///
    /// # Safety
    ///
    /// `to` must be valid for writes of `count` elements.
    pub(crate) unsafe fn poll(&self, to: *mut bindings::ib_wc, count: usize) -> usize {
        let mut ring = self.ring.lock();
        let count = count.min(ring.used);
        for i in 0..count {
            let from = ring.place(i);
            // SAFETY: The first `used` places are initialised; `to` is valid by the caller's promise.
            unsafe { ptr::copy_nonoverlapping(from, to.add(i), 1) };
        }
        ring.head = ring.index(count);
        ring.used = ring.used.wrapping_sub(count);
        count
    }

    /// Arms the notification of the consumer for the next completion. Returns whether there are
    /// completions already, of which the consumer is not told.
    pub(crate) fn request_notification(&self, solicited_only: bool) -> bool {
        let mut ring = self.ring.lock();
        if !solicited_only {
            ring.armed = Armed::Next;
        } else if ring.armed == Armed::No {
            ring.armed = Armed::Solicited;
        }
        ring.used > 0
    }
}

/// # Safety
///
/// C calls this with the work of a [`Cq`].
unsafe extern "C" fn tell_consumer(work: *mut bindings::work_struct) {
    // SAFETY: The work is a field of a `Cq`, which lives until `close` has waited for us.
    let cq =
        unsafe { &*kernel::container_of!(work.cast::<Opaque<bindings::work_struct>>(), Cq, work) };
    // SAFETY: Likewise; the core set the handler before it made the queue known to anybody.
    unsafe {
        if let Some(handler) = (*cq.cq).comp_handler {
            handler(cq.cq, (*cq.cq).cq_context);
        }
    }
}

/// A queue pair's way into a completion queue.
pub struct Completer {
    cq: Arc<Cq>,
    qp: *mut bindings::ib_qp,
    /// Changed with the ring's lock held.
    open: AtomicBool,
}

// SAFETY: The pointer is handed out only, to the consumer whose it is.
unsafe impl Send for Completer {}
// SAFETY: As above.
unsafe impl Sync for Completer {}

impl Completer {
    /// Makes a way for the queue pair, which the consumer finds in its completions.
    pub(crate) fn new(cq: Arc<Cq>, qp: *mut bindings::ib_qp) -> Result<Arc<Self>> {
        let open = AtomicBool::new(true);
        Ok(Arc::new(Self { cq, qp, open }, GFP_KERNEL)?)
    }

    /// Completes a work request. After the queue pair was destroyed, nothing happens. Any context.
    pub fn complete(&self, WorkId(wr_id): WorkId, completion: &Completion) {
        let mut ring = self.cq.ring.lock();
        if ring.closed || !self.open.load(Ordering::Relaxed) {
            return;
        }
        if ring.used >= ring.size {
            if !ring.overrun {
                ring.overrun = true;
                pr_warn!("a completion queue of {} entries runs over\n", ring.size);
            }
            return;
        }
        let used = ring.used;
        let entry = ring.place(used);
        // SAFETY: There is room.
        unsafe { entry.write(self.entry(wr_id, completion)) };
        ring.used = used.wrapping_add(1);
        let important = completion.solicited || completion.status != Status::Success;
        if ring.armed == Armed::Next || (ring.armed == Armed::Solicited && important) {
            ring.armed = Armed::No;
            // SAFETY: Initialised; `close` has not disabled it yet, or will do so after this.
            unsafe { bindings::rh_queue_bh_work(self.cq.work.get()) };
        }
    }

    fn entry(&self, wr_id: u64, completion: &Completion) -> bindings::ib_wc {
        let mut flags = 0;
        let mut ex = bindings::ib_wc__bindgen_ty_2 { invalidate_rkey: 0 };
        if completion.grh {
            flags |= bindings::ib_wc_flags_IB_WC_GRH;
        }
        if let Some(immediate) = completion.immediate {
            flags |= bindings::ib_wc_flags_IB_WC_WITH_IMM;
            ex.imm_data = u32::from_ne_bytes(immediate);
        }
        if let Some(key) = completion.invalidated {
            flags |= bindings::ib_wc_flags_IB_WC_WITH_INVALIDATE;
            ex.invalidate_rkey = key;
        }
        bindings::ib_wc {
            __bindgen_anon_1: bindings::ib_wc__bindgen_ty_1 { wr_id },
            status: completion.status as u32,
            opcode: completion.opcode as u32,
            vendor_err: 0,
            byte_len: completion.bytes,
            qp: self.qp,
            ex,
            src_qp: completion.src_qp,
            slid: u32::from(completion.slid),
            wc_flags: flags as i32,
            pkey_index: completion.pkey_index,
            sl: completion.sl,
            dlid_path_bits: 0,
            port_num: 0,
            smac: [0; 6],
            vlan_id: 0,
            network_hdr_type: 0,
        }
    }

    /// The queue pair goes away: its completions in the queue are forgotten, and no more are added.
    pub(crate) fn close(&self) {
        let mut ring = self.cq.ring.lock();
        self.open.store(false, Ordering::Relaxed);
        let mut kept = 0usize;
        for i in 0..ring.used {
            let (from, to) = (ring.place(i), ring.place(kept));
            // SAFETY: The first `used` places are initialised, and `to` is not behind `from`.
            unsafe {
                if (*from).qp != self.qp {
                    ptr::copy(from, to, 1);
                    kept = kept.wrapping_add(1);
                }
            }
        }
        ring.used = kept;
    }
}
