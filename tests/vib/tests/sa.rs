// SPDX-License-Identifier: GPL-2.0

//! The subnet administrator, asked as the kernel and the tools ask it.

use fabric::{Gid, Lid, Mad, Pkey};

use crate::world::{
    ask, ask_in_windows_of, join_broadcast, member, request, subnet, u16_at, u32_at,
    BY_IPOIB_BROADCAST, DELETE, GET, GET_TABLE, MEMBER, PATH, SET,
};

const NODE: u16 = 0x11;
const PORT_INFO: u16 = 0x12;
const LINK: u16 = 0x20;
const SERVICE: u16 = 0x31;

#[test]
fn ipoib_joins_the_broadcast_group_and_leaves_it() {
    let (mut subnet, ports) = subnet(3);
    let mlid = join_broadcast(&mut subnet, ports[0], Pkey::DEFAULT);
    assert!(mlid.is_multicast());
    assert_eq!(join_broadcast(&mut subnet, ports[1], Pkey::DEFAULT), mlid);
    let other = join_broadcast(&mut subnet, ports[0], Pkey(0x8001));
    assert_ne!(other, mlid);
    let receivers: Vec<_> = subnet.multicast(mlid).iter().collect();
    assert_eq!(receivers, ports[..2]);
    let record = member(
        Gid::ipoib_broadcast(Pkey::DEFAULT),
        subnet.gid(ports[0]).unwrap(),
        Pkey::DEFAULT,
        1,
    );
    let leave = request(DELETE, MEMBER, BY_IPOIB_BROADCAST, &record);
    assert_eq!(ask(&mut subnet, ports[0], &leave).status, 0);
    assert_eq!(
        subnet.multicast(mlid).iter().collect::<Vec<_>>(),
        ports[1..2]
    );
    assert_eq!(ask(&mut subnet, ports[0], &leave).status, 0x0200);
    // A group that the subnet manager has made stays when it is empty.
    let _ = subnet.set_link(ports[1], false).unwrap();
    assert!(subnet.multicast(mlid).is_empty());
    assert_eq!(join_broadcast(&mut subnet, ports[2], Pkey::DEFAULT), mlid);
}

#[test]
fn the_broadcast_group_says_what_ipoib_asks_for() {
    let (mut subnet, ports) = subnet(1);
    let gid = subnet.gid(ports[0]).unwrap();
    let record = member(Gid::ipoib_broadcast(Pkey::DEFAULT), gid, Pkey::DEFAULT, 1);
    let join = request(SET, MEMBER, BY_IPOIB_BROADCAST, &record);
    let answer = ask(&mut subnet, ports[0], &join);
    let record = &answer.records[0];
    assert_eq!(record[16..32], gid.0);
    assert_eq!(u32_at(record, 32), 0x0b1b);
    assert_eq!(record[38], 2 << 6 | 4, "MTU 2048");
    assert_eq!(u16_at(record, 40), 0xffff);
    assert_eq!(record[48], 0x21, "link-local, full member");
}

#[test]
fn a_path_leads_from_one_port_to_another() {
    let (mut subnet, ports) = subnet(2);
    let (from, to) = (subnet.gid(ports[0]).unwrap(), subnet.gid(ports[1]).unwrap());
    let mut record = [0; 64];
    record[8..24].copy_from_slice(&to.0);
    record[24..40].copy_from_slice(&from.0);
    record[49] = 1;
    record[50..52].copy_from_slice(&0x8001u16.to_be_bytes());
    // Destination, source, number of paths, traffic class, P_Key.
    let mask = 1 << 2 | 1 << 3 | 1 << 12 | 1 << 10 | 1 << 13;
    let answer = ask(&mut subnet, ports[0], &request(GET, PATH, mask, &record));
    assert_eq!((answer.status, answer.method), (0, 0x81));
    let path = &answer.records[0];
    assert_eq!(path[8..40], record[8..40]);
    assert_eq!(Lid(u16_at(path, 40)), subnet.port(ports[1]).unwrap().lid());
    assert_eq!(Lid(u16_at(path, 42)), subnet.port(ports[0]).unwrap().lid());
    assert_eq!(u16_at(path, 50), 0x8001);
    assert_eq!(path[54] & 0x3f, 5, "MTU 4096");

    // There is no path in a partition that one of the ports is not in, nor over a cut cable.
    record[50..52].copy_from_slice(&0x8002u16.to_be_bytes());
    let foreign = request(GET, PATH, mask, &record);
    assert_eq!(ask(&mut subnet, ports[0], &foreign).status, 0x0300);
    let _ = subnet.set_link(ports[1], false).unwrap();
    record[50..52].copy_from_slice(&0x8001u16.to_be_bytes());
    let cut = request(GET, PATH, mask, &record);
    assert_eq!(ask(&mut subnet, ports[0], &cut).status, 0x0300);
}

