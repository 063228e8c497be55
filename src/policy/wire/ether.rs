// SPDX-License-Identifier: GPL-2.0

//! What follows the addresses of an Ethernet frame: the protocol, and VLAN tags (IEEE 802.1Q, 9.6).

/// IPv4 (RFC 894).
pub const ETH_P_IP: u16 = 0x0800;
/// ARP (RFC 826).
pub const ETH_P_ARP: u16 = 0x0806;
/// RARP (RFC 903).
pub const ETH_P_RARP: u16 = 0x8035;
/// IPv6 (RFC 2464).
pub const ETH_P_IPV6: u16 = 0x86dd;
/// The slow protocols (IEEE 802.3, annex 57A).
pub const ETH_P_SLOW: u16 = 0x8809;
/// A VLAN tag (IEEE 802.1Q).
pub const ETH_P_8021Q: u16 = 0x8100;
/// A tag of a service provider's VLAN (S-TAG, IEEE 802.1Q).
pub const ETH_P_8021AD: u16 = 0x88a8;

/// Skips the VLAN tags (IEEE 802.1Q, 9.6) that a packet of this protocol begins with. Returns the
/// protocol that follows them, and where it begins.
pub fn skip_tags(mut protocol: u16, bytes: &[u8]) -> (u16, usize) {
    const TAGS: [u16; 2] = [ETH_P_8021Q, ETH_P_8021AD];
    let mut at = 0usize;
    while TAGS.contains(&protocol) {
        let Some(inner) = bytes
            .get(at.saturating_add(2)..)
            .and_then(|rest| rest.first_chunk::<2>())
        else {
            break;
        };
        protocol = u16::from_be_bytes(*inner);
        at = at.saturating_add(4);
    }
    (protocol, at)
}
