// SPDX-License-Identifier: GPL-2.0

//! A machine in memory, that fails at any step that a test chooses, and the test that a failed transaction changes
//! nothing.

use crate::args::Net;
use crate::driver::Driver;
use crate::netlink::{
    Address, Bond, BondOptions, Counters, Device, Ipoib, Link, LinkType, Refusal, Saved, Slave,
};
use crate::state::{Origin, Record};
use crate::steps::{run, Outcome, Reason, Step, System};
use crate::up::Snapshot;
use std::ops::Range;

/// A machine in memory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct World {
    pub(super) devices: Vec<Device>,
    pub(super) addresses: Vec<(String, Net)>,
    pub(super) records: Vec<Record>,
    pub(super) has_driver: bool,
    pub(super) in_tree: bool,
}

impl World {
    pub(super) fn new() -> Self {
        World {
            devices: vec![],
            addresses: vec![],
            records: vec![],
            has_driver: true,
            in_tree: false,
        }
    }

    pub(super) fn with(mut self, name: &str, link_type: LinkType) -> Self {
        self.add(name, link_type, None);
        self
    }

    fn add(&mut self, name: &str, link_type: LinkType, parent: Option<u32>) -> &mut Device {
        let index = self
            .devices
            .iter()
            .map(|device| device.index)
            .max()
            .unwrap_or(0)
            + 1;
        let is_ib = link_type == LinkType::Infiniband;
        self.devices.push(Device {
            index,
            name: name.into(),
            link_type,
            up: false,
            carrier: false,
            mtu: if is_ib { 2044 } else { 1500 },
            hardware_address: vec![],
            master: None,
            parent,
            kind: None,
            hardware: None,
            bond: None,
            slave: None,
            ipoib: is_ib.then_some(Ipoib {
                pkey: 0xffff,
                is_connected: false,
            }),
            counters: Counters::default(),
        });
        self.devices.last_mut().unwrap()
    }

    pub(super) fn get(&mut self, name: &str) -> &mut Device {
        self.devices
            .iter_mut()
            .find(|device| device.name == name)
            .unwrap_or_else(|| panic!("no {name}"))
    }

    /// A bond that is up, with slaves; ib-bond has made it if `record` is true.
    pub(super) fn with_bond(
        mut self,
        name: &str,
        slaves: &[&str],
        net: Option<Net>,
        record: bool,
    ) -> Self {
        let link_type = slaves
            .first()
            .map_or(LinkType::Ethernet, |slave| self.get(slave).link_type);
        let bond = self.add(name, link_type, None);
        bond.up = true;
        bond.ipoib = None;
        bond.bond = Some(Bond {
            mode: 1,
            miimon: 100,
            ..Bond::default()
        });
        let index = bond.index;
        for slave in slaves {
            let slave = self.get(slave);
            (slave.master, slave.up) = (Some(index), true);
            slave.slave = Some(Slave {
                is_active: false,
                link: Link::Up,
                link_failures: 0,
                own_address: vec![],
                aggregator: None,
            });
        }
        self.addresses.extend(net.map(|net| (name.into(), net)));
        if record {
            self.records.push(Record {
                bond: name.into(),
                index,
                origin: Origin::Command,
                address: net.map(|net| net.to_string()),
                children: vec![],
            });
        }
        self
    }

    pub(super) fn snapshot(&self, bond: &str) -> Snapshot {
        let driver = Some(if self.in_tree {
            Driver::InTree
        } else {
            Driver::Rust
        });
        let index = |name: &str| {
            self.devices
                .iter()
                .find(|device| device.name == name)
                .map(|device| device.index)
        };
        Snapshot {
            devices: self.devices.clone(),
            addresses: self
                .addresses
                .iter()
                .map(|(name, net)| Address::given(index(name).unwrap(), *net))
                .collect(),
            record: self
                .records
                .iter()
                .find(|record| record.bond == bond && Some(record.index) == index(bond))
                .cloned(),
            running: driver.filter(|_| self.has_driver),
            installed: driver,
        }
    }

    /// What an administrator sees, a line for each thing: not the numbers of devices.
    fn seen(&self) -> Vec<String> {
        let name = |index| {
            self.devices
                .iter()
                .find(|device| Some(device.index) == index)
                .map(|device| &device.name)
        };
        let mut seen = vec![format!("driver: {}", self.has_driver)];
        for device in &self.devices {
            let Device {
                name: own,
                link_type,
                up,
                mtu,
                bond,
                ipoib,
                ..
            } = device;
            let master = name(device.master);
            seen.push(format!(
                "{own}: {link_type} {up} {mtu} {master:?} {bond:?} {ipoib:?}"
            ));
        }
        seen.extend(self.addresses.iter().map(|address| format!("{address:?}")));
        for record in &self.records {
            seen.push(format!(
                "{:?}",
                Record {
                    index: 0,
                    ..record.clone()
                }
            ));
        }
        seen.sort();
        seen
    }
}

