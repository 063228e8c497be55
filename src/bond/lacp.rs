// SPDX-License-Identifier: GPL-2.0

//! LACP: hands what happens to `policy::lacp`, sends the LACPDUs that follow, and publishes which
//! slaves carry data. `Documentation/lacp.md` has the design.
//!
//! A PDU arrives in a softirq, where RTNL cannot be taken. So the system and its ports have locks of
//! their own, and everything that a PDU calls for and that cannot wait is done under these locks:
//! the roles of the slaves, and the LACPDUs. The LACPDUs are sent while the lock is held, so that
//! they leave in the order in which they were made. The rest is left to the work
//! ([`Task::Aggregate`]).

use super::choose;
use super::links::{read_link_settings, role};
use super::listeners::tell;
use super::lists;
use super::master::{Bond, BondDev, Lacp, SlaveDev};
use super::message::{bond_warn, slave_info, slave_warn};
use super::slave::{Key, Reported};
use super::wake::Task;
use core::sync::atomic::{AtomicBool, Ordering};
use kernel::time::delay::fsleep;
use kernel::time::Delta;
use net::netdev_lock::Held;
use net::netdevice::ARPHRD_ETHER;
use net::rcu::{self, Rcu};
use net::rtnl::{Rtnl, RtnlOnly};
use net::skbuff::Received;
use net::sync::{now_ms, ratelimit};
use policy::history::What;
use policy::lacp::{
    Aggregator, Counters, Port, PortFacts, Ports, Reason, Report, Settings, Shortage,
};
use policy::receive::SlaveFlags;
use policy::wire::ether::ETH_P_SLOW;
use policy::wire::slow::{PortInfo, Slow, SystemId, FRAME_LEN, PDU_LEN, SLOW_PROTOCOLS};
use policy::{LinkState, Millis};

/// The ports of a bond, while the lock of its system is held.
struct Members<'a> {
    bond: &'a BondDev,
    rcu: &'a Rcu,
}

impl<'a> Ports for Members<'a> {
    type Key = Key<'a>;

    fn keys(&self) -> impl Iterator<Item = Key<'a>> + Clone {
        self.bond.lowers_rcu(self.rcu).map(Key)
    }

    fn get(&self, key: Key<'a>) -> Port {
        key.0.data().lacp.with(|it| it.port)
    }

    fn set(&self, key: Key<'a>, port: Port) {
        key.0.data().lacp.with(|it| it.port = port);
    }
}

/// Whether LACP decides which slaves are in use. Any context.
pub(crate) fn runs(bond: &BondDev) -> bool {
    Bond::mode(bond).runs_lacp()
}

/// Runs a function with the system and its ports, and does what follows and cannot wait. Any
/// context but hard interrupts.
fn input<'a, R>(
    bond: &'a BondDev,
    rcu: &'a Rcu,
    run: impl FnOnce(&mut Lacp, &Members<'a>, Millis) -> R,
) -> R {
    let ports = Members { bond, rcu };
    bond.data().lacp.with(|lacp| {
        // Read under the lock, so that the time never goes back.
        let now = now_ms();
        let res = run(lacp, &ports, now);
        follow(lacp, &ports, now);
        res
    })
}

/// Does what follows from an input and cannot wait.
fn follow(lacp: &mut Lacp, ports: &Members<'_>, now: Millis) {
    let bond = ports.bond;
    // Whether there is something to tell, and whether the table of choices is wrong.
    let (mut is_new, mut stops) = (false, false);
    for key in ports.keys() {
        let (Key(slave), port) = (key, ports.get(key));
        if port.number == 0 {
            // The slave has not joined yet, or leaves.
            continue;
        }
        let does = lacp.system.flags(&port);
        // A slave has a share of the hashes from when it first carries data.
        let keeps_share = slave.data().has_share() && lacp.system.keeps_share(&port);
        if slave.data().set_has_share(does.distributing || keeps_share) {
            // The places of all others have changed.
            (is_new, stops) = (true, true);
        }
        let flags = SlaveFlags::of_port(does, lacp.all_active);
        let (was, is) = (slave.role(), role(flags));
        if was != is {
            slave.set_role(is);
            is_new = true;
            stops |= is.backup && !was.backup;
        }
        let report = lacp.system.report(ports, &port);
        let before = |it: &mut super::slave::LacpPort| core::mem::replace(&mut it.report, report);
        is_new |= slave.data().lacp.with(before) != report;
    }
    if stops {
        bond.empty_choices();
    }
    let carrier = lacp.system.carrier(ports);
    is_new |= core::mem::replace(&mut lacp.carrier, carrier) != carrier;
    let shortage = lacp.system.lasting_shortage(ports);
    is_new |= core::mem::replace(&mut lacp.shortage, shortage) != shortage;
    for key in ports.keys() {
        while let Some(pdu) = lacp.system.transmit(ports, key, now) {
            if !send(key.0, |source| pdu.frame(source)) {
                lacp.system.not_sent(ports, key);
                break;
            }
        }
    }
    Bond::wake_at_ms(bond, Task::Lacp, lacp.system.due(ports));
    if is_new {
        Bond::wake_at_ms(bond, Task::Aggregate, Some(now.max(lacp.may_aggregate)));
    }
}

