//! What holds of each parser whatever bytes come: the bodies of the fuzz targets. The tests run them over `corpus/`.

use std::{
    fmt::{Debug, Display},
    str::FromStr,
};

use crate::{Authority, BuildId, Digest, Reference};

crate::fuzz_targets! {
    "authority" => one_spelling::<Authority>,
    "build-id" => one_spelling::<BuildId>,
    "digest" => one_spelling::<Digest>,
    "reference" => one_spelling::<Reference>,
}

/// What is accepted is ASCII, and shows itself in the one spelling that is read as the same word again.
fn one_spelling<T: FromStr + Display + PartialEq + Debug>(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let Ok(word) = text.parse::<T>() else { return };
    assert!(text.is_ascii(), "{text:?} was accepted");
    let shown = word.to_string();
    assert!(shown.eq_ignore_ascii_case(text) || text.contains('['), "{text:?} became {shown:?}");
    assert_eq!(shown.parse::<T>().ok().as_ref(), Some(&word), "{shown} is not its own spelling");
}
