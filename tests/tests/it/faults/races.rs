//! Others who write at the same time: rows 12, 23 and 24.

use std::time::Duration;

use sandbox::Act;

use super::{
    Ends::{Copied, Held, OneOfTwo},
    Row,
    lies::refused,
    scene::{OTHER_TAG, REPOSITORY, Scene, Setup, TAG, TAGGED},
    told,
};

told! {
    tag_is_taken_meanwhile: Row::new(12, "400 ImageAlreadyExists, and the tag names another digest by now", Held);
    tag_is_taken_before: Row::new(12, "the tag names another digest", Held);
    four_copiers_of_one_image: Row::new(23, "four copiers of one image at the same instant", Copied);
    two_copiers_of_two_images: Row::new(24, "two copiers, two images, one tag of an immutable registry", OneOfTwo);
}

#[tokio::test]
async fn tag_is_taken_meanwhile() {
    let scene = Scene::of(Setup::plain()).await;
    let other = scene.another(&scene.destination).await;
    let (memory, digest) = (scene.destination.registry.memory().clone(), other.digest.parse().unwrap());
    scene.destination.once("PUT", TAGGED, move || {
        memory.force_tag(&REPOSITORY.parse().unwrap(), &TAG.parse().unwrap(), digest);
        refused(400, "TAG_INVALID")
    });
    let ran = scene.run("20s").await;
    assert_eq!(ran.code, 12, "{ran:?}");
    assert_eq!(ran.document()["held"]["by"], other.digest);
    assert_eq!(scene.destination.witness.tag(TAG).await, Some(other.digest));
}

#[tokio::test]
async fn tag_is_taken_before() {
    let scene = Scene::of(Setup::plain()).await;
    let other = scene.another(&scene.destination).await;
    let memory = scene.destination.registry.memory();
    memory.force_tag(&REPOSITORY.parse().unwrap(), &TAG.parse().unwrap(), other.digest.parse().unwrap());
    let ran = scene.run("20s").await;
    assert_eq!(ran.code, 12, "{ran:?}");
    assert_eq!(scene.destination.witness.tag(TAG).await, Some(other.digest));
    let writes = scene.destination.seen().into_iter().filter(|seen| !["GET", "HEAD"].contains(&&*seen.method));
    assert_eq!(writes.count(), 0, "nothing is written");
}

#[tokio::test]
async fn four_copiers_of_one_image() {
    for _ in 0..3 {
        let scene = Scene::of(Setup::plain()).await;
        let copy = || scene.run("30s");
        let all = tokio::join!(copy(), copy(), copy(), copy());
        for ran in [all.0, all.1, all.2, all.3] {
            assert_eq!(ran.code, 0, "{ran:?}");
        }
        scene.is_whole().await;
    }
}

#[tokio::test]
async fn two_copiers_of_two_images() {
    for _ in 0..5 {
        let scene = Scene::of(Setup::plain()).await;
        let other = scene.another(&scene.source).await;
        // Both find the tag free before either puts it.
        scene.destination.always("PUT", TAGGED, || Act::Delay(Duration::from_millis(200)));
        let copy = async |tag: &str| scene.agent().run(&scene.line(&format!(":{tag}"), "20s")).await;
        let (one, two) = tokio::join!(copy(TAG), copy(OTHER_TAG));
        let held = scene.destination.witness.tag(TAG).await;
        let (winner, loser, digest) = match one.code {
            0 => (&one, &two, &scene.image.digest),
            _ => (&two, &one, &other.digest),
        };
        assert_eq!((winner.code, loser.code), (0, 12), "{one:?} {two:?}");
        assert_eq!(held.as_ref(), Some(digest), "who was told that it is there is right");
        assert_eq!(loser.document()["held"]["by"], **digest);
    }
}
