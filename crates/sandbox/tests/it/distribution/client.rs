use bytes::Bytes;
use http::{HeaderMap, Method, header};
use release::Digest;
use reqwest::{Client, Url, redirect::Policy};
use serde_json::Value;

/// Whether an answer is what the specification wants, and if not, what it is.
pub(super) type Verdict = Result<(), String>;

/// A registry, as a client sees it that knows none of our crates.
pub(super) struct Target {
    base: Url,
    login: Option<(&'static str, &'static str)>,
    client: Client,
}

/// An answer. The status is 0 where there was none.
#[derive(Debug, Clone, Default)]
pub(super) struct Reply {
    pub(super) status: u16,
    headers: HeaderMap,
    pub(super) body: Bytes,
}

impl Target {
    pub(super) fn new(url: &str, login: Option<(&'static str, &'static str)>) -> Self {
        let client = Client::builder().no_proxy().redirect(Policy::none()).build().unwrap();
        Self { base: url.parse().unwrap(), login, client }
    }

    /// A request. The login goes to the registry alone.
    pub(super) async fn call(
        &self,
        method: Method,
        reference: &str,
        headers: &[(&str, &str)],
        body: impl Into<Bytes>,
    ) -> Reply {
        let url = self.base.join(reference).unwrap();
        let own = url.origin() == self.base.origin();
        let mut request = self.client.request(method, url).body(body.into());
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        if let Some((user, password)) = self.login.filter(|_| own) {
            request = request.basic_auth(user, Some(password));
        }
        let Ok(response) = request.send().await else { return Reply::default() };
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        Reply { status, headers, body: response.bytes().await.unwrap_or_default() }
    }

    pub(super) async fn get(&self, path: &str) -> Reply {
        self.call(Method::GET, path, &[], "").await
    }

    pub(super) async fn head(&self, path: &str) -> Reply {
        self.call(Method::HEAD, path, &[], "").await
    }

    pub(super) async fn delete(&self, path: &str) -> Reply {
        self.call(Method::DELETE, path, &[], "").await
    }

    /// A GET that goes where it is sent.
    pub(super) async fn fetch(&self, path: &str, headers: &[(&str, &str)]) -> Reply {
        let reply = self.call(Method::GET, path, headers, "").await;
        match reply.status {
            302 | 307 => self.call(Method::GET, &reply.header(header::LOCATION.as_str()), headers, "").await,
            _ => reply,
        }
    }

    /// An upload session.
    pub(super) async fn open(&self, repository: &str) -> Reply {
        self.call(Method::POST, &format!("/v2/{repository}/blobs/uploads/"), &[], "").await
    }

    /// Stores a blob in the plainest way, for what needs it.
    pub(super) async fn store(&self, repository: &str, blob: impl Into<Bytes>) -> Digest {
        let blob = blob.into();
        let digest = Digest::of(&blob);
        let session = self.open(repository).await.location();
        let stored = self.call(Method::PUT, &with_digest(&session, &digest), &[], blob).await;
        assert_eq!(stored.status, 201, "{}", String::from_utf8_lossy(&stored.body));
        digest
    }

    pub(super) async fn put(&self, repository: &str, reference: &str, media_type: &str, document: &Bytes) -> Reply {
        let path = manifest(repository, reference);
        self.call(Method::PUT, &path, &[("content-type", media_type)], document.clone()).await
    }
}

impl Reply {
    /// A header, or nothing.
    pub(super) fn header(&self, name: &str) -> String {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default().to_owned()
    }

    /// Where an upload goes on; without a `Location`, nowhere.
    pub(super) fn location(&self) -> String {
        match self.header("location") {
            none if none.is_empty() => "/v2/there-was-no/blobs/uploads/location".to_owned(),
            location => location,
        }
    }

    pub(super) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }

    pub(super) fn is(&self, status: u16) -> Verdict {
        self.is_one_of(&[status])
    }

    pub(super) fn is_one_of(&self, due: &[u16]) -> Verdict {
        let due_text = due.iter().map(u16::to_string).collect::<Vec<_>>().join(" or ");
        match self.status {
            status if due.contains(&status) => Ok(()),
            0 => Err(format!("no answer where {due_text} is due")),
            status => Err(format!("{status} where {due_text} is due")),
        }
    }

    pub(super) fn has(&self, name: &str) -> Verdict {
        self.headers.get(name).map(drop).ok_or_else(|| format!("no {name}"))
    }

    pub(super) fn says(&self, name: &str, due: &impl ToString) -> Verdict {
        self.has(name)?;
        holds(self.header(name) == due.to_string(), &format!("another {name}"))
    }

    pub(super) fn brings(&self, due: &[u8]) -> Verdict {
        holds(self.body == due, "other bytes")
    }

    /// A refusal with one of these statuses, and where it has a body, one that the specification knows.
    pub(super) fn refuses(&self, statuses: &[u16]) -> Verdict {
        self.is_one_of(statuses)?;
        let code = self.json()["errors"][0]["code"].as_str().map(str::to_owned);
        holds(self.body.is_empty() || code.is_some(), "a body without errors")
    }
}

pub(super) fn holds(it: bool, else_it_is: &str) -> Verdict {
    if it { Ok(()) } else { Err(else_it_is.to_owned()) }
}

/// The first of them that is not so.
pub(super) fn all(verdicts: impl IntoIterator<Item = Verdict>) -> Verdict {
    verdicts.into_iter().collect()
}

pub(super) fn with_digest(session: &str, digest: &Digest) -> String {
    let joint = if session.contains('?') { '&' } else { '?' };
    format!("{session}{joint}digest={digest}")
}

pub(super) fn blob(repository: &str, digest: &Digest) -> String {
    format!("/v2/{repository}/blobs/{digest}")
}

pub(super) fn manifest(repository: &str, reference: &str) -> String {
    format!("/v2/{repository}/manifests/{reference}")
}
