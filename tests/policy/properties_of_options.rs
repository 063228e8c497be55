// SPDX-License-Identifier: GPL-2.0

//! What must hold for options whatever is written to them.

use policy::options::{parse, ArpTargets, NsTargets, OptionDesc, Request};
use policy::options::{RawParams, Values, OPTIONS};
use policy::{Config, DeviceState, Effects, HwAddr, IfName, Mode, OptionId, Value};
use proptest::prelude::*;

use crate::cases::cases;
use crate::world::config;

fn option() -> impl Strategy<Value = &'static OptionDesc> {
    (0..OPTIONS.len()).prop_map(|place| &OPTIONS[place])
}

fn state() -> impl Strategy<Value = DeviceState> {
    any::<(bool, bool, bool)>().prop_map(|(has_slaves, is_up, has_xdp)| DeviceState {
        has_slaves,
        is_up,
        has_xdp,
    })
}

/// Anything, but often something that has a meaning.
fn text() -> impl Strategy<Value = Vec<u8>> {
    let words: Vec<&'static str> = OPTIONS
        .iter()
        .flat_map(|desc| match desc.values {
            Values::Choice(names) => names,
            Values::Range { named, .. } => named,
            _ => &[],
        })
        .map(|it| it.text)
        .chain(["default", "+eth0", "-eth0", "eth0", "eth0:1", "", "\n"])
        .collect();
    prop_oneof![
        proptest::collection::vec(any::<u8>(), 0..64),
        (0u64..70_000).prop_map(|number| format!("{number}\n").into_bytes()),
        "[0-9]{1,30}".prop_map(String::into_bytes),
        proptest::sample::select(words).prop_map(|word| word.as_bytes().to_vec()),
        "[ -~\n]{0,40}".prop_map(String::into_bytes),
    ]
}

/// An element of `arp_ip_target`.
fn target_text() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        20 => (100u8..120).prop_map(|host| format!("192.0.2.{host}").into_bytes()),
        1 => text(),
    ]
}

fn value() -> impl Strategy<Value = Value> {
    prop_oneof![
        any::<u64>().prop_map(Value::Number),
        (0u64..300).prop_map(Value::Number),
        (0u64..3).prop_map(Value::Number),
        (1u64..1 << 31).prop_map(Value::Number),
        any::<bool>().prop_map(|some| Value::Address([u8::from(some); 6])),
        any::<i32>().prop_map(Value::Prio),
        (any::<bool>(), any::<u32>()).prop_map(|(add, addr)| Value::Target {
            add,
            addr: (addr % 512).into()
        }),
        (any::<bool>(), 0x0100_0000u32..0x0100_0020).prop_map(|(add, addr)| Value::Target {
            add,
            addr: addr.into()
        }),
        proptest::collection::vec(1u8..99, 0..16).prop_map(|hosts| {
            let mut list = ArpTargets::NONE;
            for host in hosts {
                let _ = list.add([192, 0, 2, host].into());
            }
            Value::ArpTargets(list)
        }),
        (0u16..4).prop_map(|host| {
            let mut list = NsTargets::NONE;
            let _ = list.add([0x2001, 0xdb8, 0, 0, 0, 0, 0, host].into());
            Value::NsTargets(list)
        }),
        Just(Value::Name(None)),
        Just(Value::Name(IfName::new(b"eth0"))),
    ]
}

/// An option, and often a value that the option has a name for.
fn setting() -> impl Strategy<Value = (&'static OptionDesc, Value)> {
    option().prop_flat_map(|desc| {
        let named: Vec<_> = match desc.values {
            Values::Choice(names) => names.iter().map(|it| Value::Number(it.number)).collect(),
            _ => Vec::new(),
        };
        let value = if named.is_empty() {
            value().boxed()
        } else {
            prop_oneof![value(), proptest::sample::select(named)].boxed()
        };
        (Just(desc), value)
    })
}

fn mode() -> impl Strategy<Value = Mode> {
    let modes: Vec<_> = Mode::ALL.into_iter().collect();
    proptest::sample::select(modes)
}

/// The value that an option of a bond has: what `ip -d link` shows, or does not show.
fn in_force(config: &Config, desc: &OptionDesc) -> Option<Value> {
    let is_of_mode = !desc.unsupported.contains(config.mode);
    match desc.id {
        OptionId::Primary => Some(Value::Name(config.primary)),
        OptionId::ActiveSlave if !is_of_mode => Some(Value::Name(None)),
        OptionId::ArpIpTarget => Some(Value::ArpTargets(config.arp_targets)),
        OptionId::NsIp6Target => Some(Value::NsTargets(config.ns_targets)),
        OptionId::AdActorSystem => Some(Value::Address(config.ad_actor_system)),
        id => config.number(id).map(Value::Number),
    }
}

