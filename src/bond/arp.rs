// SPDX-License-Identifier: GPL-2.0

//! The ARP monitor: sends the probes, notes what answers them. `policy::arp` says what that means.
//!
//! The probes leave from the work of the bond, which a high-resolution timer starts; it takes RTNL
//! only when a link has to change. What slaves receive is noted in softirqs, in atomics: what is no
//! news writes nothing, and good news has the work run once in a round of probes, whoever sends what.

use super::message::netdev_warn;
use super::slave::Key;
use super::wake::Task;
use super::{is_mode, Bond, BondDev, SlaveDev};
use core::num::NonZeroU8;
use core::sync::atomic::Ordering::{Relaxed, Release, SeqCst};
use core::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, AtomicU8, AtomicUsize};
use net::link_type::Broadcast;
use net::neighbour;
use net::netdevice::NetDevice;
use net::published::Slot;
use net::rcu::{self, Rcu};
use net::route::{self, Tags};
use net::rtnl::{Rtnl, RtnlCell};
use net::skbuff::Received;
use net::sync::{now_us, tick, Latch, TICK_US};
use policy::arp::{self, Arp, Discovery, Duty, Micros, Monitor, Receiver, Traffic, Trust, Verdict};
use policy::arp::{Watch, ETH_P_ARP, ETH_P_IPV6};
use policy::options::{ArpTargets, ArpValidate, NsTargets, Target, MAX_TARGETS};
use policy::{Config, Link, LinkState, Mode};

/// The shortest time that the work is put off, in µs.
const SHORTEST: Micros = 20;

/// What the monitor of a bond keeps.
pub(super) struct Prober {
    /// When the last round of probes was sent, in µs; 0 before the first.
    round: AtomicU64,
    /// How fine times of reception have to be, and whether ticks are fine enough, for the receive path.
    resolution: AtomicU64,
    takes_ticks: AtomicBool,
    /// Whether the user was told of a target without a route.
    told: AtomicBool,
    /// What an answer is, for the receive path.
    rules: Latch<Rules>,
}

/// What an answer is.
#[derive(Clone, Copy)]
struct Rules {
    monitor: Option<Monitor>,
    scope: Scope,
    arp_targets: ArpTargets,
    ns_targets: NsTargets,
}

impl Rules {
    fn of(config: &Config) -> Self {
        Self {
            monitor: config.arp_monitor(),
            scope: Scope::of(config),
            arp_targets: config.arp_targets,
            ns_targets: config.ns_targets,
        }
    }
}

/// Who has to answer.
#[derive(Clone, Copy)]
struct Scope {
    validate: ArpValidate,
    all_targets: bool,
    arp_targets: usize,
    ns_targets: usize,
}

impl Scope {
    fn of(config: &Config) -> Self {
        Self {
            validate: config.arp_validate,
            all_targets: config.arp_all_targets,
            arp_targets: config.arp_targets.len(),
            ns_targets: config.ns_targets.len(),
        }
    }

    /// When a slave was last heard; where all targets must answer, the one that has been silent for longest.
    fn last_rx(&self, slave: &SlaveDev) -> Micros {
        let heard = &slave.data().heard;
        let last_rx = heard.last_rx.load(Relaxed);
        if !self.all_targets || !self.validate.validates(only_hears(slave)) {
            return last_rx;
        }
        let arp = heard.arp_rx.iter().take(self.arp_targets);
        let ns = heard.ns_rx.iter().take(self.ns_targets);
        Iterator::chain(arp, ns)
            .map(|it| it.load(Relaxed))
            .min()
            .unwrap_or(last_rx)
    }
}

impl Prober {
    pub(super) fn new(config: Config) -> Self {
        Self {
            round: AtomicU64::new(0),
            resolution: AtomicU64::new(resolution(&config)),
            takes_ticks: AtomicBool::new(takes_ticks(&config)),
            told: AtomicBool::new(false),
            rules: Latch::new(Rules::of(&config)),
        }
    }
}

fn resolution(config: &Config) -> Micros {
    config.arp_monitor().map_or(0, |it| it.resolution())
}

