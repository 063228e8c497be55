// SPDX-License-Identifier: GPL-2.0

//! The parameters of the module, and how they are checked when the module is loaded.
//!
//! As in the in-tree driver, a number that is out of range is reset with a warning, and a text that
//! means nothing makes the load fail.

use super::apply::DEFAULT_MIIMON;
use super::value::ipv4;
use super::{parse, ArpValidate, Config, Excerpt, FailOverMac, OptionId};
use super::{ParamError, TargetError, Value, Warning};
use crate::hash::HashPolicy;
use crate::lacp::AdSelect;
use crate::mode::{Addresses, Mode, Probes, Sender};
use crate::name::IfName;
use crate::select::Reselect;

/// The parameters as the kernel hands them over. Texts are without their terminating zero.
#[derive(Clone, Copy, Debug)]
#[allow(missing_docs)] // The option of the same name describes the parameter.
pub struct RawParams<'a> {
    pub max_bonds: i32,
    pub tx_queues: i32,
    /// `num_grat_arp` and `num_unsol_na`, which are one variable.
    pub num_peer_notif: i32,
    pub miimon: i32,
    pub updelay: i32,
    pub downdelay: i32,
    pub use_carrier: i32,
    pub mode: Option<&'a [u8]>,
    pub primary: Option<&'a [u8]>,
    pub primary_reselect: Option<&'a [u8]>,
    pub lacp_rate: Option<&'a [u8]>,
    pub ad_select: Option<&'a [u8]>,
    pub min_links: i32,
    pub xmit_hash_policy: Option<&'a [u8]>,
    pub arp_interval: i32,
    /// The elements that were given.
    pub arp_ip_target: &'a [&'a [u8]],
    pub arp_validate: Option<&'a [u8]>,
    pub arp_all_targets: Option<&'a [u8]>,
    pub fail_over_mac: Option<&'a [u8]>,
    pub all_slaves_active: i32,
    pub resend_igmp: i32,
    pub packets_per_slave: i32,
    pub lp_interval: u32,
    pub link_events: Option<&'a [u8]>,
    pub resilient_hash: Option<&'a [u8]>,
    pub rlb_ipv6: Option<&'a [u8]>,
    pub announce_stations: Option<&'a [u8]>,
}

impl Default for RawParams<'_> {
    fn default() -> Self {
        RawParams {
            max_bonds: 1,
            tx_queues: 16,
            num_peer_notif: 1,
            miimon: 0,
            updelay: 0,
            downdelay: 0,
            use_carrier: 1,
            mode: None,
            primary: None,
            primary_reselect: None,
            lacp_rate: None,
            ad_select: None,
            min_links: 0,
            xmit_hash_policy: None,
            arp_interval: 0,
            arp_ip_target: &[],
            arp_validate: None,
            arp_all_targets: None,
            fail_over_mac: None,
            all_slaves_active: 0,
            resend_igmp: 1,
            packets_per_slave: 1,
            lp_interval: 1,
            link_events: None,
            resilient_hash: None,
            rlb_ipv6: None,
            announce_stations: None,
        }
    }
}

