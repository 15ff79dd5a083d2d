use std::sync::{
    Arc,
    atomic::{AtomicI64, Ordering},
};

use azure_devops::{
    AzureDevOps, AzureError,
    http::Server,
    memory::{self, Answer, End},
    model::BuildStatus,
};
use guarded_http::Credentials;
use jiff::Timestamp;
use release::BuildId;
use sandbox::{APPROVERS, APPS, ReleaseServer};

use crate::{limits, person};

/// The server in memory, and the way to it over HTTP: both have to say the same at every moment.
struct Both {
    memory: Arc<memory::Server>,
    server: ReleaseServer,
    clients: [Server; 2],
    seconds: Arc<AtomicI64>,
}

impl Both {
    async fn start() -> Self {
        let seconds = Arc::new(AtomicI64::new(1_790_000_000));
        let clock = Arc::clone(&seconds);
        let now = move || Timestamp::new(clock.load(Ordering::Relaxed), 700_000_000).unwrap();
        let memory = Arc::new(memory::Server::new(now));
        let server = ReleaseServer::start(Arc::clone(&memory), "acme", "forge", "token").await.unwrap();
        let url = server.url().parse().unwrap();
        let credentials = [
            Credentials::Basic { user: String::new(), password: "token".to_owned().into() },
            Credentials::Bearer("token".to_owned().into()),
        ];
        let clients =
            credentials.map(|credentials| Server::new("acme", "forge", Some(&url), &credentials, limits()).unwrap());
        Self { memory, server, clients, seconds }
    }

    async fn build(&self, id: BuildId) -> Option<azure_devops::model::Build> {
        let expected = self.memory.build(id).await.unwrap();
        for client in &self.clients {
            assert_eq!(client.build(id).await.unwrap(), expected);
        }
        expected
    }

    async fn same(&self) {
        self.seconds.fetch_add(60, Ordering::Relaxed);
        for (stage, source) in [("QA", None), ("Prod-Wealth", Some("QA"))] {
            let mut expected = self.memory.release(880, stage, source).await.unwrap();
            // Over HTTP it is the end of the second that the `Date` names.
            let fraction = expected.as_of.subsec_nanosecond();
            expected.as_of += jiff::SignedDuration::new(1, -fraction);
            for client in &self.clients {
                assert_eq!(client.release(880, stage, source).await.unwrap(), expected);
            }
        }
    }
}

#[tokio::test]
async fn http_says_what_the_memory_says() {
    let both = Both::start().await;
    let (ana, bo, app) = (person(1, "Ana"), person(2, "Bo"), APPS[0]);
    let build: BuildId = "48213".parse().unwrap();
    assert_eq!(both.build(build).await, None);
    let mut asked_for = app.build(build, &ana);
    asked_for.requesters.push(bo.clone());
    both.memory.add_build(asked_for).unwrap();
    for status in [BuildStatus::InProgress, BuildStatus::Other, BuildStatus::Succeeded] {
        both.memory.set_build_status(build, status).unwrap();
        assert_eq!(both.build(build).await.unwrap().status, status);
    }

    both.memory.add_release(app.release(880, build, &ana)).unwrap();
    both.memory.add_release(app.release(881, build, &bo)).unwrap();
    both.same().await;
    both.memory.begin(880, "QA", &bo).unwrap();
    both.same().await;
    both.memory.end(880, "QA", End::Succeeded).unwrap();
    both.same().await;
    both.memory.begin(880, "Prod-Wealth", &ana).unwrap();
    both.memory.begin(881, "Prod-Wealth", &ana).unwrap();
    let refused = both.memory.ask(880, "Prod-Wealth", APPROVERS).unwrap();
    both.memory.ask(881, "Prod-Wealth", APPROVERS).unwrap();
    both.same().await;
    both.memory.answer(refused, &ana, Answer::Reject).unwrap();
    both.same().await;
    let given = both.memory.ask(880, "Prod-Wealth", APPROVERS).unwrap();
    both.memory.answer(given, &bo, Answer::Approve).unwrap();
    both.same().await;
    both.memory.end(880, "Prod-Wealth", End::Failed).unwrap();
    both.memory.begin(880, "Prod-Wealth", &bo).unwrap();
    both.same().await;
}

#[tokio::test]
async fn what_was_just_approved_is_not_in_the_future() {
    let both = Both::start().await;
    let (ana, bo) = (person(1, "Ana"), person(2, "Bo"));
    both.memory.add_release(APPS[0].release(880, "48213".parse().unwrap(), &ana)).unwrap();
    both.memory.begin(880, "Prod-Wealth", &ana).unwrap();
    let approval = both.memory.ask(880, "Prod-Wealth", APPROVERS).unwrap();
    both.memory.answer(approval, &bo, Answer::Approve).unwrap();
    let release = both.clients[0].release(880, "Prod-Wealth", None).await.unwrap();
    assert!(release.stage.approvals[0].given_at.unwrap() <= release.as_of);
}

#[tokio::test]
async fn more_approvals_than_fit_on_a_page() {
    let both = Both::start().await;
    both.memory.add_release(APPS[0].release(880, "48213".parse().unwrap(), &person(1, "Ana"))).unwrap();
    both.memory.begin(880, "Prod-Wealth", &person(1, "Ana")).unwrap();
    for _ in 0..250 {
        both.memory.ask(880, "Prod-Wealth", APPROVERS).unwrap();
    }
    both.same().await;
    let release = both.clients[0].release(880, "Prod-Wealth", None).await.unwrap();
    assert_eq!(release.stage.approvals.len(), 250);
}

#[tokio::test]
async fn what_is_not_there_is_said_so() {
    let both = Both::start().await;
    let client = &both.clients[0];
    assert!(!client.release(880, "QA", None).await.unwrap_err().is_retryable());
    both.memory.add_release(APPS[0].release(880, "48213".parse().unwrap(), &person(1, "Ana"))).unwrap();
    for server in [client as &dyn AzureDevOps, &*both.memory] {
        let error = server.release(880, "Staging", None).await.unwrap_err();
        assert!(matches!(error, AzureError::NoStage { .. }), "{error}");
    }
    let url = both.server.url().parse().unwrap();
    let elsewhere = Server::new("acme", "other", Some(&url), &Credentials::Bearer("token".to_owned().into()), limits());
    let error = elsewhere.unwrap().build("48213".parse().unwrap()).await.unwrap_err();
    assert!(!error.is_retryable(), "another project's 404 is not this build's");
}
