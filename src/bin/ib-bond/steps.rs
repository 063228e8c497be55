// SPDX-License-Identifier: GPL-2.0

//! Transactions: steps, each of which knows how it is undone. If one fails, those before it are undone in reverse.

use crate::args::Net;
use crate::driver::Machine;
use crate::error::{words, Error, Result};
use crate::netlink::{BondOptions, Device, Netlink, Refusal, Saved};
use crate::state::{Record, State};
use crate::switch::users;

/// What the steps need of a machine.
pub(crate) trait System {
    /// The device of this name.
    fn device(&mut self, name: &str) -> Outcome<Option<Device>>;
    /// Loads the bonding driver, without a bond.
    fn load_driver(&mut self) -> Outcome<()>;
    /// Unloads it.
    fn unload_driver(&mut self) -> Outcome<()>;
    /// Makes a bond.
    fn make_bond(&mut self, name: &str, options: &BondOptions) -> Outcome<()>;
    /// Changes options of a bond.
    fn configure(&mut self, name: &str, options: &BondOptions) -> Outcome<()>;
    /// Makes an IPoIB interface for a partition.
    fn make_child(&mut self, parent: &str, name: &str, pkey: u16) -> Outcome<()>;
    /// Deletes a device.
    fn delete(&mut self, name: &str) -> Outcome<()>;
    /// Sets a device up or down.
    fn set_up(&mut self, name: &str, up: bool) -> Outcome<()>;
    /// What a device loses when it is set down.
    fn save(&mut self, name: &str) -> Outcome<Saved>;
    /// Gives that back, but for one address.
    fn restore(&mut self, saved: &Saved, but: Option<Net>) -> Outcome<()>;
    /// Gives a device a master, or takes it away.
    fn set_master(&mut self, name: &str, master: Option<&str>) -> Outcome<()>;
    /// Sets the MTU of a device, in bytes.
    fn set_mtu(&mut self, name: &str, mtu: u32) -> Outcome<()>;
    /// Sets an IPoIB interface to connected or to datagram mode.
    fn set_connected(&mut self, name: &str, is_connected: bool) -> Outcome<()>;
    /// Gives a device an IP address.
    fn add_address(&mut self, name: &str, net: Net) -> Outcome<()>;
    /// Takes an IP address away from a device.
    fn remove_address(&mut self, name: &str, net: Net) -> Outcome<()>;
    /// What is recorded of a bond.
    fn record(&mut self, bond: &str) -> Option<Record>;
    /// Records what was made.
    fn write_record(&mut self, record: &Record) -> Outcome<()>;
    /// Forgets a bond.
    fn remove_record(&mut self, bond: &str) -> Outcome<()>;
}

/// Why something was not done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Reason {
    /// The kernel refused.
    Refused(Refusal),
    /// In words.
    Words(String),
}

impl From<Refusal> for Reason {
    fn from(refusal: Refusal) -> Self {
        Reason::Refused(refusal)
    }
}

/// What an operation of a [`System`] returns.
pub(crate) type Outcome<T> = std::result::Result<T, Reason>;

/// One change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Step {
    /// Load the bonding driver.
    LoadDriver,
    /// Unload it.
    UnloadDriver,
    /// Make a child interface.
    MakeChild {
        parent: String,
        name: String,
        pkey: u16,
    },
    /// Delete a child interface, which is made again if need be.
    DeleteChild {
        parent: String,
        name: String,
        pkey: u16,
    },
    /// Make a bond.
    MakeBond { name: String, options: BondOptions },
    /// Delete a bond that has just been made.
    DeleteBond { name: String },
    /// Set options of a bond.
    Configure { bond: String, options: BondOptions },
    /// Set a device up.
    Up { name: String },
    /// Set a device down.
    Down { name: String },
    /// Give a device what it lost when it was set down.
    Restore { name: String, saved: Saved },
    /// Put a device into a bond.
    Enslave { slave: String, bond: String },
    /// Take a device out of a bond.
    Release { slave: String, bond: String },
    /// Set an MTU, in bytes.
    SetMtu { name: String, mtu: u32 },
    /// Set the mode of an IPoIB interface.
    SetConnected { name: String, is_connected: bool },
    /// Give a device an address.
    AddAddress { name: String, net: Net },
    /// Take an address away.
    RemoveAddress { name: String, net: Net },
    /// Give a device another address in the place of one that it has; its other addresses and its routes stay.
    ReplaceAddress { name: String, before: Net, net: Net },
    /// Record what was made; the number of the bond is filled in.
    Remember(Record),
    /// Forget a bond.
    Forget { bond: String },
}

