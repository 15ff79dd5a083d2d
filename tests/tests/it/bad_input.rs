//! Each bad input: a clear sentence, the documented exit code, one document as JSON, nothing half done.

use serde_json::Value;
use tests::{APP, Act, Answer, Company, Phase, Seen};

const MANIFEST: &str = "apps/payments-api/qa/values.yaml";
const TO_QA: &str = "conveyor promote payments-api=48213 --to qa";
const COPY_TO_QA: &str = "copy-artifact payments-api=48213 --to qa";

/// A company in whose dev 48213 runs.
async fn company() -> Company {
    let company = Company::behind_proxies().await;
    company.publish("48213", 1).await;
    company.json("conveyor promote payments-api=48213 --to dev", 0).await;
    company
}

fn kind(document: &Value) -> &str {
    document["error"]["kind"].as_str().unwrap()
}

fn is_at(seen: &Seen, server: &str, method: &str, part: &str) -> bool {
    seen.server == server && seen.method == method && seen.path.contains(part)
}

/// The same answer with its first byte changed.
fn flipped(mut answer: Answer) -> Answer {
    let mut bytes = answer.body().to_vec();
    bytes[0] ^= 1;
    *answer.body_mut() = bytes.into();
    answer
}

fn without_its_digest(mut answer: Answer) -> Answer {
    answer.headers_mut().remove("docker-content-digest");
    answer
}

#[tokio::test]
async fn the_tag_latest_and_other_words_that_are_none() {
    let company = company().await;
    let registry = company.registry("dev");
    for (line, words) in [
        ("copy-artifact REGISTRY/a:latest 127.0.0.1:9/b:1".replace("REGISTRY", registry), "latest"),
        ("copy-artifact REGISTRY/a:1 127.0.0.1:9/b:latest".replace("REGISTRY", registry), "latest"),
        ("copy-artifact payments-api=latest --to qa".to_owned(), "latest"),
        ("conveyor promote payments-api=latest --to qa".to_owned(), "latest"),
        ("update-ledger payments-api=latest --env qa".to_owned(), "latest"),
        ("check-policy payments-api=latest --to qa".to_owned(), "latest"),
        ("conveyor promote payments-api=048213 --to qa".to_owned(), "048213"),
        ("conveyor promote payments-api --to qa".to_owned(), "APP=BUILD"),
        ("conveyor promote payments-api=48213 --to QA".to_owned(), "QA"),
        ("conveyor promote payments-api=48213 --to qa --timeout soon".to_owned(), "90s"),
        ("conveyor promote payments-api=48213 --to qa --expect-digest sha256:1".to_owned(), "sha256"),
        ("conveyor promote payments-api=48213".to_owned(), "--to"),
        ("conveyor".to_owned(), "promote"),
        ("copy-artifact payments-api=48213 --from ./image --to dev".to_owned(), "oci:DIRECTORY"),
    ] {
        assert_eq!(kind(&company.fails(&line, 2, &[words]).await), "usage", "{line}");
    }
    assert!(company.seen().iter().all(|seen| seen.server != "qa"), "and nothing was asked");
}

#[tokio::test]
async fn an_unknown_app_or_environment() {
    let company = company().await;
    for line in
        ["conveyor promote billing=48213 --to qa", "copy-artifact billing=1 --to qa", "check-policy billing=1 --to qa"]
    {
        let words =
            ["there is no app billing in conveyor.yaml", "orders-api, payments-api", "support: #platform-support"];
        assert_eq!(company.fails(line, 2, &words).await["support"], "#platform-support");
    }
    for line in ["conveyor promote payments-api=48213 --to staging", "update-ledger payments-api=48213 --env staging"] {
        let words = ["there is no environment staging in conveyor.yaml", "dev, prod-wealth, qa"];
        company.fails(line, 2, &words).await;
    }
    company.fails("conveyor promote payments-api=1 payments-api=2 --to qa", 2, &["payments-api is named twice"]).await;
    company.fails("copy-artifact payments-api=48213 --to dev", 2, &["dev promotes from nowhere", "--from oci:"]).await;
}

