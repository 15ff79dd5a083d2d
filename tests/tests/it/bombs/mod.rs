//! Servers that mean harm: each bomb ends with a clear error, and takes neither time nor memory.

mod documents;
mod lists;
pub(crate) mod server;
pub(crate) mod shop;
mod uploads;
mod wire;

use std::time::{Duration, Instant};

use sandbox::{
    RegistryOptions, RegistryServer,
    registry_copy::{InMemory, TagRule},
};
use tests::{Agent, Measured, binary};

use self::{
    server::{Fire, Server},
    shop::Shop,
};

/// The processor time that a bomb may take.
const CPU: Duration = Duration::from_secs(5);
/// The memory that a bomb may take, in MiB.
const PEAK_MIB: f64 = 64.0;
/// The time that it may take.
const WALL: Duration = Duration::from_secs(37);

/// The `--timeout` that lets one stall of 30 s be seen, and no second.
const PATIENT: &str = "34s";
/// The layer of honest images.
const LAYER: &[u8] = b"a layer";

/// A bomb: what one side does, and how the copy ends.
pub(crate) struct Bomb {
    what: &'static str,
    side: Side,
    /// The exit code.
    ends: i32,
    /// What stands in the message, or before it on stderr.
    says: &'static str,
    /// The command's `--timeout`.
    timeout: &'static str,
    load: fn(&mut Shop),
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Side {
    Source,
    Destination,
}

impl Bomb {
    const fn at_source(what: &'static str, ends: i32, says: &'static str, load: fn(&mut Shop)) -> Self {
        Self { what, side: Side::Source, ends, says, timeout: "20s", load }
    }

    const fn at_destination(what: &'static str, ends: i32, says: &'static str, load: fn(&mut Shop)) -> Self {
        Self { side: Side::Destination, ..Self::at_source(what, ends, says, load) }
    }

    /// Whether it ends only after half a minute without progress.
    fn is_slow(&self) -> bool {
        self.timeout == PATIENT
    }

    /// Gives up after this time.
    const fn within(self, timeout: &'static str) -> Self {
        Self { timeout, ..self }
    }
}

/// Makes a test of each bomb, and `ALL` of them by name.
macro_rules! bombs {
    ($($name:ident => $bomb:expr;)*) => {
        pub(super) const ALL: &[(&str, $crate::bombs::Bomb)] = &[$((stringify!($name), $bomb)),*];
        $(
            #[tokio::test]
            async fn $name() {
                if $bomb.is_slow() {
                    $crate::slow::wait_for(stringify!($name));
                } else {
                    $crate::bombs::defuse(stringify!($name), &$bomb).await;
                }
            }
        )*
    };
}
use bombs;

fn all() -> impl Iterator<Item = &'static (&'static str, Bomb)> {
    [documents::ALL, lists::ALL, wire::ALL, uploads::ALL].into_iter().flatten()
}

/// Those that wait.
pub(crate) fn slow() -> impl Iterator<Item = &'static (&'static str, Bomb)> {
    all().filter(|(_, bomb)| bomb.is_slow())
}

