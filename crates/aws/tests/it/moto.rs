//! A moto server, which all tests of this process share.

use std::{
    env,
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::OnceLock,
};

use url::Url;

use crate::alone::is_alone;

/// It ends with its keeper's input, and so with this process at the latest.
pub(crate) struct Moto {
    url: String,
    _keeper: Option<Child>,
}

const KEEPER: &str = r#"
"$0" -H 127.0.0.1 -p 0 "$@" 2>&1 </dev/null &
server=$!
cat >/dev/null
kill "$server"
wait "$server"
"#;

const ADDRESS: &str = "CONVEYOR_TEST_MOTO";

/// How another process finds it.
pub(crate) fn shared() -> (&'static str, &'static str) {
    static MOTO: OnceLock<Moto> = OnceLock::new();
    MOTO.get_or_init(|| start(&[])).variable()
}

impl Moto {
    pub(crate) fn variable(&self) -> (&'static str, &str) {
        (ADDRESS, &self.url)
    }
}

/// Where it is, said to this process by the one that waits for it.
pub(crate) fn url() -> Url {
    env::var(ADDRESS).unwrap().parse().unwrap()
}

/// One of its own, with these arguments besides.
pub(crate) fn start(arguments: &[&str]) -> Moto {
    if is_alone() {
        // The process that waits has it.
        return Moto { url: String::new(), _keeper: None };
    }
    let mut keeper = Command::new("sh")
        .args(["-c", KEEPER])
        .arg(program())
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("sh is needed");
    let mut lines = BufReader::new(keeper.stdout.take().unwrap()).lines();
    let mut told = Vec::new();
    let url = loop {
        let line = lines.next().unwrap_or_else(|| panic!("moto does not start: {told:?}")).unwrap();
        match line.split_once("Running on ") {
            Some((_, url)) => break format!("{}/", url.trim()),
            None => told.push(line),
        }
    };
    // It tells of each request, and would stop once nobody reads that.
    std::thread::spawn(move || lines.for_each(drop));
    Moto { url, _keeper: Some(keeper) }
}

fn program() -> PathBuf {
    let installed = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/tools/moto/bin/moto_server");
    let path = env::var_os("PATH").unwrap_or_default();
    let on_path = || env::split_paths(&path).map(|directory| directory.join("moto_server")).find(|file| file.is_file());
    Some(installed).filter(|file| file.is_file()).or_else(on_path).expect(
        "moto is needed: `cargo xtask test` installs it, and so does pip install 'moto[server]' in an environment on PATH",
    )
}
