// SPDX-License-Identifier: GPL-2.0

//! What is wrong with bonds, or will be at the next failover: findings, each with the way out.
//! Documentation/ib-bond-doctor.md lists them, and describes the JSON.
//!
//! `facts` looks; the functions here only judge what it has found.

use crate::driver::Driver;
use crate::error::{Error, Result, DEGRADED, DOWN, WELL};
use crate::facts::{Facts, SlaveFacts};
use crate::firewall::Hook;
use crate::netlink::{Device, LinkType};
use crate::status::{BondReport, SlaveReport};
use crate::up::list;
use serde::Serialize;
use std::fmt::Write;
use std::net::{IpAddr, Ipv4Addr};

/// The version of the JSON. Fields may be added without a new one.
const SCHEMA: u32 = 1;

/// When a finding hurts, the worst last.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum When {
    /// At the next failover.
    NextFailover,
    /// Now.
    Now,
}

/// Something that is wrong.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Finding {
    /// What it is, for programs: this never changes.
    pub(crate) id: &'static str,
    /// When it hurts.
    pub(crate) when: When,
    /// The bond; null for the driver.
    pub(crate) bond: Option<String>,
    /// The other devices that have a part in it.
    pub(crate) devices: Vec<String>,
    /// What is wrong, without the full stop.
    pub(crate) problem: String,
    /// What to do, without the full stop.
    pub(crate) way_out: String,
}

/// What there is to say.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Diagnosis {
    /// The version of this description.
    pub(crate) schema: u32,
    /// When the worst finding hurts; null if there is none.
    pub(crate) worst: Option<When>,
    /// The bonds that were looked at.
    pub(crate) bonds: Vec<String>,
    /// The findings.
    pub(crate) findings: Vec<Finding>,
    /// What could not be looked at, and why, each without the full stop.
    pub(crate) unknown: Vec<String>,
}

/// Judges these bonds, or all of them if none is named.
pub(crate) fn diagnose(facts: &Facts, names: &[String]) -> Result<Diagnosis> {
    for name in names {
        let device = facts.devices.iter().find(|device| device.name == *name);
        let is = match device {
            None => format!("there is no bond {name}"),
            Some(device) if device.bond.is_none() => format!("{name} is no bond"),
            Some(_) => continue,
        };
        return Err(Error::failed(format!(
            "{is}; \"ib-bond --status-all\" shows the bonds that there are"
        )));
    }
    let bonds: Vec<&BondReport> = facts
        .report
        .bonds
        .iter()
        .filter(|bond| names.is_empty() || names.contains(&bond.name))
        .collect();
    let mut findings = Vec::new();
    findings.extend(driver(facts));
    for bond in &bonds {
        let mut judge = Judge {
            facts,
            bond,
            findings: Vec::new(),
        };
        judge.links();
        judge.redundancy();
        judge.monitor();
        judge.differences();
        judge.addresses();
        judge.announcements();
        // What is wrong now comes first.
        judge
            .findings
            .sort_by_key(|finding| std::cmp::Reverse(finding.when));
        findings.append(&mut judge.findings);
    }
    let mut unknown = Vec::new();
    if let Some(reason) = &facts.firewall.unknown {
        unknown.push(format!(
            "the firewall was not looked at: {reason}; run ib-bond doctor with sudo"
        ));
    }
    Ok(Diagnosis {
        schema: SCHEMA,
        worst: findings.iter().map(|finding| finding.when).max(),
        bonds: bonds.iter().map(|bond| bond.name.clone()).collect(),
        findings,
        unknown,
    })
}

impl Diagnosis {
    /// For monitoring: 0 nothing found, 1 something will hurt at the next failover, 2 something is wrong now.
    pub(crate) fn exit_status(&self) -> u8 {
        match self.worst {
            None => WELL,
            Some(When::NextFailover) => DEGRADED,
            Some(When::Now) => DOWN,
        }
    }

    /// For programs.
    pub(crate) fn json(&self) -> String {
        serde_json::to_string_pretty(self).unwrap_or_default() + "\n"
    }

    /// For people.
    pub(crate) fn text(&self) -> String {
        let mut text = String::new();
        let drivers = self.findings.iter().filter(|found| found.bond.is_none());
        let drivers: Vec<&Finding> = drivers.collect();
        if !drivers.is_empty() {
            write_findings(&mut text, "driver", &drivers);
        }
        for bond in &self.bonds {
            let found = self
                .findings
                .iter()
                .filter(|found| found.bond.as_ref() == Some(bond));
            write_findings(&mut text, bond, &found.collect::<Vec<_>>());
        }
        for unknown in &self.unknown {
            let _ = writeln!(text, "Note: {unknown}.");
        }
        text
    }
}

