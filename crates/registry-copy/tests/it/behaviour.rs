use std::{collections::BTreeMap, num::NonZeroUsize, sync::Mutex, time::Duration};

use bytes::Bytes;
use registry_copy::{
    CopyError, Destination, GraphError, InMemory, Manifest, Observer, Options, Outcome, Put, Registry, RegistryError,
    Source, TagRule, Transfer, copy,
    faults::{Fault, Faulty, Method},
    pin, verify,
};
use release::{Digest, Repository};
use tokio::time::Instant;

use crate::corpus::{
    Corpus, IMAGE, LAYER, Tree, describe, image, json, platforms, registry, repository, store_blob, tag,
};

/// Copies within a minute.
pub(crate) async fn run(from: &dyn Registry, digest: Digest, to: &dyn Registry) -> Result<Outcome, CopyError> {
    run_as(from, digest, to, &in_a_minute()).await
}

/// The same, and completes what the destination has lost.
pub(crate) async fn run_thorough(from: &dyn Registry, digest: Digest, to: &dyn Registry) -> Result<Outcome, CopyError> {
    run_as(from, digest, to, &Options { thorough: true, ..in_a_minute() }).await
}

pub(crate) async fn run_as(
    from: &dyn Registry,
    digest: Digest,
    to: &dyn Registry,
    options: &Options,
) -> Result<Outcome, CopyError> {
    let source = Source { registry: from, repository: repository(), digest };
    let destination = Destination { registry: to, repository: repository(), tag: tag() };
    copy(&source, &destination, options, &()).await
}

pub(crate) fn in_a_minute() -> Options {
    Options::until(Instant::now() + Duration::from_secs(60))
}

pub(crate) async fn source_of(corpus: &Corpus) -> InMemory {
    let from = registry();
    corpus.store(&from, &repository()).await;
    from
}

