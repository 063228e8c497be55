// SPDX-License-Identifier: GPL-2.0

//! The tracepoint `bonding:bond_event`.
//!
//! C header: [`include/linux/tracepoint.h`](srctree/include/linux/tracepoint.h)

use crate::bindings;
use crate::buffer::Buffer;
use crate::netdevice::IFNAMSIZ;
use core::fmt::{self, Write};

/// The maximum length of a text, in bytes, including a NUL.
const LENGTH: usize = 97;

/// Traces what the device `name` has decided. Neither `name` nor `text` may have control
/// characters, since people read them. Any context; the texts are made only if somebody traces.
pub fn bond_event(name: impl fmt::Display, text: impl fmt::Display) {
    // SAFETY: There are no requirements.
    if !unsafe { bindings::nh_traces_bond_event() } {
        return;
    }
    let (mut bond, mut what) = (Buffer::<IFNAMSIZ>::new(), Buffer::<LENGTH>::new());
    // A buffer takes what fits, and never fails.
    let _ = write!(bond, "{name}");
    let _ = write!(what, "{text}");
    // SAFETY: Each text has as many bytes as its length says.
    unsafe { bindings::nh_trace_bond_event(bond.as_ptr(), bond.len(), what.as_ptr(), what.len()) };
}
