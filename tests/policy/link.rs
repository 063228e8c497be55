// SPDX-License-Identifier: GPL-2.0

//! Links and their delays.

use policy::link::{Role, TransitionMessage};
use policy::{Delays, Duplex, Link, LinkState, Transition};

const NONE: Delays = Delays { up: 0, down: 0 };
const BOTH: Delays = Delays { up: 300, down: 200 };

#[test]
fn initial_state_follows_the_in_tree_rules() {
    let state = |carrier, delays, monitored| Link::initial(carrier, delays, monitored, 5).state();
    assert_eq!(state(true, NONE, true), LinkState::Up);
    assert_eq!(state(false, NONE, true), LinkState::Down);
    assert_eq!(state(true, BOTH, true), LinkState::Back);
    assert_eq!(state(false, BOTH, true), LinkState::Down);
    assert_eq!(state(true, BOTH, false), LinkState::Up);
    assert_eq!(state(false, BOTH, false), LinkState::Up);
    assert_eq!(Link::initial(true, BOTH, true, 5).deadline(), Some(305));
}

#[test]
fn without_delays_the_link_follows_the_carrier() {
    let (link, what) = Link::up(0).observe(false, 10, NONE, false);
    assert_eq!((link, what), (Link::down(10), Some(Transition::WentDown)));
    let (link, what) = link.observe(true, 20, NONE, false);
    assert_eq!((link, what), (Link::up(20), Some(Transition::WentUp)));
    assert_eq!(link.observe(true, 30, NONE, false), (link, None));
}

#[test]
fn downdelay_ends_at_its_deadline_and_not_before() {
    let (link, what) = Link::up(0).observe(false, 10, BOTH, false);
    assert_eq!(what, Some(Transition::GoingDown { ms: 200 }));
    assert_eq!(
        (link.state(), link.deadline()),
        (LinkState::Fail, Some(210))
    );
    assert_eq!(link.observe(false, 209, BOTH, true), (link, None));
    assert_eq!(link.remaining(209), 1);
    let (link, what) = link.observe(false, 210, BOTH, false);
    assert_eq!((link, what), (Link::down(210), Some(Transition::WentDown)));
}

#[test]
fn a_link_that_recovers_in_time_never_was_down() {
    let (link, _) = Link::up(0).observe(false, 10, BOTH, false);
    let (link, what) = link.observe(true, 60, BOTH, false);
    assert_eq!(
        (link, what),
        (Link::up(60), Some(Transition::UpAgain { after_ms: 50 }))
    );
    assert_eq!(what.and_then(Transition::settled), Some(Transition::WentUp));
}

#[test]
fn updelay_ends_at_its_deadline_and_starts_over_when_the_carrier_is_lost() {
    let (link, what) = Link::down(0).observe(true, 10, BOTH, false);
    assert_eq!(what, Some(Transition::GoingUp { ms: 300 }));
    assert_eq!(link.observe(true, 309, BOTH, false), (link, None));
    let (down, what) = link.observe(false, 309, BOTH, false);
    assert_eq!(
        (down, what),
        (
            Link::down(309),
            Some(Transition::DownAgain { after_ms: 299 })
        )
    );
    assert_eq!(
        what.and_then(Transition::settled),
        Some(Transition::WentDown)
    );
    let (link, _) = down.observe(true, 400, BOTH, false);
    assert_eq!(
        link.observe(true, 699, BOTH, false).0.state(),
        LinkState::Back
    );
    assert_eq!(
        link.observe(true, 700, BOTH, false),
        (Link::up(700), Some(Transition::WentUp))
    );
}

#[test]
fn updelay_is_skipped_on_request_also_half_way() {
    assert_eq!(Link::down(0).observe(true, 10, BOTH, true).0, Link::up(10));
    let (link, _) = Link::down(0).observe(true, 10, BOTH, false);
    assert_eq!(
        link.observe(true, 11, BOTH, true),
        (Link::up(11), Some(Transition::WentUp))
    );
}

#[test]
fn a_delay_that_runs_keeps_its_deadline_when_the_option_changes() {
    let (link, _) = Link::up(0).observe(false, 10, BOTH, false);
    let longer = Delays {
        up: 300,
        down: 10_000,
    };
    assert_eq!(
        link.observe(false, 210, longer, false).0.state(),
        LinkState::Down
    );
    let shorter = Delays { up: 300, down: 1 };
    assert_eq!(
        link.observe(false, 209, shorter, false).0.state(),
        LinkState::Fail
    );
}

#[test]
fn texts_are_those_that_parsers_of_proc_know() {
    let texts = [
        LinkState::Up,
        LinkState::Fail,
        LinkState::Down,
        LinkState::Back,
    ]
    .map(|it| it.text());
    assert_eq!(texts, ["up", "going down", "down", "going back"]);
    let numbers = [
        LinkState::Up,
        LinkState::Fail,
        LinkState::Down,
        LinkState::Back,
    ]
    .map(|it| it as i8);
    assert_eq!(numbers, [0, 1, 2, 3]);
}

#[test]
fn messages_are_those_of_the_in_tree_driver() {
    let message = |transition, role| {
        TransitionMessage {
            transition,
            role,
            speed: Some(10_000),
            duplex: Duplex::Full,
        }
        .to_string()
    };
    assert_eq!(
        message(Transition::GoingDown { ms: 200 }, Role::Active),
        "link status down for active interface, disabling it in 200 ms"
    );
    assert_eq!(
        message(Transition::GoingDown { ms: 200 }, Role::Backup),
        "link status down for backup interface, disabling it in 200 ms"
    );
    assert_eq!(
        message(Transition::GoingDown { ms: 200 }, Role::Member),
        "link status down for interface, disabling it in 200 ms"
    );
    assert_eq!(
        message(Transition::UpAgain { after_ms: 50 }, Role::Active),
        "link status up again after 50 ms"
    );
    assert_eq!(
        message(Transition::WentDown, Role::Active),
        "link status definitely down, disabling slave"
    );
    assert_eq!(
        message(Transition::GoingUp { ms: 300 }, Role::Active),
        "link status up, enabling it in 300 ms"
    );
    assert_eq!(
        message(Transition::DownAgain { after_ms: 7 }, Role::Active),
        "link status down again after 7 ms"
    );
    assert_eq!(
        message(Transition::WentUp, Role::Active),
        "link status definitely up, 10000 Mbps full duplex"
    );
    assert_eq!(
        message(Transition::WentDown, Role::Probed),
        "interface is now down"
    );
    assert_eq!(
        message(Transition::WentUp, Role::Probed),
        "interface is now up"
    );
    let unknown = TransitionMessage {
        transition: Transition::WentUp,
        role: Role::Active,
        speed: None,
        duplex: Duplex::Half,
    };
    assert_eq!(
        unknown.to_string(),
        "link status definitely up, 0 Mbps half duplex"
    );
}
