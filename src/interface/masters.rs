// SPDX-License-Identifier: GPL-2.0

//! What each network namespace has: `/sys/class/net/bonding_masters`, which lists, makes and
//! deletes bonds; the directory `/proc/net/bonding`; and the bonds themselves.

use crate::bond::message::Text;
use crate::bond::{options, Bond, BondDev};
use core::ffi::CStr;
use kernel::error::{code::*, Result};
use kernel::{pr_err, pr_info, pr_warn};
use net::master::pernet::{PerNet, Place};
use net::namespace::Net;
use net::netdevice::IFNAMSIZ;
use net::static_ref::StaticRef;
use net::sysfs::{ClassFile, Page};
use net::{rcu, rtnl};
use policy::options::parse_command;
use policy::IfName;

static PLACE: Place<Namespaces> = Place::new();

/// What each namespace has.
pub(crate) struct Namespaces;

impl PerNet for Namespaces {
    type Driver = Bond;
    type File = Masters;
    const DIR: &'static CStr = c"bonding";

    const PLACE: StaticRef<Place<Self>> = StaticRef::new(&PLACE);

    fn file_exists(device: bool) {
        // If no device has that name, the file belongs to another copy of the driver, which old
        // initscripts load under another name. The bonds of this copy then have to be made through
        // netlink.
        if device {
            pr_err!("network device named bonding_masters already exists in sysfs\n");
        }
    }

    fn no_dir() {
        pr_warn!("Warning: Cannot create /proc/net/bonding\n");
    }
}

/// `/sys/class/net/bonding_masters`
pub(crate) struct Masters;

impl ClassFile for Masters {
    const NAME: &'static CStr = c"bonding_masters";
    const MODE: u16 = 0o644;

    fn show(net: &Net, page: &mut Page<'_>) {
        let rcu = rcu::read_lock();
        for bond in net
            .devices(&rcu)
            .filter(|bond| BondDev::from_netdev(bond).is_some())
        {
            if !page.item(IFNAMSIZ, |page| page.bytes(bond.name().as_bytes())) {
                break;
            }
        }
        page.end_list();
    }

    fn store(net: &Net, text: &[u8]) -> Result {
        match parse_command(text) {
            Some((true, name)) => create(net, name),
            Some((false, name)) => delete(net, name),
            None => {
                pr_err!("no command found in bonding_masters - use +ifname or -ifname\n");
                Err(EPERM)
            }
        }
    }
}

fn create(net: &Net, name: IfName) -> Result {
    pr_info!("{} is being created...\n", Text(name));
    create_bond(net, name.as_bytes()).inspect_err(|err| {
        if *err == EEXIST {
            pr_info!("{} already exists\n", Text(name));
        } else {
            pr_info!("{} creation failed\n", Text(name));
        }
    })
}

fn delete(net: &Net, name: IfName) -> Result {
    let rtnl = rtnl::lock();
    match net
        .device_by_name(&rtnl, name.as_bytes())
        .and_then(BondDev::from_netdev)
    {
        Some(bond) => {
            pr_info!("{} is being deleted...\n", Text(name));
            bond.unregister(&rtnl);
            Ok(())
        }
        None => {
            pr_err!("unable to delete non-existent {}\n", Text(name));
            Err(ENODEV)
        }
    }
}

fn create_bond(net: &Net, name: &[u8]) -> Result {
    let queues = options::defaults().tx_queues;
    BondDev::create(net, name, queues.into(), &rtnl::lock()).map(|_| ())
}

/// Creates the bonds that the module starts with, in the initial namespace.
pub(crate) fn create_bonds(count: u32) -> Result {
    (0..count).try_for_each(|_| create_bond(Net::init(), b"bond%d"))
}
