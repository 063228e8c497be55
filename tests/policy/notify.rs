// SPDX-License-Identifier: GPL-2.0

//! Peer notifications and IGMP reports.

use policy::notify::{Announcements, Countdown};
use policy::{Mode, OptionId};

use crate::world::config;

/// The times at which something is sent, where `ready` is asked at each time.
fn times(countdown: Countdown, ready: impl Fn(u64) -> bool) -> Vec<u64> {
    let mut sent = Vec::new();
    let mut countdown = countdown;
    let mut due = countdown.due();
    for _ in 0..1000 {
        let Some(now) = due else { return sent };
        let (next, send, again) = countdown.next(now, ready(now));
        assert_eq!(again, next.due());
        if send {
            sent.push(now);
        }
        (countdown, due) = (next, again);
    }
    panic!("never done");
}

#[test]
fn the_first_notification_is_sent_at_once_and_the_others_follow_at_miimon() {
    let config = config(
        Mode::ActiveBackup,
        &[(OptionId::NumGratArp, 3), (OptionId::Miimon, 50)],
    );
    assert_eq!(
        times(Countdown::peers(&config, 1000), |_| true),
        [1000, 1050, 1100]
    );
}

#[test]
fn peer_notif_delay_stretches_the_pace() {
    let options = [
        (OptionId::NumGratArp, 3),
        (OptionId::Miimon, 100),
        (OptionId::PeerNotifDelay, 500),
    ];
    let config = config(Mode::ActiveBackup, &options);
    assert_eq!(
        times(Countdown::peers(&config, 0), |_| true),
        [0, 500, 1000]
    );
}

#[test]
fn the_arp_monitor_gives_the_pace_too() {
    let options = [(OptionId::NumGratArp, 3), (OptionId::ArpInterval, 1000)];
    let config = config(Mode::ActiveBackup, &options);
    assert_eq!(
        times(Countdown::peers(&config, 5), |_| true),
        [5, 1005, 2005]
    );
}

#[test]
fn without_a_monitor_the_pace_is_100_ms() {
    let config = config(Mode::ActiveBackup, &[(OptionId::NumUnsolNa, 2)]);
    assert_eq!(times(Countdown::peers(&config, 7), |_| true), [7, 107]);
}

#[test]
fn none_are_sent_if_none_are_wanted() {
    let config = config(
        Mode::ActiveBackup,
        &[(OptionId::NumGratArp, 0), (OptionId::ResendIgmp, 0)],
    );
    assert_eq!(Countdown::peers(&config, 0).due(), None);
    assert_eq!(Countdown::igmp(&config, 0).due(), None);
    assert_eq!(
        Countdown::Done.next(5, true),
        (Countdown::Done, false, None)
    );
}

#[test]
fn the_first_waits_for_the_carrier_and_the_others_are_lost_without() {
    let config = config(Mode::ActiveBackup, &[(OptionId::NumGratArp, 3)]);
    assert_eq!(
        times(Countdown::peers(&config, 0), |now| now >= 200),
        [200, 300, 400]
    );
    assert_eq!(
        times(Countdown::peers(&config, 0), |now| now != 100),
        [0, 200]
    );
}

#[test]
fn without_carrier_only_what_will_be_lost_is_due() {
    let config = config(Mode::ActiveBackup, &[(OptionId::ResendIgmp, 3)]);
    let first = Countdown::igmp(&config, 10);
    assert_eq!(first.due(), Some(10));
    assert_eq!(first.due_without_carrier(), None);
    let (later, ..) = first.next(10, true);
    assert_eq!(later.due_without_carrier(), later.due());
    assert_eq!(later.due(), Some(210));
    assert_eq!(Countdown::Done.due_without_carrier(), None);
}

#[test]
fn nothing_is_sent_too_early() {
    let config = config(Mode::ActiveBackup, &[(OptionId::NumGratArp, 2)]);
    let (rest, sent, due) = Countdown::peers(&config, 100).next(100, true);
    assert!(sent);
    assert_eq!(due, Some(200));
    assert_eq!(rest.next(199, true), (rest, false, Some(200)));
}

#[test]
fn igmp_is_reported_every_200_ms() {
    let config = config(Mode::ActiveBackup, &[(OptionId::ResendIgmp, 3)]);
    assert_eq!(
        times(Countdown::igmp(&config, 10), |_| true),
        [10, 210, 410]
    );
}

#[test]
fn all_255_are_sent_even_at_the_end_of_time() {
    let config = config(Mode::ActiveBackup, &[(OptionId::NumGratArp, 255)]);
    assert_eq!(
        times(Countdown::peers(&config, u64::MAX - 150), |_| true).len(),
        255
    );
}

#[test]
fn who_is_told_depends_on_the_mode() {
    let due = |mode, has_active, running| {
        let after = Announcements::after_change(&config(mode, &[]), has_active, running, 0);
        (after.peers.due().is_some(), after.igmp.due().is_some())
    };
    assert_eq!(due(Mode::ActiveBackup, true, true), (true, true));
    assert_eq!(due(Mode::ActiveBackup, false, true), (false, false));
    assert_eq!(due(Mode::ActiveBackup, true, false), (false, false));
    assert_eq!(due(Mode::RoundRobin, true, true), (false, true));
    assert_eq!(due(Mode::RoundRobin, false, true), (false, true));
    assert_eq!(due(Mode::RoundRobin, true, false), (false, false));
}
