// SPDX-License-Identifier: GPL-2.0

//! Packets.
//!
//! C header: [`include/linux/skbuff.h`](srctree/include/linux/skbuff.h)

use crate::bindings;
use crate::flow::{self, Dissected};
use crate::namespace::Net;
use crate::netdevice::NetDevice;
use crate::shared::Bytes;
use crate::sync::PerCpuCounters;
use core::marker::PhantomData;
use core::mem::{offset_of, ManuallyDrop};
use core::ptr::NonNull;
use core::sync::atomic::{AtomicU32, Ordering};

/// The transmit code for a packet that was dropped (`NET_XMIT_DROP`).
pub const XMIT_DROP: i32 = bindings::NET_XMIT_DROP as i32;

/// The transmit code for a packet that was taken (`NET_XMIT_SUCCESS`).
pub const XMIT_SUCCESS: i32 = bindings::NET_XMIT_SUCCESS as i32;

/// A packet that we own (`struct sk_buff`).
///
/// Dropping it frees the packet; transmitting consumes it.
///
/// # Invariants
///
/// The pointee is a packet whose reference this object owns.
pub struct SkBuff(NonNull<bindings::sk_buff>);

// SAFETY: A packet that is owned may be used and freed in any context.
unsafe impl Send for SkBuff {}

/// Returns the address of `skb->dev`.
#[inline(always)]
pub(crate) fn dev_of(skb: *mut bindings::sk_buff) -> *mut *mut bindings::net_device {
    // SAFETY: This only computes an address within the packet, which the caller has.
    unsafe {
        &raw mut (*skb)
            .__bindgen_anon_1
            .__bindgen_anon_1
            .__bindgen_anon_1
            .dev
    }
}

