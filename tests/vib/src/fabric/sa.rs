// SPDX-License-Identifier: GPL-2.0

//! The subnet administrator (chapter 15 of the specification).

use crate::address::PortId;
use crate::mad::{Fields, Mad};
use crate::subnet::Subnet;

/// IBA code of 2048 bytes, the MTU of IPoIB's broadcast groups.
pub(crate) const GROUP_MTU: u8 = 4;
/// IBA code of 40 Gb/s, four lanes of QDR.
pub(crate) const RATE: u8 = 7;
/// IBA code of 67 ms: how long a packet can be under way.
pub(crate) const LIFETIME: u8 = 14;

/// The answer to a management datagram: as many datagrams as [`Subnet::next`] gives.
#[derive(Clone, Copy, Debug)]
#[must_use = "the datagrams of the answer are to be sent"]
pub struct Reply {
    single: Option<Mad>,
}

impl Subnet {
    /// Takes a datagram that a port has sent to the switch's queue pair 1. The reply goes to the
    /// sending queue pair (1, or that of the work completion), without a GRH if the request had none.
    pub fn gsi(&mut self, from: PortId, request: &Mad) -> Reply {
        let mut answer = *request;
        if self.port(from).is_none() || request.u8_at(3) & 0x80 != 0 {
            return Reply { single: None };
        }
        answer.put_u8(3, request.u8_at(3) | 0x80);
        answer.put_u16(4, 0x000c);
        Reply {
            single: Some(answer),
        }
    }

    /// The next datagram of a reply.
    pub fn next(&self, reply: &mut Reply) -> Option<Mad> {
        reply.single.take()
    }
}
