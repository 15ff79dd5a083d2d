//! Copies of random images, many at once, broken and dropped anywhere, against a model that knows only this: a tag has
//! at most one value for ever, and what it names is there as a whole.

use std::{
    collections::{BTreeMap, BTreeSet},
    future::poll_fn,
    pin::Pin,
    sync::atomic::{AtomicBool, Ordering},
    task::Poll,
    time::Duration,
};

use futures_util::{StreamExt, stream::FuturesUnordered};
use proptest::prelude::*;
use registry_copy::{
    CopyError, Destination, InMemory, Options, Outcome, Source, TagRule, copy,
    faults::{Call, Fault, Faulty, Method},
    verify,
};
use release::{Digest, Tag};
use tokio::time::Instant;

use crate::corpus::{Corpus, Tree, repository};

/// Few contents, so that images share layers.
pub(crate) fn trees() -> impl Strategy<Value = Tree> {
    let layer = prop::sample::select(vec!["", "a", "b", "c", "a longer layer"]).prop_map(str::to_owned);
    let image = prop::collection::vec(layer, 0..4).prop_map(Tree::Image);
    image.prop_recursive(3, 8, 3, |inner| prop::collection::vec(inner, 0..3).prop_map(Tree::Index))
}

/// One copy: which image, to which tag, and what goes wrong.
#[derive(Debug, Clone)]
struct Job {
    image: prop::sample::Index,
    tag: u8,
    at_source: Faults,
    at_destination: Faults,
    /// The destination says that no blob is missing.
    claims: bool,
    /// The destination refuses the first put for want of a part that it has.
    refuses: bool,
    /// Parts that are there are asked for too.
    thorough: bool,
}

/// The calls, by their number, that go wrong.
type Faults = BTreeMap<usize, Fault>;

/// Whether a copy may fail for it. Whatever else goes wrong once is to be survived.
fn is_lasting(fault: &Fault) -> bool {
    matches!(fault, Fault::Before { status: 403 } | Fault::After { status: 403 } | Fault::Flip | Fault::Hang)
}

fn faults() -> impl Strategy<Value = Faults> {
    let fault = prop::sample::select(vec![
        Fault::Before { status: 503 },
        Fault::After { status: 503 },
        Fault::Before { status: 403 },
        Fault::After { status: 403 },
        Fault::Cut,
        Fault::Flip,
        Fault::Hang,
    ]);
    prop_oneof![2 => Just(Faults::new()), 3 => prop::collection::btree_map(1_usize..30, fault, 0..4)]
}

fn jobs() -> impl Strategy<Value = Vec<Job>> {
    let flags = (any::<bool>(), any::<bool>(), any::<bool>());
    let job = (any::<prop::sample::Index>(), 0_u8..3, faults(), faults(), flags);
    let job = job.prop_map(|(image, tag, at_source, at_destination, (claims, refuses, thorough))| Job {
        image,
        tag,
        at_source,
        at_destination,
        claims,
        refuses,
        thorough,
    });
    prop::collection::vec(job, 1..6)
}

/// What the scheduler does next.
#[derive(Debug, Clone)]
enum Step {
    Poll(prop::sample::Index, u8),
    Drop(prop::sample::Index),
    Wait(u16),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let any = any::<prop::sample::Index>;
    let step = prop_oneof![
        12 => (any(), 1_u8..20).prop_map(|(job, times)| Step::Poll(job, times)),
        1 => any().prop_map(Step::Drop),
        2 => (1_u16..2_000).prop_map(Step::Wait),
    ];
    prop::collection::vec(step, 0..60)
}

fn tag(number: u8) -> Tag {
    format!("4821{number}").parse().unwrap()
}

fn broken(registry: &InMemory, faults: &Faults) -> Faulty<InMemory> {
    let faults = faults.clone();
    Faulty::new(registry.clone(), move |call: Call| faults.get(&call.number).copied())
}

/// The destination of a job, with all that goes wrong there.
fn lying(registry: &InMemory, job: &Job) -> Faulty<InMemory> {
    let Job { at_destination, claims, refuses, .. } = job.clone();
    let refused = AtomicBool::new(!refuses);
    Faulty::new(registry.clone(), move |call: Call| match at_destination.get(&call.number) {
        Some(fault) => Some(*fault),
        None if call.method == Method::Missing => claims.then_some(Fault::Claim),
        None if call.method == Method::Put && !refused.swap(true, Ordering::Relaxed) => Some(Fault::Refuse),
        None => None,
    })
}

