// SPDX-License-Identifier: GPL-2.0

//! ARP (RFC 826).

use core::net::Ipv4Addr;

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
