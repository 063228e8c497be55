// SPDX-License-Identifier: GPL-2.0

//! The subnet administrator, asked as the kernel and the tools ask it.

use fabric::{Gid, Lid, Pkey};

use crate::world::{
    ask, join_broadcast, member, request, subnet, u16_at, u32_at, DELETE, GET, MEMBER, PATH, SET,
};
use crate::world::{BY_IPOIB_BROADCAST, GET_TABLE};

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
    // The group of the subnet manager's making stays when it is empty.
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

    // Not in a partition that one of them is not in, nor over a cut cable.
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
