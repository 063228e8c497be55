// SPDX-License-Identifier: GPL-2.0

//! Which driver runs, which is installed, and what is said when it cannot be loaded.

use crate::driver::{Driver, Installed, Machine};
use std::fs;
use std::path::Path;

/// A machine with these files, in a folder of its own.
fn machine(name: &str, files: &[(&str, &str)]) -> Machine {
    let root = std::env::temp_dir().join(format!("ib-bond-driver-{}-{name}", std::process::id()));
    let _ = fs::remove_dir_all(&root);
    for (path, text) in [("proc/sys/kernel/osrelease", "7.3.4\n")]
        .iter()
        .chain(files)
    {
        let path = root.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    Machine::at(&root)
}

#[test]
fn the_taint_says_which_driver_runs() {
    let at = |name, taint| machine(name, &[("sys/module/bonding/taint", taint)]).running();
    assert_eq!(at("ours", "OE\n"), Some(Driver::Rust));
    assert_eq!(at("theirs", "\n"), Some(Driver::InTree));
    assert_eq!(machine("none", &[]).running(), None);
}

#[test]
fn the_list_of_depmod_says_which_driver_is_installed() {
    let dep = "lib/modules/7.3.4/modules.dep";
    let at = |name, list| machine(name, &[(dep, list)]).installed();
    let found = at(
        "updates",
        "kernel/net/tls/tls.ko.xz:\nupdates/bonding.ko: kernel/net/tls/tls.ko.xz\n",
    )
    .unwrap();
    assert_eq!(found.driver, Driver::Rust);
    assert_eq!(
        found.file.unwrap(),
        Path::new("/lib/modules/7.3.4/updates/bonding.ko")
    );
    let found = at("dkms", "updates/dkms/bonding.ko.xz:\n").unwrap();
    assert_eq!(found.driver, Driver::Rust);
    let found = at(
        "kernel",
        "kernel/drivers/net/bonding/bonding.ko.xz: kernel/net/tls/tls.ko.xz\n",
    )
    .unwrap();
    assert_eq!(found.driver, Driver::InTree);
    assert_eq!(at("nothing", "kernel/drivers/net/notbonding.ko:\n"), None);
}

#[test]
fn a_driver_may_be_built_in() {
    let list = "kernel/drivers/net/bonding/bonding.ko\n";
    let found = machine("builtin", &[("lib/modules/7.3.4/modules.builtin", list)]).installed();
    assert_eq!(
        found,
        Some(Installed {
            driver: Driver::InTree,
            file: None
        })
    );
}

#[test]
fn a_missing_modprobe_is_named() {
    let dep = ("lib/modules/7.3.4/modules.dep", "updates/bonding.ko:\n");
    let machine = machine(
        "modprobe",
        &[dep, ("proc/sys/kernel/modprobe", "/nonexistent/modprobe\n")],
    );
    let said = machine.load().unwrap_err();
    assert!(said.contains("/nonexistent/modprobe is missing"), "{said}");
    assert!(said.contains("install the package kmod"), "{said}");
}

#[test]
fn what_modprobe_says_is_passed_on() {
    let dep = ("lib/modules/7.3.4/modules.dep", "updates/bonding.ko:\n");
    let fails = machine(
        "false",
        &[dep, ("proc/sys/kernel/modprobe", "/bin/false\n")],
    );
    assert!(fails.load().unwrap_err().contains("/bin/false ended with"));
    let works = machine("true", &[dep, ("proc/sys/kernel/modprobe", "/bin/true\n")]);
    assert_eq!(works.load(), Ok(()));
    let nothing = machine("no-driver", &[("proc/sys/kernel/modprobe", "/bin/false\n")]);
    assert!(nothing
        .load()
        .unwrap_err()
        .contains("no bonding driver is installed for the kernel 7.3.4"));
}