/// Returns the address of `qdisc_skb_cb(skb)->slave_dev_queue_mapping`, where a master keeps the
/// queue mapping that its lower device is to see.
#[inline(always)]
pub(crate) fn lower_queue_mapping(skb: *mut bindings::sk_buff) -> *mut u16 {
    // SAFETY: This only computes an address; the C side checks that `struct qdisc_skb_cb` fits in
    // `cb`.
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

    /// Returns a view of the packet.
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

    /// Clones the packet (`skb_clone()`), if there is memory. Any context.
    #[inline(always)]
    pub fn try_clone(&self) -> Option<SkBuff> {
        // SAFETY: The packet is valid (type invariant).
        let skb = unsafe { bindings::skb_clone(self.0.as_ptr(), bindings::NH_GFP_ATOMIC) };
        // INVARIANT: We own the reference to the clone.
        NonNull::new(skb).map(SkBuff)
    }

    /// Returns whether the hardware of a device other than `dev` is to encrypt the packet; `dev`
    /// would send it unencrypted.
    pub fn needs_other_ipsec(&self, dev: &NetDevice) -> bool {
        // SAFETY: The packet is valid (type invariant); the device is allocated.
        unsafe { bindings::nh_needs_other_ipsec(self.0.as_ptr(), dev.as_ptr()) }
    }

    /// Sets the source address of a packet that begins with its Ethernet header. Returns false if
    /// there is no memory for that; the packet stays as it was. Any context.
    #[inline]
    pub fn set_ether_source(&mut self, addr: &[u8; 6]) -> bool {
        // SAFETY: The packet is valid and ours (type invariant), and C makes its header writable.
        unsafe { bindings::nh_set_ether_source(self.as_ptr(), addr.as_ptr()) }
    }

    /// Whether other packets may use the header, so that it must not be changed
    /// (`skb_header_cloned()`).
    #[inline(always)]
    fn has_shared_header(&self) -> bool {
        let skb = self.0.as_ptr();
        // SAFETY: The packet is valid (type invariant). The bit says whether there was ever a clone.
        if unsafe { bindings::sk_buff::cloned_raw(skb) } == 0 {
            return false;
        }
        // SAFETY: The packet is valid (type invariant). `end` bytes after `head` is the structure that
        // it shares with its clones (`skb_shinfo()`), where C has the aligned, atomic number at this
        // offset.
        let references = unsafe {
            let shared = (*skb).head.add((*skb).end as usize);
            let references = shared.add(bindings::NH_DATAREF as usize);
            AtomicU32::from_ptr(references.cast()).load(Ordering::Relaxed)
        };
        // The high half counts those that only use the payload.
        let payload_only = references >> bindings::NH_DATAREF_SHIFT;
        (references & bindings::NH_DATAREF_MASK).wrapping_sub(payload_only) != 1
    }

    /// Like [`Self::set_ether_source`], but only if the header is in the linear part and belongs to
    /// this packet alone, which needs no call. For every packet.
    #[inline(always)]
    pub fn set_own_ether_source(&mut self, addr: &[u8; 6]) -> bool {
        const SOURCE: usize = 6;
        let skb = self.0.as_ptr();
        if self.has_shared_header() || self.view().linear().len() < SOURCE.wrapping_add(addr.len())
        {
            return false;
        }
        // SAFETY: The linear part, which begins at `data`, has the 6 bytes behind the first 6. No other
        // packet uses them, as `skb_cow_head()` demands, and we have the only reference to this one.
        unsafe { (*skb).data.add(SOURCE).cast::<[u8; 6]>().write(*addr) };
        true
    }

    /// Replaces bytes at an offset from the beginning of the packet. Returns false if the packet is
    /// too short, or if there is no memory for a copy of what others share. Any context.
    pub fn overwrite(&mut self, at: usize, bytes: &[u8]) -> bool {
        let (Ok(at), Ok(len)) = (i32::try_from(at), i32::try_from(bytes.len())) else {
            return false;
        };
        if at.checked_add(len).is_none() {
            return false;
        }
        // SAFETY: The packet is valid and ours (type invariant); C checks its length, and reads `len`
        // bytes.
        unsafe { bindings::nh_overwrite(self.as_ptr(), at, bytes.as_ptr().cast(), len) }
    }

    /// Hands the packet to the queueing discipline of `dev`, a device below ours.
    ///
    /// Must be called with bottom halves off, as in `ndo_start_xmit`. Returns the `NET_XMIT_*`
    /// code.
    #[inline(always)]
    pub fn transmit_through(self, dev: &NetDevice) -> i32 {
        let skb = self.addressed_to(dev);
        // SAFETY: The packet is valid and ours, and is given away.
        unsafe { bindings::__dev_queue_xmit(skb, core::ptr::null_mut()) }
    }

    /// Like [`Self::transmit_through`]; adds the length of the packet, in bytes, to one of the
    /// counters, if it is there.
    #[inline(always)]
    pub fn transmit_counted<const N: usize>(
        self,
        dev: &NetDevice,
        counters: &PerCpuCounters<N>,
        place: usize,
    ) -> i32 {
        let Some(counter) = counters.counter(place) else {
            return self.transmit_through(dev);
        };
        let skb = self.addressed_to(dev);
        // SAFETY: The packet is valid and ours, and is given away. The counter is there as long as
        // `counters` is borrowed; C no longer uses it once it hands the packet over.
        unsafe { bindings::nh_transmit_counted(skb, counter) }
    }

    /// Returns the packet, which now is one for `dev`, a device below ours.
    #[inline(always)]
    fn addressed_to(self, dev: &NetDevice) -> *mut bindings::sk_buff {
        let skb = self.into_raw();
        // SAFETY: The packet is valid and ours; the device stays allocated during the call, as we
        // have a reference to it. `cb` belongs to us until the packet is handed over. The master's
        // select_queue has written the mapping, unless the stack had no choice of queues. In that
        // case the mapping may be any number, which the device bounds when it chooses a queue
        // itself.
        unsafe {
            *dev_of(skb) = dev.as_ptr();
            (*skb).queue_mapping = *lower_queue_mapping(skb);
        }
        skb
    }

    /// Counts a packet that no longer exists as dropped by `dev` (`tx_dropped`). Any context.
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

impl NetDevice {
    /// Sends a frame of a control protocol, which begins with its link-layer header, with the
    /// priority of such frames (`TC_PRIO_CONTROL`). Returns whether the queueing discipline of the
    /// device has taken the frame. Any context but hard interrupts.
    pub fn send_control(&self, frame: &[u8]) -> bool {
        let Ok(len) = u32::try_from(frame.len()) else {
            return false;
        };
        // SAFETY: The device is valid (type invariant), and C copies `len` bytes of the frame.
        let code = unsafe { bindings::nh_send_control(self.as_ptr(), frame.as_ptr().cast(), len) };
        code == XMIT_SUCCESS
    }
}

/// A view of a packet on its way out. It is passed by value, so that it stays in a register.
///
/// # Invariants
///
/// The pointee is a valid packet for all of `'a`.
#[derive(Clone, Copy)]
pub struct View<'a>(NonNull<bindings::sk_buff>, PhantomData<&'a SkBuff>);

