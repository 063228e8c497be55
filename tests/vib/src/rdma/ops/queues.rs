// SPDX-License-Identifier: GPL-2.0

//! Callbacks about completion queues and queue pairs.

use super::{completion_queue, provider, queue_pair, CqObject, Ops, QpObject};
use crate::bindings;
use crate::cq::{Completer, Cq};
use crate::provider::Provider;
use crate::qp;
use crate::sync::BottomHalvesOff;
use crate::work_request::{RecvWr, SendWr};
use kernel::error::{code::*, from_result};
use kernel::ffi::c_int;
use kernel::sync::Arc;

// See the top of mod.rs.
impl<P: Provider> Ops<P> {
    pub(super) unsafe extern "C" fn create_cq(
        cq: *mut bindings::ib_cq,
        attr: *const bindings::ib_cq_init_attr,
        _attrs: *mut bindings::uverbs_attr_bundle,
    ) -> c_int {
        from_result(|| {
            // SAFETY: `attr` is valid; `destroy_cq` closes the queue before `cq` goes away.
            let queue = unsafe { Cq::new(cq, (*attr).cqe)? };
            // SAFETY: See the top of the file.
            unsafe {
                (*cq).cqe = (*attr).cqe as i32;
                (*cq.cast::<CqObject>()).cq = Arc::into_raw(queue);
            }
            Ok(0)
        })
    }

    pub(super) unsafe extern "C" fn destroy_cq(
        cq: *mut bindings::ib_cq,
        _udata: *mut bindings::ib_udata,
    ) -> c_int {
        // SAFETY: From `Arc::into_raw`, and not used any more.
        let queue = unsafe { Arc::from_raw((*cq.cast::<CqObject>()).cq) };
        queue.close();
        0
    }

    pub(super) unsafe extern "C" fn poll_cq(
        cq: *mut bindings::ib_cq,
        count: c_int,
        wc: *mut bindings::ib_wc,
    ) -> c_int {
        let count = usize::try_from(count).unwrap_or(0);
        // SAFETY: See the top of the file; the caller has room for `count` completions.
        unsafe { completion_queue(cq).poll(wc, count) as c_int }
    }

    pub(super) unsafe extern "C" fn req_notify_cq(
        cq: *mut bindings::ib_cq,
        flags: bindings::ib_cq_notify_flags,
    ) -> c_int {
        let has = |flag| flags & flag != 0;
        let solicited = flags & bindings::ib_cq_notify_flags_IB_CQ_SOLICITED_MASK
            == bindings::ib_cq_notify_flags_IB_CQ_SOLICITED;
        // SAFETY: See the top of the file.
        let missed = unsafe { completion_queue(cq) }.request_notification(solicited);
        (missed && has(bindings::ib_cq_notify_flags_IB_CQ_REPORT_MISSED_EVENTS)).into()
    }

    pub(super) unsafe extern "C" fn create_qp(
        qp: *mut bindings::ib_qp,
        attr: *mut bindings::ib_qp_init_attr,
        udata: *mut bindings::ib_udata,
    ) -> c_int {
        from_result(|| {
            // SAFETY: See the top of the file; the attributes are valid.
            let (object, attr) = unsafe { (&mut *qp.cast::<QpObject<P::Qp>>(), &*attr) };
            let block = bindings::ib_qp_create_flags_IB_QP_CREATE_BLOCK_MULTICAST_LOOPBACK as u32;
            if !udata.is_null() || !attr.srq.is_null() || attr.create_flags & !block != 0 {
                return Err(ENOTSUPP);
            }
            let kind = qp::Kind::from_c(attr.qp_type)?;
            // SAFETY: The core has checked that they are there, and they outlive the queue pair.
            let (send, recv) = unsafe {
                (
                    Completer::new(completion_queue(attr.send_cq).into(), qp)?,
                    Completer::new(completion_queue(attr.recv_cq).into(), qp)?,
                )
            };
            let init = qp::Init {
                kind,
                port: attr.port_num,
                capacity: qp::Capacity {
                    send_requests: attr.cap.max_send_wr,
                    recv_requests: attr.cap.max_recv_wr,
                    send_sges: attr.cap.max_send_sge,
                    recv_sges: attr.cap.max_recv_sge,
                },
                signal_all: attr.sq_sig_type == bindings::ib_sig_type_IB_SIGNAL_ALL_WR,
                block_loopback: attr.create_flags & block != 0,
                send: send.clone(),
                recv: recv.clone(),
            };
            // SAFETY: See the top of the file.
            let (ours, number) = P::create_qp(unsafe { provider::<P>(object.ib.device) }, init)?;
            object.ib.qp_num = number;
            object.kind = kind;
            object.qp = Arc::into_raw(ours);
            object.send = Arc::into_raw(send);
            object.recv = Arc::into_raw(recv);
            Ok(0)
        })
    }

