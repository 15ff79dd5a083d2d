//! Who may depend on whom. ARCHITECTURE.md draws this table; here it is checked.

use super::Finding;
use super::manifest::{Manifest, line_of};
use super::metadata::{Member, Metadata};

struct Row {
    name: &'static str,
    role: Role,
    may_use: MayUse,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Role {
    /// Knows no adapter, not even in its tests.
    Core,
    /// Reaches users: a binary, or what one is made of.
    Shipped,
    /// Builds, shows and tests; no user gets it.
    Workbench,
}

/// Crates of this project.
enum MayUse {
    Only(&'static [&'static str]),
    Anything,
}

const TABLE: [Row; 13] = [
    row("release", Role::Core, &[]),
    row("guarded-http", Role::Shipped, &["release"]),
    row("registry-copy", Role::Core, &["release", "guarded-http"]),
    row("ledger", Role::Core, &["release", "guarded-http"]),
    row("policy", Role::Core, &["release"]),
    row("record", Role::Core, &["release", "policy"]),
    row("aws", Role::Shipped, &["release", "guarded-http", "registry-copy"]),
    row("azure-devops", Role::Shipped, &["release", "guarded-http", "ledger", "policy"]),
    row(
        "conveyor",
        Role::Shipped,
        &["release", "guarded-http", "registry-copy", "ledger", "policy", "record", "aws", "azure-devops"],
    ),
    row("cli", Role::Shipped, &["conveyor"]),
    row("bins", Role::Shipped, &["cli"]),
    row("sandbox", Role::Workbench, &["release", "registry-copy", "ledger", "azure-devops"]),
    row("xtask", Role::Workbench, &["release", "sandbox"]),
];

/// The scenarios go across all crates.
const TESTS: Row = Row { name: "tests", role: Role::Workbench, may_use: MayUse::Anything };

const fn row(name: &'static str, role: Role, may_use: &'static [&'static str]) -> Row {
    Row { name, role, may_use: MayUse::Only(may_use) }
}

fn rows() -> impl Iterator<Item = &'static Row> {
    TABLE.iter().chain([&TESTS])
}

fn find(name: &str) -> Option<&'static Row> {
    rows().find(|row| row.name == name)
}

fn has_role(name: &str, role: Role) -> bool {
    find(name).is_some_and(|row| row.role == role)
}

impl Row {
    fn may_use(&self, name: &str) -> bool {
        match self.may_use {
            MayUse::Only(names) => names.contains(&name),
            MayUse::Anything => true,
        }
    }
}

pub(super) fn check(metadata: &Metadata, manifests: &[Manifest]) -> Vec<Finding> {
    let mut findings = without_crate(metadata);
    for member in metadata.members() {
        let Some(row) = find(&member.package.name) else {
            findings.push(without_row(&member));
            continue;
        };
        findings.extend(direct(row, &member, manifests));
        findings.extend(transitive(row, &member, metadata));
    }
    findings
}

fn without_row(member: &Member<'_>) -> Finding {
    let name = &member.package.name;
    let message = format!("crate `{name}` has no row in the table of dependencies: add one to {}", file!());
    Finding { file: member.manifest(), line: 1, message }
}

fn without_crate(metadata: &Metadata) -> Vec<Finding> {
    let gone = rows().filter(|row| metadata.members().all(|member| member.package.name != row.name));
    gone.map(|row| {
        let message =
            format!("the table of dependencies has a row for `{}`, and no crate is named so: remove it", row.name);
        Finding { file: file!().to_owned(), line: 1, message }
    })
    .collect()
}

fn direct(row: &Row, member: &Member<'_>, manifests: &[Manifest]) -> Vec<Finding> {
    let ours = member.package.dependencies.iter().filter(|dependency| dependency.is_ours());
    let broken = ours.filter_map(|dependency| {
        let (name, used) = (row.name, dependency.key());
        let message = if !dependency.is_dev() {
            (!row.may_use(used)).then(|| {
                format!(
                    "`{name}` may not use `{used}`: move the code, or change the table in {} with a reason",
                    file!()
                )
            })
        } else {
            let allowed = row.role != Role::Core || has_role(used, Role::Core) || row.may_use(used);
            (!allowed).then(|| {
                format!("the core `{name}` may not use `{used}` in its tests either: put the test into tests/")
            })
        }?;
        let line = line_of(manifests, member, dependency.table(), used);
        Some(Finding { file: member.manifest(), line, message })
    });
    broken.collect()
}

