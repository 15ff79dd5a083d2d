use release::Authority;
use url::Url;

use crate::{AccountId, Region, RoleArn};

/// Who asks, and where AWS is asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// The role to assume; none: whoever the environment's credentials are.
    pub role: Option<RoleArn>,
    /// The account that the caller must turn out to be of, before anything else is asked.
    pub account: AccountId,
    /// The region whose STS is asked.
    pub region: Region,
    /// Servers to ask instead of AWS's own.
    pub endpoints: Endpoints,
}

/// Servers to ask instead of a region's own: HTTPS, or plain HTTP on loopback. Nothing in the process's environment
/// or in a profile changes them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Endpoints {
    /// For STS.
    pub sts: Option<Url>,
    /// For ECR's API, which is not the registry itself.
    pub ecr: Option<Url>,
}

/// Whose registry it is. Where one account reads another's, it is not the account of the [`Identity`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EcrPlace {
    /// The account that owns the registry.
    pub account: AccountId,
    /// The registry's region, whose API is asked.
    pub region: Region,
    /// Where images are pushed and pulled.
    pub authority: Authority,
}

/// What the sessions of a role are narrowed to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Reading one repository.
    Read,
    /// Reading and writing one repository; deleting nothing and changing no setting.
    Write,
}
