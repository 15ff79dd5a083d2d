//! A server that answers as STS, as ECR's API and as a registry what it is told to.

use std::{
    collections::{HashMap, VecDeque},
    net::SocketAddr,
    sync::{Arc, Mutex, OnceLock},
};

use axum::{
    Router,
    body::Body,
    extract::{Request, State},
    response::Response,
};
use base64::{Engine, prelude::BASE64_STANDARD};
use guarded_http::{Client, Method};
use release::{Digest, Repository};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use url::Url;

/// An answer: a status, and a body of which a service tells the type.
pub(crate) type Answer = (u16, String);

#[derive(Clone)]
pub(crate) struct Fake {
    address: SocketAddr,
    state: Arc<Mutex<Told>>,
    layers: Arc<OnceLock<Client>>,
}

/// What came: `action` is an AWS action's name without its service, `v2` for the registry, or else a path.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    pub(crate) action: String,
    pub(crate) body: String,
    pub(crate) authorization: String,
}

#[derive(Default)]
struct Told {
    next: HashMap<&'static str, VecDeque<Answer>>,
    always: HashMap<&'static str, Answer>,
    seen: Vec<Seen>,
    tokens: u64,
}

impl Fake {
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let fake = Self { address: listener.local_addr().unwrap(), state: Arc::default(), layers: Arc::default() };
        let router = Router::new().fallback(serve).with_state(fake.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        fake
    }

    /// One that another process started.
    pub(crate) fn at(address: SocketAddr) -> Self {
        Self { address, state: Arc::default(), layers: Arc::default() }
    }

    pub(crate) fn url(&self) -> Url {
        format!("http://{}/", self.address).parse().unwrap()
    }

    pub(crate) fn address(&self) -> String {
        self.address.to_string()
    }

    /// Answers the next call of `action` so; several are answered in turn.
    pub(crate) fn next(&self, action: &'static str, answer: Answer) {
        self.state.lock().unwrap().next.entry(action).or_default().push_back(answer);
    }

    /// Answers each call of `action` so that nothing else is said for.
    pub(crate) fn always(&self, action: &'static str, answer: Answer) {
        self.state.lock().unwrap().always.insert(action, answer);
    }

    /// Answers BatchCheckLayerAvailability by what this registry has.
    pub(crate) fn has_layers_of(&self, registry: Client) {
        assert!(self.layers.set(registry).is_ok());
    }

    pub(crate) fn seen(&self, action: &str) -> Vec<Seen> {
        self.all().into_iter().filter(|seen| seen.action == action).collect()
    }

    pub(crate) fn all(&self) -> Vec<Seen> {
        self.state.lock().unwrap().seen.clone()
    }

    fn answer(&self, seen: Seen) -> Answer {
        let mut told = self.state.lock().unwrap();
        let action = seen.action.clone();
        told.seen.push(seen);
        let next = told.next.get_mut(action.as_str()).and_then(VecDeque::pop_front);
        let answer = next.or_else(|| told.always.get(action.as_str()).cloned());
        answer.unwrap_or_else(|| told.usual(&action))
    }
}

