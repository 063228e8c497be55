// SPDX-License-Identifier: GPL-2.0

//! Hardware addresses.

use policy::address::{
    admit, apart, at_enslave, at_failover, at_release, bond_takes_over, sets_slaves, Act,
    Admission, AtEnslave, Claim, Holder, Plan, Who,
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

/// The slave `key`: its own address ends with `own`, its present one with `addr`.
fn holder(key: u32, addr: u8, own: u8) -> Holder<u32> {
    Holder {
        key,
        addr: mac(addr),
        own: mac(own),
    }
}

#[test]
fn slaves_get_the_address_of_the_bond_unless_told_otherwise() {
    let bond = mac(1);
    let join = |config: &Config, last, slaves: &[Holder<u32>]| {
        at_enslave(config, mac(last), bond, slaves.iter().copied())
    };
    let one = [holder(1, 1, 1)];
    assert_eq!(join(&none(), 1, &[]), AtEnslave::SetTo(bond));
    assert_eq!(join(&none(), 2, &one), AtEnslave::SetTo(bond));
    assert_eq!(join(&active(), 2, &one), AtEnslave::Keep);
    assert_eq!(join(&follow(), 1, &[]), AtEnslave::Keep);
    assert_eq!(join(&follow(), 2, &one), AtEnslave::Keep);
    assert_eq!(join(&follow(), 1, &one), AtEnslave::Random);
    // Another slave has the address, or gets it back.
    let swapped = [holder(1, 2, 1), holder(3, 1, 3)];
    assert_eq!(join(&follow(), 2, &swapped), AtEnslave::Random);
    assert_eq!(join(&follow(), 3, &swapped), AtEnslave::Random);
    assert_eq!(join(&follow(), 4, &swapped), AtEnslave::Keep);
    // Only active-backup has a policy.
    let rr = config(Mode::RoundRobin, &[(OptionId::FailOverMac, 1)]);
    assert_eq!(join(&rr, 2, &one), AtEnslave::SetTo(bond));
}

/// The steps of a plan, of which those with the given numbers are refused.
fn steps(plan: &Plan<u32>, refused: &[usize]) -> Vec<(Who<u32>, Act, HwAddr)> {
    let mut steps = Vec::new();
    plan.carry_out(|step| {
        steps.push((step.who, step.act, step.to));
        !refused.contains(&(steps.len() - 1))
    });
    steps
}

const FRESH: u8 = 99;

#[test]
fn failover_moves_addresses_by_the_policy() {
    use Who::{Bond, Slave};
    let slaves = [holder(1, 1, 1), holder(2, 2, 2), holder(3, 3, 3)];
    let plan = |config: &Config, new: Option<u32>, bond, leaver| {
        let new = new.and_then(|key| slaves.into_iter().find(|it| it.key == key));
        let slaves = slaves.into_iter();
        at_failover(config, new, mac(bond), slaves, leaver, mac(FRESH))
    };
    let follows = [(Bond(2), Act::Follow, mac(2))];
    assert_eq!(steps(&plan(&none(), Some(2), 1, None), &[]), []);
    assert_eq!(steps(&plan(&active(), Some(2), 1, None), &[]), follows);
    assert_eq!(steps(&plan(&active(), None, 1, None), &[]), []);
    assert_eq!(steps(&plan(&follow(), None, 1, None), &[]), []);

    // The slave that has the address of the bond gives it up before the new one takes it.
    let swap = plan(&follow(), Some(2), 1, None);
    let give_up = (Slave(1), Act::GiveUp, mac(FRESH));
    let take = (Slave(2), Act::Take, mac(1));
    let rest = (Slave(1), Act::Swap, mac(2));
    assert_eq!(steps(&swap, &[]), [give_up, take, rest]);
    assert_eq!(steps(&swap, &[2]), [give_up, take, rest]);
    // Whoever refuses, the bond has the address of its active slave.
    assert_eq!(steps(&swap, &[0]), [give_up, follows[0]]);
    let undo = (Slave(1), Act::Undo, mac(1));
    assert_eq!(steps(&swap, &[1]), [give_up, take, follows[0], undo]);

    // No slave has the bond's address: the active one was given another by hand, or there was none.
    let alone = plan(&follow(), Some(2), 9, None);
    let take = (Slave(2), Act::Take, mac(9));
    assert_eq!(steps(&alone, &[]), [take]);
    assert_eq!(steps(&alone, &[0]), [take, follows[0]]);
    let same = plan(&follow(), Some(2), 2, None);
    assert_eq!(steps(&same, &[]), [(Slave(2), Act::Take, mac(2))]);

    // The old active slave leaves and takes the address of the bond with it.
    assert_eq!(steps(&plan(&follow(), Some(2), 1, Some(1)), &[]), follows);
}

#[test]
fn a_released_slave_gets_its_address_back() {
    use Who::{Bond, Slave};
    let release = |config: &Config, leaver, bond, claim, slaves: &[Holder<u32>]| {
        let slaves = slaves.iter().copied();
        let bond = (mac(bond), claim);
        at_release(config, leaver, Some(2), bond, slaves, mac(FRESH))
    };
    let restore = |own| (Slave(1), Act::Restore, mac(own));

    // With `fail_over_mac` none the bond keeps the address, and the user is told.
    let shared = [holder(2, 1, 2)];
    let result = release(&none(), holder(1, 1, 1), 1, Claim::Borrowed, &shared);
    assert_eq!(steps(&result.plan, &[]), [restore(1)]);
    assert!(result.conflict && !result.randomize_bond);
    let result = release(&none(), holder(1, 1, 3), 1, Claim::Borrowed, &shared);
    assert_eq!(steps(&result.plan, &[]), [restore(3)]);
    assert!(!result.conflict && !result.randomize_bond);
    let result = release(&active(), holder(1, 1, 1), 2, Claim::Borrowed, &shared);
    assert_eq!(steps(&result.plan, &[]), []);
    assert!(!result.conflict && !result.randomize_bond);
    let result = release(&follow(), holder(1, 1, 1), 1, Claim::Borrowed, &[]);
    assert_eq!(steps(&result.plan, &[]), [restore(1)]);
    assert!(!result.conflict && result.randomize_bond);

    // If another slave has the leaving slave's own address, it gives that address up first.
    let swapped = [holder(2, 8, 2), holder(3, 1, 3)];
    let plan = release(&follow(), holder(1, 3, 1), 8, Claim::Borrowed, &swapped).plan;
    let aside = (Slave(1), Act::StepAside, mac(FRESH));
    let vacate = (Slave(3), Act::Vacate, mac(3));
    let renounce = (Slave(1), Act::Renounce, mac(FRESH));
    assert_eq!(steps(&plan, &[]), [aside, vacate, restore(1)]);
    assert_eq!(steps(&plan, &[0]), [aside]);
    assert_eq!(steps(&plan, &[1]), [aside, vacate, renounce]);
    assert_eq!(steps(&plan, &[2]), [aside, vacate, restore(1), renounce]);

    // If the bond has that address, it takes another one, unless the user has given it this one.
    let taken = [holder(2, 1, 2), holder(3, 3, 3)];
    let result = release(&follow(), holder(1, 2, 1), 1, Claim::Borrowed, &taken);
    let follows = (Bond(2), Act::Follow, mac(2));
    let vacate = (Slave(2), Act::Vacate, mac(2));
    assert_eq!(
        steps(&result.plan, &[]),
        [aside, follows, vacate, restore(1)]
    );
    assert_eq!(steps(&result.plan, &[1]), [aside, follows]);
    let undo = (Bond(2), Act::Undo, mac(1));
    assert_eq!(
        steps(&result.plan, &[2]),
        [aside, follows, vacate, renounce, undo]
    );
    assert!(!result.conflict);
    let result = release(&follow(), holder(1, 2, 1), 1, Claim::Kept, &taken);
    assert_eq!(steps(&result.plan, &[]), [restore(1)]);
    assert_eq!(steps(&result.plan, &[0]), [restore(1), renounce]);
    assert!(result.conflict);
    let result = release(&follow(), holder(1, 2, 1), 1, Claim::Ends, &taken);
    assert_eq!(steps(&result.plan, &[]), [aside, vacate, restore(1)]);
}

#[test]
fn addresses_that_were_doubled_by_hand_come_apart() {
    let apart = |config: &Config, slave: Holder<u32>, active, bond, slaves: &[Holder<u32>]| {
        let slaves = slaves.iter().copied();
        apart(config, slave, active, mac(bond), slaves, mac(FRESH))
    };
    let slaves = [holder(1, 1, 1), holder(2, 1, 2), holder(3, 1, 1)];
    let each = |active, bond| slaves.map(|slave| apart(&follow(), slave, active, bond, &slaves));
    // The active slave keeps the address, or else the first; others get their own one if it is
    // free.
    assert_eq!(each(None, 1), [None, Some(mac(2)), Some(mac(FRESH))]);
    assert_eq!(each(Some(2), 1), [Some(mac(FRESH)), None, Some(mac(FRESH))]);
    assert_eq!(each(None, 2), [None, Some(mac(FRESH)), Some(mac(FRESH))]);
    assert_eq!(apart(&none(), slaves[1], None, 1, &slaves), None);
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
