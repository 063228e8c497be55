// SPDX-License-Identifier: GPL-2.0

//! Devices, bonds, slaves and addresses, read from messages of rtnetlink.

use crate::args::Net;
use netlink_packet_route::address::{
    AddressAttribute, AddressHeaderFlags, AddressMessage, AddressScope,
};
use netlink_packet_route::link::{
    BondAdInfo, BondMode, BondPortState, InfoBond, InfoBondPort, InfoData, InfoIpoib, InfoKind,
    InfoPortData, IpoibMode, LinkAttribute, LinkFlags, LinkInfo, LinkLayerType, LinkMessage,
    MiiStatus, Stats64,
};
use std::fmt;

/// What kind of link a device is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum LinkType {
    /// Ethernet.
    Ethernet,
    /// IP over InfiniBand.
    Infiniband,
    /// Anything else, by its number (`ARPHRD_*`).
    Other(u16),
}

impl fmt::Display for LinkType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            LinkType::Ethernet => f.write_str("Ethernet"),
            LinkType::Infiniband => f.write_str("InfiniBand"),
            LinkType::Other(number) => write!(f, "link type {number}"),
        }
    }
}

/// A network device.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Device {
    /// Its number.
    pub(crate) index: u32,
    /// Its name.
    pub(crate) name: String,
    /// Its link type.
    pub(crate) link_type: LinkType,
    /// Whether it is set up (`IFF_UP`).
    pub(crate) up: bool,
    /// Whether its link works.
    pub(crate) carrier: bool,
    /// In bytes.
    pub(crate) mtu: u32,
    /// Its hardware address.
    pub(crate) hardware_address: Vec<u8>,
    /// The number of its master.
    pub(crate) master: Option<u32>,
    /// The number of the device that it is made on.
    pub(crate) parent: Option<u32>,
    /// The kind that `ip link add type` would take.
    pub(crate) kind: Option<String>,
    /// The name of the hardware device, such as a PCI address.
    pub(crate) hardware: Option<String>,
    /// If it is a bond: its options and its state.
    pub(crate) bond: Option<Bond>,
    /// If it is a slave of a bond: its part in that.
    pub(crate) slave: Option<Slave>,
    /// If it is an IPoIB interface: its partition and its mode.
    pub(crate) ipoib: Option<Ipoib>,
    /// What has passed through it since it was made.
    pub(crate) counters: Counters,
}

/// What a bond is set to, and what it has chosen.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Bond {
    /// Its mode, as a number.
    pub(crate) mode: u8,
    /// How often it looks at carriers, in milliseconds; 0 is never.
    pub(crate) miimon: u32,
    /// How often it sends ARP probes, in milliseconds; 0 is never.
    pub(crate) arp_interval: u32,
    /// For how long a link must work before it is used, in milliseconds.
    pub(crate) updelay: u32,
    /// For how long a link must be lost before it is given up, in milliseconds.
    pub(crate) downdelay: u32,
    /// The number of the active slave.
    pub(crate) active: Option<u32>,
    /// The number of the slave that is preferred.
    pub(crate) primary: Option<u32>,
    /// Whose hardware address it has: 0 none, 1 active, 2 follow.
    pub(crate) fail_over_mac: u8,
    /// In 802.3ad mode: the aggregator in use.
    pub(crate) aggregator: Option<u16>,
}

impl Bond {
    /// The name of the mode.
    pub(crate) fn mode_name(&self) -> String {
        BondMode::from(self.mode).to_string()
    }

    /// Whether the mode is 802.3ad.
    pub(crate) fn is_lacp(&self) -> bool {
        BondMode::from(self.mode) == BondMode::Ieee8023Ad
    }

    /// Whether one slave carries the traffic, and the others wait.
    pub(crate) fn has_active(&self) -> bool {
        matches!(
            BondMode::from(self.mode),
            BondMode::ActiveBackup | BondMode::BalanceTlb | BondMode::BalanceAlb
        )
    }
}

