// SPDX-License-Identifier: GPL-2.0

//! Packets.
//!
//! C header: [`include/linux/skbuff.h`](srctree/include/linux/skbuff.h)

use crate::bindings;
use crate::flow::{self, Dissected};
use crate::namespace::Net;
use crate::netdevice::NetDevice;
use crate::shared::Bytes;
use core::marker::PhantomData;
use core::mem::{offset_of, ManuallyDrop};
use core::ptr::NonNull;

/// The transmit code for a packet that was dropped (`NET_XMIT_DROP`).
pub const XMIT_DROP: i32 = bindings::NET_XMIT_DROP as i32;

/// The transmit code for a packet that was taken (`NET_XMIT_SUCCESS`).
pub const XMIT_SUCCESS: i32 = bindings::NET_XMIT_SUCCESS as i32;

/// A packet that is ours (`struct sk_buff`).
///
/// Dropping it frees the packet; transmitting consumes it.
///
/// # Invariants
///
/// The pointee is a packet whose reference this object owns.
pub struct SkBuff(NonNull<bindings::sk_buff>);

// SAFETY: A packet that is owned may be used and freed in any context.
unsafe impl Send for SkBuff {}

/// The place of `skb->dev`.
#[inline(always)]
pub(crate) fn dev_of(skb: *mut bindings::sk_buff) -> *mut *mut bindings::net_device {
    // SAFETY: Only computes an address within the packet, which the caller has.
    unsafe {
        &raw mut (*skb)
            .__bindgen_anon_1
            .__bindgen_anon_1
            .__bindgen_anon_1
            .dev
    }
}

/// `qdisc_skb_cb(skb)->slave_dev_queue_mapping`: where a master keeps the queue mapping that its
/// lower device shall see.
#[inline(always)]
pub(crate) fn lower_queue_mapping(skb: *mut bindings::sk_buff) -> *mut u16 {
    // SAFETY: Only computes an address; the C side checks that `struct qdisc_skb_cb` fits in `cb`.
    unsafe {
        let cb = (&raw mut (*skb).cb).cast::<bindings::qdisc_skb_cb>();
        &raw mut (*cb).slave_dev_queue_mapping
    }
}

/// Returns `skb->protocol` in host byte order.
///
/// # Safety
///
/// `skb` must be a valid packet.
#[inline(always)]
unsafe fn protocol_of(skb: NonNull<bindings::sk_buff>) -> u16 {
    // SAFETY: By the caller's promise; every bit pattern is a valid protocol.
    u16::from_be(unsafe {
        skb.as_ref()
            .__bindgen_anon_4
            .__bindgen_anon_1
            .as_ref()
            .protocol
    })
}

/// The bits of a word in which 16 bits at one place and [`NH_EXT_SEC_PATH`](bindings::NH_EXT_SEC_PATH)
/// at another are set; 0 if the word has not both places.
#[cfg(CONFIG_XFRM)]
// Runs in the compiler, where a panic is an error message.
#[allow(clippy::indexing_slicing, clippy::arithmetic_side_effects)]
const fn mask(queue: usize, extensions: usize) -> u32 {
    let mut bytes = [0u8; 4];
    if queue > 2 || extensions > 3 {
        return 0;
    }
    bytes[queue] = 0xff;
    bytes[queue + 1] = 0xff;
    bytes[extensions] |= bindings::NH_EXT_SEC_PATH;
    u32::from_ne_bytes(bytes)
}

impl SkBuff {
    /// Takes over a packet.
    ///
    /// # Safety
    ///
    /// `skb` must be a valid packet whose reference the caller owns and gives away.
    #[inline(always)]
    pub(crate) unsafe fn from_raw(skb: *mut bindings::sk_buff) -> SkBuff {
        // SAFETY: By the caller's promise. INVARIANT: likewise.
        SkBuff(unsafe { NonNull::new_unchecked(skb) })
    }

    #[inline(always)]
    pub(crate) fn as_ptr(&self) -> *mut bindings::sk_buff {
        self.0.as_ptr()
    }

