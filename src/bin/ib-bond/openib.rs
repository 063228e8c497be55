// SPDX-License-Identifier: GPL-2.0

//! The bonds of openib.conf: reading the file, and making, changing and removing what it describes.

use crate::args::{interface_name, parse_child, Net, Slaves};
use crate::error::{words, Error, Result, FAILED, WELL};
use crate::netlink::Device;
use crate::state::Origin;
use crate::steps::{Host, Step};
use crate::stop;
use crate::up::{list, up, Done, UpError, Wanted};
use crate::{complain, print};
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

/// The MTU of connected mode if the file does not say another, in bytes.
const CONNECTED_MTU: u32 = 65520;
/// The largest MTU that datagram mode can have, in bytes.
const DATAGRAM_MTU: u32 = 4092;
/// The smallest MTU with which IP works, in bytes.
const LEAST_MTU: u32 = 68;

/// The assignments of a file.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Assignments {
    /// The last value of each name.
    pub(crate) values: BTreeMap<String, String>,
    /// What was passed over, and why, each with its line.
    pub(crate) complaints: Vec<String>,
    /// The names that lines which were passed over may have meant to set.
    pub(crate) unread: Vec<String>,
}

impl Assignments {
    fn get(&self, name: &str) -> Option<&str> {
        self.values
            .get(name)
            .map(String::as_str)
            .filter(|value| !value.is_empty())
    }

    /// Whether the value is "yes" (and not "no", or absent).
    fn is_yes(&self, name: &str) -> bool {
        self.get(name)
            .is_some_and(|value| value.eq_ignore_ascii_case("yes"))
    }

    /// Whether a line about this name was passed over, so that the value is not known.
    fn is_unread(&self, name: &str) -> bool {
        self.unread.iter().any(|unread| unread == name)
    }
}

/// Reads assignments as a shell would, but runs nothing: a value that would need a shell (`$`, a backquote) is passed
/// over with a complaint, and so is everything that is no assignment.
pub(crate) fn parse(text: &str) -> Assignments {
    let mut found = Assignments::default();
    let mut lines = text.split('\n').enumerate();
    while let Some((number, line)) = lines.next() {
        let mut line = without_cr(line).to_string();
        // A backslash at the end of a line joins it with the next one, but not in a comment.
        while continues(&line) {
            line.pop();
            match lines.next() {
                Some((_, next)) => line.push_str(without_cr(next)),
                None => break,
            }
        }
        match parse_line(&line) {
            Ok(assignments) => {
                // What comes last counts.
                let is_set = |name: &String| assignments.iter().any(|(set, _)| set == name);
                found.unread.retain(|name| !is_set(name));
                found.values.extend(assignments);
            }
            Err(complaint) => {
                found
                    .complaints
                    .push(format!("line {}: {complaint}", number + 1));
                found.unread.extend(names_in(&line));
            }
        }
    }
    found
}

fn without_cr(line: &str) -> &str {
    line.strip_suffix('\r').unwrap_or(line)
}

fn continues(line: &str) -> bool {
    let backslashes = line.bytes().rev().take_while(|byte| *byte == b'\\').count();
    backslashes % 2 == 1 && !line.trim_start().starts_with('#')
}

/// All names in front of a "=" in a line.
fn names_in(line: &str) -> impl Iterator<Item = String> + '_ {
    let is_part = |char: char| char.is_ascii_alphanumeric() || char == '_';
    let before = line.split('=').rev().skip(1);
    before.filter_map(move |text| {
        let name = text.trim_end().rsplit(|char| !is_part(char)).next()?;
        (!name.is_empty()).then(|| name.to_string())
    })
}

/// The assignments of a line; the whole line counts, or nothing of it.
fn parse_line(line: &str) -> std::result::Result<Vec<(String, String)>, String> {
    let mut found = Vec::new();
    let mut rest = line;
    loop {
        rest = rest.trim_start_matches([' ', '\t']);
        if rest.is_empty() || rest.starts_with('#') {
            return Ok(found);
        }
        if let Some(after) = rest
            .strip_prefix("export")
            .filter(|after| after.starts_with([' ', '\t']))
        {
            rest = after.trim_start();
        }
        let length = rest
            .bytes()
            .take_while(|byte| byte.is_ascii_alphanumeric() || *byte == b'_')
            .count();
        let (name, after) = rest.split_at(length);
        let is_name = name
            .bytes()
            .next()
            .is_some_and(|first| !first.is_ascii_digit());
        let Some(after) = after.strip_prefix('=').filter(|_| is_name) else {
            return Err("it is no assignment (NAME=VALUE, without spaces around \"=\"), so it is passed over".into());
        };
        let (value, after) = parse_value(after)?;
        found.push((name.into(), value));
        rest = after.trim_start_matches([' ', '\t']);
        rest = rest.strip_prefix(';').unwrap_or(rest);
    }
}

