// SPDX-License-Identifier: GPL-2.0

//! Devices: registration, and events.
//!
//! C header: [`include/rdma/ib_verbs.h`](srctree/include/rdma/ib_verbs.h)

use crate::bindings;
use crate::memory::LOCAL_DMA_LKEY;
use crate::ops::{allocate, DeviceObject, Ops};
use crate::provider::Provider;
use core::ptr;
use kernel::error::{to_result, Result};
use kernel::faux;
use kernel::prelude::*;
use kernel::str::CStr;
use kernel::sync::Arc;
use kernel::ThisModule;

/// What the consumers of a port are told (`enum ib_event_type`).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u32)]
#[allow(missing_docs)]
pub enum PortEvent {
    Active = bindings::ib_event_type_IB_EVENT_PORT_ACTIVE,
    Error = bindings::ib_event_type_IB_EVENT_PORT_ERR,
    LidChange = bindings::ib_event_type_IB_EVENT_LID_CHANGE,
    PkeyChange = bindings::ib_event_type_IB_EVENT_PKEY_CHANGE,
    SmChange = bindings::ib_event_type_IB_EVENT_SM_CHANGE,
    ClientReregister = bindings::ib_event_type_IB_EVENT_CLIENT_REREGISTER,
    GidChange = bindings::ib_event_type_IB_EVENT_GID_CHANGE,
}

/// What a device reports about itself.
pub struct Description<'a> {
    /// Its name.
    pub name: &'a CStr,
    /// Its GUID.
    pub node_guid: u64,
    /// What tools show for it.
    pub node_description: &'a [u8; 64],
    /// How many ports it has.
    pub ports: u32,
}

/// A device that is registered. Dropping it unregisters the device, which sleeps.
pub struct Registration<P: Provider> {
    device: *mut DeviceObject<P>,
    /// The device's parent in sysfs: consumers assume that there is one.
    _parent: faux::Registration,
}

// SAFETY: The core lets a device be used from any thread.
unsafe impl<P: Provider> Send for Registration<P> {}
// SAFETY: As above.
unsafe impl<P: Provider> Sync for Registration<P> {}

impl<P: Provider> Registration<P> {
    /// Registers `provider` as a device. Its consumers hear of it before this returns. Sleeps.
    pub fn new(
        module: &'static ThisModule,
        description: &Description<'_>,
        provider: Arc<P>,
    ) -> Result<Self> {
        let parent = faux::Registration::new(description.name, None)?;
        let device = allocate::<P>()?;
        let mut ops = Ops::<P>::TABLE;
        ops.owner = module.as_ptr().cast();
        // SAFETY: The device is allocated, and ours alone until it is registered. The core copies
        // the table. The parent stays as long as `self`.
        let result = unsafe {
            (&raw mut (*device).provider).write(Arc::into_raw(provider));
            let ib = &mut (*device).ib;
            bindings::ib_set_device_ops(ib, &ops);
            ib.node_type = bindings::RDMA_NODE_IB_CA as u8;
            ib.node_guid = description.node_guid.to_be();
            ib.node_desc = *description.node_description;
            ib.phys_port_cnt = description.ports;
            ib.num_comp_vectors = 1;
            ib.local_dma_lkey = LOCAL_DMA_LKEY;
            bindings::rh_set_parent(ib, ptr::from_ref(parent.as_ref()).cast_mut().cast());
            to_result(bindings::ib_register_device(
                ib,
                description.name.as_char_ptr(),
                ptr::null_mut(),
            ))
        };
        if let Err(error) = result {
            // SAFETY: Not registered, so nobody uses it.
            unsafe { free(device) };
            return Err(error);
        }
        Ok(Self {
            device,
            _parent: parent,
        })
    }

    /// Tells the consumers of a port what has happened, from a work item. Any context.
    pub fn dispatch(&self, port: u32, event: PortEvent) {
        let event = bindings::ib_event {
            // SAFETY: The device is there as long as `self`.
            device: unsafe { &raw mut (*self.device).ib },
            element: bindings::ib_event__bindgen_ty_1 { port_num: port },
            event: event as u32,
        };
        // SAFETY: The core copies the event; the device is registered.
        unsafe { bindings::ib_dispatch_event(&event) };
    }
}

/// # Safety
///
/// `device` must not be registered, and not be used afterwards.
unsafe fn free<P: Provider>(device: *mut DeviceObject<P>) {
    // SAFETY: By the caller's promise; the pointer is from `Arc::into_raw`.
    unsafe {
        drop(Arc::from_raw((*device).provider));
        bindings::ib_dealloc_device(&raw mut (*device).ib);
    }
}

impl<P: Provider> Drop for Registration<P> {
    fn drop(&mut self) {
        // SAFETY: Registered by `new`; when this is done, nobody uses it.
        unsafe {
            bindings::ib_unregister_device(&raw mut (*self.device).ib);
            free(self.device);
        }
    }
}
