// SPDX-License-Identifier: GPL-2.0

//! The table of options against what users and tools of the in-tree driver rely on.

use policy::options::{NetlinkKind, ParamKind, Scope, Show, Values, OPTIONS};
use policy::{Config, Mode, OptionId};

/// `enum` of the `IFLA_BOND_*` attributes in `linux/if_link.h`, from 1; what is not an option
/// (`AD_INFO`) is empty.
const IFLA_BOND: [&str; 34] = [
    "mode",
    "active_slave",
    "miimon",
    "updelay",
    "downdelay",
    "use_carrier",
    "arp_interval",
    "arp_ip_target",
    "arp_validate",
    "arp_all_targets",
    "primary",
    "primary_reselect",
    "fail_over_mac",
    "xmit_hash_policy",
    "resend_igmp",
    "num_unsol_na",
    "all_slaves_active",
    "min_links",
    "lp_interval",
    "packets_per_slave",
    "lacp_rate",
    "ad_select",
    "",
    "ad_actor_sys_prio",
    "ad_user_port_key",
    "ad_actor_system",
    "tlb_dynamic_lb",
    "peer_notif_delay",
    "lacp_active",
    "arp_missed_max",
    "ns_ip6_target",
    "coupled_control",
    "broadcast_neighbor",
    "lacp_strict",
];

/// The attributes in `/sys/class/net/BOND/bonding/` of the in-tree driver that can be written.
const SYSFS: [&str; 32] = [
    "slaves",
    "mode",
    "fail_over_mac",
    "arp_validate",
    "arp_all_targets",
    "arp_interval",
    "arp_ip_target",
    "downdelay",
    "updelay",
    "peer_notif_delay",
    "lacp_active",
    "lacp_rate",
    "ad_select",
    "xmit_hash_policy",
    "num_grat_arp",
    "num_unsol_na",
    "miimon",
    "primary",
    "primary_reselect",
    "use_carrier",
    "active_slave",
    "queue_id",
    "all_slaves_active",
    "resend_igmp",
    "min_links",
    "lp_interval",
    "packets_per_slave",
    "tlb_dynamic_lb",
    "ad_actor_sys_prio",
    "ad_actor_system",
    "ad_user_port_key",
    "arp_missed_max",
];

/// The options that the in-tree driver does not have.
const OWN: [&str; 4] = [
    "link_events",
    "resilient_hash",
    "rlb_ipv6",
    "announce_stations",
];

/// The parameters of the in-tree module.
const PARAMS: [(&str, ParamKind); 24] = [
    ("max_bonds", ParamKind::Int),
    ("tx_queues", ParamKind::Int),
    ("num_grat_arp", ParamKind::Int),
    ("num_unsol_na", ParamKind::Int),
    ("miimon", ParamKind::Int),
    ("updelay", ParamKind::Int),
    ("downdelay", ParamKind::Int),
    ("use_carrier", ParamKind::Int),
    ("mode", ParamKind::Charp),
    ("primary", ParamKind::Charp),
    ("primary_reselect", ParamKind::Charp),
    ("lacp_rate", ParamKind::Charp),
    ("ad_select", ParamKind::Charp),
    ("min_links", ParamKind::Int),
    ("xmit_hash_policy", ParamKind::Charp),
    ("arp_interval", ParamKind::Int),
    ("arp_ip_target", ParamKind::CharpArray),
    ("arp_validate", ParamKind::Charp),
    ("arp_all_targets", ParamKind::Charp),
    ("fail_over_mac", ParamKind::Charp),
    ("all_slaves_active", ParamKind::Int),
    ("resend_igmp", ParamKind::Int),
    ("packets_per_slave", ParamKind::Int),
    ("lp_interval", ParamKind::Uint),
];

