// SPDX-License-Identifier: GPL-2.0

//! In `fail_over_mac follow`, whatever happens and whoever refuses: no two devices share an address
//! at any time, the bond has that of its active slave, and a device that leaves has its own.

use policy::address::{
    apart, at_enslave, at_failover, at_release, bond_takes_over, is_free, slave_changed, AtEnslave,
    Claim, Holder, Plan, Who,
};
use policy::{Config, HwAddr, Mode, OptionId};
use proptest::prelude::*;

use crate::cases::cases;
use crate::world::config;

/// How a device reacts to another address.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Mood {
    /// It takes the address.
    Willing,
    /// It takes the address while it is down.
    FixedWhileUp,
    /// It takes none.
    Fixed,
    /// It takes the address unless another device of this kind has it: functions of one card.
    Function,
}

/// Something that happens. Devices are numbers; refusals are bits, one for each of the next
/// requests.
#[derive(Clone, Debug)]
enum Op {
    Enslave {
        device: usize,
        link: bool,
    },
    Release {
        device: usize,
        next: usize,
    },
    /// Its device goes away, and comes back with its own address.
    Unplug {
        device: usize,
        next: usize,
    },
    /// Another slave becomes active, because of links, of a name, or by hand; or none.
    Failover {
        next: usize,
    },
    /// The bond is given an address, if it has no slaves.
    Give,
    /// A device is given an address that nobody has.
    ByHand {
        device: usize,
    },
    Refuse {
        requests: u16,
    },
    DeleteBond,
}

/// This number stands for no slave.
const DEVICES: usize = 5;

fn op() -> impl Strategy<Value = Op> {
    let device = 0..DEVICES;
    let next = 0..=DEVICES;
    prop_oneof![
        6 => (device.clone(), any::<bool>()).prop_map(|(device, link)| Op::Enslave { device, link }),
        4 => (device.clone(), next.clone()).prop_map(|(device, next)| Op::Release { device, next }),
        1 => (device.clone(), next.clone()).prop_map(|(device, next)| Op::Unplug { device, next }),
        8 => next.prop_map(|next| Op::Failover { next }),
        1 => Just(Op::Give),
        2 => device.prop_map(|device| Op::ByHand { device }),
        2 => any::<u16>().prop_map(|requests| Op::Refuse { requests: requests & requests >> 3 }),
        1 => Just(Op::DeleteBond),
    ]
}

fn mood() -> impl Strategy<Value = Mood> {
    prop_oneof![
        6 => Just(Mood::Willing),
        1 => Just(Mood::FixedWhileUp),
        1 => Just(Mood::Fixed),
        4 => Just(Mood::Function),
    ]
}

#[derive(Clone, Debug)]
struct Device {
    mood: Mood,
    addr: HwAddr,
    own: HwAddr,
    is_up: bool,
    /// Outside of the bond the device shares an address, since it refused its own, or came back
    /// while a slave had that.
    is_astray: bool,
}

struct World {
    config: Config,
    devices: Vec<Device>,
    slaves: Vec<usize>,
    active: Option<usize>,
    bond: HwAddr,
    is_random: bool,
    is_given: bool,
    /// Whether the bond's last request for another address was refused.
    bond_refused: bool,
    was_refused: bool,
    refusals: u16,
    count: u16,
}

impl World {
    fn new(moods: &[Mood]) -> World {
        let mut world = World {
            config: config(Mode::ActiveBackup, &[(OptionId::FailOverMac, 2)]),
            devices: Vec::new(),
            slaves: Vec::new(),
            active: None,
            bond: HwAddr::EMPTY,
            is_random: true,
            is_given: false,
            bond_refused: false,
            was_refused: false,
            refusals: 0,
            count: 0,
        };
        for &mood in moods {
            let addr = world.unused();
            world.devices.push(Device {
                mood,
                addr,
                own: addr,
                is_up: false,
                is_astray: false,
            });
        }
        world.bond = world.unused();
        world
    }

    /// An address that nobody has had yet.
    fn unused(&mut self) -> HwAddr {
        self.count += 1;
        let [high, low] = self.count.to_be_bytes();
        HwAddr::new(&[2, 0, 0, 0, high, low]).unwrap()
    }

    fn fresh(&mut self) -> HwAddr {
        let fresh = self.unused();
        assert!(is_free(fresh, self.bond, self.holders().into_iter()));
        fresh
    }

