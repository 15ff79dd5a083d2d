//! One build from Dev to production through the binaries, on three docker-registry processes with Basic
//! authentication and a Ledger behind `git http-backend`.

use sandbox::{ENVIRONMENTS, azure_devops::memory::End, release::Digest};
use serde_json::Value;
use tests::{APP, Company, PASSWORD, RELEASE, USER, ana, bo};
use tokio::process::Command;

fn dev_manifest(environment: &str) -> String {
    format!("apps/{}/{environment}/values.yaml", APP.name)
}

/// What skopeo, a client that knows nothing of ours, reads under the tag: the digest of those bytes.
async fn skopeo(company: &Company, environment: &str, tag: &str) -> Digest {
    let image = format!("docker://{}/{}:{tag}", company.registry(environment), APP.repository);
    let creds = format!("{USER}:{PASSWORD}");
    let output = Command::new("skopeo")
        .args(["inspect", "--raw", "--tls-verify=false", "--creds", &creds, &image])
        .output()
        .await
        .expect("skopeo is needed: apt-get install skopeo");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Digest::of(&output.stdout)
}

/// The titles of the commits since the Ledger was set up, oldest first.
fn titles(company: &Company) -> Vec<String> {
    let log = company.git(&["log", "--reverse", "--format=%s", "main"]);
    log.lines().skip(2).map(str::to_owned).collect()
}

fn newest_record(company: &Company, environment: &str) -> Value {
    let file = company.file(&format!("records/{environment}/{}.json", APP.name));
    let (environment, app) = (environment.parse().unwrap(), APP.name.parse().unwrap());
    record::parse_file(file.as_bytes(), &environment, &app).unwrap();
    let entries: Value = serde_json::from_str(&file).unwrap();
    entries[0]["statement"].clone()
}

fn asks_for(company: &Company, environment: &str, build: &str) {
    let manifest = company.file(&dev_manifest(environment));
    assert!(manifest.contains(&format!("  tag: \"{build}\"\n")), "{manifest}");
}

#[tokio::test]
async fn one_build_from_dev_to_production() {
    let company = Company::on_docker_registries().await;
    let app = APP.name;
    company.publish("48200", 1).await;
    let (published, digest) = company.publish("48213", 2).await;
    assert_eq!((&published["outcome"], &published["digest"]), (&"copied".into(), &digest.to_string().into()));
    assert_eq!(published["blobs"]["copied"], 3);
    assert_eq!(published["source"], format!("oci:{}@{digest}", company.scratch("image-2").display()));
    assert_eq!(published["next"], format!("update-ledger {app}=48213 --env dev"));

    for environment in ["dev", "qa"] {
        let promoted = company.json(&format!("conveyor promote {app}=48213 --to {environment}"), 0).await;
        assert_eq!((&promoted["outcome"], &promoted["running"][app]), (&"updated".into(), &"48213".into()));
        let change = &promoted["changes"][0];
        assert_eq!(
            (&change["from"], &change["to"], &change["key"]),
            (&"".into(), &"48213".into(), &"image.tag".into())
        );
        assert_eq!(promoted["commit"], company.git(&["rev-parse", "main"]).trim());
        assert_eq!(promoted["parent"], company.git(&["rev-parse", "main^"]).trim());
        assert_eq!(promoted["apps"][0]["digest"], digest.to_string());
        if environment == "qa" {
            // A list under a tag is anybody's, and docker-registry has no other.
            assert_eq!(promoted["apps"][0]["copy"]["referrers_unknown"], true, "{promoted}");
            assert!(promoted["warnings"].to_string().contains("has no referrers API"), "{promoted}");
        }
        asks_for(&company, environment, "48213");
    }

    production(&company).await;
    refusals(&company).await;

    for environment in ENVIRONMENTS {
        assert_eq!(skopeo(&company, environment, "48213").await, digest, "{environment}");
        let statement = newest_record(&company, environment);
        assert_eq!(statement["subject"][0]["digest"]["sha256"], digest.hex());
        assert_eq!(statement["predicate"]["build"], "48213");
        asks_for(&company, environment, "48213");
    }
    let record = newest_record(&company, "prod-wealth");
    assert_eq!(record["predicate"]["approvals"][0]["approver"]["name"], "Bo");
    assert_eq!(record["predicate"]["requester"]["name"], "Ana");
    assert_eq!(record["predicate"]["decided"]["commit"], company.git(&["rev-parse", "main^"]).trim());

    let expected = ["dev", "qa", "prod-wealth"].map(|environment| format!("{environment}: {app} 48213"));
    assert_eq!(titles(&company), expected);
    assert_eq!(company.git(&["fsck", "--strict", "--no-dangling", "--no-progress"]), "");
    assert_eq!(std::fs::read_dir(company.temporary()).unwrap().count(), 0, "no temporary file stays");
}

