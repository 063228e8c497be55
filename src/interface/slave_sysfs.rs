// SPDX-License-Identifier: GPL-2.0

//! `/sys/class/net/SLAVE/bonding_slave/`: the state of a slave.

use crate::bond::{Bond, SlaveDev};
use core::fmt::Write;
use net::master::sysfs::{LowerDir, LowerFiles};
use net::sysfs::{File, Page};

/// The name of the directory.
const NAME: &str = "bonding_slave";

/// What a file is about.
#[derive(Clone, Copy)]
pub(super) enum Content {
    State,
    MiiStatus,
    LinkFailureCount,
    PermHwaddr,
    QueueId,
    /// What 802.3ad mode reports.
    Ad,
}

const fn file(name: &'static str, content: Content) -> File<Content> {
    File {
        name,
        mode: 0o444,
        id: content,
    }
}

const FILES: [File<Content>; 8] = [
    file("state", Content::State),
    file("mii_status", Content::MiiStatus),
    file("link_failure_count", Content::LinkFailureCount),
    file("perm_hwaddr", Content::PermHwaddr),
    file("queue_id", Content::QueueId),
    file("ad_aggregator_id", Content::Ad),
    file("ad_actor_oper_port_state", Content::Ad),
    file("ad_partner_oper_port_state", Content::Ad),
];

/// The directory.
pub(super) static DIR: LowerDir<Bond, Files, { FILES.len() }> = LowerDir::new(&DIR, NAME, &FILES);

/// The files.
pub(super) struct Files;

impl LowerFiles<Bond> for Files {
    type Id = Content;

    fn show(slave: &SlaveDev, content: Content, page: &mut Page<'_>) {
        // Writing into a page does not fail.
        let _ = match content {
            Content::State if slave.is_backup() => page.write_str("backup\n"),
            Content::State => page.write_str("active\n"),
            Content::MiiStatus => {
                writeln!(page, "{}", slave.data().copy_port().link.state().text())
            }
            Content::LinkFailureCount => writeln!(page, "{}", slave.data().copy_port().failures),
            Content::PermHwaddr => writeln!(page, "{}", slave.data().perm_addr()),
            Content::QueueId => writeln!(page, "{}", slave.data().queue_id()),
            Content::Ad => page.write_str("N/A\n"),
        };
    }
}
