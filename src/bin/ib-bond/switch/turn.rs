// SPDX-License-Identifier: GPL-2.0

//! The turns of a switch: forward to the other driver, and back. Every step that fails leads back.

use super::journal::Phase;
use crate::driver::Driver;
use crate::up::list;

/// How often going back is tried.
const TRIES: u32 = 3;

/// What a person has said about the new driver, or has not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Word {
    /// Keep it.
    Keep,
    /// Go back, for this reason.
    Back(String),
}

/// What the turns need of a machine. The errors are sentences without their full stop.
pub(crate) trait Site {
    /// Which driver runs.
    fn running(&mut self) -> Option<Driver>;
    /// Has the configurators of the machine take their bonds down.
    fn take_down(&mut self) -> Result<(), String>;
    /// Unloads the driver, and keeps others from loading one.
    fn unload(&mut self) -> Result<(), String>;
    /// Loads a driver, without a bond.
    fn load(&mut self, driver: Driver) -> Result<(), String>;
    /// Has the configurators of the machine make their bonds.
    fn bring_up(&mut self) -> Result<(), String>;
    /// Makes what no configurator makes.
    fn restore(&mut self) -> Result<(), String>;
    /// Waits until everything is there, and the address answers.
    fn check(&mut self, driver: Driver) -> Result<(), String>;
    /// Waits for a person's word.
    fn wait_for_word(&mut self) -> Word;
    /// Why the switch must not go on, if somebody has asked for that.
    fn interruption(&mut self) -> Option<String>;
    /// Lets everybody know how far the switch is.
    fn announce(&mut self, phase: Phase, text: &str);
    /// Waits before going back is tried again.
    fn pause(&mut self);
}

/// Changes the driver to `target`; goes back to `previous` if a step fails, or if nobody wants to keep the new one.
pub(crate) fn forward(site: &mut dyn Site, target: Driver, previous: Driver) -> Phase {
    site.announce(
        Phase::Switching,
        &format!("changing from {previous} to {target}"),
    );
    if let Err(reason) = change(site, target) {
        return back(site, previous, &reason);
    }
    site.announce(
        Phase::Waiting,
        &format!("{target} runs, and the bonds work"),
    );
    match site.wait_for_word() {
        Word::Keep => {
            site.announce(Phase::Kept, &format!("{target} is kept"));
            Phase::Kept
        }
        Word::Back(reason) => back(site, previous, &reason),
    }
}

/// A part of the way forward.
type Step<'a> = &'a dyn Fn(&mut dyn Site) -> Result<(), String>;

fn change(site: &mut dyn Site, target: Driver) -> Result<(), String> {
    let steps: [Step<'_>; 6] = [
        &|site| site.take_down(),
        &|site| site.unload(),
        &|site| site.load(target),
        &|site| site.bring_up(),
        &|site| site.restore(),
        &|site| site.check(target),
    ];
    for step in steps {
        if let Some(reason) = site.interruption() {
            return Err(reason);
        }
        step(site)?;
    }
    Ok(())
}

/// Goes back to `previous`. Nothing interrupts that. What fails is tried again; what still fails does not keep the rest
/// from being done.
pub(crate) fn back(site: &mut dyn Site, previous: Driver, reason: &str) -> Phase {
    site.announce(Phase::GoingBack, &format!("going back: {reason}"));
    let mut failed = Vec::new();
    for number in 1..=TRIES {
        failed = go_back(site, previous);
        if failed.is_empty() {
            site.announce(
                Phase::Back,
                &format!("{previous} runs again, and the bonds are as before, because {reason}"),
            );
            return Phase::Back;
        }
        if number < TRIES {
            site.pause();
        }
    }
    site.announce(
        Phase::Stuck,
        &format!(
            "going back has not worked ({}); it began because {reason}; remove the obstacle, and try again with \
             \"ib-bond switch --rollback\", or reboot",
            list(failed.iter().map(String::as_str))
        ),
    );
    Phase::Stuck
}

/// One attempt. Returns what has failed.
fn go_back(site: &mut dyn Site, previous: Driver) -> Vec<String> {
    let mut failed = Vec::new();
    let is_other = site.running().is_some_and(|driver| driver != previous);
    if is_other {
        // What a configurator does not take down goes with the driver.
        let _ = site.take_down();
        failed.extend(site.unload().err());
    }
    if failed.is_empty() && site.running() != Some(previous) {
        failed.extend(site.load(previous).err());
    }
    failed.extend(site.bring_up().err());
    failed.extend(site.restore().err());
    if failed.is_empty() {
        failed.extend(site.check(previous).err());
    }
    failed
}
