// SPDX-License-Identifier: GPL-2.0

//! What ethtool is told about a bond: its link, and the timestamps that it can make.

use super::links::read_link_settings;
use super::master::{Bond, BondDev, SlaveDev};
use kernel::prelude::*;
use net::master::device::Slot;
use net::netdevice::LinkSettings;
use net::rcu::Rcu;
use net::rtnl::{Rtnl, RtnlOnly};
use net::timestamp::TimestampInfo;
use policy::mode::Speed;
use policy::Duplex;

/// The slave whose hardware timestamps are the bond's: the active one, where there is only one.
pub(super) fn timestamp_lower<'a>(bond: &'a BondDev, rtnl: &'a Rtnl) -> Option<&'a SlaveDev> {
    let uses_primary = Bond::mode(bond).uses_primary();
    bond.slot(rtnl, Slot::Active).filter(|_| uses_primary)
}

/// Reports the timestamps that a bond can make: those of the active slave or, where all slaves
/// send, the software timestamps that all of them can make.
pub(crate) fn timestamps(bond: &BondDev, info: &mut TimestampInfo, rcu: &Rcu) -> Result {
    if Bond::mode(bond).uses_primary() {
        if let Some(active) = bond.slot_rcu(rcu, Slot::Active) {
            return active.dev().timestamps(rcu, info);
        }
    }
    let mut stamps_sent = false;
    for slave in bond.lowers_rcu(rcu) {
        let mut one = TimestampInfo::new();
        slave.dev().timestamps(rcu, &mut one)?;
        stamps_sent = one.stamps_sent();
        if !stamps_sent {
            break;
        }
    }
    if stamps_sent {
        info.set_stamps_sent();
    }
    Ok(())
}

/// Returns the speed and the duplex mode of the bond for ethtool. The speed is the sum over the
/// slaves that can send or, where all of them send the same packets, the speed of the slowest. The
/// duplex mode is that of the first of them.
pub(crate) fn link_settings(bond: &BondDev, rtnl: &RtnlOnly) -> LinkSettings {
    let mut speed = 0u32;
    let mut duplex = Duplex::Unknown;
    for slave in bond.lowers(rtnl) {
        if !slave.data().port(rtnl).link.is_up() || !slave.dev().has_link() || slave.is_backup() {
            continue;
        }
        read_link_settings(slave, &slave.dev().ask(rtnl), rtnl);
        let port = slave.data().port(rtnl);
        speed = match (speed, port.speed, Bond::mode(bond).row().speed) {
            (so_far, None, _) => so_far,
            (0, Some(one), _) => one,
            (so_far, Some(one), Speed::Slowest) => so_far.min(one),
            (so_far, Some(one), Speed::Sum) => so_far.saturating_add(one),
        };
        if duplex == Duplex::Unknown {
            duplex = port.duplex;
        }
    }
    LinkSettings {
        speed: if speed == 0 { u32::MAX } else { speed },
        duplex: match duplex {
            Duplex::Half => 0,
            Duplex::Full => 1,
            Duplex::Unknown => u8::MAX,
        },
    }
}
