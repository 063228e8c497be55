// SPDX-License-Identifier: GPL-2.0

//! Setting an option of a bond.

use core::fmt;

use super::{parse, ArpValidate, Config, FailOverMac};
use super::{OptionError, OptionId, Reason, Scope, Value, Values};
use crate::hash::HashPolicy;
use crate::lacp::AdSelect;
use crate::mode::{Mode, Probes};
use crate::select::Reselect;

/// The interval that modes which need the link monitor fall back to, in milliseconds
/// (`BOND_DEFAULT_MIIMON`).
pub(super) const DEFAULT_MIIMON: u32 = 100;

/// The state of the bond's device that matters when an option is set.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DeviceState {
    /// Whether the bond has slaves.
    pub has_slaves: bool,
    /// Whether the bond is up (`IFF_UP`).
    pub is_up: bool,
    /// Whether an XDP program is attached to the bond.
    pub has_xdp: bool,
}

/// What the driver has to do after an option was set.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Effects {
    /// Choose the active slave again ([`crate::Event::OptionsChanged`]).
    pub reselect: bool,
    /// Start, stop or restart the link monitor ([`crate::Event::OptionsChanged`]).
    pub monitor: bool,
    /// What is probed, or what counts as an answer, has changed: tell the receive path.
    pub probes: bool,
    /// Work out the carrier of the bond again.
    pub carrier: bool,
    /// Work out again which slave each value of a hash picks.
    pub choice: bool,
    /// How often learning frames are sent has changed.
    pub learning: bool,
    /// Work out the flags of the slaves again ([`crate::receive::SlaveFlags`]).
    pub slave_flags: bool,
    /// The mode was set: drop the work that is left from the previous mode.
    pub mode: bool,
    /// Find the slave that has the name of `primary`, if any. Choose the active slave again, unless
    /// there was no primary slave before and is none now.
    pub primary: bool,
    /// Carry out the command in the value: `slaves`, `active_slave`, `queue_id`, `prio`.
    pub command: bool,
    /// What to tell the user.
    pub notice: Option<Notice>,
}

/// Something that the user should know about an option that was set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Notice {
    /// A delay was rounded down to a multiple of `miimon`.
    Rounded {
        /// The delay.
        option: OptionId,
        /// What was asked for, in milliseconds.
        asked: u32,
        /// `miimon`, in milliseconds.
        miimon: u32,
        /// What the delay is now, in milliseconds.
        now: u64,
    },
    /// There is nothing left to probe, although `arp_interval` is set.
    LastTarget {
        /// The list that is empty.
        option: OptionId,
    },
}

impl fmt::Display for Notice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Notice::Rounded {
                option,
                asked,
                miimon,
                now,
            } => write!(
                f,
                "{} ({asked}) is not a multiple of miimon ({miimon}), value rounded to {now} ms",
                match option {
                    OptionId::Updelay => "up delay",
                    OptionId::Downdelay => "down delay",
                    _ => "peer notification delay",
                },
            ),
            Notice::LastTarget { option } => write!(
                f,
                "Removing last {} target with arp_interval on; add one to {}, or set arp_interval \
                 to 0",
                match option {
                    OptionId::NsIp6Target => "ns",
                    _ => "arp",
                },
                option.desc().name,
            ),
        }
    }
}

impl Config {
    /// Sets an option from what a user wrote into sysfs. Returns the value too, for the options
    /// that are commands.
    ///
    /// # Errors
    ///
    /// Those of [`Config::apply`] and [`parse`], in the order of the in-tree driver: the state of
    /// the bond is checked before the text, unless the text is the value in force.
    pub fn write(
        self,
        id: OptionId,
        text: &[u8],
        state: DeviceState,
    ) -> Result<(Config, Effects, Value), OptionError> {
        let parsed = parse(id, text);
        if !parsed.is_ok_and(|value| self.has(id, value)) {
            self.check(id, state)?;
        }
        let value = parsed?;
        let (config, effects) = self.apply(id, value, state)?;
        Ok((config, effects, value))
    }

