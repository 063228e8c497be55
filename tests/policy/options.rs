// SPDX-License-Identifier: GPL-2.0

//! Options: their texts, the rules for setting them, and what a refusal says.

use policy::options::{parse, FailOverMac, Notice, NsTargets, Reason, Request, OPTIONS};
use policy::{Config, DeviceState, IfName, Mode, OptionError, OptionId, Reselect, Value};

use crate::world::config;

pub(crate) const IDLE: DeviceState = DeviceState {
    has_slaves: false,
    is_up: false,
    has_xdp: false,
};
pub(crate) const UP: DeviceState = DeviceState {
    has_slaves: false,
    is_up: true,
    has_xdp: false,
};
const ENSLAVED: DeviceState = DeviceState {
    has_slaves: true,
    is_up: true,
    has_xdp: false,
};

fn number(id: OptionId, text: &str) -> Option<u64> {
    match parse(id, text.as_bytes()) {
        Ok(Value::Number(number)) => Some(number),
        Ok(other) => panic!("{other:?}"),
        Err(_) => None,
    }
}

pub(crate) fn refused(config: Config, id: OptionId, text: &str, state: DeviceState) -> OptionError {
    config.write(id, text.as_bytes(), state).expect_err(text)
}

pub(crate) fn written(config: Config, id: OptionId, text: &str) -> Config {
    match config.write(id, text.as_bytes(), IDLE) {
        Ok((config, ..)) => config,
        Err(error) => panic!("{error}"),
    }
}

pub(crate) fn active_backup() -> Config {
    config(Mode::ActiveBackup, &[])
}

fn name(text: &str) -> IfName {
    IfName::new(text.as_bytes()).unwrap()
}

#[test]
fn texts_and_numbers_are_read_as_the_in_tree_driver_does() {
    use OptionId::{Miimon, Mode, NumGratArp, PacketsPerSlave};
    assert_eq!(number(Mode, "active-backup\n"), Some(1));
    assert_eq!(number(Mode, "1"), Some(1));
    assert_eq!(number(Mode, "  1 \n"), Some(1));
    assert_eq!(
        number(Mode, "active-backup 1\n"),
        Some(1),
        "what sysfs shows can be written"
    );
    assert_eq!(number(Mode, "  active-backup"), Some(1));
    assert_eq!(
        number(Mode, "1\nactive-backup"),
        Some(1),
        "the text ends at the newline"
    );
    assert_eq!(number(Mode, "default"), Some(0));
    assert_eq!(number(Mode, "active"), None);
    assert_eq!(number(Mode, "Active-Backup"), None);
    assert_eq!(number(Mode, "7"), None);
    assert_eq!(number(Mode, ""), None);
    assert_eq!(number(Mode, "\nactive-backup"), None);
    assert_eq!(number(Miimon, "100"), Some(100));
    assert_eq!(
        number(Miimon, "0100"),
        Some(100),
        "decimal, whatever it looks like"
    );
    assert_eq!(number(Miimon, "100 200"), Some(100));
    assert_eq!(number(Miimon, "2147483647"), Some(2_147_483_647));
    assert_eq!(number(Miimon, "maxval"), Some(2_147_483_647));
    assert_eq!(number(Miimon, "off"), Some(0));
    for bad in [
        "2147483648",
        "-1",
        "0x64",
        "1e2",
        "99999999999999999999999",
        "on",
        " ",
        "+1",
    ] {
        assert_eq!(number(Miimon, bad), None, "{bad}");
    }
    assert_eq!(number(NumGratArp, "255"), Some(255));
    assert_eq!(number(NumGratArp, "256"), None);
    assert_eq!(number(PacketsPerSlave, "default"), Some(1));
    // As in the in-tree driver, which marks none of its values.
    assert_eq!(number(OptionId::PeerNotifDelay, "default"), None);
}

