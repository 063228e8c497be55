// SPDX-License-Identifier: GPL-2.0

//! The hash of a packet that picks its slave.
//!
//! The known answers are those of the in-tree driver: `tests/guest/hash.sh` has sent the frames
//! through it, in a bond of 61 slaves, and recorded where each one came out.

use policy::hash::{hash, of_flow, quick, Flow, HashPolicy, Packet};
use proptest::prelude::*;

use crate::cases::cases;
use std::collections::HashMap;

const ALL: [HashPolicy; 6] = [
    HashPolicy::Layer2,
    HashPolicy::Layer34,
    HashPolicy::Layer23,
    HashPolicy::Encap23,
    HashPolicy::Encap34,
    HashPolicy::VlanSrcMac,
];

/// The policies that our own code computes alone.
const OWN: [HashPolicy; 4] = [
    HashPolicy::Layer2,
    HashPolicy::Layer34,
    HashPolicy::Layer23,
    HashPolicy::VlanSrcMac,
];

/// A frame, with what the stack knows of it.
#[derive(Clone, Debug, Default)]
struct Frame {
    bytes: Vec<u8>,
    in_one_piece: usize,
    protocol: u16,
    network: usize,
    vlan: u16,
    known: Option<u32>,
    inner: Option<Flow>,
    own_dissector: bool,
}

impl Frame {
    /// A frame that a packet socket sends: the stack looks behind the tags for the network header,
    /// and takes the first type for the protocol.
    fn sent(bytes: Vec<u8>) -> Frame {
        let type_at = |at: usize| match bytes.get(at..at + 2) {
            Some(kind) => u16::from_be_bytes([kind[0], kind[1]]),
            None => 0,
        };
        let mut network = 14;
        while matches!(type_at(network - 2), 0x8100 | 0x88a8) {
            network += 4;
        }
        Frame {
            protocol: type_at(12),
            network,
            bytes,
            ..Frame::default()
        }
    }

    /// What `__skb_flow_dissect()` (net/core/flow_dissector.c) finds in unfragmented TCP and UDP.
    fn tcp_or_udp(&self) -> Option<Flow> {
        let header = self.bytes.get(self.network..)?;
        let word = |at: usize| Some(u32::from_ne_bytes(*header.get(at..)?.first_chunk()?));
        let words = |at: usize| (0..4).try_fold(0, |hash, n| Some(hash ^ word(at + 4 * n)?));
        let (protocol, src, dst, payload) = match self.protocol {
            0x0800 => {
                let length = usize::from(header.first()? & 15) * 4;
                let dst = word(16)?;
                let is_fragment = header[6] & 0x3f != 0 || header[7] != 0;
                if length < 20 || is_fragment {
                    return None;
                }
                (header[9], word(12)?, dst, length)
            }
            0x86dd => (*header.get(6)?, words(8)?, words(24)?, 40),
            _ => return None,
        };
        matches!(protocol, TCP | UDP).then_some(Flow {
            src,
            dst,
            ports: word(payload).unwrap_or(0),
            icmp: 0,
        })
    }
}

impl Packet for Frame {
    fn bytes<const N: usize>(&self, at: usize) -> Option<[u8; N]> {
        self.bytes.get(at..)?.first_chunk().copied()
    }

    // Only the bytes before this place are in one piece; the properties try all places.
    fn in_one_piece<const N: usize>(&self, at: usize) -> Option<[u8; N]> {
        self.bytes
            .get(..self.in_one_piece.min(self.bytes.len()))?
            .get(at..)?
            .first_chunk()
            .copied()
    }

    fn protocol(&self) -> u16 {
        self.protocol
    }

    fn network_offset(&self) -> usize {
        self.network
    }

    fn vlan_tag(&self) -> u16 {
        self.vlan
    }

    fn flow_hash(&self) -> Option<u32> {
        self.known
    }

    fn dissect(&self) -> Option<Flow> {
        match self.own_dissector {
            true => self.inner,
            false => self.tcp_or_udp().or(self.inner),
        }
    }

    fn has_own_dissector(&self) -> bool {
        self.own_dissector
    }
}

// -- known answers ------------------------------------------------------------------------------

const SLAVES: u32 = 61;
const FIRST_SLAVE: u32 = 10;

/// The frames by their kinds, and the slaves by policy and kind.
struct KnownAnswers {
    frames: HashMap<&'static str, Vec<Frame>>,
    slaves: Vec<(&'static str, &'static str, Vec<u32>)>,
}

