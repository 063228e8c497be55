// SPDX-License-Identifier: GPL-2.0

//! The options of the two link monitors: what is probed, and that only one monitor is on.

use std::net::{Ipv4Addr, Ipv6Addr};

use policy::options::{parse, ArpTargets, Request, TargetError, MAX_TARGETS};
use policy::{Mode, OptionId, Value};
use proptest::prelude::*;

use crate::cases::cases;
use crate::options::{active_backup, refused, written, IDLE, UP};

#[test]
fn targets_are_added_and_removed_one_by_one() {
    let id = OptionId::ArpIpTarget;
    let mut config = active_backup();
    for n in 1..=16 {
        config = written(config, id, &format!("+192.0.2.{n}\n"));
    }
    assert_eq!(config.arp_targets.len(), 16);
    let full = refused(config, id, "+192.0.2.17", UP);
    assert_eq!(full.errno(), 22);
    assert!(full.to_string().starts_with("ARP target table is full!"));
    config = written(config, id, "-192.0.2.2");
    let rest: Vec<_> = config.arp_targets.iter().map(|it| it.octets()[3]).collect();
    assert_eq!(rest, [1, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16]);
    for (text, errno, says) in [
        ("+192.0.2.1", 22, "ARP target 192.0.2.1 is already present"),
        (
            "-192.0.2.2",
            22,
            "unable to remove nonexistent ARP target 192.0.2.2",
        ),
        (
            "+0.0.0.0",
            22,
            "invalid ARP target 0.0.0.0 specified for addition",
        ),
        (
            "-255.255.255.255",
            22,
            "invalid ARP target 255.255.255.255 specified for removal",
        ),
        ("", 1, "invalid ARP target specified"),
        ("+", 1, "invalid ARP target specified"),
        ("+1.2.3", 1, "invalid ARP target specified"),
        ("+1.2.3.4.5", 1, "invalid ARP target specified"),
        ("+1.2.3.256", 1, "invalid ARP target specified"),
        ("+1.2.3.a", 1, "invalid ARP target specified"),
        ("=1.2.3.4", 1, "no command found in arp_ip_targets file"),
    ] {
        let error = refused(config, id, text, UP);
        assert_eq!(error.errno(), errno, "{text}");
        assert!(error.to_string().starts_with(says), "{text}: {error}");
    }
}

#[test]
fn a_list_of_targets_replaces_the_one_before_or_nothing() {
    let read = |list: &[&[u8]]| Value::arp_targets(list.iter().copied());
    let first = read(&[&[192, 0, 2, 1], &[192, 0, 2, 2]]).unwrap();
    let (config, effects) = active_backup()
        .apply(OptionId::ArpIpTarget, first, UP)
        .unwrap();
    assert!(effects.probes && effects.notice.is_none());
    assert_eq!(config.arp_targets.len(), 2);
    for bad in [
        read(&[&[192, 0, 2, 1], &[192, 0, 2, 1]]),
        read(&[&[192, 0, 2]]),
        read(&[&[0, 0, 0, 0]]),
        Value::ns_targets([&[0xff; 16][..]].into_iter()),
        Value::ns_targets([&[0; 15][..]].into_iter()),
    ] {
        assert_eq!(bad.unwrap_err().errno(), 22);
    }
    let probed = written(config, OptionId::ArpInterval, "100");
    let (none, effects) = probed
        .apply(OptionId::ArpIpTarget, read(&[]).unwrap(), UP)
        .unwrap();
    assert!(none.arp_targets.is_empty());
    let notice = effects.notice.unwrap().to_string();
    assert!(notice.starts_with("Removing last arp target with arp_interval on"));
}

#[test]
fn the_monitors_exclude_each_other() {
    let config = written(active_backup(), OptionId::Miimon, "100");
    let config = written(config, OptionId::ArpInterval, "50");
    assert_eq!((config.miimon, config.arp_interval), (0, 50));
    let config = written(config, OptionId::ArpValidate, "all");
    let config = written(config, OptionId::Miimon, "0");
    assert_eq!(config.arp_interval, 50);
    let config = written(config, OptionId::Miimon, "10");
    assert_eq!((config.miimon, config.arp_interval), (10, 0));
    assert_eq!(config.text(OptionId::ArpValidate), Some("none"));

    for (id, says) in [
        (
            OptionId::ArpInterval,
            "ARP monitoring cannot be used with MII monitoring",
        ),
        (
            OptionId::ArpValidate,
            "ARP validating cannot be used with MII monitoring",
        ),
    ] {
        let mut request = Request::new(active_backup(), IDLE);
        request.apply(OptionId::Miimon, Value::Number(100)).unwrap();
        request.apply(id, Value::Number(0)).unwrap();
        let error = request.apply(id, Value::Number(1)).unwrap_err();
        assert_eq!((error.errno(), error.extack()), (22, says));
    }
    let mut request = Request::new(active_backup(), IDLE);
    request.apply(OptionId::Miimon, Value::Number(0)).unwrap();
    request
        .apply(OptionId::ArpInterval, Value::Number(1))
        .unwrap();
}

