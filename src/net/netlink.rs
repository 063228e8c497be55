// SPDX-License-Identifier: GPL-2.0

//! Netlink messages.
//!
//! C headers: [`include/linux/netlink.h`](srctree/include/linux/netlink.h),
//! [`include/net/netlink.h`](srctree/include/net/netlink.h)

use crate::bindings;
use crate::errno::emsgsize;
use core::ffi::CStr;
use core::marker::PhantomData;
use core::ptr;
use kernel::error::{to_result, Result};
use kernel::str::CStrExt;
use kernel::types::Opaque;

/// The part of the answer to a request that takes a message for the user (`struct
/// netlink_ext_ack`).
#[repr(transparent)]
pub struct ExtAck(Opaque<bindings::netlink_ext_ack>);

impl ExtAck {
    /// Makes a reference from a C pointer, which may be NULL.
    ///
    /// # Safety
    ///
    /// `extack` must be NULL, or point to an object that nobody else uses during `'a`.
    pub(crate) unsafe fn from_raw<'a>(
        extack: *mut bindings::netlink_ext_ack,
    ) -> Option<&'a ExtAck> {
        // SAFETY: By the caller's promise; the type is transparent.
        unsafe { extack.cast::<ExtAck>().as_ref() }
    }

    pub(crate) fn as_ptr(this: Option<&ExtAck>) -> *mut bindings::netlink_ext_ack {
        this.map_or(ptr::null_mut(), |extack| extack.0.get())
    }

    /// Sets the message (`NL_SET_ERR_MSG()`). The last one set counts.
    pub fn set_msg(&self, msg: &'static CStr) {
        // SAFETY: The object is ours for the lifetime of the reference (see `from_raw`), and the
        // message lives forever.
        unsafe { (*self.0.get())._msg = msg.as_char_ptr() };
    }

    /// Sets the message, truncated to the 80 bytes that it may have, and the attribute that the
    /// message is about (`NL_SET_ERR_MSG_ATTR_FMT()`).
    pub fn set_msg_attr(&self, msg: &str, attr: Attr<'_>) {
        // SAFETY: The object is ours for the lifetime of the reference (see `from_raw`). The
        // message is copied into the object's own buffer and ends with a NUL. The attribute is part
        // of the request, which exists until the answer to it has been made.
        unsafe {
            let extack = self.0.get();
            let buf = &mut (*extack)._msg_buf;
            let room = buf.len().saturating_sub(1);
            buf.fill(0);
            for (to, from) in buf.iter_mut().take(room).zip(msg.bytes()) {
                *to = from;
            }
            (*extack)._msg = buf.as_ptr();
            (*extack).bad_attr = attr.raw;
            (*extack).policy = ptr::null();
        }
    }
}

/// An attribute of a request (`struct nlattr`).
///
/// # Invariants
///
/// `raw` points to a valid attribute, with its payload, for all of `'a`.
#[derive(Clone, Copy)]
pub struct Attr<'a> {
    raw: *const bindings::nlattr,
    _message: PhantomData<&'a [u8]>,
}

impl<'a> Attr<'a> {
    /// The length of an attribute's header, in bytes (`NLA_HDRLEN`).
    const HEADER: usize = size_of::<bindings::nlattr>();

    /// Returns the payload (`nla_data()`, `nla_len()`).
    pub fn payload(self) -> &'a [u8] {
        // SAFETY: By the type invariant, `nla_len` bytes from the start of the header are valid;
        // the payload follows the header.
        unsafe {
            let len = usize::from((*self.raw).nla_len).saturating_sub(Self::HEADER);
            core::slice::from_raw_parts(self.raw.add(1).cast(), len)
        }
    }

    /// Returns the payload as an unsigned number of 1, 2 or 4 bytes, in the host's byte order.
    /// Returns zero if the payload is too short, which a [`Policy`] rules out.
    pub fn number(self, ty: NumberType) -> u32 {
        let payload = self.payload();
        let number = match ty {
            NumberType::U8 => payload.first().map(|byte| u32::from(*byte)),
            NumberType::U16 => payload
                .first_chunk()
                .map(|it| u32::from(u16::from_ne_bytes(*it))),
            NumberType::U32 => payload.first_chunk().map(|it| u32::from_ne_bytes(*it)),
        };
        number.unwrap_or(0)
    }

    /// Iterates over the payloads of the attributes that are nested in this one
    /// (`nla_for_each_nested()`). Ends at the first malformed attribute.
    pub fn nested(self) -> impl Iterator<Item = &'a [u8]> {
        let mut rest = self.payload();
        core::iter::from_fn(move || {
            let len = usize::from(u16::from_ne_bytes(*rest.first_chunk()?));
            let payload = rest.get(Self::HEADER..len)?;
            // NLA_ALIGN()
            rest = rest.get(len.saturating_add(3) & !3..).unwrap_or(&[]);
            Some(payload)
        })
    }
}

