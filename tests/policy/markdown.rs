// SPDX-License-Identifier: GPL-2.0

//! `Documentation/options.md`, made from the table of options.

use std::fmt::Write;

use policy::options::{OptionDesc, Scope, Values, OPTIONS};
use policy::{Mode, OptionId};

const HEAD: &str = "\
<!-- SPDX-License-Identifier: GPL-2.0 -->
<!-- Made from the option table in src/policy/options: `cargo run --example option-table`. -->

# Options

Every option of a bond, from the table that the driver itself works with. An option is set

  - when the module is loaded, for all bonds to come: `modprobe bonding mode=active-backup`;
  - when a bond is made: `ip link add bond0 type bond mode active-backup`;
  - on a bond: `ip link set bond0 type bond miimon 100`, or
    `echo 100 > /sys/class/net/bond0/bonding/miimon`; on a slave:
    `ip link set eth0 type bond_slave prio 10`.

*Where* says which of these ways an option has: `p` for a module parameter, `n` for netlink (`ip`),
`s` for sysfs. What may stand in the way is under *Only*: *down* means that the bond must be down,
*no slaves* that it must not have any, and a mode that it must be in that mode. None of this stands in the way
of the value that is in force already, which is always accepted and changes nothing. A refusal is one sentence
in the kernel log, and in the answer of `ip`.
";

/// The whole page.
pub(crate) fn options() -> String {
    let mut page = String::from(HEAD);
    for (scope, title) in [
        (Scope::Bond, "Of a bond"),
        (Scope::Slave, "Of a slave"),
        (Scope::Module, "Of the module"),
    ] {
        let options = OPTIONS.iter().filter(|desc| desc.scope == scope);
        write!(page, "\n## {title}\n\n{}", table(options)).unwrap();
        for desc in OPTIONS.iter().filter(|desc| desc.scope == scope) {
            write!(page, "\n### {}\n\n{}\n", desc.name, wrap(desc.help)).unwrap();
        }
    }
    page
}

fn table<'a>(options: impl Iterator<Item = &'a OptionDesc>) -> String {
    let mut table = String::from(
        "| Option | Values | Default | Unit | Where | Only |\n|---|---|---|---|---|---|\n",
    );
    for desc in options {
        let row = [
            format!("`{}`", desc.name),
            values(desc),
            default(desc),
            desc.unit.to_string(),
            ways(desc),
            conditions(desc),
        ];
        writeln!(table, "| {} |", row.join(" | ")).unwrap();
    }
    table
}

fn values(desc: &OptionDesc) -> String {
    match desc.values {
        Values::Choice(names) => {
            let names: Vec<_> = names
                .iter()
                .map(|it| format!("`{}` ({})", it.text, it.number))
                .collect();
            names.join(", ")
        }
        Values::Range { min, max, .. } => format!("{min} to {max}"),
        Values::Interface => "an interface, or none".into(),
        Values::Membership => "`+NAME`, `-NAME`".into(),
        Values::QueueMap => "`SLAVE:QUEUE`".into(),
        Values::Priority => format!("{} to {}", i32::MIN, i32::MAX),
        Values::ArpTargets => "`+ADDRESS`, `-ADDRESS`; a list with `ip`".into(),
        Values::NsTargets => "a list of addresses, with `ip`".into(),
        Values::HardwareAddress => "a hardware address".into(),
    }
}

fn default(desc: &OptionDesc) -> String {
    match desc.values {
        Values::Choice(_) => format!("`{}`", desc.text_of(desc.default).unwrap_or_default()),
        Values::Range { .. } | Values::Priority | Values::QueueMap => desc.default.to_string(),
        _ => "none".into(),
    }
}

fn ways(desc: &OptionDesc) -> String {
    // `ip` takes both names for the one attribute.
    let netlink = desc.netlink.is_some() || desc.id == OptionId::NumGratArp;
    let ways = [
        (desc.param.is_some(), "p"),
        (netlink, "n"),
        (desc.sysfs.is_some(), "s"),
    ];
    let ways: Vec<_> = ways
        .into_iter()
        .filter(|(has, _)| *has)
        .map(|(_, way)| way)
        .collect();
    ways.join(" ")
}

fn conditions(desc: &OptionDesc) -> String {
    let mut conditions = Vec::new();
    let modes: Vec<_> = Mode::ALL
        .into_iter()
        .filter(|&mode| !desc.unsupported.contains(mode))
        .map(Mode::name)
        .collect();
    if Mode::ALL
        .into_iter()
        .any(|mode| desc.unsupported.contains(mode))
    {
        conditions.push(modes.join(" or "));
    }
    if desc.no_slaves {
        conditions.push("no slaves".into());
    }
    if desc.if_down {
        conditions.push("down".into());
    }
    conditions.join(", ")
}

/// Breaks a text into lines of at most 100 characters.
fn wrap(text: &str) -> String {
    let mut lines: Vec<String> = vec![String::new()];
    for word in text.split(' ') {
        let line = lines.last_mut().unwrap();
        if !line.is_empty() && line.len() + 1 + word.len() > 100 {
            lines.push(word.to_string());
        } else {
            if !line.is_empty() {
                line.push(' ');
            }
            line.push_str(word);
        }
    }
    lines.join("\n")
}
