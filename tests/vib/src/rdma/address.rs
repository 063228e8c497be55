// SPDX-License-Identifier: GPL-2.0

//! Address vectors: where a packet goes.
//!
//! C header: [`include/rdma/ib_verbs.h`](srctree/include/rdma/ib_verbs.h)

use crate::bindings;

/// An address vector (`struct rdma_ah_attr` of an InfiniBand port).
#[derive(Clone, Copy)]
#[repr(transparent)]
pub struct Av(pub(crate) bindings::rh_av);

/// The part of an address vector that goes into a global route header.
#[derive(Clone, Copy)]
pub struct GlobalRoute {
    /// The destination.
    pub dgid: [u8; 16],
    /// Traffic class.
    pub traffic_class: u8,
    /// Flow label, 20 bits.
    pub flow_label: u32,
    /// Hop limit.
    pub hop_limit: u8,
}

impl Av {
    /// The address that C describes.
    ///
    /// # Safety
    ///
    /// `attr` must point to an initialised attribute structure of an InfiniBand port.
    pub(crate) unsafe fn from_attr(attr: *const bindings::rdma_ah_attr) -> Av {
        let mut av = bindings::rh_av::default_zero();
        // SAFETY: `av` is valid for writes, `attr` by the caller's promise.
        unsafe { bindings::rh_av_from_attr(&mut av, attr) };
        Av(av)
    }

    /// The destination's LID.
    pub fn dlid(&self) -> u16 {
        self.0.dlid
    }

    /// The service level.
    pub fn sl(&self) -> u8 {
        self.0.sl
    }

    /// The adapter's port that sends, from 1.
    pub fn port(&self) -> u32 {
        self.0.port_num
    }

    /// What goes into a global route header, if there is to be one.
    pub fn global_route(&self) -> Option<GlobalRoute> {
        self.0.grh.then_some(GlobalRoute {
            dgid: self.0.dgid,
            traffic_class: self.0.traffic_class,
            flow_label: self.0.flow_label,
            hop_limit: self.0.hop_limit,
        })
    }
}

impl bindings::rh_av {
    pub(crate) const fn default_zero() -> Self {
        bindings::rh_av {
            flow_label: 0,
            port_num: 0,
            dlid: 0,
            dgid: [0; 16],
            sl: 0,
            static_rate: 0,
            src_path_bits: 0,
            sgid_index: 0,
            hop_limit: 0,
            traffic_class: 0,
            grh: false,
        }
    }
}
