// SPDX-License-Identifier: GPL-2.0

//! Names of network interfaces.

use core::fmt;

/// The size of an interface name with its terminating zero, `IFNAMSIZ` of `linux/if.h`.
pub const IFNAMSIZ: usize = 16;

/// A valid interface name: 1 to 15 bytes, padded with zeros.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct IfName([u8; IFNAMSIZ]);

impl IfName {
    /// Checks a name by the rules of `dev_valid_name()`: not empty, at most 15 bytes, not `.` or
    /// `..`, no `/`, no `:`, no white space. A zero byte is not part of any name.
    pub fn new(name: &[u8]) -> Option<IfName> {
        if name.is_empty() || name.len() >= IFNAMSIZ || name == b"." || name == b".." {
            return None;
        }
        if name
            .iter()
            .any(|&byte| matches!(byte, 0 | b'/' | b':') || is_space(byte))
        {
            return None;
        }
        let mut padded = [0; IFNAMSIZ];
        for (to, from) in padded.iter_mut().zip(name) {
            *to = *from;
        }
        Some(IfName(padded))
    }

    /// The name without its padding.
    pub fn as_bytes(&self) -> &[u8] {
        until(&self.0, 0)
    }

    /// The name as a C string: 16 bytes of which at least the last one is zero.
    pub const fn as_padded(&self) -> &[u8; IFNAMSIZ] {
        &self.0
    }
}

impl fmt::Display for IfName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&Printable(self.as_bytes()), f)
    }
}

impl fmt::Debug for IfName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&Printable(self.as_bytes()), f)
    }
}

/// Bytes that are part of a text for people. If they are not UTF-8, or hold control characters,
/// which could forge a line of the kernel log, each byte that is not printable ASCII is shown as
/// `?`.
///
/// Whatever goes into a message, a trace or a history is wrapped in this type: the name of a
/// device, since the kernel allows any byte in it except white space, `/` and `:`, and text that a
/// user wrote.
#[derive(Clone, Copy)]
pub struct Printable<'a>(pub &'a [u8]);

impl fmt::Display for Printable<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        use fmt::Write;
        // The control characters of ASCII and of Latin-1; some terminals obey the latter, too.
        let is_control = |it| matches!(it, '\0'..='\x1f' | '\x7f'..='\u{9f}');
        match core::str::from_utf8(self.0) {
            Ok(text) if !text.chars().any(is_control) => f.write_str(text),
            _ => self.0.iter().try_for_each(|&byte| {
                let printable = byte.is_ascii_graphic() || byte == b' ';
                f.write_char(if printable { char::from(byte) } else { '?' })
            }),
        }
    }
}

/// The part of `bytes` before the first `end`, or all of it.
pub(crate) fn until(bytes: &[u8], end: u8) -> &[u8] {
    bytes.split(|&byte| byte == end).next().unwrap_or(bytes)
}

/// White space as the kernel's `isspace()` has it: ASCII's, and the no-break space of Latin-1.
pub(crate) const fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | 0x09..=0x0d | 0xa0)
}
