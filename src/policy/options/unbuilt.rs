// SPDX-License-Identifier: GPL-2.0

//! The options that this version of the driver does not have. They can be read. They belong to
//! modes that this version does not have either, so in every mode of a bond they keep their
//! defaults, and only the defaults can be written.

use super::table::{named, netlink, param, sysfs, OFF_ON, OPTION};
use super::{modes, Modes, NetlinkKind, OptionDesc, OptionId, ParamKind, Scope, Show, Values};
use crate::mode::{Carrier, Sender};

/// The modes that do not balance the load.
const NO_LOAD: Modes = modes!(sender: Sender::Turn | Sender::Active | Sender::Hash | Sender::All);

/// The modes without aggregators.
const NO_AGGREGATOR: Modes = modes!(carrier: Carrier::AnyLink);

const UNBUILT: OptionDesc = OptionDesc {
    built: false,
    ..OPTION
};

/// The options that are not built, in the order of [`OptionId`], after those that are.
pub(super) const UNBUILT_OPTIONS: [OptionDesc; 10] = [
    OptionDesc {
        id: OptionId::LacpActive,
        name: "lacp_active",
        values: Values::Choice(OFF_ON),
        default: 1,
        unsupported: NO_AGGREGATOR,
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
        unsupported: NO_AGGREGATOR,
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
        unsupported: NO_AGGREGATOR,
        netlink: netlink(34, NetlinkKind::U8),
        help: "Whether an 802.3ad bond goes without carrier until a partner answers.",
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
        unsupported: NO_AGGREGATOR,
        netlink: netlink(24, NetlinkKind::U16),
        sysfs: sysfs(Show::AdOnly),
        help: "The system priority in LACPDUs.",
        ..UNBUILT
    },
    OptionDesc {
        id: OptionId::AdActorSystem,
        name: "ad_actor_system",
        values: Values::HardwareAddress,
        unsupported: NO_AGGREGATOR,
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
        unsupported: NO_AGGREGATOR,
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
        unsupported: NO_AGGREGATOR,
        netlink: netlink(10, NetlinkKind::U16),
        help: "The port priority of a slave in LACPDUs.",
        ..UNBUILT
    },
    OptionDesc {
        id: OptionId::CoupledControl,
        name: "coupled_control",
        values: Values::Choice(OFF_ON),
        default: 1,
        unsupported: NO_AGGREGATOR,
        if_down: true,
        netlink: netlink(32, NetlinkKind::U8),
        help: "Whether collecting and distributing are switched together or one by one.",
        ..UNBUILT
    },
    OptionDesc {
        id: OptionId::BroadcastNeighbor,
        name: "broadcast_neighbor",
        values: Values::Choice(OFF_ON),
        unsupported: NO_AGGREGATOR,
        netlink: netlink(33, NetlinkKind::U8),
        help: "Whether ARP and neighbour discovery go out through every slave.",
        ..UNBUILT
    },
    OptionDesc {
        id: OptionId::TlbDynamicLb,
        name: "tlb_dynamic_lb",
        values: Values::Choice(OFF_ON),
        default: 1,
        unsupported: NO_LOAD,
        if_down: true,
        netlink: netlink(27, NetlinkKind::U8),
        sysfs: sysfs(Show::Number),
        help: "Whether balance-tlb moves flows between slaves by their load.",
        ..UNBUILT
    },
];