fn transitive(row: &Row, member: &Member<'_>, metadata: &Metadata) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut forbid = |wanted: fn(&str) -> bool, what: &str| {
        if let Some(chain) = metadata.chain(member.package, wanted) {
            let message = format!("`{}` {what}: {}", row.name, chain.join(" -> "));
            findings.push(Finding { file: member.manifest(), line: 1, message });
        }
    };
    if row.role == Role::Core {
        forbid(is_of_aws, "is a core, so it must not be built with an AWS crate; cut this chain");
    }
    if row.role != Role::Workbench {
        forbid(
            |name| has_role(name, Role::Workbench),
            "is shipped, so it must not be built with what only builds and tests; cut this chain",
        );
    }
    findings
}

/// aws-lc is a cryptography library: rustls uses it, and it reaches no service.
fn is_of_aws(name: &str) -> bool {
    name.starts_with("aws-") && !name.starts_with("aws-lc-")
}

#[cfg(test)]
mod tests {
    use super::super::File;
    use super::super::metadata::example;
    use super::*;

    /// All crates that the table has, with one's dependencies as given.
    fn findings(name: &str, dependencies: &[&str]) -> Vec<Finding> {
        let crates: Vec<(&str, &[&str])> =
            rows().map(|row| (row.name, if row.name == name { dependencies } else { &[] })).collect();
        let text = format!("[dependencies]\n{}.workspace = true\n", dependencies.first().unwrap_or(&"none"));
        let file = File { path: format!("crates/{name}/Cargo.toml"), text };
        check(&example::workspace(&crates), &Manifest::all(&[file]))
    }

    fn only_message(findings: &[Finding]) -> String {
        let [finding] = findings else { panic!("one finding, not {findings:?}") };
        finding.to_string()
    }

    #[test]
    fn what_the_table_lists_is_fine() {
        for row in &TABLE {
            let MayUse::Only(names) = row.may_use else { continue };
            assert_eq!(findings(row.name, names), []);
        }
        assert_eq!(findings("tests", &["conveyor", "sandbox", "ledger"]), []);
    }

    #[test]
    fn a_crate_that_is_not_listed_is_found_with_its_line() {
        let message = only_message(&findings("policy", &["ledger"]));
        assert!(message.starts_with("crates/policy/Cargo.toml:2: `policy` may not use `ledger`"), "{message}");
    }

    #[test]
    fn tests_of_a_core_keep_to_cores_and_others_are_free() {
        let message = only_message(&findings("ledger", &["dev:azure-devops"]));
        assert!(message.contains("the core `ledger` may not use `azure-devops` in its tests"), "{message}");
        assert_eq!(findings("ledger", &["dev:policy", "dev:guarded-http"]), []);
        assert_eq!(findings("cli", &["dev:sandbox"]), []);
    }

    #[test]
    fn a_core_with_an_aws_crate_behind_is_found() {
        let message = only_message(&findings("registry-copy", &["aws-sdk-ecr"]));
        assert!(message.ends_with("cut this chain: registry-copy -> aws-sdk-ecr"), "{message}");
        assert_eq!(findings("registry-copy", &["aws-lc-rs"]), []);
        assert_eq!(findings("azure-devops", &["aws-config"]), []);
    }

    #[test]
    fn a_shipped_crate_with_the_workbench_behind_is_found() {
        let found = findings("bins", &["sandbox"]);
        assert!(found.iter().any(|finding| finding.message.ends_with("cut this chain: bins -> sandbox")), "{found:?}");
    }

    #[test]
    fn the_table_lists_what_exists_and_no_more() {
        let mut crates: Vec<(&str, &[&str])> = rows().map(|row| (row.name, &[][..])).collect();
        crates.push(("toy", &[]));
        let message = only_message(&check(&example::workspace(&crates), &[]));
        assert!(message.contains("crate `toy` has no row"), "{message}");

        crates.retain(|(name, _)| !["toy", "record"].contains(name));
        let message = only_message(&check(&example::workspace(&crates), &[]));
        assert!(message.contains("a row for `record`"), "{message}");
    }
}
