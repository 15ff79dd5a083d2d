//! Runs futures side by side in an order that a seed decides, and drops some of them on the way.

use std::{
    future::poll_fn,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll, Wake, Waker},
};

use fastrand::Rng;
use futures_util::task::AtomicWaker;

/// A future, and after how many polls it is dropped, if it is.
pub(crate) struct Task<'a> {
    future: Option<Pin<Box<dyn Future<Output = ()> + 'a>>>,
    polls: usize,
    drop_at: Option<usize>,
    woken: Arc<Woken>,
}

#[derive(Default)]
struct Woken {
    flag: AtomicBool,
    all: AtomicWaker,
}

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.flag.store(true, Ordering::Relaxed);
        self.all.wake();
    }
}

impl<'a> Task<'a> {
    pub(crate) fn new(future: impl Future<Output = ()> + 'a, drop_at: Option<usize>) -> Self {
        let woken = Arc::new(Woken { flag: AtomicBool::new(true), ..Woken::default() });
        Self { future: Some(Box::pin(future)), polls: 0, drop_at, woken }
    }

    fn poll(&mut self) {
        let Some(future) = &mut self.future else { return };
        let waker = Waker::from(Arc::clone(&self.woken));
        self.polls += 1;
        let done = future.as_mut().poll(&mut Context::from_waker(&waker)).is_ready();
        if done || self.drop_at == Some(self.polls) {
            self.future = None;
        }
    }
}

/// Runs all tasks to their ends. A task that could go on may have to wait while others do, as on a busy machine;
/// `watch` looks after each step.
pub(crate) async fn interleave(mut tasks: Vec<Task<'_>>, random: &mut Rng, mut watch: impl FnMut()) {
    let mut order: Vec<usize> = (0..tasks.len()).collect();
    poll_fn(|context| {
        random.shuffle(&mut order);
        for index in &order {
            let task = &mut tasks[*index];
            task.woken.all.register(context.waker());
            if task.future.is_none() || !task.woken.flag.load(Ordering::Relaxed) {
                continue;
            }
            if random.bool() {
                context.waker().wake_by_ref();
                continue;
            }
            task.woken.flag.store(false, Ordering::Relaxed);
            task.poll();
            watch();
        }
        if tasks.iter().all(|task| task.future.is_none()) { Poll::Ready(()) } else { Poll::Pending }
    })
    .await;
}

/// How often a future is polled until it ends, or at most `limit` times.
pub(crate) async fn polls(future: impl Future, limit: usize) -> usize {
    let mut future = Box::pin(future);
    let mut count = 0;
    poll_fn(|context| {
        count += 1;
        let done = future.as_mut().poll(context).is_ready();
        if done || count >= limit { Poll::Ready(()) } else { Poll::Pending }
    })
    .await;
    count
}
