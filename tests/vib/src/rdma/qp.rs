// SPDX-License-Identifier: GPL-2.0

//! Queue pairs: what the core says about them.
//!
//! C header: [`include/rdma/ib_verbs.h`](srctree/include/rdma/ib_verbs.h)

use crate::address::Av;
use crate::bindings;
use crate::cq::Completer;
use kernel::error::{code::*, Result};
use kernel::sync::Arc;

/// The kinds of queue pairs that are supported here.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u32)]
pub enum Kind {
    /// QP0, for subnet management.
    Management = bindings::ib_qp_type_IB_QPT_SMI,
    /// QP1, for general services.
    Services = bindings::ib_qp_type_IB_QPT_GSI,
    /// Reliable connection.
    Connected = bindings::ib_qp_type_IB_QPT_RC,
    /// Unreliable datagrams.
    Datagram = bindings::ib_qp_type_IB_QPT_UD,
}

impl Kind {
    pub(crate) fn from_c(kind: bindings::ib_qp_type) -> Result<Kind> {
        Ok(match kind {
            bindings::ib_qp_type_IB_QPT_SMI => Kind::Management,
            bindings::ib_qp_type_IB_QPT_GSI => Kind::Services,
            bindings::ib_qp_type_IB_QPT_RC => Kind::Connected,
            bindings::ib_qp_type_IB_QPT_UD => Kind::Datagram,
            _ => return Err(ENOTSUPP),
        })
    }

    /// Whether its work requests are datagrams.
    pub fn is_datagram(self) -> bool {
        self != Kind::Connected
    }
}

/// The states of a queue pair (`enum ib_qp_state`).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
#[repr(u32)]
#[allow(missing_docs)]
pub enum State {
    Reset = bindings::ib_qp_state_IB_QPS_RESET,
    Init = bindings::ib_qp_state_IB_QPS_INIT,
    ReadyToReceive = bindings::ib_qp_state_IB_QPS_RTR,
    ReadyToSend = bindings::ib_qp_state_IB_QPS_RTS,
    SendQueueDrained = bindings::ib_qp_state_IB_QPS_SQD,
    SendQueueError = bindings::ib_qp_state_IB_QPS_SQE,
    Error = bindings::ib_qp_state_IB_QPS_ERR,
}

impl State {
    fn from_c(state: bindings::ib_qp_state) -> Option<State> {
        Some(match state {
            bindings::ib_qp_state_IB_QPS_RESET => State::Reset,
            bindings::ib_qp_state_IB_QPS_INIT => State::Init,
            bindings::ib_qp_state_IB_QPS_RTR => State::ReadyToReceive,
            bindings::ib_qp_state_IB_QPS_RTS => State::ReadyToSend,
            bindings::ib_qp_state_IB_QPS_SQD => State::SendQueueDrained,
            bindings::ib_qp_state_IB_QPS_SQE => State::SendQueueError,
            bindings::ib_qp_state_IB_QPS_ERR => State::Error,
            _ => return None,
        })
    }
}

/// How large a queue pair is (`struct ib_qp_cap`).
#[derive(Clone, Copy)]
#[allow(missing_docs)]
pub struct Capacity {
    pub send_requests: u32,
    pub recv_requests: u32,
    pub send_sges: u32,
    pub recv_sges: u32,
}

/// The properties of a new queue pair (`struct ib_qp_init_attr`).
pub struct Init {
    /// Its kind.
    pub kind: Kind,
    /// The port, for kinds that have one from the start.
    pub port: u32,
    /// Its size.
    pub capacity: Capacity,
    /// Whether each request of the send queue gets a completion.
    pub signal_all: bool,
    /// Whether it does not receive its own multicasts.
    pub block_loopback: bool,
    /// Where sends are completed.
    pub send: Arc<Completer>,
    /// Where receives are completed.
    pub recv: Arc<Completer>,
}

/// The changes to a queue pair (`struct ib_qp_attr` with its mask).
pub struct Modify<'a> {
    attr: &'a bindings::ib_qp_attr,
    mask: u32,
}

macro_rules! attributes {
    ($($(#[$doc:meta])* $name:ident: $type:ty = $flag:ident, $field:ident;)*) => {$(
        $(#[$doc])*
        pub fn $name(&self) -> Option<$type> {
            self.has(bindings::$flag).then_some(self.attr.$field as $type)
        }
    )*};
}

impl<'a> Modify<'a> {
    pub(crate) fn new(attr: &'a bindings::ib_qp_attr, mask: i32) -> Self {
        let mask = mask as u32;
        Self { attr, mask }
    }

    fn has(&self, flag: u32) -> bool {
        self.mask & flag != 0
    }

    /// Checks that a queue pair of that kind can make this transition from its state, and returns
    /// the next state.
    pub fn transition(&self, from: State, kind: Kind) -> Result<State> {
        let current = match self.has(bindings::ib_qp_attr_mask_IB_QP_CUR_STATE) {
            true => State::from_c(self.attr.cur_qp_state).ok_or(EINVAL)?,
            false => from,
        };
        let next = match self.has(bindings::ib_qp_attr_mask_IB_QP_STATE) {
            true => State::from_c(self.attr.qp_state).ok_or(EINVAL)?,
            false => current,
        };
        // SAFETY: Looks at its arguments only.
        let ok = unsafe {
            bindings::ib_modify_qp_is_ok(current as u32, next as u32, kind as u32, self.mask)
        };
        ok.then_some(next).ok_or(EINVAL)
    }

    /// Where the other side of a connection is.
    pub fn path(&self) -> Option<Av> {
        self.has(bindings::ib_qp_attr_mask_IB_QP_AV)
            // SAFETY: The mask says that it is there; the core has checked its type.
            .then(|| unsafe { Av::from_attr(&self.attr.ah_attr) })
    }

    attributes! {
        /// The Q_Key.
        qkey: u32 = ib_qp_attr_mask_IB_QP_QKEY, qkey;
        /// The place of the P_Key in the table.
        pkey_index: u16 = ib_qp_attr_mask_IB_QP_PKEY_INDEX, pkey_index;
        /// The port.
        port: u32 = ib_qp_attr_mask_IB_QP_PORT, port_num;
        /// The other side's number.
        dest_qpn: u32 = ib_qp_attr_mask_IB_QP_DEST_QPN, dest_qp_num;
        /// What the other side may do (`IB_ACCESS_*`).
        access: u32 = ib_qp_attr_mask_IB_QP_ACCESS_FLAGS, qp_access_flags;
        /// How long to wait for an answer: 4.096 us times two to the power of this; zero: for ever.
        timeout: u8 = ib_qp_attr_mask_IB_QP_TIMEOUT, timeout;
        /// How often a packet without answer is sent again.
        retry_count: u8 = ib_qp_attr_mask_IB_QP_RETRY_CNT, retry_cnt;
        /// How often a packet for which the other side has no room is sent again; seven: for ever.
        rnr_retry: u8 = ib_qp_attr_mask_IB_QP_RNR_RETRY, rnr_retry;
        /// How long the other side must wait when there is no room here (a code).
        min_rnr_timer: u8 = ib_qp_attr_mask_IB_QP_MIN_RNR_TIMER, min_rnr_timer;
    }
}
