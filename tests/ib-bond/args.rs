// SPDX-License-Identifier: GPL-2.0

//! The arguments: those of the OFED manual to the letter, and what is refused.

use super::cases::cases;
use crate::args::{interface_name, parse_child, Cli, Command, Net, OpenibAction, Slaves};
use clap::{CommandFactory, Parser};
use proptest::prelude::*;

fn parse(line: &str) -> Result<Cli, String> {
    Cli::try_parse_from(line.split(' ')).map_err(|error| error.to_string())
}

fn refused(line: &str) -> String {
    parse(line).expect_err(line)
}

#[test]
fn the_definition_is_consistent() {
    Cli::command().debug_assert();
}

#[test]
fn the_first_use_of_the_manual() {
    let classic = parse("ib-bond --bond-ip 192.186.10.100 --slaves ib0,ib2")
        .unwrap()
        .classic;
    assert_eq!(classic.bond_name, None);
    assert_eq!(classic.bond_ip.unwrap().to_string(), "192.186.10.100/24");
    assert_eq!(classic.slaves.unwrap().0, ["ib0", "ib2"]);
    assert_eq!(classic.miimon, None);
}

#[test]
fn the_second_use_of_the_manual() {
    let line = "ib-bond --bond-name bond1 --bond-ip 192.186.10.100/25 --slaves ib0.f1f1,ib1.f1f1";
    let classic = parse(line).unwrap().classic;
    assert_eq!(classic.bond_name.unwrap(), "bond1");
    assert_eq!(classic.bond_ip.unwrap().to_string(), "192.186.10.100/25");
    assert_eq!(classic.slaves.unwrap().0, ["ib0.f1f1", "ib1.f1f1"]);
}

#[test]
fn the_other_uses_of_the_manual() {
    let classic = parse("ib-bond --bond-name bond1 --status").unwrap().classic;
    assert!(classic.status && !classic.stop && !classic.status_all && !classic.stop_all);
    assert!(parse("ib-bond --status-all").unwrap().classic.status_all);
    assert!(
        parse("ib-bond --bond-name bond1 --stop")
            .unwrap()
            .classic
            .stop
    );
    assert!(parse("ib-bond --stop-all").unwrap().classic.stop_all);
}

#[test]
fn values_may_follow_an_equals_sign() {
    let classic = parse("ib-bond --bond-name=bond1 --miimon=50")
        .unwrap()
        .classic;
    assert_eq!(classic.bond_name.unwrap(), "bond1");
    assert_eq!(classic.miimon, Some(50));
}

#[test]
fn the_later_commands() {
    let Some(Command::Status(status)) = parse("ib-bond status bond1 --json").unwrap().command
    else {
        panic!("no status");
    };
    assert_eq!(status.bond.unwrap(), "bond1");
    assert!(status.json);
    let Some(Command::Openib(openib)) = parse("ib-bond openib add ib0 --file f").unwrap().command
    else {
        panic!("no openib");
    };
    assert!(matches!(openib.action, OpenibAction::Add { device } if device == "ib0"));
    assert_eq!(openib.file.to_str(), Some("f"));
}

#[test]
fn what_contradicts_itself_is_refused() {
    refused("ib-bond --bond-name bond1 --stop --status");
    refused("ib-bond --stop-all --status-all");
    refused("ib-bond --bond-name bond1 --stop-all");
    refused("ib-bond --bond-name bond1 --stop --slaves a,b");
    refused("ib-bond --status --miimon 5");
    refused("ib-bond --json");
    refused("ib-bond --status status");
    assert!(refused("ib-bond --stop").contains("--bond-name"));
}

#[test]
fn bad_numbers_are_refused() {
    for miimon in ["-1", "2147483648", "1.5", "100ms", ""] {
        refused(&format!("ib-bond --miimon={miimon}"));
    }
    assert_eq!(parse("ib-bond --miimon 0").unwrap().classic.miimon, Some(0));
}

