// SPDX-License-Identifier: GPL-2.0

//! The C side of [`Provider`]: `struct ib_device_ops`.
//!
//! What holds for all callbacks: the core calls them with objects of this device only, which it
//! allocated zeroed and as large as we said; it calls nothing for an object whose creation failed or
//! that is destroyed; and no callback but posting, polling and the like runs at the same time as the
//! one that destroys the object.

use crate::address::Av;
use crate::bindings;
use crate::cq::{Completer, Cq};
use crate::memory::LOCAL_DMA_LKEY;
use crate::mr::{Mr, MrObject};
use crate::provider::{Mad, Provider};
use crate::qp;
use crate::sync::BottomHalvesOff;
use crate::work_request::{RecvWr, SendWr, MAX_SGE};
use core::marker::PhantomData;
use core::ptr;
use kernel::error::{code::*, from_result, to_result, Result};
use kernel::ffi::{c_int, c_void};
use kernel::prelude::*;
use kernel::sync::{Arc, ArcBorrow};

/// A device, as the core allocates it.
#[repr(C)]
pub(crate) struct DeviceObject<P> {
    pub(crate) ib: bindings::ib_device,
    /// From `Arc::into_raw`.
    pub(crate) provider: *const P,
}

#[repr(C)]
struct PdObject {
    ib: bindings::ib_pd,
}

/// An address handle, as the core allocates it.
#[repr(C)]
pub(crate) struct AhObject {
    ib: bindings::ib_ah,
    pub(crate) av: Av,
}

#[repr(C)]
struct CqObject {
    ib: bindings::ib_cq,
    /// From `Arc::into_raw`.
    cq: *const Cq,
}

#[repr(C)]
struct QpObject<Q> {
    ib: bindings::ib_qp,
    /// From `Arc::into_raw`, like the following.
    qp: *const Q,
    send: *const Completer,
    recv: *const Completer,
    kind: qp::Kind,
}

/// Returns the adapter that the device stands for.
///
/// # Safety
///
/// `device` must be a device of `P` that is registered, or being registered or unregistered.
unsafe fn provider<'a, P: Provider>(device: *mut bindings::ib_device) -> ArcBorrow<'a, P> {
    // SAFETY: The device's memory is a `DeviceObject`; the pointer is there before it is registered.
    unsafe { ArcBorrow::from_raw((*device.cast::<DeviceObject<P>>()).provider) }
}

/// Returns the provider's side of a queue pair.
///
/// # Safety
///
/// `qp` must be a queue pair that was created and is not destroyed before `'a` ends.
unsafe fn queue_pair<'a, P: Provider>(qp: *mut bindings::ib_qp) -> ArcBorrow<'a, P::Qp> {
    // SAFETY: The memory is a `QpObject`, filled in by `create_qp`.
    unsafe { ArcBorrow::from_raw((*qp.cast::<QpObject<P::Qp>>()).qp) }
}

/// Returns a completion queue.
///
/// # Safety
///
/// `cq` must be a completion queue that was created and is not destroyed before `'a` ends.
unsafe fn completion_queue<'a>(cq: *mut bindings::ib_cq) -> ArcBorrow<'a, Cq> {
    // SAFETY: The memory is a `CqObject`, filled in by `create_cq`.
    unsafe { ArcBorrow::from_raw((*cq.cast::<CqObject>()).cq) }
}

/// What is called when.
pub(crate) struct Ops<P>(PhantomData<P>);

