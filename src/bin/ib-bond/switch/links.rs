// SPDX-License-Identifier: GPL-2.0

//! All links, and what their netlink messages say.

use crate::netlink::{Netlink, Result};
use netlink_packet_route::link::{
    InfoBond, InfoBondPort, InfoData, InfoKind, InfoPortData, InfoVlan, LinkAttribute, LinkInfo,
    LinkMessage, VlanFlags,
};
use netlink_packet_route::RouteNetlinkMessage;

/// All links, with what the netlink crate knows of them.
#[derive(Debug, Clone)]
pub(super) struct Links(pub(super) Vec<LinkMessage>);

impl Links {
    /// All links of this network namespace.
    pub(super) fn get(netlink: &mut Netlink) -> Result<Self> {
        let request = RouteNetlinkMessage::GetLink(LinkMessage::default());
        netlink
            .dump(request, |message| match message {
                RouteNetlinkMessage::NewLink(link) => Some(link),
                _ => None,
            })
            .map(Links)
    }

    pub(super) fn named(&self, name: &str) -> Option<&LinkMessage> {
        self.0.iter().find(|link| name_of(link) == name)
    }

    pub(super) fn name(&self, index: u32) -> Option<&str> {
        let found = self.0.iter().find(|link| link.header.index == index);
        found.map(name_of)
    }

    /// The bonds, those without bonds below them first, and then the VLANs on them, from below.
    pub(super) fn stack(&self) -> Vec<&LinkMessage> {
        let mut stack: Vec<&LinkMessage> = Vec::new();
        loop {
            let is_in = |index: u32| stack.iter().any(|link| link.header.index == index);
            let next = self.0.iter().find(|link| {
                let can_be_made = match kind_of(link) {
                    Some(InfoKind::Bond) => self.0.iter().all(|slave| {
                        let is_slave = master_of(slave) == Some(link.header.index);
                        !is_slave || !self.goes(slave) || is_in(slave.header.index)
                    }),
                    Some(InfoKind::Vlan) => parent_of(link).is_some_and(is_in),
                    _ => false,
                };
                can_be_made && !is_in(link.header.index)
            });
            match next {
                Some(link) => stack.push(link),
                None => return stack,
            }
        }
    }

    /// Whether this device goes with the driver and can be made again.
    fn goes(&self, link: &LinkMessage) -> bool {
        match kind_of(link) {
            Some(InfoKind::Bond) => true,
            Some(InfoKind::Vlan) => parent_of(link)
                .and_then(|index| self.0.iter().find(|parent| parent.header.index == index))
                .is_some_and(|parent| self.goes(parent)),
            _ => false,
        }
    }
}

pub(super) fn name_of(link: &LinkMessage) -> &str {
    let name = link
        .attributes
        .iter()
        .find_map(|attribute| match attribute {
            LinkAttribute::IfName(name) => Some(name.as_str()),
            _ => None,
        });
    name.unwrap_or_default()
}

fn infos(link: &LinkMessage) -> &[LinkInfo] {
    let found = link
        .attributes
        .iter()
        .find_map(|attribute| match attribute {
            LinkAttribute::LinkInfo(infos) => Some(infos.as_slice()),
            _ => None,
        });
    found.unwrap_or_default()
}

pub(super) fn kind_of(link: &LinkMessage) -> Option<&InfoKind> {
    infos(link).iter().find_map(|info| match info {
        LinkInfo::Kind(kind) => Some(kind),
        _ => None,
    })
}

fn data_of(link: &LinkMessage) -> Option<&InfoData> {
    infos(link).iter().find_map(|info| match info {
        LinkInfo::Data(data) => Some(data),
        _ => None,
    })
}

pub(super) fn bond_options(link: &LinkMessage) -> &[InfoBond] {
    match data_of(link) {
        Some(InfoData::Bond(options)) => options,
        _ => &[],
    }
}

pub(super) fn member_options(link: &LinkMessage) -> Vec<InfoBondPort> {
    let found = infos(link).iter().find_map(|info| match info {
        LinkInfo::PortData(InfoPortData::BondPort(options)) => Some(options),
        _ => None,
    });
    let is_set = |option: &&InfoBondPort| {
        matches!(
            option,
            InfoBondPort::QueueId(_) | InfoBondPort::Prio(_) | InfoBondPort::ActorPortPrio(_)
        )
    };
    found
        .into_iter()
        .flatten()
        .filter(is_set)
        .cloned()
        .collect()
}

/// The options of a VLAN. The kernel lists its flags with a mask that it would not take.
pub(super) fn vlan_options(link: &LinkMessage) -> Vec<InfoVlan> {
    let Some(InfoData::Vlan(options)) = data_of(link) else {
        return Vec::new();
    };
    let known = VlanFlags::ReorderHdr
        | VlanFlags::Gvrp
        | VlanFlags::LooseBinding
        | VlanFlags::Mvrp
        | VlanFlags::BridgeBinding;
    let options = options.iter().cloned();
    options
        .map(|option| match option {
            InfoVlan::Flags((flags, mask)) => InfoVlan::Flags((flags & known, mask & known)),
            option => option,
        })
        .collect()
}

pub(super) fn master_of(link: &LinkMessage) -> Option<u32> {
    link.attributes
        .iter()
        .find_map(|attribute| match attribute {
            LinkAttribute::Controller(index) if *index != 0 => Some(*index),
            _ => None,
        })
}

pub(super) fn parent_of(link: &LinkMessage) -> Option<u32> {
    link.attributes
        .iter()
        .find_map(|attribute| match attribute {
            LinkAttribute::Link(index) if *index != 0 => Some(*index),
            _ => None,
        })
}

pub(super) fn address_of(link: &LinkMessage) -> Option<&[u8]> {
    link.attributes
        .iter()
        .find_map(|attribute| match attribute {
            LinkAttribute::Address(address) => Some(address.as_slice()),
            _ => None,
        })
}

pub(super) fn mtu_of(link: &LinkMessage) -> Option<u32> {
    link.attributes
        .iter()
        .find_map(|attribute| match attribute {
            LinkAttribute::Mtu(mtu) => Some(*mtu),
            _ => None,
        })
}
