// SPDX-License-Identifier: GPL-2.0

//! Numbers as people write them into a file.

/// The number that makes up the whole text: decimal, or hexadecimal after `0x`.
pub fn number(text: &[u8]) -> Option<u32> {
    match &words(text) {
        [Some(word), None, _] => value(word),
        _ => None,
    }
}

/// The two numbers that make up the whole text.
pub fn pair(text: &[u8]) -> Option<(u32, u32)> {
    match &words(text) {
        [Some(one), Some(other), None] => Some((value(one)?, value(other)?)),
        _ => None,
    }
}

/// The first words of the text; the last one shows whether there are too many.
fn words(text: &[u8]) -> [Option<&[u8]>; 3] {
    let mut words = text
        .split(u8::is_ascii_whitespace)
        .filter(|word| !word.is_empty());
    [words.next(), words.next(), words.next()]
}

fn value(word: &[u8]) -> Option<u32> {
    let (digits, radix) = match word {
        [b'0', b'x' | b'X', rest @ ..] => (rest, 16),
        _ => (word, 10),
    };
    if digits.is_empty() {
        return None;
    }
    digits.iter().try_fold(0u32, |value, &byte| {
        let digit = char::from(byte).to_digit(radix)?;
        value.checked_mul(radix)?.checked_add(digit)
    })
}