/// Sends a frame through a slave, from the slave's own address. Returns whether the slave has taken
/// the frame.
fn send(slave: &SlaveDev, frame: impl FnOnce([u8; 6]) -> [u8; FRAME_LEN]) -> bool {
    match slave.data().perm_addr().as_bytes().try_into() {
        Ok(source) => slave.dev().send_control(&frame(source)),
        // Not Ethernet: there is nothing to be tried again.
        Err(_) => true,
    }
}

/// How soon [`Task::Aggregate`] may follow itself, in ms: a partner that changes its mind with each
/// PDU shall not keep RTNL busy.
const AGGREGATE_GAP: Millis = 20;

/// [`Task::Aggregate`] begins. Process context.
pub(super) fn aggregates(bond: &BondDev) {
    bond.data().lacp.with(|lacp| {
        lacp.may_aggregate = now_ms().saturating_add(AGGREGATE_GAP);
    });
}

/// What is known of a slave apart from the protocol. While a link is down, many drivers do not tell
/// its speed: what they told last counts.
fn facts(slave: &SlaveDev, rtnl: &Rtnl) -> PortFacts {
    let port = slave.data().port(rtnl);
    let (speed, duplex) = match (port.speed, slave.dev().has_link()) {
        (None, false) => {
            let before = slave.data().lacp.with(|it| it.port.facts);
            (before.speed, before.duplex)
        }
        _ => (port.speed, port.duplex),
    };
    PortFacts {
        link: match port.link.state() {
            LinkState::Up | LinkState::Fail => true,
            LinkState::Down | LinkState::Back => false,
        },
        speed,
        duplex,
        priority: slave.data().actor_port_prio(),
    }
}

/// How long to wait before a driver that does not tell the speed of a link is asked again, in ms.
const ASK_AGAIN: Millis = 1000;

/// Whether a slave has a link whose speed its driver does not tell, or not yet.
fn lacks_speed(slave: &SlaveDev, rtnl: &Rtnl) -> bool {
    slave.dev().has_link() && slave.data().port(rtnl).speed.is_none()
}

/// Asks the drivers for the speeds that are not known: some report a carrier first.
pub(super) fn ask_for_speeds(bond: &BondDev, rtnl: &RtnlOnly) {
    if !runs(bond) || !bond.is_running() {
        return;
    }
    for slave in bond.lowers(rtnl) {
        if lacks_speed(slave, rtnl) {
            read_link_settings(slave, &slave.dev().ask(rtnl), rtnl);
        }
    }
    refresh(bond, rtnl);
}

/// Whether the machine is about to stop. To LACP, all bonds are down then.
static STOPPED: AtomicBool = AtomicBool::new(false);

/// The machine stops. The caller [refreshes](refresh) each bond then.
pub(super) fn stop() {
    STOPPED.store(true, Ordering::Relaxed);
}

fn settings(bond: &BondDev, rtnl: &Rtnl) -> Settings {
    let addr = bond.addr(rtnl).first_chunk().copied().unwrap_or_default();
    bond.data()
        .config(rtnl)
        .lacp(addr, bond.is_running() && !STOPPED.load(Ordering::Relaxed))
}

/// Tells LACP what the options, the bond and its slaves are now. May be called at any time under
/// RTNL; does nothing if LACP knows all of that.
pub(super) fn refresh(bond: &BondDev, rtnl: &Rtnl) {
    if !runs(bond) {
        return;
    }
    // Not those that have not joined yet, or are leaving.
    let takes_part = |slave: &&SlaveDev| slave.data().lacp.with(|it| it.port.number != 0);
    for slave in bond.lowers(rtnl).filter(takes_part) {
        lists::hear_slow_protocols(bond, slave, bond.is_running(), rtnl);
    }
    if bond.is_running() && bond.lowers(rtnl).any(|slave| lacks_speed(slave, rtnl)) {
        let due = now_ms().saturating_add(ASK_AGAIN);
        Bond::wake_at_ms(bond, Task::Speed, Some(due));
    }
    let settings = settings(bond, rtnl);
    let all_active = bond.data().config(rtnl).all_slaves_active;
    let rcu = rcu::read_lock();
    input(bond, &rcu, |lacp, ports, now| {
        lacp.all_active = all_active;
        if *lacp.system.settings() != settings {
            lacp.system.set(ports, settings, now);
        }
        for key in ports.keys() {
            lacp.system.set_port(ports, key, facts(key.0, rtnl), now);
        }
    });
}

