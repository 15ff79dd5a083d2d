use std::{collections::BTreeMap, ops::Range, str::FromStr, time::Duration};

use ledger::RepoPath;
use release::{Environment, ParseError};
use serde_yaml::Value;
use url::Url;

use super::{
    AppConfig, AzureDevOps, Config, ConfigError, DEFAULT_MAX_AGE, EnvironmentConfig, LedgerPlace, Place, PolicyConfig,
    Sync, raw, unreadable,
};

pub(super) fn parse(bytes: &[u8]) -> Result<Config, ConfigError> {
    let text = unreadable::text(bytes)?;
    // Into nothing in particular first: a key that stands twice counts wherever it is, and so does a broken line.
    let root: Value = serde_yaml::from_str(text).map_err(|error| unreadable::explain(text, &error))?;
    let raw = serde_yaml::from_str(text).map_err(|error| unreadable::explain(text, &error))?;
    Check { text, root, raw }.config()
}

/// A file that serde could read, being checked for sense.
pub(super) struct Check<'a> {
    pub(super) text: &'a str,
    root: Value,
    pub(super) raw: raw::Raw,
}

impl Check<'_> {
    fn config(self) -> Result<Config, ConfigError> {
        if self.raw.version != 1 {
            let message = format!("version {} is not known to this Conveyor", self.raw.version);
            return Err(self.error(&["version"], message, "write `version: 1`, or install a newer Conveyor"));
        }
        if self.raw.support.trim().is_empty() {
            let help = "write where people get help, in quotes: a # without them begins a comment";
            return Err(self.error(&["support"], "nobody is named for support", help));
        }
        let environments = self.environments()?;
        let apps = self.apps(&environments)?;
        let config = Config {
            support: self.raw.support.clone(),
            ledger: self.ledger()?,
            azure_devops: self.azure_devops()?,
            policy: self.policy()?,
            unknown_keys: unknown_keys(&self.root),
            environments,
            apps,
        };
        self.conflicts(&config)?;
        Ok(config)
    }

    pub(super) fn error(&self, keys: &[&str], message: impl Into<String>, help: impl Into<String>) -> ConfigError {
        let span: Option<Range<usize>> = ledger::position(self.text, keys);
        ConfigError::new(self.text, span, message, help)
    }

    /// A word that stands at a place.
    pub(super) fn word<T: FromStr<Err = ParseError>>(&self, keys: &[&str], text: &str) -> Result<T, ConfigError> {
        text.parse()
            .map_err(|error: ParseError| self.error(keys, format!("{text:?} is not {}", error.what), error.rule))
    }

    fn policy(&self) -> Result<PolicyConfig, ConfigError> {
        let raw = &self.raw.policy;
        let rules = raw.rules.as_deref().unwrap_or("policy/");
        Ok(PolicyConfig {
            rules: self.word(&["policy", "rules"], rules.strip_suffix('/').unwrap_or(rules))?,
            explicit: raw.rules.is_some(),
            require: raw.require.iter().map(|id| self.word(&["policy", "require"], id)).collect::<Result<_, _>>()?,
        })
    }

    fn ledger(&self) -> Result<LedgerPlace, ConfigError> {
        Ok(LedgerPlace {
            url: self.word(&["ledger", "url"], &self.raw.ledger.url)?,
            branch: self.word(&["ledger", "branch"], &self.raw.ledger.branch)?,
        })
    }

    fn azure_devops(&self) -> Result<Option<AzureDevOps>, ConfigError> {
        let Some(raw) = &self.raw.azure_devops else { return Ok(None) };
        let url = raw.url.as_deref().map(|url| self.url(&["azure_devops", "url"], url)).transpose()?;
        Ok(Some(AzureDevOps { organization: raw.organization.clone(), project: raw.project.clone(), url }))
    }

    /// A server's URL: https, or http on loopback, with no user, query or fragment.
    pub(super) fn url(&self, keys: &[&str], text: &str) -> Result<Url, ConfigError> {
        let url: Option<Url> = text.parse().ok().filter(|url: &Url| {
            let plain = url.query().is_none() && url.fragment().is_none();
            let nobody = url.username().is_empty() && url.password().is_none();
            let origin = guarded_http::Origin::of(url);
            plain && nobody && origin.is_ok_and(|origin| url.scheme() == "https" || origin.is_loopback())
        });
        url.ok_or_else(|| {
            let message = format!("{text:?} is not a server's URL");
            self.error(
                keys,
                message,
                "write https://HOST[:PORT], without user, query or fragment; http only on loopback",
            )
        })
    }

    fn environments(&self) -> Result<BTreeMap<Environment, EnvironmentConfig>, ConfigError> {
        if !self.raw.environments.values().any(|raw| raw.promotes_from.is_none()) {
            let help = "leave `promotes_from` out of the environment that CI publishes to";
            return Err(self.error(&["environments"], "no environment is the first: each promotes from another", help));
        }
        let entries = self.raw.environments.iter();
        entries
            .map(|(text, raw)| {
                let name: Environment = self.word(&["environments", text], text)?;
                Ok((name.clone(), self.environment(&name, raw)?))
            })
            .collect()
    }

    fn environment(&self, name: &Environment, raw: &raw::EnvironmentEntry) -> Result<EnvironmentConfig, ConfigError> {
        let at = |key: &'static str| ["environments", name.as_str(), key];
        self.chain(name.as_str())?;
        if raw.sync == Sync::Manual && raw.approval.required == 0 {
            let help = "write `approval: { required: 1, group: \"GUID\" }`, or `sync: auto`";
            return Err(self.error(&at("sync"), format!("{name} is synced by hand but nobody must approve"), help));
        }
        let (registry, aws) = self.registry(name, raw)?;
        Ok(EnvironmentConfig {
            name: name.clone(),
            promotes_from: raw
                .promotes_from
                .as_deref()
                .map(|from| self.word(&at("promotes_from"), from))
                .transpose()?,
            registry,
            aws,
            token_hosts: self.token_hosts()?,
            mutable_tags_accepted: raw.registry.as_ref().is_some_and(|registry| registry.mutable_tags.is_some()),
            sync: raw.sync,
            stage: raw.stage.clone(),
            approval: self.approval(name, raw)?,
        })
    }

    /// Follows `promotes_from` to the first environment.
    fn chain(&self, name: &str) -> Result<(), ConfigError> {
        let mut seen = vec![name];
        let mut place = name;
        while let Some(source) = self.raw.environments.get(place).and_then(|raw| raw.promotes_from.as_deref()) {
            let keys = ["environments", place, "promotes_from"];
            if !self.raw.environments.contains_key(source) {
                let known = list(self.raw.environments.keys());
                return Err(self.error(
                    &keys,
                    format!("there is no environment {source}"),
                    format!("write one of {known}"),
                ));
            }
            if seen.contains(&source) {
                let circle = list(seen.iter().skip_while(|name| **name != source));
                let message = format!("`promotes_from` goes in a circle: {circle}");
                return Err(self.error(&keys, message, "leave `promotes_from` out of the first of them"));
            }
            seen.push(source);
            place = source;
        }
        Ok(())
    }

    fn approval(
        &self,
        name: &Environment,
        raw: &raw::EnvironmentEntry,
    ) -> Result<policy::ApprovalParameters, ConfigError> {
        let at = |key: &'static str| ["environments", name.as_str(), "approval", key];
        let approval = &raw.approval;
        if approval.required > 0 {
            let group = approval.group.as_deref().unwrap_or_default();
            if format!("azure-devops:{group}").parse::<release::ActorId>().is_err() {
                let message = "approval is required but no group is named that could give it";
                return Err(self.error(&at("group"), message, "write the group's GUID: `group: \"xxxxxxxx-xxxx-…\"`"));
            }
            if self.raw.azure_devops.is_none() {
                let message = format!("{name} needs approval but no Azure DevOps is named that could tell");
                return Err(self.error(&at("required"), message, "write `azure_devops: { organization, project }`"));
            }
            if raw.stage.is_none() {
                let message = format!("{name} needs approval but names no stage of the release");
                let help = "write `stage: NAME`, as the release definition has it";
                return Err(self.error(&["environments", name.as_str()], message, help));
            }
        }
        let max_age = match &approval.max_age {
            None => DEFAULT_MAX_AGE,
            Some(text) => duration(text).ok_or_else(|| {
                self.error(&at("max_age"), format!("{text:?} is not a length of time"), "write one such as 24h or 90m")
            })?,
        };
        Ok(policy::ApprovalParameters {
            required: approval.required,
            group: approval.group.as_deref().map(str::to_ascii_lowercase),
            max_age,
        })
    }

    fn apps(
        &self,
        environments: &BTreeMap<Environment, EnvironmentConfig>,
    ) -> Result<BTreeMap<release::App, AppConfig>, ConfigError> {
        let protected = environments.values().find(|environment| environment.approval.required > 0);
        self.raw
            .apps
            .iter()
            .map(|(text, raw)| {
                let name: release::App = self.word(&["apps", text], text)?;
                if let Some(protected) = protected {
                    self.bound(&name, raw, &protected.name)?;
                }
                if raw.build_definition.is_some() {
                    if self.raw.azure_devops.is_none() {
                        let message = format!("{name} names a build definition but no Azure DevOps is named");
                        let keys = ["apps", name.as_str(), "build_definition"];
                        return Err(self.error(&keys, message, "write `azure_devops: { organization, project }`"));
                    }
                    if raw.branches.is_empty() {
                        let message = format!("{name} names no branch whose builds may be moved");
                        let help = "write `branches: [refs/heads/main]`";
                        return Err(self.error(&["apps", name.as_str()], message, help));
                    }
                }
                if let Some(branch) = raw.branches.iter().find(|branch| !branch.starts_with("refs/heads/")) {
                    let keys = ["apps", name.as_str(), "branches"];
                    let help = format!("write refs/heads/{branch}");
                    return Err(self.error(&keys, format!("{branch:?} is not a branch's full name"), help));
                }
                Ok((
                    name.clone(),
                    AppConfig {
                        name: name.clone(),
                        repository: self.word(&["apps", text, "repository"], &raw.repository)?,
                        build_definition: raw.build_definition,
                        release_definition: raw.release_definition,
                        branches: raw.branches.clone(),
                        place: self.place(&name, raw, environments)?,
                    },
                ))
            })
            .collect()
    }

    /// An app that goes to a protected environment must be bound to its definitions.
    fn bound(&self, name: &release::App, raw: &raw::AppEntry, to: &Environment) -> Result<(), ConfigError> {
        let missing = match (raw.build_definition, raw.release_definition) {
            (None, _) => "build_definition",
            (_, None) => "release_definition",
            _ => return Ok(()),
        };
        let message = format!("{name} goes to {to}, which is protected, but has no `{missing}`");
        Err(self.error(&["apps", name.as_str()], message, format!("write `{missing}: NUMBER`")))
    }

    fn place(
        &self,
        name: &release::App,
        raw: &raw::AppEntry,
        environments: &BTreeMap<Environment, EnvironmentConfig>,
    ) -> Result<Option<Place>, ConfigError> {
        let Some(place) = &raw.ledger else { return Ok(None) };
        let keys = ["apps", name.as_str(), "ledger", "manifest"];
        let several = environments.len() > 1;
        if several && !place.manifest.contains("{env}") {
            let message = "all environments would share one manifest";
            return Err(self.error(&keys, message, "write {env} where the environment's name belongs"));
        }
        let path = |environment: &Environment| {
            let path = place.manifest.replace("{env}", environment.as_str()).replace("{app}", name.as_str());
            self.word::<RepoPath>(&keys, &path)
        };
        let manifests = environments.keys().map(|name| Ok((name.clone(), path(name)?))).collect::<Result<_, _>>()?;
        let key = self.word(&["apps", name.as_str(), "ledger", "key"], &place.key)?;
        let at = ["apps", name.as_str(), "ledger", "document"];
        let document = place.document.as_ref().map(|document| self.word(&at, document)).transpose()?;
        Ok(Some(Place { manifests, document, key }))
    }
}

