// SPDX-License-Identifier: GPL-2.0

//! The files in debugfs through which tests break things, and mend them.

use crate::hca::Slots;
use crate::switch::{self, ADMINISTRATOR_DELAY, SILENT_ADMINISTRATOR, SUBNET};
use core::sync::atomic::Ordering;
use fabric::{text, Events, Lid, Pkey, PortId, Refused, Subnet};
use kernel::debugfs::{Dir, File, Reader, Writer};
use kernel::fmt;
use kernel::prelude::*;
use kernel::str::CString;
use kernel::sync::Arc;
use kernel::uaccess::UserSliceReader;

/// A minute, in ms.
const MAX_DELAY: u32 = 60_000;

/// All files; they vanish when this is dropped.
pub(crate) struct Files {
    _files: KVec<Pin<KBox<File<Control>>>>,
    _root: Dir,
}

/// What a file is about.
#[derive(Clone, Copy)]
enum What {
    /// The subnet manager's LID.
    SmLid,
    /// Writing makes the subnet manager forget everything.
    Restart,
    /// Whether the subnet administrator does not answer.
    Silent,
    /// The subnet administrator's answers arrive this many ms late.
    Late,
    /// Whether the adapter is there.
    Present(usize),
    /// Something of a port.
    Port(usize, u32, OfPort),
}

#[derive(Clone, Copy)]
enum OfPort {
    Link,
    Lid,
    Pkeys,
    /// The next packets are lost.
    Drop,
    /// This many of a thousand packets are lost.
    Loss,
    /// Datagrams arrive this many ms late.
    Delay,
}

struct Control {
    slots: Arc<Slots>,
    what: What,
}

impl Files {
    /// Makes the files for `hcas` adapters with `ports` ports each. Sleeps.
    pub(crate) fn new(slots: &Arc<Slots>, hcas: usize, ports: usize) -> Result<Self> {
        let root = Dir::new(c"vib");
        let mut files = KVec::with_capacity(256, GFP_KERNEL)?;
        let mut add = |dir: &Dir, name: &CStr, what| -> Result {
            let control = Control {
                slots: slots.clone(),
                what,
            };
            let file = KBox::pin_init(dir.read_write_file(name, control), GFP_KERNEL)?;
            files.push_within_capacity(file).map_err(|_| ENOMEM)
        };
        let manager = root.subdir(c"sm");
        add(&manager, c"lid", What::SmLid)?;
        add(&manager, c"restart", What::Restart)?;
        add(&manager, c"silent", What::Silent)?;
        add(&manager, c"delay", What::Late)?;
        for index in 0..hcas {
            let adapter = root.subdir(&CString::try_from_fmt(fmt!("vib{index}"))?);
            add(&adapter, c"present", What::Present(index))?;
            for number in 1..ports.wrapping_add(1) as u32 {
                let dir = adapter.subdir(&CString::try_from_fmt(fmt!("port{number}"))?);
                for (name, of_port) in [
                    (c"link", OfPort::Link),
                    (c"lid", OfPort::Lid),
                    (c"pkeys", OfPort::Pkeys),
                    (c"drop", OfPort::Drop),
                    (c"loss", OfPort::Loss),
                    (c"delay", OfPort::Delay),
                ] {
                    add(&dir, name, What::Port(index, number, of_port))?;
                }
            }
        }
        Ok(Self {
            _files: files,
            _root: root,
        })
    }
}

impl Writer for Control {
    fn write(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.what {
            What::SmLid => writeln!(f, "{}", SUBNET.lock().sm_lid().0),
            What::Restart => Ok(()),
            What::Silent => writeln!(
                f,
                "{}",
                u8::from(SILENT_ADMINISTRATOR.load(Ordering::Relaxed))
            ),
            What::Late => writeln!(f, "{}", ADMINISTRATOR_DELAY.load(Ordering::Relaxed)),
            What::Present(index) => writeln!(f, "{}", u8::from(self.slots.is_present(index))),
            What::Port(index, number, of_port) => self.write_port(f, index, number, of_port),
        }
    }
}