#[test]
fn another_mode_forgets_arp_validate() {
    let config = written(active_backup(), OptionId::ArpInterval, "50");
    let config = written(config, OptionId::ArpValidate, "active");
    let config = written(config, OptionId::Mode, "balance-rr");
    assert_eq!(config.arp_interval, 50);
    assert_eq!(config.text(OptionId::ArpValidate), Some("none"));
    assert_eq!(config.with_mode(Mode::Alb).arp_interval, 0);
    assert_eq!(config.with_mode(Mode::Alb).miimon, 100);
}

fn address() -> impl Strategy<Value = Ipv4Addr> {
    // Often one that is in the list already, and now and then one that cannot be.
    prop_oneof![
        8 => (1u8..24).prop_map(|host| Ipv4Addr::new(192, 0, 2, host)),
        1 => Just(Ipv4Addr::UNSPECIFIED),
        1 => Just(Ipv4Addr::BROADCAST),
    ]
}

proptest! {
    #![proptest_config(cases(1000))]

    #[test]
    fn a_list_of_targets_is_a_short_vec_without_duplicates(
        steps in proptest::collection::vec((any::<bool>(), address()), 0..80),
    ) {
        let (mut list, mut model) = (ArpTargets::NONE, Vec::new());
        for (add, addr) in steps {
            let place = model.iter().position(|&it| it == addr);
            let cannot_be = addr.is_unspecified() || addr.is_broadcast();
            let expected = match (add, place) {
                _ if cannot_be => Err(TargetError::NotProbable),
                (true, Some(_)) => Err(TargetError::Duplicate),
                (true, None) if model.len() == MAX_TARGETS => Err(TargetError::Full),
                (true, None) => {
                    model.push(addr);
                    Ok(())
                }
                (false, None) => Err(TargetError::Missing),
                (false, Some(place)) => {
                    model.remove(place);
                    Ok(())
                }
            };
            let done = if add { list.add(addr) } else { list.remove(addr) };
            prop_assert_eq!(done, expected);
            prop_assert_eq!(list.iter().collect::<Vec<_>>(), &model[..]);
            prop_assert_eq!((list.len(), list.is_empty()), (model.len(), model.is_empty()));
        }
    }

    #[test]
    fn an_address_is_read_whatever_stands_behind_it(
        octets: [u8; 4], add: bool, zeros in 0usize..9, rest in "([^0-9a-fA-F.]([ -~]{0,20}))?",
    ) {
        let [a, b, c, d] = octets;
        let zeros = "0".repeat(zeros);
        let text = format!("{}{a}.{zeros}{b}.{c}.{zeros}{d}{rest}", if add { '+' } else { '-' });
        let addr = Ipv4Addr::from(octets);
        prop_assert_eq!(
            parse(OptionId::ArpIpTarget, text.as_bytes()),
            Ok(Value::Target { add, addr })
        );
    }

    #[test]
    fn a_list_from_netlink_keeps_its_order(hosts in proptest::collection::vec(1u16..100, 0..20)) {
        let addrs: Vec<_> = hosts
            .iter()
            .map(|&host| Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, host).octets())
            .collect();
        let mut unique = hosts.clone();
        unique.sort_unstable();
        unique.dedup();
        match Value::ns_targets(addrs.iter().map(|addr| &addr[..])) {
            Ok(Value::NsTargets(list)) => {
                prop_assert!(unique.len() == hosts.len() && hosts.len() <= MAX_TARGETS);
                prop_assert!(list.iter().map(|it| it.segments()[7]).eq(hosts));
            }
            refused => {
                prop_assert_eq!(refused.unwrap_err().errno(), 22);
                prop_assert!(unique.len() < hosts.len() || hosts.len() > MAX_TARGETS);
            }
        }
    }

    #[test]
    fn a_request_sets_one_monitor_at_most(miimon in 0u64..3, interval in 0u64..3, validate in 0u64..7) {
        let mut request = Request::new(active_backup(), IDLE);
        request.apply(OptionId::Miimon, Value::Number(miimon)).unwrap();
        let arp = request
            .apply(OptionId::ArpInterval, Value::Number(interval))
            .and_then(|()| request.apply(OptionId::ArpValidate, Value::Number(validate)));
        prop_assert_eq!(arp.is_err(), miimon > 0 && (interval > 0 || validate > 0));
    }
}
