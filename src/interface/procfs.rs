// SPDX-License-Identifier: GPL-2.0

//! `/proc/net/bonding/BOND`: a bond and its slaves, for people and for the scripts that read it.

use super::masters::Namespaces;
use crate::bond::lacp::{PortView, SystemView};
use crate::bond::message::{bond_warn, NameOf};
use crate::bond::{lacp, Bond, BondDev, SlaveDev};
use core::fmt::{Display, Formatter, Result, Write};
use kernel::error::code::ENOENT;
use net::master::device::Slot;
use net::master::procfs::{self, DeviceFile};
use net::netdev_lock::Held;
use net::netdevice::NetDevice;
use net::netlink::ExtAck;
use net::notifier::{Event, Listener};
use net::rcu::{self, Rcu};
use net::rtnl::Rtnl;
use net::seq_file::Seq;
use net::utsrelease::RELEASE;
use policy::mode::{Addresses, Sender};
use policy::options::{FailOverMac, OPTIONS};
use policy::wire::slow::{PortInfo, SystemId};
use policy::{Config, Duplex, HwAddr, OptionId};

/// The files, which come, go and are renamed with their bonds.
pub(crate) struct Files;

impl Listener for Files {
    fn event(
        dev: &NetDevice,
        event: Event,
        _extack: Option<&ExtAck>,
        held: &Held<'_>,
    ) -> kernel::error::Result {
        let rtnl: &Rtnl = held;
        let Some(bond) = BondDev::from_netdev(dev) else {
            return Ok(());
        };
        match event {
            Event::Register | Event::ChangeName => {
                match procfs::publish::<Namespaces, Files>(bond, rtnl) {
                    // There is no directory; the user was told when it could not be made.
                    Ok(()) => {}
                    Err(err) if err == ENOENT => {}
                    // Scripts that look after a bond read its file: no bond is better than one that
                    // they do not see.
                    Err(err) => {
                        bond_warn!(dev, "Cannot create /proc/net/bonding/{}", NameOf(dev));
                        return Err(err);
                    }
                }
            }
            Event::Unregister => procfs::unpublish(bond, rtnl),
            _ => {}
        }
        Ok(())
    }
}

impl DeviceFile<Bond> for Files {
    fn show(bond: &BondDev, seq: &mut Seq<'_>) {
        let rcu = rcu::read_lock();
        // Writing to the file does not fail.
        let _ = show_bond(bond, seq, &rcu);
        for slave in bond.lowers_rcu(&rcu) {
            let _ = show_slave(slave, seq, &rcu);
        }
    }
}

fn show_bond(bond: &BondDev, seq: &mut Seq<'_>, rcu: &Rcu) -> Result {
    let config = bond.data().options.copy();
    write!(seq, "Ethernet Channel Bonding Driver: v{RELEASE}\n\n")?;

    write!(seq, "Bonding Mode: {}", config.mode.description())?;
    match config.mode.row().addresses {
        Addresses::ByOption if config.fail_over_mac != FailOverMac::None => {
            let fail_over_mac = config.text(OptionId::FailOverMac).unwrap_or_default();
            write!(seq, " (fail_over_mac {fail_over_mac})")?;
        }
        Addresses::ByOption | Addresses::Shared | Addresses::Own => {}
    }
    seq.write_str("\n")?;

    if config.sender() == Sender::Hash {
        let hash_policy = config.text(OptionId::XmitHashPolicy).unwrap_or_default();
        let number = config.xmit_hash_policy as u8;
        writeln!(seq, "Transmit Hash Policy: {hash_policy} ({number})")?;
    }
    if config.mode.uses_primary() {
        seq.write_str("Primary Slave: ")?;
        let primary = bond.slot_rcu(rcu, Slot::Primary);
        show_name(primary, seq);
        if primary.is_some() {
            let reselect = config.text(OptionId::PrimaryReselect).unwrap_or_default();
            write!(seq, " (primary_reselect {reselect})")?;
        }
        seq.write_str("\nCurrently Active Slave: ")?;
        show_name(bond.slot_rcu(rcu, Slot::Active), seq);
        seq.write_str("\n")?;
    }

    writeln!(
        seq,
        "MII Status: {}",
        if bond.carrier_ok() { "up" } else { "down" }
    )?;
    for (id, label) in OPTIONS
        .iter()
        .filter_map(|desc| Some((desc.id, desc.proc_label?)))
    {
        match id {
            OptionId::ArpInterval
            | OptionId::ArpMissedMax
            | OptionId::ArpIpTarget
            | OptionId::NsIp6Target
                if !config.is_probed() => {}
            OptionId::ArpIpTarget => show_list(label, config.arp_targets.iter(), seq)?,
            OptionId::NsIp6Target => show_list(label, config.ns_targets.iter(), seq)?,
            _ => writeln!(seq, "{label}: {}", config.number(id).unwrap_or_default())?,
        }
    }
    match lacp::system(bond, rcu) {
        Some(system) => {
            show_system(bond, &config, &system, seq)?;
            match system.shortage {
                Some(shortage) => writeln!(seq, "No carrier: {shortage}"),
                None => Ok(()),
            }
        }
        None => Ok(()),
    }
}

