//! Registries with TLS and passwords, at an address that is not loopback: there nothing is ever sent in the clear, nor
//! to whom the trusted authorities do not know.

use std::path::{Path, PathBuf};

use tests::{Agent, CertificateAuthority, Company, DockerRegistry, PASSWORD, Ran, USER, own_address};

use super::{downloaded, image, skopeo};

/// A machine that trusts one authority and has logged in to some registries.
struct Trusting {
    agent: Agent,
    trusted: PathBuf,
}

impl Trusting {
    fn new(authority: &CertificateAuthority, password: &str, registries: &[&DockerRegistry]) -> Self {
        let names: Vec<String> = registries.iter().map(|registry| registry.authority()).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let agent = Agent::new(Some((USER, password)), &names);
        let trusted = agent.home().join("trusted.pem");
        std::fs::write(&trusted, authority.pem()).unwrap();
        Self { agent, trusted }
    }

    async fn run(&self, line: &str) -> Ran {
        let mut command = self.agent.command(line);
        Company::end(command.env("SSL_CERT_FILE", &self.trusted).spawn().unwrap()).await
    }

    /// Pushes an image where a copy can begin.
    async fn push(&self, to: &str) {
        let layout: &Path = &self.agent.home().join("layout");
        image(9, &["amd64", "arm64"], layout).await;
        skopeo(&[
            "copy",
            "--all",
            "--preserve-digests",
            &format!("oci:{}", layout.display()),
            &format!("docker://{to}"),
        ]);
    }
}

#[tokio::test]
async fn between_two_that_the_authority_knows() {
    let authority = CertificateAuthority::new("Forge");
    let from = DockerRegistry::start_in_the_open(Some(&authority.issue(own_address()))).await;
    let to = DockerRegistry::start_in_the_open(Some(&authority.issue(own_address()))).await;
    let machine = Trusting::new(&authority, PASSWORD, &[&from, &to]);
    let source = format!("{}/forge/app:1", from.authority());
    let destination = format!("{}/mirror/app:1", to.authority());
    machine.push(&source).await;
    let ran = machine.run(&format!("copy-artifact {source} {destination} --output json")).await;
    assert_eq!(ran.code, 0, "{ran:?}");
    assert_eq!(ran.document()["outcome"], "copied");
    assert_eq!(downloaded(&source), downloaded(&destination));
}

#[tokio::test]
async fn one_whose_certificate_is_not_right_gets_nothing() {
    let (authority, other) = (CertificateAuthority::new("Forge"), CertificateAuthority::new("Mallory"));
    let from = DockerRegistry::start_in_the_open(Some(&authority.issue(own_address()))).await;
    for (what, certificate) in [
        ("of another authority", Some(other.issue(own_address()))),
        ("of another host", Some(authority.issue("192.0.2.7".parse().unwrap()))),
        ("no longer valid", Some(authority.issue_expired(own_address()))),
        ("none: it speaks plain HTTP", None),
    ] {
        let to = DockerRegistry::start_in_the_open(certificate.as_ref()).await;
        let machine = Trusting::new(&authority, PASSWORD, &[&from, &to]);
        let source = format!("{}/forge/app:1", from.authority());
        machine.push(&source).await;
        let destination = format!("{}/mirror/app:1", to.authority());
        let ran = machine.run(&format!("copy-artifact {source} {destination} --timeout 20s")).await;
        assert_eq!((ran.code, &*ran.stdout), (1, ""), "{what}: {ran:?}");
        for word in ["cannot be trusted to be itself", &to.authority()] {
            assert!(ran.stderr.contains(word), "{what}: no {word:?} in {}", ran.stderr);
        }
        assert!(to.requests().is_empty() && to.is_empty(), "{what}: {:?}", to.requests());
    }
}

#[tokio::test]
async fn a_source_whose_certificate_is_not_right_is_not_read() {
    let (authority, other) = (CertificateAuthority::new("Forge"), CertificateAuthority::new("Mallory"));
    let from = DockerRegistry::start_in_the_open(Some(&other.issue(own_address()))).await;
    let to = DockerRegistry::start_in_the_open(Some(&authority.issue(own_address()))).await;
    let machine = Trusting::new(&authority, PASSWORD, &[&from, &to]);
    let source = format!("{}/forge/app:1", from.authority());
    machine.push(&source).await;
    let before = from.requests();
    let line = format!("copy-artifact {source} {}/mirror/app:1 --timeout 20s", to.authority());
    let ran = machine.run(&line).await;
    assert_eq!(ran.code, 1, "{ran:?}");
    assert!(ran.stderr.contains("cannot be trusted") && ran.stderr.contains(&from.authority()), "{}", ran.stderr);
    assert_eq!((from.requests(), to.is_empty()), (before, true));
}

#[tokio::test]
async fn a_wrong_password_copies_nothing() {
    let authority = CertificateAuthority::new("Forge");
    let from = DockerRegistry::start_in_the_open(Some(&authority.issue(own_address()))).await;
    let to = DockerRegistry::start_in_the_open(Some(&authority.issue(own_address()))).await;
    let machine = Trusting::new(&authority, "open barley", &[&from, &to]);
    let source = format!("{}/forge/app:1", from.authority());
    machine.push(&source).await;
    let ran = machine.run(&format!("copy-artifact {source} {}/mirror/app:1", to.authority())).await;
    assert_eq!(ran.code, 1, "{ran:?}");
    assert!(
        ran.stderr.contains("does not accept the credentials") && ran.stderr.contains(&from.authority()),
        "{}",
        ran.stderr
    );
    assert!(!ran.stderr.contains("barley") && to.is_empty(), "{}", ran.stderr);
}