fn takes_ticks(config: &Config) -> bool {
    config
        .arp_monitor()
        .is_some_and(|it| it.takes_ticks_of(TICK_US))
}

/// What the monitor keeps of a slave. All times are in µs.
pub(super) struct Heard {
    /// What the monitor looks at: two bits ([`Watch`]) while the slave sends probes, and two while it hears those
    /// of another.
    watch: AtomicU8,
    /// The tick in which something was noted last, if there is nothing more to note in that; or [`NO_TICK`].
    noted: AtomicUsize,
    /// From when on what is heard is news; see [`Heard::expect`].
    news_from: AtomicU64,
    /// Whether the work was told of news since then.
    told: AtomicBool,
    last_rx: AtomicU64,
    last_tx: AtomicU64,
    since: AtomicU64,
    unanswered: AtomicU32,
    unsent: AtomicU32,
    /// When each target answered last, in the order of the options.
    arp_rx: [AtomicU64; MAX_TARGETS],
    ns_rx: [AtomicU64; MAX_TARGETS],
    groups: RtnlCell<Groups>,
}

/// The solicited-node groups that a slave listens to as a backup.
#[derive(Clone, Copy)]
struct Groups {
    /// Those of these targets: a bit for each place in the option.
    targets: u16,
    /// The broadcast address that the link had when they were joined.
    link: Broadcast,
}

/// What is looked at, not all of it nothing: the bits of [`Heard::watch`].
#[derive(Clone, Copy)]
pub(super) struct Watched(NonZeroU8);

impl Watched {
    /// What is looked at while the slave hears the probes of another, or sends its own.
    #[inline(always)]
    fn get(self, hears: bool) -> Watch {
        let bits = self.0.get();
        Watch::from_bits(if hears { bits >> 2 } else { bits })
    }
}

/// No tick, but for one in many million years.
const NO_TICK: usize = usize::MAX;

impl Heard {
    pub(super) fn new() -> Self {
        Self {
            watch: AtomicU8::new(0),
            noted: AtomicUsize::new(NO_TICK),
            news_from: AtomicU64::new(0),
            told: AtomicBool::new(false),
            last_rx: AtomicU64::new(0),
            last_tx: AtomicU64::new(0),
            since: AtomicU64::new(0),
            unanswered: AtomicU32::new(0),
            unsent: AtomicU32::new(0),
            arp_rx: [const { AtomicU64::new(0) }; MAX_TARGETS],
            ns_rx: [const { AtomicU64::new(0) }; MAX_TARGETS],
            groups: RtnlCell::new(Groups {
                targets: 0,
                link: Broadcast::NONE,
            }),
        }
    }

    /// What of the packets that the slave receives is looked at: see [`Heard::ignores`]. For every packet.
    #[inline(always)]
    pub(super) fn watched(&self) -> Option<Watched> {
        NonZeroU8::new(self.watch.load(Relaxed)).map(Watched)
    }

    /// Whether a packet need not be looked at, on a slave that is no backup: it is of no kind that counts, or one
    /// was noted a moment ago. For every packet.
    #[inline(always)]
    pub(super) fn ignores(&self, watched: Watched, packet: Received<'_>) -> bool {
        self.ignores_for(watched.get(false), packet)
    }

    #[inline(always)]
    fn ignores_for(&self, watch: Watch, packet: Received<'_>) -> bool {
        let next_header = || packet.byte_in_place(Discovery::NEXT_HEADER);
        watch != Watch::Answers && self.noted.load(Relaxed) == tick()
            || !watch.wants(packet.protocol(), next_header)
    }

    fn set_watch(&self, sending: Watch, hearing: Watch) {
        self.watch
            .store(sending as u8 | (hearing as u8) << 2, Relaxed);
    }

    /// What is heard at this time or later is news: it is noted, and told to the work once.
    fn expect(&self, from: Micros) {
        self.news_from.fetch_max(from, Relaxed);
        self.told.store(false, Relaxed);
        // Last: who receives a packet after this reads what was stored before.
        self.noted.store(NO_TICK, Release);
    }

    /// Judges the slave from now on only.
    fn start(&self) {
        let now = now_us();
        self.since.store(now, Relaxed);
        self.unanswered.store(0, Relaxed);
        self.unsent.store(0, Relaxed);
        self.expect(now);
    }
}

