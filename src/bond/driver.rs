// SPDX-License-Identifier: GPL-2.0

//! The operations of the driver that the network core calls: each is forwarded to its owner.

use super::enslave::enslave;
use super::master::{Bond, BondDev, SlaveDev};
use super::release::{self, release};
use super::slave::Slave;
use super::{address, ethtool, features, ipsec, lists, modes, monitor, mtu, stats, work, xdp};
use core::ffi::CStr;
use core::pin::Pin;
use kernel::prelude::*;
use net::bonding::published::Bonding;
use net::bonding::timestamp::Timestamps;
use net::master::device::{Master, Rx};
use net::master::netpoll_ops::Netpoll;
use net::master::registry::{Registered, Registry};
use net::master::tls::TlsMaster;
use net::master::xdp::XdpMaster;
use net::master::xfrm::XfrmMaster;
use net::netdevice::{NetDevice, Stats, Vlan};
use net::netlink::ExtAck;
use net::rcu::Rcu;
use net::rtnl::{Rtnl, RtnlOnly};
use net::shared::Bytes;
use net::skbuff::{Received, SkBuff};
use net::sock::Socket;
use net::static_ref::StaticRef;
use net::xdp::Program;

/// Where the driver's registration is found.
static REGISTRY: Registry<Bond> = Registry::new();

impl Registered for Bond {
    const REGISTRY: StaticRef<Registry<Self>> = StaticRef::new(&REGISTRY);
}

impl Master for Bond {
    type Lower = Slave;
    type Layout = Bonding;
    const NAME: &'static CStr = c"bonding";

    fn new(_rtnl: &RtnlOnly) -> Result<Pin<KBox<Self>>> {
        Bond::new()
    }

    fn ready(dev: &BondDev, rtnl: &RtnlOnly) {
        let has_chosen_mtu = dev.mtu() != mtu::ETHERNET;
        dev.data().has_chosen_mtu.set(rtnl, has_chosen_mtu);
        dev.set_mode(rtnl, i32::from(dev.data().config(rtnl).mode.number()));
        features::mode_changed(dev, rtnl);
    }

    fn uninit(dev: &BondDev, rtnl: &RtnlOnly) {
        release::release_all(dev, rtnl);
    }

    fn open(dev: &BondDev, rtnl: &RtnlOnly) -> Result {
        monitor::open(dev, rtnl);
        Ok(())
    }

    fn stop(dev: &BondDev, rtnl: &RtnlOnly) {
        monitor::stop(dev, rtnl);
    }

    #[inline(always)]
    fn start_xmit(dev: &BondDev, skb: SkBuff, rcu: &Rcu) -> i32 {
        modes::start_xmit(dev, skb, rcu)
    }

    fn xmit_lower<'a>(
        dev: &'a BondDev,
        skb: &SkBuff,
        all: bool,
        rcu: &'a Rcu,
    ) -> Option<&'a SlaveDev> {
        modes::slave_of(dev, skb, all, rcu)
    }

    #[inline(always)]
    fn takes(lower: &SlaveDev, packet: Received<'_>) -> bool {
        modes::receive::takes(lower, packet)
    }

    fn receive(lower: &SlaveDev, packet: Received<'_>, rcu: &Rcu) -> Rx {
        modes::receive::receive(lower, packet, rcu)
    }

    fn stats(dev: &BondDev, rcu: &Rcu) -> Stats {
        stats::of(dev, rcu)
    }

    fn rx_flags_changed(dev: &BondDev, promisc: bool, allmulti: bool, rtnl: &RtnlOnly) {
        lists::rx_flags_changed(dev, promisc, allmulti, rtnl);
    }

    fn rx_mode(dev: &BondDev, rtnl: &Rtnl, sync: &mut dyn FnMut(&SlaveDev, bool) -> Result) {
        lists::rx_mode(dev, rtnl, sync);
    }

    fn change_mtu(dev: &BondDev, mtu: u32, rtnl: &RtnlOnly) -> Result {
        mtu::change(dev, mtu, rtnl)
    }

    fn set_addr(dev: &BondDev, addr: &[u8], rtnl: &RtnlOnly) -> Result {
        address::set_addr(dev, addr, rtnl)
    }

    fn add_vlan(dev: &BondDev, vlan: Vlan, rtnl: &Rtnl) -> Result {
        let add = |slave: &SlaveDev| slave.dev().add_vlan(rtnl, vlan);
        let undo = |slave: &SlaveDev| slave.dev().del_vlan(rtnl, vlan);
        dev.all_or_none(rtnl, add, undo)
    }

    fn del_vlan(dev: &BondDev, vlan: Vlan, rtnl: &Rtnl) {
        dev.lowers(rtnl)
            .for_each(|slave| slave.dev().del_vlan(rtnl, vlan));
    }

    fn add_lower(
        dev: &BondDev,
        lower: &NetDevice,
        extack: Option<&ExtAck>,
        rtnl: &RtnlOnly,
    ) -> Result {
        enslave(dev, lower, extack, rtnl)
    }

    fn del_lower(dev: &BondDev, lower: &NetDevice, rtnl: &RtnlOnly) -> Result {
        release(dev, lower, rtnl)
    }

    #[inline]
    fn poll(dev: &BondDev, rcu: &Rcu) {
        monitor::poll(dev, rcu);
    }

    fn work(dev: &BondDev) {
        work::work(dev);
    }
}

impl XdpMaster for Bond {
    fn set_xdp(
        dev: &BondDev,
        program: Option<&Program>,
        extack: Option<&ExtAck>,
        rtnl: &RtnlOnly,
    ) -> Result {
        xdp::set(dev, program, extack, rtnl)
    }

    fn frame_lower<'a>(dev: &'a BondDev, frame: Bytes<'_>, rcu: &'a Rcu) -> Option<&'a SlaveDev> {
        modes::slave_of_frame(dev, frame, rcu)
    }
}

impl TlsMaster for Bond {
    fn socket_lower<'a>(dev: &'a BondDev, socket: &Socket, rcu: &'a Rcu) -> Option<&'a SlaveDev> {
        modes::slave_of_socket(dev, socket, rcu)
    }
}

impl XfrmMaster for Bond {
    const CANNOT_HOLD: &'static CStr = c"bonding: Slave does not support ipsec offload";

    fn ipsec_lower<'a>(dev: &'a BondDev, rcu: &'a Rcu) -> Result<&'a SlaveDev> {
        ipsec::lower(dev, rcu)
    }

    fn sole_lower<'a>(dev: &'a BondDev, rcu: &'a Rcu) -> Option<&'a SlaveDev> {
        modes::sole_slave(dev, rcu)
    }
}

impl Netpoll for Bond {
    fn next_xmit_lower<'a>(
        dev: &'a BondDev,
        skb: &SkBuff,
        previous: Option<&SlaveDev>,
        rcu: &'a Rcu,
    ) -> Option<&'a SlaveDev> {
        modes::next_slave_of(dev, skb, previous, rcu)
    }
}

impl Timestamps for Bond {
    fn timestamp_lower<'a>(dev: &'a BondDev, rtnl: &'a Rtnl) -> Option<&'a SlaveDev> {
        ethtool::timestamp_lower(dev, rtnl)
    }
}