impl Step {
    /// Does it. Returns the steps that undo it, in their order.
    fn apply(&self, system: &mut dyn System) -> Outcome<Vec<Step>> {
        match self {
            Step::LoadDriver => {
                system.load_driver()?;
                Ok(vec![Step::UnloadDriver])
            }
            Step::UnloadDriver => {
                system.unload_driver()?;
                Ok(vec![Step::LoadDriver])
            }
            Step::MakeChild { parent, name, pkey } => {
                system.make_child(parent, name, *pkey)?;
                let (parent, name) = (parent.clone(), name.clone());
                Ok(vec![Step::DeleteChild {
                    parent,
                    name,
                    pkey: *pkey,
                }])
            }
            Step::DeleteChild { parent, name, pkey } => {
                system.delete(name)?;
                let (parent, name) = (parent.clone(), name.clone());
                Ok(vec![Step::MakeChild {
                    parent,
                    name,
                    pkey: *pkey,
                }])
            }
            Step::MakeBond { name, options } => {
                system.make_bond(name, options)?;
                Ok(vec![Step::DeleteBond { name: name.clone() }])
            }
            Step::DeleteBond { name } => {
                system.delete(name)?;
                Ok(vec![])
            }
            Step::Configure { bond, options } => {
                let now = device(system, bond)?.bond.unwrap_or_default();
                system.configure(bond, options)?;
                let options = BondOptions {
                    mode: options.mode.map(|_| now.mode),
                    miimon: options.miimon.map(|_| now.miimon),
                    fail_over_mac: options.fail_over_mac.map(|_| now.fail_over_mac),
                };
                Ok(vec![Step::Configure {
                    bond: bond.clone(),
                    options,
                }])
            }
            Step::Up { name } => {
                if device(system, name)?.up {
                    return Ok(vec![]);
                }
                system.set_up(name, true)?;
                Ok(vec![Step::Down { name: name.clone() }])
            }
            Step::Down { name } => {
                if !device(system, name)?.up {
                    return Ok(vec![]);
                }
                let saved = system.save(name)?;
                system.set_up(name, false)?;
                let name = name.clone();
                Ok(vec![
                    Step::Up { name: name.clone() },
                    Step::Restore { name, saved },
                ])
            }
            Step::Restore { saved, .. } => {
                system.restore(saved, None)?;
                Ok(vec![])
            }
            Step::Enslave { slave, bond } => {
                let mtu = device(system, slave)?.mtu;
                system.set_master(slave, Some(bond))?;
                let (slave, bond) = (slave.clone(), bond.clone());
                Ok(vec![
                    Step::Release {
                        slave: slave.clone(),
                        bond,
                    },
                    Step::SetMtu { name: slave, mtu },
                ])
            }
            Step::Release { slave, bond } => {
                system.set_master(slave, None)?;
                let (slave, bond) = (slave.clone(), bond.clone());
                Ok(vec![
                    Step::Down {
                        name: slave.clone(),
                    },
                    Step::Enslave { slave, bond },
                ])
            }
            Step::SetMtu { name, mtu } => {
                let now = device(system, name)?.mtu;
                if now == *mtu {
                    return Ok(vec![]);
                }
                system.set_mtu(name, *mtu)?;
                Ok(vec![Step::SetMtu {
                    name: name.clone(),
                    mtu: now,
                }])
            }
            Step::SetConnected { name, is_connected } => {
                let now = device(system, name)?;
                let was_connected = now.ipoib.is_some_and(|ipoib| ipoib.is_connected);
                if was_connected == *is_connected {
                    return Ok(vec![]);
                }
                system.set_connected(name, *is_connected)?;
                let name = name.clone();
                Ok(vec![
                    Step::SetConnected {
                        name: name.clone(),
                        is_connected: was_connected,
                    },
                    Step::SetMtu { name, mtu: now.mtu },
                ])
            }
            Step::AddAddress { name, net } => {
                system.add_address(name, *net)?;
                Ok(vec![Step::RemoveAddress {
                    name: name.clone(),
                    net: *net,
                }])
            }
            Step::RemoveAddress { name, net } => {
                let saved = system.save(name)?;
                system.remove_address(name, *net)?;
                Ok(vec![Step::Restore {
                    name: name.clone(),
                    saved,
                }])
            }
            Step::ReplaceAddress { name, before, net } => {
                let saved = system.save(name)?;
                system.remove_address(name, *before)?;
                let back = Step::Restore {
                    name: name.clone(),
                    saved: saved.clone(),
                };
                if let Err(reason) = system.add_address(name, *net) {
                    back.apply(system)?;
                    return Err(reason);
                }
                // With the last address all routes have gone. What cannot be reached from the new address stays gone.
                let _ = system.restore(&saved, Some(*before));
                let remove = Step::RemoveAddress {
                    name: name.clone(),
                    net: *net,
                };
                Ok(vec![remove, back])
            }
            Step::Remember(record) => {
                let before = system.record(&record.bond);
                let index = device(system, &record.bond)?.index;
                system.write_record(&Record {
                    index,
                    ..record.clone()
                })?;
                Ok(vec![match before {
                    Some(before) => Step::Remember(before),
                    None => Step::Forget {
                        bond: record.bond.clone(),
                    },
                }])
            }
            Step::Forget { bond } => {
                let before = system.record(bond);
                system.remove_record(bond)?;
                Ok(before.map(Step::Remember).into_iter().collect())
            }
        }
    }

