use std::sync::{
    Arc,
    atomic::{AtomicI64, Ordering},
};

use azure_devops::{
    AzureDevOps as _, AzureError,
    memory::{Answer, End, Refused, Server},
    model::{Release, Stage},
};
use jiff::Timestamp;
use policy::{Build, BuildStatus};
use release::{Actor, ActorId};

use crate::samples::{ANA, BO, GROUP, actor};

struct World {
    server: Server,
    seconds: Arc<AtomicI64>,
}

impl World {
    fn new() -> Self {
        let seconds = Arc::new(AtomicI64::new(1_000));
        let clock = Arc::clone(&seconds);
        let server = Server::new(move || Timestamp::from_second(clock.load(Ordering::Relaxed)).unwrap());
        server.add_release(release()).unwrap();
        Self { server, seconds }
    }

    fn pass(&self) -> Timestamp {
        Timestamp::from_second(self.seconds.fetch_add(60, Ordering::Relaxed) + 60).unwrap()
    }

    async fn prod(&self) -> policy::Release {
        self.server.release(880, "Prod", Some("QA")).await.unwrap()
    }
}

fn release() -> Release {
    let stage = |id, definition, name: &str| Stage {
        id,
        definition,
        name: name.to_owned(),
        creator_can_approve: false,
        attempts: Vec::new(),
        approvals: Vec::new(),
    };
    Release {
        id: 880,
        definition: 12,
        build: Some("48213".parse().unwrap()),
        build_definition: Some(57),
        created_by: actor(ANA, "Ana"),
        created_for: actor(ANA, "Ana"),
        stages: vec![stage(301, 3, "QA"), stage(302, 4, "Prod")],
    }
}

#[tokio::test]
async fn a_release_from_qa_to_prod() {
    let world = World::new();
    let (ana, bo) = (actor(ANA, "Ana"), actor(BO, "Bo"));
    assert_eq!((world.prod().await.stage.attempt, world.prod().await.source_succeeded_at), (None, None));

    world.server.begin(880, "QA", &ana).unwrap();
    let qa_done = world.pass();
    world.server.end(880, "QA", End::Succeeded).unwrap();
    world.pass();
    assert_eq!(world.server.begin(880, "Prod", &bo), Ok(1));
    let prod = world.prod().await;
    assert_eq!((prod.source_succeeded_at, prod.stage.attempt), (Some(qa_done), Some(1)));
    assert_eq!(prod.requesters, [ana.clone(), bo.clone()]);

    let approval = world.server.ask(880, "Prod", &GROUP.to_uppercase()).unwrap();
    assert!(!world.prod().await.stage.approvals[0].approved);
    let given_at = world.pass();
    world.server.answer(approval, &bo, Answer::Approve).unwrap();
    let given = world.prod().await.stage.approvals.remove(0);
    assert_eq!((given.approved, given.asked.as_str(), given.given_at), (true, GROUP, Some(given_at)));
    assert_eq!((given.approver, given.attempt), (Some(bo.clone()), 1));

    world.server.end(880, "Prod", End::Failed).unwrap();
    assert_eq!(world.prod().await.stage.attempt, None);
    assert_eq!(world.server.begin(880, "Prod", &ana), Ok(2));
    assert_eq!(world.prod().await.requesters, [ana]);
}

#[tokio::test]
async fn a_refusal_is_no_approval() {
    let world = World::new();
    world.server.begin(880, "Prod", &actor(ANA, "Ana")).unwrap();
    let approval = world.server.ask(880, "Prod", GROUP).unwrap();
    world.server.answer(approval, &actor(BO, "Bo"), Answer::Reject).unwrap();
    let refused = world.prod().await.stage.approvals.remove(0);
    assert_eq!((refused.approved, refused.approver, refused.given_at), (false, None, None));
}

#[test]
fn it_is_strict() {
    let World { server, .. } = World::new();
    let ana = actor(ANA, "Ana");
    assert_eq!(server.add_release(release()), Err(Refused::Taken("release")));
    let mut twice = release();
    twice.id = 881;
    twice.stages[1].name = "QA".to_owned();
    assert_eq!(server.add_release(twice), Err(Refused::Taken("stage")));
    assert_eq!(server.begin(879, "QA", &ana), Err(Refused::Unknown("release")));
    assert_eq!(server.begin(880, "qa", &ana), Err(Refused::Unknown("stage")));
    assert_eq!(server.end(880, "QA", End::Succeeded), Err(Refused::NotInProgress));
    assert_eq!(server.ask(880, "QA", GROUP), Err(Refused::NotInProgress));
    server.begin(880, "QA", &ana).unwrap();
    assert_eq!(server.begin(880, "QA", &ana), Err(Refused::InProgress));
    let approval = server.ask(880, "QA", GROUP).unwrap();
    server.answer(approval, &ana, Answer::Approve).unwrap();
    assert_eq!(server.answer(approval, &ana, Answer::Reject), Err(Refused::Answered));
    assert_eq!(server.answer(approval + 1, &ana, Answer::Approve), Err(Refused::Unknown("approval")));
    let stranger = Actor { id: ActorId::Claimed("ana".to_owned()), name: "Ana".to_owned() };
    assert!(matches!(server.begin(880, "Prod", &stranger), Err(Refused::Stranger(_))));
}

#[tokio::test]
async fn builds_come_and_end() {
    let World { server, .. } = World::new();
    let id = "48213".parse().unwrap();
    assert_eq!(server.build(id).await.unwrap(), None);
    let build = |requesters| Build {
        id,
        definition: 57,
        branch: "refs/heads/main".to_owned(),
        status: BuildStatus::InProgress,
        requesters,
    };
    assert_eq!(server.add_build(build(Vec::new())), Err(Refused::Requesters(0)));
    server.add_build(build(vec![actor(ANA, "Ana")])).unwrap();
    assert_eq!(server.add_build(build(vec![actor(ANA, "Ana")])), Err(Refused::Taken("build")));
    server.set_build_status(id, BuildStatus::Succeeded).unwrap();
    assert_eq!(server.build(id).await.unwrap().unwrap().status, BuildStatus::Succeeded);
}

#[tokio::test]
async fn attempts_that_cannot_be_told_apart_are_no_answer() {
    let World { server, .. } = World::new();
    let ana = actor(ANA, "Ana");
    server.begin(880, "Prod", &ana).unwrap();
    let mut release = server.find_release(880).unwrap();
    let attempt = release.stages[1].attempts[0].clone();
    release.stages[1].attempts.push(attempt);
    let answer = release.at_stage("Prod", None, server.now());
    assert!(matches!(answer, Err(AzureError::AttemptsAmbiguous { .. })), "{answer:?}");
    release.stages[1].attempts[1].number = 2;
    let answer = release.at_stage("Prod", None, server.now());
    assert!(matches!(answer, Err(AzureError::AttemptsAmbiguous { .. })), "{answer:?}");
    let answer = release.at_stage("QA", Some("Staging"), server.now());
    assert!(matches!(answer, Err(AzureError::NoStage { .. })), "{answer:?}");
}
