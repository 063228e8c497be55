// SPDX-License-Identifier: GPL-2.0

//! Errors: each one is a sentence for a person, and has an exit status.

use std::fmt;

/// The exit status of a status command if every bond is well, and of any other command that has done
/// its work.
pub(crate) const WELL: u8 = 0;
/// The exit status of a status command if a bond is degraded.
pub(crate) const DEGRADED: u8 = 1;
/// The exit status of a status command if a bond is down.
pub(crate) const DOWN: u8 = 2;
/// The exit status of a command that has failed.
pub(crate) const FAILED: u8 = 3;
/// The exit status for arguments that make no sense (`EX_USAGE` of sysexits.h).
pub(crate) const USAGE: u8 = 64;

/// Why a command has failed: what, the reason, and the way out, in one sentence without its full stop.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Error {
    /// The sentence.
    pub(crate) sentence: String,
    /// The exit status.
    pub(crate) status: u8,
}

impl Error {
    /// The command cannot do what it was asked for.
    pub(crate) fn failed(sentence: impl Into<String>) -> Self {
        Error {
            sentence: sentence.into(),
            status: FAILED,
        }
    }

    /// The arguments make no sense.
    pub(crate) fn usage(sentence: impl Into<String>) -> Self {
        Error {
            sentence: sentence.into(),
            status: USAGE,
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.sentence)
    }
}

/// What most functions here return.
pub(crate) type Result<T> = std::result::Result<T, Error>;

/// The words of an error of the system, without its number.
pub(crate) fn words(error: &std::io::Error) -> String {
    let text = error.to_string();
    text.split(" (os error").next().unwrap_or(&text).into()
}
