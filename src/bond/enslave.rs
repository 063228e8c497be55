// SPDX-License-Identifier: GPL-2.0

//! How a device becomes a slave. If anything fails, the bond and the device are left as they were.

use super::address::{addr_of, at_enslave, fresh, once_open, restore_own, show_addr};
use super::links::{carrier, read_link_settings, role};
use super::listeners::{is_told_later, tell};
use super::master::{Bond, BondDev, SlaveDev};
use super::message::{slave_err, slave_info, slave_warn};
use super::slave::{Key, Slave};
use super::{choose, clients, engine, features, lacp, learning};
use super::{link_type, lists, mtu, probe, xdp};
use core::ffi::CStr;
use core::fmt;
use kernel::prelude::*;
use net::bonding::published::Role;
use net::dev_addr::AddrAssign;
use net::errno::eopnotsupp;
use net::ethtool::Answer;
use net::master::device::Slot;
use net::master::lower::{LagHash, LagTx};
use net::netdev_features::Features;
use net::netdev_lock::Held;
use net::netdevice::{NetDevice, ARPHRD_CAN, ARPHRD_ETHER, ARPHRD_INFINIBAND};
use net::netlink::ExtAck;
use net::notifier::{Announce, TypeChange};
use net::rtnl::RtnlOnly;
use net::sync::now_ms;
use policy::address::{self, Admission, AtEnslave, HwAddr};
use policy::hash::HashPolicy;
use policy::history::What;
use policy::mode::{Infiniband, Lag, Protocol, Sender};
use policy::options::FailOverMac;
use policy::receive::SlaveFlags;
use policy::{Config, Event, Link, LinkState, Port};

/// Makes `slave_dev` a slave of the bond. May sleep.
pub(crate) fn enslave(
    bond: &BondDev,
    slave_dev: &NetDevice,
    extack: Option<&ExtAck>,
    rtnl: &RtnlOnly,
) -> Result {
    let config = bond.data().config(rtnl);
    let is_first = bond.lowers(rtnl).next().is_none();
    let refusal = Refusal {
        bond,
        slave_dev,
        extack,
    };
    check(bond, slave_dev, &config, is_first, &refusal, rtnl)?;
    let (config, is_active_chosen) = admit(slave_dev, &config, is_first, &refusal)?;

    // What the bond will be. It stays what it is until nothing can fail any more.
    let changes_link = is_first && !bond.is_same_link(slave_dev, rtnl);
    let is_ethernet = [bond.link_type(), slave_dev.link_type()] == [ARPHRD_ETHER; 2];
    let needs_addr = bond.addr_assign(rtnl) == AddrAssign::Random || !is_ethernet;
    let own_addr = addr_of(slave_dev, rtnl);
    let taken_addr = address::bond_takes_over(is_first, needs_addr).then_some(own_addr);
    let bond_addr = taken_addr.unwrap_or_else(|| addr_of(bond, rtnl));
    let new_mtu = if is_first {
        mtu::with_first(bond, slave_dev, rtnl)
    } else {
        bond.mtu()
    };

    let mut joining = Joining::new(bond, slave_dev, rtnl);
    joining.set_mtu(new_mtu).map_err(|err| {
        refusal.log(err, "calling dev_set_mtu");
        refusal.because(err, c"Device cannot have the MTU of the bond")
    })?;
    let new_addr = match at_enslave(bond, &config, own_addr, bond_addr, rtnl) {
        AtEnslave::Keep => None,
        AtEnslave::SetTo(addr) => Some(addr),
        AtEnslave::Random => Some(fresh(bond, rtnl)),
    };
    if let Some(addr) = &new_addr {
        joining
            .set_addr(addr, extack)
            .inspect_err(|err| refusal.log(*err, "calling set_mac_address"))?;
    }
    joining
        .open(extack)
        .inspect_err(|err| refusal.failed(*err, "Opening slave failed"))?;
    if let Some(at) = once_open(bond, &config, own_addr, bond_addr, rtnl) {
        joining.give_own_addr(at, own_addr, &refusal, extack)?;
    }
    joining
        .add_vlans()
        .inspect_err(|err| refusal.failed(*err, "Couldn't add bond vlan ids"))?;

    let carrier = carrier(&slave_dev.ask(rtnl), &config, slave_dev.has_link());
    let link = Link::initial(carrier, config.delays(), config.is_monitored(), now_ms());
    let stats = slave_dev.stats(&net::rcu::read_lock());
    let original_mtu = joining.mtu.unwrap_or(new_mtu);
    let data = Slave::new(Port::new(link, carrier), own_addr, original_mtu, stats);
    choose::reserve(bond, rtnl)?;
    joining.run_xdp(extack)?;
    if is_first {
        joining
            .set_mtu_of_bond(new_mtu)
            .inspect_err(|err| refusal.log(*err, "setting the MTU of the bond"))?;
    }
    if let Some(addr) = &taken_addr {
        bond.ask_addr_change(rtnl, addr.as_bytes(), extack)?;
    }
    if changes_link {
        joining.type_change = Some(link_type::ask(bond, slave_dev, rtnl)?);
    }
    let flags = SlaveFlags::of(&config, false, LinkState::Up);
    // Nothing that the slave receives is for the bond until the bond is the same kind of link.
    let first_flags = if changes_link {
        SlaveFlags {
            backup: flags.backup,
            inactive: true,
        }
    } else {
        flags
    };
    let lag = (role(first_flags), lag_tx(&config));
    let slave = joining.link_up(data, lag, extack)?;
    if bond.is_polled(rtnl) && slave.poll(rtnl).is_err() {
        return Err(refusal.because(
            EBUSY,
            c"Slave does not support netpoll, for which the bond is in use",
        ));
    }

    // Nothing can fail from here on.
    let type_change = joining.arrive();
    let keeps_lro = bond.features().has(Features::LRO);
    if let Some(change) = type_change {
        link_type::become_like(bond, &slave_dev.link_layer(rtnl), change, rtnl);
        slave.set_role(role(flags));
    }
    if let Some(addr) = &taken_addr {
        bond.take_addr(rtnl, addr.as_bytes());
    }
    if is_active_chosen {
        Bond::publish(bond, config, rtnl);
        slave_info!(
            bond,
            slave_dev,
            "Setting fail_over_mac to active for active-backup mode, because the slave keeps its \
                 hardware address"
        );
    }
    // Listeners that send messages through the device itself stop doing so.
    let _ = slave_dev.announce(rtnl, Announce::JOIN);
    if !keeps_lro {
        slave_dev.disable_lro(rtnl);
    }
    join(bond, slave, &config, rtnl);
    Ok(())
}

