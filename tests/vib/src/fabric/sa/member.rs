// SPDX-License-Identifier: GPL-2.0

//! MCMemberRecord: joining and leaving multicast groups, and who is in them.

use super::component::matches;
use super::component::Component::{self, Any, Is, Ordered, Rate, Selector};
use super::query::Query;
use super::record::EXACTLY;
use super::Reply;
use crate::address::{Gid, Lid, Pkey, PortId};
use crate::mad::{Fields, Status};
use crate::multicast::{Group, JoinState, Parameters};
use crate::quantity;
use crate::subnet::Subnet;

/// The size of a record.
pub(super) const SIZE: usize = 56;

/// The fields that a query can name.
pub(super) const LAYOUT: [Component; 18] = [
    Is(128), // GIDs of the group and of the port
    Is(128),
    Is(32), // Q_Key
    Is(16), // multicast LID
    Selector,
    Ordered, // MTU
    Is(8),   // traffic class
    Any(16), // P_Key, see wants_partition
    Selector,
    Rate,
    Selector,
    Ordered, // lifetime
    Is(4),   // service level
    Is(20),  // flow label
    Is(8),   // hop limit
    Is(4),   // scope
    Any(4),  // join state
    Any(1),
];
const MGID: u64 = 1;
const PORT_GID: u64 = 1 << 1;
const QKEY: u64 = 1 << 2;
const MTU: u64 = 1 << 4 | 1 << 5;
const TRAFFIC_CLASS: u64 = 1 << 6;
const PKEY: u64 = 1 << 7;
const RATE: u64 = 1 << 8 | 1 << 9;
const LIFETIME: u64 = 1 << 10 | 1 << 11;
const SERVICE_LEVEL: u64 = 1 << 12;
const FLOW_LABEL: u64 = 1 << 13;
const HOP_LIMIT: u64 = 1 << 14;
const SCOPE: u64 = 1 << 15;
const JOIN_STATE: u64 = 1 << 16;

/// The parameters of a group, whoever is in it.
const PARAMETERS: u64 =
    QKEY | MTU | TRAFFIC_CLASS | RATE | LIFETIME | SERVICE_LEVEL | FLOW_LABEL | HOP_LIMIT | SCOPE;
/// The parameters without which a group cannot be made.
const ESSENTIAL: u64 = QKEY | PKEY | TRAFFIC_CLASS | SERVICE_LEVEL | FLOW_LABEL;

/// Accessors of the record of a request.
impl Query<'_> {
    fn mgid(&self) -> Gid {
        Gid(self.record().bytes(0))
    }
    fn pkey(&self) -> Pkey {
        Pkey(self.record().u16_at(40))
    }
    fn join_state(&self) -> JoinState {
        JoinState(self.record().u8_at(48)).known()
    }
    /// Selector and code of a quantity, if both are named.
    fn wish(&self, components: u64, at: usize) -> Option<(u8, u8)> {
        let byte = self.record().u8_at(at);
        self.names(components).then_some((byte >> 6, byte & 0x3f))
    }
    /// Whether the group is of the partition that the request names.
    fn wants_partition(&self, pkey: Pkey) -> bool {
        !self.names(PKEY) || self.pkey().same_partition(pkey)
    }
}

impl Subnet {
    /// Adds a port to a group, which is made if it does not exist.
    pub(super) fn join(&mut self, query: &Query<'_>) -> Reply {
        match self.try_join(query) {
            Ok(record) => {
                self.has_changed();
                query.answer(&record)
            }
            Err(status) => query.refuse(status),
        }
    }

    fn try_join(&mut self, query: &Query<'_>) -> Result<[u8; SIZE], Status> {
        let port_gid = self.requester(query)?;
        let state = query.join_state();
        if state.0 == 0 {
            return Err(Status::RequestInvalid);
        }
        let mut mgid = if query.names(MGID) {
            query.mgid()
        } else {
            Gid::ZERO
        };
        let known = self.groups.find(mgid);
        let exists = known.is_some();
        let pkey = match known {
            Some((mlid, group)) => {
                let record = member_record(mlid, group, Gid::ZERO, JoinState(0));
                let mask = query.mask() & PARAMETERS;
                if !matches(&LAYOUT, mask, query.record(), &record) {
                    return Err(Status::RequestInvalid);
                }
                group.parameters.pkey
            }
            None if !query.names(ESSENTIAL) => return Err(Status::InsufficientComponents),
            None if !state.keeps_group() => return Err(Status::RequestInvalid),
            None => query.pkey(),
        };
        if !query.wants_partition(pkey) || !self.has_partition(query.from, pkey) {
            return Err(Status::RequestInvalid);
        }
        if !exists {
            mgid = self.create_group(query, mgid)?;
        }
        let (mlid, group) = self.groups.find(mgid).ok_or(Status::NoResources)?;
        group.join(query.from, state);
        Ok(member_record(
            mlid,
            group,
            port_gid,
            group.state(query.from),
        ))
    }

