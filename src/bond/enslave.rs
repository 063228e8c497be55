// SPDX-License-Identifier: GPL-2.0

//! How a device becomes a slave. Whatever fails, bond and device are as they were.

use super::address::{addr_of, at_enslave, fresh, restore, steal_addr};
use super::device::{all_have_addrs, give_lists, give_mtu, give_rx_flags};
use super::failover::{self, Source};
use super::message::{netdev_err, netdev_info, netdev_warn, Of};
use super::slave::{read_link_settings, role, tell, Key, Slave};
use super::{arp, history, link_type, monitor, xdp, Bond, BondDev, SlaveDev};
use core::ffi::CStr;
use core::fmt;
use kernel::prelude::*;
use net::dev_addr::AddrAssign;
use net::errno::eopnotsupp;
use net::link_type::LinkLayer;
use net::lower::{LagHash, LagTx};
use net::netdev_features::Features;
use net::netdevice::{NetDevice, ARPHRD_CAN, ARPHRD_ETHER, ARPHRD_INFINIBAND};
use net::netlink::ExtAck;
use net::notifier::Announce;
use net::published::Slot;
use net::rtnl::Rtnl;
use net::sync::now_ms;
use policy::address::{self, Admission, AtEnslave};
use policy::hash::HashPolicy;
use policy::history::What;
use policy::options::FailOverMac;
use policy::receive::SlaveFlags;
use policy::{Config, Event, Link, LinkState, Mode, Port};

/// Makes `device` a slave of the bond. May sleep.
pub(crate) fn enslave(
    dev: &BondDev,
    device: &NetDevice,
    extack: Option<&ExtAck>,
    rtnl: &Rtnl,
) -> Result {
    let config = dev.data().config();
    let is_first = dev.lowers(rtnl).next().is_none();
    let refusal = Refusal {
        dev,
        device,
        extack,
    };
    check(dev, device, &config, is_first, &refusal, rtnl)?;

    let was = Before::of(dev, &config, rtnl);
    let undo_first = Undo::new(|| {
        if is_first {
            was.put_back(dev, rtnl);
        }
    });
    let original_mtu = device.mtu();
    let mtu = if is_first {
        link_type::mtu_with(dev, device, rtnl)
    } else {
        dev.mtu()
    };
    give_mtu(device, mtu, rtnl).map_err(|err| {
        refusal.log(err, "calling dev_set_mtu");
        refusal.because(err, c"Device cannot have the MTU of the bond")
    })?;
    let undo_mtu = Undo::new(|| {
        let _ = device.set_mtu(rtnl, original_mtu);
    });
    if is_first {
        if !dev.is_same_link(device, rtnl) {
            let change = link_type::ask(dev, device, rtnl)?;
            link_type::become_like(dev, &device.link_layer(rtnl), change, rtnl);
        }
        link_type::set_mtu(dev, mtu, rtnl)
            .inspect_err(|err| refusal.log(*err, "setting the MTU of the bond"))?;
    }
    let config = admit(dev, device, &config, is_first, &refusal, rtnl)?;
    let _ = device.announce(rtnl, Announce::Join);
    let has_random = dev.addr_assign(rtnl) == AddrAssign::Random;
    let needs_addr = has_random || dev.link_type() != ARPHRD_ETHER;
    if address::bond_takes_over(is_first, needs_addr) {
        steal_addr(dev, device, rtnl)?;
    }

    let perm_addr = addr_of(device, rtnl);
    let new_addr = match at_enslave(dev, &config, device, rtnl) {
        AtEnslave::Keep => None,
        AtEnslave::SetTo(addr) => Some(addr),
        AtEnslave::Random => Some(fresh(dev, rtnl)),
    };
    if let Some(addr) = &new_addr {
        device
            .set_addr(rtnl, addr.as_bytes(), extack)
            .inspect_err(|err| refusal.log(*err, "calling set_mac_address"))?;
    }
    let undo_addr = Undo::new(|| {
        if new_addr.is_some() {
            restore(dev, device, &perm_addr, rtnl);
        }
    });

    // Before it is opened, so that IPv6 does not configure it.
    device.set_no_addrconf(rtnl, true);
    let undo_addrconf = Undo::new(|| device.set_no_addrconf(rtnl, false));
    device
        .open(rtnl, extack)
        .inspect_err(|err| refusal.failed(*err, "Opening slave failed"))?;
    let undo_open = Undo::new(|| device.close(rtnl));
    device
        .add_vlans_of(rtnl, dev)
        .inspect_err(|err| refusal.failed(*err, "Couldn't add bond vlan ids"))?;
    let undo_vlans = Undo::new(|| device.del_vlans_of(rtnl, dev));

    let carrier = monitor::carrier(device, &config, false, rtnl);
    let link = Link::initial(carrier, config.delays(), config.is_monitored(), now_ms());
    let stats = device.stats(&net::rcu::read_lock());
    let data = Slave::new(Port::new(link, carrier), perm_addr, original_mtu, stats);
    if !dev.features().has(Features::LRO) {
        device.disable_lro(rtnl);
    }
    if config.mode.uses_number() {
        dev.reserve_choice(rtnl)?;
    }
    xdp::join(dev, device, extack, rtnl)?;
    let undo_xdp = Undo::new(|| xdp::leave(dev, device, rtnl));
    let flags = SlaveFlags::of(&config, false, LinkState::Up);
    let lag = (role(flags), lag_tx(&config));
    let slave = SlaveDev::link_up(dev, device, data, lag, extack, rtnl)?;
    if dev.is_polled(rtnl) && slave.poll(rtnl).is_err() {
        slave.unlink(rtnl, || ());
        return Err(refusal.because(
            EBUSY,
            c"Slave does not support netpoll, for which the bond is in use",
        ));
    }
    undo_first.dismiss();
    undo_mtu.dismiss();
    undo_addr.dismiss();
    undo_addrconf.dismiss();
    undo_open.dismiss();
    undo_vlans.dismiss();
    undo_xdp.dismiss();

    join(dev, slave, &config, rtnl);
    Ok(())
}

