// SPDX-License-Identifier: GPL-2.0

//! `/sys/kernel/debug/bonding/BOND/events`: what a bond has decided lately, and why; and
//! `rlb_hash_table` there: which slave each client of a balance-alb bond sends to.
//!
//! There is one debugfs for all network namespaces: the name of a bond outside the initial
//! namespace is followed by the number of that namespace, as `lsns` shows it.

use crate::bond::{BondDev, ClientTable, History};
use kernel::prelude::*;
use kernel::sync::Arc;
use net::debugfs::{Dir, File};
use net::namespace::Net;
use net::netdev_lock::Held;
use net::netdevice::NetDevice;
use net::netlink::ExtAck;
use net::notifier::{Event, Listener};
use net::rtnl::{self, Rtnl, RtnlCell};

/// The directory, while the module is loaded.
static DIR: RtnlCell<Option<Arc<Dir>>> = RtnlCell::new(None);

/// The driver's directory, which is removed on drop.
pub(crate) struct Directory;

impl Directory {
    /// Makes the directory. Bonds work without it.
    pub(crate) fn new() -> Self {
        let dir = Arc::new(Dir::new(c"bonding"), GFP_KERNEL).ok();
        DIR.replace(&rtnl::lock(), dir);
        Directory
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        let dir = DIR.replace(&rtnl::lock(), None);
        drop(dir);
    }
}

/// The files, which come, go and are renamed with their bonds.
pub(crate) struct DebugFiles;

impl Listener for DebugFiles {
    fn event(dev: &NetDevice, event: Event, _extack: Option<&ExtAck>, held: &Held<'_>) -> Result {
        let rtnl: &Rtnl = held;
        let Some(bond) = BondDev::from_netdev(dev) else {
            return Ok(());
        };
        match event {
            Event::Register | Event::ChangeName => {
                drop(bond.data().debug_files.replace(rtnl, None));
                // A bond works without its files.
                if let Ok(files) = make(bond, rtnl) {
                    drop(bond.data().debug_files.replace(rtnl, files));
                }
            }
            Event::Unregister => drop(bond.data().debug_files.replace(rtnl, None)),
            _ => {}
        }
        Ok(())
    }
}

fn make(bond: &BondDev, rtnl: &Rtnl) -> Result<Option<(File<History>, File<ClientTable>)>> {
    let Some(dir) = DIR.replace(rtnl, None) else {
        return Ok(None);
    };
    DIR.replace(rtnl, Some(dir.clone()));
    let name = bond.name();
    let dir = if core::ptr::eq(bond.net(), Net::init()) {
        Dir::within(dir, &name, "")
    } else {
        let namespace = bond.net().number();
        Dir::within(dir, &name, format_args!("@{namespace}"))
    };
    let dir = Arc::new(dir, GFP_KERNEL)?;
    let data = bond.data();
    let clients = File::new(dir.clone(), c"rlb_hash_table", data.clients.clone())?;
    let events = File::new(dir, c"events", data.history.clone())?;
    Ok(Some((events, clients)))
}
