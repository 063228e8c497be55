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
    fn info(dev: &BondDev, _rtnl: &Rtnl) -> Info {
        let config = dev.data().options.copy();
        Info {
            mode: config.mode.number().into(),
            lowers: i32::try_from(dev.lower_count()).unwrap_or(i32::MAX),
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

    fn command(dev: &BondDev, command: Command, other: &NetDevice, rtnl: &RtnlOnly) -> Result {
        match command {
            Command::Enslave => bond::enslave(dev, other, None, rtnl),
            Command::Release => bond::release(dev, other, rtnl),
            Command::SetHwAddr => bond::copy_addr(dev, other, rtnl),
            Command::ChangeActive => {
                let name = Value::Name(IfName::new(other.name().as_bytes()));
                configure::set(dev, OptionId::ActiveSlave, name, rtnl)
                    .map_err(|refused| refused.error())?;
                dev.announce(rtnl, Announce::CHANGE_INFO_DATA)
            }
        }
    }
}
