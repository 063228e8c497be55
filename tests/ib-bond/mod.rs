// SPDX-License-Identifier: GPL-2.0

//! Host tests of the command ib-bond: what needs no kernel.

mod args;
#[path = "../policy/cases.rs"]
mod cases;
mod doctor;
mod driver;
mod openib;
mod plans;
mod screen;
mod status;
mod switch;
mod world;
