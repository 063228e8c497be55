// SPDX-License-Identifier: GPL-2.0

//! The operations of the driver that the network core calls: each is forwarded to its owner.

use super::enslave::enslave;
use super::master::{Bond, BondDev, SlaveDev};
use super::release::{self, release};
use super::slave::Slave;
use super::{
    address, clients, ethtool, features, ipsec, lists, modes, monitor, mtu, stats, work, xdp,
};
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

    fn ready(bond: &BondDev, rtnl: &RtnlOnly) {
        let has_chosen_mtu = bond.mtu() != mtu::ETHERNET;
        bond.data().has_chosen_mtu.set(rtnl, has_chosen_mtu);
        bond.set_mode(rtnl, i32::from(bond.data().config(rtnl).mode.number()));
        features::mode_changed(bond, rtnl);
    }

    fn uninit(bond: &BondDev, rtnl: &RtnlOnly) {
        release::release_all(bond, rtnl);
    }

    fn open(bond: &BondDev, rtnl: &RtnlOnly) -> Result {
        monitor::open(bond, rtnl);
        Ok(())
    }

    fn stop(bond: &BondDev, rtnl: &RtnlOnly) {
        monitor::stop(bond, rtnl);
    }

    #[inline(always)]
    fn start_xmit(bond: &BondDev, skb: SkBuff, rcu: &Rcu) -> i32 {
        modes::start_xmit(bond, skb, rcu)
    }

    fn xmit_lower<'a>(
        bond: &'a BondDev,
        skb: &SkBuff,
        all: bool,
        rcu: &'a Rcu,
    ) -> Option<&'a SlaveDev> {
        modes::slave_of(bond, skb, all, rcu)
    }

    #[inline(always)]
    fn takes(lower: &SlaveDev, packet: Received<'_>) -> bool {
        modes::receive::takes(lower, packet)
    }

    fn receive(lower: &SlaveDev, packet: Received<'_>, rcu: &Rcu) -> Rx {
        modes::receive::receive(lower, packet, rcu)
    }

    fn stats(bond: &BondDev, rcu: &Rcu) -> Stats {
        stats::of(bond, rcu)
    }

    fn rx_flags_changed(bond: &BondDev, promisc: bool, allmulti: bool, rtnl: &RtnlOnly) {
        lists::rx_flags_changed(bond, promisc, allmulti, rtnl);
    }

    fn rx_mode(bond: &BondDev, rtnl: &Rtnl, sync: &mut dyn FnMut(&SlaveDev, bool) -> Result) {
        lists::rx_mode(bond, rtnl, sync);
    }

    fn change_mtu(bond: &BondDev, mtu: u32, rtnl: &RtnlOnly) -> Result {
        mtu::change(bond, mtu, rtnl)
    }

    fn set_addr(bond: &BondDev, addr: &[u8], rtnl: &RtnlOnly) -> Result {
        address::set_addr(bond, addr, rtnl)
    }

    fn add_vlan(bond: &BondDev, vlan: Vlan, rtnl: &Rtnl) -> Result {
        let add = |slave: &SlaveDev| slave.dev().add_vlan(rtnl, vlan);
        let undo = |slave: &SlaveDev| slave.dev().del_vlan(rtnl, vlan);
        bond.all_or_none(rtnl, add, undo)
    }

    fn del_vlan(bond: &BondDev, vlan: Vlan, rtnl: &Rtnl) {
        clients::vlan_gone(bond, vlan.id);
        bond.lowers(rtnl)
            .for_each(|slave| slave.dev().del_vlan(rtnl, vlan));
    }

    fn add_lower(
        bond: &BondDev,
        lower: &NetDevice,
        extack: Option<&ExtAck>,
        rtnl: &RtnlOnly,
    ) -> Result {
        enslave(bond, lower, extack, rtnl)
    }

    fn del_lower(bond: &BondDev, lower: &NetDevice, rtnl: &RtnlOnly) -> Result {
        release(bond, lower, rtnl)
    }

    #[inline]
    fn poll(bond: &BondDev, rcu: &Rcu) {
        monitor::poll(bond, rcu);
    }

    fn work(bond: &BondDev) {
        work::work(bond);
    }
}

impl XdpMaster for Bond {
    fn set_xdp(
        bond: &BondDev,
        program: Option<&Program>,
        extack: Option<&ExtAck>,
        rtnl: &RtnlOnly,
    ) -> Result {
        xdp::set(bond, program, extack, rtnl)
    }

    fn frame_lower<'a>(bond: &'a BondDev, frame: Bytes<'_>, rcu: &'a Rcu) -> Option<&'a SlaveDev> {
        modes::slave_of_frame(bond, frame, rcu)
    }
}

impl TlsMaster for Bond {
    fn socket_lower<'a>(bond: &'a BondDev, socket: &Socket, rcu: &'a Rcu) -> Option<&'a SlaveDev> {
        modes::slave_of_socket(bond, socket, rcu)
    }
}

impl XfrmMaster for Bond {
    const CANNOT_HOLD: &'static CStr = c"bonding: Slave does not support ipsec offload";

    fn ipsec_lower<'a>(bond: &'a BondDev, rcu: &'a Rcu) -> Result<&'a SlaveDev> {
        ipsec::lower(bond, rcu)
    }

    fn sole_lower<'a>(bond: &'a BondDev, rcu: &'a Rcu) -> Option<&'a SlaveDev> {
        modes::sole_slave(bond, rcu)
    }
}

impl Netpoll for Bond {
    fn next_xmit_lower<'a>(
        bond: &'a BondDev,
        skb: &SkBuff,
        previous: Option<&SlaveDev>,
        rcu: &'a Rcu,
    ) -> Option<&'a SlaveDev> {
        modes::next_slave_of(bond, skb, previous, rcu)
    }
}

impl Timestamps for Bond {
    fn timestamp_lower<'a>(bond: &'a BondDev, rtnl: &'a Rtnl) -> Option<&'a SlaveDev> {
        ethtool::timestamp_lower(bond, rtnl)
    }
}
