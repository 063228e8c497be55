// SPDX-License-Identifier: GPL-2.0

//! The ARP monitor: sends the probes, and notes the answers. `policy::arp` says what they mean.
//!
//! The work of the bond sends the probes; it takes RTNL only when a link has to change. What slaves
//! receive is noted in softirqs, and good news has the work run once in a round of probes, no
//! matter who sends what.

use super::heard::{Groups, OfClients, Rules, Scope, Watched};
use super::master::{Bond, BondDev, SlaveDev};
use super::message::bond_warn;
use super::slave::{only_hears, Key};
use super::wake::Task;
use core::sync::atomic::AtomicU64;
use core::sync::atomic::Ordering::{Relaxed, SeqCst};
use net::master::device::Slot;
use net::neighbour;
use net::netdevice::NetDevice;
use net::rcu::{self, Rcu};
use net::route::{self, Tags};
use net::rtnl::Rtnl;
use net::skbuff::Received;
use net::sync::{now_us, tick};
use policy::arp::{is_news, Duty, Micros, Monitor, Receiver, Traffic, Trust, Verdict, Watch};
use policy::mode::Probes;
use policy::options::{ArpValidate, NsTargets, Target, MAX_TARGETS};
use policy::wire::arp::Arp;
use policy::wire::ether::{skip_tags, ETH_P_ARP, ETH_P_IPV6};
use policy::wire::ndisc::{solicited_node, Discovery, ALL_NODES};
use policy::{Config, LinkState};

/// The shortest delay of the work, in µs.
const SHORTEST: Micros = 20;

/// What the monitor knows about the traffic of a slave.
pub(super) fn traffic(slave: &SlaveDev, config: &Config) -> Traffic {
    let round = slave.master().data().prober.round.load(Relaxed);
    traffic_since(slave, config, round)
}

/// Like [`traffic`], as it was before the next round, if the last one was at `round`.
fn traffic_since(slave: &SlaveDev, config: &Config, round: Micros) -> Traffic {
    let scope = Scope::of(config);
    slave.data().heard.traffic(&scope, only_hears(slave), round)
}

/// Judges all slaves from now on only: another slave is active and sends the probes that the others
/// hear, or the monitor starts.
pub(super) fn give_all_time(bond: &BondDev, rtnl: &Rtnl) {
    bond.lowers(rtnl)
        .for_each(|slave| slave.data().heard.start());
}

/// Starts or restarts the monitor, if the options ask for it.
pub(super) fn restart(bond: &BondDev, rtnl: &Rtnl) {
    give_all_time(bond, rtnl);
    hurry(bond);
}

/// The bond goes down.
pub(super) fn stop(bond: &BondDev) {
    Bond::wake_at_ms(bond, Task::Probes, None);
    Bond::wake_at_ms(bond, Task::Hurry, None);
}

/// Has the next round sent at once, since a link may work again.
pub(super) fn hurry(bond: &BondDev) {
    Bond::wake(bond, Task::Hurry);
}

/// Follows a change of the monitor's options: updates what is known about the targets, and the
/// groups that backups listen to.
pub(super) fn options_changed(bond: &BondDev, before: &Config, config: &Config, rtnl: &Rtnl) {
    bond.data().prober.told.store(false, Relaxed);
    for slave in bond.lowers(rtnl) {
        let heard = &slave.data().heard;
        let (was, is) = (before.arp_targets.iter(), config.arp_targets.iter());
        reorder(&heard.arp_rx, was, is);
        let (was, is) = (before.ns_targets.iter(), config.ns_targets.iter());
        reorder(&heard.ns_rx, was, is);
        admit_after(bond, slave, &before.ns_targets, rtnl);
    }
}

/// Gives each target the time of its last answer; a new target gets the current time, so that it
/// has time to answer.
fn reorder<A: Target>(
    times: &[AtomicU64; MAX_TARGETS],
    was: impl Iterator<Item = A> + Clone,
    is: impl Iterator<Item = A>,
) {
    let mut before = [0; MAX_TARGETS];
    for (to, from) in before.iter_mut().zip(times) {
        *to = from.load(Relaxed);
    }
    for (time, addr) in times.iter().zip(is) {
        let place = was.clone().position(|it| it == addr);
        let known = place.and_then(|place| before.get(place).copied());
        time.store(known.unwrap_or_else(now_us), Relaxed);
    }
}

/// Has the receive path of a slave do what the options and the slave's role ask for.
pub(super) fn admit(bond: &BondDev, slave: &SlaveDev, rtnl: &Rtnl) {
    admit_after(bond, slave, &bond.data().config(rtnl).ns_targets, rtnl);
}

