// SPDX-License-Identifier: GPL-2.0

//! Tables that may be longer than a datagram: the reliable multi-packet protocol (chapter 13.6 of
//! the specification), as its sender.
//!
//! A table is not kept while it is being sent: each segment is made from the current records. If
//! the subnet changes in between, the rest would not fit the beginning, and the transfer is
//! aborted; the requester asks again.

use super::query::{in_words, Query};
use super::record::Table;
use super::{ATTRIBUTE_OFFSET, DATA, DATA_SIZE};
use crate::address::PortId;
use crate::mad::{Fields, Header, Mad, Status};
use crate::subnet::Subnet;

const RMPP: usize = 24;
const VERSION: u8 = 1;
const TYPE_DATA: u8 = 1;
const TYPE_ACK: u8 = 2;
const TYPE_STOP: u8 = 3;
const TYPE_ABORT: u8 = 4;
const NO_RESPONSE_TIME: u8 = 0x1f << 3;
const FLAG_ACTIVE: u8 = 1;
const FLAG_FIRST: u8 = 2;
const FLAG_LAST: u8 = 4;
/// Abort: for a reason that has no number.
const UNSPECIFIED: u8 = 127;
/// The class's header counts as payload, in each segment.
const CLASS_HEADER: usize = 20;

/// The answer to a management datagram: as many datagrams as [`Subnet::next`] gives.
#[derive(Clone, Copy, Debug)]
#[must_use = "the datagrams of the answer are to be sent"]
pub struct Reply(Pending);

#[derive(Clone, Copy, Debug)]
enum Pending {
    Nothing,
    Single(Mad),
    Segments {
        transfer: Transfer,
        next: u32,
        last: u32,
    },
}

impl Reply {
    /// No answer.
    pub(super) const NONE: Reply = Reply(Pending::Nothing);

    pub(super) fn single(mad: Mad) -> Reply {
        Reply(Pending::Single(mad))
    }
}

/// A table that is being sent.
#[derive(Clone, Copy, Debug)]
struct Transfer {
    /// The requester; none: this is no transfer.
    from: Option<PortId>,
    request: Mad,
    /// The state of the subnet that the previous segments were made from.
    changes: u32,
    /// How many segments there are.
    segments: u32,
}

/// The transfers that are under way.
#[derive(Debug)]
pub(crate) struct Transfers {
    transfers: [Transfer; Transfers::MAX],
    /// The transfer that the next one replaces: the receiver has given up the old one.
    next: usize,
}

impl Transfers {
    const MAX: usize = 16;

    pub(crate) const fn new() -> Transfers {
        Transfers {
            transfers: [Transfer {
                from: None,
                request: [0; crate::mad::MAD_SIZE],
                changes: 0,
                segments: 0,
            }; Transfers::MAX],
            next: 0,
        }
    }

    fn begin(&mut self, transfer: &Transfer) {
        let place = self.next & (Transfers::MAX.wrapping_sub(1));
        self.next = place.wrapping_add(1);
        if let Some(entry) = self.transfers.get_mut(place) {
            *entry = *transfer;
        }
    }

    fn find(&mut self, from: PortId, transaction: u64) -> Option<&mut Transfer> {
        self.transfers.iter_mut().find(|transfer| {
            transfer.from == Some(from) && transfer.request.transaction() == transaction
        })
    }
}

impl Subnet {
    /// All records that match.
    pub(super) fn get_table(&mut self, table: Table, query: &Query<'_>) -> Reply {
        let mut records = 0usize;
        self.records(table, query, &mut |_| records = records.saturating_add(1));
        let bytes = records.saturating_mul(table.size());
        let segments = bytes.wrapping_add(DATA_SIZE).wrapping_sub(1) / DATA_SIZE;
        let transfer = Transfer {
            from: Some(query.from),
            request: *query.request,
            changes: self.changes(),
            segments: (segments as u32).max(1),
        };
        if transfer.segments > 1 {
            self.transfers.begin(&transfer);
        }
        // Until the first is acknowledged, the receiver's window is one segment wide.
        Reply(Pending::Segments {
            transfer,
            next: 1,
            last: 1,
        })
    }