impl Reader for Control {
    fn read_from_slice(&self, reader: &mut UserSliceReader) -> Result {
        let mut text = [0u8; 32];
        let length = reader.len();
        reader.read_slice(text.get_mut(..length).ok_or(EINVAL)?)?;
        let text = text.get(..length).ok_or(EINVAL)?;
        if let What::Port(index, port, OfPort::Pkeys) = self.what {
            let (place, pkey) = text::pair(text).ok_or(EINVAL)?;
            let pkey = Pkey(u16::try_from(pkey)?);
            return self.change_port(index, port, |s, id| s.set_pkey(id, place as usize, pkey));
        }
        let value = text::number(text).ok_or(EINVAL)?;
        self.store(value)
    }
}

impl Control {
    fn write_port(
        &self,
        f: &mut fmt::Formatter<'_>,
        index: usize,
        number: u32,
        of_port: OfPort,
    ) -> fmt::Result {
        let id = self.slots.port(index, number);
        let port = id.and_then(|id| SUBNET.lock().port(id).copied());
        let Some(port) = port else {
            return writeln!(f, "absent");
        };
        let (next, per_mille) = port.losses();
        match of_port {
            OfPort::Link => writeln!(f, "{}", u8::from(port.is_up())),
            OfPort::Lid => writeln!(f, "{}", port.lid().0),
            OfPort::Drop => writeln!(f, "{next}"),
            OfPort::Loss => writeln!(f, "{per_mille}"),
            OfPort::Delay => {
                let jack = id.and_then(switch::jack);
                let delay = jack.map_or(0, |jack| jack.hca.delay(number));
                writeln!(f, "{delay}")
            }
            OfPort::Pkeys => {
                let mut keys = port.config().pkeys.iter().enumerate();
                keys.try_for_each(|(place, key)| match key.is_valid() {
                    true => writeln!(f, "{place} {:#06x}", key.0),
                    false => Ok(()),
                })
            }
        }
    }

    fn change_port(
        &self,
        index: usize,
        port: u32,
        change: impl FnOnce(&mut Subnet, PortId) -> Result<Events, Refused>,
    ) -> Result {
        let id = self.slots.port(index, port).ok_or(ENODEV)?;
        self.slots.change(|subnet| change(subnet, id))
    }

    fn store(&self, value: u32) -> Result {
        match self.what {
            What::SmLid => {
                let lid = Lid(u16::try_from(value)?);
                self.slots.change(|subnet| subnet.set_sm_lid(lid))
            }
            What::Restart => self.slots.change(|subnet| Ok(subnet.restart_sm())),
            What::Silent => {
                SILENT_ADMINISTRATOR.store(truth(value)?, Ordering::Relaxed);
                Ok(())
            }
            What::Late if value > MAX_DELAY => Err(EINVAL),
            What::Late => {
                ADMINISTRATOR_DELAY.store(value, Ordering::Relaxed);
                Ok(())
            }
            What::Present(index) => match truth(value)? {
                true => self.slots.insert(index),
                false => self.slots.remove(index),
            },
            What::Port(index, port, of_port) => self.store_port(index, port, of_port, value),
        }
    }

    fn store_port(&self, index: usize, port: u32, of_port: OfPort, value: u32) -> Result {
        let short = u16::try_from(value);
        match of_port {
            OfPort::Link => {
                let up = truth(value)?;
                self.change_port(index, port, |s, id| s.set_link(id, up))
            }
            OfPort::Lid => {
                let lid = Lid(short?);
                self.change_port(index, port, |s, id| s.set_lid(id, lid))
            }
            OfPort::Drop => self.change_port(index, port, |s, id| {
                s.set_drop(id, value).map(|()| Events::NONE)
            }),
            OfPort::Loss => {
                let per_mille = short?;
                self.change_port(index, port, |s, id| {
                    s.set_loss(id, per_mille).map(|()| Events::NONE)
                })
            }
            OfPort::Delay if value > MAX_DELAY => Err(EINVAL),
            OfPort::Delay => {
                let id = self.slots.port(index, port).ok_or(ENODEV)?;
                let jack = switch::jack(id).ok_or(ENODEV)?;
                jack.hca.set_delay(port, value);
                Ok(())
            }
            OfPort::Pkeys => Err(EINVAL),
        }
    }
}

fn truth(value: u32) -> Result<bool> {
    match value {
        0 => Ok(false),
        1 => Ok(true),
        _ => Err(EINVAL),
    }
}
