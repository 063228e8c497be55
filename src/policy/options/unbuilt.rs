// SPDX-License-Identifier: GPL-2.0

//! The options that this version of the driver does not have: they can be read, and set to their
//! default.

use super::table::{named, netlink, param, sysfs, INT_MAX, OFF_ON, OPTION, UP_TO_INT_MAX};
use super::{Modes, NetlinkKind, OptionDesc, OptionId, ParamKind, Scope, Show, Values};
use crate::mode::Mode;

const ONLY_802_3AD: Modes = Modes::all_but(&[Mode::Ieee8023ad]);
const NOT_WITH_ARP: Modes = Modes::of(&[Mode::Ieee8023ad, Mode::Tlb, Mode::Alb]);

const UNBUILT: OptionDesc = OptionDesc {
    built: false,
    ..OPTION
};

/// The options that are not built, in the order of [`OptionId`], after those that are.
pub(super) const UNBUILT_OPTIONS: [OptionDesc; 19] = [
    OptionDesc {
        id: OptionId::XmitHashPolicy,
        name: "xmit_hash_policy",
        values: Values::Choice(&[
            named("layer2", 0),
            named("layer3+4", 1),
            named("layer2+3", 2),
            named("encap2+3", 3),
            named("encap3+4", 4),
            named("vlan+srcmac", 5),
        ]),
        netlink: netlink(14, NetlinkKind::U8),
        sysfs: sysfs(Show::NameNumber),
        param: param(
            ParamKind::Charp,
            "balance-alb, balance-tlb, balance-xor, 802.3ad hashing method; 0 for layer 2 \
             (default), 1 for layer 3+4, 2 for layer 2+3, 3 for encap layer 2+3, 4 for encap \
             layer 3+4, 5 for vlan+srcmac",
        ),
        help: "Which parts of a packet choose its slave in the modes that hash.",
        ..UNBUILT
    },
    OptionDesc {
        id: OptionId::ArpInterval,
        name: "arp_interval",
        values: UP_TO_INT_MAX,
        unit: "ms",
        unsupported: NOT_WITH_ARP,
        netlink: netlink(7, NetlinkKind::U32),
        sysfs: sysfs(Show::Number),
        param: param(ParamKind::Int, "arp interval in milliseconds"),
        help: "How often ARP probes are sent to watch the links end to end; 0 for never.",
        ..UNBUILT
    },
    OptionDesc {
        id: OptionId::ArpIpTarget,
        name: "arp_ip_target",
        values: Values::Addresses,
        netlink: netlink(8, NetlinkKind::Nested),
        sysfs: sysfs(Show::List),
        param: param(ParamKind::CharpArray, "arp targets in n.n.n.n form"),
        help: "The IPv4 addresses that the ARP monitor probes, 16 at most.",
        ..UNBUILT
    },
    OptionDesc {
        id: OptionId::NsIp6Target,
        name: "ns_ip6_target",
        values: Values::Addresses,
        netlink: netlink(31, NetlinkKind::Nested),
        help: "The IPv6 addresses that the monitor probes by neighbour solicitation, 16 at most.",
        ..UNBUILT
    },
    OptionDesc {
        id: OptionId::ArpValidate,
        name: "arp_validate",
        values: Values::Choice(&[
            named("none", 0),
            named("active", 1),
            named("backup", 2),
            named("all", 3),
            named("filter", 4),
            named("filter_active", 5),
            named("filter_backup", 6),
        ]),
        unsupported: NOT_WITH_ARP,
        netlink: netlink(9, NetlinkKind::U32),
        sysfs: sysfs(Show::NameNumber),
        param: param(
            ParamKind::Charp,
            "validate src/dst of ARP probes; 0 for none (default), 1 for active, 2 for backup, \
             3 for all",
        ),
        help: "On which slaves the answers to ARP probes are checked.",
        ..UNBUILT
    },
    OptionDesc {
        id: OptionId::ArpAllTargets,
        name: "arp_all_targets",
        values: Values::Choice(&[named("any", 0), named("all", 1)]),
        netlink: netlink(10, NetlinkKind::U32),
        sysfs: sysfs(Show::NameNumber),
        param: param(
            ParamKind::Charp,
            "fail on any/all arp targets timeout; 0 for any (default), 1 for all",
        ),
        help: "Whether any or all of the ARP targets must answer.",
        ..UNBUILT
    },
    OptionDesc {
        id: OptionId::ArpMissedMax,
        name: "arp_missed_max",
        values: Values::Range {
            min: 1,
            max: 255,
            named: &[named("minval", 1), named("maxval", 255)],
        },
        default: 2,
        unit: "probes",
        unsupported: NOT_WITH_ARP,
        netlink: netlink(30, NetlinkKind::U8),
        sysfs: sysfs(Show::Number),
        help: "How many ARP intervals without an answer bring a link down.",
        ..UNBUILT
    },
    OptionDesc {
        id: OptionId::LacpActive,
        name: "lacp_active",
        values: Values::Choice(OFF_ON),
        default: 1,
        unsupported: ONLY_802_3AD,
        if_down: true,
        netlink: netlink(29, NetlinkKind::U8),
        sysfs: sysfs(Show::NameNumber),
        help: "Whether LACPDUs are sent of own accord, or only in answer to the partner's.",
        ..UNBUILT
    },
    OptionDesc {
        id: OptionId::LacpRate,
        name: "lacp_rate",
        values: Values::Choice(&[named("slow", 0), named("fast", 1)]),
        takes_default: false,
        unsupported: ONLY_802_3AD,
        if_down: true,
        netlink: netlink(21, NetlinkKind::U8),
        sysfs: sysfs(Show::NameNumber),
        param: param(
            ParamKind::Charp,
            "LACPDU tx rate to request from 802.3ad partner; 0 for slow, 1 for fast",
        ),
        help: "Whether the partner is asked for an LACPDU every 30 seconds or every second.",
        ..UNBUILT
    },
    OptionDesc {
        id: OptionId::LacpStrict,
        name: "lacp_strict",
        values: Values::Choice(OFF_ON),
        unsupported: ONLY_802_3AD,
        netlink: netlink(34, NetlinkKind::U8),
        help: "Whether an 802.3ad bond goes without carrier until a partner answers.",
        ..UNBUILT
    },
    OptionDesc {
        id: OptionId::AdSelect,
        name: "ad_select",
        values: Values::Choice(&[
            named("stable", 0),
            named("bandwidth", 1),
            named("count", 2),
            named("actor_port_prio", 3),
        ]),
        if_down: true,
        netlink: netlink(22, NetlinkKind::U8),
        sysfs: sysfs(Show::NameNumber),
        param: param(
            ParamKind::Charp,
            "802.3ad aggregation selection logic; 0 for stable (default), 1 for bandwidth, \
             2 for count",
        ),
        help: "What decides between several aggregators.",
        ..UNBUILT
    },
    OptionDesc {
        id: OptionId::AdActorSysPrio,
        name: "ad_actor_sys_prio",
        values: Values::Range {
            min: 1,
            max: 65_535,
            named: &[named("minval", 1), named("maxval", 65_535)],
        },
        default: 65_535,
        unsupported: ONLY_802_3AD,
        netlink: netlink(24, NetlinkKind::U16),
        sysfs: sysfs(Show::AdOnly),
        help: "The system priority in LACPDUs.",
        ..UNBUILT
    },
    OptionDesc {
        id: OptionId::AdActorSystem,
        name: "ad_actor_system",
        values: Values::HardwareAddress,
        unsupported: ONLY_802_3AD,
        netlink: netlink(26, NetlinkKind::EthAddr),
        sysfs: sysfs(Show::AdOnly),
        help: "The system address in LACPDUs; all zeros stand for the address of the bond.",
        ..UNBUILT
    },
    OptionDesc {
        id: OptionId::AdUserPortKey,
        name: "ad_user_port_key",
        values: Values::Range {
            min: 0,
            max: 1023,
            named: &[named("minval", 0), named("maxval", 1023)],
        },
        unsupported: ONLY_802_3AD,
        if_down: true,
        netlink: netlink(25, NetlinkKind::U16),
        sysfs: sysfs(Show::AdOnly),
        help: "The upper ten bits of the port key.",
        ..UNBUILT
    },
    OptionDesc {
        id: OptionId::ActorPortPrio,
        name: "actor_port_prio",
        scope: Scope::Slave,
        values: Values::Range {
            min: 0,
            max: 65_535,
            named: &[],
        },
        default: 255,
        unsupported: ONLY_802_3AD,
        netlink: netlink(10, NetlinkKind::U16),
        help: "The port priority of a slave in LACPDUs.",
        ..UNBUILT
    },
    OptionDesc {
        id: OptionId::CoupledControl,
        name: "coupled_control",
        values: Values::Choice(OFF_ON),
        default: 1,
        unsupported: ONLY_802_3AD,
        if_down: true,
        netlink: netlink(32, NetlinkKind::U8),
        help: "Whether collecting and distributing are switched together or one by one.",
        ..UNBUILT
    },
    OptionDesc {
        id: OptionId::BroadcastNeighbor,
        name: "broadcast_neighbor",
        values: Values::Choice(OFF_ON),
        unsupported: ONLY_802_3AD,
        netlink: netlink(33, NetlinkKind::U8),
        help: "Whether ARP and neighbour discovery go out through every slave.",
        ..UNBUILT
    },
    OptionDesc {
        id: OptionId::LpInterval,
        name: "lp_interval",
        values: Values::Range {
            min: 1,
            max: INT_MAX,
            named: &[named("minval", 1), named("maxval", INT_MAX)],
        },
        default: 1,
        unit: "s",
        netlink: netlink(19, NetlinkKind::U32),
        sysfs: sysfs(Show::Number),
        param: param(
            ParamKind::Uint,
            "The number of seconds between instances where the bonding driver sends learning \
             packets to each slaves peer switch. The default is 1.",
        ),
        help: "How often the balancing modes send learning packets to the switches.",
        ..UNBUILT
    },
    OptionDesc {
        id: OptionId::TlbDynamicLb,
        name: "tlb_dynamic_lb",
        values: Values::Choice(OFF_ON),
        default: 1,
        unsupported: Modes::all_but(&[Mode::Tlb, Mode::Alb]),
        if_down: true,
        netlink: netlink(27, NetlinkKind::U8),
        sysfs: sysfs(Show::Number),
        help: "Whether balance-tlb moves flows between slaves by their load.",
        ..UNBUILT
    },
];
