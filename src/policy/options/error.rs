// SPDX-License-Identifier: GPL-2.0

//! Why an option was not set, for the log, for netlink, and as an error number.

use core::fmt;
use core::net::IpAddr;

use super::{OptionId, TargetError, Values, MAX_TARGETS};
use crate::address::HwAddr;
use crate::errno;
use crate::mode::Mode;
use crate::name::Printable;

/// The beginning of a text that a user wrote, for a message.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Excerpt {
    len: u8,
    bytes: [u8; 32],
}

impl Excerpt {
    /// The first 32 bytes of a text.
    pub fn new(text: &[u8]) -> Excerpt {
        let mut excerpt = Excerpt {
            len: 0,
            bytes: [0; 32],
        };
        for (to, from) in excerpt.bytes.iter_mut().zip(text) {
            *to = *from;
            excerpt.len = excerpt.len.saturating_add(1);
        }
        excerpt
    }

    fn as_bytes(&self) -> &[u8] {
        self.bytes.get(..usize::from(self.len)).unwrap_or_default()
    }
}

impl fmt::Write for Excerpt {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let free = self.bytes.iter_mut().skip(usize::from(self.len));
        for (to, from) in free.zip(text.as_bytes()) {
            *to = *from;
            self.len = self.len.saturating_add(1);
        }
        Ok(())
    }
}

impl fmt::Display for Excerpt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&Printable(self.as_bytes()), f)
    }
}

impl fmt::Debug for Excerpt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&Printable(self.as_bytes()), f)
    }
}

/// Why an option was not set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// The option means nothing in the mode of the bond.
    WrongMode(Mode),
    /// The bond has slaves.
    HasSlaves,
    /// The bond is up.
    IsUp,
    /// The XDP program of the bond could not run any more.
    HasXdp,
    /// The text is not a value of the option.
    InvalidText(Excerpt),
    /// The number is not a value of the option.
    InvalidNumber(u64),
    /// The value is of another kind than the values of the option.
    WrongKind,
    /// The hardware address is that of a group.
    GroupAddress([u8; 6]),
    /// There is no `miimon` that the delay could be a multiple of.
    NoMonitor,
    /// There is no such interface.
    NoInterface(Excerpt),
    /// The interface is not a slave of this bond.
    NotSlave(Excerpt),
    /// The slave cannot be made active: the slave or its link is down, or the bond has no working
    /// link.
    NotUsable(Excerpt),
    /// `slaves` was written without `+` or `-`, or without a valid name; `arp_ip_target` without
    /// `+` or `-`.
    NoCommand,
    /// `arp_ip_target` was written without a valid address.
    NoAddress(Excerpt),
    /// An attribute of a request is shorter than an address.
    ShortAddress,
    /// An address cannot be added to a list of targets, or removed from it.
    Target {
        /// Whether it was to be added.
        add: bool,
        /// The address.
        addr: IpAddr,
        /// Why not.
        why: TargetError,
    },
    /// The same request sets `miimon`, which excludes this option.
    WithMiimon,
    /// `queue_id` was not `SLAVE:QUEUE`, or the queue does not exist or is taken.
    InvalidQueue(Excerpt),
    /// The option is fixed when the module is loaded.
    LoadOnly,
}

/// An option that was not set, and why.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OptionError {
    /// The option.
    pub option: OptionId,
    /// Why.
    pub reason: Reason,
}

impl OptionError {
    /// The error number, positive: the one that the in-tree driver returns, where it has the case.
    pub const fn errno(&self) -> i32 {
        match self.reason {
            Reason::WrongMode(_) => errno::EACCES,
            Reason::HasSlaves => errno::ENOTEMPTY,
            Reason::IsUp => errno::EBUSY,
            Reason::InvalidText(_)
            | Reason::InvalidNumber(_)
            | Reason::WrongKind
            | Reason::GroupAddress(_)
            | Reason::NotSlave(_)
            | Reason::NotUsable(_)
            | Reason::ShortAddress
            | Reason::Target { .. }
            | Reason::WithMiimon => errno::EINVAL,
            Reason::NoMonitor
            | Reason::NoCommand
            | Reason::NoAddress(_)
            | Reason::InvalidQueue(_)
            | Reason::LoadOnly => errno::EPERM,
            Reason::NoInterface(_) => errno::ENODEV,
            Reason::HasXdp => errno::EOPNOTSUPP,
        }
    }

