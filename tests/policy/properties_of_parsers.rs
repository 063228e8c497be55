// SPDX-License-Identifier: GPL-2.0

//! What must hold for everything that reads what a user writes or what a wire delivers: the reader
//! takes any bytes, says exactly what is in those that are good, and refuses the others.

use std::net::{Ipv4Addr, Ipv6Addr};

use policy::hash::HashPolicy;
use policy::options::{parse, parse_command, Request, Target, Targets, Values, OPTIONS};
use policy::options::{ArpValidate, NsTargets, OptionDesc, Reason, MAX_TARGETS};
use policy::wire::arp::Arp;
use policy::wire::ether::skip_tags;
use policy::wire::ndisc::Discovery;
use policy::{DeviceState, IfName, Mode, OptionId, Value};
use proptest::collection::vec;
use proptest::prelude::*;

use crate::cases::cases;
use crate::world::config;

/// The white space of the kernel.
fn is_space(byte: u8) -> bool {
    b" \t\n\x0b\x0c\r\xa0".contains(&byte)
}

/// Bytes of a word: neither white space nor what ends a text.
fn word() -> impl Strategy<Value = Vec<u8>> {
    let byte = prop_oneof![
        8 => proptest::sample::select(b"abz019.:+-%/_".to_vec()),
        1 => any::<u8>(),
    ];
    let byte = byte.prop_map(|it| if it == 0 || is_space(it) { b'x' } else { it });
    vec(byte, 0..24)
}

fn space() -> impl Strategy<Value = Vec<u8>> {
    vec(
        proptest::sample::select(b" \t\r\x0b\x0c\xa0".to_vec()),
        0..4,
    )
}

/// What follows the end of a text does not belong to it.
fn end() -> impl Strategy<Value = Vec<u8>> {
    let rest = vec(any::<u8>(), 0..20);
    (any::<bool>(), rest)
        .prop_map(|(newline, rest)| [&[if newline { b'\n' } else { 0 }], &rest[..]].concat())
}

fn option() -> impl Strategy<Value = &'static OptionDesc> {
    (0..OPTIONS.len()).prop_map(|place| &OPTIONS[place])
}

/// A name, mostly valid.
fn name() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        6 => "[a-z][a-z0-9._-]{0,14}".prop_map(String::into_bytes),
        1 => word(),
    ]
}

/// The payloads of a list in a request.
fn payloads(len: usize) -> impl Strategy<Value = Vec<Vec<u8>>> {
    let address = prop_oneof![
        6 => vec(any::<u8>(), len),
        2 => (0u8..4).prop_map(move |byte| vec![byte; len]),
        1 => Just(vec![0xff; len]),
        1 => vec(any::<u8>(), 0..len + 4),
    ];
    vec(address, 0..20)
}

/// The list that these payloads make, if they make one.
fn model<A: Copy + PartialEq + Target, const N: usize>(
    payloads: &[Vec<u8>],
    from: impl Fn([u8; N]) -> A,
    may_be_probed: impl Fn(A) -> bool,
) -> Option<Vec<A>> {
    let mut list = Vec::new();
    for payload in payloads {
        let address = from(payload.get(..N)?.try_into().unwrap());
        if !may_be_probed(address) || list.contains(&address) || list.len() == MAX_TARGETS {
            return None;
        }
        list.push(address);
    }
    Some(list)
}

fn members<A: Target + PartialEq>(list: &Targets<A>) -> Vec<A> {
    list.iter().collect()
}

/// An ARP packet as it is on the wire.
fn arp_packet(
    link: u16,
    addr_len: usize,
    operation: u16,
    hardware: &[u8],
    sender: Ipv4Addr,
    target: Ipv4Addr,
) -> Vec<u8> {
    let mut packet = link.to_be_bytes().to_vec();
    packet.extend([8, 0, addr_len as u8, 4]);
    packet.extend(operation.to_be_bytes());
    for address in [sender, target] {
        packet.extend(hardware.iter().cycle().take(addr_len));
        packet.extend(address.octets());
    }
    packet
}