#[test]
fn names_and_commands_are_read() {
    let read = |id, text: &str| parse(id, text.as_bytes()).map_err(|error| error.errno());
    assert_eq!(
        read(OptionId::Primary, "eth0\n"),
        Ok(Value::Name(Some(name("eth0"))))
    );
    assert_eq!(read(OptionId::Primary, "\n"), Ok(Value::Name(None)));
    assert_eq!(read(OptionId::Primary, "eth0 "), Err(22));
    assert_eq!(read(OptionId::Primary, "sixteen-bytes-ab"), Err(22));
    assert_eq!(
        read(OptionId::ActiveSlave, " eth0 \n"),
        Ok(Value::Name(Some(name("eth0"))))
    );
    assert_eq!(read(OptionId::ActiveSlave, ""), Ok(Value::Name(None)));
    assert_eq!(read(OptionId::ActiveSlave, "a/b"), Err(19));
    assert_eq!(
        read(OptionId::Slaves, "+eth0\n"),
        Ok(Value::Member {
            add: true,
            name: name("eth0")
        })
    );
    assert_eq!(
        read(OptionId::Slaves, "-ib0"),
        Ok(Value::Member {
            add: false,
            name: name("ib0")
        })
    );
    for bad in ["eth0", "+", "-", "", "+a/b", "+ eth0", "*eth0"] {
        assert_eq!(read(OptionId::Slaves, bad), Err(1), "{bad}");
    }
    assert_eq!(read(OptionId::Slaves, "+a-name-that-is-too-long"), Err(19));
    assert_eq!(
        read(OptionId::QueueId, "eth0:2\n"),
        Ok(Value::Queue {
            slave: name("eth0"),
            queue: 2
        })
    );
    for bad in [
        "eth0",
        "eth0:",
        ":2",
        "eth0:x",
        "eth0:-1",
        "eth0:65536",
        "eth0 :1",
    ] {
        assert_eq!(read(OptionId::QueueId, bad), Err(1), "{bad}");
    }
    assert_eq!(read(OptionId::Prio, "-5"), Ok(Value::Prio(-5)));
    assert_eq!(
        read(OptionId::Prio, "-2147483648"),
        Ok(Value::Prio(i32::MIN))
    );
    assert_eq!(read(OptionId::Prio, "2147483648"), Err(22));
    for (text, octets) in [
        ("+192.0.2.1", [192, 0, 2, 1]),
        ("+010.0.0.01", [10, 0, 0, 1]),
        ("+1.2.3.4 or so", [1, 2, 3, 4]),
    ] {
        let target = Value::Target {
            add: true,
            addr: octets.into(),
        };
        assert_eq!(read(OptionId::ArpIpTarget, text), Ok(target), "{text}");
    }
}

#[test]
fn options_are_set_and_read_back() {
    let config = written(Config::default(), OptionId::Mode, "active-backup");
    assert_eq!(config.mode, Mode::ActiveBackup);
    let config = written(config, OptionId::PrimaryReselect, "better");
    assert_eq!(config.primary_reselect, Reselect::Better);
    let config = written(config, OptionId::FailOverMac, "follow");
    assert_eq!(config.fail_over_mac, FailOverMac::Follow);
    let config = written(config, OptionId::Primary, "eth0");
    assert_eq!(config.primary, Some(name("eth0")));
    assert_eq!(written(config, OptionId::Primary, "").primary, None);
    let config = written(config, OptionId::NumGratArp, "7");
    assert_eq!(
        config.number(OptionId::NumUnsolNa),
        Some(7),
        "one setting, two names"
    );
    assert_eq!(config.show(OptionId::Mode).to_string(), "active-backup 1\n");
    assert_eq!(config.show(OptionId::NumGratArp).to_string(), "7\n");
    assert_eq!(config.show(OptionId::LinkEvents).to_string(), "on 1\n");
    assert_eq!(config.show(OptionId::UseCarrier).to_string(), "1\n");
    assert_eq!(
        config.show(OptionId::XmitHashPolicy).to_string(),
        "layer2 0\n"
    );
    assert_eq!(config.show(OptionId::LacpRate).to_string(), "slow 0\n");
    assert_eq!(config.show(OptionId::ArpMissedMax).to_string(), "2\n");
    assert_eq!(config.show(OptionId::AdActorSysPrio).to_string(), "");
    assert_eq!(config.show(OptionId::Slaves).to_string(), "");
}

