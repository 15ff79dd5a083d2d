//! What it costs when many write one branch at once, and what a writer costs the others that is gone.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use ledger::{
    Change, Outcome, Turn, Turns,
    faults::{Fault, Faulty},
    memory::Repository,
    update,
};
use tokio::time::{Instant, sleep, timeout};

use crate::support::{bring, change, forward, head, killed_after, main, manifest, path, run, server};

/// From a writer to the server, and as long back.
const AWAY: Duration = Duration::from_millis(10);

/// How long a turn may hold up the others whose holder does nothing: a second until it is passed over, and until who is
/// next looks again.
const HELD_UP: Duration = Duration::from_millis(1_200);

/// What N writers spent.
#[derive(Debug)]
struct Spent {
    tries: u32,
    most: u32,
    requests: usize,
    wall: Duration,
}

fn apps(writers: usize) -> Repository {
    let files: Vec<String> = (0..writers).map(|number| format!("apps/{number}.yaml")).collect();
    server(&files.iter().map(|file| (&**file, manifest("5"))).collect::<Vec<_>>())
}

fn far_away(server: &Repository) -> Faulty {
    Faulty::new(Arc::new(server.clone())).with_latency(AWAY)
}

/// The change of the writer with this number, to its own file.
fn change_of(number: usize) -> Change {
    change(number as u64, vec![forward(&format!("apps/{number}.yaml"), 20)])
}

fn turn_of(number: usize) -> Turn {
    Turn { run: run(number as u64), branch: main() }
}

/// N writers of different files begin at once.
async fn contend(server: &Repository, writers: usize) -> Spent {
    let began = Instant::now();
    let update = |number| {
        let client = far_away(server);
        async move {
            let outcome = bring(&client, &change_of(number)).await.unwrap();
            let Outcome::Updated { attempts, .. } = outcome else { panic!("{outcome:?}") };
            (attempts, client.calls())
        }
    };
    let tasks: Vec<_> = (0..writers).map(|number| tokio::spawn(update(number))).collect();
    let mut spent = Spent { tries: 0, most: 0, requests: 0, wall: Duration::ZERO };
    for task in tasks {
        let (attempts, calls) = task.await.unwrap();
        spent.tries += attempts;
        spent.most = spent.most.max(attempts);
        spent.requests += calls;
    }
    spent.wall = began.elapsed();
    let log = server.log(&main());
    for number in 0..writers {
        assert_eq!(log.iter().filter(|meta| meta.run == Some(run(number as u64))).count(), 1);
    }
    assert_eq!(server.queue(&main()).await.unwrap().turns, [], "each turn is given back");
    spent
}

#[tokio::test(start_paused = true)]
async fn tries_grow_with_the_writers_where_they_take_turns() {
    let mut rows = String::new();
    for writers in [1, 2, 5, 10, 20, 40, 80] {
        fastrand::seed(writers as u64);
        let turns = contend(&apps(writers), writers).await;
        let plain = apps(writers);
        plain.refuse_turns();
        let plain = contend(&plain, writers).await;
        rows += &format!("| {writers} | {} | {} |\n", plain.row(), turns.row());
        assert!(turns.tries as usize <= 2 * writers + writers / 4, "{writers}: {turns:?}");
        assert!(turns.most <= 4 && turns.requests <= 18 * writers, "{writers}: {turns:?}");
        // Nor does a queue cost time: each waits for those ahead about as long as they take.
        assert!(turns.wall <= AWAY * 6 * 3 * writers as u32, "{writers}: {turns:?}");
    }
    let page = [INTRODUCTION, &*rows].concat();
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(PAGE, page).unwrap();
    } else {
        assert_eq!(std::fs::read_to_string(PAGE).unwrap(), page, "UPDATE_DOCS=1 writes docs/contention.md anew");
    }
}

impl Spent {
    fn row(&self) -> String {
        format!("{} | {} | {} | {:.1}", self.tries, self.most, self.requests, self.wall.as_secs_f64())
    }
}

const PAGE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/contention.md");

const INTRODUCTION: &str = "\
# Many writers of one branch

N writers begin at the same moment, each with a change to a file of its own; all of them land, each once. *Tries* are
pushes, of all writers and the most by one. A request takes 20 ms on average, half there and half back, and the server no
time at all: where its own work counts, plain compare-and-swap is slower than it looks here, since most of its requests
are in vain. The clock is simulated, so the figures come out the same on every machine
(`UPDATE_DOCS=1 cargo test -p ledger --test it contention::`).

| writers | compare-and-swap alone: tries | most by one | requests | s | in turns: tries | most by one | requests | s |
| --- | --- | --- | --- | --- | --- | --- | --- | --- |
";

#[tokio::test(start_paused = true)]
async fn who_arrives_while_others_wait_queues_up() {
    for seed in 0..20 {
        fastrand::seed(seed);
        let server = apps(10);
        // The first three begin at once, the others while those are at it.
        let update = |number: usize| {
            let client = far_away(&server);
            async move {
                sleep(AWAY * if number < 3 { 0 } else { 6 + number as u32 / 3 }).await;
                bring(&client, &change_of(number)).await.unwrap()
            }
        };
        let tasks: Vec<_> = (0..10).map(|number| tokio::spawn(update(number))).collect();
        let mut tries = 0;
        for task in tasks {
            let outcome = task.await.unwrap();
            let Outcome::Updated { attempts, .. } = outcome else { panic!("{outcome:?}") };
            tries += attempts;
        }
        // All at once would be 19.
        assert!(tries <= 15, "seed {seed}: {tries}");
    }
}

