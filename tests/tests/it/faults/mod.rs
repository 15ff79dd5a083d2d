//! What goes wrong between registries, row by row, and how a copy ends all the same.

mod answers;
mod connections;
mod documented;
mod lies;
mod nth;
mod races;
mod referrers;
mod scene;
mod tls;
mod tokens;
mod uploads;

use tests::Ran;

use self::scene::{Scene, Setup, TAG};

/// The `--timeout` that lets one stall of 30 s be seen and mended.
const PATIENT: &str = "45s";

/// A line of the table: a fault, and how the command must end.
#[derive(Clone, Copy)]
pub(crate) struct Row {
    /// The row of the fault model.
    number: u8,
    fault: &'static str,
    ends: Ends,
}

/// How a command ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ends {
    /// 0: the image is there, whole, and was read back.
    Copied,
    /// 12: the tag names something else, as before.
    Held,
    /// Any other code: there is no tag.
    Failed(i32),
    /// 0 for one of two, 12 for the other.
    OneOfTwo,
    /// 13, and the registry did as it should: the tag is right.
    LiedTo,
}

impl Row {
    const fn new(number: u8, fault: &'static str, ends: Ends) -> Self {
        Self { number, fault, ends }
    }
}

impl Ends {
    /// As the table has it.
    fn codes(self) -> String {
        if self == Self::OneOfTwo { "0 and 12".to_owned() } else { self.code().to_string() }
    }

    fn code(self) -> i32 {
        match self {
            Self::Copied | Self::OneOfTwo => 0,
            Self::Held => 12,
            Self::LiedTo => 13,
            Self::Failed(code) => code,
        }
    }
}

/// A fault that is set before one copy, and what is looked at after it.
#[derive(Clone, Copy)]
pub(crate) struct Case {
    row: Row,
    setup: fn() -> Setup,
    timeout: &'static str,
    /// Whether the source is named by its digest.
    pinned: bool,
    /// How many blobs may be asked for twice.
    reads_again: usize,
    /// What stands in the message of a failure.
    says: &'static str,
    arrange: fn(&mut Scene),
    check: fn(&Scene, &Ran),
}

impl Case {
    const fn new(number: u8, fault: &'static str, ends: Ends, arrange: fn(&mut Scene)) -> Self {
        let row = Row::new(number, fault, ends);
        let (setup, timeout, pinned, reads_again, says) = (Setup::plain, "20s", false, 1, "");
        Self { row, setup, timeout, pinned, reads_again, says, arrange, check: |_, _| () }
    }

    /// Whether it ends only after half a minute without progress.
    fn is_slow(&self) -> bool {
        self.timeout == PATIENT
    }

    /// Between registries of this kind.
    const fn on(self, setup: fn() -> Setup) -> Self {
        Self { setup, ..self }
    }

    const fn within(self, timeout: &'static str) -> Self {
        Self { timeout, ..self }
    }

    const fn pinned(self) -> Self {
        Self { pinned: true, ..self }
    }

    const fn reads_again(self, reads_again: usize) -> Self {
        Self { reads_again, ..self }
    }

    const fn says(self, says: &'static str) -> Self {
        Self { says, ..self }
    }

    const fn check(self, check: fn(&Scene, &Ran)) -> Self {
        Self { check, ..self }
    }

    pub(crate) async fn run(&self, name: &str) {
        let mut scene = Scene::of((self.setup)()).await;
        (self.arrange)(&mut scene);
        let what = if self.pinned { format!("@{}", scene.image.digest) } else { format!(":{TAG}") };
        let ran = scene.agent().run(&scene.line(&what, self.timeout)).await;
        assert!(scene.faults_met() > 0, "{name}: the fault was never met: {ran:?}");
        let ends = self.row.ends;
        assert_eq!(ran.code, ends.code(), "{name}: {ran:?}");
        let document = ran.document();
        assert!(!ran.stderr.contains("panicked"), "{name}: {ran:?}");
        match ends {
            Ends::Copied | Ends::OneOfTwo => {
                assert_eq!(document["outcome"], "copied", "{name}");
                scene.is_whole().await;
                assert!(scene.read_again() <= self.reads_again, "{name}: {:?}", scene.source.asked("GET", "*/blobs/*"));
            }
            Ends::LiedTo => scene.is_whole().await,
            Ends::Held => assert_ne!(scene.destination.witness.tag(TAG).await, Some(scene.image.digest.clone())),
            Ends::Failed(_) => assert_eq!(scene.destination.witness.tag(TAG).await, None, "{name}: a tag was set"),
        }
        let message = document["error"]["message"].as_str().unwrap_or_default();
        assert!(message.contains(self.says), "{name}: no {:?} in {message}", self.says);
        (self.check)(&scene, &ran);
    }
}

/// Makes a test of each case, and `CASES` of all of them.
macro_rules! cases {
    ($($name:ident => $case:expr;)*) => {
        pub(super) const CASES: &[(&str, $crate::faults::Case)] = &[$((stringify!($name), $case)),*];
        $(
            #[tokio::test]
            async fn $name() {
                if $case.is_slow() {
                    $crate::slow::wait_for(stringify!($name));
                } else {
                    $case.run(stringify!($name)).await;
                }
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

fn all() -> impl Iterator<Item = &'static (&'static str, Case)> {
    let cases = [connections::CASES, answers::CASES, tokens::CASES, lies::CASES, uploads::CASES, referrers::CASES];
    cases.into_iter().flatten()
}

/// Those that wait.
pub(crate) fn slow() -> impl Iterator<Item = &'static (&'static str, Case)> {
    all().filter(|(_, case)| case.is_slow())
}
