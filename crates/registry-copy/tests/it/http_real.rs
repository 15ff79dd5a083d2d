//! Debian's docker-registry, which is distribution 2.8: it has no referrers API.

mod issuer;

use std::time::Duration;

use futures_util::StreamExt;
use guarded_http::{Client, Credentials, Limits, Method};
use issuer::Issuer;
use registry_copy::{
    CopyError, Destination, Manifest, Options, Outcome, Registry, RegistryError, Source, conformance, copy,
    http::HttpRegistry, verify,
};
use release::{Digest, Repository};
use tokio::time::Instant;

use crate::{
    corpus::{Corpus, LAYER, Tree, describe, platforms, repository, tag},
    docker_registry::{Admits, DockerRegistry},
};

impl DockerRegistry {
    fn registry(&self, credentials: &Credentials) -> HttpRegistry {
        HttpRegistry::new(&self.address.to_string().parse().unwrap(), credentials, limits()).unwrap()
    }
}

fn limits() -> Limits {
    let long = Duration::from_secs(30);
    Limits { connect: long, stall: long, deadline: Instant::now() + 2 * long }
}

/// `robot`, with the password `open sesame`.
const USERS: &str = "robot:$2y$04$abcdefghijklmnopqrstuu/LVz6MZlItEy42I2juLihZ66HnQx/cy\n";

fn robot() -> Credentials {
    Credentials::Basic { user: "robot".into(), password: "open sesame".into() }
}

async fn copied(from: &HttpRegistry, digest: Digest, to: &HttpRegistry) -> Result<Outcome, CopyError> {
    let source = Source { registry: from, repository: repository(), digest };
    let destination = Destination { registry: to, repository: repository(), tag: tag() };
    copy(&source, &destination, &Options { thorough: true, ..Options::until(limits().deadline) }, &()).await
}

/// Not [`conformance::check_immutable`]: it moves a tag when asked to, so two clients at once may both write one.
async fn conforms(registry: &HttpRegistry) {
    let (one, two): (Repository, Repository) = ("a/one".parse().unwrap(), "a/two".parse().unwrap());
    for _ in 0..2 {
        conformance::check(registry, &one).await;
        conformance::check_referrers(registry, &one).await;
        conformance::check_mount(registry, &two, &one).await;
    }
}

#[tokio::test]
async fn docker_registry_conforms() {
    conforms(&DockerRegistry::start(Admits::Everybody).await.registry(&Credentials::Anonymous)).await;
}

#[tokio::test]
async fn docker_registry_with_basic_authentication_conforms() {
    let process = DockerRegistry::start(Admits::Users(USERS)).await;
    conforms(&process.registry(&robot())).await;
    let wrong = Credentials::Basic { user: "robot".into(), password: "open sesam".into() };
    for credentials in [Credentials::Anonymous, wrong] {
        let registry = process.registry(&credentials);
        let corpus = Corpus::of(&platforms());
        let blob = corpus.root_descriptor();
        let errors = [
            registry.resolve(&repository(), &tag()).await.unwrap_err(),
            registry.manifest(&repository(), &corpus.root).await.unwrap_err(),
            registry.missing(&repository(), std::slice::from_ref(&blob)).await.unwrap_err(),
            registry.blob(&repository(), &blob).await.map(drop).unwrap_err(),
            registry.put_blob(&repository(), &blob, Box::pin(futures_util::stream::empty())).await.unwrap_err(),
            registry.referrers(&repository(), &corpus.root).await.unwrap_err(),
        ];
        assert!(!registry.mount(&repository(), &repository(), &blob).await.unwrap(), "the upload will say why");
        for error in errors {
            assert!(matches!(error, RegistryError::Unauthorized { .. }) && !error.is_retryable(), "{error}");
        }
        let error = registry.resolve(&repository(), &tag()).await.unwrap_err().to_string();
        assert!(error.contains("Basic") && !error.contains("sesam"), "{error}");
    }
}

