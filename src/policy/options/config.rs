// SPDX-License-Identifier: GPL-2.0

//! The values of all options of a bond.

use core::fmt;

use super::{ArpTargets, NsTargets, OptionId, Show, Value, Values};
use crate::hash::HashPolicy;
use crate::lacp::{AdSelect, Settings};
use crate::link::{Delays, LinkState, Millis};
use crate::mode::{Carrier, Mode, Sender, Xdp};
use crate::name::IfName;
use crate::select::Reselect;
use crate::wire::slow::SystemId;

/// Whose hardware address an active-backup bond has: the option `fail_over_mac`, with the numbers
/// of `net/bonding.h` (`BOND_FOM_*`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum FailOverMac {
    /// All slaves have the address of the bond.
    None = 0,
    /// The bond has the address of its active slave.
    Active = 1,
    /// The address of the bond moves to the slave that becomes active.
    Follow = 2,
}

impl FailOverMac {
    /// The policy with this number, if there is one.
    pub const fn from_number(number: u64) -> Option<FailOverMac> {
        match number {
            0 => Some(FailOverMac::None),
            1 => Some(FailOverMac::Active),
            2 => Some(FailOverMac::Follow),
            _ => None,
        }
    }
}

/// On which slaves the ARP monitor examines what is received: the option `arp_validate`, with the
/// bits of `net/bonding.h` (`BOND_ARP_VALIDATE_*`, `BOND_ARP_FILTER`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ArpValidate(u8);

impl ArpValidate {
    const ACTIVE: u8 = 1;
    const BACKUP: u8 = 2;
    const FILTER: u8 = 4;

    /// No validation: whatever a slave receives shows that its link works.
    pub const NONE: ArpValidate = ArpValidate(0);

    /// The value with this number, if there is one.
    pub const fn from_number(number: u64) -> Option<ArpValidate> {
        match number {
            0..=6 => Some(ArpValidate(number as u8)),
            _ => None,
        }
    }

    /// Its number.
    pub const fn number(self) -> u8 {
        self.0
    }

    /// Whether only answers from targets count on a slave of this role.
    pub const fn validates(self, is_backup: bool) -> bool {
        let bit = if is_backup {
            Self::BACKUP
        } else {
            Self::ACTIVE
        };
        self.0 & bit != 0
    }

    /// Whether only ARP and IPv6 traffic counts where nothing is validated.
    pub const fn filters(self) -> bool {
        self.0 & Self::FILTER != 0
    }
}

