// SPDX-License-Identifier: GPL-2.0

//! The turns of a switch on a machine in memory, whose steps fail where a test chooses; configurators and their commands.

use crate::driver::Driver;
use crate::switch::configurators::{parse_netdev, View};
use crate::switch::journal::Phase;
use crate::switch::reach::{is_reply, request};
use crate::switch::site::parameters;
use crate::switch::turn::{back, forward, Site, Word};
use proptest::prelude::*;

/// A machine with a bond of a configurator and one of nobody's.
#[derive(Debug)]
struct Fake {
    driver: Option<Driver>,
    configured: bool,
    restored: bool,
    /// What fails: the numbers of calls, counted from 0.
    failing: Vec<usize>,
    /// At which call somebody asks to go back.
    interrupted: Option<usize>,
    calls: usize,
    word: Word,
    is_going_back: bool,
    phases: Vec<Phase>,
    said: Vec<String>,
}

impl Fake {
    fn new(word: Word) -> Self {
        Fake {
            driver: Some(Driver::Rust),
            configured: true,
            restored: true,
            failing: vec![],
            interrupted: None,
            calls: 0,
            word,
            is_going_back: false,
            phases: vec![],
            said: vec![],
        }
    }

    fn step(&mut self, name: &str) -> Result<(), String> {
        let number = self.calls;
        self.calls += 1;
        match self.failing.contains(&number) {
            true => Err(format!("{name} has failed")),
            false => Ok(()),
        }
    }

    fn is_whole(&self, driver: Driver) -> bool {
        self.driver == Some(driver) && self.configured && self.restored
    }

    fn run(&mut self) -> Phase {
        let phase = forward(self, Driver::InTree, Driver::Rust);
        assert_eq!(self.phases.last(), Some(&phase), "what was announced last");
        phase
    }
}

impl Site for Fake {
    fn running(&mut self) -> Option<Driver> {
        self.driver
    }

    fn take_down(&mut self) -> Result<(), String> {
        self.configured = false;
        self.step("taking down")
    }

    fn unload(&mut self) -> Result<(), String> {
        assert!(self.driver.is_some(), "nothing to unload");
        self.step("unloading")?;
        (self.driver, self.configured, self.restored) = (None, false, false);
        Ok(())
    }

    fn load(&mut self, driver: Driver) -> Result<(), String> {
        assert!(self.driver.is_none(), "a driver runs already");
        self.step("loading")?;
        self.driver = Some(driver);
        Ok(())
    }

    fn bring_up(&mut self) -> Result<(), String> {
        self.step("bringing up")?;
        self.configured = self.driver.is_some();
        Ok(())
    }

    fn restore(&mut self) -> Result<(), String> {
        self.step("restoring")?;
        self.restored = self.driver.is_some();
        Ok(())
    }

    fn check(&mut self, driver: Driver) -> Result<(), String> {
        self.step("checking")?;
        match self.is_whole(driver) {
            true => Ok(()),
            false => Err("something is missing".into()),
        }
    }

    fn wait_for_word(&mut self) -> Word {
        self.word.clone()
    }

    fn interruption(&mut self) -> Option<String> {
        let is_time = self.interrupted.is_some_and(|call| self.calls >= call);
        (is_time && !self.is_going_back).then(|| "somebody asks".into())
    }

    fn announce(&mut self, phase: Phase, text: &str) {
        self.is_going_back = phase == Phase::GoingBack;
        self.phases.push(phase);
        self.said.push(text.into());
    }

    fn pause(&mut self) {}
}

/// Taking down, unloading, loading, bringing up, restoring, checking.
const STEPS: usize = 6;

#[test]
fn a_confirmed_switch_is_kept() {
    let mut site = Fake::new(Word::Keep);
    assert_eq!(site.run(), Phase::Kept);
    assert!(site.is_whole(Driver::InTree));
    assert_eq!(site.phases, [Phase::Switching, Phase::Waiting, Phase::Kept]);
}

#[test]
fn a_switch_that_nobody_confirms_goes_back() {
    let mut site = Fake::new(Word::Back("nobody has confirmed".into()));
    assert_eq!(site.run(), Phase::Back);
    assert!(site.is_whole(Driver::Rust));
    assert!(site
        .said
        .last()
        .unwrap()
        .contains("because nobody has confirmed"));
}

#[test]
fn each_step_that_fails_leads_back() {
    for number in 0..STEPS {
        let mut site = Fake::new(Word::Keep);
        site.failing = vec![number];
        assert_eq!(site.run(), Phase::Back, "step {number}");
        assert!(site.is_whole(Driver::Rust), "step {number}: {site:?}");
        assert!(!site.phases.contains(&Phase::Waiting), "step {number}");
    }
}