/// The width of a number in an attribute.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum NumberType {
    /// 8 bits.
    U8,
    /// 16 bits.
    U16,
    /// 32 bits.
    U32,
}

/// The attributes of a request, by their numbers.
///
/// # Invariants
///
/// `raw` points to `max + 1` pointers, each of which is NULL or points to an attribute. All of this
/// is valid for `'a`.
#[derive(Clone, Copy)]
pub struct Attrs<'a> {
    raw: *const *mut bindings::nlattr,
    max: u16,
    _message: PhantomData<&'a [u8]>,
}

impl<'a> Attrs<'a> {
    /// Makes the object from a C array. NULL stands for no attributes.
    ///
    /// # Safety
    ///
    /// `raw` must be NULL, or point to `max + 1` pointers, each of which is NULL or points to an
    /// attribute. All of this must stay valid for all of `'a`.
    pub(crate) unsafe fn from_raw(raw: *const *mut bindings::nlattr, max: u16) -> Option<Self> {
        // INVARIANT: By the caller's promise.
        (!raw.is_null()).then_some(Attrs {
            raw,
            max,
            _message: PhantomData,
        })
    }

    /// Returns the attribute with this number, if the request has it.
    pub fn get(&self, attr: u16) -> Option<Attr<'a>> {
        if attr > self.max {
            return None;
        }
        // SAFETY: The index is within the array, by the type invariant.
        let raw = unsafe { *self.raw.add(usize::from(attr)) };
        // INVARIANT: By the invariant of `Attrs`.
        (!raw.is_null()).then_some(Attr {
            raw,
            _message: PhantomData,
        })
    }
}

/// The payload that an attribute must have.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum PayloadType {
    /// `NLA_U8`
    U8,
    /// `NLA_U16`
    U16,
    /// `NLA_U32`
    U32,
    /// `NLA_U32`, from zero to the maximum that the range gives (`NLA_POLICY_FULL_RANGE()`).
    U32UpTo(&'static Range),
    /// `NLA_S32`
    S32,
    /// `NLA_NESTED`
    Nested,
    /// `NLA_BINARY`, of at most this many bytes.
    BinaryUpTo(u16),
}

/// The largest number that an attribute may have.
pub struct Range(bindings::netlink_range_validation);

impl Range {
    /// From zero to `max`.
    pub const fn up_to(max: u64) -> Self {
        Range(bindings::netlink_range_validation { min: 0, max })
    }
}

impl PartialEq for Range {
    fn eq(&self, other: &Range) -> bool {
        self.0.max == other.0.max
    }
}

impl Eq for Range {}

impl core::fmt::Debug for Range {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "0..={}", self.0.max)
    }
}

/// What the attributes of a request, numbered from 0 to `N - 1`, must look like
/// (`struct nla_policy`).
///
/// Attributes that are not in the policy are ignored.
#[repr(transparent)]
///
/// ```ignore
/// # use net::netlink::{Attrs, NumberType, PayloadType, Policy};
/// const SPEED: u16 = 1;
///
/// static POLICY: Policy<2> = Policy::new().with(SPEED, PayloadType::U32);
///
/// fn speed(attrs: &Attrs<'_>) -> Option<u32> {
///     let speed = attrs.get(SPEED)?;
///     Some(speed.number(NumberType::U32))
/// }
/// ```
pub struct Policy<const N: usize>([bindings::nla_policy; N]);

// SAFETY: The policy is constant, and its pointers point to constants.
unsafe impl<const N: usize> Sync for Policy<N> {}

impl<const N: usize> Policy<N> {
    /// Makes a policy without attributes.
    #[allow(clippy::new_without_default)]
    pub const fn new() -> Self {
        Policy([NO_POLICY; N])
    }

    /// Adds an attribute. For constants: panics if `attr` is not below `N`.
    // Runs at compile time, where a panic is a compiler error.
    #[allow(clippy::indexing_slicing)]
    pub const fn with(mut self, attr: u16, ty: PayloadType) -> Self {
        let mut policy = NO_POLICY;
        policy.type_ = match ty {
            PayloadType::U8 => bindings::NLA_U8,
            PayloadType::U16 => bindings::NLA_U16,
            PayloadType::U32 | PayloadType::U32UpTo(_) => bindings::NLA_U32,
            PayloadType::S32 => bindings::NLA_S32,
            PayloadType::Nested => bindings::NLA_NESTED,
            PayloadType::BinaryUpTo(_) => bindings::NLA_BINARY,
        } as u8;
        match ty {
            PayloadType::BinaryUpTo(len) => policy.len = len,
            PayloadType::U32UpTo(range) => {
                policy.validation_type =
                    bindings::nla_policy_validation_NLA_VALIDATE_RANGE_PTR as u8;
                policy.__bindgen_anon_1.range = &raw const range.0;
            }
            _ => {}
        }
        self.0[attr as usize] = policy;
        self
    }