/// Gives a new slave its part in the bond.
fn join(bond: &BondDev, slave: &SlaveDev, config: &Config, rtnl: &RtnlOnly) {
    let slave_dev = slave.dev();
    read_link_settings(slave, &slave_dev.ask(rtnl), rtnl);
    if config.mode.row().sender == Sender::Load {
        slave.data().set_has_share(true);
    }
    slave.data().heard.start();
    probe::admit(bond, slave, rtnl);

    let joined = What::Joined(slave.data().port(rtnl).link.state());
    bond.data().history.note(bond, Some(slave_dev), joined);

    if config.mode.uses_primary() {
        if config
            .primary
            .is_some_and(|name| name.as_bytes() == slave_dev.name().as_bytes())
        {
            bond.set_slot(rtnl, Slot::Primary, Some(slave));
            bond.data().force_primary.set(rtnl, true);
        }
    } else {
        lists::give_rx_flags(bond, slave_dev, rtnl);
    }
    if lists::all_have_addrs(bond) && bond.is_up() {
        lists::give(bond, slave, true, rtnl);
    }
    features::slaves_changed(bond, rtnl);
    let held = Held::none(rtnl);
    engine::handle(bond, Event::Enslaved { key: Key(slave) }, &held);
    lacp::join(bond, slave, rtnl);
    engine::aggregate(bond, &held);
    learning::restart(bond, rtnl);
    clients::refresh(bond, rtnl);
    // If that made the slave the active one, the listeners are told anyway.
    if !is_told_later(slave, rtnl) {
        tell(bond, slave, &held);
    }

    if slave_dev.features().has(Features::VLAN_CHALLENGED) && bond.link_type() == ARPHRD_ETHER {
        slave_warn!(
            bond,
            slave_dev,
            "enslaved VLAN challenged slave. Adding VLANs will be blocked as long as it is \
                 part of bond."
        );
    }
    if !config.reads_carrier() && slave_dev.ask(rtnl).driver_link() == Answer::Never {
        slave_warn!(
            bond,
            slave_dev,
            "MII and ETHTOOL support not available, thus bonding will not detect link \
                 failures; set use_carrier to 1"
        );
    }
    let role = if slave.is_backup() {
        "a backup"
    } else {
        "an active"
    };
    let link = match slave.data().port(rtnl).link.state() {
        LinkState::Down => "a down",
        _ => "an up",
    };
    slave_info!(
        bond,
        slave_dev,
        "Enslaving as {role} interface with {link} link"
    );
}