// The callbacks; see the top of the file.
impl<P: Provider> Ops<P> {
    pub(crate) const TABLE: bindings::ib_device_ops = bindings::ib_device_ops {
        driver_id: bindings::rdma_driver_id_RDMA_DRIVER_UNKNOWN,
        query_device: Some(Self::query_device),
        query_port: Some(Self::query_port),
        modify_port: Some(Self::modify_port),
        get_port_immutable: Some(Self::get_port_immutable),
        get_link_layer: Some(Self::get_link_layer),
        query_gid: Some(Self::query_gid),
        query_pkey: Some(Self::query_pkey),
        get_dev_fw_str: Some(Self::get_dev_fw_str),
        disassociate_ucontext: Some(Self::disassociate_ucontext),
        process_mad: Some(Self::process_mad),
        alloc_pd: Some(Self::alloc_pd),
        dealloc_pd: Some(Self::dealloc_pd),
        create_ah: Some(Self::create_ah),
        query_ah: Some(Self::query_ah),
        destroy_ah: Some(Self::destroy_ah),
        create_cq: Some(Self::create_cq),
        destroy_cq: Some(Self::destroy_cq),
        poll_cq: Some(Self::poll_cq),
        req_notify_cq: Some(Self::req_notify_cq),
        create_qp: Some(Self::create_qp),
        modify_qp: Some(Self::modify_qp),
        query_qp: Some(Self::query_qp),
        destroy_qp: Some(Self::destroy_qp),
        post_send: Some(Self::post_send),
        post_recv: Some(Self::post_recv),
        attach_mcast: Some(Self::attach_mcast),
        detach_mcast: Some(Self::detach_mcast),
        get_dma_mr: Some(Self::get_dma_mr),
        reg_user_mr: Some(Self::reg_user_mr),
        dereg_mr: Some(Self::dereg_mr),
        alloc_mr: Some(Self::alloc_mr),
        map_mr_sg: Some(Self::map_mr_sg),
        size_ib_pd: size_of::<PdObject>(),
        size_ib_ah: size_of::<AhObject>(),
        size_ib_cq: size_of::<CqObject>(),
        size_ib_qp: size_of::<QpObject<P::Qp>>(),
        // SAFETY: NULL is a valid value for all that is left: the core looks which functions there are.
        ..unsafe { core::mem::zeroed() }
    };

    unsafe extern "C" fn query_device(
        device: *mut bindings::ib_device,
        attr: *mut bindings::ib_device_attr,
        _udata: *mut bindings::ib_udata,
    ) -> c_int {
        // SAFETY: See the top of the file; `attr` is zeroed and ours to fill.
        let (device, attr) = unsafe { (&*device, &mut *attr) };
        let limits = P::LIMITS;
        attr.sys_image_guid = device.node_guid;
        attr.max_mr_size = u64::MAX;
        attr.page_size_cap = 0xffff_f000;
        attr.max_qp = limits.qps as i32;
        attr.max_qp_wr = 16384;
        attr.kernel_cap_flags = u64::from(
            bindings::ib_kernel_cap_flags_IBK_LOCAL_DMA_LKEY
                | bindings::ib_kernel_cap_flags_IBK_BLOCK_MULTICAST_LOOPBACK,
        );
        attr.device_cap_flags = bindings::ib_device_cap_flags_IB_DEVICE_MEM_MGT_EXTENSIONS as u64;
        attr.max_fast_reg_page_list_len = limits.mr_pages;
        attr.atomic_cap = bindings::ib_atomic_cap_IB_ATOMIC_HCA;
        attr.max_send_sge = MAX_SGE as i32;
        attr.max_recv_sge = MAX_SGE as i32;
        attr.max_sge_rd = MAX_SGE as i32;
        attr.max_cq = 1 << 16;
        attr.max_cqe = 1 << 20;
        attr.max_mr = limits.mrs as i32;
        attr.max_pd = 1 << 16;
        attr.max_qp_rd_atom = 16;
        attr.max_res_rd_atom = 1 << 16;
        attr.max_qp_init_rd_atom = 16;
        attr.max_mcast_grp = limits.groups as i32;
        attr.max_mcast_qp_attach = limits.qps as i32;
        attr.max_total_mcast_qp_attach = attr.max_mcast_qp_attach;
        attr.max_ah = 1 << 20;
        attr.max_pkeys = limits.pkeys;
        0
    }

    unsafe extern "C" fn query_port(
        device: *mut bindings::ib_device,
        port: u32,
        attr: *mut bindings::ib_port_attr,
    ) -> c_int {
        from_result(|| {
            // SAFETY: See the top of the file; `attr` is zeroed and ours to fill.
            let (provider, attr) = unsafe { (provider::<P>(device), &mut *attr) };
            let state = provider.query_port(port)?;
            attr.subnet_prefix = state.subnet_prefix;
            (attr.state, attr.phys_state) = match state.active {
                true => (
                    bindings::ib_port_state_IB_PORT_ACTIVE,
                    bindings::ib_port_phys_state_IB_PORT_PHYS_STATE_LINK_UP as u8,
                ),
                false => (
                    bindings::ib_port_state_IB_PORT_DOWN,
                    bindings::ib_port_phys_state_IB_PORT_PHYS_STATE_POLLING as u8,
                ),
            };
            attr.max_mtu = bindings::ib_mtu_IB_MTU_4096;
            attr.active_mtu = bindings::ib_mtu_IB_MTU_4096;
            attr.phys_mtu = 4096;
            attr.gid_tbl_len = 1;
            attr.port_cap_flags = state.capabilities;
            attr.max_msg_sz = 1 << 30;
            attr.pkey_tbl_len = P::LIMITS.pkeys;
            attr.sm_lid = u32::from(state.sm_lid);
            attr.lid = u32::from(state.lid);
            attr.max_vl_num = 1;
            attr.subnet_timeout = 14;
            attr.active_width = bindings::ib_port_width_IB_WIDTH_4X as u8;
            attr.active_speed = bindings::ib_port_speed_IB_SPEED_EDR as u16;
            Ok(0)
        })
    }

