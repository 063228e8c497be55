// SPDX-License-Identifier: GPL-2.0

//! What setting an option does: the policy decides what the new options are and what has to follow.

use super::enslave::enslave;
use super::links::{set_port, set_roles};
use super::master::{Bond, BondDev, SlaveDev};
use super::message::{bond_err, bond_warn, slave_warn};
use super::ports::{read_carriers, Slaves};
use super::release::release;
use super::slave::Key;
use super::{choose, engine, features, lacp, learning, monitor, notify, probe, xdp};
use kernel::error::Error;
use net::master::device::Slot;
use net::netdev_lock::Held;
use net::netdevice::NetDevice;
use net::notifier::Announce;
use net::rtnl::{Rtnl, RtnlOnly};
use policy::options::{Excerpt, Reason};
use policy::{select, transmit, Config, DeviceState, Effects, Event, IfName, OptionError};
use policy::{OptionId, Port, Value};

/// Why an option could not be set.
#[derive(Clone, Copy)]
pub(crate) enum Refused {
    /// The policy refused it.
    Policy(OptionError),
    /// The command that the option stands for failed, and has already reported why.
    Command(Error),
}

impl Refused {
    /// The error for the user.
    pub(crate) fn error(self) -> Error {
        match self {
            Refused::Policy(err) => Error::from_errno(0i32.wrapping_sub(err.errno())),
            Refused::Command(err) => err,
        }
    }

    /// The message for netlink.
    pub(crate) fn extack(self) -> Option<&'static str> {
        match self {
            Refused::Policy(err) => Some(err.extack()),
            Refused::Command(_) => None,
        }
    }
}

impl From<OptionError> for Refused {
    fn from(err: OptionError) -> Self {
        Refused::Policy(err)
    }
}

/// The state of the bond that decides whether an option may be set.
pub(crate) fn state(bond: &BondDev, rtnl: &Rtnl) -> DeviceState {
    DeviceState {
        has_slaves: bond.lowers(rtnl).next().is_some(),
        is_up: bond.is_up(),
        has_xdp: bond.has_xdp_program(rtnl),
    }
}

/// Sets an option from text, as sysfs passes it, and announces the change.
pub(crate) fn write(
    bond: &BondDev,
    id: OptionId,
    text: &[u8],
    rtnl: &RtnlOnly,
) -> core::result::Result<(), Refused> {
    let config = bond.data().config(rtnl);
    let res = config
        .write(id, text, state(bond, rtnl))
        .map_err(Refused::from)
        .and_then(|(config, effects, value)| commit(bond, id, &config, effects, value, rtnl));
    log(bond, &res);
    if res.is_ok() && bond.is_registered(rtnl) {
        let _ = bond.announce(rtnl, Announce::CHANGE_INFO_DATA);
    }
    res
}

/// Sets an option from a value, as netlink passes it.
pub(crate) fn set(
    bond: &BondDev,
    id: OptionId,
    value: Value,
    rtnl: &RtnlOnly,
) -> core::result::Result<(), Refused> {
    let config = bond.data().config(rtnl);
    let res = config
        .apply(id, value, state(bond, rtnl))
        .map_err(Refused::from)
        .and_then(|(config, effects)| commit(bond, id, &config, effects, value, rtnl));
    log(bond, &res);
    res
}

/// Returns whether `number` differs from the current value of a slave's option, if the option may
/// be set now.
pub(crate) fn changes_slave(
    slave: &SlaveDev,
    id: OptionId,
    number: i64,
    rtnl: &RtnlOnly,
) -> core::result::Result<bool, OptionError> {
    let now = match id {
        OptionId::Prio => i64::from(slave.data().port(rtnl).prio),
        OptionId::QueueId => i64::from(slave.data().queue_id()),
        OptionId::ActorPortPrio => i64::from(slave.data().actor_port_prio()),
        _ => i64::try_from(id.desc().default).unwrap_or_default(),
    };
    let bond = slave.master();
    let config = bond.data().config(rtnl);
    config.changes_slave(id, now, number, state(bond, rtnl))
}

