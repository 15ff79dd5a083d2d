use std::{fmt, marker::PhantomData};

use serde::{
    Deserialize, Deserializer,
    de::{IgnoredAny, SeqAccess, Visitor},
};

/// A list of which no more is kept than shows that it is longer than `MOST`.
pub(crate) struct Few<T, const MOST: usize>(pub(crate) Vec<T>);

impl<'de, T: Deserialize<'de>, const MOST: usize> Deserialize<'de> for Few<T, MOST> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_seq(Entries(PhantomData))
    }
}

struct Entries<T, const MOST: usize>(PhantomData<T>);

impl<'de, T: Deserialize<'de>, const MOST: usize> Visitor<'de> for Entries<T, MOST> {
    type Value = Few<T, MOST>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Self::Value, A::Error> {
        let mut kept = Vec::new();
        while kept.len() <= MOST {
            match list.next_element()? {
                Some(entry) => kept.push(entry),
                None => return Ok(Few(kept)),
            }
        }
        while list.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Few(kept))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_more_is_kept_than_shows_that_there_are_too_many() {
        for (length, kept) in [(0, 0), (3, 3), (4, 4), (5, 4), (1_000_000, 4)] {
            let list = format!("[{}]", vec!["7"; length].join(","));
            assert_eq!(serde_json::from_str::<Few<u8, 3>>(&list).unwrap().0, vec![7; kept]);
        }
        for wrong in ["7", "{}", "[7,7,7,7", "[7,7,7,7,}"] {
            assert!(serde_json::from_str::<Few<u8, 3>>(wrong).is_err(), "{wrong}");
        }
    }
}
