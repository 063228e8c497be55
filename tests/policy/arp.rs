// SPDX-License-Identifier: GPL-2.0

//! The ARP monitor as its user sees it, and the packets that it reads.

use std::net::{Ipv4Addr, Ipv6Addr};

use policy::arp::{Duty, Monitor, Receiver, Traffic, Trust, Verdict, Watch};
use policy::options::ArpValidate;
use policy::wire::arp::Arp;
use policy::wire::ether::skip_tags;
use policy::wire::ndisc::{solicited_node, Discovery};
use policy::{Config, Event, Link, LinkState, Mode, OptionId};

use crate::network::{Entry, Network, LATE};
use crate::world::config;

const INTERVALS: [u32; 4] = [1, 10, 100, 1000];

/// Runs a working network for ten intervals.
fn settled(mut net: Network) -> Network {
    net.pass(10 * net.interval);
    assert!(net.keys().all(|key| net.state(key) == LinkState::Up));
    net
}

fn went_down(net: &Network) -> bool {
    net.log
        .iter()
        .any(|(_, entry)| matches!(entry, Entry::Link(_, LinkState::Down, _)))
}

#[test]
fn a_silent_failure_of_the_active_slave_is_noticed_within_two_intervals() {
    for interval in INTERVALS {
        for eighth in 0..16 {
            let mut net = settled(Network::active_backup(2, interval, 2));
            net.pass(eighth * net.interval / 8);
            assert_eq!(net.active(), Some(0));
            net.cable(0, false);
            let limit = 2 * net.interval + 2 * LATE;
            net.until(limit, |net| net.active() == Some(1));
            assert_eq!(net.state(0), LinkState::Down);
            assert_eq!(net.world.port(0).failures, 1);
        }
    }
}

#[test]
fn a_failure_is_noticed_after_as_many_intervals_as_probes_may_be_missed() {
    for missed_max in 1..8 {
        let mut net = settled(Network::active_backup(2, 100, missed_max));
        net.cable(0, false);
        let intervals = u64::from(missed_max);
        let took = net.until(intervals.max(2) * net.interval + 2 * LATE, |net| {
            net.active() == Some(1)
        });
        assert!(took > (intervals - 1) * net.interval, "{took}");
    }
}

#[test]
fn lost_packets_cost_nothing() {
    for mode in [
        Mode::ActiveBackup,
        Mode::RoundRobin,
        Mode::Xor,
        Mode::Broadcast,
    ] {
        for missed_max in 2..6 {
            let mut net = settled(Network::new(mode, 3, 100, missed_max));
            for _ in 0..20 {
                let senders = if mode == Mode::ActiveBackup { 1 } else { 3 };
                net.lose = (u32::from(missed_max) - 1) * senders;
                net.pass(7 * net.interval);
            }
            assert!(!went_down(&net), "{}", net.story());
        }
    }
}

#[test]
fn a_probe_without_an_answer_is_repeated_after_half_an_interval() {
    for missed_max in 1..4 {
        let mut net = settled(Network::active_backup(1, 100, missed_max));
        net.log.clear();
        net.lose = 1;
        net.pass(3 * net.interval);
        let times: Vec<_> = net.log.iter().map(|(time, _)| *time).collect();
        let pauses: Vec<_> = times.windows(2).map(|it| (it[1] - it[0]) / 1000).collect();
        assert_eq!(pauses[0], 50, "{}", net.story());
        assert_eq!(pauses[1], 100, "{}", net.story());
    }
}

#[test]
fn a_machine_that_sleeps_condemns_nobody() {
    for mode in [Mode::ActiveBackup, Mode::RoundRobin] {
        for missed_max in 1..5 {
            for work_first in [false, true] {
                for sixteenth in 0..32 {
                    let mut net = settled(Network::new(mode, 3, 10, missed_max));
                    net.work_first = work_first;
                    net.pass(sixteenth * net.interval / 16);
                    net.stall(50 * net.interval);
                    // A card often loses its carrier as well, so that a probe is sent early.
                    net.carrier(2, false);
                    net.pass(LATE);
                    net.carrier(2, true);
                    net.pass(10 * net.interval);
                    net.log
                        .retain(|(_, entry)| !matches!(entry, Entry::Link(2, ..)));
                    assert!(!went_down(&net), "{}", net.story());
                }
            }
        }
    }
}

