// SPDX-License-Identifier: GPL-2.0

//! Callbacks that ask for a device and its ports.

use super::{provider, Ops};
use crate::bindings;
use crate::provider::{Mad, Provider};
use crate::work_request::MAX_SGE;
use core::ptr;
use kernel::error::from_result;
use kernel::ffi::c_int;

// See the top of mod.rs.
impl<P: Provider> Ops<P> {
    pub(super) unsafe extern "C" fn query_device(
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
        attr.max_qp_wr = 16384;
        attr.kernel_cap_flags = u64::from(
            bindings::ib_kernel_cap_flags_IBK_LOCAL_DMA_LKEY
                | bindings::ib_kernel_cap_flags_IBK_BLOCK_MULTICAST_LOOPBACK,
        );
        attr.device_cap_flags = bindings::ib_device_cap_flags_IB_DEVICE_MEM_MGT_EXTENSIONS as u64;
        attr.max_fast_reg_page_list_len = limits.mr_pages;
        attr.atomic_cap = bindings::ib_atomic_cap_IB_ATOMIC_HCA;
        attr.max_cq = 1 << 16;
        attr.max_cqe = 1 << 20;
        attr.max_pd = 1 << 16;
        attr.max_qp_rd_atom = 16;
        attr.max_res_rd_atom = 1 << 16;
        attr.max_qp_init_rd_atom = 16;
        attr.max_ah = 1 << 20;
        attr.max_pkeys = limits.pkeys;
        // SAFETY: As above.
        unsafe {
            bindings::rh_set_limits(attr, limits.qps, MAX_SGE, limits.mrs, limits.groups);
        }
        0
    }

    pub(super) unsafe extern "C" fn query_port(
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

    // ib_cm sets the capability bit that says it is there; the fabric does not care.
    pub(super) unsafe extern "C" fn modify_port(
        _device: *mut bindings::ib_device,
        _port: u32,
        _mask: c_int,
        _change: *mut bindings::ib_port_modify,
    ) -> c_int {
        0
    }

    pub(super) unsafe extern "C" fn get_port_immutable(
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

    pub(super) unsafe extern "C" fn get_link_layer(
        _device: *mut bindings::ib_device,
        _port: u32,
    ) -> bindings::rdma_link_layer {
        bindings::rdma_link_layer_IB_LINK_LAYER_INFINIBAND
    }

    pub(super) unsafe extern "C" fn query_gid(
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

    pub(super) unsafe extern "C" fn query_pkey(
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

    pub(super) unsafe extern "C" fn get_dev_fw_str(
        _device: *mut bindings::ib_device,
        text: *mut u8,
    ) {
        // SAFETY: There is room for IB_FW_VERSION_NAME_MAX bytes.
        unsafe { ptr::copy_nonoverlapping(c"1.0".to_bytes_with_nul().as_ptr(), text, 4) };
    }

    // There is no user context, but the core requires this callback for a change of the namespace.
    pub(super) unsafe extern "C" fn disassociate_ucontext(_context: *mut bindings::ib_ucontext) {}

    pub(super) unsafe extern "C" fn process_mad(
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
}
