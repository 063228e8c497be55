// SPDX-License-Identifier: GPL-2.0

//! The arguments. The man page and the completions are made from this file
//! (`tests/ib-bond/pages.rs`), so it imports nothing from the rest of the command.

use clap::{ArgGroup, Args, Parser, Subcommand, ValueEnum};
use std::fmt;
use std::net::{IpAddr, Ipv4Addr};
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

/// The bond that is meant if none is named.
pub(crate) const DEFAULT_BOND: &str = "bond0";
/// The slaves of a new bond if none are named.
pub(crate) const DEFAULT_SLAVES: [&str; 2] = ["ib0", "ib1"];
/// How often a new bond looks at its links if nothing is said, in milliseconds.
pub(crate) const DEFAULT_MIIMON: u32 = 100;
/// The number of bits of an IPv4 network if none is given.
const DEFAULT_BITS: u8 = 24;
/// The longest name of an interface, in bytes.
const NAME_MAX: usize = 15;

/// What the exit statuses mean.
pub(crate) const EXIT_STATUS: &str = "\
Exit status:
  0   done; for a status: every bond is well
  1   for a status: a bond is degraded (a slave is down, or one link is left)
  2   for a status: a bond is down
  3   failed, and nothing has changed unless the message says otherwise
  64  the arguments make no sense";

const DOCTOR_EXIT_STATUS: &str = "\
Exit status:
  0   nothing was found
  1   something will hurt at the next failover
  2   something is wrong now
  3   failed, or there is no bond
  64  the arguments make no sense";

/// The uses of the manual of OFED.
pub(crate) const EXAMPLES: &str = "\
Examples:
  ib-bond --bond-ip 192.186.10.100 --slaves ib0,ib2
  ib-bond --bond-name bond1 --bond-ip 192.186.10.100/25 --slaves ib0.f1f1,ib1.f1f1
  ib-bond --bond-name bond1 --status
  ib-bond --status-all
  ib-bond --bond-name bond1 --stop
  ib-bond --stop-all";

/// Make, look at and remove bonds of IP over InfiniBand interfaces, or of Ethernet interfaces.
///
/// A bond is one network interface made of several, its slaves: if the link of the active slave fails, another one
/// takes over. ib-bond makes such a bond in the mode active-backup, with one command, which either does all of its work
/// or changes nothing. The same command again changes only what differs.
#[derive(Debug, Parser)]
#[command(
    name = "ib-bond",
    version,
    arg_required_else_help = true,
    args_conflicts_with_subcommands = true,
    disable_help_subcommand = true,
    after_help = EXIT_STATUS,
    after_long_help = format!("{EXAMPLES}\n\n{EXIT_STATUS}"),
)]
pub(crate) struct Cli {
    /// What the command of the OpenFabrics Enterprise Distribution had.
    #[command(flatten)]
    pub(crate) classic: Classic,
    /// What came later.
    #[command(subcommand)]
    pub(crate) command: Option<Command>,
}