#[tokio::test]
async fn a_broken_conveyor_yaml() {
    let company = company().await;
    let good = company.file("conveyor.yaml");
    for (from, to, line, words) in [
        ("promotes_from: qa", "promotes_from: uat", "promotes_from: uat", "write one of dev, prod-wealth, qa"),
        ("required: 1", "requried: 1", "requried: 1", "requried"),
        ("version: 1", "version: 2", "version: 2", "write `version: 1`"),
        ("sync: manual", "sync: perhaps", "sync: perhaps", "manual"),
        ("key: image.tag", "key: \"\"", "key: \"\"", "key"),
        ("branches: [refs/heads/main]", "branches: [refs/heads/main", "", "conveyor.schema.json"),
        ("apps:\n", "apps:\n\tx: 1\n", "x: 1", "conveyor.schema.json"),
    ] {
        let broken = good.replacen(from, to, 1);
        assert_ne!(broken, good, "{from}");
        company.write("conveyor.yaml", &broken);
        let number = broken.lines().position(|text| !line.is_empty() && text.contains(line));
        let place = number.map_or("conveyor.yaml:".to_owned(), |number| format!("conveyor.yaml:{}:", number + 1));
        let failed = company.fails(TO_QA, 2, &[&place, line, words, "help: "]).await;
        assert!(failed["error"]["message"].as_str().unwrap().contains(&place), "{failed}");
    }
    company.write("conveyor.yaml", &good.replace("branch: main", "branch: other"));
    company.fails(TO_QA, 2, &["conveyor.yaml says that its Ledger is", "other", "correct --ledger"]).await;
}

#[tokio::test]
async fn a_registry_that_lies_about_a_digest() {
    let company = company().await;
    // What it says under the tag is not what its header says.
    company.rule(|seen| match is_at(seen, "dev", "GET", "/manifests/") {
        true => Act::change(flipped),
        false => Act::Pass,
    });
    assert_eq!(kind(&company.fails(COPY_TO_QA, 13, &["the manifest should be sha256:"]).await), "integrity");
    // The tag moved behind the record's back.
    company.rule(|seen| match is_at(seen, "dev", "GET", "/manifests/48213") {
        true => Act::change(|answer| flipped(without_its_digest(answer))),
        false => Act::Pass,
    });
    let words = ["payments-api 48213 is sha256:", "in the registry of dev, but sha256:", "nothing was moved"];
    company.fails(TO_QA, 13, &words).await;
    // A blob is another.
    company.rule(|seen| match is_at(seen, "dev", "GET", "/blobs/") {
        true => Act::change(flipped),
        false => Act::Pass,
    });
    let failed = company.fails(TO_QA, 13, &["the source failed", "should be sha256:", "happened: copied no"]).await;
    assert_eq!((&failed["running"][APP.name], kind(&failed)), (&"".into(), "integrity"));
    assert_eq!(failed["happened"]["copied"], false);
    company.calm();
    company.json(TO_QA, 0).await;
}

#[tokio::test]
async fn a_destination_that_lies_about_a_digest() {
    let company = company().await;
    let put = std::sync::atomic::AtomicBool::new(false);
    company.rule(move |seen| {
        if is_at(seen, "qa", "PUT", "/manifests/48213") {
            put.store(true, std::sync::atomic::Ordering::SeqCst);
        }
        let lies = put.load(std::sync::atomic::Ordering::SeqCst) && is_at(seen, "qa", "GET", "/manifests/48213");
        if lies { Act::change(|answer| flipped(without_its_digest(answer))) } else { Act::Pass }
    });
    let failed = company.json(COPY_TO_QA, 13).await;
    assert!(failed["error"]["message"].as_str().unwrap().contains("but reading it back gives sha256:"), "{failed}");
    assert_eq!(failed["happened"]["copied"], false);
}

