// SPDX-License-Identifier: GPL-2.0

//! The stations behind a bridge on the bond, and the macvlans on it (`announce_stations`): after a
//! failover, a frame from each of them leaves through the new active slave, so that the switches send
//! there what is for them. Without that, a station that is silent is not reached until the switches
//! forget it.

use super::learning::tags;
use super::master::{Announced, Bond, BondDev, Known, SlaveDev};
use super::message::bond_warn;
use super::wake::Task;
use kernel::prelude::*;
use net::bridge::{each_station, Station};
use net::master::device::Slot;
use net::netdevice::NetDevice;
use net::rcu;
use net::route::{each_upper, Tags};
use net::rtnl::{Rtnl, RtnlOnly};
use net::sync::{now_ms, ratelimit};
use policy::wire::frame::{Frame, Tag};
use policy::Millis;

/// The most stations of one failover: more than a switch learns.
const MOST: usize = 65_536;

/// How many devices on the bond may be ports of bridges.
const PORTS: usize = 256;

/// How long the slave that was active before still receives for stations once all are announced, in ms.
const LINGER: Millis = 20;

/// How many frames are sent at a time, and how soon the next ones follow, in ms: a queue of a slave
/// holds more.
const BURST: usize = 64;
const GAP: Millis = 1;

/// Another slave is active now: all stations are to be announced, if the user wants that.
pub(super) fn moved(bond: &BondDev, rtnl: &Rtnl) {
    if bond.data().config(rtnl).announce_stations {
        drop(bond.data().stations.replace(rtnl, Announced::All));
        Bond::wake(bond, Task::Stations);
    }
}

/// Another slave is about to be active in place of this one, which still receives what is for stations.
pub(super) fn linger(bond: &BondDev, old: &SlaveDev, rtnl: &Rtnl) {
    let lingers = bond.data().config(rtnl).announce_stations && old.dev().has_link();
    old.data().set_lingers(lingers);
}

fn end_lingering(bond: &BondDev, rtnl: &Rtnl) {
    bond.lowers(rtnl)
        .for_each(|slave| slave.data().set_lingers(false));
}

/// The bond goes down.
pub(super) fn stop(bond: &BondDev, rtnl: &Rtnl) {
    end_lingering(bond, rtnl);
    drop(bond.data().stations.replace(rtnl, Announced::Nothing));
    Bond::wake_at_ms(bond, Task::Stations, None);
}

/// Announces stations. May sleep.
pub(super) fn announce(bond: &BondDev, rtnl: &RtnlOnly) {
    let stations = &bond.data().get_ref().stations;
    let (known, done) = match stations.replace(rtnl, Announced::Nothing) {
        Announced::Nothing => return,
        Announced::Learned => return end_lingering(bond, rtnl),
        Announced::All => (find(bond, rtnl), 0),
        Announced::Rest(known, done) => (known, done),
    };
    let Some(active) = bond.slot(rtnl, Slot::Active) else {
        return end_lingering(bond, rtnl);
    };
    let rest = known.get(done..).unwrap_or_default();
    for known in rest.iter().take(BURST) {
        let path = tags(&known.path);
        let frame = Frame::announcement(known.addr, Iterator::chain(path, known.inner));
        active.dev().send_control(frame.as_bytes());
    }
    let (next, gap) = if rest.len() > BURST {
        (Announced::Rest(known, done.saturating_add(BURST)), GAP)
    } else {
        (Announced::Learned, LINGER)
    };
    drop(stations.replace(rtnl, next));
    let due = now_ms().saturating_add(gap);
    Bond::wake_at_ms(bond, Task::Stations, Some(due));
}

/// Finds all stations. What there is no memory for is left out. May sleep.
fn find(bond: &BondDev, rtnl: &RtnlOnly) -> KVVec<Known> {
    // What bridges know changes without RTNL, so there is room for a few more than were counted.
    let mut count = 64usize;
    let asked = visit(bond, rtnl, &mut |_| count = count.saturating_add(1));
    let room = KVVec::with_capacity(count.min(MOST), GFP_KERNEL);
    let has_room = room.is_ok() && count <= MOST;
    let mut found = room.unwrap_or(KVVec::new());
    let _ = visit(bond, rtnl, &mut |known| {
        let _ = found.push_within_capacity(known);
    });
    if let Err(err) = asked {
        if ratelimit() {
            bond_warn!(
                bond,
                "cannot ask the bridge for its stations (error {}); they are reached once they \
                 send something",
                err.to_errno()
            );
        }
    } else if !has_room && ratelimit() {
        bond_warn!(
            bond,
            "no memory to announce all stations; the others are reached once they send something"
        );
    }
    found
}

/// Calls a function, which must not sleep, with each station. May sleep.
fn visit(bond: &BondDev, rtnl: &RtnlOnly, call: &mut dyn FnMut(Known)) -> Result {
    // The devices on the bond that are ports of bridges; what bridges know is asked for later, since
    // that may sleep.
    let mut ports = KVec::with_capacity(PORTS, GFP_KERNEL)?;
    if bond.is_bridge_port() {
        let _ = ports.push_within_capacity((bond.ifindex(), Tags::default()));
    }
    let rcu = rcu::read_lock();
    each_upper(bond, &rcu, &mut |upper, path| {
        if upper.is_bridge_port() {
            let _ = ports.push_within_capacity((upper.ifindex(), *path));
        }
        if upper.is_macvlan() {
            call(Known {
                addr: upper.ether_addr(),
                path: *path,
                inner: None,
            });
        }
    });
    drop(rcu);
    let bond_dev: &NetDevice = bond;
    let mut asked = Ok(());
    for (ifindex, path) in &ports {
        // A device in another namespace is not found, though one here may have the same index.
        let is_above = |port: &&NetDevice| *port == bond_dev || bond.has_upper(rtnl, port);
        let Some(port) = bond.net().device_by_index(rtnl, *ifindex).filter(is_above) else {
            continue;
        };
        let res = each_station(port, rtnl, |Station { addr, tag }| {
            call(Known {
                addr,
                path: *path,
                inner: tag.map(|(proto, vid)| Tag { proto, vid }),
            });
        });
        asked = asked.and(res);
    }
    asked
}
