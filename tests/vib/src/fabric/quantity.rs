// SPDX-License-Identifier: GPL-2.0

//! MTUs, rates and lifetimes: codes of six bits, and the selectors in front of them.

/// IBA code of 4096 bytes, the MTU of every port.
pub(crate) const PORT_MTU: u8 = 5;
/// IBA code of 2048 bytes, the MTU of IPoIB's broadcast groups.
pub(crate) const GROUP_MTU: u8 = 4;
/// IBA code of 100 Gb/s, four lanes of EDR.
pub(crate) const PORT_RATE: u8 = 16;
/// IBA code of 67 ms: how long a packet can be in flight. RDMA connections derive their timeouts
/// from it.
pub(crate) const LIFETIME: u8 = 14;

/// The rates that a port can have, as IBA codes, slowest first: 2.5, 5, 10, 14, 20, 25, 30, 40, 56,
/// 60, 80, 100 Gb/s.
const RATES: [u8; 12] = [2, 5, 3, 11, 6, 15, 4, 7, 12, 8, 9, 16];
/// The MTUs that a port can have: 256, 512, 1024, 2048, 4096 bytes.
const MTUS: [u8; 5] = [1, 2, 3, 4, 5];

/// The size of a code that is a number.
pub(crate) fn number(code: u8) -> u8 {
    code
}

/// The size of a rate's code; rates that no port has are larger than all of them.
pub(crate) fn rate(code: u8) -> u8 {
    let place = RATES.iter().position(|&rate| rate == code);
    place.map_or(u8::MAX, |place| place as u8)
}

/// Whether an actual size is greater than, less than or exactly what is wanted; selector 3 wants
/// the largest there is, which nothing here falls short of.
pub(crate) fn holds(selector: u8, actual: u8, wanted: u8) -> bool {
    match selector {
        0 => actual > wanted,
        1 => actual < wanted,
        2 => actual == wanted,
        _ => true,
    }
}

/// The MTU for a new group: the largest that the wish, a selector and a code, allows.
pub(crate) fn choose_mtu(wish: Option<(u8, u8)>) -> Option<u8> {
    choose(&MTUS, number, wish)
}

/// The rate for a new group.
pub(crate) fn choose_rate(wish: Option<(u8, u8)>) -> Option<u8> {
    choose(&RATES, rate, wish)
}

/// The packet lifetime for a new group: any if the wish is exact, else the fabric's.
pub(crate) fn choose_lifetime(wish: Option<(u8, u8)>) -> Option<u8> {
    match wish {
        Some((2, code)) => Some(code),
        wish => choose(&[LIFETIME], number, wish),
    }
}

fn choose(codes: &[u8], size: fn(u8) -> u8, wish: Option<(u8, u8)>) -> Option<u8> {
    let fits = |code: u8| wish.is_none_or(|(sel, want)| holds(sel, size(code), size(want)));
    codes.iter().copied().rev().find(|&code| fits(code))
}