/// The options of a bond in any order.
fn any_order() -> impl Strategy<Value = Vec<&'static OptionDesc>> {
    Just(OPTIONS.iter().collect::<Vec<_>>()).prop_shuffle()
}

/// A bond that has had some options set.
fn some_config() -> impl Strategy<Value = Config> {
    let writes = proptest::collection::vec(setting(), 0..20);
    (mode(), writes).prop_map(|(mode, writes)| {
        writes
            .into_iter()
            .fold(config(mode, &[]), |config, (desc, value)| {
                config
                    .apply(desc.id, value, DeviceState::default())
                    .map_or(config, |done| done.0)
            })
    })
}

/// Whether setting one option may change what another one reads.
fn is_tied(set: OptionId, read: OptionId) -> bool {
    use OptionId::{AnnounceStations, ArpInterval, ArpValidate, BroadcastNeighbor, Downdelay};
    use OptionId::{Miimon, Mode, NumGratArp, NumUnsolNa, PeerNotifDelay, RlbIpv6};
    use OptionId::{TlbDynamicLb, Updelay};
    // Each monitor switches the other off, and some modes need a certain one.
    let is_monitor = |id| matches!(id, Miimon | ArpInterval);
    let chooses_monitor = is_monitor(set) || set == Mode;
    // Only some modes have these.
    let is_of_mode = matches!(
        read,
        BroadcastNeighbor | TlbDynamicLb | RlbIpv6 | AnnounceStations
    );
    set == read
        || (chooses_monitor && is_monitor(read))
        || (chooses_monitor && matches!(read, Updelay | Downdelay | PeerNotifDelay))
        || (matches!(set, Miimon | Mode) && read == ArpValidate)
        || (set == Mode && is_of_mode)
        || matches!(
            (set, read),
            (NumGratArp, NumUnsolNa) | (NumUnsolNa, NumGratArp)
        )
}

