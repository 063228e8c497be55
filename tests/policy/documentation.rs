// SPDX-License-Identifier: GPL-2.0

//! The manual is up to date.

use std::fs;

#[test]
fn the_table_of_options_in_the_manual_is_current() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/Documentation/options.md");
    let page = fs::read_to_string(path).unwrap_or_default();
    assert!(
        page == crate::markdown::options(),
        "Documentation/options.md differs from the option table; make it anew with: \
         cargo run --example option-table > Documentation/options.md"
    );
}
