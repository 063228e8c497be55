// SPDX-License-Identifier: GPL-2.0

//! What nodes and ports report about themselves: attributes that subnet management packets carry,
//! and that the records of the subnet administrator contain.

use crate::address::{Gid, Guid, Lid, Pkey, PortId, MAX_PORTS};
use crate::mad::Fields;
use crate::quantity;
use crate::subnet::{NodeDescription, PkeyTable, Port, Subnet, MAX_PKEYS};

/// How many bytes of a subnet management packet an attribute has.
pub(crate) const ATTRIBUTE_SIZE: usize = 64;

/// The bytes of an attribute.
pub(crate) type Attribute = [u8; ATTRIBUTE_SIZE];

/// The number of LIDs in a block of the linear forwarding table.
pub(crate) const FORWARDING_BLOCK: u16 = 64;
/// Ports of a multicast forwarding entry, and entries of a block.
pub(crate) const MULTICAST_BLOCK: u16 = 32;
const NO_ROUTE: u8 = 0xff;

/// What the ports of channel adapters can do (CapabilityMask of PortInfo): the communication
/// manager, system image GUIDs, client reregistration, extended speeds.
pub const CAPABILITIES: u32 = 1 << 16 | 1 << 11 | 1 << 25 | 1 << 14;
const IS_SM: u32 = 1 << 1;

const SWITCH_NAME: &[u8] = b"vib switch";

/// A port of a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NodePort {
    /// A port of a channel adapter.
    Adapter(PortId),
    /// Port 0 of the switch, where its agent and the subnet manager are.
    Switch,
    /// The port of the switch that this port of an adapter is plugged into.
    Outer(PortId),
}

impl NodePort {
    /// The port of the switch with this number on it.
    pub(crate) fn of_switch(number: u8) -> Option<NodePort> {
        match number.checked_sub(1) {
            None => Some(NodePort::Switch),
            Some(index) => PortId::new(usize::from(index)).map(NodePort::Outer),
        }
    }
}

