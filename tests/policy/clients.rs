// SPDX-License-Identifier: GPL-2.0

//! The clients of balance-alb: each has one slave, and learns of each change.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use policy::balance::SlaveId;
use policy::clients::{Client, Clients, Heard, Member, Notice, Pair, CLIENTS, WAYS};
use proptest::prelude::*;

type Mac = [u8; 6];

const OURS: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1));

fn mac(number: u8) -> Mac {
    [2, 0, 0, 0, 0, number]
}

fn member(id: u32, speed: Option<u32>) -> Member {
    Member {
        id: SlaveId(id),
        addr: mac(id as u8),
        speed,
        can_send: true,
    }
}

fn pair(number: u16) -> Pair {
    let [high, low] = number.to_be_bytes();
    Pair {
        ours: OURS,
        theirs: Ipv4Addr::new(192, 0, high.wrapping_add(2), low).into(),
        vid: 0,
    }
}

fn client_mac(number: u16) -> Mac {
    let [high, low] = number.to_be_bytes();
    [6, 0, 0, 0, high, low]
}

struct Sim {
    table: Vec<Client>,
    members: Vec<Member>,
    now: u64,
    /// What each client believes to be our hardware address.
    believes: HashMap<IpAddr, Mac>,
    /// The address of the active slave, which is that of the bond.
    bond: Mac,
}

impl Sim {
    fn new(speeds: &[Option<u32>]) -> Sim {
        Sim {
            table: vec![Client::default(); CLIENTS],
            members: (1..)
                .zip(speeds)
                .map(|(id, &speed)| member(id, speed))
                .collect(),
            now: 1000,
            believes: HashMap::new(),
            bond: mac(1),
        }
    }

