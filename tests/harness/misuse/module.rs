// SPDX-License-Identifier: GPL-2.0

//! A driver of masters that does what it should not, in safe code: nothing of it may end badly. It takes
//! the place of `src/bonding_main.rs` in a copy of the sources; see `tests/harness/misuse.sh`.

#![forbid(unsafe_code)]

use core::pin::Pin;
use kernel::prelude::*;
use net::bonding::published::{Bonding, Role};
use net::bonding::timestamp::Timestamps;
use net::master::device::{Dev, Lower, Master, Rx};
use net::master::lower::LagTx;
use net::master::netpoll_ops::Netpoll;
use net::master::ops::Ops;
use net::master::registration;
use net::master::registry::{Registered, Registry};
use net::master::rtnetlink::{self, LinkOps};
use net::master::sysfs::{LowerDir, LowerFiles};
use net::master::tls::TlsMaster;
use net::master::xdp::XdpMaster;
use net::master::xfrm::XfrmMaster;
use net::netdev_lock::Held;
use net::netdevice::{NetDevice, Stats, Vlan};
use net::netlink::{Attr, Attrs, ExtAck, Message, Nest, Policy};
use net::notifier::{self, Event, Listener};
use net::printk::{self, Level};
use net::rcu::Rcu;
use net::rtnl::{Rtnl, RtnlOnly};
use net::shared::Bytes;
use net::skbuff::{Received, SkBuff, XMIT_DROP};
use net::sock::Socket;
use net::static_ref::StaticRef;
use net::sysfs::{File, Page};
use net::xdp::Program;

module! {
    type: Misuse,
    name: "bonding",
    authors: ["The authors of bonding.ko in Rust"],
    description: "A driver that does what it should not",
    license: "GPL",
    imports_ns: ["NETDEV_INTERNAL"],
}

struct Misuse {
    _events: Pin<KBox<notifier::Registration<Events>>>,
    _link: rtnetlink::Registration<Wrong>,
}

impl kernel::Module for Misuse {
    fn init(_module: &'static ThisModule) -> Result<Self> {
        let driver = registration::Registration::new(c"misuse", &OPS)?;
        let link = rtnetlink::Registration::new(driver.clone())?;
        // The link type stays, and the driver does not want to be registered any more.
        drop(driver);
        Ok(Misuse {
            _events: notifier::Registration::new()?,
            _link: link,
        })
    }
}

/// A master that looks after nothing.
struct Wrong;

/// Prints a line about a device, which begins with its name.
macro_rules! netdev_info {
    ($dev:expr, $($arg:tt)+) => {{
        let name = $dev.name();
        let name = core::str::from_utf8(name.as_bytes()).unwrap_or("?");
        printk::print(Level::Info, fmt!("{}: {}", name, fmt!($($arg)+)))
    }};
}

static REGISTRY: Registry<Wrong> = Registry::new();
static LOWERS: LowerDir<Wrong, NoFiles, 1> = LowerDir::new(
    &LOWERS,
    "misuse",
    &[File {
        name: "nothing",
        mode: 0o444,
        id: (),
    }],
);
static POLICY: Policy<1> = Policy::new();
static OPS: Ops<Wrong> = Ops::new(c"misuse", &LOWERS)
    .with_link::<Link, 1, 1>(&POLICY, &POLICY)
    .with_netpoll()
    .with_timestamps()
    .with_tls()
    .with_xdp()
    .with_xfrm();

struct NoFiles;

impl LowerFiles<Wrong> for NoFiles {
    type Id = ();

