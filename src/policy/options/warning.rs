// SPDX-License-Identifier: GPL-2.0

//! What the user is told about the parameters of the module.

use core::fmt;

use super::{ArpTargets, Excerpt, OptionId, Values};
use crate::errno;
use crate::mode::Mode;

/// How much a warning matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Severity {
    /// `pr_info`.
    Info,
    /// `pr_warn`.
    Warning,
}

/// Something that the user should know about the parameters. The module is loaded all the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Warning {
    /// A number was out of range.
    OutOfRange {
        /// The option.
        option: OptionId,
        /// What was given.
        given: i64,
        /// What it was reset to.
        used: u64,
    },
    /// `updelay` or `downdelay` is not a multiple of `miimon`.
    Rounded {
        /// The option.
        option: OptionId,
        /// What was given, in milliseconds.
        given: u32,
        /// `miimon`, in milliseconds.
        miimon: u32,
        /// What the delay is now, in milliseconds.
        used: u64,
    },
    /// `updelay` or `downdelay` without `miimon`; they are dropped.
    DelaysWithoutMiimon {
        /// `updelay`, in milliseconds.
        updelay: u32,
        /// `downdelay`, in milliseconds.
        downdelay: u32,
    },
    /// `miimon` and `arp_interval` were both given; `arp_interval` is dropped.
    BothMonitors {
        /// `miimon`, in milliseconds.
        miimon: u32,
        /// `arp_interval`, in milliseconds.
        arp_interval: i32,
    },
    /// The mode needs `miimon`, which was not given.
    MiimonForced {
        /// The mode.
        mode: Mode,
        /// `miimon` from now on, in milliseconds.
        miimon: u32,
    },
    /// `arp_interval` without `arp_ip_target`; it is dropped.
    NoArpTarget {
        /// `arp_interval`, in milliseconds.
        arp_interval: i32,
    },
    /// A target that is not an address, or not the address of a host; there is no ARP monitoring
    /// then.
    BadTarget {
        /// The text.
        given: Excerpt,
    },
    /// A target that was given before.
    DuplicateTarget {
        /// The text.
        given: Excerpt,
    },
    /// Not a warning: `miimon` is on.
    MiiMonitor {
        /// `miimon`, in milliseconds.
        miimon: u32,
    },
    /// Not a warning: the ARP monitor is on.
    ArpMonitor {
        /// `arp_interval`, in milliseconds.
        arp_interval: u32,
        /// `arp_validate`.
        validate: &'static str,
        /// `arp_ip_target`.
        targets: ArpTargets,
    },
    /// The option has no effect in the mode, and is dropped.
    Irrelevant {
        /// The option.
        option: OptionId,
        /// The mode.
        mode: Mode,
    },
    /// `primary` has no effect in the mode, and is dropped.
    PrimaryIrrelevant {
        /// The name.
        primary: Excerpt,
        /// The mode.
        mode: Mode,
    },
    /// `primary_reselect` was given without `primary`, and is dropped.
    ReselectWithoutPrimary,
    /// The text is not a value of the option, which keeps its default.
    InvalidText {
        /// The option.
        option: OptionId,
        /// The text.
        given: Excerpt,
    },
}