impl Subnet {
    /// All ports of channel adapters that are plugged in, and the switch's port 0.
    pub(crate) fn ends(&self) -> impl Iterator<Item = NodePort> + '_ {
        core::iter::once(NodePort::Switch)
            .chain(self.plugged().map(|(id, _)| NodePort::Adapter(id)))
    }

    /// The ends that packets get to.
    pub(crate) fn live_ends(&self) -> impl Iterator<Item = NodePort> + '_ {
        self.ends().filter(|&end| match end {
            NodePort::Adapter(id) => self.port(id).is_some_and(Port::is_up),
            _ => true,
        })
    }

    /// The LID by which a node's port is reached; the outer ports of a switch have that of port 0.
    pub(crate) fn lid_of(&self, at: NodePort) -> Lid {
        match at {
            NodePort::Adapter(id) => self.port(id).map_or(Lid::NONE, Port::lid),
            NodePort::Switch | NodePort::Outer(_) => self.sm_lid(),
        }
    }

    /// The GUID of a port.
    pub(crate) fn guid_of(&self, at: NodePort) -> Guid {
        match at {
            NodePort::Adapter(id) => self.port(id).map_or(Guid(0), |p| p.config().port_guid),
            NodePort::Switch | NodePort::Outer(_) => Subnet::SWITCH_GUID,
        }
    }

    /// The GID of a port.
    pub(crate) fn gid_of(&self, at: NodePort) -> Gid {
        Gid::of_port(self.prefix(), self.guid_of(at))
    }

    /// The number of a port on its node.
    pub(crate) fn number_of(&self, at: NodePort) -> u8 {
        match at {
            NodePort::Adapter(id) => self.port(id).map_or(0, |port| port.config().number),
            NodePort::Switch => 0,
            NodePort::Outer(id) => id.switch_port(),
        }
    }

    /// The port of the same channel adapter that has this number; 0 is the port itself.
    pub(crate) fn sibling(&self, id: PortId, number: u8) -> Option<PortId> {
        let own = self.port(id)?.config();
        if number == 0 || number == own.number {
            return Some(id);
        }
        self.plugged()
            .find(|(_, port)| {
                port.config().node_guid == own.node_guid && port.config().number == number
            })
            .map(|(id, _)| id)
    }

    /// The key table of a port; the switch is in the partition that everybody is in.
    pub(crate) fn pkeys_of(&self, at: NodePort) -> PkeyTable {
        match at {
            NodePort::Adapter(id) => match self.port(id) {
                Some(port) => port.config().pkeys,
                None => [Pkey::NONE; MAX_PKEYS],
            },
            NodePort::Switch | NodePort::Outer(_) => {
                let mut table = [Pkey::NONE; MAX_PKEYS];
                let [first, ..] = &mut table;
                *first = Pkey::DEFAULT;
                table
            }
        }
    }

    /// NodeDescription.
    pub(crate) fn node_description(&self, at: NodePort) -> NodeDescription {
        match at {
            NodePort::Adapter(id) => match self.port(id) {
                Some(port) => port.config().description,
                None => [0; ATTRIBUTE_SIZE],
            },
            NodePort::Switch | NodePort::Outer(_) => {
                let mut name = [0; ATTRIBUTE_SIZE];
                for (to, from) in name.iter_mut().zip(SWITCH_NAME) {
                    *to = *from;
                }
                name
            }
        }
    }

    /// NodeInfo, as seen by a packet that comes in at the port.
    pub(crate) fn node_info(&self, at: NodePort) -> Attribute {
        const ADAPTER: u8 = 1;
        const SWITCH: u8 = 2;
        let (kind, ports, node) = match at {
            NodePort::Adapter(id) => match self.port(id) {
                Some(port) => (ADAPTER, port.config().node_ports, port.config().node_guid),
                None => (ADAPTER, 0, Guid(0)),
            },
            NodePort::Switch | NodePort::Outer(_) => (SWITCH, MAX_PORTS as u8, Subnet::SWITCH_GUID),
        };
        let mut info = [0; ATTRIBUTE_SIZE];
        info.put_u8(0, 1); // base version
        info.put_u8(1, 1); // class version
        info.put_u8(2, kind);
        info.put_u8(3, ports);
        info.put_u64(4, node.0); // the system's
        info.put_u64(12, node.0);
        info.put_u64(20, self.guid_of(at).0);
        info.put_u16(28, MAX_PKEYS as u16);
        info.put_u8(36, self.number_of(at));
        info
    }

    /// PortInfo of a port, for a packet that came in at the port of the node with the number `local`.
    pub(crate) fn port_info(&self, at: NodePort, local: u8) -> Attribute {
        const WIDTH_4X: u8 = 2;
        const WIDTHS: u8 = 3; // 1x and 4x
        const SPEED_QDR: u8 = 4;
        const SPEEDS: u8 = 7; // SDR, DDR, QDR
        const SPEED_EDR: u8 = 2;
        const EXTENDED_SPEEDS: u8 = 3; // FDR, EDR
        const STATE_DOWN: u8 = 1;
        const STATE_ACTIVE: u8 = 4;
        const POLLING: u8 = 2;
        const LINK_UP: u8 = 5;

        let up = match at {
            NodePort::Switch => true,
            NodePort::Adapter(id) | NodePort::Outer(id) => self.port(id).is_some_and(Port::is_up),
        };
        let (state, physical) = if up {
            (STATE_ACTIVE, LINK_UP)
        } else {
            (STATE_DOWN, POLLING)
        };
        let mut info = [0; ATTRIBUTE_SIZE];
        // The outer ports of a switch have no address of their own.
        if !matches!(at, NodePort::Outer(_)) {
            let capabilities = match at {
                NodePort::Switch => CAPABILITIES | IS_SM,
                _ => CAPABILITIES,
            };
            info.put_u64(8, self.prefix());
            info.put_u16(16, self.lid_of(at).0);
            info.put_u16(18, self.sm_lid().0);
            info.put_u32(20, capabilities);
            info.put_u8(50, 1); // number of GUIDs
            info.put_u8(51, quantity::LIFETIME);
        }
        info.put_u8(28, local);
        info.put_u8(29, WIDTHS); // enabled
        info.put_u8(30, WIDTHS); // supported
        info.put_u8(31, WIDTH_4X);
        info.put_u8(32, SPEEDS << 4 | state);
        info.put_u8(33, physical << 4 | POLLING);
        info.put_u8(35, SPEED_QDR << 4 | SPEEDS);
        info.put_u8(36, quantity::PORT_MTU << 4);
        info.put_u8(37, 1 << 4); // one virtual lane
        info.put_u8(41, quantity::PORT_MTU);
        info.put_u8(43, 1 << 4); // which is in use
        info.put_u8(52, quantity::LIFETIME);
        info.put_u8(62, SPEED_EDR << 4 | EXTENDED_SPEEDS);
        info.put_u8(63, EXTENDED_SPEEDS);
        info
    }

    /// SwitchInfo.
    pub(crate) fn switch_info(&self) -> Attribute {
        let mut info = [0; ATTRIBUTE_SIZE];
        let top = self.ends().map(|end| self.lid_of(end).0).max();
        info.put_u16(0, Lid::MULTICAST.0); // capacity of the linear table
        info.put_u16(4, crate::multicast::MAX_GROUPS as u16);
        info.put_u16(6, top.unwrap_or(0));
        info.put_u8(8, NO_ROUTE);
        info.put_u8(9, NO_ROUTE);
        info.put_u8(10, NO_ROUTE);
        info.put_u8(11, 18 << 3); // lifetime of a packet in the switch
        info.put_u16(14, MAX_PKEYS as u16);
        info
    }

    /// GUIDInfo: the one GUID of a port, or a later block of the table.
    pub(crate) fn guid_info(&self, at: NodePort, block: u32) -> Attribute {
        let mut info = [0; ATTRIBUTE_SIZE];
        if block == 0 {
            info.put_u64(0, self.guid_of(at).0);
        }
        info
    }

    /// A block of a port's P_Key table.
    pub(crate) fn pkey_block(&self, at: NodePort, block: u16) -> Attribute {
        let mut bytes = [0; ATTRIBUTE_SIZE];
        if block == 0 {
            let mut place = 0usize;
            for pkey in self.pkeys_of(at) {
                bytes.put_u16(place, pkey.0);
                place = place.wrapping_add(2);
            }
        }
        bytes
    }

    /// A block of the switch's linear forwarding table.
    pub(crate) fn forwarding_block(&self, block: u16) -> Attribute {
        let mut ports = [NO_ROUTE; ATTRIBUTE_SIZE];
        for end in self.ends() {
            let lid = self.lid_of(end).0;
            if lid / FORWARDING_BLOCK == block {
                if let Some(port) = ports.get_mut(usize::from(lid % FORWARDING_BLOCK)) {
                    *port = match end {
                        NodePort::Adapter(id) => id.switch_port(),
                        _ => 0,
                    };
                }
            }
        }
        ports
    }

    /// A block of the switch's multicast forwarding table, of the 16 ports at a position.
    pub(crate) fn multicast_block(&self, block: u16, position: u8) -> Attribute {
        let mut masks = [0; ATTRIBUTE_SIZE];
        for place in 0..MULTICAST_BLOCK {
            let index = block.wrapping_mul(MULTICAST_BLOCK).wrapping_add(place);
            let mlid = Lid(Lid::MULTICAST.0.wrapping_add(index));
            let mut mask = 0u16;
            for id in self.multicast(mlid).iter() {
                if id.switch_port() / 16 == position {
                    mask |= 1u16.wrapping_shl(u32::from(id.switch_port() % 16));
                }
            }
            masks.put_u16(usize::from(place).wrapping_mul(2), mask);
        }
        masks
    }

    /// SMInfo of the subnet manager.
    pub(crate) fn sm_info(&self) -> Attribute {
        const MASTER: u8 = 3;
        const PRIORITY: u8 = 15;
        let mut info = [0; ATTRIBUTE_SIZE];
        info.put_u64(0, Subnet::SWITCH_GUID.0);
        info.put_u32(16, self.changes());
        info.put_u8(20, PRIORITY << 4 | MASTER);
        info
    }
}