/// The values of the options. [`Config::apply`] changes them and keeps them consistent.
///
/// `updelay`, `downdelay` and `peer_notif_delay` are kept as multiples of `miimon`, so that they
/// change with it, as users of the in-tree driver expect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Config {
    /// `mode`.
    pub mode: Mode,
    /// `miimon` in milliseconds; 0 for no polling.
    pub miimon: u32,
    /// `updelay` in intervals of `miimon`.
    pub updelay: u32,
    /// `downdelay` in intervals of `miimon`.
    pub downdelay: u32,
    /// `peer_notif_delay` in intervals of `miimon`.
    pub peer_notif_delay: u32,
    /// `link_events`.
    pub link_events: bool,
    /// `arp_interval` in milliseconds; 0 for no probes.
    pub arp_interval: u32,
    /// `arp_ip_target`.
    pub arp_targets: ArpTargets,
    /// `ns_ip6_target`.
    pub ns_targets: NsTargets,
    /// `arp_validate`.
    pub arp_validate: ArpValidate,
    /// `arp_all_targets`: whether all targets must answer, not just any.
    pub arp_all_targets: bool,
    /// `arp_missed_max`.
    pub arp_missed_max: u8,
    /// `primary`: the name, whether there is such a slave or not.
    pub primary: Option<IfName>,
    /// `primary_reselect`.
    pub primary_reselect: Reselect,
    /// `fail_over_mac`.
    pub fail_over_mac: FailOverMac,
    /// `num_grat_arp`, `num_unsol_na`.
    pub num_peer_notif: u8,
    /// `resend_igmp`.
    pub resend_igmp: u8,
    /// `all_slaves_active`.
    pub all_slaves_active: bool,
    /// `min_links`.
    pub min_links: u32,
    /// `packets_per_slave`; 0 for a random slave.
    pub packets_per_slave: u16,
    /// `xmit_hash_policy`.
    pub xmit_hash_policy: HashPolicy,
    /// `resilient_hash`.
    pub resilient_hash: bool,
    /// `use_carrier`: whether links are read from the carrier; otherwise their drivers are asked.
    pub use_carrier: bool,
    /// `ad_select`.
    pub ad_select: AdSelect,
    /// `lacp_active`.
    pub lacp_active: bool,
    /// `lacp_rate`: whether the partner is asked for an LACPDU each second.
    pub lacp_fast: bool,
    /// `lacp_strict`.
    pub lacp_strict: bool,
    /// `ad_actor_sys_prio`.
    pub ad_actor_sys_prio: u16,
    /// `ad_actor_system`; all zeros for the address of the bond.
    pub ad_actor_system: [u8; 6],
    /// `ad_user_port_key`.
    pub ad_user_port_key: u16,
    /// `coupled_control`.
    pub coupled_control: bool,
    /// `broadcast_neighbor`.
    pub broadcast_neighbor: bool,
    /// `lp_interval` in seconds.
    pub lp_interval: u32,
    /// `tlb_dynamic_lb`.
    pub tlb_dynamic_lb: bool,
    /// `rlb_ipv6`.
    pub rlb_ipv6: bool,
    /// `announce_stations`.
    pub announce_stations: bool,
    /// `max_bonds`, of the module.
    pub max_bonds: u32,
    /// `tx_queues`, of the module.
    pub tx_queues: u8,
}

impl Default for Config {
    fn default() -> Self {
        Config {
            mode: Mode::default(),
            miimon: 0,
            updelay: 0,
            downdelay: 0,
            peer_notif_delay: 0,
            link_events: true,
            arp_interval: 0,
            arp_targets: ArpTargets::NONE,
            ns_targets: NsTargets::NONE,
            arp_validate: ArpValidate::NONE,
            arp_all_targets: false,
            arp_missed_max: 2,
            primary: None,
            primary_reselect: Reselect::Always,
            fail_over_mac: FailOverMac::None,
            num_peer_notif: 1,
            resend_igmp: 1,
            all_slaves_active: false,
            min_links: 0,
            packets_per_slave: 1,
            xmit_hash_policy: HashPolicy::Layer2,
            resilient_hash: true,
            use_carrier: true,
            ad_select: AdSelect::Stable,
            lacp_active: true,
            lacp_fast: false,
            lacp_strict: false,
            ad_actor_sys_prio: 65_535,
            ad_actor_system: [0; 6],
            ad_user_port_key: 0,
            coupled_control: true,
            broadcast_neighbor: false,
            lp_interval: 1,
            tlb_dynamic_lb: true,
            rlb_ipv6: false,
            announce_stations: false,
            max_bonds: 1,
            tx_queues: 16,
        }
    }
}

impl Config {
    /// Whether a slave can be chosen for a frame that has not passed through the stack, as XDP
    /// programs send them.
    pub const fn allows_xdp(&self) -> bool {
        match self.mode.row().xdp {
            Xdp::Native => true,
            Xdp::ButVlan => !matches!(self.xmit_hash_policy, HashPolicy::VlanSrcMac),
            Xdp::Refused => false,
        }
    }

    /// Which slave a packet leaves through, with these options.
    pub const fn sender(&self) -> Sender {
        match self.mode.row().sender {
            Sender::Load if !self.tlb_dynamic_lb => Sender::Hash,
            sender => sender,
        }
    }

    /// Whether a number picks the slave among those in a table: a hash, the number of a turn, or the
    /// place of a flow.
    pub const fn uses_number(&self) -> bool {
        match self.sender() {
            Sender::Turn | Sender::Hash | Sender::Load => true,
            Sender::Active | Sender::All => false,
        }
    }

