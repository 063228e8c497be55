// SPDX-License-Identifier: GPL-2.0

//! Management datagrams (chapter 13.4 of the specification): fields at fixed places in 256 bytes.

/// A management datagram as it is sent.
pub type Mad = [u8; MAD_SIZE];

/// The size of every management datagram.
pub const MAD_SIZE: usize = 256;

/// Big-endian fields. Outside of the bytes there are zeroes, and what is written there is lost.
pub(crate) trait Fields {
    fn bytes<const N: usize>(&self, at: usize) -> [u8; N];
    fn put<const N: usize>(&mut self, at: usize, bytes: [u8; N]);

    fn u8_at(&self, at: usize) -> u8 {
        u8::from_be_bytes(self.bytes(at))
    }
    fn u16_at(&self, at: usize) -> u16 {
        u16::from_be_bytes(self.bytes(at))
    }
    fn u32_at(&self, at: usize) -> u32 {
        u32::from_be_bytes(self.bytes(at))
    }
    fn u64_at(&self, at: usize) -> u64 {
        u64::from_be_bytes(self.bytes(at))
    }
    fn put_u8(&mut self, at: usize, value: u8) {
        self.put(at, value.to_be_bytes());
    }
    fn put_u16(&mut self, at: usize, value: u16) {
        self.put(at, value.to_be_bytes());
    }
    fn put_u32(&mut self, at: usize, value: u32) {
        self.put(at, value.to_be_bytes());
    }
    fn put_u64(&mut self, at: usize, value: u64) {
        self.put(at, value.to_be_bytes());
    }
}

impl Fields for [u8] {
    fn bytes<const N: usize>(&self, at: usize) -> [u8; N] {
        match self.get(at..).and_then(|rest| rest.first_chunk()) {
            Some(bytes) => *bytes,
            None => [0; N],
        }
    }

    fn put<const N: usize>(&mut self, at: usize, bytes: [u8; N]) {
        let rest = self.get_mut(at..);
        if let Some(place) = rest.and_then(|rest| rest.first_chunk_mut::<N>()) {
            *place = bytes;
        }
    }
}

/// Management classes.
pub(crate) mod class {
    /// Subnet management, routed by LID.
    pub(crate) const SUBNET: u8 = 0x01;
    /// Subnet management, routed hop by hop.
    pub(crate) const SUBNET_DIRECTED: u8 = 0x81;
    /// Subnet administration.
    pub(crate) const ADMINISTRATION: u8 = 0x03;
}

/// Methods.
pub(crate) mod method {
    pub(crate) const GET: u8 = 0x01;
    pub(crate) const SET: u8 = 0x02;
    pub(crate) const GET_TABLE: u8 = 0x12;
    pub(crate) const DELETE: u8 = 0x15;
    /// The bit that tells an answer from a request.
    pub(crate) const RESPONSE: u8 = 0x80;
}

/// Status of an answer. The upper byte is a class's own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Status {
    Ok = 0x0000,
    BadVersion = 0x0004,
    BadMethod = 0x0008,
    /// No such attribute, or not with this method.
    BadAttribute = 0x000c,
    BadValue = 0x001c,
    /// Subnet administration: a table is full.
    NoResources = 0x0100,
    /// Subnet administration: the request contradicts what exists.
    RequestInvalid = 0x0200,
    /// Subnet administration: nothing matches.
    NoRecords = 0x0300,
    /// Subnet administration: one record is wanted, and several match.
    TooManyRecords = 0x0400,
    /// Subnet administration: not a GID of the requester.
    InvalidGid = 0x0500,
    /// Subnet administration: the object to create is not described in full.
    InsufficientComponents = 0x0600,
}

/// The header that all classes share.
pub(crate) trait Header {
    fn base_version(&self) -> u8;
    fn class(&self) -> u8;
    fn class_version(&self) -> u8;
    fn method(&self) -> u8;
    fn transaction(&self) -> u64;
    fn attribute(&self) -> u16;
    fn modifier(&self) -> u32;
    fn set_method(&mut self, method: u8);
    fn set_status(&mut self, status: u16);
}

impl Header for Mad {
    fn base_version(&self) -> u8 {
        self.u8_at(0)
    }
    fn class(&self) -> u8 {
        self.u8_at(1)
    }
    fn class_version(&self) -> u8 {
        self.u8_at(2)
    }
    fn method(&self) -> u8 {
        self.u8_at(3)
    }
    fn transaction(&self) -> u64 {
        self.u64_at(8)
    }
    fn attribute(&self) -> u16 {
        self.u16_at(16)
    }
    fn modifier(&self) -> u32 {
        self.u32_at(20)
    }
    fn set_method(&mut self, method: u8) {
        self.put_u8(3, method);
    }
    fn set_status(&mut self, status: u16) {
        self.put_u16(4, status);
    }
}