/// Like [`admit`], if the targets of neighbour solicitations were `was` before.
fn admit_after(bond: &BondDev, slave: &SlaveDev, was: &NsTargets, rtnl: &Rtnl) {
    let config = bond.data().config(rtnl);
    let watch = |hears| match bond.is_running() {
        true => Watch::of(&config, hears),
        false => None,
    };
    let may_hear = match config.mode.row().probes {
        Probes::ByActive => true,
        Probes::ByEach | Probes::Refused => false,
    };
    let heard = &slave.data().heard;
    heard.set_watch(watch(false).zip(watch(may_hear)));
    if config.mode.has_clients() && bond.is_running() {
        heard.watch_clients(OfClients {
            with_ipv6: config.rlb_ipv6,
        });
    }
    // Another kind of packets may count now.
    heard.expect(0);
    let listens = config.arp_validate != ArpValidate::NONE && only_hears(slave);
    let wanted = if listens {
        config.ns_targets
    } else {
        NsTargets::NONE
    };
    listen_to(slave, was, &wanted, rtnl);
}

/// Stops noting what a slave that leaves receives.
pub(super) fn dismiss(slave: &SlaveDev, rtnl: &Rtnl) {
    let heard = &slave.data().heard;
    heard.set_watch(None);
    let was = slave.master().data().config(rtnl).ns_targets;
    listen_to(slave, &was, &NsTargets::NONE, rtnl);
}

/// Has a slave hear the solicitations for the addresses `wanted`; before, it was asked to hear
/// those for `was`. A backup learns from the solicitations of the active slave that its own link
/// works; without this, the backup would not be in their group.
fn listen_to(slave: &SlaveDev, was: &NsTargets, wanted: &NsTargets, rtnl: &Rtnl) {
    const _: () = assert!(MAX_TARGETS <= u16::BITS as usize);
    // The bits of the places, one after the other.
    let bits = || core::iter::successors(Some(1u16), |bit| bit.checked_mul(2));

    let groups = &slave.data().heard.groups;
    let joined = groups.get(rtnl);
    if joined.targets == 0 && wanted.is_empty() {
        return;
    }
    let slave_dev = slave.dev();
    // In another partition of InfiniBand, the groups are different ones.
    let link = slave_dev.broadcast(rtnl);
    let moved = link != joined.link;
    let mine = || {
        was.iter()
            .zip(bits())
            .filter_map(|(addr, bit)| (joined.targets & bit != 0).then_some(addr))
    };
    for addr in mine() {
        if moved || wanted.position(addr).is_none() {
            // The group was joined; if the device has forgotten it, that is just as good.
            let _ = slave_dev.leave_solicited_node(rtnl, addr, &joined.link);
        }
    }
    let listens = |addr| {
        !moved && mine().any(|it| it == addr)
            || slave_dev.join_solicited_node(rtnl, addr, &link).is_ok()
    };
    let targets = wanted
        .iter()
        .zip(bits())
        .filter(|(addr, _)| listens(*addr))
        .fold(0, |targets, (_, bit)| targets | bit);
    groups.set(rtnl, Groups { targets, link });
}

/// Notes a packet that a slave has received. Softirq.
#[cold]
pub(super) fn note(slave: &SlaveDev, watched: Watched, packet: Received<'_>, rcu: &Rcu) {
    let bond = slave.master();
    let watch = watched.get(only_hears(slave));
    if slave.data().heard.ignores_for(watch, packet) {
        return;
    }
    if watch != Watch::Answers {
        note_tick(bond, slave);
        return heard(bond, slave, None);
    }
    if !packet.is_for_us() {
        return;
    }
    let mut buf = [0; 128];
    let bytes = packet.copy(&mut buf);
    let (protocol, at) = skip_tags(packet.protocol(), bytes);
    let bytes = bytes.get(at..).unwrap_or_default();
    let answer = match protocol {
        ETH_P_ARP => arp_answer(bond, slave, bytes, rcu),
        ETH_P_IPV6 => ns_answer(bond, slave, bytes, rcu),
        _ => None,
    };
    if let Some(time) = answer {
        heard(bond, slave, Some(time));
    }
}

/// Has further packets in this tick ignored, if ticks are fine enough.
fn note_tick(bond: &BondDev, slave: &SlaveDev) {
    if bond.data().options.takes_ticks() {
        // Before the clock is read: if news is expected from a later time on, the next packet is
        // looked at.
        slave.data().heard.noted.swap(tick(), SeqCst);
    }
}