/// The options of the OpenFabrics Enterprise Distribution.
#[derive(Debug, Args)]
#[command(group = ArgGroup::new("action").args(["stop", "stop_all", "status", "status_all"]))]
#[command(group = ArgGroup::new("statuses").args(["status", "status_all"]))]
#[command(group = ArgGroup::new("settings").args(["bond_ip", "slaves", "miimon"]).multiple(true).conflicts_with("action"))]
#[command(group = ArgGroup::new("all").args(["stop_all", "status_all"]))]
pub(crate) struct Classic {
    /// Name of the bond [default: bond0]
    #[arg(long, value_name = "NAME", value_parser = interface_name, conflicts_with = "all")]
    pub(crate) bond_name: Option<String>,
    /// IP address of the bond; BITS is the length of the netmask, 24 if it is left out
    #[arg(long, value_name = "IP[/BITS]")]
    pub(crate) bond_ip: Option<Net>,
    /// Slaves of the bond, separated by commas. A child interface of an InfiniBand
    /// partition, such as ib0.f1f1, is made if it is missing [default: ib0,ib1]
    #[arg(long, value_name = "A,B")]
    pub(crate) slaves: Option<Slaves>,
    /// How often the links are looked at, in milliseconds; 0 is never [default: 100]
    #[arg(long, value_name = "MS", value_parser = clap::value_parser!(u32).range(0..=i32::MAX as i64))]
    pub(crate) miimon: Option<u32>,
    /// Release the slaves of the bond and delete the bond
    #[arg(long, requires = "bond_name")]
    pub(crate) stop: bool,
    /// Release the slaves of all bonds and delete the bonds, whoever has made them
    #[arg(long)]
    pub(crate) stop_all: bool,
    /// Show the status of the bond
    #[arg(long)]
    pub(crate) status: bool,
    /// Show the status of all bonds
    #[arg(long)]
    pub(crate) status_all: bool,
    /// Show the status as JSON
    #[arg(long, requires = "statuses")]
    pub(crate) json: bool,
}

/// The subcommands.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Show the status of bonds
    Status(Status),
    /// Watch bonds: links, traffic and the last decisions, live
    Watch(Watch),
    /// Say what is wrong with bonds, or will be at the next failover, and what to do
    Doctor(Doctor),
    /// Make and remove the bonds of openib.conf
    Openib(Openib),
    /// Change the bonding driver of the running machine, and go back unless that is confirmed
    ///
    /// The bonds are taken down, the driver is replaced by the other one, and the bonds are made again: by ifupdown,
    /// systemd-networkd or NetworkManager those that these have made, by ib-bond the others. If a step fails, or the
    /// address of --check does not answer, or nobody confirms in time, all of that is done once more with the driver
    /// that ran before. This goes on without the terminal, so it can be done over the bond itself. The driver that is
    /// loaded at the next boot stays the same.
    Switch(Switch),
}

/// `ib-bond status`
#[derive(Debug, Args)]
pub(crate) struct Status {
    /// The bond to show; all of them if none is named
    #[arg(value_name = "BOND", value_parser = interface_name)]
    pub(crate) bond: Option<String>,
    /// Show the status as JSON
    #[arg(long)]
    pub(crate) json: bool,
}

/// `ib-bond watch`
#[derive(Debug, Args)]
pub(crate) struct Watch {
    /// The bonds to watch; all of them if none is named
    #[arg(value_name = "BOND", value_parser = interface_name)]
    pub(crate) bonds: Vec<String>,
    /// How often the counters are read, in seconds, from 0.1 to 3600; a change of a link is shown at once
    #[arg(long, value_name = "S", value_parser = interval, default_value = "1")]
    pub(crate) interval: Duration,
    /// Print one screen after one interval, and end
    #[arg(long)]
    pub(crate) once: bool,
}

/// `ib-bond doctor`
#[derive(Debug, Args)]
#[command(after_help = DOCTOR_EXIT_STATUS)]
pub(crate) struct Doctor {
    /// The bonds to look at; all of them if none is named
    #[arg(value_name = "BOND", value_parser = interface_name)]
    pub(crate) bonds: Vec<String>,
    /// Show the findings as JSON
    #[arg(long)]
    pub(crate) json: bool,
}

/// `ib-bond openib`
#[derive(Debug, Args)]
pub(crate) struct Openib {
    /// What to do.
    #[command(subcommand)]
    pub(crate) action: OpenibAction,
    /// The file that describes the bonds
    #[arg(
        long,
        global = true,
        value_name = "FILE",
        default_value = "/etc/infiniband/openib.conf"
    )]
    pub(crate) file: PathBuf,
}

/// What `ib-bond openib` does.
#[derive(Debug, Subcommand)]
pub(crate) enum OpenibAction {
    /// Make the bonds of the file that are not up
    Start,
    /// Remove the bonds that were made from the file
    Stop,
    /// Change what has changed in the file, and leave the other bonds up
    Restart,
    /// Enslave an interface that has appeared, if the file names it
    Add {
        /// The interface
        #[arg(value_name = "DEVICE", value_parser = interface_name)]
        device: String,
    },
}

