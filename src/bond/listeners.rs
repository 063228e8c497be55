// SPDX-License-Identifier: GPL-2.0

//! What other drivers are told about slaves: `NETDEV_CHANGELOWERSTATE`, for those that offload
//! bonds, and `NETDEV_BONDING_INFO`.

use super::master::{Bond, BondDev, SlaveDev};
use super::wake::Task;
use net::bonding::info::BondingInfo;
use net::netdev_lock::Held;
use net::rtnl::{Rtnl, RtnlOnly};
use policy::LinkState;

/// Bits of `Slave::owed`: `NETDEV_BONDING_INFO`, and `NETDEV_CHANGELOWERSTATE`.
const INFO: u8 = 1;
const STATE: u8 = 2;

/// Tells listeners about the state of a slave: drivers that offload bonds at once, unless an
/// instance lock is held; the other listeners soon.
pub(super) fn tell(bond: &BondDev, slave: &SlaveDev, held: &Held<'_>) {
    let mut owed = INFO;
    match held.rtnl_only() {
        Some(rtnl) => tell_state(slave, rtnl),
        None => owed |= STATE,
    }
    let so_far = slave.data().owed.get(held);
    slave.data().owed.set(held, so_far | owed);
    Bond::wake(bond, Task::Listeners);
}

/// Whether listeners still have to be told about the state of a slave.
pub(super) fn is_told_later(slave: &SlaveDev, rtnl: &Rtnl) -> bool {
    slave.data().owed.get(rtnl) != 0
}

fn tell_state(slave: &SlaveDev, rtnl: &RtnlOnly) {
    let link_up = match slave.data().port(rtnl).link.state() {
        LinkState::Up | LinkState::Fail => true,
        LinkState::Down | LinkState::Back => false,
    };
    let owed = slave.data().owed.get(rtnl);
    slave.data().owed.set(rtnl, owed & !STATE);
    let is_backup = slave.is_backup();
    slave.data().told_backup.set(rtnl, is_backup);
    slave.dev().lower_state_changed(rtnl, link_up, !is_backup);
}

/// Tells listeners what they still have to be told.
pub(super) fn tell_rest(bond: &BondDev, rtnl: &RtnlOnly) {
    let config = bond.data().config(rtnl);
    for slave in bond.lowers(rtnl) {
        let owed = slave.data().owed.replace(rtnl, 0);
        if owed & STATE != 0 {
            tell_state(slave, rtnl);
        }
        if owed & INFO != 0 {
            let port = slave.data().port(rtnl);
            slave.dev().bonding_info_changed(
                rtnl,
                &BondingInfo {
                    mode: i32::from(config.mode.number()),
                    miimon: i32::try_from(config.miimon).unwrap_or(i32::MAX),
                    num_slaves: i32::try_from(bond.lower_count()).unwrap_or(i32::MAX),
                    link: port.link.state() as i8,
                    state: i8::from(slave.is_backup()),
                    link_failure_count: port.failures,
                },
            );
        }
    }
}
