// SPDX-License-Identifier: GPL-2.0

//! Connections: requests are carried out one after another, and retried as long as the other side
//! does not answer or has no room.
//!
//! All effects of a request happen while its sender's lock is held; the answer is the result of a
//! function call. Only the waiting in between takes time.

use super::qp::Inner;
use super::Qp;
use crate::switch::{self, Jack, SUBNET};
use fabric::{Destination, Lid, Pkey};
use kernel::prelude::*;
use kernel::sync::Arc;
use rdma::address::Av;
use rdma::cq::{Completion, Opcode, Status};
use rdma::memory::{self, Bytes, Memory};
use rdma::mr::access;
use rdma::qp::{Modify, State};
use rdma::send_queue::{Request, SendQueue};
use rdma::work_request::{Operation, SendWr};

/// With this count, requests that find no room are retried for ever.
const RNR_FOREVER: u8 = 7;
/// How long to wait for an answer before a retry if the timeout is infinite, in ms.
const NO_TIMEOUT: u32 = 500;

/// What a queue pair knows about its connection.
#[derive(Clone, Copy, Default)]
pub(super) struct Connection {
    path: Option<Av>,
    dest_qpn: u32,
    /// What the other side may do with regions on this side.
    access: u32,
    timeout: u8,
    retry_count: u8,
    rnr_retry: u8,
    min_rnr_timer: u8,
}

impl Connection {
    pub(super) fn change(&mut self, change: &Modify<'_>) {
        self.path = change.path().or(self.path);
        self.dest_qpn = change.dest_qpn().unwrap_or(self.dest_qpn);
        self.access = change.access().unwrap_or(self.access);
        self.timeout = change.timeout().unwrap_or(self.timeout);
        self.retry_count = change.retry_count().unwrap_or(self.retry_count);
        self.rnr_retry = change.rnr_retry().unwrap_or(self.rnr_retry);
        self.min_rnr_timer = change.min_rnr_timer().unwrap_or(self.min_rnr_timer);
    }

    /// How long to wait for an answer, in ms; none: for ever.
    fn timeout_ms(&self) -> Option<u32> {
        match self.timeout & 0x1f {
            0 => None,
            // 4.096 us times two to the power of the code.
            code => Some(((4096u64 << code) / 1_000_000).max(1) as u32),
        }
    }

    /// How long a sender must wait for room, in ms: the meaning of the codes, rounded up.
    fn rnr_ms(&self) -> u32 {
        match self.min_rnr_timer & 0x1f {
            0 => 656,
            code @ 1..=15 => u32::from(code > 13).wrapping_add(1),
            code => 1u32.wrapping_shl(u32::from(code.wrapping_sub(12)) >> 1),
        }
    }
}

/// The sending side.
pub(super) struct Sender {
    pub(super) queue: SendQueue,
    /// The timer is running: nothing is sent until it ends, or until the other side has room.
    waiting: bool,
    unanswered: u8,
    no_room: u8,
}

impl Sender {
    pub(super) fn new(queue: SendQueue) -> Self {
        Self {
            queue,
            waiting: false,
            unanswered: 0,
            no_room: 0,
        }
    }

    pub(super) fn reset(&mut self) {
        self.queue.clear();
        self.waiting = false;
        self.answered();
    }

    fn answered(&mut self) {
        self.unanswered = 0;
        self.no_room = 0;
    }

    /// Ends all requests, the first one with `status`.
    pub(super) fn flush(&mut self, qp: &Qp, mut status: Status) {
        while let Some(request) = self.queue.head() {
            let opcode = request.operation.opcode();
            if let Some(id) = self.queue.pop() {
                qp.send.complete(id, &Completion::new(opcode, status));
            }
            status = Status::Flushed;
        }
        self.waiting = false;
    }
}

/// The answer of the other side.
enum Answer {
    Done { bytes: usize },
    None,
    NoRoom { wait: u32 },
    Refused(Status),
}

/// Takes a request for the send queue.
pub(super) fn post(qp: &Arc<Qp>, wr: SendWr<'_>) -> Result {
    let operation = wr.operation();
    let mut sender = qp.sender.lock();
    match qp.inner.lock().state {
        State::ReadyToSend | State::SendQueueDrained => {}
        State::Error | State::SendQueueError => {
            let opcode = operation.map_or(Opcode::Send, |operation| operation.opcode());
            let flushed = Completion::new(opcode, Status::Flushed);
            qp.send.complete(wr.finish(), &flushed);
            return Ok(());
        }
        _ => return Err(EINVAL),
    }
    let operation = operation.ok_or(EINVAL)?;
    if !wr.memory().is_local() {
        return Err(EINVAL);
    }
    sender.queue.post(wr, operation)?;
    if !sender.waiting {
        run(qp, &mut sender);
    }
    Ok(())
}

