// SPDX-License-Identifier: GPL-2.0

//! The ioctls of ifenslave.

use crate::bond::{self, configure, Bond, BondDev, SlaveDev};
use kernel::error::Result;
use net::bonding::ioctl::{Command, Info, Ioctl, LowerInfo};
use net::netdevice::NetDevice;
use net::notifier::Announce;
use net::rtnl::{Rtnl, RtnlOnly};
use policy::{IfName, OptionId, Value};

/// The ioctls.
pub(super) struct Old;

impl Ioctl<Bond> for Old {
    fn info(bond: &BondDev, _rtnl: &Rtnl) -> Info {
        let config = bond.data().options.copy();
        Info {
            mode: config.mode.number().into(),
            lowers: i32::try_from(bond.lower_count()).unwrap_or(i32::MAX),
            miimon: i32::try_from(config.miimon).unwrap_or(i32::MAX),
        }
    }

    fn lower_info(slave: &SlaveDev, _rtnl: &Rtnl) -> LowerInfo {
        let port = slave.data().copy_port();
        LowerInfo {
            link: port.link.state() as i8,
            state: slave.is_backup().into(),
            failures: port.failures,
        }
    }

    fn command(bond: &BondDev, command: Command, other: &NetDevice, rtnl: &RtnlOnly) -> Result {
        match command {
            Command::Enslave => bond::enslave(bond, other, None, rtnl),
            Command::Release => bond::release(bond, other, rtnl),
            Command::SetHwAddr => bond::copy_addr(bond, other, rtnl),
            Command::ChangeActive => {
                let name = Value::Name(IfName::new(other.name().as_bytes()));
                configure::set(bond, OptionId::ActiveSlave, name, rtnl)
                    .map_err(|refused| refused.error())?;
                bond.announce(rtnl, Announce::CHANGE_INFO_DATA)
            }
        }
    }
}
