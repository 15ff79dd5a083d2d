//! Many apps in one commit.

use azure_devops::model::{Build, BuildStatus};
use conveyor::Outcome;
use registry_copy::TagRule;

use crate::{
    image::Image,
    world::{Client, EVE, Forge, actor, build, config, main_branch, manifest, manifest_path, record_path, word},
};

const APPS: u64 = 20;

fn name(number: u64) -> String {
    format!("service-{number:02}")
}

/// A Ledger of twenty more apps, each with a build in dev's registry.
async fn company() -> Forge {
    let forge = Forge::new();
    let mut text = config();
    let mut files = Vec::new();
    for number in 0..APPS {
        let (app, id, definition) = (name(number), build(1000 + number), 100 + number);
        text.push_str(&format!(
            "  {app}: {{ repository: forge/{app}, build_definition: {definition}, release_definition: 1, \
             branches: [refs/heads/main], ledger: {{ \
             manifest: \"apps/{{app}}/{{env}}/values.yaml\", key: image.tag }} }}\n"
        ));
        files.push((manifest_path("dev", &app), manifest(&app, "\"\"")));
        files.push((manifest_path("qa", &app), manifest(&app, "\"\"")));
        files.push((manifest_path("prod-wealth", &app), manifest(&app, "\"\"")));
        forge.registry("dev").create(&word(&format!("forge/{app}")), TagRule::Immutable);
        let (branch, status) = ("refs/heads/main".to_owned(), BuildStatus::InProgress);
        forge.azure.add_build(Build { id, definition, branch, status, requesters: vec![actor(EVE)] }).unwrap();
        forge.succeed(1000 + number);
        forge.put("dev", &app, 1000 + number, &Image::of(&app)).await;
    }
    forge.configure(&text);
    forge.commit(&files);
    forge
}

#[tokio::test(start_paused = true)]
async fn twenty_apps_are_one_commit_or_none() {
    let forge = company().await;
    let names: Vec<String> = (0..APPS).map(name).collect();
    let mut wanted: Vec<(&str, u64)> = names.iter().zip(1000..).map(|(name, build)| (name.as_str(), build)).collect();
    let (head, commits) = (forge.head(), forge.commits());

    wanted[19].1 = 999;
    let denied = forge.client().promote(&wanted, "dev").await;
    assert!(matches!(denied.outcome, Ok(Outcome::Denied(_))), "{denied:?}");
    assert_eq!(forge.head(), head, "one that may not stops all");
    wanted[19].1 = 1019;

    let planned = Client { dry_run: true, ..forge.client() }.promote(&wanted, "dev").await;
    assert_eq!(planned.account.planned.len(), 20);
    let diff = planned.account.diff.unwrap();
    for (name, build) in &wanted {
        let of = |line: String| assert!(diff.lines().any(|shown| shown == line), "{line} is not in {diff}");
        of(format!("+++ b/{}", manifest_path("dev", name)));
        of(format!("+  tag: \"{build}\"   # by Conveyor"));
        of(format!("+++ b/{}", record_path("dev", name)));
    }
    assert_eq!(forge.head(), head, "a dry run writes nothing");

    let done = forge.client().promote(&wanted, "dev").await;
    assert!(matches!(done.outcome, Ok(Outcome::Updated)), "{done:?}");
    let changes = done.account.ledger.unwrap().changes;
    assert_eq!((changes.len(), done.account.pushes, forge.commits()), (20, 1, commits + 1));
    let log = forge.ledger.log(&main_branch());
    assert_eq!((log[0].changed.len(), log[0].message.lines().next()), (40, Some("dev: 20 apps")));
    for (name, build) in &wanted {
        assert_eq!(forge.value("dev", name), build.to_string());
        assert_eq!(forge.act("dev", name).unwrap().subject.artifact.build.to_string(), build.to_string());
    }
    let again = forge.client().promote(&wanted, "dev").await;
    assert!(matches!(again.outcome, Ok(Outcome::Unchanged)), "{again:?}");
}
