// SPDX-License-Identifier: GPL-2.0

//! Subnet management packets: what smpquery, sminfo and ibnetdiscover ask the nodes.

use fabric::{Lid, Mad, PortId, Subnet};

use crate::world::{config, subnet, u16_at, GET, SET};

const NODE_DESCRIPTION: u16 = 0x10;
const NODE_INFO: u16 = 0x11;
const SWITCH_INFO: u16 = 0x12;
const PORT_INFO: u16 = 0x15;
const PKEY_TABLE: u16 = 0x16;
const SM_INFO: u16 = 0x20;

fn lid_routed(method: u8, attribute: u16, modifier: u32) -> Mad {
    let mut mad = [0; 256];
    mad[..4].copy_from_slice(&[1, 0x01, 1, method]);
    mad[8..16].copy_from_slice(&0x0102_0304_0506_0708_u64.to_be_bytes());
    mad[16..18].copy_from_slice(&attribute.to_be_bytes());
    mad[20..24].copy_from_slice(&modifier.to_be_bytes());
    mad
}

/// A packet that goes along these ports, as it leaves the adapter.
fn directed(path: &[u8], attribute: u16, modifier: u32) -> Mad {
    let mut mad = lid_routed(GET, attribute, modifier);
    mad[1] = 0x81;
    mad[6] = 1;
    mad[7] = path.len() as u8;
    mad[32..36].fill(0xff);
    mad[129..129 + path.len()].copy_from_slice(path);
    mad
}

fn lid_of(subnet: &Subnet, port: PortId) -> Lid {
    subnet.port(port).unwrap().lid()
}

#[test]
fn the_switch_and_the_adapters_answer_by_lid() {
    let (subnet, ports) = subnet(2);
    let node = |lid| {
        let answer = subnet.smp(ports[0], lid, &lid_routed(GET, NODE_INFO, 0));
        let answer = answer.unwrap();
        assert_eq!((answer[3], u16_at(&answer, 4)), (0x81, 0));
        (answer[66], answer[67], answer[100])
    };
    assert_eq!(node(Lid(1)), (2, 64, 1), "a switch, seen from its port 1");
    assert_eq!(node(lid_of(&subnet, ports[1])), (1, 1, 1));
    assert!(subnet
        .smp(ports[0], Lid(77), &lid_routed(GET, NODE_INFO, 0))
        .is_none());
    let name = subnet.smp(ports[0], Lid(1), &lid_routed(GET, NODE_DESCRIPTION, 0));
    assert_eq!(name.unwrap()[64..75], *b"vib switch\0");
}

#[test]
fn the_subnet_manager_is_in_the_switch() {
    let (subnet, ports) = subnet(1);
    let ask = |lid, what| {
        subnet
            .smp(ports[0], lid, &lid_routed(GET, what, 0))
            .unwrap()
    };
    let info = ask(Lid(1), SM_INFO);
    assert_eq!((u16_at(&info, 4), info[84] & 0xf), (0, 3), "a master");
    assert_eq!(u16_at(&ask(Lid(2), SM_INFO), 4), 0x000c);
    assert_eq!(u16_at(&ask(Lid(2), SWITCH_INFO), 4), 0x000c);
    assert_eq!(u16_at(&ask(Lid(1), SWITCH_INFO), 4), 0);
}

#[test]
fn a_directed_route_leads_through_the_switch() {
    let (mut subnet, ports) = subnet(3);
    let switch = subnet.smp(ports[2], Lid::PERMISSIVE, &directed(&[1], NODE_INFO, 0));
    let switch = switch.unwrap();
    assert_eq!(
        (switch[66], switch[100]),
        (2, 3),
        "the switch, at its port 3"
    );
    assert_eq!(u16_at(&switch, 4), 0x8000, "on its way back");
    assert_eq!((switch[6], switch[193]), (1, 3), "the way back");

    let route = directed(&[1, 2], NODE_INFO, 0);
    let adapter = subnet.smp(ports[0], Lid::PERMISSIVE, &route).unwrap();
    assert_eq!((adapter[66], adapter[100]), (1, 1));
    assert_eq!(adapter[84..92], (2u64 << 8 | 1).to_be_bytes());
    assert_eq!((adapter[193], adapter[194]), (1, 1));

    let ends = |path: &[u8]| {
        let request = directed(path, NODE_INFO, 0);
        subnet.smp(ports[0], Lid::PERMISSIVE, &request).is_some()
    };
    assert!(!ends(&[1, 9]), "nothing is plugged in there");
    assert!(!ends(&[1, 2, 1]), "an adapter does not forward");
    assert!(!ends(&[1, 0]), "behind the switch's own port");
    assert!(ends(&[1, 1]), "and back to the sender");
    let _ = subnet.set_link(ports[1], false).unwrap();
    assert!(subnet.smp(ports[0], Lid::PERMISSIVE, &route).is_none());
}

