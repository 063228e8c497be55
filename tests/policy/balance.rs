// SPDX-License-Identifier: GPL-2.0

//! Balancing by load: simulated slaves of any speeds, and flows of any weights.

use policy::balance::{Bucket, Member, SlaveId, Table, BUCKETS, COUNTERS, MOVES, UNBALANCED};
use proptest::prelude::*;

/// A bond whose flows send at a constant rate.
struct Sim {
    buckets: Vec<Bucket>,
    uneven: u8,
    counts: Vec<u64>,
    members: Vec<Member>,
}

fn member(id: u32, speed: Option<u32>) -> Member {
    Member {
        id: SlaveId(id),
        speed,
        can_send: true,
        is_active: id == 1,
    }
}

impl Sim {
    fn new(speeds: &[Option<u32>]) -> Sim {
        Sim {
            buckets: vec![Bucket::EMPTY; COUNTERS],
            uneven: 0,
            counts: vec![0; COUNTERS],
            members: (1..)
                .zip(speeds)
                .map(|(id, &speed)| member(id, speed))
                .collect(),
        }
    }

    fn table(&mut self) -> Table<'_> {
        Table {
            buckets: &mut self.buckets,
            uneven: &mut self.uneven,
        }
    }

    /// The slave that a packet of a bucket leaves through.
    fn send(&mut self, bucket: usize, bytes: u64) -> Option<SlaveId> {
        self.counts[bucket] += bytes;
        let members = self.members.clone();
        let mut table = self.table();
        table
            .slave(bucket)
            .or_else(|| table.place(bucket, members.into_iter()))
    }

    /// A second in which each flow sends as many bytes. Returns how many flows were moved.
    fn second(&mut self, rates: &[(usize, u64)]) -> u32 {
        for &(bucket, rate) in rates {
            if bucket == UNBALANCED {
                self.counts[bucket] += rate;
            } else {
                self.send(bucket, rate);
            }
        }
        let (counts, members) = (self.counts.clone(), self.members.clone());
        let looked = self
            .table()
            .look(|at| counts[at], 1000, members.into_iter());
        looked.moved
    }

    fn slave(&mut self, bucket: usize) -> Option<u32> {
        self.table().slave(bucket).map(|id| id.0)
    }

    /// What each slave sends, as a part of its speed.
    fn loads(&mut self, rates: &[(usize, u64)]) -> Vec<f64> {
        let members = self.members.clone();
        let mut load = |member: &Member| {
            let mut sum = 0;
            for &(bucket, rate) in rates {
                let is_its = match bucket {
                    UNBALANCED => member.is_active,
                    _ => self.slave(bucket) == Some(member.id.0),
                };
                sum += if is_its { rate } else { 0 };
            }
            sum as f64 / f64::from(member.speed.unwrap_or(1))
        };
        members.iter().map(&mut load).collect()
    }
}

const MBIT: u64 = 125_000;

#[test]
fn new_flows_go_where_there_is_most_room() {
    let mut sim = Sim::new(&[Some(10_000), Some(10_000)]);
    let first = sim.send(7, 1500);
    let second = sim.send(8, 1500);
    assert!(first.is_some() && second.is_some() && first != second);
    assert_eq!(sim.send(7, 1500), first);
}

#[test]
fn flows_are_shared_by_speed_even_where_the_in_tree_driver_overflows() {
    // In the in-tree driver, 10 Gbit/s count as 1.8, and 100 as 1.7.
    for (slow, fast) in [
        (1000, 10_000),
        (10_000, 100_000),
        (100_000, 800_000),
        (25_000, 100_000),
    ] {
        let mut sim = Sim::new(&[Some(slow), Some(fast)]);
        let rate = u64::from(slow) * MBIT / 20;
        let flows: Vec<_> = (0..110).map(|bucket| (bucket, rate)).collect();
        for _ in 0..3 {
            sim.second(&flows);
        }
        let on_slow = flows
            .iter()
            .filter(|(it, _)| sim.slave(*it) == Some(1))
            .count();
        let fair = 110.0 * f64::from(slow) / f64::from(slow + fast);
        assert!(
            (on_slow as f64 - fair).abs() <= 1.0,
            "{slow} and {fast}: {on_slow}, not {fair}"
        );
    }
}

#[test]
fn a_flow_that_pauses_keeps_its_slave_while_nothing_is_gained() {
    let mut sim = Sim::new(&[None, None, None]);
    let first = sim.send(7, 100);
    for _ in 0..5 {
        sim.second(&[]);
    }
    // It gave the slave up, so the next packet asks; and gets the same one.
    assert_eq!(sim.slave(7), None);
    assert_eq!(sim.send(7, 100), first);
}

