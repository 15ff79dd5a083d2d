//! One update through a proxy that breaks what passes through it, by each of the clients.

use std::{sync::Arc, time::Duration};

use guarded_http::{Credentials, Limits};
use ledger::{Authorship, Branch, LedgerError, Outcome, Remote, git, smart_http, update};
use sandbox::{Act, FaultProxy, GitOptions, Script, Seen};
use serde_json::Value;
use tests::Agent;
use tokio::time::Instant;

use crate::{
    contention::bring,
    hosted::{Hosted, manifest},
};

/// What asks the server for its branches.
pub(crate) const READ: &str = "*git-upload-pack";

/// What asks it to move one.
pub(crate) const PUSH: &str = "*/git-receive-pack";

/// Who brings the update.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum By {
    /// The library, over smart HTTP in process.
    Http,
    /// The library, with the git program.
    Program,
    /// The binary `update-ledger`.
    Binary,
}

/// A Ledger behind a proxy.
pub(crate) struct Scene {
    pub(crate) hosted: Arc<Hosted>,
    pub(crate) script: Script,
    pub(crate) proxy: Arc<FaultProxy>,
    agent: Agent,
}

impl Scene {
    pub(crate) async fn new() -> Self {
        Self::of(Hosted::new().await).await
    }

    /// Behind a server that speaks as Azure DevOps does.
    pub(crate) async fn without_v2() -> Self {
        Self::of(Hosted::with(GitOptions { without_v2: true, ..GitOptions::default() }).await).await
    }

    pub(crate) async fn of(hosted: Hosted) -> Self {
        let script = Script::new();
        let upstream = authority(&hosted);
        let proxy = Arc::new(FaultProxy::start("ledger", upstream, &script).await.unwrap());
        Self { hosted: Arc::new(hosted), script, proxy, agent: Agent::new(None, &[]) }
    }

    pub(crate) fn url(&self) -> String {
        format!("{}/ledger.git", self.proxy.url())
    }

    /// What becomes of the requests of this kind whose turn it is, from 1.
    pub(crate) fn on(
        &self,
        path: &str,
        nth: impl std::ops::RangeBounds<usize> + Send + Sync + 'static,
        act: impl Fn(&Seen) -> Act + Send + Sync + 'static,
    ) {
        self.script.set(sandbox::Faults::new().on("POST", path, nth, act).rule());
    }

    /// A colleague's commit, made when the first push is on its way.
    pub(crate) fn before_push(&self, what: impl Fn(&Hosted) + Send + Sync + 'static) {
        let hosted = Arc::clone(&self.hosted);
        self.on(PUSH, 1..=1, move |_| {
            what(&hosted);
            Act::Pass
        });
    }

    /// A client of the library's own.
    pub(crate) fn client(&self, by: By, limit: Duration) -> Box<dyn Remote> {
        let (url, authorship, credentials) =
            (self.url().parse().unwrap(), Authorship::default(), Credentials::Anonymous);
        if by == By::Program {
            // As the binary does: one run of git ends well before the update does.
            let timeout = limit / 2;
            let settings = git::Settings { authorship, credentials, timeout, ..git::Settings::default() };
            return Box::new(git::Program::new(url, settings));
        }
        let limits = Limits { connect: limit, stall: limit, deadline: Instant::now() + limit };
        let settings = smart_http::Settings { authorship, credentials, limits };
        Box::new(smart_http::Server::new(&url, settings).unwrap())
    }

    /// The command that brings the change.
    pub(crate) fn line(&self, limit: Duration) -> String {
        let (url, file, seconds) = (self.url(), manifest(0), limit.as_secs());
        format!("update-ledger --repo {url} --file {file} --key image.tag --set 2 --output json --timeout {seconds}s")
    }

    pub(crate) fn command(&self, limit: Duration) -> tokio::process::Command {
        self.agent.command(&self.line(limit))
    }

    /// Brings 2 to app 0. Its exit code, and what it says.
    pub(crate) async fn update(&self, by: By, limit: Duration) -> (i32, String) {
        if by == By::Binary {
            let ran = self.agent.run(&self.line(limit)).await;
            assert!(!ran.stderr.contains("panicked"), "{ran:?}");
            return (ran.code, said(&ran.document()));
        }
        let main = "main".parse::<Branch>().unwrap();
        let outcome = update(&*self.client(by, limit), &main, &bring(0), Instant::now() + limit).await;
        (code(&outcome), outcome.map_or_else(|error| with_causes(&error), |outcome| format!("{outcome:?}")))
    }

    /// Our commits in the branches' history: neither the first one nor a colleague's.
    pub(crate) fn ours(&self) -> Vec<String> {
        let log = self.hosted.git(&["log", "--format=%cn %H", "--branches", "--"]);
        let others = ["Forge ", "A "];
        let ours = log.lines().filter(|line| !others.iter().any(|name| line.starts_with(name)));
        ours.map(str::to_owned).collect()
    }

    /// A file of main.
    pub(crate) fn file(&self, path: &str) -> String {
        self.hosted.git(&["show", &format!("refs/heads/main:{path}")])
    }

    pub(crate) fn is_brought(&self) -> bool {
        self.file(&manifest(0).to_string()).contains("tag: \"2\"")
    }

    /// All refs of the server.
    pub(crate) fn refs(&self) -> String {
        self.hosted.git(&["for-each-ref", "--format=%(refname)"])
    }

    /// It is told to be written, and so it is.
    pub(crate) fn is_updated(&self, by: By, said: &str) {
        // "Unchanged" would be of a client that does not know its own commit.
        assert!(said.to_lowercase().starts_with("updated"), "{by:?}: {said}");
        self.is_brought_once();
    }

    /// Exactly one commit of ours, and nothing is wrong with it.
    pub(crate) fn is_brought_once(&self) {
        let ours = self.ours();
        assert!(ours.len() == 1 && self.is_brought(), "{ours:?}");
        self.hosted.assert_clean();
    }
}

pub(crate) fn authority(hosted: &Hosted) -> String {
    hosted.server.url().trim_start_matches("http://").to_owned()
}

fn said(document: &Value) -> String {
    let message = document["error"]["message"].as_str().unwrap_or_default();
    format!("{} {message}", document["outcome"].as_str().unwrap_or_default())
}

fn with_causes(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(Some(error), |error| error.source());
    causes.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}

/// The exit code that the binaries give it.
fn code(outcome: &Result<Outcome, LedgerError>) -> i32 {
    match outcome {
        Ok(Outcome::Updated { .. } | Outcome::Unchanged { .. }) => 0,
        Ok(Outcome::Refused(_)) => 1,
        Ok(Outcome::Superseded { .. }) => 14,
        Ok(Outcome::ReadsMoved { .. } | Outcome::NeverWon { .. }) => 11,
        Err(error) if error.is_retryable() || error.may_have_landed() => 3,
        Err(LedgerError::Edit { .. } | LedgerError::NoFile { .. }) => 2,
        Err(_) => 1,
    }
}
