// SPDX-License-Identifier: GPL-2.0

//! Making a bond, or changing what differs from what is wanted.

use crate::args::{parse_child, Net, DEFAULT_MIIMON, DEFAULT_SLAVES};
use crate::driver::Driver;
use crate::error::{Error, Result};
use crate::netlink::{Address, BondOptions, Device, LinkType, ACTIVE_BACKUP};
use crate::state::{Origin, Record};
use crate::steps::{run, Failure, Host, Step};

/// What a bond shall be. What is `None` is left as it is, or gets its default in a new bond.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Wanted {
    /// The name of the bond.
    pub(crate) bond: String,
    /// Its IP address.
    pub(crate) address: Option<Net>,
    /// The names of its slaves.
    pub(crate) slaves: Option<Vec<String>>,
    /// How often it looks at its links, in milliseconds.
    pub(crate) miimon: Option<u32>,
    /// Whether its IPoIB slaves are in connected mode.
    pub(crate) is_connected: Option<bool>,
    /// Its MTU, and that of its slaves, in bytes.
    pub(crate) mtu: Option<u32>,
    /// Who asks for it.
    pub(crate) origin: Origin,
    /// Whether the bond is made without the slaves that are not there yet.
    pub(crate) may_miss: bool,
}

/// What there is.
#[derive(Debug, Clone)]
pub(crate) struct Snapshot {
    /// All devices.
    pub(crate) devices: Vec<Device>,
    /// All IP addresses.
    pub(crate) addresses: Vec<Address>,
    /// What is recorded of the bond, if ib-bond has made it.
    pub(crate) record: Option<Record>,
    /// The bonding driver that runs.
    pub(crate) running: Option<Driver>,
    /// The one that would be loaded.
    pub(crate) installed: Option<Driver>,
}

impl Snapshot {
    /// Looks at this machine.
    pub(crate) fn take(host: &mut Host, bond: &str) -> Result<Self> {
        let unknown =
            |refusal| Error::failed(format!("the network devices cannot be listed: {refusal}"));
        let devices = host.netlink.devices().map_err(unknown)?;
        let record = devices
            .iter()
            .find(|device| device.name == bond)
            .and_then(|device| host.state.record_of(device));
        Ok(Snapshot {
            addresses: host.netlink.addresses().map_err(unknown)?,
            devices,
            record,
            running: host.machine.running(),
            installed: host.machine.installed().map(|installed| installed.driver),
        })
    }

    fn device(&self, name: &str) -> Option<&Device> {
        self.devices.iter().find(|device| device.name == name)
    }

    fn name_of(&self, index: u32) -> &str {
        let found = self.devices.iter().find(|device| device.index == index);
        found.map_or("another device", |device| &device.name)
    }

    /// The slaves of a bond, in the order in which they were made.
    fn slaves_of(&self, bond: &Device) -> Vec<&Device> {
        self.devices
            .iter()
            .filter(|device| device.master == Some(bond.index))
            .collect()
    }

    fn addresses_of(&self, device: &Device) -> impl Iterator<Item = &Address> {
        let index = device.index;
        self.addresses
            .iter()
            .filter(move |address| address.index == index && address.is_global)
    }

    fn driver(&self) -> Option<Driver> {
        self.running.or(self.installed)
    }
}

/// A slave that is wanted: there is such a device, or it is to be made.
#[derive(Debug)]
enum Candidate<'a> {
    There(&'a Device),
    Child {
        parent: &'a Device,
        name: &'a str,
        pkey: u16,
    },
}

impl Candidate<'_> {
    fn name(&self) -> &str {
        match self {
            Candidate::There(device) => &device.name,
            Candidate::Child { name, .. } => name,
        }
    }

    fn pkey(&self) -> Option<u16> {
        match self {
            Candidate::There(device) => pkey(device),
            Candidate::Child { pkey, .. } => Some(*pkey),
        }
    }

    fn link_type(&self) -> LinkType {
        match self {
            Candidate::There(device) => device.link_type,
            Candidate::Child { .. } => LinkType::Infiniband,
        }
    }
}

/// The partition of an IPoIB interface.
fn pkey(device: &Device) -> Option<u16> {
    device.ipoib.map(|ipoib| ipoib.pkey)
}

/// What is to be done, and what to tell a person about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Plan {
    /// The steps; none if everything is as wanted.
    pub(crate) steps: Vec<Step>,
    /// What is odd, though it works.
    pub(crate) notes: Vec<String>,
    /// Whether the bond is made, and not changed.
    pub(crate) is_new: bool,
    /// Whether none of the slaves is there yet.
    pub(crate) is_waiting: bool,
}

