// SPDX-License-Identifier: GPL-2.0

//! The machine stops: the partners of 802.3ad bonds are told, or else they would go on sending into
//! a hole until their timers expire.

use super::lacp;
use super::master::BondDev;
use kernel::time::delay::fsleep;
use kernel::time::Delta;
use net::netdevice::each_device;
use net::rtnl::{self, RtnlGuard};
use net::shutdown::Listener;

/// Listens to the end of the machine's run.
pub(crate) struct Shutdown;

/// How often RTNL is tried, once a millisecond: its holder may never let go of it any more, and the
/// machine has to stop all the same.
const TRIES: u32 = 1000;

fn lock_in_time() -> Option<RtnlGuard> {
    for _ in 0..TRIES {
        if let Some(rtnl) = rtnl::try_lock() {
            return Some(rtnl);
        }
        fsleep(Delta::from_millis(1));
    }
    None
}

impl Listener for Shutdown {
    fn stops() {
        let Some(rtnl) = lock_in_time() else {
            return;
        };
        lacp::stop();
        each_device(&rtnl, |device| {
            if let Some(bond) = BondDev::from_netdev(device) {
                lacp::refresh(bond, &rtnl);
            }
        });
    }
}
