//! What ECR's own API tells of a repository.

use std::{collections::BTreeSet, fmt};

use aws_sdk_ecr::types::{ImageIdentifier, ImageStatus, LayerAvailability, Repository as Described};
use guarded_http::Limits;
use registry_copy::RegistryError;
use release::{Digest, Repository, Tag};

use crate::{
    AwsError, EcrPlace,
    answer::{Failure, answer, fit},
};

/// The most digests that one call takes (ECR API Reference, "BatchCheckLayerAvailability").
const LAYERS: usize = 100;

/// One repository, asked with one session.
#[derive(Debug)]
pub(crate) struct Api {
    pub(crate) ecr: aws_sdk_ecr::Client,
    pub(crate) place: EcrPlace,
    pub(crate) repository: Repository,
    pub(crate) limits: Limits,
}

/// An image as one tag or digest names it.
pub(crate) enum Image<'a> {
    Tagged(&'a Tag),
    Named(&'a Digest),
}

impl fmt::Display for Image<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tagged(tag) => tag.fmt(f),
            Self::Named(digest) => digest.fmt(f),
        }
    }
}

impl Api {
    pub(crate) async fn describe(&self) -> Result<Described, RegistryError> {
        const ACTION: &str = "ecr:DescribeRepositories";
        let call = self.ecr.describe_repositories().registry_id(self.account()).repository_names(self.name());
        let answered = answer(&self.limits, ACTION, call.send()).await.map_err(|failure| self.error(failure))?;
        let found = answered.repositories.unwrap_or_default().into_iter();
        let mut ours = found.filter(|described| described.repository_name() == Some(self.name()));
        ours.next().ok_or_else(|| self.unusable(ACTION, "it describes another repository"))
    }

    /// The lifecycle policy as it was written; none where there is none.
    pub(crate) async fn lifecycle_policy(&self) -> Result<Option<String>, RegistryError> {
        let call = self.ecr.get_lifecycle_policy().registry_id(self.account()).repository_name(self.name());
        match answer(&self.limits, "ecr:GetLifecyclePolicy", call.send()).await {
            Ok(answered) => Ok(answered.lifecycle_policy_text),
            Err(Failure::Refused(refusal)) if refusal.code == "LifecyclePolicyNotFoundException" => Ok(None),
            Err(failure) => Err(self.error(failure)),
        }
    }

    /// Fails where an image that was not served is there all the same: archived, on its way back, or stored just now.
    pub(crate) async fn prove_absent(&self, image: &Image<'_>) -> Result<(), RegistryError> {
        const ACTION: &str = "ecr:DescribeImages";
        let id = match image {
            Image::Tagged(tag) => ImageIdentifier::builder().image_tag(tag.as_str()),
            Image::Named(digest) => ImageIdentifier::builder().image_digest(digest.to_string()),
        };
        let call = self.ecr.describe_images().registry_id(self.account()).repository_name(self.name());
        let answered = match answer(&self.limits, ACTION, call.image_ids(id.build()).send()).await {
            Ok(answered) => answered,
            Err(Failure::Refused(refusal)) if refusal.code == "ImageNotFoundException" => return Ok(()),
            Err(failure) => return Err(self.error(failure)),
        };
        let details = answered.image_details().first().ok_or_else(|| self.unusable(ACTION, "it describes no image"))?;
        let (repository, image) = (self.repository.clone(), image.to_string());
        Err(self.place.error(match details.image_status() {
            None | Some(ImageStatus::Active) => AwsError::NotServed { repository, image },
            Some(status) => AwsError::Archived { repository, image, status: fit(status.as_str()) },
        }))
    }

    /// Which of these blobs ECR can serve; none where the caller may not ask.
    pub(crate) async fn available(&self, blobs: &BTreeSet<Digest>) -> Result<Option<BTreeSet<Digest>>, RegistryError> {
        const ACTION: &str = "ecr:BatchCheckLayerAvailability";
        let blobs: Vec<String> = blobs.iter().map(ToString::to_string).collect();
        let mut available = BTreeSet::new();
        for digests in blobs.chunks(LAYERS) {
            let call =
                self.ecr.batch_check_layer_availability().registry_id(self.account()).repository_name(self.name());
            let answered =
                match answer(&self.limits, ACTION, call.set_layer_digests(Some(digests.to_vec())).send()).await {
                    Ok(answered) => answered,
                    Err(Failure::Refused(refusal)) if refusal.is_denied() => return Ok(None),
                    Err(failure) => return Err(self.error(failure)),
                };
            let served = answered
                .layers()
                .iter()
                .filter(|layer| layer.layer_availability() == Some(&LayerAvailability::Available));
            available.extend(served.filter_map(|layer| layer.layer_digest()?.parse::<Digest>().ok()));
        }
        Ok(Some(available))
    }

    /// What went wrong, as a registry says it.
    pub(crate) fn error(&self, failure: Failure) -> RegistryError {
        match failure {
            Failure::Refused(refusal) if refusal.code == "RepositoryNotFoundException" => {
                RegistryError::NoRepository { repository: self.repository.clone() }
            }
            failure => self.place.error(failure.into()),
        }
    }

    fn unusable(&self, action: &'static str, what: &'static str) -> RegistryError {
        self.place.error(AwsError::Protocol { action, what })
    }

    fn account(&self) -> &str {
        self.place.account.as_str()
    }

    fn name(&self) -> &str {
        self.repository.as_str()
    }
}

impl EcrPlace {
    /// An error of AWS as one of this registry.
    pub(crate) fn error(&self, error: AwsError) -> RegistryError {
        let (retryable, denied) = (error.is_retryable(), error.is_denied());
        RegistryError::Backend { at: self.authority.to_string(), source: Box::new(error), retryable, denied }
    }
}