/// A device on its way into a bond. Each step records what it has changed: unless the device
/// [arrives](Self::arrive), dropping this restores both the device and the bond to what they were
/// before.
struct Joining<'a> {
    bond: &'a BondDev,
    slave_dev: &'a NetDevice,
    rtnl: &'a RtnlOnly,
    has_arrived: bool,
    /// The MTU that the device had.
    mtu: Option<u32>,
    /// The hardware address that the device had, and how it was assigned.
    addr: Option<(HwAddr, AddrAssign)>,
    /// Whether IPv6 was kept from configuring the device.
    opened: Option<bool>,
    has_vlans: bool,
    runs_xdp: bool,
    /// The MTU that the bond had.
    mtu_of_bond: Option<u32>,
    type_change: Option<TypeChange<'a>>,
    slave: Option<&'a SlaveDev>,
}

impl<'a> Joining<'a> {
    fn new(bond: &'a BondDev, slave_dev: &'a NetDevice, rtnl: &'a RtnlOnly) -> Self {
        Self {
            bond,
            slave_dev,
            rtnl,
            has_arrived: false,
            mtu: None,
            addr: None,
            opened: None,
            has_vlans: false,
            runs_xdp: false,
            mtu_of_bond: None,
            type_change: None,
            slave: None,
        }
    }

    fn set_mtu(&mut self, mtu: u32) -> Result {
        let before = self.slave_dev.mtu();
        mtu::give(self.slave_dev, mtu, self.rtnl)?;
        self.mtu = Some(before);
        Ok(())
    }

    fn set_addr(&mut self, addr: &HwAddr, extack: Option<&ExtAck>) -> Result {
        let before = (
            addr_of(self.slave_dev, self.rtnl),
            self.slave_dev.addr_assign(self.rtnl),
        );
        self.slave_dev
            .set_addr(self.rtnl, addr.as_bytes(), extack)?;
        self.addr = Some(before);
        Ok(())
    }

    /// Opens the device, and keeps IPv6 from configuring it, since it carries the traffic of a
    /// bond.
    fn open(&mut self, extack: Option<&ExtAck>) -> Result {
        let (slave_dev, rtnl) = (self.slave_dev, self.rtnl);
        let before = slave_dev.has_no_addrconf();
        slave_dev.set_no_addrconf(rtnl, true);
        slave_dev
            .open(rtnl, extack)
            .inspect_err(|_| slave_dev.set_no_addrconf(rtnl, before))?;
        self.opened = Some(before);
        Ok(())
    }

    /// Gives the device, which has the address of the bond, an address of its own again. In
    /// balance-alb mode the device has to take it, since it has to take others at failovers; in
    /// balance-tlb mode it sends from the address, even if its hardware receives for the bond.
    fn give_own_addr(
        &mut self,
        at: AtEnslave,
        own: HwAddr,
        refusal: &Refusal<'_>,
        extack: Option<&ExtAck>,
    ) -> Result {
        let (bond, slave_dev, rtnl) = (self.bond, self.slave_dev, self.rtnl);
        let addr = match at {
            AtEnslave::Keep => return Ok(()),
            AtEnslave::SetTo(addr) => addr,
            AtEnslave::Random => {
                let addr = fresh(bond, rtnl);
                slave_warn!(
                    bond,
                    slave_dev,
                    "its hardware address {own} is in use by the bond; giving it {addr}"
                );
                addr
            }
        };
        let has_clients = Bond::mode(bond).has_clients();
        // A device that has the address already is not asked, so another one shows whether it can.
        let tried = match has_clients && addr_of(slave_dev, rtnl) == addr {
            true => slave_dev.set_addr(rtnl, fresh(bond, rtnl).as_bytes(), extack),
            false => Ok(()),
        };
        let set = || slave_dev.set_addr(rtnl, addr.as_bytes(), extack);
        let Err(err) = tried.and_then(|()| set()) else {
            return Ok(());
        };
        if !has_clients {
            show_addr(slave_dev, &addr, rtnl);
            return Ok(());
        }
        refusal.log(err, "setting the address of the open device");
        Err(refusal.because(
            eopnotsupp(),
            c"balance-alb needs devices that can change their address while they are open; use balance-tlb",
        ))
    }

