// SPDX-License-Identifier: GPL-2.0

//! The parameters of the module.

use policy::hash::HashPolicy;
use policy::lacp::AdSelect;
use policy::options::{FailOverMac, ParamError, RawParams, Severity, Warning};
use policy::{Config, IfName, Mode, OptionId, Reselect};

fn load(raw: RawParams<'_>) -> (Result<Config, ParamError>, Vec<Warning>) {
    let mut warnings = Vec::new();
    let config = Config::from_module_params(&raw, &mut |warning| warnings.push(warning));
    (config, warnings)
}

fn silent(raw: RawParams<'_>) -> Config {
    let (config, warnings) = load(raw);
    assert!(
        warnings.iter().all(|it| it.severity() == Severity::Info),
        "{warnings:?}"
    );
    config.unwrap()
}

fn warned(raw: RawParams<'_>) -> (Config, Vec<String>) {
    let (config, warnings) = load(raw);
    (
        config.unwrap(),
        warnings
            .iter()
            .filter(|it| !matches!(it, Warning::MiiMonitor { .. } | Warning::ArpMonitor { .. }))
            .map(Warning::to_string)
            .collect(),
    )
}

fn refused(raw: RawParams<'_>) -> ParamError {
    load(raw).0.unwrap_err()
}

#[test]
fn without_parameters_bonds_have_the_defaults() {
    assert_eq!(silent(RawParams::default()), Config::default());
}

#[test]
fn a_usual_set_of_parameters_is_taken() {
    let config = silent(RawParams {
        mode: Some(b"1"),
        miimon: 100,
        updelay: 200,
        downdelay: 300,
        primary: Some(b"ib0"),
        primary_reselect: Some(b"failure"),
        fail_over_mac: Some(b"active"),
        num_peer_notif: 5,
        max_bonds: 0,
        link_events: Some(b"off"),
        resilient_hash: Some(b"off"),
        ..RawParams::default()
    });
    assert_eq!(config.mode, Mode::ActiveBackup);
    assert_eq!((config.updelay_ms(), config.downdelay_ms()), (200, 300));
    assert_eq!(config.primary, IfName::new(b"ib0"));
    assert_eq!(config.primary_reselect, Reselect::Failure);
    assert_eq!(config.fail_over_mac, FailOverMac::Active);
    assert_eq!(
        (
            config.num_peer_notif,
            config.max_bonds,
            config.link_events,
            config.resilient_hash
        ),
        (5, 0, false, false)
    );
}

#[test]
fn an_empty_primary_is_none() {
    let config = silent(RawParams {
        mode: Some(b"1"),
        primary: Some(b""),
        primary_reselect: Some(b"failure"),
        ..RawParams::default()
    });
    assert_eq!(config.primary, None);
    assert_eq!(config.primary_reselect, Reselect::Failure);
}

#[test]
fn numbers_out_of_range_are_reset_with_a_warning() {
    let (config, warnings) = warned(RawParams {
        max_bonds: -1,
        tx_queues: 0,
        num_peer_notif: 256,
        miimon: -100,
        all_slaves_active: 2,
        resend_igmp: 256,
        packets_per_slave: 65_536,
        min_links: -1,
        ..RawParams::default()
    });
    assert_eq!(config, Config::default());
    assert_eq!(warnings.len(), 8);
    assert!(warnings.contains(
        &"Warning: num_grat_arp/num_unsol_na (256) not in range 0-255 so it \
          was reset to 1"
            .to_string()
    ));
    assert!(warnings.contains(
        &"Warning: all_slaves_active module parameter (2), not of valid value (0/1), so it was \
           set to 0"
            .to_string()
    ));
    assert!(warnings.contains(
        &"Warning: miimon module parameter (-100), not in range 0-2147483647, so it was reset to 0"
            .to_string()
    ));
}