impl<'a> View<'a> {
    /// Returns the length of the packet in bytes, with its link-layer header.
    #[inline(always)]
    pub fn length(self) -> u32 {
        // SAFETY: The packet is valid (type invariant).
        unsafe { self.0.as_ref().len }
    }

    /// Copies the beginning of the packet from an offset on, as much as fits. Returns the part of
    /// the buffer that was filled.
    pub fn copy(self, at: usize, buf: &mut [u8]) -> &[u8] {
        let rest = (self.length() as usize).saturating_sub(at);
        let len = rest.min(buf.len());
        let buf = buf.get_mut(..len).unwrap_or_default();
        let Ok(at) = i32::try_from(at) else {
            return &[];
        };
        // SAFETY: The packet is valid (type invariant), and the buffer has as many bytes as C is
        // asked for.
        let err = unsafe {
            let to = buf.as_mut_ptr().cast();
            bindings::skb_copy_bits(self.0.as_ptr(), at, to, buf.len() as i32)
        };
        if err == 0 {
            buf
        } else {
            &[]
        }
    }

    /// Returns the network-layer protocol, `ETH_P_*`, in host byte order.
    #[inline(always)]
    pub fn protocol(self) -> u16 {
        // SAFETY: The packet is valid (type invariant).
        unsafe { protocol_of(self.0) }
    }

    /// Returns the VLAN tag (TCI) that is stored beside the packet, in host byte order; 0 for none.
    #[inline(always)]
    pub fn vlan_tag(self) -> u16 {
        // SAFETY: The packet is valid (type invariant); both views of the tag are plain numbers.
        // Without a tag, both halves of it are 0, and one of them is the TCI
        // (`skb_vlan_tag_present()`).
        unsafe {
            let head = self.0.as_ref().__bindgen_anon_4.__bindgen_anon_1.as_ref();
            head.__bindgen_anon_2.__bindgen_anon_1.vlan_tci
        }
    }

    /// Returns whether the VLAN tag that is stored beside the packet is that of a service provider
    /// (`ETH_P_8021AD`).
    pub fn has_service_tag(self) -> bool {
        // SAFETY: As in `vlan_tag`.
        let proto = unsafe {
            let head = self.0.as_ref().__bindgen_anon_4.__bindgen_anon_1.as_ref();
            head.__bindgen_anon_2.__bindgen_anon_1.vlan_proto
        };
        self.vlan_tag() != 0 && u16::from_be(proto) == bindings::ETH_P_8021AD as u16
    }

    /// Returns the hash of the packet's flow, if the stack has computed one over addresses and
    /// ports.
    #[inline(always)]
    pub fn l4_hash(self) -> Option<u32> {
        // SAFETY: The packet is valid (type invariant).
        let head = unsafe { self.0.as_ref().__bindgen_anon_4.__bindgen_anon_1.as_ref() };
        (head.l4_hash() != 0).then_some(head.hash)
    }