#[test]
fn backups_hear_the_probes_of_the_active_slave() {
    for net in [
        Network::active_backup(3, 100, 2),
        Network::active_backup(3, 100, 2).unvalidated(),
    ] {
        let mut net = settled(net);
        net.pass(100 * net.interval);
        assert!(!went_down(&net));
        net.cable(2, false);
        net.until(7 * net.interval / 2 + LATE, |net| {
            net.state(2) == LinkState::Down
        });
        assert_eq!(net.active(), Some(0));
        net.cable(2, true);
        net.until(2 * net.interval, |net| net.state(2) == LinkState::Up);
        assert_eq!(net.active(), Some(0));
    }
}

#[test]
fn a_backup_is_not_blamed_for_what_the_active_slave_does_not_hear() {
    for missed_max in 1..5 {
        let mut net = settled(Network::active_backup(4, 100, missed_max));
        net.cable(0, false);
        net.cable(1, false);
        net.until(20 * net.interval, |net| net.active() == Some(2));
        net.pass(10 * net.interval);
        for key in [2, 3] {
            assert_eq!(net.world.port(key).failures, 0, "{}", net.story());
        }
        assert_eq!(net.state(1), LinkState::Down);
    }
}

#[test]
fn slaves_are_tried_in_turn_while_none_works() {
    let mut net = settled(Network::active_backup(3, 100, 2));
    net.target(false);
    net.until(20 * net.interval, |net| net.active().is_none());
    net.log.clear();
    let first = net.now;
    net.pass(9 * net.interval);
    let turns = net.log.iter().filter_map(|&(time, entry)| match entry {
        Entry::Tried(key) => Some((time, key.expect("a slave is tried at any time"))),
        _ => None,
    });
    let turns: Vec<_> = turns.collect();
    for pair in turns.windows(2) {
        let ((start, key), (end, next)) = (pair[0], pair[1]);
        assert!(
            (100_000..100_000 + 4 * LATE).contains(&(end - start)),
            "{turns:?}"
        );
        assert_eq!(next, (key + 1) % 3);
    }
    assert!(turns.len() >= 8, "{turns:?} since {first}");
    let probes = net.log.iter().filter(|it| matches!(it.1, Entry::Probe(_)));
    assert!(probes.count() <= turns.len() + 1, "one probe in each turn");

    // The first answer ends the turns.
    net.cable(0, false);
    net.target(true);
    net.until(3 * net.interval, |net| net.active().is_some());
    assert_ne!(net.active(), Some(0));
    assert_eq!(net.world.group.tried, None);
    net.pass(3 * net.interval);
    assert_eq!((net.state(1), net.state(2)), (LinkState::Up, LinkState::Up));
    assert_ne!(net.state(0), LinkState::Up);
}

#[test]
fn an_answer_that_the_switch_delivers_to_another_slave_counts_while_slaves_are_tried() {
    let mut net = settled(Network::active_backup(2, 100, 2));
    net.target(false);
    net.until(20 * net.interval, |net| net.active().is_none());
    net.misled = Some(1);
    net.until(3 * net.interval, |net| net.world.group.tried == Some(0));
    net.target(true);
    net.until(2 * net.interval, |net| net.active() == Some(1));
}

#[test]
fn a_bond_without_validation_believes_its_own_probes_and_one_with_it_does_not() {
    let cut_off = |net: Network| {
        let mut net = settled(net);
        net.target(false);
        net.pass(10 * net.interval);
        net.log.clear();
        net.pass(40 * net.interval);
        let ups = |it: &&(u64, Entry)| matches!(it.1, Entry::Link(_, LinkState::Up, _));
        net.log.iter().filter(ups).count()
    };
    assert_eq!(cut_off(Network::active_backup(2, 100, 2)), 0);
    assert!(cut_off(Network::active_backup(2, 100, 2).unvalidated()) > 0);
}

