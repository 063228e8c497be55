// SPDX-License-Identifier: GPL-2.0

//! What `ib-bond watch` shows: lines, made from what was read. Nothing is read here.

use crate::netlink::{Counters, Device};
use crate::status::{BondReport, Health, Report};
use crate::terminal::{Line, Style};
use crate::up::list;
use std::collections::BTreeMap;
use std::time::Duration;

/// How many decisions of a bond are shown where there is room for any number of lines.
pub(crate) const DECISIONS: usize = 8;

/// What passes through a device in a second.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(crate) struct Rate {
    /// Packets received.
    pub(crate) rx_packets: f64,
    /// Bytes received.
    pub(crate) rx_bytes: f64,
    /// Packets sent.
    pub(crate) tx_packets: f64,
    /// Bytes sent.
    pub(crate) tx_bytes: f64,
    /// Packets that were lost, either way.
    pub(crate) lost: f64,
}

impl Rate {
    /// What has passed between two readings. A counter that has become smaller was begun afresh.
    pub(crate) fn between(before: &Counters, after: &Counters, time: Duration) -> Self {
        let seconds = time.as_secs_f64().max(0.001);
        let rate = |before: u64, after: u64| match after.checked_sub(before) {
            Some(difference) => difference as f64 / seconds,
            None => after as f64 / seconds,
        };
        Rate {
            rx_packets: rate(before.rx_packets, after.rx_packets),
            rx_bytes: rate(before.rx_bytes, after.rx_bytes),
            tx_packets: rate(before.tx_packets, after.tx_packets),
            tx_bytes: rate(before.tx_bytes, after.tx_bytes),
            lost: rate(before.rx_lost, after.rx_lost) + rate(before.tx_lost, after.tx_lost),
        }
    }
}

/// The last decisions of a bond.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Decisions {
    /// Why there are no reasons, if they are what was seen from outside.
    pub(crate) without_reasons: Option<&'static str>,
    /// The decisions, the latest last.
    pub(crate) lines: Vec<String>,
}

/// All that is shown.
#[derive(Debug, Clone)]
pub(crate) struct View {
    /// The bonds.
    pub(crate) report: Report,
    /// What passes, by the name of the device.
    pub(crate) rates: BTreeMap<String, Rate>,
    /// The last decisions, by the name of the bond.
    pub(crate) decisions: BTreeMap<String, Decisions>,
    /// The driver that runs, in words.
    pub(crate) driver: String,
    /// How often the counters are read.
    pub(crate) interval: Duration,
}

/// A number in at most six characters: 12345, 123.4k, 12.3M.
pub(crate) fn short(number: f64) -> String {
    let rounded = number.round();
    if rounded < 100_000.0 {
        return format!("{rounded:.0}");
    }
    let mut number = number;
    for unit in ["k", "M", "G", "T", "P"] {
        number /= 1000.0;
        if number < 999.95 {
            return format!("{number:.1}{unit}");
        }
    }
    format!("{:.0}E", number / 1000.0)
}

impl View {
    /// The lines for a screen of this size; without a number of rows, all of them.
    pub(crate) fn lines(&self, columns: usize, rows: Option<usize>) -> Vec<Line> {
        let blocks: Vec<Vec<Line>> = self
            .report
            .bonds
            .iter()
            .map(|bond| self.block(bond))
            .collect();
        let title = format!(
            "ib-bond watch: {}, every {} s; q ends",
            self.driver,
            self.interval.as_secs_f64()
        );
        let mut lines = vec![line(Style::Title, title)];
        if blocks.is_empty() {
            lines.push(line(
                Style::Plain,
                "There is no bond; \"ib-bond --bond-ip IP --slaves A,B\" makes one.".into(),
            ));
        }
        // What the blocks leave is for the decisions, shared out evenly; each has a heading.
        let fixed = 1 + blocks.iter().map(|block| block.len() + 2).sum::<usize>();
        let mut room = rows.map(|rows| rows.saturating_sub(fixed));
        let mut left = blocks.len();
        for (bond, block) in self.report.bonds.iter().zip(blocks) {
            lines.push(line(Style::Plain, String::new()));
            lines.extend(block);
            let share = room.map_or(DECISIONS, |room| room / left);
            let decisions = self.decisions(&bond.name, share);
            room = room.map(|room| room - decisions.len().saturating_sub(1).min(room));
            left -= 1;
            lines.extend(decisions);
        }
        if let Some(rows) = rows.filter(|rows| lines.len() > *rows) {
            let missing = lines.len() - rows + 1;
            lines.truncate(rows.saturating_sub(1));
            lines.push(line(
                Style::Alarm,
                format!("{missing} more lines: make the window taller, or name one bond"),
            ));
            lines.truncate(rows);
        }
        for line in &mut lines {
            let clean = |c: char| if c.is_control() { '?' } else { c };
            line.text = line.text.chars().take(columns).map(clean).collect();
        }
        lines
    }

