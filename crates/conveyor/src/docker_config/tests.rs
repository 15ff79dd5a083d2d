use std::{fs, os::unix::fs::PermissionsExt as _, path::Path, sync::Arc, time::Duration};

use aws::Access;
use base64::{Engine as _, engine::general_purpose::STANDARD};
use secrecy::ExposeSecret as _;
use tempfile::TempDir;
use tokio::time::Instant;

use super::{helper::Surroundings, *};
use crate::{Connect as _, Live};

/// Who was found, as one word.
fn shown(found: Option<Found>) -> String {
    match found.map(|found| found.login) {
        None => "nobody".to_owned(),
        Some(Login::Plain(Credentials::Basic { user, password })) => format!("{user}:{}", password.expose_secret()),
        Some(Login::Plain(Credentials::Bearer(token))) => format!("bearer {}", token.expose_secret()),
        Some(Login::Plain(Credentials::Anonymous)) => "anonymous".to_owned(),
        Some(Login::Identity(token)) => format!("identity {}", token.expose_secret()),
    }
}

/// A folder with configuration files and helpers.
struct Home(TempDir);

impl Home {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    /// Docker's configuration with this text.
    fn with(text: &str) -> Self {
        let home = Self::new();
        fs::write(home.path().join("config.json"), text).unwrap();
        home
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    /// A helper on the `PATH`, as a shell script.
    fn helper(&self, name: &str, script: &str) {
        let path = self.path().join(format!("docker-credential-{name}"));
        fs::write(&path, format!("#!/bin/sh\n{script}\n")).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    }

    fn configuration(&self, files: &[&str]) -> DockerConfig {
        let path = format!("{}:/usr/bin:/bin", self.path().display());
        DockerConfig {
            files: files.iter().map(|file| self.path().join(file)).collect(),
            named_by: Some("DOCKER_CONFIG"),
            helpers: Surroundings(vec![("PATH", path.into()), ("AWS_PROFILE", "deploy".into())]),
        }
    }

    /// Who `config.json` has for `REGISTRY[/REPOSITORY]`.
    async fn found(&self, place: &str) -> Result<String, Error> {
        let (registry, repository) = place.split_once('/').map_or((place, None), |(one, other)| (one, Some(other)));
        let repository: Option<Repository> = repository.map(|repository| repository.parse().unwrap());
        let configuration = self.configuration(&["config.json"]);
        configuration.login(&registry.parse().unwrap(), repository.as_ref()).await.map(shown)
    }
}

fn auths(name: &str, auth: &str) -> String {
    format!(r#"{{"auths":{{"{name}":{auth}}},"credHelpers":{{}}}}"#)
}

/// `me` and `hunter2:`, with a colon in it.
const AUTH: &str = r#"{"auth":"bWU6aHVudGVyMjo="}"#;

#[tokio::test]
async fn only_the_very_registry_gets_them() {
    for (name, registry, named) in [
        ("registry.example", "registry.example", true),
        ("https://registry.example", "registry.example", true),
        ("https://registry.example/", "registry.example", true),
        ("https://registry.example/v1/", "registry.example", true),
        ("https://registry.example/v2/", "registry.example", true),
        ("Registry.Example", "registry.example", true),
        ("127.0.0.1:5000", "127.0.0.1:5000", true),
        ("https://index.docker.io/v1/", "docker.io", true),
        ("https://index.docker.io/v1/", "index.docker.io", true),
        ("docker.io", "docker.io", true),
        ("https://index.docker.io/v1/", "evil.docker.io", false),
        ("registry.example", "registry.example:5000", false),
        ("registry.example:5000", "registry.example", false),
        ("registry.example", "other.registry.example", false),
        ("registry.example", "registry.example.evil.example", false),
        ("example", "registry.example", false),
        ("https://registry.example/v3/", "registry.example", false),
        ("https://registry.example/forge", "registry.example/forge", false),
        ("https://registry.example@evil.example", "registry.example", false),
        ("*.example", "registry.example", false),
        ("", "registry.example", false),
    ] {
        let expected = if named { "me:hunter2:" } else { "nobody" };
        assert_eq!(Home::with(&auths(name, AUTH)).found(registry).await.unwrap(), expected, "{name} for {registry}");
    }
}

#[tokio::test]
async fn the_most_specific_entry_counts() {
    let entry = |user: &str| format!(r#"{{"username":"{user}","password":"x"}}"#);
    let text = format!(
        r#"{{"auths":{{"r.example":{},"r.example/forge":{},"r.example/forge/web":{},"s.example/forge":{}}}}}"#,
        entry("all"),
        entry("forge"),
        entry("web"),
        entry("other")
    );
    let home = Home::with(&text);
    for (place, user) in [
        ("r.example", "all:x"),
        ("r.example/other", "all:x"),
        ("r.example/forge", "forge:x"),
        ("r.example/forge/api", "forge:x"),
        ("r.example/forge/web", "web:x"),
        ("r.example/forge/web/ui", "web:x"),
        ("r.example/forge/webs", "forge:x"),
        ("r.example/forges", "all:x"),
        ("s.example/forge/web", "other:x"),
        ("s.example", "nobody"),
        ("s.example/other", "nobody"),
    ] {
        assert_eq!(home.found(place).await.unwrap(), user, "{place}");
    }
}

#[tokio::test]
async fn they_stand_in_several_forms() {
    for (auth, expected) in [
        (r#"{"auth":"eDp5","username":"me","password":"hunter2"}"#, "me:hunter2"),
        (r#"{"auth":"MDAwMDo=","identitytoken":"refresh"}"#, "identity refresh"),
        (r#"{"auth":"eDp5","identitytoken":""}"#, "x:y"),
        (r#"{"registrytoken":"t"}"#, "bearer t"),
    ] {
        assert_eq!(Home::with(&auths("r.example", auth)).found("r.example").await.unwrap(), expected, "{auth}");
    }
    for nothing in ["{}", "", "\n", r#"{"auths":null,"credHelpers":null,"credsStore":""}"#] {
        assert_eq!(Home::with(nothing).found("r.example").await.unwrap(), "nobody", "{nothing:?}");
    }
    assert_eq!(Home::new().found("r.example").await.unwrap(), "nobody", "there is no file");
}

#[tokio::test]
async fn the_first_file_that_knows_the_registry_counts() {
    let home = Home::with(&auths("r.example", AUTH));
    fs::write(home.path().join("first.json"), auths("s.example", r#"{"auth":"eDp5"}"#)).unwrap();
    let configuration = home.configuration(&["none.json", "first.json", "config.json"]);
    for (registry, expected) in [("s.example", "x:y"), ("r.example", "me:hunter2:"), ("t.example", "nobody")] {
        let found = configuration.login(&registry.parse().unwrap(), None).await.unwrap();
        assert_eq!(shown(found), expected, "{registry}");
    }
}

#[tokio::test]
async fn a_broken_file_is_an_error_that_shows_no_secret() {
    let no_colon = STANDARD.encode("hunter2");
    for text in [
        r#"{"auths":{"r.example":{"auth":"hunter2""#.to_owned(),
        r#"{"auths":{"r.example":"hunter2"}}"#.to_owned(),
        r#"{"auths":{"r.example":{"auth":["hunter2"]}}}"#.to_owned(),
        auths("r.example", r#"{"auth":"hunter2!"}"#),
        auths("r.example", &format!(r#"{{"auth":"{no_colon}"}}"#)),
        auths("r.example", r#"{"password":"hunter2"}"#),
        auths("r.example", "{}"),
    ] {
        let error = Home::with(&text).found("r.example").await.unwrap_err();
        let shown = format!("{error} {error:?}");
        assert!(matches!(error, Error::Credentials { .. }) && shown.contains("config.json"), "{shown}");
        assert!(!shown.contains("hunter2") && !shown.contains(&no_colon), "{shown}");
    }
}

const ANSWER: &str =
    r#"read server; echo "{\"ServerURL\":\"x\",\"Username\":\"$1 $AWS_PROFILE$SECRET\",\"Secret\":\"for $server\"}""#;

/// A script that another test's child inherits while it is written cannot be run.
static ONE_AT_A_TIME: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());

#[tokio::test]
async fn helpers_are_asked_for_what_is_theirs() {
    let _alone = ONE_AT_A_TIME.lock().await;
    let home = Home::with(
        r#"{
        "auths": {"r.example": {}, "plain.example": {"auth": "eDp5"}, "kept.example": {"auth": "eDp5"}},
        "credHelpers": {"r.example": "mine", "gone.example": "none", "https://index.docker.io/v1/": "mine",
                        "bad.example": "../evil", "token.example": "token", "loud.example": "loud",
                        "garbled.example": "garbled", "long.example": "long", "absent.example": "absent"},
        "credsStore": "store"
    }"#,
    );
    home.helper("mine", ANSWER);
    home.helper("none", "echo 'credentials not found in native keychain'; exit 1");
    home.helper(
        "store",
        r#"read server; [ "$server" = kept.example ] || { echo credentials not found in native keychain; exit 1; }
echo '{"Username":"kept","Secret":"safe"}'"#,
    );
    home.helper("token", r#"echo '{"ServerURL":"","Username":"<token>","Secret":"refresh"}'"#);
    home.helper("loud", "echo hunter2; printf 'no \\033[31m##vso[x]\\n' >&2; exit 3");
    home.helper("garbled", "echo hunter2");
    home.helper(
        "long",
        r#"printf '{"Username":"me","Secret":"'; while :; do printf hunter2hunter2hunter2hunter2; done"#,
    );
    for (registry, expected) in [
        ("r.example", "get deploy:for r.example"),
        ("docker.io", "get deploy:for https://index.docker.io/v1/"),
        ("gone.example", "nobody"),
        ("other.example", "nobody"),
        ("plain.example", "x:y"),
        ("kept.example", "kept:safe"),
        ("token.example", "identity refresh"),
    ] {
        assert_eq!(home.found(registry).await.unwrap(), expected, "{registry}");
    }
    for (registry, says) in [
        ("bad.example", "a helper's name"),
        ("loud.example", "it failed (exit status: 3): no \\u{1b}[31m"),
        ("garbled.example", "its answer is not one"),
        ("long.example", "it failed (signal"),
        ("absent.example", "install it"),
    ] {
        let error = home.found(registry).await.unwrap_err();
        let shown = format!("{} {error:?}", crate::chain(&error));
        assert!(matches!(error, Error::Helper { .. }) && shown.contains(says), "{registry}: {shown}");
        assert!(shown.contains(&format!("for {registry}: ")), "{shown}");
        assert!(!shown.contains("hunter2"), "{shown}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_helper_that_hangs_is_ended() {
    let _alone = ONE_AT_A_TIME.lock().await;
    let home = Home::with(r#"{"credsStore": "slow"}"#);
    // It runs in the shell's own process, so that it ends with it.
    home.helper("slow", "exec sleep 600");
    let error = home.found("r.example").await.unwrap_err();
    assert!(matches!(error, Error::Helper { source: HelperError::TimedOut, .. }), "{error:?}");
    assert!(error.is_retryable());
}

#[tokio::test]
async fn a_file_that_is_named_and_not_there_is_told_where_a_login_was_wanted() {
    let home = Home::with("{}");
    let gone = home.configuration(&["gone.json"]);
    let unnamed = DockerConfig { named_by: None, ..gone.clone() };
    const ECR: &str = "111111111111.dkr.ecr.ap-southeast-2.amazonaws.com";
    for (docker, registry, told) in [
        (&gone, None, false),
        (&gone, Some(ECR), false),
        (&gone, Some("r.example"), true),
        (&unnamed, Some("r.example"), false),
        (&home.configuration(&["config.json"]), Some("r.example"), false),
    ] {
        let deadline = Instant::now() + Duration::from_secs(1);
        let live = Live::new(docker.clone(), Credentials::Anonymous, deadline, Arc::new(|_, _| {}));
        if let Some(registry) = registry {
            let (registry, repository) = (registry.parse().unwrap(), "x".parse().unwrap());
            live.other_registry(&registry, &repository, Access::Read).await.unwrap();
        }
        let warning = live.warning().unwrap_or_default();
        assert_eq!(warning.contains("gone.json, which is not there"), told, "{registry:?}: {warning}");
    }
}