/// The number of the mode active-backup.
pub(crate) const ACTIVE_BACKUP: u8 = 1;

/// What a bond thinks of the link of a slave.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Link {
    /// It works.
    Up,
    /// It is lost, and given up after `downdelay`.
    GoingDown,
    /// It is lost.
    Down,
    /// It works again, and is used after `updelay`.
    GoingBack,
}

/// What a slave is in its bond.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Slave {
    /// Whether it carries traffic, as far as its mode goes.
    pub(crate) is_active: bool,
    /// What the bond thinks of its link.
    pub(crate) link: Link,
    /// How often its link was lost.
    pub(crate) link_failures: u32,
    /// The hardware address that it has of its own.
    pub(crate) own_address: Vec<u8>,
    /// In 802.3ad mode: its aggregator.
    pub(crate) aggregator: Option<u16>,
}

/// What an IPoIB interface is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Ipoib {
    /// The key of its partition.
    pub(crate) pkey: u16,
    /// Whether it is in connected mode, and not in datagram mode.
    pub(crate) is_connected: bool,
}

/// What has passed through a device.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Counters {
    /// Packets received.
    pub(crate) rx_packets: u64,
    /// Bytes received.
    pub(crate) rx_bytes: u64,
    /// Packets sent.
    pub(crate) tx_packets: u64,
    /// Bytes sent.
    pub(crate) tx_bytes: u64,
    /// Packets that could not be received, or were dropped.
    pub(crate) rx_lost: u64,
    /// Packets that could not be sent, or were dropped.
    pub(crate) tx_lost: u64,
}

/// An IP address of a device.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Address {
    /// The number of the device.
    pub(crate) index: u32,
    /// The address.
    pub(crate) net: Net,
    /// Whether it is one that a person or a service has given, and not a link-local one.
    pub(crate) is_global: bool,
    /// What the kernel said of it.
    pub(super) message: AddressMessage,
}

#[cfg(test)]
impl Address {
    /// An address that somebody has given to a device.
    pub(crate) fn given(index: u32, net: Net) -> Self {
        Address {
            index,
            net,
            is_global: true,
            message: AddressMessage::default(),
        }
    }
}

impl Address {
    pub(super) fn parse(message: AddressMessage) -> Option<Self> {
        let mut given = None;
        let mut local = None;
        for attribute in &message.attributes {
            match attribute {
                AddressAttribute::Address(ip) => given = Some(*ip),
                AddressAttribute::Local(ip) => local = Some(*ip),
                _ => {}
            }
        }
        // On a point-to-point link, the other one is that of the far end.
        let ip = local.or(given)?;
        let is_given = message.header.flags.contains(AddressHeaderFlags::Permanent) || ip.is_ipv4();
        Some(Address {
            index: message.header.index,
            net: Net {
                ip,
                bits: message.header.prefix_len,
            },
            is_global: message.header.scope == AddressScope::Universe && is_given,
            message,
        })
    }
}

impl Device {
    pub(super) fn parse(link: LinkMessage) -> Option<Self> {
        let mut device = Device {
            index: link.header.index,
            name: String::new(),
            link_type: match link.header.link_layer_type {
                LinkLayerType::Ether => LinkType::Ethernet,
                LinkLayerType::Infiniband => LinkType::Infiniband,
                other => LinkType::Other(other.into()),
            },
            up: link.header.flags.contains(LinkFlags::Up),
            carrier: link.header.flags.contains(LinkFlags::LowerUp),
            mtu: 0,
            hardware_address: Vec::new(),
            master: None,
            parent: None,
            kind: None,
            hardware: None,
            bond: None,
            slave: None,
            ipoib: None,
            counters: Counters::default(),
        };
        for attribute in link.attributes {
            match attribute {
                LinkAttribute::IfName(name) => device.name = name,
                LinkAttribute::Mtu(mtu) => device.mtu = mtu,
                LinkAttribute::Address(address) => device.hardware_address = address,
                LinkAttribute::Controller(index) if index != 0 => device.master = Some(index),
                LinkAttribute::Link(index) if index != 0 => device.parent = Some(index),
                LinkAttribute::ParentDevName(name) => device.hardware = Some(name),
                LinkAttribute::Stats64(stats) => device.counters = Counters::of(&stats),
                LinkAttribute::LinkInfo(infos) => {
                    for info in infos {
                        device.take(info);
                    }
                }
                _ => {}
            }
        }
        (!device.name.is_empty()).then_some(device)
    }

