//! What a run believes, and what it tells of what it saw.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use conveyor::{Error, Outcome};
use policy::BUILD_ON_RECORD;

use crate::{
    promote::arrived_before,
    world::{APPS, Client, Faults, Forge, Sequence, build, config, word},
};

const APP: &str = APPS[0];

#[tokio::test(start_paused = true)]
async fn a_release_of_another_build_vouches_for_nobody() {
    let forge = Forge::new();
    let release = forge.add_release(APP, 48200);
    for number in [48201, 48202] {
        arrived_before(&forge, APP, number, "qa").await;
    }
    let client = Client { release: Some(release), ..forge.client() };
    let done = client.promote(&[(APP, 48202)], "qa").await;
    assert!(matches!(done.outcome, Ok(Outcome::Updated)), "{done:?}");
    let act = forge.act("qa", APP).unwrap();
    assert_eq!((act.requester.id, act.release), (word("claimed:agent"), None));
}

#[tokio::test(start_paused = true)]
async fn a_local_file_names_no_server_of_its_own() {
    let forge = Forge::new();
    arrived_before(&forge, APP, 48213, "qa").await;
    for (known, other) in [
        ("registry: { url: \"https://dev.example\"", "registry: { url: \"https://evil.example\""),
        ("azure_devops: { organization: ", "azure_devops: { organization: x"),
        ("version: 1", "version: 1\ntoken_hosts: [\"https://evil.example\"]"),
        (
            "registry: { url: \"https://dev.example\"",
            "account: \"111111111111\", region: ap-southeast-2, registry: { ecr: true, url: \"https://dev.example\"",
        ),
    ] {
        let text = config();
        assert!(text.contains(known), "{text}");
        let client = Client { config: Some(text.replace(known, other)), dry_run: true, ..forge.client() };
        let done = client.run(Sequence::Check, &[(APP, 48213)], "qa").await;
        assert!(matches!(done.outcome, Err(Error::UnreviewedServer { .. })), "{done:?}");
    }
    let client = Client { config: Some(config()), dry_run: true, ..forge.client() };
    let done = client.run(Sequence::Check, &[(APP, 48213)], "qa").await;
    assert!(matches!(done.outcome, Ok(Outcome::Allowed)), "{done:?}");
}

#[tokio::test(start_paused = true)]
async fn an_image_that_a_registry_lost_is_seen_and_copied_again() {
    let forge = Forge::new();
    let digest = arrived_before(&forge, APP, 48213, "prod-wealth").await;
    forge.registry("qa").remove(&word("forge/payments-api"), &digest);
    let commits = forge.commits();

    let done = forge.client().run(Sequence::Update, &[(APP, 48213)], "qa").await;
    assert!(matches!(done.outcome, Ok(Outcome::Denied(_))), "the Ledger's half cannot mend it: {done:?}");
    let done = forge.client().promote(&[(APP, 48213)], "qa").await;
    assert!(matches!(done.outcome, Ok(Outcome::Unchanged)), "{done:?}");
    assert!(done.account.apps[&word(APP)].copy.as_ref().is_some_and(|copy| !copy.already_present), "{done:?}");
    assert_eq!((forge.tag("qa", APP, 48213), forge.commits()), (Some(digest), commits));

    forge.registry("dev").remove(&word("forge/payments-api"), &digest);
    let done = forge.client().promote(&[(APP, 48213)], "dev").await;
    let Ok(Outcome::Denied(denied)) = &done.outcome else { panic!("{done:?}") };
    assert!(denied[0].violations.iter().any(|violation| violation.rule == BUILD_ON_RECORD), "{done:?}");
}

#[tokio::test(start_paused = true)]
async fn an_edit_by_hand_is_told() {
    let forge = Forge::new();
    arrived_before(&forge, APP, 48213, "qa").await;
    forge.edit("qa", APP, "48200");
    let done = forge.client().promote(&[(APP, 48213)], "qa").await;
    assert!(matches!(done.outcome, Ok(Outcome::Updated)), "{done:?}");
    let warnings = &done.account.warnings;
    assert_eq!(*warnings, ["payments-api in qa: the manifest held 48200, of which there is no record"]);

    forge.edit("qa", APP, "48100");
    let done = forge.client().promote(&[(APP, 48213)], "qa").await;
    let told = "payments-api in qa: the manifest held 48100, but the newest act on record is 48213: edited by hand";
    assert_eq!(done.account.warnings, [told]);
}

#[tokio::test(start_paused = true)]
async fn a_preview_tells_of_a_newer_build() {
    let forge = Forge::new();
    for number in [48200, 48213] {
        forge.built(APP, number).await;
    }
    forge.client().promote(&[(APP, 48213)], "dev").await.outcome.unwrap();
    let done = forge.client().run(Sequence::Check, &[(APP, 48200)], "dev").await;
    let Ok(Outcome::Superseded { found, wanted, .. }) = &done.outcome else { panic!("{done:?}") };
    assert_eq!((found.as_str(), wanted.as_str()), ("48213", "48200"));
    assert_eq!(done.account.apps[&word(APP)].build, build(48200));
}

/// Hears what is tried again.
#[derive(Default)]
struct Heard(Arc<Mutex<Vec<String>>>);

impl registry_copy::Observer for Heard {}

impl conveyor::Observer for Heard {
    fn again(&self, because: &Error, _: Duration) {
        self.0.lock().unwrap().push(because.to_string());
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_tried_again_is_told() {
    let forge = Forge::new();
    forge.built(APP, 48213).await;
    let heard = Heard::default();
    let told = Arc::clone(&heard.0);
    let faults = Faults { ledger: [(0, ledger::faults::Fault::NotSent)].into(), ..Faults::default() };
    let client = Client { observer: Box::new(heard), ..forge.client_with(faults) };
    let done = client.promote(&[(APP, 48213)], "dev").await;
    assert!(matches!(done.outcome, Ok(Outcome::Updated)), "{done:?}");
    assert_eq!(told.lock().unwrap().len(), 1);
}
