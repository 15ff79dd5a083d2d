//! A Git server: `git http-backend`, which comes with git, as a CGI program (RFC 3875) behind HTTP.

use std::{
    io,
    path::{Path, PathBuf},
    process::Stdio,
    sync::Arc,
};

use axum::{
    Router,
    body::Body,
    extract::{Request, State},
    response::Response,
};
use bytes::{Bytes, BytesMut};
use futures_util::{TryStreamExt as _, stream};
use http::{HeaderName, StatusCode, header};
use tokio::{
    io::{AsyncBufRead, AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader},
    process::{Child, ChildStdin, ChildStdout, Command},
};

use crate::{
    RequestLog,
    server::{Admission, Port, Server, answer},
};

/// The longest header that the backend is believed to send, in bytes.
const LONGEST_HEADER: u64 = 16 << 10;

/// The bare repositories below one directory, behind `git http-backend`. It stops when it is dropped.
#[derive(Debug)]
pub struct GitServer {
    server: Server,
}

/// What a [`GitServer`] asks of its clients and offers them.
#[derive(Debug, Clone, Default)]
pub struct GitOptions {
    /// The token without which nobody is let in: a Basic password with any user, or a Bearer token.
    pub token: Option<String>,
    /// Whether it speaks only the first versions of Git's protocol, as Azure DevOps does.
    pub without_v2: bool,
}

struct Backend {
    program: PathBuf,
    root: PathBuf,
    without_v2: bool,
}

impl GitServer {
    /// Serves the repositories below `root` on a port of loopback that the system chooses.
    ///
    /// # Errors
    /// When there is no port to be had, or no git program.
    pub async fn start(root: &Path, options: GitOptions) -> io::Result<Self> {
        Self::on(Port::bind().await?, root, options).await
    }

    /// The same on a port that is known already.
    pub(crate) async fn on(port: Port, root: &Path, options: GitOptions) -> io::Result<Self> {
        let output = git(root).arg("--exec-path").output().await?;
        let exec_path = String::from_utf8_lossy(&output.stdout).trim_end().to_owned();
        let program = Path::new(&exec_path).join("git-http-backend");
        let backend = Arc::new(Backend { program, root: root.to_owned(), without_v2: options.without_v2 });
        let admission = options.token.map_or(Admission::Anyone, Admission::Token);
        let router = Router::new().fallback(run).with_state(backend);
        Ok(Self { server: port.serve(router, admission) })
    }

    /// `http://127.0.0.1:PORT`; a repository's path follows.
    #[must_use]
    pub fn url(&self) -> String {
        self.server.url()
    }

    /// What it was asked.
    #[must_use]
    pub fn log(&self) -> &RequestLog {
        self.server.log()
    }

    /// How many connections were made to it so far.
    #[must_use]
    pub fn connections(&self) -> usize {
        self.server.connections()
    }
}

/// The git program, which sees nothing of the user's configuration and of this process's environment but the path.
pub(crate) fn git(directory: &Path) -> Command {
    let mut command = Command::new("git");
    isolated(&mut command, directory);
    command
}

fn isolated(command: &mut Command, directory: &Path) {
    command
        .env_clear()
        .envs(std::env::var_os("PATH").map(|path| ("PATH", path)))
        .env("GIT_CONFIG_NOSYSTEM", "1")
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .env("HOME", directory)
        .current_dir(directory)
        .kill_on_drop(true);
}

async fn run(State(backend): State<Arc<Backend>>, request: Request) -> Response {
    backend.answer(request).await.unwrap_or_else(|_| answer(StatusCode::INTERNAL_SERVER_ERROR).empty())
}