#[test]
fn every_number_can_be_changed_and_reads_back() {
    for desc in OPTIONS.iter() {
        if desc.id.desc().scope != policy::options::Scope::Bond {
            continue;
        }
        let mode = Mode::ALL
            .into_iter()
            .find(|&it| !desc.unsupported.contains(it));
        let config = config(mode.expect(desc.name), &[(OptionId::Miimon, 1)]);
        let Some(default) = config.number(desc.id) else {
            continue;
        };
        let other = (0..10).find(|&number| number != default && desc.takes(number));
        let other = other.expect("an option that cannot be changed");
        let text = other.to_string();
        let written = config.write(desc.id, text.as_bytes(), IDLE);
        let (changed, ..) = written.unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(changed.number(desc.id), Some(other), "{}", desc.name);
    }
}

#[test]
fn delays_are_multiples_of_miimon() {
    let error = refused(active_backup(), OptionId::Updelay, "100", IDLE);
    assert_eq!((error.errno(), error.reason), (1, Reason::NoMonitor));
    assert_eq!(
        error.to_string(),
        "Unable to set up delay as MII monitoring is disabled; set miimon first"
    );
    let config = written(active_backup(), OptionId::Miimon, "100");
    let (config, effects, _) = config.write(OptionId::Updelay, b"250", IDLE).unwrap();
    assert_eq!((config.updelay, config.updelay_ms()), (2, 200));
    assert_eq!(
        effects.notice.unwrap().to_string(),
        "up delay (250) is not a multiple of miimon (100), value rounded to 200 ms"
    );
    let (config, effects, _) = config.write(OptionId::Downdelay, b"300", IDLE).unwrap();
    assert_eq!((config.downdelay_ms(), effects.notice), (300, None));
    let (config, effects, _) = config.write(OptionId::PeerNotifDelay, b"99", IDLE).unwrap();
    assert_eq!(config.peer_notif_delay_ms(), 0);
    assert!(matches!(
        effects.notice,
        Some(Notice::Rounded { now: 0, .. })
    ));
    // The delays change with miimon, and come back with it.
    let config = written(config, OptionId::Miimon, "50");
    assert_eq!((config.updelay_ms(), config.downdelay_ms()), (100, 150));
    let config = written(config, OptionId::Miimon, "0");
    assert_eq!(
        (
            config.updelay_ms(),
            config.show(OptionId::Updelay).to_string()
        ),
        (0, "0\n".into())
    );
    assert_eq!(written(config, OptionId::Miimon, "100").updelay_ms(), 200);
    // But not beyond what can be written.
    let config = written(active_backup(), OptionId::Miimon, "1");
    let config = written(config, OptionId::Updelay, "maxval");
    let config = written(config, OptionId::PeerNotifDelay, "300000");
    let longer = written(config, OptionId::Miimon, "70000");
    assert_eq!(longer.updelay_ms(), 2_147_483_647 / 70_000 * 70_000);
    assert_eq!(longer.peer_notif_delay_ms(), 280_000);
    let longest = written(config, OptionId::Miimon, "maxval");
    assert_eq!(longest.updelay_ms(), 2_147_483_647);
    assert_eq!(longest.peer_notif_delay_ms(), 0);
    assert_eq!(written(longest, OptionId::Miimon, "1"), config);
}

#[test]
fn the_value_in_force_asks_for_nothing() {
    let busy = DeviceState {
        has_slaves: true,
        is_up: true,
        has_xdp: true,
    };
    let same = |config: Config, id, text: &str| {
        let (after, effects, _) = config.write(id, text.as_bytes(), busy).unwrap();
        assert_eq!((after, effects), (config, Default::default()), "{text}");
    };
    for text in ["0", "off", "default"] {
        same(active_backup(), OptionId::Updelay, text);
    }
    same(active_backup(), OptionId::PeerNotifDelay, "0");
    same(active_backup(), OptionId::Mode, "active-backup");
    same(active_backup(), OptionId::PacketsPerSlave, "1");
    same(active_backup(), OptionId::LacpRate, "slow");
    same(active_backup(), OptionId::TlbDynamicLb, "1");
    same(
        active_backup(),
        OptionId::AdActorSystem,
        "00:00:00:00:00:00",
    );
    same(Config::default(), OptionId::Primary, "");
    same(Config::default(), OptionId::ActiveSlave, "");
    // Writing the same mode again keeps arp_validate, and writing the same primary keeps the
    // primary.
    let probed = written(active_backup(), OptionId::ArpValidate, "all");
    same(probed, OptionId::Mode, "1");
    same(
        written(probed, OptionId::Primary, "eth0"),
        OptionId::Primary,
        "eth0",
    );
    // Another value is refused as before.
    for (config, id, text, errno) in [
        (active_backup(), OptionId::Updelay, "1", 1),
        (active_backup(), OptionId::Mode, "0", 39),
        (active_backup(), OptionId::PacketsPerSlave, "2", 13),
        (active_backup(), OptionId::LacpRate, "fast", 13),
        (
            active_backup(),
            OptionId::AdActorSystem,
            "02:00:00:00:00:01",
            13,
        ),
        (Config::default(), OptionId::Primary, "eth0", 13),
        (Config::default(), OptionId::ActiveSlave, "eth0", 13),
    ] {
        assert_eq!(refused(config, id, text, busy).errno(), errno, "{text}");
    }
}

