// SPDX-License-Identifier: GPL-2.0

//! Host tests of the policy crate: one module for each of its files, and the properties that must
//! hold whatever happens.

mod address;
mod arp;
mod balance;
mod cases;
mod clients;
mod documentation;
mod frames;
mod group;
mod hash;
mod history;
mod lab;
mod lacp;
mod lacp_tables;
mod link;
mod markdown;
mod mode;
mod model_of_lacp;
mod monitors;
mod name;
mod network;
mod notify;
mod options;
mod params;
mod paths;
mod properties;
mod properties_of_addresses;
mod properties_of_arp;
mod properties_of_lacp;
mod properties_of_options;
mod properties_of_parsers;
mod receive;
mod resilient;
mod retry;
mod select;
mod slow;
mod statistics;
mod table;
mod transmit;
mod two_bonds;
mod world;
