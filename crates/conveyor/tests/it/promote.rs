//! What each sequence does, step by step, when nothing goes wrong on the way.

use std::sync::atomic::Ordering;

use conveyor::{Error, Outcome, policy::Verdict};
use registry_copy::TagRule;
use release::Digest;

use crate::{
    image::Image,
    world::{ANA, APPS, BO, Client, Done, EVE, Forge, GROUP, Sequence, config, record_path, word},
};

const APP: &str = APPS[0];
const OTHER: &str = APPS[1];

impl Done {
    /// The rules that deny it, each with its app.
    pub(crate) fn denied_by(&self) -> Vec<(String, String)> {
        let Ok(Outcome::Denied(denied)) = &self.outcome else { panic!("not denied: {self:?}") };
        let rules = denied.iter().flat_map(|denied| denied.violations.iter().map(|by| (&denied.app, &by.rule)));
        rules.map(|(app, rule)| (app.to_string(), rule.to_string())).collect()
    }

    pub(crate) fn is_denied_by(&self, rule: &str) -> bool {
        self.denied_by().iter().all(|(_, by)| by == rule)
    }

    /// The error's message with its sources.
    pub(crate) fn error(&self) -> String {
        conveyor::chain(self.outcome.as_ref().unwrap_err())
    }
}

/// A build that is in dev, on record, and one step before `to`.
pub(crate) async fn arrived_before(forge: &Forge, app: &str, number: u64, to: &str) -> Digest {
    let digest = forge.built(app, number).await;
    for environment in ["dev", "qa"].into_iter().take_while(|environment| *environment != to) {
        let done = forge.client().promote(&[(app, number)], environment).await;
        assert!(matches!(done.outcome, Ok(Outcome::Updated)), "{done:?}");
    }
    digest
}

fn of_release(forge: &Forge, release: u64) -> Client<'_> {
    Client { release: Some(release), ..forge.client() }
}

#[tokio::test(start_paused = true)]
async fn one_build_goes_from_ci_to_production() {
    let forge = Forge::new();
    forge.add_build(APP, 48213);
    let image = Image::of("payments-api:48213");
    let directory = tempfile::tempdir().unwrap();
    let layout = image.layout(directory.path()).await;

    let done = forge.client().publish(APP, 48213, &layout, "dev").await;
    assert!(matches!(done.outcome, Ok(Outcome::Copied)), "{done:?}");
    assert_eq!((forge.tag("dev", APP, 48213), forge.commits()), (Some(image.digest()), 1));
    let again = forge.client().publish(APP, 48213, &layout, "dev").await;
    assert!(matches!(again.outcome, Ok(Outcome::AlreadyPresent)), "{again:?}");

    forge.succeed(48213);
    for environment in ["dev", "qa"] {
        let done = forge.client().promote(&[(APP, 48213)], environment).await;
        assert!(matches!(done.outcome, Ok(Outcome::Updated)), "{done:?}");
        assert!(done.account.happened.copied && done.account.happened.ledger == Some(true));
        assert_eq!(done.account.ledger.unwrap().commit, forge.head());
        assert_eq!(forge.value(environment, APP), "48213");
        assert_eq!(forge.tag(environment, APP, 48213), Some(image.digest()));
    }
    let release = forge.add_release(APP, 48213);
    forge.approve(release, GROUP, BO);
    let done = of_release(&forge, release).promote(&[(APP, 48213)], "prod-wealth").await;
    assert!(matches!(done.outcome, Ok(Outcome::AwaitingSync)), "{done:?}");
    assert_eq!((forge.value("prod-wealth", APP), forge.commits()), ("48213".to_owned(), 4));
    assert_eq!(forge.tag("prod-wealth", APP, 48213), Some(image.digest()));
    let registry = forge.registry("prod-wealth").digests(&word("forge/payments-api"));
    assert!(image.closure().iter().all(|digest| registry.contains(digest)));
}

