// SPDX-License-Identifier: GPL-2.0

//! The status of bonds: a model, as text and as JSON. Documentation/ib-bond.md describes the JSON.

use crate::driver::{Driver, Machine};
use crate::error::{Error, Result, DEGRADED, DOWN, WELL};
use crate::netlink::{Address, Device, Link, LinkType, Netlink};
use crate::state::{Origin, Record, State};
use crate::up::list;
use serde::Serialize;
use std::fmt::Write;
use std::fs;

/// The version of the JSON. Fields may be added without a new one.
const SCHEMA: u32 = 1;

/// How well a bond is, the worst last.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Health {
    /// It works, and a link may fail.
    Well,
    /// It works, but a slave does not, or only one link is left.
    Degraded,
    /// It does not work.
    Down,
}

impl Health {
    /// The exit status for monitoring.
    pub(crate) fn exit_status(self) -> u8 {
        match self {
            Health::Well => WELL,
            Health::Degraded => DEGRADED,
            Health::Down => DOWN,
        }
    }

    /// The word for people and programs.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Health::Well => "well",
            Health::Degraded => "degraded",
            Health::Down => "down",
        }
    }
}

/// All that is known of the bonds of a machine.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Report {
    /// The version of this description.
    pub(crate) schema: u32,
    /// The worst of all bonds; null if there is none.
    pub(crate) state: Option<Health>,
    /// Which drivers there are.
    pub(crate) driver: DriverReport,
    /// The bonds, by name.
    pub(crate) bonds: Vec<BondReport>,
}

/// Which drivers there are: "rust", "in-tree" or null.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct DriverReport {
    /// The one that runs.
    pub(crate) running: Option<&'static str>,
    /// The one that modprobe would load.
    pub(crate) installed: Option<&'static str>,
    /// Its file.
    pub(crate) file: Option<String>,
}

/// A bond.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct BondReport {
    /// Its name.
    pub(crate) name: String,
    /// How well it is.
    pub(crate) state: Health,
    /// Why it is not well, each in a few words.
    pub(crate) reasons: Vec<String>,
    /// Its mode.
    pub(crate) mode: String,
    /// "infiniband", "ethernet" or "other".
    pub(crate) link_type: &'static str,
    /// Whether it is set up.
    pub(crate) up: bool,
    /// Whether it has carrier.
    pub(crate) carrier: bool,
    /// In bytes.
    pub(crate) mtu: u32,
    /// Its hardware address.
    pub(crate) hardware_address: String,
    /// Its IP addresses, but for link-local ones.
    pub(crate) addresses: Vec<String>,
    /// How often it looks at its links, in milliseconds; 0 is never.
    pub(crate) miimon_ms: u32,
    /// How often it sends ARP probes, in milliseconds; 0 is never.
    pub(crate) arp_interval_ms: u32,
    /// The slave that carries the traffic, in a mode that has one.
    pub(crate) active_slave: Option<String>,
    /// The slave that is preferred.
    pub(crate) primary: Option<String>,
    /// Who made it: "command" or "openib" for ib-bond, null for anybody else.
    pub(crate) made_by: Option<Origin>,
    /// Its slaves.
    pub(crate) slaves: Vec<SlaveReport>,
}

/// A slave.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct SlaveReport {
    /// Its name.
    pub(crate) name: String,
    /// Its link, as the bond sees it: "up", "going down", "down" or "going back".
    pub(crate) link: &'static str,
    /// Whether it is set up.
    pub(crate) up: bool,
    /// Whether it has carrier.
    pub(crate) carrier: bool,
    /// "active" or "backup".
    pub(crate) role: &'static str,
    /// How often its link was lost since it joined.
    pub(crate) link_failures: u32,
    /// In bytes.
    pub(crate) mtu: u32,
    /// The hardware address that it has of its own.
    pub(crate) hardware_address: String,
    /// For an IPoIB interface: its partition, such as "0xffff".
    pub(crate) pkey: Option<String>,
    /// For an IPoIB interface: "datagram" or "connected".
    pub(crate) ipoib_mode: Option<&'static str>,
    /// In 802.3ad mode, why the slave carries no traffic.
    pub(crate) carries_nothing: Option<String>,
}