    /// What could not be done, without the reason.
    fn cannot(&self) -> String {
        match self {
            Step::LoadDriver => "the bonding driver cannot be loaded".into(),
            Step::UnloadDriver => "the bonding driver cannot be unloaded".into(),
            Step::MakeChild { parent, name, pkey } => {
                format!(
                    "the interface {name} for partition 0x{pkey:04x} cannot be made on {parent}"
                )
            }
            Step::DeleteChild { name, .. } | Step::DeleteBond { name } => {
                format!("{name} cannot be deleted")
            }
            Step::MakeBond { name, .. } => format!("the bond {name} cannot be made"),
            Step::Configure { bond, .. } => format!("{bond} cannot be configured"),
            Step::Up { name } => format!("{name} cannot be set up"),
            Step::Down { name } => format!("{name} cannot be set down"),
            Step::Restore { name, .. } => {
                format!("{name} cannot be given back its addresses and routes")
            }
            Step::Enslave { slave, bond } => format!("{slave} cannot be put into {bond}"),
            Step::Release { slave, bond } => format!("{slave} cannot be taken out of {bond}"),
            Step::SetMtu { name, mtu } => format!("the MTU of {name} cannot be {mtu}"),
            Step::SetConnected {
                name,
                is_connected: true,
            } => format!("{name} cannot be set to connected mode"),
            Step::SetConnected { name, .. } => format!("{name} cannot be set to datagram mode"),
            Step::AddAddress { name, net } => format!("{name} cannot be given the address {net}"),
            Step::RemoveAddress { name, net } => {
                format!("the address {net} cannot be taken away from {name}")
            }
            Step::ReplaceAddress { name, before, net } => {
                format!("{name} cannot be given the address {net} in the place of {before}")
            }
            Step::Remember(record) => {
                format!("what was made for {} cannot be recorded", record.bond)
            }
            Step::Forget { bond } => format!("the record of {bond} cannot be removed"),
        }
    }

    /// What to do about a refusal that has no words of its own.
    fn way_out(&self) -> &'static str {
        match self {
            Step::SetMtu { .. } => {
                "choose a smaller MTU, or set the interfaces to connected mode first"
            }
            Step::MakeChild { .. } => "choose another partition, or make the interface by hand",
            Step::AddAddress { .. } | Step::ReplaceAddress { .. } => "choose another address",
            Step::SetConnected { .. } => "leave the mode as it is",
            _ => "the kernel log may say more: run \"dmesg\"",
        }
    }

    fn sentence(&self, reason: &Reason) -> String {
        match reason {
            Reason::Refused(refusal) if refusal.is_permission() && refusal.said.is_none() => {
                format!(
                    "{}: root's rights are missing (CAP_NET_ADMIN); run it with sudo",
                    self.cannot()
                )
            }
            Reason::Refused(refusal) => format!("{}: {refusal}; {}", self.cannot(), self.way_out()),
            // These sentences are complete.
            Reason::Words(words) if matches!(self, Step::LoadDriver | Step::UnloadDriver) => {
                words.clone()
            }
            Reason::Words(words) => format!("{}: {words}", self.cannot()),
        }
    }
}

fn device(system: &mut dyn System, name: &str) -> Outcome<Device> {
    let found = system.device(name)?;
    found.ok_or_else(|| {
        Reason::Words(format!(
            "{name} does not exist any more; look for it with \"ip link\""
        ))
    })
}

/// Why a transaction failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Failure {
    /// The step that failed.
    pub(crate) step: Step,
    /// Why, without a word about what has changed.
    pub(crate) reason: String,
    /// What to tell a person.
    pub(crate) error: Error,
}

