//! Azure DevOps over REST, API version 7.1.

use std::collections::{BTreeMap, BTreeSet};

use ::http::{HeaderName, Method, StatusCode, header};
use async_trait::async_trait;
use futures_util::future::try_join_all;
use guarded_http::{Client, Credentials, Limits, Origin, Response};
use jiff::{SignedDuration, Timestamp, fmt::rfc2822};
use release::BuildId;
use serde::de::IgnoredAny;
use url::{Url, form_urlencoded};

use crate::{
    AzureDevOps, AzureError, Resource,
    document::{self, DocumentError, ListedApproval},
};

const API_VERSION: &str = "api-version=7.1";
const CONTINUATION: HeaderName = HeaderName::from_static("x-ms-continuationtoken");
/// A release with many stages and attempts has some hundred KiB.
const LONGEST_DOCUMENT: usize = 8 << 20;
/// At a hundred a page, more approvals than a release ever has.
const MOST_PAGES: usize = 20;
/// The default of `statusFilter` is "pending", and no value of it means "all".
const STATUSES: [&str; 6] = ["approved", "pending", "rejected", "reassigned", "canceled", "skipped"];

/// One project of an organisation.
#[derive(Debug)]
pub struct Server {
    builds: Api,
    releases: Api,
}

/// A client and the path before `_apis`.
#[derive(Debug)]
struct Api {
    client: Client,
    root: String,
}

impl Server {
    /// The project `project` of `organization` at dev.azure.com and vsrm.dev.azure.com, or both at `url` where the
    /// configuration names one. A personal access token is the password of a Basic credential with an empty user; a
    /// job's own token is a Bearer credential.
    ///
    /// # Errors
    /// [`AzureError::Address`] for a `url` that is no server's, [`AzureError::Client`] for one that must not be spoken
    /// to or credentials that cannot be sent.
    pub fn new(
        organization: &str,
        project: &str,
        url: Option<&Url>,
        credentials: &Credentials,
        limits: Limits,
    ) -> Result<Self, AzureError> {
        let api = |cloud: &str| {
            let (origin, mut base) = match url {
                Some(url) => (Origin::of(url)?, url.clone()),
                None => (cloud.parse()?, Url::parse(cloud).map_err(|_| AzureError::NoBase)?),
            };
            base.path_segments_mut().map_err(|()| AzureError::NoBase)?.pop_if_empty().extend([
                organization,
                project,
                "_apis",
            ]);
            let client = Client::new(origin, credentials, limits).map_err(AzureError::Client)?;
            Ok::<_, AzureError>(Api { client, root: base.path().to_owned() })
        };
        Ok(Self { builds: api("https://dev.azure.com")?, releases: api("https://vsrm.dev.azure.com")? })
    }

    /// How many requests were sent so far, repeated ones included.
    #[must_use]
    pub fn requests(&self) -> u64 {
        self.builds.client.requests() + self.releases.client.requests()
    }

    /// The approvals of one release that have one status, to the last page, and the server's time of that page.
    async fn approvals(&self, release: u64, status: &str) -> Result<(Vec<ListedApproval>, Timestamp), AzureError> {
        let what = Resource::Approvals(release);
        let mut found: Vec<ListedApproval> = Vec::new();
        let mut tokens = BTreeSet::new();
        let mut token = String::new();
        for _ in 0..MOST_PAGES {
            let query = form_urlencoded::Serializer::new(String::new())
                .append_pair("releaseIdsFilter", &release.to_string())
                .append_pair("statusFilter", status)
                .append_pair("top", &document::PAGE.to_string())
                .extend_pairs((!token.is_empty()).then_some(("continuationToken", &token)))
                .finish();
            let page = self.releases.get(what, &format!("release/approvals?{query}&{API_VERSION}")).await?;
            for listed in parsed(what, document::approvals(page.bytes()))? {
                if found.iter().any(|known| known.approval.id == listed.approval.id) {
                    return Err(AzureError::Inconsistent { release, approval: listed.approval.id });
                }
                found.push(listed);
            }
            if !page.headers().contains_key(CONTINUATION) {
                return Ok((found, date(what, &page)?));
            }
            token = page
                .header(&CONTINUATION)
                .filter(|text| !text.is_empty())
                .ok_or(AzureError::Endless { what })?
                .to_owned();
            if !tokens.insert(token.clone()) {
                break;
            }
        }
        Err(AzureError::Endless { what })
    }
}

