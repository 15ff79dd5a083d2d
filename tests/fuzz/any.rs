//! All fuzz targets in one binary: `CONVEYOR_FUZZ=CRATE/TARGET` chooses. The bodies and their corpora are in the crates.

#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;

type Body = fn(&[u8]);

const CRATES: &[(&str, &[(&str, Body)])] = &[
    ("azure-devops", azure_devops::fuzzing::TARGETS),
    ("guarded-http", guarded_http::fuzzing::TARGETS),
    ("ledger", ledger::fuzzing::TARGETS),
    ("registry-copy", registry_copy::fuzzing::TARGETS),
    ("release", release::fuzzing::TARGETS),
];

static BODY: LazyLock<Body> = LazyLock::new(|| {
    let chosen = std::env::var("CONVEYOR_FUZZ").unwrap_or_default();
    let all = || {
        CRATES.iter().flat_map(|(of, targets)| targets.iter().map(move |(name, body)| (format!("{of}/{name}"), *body)))
    };
    match all().find(|(name, _)| *name == chosen) {
        Some((_, body)) => body,
        None => panic!("CONVEYOR_FUZZ names one of {:?}", all().map(|(name, _)| name).collect::<Vec<_>>()),
    }
});

fuzz_target!(|bytes: &[u8]| BODY(bytes));
