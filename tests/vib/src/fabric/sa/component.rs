// SPDX-License-Identifier: GPL-2.0

//! Component masks: which fields of a record a query names, and whether a record has their values.

use crate::quantity;

/// A field of a record, in the order of the bits of the component mask; the number is its width.
#[derive(Clone, Copy)]
pub(super) enum Component {
    /// Must be equal.
    Is(u16),
    /// Reserved, or not a property of the record.
    Any(u16),
    /// Two bits that say how the field that follows is compared.
    Selector,
    /// Six bits, whose size is compared as the selector before them says.
    Ordered,
    /// A rate: six bits that are not ordered by their numbers.
    Rate,
}

/// Whether the record has the values that the pattern has in the components of the mask.
pub(super) fn matches(layout: &[Component], mask: u64, pattern: &[u8], record: &[u8]) -> bool {
    let mut at: usize = 0;
    let mut mask = mask;
    let mut selector = None;
    for component in layout {
        let named = mask & 1 != 0;
        mask = mask.wrapping_shr(1);
        let (width, equal) = match *component {
            Component::Is(width) => {
                let width = usize::from(width);
                (width, !named || same_bits(pattern, record, at, width))
            }
            Component::Any(width) => (usize::from(width), true),
            Component::Selector => {
                selector = named.then(|| top_bits(pattern, at));
                (2, true)
            }
            // Two bits of selector and six of value share a byte.
            Component::Ordered | Component::Rate => {
                let byte = at.wrapping_shr(3);
                let of = |bytes: &[u8]| bytes.get(byte).map_or(0, |byte| byte & 0x3f);
                let order = match component {
                    Component::Rate => quantity::rate,
                    _ => quantity::number,
                };
                let equal = match selector.take() {
                    Some(selector) if named => {
                        quantity::holds(selector, order(of(record)), order(of(pattern)))
                    }
                    _ => true,
                };
                (6, equal)
            }
        };
        if !equal {
            return false;
        }
        at = at.wrapping_add(width);
    }
    true
}

/// The two highest bits of the byte at a bit offset.
fn top_bits(bytes: &[u8], at: usize) -> u8 {
    bytes.get(at.wrapping_shr(3)).map_or(0, |byte| byte >> 6)
}

/// Whether two records have the same bits, from an offset on.
fn same_bits(one: &[u8], other: &[u8], at: usize, width: usize) -> bool {
    let end = at.wrapping_add(width);
    (at.wrapping_shr(3)..end.wrapping_add(7).wrapping_shr(3)).all(|index| {
        let first = index.wrapping_shl(3);
        let before = at.saturating_sub(first) as u32;
        let after = first.wrapping_add(8).saturating_sub(end) as u32;
        let mask = 0xffu8.wrapping_shr(before) & 0xffu8.wrapping_shl(after);
        let byte = |bytes: &[u8]| bytes.get(index).map_or(0, |byte| byte & mask);
        byte(one) == byte(other)
    })
}