    // ib_cm sets the capability bit that says that it is there; the fabric does not care.
    unsafe extern "C" fn modify_port(
        _device: *mut bindings::ib_device,
        _port: u32,
        _mask: c_int,
        _change: *mut bindings::ib_port_modify,
    ) -> c_int {
        0
    }

    unsafe extern "C" fn get_port_immutable(
        _device: *mut bindings::ib_device,
        _port: u32,
        immutable: *mut bindings::ib_port_immutable,
    ) -> c_int {
        // SAFETY: Ours to fill.
        let immutable = unsafe { &mut *immutable };
        immutable.pkey_tbl_len = i32::from(P::LIMITS.pkeys);
        immutable.gid_tbl_len = 1;
        immutable.core_cap_flags = bindings::RDMA_CORE_CAP_PROT_IB
            | bindings::RDMA_CORE_CAP_IB_MAD
            | bindings::RDMA_CORE_CAP_IB_SMI
            | bindings::RDMA_CORE_CAP_IB_CM
            | bindings::RDMA_CORE_CAP_IB_SA
            | bindings::RDMA_CORE_CAP_AF_IB;
        immutable.max_mad_size = size_of::<Mad>() as u32;
        0
    }

    unsafe extern "C" fn get_link_layer(
        _device: *mut bindings::ib_device,
        _port: u32,
    ) -> bindings::rdma_link_layer {
        bindings::rdma_link_layer_IB_LINK_LAYER_INFINIBAND
    }

    unsafe extern "C" fn query_gid(
        device: *mut bindings::ib_device,
        port: u32,
        index: c_int,
        gid: *mut bindings::ib_gid,
    ) -> c_int {
        from_result(|| {
            let index = usize::try_from(index)?;
            // SAFETY: See the top of the file.
            let raw = unsafe { provider::<P>(device) }.query_gid(port, index)?;
            // SAFETY: `gid` is valid for writes.
            unsafe { (*gid).raw = raw };
            Ok(0)
        })
    }

    unsafe extern "C" fn query_pkey(
        device: *mut bindings::ib_device,
        port: u32,
        index: u16,
        pkey: *mut u16,
    ) -> c_int {
        from_result(|| {
            // SAFETY: See the top of the file.
            let value = unsafe { provider::<P>(device) }.query_pkey(port, usize::from(index))?;
            // SAFETY: `pkey` is valid for writes.
            unsafe { *pkey = value };
            Ok(0)
        })
    }

    unsafe extern "C" fn get_dev_fw_str(_device: *mut bindings::ib_device, text: *mut u8) {
        // SAFETY: There is room for IB_FW_VERSION_NAME_MAX bytes.
        unsafe { ptr::copy_nonoverlapping(c"1.0".to_bytes_with_nul().as_ptr(), text, 4) };
    }

    // There is no user context, but the core lets only devices with this change their namespace.
    unsafe extern "C" fn disassociate_ucontext(_context: *mut bindings::ib_ucontext) {}

    unsafe extern "C" fn process_mad(
        device: *mut bindings::ib_device,
        _flags: c_int,
        port: u32,
        _wc: *const bindings::ib_wc,
        _grh: *const bindings::ib_grh,
        request: *const bindings::ib_mad,
        reply: *mut bindings::ib_mad,
        _size: *mut usize,
        _pkey_index: *mut u16,
    ) -> c_int {
        // SAFETY: Both are 256 bytes, since we say so in `get_port_immutable`.
        let (request, reply) = unsafe { (&*request.cast::<Mad>(), &mut *reply.cast::<Mad>()) };
        let done = bindings::ib_mad_result_IB_MAD_RESULT_SUCCESS;
        // SAFETY: See the top of the file.
        let flags = match unsafe { provider::<P>(device) }.process_mad(port, request) {
            Some(answer) => {
                *reply = answer;
                done | bindings::ib_mad_result_IB_MAD_RESULT_REPLY
            }
            None => done,
        };
        flags as c_int
    }