/// Gives a new slave its part in the bond. Nothing can fail from here on.
fn join(dev: &BondDev, slave: &SlaveDev, config: &Config, rtnl: &Rtnl) {
    let device = slave.dev();
    read_link_settings(slave, false, rtnl);
    arp::give_time(slave);
    arp::admit(dev, slave, rtnl);

    let joined = What::Joined(slave.data().port().link.state);
    history::note(dev, Some(slave), joined, rtnl);

    if config.mode.uses_primary() {
        if config
            .primary
            .is_some_and(|name| name.as_bytes() == device.name().as_bytes())
        {
            dev.set_slot(rtnl, Slot::Primary, Some(slave));
            dev.data().force_primary.set(rtnl, true);
        }
    } else {
        give_rx_flags(dev, device, rtnl);
    }
    if all_have_addrs(dev) && dev.is_up() {
        give_lists(dev, slave, true, rtnl);
    }
    monitor::update_features(dev, rtnl);
    xdp::update_features(dev, rtnl);
    failover::handle(
        dev,
        Event::Enslaved { key: Key(slave) },
        Source::Plain,
        rtnl,
    );
    // If that has made it the active slave, listeners know.
    if !slave.data().is_told_later() {
        tell(dev, slave, Source::Plain, rtnl);
    }

    if device.features().has(Features::VLAN_CHALLENGED) && dev.link_type() == ARPHRD_ETHER {
        netdev_warn!(
            dev,
            "{}",
            Of(
                device,
                "enslaved VLAN challenged slave. Adding VLANs will be blocked as long as it is \
                 part of bond."
            )
        );
    }
    if !config.reads_carrier() && device.driver_link(rtnl, false).is_none() {
        netdev_warn!(
            dev,
            "{}",
            Of(
                device,
                "MII and ETHTOOL support not available, thus bonding will not detect link \
                 failures; set use_carrier to 1"
            )
        );
    }
    let role = if slave.is_backup() {
        "a backup"
    } else {
        "an active"
    };
    let link = match slave.data().port().link.state {
        LinkState::Down => "a down",
        _ => "an up",
    };
    netdev_info!(
        dev,
        "{}",
        Of(
            device,
            format_args!("Enslaving as {role} interface with {link} link")
        )
    );
}

/// Undoes a step unless it is told that all went well. (The kernel crate's `ScopeGuard` may panic.)
struct Undo<F: Fn()> {
    undo: F,
    armed: bool,
}

impl<F: Fn()> Undo<F> {
    fn new(undo: F) -> Self {
        Self { undo, armed: true }
    }

    fn dismiss(mut self) {
        self.armed = false;
    }
}

impl<F: Fn()> Drop for Undo<F> {
    fn drop(&mut self) {
        if self.armed {
            (self.undo)();
        }
    }
}

/// Tells the user why a device cannot join.
struct Refusal<'a> {
    dev: &'a BondDev,
    device: &'a NetDevice,
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

    /// Logs that something could not be done, in the words of the in-tree driver, which has no number there.
    fn failed(&self, err: Error, what: &str) {
        let errno = err.to_errno();
        self.print(format_args!("{what}: error {errno}"));
    }

    fn log(&self, err: Error, what: &str) {
        let errno = err.to_errno();
        self.print(format_args!("Error {errno} {what}"));
    }

    fn print(&self, text: fmt::Arguments<'_>) {
        netdev_err!(self.dev, "{}", Of(self.device, text));
    }
}