    fn show(_lower: &Lower<Wrong>, _id: (), _page: &mut Page<'_>) {}
}

/// Makes a device a lower device of a master, whatever it is.
fn link_up(dev: &Dev<Wrong>, lower: &NetDevice, what: &str, rtnl: &Rtnl) -> Result {
    let role = Role {
        backup: false,
        inactive: false,
    };
    let data = pin_init::init_zeroed::<()>();
    let prepare = |lower: &Lower<Wrong>| lower.set_role(role);
    let res = Lower::link_up(dev, lower, data, LagTx::Unknown, prepare, None, rtnl);
    let errno = res.map_or_else(|err| err.to_errno(), |_| 0);
    netdev_info!(lower, "misuse: linking {}: {}", what, errno);
    if errno == 0 {
        Ok(())
    } else {
        Err(Error::from_errno(errno))
    }
}

struct Events;

impl Listener for Events {
    fn event(dev: &NetDevice, event: Event, _extack: Option<&ExtAck>, rtnl: &Held<'_>) -> Result {
        if event != Event::Unregister {
            return Ok(());
        }
        let find = |name: &[u8]| dev.net().device_by_name(rtnl, name);
        // A device that leaves comes to a master that stays, and to one that leaves another comes.
        if dev.name().as_bytes() == b"lost" {
            if let Some(master) = find(b"top").and_then(Dev::from_netdev) {
                let _ = link_up(master, dev, "a device that leaves", rtnl);
            }
        }
        if let (Some(master), Some(late)) = (Dev::from_netdev(dev), find(b"late")) {
            let _ = link_up(master, late, "to a master that leaves", rtnl);
        }
        Ok(())
    }
}

impl Registered for Wrong {
    const REGISTRY: StaticRef<Registry<Self>> = StaticRef::new(&REGISTRY);
}

impl Master for Wrong {
    type Lower = ();
    type Layout = Bonding;
    const NAME: &'static CStr = c"misuse";

    fn new(_rtnl: &RtnlOnly) -> Result<Pin<KBox<Self>>> {
        Ok(KBox::pin(Wrong, GFP_KERNEL)?)
    }

    /// The device is not registered yet.
    fn ready(dev: &Dev<Self>, rtnl: &RtnlOnly) {
        if let Some(early) = dev.net().device_by_name(rtnl, b"early") {
            let _ = link_up(dev, early, "to a master that comes", rtnl);
        }
    }

    /// Lets nothing go.
    fn uninit(_dev: &Dev<Self>, _rtnl: &RtnlOnly) {}

    fn open(_dev: &Dev<Self>, _rtnl: &RtnlOnly) -> Result {
        Ok(())
    }

    /// Closes what is being closed.
    fn stop(dev: &Dev<Self>, rtnl: &RtnlOnly) {
        dev.close(rtnl);
        netdev_info!(dev, "misuse: closed while it is being closed");
        let res = dev.sync_addrs_from(rtnl, dev, false);
        dev.unsync_addrs_from(rtnl, dev);
        let errno = res.map_or_else(|err| err.to_errno(), |()| 0);
        netdev_info!(dev, "misuse: addresses from itself: {}", errno);
    }

    fn start_xmit(_dev: &Dev<Self>, _skb: SkBuff, _rcu: &Rcu) -> i32 {
        XMIT_DROP
    }

    fn xmit_lower<'a>(
        _dev: &'a Dev<Self>,
        _skb: &SkBuff,
        _all: bool,
        _rcu: &'a Rcu,
    ) -> Option<&'a Lower<Self>> {
        None
    }

    fn takes(_lower: &Lower<Self>, _packet: Received<'_>) -> bool {
        true
    }

    fn receive(_lower: &Lower<Self>, _packet: Received<'_>, _rcu: &Rcu) -> Rx {
        Rx::Another
    }

    fn stats(_dev: &Dev<Self>, _rcu: &Rcu) -> Stats {
        Stats::default()
    }

    fn rx_flags_changed(_dev: &Dev<Self>, _promisc: bool, _allmulti: bool, _rtnl: &RtnlOnly) {}

    fn rx_mode(
        _dev: &Dev<Self>,
        _rtnl: &Rtnl,
        _sync: &mut dyn FnMut(&Lower<Self>, bool) -> Result,
    ) {
    }

    fn change_mtu(_dev: &Dev<Self>, _mtu: u32, _rtnl: &RtnlOnly) -> Result {
        Ok(())
    }

    fn set_addr(_dev: &Dev<Self>, _addr: &[u8], _rtnl: &RtnlOnly) -> Result {
        Err(EINVAL)
    }

    fn add_vlan(_dev: &Dev<Self>, _vlan: Vlan, _rtnl: &Rtnl) -> Result {
        Ok(())
    }

    fn del_vlan(_dev: &Dev<Self>, _vlan: Vlan, _rtnl: &Rtnl) {}

    /// Asks nothing of the device: it may be the master itself, above it, or a master of another kind.
    fn add_lower(
        dev: &Dev<Self>,
        lower: &NetDevice,
        _extack: Option<&ExtAck>,
        rtnl: &RtnlOnly,
    ) -> Result {
        link_up(dev, lower, "what was asked for", rtnl)
    }

    fn del_lower(dev: &Dev<Self>, lower: &NetDevice, rtnl: &RtnlOnly) -> Result {
        let lower = dev.lower_of(rtnl, lower).ok_or(EINVAL)?;
        lower.unlink(rtnl, || ());
        // Once more.
        lower.unlink(rtnl, || netdev_info!(dev, "misuse: unlinked twice"));
        Ok(())
    }

    fn poll(_dev: &Dev<Self>, _rcu: &Rcu) {}

    fn work(_dev: &Dev<Self>) {}
}

