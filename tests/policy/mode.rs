// SPDX-License-Identifier: GPL-2.0

//! The rows of the modes.

use policy::mode::{
    Active, Addresses, Carrier, Idle, Infiniband, Probes, QueueOverride, Sender, Xdp,
};
use policy::Mode;

#[test]
fn numbers_and_names_are_those_of_if_bonding_h() {
    let names = [
        "balance-rr",
        "active-backup",
        "balance-xor",
        "broadcast",
        "802.3ad",
        "balance-tlb",
        "balance-alb",
    ];
    for (number, name) in (0u8..).zip(names) {
        let mode = Mode::from_number(number.into()).unwrap();
        assert_eq!((mode.number(), mode.name()), (number, name));
        assert_eq!(Mode::from_published(number.into()), mode);
        assert_eq!(mode.bit(), 1 << number);
    }
    assert_eq!(Mode::from_number(7), None);
}

/// The whole table once more, as the in-tree driver has it; `tests/guest/mode_rows.sh` holds what can be seen in a
/// guest against both drivers.
#[test]
fn rows_are_those_of_the_in_tree_driver() {
    use Active::{All as Alike, One};
    use Addresses::{ByOption, Own, Shared};
    use Carrier::{Aggregator, AnyLink};
    use Idle::{Backup, HearsUnicast, InUse, Inactive};
    use Infiniband::{Allowed, Refused as NoIb};
    use Probes::{ByActive, ByEach, Refused as NoProbes};
    use QueueOverride::{Ignored, Obeyed};
    use Sender::{Active as ActiveOne, All, Hash, Load, Turn};
    use Xdp::{ButVlan, Native, Refused as NoXdp};

    let rows = Mode::ALL.map(|mode| {
        let row = mode.row();
        (
            (row.sender, row.active, row.idle, row.carrier, row.probes),
            (row.queue_override, row.xdp, row.infiniband, row.addresses),
        )
    });
    assert_eq!(
        rows,
        [
            (
                (Turn, Alike, InUse, AnyLink, ByEach),
                (Obeyed, Native, NoIb, Shared)
            ),
            (
                (ActiveOne, One, Backup, AnyLink, ByActive),
                (Obeyed, Native, Allowed, ByOption)
            ),
            (
                (Hash, Alike, InUse, AnyLink, ByEach),
                (Ignored, ButVlan, NoIb, Shared)
            ),
            (
                (All, Alike, InUse, AnyLink, ByEach),
                (Ignored, NoXdp, NoIb, Shared)
            ),
            (
                (Hash, Alike, Backup, Aggregator, NoProbes),
                (Ignored, ButVlan, NoIb, Shared)
            ),
            (
                (Load, One, Inactive, AnyLink, NoProbes),
                (Ignored, NoXdp, NoIb, Own)
            ),
            (
                (Load, One, HearsUnicast, AnyLink, NoProbes),
                (Ignored, NoXdp, NoIb, Own)
            ),
        ]
    );
}