    fn with<R>(
        &mut self,
        run: impl FnOnce(&mut Clients<'_>, std::vec::IntoIter<Member>, u64) -> R,
    ) -> R {
        run(
            &mut Clients(&mut self.table),
            self.members.clone().into_iter(),
            self.now,
        )
    }

    /// We answer a client. Returns the slave that the answer leaves through.
    fn answer(&mut self, number: u16) -> Option<Member> {
        let fallback = self.members.iter().find(|it| it.addr == self.bond).copied();
        let (member, forgotten) = self.with(|clients, members, now| {
            clients.tells(
                &pair(number),
                Some(client_mac(number)),
                (members, fallback),
                now,
            )
        });
        if let Some(notice) = forgotten {
            self.believes.insert(notice.pair.theirs, notice.slave.addr);
        }
        if let Some(member) = member {
            self.believes.insert(pair(number).theirs, member.addr);
        }
        member
    }

    /// All notices that are due, which the clients hear, and answer if `answers`.
    fn notices(&mut self, answers: bool) -> Vec<Notice> {
        let mut all = Vec::new();
        while let Some(notice) =
            self.with(|clients, members, now| clients.next_notice(members, now))
        {
            self.believes.insert(notice.pair.theirs, notice.slave.addr);
            if answers {
                let heard = Heard {
                    addr: notice.addr,
                    answers: Some(notice.slave.addr),
                };
                self.with(|clients, members, now| clients.heard(&notice.pair, heard, members, now));
            }
            all.push(notice);
            assert!(all.len() <= CLIENTS, "the notices do not end");
        }
        all
    }

    fn changed(&mut self) -> u32 {
        self.with(|clients, members, now| clients.members_changed(members, now))
    }

    fn shares(&mut self) -> Vec<usize> {
        let members = self.members.clone();
        let clients = Clients(&mut self.table);
        let count = |it: &Member| {
            clients
                .known()
                .filter(|client| client.slave == Some(it.id))
                .count()
        };
        members.iter().map(count).collect()
    }

    /// Whether each client sends to the slave that it is assigned to.
    fn check(&mut self) {
        let members = self.members.clone();
        for client in Clients(&mut self.table).known() {
            let slave = members
                .iter()
                .find(|it| Some(it.id) == client.slave)
                .expect("a slave");
            assert!(slave.can_send);
            if client.addr.is_some() {
                // One that believes nothing asks before it sends.
                let believes = self.believes.get(&client.pair.theirs);
                assert_eq!(*believes.unwrap_or(&slave.addr), slave.addr, "{client:?}");
            }
        }
    }
}

#[test]
fn each_client_keeps_its_slave() {
    let mut sim = Sim::new(&[None, None]);
    let slaves: Vec<_> = (0..20).map(|it| sim.answer(it).unwrap().id).collect();
    for (number, slave) in slaves.iter().enumerate() {
        assert_eq!(sim.answer(number as u16).unwrap().id, *slave);
    }
    assert_eq!(sim.shares(), [10, 10]);
    assert_eq!(sim.notices(true), []);
    sim.check();
}

/// Where the in-tree driver has one place for both.
#[test]
fn clients_whose_addresses_collide_do_not_take_each_others_place() {
    let mut sim = Sim::new(&[None, None]);
    // The XOR of the bytes of these addresses is the same.
    let clash = [[10, 0, 0, 1], [10, 0, 1, 0], [10, 1, 0, 0], [1, 0, 0, 10]].map(Ipv4Addr::from);
    for _ in 0..3 {
        for theirs in clash {
            let pair = Pair {
                theirs: theirs.into(),
                ..pair(0)
            };
            let (slave, forgotten) = sim.with(|clients, members, now| {
                clients.tells(&pair, Some(mac(99)), (members, None), now)
            });
            assert!(slave.is_some() && forgotten.is_none());
        }
    }
    assert_eq!(sim.shares(), [2, 2]);
    assert_eq!(sim.notices(true), []);
}

#[test]
fn clients_are_shared_by_speed() {
    let mut sim = Sim::new(&[Some(10_000), Some(40_000), None]);
    for number in 0..60 {
        sim.answer(number);
    }
    // An unknown speed counts as the lowest one.
    assert_eq!(sim.shares(), [10, 40, 10]);
}

#[test]
fn the_clients_of_a_lost_slave_are_told_at_once_and_no_others() {
    let mut sim = Sim::new(&[None, None, None]);
    let slaves: Vec<_> = (0..30).map(|it| sim.answer(it).unwrap().id).collect();
    sim.members[2].can_send = false;
    sim.changed();
    let told = sim.notices(true);
    assert_eq!(told.len(), 10);
    for notice in told {
        let number = (0..30).find(|it| pair(*it) == notice.pair).unwrap();
        assert_eq!(slaves[usize::from(number)], SlaveId(3));
    }
    assert_eq!(sim.shares(), [15, 15, 0]);
    sim.check();

    sim.members[2].can_send = true;
    sim.changed();
    assert_eq!(
        (sim.notices(true).len(), sim.shares()),
        (10, vec![10, 10, 10])
    );
    sim.check();
}

#[test]
fn clients_go_with_an_address_that_another_slave_takes_over() {
    let mut sim = Sim::new(&[None, None]);
    for number in 0..10 {
        sim.answer(number);
    }
    // The active slave is lost, and the other one takes the address of the bond.
    sim.members[0].can_send = false;
    let (lost, other) = (sim.members[0].addr, sim.members[1].addr);
    (sim.members[0].addr, sim.members[1].addr) = (other, lost);
    sim.changed();
    // Those that used the bond's address need not be told anything.
    assert_eq!(sim.notices(true).len(), 5);
    assert_eq!(sim.shares(), [0, 10]);
    sim.check();
}

#[test]
fn a_client_that_does_not_answer_is_told_again_but_not_for_ever() {
    let mut sim = Sim::new(&[None, None]);
    let first = sim.answer(1).unwrap();
    let at = sim.members.iter().position(|it| *it == first).unwrap();
    sim.members[at].can_send = false;
    sim.changed();
    let mut times = Vec::new();
    for _ in 0..100 {
        if !sim.notices(false).is_empty() {
            times.push(sim.now - 1000);
        }
        let due = sim.with(|clients, _, _| clients.due());
        match due {
            Some(due) => sim.now = due,
            None => break,
        }
    }
    assert_eq!(times, [0, 100, 400, 1300]);
}

/// What happens to slaves meanwhile is no reason to stop.
#[test]
fn a_notice_that_is_lost_is_sent_again_whatever_changes() {
    let mut sim = Sim::new(&[None, None, None]);
    for number in 0..9 {
        sim.answer(number);
    }
    sim.members[2].can_send = false;
    sim.changed();
    // All are lost.
    let believes = sim.believes.clone();
    assert_eq!(sim.notices(false).len(), 3);
    sim.believes = believes;
    sim.changed();
    sim.now += 100;
    assert_eq!(sim.notices(true).len(), 3);
    sim.check();
    sim.now += 10_000;
    assert_eq!(sim.notices(true), []);
}

#[test]
fn broadcasts_that_follow_each_other_do_not_put_off_the_correction() {
    let mut sim = Sim::new(&[None, None]);
    sim.answer(1);
    let second = sim.answer(2).unwrap();
    assert_ne!(second.addr, sim.bond);
    let mut told = 0;
    for _ in 0..50 {
        let bond = sim.bond;
        sim.with(|clients, members, now| clients.broadcasts((OURS, 0), bond, None, members, now));
        sim.now += 19;
        told += sim.notices(true).len();
    }
    assert!((20..=50).contains(&told), "{told}");
}

#[test]
fn a_broadcast_is_corrected_for_all_clients_of_that_address() {
    let mut sim = Sim::new(&[None, None]);
    for number in 0..10 {
        sim.answer(number);
    }
    let bond = sim.bond;
    sim.with(|clients, members, now| {
        clients.broadcasts((OURS, 0), bond, Some(pair(10).theirs), members, now);
    });
    for it in sim.believes.values_mut() {
        *it = bond;
    }
    assert_eq!(
        sim.notices(true),
        [],
        "they must not overtake the broadcast"
    );
    sim.now += 20;
    assert_eq!(sim.notices(true).len(), 5);
    // The one that was asked for answers.
    sim.believes.insert(pair(10).theirs, bond);
    let heard = Heard {
        addr: client_mac(10),
        answers: Some(bond),
    };
    sim.with(|clients, members, now| clients.heard(&pair(10), heard, members, now));
    sim.notices(true);
    sim.check();
    assert_eq!(sim.shares().iter().sum::<usize>(), 11);
}

#[test]
fn a_client_with_another_card_is_told() {
    let mut sim = Sim::new(&[None, None]);
    sim.answer(1);
    let second = sim.answer(2).unwrap();
    let heard = Heard {
        addr: mac(77),
        answers: None,
    };
    sim.believes.insert(pair(2).theirs, sim.bond);
    sim.with(|clients, members, now| clients.heard(&pair(2), heard, members, now));
    // It has not forgotten what it was told.
    assert_eq!(sim.notices(true), []);
    sim.members[1].addr = mac(55);
    sim.changed();
    let told = sim.notices(true);
    assert_eq!(
        (told.len(), told[0].addr, told[0].slave.id),
        (1, mac(77), second.id)
    );
}

#[test]
fn an_address_that_is_not_ours_any_more_is_not_told() {
    let mut sim = Sim::new(&[None, None]);
    sim.answer(1);
    sim.answer(2);
    assert!(sim.with(|clients, _, _| clients.serves(OURS)));
    sim.with(|clients, _, _| clients.is_not_ours(OURS, 5));
    assert_eq!(sim.shares().iter().sum::<usize>(), 2);
    sim.with(|clients, _, _| clients.is_not_ours(OURS, 0));
    assert_eq!(sim.shares().iter().sum::<usize>(), 0);
}

#[test]
fn the_clients_of_a_vlan_go_with_it() {
    let mut sim = Sim::new(&[None]);
    for vid in [0, 7, 8] {
        let pair = Pair { vid, ..pair(1) };
        sim.with(|clients, members, now| clients.tells(&pair, None, (members, None), now));
    }
    sim.with(|clients, _, _| clients.vlan_gone(7));
    let left: Vec<_> = Clients(&mut sim.table)
        .known()
        .map(|it| it.pair.vid)
        .collect();
    assert!(left.len() == 2 && !left.contains(&7), "{left:?}");
}

#[test]
fn ipv6_clients_are_clients() {
    let mut sim = Sim::new(&[None, None]);
    let ours = Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1).into();
    for number in 0..100 {
        let theirs = Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 1, number).into();
        let pair = Pair {
            ours,
            theirs,
            vid: 0,
        };
        sim.with(|clients, members, now| clients.tells(&pair, Some(mac(9)), (members, None), now));
    }
    assert_eq!(sim.shares(), [50, 50]);
}