impl Warning {
    /// How much the warning matters.
    pub const fn severity(&self) -> Severity {
        match self {
            Warning::Irrelevant {
                option: OptionId::FailOverMac | OptionId::AdSelect,
                ..
            } => Severity::Warning,
            Warning::Irrelevant { .. }
            | Warning::MiiMonitor { .. }
            | Warning::ArpMonitor { .. } => Severity::Info,
            _ => Severity::Warning,
        }
    }
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Warning::OutOfRange {
                option,
                given,
                used,
            } => {
                // The words of the in-tree driver, which has different ones for each option.
                let desc = option.desc();
                let name = desc.name;
                let (min, max) = match desc.values {
                    Values::Range { min, max, .. } => (min, max),
                    _ => (0, 1),
                };
                match option {
                    OptionId::MaxBonds => write!(
                        f,
                        "Warning: {name} ({given}) not in range {min}-{max}, so it was reset to \
                         BOND_DEFAULT_MAX_BONDS ({used})"
                    ),
                    OptionId::NumGratArp | OptionId::NumUnsolNa => write!(
                        f,
                        "Warning: num_grat_arp/num_unsol_na ({given}) not in range {min}-{max} so \
                         it was reset to {used}"
                    ),
                    OptionId::AllSlavesActive => write!(
                        f,
                        "Warning: {name} module parameter ({given}), not of valid value (0/1), so \
                         it was set to {used}"
                    ),
                    OptionId::TxQueues | OptionId::ResendIgmp => write!(
                        f,
                        "Warning: {name} ({given}) should be between {min} and {max}, resetting to \
                         {used}"
                    ),
                    OptionId::PacketsPerSlave => write!(
                        f,
                        "Warning: {name} ({given}) should be between {min} and {max} resetting to \
                         {used}"
                    ),
                    _ => write!(
                        f,
                        "Warning: {name} module parameter ({given}), not in range {min}-{max}, so \
                         it was reset to {used}"
                    ),
                }
            }
            Warning::Rounded {
                option,
                given,
                miimon,
                used,
            } => {
                let name = option.desc().name;
                write!(
                    f,
                    "Warning: {name} ({given}) is not a multiple of miimon ({miimon}), {name} \
                     rounded to {used} ms"
                )
            }
            Warning::DelaysWithoutMiimon { updelay, downdelay } => write!(
                f,
                "Warning: miimon module parameter not set and updelay ({updelay}) or downdelay \
                 ({downdelay}) module parameter is set; updelay and downdelay have no effect \
                 unless miimon is set"
            ),
            Warning::BothMonitors {
                miimon,
                arp_interval,
            } => write!(
                f,
                "Warning: miimon ({miimon}) and arp_interval ({arp_interval}) can't be used \
                 simultaneously, disabling ARP monitoring"
            ),
            Warning::MiimonForced { mode, miimon } => write!(
                f,
                "Warning: miimon must be specified, otherwise bonding will not detect link \
                 failure, speed and duplex which are essential for {} operation; forcing miimon to \
                 {miimon} ms",
                mode.name()
            ),
            Warning::NoArpTarget { arp_interval } => write!(
                f,
                "Warning: arp_interval module parameter ({arp_interval}) specified without \
                 providing an arp_ip_target parameter, arp_interval was reset to 0"
            ),
            Warning::BadTarget { given } => write!(
                f,
                "Warning: bad arp_ip_target module parameter ({given}), ARP monitoring will not be \
                 performed"
            ),
            Warning::DuplicateTarget { given } => write!(
                f,
                "Warning: duplicate address {given} in arp_ip_target, skipping"
            ),
            Warning::MiiMonitor { miimon } => {
                write!(f, "MII link monitoring set to {miimon} ms")
            }
            Warning::ArpMonitor {
                arp_interval,
                validate,
                targets,
            } => {
                write!(
                    f,
                    "ARP monitoring set to {arp_interval} ms, validate {validate}, with {} \
                     target(s):",
                    targets.len()
                )?;
                targets.iter().try_for_each(|target| write!(f, " {target}"))
            }
            Warning::Irrelevant {
                option: OptionId::FailOverMac,
                ..
            } => f.write_str("Warning: fail_over_mac only affects active-backup mode"),
            Warning::Irrelevant {
                option: OptionId::AdSelect,
                ..
            } => f.write_str("ad_select param only affects 802.3ad mode"),
            Warning::Irrelevant { option, mode } => {
                let (name, mode) = (option.desc().name, mode.description());
                write!(f, "{name} param is irrelevant in mode {mode}")
            }
            Warning::PrimaryIrrelevant { primary, mode } => write!(
                f,
                "Warning: {primary} primary device specified but has no effect in {} mode",
                mode.description()
            ),
            Warning::ReselectWithoutPrimary => f.write_str(
                "Warning: primary_reselect module parameter has no effect without primary; set it \
                 on the bond instead",
            ),
            Warning::InvalidText { option, given } => {
                let name = option.desc().name;
                write!(f, "Warning: invalid {name} \"{given}\", using the default")
            }
        }
    }
}

/// Why the module is not loaded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ParamError {
    /// The text is not a value of the option.
    InvalidText {
        /// The option.
        option: OptionId,
        /// The text.
        given: Excerpt,
    },
    /// `use_carrier` is neither 0 nor 1.
    UseCarrier(i32),
    /// `arp_validate` without `arp_interval`.
    ArpValidateAlone,
}

impl ParamError {
    /// The error number, positive.
    pub const fn errno(&self) -> i32 {
        errno::EINVAL
    }
}

impl fmt::Display for ParamError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            ParamError::InvalidText { option, given } => {
                let what = match option {
                    OptionId::Mode => "bonding mode",
                    _ => option.desc().name,
                };
                write!(f, "Error: Invalid {what} \"{given}\"")?;
                if let Values::Choice(names) = option.desc().values {
                    let mut separator = "; use ";
                    for name in names {
                        write!(f, "{separator}{}", name.text)?;
                        separator = ", ";
                    }
                }
                Ok(())
            }
            ParamError::UseCarrier(given) => write!(
                f,
                "Error: invalid use_carrier parameter ({given}); use 0 or 1"
            ),
            ParamError::ArpValidateAlone => f.write_str(
                "Error: arp_validate requires arp_interval; set it and arp_ip_target, or leave it \
                 out",
            ),
        }
    }
}