#[test]
fn each_step_can_be_interrupted() {
    for number in 0..STEPS {
        let mut site = Fake::new(Word::Keep);
        site.interrupted = Some(number);
        assert_eq!(site.run(), Phase::Back, "step {number}");
        assert!(site.is_whole(Driver::Rust), "step {number}: {site:?}");
        assert!(site.said.last().unwrap().contains("somebody asks"));
    }
}

#[test]
fn a_driver_that_is_not_unloaded_is_not_loaded_again() {
    let mut site = Fake::new(Word::Keep);
    site.failing = vec![1];
    assert_eq!(site.run(), Phase::Back);
    // Taking down, unloading; bringing up, restoring, checking.
    assert_eq!(site.calls, 5);
}

#[test]
fn going_back_is_tried_again() {
    // The first attempt at going back fails at each of its steps in turn.
    for number in 0..STEPS {
        let mut site = Fake::new(Word::Back("no".into()));
        site.failing = vec![STEPS + number];
        assert_eq!(site.run(), Phase::Back, "step {number}");
        assert!(site.is_whole(Driver::Rust), "step {number}: {site:?}");
    }
}

#[test]
fn what_cannot_go_back_says_so_and_does_the_rest() {
    let mut site = Fake::new(Word::Back("no".into()));
    site.failing = (STEPS..1000).collect();
    assert_eq!(site.run(), Phase::Stuck);
    let said = site.said.last().unwrap();
    assert!(said.contains("unloading has failed"), "{said}");
    assert!(said.contains("restoring has failed"), "{said}");
    assert!(said.contains("ib-bond switch --rollback"), "{said}");
}

#[test]
fn a_guard_goes_back_from_anywhere() {
    for driver in [Some(Driver::Rust), Some(Driver::InTree), None] {
        for (configured, restored) in [(true, true), (false, true), (true, false), (false, false)] {
            let mut site = Fake::new(Word::Keep);
            (site.driver, site.configured, site.restored) = (driver, configured, restored);
            assert_eq!(
                back(&mut site, Driver::Rust, "the worker has died"),
                Phase::Back
            );
            assert!(site.is_whole(Driver::Rust), "{driver:?} {site:?}");
        }
    }
}

proptest! {
    /// Whatever fails: at the end, the machine is whole with one of the drivers, or it is said that it is not.
    #[test]
    fn no_failure_is_hidden(failing in prop::collection::vec(0..30usize, 0..12), keep: bool, interrupted in prop::option::of(0..8usize)) {
        let word = if keep { Word::Keep } else { Word::Back("no".into()) };
        let mut site = Fake::new(word);
        site.failing = failing;
        site.interrupted = interrupted;
        match site.run() {
            Phase::Kept => prop_assert!(keep && site.is_whole(Driver::InTree)),
            Phase::Back => prop_assert!(site.is_whole(Driver::Rust)),
            phase => prop_assert_eq!(phase, Phase::Stuck),
        }
    }
}

#[test]
fn a_netdev_file_has_a_name() {
    let text = "# a bond\n[Match]\nName=host\n[NetDev]\nKind = bond\nName = b7 \n[Bond]\nMode=1\n";
    assert_eq!(parse_netdev(text), Some("b7".into()));
    assert_eq!(parse_netdev("[Bond]\nName=b7\n"), None);
    assert_eq!(parse_netdev(""), None);
}

#[test]
fn parameters_are_those_of_the_driver() {
    let text = "alias bond0 bonding\noptions bonding mode=1 miimon=100\noptions bondage x=1\noptions bonding updelay=5\n";
    assert_eq!(parameters(text), ["mode=1", "miimon=100", "updelay=5"]);
    assert!(parameters("").is_empty());
}

#[test]
fn an_echo_request_has_a_checksum() {
    let packet = request(true, [0x12, 0x34]);
    let words = packet
        .chunks(2)
        .map(|pair| u32::from(u16::from_be_bytes([pair[0], pair[1]])));
    let sum: u32 = words.sum();
    assert_eq!((sum & 0xffff) + (sum >> 16), 0xffff);
    assert_eq!(request(false, [1, 2])[..4], [128, 0, 0, 0]);
}

#[test]
fn only_the_own_reply_counts() {
    let mut packet = vec![0x46; 24];
    packet.extend([0, 0, 0, 0, 7, 8, 0, 1]);
    assert!(is_reply(true, &packet, [7, 8]));
    assert!(
        !is_reply(true, &packet, [7, 9]),
        "the reply of another program"
    );
    packet[24] = 3;
    assert!(!is_reply(true, &packet, [7, 8]), "unreachable");
    assert!(!is_reply(true, &packet[..10], [7, 8]), "too short");
    assert!(!is_reply(true, &[], [7, 8]));
    assert!(is_reply(false, &[129, 0, 0, 0, 7, 8, 0, 1], [7, 8]));
}

