//! Every order in which the steps of three writers can meet.

use std::{future::poll_fn, pin::Pin, sync::Arc, task::Poll};

use futures_util::future::join_all;
use ledger::{
    Change, LedgerError, Outcome,
    faults::{Fault, Faulty},
    memory::Repository,
};

use crate::support::{bring, change, main, now, record, run, server};

const WRITERS: usize = 3;
/// Look, read, push, and what follows: the end, or a turn.
const STEPS: usize = 4;

/// All orders of `WRITERS` times `STEPS` steps: 12! / 4!³.
fn schedules() -> Vec<Vec<usize>> {
    let mut schedules = vec![vec![]];
    for _ in 0..WRITERS * STEPS {
        let longer = |schedule: Vec<usize>| {
            let steps = |writer: &usize| schedule.iter().filter(|step| *step == writer).count();
            let next: Vec<usize> = (0..WRITERS).filter(|writer| steps(writer) < STEPS).collect();
            next.into_iter().map(move |writer| [&schedule[..], &[writer]].concat())
        };
        schedules = schedules.into_iter().flat_map(longer).collect();
    }
    schedules
}

type Update<'a> = Pin<Box<dyn Future<Output = Result<Outcome, LedgerError>> + Send + 'a>>;

/// One call of the server: a client yields before it and after it.
async fn step(update: &mut Update<'_>) -> Option<Result<Outcome, LedgerError>> {
    for _ in 0..2 {
        let polled = poll_fn(|context| Poll::Ready(update.as_mut().poll(context))).await;
        if let Poll::Ready(outcome) = polled {
            return Some(outcome);
        }
    }
    None
}

/// A writer adds an item to the one file that all write.
fn changes() -> [Change; WRITERS] {
    [0, 1, 2]
        .map(|which| Change { prepends: vec![record("r.json", &which.to_string(), None)], ..change(which, vec![]) })
}

async fn play(server: &Repository, schedule: &[usize], lost: Option<usize>, changes: &[Change; WRITERS]) {
    let client = |writer| {
        let client = Faulty::new(Arc::new(server.clone()));
        if lost == Some(writer) { client.with(2, Fault::AnswerLost) } else { client }
    };
    let clients = [0, 1, 2].map(client);
    let mut updates: Vec<Option<Update<'_>>> =
        clients.iter().zip(changes).map(|(client, change)| Some(Box::pin(bring(client, change)) as _)).collect();
    let mut outcomes: Vec<Option<Outcome>> = vec![None; WRITERS];
    for writer in schedule {
        if let Some(update) = &mut updates[*writer]
            && let Some(outcome) = step(update).await
        {
            (updates[*writer], outcomes[*writer]) = (None, Some(outcome.unwrap()));
        }
    }
    let left = updates.into_iter().enumerate().filter_map(|(writer, update)| Some((writer, update?)));
    for (writer, outcome) in join_all(left.map(async |(writer, update)| (writer, update.await))).await {
        outcomes[writer] = Some(outcome.unwrap());
    }
    let log = server.log(&main());
    let written: Vec<usize> =
        log.iter().filter_map(|meta| (0..WRITERS).find(|writer| meta.run == Some(run(*writer as u64)))).collect();
    let items: Vec<String> = written.iter().map(ToString::to_string).collect();
    assert_eq!((written.len(), log.len()), (WRITERS, WRITERS + 1), "{schedule:?}, {lost:?}");
    assert_eq!(now(server, "r.json"), format!("[\n{}\n]\n", items.join(",\n")), "{schedule:?}, {lost:?}");
    for (writer, outcome) in outcomes.iter().enumerate() {
        let meta = log.iter().find(|meta| meta.run == Some(run(writer as u64))).unwrap();
        let Some(Outcome::Updated { commit, parent, .. }) = outcome else { panic!("{schedule:?}: {outcome:?}") };
        assert_eq!((*commit, [*parent].as_slice()), (meta.id, &*meta.parents), "{schedule:?}, {lost:?}");
    }
}

async fn play_all(turns: bool, lost: Option<usize>) {
    let (schedules, changes) = (schedules(), changes());
    assert_eq!(schedules.len(), 34_650);
    // Without turns the writers are alike, so that one of them may always be the first.
    let different = schedules.iter().filter(|schedule| turns || schedule[0] == 0);
    for (number, schedule) in different.enumerate() {
        fastrand::seed(number as u64);
        let server = server(&[]);
        if !turns {
            server.refuse_turns();
        }
        play(&server, schedule, lost, &changes).await;
    }
}

#[tokio::test(start_paused = true)]
async fn in_turns() {
    play_all(true, None).await;
}

#[tokio::test(start_paused = true)]
async fn in_turns_with_a_lost_answer() {
    play_all(true, Some(0)).await;
}

#[tokio::test(start_paused = true)]
async fn by_compare_and_swap_alone() {
    play_all(false, None).await;
}
