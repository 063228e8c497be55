// SPDX-License-Identifier: GPL-2.0

//! `ib-bond switch`: changes the bonding driver of a running machine, over whose bond one may be logged in.
//!
//! | file | what |
//! |---|---|
//! | `turn` | the turns: forward, and back from any step that fails |
//! | `site` | the machine, as the turns use it |
//! | `journal` | what is known of a switch, in /run/ib-bond/switch |
//! | `part` | what is remembered of a bond, or of a VLAN on one |
//! | `links` | all links, and what their netlink messages say |
//! | `remember` | bonds and what is on them, remembered |
//! | `restore` | the same, made again |
//! | `configurators` | who makes the bonds of this machine, and how |
//! | `users` | what keeps the driver, and what would be lost with it |
//! | `reach` | whether an address answers |
//! | `programs` | programs with a time limit |
//!
//! The command plans the switch, writes the journal, and starts the guard, which leaves the session of the terminal. The
//! guard starts the worker, which switches, waits for a person's word, and goes back if it has to. If the worker dies,
//! the guard goes back. The command only looks on.

pub(crate) mod configurators;
pub(crate) mod journal;
mod links;
pub(crate) mod part;
mod programs;
pub(crate) mod reach;
mod remember;
mod restore;
pub(crate) mod site;
pub(crate) mod turn;
pub(crate) mod users;