mod configurators {
    use super::View;
    use crate::switch::configurators::orders;
    use crate::switch::part::{foundations, Part};

    fn parts() -> Vec<Part> {
        vec![
            Part::named("b7", &["a0", "b0"], None),
            Part::named("b7.5", &[], Some("b7")),
            Part::named("b8", &["c0"], None),
        ]
    }

    fn lines(commands: &[Vec<String>]) -> Vec<String> {
        commands.iter().map(|words| words.join(" ")).collect()
    }

    #[test]
    fn nobody_makes_them() {
        let mut parts = parts();
        assert!(orders(&mut parts, &View::default()).is_empty());
        assert!(parts.iter().all(|part| !part.is_configured));
    }

    #[test]
    fn what_configurators_build_on_comes_first() {
        let first = |configured: &[&str]| {
            let mut parts = parts();
            parts.push(Part::named("b7.5.9", &[], Some("b7.5")));
            for part in &mut parts {
                part.is_configured = configured.contains(&part.name.as_str());
            }
            let names = foundations(&parts).into_iter().map(|part| part.name);
            names.collect::<Vec<_>>()
        };
        assert!(first(&[]).is_empty() && first(&["b7", "b8"]).is_empty());
        assert_eq!(first(&["b7.5"]), ["b7"]);
        assert_eq!(first(&["b7.5.9"]), ["b7", "b7.5"]);
        assert_eq!(first(&["b7", "b7.5.9"]), Vec::<String>::new());
    }

    #[test]
    fn ifupdown_makes_what_it_has_brought_up() {
        let mut parts = parts();
        let view = View {
            ifstate: "lo=lo\nb7=office\na0=a0\nb7.5=b7.5\n".into(),
            ..View::default()
        };
        let orders = orders(&mut parts, &view);
        assert_eq!(orders.len(), 1);
        assert_eq!(orders[0].devices, ["b7", "b7.5"]);
        assert_eq!(
            lines(&orders[0].down),
            [
                "ifdown --force b7.5",
                "ifdown --force a0",
                "ifdown --force b7"
            ]
        );
        assert_eq!(
            lines(&orders[0].up),
            [
                "ifup --force b7=office",
                "ifup --force a0=a0",
                "ifup --force b7.5=b7.5"
            ]
        );
        let configured: Vec<bool> = parts.iter().map(|part| part.is_configured).collect();
        assert_eq!(configured, [true, true, false]);
    }

    #[test]
    fn networkd_makes_what_its_files_name() {
        let mut parts = parts();
        let view = View {
            netdevs: vec!["br0".into(), "b8".into()],
            ..View::default()
        };
        let orders = orders(&mut parts, &view);
        assert_eq!(orders[0].devices, ["b8"]);
        assert_eq!(
            lines(&orders[0].up),
            ["systemctl restart systemd-networkd.service"]
        );
        assert!(orders[0].down.is_empty());
    }

    #[test]
    fn networkmanager_does_not_make_what_it_only_sees() {
        let mut parts = parts();
        let view = View {
            devices: "b7:connected\nb8:connected (externally)\na0:connected\nb0:connected\n".into(),
            connections: "b7:u-b7\nb8:u-b8\na0:u-a0\nb0:u-b0\n".into(),
            ..View::default()
        };
        let orders = orders(&mut parts, &view);
        assert_eq!(orders[0].devices, ["b7"]);
        assert_eq!(
            lines(&orders[0].down),
            ["nmcli --wait 30 connection down uuid u-b7"]
        );
        assert_eq!(
            lines(&orders[0].up),
            [
                "nmcli --wait 0 connection up uuid u-b7",
                "nmcli --wait 30 connection up uuid u-a0",
                "nmcli --wait 30 connection up uuid u-b0"
            ]
        );
    }

    #[test]
    fn several_configurators_may_share_a_machine() {
        let mut parts = parts();
        let view = View {
            ifstate: "b7=b7\n".into(),
            netdevs: vec!["b8".into()],
            ..View::default()
        };
        let orders = orders(&mut parts, &view);
        let names: Vec<&str> = orders
            .iter()
            .map(|order| order.configurator.as_str())
            .collect();
        assert_eq!(names, ["ifupdown", "systemd-networkd"]);
        assert!(!parts[1].is_configured, "the VLAN is nobody's");
    }
}
