// SPDX-License-Identifier: GPL-2.0

//! Statistics: what the slaves have counted since they joined.

use super::master::{BondDev, SlaveDev};
use net::netdevice::Stats;
use net::rcu::Rcu;

/// Adds what the slaves have counted since the last time to the statistics of the bond. No sleeping.
pub(super) fn of(dev: &BondDev, rcu: &Rcu) -> Stats {
    let bond = dev.data();
    let mut sum = bond.counted.lock(dev.lower_level());
    for slave in dev.lowers_rcu(rcu) {
        slave.data().count(&mut sum, slave.dev().stats(rcu));
    }
    *sum
}

/// The same of a slave that leaves: what it has counted stays.
pub(super) fn keep(dev: &BondDev, slave: &SlaveDev) {
    let rcu = net::rcu::read_lock();
    let bond = dev.data();
    // Asked under the lock: what somebody else has counted meanwhile would else be counted once more.
    let mut sum = bond.counted.lock(dev.lower_level());
    slave.data().count(&mut sum, slave.dev().stats(&rcu));
}