async fn production(company: &Company) {
    let line = format!("conveyor promote {}=48213 --to prod-wealth", APP.name);
    company.release("48213");
    let before = company.state().await;

    let asked = company.ask();
    let denied = company.json(&line, 10).await;
    assert_eq!((&denied["outcome"], &denied["running"][APP.name]), (&"denied".into(), &"".into()));
    assert_eq!(denied["apps"][0]["violations"][0]["rule"], "four-eyes");
    assert_eq!((&denied["happened"]["copied"], &denied["happened"]["ledger"]), (&false.into(), &false.into()));

    company.approve(asked, &ana());
    let denied = company.json(&line, 10).await;
    assert_eq!(denied["apps"][0]["violations"][0]["rule"], "four-eyes");
    assert_eq!(company.state().await, before, "a denial changes nothing");

    company.end_attempt();
    let asked = company.ask();
    company.approve(asked, &bo());
    let allowed = company.json(&line, 0).await;
    assert_eq!(allowed["outcome"], "awaiting-sync");
    assert_eq!(allowed["apps"][0]["approvers"], serde_json::json!(["Bo"]));
    assert_eq!((&allowed["happened"]["copied"], &allowed["happened"]["ledger"]), (&true.into(), &true.into()));
    company.releases().end(RELEASE, "Prod-Wealth", End::Succeeded).unwrap();
}

async fn refusals(company: &Company) {
    let app = APP.name;
    let before = company.state().await;
    let (other, other_digest) = company.layout(3).await;
    let line = format!("copy-artifact {app}=48213 --from oci:{} --to dev", other.display());
    let held = company.json(&line, 12).await;
    assert_eq!((&held["outcome"], &held["held"]["wanted"]), (&"tag-held".into(), &other_digest.to_string().into()));

    let older = company.json(&format!("conveyor promote {app}=48200 --to dev"), 14).await;
    assert_eq!((&older["outcome"], &older["found"]), (&"superseded".into(), &"48213".into()));

    for environment in ENVIRONMENTS {
        let again = company.json(&format!("conveyor promote {app}=48213 --to {environment}"), 0).await;
        assert_eq!((&again["outcome"], again.get("commit")), (&"unchanged".into(), None));
    }
    assert_eq!(company.state().await, before, "a refusal and a repetition change nothing");
}

#[tokio::test]
async fn the_same_in_two_steps() {
    let company = Company::on_docker_registries().await;
    let app = APP.name;
    let (_, digest) = company.publish("48213", 2).await;
    company.json(&format!("update-ledger {app}=48213 --env dev"), 0).await;

    // The image is not there yet.
    let early = company.json(&format!("update-ledger {app}=48213 --env qa"), 10).await;
    assert_eq!(early["apps"][0]["violations"][0]["rule"], "tag-free");
    assert!(early["next"].as_str().unwrap().contains("copy-artifact"), "{early}");

    let copied = company.json(&format!("copy-artifact {app}=48213 --to qa"), 0).await;
    assert_eq!((&copied["outcome"], &copied["digest"]), (&"copied".into(), &digest.to_string().into()));
    assert!(copied["requests"]["source"].as_u64() > Some(0) && copied["requests"]["destination"].as_u64() > Some(0));
    let again = company.json(&format!("copy-artifact {app}=48213 --to qa"), 0).await;
    assert_eq!((&again["outcome"], &again["bytes"]), (&"already-present".into(), &0.into()));
    let next: Vec<&str> = copied["next"].as_str().unwrap().split(' ').collect();
    assert_eq!(next, ["update-ledger", &format!("{app}=48213"), "--env", "qa"]);

    let updated = company.json(&format!("update-ledger {app}=48213 --env qa"), 0).await;
    assert_eq!((&updated["outcome"], &updated["changes"][0]["to"]), (&"updated".into(), &"48213".into()));
    let again = company.json(&format!("update-ledger {app}=48213 --env qa"), 0).await;
    assert_eq!(again["outcome"], "unchanged");
    asks_for(&company, "qa", "48213");
    assert_eq!(skopeo(&company, "qa", "48213").await, digest);
    assert_eq!(titles(&company).len(), 2);
    assert_eq!(company.git(&["fsck", "--strict", "--no-dangling", "--no-progress"]), "");

    // One step and two come to the same record, but for when and who ran it.
    let record = newest_record(&company, "qa");
    assert_eq!((&record["predicate"]["kind"], &record["predicate"]["from"]), (&"promote".into(), &"dev".into()));
}
