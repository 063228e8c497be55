// SPDX-License-Identifier: GPL-2.0

//! Whether an address answers: an ICMP echo, or its hardware address (ARP, neighbour discovery).

use crate::netlink::Netlink;
use netlink_packet_route::neighbour::{
    NeighbourAddress, NeighbourAttribute, NeighbourMessage, NeighbourState,
};
use netlink_packet_route::RouteNetlinkMessage;
use rustix::net::sockopt::{set_socket_timeout, Timeout};
use rustix::net::{
    ipproto, recvfrom, sendto, socket_with, AddressFamily, RecvFlags, SendFlags, SocketFlags,
    SocketType,
};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::io;
use std::net::{IpAddr, Ipv6Addr, SocketAddr, SocketAddrV6};
use std::thread::sleep;
use std::time::{Duration, Instant};

/// For how long an answer is awaited.
const PATIENCE: Duration = Duration::from_secs(1);
/// For how long: the kernel asks a neighbour that it has known for some time only after 5 s, and then three times, a
/// second apart.
const NEIGHBOUR_PATIENCE: Duration = Duration::from_secs(9);
/// How often the kernel is asked.
const STEP: Duration = Duration::from_millis(100);

/// How an address answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Answer {
    /// It answers ICMP echoes.
    Echo,
    /// It only says which hardware address it has.
    Neighbour,
}

/// An address that has to answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Probe {
    /// The address.
    pub(crate) address: IpAddr,
    /// For a link-local address: the device.
    pub(crate) device: Option<String>,
    /// How it answers.
    pub(crate) answer: Answer,
}

impl fmt::Display for Probe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.address)?;
        match &self.device {
            Some(device) => write!(f, "%{device}"),
            None => Ok(()),
        }
    }
}

/// How the address answers now, if it does.
pub(crate) fn answer(
    netlink: &mut Netlink,
    address: IpAddr,
    device: Option<&str>,
) -> Option<Answer> {
    let scope = match device {
        Some(name) => netlink.device(name).ok()??.index,
        None => 0,
    };
    match echo(address, scope) {
        Ok(true) => Some(Answer::Echo),
        // The question has made the kernel look for the hardware address.
        _ => is_neighbour(netlink, address).then_some(Answer::Neighbour),
    }
}

/// Checks that the address still answers. The error is a sentence.
pub(crate) fn check(netlink: &mut Netlink, probe: &Probe) -> Result<(), String> {
    match answer(netlink, probe.address, probe.device.as_deref()) {
        Some(Answer::Echo) => Ok(()),
        Some(Answer::Neighbour) if probe.answer == Answer::Neighbour => Ok(()),
        _ => Err(format!("{probe} does not answer")),
    }
}

/// Sends an ICMP echo and waits for its reply.
fn echo(address: IpAddr, scope: u32) -> io::Result<bool> {
    let (family, protocol) = match address {
        IpAddr::V4(_) => (AddressFamily::INET, ipproto::ICMP),
        IpAddr::V6(_) => (AddressFamily::INET6, ipproto::ICMPV6),
    };
    let to = match address {
        IpAddr::V4(ip) => SocketAddr::from((ip, 0)),
        IpAddr::V6(ip) => SocketAddr::V6(SocketAddrV6::new(ip, 0, 0, scope)),
    };
    let socket = socket_with(
        family,
        SocketType::RAW,
        SocketFlags::CLOEXEC,
        Some(protocol),
    )?;
    let id = (std::process::id() as u16).to_be_bytes();
    sendto(
        &socket,
        &request(address.is_ipv4(), id),
        SendFlags::empty(),
        &to,
    )?;
    let end = Instant::now() + PATIENCE;
    let mut buffer = [0; 2048];
    loop {
        let left = end.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Ok(false);
        }
        set_socket_timeout(&socket, Timeout::Recv, Some(left))?;
        let (length, from) = match recvfrom(&socket, &mut buffer[..], RecvFlags::empty()) {
            Ok((_, length, from)) => (length, from),
            Err(rustix::io::Errno::AGAIN | rustix::io::Errno::INTR) => continue,
            Err(errno) => return Err(errno.into()),
        };
        let from = from
            .and_then(|from| SocketAddr::try_from(from).ok())
            .map(|from| from.ip());
        let packet = &buffer[..length.min(buffer.len())];
        if from == Some(address) && is_reply(address.is_ipv4(), packet, id) {
            return Ok(true);
        }
    }
}

/// An echo request. The kernel fills in the checksum of ICMPv6.
pub(crate) fn request(is_ipv4: bool, id: [u8; 2]) -> [u8; 8] {
    let kind = if is_ipv4 { 8 } else { 128 };
    let mut packet = [kind, 0, 0, 0, id[0], id[1], 0, 1];
    if is_ipv4 {
        let sum: u32 = packet
            .chunks(2)
            .map(|pair| u32::from(u16::from_be_bytes([pair[0], pair[1]])))
            .sum();
        let folded = (sum & 0xffff) + (sum >> 16);
        packet[2..4].copy_from_slice(&(!(folded as u16)).to_be_bytes());
    }
    packet
}

/// Whether this is the reply: an IPv4 socket hands out packets with their IP header.
pub(crate) fn is_reply(is_ipv4: bool, packet: &[u8], id: [u8; 2]) -> bool {
    let start = match packet.first() {
        Some(first) if is_ipv4 => usize::from(first & 0xf) * 4,
        _ => 0,
    };
    let kind = if is_ipv4 { 0 } else { 129 };
    packet
        .get(start..)
        .is_some_and(|icmp| icmp.first() == Some(&kind) && icmp.get(4..6) == Some(&id[..]))
}

/// Whether the neighbour has said which hardware address it has. What it has said long ago does not count.
fn is_neighbour(netlink: &mut Netlink, address: IpAddr) -> bool {
    let end = Instant::now() + NEIGHBOUR_PATIENCE;
    loop {
        let states = states(netlink, address);
        if states.contains(&NeighbourState::Reachable) {
            return true;
        }
        let is_asked = |state: &NeighbourState| {
            matches!(
                state,
                NeighbourState::Incomplete
                    | NeighbourState::Stale
                    | NeighbourState::Delay
                    | NeighbourState::Probe
            )
        };
        if !states.iter().any(is_asked) || Instant::now() >= end {
            return false;
        }
        sleep(STEP);
    }
}

/// What the kernel knows of this address, on each device.
fn states(netlink: &mut Netlink, address: IpAddr) -> Vec<NeighbourState> {
    let request = RouteNetlinkMessage::GetNeighbour(NeighbourMessage::default());
    let known = netlink.dump(request, |message| match message {
        RouteNetlinkMessage::NewNeighbour(entry) => {
            let of = entry
                .attributes
                .iter()
                .find_map(|attribute| match attribute {
                    NeighbourAttribute::Destination(NeighbourAddress::Inet(ip)) => {
                        Some(IpAddr::V4(*ip))
                    }
                    NeighbourAttribute::Destination(NeighbourAddress::Inet6(ip)) => {
                        Some(IpAddr::V6(*ip))
                    }
                    _ => None,
                });
            (of == Some(address)).then_some(entry.header.state)
        }
        _ => None,
    });
    known.unwrap_or_default()
}

/// Whether this address needs a device beside it.
pub(crate) fn is_link_local(address: IpAddr) -> bool {
    matches!(address, IpAddr::V6(ip) if ip.is_unicast_link_local() && ip != Ipv6Addr::LOCALHOST)
}
