//! Signed commits, by real keys and programs, and what happens where there is no signature.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Child, Command},
    time::Duration,
};

use ledger::{
    Authorship, Identity, LedgerError, Push, Remote, Signer, SignerError,
    git::{Program, Settings},
};
use tempfile::TempDir;

use crate::{
    bare::Server,
    script::{Script, executable},
    support::{draft, main},
};

/// Longer than any signature takes.
const PATIENCE: Duration = Duration::from_secs(60);

/// A user's own git: a program, and the configuration that it reads.
struct User {
    folder: TempDir,
    git: Script,
}

impl User {
    fn new() -> Self {
        let folder = TempDir::new().unwrap();
        let configuration = folder.path().join("gitconfig").display().to_string();
        fs::write(&configuration, "").unwrap();
        let git =
            Script::new(&format!("export GIT_CONFIG_GLOBAL='{configuration}' GIT_CONFIG_NOSYSTEM=1\nexec git \"$@\""));
        Self { folder, git }
    }

    fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn configure(&self, name: &str, value: impl AsRef<Path>) {
        let status = Command::new(self.git.program()).args(["config", "--global", name]).arg(value.as_ref()).status();
        assert!(status.unwrap().success());
    }

    /// A program of the user's, as the value of a setting.
    fn program(&self, setting: &str, body: &str) -> PathBuf {
        let program = self.file(setting);
        executable(&program, &format!("#!/bin/sh\n{body}\n"));
        self.configure(setting, &program);
        program
    }

    /// An ssh key.
    fn key(&self) -> PathBuf {
        let key = self.file("key");
        run(Command::new("ssh-keygen").args(["-q", "-t", "ed25519", "-N", "", "-C", "forge", "-f"]).arg(&key));
        key
    }

    async fn signer(&self, timeout: Duration) -> Result<Signer, LedgerError> {
        Signer::of_git(&self.git.program(), timeout).await
    }

    /// Pushes a commit that this user signs.
    async fn push(&self, server: &Server) -> Result<Push, LedgerError> {
        self.push_by(self.signer(PATIENCE).await.unwrap(), server).await
    }

    async fn push_by(&self, signer: Signer, server: &Server) -> Result<Push, LedgerError> {
        let author = Identity::new("J\u{f6}rg Forge", "joerg@acme.example").unwrap();
        let authorship = Authorship { author, signer: Some(signer), ..Authorship::default() };
        let client = Program::new(server.url(), Settings { authorship, ..Settings::default() });
        let head = client.head(&main()).await.unwrap();
        client.push(&main(), &head, &draft("a.yaml", "signed\n")).await
    }
}

fn run(command: &mut Command) {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
}

/// That main's commit is ours and is signed, and that a single other byte would not be.
fn assert_signed(server: &Server, setting: &str) {
    let by = server.git(&["log", "-1", "--format=%an <%ae>, %cn <%ce>", "main"]);
    assert_eq!(by, "J\u{f6}rg Forge <joerg@acme.example>, Conveyor <conveyor@localhost>\n");
    server.git(&["-c", setting, "verify-commit", "main"]);
    server.assert_clean();
    let forged = server.git(&["cat-file", "commit", "main"]).replace("title", "tItle");
    let forged = server.object("commit", forged.as_bytes());
    let verified =
        Command::new("git").current_dir(server.path()).args(["-c", setting, "verify-commit", &forged]).output();
    assert!(!verified.unwrap().status.success(), "a forged commit is verified");
}

fn assert_signed_by_ssh(server: &Server, user: &User) {
    let key = fs::read_to_string(user.file("key.pub")).unwrap();
    let allowed = user.file("allowed");
    fs::write(&allowed, format!("joerg@acme.example,conveyor@localhost {key}")).unwrap();
    assert_signed(server, &format!("gpg.ssh.allowedSignersFile={}", allowed.display()));
}

#[tokio::test]
async fn a_commit_is_signed_by_an_ssh_key_and_git_verifies_it() {
    let (server, user) = (Server::new(), User::new());
    user.configure("gpg.format", "ssh");
    user.configure("user.signingKey", user.key());
    assert!(matches!(user.push(&server).await, Ok(Push::Accepted(_))));
    assert_signed_by_ssh(&server, &user);
    // No repository has a say: git is asked in the root folder.
    let calls = user.git.calls();
    assert!(calls.contains("ARGS config --null --get gpg.format\n") && calls.contains("\nPWD=/\n"), "{calls}");
}

/// An ssh-agent that ends with this.
struct Agent(Child);

