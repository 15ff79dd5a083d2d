//! Amazon ECR as a [`Registry`](registry_copy::Registry): who asks is proven first, tokens are made in process, and what
//! only ECR's own API tells is asked there.
//!
//! The environment gives the credentials to begin with, or says where a machine or a container has them. It moves no
//! server that is asked with them: `AWS_ENDPOINT_URL` and its kin, `AWS_REGION`, profiles' `endpoint_url` and proxies
//! are not heeded.

mod answer;
mod api;
mod chain;
mod ecr;
mod error;
mod identity;
mod kept;
mod lifetime;
mod preflight;
mod session;
mod settings;
mod sts;
mod tokens;
mod transport;
mod words;

pub use ecr::Ecr;
pub use error::AwsError;
pub use identity::{Access, EcrPlace, Endpoints, Identity};
pub use words::{AccountId, Region, RoleArn};
