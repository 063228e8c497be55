// SPDX-License-Identifier: GPL-2.0

//! Writes the man page ib-bond(8) and the completions for bash, zsh and fish into a folder:
//!
//! ```sh
//! scripts/cargo run --example ib-bond-pages FOLDER
//! ```

#[allow(dead_code, reason = "the command uses what this program does not")]
#[path = "../../src/bin/ib-bond/args.rs"]
mod args;

use clap::{Command, CommandFactory};
use clap_complete::{generate, shells};
use clap_mangen::Man;
use std::error::Error;
use std::fs;
use std::path::Path;

fn main() -> Result<(), Box<dyn Error>> {
    let folder = std::env::args_os()
        .nth(1)
        .ok_or("the folder to write to is missing")?;
    let folder = Path::new(&folder);
    fs::create_dir_all(folder)?;
    fs::write(folder.join("ib-bond.8"), page()?)?;
    let mut command = args::Cli::command();
    let write = |name: &str, text: Vec<u8>| fs::write(folder.join(name), text);
    let mut text = Vec::new();
    generate(shells::Bash, &mut command, "ib-bond", &mut text);
    write("ib-bond.bash", std::mem::take(&mut text))?;
    generate(shells::Zsh, &mut command, "ib-bond", &mut text);
    write("_ib-bond", std::mem::take(&mut text))?;
    generate(shells::Fish, &mut command, "ib-bond", &mut text);
    write("ib-bond.fish", text)?;
    Ok(())
}

/// The man page: the command, then a section for each subcommand.
fn page() -> Result<Vec<u8>, Box<dyn Error>> {
    let mut command = args::Cli::command();
    command.build();
    let man = Man::new(command.clone())
        .section("8")
        .manual("System administration")
        .date("");
    let mut page = b".\\\" SPDX-License-Identifier: GPL-2.0\n".to_vec();
    man.render_title(&mut page)?;
    man.render_name_section(&mut page)?;
    man.render_synopsis_section(&mut page)?;
    man.render_description_section(&mut page)?;
    man.render_options_section(&mut page)?;
    page.extend(b".SH COMMANDS\n");
    for subcommand in command.get_subcommands() {
        section(subcommand, &mut page)?;
    }
    let notes = [
        ("EXAMPLES", args::EXAMPLES, 1),
        ("EXIT STATUS", args::EXIT_STATUS, 1),
        ("FILES", FILES, 0),
        ("SEE ALSO", SEE_ALSO, 0),
    ];
    for (title, text, skipped) in notes {
        let text: Vec<&str> = text.lines().skip(skipped).map(str::trim).collect();
        page.extend(
            format!(
                ".SH \"{title}\"\n.nf\n{}\n.fi\n",
                text.join("\n").replace('-', "\\-")
            )
            .bytes(),
        );
    }
    Ok(page)
}

/// A subcommand, and those below it.
fn section(command: &Command, page: &mut Vec<u8>) -> Result<(), Box<dyn Error>> {
    let man = Man::new(command.clone());
    let name = command
        .get_bin_name()
        .unwrap_or(command.get_name())
        .replace('-', "\\-");
    page.extend(format!(".SS \"{name}\"\n").bytes());
    let mut body = Vec::new();
    man.render_description_section(&mut body)?;
    man.render_options_section(&mut body)?;
    // It is part of a section here.
    let body = String::from_utf8(body)?;
    let lines = body.lines().filter(|line| {
        !line.starts_with(".SH ") && !line.starts_with(".ie ") && !line.starts_with(".el ")
    });
    page.extend(lines.flat_map(|line| [line, "\n"]).flat_map(str::bytes));
    for subcommand in command.get_subcommands() {
        section(subcommand, page)?;
    }
    Ok(())
}

const FILES: &str = "\
/etc/infiniband/openib.conf   the bonds that are made at boot
/run/ib-bond                  what ib-bond has made";

const SEE_ALSO: &str = "bonding-rs(7), ip-link(8), modprobe(8)";
