// SPDX-License-Identifier: GPL-2.0

//! What ib-bond has made, in /run/ib-bond: a file for each bond, in a folder for each network namespace. The files are
//! gone after a boot, as the bonds are.

use crate::error::{words, Error, Result};
use crate::netlink::Device;
use rustix::fs::{flock, FlockOperation};
use serde::{Deserialize, Serialize};
use std::fs::{self, File, OpenOptions, Permissions};
use std::io;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::thread::sleep;
use std::time::{Duration, Instant};

const FOLDER: &str = "/run/ib-bond";
/// How often a lock is tried.
const STEP: Duration = Duration::from_millis(100);

/// Who asked for a bond.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Origin {
    /// A person, with the command.
    Command,
    /// The file openib.conf.
    Openib,
}

/// What is known of a bond that ib-bond has made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Record {
    /// The name of the bond.
    pub(crate) bond: String,
    /// Its number: another bond of the same name has another one.
    pub(crate) index: u32,
    /// Who asked for the bond.
    pub(crate) origin: Origin,
    /// The IP address that the bond was given.
    pub(crate) address: Option<String>,
    /// The child interfaces that were made for it.
    pub(crate) children: Vec<String>,
}

/// The files.
#[derive(Debug, Clone)]
pub(crate) struct State {
    folder: PathBuf,
}

impl State {
    /// The files of this network namespace.
    pub(crate) fn here() -> Self {
        let namespace = fs::metadata("/proc/self/ns/net").map_or(0, |file| file.ino());
        State {
            folder: Path::new(FOLDER).join(format!("net-{namespace}")),
        }
    }

    fn file(&self, bond: &str) -> PathBuf {
        self.folder.join(format!("{bond}.json"))
    }

    fn marker(&self) -> PathBuf {
        self.folder.join("openib-started")
    }

    /// Whether the bonds of openib.conf are started, and have not been stopped since.
    pub(crate) fn is_started(&self) -> bool {
        self.marker().exists()
    }

    /// Notes that the bonds of openib.conf are started, or stopped.
    pub(crate) fn set_started(&self, is_started: bool) -> Result<()> {
        let change = || match is_started {
            true => {
                fs::create_dir_all(&self.folder)?;
                fs::write(self.marker(), "")
            }
            false => match fs::remove_file(self.marker()) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
                _ => Ok(()),
            },
        };
        change().map_err(|error| {
            let (path, reason) = (self.marker().display().to_string(), words(&error));
            Error::failed(format!(
                "{path} cannot be written: {reason}; make sure that /run is writable, and try again; nothing has changed"
            ))
        })
    }

    /// All records. A file that cannot be read counts as none: its bond is then not ib-bond's.
    pub(crate) fn records(&self) -> Vec<Record> {
        let files = fs::read_dir(&self.folder).into_iter().flatten().flatten();
        let mut records: Vec<Record> = files
            .filter_map(|file| serde_json::from_slice(&fs::read(file.path()).ok()?).ok())
            .collect();
        records.sort_by(|a, b| a.bond.cmp(&b.bond));
        records
    }

    /// The record of this device, if it is a bond that ib-bond has made.
    pub(crate) fn record_of(&self, device: &Device) -> Option<Record> {
        let text = fs::read(self.file(&device.name)).ok()?;
        let record: Record = serde_json::from_slice(&text).ok()?;
        (record.bond == device.name && record.index == device.index).then_some(record)
    }

    /// Writes a record, whole or not at all.
    pub(crate) fn write(&self, record: &Record) -> io::Result<()> {
        fs::create_dir_all(&self.folder)?;
        let new = self.folder.join(format!(".{}.new", record.bond));
        fs::write(&new, serde_json::to_vec(record)?)?;
        fs::rename(new, self.file(&record.bond))
    }

    /// Removes the record of a bond.
    pub(crate) fn remove(&self, bond: &str) -> io::Result<()> {
        match fs::remove_file(self.file(bond)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            result => result,
        }
    }
}

/// Two commands that change something work one after the other.
#[derive(Debug)]
pub(crate) struct Lock(#[allow(dead_code)] File);

/// A file to be locked. Others than root cannot open it: whoever can may lock it, too.
pub(crate) fn lock_file(path: &Path) -> io::Result<File> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    let mut options = OpenOptions::new();
    let file = options
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(path)?;
    file.set_permissions(Permissions::from_mode(0o600))?;
    Ok(file)
}

fn lock_path() -> PathBuf {
    Path::new(FOLDER).join("lock")
}

fn cannot_lock(error: &io::Error) -> Error {
    let (path, reason) = (lock_path().display().to_string(), words(error));
    Error::failed(format!(
        "{path} cannot be locked: {reason}; make sure that /run is writable, and try again"
    ))
}

/// Waits until no other ib-bond changes anything. The lock ends with the process.
pub(crate) fn lock() -> Result<Lock> {
    let file = lock_file(&lock_path()).map_err(|error| cannot_lock(&error))?;
    flock(&file, FlockOperation::LockExclusive).map_err(|errno| cannot_lock(&errno.into()))?;
    Ok(Lock(file))
}

/// The same, but waits no longer than this.
pub(crate) fn lock_within(limit: Duration) -> Result<Lock> {
    let file = lock_file(&lock_path()).map_err(|error| cannot_lock(&error))?;
    let end = Instant::now() + limit;
    loop {
        match flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => return Ok(Lock(file)),
            Err(rustix::io::Errno::WOULDBLOCK) if Instant::now() < end => sleep(STEP),
            Err(rustix::io::Errno::WOULDBLOCK) => {
                return Err(Error::failed(format!(
                    "another ib-bond has been at work for {} s; end it, and try again",
                    limit.as_secs()
                )))
            }
            Err(errno) => return Err(cannot_lock(&errno.into())),
        }
    }
}

/// Whether this process may change the network (`CAP_NET_ADMIN`).
pub(crate) fn may_change_network() -> bool {
    has_capability(12)
}

/// Whether this process may load and unload modules (`CAP_SYS_MODULE`).
pub(crate) fn may_load_modules() -> bool {
    has_capability(16)
}

fn has_capability(number: u32) -> bool {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let effective = status.lines().find_map(|line| line.strip_prefix("CapEff:"));
    // Where nothing is known, the kernel says it.
    effective.is_none_or(|mask| {
        u64::from_str_radix(mask.trim(), 16).is_ok_and(|mask| mask & (1 << number) != 0)
    })
}