#[test]
fn a_request_may_spell_out_what_it_excludes() {
    let probed = written(active_backup(), OptionId::ArpValidate, "all");
    let polled = written(probed, OptionId::Miimon, "100");
    let number = |number| Value::Number(number);
    let request = |config, options: &[(OptionId, u64)]| {
        let mut request = Request::new(config, IDLE);
        options
            .iter()
            .try_for_each(|&(id, it)| request.apply(id, number(it)))
            .map_err(|error| error.reason)
    };
    let (miimon, interval) = (OptionId::Miimon, OptionId::ArpInterval);
    let validate = OptionId::ArpValidate;
    assert_eq!(polled.text(validate), Some("all"));
    assert_eq!(
        request(polled, &[(miimon, 100), (interval, 0), (validate, 3)]),
        Ok(())
    );
    assert_eq!(request(polled, &[(miimon, 50), (validate, 3)]), Ok(()));
    let with_miimon = Err(Reason::WithMiimon);
    assert_eq!(
        request(polled, &[(miimon, 100), (validate, 1)]),
        with_miimon
    );
    assert_eq!(
        request(polled, &[(miimon, 100), (interval, 5)]),
        with_miimon
    );
}

#[test]
fn what_the_bond_is_like_comes_before_what_was_written() {
    let config = Config::default();
    let errno = |id, text, state| refused(config, id, text, state).errno();
    assert_eq!(errno(OptionId::Primary, "eth0", IDLE), 13);
    assert_eq!(errno(OptionId::Primary, "not/valid", UP), 13);
    assert_eq!(errno(OptionId::Mode, "active-backup", ENSLAVED), 39);
    assert_eq!(errno(OptionId::Mode, "active-backup", UP), 16);
    assert_eq!(errno(OptionId::Mode, "nonsense", UP), 16);
    assert_eq!(errno(OptionId::Mode, "nonsense", IDLE), 22);
    assert_eq!(errno(OptionId::FailOverMac, "1", ENSLAVED), 39);
    assert_eq!(errno(OptionId::AdSelect, "count", UP), 16);
    assert_eq!(errno(OptionId::LacpRate, "fast", IDLE), 13);
    assert_eq!(errno(OptionId::MaxBonds, "2", IDLE), 1);
    assert_eq!(
        refused(active_backup(), OptionId::PacketsPerSlave, "2", UP).errno(),
        13
    );
    // Up or not, with slaves or not: what may change, may.
    for (id, text) in [(OptionId::Miimon, "50"), (OptionId::LinkEvents, "off")] {
        assert!(config.write(id, text.as_bytes(), ENSLAVED).is_ok());
    }
}