fn known_answers() -> KnownAnswers {
    let text = include_str!("../guest/reference/hash.txt");
    let (_, section) = text.split_once("== known_answers\n").unwrap();
    let section = section.split("\n== ").next().unwrap();
    let mut parts = section.split("-- ");
    let mut frames = HashMap::<_, Vec<_>>::new();
    for line in parts.next().unwrap().lines() {
        let (kind, digits) = line.split_once(' ').unwrap();
        let bytes = (0..digits.len())
            .step_by(2)
            .map(|at| u8::from_str_radix(&digits[at..at + 2], 16).unwrap());
        frames
            .entry(kind)
            .or_default()
            .push(Frame::sent(bytes.collect()));
    }
    let mut slaves = Vec::new();
    for part in parts {
        let (policy, lines) = part.split_once('\n').unwrap();
        for line in lines.lines() {
            let (kind, names) = line.split_once(": ").unwrap();
            let places = names.split(' ').map(|name| {
                let number: u32 = name.strip_prefix('s').unwrap().parse().unwrap();
                number - FIRST_SLAVE
            });
            slaves.push((policy, kind, places.collect()));
        }
    }
    KnownAnswers { frames, slaves }
}

#[test]
fn the_in_tree_driver_takes_the_same_slaves() {
    let known = known_answers();
    let mut compared = 0;
    for (policy, kind, slaves) in &known.slaves {
        let policy = match *policy {
            "layer2" => HashPolicy::Layer2,
            "layer2+3" => HashPolicy::Layer23,
            "layer3+4" => HashPolicy::Layer34,
            "vlan+srcmac" => HashPolicy::VlanSrcMac,
            // The kernel looks into the tunnels.
            "encap2+3" | "encap3+4" => continue,
            other => panic!("unknown policy {other}"),
        };
        let frames = &known.frames[kind];
        assert_eq!(frames.len(), slaves.len());
        for (frame, slave) in frames.iter().zip(slaves) {
            let hash = hash(policy, frame);
            assert_eq!(
                hash % SLAVES,
                *slave,
                "{kind} with {policy:?}: hash {hash:#x} of {frame:02x?}"
            );
            compared += 1;
        }
    }
    assert!(compared > 1000, "{compared} frames compared");
}

/// For a packet that is in no tunnel, the kernel's dissector finds what our own code finds.
#[test]
fn encapsulation_changes_nothing_without_a_tunnel() {
    let known = known_answers();
    let plain = [
        "experimental",
        "tcp4",
        "udp4",
        "sctp4",
        "options4",
        "echo4",
        "udp6",
    ];
    let slaves = |policy, kind| {
        let found = known
            .slaves
            .iter()
            .find(|it| (it.0, it.1) == (policy, kind));
        &found.unwrap().2
    };
    for kind in plain {
        assert_eq!(slaves("encap2+3", kind), slaves("layer2+3", kind), "{kind}");
        assert_eq!(slaves("encap3+4", kind), slaves("layer3+4", kind), "{kind}");
    }
    for (kind, inner) in [("ipip", "tcp4"), ("gre4", "udp4"), ("sixin4", "udp6")] {
        assert_ne!(slaves("encap3+4", kind), slaves("layer3+4", kind), "{kind}");
        assert!(known.frames.contains_key(inner));
    }
}

// -- by hand ------------------------------------------------------------------------------------

const ETHERNET: [u8; 12] = [2, 0, 0, 0, 0, 0x11, 2, 0, 0, 0xaa, 0xbb, 0x44];
const TCP: u8 = 6;
const UDP: u8 = 17;
const AH: u8 = 51;
const ICMP: u8 = 1;
const ICMPV6: u8 = 58;

fn ethernet(kind: u16, payload: &[u8]) -> Vec<u8> {
    [&ETHERNET[..], &kind.to_be_bytes(), payload].concat()
}

fn ipv4(protocol: u8, src: [u8; 4], dst: [u8; 4], fragment: u16, payload: &[u8]) -> Vec<u8> {
    let [f0, f1] = fragment.to_be_bytes();
    let start = [0x45, 0, 0, 99, 1, 2, f0, f1, 64, protocol, 3, 4];
    [&start[..], &src, &dst, payload].concat()
}

fn ipv6(next: u8, src: [u8; 16], dst: [u8; 16], payload: &[u8]) -> Vec<u8> {
    let start = [0x60, 0, 0, 0, 0, 99, next, 64];
    [&start[..], &src, &dst, payload].concat()
}

