//! conveyor.yaml: what is wrong, where, and what to write instead.

use conveyor::config::{Config, ConfigError, Sync};

use crate::{config_noise::read, world::word};

/// A file with a line for each thing that can be wrong.
pub(crate) const GOOD: &str = r##"version: 1
support: "#platform-support"
ledger: { url: "https://dev.azure.com/acme/forge/_git/ledger", branch: main }
azure_devops: { organization: acme, project: forge }
environments:
  dev:
    account: "111111111111"
    region: ap-southeast-2
    role: "arn:aws:iam::111111111111:role/ConveyorDeployRole-dev"
    sync: auto
  qa:
    promotes_from: dev
    registry: { url: "https://registry.example" }
    sync: auto
    stage: QA
  prod:
    promotes_from: qa
    account: "333333333333"
    region: ap-southeast-2
    sync: manual
    stage: Prod
    approval:
      required: 1
      group: "6f1c2b9e-7a54-4d0b-9c3f-2f8e5d1a7b60"
      max_age: 24h
apps:
  web:
    repository: forge/web
    build_definition: 57
    release_definition: 12
    branches: [refs/heads/main]
    ledger:
      manifest: "apps/web/{env}/values.yaml"
      key: image.tag
policy:
  require: []
"##;

/// A replacement in the good file, and the line and message of the error that it makes.
const BAD: &[(&str, &str, usize, &str)] = &[
    ("version: 1", "version: 2", 1, "version 2 is not known to this Conveyor"),
    (
        "  max_age",
        "  max_ages",
        25,
        "environments.prod.approval: unknown field `max_ages`, expected one of `required`, `group`, `max_age`",
    ),
    (
        "require: []",
        "requires: []",
        36,
        "policy: unknown field `requires`, expected one of `rules`, `require`, `close_emergency_within`",
    ),
    ("promotes_from: dev", "promotes_from: develop", 12, "there is no environment develop"),
    ("  dev:\n", "  dev:\n    promotes_from: prod\n", 5, "no environment is the first: each promotes from another"),
    ("promotes_from: dev", "promotes_from: qa", 12, "`promotes_from` goes in a circle: qa"),
    (
        "      group: \"6f1c2b9e-7a54-4d0b-9c3f-2f8e5d1a7b60\"\n",
        "",
        22,
        "approval is required but no group is named that could give it",
    ),
    (
        "group: \"6f1c2b9e-7a54-4d0b-9c3f-2f8e5d1a7b60\"",
        "group: Release Managers",
        24,
        "approval is required but no group is named that could give it",
    ),
    ("required: 1", "required: 0", 20, "prod is synced by hand but nobody must approve"),
    ("    stage: Prod\n", "", 16, "prod needs approval but names no stage of the release"),
    (
        "azure_devops: { organization: acme, project: forge }\n",
        "",
        22,
        "prod needs approval but no Azure DevOps is named that could tell",
    ),
    ("account: \"111111111111\"", "account: \"1111\"", 7, "\"1111\" is not an AWS account"),
    ("iam::111111111111", "iam::222222222222", 9, "the role is not one of account 111111111111"),
    (
        "arn:aws:iam::111111111111:role/ConveyorDeployRole-dev",
        "ConveyorDeployRole-dev",
        9,
        "the role is not one of account 111111111111",
    ),
    ("    region: ap-southeast-2\n    role", "    role", 6, "dev has no registry"),
    ("region: ap-southeast-2\n    role", "region: ap southeast\n    role", 8, "\"ap southeast\" is not an AWS region"),
    ("https://registry.example", "http://registry.example", 13, "\"http://registry.example\" is not a server's URL"),
    (
        "https://registry.example",
        "https://registry.example/forge",
        13,
        "\"https://registry.example/forge\" is not a registry's URL",
    ),
    (
        "https://registry.example",
        "https://ci:secret@registry.example",
        13,
        "\"https://*********@registry.example\" is not a server's URL",
    ),
    ("https://registry.example", "registry.example", 13, "\"registry.example\" is not a server's URL"),
    (
        "registry: { url: \"https://registry.example\"",
        "account: \"222222222222\"\n    registry: { url: \"https://111111111111.dkr.ecr.ap-southeast-2.amazonaws.com\"",
        14,
        "the registry is account 111111111111's, not account 222222222222's",
    ),
    (
        "registry: { url: \"https://registry.example\"",
        "account: \"222222222222\"\n    registry: { url: \"https://111111111111.dkr-ecr.ap-southeast-2.on.aws\"",
        14,
        "the registry is account 111111111111's, not account 222222222222's",
    ),
    (
        "https://registry.example\"",
        "https://registry.example\", mutable_tags: fine",
        13,
        "environments.qa.registry.mutable_tags: unknown variant `fine`, expected `detect-only`",
    ),
    ("max_age: 24h", "max_age: a day", 25, "\"a day\" is not a length of time"),
    ("max_age: 24h", "max_age: -24h", 25, "\"-24h\" is not a length of time"),
    ("max_age: 24h", "max_age: 0s", 25, "\"0s\" is not a length of time"),
    ("apps/web/{env}/", "apps/web/", 33, "all environments would share one manifest"),
    ("apps/web/{env}/", "../{env}/", 33, "\"../dev/values.yaml\" is not a path in the Ledger"),
    ("apps/web/{env}/", "/apps/{env}/", 33, "\"/apps/dev/values.yaml\" is not a path in the Ledger"),
    ("key: image.tag", "key: images[0].tag", 34, "\"images[0].tag\" is not a key path"),
    ("    build_definition: 57\n", "", 27, "web goes to prod, which is protected, but has no `build_definition`"),
    ("    release_definition: 12\n", "", 27, "web goes to prod, which is protected, but has no `release_definition`"),
    ("    branches: [refs/heads/main]\n", "", 27, "web names no branch whose builds may be moved"),
    ("refs/heads/main", "main", 31, "\"main\" is not a branch's full name"),
    ("branch: main", "branch: \"-main\"", 3, "\"-main\" is not a branch"),
    (
        "https://dev.azure.com/acme",
        "https://me:secret@dev.azure.com/acme",
        3,
        "\"https://*********@dev.azure.com/acme/forge/_git/ledger\" is not a Ledger URL",
    ),
    (
        "project: forge }",
        "project: forge, url: \"http://azure.example\" }",
        4,
        "\"http://azure.example\" is not a server's URL",
    ),
    (
        "sync: manual",
        "sync: manually",
        20,
        "environments.prod.sync: unknown variant `manually`, expected `auto` or `manual`",
    ),
    ("  web:", "  Web:", 27, "\"Web\" is not an app"),
    ("    repository: forge/web\n", "", 27, "apps.web: missing field `repository`"),
    ("repository: forge/web", "repository: Forge/Web", 28, "\"Forge/Web\" is not a repository"),
    ("support: \"#platform-support\"", "support: #platform-support", 2, "nobody is named for support"),
    (
        "    stage: Prod\n",
        "   stage: Prod\n",
        21,
        "did not find expected key, while parsing a block mapping at line 6 column 3",
    ),
    ("environments:\n", "environments: []\nothers:\n", 5, "environments: invalid type: sequence, expected a mapping"),
    ("apps:\n", "applications:\n", 36, "missing field `apps`"),
    ("require: []", "require: [Sunny Day]", 36, "\"Sunny Day\" is not a rule's id"),
    ("require: []", "rules: ../policy", 36, "\"../policy\" is not a path in the Ledger"),
    ("    sync: auto\n  qa", "  qa", 6, "environments.dev: missing field `sync`"),
    (
        "    approval:",
        "    approvals:",
        22,
        "environments.prod: unknown field `approvals`, expected one of `promotes_from`, `account`, `region`, `role`, \
         `pull_role`, `registry`, `sync`, `stage`, `approval`",
    ),
    (
        "account: \"333333333333\"",
        "account: \"111111111111\"",
        18,
        "dev and prod share the registry 111111111111.dkr.ecr.ap-southeast-2.amazonaws.com",
    ),
    (
        "registry: { url: \"https://registry.example\"",
        "account: \"111111111111\"\n    region: ap-southeast-2\n    \
         registry: { url: \"https://111111111111.dkr.ecr.ap-southeast-2.amazonaws.com:443\"",
        15,
        "dev and qa share the registry 111111111111.dkr.ecr.ap-southeast-2.amazonaws.com",
    ),
    (
        "apps/web/{env}/values.yaml",
        "records/{env}/web.json",
        33,
        "records/dev/web.json is in records, which is Conveyor's own",
    ),
    ("apps/web/{env}/values.yaml", "policy/{env}.yaml", 33, "policy/dev.yaml is in policy, which is Conveyor's own"),
    (
        "require: []",
        "rules: apps/web/prod/",
        33,
        "apps/web/prod/values.yaml is in apps/web/prod, which is Conveyor's own",
    ),
    ("require: []", "rules: records/policy", 36, "records/policy is in records, which is Conveyor's own"),
    ("require: []", "rules: conveyor.yaml", 36, "conveyor.yaml is Conveyor's own"),
    ("sync: manual", "sync: manual\n    sync: auto", 21, "environments.prod: duplicate field `sync`"),
    (
        "apps:\n",
        "  dev: { account: \"444444444444\", region: ap-southeast-2, sync: auto }\napps:\n",
        26,
        "environments: duplicate field `dev`",
    ),
    ("support: \"#platform-support\"", "support: support\nsupport: us", 3, "duplicate field `support`"),
    ("version: 1", "version: 1\nfuture: { a: 1 }\nfuture: {}", 3, "duplicate field `future`"),
    ("      key: image.tag", "      key: image.tag\n      key: tag", 35, "apps.web.ledger: duplicate field `key`"),
    ("version: 1", "version: one", 1, "version: invalid type: string \"one\", expected a whole number from 0 on"),
    (
        "required: 1",
        "required: -1",
        23,
        "environments.prod.approval.required: invalid type: integer `-1`, expected a whole number from 0 on",
    ),
    ("version: 1", "---\n[]\n---\nversion: 1", 3, "conveyor.yaml has more than one document"),
];

