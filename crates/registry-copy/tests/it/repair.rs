//! Destinations that do not have what they say they have.

use std::{collections::BTreeSet, sync::Mutex};

use registry_copy::{
    CopyError, Destination, Options, Outcome, Planned, RegistryError, Source,
    faults::{Faulty, Method},
    plan, verify,
};

use crate::{
    behaviour::{copied, in_a_minute, run, run_as, run_thorough, source_of},
    corpus::{Corpus, image, platforms, registry, repository, tag},
    liars::{Liar, Lie},
};

#[tokio::test]
async fn a_blob_that_is_missing_after_all_is_supplied() {
    let corpus = Corpus::of(&platforms());
    let from = source_of(&corpus).await;
    for bulk in [false, true] {
        let inner = if bulk { registry().answering_in_bulk() } else { registry() };
        let to = Liar { inner: inner.clone(), lie: Lie::ClaimsBlobs(Mutex::default()) };
        let transfer = copied(run(&from, corpus.root, &to).await.unwrap());
        verify(&inner, &repository(), &corpus.root).await.unwrap();
        let files = corpus.files();
        let blobs = corpus.blob_digests();
        let bytes: usize = files.iter().filter(|(digest, _)| blobs.contains(digest)).map(|file| file.1.len()).sum();
        assert_eq!((transfer.blobs.copied, transfer.blobs.present), (blobs.len() as u64, 0));
        assert_eq!((transfer.manifests, transfer.bytes), (4, bytes as u64));
    }
}

#[tokio::test]
async fn a_child_that_is_missing_after_all_is_supplied_with_its_parts() {
    let corpus = Corpus::of(&platforms());
    let (from, inner) = (source_of(&corpus).await, registry());
    let to = Liar { inner: inner.clone(), lie: Lie::ShowsManifestsOf(from.clone()) };
    let transfer = copied(run(&from, corpus.root, &to).await.unwrap());
    verify(&inner, &repository(), &corpus.root).await.unwrap();
    assert_eq!(transfer.manifests, 4);
}

#[tokio::test(start_paused = true)]
async fn a_part_is_supplied_once_and_then_waited_for_until_the_deadline() {
    let corpus = Corpus::of(&image(&["layer"]));
    let part = corpus.blob_digests()[0];
    let from = source_of(&corpus).await;
    let to = Faulty::new(Liar { inner: registry(), lie: Lie::NeverFinds(part) }, |_| None);
    let error = run(&from, corpus.root, &to).await.unwrap_err();
    let named = matches!(&error, CopyError::Destination(RegistryError::PartMissing { part: p, .. }) if *p == part);
    assert!(named && error.is_retryable(), "{error:?}");
    let count = |method| to.calls().iter().filter(|call| call.method == method).count();
    // It is there, so neither of two more offers is wanted.
    assert_eq!(count(Method::PutBlob), corpus.blob_digests().len() + 2);
    assert!(count(Method::Put) > 5, "{}", count(Method::Put));
}

#[tokio::test(start_paused = true)]
async fn what_is_no_part_is_not_supplied() {
    let (corpus, stranger) = (Corpus::of(&image(&["layer"])), Corpus::of(&image(&["other"])));
    let from = source_of(&corpus).await;
    stranger.store(&from, &repository()).await;
    for part in [stranger.root, stranger.blob_digests()[0]] {
        let inner = registry();
        let to = Faulty::new(Liar { inner: inner.clone(), lie: Lie::NeverFinds(part) }, |_| None);
        let error = run(&from, corpus.root, &to).await.unwrap_err();
        assert!(matches!(error, CopyError::StrangerWanted { part: named } if named == part), "{error:?}");
        assert!(!error.is_retryable());
        assert_eq!(to.calls().iter().filter(|call| call.method == Method::Put).count(), 5);
        assert!(inner.digests(&repository()).iter().all(|digest| corpus.closure.contains(digest)));
    }
}