impl Backend {
    async fn answer(&self, request: Request) -> io::Result<Response> {
        let (parts, body) = request.into_parts();
        let mut command = Command::new(&self.program);
        isolated(&mut command, &self.root);
        command
            .env("GIT_PROJECT_ROOT", &self.root)
            .env("GIT_HTTP_EXPORT_ALL", "1")
            .env("PATH_INFO", parts.uri.path())
            .env("QUERY_STRING", parts.uri.query().unwrap_or_default())
            .env("REQUEST_METHOD", parts.method.as_str())
            .env("REMOTE_USER", "sandbox")
            .env("REMOTE_ADDR", "127.0.0.1");
        let passed_on = [
            (header::CONTENT_TYPE, "CONTENT_TYPE"),
            (header::CONTENT_LENGTH, "CONTENT_LENGTH"),
            (header::CONTENT_ENCODING, "HTTP_CONTENT_ENCODING"),
            (HeaderName::from_static("git-protocol"), "GIT_PROTOCOL"),
        ];
        for (name, variable) in passed_on {
            if self.without_v2 && variable == "GIT_PROTOCOL" {
                continue;
            }
            if let Some(value) = parts.headers.get(name).and_then(|value| value.to_str().ok()) {
                command.env(variable, value);
            }
        }
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn()?;
        let (stdin, stdout) = child.stdin.take().zip(child.stdout.take()).ok_or(io::ErrorKind::BrokenPipe)?;
        tokio::spawn(feed(body, stdin));
        respond(child, BufReader::new(stdout)).await
    }
}

/// Hands the request's body over. The backend may have read enough before its end: that is not an error.
async fn feed(body: Body, mut stdin: ChildStdin) {
    let mut chunks = body.into_data_stream();
    while let Ok(Some(chunk)) = chunks.try_next().await {
        if stdin.write_all(&chunk).await.is_err() {
            return;
        }
    }
    drop(stdin.shutdown().await);
}

/// Turns a CGI answer into an HTTP one: its headers first, then its body as it comes.
async fn respond(child: Child, mut stdout: BufReader<ChildStdout>) -> io::Result<Response> {
    let (status, headers) = header(&mut stdout).await?;
    let start = headers.into_iter().fold(answer(status), |answer, (name, value)| answer.with(name, value));
    // The child lives as long as its answer is read: who goes away ends it.
    let chunks = stream::try_unfold((child, stdout), |(child, mut stdout)| async move {
        let mut chunk = BytesMut::with_capacity(64 << 10);
        let read = stdout.read_buf(&mut chunk).await?;
        Ok::<_, io::Error>((read > 0).then(|| (Bytes::from(chunk), (child, stdout))))
    });
    Ok(start.body(Body::from_stream(chunks)))
}

/// Reads an answer's header, which ends with an empty line.
async fn header(stdout: &mut (impl AsyncBufRead + Unpin)) -> io::Result<(StatusCode, Vec<(HeaderName, String)>)> {
    let mut stdout = stdout.take(LONGEST_HEADER);
    let mut status = StatusCode::OK;
    let mut headers = Vec::new();
    loop {
        let mut line = String::new();
        stdout.read_line(&mut line).await?;
        let line = line.strip_suffix('\n').ok_or(io::ErrorKind::InvalidData)?.trim_end();
        if line.is_empty() {
            return Ok((status, headers));
        }
        let (name, value) = line.split_once(':').ok_or(io::ErrorKind::InvalidData)?;
        let value = value.trim();
        if name.eq_ignore_ascii_case("status") {
            let code = value.split(' ').next().and_then(|code| code.parse().ok());
            status = code.ok_or(io::ErrorKind::InvalidData)?;
        } else if let Ok(name) = name.parse::<HeaderName>() {
            headers.push((name, value.to_owned()));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_header_ends_and_is_not_endless() {
        let whole = b"Status: 404 Not Found\r\nX-A: b\r\n\r\nbody";
        let (status, headers) = header(&mut &whole[..]).await.unwrap();
        assert_eq!((status, headers.len()), (StatusCode::NOT_FOUND, 1));
        let length = whole.len() - "\r\nbody".len();
        for cut in 0..length {
            assert!(header(&mut &whole[..cut]).await.is_err(), "{cut}");
        }
        let endless = "X-A: b\r\n".repeat(10_000) + "\r\n";
        assert!(header(&mut endless.as_bytes()).await.is_err());
        let long_line = format!("X-A: {}\r\n\r\n", "b".repeat(100_000));
        assert!(header(&mut long_line.as_bytes()).await.is_err());
    }
}
