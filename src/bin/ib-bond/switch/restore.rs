// SPDX-License-Identifier: GPL-2.0

//! Bonds and what is made on them, as netlink shows them: remembered before the driver goes, and made again by ib-bond
//! if no configurator does it.

use crate::error::words;
use crate::netlink::{Link, Netlink, Refusal, Result};
use crate::state::{Record, State};
use netlink_packet_core::{
    NetlinkHeader, NetlinkMessage, NetlinkPayload, NLM_F_CREATE, NLM_F_EXCL, NLM_F_REPLACE,
};
use netlink_packet_route::address::{AddressAttribute, AddressFlags, AddressMessage, AddressScope};
use netlink_packet_route::link::{
    InfoBond, InfoBondPort, InfoData, InfoKind, InfoPortData, InfoPortKind, InfoVlan,
    LinkAttribute, LinkFlags, LinkInfo, LinkLayerType, LinkMessage, VlanFlags,
};
use netlink_packet_route::route::{
    RouteAttribute, RouteFlags, RouteMessage, RouteProtocol, RouteType,
};
use netlink_packet_route::{AddressFamily, RouteNetlinkMessage};
use serde::{Deserialize, Serialize};
use std::fs;
use std::net::IpAddr;
use std::path::Path;

const EINVAL: i32 = 22;
/// The options of the driver in Rust that netlink does not have.
const OWN_OPTIONS: [&str; 4] = [
    "link_events",
    "resilient_hash",
    "rlb_ipv6",
    "announce_stations",
];

/// A netlink message, in hexadecimal digits.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct Kept(String);