#[test]
fn delays_are_rounded_or_dropped() {
    let raw = RawParams {
        mode: Some(b"active-backup"),
        updelay: 150,
        ..RawParams::default()
    };
    let (config, warnings) = warned(RawParams { miimon: 100, ..raw });
    assert_eq!(config.updelay_ms(), 100);
    assert_eq!(
        warnings,
        ["Warning: updelay (150) is not a multiple of miimon (100), updelay rounded to 100 ms"]
    );
    let (config, warnings) = warned(raw);
    assert_eq!(config.updelay, 0);
    assert!(warnings[0].contains("have no effect unless miimon is set"));
}

#[test]
fn bad_texts_refuse_the_load() {
    let error = refused(RawParams {
        mode: Some(b"fastest"),
        ..RawParams::default()
    });
    assert_eq!(error.errno(), 22);
    assert!(error
        .to_string()
        .starts_with("Error: Invalid bonding mode \"fastest\"; use balance-rr"));
    let ab = RawParams {
        mode: Some(b"1"),
        ..RawParams::default()
    };
    for raw in [
        RawParams {
            fail_over_mac: Some(b"maybe"),
            ..ab
        },
        RawParams {
            primary: Some(b"ib0"),
            primary_reselect: Some(b"never"),
            ..ab
        },
        RawParams {
            primary: Some(b"a/b"),
            ..ab
        },
        RawParams {
            ad_select: Some(b"x"),
            ..ab
        },
        RawParams {
            link_events: Some(b"2"),
            ..ab
        },
        RawParams {
            resilient_hash: Some(b"2"),
            ..ab
        },
        RawParams {
            use_carrier: 2,
            ..ab
        },
        RawParams {
            arp_validate: Some(b"all"),
            ..ab
        },
    ] {
        assert_eq!(refused(raw).errno(), 22, "{raw:?}");
    }
}

#[test]
fn defaults_may_be_spelt_out() {
    let (config, said) = load(RawParams {
        mode: Some(b"active-backup"),
        primary_reselect: Some(b"always"),
        arp_validate: Some(b"none"),
        arp_all_targets: Some(b"any"),
        fail_over_mac: Some(b"none"),
        link_events: Some(b"on"),
        resilient_hash: Some(b"on"),
        ..RawParams::default()
    });
    assert_eq!(
        config.unwrap(),
        Config::default().with_mode(Mode::ActiveBackup)
    );
    assert_eq!(said, []);
}

#[test]
fn what_the_mode_does_not_have_is_dropped_with_a_notice() {
    let raw = |mode| RawParams {
        mode: Some(mode),
        miimon: 100,
        xmit_hash_policy: Some(b"layer3+4"),
        rlb_ipv6: Some(b"on"),
        announce_stations: Some(b"1"),
        ..RawParams::default()
    };
    let (tlb, said) = warned(raw(b"balance-tlb"));
    assert!(!tlb.rlb_ipv6 && tlb.announce_stations);
    assert_eq!(tlb.xmit_hash_policy, HashPolicy::Layer34);
    assert_eq!(
        said,
        ["rlb_ipv6 param is irrelevant in mode transmit load balancing"]
    );
    let (alb, said) = warned(raw(b"balance-alb"));
    assert!(alb.rlb_ipv6 && alb.tlb_dynamic_lb);
    assert_eq!(said, [""; 0]);
}

