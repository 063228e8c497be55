// SPDX-License-Identifier: GPL-2.0

//! Queue pairs: their state, and how they receive.

use super::connection::{self, Connection, Sender};
use super::Hca;
use crate::switch;
use fabric::{Gid, Lid, Pkey, PortId};
use kernel::prelude::*;
use kernel::sync::Arc;
use rdma::address::GlobalRoute;
use rdma::cq::{Completer, Completion, Opcode, Status};
use rdma::irq_lock;
use rdma::memory::{self, Bytes, Memory};
use rdma::qp::{Capacity, Init, Kind, Modify, State};
use rdma::send_queue::SendQueue;
use rdma::sync::IrqLock;
use rdma::work::{HasTimer, Timer};
use rdma::work_request::{RecvQueue, RecvWr};

/// In front of each datagram, there is room for a global route header.
const GRH_SIZE: usize = 40;

/// A queue pair.
#[pin_data]
pub(crate) struct Qp {
    pub(super) hca: Arc<Hca>,
    pub(super) number: u32,
    pub(super) kind: Kind,
    /// The port of QP0 and QP1.
    pub(super) initial_port: u32,
    pub(super) capacity: Capacity,
    pub(super) signal_all: bool,
    pub(super) block_loopback: bool,
    pub(super) send: Arc<Completer>,
    pub(super) recv: Arc<Completer>,
    /// What a connection has to send. Taken before `inner`, of this or another queue pair.
    #[pin]
    pub(super) sender: IrqLock<Sender>,
    /// Runs while a connection waits before it tries again.
    #[pin]
    pub(super) timer: Timer<Qp>,
    #[pin]
    pub(super) inner: IrqLock<Inner>,
}

impl HasTimer for Qp {
    fn time_is_up(this: Arc<Self>) {
        connection::resume(&this);
    }
}

/// The part that changes.
pub(super) struct Inner {
    pub(super) state: State,
    pub(super) port: u32,
    pub(super) pkey_index: u16,
    pub(super) qkey: u32,
    pub(super) queue: RecvQueue,
    pub(super) connection: Connection,
    /// The sender of a connection that has found no room here.
    pub(super) waiting: Option<Arc<Qp>>,
}

/// A datagram on its way.
#[derive(Clone, Copy)]
pub(super) struct Packet {
    pub(super) lid: Lid,
    pub(super) gid: Gid,
    pub(super) qpn: u32,
    pub(super) sl: u8,
    pub(super) pkey: Pkey,
    pub(super) qkey: u32,
    pub(super) route: Option<GlobalRoute>,
    pub(super) immediate: Option<[u8; 4]>,
    pub(super) solicited: bool,
    /// The port of a sender that does not want its own multicasts.
    pub(super) blocked: Option<PortId>,
    pub(super) size: usize,
}

impl Packet {
    fn global_route_header(&self, route: &GlobalRoute) -> [u8; GRH_SIZE] {
        // What follows: the base and datagram headers, and the checksum.
        let length = self.size.wrapping_add(24) as u16;
        let first = 6 << 28 | u32::from(route.traffic_class) << 20 | (route.flow_label & 0xf_ffff);
        let [a, b, c, d] = first.to_be_bytes();
        let [e, f] = length.to_be_bytes();
        let mut header = [0; GRH_SIZE];
        let start = [a, b, c, d, e, f, 0x1b, route.hop_limit];
        let bytes = start.iter().chain(&self.gid.0).chain(&route.dgid);
        header
            .iter_mut()
            .zip(bytes)
            .for_each(|(to, from)| *to = *from);
        header
    }
}

impl Qp {
    /// Makes a queue pair.
    pub(super) fn new(hca: Arc<Hca>, number: u32, init: Init) -> Result<Arc<Self>> {
        let Init {
            kind,
            port,
            capacity,
            signal_all,
            block_loopback,
            send,
            recv,
        } = init;
        let inner = Inner {
            state: State::Reset,
            port,
            pkey_index: 0,
            qkey: 0,
            queue: RecvQueue::new(capacity.recv_requests, capacity.recv_sges)?,
            connection: Connection::default(),
            waiting: None,
        };
        let sender = Sender::new(match kind {
            Kind::Connected => SendQueue::new(capacity.send_requests, capacity.send_sges)?,
            _ => SendQueue::empty(),
        });
        Arc::pin_init(
            pin_init!(Self {
                hca,
                number,
                kind,
                initial_port: port,
                capacity,
                signal_all,
                block_loopback,
                send,
                recv,
                sender <- irq_lock!(sender, c"vib_sender"),
                timer <- Timer::new(),
                inner <- irq_lock!(inner, c"vib_qp"),
            }),
            GFP_KERNEL,
        )
    }