impl Kept {
    fn new(message: RouteNetlinkMessage) -> Self {
        let mut message =
            NetlinkMessage::new(NetlinkHeader::default(), NetlinkPayload::from(message));
        message.finalize();
        let mut bytes = vec![0; message.buffer_len()];
        message.serialize(&mut bytes);
        Kept(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
    }

    fn message(&self) -> Result<RouteNetlinkMessage> {
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

    fn link(&self) -> Result<LinkMessage> {
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
    link: Kept,
}

/// A bond, or a VLAN on a bond.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Part {
    /// Its name.
    pub(crate) name: String,
    /// Its number.
    index: u32,
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
    link: Kept,
    addresses: Vec<Kept>,
    routes: Vec<Kept>,
    own_options: Vec<(String, String)>,
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

/// What would be lost, each in words.
pub(crate) type Losses = Vec<String>;

/// All links, with what the netlink crate knows of them.
#[derive(Debug, Clone)]
pub(crate) struct Links(Vec<LinkMessage>);

fn name_of(link: &LinkMessage) -> &str {
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

fn kind_of(link: &LinkMessage) -> Option<&InfoKind> {
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

fn bond_options(link: &LinkMessage) -> &[InfoBond] {
    match data_of(link) {
        Some(InfoData::Bond(options)) => options,
        _ => &[],
    }
}

fn member_options(link: &LinkMessage) -> Vec<InfoBondPort> {
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

fn master_of(link: &LinkMessage) -> Option<u32> {
    link.attributes
        .iter()
        .find_map(|attribute| match attribute {
            LinkAttribute::Controller(index) if *index != 0 => Some(*index),
            _ => None,
        })
}

fn parent_of(link: &LinkMessage) -> Option<u32> {
    link.attributes
        .iter()
        .find_map(|attribute| match attribute {
            LinkAttribute::Link(index) if *index != 0 => Some(*index),
            _ => None,
        })
}

fn address_of(link: &LinkMessage) -> Option<&[u8]> {
    link.attributes
        .iter()
        .find_map(|attribute| match attribute {
            LinkAttribute::Address(address) => Some(address.as_slice()),
            _ => None,
        })
}

fn mtu_of(link: &LinkMessage) -> Option<u32> {
    link.attributes
        .iter()
        .find_map(|attribute| match attribute {
            LinkAttribute::Mtu(mtu) => Some(*mtu),
            _ => None,
        })
}

impl Links {
    /// All links of this network namespace.
    pub(crate) fn get(netlink: &mut Netlink) -> Result<Self> {
        let request = RouteNetlinkMessage::GetLink(LinkMessage::default());
        netlink
            .dump(request, |message| match message {
                RouteNetlinkMessage::NewLink(link) => Some(link),
                _ => None,
            })
            .map(Links)
    }

    fn named(&self, name: &str) -> Option<&LinkMessage> {
        self.0.iter().find(|link| name_of(link) == name)
    }

    fn name(&self, index: u32) -> Option<&str> {
        let found = self.0.iter().find(|link| link.header.index == index);
        found.map(name_of)
    }

    /// The bonds, those without bonds below them first, and then the VLANs on them, from below.
    fn stack(&self) -> Vec<&LinkMessage> {
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

/// Remembers all bonds and what is made on them. Also returns what cannot be made again, in words.
pub(crate) fn remember(netlink: &mut Netlink, state: &State) -> Result<(Vec<Part>, Losses)> {
    let links = Links::get(netlink)?;
    let addresses = addresses(netlink)?;
    let routes = routes(netlink)?;
    let stack = links.stack();
    let indices: Vec<u32> = stack.iter().map(|link| link.header.index).collect();
    let mut losses = losses(&links, &indices);
    for route in &routes {
        let hops = route
            .attributes
            .iter()
            .find_map(|attribute| match attribute {
                RouteAttribute::MultiPath(hops) => Some(hops),
                _ => None,
            });
        if hops
            .into_iter()
            .flatten()
            .any(|hop| indices.contains(&hop.interface_index))
        {
            losses.push("a route over several links (multipath)".into());
        }
    }
    let mut parts = Vec::new();
    for link in stack {
        let name = name_of(link);
        let is_bond = kind_of(link) == Some(&InfoKind::Bond);
        let device = netlink.device(name)?;
        let mut members: Vec<Member> = links
            .0
            .iter()
            .filter(|slave| is_bond && master_of(slave) == Some(link.header.index))
            .map(|slave| Member {
                name: name_of(slave).into(),
                link: keep(slave),
            })
            .collect();
        let order =
            fs::read_to_string(format!("/sys/class/net/{name}/bonding/slaves")).unwrap_or_default();
        let place = |member: &Member| {
            order
                .split_whitespace()
                .position(|name| name == member.name)
        };
        members.sort_by_key(place);
        parts.push(Part {
            name: name.into(),
            index: link.header.index,
            is_bond,
            parent: parent_of(link)
                .filter(|_| !is_bond)
                .and_then(|index| links.name(index))
                .map(String::from),
            master: master_of(link)
                .and_then(|index| links.name(index))
                .map(String::from),
            members,
            is_up: link.header.flags.contains(LinkFlags::Up),
            has_carrier: link.header.flags.contains(LinkFlags::LowerUp),
            is_configured: false,
            record: device.and_then(|device| state.record_of(&device)),
            link: keep(link),
            addresses: addresses
                .iter()
                .filter(|address| address.header.index == link.header.index)
                .cloned()
                .map(|address| Kept::new(RouteNetlinkMessage::NewAddress(address)))
                .collect(),
            routes: routes
                .iter()
                .filter(|route| {
                    route
                        .attributes
                        .contains(&RouteAttribute::Oif(link.header.index))
                })
                .cloned()
                .map(|route| Kept::new(RouteNetlinkMessage::NewRoute(route)))
                .collect(),
            own_options: own_options(name),
        });
    }
    Ok((parts, losses))
}

/// What of a link is needed to make it again.
fn keep(link: &LinkMessage) -> Kept {
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

/// What is made on the bonds, and cannot be made again.
fn losses(links: &Links, stack: &[u32]) -> Losses {
    let mut losses = Losses::new();
    for link in &links.0 {
        let index = link.header.index;
        let kind = kind_of(link)
            .map(InfoKind::to_string)
            .unwrap_or_else(|| "device".into());
        if let Some(parent) = parent_of(link).filter(|parent| stack.contains(parent)) {
            if !stack.contains(&index) && kind_of(link).is_some() {
                let parent = links.name(parent).unwrap_or("a bond");
                losses.push(format!("{} ({kind}) on {parent}", name_of(link)));
            }
        }
        let master = master_of(link).filter(|_| stack.contains(&index));
        let Some(master) = master.and_then(|master| links.name(master)) else {
            continue;
        };
        let Some(master_link) = links.named(master) else {
            continue;
        };
        let filters = Path::new("/sys/class/net")
            .join(master)
            .join("bridge/vlan_filtering");
        let has_filter = fs::read_to_string(filters).is_ok_and(|text| text.trim() != "0");
        match kind_of(master_link) {
            Some(InfoKind::Bridge) if has_filter => {
                losses.push(format!(
                    "the VLANs of {} as a port of {master}",
                    name_of(link)
                ));
            }
            Some(InfoKind::Bridge | InfoKind::Vrf | InfoKind::Bond) => {}
            _ => losses.push(format!("{} as a part of {master}", name_of(link))),
        }
    }
    losses
}

/// The addresses that people and services have given, for all devices.
fn addresses(netlink: &mut Netlink) -> Result<Vec<AddressMessage>> {
    netlink.dump(
        RouteNetlinkMessage::GetAddress(AddressMessage::default()),
        |message| match message {
            RouteNetlinkMessage::NewAddress(address) => Some(address).filter(is_given),
            _ => None,
        },
    )
}

fn flags_of(address: &AddressMessage) -> AddressFlags {
    address
        .attributes
        .iter()
        .find_map(|attribute| match attribute {
            AddressAttribute::Flags(flags) => Some(*flags),
            _ => None,
        })
        .unwrap_or(AddressFlags::empty())
}

/// Whether the kernel would not find this address by itself.
fn is_given(address: &AddressMessage) -> bool {
    if address.header.family == AddressFamily::Inet {
        return true;
    }
    address.header.scope != AddressScope::Link
        && flags_of(address).contains(AddressFlags::Permanent)
}

/// The routes that the kernel does not find by itself, for all devices.
fn routes(netlink: &mut Netlink) -> Result<Vec<RouteMessage>> {
    let mut routes = Vec::new();
    for family in [AddressFamily::Inet, AddressFamily::Inet6] {
        let mut request = RouteMessage::default();
        request.header.address_family = family;
        routes.extend(netlink.dump(
            RouteNetlinkMessage::GetRoute(request),
            |message| match message {
                RouteNetlinkMessage::NewRoute(route) => Some(route),
                _ => None,
            },
        )?);
    }
    routes.retain(|route| {
        !matches!(
            route.header.protocol,
            RouteProtocol::Kernel | RouteProtocol::Ra
        ) && !route.header.flags.contains(RouteFlags::Cloned)
    });
    // A gateway has to be reachable when its route comes.
    routes.sort_by_key(|route| gateway_of(route).is_some());
    Ok(routes)
}

fn gateway_of(route: &RouteMessage) -> Option<IpAddr> {
    use netlink_packet_route::route::RouteAddress;
    route
        .attributes
        .iter()
        .find_map(|attribute| match attribute {
            RouteAttribute::Gateway(RouteAddress::Inet(ip)) => Some(IpAddr::V4(*ip)),
            RouteAttribute::Gateway(RouteAddress::Inet6(ip)) => Some(IpAddr::V6(*ip)),
            _ => None,
        })
}

/// The default gateway that is reached over one of these, with the name of the device: IPv4 first.
pub(crate) fn default_gateway(
    netlink: &mut Netlink,
    parts: &[Part],
) -> Result<Option<(IpAddr, String)>> {
    let mut found = Vec::new();
    let links = Links::get(netlink)?;
    for family in [AddressFamily::Inet, AddressFamily::Inet6] {
        let mut request = RouteMessage::default();
        request.header.address_family = family;
        let routes = netlink.dump(
            RouteNetlinkMessage::GetRoute(request),
            |message| match message {
                RouteNetlinkMessage::NewRoute(route) => Some(route),
                _ => None,
            },
        )?;
        for route in routes {
            let is_default = route.header.destination_prefix_length == 0
                && route.header.kind == RouteType::Unicast;
            let device = route
                .attributes
                .iter()
                .find_map(|attribute| match attribute {
                    RouteAttribute::Oif(index) => links.name(*index),
                    _ => None,
                });
            // The address may be that of a bridge to which the bond belongs.
            let is_ours = device.is_some_and(|name| {
                parts
                    .iter()
                    .any(|part| part.name == name || part.master.as_deref() == Some(name))
            });
            if let (true, Some(gateway), Some(device), true) =
                (is_default, gateway_of(&route), device, is_ours)
            {
                let metric = route
                    .attributes
                    .iter()
                    .find_map(|attribute| match attribute {
                        RouteAttribute::Priority(metric) => Some(*metric),
                        _ => None,
                    })
                    .unwrap_or(0);
                found.push((gateway.is_ipv6(), metric, gateway, device.to_string()));
            }
        }
    }
    found.sort();
    Ok(found
        .into_iter()
        .next()
        .map(|(_, _, gateway, device)| (gateway, device)))
}

/// The values of the options that only the driver in Rust has.
fn own_options(bond: &str) -> Vec<(String, String)> {
    OWN_OPTIONS
        .iter()
        .filter_map(|option| {
            let text =
                fs::read_to_string(format!("/sys/class/net/{bond}/bonding/{option}")).ok()?;
            let value = text.split_whitespace().next()?.to_string();
            Some(((*option).to_string(), value))
        })
        .collect()
}

/// Makes everything again that is not there, apart from what a configurator makes. Returns what is not as before, though
/// the rest is: each a sentence. The error is a sentence, too; what comes after a failure is made all the same.
pub(crate) fn restore(
    netlink: &mut Netlink,
    state: &State,
    parts: &[Part],
) -> std::result::Result<Losses, String> {
    let mut notes = Losses::new();
    let mut failed = Vec::new();
    for part in parts {
        let name = &part.name;
        let made = match (part.is_configured, part.is_bond) {
            (true, _) => Ok(()),
            (false, true) => make_bond(netlink, part, &mut notes),
            (false, false) => make_vlan(netlink, part),
        };
        if let Err(refusal) = made {
            failed.push(format!("{name} cannot be made again: {refusal}"));
        }
    }
    failed.extend(join_masters(netlink, parts).err());
    // Routes may lead over each other's devices, so all addresses come first.
    for part in parts.iter().filter(|part| !part.is_configured) {
        for address in &part.addresses {
            if let Err(refusal) = give_address(netlink, part, address) {
                let name = &part.name;
                failed.push(format!("{name} cannot be given its address: {refusal}"));
            }
        }
    }
    for part in parts.iter().filter(|part| !part.is_configured) {
        let name = &part.name;
        for route in &part.routes {
            if let Err(refusal) = give_route(netlink, part, route) {
                failed.push(format!(
                    "a route over {name} cannot be made again: {refusal}"
                ));
            }
        }
        if let (Some(record), Ok(index)) = (&part.record, index(netlink, name)) {
            let record = Record {
                index,
                ..record.clone()
            };
            if let Err(error) = state.write(&record) {
                notes.push(format!(
                    "{name} is not recorded as one of ib-bond's any more: {}",
                    words(&error)
                ));
            }
        }
    }
    match failed.is_empty() {
        true => Ok(notes),
        false => Err(failed.join("; ")),
    }
}

fn index(netlink: &mut Netlink, name: &str) -> Result<u32> {
    let found = netlink.device(name)?;
    found.map(|device| device.index).ok_or_else(|| Refusal {
        errno: EINVAL,
        said: Some(format!("{name} does not exist")),
    })
}

fn link(netlink: &mut Netlink, name: &str) -> Result<Option<LinkMessage>> {
    Ok(Links::get(netlink)?.named(name).cloned())
}

/// Changes one attribute of a link.
fn set(netlink: &mut Netlink, name: &str, attribute: LinkAttribute) -> Result<()> {
    let mut request = LinkMessage::default();
    request.header.index = index(netlink, name)?;
    request.attributes.push(attribute);
    netlink.change(RouteNetlinkMessage::NewLink(request), 0)
}

fn set_bond_option(netlink: &mut Netlink, bond: &str, option: InfoBond) -> Result<()> {
    set(
        netlink,
        bond,
        LinkAttribute::LinkInfo(vec![
            LinkInfo::Kind(InfoKind::Bond),
            LinkInfo::Data(InfoData::Bond(vec![option])),
        ]),
    )
}

fn make_bond(netlink: &mut Netlink, part: &Part, notes: &mut Losses) -> Result<()> {
    let name = &part.name;
    let before = part.link.link()?;
    let there = link(netlink, name)?;
    if there.as_ref().is_none() {
        let mode = bond_options(&before)
            .iter()
            .find(|option| matches!(option, InfoBond::Mode(_)));
        let mut request = LinkMessage::default();
        request.attributes = vec![
            LinkAttribute::IfName(name.clone()),
            LinkAttribute::LinkInfo(vec![
                LinkInfo::Kind(InfoKind::Bond),
                LinkInfo::Data(InfoData::Bond(mode.into_iter().cloned().collect())),
            ]),
        ];
        netlink.change(
            RouteNetlinkMessage::NewLink(request),
            NLM_F_CREATE | NLM_F_EXCL,
        )?;
    }
    set_options(netlink, part, &before, notes)?;
    for member in &part.members {
        let Some(slave) = netlink.device(&member.name)? else {
            notes.push(format!("{} is gone, so it is not in {name}", member.name));
            continue;
        };
        if slave.master.is_none() {
            netlink.set_up(&member.name, false)?;
            netlink.set_master(&member.name, Some(name))?;
        }
        set_member_options(netlink, member, notes)?;
    }
    let Some(now) = link(netlink, name)? else {
        return Ok(());
    };
    if let Some(mtu) = mtu_of(&before).filter(|mtu| mtu_of(&now) != Some(*mtu)) {
        set(netlink, name, LinkAttribute::Mtu(mtu))?;
    }
    let is_own = bond_options(&now)
        .iter()
        .any(|option| matches!(option, InfoBond::FailOverMac(policy) if u8::from(*policy) == 0));
    if let Some(address) = address_of(&before).filter(|address| {
        is_own
            && now.header.link_layer_type == LinkLayerType::Ether
            && before.header.link_layer_type == LinkLayerType::Ether
            && address_of(&now) != Some(*address)
    }) {
        set(netlink, name, LinkAttribute::Address(address.to_vec()))?;
    }
    if part.is_up {
        netlink.set_up(name, true)?;
    }
    let has_primary = bond_options(&before)
        .iter()
        .any(|option| matches!(option, InfoBond::Primary(_)));
    for option in bond_options(&before) {
        match option {
            InfoBond::Primary(_) if !bond_options(&now).contains(option) => {
                if let Err(refusal) = set_bond_option(netlink, name, option.clone()) {
                    notes.push(format!("{name} has no primary slave any more: {refusal}"));
                }
            }
            // A bond prefers the primary slave, and takes none without a link.
            InfoBond::ActivePort(slave) if !has_primary && is_linked(netlink, *slave)? => {
                let _ = set_bond_option(netlink, name, option.clone());
            }
            _ => {}
        }
    }
    Ok(())
}

/// Whether the bond of this slave takes its link for a working one.
fn is_linked(netlink: &mut Netlink, slave: u32) -> Result<bool> {
    let devices = netlink.devices()?;
    let slave = devices.iter().find(|device| device.index == slave);
    Ok(slave
        .and_then(|device| device.slave.as_ref())
        .is_some_and(|slave| slave.link == Link::Up))
}

/// Whether an option can be set before a bond has slaves.
fn is_early(option: &InfoBond) -> bool {
    !matches!(
        option,
        InfoBond::Mode(_)
            | InfoBond::ActivePort(_)
            | InfoBond::Primary(_)
            | InfoBond::AdInfo(_)
            | InfoBond::Other(_)
    )
}

/// Sets the options that differ. Some can only be set once others are, so this goes on as long as one succeeds.
fn set_options(
    netlink: &mut Netlink,
    part: &Part,
    before: &LinkMessage,
    notes: &mut Losses,
) -> Result<()> {
    let name = &part.name;
    let mut open = usize::MAX;
    loop {
        let Some(now) = link(netlink, name)? else {
            return Ok(());
        };
        let differ: Vec<InfoBond> = bond_options(before)
            .iter()
            .filter(|option| is_early(option) && !bond_options(&now).contains(option))
            .cloned()
            .collect();
        if differ.is_empty() {
            break;
        }
        let is_last = differ.len() >= open;
        open = differ.len();
        for option in differ {
            if let Err(refusal) = set_bond_option(netlink, name, option.clone()) {
                if is_last {
                    notes.push(format!(
                        "an option of {name} is not as before ({option:?}): {refusal}"
                    ));
                }
            }
        }
        if is_last {
            break;
        }
    }
    for (option, value) in &part.own_options {
        let path = format!("/sys/class/net/{name}/bonding/{option}");
        if !Path::new(&path).exists() {
            continue;
        }
        if let Err(error) = fs::write(&path, value) {
            notes.push(format!(
                "the option {option} of {name} is not {value} as before: {}",
                words(&error)
            ));
        }
    }
    Ok(())
}

fn set_member_options(netlink: &mut Netlink, member: &Member, notes: &mut Losses) -> Result<()> {
    let before = member_options(&member.link.link()?);
    let Some(now) = link(netlink, &member.name)? else {
        return Ok(());
    };
    let now = member_options(&now);
    for option in before.into_iter().filter(|option| !now.contains(option)) {
        let info = vec![
            LinkInfo::PortKind(InfoPortKind::Bond),
            LinkInfo::PortData(InfoPortData::BondPort(vec![option.clone()])),
        ];
        if let Err(refusal) = set(netlink, &member.name, LinkAttribute::LinkInfo(info)) {
            notes.push(format!(
                "an option of {} is not as before ({option:?}): {refusal}",
                member.name
            ));
        }
    }
    Ok(())
}

/// The options of a VLAN. The kernel lists its flags with a mask that it would not take.
fn vlan_options(link: &LinkMessage) -> Vec<InfoVlan> {
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

fn make_vlan(netlink: &mut Netlink, part: &Part) -> Result<()> {
    let name = &part.name;
    let before = part.link.link()?;
    if link(netlink, name)?.is_none() {
        let parent = part.parent.as_deref().unwrap_or_default();
        let mut request = LinkMessage::default();
        request.attributes = vec![
            LinkAttribute::IfName(name.clone()),
            LinkAttribute::Link(index(netlink, parent)?),
            LinkAttribute::LinkInfo(vec![
                LinkInfo::Kind(InfoKind::Vlan),
                LinkInfo::Data(InfoData::Vlan(vlan_options(&before))),
            ]),
        ];
        request
            .attributes
            .extend(mtu_of(&before).map(LinkAttribute::Mtu));
        netlink.change(
            RouteNetlinkMessage::NewLink(request),
            NLM_F_CREATE | NLM_F_EXCL,
        )?;
    }
    let Some(now) = link(netlink, name)? else {
        return Ok(());
    };
    if let Some(address) = address_of(&before).filter(|address| address_of(&now) != Some(*address))
    {
        set(netlink, name, LinkAttribute::Address(address.to_vec()))?;
    }
    if part.is_up {
        netlink.set_up(name, true)?;
    }
    Ok(())
}

/// Gives devices back to their masters: a configurator may not know of these.
pub(crate) fn join_masters(
    netlink: &mut Netlink,
    parts: &[Part],
) -> std::result::Result<(), String> {
    for part in parts {
        join_master(netlink, part).map_err(|refusal| {
            format!(
                "{} cannot be made a part of its master again: {refusal}",
                part.name
            )
        })?;
    }
    Ok(())
}

/// Gives a device back to its master. Bonds have taken their slaves already, if ib-bond has made them.
fn join_master(netlink: &mut Netlink, part: &Part) -> Result<()> {
    let Some(master) = &part.master else {
        return Ok(());
    };
    let is_alone = netlink
        .device(&part.name)?
        .is_some_and(|device| device.master.is_none());
    // A configurator may have removed the master, or not have made the device yet.
    if is_alone && netlink.device(master)?.is_some() {
        netlink.set_master(&part.name, Some(master))?;
    }
    Ok(())
}

fn give_address(netlink: &mut Netlink, part: &Part, address: &Kept) -> Result<()> {
    let RouteNetlinkMessage::NewAddress(mut address) = address.message()? else {
        return Ok(());
    };
    let asked = AddressFlags::Nodad | AddressFlags::Noprefixroute | AddressFlags::Managetempaddr;
    let flags = AddressFlags::from_bits_truncate(flags_of(&address).bits() & asked.bits());
    address
        .attributes
        .retain(|attribute| !matches!(attribute, AddressAttribute::Flags(_)));
    address.attributes.push(AddressAttribute::Flags(flags));
    address.header.flags = Default::default();
    address.header.index = index(netlink, &part.name)?;
    netlink.change(
        RouteNetlinkMessage::NewAddress(address),
        NLM_F_CREATE | NLM_F_REPLACE,
    )
}

fn give_route(netlink: &mut Netlink, part: &Part, route: &Kept) -> Result<()> {
    let RouteNetlinkMessage::NewRoute(mut route) = route.message()? else {
        return Ok(());
    };
    let index = index(netlink, &part.name)?;
    for attribute in &mut route.attributes {
        if *attribute == RouteAttribute::Oif(part.index) {
            *attribute = RouteAttribute::Oif(index);
        }
    }
    netlink.add_route(route)
}

/// What is still missing, as a sentence.
pub(crate) fn missing(netlink: &mut Netlink, parts: &[Part]) -> Option<String> {
    let devices = match netlink.devices() {
        Ok(devices) => devices,
        Err(refusal) => return Some(format!("the network devices cannot be listed: {refusal}")),
    };
    let find = |name: &str| devices.iter().find(|device| device.name == name);
    for part in parts {
        let name = &part.name;
        let Some(device) = find(name).filter(|device| device.bond.is_some() == part.is_bond) else {
            return Some(format!("{name} has not been made again"));
        };
        for member in &part.members {
            if find(&member.name).is_some_and(|slave| slave.master != Some(device.index)) {
                return Some(format!("{} is not in {name}", member.name));
            }
        }
        let master = part.master.as_deref().and_then(find);
        if master.is_some_and(|master| device.master != Some(master.index)) {
            return Some(format!("{name} is not a part of its master"));
        }
        if part.is_up && !device.up {
            return Some(format!("{name} is not up"));
        }
        if part.has_carrier && !device.carrier {
            return Some(format!("{name} has no link"));
        }
    }
    None
}
