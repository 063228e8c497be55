// SPDX-License-Identifier: GPL-2.0

//! The options that this version of the driver does not have. They can be read. They belong to
//! modes that this version does not have either, so in every mode of a bond they keep their
//! defaults, and only the defaults can be written.

use super::table::{netlink, sysfs, OFF_ON, OPTION};
use super::{modes, Modes, NetlinkKind, OptionDesc, OptionId, Show, Values};
use crate::mode::Sender;

/// The modes that do not balance the load.
const NO_LOAD: Modes = modes!(sender: Sender::Turn | Sender::Active | Sender::Hash | Sender::All);

const UNBUILT: OptionDesc = OptionDesc {
    built: false,
    ..OPTION
};

/// The options that are not built, in the order of [`OptionId`], after those that are.
pub(super) const UNBUILT_OPTIONS: [OptionDesc; 1] = [OptionDesc {
    id: OptionId::TlbDynamicLb,
    name: "tlb_dynamic_lb",
    values: Values::Choice(OFF_ON),
    default: 1,
    unsupported: NO_LOAD,
    if_down: true,
    netlink: netlink(27, NetlinkKind::U8),
    sysfs: sysfs(Show::Number),
    help: "Whether balance-tlb moves flows between slaves by their load.",
    ..UNBUILT
}];
