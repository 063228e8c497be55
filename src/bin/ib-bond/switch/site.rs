// SPDX-License-Identifier: GPL-2.0

//! The machine on which a switch takes place.

use super::journal::{self, Journal, Phase, Wish};
use super::part::{foundations, Part};
use super::programs;
use super::reach;
use super::restore::{join_masters, missing, restore};
use super::turn::{Site, Word};
use super::users;
use crate::driver::Driver;
use crate::error::words;
use crate::state;
use crate::steps::Host;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::flag;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::Arc;
use std::thread::sleep;
use std::time::{Duration, Instant};

/// Keeps programs that ask the kernel for a bond from loading the driver that modprobe prefers.
const BLACKLIST: &str = "/run/modprobe.d/ib-bond-switch.conf";
/// How often a condition is looked at.
const STEP: Duration = Duration::from_millis(100);
/// How long another ib-bond may take: one that stands still must not keep a switch from going back.
const LOCK: Duration = Duration::from_secs(20);
/// How often a driver is loaded that somebody else replaces by the other one.
const TRIES: u32 = 3;

/// This machine.
pub(crate) struct Here {
    host: Host,
    journal: Journal,
    has_term: Arc<AtomicBool>,
}

impl Here {
    /// This machine, with the switch that was planned. Signals no longer end the process.
    pub(crate) fn new(host: Host, journal: Journal) -> io::Result<Self> {
        let has_term = Arc::new(AtomicBool::new(false));
        flag::register(SIGTERM, Arc::clone(&has_term))?;
        flag::register(SIGINT, Arc::clone(&has_term))?;
        // A terminal that is lost is no reason to go back.
        flag::register(SIGHUP, Arc::new(AtomicBool::new(false)))?;
        Ok(Here {
            host,
            journal,
            has_term,
        })
    }

    /// Whether a signal has asked this process to end, once.
    pub(crate) fn takes_term(&self) -> bool {
        self.has_term.swap(false, Ordering::Relaxed)
    }

    fn parts_of_configurators(&self) -> Vec<Part> {
        let parts = self.journal.parts.iter();
        parts.filter(|part| part.is_configured).cloned().collect()
    }

    /// Waits until `condition` holds; what is missing then is the error.
    fn wait(
        &mut self,
        mut condition: impl FnMut(&mut Self) -> Result<(), String>,
    ) -> Result<(), String> {
        let end = Instant::now() + Duration::from_secs(self.journal.check_within);
        loop {
            let missing = match condition(self) {
                Ok(()) => return Ok(()),
                Err(missing) => missing,
            };
            if Instant::now() >= end {
                return Err(format!("{missing} after {} s", self.journal.check_within));
            }
            if let Some(reason) = self.interruption() {
                return Err(reason);
            }
            sleep(STEP);
        }
    }

    fn load_file(&self, driver: Driver) -> Result<(), String> {
        let file = self
            .host
            .machine
            .file_of(driver)
            .ok_or_else(|| format!("{driver} is not installed"))?;
        for module in programs::answer("modinfo", &["-F", "depends", &file.to_string_lossy()])?
            .split([',', '\n'])
            .filter(|name| !name.is_empty())
        {
            programs::answer("modprobe", &[module])?;
        }
        let configuration = programs::answer("modprobe", &["--showconfig"])?;
        let file = file.to_string_lossy().into_owned();
        let mut arguments = vec![file.as_str()];
        arguments.extend(parameters(&configuration));
        arguments.push("max_bonds=0");
        programs::answer("insmod", &arguments).map(drop)
    }
}

/// The parameters of the driver in the configuration of modprobe.
pub(crate) fn parameters(configuration: &str) -> Vec<&str> {
    configuration
        .lines()
        .filter_map(|line| line.strip_prefix("options bonding "))
        .flat_map(str::split_whitespace)
        .collect()
}

fn allow_loading() {
    // Another switch would write it again.
    let _ = fs::remove_file(BLACKLIST);
}

fn forbid_loading() -> io::Result<()> {
    fs::create_dir_all(Path::new(BLACKLIST).parent().unwrap_or(Path::new("/")))?;
    fs::write(
        BLACKLIST,
        "# \"ib-bond switch\" removes this file as soon as it has loaded a driver.\nblacklist bonding\n",
    )
}

impl Site for Here {
    fn running(&mut self) -> Option<Driver> {
        self.host.machine.running()
    }

    fn take_down(&mut self) -> Result<(), String> {
        // A connection that NetworkManager has lost cannot be taken down: what is still there counts.
        for order in self.journal.orders.iter().rev() {
            for command in &order.down {
                if let Err(reason) = programs::run(command) {
                    journal::say(&format!("{}: {reason}", order.configurator));
                }
            }
        }
        Ok(())
    }