fn ports(src: u16, dst: u16) -> Vec<u8> {
    [src.to_be_bytes(), dst.to_be_bytes(), [9, 9], [9, 9]].concat()
}

fn icmp(kind: u8, code: u8, id: u16, payload: &[u8]) -> Vec<u8> {
    let [i0, i1] = id.to_be_bytes();
    [&[kind, code, 7, 7, i0, i1, 5, 5], payload].concat()
}

const SRC: [u8; 4] = [10, 0, 0, 1];
const DST: [u8; 4] = [10, 0, 0, 2];

fn sent4(protocol: u8, payload: &[u8]) -> Frame {
    Frame::sent(ethernet(0x0800, &ipv4(protocol, SRC, DST, 0, payload)))
}

#[test]
fn numbers_are_those_of_the_interface() {
    for (number, policy) in [
        (0, HashPolicy::Layer2),
        (1, HashPolicy::Layer34),
        (2, HashPolicy::Layer23),
        (3, HashPolicy::Encap23),
        (4, HashPolicy::Encap34),
        (5, HashPolicy::VlanSrcMac),
    ] {
        assert_eq!(HashPolicy::from_number(number), Some(policy));
        assert_eq!(policy as u64, number);
    }
    assert_eq!(HashPolicy::from_number(6), None);
    assert_eq!(HashPolicy::from_number(u64::MAX), None);
    assert_eq!(HashPolicy::default(), HashPolicy::Layer2);
}

/// The formulas of the bonding HOWTO.
#[test]
fn the_documented_formulas() {
    let frame = sent4(TCP, &ports(1000, 2000));
    assert_eq!(hash(HashPolicy::Layer2, &frame), 0x11 ^ 0x44 ^ 0x0800);
    let tagged = Frame {
        vlan: 5,
        ..frame.clone()
    };
    assert_eq!(
        hash(HashPolicy::VlanSrcMac, &tagged),
        5 ^ 0x02_00_00 ^ 0xaa_bb_44
    );
    let fold = |hash: u32| {
        let hash = hash ^ (hash >> 16);
        hash ^ (hash >> 8)
    };
    // Addresses as a little-endian machine reads them.
    let addresses = 0x0100_000a ^ 0x0200_000a;
    assert_eq!(hash(HashPolicy::Layer23, &frame), fold(0x0855 ^ addresses),);
    let ports = 0xd007_e803; // 1000 and 2000
    assert_eq!(
        hash(HashPolicy::Layer34, &frame),
        fold(ports ^ addresses) >> 1
    );
    assert_eq!(hash(HashPolicy::Layer34, &frame), 0x69ea_1e1f);
}

#[test]
fn what_is_no_ip_is_hashed_by_its_addresses() {
    for kind in [0x0806, 0x88cc, 0x8100, 0x0026] {
        let frame = Frame::sent(ethernet(kind, &[1; 60]));
        for policy in [HashPolicy::Layer23, HashPolicy::Layer34] {
            assert_eq!(hash(policy, &frame), hash(HashPolicy::Layer2, &frame));
        }
    }
}

#[test]
fn a_header_that_is_cut_is_not_there() {
    let whole = ethernet(0x0800, &ipv4(TCP, SRC, DST, 0, &ports(1000, 2000)));
    let layer34 = |len: usize| hash(HashPolicy::Layer34, &Frame::sent(whole[..len].to_vec()));
    let layer2 = hash(HashPolicy::Layer2, &Frame::sent(whole.clone()));
    assert_eq!(layer34(33), layer2, "no IP header");
    let without_ports = layer34(34);
    assert_ne!(without_ports, layer2);
    assert_eq!(layer34(37), without_ports, "half of the ports");
    assert_ne!(layer34(38), without_ports);
    assert_eq!(layer34(38), layer34(42));
    for policy in OWN {
        assert_eq!(
            hash(policy, &Frame::sent(whole[..13].to_vec())),
            0,
            "no header at all"
        );
    }
}

