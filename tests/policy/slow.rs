// SPDX-License-Identifier: GPL-2.0

//! LACPDUs and Marker PDUs on the wire.

use policy::wire::slow::{Lacpdu, Marker, PortInfo, Slow, State, SystemId, FRAME_LEN, PDU_LEN};
use proptest::prelude::*;

const PDU: Lacpdu = Lacpdu {
    actor: PortInfo {
        system: SystemId {
            priority: 0x0102,
            addr: [3, 4, 5, 6, 7, 8],
        },
        key: 0x090a,
        port_priority: 0x0b0c,
        port: 0x0d0e,
        state: State::from_bits(0x3d),
    },
    partner: PortInfo {
        system: SystemId {
            priority: 0x1112,
            addr: [0x13, 0x14, 0x15, 0x16, 0x17, 0x18],
        },
        key: 0x191a,
        port_priority: 0x1b1c,
        port: 0x1d1e,
        state: State::from_bits(0xc7),
    },
};

const SOURCE: [u8; 6] = [0xa, 0xb, 0xc, 0xd, 0xe, 0xf];

fn pdu(frame: &[u8; FRAME_LEN]) -> &[u8] {
    &frame[14..]
}

#[test]
fn an_lacpdu_has_the_octets_of_the_standard() {
    let mut wanted = vec![0x01, 0x80, 0xc2, 0, 0, 2, 0xa, 0xb, 0xc, 0xd, 0xe, 0xf];
    wanted.extend([0x88, 0x09, 1, 1]);
    wanted.extend([
        1, 20, 1, 2, 3, 4, 5, 6, 7, 8, 9, 0xa, 0xb, 0xc, 0xd, 0xe, 0x3d, 0, 0, 0,
    ]);
    wanted.extend([2, 20, 0x11, 0x12, 0x13, 0x14, 0x15, 0x16, 0x17, 0x18]);
    wanted.extend([0x19, 0x1a, 0x1b, 0x1c, 0x1d, 0x1e, 0xc7, 0, 0, 0]);
    wanted.extend([3, 16]);
    wanted.extend([0; 14]);
    wanted.extend([0, 0]);
    wanted.extend([0; 50]);
    assert_eq!(PDU.frame(SOURCE).to_vec(), wanted);
    assert_eq!(Slow::parse(pdu(&PDU.frame(SOURCE))), Slow::Lacpdu(PDU));
}

#[test]
fn other_versions_and_reserved_octets_are_read_as_version_1() {
    for (place, octet) in [
        (1, 2),
        (1, 0),
        (19, 1),
        (39, 0xff),
        (44, 9),
        (58, 4),
        (109, 1),
    ] {
        let mut frame = PDU.frame(SOURCE);
        frame[14 + place] = octet;
        assert_eq!(Slow::parse(pdu(&frame)), Slow::Lacpdu(PDU), "octet {place}");
    }
}

#[test]
fn malformed_lacpdus_are_illegal() {
    for place in [2, 3, 22, 23, 42, 43] {
        let mut frame = PDU.frame(SOURCE);
        frame[14 + place] ^= 1;
        assert_eq!(
            Slow::parse(pdu(&frame)),
            Slow::IllegalLacpdu,
            "octet {place}"
        );
    }
    let frame = PDU.frame(SOURCE);
    for len in 0..PDU_LEN {
        assert_eq!(Slow::parse(&pdu(&frame)[..len]), Slow::IllegalLacpdu);
    }
}

#[test]
fn a_marker_is_answered_with_its_own_fields() {
    let marker = Marker {
        port: 0x0102,
        system: [3, 4, 5, 6, 7, 8],
        transaction: [9, 10, 11, 12],
    };
    let response = marker.response(SOURCE);
    let mut wanted = vec![2, 1, 2, 16, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12];
    wanted.resize(PDU_LEN, 0);
    assert_eq!(pdu(&response), wanted);
    assert_eq!(Slow::parse(&wanted), Slow::MarkerResponse(marker));
    wanted[2] = 1;
    assert_eq!(Slow::parse(&wanted), Slow::Marker(marker));
    wanted[2] = 3;
    assert_eq!(Slow::parse(&wanted), Slow::IllegalMarker);
}

#[test]
fn other_slow_protocols_are_left_to_others() {
    // OAM (IEEE 802.3, 57.4.2) and OSSP
    for subtype in [0, 3, 10] {
        assert_eq!(Slow::parse(&[subtype; 46]), Slow::Other);
    }
}

proptest! {
    #[test]
    fn whatever_is_read_is_written_the_same(
        mut octets in proptest::collection::vec(any::<u8>(), 0..200), well_formed: bool
    ) {
        if well_formed {
            octets.resize(PDU_LEN, 0);
            for (place, octet) in [(0, 1), (2, 1), (3, 20), (22, 2), (23, 20), (42, 3), (43, 16)] {
                octets[place] = octet;
            }
        }
        if let Slow::Lacpdu(read) = Slow::parse(&octets) {
            prop_assert_eq!(Slow::parse(pdu(&read.frame(SOURCE))), Slow::Lacpdu(read));
        } else {
            prop_assert!(!well_formed);
        }
    }
}
