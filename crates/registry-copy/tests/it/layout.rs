use std::{fs, os::unix::fs::symlink, path::Path};

use registry_copy::{CopyError, Layout, LayoutError, Outcome, Registry, RegistryError, verify};
use release::Digest;

use crate::{
    behaviour::run,
    corpus::{Corpus, describe, image, json, platforms, registry, repository, tag},
};

fn write(corpus: &Corpus, directory: &Path) {
    fs::create_dir_all(directory.join("blobs/sha256")).unwrap();
    fs::write(directory.join("oci-layout"), r#"{"imageLayoutVersion":"1.0.0"}"#).unwrap();
    for (digest, bytes) in corpus.files() {
        fs::write(blob(directory, &digest), bytes).unwrap();
    }
    write_index(directory, &json(&corpus.root_descriptor()));
}

fn write_index(directory: &Path, manifests: &str) {
    fs::write(directory.join("index.json"), format!(r#"{{"schemaVersion":2,"manifests":[{manifests}]}}"#)).unwrap();
}

fn blob(directory: &Path, digest: &Digest) -> std::path::PathBuf {
    directory.join("blobs/sha256").join(digest.hex())
}

#[tokio::test]
async fn a_layout_is_copied_to_a_registry() {
    let corpus = Corpus::of(&platforms());
    let directory = tempfile::tempdir().unwrap();
    write(&corpus, directory.path());
    let layout = Layout::open(directory.path()).await.unwrap();
    assert_eq!(layout.root(), corpus.root);
    verify(&layout, &repository(), &corpus.root).await.unwrap();
    let to = registry();
    assert!(matches!(run(&layout, layout.root(), &to).await.unwrap(), Outcome::Copied(_)));
    assert_eq!(to.digests(&repository()), Vec::from_iter(corpus.closure));
}

#[tokio::test]
async fn a_layouts_referrers_travel_along() {
    let corpus = Corpus::of(&platforms());
    let sbom = Corpus::referrer(&corpus.root_descriptor(), "sbom");
    let signature = Corpus::referrer(&sbom.root_descriptor(), "signature");
    let directory = tempfile::tempdir().unwrap();
    for part in [&sbom, &signature, &corpus] {
        write(part, directory.path());
    }
    let roots = [&signature, &corpus, &sbom].map(|part| json(&part.root_descriptor()));
    write_index(directory.path(), &roots.join(","));
    let layout = Layout::open(directory.path()).await.unwrap();
    assert_eq!(layout.root(), corpus.root);
    let to = registry();
    let outcome = run(&layout, layout.root(), &to).await.unwrap();
    assert!(matches!(&outcome, Outcome::Copied(transfer) if transfer.referrers == 2), "{outcome:?}");
    verify(&to, &repository(), &signature.root).await.unwrap();

    // Referrers alone are no image.
    write_index(directory.path(), &[&roots[0], &roots[2]].map(String::as_str).join(","));
    assert!(matches!(Layout::open(directory.path()).await, Err(LayoutError::NotOne { .. })));
}

#[tokio::test]
async fn a_flipped_bit_in_any_file_is_found() {
    let corpus = Corpus::of(&platforms());
    let directory = tempfile::tempdir().unwrap();
    write(&corpus, directory.path());
    for (digest, bytes) in corpus.files() {
        for at in [0, bytes.len() / 2, bytes.len() - 1] {
            let mut wrong = bytes.to_vec();
            wrong[at] ^= 1;
            fs::write(blob(directory.path(), &digest), wrong).unwrap();
            let layout = Layout::open(directory.path()).await.unwrap();
            let to = registry();
            let error = run(&layout, layout.root(), &to).await.unwrap_err();
            let expected = matches!(&error, CopyError::Source(RegistryError::DigestMismatch { expected, .. }) if *expected == digest);
            assert!(expected, "{error:?}");
            assert!(to.tags(&repository()).is_empty());
        }
        fs::write(blob(directory.path(), &digest), &bytes[..bytes.len() - 1]).unwrap();
        let layout = Layout::open(directory.path()).await.unwrap();
        assert!(run(&layout, layout.root(), &registry()).await.unwrap_err().is_integrity());
        fs::write(blob(directory.path(), &digest), bytes).unwrap();
    }
}

#[tokio::test]
async fn what_is_no_layout_is_said() {
    let corpus = Corpus::of(&image(&["layer"]));
    let directory = tempfile::tempdir().unwrap();
    let open = || Layout::open(directory.path());
    assert!(matches!(open().await, Err(LayoutError::Unreadable(RegistryError::Io { .. }))));
    write(&corpus, directory.path());
    let root = json(&corpus.root_descriptor());

    write_index(directory.path(), "");
    assert!(matches!(open().await, Err(LayoutError::NotOne { found }) if found.is_empty()));
    let other = describe("application/vnd.oci.image.manifest.v1+json", b"other");
    write_index(directory.path(), &format!("{root},{}", json(&other)));
    let error = open().await.unwrap_err();
    assert!(error.to_string().contains(&other.digest.to_string()), "{error}");
    write_index(directory.path(), &format!("{root},{root}"));
    assert_eq!(open().await.unwrap().root(), corpus.root);

    fs::write(directory.path().join("index.json"), "no JSON").unwrap();
    assert!(matches!(open().await, Err(LayoutError::Index(_))));
    fs::write(directory.path().join("oci-layout"), r#"{"imageLayoutVersion":"2.0.0"}"#).unwrap();
    assert!(matches!(open().await, Err(LayoutError::Version)));
}

#[tokio::test]
async fn no_link_leads_out() {
    let corpus = Corpus::of(&image(&["layer"]));
    let (directory, outside) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    write(&corpus, directory.path());
    let layout = Layout::open(directory.path()).await.unwrap();
    for (digest, bytes) in corpus.files() {
        let file = blob(directory.path(), &digest);
        let elsewhere = outside.path().join(digest.hex());
        fs::rename(&file, &elsewhere).unwrap();
        symlink(&elsewhere, &file).unwrap();
        let error = run(&layout, corpus.root, &registry()).await.unwrap_err();
        assert!(matches!(error, CopyError::Source(RegistryError::Io { .. })), "{error:?}");
        // A link that stays inside is only another name.
        fs::remove_file(&file).unwrap();
        fs::write(directory.path().join("inside"), bytes).unwrap();
        symlink("../../inside", &file).unwrap();
        assert!(layout.missing(&repository(), &[describe("a/b", b"x")]).await.is_ok());
        fs::remove_file(&file).unwrap();
        fs::rename(&elsewhere, &file).unwrap();
    }
    symlink(outside.path().join("nothing"), blob(directory.path(), &Digest::of(b"x"))).unwrap();
    assert!(run(&layout, corpus.root, &registry()).await.is_ok());
}

#[tokio::test]
async fn a_layout_is_never_written() {
    let corpus = Corpus::of(&image(&["layer"]));
    let directory = tempfile::tempdir().unwrap();
    write(&corpus, directory.path());
    let layout = Layout::open(directory.path()).await.unwrap();
    let from = registry();
    Corpus::of(&image(&["new"])).store(&from, &repository()).await;
    let error = run(&from, Corpus::of(&image(&["new"])).root, &layout).await.unwrap_err();
    assert!(matches!(error, CopyError::Destination(RegistryError::ReadOnly)), "{error:?}");
    assert_eq!(layout.resolve(&repository(), &tag()).await.unwrap(), None);
}