impl Drop for Agent {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[tokio::test]
async fn a_key_that_the_configuration_has_word_for_word_is_the_agent_s() {
    let (server, user) = (Server::new(), User::new());
    let (key, socket) = (user.key(), user.file("agent"));
    let _agent = Agent(
        Command::new("ssh-agent").args(["-D", "-a"]).arg(&socket).stdout(std::process::Stdio::null()).spawn().unwrap(),
    );
    for _ in 0..200 {
        if socket.exists() {
            break;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    run(Command::new("ssh-add").arg("-q").arg(&key).env("SSH_AUTH_SOCK", &socket));
    fs::remove_file(&key).unwrap();
    user.configure("gpg.format", "ssh");
    user.program("gpg.ssh.program", &format!("SSH_AUTH_SOCK='{}' exec ssh-keygen \"$@\"", socket.display()));
    let public = fs::read_to_string(user.file("key.pub")).unwrap();
    for literal in [public.trim().to_owned(), format!("key::{}", public.trim())] {
        user.configure("user.signingKey", literal);
        assert!(matches!(user.push(&server).await, Ok(Push::Accepted(_))));
        assert_signed_by_ssh(&server, &user);
    }
}

#[tokio::test]
async fn a_commit_is_signed_by_gpg_and_git_verifies_it() {
    let (server, user) = (Server::new(), User::new());
    let home = user.file("gnupg");
    fs::create_dir(&home).unwrap();
    run(Command::new("chmod").arg("700").arg(&home));
    let gpg = user.program("gpg.program", &format!("GNUPGHOME='{}' exec gpg \"$@\"", home.display()));
    let made = [
        "--batch",
        "--quiet",
        "--passphrase",
        "",
        "--quick-gen-key",
        "Forge <forge@acme.example>",
        "ed25519",
        "sign",
        "never",
    ];
    run(Command::new(&gpg).args(made));
    user.configure("user.signingKey", "forge@acme.example");
    let pushed = user.push(&server).await;
    let verify = || assert_signed(&server, &format!("gpg.program={}", gpg.display()));
    let accepted = matches!(pushed, Ok(Push::Accepted(_)));
    if accepted {
        verify();
    }
    run(Command::new("gpgconf").arg("--homedir").arg(&home).args(["--kill", "all"]));
    assert!(accepted, "{pushed:?}");
}

#[tokio::test]
async fn a_signer_that_fails_hangs_or_prints_no_signature_pushes_nothing() {
    let (server, user) = (Server::new(), User::new());
    let head = server.git(&["rev-parse", "main"]);
    user.configure("gpg.format", "ssh");
    user.configure("user.signingKey", "/nowhere/key");
    let refused = async |body: &str| {
        user.program("gpg.ssh.program", body);
        let error = user.push(&server).await.unwrap_err();
        assert!(!error.is_retryable() && !error.may_have_landed(), "{error:?}");
        match error {
            LedgerError::Signer { source } => source,
            other => panic!("{body}: {other:?}"),
        }
    };
    let failed = refused("echo 'no \\033[31mcard' >&2; exit 3").await;
    assert!(matches!(failed, SignerError::Failed { .. }) && failed.to_string().contains("no"), "{failed}");
    let armour = "-----BEGIN SSH SIGNATURE-----\\nx\\n-----END SSH SIGNATURE-----\\n";
    for odd in ["exit 0", "echo hello", &format!("printf -- 'x{armour}'"), &format!("printf -- '{armour}\\001'")] {
        let odd = refused(odd).await;
        assert!(matches!(odd, SignerError::NoSignature { .. }), "{odd:?}");
    }
    // Within the armour, where a line of the commit's own could begin.
    let odd = refused(&format!("printf -- '{}'", armour.replace('x', "x\\rparent x"))).await;
    assert!(matches!(odd, SignerError::NoSignature { .. }), "{odd:?}");
    user.program("gpg.ssh.program", "sleep 600 & wait");
    let hurried = user.signer(Duration::from_secs(5)).await.unwrap();
    let late = user.push_by(hurried, &server).await;
    assert!(matches!(late, Err(LedgerError::Signer { source: SignerError::TimedOut { .. } })), "{late:?}");
    user.configure("gpg.ssh.program", "/nowhere/ssh-keygen");
    assert!(matches!(user.push(&server).await, Err(LedgerError::Signer { source: SignerError::Program { .. } })));
    assert_eq!(server.git(&["rev-parse", "main"]), head);
}

#[tokio::test]
async fn a_configuration_without_a_key_or_with_an_odd_format_is_told_as_such() {
    let user = User::new();
    let signer = async || user.signer(PATIENCE).await;
    assert!(matches!(signer().await, Err(LedgerError::Signer { source: SignerError::NoKey })));
    user.configure("user.signingKey", "");
    assert!(matches!(signer().await, Err(LedgerError::Signer { source: SignerError::NoKey })));
    user.configure("user.signingKey", "forge@acme.example");
    assert!(signer().await.is_ok());
    user.configure("gpg.format", "pgp");
    assert!(matches!(signer().await, Err(LedgerError::Signer { source: SignerError::Format { .. } })));
    fs::write(user.file("gitconfig"), "[broken").unwrap();
    assert!(matches!(signer().await, Err(LedgerError::Signer { source: SignerError::Failed { .. } })));
}

#[tokio::test]
async fn each_format_has_its_program_which_is_called_as_git_calls_it() {
    let armour = "-----BEGIN SIGNED MESSAGE-----\nx\n-----END SIGNED MESSAGE-----\n";
    for (format, setting, arguments) in [
        (None, "gpg.program", "--status-fd=2 -bsau ~key"),
        (Some("openpgp"), "gpg.openpgp.program", "--status-fd=2 -bsau ~key"),
        (Some("x509"), "gpg.x509.program", "--status-fd=2 -bsau ~key"),
        (Some("ssh"), "gpg.ssh.program", "-Y sign -n git -f HOME/key"),
    ] {
        let user = User::new();
        for other in ["gpg.program", "gpg.openpgp.program", "gpg.x509.program", "gpg.ssh.program"] {
            // The general setting is OpenPGP's too, and gives way to the special one.
            if other != "gpg.openpgp.program" || format.is_some() {
                user.program(other, "exit 9");
            }
        }
        if let Some(format) = format {
            user.configure("gpg.format", format);
        }
        user.configure("user.signingKey", if format == Some("ssh") { "~/key" } else { "~key" });
        let log = user.file("log").display().to_string();
        user.program(setting, &format!("echo \"$*\" >'{log}'; cat >>'{log}'; printf -- '{armour}'"));
        let signature = user.signer(PATIENCE).await.unwrap().sign(b"payload").await.unwrap();
        assert_eq!(signature, armour, "{setting}");
        let home = std::env::var("HOME").unwrap();
        let called = fs::read_to_string(log).unwrap();
        assert_eq!(called, format!("{}\npayload", arguments.replace("HOME", &home)), "{setting}");
    }
}