#[test]
fn a_carrier_is_lost_at_once_and_does_not_come_back_by_what_came_before() {
    for mode in [Mode::ActiveBackup, Mode::RoundRobin] {
        let mut net = settled(Network::new(mode, 2, 100, 2));
        // An answer has just come.
        let round = net.traffic(0).last_rx;
        net.until(2 * net.interval, |net| net.traffic(0).last_rx > round);
        net.carrier(0, false);
        assert_eq!(net.state(0), LinkState::Down);
        assert_eq!(net.active(), Some(1));
        // The slave has a carrier again, but the network behind it is broken.
        net.cable(0, false);
        net.carrier(0, true);
        net.pass(10 * net.interval);
        assert_eq!(net.state(0), LinkState::Down, "{}", net.story());
        net.cable(0, true);
        net.until(2 * net.interval, |net| net.state(0) == LinkState::Up);
    }
}

#[test]
fn a_slave_whose_carrier_comes_back_is_heard_long_before_the_next_round() {
    let mut net = settled(Network::new(Mode::RoundRobin, 2, 1000, 2));
    net.carrier(0, false);
    net.pass(2 * net.interval);
    net.carrier(0, true);
    net.until(net.interval / 4 + 2 * LATE, |net| {
        net.state(0) == LinkState::Up
    });
}

#[test]
fn where_all_slaves_send_each_is_judged_by_its_own() {
    for mode in [Mode::RoundRobin, Mode::Xor, Mode::Broadcast] {
        for interval in INTERVALS {
            let mut net = settled(Network::new(mode, 3, interval, 2));
            net.cable(0, false);
            net.cable(2, false);
            let down = |net: &Network, key| net.state(key) == LinkState::Down;
            net.until(2 * net.interval + 2 * LATE, |net| {
                down(net, 0) && down(net, 2)
            });
            net.pass(10 * net.interval);
            assert_eq!(net.state(1), LinkState::Up);
            net.cable(2, true);
            net.until(2 * net.interval, |net| net.state(2) == LinkState::Up);
            net.target(false);
            net.until(3 * net.interval, |net| net.keys().all(|key| down(net, key)));
            assert_eq!(net.world.group.tried, None);
            assert!(net.world.last.is_some_and(|outcome| !outcome.carrier));
        }
    }
}

#[test]
fn the_primary_slave_is_active_again_when_it_is_heard() {
    let mut net = settled(Network::active_backup(2, 100, 2));
    net.world.set_primary(Some(0));
    net.cable(0, false);
    net.until(3 * net.interval, |net| net.active() == Some(1));
    net.cable(0, true);
    net.until(2 * net.interval, |net| net.active() == Some(0));
}

#[test]
fn a_slave_that_cannot_send_is_down_whatever_it_hears() {
    let monitor = monitor(Mode::ActiveBackup, 100, 2);
    let mut traffic = Traffic {
        last_rx: 999_000,
        since: 500_000,
        unanswered: 1,
        unsent: 1,
    };
    let verdict = |traffic: Traffic| monitor.verdict(Link::up(0), Duty::Sends, &traffic, 1_000_000);
    assert_eq!(verdict(traffic), Verdict::Keep);
    traffic.unsent = 2;
    assert_eq!(verdict(traffic), Verdict::Down);
    traffic.since = 900_000;
    assert_eq!(verdict(traffic), Verdict::Keep, "it has just become active");

    let mut net = settled(Network::active_backup(1, 100, 3));
    net.cannot_send = true;
    net.until(4 * net.interval, |net| net.active().is_none());
}

