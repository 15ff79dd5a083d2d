//! What every [`Registry`] must do, as checks that any backend's tests can run.
//!
//! Each check makes content of its own that nobody has stored before, so that it can run again and again on a shared
//! server. A check panics with what was expected.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a check fails by panicking"
)]

use bytes::Bytes;
use futures_util::{
    StreamExt, TryStreamExt,
    future::{Either, join, pending, select},
    stream,
};
use release::{Digest, Repository, Tag};
use tokio::sync::oneshot;

use crate::{Chunks, Descriptor, Manifest, ManifestError, Put, Registry, RegistryError};

const IMAGE: &str = "application/vnd.oci.image.manifest.v1+json";
const INDEX: &str = "application/vnd.oci.image.index.v1+json";
const CONFIG: &str = "application/vnd.oci.image.config.v1+json";
const LAYER: &str = "application/vnd.oci.image.layer.v1.tar+gzip";

/// The whole contract but referrers. `repository` exists and may be written.
///
/// # Panics
/// Where the registry does not keep it.
pub async fn check(registry: &dyn Registry, repository: &Repository) {
    absent_things_are_answers(registry, repository).await;
    blobs_are_stored_whole_and_again(registry, repository).await;
    wrong_bytes_are_refused(registry, repository).await;
    parts_come_before_wholes(registry, repository).await;
    a_dropped_upload_leaves_nothing(registry, repository).await;
    manifests_keep_their_bytes(registry, repository).await;
    a_tag_never_moves(registry, repository).await;
    two_puts_at_once_leave_one_value(registry, repository).await;
}

/// What a repository promises beyond that whose server refuses to move a tag: of two puts at once exactly one wins.
/// Without such a server no client can promise it, for the tag may be taken after it has looked.
///
/// # Panics
/// Where both win, or neither.
pub async fn check_immutable(registry: &dyn Registry, repository: &Repository) {
    for _ in 0..20 {
        let puts = two_puts_at_once_leave_one_value(registry, repository).await;
        assert_eq!(puts.iter().filter(|put| **put == Put::Stored).count(), 1, "exactly one wins: {puts:?}");
    }
}

/// Mounting from `from`, where the registry may also answer that it does not.
///
/// # Panics
/// Where it claims to have mounted a blob that is not there then.
pub async fn check_mount(registry: &dyn Registry, repository: &Repository, from: &Repository) {
    let (blob, bytes) = fresh_blob(1_000);
    put_blob(registry, from, &blob, &bytes).await.unwrap();
    if registry.mount(repository, from, &blob).await.unwrap() {
        assert_eq!(read(registry, repository, &blob).await, bytes, "a mounted blob is there");
    } else {
        let missing = registry.missing(repository, std::slice::from_ref(&blob)).await.unwrap();
        assert_eq!(missing, [blob.digest], "a blob that was not mounted has to be uploaded");
    }
    let (nowhere, _) = fresh_blob(10);
    assert!(!registry.mount(repository, from, &nowhere).await.unwrap(), "what is nowhere cannot be mounted");
}

/// Referrers, with an API of the server or by the tag that stands in for one.
///
/// # Panics
/// Where a referrer is not listed, or something else is.
pub async fn check_referrers(registry: &dyn Registry, repository: &Repository) {
    let image = store_image(registry, repository, None).await;
    let other = store_image(registry, repository, None).await;
    let listed = || async {
        let mut digests: Vec<Digest> =
            registry.referrers(repository, &image.digest()).await.unwrap().iter().map(|d| d.digest).collect();
        digests.sort_unstable();
        digests
    };
    assert_eq!(listed().await, [], "nothing refers to a new image");

    let mut expected = Vec::new();
    for _ in 0..2 {
        let referrer = store_image(registry, repository, Some(&image)).await;
        expected.push(referrer.digest());
        expected.sort_unstable();
        assert_eq!(listed().await, expected, "each referrer is listed");
        assert_eq!(registry.put(repository, &referrer, None).await.unwrap(), Put::Stored);
        assert_eq!(listed().await, expected, "and once, however often it is put");
    }
    let of_other = registry.referrers(repository, &other.digest()).await.unwrap();
    assert_eq!(of_other, [], "another image has none of them");
}

