//! Plans, and the copies that they foretell, of random images with referrers to a destination that has parts of them,
//! against a model that knows only which files are where.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use proptest::prelude::*;
use registry_copy::{
    Destination, InMemory, Manifest, Options, Outcome, Planned, Source, ToMove, copy, faults::Faulty, plan, verify,
};
use release::Digest;
use tokio::time::Instant;

use crate::{
    corpus::{Corpus, Tree, image, platforms, registry, repository, tag},
    properties::{paused, trees},
};

/// An image, and what refers to it and to that.
fn with_referrers(tree: &Tree, referrers: usize) -> (Corpus, Vec<Corpus>) {
    let image = Corpus::of(tree);
    let mut all = Vec::new();
    let mut subject = image.root_descriptor();
    for n in 0..referrers {
        let referrer = Corpus::referrer(&subject, &format!("referrer {n}"));
        // The second refers to the first, and so does the third.
        if n == 0 {
            subject = referrer.root_descriptor();
        }
        all.push(referrer);
    }
    (image, all)
}

fn subtrees(tree: &Tree) -> Vec<Tree> {
    let mut all = vec![tree.clone()];
    if let Tree::Index(children) = tree {
        all.extend(children.iter().flat_map(subtrees));
    }
    all
}

fn options(thorough: bool) -> Options {
    Options { thorough, ..Options::until(Instant::now() + Duration::from_secs(600)) }
}

async fn planned(from: &InMemory, digest: Digest, to: &InMemory, thorough: bool) -> Planned {
    let to = Faulty::new(to.clone(), |_| None);
    let source = Source { registry: from, repository: repository(), digest };
    let destination = Destination { registry: &to, repository: repository(), tag: tag() };
    let planned = plan(&source, &destination, &options(thorough)).await.unwrap();
    assert!(to.calls().iter().all(|call| !call.method.writes()), "a plan writes nothing");
    planned
}

async fn copied(from: &InMemory, digest: Digest, to: &InMemory, thorough: bool) -> Outcome {
    let source = Source { registry: from, repository: repository(), digest };
    let destination = Destination { registry: to, repository: repository(), tag: tag() };
    copy(&source, &destination, &options(thorough), &()).await.unwrap()
}

