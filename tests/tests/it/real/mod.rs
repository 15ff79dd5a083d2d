//! Registries, clients and an engine that others have written, at both ends of the real binary.

mod engine;
mod skopeo;
mod tls;

use std::{collections::BTreeMap, fs, path::Path, process::Command};

use sandbox::image::{self, ImageSpec, Made};
use tests::{PASSWORD, USER};

/// An image of some architectures, made into `directory`.
async fn image(seed: u64, architectures: &[&str], directory: &Path) -> Made {
    let architectures = architectures.iter().map(|&name| name.to_owned()).collect();
    let spec = ImageSpec { layers: vec![200_000, 30_000, 1], architectures, ..ImageSpec::of_seed(seed) };
    image::write(&spec, directory).await.unwrap()
}

/// Debian's skopeo, with the registries' user and password.
fn skopeo(arguments: &[&str]) -> Vec<u8> {
    let credentials = format!("{USER}:{PASSWORD}");
    let (command, rest) = arguments.split_first().unwrap();
    let sides: &[&str] = if *command == "copy" { &["src-", "dest-"] } else { &[""] };
    let mut all = vec!["--insecure-policy".to_owned(), (*command).to_owned()];
    for side in sides {
        all.extend([format!("--{side}creds"), credentials.clone(), format!("--{side}tls-verify=false")]);
    }
    let output = Command::new("skopeo").args(all).args(rest).output();
    let output = output.expect("skopeo is needed: apt-get install skopeo");
    assert!(output.status.success(), "skopeo {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    output.stdout
}

/// Everything that a reference names, byte for byte as skopeo downloads it: its files by name.
fn downloaded(reference: &str) -> BTreeMap<String, Vec<u8>> {
    let directory = tempfile::tempdir().unwrap();
    let to = format!("dir:{}", directory.path().display());
    skopeo(&["copy", "--all", "--preserve-digests", &format!("docker://{reference}"), &to]);
    files(directory.path())
}

fn files(directory: &Path) -> BTreeMap<String, Vec<u8>> {
    let entries = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path());
    let named = entries.map(|path| (path.file_name().unwrap().to_str().unwrap().to_owned(), fs::read(path).unwrap()));
    named.collect()
}
