// SPDX-License-Identifier: GPL-2.0

//! Prints `Documentation/options.md`, the manual's table of options, from the table that the driver
//! works with.

mod markdown;

fn main() {
    print!("{}", markdown::options());
}
