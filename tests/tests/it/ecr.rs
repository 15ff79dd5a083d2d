//! Environments in accounts of their own: the real binaries, a scripted STS and ECR, and registries with ECR's manners.

mod aws;
mod moto;

use sandbox::registry_copy::{InMemory, TagRule};
use sandbox::{ENVIRONMENTS, RegistryOptions, RegistryServer};
use tests::{APP, Company};

use self::{
    aws::{Aws, TOKEN, account},
    moto::Moto,
};

const TO_QA: &str = "conveyor promote payments-api=48213 --to qa";

/// A company whose environments are accounts.
struct Cloud {
    company: Company,
    aws: Aws,
    registries: Vec<RegistryServer>,
}

/// Makes each environment of conveyor.yaml one of an account, with these registries, and names the servers of AWS.
fn settle(company: &Company, aws: &str, registries: &[RegistryServer], pull_role: bool) {
    company.edit("conveyor.yaml", |text| {
        let endpoints = format!("version: 1\nendpoints: {{ sts: \"{aws}\", ecr: \"{aws}\" }}");
        let mut text = text.replace("version: 1", &endpoints);
        for (name, registry) in ENVIRONMENTS.iter().zip(registries) {
            let url = company.registry(name);
            let before = format!("registry: {{ url: \"http://{url}\", mutable_tags: detect-only }}");
            let role = |kind: &str| format!("\"arn:aws:iam::{}:role/{kind}-{name}\"", account(name));
            let pull = if pull_role { format!("\n    pull_role: {}", role("Pull")) } else { String::new() };
            let after = format!(
                "account: \"{}\"\n    region: ap-southeast-2\n    role: {}{pull}\n    \
                 registry: {{ url: \"{}\", ecr: true }}",
                account(name),
                role("Deploy"),
                registry.url()
            );
            assert!(text.contains(&before), "{text}");
            text = text.replace(&before, &after);
        }
        text
    });
}

/// An ECR that takes this token.
async fn registry(token: &str) -> RegistryServer {
    let memory = InMemory::new();
    memory.create(&APP.repository.parse().unwrap(), TagRule::Immutable);
    RegistryServer::start(memory, RegistryOptions::ecr(token)).await.unwrap()
}

/// What a step's environment has of AWS.
fn enter(company: &mut Company) {
    for (name, value) in [
        ("AWS_ACCESS_KEY_ID", "AKIAAGENT"),
        ("AWS_SECRET_ACCESS_KEY", "canary-of-the-agent"),
        ("AWS_EC2_METADATA_DISABLED", "true"),
        // Conveyor's own endpoints count, and no others.
        ("AWS_ENDPOINT_URL", "http://127.0.0.1:9"),
    ] {
        company.set(name, Some(value));
    }
}

impl Cloud {
    /// Dev has a role to be read under where `pull_role` says so.
    async fn new(pull_role: bool) -> Self {
        let mut company = Company::behind_proxies().await;
        let mut registries = Vec::new();
        for _ in ENVIRONMENTS {
            registries.push(registry(TOKEN).await);
        }
        let aws = Aws::start(registries.iter().map(|registry| registry.memory().clone()).collect()).await;
        settle(&company, &aws.url, &registries, pull_role);
        enter(&mut company);
        Self { company, aws, registries }
    }

    /// What an environment's registry was asked so far.
    fn asked(&self, environment: &str) -> usize {
        let place = ENVIRONMENTS.iter().position(|name| *name == environment).unwrap();
        self.registries[place].log().requests().len()
    }

    fn digests(&self, environment: &str) -> usize {
        let place = ENVIRONMENTS.iter().position(|name| *name == environment).unwrap();
        self.registries[place].memory().digests(&APP.repository.parse().unwrap()).len()
    }
}

#[tokio::test]
async fn the_same_bytes_from_account_to_account() {
    for (pull_role, reader) in [(true, "Pull-dev"), (false, "Deploy-qa")] {
        let cloud = Cloud::new(pull_role).await;
        let (published, digest) = cloud.company.publish("48213", 1).await;
        assert_eq!((&published["outcome"], &published["digest"]), (&"copied".into(), &digest.to_string().into()));
        assert_eq!(cloud.aws.callers(), ["Deploy-dev"], "each call is by the target's role");
        cloud.company.json("conveyor promote payments-api=48213 --to dev", 0).await;

        cloud.aws.forget();
        let planned = cloud.company.json(&format!("{TO_QA} --dry-run"), 0).await;
        let moves = &planned["apps"][0]["copy"];
        assert_eq!((&planned["outcome"], &moves["blobs"]["copied"]), (&"planned".into(), &3.into()), "{planned}");
        assert_eq!(cloud.digests("qa"), 0, "a dry run writes nothing");

        let promoted = cloud.company.json(TO_QA, 0).await;
        let copy = &promoted["apps"][0]["copy"];
        assert_eq!((&promoted["outcome"], &copy["digest"]), (&"updated".into(), &digest.to_string().into()));
        assert_eq!((&copy["blobs"], &copy["bytes"]), (&moves["blobs"], &moves["bytes"]), "as it was planned");
        assert!(copy["requests"]["source"].as_u64() > Some(0), "{copy}");
        let mut callers = vec!["Deploy-qa", reader];
        callers.sort_unstable();
        callers.dedup();
        assert_eq!(cloud.aws.callers(), callers, "the source is read under {reader}");
        assert!(cloud.aws.sessions_are_narrowed_to(APP.repository));
        assert_eq!(cloud.company.json(TO_QA, 0).await["outcome"], "unchanged");
    }
}

