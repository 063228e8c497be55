// SPDX-License-Identifier: GPL-2.0

//! Programs of the machine that a switch runs: those of its configurators, and those that load modules. None of them can
//! keep a switch from going on: each has a time limit, from timeout(1).

use super::journal;
use std::fs;
use std::io;
use std::process::{Command, Stdio};

/// How long a program may take, in seconds.
const LIMIT: &str = "90";
/// Where these programs are, whatever the caller's PATH is.
const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

fn command(program: &str, arguments: &[&str]) -> Command {
    let mut command = Command::new("timeout");
    command
        .args(["--kill-after=5", LIMIT, program])
        .args(arguments)
        .env("PATH", PATH)
        .env("LC_ALL", "C")
        .stdin(Stdio::null());
    command
}

fn ended(program: &str, status: std::process::ExitStatus) -> Result<(), String> {
    match status.code() {
        Some(0) => Ok(()),
        Some(124 | 137) => Err(format!("{program} did not end within {LIMIT} s")),
        Some(127) => Err(format!("{program} is missing")),
        _ => Err(format!("{program} ended with {status}")),
    }
}

fn does_not_run(program: &str, error: &io::Error) -> String {
    format!("{program} does not run: {}", crate::error::words(error))
}

/// Runs a program; what it says goes to the log. The error is a sentence.
pub(crate) fn run(words: &[String]) -> Result<(), String> {
    let Some((program, arguments)) = words.split_first() else {
        return Ok(());
    };
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let mut command = command(program, &arguments);
    if let Ok(log) = journal::open_log() {
        if let Ok(both) = log.try_clone() {
            command.stdout(log).stderr(both);
        }
    }
    let status = command
        .status()
        .map_err(|error| does_not_run(program, &error))?;
    ended(&words.join(" "), status)
}

/// What a program prints. The error is a sentence, with the last line that the program has said.
pub(crate) fn answer(program: &str, arguments: &[&str]) -> Result<String, String> {
    let output = command(program, arguments)
        .output()
        .map_err(|error| does_not_run(program, &error))?;
    ended(program, output.status).map_err(|sentence| {
        let said = String::from_utf8_lossy(&output.stderr);
        match said.trim().lines().next_back() {
            Some(said) => format!("{sentence}, and said \"{}\"", said.trim()),
            None => sentence,
        }
    })?;
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// Whether a daemon of this name runs. The kernel knows the first 15 bytes of a name.
pub(crate) fn runs(daemon: &str) -> bool {
    let short = daemon.get(..15).unwrap_or(daemon);
    let processes = fs::read_dir("/proc").into_iter().flatten().flatten();
    processes
        .filter_map(|process| fs::read_to_string(process.path().join("comm")).ok())
        .any(|name| name.trim() == short)
}