/// A value, and what follows it.
fn parse_value(text: &str) -> std::result::Result<(String, &str), String> {
    let needs_shell =
        || "its value would have to be computed by a shell, so it is passed over".to_string();
    let unclosed = || "a quote is not closed, so it is passed over".to_string();
    let mut value = String::new();
    let mut chars = text.char_indices();
    while let Some((at, char)) = chars.next() {
        match char {
            ' ' | '\t' | ';' => return Ok((value, &text[at..])),
            '\'' => loop {
                match chars.next().ok_or_else(unclosed)?.1 {
                    '\'' => break,
                    char => value.push(char),
                }
            },
            '"' => loop {
                match chars.next().ok_or_else(unclosed)?.1 {
                    '"' => break,
                    '$' | '`' => return Err(needs_shell()),
                    '\\' => match chars.next().ok_or_else(unclosed)?.1 {
                        char @ ('"' | '\\' | '$' | '`') => value.push(char),
                        char => value.extend(['\\', char]),
                    },
                    char => value.push(char),
                }
            },
            '\\' => value.extend(chars.next().map(|(_, char)| char)),
            '$' | '`' | '(' | ')' | '|' | '&' | '<' | '>' => return Err(needs_shell()),
            char => value.push(char),
        }
    }
    Ok((value, ""))
}

/// What the file asks for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Settings {
    /// The bonds that can be made.
    pub(crate) bonds: Vec<Wanted>,
    /// The names of all bonds that the file lists, whether or not they can be made.
    pub(crate) listed: Vec<String>,
    /// What a person should know.
    pub(crate) messages: Vec<String>,
    /// Whether something in the file is wrong.
    pub(crate) is_wrong: bool,
    /// Whether the file may list other bonds than `listed`: a line about that could not be read.
    pub(crate) may_list_more: bool,
}

impl Settings {
    /// What these assignments mean.
    pub(crate) fn new(file: &Assignments) -> Self {
        let decisive = ["IPOIBBOND_ENABLE", "IPOIBHA_ENABLE", "IPOIB_BONDS"];
        let may_list_more = decisive.iter().any(|name| file.is_unread(name));
        let mut settings = Settings {
            messages: file.complaints.clone(),
            is_wrong: may_list_more,
            may_list_more,
            ..Settings::default()
        };
        let say = &mut settings.messages;
        if !file.is_yes("IPOIBBOND_ENABLE") {
            say.push("IPOIBBOND_ENABLE is not \"yes\", so no bond is made".into());
            return settings;
        }
        if file.is_yes("IPOIBHA_ENABLE") {
            say.push(
                "IPOIBHA_ENABLE is \"yes\": the IPoIB high availability service and bonding exclude each other, so no bond is \
                 made; set it to \"no\" to have bonds"
                    .into(),
            );
            return settings;
        }
        let (is_connected, mtu) = mode(file, &mut settings.messages);
        let names = file.get("IPOIB_BONDS").unwrap_or_default();
        for name in names
            .split([',', ' ', '\t'])
            .filter(|name| !name.is_empty())
        {
            if settings.listed.iter().any(|listed| listed == name) {
                continue;
            }
            settings.listed.push(name.into());
            match bond(file, name) {
                Ok((address, slaves)) => settings.bonds.push(Wanted {
                    bond: name.into(),
                    address: Some(address),
                    slaves: Some(slaves),
                    miimon: None,
                    is_connected,
                    mtu,
                    origin: Origin::Openib,
                    may_miss: true,
                }),
                Err(Incomplete::Missing(message)) => settings.messages.push(message),
                Err(Incomplete::Wrong(message)) => {
                    settings.messages.push(message);
                    settings.is_wrong = true;
                }
            }
        }
        if settings.listed.is_empty() && !may_list_more {
            settings.messages.push("IPOIB_BONDS names no bond".into());
        }
        settings
    }
}

/// Why a bond of the file is not made.
enum Incomplete {
    /// One of its lines is missing.
    Missing(String),
    /// One of its lines is wrong.
    Wrong(String),
}

