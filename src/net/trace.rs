// SPDX-License-Identifier: GPL-2.0

//! The trace point `bonding:bond_event`.
//!
//! C header: [`include/linux/tracepoint.h`](srctree/include/linux/tracepoint.h)

use crate::bindings;
use crate::netdevice::NetDevice;
use core::fmt::{self, Write};

/// How long a text may be, in bytes.
const LENGTH: usize = 96;

/// A text that ends where there is no more room.
struct Buffer {
    text: [u8; LENGTH],
    len: usize,
}

impl Write for Buffer {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let free = self.text.get_mut(self.len..).unwrap_or_default();
        for (to, from) in free.iter_mut().zip(text.as_bytes()) {
            *to = *from;
            self.len = self.len.saturating_add(1);
        }
        Ok(())
    }
}

/// Traces what a device has decided. Any context; the text is made only if somebody traces.
pub fn bond_event(dev: &NetDevice, text: impl fmt::Display) {
    // SAFETY: No requirement.
    if !unsafe { bindings::nh_traces_bond_event() } {
        return;
    }
    let mut buffer = Buffer {
        text: [0; LENGTH],
        len: 0,
    };
    // A buffer takes what fits and never fails.
    let _ = write!(buffer, "{text}");
    // SAFETY: The device is allocated, and the text has so many bytes.
    unsafe { bindings::nh_trace_bond_event(dev.as_ptr(), buffer.text.as_ptr().cast(), buffer.len) };
}