    fn holder(&self, key: usize) -> Holder<usize> {
        let Device { addr, own, .. } = self.devices[key];
        Holder { key, addr, own }
    }

    fn holders(&self) -> Vec<Holder<usize>> {
        self.slaves.iter().map(|&key| self.holder(key)).collect()
    }

    fn is_refused(&mut self) -> bool {
        let refused = self.refusals & 1 != 0;
        self.refusals >>= 1;
        refused
    }

    fn set(&mut self, key: usize, to: HwAddr) -> bool {
        let device = &self.devices[key];
        if device.addr == to {
            return true;
        }
        let is_function = |other: &Device| other.mood == Mood::Function;
        let refuses = match device.mood {
            Mood::Willing => false,
            Mood::FixedWhileUp => device.is_up,
            Mood::Fixed => true,
            Mood::Function => {
                let mut others = self.devices.iter();
                others.any(|other| is_function(other) && other.is_up && other.addr == to)
            }
        };
        if self.is_refused() || refuses {
            return false;
        }
        self.devices[key].addr = to;
        true
    }

    fn set_bond(&mut self, to: HwAddr) -> bool {
        self.bond_refused = self.is_refused();
        if !self.bond_refused {
            self.bond = to;
            (self.is_random, self.is_given) = (false, false);
        }
        !self.bond_refused
    }

    fn carry_out(&mut self, plan: &Plan<usize>) -> bool {
        plan.carry_out(|step| {
            let done = match step.who {
                Who::Slave(key) => self.set(key, step.to),
                Who::Bond(_) => self.set_bond(step.to),
            };
            self.check_apart();
            done
        })
    }

    fn check_apart(&self) {
        let counts = |key: &usize| self.slaves.contains(key) || !self.devices[*key].is_astray;
        let keys: Vec<_> = (0..DEVICES).filter(counts).collect();
        for (at, one) in keys.iter().enumerate() {
            for other in &keys[..at] {
                let addr = self.devices[*one].addr;
                assert_ne!(addr, self.devices[*other].addr, "{other} and {one}");
            }
        }
    }

    fn check(&self) {
        self.check_apart();
        if let Some(active) = self.active.filter(|_| !self.bond_refused) {
            assert_eq!(self.bond, self.devices[active].addr);
        }
        for (key, device) in self.devices.iter().enumerate() {
            if !self.slaves.contains(&key) && !device.is_astray {
                assert_eq!(device.addr, device.own, "{key} has left");
                assert!(self.bond_refused || device.addr != self.bond, "{key}, bond");
            }
        }
    }

    fn fail_over(&mut self, leaver: Option<usize>) {
        let fresh = self.fresh();
        for leaver in [leaver, None] {
            let new = self.active.map(|key| self.holder(key));
            let holders = self.holders().into_iter();
            let plan = at_failover(&self.config, new, self.bond, holders, leaver, fresh);
            if self.carry_out(&plan) || leaver.is_none() {
                break;
            }
        }
        self.part();
    }

    fn part(&mut self) {
        for key in self.slaves.clone() {
            let fresh = self.fresh();
            let (slave, holders) = (self.holder(key), self.holders());
            let holders = holders.into_iter();
            let to = apart(&self.config, slave, self.active, self.bond, holders, fresh);
            // Nobody has set the same address on two devices.
            assert_eq!(to, None);
        }
    }

    fn enslave(&mut self, key: usize, link: bool) {
        let is_first = self.slaves.is_empty();
        let addr = self.devices[key].addr;
        let (bond, is_random) = (self.bond, self.is_random);
        if bond_takes_over(is_first, is_random) {
            self.bond = addr;
            self.is_random = false;
        }
        let holders = self.holders().into_iter();
        let accepted = match at_enslave(&self.config, addr, self.bond, holders) {
            AtEnslave::Keep => true,
            AtEnslave::SetTo(addr) => panic!("it is not to have {addr}"),
            AtEnslave::Random => {
                let fresh = self.fresh();
                self.set(key, fresh)
            }
        };
        if !accepted {
            (self.bond, self.is_random) = (bond, is_random);
            return;
        }
        self.devices[key].own = addr;
        self.devices[key].is_up = true;
        self.slaves.push(key);
        if self.active.is_none() && link {
            self.active = Some(key);
            self.fail_over(None);
        }
    }