    pub(super) unsafe extern "C" fn modify_qp(
        qp: *mut bindings::ib_qp,
        attr: *mut bindings::ib_qp_attr,
        mask: c_int,
        _udata: *mut bindings::ib_udata,
    ) -> c_int {
        from_result(|| {
            // SAFETY: See the top of the file.
            let (qp, attr) = unsafe { (queue_pair::<P>(qp), &*attr) };
            // Consumers are told of flushed completions at the end.
            let _off = BottomHalvesOff::new();
            P::modify_qp(qp, &qp::Modify::new(attr, mask)).map(|()| 0)
        })
    }

    pub(super) unsafe extern "C" fn query_qp(
        qp: *mut bindings::ib_qp,
        attr: *mut bindings::ib_qp_attr,
        _mask: c_int,
        init: *mut bindings::ib_qp_init_attr,
    ) -> c_int {
        // SAFETY: See the top of the file; the attributes are ours to fill.
        let (ours, attr, init) = unsafe { (queue_pair::<P>(qp), &mut *attr, &mut *init) };
        let (state, capacity) = P::query_qp(ours);
        attr.qp_state = state as u32;
        attr.cur_qp_state = state as u32;
        attr.cap = bindings::ib_qp_cap {
            max_send_wr: capacity.send_requests,
            max_recv_wr: capacity.recv_requests,
            max_send_sge: capacity.send_sges,
            max_recv_sge: capacity.recv_sges,
            max_inline_data: 0,
            max_rdma_ctxs: 0,
        };
        init.cap = attr.cap;
        0
    }

    pub(super) unsafe extern "C" fn destroy_qp(
        qp: *mut bindings::ib_qp,
        _udata: *mut bindings::ib_udata,
    ) -> c_int {
        let object = qp.cast::<QpObject<P::Qp>>();
        // SAFETY: From `Arc::into_raw`, and nobody posts any more.
        let (ours, send, recv) = unsafe {
            (
                Arc::from_raw((*object).qp),
                Arc::from_raw((*object).send),
                Arc::from_raw((*object).recv),
            )
        };
        // From here on, no completion names the queue pair.
        send.close();
        recv.close();
        P::destroy_qp(ours);
        0
    }

    pub(super) unsafe extern "C" fn post_send(
        qp: *mut bindings::ib_qp,
        mut wr: *const bindings::ib_send_wr,
        bad: *mut *const bindings::ib_send_wr,
    ) -> c_int {
        // SAFETY: See the top of the file.
        let (ours, kind) = unsafe { (queue_pair::<P>(qp), (*qp.cast::<QpObject<P::Qp>>()).kind) };
        let _off = BottomHalvesOff::new();
        // SAFETY: The consumer's list is valid while we are here.
        while let Some(request) = unsafe { wr.as_ref() } {
            // Read this before the request is completed, after which it may vanish.
            let next = request.next;
            // SAFETY: The core says that a queue pair of this kind is given requests of its kind.
            let request = unsafe { SendWr::new(request, kind.is_datagram()) };
            if let Err(error) = P::post_send(ours, request) {
                // SAFETY: Valid for writes.
                unsafe { *bad = wr };
                return error.to_errno();
            }
            wr = next;
        }
        0
    }

    pub(super) unsafe extern "C" fn post_recv(
        qp: *mut bindings::ib_qp,
        mut wr: *const bindings::ib_recv_wr,
        bad: *mut *const bindings::ib_recv_wr,
    ) -> c_int {
        // SAFETY: See the top of the file.
        let ours = unsafe { queue_pair::<P>(qp) };
        let _off = BottomHalvesOff::new();
        // SAFETY: The consumer's list is valid while we are here.
        while let Some(request) = unsafe { wr.as_ref() } {
            let next = request.next;
            // SAFETY: Likewise; the consumer lends the memory.
            if let Err(error) = P::post_recv(ours, unsafe { RecvWr::new(request) }) {
                // SAFETY: Valid for writes.
                unsafe { *bad = wr };
                return error.to_errno();
            }
            wr = next;
        }
        0
    }

    pub(super) unsafe extern "C" fn attach_mcast(
        qp: *mut bindings::ib_qp,
        gid: *mut bindings::ib_gid,
        _lid: u16,
    ) -> c_int {
        // SAFETY: See the top of the file; any bits are a valid GID.
        from_result(|| unsafe { P::attach_multicast(queue_pair::<P>(qp), (*gid).raw).map(|()| 0) })
    }

    pub(super) unsafe extern "C" fn detach_mcast(
        qp: *mut bindings::ib_qp,
        gid: *mut bindings::ib_gid,
        _lid: u16,
    ) -> c_int {
        // SAFETY: As above.
        from_result(|| unsafe { P::detach_multicast(queue_pair::<P>(qp), (*gid).raw).map(|()| 0) })
    }
}