#[test]
fn the_arp_monitor_is_taken_unless_it_cannot_work() {
    let targets: [&[u8]; 1] = [b"192.0.2.1"];
    let arp = RawParams {
        arp_interval: 100,
        arp_ip_target: &targets,
        ..RawParams::default()
    };
    let (config, said) = load(RawParams {
        arp_validate: Some(b"all"),
        ..arp
    });
    let config = config.unwrap();
    assert_eq!(config.arp_interval, 100);
    assert_eq!(config.text(OptionId::ArpValidate), Some("all"));
    assert_eq!(said[0].severity(), Severity::Info);
    assert_eq!(
        said[0].to_string(),
        "ARP monitoring set to 100 ms, validate all, with 1 target(s): 192.0.2.1"
    );
    // With miimon the ARP monitor is dropped.
    let (config, warnings) = warned(RawParams { miimon: 100, ..arp });
    assert_eq!((config.miimon, config.arp_interval), (100, 0));
    assert!(warnings[0].contains("disabling ARP monitoring"));
    let targets: [&[u8]; 3] = [b"192.0.2.1", b"192.0.2.1", b"nobody"];
    let (config, warnings) = warned(RawParams {
        arp_ip_target: &targets,
        ..arp
    });
    assert_eq!((config.arp_interval, config.arp_targets.len()), (0, 1));
    assert!(warnings[0].contains("duplicate address 192.0.2.1"));
    assert!(warnings[1].contains("bad arp_ip_target module parameter (nobody)"));
    let (_, warnings) = warned(RawParams {
        arp_ip_target: &[],
        ..arp
    });
    assert!(warnings[0].contains("without providing an arp_ip_target parameter"));
}

#[test]
fn lacp_takes_its_parameters() {
    let (config, said) = load(RawParams {
        mode: Some(b"802.3ad"),
        lacp_rate: Some(b"fast"),
        ad_select: Some(b"bandwidth"),
        ..RawParams::default()
    });
    let config = config.unwrap();
    // Without a monitor, speed and duplex would not be known.
    let forced = Warning::MiimonForced {
        mode: Mode::Ieee8023ad,
        miimon: 100,
    };
    let told = Warning::MiiMonitor { miimon: 100 };
    assert_eq!((said, config.miimon), (vec![forced, told], 100));
    assert_eq!(
        (config.mode, config.lacp_fast, config.ad_select),
        (Mode::Ieee8023ad, true, AdSelect::Bandwidth)
    );
    let error = refused(RawParams {
        mode: Some(b"802.3ad"),
        lacp_rate: Some(b"quick"),
        ..RawParams::default()
    });
    assert_eq!(error.errno(), 22);
}

#[test]
fn what_has_no_effect_is_dropped_with_a_word() {
    let (config, warnings) = load(RawParams {
        xmit_hash_policy: Some(b"layer3+4"),
        lacp_rate: Some(b"fast"),
        ad_select: Some(b"count"),
        primary: Some(b"ib0"),
        fail_over_mac: Some(b"1"),
        lp_interval: 5,
        arp_all_targets: Some(b"all"),
        ..RawParams::default()
    });
    let config = config.unwrap();
    assert_eq!(
        (config.primary, config.fail_over_mac),
        (None, FailOverMac::Active)
    );
    assert!(config.arp_all_targets);
    assert_eq!(
        (config.ad_select, config.lacp_fast, config.lp_interval),
        (AdSelect::Count, false, 5)
    );
    assert_eq!(config.xmit_hash_policy, HashPolicy::Layer2);
    assert_eq!(warnings.len(), 5);
    let said: Vec<_> = warnings
        .iter()
        .map(|it| (it.severity(), it.to_string()))
        .collect();
    assert!(said.contains(&(
        Severity::Info,
        "xmit_hash_policy param is irrelevant in mode load balancing (round-robin)".into()
    )));
    assert!(said.contains(&(
        Severity::Warning,
        "Warning: ib0 primary device specified but has no effect in load balancing (round-robin) \
         mode"
            .into()
    )));
    assert!(said.contains(&(
        Severity::Warning,
        "ad_select param only affects 802.3ad mode".into()
    )));
    let (_, warnings) = warned(RawParams {
        mode: Some(b"1"),
        primary_reselect: Some(b"failure"),
        arp_all_targets: Some(b"some"),
        ..RawParams::default()
    });
    assert!(warnings[0].contains("no effect without primary"));
    assert_eq!(
        warnings[1],
        "Warning: invalid arp_all_targets \"some\", using the default"
    );
}