    fn take(&mut self, info: LinkInfo) {
        match info {
            LinkInfo::Kind(kind) => {
                if kind == InfoKind::Bond {
                    self.bond = Some(Bond::default());
                }
                self.kind = Some(kind.to_string());
            }
            LinkInfo::Data(InfoData::Bond(options)) => self.bond = Some(Bond::parse(options)),
            LinkInfo::Data(InfoData::Ipoib(options)) => self.ipoib = Some(Ipoib::parse(options)),
            LinkInfo::PortData(InfoPortData::BondPort(options)) => {
                self.slave = Some(Slave::parse(options))
            }
            _ => {}
        }
    }
}

impl Counters {
    fn of(stats: &Stats64) -> Self {
        Counters {
            rx_packets: stats.rx_packets,
            rx_bytes: stats.rx_bytes,
            tx_packets: stats.tx_packets,
            tx_bytes: stats.tx_bytes,
            rx_lost: stats.rx_errors.saturating_add(stats.rx_dropped),
            tx_lost: stats.tx_errors.saturating_add(stats.tx_dropped),
        }
    }
}

impl Bond {
    fn parse(options: Vec<InfoBond>) -> Self {
        let mut bond = Bond::default();
        for option in options {
            match option {
                InfoBond::Mode(mode) => bond.mode = mode.into(),
                InfoBond::MiiMon(ms) => bond.miimon = ms,
                InfoBond::ArpInterval(ms) => bond.arp_interval = ms,
                InfoBond::UpDelay(ms) => bond.updelay = ms,
                InfoBond::DownDelay(ms) => bond.downdelay = ms,
                InfoBond::ActivePort(index) => bond.active = Some(index),
                InfoBond::Primary(index) => bond.primary = Some(index),
                InfoBond::FailOverMac(policy) => bond.fail_over_mac = policy.into(),
                InfoBond::AdInfo(infos) => {
                    bond.aggregator = infos.into_iter().find_map(|info| match info {
                        BondAdInfo::Aggregator(number) => Some(number),
                        _ => None,
                    });
                }
                _ => {}
            }
        }
        bond
    }
}

impl Slave {
    fn parse(options: Vec<InfoBondPort>) -> Self {
        let mut slave = Slave {
            is_active: false,
            link: Link::Down,
            link_failures: 0,
            own_address: Vec::new(),
            aggregator: None,
        };
        for option in options {
            match option {
                InfoBondPort::BondPortState(state) => {
                    slave.is_active = state == BondPortState::Active
                }
                InfoBondPort::MiiStatus(status) => {
                    slave.link = match status {
                        MiiStatus::Up => Link::Up,
                        MiiStatus::GoingDown => Link::GoingDown,
                        MiiStatus::GoingBack => Link::GoingBack,
                        _ => Link::Down,
                    }
                }
                InfoBondPort::LinkFailureCount(count) => slave.link_failures = count,
                InfoBondPort::PermHwaddr(address) => slave.own_address = address,
                InfoBondPort::AdAggregatorId(number) => slave.aggregator = Some(number),
                _ => {}
            }
        }
        slave
    }
}

impl Ipoib {
    fn parse(options: Vec<InfoIpoib>) -> Self {
        let mut ipoib = Ipoib {
            pkey: 0,
            is_connected: false,
        };
        for option in options {
            match option {
                InfoIpoib::Pkey(pkey) => ipoib.pkey = pkey,
                InfoIpoib::Mode(mode) => ipoib.is_connected = mode == IpoibMode::Connected,
                _ => {}
            }
        }
        ipoib
    }
}
