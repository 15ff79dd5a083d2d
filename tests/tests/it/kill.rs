//! SIGKILL at any request, before and after the server acts, and then the same command again: the same end state.

use tests::{APP, Act, Company, Phase, Seen, State};

const TO_QA: &str = "conveyor promote payments-api=48213 --to qa";

/// A company in whose dev 48213 runs, and what its Ledger's head is then.
async fn company() -> (Company, String) {
    let company = Company::behind_proxies().await;
    company.publish("48213", 1).await;
    company.json("conveyor promote payments-api=48213 --to dev", 0).await;
    let head = company.state().await.head.trim().to_owned();
    (company, head)
}

/// Puts qa back to where it was: an empty registry, and a Ledger that knows nothing of it.
async fn put_back(company: &Company, head: &str) -> State {
    company.git(&["update-ref", "refs/heads/main", head]);
    company.empty_registry("qa").await;
    company.calm();
    company.state().await
}

/// The requests of a promotion that nobody kills.
async fn undisturbed(company: &Company) -> (Vec<Seen>, State) {
    company.json(TO_QA, 0).await;
    (company.seen(), company.state().await)
}

fn writes(seen: &Seen) -> bool {
    match seen.server {
        "ledger" => seen.path.ends_with("/git-receive-pack"),
        _ => !matches!(&*seen.method, "GET" | "HEAD"),
    }
}

async fn killed_everywhere(hold: fn() -> Act) {
    let (company, head) = company().await;
    put_back(&company, &head).await;
    let (seen, done) = undisturbed(&company).await;
    assert!(seen.iter().filter(|seen| writes(seen)).count() >= 8, "blobs, a manifest, a push: {seen:?}");
    for point in 1..=seen.len() {
        let before = put_back(&company, &head).await;
        company.rule(move |seen| if seen.number == point { hold() } else { Act::Pass });
        let mut child = company.start(TO_QA);
        tokio::select! {
            () = company.held() => child.kill().await.unwrap(),
            status = child.wait() => assert!(status.unwrap().success(), "request {point} never came"),
        }
        let killed_in = company.seen().into_iter().find(|seen| seen.number == point);
        let half = company.state().await;
        let whole = half.tags["qa"].is_empty() || half.tags["qa"] == done.tags["qa"];
        assert!(whole, "killed in {killed_in:?}: a tag that names something else: {half:?}");
        assert!(half.head == before.head || half.tags == done.tags, "the Ledger asks for what is not there");

        company.calm();
        let again = company.json(TO_QA, 0).await;
        assert!(["updated", "unchanged"].contains(&again["outcome"].as_str().unwrap()), "{again}");
        assert_eq!(company.state().await.tags, done.tags, "killed in {killed_in:?}");
        assert_eq!(company.git(&["rev-list", "--count", &format!("{head}..main")]).trim(), "1", "one commit");
        let record = company.file(&format!("records/qa/{}.json", APP.name));
        assert_eq!(record.matches("\"kind\":\"promote\"").count(), 1, "one entry: {record}");
    }
    assert_eq!(company.git(&["fsck", "--strict", "--no-dangling", "--no-progress"]), "");
}

#[tokio::test]
async fn before_the_server_acts() {
    killed_everywhere(|| Act::hold(Phase::Before)).await;
}

#[tokio::test]
async fn after_the_server_has_acted() {
    killed_everywhere(|| Act::hold(Phase::After)).await;
}
