// SPDX-License-Identifier: GPL-2.0

//! A terminal that shows one screen, and is given back as it was.

use crate::error::words;
use rustix::event::{poll, PollFd, PollFlags};
use rustix::io::Errno;
use rustix::termios::{tcgetattr, tcgetwinsize, tcsetattr, OptionalActions, Termios};
use rustix::time::Timespec;
use signal_hook::consts::{SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGTSTP, SIGWINCH};
use signal_hook::low_level::{pipe, unregister};
use signal_hook::SigId;
use std::io::{self, stdin, stdout, IsTerminal, Read, Write};
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

/// The other screen, and no cursor.
const ENTER: &str = "\x1b[?1049h\x1b[?25l";
const LEAVE: &str = "\x1b[?25h\x1b[?1049l";
const HOME: &str = "\x1b[H";
const CLEAR_LINE: &str = "\x1b[K";
const CLEAR_BELOW: &str = "\x1b[J";
const CTRL_C: u8 = 3;
const CTRL_D: u8 = 4;

/// How a line looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Style {
    /// As any text.
    Plain,
    /// The title.
    Title,
    /// The beginning of something.
    Heading,
    /// Something is wrong.
    Alarm,
}

impl Style {
    fn code(self) -> &'static str {
        match self {
            Style::Plain => "",
            Style::Title => "\x1b[7m",
            Style::Heading => "\x1b[1m",
            Style::Alarm => "\x1b[1;31m",
        }
    }
}

/// A line of the screen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Line {
    /// How it looks.
    pub(crate) style: Style,
    /// What it says; no control characters.
    pub(crate) text: String,
}

/// Why the terminal has stopped waiting.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Woken {
    /// The time is over.
    Time,
    /// The other source has something to read.
    Source,
    /// The screen has another size, or what it showed may be gone.
    Resized,
    /// The user, or a signal, wants to end.
    Quit,
}

/// The terminal, in raw mode. It is given back on drop.
pub(crate) struct Terminal {
    before: Termios,
    end: UnixStream,
    resize: UnixStream,
    signals: Vec<SigId>,
}

impl Terminal {
    /// Takes the terminal of this process. The error is a sentence.
    pub(crate) fn open() -> Result<Self, String> {
        if !stdout().is_terminal() || !stdin().is_terminal() {
            return Err(
                "a live screen needs a terminal; \"ib-bond watch --once\" prints one screen".into(),
            );
        }
        let open = || -> io::Result<Self> {
            let (end, end_signal) = UnixStream::pair()?;
            let (resize, resize_signal) = UnixStream::pair()?;
            end.set_nonblocking(true)?;
            resize.set_nonblocking(true)?;
            let mut terminal = Terminal {
                before: tcgetattr(stdin())?,
                end,
                resize,
                signals: Vec::new(),
            };
            // From here on, a signal ends the program by way of `drop`. A stop would leave a raw terminal behind.
            for signal in [SIGINT, SIGTERM, SIGHUP, SIGQUIT] {
                let id = pipe::register(signal, end_signal.try_clone()?)?;
                terminal.signals.push(id);
            }
            for signal in [SIGWINCH, SIGTSTP] {
                let id = pipe::register(signal, resize_signal.try_clone()?)?;
                terminal.signals.push(id);
            }
            let mut raw = terminal.before.clone();
            raw.make_raw();
            tcsetattr(stdin(), OptionalActions::Flush, &raw)?;
            write(ENTER)?;
            Ok(terminal)
        };
        open().map_err(|error| {
            format!(
                "the terminal cannot be used: {}; \"ib-bond watch --once\" prints one screen",
                words(&error)
            )
        })
    }

    /// The number of columns and of rows; 80 and 24 if the terminal does not know.
    pub(crate) fn size(&self) -> (usize, usize) {
        match tcgetwinsize(stdout()) {
            Ok(size) if size.ws_col > 0 && size.ws_row > 0 => {
                (size.ws_col.into(), size.ws_row.into())
            }
            _ => (80, 24),
        }
    }

    /// Shows these lines, which must not be more than the rows.
    pub(crate) fn show(&self, lines: &[Line]) -> io::Result<()> {
        let mut text = HOME.to_string();
        for (row, line) in lines.iter().enumerate() {
            if row > 0 {
                text.push_str("\r\n");
            }
            let code = line.style.code();
            text.push_str(code);
            text.push_str(&line.text);
            if !code.is_empty() {
                text.push_str("\x1b[m");
            }
            text.push_str(CLEAR_LINE);
        }
        text.push_str(CLEAR_BELOW);
        write(&text)
    }

    /// Waits for the user, for a signal, for the source, or until this time.
    pub(crate) fn wait(&self, source: impl AsFd, until: Instant) -> io::Result<Woken> {
        loop {
            let left = until.saturating_duration_since(Instant::now());
            let input = stdin();
            let mut fds = [
                PollFd::new(&self.end, PollFlags::IN),
                PollFd::new(&self.resize, PollFlags::IN),
                PollFd::new(&input, PollFlags::IN),
                PollFd::new(&source, PollFlags::IN),
            ];
            match poll(&mut fds, Some(&timespec(left))) {
                Err(Errno::INTR) => continue,
                Err(error) => return Err(error.into()),
                Ok(0) if left.is_zero() => return Ok(Woken::Time),
                Ok(_) => {}
            }
            let is_ready = fds.map(|fd| !fd.revents().is_empty());
            if is_ready[0] {
                return Ok(Woken::Quit);
            }
            if is_ready[1] {
                let mut bytes = [0; 64];
                let _ = (&self.resize).read(&mut bytes);
                return Ok(Woken::Resized);
            }
            if is_ready[2] {
                let mut bytes = [0; 64];
                match rustix::io::read(&input, &mut bytes) {
                    Err(Errno::INTR | Errno::AGAIN) => {}
                    // The terminal is gone.
                    Err(_) | Ok(0) => return Ok(Woken::Quit),
                    Ok(count) => {
                        let is_end = |byte: &u8| matches!(*byte, b'q' | b'Q' | CTRL_C | CTRL_D);
                        if bytes[..count].iter().any(is_end) {
                            return Ok(Woken::Quit);
                        }
                    }
                }
            }
            if is_ready[3] {
                return Ok(Woken::Source);
            }
        }
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        // If the terminal is gone, there is nothing to give back.
        let _ = write(LEAVE);
        let _ = tcsetattr(stdin(), OptionalActions::Flush, &self.before);
        for signal in self.signals.drain(..) {
            unregister(signal);
        }
    }
}

fn write(text: &str) -> io::Result<()> {
    let mut output = stdout().lock();
    output.write_all(text.as_bytes())?;
    output.flush()
}

fn timespec(time: Duration) -> Timespec {
    // Rounded up: a wait that ends too early would begin again at once.
    let time = time + Duration::from_micros(999);
    Timespec {
        tv_sec: time.as_secs().try_into().unwrap_or(i64::MAX),
        tv_nsec: time.subsec_nanos().into(),
    }
}