impl Report {
    /// Looks at the bond of this name, or at all of them.
    pub(crate) fn collect(
        netlink: &mut Netlink,
        machine: &Machine,
        state: &State,
        name: Option<&str>,
    ) -> Result<Self> {
        let unknown =
            |refusal| Error::failed(format!("the network devices cannot be listed: {refusal}"));
        let devices = netlink.devices().map_err(unknown)?;
        let addresses = netlink.addresses().map_err(unknown)?;
        if let Some(name) = name {
            match devices.iter().find(|device| device.name == name) {
                None => {
                    return Err(Error::failed(format!(
                    "there is no bond {name}; \"ib-bond --status-all\" shows those that there are"
                )))
                }
                Some(device) if device.bond.is_none() => {
                    return Err(Error::failed(format!(
                        "{name} is no bond; \"ib-bond --status-all\" shows the bonds that there are"
                    )))
                }
                Some(_) => {}
            }
        }
        let installed = machine.installed();
        let mut report = Report::of(&devices, &addresses, |device| state.record_of(device));
        if let Some(name) = name {
            report.bonds.retain(|bond| bond.name == name);
            report.state = report.bonds.iter().map(|bond| bond.state).max();
        }
        Ok(Report {
            driver: DriverReport {
                running: machine.running().map(Driver::word),
                installed: installed.as_ref().map(|installed| installed.driver.word()),
                file: installed.and_then(|installed| Some(installed.file?.display().to_string())),
            },
            ..report
        })
    }

    /// The bonds among these devices, without a word about drivers.
    pub(crate) fn of(
        devices: &[Device],
        addresses: &[Address],
        record: impl Fn(&Device) -> Option<Record>,
    ) -> Self {
        let mut bonds: Vec<BondReport> = devices
            .iter()
            .filter_map(|device| {
                let origin = record(device).map(|record| record.origin);
                BondReport::new(device, devices, addresses, origin)
            })
            .collect();
        bonds.sort_by(|a, b| a.name.cmp(&b.name));
        Report {
            schema: SCHEMA,
            state: bonds.iter().map(|bond| bond.state).max(),
            driver: DriverReport {
                running: None,
                installed: None,
                file: None,
            },
            bonds,
        }
    }

    /// For people.
    pub(crate) fn text(&self) -> String {
        let mut text = String::new();
        for bond in &self.bonds {
            bond.write(&mut text);
        }
        text.push_str(&match self.driver.running {
            Some("rust") => format!("The driver is {}.\n", Driver::Rust),
            Some(_) => format!("The driver is {}.\n", Driver::InTree),
            None => "No bonding driver is loaded.\n".into(),
        });
        text
    }

    /// For programs.
    pub(crate) fn json(&self) -> String {
        serde_json::to_string_pretty(self).unwrap_or_default() + "\n"
    }
}

impl BondReport {
    fn new(
        device: &Device,
        devices: &[Device],
        addresses: &[Address],
        made_by: Option<Origin>,
    ) -> Option<Self> {
        let bond = device.bond.as_ref()?;
        let name_of = |index: Option<u32>| {
            let found = devices.iter().find(|device| Some(device.index) == index)?;
            Some(found.name.clone())
        };
        let idle = match bond.is_lacp() {
            true => idle_reasons(&device.name),
            false => Vec::new(),
        };
        let slaves: Vec<SlaveReport> = devices
            .iter()
            .filter(|slave| slave.master == Some(device.index))
            .filter_map(|slave| SlaveReport::new(slave, bond.aggregator, bond.is_lacp(), &idle))
            .collect();
        let mut report = BondReport {
            name: device.name.clone(),
            state: Health::Well,
            reasons: Vec::new(),
            mode: bond.mode_name(),
            link_type: match device.link_type {
                LinkType::Infiniband => "infiniband",
                LinkType::Ethernet => "ethernet",
                LinkType::Other(_) => "other",
            },
            up: device.up,
            carrier: device.carrier,
            mtu: device.mtu,
            hardware_address: hex(&device.hardware_address),
            addresses: addresses
                .iter()
                .filter(|address| address.index == device.index && address.is_global)
                .map(|address| address.net.to_string())
                .collect(),
            miimon_ms: bond.miimon,
            arp_interval_ms: bond.arp_interval,
            active_slave: name_of(bond.active.filter(|_| bond.has_active())),
            primary: name_of(bond.primary),
            made_by,
            slaves,
        };
        (report.state, report.reasons) = report.judge();
        Some(report)
    }

    /// How well the bond is, and why it is not.
    fn judge(&self) -> (Health, Vec<String>) {
        let mut reasons = Vec::new();
        if !self.up {
            reasons.push("the bond is set down".into());
        }
        if self.slaves.is_empty() {
            reasons.push("it has no slaves".into());
        }
        for slave in &self.slaves {
            let name = &slave.name;
            if !slave.works() {
                reasons.push(format!("{name} has no link"));
            } else if let Some(reason) = &slave.carries_nothing {
                reasons.push(format!("{name} carries no traffic: {reason}"));
            }
        }
        let working = self.slaves.iter().filter(|slave| slave.carries()).count();
        if !self.up || !self.carrier || working == 0 {
            if reasons.is_empty() {
                reasons.push("the bond has no carrier".into());
            }
            return (Health::Down, reasons);
        }
        if self.slaves.len() == 1 {
            reasons.push("it has one slave only".into());
        }
        match working < self.slaves.len() || working < 2 {
            true => (Health::Degraded, reasons),
            false => (Health::Well, reasons),
        }
    }

