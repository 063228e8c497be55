// SPDX-License-Identifier: GPL-2.0

//! The chains of nf_tables through which ARP passes, as nfnetlink has them, and the old tables of arptables.
//!
//! What a rule does to a packet is not worked out: a chain counts as one that may drop ARP if its policy is to drop, or
//! if a rule of its table drops anything.

use crate::error::words;
use netlink_packet_core::{NlaBuffer, NlasIterator};
use netlink_sys::{protocols::NETLINK_NETFILTER, Socket, SocketAddr};
use std::fs;
use std::io;
use std::path::Path;

const SUBSYSTEM: u8 = 10;
const GET_TABLE: u8 = 1;
const GET_CHAIN: u8 = 4;
const GET_RULE: u8 = 7;
/// The families of tables (`NFPROTO_*`).
const ARP: u8 = 3;
const NETDEV: u8 = 5;
/// `NLM_F_REQUEST` and `NLM_F_DUMP`.
const DUMP: u16 = 0x301;
/// `NLM_F_DUMP_INTR`: the list has changed since it was begun.
const INTERRUPTED: u16 = 0x10;
const NLMSG_ERROR: u16 = 2;
const NLMSG_DONE: u16 = 3;
const EAGAIN: i32 = 11;
/// How often the lists are asked for while they change.
const TRIES: usize = 20;
const HEADER_LEN: usize = 16;
/// The header of nfnetlink: family, version, resource.
const FAMILY_LEN: usize = 4;
/// The header of an attribute: length and kind.
const ATTRIBUTE_LEN: usize = 4;
/// The verdict to drop, also as a policy (`NF_DROP`).
const DROP: u32 = 0;
/// A table whose chains are not in use (`NFT_TABLE_F_DORMANT`).
const DORMANT: u32 = 1;

/// Where a chain sits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Hook {
    /// ARP that the machine receives.
    ArpInput,
    /// ARP that the machine sends.
    ArpOutput,
    /// Everything that a device receives.
    Ingress,
    /// Everything that a device sends.
    Egress,
}

/// A chain through which ARP passes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Chain {
    /// Its table.
    pub(crate) table: String,
    /// Its name.
    pub(crate) name: String,
    /// Where it sits.
    pub(crate) hook: Hook,
    /// The devices that it is for, if it is not for all of them; a name may end in `*`.
    pub(crate) devices: Vec<String>,
    /// Whether it may drop a packet.
    pub(crate) may_drop: bool,
}

impl Chain {
    /// Whether packets of this device pass through it.
    pub(crate) fn concerns(&self, device: &str) -> bool {
        match self.hook {
            Hook::ArpInput | Hook::ArpOutput => true,
            Hook::Ingress | Hook::Egress => self.devices.iter().any(|name| {
                name.strip_suffix('*')
                    .map_or(name == device, |prefix| device.starts_with(prefix))
            }),
        }
    }

    /// The family of its table, as the command nft has it.
    pub(crate) fn family(&self) -> &'static str {
        match self.hook {
            Hook::ArpInput | Hook::ArpOutput => "arp",
            Hook::Ingress | Hook::Egress => "netdev",
        }
    }
}

/// What is known of the firewall.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Firewall {
    /// The chains of nf_tables through which ARP passes.
    pub(crate) chains: Vec<Chain>,
    /// The tables of arptables-legacy.
    pub(crate) legacy: Vec<String>,
    /// Why nf_tables could not be looked at.
    pub(crate) unknown: Option<String>,
}

impl Firewall {
    /// Looks at the firewall of this network namespace. Loads no module: without nf_tables there are no chains.
    pub(crate) fn collect() -> Self {
        let names = fs::read_to_string("/proc/net/arp_tables_names").unwrap_or_default();
        let mut firewall = Firewall {
            legacy: names.lines().map(String::from).collect(),
            ..Firewall::default()
        };
        if Path::new("/sys/module/nf_tables").exists() {
            match chains() {
                Ok(chains) => firewall.chains = chains,
                Err(error) => firewall.unknown = Some(words(&error)),
            }
        }
        firewall
    }
}

fn chains() -> io::Result<Vec<Chain>> {
    // What changes meanwhile is looked at again, but not for ever.
    for _ in 1..TRIES {
        match list_chains() {
            Err(error) if error.raw_os_error() == Some(EAGAIN) => {}
            listed => return listed,
        }
    }
    list_chains()
}

fn list_chains() -> io::Result<Vec<Chain>> {
    // What is left of a list that was given up would be read as the next one.
    let mut socket = Socket::new(NETLINK_NETFILTER)?;
    socket.bind_auto()?;
    socket.connect(&SocketAddr::new(0, 0))?;
    let mut chains = Vec::new();
    for family in [ARP, NETDEV] {
        let tables = dump(&socket, family, GET_TABLE)?;
        let dormant: Vec<String> = tables
            .iter()
            .filter(|table| number(table, 2).is_some_and(|flags| flags & DORMANT != 0))
            .filter_map(|table| text(table, 1))
            .collect();
        let dropping: Vec<String> = dump(&socket, family, GET_RULE)?
            .iter()
            .filter(|rule| rule_drops(rule))
            .filter_map(|rule| text(rule, 1))
            .collect();
        for message in dump(&socket, family, GET_CHAIN)? {
            let Some(mut chain) = parse_chain(&message, family) else {
                continue;
            };
            if dormant.contains(&chain.table) {
                continue;
            }
            chain.may_drop |= dropping.contains(&chain.table);
            chains.push(chain);
        }
    }
    Ok(chains)
}