/// Continues after waiting.
pub(super) fn resume(qp: &Arc<Qp>) {
    let mut sender = qp.sender.lock();
    sender.waiting = false;
    run(qp, &mut sender);
}

/// Carries out the requests in the queue, until one of them must wait.
fn run(qp: &Arc<Qp>, sender: &mut Sender) {
    while let Some(request) = sender.queue.head() {
        let (connection, pkey_index, port) = {
            let inner = qp.inner.lock();
            match inner.state {
                State::ReadyToSend => {}
                // The other side has refused a request.
                State::Error => {
                    drop(inner);
                    return sender.flush(qp, Status::Flushed);
                }
                _ => return,
            }
            (inner.connection, inner.pkey_index, inner.port)
        };
        let answer = match carry_out_here(qp, &request) {
            Some(answer) => answer,
            None => match find_peer(qp, &connection, pkey_index, port) {
                Some(peer) => carry_out_there(qp, &peer, &request),
                None => Answer::None,
            },
        };
        let (opcode, wanted) = (request.operation.opcode(), request.signaled);
        let (wait, failure) = match answer {
            Answer::Done { bytes } => {
                sender.answered();
                let Some(id) = sender.queue.pop() else {
                    return;
                };
                if wanted || qp.signal_all {
                    let completion = Completion {
                        bytes: bytes as u32,
                        ..Completion::new(opcode, Status::Success)
                    };
                    qp.send.complete(id, &completion);
                }
                continue;
            }
            Answer::None => match connection.timeout_ms() {
                None => (NO_TIMEOUT, None),
                Some(_) if sender.unanswered >= connection.retry_count => {
                    (0, Some(Status::RetryExceeded))
                }
                Some(wait) => {
                    sender.unanswered = sender.unanswered.wrapping_add(1);
                    (wait, None)
                }
            },
            Answer::NoRoom { wait } => {
                if connection.rnr_retry == RNR_FOREVER {
                    (wait, None)
                } else if sender.no_room >= connection.rnr_retry {
                    (0, Some(Status::RnrRetryExceeded))
                } else {
                    sender.no_room = sender.no_room.wrapping_add(1);
                    (wait, None)
                }
            }
            Answer::Refused(status) => (0, Some(status)),
        };
        if let Some(status) = failure {
            let mut inner = qp.inner.lock();
            inner.state = State::Error;
            qp.flush(&mut inner);
            drop(inner);
            sender.flush(qp, status);
            return;
        }
        sender.waiting = true;
        qp.timer.start(qp, wait);
        return;
    }
}

/// Requests that concern regions of this adapter.
fn carry_out_here(qp: &Qp, request: &Request<'_>) -> Option<Answer> {
    let done = match request.operation {
        Operation::Register {
            mr,
            address,
            key,
            access,
        } => mr.register(*address, *key, *access),
        Operation::Invalidate { key } => match qp.hca.regions.lock().find(*key) {
            Some(mr) => mr.invalidate(*key),
            None => return Some(Answer::Refused(Status::LocalQp)),
        },
        _ => return None,
    };
    Some(match done {
        Ok(()) => Answer::Done { bytes: 0 },
        Err(_) => Answer::Refused(Status::LocalQp),
    })
}

/// The other side of the connection, if packets reach it and it accepts them as its own.
fn find_peer(qp: &Qp, connection: &Connection, pkey_index: u16, port: u32) -> Option<Peer> {
    let from = qp.hca.port(port)?;
    let dlid = Lid(connection.path?.dlid());
    let mut subnet = SUBNET.lock();
    let origin = switch::origin(&subnet, from, pkey_index)?;
    let Some(Destination::Port(to)) = subnet.route(dlid) else {
        return None;
    };
    if subnet.loses(from) || subnet.loses(to) {
        return None;
    }
    drop(subnet);
    let Jack { hca, port } = switch::jack(to)?;
    let peer = hca.qps.lock().find(port, connection.dest_qpn)?;
    Some(Peer {
        qp: peer,
        port,
        lid: origin.lid,
        pkey: origin.pkey,
    })
}

struct Peer {
    qp: Arc<Qp>,
    /// The port at which packets arrive.
    port: u32,
    /// The LID that they come from.
    lid: Lid,
    pkey: Pkey,
}

impl Peer {
    /// Whether the queue pair accepts packets of `from` as part of its connection.
    fn accepts(&self, inner: &Inner, from: &Qp) -> bool {
        let states = State::ReadyToReceive..=State::SendQueueError;
        let connection = &inner.connection;
        let key = || {
            let id = self.qp.hca.port(self.port)?;
            switch::pkey(id, inner.pkey_index)
        };
        states.contains(&inner.state)
            && inner.port == self.port
            && connection.dest_qpn == from.number
            && connection
                .path
                .is_some_and(|path| path.dlid() == self.lid.0)
            && key().is_some_and(|key| key.matches(self.pkey))
    }
}

