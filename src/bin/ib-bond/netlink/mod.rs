// SPDX-License-Identifier: GPL-2.0

//! A connection to rtnetlink: devices, bonds, slaves, addresses and routes, listed and changed.

mod device;

pub(crate) use device::{Address, Counters, Device, Link, LinkType, ACTIVE_BACKUP};
#[cfg(test)]
pub(crate) use device::{Bond, Ipoib, Slave};

use crate::args::Net;
use crate::error::words;
use netlink_packet_core::{
    NetlinkHeader, NetlinkMessage, NetlinkPayload, NlasIterator, NLM_F_ACK, NLM_F_ACK_TLVS,
    NLM_F_CREATE, NLM_F_DUMP, NLM_F_DUMP_INTR, NLM_F_EXCL, NLM_F_REPLACE, NLM_F_REQUEST,
};
use netlink_packet_route::address::{AddressAttribute, AddressMessage};
use netlink_packet_route::link::{
    InfoBond, InfoData, InfoIpoib, InfoKind, IpoibMode, LinkAttribute, LinkFlags, LinkInfo,
    LinkMessage,
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
            Address::parse(address.clone()).is_none_or(|address| address.net != net)
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
                RouteNetlinkMessage::NewAddress(message) => Address::parse(message),
                _ => None,
            },
        )
    }

    /// All routes, those of IPv4 first.
    pub(crate) fn routes(&mut self) -> Result<Vec<RouteMessage>> {
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
        Ok(routes)
    }

    /// What the device would lose if it were set down.
    pub(crate) fn save(&mut self, name: &str) -> Result<Saved> {
        let index = self.index(name)?;
        let mut addresses = self.addresses()?;
        addresses.retain(|address| address.index == index && address.is_global);
        let mut routes = self.routes()?;
        routes.retain(|route| {
            route.header.protocol != RouteProtocol::Kernel
                && route.attributes.contains(&RouteAttribute::Oif(index))
        });
        Ok(Saved {
            addresses: addresses
                .into_iter()
                .map(|address| address.message)
                .collect(),
            routes,
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
