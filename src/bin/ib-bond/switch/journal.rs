// SPDX-License-Identifier: GPL-2.0

//! What is known of a switch, in /run/ib-bond/switch: how to go back, how far it is, and what it has said. The processes
//! of a switch and the commands of a person meet here.

use super::part::Part;
use super::reach::Probe;
use crate::driver::Driver;
use crate::error::{words, Error, Result};
use crate::state::lock_file;
use rustix::fs::{flock, FlockOperation};
use serde::{Deserialize, Serialize};
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

const FOLDER: &str = "/run/ib-bond/switch";

/// How far a switch is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Phase {
    /// It is planned.
    Planned,
    /// The driver is being changed.
    Switching,
    /// The new driver works, and waits for a person's word.
    Waiting,
    /// The old driver is being put back.
    GoingBack,
    /// The new driver is kept.
    Kept,
    /// The old driver is back.
    Back,
    /// Neither: going back has failed.
    Stuck,
}

impl Phase {
    /// Whether the switch is over.
    pub(crate) fn is_final(self) -> bool {
        matches!(self, Phase::Kept | Phase::Back | Phase::Stuck)
    }
}

/// Commands with which a configurator takes down what it has made, and makes it again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Order {
    /// The configurator.
    pub(crate) configurator: String,
    /// The devices that the configurator has made.
    pub(crate) devices: Vec<String>,
    /// The commands that take them down; none if they go with the driver.
    pub(crate) down: Vec<Vec<String>>,
    /// The commands that make them.
    pub(crate) up: Vec<Vec<String>>,
}

/// All that is needed to go forward and back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Journal {
    /// How far the switch is.
    pub(crate) phase: Phase,
    /// What was said last, without a full stop.
    pub(crate) said: String,
    /// The driver that is wanted.
    pub(crate) target: Driver,
    /// The driver that ran before.
    pub(crate) previous: Driver,
    /// What the configurators make.
    pub(crate) orders: Vec<Order>,
    /// The bonds, and what was made on them, in the order in which they can be made.
    pub(crate) parts: Vec<Part>,
    /// What has to answer.
    pub(crate) probe: Option<Probe>,
    /// How long the network may take to work, in seconds.
    pub(crate) check_within: u64,
    /// How long a person may take to keep the new driver, in seconds.
    pub(crate) confirm_within: u64,
}

fn path(name: &str) -> PathBuf {
    Path::new(FOLDER).join(name)
}

fn cannot(name: &str, error: &io::Error) -> Error {
    Error::failed(format!(
        "{} cannot be written: {}; make sure that /run is writable, and try again",
        path(name).display(),
        words(error)
    ))
}

impl Journal {
    /// The last switch since the machine was started.
    pub(crate) fn read() -> Option<Self> {
        serde_json::from_slice(&fs::read(path("journal.json")).ok()?).ok()
    }

    /// Writes the journal, whole or not at all.
    pub(crate) fn write(&self) -> Result<()> {
        let write = || -> io::Result<()> {
            fs::create_dir_all(FOLDER)?;
            let new = path(".journal.new");
            fs::write(&new, serde_json::to_vec(self)?)?;
            fs::rename(new, path("journal.json"))
        };
        write().map_err(|error| cannot("journal.json", &error))
    }
}

/// What a person asks of a switch that goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wish {
    /// Keep the new driver.
    Confirm,
    /// Go back.
    Rollback,
}

impl Wish {
    fn file(self) -> &'static str {
        match self {
            Wish::Confirm => "confirm",
            Wish::Rollback => "rollback",
        }
    }

    /// Leaves the wish for the process that switches.
    pub(crate) fn leave(self) -> Result<()> {
        fs::write(path(self.file()), "").map_err(|error| cannot(self.file(), &error))
    }

    /// Whether somebody has it.
    pub(crate) fn is_there(self) -> bool {
        path(self.file()).exists()
    }
}

/// Forgets the wishes and the log of the switch before.
pub(crate) fn clear() -> Result<()> {
    let clear = || -> io::Result<()> {
        fs::create_dir_all(FOLDER)?;
        for name in ["confirm", "rollback"] {
            match fs::remove_file(path(name)) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
        }
        fs::write(path("log"), "")
    };
    clear().map_err(|error| cannot("log", &error))
}

/// What was said so far, line by line.
pub(crate) fn log() -> String {
    fs::read(path("log"))
        .map(|text| String::from_utf8_lossy(&text).into_owned())
        .unwrap_or_default()
}

/// The log, for the output of commands.
pub(crate) fn open_log() -> io::Result<File> {
    OpenOptions::new()
        .append(true)
        .create(true)
        .open(path("log"))
}

/// Says something in the log of the switch, and in that of the kernel, from which the journal of systemd has it.
pub(crate) fn say(text: &str) {
    // The switch goes on even if nobody hears about it.
    let _ = open_log().and_then(|mut file| writeln!(file, "{text}."));
    let _ = OpenOptions::new()
        .write(true)
        .open("/dev/kmsg")
        .and_then(|mut file| {
            file.write_all(format!("<6>ib-bond[{}]: {text}.\n", std::process::id()).as_bytes())
        });
}

/// A process of a switch is alive as long as it holds this.
#[derive(Debug)]
pub(crate) struct Presence(#[allow(dead_code, reason = "the lock ends with the file")] File);

fn presence(name: &str, operation: FlockOperation) -> Result<Option<Presence>> {
    let file = lock_file(&path(name)).map_err(|error| cannot(name, &error))?;
    match flock(&file, operation) {
        Ok(()) => Ok(Some(Presence(file))),
        Err(rustix::io::Errno::WOULDBLOCK) => Ok(None),
        Err(errno) => Err(cannot(name, &errno.into())),
    }
}

/// Says that this process is part of a switch, together with others.
pub(crate) fn join() -> Result<Option<Presence>> {
    presence("lock", FlockOperation::LockShared)
}

/// Says that this process plans a switch; `None` if a switch goes on.
pub(crate) fn alone() -> Result<Option<Presence>> {
    presence("lock", FlockOperation::NonBlockingLockExclusive)
}

/// Says that this process is the guard of the switch; `None` if there is one already.
pub(crate) fn lead() -> Result<Option<Presence>> {
    presence("guard", FlockOperation::NonBlockingLockExclusive)
}

/// Forgets a switch that has not begun.
pub(crate) fn forget() {
    // Another one is planned in its place, or it is gone back from.
    let _ = fs::remove_file(path("journal.json"));
}
