//! The forms without an app: two references, or one scalar in a repository that is no Ledger.

use std::path::{Path, PathBuf};

use serde_json::Value;
use tests::{APP, Company, git};

#[tokio::test]
async fn from_one_docker_registry_to_another() {
    let mut company = Company::on_docker_registries().await;
    let (_, digest) = company.publish("48213", 1).await;
    let (_, other) = company.publish("48214", 2).await;
    company.set("CONVEYOR_LEDGER", None);
    let from = format!("{}/{}", company.registry("dev"), APP.repository);
    let to = format!("{}/mirror/payments", company.registry("qa"));

    let line = format!("copy-artifact {from}:48213 {to}:48213");
    let planned = company.json(&format!("{line} --dry-run"), 0).await;
    assert_eq!((&planned["outcome"], &planned["digest"]), (&"planned".into(), &digest.to_string().into()));
    assert_eq!(
        (&planned["source"], &planned["destination"]),
        (&format!("{from}:48213").into(), &format!("{to}:48213@{digest}").into())
    );
    assert_eq!((&planned["blobs"]["copied"], &planned["happened"]["copied"]), (&3.into(), &false.into()));
    let copied = company.json(&line, 0).await;
    assert_eq!((&copied["outcome"], &copied["digest"]), (&"copied".into(), &digest.to_string().into()));
    assert_eq!(
        (&copied["blobs"]["copied"], &copied["manifests"], &copied["apps"]),
        (&3.into(), &1.into(), &Value::Array(vec![]))
    );
    assert_eq!(copied["destination"], format!("{to}:48213@{digest}"));
    assert_eq!(planned["bytes"], copied["bytes"], "as it was planned");
    let again = company.json(&line, 0).await;
    assert_eq!((&again["outcome"], &again["blobs"]["copied"]), (&"already-present".into(), &0.into()));
    let once = company.json(&format!("{line} --no-referrers"), 0).await;
    assert_eq!((&once["outcome"], &once["digest"]), (&"already-present".into(), &digest.to_string().into()));
    assert_eq!(once["requests"], serde_json::json!({ "source": 1, "destination": 1 }));
    let few = company.json(&format!("copy-artifact {from}:48213 {to}:few --jobs 1 --no-referrers"), 0).await;
    assert_eq!((&few["outcome"], &few["referrers"]), (&"copied".into(), &0.into()));
    for jobs in ["0", "257", "many"] {
        company.fails(&format!("{line} --jobs {jobs}"), 2, &["from 1 to 256"]).await;
    }

    for dry_run in [" --dry-run", ""] {
        let held = company.json(&format!("copy-artifact {from}:48214 {to}:48213{dry_run}"), 12).await;
        let tags = (&held["held"]["by"], &held["held"]["wanted"]);
        assert_eq!(tags, (&digest.to_string().into(), &other.to_string().into()), "{dry_run}");
    }
    let still = company.json(&line, 0).await;
    assert_eq!(still["outcome"], "already-present", "the tag did not move");

    let file = company.scratch("digest");
    let pinned = format!("copy-artifact {from}@{other} {to}:48214 --digest-file {}", file.display());
    assert_eq!(company.json(&pinned, 0).await["digest"], other.to_string());
    assert_eq!(std::fs::read_to_string(file).unwrap(), format!("{other}\n"));
    let nothing = format!("@sha256:{}", "0".repeat(64));
    for missing in [":1", &nothing] {
        let says = format!("{from}{missing} is not there: correct the reference");
        company.fails(&format!("copy-artifact {from}{missing} {to}:1"), 2, &[&says]).await;
    }
    company.fails(&format!("copy-artifact {from}:48213"), 2, &["the reference to copy to", "--to ENV"]).await;
    company.fails(&format!("copy-artifact docker://{from}:1 {to}:1"), 2, &["leave out docker://"]).await;
}

#[tokio::test]
async fn a_thorough_copy_sends_again_what_was_lost() {
    let mut company = Company::behind_proxies().await;
    let (_, digest) = company.publish("48213", 1).await;
    company.set("CONVEYOR_LEDGER", None);
    let (from, to) = (repository_of(&company, "dev"), repository_of(&company, "qa"));
    let line = format!("copy-artifact {from}:48213 {to}:48213");
    company.json(&line, 0).await;
    let (memory, repository) = (company.memory("qa"), APP.repository.parse().unwrap());
    let lost = memory.digests(&repository).into_iter().find(|part| *part != digest).unwrap();
    memory.remove(&repository, &lost);

    for (flag, copied) in [("", 0), (" --thorough --dry-run", 1), (" --thorough", 1), (" --thorough", 0)] {
        let done = company.json(&format!("{line}{flag}"), 0).await;
        assert_eq!(done["blobs"]["copied"], copied, "{flag}: {done}");
    }
    for (flag, name) in [("--thorough", "--thorough"), ("--no-referrers", "--no-referrers"), ("--jobs 2", "--jobs")] {
        let line = format!("copy-artifact payments-api=48213 --to qa {flag}");
        company.fails(&line, 2, &[name, "--to"]).await;
    }
}