#[test]
fn what_only_one_mode_has_goes_with_that_mode() {
    let alb = Config::default().with_mode(Mode::Alb);
    let tlb = Config::default().with_mode(Mode::Tlb);
    // As in the in-tree driver, choosing balance-alb sets it.
    let off = written(tlb, OptionId::TlbDynamicLb, "0");
    assert!(!off.tlb_dynamic_lb && off.with_mode(Mode::Alb).tlb_dynamic_lb);
    assert!(!off.with_mode(Mode::Xor).tlb_dynamic_lb);
    let busy = refused(tlb, OptionId::TlbDynamicLb, "0", UP);
    assert_eq!(busy.errno(), 16);

    let on = written(alb, OptionId::RlbIpv6, "on");
    assert!(on.rlb_ipv6 && !on.with_mode(Mode::Tlb).rlb_ipv6);
    assert_eq!(refused(tlb, OptionId::RlbIpv6, "on", IDLE).errno(), 13);
    assert_eq!(refused(alb, OptionId::RlbIpv6, "on", UP).errno(), 16);

    let on = written(active_backup(), OptionId::AnnounceStations, "on");
    assert!(on.with_mode(Mode::Alb).announce_stations);
    assert!(!on.with_mode(Mode::Xor).announce_stations);
}

#[test]
fn drivers_are_asked_without_use_carrier() {
    let (config, effects, _) = active_backup()
        .write(OptionId::UseCarrier, b"off", UP)
        .unwrap();
    assert!(effects.monitor && !config.reads_carrier());
    // The ARP monitor watches more than the carrier, but takes the carrier as it is reported.
    let probed = written(config, OptionId::ArpInterval, "100");
    assert!(probed.reads_carrier());
    assert!(written(config, OptionId::UseCarrier, "1").reads_carrier());
    let error = refused(active_backup(), OptionId::UseCarrier, "2", UP);
    assert_eq!(error.errno(), 22);
}

#[test]
fn effects_say_what_there_is_to_do() {
    let effects = |id, text: &str| active_backup().write(id, text.as_bytes(), IDLE).unwrap().1;
    assert!(effects(OptionId::Miimon, "100").monitor);
    assert!(effects(OptionId::LinkEvents, "0").monitor);
    assert!(effects(OptionId::Mode, "0").mode);
    assert!(effects(OptionId::AllSlavesActive, "1").slave_flags);
    assert!(effects(OptionId::MinLinks, "1").carrier);
    assert!(effects(OptionId::PrimaryReselect, "failure").reselect);
    let primary = effects(OptionId::Primary, "eth0");
    assert!(primary.primary && !primary.reselect && !primary.command);
    assert!(effects(OptionId::Slaves, "+eth0").command);
    assert!(effects(OptionId::ActiveSlave, "eth0").command);
    assert_eq!(effects(OptionId::NumGratArp, "2"), Default::default());
}

#[test]
fn a_value_of_the_wrong_kind_is_refused() {
    let config = active_backup();
    for (id, value) in [
        (OptionId::Mode, Value::Prio(1)),
        (OptionId::Primary, Value::Prio(1)),
        (OptionId::Slaves, Value::Name(None)),
        (OptionId::QueueId, Value::NsTargets(NsTargets::NONE)),
    ] {
        let error = config.apply(id, value, IDLE).unwrap_err();
        assert_eq!((error.errno(), error.reason), (22, Reason::WrongKind));
        assert!(error.to_string().contains("invalid kind of value; "));
    }
    assert_eq!(
        config
            .apply(OptionId::Slaves, Value::Number(1), IDLE)
            .unwrap_err()
            .errno(),
        22
    );
}

#[test]
fn a_refusal_names_the_option_the_reason_and_the_way_out() {
    let say = |config, id, text: &str, state| refused(config, id, text, state).to_string();
    let (rr, ab) = (Config::default(), active_backup());
    assert_eq!(
        say(rr, OptionId::Primary, "eth0", IDLE),
        "option primary: mode dependency failed, not supported in mode balance-rr(0); it needs \
         mode active-backup, balance-tlb or balance-alb"
    );
    assert_eq!(
        say(ab, OptionId::LacpRate, "fast", IDLE),
        "option lacp_rate: mode dependency failed, not supported in mode active-backup(1); it \
         needs mode 802.3ad"
    );
    assert_eq!(
        say(rr, OptionId::Mode, "1", ENSLAVED),
        "option mode: unable to set because the bond device has slaves; release them first"
    );
    assert_eq!(
        say(rr, OptionId::Mode, "1", UP),
        "option mode: unable to set because the bond device is up; set it down first"
    );
    assert_eq!(
        say(ab, OptionId::PrimaryReselect, "never\n", UP),
        "option primary_reselect: invalid value (never); allowed values always, better or failure"
    );
    assert_eq!(
        say(ab, OptionId::Miimon, "-5", UP),
        "option miimon: invalid value (-5); allowed values 0 - 2147483647"
    );
    let ad = Config::default().with_mode(Mode::Ieee8023ad);
    assert_eq!(
        say(ad, OptionId::AdActorSystem, "01:80:c2:00:00:02", UP),
        "option ad_actor_system: invalid value (01:80:c2:00:00:02, the address of a group); give \
         the address of a system"
    );
    assert_eq!(
        say(ab, OptionId::ArpIpTarget, "192.0.2.1", UP),
        "no command found in arp_ip_targets file - use +<addr> or -<addr> for arp_ip_target"
    );
    assert_eq!(
        say(ab, OptionId::Slaves, "eth0", UP),
        "no command found in slaves file - use +ifname or -ifname"
    );
    assert_eq!(
        say(ab, OptionId::ActiveSlave, "a/b", UP),
        "option active_slave: interface a/b does not exist! (ip link shows those that do)"
    );
    let long = "x".repeat(1000);
    assert!(say(ab, OptionId::Miimon, &long, UP).len() < 100);
}

