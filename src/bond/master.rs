// SPDX-License-Identifier: GPL-2.0

//! A bond: what its owners keep, each in one field.

use super::balancer::Balancer;
use super::client_table::ClientTable;
use super::heard::Prober;
use super::history::History;
use super::options::{defaults, Options};
use super::wake::{Task, Wake};
use kernel::prelude::*;
use kernel::sync::Arc;
use net::debugfs::File;
use net::master::device::Dev;
use net::master::device::Lower;
use net::master::device::Slot;
use net::netdevice::Stats;
use net::route::Tags;
use net::rtnl::{Rtnl, RtnlCell, Underway};
use net::sync::{BhLock, NestedLock, PerCpuCounter};
use net::{new_bh_lock, new_nested_lock};
use policy::arp::Micros;
use policy::lacp::{Counters, Shortage, System};
use policy::notify::Announcements;
use policy::paths::Lookups;
use policy::retry::Retry;
use policy::wire::frame::{Mac, Tag};
use policy::{Config, Millis, Mode};

/// A bond's device.
pub(crate) type BondDev = Dev<Bond>;

/// A slave, as its bond sees it.
pub(crate) type SlaveDev = Lower<Bond>;

/// What LACP keeps, in 802.3ad mode.
pub(super) struct Lacp {
    pub(super) system: System,
    /// `all_slaves_active`
    pub(super) all_active: bool,
    /// Whether the bond has carrier.
    pub(super) carrier: bool,
    /// When [`Task::Aggregate`] may be done again.
    pub(super) may_aggregate: Millis,
    /// Whether it has none for `min_links` alone, as far as there is something to tell.
    pub(super) shortage: Option<Shortage>,
    /// What the slaves that have left had counted.
    pub(super) gone: Counters,
}

impl Lacp {
    fn new() -> Self {
        Self {
            system: System::new(Config::default().lacp([0; 6], false)),
            all_active: false,
            carrier: false,
            may_aggregate: 0,
            shortage: None,
            gone: Counters::default(),
        }
    }
}

/// Which stations are still to be announced; see `stations.rs`.
pub(super) enum Announced {
    /// Nothing.
    Nothing,
    /// All stations; they are not known yet.
    All,
    /// None any more, but switches take a moment to learn.
    Learned,
    /// These, but for as many at the beginning.
    Rest(KVVec<Known>, usize),
}

/// A station, and the tags that its frames have on the bond.
#[derive(Clone, Copy)]
pub(super) struct Known {
    pub(super) addr: Mac,
    pub(super) path: Tags,
    /// The tag within those of the path.
    pub(super) inner: Option<Tag>,
}

/// A bond.
///
/// What other kernel code reads (mode, active and primary slave) is kept in the bond's [`BondDev`].
#[pin_data]
pub(crate) struct Bond {
    #[pin]
    pub(crate) options: Options,
    /// What is still to be done.
    pub(super) wake: Wake,
    /// What has been decided lately.
    pub(crate) history: Arc<History>,
    /// The clients, in balance-alb mode.
    pub(crate) clients: Arc<ClientTable>,
    /// The files that show the history and the clients.
    pub(crate) debug_files: RtnlCell<Option<(File<History>, File<ClientTable>)>>,
    /// The load, in balance-tlb and balance-alb mode.
    #[pin]
    pub(super) balancer: Balancer,
    /// The stations that are still to be announced.
    pub(super) stations: RtnlCell<Announced>,
    /// Whether the primary becomes active as soon as it is up, whatever `primary_reselect` says.
    pub(super) force_primary: RtnlCell<bool>,
    /// Counts the packets that left in turn.
    pub(super) turn: PerCpuCounter,
    /// What the slaves have counted since they joined, including those that have left.
    #[pin]
    pub(super) counted: NestedLock<Stats>,
    /// What is still to be announced after a failover.
    pub(super) announcements: RtnlCell<Announcements>,
    /// When slaves are given the bond's address lists again, after there was not enough memory for
    /// all.
    pub(super) lists: RtnlCell<Retry>,
    /// What the ARP monitor keeps.
    pub(super) prober: Prober,
    /// What LACP keeps.
    #[pin]
    pub(super) lacp: BhLock<Lacp>,
    /// The shortage of links that the user was told of last.
    pub(super) told_shortage: RtnlCell<Option<Shortage>>,
    /// How far the backups of an InfiniBand bond have got in asking for paths.
    #[pin]
    pub(super) lookups: BhLock<Lookups>,
    /// Whether somebody has chosen the bond's MTU.
    pub(super) has_chosen_mtu: RtnlCell<bool>,
    // Set while the bond's own code makes a change, which sends the same events as a change by
    // others.
    pub(super) changing_features: Underway,
    pub(super) changing_addrs: Underway,
    pub(super) changing_mtu: Underway,
    /// Set while the bond moves into another partition; its link type stays the same.
    pub(super) changing_partition: Underway,
}