    /// Sets an option. Returns the new configuration, and what there is to do.
    ///
    /// The value that the option already has ([`Config::has`]) is always accepted, and has no
    /// effects: programs that configure a bond spell out even what they do not want to change.
    ///
    /// # Errors
    ///
    /// The reasons of [`Reason`]; the configuration stays as it was.
    pub fn apply(
        self,
        id: OptionId,
        value: Value,
        state: DeviceState,
    ) -> Result<(Config, Effects), OptionError> {
        if self.has(id, value) {
            return Ok((self, Effects::default()));
        }
        self.check(id, state)?;
        let refuse = |reason| OptionError { option: id, reason };
        let (config, effects) = self.set(id, value).map_err(refuse)?;
        if state.has_xdp && !config.allows_xdp() {
            return Err(refuse(Reason::HasXdp));
        }
        Ok((config, effects))
    }

    /// Whether an option may be set now to a value other than the one that it has.
    ///
    /// # Errors
    ///
    /// [`Reason::WrongMode`], [`Reason::HasSlaves`], [`Reason::IsUp`], [`Reason::LoadOnly`].
    pub fn check(&self, id: OptionId, state: DeviceState) -> Result<(), OptionError> {
        let desc = id.desc();
        let reason = if desc.scope == Scope::Module {
            Reason::LoadOnly
        } else if desc.unsupported.contains(self.mode) {
            Reason::WrongMode(self.mode)
        } else if desc.no_slaves && state.has_slaves {
            Reason::HasSlaves
        } else if desc.if_down && state.is_up {
            Reason::IsUp
        } else {
            return Ok(());
        };
        Err(OptionError { option: id, reason })
    }

    /// Whether an option of a slave, whose value is `now`, may be set to `number`. Returns whether
    /// that is a different value: the same value is always accepted, and has no effects.
    ///
    /// # Errors
    ///
    /// Those of [`Config::check`].
    pub fn changes_slave(
        &self,
        id: OptionId,
        now: i64,
        number: i64,
        state: DeviceState,
    ) -> Result<bool, OptionError> {
        if now == number {
            return Ok(false);
        }
        self.check(id, state).map(|()| true)
    }

    /// The configuration with another mode, and with what the mode needs.
    pub fn with_mode(self, mode: Mode) -> Config {
        let (miimon, arp_interval) = match (mode.row().probes, self.miimon) {
            (Probes::Refused, 0) => (DEFAULT_MIIMON, 0),
            (Probes::Refused, miimon) => (miimon, 0),
            (Probes::ByActive | Probes::ByEach, miimon) => (miimon, self.arp_interval),
        };
        let has_clients = mode.has_clients();
        Config {
            mode,
            miimon,
            arp_interval,
            arp_validate: ArpValidate::NONE,
            broadcast_neighbor: false,
            tlb_dynamic_lb: self.tlb_dynamic_lb || has_clients,
            rlb_ipv6: self.rlb_ipv6 && has_clients,
            announce_stations: self.announce_stations && mode.uses_primary(),
            ..self
        }
    }