    /// Returns the offset of the network header from the beginning of the packet, in bytes. If the
    /// header is in front of the packet, the offset is larger than any packet.
    #[inline(always)]
    pub fn network_offset(self) -> usize {
        // SAFETY: The packet is valid (type invariant).
        let skb = unsafe { self.0.as_ref() };
        // SAFETY: As above.
        let head = unsafe { skb.__bindgen_anon_4.__bindgen_anon_1.as_ref() };
        let header = (skb.head as usize).wrapping_add(usize::from(head.network_header));
        header.wrapping_sub(skb.data as usize)
    }

    /// Returns the linear part at the beginning of the packet.
    #[inline(always)]
    fn linear(self) -> Bytes<'a> {
        // SAFETY: The packet is valid (type invariant): of its `len` bytes, all but `data_len` lie
        // at `data`.
        unsafe {
            let skb = self.0.as_ref();
            Bytes::new(skb.data, skb.len.wrapping_sub(skb.data_len) as usize)
        }
    }

    /// Copies `N` bytes at an offset from the beginning of the packet, if they lie in its linear
    /// part.
    #[inline(always)]
    pub fn in_one_piece<const N: usize>(self, at: usize) -> Option<[u8; N]> {
        self.linear().get(at)
    }

    /// Like [`Self::in_one_piece`], for bytes at an offset from a header that begins at `from`: quicker
    /// where that is the only look at the header.
    #[inline(always)]
    pub fn in_one_piece_from<const N: usize>(self, from: usize, at: usize) -> Option<[u8; N]> {
        self.linear().skip(from)?.get(at)
    }

    /// Copies `N` bytes at an offset from the beginning of the packet. Returns `None` if the packet
    /// ends before.
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
        /// The offset of the protocol in an IPv4 header (RFC 791, 3.1).
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

/// Copies bytes of a packet that is not linear. Takes the pointer by value, so that callers need
/// not keep it in memory.
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
    // SAFETY: By the caller's promise; the buffer has as many bytes as C is asked for.
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

/// A view of a received packet on its way up.
///
/// # Invariants
///
/// The pointee is a valid packet that has a link-layer header and is not shared, for all of `'a`.
#[derive(Clone, Copy)]
pub struct Received<'a>(NonNull<bindings::sk_buff>, PhantomData<&'a ()>);

