// SPDX-License-Identifier: GPL-2.0

//! bonding.ko: the bonding driver.

#![forbid(unsafe_code)]

mod bond;
mod interface;

use bond::{options, Bond};
use core::pin::Pin;
use kernel::prelude::*;
use kernel::sync::Arc;
use net::master::{pernet, registration, rtnetlink};
use net::{notifier, shutdown};

module! {
    type: Bonding,
    name: "bonding",
    authors: ["The authors of bonding.ko in Rust"],
    description: "Ethernet Channel Bonding Driver",
    license: "GPL",
    alias: ["rtnl-link-bond"],
    imports_ns: ["NETDEV_INTERNAL"],
}

/// What the module has registered, in the order in which the fields are dropped.
struct Bonding {
    // Dropping these removes the last files by which bonds are made and deleted. What is left of
    // the bonds goes with the link type, which waits for the bonds that are being unregistered.
    _namespaces: Pin<KBox<pernet::Registration<interface::Namespaces>>>,
    _link: rtnetlink::Registration<Bond>,
    // The listeners are registered from before the first bond until after the last one, so they
    // hear of every slave that goes away. The debugfs directory is dropped before the files of the
    // bonds, which keep what they need of it.
    _debugfs: interface::debugfs::Directory,
    _debug_files: Pin<KBox<notifier::Registration<interface::debugfs::DebugFiles>>>,
    _proc_files: Pin<KBox<notifier::Registration<interface::Files>>>,
    _events: Pin<KBox<notifier::Registration<bond::Events>>>,
    _shutdown: shutdown::Registration<bond::Shutdown>,
    _driver: Arc<registration::Registration<Bond>>,
}

impl kernel::Module for Bonding {
    fn init(_module: &'static ThisModule) -> Result<Self> {
        let defaults = interface::params::read()?;
        options::set_defaults(defaults);
        let driver = registration::Registration::new(c"bonding", &interface::OPS)?;
        let shutdown = shutdown::Registration::new(c"bonding")?;
        let events = notifier::Registration::new()?;
        let debugfs = interface::debugfs::Directory::new();
        let debug_files = notifier::Registration::new()?;
        let namespaces = pernet::Registration::new()?;
        // After the namespaces, so that the listener is told of the bonds that somebody has made in
        // them meanwhile.
        let proc_files = notifier::Registration::new()?;
        let link = rtnetlink::Registration::new(driver.clone())?;
        let this = Bonding {
            _namespaces: namespaces,
            _link: link,
            _debugfs: debugfs,
            _debug_files: debug_files,
            _proc_files: proc_files,
            _events: events,
            _shutdown: shutdown,
            _driver: driver,
        };
        interface::create_bonds(defaults.max_bonds)?;
        Ok(this)
    }
}