fn sorted(names: impl Iterator<Item = &'static str>) -> Vec<&'static str> {
    let mut names: Vec<_> = names.collect();
    names.sort_unstable();
    names
}

#[test]
fn every_option_finds_its_entry() {
    for (place, desc) in OPTIONS.iter().enumerate() {
        assert_eq!(desc.id as usize, place);
        assert_eq!(desc.id.desc().name, desc.name);
        assert_eq!(OptionId::from_name(desc.name.as_bytes()), Some(desc.id));
        assert!(
            !desc.help.is_empty() && desc.help.ends_with('.'),
            "{}",
            desc.name
        );
    }
    assert_eq!(OptionId::from_name(b"no_such_option"), None);
}

#[test]
fn netlink_attributes_are_those_of_if_link_h() {
    for (place, name) in IFLA_BOND
        .into_iter()
        .enumerate()
        .filter(|(_, name)| !name.is_empty())
    {
        let desc = OptionId::from_name(name.as_bytes()).expect(name).desc();
        let netlink = desc.netlink.expect(name);
        assert_eq!(usize::from(netlink.attribute), place + 1, "{name}");
    }
    let of_bonds = OPTIONS
        .iter()
        .filter(|it| it.scope == Scope::Bond && it.netlink.is_some());
    assert_eq!(of_bonds.count(), IFLA_BOND.len() - 1);
    let of_slaves = |name: &str| {
        OptionId::from_name(name.as_bytes())
            .unwrap()
            .desc()
            .netlink
            .unwrap()
    };
    assert_eq!(
        (of_slaves("queue_id").attribute, of_slaves("queue_id").kind),
        (5, NetlinkKind::U16)
    );
    assert_eq!(
        (of_slaves("prio").attribute, of_slaves("prio").kind),
        (9, NetlinkKind::S32)
    );
    assert_eq!(of_slaves("actor_port_prio").attribute, 10);
}

#[test]
fn netlink_types_are_those_of_the_in_tree_policy() {
    let u32s = [
        "miimon",
        "updelay",
        "downdelay",
        "arp_interval",
        "arp_validate",
        "arp_all_targets",
        "resend_igmp",
        "min_links",
        "lp_interval",
        "packets_per_slave",
        "peer_notif_delay",
    ];
    for desc in OPTIONS.iter().filter(|desc| desc.scope == Scope::Bond) {
        let Some(netlink) = desc.netlink else {
            continue;
        };
        let expected = match desc.name {
            "active_slave" | "primary" => NetlinkKind::Ifindex,
            "arp_ip_target" | "ns_ip6_target" => NetlinkKind::Nested,
            "ad_actor_system" => NetlinkKind::EthAddr,
            "ad_actor_sys_prio" | "ad_user_port_key" => NetlinkKind::U16,
            name if u32s.contains(&name) => NetlinkKind::U32,
            _ => NetlinkKind::U8,
        };
        assert_eq!(netlink.kind, expected, "{}", desc.name);
    }
}

#[test]
fn sysfs_has_the_attributes_of_the_in_tree_driver_and_ours() {
    let ours = OPTIONS
        .iter()
        .filter(|desc| desc.sysfs.is_some())
        .map(|desc| desc.name);
    assert_eq!(sorted(ours), sorted(SYSFS.into_iter().chain(OWN)));
    for desc in OPTIONS.iter() {
        assert!(
            desc.sysfs.is_none_or(|sysfs| sysfs.mode == 0o644),
            "{}",
            desc.name
        );
    }
}

#[test]
fn parameters_are_those_of_the_in_tree_module_and_ours() {
    let ours = OPTIONS
        .iter()
        .filter(|desc| desc.param.is_some())
        .map(|desc| desc.name);
    let theirs = PARAMS.into_iter().map(|(name, _)| name);
    assert_eq!(sorted(ours), sorted(theirs.chain(OWN)));
    for (name, kind) in PARAMS {
        let param = OptionId::from_name(name.as_bytes())
            .unwrap()
            .desc()
            .param
            .unwrap();
        assert_eq!(param.kind, kind, "{name}");
        let writable = matches!(name, "num_grat_arp" | "num_unsol_na");
        assert_eq!(param.mode, if writable { 0o644 } else { 0 }, "{name}");
    }
}

#[test]
fn defaults_are_values_and_those_of_a_new_bond() {
    for desc in OPTIONS.iter() {
        if matches!(desc.values, Values::Choice(_) | Values::Range { .. }) {
            assert!(desc.takes(desc.default), "{}", desc.name);
        }
        if let Some(number) = Config::default().number(desc.id) {
            assert_eq!(number, desc.default, "{}", desc.name);
        }
    }
}

#[test]
fn texts_and_numbers_go_back_and_forth() {
    for desc in OPTIONS.iter() {
        let Values::Choice(names) = desc.values else {
            continue;
        };
        for it in names {
            assert_eq!(desc.text_of(it.number), Some(it.text));
            let parsed = policy::options::parse(desc.id, it.text.as_bytes());
            assert_eq!(
                parsed,
                Ok(policy::Value::Number(it.number)),
                "{}",
                desc.name
            );
        }
    }
    for mode in Mode::ALL {
        assert_eq!(
            OptionId::Mode.desc().text_of(u64::from(mode.number())),
            Some(mode.name())
        );
        assert_eq!(Mode::from_number(u64::from(mode.number())), Some(mode));
    }
    assert_eq!(Mode::from_number(7), None);
    assert_eq!(Mode::from_number(u64::MAX), None);
}

#[test]
fn what_sysfs_shows_can_be_written_back() {
    for desc in OPTIONS.iter() {
        let config = Config::default();
        let shown = config.show(desc.id).to_string();
        let style = desc.sysfs.map(|sysfs| sysfs.show);
        if matches!(style, Some(Show::Number | Show::NameNumber)) {
            assert!(shown.ends_with('\n'), "{}", desc.name);
            let number = config.number(desc.id).unwrap();
            let parsed = policy::options::parse(desc.id, shown.as_bytes());
            assert_eq!(parsed, Ok(policy::Value::Number(number)), "{}", desc.name);
        } else if style.is_some() {
            assert_eq!(shown, "", "{}", desc.name);
        }
    }
}

#[test]
fn proc_has_the_lines_of_the_in_tree_driver() {
    let labels: Vec<_> = OPTIONS.iter().filter_map(|desc| desc.proc_label).collect();
    assert_eq!(
        labels,
        [
            "MII Polling Interval (ms)",
            "Up Delay (ms)",
            "Down Delay (ms)",
            "Peer Notification Delay (ms)",
            "ARP Polling Interval (ms)",
            "ARP Missed Max",
            "ARP IP target/s (n.n.n.n form)",
            "NS IPv6 target/s (xx::xx form)",
        ]
    );
}

#[test]
fn descriptions_of_modes_are_those_that_parsers_of_proc_know() {
    assert_eq!(
        Mode::RoundRobin.description(),
        "load balancing (round-robin)"
    );
    assert_eq!(
        Mode::ActiveBackup.description(),
        "fault-tolerance (active-backup)"
    );
    assert_eq!(Mode::Xor.description(), "load balancing (xor)");
    assert_eq!(Mode::Broadcast.description(), "fault-tolerance (broadcast)");
    assert_eq!(
        Mode::Ieee8023ad.description(),
        "IEEE 802.3ad Dynamic link aggregation"
    );
    assert_eq!(Mode::Tlb.description(), "transmit load balancing");
    assert_eq!(Mode::Alb.description(), "adaptive load balancing");
}