proptest! {
    #![proptest_config(cases(4000))]

    #[test]
    fn anything_can_be_parsed_and_a_refusal_is_one_sentence(desc in option(), text in text()) {
        if let Err(error) = parse(desc.id, &text) {
            let sentence = error.to_string();
            prop_assert!(sentence.chars().all(|it| !it.is_control()), "{sentence:?}");
            prop_assert!((10..300).contains(&sentence.len()), "{sentence:?}");
            prop_assert!(error.errno() > 0 && !error.extack().is_empty());
        }
    }

    #[test]
    fn a_number_is_taken_if_and_only_if_the_table_says_so(desc in option(), number: u64) {
        for number in [number, number % 400, number % 3] {
            let parsed = parse(desc.id, number.to_string().as_bytes());
            if matches!(desc.values, Values::Choice(_) | Values::Range { .. }) {
                prop_assert_eq!(parsed == Ok(Value::Number(number)), desc.takes(number));
            }
        }
    }

    #[test]
    fn setting_an_option_changes_that_option_alone(
        config in some_config(), (desc, value) in setting(), state in state(),
    ) {
        let before = config;
        let Ok((after, effects)) = config.apply(desc.id, value, state) else {
            prop_assert_eq!(config, before, "a refusal leaves everything as it was");
            return Ok(());
        };
        for other in OPTIONS.iter().filter(|other| !is_tied(desc.id, other.id)) {
            prop_assert_eq!(before.number(other.id), after.number(other.id), "{}", other.name);
        }
        if desc.id != OptionId::Primary {
            prop_assert_eq!(before.primary, after.primary);
        }
        if let (Value::Number(asked), Some(now)) = (value, after.number(desc.id)) {
            // Only a delay may differ from what was asked for, and then the user is told.
            prop_assert!(now == asked || (effects.notice.is_some() && now < asked));
        }
    }

    #[test]
    fn what_may_not_be_set_now_is_refused(
        config in some_config(), (desc, value) in setting(), state in state(),
    ) {
        let must = desc.unsupported.contains(config.mode)
            || (desc.no_slaves && state.has_slaves)
            || (desc.if_down && state.is_up);
        let is_new = in_force(&config, desc) != Some(value) && value != Value::Name(None);
        let refused = config.apply(desc.id, value, state).is_err();
        prop_assert!(!must || !is_new || refused, "{}", desc.name);
    }

    #[test]
    fn the_value_in_force_asks_for_nothing(
        config in some_config(), state in state(), order in any_order(),
    ) {
        let mut request = Request::new(config, state);
        for desc in order {
            let Some(value) = in_force(&config, desc) else {
                continue;
            };
            let nothing = Ok((config, Effects::default()));
            prop_assert_eq!(config.apply(desc.id, value, state), nothing, "{}", desc.name);
            prop_assert_eq!(request.apply(desc.id, value), Ok(()), "{}", desc.name);
            if let Value::Number(number) = value {
                let text = number.to_string();
                let written = config.write(desc.id, text.as_bytes(), state);
                prop_assert_eq!(written.map(|it| (it.0, it.1)), nothing, "{} {}", desc.name, text);
            }
        }
        // And it has changed nothing.
        prop_assert_eq!(request.config(), config);
    }

    #[test]
    fn the_value_in_force_of_a_slave_asks_for_nothing(
        config in some_config(), desc in option(), state in state(), now in -9i64..9, more in -2i64..3,
    ) {
        let res = config.changes_slave(desc.id, now, now + more, state);
        match more {
            0 => prop_assert_eq!(res, Ok(false)),
            _ => prop_assert_eq!(res, config.check(desc.id, state).map(|()| true)),
        }
    }

    #[test]
    fn a_new_bond_takes_its_mode_and_all_defaults_in_any_order(mode in mode(), order in any_order()) {
        let made = order.into_iter().try_fold(Config::default(), |config, desc| {
            let value = match desc.id {
                OptionId::Mode => Some(Value::Number(u64::from(mode.number()))),
                // Some modes need it.
                OptionId::Miimon => None,
                _ => in_force(&Config::default(), desc),
            };
            let state = DeviceState::default();
            value.map_or(Ok(config), |value| config.apply(desc.id, value, state).map(|it| it.0))
        });
        prop_assert_eq!(made, Ok(Config::default().with_mode(mode)));
    }

    #[test]
    fn what_only_some_modes_have_is_on_in_those_modes_only(config in some_config()) {
        let has = |id: OptionId| !id.desc().unsupported.contains(config.mode);
        prop_assert!(!config.rlb_ipv6 || has(OptionId::RlbIpv6));
        prop_assert!(!config.announce_stations || has(OptionId::AnnounceStations));
    }

    #[test]
    fn at_most_one_monitor_is_on(config in some_config()) {
        prop_assert!(config.miimon == 0 || config.arp_interval == 0);
    }

    #[test]
    fn whoever_watches_the_links_hears_of_a_change(
        config in some_config(), (desc, value) in setting(), state in state(),
    ) {
        let Ok((after, effects)) = config.apply(desc.id, value, state) else {
            return Ok(());
        };
        let monitor = |it: &Config| (it.miimon, it.arp_interval, it.link_events);
        // The mode is set while the bond is down: the monitor starts with it.
        let is_told = effects.monitor || effects.mode;
        prop_assert!(is_told || monitor(&config) == monitor(&after), "{}", desc.name);
        let lists = |it: &Config| (it.arp_targets, it.ns_targets);
        let rules = |it: &Config| (it.arp_validate, it.arp_all_targets, it.arp_missed_max);
        let probes = |it: &Config| (it.mode, it.arp_interval, lists(it), rules(it));
        prop_assert!(effects.probes || probes(&config) == probes(&after), "{}", desc.name);
        let choice = |it: &Config| (it.resilient_hash, it.tlb_dynamic_lb);
        let is_same = choice(&config) == choice(&after) || effects.mode;
        prop_assert!(effects.choice || is_same, "{}", desc.name);
    }

    #[test]
    fn values_stay_in_their_range(config in some_config()) {
        for desc in OPTIONS.iter() {
            if let Some(number) = config.number(desc.id) {
                prop_assert!(desc.takes(number), "{} {number}", desc.name);
            }
            let delay = matches!(
                desc.id,
                OptionId::Updelay | OptionId::Downdelay | OptionId::PeerNotifDelay
            );
            let miimon = u64::from(config.miimon);
            if delay && miimon > 0 {
                prop_assert_eq!(config.number(desc.id).unwrap() % miimon, 0);
            }
        }
    }

    #[test]
    fn what_sysfs_shows_can_be_written_back(
        config in some_config(), desc in option(), state in state(),
    ) {
        let shown = config.show(desc.id).to_string();
        if !shown.is_empty() {
            let written = config.write(desc.id, shown.as_bytes(), state);
            prop_assert_eq!(written.map(|(after, ..)| after), Ok(config), "{}", shown);
        }
    }

    #[test]
    fn a_write_is_a_check_a_parse_and_an_apply(
        config in some_config(), desc in option(), text in text(), state in state(),
    ) {
        let written = config.write(desc.id, &text, state).map(|(config, effects, _)| (config, effects));
        let parsed = parse(desc.id, &text);
        let steps = if parsed.is_ok() && parsed.ok() == in_force(&config, desc) {
            Ok((config, Effects::default()))
        } else {
            config
                .check(desc.id, state)
                .and(parsed)
                .and_then(|value| config.apply(desc.id, value, state))
        };
        prop_assert_eq!(written, steps);
    }

    #[test]
    fn names_are_valid_for_the_kernel(bytes in proptest::collection::vec(any::<u8>(), 0..20)) {
        let valid = (1..16).contains(&bytes.len())
            && bytes != b"."
            && bytes != b".."
            && !bytes.iter().any(|byte| b"\0/: \t\n\x0b\x0c\r\xa0".contains(byte));
        let name = IfName::new(&bytes);
        prop_assert_eq!(name.is_some(), valid);
        if let Some(name) = name {
            prop_assert_eq!(name.as_bytes(), &bytes[..]);
        }
    }

    #[test]
    fn addresses_keep_their_bytes(bytes in proptest::collection::vec(any::<u8>(), 0..40)) {
        let address = HwAddr::new(&bytes);
        prop_assert_eq!(address.is_some(), bytes.len() <= 32);
        if let Some(address) = address {
            prop_assert_eq!(address.as_bytes(), &bytes[..]);
            prop_assert_eq!(address.to_string().len(), (bytes.len() * 3).saturating_sub(1));
        }
    }

    #[test]
    fn any_parameters_load_or_are_refused_with_a_sentence(
        numbers in proptest::array::uniform12(prop_oneof![any::<i32>(), -1..400]),
        texts in proptest::array::uniform12(proptest::option::of(text())),
        lp_interval: u32,
        targets in proptest::collection::vec(target_text(), 0..17),
    ) {
        let targets: Vec<&[u8]> = targets.iter().map(Vec::as_slice).collect();
        let [mode, primary, reselect, fom, events, resilient, hash, lacp, select, validate, rlb, stations] =
            &texts;
        let raw = RawParams {
            max_bonds: numbers[0],
            tx_queues: numbers[1],
            num_peer_notif: numbers[2],
            miimon: numbers[3],
            updelay: numbers[4],
            downdelay: numbers[5],
            use_carrier: if numbers[6] % 8 == 0 { numbers[6] } else { 1 },
            mode: mode.as_deref(),
            primary: primary.as_deref(),
            primary_reselect: reselect.as_deref(),
            lacp_rate: lacp.as_deref(),
            ad_select: select.as_deref().filter(|_| numbers[6] % 4 == 0),
            min_links: numbers[7],
            xmit_hash_policy: hash.as_deref(),
            arp_interval: numbers[8],
            arp_ip_target: &targets,
            arp_validate: validate.as_deref().filter(|_| numbers[6] % 4 == 1),
            arp_all_targets: validate.as_deref(),
            fail_over_mac: fom.as_deref().filter(|_| numbers[6] % 4 == 2),
            all_slaves_active: numbers[9],
            resend_igmp: numbers[10],
            packets_per_slave: numbers[11],
            lp_interval,
            link_events: events.as_deref().filter(|_| numbers[6] % 4 == 3),
            resilient_hash: resilient.as_deref().filter(|_| numbers[6] % 4 == 3),
            rlb_ipv6: rlb.as_deref().filter(|_| numbers[6] % 4 == 2),
            announce_stations: stations.as_deref().filter(|_| numbers[6] % 4 == 1),
        };
        let mut said = Vec::new();
        match Config::from_module_params(&raw, &mut |warning| said.push(warning.to_string())) {
            Ok(config) => {
                prop_assert!(config.tx_queues > 0);
                prop_assert!(u64::from(config.miimon) <= i32::MAX as u64);
                prop_assert!(config.miimon == 0 || config.arp_interval == 0);
                prop_assert!(config.arp_interval == 0 || !config.arp_targets.is_empty());
            }
            Err(error) => {
                prop_assert!(error.errno() > 0);
                said.push(error.to_string());
            }
        }
        for sentence in said {
            prop_assert!(sentence.chars().all(|it| !it.is_control()), "{sentence:?}");
            // The longest sentence names 16 targets.
            prop_assert!((10..330).contains(&sentence.len()), "{sentence:?}");
        }
    }
}