impl Bond {
    pub(super) fn new() -> Result<Pin<KBox<Self>>> {
        KBox::try_pin_init(
            try_pin_init!(Self {
                options <- Options::new(defaults()),
                wake: Wake::new(),
                history: History::new()?,
                clients: ClientTable::new()?,
                debug_files: RtnlCell::new(None),
                balancer <- Balancer::new(),
                stations: RtnlCell::new(Announced::Nothing),
                force_primary: RtnlCell::new(false),
                turn: PerCpuCounter::new()?,
                counted <- new_nested_lock!(Stats::default(), "Bond::counted"),
                announcements: RtnlCell::new(Announcements::default()),
                lists: RtnlCell::new(Retry::Never),
                prober: Prober::new(),
                lacp <- new_bh_lock!(Lacp::new(), "Bond::lacp"),
                told_shortage: RtnlCell::new(None),
                lookups <- new_bh_lock!(Lookups::None, "Bond::lookups"),
                has_chosen_mtu: RtnlCell::new(false),
                changing_features: Underway::new(),
                changing_addrs: Underway::new(),
                changing_mtu: Underway::new(),
                changing_partition: Underway::new(),
            }? Error),
            GFP_KERNEL,
        )
    }

    /// Returns the options.
    #[inline]
    pub(super) fn config(&self, rtnl: &Rtnl) -> Config {
        self.options.get(rtnl)
    }

    /// Replaces the options, wherever they are read.
    pub(super) fn publish(bond: &BondDev, config: Config, rtnl: &Rtnl) {
        bond.data().options.publish(config, rtnl);
        bond.set_mode(rtnl, i32::from(config.mode.number()));
    }

    /// Returns the mode. Any context.
    #[inline(always)]
    pub(super) fn mode(bond: &BondDev) -> Mode {
        Mode::from_published(bond.mode())
    }

    /// Whether what belongs to the traffic (address lists, promiscuous mode, addresses) is where
    /// the traffic is.
    pub(super) fn is_settled(bond: &BondDev, rtnl: &Rtnl) -> bool {
        let (settled, active) = (bond.settled(rtnl), bond.slot(rtnl, Slot::Active));
        !bond.data().config(rtnl).mode.uses_primary()
            || settled.map(core::ptr::from_ref) == active.map(core::ptr::from_ref)
    }

    /// Has a task done as soon as possible. Any context.
    pub(super) fn wake(bond: &BondDev, task: Task) {
        bond.data().wake.set(task, 0);
        bond.run_work();
    }

    /// Has a task done at `due`, in µs, in place of the time that was set for it before. Any
    /// context.
    pub(super) fn wake_at(bond: &BondDev, task: Task, due: Micros) {
        bond.data().wake.set(task, due);
        bond.run_work_at(due);
    }

    /// Like [`Self::wake_at`], with a time in ms, or none.
    pub(super) fn wake_at_ms(bond: &BondDev, task: Task, due: Option<Millis>) {
        let due = bond.data().wake.set_ms(task, due);
        bond.run_work_at(due);
    }
}
