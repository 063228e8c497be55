// SPDX-License-Identifier: GPL-2.0

//! The flow that a packet belongs to, even within tunnels.
//!
//! C header: [`include/net/flow_dissector.h`](srctree/include/net/flow_dissector.h)

use crate::bindings;
use crate::namespace::Net;
use crate::shared::Bytes;
use core::mem::{offset_of, MaybeUninit};
use core::ptr;

/// The keys to look for: addresses, ports, the ICMP identifier, and the keys that lead to these.
///
/// The kernel only reads this static.
static DISSECTOR: bindings::flow_dissector = dissector();

const fn dissector() -> bindings::flow_dissector {
    use bindings as b;
    use bindings::flow_keys as Keys;
    const ADDRS: usize = offset_of!(Keys, addrs);
    let keys = [
        (
            b::flow_dissector_key_id_FLOW_DISSECTOR_KEY_CONTROL,
            offset_of!(Keys, control),
        ),
        (
            b::flow_dissector_key_id_FLOW_DISSECTOR_KEY_BASIC,
            offset_of!(Keys, basic),
        ),
        (
            b::flow_dissector_key_id_FLOW_DISSECTOR_KEY_IPV4_ADDRS,
            ADDRS,
        ),
        (
            b::flow_dissector_key_id_FLOW_DISSECTOR_KEY_IPV6_ADDRS,
            ADDRS,
        ),
        (b::flow_dissector_key_id_FLOW_DISSECTOR_KEY_TIPC, ADDRS),
        (
            b::flow_dissector_key_id_FLOW_DISSECTOR_KEY_PORTS,
            offset_of!(Keys, ports),
        ),
        (
            b::flow_dissector_key_id_FLOW_DISSECTOR_KEY_ICMP,
            offset_of!(Keys, icmp),
        ),
        (
            b::flow_dissector_key_id_FLOW_DISSECTOR_KEY_VLAN,
            offset_of!(Keys, vlan),
        ),
        (
            b::flow_dissector_key_id_FLOW_DISSECTOR_KEY_FLOW_LABEL,
            offset_of!(Keys, tags),
        ),
        (
            b::flow_dissector_key_id_FLOW_DISSECTOR_KEY_GRE_KEYID,
            offset_of!(Keys, keyid),
        ),
    ];
    let mut used_keys = 0;
    let mut offset = [0; b::flow_dissector_key_id_FLOW_DISSECTOR_KEY_MAX as usize];
    let mut next = 0;
    // Runs at compile time, where a panic is a compiler error.
    while next < keys.len() {
        let (id, place) = keys[next];
        used_keys |= 1 << id;
        assert!(place <= u16::MAX as usize);
        offset[id as usize] = place as u16;
        next += 1;
    }
    b::flow_dissector { used_keys, offset }
}

/// What the dissector found. Each field has the bytes as they lie in memory, read as a
/// native-endian number.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Dissected {
    /// The source address (`flow_get_u32_src()`); 0 for none.
    pub src: u32,
    /// The destination address (`flow_get_u32_dst()`); 0 for none.
    pub dst: u32,
    /// Both ports; 0 for none.
    pub ports: u32,
    /// Type, code and identifier of an ICMP message that has an identifier; 0 for none.
    pub icmp: u32,
}

/// Looks for the innermost flow of a frame that has no `sk_buff` yet. `protocol` is the protocol at
/// `network_offset`, in host byte order. Must be called in an RCU read-side section.
pub fn dissect_frame(
    net: &Net,
    frame: Bytes<'_>,
    protocol: u16,
    network_offset: usize,
) -> Option<Dissected> {
    let network_offset = i32::try_from(network_offset).ok()?;
    // SAFETY: There is no packet: `skb` is NULL.
    unsafe { dissect(net, ptr::null(), frame, protocol, network_offset) }
}

/// Looks for the innermost flow of a packet. `data` is the linear part of the packet from the
/// link-layer header on; `skb`, which may be NULL, has the rest. `protocol` is the protocol at
/// `network_offset`, in host byte order. Must be called in an RCU read-side section.
///
/// # Safety
///
/// `skb` must be NULL or a valid packet.
pub(crate) unsafe fn dissect(
    net: &Net,
    skb: *const bindings::sk_buff,
    data: Bytes<'_>,
    protocol: u16,
    network_offset: i32,
) -> Option<Dissected> {
    let mut keys = MaybeUninit::<bindings::flow_keys>::zeroed();
    // SAFETY: The dissector's offsets are those of `flow_keys`, and C only reads the dissector. The
    // data and the packet are valid; C may read memory that changes meanwhile.
    let found = unsafe {
        bindings::__skb_flow_dissect(
            net.as_ptr(),
            skb,
            ptr::from_ref(&DISSECTOR).cast_mut(),
            keys.as_mut_ptr().cast(),
            data.as_ptr().cast(),
            protocol.to_be(),
            network_offset,
            i32::try_from(data.len()).ok()?,
            0,
        )
    };
    if !found {
        return None;
    }
    let keys = keys.as_ptr();
    // SAFETY: The keys were zeroed, and all bit patterns are valid for them.
    unsafe {
        let icmp = &raw const (*keys).icmp;
        Some(Dissected {
            src: bindings::flow_get_u32_src(keys),
            dst: bindings::flow_get_u32_dst(keys),
            ports: (*keys).ports.__bindgen_anon_1.ports,
            icmp: if (*icmp).id == 0 {
                0
            } else {
                icmp.cast::<u32>().read_unaligned()
            },
        })
    }
}
