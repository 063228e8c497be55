// SPDX-License-Identifier: GPL-2.0

//! The subnet: what is plugged into the switch, and in which state.

use crate::address::{Gid, Guid, Lid, Pkey, PortId, PortSet, MAX_PORTS};
use crate::event::{Event, Events};
use crate::loss::Loss;
use crate::multicast::Groups;
use crate::sa::{Services, Transfers};

/// The length of a port's P_Key table: one block of it.
pub const MAX_PKEYS: usize = 32;

/// The name of a node, filled up with zeroes.
pub type NodeDescription = [u8; 64];

/// A port's P_Key table.
pub type PkeyTable = [Pkey; MAX_PKEYS];

/// What a port reports about itself when it is plugged in.
#[derive(Clone, Copy, Debug)]
pub struct PortConfig {
    /// The channel adapter's GUID.
    pub node_guid: Guid,
    /// The port's GUID.
    pub port_guid: Guid,
    /// The port's number on its adapter, from 1.
    pub number: u8,
    /// How many ports the adapter has.
    pub node_ports: u8,
    /// The adapter's name.
    pub description: NodeDescription,
    /// The partitions that the port is in.
    pub pkeys: PkeyTable,
}

/// A port of a channel adapter.
#[derive(Clone, Copy, Debug)]
pub struct Port {
    config: PortConfig,
    lid: Lid,
    plugged: bool,
    up: bool,
    loss: Loss,
}

impl Port {
    const EMPTY: Port = Port {
        config: PortConfig {
            node_guid: Guid(0),
            port_guid: Guid(0),
            number: 0,
            node_ports: 0,
            description: [0; 64],
            pkeys: [Pkey::NONE; MAX_PKEYS],
        },
        lid: Lid::NONE,
        plugged: false,
        up: false,
        loss: Loss::NONE,
    };

    /// The port's LID.
    pub const fn lid(&self) -> Lid {
        self.lid
    }

    /// Whether the link is there; a port whose link is there is active at once.
    pub const fn is_up(&self) -> bool {
        self.up
    }

    /// How many packets are to be lost, and how many in a thousand.
    pub const fn losses(&self) -> (u32, u16) {
        (self.loss.next, self.loss.per_mille)
    }

    /// What the port has reported about itself, with the changes since then.
    pub const fn config(&self) -> &PortConfig {
        &self.config
    }

    /// The keys in the port's table.
    pub(crate) fn pkeys(&self) -> impl Iterator<Item = Pkey> + '_ {
        self.config.pkeys.iter().copied().filter(|k| k.is_valid())
    }
}

/// Why a change of the subnet is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refused {
    /// Every port of the switch is taken.
    SwitchFull,
    /// A port with that GUID is plugged in already.
    GuidInUse,
    /// Nothing is plugged in there.
    NoSuchPort,
    /// Another port has that LID.
    LidInUse,
    /// A port cannot have that LID.
    NotUnicast,
    /// The P_Key table is not that long.
    NoSuchIndex,
    /// More than all packets cannot be lost.
    TooMuch,
}

/// Where a packet goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Destination {
    /// To a port of a channel adapter.
    Port(PortId),
    /// To the switch itself, where the subnet manager and administrator are.
    Switch,
}

/// A subnet of one switch. It is large (tens of kilobytes): put it into a static, not on a stack.
#[derive(Debug)]
pub struct Subnet {
    ports: [Port; MAX_PORTS],
    /// The LIDs of the ports that are plugged in, kept separately for the data path.
    lids: [Lid; MAX_PORTS],
    /// The ports whose link is up.
    up: PortSet,
    sm_lid: Lid,
    prefix: u64,
    /// Counts the changes, so that long answers can tell when they are out of date.
    changes: u32,
    pub(crate) groups: Groups,
    pub(crate) services: Services,
    pub(crate) transfers: Transfers,
}

impl Subnet {
    /// The GUID of the switch, and of its port 0.
    pub const SWITCH_GUID: Guid = Guid(0x0276_6962_0000_0000);

    /// A switch that nothing is plugged into.
    pub const fn new() -> Subnet {
        Subnet {
            ports: [Port::EMPTY; MAX_PORTS],
            lids: [Lid::NONE; MAX_PORTS],
            up: PortSet::EMPTY,
            sm_lid: Lid(1),
            prefix: 0xfe80_0000_0000_0000,
            changes: 0,
            groups: Groups::new(),
            services: Services::new(),
            transfers: Transfers::new(),
        }
    }