/// The machine as steps see it: the operations with these numbers fail.
struct Failing<'a> {
    world: &'a mut World,
    fails: Range<usize>,
    done: usize,
    saved: Vec<Vec<(String, Net)>>,
}

impl<'a> Failing<'a> {
    fn new(world: &'a mut World, fails: Range<usize>) -> Self {
        Failing {
            world,
            fails,
            done: 0,
            saved: vec![],
        }
    }

    /// The machine, to change something: nothing else may fail.
    fn change(&mut self) -> Outcome<&mut World> {
        self.done += 1;
        if self.fails.contains(&(self.done - 1)) {
            return Err(Reason::Refused(Refusal {
                errno: 5,
                said: Some("the test says no.".into()),
            }));
        }
        Ok(self.world)
    }
}

impl System for Failing<'_> {
    fn device(&mut self, name: &str) -> Outcome<Option<Device>> {
        Ok(self
            .world
            .devices
            .iter()
            .find(|device| device.name == name)
            .cloned())
    }

    fn load_driver(&mut self) -> Outcome<()> {
        self.change()?.has_driver = true;
        Ok(())
    }

    fn unload_driver(&mut self) -> Outcome<()> {
        self.change()?.has_driver = false;
        Ok(())
    }

    fn make_bond(&mut self, name: &str, options: &BondOptions) -> Outcome<()> {
        let world = self.change()?;
        assert!(world.has_driver, "a bond without a driver");
        world.add(name, LinkType::Ethernet, None).bond = Some(Bond::default());
        self.world.set(name, options);
        Ok(())
    }

    fn configure(&mut self, name: &str, options: &BondOptions) -> Outcome<()> {
        let world = self.change()?;
        let bond = world.get(name).clone();
        let has_slaves = world
            .devices
            .iter()
            .any(|device| device.master == Some(bond.index));
        assert!(
            options.mode.is_none() || !(bond.up || has_slaves),
            "the mode of a bond that is up or has slaves"
        );
        assert!(
            options.fail_over_mac.is_none() || !has_slaves,
            "fail_over_mac of a bond with slaves"
        );
        world.set(name, options);
        Ok(())
    }

    fn make_child(&mut self, parent: &str, name: &str, pkey: u16) -> Outcome<()> {
        let world = self.change()?;
        let parent = world.get(parent).index;
        world.add(name, LinkType::Infiniband, Some(parent)).ipoib = Some(Ipoib {
            pkey,
            is_connected: false,
        });
        Ok(())
    }

    fn delete(&mut self, name: &str) -> Outcome<()> {
        let world = self.change()?;
        let index = world.get(name).index;
        assert!(
            world.get(name).master.is_none(),
            "{name} is deleted in a bond"
        );
        world.devices.retain(|device| device.index != index);
        world.addresses.retain(|(device, _)| device != name);
        for device in &mut world.devices {
            device.master = device.master.filter(|master| *master != index);
        }
        Ok(())
    }

    fn set_up(&mut self, name: &str, up: bool) -> Outcome<()> {
        let world = self.change()?;
        world.get(name).up = up;
        // As the kernel does with IPv6 addresses.
        world
            .addresses
            .retain(|(device, net)| up || device != name || net.ip.is_ipv4());
        Ok(())
    }

    fn save(&mut self, name: &str) -> Outcome<Saved> {
        let own = self
            .world
            .addresses
            .iter()
            .filter(|(device, _)| device == name);
        self.saved.push(own.cloned().collect());
        Ok(Saved::numbered(self.saved.len() as u32 - 1))
    }

    fn restore(&mut self, saved: &Saved, but: Option<Net>) -> Outcome<()> {
        let mut saved = self.saved[saved.number() as usize].clone();
        saved.retain(|(_, net)| Some(*net) != but);
        let world = self.change()?;
        world.addresses.retain(|address| !saved.contains(address));
        world.addresses.extend(saved);
        Ok(())
    }

    fn set_master(&mut self, name: &str, master: Option<&str>) -> Outcome<()> {
        let world = self.change()?;
        let bond = master.map(|master| world.get(master).clone());
        let slave = world.get(name);
        match &bond {
            Some(bond) => {
                assert!(!slave.up, "{name} is enslaved while it is up");
                assert!(slave.master.is_none(), "{name} is enslaved twice");
                (slave.master, slave.up, slave.mtu) = (Some(bond.index), true, bond.mtu);
                let link_type = slave.link_type;
                world.get(master.unwrap()).link_type = link_type;
            }
            None => {
                let bond = slave.master.take();
                slave.up = false;
                // A bond without slaves is Ethernet again.
                if !world.devices.iter().any(|device| device.master == bond) {
                    let bond = world
                        .devices
                        .iter_mut()
                        .find(|device| Some(device.index) == bond);
                    bond.unwrap().link_type = LinkType::Ethernet;
                }
            }
        }
        Ok(())
    }

    fn set_mtu(&mut self, name: &str, mtu: u32) -> Outcome<()> {
        let world = self.change()?;
        let index = world.get(name).index;
        for device in &mut world.devices {
            if device.index == index || device.master == Some(index) {
                device.mtu = mtu;
            }
        }
        Ok(())
    }

    fn set_connected(&mut self, name: &str, is_connected: bool) -> Outcome<()> {
        let device = self.change()?.get(name);
        device.ipoib.as_mut().unwrap().is_connected = is_connected;
        device.mtu = if is_connected { 65520 } else { 2044 };
        Ok(())
    }

    fn add_address(&mut self, name: &str, net: Net) -> Outcome<()> {
        let world = self.change()?;
        assert!(
            !world.addresses.contains(&(name.into(), net)),
            "{net} is added twice"
        );
        world.addresses.push((name.into(), net));
        Ok(())
    }

    fn remove_address(&mut self, name: &str, net: Net) -> Outcome<()> {
        let world = self.change()?;
        assert!(
            world.addresses.contains(&(name.into(), net)),
            "{net} is not there"
        );
        world
            .addresses
            .retain(|address| *address != (name.into(), net));
        Ok(())
    }

    fn record(&mut self, bond: &str) -> Option<Record> {
        self.world
            .records
            .iter()
            .find(|record| record.bond == bond)
            .cloned()
    }

    fn write_record(&mut self, record: &Record) -> Outcome<()> {
        let world = self.change()?;
        world.records.retain(|other| other.bond != record.bond);
        world.records.push(record.clone());
        Ok(())
    }

    fn remove_record(&mut self, bond: &str) -> Outcome<()> {
        self.change()?.records.retain(|record| record.bond != bond);
        Ok(())
    }
}

