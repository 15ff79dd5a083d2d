//! Images that are too much to hold.

use registry_copy::{
    CopyError, GraphError, InMemory, Manifest, Registry,
    faults::{Faulty, Method},
    verify,
};
use release::Digest;

use crate::{
    behaviour::{copied, run},
    corpus::{IMAGE, LAYER, describe, json, registry, repository, store_blob},
};

/// An index of images that are as large as they may be.
async fn large(count: usize, subject: &str) -> (InMemory, Digest) {
    let from = registry();
    store_blob(&from, &describe(LAYER, b"layer"), b"layer").await;
    let layer = json(&describe(LAYER, b"layer"));
    let pad = "x".repeat(Manifest::MAX_SIZE - 1_000);
    let children: Vec<Manifest> = (0..count)
        .map(|n| {
            let document = format!(
                r#"{{"schemaVersion":2,"config":{layer},"layers":[],"annotations":{{"n":"{n}","pad":"{pad}"}}{subject}}}"#
            );
            Manifest::parse(Some(IMAGE), document.into()).unwrap()
        })
        .collect();
    for child in &children {
        from.put(&repository(), child, None).await.unwrap();
    }
    let list: Vec<String> = children.iter().map(|child| json(&child.descriptor())).collect();
    let index = format!(r#"{{"schemaVersion":2,"manifests":[{}]}}"#, list.join(","));
    let index = Manifest::parse(None, index.into()).unwrap();
    from.put(&repository(), &index, None).await.unwrap();
    (from, index.digest())
}

#[tokio::test]
async fn manifests_of_32_mib_together_are_the_most() {
    let (from, fits) = large(7, "").await;
    let to = registry();
    copied(run(&from, fits, &to).await.unwrap());
    verify(&to, &repository(), &fits).await.unwrap();

    let (from, too_large) = large(9, "").await;
    let from = Faulty::new(from, |_| None);
    for outcome in [run(&from, too_large, &registry()).await.map(drop), verify(&from, &repository(), &too_large).await]
    {
        assert!(matches!(outcome, Err(CopyError::Graph(GraphError::TooLarge))), "{outcome:?}");
    }
    let read = from.calls().iter().filter(|call| call.method == Method::Manifest).count();
    assert_eq!(read, 2, "only the index");
}

#[tokio::test]
async fn referrers_count_too() {
    let subject = Manifest::parse(None, r#"{"schemaVersion":2,"manifests":[]}"#.into()).unwrap();
    let field = format!(r#","subject":{}"#, json(&subject.descriptor()));
    let (from, _) = large(9, &field).await;
    from.put(&repository(), &subject, None).await.unwrap();
    let outcome = run(&from, subject.digest(), &registry()).await;
    assert!(matches!(outcome, Err(CopyError::Graph(GraphError::TooLarge))), "{outcome:?}");
}