#[test]
fn tables_come_in_segments() {
    let (mut subnet, ports) = subnet(12);
    let answer = ask(&mut subnet, ports[0], &request(GET_TABLE, PATH, 0, &[]));
    assert_eq!((answer.status, answer.method), (0, 0x92));
    // Every port and the switch, to every port and the switch.
    assert_eq!(answer.records.len(), 13 * 13);
    let mut paths: Vec<_> = answer.records.iter().map(|r| r[40..44].to_vec()).collect();
    paths.sort();
    paths.dedup();
    assert_eq!(paths.len(), 13 * 13);
}

#[test]
fn a_table_that_changes_on_its_way_is_aborted() {
    let (mut subnet, ports) = subnet(12);
    let table = request(GET_TABLE, PATH, 0, &[]);
    let mut reply = subnet.gsi(ports[0], &table);
    let first = subnet.next(&mut reply).unwrap();
    assert!(subnet.next(&mut reply).is_none());
    let _ = subnet.set_link(ports[5], false).unwrap();
    let mut acknowledgement = first;
    acknowledgement[3] = GET_TABLE;
    acknowledgement[25] = 2;
    acknowledgement[32..36].copy_from_slice(&65u32.to_be_bytes());
    let mut rest = subnet.gsi(ports[0], &acknowledgement);
    let abort = subnet.next(&mut rest).unwrap();
    assert_eq!((abort[25], abort[26] & 1), (4, 1), "an abort");
    assert!(abort[27] >= 118);
    assert!(subnet.next(&mut rest).is_none());
}

#[test]
fn the_receiver_decides_how_much_comes_at_once() {
    let (mut subnet, ports) = subnet(9);
    let table = request(GET_TABLE, PATH, 0, &[]);
    let expected = ask(&mut subnet, ports[0], &table);
    for window in [1, 2, 7, 1000] {
        let answer = ask_in_windows_of(&mut subnet, ports[0], &table, window);
        assert_eq!(answer, expected, "window {window}");
    }
}

#[test]
fn an_empty_table_is_no_error() {
    let (mut subnet, ports) = subnet(1);
    let answer = ask(&mut subnet, ports[0], &request(GET_TABLE, SERVICE, 0, &[]));
    assert_eq!((answer.status, answer.method), (0, 0x92));
    assert!(answer.records.is_empty());
}

#[test]
fn every_node_and_every_port_has_a_record() {
    let (mut subnet, ports) = subnet(3);
    let nodes = ask(&mut subnet, ports[1], &request(GET_TABLE, NODE, 0, &[]));
    assert_eq!(nodes.records.len(), 4);
    assert_eq!(nodes.records[0][44..54], *b"vib switch");
    // Adapters only, by their type.
    let mut record = [0; 108];
    record[6] = 1;
    let adapters = ask(
        &mut subnet,
        ports[1],
        &request(GET_TABLE, NODE, 1 << 4, &record),
    );
    assert_eq!(adapters.records.len(), 3);
    assert_eq!(adapters.records[2][44..49], *b"test\0");

    let all = ask(
        &mut subnet,
        ports[1],
        &request(GET_TABLE, PORT_INFO, 0, &[]),
    );
    assert_eq!(
        all.records.len(),
        4 + 3,
        "and the outer ports of the switch"
    );
    let mut record = [0; 58];
    record[..2].copy_from_slice(&3u16.to_be_bytes());
    let one = ask(&mut subnet, ports[0], &request(GET, PORT_INFO, 1, &record));
    assert_eq!(u16_at(&one.records[0], 4 + 16), 3);
    // Subnet managers: all bits of the mask must be set, and others may be.
    record[24..28].copy_from_slice(&2u32.to_be_bytes());
    let mut managers = request(GET_TABLE, PORT_INFO, 1 << 7, &record);
    assert!(ask(&mut subnet, ports[0], &managers).records.is_empty());
    managers[20] = 0x80;
    let managers = ask(&mut subnet, ports[0], &managers);
    assert_eq!(managers.records.len(), 1);
    assert_eq!(u16_at(&managers.records[0], 0), 1);
}

#[test]
fn each_cable_is_a_link_in_both_directions() {
    let (mut subnet, ports) = subnet(2);
    let _ = subnet.set_link(ports[0], false).unwrap();
    let links = ask(&mut subnet, ports[1], &request(GET_TABLE, LINK, 0, &[])).records;
    assert_eq!(links, [[0, 3, 1, 2, 0, 1, 0, 0], [0, 1, 2, 1, 0, 3, 0, 0]]);
}

