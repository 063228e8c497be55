// SPDX-License-Identifier: GPL-2.0

//! Subnet management packets (chapter 14 of the specification): every node's agent.

use crate::address::{Lid, PortId};
use crate::mad::Mad;
use crate::subnet::Subnet;

impl Subnet {
    /// Takes a packet that a port has sent from its queue pair 0 to a LID, which is
    /// [`Lid::PERMISSIVE`] for a directed route, and gives what comes back to that queue pair.
    /// The agents of all nodes answer here, so no packet travels to another adapter.
    pub fn smp(&mut self, from: PortId, _dlid: Lid, request: &Mad) -> Option<Mad> {
        self.agent(from, request)
    }

    /// Takes a packet for the agent of a port's own node, which `process_mad` is asked for.
    pub fn agent(&mut self, _port: PortId, _request: &Mad) -> Option<Mad> {
        None
    }
}