    /// A bond and its slaves.
    fn block(&self, bond: &BondReport) -> Vec<Line> {
        let name = &bond.name;
        let state = bond.state.word();
        let mut lines = vec![match bond.reasons.is_empty() {
            true => line(Style::Heading, format!("{name} is {state}")),
            false => line(
                match bond.state {
                    Health::Well => Style::Heading,
                    _ => Style::Alarm,
                },
                format!("{name} is {state}: {}", bond.reasons.join("; ")),
            ),
        }];
        let addresses = match bond.addresses.is_empty() {
            true => "no IP address".into(),
            false => list(bond.addresses.iter().map(String::as_str)),
        };
        lines.push(line(
            Style::Plain,
            format!("  {addresses}, {}, MTU {}", bond.mode, bond.mtu),
        ));
        let names = bond.slaves.iter().map(|slave| slave.name.len());
        let width = names.chain([name.len(), 6]).max().unwrap_or(0);
        let row = |name: &str, link: &str, role: &str, cells: [String; 5]| {
            let cells: Vec<String> = cells.iter().map(|cell| format!("{cell:>8}")).collect();
            format!("  {name:width$}  {link:10}  {role:6}{}", cells.join("  "))
        };
        let heads = ["in pkt/s", "in B/s", "out pkt/s", "out B/s", "lost/s"].map(String::from);
        lines.push(line(Style::Plain, row("device", "link", "role", heads)));
        let cells = |name: &str| {
            let rate = self.rates.get(name).copied().unwrap_or_default();
            [
                rate.rx_packets,
                rate.rx_bytes,
                rate.tx_packets,
                rate.tx_bytes,
                rate.lost,
            ]
            .map(short)
        };
        let link = if bond.up && bond.carrier {
            "up"
        } else {
            "down"
        };
        lines.push(line(Style::Plain, row(name, link, "", cells(name))));
        for slave in &bond.slaves {
            let style = match slave.carries() {
                true => Style::Plain,
                false => Style::Alarm,
            };
            let name = &slave.name;
            // Without a monitor a bond calls each link up.
            let link = match (slave.works(), slave.link) {
                (false, "up") => "down",
                (_, link) => link,
            };
            lines.push(line(style, row(name, link, slave.role, cells(name))));
        }
        lines
    }

    /// The heading, and up to so many of the last decisions.
    fn decisions(&self, bond: &str, most: usize) -> Vec<Line> {
        let none = Decisions::default();
        let decisions = self.decisions.get(bond).unwrap_or(&none);
        let heading = match decisions.without_reasons {
            None => "  Last decisions:".to_string(),
            Some(why) => format!("  Seen since the start ({why}):"),
        };
        let mut lines = vec![line(Style::Plain, heading)];
        let first = decisions.lines.len().saturating_sub(most);
        lines.extend(
            decisions.lines[first..]
                .iter()
                .map(|text| line(Style::Plain, format!("    {text}"))),
        );
        lines
    }
}

fn line(style: Style, text: String) -> Line {
    Line { style, text }
}

/// What is different between two readings of a bond, as a person would say it.
pub(crate) fn changes(before: &Report, after: &Report) -> Vec<(String, String)> {
    let mut found = Vec::new();
    for bond in &after.bonds {
        let mut say = |text: String| found.push((bond.name.clone(), text));
        let Some(old) = before.bonds.iter().find(|old| old.name == bond.name) else {
            say("the bond appeared".into());
            continue;
        };
        for slave in &bond.slaves {
            let name = &slave.name;
            let Some(old) = old.slaves.iter().find(|old| old.name == *name) else {
                say(format!("{name} joined"));
                continue;
            };
            if old.link != slave.link || old.works() != slave.works() {
                say(match (slave.works(), slave.link) {
                    (false, "up") => format!("{name} down"),
                    (_, link) => format!("{name} {link}"),
                });
            }
            match (&old.carries_nothing, &slave.carries_nothing) {
                (old, Some(reason)) if old.as_ref() != Some(reason) => {
                    say(format!("{name} carries no traffic: {reason}"));
                }
                (Some(_), None) => say(format!("{name} carries traffic")),
                _ => {}
            }
        }
        for slave in &old.slaves {
            if !bond.slaves.iter().any(|new| new.name == slave.name) {
                say(format!("{} left", slave.name));
            }
        }
        if old.active_slave != bond.active_slave {
            say(match &bond.active_slave {
                Some(name) => format!("{name} is active"),
                None => "no slave is active".into(),
            });
        }
        match (old.carrier, bond.carrier) {
            (true, false) => say("no carrier".into()),
            (false, true) => say("carrier".into()),
            _ => {}
        }
    }
    found
}

/// The counters of all devices, by name.
pub(crate) fn counters(devices: &[Device]) -> BTreeMap<String, Counters> {
    devices
        .iter()
        .map(|device| (device.name.clone(), device.counters))
        .collect()
}
