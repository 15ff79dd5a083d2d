use std::{io, time::Duration};

use crate::{Said, child::Failure};

/// Why a commit could not be signed. Nothing is pushed then.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SignerError {
    /// Git's configuration names no key.
    #[error("git's configuration names no key: set user.signingKey for this user, with git config --global")]
    NoKey,
    /// Git's configuration wants a format that git does not know.
    #[error("git's configuration has gpg.format {format}, which is none of openpgp, ssh and x509")]
    Format {
        /// The format.
        format: Said,
    },
    /// A literal public key could not be written down for the program.
    #[error("the public key could not be written to a temporary file")]
    KeyFile {
        /// Why not.
        source: io::Error,
    },
    /// The program could not be run, or not be heard to its end.
    #[error("{program} could not be run")]
    Program {
        /// The program.
        program: String,
        /// Why not.
        source: io::Error,
    },
    /// The program took too long: it may be waiting for a passphrase that nobody enters.
    #[error("{program} took longer than {} s: does it wait for a passphrase?", after.as_secs())]
    TimedOut {
        /// The program.
        program: String,
        /// The limit.
        after: Duration,
    },
    /// The program failed.
    #[error("{program} failed: {said}")]
    Failed {
        /// The program.
        program: String,
        /// Its words.
        said: Said,
    },
    /// The program ended well and printed no signature.
    #[error("{program} printed no armoured signature")]
    NoSignature {
        /// The program.
        program: String,
    },
}

impl SignerError {
    pub(super) fn of(failure: Failure, program: String, after: Duration) -> Self {
        match failure {
            Failure::Start(source) | Failure::Broken(source) => Self::Program { program, source },
            Failure::TimedOut => Self::TimedOut { program, after },
            Failure::TooMuch => Self::NoSignature { program },
        }
    }
}