    fn add_vlans(&mut self) -> Result {
        self.slave_dev.add_vlans_of(self.rtnl, self.bond)?;
        self.has_vlans = true;
        Ok(())
    }

    fn run_xdp(&mut self, extack: Option<&ExtAck>) -> Result {
        xdp::join(self.bond, self.slave_dev, extack, self.rtnl)?;
        self.runs_xdp = true;
        Ok(())
    }

    fn set_mtu_of_bond(&mut self, mtu: u32) -> Result {
        let before = self.bond.mtu();
        mtu::set(self.bond, mtu, self.rtnl)?;
        self.mtu_of_bond = Some(before);
        Ok(())
    }

    fn link_up(
        &mut self,
        data: impl PinInit<Slave>,
        (role, lag): (Role, LagTx),
        extack: Option<&ExtAck>,
    ) -> Result<&'a SlaveDev> {
        let (bond, slave_dev, rtnl) = (self.bond, self.slave_dev, self.rtnl);
        let prepare = |slave: &SlaveDev| {
            slave.set_role(role);
            // LACP gives a share to a slave that carries data; where the load counts, a slave has one
            // once nothing can fail any more.
            let sender = Bond::mode(bond).row().sender;
            let has_share = !lacp::runs(bond) && sender != Sender::Load;
            slave.data().set_has_share(has_share);
        };
        let slave = SlaveDev::link_up(bond, slave_dev, data, lag, prepare, extack, rtnl)?;
        self.slave = Some(slave);
        Ok(slave)
    }

    /// The device is a slave now. Returns the change of the bond's link type that was asked for.
    fn arrive(mut self) -> Option<TypeChange<'a>> {
        self.has_arrived = true;
        self.type_change.take()
    }
}

impl Drop for Joining<'_> {
    fn drop(&mut self) {
        if self.has_arrived {
            return;
        }
        let (bond, slave_dev, rtnl) = (self.bond, self.slave_dev, self.rtnl);
        if let Some(slave) = self.slave {
            lists::hear_slow_protocols(bond, slave, false, rtnl);
            slave.unlink(rtnl, || ());
        }
        // Listeners join their multicast groups again.
        drop(self.type_change.take());
        if let Some(before) = self.mtu_of_bond {
            let _ = mtu::set(bond, before, rtnl);
        }
        if self.runs_xdp {
            xdp::leave(bond, slave_dev, rtnl);
        }
        if self.has_vlans {
            slave_dev.del_vlans_of(rtnl, bond);
        }
        if let Some(no_addrconf) = self.opened {
            // A device that is down may already have addresses for when it goes up.
            let keep = slave_dev.keep_addrs_on_close(rtnl, 1);
            slave_dev.close(rtnl);
            slave_dev.keep_addrs_on_close(rtnl, keep);
            slave_dev.set_no_addrconf(rtnl, no_addrconf);
        }
        if let Some((addr, assign)) = &self.addr {
            restore_own(bond, slave_dev, addr, rtnl);
            slave_dev.set_addr_assign(rtnl, *assign);
        }
        if let Some(mtu) = self.mtu {
            let _ = slave_dev.set_mtu(rtnl, mtu);
        }
    }
}

/// Tells the user why a device cannot join.
struct Refusal<'a> {
    bond: &'a BondDev,
    slave_dev: &'a NetDevice,
    extack: Option<&'a ExtAck>,
}

impl Refusal<'_> {
    fn because(&self, err: Error, msg: &'static CStr) -> Error {
        match self.extack {
            Some(extack) => extack.set_msg(msg),
            None => {
                let text = msg.to_str().unwrap_or("cannot be enslaved");
                self.print(format_args!("Error: {text}"));
            }
        }
        err
    }

    /// Logs a failed step in the words of the in-tree driver, whose message has no number there.
    fn failed(&self, err: Error, what: &str) {
        let errno = err.to_errno();
        self.print(format_args!("{what}: error {errno}"));
    }

    fn log(&self, err: Error, what: &str) {
        let errno = err.to_errno();
        self.print(format_args!("Error {errno} {what}"));
    }

    fn print(&self, text: fmt::Arguments<'_>) {
        slave_err!(self.bond, self.slave_dev, "{text}");
    }
}

