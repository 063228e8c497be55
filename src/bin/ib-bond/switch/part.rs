// SPDX-License-Identifier: GPL-2.0

//! What a switch remembers of a bond, or of a VLAN on one.

use crate::netlink::{Refusal, Result};
use crate::state::Record;
use netlink_packet_core::{NetlinkHeader, NetlinkMessage, NetlinkPayload};
use netlink_packet_route::link::{InfoData, InfoPortData, LinkAttribute, LinkInfo, LinkMessage};
use netlink_packet_route::RouteNetlinkMessage;
use serde::{Deserialize, Serialize};

const EINVAL: i32 = 22;

/// What would be lost, each in words.
pub(super) type Losses = Vec<String>;

/// A netlink message, in hexadecimal digits.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub(super) struct Kept(String);

impl Kept {
    pub(super) fn new(message: RouteNetlinkMessage) -> Self {
        let mut message =
            NetlinkMessage::new(NetlinkHeader::default(), NetlinkPayload::from(message));
        message.finalize();
        let mut bytes = vec![0; message.buffer_len()];
        message.serialize(&mut bytes);
        Kept(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
    }

    pub(super) fn message(&self) -> Result<RouteNetlinkMessage> {
        let unreadable = || Refusal {
            errno: EINVAL,
            said: Some("what was noted before the switch cannot be read".into()),
        };
        let byte = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok();
        let bytes: Option<Vec<u8>> = self.0.as_bytes().chunks(2).map(byte).collect();
        let bytes = bytes.ok_or_else(unreadable)?;
        match NetlinkMessage::deserialize(&bytes).map(|message| message.payload) {
            Ok(NetlinkPayload::InnerMessage(message)) => Ok(message),
            _ => Err(unreadable()),
        }
    }

    pub(super) fn link(&self) -> Result<LinkMessage> {
        match self.message()? {
            RouteNetlinkMessage::NewLink(link) => Ok(link),
            _ => Ok(LinkMessage::default()),
        }
    }
}

/// A slave of a bond.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Member {
    /// Its name.
    pub(crate) name: String,
    /// Its options.
    pub(super) link: Kept,
}

/// A bond, or a VLAN on a bond.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Part {
    /// Its name.
    pub(crate) name: String,
    /// Its number.
    pub(super) index: u32,
    /// Whether it is a bond.
    pub(crate) is_bond: bool,
    /// The device that it is made on, for a VLAN.
    pub(crate) parent: Option<String>,
    /// Its master: a bridge, a VRF or another bond.
    pub(crate) master: Option<String>,
    /// Its slaves, in the order in which they came.
    pub(crate) members: Vec<Member>,
    /// Whether it was up.
    pub(crate) is_up: bool,
    /// Whether its link worked.
    pub(crate) has_carrier: bool,
    /// Whether a configurator makes it.
    pub(crate) is_configured: bool,
    /// What ib-bond has recorded of it.
    pub(crate) record: Option<Record>,
    pub(super) link: Kept,
    pub(super) addresses: Vec<Kept>,
    pub(super) routes: Vec<Kept>,
    pub(super) own_options: Vec<(String, String)>,
}

impl Part {
    /// The same without its master and its link.
    pub(crate) fn bare(self) -> Self {
        Part {
            master: None,
            has_carrier: false,
            ..self
        }
    }
}

#[cfg(test)]
impl Part {
    /// A bond with these slaves, or a VLAN on `parent`.
    pub(crate) fn named(name: &str, members: &[&str], parent: Option<&str>) -> Self {
        let link = keep(&LinkMessage::default());
        let member = |name: &&str| Member {
            name: (*name).into(),
            link: link.clone(),
        };
        Part {
            name: name.into(),
            index: 0,
            is_bond: parent.is_none(),
            parent: parent.map(String::from),
            master: None,
            members: members.iter().map(member).collect(),
            is_up: true,
            has_carrier: true,
            is_configured: false,
            record: None,
            link,
            addresses: vec![],
            routes: vec![],
            own_options: vec![],
        }
    }
}

/// The parts that no configurator makes, but on which one makes others: these have to be there first.
pub(crate) fn foundations(parts: &[Part]) -> Vec<Part> {
    let find = |name: &str| parts.iter().find(|part| part.name == name);
    let below = |part: &Part| part.parent.as_deref().and_then(find);
    let mut needed: Vec<&str> = Vec::new();
    for part in parts.iter().filter(|part| part.is_configured) {
        let mut lower = below(part);
        // Nothing is made on more devices than there are.
        for _ in 0..parts.len() {
            let Some(part) = lower else {
                break;
            };
            needed.push(&part.name);
            lower = below(part);
        }
    }
    let mut found: Vec<Part> = Vec::new();
    for part in parts.iter().filter(|part| !part.is_configured) {
        let stands = match below(part) {
            Some(lower) => found.iter().any(|part| part.name == lower.name),
            None => true,
        };
        if stands && needed.contains(&part.name.as_str()) {
            found.push(part.clone());
        }
    }
    found
}

/// What of a link is needed to make it again.
pub(super) fn keep(link: &LinkMessage) -> Kept {
    let mut kept = LinkMessage::default();
    kept.header = link.header.clone();
    for attribute in &link.attributes {
        match attribute {
            LinkAttribute::IfName(_) | LinkAttribute::Mtu(_) | LinkAttribute::Address(_) => {
                kept.attributes.push(attribute.clone());
            }
            LinkAttribute::LinkInfo(infos) => {
                let is_needed = |info: &&LinkInfo| {
                    matches!(
                        info,
                        LinkInfo::Kind(_)
                            | LinkInfo::Data(InfoData::Bond(_) | InfoData::Vlan(_))
                            | LinkInfo::PortKind(_)
                            | LinkInfo::PortData(InfoPortData::BondPort(_))
                    )
                };
                let infos = infos.iter().filter(is_needed).cloned().collect();
                kept.attributes.push(LinkAttribute::LinkInfo(infos));
            }
            _ => {}
        }
    }
    Kept::new(RouteNetlinkMessage::NewLink(kept))
}
