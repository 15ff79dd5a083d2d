//! conveyor.yaml: accounts, roles, and whose registry a host is.

use conveyor::{
    aws::Endpoints,
    config::{Config, EnvironmentConfig},
};

use crate::{
    config::{bad, with},
    world::word,
};

/// The line in the good file that names a plain registry.
const PLAIN: &str = "    registry: { url: \"https://registry.example\" }";
const ACCOUNT: &str = "    account: \"222222222222\"\n    region: ap-southeast-2\n";

/// The registry of `qa`, with its account, in place of the plain one.
fn qa(registry: &str) -> String {
    with(PLAIN, &format!("{ACCOUNT}    {registry}"))
}

fn environment(text: &str, name: &str) -> EnvironmentConfig {
    Config::parse(text.as_bytes()).unwrap().environments.remove(&word(name)).unwrap()
}

#[test]
fn an_ecr_is_derived_or_named_and_a_plain_registry_is_none() {
    let good = with("version: 1", "version: 1");
    assert!(environment(&good, "qa").aws.is_none());
    let dev = environment(&good, "dev");
    assert_eq!(dev.registry.to_string(), "111111111111.dkr.ecr.ap-southeast-2.amazonaws.com");
    let aws = dev.aws.unwrap();
    assert_eq!((aws.account.as_str(), aws.region.as_str()), ("111111111111", "ap-southeast-2"));
    assert_eq!(aws.role, Some("arn:aws:iam::111111111111:role/ConveyorDeployRole-dev".parse().unwrap()));
    assert_eq!((aws.pull_role, aws.endpoints), (None, Endpoints::default()));

    let plain = environment(&qa("registry: { url: \"https://registry.example\" }"), "qa");
    assert!(plain.aws.is_none(), "an account does not make a registry an ECR");
    for (url, ecr) in [
        ("https://vpce-1.example", ", ecr: true"),
        ("http://127.0.0.1:5000", ", ecr: true"),
        ("https://222222222222.dkr.ecr.ap-southeast-2.amazonaws.com", ""),
        ("https://222222222222.dkr-ecr.ap-southeast-2.on.aws", ", ecr: false"),
    ] {
        let named = environment(&qa(&format!("registry: {{ url: \"{url}\"{ecr} }}")), "qa");
        assert_eq!(named.registry.to_string(), url.split_once("://").unwrap().1, "{url}");
        assert_eq!(named.aws.unwrap().account.as_str(), "222222222222", "{url}");
    }
    let china = with("region: ap-southeast-2\n    role", "region: cn-north-1\n    role");
    assert_eq!(environment(&china, "dev").registry.to_string(), "111111111111.dkr.ecr.cn-north-1.amazonaws.com.cn");
}

#[test]
fn servers_and_the_role_to_read_with_are_the_environments() {
    let text = with("    role:", "    pull_role: \"arn:aws:iam::111111111111:role/read/pull\"\n    role:").replace(
        "version: 1",
        "version: 1\nendpoints: { sts: \"http://127.0.0.1:9/\", ecr: \"https://vpce.example\" }\n\
         token_hosts: [\"https://auth.example\", \"http://localhost:1\"]",
    );
    let dev = environment(&text, "dev");
    assert_eq!(
        dev.token_hosts.iter().map(ToString::to_string).collect::<Vec<_>>(),
        ["https://auth.example", "http://localhost:1"]
    );
    let aws = dev.aws.unwrap();
    assert_eq!(aws.pull_role, Some("arn:aws:iam::111111111111:role/read/pull".parse().unwrap()));
    assert_eq!(aws.endpoints.sts, Some("http://127.0.0.1:9/".parse().unwrap()));
    assert_eq!(aws.endpoints.ecr, Some("https://vpce.example".parse().unwrap()));
    assert_eq!(environment(&text, "qa").token_hosts.len(), 2);
    let future = with("version: 1", "version: 1\nendpoints: { ssm: \"https://vpce.example\", s3: 1 }");
    assert_eq!(Config::parse(future.as_bytes()).unwrap().unknown_keys, ["endpoints.s3"]);
}

#[test]
fn each_mistake_is_shown_on_its_line() {
    let qa_host = |host: &str| qa(&format!("registry: {{ url: \"https://{host}\" }}"));
    let dev_role = |role: &str| with("    role:", &format!("    pull_role: {role}\n    role:"));
    let root = |line: &str| with("version: 1", &format!("version: 1\n{line}"));
    for (text, line, message) in [
        (
            qa_host("222222222222.dkr.ecr.us-east-1.amazonaws.com"),
            15,
            "the registry is in us-east-1, not in ap-southeast-2",
        ),
        (
            qa_host("333333333333.dkr.ecr.ap-southeast-2.amazonaws.com"),
            15,
            "the registry is account 333333333333's, not account 222222222222's",
        ),
        (
            with("https://registry.example", "https://222222222222.dkr.ecr.ap-southeast-2.amazonaws.com"),
            13,
            "the registry of qa is an ECR, but whose is not said",
        ),
        (
            with("https://registry.example\"", "https://registry.example\", ecr: true"),
            13,
            "the registry of qa is an ECR, but whose is not said",
        ),
        (
            with("https://registry.example\"", "https://registry.example\", ecr: yes please"),
            13,
            "environments.qa.registry.ecr: invalid type: string \"yes please\", expected a boolean",
        ),
        (dev_role("\"arn:aws:iam::222222222222:role/pull\""), 9, "the pull_role is not one of account 111111111111"),
        (dev_role("pull"), 9, "the pull_role is not one of account 111111111111"),
        (
            qa(
                "pull_role: \"arn:aws:iam::222222222222:role/pull\"\n    registry: { url: \"https://registry.example\" }",
            ),
            15,
            "qa has a `pull_role`, but its registry is no ECR",
        ),
        (
            with("    registry: {", "    role: \"arn:aws:iam::222222222222:role/deploy\"\n    registry: {"),
            13,
            "qa has a `role`, but which account it is of is not said",
        ),
        (root("endpoints: { sts: \"http://sts.example\" }"), 2, "\"http://sts.example\" is not a server's URL"),
        (root("endpoints: { ecr: \"https://me@ecr.example\" }"), 2, "\"https://**@ecr.example\" is not a server's URL"),
        (root("token_hosts: [\"http://auth.example\"]"), 2, "\"http://auth.example\" is not a server's URL"),
        (root("token_hosts: [\"https://auth.example/token\"]"), 2, "\"https://auth.example/token\" is not a server"),
        (
            qa("registry: { url: \"https://vpce.example\", ecr: true }").replace("222222222222", "111111111111"),
            15,
            "dev and qa share the registry of account 111111111111 in ap-southeast-2",
        ),
    ] {
        let error = bad(&text);
        assert_eq!((error.line(), &*error.message), (line, message), "{error}");
        assert!(!error.help.is_empty() && error.to_string().contains('^'), "{error}");
    }
}