#[tokio::test]
async fn something_is_missing_at_the_source() {
    let company = company().await;
    company.rule(|seen| match is_at(seen, "dev", "GET", "/blobs/") {
        true => Act::answer(404, ""),
        false => Act::Pass,
    });
    let failed = company.fails(TO_QA, 1, &["the source failed", "there is no blob sha256:"]).await;
    assert_eq!((kind(&failed), &failed["error"]["retryable"]), ("failed", &false.into()));
    company.rule(|seen| match is_at(seen, "dev", "GET", "/manifests/") {
        true => Act::answer(404, ""),
        false => Act::Pass,
    });
    let denied = company.fails(TO_QA, 10, &["denied: payments-api may not go to qa"]).await;
    assert_eq!(denied["outcome"], "denied");
}

#[tokio::test]
async fn a_manifest_of_50_mib() {
    let company = company().await;
    company.rule(|seen| match is_at(seen, "dev", "GET", "/manifests/") {
        true => Act::answer(200, vec![b' '; 50 << 20]),
        false => Act::Pass,
    });
    company
        .fails(TO_QA, 10, &["denied: payments-api may not go to qa", "the manifest is refused: it has more than 4 MiB"])
        .await;
    let raw = format!("copy-artifact {}/a/b:1 127.0.0.1:9/a/b:1", company.registry("dev"));
    company.fails(&raw, 1, &["the manifest is refused: it has more than 4 MiB"]).await;

    company.calm();
    let (layout, digest) = company.layout(7).await;
    let build = APP.build("48214".parse().unwrap(), &tests::ana());
    company.releases().add_build(build).unwrap();
    let large = vec![b' '; 50 << 20];
    std::fs::write(layout.join("blobs/sha256").join(digest.hex()), large).unwrap();
    let publish = format!("copy-artifact payments-api=48214 --from oci:{} --to dev", layout.display());
    company.fails(&publish, 1, &["the source failed", "the manifest is refused"]).await;
}

/// Long enough for all that comes before the server that does not answer, on a busy machine too.
const IMPATIENT: &str = "--timeout 4s";

/// Must fail as what may pass.
async fn temporary(company: &Company, line: &str, words: &[&str]) -> Value {
    let failed = company.fails(&format!("{line} {IMPATIENT}"), 3, &[words, &["run it again"]].concat()).await;
    assert_eq!((kind(&failed), &failed["error"]["retryable"]), ("temporary", &true.into()));
    failed
}

#[tokio::test]
async fn an_unreachable_registry() {
    let mut company = company().await;
    // It takes the connection and says nothing.
    company.rule(|seen| if seen.server == "qa" { Act::hold(Phase::Before) } else { Act::Pass });
    let words = ["the registry of qa"];
    tokio::join!(temporary(&company, TO_QA, &words), temporary(&company, COPY_TO_QA, &words));
    company.calm();
    company.unplug("qa");
    let raw = format!("copy-artifact {0}/a/b:1 127.0.0.1:9/a/b:1", company.registry("qa"));
    tokio::join!(
        temporary(&company, TO_QA, &words),
        temporary(&company, COPY_TO_QA, &words),
        temporary(&company, &raw, &["failed", "run it again: copy-artifact"]),
    );
}

#[tokio::test]
async fn an_unreachable_ledger() {
    let mut company = company().await;
    // It takes the connection and says nothing.
    company.rule(|seen| if seen.server == "ledger" { Act::hold(Phase::Before) } else { Act::Pass });
    temporary(&company, TO_QA, &["the Ledger's server gave no usable answer", "the time is up"]).await;
    company.calm();
    company.unplug("ledger");
    temporary(&company, TO_QA, &["the Ledger's server gave no usable answer", "no connection"]).await;
}

#[tokio::test]
async fn an_unreachable_azure_devops() {
    let mut company = company().await;
    company.rule(|seen| if seen.server == "azure" { Act::answer(503, "") } else { Act::Pass });
    let failed = temporary(
        &company,
        TO_QA,
        &["not decided: whether payments-api may go to qa is not known", "build-of-definition", "503"],
    )
    .await;
    assert_eq!(failed["happened"]["copied"], false);
    company.unplug("azure");
    let failed = temporary(&company, TO_QA, &["build-of-definition", "no connection"]).await;
    let rules = failed["apps"][0]["rules"].as_array().unwrap();
    assert!(rules.contains(&serde_json::json!({ "id": "build-of-definition", "verdict": "unknown" })), "{failed}");
}

