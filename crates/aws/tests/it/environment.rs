//! The environment gives credentials and moves no server.

use std::{
    env, fs,
    net::TcpListener,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
};

use aws::{Access, AwsError};
use registry_copy::Registry;
use serde_json::json;

use crate::{
    alone::{KEYS, alone},
    fake::{Fake, refused_by_sts},
    fixture::{aws_error, ecr, repository, tag, told},
};

const NO_IMDS: (&str, &str) = ("AWS_EC2_METADATA_DISABLED", "true");
const FAKE: &str = "CONVEYOR_TEST_FAKE";

const PROFILE_WITH_ROLE: &str = "[default]\nrole_arn = arn:aws:iam::999999999999:role/Agent\nsource_profile = keys\n\
     [profile keys]\naws_access_key_id = AKIAPROFILE\naws_secret_access_key = canary-secret-access-key\n";

/// A server that somebody would rather have asked. It says nothing and counts who comes.
struct Decoy {
    url: String,
    visits: Arc<AtomicUsize>,
}

impl Decoy {
    fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let decoy = Self { url: format!("http://{}", listener.local_addr().unwrap()), visits: Arc::default() };
        let visits = decoy.visits.clone();
        thread::spawn(move || {
            for _connection in listener.incoming() {
                visits.fetch_add(1, Ordering::SeqCst);
            }
        });
        decoy
    }

    /// All that could lead there.
    fn lures(&self) -> Vec<(&str, &str)> {
        let urls = [
            "AWS_ENDPOINT_URL",
            "AWS_ENDPOINT_URL_STS",
            "AWS_ENDPOINT_URL_ECR",
            "HTTP_PROXY",
            "HTTPS_PROXY",
            "ALL_PROXY",
            "http_proxy",
            "https_proxy",
            "all_proxy",
        ];
        let settings = [
            ("AWS_USE_FIPS_ENDPOINT", "true"),
            ("AWS_USE_DUALSTACK_ENDPOINT", "true"),
            ("AWS_REGION", "eu-west-1"),
            ("AWS_DEFAULT_REGION", "eu-west-1"),
        ];
        urls.into_iter().map(|name| (name, self.url.as_str())).chain(settings).collect()
    }

    fn visits(&self) -> usize {
        self.visits.load(Ordering::SeqCst)
    }
}

/// A fake in this process, for a body that runs in another.
fn fake_here() -> (tokio::runtime::Runtime, Fake) {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let fake = runtime.block_on(Fake::start());
    (runtime, fake)
}

fn fake_there() -> Fake {
    Fake::at(env::var(FAKE).unwrap().parse().unwrap())
}

async fn asks_nicely(fake: &Fake) {
    let ecr = ecr(fake, Access::Read);
    ecr.tag_rule(&repository(), &tag()).await.unwrap();
    assert_eq!(ecr.resolve(&repository(), &tag()).await.unwrap(), None);
}

fn file(text: &str) -> tempfile::NamedTempFile {
    let file = tempfile::NamedTempFile::new().unwrap();
    fs::write(file.path(), text).unwrap();
    file
}

fn path(file: &tempfile::NamedTempFile) -> &str {
    file.path().to_str().unwrap()
}

#[test]
fn env_cannot_move_the_server() {
    let decoy = Decoy::start();
    alone(&[&KEYS[..], &decoy.lures()].concat(), async || {
        let fake = Fake::start().await;
        asks_nicely(&fake).await;
        let [assume] = &fake.seen("AssumeRole")[..] else { panic!() };
        assert!(assume.authorization.contains("/ap-southeast-2/sts/"), "{assume:?}");
    });
    assert_eq!(decoy.visits(), 0);
}

#[test]
fn a_profile_cannot_move_the_server() {
    let decoy = Decoy::start();
    let config = file(&format!(
        "[default]\naws_access_key_id = AKIAPROFILE\naws_secret_access_key = canary-secret-access-key\n\
         region = eu-west-1\nendpoint_url = {0}\nuse_fips_endpoint = true\nservices = all\n\
         [services all]\nsts =\n  endpoint_url = {0}\necr =\n  endpoint_url = {0}\n",
        decoy.url
    ));
    alone(&[("AWS_CONFIG_FILE", path(&config)), NO_IMDS], async || {
        let fake = Fake::start().await;
        asks_nicely(&fake).await;
        let [assume] = &fake.seen("AssumeRole")[..] else { panic!() };
        assert!(assume.authorization.contains("Credential=AKIAPROFILE/"), "{assume:?}");
    });
    assert_eq!(decoy.visits(), 0);
}

