use std::{
    collections::{BTreeMap, BTreeSet},
    net::SocketAddr,
    sync::{Arc, Mutex, MutexGuard},
};

use axum::{
    Router,
    body::Body,
    extract::{Request, State},
    response::Response,
};
use base64::{Engine as _, prelude::BASE64_STANDARD};
use sandbox::{ENVIRONMENTS, registry_copy::InMemory};
use serde_json::{Value, json};
use tests::APP;
use tokio::net::TcpListener;

/// What opens each of the registries.
pub(crate) const TOKEN: &str = "canary-of-the-token";

/// The account of an environment.
pub(crate) fn account(environment: &str) -> &'static str {
    let accounts = ["111111111111", "222222222222", "333333333333"];
    accounts[ENVIRONMENTS.iter().position(|name| *name == environment).unwrap()]
}

/// STS and ECR of all accounts, on one port.
pub(crate) struct Aws {
    pub(crate) url: String,
    shared: Arc<Shared>,
}

struct Shared {
    registries: Vec<InMemory>,
    told: Mutex<Told>,
}

#[derive(Default)]
struct Told {
    /// Roles that turn out to be of another account than their names say.
    really: BTreeMap<String, String>,
    refused: BTreeSet<String>,
    expires: bool,
    /// The roles that asked for something, and the session policies that they were assumed with.
    callers: BTreeSet<String>,
    policies: Vec<String>,
}

impl Aws {
    pub(crate) async fn start(registries: Vec<InMemory>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address: SocketAddr = listener.local_addr().unwrap();
        let shared = Arc::new(Shared { registries, told: Mutex::default() });
        let router = Router::new().fallback(serve).with_state(Arc::clone(&shared));
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { url: format!("http://{address}"), shared }
    }

    /// The roles that asked for something, in the order of their names.
    pub(crate) fn callers(&self) -> Vec<String> {
        self.shared.told().callers.iter().cloned().collect()
    }

    pub(crate) fn forget(&self) {
        let mut told = self.shared.told();
        told.callers.clear();
        told.policies.clear();
    }

    pub(crate) fn is_really(&self, role: &str, account: &str) {
        self.shared.told().really.insert(role.to_owned(), account.to_owned());
    }

    pub(crate) fn refuses(&self, role: &str) {
        self.shared.told().refused.insert(role.to_owned());
    }

    pub(crate) fn lets_everybody_in(&self) {
        self.shared.told().refused.clear();
    }

    /// Every repository has a lifecycle policy that keeps one image.
    pub(crate) fn expires_images(&self) {
        self.shared.told().expires = true;
    }

    pub(crate) fn sessions_are_narrowed_to(&self, repository: &str) -> bool {
        let told = self.shared.told();
        !told.policies.is_empty() && told.policies.iter().all(|policy| policy.contains(repository))
    }
}