    /// The message for netlink's extended acknowledgement, which points to the attribute itself; in
    /// the words of the in-tree driver, where it has any.
    pub const fn extack(&self) -> &'static str {
        match self.reason {
            Reason::WrongMode(_) => "option not supported in mode",
            Reason::HasSlaves => "unable to set option because the bond device has slaves",
            Reason::IsUp => "unable to set option because the bond is up",
            Reason::HasXdp => "no native XDP with this value; detach the program first",
            Reason::InvalidText(_)
            | Reason::InvalidNumber(_)
            | Reason::WrongKind
            | Reason::GroupAddress(_)
            | Reason::NoAddress(_) => "invalid option value",
            Reason::NoMonitor => "unable to set the delay because miimon is 0; set miimon first",
            Reason::NoInterface(_) => "interface does not exist",
            Reason::NotSlave(_) => "Device is not our slave",
            Reason::NotUsable(_) => {
                "Could not set as active slave; either it is down or the link is down"
            }
            Reason::NoCommand if matches!(self.option, OptionId::ArpIpTarget) => {
                "no command found in arp_ip_target - use +<addr> or -<addr>"
            }
            Reason::NoCommand => "no command found in slaves - use +ifname or -ifname",
            Reason::ShortAddress if matches!(self.option, OptionId::NsIp6Target) => {
                "Invalid IPv6 address"
            }
            Reason::ShortAddress => "Invalid IPv4 address",
            Reason::Target { why, .. } => match why {
                TargetError::NotProbable => "invalid option value; give the addresses of hosts",
                TargetError::Duplicate => "invalid option value; give each address once",
                TargetError::Full => "invalid option value; give at most 16 addresses",
                TargetError::Missing => "invalid option value; there is no such target",
            },
            Reason::WithMiimon if matches!(self.option, OptionId::ArpValidate) => {
                "ARP validating cannot be used with MII monitoring"
            }
            Reason::WithMiimon => "ARP monitoring cannot be used with MII monitoring",
            Reason::InvalidQueue(_) => "the bond has no such queue, or another slave has it",
            Reason::LoadOnly => "option can be set only when the module is loaded",
        }
    }
}

impl fmt::Display for OptionError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let desc = self.option.desc();
        let name = desc.name;
        match self.reason {
            Reason::WrongMode(mode) => {
                write!(
                    f,
                    "option {name}: mode dependency failed, not supported in mode {}({}); ",
                    mode.name(),
                    mode.number(),
                )?;
                let fitting = || {
                    Mode::ALL
                        .into_iter()
                        .filter(|&it| !desc.unsupported.contains(it))
                };
                f.write_str("it needs mode ")?;
                write_list(f, fitting().map(Mode::name))
            }
            Reason::HasSlaves => write!(
                f,
                "option {name}: unable to set because the bond device has slaves; release them \
                 first"
            ),
            Reason::IsUp => write!(
                f,
                "option {name}: unable to set because the bond device is up; set it down first"
            ),
            Reason::HasXdp => write!(
                f,
                "option {name}: unable to set because an XDP program is attached, which could not \
                 run then; detach it first"
            ),
            Reason::InvalidText(text) => {
                write!(f, "option {name}: invalid value ({text})")?;
                self.write_allowed(f)
            }
            Reason::InvalidNumber(number) => {
                write!(f, "option {name}: invalid value ({number})")?;
                self.write_allowed(f)
            }
            Reason::WrongKind => {
                write!(f, "option {name}: invalid kind of value")?;
                self.write_allowed(f)
            }
            Reason::GroupAddress(address) => {
                write!(f, "option {name}: invalid value (")?;
                if let Some(address) = HwAddr::new(&address) {
                    write!(f, "{address}")?;
                }
                f.write_str(", the address of a group); give the address of a system")
            }
            Reason::NoMonitor => {
                let delay = match self.option {
                    OptionId::Updelay => "up delay",
                    OptionId::Downdelay => "down delay",
                    OptionId::PeerNotifDelay => "peer notification delay",
                    _ => name,
                };
                write!(
                    f,
                    "Unable to set {delay} as MII monitoring is disabled; set miimon first"
                )
            }
            Reason::NoInterface(interface) => write!(
                f,
                "option {name}: interface {interface} does not exist! (ip link shows those that do)"
            ),
            Reason::NotSlave(interface) => {
                write!(
                    f,
                    "option {name}: {interface} is not our slave; enslave it first"
                )
            }
            Reason::NotUsable(interface) => write!(
                f,
                "option {name}: Could not set as active slave; either {interface} is down or the \
                 link is down; bring it up first"
            ),
            Reason::NoCommand if self.option == OptionId::ArpIpTarget => f.write_str(
                "no command found in arp_ip_targets file - use +<addr> or -<addr> for arp_ip_target",
            ),
            Reason::NoCommand => {
                f.write_str("no command found in slaves file - use +ifname or -ifname")
            }
            Reason::NoAddress(text) => write!(
                f,
                "invalid ARP target specified: option {name}: {text} is no +a.b.c.d or -a.b.c.d"
            ),
            Reason::ShortAddress => write!(
                f,
                "option {name}: an attribute of the request is shorter than an address; give \
                 whole addresses"
            ),
            Reason::Target { add, addr, why } => write_target(f, name, add, addr, why),
            Reason::WithMiimon => write!(
                f,
                "option {name}: {}; leave miimon out, or set it to 0",
                self.extack()
            ),
            Reason::InvalidQueue(text) => write!(
                f,
                "option {name}: invalid value ({text}); write SLAVE:QUEUE with a queue that the \
                 bond has and that no other slave has"
            ),
            Reason::LoadOnly => write!(
                f,
                "option {name}: unable to set in a running driver; give it as a parameter when \
                 the module is loaded"
            ),
        }
    }
}

