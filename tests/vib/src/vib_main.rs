// SPDX-License-Identifier: GPL-2.0

//! vib.ko: InfiniBand channel adapters in software, plugged into a switch in software.

#![forbid(unsafe_code)]

mod control;
mod hca;
mod switch;

use core::borrow::Borrow;
use hca::Slots;
use kernel::prelude::*;
use kernel::sync::Arc;

module! {
    type: Vib,
    name: "vib",
    authors: ["The authors of bonding.ko in Rust"],
    description: "Virtual InfiniBand fabric",
    license: "GPL",
    params: {
        hcas: u32 {
            default: 3,
            description: "Number of channel adapters, 1 to 16 (default 3)",
        },
        ports: u32 {
            default: 1,
            description: "Number of ports of each adapter, 1 to 4 (default 1)",
        },
        pkeys: u32 {
            default: 4,
            description: "Number of P_Keys of each port, 1 to 32: 0xffff, 0x8001, 0x8002, ... (default 4)",
        },
    },
}

/// What the module has registered, in the order in which it is unregistered.
struct Vib {
    _files: control::Files,
    _slots: Arc<Slots>,
}

impl kernel::Module for Vib {
    fn init(module: &'static ThisModule) -> Result<Self> {
        let hcas = in_range(c"hcas", module_parameters::hcas.value(), hca::MAX_HCAS)?;
        let ports = in_range(
            c"ports",
            module_parameters::ports.value(),
            hca::MAX_HCA_PORTS,
        )?;
        let pkeys = in_range(
            c"pkeys",
            module_parameters::pkeys.value(),
            fabric::MAX_PKEYS,
        )?;
        let slots = Slots::new(module, ports, pkeys)?;
        for index in 0..hcas {
            slots.insert(index)?;
        }
        Ok(Vib {
            _files: control::Files::new(&slots, hcas, ports)?,
            _slots: slots,
        })
    }
}

/// Checks a parameter, which is a reference up to 7.2, and a copy from 7.3 on.
fn in_range(name: &CStr, value: impl Borrow<u32>, max: usize) -> Result<usize> {
    let value = *value.borrow();
    let number = value as usize;
    if number == 0 || number > max {
        pr_err!("{name:?} is {value}: it can be 1 to {max}\n");
        return Err(EINVAL);
    }
    Ok(number)
}