/// A slave joins.
pub(super) fn join(bond: &BondDev, slave: &SlaveDev, rtnl: &Rtnl) {
    if !runs(bond) {
        return;
    }
    refresh(bond, rtnl);
    // First, so that the slave hears the answer.
    lists::hear_slow_protocols(bond, slave, bond.is_running(), rtnl);
    let rcu = rcu::read_lock();
    input(bond, &rcu, |lacp, ports, now| {
        let facts = facts(slave, rtnl);
        lacp.system.join(ports, Key(slave), facts, now);
    });
}

/// How long a slave that leaves waits for its partner, in ms. The in-tree driver takes up to 100 ms
/// to stop. RTNL is held meanwhile.
const DRAIN: Millis = 150;

/// A slave is about to leave: has its partner stop first, so that nothing is lost in either
/// direction. Sleeps, for a bounded time.
pub(super) fn drain(bond: &BondDev, slave: &SlaveDev, rtnl: &RtnlOnly) {
    if !runs(bond) {
        return;
    }
    let is_sent_data = || slave.data().lacp.with(|it| it.port.is_sent_data());
    if !bond.is_running() || !is_sent_data() {
        return;
    }
    slave.data().set_has_share(false);
    let rcu = rcu::read_lock();
    input(bond, &rcu, |lacp, ports, now| {
        lacp.system.drain(ports, Key(slave), now);
    });
    drop(rcu);
    choose::update(bond, None, rtnl);
    // Hardware that distributes the packets itself has to stop now, too.
    let held = Held::none(rtnl);
    for slave in bond.lowers(rtnl) {
        report(bond, slave, &held);
    }
    let end = now_ms().saturating_add(DRAIN);
    while is_sent_data() && slave.dev().has_link() && now_ms() < end {
        fsleep(Delta::from_millis(1));
    }
}

/// A slave leaves: its partner is told.
pub(super) fn leave(bond: &BondDev, slave: &SlaveDev, rtnl: &Rtnl) {
    if !runs(bond) {
        return;
    }
    let rcu = rcu::read_lock();
    input(bond, &rcu, |lacp, ports, now| {
        if let Some(pdu) = lacp.system.leave(ports, Key(slave), now) {
            send(slave, |source| pdu.frame(source));
        }
        let counters = ports.get(Key(slave)).counters;
        lacp.gone = lacp.gone.plus(&counters);
    });
    drop(rcu);
    lists::hear_slow_protocols(bond, slave, false, rtnl);
}

/// A deadline has come. Process context, without RTNL.
pub(super) fn run(bond: &BondDev) {
    let rcu = rcu::read_lock();
    input(bond, &rcu, |lacp, ports, now| lacp.system.run(ports, now));
}

/// Handles a packet that a slave has received, if the packet is for LACP. Returns whether it was.
/// Softirq.
#[cold]
pub(super) fn receive(slave: &SlaveDev, packet: Received<'_>, rcu: &Rcu) -> bool {
    let is_slow = packet.protocol() == ETH_P_SLOW && !packet.has_vlan();
    let is_ethernet = slave.dev().link_type() == ARPHRD_ETHER;
    if !is_slow || !is_ethernet || packet.ether_dest() != SLOW_PROTOCOLS {
        return false;
    }
    let mut buf = [0; PDU_LEN];
    let pdu = Slow::parse(packet.copy(&mut buf));
    let (bond, key) = (slave.master(), Key(slave));
    match pdu {
        Slow::Lacpdu(pdu) => {
            let is_looped = input(bond, rcu, |lacp, ports, now| {
                lacp.system.receive(ports, key, &pdu, now)
            });
            if is_looped && ratelimit() {
                let reason = Reason::Looped;
                slave_warn!(bond, slave.dev(), "{reason}");
            }
        }
        Slow::Marker(marker) => {
            let is_answered = input(bond, rcu, |lacp, ports, now| {
                lacp.system.receive_marker(ports, key, now)
            });
            if is_answered {
                send(slave, |source| marker.response(source));
            }
        }
        Slow::MarkerResponse(_) | Slow::IllegalLacpdu | Slow::IllegalMarker | Slow::Other => {
            // Under the lock of the system, too: its machines copy the whole port.
            bond.data()
                .lacp
                .with(|_| slave.data().lacp.with(|it| it.port.counters.note(&pdu)));
        }
    }
    // Other slow protocols are for somebody else.
    pdu != Slow::Other
}

