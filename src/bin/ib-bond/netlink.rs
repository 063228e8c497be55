// SPDX-License-Identifier: GPL-2.0

//! Devices, bonds, slaves, addresses and routes, as rtnetlink has them.

use crate::args::Net;
use crate::error::words;
use netlink_packet_core::{
    NetlinkHeader, NetlinkMessage, NetlinkPayload, NlasIterator, NLM_F_ACK, NLM_F_ACK_TLVS,
    NLM_F_CREATE, NLM_F_DUMP, NLM_F_DUMP_INTR, NLM_F_EXCL, NLM_F_REPLACE, NLM_F_REQUEST,
};
use netlink_packet_route::address::{
    AddressAttribute, AddressHeaderFlags, AddressMessage, AddressScope,
};
use netlink_packet_route::link::{
    BondAdInfo, BondMode, BondPortState, InfoBond, InfoBondPort, InfoData, InfoIpoib, InfoKind,
    InfoPortData, IpoibMode, LinkAttribute, LinkFlags, LinkInfo, LinkLayerType, LinkMessage,
    MiiStatus, Stats64,
};
use netlink_packet_route::route::{RouteAttribute, RouteFlags, RouteMessage, RouteProtocol};
use netlink_packet_route::{AddressFamily, RouteNetlinkMessage};
use netlink_sys::{protocols::NETLINK_ROUTE, Socket, SocketAddr};
use std::fmt;
use std::io;
use std::net::IpAddr;
use std::os::fd::{AsFd, BorrowedFd};

/// The group of news about links.
const RTNLGRP_LINK: u32 = 1;
const EPERM: i32 = 1;
const EIO: i32 = 5;
const EAGAIN: i32 = 11;
const EEXIST: i32 = 17;
const ENODEV: i32 = 19;
const ENOBUFS: i32 = 105;
/// The attribute of an answer that has the kernel's own words.
const NLMSGERR_ATTR_MSG: u16 = 1;
/// The length of a netlink header, which an answer repeats before its attributes.
const HEADER_LEN: usize = 16;
/// How often a list is asked for again because it changed meanwhile.
const TRIES: usize = 20;

/// Why the kernel refused a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Refusal {
    /// The number of the error (`EPERM` is 1).
    pub(crate) errno: i32,
    /// What the kernel said, if anything.
    pub(crate) said: Option<String>,
}

impl Refusal {
    fn of(error: &io::Error) -> Self {
        let errno = error.raw_os_error();
        Refusal {
            errno: errno.unwrap_or(EIO),
            said: errno.is_none().then(|| error.to_string()),
        }
    }

    /// Whether rights are missing.
    pub(crate) fn is_permission(&self) -> bool {
        self.errno == EPERM
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.said {
            Some(said) => f.write_str(said.trim().trim_end_matches('.')),
            None => f.write_str(&words(&io::Error::from_raw_os_error(self.errno))),
        }
    }
}

/// What the functions here return.
pub(crate) type Result<T> = std::result::Result<T, Refusal>;

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
    message: AddressMessage,
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

/// The options of a bond that ib-bond sets; `None` is what the driver thinks best, or what is there.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct BondOptions {
    /// The mode, as a number.
    pub(crate) mode: Option<u8>,
    /// How often it looks at carriers, in milliseconds.
    pub(crate) miimon: Option<u32>,
    /// Whose hardware address it has: 0 none, 1 active, 2 follow.
    pub(crate) fail_over_mac: Option<u8>,
}

impl BondOptions {
    fn attributes(&self) -> Vec<InfoBond> {
        let mut list = Vec::new();
        list.extend(self.mode.map(|mode| InfoBond::Mode(mode.into())));
        list.extend(self.miimon.map(InfoBond::MiiMon));
        list.extend(
            self.fail_over_mac
                .map(|policy| InfoBond::FailOverMac(policy.into())),
        );
        list
    }
}

/// What a device loses when it is set down: addresses and routes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Saved {
    addresses: Vec<AddressMessage>,
    routes: Vec<RouteMessage>,
}