#[test]
fn a_web_identity_asks_our_sts_whatever_the_environment_says() {
    let decoy = Decoy::start();
    let token = file("canary-session-token\n");
    let identity = [
        ("AWS_WEB_IDENTITY_TOKEN_FILE", path(&token)),
        ("AWS_ROLE_ARN", "arn:aws:iam::999999999999:role/Agent"),
        ("AWS_ROLE_SESSION_NAME", "build-48213"),
        NO_IMDS,
    ];
    alone(&[&identity[..], &decoy.lures()].concat(), async || {
        let fake = Fake::start().await;
        asks_nicely(&fake).await;
        let actions: Vec<String> = fake.all().into_iter().map(|seen| seen.action).take(3).collect();
        assert_eq!(actions, ["AssumeRoleWithWebIdentity", "AssumeRole", "GetCallerIdentity"]);
        let [seen] = &fake.seen("AssumeRoleWithWebIdentity")[..] else { panic!() };
        assert_eq!(seen.authorization, "");
        for part in ["WebIdentityToken=canary-session-token", "role%2FAgent", "RoleSessionName=build-48213"] {
            assert!(seen.body.contains(part), "{part} in {seen:?}");
        }
    });
    assert_eq!(decoy.visits(), 0);
}

#[test]
fn a_profiles_role_asks_no_other_sts() {
    let decoy = Decoy::start();
    let config = file(PROFILE_WITH_ROLE);
    alone(&[&[("AWS_CONFIG_FILE", path(&config)), NO_IMDS], &decoy.lures()[..]].concat(), async || {
        let fake = Fake::start().await;
        let error = ecr(&fake, Access::Read).tag_rule(&repository(), &tag()).await.unwrap_err();
        assert!(matches!(aws_error(&error), AwsError::NoCredentials { .. }), "{error:?}");
        assert!(told(&error).contains("AWS_ENDPOINT_URL"), "{}", told(&error));
        assert_eq!(fake.all().len(), 0);
    });
    assert_eq!(decoy.visits(), 0);
}

#[test]
fn a_profiles_role_is_assumed_where_the_environment_names_our_own_sts() {
    let (_runtime, fake) = fake_here();
    let config = file(PROFILE_WITH_ROLE);
    let (address, url) = (fake.address(), fake.url().to_string());
    let variables = [("AWS_CONFIG_FILE", path(&config)), ("AWS_ENDPOINT_URL_STS", &url), (FAKE, &address), NO_IMDS];
    let is_parent = alone(&variables, async || {
        ecr(&fake_there(), Access::Read).tag_rule(&repository(), &tag()).await.unwrap();
    });
    if is_parent {
        let assumed: Vec<String> = fake.seen("AssumeRole").into_iter().map(|seen| seen.body).collect();
        assert_eq!(assumed.len(), 2);
        assert!(assumed[0].contains("role%2FAgent") && assumed[1].contains("ConveyorDeployRole"), "{assumed:?}");
    }
}

#[test]
fn a_profiles_role_that_sts_refuses_is_told_in_its_words() {
    let (_runtime, fake) = fake_here();
    fake.always("AssumeRole", refused_by_sts(403, "AccessDenied", "not authorized to perform: sts:AssumeRole"));
    let config = file(PROFILE_WITH_ROLE);
    let (address, url) = (fake.address(), fake.url().to_string());
    let variables = [("AWS_CONFIG_FILE", path(&config)), ("AWS_ENDPOINT_URL_STS", &url), (FAKE, &address), NO_IMDS];
    alone(&variables, async || {
        let error = ecr(&fake_there(), Access::Read).tag_rule(&repository(), &tag()).await.unwrap_err();
        assert!(matches!(aws_error(&error), AwsError::Denied { .. }), "{error:?}");
        assert!(told(&error).contains("not authorized to perform: sts:AssumeRole"), "{}", told(&error));
    });
}