    /// Whether the bond has carrier, given the states of its links. Where the aggregator in use has
    /// to have enough of them, [`System::carrier`](crate::lacp::System::carrier) tells that.
    pub fn carrier(&self, mut links: impl Iterator<Item = LinkState>) -> bool {
        match self.mode.row().carrier {
            Carrier::AnyLink | Carrier::Aggregator => links.any(|state| state == LinkState::Up),
        }
    }

    /// What the options say to LACP; `addr` is the address of the bond, and `is_up` tells whether
    /// the bond is up.
    pub fn lacp(&self, addr: [u8; 6], is_up: bool) -> Settings {
        let addr = match self.ad_actor_system {
            [0, 0, 0, 0, 0, 0] => addr,
            given => given,
        };
        Settings {
            is_up,
            system: SystemId {
                priority: self.ad_actor_sys_prio,
                addr,
            },
            is_active: self.lacp_active,
            is_fast: self.lacp_fast,
            is_strict: self.lacp_strict,
            is_coupled: self.coupled_control,
            select: self.ad_select,
            min_links: self.min_links,
            user_key: self.ad_user_port_key,
        }
    }

    /// `updelay` in milliseconds.
    pub fn updelay_ms(&self) -> Millis {
        self.intervals_ms(OptionId::Updelay, self.updelay)
    }

    /// `downdelay` in milliseconds.
    pub fn downdelay_ms(&self) -> Millis {
        self.intervals_ms(OptionId::Downdelay, self.downdelay)
    }

    /// `peer_notif_delay` in milliseconds.
    pub fn peer_notif_delay_ms(&self) -> Millis {
        self.intervals_ms(OptionId::PeerNotifDelay, self.peer_notif_delay)
    }

    /// The delays of a link.
    pub fn delays(&self) -> Delays {
        Delays {
            up: self.updelay_ms(),
            down: self.downdelay_ms(),
        }
    }

    /// Whether anybody watches the links; otherwise each counts as up.
    pub const fn is_monitored(&self) -> bool {
        self.link_events || self.miimon > 0 || self.is_probed()
    }

    /// Whether links are read from the carrier that their devices report; otherwise the drivers are
    /// asked.
    pub const fn reads_carrier(&self) -> bool {
        self.use_carrier || self.is_probed()
    }

    /// Whether the ARP monitor watches the links.
    pub const fn is_probed(&self) -> bool {
        self.arp_interval > 0
    }

    /// The value of an option as a number, in the unit of the table. `None` where the value is not a
    /// number of the bond: names, lists, and options of a slave.
    pub fn number(&self, id: OptionId) -> Option<u64> {
        let number = match id {
            OptionId::Mode => u64::from(self.mode.number()),
            OptionId::PrimaryReselect => u64::from(self.primary_reselect as u8),
            OptionId::FailOverMac => u64::from(self.fail_over_mac as u8),
            OptionId::LinkEvents => u64::from(self.link_events),
            OptionId::Miimon => u64::from(self.miimon),
            OptionId::Updelay => self.updelay_ms(),
            OptionId::Downdelay => self.downdelay_ms(),
            OptionId::NumGratArp | OptionId::NumUnsolNa => u64::from(self.num_peer_notif),
            OptionId::PeerNotifDelay => self.peer_notif_delay_ms(),
            OptionId::ResendIgmp => u64::from(self.resend_igmp),
            OptionId::AllSlavesActive => u64::from(self.all_slaves_active),
            OptionId::MinLinks => u64::from(self.min_links),
            OptionId::PacketsPerSlave => u64::from(self.packets_per_slave),
            OptionId::MaxBonds => u64::from(self.max_bonds),
            OptionId::TxQueues => u64::from(self.tx_queues),
            OptionId::ArpInterval => u64::from(self.arp_interval),
            OptionId::ArpValidate => u64::from(self.arp_validate.number()),
            OptionId::ArpAllTargets => u64::from(self.arp_all_targets),
            OptionId::ArpMissedMax => u64::from(self.arp_missed_max),
            OptionId::XmitHashPolicy => u64::from(self.xmit_hash_policy as u8),
            OptionId::ResilientHash => u64::from(self.resilient_hash),
            OptionId::UseCarrier => u64::from(self.use_carrier),
            OptionId::AdSelect => u64::from(self.ad_select as u8),
            OptionId::LpInterval => u64::from(self.lp_interval),
            OptionId::LacpActive => u64::from(self.lacp_active),
            OptionId::LacpRate => u64::from(self.lacp_fast),
            OptionId::LacpStrict => u64::from(self.lacp_strict),
            OptionId::AdActorSysPrio => u64::from(self.ad_actor_sys_prio),
            OptionId::AdUserPortKey => u64::from(self.ad_user_port_key),
            OptionId::CoupledControl => u64::from(self.coupled_control),
            OptionId::BroadcastNeighbor => u64::from(self.broadcast_neighbor),
            OptionId::TlbDynamicLb => u64::from(self.tlb_dynamic_lb),
            OptionId::RlbIpv6 => u64::from(self.rlb_ipv6),
            OptionId::AnnounceStations => u64::from(self.announce_stations),
            OptionId::Slaves
            | OptionId::ActiveSlave
            | OptionId::Primary
            | OptionId::Prio
            | OptionId::QueueId
            | OptionId::ArpIpTarget
            | OptionId::NsIp6Target
            | OptionId::AdActorSystem
            | OptionId::ActorPortPrio => return None,
        };
        Some(number)
    }

