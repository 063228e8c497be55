// SPDX-License-Identifier: GPL-2.0

//! A request to the subnet administrator, and answers of one datagram.

use super::component::{matches, Component};
use super::{Reply, ATTRIBUTE_OFFSET, DATA};
use crate::address::PortId;
use crate::mad::{method, Fields, Header, Mad, Status};

/// A request, and its requester.
#[derive(Clone, Copy)]
pub(super) struct Query<'a> {
    pub(super) from: PortId,
    pub(super) request: &'a Mad,
}

impl<'a> Query<'a> {
    pub(super) fn new(from: PortId, request: &'a Mad) -> Self {
        Query { from, request }
    }

    pub(super) fn modifier(&self) -> u32 {
        self.request.modifier()
    }

    pub(super) fn attribute(&self) -> u16 {
        self.request.attribute()
    }

    /// Whether the requester shows the subnet manager's key, and so may see everything. The key is
    /// no secret here: it only says that somebody wants the details.
    pub(super) fn is_trusted(&self) -> bool {
        self.request.u64_at(36) != 0
    }

    pub(super) fn mask(&self) -> u64 {
        self.request.u64_at(48)
    }

    /// Whether the request names all these components of the record.
    pub(super) fn names(&self, components: u64) -> bool {
        self.mask() & components == components
    }

    /// The record of the request, which has the values that the components of the mask must match.
    pub(super) fn record(&self) -> &'a [u8] {
        self.request.get(DATA..).unwrap_or(&[])
    }

    /// Whether a record has what the request names.
    pub(super) fn wants(&self, layout: &[Component], record: &[u8]) -> bool {
        matches(layout, self.mask(), self.record(), record)
    }

    /// The request turned into an answer: the header comes back, except for what changes here.
    pub(super) fn begin(&self, status: Status) -> Mad {
        let mut answer = *self.request;
        // Set has no answer of its own.
        let method = match self.request.method() {
            method::SET => method::GET,
            other => other,
        };
        answer.set_method(method | method::RESPONSE);
        answer.set_status(status as u16);
        answer.put(24, [0; 12]); // RMPP
        answer.put_u16(ATTRIBUTE_OFFSET, 0);
        answer
    }

    /// An answer with one record.
    pub(super) fn answer(&self, record: &[u8]) -> Reply {
        let mut answer = self.begin(Status::Ok);
        answer.put_u16(ATTRIBUTE_OFFSET, in_words(record.len()));
        if let Some(data) = answer.get_mut(DATA..) {
            data.fill(0);
            for (to, from) in data.iter_mut().zip(record) {
                *to = *from;
            }
        }
        Reply::single(answer)
    }

    pub(super) fn refuse(&self, status: Status) -> Reply {
        Reply::single(self.begin(status))
    }
}

/// The size of a record as it is reported: in units of eight bytes.
pub(super) fn in_words(bytes: usize) -> u16 {
    (bytes >> 3) as u16
}
