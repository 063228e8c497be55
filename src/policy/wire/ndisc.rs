// SPDX-License-Identifier: GPL-2.0

//! Neighbour discovery of IPv6 (RFC 4861).

use core::net::Ipv6Addr;

/// A neighbour solicitation or advertisement, as far as the monitor reads it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Discovery {
    /// The source address.
    pub source: Ipv6Addr,
    /// The destination address.
    pub destination: Ipv6Addr,
}

impl Discovery {
    /// How many bytes of a packet are read.
    pub const LEN: usize = 48;
    /// The offset of the Next Header field in an IPv6 header (RFC 8200, section 3).
    pub const NEXT_HEADER: usize = 6;
    /// The Next Header value of ICMPv6 (RFC 4443).
    pub const ICMPV6: u8 = 58;

    /// Whether an IPv6 packet is a solicitation or an advertisement. `byte` returns the byte of the
    /// packet at an offset.
    pub fn is_one(byte: impl Fn(usize) -> Option<u8>) -> bool {
        const TYPE: usize = 40;
        const SOLICITATION: u8 = 135;
        const ADVERTISEMENT: u8 = 136;
        byte(Self::NEXT_HEADER) == Some(Self::ICMPV6)
            && matches!(byte(TYPE), Some(SOLICITATION | ADVERTISEMENT))
    }

    /// Reads an IPv6 packet (RFC 8200, RFC 4861; network byte order). `None` if it is neither a
    /// solicitation nor an advertisement.
    pub fn parse(packet: &[u8]) -> Option<Discovery> {
        const SOURCE: usize = 8;
        const DESTINATION: usize = 24;
        if !Self::is_one(|at| packet.get(at).copied()) {
            return None;
        }
        let address = |at: usize| packet.get(at..)?.first_chunk::<16>().copied();
        Some(Discovery {
            source: Ipv6Addr::from(address(SOURCE)?),
            destination: Ipv6Addr::from(address(DESTINATION)?),
        })
    }
}

/// The solicited-node multicast address, on which a node listens for solicitations of its address
/// (RFC 4291, 2.7.1).
pub fn solicited_node(addr: Ipv6Addr) -> Ipv6Addr {
    let [.., a, b, c] = addr.octets();
    Ipv6Addr::from([0xff, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0xff, a, b, c])
}

/// The all-nodes multicast address of a link (RFC 4291, 2.7.1).
pub const ALL_NODES: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 1);
