// SPDX-License-Identifier: GPL-2.0

//! `/sys/class/net/BOND/bonding/`: a file for each option, and a few that show the state.

use crate::bond::{configure, lacp, Bond, BondDev, SlaveDev};
use core::fmt::Write;
use kernel::error::Result;
use net::master::device::Slot;
use net::master::sysfs::{DeviceDir, DeviceFiles};
use net::netdevice::IFNAMSIZ;
use net::rcu;
use net::sysfs::{self, File, Page};
use policy::options::OPTIONS;
use policy::{HwAddr, OptionId};

/// The name of the directory.
const NAME: &str = "bonding";

/// The length of the longest queue suffix, `:65535`, in bytes.
const QUEUE_LEN: usize = 6;

/// The length of the longest IPv4 address, `255.255.255.255`, in bytes.
const IPV4_TEXT_LEN: usize = 15;

/// What a file is about.
#[derive(Clone, Copy)]
pub(super) enum Content {
    Option(OptionId),
    MiiStatus,
    /// What 802.3ad mode reports; empty in the other modes.
    Ad(Ad),
}

/// What is shown of the aggregator in use; the keys and the partner only to those who may administer
/// the network namespace.
#[derive(Clone, Copy)]
pub(super) enum Ad {
    Aggregator,
    NumPorts,
    ActorKey,
    PartnerKey,
    PartnerMac,
}

const READ_ONLY: [(&str, Content); 6] = [
    ("mii_status", Content::MiiStatus),
    ("ad_aggregator", Content::Ad(Ad::Aggregator)),
    ("ad_num_ports", Content::Ad(Ad::NumPorts)),
    ("ad_actor_key", Content::Ad(Ad::ActorKey)),
    ("ad_partner_key", Content::Ad(Ad::PartnerKey)),
    ("ad_partner_mac", Content::Ad(Ad::PartnerMac)),
];

// These run at compile time only.

const fn count() -> usize {
    let (mut count, mut place) = (READ_ONLY.len(), 0);
    while place < OPTIONS.len() {
        if OPTIONS[place].sysfs.is_some() {
            count += 1;
        }
        place += 1;
    }
    count
}

const fn files() -> [File<Content>; count()] {
    let mut files = [File {
        name: "",
        mode: 0o444,
        id: Content::MiiStatus,
    }; count()];
    let (mut file, mut place) = (0, 0);
    while place < READ_ONLY.len() {
        files[file].name = READ_ONLY[place].0;
        files[file].id = READ_ONLY[place].1;
        file += 1;
        place += 1;
    }
    place = 0;
    while place < OPTIONS.len() {
        let desc = &OPTIONS[place];
        if let Some(sysfs) = desc.sysfs {
            files[file] = File {
                name: desc.name,
                mode: sysfs.mode,
                id: Content::Option(desc.id),
            };
            file += 1;
        }
        place += 1;
    }
    files
}

/// The directory.
pub(super) static DIR: DeviceDir<Bond, Files, { count() }> = DeviceDir::new(&DIR, NAME, &files());

/// The files.
pub(super) struct Files;

impl DeviceFiles<Bond> for Files {
    type Id = Content;

    fn show(bond: &BondDev, content: Content, page: &mut Page<'_>) {
        match content {
            Content::Option(id) => show_option(bond, id, page),
            Content::MiiStatus => {
                page.bytes(if bond.carrier_ok() {
                    b"up\n"
                } else {
                    b"down\n"
                });
            }
            Content::Ad(ad) => show_ad(bond, ad, page),
        }
    }

    fn store(bond: &BondDev, content: Content, text: &[u8]) -> Result {
        let Content::Option(id) = content else {
            return Ok(());
        };
        let rtnl = sysfs::lock_rtnl()?;
        configure::write(bond, id, text, &rtnl).map_err(|refused| refused.error())
    }
}

fn show_ad(bond: &BondDev, ad: Ad, page: &mut Page<'_>) {
    let rcu = rcu::read_lock();
    let Some(system) = lacp::system(bond, &rcu) else {
        return;
    };
    let is_public = matches!(ad, Ad::Aggregator | Ad::NumPorts);
    if !is_public && !bond.net().is_admin() {
        return;
    }
    let active = system.active;
    let number = |number: Option<u32>| number.unwrap_or(0);
    // Writing into a page does not fail.
    let _ = match ad {
        Ad::Aggregator => writeln!(page, "{}", number(active.map(|it| it.id.into()))),
        Ad::NumPorts => writeln!(page, "{}", number(active.map(|it| it.ports))),
        Ad::ActorKey => writeln!(page, "{}", number(active.map(|it| it.key.into()))),
        Ad::PartnerKey => writeln!(page, "{}", number(active.map(|it| it.partner_key.into()))),
        Ad::PartnerMac => match active.and_then(|it| HwAddr::new(&it.partner.addr)) {
            Some(addr) => writeln!(page, "{addr}"),
            None => Ok(()),
        },
    };
}

fn show_option(bond: &BondDev, id: OptionId, page: &mut Page<'_>) {
    let config = bond.data().options.copy();
    match id {
        OptionId::Slaves => list(bond, page, IFNAMSIZ, |_, _| {}),
        OptionId::QueueId => list(bond, page, IFNAMSIZ + QUEUE_LEN, |slave, page| {
            let _ = write!(page, ":{}", slave.data().queue_id());
        }),
        OptionId::ArpIpTarget => {
            for target in config.arp_targets.iter() {
                page.item(IPV4_TEXT_LEN, |page| {
                    let _ = write!(page, "{target}");
                });
            }
            page.end_list();
        }
        OptionId::ActiveSlave if config.mode.uses_primary() => interface(bond, Slot::Active, page),
        OptionId::Primary => interface(bond, Slot::Primary, page),
        OptionId::AdActorSystem if lacp::runs(bond) && bond.net().is_admin() => {
            if let Some(addr) = HwAddr::new(&config.ad_actor_system) {
                let _ = writeln!(page, "{addr}");
            }
        }
        OptionId::AdActorSysPrio | OptionId::AdUserPortKey
            if lacp::runs(bond) && bond.net().is_admin() =>
        {
            let _ = writeln!(page, "{}", config.number(id).unwrap_or_default());
        }
        _ => {
            let _ = write!(page, "{}", config.show(id));
        }
    }
}

/// Shows the name of the slave in `slot`, if there is one.
fn interface(bond: &BondDev, slot: Slot, page: &mut Page<'_>) {
    let rcu = rcu::read_lock();
    if let Some(slave) = bond.slot_rcu(&rcu, slot) {
        page.bytes(slave.dev().name().as_bytes());
        page.bytes(b"\n");
    }
}

/// Shows the names of the slaves, each with what `more` adds; `room` is the length of the longest
/// item.
fn list(bond: &BondDev, page: &mut Page<'_>, room: usize, more: impl Fn(&SlaveDev, &mut Page<'_>)) {
    let rcu = rcu::read_lock();
    for slave in bond.lowers_rcu(&rcu) {
        let fits = page.item(room, |page| {
            page.bytes(slave.dev().name().as_bytes());
            more(slave, page);
        });
        if !fits {
            break;
        }
    }
    page.end_list();
}