#[test]
fn a_profiles_process_gives_credentials() {
    let config = file(
        "[default]\ncredential_process = echo '{\"Version\":1,\"AccessKeyId\":\"AKIAPROCESS\",\
         \"SecretAccessKey\":\"canary-secret-access-key\"}'\n",
    );
    alone(&[("AWS_CONFIG_FILE", path(&config)), NO_IMDS], async || {
        let fake = Fake::start().await;
        asks_nicely(&fake).await;
        let [assume] = &fake.seen("AssumeRole")[..] else { panic!() };
        assert!(assume.authorization.contains("Credential=AKIAPROCESS/"), "{assume:?}");
    });
}

#[test]
fn a_container_and_a_machine_give_credentials() {
    let given = json!({
        "Code": "Success", "Type": "AWS-HMAC", "LastUpdated": "2026-01-01T00:00:00Z",
        "AccessKeyId": "AKIAMACHINE", "SecretAccessKey": "canary-secret-access-key", "Token": "canary-session-token",
        "Expiration": "2100-01-01T00:00:00Z", "RoleArn": "arn:aws:iam::999999999999:role/Agent",
    });
    let (_runtime, fake) = fake_here();
    fake.always("/credentials", (200, given.to_string()));
    fake.always("/latest/api/token", (200, "a-token".to_owned()));
    fake.always("/latest/meta-data/iam/security-credentials/", (200, "Agent".to_owned()));
    fake.always("/latest/meta-data/iam/security-credentials/Agent", (200, given.to_string()));
    let (address, url) = (fake.address(), fake.url().to_string());
    let container = format!("{url}credentials");
    let mut credentials = vec![];
    for variable in
        [("AWS_CONTAINER_CREDENTIALS_FULL_URI", container.as_str()), ("AWS_EC2_METADATA_SERVICE_ENDPOINT", &url)]
    {
        let is_parent = alone(&[variable, (FAKE, &address)], async || {
            ecr(&fake_there(), Access::Read).tag_rule(&repository(), &tag()).await.unwrap();
        });
        if !is_parent {
            return;
        }
        credentials.extend(fake.seen("AssumeRole").into_iter().map(|seen| seen.authorization));
    }
    assert_eq!(credentials.len(), 1 + 2, "{credentials:?}");
    assert!(credentials.iter().all(|sent| sent.contains("Credential=AKIAMACHINE/")), "{credentials:?}");
}

#[test]
fn no_credentials_say_what_the_step_needs() {
    alone(&[NO_IMDS], async || {
        let fake = Fake::start().await;
        let error = ecr(&fake, Access::Read).tag_rule(&repository(), &tag()).await.unwrap_err();
        assert!(matches!(aws_error(&error), AwsError::NoCredentials { .. }), "{error:?}");
        assert!(error.is_denied() && !error.is_retryable());
        assert!(told(&error).contains("AWS_WEB_IDENTITY_TOKEN_FILE"), "{}", told(&error));
        assert_eq!(fake.all().len(), 0);
    });
}

#[test]
fn a_web_identity_that_is_wrong_says_how() {
    let agent = ("AWS_ROLE_ARN", "arn:aws:iam::999999999999:role/Agent");
    let token = file("canary-session-token\n");
    for (variables, expected) in [
        (vec![("AWS_WEB_IDENTITY_TOKEN_FILE", "/nonexistent/token"), agent], "No such file"),
        (vec![("AWS_WEB_IDENTITY_TOKEN_FILE", path(&token)), ("AWS_ROLE_ARN", "Agent")], "write arn:aws:iam::"),
        (vec![("AWS_WEB_IDENTITY_TOKEN_FILE", path(&token)), agent], "ExpiredTokenException: it ended"),
    ] {
        let variables = [&variables[..], &[NO_IMDS, ("EXPECTED", expected)]].concat();
        let is_parent = alone(&variables, async || {
            let fake = Fake::start().await;
            let ended = refused_by_sts(400, "ExpiredTokenException", "it ended");
            fake.always("AssumeRoleWithWebIdentity", ended);
            let error = ecr(&fake, Access::Read).tag_rule(&repository(), &tag()).await.unwrap_err();
            let expected = env::var("EXPECTED").unwrap();
            assert!(told(&error).contains(&expected), "{expected} in {}", told(&error));
        });
        if !is_parent {
            return;
        }
    }
}
