// SPDX-License-Identifier: GPL-2.0

//! What must hold for a subnet whatever is sent and whatever happens.

use fabric::{Destination, Guid, Lid, Mad, Pkey, PortConfig, PortId, Subnet};
use proptest::prelude::*;

use crate::world::{
    ask, config, join_broadcast, request, subnet, DELETE, GET, GET_TABLE, MEMBER, SET,
};

/// A datagram of any bytes, but more often than not one that makes sense.
fn mad() -> impl Strategy<Value = Mad> {
    let method = prop_oneof![
        Just(GET),
        Just(SET),
        Just(GET_TABLE),
        Just(DELETE),
        any::<u8>()
    ];
    let class = prop_oneof![4 => Just(3u8), 2 => Just(1), 2 => Just(0x81), 1 => any::<u8>()];
    let attribute = prop_oneof![4 => 0x0010u16..0x0040, 1 => any::<u16>()];
    let mask = prop_oneof![Just(0u64), any::<u64>(), 0u64..0x4_0000];
    let bytes = proptest::collection::vec(prop_oneof![3 => Just(0u8), 1 => any::<u8>()], 256);
    (bytes, class, method, attribute, mask, any::<bool>()).prop_map(
        |(bytes, class, method, attribute, mask, raw)| {
            let mut mad: Mad = bytes.try_into().unwrap();
            if !raw {
                let version = if class == 3 { 2 } else { 1 };
                mad[..4].copy_from_slice(&[1, class, version, method]);
                mad[16..18].copy_from_slice(&attribute.to_be_bytes());
                mad[48..56].copy_from_slice(&mask.to_be_bytes());
            }
            mad
        },
    )
}

/// Something that happens to a subnet.
#[derive(Clone, Debug)]
enum Op {
    Add(u64),
    Remove(usize),
    Link(usize, bool),
    Lid(usize, u16),
    Pkey(usize, usize, u16),
    Join(usize, u16),
    Sm(u16),
    Prefix(u64),
    Restart,
    Mad(usize, Box<Mad>),
}

fn op() -> impl Strategy<Value = Op> {
    let port = || 0usize..6;
    let pkey = || {
        prop_oneof![
            Just(0xffffu16),
            Just(0x8001),
            Just(0x0001),
            Just(0x8002),
            Just(0)
        ]
    };
    prop_oneof![
        4 => (1u64..6).prop_map(Op::Add),
        1 => port().prop_map(Op::Remove),
        6 => (port(), any::<bool>()).prop_map(|(port, up)| Op::Link(port, up)),
        2 => (port(), prop_oneof![0u16..8, any::<u16>()]).prop_map(|(port, lid)| Op::Lid(port, lid)),
        2 => (port(), 0usize..3, pkey()).prop_map(|(port, at, pkey)| Op::Pkey(port, at, pkey)),
        6 => (port(), pkey()).prop_map(|(port, pkey)| Op::Join(port, pkey)),
        1 => (0u16..8).prop_map(Op::Sm),
        1 => any::<u64>().prop_map(Op::Prefix),
        1 => Just(Op::Restart),
        4 => (port(), mad()).prop_map(|(port, mad)| Op::Mad(port, Box::new(mad))),
    ]
}

fn id(index: usize) -> PortId {
    PortId::new(index).unwrap()
}

fn partitions(config: &PortConfig) -> Vec<Pkey> {
    config
        .pkeys
        .into_iter()
        .filter(|key| key.is_valid())
        .collect()
}

fn apply(subnet: &mut Subnet, op: &Op) {
    // Refusals are expected.
    match *op {
        Op::Add(number) => drop(subnet.add_port(&config(number))),
        Op::Remove(port) => subnet.remove_port(id(port)),
        Op::Link(port, up) => drop(subnet.set_link(id(port), up)),
        Op::Lid(port, lid) => drop(subnet.set_lid(id(port), Lid(lid))),
        Op::Pkey(port, at, pkey) => drop(subnet.set_pkey(id(port), at, Pkey(pkey))),
        Op::Join(port, pkey) => {
            let Some(port) = subnet.port(id(port)).is_some().then_some(id(port)) else {
                return;
            };
            let member = subnet.port(port).is_some_and(|p| {
                let keys = partitions(p.config());
                p.is_up() && keys.iter().any(|key| key.same_partition(Pkey(pkey)))
            });
            if member {
                let mlid = join_broadcast(subnet, port, Pkey(pkey));
                assert!(subnet.multicast(mlid).contains(port));
            }
        }
        Op::Sm(lid) => drop(subnet.set_sm_lid(Lid(lid))),
        Op::Prefix(prefix) => drop(subnet.set_prefix(prefix)),
        Op::Restart => drop(subnet.restart_sm()),
        Op::Mad(port, ref mad) => send(subnet, id(port), mad),
    }
}