/// A time between 0.1 and 3600 seconds.
pub(crate) fn interval(text: &str) -> Result<Duration, String> {
    text.parse::<f64>()
        .ok()
        .filter(|seconds| (0.1..=3600.0).contains(seconds))
        .map(Duration::from_secs_f64)
        .ok_or_else(|| {
            format!(
                "\"{}\" is no interval: give a number of seconds from 0.1 to 3600",
                text.escape_debug()
            )
        })
}

/// `ib-bond switch`
#[derive(Debug, Args)]
#[command(group = ArgGroup::new("what").required(true).args(["driver", "confirm", "rollback", "status", "role"]))]
pub(crate) struct Switch {
    /// The driver to change to
    #[arg(value_name = "DRIVER")]
    pub(crate) driver: Option<Choice>,
    /// The address that has to answer afterwards, to ICMP echoes or to ARP [default: the default gateway, if it is
    /// reached over a bond]
    #[arg(long, value_name = "IP", conflicts_with_all = ["confirm", "rollback", "status"])]
    pub(crate) check: Option<IpAddr>,
    /// How long the bonds and the address may take to work, in seconds
    #[arg(long, value_name = "S", conflicts_with_all = ["confirm", "rollback", "status"], default_value_t = 60, value_parser = clap::value_parser!(u64).range(1..=3600))]
    pub(crate) check_within: u64,
    /// How long the confirmation may take, in seconds
    #[arg(long, value_name = "S", conflicts_with_all = ["confirm", "rollback", "status"], default_value_t = 60, value_parser = clap::value_parser!(u64).range(1..=86400))]
    pub(crate) confirm_within: u64,
    /// Change the driver although something that uses a bond will be lost
    #[arg(long, conflicts_with_all = ["confirm", "rollback", "status"])]
    pub(crate) force: bool,
    /// Keep the new driver
    #[arg(long)]
    pub(crate) confirm: bool,
    /// Go back to the driver that ran before, at once
    #[arg(long)]
    pub(crate) rollback: bool,
    /// Show how far the change is, and what it has said
    #[arg(long)]
    pub(crate) status: bool,
    /// The part of a process of the change itself
    #[arg(long, hide = true)]
    pub(crate) role: Option<Role>,
}

/// The drivers by their names on the command line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Choice {
    /// bonding.ko in Rust
    Rust,
    /// The kernel's own driver
    InTree,
}

/// The processes of a switch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Role {
    /// Starts the one that switches, and goes back if that dies.
    Guard,
    /// Switches.
    Worker,
    /// Goes back.
    Return,
}

/// Checks that the kernel would take this name for an interface.
pub(crate) fn interface_name(name: &str) -> Result<String, String> {
    if name.is_empty() {
        return Err("a name of an interface is missing".into());
    }
    if name.len() > NAME_MAX {
        return Err(format!(
            "\"{}\" is no name of an interface: it has more than {NAME_MAX} bytes",
            name.escape_debug()
        ));
    }
    let is_reserved = matches!(
        name,
        "." | ".." | "all" | "default" | "bonding_masters" | "lo"
    );
    let is_odd = |c: char| c.is_whitespace() || c.is_control() || "/:%,".contains(c);
    if is_reserved {
        return Err(format!(
            "\"{name}\" cannot be the name of a bond or of a slave: the kernel uses it for something else"
        ));
    }
    if name.starts_with('-') || name.contains(is_odd) {
        return Err(format!(
            "\"{}\" is no name of an interface: spaces, \"/\", \":\", \"%\", \",\" and a leading \"-\" are not allowed",
            name.escape_debug()
        ));
    }
    Ok(name.into())
}

/// The names of slaves, in the order in which they become active.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Slaves(pub(crate) Vec<String>);