#[tokio::test]
async fn a_destination_that_does_not_say_what_it_lacks_is_sent_all_that_it_claims() {
    let corpus = Corpus::of(&platforms());
    let from = source_of(&corpus).await;
    let (files, blobs) = (corpus.files(), corpus.blob_digests());
    let bytes: usize = files.iter().filter(|(digest, _)| blobs.contains(digest)).map(|file| file.1.len()).sum();
    for (bulk, thorough) in [(false, false), (false, true), (true, false)] {
        let inner = if bulk { registry().answering_in_bulk() } else { registry() };
        let to = Liar { inner: inner.clone(), lie: Lie::NamesNone(Box::new(Lie::ClaimsBlobs(Mutex::default()))) };
        let transfer = copied(run_as(&from, corpus.root, &to, &Options { thorough, ..in_a_minute() }).await.unwrap());
        verify(&inner, &repository(), &corpus.root).await.unwrap();
        assert_eq!((transfer.blobs.copied, transfer.blobs.present), (blobs.len() as u64, 0));
        assert_eq!((transfer.manifests, transfer.bytes), (4, bytes as u64));
    }

    let inner = registry();
    let to = Liar { inner: inner.clone(), lie: Lie::NamesNone(Box::new(Lie::ShowsManifestsOf(from.clone()))) };
    assert_eq!(copied(run(&from, corpus.root, &to).await.unwrap()).manifests, 4);
    verify(&inner, &repository(), &corpus.root).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn what_helps_against_no_unnamed_lack_is_done_once() {
    let corpus = Corpus::of(&image(&["layer"]));
    let from = source_of(&corpus).await;
    let part = corpus.blob_digests()[0];
    for (there, offers, puts) in [(false, corpus.blob_digests().len(), 1), (true, 3 * corpus.blob_digests().len(), 2)] {
        let inner = registry();
        if there {
            corpus.store(&inner, &repository()).await;
            inner.remove(&repository(), &corpus.root);
        }
        let lie = Lie::NamesNone(Box::new(Lie::NeverFinds(part)));
        let to = Faulty::new(Liar { inner, lie }, |_| None);
        let error = run(&from, corpus.root, &to).await.unwrap_err();
        let is_it = matches!(error, CopyError::Destination(RegistryError::PartsMissing { .. }));
        assert!(is_it && !error.is_retryable(), "{error:?}");
        let count = |method| to.calls().iter().filter(|call| call.method == method).count();
        assert_eq!((count(Method::PutBlob), count(Method::Put)), (offers, puts));
    }
}

#[tokio::test]
async fn a_manifest_that_was_taken_but_is_not_there_is_found_out() {
    let corpus = Corpus::of(&platforms());
    let to = Liar { inner: registry(), lie: Lie::ShowsManifestsOf(registry()) };
    let outcome = run(&source_of(&corpus).await, corpus.root, &to).await;
    assert!(matches!(&outcome, Err(error @ CopyError::Lost { .. }) if error.is_integrity()), "{outcome:?}");

    // Nor is a list the proof of a referrer.
    let corpus = Corpus::of(&image(&["layer"]));
    let sbom = Corpus::referrer(&corpus.root_descriptor(), "sbom");
    let from = source_of(&corpus).await;
    sbom.store(&from, &repository()).await;
    let outcome = run(&from, corpus.root, &to).await;
    assert!(matches!(outcome, Err(CopyError::Lost { digest }) if digest == sbom.root), "{outcome:?}");
}

#[tokio::test]
async fn whatever_the_destination_lost_is_completed_with_and_without_the_tag() {
    let corpus = Corpus::of(&platforms());
    let sbom = Corpus::referrer(&corpus.root_descriptor(), "sbom");
    let from = source_of(&corpus).await;
    sbom.store(&from, &repository()).await;
    for tagged in [true, false] {
        for lost in corpus.closure.iter().chain(&sbom.closure) {
            let to = registry();
            if tagged {
                copied(run(&from, corpus.root, &to).await.unwrap());
            } else {
                corpus.store(&to, &repository()).await;
                sbom.store(&to, &repository()).await;
            }
            to.remove(&repository(), lost);
            let outcome = run_thorough(&from, corpus.root, &to).await.unwrap();
            // A tag that names nothing is no tag.
            let present = tagged && *lost != corpus.root;
            assert_eq!(matches!(&outcome, Outcome::AlreadyPresent(_)), present, "{outcome:?}");
            verify(&to, &repository(), &corpus.root).await.unwrap();
            verify(&to, &repository(), &sbom.root).await.unwrap();
            let (Outcome::AlreadyPresent(transfer) | Outcome::Copied(transfer)) = outcome else {
                panic!("{outcome:?}")
            };
            let blobs = [corpus.blob_digests(), sbom.blob_digests()].concat();
            assert_eq!(transfer.blobs.copied, u64::from(blobs.contains(lost)), "{lost}");
            let root = (!present).then_some(&corpus.root);
            let stored: BTreeSet<_> = root.into_iter().chain(Some(lost).filter(|lost| !blobs.contains(lost))).collect();
            assert_eq!(transfer.manifests, stored.len() as u64, "{lost}");
        }
    }
}

#[tokio::test]
async fn a_referrer_that_is_listed_but_not_there_is_sent() {
    let corpus = Corpus::of(&image(&["layer"]));
    let signature = Corpus::referrer(&corpus.root_descriptor(), "signature");
    let from = source_of(&corpus).await;
    signature.store(&from, &repository()).await;
    let inner = registry();
    let to = Liar { inner: inner.clone(), lie: Lie::ListsReferrer(signature.root_descriptor()) };
    assert_eq!(copied(run(&from, corpus.root, &to).await.unwrap()).referrers, 1);
    verify(&inner, &repository(), &signature.root).await.unwrap();

    inner.remove(&repository(), &signature.root);
    let again = run(&from, corpus.root, &to).await.unwrap();
    assert!(matches!(&again, Outcome::AlreadyPresent(transfer) if transfer.referrers == 1), "{again:?}");
    verify(&inner, &repository(), &signature.root).await.unwrap();
}

#[tokio::test]
async fn referrers_that_the_source_cannot_list_are_said_to_be_unknown() {
    let corpus = Corpus::of(&platforms());
    let from = Liar { inner: source_of(&corpus).await, lie: Lie::CannotList };
    let to = registry();
    let source = Source { registry: &from, repository: repository(), digest: corpus.root };
    let destination = Destination { registry: &to, repository: repository(), tag: tag() };
    let planned = plan(&source, &destination, &in_a_minute()).await.unwrap();
    assert!(matches!(planned, Planned::Copy(to_move) if to_move.referrers_unknown));
    assert!(copied(run(&from, corpus.root, &to).await.unwrap()).referrers_unknown);
    let again = run(&from, corpus.root, &to).await.unwrap();
    assert!(matches!(&again, Outcome::AlreadyPresent(transfer) if transfer.referrers_unknown), "{again:?}");
    // Nobody asked.
    let without = Options { referrers: false, ..in_a_minute() };
    let again = run_as(&from, corpus.root, &to, &without).await.unwrap();
    assert!(matches!(&again, Outcome::AlreadyPresent(transfer) if !transfer.referrers_unknown), "{again:?}");
}

#[tokio::test(start_paused = true)]
async fn an_image_that_refers_to_another_is_listed_or_not_tagged() {
    let signature = Corpus::referrer(&Corpus::of(&image(&["layer"])).root_descriptor(), "signature");
    let from = source_of(&signature).await;
    copied(run(&from, signature.root, &registry()).await.unwrap());

    let inner = registry();
    let to = Liar { inner: inner.clone(), lie: Lie::CannotList };
    let error = run(&from, signature.root, &to).await.unwrap_err();
    assert!(matches!(error, CopyError::Destination(RegistryError::NoReferrersApi { .. })), "{error:?}");
    assert_eq!(inner.digests(&repository()), []);

    let to = Liar { inner, lie: Lie::ListsNone };
    for _ in 0..2 {
        let error = run(&from, signature.root, &to).await.unwrap_err();
        assert!(matches!(error, CopyError::Unlisted { referrer, .. } if referrer == signature.root), "{error:?}");
    }
}

#[tokio::test]
async fn what_both_sides_lost_is_named() {
    let corpus = Corpus::of(&platforms());
    for lost in corpus.closure.iter().filter(|digest| **digest != corpus.root) {
        let (from, to) = (source_of(&corpus).await, registry());
        copied(run(&from, corpus.root, &to).await.unwrap());
        from.remove(&repository(), lost);
        assert!(
            matches!(run_thorough(&from, corpus.root, &to).await, Ok(Outcome::AlreadyPresent(_))),
            "the source is not needed"
        );
        to.remove(&repository(), lost);
        let error = run_thorough(&from, corpus.root, &to).await.unwrap_err();
        let named = match error {
            CopyError::Source(RegistryError::NoBlob { digest, .. } | RegistryError::NoManifest { digest, .. }) => {
                digest
            }
            other => panic!("{other:?}"),
        };
        assert_eq!(named, *lost);
    }
}
