// SPDX-License-Identifier: GPL-2.0

//! Offload features of devices.
//!
//! C header: [`include/linux/netdev_features.h`](srctree/include/linux/netdev_features.h)

use crate::bindings;

/// Offload features of a device (`netdev_features_t`).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Features(pub(crate) u64);

impl Features {
    /// Large receive offload.
    pub const LRO: Features = Features::bit(bindings::NETIF_F_LRO_BIT);
    /// The device cannot carry VLANs.
    pub const VLAN_CHALLENGED: Features = Features::bit(bindings::NETIF_F_VLAN_CHALLENGED_BIT);

    const fn bit(bit: u32) -> Features {
        Features(1u64.wrapping_shl(bit))
    }

    /// Returns whether this set contains all features of `other`.
    pub fn has(self, other: Features) -> bool {
        self.0 & other.0 == other.0
    }

    /// Starts the computation of a master's features (`netdev_base_features()`).
    pub fn base(self) -> Features {
        // SAFETY: The helper only computes a value.
        Features(unsafe { bindings::nh_base_features(self.0) })
    }

    /// Adds the features of a lower device (`netdev_increment_features()`).
    pub fn increment(self, one: Features, mask: Features) -> Features {
        // SAFETY: The function only computes a value.
        Features(unsafe { bindings::netdev_increment_features(self.0, one.0, mask.0) })
    }

    /// Adds segmentation offload, which the core does in software for devices that lack it.
    pub fn add_tso(self, mask: Features) -> Features {
        // SAFETY: The helper only computes a value.
        Features(unsafe { bindings::nh_add_tso_features(self.0, mask.0) })
    }
}
