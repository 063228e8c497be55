// SPDX-License-Identifier: GPL-2.0

//! Ports of the switch: LIDs, links, partitions, and who is told.

use fabric::{text, Destination, Event, Lid, Pkey, Refused, Subnet, MAX_PORTS};

use crate::world::{config, list, subnet};

#[test]
fn a_port_is_reachable_while_its_link_is_there() {
    let mut subnet = Box::new(Subnet::new());
    let port = subnet.add_port(&config(1)).unwrap();
    let lid = subnet.port(port).unwrap().lid();
    assert_eq!(lid, Lid(2));
    assert_eq!(subnet.route(lid), None);
    assert_eq!(
        list(subnet.set_link(port, true).unwrap()),
        [(port, Event::PortActive)]
    );
    assert_eq!(subnet.route(lid), Some(Destination::Port(port)));
    assert_eq!(subnet.route(Lid(1)), Some(Destination::Switch));
    assert_eq!(subnet.route(Lid(3)), None);
    assert!(subnet.set_link(port, true).unwrap().is_empty());
    assert_eq!(
        list(subnet.set_link(port, false).unwrap()),
        [(port, Event::PortError)]
    );
    assert_eq!(subnet.route(lid), None);
}

#[test]
fn a_port_that_comes_back_has_its_lid_again() {
    let mut subnet = Box::new(Subnet::new());
    let first = subnet.add_port(&config(1)).unwrap();
    let second = subnet.add_port(&config(2)).unwrap();
    let lid = subnet.port(first).unwrap().lid();
    subnet.remove_port(first);
    assert!(subnet.port(first).is_none());
    let third = subnet.add_port(&config(3)).unwrap();
    assert_ne!(subnet.port(third).unwrap().lid(), lid);
    assert_eq!(subnet.add_port(&config(2)), Err(Refused::GuidInUse));
    assert_eq!(subnet.add_port(&config(1)), Ok(first));
    assert_eq!(subnet.port(first).unwrap().lid(), lid);
    assert_ne!(first, second);
}

#[test]
fn a_switch_has_so_many_ports_and_no_more() {
    let (mut subnet, ports) = subnet(MAX_PORTS as u64);
    assert_eq!(subnet.add_port(&config(100)), Err(Refused::SwitchFull));
    subnet.remove_port(ports[9]);
    assert_eq!(subnet.add_port(&config(100)), Ok(ports[9]));
}

#[test]
fn a_lid_moves() {
    let (mut subnet, ports) = subnet(2);
    let events = subnet.set_lid(ports[0], Lid(100)).unwrap();
    assert_eq!(list(events), [(ports[0], Event::LidChange)]);
    assert_eq!(subnet.route(Lid(100)), Some(Destination::Port(ports[0])));
    assert_eq!(subnet.route(Lid(2)), None);
    assert!(subnet.set_lid(ports[0], Lid(100)).unwrap().is_empty());
    let mut refused = |lid| subnet.set_lid(ports[1], Lid(lid)).unwrap_err();
    assert_eq!(refused(100), Refused::LidInUse);
    assert_eq!(refused(1), Refused::LidInUse, "the subnet manager's");
    assert_eq!(refused(0), Refused::NotUnicast);
    assert_eq!(refused(0xc000), Refused::NotUnicast);
}

#[test]
fn the_subnet_manager_moves() {
    let (mut subnet, ports) = subnet(2);
    let _ = subnet.set_link(ports[1], false).unwrap();
    let events = subnet.set_sm_lid(Lid(77)).unwrap();
    // Behind a cut cable nobody hears of it.
    assert_eq!(list(events), [(ports[0], Event::SmChange)]);
    assert_eq!(subnet.route(Lid(77)), Some(Destination::Switch));
    assert_eq!(subnet.route(Lid(1)), None);
    assert_eq!(subnet.set_sm_lid(Lid(2)), Err(Refused::LidInUse));
    let events = subnet.set_prefix(0xfec0_0000_0000_0000);
    assert_eq!(list(events), [(ports[0], Event::GidChange)]);
    assert_eq!(subnet.gid(ports[0]).unwrap().0[..2], [0xfe, 0xc0]);
}

#[test]
fn changes_of_what_is_not_there_are_refused() {
    let (mut subnet, ports) = subnet(1);
    assert_eq!(
        subnet.set_pkey(ports[0], 32, Pkey::DEFAULT),
        Err(Refused::NoSuchIndex)
    );
    assert_eq!(subnet.set_loss(ports[0], 1001), Err(Refused::TooMuch));
    subnet.remove_port(ports[0]);
    assert_eq!(subnet.set_link(ports[0], true), Err(Refused::NoSuchPort));
    assert_eq!(subnet.set_lid(ports[0], Lid(9)), Err(Refused::NoSuchPort));
    assert_eq!(subnet.set_drop(ports[0], 1), Err(Refused::NoSuchPort));
    assert!(subnet.gid(ports[0]).is_none());
}

#[test]
fn a_port_loses_what_it_is_told_to() {
    let (mut subnet, ports) = subnet(2);
    let lost = |subnet: &mut Subnet, of: usize| (0..of).filter(|_| subnet.loses(ports[0])).count();
    assert_eq!(lost(&mut subnet, 100), 0);
    subnet.set_drop(ports[0], 3).unwrap();
    assert_eq!(lost(&mut subnet, 2), 2);
    assert_eq!(subnet.port(ports[0]).unwrap().losses(), (1, 0));
    assert_eq!(lost(&mut subnet, 100), 1);
    subnet.set_loss(ports[0], 100).unwrap();
    let tenth = lost(&mut subnet, 10_000);
    assert!((900..1100).contains(&tenth), "{tenth}");
    assert!(!subnet.loses(ports[1]));
    subnet.set_drop(ports[0], u32::MAX).unwrap();
    assert_eq!(lost(&mut subnet, 1000), 1000);
    assert_eq!(subnet.port(ports[0]).unwrap().losses(), (u32::MAX, 100));
}

#[test]
fn numbers_are_read() {
    assert_eq!(text::number(b"12\n"), Some(12));
    assert_eq!(text::number(b" 0x80fF"), Some(0x80ff));
    assert_eq!(text::number(b"4294967295"), Some(u32::MAX));
    assert_eq!(text::pair(b"1 0x8005\n"), Some((1, 0x8005)));
    for wrong in [
        &b""[..],
        b"\n",
        b"x",
        b"0x",
        b"1 2",
        b"-1",
        b"4294967296",
        b"1a",
        b"\xff",
    ] {
        assert_eq!(text::number(wrong), None, "{wrong:?}");
    }
    for wrong in [&b""[..], b"1", b"1 2 3", b"1 x"] {
        assert_eq!(text::pair(wrong), None, "{wrong:?}");
    }
}
