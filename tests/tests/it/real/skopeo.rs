//! skopeo reads what we wrote, and we copy what skopeo pushed.

use std::fs;

use sandbox::release::Digest;
use serde_json::{Value, json};
use tests::{Agent, DockerRegistry, PASSWORD, USER};

use super::{downloaded, files, image, skopeo};

/// Two registries and a machine that has logged in to both.
async fn two() -> (DockerRegistry, DockerRegistry, Agent) {
    let (from, to) = (DockerRegistry::start().await, DockerRegistry::start().await);
    let agent = Agent::new(Some((USER, PASSWORD)), &[&from.authority(), &to.authority()]);
    (from, to, agent)
}

/// Pushes a layout in a format, copies it, and compares what skopeo finds at both ends. Returns the manifest.
async fn there_and_back(architectures: &[&str], format: &str) -> Value {
    let (from, to, agent) = two().await;
    let layout = agent.home().join("layout");
    image(7, architectures, &layout).await;
    let source = format!("{}/forge/app:1", from.authority());
    let destination = format!("{}/mirror/app:1", to.authority());
    let pushed = format!("oci:{}", layout.display());
    skopeo(&["copy", "--all", "--format", format, &pushed, &format!("docker://{source}")]);

    let ran = agent.run(&format!("copy-artifact {source} {destination} --output json")).await;
    assert_eq!(ran.code, 0, "{ran:?}");
    let raw = skopeo(&["inspect", "--raw", &format!("docker://{destination}")]);
    let document = ran.document();
    assert_eq!((&document["outcome"], &document["digest"]), (&json!("copied"), &json!(Digest::of(&raw))));
    assert_eq!(downloaded(&source), downloaded(&destination), "the same files, byte for byte");
    let again = agent.run(&format!("copy-artifact {source} {destination} --output json")).await;
    assert_eq!(again.document()["outcome"], "already-present");
    serde_json::from_slice(&raw).unwrap()
}

#[tokio::test]
async fn an_oci_image_that_skopeo_pushed() {
    let manifest = there_and_back(&["amd64"], "oci").await;
    assert_eq!(manifest["config"]["mediaType"], "application/vnd.oci.image.config.v1+json");
}

#[tokio::test]
async fn an_index_that_skopeo_pushed() {
    let index = there_and_back(&["amd64", "arm64"], "oci").await;
    assert_eq!(index["manifests"].as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn a_docker_schema_2_image_that_skopeo_pushed() {
    let manifest = there_and_back(&["amd64"], "v2s2").await;
    assert_eq!(manifest["mediaType"], "application/vnd.docker.distribution.manifest.v2+json");
}

#[tokio::test]
async fn a_docker_manifest_list_that_skopeo_pushed() {
    let list = there_and_back(&["amd64", "arm64"], "v2s2").await;
    assert_eq!(list["mediaType"], "application/vnd.docker.distribution.manifest.list.v2+json");
    assert_eq!(list["manifests"].as_array().unwrap().len(), 2);
}

/// Not what we say that we wrote, but the very files of the layout that was pushed at the start.
#[tokio::test]
async fn skopeo_reads_back_the_bytes_that_were_made() {
    let (from, to, agent) = two().await;
    let layout = agent.home().join("layout");
    let made = image(8, &["amd64", "arm64"], &layout).await;
    let source = format!("{}/forge/app:1", from.authority());
    let destination = format!("{}/mirror/app:1", to.authority());
    let pushed = format!("oci:{}", layout.display());
    skopeo(&["copy", "--all", "--preserve-digests", &pushed, &format!("docker://{source}")]);
    assert_eq!(agent.run(&format!("copy-artifact {source} {destination}")).await.code, 0);

    let read = agent.home().join("read");
    let into = format!("oci:{}:1", read.display());
    skopeo(&["copy", "--all", "--preserve-digests", &format!("docker://{destination}"), &into]);
    assert_eq!(files(&read.join("blobs/sha256")), files(&layout.join("blobs/sha256")));
    let index: Value = serde_json::from_slice(&fs::read(read.join("index.json")).unwrap()).unwrap();
    assert_eq!(index["manifests"][0]["digest"], made.image.to_string());
}
