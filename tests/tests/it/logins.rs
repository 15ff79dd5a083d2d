//! Who a registry is asked as: docker's and podman's files, credential helpers, identity tokens. No secret is shown.

use std::{fs, os::unix::fs::PermissionsExt as _, path::PathBuf, time::Duration};

use base64::{Engine as _, prelude::BASE64_STANDARD};
use sandbox::{
    Account, Admission, Issuer, RegistryOptions, RegistryServer,
    registry_copy::{InMemory, TagRule},
};
use serde_json::json;
use tests::{APP, Company, Ran};

/// A company in whose dev there is an image, and where nobody has logged in.
async fn company() -> Company {
    let mut company = Company::behind_proxies().await;
    company.publish("48213", 1).await;
    company.set("CONVEYOR_LEDGER", None);
    company.set("DOCKER_CONFIG", None);
    company
}

fn copy(company: &Company, tag: &str) -> String {
    let (from, to) = (company.registry("dev"), company.registry("qa"));
    format!("copy-artifact {from}/{0}:48213 {to}/{0}:{tag}", APP.repository)
}

fn auth(company: &Company) -> String {
    let (user, password) = company.login();
    BASE64_STANDARD.encode(format!("{user}:{password}"))
}

/// A file of the company's own.
fn file(company: &Company, path: &str, text: &str) -> PathBuf {
    let path = company.scratch(path);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(&path, text).unwrap();
    path
}

/// A helper on the `PATH`, which writes down what it is asked and what it knows.
fn helper(company: &mut Company, name: &str, script: &str) {
    let path = file(company, &format!("helpers/docker-credential-{name}"), &format!("#!/bin/sh\n{script}\n"));
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    let others = std::env::var("PATH").unwrap();
    company.set("PATH", Some(&format!("{}:{others}", path.parent().unwrap().display())));
}

fn shows_no_secret(company: &Company, ran: &Ran) {
    let said = format!("{}{}", ran.stdout, ran.stderr);
    for secret in [company.login().1, &auth(company), company.token(), "hunter2"] {
        assert!(!said.contains(secret), "{secret}: {said}");
    }
}

#[tokio::test]
async fn the_files_of_podman_and_docker_in_their_order() {
    let mut company = company().await;
    let logged_in = |registry: &str| json!({ "auths": { registry: { "auth": auth(&company) } } }).to_string();
    let registries = json!({ "auths": {
        company.registry("dev"): { "auth": auth(&company) },
        company.registry("qa"): { "auth": auth(&company) },
    } });
    let own = format!("{}/{}", company.registry("qa"), APP.repository);
    let mut parts = registries.clone();
    parts["auths"][company.registry("qa")] = json!({ "auth": BASE64_STANDARD.encode("nobody:hunter2") });
    parts["auths"][own] = json!({ "auth": auth(&company) });

    let refused = company.run(&copy(&company, "0")).await;
    assert_eq!(refused.code, 1, "nobody has logged in: {refused:?}");

    let home = company.scratch(".docker/config.json").parent().unwrap().parent().unwrap().to_owned();
    let (dev, qa) = (logged_in(company.registry("dev")), logged_in(company.registry("qa")));
    let docker = file(&company, ".docker/config.json", &dev);
    file(&company, ".config/containers/auth.json", &qa);
    company.set("HOME", Some(&home.display().to_string()));
    company.json(&copy(&company, "1"), 0).await;
    fs::remove_file(company.scratch(".config/containers/auth.json")).unwrap();
    assert_eq!(company.run(&copy(&company, "2")).await.code, 1);

    file(&company, "session/containers/auth.json", &parts.to_string());
    company.set("XDG_RUNTIME_DIR", Some(&company.scratch("session").display().to_string()));
    company.json(&copy(&company, "3"), 0).await;

    // A file that is named is the only one.
    company.set("DOCKER_CONFIG", Some(&docker.parent().unwrap().display().to_string()));
    assert_eq!(company.run(&copy(&company, "4")).await.code, 1);
    let named = file(&company, "named.json", &registries.to_string());
    company.set("REGISTRY_AUTH_FILE", Some(&named.display().to_string()));
    let copied = company.run(&copy(&company, "5")).await;
    assert_eq!(copied.code, 0, "{copied:?}");
    shows_no_secret(&company, &copied);
}