/// The good file with one app more, in front of the others by its name but behind them in the file.
fn with_api(repository: &str, manifest: &str, key: &str) -> String {
    let app = format!(
        "  api:
    repository: {repository}
    build_definition: 58
    release_definition: 13
    branches: [refs/heads/main]
    ledger:
      manifest: \"{manifest}\"
      key: {key}
"
    );
    with("policy:\n", &(app + "policy:\n"))
}

pub(crate) fn bad(text: &str) -> ConfigError {
    Config::parse(text.as_bytes()).expect_err(text)
}

/// The good file with something else in the one place where it says `from`.
pub(crate) fn with(from: &str, to: &str) -> String {
    assert_eq!(GOOD.matches(from).count(), 1, "{from}");
    GOOD.replacen(from, to, 1)
}

#[test]
fn each_mistake_is_shown_on_its_line() {
    Config::parse(GOOD.as_bytes()).unwrap();
    for (from, to, line, message) in BAD {
        let text = with(from, to);
        let error = bad(&text);
        assert_eq!((error.line(), &*error.message), (*line, *message), "{from} -> {to}");
        let shown = error.to_string();
        let marked = text.lines().nth(line - 1).unwrap().split("://").next().unwrap();
        assert!(shown.contains(marked) && shown.contains('^'), "{shown}");
        assert!(!error.help.is_empty() && shown.contains(&format!("= help: {}", error.help)), "{shown}");
        assert!(!shown.contains("secret"), "{shown}");
    }
}

