// SPDX-License-Identifier: GPL-2.0

//! A subnet with ports, and a client that asks its administrator.

use fabric::{Event, Events, Gid, Guid, Lid, Mad, Pkey, PortConfig, PortId, Subnet, MAX_PKEYS};

pub(crate) const GET: u8 = 0x01;
pub(crate) const SET: u8 = 0x02;
pub(crate) const GET_TABLE: u8 = 0x12;
pub(crate) const DELETE: u8 = 0x15;

pub(crate) const PATH: u16 = 0x35;
pub(crate) const MEMBER: u16 = 0x38;

/// What an adapter's port reports about itself: adapter `number`, port 1.
pub(crate) fn config(number: u64) -> PortConfig {
    let mut pkeys = [Pkey::NONE; MAX_PKEYS];
    pkeys[0] = Pkey::DEFAULT;
    pkeys[1] = Pkey(0x8001);
    let mut description = [0; 64];
    description[..4].copy_from_slice(b"test");
    PortConfig {
        node_guid: Guid(number << 8),
        port_guid: Guid(number << 8 | 1),
        number: 1,
        node_ports: 1,
        description,
        pkeys,
    }
}

/// A subnet with this many ports, all of them up.
pub(crate) fn subnet(ports: u64) -> (Box<Subnet>, Vec<PortId>) {
    let mut subnet = Box::new(Subnet::new());
    let ids = (1..=ports)
        .map(|number| {
            let id = subnet.add_port(&config(number)).unwrap();
            let _ = subnet.set_link(id, true).unwrap();
            id
        })
        .collect();
    (subnet, ids)
}

pub(crate) fn list(events: Events) -> Vec<(PortId, Event)> {
    events.iter().collect()
}

pub(crate) fn u16_at(bytes: &[u8], at: usize) -> u16 {
    u16::from_be_bytes(bytes[at..at + 2].try_into().unwrap())
}

pub(crate) fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_be_bytes(bytes[at..at + 4].try_into().unwrap())
}

/// A request to the subnet administrator.
pub(crate) fn request(method: u8, attribute: u16, mask: u64, record: &[u8]) -> Mad {
    let mut mad = [0; 256];
    mad[..4].copy_from_slice(&[1, 3, 2, method]);
    mad[8..16].copy_from_slice(&0x1122_3344_5566_7788_u64.to_be_bytes());
    mad[16..18].copy_from_slice(&attribute.to_be_bytes());
    mad[48..56].copy_from_slice(&mask.to_be_bytes());
    mad[56..56 + record.len()].copy_from_slice(record);
    mad
}

/// An answer: its status, and its records.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) method: u8,
    pub(crate) records: Vec<Vec<u8>>,
}

/// Asks as the kernel does: receives segments, acknowledges them, and puts the table together.
pub(crate) fn ask(subnet: &mut Subnet, from: PortId, request: &Mad) -> Answer {
    ask_in_windows_of(subnet, from, request, 64)
}

pub(crate) fn ask_in_windows_of(
    subnet: &mut Subnet,
    from: PortId,
    request: &Mad,
    window: u32,
) -> Answer {
    let mut reply = subnet.gsi(from, request);
    let mut bytes = Vec::new();
    let mut expected = 1;
    let mut total = None;
    loop {
        let mad = subnet.next(&mut reply).expect("an answer, or more of it");
        assert_eq!(mad[8..18], request[8..18], "transaction and attribute");
        let (status, method) = (u16_at(&mad, 4), mad[3]);
        let size = usize::from(u16_at(&mad, 44)) * 8;
        let split = |bytes: &[u8]| match size {
            0 => Vec::new(),
            size => bytes.chunks_exact(size).map(<[u8]>::to_vec).collect(),
        };
        if mad[26] & 1 == 0 {
            assert!(subnet.next(&mut reply).is_none());
            let records = split(&mad[56..56 + size.min(200)]);
            return Answer {
                status,
                method,
                records,
            };
        }
        assert_eq!(mad[24..26], [1, 1], "a data segment");
        assert_eq!(u32_at(&mad, 28), expected);
        let payload = u32_at(&mad, 32) as usize;
        let (first, last) = (mad[26] & 2 != 0, mad[26] & 4 != 0);
        assert_eq!(first, expected == 1);
        if first {
            total = Some(payload);
        }
        let count = if last { payload - 20 } else { 200 };
        bytes.extend_from_slice(&mad[56..56 + count]);
        let mut acknowledgement = mad;
        acknowledgement[3] = request[3];
        acknowledgement[25] = 2;
        acknowledgement[26] = 1;
        acknowledgement[32..36].copy_from_slice(&(expected + window).to_be_bytes());
        if last {
            assert!(subnet.next(&mut reply).is_none());
            let mut nothing = subnet.gsi(from, &acknowledgement);
            assert!(subnet.next(&mut nothing).is_none());
            assert_eq!(total, Some(bytes.len() + 20 * expected as usize));
            assert_eq!(bytes.len() % size, 0);
            return Answer {
                status,
                method,
                records: split(&bytes),
            };
        }
        // At the end of the window, the acknowledgement opens the next.
        if (expected - 1) % window == 0 {
            assert!(subnet.next(&mut reply).is_none());
            reply = subnet.gsi(from, &acknowledgement);
        }
        expected += 1;
    }
}

pub(crate) const BY_IPOIB_BROADCAST: u64 = 1 | 1 << 1 | 1 << 7 | 1 << 16;

/// The record by which a port joins or leaves a group.
pub(crate) fn member(mgid: Gid, port: Gid, pkey: Pkey, state: u8) -> [u8; 52] {
    let mut record = [0; 52];
    record[..16].copy_from_slice(&mgid.0);
    record[16..32].copy_from_slice(&port.0);
    record[40..42].copy_from_slice(&pkey.0.to_be_bytes());
    record[48] = state;
    record
}

/// Joins a partition's broadcast group as IPoIB does, and returns the multicast LID.
pub(crate) fn join_broadcast(subnet: &mut Subnet, port: PortId, pkey: Pkey) -> Lid {
    let record = member(
        Gid::ipoib_broadcast(pkey),
        subnet.gid(port).unwrap(),
        pkey,
        1,
    );
    let answer = ask(
        subnet,
        port,
        &request(SET, MEMBER, BY_IPOIB_BROADCAST, &record),
    );
    assert_eq!((answer.status, answer.method), (0, 0x81));
    Lid(u16_at(&answer.records[0], 36))
}
