// SPDX-License-Identifier: GPL-2.0

//! What becomes of a frame that a slave has received, and which slaves count as active.

use crate::lacp::Flags;
use crate::link::LinkState;
use crate::mode::Idle;
use crate::options::Config;

/// What becomes of a received frame; the results of an rx handler (`linux/netdevice.h`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Receive {
    /// The bond receives it (`RX_HANDLER_ANOTHER`, after the frame's device was set to the bond).
    Deliver,
    /// Only sockets that are bound to the slave itself get it (`RX_HANDLER_EXACT`).
    Exact,
    /// The slave receives it as if it were not enslaved (`RX_HANDLER_PASS`).
    Pass,
}

/// Classifies a frame.
///
/// The bond receives what arrives on a slave that is not `inactive`. What arrives on the other
/// slaves is usually a duplicate, and reaches only those who listen on that slave itself; but
/// link-local frames (LLDP and the like) are about the link, so the slave receives them as usual.
/// Where slaves hear unicast ([`Idle::HearsUnicast`]), the bond receives on all of them what is for
/// their addresses (`is_for_host`).
#[inline]
pub const fn classify(idle: Idle, inactive: bool, is_for_host: bool, link_local: bool) -> Receive {
    let hears = match idle {
        Idle::HearsUnicast => is_for_host,
        Idle::InUse | Idle::Backup | Idle::Inactive => false,
    };
    if !inactive || hears {
        Receive::Deliver
    } else if link_local {
        Receive::Pass
    } else {
        Receive::Exact
    }
}

/// Whether an Ethernet address is one of the link-local groups of IEEE 802.1D,
/// 01:80:c2:00:00:00 to 01:80:c2:00:00:0f, which bridges do not forward.
#[inline]
pub const fn is_link_local(address: &[u8; 6]) -> bool {
    matches!(address, [0x01, 0x80, 0xc2, 0x00, 0x00, 0x00..=0x0f])
}

/// The flags of a slave that other parts of the kernel read (`struct slave` of `net/bonding.h`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SlaveFlags {
    /// The slave stands by (`BOND_STATE_BACKUP`).
    pub backup: bool,
    /// What the slave receives is not delivered to the bond.
    pub inactive: bool,
}

impl SlaveFlags {
    /// The flags of a slave. Where not all slaves are in use, the idle ones receive only with
    /// `all_slaves_active`; where all are in use, all of them are active, except, with the ARP
    /// monitor, those whose link is down.
    pub fn of(config: &Config, is_active: bool, link: LinkState) -> SlaveFlags {
        let inactive = !is_active && !config.all_slaves_active;
        match config.mode.row().idle {
            Idle::InUse => SlaveFlags {
                backup: config.is_probed() && link == LinkState::Down,
                inactive: false,
            },
            Idle::Backup => SlaveFlags {
                backup: !is_active,
                inactive,
            },
            Idle::Inactive | Idle::HearsUnicast => SlaveFlags {
                backup: false,
                inactive,
            },
        }
    }

    /// The flags of a slave of which LACP has decided what it does with data. `all_active` is the
    /// option `all_slaves_active`.
    pub const fn of_port(flags: Flags, all_active: bool) -> SlaveFlags {
        SlaveFlags {
            backup: !flags.distributing,
            inactive: !flags.collecting && !all_active,
        }
    }
}
