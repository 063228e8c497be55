// SPDX-License-Identifier: GPL-2.0

//! The clients of a balance-alb bond: which slave each neighbour sends to is decided by
//! `policy::clients`. What the bond says in ARP, and with `rlb_ipv6` in neighbour discovery, is
//! changed on its way out; what clients say is read on its way in.
//!
//! While a slave has no link, the active slave receives for its address, until all clients had time
//! to learn another one.

use super::client_table::ClientTable;
use super::learning;
use super::links::can_send;
use super::master::{Bond, BondDev, SlaveDev};
use super::slave::{id, Adopted};
use super::wake::Task;
use core::net::IpAddr;
use kernel::prelude::*;
use net::master::device::Slot;
use net::rcu::{self, Rcu};
use net::rtnl::{Rtnl, RtnlOnly};
use net::skbuff::{Received, SkBuff};
use net::sync::now_ms;
use policy::clients::{Client, Clients, Heard, Member, Notice, Pair, CLIENTS};
use policy::wire::arp::{EtherArp, Operation};
use policy::wire::ether::{ETH_P_8021Q, ETH_P_ARP, ETH_P_IPV6};
use policy::wire::frame::{is_group, Mac, Tag};
use policy::wire::ndisc::Neighbour;
use policy::Millis;

fn table(bond: &BondDev) -> &ClientTable {
    &bond.data().get_ref().clients
}