pub(crate) fn copied(outcome: Outcome) -> Transfer {
    match outcome {
        Outcome::Copied(transfer) => transfer,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_copy_can_be_spawned() {
    fn sendable<T: Send>(_: T) {}
    let (from, to) = (registry(), registry());
    sendable(run(&from, Digest::of(b""), &to));
    sendable(verify(&from, &repository(), &Digest::of(b"")));
}

#[tokio::test]
async fn an_index_is_copied_whole_and_counted() {
    let corpus = Corpus::of(&platforms());
    let (from, to) = (source_of(&corpus).await, registry());
    let transfer = copied(run(&from, corpus.root, &to).await.unwrap());
    assert_eq!(to.digests(&repository()), Vec::from_iter(corpus.closure.clone()));
    assert_eq!(pin(&to, &repository(), &tag()).await.unwrap(), Some(corpus.root));
    verify(&to, &repository(), &corpus.root).await.unwrap();

    let blobs = corpus.blob_digests().len() as u64;
    assert_eq!((transfer.digest, transfer.manifests, transfer.referrers), (corpus.root, 4, 0));
    assert_eq!((transfer.blobs.copied, transfer.blobs.present, transfer.blobs.mounted), (blobs, 0, 0));
    let bytes: usize =
        corpus.files().iter().filter(|(d, _)| corpus.blob_digests().contains(d)).map(|f| f.1.len()).sum();
    assert_eq!(transfer.bytes, bytes as u64);
}

#[tokio::test]
async fn copying_again_puts_nothing() {
    let corpus = Corpus::of(&platforms());
    let (from, to) = (source_of(&corpus).await, Faulty::new(registry(), |_| None));
    copied(run(&from, corpus.root, &to).await.unwrap());
    let before = to.calls().len();
    let again = run(&from, corpus.root, &to).await.unwrap();
    assert!(matches!(&again, Outcome::AlreadyPresent(t) if (t.manifests, t.bytes) == (0, 0)), "{again:?}");
    assert!(to.calls()[before..].iter().all(|call| !call.method.writes()));
}

#[tokio::test]
async fn a_held_tag_is_left_alone_and_nothing_is_written() {
    let (old, new) = (Corpus::of(&image(&["old"])), Corpus::of(&image(&["new"])));
    let (from, inner) = (registry(), registry());
    inner.create(&repository(), TagRule::Mutable);
    old.store(&from, &repository()).await;
    new.store(&from, &repository()).await;
    copied(run(&from, old.root, &inner).await.unwrap());
    let to = Faulty::new(inner.clone(), |_| None);
    assert_eq!(run(&from, new.root, &to).await.unwrap(), Outcome::TagHeld { by: old.root });
    assert_eq!(to.calls().iter().map(|call| call.method).collect::<Vec<_>>(), [Method::Resolve]);
    assert_eq!(inner.tags(&repository()), BTreeMap::from([(tag(), old.root)]));
}

#[tokio::test]
async fn what_is_there_is_not_sent_again() {
    let (from, to) = (registry(), Faulty::new(registry(), |_| None));
    let (one, both) = (
        Corpus::of(&image(&["base", "amd"])),
        Corpus::of(&Tree::Index(vec![image(&["base", "amd"]), image(&["base", "arm"])])),
    );
    both.store(&from, &repository()).await;
    one.store(&to, &repository()).await;
    let before = to.calls().len();
    let transfer = copied(run(&from, both.root, &to).await.unwrap());
    // The first platform is there and not looked into; of the second, the base is.
    assert_eq!((transfer.manifests, transfer.blobs.copied, transfer.blobs.present), (2, 2, 1));
    let puts = to.calls()[before..].iter().filter(|call| call.method == Method::Put).count();
    assert_eq!(puts, 2);
}

#[tokio::test]
async fn a_digest_that_is_there_needs_only_its_tag() {
    let corpus = Corpus::of(&platforms());
    let (from, to) = (source_of(&corpus).await, registry());
    corpus.store(&to, &repository()).await;
    let transfer = copied(run(&from, corpus.root, &to).await.unwrap());
    assert_eq!((transfer.manifests, transfer.bytes), (1, 0), "only the index, under its tag");
    assert_eq!(pin(&to, &repository(), &tag()).await.unwrap(), Some(corpus.root));
}

#[tokio::test]
async fn blobs_are_mounted_inside_one_registry() {
    let corpus = Corpus::of(&image(&["a", "b"]));
    let registry = source_of(&corpus).await;
    let elsewhere: Repository = "forge/elsewhere".parse().unwrap();
    registry.create(&elsewhere, TagRule::Immutable);
    let source = Source { registry: &registry, repository: repository(), digest: corpus.root };
    let destination = Destination { registry: &registry, repository: elsewhere.clone(), tag: tag() };
    let options = Options::until(Instant::now() + Duration::from_secs(60));
    let transfer = copied(copy(&source, &destination, &options, &()).await.unwrap());
    assert_eq!((transfer.blobs.mounted, transfer.blobs.copied), (3, 0));
    verify(&registry, &elsewhere, &corpus.root).await.unwrap();
}

#[tokio::test]
async fn referrers_travel_along_and_are_completed_later() {
    let corpus = Corpus::of(&platforms());
    let sbom = Corpus::referrer(&corpus.root_descriptor(), "sbom");
    let signature = Corpus::referrer(&sbom.root_descriptor(), "signature of the sbom");
    let (from, to) = (source_of(&corpus).await, registry());
    sbom.store(&from, &repository()).await;
    assert_eq!(copied(run(&from, corpus.root, &to).await.unwrap()).referrers, 1);
    verify(&to, &repository(), &sbom.root).await.unwrap();

    signature.store(&from, &repository()).await;
    for expected in [1, 0] {
        let again = run(&from, corpus.root, &to).await.unwrap();
        assert!(matches!(&again, Outcome::AlreadyPresent(t) if t.referrers == expected), "{again:?}");
        verify(&to, &repository(), &signature.root).await.unwrap();
    }
}

#[tokio::test]
async fn a_platforms_referrers_travel_along_too() {
    let (child, corpus) = (Corpus::of(&image(&["base"])), Corpus::of(&Tree::Index(vec![image(&["base"])])));
    let sbom = Corpus::referrer(&child.root_descriptor(), "sbom");
    let (from, to) = (source_of(&corpus).await, registry());
    copied(run(&from, corpus.root, &to).await.unwrap());
    sbom.store(&from, &repository()).await;
    let again = run(&from, corpus.root, &to).await.unwrap();
    assert!(matches!(&again, Outcome::AlreadyPresent(t) if t.referrers == 1), "{again:?}");
    verify(&to, &repository(), &sbom.root).await.unwrap();
}

#[tokio::test]
async fn a_referrer_may_list_the_image_as_its_part() {
    let corpus = Corpus::of(&image(&["layer"]));
    let root = json(&corpus.root_descriptor());
    let document = format!(r#"{{"schemaVersion":2,"manifests":[{root}],"subject":{root}}}"#);
    let bundle = Manifest::parse(None, document.into()).unwrap();
    let (from, to) = (source_of(&corpus).await, registry());
    from.put(&repository(), &bundle, None).await.unwrap();
    assert_eq!(copied(run(&from, corpus.root, &to).await.unwrap()).referrers, 1);
    verify(&to, &repository(), &bundle.digest()).await.unwrap();
}

#[tokio::test]
async fn foreign_layers_stay_and_are_counted() {
    let config = describe(LAYER, b"{}");
    let foreign = describe("application/vnd.docker.image.rootfs.foreign.diff.tar.gzip", b"windows");
    let document = format!(r#"{{"schemaVersion":2,"config":{},"layers":[{}]}}"#, json(&config), json(&foreign));
    let manifest = Manifest::parse(Some(IMAGE), document.into()).unwrap();
    let (from, to) = (registry(), registry());
    store_blob(&from, &config, b"{}").await;
    assert_eq!(from.put(&repository(), &manifest, None).await.unwrap(), Put::Stored);
    let transfer = copied(run(&from, manifest.digest(), &to).await.unwrap());
    assert_eq!((transfer.foreign, transfer.blobs.copied), (vec![foreign.digest], 1));
    verify(&to, &repository(), &manifest.digest()).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn corrupt_blobs_are_read_once_more_and_then_refused() {
    let corpus = Corpus::of(&image(&["layer"]));
    for blob in corpus.blob_digests() {
        let inner = source_of(&corpus).await;
        inner.corrupt_blob(&repository(), &blob, Bytes::from_static(b"lAyer"));
        let (from, to) = (Faulty::new(inner, |_| None), registry());
        let error = run(&from, corpus.root, &to).await.unwrap_err();
        assert!(matches!(error, CopyError::Source(_)) && error.is_integrity(), "{error:?}");
        assert!(!error.is_retryable());
        assert_eq!(to.tags(&repository()), BTreeMap::new());
        assert!(!to.digests(&repository()).contains(&blob));
        assert!(verify(&from, &repository(), &corpus.root).await.unwrap_err().is_integrity());
    }
}

#[tokio::test]
async fn what_the_source_lacks_is_named() {
    let corpus = Corpus::of(&platforms());
    for gone in &corpus.closure {
        let (from, to) = (source_of(&corpus).await, registry());
        from.remove(&repository(), gone);
        let error = run(&from, corpus.root, &to).await.unwrap_err();
        let named = match error {
            CopyError::Source(RegistryError::NoBlob { digest, .. } | RegistryError::NoManifest { digest, .. }) => {
                digest
            }
            other => panic!("{other:?}"),
        };
        assert_eq!(named, *gone);
        assert_eq!(to.tags(&repository()), BTreeMap::new());
        assert!(verify(&from, &repository(), &corpus.root).await.is_err());
    }
}

#[tokio::test]
async fn too_deep_is_refused() {
    let nest = |levels: usize| (1..levels).fold(image(&["leaf"]), |tree, _| Tree::Index(vec![tree]));
    let (four, five) = (Corpus::of(&nest(4)), Corpus::of(&nest(5)));
    copied(run(&source_of(&four).await, four.root, &registry()).await.unwrap());
    let error = run(&source_of(&five).await, five.root, &registry()).await.unwrap_err();
    assert!(matches!(error, CopyError::Graph(GraphError::TooDeep)), "{error:?}");
    // A short way to each level does not make the long one shorter.
    let shortcuts = Corpus::of(&Tree::Index((1..5).map(nest).collect()));
    let error = run(&source_of(&shortcuts).await, shortcuts.root, &registry()).await.unwrap_err();
    assert!(matches!(error, CopyError::Graph(GraphError::TooDeep)), "{error:?}");
}

#[tokio::test]
async fn one_blob_has_one_size_everywhere() {
    let blob = |size: &str| json(&describe(LAYER, b"layer")).replace(r#""size":5"#, size);
    let image = |layer: String| {
        let config = json(&describe(LAYER, b"{}"));
        format!(r#"{{"schemaVersion":2,"mediaType":"{IMAGE}","config":{config},"layers":[{layer}]}}"#)
    };
    let (honest, liar) = (image(blob(r#""size":5"#)), image(blob(r#""size":6"#)));
    let children = [&honest, &liar].map(|child| json(&describe(IMAGE, child.as_bytes())));
    let index = format!(r#"{{"schemaVersion":2,"manifests":[{}]}}"#, children.join(","));
    let wrong_child = children[0].replace(r#""size":"#, r#""size":1"#);
    let wrong_index = format!(r#"{{"schemaVersion":2,"manifests":[{wrong_child}]}}"#);

    let from = registry();
    store_blob(&from, &describe(LAYER, b"{}"), b"{}").await;
    store_blob(&from, &describe(LAYER, b"layer"), b"layer").await;
    for document in [honest, liar, index.clone(), wrong_index.clone()] {
        let manifest = Manifest::parse(None, document.into()).unwrap();
        from.put(&repository(), &manifest, None).await.unwrap();
    }
    for document in [index, wrong_index] {
        let to = registry();
        let error = run(&from, Digest::of(document.as_bytes()), &to).await.unwrap_err();
        assert!(matches!(error, CopyError::Graph(GraphError::TwoSizes(_))) && error.is_integrity(), "{error:?}");
        assert_eq!(to.digests(&repository()), []);
    }
}

#[tokio::test]
async fn the_largest_blob_goes_first() {
    let corpus = Corpus::of(&Tree::Image([3, 1, 4, 2].map(|n| "x".repeat(n * 1_000)).to_vec()));
    let (from, to, counter) = (source_of(&corpus).await, registry(), Counter::default());
    let source = Source { registry: &from, repository: repository(), digest: corpus.root };
    let destination = Destination { registry: &to, repository: repository(), tag: tag() };
    let mut options = Options::until(Instant::now() + Duration::from_secs(60));
    options.jobs = NonZeroUsize::MIN;
    copied(copy(&source, &destination, &options, &counter).await.unwrap());
    let files = BTreeMap::from_iter(corpus.files());
    let sizes: Vec<usize> = counter.stored.into_inner().unwrap().iter().map(|blob| files[blob].len()).collect();
    assert!(sizes.is_sorted_by(|a, b| a >= b), "{sizes:?}");
}

#[tokio::test(start_paused = true)]
async fn no_more_jobs_than_allowed() {
    let corpus = Corpus::of(&image(&["a", "b", "c", "d", "e"]));
    let from = source_of(&corpus).await;
    let to = Faulty::new(registry(), |call| (call.method == Method::PutBlob).then_some(Fault::Hang));
    let source = Source { registry: &from, repository: repository(), digest: corpus.root };
    let destination = Destination { registry: &to, repository: repository(), tag: tag() };
    let mut options = Options::until(Instant::now() + Duration::from_secs(60));
    options.jobs = NonZeroUsize::MIN.saturating_add(1);
    let error = copy(&source, &destination, &options, &()).await.unwrap_err();
    assert!(matches!(error, CopyError::Deadline), "{error:?}");
    assert_eq!(to.calls().iter().filter(|call| call.method == Method::PutBlob).count(), 2);
}

#[tokio::test]
async fn a_missing_repository_is_named() {
    let corpus = Corpus::of(&image(&["layer"]));
    let error = run(&source_of(&corpus).await, corpus.root, &InMemory::new()).await.unwrap_err();
    let named =
        matches!(&error, CopyError::Destination(RegistryError::NoRepository { repository: r }) if *r == repository());
    assert!(named, "{error:?}");
}

#[derive(Default)]
struct Counter {
    moved: Mutex<BTreeMap<Digest, u64>>,
    planned: Mutex<(u64, u64)>,
    stored: Mutex<Vec<Digest>>,
}

impl Observer for Counter {
    fn planned(&self, blobs: u64, bytes: u64) {
        let mut planned = self.planned.lock().unwrap();
        *planned = (planned.0 + blobs, planned.1 + bytes);
    }

    fn moved(&self, blob: &Digest, bytes: u64) {
        *self.moved.lock().unwrap().entry(*blob).or_default() += bytes;
    }

    fn restarted(&self, blob: &Digest, _: &CopyError) {
        self.moved.lock().unwrap().remove(blob);
    }

    fn stored(&self, blob: &Digest) {
        self.stored.lock().unwrap().push(*blob);
    }
}

#[tokio::test(start_paused = true)]
async fn an_observer_sees_every_byte_once() {
    let layers: Vec<String> = (1..9).map(|n| "x".repeat(n * 100_000)).collect();
    let corpus = Corpus::of(&Tree::Image(layers));
    let to = Faulty::new(registry(), |call| (call.number % 5 == 0).then_some(Fault::Cut));
    let counter = Counter::default();
    let from = source_of(&corpus).await;
    let source = Source { registry: &from, repository: repository(), digest: corpus.root };
    let destination = Destination { registry: &to, repository: repository(), tag: tag() };
    let options = Options::until(Instant::now() + Duration::from_secs(600));
    let transfer = copied(copy(&source, &destination, &options, &counter).await.unwrap());
    let moved = counter.moved.into_inner().unwrap();
    let stored = counter.stored.into_inner().unwrap();
    assert_eq!(counter.planned.into_inner().unwrap(), (transfer.blobs.copied, transfer.bytes));
    assert_eq!(moved.values().sum::<u64>(), transfer.bytes);
    assert_eq!(stored.len() as u64, transfer.blobs.copied);
}
