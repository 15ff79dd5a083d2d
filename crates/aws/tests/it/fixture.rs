use std::{error::Error, iter, time::Duration};

use aws::{Access, AwsError, Ecr, EcrPlace, Endpoints, Identity, RoleArn};
use guarded_http::Limits;
use registry_copy::RegistryError;
use release::{Repository, Tag};
use tokio::time::Instant;

use crate::fake::Fake;

pub(crate) const ROLE: &str = "arn:aws:iam::111111111111:role/ConveyorDeployRole-prod";

pub(crate) fn repository() -> Repository {
    "forge/payments-api".parse().unwrap()
}

pub(crate) fn tag() -> Tag {
    "48213".parse().unwrap()
}

pub(crate) fn limits() -> Limits {
    let long = Duration::from_secs(20);
    Limits { connect: long, stall: long, deadline: Instant::now() + 3 * long }
}

/// Account 111111111111, whose STS, ECR and registry `fake` is.
pub(crate) fn identity(fake: &Fake, role: Option<&str>) -> Identity {
    Identity {
        role: role.map(|role| role.parse::<RoleArn>().unwrap()),
        account: "111111111111".parse().unwrap(),
        region: "ap-southeast-2".parse().unwrap(),
        endpoints: Endpoints { sts: Some(fake.url()), ecr: Some(fake.url()) },
    }
}

pub(crate) fn place(fake: &Fake) -> EcrPlace {
    EcrPlace {
        account: "111111111111".parse().unwrap(),
        region: "ap-southeast-2".parse().unwrap(),
        authority: fake.address().parse().unwrap(),
    }
}

pub(crate) fn ecr(fake: &Fake, access: Access) -> Ecr {
    Ecr::new(identity(fake, Some(ROLE)), place(fake), access, limits()).unwrap()
}

/// What AWS said, where it is AWS that failed.
pub(crate) fn aws_error(error: &RegistryError) -> &AwsError {
    causes(error).find_map(|cause| cause.downcast_ref::<AwsError>()).unwrap_or_else(|| panic!("{error:?}"))
}

/// All that a log would have of an error.
pub(crate) fn told(error: &RegistryError) -> String {
    let told: Vec<String> = causes(error).map(ToString::to_string).collect();
    format!("{} {error:?}", told.join(": "))
}

fn causes(error: &RegistryError) -> impl Iterator<Item = &(dyn Error + 'static)> {
    iter::successors(Some(error as &(dyn Error + 'static)), |&error| error.source())
}