/// Longer than all the waiting of a story.
fn options() -> Options {
    Options::until(Instant::now() + Duration::from_secs(600))
}

type Running = Pin<Box<dyn Future<Output = Result<Outcome, CopyError>>>>;

fn start(from: Faulty<InMemory>, to: Faulty<InMemory>, digest: Digest, job: &Job) -> Running {
    let (tag, options) = (tag(job.tag), Options { thorough: job.thorough, ..options() });
    Box::pin(async move {
        let source = Source { registry: &from, repository: repository(), digest };
        let destination = Destination { registry: &to, repository: repository(), tag };
        copy(&source, &destination, &options, &()).await
    })
}

/// What was ever seen of the destination's tags.
#[derive(Default)]
struct Model {
    tags: BTreeMap<Tag, Digest>,
}

impl Model {
    fn observe(&mut self, to: &InMemory, images: &BTreeMap<Digest, Corpus>) {
        let now = to.tags(&repository());
        for (tag, digest) in &self.tags {
            assert_eq!(now.get(tag), Some(digest), "{tag} moved");
        }
        let there: BTreeSet<Digest> = to.digests(&repository()).into_iter().collect();
        for digest in now.values() {
            assert!(images[digest].closure.is_subset(&there), "{digest} is not whole");
        }
        self.tags = now;
    }

    /// A run without faults: the tag is the digest's now, unless it was another's.
    fn settle(&mut self, ended: &Result<Outcome, CopyError>, job: &Job, digest: Digest) {
        let held = *self.tags.entry(tag(job.tag)).or_insert(digest);
        match ended {
            Ok(Outcome::Copied(_) | Outcome::AlreadyPresent(_)) => assert_eq!(held, digest),
            Ok(Outcome::TagHeld { by }) => assert!(held == *by && held != digest),
            other => panic!("a clean run: {other:?}"),
        }
    }

    fn judge(&self, job: &Job, digest: Digest, ended: &Result<Outcome, CopyError>) {
        let held = self.tags.get(&tag(job.tag)).copied();
        match ended {
            Ok(Outcome::Copied(transfer) | Outcome::AlreadyPresent(transfer)) => {
                assert_eq!((held, transfer.digest), (Some(digest), digest));
            }
            // A flipped answer may name a digest that nothing has.
            Ok(Outcome::TagHeld { by }) => {
                assert_ne!(*by, digest);
                let lied = job.at_destination.values().any(|fault| *fault == Fault::Flip);
                assert!(lied || held == Some(*by), "held by {by}");
            }
            Err(_) => {
                assert!(job.at_source.values().chain(job.at_destination.values()).any(is_lasting), "{ended:?}");
            }
        }
    }
}

async fn poll_once(running: &mut Running) -> Option<Result<Outcome, CopyError>> {
    poll_fn(|context| match running.as_mut().poll(context) {
        Poll::Ready(ended) => Poll::Ready(Some(ended)),
        Poll::Pending => Poll::Ready(None),
    })
    .await
}

