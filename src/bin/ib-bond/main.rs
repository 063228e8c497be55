// SPDX-License-Identifier: GPL-2.0

//! ib-bond: makes, shows and removes bonds, over InfiniBand or Ethernet.
//!
//! | file | what |
//! |---|---|
//! | `args` | the arguments |
//! | `netlink` | devices, bonds, slaves, addresses and routes, over rtnetlink |
//! | `driver` | which bonding driver runs, which is installed; loading it |
//! | `state` | what ib-bond has made, in /run/ib-bond |
//! | `status` | the status of bonds: a model, as text and as JSON |
//! | `steps` | transactions: steps that know how they are undone |
//! | `up`, `stop` | making, changing and removing a bond |
//! | `watch`, `screen`, `terminal` | the live screen: the loop, what it shows, and the terminal |
//! | `doctor`, `facts`, `firewall` | what is wrong: judged by one, from what the others have looked at |
//! | `openib` | the bonds of openib.conf |
//! | `switch` | changing the driver of the running machine |
//! | `error` | errors, as sentences, and exit statuses |
//!
//! `netlink`, `driver`, `state` and `status` only look, and know nothing of the others. `up` first makes a plan of
//! what is wanted and what is there, without touching anything; `steps` then carries it out, or undoes it.

#![forbid(unsafe_code)]

mod args;
mod doctor;
mod driver;
mod error;
mod facts;
mod firewall;
mod netlink;
mod openib;
mod screen;
mod state;
mod status;
mod steps;
mod stop;
mod switch;
mod terminal;
#[cfg(test)]
#[path = "../../../tests/ib-bond/mod.rs"]
mod tests;
mod up;
mod watch;

use args::{Classic, Cli, Command, Doctor, Openib, OpenibAction, DEFAULT_BOND};
use clap::error::ErrorKind;
use clap::Parser;
use error::{Error, Result, USAGE, WELL};
use facts::Facts;
use state::Origin;
use status::{BondReport, Report};
use std::fmt::Display;
use std::io::{self, Write};
use std::process::ExitCode;
use steps::Host;
use up::{Done, Wanted};

fn main() -> ExitCode {
    let result = match Cli::try_parse() {
        Ok(cli) => run(cli),
        Err(error) => match error.kind() {
            ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => {
                print(&error.render().to_string()).map(|()| WELL)
            }
            ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => {
                let _ = write!(io::stderr(), "{}", error.render());
                return ExitCode::from(USAGE);
            }
            _ => Err(Error::usage(in_one_sentence(&error.render().to_string()))),
        },
    };
    ExitCode::from(result.unwrap_or_else(|error| {
        complain(&error);
        error.status
    }))
}

/// What clap says about wrong arguments, in several lines.
fn in_one_sentence(text: &str) -> String {
    let text = text.trim_start_matches("error: ");
    let said: Vec<&str> = text
        .lines()
        .take_while(|line| !line.is_empty())
        .map(str::trim)
        .collect();
    format!(
        "{}; \"ib-bond --help\" lists the options",
        said.join(" ").trim_end_matches('.')
    )
}

/// Writes to standard output. A reader that has gone away is no failure.
fn print(text: &str) -> Result<()> {
    match io::stdout().write_all(text.as_bytes()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(Error::failed(format!(
            "standard output cannot be written: {}",
            error::words(&error)
        ))),
        _ => Ok(()),
    }
}

/// Says on standard error what a person should know. That nobody reads it is no failure.
fn complain(sentence: impl Display) {
    let _ = writeln!(io::stderr(), "ib-bond: {sentence}.");
}

fn run(cli: Cli) -> Result<u8> {
    match cli.command {
        None => classic(cli.classic),
        Some(Command::Status(status)) => show(status.bond.as_deref(), status.json),
        Some(Command::Watch(watch)) => watch::watch(&watch),
        Some(Command::Doctor(doctor)) => diagnose(&doctor),
        Some(Command::Openib(openib)) => openib_service(&openib),
        Some(Command::Switch(switch)) => switch::switch(&switch),
    }
}