impl OptionError {
    /// What the option takes, as the last part of a sentence.
    fn write_allowed(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.option.desc().values {
            Values::Choice(names) => {
                f.write_str("; allowed values ")?;
                write_list(f, names.iter().map(|it| it.text))
            }
            Values::Range { min, max, .. } => write!(f, "; allowed values {min} - {max}"),
            Values::Interface => f.write_str("; write the name of an interface, or an empty line"),
            Values::Membership => f.write_str("; write +ifname or -ifname"),
            Values::QueueMap => f.write_str("; write SLAVE:QUEUE"),
            Values::Priority => {
                write!(f, "; allowed values {} - {}", i32::MIN, i32::MAX)
            }
            Values::ArpTargets => f.write_str("; write +a.b.c.d or -a.b.c.d"),
            Values::NsTargets => f.write_str("; give a list of IPv6 addresses with ip"),
            Values::HardwareAddress => f.write_str("; write an address"),
        }
    }
}

/// Writes why a target cannot be added or removed, in the words of the in-tree driver, and what to
/// do instead.
fn write_target(
    f: &mut fmt::Formatter<'_>,
    name: &str,
    add: bool,
    addr: IpAddr,
    why: TargetError,
) -> fmt::Result {
    let kind = match addr {
        IpAddr::V4(_) => "ARP",
        IpAddr::V6(_) => "NS",
    };
    match why {
        TargetError::NotProbable => write!(
            f,
            "invalid {kind} target {addr} specified for {}; give {name} the address of a host",
            if add { "addition" } else { "removal" },
        ),
        TargetError::Duplicate => write!(
            f,
            "{kind} target {addr} is already present in {name}; give each address once"
        ),
        TargetError::Full => write!(
            f,
            "{kind} target table is full! {name} takes {MAX_TARGETS} addresses, so remove one \
             before {addr}"
        ),
        TargetError::Missing => write!(
            f,
            "unable to remove nonexistent {kind} target {addr}; the file {name} lists those there \
             are"
        ),
    }
}

/// Writes `a, b or c`.
fn write_list(
    f: &mut fmt::Formatter<'_>,
    items: impl Iterator<Item = &'static str>,
) -> fmt::Result {
    let mut items = items.peekable();
    let mut first = true;
    while let Some(item) = items.next() {
        if !first {
            f.write_str(if items.peek().is_some() { ", " } else { " or " })?;
        }
        first = false;
        f.write_str(item)?;
    }
    Ok(())
}
