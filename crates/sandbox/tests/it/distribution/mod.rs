//! The OCI distribution specification (1.1, without sha512) as cases: shapes of data, times what can be asked.
//!
//! They are put to the sandbox's registry, with plain manners and with ECR's, and to docker-registry, which tries the
//! cases themselves. What differs is listed, and the lists are exact.

mod blobs;
mod cases;
mod client;
mod manifests;
mod referrers;
mod refused;
mod shapes;
mod tags;
mod uploads;

use std::{collections::BTreeMap, fmt::Write as _, path::PathBuf};

use registry_copy::{InMemory, TagRule};
use sandbox::{RegistryOptions, RegistryServer};

use self::{cases::Cases, client::Target};
use crate::docker_registry::{Admits, DockerRegistry};

mod repository {
    pub(super) const BLOBS: &str = "conformance/blobs";
    pub(super) const ELSEWHERE: &str = "conformance/elsewhere";
    pub(super) const UPLOADS: &str = "conformance/uploads";
    pub(super) const MANIFESTS: &str = "conformance/manifests";
    pub(super) const REFERRERS: &str = "conformance/referrers";
    pub(super) const TAGS: &str = "conformance/tags";
    pub(super) const NAMES: &str = "conformance/names";
    pub(super) const ALL: [&str; 7] = [BLOBS, ELSEWHERE, UPLOADS, MANIFESTS, REFERRERS, TAGS, NAMES];
}

#[tokio::test]
async fn each_registry_answers_as_it_is_listed() {
    let (plain, ecr, docker) = tokio::join!(plain(), ecr(), docker());
    let [plain_differs, ecr_differs, docker_differs] = [&plain, &ecr, &docker].map(Cases::differences);
    assert!(plain_differs.is_empty(), "the plain registry is wrong:\n{}", plain_differs.join("\n"));
    assert!(plain.paths().eq(ecr.paths()), "ECR's manners were asked something else");
    assert!(plain.paths().eq(docker.paths()), "docker-registry was asked something else");
    compare("crates/sandbox/tests/it/distribution/ecr.txt", &ecr_differs);
    compare("crates/sandbox/tests/it/distribution/docker-registry.txt", &docker_differs);
    compare_text("docs/conformance.md", &document(&plain, [&ecr_differs, &docker_differs]));
}

async fn plain() -> Cases {
    let options = RegistryOptions { deletes: true, ..RegistryOptions::default() };
    let server = RegistryServer::start(memory(TagRule::Mutable), options).await.unwrap();
    ask(&Target::new(&server.url(), None)).await
}

async fn ecr() -> Cases {
    let server = RegistryServer::start(memory(TagRule::Immutable), RegistryOptions::ecr("token")).await.unwrap();
    ask(&Target::new(&server.url(), Some(("AWS", "token")))).await
}

async fn docker() -> Cases {
    let server = DockerRegistry::start(Admits::Everybody).await;
    ask(&Target::new(&format!("http://{}", server.address), None)).await
}

fn memory(rule: TagRule) -> InMemory {
    let memory = InMemory::new();
    repository::ALL.iter().for_each(|name| memory.create(&name.parse().unwrap(), rule));
    memory
}

async fn ask(target: &Target) -> Cases {
    let mut cases = Cases::default();
    blobs::run(target, &mut cases).await;
    uploads::run(target, &mut cases).await;
    manifests::run(target, &mut cases).await;
    referrers::run(target, &mut cases).await;
    tags::run(target, &mut cases).await;
    refused::run(target, &mut cases).await;
    cases
}

/// Holds the differences against a list, whose lines that begin with `#` say why.
fn compare(list: &str, differences: &[String]) {
    let text = std::fs::read_to_string(path(list)).unwrap_or_default();
    let why: String = text.lines().take_while(|line| line.starts_with('#')).map(|line| format!("{line}\n")).collect();
    compare_text(list, &format!("{why}{}\n", differences.join("\n")));
}

fn compare_text(file: &str, due: &str) {
    let path = path(file);
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(path, due).unwrap();
        return;
    }
    let text = std::fs::read_to_string(path).unwrap_or_default();
    let (is, due): (Vec<&str>, Vec<&str>) = (text.lines().collect(), due.lines().collect());
    let more: Vec<&&str> = due.iter().filter(|line| !is.contains(line)).collect();
    let fewer: Vec<&&str> = is.iter().filter(|line| !due.contains(line)).collect();
    assert!(is == due, "{file} is not what is so; UPDATE_DOCS=1 writes it anew.\nnew: {more:#?}\ngone: {fewer:#?}");
}

fn path(file: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../..").join(file)
}

fn document(cases: &Cases, lists: [&[String]; 2]) -> String {
    const COMMAND: &str = "UPDATE_DOCS=1 cargo test -p sandbox --test it distribution";
    let group = |path: &str| path.split('/').next().unwrap_or_default().to_owned();
    let mut rows: BTreeMap<String, [usize; 3]> = BTreeMap::new();
    cases.paths().for_each(|path| rows.entry(group(path)).or_default()[0] += 1);
    for (column, list) in lists.into_iter().enumerate() {
        list.iter().for_each(|line| rows.entry(group(line)).or_default()[column + 1] += 1);
    }
    let sum = |column: usize| rows.values().map(|row| row[column]).sum();
    rows.insert("all".to_owned(), [sum(0), sum(1), sum(2)]);
    let mut text = format!("{INTRODUCTION}\n{HEAD}\n");
    for (group, [cases, ecr, docker]) in
        rows.iter().filter(|(group, _)| *group != "all").chain(rows.get_key_value("all"))
    {
        writeln!(text, "| {group} | {cases} | 0 | {ecr} | {docker} |").unwrap();
    }
    format!(
        "{text}\nMade by `{COMMAND}`,\nwhich writes the two lists anew as well: read the difference before you commit it.\n"
    )
}

const INTRODUCTION: &str = "# Conformance of the sandbox's registry

The cases of the [OCI distribution specification](https://github.com/opencontainers/distribution-spec/blob/v1.1.1/spec.md),
version 1.1, are tests of our own (`crates/sandbox/tests/it/distribution`): shapes of blobs and of documents, times what can be
asked about them, over raw HTTP. sha512 is left out: Conveyor knows sha256 only.

They are put to the sandbox's registry with plain manners, which must fail none; to the same registry with ECR's manners; and to
Debian's docker-registry (distribution 2.8), an implementation that we did not write, so that it is seen whether the cases ask for
what registries do. What the last two answer otherwise is listed case by case, with the reasons, in `ecr.txt` and
`docker-registry.txt` beside the tests, and the lists are exact: a difference more fails the test, and so does one less.
";

const HEAD: &str = "| group | cases | differ: sandbox, plain | sandbox, ECR's manners | docker-registry |
| --- | --- | --- | --- | --- |";