impl Api {
    /// A document, if the answer is one: status 200 and JSON.
    async fn get(&self, what: Resource, path_and_query: &str) -> Result<Response, AzureError> {
        let response = self.ask(what, path_and_query).await?;
        complete(what, response)
    }

    async fn ask(&self, what: Resource, path_and_query: &str) -> Result<Response, AzureError> {
        let request = self.client.request(Method::GET, &format!("{}/{path_and_query}", self.root));
        let sent = async { request?.header(header::ACCEPT, "application/json").send(LONGEST_DOCUMENT).await };
        sent.await.map_err(|source| AzureError::Http { what, source })
    }
}

#[async_trait]
impl AzureDevOps for Server {
    async fn build(&self, id: BuildId) -> Result<Option<policy::Build>, AzureError> {
        let what = Resource::Build(id);
        let response = self.builds.ask(what, &format!("build/builds/{id}?{API_VERSION}")).await?;
        if response.status() == StatusCode::NOT_FOUND && document::is_build_not_found(response.bytes()) {
            return Ok(None);
        }
        let build = parsed(what, document::build(complete(what, response)?.bytes()))?;
        if build.id == id { Ok(Some(build)) } else { Err(AzureError::Mistaken { what }) }
    }

    async fn release(&self, id: u64, stage: &str, source_stage: Option<&str>) -> Result<policy::Release, AzureError> {
        let what = Resource::Release(id);
        let response = self.releases.get(what, &format!("release/releases/{id}?{API_VERSION}")).await?;
        let mut release = parsed(what, document::release(response.bytes()))?;
        if release.id != id {
            return Err(AzureError::Mistaken { what });
        }

        let mut as_of = date(what, &response)?;
        let mut approvals: BTreeMap<u64, ListedApproval> = BTreeMap::new();
        for (listed, at) in try_join_all(STATUSES.map(|status| self.approvals(id, status))).await? {
            as_of = as_of.max(at);
            // A server that ignores a filter lists the same again; one approval in two versions is no answer.
            for approval in listed.into_iter().filter(|listed| listed.release == id) {
                let known = approvals.entry(approval.approval.id).or_insert_with(|| approval.clone());
                if *known != approval {
                    return Err(AzureError::Inconsistent { release: id, approval: approval.approval.id });
                }
            }
        }
        for stage in &mut release.stages {
            let of_stage = approvals.values().filter(|listed| listed.stage == stage.id);
            stage.approvals = of_stage.map(|listed| listed.approval.clone()).collect();
        }
        release.at_stage(stage, source_stage, as_of)
    }
}

/// A 203 is how a sign-in page comes, a 204 is nothing.
fn complete(what: Resource, response: Response) -> Result<Response, AzureError> {
    match response.status() {
        StatusCode::OK => {
            response.json::<IgnoredAny>().map_err(|source| AzureError::Http { what, source })?;
            Ok(response)
        }
        status if status.is_success() => Err(AzureError::Status { what, status }),
        _ => Err(AzureError::Http { what, source: response.into_error() }),
    }
}

fn parsed<T>(what: Resource, document: Result<T, DocumentError>) -> Result<T, AzureError> {
    document.map_err(|source| AzureError::Document { what, source })
}

/// The server's clock: the end of the second that `Date` names. What happened in that second is not in the future, and
/// an approval is never taken for younger than it is.
fn date(what: Resource, response: &Response) -> Result<Timestamp, AzureError> {
    let text = response.header(&header::DATE).ok_or(AzureError::NoDate { what })?;
    let second = rfc2822::parse(text).map_err(|_| AzureError::NoDate { what })?.timestamp();
    second.checked_add(SignedDuration::from_secs(1)).map_err(|_| AzureError::NoDate { what })
}