fn write_findings(text: &mut String, title: &str, findings: &[&Finding]) {
    if findings.is_empty() {
        let _ = writeln!(text, "{title}: nothing found");
        return;
    }
    let _ = writeln!(text, "{title}:");
    for finding in findings {
        let when = match finding.when {
            When::Now => "wrong now",
            When::NextFailover => "at the next failover",
        };
        let Finding {
            id,
            problem,
            way_out,
            ..
        } = finding;
        let _ = writeln!(text, "  {when} [{id}]\n    {problem}; {way_out}.");
    }
}

/// Which driver runs, and which one runs after the next boot.
fn driver(facts: &Facts) -> Option<Finding> {
    let installed = facts.installed.as_ref().map(|installed| installed.driver);
    let (id, problem, way_out) = match (facts.running?, installed) {
        (Driver::InTree, Some(Driver::Rust)) => (
            "driver-in-tree",
            format!("{} runs, although {} is installed", Driver::InTree, Driver::Rust),
            "change to it with \"ib-bond switch rust\", or reboot".to_string(),
        ),
        (Driver::Rust, Some(Driver::InTree)) => (
            "driver-not-installed",
            format!(
                "{} runs, but modprobe would load {}, so that one runs after the next boot",
                Driver::Rust,
                Driver::InTree
            ),
            format!(
                "install {} for the kernel {} (package bonding-rs-dkms, or \"make install\"), or go back with \
                 \"ib-bond switch in-tree\"",
                Driver::Rust,
                facts.release
            ),
        ),
        (running, None) => (
            "driver-not-installed",
            format!("{running} runs, but modprobe finds no bonding driver, so there is no bond after the next boot"),
            format!(
                "install {} or the modules of the kernel {}, and run \"depmod\"",
                Driver::Rust,
                facts.release
            ),
        ),
        _ => return None,
    };
    Some(Finding {
        id,
        when: When::NextFailover,
        bond: None,
        devices: Vec::new(),
        problem,
        way_out,
    })
}

struct Judge<'a> {
    facts: &'a Facts,
    bond: &'a BondReport,
    findings: Vec<Finding>,
}

