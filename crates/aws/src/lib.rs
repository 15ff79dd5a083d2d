//! Amazon ECR as a [`Registry`](registry_copy::Registry): who asks is proven first, tokens are made in process, and what
//! only ECR's own API tells is asked there.

mod ecr;
mod error;
mod identity;
mod words;

pub use ecr::Ecr;
pub use error::AwsError;
pub use identity::{Access, EcrPlace, Endpoints, Identity};
pub use words::{AccountId, Region, RoleArn};