const VALUES: &str = "# a service\nimage:\n  tag: \"48200\" # by a machine\n";
const KUSTOMIZATION: &str = "images:\n- name: web\n  newTag: \"7\"\n- name: api\n  newTag: \"48200\"\n";

/// A bare repository that is no Ledger.
fn repository(company: &Company) -> PathBuf {
    let work = company.scratch("work");
    std::fs::create_dir(&work).unwrap();
    std::fs::write(work.join("values.yaml"), VALUES).unwrap();
    std::fs::write(work.join("kustomization.yaml"), KUSTOMIZATION).unwrap();
    std::fs::write(work.join("two.yaml"), "image:\n  tag: \"1\"\n---\nimage:\n  tag: \"1\"\n").unwrap();
    git(&work, &["init", "--quiet", "--initial-branch=main"]);
    git(&work, &["add", "."]);
    let person = ["-c", "user.name=Ana", "-c", "user.email=ana@sandbox.invalid"];
    git(&work, &[&person[..], &["commit", "--quiet", "--message", "first"]].concat());
    git(&work, &["clone", "--quiet", "--bare", ".", "../bare.git"]);
    company.scratch("bare.git")
}

fn file(repository: &Path, path: &str) -> String {
    git(repository, &["show", &format!("main:{path}")])
}

#[tokio::test]
async fn one_scalar_in_any_repository() {
    let company = Company::behind_proxies().await;
    let bare = repository(&company);
    let place = format!("update-ledger --repo file://{} --file values.yaml --key image.tag", bare.display());
    let set = async |rest: &str, code: i32| company.json(&format!("{place} {rest}"), code).await;

    let planned = set("--set 48213 --expect 48200 --dry-run", 0).await;
    assert_eq!((&planned["outcome"], &planned["changes"][0]["to"]), (&"planned".into(), &"48213".into()));
    assert_eq!(file(&bare, "values.yaml"), VALUES, "a dry run writes nothing");

    let updated = set("--set 48213 --expect 48200", 0).await;
    assert_eq!((&updated["outcome"], &updated["changes"][0]["from"]), (&"updated".into(), &"48200".into()));
    assert_eq!(updated["commit"], git(&bare, &["rev-parse", "main"]).trim());
    assert_eq!(file(&bare, "values.yaml"), VALUES.replace("48200", "48213"));
    assert_eq!(set("--set 48213 --expect 48200", 0).await["outcome"], "unchanged");
    assert_eq!(set("--set 48213 --forward-only", 0).await["outcome"], "unchanged");

    let head = git(&bare, &["rev-parse", "main"]);
    for dry_run in [" --dry-run", ""] {
        let judged = async |rest: &str, code: i32| set(&format!("{rest}{dry_run}"), code).await;
        let older = judged("--set 48200 --forward-only", 14).await;
        assert_eq!((&older["outcome"], &older["found"]), (&"superseded".into(), &"48213".into()), "{dry_run}");
        let advice = "nothing, if 48213 is right; to replace it all the same: --file values.yaml --key image.tag --set 48200 --expect 48213";
        assert_eq!(older["next"], advice);
        assert_eq!(judged("--set 48300 --expect 48200", 14).await["found"], "48213", "{dry_run}");
        assert_eq!(judged("--set 48213 --expect 48200", 0).await["outcome"], "unchanged", "{dry_run}");
        let missing = format!("{} --set 1{dry_run}", place.replace("values.yaml", "value.yaml"));
        assert_eq!(company.json(&missing, 2).await["error"]["kind"], "usage", "{dry_run}");
    }
    assert_eq!(set("--set latest --forward-only", 2).await["error"]["kind"], "usage");
    assert_eq!(git(&bare, &["rev-parse", "main"]), head, "a refusal writes nothing");

    set("--set 48300 --forward-only", 0).await;
    set("--set 1", 0).await;
    assert_eq!(file(&bare, "values.yaml"), VALUES.replace("48200", "1"));
    assert_eq!(git(&bare, &["fsck", "--strict", "--no-dangling", "--no-progress"]), "");
}