impl Judge<'_> {
    fn find(
        &mut self,
        id: &'static str,
        when: When,
        devices: &[&str],
        problem: String,
        way_out: String,
    ) {
        self.findings.push(Finding {
            id,
            when,
            bond: Some(self.bond.name.clone()),
            devices: devices.iter().map(|name| name.to_string()).collect(),
            problem,
            way_out,
        });
    }

    fn device(&self, name: &str) -> Option<&Device> {
        self.facts
            .devices
            .iter()
            .find(|device| device.name == *name)
    }

    fn below(&self, slave: &SlaveReport) -> Option<&SlaveFacts> {
        self.facts.slaves.get(&slave.name)
    }

    /// Links that are lost, and how many are left.
    fn links(&mut self) {
        let (bond, name) = (self.bond, &self.bond.name);
        if !bond.up {
            let problem = format!("{name} is set down");
            let way_out = format!("set it up with \"ip link set {name} up\"");
            self.find("bond-down", When::Now, &[], problem, way_out);
        }
        for slave in &bond.slaves {
            let slave_name = &slave.name;
            if !slave.up {
                let problem = format!("{slave_name} is set down");
                let way_out = format!("set it up with \"ip link set {slave_name} up\"");
                self.find("slave-down", When::Now, &[slave_name], problem, way_out);
            } else if self.infiniband(slave) {
                // That is why it has no link.
            } else if slave.link == "going back" && slave.carrier {
                let problem =
                    format!("{slave_name} has its link again, but its updelay is not over");
                let way_out = "wait for that".to_string();
                self.find("no-link", When::Now, &[slave_name], problem, way_out);
            } else if !slave.works() {
                let problem = match slave.carrier {
                    true => format!("{slave_name} has carrier, but the monitor of {name} hears nothing through it"),
                    false => format!("{slave_name} has no link"),
                };
                let way_out = match slave.carrier {
                    true => format!("look at the switch, and at the addresses in /sys/class/net/{name}/bonding/arp_ip_target"),
                    false => "look at its cable, and at the switch at the other end".to_string(),
                };
                self.find("no-link", When::Now, &[slave_name], problem, way_out);
            } else if let Some(reason) = &slave.carries_nothing {
                let (problem, way_out) = lacp(slave_name, reason);
                self.find(
                    "lacp-not-aggregated",
                    When::Now,
                    &[slave_name],
                    problem,
                    way_out,
                );
            }
        }
        let working: Vec<&str> = bond
            .slaves
            .iter()
            .filter(|slave| slave.carries())
            .map(|slave| slave.name.as_str())
            .collect();
        match (&bond.slaves[..], &working[..]) {
            ([], _) => {
                let problem = format!("{name} has no slaves");
                let way_out = format!("give it some with \"ip link set DEVICE master {name}\"");
                self.find("no-slaves", When::Now, &[], problem, way_out);
            }
            ([_], [only]) => {
                let problem = format!(
                    "{name} has one slave only, {only}, so nothing takes over when that fails"
                );
                let way_out = "enslave a second one".to_string();
                self.find("one-link", When::NextFailover, &[only], problem, way_out);
            }
            (_, [only]) => {
                let problem = format!("{only} is the only link of {name} that works, so nothing takes over when that fails");
                let way_out = "mend another one".to_string();
                self.find("one-link", When::NextFailover, &[only], problem, way_out);
            }
            (_, []) => {
                let problem = format!("no link of {name} works");
                let way_out = "mend one of them".to_string();
                self.find("all-links-down", When::Now, &[], problem, way_out);
            }
            _ => {}
        }
    }

    /// What fails together.
    fn redundancy(&mut self) {
        let bond = self.bond;
        let mut is_one_port = false;
        for (position, first) in bond.slaves.iter().enumerate() {
            for second in &bond.slaves[position + 1..] {
                let (Some(one), Some(other)) = (self.below(first), self.below(second)) else {
                    continue;
                };
                let Some(port) = shared_port(one, other) else {
                    continue;
                };
                is_one_port = true;
                let names = [first.name.as_str(), second.name.as_str()];
                let problem = format!(
                    "{} and {} share one port ({port}), so one cable takes both away",
                    names[0], names[1]
                );
                let way_out =
                    "enslave a device on another port, best of another adapter".to_string();
                self.find("same-port", When::NextFailover, &names, problem, way_out);
            }
        }
        // Two slaves on one port are on one adapter, too; that need not be said as well.
        let is_pair = bond.slaves.len() == 2 && is_one_port;
        let [first, rest @ ..] = &bond.slaves[..] else {
            return;
        };
        if rest.is_empty() || is_pair {
            return;
        }
        let Some(one) = self.below(first) else {
            return;
        };
        let shared = rest.iter().all(|other| {
            self.below(other)
                .is_some_and(|other| shares_adapter(one, other))
        });
        if shared {
            let adapter = one.adapter.clone().unwrap_or_else(|| "no name".into());
            let names: Vec<&str> = bond
                .slaves
                .iter()
                .map(|slave| slave.name.as_str())
                .collect();
            let problem = format!(
                "{} are on one adapter ({adapter}), so {} has no link left when that fails",
                list(names.iter().copied()),
                bond.name
            );
            let way_out = "enslave a device of another adapter".to_string();
            self.find("same-adapter", When::NextFailover, &names, problem, way_out);
        }
    }

    /// Who notices that a link is lost.
    fn monitor(&mut self) {
        let (bond, name) = (self.bond, &self.bond.name);
        let hears = self
            .facts
            .bonds
            .get(name)
            .and_then(|facts| facts.link_events);
        if bond.miimon_ms != 0 || bond.arp_interval_ms != 0 || hears == Some(true) {
            return;
        }
        let problem = format!("{name} has no link monitor, so no link that is lost is noticed");
        let more = match hears {
            Some(_) => format!(", or \"echo on > /sys/class/net/{name}/bonding/link_events\""),
            None => String::new(),
        };
        let way_out = format!("\"echo 100 > /sys/class/net/{name}/bonding/miimon\"{more}");
        self.find("no-monitor", When::NextFailover, &[], problem, way_out);
    }

    /// What must be the same for all slaves.
    fn differences(&mut self) {
        let (bond, name) = (self.bond, &self.bond.name);
        let mut compare =
            |id, what: &str, way_out: String, value: &dyn Fn(&SlaveReport) -> Option<String>| {
                let values: Vec<(&str, String)> = bond
                    .slaves
                    .iter()
                    .filter_map(|slave| Some((slave.name.as_str(), value(slave)?)))
                    .collect();
                let Some((_, first)) = values.first() else {
                    return;
                };
                if values.iter().all(|(_, value)| value == first) {
                    return;
                }
                let shown: Vec<String> = values
                    .iter()
                    .map(|(name, value)| format!("{name} has {value}"))
                    .collect();
                let names: Vec<&str> = values.iter().map(|(name, _)| *name).collect();
                let problem = format!(
                    "the slaves of {name} {what}: {}",
                    list(shown.iter().map(String::as_str))
                );
                self.find(id, When::NextFailover, &names, problem, way_out);
            };
        compare(
            "different-partitions",
            "are in different partitions",
            "take slaves that are in one partition, since others do not hear the bond after a failover".into(),
            &|slave| Some(format!("P_Key {}", slave.pkey.as_ref()?)),
        );
        compare(
            "different-modes",
            "are in different IPoIB modes",
            "write \"datagram\" or \"connected\" to /sys/class/net/SLAVE/mode of each".into(),
            &|slave| Some(format!("mode {}", slave.ipoib_mode?)),
        );
        compare(
            "different-mtus",
            "have different MTUs",
            format!(
                "set one for all of them with \"ip link set {name} mtu {}\"",
                bond.mtu
            ),
            &|slave| Some(format!("MTU {}", slave.mtu)),
        );
        // Slaves that agree with each other may still take less than the bond sends.
        let smallest = bond.slaves.iter().map(|slave| slave.mtu).min();
        let largest = bond.slaves.iter().map(|slave| slave.mtu).max();
        if smallest == largest && smallest.is_some_and(|mtu| mtu < bond.mtu) {
            let mtu = smallest.unwrap_or_default();
            let problem = format!(
                "{name} has the MTU {}, and its slaves have {mtu}, so they drop large packets",
                bond.mtu
            );
            let way_out = format!("\"ip link set {name} mtu {mtu}\"");
            self.find("mtu-above-slaves", When::Now, &[], problem, way_out);
        }
    }

    /// The port, the partition and the broadcast group of an IPoIB interface: returns whether one of them is amiss, which
    /// explains a lost link.
    fn infiniband(&mut self, slave: &SlaveReport) -> bool {
        let Some(below) = self.below(slave).cloned() else {
            return false;
        };
        let Some(key) = slave.pkey.as_deref() else {
            return false;
        };
        let name = slave.name.as_str();
        let number = u16::from_str_radix(key.trim_start_matches("0x"), 16).unwrap_or(0xffff);
        if let Some(port) = &below.infiniband {
            let which = format!(
                "port {} of {}, which carries {name},",
                port.number, port.adapter
            );
            if port.state != "ACTIVE" {
                let problem = format!(
                    "{which} is {} ({}) and not ACTIVE",
                    port.state, port.physical
                );
                let way_out = match port.state.as_str() {
                    "INIT" | "ARMED" => {
                        "start a subnet manager (opensm), or look whether it reaches this port"
                    }
                    _ => "look at its cable, and at the switch at the other end",
                };
                self.find(
                    "port-not-active",
                    When::Now,
                    &[name],
                    problem,
                    way_out.into(),
                );
                return true;
            }
            let is_member = |key: &u16| key | 0x8000 == number | 0x8000;
            if !port.partitions.iter().any(is_member) {
                let problem = format!("{which} is not in its partition {key}");
                let way_out = format!(
                    "have the subnet manager make the port {} a member (partitions.conf of opensm)",
                    port.guid
                );
                self.find("not-in-partition", When::Now, &[name], problem, way_out);
                return true;
            }
        }
        if below.has_joined != Some(false) {
            return false;
        }
        let problem = format!("{name} has not joined the broadcast group of its partition {key}");
        let way_out = "look whether the subnet manager has this group (\"saquery -g\"), and whether its rate and MTU suit \
                       this port; \"dmesg\" says how the join ended"
            .to_string();
        self.find(
            "broadcast-group-not-joined",
            When::Now,
            &[name],
            problem,
            way_out,
        );
        true
    }

    /// IP addresses that do not move with a failover.
    fn addresses(&mut self) {
        let (bond, facts) = (self.bond, self.facts);
        for slave in &bond.slaves {
            let Some(device) = self.device(&slave.name) else {
                continue;
            };
            let found: Vec<String> = facts
                .addresses
                .iter()
                .filter(|address| address.index == device.index && address.is_global)
                .map(|address| address.net.to_string())
                .collect();
            let Some(first) = found.first() else {
                continue;
            };
            let (name, bond_name) = (&slave.name, &bond.name);
            let problem = format!(
                "{name} has {} of its own, which no failover moves, and whose route leads past {bond_name}",
                list(found.iter().map(String::as_str))
            );
            let way_out = format!(
                "remove it with \"ip address del {first} dev {name}\", and give it to {bond_name} if it is needed"
            );
            self.find("address-on-slave", When::Now, &[name], problem, way_out);
        }
    }

    /// Whether others hear where the bond is now, and whether this machine hears others.
    fn announcements(&mut self) {
        let (bond, facts, name) = (self.bond, self.facts, &self.bond.name);
        let is_told = facts.bonds.get(name).and_then(|facts| facts.announcements);
        // Bonds that balance the load never announce: their slaves take over addresses.
        let announces = !bond.mode.starts_with("balance");
        if is_told == Some(0) && announces && bond.active_slave.is_some() {
            let problem = format!(
                "{name} announces no failover (num_grat_arp is 0), so others go on sending to the lost link"
            );
            let way_out = format!("\"echo 1 > /sys/class/net/{name}/bonding/num_grat_arp\"");
            self.find(
                "no-announcements",
                When::NextFailover,
                &[],
                problem,
                way_out,
            );
        }
        self.firewall();
        for holder in self.holders() {
            self.arp(&holder);
        }
    }

    /// Chains that may eat ARP.
    fn firewall(&mut self) {
        let (bond, facts, name) = (self.bond, self.facts, &self.bond.name);
        for chain in facts.firewall.chains.iter().filter(|chain| chain.may_drop) {
            let devices: Vec<&str> = std::iter::once(name.as_str())
                .chain(bond.slaves.iter().map(|slave| slave.name.as_str()))
                .filter(|device| chain.concerns(device))
                .collect();
            if devices.is_empty() {
                continue;
            }
            let what = match chain.hook {
                Hook::ArpOutput | Hook::Egress => {
                    "the gratuitous ARP by which others learn of a failover"
                }
                Hook::ArpInput | Hook::Ingress => "the ARP of others",
            };
            let (family, table, chain) = (chain.family(), &chain.table, &chain.name);
            let problem = format!("the firewall may drop {what}: chain {chain} of table {family} {table} drops packets");
            let way_out = format!("see \"nft list table {family} {table}\", and accept ARP there");
            self.find(
                "firewall-drops-arp",
                When::NextFailover,
                &devices,
                problem,
                way_out,
            );
        }
        if !facts.firewall.legacy.is_empty() {
            let tables = list(facts.firewall.legacy.iter().map(String::as_str));
            let problem = format!(
                "arptables-legacy is in use (table {tables}), and may drop the gratuitous ARP of {name}"
            );
            let way_out = "see \"arptables-legacy -L\", and accept ARP there, or remove the module arptable_filter".to_string();
            self.find(
                "arptables-legacy",
                When::NextFailover,
                &[],
                problem,
                way_out,
            );
        }
    }

    /// The bond and what is made on it, such as VLANs.
    fn holders(&self) -> Vec<Device> {
        let devices = &self.facts.devices;
        let index = devices
            .iter()
            .find(|device| device.name == self.bond.name)
            .map(|device| device.index);
        devices
            .iter()
            .filter(|device| {
                Some(device.index) == index
                    || index.is_some()
                        && device.parent == index
                        && device.kind.as_deref() != Some("veth")
            })
            .cloned()
            .collect()
    }

    /// The IPv4 addresses of a device, with the lengths of their netmasks.
    fn addresses_of(&self, index: u32) -> Vec<(Ipv4Addr, u8)> {
        let found = self.facts.addresses.iter();
        found
            .filter(|address| address.index == index && address.is_global)
            .filter_map(|address| match address.net.ip {
                IpAddr::V4(ip) => Some((ip, address.net.bits)),
                IpAddr::V6(_) => None,
            })
            .collect()
    }

    /// What the kernel does with ARP on the bond, or on a device that is made on it.
    fn arp(&mut self, holder: &Device) {
        let own = self.addresses_of(holder.index);
        let name = holder.name.as_str();
        let arp = self.facts.arp.get(name).copied().unwrap_or_default();
        if own.is_empty() {
            return;
        }
        if arp.ignore == 8 {
            let problem = format!(
                "{name} answers no ARP (arp_ignore is 8), so others lose it once they ask again"
            );
            let way_out = format!(
                "set net.ipv4.conf.{0}.arp_ignore and net.ipv4.conf.all.arp_ignore to 0, 1 or 2",
                key(name)
            );
            self.find("arp-ignore", When::Now, &[name], problem, way_out);
        }
        if arp.drops_announcements {
            let problem = format!(
                "{name} ignores gratuitous ARP (drop_gratuitous_arp is 1), so this machine goes on sending to the lost \
                 link of another bond that fails over"
            );
            let way_out = format!("set net.ipv4.conf.{0}.drop_gratuitous_arp and net.ipv4.conf.all.drop_gratuitous_arp to 0", key(name));
            self.find("arp-dropped", When::NextFailover, &[name], problem, way_out);
        }
        let rivals: Vec<Device> = self
            .facts
            .devices
            .iter()
            .filter(|other| other.index != holder.index && other.up && other.master.is_none())
            // Others, such as lo and tunnels, speak no ARP.
            .filter(|other| matches!(other.link_type, LinkType::Ethernet | LinkType::Infiniband))
            .filter(|other| {
                let theirs = self.addresses_of(other.index);
                own.iter()
                    .any(|one| theirs.iter().any(|other| is_one_network(*one, *other)))
            })
            .cloned()
            .collect();
        for rival in &rivals {
            let other = rival.name.as_str();
            if arp.is_filtered {
                let problem = format!(
                    "{name} and {other} have addresses in one network, and arp_filter lets {name} answer only those to \
                     whom the route leads through it"
                );
                let way_out = format!(
                    "give {other} an address in another network, or set arp_filter of {name} to 0, and arp_ignore to 1 and \
                     arp_announce to 2 for both"
                );
                self.find(
                    "arp-filter",
                    When::NextFailover,
                    &[name, other],
                    problem,
                    way_out,
                );
                continue;
            }
            let theirs = self.facts.arp.get(other).copied().unwrap_or_default();
            if theirs.is_filtered || (theirs.ignore >= 1 && theirs.announce >= 1) {
                continue;
            }
            let problem = format!(
                "{name} and {other} have addresses in one network, and {other} speaks for those of {name}, so others may \
                 send to {other} instead of {name}"
            );
            let way_out = format!(
                "give {other} an address in another network, or set net.ipv4.conf.{0}.arp_ignore to 1 and \
                 net.ipv4.conf.{0}.arp_announce to 2",
                key(other)
            );
            self.find(
                "arp-flux",
                When::NextFailover,
                &[name, other],
                problem,
                way_out,
            );
        }
    }
}