#[tokio::test]
async fn an_azure_devops_that_shows_a_sign_in_page() {
    let company = company().await;
    for (status, words) in [(203, "the server answered 203"), (200, "not JSON")] {
        company.rule(move |seen| match seen.server {
            "azure" => Act::answer(status, "<html>Sign in</html>"),
            _ => Act::Pass,
        });
        company.fails(TO_QA, 10, &["denied: payments-api may not go to qa", words]).await;
    }
}

#[tokio::test]
async fn a_ledger_file_without_the_key() {
    let company = company().await;
    company.edit(MANIFEST, |text| text.replace("  tag: \"\"\n", ""));
    let words = [&*format!("{MANIFEST}:4"), "there is no image.tag"];
    for line in [TO_QA, "update-ledger payments-api=48213 --env qa"] {
        assert_eq!(kind(&company.fails(line, 2, &words).await), "usage");
    }
    company.edit(MANIFEST, |text| text.replace("image:", "image: &x"));
    company.edit(MANIFEST, |text| text.replace("pullPolicy:", "tag: [a]\n  pullPolicy:"));
    company.fails(TO_QA, 2, &[&format!("{MANIFEST}:")]).await;
    company.git(&["update-ref", "refs/heads/main", "main~3"]);
    company.json(TO_QA, 0).await;
}

#[tokio::test]
async fn no_ledger_or_a_wrong_one() {
    let mut company = company().await;
    let missing = format!("{}/missing.git", company.ledger_url());
    company.fails(&format!("{TO_QA} --ledger {missing}"), 1, &["no such repository"]).await;
    company.fails(&format!("{TO_QA} --branch other"), 1, &["the Ledger has no branch"]).await;
    company.fails(&format!("{TO_QA} --ledger svn://git.example/x"), 2, &["write https://HOST/PATH"]).await;
    company.set("TF_BUILD", Some("True"));
    company.fails(TO_QA, 2, &["no Ledger is named", "--ledger URL"]).await;
    company.json(&format!("check-policy payments-api=48213 --to qa --ledger {}", company.ledger_url()), 0).await;
    company.set("TF_BUILD", None);
    company.set("CONVEYOR_LEDGER", None);
    for line in [TO_QA, COPY_TO_QA, "update-ledger payments-api=48213 --env qa", "check-policy payments-api=1 --to qa"]
    {
        company.fails(line, 2, &["no Ledger is named", "--ledger URL"]).await;
    }
}

#[tokio::test]
async fn variables_and_credentials_that_are_none() {
    let mut company = company().await;
    company.set("RELEASE_RELEASEID", Some("$(Release.ReleaseId)"));
    company.fails(TO_QA, 2, &["RELEASE_RELEASEID is \"$(Release.ReleaseId)\"", "the release's number"]).await;
    company.set("RELEASE_RELEASEID", Some("880"));
    let file = company.scratch("auth.json");
    company.set("REGISTRY_AUTH_FILE", Some(file.to_str().unwrap()));
    std::fs::write(&file, "{").unwrap();
    company.fails(TO_QA, 2, &["auth.json", "not a docker configuration"]).await;
    std::fs::write(&file, "{}").unwrap();
    company.fails(TO_QA, 10, &["wants credentials, and none are known for it"]).await;
    company.set("REGISTRY_AUTH_FILE", None);
    company.set("SYSTEM_ACCESSTOKEN", None);
    company.fails(TO_QA, 10, &["denied", "401"]).await;
}