impl<'a> Received<'a> {
    /// Makes a view of a packet.
    ///
    /// # Safety
    ///
    /// `skb` must be a valid packet on the receive path that is not shared, for all of `'a`.
    #[inline(always)]
    pub(crate) unsafe fn from_raw(skb: *mut bindings::sk_buff) -> Received<'a> {
        // SAFETY: By the caller's promise. INVARIANT: likewise.
        Received(unsafe { NonNull::new_unchecked(skb) }, PhantomData)
    }

    /// Returns the network-layer protocol, `ETH_P_*`, in host byte order. If there are VLAN tags
    /// behind the outermost one, the protocol is that of the inner tag.
    #[inline(always)]
    pub fn protocol(self) -> u16 {
        // SAFETY: The packet is valid (type invariant).
        unsafe { protocol_of(self.0) }
    }

    /// Returns whether the frame is for this host, by its link-layer address: it is neither for
    /// another host, nor a frame of ours that came back (`PACKET_OTHERHOST`, `PACKET_LOOPBACK`).
    pub fn is_for_us(&self) -> bool {
        !matches!(
            self.kind(),
            bindings::PACKET_OTHERHOST | bindings::PACKET_LOOPBACK
        )
    }

    /// Returns whether the frame is for one address (`PACKET_HOST` and the like), not for a group
    /// or for all.
    pub fn is_unicast(&self) -> bool {
        !matches!(
            self.kind(),
            bindings::PACKET_BROADCAST | bindings::PACKET_MULTICAST
        )
    }

    /// Returns whether the frame is for another host, by its link-layer address
    /// (`PACKET_OTHERHOST`).
    pub fn is_for_others(&self) -> bool {
        self.kind() == bindings::PACKET_OTHERHOST
    }

    /// Returns whether the frame is for the address of the device that has received it
    /// (`PACKET_HOST`).
    #[inline(always)]
    pub fn is_for_host(&self) -> bool {
        self.kind() == bindings::PACKET_HOST
    }

    /// Has the frame count as one for this host.
    pub fn accept(&self) {
        // SAFETY: The packet is valid and not shared (type invariant).
        unsafe { bindings::nh_accept(self.0.as_ptr()) };
    }

    /// Returns the hardware address that the frame was sent from. Only for Ethernet.
    pub fn ether_source(&self) -> [u8; 6] {
        let mut addr = [0; 6];
        // SAFETY: As in `ether_dest`.
        unsafe { bindings::nh_ether_source(self.0.as_ptr(), addr.as_mut_ptr()) };
        addr
    }

    /// Changes the hardware address that the frame was sent to. Only for Ethernet. Returns false if
    /// there is no memory for that.
    pub fn set_ether_dest(&self, addr: &[u8; 6]) -> bool {
        // SAFETY: The packet is valid, is not shared and has a link-layer header (type invariant);
        // C makes that header writable.
        unsafe { bindings::nh_set_ether_dest(self.0.as_ptr(), addr.as_ptr()) }
    }

    /// Returns whether the frame belongs to a VLAN of a service provider (`ETH_P_8021AD`).
    pub fn has_service_tag(self) -> bool {
        // INVARIANT: The packet is valid for all of `'a`.
        View(self.0, PhantomData::<&SkBuff>).has_service_tag()
    }

    /// Returns the VLAN id of the frame; 0 for none.
    pub fn vid(&self) -> u16 {
        const VID: u16 = 0x0fff;
        // INVARIANT: The packet is valid for all of `'a`.
        View(self.0, PhantomData::<&SkBuff>).vlan_tag() & VID
    }

    /// `PACKET_*`
    #[inline(always)]
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

    /// Returns one byte of the payload behind the link-layer header, if it lies in the linear part.
    #[inline(always)]
    pub fn byte_in_place(self, at: usize) -> Option<u8> {
        // INVARIANT: The packet is valid for all of `'a`.
        let [byte] = View(self.0, PhantomData::<&'a SkBuff>).linear().get(at)?;
        Some(byte)
    }

    /// Copies the payload behind the link-layer header, as much as fits (`skb_copy_bits()`).
    /// Returns the part of the buffer that was filled.
    pub fn copy<'b>(&self, buf: &'b mut [u8]) -> &'b [u8] {
        // SAFETY: The packet is valid; this only reads the length.
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

    /// Returns the hardware address that the frame was sent to. Only for Ethernet.
    pub fn ether_dest(&self) -> [u8; 6] {
        let mut addr = [0; 6];
        // SAFETY: The packet is valid and has a link-layer header (type invariant); the array is as
        // long as an Ethernet address.
        unsafe { bindings::nh_ether_dest(self.0.as_ptr(), addr.as_mut_ptr()) };
        addr
    }

    /// Returns whether the frame belongs to a VLAN. A tag with the VLAN id 0 carries only a
    /// priority.
    pub fn has_vlan(&self) -> bool {
        self.vid() != 0
    }

    /// Returns whether the frame is for one of the link-local groups 01-80-C2-00-00-0X of
    /// IEEE 802.1Q, 8.6.3. Only for Ethernet.
    pub fn is_link_local(&self) -> bool {
        // SAFETY: The packet is valid and has a link-layer header (type invariant).
        unsafe { bindings::nh_ether_dest_is_link_local(self.0.as_ptr()) }
    }
}