/// Copies with a bomb at one side, and judges how that ended.
pub(crate) async fn defuse(name: &str, bomb: &Bomb) -> Measured {
    let bad = Server::start(|authority| Shop::loaded(authority, bomb.load)).await;
    let memory = InMemory::new();
    memory.create(&"a".parse().unwrap(), TagRule::Immutable);
    let good = RegistryServer::start(memory, RegistryOptions::default()).await.unwrap();
    let image = |shop: &mut Shop| shop.image_with_layer(LAYER, || Fire::Whole(server::answer("200 OK", &[], LAYER)));
    let honest = Server::start(|authority| Shop::loaded(authority, image)).await;
    let (source, destination) = match bomb.side {
        Side::Source => (bad.authority.clone(), good.authority()),
        Side::Destination => (honest.authority.clone(), bad.authority.clone()),
    };
    let line = format!("copy-artifact {source}/a:1 {destination}/a:1 --output json --timeout {}", bomb.timeout);
    let agent = Agent::new(None, &[]);
    // Built before the clock runs.
    drop(binary("copy-artifact"));
    let began = Instant::now();
    let measured = agent.measured(&line).await;
    let wall = began.elapsed();

    let Measured { ran, cpu, peak_mib } = &measured;
    assert_eq!(ran.code, bomb.ends, "{name}: {ran:?}");
    let document = ran.document();
    let message = document["error"]["message"].as_str().unwrap_or_default();
    let told = format!("{message}\n{}", ran.stderr);
    assert!(told.contains(bomb.says), "{name}: no {:?} in {told}", bomb.says);
    assert!(!ran.stderr.contains("panicked"), "{name}: {}", ran.stderr);
    assert!(!format!("{}{}", ran.stdout, ran.stderr).contains("##vso["), "{name} commands the agent: {ran:?}");
    assert!(ran.stdout.len() + ran.stderr.len() < 16 << 10, "{name} fills the log");
    assert!(*cpu <= CPU && wall <= WALL, "{name}: {cpu:?} of the processor, {wall:?} in all");
    assert!(*peak_mib <= PEAK_MIB, "{name}: {peak_mib:.1} MiB");
    if bomb.ends != 0 && bomb.side == Side::Source {
        assert!(good.memory().tags(&"a".parse().unwrap()).is_empty(), "{name}: a tag was set");
    }
    measured
}

mod documented {
    //! docs/bombs.md.

    use super::{Bomb, Side, all, defuse};
    use crate::snapshot;

    const FILE: &str = "../docs/bombs.md";
    const ABOVE: &str = "\
# Bombs

What a malicious or broken server can send, and how `copy-artifact` ends: within 5 s of processor time and 64 MiB of
memory, with an error that says what was wrong, and with no tag set. Each line is a test of its own over real sockets
(`cargo test -p tests --test it bombs::`); the figures are of one run of an unoptimised build, as the system counts
them for the process (`wait4`), and are written by `UPDATE_DOCS=1 cargo test -p tests --test it bombs::documented`.
One takes more than a few hundredths of a second: interim answers are swallowed by the HTTP library, so who sends them
without end costs one core until the stall of 30 s is seen or, as here, `--timeout 4s` is over.

| test | what is sent | side | exit code | CPU s | peak MiB |
| --- | --- | --- | --- | --- | --- |
";

    fn row(name: &str, bomb: &Bomb, cpu: &str, peak: &str) -> String {
        let side = if bomb.side == Side::Source { "source" } else { "destination" };
        format!("| `{name}` | {} | {side} | {} | {cpu} | {peak} |\n", bomb.what, bomb.ends)
    }

    /// A line without its figures.
    fn plain(line: &str) -> String {
        let cells: Vec<&str> = line.split(" | ").collect();
        if cells.len() == 6 { format!("{} | - | - |\n", cells[..4].join(" | ")) } else { format!("{line}\n") }
    }

    #[tokio::test]
    async fn the_table_has_every_bomb() {
        let rows = all().map(|(name, bomb)| row(name, bomb, "-", "-"));
        let right = ABOVE.lines().map(plain).chain(rows).collect::<String>();
        if std::env::var_os(snapshot::UPDATE_DOCS).is_some() {
            let mut text = ABOVE.to_owned();
            for (name, bomb) in all() {
                let taken = defuse(name, bomb).await;
                let (cpu, peak) = (format!("{:.2}", taken.cpu.as_secs_f64()), format!("{:.0}", taken.peak_mib));
                text.push_str(&row(name, bomb, &cpu, &peak));
            }
            snapshot::compare(FILE, &text, snapshot::UPDATE_DOCS);
        }
        let known: String = snapshot::read(FILE).lines().map(plain).collect();
        assert_eq!(known, right, "write it anew with {}=1", snapshot::UPDATE_DOCS);
    }
}
