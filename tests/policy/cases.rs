// SPDX-License-Identifier: GPL-2.0

//! How many cases a property gets: `make fuzz` sets FUZZ_FACTOR to try each that many times as
//! often.

use proptest::test_runner::{Config, FileFailurePersistence};

/// Where the seeds of failures are kept. Every property tries them first.
const FOUND: &str = "tests/fuzz/corpus/policy.txt";

/// This many cases, or a multiple.
pub(crate) fn cases(count: u32) -> Config {
    let factor = std::env::var("FUZZ_FACTOR").map_or(1, |text| {
        text.parse::<u32>().expect("FUZZ_FACTOR is no number")
    });
    Config {
        cases: count.saturating_mul(factor),
        failure_persistence: Some(Box::new(FileFailurePersistence::Direct(FOUND))),
        ..Config::default()
    }
}
