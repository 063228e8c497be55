// SPDX-License-Identifier: GPL-2.0

//! The bonding driver: which one runs, which one is installed, and how to load it.

use crate::error::words;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// The two drivers that there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Driver {
    /// bonding.ko in Rust, of this project.
    Rust,
    /// The one that comes with the kernel.
    InTree,
}

impl Driver {
    /// A word for programs.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Driver::Rust => "rust",
            Driver::InTree => "in-tree",
        }
    }
}

impl fmt::Display for Driver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Driver::Rust => "bonding.ko in Rust",
            Driver::InTree => "the kernel's own bonding driver",
        })
    }
}

/// The driver that modprobe would load.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Installed {
    /// Which one it is.
    pub(crate) driver: Driver,
    /// Its file; `None` if it is built into the kernel.
    pub(crate) file: Option<PathBuf>,
}

/// The machine whose files say what runs and what is installed.
#[derive(Debug)]
pub(crate) struct Machine {
    root: PathBuf,
}

impl Machine {
    /// This machine.
    pub(crate) fn here() -> Self {
        Machine { root: "/".into() }
    }

    #[cfg(test)]
    pub(crate) fn at(root: &Path) -> Self {
        Machine { root: root.into() }
    }

    fn read(&self, path: impl AsRef<Path>) -> Option<String> {
        fs::read_to_string(self.root.join(path)).ok()
    }

    /// The release of the kernel that runs.
    pub(crate) fn release(&self) -> String {
        self.read("proc/sys/kernel/osrelease")
            .unwrap_or_default()
            .trim()
            .into()
    }

    /// The driver that runs: a module from outside the kernel's tree taints the kernel with the letter O.
    pub(crate) fn running(&self) -> Option<Driver> {
        if !self.root.join("sys/module/bonding").is_dir() {
            return None;
        }
        let taint = self.read("sys/module/bonding/taint").unwrap_or_default();
        Some(if taint.contains('O') {
            Driver::Rust
        } else {
            Driver::InTree
        })
    }

    /// The driver that modprobe would load: depmod has listed the one that it prefers.
    pub(crate) fn installed(&self) -> Option<Installed> {
        let folder = Path::new("lib/modules").join(self.release());
        let list = self.read(folder.join("modules.dep")).unwrap_or_default();
        let file = list
            .lines()
            .filter_map(|line| line.split_once(':'))
            .map(|(path, _)| path)
            .find(|path| is_bonding(path));
        if let Some(file) = file {
            let is_in_tree =
                file.starts_with("kernel/") || file.contains("/kernel/drivers/net/bonding/");
            return Some(Installed {
                driver: if is_in_tree {
                    Driver::InTree
                } else {
                    Driver::Rust
                },
                file: Some(Path::new("/").join(folder).join(file)),
            });
        }
        let builtin = self
            .read(folder.join("modules.builtin"))
            .unwrap_or_default();
        builtin.lines().any(is_bonding).then_some(Installed {
            driver: Driver::InTree,
            file: None,
        })
    }

    /// The file of a driver for the kernel that runs, whether or not modprobe would load it.
    pub(crate) fn file_of(&self, driver: Driver) -> Option<PathBuf> {
        if let Some(installed) = self.installed().filter(|found| found.driver == driver) {
            return installed.file;
        }
        let folder = Path::new("lib/modules").join(self.release());
        let folders: &[&str] = match driver {
            Driver::InTree => &["kernel/drivers/net/bonding"],
            Driver::Rust => &["updates", "updates/dkms", "extra", "weak-updates"],
        };
        let files = folders
            .iter()
            .flat_map(|name| fs::read_dir(self.root.join(&folder).join(name)))
            .flatten()
            .flatten();
        files
            .map(|file| file.path())
            .find(|path| path.to_str().is_some_and(is_bonding))
    }

    /// Loads the driver as the kernel would do it, but without a bond. The error is a sentence.
    pub(crate) fn load(&self) -> Result<(), String> {
        self.modprobe(&["-q", "bonding", "max_bonds=0"]).map_err(|reason| {
            let release = self.release();
            if self.installed().is_some() {
                return format!("the bonding driver cannot be loaded: {reason}");
            }
            format!(
                "no bonding driver is installed for the kernel {release}: install bonding.ko in Rust or the modules \
                 of this kernel, run \"depmod\", and try again"
            )
        })
    }

    /// Unloads the driver. The error is a sentence.
    pub(crate) fn unload(&self) -> Result<(), String> {
        self.modprobe(&["-r", "bonding"])
            .map_err(|reason| format!("the bonding driver cannot be unloaded: {reason}"))
    }

    /// Runs the program that the kernel has for loading modules.
    fn modprobe(&self, arguments: &[&str]) -> Result<(), String> {
        let program = self.read("proc/sys/kernel/modprobe").unwrap_or_default();
        let program = match program.trim() {
            "" => "/sbin/modprobe",
            program => program,
        };
        let output = Command::new(program).args(arguments).stdin(Stdio::null()).output().map_err(|error| {
            match error.kind() {
                ErrorKind::NotFound => {
                    format!("{program} is missing; install the package kmod, or load the driver by hand and try again")
                }
                _ => format!("{program} does not run: {}", words(&error)),
            }
        })?;
        if output.status.success() {
            return Ok(());
        }
        let said = String::from_utf8_lossy(&output.stderr);
        let said = said.trim().lines().next_back().unwrap_or_default();
        let said = said
            .trim_start_matches("modprobe: ")
            .trim_start_matches("ERROR: ");
        Err(match said {
            "" => format!(
                "{program} ended with {}; \"dmesg\" may say why",
                output.status
            ),
            said => format!("{program} said \"{said}\"; \"dmesg\" may say more"),
        })
    }
}

/// Whether this is a file of a module called bonding.
fn is_bonding(path: &str) -> bool {
    let name = path.rsplit('/').next().unwrap_or(path);
    matches!(
        name,
        "bonding.ko" | "bonding.ko.xz" | "bonding.ko.gz" | "bonding.ko.zst"
    )
}
