// SPDX-License-Identifier: GPL-2.0

//! Multicast groups that ports make, and the parameters that they must agree on.

use fabric::{Event, Gid, Lid, Pkey, PortId, Subnet};

use crate::world::{
    ask, join_broadcast, list, member, request, subnet, u16_at, Answer, DELETE, GET, GET_TABLE,
    MEMBER, SET,
};

const FULL: u8 = 1;
const NON: u8 = 2;
const SEND_ONLY: u8 = 4;
const SEND_ONLY_FULL: u8 = 8;

/// Group, port, Q_Key, MTU with selector, traffic class, P_Key, rate with selector, service level,
/// flow label, hop limit, join state: what IPoIB names.
const BY_IPOIB: u64 = 0b1_0111_0011_1111_0111;

fn mgid(last: u8) -> Gid {
    let mut gid = [0; 16];
    gid[..6].copy_from_slice(&[0xff, 0x12, 0x40, 0x1b, 0xff, 0xff]);
    gid[15] = last;
    Gid(gid)
}

/// A join with all parameters, as IPoIB copies them from the broadcast group.
fn full_record(subnet: &Subnet, port: PortId, last: u8, state: u8) -> [u8; 52] {
    let gid = subnet.gid(port).unwrap();
    let mut record = member(mgid(last), gid, Pkey::DEFAULT, state);
    record[32..36].copy_from_slice(&0x0b1bu32.to_be_bytes());
    record[38] = 2 << 6 | 4;
    record[42] = 2 << 6 | 16;
    record
}

fn join(subnet: &mut Subnet, port: PortId, last: u8, state: u8) -> Answer {
    let record = full_record(subnet, port, last, state);
    ask(subnet, port, &request(SET, MEMBER, BY_IPOIB, &record))
}

fn leave(subnet: &mut Subnet, port: PortId, last: u8, state: u8) -> Answer {
    let record = full_record(subnet, port, last, state);
    let mask = 1 | 1 << 1 | 1 << 16;
    ask(subnet, port, &request(DELETE, MEMBER, mask, &record))
}

fn mlid(answer: &Answer) -> Lid {
    assert_eq!(answer.status, 0);
    Lid(u16_at(&answer.records[0], 36))
}

fn receivers(subnet: &Subnet, mlid: Lid) -> Vec<PortId> {
    subnet.multicast(mlid).iter().collect()
}

#[test]
fn a_group_lives_as_long_as_a_member_keeps_it() {
    let (mut subnet, ports) = subnet(3);
    let group = mlid(&join(&mut subnet, ports[0], 1, FULL));
    assert_eq!(mlid(&join(&mut subnet, ports[1], 1, NON)), group);
    assert_eq!(mlid(&join(&mut subnet, ports[2], 1, SEND_ONLY)), group);
    assert_eq!(receivers(&subnet, group), ports[..2]);
    assert_eq!(leave(&mut subnet, ports[0], 1, FULL).status, 0);
    assert!(receivers(&subnet, group).is_empty());
    assert_eq!(leave(&mut subnet, ports[1], 1, NON).status, 0x0200);
}

#[test]
fn states_of_a_member_add_up_and_go_one_by_one() {
    let (mut subnet, ports) = subnet(1);
    join(&mut subnet, ports[0], 1, SEND_ONLY_FULL);
    let both = join(&mut subnet, ports[0], 1, FULL);
    assert_eq!(both.records[0][48] & 0xf, FULL | SEND_ONLY_FULL);
    let group = mlid(&both);
    let left = leave(&mut subnet, ports[0], 1, FULL);
    assert_eq!(left.records[0][48] & 0xf, SEND_ONLY_FULL);
    assert!(receivers(&subnet, group).is_empty());
    assert_eq!(mlid(&join(&mut subnet, ports[0], 1, FULL)), group);
    assert_eq!(receivers(&subnet, group), ports);
}

#[test]
fn a_join_that_contradicts_the_group_is_refused() {
    let (mut subnet, ports) = subnet(2);
    join(&mut subnet, ports[0], 1, FULL);
    for (at, value) in [
        (35, 1),
        (38, 2 << 6 | 5),
        (39, 7),
        (42, 2 << 6 | 3),
        (44, 16),
    ] {
        let mut record = full_record(&subnet, ports[1], 1, FULL);
        record[at] = value;
        let answer = ask(
            &mut subnet,
            ports[1],
            &request(SET, MEMBER, BY_IPOIB, &record),
        );
        assert_eq!(answer.status, 0x0200, "byte {at}");
    }
    // The group's MTU meets both wishes: at most 4096 bytes, and at least 1024 bytes.
    for mtu in [1 << 6 | 5, 3, 3 << 6] {
        let mut record = full_record(&subnet, ports[1], 1, FULL);
        record[38] = mtu;
        let answer = ask(
            &mut subnet,
            ports[1],
            &request(SET, MEMBER, BY_IPOIB, &record),
        );
        assert_eq!(answer.status, 0, "MTU {mtu:#x}");
    }
}

