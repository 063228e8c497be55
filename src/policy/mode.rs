// SPDX-License-Identifier: GPL-2.0

//! The modes of a bond, one row each.
//!
//! Code that has to know what a mode does reads a column of its [`Row`], and handles each value of
//! that column. No other code compares modes: a new mode is a row here, its machine, and its file
//! in `src/bond/modes/`.

/// How a bond uses its slaves; the numbers are those of `linux/if_bonding.h` (`BOND_MODE_*`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(u8)]
pub enum Mode {
    /// Packets go out through the slaves in turn (`BOND_MODE_ROUNDROBIN`).
    #[default]
    RoundRobin = 0,
    /// One slave carries the traffic, the others stand by (`BOND_MODE_ACTIVEBACKUP`).
    ActiveBackup = 1,
    /// A hash of the packet picks the slave (`BOND_MODE_XOR`).
    Xor = 2,
    /// Every packet goes out through every slave (`BOND_MODE_BROADCAST`).
    Broadcast = 3,
    /// Link aggregation by IEEE 802.1AX, formerly 802.3ad (`BOND_MODE_8023AD`).
    Ieee8023ad = 4,
    /// Transmit load balancing (`BOND_MODE_TLB`).
    Tlb = 5,
    /// Transmit and receive load balancing (`BOND_MODE_ALB`).
    Alb = 6,
}

/// Which slave a packet leaves through.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sender {
    /// One slave after the other.
    Turn,
    /// The active one.
    Active,
    /// The one that a hash of the packet picks (`xmit_hash_policy`).
    Hash,
    /// All of them.
    All,
    /// The one with the least load.
    Load,
}

/// Whether one slave is singled out as the active one, so that `primary`, `active_slave` and `prio`
/// have a meaning. Only that slave then has the bond's address lists and its promiscuous mode.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Active {
    /// One slave is.
    One,
    /// All slaves are alike.
    All,
}

/// What a slave other than the active one is to the network core and to other drivers
/// (`struct slave` of `net/bonding.h`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Idle {
    /// In use like any other slave.
    InUse,
    /// A backup; the bond does not receive the packets that arrive on it.
    Backup,
    /// Not a backup, since it sends; but the bond does not receive the packets that arrive on it.
    Inactive,
    /// Like `Inactive`, but the bond does receive packets to a unicast address.
    HearsUnicast,
}

/// Which protocol decides which slaves are in use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    /// None: their links do, and the options.
    None,
    /// LACP ([`crate::lacp`]).
    Lacp,
}

/// When the bond has carrier.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Carrier {
    /// When any link is up.
    AnyLink,
    /// When the active aggregator has at least `min_links` links that are up.
    Aggregator,
}

/// How the ARP monitor watches the links.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Probes {
    /// The active slave sends the probes, the others hear them.
    ByActive,
    /// Each slave sends its own.
    ByEach,
    /// Not at all: the mode needs the speed and the state of each link, that is, `miimon`.
    Refused,
}

/// Whether a packet whose transmit queue is tied to a slave (`queue_id`) leaves through that slave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum QueueOverride {
    /// It does.
    Obeyed,
    /// The mode chooses the slave all the same.
    Ignored,
}

/// Which hardware addresses the bond and its slaves have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Addresses {
    /// As `fail_over_mac` says.
    ByOption,
    /// All slaves have the address of the bond.
    Shared,
    /// Each slave has its own address; the active one has that of the bond.
    Own,
}

/// When neighbours are told the bond's addresses again (`num_grat_arp`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotifyPeers {
    /// When another slave becomes active.
    OnFailover,
    /// Never.
    Never,
}

/// When IGMP memberships are reported again (`resend_igmp`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ResendIgmp {
    /// When another slave becomes active.
    OnFailover,
    /// When another slave becomes active, and when none is left.
    OnChange,
    /// Never.
    Never,
}

/// Where IPsec processing that is left to the bond takes place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ipsec {
    /// In the hardware of the active slave.
    Active,
    /// In software: a state can be in one device only.
    Software,
}

/// Where the records of TLS sockets are encrypted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tls {
    /// In the hardware of the slave that `layer3+4` picks for all packets of a socket; with another
    /// hash, in software.
    Layer34,
    /// In software.
    Software,
}

/// Whether a slave can be chosen for a frame that has not passed through the stack, as XDP programs
/// send them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Xdp {
    /// It can.
    Native,
    /// It can, unless the hash covers VLAN tags, which are seldom part of such a frame.
    ButVlan,
    /// It cannot.
    Refused,
}

/// Whether slaves may be InfiniBand devices.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Infiniband {
    /// They may.
    Allowed,
    /// They may not: each would have to send from the bond's address, which is bound to one port.
    Refused,
}