impl Shared {
    fn told(&self) -> MutexGuard<'_, Told> {
        self.told.lock().unwrap()
    }

    fn answer(&self, action: &str, caller: &str, body: &str) -> (u16, String) {
        match action {
            "AssumeRole" => self.assume(body),
            "GetCallerIdentity" => {
                let told = self.told();
                let (role, account) = caller.split_once('.').unwrap_or((caller, "999999999999"));
                let account = told.really.get(role).map_or(account, String::as_str);
                let arn = format!("arn:aws:sts::{account}:assumed-role/{role}/s");
                let result = format!("<Arn>{arn}</Arn><UserId>U</UserId><Account>{account}</Account>");
                (200, sts("GetCallerIdentity", &result))
            }
            action => {
                let role = caller.split_once('.').map_or(caller, |(role, _)| role);
                self.told().callers.insert(role.to_owned());
                let body: Value = serde_json::from_str(body).unwrap();
                self.ecr(action, &body).map_or_else(
                    |(code, message)| (400, json!({ "__type": code, "message": message }).to_string()),
                    |answer| (200, answer.to_string()),
                )
            }
        }
    }

    /// The access key of a session says whose it is.
    fn assume(&self, body: &str) -> (u16, String) {
        let fields = form(body);
        let arn = &fields["RoleArn"];
        let (account, role) = arn.trim_start_matches("arn:aws:iam::").split_once(":role/").unwrap();
        let mut told = self.told();
        if told.refused.contains(role) {
            let error = "<Error><Type>Sender</Type><Code>AccessDenied</Code><Message>no</Message></Error>";
            let body = format!(
                "<ErrorResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\">{error}<RequestId>r</RequestId></ErrorResponse>"
            );
            return (403, body);
        }
        told.policies.push(fields.get("Policy").cloned().unwrap_or_default());
        let result = format!(
            "<Credentials><AccessKeyId>{role}.{account}</AccessKeyId><SecretAccessKey>canary-of-the-session</SecretAccessKey>\
             <SessionToken>canary-of-the-session</SessionToken><Expiration>2100-01-01T00:00:00Z</Expiration></Credentials>"
        );
        (200, sts("AssumeRole", &result))
    }

    fn ecr(&self, action: &str, body: &Value) -> Result<Value, (&'static str, String)> {
        let of = body["registryId"].as_str().unwrap_or_default();
        let place = ENVIRONMENTS.iter().position(|name| account(name) == of);
        let repository = APP.repository.parse().unwrap();
        let registry = place.and_then(|place| self.registries.get(place));
        match action {
            "GetAuthorizationToken" => {
                let token = BASE64_STANDARD.encode(format!("AWS:{TOKEN}"));
                Ok(json!({ "authorizationData": [{ "authorizationToken": token, "expiresAt": 4_102_444_800_u64 }] }))
            }
            "DescribeRepositories" => Ok(json!({ "repositories": [
                { "repositoryName": APP.repository, "imageTagMutability": "IMMUTABLE" }
            ] })),
            "DescribeImages" => {
                let held = registry.unwrap().tags(&repository);
                let tag = body["imageIds"][0]["imageTag"].as_str().unwrap_or_default();
                match held.into_iter().find(|(held, _)| held.as_str() == tag) {
                    Some((_, digest)) => {
                        Ok(json!({ "imageDetails": [{ "imageDigest": digest.to_string(), "imageStatus": "ACTIVE" }] }))
                    }
                    None => Err(("ImageNotFoundException", "none".to_owned())),
                }
            }
            "BatchCheckLayerAvailability" => {
                let held: BTreeSet<String> =
                    registry.unwrap().digests(&repository).iter().map(ToString::to_string).collect();
                let layers = body["layerDigests"].as_array().unwrap().iter().map(|digest| {
                    let there = held.contains(digest.as_str().unwrap());
                    json!({ "layerDigest": digest, "layerAvailability": if there { "AVAILABLE" } else { "UNAVAILABLE" } })
                });
                Ok(json!({ "layers": layers.collect::<Vec<_>>(), "failures": [] }))
            }
            "GetLifecyclePolicy" if self.told().expires => {
                let rule = json!({ "rules": [{
                    "rulePriority": 1, "action": { "type": "expire" },
                    "selection": { "tagStatus": "any", "countType": "imageCountMoreThan", "countNumber": 1 }
                }] });
                Ok(json!({ "lifecyclePolicyText": rule.to_string() }))
            }
            "GetLifecyclePolicy" => Err(("LifecyclePolicyNotFoundException", "none".to_owned())),
            other => Err(("InvalidAction", other.to_owned())),
        }
    }
}

async fn serve(State(shared): State<Arc<Shared>>, request: Request<Body>) -> Response {
    let (head, body) = request.into_parts();
    let header = |name| head.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let body = axum::body::to_bytes(body, 1 << 20).await.unwrap();
    let body = std::str::from_utf8(&body).unwrap();
    let action = header("x-amz-target").rsplit_once('.').map(|(_, action)| action.to_owned());
    let action = action.unwrap_or_else(|| form(body)["Action"].clone());
    let caller = header("authorization").split_once("Credential=").map_or("", |(_, rest)| rest);
    let caller = caller.split('/').next().unwrap();
    let (status, body) = shared.answer(&action, caller, body);
    let kind = if body.starts_with('<') { "text/xml" } else { "application/x-amz-json-1.1" };
    Response::builder().status(status).header("content-type", kind).body(body.into()).unwrap()
}

/// The fields of a form.
fn form(body: &str) -> BTreeMap<String, String> {
    let url = reqwest::Url::parse(&format!("http://form.invalid/?{body}")).unwrap();
    url.query_pairs().into_owned().collect()
}

fn sts(action: &str, result: &str) -> String {
    format!(
        "<{action}Response xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><{action}Result>{result}</{action}Result></{action}Response>"
    )
}