use crate::args::{Choice, Role, Switch};
use crate::driver::Driver;
use crate::error::{words, Error, Result, FAILED, WELL};
use crate::netlink::{Netlink, Refusal};
use crate::print;
use crate::state;
use crate::steps::Host;
use crate::up::list;
use journal::{Journal, Phase, Presence, Wish};
use part::Part;
use reach::Probe;
use rustix::process::{Pid, Signal};
use std::fs;
use std::io;
use std::path::Path;
use std::process::{Command, ExitStatus, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

/// How often the command looks at the journal.
const STEP: Duration = Duration::from_millis(100);
/// How long the processes of a switch may take to start.
const START: Duration = Duration::from_secs(20);

/// Does what the arguments ask for.
pub(crate) fn switch(options: &Switch) -> Result<u8> {
    if options.status {
        return status();
    }
    if !state::may_change_network() || !state::may_load_modules() {
        return Err(Error::failed(
            "changing the driver needs root's rights (CAP_NET_ADMIN and CAP_SYS_MODULE); run it with sudo; nothing has \
             changed",
        ));
    }
    match options.role {
        Some(Role::Guard) => guard(Role::Worker),
        Some(Role::Return) => guard(Role::Return),
        Some(Role::Worker) => work(),
        None if options.confirm => wish(Wish::Confirm),
        None if options.rollback => wish(Wish::Rollback),
        None => start(options),
    }
}

fn nothing_changed(sentence: impl AsRef<str>) -> Error {
    Error::failed(format!("{}; nothing has changed", sentence.as_ref()))
}

fn unknown(refusal: Refusal) -> Error {
    nothing_changed(format!("the network cannot be looked at: {refusal}"))
}

/// Plans the switch, starts it, and looks on.
fn start(options: &Switch) -> Result<u8> {
    let target = match options.driver {
        Some(Choice::InTree) => Driver::InTree,
        _ => Driver::Rust,
    };
    let mut host = Host::open()?;
    let Some(alone) = alone()? else {
        return Err(nothing_changed(
            "a switch goes on already; look at it with \"ib-bond switch --status\", and end it with \"ib-bond switch \
             --confirm\" or \"ib-bond switch --rollback\"",
        ));
    };
    if Journal::read().is_some_and(|journal| !journal.phase.is_final()) {
        return Err(nothing_changed(
            "the last switch was interrupted; go back first, with \"ib-bond switch --rollback\"",
        ));
    }
    let Some(previous) = host.machine.running() else {
        return Err(nothing_changed(
            "no bonding driver is loaded, so there is nothing to replace; load one with \"modprobe bonding\"",
        ));
    };
    if previous == target {
        print(&format!("{target} runs already.\n"))?;
        return Ok(WELL);
    }
    let journal = plan(&mut host, options, target, previous)?;
    journal::clear()?;
    journal.write()?;
    print(&promise(&journal))?;
    drop(alone);
    detach(Role::Guard).inspect_err(|_| journal::forget())?;
    follow(0)
}

/// The same as [`journal::alone`], but waits for the processes of a switch that is over.
fn alone() -> Result<Option<Presence>> {
    let started = Instant::now();
    loop {
        let alone = journal::alone()?;
        let is_over = || Journal::read().is_some_and(|journal| journal.phase.is_final());
        if alone.is_some() || !is_over() || started.elapsed() >= START {
            return Ok(alone);
        }
        sleep(STEP);
    }
}

/// All that is needed to go forward and back, or why the switch would not work.
fn plan(host: &mut Host, options: &Switch, target: Driver, previous: Driver) -> Result<Journal> {
    for (driver, file) in [target, previous]
        .iter()
        .zip(site::files(host, target, previous))
    {
        if file.is_none() {
            let release = host.machine.release();
            let way_out = match driver {
                Driver::Rust => "install it, and try again",
                Driver::InTree => "install the modules of this kernel, and try again",
            };
            let what = if *driver == previous {
                " and could not be loaded again"
            } else {
                ""
            };
            return Err(nothing_changed(format!(
                "{driver} is not installed as a module for the kernel {release}{what}; {way_out}"
            )));
        }
    }
    if let Some(users) = users::of_driver() {
        return Err(nothing_changed(format!(
            "the bonding driver cannot be unloaded: {users}"
        )));
    }
    let (mut parts, mut losses) =
        remember::remember(&mut host.netlink, &host.state).map_err(unknown)?;
    let orders = configurators::orders(&mut parts, &configurators::View::here());
    losses.extend(users::elsewhere());
    if !losses.is_empty() && !options.force {
        return Err(nothing_changed(format!(
            "this would be lost, since nobody makes it again: {}; remove it first, or lose it with --force",
            list(losses.iter().map(String::as_str))
        )));
    }
    let probe = probe(&mut host.netlink, options, &parts)?;
    Ok(Journal {
        phase: Phase::Planned,
        said: "the switch is planned".into(),
        target,
        previous,
        orders,
        parts,
        probe,
        check_within: options.check_within,
        confirm_within: options.confirm_within,
    })
}

/// What has to answer, and how it answers now.
fn probe(netlink: &mut Netlink, options: &Switch, parts: &[Part]) -> Result<Option<Probe>> {
    let (address, device) = match options.check {
        Some(address) if reach::is_link_local(address) => {
            return Err(nothing_changed(format!(
                "{address} is a link-local address, which says nothing without a device; give another address with \
                 --check"
            )))
        }
        Some(address) => (address, None),
        None => match remember::default_gateway(netlink, parts).map_err(unknown)? {
            Some((address, device)) => (
                address,
                Some(device).filter(|_| reach::is_link_local(address)),
            ),
            None => return Ok(None),
        },
    };
    let answer = reach::answer(netlink, address, device.as_deref());
    match answer {
        Some(answer) => Ok(Some(Probe {
            address,
            device,
            answer,
        })),
        None => Err(nothing_changed(format!(
            "{address} does not answer now, so its silence would say nothing after the change; give an address that \
             answers with --check"
        ))),
    }
}

/// What is going to happen.
fn promise(journal: &Journal) -> String {
    let Journal {
        target,
        previous,
        confirm_within,
        ..
    } = journal;
    let mut text = format!("{previous} is going to be replaced by {target}.\n");
    let by_configurators: Vec<String> = journal
        .orders
        .iter()
        .map(|order| {
            format!(
                "{} by {}",
                list(order.devices.iter().map(String::as_str)),
                order.configurator
            )
        })
        .collect();
    let by_us: Vec<&str> = journal
        .parts
        .iter()
        .filter(|part| !part.is_configured)
        .map(|part| part.name.as_str())
        .collect();
    let mut makers = by_configurators;
    if !by_us.is_empty() {
        makers.push(format!("{} by ib-bond", list(by_us)));
    }
    if !makers.is_empty() {
        text += &format!("Made again: {}.\n", makers.join("; "));
    }
    text += &match &journal.probe {
        Some(probe) => format!("Has to answer afterwards: {probe}.\n"),
        None => "No address has to answer afterwards: there is no default gateway over a bond, and no --check.\n"
            .to_string(),
    };
    text + &format!(
        "If this terminal is cut off, log in again and run \"ib-bond switch --confirm\" within {confirm_within} s.\n"
    )
}

/// Starts a process of a switch that does not depend on the terminal, its session or its service.
fn detach(role: Role) -> Result<()> {
    let program = std::env::current_exe().map_err(|error| {
        nothing_changed(format!("ib-bond does not find itself: {}", words(&error)))
    })?;
    let word = match role {
        Role::Return => "return",
        _ => "guard",
    };
    let arguments = ["switch", "--role", word];
    // A unit of its own survives the end of the session, whatever logind does with what is left of that.
    let is_first = fs::read_link("/proc/self/ns/net").ok() == fs::read_link("/proc/1/ns/net").ok();
    if Path::new("/run/systemd/system").is_dir() && is_first {
        let status = Command::new("systemd-run")
            .args(["--quiet", "--collect", "--unit=ib-bond-switch"])
            // What configurators have started, such as a DHCP client, stays when the switch is over, and nothing ends
            // a process that is going back.
            .args([
                "--property=KillMode=process",
                "--property=TimeoutStopSec=infinity",
            ])
            .args(["--description=Change of the bonding driver", "--"])
            .arg(&program)
            .args(arguments)
            .stdin(Stdio::null())
            .stderr(Stdio::null())
            .status();
        if status.is_ok_and(|status| status.success()) {
            return Ok(());
        }
    }
    Command::new(&program)
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .current_dir("/")
        .spawn()
        .map(drop)
        .map_err(|error| {
            nothing_changed(format!(
                "{} cannot be started: {}",
                program.display(),
                words(&error)
            ))
        })
}

/// Shows what a switch says, from this byte of its log on, until it waits for a word or is over.
fn follow(mut shown: usize) -> Result<u8> {
    let started = Instant::now();
    loop {
        // In this order: what a switch says comes before its phase changes, or with it.
        let is_alive = journal::alone()?.is_none();
        let journal = Journal::read();
        let log = journal::log();
        print(log.get(shown..).unwrap_or_default())?;
        shown = log.len();
        let Some(journal) = journal else {
            return Err(Error::failed(
                "the notes in /run/ib-bond/switch have gone; \"ib-bond status\" shows what runs",
            ));
        };
        match journal.phase {
            Phase::Waiting => {
                print(&format!(
                    "Keep it with \"ib-bond switch --confirm\"; without that, it goes back within {} s.\n",
                    journal.confirm_within
                ))?;
                return Ok(WELL);
            }
            Phase::Kept => return Ok(WELL),
            Phase::Back | Phase::Stuck => return Ok(FAILED),
            Phase::Planned if started.elapsed() < START => {}
            _ if is_alive => {}
            _ => {
                return Err(Error::failed(
                    "the processes of the switch have gone before its end; go back with \"ib-bond switch --rollback\"",
                ))
            }
        }
        sleep(STEP);
    }
}

/// Confirms a switch, or goes back.
fn wish(wish: Wish) -> Result<u8> {
    let none =
        || nothing_changed("no switch waits; \"ib-bond switch --status\" shows the last one");
    let mut journal = Journal::read().ok_or_else(none)?;
    let shown = journal::log().len();
    let alone = alone()?;
    let is_alive = alone.is_none();
    match (wish, journal.phase) {
        (Wish::Rollback, phase) if !is_alive && (phase == Phase::Stuck || !phase.is_final()) => {
            journal.phase = Phase::GoingBack;
            journal.write()?;
            drop(alone);
            detach(Role::Return)?;
        }
        (Wish::Confirm, phase) if !phase.is_final() && !is_alive => {
            return Err(nothing_changed(
                "the switch was interrupted; go back with \"ib-bond switch --rollback\"",
            ))
        }
        (Wish::Confirm, Phase::Planned | Phase::Switching) => {
            return Err(nothing_changed(
                "the switch is not as far as that; look at it with \"ib-bond switch --status\", and confirm it then",
            ))
        }
        (Wish::Confirm, Phase::GoingBack) => {
            return Err(nothing_changed(
                "it is too late: the switch goes back already; see why with \"ib-bond switch --status\"",
            ))
        }
        (_, Phase::Kept) => {
            return Err(nothing_changed(format!(
                "the last switch is over, and {} is kept; go back with \"ib-bond switch {}\"",
                journal.target,
                journal.previous.word()
            )))
        }
        (_, Phase::Back) => {
            return Err(nothing_changed(format!(
                "the last switch is over, and {} runs again; see why with \"ib-bond switch --status\"",
                journal.previous
            )))
        }
        (_, Phase::Stuck) => return Err(none()),
        _ => wish.leave()?,
    }
    let end = wait_for_end(shown)?;
    match (wish, end) {
        (Wish::Confirm, Phase::Kept) => {
            print(&boot(&journal))?;
            Ok(WELL)
        }
        (Wish::Rollback, Phase::Back) => Ok(WELL),
        _ => Ok(FAILED),
    }
}

/// Shows what a switch says until it is over.
fn wait_for_end(mut shown: usize) -> Result<Phase> {
    let started = Instant::now();
    loop {
        let is_alive = journal::alone()?.is_none();
        let journal = Journal::read();
        let log = journal::log();
        print(log.get(shown..).unwrap_or_default())?;
        shown = log.len().max(shown);
        match journal {
            Some(journal) if journal.phase.is_final() => return Ok(journal.phase),
            _ if !is_alive && started.elapsed() >= START => {
                return Err(Error::failed(
                    "the processes of the switch have gone before its end; see \"ib-bond switch --status\"",
                ))
            }
            _ => sleep(STEP),
        }
    }
}

/// What the next boot does, which a switch does not change.
fn boot(journal: &Journal) -> String {
    let installed = crate::driver::Machine::here().installed();
    match installed {
        Some(installed) if installed.driver != journal.target => format!(
            "At the next boot, {} is loaded, as before: it is the one that modprobe takes.\n",
            installed.driver
        ),
        _ => String::new(),
    }
}

fn status() -> Result<u8> {
    let Some(journal) = Journal::read() else {
        print("No switch was made since the machine was started.\n")?;
        return Ok(WELL);
    };
    let is_alive = fs::metadata("/run/ib-bond/switch/lock").is_err()
        || journal::alone().map_or(true, |alone| alone.is_none());
    let way_out = match journal.phase {
        Phase::Waiting if is_alive => {
            "It waits for \"ib-bond switch --confirm\", and goes back without that.\n"
        }
        phase if !phase.is_final() && !is_alive => {
            "Its processes have gone. Go back with \"ib-bond switch --rollback\".\n"
        }
        phase if !phase.is_final() => "It goes on.\n",
        _ => "It is over.\n",
    };
    print(&format!(
        "From {} to {}: {}.\n{way_out}\nIts log:\n{}",
        journal.previous,
        journal.target,
        journal.said,
        journal::log()
    ))?;
    Ok(match journal.phase {
        Phase::Stuck => FAILED,
        _ => WELL,
    })
}

/// A process of a switch says that it is there, and has the journal.
fn join() -> Result<(Option<Presence>, Journal, Host)> {
    let presence = journal::join()?;
    let journal = Journal::read().ok_or_else(|| {
        nothing_changed("no switch is planned; start one with \"ib-bond switch rust\" or \"ib-bond switch in-tree\"")
    })?;
    Ok((presence, journal, Host::open()?))
}

fn here(host: Host, journal: Journal) -> Result<site::Here> {
    site::Here::new(host, journal).map_err(|error: io::Error| {
        nothing_changed(format!("signals cannot be handled: {}", words(&error)))
    })
}

/// The process that starts the worker, or goes back itself.
fn guard(role: Role) -> Result<u8> {
    // A leader of a process group cannot leave its session, but a service has no terminal anyway.
    let _ = rustix::process::setsid();
    let Some(_lead) = journal::lead()? else {
        return Ok(WELL);
    };
    let (_presence, journal, host) = join()?;
    let (previous, phase) = (journal.previous, journal.phase);
    let mut site = here(host, journal)?;
    let mut reason =
        "the switch before was interrupted, and somebody has asked for that".to_string();
    // Somebody may have asked to go back before this process was there.
    if role == Role::Worker && phase == Phase::Planned {
        let worker = watch_worker(&site);
        match Journal::read() {
            Some(journal) if journal.phase.is_final() => return Ok(WELL),
            _ => {}
        }
        reason = match worker {
            Ok(status) => format!("the process that changed the driver has died ({status})"),
            Err(error) => format!(
                "the process that changes the driver cannot be started ({})",
                words(&error)
            ),
        };
    }
    turn::back(&mut site, previous, &reason);
    Ok(WELL)
}

/// Starts the worker, and waits for its end. The worker hears of a signal, which reaches only the guard of a service.
fn watch_worker(site: &site::Here) -> io::Result<ExitStatus> {
    let program = std::env::current_exe()?;
    let mut worker = Command::new(program)
        .args(["switch", "--role", "worker"])
        .stdin(Stdio::null())
        .spawn()?;
    loop {
        if let Some(status) = worker.try_wait()? {
            return Ok(status);
        }
        if site.takes_term() {
            // Without one, the worker has ended just now.
            let _ = rustix::process::kill_process(Pid::from_child(&worker), Signal::TERM);
        }
        sleep(STEP);
    }
}

/// The process that switches.
fn work() -> Result<u8> {
    let (_presence, journal, host) = join()?;
    if journal.phase != Phase::Planned {
        return Err(nothing_changed("the switch has begun already"));
    }
    let (target, previous) = (journal.target, journal.previous);
    turn::forward(&mut here(host, journal)?, target, previous);
    Ok(WELL)
}