#[tokio::test(start_paused = true)]
async fn publishing_is_for_a_running_build_the_first_environment_and_a_free_tag() {
    let forge = Forge::new();
    let directory = tempfile::tempdir().unwrap();
    let layout = Image::of("one").layout(&directory.path().join("one")).await;
    let rebuilt = Image::of("two").layout(&directory.path().join("two")).await;

    let unknown = forge.client().publish(APP, 48213, &layout, "dev").await;
    assert!(unknown.is_denied_by("build-of-definition"));
    forge.add_build(APP, 48213);
    let not_first = forge.client().publish(APP, 48213, &layout, "qa").await;
    assert!(matches!(not_first.outcome, Err(Error::NotFirst { .. })), "{not_first:?}");
    let other = Client { expect: Some(Digest::of(b"x")), ..forge.client() }.publish(APP, 48213, &layout, "dev").await;
    assert!(matches!(other.outcome, Err(Error::OtherDigest { .. })), "{other:?}");
    let planned = Client { dry_run: true, ..forge.client() }.publish(APP, 48213, &layout, "dev").await;
    assert!(matches!(planned.outcome, Ok(Outcome::Planned)), "{planned:?}");
    assert_eq!(forge.tag("dev", APP, 48213), None);

    let done = forge.client().publish(APP, 48213, &layout, "dev").await;
    assert!(matches!(done.outcome, Ok(Outcome::Copied)), "{done:?}");
    let held = forge.client().publish(APP, 48213, &rebuilt, "dev").await;
    assert!(matches!(held.outcome, Ok(Outcome::TagHeld { by, .. }) if by == layout.root()), "{held:?}");
    forge.succeed(48213);
    let late = forge.client().publish(APP, 48213, &layout, "dev").await;
    assert!(late.is_denied_by("build-of-definition"));
    assert_eq!(forge.tag("dev", APP, 48213), Some(layout.root()));
}

#[tokio::test(start_paused = true)]
async fn two_halves_are_a_whole() {
    let (whole, halves) = (Forge::new(), Forge::new());
    for forge in [&whole, &halves] {
        arrived_before(forge, APP, 48213, "qa").await;
    }
    whole.client().promote(&[(APP, 48213)], "qa").await;

    let early = halves.client().run(Sequence::Update, &[(APP, 48213)], "qa").await;
    assert!(early.is_denied_by("tag-free"));
    let copied = halves.client().run(Sequence::Copy, &[(APP, 48213)], "qa").await;
    assert!(matches!(copied.outcome, Ok(Outcome::Copied)), "{copied:?}");
    assert_eq!((halves.commits(), halves.value("qa", APP)), (2, String::new()));
    let copied = halves.client().run(Sequence::Copy, &[(APP, 48213)], "qa").await;
    assert!(matches!(copied.outcome, Ok(Outcome::AlreadyPresent)), "{copied:?}");
    let updated = halves.client().run(Sequence::Update, &[(APP, 48213)], "qa").await;
    assert!(matches!(updated.outcome, Ok(Outcome::Updated)), "{updated:?}");

    let [ours, theirs] = [&whole, &halves].map(|forge| {
        let act = forge.act("qa", APP).unwrap();
        let copy = act.copy.clone().unwrap();
        assert_eq!(copy.read_back, act.subject.artifact.digest);
        (act.subject, act.kind, act.from, act.approvals, copy.source, act.decided, act.rules, forge.value("qa", APP))
    });
    assert_eq!(ours, theirs);

    let first = halves.client().run(Sequence::Copy, &[(APP, 48213)], "dev").await;
    assert!(matches!(first.outcome, Err(Error::NothingBefore { .. })), "{first:?}");
}

