// SPDX-License-Identifier: GPL-2.0

//! Names of interfaces.

use policy::IfName;

#[test]
fn names_are_checked_as_the_kernel_does() {
    for name in [
        "a",
        "eth0",
        "ib0.8001",
        "...",
        "enp1s0f0np0-abcd",
        "bond-with-dash",
    ] {
        let expected = name.len() < 16;
        assert_eq!(IfName::new(name.as_bytes()).is_some(), expected, "{name}");
    }
    for name in [
        "",
        ".",
        "..",
        "a/b",
        "a:b",
        "a b",
        "a\tb",
        "a\n",
        "a\0b",
        "sixteen-bytes-ab",
    ] {
        assert!(IfName::new(name.as_bytes()).is_none(), "{name:?}");
    }
    assert!(
        IfName::new(b"eth\xa0").is_none(),
        "the no-break space of Latin-1 is white space"
    );
}

#[test]
fn a_name_keeps_its_bytes() {
    let name = IfName::new(b"fifteen-bytes-a").unwrap();
    assert_eq!(name.as_bytes(), b"fifteen-bytes-a");
    assert_eq!(name.as_padded(), b"fifteen-bytes-a\0");
    assert_eq!(IfName::new(b"ib0").unwrap().to_string(), "ib0");
    assert_ne!(IfName::new(b"ib0"), IfName::new(b"ib00"));
}

#[test]
fn a_name_cannot_forge_a_line_of_the_log() {
    let printed = |bytes: &[u8]| policy::name::Printable(bytes).to_string();
    assert_eq!(printed(b"a\nb: c\x1b[31m\0"), "a?b: c?[31m?");
    assert_eq!(printed(b""), "");
    assert_eq!(IfName::new(b"a\x1bb\x7f").unwrap().to_string(), "a?b?");
    assert_eq!(
        IfName::new("a\u{9b}b".as_bytes()).unwrap().to_string(),
        "a??b"
    );
    assert_eq!(IfName::new(b"\xff\xfe").unwrap().to_string(), "??");
    assert_eq!(
        IfName::new("b\u{f6}nd".as_bytes()).unwrap().to_string(),
        "b\u{f6}nd"
    );
}
