//! What conveyor.yaml says of an environment's registry, and of AWS.

use std::str::FromStr;

use aws::{AccountId, Endpoints, Region, RoleArn};
use guarded_http::Origin;
use release::{Authority, Environment, ParseError};
use url::Url;

use super::{Aws, ConfigError, check::Check, raw};
use crate::ecr;

impl Check<'_> {
    /// An environment's registry, and the account whose ECR it is.
    pub(super) fn registry(
        &self,
        name: &Environment,
        raw: &raw::EnvironmentEntry,
    ) -> Result<(Authority, Option<Aws>), ConfigError> {
        let at = |keys: &[&'static str]| [&["environments", name.as_str()], keys].concat();
        let account: Option<AccountId> = self.optional(&at(&["account"]), raw.account.as_deref())?;
        let region: Option<Region> = self.optional(&at(&["region"]), raw.region.as_deref())?;
        let role = self.role(name, "role", raw.role.as_deref(), account.as_ref())?;
        let pull_role = self.role(name, "pull_role", raw.pull_role.as_deref(), account.as_ref())?;
        let named = raw.registry.as_ref().map(|registry| self.named(name, registry)).transpose()?;
        let is_ecr = raw.registry.as_ref().is_none_or(|registry| registry.ecr)
            || named.as_ref().is_some_and(|registry| ecr::place_of(registry).is_some());
        if let Some(registry) = &named {
            self.is_of(name, registry, account.as_ref(), region.as_ref())?;
        }
        let (registry, account, region) = match (named, account, region) {
            (Some(registry), ..) if !is_ecr => {
                if pull_role.is_some() {
                    let message = format!("{name} has a `pull_role`, but its registry is no ECR");
                    let help = "leave `pull_role` out, or write `ecr: true` where the registry speaks for an ECR";
                    return Err(self.error(&at(&["pull_role"]), message, help));
                }
                return Ok((registry, None));
            }
            (Some(registry), Some(account), Some(region)) => (registry, account, region),
            (None, Some(account), Some(region)) => (self.derived(name, &account, &region)?, account, region),
            (Some(_), ..) => {
                let message = format!("the registry of {name} is an ECR, but whose is not said");
                return Err(self.error(&at(&["registry", "url"]), message, "write `account` and `region` too"));
            }
            (None, ..) => {
                let help = "write `account` and `region`, or `registry: { url: … }`";
                return Err(self.error(&at(&[]), format!("{name} has no registry"), help));
            }
        };
        Ok((registry, Some(Aws { account, region, role, pull_role, endpoints: self.endpoints()? })))
    }

    /// The registries' token servers.
    pub(super) fn token_hosts(&self) -> Result<Vec<Origin>, ConfigError> {
        let keys = ["token_hosts"];
        let origin = |text: &String| {
            let url = self.url(&keys, text)?;
            Origin::of(&url).ok().filter(|_| url.path() == "/").ok_or_else(|| {
                self.error(&keys, format!("{text:?} is not a server"), "write https://HOST[:PORT], without a path")
            })
        };
        self.raw.token_hosts.iter().map(origin).collect()
    }

    fn endpoints(&self) -> Result<Endpoints, ConfigError> {
        let server = |key, text: &Option<String>| -> Result<Option<Url>, ConfigError> {
            text.as_deref().map(|text| self.url(&["endpoints", key], text)).transpose()
        };
        let raw = &self.raw.endpoints;
        Ok(Endpoints { sts: server("sts", &raw.sts)?, ecr: server("ecr", &raw.ecr)? })
    }

    fn optional<T: FromStr<Err = ParseError>>(
        &self,
        keys: &[&str],
        text: Option<&str>,
    ) -> Result<Option<T>, ConfigError> {
        text.map(|text| self.word(keys, text)).transpose()
    }

    /// A role, which must be one of the environment's own account.
    fn role(
        &self,
        name: &Environment,
        key: &'static str,
        text: Option<&str>,
        account: Option<&AccountId>,
    ) -> Result<Option<RoleArn>, ConfigError> {
        let Some(text) = text else { return Ok(None) };
        let role: Option<RoleArn> = text.parse().ok();
        if let (Some(role), Some(account)) = (&role, account)
            && role.account() == *account
        {
            return Ok(Some(role.clone()));
        }
        let keys = ["environments", name.as_str(), key];
        let Some(account) = account else {
            let message = format!("{name} has a `{key}`, but which account it is of is not said");
            return Err(self.error(&keys, message, "write `account: \"DIGITS\"` too"));
        };
        let message = format!("the {key} is not one of account {account}");
        Err(self.error(&keys, message, format!("write arn:aws:iam::{account}:role/NAME")))
    }

    /// A registry that is named by its URL.
    fn named(&self, name: &Environment, raw: &raw::Registry) -> Result<Authority, ConfigError> {
        let keys = ["environments", name.as_str(), "registry", "url"];
        let url = self.url(&keys, &raw.url)?;
        let rest = raw.url.strip_prefix(url.scheme()).and_then(|rest| rest.strip_prefix("://"));
        let authority: Option<Authority> = rest.and_then(|rest| rest.trim_end_matches('/').parse().ok());
        authority.filter(|authority| authority.is_loopback() == (url.scheme() == "http")).ok_or_else(|| {
            let help = "write https://HOST[:PORT], or http://127.0.0.1:PORT on loopback, without a path";
            self.error(&keys, format!("{:?} is not a registry's URL", raw.url), help)
        })
    }

    /// Refuses an ECR host of another account or region; any other name may speak for this one.
    fn is_of(
        &self,
        name: &Environment,
        registry: &Authority,
        account: Option<&AccountId>,
        region: Option<&Region>,
    ) -> Result<(), ConfigError> {
        let Some((of, place)) = ecr::place_of(registry) else { return Ok(()) };
        let message = match (account, region) {
            (Some(account), _) if of != account.as_str() => {
                format!("the registry is account {of}'s, not account {account}'s")
            }
            (_, Some(region)) if place != region.as_str() => format!("the registry is in {place}, not in {region}"),
            _ => return Ok(()),
        };
        let keys = ["environments", name.as_str(), "registry", "url"];
        Err(self.error(&keys, message, "name this account's registry, or leave `registry` out"))
    }

    /// The host of an account's ECR.
    fn derived(&self, name: &Environment, account: &AccountId, region: &Region) -> Result<Authority, ConfigError> {
        let suffix = if region.partition() == "aws-cn" { ".cn" } else { "" };
        format!("{account}.dkr.ecr.{region}.amazonaws.com{suffix}")
            .parse()
            .map_err(|error: ParseError| self.error(&["environments", name.as_str(), "region"], error.what, error.rule))
    }
}
