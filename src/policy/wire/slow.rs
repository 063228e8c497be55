// SPDX-License-Identifier: GPL-2.0

//! The two slow protocols (IEEE 802.3, annex 57A) of link aggregation: LACP (IEEE 802.1AX-2014,
//! 6.4.2) and the Marker protocol (6.5.3).

use super::ether::ETH_P_SLOW;

/// The group address to which slow protocols are sent (`Slow_Protocols_Multicast`).
pub const SLOW_PROTOCOLS: [u8; 6] = [0x01, 0x80, 0xc2, 0x00, 0x00, 0x02];

/// The length of a PDU of either protocol in bytes, without the Ethernet header.
pub const PDU_LEN: usize = 110;

/// The length of a frame in bytes, without its check sequence.
pub const FRAME_LEN: usize = 14 + PDU_LEN;

const LACP: u8 = 1;
const MARKER: u8 = 2;
const VERSION: u8 = 1;

/// The state of a port as its system announces it (6.4.2.3 m): a set of bits, with the numbers of
/// `LACP_STATE_*` of `linux/if_bonding.h`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct State(u8);

impl State {
    /// Sends LACPDUs of its own accord.
    pub const ACTIVITY: State = State(0x01);
    /// Wants to hear from its partner each second, not only each 30 seconds.
    pub const TIMEOUT: State = State(0x02);
    /// May be aggregated with other ports.
    pub const AGGREGATION: State = State(0x04);
    /// Is attached to the right aggregator.
    pub const SYNCHRONIZATION: State = State(0x08);
    /// Receives data.
    pub const COLLECTING: State = State(0x10);
    /// Sends data.
    pub const DISTRIBUTING: State = State(0x20);
    /// Knows its partner from its own defaults only.
    pub const DEFAULTED: State = State(0x40);
    /// Has not heard its partner for too long.
    pub const EXPIRED: State = State(0x80);

    /// The set with these bits.
    pub const fn from_bits(bits: u8) -> State {
        State(bits)
    }

    /// The bits of the set.
    pub const fn bits(self) -> u8 {
        self.0
    }

    /// Whether all of `bits` are set.
    pub const fn has(self, bits: State) -> bool {
        self.0 & bits.0 == bits.0
    }

    /// The set with `bits` set or cleared.
    pub const fn with(self, bits: State, on: bool) -> State {
        State(if on {
            self.0 | bits.0
        } else {
            self.0 & !bits.0
        })
    }

    /// The bits that are also in `mask`.
    pub const fn masked(self, mask: State) -> State {
        State(self.0 & mask.0)
    }

    /// The bits of both sets.
    pub const fn union(self, other: State) -> State {
        State(self.0 | other.0)
    }
}

/// Identifies a system (6.3.2).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct SystemId {
    /// The priority; the lowest number is the highest priority.
    pub priority: u16,
    /// The MAC address.
    pub addr: [u8; 6],
}

/// What a system says about one of its ports (6.4.2.3), or about that of its partner.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct PortInfo {
    /// The system.
    pub system: SystemId,
    /// The operational key: ports with different keys cannot be aggregated.
    pub key: u16,
    /// The priority of the port.
    pub port_priority: u16,
    /// The number of the port.
    pub port: u16,
    /// Its state.
    pub state: State,
}

/// An LACPDU.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Lacpdu {
    /// The port that sends it.
    pub actor: PortInfo,
    /// What the sender knows of the port that receives it.
    pub partner: PortInfo,
}

/// A Marker PDU.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Marker {
    /// The number of the port that asks.
    pub port: u16,
    /// Its system.
    pub system: [u8; 6],
    /// Identifies the request.
    pub transaction: [u8; 4],
}

/// A PDU of a slow protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Slow {
    /// An LACPDU.
    Lacpdu(Lacpdu),
    /// A request that asks for a response (Marker Information).
    Marker(Marker),
    /// A response (Marker Response Information).
    MarkerResponse(Marker),
    /// An LACPDU or a Marker PDU that is too short or malformed.
    IllegalLacpdu,
    /// A Marker PDU that is malformed.
    IllegalMarker,
    /// A PDU of another slow protocol, such as OAM.
    Other,
}

/// The types and lengths of TLVs (6.4.2.3, 6.5.3.3).
const ACTOR: [u8; 2] = [1, 20];
const PARTNER: [u8; 2] = [2, 20];
const COLLECTOR: [u8; 2] = [3, 16];
const MARKER_INFORMATION: [u8; 2] = [1, 16];
const MARKER_RESPONSE: [u8; 2] = [2, 16];

/// Reads a number of bytes, or nothing if there are not as many.
fn take<'a, const N: usize>(bytes: &mut &'a [u8]) -> Option<&'a [u8; N]> {
    let (first, rest) = bytes.split_first_chunk::<N>()?;
    *bytes = rest;
    Some(first)
}