/// If this ARP packet shows that the link works, returns where the time of the target is kept.
fn arp_answer<'a>(
    bond: &BondDev,
    slave: &'a SlaveDev,
    packet: &[u8],
    rcu: &Rcu,
) -> Option<&'a AtomicU64> {
    let packet = Arp::parse(packet, bond.link_type(), bond.addr_len())?;
    let rules = bond.data().options.rules();
    let (from, to) = match receiver(bond, slave, &rules, rcu).trusts(packet.is_reply)? {
        Trust::Answer => (packet.sender, packet.target),
        Trust::Probe => (packet.target, packet.sender),
    };
    let place = rules.arp_targets.position(from)?;
    let time = slave.data().heard.arp_rx.get(place)?;
    bond.has_addr(to, rcu).then_some(time)
}

/// Like [`arp_answer`], for neighbour solicitations and advertisements.
fn ns_answer<'a>(
    bond: &BondDev,
    slave: &'a SlaveDev,
    packet: &[u8],
    rcu: &Rcu,
) -> Option<&'a AtomicU64> {
    let packet = Discovery::parse(packet)?;
    let rules = bond.data().options.rules();
    let (from, to) = match receiver(bond, slave, &rules, rcu).trusts(true)? {
        Trust::Answer => (packet.source, packet.destination),
        Trust::Probe => (packet.destination, packet.source),
    };
    // The active slave sends its solicitations to the group of the target.
    let place = rules
        .ns_targets
        .iter()
        .position(|it| it == from || solicited_node(it) == from)?;
    let time = slave.data().heard.ns_rx.get(place)?;
    (to == ALL_NODES || bond.has_addr6(to, rcu)).then_some(time)
}

fn receiver(bond: &BondDev, slave: &SlaveDev, rules: &Rules, rcu: &Rcu) -> Receiver {
    let active_was_heard = bond.slot_rcu(rcu, Slot::Active).map(|active| {
        let heard = &active.data().heard;
        heard.last_rx.load(Relaxed) > heard.since.load(Relaxed)
    });
    let tried_lately = bond.slot_rcu(rcu, Slot::Tried).is_some_and(|tried| {
        let sent = tried.data().heard.last_tx.load(Relaxed);
        rules.monitor.is_some_and(|it| it.is_recent(sent, now_us()))
    });
    Receiver {
        is_active: !only_hears(slave),
        active_was_heard,
        tried_lately,
    }
}

/// Records that a slave was heard, if that is news; `target` is where the time of the target that
/// answered is kept.
fn heard(bond: &BondDev, slave: &SlaveDev, target: Option<&AtomicU64>) {
    let heard = &slave.data().heard;
    let data = bond.data();
    let now = now_us();
    let from = heard.news_from.load(Relaxed);
    let resolution = data.options.resolution();
    let mut noted = false;
    for time in target.into_iter().chain([&heard.last_rx]) {
        if is_news(time.load(Relaxed), from, resolution, now) {
            time.store(now, Relaxed);
            noted = true;
        }
    }
    // Good news need not wait for the next round. News that is only part of what is needed can
    // wait, and so can a link that stays down whatever is heard.
    if noted
        && slave.link() != LinkState::Up as i8
        && !heard.told.load(Relaxed)
        && data.options.rules().scope.last_rx(heard, only_hears(slave)) >= from
        && !heard.told.swap(true, Relaxed)
    {
        Bond::wake(bond, Task::Probes);
    }
}

/// Whether a look at the links would change any of them. Process context, without RTNL.
pub(super) fn finds_change(bond: &BondDev) -> bool {
    let config = bond.data().options.copy();
    let Some(monitor) = config.arp_monitor().filter(|_| bond.is_running()) else {
        return false;
    };
    let rcu = rcu::read_lock();
    let now = now_us();
    let has_active = bond.slot_rcu(&rcu, Slot::Active).is_some();
    if monitor.one_sends() && !has_active {
        return true;
    }
    let mut slaves = bond.lowers_rcu(&rcu);
    slaves.any(|slave| {
        let port = slave.data().copy_port();
        let duty = duty(bond, slave, &monitor, &rcu);
        port.carrier != slave.dev().has_link()
            || port.carrier
                && monitor.verdict(port.link, duty, &traffic(slave, &config), now) != Verdict::Keep
    })
}

fn duty(bond: &BondDev, slave: &SlaveDev, monitor: &Monitor, rcu: &Rcu) -> Duty {
    let active = bond.slot_rcu(rcu, Slot::Active);
    monitor.duty(active.map(Key) == Some(Key(slave)), active.is_some())
}

