//! Every call fails once, before and after it acts; a clean run afterwards always ends well.

use std::{collections::BTreeMap, time::Duration};

use guarded_http::{HttpError, StatusCode};
use registry_copy::{
    CopyError, InMemory, Outcome, RegistryError, TagRule,
    faults::{Call, Fault, Faulty, Method},
    verify,
};
use tokio::time::Instant;

use crate::{
    behaviour::run,
    corpus::{Corpus, image, platforms, registry, repository, tag},
    liars::{Liar, Lie},
};

/// What is copied in all of these: an index with a referrer.
async fn source() -> (Corpus, Corpus, InMemory) {
    let corpus = Corpus::of(&platforms());
    let sbom = Corpus::referrer(&corpus.root_descriptor(), "sbom");
    let from = registry();
    corpus.store(&from, &repository()).await;
    sbom.store(&from, &repository()).await;
    (corpus, sbom, from)
}

async fn is_whole(to: &InMemory, corpus: &Corpus, sbom: &Corpus) {
    assert_eq!(to.tags(&repository()), BTreeMap::from([(tag(), corpus.root)]));
    let there = to.digests(&repository());
    for digest in corpus.closure.iter().chain(&sbom.closure) {
        assert!(there.contains(digest), "{digest}");
    }
    verify(to, &repository(), &corpus.root).await.unwrap();
}

/// How many calls each side sees without faults.
async fn calls_without_faults() -> [usize; 2] {
    let (corpus, sbom, from) = source().await;
    let inner = registry();
    let (from, to) = (Faulty::new(from, |_| None), Faulty::new(inner.clone(), |_| None));
    assert!(matches!(run(&from, corpus.root, &to).await.unwrap(), Outcome::Copied(_)));
    is_whole(&inner, &corpus, &sbom).await;
    [from.calls().len(), to.calls().len()]
}

fn is_forbidden(error: &HttpError) -> bool {
    error.status() == Some(StatusCode::FORBIDDEN)
}

fn nth(n: usize, fault: Fault) -> impl Fn(Call) -> Option<Fault> + Send + Sync + 'static {
    move |call| (call.number == n).then_some(fault)
}

