// SPDX-License-Identifier: GPL-2.0

//! The slots for adapters: adapters come and go, slots stay.

use super::{guid, node_description, pkey_table, Hca, MAX_HCAS};
use crate::switch::SUBNET;
use fabric::{Event, Events, PkeyTable, PortId, Refused, Subnet};
use kernel::prelude::*;
use kernel::str::CString;
use kernel::sync::{new_mutex, Arc, Mutex};
use rdma::device::{Description, PortEvent, Registration};

/// An adapter whose ports are plugged in; dropping this unplugs them.
struct Plugged(Arc<Hca>);

impl Drop for Plugged {
    fn drop(&mut self) {
        self.0.unplug();
    }
}

/// An adapter that is in its slot. It is unregistered first, while its ports still work.
struct Inserted {
    registration: Registration<Hca>,
    plugged: Plugged,
}

/// The slots.
#[pin_data]
pub(crate) struct Slots {
    module: &'static ThisModule,
    ports: usize,
    pkeys: PkeyTable,
    #[pin]
    inserted: Mutex<[Option<Inserted>; MAX_HCAS]>,
}

impl Slots {
    /// Makes empty slots for adapters with that many ports and P_Keys. Sleeps.
    pub(crate) fn new(
        module: &'static ThisModule,
        ports: usize,
        pkeys: usize,
    ) -> Result<Arc<Self>> {
        Arc::pin_init(
            pin_init!(Self {
                module,
                ports,
                pkeys: pkey_table(pkeys),
                inserted <- new_mutex!([const { None }; MAX_HCAS]),
            }),
            GFP_KERNEL,
        )
    }

    /// Puts an adapter into its slot, if it is not there already. Sleeps.
    pub(crate) fn insert(&self, index: usize) -> Result {
        let mut inserted = self.inserted.lock();
        let slot = inserted.get_mut(index).ok_or(EINVAL)?;
        if slot.is_some() {
            return Ok(());
        }
        let plugged = Plugged(Hca::new(index, self.ports, &self.pkeys)?);
        let name = CString::try_from_fmt(fmt!("vib{index}"))?;
        let description = Description {
            name: &name,
            node_guid: guid(index, 0).0,
            node_description: &node_description(index),
            ports: plugged.0.port_count(),
        };
        let registration = Registration::new(self.module, &description, plugged.0.clone())?;
        *slot = Some(Inserted {
            registration,
            plugged,
        });
        Ok(())
    }

    /// Takes an adapter out of its slot, if it is there. Sleeps.
    pub(crate) fn remove(&self, index: usize) -> Result {
        let mut inserted = self.inserted.lock();
        let slot = inserted.get_mut(index).ok_or(EINVAL)?;
        *slot = None;
        Ok(())
    }

    /// Whether there is an adapter in the slot. Sleeps.
    pub(crate) fn is_present(&self, index: usize) -> bool {
        let inserted = self.inserted.lock();
        inserted.get(index).is_some_and(|slot| slot.is_some())
    }

    /// Where a port is plugged in, if its adapter is there. Sleeps.
    pub(crate) fn port(&self, index: usize, port: u32) -> Option<PortId> {
        let inserted = self.inserted.lock();
        inserted.get(index)?.as_ref()?.plugged.0.port(port)
    }

    /// Changes the subnet, and tells everybody who must know. Sleeps.
    pub(crate) fn change(
        &self,
        change: impl FnOnce(&mut Subnet) -> Result<Events, Refused>,
    ) -> Result {
        let inserted = self.inserted.lock();
        let result = change(&mut SUBNET.lock());
        let events = result.map_err(error)?;
        for (id, event) in events.iter() {
            for adapter in inserted.iter().flatten() {
                if let Some(port) = adapter.plugged.0.number_of(id) {
                    adapter.registration.dispatch(port, port_event(event));
                }
            }
        }
        Ok(())
    }
}

fn error(refused: Refused) -> Error {
    match refused {
        Refused::NoSuchPort => ENODEV,
        Refused::LidInUse | Refused::GuidInUse => EBUSY,
        Refused::SwitchFull => ENOSPC,
        Refused::NotUnicast | Refused::NoSuchIndex | Refused::TooMuch => EINVAL,
    }
}

fn port_event(event: Event) -> PortEvent {
    match event {
        Event::PortError => PortEvent::Error,
        Event::LidChange => PortEvent::LidChange,
        Event::PkeyChange => PortEvent::PkeyChange,
        Event::GidChange => PortEvent::GidChange,
        Event::SmChange => PortEvent::SmChange,
        Event::ClientReregister => PortEvent::ClientReregister,
        Event::PortActive => PortEvent::Active,
    }
}
