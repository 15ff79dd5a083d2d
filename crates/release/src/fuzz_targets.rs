/// Names the fuzz targets of a crate and their bodies, which panic where something does not hold of the bytes.
///
/// A target's name is also its folder in the crate's `corpus/`: `cargo test` runs the body over every beginning of
/// every file there.
#[doc(hidden)]
#[macro_export]
macro_rules! fuzz_targets {
    ($($name:literal => $body:expr,)+) => {
        /// Each target's name and its body.
        pub const TARGETS: &[(&str, fn(&[u8]))] = &[$(($name, $body)),+];

        #[cfg(test)]
        mod tests {
            #[test]
            fn every_corpus_holds() {
                for (name, body) in super::TARGETS {
                    let folder = format!("{}/corpus/{name}", env!("CARGO_MANIFEST_DIR"));
                    let files: Vec<_> = std::fs::read_dir(&folder).unwrap().map(|file| file.unwrap().path()).collect();
                    assert!(!files.is_empty(), "{folder} is empty");
                    for file in files {
                        let bytes = std::fs::read(&file).unwrap();
                        (0..=bytes.len()).for_each(|end| body(&bytes[..end]));
                    }
                }
            }
        }
    };
}
