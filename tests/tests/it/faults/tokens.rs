//! Credentials that are no longer good: row 8.

use std::{
    collections::BTreeMap,
    sync::atomic::{AtomicUsize, Ordering},
};

use http::header::{CONTENT_TYPE, WWW_AUTHENTICATE};
use sandbox::{Act, Seen};

use super::{
    Case,
    Ends::{Copied, Failed},
    cases,
    lies::refused,
    scene::{Scene, Setup},
};

/// Lets in who has the newest token, which is given to whoever asks at `/token`. At the request that `expires` picks
/// first, all tokens until then expire.
fn turnstile(scene: &Scene, expires: fn(&Seen) -> bool, refusal: fn(&str) -> Act) {
    let (newest, authority) = (AtomicUsize::new(1), scene.destination.proxy.authority());
    let count = scene.destination.count();
    scene.destination.script.set(move |seen| {
        if seen.path.starts_with("/token") {
            let token = format!(r#"{{"token":"t{}"}}"#, newest.load(Ordering::Relaxed));
            return Act::answer(200, token).with(CONTENT_TYPE, "application/json");
        }
        if expires(seen) && newest.compare_exchange(1, 2, Ordering::Relaxed, Ordering::Relaxed).is_ok() {
            count();
        }
        let newest = newest.load(Ordering::Relaxed);
        match seen.authorization.as_str() {
            good if good == format!("Bearer t{newest}") => Act::Pass,
            "Bearer t1" => refusal(&authority),
            _ => challenge(&authority, "/token"),
        }
    });
}

fn challenge(authority: &str, realm: &str) -> Act {
    let challenge = format!("Bearer realm=\"http://{authority}{realm}\",service=\"sandbox\"");
    refused(401, "UNAUTHORIZED").with(WWW_AUTHENTICATE, &challenge)
}

/// That no token was asked for more often than twice.
fn once_and_once_again(scene: &Scene, _: &tests::Ran) {
    let mut asked = BTreeMap::<String, usize>::new();
    for seen in scene.destination.seen().into_iter().filter(|seen| seen.path.starts_with("/token")) {
        *asked.entry(seen.path).or_default() += 1;
    }
    assert!(!asked.is_empty() && asked.values().all(|times| *times <= 2), "{asked:?}");
}

cases! {
    token_expires => Case::new(8, "403 in mid-copy: the token has expired", Copied, |scene| {
        turnstile(scene, |seen| seen.method == "POST", |_| refused(403, "DENIED"));
    }).on(Setup::with_tokens).check(once_and_once_again);

    token_expires_in_an_upload => Case::new(8, "403 to a blob's PUT: the token has expired", Copied, |scene| {
        turnstile(scene, |seen| seen.is("PUT", "*/blobs/*"), |_| refused(403, "DENIED"));
    }).on(Setup::with_tokens).reads_again(16).check(once_and_once_again);

    token_expires_before_the_manifest => Case::new(8, "401 to the manifest's PUT: the token has expired", Copied, |scene| {
        turnstile(scene, |seen| seen.is("PUT", "*/manifests/*"), |authority| challenge(authority, "/token"));
    }).on(Setup::with_tokens).check(once_and_once_again);

    another_challenge => Case::new(8, "401 in mid-copy, and the challenge is another", Copied, |scene| {
        turnstile(scene, |seen| seen.method == "POST", |authority| challenge(authority, "/token/new"));
    }).on(Setup::with_tokens).check(once_and_once_again);

    tokens_are_never_good => Case::new(8, "401 to whatever token", Failed(1), |scene| {
        let (authority, count) = (scene.destination.proxy.authority(), scene.destination.count());
        scene.destination.script.set(move |seen| {
            count();
            match seen.path.starts_with("/token") {
                true => Act::answer(200, r#"{"token":"t"}"#).with(CONTENT_TYPE, "application/json"),
                false => challenge(&authority, "/token"),
            }
        });
    }).on(Setup::with_tokens).says("does not accept the credentials").check(once_and_once_again);

    forbidden => Case::new(8, "403 to every POST, whatever the credentials", Failed(1), |scene| {
        scene.destination.always("POST", "*", || refused(403, "DENIED"));
    }).says("403");

    wrong_password => Case::new(8, "401 to every request", Failed(1), |scene| {
        scene.source.always("*", "*", || refused(401, "UNAUTHORIZED").with(WWW_AUTHENTICATE, "Basic realm=\"a\""));
    }).says("does not accept the credentials").check(|scene, _| assert!(scene.source.seen().len() <= 2));
}
