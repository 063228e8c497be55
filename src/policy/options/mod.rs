// SPDX-License-Identifier: GPL-2.0

//! The options of a bond: one table, and what setting one of them means.
//!
//! [`OPTIONS`] is the single source for the sysfs attributes, the module parameters, the netlink
//! attributes, the lines of `/proc/net/bonding/BOND` and the table in the manual. Adding an option
//! is one entry there.

mod apply;
mod config;
mod error;
mod params;
mod table;
mod targets;
mod value;
mod warning;

pub use apply::{DeviceState, Effects, Notice, Request};
pub use config::{ArpValidate, Config, FailOverMac, Shown};
pub use error::{Excerpt, OptionError, Reason};
pub use params::RawParams;
pub use table::OPTIONS;
pub use targets::{ArpTargets, NsTargets, Target, TargetError, Targets, MAX_TARGETS};
pub use value::{parse, parse_command, Value};
pub use warning::{ParamError, Severity, Warning};

use crate::mode::Mode;

/// Names an option; the number is its place in [`OPTIONS`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
#[allow(missing_docs)] // The entry in the table describes the option.
pub enum OptionId {
    Mode,
    Slaves,
    ActiveSlave,
    Primary,
    PrimaryReselect,
    Prio,
    FailOverMac,
    LinkEvents,
    Miimon,
    Updelay,
    Downdelay,
    UseCarrier,
    NumGratArp,
    NumUnsolNa,
    PeerNotifDelay,
    ArpInterval,
    ArpMissedMax,
    ArpIpTarget,
    NsIp6Target,
    ArpValidate,
    ArpAllTargets,
    ResendIgmp,
    AllSlavesActive,
    MinLinks,
    PacketsPerSlave,
    XmitHashPolicy,
    ResilientHash,
    QueueId,
    AdSelect,
    LpInterval,
    MaxBonds,
    TxQueues,
    LacpActive,
    LacpRate,
    LacpStrict,
    AdActorSysPrio,
    AdActorSystem,
    AdUserPortKey,
    ActorPortPrio,
    CoupledControl,
    BroadcastNeighbor,
    TlbDynamicLb,
    RlbIpv6,
    AnnounceStations,
}

impl OptionId {
    /// The entry of the option in [`OPTIONS`].
    pub fn desc(self) -> &'static OptionDesc {
        // The table is in the order of the numbers (checked where it is defined), so the fallback
        // to the first entry is never used.
        OPTIONS.get(usize::from(self as u8)).unwrap_or(&OPTIONS[0])
    }

    /// The option with this name: a sysfs attribute, or a module parameter.
    pub fn from_name(name: &[u8]) -> Option<OptionId> {
        OPTIONS
            .iter()
            .find(|desc| desc.name.as_bytes() == name)
            .map(|desc| desc.id)
    }
}

/// One option.
#[derive(Clone, Copy, Debug)]
pub struct OptionDesc {
    /// Its number.
    pub id: OptionId,
    /// Its name: of the sysfs attribute, of the module parameter, and in `ip link`.
    pub name: &'static str,
    /// What it belongs to.
    pub scope: Scope,
    /// Which values it takes.
    pub values: Values,
    /// The number that it has unless it is set. Zero where the value is not a number.
    pub default: u64,
    /// The unit of the number, or an empty string.
    pub unit: &'static str,
    /// The modes in which it cannot be set.
    pub unsupported: Modes,
    /// Whether it can be set only while the bond has no slaves.
    pub no_slaves: bool,
    /// Whether it can be set only while the bond is down.
    pub if_down: bool,
    /// Its netlink attribute.
    pub netlink: Option<Netlink>,
    /// Its attribute in `/sys/class/net/BOND/bonding/`.
    pub sysfs: Option<Sysfs>,
    /// Its module parameter.
    pub param: Option<Param>,
    /// The label of its line in `/proc/net/bonding/BOND`, if it has one of its own.
    pub proc_label: Option<&'static str>,
    /// What it is for, in a sentence or two.
    pub help: &'static str,
    /// Whether the word `default` stands for the default.
    pub takes_default: bool,
}