/// The files of all of these.
fn files(corpora: &[&Corpus]) -> BTreeMap<Digest, usize> {
    corpora.iter().flat_map(|corpus| corpus.files()).map(|(digest, bytes)| (digest, bytes.len())).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn a_copy_moves_what_is_missing_and_what_was_planned(
        tree in trees(),
        referrers in 0_usize..4,
        there in prop::collection::vec(any::<prop::sample::Index>(), 0..3),
        loose in prop::collection::vec(any::<prop::sample::Index>(), 0..3),
        thorough in any::<bool>(),
        bulk in any::<bool>(),
    ) {
        paused().block_on(async {
            let (image, referrers) = with_referrers(&tree, referrers);
            let whole: Vec<&Corpus> = referrers.iter().chain([&image]).collect();
            let from = registry();
            for corpus in &whole {
                corpus.store(&from, &repository()).await;
            }
            let to = if bulk { registry().answering_in_bulk() } else { registry() };
            // Images that are there as a whole, and blobs that are there alone.
            for which in &there {
                Corpus::of(which.get(&subtrees(&tree))).store(&to, &repository()).await;
            }
            let blobs: BTreeSet<Digest> = whole.iter().flat_map(|corpus| corpus.blob_digests()).collect();
            for which in loose.iter().filter(|_| !blobs.is_empty()) {
                let blob = which.get(&Vec::from_iter(blobs.clone())).to_owned();
                let bytes = whole.iter().flat_map(|corpus| corpus.files()).find(|file| file.0 == blob).unwrap().1;
                crate::corpus::store_bytes(&to, bytes).await;
            }
            let before: BTreeSet<Digest> = to.digests(&repository()).into_iter().collect();

            let Planned::Copy(ToMove { digest, manifests, blobs: planned_blobs, bytes, referrers: planned_referrers, .. }) =
                planned(&from, image.root, &to, thorough).await
            else { panic!("the tag is free") };
            let outcome = copied(&from, image.root, &to, thorough).await;
            let Outcome::Copied(transfer) = outcome else { panic!("{outcome:?}") };
            prop_assert_eq!(
                (transfer.digest, transfer.manifests, transfer.blobs.copied, transfer.bytes, transfer.referrers),
                (digest, manifests, planned_blobs, bytes, planned_referrers)
            );

            let all = files(&whole);
            let missing: Vec<_> = all.iter().filter(|(digest, _)| !before.contains(digest)).collect();
            let moved: usize = missing.iter().filter(|(digest, _)| blobs.contains(digest)).map(|(_, size)| **size).sum();
            prop_assert_eq!(transfer.bytes, moved as u64);
            prop_assert_eq!(transfer.referrers, referrers.len() as u64);
            let after: BTreeSet<Digest> = to.digests(&repository()).into_iter().collect();
            prop_assert_eq!(&after, &before.iter().copied().chain(all.into_keys()).collect());

            let again = planned(&from, image.root, &to, thorough).await;
            let nothing = |to_move: &ToMove| to_move.manifests + to_move.blobs + to_move.bytes + to_move.referrers == 0;
            prop_assert!(matches!(&again, Planned::AlreadyPresent(to_move) if nothing(to_move)), "{again:?}");
            Ok(())
        })?;
    }

    #[test]
    fn a_thorough_copy_completes_whatever_was_lost(
        tree in trees(),
        referrers in 0_usize..4,
        lost in prop::collection::vec(any::<prop::sample::Index>(), 0..5),
        tagged in any::<bool>(),
        bulk in any::<bool>(),
    ) {
        paused().block_on(async {
            let (image, referrers) = with_referrers(&tree, referrers);
            let whole: Vec<&Corpus> = referrers.iter().chain([&image]).collect();
            let (from, to) = (registry(), if bulk { registry().answering_in_bulk() } else { registry() });
            for corpus in &whole {
                corpus.store(&from, &repository()).await;
                corpus.store(&to, &repository()).await;
            }
            if tagged {
                to.force_tag(&repository(), &tag(), image.root);
            }
            let all = Vec::from_iter(files(&whole).into_keys());
            for which in &lost {
                to.remove(&repository(), which.get(&all));
            }
            copied(&from, image.root, &to, true).await;
            let after = to.digests(&repository());
            prop_assert!(all.iter().all(|digest| after.contains(digest)));
            verify(&to, &repository(), &image.root).await.unwrap();
            Ok(())
        })?;
    }
}

#[tokio::test]
async fn a_plan_says_what_the_tag_holds() {
    let (old, new) = (Corpus::of(&image(&["old"])), Corpus::of(&platforms()));
    let (from, to) = (registry(), registry());
    old.store(&from, &repository()).await;
    new.store(&from, &repository()).await;
    copied(&from, old.root, &to, false).await;
    assert_eq!(planned(&from, new.root, &to, false).await, Planned::TagHeld { by: old.root });
}

#[tokio::test]
async fn a_plan_names_foreign_layers() {
    let foreign = crate::corpus::describe("application/vnd.oci.image.layer.nondistributable.v1.tar", b"windows");
    let config = crate::corpus::describe(crate::corpus::LAYER, b"{}");
    let [config_json, foreign_json] = [&config, &foreign].map(crate::corpus::json);
    let document = format!(r#"{{"schemaVersion":2,"config":{config_json},"layers":[{foreign_json}]}}"#);
    let manifest = Manifest::parse(None, document.into()).unwrap();
    let (from, to) = (registry(), registry());
    crate::corpus::store_blob(&from, &config, b"{}").await;
    registry_copy::Registry::put(&from, &repository(), &manifest, None).await.unwrap();
    let planned = planned(&from, manifest.digest(), &to, false).await;
    assert!(matches!(&planned, Planned::Copy(to_move) if to_move.foreign == [foreign.digest] && to_move.blobs == 1));
}