proptest! {
    #![proptest_config(cases(1000))]

    // -- texts --------------------------------------------------------------------------------

    #[test]
    fn a_text_ends_where_it_ends(desc in option(), text in word(), end in end()) {
        let long = [&text[..], &end].concat();
        prop_assert_eq!(parse(desc.id, &text), parse(desc.id, &long));
    }

    #[test]
    fn space_around_a_number_or_a_word_is_nothing(
        desc in option(), number in 0u64..300, before in space(), after in space(),
    ) {
        let names = match desc.values {
            Values::Choice(names) => names,
            Values::Range { named, .. } => named,
            _ => return Ok(()),
        };
        let words = names.iter().map(|it| it.text.to_string()).chain([number.to_string()]);
        for word in words {
            let long = [&before[..], word.as_bytes(), &after[..]].concat();
            match parse(desc.id, word.as_bytes()) {
                Ok(value) => prop_assert_eq!(parse(desc.id, &long), Ok(value), "{}", word),
                Err(_) => prop_assert!(parse(desc.id, &long).is_err(), "{}", word),
            }
        }
    }

    #[test]
    fn a_value_is_in_the_range_of_its_option(desc in option(), text in word(), after in space()) {
        let text = [&text[..], &after].concat();
        if let Ok(value) = parse(desc.id, &text) {
            match value {
                Value::Number(number) => prop_assert!(desc.takes(number)),
                Value::Prio(prio) => prop_assert!(text.starts_with(b"-") || prio >= 0),
                Value::Target { addr, .. } => prop_assert_eq!(addr.octets().len(), 4),
                Value::Address(_) => prop_assert_eq!(desc.id, OptionId::AdActorSystem),
                Value::Name(_) | Value::Member { .. } | Value::Queue { .. } => {}
                Value::ArpTargets(_) | Value::NsTargets(_) => prop_assert!(false, "not from a text"),
            }
        }
    }

    #[test]
    fn commands_of_bonding_masters_and_slaves(
        sign in proptest::sample::select(b"+-+-x ".to_vec()), name in name(),
        before in space(), after in space(), end in end(),
    ) {
        let is_command = sign == b'+' || sign == b'-';
        let wanted = IfName::new(&name).filter(|_| is_command).map(|name| (sign == b'+', name));
        let text = [&before[..], &[sign], &name[..], &after[..]].concat();
        if name.iter().all(|&byte| !is_space(byte)) && sign != b' ' && !name.is_empty() {
            prop_assert_eq!(parse_command(&text), wanted);
            let member = wanted.map(|(add, name)| Value::Member { add, name });
            let ended = [&text[..], &end].concat();
            prop_assert_eq!(parse(OptionId::Slaves, &ended).ok(), member);
        }
        // Whatever it is, it is a name or nothing.
        for text in [text, end] {
            if let Some((_, name)) = parse_command(&text) {
                prop_assert_eq!(IfName::new(name.as_bytes()), Some(name));
            }
        }
    }

    #[test]
    fn queues_of_slaves(name in name(), queue: u64, after in space(), junk in word()) {
        for queue in [queue, queue % 0x1_0000, queue % 0x1_0010] {
            let text = [&name[..], b":", queue.to_string().as_bytes(), &after].concat();
            let wanted = IfName::new(&name)
                .filter(|_| !name.contains(&b'\n'))
                .zip(u16::try_from(queue).ok())
                .map(|(slave, queue)| Value::Queue { slave, queue });
            prop_assert_eq!(parse(OptionId::QueueId, &text).ok(), wanted);
        }
        let text = [&name[..], b":", &junk].concat();
        if let Ok(Value::Queue { slave, .. }) = parse(OptionId::QueueId, &text) {
            prop_assert!(IfName::new(slave.as_bytes()).is_some());
            prop_assert!(junk.iter().all(u8::is_ascii_digit), "{:?}", text);
        }
    }

    #[test]
    fn addresses_to_probe(
        octets in any::<[u8; 4]>(), add: bool, zeros in 0usize..20,
        after in proptest::option::of(proptest::sample::select(b" /:x,".to_vec())), junk in word(),
    ) {
        let sign = if add { "+" } else { "-" };
        let addr = Ipv4Addr::from(octets);
        let zeros = "0".repeat(zeros);
        let [a, b, c, d] = octets;
        let text = format!("{sign}{a}.{zeros}{b}.{c}.{d}");
        let long = [text.as_bytes(), after.as_slice(), b"\n"].concat();
        prop_assert_eq!(parse(OptionId::ArpIpTarget, &long), Ok(Value::Target { add, addr }));
        // One part fewer, one more, or one that is too large.
        for text in [
            format!("{sign}{a}.{b}.{c}"),
            format!("{sign}{a}.{b}.{c}.{d}.{a}"),
            format!("{sign}{a}.{b}.{c}.{}", u32::from(d) + 256),
            format!("{sign}{a}.{b}..{d}"),
            format!("{sign}.{a}.{b}.{c}.{d}"),
            format!("{a}.{b}.{c}.{d}"),
            format!("{sign}{sign}{a}.{b}.{c}.{d}"),
            format!("{sign}{a}.{b}.{c}.{d}f"),
        ] {
            prop_assert!(parse(OptionId::ArpIpTarget, text.as_bytes()).is_err(), "{}", text);
        }
        let _ = parse(OptionId::ArpIpTarget, &[sign.as_bytes(), &junk].concat());
    }

    #[test]
    fn priorities(prio: i64) {
        for prio in [prio, prio % (1 << 32), prio % (1 << 31)] {
            let parsed = parse(OptionId::Prio, prio.to_string().as_bytes());
            prop_assert_eq!(parsed.ok(), i32::try_from(prio).ok().map(Value::Prio));
        }
    }

    #[test]
    fn names_of_options(text in word(), desc in option()) {
        prop_assert_eq!(OptionId::from_name(desc.name.as_bytes()), Some(desc.id));
        if let Some(id) = OptionId::from_name(&text) {
            prop_assert_eq!(id.desc().name.as_bytes(), &text[..]);
        }
    }

    #[test]
    fn numbers_of_choices(number: u64) {
        for number in [number, number % 256, number % 8] {
            prop_assert!(Mode::from_number(number).is_none_or(|it| u64::from(it.number()) == number));
            prop_assert_eq!(Mode::from_number(number).is_some(), number < 7);
            prop_assert!(HashPolicy::from_number(number).is_none_or(|it| it as u64 == number));
            prop_assert_eq!(HashPolicy::from_number(number).is_some(), number < 6);
            let validate = ArpValidate::from_number(number).is_some();
            prop_assert_eq!(validate, OptionId::ArpValidate.desc().takes(number));
        }
    }

    // -- requests of netlink ---------------------------------------------------------------------

    #[test]
    fn lists_of_ipv4_targets(payloads in payloads(4)) {
        let made = Value::arp_targets(payloads.iter().map(Vec::as_slice));
        let wanted = model(&payloads, Ipv4Addr::from, |it| !it.is_unspecified() && !it.is_broadcast());
        match made {
            Ok(Value::ArpTargets(list)) => prop_assert_eq!(Some(members(&list)), wanted),
            Ok(other) => prop_assert!(false, "{:?}", other),
            Err(error) => {
                prop_assert_eq!(wanted, None, "{}", error);
                prop_assert!(error.errno() > 0 && !error.extack().is_empty());
            }
        }
    }

    #[test]
    fn lists_of_ipv6_targets(payloads in payloads(16)) {
        let made = Value::ns_targets(payloads.iter().map(Vec::as_slice));
        let wanted = model(&payloads, Ipv6Addr::from, |it| {
            let mut alone = NsTargets::NONE;
            alone.add(it).is_ok()
        });
        match made {
            Ok(Value::NsTargets(list)) => prop_assert_eq!(Some(members(&list)), wanted),
            Ok(other) => prop_assert!(false, "{:?}", other),
            Err(error) => prop_assert_eq!(wanted, None, "{}", error),
        }
    }

    /// A request is checked as a whole, and then set option by option: the second must not fail
    /// where the first did not, or half of a request would be carried out.
    #[test]
    fn a_request_that_is_good_can_be_carried_out(
        mode in 0u64..4, wants in vec((option(), 0u64..300, any::<u64>()), 1..6),
        flags in any::<[bool; 3]>(),
    ) {
        let [has_slaves, is_up, has_xdp] = flags;
        let state = DeviceState { has_slaves, is_up, has_xdp };
        let start = config(Mode::from_number(mode).unwrap(), &[]);
        let mut request = Request::new(start, state);
        let mut now = start;
        for (desc, small, large) in wants {
            let number = if large % 5 == 0 { large } else { small % (1 + large % 300) };
            let before = now;
            let done = now.apply(desc.id, Value::Number(number), state);
            match request.apply(desc.id, Value::Number(number)) {
                Ok(()) => {
                    let (after, _) = done.expect("what the check lets pass");
                    now = after;
                }
                Err(error) => {
                    let excluded = matches!(error.reason, Reason::WithMiimon);
                    prop_assert!(excluded || done.is_err(), "{}", error);
                    now = before;
                    break;
                }
            }
        }
        prop_assert!(now.miimon == 0 || now.arp_interval == 0);
    }

    // -- frames ----------------------------------------------------------------------------------

    #[test]
    fn an_arp_packet_is_read_whole_or_not_at_all(
        link: u16, other: u16, operation in 0u16..4, addr_len in 0usize..33, real_len in 0usize..33,
        hardware in vec(any::<u8>(), 1..40), sender: [u8; 4], target: [u8; 4],
        padding in vec(any::<u8>(), 0..60),
    ) {
        let (sender, target) = (sender.into(), target.into());
        let packet = arp_packet(link, addr_len, operation, &hardware, sender, target);
        prop_assert_eq!(packet.len(), Arp::len(addr_len));
        prop_assert!(packet.len() <= Arp::MAX_LEN);
        let wanted = Some(Arp { is_reply: operation == 2, sender, target });
        let padded = [&packet[..], &padding].concat();
        prop_assert_eq!(Arp::parse(&packet, link, addr_len), wanted);
        prop_assert_eq!(Arp::parse(&padded, link, addr_len), wanted);
        for cut in 0..packet.len() {
            prop_assert_eq!(Arp::parse(&packet[..cut], link, addr_len), None, "cut at {}", cut);
        }
        prop_assert_eq!(Arp::parse(&padded, other, addr_len).is_some(), other == link);
        prop_assert_eq!(Arp::parse(&padded, link, real_len).is_some(), real_len == addr_len);
        for place in [2, 3, 4, 5] {
            let mut bad = padded.clone();
            bad[place] ^= 1;
            prop_assert_eq!(Arp::parse(&bad, link, addr_len), None, "byte {}", place);
        }
    }

    #[test]
    fn a_solicitation_is_read_whole_or_not_at_all(
        mut packet in vec(any::<u8>(), Discovery::LEN..120), advertises: bool, next: u8, kind: u8,
    ) {
        packet[6] = 58;
        packet[40] = if advertises { 136 } else { 135 };
        let address = |at: usize| Ipv6Addr::from(<[u8; 16]>::try_from(&packet[at..at + 16]).unwrap());
        let wanted = Discovery { source: address(8), destination: address(24) };
        prop_assert_eq!(Discovery::parse(&packet), Some(wanted));
        for cut in 0..=40 {
            prop_assert_eq!(Discovery::parse(&packet[..cut]), None, "cut at {}", cut);
        }
        let mut other = packet.clone();
        other[6] = next;
        prop_assert_eq!(Discovery::parse(&other).is_some(), next == 58);
        packet[40] = kind;
        prop_assert_eq!(Discovery::parse(&packet).is_some(), matches!(kind, 135 | 136));
    }

    #[test]
    fn tags_are_skipped_to_the_last(
        tags in vec((any::<bool>(), any::<u16>()), 0..40), inner: u16, rest in vec(any::<u8>(), 0..9),
    ) {
        prop_assume!(!matches!(inner, 0x8100 | 0x88a8));
        let kinds: Vec<u16> = tags.iter().map(|it| if it.0 { 0x8100 } else { 0x88a8 }).collect();
        let protocol = kinds.first().copied().unwrap_or(inner);
        let mut bytes = Vec::new();
        for (place, (_, tci)) in tags.iter().enumerate() {
            bytes.extend(tci.to_be_bytes());
            bytes.extend(kinds.get(place + 1).copied().unwrap_or(inner).to_be_bytes());
        }
        let end = bytes.len();
        bytes.extend(rest);
        prop_assert_eq!(skip_tags(protocol, &bytes), (inner, end));
        for cut in 0..end {
            let (protocol, at) = skip_tags(protocol, &bytes[..cut]);
            prop_assert_eq!(at, cut / 4 * 4);
            prop_assert!(matches!(protocol, 0x8100 | 0x88a8));
        }
    }
}
