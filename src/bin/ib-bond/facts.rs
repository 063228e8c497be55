// SPDX-License-Identifier: GPL-2.0

//! What `ib-bond doctor` judges: netlink, sysfs, `/proc`, debugfs and the firewall, looked at once. Nothing is judged
//! here, and nothing is changed.

use crate::driver::{Driver, Installed};
use crate::error::{Error, Result};
use crate::firewall::Firewall;
use crate::netlink::{Address, Device, LinkType};
use crate::status::Report;
use crate::steps::Host;
use std::collections::BTreeMap;
use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};

const NET: &str = "/sys/class/net";

/// All that is known.
#[derive(Debug, Clone)]
pub(crate) struct Facts {
    /// The release of the kernel.
    pub(crate) release: String,
    /// The driver that runs.
    pub(crate) running: Option<Driver>,
    /// The driver that modprobe would load.
    pub(crate) installed: Option<Installed>,
    /// All devices.
    pub(crate) devices: Vec<Device>,
    /// All IP addresses.
    pub(crate) addresses: Vec<Address>,
    /// The status of the bonds.
    pub(crate) report: Report,
    /// What only sysfs has of bonds, by name.
    pub(crate) bonds: BTreeMap<String, BondFacts>,
    /// What is below the slaves, by name.
    pub(crate) slaves: BTreeMap<String, SlaveFacts>,
    /// What the kernel does with ARP on a device, by the name of that.
    pub(crate) arp: BTreeMap<String, Arp>,
    /// The firewall.
    pub(crate) firewall: Firewall,
}

/// What only sysfs has of a bond.
#[derive(Debug, Clone, Default)]
pub(crate) struct BondFacts {
    /// Whether link events are listened to; `None` if the driver cannot do that.
    pub(crate) link_events: Option<bool>,
    /// How many gratuitous ARP packets follow a failover.
    pub(crate) announcements: Option<u32>,
}

/// What is below a slave.
#[derive(Debug, Clone, Default)]
pub(crate) struct SlaveFacts {
    /// The adapter, such as "0000:03:00", a PCI device.
    pub(crate) adapter: Option<String>,
    /// The socket of the cable, such as "eth0" for a VLAN of that, or "mlx5_0 port 1".
    pub(crate) port: Option<String>,
    /// The number of the port that several network devices may share (`phys_port_id`).
    pub(crate) port_id: Option<String>,
    /// The number of the switch inside an adapter (`phys_switch_id`).
    pub(crate) switch_id: Option<String>,
    /// The InfiniBand port of an IPoIB interface.
    pub(crate) infiniband: Option<Infiniband>,
    /// Whether an IPoIB interface has joined the broadcast group of its partition, if that can be seen.
    pub(crate) has_joined: Option<bool>,
}

/// An InfiniBand port.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Infiniband {
    /// The name of its adapter, such as "mlx5_0".
    pub(crate) adapter: String,
    /// Its number in the adapter, from 1.
    pub(crate) number: u32,
    /// Its logical state, such as "ACTIVE".
    pub(crate) state: String,
    /// Its physical state, such as "LinkUp".
    pub(crate) physical: String,
    /// Its GUID.
    pub(crate) guid: String,
    /// The GUID of the whole adapter, which several PCI functions may share.
    pub(crate) system_guid: String,
    /// The partitions whose member it is.
    pub(crate) partitions: Vec<u16>,
}

/// What the kernel does with ARP on a device: the values in force.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Arp {
    /// Which requests are answered.
    pub(crate) ignore: u32,
    /// Which own address requests are sent from.
    pub(crate) announce: u32,
    /// Whether requests are answered only if the answer would leave through the device.
    pub(crate) is_filtered: bool,
    /// Whether announcements of others are ignored.
    pub(crate) drops_announcements: bool,
}