    /// Plugs a port in; [`Subnet::set_link`] then brings its link up and makes it active.
    /// A port that comes back gets its old place and, if still free, its old LID.
    pub fn add_port(&mut self, config: &PortConfig) -> Result<PortId, Refused> {
        let known = |port: &Port| port.lid != Lid::NONE;
        let same = |port: &Port| known(port) && port.config.port_guid == config.port_guid;
        if self.ports.iter().any(|p| p.plugged && same(p)) {
            return Err(Refused::GuidInUse);
        }
        let index = (self.ports.iter().position(same))
            .or_else(|| self.ports.iter().position(|p| !known(p)))
            .or_else(|| self.ports.iter().position(|p| !p.plugged))
            .ok_or(Refused::SwitchFull)?;
        let id = PortId::new(index).ok_or(Refused::SwitchFull)?;
        let had = self.ports.get(index).filter(|p| same(p)).map(|p| p.lid);
        let lid = had
            .filter(|&lid| self.lid_is_free(lid))
            .or_else(|| self.free_lid(index))
            .ok_or(Refused::SwitchFull)?;
        if let (Some(port), Some(entry)) = (self.ports.get_mut(index), self.lids.get_mut(index)) {
            port.config = *config;
            port.lid = lid;
            port.plugged = true;
            port.up = false;
            port.loss = Loss::NONE;
            *entry = lid;
        }
        self.has_changed();
        for pkey in config.pkeys {
            self.groups.add_partition(pkey);
        }
        Ok(id)
    }

    /// Unplugs a port. Nobody is left to be told.
    pub fn remove_port(&mut self, id: PortId) {
        self.has_changed();
        self.groups.forget_port(id);
        if let Some(gid) = self.gid(id) {
            self.services.forget_gid(gid);
        }
        self.up.remove(id);
        if let Some(port) = self.ports.get_mut(id.index()) {
            port.plugged = false;
            port.up = false;
        }
        if let Some(lid) = self.lids.get_mut(id.index()) {
            *lid = Lid::NONE;
        }
    }

    /// The port that is plugged in there.
    pub fn port(&self, id: PortId) -> Option<&Port> {
        self.ports.get(id.index()).filter(|p| p.plugged)
    }

    fn port_mut(&mut self, id: PortId) -> Result<&mut Port, Refused> {
        self.ports
            .get_mut(id.index())
            .filter(|p| p.plugged)
            .ok_or(Refused::NoSuchPort)
    }