#[test]
fn a_client_that_is_forgotten_is_told_the_address_of_the_bond() {
    let mut sim = Sim::new(&[None, None]);
    for number in 0..4000 {
        sim.now += 1;
        sim.answer(number);
    }
    let known: Vec<_> = Clients(&mut sim.table).known().copied().collect();
    assert!(known.len() <= CLIENTS && known.len() >= CLIENTS - WAYS * 16);
    for (theirs, believes) in &sim.believes {
        if known.iter().all(|it| it.pair.theirs != *theirs) {
            assert_eq!(*believes, sim.bond, "{theirs}");
        }
    }
}

proptest! {
    /// Whatever comes: once all is quiet, each client sends to a slave that works, and none has more
    /// than its share.
    #[test]
    fn each_client_sends_to_a_slave_that_works(
        speeds in prop::collection::vec(prop::sample::select(vec![None, Some(1000), Some(25_000)]), 1..5),
        steps in prop::collection::vec((0u8..6, 0u16..60, 0usize..5, any::<bool>()), 1..120),
    ) {
        let mut sim = Sim::new(&speeds);
        for (what, number, at, on) in steps {
            sim.now += 7;
            match what {
                0 | 1 => {
                    let any = sim.members.iter().any(|it| it.can_send);
                    prop_assert_eq!(sim.answer(number).is_some(), any);
                }
                2 => {
                    if let Some(member) = sim.members.get_mut(at) {
                        member.can_send = on;
                    }
                    sim.changed();
                }
                3 => {
                    if let Some(member) = sim.members.get_mut(at) {
                        member.addr = mac(100 + number as u8);
                    }
                    sim.changed();
                }
                4 => {
                    let bond = sim.bond;
                    sim.with(|clients, members, now| {
                        clients.broadcasts((OURS, 0), bond, None, members, now);
                    });
                    for it in sim.believes.values_mut() {
                        *it = bond;
                    }
                }
                _ => drop(sim.notices(on)),
            }
        }
        for member in &mut sim.members {
            member.can_send = true;
        }
        sim.changed();
        for _ in 0..10 {
            sim.now += 10_000;
            sim.notices(true);
        }
        sim.check();
        let (shares, lowest) = (sim.shares(), speeds.iter().flatten().min().copied().unwrap_or(1));
        let speed = |at: usize| f64::from(speeds[at].unwrap_or(lowest));
        for (at, count) in shares.iter().enumerate() {
            for to in 0..shares.len() {
                let less = (*count as f64) / speed(at) <= (shares[to] as f64 + 1.0) / speed(to) + 1e-9;
                prop_assert!(less, "{shares:?} of {speeds:?}");
            }
        }
    }
}
