// SPDX-License-Identifier: GPL-2.0

//! Management datagrams (chapter 13.4 of the specification): fields at fixed places in 256 bytes.

/// A management datagram as it is sent.
pub type Mad = [u8; MAD_SIZE];

/// The size of every management datagram.
pub const MAD_SIZE: usize = 256;

/// A field of big-endian bytes. Outside of the datagram there are zeroes, and writes go nowhere.
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
        if let Some(place) = self
            .get_mut(at..)
            .and_then(|rest| rest.first_chunk_mut::<N>())
        {
            *place = bytes;
        }
    }
}