#[tokio::test]
async fn docker_registry_with_tokens_conforms() {
    let issuer = Issuer::start().await;
    let process = DockerRegistry::start(issuer.admits()).await;
    let registry = |credentials: &Credentials| process.registry(credentials).with_token_hosts(vec![issuer.origin()]);
    conforms(&registry(&robot())).await;
    assert!(issuer.given() > 10, "tokens of a second were to be renewed");

    let before = issuer.given();
    let wrong = Credentials::Basic { user: "robot".into(), password: "open sesam".into() };
    for credentials in [Credentials::Anonymous, wrong] {
        let error = registry(&credentials).resolve(&repository(), &tag()).await.unwrap_err();
        assert!(error.is_denied() && !error.is_retryable(), "{error}");
    }
    let error = process.registry(&robot()).resolve(&repository(), &tag()).await.unwrap_err();
    assert!(crate::http::told(&error).contains("list it in token_hosts"), "{}", crate::http::told(&error));
    assert_eq!(issuer.given(), before);
}

#[tokio::test]
async fn a_new_blob_costs_docker_registry_two_requests_and_an_old_one_one() {
    let issuer = Issuer::start().await;
    for admits in [Admits::Everybody, Admits::Users(USERS), issuer.admits()] {
        let process = DockerRegistry::start(admits).await;
        let client = || process.registry(&robot()).with_token_hosts(vec![issuer.origin()]);
        let blob = describe(LAYER, b"content");
        let bytes = || futures_util::stream::iter([Ok("content".into())]).boxed();

        let first = client();
        let bare = first.missing(&repository(), std::slice::from_ref(&blob)).await.unwrap();
        assert_eq!(bare, [blob.digest]);
        let before = first.requests();
        first.put_blob(&repository(), &blob, bytes()).await.unwrap();
        assert_eq!(first.requests() - before, 2);
        assert_eq!(first.missing(&repository(), std::slice::from_ref(&blob)).await.unwrap(), []);

        let second = client();
        second.resolve(&repository(), &tag()).await.unwrap();
        let before = second.requests();
        let untouched = futures_util::stream::once(async { panic!("somebody asks for the bytes") }).boxed();
        second.put_blob(&repository(), &blob, untouched).await.unwrap();
        assert_eq!(second.requests() - before, 1);
        // What it claims is true: the image that needs it is taken, and the bytes come back.
        let image = crate::http::image("content");
        let config = describe("application/vnd.oci.image.config.v1+json", b"content");
        assert_eq!(config.digest, blob.digest);
        second.put(&repository(), &image, None).await.unwrap();
        verify(&second, &repository(), &image.digest()).await.unwrap();
        // Another repository does not have it, whatever the offer was.
        let other: Repository = "other/one".parse().unwrap();
        let before = second.requests();
        second.put_blob(&other, &blob, bytes()).await.unwrap();
        assert_eq!(second.requests() - before, 2);
    }
}