fn show_system(bond: &BondDev, config: &Config, system: &SystemView, seq: &mut Seq<'_>) -> Result {
    let text = |id| config.text(id).unwrap_or_default();
    writeln!(seq, "\n802.3ad info")?;
    writeln!(seq, "LACP active: {}", text(OptionId::LacpActive))?;
    writeln!(seq, "LACP rate: {}", text(OptionId::LacpRate))?;
    writeln!(seq, "Min links: {}", config.min_links)?;
    let select = text(OptionId::AdSelect);
    writeln!(seq, "Aggregator selection policy (ad_select): {select}")?;
    if !bond.net().is_admin() {
        return Ok(());
    }
    let SystemId { priority, addr } = system.system;
    writeln!(seq, "System priority: {priority}")?;
    writeln!(seq, "System MAC address: {}", Mac(&addr))?;
    let Some(active) = &system.active else {
        seq.write_str("bond ")?;
        seq.bytes(bond.name().as_bytes());
        return seq.write_str(" has no active aggregator\n");
    };
    seq.write_str("Active Aggregator Info:\n")?;
    writeln!(seq, "\tAggregator ID: {}", active.id)?;
    writeln!(seq, "\tNumber of ports: {}", active.ports)?;
    writeln!(seq, "\tActor Key: {}", active.key)?;
    writeln!(seq, "\tPartner Key: {}", active.partner_key)?;
    writeln!(seq, "\tPartner Mac Address: {}", Mac(&active.partner.addr))
}

/// Writes a MAC address.
struct Mac<'a>(&'a [u8; 6]);

impl Display for Mac<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        HwAddr::new(self.0).map_or(Ok(()), |addr| Display::fmt(&addr, f))
    }
}

fn show_list(label: &str, items: impl Iterator<Item = impl Display>, seq: &mut Seq<'_>) -> Result {
    write!(seq, "{label}:")?;
    let mut separator = " ";
    for item in items {
        write!(seq, "{separator}{item}")?;
        separator = ", ";
    }
    seq.write_str("\n")
}

fn show_slave(slave: &SlaveDev, seq: &mut Seq<'_>, rcu: &Rcu) -> Result {
    let port = slave.data().copy_port();
    seq.write_str("\nSlave Interface: ")?;
    show_name(Some(slave), seq);
    writeln!(seq, "\nMII Status: {}", port.link.state().text())?;
    match port.speed {
        Some(speed) => writeln!(seq, "Speed: {speed} Mbps")?,
        None => seq.write_str("Speed: Unknown\n")?,
    }
    let duplex = match port.duplex {
        Duplex::Half => "half",
        Duplex::Full => "full",
        Duplex::Unknown => "Unknown",
    };
    writeln!(seq, "Duplex: {duplex}")?;
    writeln!(seq, "Link Failure Count: {}", port.failures)?;
    writeln!(seq, "Permanent HW addr: {}", slave.data().perm_addr())?;
    writeln!(seq, "Slave queue ID: {}", slave.data().queue_id())?;
    match lacp::port(slave, rcu) {
        Some(view) => show_port(&view, slave.dev().net().is_admin(), seq),
        None => Ok(()),
    }
}

fn show_port(view: &PortView, is_admin: bool, seq: &mut Seq<'_>) -> Result {
    let port = &view.port;
    match port.aggregator {
        0 => writeln!(seq, "Aggregator ID: N/A")?,
        id => writeln!(seq, "Aggregator ID: {id}")?,
    }
    writeln!(seq, "Actor Churn State: {}", port.actor_churn.text())?;
    writeln!(seq, "Partner Churn State: {}", port.partner_churn.text())?;
    writeln!(seq, "Actor Churned Count: {}", port.actor_churned)?;
    writeln!(seq, "Partner Churned Count: {}", port.partner_churned)?;
    if is_admin {
        show_info("actor", "port", &view.actor, seq)?;
        show_info("partner", "oper", &port.partner, seq)?;
    }
    match view.reason {
        Some(reason) => writeln!(seq, "Carries no traffic: {reason}"),
        None => Ok(()),
    }
}

/// Writes what an LACPDU says about a port; `key` is what its key is called.
fn show_info(whose: &str, key: &str, info: &PortInfo, seq: &mut Seq<'_>) -> Result {
    writeln!(seq, "details {whose} lacp pdu:")?;
    writeln!(seq, "    system priority: {}", info.system.priority)?;
    writeln!(seq, "    system mac address: {}", Mac(&info.system.addr))?;
    writeln!(seq, "    {key} key: {}", info.key)?;
    writeln!(seq, "    port priority: {}", info.port_priority)?;
    writeln!(seq, "    port number: {}", info.port)?;
    writeln!(seq, "    port state: {}", info.state.bits())
}

/// Writes the name of a slave as it is, or `None`.
fn show_name(slave: Option<&SlaveDev>, seq: &mut Seq<'_>) {
    match slave {
        Some(slave) => seq.bytes(slave.dev().name().as_bytes()),
        None => seq.bytes(b"None"),
    }
}