    fn unload(&mut self) -> Result<(), String> {
        let _lock = state::lock_within(LOCK).map_err(|error| error.sentence)?;
        if let Some(users) = users::of_driver() {
            return Err(format!("the bonding driver cannot be unloaded: {users}"));
        }
        if let Err(error) = forbid_loading() {
            return Err(format!("{BLACKLIST} cannot be written: {}", words(&error)));
        }
        self.host.machine.unload().inspect_err(|_| allow_loading())
    }

    fn load(&mut self, driver: Driver) -> Result<(), String> {
        let _lock = state::lock_within(LOCK).map_err(|error| error.sentence)?;
        let mut result = Ok(());
        for _ in 0..TRIES {
            let is_preferred = self
                .host
                .machine
                .installed()
                .is_some_and(|installed| installed.driver == driver);
            result = match is_preferred {
                // With the blacklist, modprobe still takes the name of the module itself.
                true => self.host.machine.load(),
                false => self.load_file(driver),
            };
            match self.host.machine.running() {
                Some(running) if running == driver => {
                    result = Ok(());
                    break;
                }
                Some(other) => {
                    result = Err(format!("somebody else has loaded {other} meanwhile"));
                    self.host.machine.unload()?;
                }
                None => break,
            }
        }
        allow_loading();
        result.map_err(|reason| format!("{driver} cannot be loaded: {reason}"))
    }

    fn bring_up(&mut self) -> Result<(), String> {
        let first = foundations(&self.journal.parts);
        if !first.is_empty() {
            let _lock = state::lock_within(LOCK).map_err(|error| error.sentence)?;
            // The same is said once more when everything is restored.
            let _ = restore(&mut self.host.netlink, &self.host.state, &first);
        }
        for order in self.journal.orders.clone() {
            let parts: Vec<Part> = self
                .journal
                .parts
                .iter()
                .filter(|part| order.devices.contains(&part.name))
                .cloned()
                .collect();
            if missing(&mut self.host.netlink, &parts).is_none() {
                continue;
            }
            for command in &order.up {
                if let Err(reason) = programs::run(command) {
                    journal::say(&format!("{}: {reason}", order.configurator));
                }
            }
        }
        let configured = self.parts_of_configurators();
        // Their masters and links are waited for later.
        let exist: Vec<Part> = configured.into_iter().map(Part::bare).collect();
        self.wait(|here| missing(&mut here.host.netlink, &exist).map_or(Ok(()), Err))
    }

    fn restore(&mut self) -> Result<(), String> {
        let _lock = state::lock_within(LOCK).map_err(|error| error.sentence)?;
        let Host { netlink, state, .. } = &mut self.host;
        for note in restore(netlink, state, &self.journal.parts)? {
            journal::say(&note);
        }
        Ok(())
    }

    fn check(&mut self, driver: Driver) -> Result<(), String> {
        self.wait(|here| {
            match here.host.machine.running() {
                Some(running) if running == driver => {}
                Some(other) => return Err(format!("{other} runs")),
                None => return Err("no bonding driver runs".into()),
            }
            let Journal { parts, probe, .. } = &here.journal;
            let netlink = &mut here.host.netlink;
            join_masters(netlink, parts)?;
            if let Some(missing) = missing(netlink, parts) {
                return Err(missing);
            }
            probe
                .as_ref()
                .map_or(Ok(()), |probe| reach::check(netlink, probe))
        })
    }

    fn wait_for_word(&mut self) -> Word {
        let within = self.journal.confirm_within;
        let end = Instant::now() + Duration::from_secs(within);
        loop {
            if let Some(reason) = self.interruption() {
                return Word::Back(reason);
            }
            if Wish::Confirm.is_there() {
                return Word::Keep;
            }
            if Instant::now() >= end {
                return Word::Back(format!("nobody has confirmed within {within} s"));
            }
            sleep(STEP);
        }
    }

    fn interruption(&mut self) -> Option<String> {
        // Going back is what an interruption leads to: nothing interrupts that.
        if self.journal.phase == Phase::GoingBack {
            return None;
        }
        if Wish::Rollback.is_there() {
            return Some("somebody has asked for that with \"ib-bond switch --rollback\"".into());
        }
        self.has_term
            .load(Ordering::Relaxed)
            .then(|| "a signal has asked for that".into())
    }

    fn announce(&mut self, phase: Phase, text: &str) {
        self.journal.phase = phase;
        self.journal.said = text.into();
        journal::say(text);
        if let Err(error) = self.journal.write() {
            journal::say(&error.sentence);
        }
        if phase.is_final() {
            allow_loading();
        }
    }

    fn pause(&mut self) {
        sleep(Duration::from_secs(2));
    }
}

/// The files of both drivers.
pub(crate) fn files(host: &Host, target: Driver, previous: Driver) -> [Option<PathBuf>; 2] {
    [target, previous].map(|driver| host.machine.file_of(driver))
}
