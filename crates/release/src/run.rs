use std::{fmt, str::FromStr};

use crate::text::{ParseError, serde_as_text};

const ALPHABET: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";
const RULE: &str = "write a ULID: 26 characters of Crockford's base 32, upper case, not above 7ZZZ…";

/// The name of one run of one act: a ULID, so that runs sort by the time they began
/// (<https://github.com/ulid/spec>).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RunId(u128);

impl RunId {
    /// A run that began `millis` after the Unix epoch (its low 48 bits count), told from others of that millisecond
    /// by the low 80 bits of `random`.
    #[must_use]
    pub fn new(millis: u64, random: u128) -> Self {
        Self(u128::from(millis) << 80 | random & ((1 << 80) - 1))
    }
}

impl fmt::Display for RunId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digit = |place: u32| ALPHABET.get((self.0 >> (5 * place)) as usize & 31).map_or('0', |b| char::from(*b));
        f.write_str(&(0..26).rev().map(digit).collect::<String>())
    }
}

impl FromStr for RunId {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        let error = || ParseError::new("a run id", text, RULE);
        if text.len() != 26 || text.as_bytes().first().is_none_or(|first| *first > b'7') {
            return Err(error());
        }
        text.bytes()
            .try_fold(0_u128, |value, byte| {
                let digit = ALPHABET.iter().position(|letter| *letter == byte)?;
                Some(value << 5 | digit as u128)
            })
            .map(Self)
            .ok_or_else(error)
    }
}

serde_as_text!(RunId);