impl Config {
    /// The configuration of new bonds from the parameters of the module; `warn` is told what the
    /// user should know.
    ///
    /// # Errors
    ///
    /// [`ParamError`]: `EINVAL`, for what the in-tree driver refuses too.
    pub fn from_module_params(
        raw: &RawParams<'_>,
        warn: &mut dyn FnMut(Warning),
    ) -> Result<Config, ParamError> {
        let mode = match text(OptionId::Mode, raw.mode)? {
            Some(number) => Mode::from_number(number).unwrap_or_default(),
            None => Mode::default(),
        };
        let use_carrier = match raw.use_carrier {
            0 => false,
            1 => true,
            other => return Err(ParamError::UseCarrier(other)),
        };

        let mut config = Config {
            mode,
            max_bonds: int(OptionId::MaxBonds, raw.max_bonds, warn),
            tx_queues: int(OptionId::TxQueues, raw.tx_queues, warn),
            num_peer_notif: int(OptionId::NumGratArp, raw.num_peer_notif, warn),
            miimon: int(OptionId::Miimon, raw.miimon, warn),
            all_slaves_active: int::<u8>(OptionId::AllSlavesActive, raw.all_slaves_active, warn)
                != 0,
            resend_igmp: int(OptionId::ResendIgmp, raw.resend_igmp, warn),
            packets_per_slave: int(OptionId::PacketsPerSlave, raw.packets_per_slave, warn),
            use_carrier,
            lp_interval: number(OptionId::LpInterval, raw.lp_interval.into(), warn),
            min_links: int(OptionId::MinLinks, raw.min_links, warn),
            ..Config::default()
        };
        if let Some(number) = text(OptionId::LinkEvents, raw.link_events)? {
            config.link_events = number != 0;
        }
        if let Some(number) = text(OptionId::ResilientHash, raw.resilient_hash)? {
            config.resilient_hash = number != 0;
        }
        let mut own = |option: OptionId, given| {
            let number = text(option, given)?;
            let is_on = number == Some(1);
            if is_on && option.desc().unsupported.contains(mode) {
                warn(Warning::Irrelevant { option, mode });
                return Ok(false);
            }
            Ok(is_on)
        };
        config.rlb_ipv6 = own(OptionId::RlbIpv6, raw.rlb_ipv6)?;
        config.announce_stations = own(OptionId::AnnounceStations, raw.announce_stations)?;
        match mode.row().probes {
            Probes::Refused if config.miimon == 0 => {
                let miimon = DEFAULT_MIIMON;
                warn(Warning::MiimonForced { mode, miimon });
                config.miimon = miimon;
            }
            Probes::Refused | Probes::ByActive | Probes::ByEach => {}
        }
        config.set_delays(raw, warn);
        config.set_primary(raw, warn)?;
        if let Some(number) = text(OptionId::FailOverMac, raw.fail_over_mac)? {
            config.fail_over_mac = FailOverMac::from_number(number).unwrap_or(FailOverMac::None);
            match mode.row().addresses {
                Addresses::ByOption => {}
                Addresses::Shared | Addresses::Own => warn(Warning::Irrelevant {
                    option: OptionId::FailOverMac,
                    mode,
                }),
            }
        }
        config.set_hash_and_lacp(raw, warn)?;
        config.set_arp(raw, warn)?;
        Ok(config)
    }

    fn set_delays(&mut self, raw: &RawParams<'_>, warn: &mut dyn FnMut(Warning)) {
        let updelay: u32 = int(OptionId::Updelay, raw.updelay, warn);
        let downdelay: u32 = int(OptionId::Downdelay, raw.downdelay, warn);
        if self.miimon == 0 && (updelay > 0 || downdelay > 0) {
            warn(Warning::DelaysWithoutMiimon { updelay, downdelay });
        }
        let miimon = self.miimon;
        let mut intervals = |option, given: u32| {
            let intervals = given.checked_div(miimon)?;
            let used = u64::from(intervals).saturating_mul(u64::from(miimon));
            if used != u64::from(given) {
                warn(Warning::Rounded {
                    option,
                    given,
                    miimon,
                    used,
                });
            }
            Some(intervals)
        };
        self.updelay = intervals(OptionId::Updelay, updelay).unwrap_or(0);
        self.downdelay = intervals(OptionId::Downdelay, downdelay).unwrap_or(0);
    }

    fn set_arp(
        &mut self,
        raw: &RawParams<'_>,
        warn: &mut dyn FnMut(Warning),
    ) -> Result<(), ParamError> {
        let mut interval = raw.arp_interval;
        if self.miimon > 0 && interval != 0 {
            warn(Warning::BothMonitors {
                miimon: self.miimon,
                arp_interval: interval,
            });
            interval = 0;
        }
        let mut interval: u32 = int(OptionId::ArpInterval, interval, warn);
        for text in raw.arp_ip_target {
            let given = Excerpt::new(text);
            match ipv4(text).map(|addr| self.arp_targets.add(addr)) {
                Some(Ok(())) => {}
                Some(Err(TargetError::Duplicate)) => warn(Warning::DuplicateTarget { given }),
                _ => {
                    warn(Warning::BadTarget { given });
                    interval = 0;
                }
            }
        }
        if interval > 0 && self.arp_targets.is_empty() {
            warn(Warning::NoArpTarget {
                arp_interval: raw.arp_interval,
            });
            interval = 0;
        }
        self.arp_interval = interval;

        if interval == 0 && asks(OptionId::ArpValidate, raw.arp_validate) {
            return Err(ParamError::ArpValidateAlone);
        }
        if let Some(number) = text(OptionId::ArpValidate, raw.arp_validate)? {
            self.arp_validate = ArpValidate::from_number(number).unwrap_or_default();
        }
        if let Some(given) = raw.arp_all_targets {
            let option = OptionId::ArpAllTargets;
            match parse(option, given) {
                Ok(Value::Number(number)) => self.arp_all_targets = number == 1,
                _ => warn(Warning::InvalidText {
                    option,
                    given: Excerpt::new(given),
                }),
            }
        }
        if self.miimon > 0 {
            warn(Warning::MiiMonitor {
                miimon: self.miimon,
            });
        } else if interval > 0 {
            warn(Warning::ArpMonitor {
                arp_interval: interval,
                validate: self.text(OptionId::ArpValidate).unwrap_or_default(),
                targets: self.arp_targets,
            });
        }
        Ok(())
    }