fn take_u16(bytes: &mut &[u8]) -> Option<u16> {
    take(bytes).copied().map(u16::from_be_bytes)
}

/// Reads the TLV of a port, which must be of this type and length.
fn take_port(bytes: &mut &[u8], tlv: [u8; 2]) -> Option<PortInfo> {
    if *take(bytes)? != tlv {
        return None;
    }
    let info = PortInfo {
        system: SystemId {
            priority: take_u16(bytes)?,
            addr: *take(bytes)?,
        },
        key: take_u16(bytes)?,
        port_priority: take_u16(bytes)?,
        port: take_u16(bytes)?,
        state: State(take::<1>(bytes).copied().map(u8::from_be_bytes)?),
    };
    take::<3>(bytes)?;
    Some(info)
}

impl Slow {
    /// Reads a PDU, without the Ethernet header (network byte order).
    ///
    /// PDUs of all versions are read as version 1: what later versions add follows what is read
    /// here (6.4.2.3, 6.4.12). Reserved octets are ignored.
    pub fn parse(pdu: &[u8]) -> Slow {
        match pdu.first() {
            Some(&LACP) => parse_lacpdu(pdu).map_or(Slow::IllegalLacpdu, Slow::Lacpdu),
            Some(&MARKER) if pdu.len() < PDU_LEN => Slow::IllegalLacpdu,
            Some(&MARKER) => parse_marker(pdu).unwrap_or(Slow::IllegalMarker),
            Some(_) => Slow::Other,
            None => Slow::IllegalLacpdu,
        }
    }
}

fn parse_lacpdu(pdu: &[u8]) -> Option<Lacpdu> {
    let mut rest = pdu.get(2..).filter(|_| pdu.len() >= PDU_LEN)?;
    let actor = take_port(&mut rest, ACTOR)?;
    let partner = take_port(&mut rest, PARTNER)?;
    (*take(&mut rest)? == COLLECTOR).then_some(Lacpdu { actor, partner })
}

fn parse_marker(pdu: &[u8]) -> Option<Slow> {
    let mut rest = pdu.get(2..)?;
    let tlv = *take(&mut rest)?;
    let marker = Marker {
        port: take_u16(&mut rest)?,
        system: *take(&mut rest)?,
        transaction: *take(&mut rest)?,
    };
    match tlv {
        MARKER_INFORMATION => Some(Slow::Marker(marker)),
        MARKER_RESPONSE => Some(Slow::MarkerResponse(marker)),
        _ => None,
    }
}

/// A frame that is being written; what is not written is zero.
struct Writer {
    frame: [u8; FRAME_LEN],
    at: usize,
}

impl Writer {
    /// Begins with the Ethernet header and with subtype and version of the protocol.
    fn new(source: [u8; 6], subtype: u8) -> Writer {
        let mut writer = Writer {
            frame: [0; FRAME_LEN],
            at: 0,
        };
        writer.put(&SLOW_PROTOCOLS);
        writer.put(&source);
        writer.put_u16(ETH_P_SLOW);
        writer.put(&[subtype, VERSION]);
        writer
    }

    fn put(&mut self, bytes: &[u8]) {
        let places = self.frame.iter_mut().skip(self.at);
        places.zip(bytes).for_each(|(to, from)| *to = *from);
        self.at = self.at.saturating_add(bytes.len());
    }

    fn put_u16(&mut self, number: u16) {
        self.put(&number.to_be_bytes());
    }

    fn put_port(&mut self, tlv: [u8; 2], info: &PortInfo) {
        self.put(&tlv);
        self.put_u16(info.system.priority);
        self.put(&info.system.addr);
        self.put_u16(info.key);
        self.put_u16(info.port_priority);
        self.put_u16(info.port);
        self.put(&[info.state.0, 0, 0, 0]);
    }
}

impl Lacpdu {
    /// The frame that carries this PDU, from this hardware address. `CollectorMaxDelay` is 0: what
    /// the bond receives is not delayed.
    pub fn frame(&self, source: [u8; 6]) -> [u8; FRAME_LEN] {
        let mut writer = Writer::new(source, LACP);
        writer.put_port(ACTOR, &self.actor);
        writer.put_port(PARTNER, &self.partner);
        writer.put(&COLLECTOR);
        writer.frame
    }
}

impl Marker {
    /// The frame that answers this request, from this hardware address.
    pub fn response(&self, source: [u8; 6]) -> [u8; FRAME_LEN] {
        let mut writer = Writer::new(source, MARKER);
        writer.put(&MARKER_RESPONSE);
        writer.put_u16(self.port);
        writer.put(&self.system);
        writer.put(&self.transaction);
        writer.frame
    }
}
