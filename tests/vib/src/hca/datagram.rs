// SPDX-License-Identifier: GPL-2.0

//! Datagrams: from a send queue to their destination.

use super::delay::{self, Payload, Target};
use super::qp::Packet;
use super::{Hca, Qp};
use crate::switch::{self, Jack, ADMINISTRATOR_DELAY, SILENT_ADMINISTRATOR, SUBNET};
use core::sync::atomic::Ordering;
use fabric::{Destination, Lid, Mad, PortId};
use kernel::prelude::*;
use kernel::sync::Arc;
use rdma::cq::{Completion, Opcode, Status};
use rdma::memory::{self, Bytes, Memory};
use rdma::qp::{Kind, State};
use rdma::work_request::{Datagram, Operation, SendWr};

/// How large a packet can be.
const MTU: usize = 4096;
/// With this bit, a request means the queue pair's own Q_Key.
const OWN_QKEY: u32 = 1 << 31;
/// The Q_Key of every QP1.
const SERVICES_QKEY: u32 = 0x8001_0000;
/// The queue pair of general services.
const SERVICES: u32 = 1;

/// Takes a request for the send queue, and carries it out.
pub(super) fn post(qp: &Arc<Qp>, wr: SendWr<'_>) -> Result {
    let datagram = wr.datagram().ok_or(EINVAL)?;
    let size = wr.memory().size();
    let (port, pkey_index, qkey) = {
        let inner = qp.inner.lock();
        match inner.state {
            State::ReadyToSend | State::SendQueueDrained => {}
            State::Error | State::SendQueueError => {
                complete(qp, wr, Status::Flushed, 0);
                return Ok(());
            }
            _ => return Err(EINVAL),
        }
        (inner.port, inner.pkey_index, inner.qkey)
    };
    let (immediate, status) = match wr.operation() {
        Some(Operation::Send {
            immediate,
            invalidate: None,
        }) if size <= MTU && wr.memory().is_local() => (immediate, Status::Success),
        Some(Operation::Send { .. }) if size > MTU => (None, Status::LocalLength),
        Some(Operation::Send { .. }) => (None, Status::LocalProtection),
        _ => (None, Status::LocalQp),
    };
    if status != Status::Success {
        qp.inner.lock().state = State::SendQueueError;
        complete(qp, wr, status, 0);
        return Ok(());
    }
    if let Some(from) = qp.hca.port(port) {
        if qp.kind == Kind::Management {
            manage(qp, port, from, Lid(datagram.av.dlid()), &wr);
        } else {
            let pkey_index = match qp.kind {
                Kind::Services => datagram.pkey_index,
                _ => pkey_index,
            };
            let qkey = match datagram.qkey & OWN_QKEY {
                0 => datagram.qkey,
                _ => qkey,
            };
            send(qp, from, &datagram, pkey_index, qkey, immediate, &wr);
        }
    }
    // Lost datagrams count as sent, too.
    if qp.signal_all || wr.is_signaled() {
        complete(qp, wr, Status::Success, size);
    }
    Ok(())
}

fn complete(qp: &Qp, wr: SendWr<'_>, status: Status, size: usize) {
    let completion = Completion {
        bytes: size as u32,
        ..Completion::new(Opcode::Send, status)
    };
    qp.send.complete(wr.finish(), &completion);
}

fn send(
    qp: &Arc<Qp>,
    from: PortId,
    datagram: &Datagram,
    pkey_index: u16,
    qkey: u32,
    immediate: Option<[u8; 4]>,
    wr: &SendWr<'_>,
) {
    let dlid = Lid(datagram.av.dlid());
    let mut subnet = SUBNET.lock();
    if subnet.loses(from) {
        return;
    }
    let Some(origin) = switch::origin(&subnet, from, pkey_index) else {
        return;
    };
    let members = subnet.multicast(dlid);
    let destination = subnet.route(dlid);
    drop(subnet);
    let packet = Packet {
        lid: origin.lid,
        gid: origin.gid,
        qpn: qp.number,
        sl: datagram.av.sl(),
        pkey: origin.pkey,
        qkey,
        route: datagram.av.global_route(),
        immediate,
        solicited: wr.is_solicited(),
        blocked: qp.block_loopback.then_some(from),
        size: wr.memory().size(),
    };
    match (destination, &packet.route) {
        (Some(Destination::Port(to)), _) => {
            let payload = Payload::Posted(wr.memory());
            deliver(to, Target::Qp(datagram.qpn), &packet, payload, 0);
        }
        (Some(Destination::Switch), _) if datagram.qpn == SERVICES => {
            administrate(from, &packet, wr)
        }
        (None, Some(route)) => {
            for to in members.iter() {
                let payload = Payload::Posted(wr.memory());
                deliver(to, Target::Group(route.dgid), &packet, payload, 0);
            }
        }
        _ => {}
    }
}

