// SPDX-License-Identifier: GPL-2.0

//! What a provider implements.

use crate::mr::Mr;
use crate::qp;
use crate::work_request::{RecvWr, SendWr};
use kernel::error::Result;
use kernel::sync::{Arc, ArcBorrow};

/// A management datagram.
pub type Mad = [u8; 256];

/// The state of a port, for consumers (`struct ib_port_attr`).
pub struct PortAttributes {
    /// Whether packets can be sent and received.
    pub active: bool,
    /// The port's LID.
    pub lid: u16,
    /// The subnet manager's LID.
    pub sm_lid: u16,
    /// What the port can do (CapabilityMask of PortInfo).
    pub capabilities: u32,
    /// The upper half of the GIDs.
    pub subnet_prefix: u64,
}

/// Sizes that are fixed when a device is registered.
#[derive(Clone, Copy)]
pub struct Limits {
    /// The length of a port's P_Key table.
    pub pkeys: u16,
    /// How many queue pairs there can be.
    pub qps: u32,
    /// How many memory regions there can be.
    pub mrs: u32,
    /// How many pages a region can have.
    pub mr_pages: u32,
    /// How many multicast groups a queue pair can be attached to.
    pub groups: u32,
}

/// A provider of InfiniBand channel adapters in software. A value is an adapter.
pub trait Provider: Sized + Send + Sync + 'static {
    /// A queue pair.
    type Qp: Send + Sync + 'static;

    /// The sizes.
    const LIMITS: Limits;

    /// The state of a port. May sleep.
    fn query_port(&self, port: u32) -> Result<PortAttributes>;

    /// A GID of a port. May sleep.
    fn query_gid(&self, port: u32, index: usize) -> Result<[u8; 16]>;

    /// A P_Key of a port. May sleep.
    fn query_pkey(&self, port: u32, index: usize) -> Result<u16>;

    /// Makes a queue pair, and returns its number. May sleep.
    fn create_qp(adapter: ArcBorrow<'_, Self>, init: qp::Init) -> Result<(Arc<Self::Qp>, u32)>;

    /// Changes a queue pair. May sleep.
    fn modify_qp(qp: ArcBorrow<'_, Self::Qp>, change: &qp::Modify<'_>) -> Result;

    /// The state that a queue pair is in.
    fn query_qp(qp: ArcBorrow<'_, Self::Qp>) -> (qp::State, qp::Capacity);

    /// The queue pair goes away; what completes from now on is lost. May sleep.
    fn destroy_qp(qp: Arc<Self::Qp>);

    /// Takes a request for the send queue. Any context; bottom halves or interrupts are off.
    fn post_send(qp: ArcBorrow<'_, Self::Qp>, wr: SendWr<'_>) -> Result;

    /// Takes a request for the receive queue. Any context; bottom halves or interrupts are off.
    fn post_recv(qp: ArcBorrow<'_, Self::Qp>, wr: RecvWr<'_>) -> Result;

    /// The queue pair wants the packets of a multicast group. May sleep.
    fn attach_multicast(qp: ArcBorrow<'_, Self::Qp>, gid: [u8; 16]) -> Result;

    /// The queue pair no longer wants these packets. May sleep.
    fn detach_multicast(qp: ArcBorrow<'_, Self::Qp>, gid: [u8; 16]) -> Result;

    /// Adds a region, and returns the part of its key that is not the consumer's. May sleep.
    fn insert_mr(&self, mr: Arc<Mr>) -> Result<u32>;

    /// Forgets the region with that key. May sleep.
    fn remove_mr(&self, key: u32);

    /// Passes a management datagram to the adapter's agent, which may have an answer. May sleep.
    fn process_mad(&self, port: u32, request: &Mad) -> Option<Mad>;
}
