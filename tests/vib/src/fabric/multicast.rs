// SPDX-License-Identifier: GPL-2.0

//! Multicast groups, and who is in them.

use crate::address::{Gid, Lid, Pkey, PortId, PortSet};
use crate::quantity;

/// How many groups there can be.
pub(crate) const MAX_GROUPS: usize = 256;

/// How a port is in a group (JoinState of a MCMemberRecord), as bits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct JoinState(pub(crate) u8);

impl JoinState {
    const BITS: usize = 4;
    /// Sends and receives, and keeps the group alive.
    const FULL: u8 = 1;
    /// Sends and receives.
    const NON: u8 = 2;
    /// Sends, and keeps the group alive.
    const SEND_ONLY_FULL: u8 = 8;

    /// The states that exist; the other bits mean nothing.
    pub(crate) const fn known(self) -> JoinState {
        JoinState(self.0 & 0xf)
    }

    /// Whether the group lives as long as there is such a member.
    pub(crate) const fn keeps_group(self) -> bool {
        self.0 & (JoinState::FULL | JoinState::SEND_ONLY_FULL) != 0
    }

    const fn receives(self) -> bool {
        self.0 & (JoinState::FULL | JoinState::NON) != 0
    }

    const fn single(bit: usize) -> JoinState {
        JoinState(1u8.wrapping_shl(bit as u32))
    }
}

/// What all packets of a group have in common.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Parameters {
    pub(crate) qkey: u32,
    pub(crate) pkey: Pkey,
    /// IBA code of the MTU.
    pub(crate) mtu: u8,
    /// IBA code of the rate.
    pub(crate) rate: u8,
    /// IBA code of the packet lifetime.
    pub(crate) lifetime: u8,
    pub(crate) traffic_class: u8,
    /// Service level (4 bits), flow label (20 bits) and hop limit (8 bits), as in the record.
    pub(crate) sl_flow_hop: u32,
    /// Bits of the scope, as in the group's GID.
    pub(crate) scope: u8,
}

/// A multicast group.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Group {
    /// [`Gid::ZERO`]: there is no such group.
    pub(crate) mgid: Gid,
    pub(crate) parameters: Parameters,
    /// Made by the subnet manager; it stays when its last member has gone.
    permanent: bool,
    /// The members, one set for each bit of the join state.
    members: [PortSet; JoinState::BITS],
}

impl Group {
    const EMPTY: Group = Group {
        mgid: Gid::ZERO,
        parameters: Parameters {
            qkey: 0,
            pkey: Pkey::NONE,
            mtu: 0,
            rate: 0,
            lifetime: 0,
            traffic_class: 0,
            sl_flow_hop: 0,
            scope: 0,
        },
        permanent: false,
        members: [PortSet::EMPTY; JoinState::BITS],
    };

    fn exists(&self) -> bool {
        self.mgid != Gid::ZERO
    }

    /// Every port that is in the group in one of the ways that the predicate accepts.
    fn ports(&self, which: impl Fn(JoinState) -> bool) -> PortSet {
        let sets = (0..JoinState::BITS).zip(&self.members);
        sets.filter(|&(bit, _)| which(JoinState::single(bit)))
            .fold(PortSet::EMPTY, |all, (_, set)| all.union(*set))
    }

    /// Every port that is in the group.
    pub(crate) fn all_members(&self) -> PortSet {
        self.ports(|_| true)
    }

    /// In which ways a port is in the group.
    pub(crate) fn state(&self, id: PortId) -> JoinState {
        let sets = (0..JoinState::BITS).zip(&self.members);
        JoinState(
            sets.filter(|(_, set)| set.contains(id))
                .fold(0, |state, (bit, _)| state | JoinState::single(bit).0),
        )
    }

    pub(crate) fn join(&mut self, id: PortId, state: JoinState) {
        for (bit, set) in (0..JoinState::BITS).zip(&mut self.members) {
            if state.0 & JoinState::single(bit).0 != 0 {
                set.insert(id);
            }
        }
    }

