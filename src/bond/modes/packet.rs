// SPDX-License-Identifier: GPL-2.0

//! What a slave is chosen for: a packet of the stack, a frame of an XDP program, a socket, or any
//! packet at all.

use crate::bond::master::BondDev;
use net::flow::dissect_frame;
use net::shared::Bytes;
use net::skbuff::View;
use net::sock::Socket;
use policy::hash::{hash, of_flow, Flow, HashPolicy, Packet};

/// What a mode looks at to choose a slave.
pub(in crate::bond) trait Subject {
    /// The hash according to a policy.
    fn hash(&self, policy: HashPolicy) -> u32;

    /// Whether it is IGMP, which leaves through one slave only.
    fn is_igmp(&self) -> bool;

    /// The packet of the stack, if it is one.
    fn packet(&self) -> Option<View<'_>> {
        None
    }
}

/// Any packet at all: of use where all packets leave through one slave.
pub(in crate::bond) struct Anything;

impl Subject for Anything {
    fn hash(&self, _policy: HashPolicy) -> u32 {
        0
    }

    fn is_igmp(&self) -> bool {
        false
    }
}

impl Subject for Socket {
    fn hash(&self, _policy: HashPolicy) -> u32 {
        let ends = self.ends();
        of_flow(&Flow {
            src: ends.src,
            dst: ends.dst,
            ports: ends.ports,
            icmp: 0,
        })
    }

    fn is_igmp(&self) -> bool {
        false
    }
}

/// A packet on its way out, as the policy sees it.
#[derive(Clone, Copy)]
pub(in crate::bond) struct Outgoing<'a>(
    pub(in crate::bond) &'a BondDev,
    pub(in crate::bond) View<'a>,
);

impl Packet for Outgoing<'_> {
    #[inline(always)]
    fn bytes<const N: usize>(&self, at: usize) -> Option<[u8; N]> {
        self.1.bytes(at)
    }

    #[inline(always)]
    fn in_one_piece<const N: usize>(&self, at: usize) -> Option<[u8; N]> {
        self.1.in_one_piece(at)
    }

    #[inline(always)]
    fn protocol(&self) -> u16 {
        self.1.protocol()
    }

    #[inline(always)]
    fn network_offset(&self) -> usize {
        self.1.network_offset()
    }

    #[inline(always)]
    fn vlan_tag(&self) -> u16 {
        self.1.vlan_tag()
    }

    fn flow_hash(&self) -> Option<u32> {
        self.1.l4_hash()
    }

    fn dissect(&self) -> Option<Flow> {
        let found = self.1.dissect(self.0.net())?;
        Some(Flow {
            src: found.src,
            dst: found.dst,
            ports: found.ports,
            icmp: found.icmp,
        })
    }

    #[inline(always)]
    fn has_own_dissector(&self) -> bool {
        self.0.net().has_flow_dissector()
    }
}

impl Subject for Outgoing<'_> {
    #[inline]
    fn hash(&self, policy: HashPolicy) -> u32 {
        hash(policy, *self)
    }

    #[inline(always)]
    fn is_igmp(&self) -> bool {
        self.1.is_igmp()
    }

    fn packet(&self) -> Option<View<'_>> {
        Some(self.1)
    }
}

const ETH_ALEN: usize = 6;
const ETH_HLEN: usize = 14;
const ETH_P_IP: u16 = 0x0800;
const IPPROTO_IGMP: u8 = 2;

/// A frame that the stack has not seen.
#[derive(Clone, Copy)]
pub(in crate::bond) struct Frame<'a>(
    pub(in crate::bond) &'a BondDev,
    pub(in crate::bond) Bytes<'a>,
);

impl Packet for Frame<'_> {
    fn bytes<const N: usize>(&self, at: usize) -> Option<[u8; N]> {
        self.1.get(at)
    }

    fn protocol(&self) -> u16 {
        self.bytes(ETH_ALEN.wrapping_mul(2))
            .map_or(0, u16::from_be_bytes)
    }

    fn network_offset(&self) -> usize {
        ETH_HLEN
    }

    fn vlan_tag(&self) -> u16 {
        0
    }

    fn flow_hash(&self) -> Option<u32> {
        None
    }

    fn dissect(&self) -> Option<Flow> {
        let found = dissect_frame(self.0.net(), self.1, self.protocol(), ETH_HLEN)?;
        Some(Flow {
            src: found.src,
            dst: found.dst,
            ports: found.ports,
            icmp: found.icmp,
        })
    }

    fn has_own_dissector(&self) -> bool {
        self.0.net().has_flow_dissector()
    }
}

impl Subject for Frame<'_> {
    fn hash(&self, policy: HashPolicy) -> u32 {
        hash(policy, *self)
    }

    fn is_igmp(&self) -> bool {
        self.protocol() == ETH_P_IP
            && self
                .bytes::<20>(ETH_HLEN)
                .is_some_and(|[_, _, _, _, _, _, _, _, _, protocol, ..]| protocol == IPPROTO_IGMP)
    }
}
