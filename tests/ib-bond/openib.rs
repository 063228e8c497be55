// SPDX-License-Identifier: GPL-2.0

//! openib.conf: what is read from it, and what it means.

use super::cases::cases;
use crate::openib::{parse, Settings};
use proptest::prelude::*;

fn value(text: &str, name: &str) -> Option<String> {
    parse(text).values.get(name).cloned()
}

#[test]
fn plain_assignments() {
    let is = |text: &str, expected: &str| {
        assert_eq!(value(text, "A").as_deref(), Some(expected), "{text:?}")
    };
    is("A=b", "b");
    is("A=b\n", "b");
    is("A=b\r\n", "b");
    is("  A=b  ", "b");
    is("\tA=b", "b");
    is("A=", "");
    is("A=b # comment", "b");
    is("A=b#c", "b#c");
    is("A=b; B=c", "b");
    is("B=c A=b", "b");
    is("export A=b", "b");
    is("A=b\nA=c", "c");
    is("A=\"b c\"", "b c");
    is("A='b c'", "b c");
    is("A=b\"c d\"'e'f", "bc def");
    is("A=\"b \\\" c\"", "b \" c");
    is("A='$x `y`'", "$x `y`");
    is("A=\"b # c\"", "b # c");
    is("A=b\\ c", "b c");
    is("A=b\\\nc", "bc");
    is("# A=x\\\nA=b", "b");
    is("A=\"b\"\r\n# end\r\n", "b");
    is("A=b=c", "b=c");
}

#[test]
fn what_is_no_plain_assignment_is_passed_over_and_said() {
    let refused = |text: &str, said: &str| {
        let found = parse(text);
        assert!(found.values.is_empty(), "{text:?}: {found:?}");
        assert!(
            found.complaints.len() == 1 && found.complaints[0].contains(said),
            "{text:?}: {found:?}"
        );
    };
    refused("A = b", "it is no assignment");
    refused("A", "it is no assignment");
    refused("1A=b", "it is no assignment");
    refused("A+=b", "it is no assignment");
    refused("=b", "it is no assignment");
    refused("A=b;;", "it is no assignment");
    refused(";A=b", "it is no assignment");
    refused("A=b reboot", "it is no assignment");
    refused("A=\"b", "a quote is not closed");
    refused("A='b", "a quote is not closed");
    refused("A=\"b\\", "a quote is not closed");
    refused("A=$(reboot)", "computed by a shell");
    refused("A=`reboot`", "computed by a shell");
    refused("A=\"$B\"", "computed by a shell");
    refused("A=b|c", "computed by a shell");
    refused("A=b&", "computed by a shell");
    assert_eq!(
        parse("\n\nA = b").complaints[0].split(':').next(),
        Some("line 3")
    );
}

#[test]
fn a_bad_line_does_not_hurt_the_others() {
    let found = parse("A=1\nif [ x ]\nB=\"half\nC=3\n");
    assert_eq!(
        found.values.into_iter().collect::<Vec<_>>(),
        [("A".into(), "1".into()), ("C".into(), "3".into())]
    );
    assert_eq!(found.complaints.len(), 2);
}

const FILE: &str = "\
# openib.conf of OFED
ONBOOT=yes
IPOIBBOND_ENABLE=yes
IPOIB_BONDS=bond0,bond1
bond0_IP=10.10.10.1
bond0_SLAVES=ib0,ib1
bond1_IP=20.10.10.1/25
bond1_SLAVES=ib0.8007,ib1.8007
";

fn settings(text: &str) -> Settings {
    Settings::new(&parse(text))
}

fn says(settings: &Settings, text: &str) {
    assert!(
        settings
            .messages
            .iter()
            .any(|message| message.contains(text)),
        "{settings:?}"
    );
}