async fn absent_things_are_answers(registry: &dyn Registry, repository: &Repository) {
    let (blob, _) = fresh_blob(10);
    assert_eq!(registry.resolve(repository, &fresh_tag()).await.unwrap(), None);
    assert_eq!(registry.manifest(repository, &blob.digest).await.unwrap().map(|m| m.digest()), None);
    assert_eq!(registry.missing(repository, std::slice::from_ref(&blob)).await.unwrap(), [blob.digest]);
    assert_eq!(registry.missing(repository, &[]).await.unwrap(), []);
    // A blob is asked for only when it must be there, so here its absence is an error, at once or in the stream.
    let read = match registry.blob(repository, &blob).await {
        Ok(chunks) => chunks.try_collect::<Vec<Bytes>>().await.map(drop),
        Err(error) => Err(error),
    };
    assert!(matches!(read, Err(RegistryError::NoBlob { digest, .. }) if digest == blob.digest), "{read:?}");
}

async fn blobs_are_stored_whole_and_again(registry: &dyn Registry, repository: &Repository) {
    for size in [0, 1, 70_000] {
        let (blob, bytes) = if size == 0 { described(LAYER, Bytes::new()) } else { fresh_blob(size) };
        for _ in 0..2 {
            put_blob(registry, repository, &blob, &bytes).await.unwrap();
            assert_eq!(read(registry, repository, &blob).await, bytes, "a blob of {size} bytes comes back");
        }
    }
    let (stored, bytes) = fresh_blob(5_000);
    put_blob(registry, repository, &stored, &bytes).await.unwrap();
    let flipped: Bytes = bytes.iter().map(|byte| byte ^ 1).collect();
    // A backend may answer at once, for it has the blob; what it must not do is store these bytes.
    drop(put_blob(registry, repository, &stored, &flipped).await);
    assert_eq!(read(registry, repository, &stored).await, bytes, "a stored blob stays as it is");

    let (first, bytes) = fresh_blob(10);
    put_blob(registry, repository, &first, &bytes).await.unwrap();
    let (second, _) = fresh_blob(10);
    let (third, _) = fresh_blob(10);
    let missing = registry.missing(repository, &[third.clone(), first, second.clone()]).await.unwrap();
    assert_eq!(missing, [third.digest, second.digest], "only what is missing, in the order asked for");
}

async fn wrong_bytes_are_refused(registry: &dyn Registry, repository: &Repository) {
    let (blob, bytes) = fresh_blob(5_000);
    let mut flipped = bytes.to_vec();
    flipped.iter_mut().take(1).for_each(|byte| *byte ^= 1);
    let mut longer = bytes.to_vec();
    longer.push(0);
    let wrong = [("other bytes", flipped), ("too few", bytes[..4_999].to_vec()), ("too many", longer)];
    for (what, bytes) in wrong {
        put_blob(registry, repository, &blob, &bytes.into()).await.expect_err(what);
        let missing = registry.missing(repository, std::slice::from_ref(&blob)).await.unwrap();
        assert_eq!(missing, [blob.digest], "{what}: nothing is left");
    }
    let half = stream::iter([Ok(bytes.slice(..2_500)), Err(RegistryError::BrokenOff)]);
    registry.put_blob(repository, &blob, Box::pin(half)).await.expect_err("bytes that broke off");
    let missing = registry.missing(repository, std::slice::from_ref(&blob)).await.unwrap();
    assert_eq!(missing, [blob.digest], "broken off: nothing is left");
    put_blob(registry, repository, &blob, &bytes).await.unwrap();
}