#[tokio::test(start_paused = true)]
async fn writers_that_are_gone_hold_nobody_up_for_long() {
    for gone in [1, 2, 5, 20] {
        fastrand::seed(gone as u64);
        let server = apps(gone + 3);
        for number in 0..gone {
            assert!(server.take(&turn_of(number), &head(&server)).await.unwrap());
        }
        let began = Instant::now();
        let alive = (gone..gone + 3).map(|number| {
            let client = far_away(&server);
            tokio::spawn(async move { bring(&client, &change_of(number)).await.unwrap() })
        });
        for outcome in alive.collect::<Vec<_>>() {
            let outcome = outcome.await.unwrap();
            assert!(matches!(outcome, Outcome::Updated { .. }), "{outcome:?}");
        }
        // One after the other they are believed less and less: 1 + 1/2 + 1/3 ...
        let limit = HELD_UP.mul_f64((1..=gone).map(|nth| 1.0 / nth as f64).sum()) + AWAY * (60 + 8 * gone as u32);
        let waited = began.elapsed();
        assert!(waited <= limit, "{gone} gone: {waited:?}");
        assert_eq!(server.queue(&main()).await.unwrap().turns, [], "who passes a turn over removes it");
    }
}

#[tokio::test(start_paused = true)]
async fn a_writer_killed_at_any_await_holds_nobody_up_for_long() {
    for polls in 1.. {
        fastrand::seed(polls as u64);
        let server = apps(3);
        // It loses its first race, and so takes a turn.
        let client = far_away(&server).with(2, Fault::Race(vec![(path("noise"), "x".into())]));
        let killed = killed_after(polls, bring(&client, &change_of(0))).await;
        let began = Instant::now();
        let client = far_away(&server);
        let outcome = bring(&client, &change_of(2)).await.unwrap();
        assert!(matches!(outcome, Outcome::Updated { .. }), "{outcome:?}");
        assert!(began.elapsed() <= HELD_UP + AWAY * 12, "killed after {polls} polls: {:?}", began.elapsed());
        assert_eq!(server.queue(&main()).await.unwrap().turns, []);
        if killed.is_some() {
            // Two attempts of three calls and a turn in between, each of two awaits.
            assert!(polls > 14, "{polls}");
            break;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_turn_that_was_refused_once_is_asked_for_again() {
    let server = apps(1);
    let noise = || Fault::Race(vec![(path("noise"), "x".into())]);
    // Two lost races; in between the server has no turn for it. Then it is held, so that it can be looked at.
    let client = far_away(&server).with(2, noise()).with(3, Fault::Refused).with(6, noise()).with(8, Fault::Hangs);
    timeout(Duration::from_secs(5), bring(&client, &change_of(0))).await.unwrap_err();
    assert_eq!(server.queue(&main()).await.unwrap().turns, [turn_of(0)]);
    // Who is refused twice does not ask a third time.
    let server = apps(2);
    server.refuse_turns();
    let client = [2, 6, 10].into_iter().fold(far_away(&server), |client, push| client.with(push, noise()));
    bring(&client, &change_of(0)).await.unwrap();
    assert_eq!(client.calls(), 4 * 3 + 2);
}

#[tokio::test(start_paused = true)]
async fn a_turn_stops_nobody_who_has_no_time_to_wait() {
    let server = apps(2);
    server.take(&turn_of(0), &head(&server)).await.unwrap();
    let outcome = update(&server, &main(), &change_of(1), Instant::now() + AWAY * 9).await.unwrap();
    assert!(matches!(outcome, Outcome::Updated { .. }), "{outcome:?}");
}

#[tokio::test(start_paused = true)]
async fn a_turn_is_given_back_however_the_update_ends() {
    type Prepare = fn(&Repository);
    let ends: [(&str, Prepare, Option<Fault>); 5] = [
        ("Ok(Updated", |_| {}, None),
        ("Ok(Refused", |server| server.protect(&main()), None),
        ("Ok(Superseded", |server| commit(server, &manifest("30")), None),
        ("Err(Edit", |server| commit(server, b"image: {}\n"), None),
        ("Err(Deadline", |_| {}, Some(Fault::Hangs)),
    ];
    for (end, prepare, fault) in ends {
        let server = apps(2);
        prepare(&server);
        // Somebody who is gone is first, so that this one queues up. Its third call is its second look.
        server.take(&turn_of(0), &head(&server)).await.unwrap();
        let client = far_away(&server);
        let client = fault.into_iter().fold(client, |client, fault| client.with(2, fault));
        let (began, change) = (Instant::now(), change_of(1));
        let ((), outcome) = tokio::join!(
            async {
                sleep(AWAY * 7).await;
                assert_eq!(server.queue(&main()).await.unwrap().turns, [turn_of(0), turn_of(1)], "{end}");
            },
            bring(&client, &change)
        );
        assert!(format!("{outcome:?}").starts_with(end), "{end}: {outcome:?}");
        assert!(!server.queue(&main()).await.unwrap().turns.contains(&turn_of(1)), "{end}");
        assert!(began.elapsed() <= Duration::from_secs(61), "{end}");
    }
}

fn commit(server: &Repository, bytes: &[u8]) {
    let file = (path("apps/1.yaml"), Some(Bytes::copy_from_slice(bytes)));
    server.commit_files(&main(), &[file], "by hand\n").unwrap();
}
