// SPDX-License-Identifier: GPL-2.0

//! The table of options: the options that this version has, and the helpers to write the table.

use super::{
    modes, Modes, Named, Netlink, NetlinkKind, OptionDesc, OptionId, Param, ParamKind, Scope, Show,
    Sysfs, Values,
};
use crate::mode::{Active, Idle, Mode, Probes, Protocol, Sender};

pub(super) const INT_MAX: u64 = i32::MAX as u64;

pub(super) const fn named(text: &'static str, number: u64) -> Named {
    Named { text, number }
}

pub(super) const OFF_ON: &[Named] = &[named("off", 0), named("on", 1)];

/// A number that fits a C `int`, zero meaning that the option is off.
pub(super) const UP_TO_INT_MAX: Values = Values::Range {
    min: 0,
    max: INT_MAX,
    named: &[named("off", 0), named("maxval", INT_MAX)],
};

/// How often to send something.
const COUNT: Values = Values::Range {
    min: 0,
    max: 255,
    named: &[named("off", 0), named("maxval", 255)],
};

const fn named_mode(mode: Mode) -> Named {
    named(mode.name(), mode.number() as u64)
}

const MODES: [Named; 7] = {
    let [rr, backup, xor, broadcast, ad, tlb, alb] = Mode::ALL;
    [
        named_mode(rr),
        named_mode(backup),
        named_mode(xor),
        named_mode(broadcast),
        named_mode(ad),
        named_mode(tlb),
        named_mode(alb),
    ]
};

/// The modes without an active slave.
const NO_ACTIVE: Modes = modes!(active: Active::All);

/// The modes in which packets do not leave through the slaves in turn.
const NO_TURN: Modes = modes!(sender: Sender::Active | Sender::Hash | Sender::All | Sender::Load);

/// The modes without LACP.
const NO_LACP: Modes = modes!(protocol: Protocol::None);

/// The modes that do not balance the load.
const NO_LOAD: Modes = modes!(sender: Sender::Turn | Sender::Active | Sender::Hash | Sender::All);

/// The modes without clients that send to one of the slaves each.
const NO_CLIENTS: Modes = modes!(idle: Idle::InUse | Idle::Backup | Idle::Inactive);

/// The modes without the ARP monitor.
const NO_PROBES: Modes = modes!(probes: Probes::Refused);

pub(super) const fn netlink(attribute: u16, kind: NetlinkKind) -> Option<Netlink> {
    Some(Netlink { attribute, kind })
}

pub(super) const fn sysfs(show: Show) -> Option<Sysfs> {
    Some(Sysfs { mode: 0o644, show })
}

pub(super) const fn param(kind: ParamKind, description: &'static str) -> Option<Param> {
    Some(Param {
        kind,
        mode: 0,
        description,
    })
}

/// What an entry has unless it says otherwise.
pub(super) const OPTION: OptionDesc = OptionDesc {
    id: OptionId::Mode,
    name: "",
    scope: Scope::Bond,
    values: Values::Interface,
    default: 0,
    unit: "",
    unsupported: Modes::NONE,
    no_slaves: false,
    if_down: false,
    netlink: None,
    sysfs: None,
    param: None,
    proc_label: None,
    help: "",
    takes_default: true,
};