#[tokio::test]
async fn an_image_goes_from_one_docker_registry_to_another_once() {
    let (first, second) =
        (DockerRegistry::start(Admits::Everybody).await, DockerRegistry::start(Admits::Users(USERS)).await);
    let (from, to) = (first.registry(&Credentials::Anonymous), second.registry(&robot()));
    let corpus = Corpus::of(&platforms());
    corpus.store(&from, &repository()).await;
    let referrer = Corpus::referrer(&corpus.root_descriptor(), "an SBOM");
    referrer.store(&from, &repository()).await;

    let outcome = copied(&from, corpus.root, &to).await.unwrap();
    let Outcome::Copied(transfer) = outcome else { panic!("{outcome:?}") };
    assert_eq!(transfer.manifests, 5, "two images, two indexes, the referrer");
    assert_eq!(transfer.referrers, 1);
    verify(&to, &repository(), &corpus.root).await.unwrap();
    let listed = to.referrers(&repository(), &corpus.root).await.unwrap();
    assert_eq!(listed.iter().map(|found| found.digest).collect::<Vec<_>>(), [referrer.root]);

    let again = copied(&from, corpus.root, &to).await.unwrap();
    let Outcome::AlreadyPresent(transfer) = again else { panic!("{again:?}") };
    assert_eq!((transfer.manifests, transfer.blobs.copied, transfer.bytes), (0, 0, 0));

    // A layer that its operator removed.
    let layer = corpus.blob_digests()[0];
    let client = Client::new(format!("http://{}", second.address).parse().unwrap(), &robot(), limits()).unwrap();
    let path = format!("/v2/{}/blobs/{layer}", repository());
    client.request(Method::DELETE, &path).unwrap().send(1_000).await.unwrap().success().unwrap();
    let again = copied(&from, corpus.root, &to).await.unwrap();
    assert!(matches!(again, Outcome::AlreadyPresent(transfer) if transfer.blobs.copied == 1));
    verify(&to, &repository(), &corpus.root).await.unwrap();

    let other = Corpus::of(&Tree::Image(vec!["other".into()]));
    other.store(&from, &repository()).await;
    assert_eq!(copied(&from, other.root, &to).await.unwrap(), Outcome::TagHeld { by: corpus.root });
}

#[tokio::test]
async fn an_image_that_refers_to_another_is_listed_at_docker_registry_or_not_tagged() {
    let process = DockerRegistry::start(Admits::Everybody).await;
    let from = crate::corpus::registry();
    let subject = Corpus::of(&Tree::Image(vec!["layer".into()])).root_descriptor();
    let signature = Corpus::referrer(&subject, "a signature");
    signature.store(&from, &repository()).await;
    let source = Source { registry: &from, repository: repository(), digest: signature.root };
    let options = Options::until(limits().deadline);
    let guarded = || process.registry(&Credentials::Anonymous).without_referrers_tag();
    for _ in 0..2 {
        let to = guarded();
        let destination = Destination { registry: &to, repository: repository(), tag: tag() };
        let error = copy(&source, &destination, &options, &()).await.unwrap_err();
        assert!(matches!(error, CopyError::Destination(RegistryError::NoReferrersApi { .. })), "{error:?}");
        assert_eq!(to.resolve(&repository(), &tag()).await.unwrap(), None);
    }

    // Tagged by somebody who did not list it.
    let to = process.registry(&Credentials::Anonymous);
    let manifest = from.manifest(&repository(), &signature.root).await.unwrap().unwrap();
    for (_, bytes) in signature.files() {
        let blob = describe(LAYER, &bytes);
        to.put_blob(&repository(), &blob, futures_util::stream::iter([Ok(bytes)]).boxed()).await.unwrap();
    }
    guarded().put(&repository(), &manifest, Some(&tag())).await.unwrap_err();
    assert_eq!(to.resolve(&repository(), &tag()).await.unwrap(), Some(signature.root));
    let destination = Destination { registry: &to, repository: repository(), tag: tag() };
    for manifests in [1, 0] {
        let outcome = copy(&source, &destination, &options, &()).await.unwrap();
        assert!(matches!(&outcome, Outcome::AlreadyPresent(t) if t.manifests == manifests), "{outcome:?}");
        let listed = to.referrers(&repository(), &subject.digest).await.unwrap();
        assert_eq!(listed.iter().map(|found| found.digest).collect::<Vec<_>>(), [signature.root]);
    }
}