    /// Returns the packet to look at.
    #[inline(always)]
    pub fn view(&self) -> View<'_> {
        // INVARIANT: The packet is valid as long as this object is borrowed.
        View(self.0, PhantomData)
    }

    #[inline(always)]
    pub(crate) fn into_raw(self) -> *mut bindings::sk_buff {
        ManuallyDrop::new(self).0.as_ptr()
    }

    /// Returns the queue that the stack chose; 0 when it recorded none (`skb_rx_queue_recorded()`).
    #[inline(always)]
    pub fn queue_mapping(&self) -> u16 {
        // SAFETY: The packet is valid (type invariant).
        unsafe { (*self.0.as_ptr()).queue_mapping }
    }

    /// Returns whether the packet belongs to a socket.
    #[inline(always)]
    pub fn has_socket(&self) -> bool {
        // SAFETY: The packet is valid (type invariant).
        !unsafe { (*self.0.as_ptr()).sk }.is_null()
    }

    /// Returns whether the packet went through IPsec (`secpath_exists()`).
    #[inline(always)]
    pub fn has_sec_path(&self) -> bool {
        #[cfg(CONFIG_XFRM)]
        {
            // SAFETY: The packet is valid (type invariant).
            unsafe { (*self.0.as_ptr()).active_extensions & bindings::NH_EXT_SEC_PATH != 0 }
        }
        #[cfg(not(CONFIG_XFRM))]
        {
            false
        }
    }

    /// Returns whether [`Self::queue_mapping`] is not 0, or [`Self::has_sec_path`] is true: one look
    /// at both, for every packet.
    #[inline(always)]
    pub fn has_queue_or_sec_path(&self) -> bool {
        #[cfg(CONFIG_XFRM)]
        {
            const QUEUE: usize = offset_of!(bindings::sk_buff, queue_mapping);
            const EXTENSIONS: usize = offset_of!(bindings::sk_buff, active_extensions);
            const WORD: usize = QUEUE & !3;
            const MASK: u32 = mask(QUEUE - WORD, EXTENSIONS.wrapping_sub(WORD));
            if MASK != 0 {
                // SAFETY: The packet is valid (type invariant), and its structure is aligned to
                // words, of which this is one, by the computation of its offset.
                return unsafe { self.0.as_ptr().cast::<u8>().add(WORD).cast::<u32>().read() }
                    & MASK
                    != 0;
            }
        }
        self.queue_mapping() != 0 || self.has_sec_path()
    }

    /// Makes a packet with the same content (`skb_clone()`), if there is memory. Any context.
    #[inline(always)]
    pub fn try_clone(&self) -> Option<SkBuff> {
        // SAFETY: The packet is valid (type invariant).
        let skb = unsafe { bindings::skb_clone(self.0.as_ptr(), bindings::NH_GFP_ATOMIC) };
        // INVARIANT: The reference to the clone is ours.
        NonNull::new(skb).map(SkBuff)
    }

    /// Returns whether the packet is to be encrypted by the hardware of another device than this one,
    /// which would send it as it is.
    pub fn needs_other_ipsec(&self, dev: &NetDevice) -> bool {
        // SAFETY: The packet is valid (type invariant); the device is allocated.
        unsafe { bindings::nh_needs_other_ipsec(self.0.as_ptr(), dev.as_ptr()) }
    }

    /// Hands the packet to the queueing discipline of `dev`, a device below ours.
    ///
    /// Bottom halves off, as in `ndo_start_xmit`. Returns the `NET_XMIT_*` code.
    #[inline(always)]
    pub fn transmit_through(self, dev: &NetDevice) -> i32 {
        let skb = self.into_raw();
        // SAFETY: The packet is valid and ours; the device stays allocated during the call, as it is
        // behind a reference. `cb` belongs to us until the packet is handed over. The master's
        // select_queue has written the mapping, unless the stack had no choice of queues: then any
        // number may stand there, which the device's own choice of a queue bounds.
        unsafe {
            *dev_of(skb) = dev.as_ptr();
            (*skb).queue_mapping = *lower_queue_mapping(skb);
            bindings::__dev_queue_xmit(skb, core::ptr::null_mut())
        }
    }

    /// Counts a packet that is gone as dropped by `dev` (`tx_dropped`). Any context.
    #[cold]
    pub fn count_drop_on(dev: &NetDevice) {
        // SAFETY: The device is valid (type invariant).
        unsafe { bindings::nh_count_tx_drop(dev.as_ptr()) };
    }

    /// Frees the packet and counts it as dropped by `dev` (`tx_dropped`). Any context.
    #[cold]
    pub fn drop_on(self, dev: &NetDevice) {
        // SAFETY: The packet is valid and ours, and is given away.
        unsafe { bindings::nh_tx_drop(dev.as_ptr(), self.into_raw()) };
    }
}

/// A packet on its way out that is looked at. Passed by value, so that it stays in a register.
///
/// # Invariants
///
/// The pointee is a valid packet for all of `'a`.
#[derive(Clone, Copy)]
pub struct View<'a>(NonNull<bindings::sk_buff>, PhantomData<&'a SkBuff>);