/// Sends a round of probes if one is due, or an extra one in a `hurry`, and has the work run again
/// when there is something to do next. Only for the work of the bond.
pub(super) fn round(bond: &BondDev, hurry: bool) {
    let data = bond.data();
    let config = data.options.copy();
    let Some(monitor) = config.arp_monitor().filter(|_| bond.is_running()) else {
        return;
    };
    let prober = &data.prober;
    let rcu = rcu::read_lock();
    let one_sends = monitor.one_sends();
    let sender = match bond.slot_rcu(&rcu, Slot::Active).filter(|_| one_sends) {
        Some(active) => Some(active),
        None => bond.slot_rcu(&rcu, Slot::Tried),
    };
    let sends = |slave: &SlaveDev| {
        if one_sends {
            sender.map(Key) == Some(Key(slave))
        } else {
            slave.dev().has_link()
        }
    };
    let searching = one_sends && bond.slot_rcu(&rcu, Slot::Active).is_none();
    let mut last = prober.round.load(Relaxed);
    let is_heard = |since: Micros| {
        bond.lowers_rcu(&rcu)
            .filter(|slave| sends(slave))
            .all(|slave| traffic(slave, &config).last_rx >= since)
    };

    let now = now_us();
    let due = last == 0 || now >= monitor.next_round(last, is_heard(last), searching);
    if hurry && !due {
        // An extra round, which does not count.
        for slave in bond.lowers_rcu(&rcu).filter(|slave| sends(slave)) {
            probe(bond, slave, &config, &rcu);
        }
    }
    if due {
        // What arrives from here on answers this round, or a later one.
        prober.round.store(now, Relaxed);
        for slave in bond.lowers_rcu(&rcu) {
            slave.data().heard.expect(now);
        }
        for slave in bond.lowers_rcu(&rcu) {
            let heard = &slave.data().heard;
            let before = traffic_since(slave, &config, last);
            let sent = sends(slave).then(|| probe(bond, slave, &config, &rcu));
            let after = before.after_round(last, sent);
            heard.unanswered.store(after.unanswered, Relaxed);
            heard.unsent.store(after.unsent, Relaxed);
        }
        last = now;
    }

    let now = now_us();
    let deadlines = bond
        .lowers_rcu(&rcu)
        .filter(|slave| slave.link() == LinkState::Up as i8)
        .map(|slave| monitor.deadline(duty(bond, slave, &monitor, &rcu), &traffic(slave, &config)))
        // A deadline that has passed waits for the next round.
        .filter(|deadline| *deadline > now);
    let next = monitor.next_round(last, is_heard(last), searching);
    let next = deadlines.fold(next, Micros::min);
    let soon = now.saturating_add(SHORTEST);
    Bond::wake_at(bond, Task::Probes, next.max(soon));
}

/// Sends probes to all targets through a slave. Returns whether one was sent.
fn probe(bond: &BondDev, slave: &SlaveDev, config: &Config, rcu: &Rcu) -> bool {
    let mut sent = false;
    for target in config.arp_targets.iter() {
        let via = route::device_to(bond.net(), target, rcu);
        let source = |via: &NetDevice| via.source_addr(target, rcu);
        if let Some((source, tags)) = way(bond, config, target, via, source, rcu) {
            sent |= neighbour::send_arp_request(slave.dev(), target, source, &tags, rcu);
        }
    }
    for target in config.ns_targets.iter() {
        let via = route::device_to6(bond.net(), target, bond, rcu);
        let source = |via: &NetDevice| via.source_addr6(target, rcu);
        if let Some((source, tags)) = way(bond, config, target, via, source, rcu) {
            sent |= neighbour::send_solicitation(slave.dev(), target, source, &tags, rcu);
        }
    }
    if sent {
        slave.data().heard.last_tx.store(now_us(), Relaxed);
    }
    sent
}

/// How a target is reached: the source address, if there is one, and the VLAN tags. None if the
/// route does not lead through the bond. Without a route, a probe is sent all the same: an answer
/// to it counts where answers are not validated.
fn way<A: Target + core::fmt::Display>(
    bond: &BondDev,
    config: &Config,
    target: A,
    via: Option<&NetDevice>,
    source: impl Fn(&NetDevice) -> Option<A>,
    rcu: &Rcu,
) -> Option<(A, Tags)> {
    let Some(via) = via else {
        if config.arp_validate != ArpValidate::NONE {
            warn_of_route(bond, target);
        }
        return Some((A::NONE, Tags::default()));
    };
    let tags = route::path(bond, via, rcu)?;
    Some((source(via).unwrap_or(A::NONE), tags))
}

fn warn_of_route(bond: &BondDev, target: impl core::fmt::Display) {
    if !bond.data().prober.told.swap(true, Relaxed) {
        bond_warn!(
            bond,
            "no route to target {target} and arp_validate is set; add a route through the bond"
        );
    }
}
