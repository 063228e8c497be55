// SPDX-License-Identifier: GPL-2.0

//! The subnet administrator (chapter 15 of the specification): queries about the subnet, and
//! registrations of members of multicast groups and of services.

mod component;
mod member;
mod query;
mod record;
mod rmpp;
mod service;

pub use rmpp::Reply;
pub(crate) use rmpp::Transfers;
pub(crate) use service::Services;

use crate::address::PortId;
use crate::mad::{class, method, Fields, Header, Mad, Status};
use crate::quantity;
use crate::subnet::Subnet;
use query::Query;
use record::Table;

/// Attributes that are not tables of records.
const CLASS_PORT_INFO: u16 = 0x0001;

/// The header of the class: 24 bytes of common header and 12 of RMPP are before it.
const ATTRIBUTE_OFFSET: usize = 44;
/// Where the record begins.
const DATA: usize = 56;
/// The size of a record, at most, and of the part of a table that a datagram carries.
const DATA_SIZE: usize = 200;

impl Subnet {
    /// Takes a datagram that a port has sent to the switch's queue pair 1. The reply goes to the
    /// queue pair that sent it, without a GRH if the request had none.
    pub fn gsi(&mut self, from: PortId, request: &Mad) -> Reply {
        if request.base_version() != 1
            || request.class() != class::ADMINISTRATION
            || !self.port(from).is_some_and(|port| port.is_up())
        {
            return Reply::NONE;
        }
        if let Some(reply) = self.acknowledged(from, request) {
            return reply;
        }
        if request.method() & method::RESPONSE != 0 {
            return Reply::NONE;
        }
        let query = Query::new(from, request);
        if request.class_version() != 2 {
            return query.refuse(Status::BadVersion);
        }
        match (request.method(), query.attribute()) {
            (method::GET, CLASS_PORT_INFO) => query.answer(&class_port_info()),
            (method::SET, record::MEMBER) => self.join(&query),
            (method::DELETE, record::MEMBER) => self.leave(&query),
            (method::SET, record::SERVICE) => self.register_service(&query),
            (method::DELETE, record::SERVICE) => self.remove_service(&query),
            (method::GET, attribute) => match Table::of(attribute) {
                Some(table) => self.get(table, &query),
                None => query.refuse(Status::BadAttribute),
            },
            (method::GET_TABLE, attribute) => match Table::of(attribute) {
                Some(table) => self.get_table(table, &query),
                None => query.refuse(Status::BadAttribute),
            },
            (method::SET | method::DELETE, _) => query.refuse(Status::BadAttribute),
            _ => query.refuse(Status::BadMethod),
        }
    }

    /// The only record that matches.
    fn get(&self, table: Table, query: &Query<'_>) -> Reply {
        let mut found = None;
        let mut count = 0u32;
        self.records(table, query, &mut |record| {
            count = count.saturating_add(1);
            if found.is_none() {
                found = Some(query.answer(record));
            }
        });
        match found {
            // If there are several paths, any of them will do.
            Some(reply) if count == 1 || table == Table::Path => reply,
            Some(_) => query.refuse(Status::TooManyRecords),
            None => query.refuse(Status::NoRecords),
        }
    }
}

/// What the administrator can do.
fn class_port_info() -> [u8; 72] {
    // Members that only send, and keep their group alive (CapabilityMask2).
    const SEND_ONLY_FULL_MEMBER: u32 = 1 << 12;
    let mut info = [0; 72];
    info.put_u8(0, 1); // base version
    info.put_u8(1, 2); // class version
    info.put_u32(
        4,
        SEND_ONLY_FULL_MEMBER << 5 | u32::from(quantity::LIFETIME),
    );
    info
}
