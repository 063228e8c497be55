// SPDX-License-Identifier: GPL-2.0

//! Packets that a port loses, because a test wants it to.

/// Which of the packets that a port would receive are lost.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Loss {
    /// The next packets that are lost, one after the other; the maximum does not wear off.
    pub(crate) next: u32,
    /// How many of a thousand are lost.
    pub(crate) per_mille: u16,
    /// State of the generator of pseudo-random numbers: every port has the same sequence.
    random: u32,
}

impl Loss {
    /// Everything is lost, until further notice.
    const ALL: u32 = u32::MAX;

    pub(crate) const NONE: Loss = Loss {
        next: 0,
        per_mille: 0,
        random: 0x2545_f491,
    };

    /// Whether the present packet is lost.
    pub(crate) fn loses(&mut self) -> bool {
        if self.next > 0 {
            if self.next != Loss::ALL {
                self.next = self.next.wrapping_sub(1);
            }
            return true;
        }
        self.per_mille > 0 && self.random() % 1000 < u32::from(self.per_mille)
    }

    /// Marsaglia's xorshift.
    fn random(&mut self) -> u32 {
        let mut x = self.random;
        x ^= x.wrapping_shl(13);
        x ^= x.wrapping_shr(17);
        x ^= x.wrapping_shl(5);
        self.random = x;
        x
    }
}
