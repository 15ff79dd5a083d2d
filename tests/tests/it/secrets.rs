//! No secret appears in any output, plain or in base64, on success or on failure, with `-v` too; nor in the Ledger.

use base64::{Engine as _, prelude::BASE64_STANDARD};
use tests::{Act, Company, Ran, Seen};

/// What must not appear.
struct Canaries(Vec<String>);

impl Canaries {
    fn of(company: &Company) -> Self {
        let (user, password) = company.login();
        let token = company.token();
        let encoded = [password.to_owned(), token.to_owned(), format!("{user}:{password}"), format!(":{token}")];
        let mut all: Vec<String> = encoded.iter().map(|secret| BASE64_STANDARD.encode(secret)).collect();
        all.extend([password.to_owned(), token.to_owned()]);
        // Padding may be left out, and what comes before shifts nothing: these begin an encoding of their own.
        Self(all.into_iter().map(|secret| secret.trim_end_matches('=').to_owned()).collect())
    }

    fn are_not_in(&self, what: &str, text: &str) {
        for canary in &self.0 {
            assert!(!text.contains(canary), "{what} tells a secret:\n{text}");
        }
    }
}

const COMMANDS: [&str; 4] = [
    "conveyor promote payments-api=48213 --to qa",
    "copy-artifact payments-api=48213 --to qa",
    "update-ledger payments-api=48213 --env qa",
    "check-policy payments-api=48213 --to qa",
];

/// Runs all commands at once, for people and as JSON, and looks at all that they say.
async fn runs(company: &Company, canaries: &Canaries, what: &str, more: &str) {
    let outputs = COMMANDS.iter().flat_map(|command| [(command, "human"), (command, "json")]);
    let lines = outputs.map(|(command, output)| format!("{command} -v --timeout 1500ms --output {output} {more}"));
    let started: Vec<_> = lines.map(|line| (company.start(&line), line)).collect();
    for (child, line) in started {
        let Ran { stdout, stderr, .. } = Company::end(child).await;
        assert!(!stdout.is_empty() || !stderr.is_empty(), "{what}: {line} says nothing");
        canaries.are_not_in(&format!("{what}: {line}"), &format!("{stdout}{stderr}"));
    }
}

async fn company() -> (Company, Canaries) {
    let company = Company::behind_proxies().await;
    company.publish("48213", 1).await;
    company.json("conveyor promote payments-api=48213 --to dev", 0).await;
    let canaries = Canaries::of(&company);
    (company, canaries)
}

#[tokio::test]
async fn on_success() {
    let (company, canaries) = company().await;
    runs(&company, &canaries, "all is well", "").await;
    let (registries, azure): (Vec<Seen>, Vec<Seen>) =
        company.seen().into_iter().filter(|seen| seen.server != "ledger").partition(|seen| seen.server != "azure");
    let sent = |all: &[Seen]| all.iter().any(|seen| !seen.authorization.is_empty());
    assert!(sent(&registries) && sent(&azure), "the secrets were used");
    canaries.are_not_in("the Ledger", &company.git(&["log", "--patch", "--format=raw", "main"]));
}

#[tokio::test]
async fn when_servers_refuse_or_lie() {
    let (company, canaries) = company().await;
    for (server, status) in [("qa", 401), ("dev", 403), ("azure", 401), ("azure", 404), ("ledger", 403), ("qa", 500)] {
        company.rule(move |seen| if seen.server == server { Act::answer(status, "no") } else { Act::Pass });
        runs(&company, &canaries, &format!("{server} answers {status}"), "").await;
    }
    company.rule(|seen| match seen.path.contains("/blobs/") && seen.method == "GET" {
        true => Act::answer(200, "other bytes"),
        false => Act::Pass,
    });
    runs(&company, &canaries, "dev gives other bytes", "").await;
}

#[tokio::test]
async fn when_servers_are_gone() {
    let (mut company, canaries) = company().await;
    for server in ["azure", "qa", "ledger"] {
        company.unplug(server);
        runs(&company, &canaries, &format!("{server} is gone"), "").await;
    }
}

#[tokio::test]
async fn when_the_input_holds_them() {
    let (mut company, canaries) = company().await;
    let password = company.login().1.to_owned();
    let url = format!("--ledger http://robot:{password}@127.0.0.1:9/ledger.git");
    runs(&company, &canaries, "a URL with a password", &url).await;
    let file = company.scratch("auth.json");
    company.set("REGISTRY_AUTH_FILE", Some(file.to_str().unwrap()));
    for text in [
        format!(r#"{{"auths":{{"x":{{"auth":"{password}"}}}} {password}"#),
        format!(r#"{{"auths":{{"{}":{{"auth":"{password}"}}}}}}"#, company.registry("qa")),
        format!(r#"{{"auths":{{"{}":{{"auth":["{password}"]}}}}}}"#, company.registry("qa")),
    ] {
        std::fs::write(&file, text).unwrap();
        runs(&company, &canaries, "a broken file of credentials", "").await;
    }
}
