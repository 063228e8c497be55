// SPDX-License-Identifier: GPL-2.0

//! Bonds and what is made on them, remembered before the driver goes.

use super::links::{kind_of, master_of, name_of, parent_of, Links};
use super::part::{keep, Kept, Losses, Member, Part};
use crate::netlink::{Netlink, Result};
use crate::state::State;
use netlink_packet_route::address::{AddressAttribute, AddressFlags, AddressMessage, AddressScope};
use netlink_packet_route::link::{InfoKind, LinkFlags};
use netlink_packet_route::route::{
    RouteAddress, RouteAttribute, RouteFlags, RouteMessage, RouteProtocol, RouteType,
};
use netlink_packet_route::{AddressFamily, RouteNetlinkMessage};
use std::fs;
use std::net::IpAddr;
use std::path::Path;

/// The options of the driver in Rust that netlink does not have.
const OWN_OPTIONS: [&str; 4] = [
    "link_events",
    "resilient_hash",
    "rlb_ipv6",
    "announce_stations",
];

/// Remembers all bonds and what is made on them. Also returns what cannot be made again, in words.
pub(super) fn remember(netlink: &mut Netlink, state: &State) -> Result<(Vec<Part>, Losses)> {
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

pub(super) fn flags_of(address: &AddressMessage) -> AddressFlags {
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
    let mut routes = netlink.routes()?;
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
pub(super) fn default_gateway(
    netlink: &mut Netlink,
    parts: &[Part],
) -> Result<Option<(IpAddr, String)>> {
    let mut found = Vec::new();
    let links = Links::get(netlink)?;
    for route in netlink.routes()? {
        let is_default =
            route.header.destination_prefix_length == 0 && route.header.kind == RouteType::Unicast;
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