impl World {
    fn set(&mut self, name: &str, options: &BondOptions) {
        let bond = self.get(name).bond.as_mut().unwrap();
        bond.mode = options.mode.unwrap_or(bond.mode);
        bond.miimon = options.miimon.unwrap_or(bond.miimon);
        bond.fail_over_mac = options.fail_over_mac.unwrap_or(bond.fail_over_mac);
    }
}

/// Takes the steps with each of them failing in turn: nothing may have changed, and the error says so. At last takes
/// them all. Returns how many operations could fail.
pub(super) fn fails_whole(world: &mut World, steps: &[Step]) -> usize {
    let before = world.clone();
    for fails_at in 0.. {
        let mut attempt = before.clone();
        match run(
            &mut Failing::new(&mut attempt, fails_at..fails_at + 1),
            steps,
        ) {
            Ok(()) => {
                *world = attempt;
                return fails_at;
            }
            Err(failure) => {
                assert_eq!(
                    attempt.seen(),
                    before.seen(),
                    "after operation {fails_at} of {steps:#?} failed"
                );
                let said = &failure.error.sentence;
                assert!(said.contains("the test says no; "), "{said}");
                assert!(said.ends_with("; nothing has changed"), "{said}");
            }
        }
    }
    unreachable!()
}

#[test]
fn what_cannot_be_undone_is_said_and_the_rest_is_undone() {
    let mut world = World::new()
        .with("eth0", LinkType::Ethernet)
        .with("eth1", LinkType::Ethernet);
    world.get("eth0").up = true;
    let steps = [
        Step::Up {
            name: "eth1".into(),
        },
        Step::Down {
            name: "eth0".into(),
        },
        Step::SetMtu {
            name: "eth1".into(),
            mtu: 9000,
        },
    ];
    // The MTU fails, and so does the first operation that undoes.
    let error = run(&mut Failing::new(&mut world, 2..4), &steps)
        .unwrap_err()
        .error;
    let said = &error.sentence;
    assert!(
        said.starts_with("the MTU of eth1 cannot be 9000: the test says no; "),
        "{said}"
    );
    assert!(
        said.contains("; undoing the steps before it has failed, too: eth0 cannot be set up: "),
        "{said}"
    );
    assert!(!said.contains("nothing has changed"), "{said}");
    assert!(!world.get("eth0").up && !world.get("eth1").up);
}

#[test]
fn addresses_come_back_with_a_device_that_was_set_down() {
    let mut world = World::new().with("eth0", LinkType::Ethernet);
    world.get("eth0").up = true;
    world.addresses = vec![("eth0".into(), "2001:db8::1/64".parse().unwrap())];
    let steps = [
        Step::Down {
            name: "eth0".into(),
        },
        Step::SetMtu {
            name: "eth0".into(),
            mtu: 9000,
        },
    ];
    assert_eq!(fails_whole(&mut world, &steps), 2);
    assert_eq!(world.addresses, []);
}