#[test]
fn ipsec_has_its_spi_in_place_of_ports() {
    let after = |protocol, payload: &[u8]| hash(HashPolicy::Layer34, &sent4(protocol, payload));
    let as_ports = after(UDP, &[1, 2, 3, 4]);
    assert_eq!(after(50, &[1, 2, 3, 4, 5, 6, 7, 8]), as_ports);
    assert_eq!(after(AH, &[UDP, 4, 0, 0, 1, 2, 3, 4]), as_ports);
    for protocol in [33, 132, 136, TCP] {
        assert_eq!(after(protocol, &[1, 2, 3, 4]), as_ports);
    }
    let without = after(47, &[1, 2, 3, 4]);
    assert_ne!(without, as_ports);
    assert_eq!(without, after(47, &[]), "GRE has none");
}

#[test]
fn echoes_are_told_apart_by_their_identifier() {
    let echo = |kind, id| hash(HashPolicy::Layer34, &sent4(ICMP, &icmp(kind, 0, id, &[])));
    assert_ne!(echo(8, 0x100), echo(8, 0x200));
    assert_eq!(echo(8, 0), echo(8, 1), "0 is taken for 1");
    assert_ne!(echo(8, 1), echo(0, 1), "the type enters, too");
    assert_ne!(echo(13, 7), echo(13, 8));
    // A router advertisement has no identifier.
    assert_eq!(echo(9, 1), echo(9, 2));
    let layer23 = |id| hash(HashPolicy::Layer23, &sent4(ICMP, &icmp(8, 0, id, &[])));
    assert_eq!(layer23(1), layer23(2));
}

/// ICMP within IPv6 and ICMPv6 within IPv4 are treated as what they are.
#[test]
fn types_belong_to_a_protocol() {
    let inner = ipv4(UDP, [192, 0, 2, 1], [192, 0, 2, 2], 0, &ports(5, 6));
    let of = |protocol, kind| {
        hash(
            HashPolicy::Layer34,
            &sent4(protocol, &icmp(kind, 0, 0, &inner)),
        )
    };
    for kind in [1, 2] {
        assert_ne!(of(ICMPV6, kind), of(ICMP, kind), "an error of ICMPv6 only");
    }
    for kind in [5, 11, 12] {
        assert_ne!(of(ICMP, kind), of(ICMPV6, kind), "an error of ICMP only");
    }
    assert_eq!(of(ICMP, 3), of(ICMPV6, 3), "an error of both");
}

#[test]
fn an_error_without_its_packet_is_hashed_by_addresses() {
    let inner = ipv4(UDP, SRC, DST, 0, &ports(5, 6));
    for len in 0..20 {
        let frame = sent4(ICMP, &icmp(3, 1, 0, &inner[..len]));
        for policy in [HashPolicy::Layer34, HashPolicy::Layer23] {
            assert_eq!(
                hash(policy, &frame),
                hash(HashPolicy::Layer2, &frame),
                "{len}"
            );
        }
    }
    // Without ports, only the addresses are left.
    let frame = sent4(ICMP, &icmp(3, 1, 0, &inner[..20]));
    assert_eq!(
        hash(HashPolicy::Layer34, &frame),
        hash(HashPolicy::Layer34, &sent4(47, &[]))
    );
}

#[test]
fn encap_asks_the_dissector() {
    let flow = Flow {
        src: 0x1234_5678,
        dst: 0x9abc_def0,
        ports: 0x0a0b_0c0d,
        icmp: 0,
    };
    let frame = Frame {
        inner: Some(flow),
        ..sent4(47, &[])
    };
    assert_eq!(hash(HashPolicy::Encap34, &frame), of_flow(&flow));
    let echo = Frame {
        inner: Some(Flow {
            icmp: 0x0100_0008,
            ..flow
        }),
        ..frame.clone()
    };
    assert_eq!(
        hash(HashPolicy::Encap34, &echo),
        of_flow(&Flow {
            ports: 0x0100_0008,
            ..flow
        })
    );
    assert_eq!(
        hash(HashPolicy::Encap23, &echo),
        hash(HashPolicy::Encap23, &frame)
    );
    let unknown = Frame {
        inner: None,
        ..frame.clone()
    };
    for policy in [HashPolicy::Encap23, HashPolicy::Encap34] {
        assert_eq!(hash(policy, &unknown), hash(HashPolicy::Layer2, &unknown));
    }
    // What the stack knows already is taken as it is.
    let known = Frame {
        known: Some(0xdead_beef),
        ..frame.clone()
    };
    assert_eq!(hash(HashPolicy::Encap34, &known), 0xdead_beef);
    for policy in OWN.into_iter().chain([HashPolicy::Encap23]) {
        assert_eq!(hash(policy, &known), hash(policy, &frame));
    }
}

// -- properties -----------------------------------------------------------------------------------

