// SPDX-License-Identifier: GPL-2.0

//! Datagrams that reach a port late, because a test wants them to.

use super::datagram;
use super::qp::Packet;
use super::Hca;
use kernel::prelude::*;
use kernel::sync::Arc;
use rdma::memory::{self, Bytes, SgList};
use rdma::work::{self, HasTimer};

/// How many datagrams can be on their way to an adapter; a power of two. More are lost.
const PARCELS: usize = 512;

/// The recipient of a datagram.
#[derive(Clone, Copy)]
pub(super) enum Target {
    /// A queue pair.
    Qp(u32),
    /// The members of a multicast group.
    Group([u8; 16]),
}

struct Parcel {
    due_ms: u64,
    port: u32,
    target: Target,
    packet: Packet,
    payload: KVec<u8>,
}

impl Parcel {
    /// The remaining time, in ms.
    fn left(&self) -> Option<u32> {
        let left = self.due_ms.checked_sub(work::now_ms())?;
        u32::try_from(left).ok().filter(|&left| left > 0)
    }
}

/// The datagrams that are on their way to an adapter, in the order in which they were sent.
pub(super) struct Line {
    parcels: KVec<Option<Parcel>>,
    head: usize,
    used: usize,
    closed: bool,
}

impl Line {
    pub(super) fn new() -> Result<Self> {
        let mut parcels = KVec::with_capacity(PARCELS, GFP_KERNEL)?;
        while parcels.push_within_capacity(None).is_ok() && parcels.len() < PARCELS {}
        Ok(Self {
            parcels,
            head: 0,
            used: 0,
            closed: false,
        })
    }

    fn index(&self, place: usize) -> usize {
        self.head.wrapping_add(place) & PARCELS.wrapping_sub(1)
    }

    fn push(&mut self, parcel: Parcel) {
        if self.used < PARCELS && !self.closed {
            let index = self.index(self.used);
            if let Some(place) = self.parcels.get_mut(index) {
                *place = Some(parcel);
                self.used = self.used.wrapping_add(1);
            }
        }
    }

    fn head(&self) -> Option<&Parcel> {
        self.parcels.get(self.head)?.as_ref()
    }

    fn pop(&mut self) -> Option<Parcel> {
        let parcel = self.parcels.get_mut(self.head)?.take()?;
        self.head = self.index(1);
        self.used = self.used.wrapping_sub(1);
        Some(parcel)
    }
}

/// Delivers a datagram after `delay` ms.
pub(super) fn send(
    hca: &Arc<Hca>,
    delay: u32,
    port: u32,
    target: Target,
    packet: &Packet,
    payload: Payload<'_>,
) {
    let Ok(mut copy) = KVec::from_elem(0u8, packet.size, GFP_ATOMIC) else {
        return;
    };
    match payload {
        Payload::Posted(list) => memory::read(&mut copy, &list),
        Payload::Own(bytes) => copy
            .iter_mut()
            .zip(bytes)
            .for_each(|(to, from)| *to = *from),
    }
    hca.line.lock().push(Parcel {
        due_ms: work::now_ms().saturating_add(u64::from(delay)),
        port,
        target,
        packet: *packet,
        payload: copy,
    });
    hca.timer.start(hca, delay);
}

/// The contents of a datagram.
#[derive(Clone, Copy)]
pub(super) enum Payload<'a> {
    /// Memory that a consumer has posted.
    Posted(SgList<'a>),
    /// An answer of the subnet itself.
    Own(&'a [u8]),
}

impl HasTimer for Hca {
    fn time_is_up(this: Arc<Self>) {
        loop {
            let mut line = this.line.lock();
            let parcel = match line.head().map(Parcel::left) {
                Some(None) => line.pop(),
                Some(Some(left)) => {
                    drop(line);
                    return this.timer.start(&this, left);
                }
                None => None,
            };
            drop(line);
            let Some(parcel) = parcel else {
                return;
            };
            let payload = Bytes::new(&parcel.payload);
            datagram::arrive(&this, parcel.port, parcel.target, &parcel.packet, &payload);
        }
    }
}

/// The adapter goes away: nothing more is delivered. Sleeps.
pub(super) fn close(hca: &Hca) {
    let mut line = hca.line.lock();
    line.closed = true;
    drop(line);
    hca.timer.stop();
    loop {
        let parcel = hca.line.lock().pop();
        if parcel.is_none() {
            return;
        }
    }
}