/// The name of a device in the name of a sysctl.
fn key(name: &str) -> String {
    name.replace('.', "/")
}

/// Whether two addresses are in one network.
fn is_one_network(one: (Ipv4Addr, u8), other: (Ipv4Addr, u8)) -> bool {
    let bits = u32::from(one.1.min(other.1));
    let mask = u32::MAX.checked_shl(32 - bits).unwrap_or(0);
    u32::from(one.0) & mask == u32::from(other.0) & mask
}

/// The port that two slaves share.
fn shared_port(one: &SlaveFacts, other: &SlaveFacts) -> Option<String> {
    let guid = |facts: &SlaveFacts| facts.infiniband.as_ref().map(|port| port.guid.clone());
    let is_shared = same(&one.port, &other.port)
        || same(&one.port_id, &other.port_id)
        || same(&guid(one), &guid(other));
    is_shared.then(|| one.port.clone().unwrap_or_else(|| "one number".into()))
}

fn shares_adapter(one: &SlaveFacts, other: &SlaveFacts) -> bool {
    let guid = |facts: &SlaveFacts| {
        let port = facts.infiniband.as_ref();
        port.map(|port| port.system_guid.clone())
            .filter(|guid| guid.chars().any(|digit| !matches!(digit, '0' | ':')))
    };
    same(&one.adapter, &other.adapter)
        || same(&one.switch_id, &other.switch_id)
        || same(&guid(one), &guid(other))
        || shared_port(one, other).is_some()
}

/// Whether both are known, and equal.
fn same(one: &Option<String>, other: &Option<String>) -> bool {
    one.as_ref().is_some_and(|one| !one.is_empty()) && one == other
}

/// A slave of an 802.3ad bond that carries nothing. Our driver's reason may have a way out of its own.
fn lacp(slave: &str, reason: &str) -> (String, String) {
    let (reason, way_out) = reason.split_once("; ").unwrap_or((
        reason,
        "look whether its port at the switch is in the same LACP group as those of the other slaves, at the same speed",
    ));
    (
        format!("{slave} carries no traffic: {reason}"),
        way_out.into(),
    )
}