    fn set_hash_and_lacp(
        &mut self,
        raw: &RawParams<'_>,
        warn: &mut dyn FnMut(Warning),
    ) -> Result<(), ParamError> {
        let mode = self.mode;
        let mut irrelevant = |option| warn(Warning::Irrelevant { option, mode });
        let uses_hash = match mode.row().sender {
            Sender::Hash | Sender::Load => true,
            Sender::Turn | Sender::Active | Sender::All => false,
        };
        if !uses_hash && raw.xmit_hash_policy.is_some() {
            irrelevant(OptionId::XmitHashPolicy);
        } else if let Some(number) = text(OptionId::XmitHashPolicy, raw.xmit_hash_policy)? {
            self.xmit_hash_policy = HashPolicy::from_number(number).unwrap_or_default();
        }
        if !mode.runs_lacp() && raw.lacp_rate.is_some() {
            irrelevant(OptionId::LacpRate);
        } else if let Some(number) = text(OptionId::LacpRate, raw.lacp_rate)? {
            self.lacp_fast = number == 1;
        }
        if let Some(number) = text(OptionId::AdSelect, raw.ad_select)? {
            self.ad_select = AdSelect::from_number(number).unwrap_or_default();
            if !mode.runs_lacp() {
                irrelevant(OptionId::AdSelect);
            }
        }
        Ok(())
    }

    fn set_primary(
        &mut self,
        raw: &RawParams<'_>,
        warn: &mut dyn FnMut(Warning),
    ) -> Result<(), ParamError> {
        let Some(name) = raw.primary else {
            if asks(OptionId::PrimaryReselect, raw.primary_reselect) {
                warn(Warning::ReselectWithoutPrimary);
            }
            return Ok(());
        };
        let given = Excerpt::new(name);
        if !self.mode.uses_primary() {
            warn(Warning::PrimaryIrrelevant {
                primary: given,
                mode: self.mode,
            });
            return Ok(());
        }
        let invalid = ParamError::InvalidText {
            option: OptionId::Primary,
            given,
        };
        // An empty name means that there is no primary slave.
        if !name.is_empty() {
            self.primary = Some(IfName::new(name).ok_or(invalid)?);
        }
        if let Some(number) = text(OptionId::PrimaryReselect, raw.primary_reselect)? {
            self.primary_reselect = Reselect::from_number(number).unwrap_or(Reselect::Always);
        }
        Ok(())
    }
}

/// A text parameter as the number of its option.
fn text(option: OptionId, given: Option<&[u8]>) -> Result<Option<u64>, ParamError> {
    let Some(given) = given else {
        return Ok(None);
    };
    match parse(option, given) {
        Ok(Value::Number(number)) => Ok(Some(number)),
        _ => Err(ParamError::InvalidText {
            option,
            given: Excerpt::new(given),
        }),
    }
}

/// Whether a text parameter is given and is anything but the default of its option, spelt out.
fn asks(option: OptionId, given: Option<&[u8]>) -> bool {
    let default = Ok(Value::Number(option.desc().default));
    given.is_some_and(|given| parse(option, given) != default)
}

/// A number parameter, reset to the default of its option with a warning if it is out of range.
fn int<T: TryFrom<u64> + Default>(
    option: OptionId,
    given: i32,
    warn: &mut dyn FnMut(Warning),
) -> T {
    number(option, given.into(), warn)
}

/// Like [`int`], for any type of number.
fn number<T: TryFrom<u64> + Default>(
    option: OptionId,
    given: i64,
    warn: &mut dyn FnMut(Warning),
) -> T {
    let desc = option.desc();
    let number = u64::try_from(given)
        .ok()
        .filter(|&number| desc.takes(number));
    let number = number.unwrap_or_else(|| {
        warn(Warning::OutOfRange {
            option,
            given,
            used: desc.default,
        });
        desc.default
    });
    T::try_from(number).unwrap_or_default()
}
