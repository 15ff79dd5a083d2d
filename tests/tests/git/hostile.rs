//! Texts that are no Ledger: nothing is run, and nobody is connected to.

use std::{fs, io::ErrorKind, net::TcpListener, os::unix::fs::PermissionsExt as _, path::Path};

use ledger::LedgerUrl;
use tests::Agent;

use crate::section;

/// What is run by git and ssh where somebody gets it to.
const CANARIES: [&str; 8] =
    ["git", "ssh", "git-remote-ext", "git-remote-http", "git-upload-pack", "git-receive-pack", "git-lfs", "sh"];

/// PORT is one on which the test listens, OUT a file that no program may make.
const HOSTILE: [&str; 48] = [
    "ext::sh -c touch% OUT",
    "ext::ssh -p PORT 127.0.0.1 %S /x",
    "fd::17/foo",
    "transport-helper::x",
    "--upload-pack=touch OUT",
    "-oProxyCommand=touch OUT",
    "-u touch OUT",
    "ssh://-oProxyCommand=touch OUT/x",
    "ssh://-oProxyCommand=x@127.0.0.1:PORT/x",
    "ssh://-X/x",
    "ssh://%2doProxyCommand=x/x",
    "ssh://%2DoProxyCommand=x@127.0.0.1:PORT/x",
    "ssh://git:-oProxyCommand=x@127.0.0.1:PORT/x",
    "ssh://git;id@127.0.0.1:PORT/x",
    "ssh://git$(id)@127.0.0.1:PORT/x",
    "ssh://git@127.0.0.1;id/x",
    "ssh://git@`id`/x",
    "ssh://127.0.0.1:0/x",
    "ssh://127.0.0.1:PORT",
    "git@127.0.0.1:x",
    "-oProxyCommand=x@127.0.0.1:x",
    "127.0.0.1:-x",
    "git://git.example/x",
    "git://127.0.0.1.git.example/x",
    "git://user@127.0.0.1:PORT/x",
    "git://127.0.0.1:PORT/x?--upload-pack=x",
    "http://git.example/x",
    "http://127.0.0.1.git.example/x",
    "http://localhost.git.example/x",
    "http://127.1:PORT/x",
    "http://0x7f000001:PORT/x",
    "http://2130706433:PORT/x",
    "http://0.0.0.0:PORT/x",
    "http://[::ffff:127.0.0.1]:PORT/x",
    "http://user:word@127.0.0.1:PORT/x",
    "http://127.0.0.1:PORT@git.example/x",
    "http://127.0.0.1:PORT/x?a=b",
    "http://127.0.0.1:PORT/x#a",
    "http://127.0.0.1:PORT/a/../x",
    "http://127.0.0.1:PORT/a/%2e%2e/x",
    "http://127.0.0.1:PORT\\@git.example/x",
    "http://127.0.0.1:PORT/%0d%0aHost:%20x",
    "http://127.0.0.1:PORT/x\r\nHost: x",
    "http:///127.0.0.1:PORT/x",
    "https://git.\u{0435}xample/x",
    "https://-git.example:PORT/x",
    "file://127.0.0.1/x",
    "file:///tmp/\u{1b}]0;x\u{7}",
];

/// Programs that write down that they were run, before all others.
fn canaries(folder: &Path) -> String {
    for name in CANARIES {
        let program = folder.join(name);
        fs::write(&program, format!("#!/bin/bash\necho \"{name} $*\" >> {}/ran\n", folder.display())).unwrap();
        fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
    }
    format!("{}:{}", folder.display(), std::env::var("PATH").unwrap())
}

fn shown(text: &str) -> String {
    text.replace("OUT", "FILE").escape_default().to_string().replace('|', "\\|").replace("\\`", "`")
}

#[tokio::test]
async fn nothing_is_run_and_nobody_is_connected_to() {
    let agent = Agent::new(None, &[]);
    let (path, ran) = (canaries(agent.home()), agent.home().join("ran"));
    let out = agent.home().join("out");
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let port = listener.local_addr().unwrap().port().to_string();
    for hostile in HOSTILE {
        let url = hostile.replace("PORT", &port).replace("OUT", out.to_str().unwrap());
        assert!(url.parse::<LedgerUrl>().is_err(), "{url:?}");
        let raw = ["--file", "a.yaml", "--key", "image.tag", "--set", "1"];
        for (flag, rest) in [("--repo", &raw[..]), ("--ledger", &["payments-api=1", "--env", "dev"])] {
            let mut command = agent.command("update-ledger --output json --timeout 5s");
            let output = command.arg(format!("{flag}={url}")).args(rest).env("PATH", &path).output().await.unwrap();
            assert_eq!(output.status.code(), Some(2), "{flag}={url:?}: {output:?}");
            let told = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
            assert!(!told.contains(['\u{1b}', '\u{7}', '\r']), "{told:?}");
            assert!(told.contains("Ledger") || told.contains("URL"), "{url:?}: it is about something else: {told}");
        }
        assert!(!ran.exists(), "{url:?} ran {}", fs::read_to_string(&ran).unwrap());
        assert!(!out.exists(), "{url:?}");
        assert_eq!(listener.accept().map_err(|error| error.kind()).err(), Some(ErrorKind::WouldBlock), "{url:?}");
    }
    let rows: String = HOSTILE.iter().map(|url| format!("- `` {} ``\n", shown(url))).collect();
    section::compare("urls", &rows);
}

#[tokio::test]
async fn the_canaries_sing_and_the_port_is_heard() {
    let agent = Agent::new(None, &[]);
    let path = canaries(agent.home());
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let place = "--file a.yaml --key image.tag --set 1 --timeout 2s";
    let http = format!("update-ledger --repo http://{}/x {place}", listener.local_addr().unwrap());
    let mut child = agent.command(&http).spawn().unwrap();
    tokio::task::spawn_blocking(move || listener.accept().unwrap()).await.unwrap();
    child.kill().await.unwrap();
    let ssh = format!("update-ledger --repo ssh://git@127.0.0.1/x {place}");
    agent.command(&ssh).env("PATH", path).output().await.unwrap();
    assert!(fs::read_to_string(agent.home().join("ran")).unwrap().starts_with("git "));
}