#[test]
fn netlink_gets_the_messages_of_the_in_tree_driver() {
    let extack = |config, id, text, state| refused(config, id, text, state).extack();
    let (rr, ab) = (Config::default(), active_backup());
    assert_eq!(
        extack(rr, OptionId::Primary, "eth0", IDLE),
        "option not supported in mode"
    );
    assert_eq!(
        extack(rr, OptionId::Mode, "1", ENSLAVED),
        "unable to set option because the bond device has slaves"
    );
    assert_eq!(
        extack(rr, OptionId::Mode, "1", UP),
        "unable to set option because the bond is up"
    );
    assert_eq!(
        extack(ab, OptionId::Miimon, "-1", UP),
        "invalid option value"
    );
    assert_eq!(
        extack(ab, OptionId::ActiveSlave, "a/b", UP),
        "interface does not exist"
    );
    let all = [
        Reason::WrongMode(Mode::Xor),
        Reason::HasSlaves,
        Reason::IsUp,
        Reason::InvalidNumber(1),
        Reason::NoMonitor,
        Reason::NoCommand,
        Reason::LoadOnly,
    ];
    for reason in all {
        let error = OptionError {
            option: OptionId::Mode,
            reason,
        };
        // NETLINK_MAX_FMTMSG_LEN of linux/netlink.h.
        assert!(error.extack().len() < 80, "{reason:?}");
    }
}

#[test]
fn modes_that_need_the_link_monitor_get_one() {
    assert_eq!(Config::default().with_mode(Mode::Ieee8023ad).miimon, 100);
    assert_eq!(Config::default().with_mode(Mode::ActiveBackup).miimon, 0);
    assert_eq!(
        config(Mode::RoundRobin, &[(OptionId::Miimon, 7)])
            .with_mode(Mode::Tlb)
            .miimon,
        7
    );
}

#[test]
fn an_xdp_program_keeps_the_modes_that_can_run_it() {
    let state = DeviceState {
        has_xdp: true,
        ..IDLE
    };
    for (mode, fits) in [
        ("balance-rr", true),
        ("balance-xor", true),
        ("broadcast", false),
    ] {
        match active_backup().write(OptionId::Mode, mode.as_bytes(), state) {
            Ok((config, ..)) => assert!(fits && config.allows_xdp(), "{mode}"),
            Err(err) => {
                assert_eq!((fits, err.reason), (false, Reason::HasXdp), "{mode}");
                assert_eq!(err.errno(), 95);
            }
        }
    }
    let xor = config(Mode::Xor, &[]);
    for (policy, fits) in [
        ("layer3+4", true),
        ("encap3+4", true),
        ("vlan+srcmac", false),
    ] {
        let res = xor.write(OptionId::XmitHashPolicy, policy.as_bytes(), state);
        assert_eq!(res.is_ok(), fits, "{policy}");
    }
    // If no packet is hashed, the policy does not matter.
    let res = active_backup().write(OptionId::XmitHashPolicy, b"vlan+srcmac", state);
    assert!(!matches!(res, Err(err) if err.reason == Reason::HasXdp));
}