#[tokio::test(start_paused = true)]
async fn several_apps_move_together_or_not_at_all() {
    let forge = Forge::new();
    arrived_before(&forge, APP, 48213, "qa").await;
    arrived_before(&forge, OTHER, 48301, "qa").await;
    forge.built(APPS[2], 48401).await;
    let before = forge.commits();

    // One of them never was in dev.
    let done = forge.client().promote(&[(APP, 48213), (OTHER, 48301), (APPS[2], 48401)], "qa").await;
    assert_eq!(done.denied_by(), [(APPS[2].to_owned(), "build-on-record".to_owned())]);
    assert_eq!((forge.commits(), forge.tag("qa", APP, 48213)), (before, None));

    // The build of one of them is of no account any more.
    forge.azure.set_build_status(word("48301"), azure_devops::model::BuildStatus::Other).unwrap();
    let done = forge.client().promote(&[(APP, 48213), (OTHER, 48301)], "qa").await;
    assert_eq!(done.denied_by(), [(OTHER.to_owned(), "build-of-definition".to_owned())]);
    assert_eq!((forge.commits(), forge.tag("qa", APP, 48213)), (before, None));
    forge.succeed(48301);

    // One of them is held by somebody's edit.
    forge.edit("qa", OTHER, "48999");
    let done = forge.client().promote(&[(APP, 48213), (OTHER, 48301)], "qa").await;
    assert!(
        matches!(&done.outcome, Ok(Outcome::Superseded { app: Some(app), found, wanted, .. })
            if app.as_str() == OTHER && found == "48999" && wanted == "48301"),
        "{done:?}"
    );
    assert_eq!((forge.commits(), forge.value("qa", APP)), (before + 1, String::new()));

    forge.edit("qa", OTHER, "48300");
    let done = forge.client().promote(&[(APP, 48213), (OTHER, 48301)], "qa").await;
    assert!(matches!(done.outcome, Ok(Outcome::Updated)), "{done:?}");
    assert_eq!(forge.commits(), before + 3);
    let changes = done.account.ledger.unwrap().changes;
    let told: Vec<_> = changes.iter().map(|change| (change.app.as_ref().unwrap().as_str(), &*change.from)).collect();
    assert_eq!(told, [(APP, ""), (OTHER, "48300")]);
    for (app, build) in [(APP, "48213"), (OTHER, "48301")] {
        assert_eq!(forge.value("qa", app), build);
        assert_eq!(forge.act("qa", app).unwrap().run, forge.act("qa", APP).unwrap().run);
    }

    let twice = forge.client().promote(&[(APP, 48213), (APP, 48213)], "qa").await;
    assert!(matches!(twice.outcome, Err(Error::AppTwice { .. })), "{twice:?}");
}

#[tokio::test(start_paused = true)]
async fn apps_may_share_a_manifest() {
    let forge = Forge::new();
    let text = config();
    let shared = text
        .replace("apps/{app}/{env}/values.yaml", "all/{env}.yaml")
        .replacen("image.tag", "payments.tag", 1)
        .replacen("image.tag", "orders.tag", 1);
    forge.configure(&shared);
    forge.commit(&[(word("all/dev.yaml"), "payments: { tag: '' }\norders: { tag: '' }\n".into())]);
    forge.built(APP, 48213).await;
    forge.built(OTHER, 48301).await;
    let done = forge.client().promote(&[(APP, 48213), (OTHER, 48301)], "dev").await;
    assert!(matches!(done.outcome, Ok(Outcome::Updated)), "{done:?}");
    let file = forge.ledger.file(&forge.head(), &word("all/dev.yaml")).unwrap();
    assert_eq!(file, "payments: { tag: '48213' }\norders: { tag: '48301' }\n");
    let changes = done.account.ledger.unwrap().changes;
    let told: Vec<_> = changes.iter().map(|change| (change.app.as_ref().unwrap().as_str(), &*change.to)).collect();
    assert_eq!(told, [(APP, "48213"), (OTHER, "48301")]);
}

