// SPDX-License-Identifier: GPL-2.0

//! What the users of a port must be told.

use crate::address::{PortId, PortSet};

/// Something that happened to a port (the asynchronous events of chapter 11.6.3 of the
/// specification; `enum ib_event_type` in the kernel).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// The link has gone.
    PortError,
    /// The port has another LID.
    LidChange,
    /// An entry of the P_Key table has changed.
    PkeyChange,
    /// The GID has changed.
    GidChange,
    /// The subnet manager is at another LID.
    SmChange,
    /// The subnet manager has forgotten what the port had registered.
    ClientReregister,
    /// The link is there, and the subnet manager has made the port active.
    PortActive,
}

impl Event {
    /// All of them, in the order in which they are dispatched.
    pub const ALL: [Event; 7] = [
        Event::PortError,
        Event::LidChange,
        Event::PkeyChange,
        Event::GidChange,
        Event::SmChange,
        Event::ClientReregister,
        Event::PortActive,
    ];
}

/// Who must be told what, after a change of the subnet that has already happened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[must_use = "users of a port that are not told of a change are cut off"]
pub struct Events {
    ports: [PortSet; Event::ALL.len()],
}

impl Events {
    /// Nobody has to be told anything.
    pub const NONE: Events = Events {
        ports: [PortSet::EMPTY; Event::ALL.len()],
    };

    /// One event at one port.
    pub(crate) fn one(port: PortId, event: Event) -> Events {
        Events::NONE.and(port, event)
    }

    /// And another one.
    pub(crate) fn and(mut self, port: PortId, event: Event) -> Events {
        if let Some(ports) = self.ports.get_mut(event as usize) {
            ports.insert(port);
        }
        self
    }

    /// Whether there is nothing to dispatch.
    pub fn is_empty(&self) -> bool {
        self.ports.iter().all(|ports| ports.is_empty())
    }

    /// What to dispatch, in this order.
    pub fn iter(&self) -> impl Iterator<Item = (PortId, Event)> + '_ {
        Event::ALL
            .iter()
            .zip(self.ports.iter())
            .flat_map(|(&event, ports)| ports.iter().map(move |port| (port, event)))
    }
}