#[test]
fn the_bonds_of_a_file() {
    let settings = settings(FILE);
    assert_eq!(settings.messages, Vec::<String>::new());
    assert!(!settings.is_wrong);
    let [first, second] = settings.bonds.as_slice() else {
        panic!("{settings:?}")
    };
    assert_eq!(first.bond, "bond0");
    assert_eq!(first.address.unwrap().to_string(), "10.10.10.1/24");
    assert_eq!(first.slaves.as_ref().unwrap(), &["ib0", "ib1"]);
    assert_eq!((first.is_connected, first.mtu), (None, None));
    assert_eq!(second.address.unwrap().to_string(), "20.10.10.1/25");
}

#[test]
fn windows_and_quotes_change_nothing() {
    assert_eq!(settings(&FILE.replace('\n', "\r\n")), settings(FILE));
    assert_eq!(
        settings(&FILE.replace("bond0,bond1", "\"bond0, bond1\"")),
        settings(FILE)
    );
    assert_eq!(
        settings(&FILE.replace("ib0,ib1", "'ib0 ib1'")),
        settings(FILE)
    );
}

#[test]
fn a_bond_without_one_of_the_two_is_not_made() {
    for (line, said) in [
        ("bond0_IP=10.10.10.1", "bond0_IP is missing"),
        ("bond0_SLAVES=ib0,ib1", "bond0_SLAVES is missing"),
    ] {
        let settings = settings(&FILE.replace(line, ""));
        assert_eq!(settings.bonds.len(), 1);
        assert_eq!(settings.bonds[0].bond, "bond1");
        assert_eq!(settings.listed, ["bond0", "bond1"]);
        says(&settings, &format!("bond0 is not made, because {said}"));
    }
    says(
        &settings(&FILE.replace("bond0_", "x_")),
        "bond0_IP and bond0_SLAVES are missing",
    );
}

#[test]
fn bonds_are_not_given_up_because_of_a_line_that_cannot_be_read() {
    for line in [
        "IPOIB_BONDS=bond0, bond1",
        "IPOIB_BONDS=\"bond0",
        "IPOIB_BONDS = bond0",
        "export X=1 IPOIB_BONDS=$(ls)",
        "IPOIBBOND_ENABLE=$ENABLE",
        "IPOIBHA_ENABLE='no",
    ] {
        let settings = settings(&format!("{FILE}{line}\n"));
        assert!(settings.may_list_more && settings.is_wrong, "{line}");
    }
    // What follows counts, and what is about something else hurts nobody.
    for line in [
        "IPOIB_BONDS=$X\nIPOIB_BONDS=bond0,bond1",
        "NODE_DESC=$(hostname -s)",
        "if [ x ]",
    ] {
        let settings = settings(&format!("{FILE}{line}\n"));
        assert!(!settings.may_list_more && !settings.is_wrong, "{line}");
        assert_eq!(settings.bonds.len(), 2);
    }
    let settings = settings(&FILE.replace("bond0_IP=", "bond0_IP=$"));
    assert!(settings.is_wrong && !settings.may_list_more);
    assert_eq!(settings.listed, ["bond0", "bond1"]);
    says(&settings, "bond0_IP is wrong: its line was passed over");
}

#[test]
fn nothing_is_made_unless_it_is_enabled() {
    for file in [
        FILE.replace("BOND_ENABLE=yes", "BOND_ENABLE=no"),
        FILE.replace("IPOIBBOND_ENABLE=yes", ""),
    ] {
        let settings = settings(&file);
        assert!(settings.bonds.is_empty() && settings.listed.is_empty());
        says(&settings, "IPOIBBOND_ENABLE is not \"yes\"");
    }
}

#[test]
fn the_high_availability_service_excludes_bonds() {
    let settings = settings(&format!("{FILE}IPOIBHA_ENABLE=yes\n"));
    assert!(settings.bonds.is_empty());
    says(&settings, "exclude each other");
    assert_eq!(
        self::settings(&format!("{FILE}IPOIBHA_ENABLE=no\n"))
            .bonds
            .len(),
        2
    );
}