#[test]
fn what_serde_refuses_comes_with_what_to_write() {
    let helps = [
        (
            "ledger: { url: \"https://dev.azure.com/acme/forge/_git/ledger\", branch: main }\n",
            "",
            "add `ledger: { url: \"https://HOST/PATH\", branch: main }`, on a line of its own",
        ),
        (", branch: main", "", "add `branch: main`"),
        ("    sync: manual\n", "", "add `sync: auto` or `sync: manual`"),
        ("sync: manual", "sync: [manual]", "write `sync: auto` or `sync: manual`"),
        ("sync: manual", "sync: manual\n    sync: auto", "keep one of the two"),
        ("branches: [refs/heads/main]", "branches: refs/heads/main", "write `branches: [refs/heads/main]`"),
        ("branches: [refs/heads/main]", "branches: [{}]", "write `branches: [refs/heads/main]`"),
        ("    approval:\n", "    approval: 1\n    approvals:\n", "write `approval: { required: 1, group: \"GUID\" }`"),
        ("    approval:\n", "    approvals:\n", "write one of these, or take it out"),
        (
            "https://registry.example\"",
            "https://registry.example\", mutable_tags: yes",
            "write `mutable_tags: detect-only`",
        ),
        ("require: []", "require: four-eyes", "write `require: [RULE]`"),
        ("require: []", "require: [", "correct this line; conveyor.schema.json describes the file"),
    ];
    for (from, to, help) in helps {
        let error = bad(&with(from, to));
        assert_eq!(error.help, help, "{error}");
        assert!(!error.message.contains("struct"), "{error}");
    }
    let nothing = bad("[]");
    assert_eq!(nothing.message, "invalid type: sequence, expected a mapping");
    assert_eq!(nothing.help, "write `version: 1`, then `support`, `ledger`, `environments` and `apps`");
}

