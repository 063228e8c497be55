// SPDX-License-Identifier: GPL-2.0

//! The switch that all ports are plugged into: the subnet's state, and the way to a port's adapter.

use crate::hca::Hca;
use core::sync::atomic::{AtomicBool, AtomicU32};
use fabric::{Gid, Lid, Pkey, PortId, Subnet, MAX_PORTS};
use kernel::sync::Arc;
use rdma::sync::StaticLock;

/// The subnet. While it is locked, take no other lock, and call nothing that may take one.
pub(crate) static SUBNET: StaticLock<Subnet> = StaticLock::new(Subnet::new());

/// A fault: the subnet administrator does not answer.
pub(crate) static SILENT_ADMINISTRATOR: AtomicBool = AtomicBool::new(false);

/// A fault: the subnet administrator's answers arrive this many ms late.
pub(crate) static ADMINISTRATOR_DELAY: AtomicU32 = AtomicU32::new(0);

/// Which port of which adapter is plugged in where.
static PLUGGED: StaticLock<[Option<Jack>; MAX_PORTS]> =
    StaticLock::new([const { None }; MAX_PORTS]);

/// A port of an adapter.
#[derive(Clone)]
pub(crate) struct Jack {
    /// The adapter.
    pub(crate) hca: Arc<Hca>,
    /// The number of the port on the adapter, from 1.
    pub(crate) port: u32,
}

/// Records what is plugged in.
pub(crate) fn plug(id: PortId, jack: Option<Jack>) {
    let old = match PLUGGED.lock().get_mut(id.index()) {
        Some(place) => core::mem::replace(place, jack),
        None => return,
    };
    // Not under the lock, since this may be the last reference.
    drop(old);
}

/// Returns what is plugged in.
pub(crate) fn jack(id: PortId) -> Option<Jack> {
    PLUGGED.lock().get(id.index())?.clone()
}

/// What a sender's port adds to a packet.
#[derive(Clone, Copy)]
pub(crate) struct Origin {
    pub(crate) lid: Lid,
    pub(crate) gid: Gid,
    pub(crate) pkey: Pkey,
}

/// What a port puts into the packets that it sends with a P_Key; none if its link is down, or if it
/// does not have the key.
pub(crate) fn origin(subnet: &Subnet, id: PortId, pkey_index: u16) -> Option<Origin> {
    let port = subnet.port(id).filter(|port| port.is_up())?;
    let pkey = *port.config().pkeys.get(usize::from(pkey_index))?;
    let gid = Gid::of_port(subnet.prefix(), port.config().port_guid);
    let lid = port.lid();
    pkey.is_valid().then_some(Origin { lid, gid, pkey })
}

/// The key at that place in a port's table.
pub(crate) fn pkey(id: PortId, index: u16) -> Option<Pkey> {
    let subnet = SUBNET.lock();
    subnet
        .port(id)?
        .config()
        .pkeys
        .get(usize::from(index))
        .copied()
}

/// The place of a key that lets the port talk to the holder of `pkey`.
pub(crate) fn matching_pkey(id: PortId, pkey: Pkey) -> Option<u16> {
    let subnet = SUBNET.lock();
    let mut keys = subnet.port(id)?.config().pkeys.iter();
    keys.position(|key| key.matches(pkey))
        .map(|index| index as u16)
}
