// SPDX-License-Identifier: GPL-2.0

//! The hash of a packet that picks its slave (`xmit_hash_policy`).
//!
//! Switches and peers may rely on which flow takes which link, so the numbers are those of the
//! in-tree driver, bit for bit. All fields of a packet enter the hash as they lie in memory.

/// What enters the hash; the numbers are those of `linux/if_bonding.h` (`BOND_XMIT_POLICY_*`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(u8)]
pub enum HashPolicy {
    /// The hardware addresses and the protocol.
    #[default]
    Layer2 = 0,
    /// The IP addresses and the ports.
    Layer34 = 1,
    /// The hardware addresses and the IP addresses.
    Layer23 = 2,
    /// Like `Layer23`, but of the innermost packet of a tunnel.
    Encap23 = 3,
    /// Like `Layer34`, but of the innermost packet of a tunnel.
    Encap34 = 4,
    /// The VLAN and the source's hardware address.
    VlanSrcMac = 5,
}

impl HashPolicy {
    /// The policy with this number, if there is one.
    pub const fn from_number(number: u64) -> Option<HashPolicy> {
        match number {
            0 => Some(HashPolicy::Layer2),
            1 => Some(HashPolicy::Layer34),
            2 => Some(HashPolicy::Layer23),
            3 => Some(HashPolicy::Encap23),
            4 => Some(HashPolicy::Encap34),
            5 => Some(HashPolicy::VlanSrcMac),
            _ => None,
        }
    }

    const fn hashes_ports(self) -> bool {
        matches!(self, HashPolicy::Layer34 | HashPolicy::Encap34)
    }
}

/// What a hash is made of. Each field holds its bytes as they lie in memory, read in native byte
/// order.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Flow {
    /// The source address; for IPv6, the XOR of its four words.
    pub src: u32,
    /// The destination address, in the same form.
    pub dst: u32,
    /// Both ports, or the SPI that an IPsec header has in their place; 0 for none.
    pub ports: u32,
    /// Type, code and identifier of an ICMP message that has an identifier; 0 for none.
    pub icmp: u32,
}

/// A packet that is about to leave, starting at its link-layer header.
pub trait Packet: Sized {
    /// The `N` bytes at an offset from the link-layer header; `None` if the packet is too short.
    fn bytes<const N: usize>(&self, at: usize) -> Option<[u8; N]>;

    /// The same bytes, if they are contiguous in memory; for [`quick`] only.
    #[inline(always)]
    fn in_one_piece<const N: usize>(&self, _at: usize) -> Option<[u8; N]> {
        None
    }

    /// The protocol that follows the link-layer header, `ETH_P_*`, in host byte order.
    fn protocol(&self) -> u16;

    /// The offset at which the header of that protocol begins.
    fn network_offset(&self) -> usize;

    /// The VLAN tag (TCI) that is kept beside the packet, in host byte order; 0 for none.
    fn vlan_tag(&self) -> u16;

    /// The hash of the packet's flow that the stack already has, if it covers addresses and ports.
    fn flow_hash(&self) -> Option<u32>;

    /// The innermost flow, as the kernel's flow dissector sees it.
    fn dissect(&self) -> Option<Flow>;

    /// Whether a program that the administrator has installed decides what [`Packet::dissect`]
    /// sees; for [`quick`] only.
    fn has_own_dissector(&self) -> bool;
}

impl<P: Packet> Packet for &P {
    fn bytes<const N: usize>(&self, at: usize) -> Option<[u8; N]> {
        (**self).bytes(at)
    }

    fn in_one_piece<const N: usize>(&self, at: usize) -> Option<[u8; N]> {
        (**self).in_one_piece(at)
    }

    fn protocol(&self) -> u16 {
        (**self).protocol()
    }

    fn network_offset(&self) -> usize {
        (**self).network_offset()
    }

    fn vlan_tag(&self) -> u16 {
        (**self).vlan_tag()
    }

    fn flow_hash(&self) -> Option<u32> {
        (**self).flow_hash()
    }

    fn dissect(&self) -> Option<Flow> {
        (**self).dissect()
    }

    fn has_own_dissector(&self) -> bool {
        (**self).has_own_dissector()
    }
}

