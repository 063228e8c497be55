// SPDX-License-Identifier: GPL-2.0

//! When a failed attempt is repeated.

use policy::errno::{EBUSY, EINVAL, ENODEV, ENOMEM, EOPNOTSUPP, EPERM};
use policy::retry::{Retry, Tried};
use proptest::prelude::*;

#[test]
fn only_memory_comes_back_by_itself() {
    assert_eq!(Tried::failed(ENOMEM), Tried::Later);
    for errno in [EBUSY, EINVAL, ENODEV, EOPNOTSUPP, EPERM] {
        assert_eq!(Tried::failed(errno), Tried::Hopeless);
    }
}

#[test]
fn what_is_done_or_hopeless_is_not_tried_again() {
    let waiting = Retry::Never.after(Tried::Later, 5);
    for tried in [Tried::Done, Tried::Hopeless] {
        assert_eq!(Retry::Never.after(tried, 5), Retry::Never);
        assert_eq!(waiting.after(tried, 5), Retry::Never);
    }
}

#[test]
fn the_pauses_double_up_to_an_eighth_of_a_hundred_seconds() {
    let mut retry = Retry::Never;
    let mut now = 1000;
    let mut pauses = Vec::new();
    for _ in 0..10 {
        retry = retry.after(Tried::Later, now);
        let due = retry.due().unwrap();
        pauses.push(due - now);
        now = due;
    }
    assert_eq!(
        pauses,
        [100, 200, 400, 800, 1600, 3200, 6400, 12800, 12800, 12800]
    );
}

#[test]
fn one_of_many_that_may_work_later_is_enough() {
    use Tried::*;
    assert_eq!(Done.and(Done), Done);
    assert_eq!(Done.and(Hopeless), Hopeless);
    assert_eq!(Hopeless.and(Later), Later);
    assert_eq!(Later.and(Done), Later);
}

#[test]
fn the_end_of_time_is_no_trouble() {
    let retry = Retry::Never.after(Tried::Later, u64::MAX - 1);
    assert_eq!(retry.due(), Some(u64::MAX));
}

proptest! {
    // Whatever the result of the tries, their number in any period is bounded.
    #[test]
    fn the_number_of_tries_has_a_bound(
        tries in prop::collection::vec(prop::sample::select(vec![Tried::Later, Tried::Hopeless]), 1..200),
        start in 0u64..1_000_000,
    ) {
        let mut retry = Retry::Never.after(Tried::Later, start);
        let mut count = 0;
        let mut end = start;
        for tried in tries {
            let Some(due) = retry.due() else { break };
            prop_assert!(due > end);
            end = due;
            count += 1;
            retry = retry.after(tried, due);
        }
        let hours = (end - start).div_ceil(3_600_000);
        prop_assert!(count <= 8 + 290 * hours);
    }
}
