// SPDX-License-Identifier: GPL-2.0

//! ServiceRecord: what services there are, as their servers have registered them.

use super::component::Component::{self, Any, Is};
use super::query::Query;
use super::Reply;
use crate::address::{Gid, Pkey};
use crate::mad::{Fields, Status};
use crate::subnet::Subnet;

/// The size of a record.
pub(super) const SIZE: usize = 176;
/// Identifier, GID and P_Key: what makes two records the same service.
const IDENTITY: usize = 26;
const LEASE: usize = 28;
const FOREVER: u32 = u32::MAX;

/// The fields that a query can name.
pub(super) const LAYOUT: [Component; 37] = [
    Is(64), // identifier, GID, P_Key
    Is(128),
    Is(16),
    Any(16),
    Is(32),  // lease
    Is(128), // key
    Is(512), // name
    // Data: 16 bytes, and then the same number of bytes as wider numbers, three times.
    Is(8),
    Is(8),
    Is(8),
    Is(8),
    Is(8),
    Is(8),
    Is(8),
    Is(8),
    Is(8),
    Is(8),
    Is(8),
    Is(8),
    Is(8),
    Is(8),
    Is(8),
    Is(8),
    Is(16),
    Is(16),
    Is(16),
    Is(16),
    Is(16),
    Is(16),
    Is(16),
    Is(16),
    Is(32),
    Is(32),
    Is(32),
    Is(32),
    Is(64),
    Is(64),
];
const ESSENTIAL: u64 = 0b111;

/// The services that there are.
#[derive(Debug)]
pub(crate) struct Services {
    records: [[u8; SIZE]; Services::MAX],
}

impl Services {
    const MAX: usize = 64;

    pub(crate) const fn new() -> Services {
        Services {
            records: [[0; SIZE]; Services::MAX],
        }
    }

    fn exists(record: &[u8; SIZE]) -> bool {
        record.iter().any(|&byte| byte != 0)
    }

    pub(super) fn visit(&self, visit: &mut dyn FnMut(&[u8])) {
        for record in self.records.iter().filter(|record| Self::exists(record)) {
            visit(record);
        }
    }

    fn find(&mut self, identity: &[u8; IDENTITY]) -> Option<&mut [u8; SIZE]> {
        let mut records = self.records.iter_mut();
        records.find(|record| Self::exists(record) && record.bytes(0) == *identity)
    }

    pub(crate) fn forget(&mut self) {
        self.records = [[0; SIZE]; Services::MAX];
    }

    /// Forgets what a port has registered.
    pub(crate) fn forget_gid(&mut self, gid: Gid) {
        for record in &mut self.records {
            if record.bytes(8) == gid.0 {
                *record = [0; SIZE];
            }
        }
    }
}

impl Subnet {
    /// Registers a service, or replaces an earlier registration of it. A lease lasts until the port
    /// goes away: the answer says so.
    pub(super) fn register_service(&mut self, query: &Query<'_>) -> Reply {
        let mut record: [u8; SIZE] = query.record().bytes(0);
        record.put_u32(LEASE, FOREVER);
        if !query.names(ESSENTIAL) {
            return query.refuse(Status::InsufficientComponents);
        }
        if self.gid(query.from) != Some(Gid(record.bytes(8))) {
            return query.refuse(Status::InvalidGid);
        }
        if !self.has_partition(query.from, Pkey(record.u16_at(24))) {
            return query.refuse(Status::RequestInvalid);
        }
        let identity: [u8; IDENTITY] = record.bytes(0);
        let known = self.services.find(&identity).is_some();
        let place = if known {
            self.services.find(&identity)
        } else {
            let mut records = self.services.records.iter_mut();
            records.find(|record| !Services::exists(record))
        };
        match place {
            Some(place) => *place = record,
            None => return query.refuse(Status::NoResources),
        }
        self.has_changed();
        query.answer(&record)
    }

    /// Forgets a service; only the port that offers it can ask for that.
    pub(super) fn remove_service(&mut self, query: &Query<'_>) -> Reply {
        let identity: [u8; IDENTITY] = query.record().bytes(0);
        if self.gid(query.from) != Some(Gid(identity.bytes(8))) {
            return query.refuse(Status::InvalidGid);
        }
        let Some(place) = self.services.find(&identity) else {
            return query.refuse(Status::NoRecords);
        };
        let record = core::mem::replace(place, [0; SIZE]);
        self.has_changed();
        query.answer(&record)
    }
}