/// The attributes of each message of a list.
fn dump(socket: &Socket, family: u8, what: u8) -> io::Result<Vec<Vec<u8>>> {
    let mut request = Vec::new();
    request.extend(((HEADER_LEN + FAMILY_LEN) as u32).to_ne_bytes());
    request.extend((u16::from(SUBSYSTEM) << 8 | u16::from(what)).to_ne_bytes());
    request.extend(DUMP.to_ne_bytes());
    request.extend([0; 8]);
    request.extend([family, 0, 0, 0]);
    socket.send(&request, 0)?;
    let mut found = Vec::new();
    loop {
        let (bytes, _) = socket.recv_from_full()?;
        if take(&bytes, &mut found)? {
            return Ok(found);
        }
    }
}

/// Adds the messages of a datagram to a list; returns whether they are the last ones. A list that the kernel could
/// not finish, or that changed meanwhile, is an error.
pub(crate) fn take(datagram: &[u8], found: &mut Vec<Vec<u8>>) -> io::Result<bool> {
    let mut rest = datagram;
    while rest.len() >= HEADER_LEN {
        let length = u32::from_ne_bytes([rest[0], rest[1], rest[2], rest[3]]) as usize;
        if length < HEADER_LEN || length > rest.len() {
            break;
        }
        let (message, after) = rest.split_at(length);
        rest = after
            .get(length.next_multiple_of(4) - length..)
            .unwrap_or(&[]);
        if u16::from_ne_bytes([message[6], message[7]]) & INTERRUPTED != 0 {
            return Err(io::Error::from_raw_os_error(EAGAIN));
        }
        match u16::from_ne_bytes([message[4], message[5]]) {
            // Both begin with the number of an error, or with 0.
            NLMSG_DONE | NLMSG_ERROR => {
                let errno = message
                    .get(HEADER_LEN..HEADER_LEN + 4)
                    .and_then(|code| code.try_into().ok())
                    .map_or(0, i32::from_ne_bytes);
                return match errno {
                    0 => Ok(true),
                    errno => Err(io::Error::from_raw_os_error(errno.saturating_neg())),
                };
            }
            _ => found.extend(message.get(HEADER_LEN + FAMILY_LEN..).map(<[u8]>::to_vec)),
        }
    }
    Ok(false)
}

fn attributes(bytes: &[u8]) -> impl Iterator<Item = NlaBuffer<&[u8]>> {
    NlasIterator::new(bytes).filter_map(Result::ok)
}

fn attribute(bytes: &[u8], kind: u16) -> Option<&[u8]> {
    // The iterator lends values only for as long as it lives, so they are taken from the bytes by their place.
    let mut place = 0;
    for attribute in attributes(bytes) {
        let length = usize::from(attribute.length());
        if attribute.kind() == kind {
            return bytes.get(place + ATTRIBUTE_LEN..place + length);
        }
        place += length.next_multiple_of(4);
    }
    None
}

fn number(bytes: &[u8], kind: u16) -> Option<u32> {
    Some(u32::from_be_bytes(attribute(bytes, kind)?.try_into().ok()?))
}

fn text(bytes: &[u8], kind: u16) -> Option<String> {
    let value = attribute(bytes, kind)?;
    Some(
        String::from_utf8_lossy(value)
            .trim_end_matches('\0')
            .to_string(),
    )
}

/// A chain that is hooked in somewhere (`NFTA_CHAIN_*`, `NFTA_HOOK_*`).
pub(crate) fn parse_chain(message: &[u8], family: u8) -> Option<Chain> {
    let hook = attribute(message, 4)?;
    let mut devices: Vec<String> = text(hook, 3).into_iter().collect();
    for device in attributes(attribute(hook, 4).unwrap_or(&[])) {
        let name = String::from_utf8_lossy(device.value())
            .trim_end_matches('\0')
            .to_string();
        match device.kind() {
            2 => devices.push(name + "*"),
            _ => devices.push(name),
        }
    }
    devices.dedup();
    Some(Chain {
        table: text(message, 1)?,
        name: text(message, 3)?,
        hook: match (family, number(hook, 1)?) {
            (ARP, 0) => Hook::ArpInput,
            (ARP, 1) => Hook::ArpOutput,
            (NETDEV, 0) => Hook::Ingress,
            (NETDEV, 1) => Hook::Egress,
            _ => return None,
        },
        devices,
        may_drop: number(message, 5) == Some(DROP),
    })
}

/// Whether a rule has the verdict to drop, or takes its verdict from a map (`NFTA_RULE_EXPRESSIONS`).
pub(crate) fn rule_drops(rule: &[u8]) -> bool {
    attributes(attribute(rule, 4).unwrap_or(&[])).any(|expression| {
        let expression = expression.value();
        let data = attribute(expression, 2).unwrap_or(&[]);
        match text(expression, 1).as_deref() {
            Some("immediate") => {
                let verdict = attribute(data, 2).and_then(|data| attribute(data, 2));
                verdict.and_then(|verdict| number(verdict, 1)) == Some(DROP)
            }
            Some("lookup") => number(data, 3) == Some(0),
            _ => false,
        }
    })
}