impl<'a> View<'a> {
    /// Returns the protocol of the network layer, `ETH_P_*`, in host byte order.
    #[inline(always)]
    pub fn protocol(self) -> u16 {
        // SAFETY: The packet is valid (type invariant).
        unsafe { protocol_of(self.0) }
    }

    /// Returns the VLAN tag (TCI) that goes beside the packet, in host byte order; 0 for none.
    #[inline(always)]
    pub fn vlan_tag(self) -> u16 {
        // SAFETY: The packet is valid (type invariant); both views of the tag are plain numbers. Without a tag
        // both halves, of which the TCI is one, are 0 (`skb_vlan_tag_present()`).
        unsafe {
            let head = self.0.as_ref().__bindgen_anon_4.__bindgen_anon_1.as_ref();
            head.__bindgen_anon_2.__bindgen_anon_1.vlan_tci
        }
    }

    /// Returns the hash of the packet's flow, if the stack has one of addresses and ports.
    #[inline(always)]
    pub fn l4_hash(self) -> Option<u32> {
        // SAFETY: The packet is valid (type invariant).
        let head = unsafe { self.0.as_ref().__bindgen_anon_4.__bindgen_anon_1.as_ref() };
        (head.l4_hash() != 0).then_some(head.hash)
    }

    /// Returns the offset of the network header from where the packet begins, in bytes; more than any packet
    /// has if it is in front of it.
    #[inline(always)]
    pub fn network_offset(self) -> usize {
        // SAFETY: The packet is valid (type invariant).
        let skb = unsafe { self.0.as_ref() };
        // SAFETY: As above.
        let head = unsafe { skb.__bindgen_anon_4.__bindgen_anon_1.as_ref() };
        let header = (skb.head as usize).wrapping_add(usize::from(head.network_header));
        header.wrapping_sub(skb.data as usize)
    }

    /// Returns the part of the packet that lies in one piece, from its beginning.
    #[inline(always)]
    fn linear(self) -> Bytes<'a> {
        // SAFETY: The packet is valid (type invariant): of its `len` bytes, all but `data_len` lie at
        // `data`.
        unsafe {
            let skb = self.0.as_ref();
            Bytes::new(skb.data, skb.len.wrapping_sub(skb.data_len) as usize)
        }
    }

    /// Copies `N` bytes at an offset from where the packet begins, if they lie in its first piece.
    #[inline(always)]
    pub fn in_one_piece<const N: usize>(self, at: usize) -> Option<[u8; N]> {
        self.linear().get(at)
    }

    /// Copies `N` bytes at an offset from where the packet begins; none if it ends before.
    #[inline(always)]
    pub fn bytes<const N: usize>(self, at: usize) -> Option<[u8; N]> {
        match self.linear().get(at) {
            Some(bytes) => Some(bytes),
            // SAFETY: The packet is valid (type invariant).
            None => unsafe { scattered_bytes(self.0, at) },
        }
    }

    /// Looks for the innermost flow of the packet, on its way through a device of `net`.
    pub fn dissect(self, net: &Net) -> Option<Dissected> {
        let (protocol, offset) = (self.protocol(), self.network_offset() as i32);
        // SAFETY: The packet is valid (type invariant).
        unsafe { flow::dissect(net, self.0.as_ptr(), self.linear(), protocol, offset) }
    }

    /// Returns whether this is an IGMP message.
    #[inline(always)]
    pub fn is_igmp(self) -> bool {
        const ETH_P_IP: u16 = bindings::ETH_P_IP as u16;
        /// Where the protocol stands in an IPv4 header (RFC 791, 3.1).
        const PROTOCOL: usize = 9;
        const IPPROTO_IGMP: u8 = 2;
        if self.protocol() != ETH_P_IP {
            return false;
        }
        let header = self.network_offset();
        match self
            .linear()
            .skip(PROTOCOL)
            .and_then(|rest| rest.get(header))
        {
            Some([protocol]) => protocol == IPPROTO_IGMP,
            None => header.checked_add(PROTOCOL).is_some_and(|at| {
                // SAFETY: The packet is valid (type invariant).
                unsafe { scattered_bytes(self.0, at) == Some([IPPROTO_IGMP]) }
            }),
        }
    }
}