fn list<'a, T: ToString + 'a>(names: impl IntoIterator<Item = &'a T>) -> String {
    names.into_iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

fn duration(text: &str) -> Option<Duration> {
    text.parse::<jiff::SignedDuration>().ok()?.try_into().ok().filter(|duration: &Duration| !duration.is_zero())
}

/// The paths of keys that no version so far gives a meaning.
fn unknown_keys(root: &Value) -> Vec<String> {
    raw::KNOWN_KEYS
        .iter()
        .flat_map(|(place, known)| {
            places(root, place, String::new()).into_iter().flat_map(move |(path, value)| {
                let keys = value.as_mapping().into_iter().flat_map(|mapping| mapping.keys());
                let unknown = keys.filter_map(Value::as_str).filter(|key| !known.contains(key));
                unknown.map(|key| format!("{path}{key}")).collect::<Vec<_>>()
            })
        })
        .collect()
}

/// The values at a place, each with its path and a dot.
fn places<'v>(value: &'v Value, place: &[&str], path: String) -> Vec<(String, &'v Value)> {
    let Some((first, rest)) = place.split_first() else { return vec![(path, value)] };
    let entries = value.as_mapping().into_iter().flatten();
    let here = entries.filter_map(|(key, value)| Some((key.as_str()?, value)));
    here.filter(|(key, _)| *first == "*" || first == key)
        .flat_map(|(key, value)| places(value, rest, format!("{path}{key}.")))
        .collect()
}
