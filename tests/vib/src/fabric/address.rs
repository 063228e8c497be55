// SPDX-License-Identifier: GPL-2.0

//! Addresses of a subnet: LIDs, GIDs, GUIDs, P_Keys, and the ports of the switch.

/// How many ports of channel adapters the switch has.
pub const MAX_PORTS: usize = 64;

/// A local identifier: the address of a port, or of a multicast group, within the subnet.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Lid(pub u16);

impl Lid {
    /// What a port without a LID reports.
    pub const NONE: Lid = Lid(0);
    /// Means "whoever is at the end of this link": directed route packets carry it.
    pub const PERMISSIVE: Lid = Lid(0xffff);
    /// The first of the multicast LIDs.
    pub const MULTICAST: Lid = Lid(0xc000);

    /// Whether a port can have this LID.
    pub const fn is_unicast(self) -> bool {
        self.0 > 0 && self.0 < Lid::MULTICAST.0
    }

    /// Whether a multicast group can have this LID.
    pub const fn is_multicast(self) -> bool {
        self.0 >= Lid::MULTICAST.0 && self.0 < Lid::PERMISSIVE.0
    }
}

/// A globally unique identifier: of a node, of a port.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Guid(pub u64);

/// A global identifier, an IPv6 address in form: of a port, or of a multicast group.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Gid(pub [u8; 16]);

impl Gid {
    /// The unspecified one.
    pub const ZERO: Gid = Gid([0; 16]);

    /// The GID of a port: the prefix of its subnet, and its GUID.
    pub const fn of_port(prefix: u64, guid: Guid) -> Gid {
        Gid((((prefix as u128) << 64) | guid.0 as u128).to_be_bytes())
    }

    /// The group that IPoIB's broadcasts go to in a partition (RFC 4391, section 4).
    pub const fn ipoib_broadcast(pkey: Pkey) -> Gid {
        let partition = pkey.full().0 as u128;
        Gid((0xff12_401b_0000_0000_0000_0000_ffff_ffff_u128 | (partition << 80)).to_be_bytes())
    }

    /// Whether this is the GID of a multicast group.
    pub const fn is_multicast(self) -> bool {
        let [first, ..] = self.0;
        first == 0xff
    }

    /// The upper half: the subnet's prefix.
    pub const fn prefix(self) -> u64 {
        (u128::from_be_bytes(self.0) >> 64) as u64
    }

    /// The lower half: the port's GUID.
    pub const fn guid(self) -> Guid {
        Guid(u128::from_be_bytes(self.0) as u64)
    }
}

/// A partition key. The top bit says full member; two limited members cannot talk to each other.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Pkey(pub u16);

impl Pkey {
    /// An empty entry of a table.
    pub const NONE: Pkey = Pkey(0);
    /// Full membership of the partition that everybody is in.
    pub const DEFAULT: Pkey = Pkey(0xffff);
    const FULL: u16 = 0x8000;

    /// Whether this is an entry at all: partition 0 does not exist.
    pub const fn is_valid(self) -> bool {
        self.0 & !Pkey::FULL != 0
    }

    /// Whether the member may talk to limited members.
    pub const fn is_full(self) -> bool {
        self.0 & Pkey::FULL != 0
    }

    /// Full membership of the same partition.
    pub const fn full(self) -> Pkey {
        Pkey(self.0 | Pkey::FULL)
    }

    /// Whether both keys are of one partition, whatever the membership.
    pub const fn same_partition(self, other: Pkey) -> bool {
        self.is_valid() && self.full().0 == other.full().0
    }

    /// Whether the holders of the two keys may talk to each other.
    pub const fn matches(self, other: Pkey) -> bool {
        self.same_partition(other) && (self.is_full() || other.is_full())
    }
}

/// A port of the switch, and so the port of the channel adapter that is plugged into it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PortId(u8);

impl PortId {
    /// The port with this index, below [`MAX_PORTS`].
    pub const fn new(index: usize) -> Option<PortId> {
        if index < MAX_PORTS {
            Some(PortId(index as u8))
        } else {
            None
        }
    }

    /// The index, below [`MAX_PORTS`].
    pub const fn index(self) -> usize {
        self.0 as usize
    }

    /// The number on the switch's faceplate: port 0 is the switch's own.
    pub const fn switch_port(self) -> u8 {
        self.0.wrapping_add(1)
    }
}

/// A set of ports.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct PortSet(u64);

impl PortSet {
    /// No port.
    pub const EMPTY: PortSet = PortSet(0);

    const fn bit(port: PortId) -> u64 {
        1u64.wrapping_shl(port.0 as u32)
    }

    /// Whether the port is in the set.
    pub const fn contains(self, port: PortId) -> bool {
        self.0 & PortSet::bit(port) != 0
    }

    /// Whether no port is in the set.
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// How many ports are in the set.
    pub const fn len(self) -> u32 {
        self.0.count_ones()
    }

    /// Puts the port into the set.
    pub fn insert(&mut self, port: PortId) {
        self.0 |= PortSet::bit(port);
    }

    /// Takes the port out of the set.
    pub fn remove(&mut self, port: PortId) {
        self.0 &= !PortSet::bit(port);
    }

    /// The ports of both sets together.
    #[must_use]
    pub const fn union(self, other: PortSet) -> PortSet {
        PortSet(self.0 | other.0)
    }

    /// The ports, lowest first.
    pub fn iter(self) -> impl Iterator<Item = PortId> {
        (0..MAX_PORTS)
            .filter_map(PortId::new)
            .filter(move |&port| self.contains(port))
    }
}
