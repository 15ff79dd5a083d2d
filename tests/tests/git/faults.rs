//! What goes wrong between an update and its Git server, row by row, and how the update ends all the same.

mod answers;
mod branches;
mod documented;
mod files;
mod nth;
mod pushes;
mod replicas;
mod servers;

use std::time::Duration;

use crate::scene::{By, Scene};

/// The cases of all modules.
const CASES_OF: [&[(&str, Case)]; 5] = [answers::CASES, pushes::CASES, branches::CASES, files::CASES, servers::CASES];

/// A line of the table: a fault, and how the update must end.
#[derive(Clone, Copy)]
struct Row {
    /// The row of the fault model.
    number: u8,
    fault: &'static str,
    ends: Ends,
    /// How it ends with the git program.
    of_program: Ends,
}

/// How an update ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ends {
    /// 0: exactly one commit of ours is in the branch.
    Updated,
    /// 1: the server does not want it, and nothing of it is written.
    Refused,
    /// Any other code: nothing of it is written.
    Failed(i32),
}

impl Ends {
    fn code(self) -> i32 {
        match self {
            Self::Updated => 0,
            Self::Refused => 1,
            Self::Failed(code) => code,
        }
    }
}

impl Row {
    const fn new(number: u8, fault: &'static str, ends: Ends) -> Self {
        Self { number, fault, ends, of_program: ends }
    }
}

/// A fault that is set before one update, and what is looked at after it.
#[derive(Clone, Copy)]
struct Case {
    row: Row,
    limit: Duration,
    /// What stands in the message.
    says: &'static str,
    without_v2: bool,
    arrange: fn(&Scene),
    check: fn(&Scene),
}

impl Case {
    const fn new(number: u8, fault: &'static str, ends: Ends, arrange: fn(&Scene)) -> Self {
        let (row, limit) = (Row::new(number, fault, ends), Duration::from_secs(20));
        Self { row, limit, says: "", without_v2: false, arrange, check: |_| () }
    }

    const fn with_program(mut self, ends: Ends) -> Self {
        self.row.of_program = ends;
        self
    }

    const fn within(self, seconds: u64) -> Self {
        Self { limit: Duration::from_secs(seconds), ..self }
    }

    const fn says(self, says: &'static str) -> Self {
        Self { says, ..self }
    }

    const fn without_v2(self) -> Self {
        Self { without_v2: true, ..self }
    }

    const fn check(self, check: fn(&Scene)) -> Self {
        Self { check, ..self }
    }

    async fn run(&self, name: &str) {
        for by in [By::Http, By::Program, By::Binary] {
            let scene = if self.without_v2 { Scene::without_v2().await } else { Scene::new().await };
            (self.arrange)(&scene);
            let (code, said) = scene.update(by, self.limit).await;
            let ends = if by == By::Program { self.row.of_program } else { self.row.ends };
            assert_eq!(code, ends.code(), "{name}, {by:?}: {said}\n{:#?}", asked(&scene));
            match ends {
                Ends::Updated => scene.is_updated(by, &said),
                Ends::Refused | Ends::Failed(_) => assert_eq!(scene.ours().len(), 0, "{name}, {by:?}"),
            }
            if by != By::Program {
                assert!(said.contains(self.says), "{name}, {by:?}: no {:?} in {said}", self.says);
            }
            (self.check)(&scene);
        }
    }
}

fn asked(scene: &Scene) -> Vec<String> {
    scene.script.seen().into_iter().map(|seen| format!("{} {}", seen.method, seen.path)).collect()
}

/// Makes a test of each case, and `CASES` of all of them.
macro_rules! cases {
    ($($name:ident => $case:expr;)*) => {
        pub(super) const CASES: &[(&str, $crate::faults::Case)] = &[$((stringify!($name), $case)),*];
        $(
            #[tokio::test]
            async fn $name() {
                $case.run(stringify!($name)).await;
            }
        )*
    };
}
use cases;

/// Lists tests that are more than a case.
macro_rules! told {
    ($($name:ident: $row:expr;)*) => {
        pub(super) const TOLD: &[(&str, $crate::faults::Row)] = &[$((stringify!($name), $row)),*];
        // A name that is no test does not compile.
        const _: &[fn()] = &[$($name),*];
    };
}
use told;