#[tokio::test]
async fn raw_forms_of_what_is_configured() {
    let mut company = company().await;
    let (dev, qa) = (company.registry("dev").to_owned(), company.registry("qa").to_owned());
    let raw = format!("copy-artifact {dev}/forge/payments-api:48213 {qa}/forge/payments-api:48213");
    company.fails(&raw, 2, &["is in the registry of qa", "copy with APP=BUILD --to qa"]).await;
    company.fails(&format!("{raw} --ledger {}", company.ledger_url()), 2, &["is in the registry of qa"]).await;
    let port = qa.rsplit(':').next().unwrap();
    for host in ["localhost", "LOCALHOST", "127.0.0.2", "[::1]"] {
        let raw = format!("copy-artifact {dev}/forge/payments-api:48213 {host}:{port}/forge/payments-api:48213");
        company.fails(&raw, 2, &["is in the registry of qa"]).await;
    }
    let update = format!("update-ledger --repo {} --file {MANIFEST} --key image.tag --set 48213", company.ledger_url());
    company.fails(&update, 2, &["this repository is a Ledger", "use APP=BUILD --env ENV"]).await;
    company.fails(&format!("{update} --dry-run"), 2, &["this repository is a Ledger"]).await;
    let conveyor_yaml = company.file("conveyor.yaml");
    let registry = format!("registry: {{ url: \"http://{qa}\", mutable_tags: detect-only }}");
    let account = "account: \"222222222222\"\n    region: ap-southeast-2";
    company.write("conveyor.yaml", &conveyor_yaml.replace(&registry, account));
    let to = |host: &str| format!("copy-artifact {dev}/forge/payments-api:48213 {host}/forge/payments-api:48213");
    for host in [
        "222222222222.dkr.ecr.ap-southeast-2.amazonaws.com",
        "222222222222.dkr.ecr.ap-southeast-2.amazonaws.com:443",
        "222222222222.dkr.ecr-fips.ap-southeast-2.amazonaws.com",
        "222222222222.dkr-ecr.ap-southeast-2.on.aws",
        "222222222222.dkr-ecr-fips.ap-southeast-2.on.aws",
    ] {
        company.fails(&to(host), 2, &["is in the registry of qa", "copy with APP=BUILD --to qa"]).await;
    }
    let endpoint = to("vpce-0a1b.dkr.ecr.ap-southeast-2.vpce.amazonaws.com");
    company.fails(&endpoint, 2, &["vpce-0a1b", "write ACCOUNT.dkr.ecr.REGION.amazonaws.com"]).await;
    company.write("conveyor.yaml", &conveyor_yaml);

    company.set("CONVEYOR_LEDGER", None);
    for host in [
        "111111111111.dkr.ecr.ap-southeast-2.amazonaws.com",
        "111111111111.dkr.ecr.cn-north-1.amazonaws.com.cn",
        "111111111111.dkr.ecr-fips.us-east-1.amazonaws.com",
        "111111111111.dkr-ecr.ap-southeast-2.on.aws",
        "111111111111.dkr-ecr-fips.us-east-1.on.aws",
    ] {
        company.fails(&to(host), 2, &["may be in an environment's registry", "name the Ledger with --ledger"]).await;
    }
    let untagged = format!("copy-artifact {dev}/a/b:1 127.0.0.1:9/a/b@sha256:{}", "0".repeat(64));
    company.fails(&untagged, 2, &["has no tag to copy to", "write REGISTRY/REPOSITORY:TAG"]).await;
}

#[tokio::test]
async fn flags_that_do_not_go_together() {
    let company = company().await;
    let here = company.scratch("conveyor.yaml");
    std::fs::write(&here, company.file("conveyor.yaml")).unwrap();
    company.fails(&format!("{TO_QA} --config {}", here.display()), 2, &["--dry-run"]).await;
    let planned = company.json(&format!("{TO_QA} --config {} --dry-run", here.display()), 0).await;
    assert_eq!((&planned["outcome"], planned["warnings"].as_array().map(Vec::len)), (&"planned".into(), Some(1)));
    company.fails(&format!("{TO_QA} --config /nonexistent --dry-run"), 2, &["/nonexistent cannot be read"]).await;
    company.fails(&format!("{TO_QA} -v -q"), 2, &["--verbose"]).await;
    company.fails("update-ledger --repo file:///x --file a --key b", 2, &["--set"]).await;
    company.fails("update-ledger payments-api=1 --env qa --set 1", 2, &["--repo"]).await;
}

