use std::time::Duration;

use release::Repository;

/// How a registry of the sandbox behaves. The default is a plain one that admits everybody, mounts, and deletes nothing.
#[derive(Debug, Clone)]
pub struct RegistryOptions {
    /// Who is let in.
    pub admission: Admission,
    /// Whose habits it has.
    pub manners: Manners,
    /// Whether a blob can be mounted from another repository; else the answer to that is an upload session.
    pub mounts: bool,
    /// Whether tags, manifests and blobs can be deleted; else the answer is 405.
    pub deletes: bool,
    /// The fewest bytes of a chunk that is not the last one of its blob, told as `OCI-Chunk-Min-Length`.
    pub min_chunk: u64,
}

/// Who is let in. What a registry asks for is said in its challenge.
#[derive(Debug, Clone)]
pub enum Admission {
    /// Everybody.
    Anyone,
    /// This user with this password (Basic).
    User {
        /// The user.
        user: String,
        /// The password.
        password: String,
    },
    /// Whoever shows a token of the registry's own issuer, at `/token` on the same server.
    Bearer(Issuer),
    /// The user `AWS` with this token (Basic). A token that was replaced is answered as ECR answers an expired one.
    EcrToken(String),
}

/// Who gives out tokens, for whom and for how long (distribution's "Token Authentication Specification").
#[derive(Debug, Clone)]
pub struct Issuer {
    /// The service that a request for a token has to name.
    pub service: String,
    /// How long a token is good for; `expires_in` says so, in whole seconds.
    pub life: Duration,
    /// Who may ask. Nobody else gets a token.
    pub accounts: Vec<Account>,
    /// Whether who asks without credentials gets a token that pulls.
    pub anonymous_pull: bool,
}

/// Somebody who may ask for tokens.
#[derive(Debug, Clone)]
pub struct Account {
    /// The user.
    pub user: String,
    /// The password.
    pub password: String,
    /// The identity token that can be shown in place of both, by POST (OAuth 2.0's `refresh_token`).
    pub identity_token: Option<String>,
    /// Whether tokens may push and delete too.
    pub pushes: bool,
    /// The repositories that tokens may name, or every one.
    pub repositories: Option<Vec<Repository>>,
}

/// Whose habits a registry has, where the specification leaves a choice or is not kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Manners {
    /// As the specification says.
    Plain,
    /// As Amazon ECR:
    ///
    /// * a blob's GET answers 307 to a signed URL on another origin, which refuses requests with an `Authorization`;
    /// * a PATCH is answered 201;
    /// * an immutable tag that is put again is refused, with the same bytes too;
    /// * a push to a repository that is not there drops the connection;
    /// * an archived image can be asked for by HEAD, and its GET is a 404.
    Ecr,
}

impl Default for RegistryOptions {
    fn default() -> Self {
        Self { admission: Admission::Anyone, manners: Manners::Plain, mounts: true, deletes: false, min_chunk: 0 }
    }
}

impl RegistryOptions {
    /// A plain registry for one user.
    #[must_use]
    pub fn for_user(user: &str, password: &str) -> Self {
        let admission = Admission::User { user: user.to_owned(), password: password.to_owned() };
        Self { admission, ..Self::default() }
    }

    /// ECR as it is set up: chunks of at least 5 MiB, deletes, no mounts (an account has to switch those on).
    #[must_use]
    pub fn ecr(token: &str) -> Self {
        let admission = Admission::EcrToken(token.to_owned());
        Self { admission, manners: Manners::Ecr, mounts: false, deletes: true, min_chunk: 5 << 20 }
    }
}

impl Account {
    /// Somebody whose tokens may push everywhere.
    #[must_use]
    pub fn new(user: &str, password: &str) -> Self {
        let (user, password) = (user.to_owned(), password.to_owned());
        Self { user, password, identity_token: None, pushes: true, repositories: None }
    }
}
