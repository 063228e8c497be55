// SPDX-License-Identifier: GPL-2.0

//! The modes of a bond.

/// How a bond uses its slaves; the numbers are those of `linux/if_bonding.h` (`BOND_MODE_*`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Mode {
    /// Packets go out through the slaves in turn (`BOND_MODE_ROUNDROBIN`).
    RoundRobin = 0,
    /// One slave carries the traffic, the others stand by (`BOND_MODE_ACTIVEBACKUP`).
    ActiveBackup = 1,
    /// A hash of the packet picks the slave (`BOND_MODE_XOR`).
    Xor = 2,
    /// Every packet goes out through every slave (`BOND_MODE_BROADCAST`).
    Broadcast = 3,
    /// Link aggregation by IEEE 802.1AX, formerly 802.3ad (`BOND_MODE_8023AD`).
    Ieee8023ad = 4,
    /// Transmit load balancing (`BOND_MODE_TLB`).
    Tlb = 5,
    /// Transmit and receive load balancing (`BOND_MODE_ALB`).
    Alb = 6,
}

impl Mode {
    /// Every mode, in the order of the numbers.
    pub const ALL: [Mode; 7] = [
        Mode::RoundRobin,
        Mode::ActiveBackup,
        Mode::Xor,
        Mode::Broadcast,
        Mode::Ieee8023ad,
        Mode::Tlb,
        Mode::Alb,
    ];

    /// The value of the `mode` option: what users write and sysfs shows.
    pub const fn name(self) -> &'static str {
        match self {
            Mode::RoundRobin => "balance-rr",
            Mode::ActiveBackup => "active-backup",
            Mode::Xor => "balance-xor",
            Mode::Broadcast => "broadcast",
            Mode::Ieee8023ad => "802.3ad",
            Mode::Tlb => "balance-tlb",
            Mode::Alb => "balance-alb",
        }
    }

    /// The text after `Bonding Mode: ` in `/proc/net/bonding/BOND`.
    pub const fn description(self) -> &'static str {
        match self {
            Mode::RoundRobin => "load balancing (round-robin)",
            Mode::ActiveBackup => "fault-tolerance (active-backup)",
            Mode::Xor => "load balancing (xor)",
            Mode::Broadcast => "fault-tolerance (broadcast)",
            Mode::Ieee8023ad => "IEEE 802.3ad Dynamic link aggregation",
            Mode::Tlb => "transmit load balancing",
            Mode::Alb => "adaptive load balancing",
        }
    }

    /// The number of the mode, as in `linux/if_bonding.h`.
    pub const fn number(self) -> u8 {
        self as u8
    }

    /// The mode with this number, if there is one.
    pub fn from_number(number: u64) -> Option<Mode> {
        Mode::ALL
            .into_iter()
            .find(|mode| u64::from(mode.number()) == number)
    }

    /// The mode's bit in a set of modes.
    pub const fn bit(self) -> u8 {
        match self {
            Mode::RoundRobin => 1,
            Mode::ActiveBackup => 1 << 1,
            Mode::Xor => 1 << 2,
            Mode::Broadcast => 1 << 3,
            Mode::Ieee8023ad => 1 << 4,
            Mode::Tlb => 1 << 5,
            Mode::Alb => 1 << 6,
        }
    }

    /// Whether one slave is singled out, so that `primary`, `active_slave` and `prio` mean
    /// something.
    pub const fn uses_primary(self) -> bool {
        matches!(self, Mode::ActiveBackup | Mode::Tlb | Mode::Alb)
    }

    /// Whether the bond cannot do without the link monitor (`miimon`): these modes need the speed
    /// and the state of each link.
    pub const fn needs_miimon(self) -> bool {
        matches!(self, Mode::Ieee8023ad | Mode::Tlb | Mode::Alb)
    }

    /// Whether this version of the driver has the mode.
    pub const fn is_built(self) -> bool {
        matches!(
            self,
            Mode::RoundRobin | Mode::ActiveBackup | Mode::Xor | Mode::Broadcast
        )
    }

    /// Whether a hash of the packet picks the slave (`xmit_hash_policy`).
    pub const fn uses_hash(self) -> bool {
        matches!(self, Mode::Xor | Mode::Ieee8023ad)
    }

    /// Whether a number picks the slave among those that can send: a hash, or that of a turn.
    pub const fn uses_number(self) -> bool {
        self.uses_hash() || matches!(self, Mode::RoundRobin)
    }
}