impl Facts {
    /// Looks at this machine.
    pub(crate) fn collect(host: &mut Host) -> Result<Self> {
        let unknown =
            |refusal| Error::failed(format!("the network devices cannot be listed: {refusal}"));
        let devices = host.netlink.devices().map_err(unknown)?;
        let addresses = host.netlink.addresses().map_err(unknown)?;
        let report = Report::of(&devices, &addresses, |device| host.state.record_of(device));
        let is_bond = |index: Option<u32>| {
            let found = devices.iter().find(|device| Some(device.index) == index);
            found.is_some_and(|device| device.bond.is_some())
        };
        let bonds = devices.iter().filter(|device| device.bond.is_some());
        let slaves = devices.iter().filter(|device| is_bond(device.master));
        Ok(Facts {
            release: host.machine.release(),
            running: host.machine.running(),
            installed: host.machine.installed(),
            bonds: bonds
                .map(|bond| (bond.name.clone(), BondFacts::collect(&bond.name)))
                .collect(),
            slaves: slaves
                .map(|slave| (slave.name.clone(), SlaveFacts::collect(slave, &devices)))
                .collect(),
            arp: devices
                .iter()
                .map(|device| (device.name.clone(), Arp::collect(&device.name)))
                .collect(),
            firewall: Firewall::collect(),
            report,
            devices,
            addresses,
        })
    }
}

/// A file that has one line. An empty one counts as missing.
fn line(path: impl AsRef<Path>) -> Option<String> {
    let text = fs::read_to_string(path).ok()?;
    let text = text.trim();
    (!text.is_empty()).then(|| text.into())
}

/// The names in a folder, in order.
fn names(folder: impl AsRef<Path>) -> Vec<String> {
    let mut names: Vec<String> = fs::read_dir(folder)
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| entry.file_name().into_string().ok())
        .collect();
    names.sort();
    names
}

impl BondFacts {
    fn collect(name: &str) -> Self {
        let option = |option| line(Path::new(NET).join(name).join("bonding").join(option));
        BondFacts {
            link_events: option("link_events").map(|value| value.starts_with("on")),
            announcements: option("num_grat_arp").and_then(|value| value.parse().ok()),
        }
    }
}

impl SlaveFacts {
    fn collect(slave: &Device, devices: &[Device]) -> Self {
        let base = base_of(parent_of(slave, devices));
        let folder = Path::new(NET).join(&base);
        let number = line(folder.join("dev_port")).and_then(|number| number.parse().ok());
        let infiniband = match slave.link_type {
            LinkType::Infiniband => Infiniband::collect(&folder, number.unwrap_or(0), slave),
            _ => None,
        };
        let physical = folder.join("device/physfn");
        let (port, hardware) = if let Some(port) = &infiniband {
            (
                Some(format!("{} port {}", port.adapter, port.number)),
                folder.join("device"),
            )
        } else if physical.exists() {
            // A virtual function of PCI sends through a port of the physical one.
            let same = |name: &String| {
                let port = line(Path::new(NET).join(name).join("dev_port"));
                port.and_then(|port| port.parse().ok()) == number
            };
            let owner = names(physical.join("net")).into_iter().find(same);
            (owner, physical)
        } else {
            (Some(base), folder.join("device"))
        };
        SlaveFacts {
            adapter: fs::canonicalize(hardware)
                .ok()
                .and_then(|path| adapter(&path)),
            port,
            port_id: line(folder.join("phys_port_id")),
            switch_id: line(folder.join("phys_switch_id")),
            has_joined: slave.ipoib.and_then(|ipoib| {
                // IPoIB gives an interface its carrier once it has joined.
                match slave.carrier {
                    true => Some(true),
                    false => has_joined(&groups_of(&slave.name)?, ipoib.pkey),
                }
            }),
            infiniband,
        }
    }
}

/// The IPoIB interface that has made another one for a partition: only that has a place in sysfs.
fn parent_of<'a>(slave: &'a Device, devices: &'a [Device]) -> &'a str {
    let parent = devices.iter().find(|device| {
        slave.ipoib.is_some() && device.ipoib.is_some() && Some(device.index) == slave.parent
    });
    &parent.unwrap_or(slave).name
}

/// The device that the packets of a VLAN, a macvlan and the like pass through in the end.
fn base_of(name: &str) -> String {
    let mut base = name.to_string();
    // Devices cannot be stacked deeper.
    for _ in 0..8 {
        let entries = names(Path::new(NET).join(&base));
        let mut lowers = entries
            .iter()
            .filter_map(|entry| entry.strip_prefix("lower_"));
        match (lowers.next(), lowers.next()) {
            (Some(lower), None) => base = lower.into(),
            _ => break,
        }
    }
    base
}

