// SPDX-License-Identifier: GPL-2.0

//! Subnet management packets (chapter 14 of the specification): the agents of all nodes.

use crate::address::{Lid, PortId};
use crate::attribute::{Attribute, NodePort};
use crate::mad::{class, method, Fields, Header, Mad, Status};
use crate::subnet::{Destination, Port, Subnet};

const NODE_DESCRIPTION: u16 = 0x0010;
const NODE_INFO: u16 = 0x0011;
const SWITCH_INFO: u16 = 0x0012;
const GUID_INFO: u16 = 0x0014;
const PORT_INFO: u16 = 0x0015;
const PKEY_TABLE: u16 = 0x0016;
const LINEAR_FORWARDING: u16 = 0x0019;
const MULTICAST_FORWARDING: u16 = 0x001b;
const SM_INFO: u16 = 0x0020;

/// The bit of the status that says that a directed route packet is on its way back.
const RETURNING: u16 = 0x8000;
const HOP_POINTER: usize = 6;
const HOP_COUNT: usize = 7;
const DATA: usize = 64;
const INITIAL_PATH: usize = 128;
const RETURN_PATH: usize = 192;
/// A path has places for the ports of 63 hops; the first is not used.
const PATH_SIZE: u8 = 64;

impl Subnet {
    /// Takes a packet that a port has sent from its queue pair 0 to a LID, which is
    /// [`Lid::PERMISSIVE`] for a directed route, and returns what comes back to that queue pair.
    /// The agents of all nodes answer here, so no packet travels to another adapter.
    pub fn smp(&self, from: PortId, dlid: Lid, request: &Mad) -> Option<Mad> {
        if !self.port(from).is_some_and(Port::is_up) {
            return None;
        }
        if request.class() == class::SUBNET_DIRECTED {
            return self.walk(from, dlid, request);
        }
        self.agent_at(self.entrance(from, dlid)?, request)
    }

    /// Takes a packet for the agent of a port's own node, as `process_mad` gets it.
    pub fn agent(&self, port: PortId, request: &Mad) -> Option<Mad> {
        self.port(port)?;
        self.agent_at(NodePort::Adapter(port), request)
    }

    /// Follows a directed route hop by hop. A part that is routed by LID may come before it.
    fn walk(&self, from: PortId, dlid: Lid, request: &Mad) -> Option<Mad> {
        const SOURCE_LID: usize = 32;
        const DESTINATION_LID: usize = 34;
        let permissive = |at| Lid(request.u16_at(at)) == Lid::PERMISSIVE;
        let hops = request.u8_at(HOP_COUNT);
        let returning = request.u16_at(4) & RETURNING != 0;
        if returning || hops >= PATH_SIZE || !permissive(DESTINATION_LID) {
            return None;
        }
        let (mut at, first) = if permissive(SOURCE_LID) {
            // The sender has done the first hop: out of its own port.
            (NodePort::Outer(from), 1)
        } else {
            (self.entrance(from, dlid)?, 0)
        };
        if request.u8_at(HOP_POINTER) != first || hops < first {
            return None;
        }
        let mut packet = *request;
        let mut hop = first;
        loop {
            let place = usize::from(hop);
            if hop > 0 {
                packet.put_u8(RETURN_PATH.wrapping_add(place), self.number_of(at));
            }
            if hop == hops {
                break;
            }
            let out = packet.u8_at(INITIAL_PATH.wrapping_add(place).wrapping_add(1));
            at = self.across(at, out, hop == 0)?;
            hop = hop.wrapping_add(1);
        }
        let mut answer = self.agent_at(at, &packet)?;
        // The answer, as it arrives at the port that has sent the request.
        answer.put_u8(HOP_POINTER, first);
        Some(answer)
    }

    /// The other end of the cable at one of a node's ports. A channel adapter sends out of its own
    /// port, and forwards nothing; the switch has nothing behind its port 0.
    fn across(&self, at: NodePort, out: u8, is_first: bool) -> Option<NodePort> {
        match at {
            NodePort::Adapter(id) => {
                (is_first && out == self.number_of(at)).then_some(NodePort::Outer(id))
            }
            NodePort::Switch | NodePort::Outer(_) => match NodePort::of_switch(out)? {
                NodePort::Outer(id) if self.port(id)?.is_up() => Some(NodePort::Adapter(id)),
                _ => None,
            },
        }
    }

    /// The port at which a packet comes in that is routed by LID.
    fn entrance(&self, from: PortId, dlid: Lid) -> Option<NodePort> {
        Some(match self.route(dlid)? {
            Destination::Port(id) => NodePort::Adapter(id),
            Destination::Switch => NodePort::Outer(from),
        })
    }

    /// The answer of a node's agent to a packet that comes in at one of its ports.
    fn agent_at(&self, at: NodePort, request: &Mad) -> Option<Mad> {
        let directed = match request.class() {
            class::SUBNET => false,
            class::SUBNET_DIRECTED => true,
            _ => return None,
        };
        let value = match request.method() {
            _ if request.base_version() != 1 || request.class_version() != 1 => {
                Err(Status::BadVersion)
            }
            method::GET => self.attribute(at, request.attribute(), request.modifier()),
            // The subnet manager makes all settings by itself.
            method::SET => Err(Status::BadMethod),
            _ => return None,
        };
        let mut answer = *request;
        answer.set_method(method::GET | method::RESPONSE);
        let mut status = Status::Ok as u16;
        match value {
            Ok(value) => answer.put(DATA, value),
            Err(refused) => status = refused as u16,
        }
        answer.set_status(if directed { status | RETURNING } else { status });
        Some(answer)
    }

    fn attribute(&self, at: NodePort, attribute: u16, modifier: u32) -> Result<Attribute, Status> {
        let is_switch = !matches!(at, NodePort::Adapter(_));
        let low = modifier as u16;
        let high = modifier.wrapping_shr(16) as u16;
        Ok(match attribute {
            NODE_DESCRIPTION => self.node_description(at),
            NODE_INFO => self.node_info(at),
            GUID_INFO => {
                let at = if is_switch { NodePort::Switch } else { at };
                self.guid_info(at, modifier)
            }
            PORT_INFO => self.port_info(self.port_of_node(at, modifier)?, self.number_of(at)),
            PKEY_TABLE if is_switch => {
                self.pkey_block(self.port_of_node(at, u32::from(high))?, low)
            }
            PKEY_TABLE => self.pkey_block(at, low),
            SWITCH_INFO if is_switch => self.switch_info(),
            LINEAR_FORWARDING if is_switch => self.forwarding_block(low),
            MULTICAST_FORWARDING if is_switch => {
                let position = modifier.wrapping_shr(28) as u8;
                self.multicast_block(low & 0x1ff, position)
            }
            SM_INFO if is_switch => self.sm_info(),
            _ => return Err(Status::BadAttribute),
        })
    }

    /// The port of a node that a modifier means. For an adapter, 0 means the port at which the
    /// packet came in; for a switch, the port of its agent.
    fn port_of_node(&self, at: NodePort, number: u32) -> Result<NodePort, Status> {
        let number = u8::try_from(number).map_err(|_| Status::BadValue)?;
        match at {
            NodePort::Adapter(id) => self.sibling(id, number).map(NodePort::Adapter),
            NodePort::Switch | NodePort::Outer(_) => NodePort::of_switch(number),
        }
        .ok_or(Status::BadValue)
    }
}