async fn a_dropped_upload_leaves_nothing(registry: &dyn Registry, repository: &Repository) {
    let (blob, bytes) = fresh_blob(50_000);
    let (half_is_read, read) = oneshot::channel();
    let rest = async move {
        half_is_read.send(()).ok();
        pending().await
    };
    let half = stream::iter([Ok(bytes.slice(..25_000))]).chain(stream::once(rest));
    let upload = registry.put_blob(repository, &blob, Box::pin(half));
    match select(upload, read).await {
        Either::Left((ended, _)) => panic!("half a blob is none: {ended:?}"),
        Either::Right((_, upload)) => drop(upload),
    }
    let missing = registry.missing(repository, std::slice::from_ref(&blob)).await.unwrap();
    assert_eq!(missing, [blob.digest], "dropped: nothing is left");
    put_blob(registry, repository, &blob, &bytes).await.unwrap();
    assert_eq!(self::read(registry, repository, &blob).await, bytes, "and nothing is in the way");
}

async fn parts_come_before_wholes(registry: &dyn Registry, repository: &Repository) {
    let (config, config_bytes) = described(CONFIG, random(100));
    let (layer, layer_bytes) = fresh_blob(100);
    let image = image(&config, &layer, None);
    let index = index(&image);
    let tag = fresh_tag();
    put_blob(registry, repository, &config, &config_bytes).await.unwrap();
    for incomplete in [&image, &index] {
        registry.put(repository, incomplete, Some(&tag)).await.expect_err("a manifest before its parts");
        assert_eq!(registry.resolve(repository, &tag).await.unwrap(), None);
        assert!(registry.manifest(repository, &incomplete.digest()).await.unwrap().is_none());
    }
    put_blob(registry, repository, &layer, &layer_bytes).await.unwrap();
    for complete in [&image, &index] {
        assert_eq!(registry.put(repository, complete, None).await.unwrap(), Put::Stored);
    }
}

async fn manifests_keep_their_bytes(registry: &dyn Registry, repository: &Repository) {
    let image = store_image(registry, repository, None).await;
    let stored = registry.manifest(repository, &image.digest()).await.unwrap().unwrap();
    assert_eq!((stored.bytes(), stored.media_type()), (image.bytes(), image.media_type()));

    // A larger one is no `Manifest`, so that no backend can be asked to store it.
    let (config, bytes) = described(CONFIG, random(100));
    put_blob(registry, repository, &config, &bytes).await.unwrap();
    let padded = |pad: usize| {
        let (config, pad) = (json(&config), "x".repeat(pad));
        format!(
            r#"{{"schemaVersion":2,"mediaType":"{IMAGE}","config":{config},"layers":[],"annotations":{{"a":"{pad}"}}}}"#
        )
    };
    let room = Manifest::MAX_SIZE - padded(0).len();
    assert!(matches!(Manifest::parse(None, padded(room + 1).into()), Err(ManifestError::TooLarge)));
    let largest = parse(padded(room));
    assert_eq!(registry.put(repository, &largest, None).await.unwrap(), Put::Stored);
    let stored = registry.manifest(repository, &largest.digest()).await.unwrap();
    assert!(stored.is_some_and(|stored| stored == largest), "a manifest of 4 MiB comes back");
}

async fn two_puts_at_once_leave_one_value(registry: &dyn Registry, repository: &Repository) -> [Put; 2] {
    let tag = fresh_tag();
    let images = [store_image(registry, repository, None).await, store_image(registry, repository, None).await];
    let [one, two] = &images;
    let puts = join(registry.put(repository, one, Some(&tag)), registry.put(repository, two, Some(&tag))).await;
    let puts = [puts.0.unwrap(), puts.1.unwrap()];
    let held = registry.resolve(repository, &tag).await.unwrap().expect("a tag that was put");
    for (image, put) in images.iter().zip(puts) {
        match put {
            Put::Held(by) => assert!(by == held && by != image.digest(), "{by} was said to hold the tag"),
            Put::Stored => {}
        }
    }
    let winner = images.iter().zip(puts).find(|(image, _)| image.digest() == held);
    assert_eq!(winner.map(|(_, put)| put), Some(Put::Stored), "who holds the tag was told so");
    puts
}

