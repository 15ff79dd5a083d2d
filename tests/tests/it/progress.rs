//! How a copy is seen: bars on a terminal, plain lines elsewhere, commands for an Azure DevOps agent.

use std::process::Stdio;

use serde_json::Value;
use tests::{APP, Company, Ran};
use tokio::process::Command;

/// A company in whose dev 48213 runs.
async fn company() -> Company {
    let company = Company::behind_proxies().await;
    company.publish("48213", 1).await;
    company.json("conveyor promote payments-api=48213 --to dev", 0).await;
    company
}

fn copy(company: &Company, to: &str) -> String {
    let (dev, qa) = (company.registry("dev"), company.registry("qa"));
    format!("copy-artifact {dev}/{0}:48213 {qa}/{0}:{to}", APP.repository)
}

/// Gives a command on a terminal of its own: script(1) opens one and shows all that was written to it. Stdout goes to
/// a file, as in `$(…)`.
async fn on_a_terminal(company: &Company, line: &str, variables: &[(&str, &str)]) -> (String, String) {
    let stdout = company.scratch("stdout");
    let plain = company.command(line);
    let inner = plain.as_std();
    let words: Vec<String> = std::iter::once(inner.get_program())
        .chain(inner.get_args())
        .map(|word| format!("'{}'", word.to_str().unwrap()))
        .collect();
    let mut command = Command::new("script");
    command.args(["--quiet", "--return", "--command"]).arg(format!("{} > {}", words.join(" "), stdout.display()));
    command.arg("/dev/null").env_clear();
    command.envs(inner.get_envs().filter_map(|(name, value)| Some((name, value?)))).env("TERM", "xterm");
    command.envs(variables.iter().copied());
    let ended = command.stdin(Stdio::null()).output().await.expect("script is needed: apt-get install bsdutils");
    let shown = String::from_utf8(ended.stdout).unwrap();
    assert!(ended.status.success(), "{shown}");
    (shown, std::fs::read_to_string(stdout).unwrap())
}

#[tokio::test]
async fn a_terminal_has_bars_and_stdout_is_not_touched() {
    let mut company = company().await;
    company.set("CONVEYOR_LEDGER", None);
    let (shown, stdout) = on_a_terminal(&company, &format!("{} --output json", copy(&company, "1")), &[]).await;
    assert!(shown.contains(" to go") && shown.contains('\u{1b}'), "{shown:?}");
    let document: Value = serde_json::from_str(&stdout).unwrap();
    assert_eq!(document["outcome"], "copied");
    // The last thing that is written takes the bars away.
    let last = shown.rsplit("\u{1b}[2K").next().unwrap();
    assert!(!last.contains(" to go"), "{shown:?}");
    for (tag, flag, variables) in [
        ("2", "", &[("NO_COLOR", "1")][..]),
        ("3", "", &[("TERM", "dumb")]),
        ("4", " --quiet", &[]),
        ("5", "", &[("TF_BUILD", "True")]),
    ] {
        let (shown, _) = on_a_terminal(&company, &format!("{}{flag}", copy(&company, tag)), variables).await;
        assert!(!shown.contains('\u{1b}') && !shown.contains(" to go"), "{variables:?}: {shown:?}");
        assert_eq!(shown.contains("copying "), flag.is_empty(), "{variables:?}: {shown:?}");
    }
}

#[tokio::test]
async fn elsewhere_there_are_plain_lines() {
    let mut company = company().await;
    company.set("CONVEYOR_LEDGER", None);
    let ran = company.run(&copy(&company, "1")).await;
    assert_eq!(ran.code, 0, "{ran:?}");
    assert!(
        ran.stderr.starts_with("copying ") && ran.stderr.lines().all(|line| line.starts_with("copying ")),
        "{ran:?}"
    );
    let quiet = company.run(&format!("{} -q", copy(&company, "2"))).await;
    assert_eq!((quiet.code, &*quiet.stderr), (0, ""));
}