    /// Makes the group that a join describes, under its GID or, if that is zero, a new one.
    fn create_group(&mut self, query: &Query<'_>, mgid: Gid) -> Result<Gid, Status> {
        const LINK_LOCAL: u8 = 2;
        let record = query.record();
        let scope = record.u8_at(48) >> 4;
        let mgid = if mgid == Gid::ZERO {
            let scope = if query.names(SCOPE) {
                scope
            } else {
                LINK_LOCAL
            };
            self.new_mgid(scope)
        } else {
            mgid
        };
        let [first, flags, ..] = mgid.0;
        if first != 0xff || (query.names(SCOPE) && scope != flags & 0xf) {
            return Err(Status::RequestInvalid);
        }
        let parameters = Parameters {
            qkey: record.u32_at(32),
            pkey: query.pkey().full(),
            mtu: quantity::choose_mtu(query.wish(MTU, 38)).ok_or(Status::RequestInvalid)?,
            rate: quantity::choose_rate(query.wish(RATE, 42)).ok_or(Status::RequestInvalid)?,
            lifetime: quantity::choose_lifetime(query.wish(LIFETIME, 43))
                .ok_or(Status::RequestInvalid)?,
            traffic_class: record.u8_at(39),
            sl_flow_hop: record.u32_at(44),
            scope: flags & 0xf,
        };
        match self.groups.create(mgid, parameters, false) {
            true => Ok(mgid),
            false => Err(Status::NoResources),
        }
    }

    /// A GID for a group that no group has yet.
    fn new_mgid(&mut self, scope: u8) -> Gid {
        let prefix = u128::from(self.prefix());
        loop {
            self.has_changed();
            let mgid = 0xff10_a01b_u128 << 96
                | u128::from(scope) << 112
                | prefix << 32
                | u128::from(self.changes());
            let mgid = Gid(mgid.to_be_bytes());
            if self.groups.find(mgid).is_none() {
                return mgid;
            }
        }
    }

    /// Removes a port from a group, in the ways that the request names.
    pub(super) fn leave(&mut self, query: &Query<'_>) -> Reply {
        let port_gid = match self.requester(query) {
            Ok(gid) => gid,
            Err(status) => return query.refuse(status),
        };
        let Some((mlid, group)) = self.groups.find(query.mgid()) else {
            return query.refuse(Status::RequestInvalid);
        };
        let had = group.state(query.from);
        let gone = JoinState(query.join_state().0 & had.0);
        if gone.0 == 0 {
            return query.refuse(Status::RequestInvalid);
        }
        let left = JoinState(had.0 & !gone.0);
        let record = member_record(mlid, group, port_gid, left);
        group.leave(query.from, gone);
        self.has_changed();
        query.answer(&record)
    }

    /// The GID of the requesting port; a port joins and leaves only for itself.
    fn requester(&self, query: &Query<'_>) -> Result<Gid, Status> {
        if !query.names(PORT_GID | JOIN_STATE) {
            return Err(Status::InsufficientComponents);
        }
        let gid = self.gid(query.from).ok_or(Status::RequestInvalid)?;
        if Gid(query.record().bytes(16)) != gid {
            return Err(Status::InvalidGid);
        }
        Ok(gid)
    }

    /// A record for each member if the requester may see members, else one for each group.
    pub(super) fn member_records(&self, query: &Query<'_>, visit: &mut dyn FnMut(&[u8])) {
        let mut each = |mlid: Lid, group: &Group, gid: Gid, state: JoinState| {
            let wanted = query.join_state();
            if !query.names(JOIN_STATE) || wanted == state || wanted.0 & state.0 != 0 {
                visit(&member_record(mlid, group, gid, state));
            }
        };
        for (mlid, group) in self.groups.iter() {
            if !query.wants_partition(group.parameters.pkey) {
                continue;
            }
            let members = group.all_members();
            if (query.is_trusted() || query.names(PORT_GID)) && !members.is_empty() {
                for id in members.iter() {
                    let gid = self.gid(id).unwrap_or(Gid::ZERO);
                    each(mlid, group, gid, group.state(id));
                }
            } else {
                each(mlid, group, Gid::ZERO, all_states(group, members.iter()));
            }
        }
    }
}

/// In which ways there are members at all.
fn all_states(group: &Group, members: impl Iterator<Item = PortId>) -> JoinState {
    JoinState(members.fold(0, |all, id| all | group.state(id).0))
}

fn member_record(mlid: Lid, group: &Group, port_gid: Gid, state: JoinState) -> [u8; SIZE] {
    let parameters = &group.parameters;
    let mut record = [0; SIZE];
    record.put(0, group.mgid.0);
    record.put(16, port_gid.0);
    record.put_u32(32, parameters.qkey);
    record.put_u16(36, mlid.0);
    record.put_u8(38, EXACTLY | parameters.mtu);
    record.put_u8(39, parameters.traffic_class);
    record.put_u16(40, parameters.pkey.0);
    record.put_u8(42, EXACTLY | parameters.rate);
    record.put_u8(43, EXACTLY | parameters.lifetime);
    record.put_u32(44, parameters.sl_flow_hop);
    record.put_u8(48, parameters.scope << 4 | state.0);
    record
}
