// SPDX-License-Identifier: GPL-2.0

//! The hardware addresses of a bond and of its slaves.

use super::master::{Bond, BondDev, SlaveDev};
use super::message::{bond_err, slave_err};
use super::slave::{Before, Departure, Key};
use super::{clients, learning, notify};
use kernel::prelude::*;
use net::dev_addr::AddrAssign;
use net::errno::{eaddrnotavail, eopnotsupp};
use net::master::device::Slot;
use net::netdev_lock::Held;
use net::netdevice::{NetDevice, ARPHRD_ETHER};
use net::notifier::Announce;
use net::rtnl::{Rtnl, RtnlOnly};
use policy::address::{self, Act, AtEnslave, AtRelease, Claim, Holder, HwAddr, Plan, Step, Who};
use policy::Config;

/// Returns the hardware address of a device.
pub(super) fn addr_of(bond: &NetDevice, rtnl: &Rtnl) -> HwAddr {
    HwAddr::new(&bond.addr(rtnl)).unwrap_or(HwAddr::EMPTY)
}

/// Returns what the policy needs to know about a slave.
fn holder<'a>(slave: &'a SlaveDev, rtnl: &Rtnl) -> Holder<Key<'a>> {
    Holder {
        key: Key(slave),
        addr: addr_of(slave.dev(), rtnl),
        own: *slave.data().perm_addr(),
    }
}

/// Returns what the policy needs to know about all slaves.
fn holders<'a>(
    bond: &'a BondDev,
    rtnl: &'a Rtnl,
) -> impl Iterator<Item = Holder<Key<'a>>> + Clone + 'a {
    bond.lowers(rtnl).map(move |slave| holder(slave, rtnl))
}

/// Makes a random Ethernet address that neither the bond nor any of its slaves has.
pub(super) fn fresh(bond: &BondDev, rtnl: &Rtnl) -> HwAddr {
    let bond_addr = addr_of(bond, rtnl);
    loop {
        let addr = random_addr();
        if address::is_free(addr, bond_addr, holders(bond, rtnl)) {
            return addr;
        }
    }
}

/// Returns what becomes of the address of a device that joins; `bond` is the address that the bond
/// will have.
pub(super) fn at_enslave(
    bond: &BondDev,
    config: &Config,
    addr: HwAddr,
    bond_addr: HwAddr,
    rtnl: &Rtnl,
) -> AtEnslave {
    address::at_enslave(config, addr, bond_addr, holders(bond, rtnl))
}

/// Returns what becomes of the address of a device that joins, once the device is open.
pub(super) fn once_open(
    bond: &BondDev,
    config: &Config,
    addr: HwAddr,
    bond_addr: HwAddr,
    rtnl: &Rtnl,
) -> Option<AtEnslave> {
    address::once_open(config, addr, bond_addr, holders(bond, rtnl))
}

/// Changes the address that a device shows and sends from, without its driver: the hardware receives
/// for the same addresses as before.
pub(super) fn show_addr(slave_dev: &NetDevice, addr: &HwAddr, rtnl: &Rtnl) {
    slave_dev.assign_addr(rtnl, addr.as_bytes());
    let _ = slave_dev.announce(rtnl, Announce::CHANGE_ADDR);
}

/// A random Ethernet address: unicast and locally administered (`eth_random_addr()`).
fn random_addr() -> HwAddr {
    let [a, b, c, d] = net::sync::random_u32().to_ne_bytes();
    let [e, f, ..] = net::sync::random_u32().to_ne_bytes();
    HwAddr::new(&[(a & 0xfe) | 0x02, b, c, d, e, f]).unwrap_or(HwAddr::EMPTY)
}

/// Sets the address of the bond and of all its slaves, or changes none of them
/// (`ndo_set_mac_address`).
pub(super) fn set_addr(bond: &BondDev, addr: &[u8], rtnl: &RtnlOnly) -> Result {
    if bond.link_type() != ARPHRD_ETHER {
        bond_err!(
            bond,
            "Cannot set the hardware address: it is that of the active slave, because its slaves \
             cannot change theirs"
        );
        return Err(eopnotsupp());
    }
    let config = bond.data().config(rtnl);
    let has_own_addrs = config.mode.has_own_addresses();
    if !has_own_addrs && !address::sets_slaves(&config) {
        return Ok(());
    }
    if !is_valid_ether(addr) {
        return Err(eaddrnotavail());
    }
    if has_own_addrs {
        return set_own_addr(bond, addr, &config, rtnl);
    }
    set_all(bond, addr, rtnl)?;
    bond.assign_addr(rtnl, addr);
    Ok(())
}

