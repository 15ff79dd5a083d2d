//! Credentials to begin with.

use std::{env, io, path::PathBuf};

use aws_config::{
    ecs::EcsCredentialsProvider, environment::EnvironmentVariableCredentialsProvider,
    imds::credentials::ImdsCredentialsProvider, meta::credentials::CredentialsProviderChain,
    profile::ProfileFileCredentialsProvider,
};
use aws_credential_types::provider::{
    self, ProvideCredentials, SharedCredentialsProvider, error::CredentialsError, future,
};

use crate::{RoleArn, kept::Kept, settings::Settings, sts::Sts};

/// The places where the SDK's default chain looks, in its order. It is put together here because the SDK's own asks
/// the STS that `AWS_ENDPOINT_URL` names.
pub(crate) fn default_chain(settings: &Settings) -> SharedCredentialsProvider {
    let config = settings.for_providers();
    let chain = CredentialsProviderChain::first_try("Environment", EnvironmentVariableCredentialsProvider::new())
        .or_else("Profile", ProfileFileCredentialsProvider::builder().configure(&config).build())
        .or_else("WebIdentityToken", WebIdentity { sts: Sts::new(settings, None) })
        .or_else("EcsContainer", EcsCredentialsProvider::builder().configure(&config).build())
        .or_else("Ec2InstanceMetadata", ImdsCredentialsProvider::builder().configure(&config).build());
    Kept::shared(chain)
}

/// A token of an identity provider, such as an agent's or a cluster's, for a session of a role.
#[derive(Debug)]
struct WebIdentity {
    sts: Sts,
}

/// The token cannot be read.
#[derive(Debug, thiserror::Error)]
#[error("AWS_WEB_IDENTITY_TOKEN_FILE: {} cannot be read", file.display())]
struct NoToken {
    file: PathBuf,
    source: io::Error,
}

impl WebIdentity {
    async fn credentials(&self) -> provider::Result {
        let set = |name| env::var(name).map_err(|_| CredentialsError::not_loaded(format!("{name} is not set")));
        let file = PathBuf::from(set("AWS_WEB_IDENTITY_TOKEN_FILE")?);
        let role: RoleArn = set("AWS_ROLE_ARN")?.parse().map_err(CredentialsError::invalid_configuration)?;
        let session = set("AWS_ROLE_SESSION_NAME").unwrap_or_else(|_| "conveyor".to_owned());
        let token = tokio::fs::read_to_string(&file)
            .await
            .map_err(|source| CredentialsError::invalid_configuration(NoToken { file, source }))?;
        self.sts.assume_with_token(&role, &session, token.trim()).await.map_err(CredentialsError::provider_error)
    }
}

impl ProvideCredentials for WebIdentity {
    fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        future::ProvideCredentials::new(self.credentials())
    }
}
