//! How bytes get to AWS.

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use aws_smithy_http_client::{
    Builder, ConnectorBuilder,
    proxy::ProxyConfig,
    tls::{Provider, rustls_provider::CryptoMode},
};
use aws_smithy_runtime_api::client::{
    http::{
        HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpClient, SharedHttpConnector,
    },
    orchestrator::HttpRequest,
    result::ConnectorError,
    runtime_components::RuntimeComponents,
};
use aws_smithy_types::body::SdkBody;
use guarded_http::Origin;
use http_body_util::Limited;
use url::Url;

/// The most bytes of an answer that are read. A hundred layers are some thirty thousand.
const LONGEST: usize = 1 << 20;

/// The SDK's HTTP client, without proxies, that counts requests and caps answers.
#[derive(Clone, Debug)]
pub(crate) struct Transport {
    http: SharedHttpClient,
    requests: Arc<AtomicU64>,
    posts_to: Option<Origin>,
}

/// The environment or a profile names another STS than the one that is to be asked.
#[derive(Debug, thiserror::Error)]
#[error(
    "AWS_ENDPOINT_URL, AWS_ENDPOINT_URL_STS or a profile's endpoint_url would send credentials to another STS than {0}: \
     remove it, and write `endpoints` in conveyor.yaml where one is wanted"
)]
pub(crate) struct ForeignSts(Origin);

impl Transport {
    pub(crate) fn new() -> Self {
        let http = Builder::new().build_with_connector_fn(|settings, components| {
            let mut builder = ConnectorBuilder::default().tls_provider(Provider::Rustls(CryptoMode::AwsLc));
            builder.set_connector_settings(settings.cloned());
            builder.set_sleep_impl(components.and_then(RuntimeComponents::sleep_impl));
            builder.set_proxy_config(Some(ProxyConfig::disabled()));
            builder.build()
        });
        Self { http, requests: Arc::default(), posts_to: None }
    }

    /// One for what the SDK does by itself for credentials: it posts to STS, and gets and puts where a machine or a
    /// container finds its own. Its STS clients heed the environment, so a post to anywhere else ends here.
    pub(crate) fn posting_only_to(&self, sts: Origin) -> Self {
        Self { posts_to: Some(sts), ..self.clone() }
    }

    /// How many requests were sent so far, repeated ones included.
    pub(crate) fn requests(&self) -> u64 {
        self.requests.load(Ordering::Relaxed)
    }

    fn refuses(&self, request: &HttpRequest) -> Option<ForeignSts> {
        let sts = self.posts_to.as_ref().filter(|_| request.method() == "POST")?;
        let to = Url::parse(request.uri()).ok().and_then(|url| Origin::of(&url).ok());
        (to.as_ref() != Some(sts)).then(|| ForeignSts(sts.clone()))
    }
}

impl HttpClient for Transport {
    fn http_connector(&self, settings: &HttpConnectorSettings, components: &RuntimeComponents) -> SharedHttpConnector {
        let connector = self.http.http_connector(settings, components);
        SharedHttpConnector::new(Connector { transport: self.clone(), connector })
    }
}

struct Connector {
    transport: Transport,
    connector: SharedHttpConnector,
}

impl HttpConnector for Connector {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        if let Some(refusal) = self.transport.refuses(&request) {
            return HttpConnectorFuture::ready(Err(ConnectorError::user(Box::new(refusal))));
        }
        self.transport.requests.fetch_add(1, Ordering::Relaxed);
        let answer = self.connector.call(request);
        HttpConnectorFuture::new(async {
            let capped = |body| SdkBody::from_body_1_x(Limited::new(body, LONGEST));
            Ok(answer.await?.map(capped))
        })
    }
}

impl fmt::Debug for Connector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Connector")
    }
}