/// Sets the address of all slaves, or of none.
fn set_all(bond: &BondDev, addr: &[u8], rtnl: &RtnlOnly) -> Result {
    // A slave may have been given an address other than the bond's.
    let set = |slave: &SlaveDev| {
        let before = &slave.data().before;
        let addr_before = addr_of(slave.dev(), rtnl);
        before.set(
            rtnl,
            Before {
                addr: addr_before,
                ..before.get(rtnl)
            },
        );
        slave.dev().set_addr(rtnl, addr, None)
    };
    let undo =
        |slave: &SlaveDev| restore(bond, slave.dev(), &slave.data().before.get(rtnl).addr, rtnl);
    bond.all_or_none(rtnl, set, undo)
}

/// Sets the address of a bond whose slaves have addresses of their own: the active slave gets it.
fn set_own_addr(bond: &BondDev, addr: &[u8], config: &Config, rtnl: &RtnlOnly) -> Result {
    let to = HwAddr::new(addr).unwrap_or(HwAddr::EMPTY);
    let active = bond.slot(rtnl, Slot::Active);
    let changing = &bond.data().get_ref().changing_addrs;
    changing.during(rtnl, || -> Result {
        if config.mode.has_clients() {
            let fresh = fresh(bond, rtnl);
            let taker = active.map(|slave| holder(slave, rtnl));
            let plan = address::at_set(taker, to, holders(bond, rtnl), fresh);
            carry_out(bond, &plan, &Held::none(rtnl));
            // What another slave has refused is no reason for the bond to keep its address.
            let has_taken = active.is_none_or(|slave| addr_of(slave.dev(), rtnl) == to);
            return has_taken.then_some(()).ok_or(EBUSY);
        }
        // The hardware of all slaves receives for the bond, so all have to take the address. Then
        // those that are not active show their own ones again.
        let before = active.map(|slave| addr_of(slave.dev(), rtnl));
        set_all(bond, addr, rtnl)?;
        for slave in bond.lowers(rtnl) {
            if active.map(Key) == Some(Key(slave)) {
                continue;
            }
            let own = match slave.data().before.get(rtnl).addr {
                own if own == to => before.unwrap_or(own),
                own => own,
            };
            set(bond, slave, Act::Part, &own, rtnl);
        }
        Ok(())
    })?;
    bond.assign_addr(rtnl, addr);
    learning::restart(bond, rtnl);
    clients::refresh(bond, rtnl);
    Ok(())
}

/// Gives the bond the address of another device (`SIOCBONDSETHWADDR`). If the bond has slaves, this
/// is as if the user set the address: otherwise the slaves could not receive for the bond.
pub(crate) fn copy_addr(bond: &BondDev, from: &NetDevice, rtnl: &RtnlOnly) -> Result {
    let addr = addr_of(from, rtnl);
    let has_slaves = bond.lowers(rtnl).next().is_some();
    if has_slaves && addr.as_bytes().len() == addr_of(bond, rtnl).as_bytes().len() {
        return bond.set_addr(rtnl, addr.as_bytes(), None);
    }
    steal_addr(bond, from, rtnl)
}

/// Gives the bond the address of another device, for example of its first slave.
pub(super) fn steal_addr(bond: &BondDev, from: &NetDevice, rtnl: &Rtnl) -> Result {
    let addr = addr_of(from, rtnl);
    if addr.as_bytes().len() != addr_of(bond, rtnl).as_bytes().len() {
        slave_err!(
            bond,
            from,
            "its hardware address is of another length than that of the bond; take another device"
        );
        return Err(EINVAL);
    }
    bond.steal_addr(rtnl, addr.as_bytes())
}

/// Restores an address that the device had before it joined; logs an error if that fails.
///
/// In balance-tlb mode the hardware may have the address of the bond, while the device shows its own.
/// The core would find that there is nothing to do, so the device shows first what the hardware has.
pub(super) fn restore_own(bond: &BondDev, slave_dev: &NetDevice, addr: &HwAddr, rtnl: &RtnlOnly) {
    show_hardware(bond, slave_dev, rtnl);
    restore(bond, slave_dev, addr, rtnl);
}

fn show_hardware(bond: &BondDev, slave_dev: &NetDevice, rtnl: &Rtnl) {
    if may_show(bond, Act::Part) && slave_dev.addr_len() == bond.addr_len() {
        slave_dev.assign_addr(rtnl, &bond.addr(rtnl));
    }
}