#[test]
fn a_group_is_made_from_a_complete_description_only() {
    let (mut subnet, ports) = subnet(1);
    let record = full_record(&subnet, ports[0], 1, FULL);
    let mut ask = |mask, record: &[u8]| {
        ask(&mut subnet, ports[0], &request(SET, MEMBER, mask, record)).status
    };
    for missing in [2, 6, 7, 12, 13] {
        assert_eq!(
            ask(BY_IPOIB & !(1 << missing), &record),
            0x0600,
            "component {missing}"
        );
    }
    for missing in [1, 16] {
        assert_eq!(
            ask(BY_IPOIB & !(1 << missing), &record),
            0x0600,
            "component {missing}"
        );
    }
    let mut somebody = record;
    somebody[31] ^= 1;
    assert_eq!(ask(BY_IPOIB, &somebody), 0x0500, "for another port");
    let mut non_member = record;
    non_member[48] = NON;
    assert_eq!(ask(BY_IPOIB, &non_member), 0x0200, "nobody would keep it");
    let mut unicast = record;
    unicast[0] = 0xfe;
    assert_eq!(ask(BY_IPOIB, &unicast), 0x0200);
    let mut foreign = record;
    foreign[40..42].copy_from_slice(&0x8123u16.to_be_bytes());
    assert_eq!(
        ask(BY_IPOIB, &foreign),
        0x0200,
        "a partition that the port is not in"
    );
    assert_eq!(ask(BY_IPOIB, &record), 0);
}

#[test]
fn a_group_without_an_address_gets_one() {
    let (mut subnet, ports) = subnet(1);
    let mut record = full_record(&subnet, ports[0], 0, FULL);
    record[..16].fill(0);
    let first = ask(
        &mut subnet,
        ports[0],
        &request(SET, MEMBER, BY_IPOIB, &record),
    );
    let second = ask(
        &mut subnet,
        ports[0],
        &request(SET, MEMBER, BY_IPOIB & !1, &record),
    );
    assert_eq!((first.status, second.status), (0, 0));
    assert_eq!(first.records[0][..4], [0xff, 0x12, 0xa0, 0x1b]);
    assert_ne!(first.records[0][..16], second.records[0][..16]);
}

#[test]
fn the_table_of_groups_is_finite() {
    let (mut subnet, ports) = subnet(1);
    let mut refused = None;
    for last in 0..=255 {
        let answer = join(&mut subnet, ports[0], last, FULL);
        if answer.status != 0 {
            refused = Some((last, answer.status));
            break;
        }
    }
    // Two places belong to the broadcast groups of the port's partitions.
    assert_eq!(refused, Some((254, 0x0100)));
    leave(&mut subnet, ports[0], 7, FULL);
    assert_eq!(join(&mut subnet, ports[0], 254, FULL).status, 0);
}

#[test]
fn members_are_shown_to_those_who_have_the_key() {
    let (mut subnet, ports) = subnet(2);
    join_broadcast(&mut subnet, ports[0], Pkey::DEFAULT);
    join_broadcast(&mut subnet, ports[1], Pkey::DEFAULT);
    let mut table = request(GET_TABLE, MEMBER, 0, &[]);
    let groups = ask(&mut subnet, ports[0], &table);
    assert_eq!(groups.records.len(), 2);
    assert!(groups.records.iter().all(|r| r[16..32] == [0; 16]));
    table[43] = 1;
    let members = ask(&mut subnet, ports[0], &table);
    assert_eq!(members.records.len(), 3, "two members, and an empty group");
    let gids: Vec<_> = ports.iter().map(|&p| subnet.gid(p).unwrap().0).collect();
    assert_eq!(members.records[0][16..32], gids[0]);
    assert_eq!(members.records[1][16..32], gids[1]);

    let record = member(
        Gid::ipoib_broadcast(Pkey::DEFAULT),
        Gid(gids[1]),
        Pkey::DEFAULT,
        1,
    );
    let get = request(GET, MEMBER, 1 | 1 << 1, &record);
    assert_eq!(ask(&mut subnet, ports[0], &get).records[0][16..32], gids[1]);
    let by_key = request(
        GET_TABLE,
        MEMBER,
        1 << 7,
        &member(Gid::ZERO, Gid::ZERO, Pkey(0x8001), 0),
    );
    assert_eq!(ask(&mut subnet, ports[0], &by_key).records.len(), 1);
}

#[test]
fn what_leaves_a_partition_leaves_its_groups() {
    let (mut subnet, ports) = subnet(2);
    let one = join_broadcast(&mut subnet, ports[0], Pkey(0x8001));
    let all = join_broadcast(&mut subnet, ports[0], Pkey::DEFAULT);
    // A limited member is a member.
    let limited = subnet.set_pkey(ports[0], 1, Pkey(0x0001)).unwrap();
    assert_eq!(list(limited), [(ports[0], Event::PkeyChange)]);
    assert_eq!(receivers(&subnet, one), ports[..1]);
    let _ = subnet.set_pkey(ports[0], 1, Pkey::NONE).unwrap();
    assert!(receivers(&subnet, one).is_empty());
    assert_eq!(receivers(&subnet, all), ports[..1]);
}

#[test]
fn a_subnet_manager_that_starts_anew_has_forgotten_all_members() {
    let (mut subnet, ports) = subnet(2);
    let broadcast = join_broadcast(&mut subnet, ports[0], Pkey::DEFAULT);
    let group = mlid(&join(&mut subnet, ports[1], 1, FULL));
    let events = list(subnet.restart_sm());
    let expected: Vec<_> = ports
        .iter()
        .map(|&p| (p, Event::ClientReregister))
        .collect();
    assert_eq!(events, expected);
    assert!(receivers(&subnet, broadcast).is_empty());
    assert!(receivers(&subnet, group).is_empty());
    assert_eq!(
        join_broadcast(&mut subnet, ports[0], Pkey::DEFAULT),
        broadcast
    );
}