impl FromStr for Slaves {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let mut names = Vec::new();
        for name in text.split(',') {
            let name = interface_name(name.trim())?;
            if names.contains(&name) {
                return Err(format!("{name} is named twice"));
            }
            names.push(name);
        }
        Ok(Slaves(names))
    }
}

/// An IP address and the length of its netmask.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Net {
    /// The address.
    pub(crate) ip: IpAddr,
    /// The length of the netmask, in bits.
    pub(crate) bits: u8,
}

impl fmt::Display for Net {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.ip, self.bits)
    }
}

impl FromStr for Net {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (address, mask) = text.split_once('/').unwrap_or((text, ""));
        let shown = address.escape_debug();
        let ip: IpAddr = address
            .parse()
            .map_err(|_| format!("\"{shown}\" is no IP address, which looks like 192.0.2.1"))?;
        let most = if ip.is_ipv4() { 32 } else { 128 };
        let bits = match mask {
            "" if ip.is_ipv4() => DEFAULT_BITS,
            "" => {
                return Err(format!(
                    "{ip} needs the length of its prefix, such as {ip}/64"
                ))
            }
            _ => mask
                .parse()
                .ok()
                .filter(|bits| {
                    mask.bytes().all(|b| b.is_ascii_digit()) && (1..=most).contains(bits)
                })
                .ok_or_else(|| bad_mask(mask, most))?,
        };
        let net = Net { ip, bits };
        match net.reason_against() {
            Some(reason) => Err(format!("{ip} cannot be the address of a bond: {reason}")),
            None => Ok(net),
        }
    }
}

fn bad_mask(mask: &str, most: u8) -> String {
    let shown = mask.escape_debug();
    let means = mask
        .parse::<Ipv4Addr>()
        .ok()
        .map(|mask| u32::from(mask).count_ones());
    match means {
        Some(bits) if most == 32 => {
            format!("\"{shown}\" is no length of a netmask: give the number of its bits, {bits}")
        }
        _ => format!("\"{shown}\" is no length of a netmask: that is a number from 1 to {most}"),
    }
}

impl Net {
    /// The broadcast address of an IPv4 network that has one.
    pub(crate) fn broadcast(&self) -> Option<Ipv4Addr> {
        match self.ip {
            IpAddr::V4(ip) if self.bits <= 30 => {
                Some(Ipv4Addr::from(u32::from(ip) | self.host_bits()))
            }
            _ => None,
        }
    }

    fn host_bits(&self) -> u32 {
        u32::MAX.checked_shr(self.bits.into()).unwrap_or(0)
    }

    /// Why this is no address of a host.
    fn reason_against(&self) -> Option<&'static str> {
        if self.ip.is_unspecified() {
            return Some("it stands for no address");
        }
        if self.ip.is_loopback() {
            return Some("it stands for this machine alone");
        }
        if self.ip.is_multicast() {
            return Some("it is a multicast address");
        }
        let IpAddr::V4(ip) = self.ip else {
            return None;
        };
        if ip.is_broadcast() || self.broadcast() == Some(ip) {
            return Some("it is the broadcast address of its network");
        }
        if self.bits <= 30 && u32::from(ip) & self.host_bits() == 0 {
            return Some("it is the address of the network itself");
        }
        None
    }
}

/// The parent and the P_Key in the name of a child interface: `ib0.f1f1` is partition 0xf1f1 of ib0. A partition is
/// joined as a full member, so the highest bit is always set.
pub(crate) fn parse_child(name: &str) -> Option<(&str, u16)> {
    let (parent, key) = name.rsplit_once('.')?;
    let is_key = (1..=4).contains(&key.len()) && key.bytes().all(|b| b.is_ascii_hexdigit());
    let key = u16::from_str_radix(key, 16)
        .ok()
        .filter(|key| is_key && key & 0x7fff != 0)?;
    (!parent.is_empty()).then_some((parent, key | 0x8000))
}
