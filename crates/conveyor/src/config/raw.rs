//! conveyor.yaml as it is written: what serde reads and the JSON Schema describes. `check` makes a `Config` of it, and
//! parses the words in it: there it is known on which line each of them stands.

use std::{collections::BTreeMap, fmt, marker::PhantomData};

use schemars::JsonSchema;
use serde::{
    Deserialize, Deserializer,
    de::{Error, MapAccess, Visitor},
};

/// Conveyor's configuration, at the root of the Ledger.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(expecting = "a mapping")]
#[schemars(title = "conveyor.yaml")]
pub(super) struct Raw {
    /// The format's version: 1.
    pub(super) version: u32,
    /// Where people get help; every failure names it.
    pub(super) support: String,
    /// This very repository and branch.
    pub(super) ledger: Ledger,
    /// The organisation whose builds, releases and approvals count.
    pub(super) azure_devops: Option<AzureDevOps>,
    /// The environments by name.
    #[serde(deserialize_with = "each_once")]
    pub(super) environments: BTreeMap<String, EnvironmentEntry>,
    /// The apps by name.
    #[serde(deserialize_with = "each_once")]
    pub(super) apps: BTreeMap<String, AppEntry>,
    /// Rules beyond the safety rules.
    #[serde(default)]
    pub(super) policy: Policy,
    /// Other servers than AWS's own.
    #[serde(default)]
    pub(super) endpoints: Endpoints,
    /// Servers beside the registries that may be sent a registry's credentials, to give a token for them.
    #[serde(default)]
    pub(super) token_hosts: Vec<String>,
}

#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(expecting = "a mapping")]
pub(super) struct Endpoints {
    /// The server of AWS STS.
    pub(super) sts: Option<String>,
    /// The server of the Amazon ECR API, which is another than the registry.
    pub(super) ecr: Option<String>,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(expecting = "a mapping")]
pub(super) struct Ledger {
    /// The repository's URL.
    pub(super) url: String,
    /// The branch that Argo CD reconciles from.
    pub(super) branch: String,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(expecting = "a mapping")]
pub(super) struct AzureDevOps {
    /// The organisation.
    pub(super) organization: String,
    /// The project.
    pub(super) project: String,
    /// Another server than dev.azure.com.
    pub(super) url: Option<String>,
}

// A key that nobody reads could be one that was to protect the environment: `approvals` for `approval`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "a mapping")]
pub(super) struct EnvironmentEntry {
    /// The environment before this one; none for the first.
    pub(super) promotes_from: Option<String>,
    /// The AWS account, 12 digits in quotes.
    pub(super) account: Option<String>,
    /// The AWS region.
    pub(super) region: Option<String>,
    /// The role that is assumed in the account.
    pub(super) role: Option<String>,
    /// The role that is assumed in the account to read from here; the next environment's `role` where there is none.
    pub(super) pull_role: Option<String>,
    /// A registry other than the account's ECR.
    pub(super) registry: Option<Registry>,
    /// Whether Argo CD reconciles by itself or waits for a person.
    pub(super) sync: Sync,
    /// The release's stage for this environment.
    pub(super) stage: Option<String>,
    /// Who must approve.
    #[serde(default)]
    pub(super) approval: Approval,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "a mapping")]
pub(super) struct Registry {
    /// `https://HOST`, or `http://127.0.0.1:PORT` on loopback.
    pub(super) url: String,
    /// The host speaks for the account's ECR: a VPC endpoint or a proxy with a name of its own.
    #[serde(default)]
    pub(super) ecr: bool,
    /// `detect-only`: the registry cannot promise immutable tags, and that is accepted.
    pub(super) mutable_tags: Option<MutableTags>,
}

#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(super) enum MutableTags {
    DetectOnly,
}

/// Whether the cluster follows the Ledger by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Sync {
    /// Argo CD reconciles by itself.
    Auto,
    /// A person presses Sync.
    Manual,
}

#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "a mapping")]
pub(super) struct Approval {
    /// How many people other than the requester.
    #[serde(default)]
    pub(super) required: u32,
    /// The GUID of the group that is asked.
    pub(super) group: Option<String>,
    /// How old an approval may be, such as 24h (the default).
    pub(super) max_age: Option<String>,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(expecting = "a mapping")]
pub(super) struct AppEntry {
    /// The image's repository, the same in every environment's registry.
    pub(super) repository: String,
    /// The build definition that its images come from.
    pub(super) build_definition: Option<u64>,
    /// The release definition that may ask for a protected environment.
    pub(super) release_definition: Option<u64>,
    /// The branches whose builds are moved, in full.
    #[serde(default)]
    pub(super) branches: Vec<String>,
    /// Where the Ledger holds its tag.
    pub(super) ledger: Option<Place>,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(expecting = "a mapping")]
pub(super) struct Place {
    /// The manifest's path, with {env} for the environment's name.
    pub(super) manifest: String,
    /// The scalar's place in it, such as image.tag or images[name=web].newTag.
    pub(super) key: String,
    /// Which of its documents, where several have the key: kind=Deployment,metadata.name=web.
    pub(super) document: Option<String>,
}

#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "a mapping")]
pub(super) struct Policy {
    /// The folder of Rego rules; `policy/` by default.
    pub(super) rules: Option<String>,
    /// Rules that must be among those evaluated.
    #[serde(default)]
    pub(super) require: Vec<String>,
    /// How long an emergency may stay open.
    #[expect(dead_code, reason = "read by `close-emergency`; accepted here so that the file stays valid")]
    pub(super) close_emergency_within: Option<String>,
}

/// A mapping in which no name stands twice: who reviews the file may see only the first of two entries, and the last
/// would count.
fn each_once<'de, D, T>(deserializer: D) -> Result<BTreeMap<String, T>, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de>,
{
    struct EachOnce<T>(PhantomData<T>);

    impl<'de, T: Deserialize<'de>> Visitor<'de> for EachOnce<T> {
        type Value = BTreeMap<String, T>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a mapping")
        }

        fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
            let mut entries = BTreeMap::new();
            while let Some((name, entry)) = map.next_entry::<String, T>()? {
                if entries.contains_key(&name) {
                    return Err(A::Error::custom(format_args!("duplicate field `{name}`")));
                }
                entries.insert(name, entry);
            }
            Ok(entries)
        }
    }

    deserializer.deserialize_map(EachOnce(PhantomData))
}

/// The keys that may stand at a place, for the warning about others. `*` stands for any name.
pub(super) const KNOWN_KEYS: &[(&[&str], &[&str])] = &[
    (
        &[],
        &[
            "version",
            "support",
            "ledger",
            "azure_devops",
            "argocd",
            "environments",
            "apps",
            "policy",
            "endpoints",
            "token_hosts",
            "signers",
        ],
    ),
    (&["ledger"], &["url", "branch"]),
    (&["azure_devops"], &["organization", "project", "url"]),
    (&["endpoints"], &["sts", "ecr", "ssm"]),
    (&["apps", "*"], &["repository", "build_definition", "release_definition", "branches", "ledger", "ec2"]),
    (&["apps", "*", "ledger"], &["manifest", "key", "document", "argocd"]),
];