#[test]
fn rounds_are_counted_until_something_is_heard() {
    let silent = Traffic {
        last_rx: 1_000,
        ..Traffic::default()
    };
    let once = silent.after_round(2_000, Some(true));
    let twice = once
        .after_round(3_000, Some(false))
        .after_round(4_000, Some(false));
    assert_eq!((once.unanswered, once.unsent), (1, 0));
    assert_eq!((twice.unanswered, twice.unsent), (3, 2));
    assert_eq!(twice.after_round(5_000, None).unsent, 0);
    let heard = Traffic {
        last_rx: 4_000,
        ..twice
    };
    assert_eq!(heard.after_round(4_000, Some(true)).unanswered, 1);
    assert!(!silent.is_in_doubt() && !once.is_in_doubt() && twice.is_in_doubt());
}

#[test]
fn a_slave_that_leaves_while_it_is_tried_is_tried_no_more() {
    let mut net = settled(Network::active_backup(3, 100, 2));
    net.target(false);
    net.until(20 * net.interval, |net| net.world.group.tried == Some(1));
    let outcome = net.world.release(1);
    assert_eq!(outcome.group.tried, Some(0));
    assert_eq!(outcome.group.active, None);
}

#[test]
fn without_the_monitor_nobody_is_tried() {
    let mut net = settled(Network::active_backup(2, 100, 2));
    net.target(false);
    net.until(20 * net.interval, |net| net.world.group.tried.is_some());
    net.world.config.arp_interval = 0;
    let effects = policy::Effects {
        monitor: true,
        ..Default::default()
    };
    let outcome = net.world.event(Event::OptionsChanged { effects });
    assert_eq!(outcome.group.tried, None);
    assert!(
        outcome.group.active.is_some(),
        "the carrier is what counts now"
    );
    assert!(net.keys().all(|key| net.state(key) == LinkState::Up));
}

#[test]
fn a_bond_without_an_interval_has_no_monitor() {
    let config = config(Mode::ActiveBackup, &[(OptionId::Miimon, 100)]);
    assert_eq!(config.arp_monitor(), None);
}

fn monitor(mode: Mode, interval: u32, missed_max: u8) -> Monitor {
    let mut config = config(mode, &[]);
    config.arp_interval = interval;
    config.arp_missed_max = missed_max;
    config.arp_monitor().expect("an interval")
}

#[test]
fn duties_follow_the_mode() {
    let one = monitor(Mode::ActiveBackup, 1, 2);
    assert_eq!(one.duty(true, true), Duty::Sends);
    assert_eq!(one.duty(false, true), Duty::Listens);
    assert_eq!(one.duty(false, false), Duty::Waits);
    let all = monitor(Mode::RoundRobin, 1, 2);
    assert_eq!(all.duty(false, true), Duty::Sends);
    assert_eq!(all.duty(false, false), Duty::Sends);
    assert!(one.one_sends() && !all.one_sends());
}

#[test]
fn what_is_trusted() {
    let trusts = |is_active, active_was_heard, tried_lately, is_reply| {
        Receiver {
            is_active,
            active_was_heard,
            tried_lately,
        }
        .trusts(is_reply)
    };
    for reply in [false, true] {
        for heard in [None, Some(false), Some(true)] {
            for tried in [false, true] {
                assert_eq!(trusts(true, heard, tried, reply), Some(Trust::Answer));
            }
        }
        assert_eq!(trusts(false, Some(true), false, reply), Some(Trust::Probe));
        // Otherwise the bond would keep itself up by its own probes.
        assert_eq!(trusts(false, Some(false), false, reply), None);
        assert_eq!(trusts(false, None, false, reply), None);
    }
    assert_eq!(trusts(false, None, true, true), Some(Trust::Answer));
    assert_eq!(trusts(false, None, true, false), None);
}

/// An ARP packet from 10.0.0.1 to 10.0.0.2.
fn arp_packet(link_type: u16, operation: u16, addr_len: u8) -> Vec<u8> {
    let mut packet = Vec::new();
    packet.extend(link_type.to_be_bytes());
    packet.extend([8, 0, addr_len, 4]);
    packet.extend(operation.to_be_bytes());
    packet.extend(vec![0xaa; usize::from(addr_len)]);
    packet.extend([10, 0, 0, 1]);
    packet.extend(vec![0xbb; usize::from(addr_len)]);
    packet.extend([10, 0, 0, 2]);
    packet
}