/// Runs a function with the clients, and has those told that have to be.
fn with<R>(bond: &BondDev, run: impl FnOnce(&mut Clients<'_>) -> R) -> R {
    // Under the lock, so that two callers record both in the same order.
    let (res, due) = table(bond).state.with(|state| {
        let mut clients = Clients(&mut state.clients);
        let res = run(&mut clients);
        let due = bond.data().wake.set_ms(Task::Clients, clients.due());
        (res, due)
    });
    bond.run_work_at(due);
    res
}

/// Whether the neighbours of a bond send to one of its slaves each. Any context.
fn has_clients(bond: &BondDev) -> bool {
    Bond::mode(bond).has_clients()
}

/// Makes room for the clients. May sleep.
pub(super) fn reserve(bond: &BondDev, _rtnl: &Rtnl) -> Result {
    let table = table(bond);
    if !has_clients(bond) || table.state.with(|state| !state.clients.is_empty()) {
        return Ok(());
    }
    let mut clients = KVVec::with_capacity(CLIENTS, GFP_KERNEL)?;
    for _ in 0..CLIENTS {
        clients
            .push_within_capacity(Client::default())
            .map_err(|_| ENOMEM)?;
    }
    table.state.with(|state| state.clients = clients);
    Ok(())
}

/// The slaves that clients may send to. One that leaves has given up its share.
fn members<'a>(bond: &'a BondDev, rcu: &'a Rcu) -> impl Iterator<Item = Member> + Clone + 'a {
    let sharers = bond.lowers_rcu(rcu);
    let sharers = sharers.filter(|slave| slave.data().has_share());
    sharers.map(|slave| Member {
        id: id(slave),
        addr: slave.dev().ether_addr(),
        speed: slave.data().speed(),
        can_send: can_send(slave),
    })
}

fn active_member(bond: &BondDev, rcu: &Rcu) -> Option<Member> {
    let active = bond.slot_rcu(rcu, Slot::Active).map(id);
    members(bond, rcu).find(|it| Some(it.id) == active)
}

/// Whether a hardware address is that of the bond or of a slave.
fn is_own(bond: &BondDev, addr: Mac, rcu: &Rcu) -> bool {
    addr == bond.ether_addr()
        || bond
            .lowers_rcu(rcu)
            .any(|slave| slave.dev().ether_addr() == addr)
}

/// A message of ARP or neighbour discovery on its way out.
struct Message {
    /// Our address, and that of the client.
    ours: IpAddr,
    theirs: IpAddr,
    /// The hardware address of ours that it tells, and where.
    addr: Mac,
    at: usize,
    /// Whether it is for the client alone, or read by it alone.
    is_for_one: bool,
    /// Whether it asks for the address of the client.
    asks: bool,
    discovery: Option<(Neighbour, usize)>,
}

impl Message {
    fn arp(skb: &SkBuff, to: &Mac) -> Option<Self> {
        let header = skb.view().network_offset();
        let mut buf = [0; EtherArp::LEN];
        let arp = EtherArp::parse(skb.view().copy(header, &mut buf))?;
        Some(Message {
            ours: arp.sender.into(),
            theirs: arp.target.into(),
            addr: arp.sender_addr,
            at: header.checked_add(EtherArp::SENDER_ADDR)?,
            is_for_one: !is_group(to),
            asks: arp.operation == Operation::Request,
            discovery: None,
        })
    }

    fn discovery(skb: &SkBuff, to: &Mac) -> Option<Self> {
        let header = skb.view().network_offset();
        let mut buf = [0; Neighbour::LEN];
        let message = Neighbour::parse(skb.view().copy(header, &mut buf))?;
        let (addr, at) = message.addr?;
        let (ours, theirs, is_for_one) = match message.is_advertisement {
            true => (message.target, message.destination, !is_group(to)),
            // Only the target, and those whose addresses end like its, read a solicitation.
            false => (message.source, message.target, true),
        };
        Some(Message {
            ours: ours.into(),
            theirs: theirs.into(),
            addr,
            at: header.checked_add(at)?,
            is_for_one,
            asks: !message.is_advertisement,
            discovery: Some((message, header)),
        })
    }

    /// Has the message tell another address. Returns false if there is no memory for that.
    fn tell(&self, skb: &mut SkBuff, addr: Mac) -> bool {
        if addr == self.addr {
            return true;
        }
        if let Some((message, header)) = &self.discovery {
            let checksum = message.checksum_with(self.addr, addr);
            let at = header.saturating_add(Neighbour::CHECKSUM);
            if !skb.overwrite(at, &checksum) {
                return false;
            }
        }
        skb.overwrite(self.at, &addr)
    }
}

/// Where a message of ARP or neighbour discovery goes.
pub(super) enum Route<'a> {
    /// Through this slave, from the address of the slave.
    Slave(&'a SlaveDev),
    /// Through the active slave, from the address of the bond.
    Active,
    /// There is no memory for it.
    Nowhere,
}

/// Has an ARP message, or one of neighbour discovery, tell its client the slave to send to. Bottom
/// halves off.
pub(super) fn route<'a>(bond: &'a BondDev, skb: &mut SkBuff, rcu: &'a Rcu) -> Route<'a> {
    let view = skb.view();
    let Some(to) = view.bytes::<6>(0) else {
        return Route::Active;
    };
    let message = match view.protocol() {
        ETH_P_ARP => Message::arp(skb, &to),
        ETH_P_IPV6 => Message::discovery(skb, &to),
        _ => None,
    };
    let Some(message) = message.filter(|it| !it.ours.is_unspecified()) else {
        return Route::Active;
    };
    // A client is told in the VLAN that it is in, by its id alone.
    if view.has_service_tag() {
        return Route::Active;
    }
    // What others send through the bond, by way of a bridge, says nothing about the bond.
    if !is_own(bond, message.addr, rcu) || bond.net().is_bridge_addr(message.ours, rcu) {
        return Route::Active;
    }
    let (now, vid) = (now_ms(), view.vlan_tag() & 0x0fff);
    let (ours, theirs) = (message.ours, message.theirs);
    if !message.is_for_one || ours == theirs {
        let asked = message.asks.then_some(theirs);
        with(bond, |clients| {
            clients.broadcasts((ours, vid), message.addr, asked, members(bond, rcu), now);
        });
        return Route::Active;
    }
    let pair = Pair { ours, theirs, vid };
    let addr = (!is_group(&to)).then_some(to);
    let fallback = active_member(bond, rcu);
    let (member, forgotten) = with(bond, |clients| {
        clients.tells(&pair, addr, (members(bond, rcu), fallback), now)
    });
    if let Some(notice) = forgotten {
        send(bond, &notice, rcu);
    }
    let slave = |id| bond.lowers_rcu(rcu).find(|it| self::id(it) == id);
    match member.and_then(|it| Some((slave(it.id)?, it.addr))) {
        Some((slave, addr)) if message.tell(skb, addr) => Route::Slave(slave),
        Some(_) => Route::Nowhere,
        None => Route::Active,
    }
}

/// Sends a notice to a client.
fn send(bond: &BondDev, notice: &Notice, rcu: &Rcu) {
    let Notice { pair, addr, slave } = *notice;
    let Some(through) = bond.lowers_rcu(rcu).find(|it| id(it) == slave.id) else {
        return;
    };
    let tag = (pair.vid != 0).then_some(Tag {
        proto: ETH_P_8021Q,
        vid: pair.vid,
    });
    let frame = match (pair.ours, pair.theirs) {
        (IpAddr::V4(sender), IpAddr::V4(target)) => EtherArp {
            operation: Operation::Request,
            sender_addr: slave.addr,
            sender,
            target_addr: [0; 6],
            target,
        }
        .frame(addr, tag.into_iter()),
        (IpAddr::V6(source), IpAddr::V6(target)) => {
            Neighbour::question((slave.addr, source), (addr, target), tag.into_iter())
        }
        _ => return,
    };
    through.dev().send_control(frame.as_bytes());
}

/// How many clients are told at a time, and how soon the next ones follow, in ms.
const BURST: usize = 32;
const GAP: Millis = 1;

/// Tells clients whose time has come. Process context, without RTNL.
pub(super) fn run(bond: &BondDev) {
    let rcu = rcu::read_lock();
    for _ in 0..BURST {
        let now = now_ms();
        let next = |clients: &mut Clients<'_>| clients.next_notice(members(bond, &rcu), now);
        let Some(notice) = with(bond, next) else {
            return;
        };
        send(bond, &notice, &rcu);
    }
    Bond::wake_at_ms(bond, Task::Clients, Some(now_ms().saturating_add(GAP)));
}

/// Reads a message of ARP or neighbour discovery that a slave has received. Softirq.
#[cold]
pub(super) fn hear(slave: &SlaveDev, packet: Received<'_>, rcu: &Rcu) {
    let bond = slave.master();
    let vid = packet.vid();
    let found = match packet.protocol() {
        ETH_P_ARP => {
            let mut buf = [0; EtherArp::LEN];
            EtherArp::parse(packet.copy(&mut buf)).map(|arp| {
                let answers = (arp.operation == Operation::Reply).then_some(arp.target_addr);
                let pair = (IpAddr::from(arp.target), IpAddr::from(arp.sender));
                (pair, arp.sender_addr, answers)
            })
        }
        ETH_P_IPV6 => {
            let mut buf = [0; Neighbour::LEN];
            Neighbour::parse(packet.copy(&mut buf)).and_then(|it| {
                let told = it.addr.map(|(addr, _)| addr);
                Some(match it.is_advertisement {
                    // An answer need not tell the address that it comes from (RFC 4861, 7.2.4).
                    true => (
                        (it.destination.into(), it.target.into()),
                        told.unwrap_or(packet.ether_source()),
                        Some(packet.ether_dest()),
                    ),
                    false => ((it.target.into(), it.source.into()), told?, None),
                })
            })
        }
        _ => None,
    };
    let Some(((ours, theirs), addr, answers)) = found else {
        return;
    };
    if packet.has_service_tag() || theirs.is_unspecified() || is_group(&addr) {
        return;
    }
    // A frame of ours that has come back.
    if is_own(bond, addr, rcu) {
        return;
    }
    let pair = Pair { ours, theirs, vid };
    let heard = Heard { addr, answers };
    with(bond, |clients| {
        if clients.serves(theirs) {
            clients.is_not_ours(theirs, vid);
        }
        clients.heard(&pair, heard, members(bond, rcu), now_ms());
    });
}

/// Makes a frame that was sent to the address of a slave without link one for this host, if this slave
/// is in use; and a frame for a bridge on the bond one for the address of
/// the bond, which is the only one that the bridge knows. Softirq.
pub(super) fn take(
    slave: &SlaveDev,
    packet: Received<'_>,
    is_in_use: impl FnOnce() -> bool,
    rcu: &Rcu,
) {
    let bond = slave.master();
    if packet.is_for_others() && is_in_use() {
        let to = packet.ether_dest();
        let is_its = |lost: &SlaveDev| !can_send(lost) && lost.dev().ether_addr() == to;
        if bond.lowers_rcu(rcu).any(is_its) {
            packet.accept();
        }
    }
    if packet.is_for_host() && bond.is_bridge_port() {
        // Without memory, the bridge sends the frame to all its ports.
        packet.set_ether_dest(&bond.ether_addr());
    }
}

/// Slaves have come, gone, or got another link or address. May be called at any time under RTNL.
pub(super) fn refresh(bond: &BondDev, rtnl: &Rtnl) {
    if !has_clients(bond) {
        return;
    }
    rename(bond, rtnl);
    let rcu = rcu::read_lock();
    with(bond, |clients| {
        clients.members_changed(members(bond, &rcu), now_ms());
    });
    drop(rcu);
    if bond.is_running() {
        Bond::wake(bond, Task::Adopt);
    }
}

/// A slave may have another name.
pub(super) fn rename(bond: &BondDev, rtnl: &Rtnl) {
    if !has_clients(bond) {
        return;
    }
    let count = bond.lower_count() as usize;
    // Without memory, the file shows no names.
    let mut names = KVec::with_capacity(count, GFP_KERNEL).unwrap_or(KVec::new());
    for slave in bond.lowers(rtnl) {
        let _ = names.push_within_capacity((id(slave), slave.dev().name()));
    }
    let before = table(bond)
        .state
        .with(|state| core::mem::replace(&mut state.names, names));
    drop(before);
}

/// A VLAN of the bond is gone.
pub(super) fn vlan_gone(bond: &BondDev, vid: u16) {
    if has_clients(bond) {
        with(bond, |clients| clients.vlan_gone(vid));
    }
}

/// How long the active slave receives for a slave without link, in ms.
const ADOPTION: Millis = 10_000;

/// Has the active slave receive for the slaves that have no link, and no longer for others. May
/// sleep.
pub(super) fn adopt(bond: &BondDev, rtnl: &RtnlOnly) {
    let now = now_ms();
    let active = bond.slot(rtnl, Slot::Active);
    let active = active.filter(|_| has_clients(bond) && bond.is_running());
    let mut next: Option<Millis> = None;
    for slave in bond.lowers(rtnl) {
        let (adopted, addr) = (&slave.data().adopted, slave.dev().ether_addr());
        let lost = active.filter(|active| {
            !can_send(slave) && slave.data().has_share() && id(active) != id(slave)
        });
        let before = adopted.get(rtnl);
        let stays = before
            .is_some_and(|it| lost.is_some_and(|active| id(active) == it.by && addr == it.addr));
        if !stays {
            give_up(bond, slave, rtnl);
            let taken = lost.filter(|active| active.dev().join_unicast(rtnl, &addr).is_ok());
            let until = now.saturating_add(ADOPTION);
            let by = taken.map(|active| Adopted {
                by: id(active),
                addr,
                until,
            });
            adopted.set(rtnl, by);
            if let Some(active) = taken {
                let rcu = rcu::read_lock();
                learning::teach(bond, active, addr, false, &rcu);
            }
        }
        match adopted.get(rtnl) {
            Some(it) if it.until <= now => {
                // Stays recorded, so that the address is not adopted again.
                if let Some(by) = bond.lowers(rtnl).find(|slave| id(slave) == it.by) {
                    by.dev().leave_unicast(rtnl, &it.addr);
                }
                let until = Millis::MAX;
                adopted.set(rtnl, Some(Adopted { until, ..it }));
            }
            Some(it) if it.until != Millis::MAX => {
                next = Some(next.map_or(it.until, |next| next.min(it.until)));
            }
            _ => {}
        }
    }
    Bond::wake_at_ms(bond, Task::Adopt, next);
}

/// No slave receives for this one any more.
fn give_up(bond: &BondDev, slave: &SlaveDev, rtnl: &Rtnl) {
    let before = slave.data().adopted.replace(rtnl, None);
    let Some(before) = before.filter(|it| it.until != Millis::MAX) else {
        return;
    };
    if let Some(by) = bond.lowers(rtnl).find(|slave| id(slave) == before.by) {
        by.dev().leave_unicast(rtnl, &before.addr);
    }
}

/// A slave is about to leave: it receives for no other slave any more, nor does one for it.
pub(super) fn leave(bond: &BondDev, slave: &SlaveDev, rtnl: &Rtnl) {
    for other in bond.lowers(rtnl) {
        let by = other.data().adopted.get(rtnl).map(|it| it.by);
        if id(other) == id(slave) || by == Some(id(slave)) {
            give_up(bond, other, rtnl);
        }
    }
    refresh(bond, rtnl);
}

/// The bond goes down: it forgets its clients.
pub(super) fn stop(bond: &BondDev, rtnl: &Rtnl) {
    for slave in bond.lowers(rtnl) {
        give_up(bond, slave, rtnl);
    }
    table(bond).state.with(|state| {
        for client in &mut state.clients {
            *client = Client::default();
        }
    });
    Bond::wake_at_ms(bond, Task::Clients, None);
    Bond::wake_at_ms(bond, Task::Adopt, None);
}
