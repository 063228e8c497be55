// SPDX-License-Identifier: GPL-2.0

//! Statistics: what devices count, by counters of all kinds.

use policy::statistics::Counters;
use proptest::prelude::*;

use crate::cases::cases;

const NARROW: u64 = 1 << 32;

/// What one look adds, of packets and bytes.
fn grown(before: [u64; 2], now: [u64; 2]) -> [u64; 2] {
    let mut sum = [0; 2];
    Counters::new(before).add_new(&mut sum, now);
    sum
}

#[test]
fn three_gigabytes_between_two_looks_are_three_gigabytes() {
    let three = 3_000_000_000;
    assert_eq!(grown([0, 0], [50_000, three]), [50_000, three]);
    assert_eq!(grown([9, 7], [50_009, three]), [50_000, three - 7]);
    assert_eq!(grown([0, three], [9, 2 * three]), [9, three]);
    assert_eq!(grown([0, 0], [9, 1 << 62]), [9, 1 << 62]);
}

#[test]
fn a_counter_of_32_bits_wraps() {
    assert_eq!(grown([5, NARROW - 10], [6, 20]), [1, 30]);
    assert_eq!(grown([5, 1 << 31], [6, 0]), [1, 1 << 31]);
    // Both of them at once.
    assert_eq!(grown([NARROW - 1, NARROW - 10], [1, 50]), [2, 60]);
}

#[test]
fn a_counter_that_goes_back_adds_nothing() {
    // To zero, where bytes alone could have wrapped.
    assert_eq!(grown([3_000_000, 3_000_000_000], [0, 0]), [0, 0]);
    assert_eq!(grown([3_000_000, 3_000_000_000], [10, 1000]), [0, 0]);
    // By a little.
    assert_eq!(grown([100, 150_000], [100, 148_500]), [0, 0]);
    // From beyond 32 bits.
    assert_eq!(grown([100, NARROW], [101, NARROW - 1]), [1, 0]);
    assert_eq!(grown([100, 1 << 40], [0, 0]), [0, 0]);
}

#[test]
fn a_counter_that_was_beyond_32_bits_does_not_wrap() {
    let mut counters = Counters::new([NARROW]);
    let mut sum = [0];
    for now in [0, NARROW - 1, 5, 8] {
        counters.add_new(&mut sum, [now]);
    }
    assert_eq!(sum, [NARROW - 1 + 3]);
}

/// What happens to a device.
#[derive(Clone, Debug)]
enum Step {
    /// This many packets of this many bytes.
    Traffic { packets: u64, bytes: u64 },
    /// The counters begin at zero.
    Reset,
}

/// Less than 2^31 bytes.
fn some_traffic() -> impl Strategy<Value = Step> {
    (0u64..32_000, 60u64..65_536).prop_map(|(packets, bytes)| Step::Traffic { packets, bytes })
}

/// Any number of bytes.
fn much_traffic() -> impl Strategy<Value = Step> {
    (0u64..1 << 34, 60u64..65_536).prop_map(|(packets, bytes)| Step::Traffic { packets, bytes })
}

/// A device, and a bond that has looked at it.
struct Device {
    /// The bits that the device's counters have.
    mask: u64,
    counted: [u64; 2],
    counters: Counters<2>,
    sum: [u64; 2],
    /// The true traffic since the bond's first look.
    truth: [u64; 2],
}

impl Device {
    fn new(is_wide: bool, start: [u64; 2]) -> Device {
        let mask = if is_wide { u64::MAX } else { NARROW - 1 };
        let counted = start.map(|value| value & mask);
        Device {
            mask,
            counted,
            counters: Counters::new(counted),
            sum: [0; 2],
            truth: [0; 2],
        }
    }

    fn step(&mut self, step: &Step) {
        match *step {
            Step::Traffic { packets, bytes } => {
                let more = [packets, packets * bytes];
                self.truth = [0, 1].map(|at| self.truth[at] + more[at]);
                self.counted = [0, 1].map(|at| (self.counted[at] + more[at]) & self.mask);
            }
            Step::Reset => self.counted = [0; 2],
        }
    }

    fn look(&mut self) {
        self.counters.add_new(&mut self.sum, self.counted);
    }
}

proptest! {
    #![proptest_config(cases(2000))]

    #[test]
    fn counters_of_64_bits_are_added_up_whatever_they_count(
        start in proptest::array::uniform2(0u64..1 << 34),
        steps in proptest::collection::vec(much_traffic(), 1..20),
    ) {
        let mut device = Device::new(true, start);
        for step in &steps {
            device.step(step);
            device.look();
            prop_assert_eq!(device.sum, device.truth);
        }
    }

    #[test]
    fn counters_of_32_bits_are_added_up_if_looked_at_often_enough(
        start: [u64; 2],
        steps in proptest::collection::vec(some_traffic(), 1..50),
    ) {
        let mut device = Device::new(false, start);
        for step in &steps {
            device.step(step);
            device.look();
            prop_assert_eq!(device.sum, device.truth);
        }
    }

    /// The traffic is known, and the bond looks after each reset.
    #[test]
    fn a_reset_adds_nothing_and_takes_nothing(
        is_wide: bool,
        steps in proptest::collection::vec(
            prop_oneof![3 => some_traffic(), 1 => Just(Step::Reset)], 1..50,
        ),
    ) {
        let mut device = Device::new(is_wide, [0, 0]);
        for step in &steps {
            let before = device.sum;
            device.step(step);
            device.look();
            let more = match *step {
                Step::Traffic { packets, bytes } => [packets, packets * bytes],
                Step::Reset => [0; 2],
            };
            prop_assert_eq!(device.sum, [0, 1].map(|at| before[at] + more[at]));
        }
    }

    #[test]
    fn a_sum_never_goes_back(
        start: [u64; 3],
        looks in proptest::collection::vec(
            proptest::array::uniform3(prop_oneof![any::<u64>(), any::<u32>().prop_map(u64::from)]),
            1..50,
        ),
    ) {
        let start = start.map(|value| value >> 8);
        let mut counters = Counters::new(start);
        let mut sum = [0u64; 3];
        for now in looks {
            let (before, now) = (sum, now.map(|value| value >> 8));
            counters.add_new(&mut sum, now);
            prop_assert!(sum.iter().zip(before).all(|(sum, before)| *sum >= before));
        }
    }
}
