// SPDX-License-Identifier: GPL-2.0

//! Who uses the bonding driver: what keeps it from being unloaded, and bonds in other network namespaces, which would be
//! lost with it.

use crate::netlink::Netlink;
use crate::up::list;
use rustix::thread::{move_into_link_name_space, LinkNameSpaceType};
use std::fs::{self, File};
use std::os::fd::AsFd;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::thread;

const MODULE: &str = "/sys/module/bonding";

/// What keeps the driver from being unloaded, as a part of a sentence.
pub(crate) fn of_driver() -> Option<String> {
    let count = fs::read_to_string(Path::new(MODULE).join("refcnt")).ok()?;
    let count: u64 = count.trim().parse().ok()?;
    let holders: Vec<String> = fs::read_dir(Path::new(MODULE).join("holders"))
        .into_iter()
        .flatten()
        .flatten()
        .map(|holder| format!("the module {}", holder.file_name().to_string_lossy()))
        .collect();
    if count == 0 && holders.is_empty() {
        return None;
    }
    let mut users = holders;
    users.extend(processes());
    Some(match users.is_empty() {
        false => format!(
            "it is in use by {}; end that, and try again",
            list(users.iter().map(String::as_str))
        ),
        true => format!("it is in use {count} times, by whom is unknown; \"lsmod\" may say more"),
    })
}

/// The processes that have a file of the driver open.
fn processes() -> Vec<String> {
    let mut found = Vec::new();
    for process in fs::read_dir("/proc").into_iter().flatten().flatten() {
        let number = process.file_name().to_string_lossy().into_owned();
        let is_other = number != std::process::id().to_string();
        if !is_other || !number.bytes().all(|byte| byte.is_ascii_digit()) {
            continue;
        }
        let files = fs::read_dir(process.path().join("fd"))
            .into_iter()
            .flatten()
            .flatten();
        let open = files
            .filter_map(|file| fs::read_link(file.path()).ok())
            .find(|path| is_of_driver(path));
        if let Some(path) = open {
            let name = fs::read_to_string(process.path().join("comm")).unwrap_or_default();
            found.push(format!(
                "{} (process {number}, which has {} open)",
                name.trim(),
                path.display()
            ));
        }
    }
    found
}

fn is_of_driver(path: &Path) -> bool {
    path.starts_with("/sys/kernel/debug/bonding")
        || (path.starts_with("/proc") && path.to_string_lossy().contains("/net/bonding/"))
}

/// The bonds in other network namespaces, each in words.
pub(crate) fn elsewhere() -> Vec<String> {
    let inode = |path: &Path| fs::metadata(path).map(|file| file.ino()).ok();
    let mut seen = vec![inode(Path::new("/proc/self/ns/net"))];
    let folder = |path: &str| fs::read_dir(path).into_iter().flatten().flatten();
    let named = folder("/run/netns").map(|file| {
        let name = file.file_name().to_string_lossy().into_owned();
        (format!("the network namespace {name}"), file.path())
    });
    let of_processes = folder("/proc")
        .filter(|process| {
            let name = process.file_name();
            name.to_string_lossy()
                .bytes()
                .all(|byte| byte.is_ascii_digit())
        })
        .map(|process| {
            let number = process.file_name().to_string_lossy().into_owned();
            let words = format!("the network namespace of process {number}");
            (words, process.path().join("ns/net"))
        });
    let mut found = Vec::new();
    for (words, path) in named.chain(of_processes) {
        let number = inode(&path);
        if number.is_none() || seen.contains(&number) {
            continue;
        }
        seen.push(number);
        found.extend(
            bonds_in(path)
                .iter()
                .map(|bond| format!("{bond} in {words}")),
        );
    }
    found
}

/// The bonds of a network namespace. A thread of its own looks, as a thread is in one namespace at a time.
fn bonds_in(path: PathBuf) -> Vec<String> {
    let look = move || -> Option<Vec<String>> {
        let file = File::open(path).ok()?;
        move_into_link_name_space(file.as_fd(), Some(LinkNameSpaceType::Network)).ok()?;
        let devices = Netlink::open().ok()?.devices().ok()?;
        let bonds = devices.into_iter().filter(|device| device.bond.is_some());
        Some(bonds.map(|bond| bond.name).collect())
    };
    thread::spawn(look)
        .join()
        .ok()
        .flatten()
        .unwrap_or_default()
}
