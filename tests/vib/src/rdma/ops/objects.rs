// SPDX-License-Identifier: GPL-2.0

//! Callbacks about protection domains, address handles and memory regions.

use super::{provider, AhObject, Ops};
use crate::address::Av;
use crate::bindings;
use crate::mr::{Mr, MrObject};
use crate::provider::Provider;
use kernel::error::from_result;
use kernel::ffi::c_int;
use kernel::prelude::*;
use kernel::sync::{Arc, ArcBorrow};

// See the top of mod.rs.
impl<P: Provider> Ops<P> {
    pub(super) unsafe extern "C" fn alloc_pd(
        _: *mut bindings::ib_pd,
        _: *mut bindings::ib_udata,
    ) -> c_int {
        0
    }

    pub(super) unsafe extern "C" fn dealloc_pd(
        _: *mut bindings::ib_pd,
        _: *mut bindings::ib_udata,
    ) -> c_int {
        0
    }

    pub(super) unsafe extern "C" fn create_ah(
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

    pub(super) unsafe extern "C" fn query_ah(
        ah: *mut bindings::ib_ah,
        attr: *mut bindings::rdma_ah_attr,
    ) -> c_int {
        // SAFETY: See the top of the file; `attr` is ours to fill.
        unsafe { bindings::rh_av_to_attr(&(*ah.cast::<AhObject>()).av.0, attr) };
        0
    }

    pub(super) unsafe extern "C" fn destroy_ah(_ah: *mut bindings::ib_ah, _flags: u32) -> c_int {
        0
    }

    pub(super) unsafe extern "C" fn get_dma_mr(
        pd: *mut bindings::ib_pd,
        access: c_int,
    ) -> *mut bindings::ib_mr {
        // SAFETY: See the top of the file; the consumer asks for all of the kernel's memory.
        unsafe { Self::new_mr(pd, Mr::everything(access as u32)) }
    }

    pub(super) unsafe extern "C" fn alloc_mr(
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

    pub(super) unsafe extern "C" fn map_mr_sg(
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

    pub(super) unsafe extern "C" fn set_page(mr: *mut bindings::ib_mr, page: u64) -> c_int {
        // SAFETY: As in `map_mr_sg`.
        let ours = unsafe { ArcBorrow::from_raw((*mr.cast::<MrObject>()).mr) };
        from_result(|| ours.add_page(page).map(|()| 0))
    }

    pub(super) unsafe extern "C" fn reg_user_mr(
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

    pub(super) unsafe extern "C" fn dereg_mr(
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
