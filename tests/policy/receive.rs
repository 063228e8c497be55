// SPDX-License-Identifier: GPL-2.0

//! Received frames.

use policy::mode::Idle;
use policy::options::Config;
use policy::receive::{classify, is_link_local, Receive, SlaveFlags};
use policy::{LinkState, Mode};

#[test]
fn the_bond_gets_what_arrives_on_an_active_slave() {
    for idle in [
        Idle::InUse,
        Idle::Backup,
        Idle::Inactive,
        Idle::HearsUnicast,
    ] {
        for unicast in [false, true] {
            for link_local in [false, true] {
                assert_eq!(classify(idle, false, unicast, link_local), Receive::Deliver);
            }
        }
    }
}

#[test]
fn frames_on_inactive_slaves_are_for_those_who_listen_there() {
    for idle in [Idle::InUse, Idle::Backup, Idle::Inactive] {
        for unicast in [false, true] {
            assert_eq!(classify(idle, true, unicast, false), Receive::Exact);
            assert_eq!(classify(idle, true, unicast, true), Receive::Pass);
        }
    }
    let idle = Idle::HearsUnicast;
    assert_eq!(classify(idle, true, true, false), Receive::Deliver);
    assert_eq!(classify(idle, true, false, false), Receive::Exact);
    assert_eq!(classify(idle, true, false, true), Receive::Pass);
}

#[test]
fn link_local_addresses_are_sixteen() {
    assert!(is_link_local(&[0x01, 0x80, 0xc2, 0, 0, 0x00]));
    assert!(is_link_local(&[0x01, 0x80, 0xc2, 0, 0, 0x0e]), "LLDP");
    assert!(is_link_local(&[0x01, 0x80, 0xc2, 0, 0, 0x0f]));
    assert!(!is_link_local(&[0x01, 0x80, 0xc2, 0, 0, 0x10]));
    assert!(!is_link_local(&[0x01, 0x80, 0xc2, 0, 1, 0x00]));
    assert!(!is_link_local(&[0xff; 6]));
}

#[test]
fn backups_are_inactive_unless_all_slaves_are_active() {
    let flags = |mode, is_active, all_slaves_active| {
        let config = Config {
            mode,
            all_slaves_active,
            ..Config::default()
        };
        let flags = SlaveFlags::of(&config, is_active, LinkState::Down);
        (flags.backup, flags.inactive)
    };
    assert_eq!(flags(Mode::ActiveBackup, true, false), (false, false));
    assert_eq!(flags(Mode::ActiveBackup, false, false), (true, true));
    assert_eq!(flags(Mode::ActiveBackup, false, true), (true, false));
    assert_eq!(flags(Mode::RoundRobin, false, false), (false, false));
}

#[test]
fn where_all_slaves_are_used_a_backup_is_one_that_the_arp_monitor_gave_up() {
    let is_backup = |arp_interval, link| {
        let config = Config {
            mode: Mode::RoundRobin,
            arp_interval,
            ..Config::default()
        };
        let flags = SlaveFlags::of(&config, false, link);
        assert!(!flags.inactive);
        flags.backup
    };
    assert!(is_backup(100, LinkState::Down));
    assert!(!is_backup(100, LinkState::Up));
    assert!(!is_backup(0, LinkState::Down));
}