/// Copies bytes of a packet that does not lie in one piece. Takes the pointer by value, so that callers
/// need not keep it in memory.
///
/// # Safety
///
/// The packet must be valid.
#[cold]
#[inline(never)]
unsafe fn scattered_bytes<const N: usize>(
    skb: NonNull<bindings::sk_buff>,
    at: usize,
) -> Option<[u8; N]> {
    let at = i32::try_from(at).ok()?;
    let mut bytes = [0; N];
    // SAFETY: By the caller's promise; the buffer has as many bytes as are asked for.
    let err =
        unsafe { bindings::skb_copy_bits(skb.as_ptr(), at, bytes.as_mut_ptr().cast(), N as i32) };
    (err == 0).then_some(bytes)
}

impl Drop for SkBuff {
    fn drop(&mut self) {
        // SAFETY: The packet is valid and ours (type invariant).
        unsafe {
            bindings::sk_skb_reason_drop(
                core::ptr::null_mut(),
                self.0.as_ptr(),
                bindings::skb_drop_reason_SKB_DROP_REASON_NOT_SPECIFIED,
            )
        };
    }
}

/// A received packet that is looked at on its way up.
///
/// # Invariants
///
/// The pointee is a valid packet with a link-layer header, and not shared, for all of `'a`.
#[derive(Clone, Copy)]
pub struct Received<'a>(NonNull<bindings::sk_buff>, PhantomData<&'a ()>);

impl<'a> Received<'a> {
    /// Makes a view of a packet.
    ///
    /// # Safety
    ///
    /// `skb` must be a valid packet on the receive path, not shared, for all of `'a`.
    #[inline(always)]
    pub(crate) unsafe fn from_raw(skb: *mut bindings::sk_buff) -> Received<'a> {
        // SAFETY: By the caller's promise. INVARIANT: likewise.
        Received(unsafe { NonNull::new_unchecked(skb) }, PhantomData)
    }

    /// Returns the protocol of the network layer, `ETH_P_*`, in host byte order; that of the inner
    /// tag if there are VLAN tags behind the outermost.
    #[inline(always)]
    pub fn protocol(self) -> u16 {
        // SAFETY: The packet is valid (type invariant).
        unsafe { protocol_of(self.0) }
    }

    /// Returns whether the frame is for this host, by its link-layer address: neither for another
    /// one, nor one of ours that came back (`PACKET_OTHERHOST`, `PACKET_LOOPBACK`).
    pub fn is_for_us(&self) -> bool {
        !matches!(
            self.kind(),
            bindings::PACKET_OTHERHOST | bindings::PACKET_LOOPBACK
        )
    }

    /// Returns whether the frame is for one address (`PACKET_HOST` and its like), not for a group or for all.
    pub fn is_unicast(&self) -> bool {
        !matches!(
            self.kind(),
            bindings::PACKET_BROADCAST | bindings::PACKET_MULTICAST
        )
    }

    /// `PACKET_*`
    fn kind(&self) -> u32 {
        // SAFETY: The packet is valid (type invariant).
        let kind = unsafe {
            self.0
                .as_ref()
                .__bindgen_anon_4
                .__bindgen_anon_1
                .as_ref()
                .pkt_type()
        };
        kind.into()
    }

    /// Returns one byte of what the packet holds behind its link-layer header, if it lies in the first piece.
    #[inline(always)]
    pub fn byte_in_place(self, at: usize) -> Option<u8> {
        // INVARIANT: The packet is valid for as long.
        let [byte] = View(self.0, PhantomData::<&'a SkBuff>).linear().get(at)?;
        Some(byte)
    }

    /// Copies what the packet holds behind its link-layer header, as much as fits (`skb_copy_bits()`).
    /// Returns that part of the buffer.
    pub fn copy<'b>(&self, buf: &'b mut [u8]) -> &'b [u8] {
        // SAFETY: The packet is valid; the length is read only.
        let len = unsafe { (*self.0.as_ptr()).len } as usize;
        let len = len.min(buf.len());
        let buf = buf.get_mut(..len).unwrap_or_default();
        // SAFETY: The packet has at least as many bytes as the buffer, which is valid for writes.
        let err = unsafe {
            bindings::skb_copy_bits(
                self.0.as_ptr(),
                0,
                buf.as_mut_ptr().cast(),
                buf.len() as i32,
            )
        };
        if err == 0 {
            buf
        } else {
            &[]
        }
    }

    /// Returns whether the frame is for one of the link-local groups 01-80-C2-00-00-0X of
    /// IEEE 802.1Q, 8.6.3. Only for Ethernet.
    pub fn is_link_local(&self) -> bool {
        // SAFETY: The packet is valid and has a link-layer header (type invariant).
        unsafe { bindings::nh_ether_dest_is_link_local(self.0.as_ptr()) }
    }
}