impl Saved {
    /// The same without this address.
    pub(crate) fn without(mut self, net: Net) -> Self {
        self.addresses.retain(|address| {
            parse_address(address.clone()).is_none_or(|address| address.net != net)
        });
        self
    }
}

#[cfg(test)]
impl Saved {
    /// Something that a test finds again by its number.
    pub(crate) fn numbered(number: u32) -> Self {
        let mut message = AddressMessage::default();
        message.header.index = number;
        Saved {
            addresses: vec![message],
            routes: vec![],
        }
    }

    /// The number.
    pub(crate) fn number(&self) -> u32 {
        self.addresses[0].header.index
    }
}

/// A connection to rtnetlink, in the network namespace of this process.
pub(crate) struct Netlink {
    socket: Socket,
    sequence: u32,
}

/// News of links, of this network namespace: a file that can be waited for.
pub(crate) struct LinkEvents(Socket);

impl LinkEvents {
    /// Asks for the news.
    pub(crate) fn open() -> Result<Self> {
        let open = || -> io::Result<Socket> {
            let mut socket = Socket::new(NETLINK_ROUTE)?;
            socket.bind_auto()?;
            socket.add_membership(RTNLGRP_LINK)?;
            socket.set_non_blocking(true)?;
            Ok(socket)
        };
        open().map(LinkEvents).map_err(|error| Refusal::of(&error))
    }

    /// Forgets the news that have come. News that were too many count as read.
    pub(crate) fn drain(&self) {
        while self.0.recv_from_full().map_or_else(
            |error| error.raw_os_error() == Some(ENOBUFS),
            |(bytes, _)| !bytes.is_empty(),
        ) {}
    }
}

impl AsFd for LinkEvents {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

impl Netlink {
    /// Opens the connection.
    pub(crate) fn open() -> Result<Self> {
        let open = || -> io::Result<Socket> {
            let mut socket = Socket::new(NETLINK_ROUTE)?;
            socket.bind_auto()?;
            socket.connect(&SocketAddr::new(0, 0))?;
            socket.set_ext_ack(true)?;
            socket.set_cap_ack(true)?;
            Ok(socket)
        };
        Ok(Netlink {
            socket: open().map_err(|error| Refusal::of(&error))?,
            sequence: 0,
        })
    }

    fn send(&mut self, message: RouteNetlinkMessage, flags: u16) -> Result<()> {
        self.sequence = self.sequence.wrapping_add(1);
        let mut header = NetlinkHeader::default();
        header.flags = NLM_F_REQUEST | flags;
        header.sequence_number = self.sequence;
        let mut message = NetlinkMessage::new(header, NetlinkPayload::from(message));
        message.finalize();
        let mut bytes = vec![0; message.buffer_len()];
        message.serialize(&mut bytes);
        self.socket
            .send(&bytes, 0)
            .map_err(|error| Refusal::of(&error))?;
        Ok(())
    }