#[test]
fn arp_is_read_on_ethernet_and_on_infiniband() {
    const ETHER: u16 = 1;
    const INFINIBAND: u16 = 32;
    for (link_type, addr_len) in [(ETHER, 6u8), (INFINIBAND, 20)] {
        let packet = arp_packet(link_type, 2, addr_len);
        let len = usize::from(addr_len);
        assert_eq!(packet.len(), Arp::len(len));
        assert!(packet.len() <= Arp::MAX_LEN);
        let reply = Arp {
            is_reply: true,
            sender: Ipv4Addr::new(10, 0, 0, 1),
            target: Ipv4Addr::new(10, 0, 0, 2),
        };
        assert_eq!(Arp::parse(&packet, link_type, len), Some(reply));
        let request = arp_packet(link_type, 1, addr_len);
        let read = Arp::parse(&request, link_type, len).expect("a request");
        assert!(!read.is_reply);
        for end in 0..packet.len() {
            assert_eq!(Arp::parse(&packet[..end], link_type, len), None);
        }
        let padded = [&packet[..], &[0; 18]].concat();
        assert_eq!(Arp::parse(&padded, link_type, len), Some(reply));
        // A packet of another link type, address length or protocol.
        assert_eq!(Arp::parse(&packet, 33 - link_type, len), None);
        assert_eq!(Arp::parse(&packet, link_type, 26 - len), None);
        for (at, byte) in [(2, 0x86), (3, 0xdd), (4, 7), (5, 16)] {
            let mut other = packet.clone();
            other[at] = byte;
            assert_eq!(Arp::parse(&other, link_type, len), None, "byte {at}");
        }
    }
    assert_eq!(Arp::len(32), Arp::MAX_LEN);
}

#[test]
fn neighbour_discovery_is_read() {
    let (source, destination): (Ipv6Addr, Ipv6Addr) = (
        "fe80::1".parse().unwrap(),
        "ff02::1:ff00:2".parse().unwrap(),
    );
    let mut packet = vec![0x60, 0, 0, 0, 0, 32, 58, 255];
    packet.extend(source.octets());
    packet.extend(destination.octets());
    packet.extend([135, 0, 0, 0, 0, 0, 0, 0]);
    assert_eq!(packet.len(), Discovery::LEN);
    let expected = Some(Discovery {
        source,
        destination,
    });
    assert_eq!(Discovery::parse(&packet), expected);
    for kind in 0..=255 {
        packet[40] = kind;
        let read = Discovery::parse(&packet);
        assert_eq!(read.is_some(), kind == 135 || kind == 136, "type {kind}");
    }
    packet[40] = 136;
    packet[6] = 17;
    assert_eq!(Discovery::parse(&packet), None, "UDP");
    packet[6] = 58;
    assert_eq!(Discovery::parse(&packet[..40]), None);
}

#[test]
fn the_group_of_a_node_ends_like_its_address() {
    let addr: Ipv6Addr = "2001:db8::12:3456:789a".parse().unwrap();
    let group: Ipv6Addr = "ff02::1:ff56:789a".parse().unwrap();
    assert_eq!(solicited_node(addr), group);
}

#[test]
fn tags_are_skipped() {
    let bytes = [0, 5, 0x81, 0x00, 0, 7, 0x08, 0x06, 1, 2, 3];
    assert_eq!(skip_tags(0x0806, &bytes), (0x0806, 0));
    assert_eq!(skip_tags(0x8100, &bytes[4..]), (0x0806, 4));
    assert_eq!(skip_tags(0x88a8, &bytes), (0x0806, 8));
    // Cut short: the protocol is still a tag, so nobody takes the rest for ARP.
    assert_eq!(skip_tags(0x8100, &bytes[..3]), (0x8100, 0));
    assert_eq!(skip_tags(0x88a8, &bytes[..7]), (0x8100, 4));
}

