//! Credentials that are asked for once.

use aws_credential_types::{
    Credentials,
    provider::{self, ProvideCredentials, SharedCredentialsProvider, future},
};
use tokio::{sync::Mutex, time::Instant};

use crate::lifetime::usable_for;

/// Keeps what another provider gives until it is about to end. The SDK's own cache belongs to one client of one service.
#[derive(Debug)]
pub(crate) struct Kept {
    from: SharedCredentialsProvider,
    held: Mutex<Option<(Credentials, Instant)>>,
}

impl Kept {
    pub(crate) fn shared(from: impl ProvideCredentials + 'static) -> SharedCredentialsProvider {
        let from = SharedCredentialsProvider::new(from);
        SharedCredentialsProvider::new(Self { from, held: Mutex::default() })
    }

    async fn credentials(&self) -> provider::Result {
        let mut held = self.held.lock().await;
        if let Some((credentials, until)) = held.as_ref()
            && Instant::now() < *until
        {
            return Ok(credentials.clone());
        }
        let given = self.from.provide_credentials().await?;
        *held = Some((given.clone(), Instant::now() + usable_for(given.expiry())));
        Ok(given)
    }
}

impl ProvideCredentials for Kept {
    fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        future::ProvideCredentials::new(self.credentials())
    }
}