/// Restores an address that the device had a moment ago; logs an error if that fails.
pub(super) fn restore(bond: &BondDev, slave_dev: &NetDevice, addr: &HwAddr, rtnl: &RtnlOnly) {
    if let Err(err) = slave_dev.set_addr(rtnl, addr.as_bytes(), None) {
        say_restore(bond, slave_dev, err, addr);
    }
}

fn say_restore(bond: &BondDev, slave_dev: &NetDevice, err: Error, addr: &HwAddr) {
    let errno = err.to_errno();
    slave_err!(
        bond,
        slave_dev,
        "Error {errno} setting its address back to {addr}"
    );
}

/// Changes the addresses as `fail_over_mac` asks for after a change of the active slave.
///
/// Where the addresses of slaves move, no instance lock may be held.
pub(super) fn fail_over(bond: &BondDev, new: Option<&SlaveDev>, held: &Held<'_>) {
    let rtnl: &Rtnl = held;
    let config = bond.data().config(rtnl);
    let fresh = fresh(bond, rtnl);
    let plan = |leaver| {
        let (new, bond_addr) = (new.map(|slave| holder(slave, rtnl)), addr_of(bond, rtnl));
        address::at_failover(&config, new, bond_addr, holders(bond, rtnl), leaver, fresh)
    };
    let leaver = bond
        .lowers(rtnl)
        .find(|slave| slave.data().takes_addr.get(rtnl))
        .map(Key);
    if !carry_out(bond, &plan(leaver), held) && leaver.is_some() {
        // Fall back to what happens if the slave stays.
        carry_out(bond, &plan(None), held);
    }
    if let Some(rtnl) = held.rtnl_only() {
        part(bond, &config, rtnl);
    }
}

/// Gives slaves that share an address different ones, where each slave has to have its own.
fn part(bond: &BondDev, config: &Config, rtnl: &RtnlOnly) {
    let active = bond.slot(rtnl, Slot::Active).map(Key);
    for slave in bond.lowers(rtnl) {
        let (holder, bond_addr) = (holder(slave, rtnl), addr_of(bond, rtnl));
        let fresh = fresh(bond, rtnl);
        let to = address::apart(
            config,
            holder,
            active,
            bond_addr,
            holders(bond, rtnl),
            fresh,
        );
        if let Some(to) = to {
            set(bond, slave, Act::Part, &to, rtnl);
        }
    }
}

/// Whether the bond gives up its address if that is the own address of a slave that leaves.
pub(super) fn claim(bond: &BondDev, why: Departure, slave_dev: &NetDevice, rtnl: &Rtnl) -> Claim {
    let disappears = why == Departure::Unregistered && !slave_dev.is_registered(rtnl)
        || address::keeps_address(&bond.data().config(rtnl));
    match why {
        Departure::BondGoes => Claim::Ends,
        _ if disappears || bond.addr_assign(rtnl) == AddrAssign::Set => Claim::Kept,
        _ => Claim::Borrowed,
    }
}

/// Says what becomes of the addresses now that a slave has left.
pub(super) fn at_release<'a>(
    bond: &'a BondDev,
    slave: &'a SlaveDev,
    claim: Claim,
    rtnl: &'a RtnlOnly,
) -> AtRelease<Key<'a>> {
    let config = bond.data().config(rtnl);
    part(bond, &config, rtnl);
    let active = bond.slot(rtnl, Slot::Active).map(Key);
    let (bond_addr, fresh) = (addr_of(bond, rtnl), fresh(bond, rtnl));
    let leaver = holder(slave, rtnl);
    address::at_release(
        &config,
        leaver,
        active,
        (bond_addr, claim),
        holders(bond, rtnl),
        fresh,
    )
}

/// Carries out the changes of addresses; tells the neighbours if they changed the address of the
/// bond.
pub(super) fn release(bond: &BondDev, plan: &Plan<Key<'_>>, rtnl: &RtnlOnly) {
    let before = addr_of(bond, rtnl);
    carry_out(bond, plan, &Held::none(rtnl));
    part(bond, &bond.data().config(rtnl), rtnl);
    if addr_of(bond, rtnl) != before {
        tell(bond, rtnl);
    }
    learning::restart(bond, rtnl);
    clients::refresh(bond, rtnl);
}

