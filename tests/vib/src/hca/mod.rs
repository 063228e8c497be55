// SPDX-License-Identifier: GPL-2.0

//! Channel adapters.

mod connection;
mod datagram;
mod delay;
mod provider;
mod qp;
mod slots;
mod table;

use crate::switch;
use core::sync::atomic::{AtomicU32, Ordering};
use fabric::{Guid, NodeDescription, Pkey, PkeyTable, PortConfig, PortId, MAX_PKEYS};
use kernel::prelude::*;
use kernel::sync::Arc;
use rdma::irq_lock;
use rdma::sync::IrqLock;
use rdma::work::Timer;

use delay::Line;
pub(crate) use qp::Qp;
pub(crate) use slots::Slots;
use table::{Groups, Regions, Table};

/// How many adapters there can be.
pub(crate) const MAX_HCAS: usize = 16;
/// How many ports an adapter can have.
pub(crate) const MAX_HCA_PORTS: usize = 4;

/// A channel adapter.
#[pin_data]
pub(crate) struct Hca {
    /// Where the adapter's ports are plugged in.
    ports: [Option<PortId>; MAX_HCA_PORTS],
    /// How late datagrams reach the ports, in ms.
    delays: [AtomicU32; MAX_HCA_PORTS],
    #[pin]
    line: IrqLock<Line>,
    #[pin]
    timer: Timer<Hca>,
    #[pin]
    qps: IrqLock<Table>,
    #[pin]
    regions: IrqLock<Regions>,
    #[pin]
    groups: IrqLock<Groups>,
}

/// The GUID of an adapter (port 0), or of one of its ports.
fn guid(index: usize, port: usize) -> Guid {
    // Locally administered, with the letters "vib".
    Guid(0x0276_6962_0001_0000 | ((index as u64) << 8) | port as u64)
}

fn node_description(index: usize) -> NodeDescription {
    let digit = |n: usize| Some(b'0'.wrapping_add((n & 15) as u8));
    let number = match index.checked_sub(10) {
        None => [None, digit(index)],
        Some(rest) => [digit(1), digit(rest)],
    };
    let name = Iterator::chain(b"vib".iter(), number.iter().flatten());
    let mut text = [0; 64];
    let letters = Iterator::chain(name, b" HCA-1");
    text.iter_mut()
        .zip(letters)
        .for_each(|(to, from)| *to = *from);
    text
}

impl Hca {
    /// Makes an adapter and plugs its ports in; their links are there at once. Sleeps.
    fn new(index: usize, ports: usize, pkeys: &PkeyTable) -> Result<Arc<Self>> {
        let mut plugged = [None; MAX_HCA_PORTS];
        for (i, place) in plugged.iter_mut().enumerate().take(ports) {
            let config = PortConfig {
                node_guid: guid(index, 0),
                port_guid: guid(index, i.wrapping_add(1)),
                number: i.wrapping_add(1) as u8,
                node_ports: ports as u8,
                description: node_description(index),
                pkeys: *pkeys,
            };
            let mut subnet = switch::SUBNET.lock();
            match subnet.add_port(&config) {
                Ok(id) => {
                    *place = Some(id);
                    // There is nobody to tell yet.
                    let _ = subnet.set_link(id, true);
                }
                Err(_) => {
                    drop(subnet);
                    unplug(&plugged);
                    return Err(ENOSPC);
                }
            }
        }
        let new = || -> Result<Arc<Self>> {
            let (table, regions, groups) = (Table::new()?, Regions::new()?, Groups::new()?);
            let line = Line::new()?;
            Arc::pin_init(
                pin_init!(Self {
                    ports: plugged,
                    delays: [const { AtomicU32::new(0) }; MAX_HCA_PORTS],
                    line <- irq_lock!(line, c"vib_line"),
                    timer <- Timer::new(),
                    qps <- irq_lock!(table, c"vib_qps"),
                    regions <- irq_lock!(regions, c"vib_regions"),
                    groups <- irq_lock!(groups, c"vib_groups"),
                }),
                GFP_KERNEL,
            )
        };
        let hca = new().inspect_err(|_| unplug(&plugged))?;
        for (i, id) in plugged.iter().enumerate() {
            if let Some(id) = *id {
                let (hca, port) = (hca.clone(), i.wrapping_add(1) as u32);
                switch::plug(id, Some(switch::Jack { hca, port }));
            }
        }
        Ok(hca)
    }

    /// Unplugs the adapter's ports.
    fn unplug(&self) {
        unplug(&self.ports);
        delay::close(self);
    }

    fn delay_of(&self, port: u32) -> Option<&AtomicU32> {
        self.delays.get((port as usize).wrapping_sub(1))
    }

    /// How late datagrams reach a port, in ms.
    pub(crate) fn delay(&self, port: u32) -> u32 {
        self.delay_of(port)
            .map_or(0, |delay| delay.load(Ordering::Relaxed))
    }

    /// Makes datagrams reach a port late.
    pub(crate) fn set_delay(&self, port: u32, delay: u32) {
        if let Some(place) = self.delay_of(port) {
            place.store(delay, Ordering::Relaxed);
        }
    }

    /// Where one of the adapter's ports is plugged in.
    pub(crate) fn port(&self, port: u32) -> Option<PortId> {
        *self.ports.get((port as usize).wrapping_sub(1))?
    }

    /// The number of the port that is plugged in there, if it is one of this adapter's.
    fn number_of(&self, id: PortId) -> Option<u32> {
        let index = self.ports.iter().position(|port| *port == Some(id))?;
        Some((index as u32).wrapping_add(1))
    }

    /// How many ports it has.
    fn port_count(&self) -> u32 {
        self.ports
            .iter()
            .flatten()
            .fold(0u32, |n, _| n.wrapping_add(1))
    }
}

fn unplug(ports: &[Option<PortId>]) {
    for id in ports.iter().flatten() {
        switch::plug(*id, None);
        switch::SUBNET.lock().remove_port(*id);
    }
}

/// The keys of every port at the start: the default one, and those of further partitions.
fn pkey_table(count: usize) -> PkeyTable {
    let mut table = [Pkey::NONE; MAX_PKEYS];
    for (i, place) in table.iter_mut().enumerate().take(count) {
        *place = if i == 0 {
            Pkey::DEFAULT
        } else {
            Pkey(i as u16).full()
        };
    }
    table
}