    /// Whether an option of the bond already has this value: the one that `ip -d link` or sysfs
    /// shows, or would show in a mode that has the option. A command (`slaves`, `queue_id`, `+` and
    /// `-` of `arp_ip_target`) is not such a value, and the active slave is not the value of an
    /// option.
    pub fn has(&self, id: OptionId, value: Value) -> bool {
        match value {
            Value::Number(number) => self.number(id) == Some(number),
            Value::Name(name) => match id {
                OptionId::Primary if self.primary == name => true,
                // Where the mode has no such slave, the value is none.
                OptionId::Primary | OptionId::ActiveSlave => {
                    name.is_none() && id.desc().unsupported.contains(self.mode)
                }
                _ => false,
            },
            Value::ArpTargets(targets) => {
                id == OptionId::ArpIpTarget && self.arp_targets == targets
            }
            Value::NsTargets(targets) => id == OptionId::NsIp6Target && self.ns_targets == targets,
            Value::Address(address) => {
                id == OptionId::AdActorSystem && self.ad_actor_system == address
            }
            Value::Member { .. } | Value::Queue { .. } | Value::Prio(_) | Value::Target { .. } => {
                false
            }
        }
    }

    /// The text of an option whose values have texts: `active-backup`, `on`.
    pub fn text(&self, id: OptionId) -> Option<&'static str> {
        id.desc().text_of(self.number(id)?)
    }

    /// What sysfs shows for an option whose value is a number, with the newline; nothing for other
    /// options.
    pub fn show(&self, id: OptionId) -> Shown {
        Shown {
            show: id.desc().sysfs.map_or(Show::Number, |sysfs| sysfs.show),
            number: self.number(id),
            text: self.text(id),
        }
    }

    /// A delay in milliseconds: a multiple of `miimon` within the range of its option, even where
    /// it would have grown beyond that range with `miimon`.
    fn intervals_ms(&self, option: OptionId, intervals: u32) -> Millis {
        let miimon = u64::from(self.miimon);
        let most = match option.desc().values {
            Values::Range { max, .. } => max.checked_div(miimon).unwrap_or(0),
            _ => 0,
        };
        u64::from(intervals).min(most).saturating_mul(miimon)
    }
}

/// What sysfs shows for an option.
#[derive(Clone, Copy, Debug)]
pub struct Shown {
    show: Show,
    number: Option<u64>,
    text: Option<&'static str>,
}

impl fmt::Display for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.show, self.number, self.text) {
            (Show::NameNumber, Some(number), Some(text)) => writeln!(f, "{text} {number}"),
            (Show::Number | Show::NameNumber, Some(number), _) => writeln!(f, "{number}"),
            _ => Ok(()),
        }
    }
}