#[test]
fn services_are_registered_and_found() {
    let (mut subnet, ports) = subnet(2);
    let mut record = [0; 176];
    record[7] = 9;
    record[8..24].copy_from_slice(&subnet.gid(ports[0]).unwrap().0);
    record[24..26].copy_from_slice(&0xffffu16.to_be_bytes());
    record[31] = 60;
    record[48..52].copy_from_slice(b"name");
    let mut ask = |port: usize, method, mask, record: &[u8]| {
        ask(
            &mut subnet,
            ports[port],
            &request(method, SERVICE, mask, record),
        )
    };
    assert_eq!(
        ask(1, SET, 0b111, &record).status,
        0x0500,
        "a service of another"
    );
    let answer = ask(0, SET, 0b111_0111, &record);
    assert_eq!((answer.status, answer.method), (0, 0x81));
    assert_eq!(
        u32_at(&answer.records[0], 28),
        u32::MAX,
        "the lease is for ever"
    );
    record[48..52].copy_from_slice(b"next");
    assert_eq!(ask(0, SET, 0b111, &record).status, 0);
    let found = ask(1, GET_TABLE, 0, &[]);
    assert_eq!(found.records.len(), 1, "the second replaces the first");
    let by_name = ask(1, GET, 1 << 6, &record);
    assert_eq!(by_name.records[0][48..52], *b"next");
    assert_eq!(ask(0, DELETE, 0b111, &record).status, 0);
    assert_eq!(ask(1, GET, 1 << 6, &record).status, 0x0300);
    assert_eq!(ask(0, DELETE, 0b111, &record).status, 0x0300);
}

#[test]
fn services_go_with_their_port() {
    let (mut subnet, ports) = subnet(2);
    let mut record = [0; 176];
    record[7] = 9;
    record[8..24].copy_from_slice(&subnet.gid(ports[0]).unwrap().0);
    record[24..26].copy_from_slice(&0xffffu16.to_be_bytes());
    ask(
        &mut subnet,
        ports[0],
        &request(SET, SERVICE, 0b111, &record),
    );
    subnet.remove_port(ports[0]);
    let found = ask(&mut subnet, ports[1], &request(GET_TABLE, SERVICE, 0, &[]));
    assert!(found.records.is_empty());
}

#[test]
fn what_the_administrator_does_not_know_it_refuses() {
    let (mut subnet, ports) = subnet(1);
    let mut status = |mad: Mad| ask(&mut subnet, ports[0], &mad).status;
    assert_eq!(status(request(GET, 0x7777, 0, &[])), 0x000c);
    assert_eq!(status(request(SET, PATH, 0, &[])), 0x000c);
    assert_eq!(status(request(0x33, PATH, 0, &[])), 0x0008);
    let mut old = request(GET, PATH, 0, &[]);
    old[2] = 1;
    assert_eq!(status(old), 0x0004);
    assert_eq!(status(request(GET, PORT_INFO, 0, &[])), 0x0400, "too many");
    // An answer, and a datagram of another class, are not meant for the administrator.
    for (at, value) in [(3, 0x81), (1, 4), (0, 2)] {
        let mut other = request(GET, PATH, 0, &[]);
        other[at] = value;
        let mut reply = subnet.gsi(ports[0], &other);
        assert!(subnet.next(&mut reply).is_none());
    }
}

#[test]
fn every_table_can_be_had() {
    let (mut subnet, ports) = subnet(2);
    let broadcast = join_broadcast(&mut subnet, ports[0], Pkey::DEFAULT);
    let mut table = |attribute| {
        let answer = ask(
            &mut subnet,
            ports[0],
            &request(GET_TABLE, attribute, 0, &[]),
        );
        assert_eq!(answer.status, 0);
        answer.records
    };
    let switch = &table(0x14)[0];
    assert_eq!(
        (u16_at(switch, 0), u16_at(switch, 10)),
        (1, 3),
        "the highest LID"
    );
    let routes = &table(0x15)[0];
    assert_eq!(
        routes[8..13],
        [0xff, 0, 1, 2, 0xff],
        "LID 1 is the switch, 2 and 3 the ports"
    );
    let multicast = &table(0x17)[0];
    assert_eq!(broadcast, Lid::MULTICAST);
    assert_eq!(multicast[8..10], [0, 2], "port 1");
    assert_eq!(table(0x18)[0][24] & 0xf, 3, "a master");
    assert_eq!(table(0x30).len(), 3);
    assert_eq!(table(0x33)[1][8..12], [0xff, 0xff, 0x80, 0x01]);
}

#[test]
fn the_class_says_what_it_can() {
    let (mut subnet, ports) = subnet(1);
    let info = ask(&mut subnet, ports[0], &request(GET, 0x01, 0, &[]));
    let info = &info.records[0];
    assert_eq!(info[..2], [1, 2]);
    assert_eq!(u32_at(info, 4) >> 5, 1 << 12, "send-only full members");
}