fn classic(options: Classic) -> Result<u8> {
    let bond = options.bond_name.unwrap_or_else(|| DEFAULT_BOND.into());
    if options.status {
        return show(Some(&bond), options.json);
    }
    if options.status_all {
        return show(None, options.json);
    }
    let mut host = change()?;
    let _lock = state::lock()?;
    if options.stop {
        stop::stop(&mut host, &bond)?;
        print(&format!("{bond} is deleted.\n"))?;
        return Ok(WELL);
    }
    if options.stop_all {
        let stopped = stop::stop_all(&mut host)?;
        print(&match stopped.len() {
            0 => "There is no bond.\n".to_string(),
            1 => format!("{} is deleted.\n", stopped[0]),
            _ => format!(
                "{} are deleted.\n",
                up::list(stopped.iter().map(String::as_str))
            ),
        })?;
        return Ok(WELL);
    }
    let wanted = Wanted {
        bond,
        address: options.bond_ip,
        slaves: options.slaves.map(|slaves| slaves.0),
        miimon: options.miimon,
        is_connected: None,
        mtu: None,
        origin: Origin::Command,
        may_miss: false,
    };
    let (done, notes) = up::up(&mut host, &wanted)?;
    for note in notes {
        complain(&note);
    }
    print(&describe(&mut host, &wanted.bond, done)?)?;
    Ok(WELL)
}

fn openib_service(openib: &Openib) -> Result<u8> {
    let mut host = change()?;
    let _lock = state::lock()?;
    match &openib.action {
        OpenibAction::Start => openib::start(&mut host, &openib.file),
        OpenibAction::Stop => openib::stop(&mut host),
        OpenibAction::Restart => openib::restart(&mut host, &openib.file),
        OpenibAction::Add { device } => openib::add(&mut host, &openib.file, device),
    }
}

/// A host that may be changed.
fn change() -> Result<Host> {
    if !state::may_change_network() {
        return Err(Error::failed(
            "changing bonds needs root's rights (CAP_NET_ADMIN); run it with sudo; nothing has changed",
        ));
    }
    Host::open()
}

/// One line about what was done.
fn describe(host: &mut Host, bond: &str, done: Done) -> Result<String> {
    let report = Report::collect(&mut host.netlink, &host.machine, &host.state, Some(bond))?;
    let driver = host
        .machine
        .running()
        .map_or_else(|| "no driver".into(), |driver| driver.to_string());
    let what = match done {
        Done::Made => "is up",
        Done::Changed => "is changed",
        Done::Nothing | Done::Waits => "is up already",
    };
    let described = report
        .bonds
        .first()
        .map(BondReport::summary)
        .unwrap_or_default();
    Ok(format!(
        "{bond} {what}: {described}. The driver is {driver}.\n"
    ))
}

fn diagnose(options: &Doctor) -> Result<u8> {
    let mut host = Host::open()?;
    let facts = Facts::collect(&mut host)?;
    let diagnosis = doctor::diagnose(&facts, &options.bonds)?;
    print(&if options.json {
        diagnosis.json()
    } else {
        diagnosis.text()
    })?;
    match diagnosis.bonds.is_empty() {
        true => Err(no_bond()),
        false => Ok(diagnosis.exit_status()),
    }
}

fn no_bond() -> Error {
    Error::failed("there is no bond; \"ib-bond --bond-ip IP --slaves A,B\" makes one")
}

fn show(bond: Option<&str>, is_json: bool) -> Result<u8> {
    let mut host = Host::open()?;
    let report = Report::collect(&mut host.netlink, &host.machine, &host.state, bond)?;
    print(&if is_json {
        report.json()
    } else {
        report.text()
    })?;
    match report.state {
        Some(health) => Ok(health.exit_status()),
        None => Err(no_bond()),
    }
}
