// SPDX-License-Identifier: GPL-2.0

//! When backups ask for paths.

use policy::paths::{Lookups, PART};

/// The times of the next rounds after a change at 1000, of a bond with this many neighbours.
fn times(neighbours: u32, count: usize) -> Vec<(u64, u32)> {
    let mut lookups = Lookups::after_change(1000);
    let mut times = Vec::new();
    for _ in 0..count {
        let now = lookups.due().unwrap();
        assert_eq!(lookups.skip(now - 1), None, "not before it is due");
        let skip = lookups.skip(now).unwrap();
        times.push((now, skip));
        lookups = lookups.next(now, neighbours.saturating_sub(skip).min(PART));
    }
    times
}

#[test]
fn nothing_to_ask_is_never_due() {
    assert_eq!(Lookups::None.due(), None);
    assert_eq!(Lookups::None.skip(u64::MAX), None);
}

#[test]
fn the_pauses_double_up_to_half_a_minute() {
    let times = times(3, 10);
    let pauses: Vec<_> = times.windows(2).map(|pair| pair[1].0 - pair[0].0).collect();
    assert_eq!(times[0], (1500, 0));
    assert_eq!(
        pauses,
        [500, 1000, 2000, 4000, 8000, 16000, 32000, 32000, 32000]
    );
}

#[test]
fn many_neighbours_are_asked_in_parts() {
    assert_eq!(
        times(40, 5),
        [(1500, 0), (1750, 16), (2000, 32), (2500, 0), (2750, 16)]
    );
}

#[test]
fn a_round_of_full_parts_ends() {
    assert_eq!(times(32, 4), [(1500, 0), (1750, 16), (2000, 32), (2500, 0)]);
}

#[test]
fn the_end_of_time_does_not_overflow() {
    let lookups = Lookups::after_change(u64::MAX).next(u64::MAX, PART);
    assert_eq!(lookups.due(), Some(u64::MAX));
}