/// The address and the slaves of a bond.
fn bond(file: &Assignments, name: &str) -> std::result::Result<(Net, Vec<String>), Incomplete> {
    let wrong = |key: &str, reason: String| {
        Incomplete::Wrong(format!(
            "{name} is not made, because {key} is wrong: {reason}"
        ))
    };
    interface_name(name).map_err(|reason| wrong("its name", reason))?;
    let (ip, slaves) = (format!("{name}_IP"), format!("{name}_SLAVES"));
    match (file.get(&ip), file.get(&slaves)) {
        (Some(address), Some(names)) => {
            let address = address.parse().map_err(|reason| wrong(&ip, reason))?;
            let names: Vec<&str> = names
                .split([',', ' ', '\t'])
                .filter(|name| !name.is_empty())
                .collect();
            let names: Slaves = names
                .join(",")
                .parse()
                .map_err(|reason| wrong(&slaves, reason))?;
            Ok((address, names.0))
        }
        _ if file.is_unread(&ip) => Err(wrong(&ip, "its line was passed over".into())),
        _ if file.is_unread(&slaves) => Err(wrong(&slaves, "its line was passed over".into())),
        (address, names) => {
            let missing = match (address, names) {
                (None, None) => format!("{ip} and {slaves} are missing"),
                (None, _) => format!("{ip} is missing"),
                _ => format!("{slaves} is missing"),
            };
            Err(Incomplete::Missing(format!(
                "{name} is not made, because {missing}"
            )))
        }
    }
}

/// The mode of the slaves, and their MTU.
fn mode(file: &Assignments, say: &mut Vec<String>) -> (Option<bool>, Option<u32>) {
    let is_connected = match file.get("SET_IPOIB_CM") {
        Some(value) if value.eq_ignore_ascii_case("yes") => Some(true),
        Some(value) if value.eq_ignore_ascii_case("no") => Some(false),
        Some(value) if !value.eq_ignore_ascii_case("auto") => {
            say.push(format!("SET_IPOIB_CM is \"{}\" and not \"yes\", \"no\" or \"auto\", so modes stay as they are", value.escape_debug()));
            None
        }
        _ => None,
    };
    let most = if is_connected == Some(true) {
        CONNECTED_MTU
    } else {
        DATAGRAM_MTU
    };
    let mtu = match file.get("IPOIB_MTU") {
        None => (is_connected == Some(true)).then_some(CONNECTED_MTU),
        Some(value) => match value.parse() {
            Ok(mtu) if (LEAST_MTU..=most).contains(&mtu) => Some(mtu),
            Ok(mtu) if mtu > DATAGRAM_MTU && mtu <= CONNECTED_MTU => {
                say.push(format!("IPOIB_MTU is {mtu}, which needs connected mode (SET_IPOIB_CM=yes), so MTUs stay as they are"));
                None
            }
            _ => {
                let shown = value.escape_debug();
                say.push(format!("IPOIB_MTU is \"{shown}\" and no number from {LEAST_MTU} to {most}, so MTUs stay as they are"));
                None
            }
        },
    };
    (is_connected, mtu)
}

fn read(path: &Path) -> Result<Settings> {
    match fs::read(path) {
        Ok(bytes) => Ok(Settings::new(&parse(&String::from_utf8_lossy(&bytes)))),
        Err(error) => Err(Error::failed(format!(
            "{} cannot be read: {}; name another file with --file; nothing has changed",
            path.display(),
            words(&error)
        ))),
    }
}

/// Makes the bonds of the file that are not up. Those that are up stay as they are.
pub(crate) fn start(host: &mut Host, path: &Path) -> Result<u8> {
    let settings = read(path)?;
    say_all(path, &settings);
    host.state.set_started(true)?;
    let devices = devices(host)?;
    let mut settings = settings;
    settings.bonds.retain(|wanted| {
        let device = devices.iter().find(|device| device.name == wanted.bond);
        let is_own = device
            .and_then(|device| host.state.record_of(device))
            .is_some();
        // A bond that lacks a slave gets it.
        let is_whole = device.is_some_and(|bond| has_all_slaves(bond, wanted, &devices));
        !(is_own && is_whole)
    });
    make_all(host, settings)
}

fn has_all_slaves(bond: &Device, wanted: &Wanted, devices: &[Device]) -> bool {
    let is_slave = |name: &String| {
        devices
            .iter()
            .any(|device| device.name == *name && device.master == Some(bond.index))
    };
    wanted.slaves.iter().flatten().all(is_slave)
}