    fn set(mut self, id: OptionId, value: Value) -> Result<(Config, Effects), Reason> {
        let desc = id.desc();
        let mut effects = Effects::default();
        let number = match (desc.values, value) {
            (Values::Choice(_) | Values::Range { .. }, Value::Number(number)) => {
                if !desc.takes(number) {
                    return Err(Reason::InvalidNumber(number));
                }
                number
            }
            (Values::Interface, Value::Name(name)) => {
                if id == OptionId::Primary {
                    self.primary = name;
                    effects.primary = true;
                } else {
                    effects.command = true;
                }
                return Ok((self, effects));
            }
            (Values::Membership, Value::Member { .. })
            | (Values::QueueMap, Value::Queue { .. })
            | (Values::Priority, Value::Prio(_)) => {
                effects.command = true;
                return Ok((self, effects));
            }
            (Values::ArpTargets, Value::Target { add, addr }) => {
                let changed = if add {
                    self.arp_targets.add(addr)
                } else {
                    self.arp_targets.remove(addr)
                };
                changed.map_err(|why| Reason::Target {
                    add,
                    addr: addr.into(),
                    why,
                })?;
                return Ok((self, self.targets_changed(id)));
            }
            (Values::ArpTargets, Value::ArpTargets(targets)) => {
                self.arp_targets = targets;
                return Ok((self, self.targets_changed(id)));
            }
            (Values::NsTargets, Value::NsTargets(targets)) => {
                self.ns_targets = targets;
                return Ok((self, self.targets_changed(id)));
            }
            (Values::HardwareAddress, Value::Address(address)) => {
                if matches!(address, [first, ..] if first & 1 != 0) {
                    return Err(Reason::GroupAddress(address));
                }
                self.ad_actor_system = address;
                return Ok((self, effects));
            }
            (_, Value::Number(number)) => return Err(Reason::InvalidNumber(number)),
            _ => return Err(Reason::WrongKind),
        };

        let invalid = Reason::InvalidNumber(number);
        let small = u32::try_from(number).map_err(|_| invalid)?;
        match id {
            OptionId::Mode => {
                let mode = Mode::from_number(number).ok_or(invalid)?;
                self = self.with_mode(mode);
                effects.mode = true;
                effects.probes = true;
            }
            OptionId::PrimaryReselect => {
                self.primary_reselect = Reselect::from_number(number).ok_or(invalid)?;
                effects.reselect = true;
            }
            OptionId::FailOverMac => {
                self.fail_over_mac = FailOverMac::from_number(number).ok_or(invalid)?;
            }
            OptionId::LinkEvents => {
                self.link_events = number == 1;
                effects.monitor = true;
            }
            OptionId::Miimon => {
                self.miimon = small;
                if small > 0 && self.is_probed() {
                    self.arp_interval = 0;
                    self.arp_validate = ArpValidate::NONE;
                }
                effects.monitor = true;
                effects.probes = true;
            }
            OptionId::ArpInterval => {
                self.arp_interval = small;
                if small > 0 {
                    self.miimon = 0;
                }
                effects.monitor = true;
                effects.probes = true;
            }
            OptionId::ArpMissedMax => {
                self.arp_missed_max = u8::try_from(number).map_err(|_| invalid)?;
                effects.probes = true;
            }
            OptionId::ArpValidate => {
                self.arp_validate = ArpValidate::from_number(number).ok_or(invalid)?;
                effects.probes = true;
            }
            OptionId::ArpAllTargets => {
                self.arp_all_targets = number == 1;
                effects.probes = true;
            }
            OptionId::Updelay => (self.updelay, effects.notice) = self.intervals(id, small)?,
            OptionId::Downdelay => (self.downdelay, effects.notice) = self.intervals(id, small)?,
            OptionId::PeerNotifDelay => {
                (self.peer_notif_delay, effects.notice) = self.intervals(id, small)?;
            }
            OptionId::NumGratArp | OptionId::NumUnsolNa => {
                self.num_peer_notif = u8::try_from(number).map_err(|_| invalid)?;
            }
            OptionId::ResendIgmp => {
                self.resend_igmp = u8::try_from(number).map_err(|_| invalid)?;
            }
            OptionId::AllSlavesActive => {
                self.all_slaves_active = number == 1;
                effects.slave_flags = true;
            }
            OptionId::MinLinks => {
                self.min_links = small;
                effects.carrier = true;
            }
            OptionId::PacketsPerSlave => {
                self.packets_per_slave = u16::try_from(number).map_err(|_| invalid)?;
            }
            OptionId::XmitHashPolicy => {
                self.xmit_hash_policy = HashPolicy::from_number(number).ok_or(invalid)?;
            }
            OptionId::ResilientHash => {
                self.resilient_hash = number == 1;
                effects.choice = true;
            }
            OptionId::UseCarrier => {
                self.use_carrier = number == 1;
                effects.monitor = true;
            }
            OptionId::AdSelect => {
                self.ad_select = AdSelect::from_number(number).ok_or(invalid)?;
            }
            OptionId::LacpActive => self.lacp_active = number == 1,
            OptionId::LacpRate => self.lacp_fast = number == 1,
            OptionId::LacpStrict => {
                self.lacp_strict = number == 1;
                effects.carrier = true;
            }
            OptionId::AdActorSysPrio => {
                self.ad_actor_sys_prio = u16::try_from(number).map_err(|_| invalid)?;
            }
            OptionId::AdUserPortKey => {
                self.ad_user_port_key = u16::try_from(number).map_err(|_| invalid)?;
            }
            OptionId::CoupledControl => self.coupled_control = number == 1,
            OptionId::BroadcastNeighbor => self.broadcast_neighbor = number == 1,
            OptionId::LpInterval => {
                self.lp_interval = small;
                effects.learning = true;
            }
            OptionId::TlbDynamicLb => {
                self.tlb_dynamic_lb = number == 1;
                effects.choice = true;
            }
            OptionId::RlbIpv6 => self.rlb_ipv6 = number == 1,
            OptionId::AnnounceStations => self.announce_stations = number == 1,
            OptionId::Slaves
            | OptionId::ActiveSlave
            | OptionId::Primary
            | OptionId::Prio
            | OptionId::QueueId
            | OptionId::ArpIpTarget
            | OptionId::NsIp6Target
            | OptionId::AdActorSystem
            | OptionId::ActorPortPrio
            | OptionId::MaxBonds
            | OptionId::TxQueues => return Err(Reason::WrongKind),
        }
        Ok((self, effects))
    }

