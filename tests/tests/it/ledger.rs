//! Each way to a Ledger, by the real binary: smart HTTP, REST, a folder, ssh; pull requests, signatures, reverts.

use std::{
    fs,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    process::Command,
};

use sandbox::{GitOptions, GitServer, ReposServer, create_repository};
use serde_json::{Value, json};
use tests::{APP, Company, git};

const TOKEN: &str = "a-token-of-the-ledgers";
const VALUES: &str = "# a service\nimage:\n  tag: \"48200\" # by a machine\n";

/// A person's machine, with a bare repository that is no Ledger somewhere else.
struct Place {
    company: Company,
    root: PathBuf,
    bare: PathBuf,
}

impl Place {
    async fn new() -> Self {
        let mut company = Company::behind_proxies().await;
        let root = company.scratch("raw");
        let bare = root.join("acme.git");
        create_repository(&bare, &[("values.yaml".to_owned(), VALUES.to_owned())]).await.unwrap();
        let configuration = company.scratch("gitconfig");
        fs::write(&configuration, "").unwrap();
        company.set("GIT_CONFIG_GLOBAL", configuration.to_str());
        company.set("GIT_CONFIG_NOSYSTEM", Some("1"));
        company.set("CONVEYOR_LEDGER", None);
        Self { company, root, bare }
    }

    /// A program on the person's `PATH`, before those of the system.
    fn program(&mut self, name: &str, body: &str) -> PathBuf {
        let folder = self.company.scratch("bin");
        fs::create_dir_all(&folder).unwrap();
        let program = folder.join(name);
        fs::write(&program, format!("#!/bin/sh\n{body}\n")).unwrap();
        fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
        let path = format!("{}:{}", folder.display(), std::env::var("PATH").unwrap());
        self.company.set("PATH", Some(&path));
        program
    }

    /// The person's git knows the token of every server.
    fn log_in(&mut self) {
        let answer = format!("test \"$1\" = get && printf 'username=jo\\npassword={TOKEN}\\n'");
        let helper = self.program("git-credential-told", &answer);
        self.configure("credential.helper", &helper.display().to_string());
    }

    fn configure(&self, setting: &str, value: &str) {
        let file = self.company.scratch("gitconfig");
        git(&self.root, &["config", "--file", file.to_str().unwrap(), setting, value]);
    }

    fn head(&self) -> String {
        git(&self.bare, &["rev-parse", "main"]).trim().to_owned()
    }

    fn values(&self) -> String {
        git(&self.bare, &["show", "main:values.yaml"])
    }

    async fn set(&self, url: &str, rest: &str, code: i32) -> Value {
        let line = format!("update-ledger --repo {url} --file values.yaml --key image.tag --set {rest}");
        self.company.json(&line, code).await
    }
}

/// Updated, unchanged, superseded, and taken back: the same over every way.
async fn tells_the_same(place: &Place, url: &str, counts: bool) {
    let updated = place.set(url, "48213 --forward-only", 0).await;
    let change = json!([{ "file": "values.yaml", "key": "image.tag", "from": "48200", "to": "48213" }]);
    assert_eq!((&updated["outcome"], &updated["changes"]), (&"updated".into(), &change));
    assert_eq!((&updated["commit"], &updated["attempts"]), (&place.head().into(), &1.into()));
    assert_eq!(updated["requests"].as_u64().is_some_and(|requests| (3..=9).contains(&requests)), counts, "{updated}");
    assert_eq!(place.values(), VALUES.replace("48200", "48213"));

    let unchanged = place.set(url, "48213 --forward-only", 0).await;
    assert_eq!((&unchanged["outcome"], &unchanged["attempts"]), (&"unchanged".into(), &0.into()));
    let superseded = place.set(url, "48212 --forward-only", 14).await;
    assert_eq!((&superseded["outcome"], &superseded["found"]), (&"superseded".into(), &"48213".into()));

    let revert = format!("update-ledger --repo {url} --revert {}", updated["commit"].as_str().unwrap());
    let planned = place.company.json(&format!("{revert} --dry-run"), 0).await;
    let diff = planned["diff"].as_str().unwrap();
    assert!(diff.contains("-  tag: \"48213\" # by a machine\n+  tag: \"48200\" # by a machine\n"), "{diff}");
    assert_eq!(place.company.json(&revert, 0).await["outcome"], "updated");
    assert_eq!(place.values(), VALUES);
    assert_eq!(place.company.json(&revert, 0).await["outcome"], "unchanged");
    git(&place.bare, &["fsck", "--strict"]);
}