    fn release(&mut self, key: usize, next: usize, claim: Claim) {
        if self.active == Some(key) {
            self.active = None;
            if next != key && self.slaves.contains(&next) && claim != Claim::Ends {
                self.active = Some(next);
                self.fail_over(Some(key).filter(|_| claim == Claim::Borrowed));
            }
        }
        self.slaves.retain(|&it| it != key);
        self.devices[key].is_up = false;
        self.part();
        let fresh = self.fresh();
        let (leaver, bond) = (self.holder(key), (self.bond, claim));
        let holders = self.holders().into_iter();
        let result = at_release(&self.config, leaver, self.active, bond, holders, fresh);
        // On a conflict the device gets an address that the bond keeps.
        self.devices[key].is_astray = result.conflict;
        self.carry_out(&result.plan);
        self.part();
        self.devices[key].is_astray |= self.devices[key].addr != self.devices[key].own;
        if result.randomize_bond {
            self.bond = self.unused();
            (self.is_random, self.is_given, self.bond_refused) = (true, false, false);
        }
    }

    /// What the log asks for if somebody has refused: the user gives a device that has left another
    /// address.
    fn mend(&mut self, key: usize) {
        let Device {
            addr,
            own,
            is_astray,
            ..
        } = self.devices[key];
        let is_slave = self.slaves.contains(&key);
        if !is_slave && (addr != own || (self.bond == own && !is_astray)) {
            self.was_refused = true;
            let addr = self.unused();
            let device = &mut self.devices[key];
            (device.addr, device.own, device.is_astray) = (addr, addr, false);
        }
    }

    fn apply(&mut self, op: &Op) {
        let slaves = self.slaves.clone();
        let is_slave = |key: &usize| slaves.contains(key);
        match *op {
            Op::Enslave { device, link } if !is_slave(&device) => self.enslave(device, link),
            Op::Release { device, next } if is_slave(&device) => {
                let claim = match self.is_given {
                    true => Claim::Kept,
                    false => Claim::Borrowed,
                };
                self.release(device, next, claim);
            }
            Op::Unplug { device, next } if is_slave(&device) => {
                self.release(device, next, Claim::Kept);
                let own = self.devices[device].own;
                let has_own = |key: usize| self.devices[key].addr == own;
                // If true, the bond or a slave has this address, until the device joins and leaves
                // again.
                self.devices[device].is_astray =
                    self.bond == own || slaves.iter().copied().any(has_own);
                self.devices[device].addr = own;
            }
            Op::Failover { next } => {
                self.active = Some(next).filter(is_slave);
                self.fail_over(None);
            }
            Op::Give if self.slaves.is_empty() => {
                self.bond = self.unused();
                (self.is_random, self.is_given) = (false, true);
            }
            Op::ByHand { device } => {
                let addr = self.unused();
                if self.set(device, addr) {
                    if !is_slave(&device) {
                        self.devices[device].own = addr;
                    } else if self.active == Some(device)
                        && slave_changed(&self.config, addr, self.bond)
                    {
                        self.set_bond(addr);
                    }
                }
            }
            Op::Refuse { requests } => self.refusals = requests,
            Op::DeleteBond => {
                self.active = None;
                while let Some(&key) = self.slaves.first() {
                    self.release(key, DEVICES, Claim::Ends);
                }
            }
            _ => {}
        }
        for key in 0..DEVICES {
            self.mend(key);
        }
        self.check();
    }
}

proptest! {
    #![proptest_config(cases(3000))]

    #[test]
    fn no_two_devices_have_one_address(
        moods in proptest::collection::vec(mood(), DEVICES),
        ops in proptest::collection::vec(op(), 1..60),
    ) {
        let mut world = World::new(&moods);
        for op in &ops {
            world.apply(op);
        }
    }

    #[test]
    fn who_leaves_has_its_own_address_if_nobody_refuses(
        ops in proptest::collection::vec(op(), 1..60),
    ) {
        let mut world = World::new(&[Mood::Willing; DEVICES]);
        let plugged = |op: &&Op| !matches!(op, Op::Refuse { .. } | Op::Unplug { .. });
        for op in ops.iter().filter(plugged) {
            world.apply(op);
            prop_assert!(!world.was_refused && !world.bond_refused);
        }
    }
}