#[test]
fn what_was_received_before_the_link_went_down_does_not_bring_it_up() {
    let monitor = monitor(Mode::ActiveBackup, 100, 2);
    let verdict = |link, last_rx, now| {
        let traffic = Traffic {
            last_rx,
            since: 500_000,
            ..Traffic::default()
        };
        monitor.verdict(link, Duty::Listens, &traffic, now)
    };
    let since = 1_000;
    for link in [Link::Down { since }, Link::GivenUp { since }] {
        assert_eq!(verdict(link, 999_999, 1_010_000), Verdict::Keep);
        assert_eq!(verdict(link, 1_000_999, 1_010_000), Verdict::Keep);
        assert_eq!(verdict(link, 1_001_000, 1_010_000), Verdict::Up);
        assert_eq!(verdict(link, 1_001_000, 1_151_000), Verdict::Up);
        assert_eq!(
            verdict(link, 1_001_000, 1_151_001),
            Verdict::Keep,
            "long ago"
        );
    }
    let tried = Link::Tried { since: 500 };
    assert_eq!(verdict(tried, 499_999, 510_000), Verdict::Keep);
    assert_eq!(verdict(tried, 500_000, 510_000), Verdict::Up);
    assert_eq!(verdict(tried, 499_999, 600_000), Verdict::GiveUp);
    let never = Link::down(u64::MAX);
    assert_eq!(verdict(never, 0, 0), Verdict::Keep);
}

#[test]
fn backups_are_not_judged_while_the_active_slave_is_in_doubt() {
    let net = settled(Network::active_backup(2, 100, 2));
    let now = net.now;
    let looked = |active: Traffic| {
        let mut net = net.clone();
        let backup = Traffic {
            last_rx: now - 10 * net.interval,
            since: 0,
            unanswered: 10,
            unsent: 0,
        };
        net.world.slaves.set_traffic(0, active);
        net.world.slaves.set_traffic(1, backup);
        net.world.event(Event::Probed { now });
        net.state(1)
    };
    let heard = Traffic {
        last_rx: now - 1,
        ..net.traffic(0)
    };
    assert_eq!(looked(heard), LinkState::Down);
    let in_doubt = [
        Traffic {
            unanswered: 2,
            ..heard
        },
        Traffic { unsent: 1, ..heard },
    ];
    for active in in_doubt {
        assert_eq!(looked(active), LinkState::Up, "{active:?}");
    }
}

#[test]
fn what_is_looked_at_follows_from_arp_validate_and_the_role() {
    let watch = |interval, validate: &str, hears| {
        let mut config = config(Mode::ActiveBackup, &[]);
        config.arp_interval = interval;
        config.arp_validate = (0..7)
            .filter_map(ArpValidate::from_number)
            .nth(
                [
                    "none",
                    "active",
                    "backup",
                    "all",
                    "filter",
                    "filter_active",
                    "filter_backup",
                ]
                .iter()
                .position(|it| *it == validate)
                .unwrap(),
            )
            .unwrap();
        Watch::of(&config, hears)
    };
    use Watch::{All, Answers, Neighbours, SlowProtocols};
    let lacp = Config::default().with_mode(Mode::Ieee8023ad);
    assert_eq!(Watch::of(&lacp, false), Some(SlowProtocols));
    assert!(SlowProtocols.wants(0x8809, || None) && !SlowProtocols.wants(0x0800, || None));
    for (validate, sends, hears) in [
        ("none", All, All),
        ("active", Answers, All),
        ("backup", All, Answers),
        ("all", Answers, Answers),
        ("filter", Neighbours, Neighbours),
        ("filter_active", Answers, Neighbours),
        ("filter_backup", Neighbours, Answers),
    ] {
        assert_eq!(watch(100, validate, false), Some(sends), "{validate}");
        assert_eq!(watch(100, validate, true), Some(hears), "{validate}");
        assert_eq!(watch(0, validate, false), None);
        for it in [sends, hears, SlowProtocols] {
            assert_eq!(Watch::from_bits(it as u8 | 0xfc), it);
        }
    }
}
