//! Text from outside never becomes a logging command of an Azure DevOps agent, which obeys whoever writes one to a
//! step's output.

use std::os::unix::fs::PermissionsExt as _;

use sandbox::release::Actor;
use tests::{APP, Act, Company, Ran, ana, bo};

/// Marks the variable that the text would set, so that it can be seen that the text was shown at all.
const COMMAND: &str = "##vso[task.setvariable variable=owned]yes";
const TO_QA: &str = "conveyor promote payments-api=48213 --to qa";
const TO_PROD: &str = "conveyor promote payments-api=48213 --to prod-wealth";

/// A company in whose dev 48213 runs, asked from a step of an agent.
async fn company() -> Company {
    let mut company = Company::behind_proxies().await;
    company.publish("48213", 1).await;
    company.json("conveyor promote payments-api=48213 --to dev", 0).await;
    company.set("TF_BUILD", Some("True"));
    company
}

/// Conveyor's own commands: at the beginning of a line of stderr, and nowhere else.
const OWN: [&str; 8] = [
    "##[group]",
    "##[endgroup]",
    "##vso[task.setprogress value=",
    "##vso[task.logissue type=warning;]",
    "##vso[task.logissue type=error;]",
    "##vso[task.setvariable variable=outcome;isoutput=true;]",
    "##vso[task.setvariable variable=digest;isoutput=true;]sha256:",
    "##vso[task.setvariable variable=commit;isoutput=true;]",
];

/// No command of anybody else is alive in what was said, in the way that agents look for one: anywhere in a line, in any
/// case, and over characters that are not seen.
fn is_harmless(ran: &Ran) {
    let without_own = |line: &str| OWN.iter().find_map(|own| line.strip_prefix(own)).unwrap_or(line).to_owned() + "\n";
    for text in [ran.stdout.clone(), ran.stderr.lines().map(without_own).collect()] {
        let seen: String = text.chars().filter(|letter| (' '..='~').contains(letter) || *letter == '\n').collect();
        assert!(!seen.to_ascii_lowercase().contains("##vso["), "{text}");
        assert!(!seen.contains("##["), "{text}");
        let unseen = ['\r', '\u{1b}', '\u{7f}', '\u{9b}', '\u{ad}', '\u{200b}', '\u{fe0f}', '\u{e0041}'];
        assert!(!text.contains(unseen), "{text:?}");
    }
}

/// Gives the command for people and as JSON; both are harmless, and both show the text.
async fn shows(company: &Company, line: &str, code: i32) {
    let line = format!("{line} --ledger {}", company.ledger_url());
    let told = company.run(&line).await;
    let json = company.run(&format!("{line} --output json")).await;
    assert_eq!((told.code, json.code), (code, code), "{line}: {told:?}\n{json:?}");
    for ran in [&told, &json] {
        is_harmless(ran);
    }
    let all = format!("{}{}", told.stdout, told.stderr);
    assert!(all.contains("owned"), "{line}: the text is not shown\n{all}");
    assert!(json.document().to_string().contains("owned"), "{line}: {json:?}");
}

#[tokio::test]
async fn in_a_registry_s_answer() {
    let company = company().await;
    for words in
        [COMMAND, "a\\n##vso[task.setvariable variable=owned]yes", "#\\u200b#VSO[task.setvariable variable=owned]"]
    {
        let body = format!(r#"{{"errors":[{{"code":"DENIED","message":"{words}"}}]}}"#);
        company.rule(move |seen| match (seen.server, &*seen.method) {
            ("qa", "PUT") => Act::answer(400, body.clone()),
            _ => Act::Pass,
        });
        shows(&company, TO_QA, 1).await;
    }
}

#[tokio::test]
async fn in_a_manifest() {
    let company = company().await;
    let path = "apps/payments-api/qa/values.yaml";
    let empty = company.file(path);
    // As YAML escapes them: with nothing between the signs, and with what is not seen.
    for signs in ["##", "#\\u200b#", "#\\u00ad#", "#\\x7f#", "#\\x9b#", "#\\ufe0f#", "#\\U000e0041#"] {
        let command = COMMAND.replace("##", signs);
        company.write(path, &empty.replace("tag: \"\"", &format!("tag: \"{command}\"")));
        shows(&company, TO_QA, 14).await;
    }
}

#[tokio::test]
async fn in_conveyor_yaml() {
    let company = company().await;
    company.edit("conveyor.yaml", |text| text.replace("#platform-support", COMMAND));
    shows(&company, "conveyor promote billing=1 --to qa", 2).await;
    company.edit("conveyor.yaml", |text| text.replace("sync: manual", &format!("sync: \"{COMMAND}\"")));
    shows(&company, TO_QA, 2).await;
}

#[tokio::test]
async fn in_what_a_hook_of_the_ledger_says() {
    let company = company().await;
    let hook = company.ledger_dir().join("hooks/pre-receive");
    std::fs::create_dir_all(hook.parent().unwrap()).unwrap();
    std::fs::write(&hook, format!("#!/bin/sh\necho '{COMMAND}' >&2\nexit 1\n")).unwrap();
    std::fs::set_permissions(&hook, std::fs::Permissions::from_mode(0o755)).unwrap();
    shows(&company, TO_QA, 1).await;
    let refused = company.json(&format!("{TO_QA} --ledger {}", company.ledger_url()), 1).await;
    assert_eq!((&refused["error"]["kind"], &refused["happened"]["copied"]), (&"refused".into(), &true.into()));
    assert_eq!(refused["attempts"], 1, "a push that was refused was tried");
}

#[tokio::test]
async fn in_people_s_names() {
    let mut company = company().await;
    let named = |person: Actor| Actor { name: format!("{COMMAND} {}", person.name), ..person };
    company.set("BUILD_REQUESTEDFOR", Some(COMMAND));
    company.json(&format!("{TO_QA} --ledger {}", company.ledger_url()), 0).await;
    company.release("48213");
    let asked = company.ask();
    company.approve(asked, &named(ana()));
    shows(&company, TO_PROD, 10).await;
    company.end_attempt();
    let asked = company.ask();
    company.approve(asked, &named(bo()));
    let line = format!("{TO_PROD} --ledger {}", company.ledger_url());
    let told = company.run(&line).await;
    assert!(told.code == 0 && told.stdout.contains("owned"), "{told:?}");
    is_harmless(&told);
    let record = company.file(&format!("records/prod-wealth/{}.json", APP.name));
    assert!(record.contains("owned"), "the record has the name as it is: {record}");
}

#[tokio::test]
async fn in_arguments() {
    let company = company().await;
    let odd = "##vso[task.setvariable;variable=owned]yes";
    shows(&company, &format!("copy-artifact payments-api=48214 --from oci:/{odd} --to dev"), 2).await;
    shows(&company, &format!("copy-artifact payments-api={odd} --to dev"), 2).await;
    shows(&company, &format!("conveyor promote {odd}=1 --to qa"), 2).await;
    shows(&company, &format!("check-policy payments-api=48214 --to {odd}"), 2).await;
}