/// Has the bond take an address that its active slave was given, where the two addresses are meant
/// to be the same. The slave's instance lock may be held.
pub(super) fn slave_changed(bond: &BondDev, slave: &SlaveDev, rtnl: &Rtnl) {
    let (addr, bond_addr) = (addr_of(slave.dev(), rtnl), addr_of(bond, rtnl));
    // While the bond itself is changing addresses, its own address does not follow.
    let is_active = bond.settled(rtnl).map(Key) == Some(Key(slave))
        && Bond::is_settled(bond, rtnl)
        && !bond.data().changing_addrs.is(rtnl);
    if !is_active || !address::slave_changed(&bond.data().config(rtnl), addr, bond_addr) {
        return;
    }
    match bond.steal_addr(rtnl, addr.as_bytes()) {
        Ok(()) => tell(bond, rtnl),
        Err(err) => say(bond, slave.dev(), err, "setting bond MAC from slave"),
    }
}

/// Announces that the bond has another address, though the same slave is active.
fn tell(bond: &BondDev, rtnl: &Rtnl) {
    let _ = bond.announce(rtnl, Announce::BONDING_FAILOVER);
    notify::after_change(bond, bond.slot(rtnl, Slot::Active).is_some(), rtnl);
    notify::step(bond, rtnl);
}

/// Carries out a plan, and logs what was refused. Returns whether everything went as planned.
fn carry_out(bond: &BondDev, plan: &Plan<Key<'_>>, held: &Held<'_>) -> bool {
    let rtnl: &Rtnl = held;
    let set_one = |step: &Step<Key<'_>>| match step.who {
        // Where an instance lock is held, no plan has such a step.
        Who::Slave(Key(slave)) => held
            .rtnl_only()
            .is_some_and(|rtnl| set(bond, slave, step.act, &step.to, rtnl)),
        Who::Bond(Key(slave)) => {
            let res = bond.steal_addr(rtnl, step.to.as_bytes());
            if let Err(err) = res {
                say(bond, slave.dev(), err, "setting bond MAC from slave");
            }
            res.is_ok()
        }
    };
    let changing = &bond.data().get_ref().changing_addrs;
    changing.during(rtnl, || plan.carry_out(set_one))
}

/// Sets the address of a slave; logs an error if that is refused.
fn set(bond: &BondDev, slave: &SlaveDev, act: Act, to: &HwAddr, rtnl: &RtnlOnly) -> bool {
    let slave_dev = slave.dev();
    if matches!(act, Act::Restore) {
        show_hardware(bond, slave_dev, rtnl);
    }
    let err = match slave_dev.set_addr(rtnl, to.as_bytes(), None) {
        // Some devices, another bond for example, accept the request but do not carry it out.
        Ok(()) if addr_of(slave_dev, rtnl) != *to => eopnotsupp(),
        Ok(()) => return true,
        Err(err) => err,
    };
    if may_show(bond, act) {
        show_addr(slave_dev, to, rtnl);
        return true;
    }
    let say = |what: &str| say(bond, slave_dev, err, what);
    match act {
        Act::Take => {
            say("setting MAC of new active slave; the bond takes the address that this has");
        }
        Act::GiveUp => say(
            "taking the address of the bond from its old active slave; the bond takes that of the new one",
        ),
        Act::Swap => say("setting MAC of old active slave; it has a random one"),
        Act::Part => say(
            "setting another address than that of another slave; set one by hand, or release it",
        ),
        Act::Vacate => say(
            "setting another address than that of the device which leaves; that has a random one",
        ),
        Act::StepAside | Act::Renounce => say("setting a random address in place of its own one"),
        Act::Restore | Act::Undo | Act::Follow => say_restore(bond, slave_dev, err, to),
    }
    false
}

/// Whether it is enough that a slave shows an address: in balance-tlb mode, where the hardware of all
/// slaves was told the address of the bond before they were opened.
fn may_show(bond: &BondDev, act: Act) -> bool {
    let mode = Bond::mode(bond);
    let may = mode.has_own_addresses() && !mode.has_clients();
    may && match act {
        Act::GiveUp | Act::Take | Act::Swap | Act::Part | Act::StepAside | Act::Vacate => true,
        Act::Follow | Act::Restore | Act::Renounce | Act::Undo => false,
    }
}

fn say(bond: &BondDev, slave: &NetDevice, err: Error, what: &str) {
    let errno = err.to_errno().unsigned_abs();
    slave_err!(bond, slave, "Error {errno} {what}");
}

/// Returns whether a device may have this Ethernet address (`is_valid_ether_addr()`).
fn is_valid_ether(addr: &[u8]) -> bool {
    matches!(addr, [first, ..] if first & 1 == 0) && addr.iter().any(|byte| *byte != 0)
}