/// Requests that the other side carries out.
fn carry_out_there(qp: &Arc<Qp>, peer: &Peer, request: &Request<'_>) -> Answer {
    let mut inner = peer.qp.inner.lock();
    if !peer.accepts(&inner, qp) {
        return Answer::None;
    }
    let bytes = request.memory.size();
    let allowed = |access| inner.connection.access & access == access;
    let result = match *request.operation {
        Operation::Send {
            immediate,
            invalidate,
        } => {
            let Some(memory) = inner.queue.head() else {
                return no_room(&mut inner, qp);
            };
            if memory.size() < bytes {
                receive(
                    peer,
                    &mut inner,
                    &Completion::new(Opcode::Recv, Status::LocalLength),
                );
                return refuse(peer, &mut inner, Status::RemoteInvalidRequest);
            }
            if let Some(key) = invalidate {
                let mr = peer.qp.hca.regions.lock().find(key);
                if mr.is_none_or(|mr| mr.invalidate(key).is_err()) {
                    return refuse(peer, &mut inner, Status::RemoteAccess);
                }
            }
            memory::copy(&memory, 0, &request.memory, 0, bytes);
            let completion = Completion {
                immediate,
                invalidated: invalidate,
                ..received(peer, qp, request, Opcode::Recv)
            };
            receive(peer, &mut inner, &completion);
            Ok(())
        }
        Operation::Write {
            address,
            key,
            immediate,
        } => {
            if immediate.is_some() && inner.queue.head().is_none() {
                return no_room(&mut inner, qp);
            }
            let result = match bytes {
                0 => Ok(()),
                _ if !allowed(access::REMOTE_WRITE) => Err(()),
                _ => region(peer, key)
                    .and_then(|mr| mr.write(key, address, &request.memory).map_err(|_| ())),
            };
            if result.is_ok() && immediate.is_some() {
                let completion = Completion {
                    immediate,
                    ..received(peer, qp, request, Opcode::RecvRdmaWithImmediate)
                };
                receive(peer, &mut inner, &completion);
            }
            result
        }
        Operation::Read { address, key } => match bytes {
            0 => Ok(()),
            _ if !allowed(access::REMOTE_READ) => Err(()),
            _ => region(peer, key)
                .and_then(|mr| mr.read(key, address, &request.memory).map_err(|_| ())),
        },
        Operation::Atomic {
            address,
            key,
            operand,
            swap,
        } => match allowed(access::REMOTE_ATOMIC) && bytes == 8 {
            true => region(peer, key).and_then(|mr| {
                let change = |old: u64| match swap {
                    None => old.wrapping_add(operand),
                    Some(new) if old == operand => new,
                    Some(_) => old,
                };
                let old = mr.exchange(key, address, change).map_err(|_| ())?;
                let old = old.to_ne_bytes();
                memory::copy(&request.memory, 0, &Bytes::new(&old), 0, old.len());
                Ok(())
            }),
            false => Err(()),
        },
        Operation::Register { .. } | Operation::Invalidate { .. } => Ok(()),
    };
    match result {
        Ok(()) => Answer::Done { bytes },
        Err(()) => refuse(peer, &mut inner, Status::RemoteAccess),
    }
}

fn region(peer: &Peer, key: u32) -> Result<Arc<rdma::mr::Mr>, ()> {
    peer.qp.hca.regions.lock().find(key).ok_or(())
}

/// The sender waits, and is told when there is room.
fn no_room(inner: &mut Inner, sender: &Arc<Qp>) -> Answer {
    if inner.waiting.is_none() {
        inner.waiting = Some(sender.clone());
    }
    Answer::NoRoom {
        wait: inner.connection.rnr_ms(),
    }
}

/// An error of the sender ends the connection on both sides.
fn refuse(peer: &Peer, inner: &mut Inner, status: Status) -> Answer {
    inner.state = State::Error;
    peer.qp.flush(inner);
    // The peer's sender lock must not be taken here; its timer flushes what it has to send.
    peer.qp.timer.start(&peer.qp, 0);
    Answer::Refused(status)
}

fn received(peer: &Peer, from: &Qp, request: &Request<'_>, opcode: Opcode) -> Completion {
    Completion {
        bytes: request.memory.size() as u32,
        src_qp: from.number,
        slid: peer.lid.0,
        solicited: request.solicited,
        ..Completion::new(opcode, Status::Success)
    }
}

fn receive(peer: &Peer, inner: &mut Inner, completion: &Completion) {
    if let Some(id) = inner.queue.pop() {
        peer.qp.recv.complete(id, completion);
    }
}