/// Makes the checks that are possible before anything is changed, in the order of the in-tree
/// driver.
fn check(
    bond: &BondDev,
    slave_dev: &NetDevice,
    config: &Config,
    is_first: bool,
    refusal: &Refusal<'_>,
    rtnl: &RtnlOnly,
) -> Result {
    if slave_dev.link_type() == ARPHRD_CAN {
        return Err(refusal.because(EPERM, c"CAN devices cannot be enslaved"));
    }
    if slave_dev.is_master() && !slave_dev.is_bond_master() {
        return Err(refusal.because(EPERM, c"Device type (master device) cannot be enslaved"));
    }
    if slave_dev.is_rx_handler_busy(rtnl) {
        return Err(refusal.because(EBUSY, c"Device is in use and cannot be enslaved"));
    }
    let this: &NetDevice = bond;
    if this == slave_dev {
        return Err(refusal.because(EPERM, c"Cannot enslave bond to itself."));
    }
    if slave_dev.features().has(Features::VLAN_CHALLENGED) && bond.has_vlans(rtnl) {
        return Err(refusal.because(
            EPERM,
            c"Can not enslave VLAN challenged device to VLAN enabled bond",
        ));
    }
    if slave_dev.is_up() {
        return Err(refusal.because(EPERM, c"Device can not be enslaved while up"));
    }
    if !is_first && bond.link_type() != slave_dev.link_type() {
        return Err(refusal.because(EINVAL, c"Device type is different from other slaves"));
    }
    if !is_first
        && slave_dev.link_type() == ARPHRD_INFINIBAND
        && !bond.is_same_link(slave_dev, rtnl)
    {
        return Err(refusal.because(
            EINVAL,
            c"Device's partition (P_Key) is different from other slaves",
        ));
    }
    if bond.has_upper(rtnl, slave_dev) {
        return Err(refusal.because(EBUSY, c"Cannot enslave a device that is above this bond"));
    }
    let refuses_infiniband = match config.mode.row().infiniband {
        Infiniband::Allowed => false,
        Infiniband::Refused => true,
    };
    if slave_dev.link_type() == ARPHRD_INFINIBAND && refuses_infiniband {
        return Err(refusal.because(
            eopnotsupp(),
            c"Only active-backup mode is supported for infiniband slaves",
        ));
    }
    let needs_ethernet = match config.mode.row().protocol {
        Protocol::Lacp => true,
        Protocol::None => false,
    };
    if needs_ethernet && slave_dev.link_type() != ARPHRD_ETHER {
        return Err(refusal.because(EINVAL, c"8023AD mode requires Ethernet devices"));
    }
    let becomes_like_it = is_first && !bond.is_same_link(slave_dev, rtnl);
    if !becomes_like_it && bond.addr_len() != slave_dev.addr_len() {
        return Err(refusal.because(
            EINVAL,
            c"Device's hardware address is of another length than that of the bond",
        ));
    }
    xdp::check(bond, slave_dev, refusal.extack, rtnl)
}

/// Chooses `fail_over_mac` for a slave whose address cannot be set, or refuses the slave. Returns
/// the resulting options of the bond, and whether they have changed.
fn admit(
    slave_dev: &NetDevice,
    config: &Config,
    is_first: bool,
    refusal: &Refusal<'_>,
) -> Result<(Config, bool)> {
    let can_set_addr = slave_dev.can_set_addr() && slave_dev.link_type() != ARPHRD_INFINIBAND;
    match address::admit(config, can_set_addr, is_first) {
        Admission::Admit => Ok((*config, false)),
        Admission::AdmitAsActive => {
            let fail_over_mac = FailOverMac::Active;
            Ok((Config { fail_over_mac, ..*config }, true))
        }
        Admission::Refuse => Err(refusal.because(
            eopnotsupp(),
            c"Slave device does not support setting the MAC address, but fail_over_mac is not set to active",
        )),
    }
}

fn lag_tx(config: &Config) -> LagTx {
    match config.mode.row().lag {
        Lag::RoundRobin => LagTx::RoundRobin,
        Lag::ActiveBackup => LagTx::ActiveBackup,
        Lag::Broadcast => LagTx::Broadcast,
        Lag::Unknown => LagTx::Unknown,
        Lag::Hash => LagTx::Hash(match config.xmit_hash_policy {
            HashPolicy::Layer2 => LagHash::L2,
            HashPolicy::Layer34 => LagHash::L34,
            HashPolicy::Layer23 => LagHash::L23,
            HashPolicy::Encap23 => LagHash::E23,
            HashPolicy::Encap34 => LagHash::E34,
            HashPolicy::VlanSrcMac => LagHash::VlanSrcMac,
        }),
    }
}
