// SPDX-License-Identifier: GPL-2.0

//! From text to a value, by the rules of the in-tree driver (`bond_opt_parse()` and the options
//! that read their text themselves).

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::{ArpTargets, NsTargets, Target, Targets};
use super::{Excerpt, OptionDesc, OptionError, OptionId, Reason, Values};
use crate::name::{is_space, until, IfName, IFNAMSIZ};

/// The longest word that is looked up among the texts of an option (`BOND_OPT_MAX_NAMELEN`).
const MAX_WORD: usize = 32;

/// What an option is set to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Value {
    /// A number, or the number of a text.
    Number(u64),
    /// An interface, or none.
    Name(Option<IfName>),
    /// An interface that joins (`add`) or leaves.
    Member {
        /// Whether it joins.
        add: bool,
        /// The interface.
        name: IfName,
    },
    /// The queue of a slave.
    Queue {
        /// The slave.
        slave: IfName,
        /// The queue; 0 for none.
        queue: u16,
    },
    /// The priority of a slave.
    Prio(i32),
    /// An address that is probed from now on (`add`), or no longer.
    Target {
        /// Whether it is probed.
        add: bool,
        /// The address.
        addr: Ipv4Addr,
    },
    /// The IPv4 addresses that are probed, in place of the previous ones.
    ArpTargets(ArpTargets),
    /// The IPv6 addresses that are probed, in place of the previous ones.
    NsTargets(NsTargets),
    /// A hardware address.
    Address([u8; 6]),
}

impl Value {
    /// Reads `arp_ip_target` from the attributes of a request, each of which begins with an address
    /// in network byte order.
    ///
    /// # Errors
    ///
    /// [`Reason::ShortAddress`], and [`Reason::Target`] for an address that cannot be in the list.
    pub fn arp_targets<'a>(payloads: impl Iterator<Item = &'a [u8]>) -> Result<Value, OptionError> {
        targets(payloads, Ipv4Addr::from)
            .map(Value::ArpTargets)
            .map_err(|reason| OptionError {
                option: OptionId::ArpIpTarget,
                reason,
            })
    }

    /// Reads `ns_ip6_target` in the same way.
    ///
    /// # Errors
    ///
    /// Those of [`Value::arp_targets`].
    pub fn ns_targets<'a>(payloads: impl Iterator<Item = &'a [u8]>) -> Result<Value, OptionError> {
        targets(payloads, Ipv6Addr::from)
            .map(Value::NsTargets)
            .map_err(|reason| OptionError {
                option: OptionId::NsIp6Target,
                reason,
            })
    }
}

fn targets<'a, A: Target + Into<IpAddr>, const LEN: usize>(
    payloads: impl Iterator<Item = &'a [u8]>,
    from_bytes: impl Fn([u8; LEN]) -> A,
) -> Result<Targets<A>, Reason> {
    let mut list = Targets::NONE;
    for payload in payloads {
        let addr = from_bytes(*payload.first_chunk().ok_or(Reason::ShortAddress)?);
        list.add(addr).map_err(|why| Reason::Target {
            add: true,
            addr: addr.into(),
            why,
        })?;
    }
    Ok(list)
}

/// Reads the value of an option from a text, which ends at the first newline.
///
/// Digits and white space make a number. Anything else is a word: one of the texts of the option,
/// or `default`.
///
/// # Errors
///
/// [`Reason::InvalidText`] and, for the options that act on slaves or targets,
/// [`Reason::NoCommand`], [`Reason::InvalidQueue`], [`Reason::NoInterface`] and
/// [`Reason::NoAddress`]; [`Reason::WrongKind`] for `ns_ip6_target`, which has no text.
pub fn parse(id: OptionId, text: &[u8]) -> Result<Value, OptionError> {
    let text = until(until(text, 0), b'\n');
    let desc = id.desc();
    let parsed = match desc.values {
        Values::Choice(_) | Values::Range { .. } => number(desc, text),
        Values::Interface => interface(id, text),
        Values::Membership => membership(text),
        Values::QueueMap => queue(text),
        Values::Priority => priority(text),
        Values::ArpTargets => target(text),
        Values::NsTargets => Err(Reason::WrongKind),
        Values::HardwareAddress => hardware_address(text),
    };
    parsed.map_err(|reason| OptionError { option: id, reason })
}

impl OptionDesc {
    /// Whether the number is a value of the option.
    pub fn takes(&self, number: u64) -> bool {
        match self.values {
            Values::Choice(names) => names.iter().any(|it| it.number == number),
            Values::Range { min, max, .. } => (min..=max).contains(&number),
            _ => false,
        }
    }
}

fn number(desc: &OptionDesc, text: &[u8]) -> Result<Value, Reason> {
    let invalid = Reason::InvalidText(Excerpt::new(text));
    if text
        .iter()
        .all(|&byte| byte.is_ascii_digit() || is_space(byte))
    {
        let number = decimal(first_word(text)).filter(|&number| desc.takes(number));
        return number.map(Value::Number).ok_or(invalid);
    }
    let word = first_word(text);
    let word = word.get(..MAX_WORD).unwrap_or(word);
    if desc.takes_default && word == b"default" {
        return Ok(Value::Number(desc.default));
    }
    let names = match desc.values {
        Values::Choice(names) => names,
        Values::Range { named, .. } => named,
        _ => &[],
    };
    let found = names.iter().find(|it| it.text.as_bytes() == word);
    found.map(|it| Value::Number(it.number)).ok_or(invalid)
}