/// What the bond is to drivers that offload it (`enum netdev_lag_tx_type`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lag {
    /// `NETDEV_LAG_TX_TYPE_ROUNDROBIN`
    RoundRobin,
    /// `NETDEV_LAG_TX_TYPE_ACTIVEBACKUP`
    ActiveBackup,
    /// `NETDEV_LAG_TX_TYPE_HASH`
    Hash,
    /// `NETDEV_LAG_TX_TYPE_BROADCAST`
    Broadcast,
    /// `NETDEV_LAG_TX_TYPE_UNKNOWN`
    Unknown,
}

/// The speed that ethtool shows for the bond.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Speed {
    /// The sum of the speeds of the slaves that can send.
    Sum,
    /// The speed of the slowest slave that can send.
    Slowest,
}

/// What a mode is.
#[derive(Clone, Copy, Debug)]
pub struct Row {
    /// The value of the `mode` option: what users write and sysfs shows.
    pub name: &'static str,
    /// The text after `Bonding Mode: ` in `/proc/net/bonding/BOND`.
    pub description: &'static str,
    /// See [`Sender`].
    pub sender: Sender,
    /// See [`Active`].
    pub active: Active,
    /// See [`Idle`].
    pub idle: Idle,
    /// See [`Protocol`].
    pub protocol: Protocol,
    /// See [`Carrier`].
    pub carrier: Carrier,
    /// See [`Probes`].
    pub probes: Probes,
    /// See [`QueueOverride`].
    pub queue_override: QueueOverride,
    /// See [`Addresses`].
    pub addresses: Addresses,
    /// See [`NotifyPeers`].
    pub notify_peers: NotifyPeers,
    /// See [`ResendIgmp`].
    pub resend_igmp: ResendIgmp,
    /// See [`Ipsec`].
    pub ipsec: Ipsec,
    /// See [`Tls`].
    pub tls: Tls,
    /// See [`Xdp`].
    pub xdp: Xdp,
    /// See [`Infiniband`].
    pub infiniband: Infiniband,
    /// See [`Lag`].
    pub lag: Lag,
    /// See [`Speed`].
    pub speed: Speed,
}

const ROUND_ROBIN: Row = Row {
    name: "balance-rr",
    description: "load balancing (round-robin)",
    sender: Sender::Turn,
    active: Active::All,
    idle: Idle::InUse,
    protocol: Protocol::None,
    carrier: Carrier::AnyLink,
    probes: Probes::ByEach,
    queue_override: QueueOverride::Obeyed,
    addresses: Addresses::Shared,
    notify_peers: NotifyPeers::Never,
    resend_igmp: ResendIgmp::OnChange,
    ipsec: Ipsec::Software,
    tls: Tls::Software,
    xdp: Xdp::Native,
    infiniband: Infiniband::Refused,
    lag: Lag::RoundRobin,
    speed: Speed::Sum,
};

const ACTIVE_BACKUP: Row = Row {
    name: "active-backup",
    description: "fault-tolerance (active-backup)",
    sender: Sender::Active,
    active: Active::One,
    idle: Idle::Backup,
    protocol: Protocol::None,
    carrier: Carrier::AnyLink,
    probes: Probes::ByActive,
    queue_override: QueueOverride::Obeyed,
    addresses: Addresses::ByOption,
    notify_peers: NotifyPeers::OnFailover,
    resend_igmp: ResendIgmp::OnFailover,
    ipsec: Ipsec::Active,
    tls: Tls::Software,
    xdp: Xdp::Native,
    infiniband: Infiniband::Allowed,
    lag: Lag::ActiveBackup,
    speed: Speed::Sum,
};

const XOR: Row = Row {
    name: "balance-xor",
    description: "load balancing (xor)",
    sender: Sender::Hash,
    active: Active::All,
    idle: Idle::InUse,
    protocol: Protocol::None,
    carrier: Carrier::AnyLink,
    probes: Probes::ByEach,
    queue_override: QueueOverride::Ignored,
    addresses: Addresses::Shared,
    notify_peers: NotifyPeers::Never,
    resend_igmp: ResendIgmp::Never,
    ipsec: Ipsec::Software,
    tls: Tls::Layer34,
    xdp: Xdp::ButVlan,
    infiniband: Infiniband::Refused,
    lag: Lag::Hash,
    speed: Speed::Sum,
};

const BROADCAST: Row = Row {
    name: "broadcast",
    description: "fault-tolerance (broadcast)",
    sender: Sender::All,
    active: Active::All,
    idle: Idle::InUse,
    protocol: Protocol::None,
    carrier: Carrier::AnyLink,
    probes: Probes::ByEach,
    queue_override: QueueOverride::Ignored,
    addresses: Addresses::Shared,
    notify_peers: NotifyPeers::Never,
    resend_igmp: ResendIgmp::Never,
    ipsec: Ipsec::Software,
    tls: Tls::Software,
    xdp: Xdp::Refused,
    infiniband: Infiniband::Refused,
    lag: Lag::Broadcast,
    speed: Speed::Slowest,
};