/// A slave's link is in another state, which it leaves when it is heard, if it is not up.
pub(super) fn link_changed(slave: &SlaveDev, link: Link) {
    let heard = &slave.data().heard;
    heard.expect(arp::heard_from(link, heard.since.load(Relaxed)));
}

/// Whether a slave hears the probes of another. Where all slaves are used each sends its own, and has to hear the
/// answers to be used again. Any context.
fn only_hears(slave: &SlaveDev) -> bool {
    slave.is_backup() && is_mode(slave.master(), Mode::ActiveBackup)
}

/// What the monitor knows of the traffic of a slave.
pub(super) fn traffic(slave: &SlaveDev, config: &Config) -> Traffic {
    let round = slave.master().data().prober().round.load(Relaxed);
    traffic_since(slave, config, round)
}

/// The same as it was before the next round, where the last one was at `round`.
fn traffic_since(slave: &SlaveDev, config: &Config, round: Micros) -> Traffic {
    let heard = &slave.data().heard;
    let traffic = Traffic {
        last_rx: Scope::of(config).last_rx(slave),
        since: heard.since.load(Relaxed),
        unanswered: heard.unanswered.load(Relaxed),
        unsent: heard.unsent.load(Relaxed),
    };
    traffic.answered(round)
}

/// A slave has joined, or is being tried.
pub(super) fn give_time(slave: &SlaveDev) {
    slave.data().heard.start();
}

/// All slaves are judged from now on: another one is active and sends the probes that the others
/// hear, or the monitor begins.
pub(super) fn give_all_time(dev: &BondDev, rtnl: &Rtnl) {
    dev.lowers(rtnl).for_each(give_time);
}

/// Starts the monitor, or starts it again, if the options want it.
pub(super) fn restart(dev: &BondDev, rtnl: &Rtnl) {
    give_all_time(dev, rtnl);
    hurry(dev);
}

/// The bond goes down.
pub(super) fn stop(dev: &BondDev) {
    Bond::wake_at_ms(dev, Task::Probes, None);
    Bond::wake_at_ms(dev, Task::Hurry, None);
}

/// Has the next round sent at once, since a link may work again.
pub(super) fn hurry(dev: &BondDev) {
    Bond::wake(dev, Task::Hurry);
}

/// Takes over the options of the monitor: for the receive path, and for the groups that backups
/// listen to.
pub(super) fn options_changed(dev: &BondDev, before: &Config, config: &Config, rtnl: &Rtnl) {
    let bond = dev.data();
    let prober = bond.prober();
    prober.resolution.store(resolution(config), Relaxed);
    prober.takes_ticks.store(takes_ticks(config), Relaxed);
    prober.rules.set(Rules::of(config), rtnl);
    prober.told.store(false, Relaxed);
    for slave in dev.lowers(rtnl) {
        let heard = &slave.data().heard;
        let (was, is) = (before.arp_targets.iter(), config.arp_targets.iter());
        reorder(&heard.arp_rx, was, is);
        let (was, is) = (before.ns_targets.iter(), config.ns_targets.iter());
        reorder(&heard.ns_rx, was, is);
        admit_after(dev, slave, &before.ns_targets, rtnl);
    }
}

/// Gives each target the time at which it answered last; one that is new is given time.
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
pub(super) fn admit(dev: &BondDev, slave: &SlaveDev, rtnl: &Rtnl) {
    admit_after(dev, slave, &dev.data().config().ns_targets, rtnl);
}

