// SPDX-License-Identifier: GPL-2.0

//! `ib-bond watch`: reads bonds, counters and decisions, each interval and when a link changes, and shows them.

use crate::args::Watch;
use crate::driver::Driver;
use crate::error::{words, Error, Result, WELL};
use crate::netlink::{Counters, LinkEvents};
use crate::screen::{changes, counters, Decisions, Rate, View, DECISIONS};
use crate::status::Report;
use crate::steps::Host;
use crate::terminal::{Terminal, Woken};
use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::time::{Duration, Instant};

/// Where our driver has what its bonds have decided.
const EVENTS: &str = "/sys/kernel/debug/bonding";
/// How many changes are remembered for a bond.
const REMEMBERED: usize = 64;
/// The screen is drawn at most so often.
const REST: Duration = Duration::from_millis(50);

/// Watches until the user ends it, or prints one screen.
pub(crate) fn watch(options: &Watch) -> Result<u8> {
    let mut watcher = Watcher::new(options)?;
    if options.once {
        std::thread::sleep(options.interval);
        watcher.read(true)?;
        let lines = watcher.view.lines(usize::MAX, None);
        if watcher.view.report.bonds.is_empty() {
            return Err(crate::no_bond());
        }
        // Without the title, which says how a live screen is left.
        let text: Vec<&str> = lines
            .iter()
            .skip(2)
            .map(|line| line.text.trim_end())
            .collect();
        let driver = &watcher.view.driver;
        crate::print(&format!("{}\n\nThe driver is {driver}.\n", text.join("\n")))?;
        return Ok(WELL);
    }
    let events = LinkEvents::open()
        .map_err(|refusal| Error::failed(format!("link events cannot be had: {refusal}")))?;
    let terminal = Terminal::open().map_err(Error::failed)?;
    let lost =
        |error: io::Error| Error::failed(format!("the terminal cannot be used: {}", words(&error)));
    let mut next = Instant::now() + options.interval;
    loop {
        let (columns, rows) = terminal.size();
        terminal
            .show(&watcher.view.lines(columns, Some(rows)))
            .map_err(lost)?;
        match terminal.wait(&events, next).map_err(lost)? {
            Woken::Quit => return Ok(WELL),
            Woken::Resized => {}
            Woken::Time => {
                next = Instant::now() + options.interval;
                watcher.read(true)?;
            }
            Woken::Source => {
                // Events come in crowds.
                std::thread::sleep(REST);
                events.drain();
                watcher.read(false)?;
            }
        }
    }
}

struct Watcher<'a> {
    host: Host,
    options: &'a Watch,
    view: View,
    counted: BTreeMap<String, Counters>,
    counted_at: Instant,
    /// What was seen from outside, by the name of the bond.
    seen: BTreeMap<String, Vec<String>>,
}

impl<'a> Watcher<'a> {
    fn new(options: &'a Watch) -> Result<Self> {
        let mut host = Host::open()?;
        // A name that is no bond is refused at the start. Later, a bond may go and come.
        for name in &options.bonds {
            Report::collect(&mut host.netlink, &host.machine, &host.state, Some(name))?;
        }
        let report = Report::collect(&mut host.netlink, &host.machine, &host.state, None)?;
        let mut watcher = Watcher {
            host,
            options,
            view: View {
                report,
                rates: BTreeMap::new(),
                decisions: BTreeMap::new(),
                driver: String::new(),
                interval: options.interval,
            },
            counted: BTreeMap::new(),
            counted_at: Instant::now(),
            seen: BTreeMap::new(),
        };
        watcher.read(true)?;
        Ok(watcher)
    }

    /// Reads everything; the rates only if an interval is over.
    fn read(&mut self, is_interval: bool) -> Result<()> {
        let unknown =
            |refusal| Error::failed(format!("the network devices cannot be listed: {refusal}"));
        let devices = self.host.netlink.devices().map_err(unknown)?;
        let addresses = self.host.netlink.addresses().map_err(unknown)?;
        let state = &self.host.state;
        let mut report = Report::of(&devices, &addresses, |device| state.record_of(device));
        report.bonds.retain(|bond| {
            self.options.bonds.is_empty() || self.options.bonds.contains(&bond.name)
        });
        if is_interval {
            let now = Instant::now();
            let counted = counters(&devices);
            let time = now - self.counted_at;
            self.view.rates = counted
                .iter()
                .filter_map(|(name, after)| {
                    let before = self.counted.get(name)?;
                    Some((name.clone(), Rate::between(before, after, time)))
                })
                .collect();
            (self.counted, self.counted_at) = (counted, now);
        }
        let now = stamp();
        for (bond, text) in changes(&self.view.report, &report) {
            let seen = self.seen.entry(bond).or_default();
            seen.push(format!("{now} {text}"));
            let surplus = seen.len().saturating_sub(REMEMBERED);
            seen.drain(..surplus);
        }
        let running = self.host.machine.running();
        self.view.driver = running.map_or("no bonding driver".into(), |driver| driver.to_string());
        self.view.decisions = report
            .bonds
            .iter()
            .map(|bond| (bond.name.clone(), self.decisions(&bond.name, running)))
            .collect();
        self.view.report = report;
        Ok(())
    }

    fn decisions(&self, bond: &str, running: Option<Driver>) -> Decisions {
        if let Some(text) = events_of(bond) {
            return Decisions {
                without_reasons: None,
                lines: text.lines().map(String::from).collect(),
            };
        }
        Decisions {
            without_reasons: Some(match running {
                Some(Driver::Rust) => "the reasons are in debugfs, which cannot be read here",
                _ => "this driver gives no reasons",
            }),
            lines: self.seen.get(bond).cloned().unwrap_or_default(),
        }
    }
}

/// What a bond of this network namespace has decided, from debugfs, which there is only one of.
fn events_of(bond: &str) -> Option<String> {
    let number = |path: &str| fs::metadata(path).ok().map(|file| file.ino());
    let own = number("/proc/self/ns/net");
    let read = |folder: String| fs::read_to_string(format!("{EVENTS}/{folder}/events")).ok();
    let elsewhere = own.and_then(|own| read(format!("{bond}@{own}")));
    // A bond of the first namespace has its plain name.
    let is_first = own == number("/proc/1/ns/net");
    elsewhere.or_else(|| is_first.then(|| read(bond.into())).flatten())
}

/// The time since the start of the machine, in seconds, as /proc/uptime has it.
fn stamp() -> String {
    let uptime = fs::read_to_string("/proc/uptime").unwrap_or_default();
    format!("[{:>8}0]", uptime.split(' ').next().unwrap_or_default())
}

const _: () = assert!(DECISIONS <= REMEMBERED);