#[tokio::test]
async fn a_layout_that_is_none_and_a_digest_that_differs() {
    let company = company().await;
    let nothing = company.scratch("nothing");
    let publish = format!("copy-artifact payments-api=48214 --from oci:{} --to dev", nothing.display());
    company.fails(&publish, 2, &["the OCI layout cannot be published", "nothing"]).await;
    let (layout, _) = company.layout(1).await;
    let publish = format!("copy-artifact payments-api=48214 --from oci:{} --to qa", layout.display());
    company.fails(&publish, 2, &["qa promotes from dev", "only the first environment"]).await;

    let other = format!("sha256:{}", "0".repeat(64));
    for line in [TO_QA, COPY_TO_QA] {
        let failed = company.fails(&format!("{line} --expect-digest {other}"), 13, &[&other, "was expected"]).await;
        assert_eq!(kind(&failed), "integrity");
    }
    let two = format!("conveyor promote payments-api=1 orders-api=2 --to qa --expect-digest {other}");
    company.fails(&two, 2, &["--expect-digest is for one build"]).await;
}

#[tokio::test]
async fn what_to_do_next_names_the_ledger_that_was_named() {
    let mut company = company().await;
    let flags = format!("--ledger {} --branch main", company.ledger_url());
    company.set("CONVEYOR_LEDGER", None);
    let to_prod = "conveyor promote payments-api=48213 --to prod-wealth";
    let remedy = format!("promote it there first: conveyor promote payments-api=48213 --to qa {flags}");
    let denied = company.fails(&format!("{to_prod} {flags}"), 10, &[&format!("next: {remedy}")]).await;
    assert_eq!(
        (&denied["next"], &denied["apps"][0]["violations"][0]["remedy"]),
        (&remedy.clone().into(), &remedy.into())
    );
    let copied = company.json(&format!("{COPY_TO_QA} {flags}"), 0).await;
    assert_eq!(copied["next"], format!("update-ledger payments-api=48213 --env qa {flags}"));
}

#[tokio::test]
async fn a_place_that_holds_no_build() {
    let company = company().await;
    company.edit(MANIFEST, |text| text.replace("tag: \"\"", "tag: latest"));
    let words = ["the place holds latest", "next: \"latest\" is no build: put a build number or \"\" there"];
    company.fails(TO_QA, 14, &words).await;
    company.edit(MANIFEST, |text| text.replace("tag: latest", "tag: \"48300\""));
    company.fails(TO_QA, 14, &["next: nothing, if 48300 is right; to go forward, promote a build newer"]).await;
}

#[tokio::test]
async fn a_digest_file_that_cannot_be_written() {
    let company = company().await;
    let folder = company.scratch("digests");
    std::fs::create_dir(&folder).unwrap();
    let copy = |file: &str| format!("{COPY_TO_QA} --digest-file {}/{file}", folder.display());
    for (file, because) in [("no/digest", "No such file"), ("", "no ordinary file")] {
        // Nothing was copied: what cannot be told is not done.
        company.fails(&copy(file), 1, &["could not be written", because, "run it again"]).await;
    }
    company.json(&copy("digest --dry-run"), 0).await;
    assert_eq!(std::fs::read_dir(&folder).unwrap().count(), 0, "a dry run writes nothing");
    std::fs::write(folder.join("digest"), "old").unwrap();
    let copied = company.json(&copy("digest"), 0).await;
    let written = std::fs::read_to_string(folder.join("digest")).unwrap();
    assert_eq!(written, format!("{}\n", copied["digest"].as_str().unwrap()));
    assert_eq!(std::fs::read_dir(&folder).unwrap().count(), 1, "and nothing else");
}

#[tokio::test]
async fn a_document_that_cannot_be_written_is_no_success() {
    let company = company().await;
    let full = std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    let mut command = company.command("check-policy payments-api=48213 --to qa --output json");
    let ran = Company::end(command.stdout(full).spawn().unwrap()).await;
    assert_eq!(ran.code, 1, "{ran:?}");
    assert!(ran.stderr.contains("could not be written to stdout"), "{ran:?}");
}