/// Sets an option of one slave: `prio`, `queue_id` or `actor_port_prio`.
pub(crate) fn set_slave(
    slave: &SlaveDev,
    id: OptionId,
    number: i64,
    rtnl: &RtnlOnly,
) -> core::result::Result<(), Refused> {
    let bond = slave.master();
    let res = changes_slave(slave, id, number, rtnl)
        .map_err(Refused::from)
        .and_then(|is_new| {
            if !is_new {
                return Ok(());
            }
            let invalid = OptionError {
                option: id,
                reason: Reason::InvalidNumber(number as u64),
            };
            match id {
                OptionId::Prio => {
                    set_prio(
                        bond,
                        slave,
                        i32::try_from(number).map_err(|_| invalid)?,
                        rtnl,
                    );
                    Ok(())
                }
                OptionId::QueueId => {
                    let queue = u16::try_from(number).map_err(|_| invalid)?;
                    Ok(set_queue(bond, slave, queue, rtnl)?)
                }
                OptionId::ActorPortPrio => {
                    let prio = u16::try_from(number).map_err(|_| invalid)?;
                    slave.data().set_actor_port_prio(prio);
                    lacp::refresh(bond, rtnl);
                    Ok(())
                }
                _ => Err(invalid.into()),
            }
        });
    log(bond, &res);
    res
}

fn log(bond: &BondDev, res: &core::result::Result<(), Refused>) {
    if let Err(Refused::Policy(err)) = res {
        bond_err!(bond, "{err}");
    }
}

/// Applies the new options, and does what has to follow.
fn commit(
    bond: &BondDev,
    id: OptionId,
    config: &Config,
    mut effects: Effects,
    value: Value,
    rtnl: &RtnlOnly,
) -> core::result::Result<(), Refused> {
    if effects.command {
        return command(bond, id, value, rtnl);
    }
    let before = bond.data().config(rtnl);
    Bond::publish(bond, *config, rtnl);
    if let Some(notice) = effects.notice {
        bond_warn!(bond, "{notice}");
    }
    if effects.mode && before.mode != config.mode {
        notify::cancel(bond, rtnl);
        features::mode_changed(bond, rtnl);
    }
    if before.allows_xdp() != config.allows_xdp() {
        xdp::update_features(bond, rtnl);
    }
    if effects.slave_flags || effects.monitor {
        set_roles(bond, &Held::none(rtnl));
    }
    if effects.primary {
        effects.reselect |= name_primary(bond, config.primary, rtnl);
    }
    if effects.probes {
        probe::options_changed(bond, &before, config, rtnl);
    }
    if effects.monitor {
        read_carriers(bond, rtnl);
        if bond.is_running() {
            monitor::restart(bond, rtnl);
        }
    }
    if effects.reselect || effects.monitor {
        engine::handle(bond, Event::OptionsChanged { effects }, &Held::none(rtnl));
    }
    lacp::refresh(bond, rtnl);
    if effects.carrier {
        engine::update_carrier(bond, rtnl);
    }
    if effects.choice {
        choose::update(bond, None, rtnl);
    }
    if effects.learning {
        learning::restart(bond, rtnl);
    }
    Ok(())
}

/// Finds the slave that has the name of the primary. Returns whether an active slave has to be
/// chosen: not if the name was only recorded for a slave that has yet to join, and no slave was the
/// primary before.
fn name_primary(bond: &BondDev, name: Option<IfName>, rtnl: &RtnlOnly) -> bool {
    let before = bond.slot(rtnl, Slot::Primary);
    let primary = name.and_then(|name| {
        bond.lowers(rtnl)
            .find(|slave| slave.dev().name().as_bytes() == name.as_bytes())
    });
    bond.set_slot(rtnl, Slot::Primary, primary);
    bond.data().force_primary.set(rtnl, primary.is_some());
    name.is_none() || primary.is_some() || before.is_some()
}

