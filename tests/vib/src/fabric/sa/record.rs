// SPDX-License-Identifier: GPL-2.0

//! The tables of the subnet administrator: what a record is made of, and which ones there are.

use super::component::Component::{self, Any, Is, Ordered, Rate, Selector};
use super::query::Query;
use super::{member, service};
use crate::address::{Gid, Lid, Pkey, MAX_PORTS};
use crate::attribute::{NodePort, FORWARDING_BLOCK, MULTICAST_BLOCK};
use crate::mad::Fields;
use crate::multicast::MAX_GROUPS;
use crate::quantity;
use crate::subnet::Subnet;

/// Attributes of records that can also be set.
pub(super) const SERVICE: u16 = 0x0031;
pub(super) const MEMBER: u16 = 0x0038;

/// How a path's quantities are given: as exact values.
pub(super) const EXACTLY: u8 = 2 << 6;

/// A table of records.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Table {
    Node,
    PortInfo,
    SwitchInfo,
    Forwarding,
    MulticastForwarding,
    SmInfo,
    Link,
    Guids,
    Service,
    Pkeys,
    Path,
    Member,
}

impl Table {
    pub(super) fn of(attribute: u16) -> Option<Table> {
        Some(match attribute {
            0x0011 => Table::Node,
            0x0012 => Table::PortInfo,
            0x0014 => Table::SwitchInfo,
            0x0015 => Table::Forwarding,
            0x0017 => Table::MulticastForwarding,
            0x0018 => Table::SmInfo,
            0x0020 => Table::Link,
            0x0030 => Table::Guids,
            SERVICE => Table::Service,
            0x0033 => Table::Pkeys,
            0x0035 => Table::Path,
            MEMBER => Table::Member,
            _ => return None,
        })
    }

    /// The size of a record, filled up to a multiple of eight bytes.
    pub(super) fn size(self) -> usize {
        match self {
            Table::Node => 112,
            Table::PortInfo
            | Table::Forwarding
            | Table::MulticastForwarding
            | Table::Guids
            | Table::Pkeys => 72,
            Table::SwitchInfo => 24,
            Table::SmInfo => 32,
            Table::Link => 8,
            Table::Service => service::SIZE,
            Table::Path => 64,
            Table::Member => member::SIZE,
        }
    }

    /// The fields that a query can name.
    fn layout(self) -> &'static [Component] {
        match self {
            Table::Node => &NODE,
            Table::PortInfo => &PORT_INFO,
            Table::SwitchInfo | Table::SmInfo => &[Is(16)],
            Table::Forwarding => &[Is(16), Is(16)],
            // LID, position, reserved, block.
            Table::MulticastForwarding => &[Is(16), Is(4), Any(3), Is(9)],
            Table::Link => &[Is(16), Is(8), Is(8), Is(16)],
            // LID, block number.
            Table::Guids => &[Is(16), Is(8)],
            Table::Service => &service::LAYOUT,
            // LID, block number, port number.
            Table::Pkeys => &[Is(16), Is(16), Is(8)],
            Table::Path => &PATH,
            Table::Member => &member::LAYOUT,
        }
    }
}

const NODE: [Component; 15] = [
    Is(16), // LID
    Any(16),
    Is(8), // versions
    Is(8),
    Is(8),  // type
    Is(8),  // number of ports
    Is(64), // GUIDs of the system, the node and the port
    Is(64),
    Is(64),
    Is(16), // number of P_Keys
    Is(16), // device
    Is(32),
    Is(8), // port
    Is(24),
    Is(512), // description
];

const CAPABILITY_MASK: u64 = 1 << 7;
/// Modifier of a PortInfo query: ports with at least these capabilities.
const CAPABILITY_AT_LEAST: u32 = 1 << 31;

const PORT_INFO: [Component; 18] = [
    Is(16), // LID
    Is(8),  // port
    Any(8),
    Is(64), // management key, prefix
    Is(64),
    Is(16), // LIDs of the port and of the subnet manager
    Is(16),
    Any(32), // what the port can do, see CAPABILITY_MASK
    Is(16),
    Is(16),
    Is(8), // local port
    Is(8), // link width, enabled, supported, active
    Is(8),
    Is(8),
    Is(4), // speeds
    Is(4), // state
    Is(4), // physical state
    Is(4),
];