    /// Changes the state, and what goes with it.
    pub(super) fn modify(&self, change: &Modify<'_>) -> Result {
        if change
            .port()
            .is_some_and(|port| self.hca.port(port).is_none())
        {
            return Err(EINVAL);
        }
        let mut sender = self.sender.lock();
        let mut inner = self.inner.lock();
        let next = change.transition(inner.state, self.kind)?;
        inner.port = change.port().unwrap_or(inner.port);
        inner.pkey_index = change.pkey_index().unwrap_or(inner.pkey_index);
        inner.qkey = change.qkey().unwrap_or(inner.qkey);
        inner.connection.change(change);
        inner.state = next;
        let mut waiting = None;
        match next {
            State::Reset => {
                inner.queue.clear();
                sender.reset();
                inner.connection = Connection::default();
                waiting = inner.waiting.take();
            }
            State::Error => {
                self.flush(&mut inner);
                drop(inner);
                sender.flush(self, Status::Flushed);
            }
            _ => {}
        }
        drop(sender);
        drop(waiting);
        Ok(())
    }

    /// The queue pair goes away. Sleeps.
    pub(super) fn close(&self) {
        let mut sender = self.sender.lock();
        let mut inner = self.inner.lock();
        inner.state = State::Reset;
        let waiting = inner.waiting.take();
        // Freed here, not with the last reference, which may be dropped where sleeping is
        // forbidden.
        let received = core::mem::replace(&mut inner.queue, RecvQueue::empty());
        let sent = core::mem::replace(&mut sender.queue, SendQueue::empty());
        drop(inner);
        drop(sender);
        drop((waiting, received, sent));
        self.timer.stop();
    }

    pub(super) fn flush(&self, inner: &mut Inner) {
        while let Some(id) = inner.queue.pop() {
            let flushed = Completion::new(Opcode::Recv, Status::Flushed);
            self.recv.complete(id, &flushed);
        }
    }

    /// Takes memory to receive into, and returns the sender that has waited for it.
    pub(super) fn post_recv(&self, wr: RecvWr<'_>) -> Result<Option<Arc<Qp>>> {
        let mut inner = self.inner.lock();
        match inner.state {
            State::Reset => Err(EINVAL),
            State::Error => {
                let flushed = Completion::new(Opcode::Recv, Status::Flushed);
                self.recv.complete(wr.finish(), &flushed);
                Ok(None)
            }
            _ => {
                inner.queue.post(wr)?;
                Ok(inner.waiting.take())
            }
        }
    }

    /// Receives a datagram that has arrived at that port; the datagram is lost if that is not
    /// possible.
    pub(super) fn receive(&self, port: u32, packet: &Packet, payload: &impl Memory) {
        let mut inner = self.inner.lock();
        if inner.port != port
            || !self.kind.is_datagram()
            || !(State::ReadyToReceive..=State::SendQueueError).contains(&inner.state)
        {
            return;
        }
        let Some(id) = self.hca.port(port) else {
            return;
        };
        // QP0 has neither key, and QP1 accepts every P_Key that matches one of the port's.
        let pkey_index = match self.kind {
            Kind::Management => Some(0),
            Kind::Services => switch::matching_pkey(id, packet.pkey),
            _ => switch::pkey(id, inner.pkey_index)
                .filter(|key| key.matches(packet.pkey))
                .map(|_| inner.pkey_index),
        };
        let Some(pkey_index) = pkey_index else {
            return;
        };
        if self.kind != Kind::Management && inner.qkey != packet.qkey {
            return;
        }
        let total = packet.size.wrapping_add(GRH_SIZE);
        let Some(memory) = inner.queue.head() else {
            return;
        };
        if memory.size() < total {
            return;
        }
        if let Some(route) = &packet.route {
            let header = packet.global_route_header(route);
            memory::copy(&memory, 0, &Bytes::new(&header), 0, GRH_SIZE);
        }
        memory::copy(&memory, GRH_SIZE, payload, 0, packet.size);
        if let Some(id) = inner.queue.pop() {
            let completion = Completion {
                bytes: total as u32,
                src_qp: packet.qpn,
                slid: packet.lid.0,
                sl: packet.sl,
                pkey_index,
                grh: packet.route.is_some(),
                immediate: packet.immediate,
                solicited: packet.solicited,
                ..Completion::new(Opcode::Recv, Status::Success)
            };
            self.recv.complete(id, &completion);
        }
    }
}