    /// Takes away ways of membership, and the group with the last member that kept it alive.
    pub(crate) fn leave(&mut self, id: PortId, state: JoinState) {
        for (bit, set) in (0..JoinState::BITS).zip(&mut self.members) {
            if state.0 & JoinState::single(bit).0 != 0 {
                set.remove(id);
            }
        }
        if !self.permanent && self.ports(JoinState::keeps_group).is_empty() {
            *self = Group::EMPTY;
        }
    }
}

/// All groups; the place in the table is the multicast LID.
#[derive(Debug)]
pub(crate) struct Groups {
    groups: [Group; MAX_GROUPS],
}

impl Groups {
    pub(crate) const fn new() -> Groups {
        Groups {
            groups: [Group::EMPTY; MAX_GROUPS],
        }
    }

    fn mlid(index: usize) -> Lid {
        Lid(Lid::MULTICAST.0.wrapping_add(index as u16))
    }

    /// The groups that there are, with their multicast LIDs.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (Lid, &Group)> + '_ {
        let groups = (0..MAX_GROUPS).zip(&self.groups);
        groups
            .filter(|(_, group)| group.exists())
            .map(|(index, group)| (Groups::mlid(index), group))
    }

    pub(crate) fn find(&mut self, mgid: Gid) -> Option<(Lid, &mut Group)> {
        let mut groups = (0..MAX_GROUPS).zip(&mut self.groups);
        groups
            .find(|(_, group)| group.exists() && group.mgid == mgid)
            .map(|(index, group)| (Groups::mlid(index), group))
    }

    /// Makes a group without members; false: the table is full.
    pub(crate) fn create(&mut self, mgid: Gid, parameters: Parameters, permanent: bool) -> bool {
        let Some(group) = self.groups.iter_mut().find(|group| !group.exists()) else {
            return false;
        };
        *group = Group {
            mgid,
            parameters,
            permanent,
            ..Group::EMPTY
        };
        true
    }

    /// The ports that receive what is sent to a multicast LID.
    pub(crate) fn receivers(&self, mlid: Lid) -> PortSet {
        if !mlid.is_multicast() {
            return PortSet::EMPTY;
        }
        let index = mlid.0.wrapping_sub(Lid::MULTICAST.0);
        match self.groups.get(usize::from(index)) {
            Some(group) => group.ports(JoinState::receives),
            None => PortSet::EMPTY,
        }
    }

    /// Makes IPoIB's broadcast group of a partition, which members join without its parameters.
    pub(crate) fn add_partition(&mut self, pkey: Pkey) {
        let mgid = Gid::ipoib_broadcast(pkey);
        if pkey.is_valid() && self.find(mgid).is_none() {
            let parameters = Parameters {
                // What OpenSM takes for IPoIB.
                qkey: 0x0b1b,
                pkey: pkey.full(),
                mtu: quantity::GROUP_MTU,
                rate: quantity::PORT_RATE,
                lifetime: quantity::LIFETIME,
                traffic_class: 0,
                sl_flow_hop: 0,
                scope: 2,
            };
            // If no place is free, the partition has no broadcast group, and a join is told so.
            self.create(mgid, parameters, true);
        }
    }

    /// The port is no longer in any group.
    pub(crate) fn forget_port(&mut self, id: PortId) {
        self.leave_where(id, |_| true);
    }

    /// The port is no longer in any group of the partition.
    pub(crate) fn leave_partition(&mut self, id: PortId, pkey: Pkey) {
        self.leave_where(id, |group| group.parameters.pkey.same_partition(pkey));
    }

    /// No port is in any group any more.
    pub(crate) fn forget_members(&mut self) {
        for group in &mut self.groups {
            if group.permanent {
                group.members = [PortSet::EMPTY; JoinState::BITS];
            } else {
                *group = Group::EMPTY;
            }
        }
    }

    fn leave_where(&mut self, id: PortId, which: impl Fn(&Group) -> bool) {
        for group in &mut self.groups {
            if group.exists() && which(group) {
                group.leave(id, JoinState(0xf));
            }
        }
    }
}
