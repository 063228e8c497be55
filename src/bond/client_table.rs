// SPDX-License-Identifier: GPL-2.0

//! What a balance-alb bond knows of its clients, and how that is shown. `clients.rs` fills and reads
//! it.

use core::fmt;
use kernel::prelude::*;
use kernel::sync::Arc;
use net::netdevice::Name;
use net::new_bh_lock;
use net::sync::BhLock;
use policy::balance::SlaveId;
use policy::clients::{Client, Clients};
use policy::name::Printable;

/// The clients of a bond, for the bond and for the file that shows them.
#[pin_data]
pub(crate) struct ClientTable {
    #[pin]
    pub(super) state: BhLock<State>,
}

pub(super) struct State {
    /// Empty until the first slave joins in balance-alb mode.
    pub(super) clients: KVVec<Client>,
    /// The names of the slaves, for the file.
    pub(super) names: KVec<(SlaveId, Name)>,
}

impl ClientTable {
    /// Makes an empty table. May sleep.
    pub(super) fn new() -> Result<Arc<Self>> {
        Arc::pin_init(
            pin_init!(Self {
                state <- new_bh_lock!(
                    State { clients: KVVec::new(), names: KVec::new() },
                    "Bond::clients"
                ),
            }),
            GFP_KERNEL,
        )
    }
}

impl fmt::Display for ClientTable {
    /// Writes a line for each client, as the in-tree driver does. Process context.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let count = self.state.with(|state| state.clients.len());
        if count == 0 {
            return Ok(());
        }
        writeln!(f, "SourceIP        DestinationIP   Destination MAC   DEV")?;
        for place in 0..count {
            // The lock is not held while the text is made.
            let found = self.state.with(|state| {
                let known = Clients(&mut state.clients).known_at(place)?;
                let mut names = state.names.iter();
                let name = names.find(|(slave, _)| Some(*slave) == known.slave);
                Some((known, name.map(|(_, name)| *name)))
            });
            let Some((known, name)) = found else {
                continue;
            };
            let addr = known.addr.unwrap_or_default();
            let [a, b, c, d, e, g] = addr;
            write!(
                f,
                "{:<15} {:<15} {a:02x}:{b:02x}:{c:02x}:{d:02x}:{e:02x}:{g:02x} ",
                known.pair.ours, known.pair.theirs
            )?;
            match name {
                Some(name) => writeln!(f, "{}", Printable(name.as_bytes()))?,
                None => writeln!(f, "(none)")?,
            }
        }
        Ok(())
    }
}