#[tokio::test]
async fn a_helper_is_asked_for_its_registry_and_knows_nothing_else() {
    let mut company = company().await;
    let (user, password) = company.login();
    let answer = json!({ "ServerURL": "", "Username": user, "Secret": password }).to_string();
    let told = company.scratch("told").display().to_string();
    let script = format!("{{ echo \"$1 $(cat)\"; env; }} >> {told}\ncat <<'E'\n{answer}\nE");
    helper(&mut company, "canary", &script);
    let config = json!({ "credHelpers": { company.registry("dev"): "canary" }, "credsStore": "canary" });
    let named = file(&company, "named.json", &config.to_string());
    company.set("REGISTRY_AUTH_FILE", Some(&named.display().to_string()));
    company.set("AWS_PROFILE", Some("deploy"));
    company.set("AWS_ENDPOINT_URL", Some("http://127.0.0.1:9"));

    company.fails("copy-artifact not-a-reference r.example/x:1", 2, &[]).await;
    assert!(!PathBuf::from(&told).exists(), "nobody needed it");
    let copied = company.run(&copy(&company, "1")).await;
    assert_eq!(copied.code, 0, "{copied:?}");
    shows_no_secret(&company, &copied);
    let told = fs::read_to_string(told).unwrap();
    let asked: Vec<&str> = told.lines().filter(|line| line.starts_with("get ")).collect();
    let expected = ["dev", "qa"].map(|name| format!("get {}", company.registry(name)));
    assert_eq!(asked, expected, "{told}");
    assert!(told.contains("AWS_PROFILE=deploy") && told.contains("HOME="), "{told}");
    for hidden in ["SYSTEM_ACCESSTOKEN", "AWS_ENDPOINT_URL", "RELEASE_RELEASEID", "REGISTRY_AUTH_FILE"] {
        assert!(!told.contains(hidden), "{hidden}: {told}");
    }
}

#[tokio::test]
async fn a_helper_that_fails_is_named_and_its_secret_is_not() {
    let mut company = company().await;
    let config = file(&company, "named.json", r#"{"credsStore": "canary"}"#);
    company.set("REGISTRY_AUTH_FILE", Some(&config.display().to_string()));
    for (script, words) in [
        ("echo hunter2; echo '##vso[task.complete]locked' >&2; exit 1", ["it failed (exit status: 1)", "locked"]),
        ("echo hunter2", ["its answer is not one", "docker-credential-canary"]),
        ("printf '{\"Username\":\"a:b\",\"Secret\":\"hunter2\"}'", ["cannot be sent", ""]),
    ] {
        helper(&mut company, "canary", script);
        let ran = company.run(&copy(&company, "1")).await;
        assert!(matches!(ran.code, 1 | 2), "{script}: {ran:?}");
        assert!(words.iter().all(|word| ran.stderr.contains(word)), "{script}: {ran:?}");
        assert!(!ran.stderr.contains("##vso["), "{ran:?}");
        shows_no_secret(&company, &ran);
    }
    helper(&mut company, "canary", "echo credentials not found in native keychain; exit 1");
    let anonymous = company.run(&copy(&company, "1")).await;
    assert!(anonymous.code == 1 && anonymous.stderr.contains("wants credentials"), "{anonymous:?}");
}

#[tokio::test]
async fn tokens_are_asked_for_with_an_identity_token_or_a_password() {
    let mut company = company().await;
    let mut account = Account::new("me", "canary-of-the-password");
    account.identity_token = Some("canary-of-the-identity".to_owned());
    let issuer = Issuer {
        service: "registry".to_owned(),
        life: Duration::from_secs(60),
        accounts: vec![account],
        anonymous_pull: false,
    };
    let memory = InMemory::new();
    memory.create(&APP.repository.parse().unwrap(), TagRule::Mutable);
    let options = RegistryOptions { admission: Admission::Bearer(issuer), ..RegistryOptions::default() };
    let server = RegistryServer::start(memory, options).await.unwrap();
    let to = server.authority();
    for (tag, entry, code) in [
        (1, json!({ "auth": BASE64_STANDARD.encode("00000000:"), "identitytoken": "canary-of-the-identity" }), 0),
        (2, json!({ "username": "me", "password": "canary-of-the-password" }), 0),
        (3, json!({ "username": "me", "password": "canary-of-another" }), 1),
        (4, json!({ "auth": BASE64_STANDARD.encode("00000000:"), "identitytoken": "canary-of-another" }), 1),
    ] {
        let config = json!({ "auths": { company.registry("dev"): { "auth": auth(&company) }, to.as_str(): entry } });
        let config = file(&company, "named.json", &config.to_string());
        company.set("REGISTRY_AUTH_FILE", Some(&config.display().to_string()));
        let line = format!("copy-artifact {}/{1}:48213 {to}/{1}:{tag} -v", company.registry("dev"), APP.repository);
        let ran = company.run(&line).await;
        assert_eq!(ran.code, code, "{tag}: {ran:?}");
        assert!(!format!("{ran:?}").contains("canary"), "{ran:?}");
    }
}