/// What an agent makes of what a step writes: commands with their properties and what they are about.
#[derive(Debug, PartialEq, Eq)]
struct Obeyed {
    name: String,
    properties: Vec<(String, String)>,
    about: String,
}

/// An agent's parser: commands stand anywhere in a line, and `%` is an escape.
fn obeyed(ran: &Ran) -> Vec<Obeyed> {
    let decode = |text: &str| {
        let pairs = [("%3B", ";"), ("%0D", "\r"), ("%0A", "\n"), ("%5D", "]"), ("%AZP25", "%")];
        pairs.iter().fold(text.to_owned(), |text, (from, to)| text.replace(from, to))
    };
    let lines = ran.stdout.lines().chain(ran.stderr.lines());
    let commands = lines.filter_map(|line| {
        let (_, rest) = line.split_once("##vso[")?;
        let (head, about) = rest.split_once(']').unwrap();
        let (name, properties) = head.split_once(' ').unwrap_or((head, ""));
        let pairs = properties.split(';').filter(|pair| !pair.is_empty());
        let properties =
            pairs.map(|pair| pair.split_once('=').unwrap()).map(|(key, value)| (key.to_owned(), decode(value)));
        Some(Obeyed { name: name.to_owned(), properties: properties.collect(), about: decode(about) })
    });
    commands.collect()
}

/// The variables that were set, in order; each is an output of the step.
fn variables(obeyed: &[Obeyed]) -> Vec<(&str, &str)> {
    let set = obeyed.iter().filter(|command| command.name == "task.setvariable");
    set.map(|command| {
        assert_eq!(command.properties[1], ("isoutput".to_owned(), "true".to_owned()));
        (command.properties[0].1.as_str(), command.about.as_str())
    })
    .collect()
}

fn issues<'o>(obeyed: &'o [Obeyed], kind: &str) -> Vec<&'o str> {
    let kind = ("type".to_owned(), kind.to_owned());
    let issues =
        obeyed.iter().filter(|command| command.name == "task.logissue" && command.properties == [kind.clone()]);
    issues.map(|command| command.about.as_str()).collect()
}

#[tokio::test]
async fn an_agent_is_told_in_its_own_words() {
    let mut company = company().await;
    let ledger = company.ledger_url().to_owned();
    company.set("TF_BUILD", Some("True"));
    let promote = |rest: &str| format!("conveyor promote payments-api=48213 --ledger {ledger} {rest}");
    let done = company.run(&promote("--to qa --output json")).await;
    let document = done.document();
    let commands = obeyed(&done);
    let digest = document["apps"][0]["digest"].as_str().unwrap();
    let commit = document["commit"].as_str().unwrap();
    assert_eq!(variables(&commands), [("outcome", "updated"), ("digest", digest), ("commit", commit)]);
    assert_eq!(issues(&commands, "error"), [] as [&str; 0]);
    let begins = done.stderr.find("##[group]copying ").expect("a group");
    assert!(done.stderr[begins..].contains("\n##[endgroup]\n"), "{done:?}");

    let failed = company.run(&promote("--to prod-wealth")).await;
    let commands = obeyed(&failed);
    assert_eq!((failed.code, &variables(&commands)[..1]), (10, &[("outcome", "denied")][..]), "{failed:?}");
    let [issue] = issues(&commands, "error")[..] else { panic!("{commands:?}") };
    assert!(
        issue.starts_with("denied: payments-api may not go to prod-wealth\n") && issue.contains("next: "),
        "{issue}"
    );

    company.edit("conveyor.yaml", |text| format!("{text}colour: 50%;]\n"));
    let warned = company.run(&promote("--to qa")).await;
    let commands = obeyed(&warned);
    let warning = "conveyor.yaml: `colour` is not known to this version and has no effect";
    assert_eq!((warned.code, issues(&commands, "warning")), (0, vec![warning]), "{warned:?}");

    let misused = company.run("conveyor promote --to qa").await;
    assert_eq!((misused.code, variables(&obeyed(&misused))), (2, vec![("outcome", "usage")]), "{misused:?}");
}