const PATH: [Component; 23] = [
    Any(32), // service
    Any(32),
    Is(128), // GIDs of destination and source
    Is(128),
    Is(16), // LIDs of destination and source
    Is(16),
    Is(1), // raw
    Any(3),
    Any(20), // flow label, hop limit and traffic class are the requester's
    Any(8),
    Any(8),
    Any(1),  // every path is reversible
    Any(7),  // there is one path from here to there
    Any(16), // P_Key, see Subnet::partition
    Any(12), // class of service
    Is(4),   // service level
    Selector,
    Ordered, // MTU
    Selector,
    Rate,
    Selector,
    Ordered, // lifetime
    Any(8),
];
const PATH_PKEY: u64 = 1 << 13;
const PATH_DGID: u64 = 1 << 2;
const PATH_SGID: u64 = 1 << 3;
const PATH_DLID: u64 = 1 << 4;
const PATH_SLID: u64 = 1 << 5;

impl Subnet {
    /// Shows the visitor every record of a table that the query wants.
    pub(super) fn records(&self, table: Table, query: &Query<'_>, visit: &mut dyn FnMut(&[u8])) {
        let layout = table.layout();
        let visit = &mut |record: &[u8]| {
            if query.wants(layout, record) {
                visit(record);
            }
        };
        match table {
            Table::Node => self.node_records(visit),
            Table::PortInfo => self.port_records(query, visit),
            Table::SwitchInfo => {
                let mut record = [0; 24];
                record.put_u16(0, self.sm_lid().0);
                record.put::<20>(4, self.switch_info().bytes(0));
                visit(&record);
            }
            Table::Forwarding => {
                for block in 0..Lid::MULTICAST.0 / FORWARDING_BLOCK {
                    // A forwarding block without any route is not worth a record.
                    if self
                        .ends()
                        .any(|end| self.lid_of(end).0 / FORWARDING_BLOCK == block)
                    {
                        let bytes = self.forwarding_block(block);
                        visit(&block_record(self.sm_lid(), block, 0, bytes));
                    }
                }
            }
            Table::MulticastForwarding => {
                for block in 0..(MAX_GROUPS as u16) / MULTICAST_BLOCK {
                    for position in 0..=(MAX_PORTS as u8) / 16 {
                        let bytes = self.multicast_block(block, position);
                        if bytes.iter().any(|&byte| byte != 0) {
                            let place = u16::from(position) << 12 | block;
                            visit(&block_record(self.sm_lid(), place, 0, bytes));
                        }
                    }
                }
            }
            Table::SmInfo => {
                let mut record = [0; 32];
                record.put_u16(0, self.sm_lid().0);
                record.put::<24>(4, self.sm_info().bytes(0));
                visit(&record);
            }
            Table::Link => self.link_records(visit),
            Table::Guids => {
                for end in self.ends() {
                    let mut record = block_record(self.lid_of(end), 0, 0, self.guid_info(end, 0));
                    record.put_u32(4, 0);
                    visit(&record);
                }
            }
            Table::Service => self.services.visit(visit),
            Table::Pkeys => {
                for end in self.ends() {
                    let (lid, number) = (self.lid_of(end), self.number_of(end));
                    visit(&block_record(lid, 0, number, self.pkey_block(end, 0)));
                }
            }
            Table::Path => self.path_records(query, visit),
            Table::Member => self.member_records(query, visit),
        }
    }

    fn node_records(&self, visit: &mut dyn FnMut(&[u8])) {
        for end in self.ends() {
            let mut record = [0; 112];
            record.put_u16(0, self.lid_of(end).0);
            record.put::<40>(4, self.node_info(end).bytes(0));
            record.put::<64>(44, self.node_description(end));
            visit(&record);
        }
    }