#[tokio::test(start_paused = true)]
async fn production_is_refused_without_somebody_elses_approval() {
    type Turn = fn(&Forge, u64);
    let cases: [(&str, Turn); 9] = [
        ("nobody was asked", |_, _| {}),
        ("nobody has answered", |forge, release| {
            forge.azure.ask(release, "Prod-Wealth", GROUP).unwrap();
        }),
        ("who asked for the release approved", |forge, release| {
            forge.approve(release, GROUP, ANA);
        }),
        ("who asked for the build approved", |forge, release| {
            forge.approve(release, GROUP, EVE);
        }),
        ("a person was asked, not the group", |forge, release| {
            forge.approve(release, BO.1, BO);
        }),
        ("it is too old", |forge, release| {
            forge.approve(release, GROUP, BO);
            forge.clock.put_forward(24 * 60 * 60 + 1);
        }),
        ("it is of the attempt before", |forge, release| {
            forge.approve(release, GROUP, BO);
            forge.azure.end(release, "Prod-Wealth", azure_devops::memory::End::Failed).unwrap();
            forge.azure.begin(release, "Prod-Wealth", &crate::world::actor(ANA)).unwrap();
        }),
        ("the attempt has ended", |forge, release| {
            forge.approve(release, GROUP, BO);
            forge.azure.end(release, "Prod-Wealth", azure_devops::memory::End::Failed).unwrap();
        }),
        ("QA was deployed again since", |forge, release| {
            forge.approve(release, GROUP, BO);
            forge.clock.put_forward(60);
            forge.azure.begin(release, "QA", &crate::world::actor(ANA)).unwrap();
            forge.azure.end(release, "QA", azure_devops::memory::End::Succeeded).unwrap();
        }),
    ];
    for (case, turn) in cases {
        let forge = Forge::new();
        arrived_before(&forge, APP, 48213, "prod-wealth").await;
        let release = forge.add_release(APP, 48213);
        turn(&forge, release);
        for sequence in [Sequence::Promote, Sequence::Copy, Sequence::Check] {
            let done = of_release(&forge, release).run(sequence, &[(APP, 48213)], "prod-wealth").await;
            assert!(done.is_denied_by("four-eyes"), "{case}: {done:?}");
        }
        assert_eq!((forge.commits(), forge.tag("prod-wealth", APP, 48213)), (3, None), "{case}");
        // What denies today allows tomorrow, once the approval is right.
        if !case.contains("ended") {
            forge.approve(release, GROUP, BO);
            let done = of_release(&forge, release).promote(&[(APP, 48213)], "prod-wealth").await;
            assert!(matches!(done.outcome, Ok(Outcome::AwaitingSync)), "{case}: {done:?}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_release_vouches_for_its_own_build_only() {
    let forge = Forge::new();
    arrived_before(&forge, APP, 48213, "prod-wealth").await;
    arrived_before(&forge, APP, 48214, "prod-wealth").await;
    let release = forge.add_release(APP, 48213);
    forge.approve(release, GROUP, BO);
    let done = of_release(&forge, release).promote(&[(APP, 48214)], "prod-wealth").await;
    assert!(done.is_denied_by("four-eyes"));
    let done = forge.client().promote(&[(APP, 48213)], "prod-wealth").await;
    assert!(done.is_denied_by("four-eyes"), "no release was named");
    let done = of_release(&forge, 7).promote(&[(APP, 48213)], "prod-wealth").await;
    assert!(done.is_denied_by("four-eyes"), "there is no such release");
}

#[tokio::test(start_paused = true)]
async fn a_newer_build_or_a_value_that_is_none_is_not_overwritten() {
    for (value, allowed) in [("48999", false), ("v1.2", false), ("048000", false), ("48212", true), ("\"\"", true)] {
        let forge = Forge::new();
        forge.built(APP, 48213).await;
        forge.edit("dev", APP, value);
        let done = forge.client().promote(&[(APP, 48213)], "dev").await;
        match &done.outcome {
            Ok(Outcome::Updated) => assert!(allowed, "{value}"),
            Ok(Outcome::Superseded { found, .. }) => assert!(!allowed && found == value, "{value}: {found}"),
            _ => panic!("{value}: {done:?}"),
        }
        assert_eq!(forge.commits(), if allowed { 3 } else { 2 }, "{value}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_done_is_not_done_again() {
    let forge = Forge::new();
    arrived_before(&forge, APP, 48213, "prod-wealth").await;
    for sequence in [Sequence::Promote, Sequence::Update] {
        let client = forge.client();
        let done = client.run(sequence, &[(APP, 48213)], "qa").await;
        assert!(matches!(done.outcome, Ok(Outcome::Unchanged)), "{done:?}");
        assert!(done.account.happened.copied && done.account.happened.ledger == Some(true));
        assert_eq!((forge.commits(), client.servers.writes(), client.servers.azure.calls()), (3, 0, 0));
    }
}

#[tokio::test(start_paused = true)]
async fn an_edit_by_hand_is_put_on_record_without_an_edit() {
    let forge = Forge::new();
    arrived_before(&forge, APP, 48213, "qa").await;
    let by_hand = forge.edit("qa", APP, "'48213'");
    let done = forge.client().promote(&[(APP, 48213)], "qa").await;
    assert!(matches!(done.outcome, Ok(Outcome::Updated)), "{done:?}");
    assert!(done.account.ledger.unwrap().changes.is_empty());
    let log = forge.ledger.log(&crate::world::main_branch());
    assert_eq!(log[0].changed, [record_path("qa", APP)].into());
    assert_eq!(log[0].parents, [by_hand]);
    assert_eq!(forge.act("qa", APP).unwrap().decided.found.as_deref(), Some("48213"));
    let again = forge.client().promote(&[(APP, 48213)], "qa").await;
    assert!(matches!(again.outcome, Ok(Outcome::Unchanged)), "{again:?}");
}

#[tokio::test(start_paused = true)]
async fn other_bytes_are_noticed_on_both_sides() {
    let forge = Forge::new();
    let digest = arrived_before(&forge, APP, 48213, "qa").await;
    let other = Image::of("something else");

    // Held at the target.
    forge.put("qa", APP, 48213, &other).await;
    for sequence in [Sequence::Promote, Sequence::Copy, Sequence::Update] {
        let done = forge.client().run(sequence, &[(APP, 48213)], "qa").await;
        let held = matches!(&done.outcome, Ok(Outcome::TagHeld { place, by, wanted })
            if *by == other.digest() && *wanted == digest && place.to_string() == "qa.example/forge/payments-api:48213");
        assert!(held, "{done:?}");
    }
    assert_eq!((forge.tag("qa", APP, 48213), forge.commits()), (Some(other.digest()), 2));

    // Moved at the source.
    let forge = Forge::new();
    arrived_before(&forge, APP, 48213, "qa").await;
    forge.put("dev", APP, 48212, &other).await;
    forge.registry("dev").force_tag(&word("forge/payments-api"), &word("48213"), other.digest());
    let done = forge.client().promote(&[(APP, 48213)], "qa").await;
    assert!(
        matches!(&done.outcome, Err(Error::OtherDigest { expected, found, .. })
            if *expected == digest && *found == other.digest()),
        "{done:?}"
    );
    assert_eq!(done.outcome.unwrap_err().kind(), conveyor::Kind::Integrity);
    assert_eq!((forge.tag("qa", APP, 48213), forge.commits()), (None, 2));

    // CI said something else.
    let expecting = Client { expect: Some(other.digest()), ..forge.client() };
    let done = expecting.promote(&[(APP, 48213)], "qa").await;
    assert_eq!(done.outcome.unwrap_err().kind(), conveyor::Kind::Integrity);
}

#[tokio::test(start_paused = true)]
async fn the_first_environment_takes_what_its_own_immutable_tag_holds_of_a_build_that_succeeded() {
    let forge = Forge::new();
    forge.add_build(APP, 48213);
    let done = forge.client().promote(&[(APP, 48213)], "dev").await;
    assert!(done.is_denied_by("build-on-record"));
    forge.put("dev", APP, 48213, &Image::of("x")).await;
    let done = forge.client().promote(&[(APP, 48213)], "dev").await;
    assert!(done.is_denied_by("build-of-definition"), "the build is still running");
    forge.succeed(48213);
    for rule in [TagRule::Mutable, TagRule::Unknown] {
        forge.registry("dev").create(&word("forge/payments-api"), rule);
        let done = forge.client().promote(&[(APP, 48213)], "dev").await;
        assert!(done.is_denied_by("tag-immutable"), "{rule:?}");
    }
    assert_eq!(forge.commits(), 1);
    forge.registry("dev").create(&word("forge/payments-api"), TagRule::Immutable);
    let done = forge.client().promote(&[(APP, 48213)], "dev").await;
    assert!(matches!(done.outcome, Ok(Outcome::Updated)), "{done:?}");
    let done = forge.client().promote(&[(APP, 48300)], "prod-wealth").await;
    assert!(done.is_denied_by("build-on-record"), "qa never had it");
}

#[tokio::test(start_paused = true)]
async fn a_check_tells_every_rule_and_does_nothing() {
    let forge = Forge::new();
    arrived_before(&forge, APP, 48213, "prod-wealth").await;
    let release = forge.add_release(APP, 48213);
    forge.approve(release, GROUP, BO);
    let client = of_release(&forge, release);
    let done = client.run(Sequence::Check, &[(APP, 48213)], "prod-wealth").await;
    assert!(matches!(done.outcome, Ok(Outcome::Allowed)), "{done:?}");
    let told = done.account.apps.values().next().unwrap();
    assert!(told.verdicts.len() >= 6 && told.verdicts.iter().all(|rule| rule.verdict == Verdict::Holds));
    assert_eq!(told.approvers, ["Bo"]);
    assert_eq!((forge.commits(), client.servers.writes()), (3, 0));
    let first = forge.client().run(Sequence::Check, &[(APP, 48213)], "dev").await;
    assert!(matches!(first.outcome, Ok(Outcome::Allowed)), "{first:?}");
}

#[tokio::test(start_paused = true)]
async fn only_who_copies_may_write_to_a_registry() {
    let forge = Forge::new();
    arrived_before(&forge, APP, 48213, "qa").await;
    let client = || forge.client();
    let dry = || Client { dry_run: true, ..client() };
    for (client, sequence, may_write) in [
        (client(), Sequence::Check, false),
        (dry(), Sequence::Copy, false),
        (dry(), Sequence::Promote, false),
        (client(), Sequence::Copy, true),
        (client(), Sequence::Update, false),
        (client(), Sequence::Promote, true),
    ] {
        let done = client.run(sequence, &[(APP, 48213)], "qa").await;
        assert!(done.outcome.is_ok(), "{done:?}");
        let opened = client.servers.may_write.load(Ordering::Relaxed);
        assert_eq!(opened, may_write, "{sequence:?}, dry: {}", client.dry_run);
    }
}

#[tokio::test(start_paused = true)]
async fn a_dry_run_decides_plans_and_writes_nothing() {
    let forge = Forge::new();
    arrived_before(&forge, APP, 48213, "qa").await;
    for sequence in [Sequence::Promote, Sequence::Copy] {
        let client = Client { dry_run: true, ..forge.client() };
        let done = client.run(sequence, &[(APP, 48213)], "qa").await;
        assert!(matches!(done.outcome, Ok(Outcome::Planned)), "{done:?}");
        let planned: Vec<_> = done.account.planned.iter().map(|change| (&*change.file, &*change.to)).collect();
        let expected = [("apps/payments-api/qa/values.yaml", "48213")];
        assert_eq!(planned, if sequence == Sequence::Promote { &expected[..] } else { &[] }, "{sequence:?}");
        assert_eq!((forge.commits(), client.servers.writes()), (2, 0));
    }
    let done = Client { dry_run: true, ..forge.client() }.promote(&[(APP, 48213)], "prod-wealth").await;
    assert!(done.is_denied_by("build-on-record"), "a dry run asks policy too");

    // Where nothing has to be copied.
    forge.built(APP, 48214).await;
    for sequence in [Sequence::Promote, Sequence::Update] {
        let done = Client { dry_run: true, ..forge.client() }.run(sequence, &[(APP, 48214)], "dev").await;
        assert!(matches!(done.outcome, Ok(Outcome::Planned)), "{done:?}");
        let [change] = &*done.account.planned else { panic!("{done:?}") };
        assert_eq!((&*change.from, &*change.to), ("48213", "48214"));
        assert_eq!((forge.commits(), forge.value("dev", APP)), (2, "48213".to_owned()));
    }
}