/// Whether the bond has carrier. Any context but hard interrupts.
pub(super) fn carrier(bond: &BondDev) -> bool {
    bond.data().lacp.with(|lacp| lacp.carrier)
}

/// Tells listeners and the user what has become of a slave. Returns whether the slave carries data,
/// and did not before.
pub(super) fn report(bond: &BondDev, slave: &SlaveDev, held: &Held<'_>) -> bool {
    let now = Reported {
        report: slave.data().lacp.with(|it| it.report),
        is_backup: slave.is_backup(),
    };
    let before = slave.data().reported.replace(held, now);
    if slave.data().told_backup.get(held) != now.is_backup {
        tell(bond, slave, held);
    }
    if before.report != now.report {
        let what = match now.report {
            Report::Unsettled => None,
            Report::InUse(aggregator) => Some(What::InUse(aggregator)),
            Report::Alone => Some(What::Alone),
            Report::Unused(reason) => Some(What::Unused(reason)),
        };
        if let Some(what) = what {
            bond.data().history.note(bond, Some(slave.dev()), what);
        }
        match now.report {
            Report::Unused(reason) if ratelimit() => {
                slave_warn!(bond, slave.dev(), "carries no traffic: {reason}");
            }
            Report::Alone if ratelimit() => {
                slave_info!(bond, slave.dev(), "carries traffic without an LACP partner");
            }
            _ => {}
        }
    }
    before.is_backup && !now.is_backup
}

/// Tells the user that the bond has no carrier, although slaves carry data.
pub(super) fn report_shortage(bond: &BondDev, rtnl: &Rtnl) {
    let now = bond.data().lacp.with(|lacp| lacp.shortage);
    let before = bond.data().told_shortage.replace(rtnl, now);
    if let Some(shortage) = now.filter(|now| before != Some(*now)) {
        bond.data().history.note(bond, None, What::Short(shortage));
        if ratelimit() {
            bond_warn!(bond, "no carrier: {shortage}");
        }
    }
}

/// What users may see of a port.
pub(crate) struct PortView {
    pub(crate) port: Port,
    /// What the port says of itself.
    pub(crate) actor: PortInfo,
    /// Why it carries no data.
    pub(crate) reason: Option<Reason>,
}

/// Returns what users may see of a port, in 802.3ad mode. Process context.
pub(crate) fn port(slave: &SlaveDev, rcu: &Rcu) -> Option<PortView> {
    let bond = slave.master();
    let ports = Members { bond, rcu };
    let view = || {
        bond.data().lacp.with(|lacp| {
            let port = ports.get(Key(slave));
            PortView {
                port,
                actor: port.actor(lacp.system.settings(), lacp.system.active()),
                reason: lacp.system.reason(&ports, &port),
            }
        })
    };
    runs(bond).then(view)
}

/// What users may see of a system.
pub(crate) struct SystemView {
    pub(crate) system: SystemId,
    /// The aggregator in use.
    pub(crate) active: Option<Aggregator>,
    /// Whether the bond has no carrier for `min_links` alone.
    pub(crate) shortage: Option<Shortage>,
}

/// Returns what users may see of a system, in 802.3ad mode. Process context.
pub(crate) fn system(bond: &BondDev, rcu: &Rcu) -> Option<SystemView> {
    let ports = Members { bond, rcu };
    let view = || {
        bond.data().lacp.with(|lacp| SystemView {
            system: lacp.system.settings().system,
            active: lacp.system.aggregator(&ports, lacp.system.active()),
            shortage: lacp.system.shortage(&ports),
        })
    };
    runs(bond).then(view)
}

/// Returns what a slave, or all slaves that the bond ever had, received and sent, in 802.3ad mode.
/// Process context.
pub(crate) fn counters(bond: &BondDev, slave: Option<&SlaveDev>, rcu: &Rcu) -> Option<Counters> {
    let ports = Members { bond, rcu };
    let of_all = || {
        bond.data().lacp.with(|lacp| {
            let present = ports.keys().map(|key| ports.get(key));
            let present = present.filter(|port| port.number != 0);
            present.fold(lacp.gone, |sum, port| sum.plus(&port.counters))
        })
    };
    runs(bond).then(|| match slave {
        Some(slave) => slave.data().lacp.with(|it| it.port.counters),
        None => of_all(),
    })
}
