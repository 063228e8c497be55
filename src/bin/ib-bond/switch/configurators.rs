// SPDX-License-Identifier: GPL-2.0

//! Who has made the bonds of this machine: ifupdown, systemd-networkd or NetworkManager; and the commands with which they
//! take them down and make them again.

use super::journal::Order;
use super::part::Part;
use super::programs;
use std::fs;
use std::path::Path;

/// Where systemd-networkd reads its files, the first ones first.
const NETWORKD: [&str; 4] = [
    "/etc/systemd/network",
    "/run/systemd/network",
    "/usr/local/lib/systemd/network",
    "/usr/lib/systemd/network",
];

/// What the configurators say about themselves.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct View {
    /// The file in which ifupdown notes what is up: lines `INTERFACE=NAME OF ITS STANZA`.
    pub(crate) ifstate: String,
    /// The names and kinds in the .netdev files of a systemd-networkd that runs.
    pub(crate) netdevs: Vec<String>,
    /// What `nmcli -t -f DEVICE,STATE device status` says.
    pub(crate) devices: String,
    /// What `nmcli -t -f DEVICE,UUID connection show --active` says.
    pub(crate) connections: String,
}

impl View {
    /// Looks at this machine.
    pub(crate) fn here() -> Self {
        let mut view = View {
            ifstate: fs::read_to_string("/run/network/ifstate").unwrap_or_default(),
            ..View::default()
        };
        if programs::runs("systemd-networkd") {
            for folder in NETWORKD {
                let files = fs::read_dir(folder).into_iter().flatten().flatten();
                view.netdevs.extend(
                    files
                        .map(|file| file.path())
                        .filter(|path| path.extension().is_some_and(|end| end == "netdev"))
                        .filter_map(|path| netdev_name(&path)),
                );
            }
        }
        if programs::runs("NetworkManager") {
            let ask = |words: &[&str]| programs::answer("nmcli", words).unwrap_or_default();
            view.devices = ask(&["-t", "-f", "DEVICE,STATE", "device", "status"]);
            view.connections = ask(&["-t", "-f", "DEVICE,UUID", "connection", "show", "--active"]);
        }
        view
    }

    /// The logical interface that ifupdown has brought up as this device.
    fn stanza(&self, device: &str) -> Option<&str> {
        self.ifstate
            .lines()
            .filter_map(|line| line.split_once('='))
            .find(|(name, _)| *name == device)
            .map(|(_, stanza)| stanza)
    }

    /// The active connection of NetworkManager with which it has configured this device by itself: to a device of
    /// somebody else, NetworkManager is connected "externally".
    fn connection(&self, device: &str) -> Option<&str> {
        let is_own = self
            .devices
            .lines()
            .filter_map(|line| line.split_once(':'))
            .any(|(name, state)| name == device && state == "connected");
        self.connections
            .lines()
            .filter_map(|line| line.split_once(':'))
            .find(|(name, _)| is_own && *name == device)
            .map(|(_, uuid)| uuid)
    }
}

/// The name of the device that this file describes.
fn netdev_name(path: &Path) -> Option<String> {
    parse_netdev(&fs::read_to_string(path).ok()?)
}

/// The name in the section `[NetDev]`.
pub(crate) fn parse_netdev(text: &str) -> Option<String> {
    let mut is_netdev = false;
    for line in text.lines().map(str::trim) {
        if line.starts_with('[') {
            is_netdev = line == "[NetDev]";
        } else if let Some((key, value)) = line.split_once('=').filter(|_| is_netdev) {
            if key.trim() == "Name" {
                return Some(value.trim().into());
            }
        }
    }
    None
}

fn words(words: &[&str]) -> Vec<String> {
    words.iter().map(|word| (*word).to_string()).collect()
}

/// The orders for the configurators of these devices. Marks the devices that a configurator makes.
pub(crate) fn orders(parts: &mut [Part], view: &View) -> Vec<Order> {
    let mut orders = Vec::new();
    orders.extend(ifupdown(parts, view));
    orders.extend(networkd(parts, view));
    orders.extend(networkmanager(parts, view));
    for part in parts.iter_mut() {
        part.is_configured = orders
            .iter()
            .any(|order| order.devices.contains(&part.name));
    }
    orders
}

/// A bond, its slaves, and then the next one: parts come in the order in which they can be made.
fn with_members(parts: &[Part]) -> Vec<&str> {
    let mut names: Vec<&str> = Vec::new();
    for part in parts {
        names.push(&part.name);
        names.extend(part.members.iter().map(|member| member.name.as_str()));
    }
    let mut seen = Vec::new();
    names.retain(|name| {
        let is_new = !seen.contains(name);
        seen.push(*name);
        is_new
    });
    names
}

fn ifupdown(parts: &[Part], view: &View) -> Option<Order> {
    let devices: Vec<String> = parts
        .iter()
        .filter(|part| view.stanza(&part.name).is_some())
        .map(|part| part.name.clone())
        .collect();
    if devices.is_empty() {
        return None;
    }
    let mut order = Order {
        configurator: "ifupdown".into(),
        devices,
        down: vec![],
        up: vec![],
    };
    // Slaves may have stanzas of their own.
    for name in with_members(parts) {
        if let Some(stanza) = view.stanza(name) {
            order.down.insert(0, words(&["ifdown", "--force", name]));
            order
                .up
                .push(words(&["ifup", "--force", &format!("{name}={stanza}")]));
        }
    }
    Some(order)
}

fn networkd(parts: &[Part], view: &View) -> Option<Order> {
    let devices: Vec<String> = parts
        .iter()
        .filter(|part| view.netdevs.contains(&part.name))
        .map(|part| part.name.clone())
        .collect();
    (!devices.is_empty()).then(|| Order {
        configurator: "systemd-networkd".into(),
        devices,
        // It has no command that takes a device down and forgets nothing else.
        down: vec![],
        up: vec![words(&["systemctl", "restart", "systemd-networkd.service"])],
    })
}

fn networkmanager(parts: &[Part], view: &View) -> Option<Order> {
    let devices: Vec<String> = parts
        .iter()
        .filter(|part| view.connection(&part.name).is_some())
        .map(|part| part.name.clone())
        .collect();
    if devices.is_empty() {
        return None;
    }
    let mut order = Order {
        configurator: "NetworkManager".into(),
        devices,
        down: vec![],
        up: vec![],
    };
    for name in with_members(parts) {
        let Some(uuid) = view.connection(name) else {
            continue;
        };
        let is_part = parts.iter().any(|part| part.name == name);
        if is_part {
            // The connections of slaves go with that of the bond.
            order.down.insert(0, nmcli("30", "down", uuid));
        }
        // A bond is only connected once a slave is.
        let seconds = if is_part { "0" } else { "30" };
        order.up.push(nmcli(seconds, "up", uuid));
    }
    Some(order)
}

fn nmcli(seconds: &str, what: &str, uuid: &str) -> Vec<String> {
    words(&["nmcli", "--wait", seconds, "connection", what, "uuid", uuid])
}