    fn port_records(&self, query: &Query<'_>, visit: &mut dyn FnMut(&[u8])) {
        let outer = self.plugged().map(|(id, _)| NodePort::Outer(id));
        for at in self.ends().chain(outer) {
            let mut record = [0; 72];
            record.put_u16(0, self.lid_of(at).0);
            record.put_u8(2, self.number_of(at));
            record.put::<64>(4, self.port_info(at, self.number_of(at)));
            let (has, wanted) = (record.u32_at(24), query.record().u32_at(24));
            if query.names(CAPABILITY_MASK) {
                let at_least = query.modifier() & CAPABILITY_AT_LEAST != 0;
                if (at_least && has & wanted != wanted) || (!at_least && has != wanted) {
                    continue;
                }
            }
            visit(&record);
        }
    }

    /// Each cable, as seen from both of its ends.
    fn link_records(&self, visit: &mut dyn FnMut(&[u8])) {
        for (id, port) in self.plugged().filter(|(_, port)| port.is_up()) {
            let adapter = (port.lid(), port.config().number);
            let switch = (self.sm_lid(), id.switch_port());
            for (from, to) in [(adapter, switch), (switch, adapter)] {
                let mut record = [0; 8];
                record.put_u16(0, from.0 .0);
                record.put_u8(2, from.1);
                record.put_u8(3, to.1);
                record.put_u16(4, to.0 .0);
                visit(&record);
            }
        }
    }

    /// The path from each port to each port, except where the query names the ports.
    fn path_records(&self, query: &Query<'_>, visit: &mut dyn FnMut(&[u8])) {
        let named = query.record();
        let is = |end: NodePort, gid: u64, gid_at: usize, lid: u64, lid_at: usize| {
            (!query.names(gid) || Gid(named.bytes(gid_at)) == self.gid_of(end))
                && (!query.names(lid) || Lid(named.u16_at(lid_at)) == self.lid_of(end))
        };
        let is_source = |&end: &NodePort| is(end, PATH_SGID, 24, PATH_SLID, 42);
        let is_destination = |&end: &NodePort| is(end, PATH_DGID, 8, PATH_DLID, 40);
        let wanted = (query.names(PATH_PKEY)).then(|| Pkey(named.u16_at(50)));
        for source in self.live_ends().filter(is_source) {
            for destination in self.live_ends().filter(is_destination) {
                let Some(pkey) = self.partition(source, destination, wanted) else {
                    continue;
                };
                let mut record = [0; 64];
                record.put(8, self.gid_of(destination).0);
                record.put(24, self.gid_of(source).0);
                record.put_u16(40, self.lid_of(destination).0);
                record.put_u16(42, self.lid_of(source).0);
                record.put_u32(44, named.u32_at(44) & 0x000f_ff00); // flow label; no hop
                record.put_u8(48, named.u8_at(48)); // traffic class
                record.put_u8(49, 1 << 7 | 1); // reversible, one path
                record.put_u16(50, pkey.0);
                record.put_u8(54, EXACTLY | quantity::PORT_MTU);
                record.put_u8(55, EXACTLY | quantity::PORT_RATE);
                record.put_u8(56, EXACTLY | quantity::LIFETIME);
                visit(&record);
            }
        }
    }

    /// The key of a partition in which two ports can talk to each other; the wanted one if any.
    fn partition(&self, one: NodePort, other: NodePort, wanted: Option<Pkey>) -> Option<Pkey> {
        let others = self.pkeys_of(other);
        self.pkeys_of(one)
            .iter()
            .filter(|key| wanted.is_none_or(|wanted| key.same_partition(wanted)))
            .find(|key| others.iter().any(|other| key.matches(*other)))
            .map(|key| wanted.unwrap_or(*key))
    }
}

/// A record with a block of a table: LID, block number, port number, and the block.
fn block_record(lid: Lid, block: u16, port: u8, bytes: [u8; 64]) -> [u8; 72] {
    let mut record = [0; 72];
    record.put_u16(0, lid.0);
    record.put_u16(2, block);
    record.put_u8(4, port);
    record.put(8, bytes);
    record
}