/// The adapter in the path of a device in sysfs: the PCI device without its function, or else the device itself.
pub(crate) fn adapter(path: &Path) -> Option<String> {
    let mut parts = path.iter().rev().filter_map(|part| part.to_str());
    let pci = parts.find_map(|part| {
        let (slot, function) = part.rsplit_once('.')?;
        let sizes: Vec<usize> = slot.split(':').map(str::len).collect();
        let is_pci = function.len() == 1 && matches!(sizes[..], [domain, 2, 2] if domain >= 4);
        is_pci.then(|| slot.to_string())
    });
    pci.or_else(|| Some(path.file_name()?.to_str()?.into()))
}

impl Infiniband {
    fn collect(folder: &Path, dev_port: u32, slave: &Device) -> Option<Self> {
        let class = folder.join("device/infiniband");
        let number = dev_port + 1;
        let candidates: Vec<Infiniband> = names(&class)
            .into_iter()
            .filter_map(|adapter| Infiniband::read(&class, adapter, number))
            .collect();
        // The address of the interface ends with the GUID of its port.
        let own = match slave.slave.as_ref().map(|slave| &slave.own_address) {
            Some(own) if !own.is_empty() => own,
            _ => &slave.hardware_address,
        };
        let digits: String = own.iter().map(|byte| format!("{byte:02x}")).collect();
        let named = candidates
            .iter()
            .find(|port| digits.ends_with(&port.guid.replace(':', "")));
        named.or(candidates.first()).cloned()
    }

    fn read(class: &Path, adapter: String, number: u32) -> Option<Self> {
        let device: PathBuf = class.join(&adapter);
        let port = device.join("ports").join(number.to_string());
        // "4: ACTIVE"
        let word = |file| {
            line(port.join(file)).map(|text| text.split(": ").last().unwrap_or_default().into())
        };
        let gid = line(port.join("gids/0")).unwrap_or_default();
        let partitions = names(port.join("pkeys"))
            .iter()
            .filter_map(|index| line(port.join("pkeys").join(index)))
            .filter_map(|key| u16::from_str_radix(key.trim_start_matches("0x"), 16).ok())
            .filter(|key| key & 0x7fff != 0)
            .collect();
        Some(Infiniband {
            number,
            state: word("state")?,
            physical: word("phys_state").unwrap_or_default(),
            guid: gid.get(20..).unwrap_or_default().into(),
            system_guid: line(device.join("sys_image_guid")).unwrap_or_default(),
            partitions,
            adapter,
        })
    }
}

/// The groups of an IPoIB interface, in debugfs. A kernel loses a little memory whenever it hands out only a part of this
/// list, so it is read at once, and not before it is needed.
fn groups_of(name: &str) -> Option<String> {
    let mut file = fs::File::open(format!("/sys/kernel/debug/ipoib/{name}_mcg")).ok()?;
    let mut bytes = vec![0; 1 << 16];
    let mut length = 0;
    loop {
        match file.read(bytes.get_mut(length..)?).ok()? {
            0 => break,
            count => length += count,
        }
    }
    bytes.truncate(length);
    String::from_utf8(bytes).ok()
}

/// Whether the list of groups in the debugfs of IPoIB has the broadcast group of a partition, complete.
pub(crate) fn has_joined(groups: &str, pkey: u16) -> Option<bool> {
    let mut is_broadcast = false;
    for line in groups.lines() {
        if let Some(gid) = line.strip_prefix("GID: ") {
            let words: Vec<u16> = gid
                .trim()
                .split(':')
                .filter_map(|word| u16::from_str_radix(word, 16).ok())
                .collect();
            is_broadcast = matches!(words[..], [_, 0x401b, key, 0, 0, 0, 0xffff, 0xffff] if key | 0x8000 == pkey | 0x8000);
        } else if let Some(answer) = line.trim().strip_prefix("complete:") {
            if is_broadcast {
                return Some(answer.trim() == "yes");
            }
        }
    }
    Some(false)
}

impl Arp {
    fn collect(device: &str) -> Self {
        // The kernel takes the larger one of what is set for all devices and for this one.
        let value = |name: &str| {
            ["all", device]
                .iter()
                .filter_map(|device| {
                    line(Path::new("/proc/sys/net/ipv4/conf").join(device).join(name))
                })
                .filter_map(|text| text.parse().ok())
                .max()
                .unwrap_or(0u32)
        };
        Arp {
            ignore: value("arp_ignore"),
            announce: value("arp_announce"),
            is_filtered: value("arp_filter") != 0,
            drops_announcements: value("drop_gratuitous_arp") != 0,
        }
    }
}