/// Takes the steps in their order. If one fails, undoes what was done, in reverse; the error says what failed and what
/// the state is.
pub(crate) fn run(
    system: &mut dyn System,
    steps: &[Step],
) -> std::result::Result<(), Box<Failure>> {
    let mut undo: Vec<Vec<Step>> = Vec::new();
    for step in steps {
        match step.apply(system) {
            Ok(back) => undo.push(back),
            Err(reason) => {
                let sentence = step.sentence(&reason);
                let left = roll_back(system, undo);
                let end = match left.as_slice() {
                    [] => "; nothing has changed".to_string(),
                    left => format!(
                        "; undoing the steps before it has failed, too: {}",
                        left.join("; ")
                    ),
                };
                return Err(Box::new(Failure {
                    step: step.clone(),
                    error: Error::failed(format!("{sentence}{end}")),
                    reason: sentence,
                }));
            }
        }
    }
    Ok(())
}

/// Undoes what was done. Returns what could not be undone; the rest is undone all the same.
fn roll_back(system: &mut dyn System, undo: Vec<Vec<Step>>) -> Vec<String> {
    let mut left = Vec::new();
    for step in undo.into_iter().rev().flatten() {
        if let Err(reason) = step.apply(system) {
            left.push(step.sentence(&reason));
        }
    }
    left
}

/// The machine itself.
pub(crate) struct Host {
    /// The network.
    pub(crate) netlink: Netlink,
    /// The driver.
    pub(crate) machine: Machine,
    /// What ib-bond has made.
    pub(crate) state: State,
}

impl Host {
    /// This machine, in the network namespace of this process.
    pub(crate) fn open() -> Result<Self> {
        Ok(Host {
            netlink: Netlink::open().map_err(|refusal| {
                Error::failed(format!(
                    "the kernel cannot be asked for network devices (rtnetlink): {refusal}"
                ))
            })?,
            machine: Machine::here(),
            state: State::here(),
        })
    }
}

fn in_words(error: &std::io::Error) -> Reason {
    let reason = words(error);
    Reason::Words(format!(
        "{reason}; make sure that /run is writable, and try again"
    ))
}

impl System for Host {
    fn device(&mut self, name: &str) -> Outcome<Option<Device>> {
        Ok(self.netlink.device(name)?)
    }

    fn load_driver(&mut self) -> Outcome<()> {
        self.machine.load().map_err(Reason::Words)
    }

    fn unload_driver(&mut self) -> Outcome<()> {
        // Others may have made bonds since the driver was loaded; unloading it would delete them.
        let devices = self.netlink.devices()?;
        if devices.iter().any(|device| device.bond.is_some()) || !users::elsewhere().is_empty() {
            return Ok(());
        }
        self.machine.unload().map_err(Reason::Words)
    }

    fn make_bond(&mut self, name: &str, options: &BondOptions) -> Outcome<()> {
        Ok(self.netlink.make_bond(name, options)?)
    }

    fn configure(&mut self, name: &str, options: &BondOptions) -> Outcome<()> {
        Ok(self.netlink.configure(name, options)?)
    }

    fn make_child(&mut self, parent: &str, name: &str, pkey: u16) -> Outcome<()> {
        Ok(self.netlink.make_child(parent, name, pkey)?)
    }

    fn delete(&mut self, name: &str) -> Outcome<()> {
        Ok(self.netlink.delete(name)?)
    }

    fn set_up(&mut self, name: &str, up: bool) -> Outcome<()> {
        Ok(self.netlink.set_up(name, up)?)
    }

    fn save(&mut self, name: &str) -> Outcome<Saved> {
        Ok(self.netlink.save(name)?)
    }

    fn restore(&mut self, saved: &Saved, but: Option<Net>) -> Outcome<()> {
        let wanted = match but {
            Some(net) => saved.clone().without(net),
            None => saved.clone(),
        };
        Ok(self.netlink.restore(&wanted)?)
    }

    fn set_master(&mut self, name: &str, master: Option<&str>) -> Outcome<()> {
        Ok(self.netlink.set_master(name, master)?)
    }

    fn set_mtu(&mut self, name: &str, mtu: u32) -> Outcome<()> {
        Ok(self.netlink.set_mtu(name, mtu)?)
    }

    fn set_connected(&mut self, name: &str, is_connected: bool) -> Outcome<()> {
        Ok(self.netlink.set_connected(name, is_connected)?)
    }

    fn add_address(&mut self, name: &str, net: Net) -> Outcome<()> {
        Ok(self.netlink.add_address(name, net)?)
    }

    fn remove_address(&mut self, name: &str, net: Net) -> Outcome<()> {
        Ok(self.netlink.remove_address(name, net)?)
    }

    fn record(&mut self, bond: &str) -> Option<Record> {
        self.state
            .records()
            .into_iter()
            .find(|record| record.bond == bond)
    }

    fn write_record(&mut self, record: &Record) -> Outcome<()> {
        self.state.write(record).map_err(|error| in_words(&error))
    }

    fn remove_record(&mut self, bond: &str) -> Outcome<()> {
        self.state.remove(bond).map_err(|error| in_words(&error))
    }
}
