// SPDX-License-Identifier: GPL-2.0

//! Bonds and what is made on them, made again by ib-bond if no configurator does it.

use super::links::{address_of, bond_options, member_options, mtu_of, vlan_options, Links};
use super::part::{Kept, Losses, Member, Part};
use super::remember::flags_of;
use crate::error::words;
use crate::netlink::{Link, Netlink, Refusal, Result};
use crate::state::{Record, State};
use netlink_packet_core::{NLM_F_CREATE, NLM_F_EXCL, NLM_F_REPLACE};
use netlink_packet_route::address::{AddressAttribute, AddressFlags};
use netlink_packet_route::link::{
    InfoBond, InfoData, InfoKind, InfoPortData, InfoPortKind, LinkAttribute, LinkInfo,
    LinkLayerType, LinkMessage,
};
use netlink_packet_route::route::RouteAttribute;
use netlink_packet_route::RouteNetlinkMessage;
use std::fs;
use std::path::Path;

const EINVAL: i32 = 22;

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