#[tokio::test(start_paused = true)]
async fn a_temporary_fault_at_any_call_is_survived() {
    let [at_source, at_destination] = calls_without_faults().await;
    assert!(at_source > 10 && at_destination > 20, "{at_source} {at_destination}");
    let temporary =
        [Fault::Before { status: 503 }, Fault::After { status: 503 }, Fault::Cut, Fault::Claim, Fault::Refuse];
    for fault in temporary {
        for n in 1..=at_source {
            let (corpus, sbom, from) = source().await;
            let to = registry();
            let outcome = run(&Faulty::new(from, nth(n, fault)), corpus.root, &to).await;
            assert!(matches!(outcome, Ok(Outcome::Copied(_))), "{fault:?} at the source's {n}: {outcome:?}");
            is_whole(&to, &corpus, &sbom).await;
        }
        for n in 1..=at_destination {
            let (corpus, sbom, from) = source().await;
            let to = registry();
            let outcome = run(&from, corpus.root, &Faulty::new(to.clone(), nth(n, fault))).await;
            assert!(matches!(outcome, Ok(Outcome::Copied(_))), "{fault:?} at the destination's {n}: {outcome:?}");
            is_whole(&to, &corpus, &sbom).await;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_lasting_fault_at_any_call_ends_the_copy_and_the_next_one_converges() {
    let [at_source, at_destination] = calls_without_faults().await;
    for fault in [Fault::Before { status: 403 }, Fault::After { status: 403 }, Fault::Hang] {
        for (source_side, last) in [(true, at_source), (false, at_destination)] {
            for n in 1..=last {
                let (corpus, sbom, from) = source().await;
                let to = registry();
                let outcome = if source_side {
                    run(&Faulty::new(from.clone(), nth(n, fault)), corpus.root, &to).await
                } else {
                    run(&from, corpus.root, &Faulty::new(to.clone(), nth(n, fault))).await
                };
                let expected = match (&outcome, fault, source_side) {
                    (Err(CopyError::Deadline), Fault::Hang, _) => true,
                    (Err(CopyError::Source(RegistryError::Http(error))), _, side) => side && is_forbidden(error),
                    (Err(CopyError::Destination(RegistryError::Http(error))), _, side) => !side && is_forbidden(error),
                    _ => false,
                };
                assert!(expected, "{fault:?} at {n}: {outcome:?}");
                let tags = to.tags(&repository());
                if !tags.is_empty() {
                    is_whole(&to, &corpus, &sbom).await;
                }
                let clean = run(&from, corpus.root, &to).await.unwrap();
                assert!(matches!(clean, Outcome::Copied(_) | Outcome::AlreadyPresent(_)), "{clean:?}");
                is_whole(&to, &corpus, &sbom).await;
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_flipped_bit_at_any_call_tags_nothing_wrong() {
    let [at_source, at_destination] = calls_without_faults().await;
    for n in 1..=at_source {
        let (corpus, sbom, from) = source().await;
        let to = registry();
        let from = Faulty::new(from, nth(n, Fault::Flip));
        let outcome = run(&from, corpus.root, &to).await;
        match from.calls().get(n - 1).map(|call| call.method) {
            // A blob is read once more, and that reading is right.
            Some(Method::Blob | Method::Referrers) => is_whole(&to, &corpus, &sbom).await,
            _ => {
                assert!(matches!(outcome, Err(CopyError::Source(_))), "{n}: {outcome:?}");
                assert_eq!(to.tags(&repository()), BTreeMap::new());
            }
        }
    }
    for n in 1..=at_destination {
        let (corpus, _, from) = source().await;
        let to = registry();
        let faulty = Faulty::new(to.clone(), nth(n, Fault::Flip));
        let outcome = run(&from, corpus.root, &faulty).await;
        let tags = to.tags(&repository());
        assert!(tags.values().all(|digest| *digest == corpus.root));
        match faulty.calls().get(n - 1).map(|call| call.method) {
            // The very last look: what is read back is not what was put.
            Some(Method::Resolve) if n > 1 => {
                assert!(matches!(&outcome, Err(error @ CopyError::ReadBack { .. }) if error.is_integrity()));
            }
            // What was stored, read back as something else.
            Some(Method::Manifest) if outcome.is_err() => {
                assert!(matches!(outcome, Err(CopyError::Destination(_))) && tags.is_empty(), "{outcome:?}");
            }
            // The destination saw other bytes than it was told of, and refuses them.
            Some(Method::PutBlob) => assert!(matches!(outcome, Err(CopyError::Destination(_))), "{outcome:?}"),
            _ => assert!(outcome.is_ok(), "{n}: {outcome:?}"),
        }
    }
}

#[tokio::test(start_paused = true)]
async fn bytes_that_stay_wrong_are_never_stored() {
    let (corpus, _, from) = source().await;
    let to = registry();
    let from = Faulty::new(from, |call| (call.method == Method::Blob).then_some(Fault::Flip));
    let error = run(&from, corpus.root, &to).await.unwrap_err();
    let mismatch = matches!(error, CopyError::Source(RegistryError::DigestMismatch { .. }));
    assert!(mismatch && error.is_integrity(), "{error:?}");
    assert_eq!(to.digests(&repository()), []);
}

#[tokio::test(start_paused = true)]
async fn a_dead_registry_is_given_up_at_the_deadline() {
    let corpus = Corpus::of(&image(&["layer"]));
    let from = registry();
    corpus.store(&from, &repository()).await;
    for fault in [Fault::Before { status: 503 }, Fault::Hang] {
        let began = Instant::now();
        let dead = Faulty::new(registry(), move |_| Some(fault));
        let error = run(&from, corpus.root, &dead).await.unwrap_err();
        assert!(error.is_retryable(), "{error:?}");
        // The last failure says more than that the time is over.
        assert_eq!(matches!(error, CopyError::Deadline), fault == Fault::Hang, "{error:?}");
        assert!(began.elapsed() <= Duration::from_secs(60));
        assert!(began.elapsed() > Duration::from_secs(40));
    }
}

#[tokio::test(start_paused = true)]
async fn a_lost_tag_is_found_out() {
    let corpus = Corpus::of(&image(&["layer"]));
    let from = registry();
    corpus.store(&from, &repository()).await;
    let to = registry();
    to.create(&repository(), TagRule::Mutable);
    let outcome = run(&from, corpus.root, &Liar { inner: to, lie: Lie::ForgetsTags }).await;
    assert!(matches!(outcome, Err(CopyError::ReadBack { found: None, .. })), "{outcome:?}");
}

#[tokio::test(start_paused = true)]
async fn a_referrer_that_is_not_listed_is_found_out() {
    let (corpus, sbom, from) = source().await;
    let to = registry();
    let outcome = run(&from, corpus.root, &Liar { inner: to.clone(), lie: Lie::ListsNone }).await;
    let named = matches!(&outcome, Err(error @ CopyError::Unlisted { referrer, subject })
        if *referrer == sbom.root && *subject == corpus.root && error.is_integrity() && !error.is_retryable());
    assert!(named, "{outcome:?}");
    assert!(to.tags(&repository()).is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_referrer_that_was_lost_from_the_list_is_put_again() {
    let (corpus, sbom, from) = source().await;
    for (puts, outlives) in [(1, true), (2, true), (4, true), (9, false)] {
        let to = registry();
        let outcome = run(&from, corpus.root, &Liar { inner: to.clone(), lie: Lie::LosesList(puts.into()) }).await;
        assert_eq!(matches!(outcome, Ok(Outcome::Copied(_))), outlives, "{puts} {outcome:?}");
        assert_eq!(to.tags(&repository()).len(), usize::from(outlives));
        verify(&to, &repository(), &sbom.root).await.unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn a_source_that_falls_silent_is_a_temporary_fault() {
    let corpus = Corpus::of(&image(&["layer"]));
    let inner = registry();
    corpus.store(&inner, &repository()).await;
    let from = Faulty::new(Liar { inner, lie: Lie::FallsSilent }, |_| None);
    let error = run(&from, corpus.root, &registry()).await.unwrap_err();
    assert!(error.is_retryable(), "{error:?}");
    // Each of the two blobs: at once, and again when thirty seconds were silent.
    assert_eq!(from.calls().iter().filter(|call| call.method == Method::Blob).count(), 4);
}

#[tokio::test]
async fn a_referrer_of_something_else_is_not_copied() {
    let corpus = Corpus::of(&image(&["layer"]));
    let stranger = Corpus::referrer(&Corpus::of(&image(&["other"])).root_descriptor(), "sbom");
    let inner = registry();
    corpus.store(&inner, &repository()).await;
    stranger.store(&inner, &repository()).await;
    let to = registry();
    let from = Liar { inner, lie: Lie::ListsReferrer(stranger.root_descriptor()) };
    assert!(matches!(run(&from, corpus.root, &to).await, Ok(Outcome::Copied(t)) if t.referrers == 0));
    assert_eq!(to.digests(&repository()), Vec::from_iter(corpus.closure));
}

#[tokio::test]
async fn a_referrer_that_is_listed_and_gone_does_not_hold_up_the_image() {
    let corpus = Corpus::of(&image(&["layer"]));
    let inner = registry();
    corpus.store(&inner, &repository()).await;
    let gone = Corpus::referrer(&corpus.root_descriptor(), "deleted long ago");
    let from = Liar { inner, lie: Lie::ListsReferrer(gone.root_descriptor()) };
    let to = registry();
    let outcome = run(&from, corpus.root, &to).await;
    assert!(matches!(&outcome, Ok(Outcome::Copied(t)) if t.referrers == 0 && t.dangling == [gone.root]), "{outcome:?}");
    assert_eq!(to.digests(&repository()), Vec::from_iter(corpus.closure));
}