/// It takes no manifest with a layer that it does not hold, whatever kind of layer that is.
#[tokio::test]
async fn a_foreign_layer_that_docker_registry_wants_is_named_soon() {
    let process = DockerRegistry::start(Admits::Everybody).await;
    let to = process.registry(&Credentials::Anonymous);
    for (own, kind) in [
        (
            "application/vnd.docker.distribution.manifest.v2+json",
            "application/vnd.docker.image.rootfs.foreign.diff.tar",
        ),
        (crate::corpus::IMAGE, "application/vnd.oci.image.layer.nondistributable.v1.tar"),
    ] {
        let (config, layer) = (describe(LAYER, b"{}"), describe(kind, b"windows"));
        let document = format!(
            r#"{{"schemaVersion":2,"mediaType":"{own}","config":{},"layers":[{}]}}"#,
            crate::corpus::json(&config),
            crate::corpus::json(&layer)
        );
        let manifest = Manifest::parse(None, document.into()).unwrap();
        let from = crate::corpus::registry();
        crate::corpus::store_blob(&from, &config, b"{}").await;
        from.put(&repository(), &manifest, None).await.unwrap();
        let source = Source { registry: &from, repository: repository(), digest: manifest.digest() };
        let destination = Destination { registry: &to, repository: repository(), tag: tag() };
        let options = Options { referrers: false, ..Options::until(limits().deadline) };
        let error = copy(&source, &destination, &options, &()).await.unwrap_err();
        assert!(matches!(error, CopyError::ForeignWanted { layer: named } if named == layer.digest), "{error:?}");
        assert!(!error.is_retryable());
        assert_eq!(to.resolve(&repository(), &tag()).await.unwrap(), None);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_copies_that_share_layers_both_end_well() {
    let process = DockerRegistry::start(Admits::Everybody).await;
    for round in 0..40 {
        let from = crate::corpus::registry();
        let base: Vec<String> = (0..24).map(|layer| format!("base {layer} of round {round}")).collect();
        let images = ["a", "b"].map(|own| Corpus::of(&Tree::Image([&base[..], &[own.to_owned()]].concat())));
        for image in &images {
            image.store(&from, &repository()).await;
        }
        let copies = images.iter().zip([0, round % 12]).map(|(image, delay)| {
            let (from, to, digest) = (from.clone(), process.registry(&Credentials::Anonymous), image.root);
            tokio::spawn(async move {
                tokio::time::sleep(Duration::from_millis(delay)).await;
                let tag = format!("{}-{round}", digest.hex()).parse().unwrap();
                let source = Source { registry: &from, repository: repository(), digest };
                let destination = Destination { registry: &to, repository: repository(), tag };
                copy(&source, &destination, &Options::until(limits().deadline), &()).await
            })
        });
        for copied in futures_util::future::join_all(copies).await {
            let copied = copied.unwrap();
            assert!(matches!(copied, Ok(Outcome::Copied(_))), "round {round}: {copied:?}");
        }
    }
}

#[tokio::test]
async fn a_copy_asks_for_little() {
    let (first, second) =
        (DockerRegistry::start(Admits::Everybody).await, DockerRegistry::start(Admits::Everybody).await);
    let sixty = Corpus::of(&Tree::Image((0..60).map(|layer| format!("layer {layer}")).collect()));
    let index = Corpus::of(&platforms());
    let referrer = Corpus::referrer(&index.root_descriptor(), "an SBOM");
    let store = first.registry(&Credentials::Anonymous);
    for corpus in [&sixty, &index, &referrer] {
        corpus.store(&store, &repository()).await;
    }
    // The best of other tools ask the destination 185 times for sixty new layers, and 50 times for such an index.
    for (root, tag, most) in [(sixty.root, "48213", [(64, 127), (3, 1)]), (index.root, "48214", [(19, 42), (7, 5)])] {
        for most in most {
            let (from, to) = (first.registry(&Credentials::Anonymous), second.registry(&Credentials::Anonymous));
            let source = Source { registry: &from, repository: repository(), digest: root };
            let destination = Destination { registry: &to, repository: repository(), tag: tag.parse().unwrap() };
            copy(&source, &destination, &Options::until(limits().deadline), &()).await.unwrap();
            let (read, written) = (from.requests(), to.requests());
            assert!(read <= most.0 && written <= most.1, "{tag}: {read} and {written} requests where {most:?} will do");
        }
    }
}