#[test]
fn two_apps_do_not_share_what_is_one_s_own() {
    Config::parse(with_api("forge/api", "apps/api/{env}/values.yaml", "image.tag").as_bytes()).unwrap();
    Config::parse(with_api("forge/api", "apps/web/{env}/values.yaml", "api.tag").as_bytes()).unwrap();
    let one = [
        ("forge/web", "apps/api/{env}/values.yaml", 36, "web and api share the repository forge/web"),
        ("forge/api", "apps/web/{env}/values.yaml", 41, "web and api share image.tag of apps/web/dev/values.yaml"),
    ];
    for (repository, manifest, line, message) in one {
        let error = bad(&with_api(repository, manifest, "image.tag"));
        assert_eq!((error.line(), &*error.message), (line, message));
    }
    // One app's manifest in one environment is the other's in another.
    let crossed =
        with_api("forge/api", "at/{env}/qa", "image.tag").replacen("apps/web/{env}/values.yaml", "at/dev/{env}", 1);
    assert_eq!(bad(&crossed).message, "web and api share image.tag of at/dev/qa");
}

#[test]
fn an_error_is_a_sentence_a_picture_and_what_to_write() {
    assert_eq!(
        bad(&with("promotes_from: dev", "promotes_from: develop")).to_string(),
        "\
there is no environment develop
  --> conveyor.yaml:12:20
   |
12 |     promotes_from: develop
   |                    ^^^^^^^
   |
   = help: write one of dev, prod, qa"
    );
    assert_eq!(
        bad(&with("      group: \"6f1c2b9e-7a54-4d0b-9c3f-2f8e5d1a7b60\"\n", "")).to_string(),
        "\
approval is required but no group is named that could give it
  --> conveyor.yaml:22:5
   |
22 |     approval:
   |     ^^^^^^^^
   |
   = help: write the group's GUID: `group: \"xxxxxxxx-xxxx-…\"`"
    );
    assert_eq!(
        bad(&with("apps/web/{env}/", "../{env}/")).to_string(),
        "\
\"../dev/values.yaml\" is not a path in the Ledger
  --> conveyor.yaml:33:17
   |
33 |       manifest: \"../{env}/values.yaml\"
   |                 ^^^^^^^^^^^^^^^^^^^^^^
   |
   = help: write segments of letters, digits, . _ - joined by /, no . or .. or .git among them"
    );
    assert_eq!(
        bad(&with("https://registry.example", "https://ci:hunter2@registry.example")).to_string(),
        "\
\"https://**********@registry.example\" is not a server's URL
  --> conveyor.yaml:13:22
   |
13 |     registry: { url: \"https://**********@registry.example\" }
   |                      ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
   |
   = help: write https://HOST[:PORT], without user, query or fragment; http only on loopback"
    );
}

#[test]
fn what_is_no_text_or_too_much_of_it_is_refused() {
    let mut latin_1 = GOOD.as_bytes().to_vec();
    let acme = GOOD.find("acme, project").unwrap();
    latin_1[acme + 3] = 0xe9;
    let error = Config::parse(&latin_1).unwrap_err();
    assert_eq!(
        (error.line(), &*error.message, &*error.help),
        (4, "the byte 0xE9 is no UTF-8", "save the file as UTF-8")
    );
    assert!(error.to_string().contains("{ organization: acm\u{fffd}, project"), "{error}");
    let error = Config::parse(&[GOOD.as_bytes(), &[b'#'; 1 << 20]].concat()).unwrap_err();
    assert_eq!(error.message, format!("conveyor.yaml has {} bytes", GOOD.len() + (1 << 20)));
    let just_fits = [GOOD.as_bytes(), b"#", &vec![b'x'; (1 << 20) - GOOD.len() - 1]].concat();
    assert!(Config::parse(&just_fits).is_ok());
    let doubled = |level: u32| format!("a{level}: &a{level} [*a{0}, *a{0}]\n", level - 1);
    let aliases: String = (1..30).map(doubled).collect();
    read(format!("a0: &a0 [x]\n{aliases}{GOOD}").as_bytes());
    for empty in ["", "\n", "# nothing\n", "---\n", "[]", "null", "version: 1"] {
        bad(empty);
    }
}

#[test]
fn an_unknown_key_is_a_warning_where_nobody_is_protected_by_it() {
    let text = with("    branches: [refs/heads/main]", "    branches: [refs/heads/main]\n    colour: blue")
        .replacen("version: 1", "version: 1\nfuture: { a: 1 }", 1)
        .replacen("key: image.tag", "key: image.tag\n      path: x", 1);
    let config = Config::parse(text.as_bytes()).unwrap();
    assert_eq!(config.unknown_keys, ["future", "apps.web.colour", "apps.web.ledger.path"]);
    assert!(Config::parse(GOOD.as_bytes()).unwrap().unknown_keys.is_empty());
}

/// A file with everything in it that the design has.
const WHOLE: &str = r##"# yaml-language-server: $schema=./conveyor.schema.json
version: 1
support: "#platform-support"
ledger: { url: "https://dev.azure.com/acme/forge/_git/ledger", branch: main }
azure_devops: { organization: acme, project: forge }      # url: for another server
argocd: { server: "https://argocd.acme.example" }
environments:
  dev:         { account: "111111111111", region: ap-southeast-2, role: "arn:aws:iam::111111111111:role/ConveyorDeployRole-dev", sync: auto }
  qa:          { promotes_from: dev, account: "222222222222", region: ap-southeast-2, role: "arn:aws:iam::222222222222:role/ConveyorDeployRole-qa",
                 sync: auto, stage: QA, approval: { required: 0 } }
  prod-wealth: { promotes_from: qa, account: "333333333333", region: ap-southeast-2, role: "arn:aws:iam::333333333333:role/ConveyorDeployRole-prod",
                 sync: manual, stage: Prod-Wealth,
                 approval: { required: 1, group: "6F1C2B9E-7A54-4D0B-9C3F-2F8E5D1A7B60", max_age: 24h } }
apps:
  payments-api: { repository: forge/payments-api, build_definition: 57, release_definition: 12, branches: [refs/heads/main],
                  ledger: { manifest: "apps/payments-api/{env}/values.yaml", key: image.tag, argocd: "payments-api-{env}" } }
  dagster:      { repository: forge/dagster, build_definition: 61, release_definition: 14, branches: [refs/heads/main],
                  ec2: { target: { "forge:dagster-enabled": "true" }, directory: /opt/forge/dagster, compose: "apps/dagster/{env}/docker-compose.yml", hosts: 1 } }
policy: { rules: policy/, require: [], close_emergency_within: 72h }
# endpoints: { sts, ecr, ssm }   token_hosts: []   signers: [{ keyid, public_key, environments }]
"##;

#[test]
fn a_whole_file_says_what_it_says() {
    let config = Config::parse(WHOLE.as_bytes()).unwrap();
    assert_eq!(config.unknown_keys, [""; 0]);
    assert_eq!(config.support, "#platform-support");
    assert_eq!(config.ledger.branch.to_string(), "refs/heads/main");
    assert_eq!((config.policy.rules.as_str(), config.policy.explicit), ("policy", true));
    let (qa, prod) = (&config.environments[&word("qa")], &config.environments[&word("prod-wealth")]);
    assert_eq!(qa.registry.to_string(), "222222222222.dkr.ecr.ap-southeast-2.amazonaws.com");
    assert_eq!((qa.promotes_from.clone(), qa.sync, qa.approval.required), (Some(word("dev")), Sync::Auto, 0));
    assert_eq!((prod.sync, prod.stage.as_deref(), prod.approval.required), (Sync::Manual, Some("Prod-Wealth"), 1));
    assert_eq!(prod.approval.group.as_deref(), Some("6f1c2b9e-7a54-4d0b-9c3f-2f8e5d1a7b60"));
    assert_eq!(prod.approval.max_age.as_secs(), 24 * 60 * 60);
    assert!(config.environments.values().all(|environment| !environment.mutable_tags_accepted));
    let app = &config.apps[&word("payments-api")];
    let place = app.place.as_ref().unwrap();
    assert_eq!(place.manifest(&word("qa")).unwrap().as_str(), "apps/payments-api/qa/values.yaml");
    assert_eq!(place.manifest(&word("staging")), None);
    assert_eq!((app.build_definition, app.release_definition), (Some(57), Some(12)));
    assert!(config.apps[&word("dagster")].place.is_none());
}

#[test]
fn what_need_not_be_said() {
    let text = "\
version: 1
support: us
ledger: { url: \"file:///srv/ledger.git\", branch: main }
environments:
  dev: { registry: { url: \"http://127.0.0.1:5000\", mutable_tags: detect-only }, sync: auto }
  qa: { promotes_from: dev, account: 011111111111, region: cn-north-1, sync: auto }
apps: {}
";
    let config = Config::parse(text.as_bytes()).unwrap();
    let [dev, qa] = ["dev", "qa"].map(|name| &config.environments[&word(name)]);
    assert_eq!(dev.registry.to_string(), "127.0.0.1:5000");
    assert!(dev.mutable_tags_accepted && !qa.mutable_tags_accepted);
    assert_eq!(qa.registry.to_string(), "011111111111.dkr.ecr.cn-north-1.amazonaws.com.cn", "a zero in front stays");
    assert_eq!((qa.sync, qa.approval.required), (Sync::Auto, 0));
    assert!(config.azure_devops.is_none() && config.policy.require.is_empty());
    assert_eq!((config.policy.rules.as_str(), config.policy.explicit), ("policy", false));
}

#[test]
fn the_schema_in_the_repository_is_up_to_date() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../schemas/conveyor.schema.json");
    let schema = serde_json::to_string_pretty(&Config::schema()).unwrap() + "\n";
    if std::env::var_os("UPDATE_SCHEMAS").is_some() {
        std::fs::write(path, &schema).unwrap();
    }
    let kept = std::fs::read_to_string(path).unwrap_or_default();
    assert!(kept == schema, "conveyor.schema.json is out of date: run the tests with UPDATE_SCHEMAS=1");
}