    unsafe extern "C" fn alloc_pd(_: *mut bindings::ib_pd, _: *mut bindings::ib_udata) -> c_int {
        0
    }

    unsafe extern "C" fn dealloc_pd(_: *mut bindings::ib_pd, _: *mut bindings::ib_udata) -> c_int {
        0
    }

    unsafe extern "C" fn create_ah(
        ah: *mut bindings::ib_ah,
        init: *mut bindings::rdma_ah_init_attr,
        _udata: *mut bindings::ib_udata,
    ) -> c_int {
        // SAFETY: See the top of the file; the attributes are valid and of an InfiniBand port.
        unsafe {
            (&raw mut (*ah.cast::<AhObject>()).av).write(Av::from_attr((*init).ah_attr));
        }
        0
    }

    unsafe extern "C" fn query_ah(
        ah: *mut bindings::ib_ah,
        attr: *mut bindings::rdma_ah_attr,
    ) -> c_int {
        // SAFETY: See the top of the file; `attr` is ours to fill.
        unsafe { bindings::rh_av_to_attr(&(*ah.cast::<AhObject>()).av.0, attr) };
        0
    }

    unsafe extern "C" fn destroy_ah(_ah: *mut bindings::ib_ah, _flags: u32) -> c_int {
        0
    }

    unsafe extern "C" fn create_cq(
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

    unsafe extern "C" fn destroy_cq(
        cq: *mut bindings::ib_cq,
        _udata: *mut bindings::ib_udata,
    ) -> c_int {
        // SAFETY: From `Arc::into_raw`, and not used any more.
        let queue = unsafe { Arc::from_raw((*cq.cast::<CqObject>()).cq) };
        queue.close();
        0
    }

    unsafe extern "C" fn poll_cq(
        cq: *mut bindings::ib_cq,
        count: c_int,
        wc: *mut bindings::ib_wc,
    ) -> c_int {
        let count = usize::try_from(count).unwrap_or(0);
        // SAFETY: See the top of the file; the caller has room for `count` completions.
        unsafe { completion_queue(cq).poll(wc, count) as c_int }
    }

    unsafe extern "C" fn req_notify_cq(
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

    unsafe extern "C" fn create_qp(
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

    unsafe extern "C" fn modify_qp(
        qp: *mut bindings::ib_qp,
        attr: *mut bindings::ib_qp_attr,
        mask: c_int,
        _udata: *mut bindings::ib_udata,
    ) -> c_int {
        from_result(|| {
            // SAFETY: See the top of the file.
            let (qp, attr) = unsafe { (queue_pair::<P>(qp), &*attr) };
            // What flushing completes is told at the end.
            let _off = BottomHalvesOff::new();
            P::modify_qp(qp, &qp::Modify::new(attr, mask)).map(|()| 0)
        })
    }

    unsafe extern "C" fn query_qp(
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

    unsafe extern "C" fn destroy_qp(
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

    unsafe extern "C" fn post_send(
        qp: *mut bindings::ib_qp,
        mut wr: *const bindings::ib_send_wr,
        bad: *mut *const bindings::ib_send_wr,
    ) -> c_int {
        // SAFETY: See the top of the file.
        let (ours, kind) = unsafe { (queue_pair::<P>(qp), (*qp.cast::<QpObject<P::Qp>>()).kind) };
        let _off = BottomHalvesOff::new();
        // SAFETY: The consumer's list is valid while we are here.
        while let Some(request) = unsafe { wr.as_ref() } {
            // Read before the request is completed, when it may vanish.
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

    unsafe extern "C" fn post_recv(
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

    unsafe extern "C" fn attach_mcast(
        qp: *mut bindings::ib_qp,
        gid: *mut bindings::ib_gid,
        _lid: u16,
    ) -> c_int {
        // SAFETY: See the top of the file; any bits are a valid GID.
        from_result(|| unsafe { P::attach_multicast(queue_pair::<P>(qp), (*gid).raw).map(|()| 0) })
    }

    unsafe extern "C" fn detach_mcast(
        qp: *mut bindings::ib_qp,
        gid: *mut bindings::ib_gid,
        _lid: u16,
    ) -> c_int {
        // SAFETY: As above.
        from_result(|| unsafe { P::detach_multicast(queue_pair::<P>(qp), (*gid).raw).map(|()| 0) })
    }

    unsafe extern "C" fn get_dma_mr(
        pd: *mut bindings::ib_pd,
        access: c_int,
    ) -> *mut bindings::ib_mr {
        // SAFETY: See the top of the file; the consumer asks for all of the kernel's memory.
        unsafe { Self::new_mr(pd, Mr::everything(access as u32)) }
    }

    unsafe extern "C" fn alloc_mr(
        pd: *mut bindings::ib_pd,
        kind: bindings::ib_mr_type,
        pages: u32,
    ) -> *mut bindings::ib_mr {
        if kind != bindings::ib_mr_type_IB_MR_TYPE_MEM_REG || pages > P::LIMITS.mr_pages {
            return ENOTSUPP.to_ptr();
        }
        // SAFETY: See the top of the file.
        unsafe { Self::new_mr(pd, Mr::of_pages(pages)) }
    }

    /// # Safety
    ///
    /// `pd` must be a protection domain of the device.
    unsafe fn new_mr(pd: *mut bindings::ib_pd, mr: Result<Arc<Mr>>) -> *mut bindings::ib_mr {
        let new = || -> Result<*mut bindings::ib_mr> {
            let mr = mr?;
            // SAFETY: By the caller's promise.
            let provider = unsafe { provider::<P>((*pd).device) };
            let key = provider.insert_mr(mr.clone())?;
            mr.set_key(key);
            let object = MrObject {
                ib: bindings::ib_mr {
                    lkey: key,
                    rkey: key,
                    // SAFETY: All zeroes are valid, and what the core expects.
                    ..unsafe { core::mem::zeroed() }
                },
                mr: Arc::into_raw(mr),
            };
            match KBox::new(object, GFP_KERNEL) {
                Ok(object) => Ok(KBox::into_raw(object).cast()),
                Err(error) => {
                    provider.remove_mr(key);
                    Err(error.into())
                }
            }
        };
        new().unwrap_or_else(|error| error.to_ptr())
    }

    unsafe extern "C" fn map_mr_sg(
        mr: *mut bindings::ib_mr,
        list: *mut bindings::scatterlist,
        count: c_int,
        offset: *mut u32,
    ) -> c_int {
        // SAFETY: See the top of the file.
        let ours = unsafe { ArcBorrow::from_raw((*mr.cast::<MrObject>()).mr) };
        ours.clear_pages();
        // SAFETY: The list is the consumer's, valid, and mapped for this device.
        let mapped =
            unsafe { bindings::ib_sg_to_pages(mr, list, count, offset, Some(Self::set_page)) };
        // SAFETY: The core has filled in the range.
        let mr = unsafe { &*mr };
        ours.set_range(mr.length, mr.page_size as usize);
        mapped
    }

    unsafe extern "C" fn set_page(mr: *mut bindings::ib_mr, page: u64) -> c_int {
        // SAFETY: As in `map_mr_sg`.
        let ours = unsafe { ArcBorrow::from_raw((*mr.cast::<MrObject>()).mr) };
        from_result(|| ours.add_page(page).map(|()| 0))
    }

    unsafe extern "C" fn reg_user_mr(
        _pd: *mut bindings::ib_pd,
        _start: u64,
        _length: u64,
        _address: u64,
        _access: c_int,
        _dmah: *mut bindings::ib_dmah,
        _udata: *mut bindings::ib_udata,
    ) -> *mut bindings::ib_mr {
        ENOTSUPP.to_ptr()
    }

    unsafe extern "C" fn dereg_mr(
        mr: *mut bindings::ib_mr,
        _udata: *mut bindings::ib_udata,
    ) -> c_int {
        // SAFETY: From `new_mr`, and not used any more.
        let (object, ours) = unsafe {
            let object = KBox::from_raw(mr.cast::<MrObject>());
            let ours = Arc::from_raw(object.mr);
            (object, ours)
        };
        ours.close();
        // SAFETY: See the top of the file.
        unsafe { provider::<P>(object.ib.device) }.remove_mr(object.ib.rkey);
        0
    }
}

/// Allocates a device that nobody knows of yet. Sleeps.
pub(crate) fn allocate<P: Provider>() -> Result<*mut DeviceObject<P>> {
    // SAFETY: Allocation only, in the namespace that is always there.
    let device = unsafe {
        bindings::_ib_alloc_device(size_of::<DeviceObject<P>>(), &raw mut bindings::init_net)
    };
    if device.is_null() {
        return Err(ENOMEM);
    }
    Ok(device.cast())
}

/// Checks a result of C.
pub(crate) fn check(result: c_int) -> Result {
    to_result(result)
}

const _: () = assert!(LOCAL_DMA_LKEY == 0);
const _: () = assert!(size_of::<*const c_void>() == size_of::<u64>());
