//! SIGTERM and SIGINT end a command soon, cleanly and with its document; a second run finishes the work.

use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use tests::{APP, Act, Company, Phase, Ran, Seen};

const TO_QA: &str = "conveyor promote payments-api=48213 --to qa";

/// Far more than the 5 seconds that are promised: this is not about time.
const LONG: Duration = Duration::from_secs(20);

/// Runs the promotion into a server that hangs, sends the signal there, and checks how it ended.
async fn stopped(company: &Company, signal: Signal, code: i32) -> Ran {
    let child = company.start(&format!("{TO_QA} --output json"));
    company.held().await;
    let id = child.id().and_then(|id| Pid::from_raw(id.try_into().unwrap())).unwrap();
    kill_process(id, signal).unwrap();
    let ran = tokio::time::timeout(LONG, Company::end(child)).await.expect("it ends soon");
    assert_eq!(ran.code, code, "{ran:?}");
    let document = ran.document();
    assert_eq!((&document["error"]["kind"], &document["error"]["retryable"]), (&"signal".into(), &true.into()));
    assert_eq!(document["next"], format!("run it again: {TO_QA} --output json"));
    assert_eq!(document["running"][APP.name], "");
    assert_eq!(std::fs::read_dir(company.temporary()).unwrap().count(), 0, "its temporary files are gone");
    ran
}

async fn company(holds: impl Fn(&Seen) -> Act + Send + Sync + 'static) -> Company {
    let company = Company::behind_proxies().await;
    company.publish("48213", 1).await;
    company.json("conveyor promote payments-api=48213 --to dev", 0).await;
    company.rule(holds);
    company
}

#[tokio::test]
async fn in_the_middle_of_a_copy() {
    for (signal, code) in [(Signal::TERM, 143), (Signal::INT, 130)] {
        let company = company(|seen| match (seen.server, &*seen.method) {
            ("qa", "PUT") => Act::hold(Phase::Before),
            _ => Act::Pass,
        })
        .await;
        let before = company.state().await;
        let ran = stopped(&company, signal, code).await;
        assert_eq!(ran.document()["happened"]["copied"], false);
        assert_eq!(company.state().await, before, "no tag before its image, no commit");
        company.calm();
        assert_eq!(company.json(TO_QA, 0).await["outcome"], "updated");
    }
}

#[tokio::test]
async fn while_the_ledger_is_written() {
    let company = company(|seen| match seen.path.ends_with("/git-receive-pack") && seen.method == "POST" {
        true => Act::hold(Phase::After),
        false => Act::Pass,
    })
    .await;
    let head = company.state().await.head;
    let document = stopped(&company, Signal::TERM, 143).await.document();
    assert_eq!(document["happened"]["copied"], true);
    company.calm();
    assert_eq!(company.json(TO_QA, 0).await["outcome"], "unchanged", "the push had been carried out");
    assert_eq!(company.git(&["rev-parse", "main^"]), head, "once");
}
