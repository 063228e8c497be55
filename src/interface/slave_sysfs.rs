// SPDX-License-Identifier: GPL-2.0

//! `/sys/class/net/SLAVE/bonding_slave/`: the state of a slave.

use crate::bond::{lacp, Bond, SlaveDev};
use core::fmt::Write;
use net::master::sysfs::{LowerDir, LowerFiles};
use net::rcu;
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
    // What 802.3ad mode reports.
    Aggregator,
    ActorState,
    PartnerState,
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
    file("ad_aggregator_id", Content::Aggregator),
    file("ad_actor_oper_port_state", Content::ActorState),
    file("ad_partner_oper_port_state", Content::PartnerState),
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
            Content::Aggregator | Content::ActorState | Content::PartnerState => {
                match ad(slave, content) {
                    Some(number) => writeln!(page, "{number}"),
                    None => page.write_str("N/A\n"),
                }
            }
        };
    }
}

/// What 802.3ad mode reports; nothing in other modes, and no aggregator while there is none.
fn ad(slave: &SlaveDev, content: Content) -> Option<u16> {
    let rcu = rcu::read_lock();
    let view = lacp::port(slave, &rcu)?;
    match content {
        Content::ActorState => Some(view.actor.state.bits().into()),
        Content::PartnerState => Some(view.port.partner.state.bits().into()),
        _ => Some(view.port.aggregator).filter(|id| *id != 0),
    }
}