/// The hash of a packet of the kinds that make up most traffic, if its headers are contiguous in
/// memory; `None` for other packets, which [`hash`] handles. If there is a hash, [`hash`] gives the
/// same one.
#[inline(always)]
pub fn quick(policy: HashPolicy, packet: impl Packet + Copy) -> Option<u32> {
    match policy {
        HashPolicy::Layer2 => quick_layer2(packet),
        HashPolicy::Layer23 => quick_layer23(packet, quick_ip(packet)?),
        HashPolicy::Layer34 => quick_layer34(packet, quick_ip(packet)?),
        HashPolicy::VlanSrcMac => packet
            .in_one_piece(SOURCE)
            .map(|source| of_source(source, packet.vlan_tag())),
        HashPolicy::Encap23 => quick_layer23(packet, quick_innermost(packet)?),
        HashPolicy::Encap34 => match packet.flow_hash() {
            Some(hash) => Some(hash),
            None => quick_layer34(packet, quick_innermost(packet)?),
        },
    }
}

/// Reads only the bytes that count, the last ones first: if these are there, so are the others.
#[inline(always)]
fn quick_layer2(packet: impl Packet + Copy) -> Option<u32> {
    /// The offsets of the last bytes of the two hardware addresses, and of the protocol that
    /// follows them.
    const DST_END: usize = SOURCE - 1;
    const SRC_END: usize = PROTOCOL - 1;
    const PROTOCOL: usize = 2 * SOURCE;
    let protocol = packet.in_one_piece(PROTOCOL)?;
    let [dst] = packet.in_one_piece(DST_END)?;
    let [src] = packet.in_one_piece(SRC_END)?;
    Some(of_frame(dst, src, protocol))
}

#[inline(always)]
fn quick_layer23(packet: impl Packet + Copy, ip: Ip) -> Option<u32> {
    Some(fold_ends(quick_layer2(packet)?, ip.src, ip.dst))
}

#[inline(always)]
fn quick_layer34(packet: impl Packet + Copy, ip: Ip) -> Option<u32> {
    let ports = match ip.ports() {
        Some(at) => u32::from_ne_bytes(packet.in_one_piece(at)?),
        None => 0,
    };
    Some(fold_ends(ports, ip.src, ip.dst) >> 1)
}

/// The IP header of a packet that carries TCP or UDP and no tunnel, if the header is contiguous in
/// memory: the result that the kernel's flow dissector would come to.
#[inline(always)]
fn quick_innermost(packet: impl Packet + Copy) -> Option<Ip> {
    let ip = quick_ip(packet)?;
    // No IPv4 header is shorter than its fixed part; the dissector gives up on a header whose
    // length field says otherwise.
    let is_whole = ip.payload >= packet.network_offset().checked_add(IPV4_LEN)?;
    let is_plain = matches!(ip.protocol, Some(IPPROTO_TCP | IPPROTO_UDP));
    (is_whole && is_plain && !packet.has_own_dissector()).then_some(ip)
}

/// The IP header of a packet that is not an ICMP message, if the header is contiguous in memory.
#[inline(always)]
fn quick_ip(packet: impl Packet + Copy) -> Option<Ip> {
    let at = packet.network_offset();
    let ip = match packet.protocol() {
        ETH_P_IP => Ip::v4(packet.in_one_piece(at)?, at)?,
        ETH_P_IPV6 => Ip::v6(packet.in_one_piece(at)?, at)?,
        _ => return None,
    };
    (!ip.is_icmp()).then_some(ip)
}

/// The hash of a packet. The packet is passed by value: the driver's packets are two words, which
/// need no memory.
pub fn hash(policy: HashPolicy, packet: impl Packet + Copy) -> u32 {
    let flow = match policy {
        HashPolicy::Layer2 => None,
        HashPolicy::VlanSrcMac => return vlan_srcmac(packet),
        HashPolicy::Layer34 | HashPolicy::Layer23 => flow(packet, policy.hashes_ports()),
        HashPolicy::Encap23 => packet.dissect(),
        HashPolicy::Encap34 => {
            if let Some(hash) = packet.flow_hash() {
                return hash;
            }
            packet.dissect()
        }
    };
    match flow {
        None => layer2(packet),
        Some(flow) if policy.hashes_ports() => {
            let ends = if flow.icmp != 0 {
                flow.icmp
            } else {
                flow.ports
            };
            // Many clients use even ports only.
            fold(ends, &flow) >> 1
        }
        Some(flow) => fold(layer2(packet), &flow),
    }
}