/// As [`admit`], where the targets of neighbour solicitations were `was`.
fn admit_after(dev: &BondDev, slave: &SlaveDev, was: &NsTargets, rtnl: &Rtnl) {
    let config = dev.data().config();
    let watch = |hears| match dev.is_running() {
        true => Watch::of(&config, hears),
        false => Watch::Nothing,
    };
    let may_hear = config.mode == Mode::ActiveBackup;
    let heard = &slave.data().heard;
    heard.set_watch(watch(false), watch(may_hear));
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

/// Has nothing of a slave that leaves noted any more.
pub(super) fn dismiss(slave: &SlaveDev, rtnl: &Rtnl) {
    let heard = &slave.data().heard;
    heard.set_watch(Watch::Nothing, Watch::Nothing);
    let was = slave.master().data().config().ns_targets;
    listen_to(slave, &was, &NsTargets::NONE, rtnl);
}

/// Has a slave hear the solicitations for these addresses, where it was asked for others before: a backup
/// learns from those of the active slave that its link works, and is not in their group otherwise.
fn listen_to(slave: &SlaveDev, was: &NsTargets, wanted: &NsTargets, rtnl: &Rtnl) {
    const _: () = assert!(MAX_TARGETS <= u16::BITS as usize);
    // Those of the places, one after the other.
    let bits = || core::iter::successors(Some(1u16), |bit| bit.checked_mul(2));

    let groups = &slave.data().heard.groups;
    let joined = groups.get(rtnl);
    if joined.targets == 0 && wanted.is_empty() {
        return;
    }
    let device = slave.dev();
    // In another partition of InfiniBand they are other groups.
    let link = device.broadcast(rtnl);
    let moved = link != joined.link;
    let mine = || {
        was.iter()
            .zip(bits())
            .filter_map(|(addr, bit)| (joined.targets & bit != 0).then_some(addr))
    };
    for addr in mine() {
        if moved || wanted.position(addr).is_none() {
            // It was joined; a device that has forgotten it is as good.
            let _ = device.leave_solicited_node(rtnl, addr, &joined.link);
        }
    }
    let listens = |addr| {
        !moved && mine().any(|it| it == addr)
            || device.join_solicited_node(rtnl, addr, &link).is_ok()
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
    let dev = slave.master();
    let watch = watched.get(only_hears(slave));
    if slave.data().heard.ignores_for(watch, packet) {
        return;
    }
    if watch != Watch::Answers {
        note_tick(dev, slave);
        return heard(dev, slave, None);
    }
    if !packet.is_for_us() {
        return;
    }
    let mut buf = [0; 128];
    let bytes = packet.copy(&mut buf);
    let (protocol, at) = arp::skip_tags(packet.protocol(), bytes);
    let bytes = bytes.get(at..).unwrap_or_default();
    let answer = match protocol {
        ETH_P_ARP => arp_answer(dev, slave, bytes, rcu),
        ETH_P_IPV6 => ns_answer(dev, slave, bytes, rcu),
        _ => None,
    };
    if let Some(time) = answer {
        heard(dev, slave, Some(time));
    }
}

/// Has the packets that come in this tick ignored from now on, if ticks are fine enough.
fn note_tick(dev: &BondDev, slave: &SlaveDev) {
    if dev.data().prober().takes_ticks.load(Relaxed) {
        // Before the clock is read: whoever expects news later than that has the next packet looked at.
        slave.data().heard.noted.swap(tick(), SeqCst);
    }
}

/// If this ARP packet shows that the link works, returns where the time of the target is kept.
fn arp_answer<'a>(
    dev: &BondDev,
    slave: &'a SlaveDev,
    packet: &[u8],
    rcu: &Rcu,
) -> Option<&'a AtomicU64> {
    let packet = Arp::parse(packet, dev.link_type(), dev.addr_len())?;
    let rules = dev.data().prober().rules.get();
    let (from, to) = match receiver(dev, slave, &rules, rcu).trusts(packet.is_reply)? {
        Trust::Answer => (packet.sender, packet.target),
        Trust::Probe => (packet.target, packet.sender),
    };
    let place = rules.arp_targets.position(from)?;
    let time = slave.data().heard.arp_rx.get(place)?;
    dev.has_addr(to, rcu).then_some(time)
}