    /// Hands each message of the answer to `each`, until that returns false or the answer is over. Returns whether the
    /// list changed while it was made. `None` stands for a message that the netlink crate does not understand.
    fn receive(
        &mut self,
        mut each: impl FnMut(Option<RouteNetlinkMessage>) -> bool,
    ) -> Result<bool> {
        let mut has_changed = false;
        loop {
            let (bytes, _) = self
                .socket
                .recv_from_full()
                .map_err(|error| Refusal::of(&error))?;
            let mut rest = &bytes[..];
            while rest.len() >= HEADER_LEN {
                let length = u32::from_ne_bytes([rest[0], rest[1], rest[2], rest[3]]) as usize;
                if length < HEADER_LEN || length > rest.len() {
                    break;
                }
                let (bytes, after) = rest.split_at(length);
                rest = after
                    .get(length.next_multiple_of(4) - length..)
                    .unwrap_or(&[]);
                let sequence = u32::from_ne_bytes([bytes[8], bytes[9], bytes[10], bytes[11]]);
                if sequence != self.sequence {
                    continue;
                }
                let Ok(message) = NetlinkMessage::<RouteNetlinkMessage>::deserialize(bytes) else {
                    if !each(None) {
                        return Ok(has_changed);
                    }
                    continue;
                };
                has_changed |= message.header.flags & NLM_F_DUMP_INTR != 0;
                match message.payload {
                    NetlinkPayload::Done(done) if done.code < 0 => {
                        return Err(Refusal {
                            errno: -done.code,
                            said: None,
                        })
                    }
                    NetlinkPayload::Done(_) => return Ok(has_changed),
                    NetlinkPayload::Error(error) => match error.code {
                        None => return Ok(has_changed),
                        Some(code) => {
                            let has_words = message.header.flags & NLM_F_ACK_TLVS != 0;
                            return Err(Refusal {
                                errno: -code.get(),
                                said: has_words.then(|| kernel_words(&error.header)).flatten(),
                            });
                        }
                    },
                    NetlinkPayload::InnerMessage(inner) => {
                        let goes_on = each(Some(inner));
                        if !goes_on {
                            return Ok(has_changed);
                        }
                    }
                    _ => {}
                }
            }
        }
    }

    /// A request that changes something.
    pub(crate) fn change(&mut self, message: RouteNetlinkMessage, flags: u16) -> Result<()> {
        self.send(message, NLM_F_ACK | flags)?;
        self.receive(|_| true).map(drop)
    }

    /// Everything of one kind. A list that changed while it was made is asked for again.
    pub(crate) fn dump<T>(
        &mut self,
        request: RouteNetlinkMessage,
        take: impl Fn(RouteNetlinkMessage) -> Option<T>,
    ) -> Result<Vec<T>> {
        let mut found = Vec::new();
        for _ in 0..TRIES {
            found.clear();
            self.send(request.clone(), NLM_F_DUMP)?;
            let has_changed = self.receive(|message| {
                found.extend(message.and_then(&take));
                true
            })?;
            if !has_changed {
                return Ok(found);
            }
        }
        Err(Refusal {
            errno: EAGAIN,
            said: Some("the list changes all the time".into()),
        })
    }

    /// All devices.
    pub(crate) fn devices(&mut self) -> Result<Vec<Device>> {
        self.dump(
            RouteNetlinkMessage::GetLink(LinkMessage::default()),
            |message| match message {
                RouteNetlinkMessage::NewLink(link) => Device::parse(link),
                _ => None,
            },
        )
    }

    /// The device of this name, if there is one.
    pub(crate) fn device(&mut self, name: &str) -> Result<Option<Device>> {
        let mut request = LinkMessage::default();
        request.attributes.push(LinkAttribute::IfName(name.into()));
        self.send(RouteNetlinkMessage::GetLink(request), 0)?;
        let mut found = None;
        let answer = self.receive(|message| {
            found = message;
            false
        });
        match answer {
            Err(refusal) if refusal.errno == ENODEV => Ok(None),
            Err(refusal) => Err(refusal),
            Ok(_) => match found {
                Some(RouteNetlinkMessage::NewLink(link)) => Ok(Device::parse(link)),
                _ => Err(Refusal {
                    errno: EIO,
                    said: Some(format!(
                        "the kernel describes {name} in a way that ib-bond does not understand"
                    )),
                }),
            },
        }
    }

    /// The number of the device of this name.
    fn index(&mut self, name: &str) -> Result<u32> {
        match self.device(name)? {
            Some(device) => Ok(device.index),
            None => Err(Refusal {
                errno: ENODEV,
                said: Some(format!("{name} does not exist")),
            }),
        }
    }

    /// All IP addresses.
    pub(crate) fn addresses(&mut self) -> Result<Vec<Address>> {
        self.dump(
            RouteNetlinkMessage::GetAddress(AddressMessage::default()),
            |message| match message {
                RouteNetlinkMessage::NewAddress(message) => parse_address(message),
                _ => None,
            },
        )
    }

