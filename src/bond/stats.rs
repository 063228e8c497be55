// SPDX-License-Identifier: GPL-2.0

//! Statistics: what the slaves have counted since they joined.

use super::master::{BondDev, SlaveDev};
use net::netdevice::Stats;
use net::rcu::Rcu;

/// Adds what the slaves have counted since the last time to the statistics of the bond. Does not
/// sleep.
pub(super) fn of(bond: &BondDev, rcu: &Rcu) -> Stats {
    let data = bond.data();
    let mut sum = data.counted.lock(bond.lower_level());
    for slave in bond.lowers_rcu(rcu) {
        slave.data().count(&mut sum, slave.dev().stats(rcu));
    }
    *sum
}

/// Does the same for a slave that leaves, so that what it has counted is kept.
pub(super) fn keep(bond: &BondDev, slave: &SlaveDev) {
    let rcu = net::rcu::read_lock();
    let data = bond.data();
    // Read the counters under the lock: otherwise, what another caller has added in the meantime
    // would be counted twice.
    let mut sum = data.counted.lock(bond.lower_level());
    slave.data().count(&mut sum, slave.dev().stats(&rcu));
}