const IEEE_802_3AD: Row = Row {
    name: "802.3ad",
    description: "IEEE 802.3ad Dynamic link aggregation",
    sender: Sender::Hash,
    active: Active::All,
    idle: Idle::Backup,
    protocol: Protocol::Lacp,
    carrier: Carrier::Aggregator,
    probes: Probes::Refused,
    queue_override: QueueOverride::Ignored,
    addresses: Addresses::Shared,
    notify_peers: NotifyPeers::Never,
    resend_igmp: ResendIgmp::Never,
    ipsec: Ipsec::Software,
    tls: Tls::Layer34,
    xdp: Xdp::ButVlan,
    infiniband: Infiniband::Refused,
    lag: Lag::Hash,
    speed: Speed::Sum,
};

const TLB: Row = Row {
    name: "balance-tlb",
    description: "transmit load balancing",
    sender: Sender::Load,
    active: Active::One,
    idle: Idle::Inactive,
    protocol: Protocol::None,
    carrier: Carrier::AnyLink,
    probes: Probes::Refused,
    queue_override: QueueOverride::Ignored,
    addresses: Addresses::Own,
    notify_peers: NotifyPeers::Never,
    resend_igmp: ResendIgmp::OnFailover,
    ipsec: Ipsec::Software,
    tls: Tls::Software,
    xdp: Xdp::Refused,
    infiniband: Infiniband::Refused,
    lag: Lag::Unknown,
    speed: Speed::Sum,
};

const ALB: Row = Row {
    name: "balance-alb",
    description: "adaptive load balancing",
    idle: Idle::HearsUnicast,
    ..TLB
};

impl Mode {
    /// Every mode, in the order of the numbers.
    pub const ALL: [Mode; 7] = [
        Mode::RoundRobin,
        Mode::ActiveBackup,
        Mode::Xor,
        Mode::Broadcast,
        Mode::Ieee8023ad,
        Mode::Tlb,
        Mode::Alb,
    ];

    /// What the mode is.
    pub const fn row(self) -> &'static Row {
        match self {
            Mode::RoundRobin => &ROUND_ROBIN,
            Mode::ActiveBackup => &ACTIVE_BACKUP,
            Mode::Xor => &XOR,
            Mode::Broadcast => &BROADCAST,
            Mode::Ieee8023ad => &IEEE_802_3AD,
            Mode::Tlb => &TLB,
            Mode::Alb => &ALB,
        }
    }

    /// The value of the `mode` option.
    pub const fn name(self) -> &'static str {
        self.row().name
    }

    /// The text after `Bonding Mode: ` in `/proc/net/bonding/BOND`.
    pub const fn description(self) -> &'static str {
        self.row().description
    }

    /// The number of the mode, as in `linux/if_bonding.h`.
    pub const fn number(self) -> u8 {
        self as u8
    }

    /// The mode with this number, if there is one.
    pub fn from_number(number: u64) -> Option<Mode> {
        Mode::ALL
            .into_iter()
            .find(|mode| u64::from(mode.number()) == number)
    }

    /// The mode with this number; runs for every packet. The number is one that [`Mode::number`]
    /// returns.
    #[inline(always)]
    pub const fn from_published(number: i32) -> Mode {
        const LAST: i32 = Mode::Alb as i32;
        match number {
            1 => Mode::ActiveBackup,
            2 => Mode::Xor,
            3 => Mode::Broadcast,
            4 => Mode::Ieee8023ad,
            5 => Mode::Tlb,
            LAST => Mode::Alb,
            _ => Mode::RoundRobin,
        }
    }

    /// The mode's bit in a set of modes.
    pub const fn bit(self) -> u8 {
        1u8.wrapping_shl(self as u32)
    }

    /// Whether LACP decides which slaves are in use: [`Protocol::Lacp`].
    pub const fn runs_lacp(self) -> bool {
        match self.row().protocol {
            Protocol::Lacp => true,
            Protocol::None => false,
        }
    }

    /// Whether one slave is singled out: [`Active::One`].
    pub const fn uses_primary(self) -> bool {
        matches!(self.row().active, Active::One)
    }

    /// Whether each slave has an address of its own: [`Addresses::Own`].
    pub const fn has_own_addresses(self) -> bool {
        match self.row().addresses {
            Addresses::Own => true,
            Addresses::ByOption | Addresses::Shared => false,
        }
    }

    /// Whether neighbours send to one of the slaves each: [`Idle::HearsUnicast`].
    pub const fn has_clients(self) -> bool {
        matches!(self.row().idle, Idle::HearsUnicast)
    }
}