    /// What there is to do after a list of targets has changed.
    fn targets_changed(&self, option: OptionId) -> Effects {
        let is_empty = match option {
            OptionId::NsIp6Target => self.ns_targets.is_empty(),
            _ => self.arp_targets.is_empty(),
        };
        Effects {
            probes: true,
            notice: (is_empty && self.is_probed()).then_some(Notice::LastTarget { option }),
            ..Effects::default()
        }
    }

    /// A delay as a multiple of `miimon`, rounded down.
    fn intervals(&self, option: OptionId, asked: u32) -> Result<(u32, Option<Notice>), Reason> {
        let intervals = asked.checked_div(self.miimon).ok_or(Reason::NoMonitor)?;
        let now = u64::from(intervals).saturating_mul(u64::from(self.miimon));
        let notice = Notice::Rounded {
            option,
            asked,
            miimon: self.miimon,
            now,
        };
        Ok((intervals, (now != u64::from(asked)).then_some(notice)))
    }
}

/// Several options that one request sets: each is checked as if those before it were set.
#[derive(Clone, Copy, Debug)]
pub struct Request {
    config: Config,
    state: DeviceState,
    /// Whether the request turns `miimon` on.
    polls: bool,
}

impl Request {
    /// A request to a bond in its current state.
    pub const fn new(config: Config, state: DeviceState) -> Request {
        Request {
            config,
            state,
            polls: false,
        }
    }

    /// The configuration once the whole request is set.
    pub const fn config(&self) -> Config {
        self.config
    }

    /// Adds an option. `miimon` has to come before the options that it excludes.
    ///
    /// # Errors
    ///
    /// Those of [`Config::apply`], and [`Reason::WithMiimon`] where one option would undo the
    /// other.
    pub fn apply(&mut self, id: OptionId, value: Value) -> Result<(), OptionError> {
        let is_on = matches!(value, Value::Number(1..));
        let is_excluded = matches!(id, OptionId::ArpInterval | OptionId::ArpValidate);
        if is_on && self.polls && is_excluded && !self.config.has(id, value) {
            let reason = Reason::WithMiimon;
            return Err(OptionError { option: id, reason });
        }
        (self.config, _) = self.config.apply(id, value, self.state)?;
        self.polls |= is_on && id == OptionId::Miimon;
        Ok(())
    }
}