    /// The routes that lead through a device and are not the kernel's own.
    fn routes(&mut self, index: u32) -> Result<Vec<RouteMessage>> {
        let mut routes = Vec::new();
        for family in [AddressFamily::Inet, AddressFamily::Inet6] {
            let mut request = RouteMessage::default();
            request.header.address_family = family;
            routes.extend(self.dump(
                RouteNetlinkMessage::GetRoute(request),
                |message| match message {
                    RouteNetlinkMessage::NewRoute(route) => Some(route),
                    _ => None,
                },
            )?);
        }
        routes.retain(|route| {
            route.header.protocol != RouteProtocol::Kernel
                && route.attributes.contains(&RouteAttribute::Oif(index))
        });
        Ok(routes)
    }

    /// What the device would lose if it were set down.
    pub(crate) fn save(&mut self, name: &str) -> Result<Saved> {
        let index = self.index(name)?;
        let mut addresses = self.addresses()?;
        addresses.retain(|address| address.index == index && address.is_global);
        Ok(Saved {
            addresses: addresses
                .into_iter()
                .map(|address| address.message)
                .collect(),
            routes: self.routes(index)?,
        })
    }

    /// Gives a device back what it has lost. Tries everything; the error is the first one.
    pub(crate) fn restore(&mut self, saved: &Saved) -> Result<()> {
        let mut result = Ok(());
        for address in &saved.addresses {
            let request = RouteNetlinkMessage::NewAddress(address.clone());
            result = result.and(self.change(request, NLM_F_CREATE | NLM_F_REPLACE));
        }
        for route in &saved.routes {
            result = result.and(self.add_route(route.clone()));
        }
        result
    }

    /// Adds a route as the kernel lists it, unless it is there.
    pub(crate) fn add_route(&mut self, mut route: RouteMessage) -> Result<()> {
        // What the kernel adds to a list is not part of a request: it lists a nexthop object as what the object is, too.
        route.attributes.retain(|attribute| {
            !matches!(
                attribute,
                RouteAttribute::CacheInfo(_) | RouteAttribute::NhId(_)
            )
        });
        route.header.flags &= RouteFlags::Onlink;
        let request = RouteNetlinkMessage::NewRoute(route);
        match self.change(request, NLM_F_CREATE | NLM_F_EXCL) {
            Err(refusal) if refusal.errno != EEXIST => Err(refusal),
            _ => Ok(()),
        }
    }

    /// Makes a bond.
    pub(crate) fn make_bond(&mut self, name: &str, options: &BondOptions) -> Result<()> {
        let mut request = LinkMessage::default();
        request.attributes = vec![
            LinkAttribute::IfName(name.into()),
            LinkAttribute::LinkInfo(vec![
                LinkInfo::Kind(InfoKind::Bond),
                LinkInfo::Data(InfoData::Bond(options.attributes())),
            ]),
        ];
        self.change(
            RouteNetlinkMessage::NewLink(request),
            NLM_F_CREATE | NLM_F_EXCL,
        )
    }

    /// Changes options of a bond.
    pub(crate) fn configure(&mut self, name: &str, options: &BondOptions) -> Result<()> {
        let info = vec![
            LinkInfo::Kind(InfoKind::Bond),
            LinkInfo::Data(InfoData::Bond(options.attributes())),
        ];
        self.set_link(name, LinkAttribute::LinkInfo(info))
    }

    /// Makes an IPoIB interface for a partition.
    pub(crate) fn make_child(&mut self, parent: &str, name: &str, pkey: u16) -> Result<()> {
        let mut request = LinkMessage::default();
        request.attributes = vec![
            LinkAttribute::IfName(name.into()),
            LinkAttribute::Link(self.index(parent)?),
            LinkAttribute::LinkInfo(vec![
                LinkInfo::Kind(InfoKind::Ipoib),
                LinkInfo::Data(InfoData::Ipoib(vec![InfoIpoib::Pkey(pkey)])),
            ]),
        ];
        self.change(
            RouteNetlinkMessage::NewLink(request),
            NLM_F_CREATE | NLM_F_EXCL,
        )
    }