/// Delivers a datagram to a port, after `late` ms and the port's own delay.
fn deliver(to: PortId, target: Target, packet: &Packet, payload: Payload<'_>, late: u32) {
    let Some(Jack { hca, port }) = switch::jack(to) else {
        return;
    };
    if SUBNET.lock().loses(to) {
        return;
    }
    let delay = hca.delay(port).saturating_add(late);
    if delay > 0 {
        return delay::send(&hca, delay, port, target, packet, payload);
    }
    match payload {
        Payload::Posted(list) => arrive(&hca, port, target, packet, &list),
        Payload::Own(bytes) => arrive(&hca, port, target, packet, &Bytes::new(bytes)),
    }
}

/// Hands a datagram to the queue pairs of a port.
pub(super) fn arrive(hca: &Hca, port: u32, target: Target, packet: &Packet, payload: &impl Memory) {
    match target {
        Target::Qp(number) => {
            let found = hca.qps.lock().find(port, number);
            if let Some(qp) = found {
                qp.receive(port, packet, payload);
            }
        }
        Target::Group(gid) => {
            let groups = hca.groups.lock();
            for qp in groups.members(gid) {
                let own = qp.number == packet.qpn && hca.port(port) == packet.blocked;
                if !own {
                    qp.receive(port, packet, payload);
                }
            }
        }
    }
}

/// Asks the subnet administrator, whose answer comes back at once, or as late as a test wants.
fn administrate(from: PortId, packet: &Packet, wr: &SendWr<'_>) {
    if SILENT_ADMINISTRATOR.load(Ordering::Relaxed) {
        return;
    }
    let mut request: Mad = [0; 256];
    memory::read(&mut request, &wr.memory());
    let mut subnet = SUBNET.lock();
    let (lid, gid) = (subnet.sm_lid(), packet.gid);
    let mut reply = subnet.gsi(from, &request);
    drop(subnet);
    loop {
        let next = SUBNET.lock().next(&mut reply);
        let Some(answer) = next else {
            return;
        };
        let answer_packet = Packet {
            lid,
            gid,
            qpn: SERVICES,
            sl: packet.sl,
            pkey: packet.pkey,
            qkey: SERVICES_QKEY,
            route: None,
            immediate: None,
            solicited: true,
            blocked: None,
            size: answer.len(),
        };
        let target = Target::Qp(packet.qpn);
        let late = ADMINISTRATOR_DELAY.load(Ordering::Relaxed);
        deliver(from, target, &answer_packet, Payload::Own(&answer), late);
    }
}

/// Asks the agents of subnet management, one of which answers at once.
fn manage(qp: &Qp, port: u32, from: PortId, dlid: Lid, wr: &SendWr<'_>) {
    let mut request: Mad = [0; 256];
    memory::read(&mut request, &wr.memory());
    let subnet = SUBNET.lock();
    let Some(origin) = switch::origin(&subnet, from, 0) else {
        return;
    };
    let answer = subnet.smp(from, dlid, &request);
    drop(subnet);
    let Some(answer) = answer else {
        return;
    };
    let packet = Packet {
        lid: dlid,
        gid: origin.gid,
        qpn: 0,
        sl: 0,
        pkey: origin.pkey,
        qkey: 0,
        route: None,
        immediate: None,
        solicited: true,
        blocked: None,
        size: answer.len(),
    };
    qp.receive(port, &packet, &Bytes::new(&answer));
}