impl XdpMaster for Wrong {
    fn set_xdp(
        _dev: &Dev<Self>,
        _program: Option<&Program>,
        _extack: Option<&ExtAck>,
        _rtnl: &RtnlOnly,
    ) -> Result {
        Err(EINVAL)
    }

    fn frame_lower<'a>(
        _dev: &'a Dev<Self>,
        _frame: Bytes<'_>,
        _rcu: &'a Rcu,
    ) -> Option<&'a Lower<Self>> {
        None
    }
}

impl TlsMaster for Wrong {
    fn socket_lower<'a>(
        _dev: &'a Dev<Self>,
        _socket: &Socket,
        _rcu: &'a Rcu,
    ) -> Option<&'a Lower<Self>> {
        None
    }
}

impl XfrmMaster for Wrong {
    const CANNOT_HOLD: &'static CStr = c"misuse";

    fn ipsec_lower<'a>(_dev: &'a Dev<Self>, _rcu: &'a Rcu) -> Result<&'a Lower<Self>> {
        Err(EINVAL)
    }

    fn sole_lower<'a>(_dev: &'a Dev<Self>, _rcu: &'a Rcu) -> Option<&'a Lower<Self>> {
        None
    }
}

impl Netpoll for Wrong {
    fn next_xmit_lower<'a>(
        _dev: &'a Dev<Self>,
        _skb: &SkBuff,
        _previous: Option<&Lower<Self>>,
        _rcu: &'a Rcu,
    ) -> Option<&'a Lower<Self>> {
        None
    }
}

impl Timestamps for Wrong {
    fn timestamp_lower<'a>(_dev: &'a Dev<Self>, _rtnl: &'a Rtnl) -> Option<&'a Lower<Self>> {
        None
    }
}

struct Link;

impl LinkOps<Wrong> for Link {
    const ATTRS: usize = 1;
    const LOWER_ATTRS: usize = 1;
    const XSTATS: u16 = 1;

    fn queues() -> u32 {
        1
    }

    fn validate(_address: Option<Attr<'_>>, _extack: Option<&ExtAck>) -> Result {
        Ok(())
    }

    fn change(
        _dev: &Dev<Wrong>,
        _attrs: &Attrs<'_>,
        _extack: Option<&ExtAck>,
        _rtnl: &RtnlOnly,
    ) -> Result {
        Ok(())
    }

    fn size() -> usize {
        0
    }

    fn fill(_dev: &Dev<Wrong>, _message: &mut Message<'_>, _rcu: &Rcu) -> Result {
        Ok(())
    }

    fn xstats_size() -> usize {
        0
    }

    fn xstats(_dev: &Dev<Wrong>, _lower: Option<&Lower<Wrong>>) -> Result<Nest> {
        Ok(Nest::new())
    }

    fn change_lower(
        _lower: &Lower<Wrong>,
        _attrs: &Attrs<'_>,
        _extack: Option<&ExtAck>,
        _rtnl: &RtnlOnly,
    ) -> Result {
        Ok(())
    }

    fn lower_size() -> usize {
        0
    }

    fn fill_lower(_lower: &Lower<Wrong>, _message: &mut Message<'_>, _rcu: &Rcu) -> Result {
        Ok(())
    }
}