    /// Deletes a device.
    pub(crate) fn delete(&mut self, name: &str) -> Result<()> {
        let mut request = LinkMessage::default();
        request.header.index = self.index(name)?;
        self.change(RouteNetlinkMessage::DelLink(request), 0)
    }

    fn set_link(&mut self, name: &str, attribute: LinkAttribute) -> Result<()> {
        let mut request = LinkMessage::default();
        request.header.index = self.index(name)?;
        request.attributes.push(attribute);
        // RTM_SETLINK would ignore what belongs to a kind of link.
        self.change(RouteNetlinkMessage::NewLink(request), 0)
    }

    /// Sets a device up or down.
    pub(crate) fn set_up(&mut self, name: &str, up: bool) -> Result<()> {
        let mut request = LinkMessage::default();
        request.header.index = self.index(name)?;
        request.header.change_mask = LinkFlags::Up;
        if up {
            request.header.flags = LinkFlags::Up;
        }
        self.change(RouteNetlinkMessage::NewLink(request), 0)
    }

    /// Gives a device a master, or takes it away.
    pub(crate) fn set_master(&mut self, name: &str, master: Option<&str>) -> Result<()> {
        let index = master.map_or(Ok(0), |master| self.index(master))?;
        self.set_link(name, LinkAttribute::Controller(index))
    }

    /// Sets the MTU of a device, in bytes.
    pub(crate) fn set_mtu(&mut self, name: &str, mtu: u32) -> Result<()> {
        self.set_link(name, LinkAttribute::Mtu(mtu))
    }

    /// Sets an IPoIB interface to connected or to datagram mode.
    pub(crate) fn set_connected(&mut self, name: &str, is_connected: bool) -> Result<()> {
        let mode = if is_connected {
            IpoibMode::Connected
        } else {
            IpoibMode::Datagram
        };
        let info = vec![
            LinkInfo::Kind(InfoKind::Ipoib),
            LinkInfo::Data(InfoData::Ipoib(vec![InfoIpoib::Mode(mode)])),
        ];
        self.set_link(name, LinkAttribute::LinkInfo(info))
    }

    fn address(&mut self, name: &str, net: Net) -> Result<AddressMessage> {
        let mut message = AddressMessage::default();
        message.header.index = self.index(name)?;
        message.header.prefix_len = net.bits;
        message.header.family = match net.ip {
            IpAddr::V4(_) => AddressFamily::Inet,
            IpAddr::V6(_) => AddressFamily::Inet6,
        };
        message.attributes = vec![
            AddressAttribute::Local(net.ip),
            AddressAttribute::Address(net.ip),
        ];
        message
            .attributes
            .extend(net.broadcast().map(AddressAttribute::Broadcast));
        Ok(message)
    }

    /// Gives a device an IP address.
    pub(crate) fn add_address(&mut self, name: &str, net: Net) -> Result<()> {
        let message = self.address(name, net)?;
        self.change(
            RouteNetlinkMessage::NewAddress(message),
            NLM_F_CREATE | NLM_F_EXCL,
        )
    }

    /// Takes an IP address away from a device.
    pub(crate) fn remove_address(&mut self, name: &str, net: Net) -> Result<()> {
        let message = self.address(name, net)?;
        self.change(RouteNetlinkMessage::DelAddress(message), 0)
    }
}

/// The kernel's own words in an answer, after the header of the request.
fn kernel_words(answer: &[u8]) -> Option<String> {
    let attributes = answer.get(HEADER_LEN..)?;
    let message = NlasIterator::new(attributes)
        .filter_map(std::result::Result::ok)
        .find(|attribute| attribute.kind() == NLMSGERR_ATTR_MSG)?;
    let text = String::from_utf8_lossy(message.value())
        .trim_end_matches('\0')
        .to_string();
    (!text.is_empty()).then_some(text)
}

fn parse_address(message: AddressMessage) -> Option<Address> {
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

impl Device {
    fn parse(link: LinkMessage) -> Option<Self> {
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