#[test]
fn an_idle_flow_goes_to_another_slave_when_it_is_better() {
    let mut sim = Sim::new(&[Some(1000), Some(1000)]);
    let first = sim.send(7, 100).unwrap();
    let other = if first == SlaveId(1) { 2 } else { 1 };
    for _ in 0..3 {
        sim.second(&[]);
    }
    // Meanwhile, another flow loads its slave.
    let heavy = (0..BUCKETS)
        .find(|it| *it != 7 && sim.send(*it, 1) == Some(first))
        .unwrap();
    for _ in 0..3 {
        sim.second(&[(heavy, 50 * MBIT)]);
    }
    assert_eq!(sim.send(7, 100), Some(SlaveId(other)));
}

#[test]
fn a_lost_slave_loses_its_flows_at_once_and_no_others_move() {
    let mut sim = Sim::new(&[Some(1000); 3]);
    let flows: Vec<_> = (0..60).map(|bucket| (bucket, MBIT)).collect();
    sim.second(&flows);
    let before: Vec<_> = (0..60).map(|it| sim.slave(it)).collect();
    sim.members[1].can_send = false;
    let members = sim.members.clone();
    let moved = sim.table().members_changed(members.into_iter());
    assert_eq!(moved, 20);
    for (bucket, before) in before.into_iter().enumerate() {
        let after = sim.slave(bucket);
        assert!(after.is_some() && after != Some(2));
        assert!(before == Some(2) || before == after, "{bucket}");
    }
    let loads = sim.loads(&flows);
    assert!(
        (loads[0] - loads[2]).abs() <= MBIT as f64 / 1000.0,
        "{loads:?}"
    );
}

/// No single flow of many makes a difference, but a slave that is back gets its share.
#[test]
fn a_slave_that_is_back_gets_its_share_of_many_flows() {
    let mut sim = Sim::new(&[Some(1000), Some(1000)]);
    let flows: Vec<_> = (0..BUCKETS).map(|bucket| (bucket, 2 * MBIT)).collect();
    sim.second(&flows);
    for can_send in [false, true] {
        sim.members[1].can_send = can_send;
        let members = sim.members.clone();
        sim.table().members_changed(members.into_iter());
        sim.second(&flows);
    }
    let moved: u32 = (0..40).map(|_| sim.second(&flows)).sum();
    let back = flows
        .iter()
        .filter(|(it, _)| sim.slave(*it) == Some(2))
        .count();
    assert!(
        (120..=128).contains(&back) && moved as usize == back,
        "{back} of {moved}"
    );
}

#[test]
fn what_was_sent_before_does_not_count() {
    let mut sim = Sim::new(&[Some(1000), Some(1000)]);
    sim.second(&[(1, 100 * MBIT), (UNBALANCED, 100 * MBIT)]);
    let counts = sim.counts.clone();
    sim.table().reset(|at| counts[at]);
    for _ in 0..2 {
        sim.second(&[]);
    }
    // The active slave is as good as the other one.
    assert_eq!(sim.send(9, 100), Some(SlaveId(1)));
    sim.counts[UNBALANCED] += 1000 * MBIT;
    let counts = sim.counts.clone();
    sim.table().resume(|at| counts[at]);
    sim.second(&[(9, 100)]);
    assert_eq!(sim.slave(9), Some(1));
}

#[test]
fn without_a_slave_that_can_send_there_is_none() {
    let mut sim = Sim::new(&[]);
    assert_eq!(sim.send(3, 1), None);
    let mut sim = Sim::new(&[Some(10)]);
    sim.send(3, 1);
    sim.members[0].can_send = false;
    let members = sim.members.clone();
    sim.table().members_changed(members.into_iter());
    assert_eq!((sim.slave(3), sim.send(3, 1)), (None, None));
}

#[test]
fn what_leaves_through_the_active_slave_counts() {
    let mut sim = Sim::new(&[Some(1000), Some(1000)]);
    for _ in 0..3 {
        sim.second(&[(UNBALANCED, 100 * MBIT)]);
    }
    assert_eq!(sim.send(9, 1500), Some(SlaveId(2)));
}

#[test]
fn little_load_is_not_moved() {
    let mut sim = Sim::new(&[Some(10_000), Some(10_000)]);
    let (flows, mut moved) = ([(1, 9 * MBIT), (2, MBIT), (3, 9 * MBIT)], 0);
    for _ in 0..20 {
        moved += sim.second(&flows);
    }
    assert_eq!(moved, 0);
}

#[test]
fn one_burst_moves_nothing() {
    let mut sim = Sim::new(&[Some(1000), Some(1000)]);
    let flows = [
        (0, 100 * MBIT),
        (1, 100 * MBIT),
        (2, 100 * MBIT),
        (3, 100 * MBIT),
    ];
    sim.second(&flows);
    let busy = sim.slave(0);
    let burst: Vec<_> = flows
        .iter()
        .map(|&(it, rate)| {
            (
                it,
                if sim.slave(it) == busy {
                    rate * 3
                } else {
                    rate
                },
            )
        })
        .collect();
    assert_eq!(sim.second(&burst), 0);
    let after: u32 = (0..20).map(|_| sim.second(&flows)).sum();
    assert_eq!(after, 0);
}