    /// The bond in a few words.
    pub(crate) fn summary(&self) -> String {
        let addresses = match self.addresses.is_empty() {
            true => "no IP address".into(),
            false => list(self.addresses.iter().map(String::as_str)),
        };
        let slaves = list(self.slaves.iter().map(|slave| slave.name.as_str()));
        format!(
            "{addresses} over {slaves}, {}, miimon {} ms",
            self.mode, self.miimon_ms
        )
    }

    fn write(&self, text: &mut String) {
        let BondReport {
            name, mode, mtu, ..
        } = self;
        let state = self.state.word();
        let _ = match self.reasons.is_empty() {
            true => writeln!(text, "{name} is {state}."),
            false => writeln!(text, "{name} is {state}: {}.", self.reasons.join("; ")),
        };
        let addresses = match self.addresses.is_empty() {
            true => "no IP address".into(),
            false => list(self.addresses.iter().map(String::as_str)),
        };
        let monitor = match (self.miimon_ms, self.arp_interval_ms) {
            (0, 0) => "no monitor".into(),
            (0, ms) => format!("ARP every {ms} ms"),
            (ms, _) => format!("miimon {ms} ms"),
        };
        let _ = writeln!(text, "  {addresses}, {mode}, {monitor}, MTU {mtu}");
        if self.slaves.is_empty() {
            text.push('\n');
            return;
        }
        let width = self
            .slaves
            .iter()
            .map(|slave| slave.name.len())
            .max()
            .unwrap_or(0)
            .max("slave".len());
        let _ = writeln!(
            text,
            "  {:width$}  {:10}  {:6}  {:>8}  {:9}  mode",
            "slave", "link", "role", "failures", "partition"
        );
        for slave in &self.slaves {
            let line = format!(
                "  {:width$}  {:10}  {:6}  {:>8}  {:9}  {}",
                slave.name,
                slave.link,
                slave.role,
                slave.link_failures,
                slave.pkey.as_deref().unwrap_or("-"),
                slave.ipoib_mode.unwrap_or("-")
            );
            let _ = writeln!(text, "{}", line.trim_end());
        }
        text.push('\n');
    }
}

impl SlaveReport {
    fn new(
        device: &Device,
        aggregator: Option<u16>,
        is_lacp: bool,
        idle: &[(String, String)],
    ) -> Option<Self> {
        let slave = device.slave.as_ref()?;
        let stated = idle
            .iter()
            .find(|(name, _)| *name == device.name)
            .map(|(_, reason)| reason.clone());
        let is_outside = is_lacp && (aggregator.is_none() || slave.aggregator != aggregator);
        let own_address = if slave.own_address.is_empty() {
            &device.hardware_address
        } else {
            &slave.own_address
        };
        Some(SlaveReport {
            name: device.name.clone(),
            link: match slave.link {
                Link::Up => "up",
                Link::GoingDown => "going down",
                Link::Down => "down",
                Link::GoingBack => "going back",
            },
            up: device.up,
            carrier: device.carrier,
            role: if slave.is_active { "active" } else { "backup" },
            link_failures: slave.link_failures,
            mtu: device.mtu,
            hardware_address: hex(own_address),
            pkey: device.ipoib.map(|ipoib| format!("0x{:04x}", ipoib.pkey)),
            ipoib_mode: device.ipoib.map(|ipoib| {
                if ipoib.is_connected {
                    "connected"
                } else {
                    "datagram"
                }
            }),
            carries_nothing: stated
                .or_else(|| is_outside.then(|| "it is not in the aggregator in use".into())),
        })
    }

    /// Whether the bond uses its link.
    pub(crate) fn works(&self) -> bool {
        self.up && self.carrier && matches!(self.link, "up" | "going down")
    }

    /// Whether it carries traffic, or would do so after a failover.
    pub(crate) fn carries(&self) -> bool {
        self.works() && self.carries_nothing.is_none()
    }
}

/// The slaves of an 802.3ad bond that carry no traffic, with the reason: only /proc has that.
fn idle_reasons(bond: &str) -> Vec<(String, String)> {
    parse_idle_reasons(&fs::read_to_string(format!("/proc/net/bonding/{bond}")).unwrap_or_default())
}

pub(crate) fn parse_idle_reasons(text: &str) -> Vec<(String, String)> {
    let mut slave = "";
    let mut found = Vec::new();
    for line in text.lines() {
        if let Some(name) = line.strip_prefix("Slave Interface: ") {
            slave = name;
        } else if let Some(reason) = line.trim().strip_prefix("Carries no traffic: ") {
            found.push((slave.to_string(), reason.to_string()));
        }
    }
    found
}

fn hex(bytes: &[u8]) -> String {
    let digits: Vec<String> = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    digits.join(":")
}