fn command(
    bond: &BondDev,
    id: OptionId,
    value: Value,
    rtnl: &RtnlOnly,
) -> core::result::Result<(), Refused> {
    let refuse = |reason| Err(Refused::Policy(OptionError { option: id, reason }));
    match value {
        Value::Member { add, name } => {
            let Some(slave_dev) = find(bond, &name, rtnl) else {
                return refuse(Reason::NoInterface(Excerpt::new(name.as_bytes())));
            };
            let res = if add {
                enslave(bond, slave_dev, None, rtnl)
            } else {
                release(bond, slave_dev, rtnl)
            };
            res.map_err(Refused::Command)
        }
        Value::Name(None) => {
            engine::deactivate(bond, rtnl);
            engine::handle(bond, Event::ClearActive, &Held::none(rtnl));
            Ok(())
        }
        Value::Name(Some(name)) => activate(bond, id, &name, rtnl),
        Value::Queue { slave, queue } => {
            let named =
                find(bond, &slave, rtnl).and_then(|slave_dev| bond.lower_of(rtnl, slave_dev));
            match named {
                Some(slave) => Ok(set_queue(bond, slave, queue, rtnl)?),
                None => refuse(Reason::InvalidQueue(Excerpt::new(slave.as_bytes()))),
            }
        }
        _ => refuse(Reason::WrongKind),
    }
}

fn find<'a>(bond: &BondDev, name: &IfName, rtnl: &'a Rtnl) -> Option<&'a NetDevice> {
    bond.net().device_by_name(rtnl, name.as_bytes())
}

/// Makes a slave active because the user says so.
fn activate(
    bond: &BondDev,
    id: OptionId,
    name: &IfName,
    rtnl: &RtnlOnly,
) -> core::result::Result<(), Refused> {
    let excerpt = Excerpt::new(name.as_bytes());
    let refuse = |reason| Err(Refused::Policy(OptionError { option: id, reason }));
    let Some(slave_dev) = find(bond, name, rtnl) else {
        return refuse(Reason::NoInterface(excerpt));
    };
    let Some(slave) = bond.lower_of(rtnl, slave_dev) else {
        return refuse(Reason::NotSlave(excerpt));
    };
    read_carriers(bond, rtnl);
    let candidate = slave.data().port(rtnl).candidate(Key(slave));
    if select::may_activate((Slaves { bond, rtnl }).group().active, &candidate).is_err() {
        return refuse(Reason::NotUsable(excerpt));
    }
    engine::handle(bond, Event::Activate { key: Key(slave) }, &Held::none(rtnl));
    Ok(())
}

fn set_queue(
    bond: &BondDev,
    slave: &SlaveDev,
    queue: u16,
    rtnl: &RtnlOnly,
) -> core::result::Result<(), OptionError> {
    let others = bond
        .lowers(rtnl)
        .filter(|other| Key(other) != Key(slave))
        .map(|other| other.data().queue_id());
    let queues = u32::from(bond.real_num_tx_queues());
    if let Some(name) = IfName::new(slave.dev().name().as_bytes()) {
        transmit::check_queue_id(name, queue, queues, others)?;
    }
    slave.data().set_queue_id(queue);
    Ok(())
}

fn set_prio(bond: &BondDev, slave: &SlaveDev, prio: i32, rtnl: &RtnlOnly) {
    let port = Port {
        prio,
        ..slave.data().port(rtnl)
    };
    set_port(slave, port, rtnl);
    if (Slaves { bond, rtnl }).group().ignores_prio() {
        slave_warn!(
            bond,
            slave.dev(),
            "prio updated, but will not affect failover re-selection as primary slave have \
                 been set"
        );
    }
    engine::handle(bond, Event::PrioChanged, &Held::none(rtnl));
}