impl Told {
    /// What a friendly AWS says about account 111111111111.
    fn usual(&mut self, action: &str) -> Answer {
        match action {
            "AssumeRole" | "AssumeRoleWithWebIdentity" => assumed(action, "ASIAASSUMED"),
            "GetCallerIdentity" => caller("111111111111"),
            "GetAuthorizationToken" => {
                self.tokens += 1;
                token(&format!("password-{}", self.tokens), 4_102_444_800)
            }
            "DescribeRepositories" => described(json!({ "imageTagMutability": "IMMUTABLE" })),
            "GetLifecyclePolicy" => refused(400, "LifecyclePolicyNotFoundException", "none"),
            "DescribeImages" => refused(400, "ImageNotFoundException", "none"),
            "v2" => (404, json!({ "errors": [{ "code": "MANIFEST_UNKNOWN" }] }).to_string()),
            other => refused(400, "InvalidAction", other),
        }
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Check {
    repository_name: Repository,
    layer_digests: Vec<Digest>,
}

async fn availability(registry: &Client, check: Check) -> Answer {
    let mut layers = Vec::new();
    for digest in check.layer_digests {
        let path = format!("/v2/{}/blobs/{digest}", check.repository_name);
        let found = registry.request(Method::HEAD, &path).unwrap().send(1000).await.unwrap();
        let state = if found.status().is_success() { "AVAILABLE" } else { "UNAVAILABLE" };
        layers.push(json!({ "layerDigest": digest, "layerAvailability": state }));
    }
    (200, json!({ "layers": layers }).to_string())
}

async fn serve(State(fake): State<Fake>, request: Request<Body>) -> Response {
    let (head, body) = request.into_parts();
    let header = |name| head.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default().to_owned();
    let body = axum::body::to_bytes(body, 1 << 20).await.unwrap_or_default();
    let body = String::from_utf8_lossy(&body).into_owned();
    let path = head.uri.path().to_owned();
    let target = header("x-amz-target");
    let action = match target.rsplit_once('.') {
        Some((_, action)) => action.to_owned(),
        None if path.starts_with("/v2/") => "v2".to_owned(),
        None => body.split('&').find_map(|pair| pair.strip_prefix("Action=")).unwrap_or(&path).to_owned(),
    };
    let answer =
        fake.answer(Seen { action: action.clone(), body: body.clone(), authorization: header("authorization") });
    let (status, body) = match fake.layers.get().filter(|_| action == "BatchCheckLayerAvailability") {
        Some(registry) => availability(registry, serde_json::from_str(&body).unwrap()).await,
        None => answer,
    };
    let kind = if body.starts_with('<') { "text/xml" } else { "application/x-amz-json-1.1" };
    // A machine's metadata service says how long its tokens live.
    let builder = Response::builder().status(status).header("x-aws-ec2-metadata-token-ttl-seconds", "21600");
    builder.header("content-type", kind).body(body.into()).unwrap()
}

pub(crate) fn assumed(action: &str, key: &str) -> Answer {
    let body = format!(
        "<{action}Response xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><{action}Result><Credentials>\
         <AccessKeyId>{key}</AccessKeyId><SecretAccessKey>canary-secret-access-key</SecretAccessKey>\
         <SessionToken>canary-session-token</SessionToken><Expiration>2100-01-01T00:00:00Z</Expiration>\
         </Credentials></{action}Result></{action}Response>"
    );
    (200, body)
}

pub(crate) fn caller(account: &str) -> Answer {
    let body = format!(
        "<GetCallerIdentityResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><GetCallerIdentityResult>\
         <Arn>arn:aws:sts::{account}:assumed-role/Deploy/conveyor</Arn><UserId>A</UserId><Account>{account}</Account>\
         </GetCallerIdentityResult></GetCallerIdentityResponse>"
    );
    (200, body)
}

/// `ends` in seconds since 1970.
pub(crate) fn token(password: &str, ends: u64) -> Answer {
    let token = BASE64_STANDARD.encode(format!("AWS:{password}"));
    (200, json!({ "authorizationData": [{ "authorizationToken": token, "expiresAt": ends }] }).to_string())
}

/// The repository that the fixture asks about, with these settings.
pub(crate) fn described(mut settings: Value) -> Answer {
    settings["repositoryName"] = json!("forge/payments-api");
    (200, json!({ "repositories": [settings] }).to_string())
}

/// A refusal by ECR.
pub(crate) fn refused(status: u16, code: &str, message: &str) -> Answer {
    (status, json!({ "__type": code, "message": message }).to_string())
}

/// A refusal by STS.
pub(crate) fn refused_by_sts(status: u16, code: &str, message: &str) -> Answer {
    let body = format!(
        "<ErrorResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><Error><Type>Sender</Type>\
         <Code>{code}</Code><Message>{message}</Message></Error><RequestId>r</RequestId></ErrorResponse>"
    );
    (status, body)
}
