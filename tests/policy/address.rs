// SPDX-License-Identifier: GPL-2.0

//! Hardware addresses.

use policy::address::{
    admit, at_enslave, at_failover, at_release, bond_takes_over, sets_slaves, Admission, AtEnslave,
    AtFailover, AtRelease,
};
use policy::{Config, HwAddr, Mode, OptionId};

use crate::world::config;

fn mac(last: u8) -> HwAddr {
    HwAddr::new(&[2, 0, 0, 0, 0, last]).unwrap()
}

fn none() -> Config {
    config(Mode::ActiveBackup, &[])
}

fn active() -> Config {
    config(Mode::ActiveBackup, &[(OptionId::FailOverMac, 1)])
}

fn follow() -> Config {
    config(Mode::ActiveBackup, &[(OptionId::FailOverMac, 2)])
}

#[test]
fn addresses_have_up_to_32_bytes() {
    assert_eq!(mac(0xab).to_string(), "02:00:00:00:00:ab");
    assert_eq!(HwAddr::new(&[7; 20]).unwrap().as_bytes(), [7; 20]);
    assert_eq!(HwAddr::new(&[]).unwrap().to_string(), "");
    assert!(HwAddr::new(&[0; 32]).is_some());
    assert!(HwAddr::new(&[0; 33]).is_none());
    assert!(HwAddr::new(&[0; 256]).is_none());
    assert_ne!(HwAddr::new(&[0; 6]), HwAddr::new(&[0; 20]));
}

#[test]
fn a_slave_that_cannot_change_its_address_needs_fail_over_mac_active() {
    assert_eq!(admit(&none(), true, true), Admission::Admit);
    assert_eq!(admit(&none(), false, true), Admission::AdmitAsActive);
    assert_eq!(admit(&follow(), false, true), Admission::AdmitAsActive);
    assert_eq!(admit(&none(), false, false), Admission::Refuse);
    assert_eq!(admit(&active(), false, false), Admission::Admit);
    assert_eq!(
        admit(&config(Mode::RoundRobin, &[]), false, false),
        Admission::Admit
    );
}

#[test]
fn a_bond_without_an_address_of_its_own_takes_that_of_its_first_slave() {
    assert!(bond_takes_over(true, true));
    assert!(!bond_takes_over(true, false));
    assert!(!bond_takes_over(false, true));
}

#[test]
fn slaves_get_the_address_of_the_bond_unless_told_otherwise() {
    let bond = mac(1);
    assert_eq!(
        at_enslave(&none(), true, mac(1), bond),
        AtEnslave::SetTo(bond)
    );
    assert_eq!(
        at_enslave(&none(), false, mac(2), bond),
        AtEnslave::SetTo(bond)
    );
    assert_eq!(at_enslave(&active(), false, mac(2), bond), AtEnslave::Keep);
    assert_eq!(at_enslave(&follow(), true, mac(1), bond), AtEnslave::Keep);
    assert_eq!(at_enslave(&follow(), false, mac(2), bond), AtEnslave::Keep);
    assert_eq!(
        at_enslave(&follow(), false, mac(1), bond),
        AtEnslave::Random
    );
    // Only active-backup has a policy.
    let rr = config(Mode::RoundRobin, &[(OptionId::FailOverMac, 1)]);
    assert_eq!(at_enslave(&rr, false, mac(2), bond), AtEnslave::SetTo(bond));
}

#[test]
fn failover_moves_addresses_by_the_policy() {
    let slaves = [(1, mac(1)), (2, mac(2)), (3, mac(3))];
    let change = |config: &Config, new, bond| at_failover(config, new, bond, slaves.into_iter());
    let two = Some((2, mac(2)));
    assert_eq!(change(&none(), two, mac(1)), AtFailover::Nothing);
    assert_eq!(
        change(&active(), two, mac(1)),
        AtFailover::BondTakes(mac(2))
    );
    assert_eq!(change(&active(), None, mac(1)), AtFailover::Nothing);
    assert_eq!(change(&follow(), None, mac(1)), AtFailover::Nothing);
    // The slave that has the address of the bond gives it up.
    assert_eq!(
        change(&follow(), two, mac(1)),
        AtFailover::Swap {
            new: mac(1),
            other: 1,
            old: mac(2)
        }
    );
    // Nobody has it: the one that was active was given another by hand, or there was none.
    assert_eq!(change(&follow(), two, mac(9)), AtFailover::NewTakes(mac(9)));
    assert_eq!(change(&follow(), two, mac(2)), AtFailover::NewTakes(mac(2)));
}

#[test]
fn a_released_slave_gets_its_address_back() {
    let release = |config: &Config, own, is_last| at_release(config, own, mac(1), is_last);
    assert_eq!(
        release(&none(), mac(1), false),
        AtRelease {
            restore: true,
            conflict: true,
            randomize_bond: false
        }
    );
    assert_eq!(
        release(&none(), mac(2), false),
        AtRelease {
            restore: true,
            conflict: false,
            randomize_bond: false
        }
    );
    assert_eq!(
        release(&follow(), mac(1), true),
        AtRelease {
            restore: true,
            conflict: false,
            randomize_bond: true
        }
    );
    assert_eq!(
        release(&active(), mac(1), false),
        AtRelease {
            restore: false,
            conflict: false,
            randomize_bond: false
        }
    );
}

#[test]
fn setting_the_address_of_the_bond_sets_those_of_slaves_that_share_it() {
    assert!(sets_slaves(&none()));
    assert!(!sets_slaves(&active()));
    assert!(!sets_slaves(&follow()));
    assert!(sets_slaves(&config(
        Mode::RoundRobin,
        &[(OptionId::FailOverMac, 1)]
    )));
}