#[test]
fn a_directed_route_begins_where_a_lid_leads_to() {
    let (subnet, ports) = subnet(3);
    let from_lid = |path: &[u8], lid| {
        let mut request = directed(path, NODE_INFO, 0);
        request[6] = 0;
        request[32..34].copy_from_slice(&[0, 2]);
        subnet.smp(ports[0], Lid(lid), &request)
    };
    let beyond = from_lid(&[3], 1).unwrap();
    assert_eq!((beyond[66], beyond[100]), (1, 1));
    assert_eq!(beyond[84..92], (3u64 << 8 | 1).to_be_bytes());
    assert_eq!((beyond[6], u16_at(&beyond, 4)), (0, 0x8000));
    assert_eq!(from_lid(&[], 1).unwrap()[66], 2, "the switch itself");
    assert_eq!(from_lid(&[1], 4).unwrap()[100], 3, "out of another adapter");
    assert!(from_lid(&[2], 4).is_none(), "which has no port 2");
    assert!(from_lid(&[1], 99).is_none());
}

#[test]
fn port_info_follows_the_link() {
    let (mut subnet, ports) = subnet(2);
    let state = |subnet: &Subnet, port: u32| {
        let request = lid_routed(GET, PORT_INFO, port);
        let answer = subnet.smp(ports[0], Lid(1), &request).unwrap();
        assert_eq!(
            (u16_at(&answer, 4), answer[64 + 28]),
            (0, 1),
            "came in at port 1"
        );
        (answer[64 + 32] & 0xf, answer[64 + 33] >> 4)
    };
    assert_eq!(state(&subnet, 2), (4, 5), "active, link up");
    assert_eq!(state(&subnet, 3), (1, 2), "down, polling");
    let _ = subnet.set_link(ports[1], false).unwrap();
    assert_eq!(state(&subnet, 2), (1, 2));
    let own = subnet
        .agent(ports[1], &lid_routed(GET, PORT_INFO, 1))
        .unwrap();
    assert_eq!((u16_at(&own, 4), own[96] & 0xf), (0, 1));
    assert_eq!(u16_at(&own, 64 + 16), 3, "the LID");
    assert_eq!(u16_at(&own, 64 + 18), 1, "the subnet manager's");
    for number in [2, 300] {
        let other = subnet.agent(ports[1], &lid_routed(GET, PORT_INFO, number));
        assert_eq!(u16_at(&other.unwrap(), 4), 0x001c);
    }
}

#[test]
fn ports_of_one_adapter_know_of_each_other() {
    let mut subnet = Box::new(Subnet::new());
    let mut second = config(1);
    second.number = 2;
    second.port_guid.0 += 1;
    let first = subnet.add_port(&config(1)).unwrap();
    let second = subnet.add_port(&second).unwrap();
    let request = lid_routed(GET, PORT_INFO, 2);
    let answer = subnet.agent(first, &request).unwrap();
    assert_eq!(u16_at(&answer, 4), 0);
    assert_eq!(Lid(u16_at(&answer, 80)), lid_of(&subnet, second));
}

#[test]
fn tables_of_keys_are_shown_and_cannot_be_set() {
    let (subnet, ports) = subnet(1);
    let keys = subnet
        .agent(ports[0], &lid_routed(GET, PKEY_TABLE, 0))
        .unwrap();
    assert_eq!(keys[64..70], [0xff, 0xff, 0x80, 0x01, 0, 0]);
    let later = subnet
        .agent(ports[0], &lid_routed(GET, PKEY_TABLE, 1))
        .unwrap();
    assert!(later[64..128].iter().all(|&byte| byte == 0));
    let set = subnet
        .agent(ports[0], &lid_routed(SET, PKEY_TABLE, 0))
        .unwrap();
    assert_eq!((set[3], u16_at(&set, 4)), (0x81, 0x0008));
    // A packet that is no request gets no answer.
    assert!(subnet.agent(ports[0], &keys).is_none());
}