    /// What answers an acknowledgement of the receiver; none if it is not part of a transfer.
    pub(super) fn acknowledged(&mut self, from: PortId, mad: &Mad) -> Option<Reply> {
        if mad.u8_at(RMPP) != VERSION || mad.u8_at(RMPP + 2) & FLAG_ACTIVE == 0 {
            return None;
        }
        let kind = mad.u8_at(RMPP + 1);
        if !matches!(kind, TYPE_ACK | TYPE_STOP | TYPE_ABORT) {
            return None;
        }
        let (segment, window) = (mad.u32_at(RMPP + 4), mad.u32_at(RMPP + 8));
        let Some(entry) = self.transfers.find(from, mad.transaction()) else {
            return Some(Reply::NONE);
        };
        let transfer = *entry;
        if kind != TYPE_ACK || segment >= transfer.segments {
            entry.from = None;
            return Some(Reply::NONE);
        }
        Some(Reply(Pending::Segments {
            transfer,
            next: segment.saturating_add(1),
            last: window.min(transfer.segments),
        }))
    }

    /// The next datagram of a reply.
    pub fn next(&self, reply: &mut Reply) -> Option<Mad> {
        match &mut reply.0 {
            Pending::Nothing => None,
            Pending::Single(mad) => {
                let mad = *mad;
                *reply = Reply::NONE;
                Some(mad)
            }
            Pending::Segments {
                transfer,
                next,
                last,
            } => {
                if *next > *last {
                    return None;
                }
                let number = *next;
                *next = number.saturating_add(1);
                if transfer.changes != self.changes() {
                    let abort = transfer.abort(number);
                    *reply = Reply::NONE;
                    return abort;
                }
                self.segment(transfer, number)
            }
        }
    }

    /// One segment of a table.
    fn segment(&self, transfer: &Transfer, number: u32) -> Option<Mad> {
        let query = Query::new(transfer.from?, &transfer.request);
        let table = Table::of(query.attribute())?;
        let mut segment = query.begin(Status::Ok);
        segment.put_u16(ATTRIBUTE_OFFSET, in_words(table.size()));
        let data = segment.get_mut(DATA..)?;
        data.fill(0);
        let first = (number.saturating_sub(1) as usize).saturating_mul(DATA_SIZE);
        let mut at = 0usize;
        self.records(table, &query, &mut |record| {
            // Where the record begins: before the segment, or in it.
            let skip = first.saturating_sub(at);
            let to = data.get_mut(at.saturating_sub(first)..).unwrap_or_default();
            for (to, from) in to.iter_mut().zip(record.get(skip..).unwrap_or_default()) {
                *to = *from;
            }
            at = at.saturating_add(table.size());
        });
        let (is_first, is_last) = (number == 1, number == transfer.segments);
        let mut flags = FLAG_ACTIVE;
        let mut payload = 0;
        if is_last {
            flags |= FLAG_LAST;
            payload = at.saturating_sub(first).saturating_add(CLASS_HEADER);
        }
        if is_first {
            flags |= FLAG_FIRST;
            let headers = (transfer.segments as usize).saturating_mul(CLASS_HEADER);
            payload = at.saturating_add(headers);
        }
        segment.put_u8(RMPP, VERSION);
        segment.put_u8(RMPP + 1, TYPE_DATA);
        segment.put_u8(RMPP + 2, NO_RESPONSE_TIME | flags);
        segment.put_u32(RMPP + 4, number);
        segment.put_u32(RMPP + 8, payload as u32);
        Some(segment)
    }
}

impl Transfer {
    fn abort(&self, number: u32) -> Option<Mad> {
        let mut abort = Query::new(self.from?, &self.request).begin(Status::Ok);
        abort.put_u8(RMPP, VERSION);
        abort.put_u8(RMPP + 1, TYPE_ABORT);
        abort.put_u8(RMPP + 2, NO_RESPONSE_TIME | FLAG_ACTIVE);
        abort.put_u8(RMPP + 3, UNSPECIFIED);
        abort.put_u32(RMPP + 4, number);
        Some(abort)
    }
}
