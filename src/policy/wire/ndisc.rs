// SPDX-License-Identifier: GPL-2.0

//! Neighbour discovery of IPv6 (RFC 4861).

use core::net::Ipv6Addr;

use super::ether::ETH_P_IPV6;
use super::frame::{Frame, Mac, Tag};

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

/// A solicitation or an advertisement over Ethernet, with what it tells of hardware addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Neighbour {
    /// Whether it is an advertisement.
    pub is_advertisement: bool,
    /// The source address.
    pub source: Ipv6Addr,
    /// The destination address.
    pub destination: Ipv6Addr,
    /// Whose hardware address is asked for, or told.
    pub target: Ipv6Addr,
    /// The hardware address that it tells, and the offset of this address in the packet: that of the
    /// source in a solicitation, that of the target in an advertisement.
    pub addr: Option<(Mac, usize)>,
    checksum: u16,
}

/// The offset of the ICMPv6 header in a packet without extension headers.
const ICMP: usize = 40;

impl Neighbour {
    /// How many bytes of a packet are read: an option that follows longer ones is not found.
    pub const LEN: usize = 128;

    /// The offset of the checksum in the packet.
    pub const CHECKSUM: usize = ICMP + 2;

    /// Reads a packet (RFC 4861, 4.3 and 4.4; network byte order). `None` if it is something else,
    /// or does not come from this link (its hop limit is not 255).
    pub fn parse(packet: &[u8]) -> Option<Neighbour> {
        const HOP_LIMIT: usize = 7;
        const TARGET: usize = ICMP + 8;
        const OPTIONS: usize = ICMP + 24;
        let Discovery {
            source,
            destination,
        } = Discovery::parse(packet)?;
        if packet.get(HOP_LIMIT) != Some(&255) {
            return None;
        }
        let is_advertisement = packet.get(ICMP) == Some(&136);
        let wanted = if is_advertisement { 2 } else { 1 };
        let target = packet.get(TARGET..)?.first_chunk::<16>()?;
        let checksum = packet.get(Self::CHECKSUM..)?.first_chunk::<2>()?;
        let (mut at, mut addr) = (OPTIONS, None);
        while let Some(&[kind, len]) = packet.get(at..).and_then(|it| it.first_chunk::<2>()) {
            if kind == wanted && len == 1 {
                let place = at.saturating_add(2);
                addr = packet
                    .get(place..)
                    .and_then(|it| it.first_chunk::<6>())
                    .map(|it| (*it, place));
            }
            if len == 0 || addr.is_some() {
                break;
            }
            at = at.saturating_add(usize::from(len).saturating_mul(8));
        }
        Some(Neighbour {
            is_advertisement,
            source,
            destination,
            target: Ipv6Addr::from(*target),
            addr,
            checksum: u16::from_be_bytes(*checksum),
        })
    }

    /// The checksum of the packet once it tells `addr` in place of `before` (RFC 1624).
    pub fn checksum_with(&self, before: Mac, addr: Mac) -> [u8; 2] {
        let sum = words(&before)
            .map(|word| !word)
            .chain(words(&addr))
            .fold(u32::from(!self.checksum), |sum, word| {
                sum.saturating_add(word.into())
            });
        (!fold(sum)).to_be_bytes()
    }

    /// A frame that asks a client for its own address, and so tells it the hardware address of the
    /// source.
    pub fn question(
        (from, source): (Mac, Ipv6Addr),
        (to, target): (Mac, Ipv6Addr),
        tags: impl Iterator<Item = Tag>,
    ) -> Frame {
        const LEN: usize = 32;
        let mut message = [0u8; LEN];
        let bytes = [135, 0, 0, 0, 0, 0, 0, 0]
            .into_iter()
            .chain(target.octets())
            .chain([1, 1])
            .chain(from);
        message
            .iter_mut()
            .zip(bytes)
            .for_each(|(to, from)| *to = from);
        let (source, destination) = (source.octets(), target.octets());
        let sum = words(&source)
            .chain(words(&destination))
            .chain(words(&message))
            .chain([LEN as u16, Discovery::ICMPV6.into()])
            .fold(0u32, |sum, word| sum.saturating_add(word.into()));
        let checksum = (!fold(sum)).to_be_bytes();
        if let Some(place) = message.get_mut(2..4) {
            place.copy_from_slice(&checksum);
        }

        let mut frame = Frame::new(to, from, tags, ETH_P_IPV6);
        frame.put(&[0x60, 0, 0, 0, 0, LEN as u8, Discovery::ICMPV6, 255]);
        frame.put(&source);
        frame.put(&destination);
        frame.put(&message);
        frame
    }
}

/// The words of a message that the checksum of the Internet covers (RFC 1071).
fn words(bytes: &[u8]) -> impl Iterator<Item = u16> + '_ {
    bytes.chunks_exact(2).filter_map(|word| {
        let word: [u8; 2] = word.try_into().ok()?;
        Some(u16::from_be_bytes(word))
    })
}

/// The sum in 16 bits, with the carries added in (RFC 1071).
fn fold(sum: u32) -> u16 {
    let once = (sum & 0xffff).saturating_add(sum >> 16);
    let twice = (once & 0xffff).saturating_add(once >> 16);
    twice as u16
}