/// Every option, in the order of [`OptionId`].
pub static OPTIONS: [OptionDesc; 44] = in_order([
    OptionDesc {
        id: OptionId::Mode,
        name: "mode",
        values: Values::Choice(&MODES),
        no_slaves: true,
        if_down: true,
        netlink: netlink(1, NetlinkKind::U8),
        sysfs: sysfs(Show::NameNumber),
        param: param(
            ParamKind::Charp,
            "Mode of operation; 0 for balance-rr, 1 for active-backup, 2 for balance-xor, \
             3 for broadcast, 4 for 802.3ad, 5 for balance-tlb, 6 for balance-alb",
        ),
        help: "How the bond uses its slaves. active-backup sends and receives through one and \
               keeps the others ready; balance-rr sends through all of them in turn; balance-xor \
               has a hash of the packet pick one (xmit_hash_policy); broadcast sends through all of \
               them at once; 802.3ad does as balance-xor with those slaves that LACP has agreed on \
               with the switch. balance-tlb: what leaves is spread by load, what arrives is received by one slave. balance-alb: likewise, and each neighbour sends to one of the slaves.",
        ..OPTION
    },
    OptionDesc {
        id: OptionId::Slaves,
        name: "slaves",
        values: Values::Membership,
        sysfs: sysfs(Show::List),
        help: "The slaves of the bond. Write +NAME to enslave an interface, which has to be \
               down, and -NAME to release it.",
        ..OPTION
    },
    OptionDesc {
        id: OptionId::ActiveSlave,
        name: "active_slave",
        values: Values::Interface,
        unsupported: NO_ACTIVE,
        netlink: netlink(2, NetlinkKind::Ifindex),
        sysfs: sysfs(Show::Interface),
        help: "The slave that carries the traffic. Write a name to move it to another slave whose \
               link is up; write an empty line to let the bond choose afresh.",
        ..OPTION
    },
    OptionDesc {
        id: OptionId::Primary,
        name: "primary",
        values: Values::Interface,
        unsupported: NO_ACTIVE,
        netlink: netlink(11, NetlinkKind::Ifindex),
        sysfs: sysfs(Show::Interface),
        param: param(ParamKind::Charp, "Primary network device to use"),
        help: "The slave to prefer: it is active whenever its link is up, within the limits of \
               primary_reselect. It may be named before it is enslaved. An empty line removes \
               the preference.",
        ..OPTION
    },
    OptionDesc {
        id: OptionId::PrimaryReselect,
        name: "primary_reselect",
        values: Values::Choice(&[named("always", 0), named("better", 1), named("failure", 2)]),
        netlink: netlink(12, NetlinkKind::U8),
        sysfs: sysfs(Show::NameNumber),
        param: param(
            ParamKind::Charp,
            "Reselect primary slave once it comes up; 0 for always (default), 1 for only if \
             speed of primary is better, 2 for only on active slave failure",
        ),
        help: "When the primary slave takes over from an active one that works: always; better, \
               that is if it is faster, or as fast with a better duplex mode; or only on failure \
               of the active one.",
        ..OPTION
    },
    OptionDesc {
        id: OptionId::Prio,
        name: "prio",
        scope: Scope::Slave,
        values: Values::Priority,
        unsupported: NO_ACTIVE,
        netlink: netlink(9, NetlinkKind::S32),
        help: "The rank of a slave when the active one is chosen; the highest that is up wins. \
               It has no effect while there is a primary slave.",
        ..OPTION
    },
    OptionDesc {
        id: OptionId::FailOverMac,
        name: "fail_over_mac",
        values: Values::Choice(&[named("none", 0), named("active", 1), named("follow", 2)]),
        no_slaves: true,
        netlink: netlink(13, NetlinkKind::U8),
        sysfs: sysfs(Show::NameNumber),
        param: param(
            ParamKind::Charp,
            "For active-backup, do not set all slaves to the same MAC; 0 for none (default), \
             1 for active, 2 for follow",
        ),
        help: "Whose hardware address an active-backup bond has. none: all slaves get the address \
               of the bond. active: the bond takes the address of the active slave, and slaves \
               keep theirs; the only way for InfiniBand, and chosen by itself there. follow: the \
               address of the bond stays, and moves to the slave that becomes active.",
        ..OPTION
    },
    OptionDesc {
        id: OptionId::LinkEvents,
        name: "link_events",
        values: Values::Choice(OFF_ON),
        default: 1,
        sysfs: sysfs(Show::NameNumber),
        param: param(
            ParamKind::Charp,
            "Act on link events at once, also without miimon; 0 for off (as the in-tree driver), \
             1 for on (default)",
        ),
        help: "Act on a lost or recovered link when the kernel reports it instead of at the next \
               poll, and watch the links even without miimon. off restores the behaviour of the \
               in-tree driver.",
        ..OPTION
    },
    OptionDesc {
        id: OptionId::Miimon,
        name: "miimon",
        values: UP_TO_INT_MAX,
        unit: "ms",
        netlink: netlink(3, NetlinkKind::U32),
        sysfs: sysfs(Show::Number),
        param: param(ParamKind::Int, "Link check interval in milliseconds"),
        proc_label: Some("MII Polling Interval (ms)"),
        help: "How often the links are polled; 0 for never. With link_events the poll is only \
               the safety net for devices that report late. It is also the unit of updelay, \
               downdelay and peer_notif_delay, which change with it.",
        ..OPTION
    },
    OptionDesc {
        id: OptionId::Updelay,
        name: "updelay",
        values: UP_TO_INT_MAX,
        unit: "ms",
        netlink: netlink(4, NetlinkKind::U32),
        sysfs: sysfs(Show::Number),
        param: param(
            ParamKind::Int,
            "Delay before considering link up, in milliseconds",
        ),
        proc_label: Some("Up Delay (ms)"),
        help: "How long a link must have carrier before it counts as up. A bond without any other \
               link does not wait. Rounded down to a multiple of miimon, which has to be set.",
        ..OPTION
    },
    OptionDesc {
        id: OptionId::Downdelay,
        name: "downdelay",
        values: UP_TO_INT_MAX,
        unit: "ms",
        netlink: netlink(5, NetlinkKind::U32),
        sysfs: sysfs(Show::Number),
        param: param(
            ParamKind::Int,
            "Delay before considering link down, in milliseconds",
        ),
        proc_label: Some("Down Delay (ms)"),
        help: "How long a link must be without carrier before it counts as down. Rounded down to \
               a multiple of miimon, which has to be set.",
        ..OPTION
    },
    OptionDesc {
        id: OptionId::UseCarrier,
        name: "use_carrier",
        values: Values::Choice(OFF_ON),
        default: 1,
        netlink: netlink(6, NetlinkKind::U8),
        sysfs: sysfs(Show::Number),
        param: param(
            ParamKind::Int,
            "Where link state is read; 1 for the carrier of the device (default), 0 for ethtool or \
             MII registers",
        ),
        help: "Where the state of a link is read. on (1): from the carrier that the slave's driver \
               reports to the kernel; right for all drivers that are maintained. off (0): from the \
               driver itself, through ethtool, or else through its MII registers, for drivers \
               that do not report it; a link whose driver has neither counts as up. Hardware that \
               sleeps is not woken for that, nor is a driver asked that refuses: what it said last \
               counts, and the carrier of a slave that has just been opened. A device that its \
               driver has detached is down. off makes each poll take a lock that all network \
               configuration takes. The in-tree driver has dropped off.",
        ..OPTION
    },
    OptionDesc {
        id: OptionId::NumGratArp,
        name: "num_grat_arp",
        values: COUNT,
        default: 1,
        sysfs: sysfs(Show::Number),
        param: Some(Param {
            kind: ParamKind::Int,
            mode: 0o644,
            description: "Number of peer notifications to send on failover event \
                          (alias of num_unsol_na)",
        }),
        help: "How often the peers are told of a failover, by gratuitous ARP and unsolicited \
               neighbour advertisements. The same setting as num_unsol_na.",
        ..OPTION
    },
    OptionDesc {
        id: OptionId::NumUnsolNa,
        name: "num_unsol_na",
        values: COUNT,
        default: 1,
        netlink: netlink(16, NetlinkKind::U8),
        sysfs: sysfs(Show::Number),
        param: Some(Param {
            kind: ParamKind::Int,
            mode: 0o644,
            description: "Number of peer notifications to send on failover event \
                          (alias of num_grat_arp)",
        }),
        help: "The same setting as num_grat_arp.",
        ..OPTION
    },
    OptionDesc {
        id: OptionId::PeerNotifDelay,
        name: "peer_notif_delay",
        values: Values::Range {
            min: 0,
            max: 300_000,
            named: &[named("off", 0), named("maxval", 300_000)],
        },
        takes_default: false,
        unit: "ms",
        netlink: netlink(28, NetlinkKind::U32),
        sysfs: sysfs(Show::Number),
        proc_label: Some("Peer Notification Delay (ms)"),
        help: "The time from one notification of the peers to the next. Rounded down to a \
               multiple of miimon, which has to be set; 0 means one interval of the monitor that \
               is on, or 100 ms without one.",
        ..OPTION
    },
    OptionDesc {
        id: OptionId::ArpInterval,
        name: "arp_interval",
        values: UP_TO_INT_MAX,
        unit: "ms",
        unsupported: NO_PROBES,
        netlink: netlink(7, NetlinkKind::U32),
        sysfs: sysfs(Show::Number),
        param: param(ParamKind::Int, "arp interval in milliseconds"),
        proc_label: Some("ARP Polling Interval (ms)"),
        help: "How often the targets are probed, to watch the links end to end; 0 for never. A \
               high-resolution timer keeps the interval, so that 1 means one millisecond. In \
               active-backup mode the active slave sends the probes and the others hear them; in \
               the other modes every slave sends its own. A lost carrier counts at once here too, \
               unless link_events is off. It works over InfiniBand as well. It takes the place of \
               miimon: setting either switches the other off, and one request of ip cannot set \
               both.",
        ..OPTION
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
        unit: "intervals",
        unsupported: NO_PROBES,
        netlink: netlink(30, NetlinkKind::U8),
        sysfs: sysfs(Show::Number),
        proc_label: Some("ARP Missed Max"),
        help: "How many intervals of arp_interval must pass without an answer for a link to count \
               as down; one and a half if it is 1. A backup slave is given one and a half more. A probe \
               without an answer is repeated after half an interval, so that a single lost packet \
               does not count. A slave that hears an answer again is up at once.",
        ..OPTION
    },
    OptionDesc {
        id: OptionId::ArpIpTarget,
        name: "arp_ip_target",
        values: Values::ArpTargets,
        netlink: netlink(8, NetlinkKind::Nested),
        sysfs: sysfs(Show::List),
        param: param(ParamKind::CharpArray, "arp targets in n.n.n.n form"),
        proc_label: Some("ARP IP target/s (n.n.n.n form)"),
        help: "The IPv4 addresses that are probed by ARP requests, 16 at most, for instance that \
               of the router. Write +ADDRESS to add one and -ADDRESS to remove one; ip takes the \
               whole list, separated by commas, in place of the one before.",
        ..OPTION
    },
    OptionDesc {
        id: OptionId::NsIp6Target,
        name: "ns_ip6_target",
        values: Values::NsTargets,
        netlink: netlink(31, NetlinkKind::Nested),
        proc_label: Some("NS IPv6 target/s (xx::xx form)"),
        help: "The IPv6 addresses that are probed by neighbour solicitations, 16 at most. ip \
               takes the whole list, separated by commas, in place of the one before.",
        ..OPTION
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
        unsupported: NO_PROBES,
        netlink: netlink(9, NetlinkKind::U32),
        sysfs: sysfs(Show::NameNumber),
        param: param(
            ParamKind::Charp,
            "validate src/dst of ARP probes; 0 for none (default), 1 for active, 2 for backup, \
             3 for all",
        ),
        help: "What shows that a link works. none: anything that is received. active, backup, \
               all: on the slaves so named only what has to do with the targets: their answers, \
               and on a backup slave the probes of the active one. filter: only ARP and IPv6, of \
               whatever sender; filter_active and filter_backup do both. All of them work over \
               InfiniBand too. A new mode of the bond, and miimon in place of arp_interval, set \
               it back to none.",
        ..OPTION
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
        help: "Whether a link works if any target answers, or only if all do, those of \
               arp_ip_target and of ns_ip6_target together.",
        ..OPTION
    },
    OptionDesc {
        id: OptionId::ResendIgmp,
        name: "resend_igmp",
        values: COUNT,
        default: 1,
        netlink: netlink(15, NetlinkKind::U32),
        sysfs: sysfs(Show::Number),
        param: param(
            ParamKind::Int,
            "Number of IGMP membership reports to send on link failure",
        ),
        help: "How often IGMP membership is reported again after a failover, every 200 ms.",
        ..OPTION
    },
    OptionDesc {
        id: OptionId::AllSlavesActive,
        name: "all_slaves_active",
        values: Values::Choice(OFF_ON),
        netlink: netlink(17, NetlinkKind::U8),
        sysfs: sysfs(Show::Number),
        param: param(
            ParamKind::Int,
            "Keep all frames received on an interface by setting active flag for all slaves; \
             0 for never (default), 1 for always.",
        ),
        help: "Whether frames that arrive on slaves other than the active one are received too. \
               They are normally dropped, since they are duplicates.",
        ..OPTION
    },
    OptionDesc {
        id: OptionId::MinLinks,
        name: "min_links",
        values: UP_TO_INT_MAX,
        unit: "links",
        netlink: netlink(18, NetlinkKind::U32),
        sysfs: sysfs(Show::Number),
        param: param(
            ParamKind::Int,
            "Minimum number of available links before turning on carrier",
        ),
        help: "How many slaves of an 802.3ad bond must carry traffic for the bond to have carrier; 0 \
               counts as 1. No effect in other modes.",
        ..OPTION
    },
    OptionDesc {
        id: OptionId::PacketsPerSlave,
        name: "packets_per_slave",
        values: Values::Range {
            min: 0,
            max: 65_535,
            named: &[named("maxval", 65_535)],
        },
        default: 1,
        unit: "packets",
        unsupported: NO_TURN,
        netlink: netlink(20, NetlinkKind::U32),
        sysfs: sysfs(Show::Number),
        param: param(
            ParamKind::Int,
            "Packets to send per slave in balance-rr mode; 0 for a random slave, 1 packet per \
             slave (default), >1 packets per slave.",
        ),
        help: "How many packets go out through a slave before it is the next one's turn; 0 takes \
               a slave at random for each packet.",
        ..OPTION
    },
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
        help: "What picks the slave of a packet in balance-xor and 802.3ad mode, and the flow that a packet \
               belongs to in balance-tlb and, with tlb_dynamic_lb off, in balance-alb mode. layer2: the \
               hardware addresses and the protocol; layer2+3: these and the IP addresses; layer3+4: the IP addresses \
               and the ports, or the identifier of an ICMP message; encap2+3, encap3+4: likewise, \
               of the innermost packet of a tunnel; vlan+srcmac: the VLAN and the source's \
               hardware address. The same packet takes the same slave as with the in-tree driver.",
        ..OPTION
    },
    OptionDesc {
        id: OptionId::ResilientHash,
        name: "resilient_hash",
        values: Values::Choice(OFF_ON),
        default: 1,
        sysfs: sysfs(Show::NameNumber),
        param: param(
            ParamKind::Charp,
            "Move only the flows of a slave that is lost; 0 for off (as the in-tree driver), \
             1 for on (default)",
        ),
        help: "Whether xmit_hash_policy leaves the other flows where they are when a slave is lost or \
               comes back. on: only the flows of that slave move, and are spread evenly over the \
               others; when it comes back, they return to it, with a share of the flows of slaves \
               that are still lost. off: as in the in-tree driver, the hash picks among those \
               slaves that are left, so nearly all flows move. While all slaves can send, both \
               take the same slave.",
        ..OPTION
    },
    OptionDesc {
        id: OptionId::QueueId,
        name: "queue_id",
        scope: Scope::Slave,
        values: Values::QueueMap,
        netlink: netlink(5, NetlinkKind::U16),
        sysfs: sysfs(Show::List),
        help: "Ties a transmit queue of the bond to a slave: packets in that queue leave through \
               it while its link is up. 0 ties none. Write SLAVE:QUEUE.",
        ..OPTION
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
        help: "When an 802.3ad bond uses another aggregator than before, and which. stable: when the \
               one in use has no link or no partner left; then the one with the most bandwidth. \
               bandwidth, count, actor_port_prio: whenever another one has more bandwidth, more \
               links, or a larger sum of actor_port_prio.",
        ..OPTION
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
        help: "How often balance-tlb and balance-alb send learning packets, from which switches learn \
               where the addresses of the bond and of its slaves are. Other modes keep the value.",
        ..OPTION
    },
    OptionDesc {
        id: OptionId::MaxBonds,
        name: "max_bonds",
        scope: Scope::Module,
        values: Values::Range {
            min: 0,
            max: INT_MAX,
            named: &[],
        },
        default: 1,
        unit: "bonds",
        param: param(ParamKind::Int, "Max number of bonded devices"),
        help: "How many bonds the module creates when it is loaded: bond0, bond1 and so on. It \
               does not limit how many are added later.",
        ..OPTION
    },
    OptionDesc {
        id: OptionId::TxQueues,
        name: "tx_queues",
        scope: Scope::Module,
        values: Values::Range {
            min: 1,
            max: 255,
            named: &[],
        },
        default: 16,
        unit: "queues",
        param: param(
            ParamKind::Int,
            "Max number of transmit queues (default = 16)",
        ),
        help: "How many transmit queues each bond has.",
        ..OPTION
    },
    OptionDesc {
        id: OptionId::LacpActive,
        name: "lacp_active",
        values: Values::Choice(OFF_ON),
        default: 1,
        unsupported: NO_LACP,
        if_down: true,
        netlink: netlink(29, NetlinkKind::U8),
        sysfs: sysfs(Show::NameNumber),
        help: "Whether the bond sends LACPDUs of its own accord (on), or only in answer to a \
               partner that does (off). Two ends that are both off never form an aggregate.",
        ..OPTION
    },
    OptionDesc {
        id: OptionId::LacpRate,
        name: "lacp_rate",
        values: Values::Choice(&[named("slow", 0), named("fast", 1)]),
        takes_default: false,
        unsupported: NO_LACP,
        if_down: true,
        netlink: netlink(21, NetlinkKind::U8),
        sysfs: sysfs(Show::NameNumber),
        param: param(
            ParamKind::Charp,
            "LACPDU tx rate to request from 802.3ad partner; 0 for slow, 1 for fast",
        ),
        help: "How often the partner is asked to send LACPDUs: every 30 seconds (slow), so \
               that a silent partner is noticed after 90 seconds, or every second (fast), so \
               that it is noticed after 3.",
        ..OPTION
    },
    OptionDesc {
        id: OptionId::LacpStrict,
        name: "lacp_strict",
        values: Values::Choice(OFF_ON),
        unsupported: NO_LACP,
        netlink: netlink(34, NetlinkKind::U8),
        help: "Whether a slave carries traffic only while an LACP partner answers. off: \
               without any partner, the slave with the highest actor_port_prio (of equals the \
               fastest, then the first) carries all traffic, 3 seconds after its link came up, \
               so that a host can boot from a switch that does not run LACP yet. on: no \
               partner, no carrier.",
        ..OPTION
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
        unsupported: NO_LACP,
        netlink: netlink(24, NetlinkKind::U16),
        sysfs: sysfs(Show::AdOnly),
        help: "The system priority in LACPDUs. The system with the lower number has the higher \
               priority, and decides where the two ends would use different aggregators.",
        ..OPTION
    },
    OptionDesc {
        id: OptionId::AdActorSystem,
        name: "ad_actor_system",
        values: Values::HardwareAddress,
        unsupported: NO_LACP,
        netlink: netlink(26, NetlinkKind::EthAddr),
        sysfs: sysfs(Show::AdOnly),
        help: "The system address in LACPDUs; all zeros stand for the address of the bond. It \
               must not be the address of a group.",
        ..OPTION
    },
    OptionDesc {
        id: OptionId::AdUserPortKey,
        name: "ad_user_port_key",
        values: Values::Range {
            min: 0,
            max: 1023,
            named: &[named("minval", 0), named("maxval", 1023)],
        },
        unsupported: NO_LACP,
        if_down: true,
        netlink: netlink(25, NetlinkKind::U16),
        sysfs: sysfs(Show::AdOnly),
        help: "The upper ten bits of the key of all ports; the lower six are made of the speed \
               and the duplex mode. Only ports with the same key form an aggregate.",
        ..OPTION
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
        unsupported: NO_LACP,
        netlink: netlink(10, NetlinkKind::U16),
        help: "The port priority of a slave in LACPDUs. It also decides which slave carries \
               the traffic without a partner and, with ad_select actor_port_prio, which \
               aggregator is used: the one with the largest sum.",
        ..OPTION
    },
    OptionDesc {
        id: OptionId::CoupledControl,
        name: "coupled_control",
        values: Values::Choice(OFF_ON),
        default: 1,
        unsupported: NO_LACP,
        if_down: true,
        netlink: netlink(32, NetlinkKind::U8),
        help: "Whether a slave begins to receive and to send at the same time (on), or begins \
               to send only when the partner says that it receives (off).",
        ..OPTION
    },
    OptionDesc {
        id: OptionId::BroadcastNeighbor,
        name: "broadcast_neighbor",
        values: Values::Choice(OFF_ON),
        unsupported: NO_LACP,
        netlink: netlink(33, NetlinkKind::U8),
        help: "Whether ARP and IPv6 neighbour discovery leave through every slave that carries \
               traffic, for hosts between two switches that do not share what they learn. A \
               change of the mode sets it back to off.",
        ..OPTION
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
        help: "Whether balance-tlb and balance-alb choose the slave of a packet that leaves by the load \
               of the slaves, and move flows when the load becomes uneven (on), or by \
               xmit_hash_policy alone (off). Choosing balance-alb sets it to on.",
        ..OPTION
    },
    OptionDesc {
        id: OptionId::RlbIpv6,
        name: "rlb_ipv6",
        values: Values::Choice(OFF_ON),
        unsupported: NO_CLIENTS,
        if_down: true,
        sysfs: sysfs(Show::NameNumber),
        param: param(
            ParamKind::Charp,
            "Have IPv6 neighbours send to one of the slaves each in balance-alb mode; 0 for off \
             (default, as the in-tree driver), 1 for on",
        ),
        help: "Whether balance-alb tells each IPv6 neighbour the address of one of the slaves in \
               neighbour discovery, as it does IPv4 neighbours in ARP. off: all IPv6 neighbours send \
               to the active slave, as with the in-tree driver.",
        ..OPTION
    },
    OptionDesc {
        id: OptionId::AnnounceStations,
        name: "announce_stations",
        values: Values::Choice(OFF_ON),
        unsupported: NO_ACTIVE,
        sysfs: sysfs(Show::NameNumber),
        param: param(
            ParamKind::Charp,
            "Tell the switches after a failover where the stations behind a bridge or a macvlan on \
             the bond are; 0 for off (default, as the in-tree driver), 1 for on",
        ),
        help: "Whether a RARP request from the address of each station that a bridge on the bond knows \
               behind its other ports, and from that of each macvlan on the bond, leaves through the \
               new active slave after a failover, in the VLAN of the station: switches then send \
               there what is for virtual machines and containers that are silent. On a bridge with \
               many stations, these are as many frames.",
        ..OPTION
    },
]);

// Runs at compile time, where a panic is a compile error.
#[allow(clippy::arithmetic_side_effects, clippy::indexing_slicing)]
const fn in_order<const N: usize>(options: [OptionDesc; N]) -> [OptionDesc; N] {
    let mut place = 0;
    while place < N {
        // `OptionId::desc` relies on the order.
        assert!(options[place].id as usize == place);
        place += 1;
    }
    options
}
