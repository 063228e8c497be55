// SPDX-License-Identifier: GPL-2.0

//! The frames that a bond sends of its own accord, and what it reads of ARP and neighbour discovery.

use std::net::{Ipv4Addr, Ipv6Addr};

use policy::wire::arp::{EtherArp, Operation};
use policy::wire::frame::{Frame, Tag};
use policy::wire::ndisc::Neighbour;
use proptest::prelude::*;

const A: [u8; 6] = [2, 0, 0, 0, 0, 0xa];
const B: [u8; 6] = [2, 0, 0, 0, 0, 0xb];
const NONE: [Tag; 0] = [];
const TAG: [Tag; 1] = [Tag {
    proto: 0x8100,
    vid: 5,
}];

#[test]
fn a_learning_frame_is_from_and_to_the_address() {
    let frame = Frame::learning(A, NONE.into_iter());
    let bytes = frame.as_bytes();
    assert_eq!(bytes.len(), 60);
    assert_eq!(
        bytes[..14],
        [2, 0, 0, 0, 0, 0xa, 2, 0, 0, 0, 0, 0xa, 0x90, 0]
    );
    assert!(bytes[14..].iter().all(|it| *it == 0));

    let tagged = Frame::learning(A, TAG.into_iter());
    assert_eq!(tagged.as_bytes().len(), 64);
    assert_eq!(tagged.as_bytes()[12..18], [0x81, 0, 0, 5, 0x90, 0]);
}

#[test]
fn an_announcement_is_a_request_of_rarp_for_oneself() {
    let frame = Frame::announcement(A, NONE.into_iter());
    let bytes = frame.as_bytes();
    assert_eq!(bytes.len(), 60);
    assert_eq!(
        bytes[..14],
        [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2, 0, 0, 0, 0, 0xa, 0x80, 0x35]
    );
    assert_eq!(bytes[14..22], [0, 1, 8, 0, 6, 4, 0, 3]);
    assert_eq!((&bytes[22..28], &bytes[32..38]), (&A[..], &A[..]));
    assert_eq!((&bytes[28..32], &bytes[38..42]), (&[0; 4][..], &[0; 4][..]));
}

#[test]
fn eight_tags_fit() {
    let tags = [TAG[0]; 8];
    let frame = Neighbour::question(
        (A, Ipv6Addr::LOCALHOST),
        (B, Ipv6Addr::LOCALHOST),
        tags.into_iter(),
    );
    assert_eq!(frame.as_bytes().len(), 14 + 32 + 72);
}

fn checksum(bytes: &[u8]) -> u16 {
    let sum = bytes.chunks(2).fold(0u32, |sum, it| {
        sum + u32::from(u16::from_be_bytes([it[0], *it.get(1).unwrap_or(&0)]))
    });
    let sum = (sum & 0xffff) + (sum >> 16);
    !((sum & 0xffff) + (sum >> 16)) as u16
}

/// The checksum over the pseudo-header and the message is right if the sum with it is all ones.
fn is_right(packet: &[u8]) -> bool {
    let mut all = packet[8..40].to_vec();
    let len = packet.len() as u32 - 40;
    all.extend(len.to_be_bytes());
    all.extend([0, 0, 0, 58]);
    all.extend(&packet[40..]);
    checksum(&all) == 0
}

proptest! {
    #[test]
    fn an_arp_packet_reads_as_it_was_written(
        is_reply: bool, sender_addr: [u8; 6], sender: [u8; 4], target_addr: [u8; 6], target: [u8; 4],
    ) {
        let arp = EtherArp {
            operation: if is_reply { Operation::Reply } else { Operation::Request },
            sender_addr,
            sender: Ipv4Addr::from(sender),
            target_addr,
            target: Ipv4Addr::from(target),
        };
        let frame = arp.frame(B, NONE.into_iter());
        let bytes = frame.as_bytes();
        prop_assert_eq!(bytes.len(), 60);
        prop_assert_eq!(&bytes[..6], &B[..]);
        prop_assert_eq!(&bytes[6..12], &sender_addr[..]);
        prop_assert_eq!(EtherArp::parse(&bytes[14..]), Some(arp));
        for len in 0..EtherArp::LEN {
            prop_assert_eq!(EtherArp::parse(&bytes[14..14 + len]), None);
        }
        let at = EtherArp::SENDER_ADDR;
        prop_assert_eq!(&bytes[14 + at..20 + at], &sender_addr[..]);
    }

    #[test]
    fn a_question_reads_as_it_was_written(source: [u8; 16], target: [u8; 16], tagged: bool) {
        let (source, target) = (Ipv6Addr::from(source), Ipv6Addr::from(target));
        let tags = &TAG[..usize::from(tagged)];
        let frame = Neighbour::question((A, source), (B, target), tags.iter().copied());
        let packet = &frame.as_bytes()[14 + 4 * tags.len()..];
        prop_assert!(is_right(packet));
        let read = Neighbour::parse(packet).unwrap();
        prop_assert!(!read.is_advertisement);
        prop_assert_eq!((read.source, read.destination, read.target), (source, target, target));
        prop_assert_eq!(read.addr, Some((A, 66)));
    }

    /// The checksum stays right when another address is told.
    #[test]
    fn a_message_can_tell_another_address(source: [u8; 16], target: [u8; 16], from: [u8; 6], to: [u8; 6]) {
        let (source, target) = (Ipv6Addr::from(source), Ipv6Addr::from(target));
        let frame = Neighbour::question((from, source), (B, target), NONE.into_iter());
        let mut packet = frame.as_bytes()[14..].to_vec();
        let read = Neighbour::parse(&packet).unwrap();
        let (before, at) = read.addr.unwrap();
        let sum = read.checksum_with(before, to);
        packet[at..at + 6].copy_from_slice(&to);
        packet[Neighbour::CHECKSUM..Neighbour::CHECKSUM + 2].copy_from_slice(&sum);
        prop_assert!(is_right(&packet));
    }

    #[test]
    fn any_bytes_are_read_without_harm(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = EtherArp::parse(&bytes);
        let _ = Neighbour::parse(&bytes);
        let mut discovery = bytes;
        if discovery.len() > 41 {
            (discovery[6], discovery[7]) = (58, 255);
            discovery[40] = 135 + (discovery[41] & 1);
            if let Some((_, at)) = Neighbour::parse(&discovery).and_then(|it| it.addr) {
                prop_assert!(at + 6 <= discovery.len());
            }
        }
    }
}