fn interface(id: OptionId, text: &[u8]) -> Result<Value, Reason> {
    // The name of the primary slave is the whole text; that of the active slave is the first word.
    let name = if id == OptionId::Primary {
        text
    } else {
        first_word(text)
    };
    if name.is_empty() {
        return Ok(Value::Name(None));
    }
    let excerpt = Excerpt::new(text);
    match IfName::new(name) {
        Some(name) => Ok(Value::Name(Some(name))),
        None if id == OptionId::Primary => Err(Reason::InvalidText(excerpt)),
        None => Err(Reason::NoInterface(excerpt)),
    }
}

fn membership(text: &[u8]) -> Result<Value, Reason> {
    match (parse_command(text), first_word(text)) {
        (Some((add, name)), _) => Ok(Value::Member { add, name }),
        // A name that is too long for any device: there is no such device.
        (None, [b'+' | b'-', name @ ..]) if name.len() >= IFNAMSIZ => {
            Err(Reason::NoInterface(Excerpt::new(name)))
        }
        (None, _) => Err(Reason::NoCommand),
    }
}

/// Reads `+NAME` (true) or `-NAME` (false), as `slaves` and `/sys/class/net/bonding_masters` accept
/// it: the first word, with a valid name of an interface.
pub fn parse_command(text: &[u8]) -> Option<(bool, IfName)> {
    let (add, name) = match first_word(text) {
        [b'+', name @ ..] => (true, name),
        [b'-', name @ ..] => (false, name),
        _ => return None,
    };
    Some((add, IfName::new(name)?))
}

/// Reads `+ADDRESS` or `-ADDRESS`. As in the in-tree driver, the address is checked first.
fn target(text: &[u8]) -> Result<Value, Reason> {
    let Some((command, rest)) = text.split_first() else {
        return Err(Reason::NoAddress(Excerpt::new(text)));
    };
    let addr = ipv4(rest).ok_or(Reason::NoAddress(Excerpt::new(text)))?;
    match command {
        b'+' => Ok(Value::Target { add: true, addr }),
        b'-' => Ok(Value::Target { add: false, addr }),
        _ => Err(Reason::NoCommand),
    }
}

/// Reads an address as the kernel's `in4_pton()` does: four decimal numbers, with any number of
/// leading zeros. The address ends before the first byte that is neither a dot nor a hexadecimal
/// digit, whatever that byte is.
pub(super) fn ipv4(text: &[u8]) -> Option<Ipv4Addr> {
    let is_part = |byte: &u8| *byte == b'.' || byte.is_ascii_hexdigit();
    let end = text.iter().position(|byte| !is_part(byte));
    let text = text.get(..end.unwrap_or(text.len()))?;
    let mut numbers = text
        .split(|&byte| byte == b'.')
        .map(|digits| u8::try_from(decimal(digits)?).ok());
    let mut next = || numbers.next().flatten();
    let octets = [next()?, next()?, next()?, next()?];
    numbers.next().is_none().then(|| Ipv4Addr::from(octets))
}

/// Reads an address as the kernel's `mac_pton()` does: six bytes of two hexadecimal digits each,
/// with colons between them. Whatever follows is ignored.
fn hardware_address(text: &[u8]) -> Result<Value, Reason> {
    let invalid = Reason::InvalidText(Excerpt::new(text));
    let digit = |byte: Option<&u8>| char::from(*byte?).to_digit(16);
    let mut address = [0; 6];
    let mut text = text.iter();
    for (place, to) in address.iter_mut().enumerate() {
        if place > 0 && text.next() != Some(&b':') {
            return Err(invalid);
        }
        let byte = match (digit(text.next()), digit(text.next())) {
            (Some(high), Some(low)) => high.wrapping_shl(4) | low,
            _ => return Err(invalid),
        };
        *to = u8::try_from(byte).map_err(|_| invalid)?;
    }
    Ok(Value::Address(address))
}

fn queue(text: &[u8]) -> Result<Value, Reason> {
    let invalid = Reason::InvalidQueue(Excerpt::new(text));
    let mut parts = text.splitn(2, |&byte| byte == b':');
    let (Some(slave), Some(queue)) = (parts.next(), parts.next()) else {
        return Err(invalid);
    };
    let slave = IfName::new(slave);
    let queue = decimal(first_word(queue)).and_then(|queue| u16::try_from(queue).ok());
    match (slave, queue) {
        (Some(slave), Some(queue)) => Ok(Value::Queue { slave, queue }),
        _ => Err(invalid),
    }
}

fn priority(text: &[u8]) -> Result<Value, Reason> {
    let word = first_word(text);
    let number = match word {
        [b'-', digits @ ..] => decimal(digits).and_then(|n| 0i64.checked_sub_unsigned(n)),
        digits => decimal(digits).and_then(|n| i64::try_from(n).ok()),
    };
    let prio = number.and_then(|number| i32::try_from(number).ok());
    prio.map(Value::Prio)
        .ok_or(Reason::InvalidText(Excerpt::new(text)))
}

/// The first run of bytes that are not white space; empty if there is none.
fn first_word(text: &[u8]) -> &[u8] {
    text.split(|&byte| is_space(byte))
        .find(|word| !word.is_empty())
        .unwrap_or_default()
}

/// A decimal number without a sign, if it fits.
fn decimal(digits: &[u8]) -> Option<u64> {
    if digits.is_empty() {
        return None;
    }
    digits.iter().try_fold(0u64, |number, &digit| {
        let digit = char::from(digit).to_digit(10)?;
        number.checked_mul(10)?.checked_add(u64::from(digit))
    })
}
