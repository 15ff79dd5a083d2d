//! Many writers of one branch.

use std::time::Duration;

use futures_util::future::join_all;
use ledger::{Outcome, Remote as _, update};
use tokio::time::Instant;

use super::{Ledger, forward, main};

const WRITERS: usize = 20;

#[tokio::test(flavor = "multi_thread")]
async fn of_twenty_writers_none_is_lost() {
    let ledger = Ledger::start(WRITERS).await;
    let clients: Vec<_> = (0..WRITERS).map(|_| ledger.client()).collect();
    let deadline = Instant::now() + Duration::from_secs(300);
    let changes: Vec<_> = (0..WRITERS).map(|app| forward(app, 100 + app as u64)).collect();
    let main = main();
    let writes = clients.iter().zip(&changes).map(|(client, change)| update(client, &main, change, deadline));
    for outcome in join_all(writes).await {
        assert!(matches!(outcome, Ok(Outcome::Updated { .. })), "{outcome:?}");
    }
    for app in 0..WRITERS {
        assert_eq!(ledger.landed(100 + app as u64).await, 1, "{app}");
        let manifest = ledger.git(&["cat-file", "blob", &format!("refs/heads/main:apps/a{app}/values.yaml")]).await;
        assert!(manifest.ends_with(&format!("tag: \"{}\"", 100 + app)), "{manifest}");
    }
    assert_eq!(ledger.git(&["rev-list", "--count", "refs/heads/main"]).await, (WRITERS + 1).to_string());
    ledger.git(&["fsck", "--strict"]).await;
}

#[tokio::test]
async fn a_head_that_is_read_too_late_is_a_lost_race_and_no_lost_change() {
    let ledger = Ledger::start(1).await;
    let client = ledger.client();
    let deadline = Instant::now() + Duration::from_secs(60);
    update(&client, &main(), &forward(0, 5), deadline).await.unwrap();
    ledger.server.read_stale(1);
    let outcome = update(&client, &main(), &forward(0, 6), deadline).await.unwrap();
    assert!(matches!(outcome, Outcome::Updated { attempts: 2, .. }), "{outcome:?}");
    assert_eq!((ledger.landed(5).await, ledger.landed(6).await), (1, 1));
    // The older build does not come back on a head that is read too late.
    ledger.server.read_stale(1);
    let late = update(&client, &main(), &forward(0, 5), deadline).await.unwrap();
    assert!(matches!(late, Outcome::Unchanged { .. } | Outcome::Superseded { .. }), "{late:?}");
    assert!(client.head(&main()).await.is_ok());
}