/// Bytes that often look like IP.
fn any_frame() -> impl Strategy<Value = Vec<u8>> {
    let kind = prop_oneof![
        Just(0x0800u16),
        Just(0x86dd),
        Just(0x8100),
        Just(0x0806),
        any::<u16>()
    ];
    let first = prop_oneof![Just(0x45u8), Just(0x60), any::<u8>()];
    let protocol = prop_oneof![
        Just(ICMP),
        Just(TCP),
        Just(UDP),
        Just(AH),
        Just(ICMPV6),
        any::<u8>()
    ];
    let icmp_kind = prop_oneof![0u8..15, 128u8..130, any::<u8>()];
    (
        proptest::collection::vec(any::<u8>(), 0..200),
        kind,
        first,
        protocol,
        icmp_kind,
    )
        .prop_map(|(mut bytes, kind, first, protocol, icmp_kind)| {
            let mut put = |at: usize, value: u8| {
                if let Some(byte) = bytes.get_mut(at) {
                    *byte = value;
                }
            };
            put(12, kind.to_be_bytes()[0]);
            put(13, kind.to_be_bytes()[1]);
            put(14, first);
            match kind {
                0x0800 => {
                    put(23, protocol);
                    put(34, icmp_kind);
                }
                _ => {
                    put(20, protocol);
                    put(54, icmp_kind);
                }
            }
            bytes
        })
}

fn any_address() -> impl Strategy<Value = [u8; 16]> {
    any::<[u8; 16]>()
}