#[test]
fn networks() {
    let is = |text: &str, shown: &str| assert_eq!(text.parse::<Net>().unwrap().to_string(), shown);
    is("192.0.2.1", "192.0.2.1/24");
    // The manual writes IP/[MASK].
    is("192.0.2.1/", "192.0.2.1/24");
    is("192.0.2.1/32", "192.0.2.1/32");
    is("192.0.2.0/31", "192.0.2.0/31");
    is("10.0.1.0/16", "10.0.1.0/16");
    is("2001:db8::1/64", "2001:db8::1/64");
    let broadcast = |text: &str| {
        text.parse::<Net>()
            .unwrap()
            .broadcast()
            .map(|ip| ip.to_string())
    };
    assert_eq!(broadcast("192.0.2.1/25").as_deref(), Some("192.0.2.127"));
    assert_eq!(broadcast("10.1.2.3/8").as_deref(), Some("10.255.255.255"));
    assert_eq!(broadcast("192.0.2.1/32"), None);
}

#[test]
fn what_is_no_address_of_a_host_is_refused_with_the_way_out() {
    let refused = |text: &str, said: &str| {
        let error = text.parse::<Net>().expect_err(text);
        assert!(error.contains(said), "{text}: {error}");
    };
    refused("192.0.2", "is no IP address");
    refused("192.0.2.256", "is no IP address");
    refused("", "is no IP address");
    refused("host", "is no IP address");
    refused("192.0.2.1/33", "a number from 1 to 32");
    refused("192.0.2.1/0", "a number from 1 to 32");
    refused("192.0.2.1/-1", "a number from 1 to 32");
    refused("192.0.2.1/+24", "a number from 1 to 32");
    refused("192.0.2.1/24/24", "a number from 1 to 32");
    refused("192.0.2.1/255.255.255.0", "the number of its bits, 24");
    refused("192.0.2.0", "the address of the network itself");
    refused("192.0.2.255", "the broadcast address");
    refused("127.0.0.1", "this machine alone");
    refused("0.0.0.0", "stands for no address");
    refused("224.0.0.1", "a multicast address");
    refused("2001:db8::1", "2001:db8::1/64");
    refused("2001:db8::1/129", "a number from 1 to 128");
}

#[test]
fn names_that_the_kernel_would_not_take() {
    for name in [
        "",
        ".",
        "..",
        "a/b",
        "a b",
        "a:b",
        "bond%d",
        "sixteen-letters-",
        "a\n",
        "-x",
        "all",
        "lo",
    ] {
        assert!(interface_name(name).is_err(), "{name}");
    }
    for name in ["bond0", "ib0.f1f1", "fifteen-letters", "bönd0"] {
        assert_eq!(interface_name(name).as_deref(), Ok(name));
    }
}

#[test]
fn lists_of_slaves() {
    assert!("ib0,ib0"
        .parse::<Slaves>()
        .unwrap_err()
        .contains("named twice"));
    for text in ["", ",", "ib0,", ",ib0", "ib0,,ib1"] {
        assert!(text.parse::<Slaves>().is_err(), "{text}");
    }
    assert_eq!("ib0, ib1".parse::<Slaves>().unwrap().0, ["ib0", "ib1"]);
}

#[test]
fn names_of_child_interfaces() {
    assert_eq!(parse_child("ib0.f1f1"), Some(("ib0", 0xf1f1)));
    assert_eq!(parse_child("ib0.1"), Some(("ib0", 0x8001)));
    assert_eq!(parse_child("a.b.8001"), Some(("a.b", 0x8001)));
    for name in [
        "ib0",
        "ib0.",
        ".8001",
        "ib0.0",
        "ib0.8000",
        "ib0.12345",
        "ib0.xyz",
        "ib0.+1",
    ] {
        assert_eq!(parse_child(name), None, "{name}");
    }
}

proptest! {
    #![proptest_config(cases(2000))]

    #[test]
    fn no_argument_makes_the_parser_panic(text in "\\PC*") {
        let _ = text.parse::<Net>();
        let _ = text.parse::<Slaves>();
        let _ = interface_name(&text);
        let _ = parse_child(&text);
    }

    #[test]
    fn a_network_is_what_it_shows(a in 1u8..=126, b: u8, c: u8, d: u8, bits in 1u8..=32) {
        if let Ok(net) = format!("{a}.{b}.{c}.{d}/{bits}").parse::<Net>() {
            prop_assert_eq!(net.to_string().parse::<Net>(), Ok(net));
        }
    }
}