async fn a_tag_never_moves(registry: &dyn Registry, repository: &Repository) {
    let (tag, unused) = (fresh_tag(), fresh_tag());
    let rule = registry.tag_rule(repository, &tag).await.unwrap();
    let first = store_image(registry, repository, None).await;
    let second = store_image(registry, repository, None).await;
    assert_eq!(registry.resolve(repository, &tag).await.unwrap(), None, "a manifest alone names no tag");
    for _ in 0..2 {
        assert_eq!(registry.put(repository, &first, Some(&tag)).await.unwrap(), Put::Stored);
        assert_eq!(registry.resolve(repository, &tag).await.unwrap(), Some(first.digest()));
        let held = registry.put(repository, &second, Some(&tag)).await.unwrap();
        assert_eq!(held, Put::Held(first.digest()));
        assert_eq!(registry.resolve(repository, &tag).await.unwrap(), Some(first.digest()));
    }
    assert_eq!(registry.put(repository, &first, Some(&unused)).await.unwrap(), Put::Stored, "a second tag");
    for tag in [&tag, &unused, &fresh_tag()] {
        assert_eq!(
            registry.tag_rule(repository, tag).await.unwrap(),
            rule,
            "a rule is there before its tag, and stays"
        );
    }
}

async fn store_image(registry: &dyn Registry, repository: &Repository, subject: Option<&Manifest>) -> Manifest {
    let (config, config_bytes) = described(CONFIG, random(100));
    let (layer, layer_bytes) = fresh_blob(1_000);
    put_blob(registry, repository, &config, &config_bytes).await.unwrap();
    put_blob(registry, repository, &layer, &layer_bytes).await.unwrap();
    let image = image(&config, &layer, subject);
    assert_eq!(registry.put(repository, &image, None).await.unwrap(), Put::Stored);
    image
}

async fn put_blob(
    registry: &dyn Registry,
    repository: &Repository,
    blob: &Descriptor,
    bytes: &Bytes,
) -> Result<(), RegistryError> {
    registry.put_blob(repository, blob, in_chunks(bytes)).await
}

async fn read(registry: &dyn Registry, repository: &Repository, blob: &Descriptor) -> Bytes {
    let chunks = registry.blob(repository, blob).await.unwrap();
    chunks.try_collect::<Vec<Bytes>>().await.unwrap().concat().into()
}

fn in_chunks(bytes: &Bytes) -> Chunks {
    let chunks: Vec<_> = bytes.chunks(1_024).map(|chunk| Ok(Bytes::copy_from_slice(chunk))).collect();
    stream::iter(chunks).boxed()
}

fn image(config: &Descriptor, layer: &Descriptor, subject: Option<&Manifest>) -> Manifest {
    let subject = subject.map(|of| format!(r#","subject":{}"#, json(&of.descriptor()))).unwrap_or_default();
    let (config, layer) = (json(config), json(layer));
    parse(format!(r#"{{"schemaVersion":2,"mediaType":"{IMAGE}","config":{config},"layers":[{layer}]{subject}}}"#))
}

fn index(image: &Manifest) -> Manifest {
    let child = json(&image.descriptor());
    parse(format!(r#"{{"schemaVersion":2,"mediaType":"{INDEX}","manifests":[{child}]}}"#))
}

fn parse(document: String) -> Manifest {
    Manifest::parse(None, document.into()).unwrap()
}

fn json(of: &Descriptor) -> String {
    format!(r#"{{"mediaType":"{}","digest":"{}","size":{}}}"#, of.media_type, of.digest, of.size)
}

fn fresh_blob(size: usize) -> (Descriptor, Bytes) {
    described(LAYER, random(size))
}

fn described(media_type: &str, bytes: Bytes) -> (Descriptor, Bytes) {
    let (digest, size) = (Digest::of(&bytes), bytes.len() as u64);
    (Descriptor { media_type: media_type.to_owned(), digest, size, artifact_type: None }, bytes)
}

fn random(size: usize) -> Bytes {
    std::iter::repeat_with(|| fastrand::u8(..)).take(size).collect()
}

fn fresh_tag() -> Tag {
    format!("check-{:016x}", fastrand::u64(..)).parse().unwrap()
}