/// The hash of a socket's flow, the same as that of a packet with `layer3+4`.
pub const fn of_flow(flow: &Flow) -> u32 {
    fold(flow.ports, flow) >> 1
}

const fn fold(hash: u32, flow: &Flow) -> u32 {
    fold_ends(hash, flow.src, flow.dst)
}

#[inline(always)]
const fn fold_ends(hash: u32, src: u32, dst: u32) -> u32 {
    let hash = hash ^ dst ^ src;
    let hash = hash ^ (hash >> 16);
    hash ^ (hash >> 8)
}

/// The hash of layer 2; 0 for a packet without an Ethernet header.
fn layer2(packet: impl Packet) -> u32 {
    packet.bytes(0).map_or(0, |frame| {
        let [_, _, _, _, _, dst, _, _, _, _, _, src, p0, p1]: [u8; 14] = frame;
        of_frame(dst, src, [p0, p1])
    })
}

/// Combines the last bytes of the hardware addresses and the protocol.
#[inline(always)]
fn of_frame(dst: u8, src: u8, protocol: [u8; 2]) -> u32 {
    u32::from(dst ^ src) ^ u32::from(u16::from_be_bytes(protocol))
}

fn vlan_srcmac(packet: impl Packet) -> u32 {
    packet
        .bytes(SOURCE)
        .map_or(0, |source| of_source(source, packet.vlan_tag()))
}

/// The offset of the source's hardware address in a frame.
const SOURCE: usize = 6;

/// Combines the halves of the source's hardware address, which the protocol follows in `source`,
/// and the VLAN.
#[inline(always)]
fn of_source(source: [u8; 8], vlan_tag: u16) -> u32 {
    const HALF: u64 = 0x00ff_ffff;
    let source = u64::from_be_bytes(source);
    let halves = ((source >> 40) ^ (source >> 16)) & HALF;
    u32::from(vlan_tag) ^ halves as u32
}

const ETH_P_IP: u16 = 0x0800;
const ETH_P_IPV6: u16 = 0x86dd;

const IPPROTO_ICMP: u8 = 1;
const IPPROTO_TCP: u8 = 6;
const IPPROTO_UDP: u8 = 17;
const IPPROTO_DCCP: u8 = 33;
const IPPROTO_ESP: u8 = 50;
const IPPROTO_AH: u8 = 51;
const IPPROTO_ICMPV6: u8 = 58;
const IPPROTO_SCTP: u8 = 132;
const IPPROTO_UDPLITE: u8 = 136;

/// How long the fixed part of an IPv4 header is, in bytes.
const IPV4_LEN: usize = 20;

/// How long the fixed part of an ICMP header is, in bytes.
const ICMP_LEN: usize = 8;

/// An IP header.
struct Ip {
    src: u32,
    dst: u32,
    /// The offset at which the payload begins.
    payload: usize,
    /// The protocol of the payload; `None` in a fragment, since only the first fragment has the
    /// header of that protocol.
    protocol: Option<u8>,
}

impl Ip {
    /// The IPv4 header at `at` (RFC 791, section 3.1).
    #[inline(always)]
    fn v4(header: [u8; IPV4_LEN], at: usize) -> Option<Ip> {
        /// More fragments follow, or the offset is not 0.
        const FRAGMENT: u16 = 0x3fff;
        let [first, _, _, _, _, _, f0, f1, _, protocol, _, _, s0, s1, s2, s3, d0, d1, d2, d3] =
            header;
        let is_fragment = u16::from_ne_bytes([f0, f1]) & FRAGMENT.to_be() != 0;
        Some(Ip {
            src: u32::from_ne_bytes([s0, s1, s2, s3]),
            dst: u32::from_ne_bytes([d0, d1, d2, d3]),
            payload: at.checked_add(usize::from(first & 0x0f) << 2)?,
            protocol: (!is_fragment).then_some(protocol),
        })
    }

