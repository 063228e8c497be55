// SPDX-License-Identifier: GPL-2.0

//! The C side of [`Provider`]: `struct ib_device_ops`.
//!
//! What holds for all callbacks: the core calls them only with objects of this device, which it
//! allocated zeroed and as large as we said; it calls nothing for an object whose creation failed
//! or that is destroyed; and only posting, polling and the like can run at the same time as the
//! callback that destroys the object.

mod device;
mod objects;
mod queues;

use crate::address::Av;
use crate::bindings;
use crate::cq::{Completer, Cq};
use crate::provider::Provider;
use crate::qp;
use core::marker::PhantomData;
use kernel::error::{code::*, Result};
use kernel::sync::ArcBorrow;

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

/// Returns the adapter that the device represents.
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

/// Which function the core calls for what.
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
}

/// Allocates a device that nobody knows about yet. Sleeps.
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