/// What can be said before anything is touched; in the order of the in-tree driver.
fn check(
    dev: &BondDev,
    device: &NetDevice,
    config: &Config,
    is_first: bool,
    refusal: &Refusal<'_>,
    rtnl: &Rtnl,
) -> Result {
    if device.link_type() == ARPHRD_CAN {
        return Err(refusal.because(EPERM, c"CAN devices cannot be enslaved"));
    }
    if device.is_master() && !device.is_bond_master() {
        return Err(refusal.because(EPERM, c"Device type (master device) cannot be enslaved"));
    }
    if device.is_rx_handler_busy(rtnl) {
        return Err(refusal.because(EBUSY, c"Device is in use and cannot be enslaved"));
    }
    let this: &NetDevice = dev;
    if this == device {
        return Err(refusal.because(EPERM, c"Cannot enslave bond to itself."));
    }
    if device.features().has(Features::VLAN_CHALLENGED) && dev.has_vlans(rtnl) {
        return Err(refusal.because(
            EPERM,
            c"Can not enslave VLAN challenged device to VLAN enabled bond",
        ));
    }
    if device.is_up() {
        return Err(refusal.because(EPERM, c"Device can not be enslaved while up"));
    }
    if !is_first && dev.link_type() != device.link_type() {
        return Err(refusal.because(EINVAL, c"Device type is different from other slaves"));
    }
    if !is_first && device.link_type() == ARPHRD_INFINIBAND && !dev.is_same_link(device, rtnl) {
        return Err(refusal.because(
            EINVAL,
            c"Device's partition (P_Key) is different from other slaves",
        ));
    }
    if dev.has_upper(rtnl, device) {
        return Err(refusal.because(EBUSY, c"Cannot enslave a device that is above this bond"));
    }
    if device.link_type() == ARPHRD_INFINIBAND && config.mode != Mode::ActiveBackup {
        return Err(refusal.because(
            eopnotsupp(),
            c"Only active-backup mode is supported for infiniband slaves",
        ));
    }
    Ok(())
}

/// Chooses `fail_over_mac` for a slave whose address cannot be set, or refuses it.
fn admit(
    dev: &BondDev,
    device: &NetDevice,
    config: &Config,
    is_first: bool,
    refusal: &Refusal<'_>,
    rtnl: &Rtnl,
) -> Result<Config> {
    let can_set_addr = device.can_set_addr() && device.link_type() != ARPHRD_INFINIBAND;
    match address::admit(config, can_set_addr, is_first) {
        Admission::Admit => Ok(*config),
        Admission::AdmitAsActive => {
            netdev_info!(
                dev,
                "{}",
                Of(
                    device,
                    "Setting fail_over_mac to active for active-backup mode, because the slave keeps \
                     its hardware address"
                )
            );
            let config = Config { fail_over_mac: FailOverMac::Active, ..*config };
            Bond::set_config(dev, config, rtnl);
            Ok(config)
        }
        Admission::Refuse => Err(refusal.because(
            eopnotsupp(),
            c"Slave device does not support setting the MAC address, but fail_over_mac is not set to active",
        )),
    }
}

/// What the first slave may change of a bond.
struct Before {
    config: Config,
    mtu: u32,
    link: LinkLayer,
    addr: net::dev_addr::Addr,
    addr_assign: AddrAssign,
}

impl Before {
    fn of(dev: &BondDev, config: &Config, rtnl: &Rtnl) -> Self {
        Self {
            config: *config,
            mtu: dev.mtu(),
            link: dev.link_layer(rtnl),
            addr: dev.addr(rtnl),
            addr_assign: dev.addr_assign(rtnl),
        }
    }

    fn put_back(&self, dev: &BondDev, rtnl: &Rtnl) {
        Bond::set_config(dev, self.config, rtnl);
        if !dev.is_link(&self.link, rtnl) {
            let Ok(change) = dev.ask_type_change(rtnl) else {
                // A listener has its reason; then address and MTU stay those of this kind of link.
                return;
            };
            link_type::become_like(dev, &self.link, change, rtnl);
        }
        let _ = link_type::set_mtu(dev, self.mtu, rtnl);
        if *dev.addr(rtnl) != *self.addr {
            dev.assign_addr(rtnl, &self.addr);
            let _ = dev.announce(rtnl, Announce::ChangeAddr);
        }
        dev.set_addr_assign(rtnl, self.addr_assign);
    }
}

fn lag_tx(config: &Config) -> LagTx {
    match config.mode {
        Mode::RoundRobin => LagTx::RoundRobin,
        Mode::ActiveBackup => LagTx::ActiveBackup,
        Mode::Broadcast => LagTx::Broadcast,
        Mode::Xor => LagTx::Hash(match config.xmit_hash_policy {
            HashPolicy::Layer2 => LagHash::L2,
            HashPolicy::Layer34 => LagHash::L34,
            HashPolicy::Layer23 => LagHash::L23,
            HashPolicy::Encap23 => LagHash::E23,
            HashPolicy::Encap34 => LagHash::E34,
            HashPolicy::VlanSrcMac => LagHash::VlanSrcMac,
        }),
        _ => LagTx::Unknown,
    }
}