/// What has to be done. The error says why it cannot work, before anything is touched.
pub(crate) fn plan(wanted: &Wanted, now: &Snapshot) -> Result<Plan> {
    let bond = match now.device(&wanted.bond) {
        Some(device) if device.bond.is_none() => {
            let kind = device.kind.as_deref().unwrap_or("network");
            return Err(Error::failed(format!(
                "the name {} is taken by a device that is no bond ({kind}); choose another one with --bond-name",
                wanted.bond
            )));
        }
        found => found,
    };
    let is_adopted = match (bond, &now.record) {
        (Some(bond), None) => match foreign(bond, wanted, now)? {
            Foreign::AsWanted => {
                return Ok(Plan {
                    steps: vec![],
                    notes: vec![],
                    is_new: false,
                    is_waiting: false,
                })
            }
            Foreign::Unused => true,
        },
        _ => false,
    };
    Planner {
        wanted,
        now,
        bond,
        is_adopted,
        steps: Vec::new(),
        notes: Vec::new(),
        children: Vec::new(),
    }
    .plan()
}

/// A bond that something else has made.
enum Foreign {
    /// It is what is wanted.
    AsWanted,
    /// It is down, and has neither slaves nor addresses, as those that a module parameter makes.
    Unused,
}

fn foreign(bond: &Device, wanted: &Wanted, now: &Snapshot) -> Result<Foreign> {
    let slaves = now.slaves_of(bond);
    let addresses: Vec<Net> = now.addresses_of(bond).map(|address| address.net).collect();
    if slaves.is_empty() && addresses.is_empty() && !bond.up {
        return Ok(Foreign::Unused);
    }
    let names = wanted
        .slaves
        .clone()
        .unwrap_or_else(|| DEFAULT_SLAVES.map(String::from).to_vec());
    let has_slaves =
        names.len() == slaves.len() && slaves.iter().all(|slave| names.contains(&slave.name));
    let has_address = wanted.address.is_none_or(|net| addresses.contains(&net));
    let options = bond.bond.clone().unwrap_or_default();
    let has_miimon = wanted.miimon.is_none_or(|miimon| miimon == options.miimon);
    let has_mtu = wanted.mtu.is_none_or(|mtu| mtu == bond.mtu);
    if bond.up
        && has_slaves
        && has_address
        && has_miimon
        && has_mtu
        && options.mode == ACTIVE_BACKUP
    {
        return Ok(Foreign::AsWanted);
    }
    let name = &bond.name;
    let over = match slaves.is_empty() {
        true => String::new(),
        false => format!(
            " over {}",
            list(slaves.iter().map(|slave| slave.name.as_str()))
        ),
    };
    Err(Error::failed(format!(
        "{name} exists already{over}, and ib-bond has not made it; choose another name with --bond-name, or remove it \
         first with \"ib-bond --bond-name {name} --stop\""
    )))
}

struct Planner<'a> {
    wanted: &'a Wanted,
    now: &'a Snapshot,
    /// The bond, if it is there.
    bond: Option<&'a Device>,
    /// Whether the bond is there, but was not made by ib-bond and is not used.
    is_adopted: bool,
    steps: Vec<Step>,
    notes: Vec<String>,
    /// The child interfaces that ib-bond has made for the bond.
    children: Vec<String>,
}

impl<'a> Planner<'a> {
    fn plan(mut self) -> Result<Plan> {
        let candidates = self.candidates()?;
        if candidates.is_empty() {
            return Ok(Plan {
                steps: vec![],
                notes: self.notes,
                is_new: false,
                is_waiting: true,
            });
        }
        let link_type = self.link_type(&candidates)?;
        if self.now.running.is_none() {
            self.steps.push(Step::LoadDriver);
        }
        if let Some(record) = &self.now.record {
            self.children.clone_from(&record.children);
        }
        for candidate in &candidates {
            if let Candidate::Child { parent, name, pkey } = candidate {
                self.steps.push(Step::MakeChild {
                    parent: parent.name.clone(),
                    name: (*name).into(),
                    pkey: *pkey,
                });
                if !self.children.iter().any(|child| child == name) {
                    self.children.push((*name).into());
                }
            }
        }
        self.make_or_configure(link_type);
        let (release, delete) = self.release(&candidates);
        // What fails while slaves join leaves the others as they are, and the bond always has a
        // slave; but slaves of another partition can only join when the old ones have left.
        let (first, last) = match self.excludes_old_slaves(&candidates) {
            true => (release, vec![]),
            false => (vec![], release),
        };
        self.steps.extend(first);
        self.enslave(&candidates, link_type);
        if let Some(mtu) = self.wanted.mtu {
            if self.bond.is_none_or(|bond| bond.mtu != mtu) {
                self.steps.push(Step::SetMtu {
                    name: self.wanted.bond.clone(),
                    mtu,
                });
            }
        }
        if self.bond.is_none_or(|bond| !bond.up) || self.is_adopted {
            self.steps.push(Step::Up {
                name: self.wanted.bond.clone(),
            });
        }
        self.address();
        self.remember();
        self.steps.extend(last);
        // A child interface that is made again is not quite the same.
        self.steps.extend(delete);
        Ok(Plan {
            is_new: self.bond.is_none() || self.is_adopted,
            is_waiting: false,
            steps: self.steps,
            notes: self.notes,
        })
    }