/// As [`arp_answer`], for neighbour solicitations and advertisements.
fn ns_answer<'a>(
    dev: &BondDev,
    slave: &'a SlaveDev,
    packet: &[u8],
    rcu: &Rcu,
) -> Option<&'a AtomicU64> {
    let packet = Discovery::parse(packet)?;
    let rules = dev.data().prober().rules.get();
    let (from, to) = match receiver(dev, slave, &rules, rcu).trusts(true)? {
        Trust::Answer => (packet.source, packet.destination),
        Trust::Probe => (packet.destination, packet.source),
    };
    // What the active slave sends goes to the group of the target.
    let place = rules
        .ns_targets
        .iter()
        .position(|it| it == from || arp::solicited_node(it) == from)?;
    let time = slave.data().heard.ns_rx.get(place)?;
    (to == arp::ALL_NODES || dev.has_addr6(to, rcu)).then_some(time)
}

fn receiver(dev: &BondDev, slave: &SlaveDev, rules: &Rules, rcu: &Rcu) -> Receiver {
    let active_was_heard = dev.slot_rcu(rcu, Slot::Active).map(|active| {
        let heard = &active.data().heard;
        heard.last_rx.load(Relaxed) > heard.since.load(Relaxed)
    });
    let tried_lately = dev.slot_rcu(rcu, Slot::Tried).is_some_and(|tried| {
        let sent = tried.data().heard.last_tx.load(Relaxed);
        rules.monitor.is_some_and(|it| it.is_recent(sent, now_us()))
    });
    Receiver {
        is_active: !only_hears(slave),
        active_was_heard,
        tried_lately,
    }
}

/// Notes that a slave was heard, if that is news; `target` is where the time of the target that answered is kept.
fn heard(dev: &BondDev, slave: &SlaveDev, target: Option<&AtomicU64>) {
    let heard = &slave.data().heard;
    let bond = dev.data();
    let prober = bond.prober();
    let now = now_us();
    let from = heard.news_from.load(Relaxed);
    let resolution = prober.resolution.load(Relaxed);
    let mut is_news = false;
    for time in target.into_iter().chain([&heard.last_rx]) {
        if arp::is_news(time.load(Relaxed), from, resolution, now) {
            time.store(now, Relaxed);
            is_news = true;
        }
    }
    // Good news need not wait for the next round. What is only a part of it can, and so can a link that stays
    // down whatever is heard.
    if is_news
        && slave.link() != LinkState::Up as i8
        && !heard.told.load(Relaxed)
        && prober.rules.get().scope.last_rx(slave) >= from
        && !heard.told.swap(true, Relaxed)
    {
        Bond::wake(dev, Task::Probes);
    }
}

/// Whether a look at the links would change any of them. Process context, without RTNL.
pub(super) fn finds_change(dev: &BondDev) -> bool {
    let config = dev.data().config();
    let Some(monitor) = config.arp_monitor().filter(|_| dev.is_running()) else {
        return false;
    };
    let rcu = rcu::read_lock();
    let now = now_us();
    let has_active = dev.slot_rcu(&rcu, Slot::Active).is_some();
    if monitor.one_sends() && !has_active {
        return true;
    }
    let mut slaves = dev.lowers_rcu(&rcu);
    slaves.any(|slave| {
        let port = slave.data().port();
        let duty = duty(dev, slave, &monitor, &rcu);
        port.carrier != slave.dev().has_link()
            || port.carrier
                && monitor.verdict(port.link, duty, &traffic(slave, &config), now) != Verdict::Keep
    })
}

fn duty(dev: &BondDev, slave: &SlaveDev, monitor: &Monitor, rcu: &Rcu) -> Duty {
    let active = dev.slot_rcu(rcu, Slot::Active);
    monitor.duty(active.map(Key) == Some(Key(slave)), active.is_some())
}