#[tokio::test]
async fn a_wrong_account_stops_it_before_any_byte_moves() {
    let cloud = Cloud::new(true).await;
    cloud.company.publish("48213", 1).await;
    cloud.company.json("conveyor promote payments-api=48213 --to dev", 0).await;
    for (role, expected) in [("Deploy-qa", account("qa")), ("Pull-dev", account("dev"))] {
        cloud.aws.is_really(role, "444444444444");
        let before = cloud.asked("qa");
        for line in [TO_QA, "copy-artifact payments-api=48213 --to qa", "check-policy payments-api=48213 --to qa"] {
            let ran = cloud.company.run(&format!("{line} --output json")).await;
            let document = ran.document();
            assert_eq!((ran.code, &document["error"]["kind"]), (2, &"usage".into()), "{role}: {line}: {document}");
            let message = document["error"]["message"].as_str().unwrap();
            assert!(message.contains("of account 444444444444") && message.contains(expected), "{message}");
            assert_eq!(document["happened"]["copied"], false);
            assert!(!format!("{ran:?}").contains("canary"), "{ran:?}");
        }
        assert_eq!(cloud.digests("qa"), 0, "{role}");
        if role == "Deploy-qa" {
            assert_eq!(cloud.asked("qa"), before, "nothing was asked with the wrong credentials");
        }
        cloud.aws.is_really(role, expected);
    }
    cloud.company.json(TO_QA, 0).await;
}

#[tokio::test]
async fn who_may_not_is_told_so_and_who_should_know_is_warned() {
    let mut cloud = Cloud::new(true).await;
    cloud.company.publish("48213", 1).await;
    cloud.company.json("conveyor promote payments-api=48213 --to dev", 0).await;
    cloud.aws.refuses("Deploy-qa");
    let denied = cloud.company.json(TO_QA, 10).await;
    let told = denied["apps"][0]["violations"].to_string();
    assert!(told.contains("Deploy-qa cannot be assumed (AccessDenied"), "{told}");
    assert!(told.contains("may read the registry of qa"), "{told}");
    cloud.aws.lets_everybody_in();

    cloud.aws.expires_images();
    let promoted = cloud.company.json(TO_QA, 0).await;
    let warnings = promoted["warnings"].to_string();
    assert!(warnings.contains("qa: ") && warnings.contains("lifecycle"), "{warnings}");

    cloud.company.set("AWS_ACCESS_KEY_ID", None);
    let failed = cloud.company.json("check-policy payments-api=48213 --to qa", 10).await;
    assert!(failed["apps"][0]["violations"].to_string().contains("no AWS credentials were found"), "{failed}");
}

#[tokio::test]
async fn the_raw_form_does_not_go_where_policy_is_asked() {
    let cloud = Cloud::new(false).await;
    let (layout, _) = cloud.company.layout(1).await;
    assert!(layout.is_dir());
    let qa = &cloud.registries[1].authority();
    let ecr = format!("{}.dkr.ecr.us-east-1.amazonaws.com", account("qa"));
    for destination in [qa, &ecr] {
        let line = format!("copy-artifact {}/x:1 {destination}/{}:1", cloud.registries[0].authority(), APP.repository);
        cloud.company.fails(&line, 2, &["is in the registry of qa", "--to qa"]).await;
    }
    assert_eq!((cloud.asked("qa"), cloud.aws.callers().len()), (0, 0));
}

#[tokio::test]
async fn roles_tokens_and_preflight_of_moto() {
    let mut company = Company::behind_proxies().await;
    let moto = Moto::start().await;
    let mut registries = Vec::new();
    for name in ENVIRONMENTS {
        registries.push(registry(&format!("{}-auth-token", account(name))).await);
    }
    settle(&company, &moto.url, &registries, true);
    enter(&mut company);
    moto.create(account("dev"), APP.repository).await;
    let (_, digest) = company.publish("48213", 1).await;
    let held = registries[0].memory().tags(&APP.repository.parse().unwrap());
    assert_eq!(held.into_values().collect::<Vec<_>>(), [digest]);
    company.json("conveyor promote payments-api=48213 --to dev", 0).await;

    let denied = company.json(TO_QA, 10).await;
    let told = denied["apps"][0]["violations"].to_string();
    assert!(told.contains("there is no repository") && told.contains("in the registry of qa"), "{told}");
    moto.create(account("qa"), APP.repository).await;
    assert_eq!(company.json(TO_QA, 0).await["outcome"], "updated");
    assert_eq!(
        registries[1].memory().tags(&APP.repository.parse().unwrap()).into_values().collect::<Vec<_>>(),
        [digest]
    );
}
