//! Builds that are published at once, some with other bytes under the same number, with faults and drops; then again.

use std::{
    cell::RefCell,
    collections::{BTreeMap, BTreeSet},
    path::PathBuf,
};

use conveyor::Outcome;
use fastrand::Rng;
use proptest::{collection::vec, option, prelude::*, sample::select};
use registry_copy::{Layout, faults::Fault as RegistryFault};
use release::Digest;
use tempfile::TempDir;

use super::{
    on_paused_time,
    schedule::{Task, interleave},
};
use crate::{
    image::Image,
    world::{APPS, Done, Faults, Forge, word},
};

const APP: &str = APPS[0];
const BUILDS: [u64; 2] = [48201, 48202];

#[derive(Debug, Clone)]
struct Publish {
    build: u64,
    /// Which bytes: a build that runs twice makes two images.
    variant: usize,
    faults: BTreeMap<usize, RegistryFault>,
    drop_at: Option<usize>,
}

fn publish() -> impl Strategy<Value = Publish> {
    let fault = select(vec![
        RegistryFault::Before { status: 503 },
        RegistryFault::Before { status: 403 },
        RegistryFault::After { status: 503 },
        RegistryFault::Cut,
        RegistryFault::Flip,
        RegistryFault::Hang,
    ]);
    let faults = vec((1..12_usize, fault), 0..3).prop_map(|faults| faults.into_iter().collect());
    (select(&BUILDS), 0..2_usize, faults, option::weighted(0.3, 1..50_usize))
        .prop_map(|(build, variant, faults, drop_at)| Publish { build, variant, faults, drop_at })
}

struct Made {
    directory: TempDir,
}

impl Made {
    fn new() -> Self {
        let made = Self { directory: tempfile::tempdir().unwrap() };
        for (build, variant) in BUILDS.iter().flat_map(|build| [(*build, 0), (*build, 1)]) {
            Self::image(build, variant).write(&made.path(build, variant));
        }
        made
    }

    fn image(build: u64, variant: usize) -> Image {
        Image::of(&format!("{build}, variant {variant}"))
    }

    fn path(&self, build: u64, variant: usize) -> PathBuf {
        self.directory.path().join(format!("{build}-{variant}"))
    }
}

/// What the tags hold, each checked to be a whole image.
fn tags(forge: &Forge) -> BTreeMap<u64, Digest> {
    let holds: BTreeSet<Digest> = forge.registry("dev").digests(&word("forge/payments-api")).into_iter().collect();
    let held = BUILDS.iter().filter_map(|build| Some((*build, forge.tag("dev", APP, *build)?)));
    held.inspect(|(build, digest)| {
        let image = [0, 1].map(|variant| Made::image(*build, variant)).into_iter().find(|i| i.digest() == *digest);
        let parts = image.expect("bytes that nobody built").closure();
        assert!(parts.iter().all(|part| holds.contains(part)), "{build} is not whole");
    })
    .collect()
}

async fn weather(made: &Made, seed: u64, publishes: &[Publish]) {
    fastrand::seed(seed);
    let forge = Forge::new();
    for build in BUILDS {
        forge.add_build(APP, build);
    }
    let known = RefCell::new(BTreeMap::new());
    let watch = || {
        let now = tags(&forge);
        let mut known = known.borrow_mut();
        assert!(known.iter().all(|(build, digest)| now.get(build) == Some(digest)), "a tag moved");
        *known = now;
    };
    let tasks = publishes.iter().map(|publish| {
        let (forge, watch) = (&forge, &watch);
        let future = async move {
            let layout = Layout::open(made.path(publish.build, publish.variant)).await.unwrap();
            let registries = [publish.faults.clone(), BTreeMap::new(), BTreeMap::new()];
            let client = forge.client_with(Faults { registries, ..Faults::default() });
            let done = client.publish(APP, publish.build, &layout, "dev").await;
            watch();
            judge(forge, publish, &done);
        };
        Task::new(future, publish.drop_at)
    });
    interleave(tasks.collect(), &mut Rng::with_seed(seed), watch).await;

    for round in 0..2 {
        for publish in publishes {
            let layout = Layout::open(made.path(publish.build, publish.variant)).await.unwrap();
            let (before, client) = (forge.tag("dev", APP, publish.build), forge.client());
            let done = client.publish(APP, publish.build, &layout, "dev").await;
            watch();
            judge(&forge, publish, &done);
            match (&done.outcome, before) {
                (Ok(Outcome::Copied), None) => assert_eq!(round, 0),
                (Ok(Outcome::AlreadyPresent), Some(held)) if held == layout.root() => {}
                (Ok(Outcome::TagHeld { .. }), Some(held)) if held != layout.root() => {}
                _ => panic!("{publish:?}: {done:?}"),
            }
            if before.is_some() {
                assert_eq!(client.servers.writes(), 0);
            }
        }
    }
    assert_eq!(forge.commits(), 1, "a publish changes no environment");
}

/// What a publish says is so.
fn judge(forge: &Forge, publish: &Publish, done: &Done) {
    let held = forge.tag("dev", APP, publish.build);
    let ours = Made::image(publish.build, publish.variant).digest();
    match &done.outcome {
        Ok(Outcome::Copied | Outcome::AlreadyPresent) => assert_eq!(held, Some(ours), "{publish:?}"),
        Ok(Outcome::TagHeld { by, .. }) => assert!(!publish.faults.is_empty() || held == Some(*by) && *by != ours),
        _ => assert!(!publish.faults.is_empty(), "{publish:?} failed without a reason: {done:?}"),
    }
}

#[test]
fn publishes_at_once_leave_one_whole_image_a_tag() {
    let made = Made::new();
    let config = ProptestConfig { cases: 256, failure_persistence: None, ..ProptestConfig::default() };
    proptest!(config, |(seed: u64, publishes in vec(publish(), 1..5))| {
        on_paused_time(weather(&made, seed, &publishes));
    });
}