async fn story(trees: &[Tree], jobs: &[Job], steps: &[Step], rule: TagRule, bulk: bool) {
    let to = if bulk { InMemory::new().answering_in_bulk() } else { InMemory::new() };
    let from = InMemory::new();
    from.create(&repository(), TagRule::Immutable);
    to.create(&repository(), rule);
    let corpora: Vec<Corpus> = trees.iter().map(Corpus::of).collect();
    for corpus in &corpora {
        corpus.store(&from, &repository()).await;
    }
    let images: BTreeMap<Digest, Corpus> = corpora.iter().map(|corpus| (corpus.root, corpus.clone())).collect();
    let wanted: Vec<Digest> = jobs.iter().map(|job| corpora[job.image.index(corpora.len())].root).collect();

    let mut model = Model::default();
    let begin =
        |(job, digest): (&Job, &Digest)| Some(start(broken(&from, &job.at_source), lying(&to, job), *digest, job));
    let mut running: Vec<Option<Running>> = jobs.iter().zip(&wanted).map(begin).collect();
    for step in steps {
        match step {
            Step::Wait(millis) => tokio::time::sleep(Duration::from_millis(u64::from(*millis))).await,
            Step::Drop(which) => running[which.index(jobs.len())] = None,
            Step::Poll(which, times) => {
                let which = which.index(jobs.len());
                for _ in 0..*times {
                    let Some(future) = &mut running[which] else { break };
                    let ended = poll_once(future).await;
                    model.observe(&to, &images);
                    if let Some(ended) = ended {
                        model.judge(&jobs[which], wanted[which], &ended);
                        running[which] = None;
                    }
                }
            }
        }
    }
    let rest = running.into_iter().enumerate().filter_map(|(which, future)| Some((which, future?)));
    let mut rest: FuturesUnordered<_> = rest.map(|(which, future)| async move { (which, future.await) }).collect();
    while let Some((which, ended)) = rest.next().await {
        model.observe(&to, &images);
        model.judge(&jobs[which], wanted[which], &ended);
    }

    // Whatever happened, one clean run of each puts everything in order, and a second one has nothing to do.
    for (job, digest) in jobs.iter().zip(&wanted) {
        let (clean_from, clean_to) = (broken(&from, &Faults::new()), broken(&to, &Faults::new()));
        let ended = start(clean_from, clean_to, *digest, job).await;
        model.settle(&ended, job, *digest);
        model.observe(&to, &images);
        verify(&to, &repository(), &model.tags[&tag(job.tag)]).await.unwrap();
        let watched = Faulty::new(to.clone(), |_| None);
        let source = Source { registry: &from, repository: repository(), digest: model.tags[&tag(job.tag)] };
        let destination = Destination { registry: &watched, repository: repository(), tag: tag(job.tag) };
        let again = copy(&source, &destination, &options(), &()).await.unwrap();
        assert!(matches!(again, Outcome::AlreadyPresent(_)), "{again:?}");
        assert!(watched.calls().iter().all(|call| !call.method.writes()));
    }
}

pub(crate) fn paused() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn a_tag_has_one_value_for_ever_and_everything_converges(
        trees in prop::collection::vec(trees(), 1..4),
        jobs in jobs(),
        steps in steps(),
        mutable in any::<bool>(),
        bulk in any::<bool>(),
        seed in any::<u64>(),
    ) {
        fastrand::seed(seed);
        let rule = if mutable { TagRule::Mutable } else { TagRule::Immutable };
        paused().block_on(story(&trees, &jobs, &steps, rule, bulk));
    }

    #[test]
    fn a_copy_is_the_closure_and_nothing_else(tree in trees()) {
        paused().block_on(async {
            let corpus = Corpus::of(&tree);
            let (from, to) = (crate::corpus::registry(), crate::corpus::registry());
            corpus.store(&from, &repository()).await;
            let ended = crate::behaviour::run(&from, corpus.root, &to).await;
            assert!(matches!(ended, Ok(Outcome::Copied(_))), "{ended:?}");
            assert_eq!(to.digests(&repository()), Vec::from_iter(corpus.closure));
        });
    }

    #[test]
    fn any_flipped_bit_of_any_blob_is_an_error_and_no_tag(
        tree in trees(), which in any::<prop::sample::Index>(), at in any::<prop::sample::Index>(), bit in 0_u32..8,
    ) {
        paused().block_on(async {
            let corpus = Corpus::of(&tree);
            let (from, to) = (crate::corpus::registry(), crate::corpus::registry());
            corpus.store(&from, &repository()).await;
            let blobs = corpus.blob_digests();
            let files: Vec<_> = corpus.files().into_iter().filter(|(d, bytes)| blobs.contains(d) && !bytes.is_empty()).collect();
            if files.is_empty() {
                return;
            }
            let (digest, bytes) = files[which.index(files.len())].clone();
            let mut wrong = bytes.to_vec();
            wrong[at.index(bytes.len())] ^= 1_u8 << bit;
            from.corrupt_blob(&repository(), &digest, wrong.into());
            let error = crate::behaviour::run(&from, corpus.root, &to).await.unwrap_err();
            assert!(error.is_integrity(), "{error:?}");
            assert_eq!(to.tags(&repository()), BTreeMap::new());
        });
    }
}