    /// The IPv6 header at `at` (RFC 8200, section 3).
    #[inline(always)]
    fn v6(header: [u8; 40], at: usize) -> Option<Ip> {
        let (&[_, _, _, _, _, _, next, _], addresses) = header.split_first_chunk()?;
        let (src, dst) = addresses.split_at(16);
        Some(Ip {
            src: words(src),
            dst: words(dst),
            payload: at.checked_add(40)?,
            protocol: Some(next),
        })
    }

    #[inline(always)]
    fn is_icmp(&self) -> bool {
        matches!(self.protocol, Some(IPPROTO_ICMP | IPPROTO_ICMPV6))
    }

    /// The offset of the ports, or of the SPI that an IPsec header has in their place; `None` if
    /// there are none.
    #[inline(always)]
    fn ports(&self) -> Option<usize> {
        match self.protocol? {
            IPPROTO_TCP | IPPROTO_UDP | IPPROTO_DCCP | IPPROTO_ESP | IPPROTO_SCTP
            | IPPROTO_UDPLITE => Some(self.payload),
            IPPROTO_AH => self.payload.checked_add(4),
            _ => None,
        }
    }
}

/// The flow of an IP packet; for an ICMP error, the flow of the packet that caused the error.
fn flow(packet: impl Packet + Copy, with_ports: bool) -> Option<Flow> {
    let ip = ip(packet, packet.network_offset())?;
    if let Some(protocol) = ip.protocol.filter(|_| ip.is_icmp()) {
        return icmp(packet, &ip, protocol, with_ports);
    }
    Some(Flow {
        src: ip.src,
        dst: ip.dst,
        ports: ports(packet, &ip, with_ports),
        icmp: 0,
    })
}

/// The flow of an ICMP message.
fn icmp(packet: impl Packet + Copy, outer: &Ip, protocol: u8, with_ports: bool) -> Option<Flow> {
    let mut flow = Flow {
        src: outer.src,
        dst: outer.dst,
        ..Flow::default()
    };
    let at = outer.payload;
    let Some([kind, code, _, _, id @ .., _, _]) = packet.bytes::<ICMP_LEN>(at) else {
        return Some(flow);
    };
    if has_id(kind) {
        // An identifier of 0 is one, too.
        let [low, high] = u16::from_be_bytes(id).max(1).to_ne_bytes();
        flow.icmp = u32::from_ne_bytes([kind, code, low, high]);
    }
    if !is_error(protocol, kind) {
        return Some(flow);
    }
    let inner = ip(packet, at.checked_add(ICMP_LEN)?)?;
    flow.src = inner.src;
    flow.dst = inner.dst;
    flow.ports = ports(packet, &inner, with_ports);
    Some(flow)
}

/// The IP header at an offset; its version is that of the outermost header.
fn ip(packet: impl Packet, at: usize) -> Option<Ip> {
    match packet.protocol() {
        ETH_P_IP => Ip::v4(packet.bytes(at)?, at),
        ETH_P_IPV6 => Ip::v6(packet.bytes(at)?, at),
        _ => None,
    }
}

/// The XOR of the words of an address.
#[inline(always)]
fn words(address: &[u8]) -> u32 {
    address
        .chunks_exact(4)
        .filter_map(|word| word.try_into().ok())
        .fold(0, |hash, word| hash ^ u32::from_ne_bytes(word))
}

fn ports(packet: impl Packet, ip: &Ip, with_ports: bool) -> u32 {
    ip.ports()
        .filter(|_| with_ports)
        .and_then(|at| packet.bytes(at))
        .map_or(0, u32::from_ne_bytes)
}

/// Whether ICMP messages of this type have an identifier: echo and timestamp, requests and replies.
/// The types of ICMP and ICMPv6 do not collide.
const fn has_id(kind: u8) -> bool {
    matches!(kind, 0 | 8 | 13 | 14 | 128 | 129)
}

/// Whether ICMP messages of this type carry the packet that caused them (RFC 792, RFC 4443).
const fn is_error(protocol: u8, kind: u8) -> bool {
    match protocol {
        IPPROTO_ICMP => matches!(kind, 3 | 4 | 5 | 11 | 12),
        _ => matches!(kind, 1..=4),
    }
}
