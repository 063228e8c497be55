// SPDX-License-Identifier: GPL-2.0

//! Frames that a bond sends of its own accord, from its Ethernet header on.

use super::ether::ETH_P_RARP;

/// A VLAN tag (IEEE 802.1Q, 9.6).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tag {
    /// `ETH_P_8021Q` or `ETH_P_8021AD`.
    pub proto: u16,
    /// The VLAN id.
    pub vid: u16,
}

/// An Ethernet address.
pub type Mac = [u8; 6];

/// The address of all stations.
pub const BROADCAST: Mac = [0xff; 6];

/// Whether an address is that of a group, or of all.
#[inline]
pub const fn is_group(addr: &Mac) -> bool {
    let [first, ..] = *addr;
    first & 1 != 0
}

/// A frame.
#[derive(Clone, Copy, Debug)]
pub struct Frame {
    bytes: [u8; Frame::MAX],
    len: usize,
}

/// The type of the frames by which switches learn where an address is: the Ethernet configuration
/// testing protocol, which end stations ignore (`ETH_P_LOOPBACK`).
const ETH_P_LOOPBACK: u16 = 0x9000;

impl Frame {
    /// The longest frame, in bytes: a message with eight tags.
    const MAX: usize = 128;

    /// The shortest payload, in bytes (`ETH_ZLEN` without the header).
    const MIN_PAYLOAD: usize = 46;

    /// Begins a frame; the outermost tag comes first.
    pub fn new(to: Mac, from: Mac, tags: impl Iterator<Item = Tag>, protocol: u16) -> Frame {
        let mut frame = Frame {
            bytes: [0; Frame::MAX],
            len: 0,
        };
        frame.put(&to);
        frame.put(&from);
        for tag in tags {
            frame.put(&tag.proto.to_be_bytes());
            frame.put(&tag.vid.to_be_bytes());
        }
        frame.put(&protocol.to_be_bytes());
        frame
    }

    /// Appends bytes. What does not fit is left out.
    pub fn put(&mut self, bytes: &[u8]) {
        let places = self.bytes.get_mut(self.len..).unwrap_or_default();
        for (to, from) in places.iter_mut().zip(bytes) {
            *to = *from;
        }
        self.len = self.len.saturating_add(bytes.len()).min(Frame::MAX);
    }

    /// Appends a payload, and as many zeros as the shortest payload needs.
    pub fn with_payload(mut self, payload: &[u8]) -> Frame {
        self.put(payload);
        let missing = Frame::MIN_PAYLOAD.saturating_sub(payload.len());
        self.len = self.len.saturating_add(missing).min(Frame::MAX);
        self
    }

    /// The bytes of the frame.
    pub fn as_bytes(&self) -> &[u8] {
        self.bytes.get(..self.len).unwrap_or_default()
    }

    /// A frame by which switches learn where `addr` is, and which nobody else takes notice of.
    pub fn learning(addr: Mac, tags: impl Iterator<Item = Tag>) -> Frame {
        Frame::new(addr, addr, tags, ETH_P_LOOPBACK).with_payload(&[])
    }

    /// A frame by which all switches of a LAN learn where `addr` is: a request of RARP (RFC 903) for
    /// the address of the sender itself, as hypervisors send it for a machine that has moved.
    pub fn announcement(addr: Mac, tags: impl Iterator<Item = Tag>) -> Frame {
        const REQUEST: [u8; 8] = [0, 1, 8, 0, 6, 4, 0, 3];
        let mut message = [0; 28];
        let sender_and_target = REQUEST.iter().chain(&addr).chain(&[0; 4]).chain(&addr);
        message
            .iter_mut()
            .zip(sender_and_target)
            .for_each(|(to, from)| *to = *from);
        Frame::new(BROADCAST, addr, tags, ETH_P_RARP).with_payload(&message)
    }
}