#[test]
fn modes_and_mtus() {
    let of = |lines: &str| {
        let bond = settings(&format!("{FILE}{lines}")).bonds.remove(0);
        (bond.is_connected, bond.mtu)
    };
    assert_eq!(of("SET_IPOIB_CM=yes"), (Some(true), Some(65520)));
    assert_eq!(
        of("SET_IPOIB_CM=yes\nIPOIB_MTU=32000"),
        (Some(true), Some(32000))
    );
    assert_eq!(of("SET_IPOIB_CM=no"), (Some(false), None));
    assert_eq!(of("SET_IPOIB_CM=auto\nIPOIB_MTU=65520"), (None, None));
    assert_eq!(of("IPOIB_MTU=2044"), (None, Some(2044)));
    for mtu in ["0", "67", "65521", "x", "-1"] {
        let settings = settings(&format!("{FILE}SET_IPOIB_CM=yes\nIPOIB_MTU={mtu}\n"));
        assert_eq!(settings.bonds[0].mtu, None);
        says(&settings, "no number from 68 to 65520");
    }
    says(
        &settings(&format!("{FILE}IPOIB_MTU=65520")),
        "needs connected mode",
    );
    says(
        &settings(&format!("{FILE}SET_IPOIB_CM=maybe")),
        "and not \"yes\", \"no\" or \"auto\"",
    );
}

#[test]
fn what_is_wrong_is_said_and_the_other_bonds_are_made() {
    for (from, to, said) in [
        ("10.10.10.1", "10.10.10", "bond0_IP is wrong"),
        (
            "10.10.10.1",
            "10.10.10.1/255.0.0.0",
            "the number of its bits, 8",
        ),
        ("SLAVES=ib0,ib1", "SLAVES=ib0,ib0", "ib0 is named twice"),
        ("SLAVES=ib0,ib1", "SLAVES=ib0,i/b1", "bond0_SLAVES is wrong"),
    ] {
        let settings = settings(&FILE.replacen(from, to, 1));
        assert!(settings.is_wrong);
        assert_eq!(settings.bonds.len(), 1);
        says(&settings, said);
    }
    says(
        &settings(&FILE.replace("BONDS=bond0", "BONDS=a-name-too-long-for-it")),
        "its name is wrong",
    );
    says(
        &settings(&FILE.replace("IPOIB_BONDS=bond0,bond1", "")),
        "names no bond",
    );
    assert_eq!(
        settings(&FILE.replace("=bond0,bond1", "=bond0,bond0,bond1")),
        settings(FILE)
    );
}

proptest! {
    #![proptest_config(cases(1000))]

    #[test]
    fn no_file_makes_the_parser_panic(text in "\\PC*(\n\\PC*)*") {
        let _ = settings(&text);
    }

    #[test]
    fn nearly_right_lines_do_not_make_it_panic(lines in proptest::collection::vec("[AB= '\"\\\\$;#\r\tx]*", 0..6)) {
        let _ = settings(&lines.join("\n"));
    }

    #[test]
    fn what_is_quoted_comes_back(text in "[^'\n\r\0]*") {
        let found = parse(&format!("A='{text}'"));
        prop_assert_eq!(found.values.get("A"), Some(&text));
    }

    #[test]
    fn a_cut_file_never_names_what_the_whole_file_does_not(length in 0usize..FILE.len()) {
        let whole = settings(FILE);
        for bond in settings(&FILE[..length]).bonds {
            let of_whole = whole.bonds.iter().find(|other| other.bond == bond.bond);
            prop_assert!(of_whole.is_some(), "{:?}", bond);
        }
    }

    // The judge is bash itself: what it assigns without running anything is what is read.
    #[test]
    fn values_are_those_of_a_shell(value in "[a-z \"'\\\\#;=,.-]{0,12}") {
        let text = format!("A={value}\n");
        let found = parse(&text);
        if let (true, Some(read)) = (found.complaints.is_empty(), found.values.get("A")) {
            let script = format!("{text}\nprintf '%s' \"$A\"");
            let output = std::process::Command::new("bash").args(["-c", &script]).env_clear().output().unwrap();
            prop_assert_eq!(String::from_utf8_lossy(&output.stdout), read.as_str(), "{:?}", text);
        }
    }
}
