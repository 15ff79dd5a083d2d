use std::collections::BTreeMap;

use ledger::RepoPath;
use release::Authority;

use super::{Config, ConfigError, FILE, check::Check};

impl Check<'_> {
    /// What must be one's own is: no two environments have one registry, no two apps one repository or one scalar of a
    /// manifest, and no manifest is where Conveyor reads its own files.
    pub(super) fn conflicts(&self, config: &Config) -> Result<(), ConfigError> {
        self.registries(config)?;
        self.repositories(config)?;
        self.scalars(config)?;
        self.folders(config)
    }

    fn registries(&self, config: &Config) -> Result<(), ConfigError> {
        let environments = || config.environments.values();
        let hosts = environments().map(|environment| (server(&environment.registry), environment.name.as_str()));
        let accounts = environments().filter_map(|environment| {
            let aws = environment.aws.as_ref()?;
            Some((format!("of account {} in {}", aws.account, aws.region), environment.name.as_str()))
        });
        let Some((registry, names)) = twice(hosts).or_else(|| twice(accounts)) else { return Ok(()) };
        let at = |name| {
            let named = self.raw.environments.get(name).is_some_and(|entry| entry.registry.is_some());
            let place: &[&str] = if named { &["registry", "url"] } else { &["account"] };
            [&["environments", name], place].concat()
        };
        let (first, second) = self.in_order(names, at);
        let message = format!("{first} and {second} share the registry {registry}");
        let help = format!("name {second}'s own: what is in {first} would be in {second} before anybody promoted it");
        Err(self.error(&at(second), message, help))
    }

    fn repositories(&self, config: &Config) -> Result<(), ConfigError> {
        let claims = config.apps.values().map(|app| (app.repository.to_string(), app.name.as_str()));
        let Some((repository, names)) = twice(claims) else { return Ok(()) };
        let at = |name| vec!["apps", name, "repository"];
        let (first, second) = self.in_order(names, at);
        let message = format!("{first} and {second} share the repository {repository}");
        Err(self.error(&at(second), message, format!("name {second}'s own repository")))
    }

    fn scalars(&self, config: &Config) -> Result<(), ConfigError> {
        let places = config.apps.values().filter_map(|app| Some((app.name.as_str(), app.place.as_ref()?)));
        let claims = places.flat_map(|(app, place)| {
            let scalar = (place.key.to_string(), place.document.as_ref().map(ToString::to_string));
            place.manifests.values().map(move |path| ((path.as_str(), scalar.clone()), app))
        });
        let Some(((path, (key, _)), names)) = twice(claims) else { return Ok(()) };
        let at = |name| vec!["apps", name, "ledger", "manifest"];
        let (first, second) = self.in_order(names, at);
        let message = format!("{first} and {second} share {key} of {path}");
        Err(self.error(&at(second), message, format!("name {second}'s own manifest, or another key of this one")))
    }

    fn folders(&self, config: &Config) -> Result<(), ConfigError> {
        let rules = &config.policy.rules;
        let own: [RepoPath; 2] = [self.word(&[], FILE)?, self.word(&[], record::FOLDER)?];
        let refuse = |keys: &[&str], path: &RepoPath, own: &RepoPath| {
            let message = if path == own {
                format!("{path} is Conveyor's own")
            } else {
                format!("{path} is in {own}, which is Conveyor's own")
            };
            Err(self.error(keys, message, format!("name a place outside {own}")))
        };
        if let Some(own) = own.iter().find(|own| rules.is_within(own)) {
            return refuse(&["policy", "rules"], rules, own);
        }
        for (app, place) in config.apps.values().filter_map(|app| Some((&app.name, app.place.as_ref()?))) {
            for path in place.manifests.values() {
                if let Some(own) = own.iter().chain([rules]).find(|own| path.is_within(own)) {
                    return refuse(&["apps", app.as_str(), "ledger", "manifest"], path, own);
                }
            }
        }
        Ok(())
    }

    /// Two names in the order in which they stand in the file.
    fn in_order<'n>(
        &self,
        (one, other): (&'n str, &'n str),
        at: impl Fn(&'n str) -> Vec<&'n str>,
    ) -> (&'n str, &'n str) {
        let start = |name| ledger::position(self.text, &at(name)).map(|span| span.start);
        if start(one) <= start(other) { (one, other) } else { (other, one) }
    }
}

/// The first thing that two claim, and those two.
fn twice<'n, K: Ord + Clone>(claims: impl IntoIterator<Item = (K, &'n str)>) -> Option<(K, (&'n str, &'n str))> {
    let mut owners = BTreeMap::new();
    claims.into_iter().find_map(|(what, name)| {
        let owner = owners.insert(what.clone(), name)?;
        Some((what, (owner, name)))
    })
}

/// The registry in one spelling: the usual port left out, and all names of this machine as one.
fn server(registry: &Authority) -> String {
    match (registry.is_loopback(), registry.port()) {
        (true, port) => format!("localhost:{}", port.unwrap_or(80)),
        (false, Some(443)) => registry.host().to_owned(),
        (false, _) => registry.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::server;

    #[test]
    fn one_registry_has_one_spelling() {
        let spelt = |registry: &str| server(&registry.parse().unwrap());
        for same in ["localhost:5000", "127.0.0.2:5000", "[::1]:5000"] {
            assert_eq!(spelt(same), spelt("127.0.0.1:5000"), "{same}");
        }
        assert_eq!(spelt("localhost"), spelt("127.0.0.1:80"));
        assert_eq!(spelt("registry.example:443"), spelt("registry.example"));
        assert_ne!(spelt("localhost:5000"), spelt("localhost:5001"));
        assert_ne!(spelt("registry.example:80"), spelt("registry.example"));
    }
}
