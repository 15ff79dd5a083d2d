//! What is said to the SDK, whatever is asked through it.

use aws_config::{
    AppName, BehaviorVersion, SdkConfig, provider_config::ProviderConfig, retry::RetryConfig, timeout::TimeoutConfig,
};
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_sdk_ecr::config::IdentityCache;
use aws_sdk_sts::config::endpoint::{DefaultResolver, Params, ResolveEndpoint};
use futures_util::FutureExt;
use guarded_http::{Limits, Origin};
use url::Url;

use crate::{AwsError, Endpoints, Region, transport::Transport};

/// Everything of the SDK's configuration that no environment changes.
#[derive(Debug, Clone)]
pub(crate) struct Settings {
    pub(crate) limits: Limits,
    pub(crate) transport: Transport,
    sdk: SdkConfig,
    sts: String,
    ecr: Option<String>,
    sts_origin: Origin,
}

impl Settings {
    /// STS is asked in `region`, where no endpoint is given.
    pub(crate) fn new(endpoints: &Endpoints, region: &Region, limits: Limits) -> Result<Self, AwsError> {
        let wrong = |service| move || AwsError::Endpoint { service };
        let sts = match &endpoints.sts {
            Some(url) => checked(url).ok_or_else(wrong("STS"))?,
            None => sts_of(region).ok_or_else(wrong("STS"))?,
        };
        let ecr = endpoints.ecr.as_ref().map(|url| checked(url).ok_or_else(wrong("ECR"))).transpose()?;
        let transport = Transport::new();
        Ok(Self {
            sdk: sdk(&transport, region, &limits),
            sts_origin: Origin::of(&sts).map_err(|_| AwsError::Endpoint { service: "STS" })?,
            sts: sts.into(),
            ecr: ecr.map(Into::into),
            limits,
            transport,
        })
    }

    pub(crate) fn sts(&self, credentials: Option<SharedCredentialsProvider>) -> aws_sdk_sts::Client {
        let mut config = aws_sdk_sts::config::Builder::from(&self.sdk).endpoint_url(&self.sts);
        config.set_credentials_provider(credentials);
        aws_sdk_sts::Client::from_conf(config.build())
    }

    pub(crate) fn ecr(&self, region: &Region, credentials: SharedCredentialsProvider) -> aws_sdk_ecr::Client {
        let config = aws_sdk_ecr::config::Builder::from(&self.sdk)
            .region(aws_config::Region::new(region.to_string()))
            .credentials_provider(credentials);
        let config = match &self.ecr {
            Some(url) => config.endpoint_url(url),
            None => config,
        };
        aws_sdk_ecr::Client::from_conf(config.build())
    }

    /// For the SDK's own sources of credentials. What of them asks STS heeds `AWS_ENDPOINT_URL`, so a wrong one is
    /// refused where it would be sent.
    pub(crate) fn for_providers(&self) -> ProviderConfig {
        ProviderConfig::default()
            .with_region(self.sdk.region().cloned())
            .with_use_fips(Some(false))
            .with_use_dual_stack(Some(false))
            .with_behavior_version(Some(BEHAVIOR()))
            .with_retry_config(RetryConfig::standard())
            .with_http_client(self.transport.posting_only_to(self.sts_origin.clone()))
    }
}

const BEHAVIOR: fn() -> BehaviorVersion = BehaviorVersion::v2026_01_12;

fn sdk(transport: &Transport, region: &Region, limits: &Limits) -> SdkConfig {
    let times = TimeoutConfig::builder()
        .connect_timeout(limits.connect)
        .read_timeout(limits.stall)
        .operation_attempt_timeout(limits.connect.saturating_add(limits.stall))
        .build();
    let mut config = SdkConfig::builder()
        .behavior_version(BEHAVIOR())
        .region(aws_config::Region::new(region.to_string()))
        .http_client(transport.clone())
        .retry_config(RetryConfig::standard())
        .timeout_config(times)
        .identity_cache(IdentityCache::no_cache());
    config.set_app_name(AppName::new("conveyor").ok());
    config.build()
}

/// An endpoint that may carry credentials. `localhost` is this machine without asking a resolver.
fn checked(url: &Url) -> Option<Url> {
    let origin = Origin::of(url).ok()?;
    let bare =
        url.username().is_empty() && url.password().is_none() && url.query().is_none() && url.fragment().is_none();
    let private = url.scheme() == "https" || origin.is_loopback();
    let mut url = url.clone();
    if url.scheme() == "http" && url.host_str() == Some("localhost") {
        url.set_host(Some("127.0.0.1")).ok()?;
    }
    (bare && private).then_some(url)
}

/// Where the SDK would ask STS in a region.
fn sts_of(region: &Region) -> Option<Url> {
    let params = Params::builder().region(region.as_str()).build().ok()?;
    let endpoint = DefaultResolver::new().resolve_endpoint(&params).now_or_never()?.ok()?;
    endpoint.url().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_regions_own_sts_is_asked() {
        for (region, expected) in [
            ("ap-southeast-2", "https://sts.ap-southeast-2.amazonaws.com/"),
            ("us-east-1", "https://sts.us-east-1.amazonaws.com/"),
            ("cn-north-1", "https://sts.cn-north-1.amazonaws.com.cn/"),
            ("us-gov-west-1", "https://sts.us-gov-west-1.amazonaws.com/"),
        ] {
            assert_eq!(sts_of(&region.parse().unwrap()).unwrap().as_str(), expected);
        }
    }

    #[test]
    fn localhost_is_this_machine() {
        let checked = |url: &str| checked(&url.parse().unwrap()).unwrap().to_string();
        assert_eq!(checked("http://localhost:5000"), "http://127.0.0.1:5000/");
        assert_eq!(checked("https://localhost:5000"), "https://localhost:5000/");
    }
}