#[test]
fn a_bond_without_traffic_is_idle() {
    let mut sim = Sim::new(&[None, None]);
    sim.send(1, 100);
    let mut look = || {
        let (counts, members) = (sim.counts.clone(), sim.members.clone());
        let looked = sim.table().look(|at| counts[at], 1000, members.into_iter());
        looked.is_idle
    };
    assert!(!look(), "there was a packet");
    let _ = look();
    assert!(look());
}

fn speeds() -> impl Strategy<Value = Vec<Option<u32>>> {
    let speed = prop_oneof![
        4 => prop::sample::select(vec![
            Some(100), Some(1000), Some(10_000), Some(25_000), Some(100_000), Some(800_000),
        ]),
        1 => Just(None),
        1 => (1..=u32::MAX - 1).prop_map(Some),
    ];
    prop::collection::vec(speed, 1..6)
}

proptest! {
    /// With constant rates, the moves come to an end, are few, and leave nothing to be gained.
    #[test]
    fn the_load_becomes_as_even_as_it_can(
        speeds in prop::collection::vec(prop::sample::select(vec![1000u32, 10_000, 40_000]), 2..5),
        weights in prop::collection::vec(1u64..400, 2..60),
    ) {
        let speeds: Vec<_> = speeds.into_iter().map(Some).collect();
        let mut sim = Sim::new(&speeds);
        let flows: Vec<_> = weights.iter().enumerate().map(|(it, weight)| (it * 4, weight * MBIT)).collect();
        let mut moved = 0;
        for _ in 0..60 {
            let now = sim.second(&flows);
            prop_assert!(now <= MOVES);
            moved += now;
        }
        prop_assert!(moved as usize <= flows.len(), "{moved} moves of {} flows", flows.len());
        let late: u32 = (0..20).map(|_| sim.second(&flows)).sum();
        prop_assert_eq!(late, 0, "the moves do not end");

        // No single flow is worth moving from the busiest slave to the one with most room.
        let loads = sim.loads(&flows);
        let busiest = (0..loads.len()).max_by(|a, b| loads[*a].total_cmp(&loads[*b])).unwrap();
        let freest = (0..loads.len()).min_by(|a, b| loads[*a].total_cmp(&loads[*b])).unwrap();
        let speed = |at: usize| f64::from(speeds[at].unwrap());
        if loads[busiest] <= MBIT as f64 / 128.0 {
            return Ok(());
        }
        for &(bucket, rate) in &flows {
            if sim.slave(bucket) == Some(busiest as u32 + 1) {
                let rate = rate as f64;
                let from = loads[busiest] - rate / speed(busiest);
                let to = loads[freest] + rate / speed(freest);
                // Smoothing may hide a hundredth.
                let is_even = loads[freest] >= loads[busiest] * (15.0 / 16.0 - 0.01);
                let gains = from.max(to) < loads[busiest] * 0.99;
                prop_assert!(is_even || !gains, "{rate} from {loads:?}");
            }
        }
    }

    /// Whatever happens, a flow has a slave that can send, if there is one.
    #[test]
    fn a_flow_never_has_a_slave_that_cannot_send(
        speeds in speeds(),
        steps in prop::collection::vec((0usize..5, any::<bool>(), 0usize..COUNTERS, any::<u32>()), 1..80),
    ) {
        let mut sim = Sim::new(&speeds);
        for (at, can_send, bucket, bytes) in steps {
            if let Some(member) = sim.members.get_mut(at) {
                member.can_send = can_send;
                let members = sim.members.clone();
                sim.table().members_changed(members.into_iter());
            }
            let any = sim.members.iter().any(|it| it.can_send);
            if bucket < BUCKETS {
                let slave = sim.send(bucket, bytes.into());
                prop_assert_eq!(slave.is_some(), any);
            }
            if bytes % 3 == 0 {
                sim.second(&[]);
            }
            for bucket in 0..BUCKETS {
                if let Some(id) = sim.slave(bucket) {
                    let members = &sim.members;
                    prop_assert!(members.iter().any(|it| it.id.0 == id && it.can_send));
                }
            }
        }
    }

    /// Counters that wrap, and times that do not pass, harm nobody.
    #[test]
    fn any_counts_are_taken(
        speeds in speeds(),
        counts in prop::collection::vec((0usize..COUNTERS, any::<u64>(), any::<u64>()), 1..40),
    ) {
        let mut sim = Sim::new(&speeds);
        for (bucket, count, elapsed) in counts {
            sim.counts[bucket] = count;
            let (counts, members) = (sim.counts.clone(), sim.members.clone());
            let looked = sim.table().look(|at| counts[at], elapsed, members.into_iter());
            prop_assert!(looked.moved <= MOVES);
        }
    }
}
