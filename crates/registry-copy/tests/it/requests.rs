//! What a copy asks of each side, call by call.

use std::{
    cmp::Reverse,
    collections::BTreeMap,
    num::NonZeroUsize,
    sync::atomic::{AtomicBool, AtomicUsize, Ordering},
};

use futures_util::future::join;
use registry_copy::{
    CopyError, InMemory, Options, Outcome, Registry, TagRule,
    faults::{Call, Fault, Faulty, Method},
};
use release::Digest;

use crate::{
    behaviour::{copied, in_a_minute, run, run_as, run_thorough},
    corpus::{Corpus, Tree, image, registry, repository, store_bytes, tag},
};

/// How often each method was called.
type Calls = BTreeMap<&'static str, usize>;

fn counted<const N: usize>(calls: [(&'static str, usize); N]) -> Calls {
    Calls::from(calls)
}

fn calls(of: &Faulty<InMemory>) -> Calls {
    let mut calls = Calls::new();
    for call in of.calls() {
        let name = match call.method {
            Method::Resolve => "resolve",
            Method::Missing => "missing",
            Method::Manifest => "manifest",
            Method::Blob => "blob",
            Method::PutBlob => "put_blob",
            Method::Put => "put",
            Method::Referrers => "referrers",
            Method::TagRule | Method::Mount => "other",
        };
        *calls.entry(name).or_default() += 1;
    }
    calls
}

fn watched(registry: &InMemory) -> Faulty<InMemory> {
    Faulty::new(registry.clone(), |_| None)
}

async fn source_of(corpora: &[&Corpus]) -> Faulty<InMemory> {
    let from = registry();
    for corpus in corpora {
        corpus.store(&from, &repository()).await;
    }
    watched(&from)
}

fn without_referrers() -> Options {
    Options { referrers: false, ..in_a_minute() }
}

/// 60 layers and a config.
fn many_layers() -> Tree {
    Tree::Image((0..60).map(|n| format!("layer {n}")).collect())
}

#[tokio::test]
async fn sixty_new_layers_are_offered_once_each() {
    let corpus = Corpus::of(&many_layers());
    let (from, to) = (source_of(&[&corpus]).await, watched(&registry()));
    assert_eq!(copied(run(&from, corpus.root, &to).await.unwrap()).blobs.copied, 61);
    assert_eq!(calls(&to), counted([("resolve", 2), ("put_blob", 61), ("put", 1)]));
    assert_eq!(calls(&from), counted([("manifest", 1), ("blob", 61), ("referrers", 1)]));
}

#[tokio::test]
async fn a_registry_that_answers_in_bulk_is_asked_once_for_all() {
    let corpus = Corpus::of(&many_layers());
    let inner = registry().answering_in_bulk();
    let (from, to) = (source_of(&[&corpus]).await, watched(&inner));
    assert_eq!(copied(run(&from, corpus.root, &to).await.unwrap()).blobs.copied, 61);
    assert_eq!(calls(&to), counted([("resolve", 2), ("missing", 1), ("put_blob", 61), ("put", 1)]));
}

#[tokio::test]
async fn all_but_one_layer_is_there() {
    for (bulk, pad) in [(false, 10), (false, 200_000), (true, 10)] {
        let layer = |n: u32| format!("{n:02}").repeat(pad / 2);
        let corpus = Corpus::of(&Tree::Image((0..60).map(layer).collect()));
        let inner = if bulk { registry().answering_in_bulk() } else { registry() };
        corpus.store(&inner, &repository()).await;
        inner.remove(&repository(), &corpus.root);
        inner.remove(&repository(), &Digest::of(layer(7).as_bytes()));
        let (from, to) = (source_of(&[&corpus]).await, watched(&inner));
        let transfer = copied(run(&from, corpus.root, &to).await.unwrap());
        assert_eq!((transfer.blobs.copied, transfer.blobs.present, transfer.bytes), (1, 60, pad as u64));
        if bulk {
            assert_eq!(calls(&to), counted([("resolve", 2), ("missing", 1), ("put_blob", 1), ("put", 1)]));
        } else {
            assert_eq!(calls(&to), counted([("resolve", 2), ("put_blob", 61), ("put", 1)]));
        }
        let (read, guessed) = (calls(&from)["blob"], !bulk && pad == 10);
        assert!(if guessed { (1..=9).contains(&read) } else { read == 1 }, "{read}");
    }
}

#[tokio::test(start_paused = true)]
async fn small_blobs_are_read_ahead_once_others_were_wanted() {
    let corpus = Corpus::of(&many_layers());
    let mut blobs = corpus.files();
    blobs.retain(|(digest, _)| *digest != corpus.root);
    blobs.sort_by_key(|(digest, bytes)| (Reverse(bytes.len()), Reverse(*digest)));
    // How many blobs the destination has, how many of the 61 offers it answers, and how many blobs are read.
    for (has, answers, expected) in [(0, 0, 8), (0, 1, 61), (1, 1, 8), (1, 2, 8), (1, 3, 61), (60, 61, 9)] {
        let (from, inner) = (source_of(&[&corpus]).await, registry());
        for (_, bytes) in blobs.iter().take(has) {
            store_bytes(&inner, bytes.clone()).await;
        }
        let offers = AtomicUsize::new(0);
        let is_late = move |method| method == Method::PutBlob && offers.fetch_add(1, Ordering::Relaxed) >= answers;
        let to = Faulty::new(inner, move |call| is_late(call.method).then_some(Fault::Hang));
        let ended = run(&from, corpus.root, &to).await;
        assert_eq!(ended.is_ok(), answers == 61, "{ended:?}");
        assert_eq!(calls(&from)["blob"], expected, "{has} {answers}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_probably_new_is_read_while_the_destination_is_asked() {
    let corpus = Corpus::of(&Tree::Index((0..3).map(|n| image(&[&format!("{n}")])).collect()));
    let from = source_of(&[&corpus]).await;
    let hangs = |call: Call| (call.method == Method::Manifest).then_some(Fault::Hang);
    let ended = run(&from, corpus.root, &Faulty::new(registry(), hangs)).await;
    assert!(matches!(ended, Err(CopyError::Deadline)), "{ended:?}");
    assert_eq!(calls(&from), counted([("manifest", 4), ("referrers", 1)]));

    // What the destination has does not wait for the source; and where the tag is there, that is not asked.
    let inner = registry();
    corpus.store(&inner, &repository()).await;
    let from = registry();
    corpus.store(&from, &repository()).await;
    let root_only = AtomicBool::new(false);
    let from = Faulty::new(from, move |call| {
        let later = call.method == Method::Manifest && root_only.swap(true, Ordering::Relaxed);
        later.then_some(Fault::Hang)
    });
    copied(run(&from, corpus.root, &inner).await.unwrap());
    let from = source_of(&[&corpus]).await;
    run_thorough(&from, corpus.root, &watched(&inner)).await.unwrap();
    assert_eq!(calls(&from)["manifest"], 1);
}

#[tokio::test]
async fn nothing_to_do_costs_one_call_on_each_side() {
    let corpus = Corpus::of(&many_layers());
    let (from, inner) = (source_of(&[&corpus]).await, registry());
    copied(run(&from, corpus.root, &inner).await.unwrap());
    let (from, to) = (source_of(&[&corpus]).await, watched(&inner));
    let again = run_as(&from, corpus.root, &to, &without_referrers()).await;
    assert!(matches!(again, Ok(Outcome::AlreadyPresent(_))), "{again:?}");
    assert_eq!(calls(&to), counted([("resolve", 1)]));
    assert!(calls(&from).values().sum::<usize>() <= 1, "{:?}", calls(&from));

    let (from, to) = (source_of(&[&corpus]).await, watched(&inner));
    run(&from, corpus.root, &to).await.unwrap();
    assert_eq!(calls(&to), counted([("resolve", 1)]));
    assert_eq!(calls(&from), counted([("manifest", 1), ("referrers", 1)]));

    let (from, to) = (source_of(&[&corpus]).await, watched(&inner));
    run_thorough(&from, corpus.root, &to).await.unwrap();
    assert_eq!(calls(&to), counted([("resolve", 1), ("missing", 1)]));
}

#[tokio::test]
async fn what_the_destination_has_of_an_index_is_not_looked_into() {
    let shared = [image(&["base", "amd"]), Tree::Index(vec![image(&["base", "arm"]), image(&["base", "riscv"])])];
    let new = image(&["base", "new"]);
    let corpus = Corpus::of(&Tree::Index([&shared[..], &[new]].concat()));
    let inner = registry();
    for tree in &shared {
        Corpus::of(tree).store(&inner, &repository()).await;
    }
    let (from, to) = (source_of(&[&corpus]).await, watched(&inner));
    run_as(&from, corpus.root, &to, &without_referrers()).await.unwrap();
    // The three manifests that it lists, and once more the one that was stored.
    let expected = counted([("resolve", 2), ("manifest", 4), ("put_blob", 3), ("put", 2)]);
    assert_eq!(calls(&to), expected);
    // Of an index that is new the parts are asked for on both sides at once.
    assert_eq!(calls(&from), counted([("manifest", 4), ("blob", 3)]));

    // The same in a thorough copy: each blob is offered, and each manifest is read.
    let from = source_of(&[&corpus]).await;
    let inner = registry();
    for tree in &shared {
        Corpus::of(tree).store(&inner, &repository()).await;
    }
    let to = watched(&inner);
    let options = Options { thorough: true, ..without_referrers() };
    run_as(&from, corpus.root, &to, &options).await.unwrap();
    assert_eq!(calls(&to), counted([("resolve", 2), ("manifest", 6), ("put_blob", 9), ("put", 2)]));
}

#[tokio::test]
async fn a_referrer_is_looked_for_among_those_that_the_destination_lists() {
    let corpus = Corpus::of(&image(&["layer"]));
    let sbom = Corpus::referrer(&corpus.root_descriptor(), "sbom");
    let (from, inner) = (source_of(&[&corpus, &sbom]).await, registry());
    let to = watched(&inner);
    copied(run(&from, corpus.root, &to).await.unwrap());
    // Listed before, read back, and listed after.
    let expected = counted([("resolve", 2), ("put_blob", 4), ("put", 2), ("manifest", 1), ("referrers", 2)]);
    assert_eq!(calls(&to), expected);

    let (from, to) = (source_of(&[&corpus, &sbom]).await, watched(&inner));
    assert!(matches!(run(&from, corpus.root, &to).await, Ok(Outcome::AlreadyPresent(_))));
    assert_eq!(calls(&to), counted([("resolve", 1), ("referrers", 1), ("manifest", 1)]));
    assert_eq!(calls(&from), counted([("manifest", 1), ("referrers", 2)]));
}

#[tokio::test(start_paused = true)]
async fn a_held_tag_waits_for_nothing_of_the_source() {
    let (old, new) = (Corpus::of(&image(&["old"])), Corpus::of(&image(&["new"])));
    let to = registry();
    to.create(&repository(), TagRule::Mutable);
    copied(run(&source_of(&[&old]).await, old.root, &to).await.unwrap());
    let hangs = Faulty::new(registry(), |_| Some(Fault::Hang));
    // It fails at once, for it has no such repository, and the destination takes its time.
    let fails = InMemory::new();
    for from in [&hangs as &dyn Registry, &fails] {
        assert_eq!(run(from, new.root, &watched(&to)).await.unwrap(), Outcome::TagHeld { by: old.root });
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_whole_is_stored_while_other_blobs_still_move() {
    let (small, large) = (image(&["small"]), Tree::Image(vec!["x".repeat(2 << 20)]));
    let corpus = Corpus::of(&Tree::Index(vec![small.clone(), large]));
    let sbom = Corpus::referrer(&corpus.root_descriptor(), "sbom");
    let (from, inner) = (source_of(&[&corpus, &sbom]).await, registry());
    // The largest goes first.
    let to = Faulty::new(inner.clone(), {
        let first = AtomicBool::new(true);
        move |call| {
            let hangs = call.method == Method::PutBlob && first.swap(false, Ordering::Relaxed);
            hangs.then_some(Fault::Hang)
        }
    });
    let ended = run(&from, corpus.root, &to).await;
    assert!(matches!(ended, Err(CopyError::Deadline)), "{ended:?}");
    let there = inner.digests(&repository());
    assert!(Corpus::of(&small).closure.iter().all(|digest| there.contains(digest)), "the other platform");
    assert!(sbom.closure.iter().all(|digest| there.contains(digest)), "the referrer");
    assert!(inner.tags(&repository()).is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_few_large_blobs_move_at_once_and_many_small_ones() {
    let small: Vec<String> = (0..40).map(|n| format!("small {n}")).collect();
    let large: Vec<String> = (0..12).map(|n| format!("{n:02}").repeat(1 << 20)).collect();
    let corpus = Corpus::of(&Tree::Image([small, large].concat()));
    let from = source_of(&[&corpus]).await;
    let to = Faulty::new(registry(), |call| (call.method == Method::PutBlob).then_some(Fault::Hang));
    let mut options = in_a_minute();
    options.jobs = NonZeroUsize::MIN.saturating_add(19);
    assert!(matches!(run_as(&from, corpus.root, &to, &options).await, Err(CopyError::Deadline)));
    assert_eq!(calls(&to)["put_blob"], 20);
    options.jobs = NonZeroUsize::MIN.saturating_add(99);
    options.deadline += std::time::Duration::from_secs(100);
    let to = Faulty::new(registry(), |call| (call.method == Method::PutBlob).then_some(Fault::Hang));
    assert!(matches!(run_as(&from, corpus.root, &to, &options).await, Err(CopyError::Deadline)));
    // The config lists the layers, so it is large too.
    assert_eq!(calls(&to)["put_blob"], 40 + 6, "all small ones, and six of the large");
}

#[tokio::test]
async fn a_large_blob_that_is_there_is_never_asked_for() {
    let large = "x".repeat(2 << 20);
    let corpus = Corpus::of(&Tree::Image(vec![large.clone(), "small".into()]));
    let (from, inner) = (source_of(&[&corpus]).await, registry());
    store_bytes(&inner, large.into()).await;
    let transfer = copied(run(&from, corpus.root, &inner).await.unwrap());
    assert_eq!((transfer.blobs.copied, transfer.blobs.present), (2, 1));
    assert_eq!(calls(&from)["blob"], 2);
}

#[tokio::test]
async fn two_copies_at_once_of_one_image_both_end_well() {
    let corpus = Corpus::of(&many_layers());
    let (from, to) = (source_of(&[&corpus]).await, watched(&registry()));
    let (one, two) = join(run(&from, corpus.root, &to), run(&from, corpus.root, &to)).await;
    for outcome in [one.unwrap(), two.unwrap()] {
        assert!(matches!(outcome, Outcome::Copied(_) | Outcome::AlreadyPresent(_)), "{outcome:?}");
    }
    assert_eq!(to.resolve(&repository(), &tag()).await.unwrap(), Some(corpus.root));
}
