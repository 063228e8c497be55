// SPDX-License-Identifier: GPL-2.0

//! ARP (RFC 826).

use core::net::Ipv4Addr;

use super::ether::ETH_P_ARP;
use super::frame::{Frame, Mac, Tag};

/// An ARP packet, as far as the monitor reads it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Arp {
    /// Whether it is a reply.
    pub is_reply: bool,
    /// The protocol address of the sender.
    pub sender: Ipv4Addr,
    /// The protocol address of the target.
    pub target: Ipv4Addr,
}

impl Arp {
    /// The longest ARP packet for IPv4 in bytes: hardware addresses of `MAX_ADDR_LEN`.
    pub const MAX_LEN: usize = 8 + 2 * (32 + 4);

    /// The length of an ARP packet for IPv4 in bytes, with hardware addresses of `addr_len` bytes.
    pub fn len(addr_len: usize) -> usize {
        addr_len
            .saturating_add(4)
            .saturating_mul(2)
            .saturating_add(8)
    }

    /// Reads a packet of RFC 826 (network byte order) from a link of this type, `ARPHRD_*`, whose
    /// hardware addresses have `addr_len` bytes. The hardware type in the packet is that of the
    /// link, even if the link is not Ethernet (RFC 4391 for InfiniBand).
    pub fn parse(packet: &[u8], link_type: u16, addr_len: usize) -> Option<Arp> {
        const PROTOCOL_IPV4: [u8; 2] = [0x08, 0x00];
        const REPLY: [u8; 2] = [0, 2];
        let (hardware, rest) = packet.split_first_chunk::<2>()?;
        let (protocol, rest) = rest.split_first_chunk::<2>()?;
        let (lengths, rest) = rest.split_first_chunk::<2>()?;
        let (operation, rest) = rest.split_first_chunk::<2>()?;
        let &[hardware_len, protocol_len] = lengths;
        if u16::from_be_bytes(*hardware) != link_type
            || *protocol != PROTOCOL_IPV4
            || usize::from(hardware_len) != addr_len
            || protocol_len != 4
        {
            return None;
        }
        let (sender, rest) = rest.get(addr_len..)?.split_first_chunk::<4>()?;
        let target = rest.get(addr_len..)?.first_chunk::<4>()?;
        Some(Arp {
            is_reply: *operation == REPLY,
            sender: Ipv4Addr::from(*sender),
            target: Ipv4Addr::from(*target),
        })
    }
}

/// An ARP packet for IPv4 over Ethernet, whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EtherArp {
    /// What the packet is.
    pub operation: Operation,
    /// The hardware address of the sender.
    pub sender_addr: Mac,
    /// The protocol address of the sender.
    pub sender: Ipv4Addr,
    /// The hardware address of the target; in a request, anything.
    pub target_addr: Mac,
    /// The protocol address of the target.
    pub target: Ipv4Addr,
}

/// What an ARP packet is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation {
    /// A question.
    Request,
    /// An answer.
    Reply,
}

impl EtherArp {
    /// The length of the packet in bytes.
    pub const LEN: usize = 28;

    /// The offset of the sender's hardware address in the packet.
    pub const SENDER_ADDR: usize = 8;

    /// Hardware Ethernet, protocol IPv4, the lengths of their addresses, and the first half of the
    /// operation.
    const HEADER: [u8; 7] = [0, 1, 8, 0, 6, 4, 0];

    /// Reads a packet (network byte order). `None` for other operations, links and protocols.
    pub fn parse(packet: &[u8]) -> Option<EtherArp> {
        let (header, rest) = packet.split_first_chunk::<7>()?;
        let ([operation], rest) = rest.split_first_chunk::<1>()?;
        let (sender_addr, rest) = rest.split_first_chunk::<6>()?;
        let (sender, rest) = rest.split_first_chunk::<4>()?;
        let (target_addr, rest) = rest.split_first_chunk::<6>()?;
        let target = rest.first_chunk::<4>()?;
        let operation = match (*header == Self::HEADER, operation) {
            (true, 1) => Operation::Request,
            (true, 2) => Operation::Reply,
            _ => return None,
        };
        Some(EtherArp {
            operation,
            sender_addr: *sender_addr,
            sender: Ipv4Addr::from(*sender),
            target_addr: *target_addr,
            target: Ipv4Addr::from(*target),
        })
    }

    /// The frame that takes the packet to a station.
    pub fn frame(&self, to: Mac, tags: impl Iterator<Item = Tag>) -> Frame {
        let operation: [u8; 1] = match self.operation {
            Operation::Request => [1],
            Operation::Reply => [2],
        };
        let mut packet = [0; Self::LEN];
        let bytes = Self::HEADER
            .iter()
            .chain(&operation)
            .copied()
            .chain(self.sender_addr)
            .chain(self.sender.octets())
            .chain(self.target_addr)
            .chain(self.target.octets());
        packet
            .iter_mut()
            .zip(bytes)
            .for_each(|(to, from)| *to = from);
        Frame::new(to, self.sender_addr, tags, ETH_P_ARP).with_payload(&packet)
    }
}
