// SPDX-License-Identifier: GPL-2.0

//! `/sys/class/net/SLAVE/bonding_slave/`: the state of a slave.

use crate::bond::{Bond, SlaveDev};
use core::fmt::Write;
use net::sysfs::{File, LowerDir, LowerFiles, Page};

/// The name of the directory.
const NAME: &str = "bonding_slave";

/// What a file is about.
#[derive(Clone, Copy)]
pub(super) enum Id {
    State,
    MiiStatus,
    LinkFailureCount,
    PermHwaddr,
    QueueId,
    /// What 802.3ad mode tells.
    Ad,
}

const fn file(name: &'static str, id: Id) -> File<Id> {
    File {
        name,
        mode: 0o444,
        id,
    }
}

const FILES: [File<Id>; 8] = [
    file("state", Id::State),
    file("mii_status", Id::MiiStatus),
    file("link_failure_count", Id::LinkFailureCount),
    file("perm_hwaddr", Id::PermHwaddr),
    file("queue_id", Id::QueueId),
    file("ad_aggregator_id", Id::Ad),
    file("ad_actor_oper_port_state", Id::Ad),
    file("ad_partner_oper_port_state", Id::Ad),
];

/// The directory.
pub(super) static DIR: LowerDir<Bond, Files, { FILES.len() }> = LowerDir::new(&DIR, NAME, &FILES);

/// The files.
pub(super) struct Files;

impl LowerFiles<Bond> for Files {
    type Id = Id;

    fn show(slave: &SlaveDev, id: Id, page: &mut Page<'_>) {
        // Writing into a page does not fail.
        let _ = match id {
            Id::State => page.write_str(if slave.is_backup() {
                "backup\n"
            } else {
                "active\n"
            }),
            Id::MiiStatus => writeln!(page, "{}", slave.data().port().link.state.text()),
            Id::LinkFailureCount => writeln!(page, "{}", slave.data().port().failures),
            Id::PermHwaddr => writeln!(page, "{}", slave.data().perm_addr()),
            Id::QueueId => writeln!(page, "{}", slave.data().queue_id()),
            Id::Ad => page.write_str("N/A\n"),
        };
    }
}