/// Sends a datagram everywhere, and takes everything that comes back.
fn send(subnet: &mut Subnet, from: PortId, mad: &Mad) {
    let mut reply = subnet.gsi(from, mad);
    let mut datagrams = 0;
    while let Some(answer) = subnet.next(&mut reply) {
        assert_ne!(answer[3] & 0x80, 0, "an answer");
        assert_eq!(answer[8..16], mad[8..16], "of that transaction");
        datagrams += 1;
        assert!(datagrams < 10_000);
    }
    for lid in [Lid(1), Lid(2), Lid::PERMISSIVE] {
        subnet.smp(from, lid, mad);
    }
    subnet.agent(from, mad);
}

fn check(subnet: &mut Subnet) {
    let plugged: Vec<_> = (0..64)
        .map(id)
        .filter_map(|id| subnet.port(id).map(|port| (id, *port)))
        .collect();
    let mut lids = vec![subnet.sm_lid()];
    for (id, port) in &plugged {
        assert!(port.lid().is_unicast());
        assert!(!lids.contains(&port.lid()), "each LID is one port's");
        lids.push(port.lid());
        let expected = port.is_up().then_some(Destination::Port(*id));
        assert_eq!(subnet.route(port.lid()), expected);
    }
    assert_eq!(subnet.route(subnet.sm_lid()), Some(Destination::Switch));
    // Every receiver of multicast packets exists, and is in the partition.
    if let Some((asker, _)) = plugged.iter().find(|(_, port)| port.is_up()) {
        let groups = ask(subnet, *asker, &request(GET_TABLE, MEMBER, 0, &[]));
        for group in groups.records {
            let mlid = Lid(u16::from_be_bytes([group[36], group[37]]));
            let pkey = Pkey(u16::from_be_bytes([group[40], group[41]]));
            for id in subnet.multicast(mlid).iter() {
                let port = subnet.port(id).expect("a port that is plugged in");
                assert!(port.is_up());
                let keys = partitions(port.config());
                assert!(keys.iter().any(|key| key.same_partition(pkey)));
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 400,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn nothing_that_is_sent_does_harm(mads in proptest::collection::vec(mad(), 1..20)) {
        let (mut subnet, ports) = subnet(4);
        for mad in &mads {
            send(&mut subnet, ports[1], mad);
        }
        check(&mut subnet);
    }

    #[test]
    fn the_subnet_is_consistent_whatever_happens(ops in proptest::collection::vec(op(), 1..80)) {
        let mut subnet = Box::new(Subnet::new());
        for op in &ops {
            apply(&mut subnet, op);
            check(&mut subnet);
        }
    }

    #[test]
    fn a_record_matches_what_it_says_of_itself(attribute in 0x11u16..0x39, mask in any::<u64>()) {
        // Whatever components of a record a query names, the record is among the answers.
        let (mut subnet, ports) = subnet(3);
        for &port in &ports {
            join_broadcast(&mut subnet, port, Pkey::DEFAULT);
        }
        let mut all = request(GET_TABLE, attribute, 0, &[]);
        all[43] = 1;
        let all = ask(&mut subnet, ports[0], &all);
        for record in all.records {
            let mut again = request(GET_TABLE, attribute, mask, &record);
            again[43] = 1;
            let answer = ask(&mut subnet, ports[0], &again);
            prop_assert!(answer.records.contains(&record));
        }
    }

    #[test]
    fn guids_make_gids(prefix in any::<u64>(), guid in any::<u64>()) {
        let gid = fabric::Gid::of_port(prefix, Guid(guid));
        prop_assert_eq!((gid.prefix(), gid.guid()), (prefix, Guid(guid)));
    }
}