#[tokio::test]
async fn over_smart_http_with_a_credential_helper() {
    let mut place = Place::new().await;
    let server = GitServer::start(&place.root, GitOptions { token: Some(TOKEN.to_owned()), ..Default::default() });
    let server = server.await.unwrap();
    let url = format!("{}/acme.git", server.url());
    let denied = place.set(&url, "48213", 1).await;
    assert!(denied["error"]["message"].as_str().unwrap().contains("denies access"), "{denied}");
    place.log_in();
    tells_the_same(&place, &url, true).await;
    let people = |part: &str| git(&place.bare, &["log", "-1", &format!("--format={part}"), "main"]);
    assert_eq!(people("%an <%ae>"), "Conveyor <conveyor@localhost>\n");
    place.company.set("GIT_AUTHOR_NAME", Some("Jo"));
    place.company.set("GIT_AUTHOR_EMAIL", Some("jo@acme.example"));
    place.set(&url, "1", 0).await;
    let people = |part: &str| git(&place.bare, &["log", "-1", &format!("--format={part}"), "main"]);
    assert_eq!(people("%an <%ae> %cn <%ce>"), "Jo <jo@acme.example> Conveyor <conveyor@localhost>\n");
    place.company.set("GIT_AUTHOR_NAME", Some("<Jo>"));
    assert_eq!(place.set(&url, "2", 2).await["error"]["kind"], "usage");
}

#[tokio::test]
async fn in_a_folder_and_over_ssh() {
    let mut place = Place::new().await;
    let url = format!("file://{}", place.bare.display());
    tells_the_same(&place, &url, false).await;
    git(&place.bare, &["reset", "--soft", "main"]);
    // Debian's sshd is tried where the git program is; here it is enough that the program is asked.
    let log = place.root.join("log");
    let body = format!("echo \"$*\" >> '{}'\nfor last; do :; done\nexec sh -c \"$last\"", log.display());
    place.program("ssh", &body);
    let url = format!("ssh://git@git.example{}", place.bare.display());
    tells_the_same(&place, &url, false).await;
    assert!(fs::read_to_string(log).unwrap().contains("git@git.example git-receive-pack"));
}