    /// The slaves that are wanted.
    fn candidates(&mut self) -> Result<Vec<Candidate<'a>>> {
        let names = match &self.wanted.slaves {
            Some(names) => names.iter().map(String::as_str).collect(),
            None => match self.bond {
                Some(bond) if !self.is_adopted && !self.now.slaves_of(bond).is_empty() => self
                    .now
                    .slaves_of(bond)
                    .iter()
                    .map(|slave| slave.name.as_str())
                    .collect(),
                _ => DEFAULT_SLAVES.to_vec(),
            },
        };
        let mut candidates = Vec::new();
        for name in names {
            match self.candidate(name) {
                Ok(candidate) => candidates.push(candidate),
                Err(_) if self.wanted.may_miss && self.is_missing(name) => {
                    let bond = &self.wanted.bond;
                    self.notes.push(format!(
                        "{name} is not there yet; it joins {bond} when it appears"
                    ));
                }
                Err(error) => return Err(error),
            }
        }
        Ok(candidates)
    }

    /// Whether neither the device nor the one that it would be made on is there.
    fn is_missing(&self, name: &str) -> bool {
        let parent = parse_child(name).map(|(parent, _)| parent);
        self.now.device(name).is_none()
            && parent.is_none_or(|parent| self.now.device(parent).is_none())
    }

    fn candidate(&self, name: &'a str) -> Result<Candidate<'a>> {
        if name == self.wanted.bond {
            return Err(Error::failed(format!(
                "{name} cannot be a slave of itself; name other slaves with --slaves"
            )));
        }
        let Some(device) = self.now.device(name) else {
            return self.child(name);
        };
        if !matches!(device.link_type, LinkType::Ethernet | LinkType::Infiniband) {
            return Err(Error::failed(format!(
                "{name} is neither an InfiniBand nor an Ethernet interface ({}); name other slaves with --slaves",
                device.link_type
            )));
        }
        match device.master {
            Some(master) if self.bond.is_none_or(|bond| bond.index != master) => {
                let master = self.now.name_of(master);
                Err(Error::failed(format!(
                    "{name} is in use by {master} already; name another slave with --slaves, or take it out of {master} \
                     first with \"ip link set {name} nomaster\""
                )))
            }
            _ => Ok(Candidate::There(device)),
        }
    }

    /// A device that is not there: a child interface that can be made, or an error.
    fn child(&self, name: &'a str) -> Result<Candidate<'a>> {
        let unknown = Error::failed(format!(
            "there is no interface {name}; name the slaves with --slaves, and look for them with \"ip link\" (those of \
             an InfiniBand adapter need \"modprobe ib_ipoib\")"
        ));
        let Some((parent, pkey)) = parse_child(name) else {
            return Err(unknown);
        };
        let Some(parent) = self.now.device(parent) else {
            return Err(unknown);
        };
        if parent.link_type != LinkType::Infiniband || parent.ipoib.is_none() {
            return Err(Error::failed(format!(
                "there is no interface {name}, and it cannot be made, because {} is no IPoIB interface; make it first",
                parent.name
            )));
        }
        Ok(Candidate::Child { parent, name, pkey })
    }

    /// The link type of the slaves: they must agree with each other, and with those that stay.
    fn link_type(&self, candidates: &[Candidate<'_>]) -> Result<LinkType> {
        let mut candidates = candidates.iter();
        let Some(first) = candidates.next() else {
            return Ok(LinkType::Ethernet);
        };
        let link_type = first.link_type();
        if let Some(other) = candidates.find(|candidate| candidate.link_type() != link_type) {
            return Err(Error::failed(format!(
                "{} is {link_type} and {} is {}: slaves of one bond must be of the same type; name others with --slaves",
                first.name(),
                other.name(),
                other.link_type()
            )));
        }
        if let Some(bond) = self.bond {
            if bond.link_type != link_type && !self.now.slaves_of(bond).is_empty() {
                let name = &bond.name;
                return Err(Error::failed(format!(
                    "{name} is a bond of {} interfaces, and {} is {link_type}; remove it first with \
                     \"ib-bond --bond-name {name} --stop\"",
                    bond.link_type,
                    first.name()
                )));
            }
        }
        Ok(link_type)
    }

    fn make_or_configure(&mut self, link_type: LinkType) {
        let name = self.wanted.bond.clone();
        let options = BondOptions {
            mode: Some(ACTIVE_BACKUP),
            miimon: Some(self.wanted.miimon.unwrap_or(DEFAULT_MIIMON)),
            // The hardware address of an IPoIB interface cannot be set; where the policy is not given, drivers warn.
            fail_over_mac: (link_type == LinkType::Infiniband).then_some(1),
        };
        match self.bond {
            None => self.steps.push(Step::MakeBond { name, options }),
            Some(_) if self.is_adopted => {
                // The mode can only be set while the bond is down.
                self.steps.push(Step::Down { name: name.clone() });
                self.steps.push(Step::Configure {
                    bond: name,
                    options,
                });
            }
            Some(bond) => {
                let now = bond.bond.clone().unwrap_or_default();
                let miimon = self.wanted.miimon.filter(|miimon| *miimon != now.miimon);
                if miimon.is_some() {
                    let options = BondOptions {
                        miimon,
                        ..BondOptions::default()
                    };
                    self.steps.push(Step::Configure {
                        bond: name,
                        options,
                    });
                }
            }
        }
    }

    /// Whether none of the slaves stays, and they are of another partition than the new ones.
    fn excludes_old_slaves(&self, candidates: &[Candidate<'_>]) -> bool {
        let old = self
            .bond
            .map(|bond| self.now.slaves_of(bond))
            .unwrap_or_default();
        let stays = |slave: &&Device| candidates.iter().any(|new| new.name() == slave.name);
        let differs = |slave: &&Device| candidates.iter().any(|new| new.pkey() != pkey(slave));
        !old.iter().any(stays) && old.iter().any(differs)
    }

    /// The steps that take out the slaves that are not wanted any more, and those that delete the
    /// child interfaces that were made for them.
    fn release(&mut self, candidates: &[Candidate<'_>]) -> (Vec<Step>, Vec<Step>) {
        let (mut release, mut delete) = (Vec::new(), Vec::new());
        let old = self
            .bond
            .map(|bond| self.now.slaves_of(bond))
            .unwrap_or_default();
        for slave in old {
            if candidates.iter().any(|new| new.name() == slave.name) {
                continue;
            }
            release.push(Step::Release {
                slave: slave.name.clone(),
                bond: self.wanted.bond.clone(),
            });
            let is_own = self.children.contains(&slave.name);
            if let (true, Some((_, pkey)), Some(parent)) =
                (is_own, parse_child(&slave.name), slave.parent)
            {
                delete.push(Step::DeleteChild {
                    parent: self.now.name_of(parent).into(),
                    name: slave.name.clone(),
                    pkey,
                });
                self.children.retain(|child| *child != slave.name);
            }
        }
        (release, delete)
    }

    fn enslave(&mut self, candidates: &[Candidate<'_>], link_type: LinkType) {
        let bond = self.wanted.bond.clone();
        for candidate in candidates {
            self.set_mode(candidate);
        }
        self.in_tree_mtu(candidates, link_type);
        for candidate in candidates {
            let slave = candidate.name().to_string();
            if let Candidate::There(device) = candidate {
                if device.master.is_some() {
                    continue;
                }
                for address in self.now.addresses_of(device) {
                    let net = address.net;
                    self.notes.push(format!(
                        "{slave} has the address {net}, which does not work on a slave; remove it with \
                         \"ip address del {net} dev {slave}\""
                    ));
                }
            }
            // A child interface comes up with its parent, so this is asked when its turn comes.
            self.steps.push(Step::Down {
                name: slave.clone(),
            });
            self.steps.push(Step::Enslave {
                slave,
                bond: bond.clone(),
            });
        }
        if candidates.len() == 1 {
            let slave = candidates[0].name();
            self.notes.push(format!(
                "{bond} has one slave, {slave}, so nothing takes over if its link fails; name two with --slaves"
            ));
        }
    }

    /// The kernel's own driver leaves a bond over InfiniBand at the MTU of Ethernet, and sets its
    /// slaves to that. What they can have is only known of interfaces whose link is up: before, they
    /// claim the most that is possible.
    fn in_tree_mtu(&mut self, candidates: &[Candidate<'_>], link_type: LinkType) {
        let has_slaves = self
            .bond
            .is_some_and(|bond| !self.now.slaves_of(bond).is_empty());
        let is_in_tree = self.now.driver() == Some(Driver::InTree);
        if link_type != LinkType::Infiniband
            || !is_in_tree
            || has_slaves
            || self.wanted.mtu.is_some()
        {
            return;
        }
        let mut least = u32::MAX;
        for candidate in candidates {
            match candidate {
                Candidate::There(device) if device.up && device.carrier => {
                    least = least.min(device.mtu);
                }
                _ => return,
            }
        }
        let name = self.wanted.bond.clone();
        self.steps.push(Step::SetMtu { name, mtu: least });
    }

    fn set_mode(&mut self, candidate: &Candidate<'_>) {
        let Some(is_connected) = self.wanted.is_connected else {
            return;
        };
        let differs = match candidate {
            Candidate::There(device) => device
                .ipoib
                .is_some_and(|ipoib| ipoib.is_connected != is_connected),
            Candidate::Child { .. } => true,
        };
        if differs {
            let name = candidate.name().into();
            self.steps.push(Step::SetConnected { name, is_connected });
        }
    }

    fn address(&mut self) {
        let Some(net) = self.wanted.address else {
            return;
        };
        let name = self.wanted.bond.clone();
        let has = |net| {
            self.bond.is_some_and(|bond| {
                self.now
                    .addresses_of(bond)
                    .any(|address| address.net == net)
            })
        };
        let before = self
            .now
            .record
            .as_ref()
            .and_then(|record| record.address.as_ref()?.parse::<Net>().ok());
        let before = before.filter(|before| *before != net && has(*before));
        match (before, has(net)) {
            (Some(before), false) => self.steps.push(Step::ReplaceAddress { name, before, net }),
            (Some(net), true) => self.steps.push(Step::RemoveAddress { name, net }),
            (None, false) => self.steps.push(Step::AddAddress { name, net }),
            (None, true) => {}
        }
    }

    fn remember(&mut self) {
        let address = self.wanted.address.map(|net| net.to_string());
        let before = self.now.record.as_ref();
        let record = Record {
            bond: self.wanted.bond.clone(),
            index: before.map_or(0, |record| record.index),
            origin: self.wanted.origin,
            address: address.or_else(|| before.and_then(|record| record.address.clone())),
            children: std::mem::take(&mut self.children),
        };
        if before != Some(&record) {
            self.steps.push(Step::Remember(record));
        }
    }
}

/// Names in a sentence: "a", "a and b", "a, b and c".
pub(crate) fn list<'a>(names: impl IntoIterator<Item = &'a str>) -> String {
    let names: Vec<&str> = names.into_iter().collect();
    match names.as_slice() {
        [] => "nothing".into(),
        [name] => (*name).into(),
        [names @ .., last] => format!("{} and {last}", names.join(", ")),
    }
}

/// What was done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Done {
    /// The bond was made.
    Made,
    /// The bond was there, and something was changed.
    Changed,
    /// The bond was as wanted.
    Nothing,
    /// None of the slaves is there yet.
    Waits,
}

/// Makes the bond, or changes what differs. Returns what was done, and what is odd.
pub(crate) fn up(
    host: &mut Host,
    wanted: &Wanted,
) -> std::result::Result<(Done, Vec<String>), UpError> {
    let now = Snapshot::take(host, &wanted.bond).map_err(UpError::Plan)?;
    let plan = plan(wanted, &now).map_err(UpError::Plan)?;
    run(host, &plan.steps).map_err(UpError::Step)?;
    let is_record = |step: &Step| matches!(step, Step::Remember(_));
    let done = match plan.steps.iter().all(is_record) {
        true if plan.is_waiting => Done::Waits,
        true => Done::Nothing,
        false if plan.is_new => Done::Made,
        false => Done::Changed,
    };
    Ok((done, plan.notes))
}

/// Why a bond could not be made.
#[derive(Debug)]
pub(crate) enum UpError {
    /// It cannot work, so nothing was tried.
    Plan(Error),
    /// A step failed.
    Step(Box<Failure>),
}

impl From<UpError> for Error {
    fn from(error: UpError) -> Self {
        match error {
            UpError::Plan(error) => error,
            UpError::Step(failure) => failure.error,
        }
    }
}