/// Changes what has changed in the file: makes, changes and removes bonds, and leaves the rest up.
pub(crate) fn restart(host: &mut Host, path: &Path) -> Result<u8> {
    let settings = read(path)?;
    say_all(path, &settings);
    host.state.set_started(true)?;
    let mut status = WELL;
    for bond in own_bonds(host)? {
        // A bond that the file still lists, but does not describe in full, is left as it is; so are all if it is not
        // known which the file lists.
        if !settings.may_list_more
            && !settings.listed.contains(&bond.name)
            && !remove(host, &bond.name)
        {
            status = FAILED;
        }
    }
    Ok(status.max(make_all(host, settings)?))
}

/// Removes the bonds that were made from the file.
pub(crate) fn stop(host: &mut Host) -> Result<u8> {
    host.state.set_started(false)?;
    let mut status = WELL;
    for bond in own_bonds(host)? {
        if !remove(host, &bond.name) {
            status = FAILED;
        }
    }
    Ok(status)
}

/// Enslaves a device that has appeared, if the file names it or a child interface of it, and the bonds of the file are
/// started. A bond that went away with its last slave is made again.
pub(crate) fn add(host: &mut Host, path: &Path, device: &str) -> Result<u8> {
    if !host.state.is_started() || !path.exists() {
        return Ok(WELL);
    }
    let mut settings = read(path)?;
    settings.bonds.retain(|wanted| {
        let names = |slave: &String| {
            slave == device || parse_child(slave).is_some_and(|(parent, _)| parent == device)
        };
        wanted.slaves.iter().flatten().any(names)
    });
    make_all(host, settings)
}

fn devices(host: &mut Host) -> Result<Vec<Device>> {
    let unknown =
        |refusal| Error::failed(format!("the network devices cannot be listed: {refusal}"));
    host.netlink.devices().map_err(unknown)
}

/// The bonds that were made from the file.
fn own_bonds(host: &mut Host) -> Result<Vec<Device>> {
    let mut devices = devices(host)?;
    let state = &host.state;
    devices.retain(|device| {
        let record = state.record_of(device);
        device.bond.is_some() && record.is_some_and(|record| record.origin == Origin::Openib)
    });
    Ok(devices)
}

/// Says what was done. The bonds matter more than whether anybody reads that.
fn say(sentence: String) {
    let _ = print(&(sentence + "\n"));
}

fn remove(host: &mut Host, bond: &str) -> bool {
    match stop::stop(host, bond) {
        Ok(()) => {
            say(format!("{bond} is deleted."));
            true
        }
        Err(error) => {
            complain(&error);
            false
        }
    }
}

fn say_all(path: &Path, settings: &Settings) {
    for message in &settings.messages {
        complain(format!("{}: {message}", path.display()));
    }
}

/// Makes all bonds, or changes what differs. One that fails does not keep the others from being made.
fn make_all(host: &mut Host, settings: Settings) -> Result<u8> {
    let mut status = if settings.is_wrong { FAILED } else { WELL };
    let mut waiting = settings.bonds;
    // A slave that moves from one bond to another is in use until its bond's turn has come.
    loop {
        let before = waiting.len();
        let mut failed = Vec::new();
        let mut errors = Vec::new();
        for wanted in waiting {
            if let Err(error) = make(host, &wanted) {
                failed.push(wanted);
                errors.push(error);
            }
        }
        if failed.is_empty() {
            return Ok(status);
        }
        if failed.len() == before {
            for error in errors {
                complain(&error);
            }
            status = FAILED;
            return Ok(status);
        }
        waiting = failed;
    }
}

fn make(host: &mut Host, wanted: &Wanted) -> Result<()> {
    let mut notes = Vec::new();
    let (done, more) = match up(host, wanted) {
        // Not every adapter has connected mode, and not every fabric a large MTU: the bond matters more.
        Err(UpError::Step(failure))
            if matches!(
                failure.step,
                Step::SetConnected { .. } | Step::SetMtu { .. }
            ) =>
        {
            notes.push(format!(
                "{}; {} is made without that",
                failure.reason, wanted.bond
            ));
            let modest = Wanted {
                is_connected: None,
                mtu: None,
                ..wanted.clone()
            };
            up(host, &modest)?
        }
        result => result?,
    };
    notes.extend(more);
    for note in notes {
        complain(&note);
    }
    let bond = &wanted.bond;
    match done {
        Done::Made => {
            let address = wanted
                .address
                .map(|net| net.to_string())
                .unwrap_or_default();
            let slaves = list(wanted.slaves.iter().flatten().map(String::as_str));
            say(format!("{bond} is up: {address} over {slaves}."));
        }
        Done::Changed => say(format!("{bond} is changed.")),
        Done::Nothing => say(format!("{bond} is up already.")),
        Done::Waits => say(format!("{bond} waits for its slaves.")),
    }
    Ok(())
}
