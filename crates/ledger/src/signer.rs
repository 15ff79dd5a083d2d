mod error;

use std::{
    io::Write as _,
    path::{Path, PathBuf},
    time::Duration,
};

use tempfile::NamedTempFile;

pub use self::error::SignerError;
use crate::{LedgerError, Said, child, user_git::user_command};

/// The longest signature that is taken, in bytes.
const LONGEST: usize = 64 << 10;

/// Signs commits as the user's own git would.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signer {
    format: Format,
    key: String,
    program: PathBuf,
    timeout: Duration,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Format {
    OpenPgp,
    Ssh,
    X509,
}

impl Signer {
    /// What the configuration of the user and of the system says to `git`: `gpg.format`, `user.signingKey` and the
    /// program (git-config(1)). A repository's configuration is not read. `git` and the program may take `timeout` each
    /// time that they are run.
    ///
    /// # Errors
    /// [`LedgerError::Signer`] where no key is named, or a format that git does not know.
    pub async fn of_git(git: &Path, timeout: Duration) -> Result<Self, LedgerError> {
        let configuration = Configuration { git, timeout };
        let format = match configuration.get("gpg.format").await?.as_deref() {
            None | Some("openpgp") => Format::OpenPgp,
            Some("ssh") => Format::Ssh,
            Some("x509") => Format::X509,
            Some(other) => return Err(refused(SignerError::Format { format: Said::new(other) })),
        };
        let mut key = configuration.get("user.signingKey").await?.filter(|key| !key.is_empty());
        if format == Format::Ssh && key.as_ref().is_some_and(|key| literal(key).is_none()) {
            key = configuration.get_path("user.signingKey").await?;
        }
        let key = key.ok_or_else(|| refused(SignerError::NoKey))?;
        let mut program = None;
        for name in format.program_settings() {
            if program.is_none() {
                program = configuration.get_path(name).await?;
            }
        }
        let program = program.unwrap_or_else(|| format.usual_program().to_owned()).into();
        Ok(Self { format, key, program, timeout })
    }

    /// The armoured signature of these bytes.
    ///
    /// # Errors
    /// [`LedgerError::Signer`] where the program cannot be run, fails, takes too long or prints no signature.
    pub async fn sign(&self, payload: &[u8]) -> Result<String, LedgerError> {
        let program = || self.program.display().to_string();
        let mut command = user_command(&self.program);
        let literal = self.literal_key()?;
        match (self.format, &literal) {
            (Format::OpenPgp | Format::X509, _) => command.args(["--status-fd=2", "-bsau", &self.key]),
            (Format::Ssh, None) => command.args(["-Y", "sign", "-n", "git", "-f", &self.key]),
            // The private key of a public one that the configuration has word for word is with the agent.
            (Format::Ssh, Some(file)) => command.args(["-Y", "sign", "-n", "git", "-U", "-f"]).arg(file.path()),
        };
        let ran = child::run(&mut command, payload, self.timeout).await;
        let output = ran.map_err(|failure| refused(SignerError::of(failure, program(), self.timeout)))?;
        if !output.status.success() {
            return Err(refused(SignerError::Failed { program: program(), said: Said::new(&output.stderr) }));
        }
        let signature = String::from_utf8(output.stdout).ok().filter(|text| is_armour(text));
        signature.ok_or_else(|| refused(SignerError::NoSignature { program: program() }))
    }

    /// A file with the public key, where the configuration has not its path but the key itself.
    fn literal_key(&self) -> Result<Option<NamedTempFile>, LedgerError> {
        let Some(key) = literal(&self.key).filter(|_| self.format == Format::Ssh) else { return Ok(None) };
        let write = || {
            let mut file = NamedTempFile::new()?;
            writeln!(file, "{key}")?;
            Ok(file)
        };
        write().map(Some).map_err(|source| refused(SignerError::KeyFile { source }))
    }
}

impl Format {
    /// The settings that name its program; the first one that is there counts.
    fn program_settings(self) -> &'static [&'static str] {
        match self {
            Self::OpenPgp => &["gpg.openpgp.program", "gpg.program"],
            Self::Ssh => &["gpg.ssh.program"],
            Self::X509 => &["gpg.x509.program"],
        }
    }

    fn usual_program(self) -> &'static str {
        match self {
            Self::OpenPgp => "gpg",
            Self::Ssh => "ssh-keygen",
            Self::X509 => "gpgsm",
        }
    }
}

/// What git's configuration says to this user outside of any repository.
struct Configuration<'a> {
    git: &'a Path,
    timeout: Duration,
}

impl Configuration<'_> {
    async fn get(&self, name: &str) -> Result<Option<String>, LedgerError> {
        self.read(&["config", "--null", "--get", name]).await
    }

    /// A value with `~` expanded.
    async fn get_path(&self, name: &str) -> Result<Option<String>, LedgerError> {
        self.read(&["config", "--null", "--type=path", "--get", name]).await
    }

    async fn read(&self, arguments: &[&str]) -> Result<Option<String>, LedgerError> {
        let git = || self.git.display().to_string();
        let ran = child::run(user_command(self.git).args(arguments), b"", self.timeout).await;
        let output = ran.map_err(|failure| refused(SignerError::of(failure, git(), self.timeout)))?;
        match output.status.code() {
            Some(0) => Ok(String::from_utf8(output.stdout).ok().map(|value| value.trim_end_matches('\0').to_owned())),
            // There is no such setting.
            Some(1) => Ok(None),
            _ => Err(refused(SignerError::Failed { program: git(), said: Said::new(&output.stderr) })),
        }
    }
}

/// The public key that `user.signingKey` may be instead of a path (git-config(1)).
fn literal(key: &str) -> Option<&str> {
    key.strip_prefix("key::").or_else(|| key.starts_with("ssh-").then_some(key))
}

fn is_armour(text: &str) -> bool {
    let is_printable = |byte: u8| byte == b'\n' || byte == b' ' || byte.is_ascii_graphic();
    text.starts_with("-----BEGIN ")
        && text.trim_end().ends_with("-----")
        && text.len() <= LONGEST
        && text.bytes().all(is_printable)
}

fn refused(source: SignerError) -> LedgerError {
    LedgerError::Signer { source }
}