impl OptionDesc {
    /// The text for a number, where the option has texts.
    pub fn text_of(&self, number: u64) -> Option<&'static str> {
        match self.values {
            Values::Choice(names) => names
                .iter()
                .find(|it| it.number == number)
                .map(|it| it.text),
            _ => None,
        }
    }
}

/// What an option belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// A bond.
    Bond,
    /// A slave of a bond.
    Slave,
    /// The module: it is fixed when the module is loaded.
    Module,
}

/// What an option takes.
#[derive(Clone, Copy, Debug)]
pub enum Values {
    /// One of these texts, or its number.
    Choice(&'static [Named]),
    /// A number from `min` to `max`, or one of these texts.
    Range {
        /// The smallest.
        min: u64,
        /// The largest.
        max: u64,
        /// Texts that stand for a number.
        named: &'static [Named],
    },
    /// The name of an interface, or nothing.
    Interface,
    /// `+` or `-` and the name of an interface.
    Membership,
    /// The name of an interface, a colon, and a queue number.
    QueueMap,
    /// A signed number of 32 bits.
    Priority,
    /// The IPv4 addresses that are probed.
    ArpTargets,
    /// The IPv6 addresses that are probed.
    NsTargets,
    /// A hardware address.
    HardwareAddress,
}

/// A text that stands for a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Named {
    /// The text.
    pub text: &'static str,
    /// The number.
    pub number: u64,
}

/// A set of modes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Modes(u8);

impl Modes {
    /// No mode.
    pub const NONE: Modes = Modes(0);

    /// The set with this mode added.
    pub(crate) const fn and(self, mode: Mode) -> Modes {
        Modes(self.0 | mode.bit())
    }

    /// Whether the mode is in the set.
    pub const fn contains(self, mode: Mode) -> bool {
        self.0 & mode.bit() != 0
    }
}

/// The modes whose rows have this value, or one of these values, in a column:
/// `modes!(active: Active::All)`.
macro_rules! modes {
    ($column:ident: $($value:tt)+) => {{
        let mut modes = $crate::options::Modes::NONE;
        let mut rest: &[$crate::Mode] = &$crate::Mode::ALL;
        while let [mode, tail @ ..] = rest {
            if matches!(mode.row().$column, $($value)+) {
                modes = modes.and(*mode);
            }
            rest = tail;
        }
        modes
    }};
}
use modes;

/// A netlink attribute (`linux/if_link.h`): `IFLA_BOND_*` of a bond, `IFLA_BOND_SLAVE_*` of a
/// slave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Netlink {
    /// Its number.
    pub attribute: u16,
    /// Its type.
    pub kind: NetlinkKind,
}

/// The type of a netlink attribute.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NetlinkKind {
    /// `NLA_U8`.
    U8,
    /// `NLA_U16`.
    U16,
    /// `NLA_U32`.
    U32,
    /// `NLA_S32`.
    S32,
    /// An interface index, `NLA_U32`.
    Ifindex,
    /// A nest of IPv4 or IPv6 addresses.
    Nested,
    /// Six bytes.
    EthAddr,
}

/// A sysfs attribute.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sysfs {
    /// Its file mode.
    pub mode: u16,
    /// How it is shown.
    pub show: Show,
}

/// How an option is shown in sysfs, each with a newline at the end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Show {
    /// The number.
    Number,
    /// The text and the number, with a space between.
    NameNumber,
    /// The name of an interface; nothing at all, not even a newline, if there is none.
    Interface,
    /// A list, one space between the items; nothing at all if it is empty.
    List,
    /// Nothing, except in 802.3ad mode to users with `CAP_NET_ADMIN`.
    AdOnly,
}

/// A module parameter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Param {
    /// Its type.
    pub kind: ParamKind,
    /// The mode of its file in `/sys/module/bonding/parameters/`; zero for none.
    pub mode: u16,
    /// Its description, as `modinfo` shows it.
    pub description: &'static str,
}

/// The type of a module parameter (`linux/moduleparam.h`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ParamKind {
    /// `int`.
    Int,
    /// `uint`.
    Uint,
    /// `charp`.
    Charp,
    /// An array of at most 16 `charp`.
    CharpArray,
}