    /// The largest attribute number.
    pub(crate) const MAX: u16 = {
        assert!(
            N > 0 && N <= 51,
            "rtnetlink takes at most 50 attributes (RTNL_MAX_TYPE)"
        );
        (N - 1) as u16
    };

    pub(crate) const fn as_ptr(&'static self) -> *const bindings::nla_policy {
        (&raw const self.0).cast()
    }
}

const NO_POLICY: bindings::nla_policy = pin_init::zeroed();

/// A netlink message that is being written (a `struct sk_buff`).
pub struct Message<'a>(&'a mut bindings::sk_buff);

impl<'a> Message<'a> {
    /// Makes a view of a message.
    ///
    /// # Safety
    ///
    /// `skb` must be a netlink message that only the caller uses during `'a`.
    pub(crate) unsafe fn from_raw(skb: *mut bindings::sk_buff) -> Self {
        // SAFETY: By the caller's promise.
        Message(unsafe { &mut *skb })
    }

    /// Appends an attribute (`nla_put()`).
    ///
    /// # Errors
    ///
    /// `EMSGSIZE` if there is no room.
    pub fn put(&mut self, attr: u16, payload: &[u8]) -> Result {
        let len = i32::try_from(payload.len()).map_err(|_| kernel::error::code::EINVAL)?;
        // SAFETY: The message is valid, and so are `len` bytes of payload.
        to_result(unsafe {
            bindings::nla_put(self.0, i32::from(attr), len, payload.as_ptr().cast())
        })
    }

    /// Appends an attribute in which others are nested. `flagged` says whether the attribute is
    /// marked as nested (`nla_nest_start()` rather than `nla_nest_start_noflag()`).
    ///
    /// # Errors
    ///
    /// `EMSGSIZE` if there is no room.
    pub fn put_nest(&mut self, attr: u16, flagged: bool, nest: &Nest) -> Result {
        let flag = if flagged {
            bindings::NLA_F_NESTED as u16
        } else {
            0
        };
        self.put(attr | flag, nest.as_bytes())
    }

    /// Appends an attribute of one byte.
    pub fn put_u8(&mut self, attr: u16, number: u8) -> Result {
        self.put(attr, &[number])
    }

    /// Appends an attribute of 16 bits.
    pub fn put_u16(&mut self, attr: u16, number: u16) -> Result {
        self.put(attr, &number.to_ne_bytes())
    }

    /// Appends an attribute of 32 bits.
    pub fn put_u32(&mut self, attr: u16, number: u32) -> Result {
        self.put(attr, &number.to_ne_bytes())
    }
}

/// Attributes that are to be nested in another one.
///
/// ```ignore
/// # use net::netlink::{Message, Nest};
/// fn fill(message: &mut Message<'_>, ports: &[u16]) -> Result {
///     let mut nest = Nest::new();
///     for (number, port) in (1..).zip(ports) {
///         nest.put(number, &port.to_ne_bytes())?;
///     }
///     message.put_nest(7, true, &nest)
/// }
/// ```
pub struct Nest {
    bytes: [u8; 512],
    end: usize,
}

impl Nest {
    /// No attributes.
    #[allow(clippy::new_without_default)]
    pub const fn new() -> Self {
        Nest {
            bytes: [0; 512],
            end: 0,
        }
    }

    /// Appends an attribute.
    ///
    /// # Errors
    ///
    /// `EMSGSIZE` if the attributes take more than 512 bytes.
    pub fn put(&mut self, attr: u16, payload: &[u8]) -> Result {
        let len = Attr::HEADER.saturating_add(payload.len());
        let rest = self.bytes.get_mut(self.end..);
        let place = rest.and_then(|rest| rest.get_mut(..len));
        let (Some(place), Ok(header)) = (place, u16::try_from(len)) else {
            return Err(emsgsize());
        };
        let header = header.to_ne_bytes().into_iter().chain(attr.to_ne_bytes());
        place
            .iter_mut()
            .zip(header.chain(payload.iter().copied()))
            .for_each(|(to, from)| *to = from);
        self.end = self.end.saturating_add(total_size(payload.len()));
        Ok(())
    }

    /// The attributes as they are in a message.
    pub fn as_bytes(&self) -> &[u8] {
        self.bytes.get(..self.end).unwrap_or(&self.bytes)
    }
}

/// Returns how many bytes an attribute with `payload` bytes takes in a message
/// (`nla_total_size()`).
pub const fn total_size(payload: usize) -> usize {
    payload.saturating_add(Attr::HEADER + 3) & !3
}