#[tokio::test]
async fn a_pull_request_in_azure_repos_is_opened_adopted_and_settled() {
    let mut place = Place::new().await;
    place.log_in();
    let server = ReposServer::start(&place.bare, "acme", "forge", "ledger", TOKEN).await.unwrap();
    let url = server.url();
    tells_the_same(&place, &url, true).await;
    server.protect("main");
    let head = place.head();
    let refused = place.set(&url, "48214 --forward-only", 1).await;
    assert_eq!(refused["error"]["kind"], "refused");
    let next = refused["next"].as_str().unwrap();
    assert!(next.starts_with("propose it: update-ledger --repo") && next.ends_with(" --pull-request"), "{next}");

    let first = place.set(&url, "48214 --forward-only --pull-request", 4).await;
    assert_eq!((&first["outcome"], &first["happened"]["ledger"]), (&"pull-request".into(), &false.into()));
    let request = &first["pull_request"];
    let page = format!("{url}/pullrequest/{}", request["id"]);
    assert_eq!((&request["url"], &request["adopted"]), (&page.clone().into(), &false.into()), "{first}");
    let again = place.set(&url, "48214 --forward-only --pull-request", 4).await;
    assert_eq!((&again["pull_request"]["id"], &again["pull_request"]["adopted"]), (&request["id"], &true.into()));
    assert_eq!(place.head(), head);

    let line = format!("update-ledger --repo {url} --file values.yaml --key image.tag --set 48214 --pull-request");
    let told = place.company.run(&line).await;
    assert_eq!((told.code, &*told.stdout), (4, ""));
    for words in [&format!("{page} was open already"), "happened: written no", &format!("next: complete {page};")] {
        assert!(told.stderr.contains(words), "{words}: {}", told.stderr);
    }
    let topic = git(&place.bare, &["for-each-ref", "--format=%(refname)", "refs/heads/conveyor"]);
    git(&place.bare, &["update-ref", "refs/heads/main", topic.trim()]);
    let settled = place.set(&url, "48214 --forward-only --pull-request", 0).await;
    assert_eq!(settled["outcome"], "unchanged");
}

#[tokio::test]
async fn a_signed_commit_is_as_git_verifies_it() {
    let place = Place::new().await;
    let server = GitServer::start(&place.root, GitOptions::default()).await.unwrap();
    let url = format!("{}/acme.git", server.url());
    let head = place.head();
    let unusable = place.set(&url, "1 --sign", 2).await;
    assert!(unusable["error"]["message"].as_str().unwrap().contains("user.signingKey"), "{unusable}");
    let key = place.root.join("key");
    make_key(&key);
    place.configure("gpg.format", "ssh");
    place.configure("user.signingKey", &place.root.join("no-key").display().to_string());
    assert_eq!(place.set(&url, "1 --sign", 2).await["error"]["kind"], "usage");
    assert_eq!(place.head(), head, "nothing is pushed that is not signed");

    place.configure("user.signingKey", &key.display().to_string());
    for (url, value) in [(&url, "1"), (&format!("file://{}", place.bare.display()), "2")] {
        let signed = place.set(url, &format!("{value} --sign"), 0).await;
        let public = fs::read_to_string(key.with_extension("pub")).unwrap();
        let signers = place.root.join("signers");
        fs::write(&signers, format!("conveyor@localhost {public}")).unwrap();
        let allowed = format!("gpg.ssh.allowedSignersFile={}", signers.display());
        git(&place.bare, &["-c", &allowed, "verify-commit", signed["commit"].as_str().unwrap()]);
    }
}

fn make_key(file: &Path) {
    let made = Command::new("ssh-keygen").args(["-q", "-t", "ed25519", "-N", "", "-f"]).arg(file).status();
    assert!(made.expect("ssh-keygen is needed: apt-get install openssh-client").success());
}

#[tokio::test]
async fn a_dry_run_shows_the_difference_and_the_record() {
    let company = Company::behind_proxies().await;
    company.publish("48213", 1).await;
    let head = company.state().await.head;
    let planned = company.json("update-ledger payments-api=48213 --env dev --dry-run", 0).await;
    let diff = planned["diff"].as_str().unwrap();
    for line in [
        format!("+++ b/apps/{}/dev/values.yaml", APP.name),
        format!("+++ b/records/dev/{}.json", APP.name),
        "+  tag: \"48213\"".to_owned(),
    ] {
        assert!(diff.lines().any(|shown| shown.starts_with(&line)), "{line}: {diff}");
    }
    assert!(diff.contains("+{\"") || diff.contains("+ {\""), "the record's line: {diff}");
    assert_eq!(company.state().await.head, head);
    let told = company.run("update-ledger payments-api=48213 --env dev --dry-run").await;
    let (summary, shown) = (told.stdout.find("would change"), told.stdout.find("--- a/"));
    assert!(summary.unwrap() < shown.unwrap(), "{}", told.stdout);
}