#[tokio::test]
async fn one_image_of_a_kustomization() {
    let company = Company::behind_proxies().await;
    let bare = repository(&company);
    let place = format!("update-ledger --repo file://{} --file kustomization.yaml --key", bare.display());
    let updated = company.json(&format!("{place} images[name=api].newTag --set 48213 --forward-only"), 0).await;
    assert_eq!(updated["changes"][0]["key"], "images[name=api].newTag");
    assert_eq!(file(&bare, "kustomization.yaml"), KUSTOMIZATION.replace("48200", "48213"));
    let failed = company
        .fails(&format!("{place} images[name=db].newTag --set 1"), 2, &["kustomization.yaml:1 cannot be edited"])
        .await;
    assert_eq!(failed["error"]["kind"], "usage");
}

/// Where the service is in an environment's registry.
fn repository_of(company: &Company, environment: &str) -> String {
    format!("{}/{}", company.registry(environment), APP.repository)
}

#[tokio::test]
async fn a_digest_that_was_written_is_held_against_what_is_there() {
    let mut company = Company::behind_proxies().await;
    let (_, digest) = company.publish("48213", 1).await;
    let (_, other) = company.publish("48214", 2).await;
    company.set("CONVEYOR_LEDGER", None);
    let (from, to) = (repository_of(&company, "dev"), repository_of(&company, "qa"));
    for (line, says) in [
        (format!("{from}:48213@{other} {to}:48213"), format!("{from}:48213 is {digest}, but {other} was written")),
        (format!("{from}:48213 {to}:48213@{other}"), format!("{from}:48213 is {digest}, but {other} was written")),
        (
            format!("{from}@{digest} {to}:48213@{other}"),
            format!("{from}@{digest} is {digest}, but {other} was written"),
        ),
    ] {
        for dry_run in ["", " --dry-run"] {
            let failed =
                company.fails(&format!("copy-artifact {line}{dry_run}"), 13, &[&says, "nothing was copied"]).await;
            assert_eq!(failed["error"]["kind"], "integrity");
        }
    }
    company.fails(&format!("copy-artifact {from}:1@{digest} {to}:48213"), 2, &["is not there"]).await;
    let copied = company.json(&format!("copy-artifact {from}:48213@{digest} {to}:48213@{digest}"), 0).await;
    assert_eq!((&copied["outcome"], &copied["digest"]), (&"copied".into(), &digest.to_string().into()));
}

#[tokio::test]
async fn nobody_is_told_of_a_policy_or_a_cluster_that_was_not_asked() {
    let mut company = Company::behind_proxies().await;
    let (_, digest) = company.publish("48213", 1).await;
    company.set("CONVEYOR_LEDGER", None);
    let (from, to) = (repository_of(&company, "dev"), repository_of(&company, "qa"));
    let bare = repository(&company);
    let copy = format!("copy-artifact {from}:48213 {to}:48213");
    let set = format!("update-ledger --repo file://{} --file values.yaml --key image.tag --set 48213", bare.display());
    for (line, words) in [
        (format!("{copy} --dry-run"), format!("would copy {from}:48213 to {to}:48213@{digest}")),
        (copy.clone(), format!("{to}:48213@{digest}: 3 blobs")),
        (format!("{copy} --dry-run"), format!("{to}:48213@{digest} is there already")),
        (format!("{set} --dry-run"), "would change values.yaml image.tag: 48200 -> 48213".to_owned()),
        (set.clone(), "written to the repository".to_owned()),
        (set.clone(), "it is so already, nothing was written".to_owned()),
    ] {
        let told = company.run(&line).await;
        assert_eq!((told.code, told.stdout.contains(&words)), (0, true), "{line}: {words}: {told:?}");
        for word in ["allowed", "cluster", "\n:", "Ledger"] {
            assert!(!format!("\n{}", told.stdout).contains(word), "{line}: {word}: {}", told.stdout);
        }
    }
}

#[tokio::test]
async fn one_of_several_documents() {
    let company = Company::behind_proxies().await;
    let bare = repository(&company);
    let place = format!("update-ledger --repo file://{} --file two.yaml --key image.tag --set 2", bare.display());
    company.fails(&place, 2, &["two.yaml", "lines 2, 5", "--document"]).await;
    company.json(&format!("{place} --document 1 --expect 1"), 0).await;
    assert_eq!(file(&bare, "two.yaml"), "image:\n  tag: \"1\"\n---\nimage:\n  tag: \"2\"\n");
    company.fails(&format!("{place} --document 2"), 2, &["the file has no document 2", "lines 1, 4"]).await;
    company.fails("update-ledger payments-api=1 --env qa --document 1", 2, &["--repo"]).await;
}