    /// The ports that are plugged in.
    pub(crate) fn plugged(&self) -> impl Iterator<Item = (PortId, &Port)> + '_ {
        (0..MAX_PORTS)
            .filter_map(PortId::new)
            .filter_map(|id| self.port(id).map(|port| (id, port)))
    }

    /// The LID of the subnet manager and administrator.
    pub const fn sm_lid(&self) -> Lid {
        self.sm_lid
    }

    /// The upper half of all GIDs.
    pub const fn prefix(&self) -> u64 {
        self.prefix
    }

    /// The GID of a port.
    pub fn gid(&self, id: PortId) -> Option<Gid> {
        self.port(id)
            .map(|p| Gid::of_port(self.prefix, p.config.port_guid))
    }

    /// Cuts a link, or mends it. The subnet manager takes a port whose link has gone out of its
    /// multicast groups, and makes a port whose link is back active at once.
    pub fn set_link(&mut self, id: PortId, up: bool) -> Result<Events, Refused> {
        let port = self.port_mut(id)?;
        if port.up == up {
            return Ok(Events::NONE);
        }
        port.up = up;
        self.has_changed();
        if up {
            self.up.insert(id);
            Ok(Events::one(id, Event::PortActive))
        } else {
            self.up.remove(id);
            self.groups.forget_port(id);
            Ok(Events::one(id, Event::PortError))
        }
    }

    /// Gives a port another LID. The other ports' users are not told: on a real fabric, they find
    /// out by themselves, or from a client reregister event.
    pub fn set_lid(&mut self, id: PortId, lid: Lid) -> Result<Events, Refused> {
        let port = self.port(id).ok_or(Refused::NoSuchPort)?;
        if port.lid == lid {
            return Ok(Events::NONE);
        }
        if !lid.is_unicast() {
            return Err(Refused::NotUnicast);
        }
        if !self.lid_is_free(lid) {
            return Err(Refused::LidInUse);
        }
        self.port_mut(id)?.lid = lid;
        self.has_changed();
        if let Some(entry) = self.lids.get_mut(id.index()) {
            *entry = lid;
        }
        Ok(Events::one(id, Event::LidChange))
    }

    /// Changes an entry of a port's P_Key table; [`Pkey::NONE`] empties it. A port that leaves a
    /// partition leaves its multicast groups.
    pub fn set_pkey(&mut self, id: PortId, index: usize, pkey: Pkey) -> Result<Events, Refused> {
        let entry = (self.port_mut(id)?.config.pkeys)
            .get_mut(index)
            .ok_or(Refused::NoSuchIndex)?;
        if *entry == pkey {
            return Ok(Events::NONE);
        }
        let old = core::mem::replace(entry, pkey);
        self.has_changed();
        self.groups.add_partition(pkey);
        if !self.has_partition(id, old) {
            self.groups.leave_partition(id, old);
        }
        Ok(Events::one(id, Event::PkeyChange))
    }

    /// Makes a port lose the next packets that it would receive; [`u32::MAX`]: all of them.
    pub fn set_drop(&mut self, id: PortId, packets: u32) -> Result<(), Refused> {
        self.port_mut(id)?.loss.next = packets;
        Ok(())
    }

    /// Makes a port lose that many in a thousand of the packets that it would receive. The sequence
    /// is the same each time that a port is plugged in.
    pub fn set_loss(&mut self, id: PortId, per_mille: u16) -> Result<(), Refused> {
        if per_mille > 1000 {
            return Err(Refused::TooMuch);
        }
        self.port_mut(id)?.loss.per_mille = per_mille;
        Ok(())
    }

    /// Whether the packet that a port is about to receive is lost. Asked once for each packet.
    pub fn loses(&mut self, id: PortId) -> bool {
        self.port_mut(id).is_ok_and(|port| port.loss.loses())
    }

    /// Moves the subnet manager to another LID.
    pub fn set_sm_lid(&mut self, lid: Lid) -> Result<Events, Refused> {
        if lid == self.sm_lid {
            return Ok(Events::NONE);
        }
        if !lid.is_unicast() {
            return Err(Refused::NotUnicast);
        }
        if !self.lid_is_free(lid) {
            return Err(Refused::LidInUse);
        }
        self.sm_lid = lid;
        self.has_changed();
        Ok(self.tell_everybody(Event::SmChange))
    }

    /// Gives the subnet another prefix, and so every port another GID.
    pub fn set_prefix(&mut self, prefix: u64) -> Events {
        if prefix == self.prefix {
            return Events::NONE;
        }
        self.prefix = prefix;
        self.has_changed();
        self.tell_everybody(Event::GidChange)
    }

    /// Restarts the subnet manager: it forgets who is in which multicast group, and which services
    /// there are, and asks everybody to register again.
    pub fn restart_sm(&mut self) -> Events {
        self.has_changed();
        self.groups.forget_members();
        self.services.forget();
        self.tell_everybody(Event::ClientReregister)
    }

    /// How often the subnet has changed.
    pub(crate) fn changes(&self) -> u32 {
        self.changes
    }

    pub(crate) fn has_changed(&mut self) {
        self.changes = self.changes.wrapping_add(1);
    }

    fn tell_everybody(&self, event: Event) -> Events {
        self.up
            .iter()
            .fold(Events::NONE, |events, id| events.and(id, event))
    }

    /// Where a packet for a unicast LID goes; none if the LID, or the link there, does not exist.
    pub fn route(&self, lid: Lid) -> Option<Destination> {
        if lid == self.sm_lid {
            return Some(Destination::Switch);
        }
        let id = self.owner(lid)?;
        self.up.contains(id).then_some(Destination::Port(id))
    }

    /// The ports to which a packet for a multicast LID is copied, including the sender's own if it
    /// is a member. The channel adapter then finds the queue pairs that want the GID.
    pub fn multicast(&self, mlid: Lid) -> PortSet {
        self.groups.receivers(mlid)
    }

    /// The port that has the LID, whether or not its link is there.
    pub(crate) fn owner(&self, lid: Lid) -> Option<PortId> {
        if lid == Lid::NONE {
            return None;
        }
        PortId::new(self.lids.iter().position(|&entry| entry == lid)?)
    }

    /// Whether the port is a member of the partition, full or limited.
    pub(crate) fn has_partition(&self, id: PortId, pkey: Pkey) -> bool {
        self.port(id)
            .is_some_and(|port| port.pkeys().any(|key| key.same_partition(pkey)))
    }

    fn lid_is_free(&self, lid: Lid) -> bool {
        lid != self.sm_lid && self.owner(lid).is_none()
    }

    /// A LID that no port has or, so that ports that come back get theirs, has had.
    fn free_lid(&self, place: usize) -> Option<Lid> {
        let reserved = |lid| {
            let mut others = (0..MAX_PORTS).zip(&self.ports).filter(|&(i, _)| i != place);
            others.any(|(_, port)| port.lid == lid)
        };
        (1..Lid::MULTICAST.0)
            .map(Lid)
            .find(|&lid| self.lid_is_free(lid) && !reserved(lid))
    }
}

impl Default for Subnet {
    fn default() -> Self {
        Subnet::new()
    }
}
