//! Every scalar of the manifests in `tests/manifests` is edited or refused with a reason.

use std::{collections::BTreeSet, fs, path::Path, sync::LazyLock};

use ledger::{EditError, Scalar, set_scalar};

use super::tally::{Tally, reason};

/// What is not edited, and why. Everything else in these files that a key path leads to is.
const REFUSED: &[(&str, &str, &str)] = &[
    ("anchors.yaml", "defaults.pull", "Shared in line 2"),
    ("anchors.yaml", "defaults.tag", "Shared in line 2"),
    ("app-and-service.yaml", "metadata.name", "Shared in line 3"),
    ("argocd-application.yaml", "spec.source.helm.values", "BlockScalar in line 25"),
    (
        "azure-pipeline.yaml",
        "stages[stage=Build].jobs[job=image].steps[displayName=Done].script",
        "BlockScalar in line 20",
    ),
    ("compose.yaml", "services.dagster-daemon.entrypoint", "BlockScalar in line 21"),
    ("compose.yaml", "x-common.logging.driver", "Shared in line 2"),
    ("compose.yaml", "x-common.logging.options.max-file", "Shared in line 2"),
    ("compose.yaml", "x-common.logging.options.max-size", "Shared in line 2"),
    ("compose.yaml", "x-common.restart", "Shared in line 2"),
    ("config-map.yaml", "data.folded", "BlockScalar in line 10"),
    ("config-map.yaml", "data.plain", "MultiLinePlain in line 15"),
    ("config-map.yaml", "data.script", "BlockScalar in line 13"),
    ("config-map.yaml", r#"data."application.properties""#, "BlockScalar in line 7"),
    ("directives.yaml", "custom", "Tag in line 7"),
    ("directives.yaml", "nothing", "EmptyProperties in line 11"),
    ("directives.yaml", "number", "Tag in line 6"),
    ("directives.yaml", "odd.a", "Tag in line 10"),
    ("duplicate-keys.yaml", "image.name", "Rejected in line 2"),
    ("duplicate-keys.yaml", "image.tag", "DuplicateKey in line 2"),
    ("duplicate-keys.yaml", "other", "Rejected in line 2"),
    ("folded-blocks.yaml", "description", "BlockScalar in line 3"),
    ("folded-blocks.yaml", "folded", "BlockScalar in line 13"),
    ("folded-blocks.yaml", "key[name=a].text", "BlockScalar in line 21"),
    ("folded-blocks.yaml", "literal", "BlockScalar in line 16"),
    ("folded-blocks.yaml", "script", "BlockScalar in line 7"),
    ("odd-layout.yaml", "image.bare", "NoColon in line 9"),
    ("tab-indented-comment.yaml", "image.tag", "Rejected in line 2"),
];

/// What the manifests come to.
pub(super) static TALLY: LazyLock<Tally> = LazyLock::new(|| {
    let mut tally = Tally::default();
    manifests().iter().for_each(|(file, text)| tally.file(file, text));
    tally
});

#[test]
fn every_scalar_is_edited_alone_or_refused_with_a_reason() {
    let tally = &*TALLY;
    let refused = tally
        .refusals
        .iter()
        .map(|(file, key, error)| (&**file, &**key, format!("{} in line {}", reason(error), error.line().unwrap())));
    let expected = REFUSED.iter().map(|(file, key, why)| (*file, *key, (*why).to_owned()));
    assert_eq!(refused.collect::<BTreeSet<_>>(), expected.collect());
    assert!(tally.edited * 10 >= tally.named() * 9, "{tally:?}");
    assert!(manifests().len() >= 40);
}

#[test]
fn files_that_parsers_do_not_agree_on_are_refused_whole() {
    let outcome = |file: &str, key: &str| {
        let bytes = fs::read(folder().join(file)).unwrap();
        set_scalar(&bytes, None, &key.parse().unwrap(), &Scalar::new("77031")).unwrap_err()
    };
    assert!(matches!(outcome("template.yaml", "image.tag"), EditError::Syntax { line: 1, .. }));
    assert!(
        matches!(outcome("duplicate-keys.yaml", "image.tag"), EditError::DuplicateKey { lines, .. } if lines == [2, 4])
    );
    assert!(matches!(outcome("duplicate-keys.yaml", "other"), EditError::Rejected { line: 2, .. }));
}

pub(super) fn manifests() -> Vec<(String, String)> {
    let mut files: Vec<_> = fs::read_dir(folder()).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.retain(|file| file.extension().is_some_and(|extension| extension == "yaml"));
    files.sort();
    let name = |file: &Path| file.file_name().unwrap().to_str().unwrap().to_owned();
    files.iter().map(|file| (name(file), fs::read_to_string(file).unwrap())).collect()
}

fn folder() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/manifests"))
}