proptest! {
    #![proptest_config(cases(256))]

    #[test]
    fn no_frame_is_too_odd(
        bytes in any_frame(),
        offset in prop_oneof![Just(14usize), 0usize..300, Just(usize::MAX), any::<usize>()],
        vlan in any::<u16>(),
        known in any::<Option<u32>>(),
        in_one_piece in prop_oneof![0usize..300, Just(usize::MAX)],
        own_dissector in any::<bool>(),
    ) {
        let frame =
            Frame { network: offset, vlan, known, in_one_piece, own_dissector, ..Frame::sent(bytes) };
        for policy in ALL {
            if let Some(quick) = quick(policy, &frame) {
                prop_assert_eq!(quick, hash(policy, &frame));
            }
        }
    }

    /// Otherwise every packet could be slow without anybody noticing.
    #[test]
    fn usual_packets_are_quick(
        src in any_address(),
        dst in any_address(),
        ends in any::<[u16; 2]>(),
        protocol in prop_oneof![Just(TCP), Just(UDP)],
    ) {
        let payload = ports(ends[0], ends[1]);
        let [v4, v6] = [
            ethernet(0x0800, &ipv4(protocol, [0; 4], [1; 4], 0, &payload)),
            ethernet(0x86dd, &ipv6(protocol, src, dst, &payload)),
        ];
        for bytes in [v4, v6] {
            let frame = Frame { in_one_piece: usize::MAX, ..Frame::sent(bytes) };
            for policy in ALL {
                prop_assert_eq!(quick(policy, &frame), Some(hash(policy, &frame)));
            }
            let frame = Frame { own_dissector: true, ..frame };
            for policy in [HashPolicy::Encap23, HashPolicy::Encap34] {
                prop_assert_eq!(quick(policy, &frame), None);
            }
        }
    }

    /// What lies behind the headers does not matter, nor how much of it there is.
    #[test]
    fn the_payload_does_not_matter(
        src in any_address(),
        dst in any_address(),
        ends in any::<[u16; 2]>(),
        more in proptest::collection::vec(any::<u8>(), 0..100),
    ) {
        let head = ethernet(0x86dd, &ipv6(TCP, src, dst, &ports(ends[0], ends[1])));
        let long = [head.clone(), more].concat();
        for policy in OWN {
            prop_assert_eq!(
                hash(policy, &Frame::sent(long.clone())),
                hash(policy, &Frame::sent(head.clone()))
            );
        }
    }

    /// Both directions agree when a policy takes no ports: a peer answers where it was asked.
    #[test]
    fn both_directions_take_the_same_way(src in any::<[u8; 4]>(), dst in any::<[u8; 4]>()) {
        let there = ethernet(0x0800, &ipv4(UDP, src, dst, 0, &ports(1, 2)));
        let mut back = ethernet(0x0800, &ipv4(UDP, dst, src, 0, &ports(2, 1)));
        back[..6].copy_from_slice(&ETHERNET[6..]);
        back[6..12].copy_from_slice(&ETHERNET[..6]);
        let (there, back) = (Frame::sent(there), Frame::sent(back));
        for policy in [HashPolicy::Layer2, HashPolicy::Layer23] {
            prop_assert_eq!(hash(policy, &there), hash(policy, &back));
        }
    }

    /// All fragments of a packet take the same way, the first one too.
    #[test]
    fn fragments_stay_together(
        protocol in any::<u8>(),
        offset in 0u16..0x2000,
        first in any::<[u8; 12]>(),
        later in any::<[u8; 12]>(),
    ) {
        let part = |fragment, payload: &[u8]| {
            let packet = ipv4(protocol, SRC, DST, fragment, payload);
            hash(HashPolicy::Layer34, &Frame::sent(ethernet(0x0800, &packet)))
        };
        let begin = part(0x2000, &first);
        prop_assert_eq!(part(0x2000 | offset, &later), begin);
        if offset != 0 {
            prop_assert_eq!(part(offset, &later), begin, "the last one");
        }
        prop_assert_eq!(part(0x8000, &first), part(0x4000, &first), "flags are no fragment");
        prop_assert_eq!(part(0, &first), part(0x4000, &first));
    }

    /// An ICMP error takes the way of the packet that caused it.
    #[test]
    fn errors_follow_their_packet(
        src in any::<[u8; 4]>(),
        dst in any::<[u8; 4]>(),
        ends in any::<[u16; 2]>(),
        kind in prop_oneof![Just(3u8), Just(4), Just(5), Just(11), Just(12)],
        kind6 in 1u8..5,
        code in any::<u8>(),
        protocol in prop_oneof![Just(TCP), Just(UDP), Just(132u8)],
    ) {
        let packet = ipv4(protocol, src, dst, 0, &ports(ends[0], ends[1]));
        let cause = Frame::sent(ethernet(0x0800, &packet));
        let error = sent4(ICMP, &icmp(kind, code, 0, &packet));
        for policy in [HashPolicy::Layer34, HashPolicy::Layer23] {
            prop_assert_eq!(hash(policy, &error), hash(policy, &cause));
        }

        let [a, b] = [src, dst].map(|address| {
            let mut long = [0x20; 16];
            long[12..].copy_from_slice(&address);
            long
        });
        let packet = ipv6(protocol, a, b, &ports(ends[0], ends[1]));
        let cause = Frame::sent(ethernet(0x86dd, &packet));
        let error = ipv6(ICMPV6, [9; 16], [8; 16], &icmp(kind6, code, 0, &packet));
        let error = Frame::sent(ethernet(0x86dd, &error));
        for policy in [HashPolicy::Layer34, HashPolicy::Layer23] {
            prop_assert_eq!(hash(policy, &error), hash(policy, &cause));
        }
    }

    /// A socket's flow has the hash of its packets.
    #[test]
    fn a_flow_has_the_hash_of_its_packets(
        src in any::<[u8; 4]>(),
        dst in any::<[u8; 4]>(),
        ends in any::<[u16; 2]>(),
    ) {
        let packet = ipv4(UDP, src, dst, 0, &ports(ends[0], ends[1]));
        let ends = ends.map(u16::to_be_bytes).concat();
        let flow = Flow {
            src: u32::from_ne_bytes(src),
            dst: u32::from_ne_bytes(dst),
            ports: u32::from_ne_bytes(ends.try_into().unwrap()),
            icmp: 0,
        };
        let frame = Frame::sent(ethernet(0x0800, &packet));
        prop_assert_eq!(hash(HashPolicy::Layer34, &frame), of_flow(&flow));
    }

    /// Only `vlan+srcmac` looks at a tag beside the frame, and it looks at the whole tag.
    #[test]
    fn only_one_policy_looks_at_the_tag(bytes in any_frame(), tag in any::<[u16; 2]>()) {
        let tagged = |vlan| Frame { vlan, ..Frame::sent(bytes.clone()) };
        let (one, other) = (tagged(tag[0]), tagged(tag[1]));
        for policy in ALL {
            if policy != HashPolicy::VlanSrcMac {
                prop_assert_eq!(hash(policy, &one), hash(policy, &other));
            } else if bytes.len() >= 14 {
                let difference = hash(policy, &one) ^ hash(policy, &other);
                prop_assert_eq!(difference, u32::from(tag[0] ^ tag[1]));
            }
        }
    }
}
