// SPDX-License-Identifier: GPL-2.0

//! The slaves of a bond as the policy sees them.

use super::links::{carrier, set_port};
use super::master::BondDev;
use super::probe;
use super::slave::Key;
use net::master::device::Slot;
use net::rtnl::{Rtnl, RtnlOnly};
use policy::arp::Traffic;
use policy::{Group, Port, Ports};

/// The slaves of a bond, under RTNL.
pub(super) struct Slaves<'a> {
    pub(super) bond: &'a BondDev,
    pub(super) rtnl: &'a Rtnl,
}

impl<'a> Ports for Slaves<'a> {
    type Key = Key<'a>;

    fn keys(&self) -> impl Iterator<Item = Key<'a>> + Clone {
        self.bond.lowers(self.rtnl).map(Key)
    }

    fn get(&self, key: Key<'a>) -> Port {
        key.0.data().port(self.rtnl)
    }

    fn set(&self, key: Key<'a>, port: Port) {
        set_port(key.0, port, self.rtnl);
    }

    fn traffic(&self, key: Key<'a>) -> Traffic {
        probe::traffic(key.0, &self.bond.data().config(self.rtnl))
    }
}

impl<'a> Slaves<'a> {
    /// Returns what the bond knows about its slaves as a group.
    pub(super) fn group(&self) -> Group<Key<'a>> {
        Group {
            active: self.bond.slot(self.rtnl, Slot::Active).map(Key),
            primary: self.bond.slot(self.rtnl, Slot::Primary).map(Key),
            force_primary: self.bond.data().force_primary.get(self.rtnl),
            tried: self.bond.slot(self.rtnl, Slot::Tried).map(Key),
        }
    }
}

/// Reads the carriers of all slaves. May send link events of their devices.
pub(super) fn read_carriers(bond: &BondDev, rtnl: &RtnlOnly) {
    let config = bond.data().config(rtnl);
    for slave in bond.lowers(rtnl) {
        // Asking a driver may send an event, which changes the port.
        let known = slave.data().port(rtnl).carrier;
        let carrier = carrier(&slave.dev().ask(rtnl), &config, known);
        let port = slave.data().port(rtnl);
        if port.carrier != carrier {
            set_port(slave, Port { carrier, ..port }, rtnl);
        }
    }
}