/// Sends a round of probes if one is due, or in a `hurry` one more, and has the work come back when there is
/// something to do next. Only for the work of the bond.
pub(super) fn round(dev: &BondDev, hurry: bool) {
    let bond = dev.data();
    let config = bond.config();
    let Some(monitor) = config.arp_monitor().filter(|_| dev.is_running()) else {
        return;
    };
    let prober = bond.prober();
    let rcu = rcu::read_lock();
    let one_sends = monitor.one_sends();
    let sender = match dev.slot_rcu(&rcu, Slot::Active).filter(|_| one_sends) {
        Some(active) => Some(active),
        None => dev.slot_rcu(&rcu, Slot::Tried),
    };
    let sends = |slave: &SlaveDev| {
        if one_sends {
            sender.map(Key) == Some(Key(slave))
        } else {
            slave.dev().has_link()
        }
    };
    let searching = one_sends && dev.slot_rcu(&rcu, Slot::Active).is_none();
    let mut last = prober.round.load(Relaxed);
    let is_heard = |since: Micros| {
        dev.lowers_rcu(&rcu)
            .filter(|slave| sends(slave))
            .all(|slave| traffic(slave, &config).last_rx >= since)
    };

    let now = now_us();
    let due = last == 0 || now >= monitor.next_round(last, is_heard(last), searching);
    if hurry && !due {
        // One more, which does not count.
        for slave in dev.lowers_rcu(&rcu).filter(|slave| sends(slave)) {
            probe(dev, slave, &config, &rcu);
        }
    }
    if due {
        // What comes from here on answers this round, or a later one.
        prober.round.store(now, Relaxed);
        for slave in dev.lowers_rcu(&rcu) {
            slave.data().heard.expect(now);
        }
        for slave in dev.lowers_rcu(&rcu) {
            let heard = &slave.data().heard;
            let before = traffic_since(slave, &config, last);
            let sent = sends(slave).then(|| probe(dev, slave, &config, &rcu));
            let after = before.after_round(last, sent);
            heard.unanswered.store(after.unanswered, Relaxed);
            heard.unsent.store(after.unsent, Relaxed);
        }
        last = now;
    }

    let now = now_us();
    let deadlines = dev
        .lowers_rcu(&rcu)
        .filter(|slave| slave.link() == LinkState::Up as i8)
        .map(|slave| monitor.deadline(duty(dev, slave, &monitor, &rcu), &traffic(slave, &config)))
        // One that has passed waits for the next round.
        .filter(|deadline| *deadline > now);
    let next = monitor.next_round(last, is_heard(last), searching);
    let next = deadlines.fold(next, Micros::min);
    let soon = now.saturating_add(SHORTEST);
    Bond::wake_at(dev, Task::Probes, next.max(soon));
}

/// Sends probes to all targets through a slave. Returns whether one was sent.
fn probe(dev: &BondDev, slave: &SlaveDev, config: &Config, rcu: &Rcu) -> bool {
    let mut sent = false;
    for target in config.arp_targets.iter() {
        let via = route::device_to(dev.net(), target, rcu);
        let source = |via: &NetDevice| via.source_addr(target, rcu);
        if let Some((source, tags)) = way(dev, config, target, via, source, rcu) {
            sent |= neighbour::send_arp_request(slave.dev(), target, source, &tags, rcu);
        }
    }
    for target in config.ns_targets.iter() {
        let via = route::device_to6(dev.net(), target, dev, rcu);
        let source = |via: &NetDevice| via.source_addr6(target, rcu);
        if let Some((source, tags)) = way(dev, config, target, via, source, rcu) {
            sent |= neighbour::send_solicitation(slave.dev(), target, source, &tags, rcu);
        }
    }
    if sent {
        slave.data().heard.last_tx.store(now_us(), Relaxed);
    }
    sent
}

/// How a target is reached: the source address, if there is one, and the VLAN tags. None if the way
/// does not lead through the bond. Without a route a probe is sent all the same: an answer to it
/// counts where answers are not looked into.
fn way<A: Target + core::fmt::Display>(
    dev: &BondDev,
    config: &Config,
    target: A,
    via: Option<&NetDevice>,
    source: impl Fn(&NetDevice) -> Option<A>,
    rcu: &Rcu,
) -> Option<(A, Tags)> {
    let Some(via) = via else {
        if config.arp_validate != ArpValidate::NONE {
            warn_of_route(dev, target);
        }
        return Some((A::NONE, Tags::default()));
    };
    let tags = route::path(dev, via, rcu)?;
    Some((source(via).unwrap_or(A::NONE), tags))
}

fn warn_of_route(dev: &BondDev, target: impl core::fmt::Display) {
    if !dev.data().prober().told.swap(true, Relaxed) {
        netdev_warn!(
            dev,
            "no route to target {} and arp_validate is set; add a route through the bond",
            super::Text(target)
        );
    }
}
