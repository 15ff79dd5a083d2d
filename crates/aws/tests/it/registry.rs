//! The registry's contract, kept on registries that admit ECR's token.

use aws::{Access, Ecr, EcrPlace};
use guarded_http::{Client, Credentials, Origin};
use registry_copy::{InMemory, Registry, RegistryError, TagRule, conformance};
use release::Repository;
use sandbox::{RegistryOptions, RegistryServer};

use crate::{
    alone::{KEYS, alone},
    docker_registry::{Admits, DockerRegistry},
    fake::{Fake, refused, token},
    fixture::{ROLE, identity, limits, place, repository, tag},
};

const PASSWORD: &str = "111111111111-auth-token";

/// `AWS` with that password (bcrypt).
const USERS: &str = "AWS:$2b$05$abcdefghijklmnopqrstuuFTJx5cvYYvTSWk1mqfXs32Nf6n6jgGe\n";

fn base() -> Repository {
    "forge/base".parse().unwrap()
}

/// A docker-registry that admits ECR's token.
pub(crate) async fn docker_registry() -> DockerRegistry {
    DockerRegistry::start(Admits::Users(USERS)).await
}

/// ECR whose registry is this one, and the servers that speak for AWS.
async fn in_front_of(authority: &str) -> (Ecr, Fake) {
    let authority = authority.parse().unwrap();
    let fake = Fake::start().await;
    fake.always("GetAuthorizationToken", token(PASSWORD, 4_102_444_800));
    let password = Credentials::Basic { user: "AWS".to_owned(), password: PASSWORD.into() };
    fake.has_layers_of(Client::new(Origin::for_registry(&authority), &password, limits()).unwrap());
    let place = EcrPlace { authority, ..place(&fake) };
    (Ecr::new(identity(&fake, Some(ROLE)), place, Access::Write, limits()).unwrap(), fake)
}

#[test]
fn docker_registry_with_ecrs_token_keeps_the_contract() {
    alone(&KEYS, async || {
        let server = docker_registry().await;
        let (ecr, fake) = in_front_of(&server.address.to_string()).await;
        conformance::check(&ecr, &repository()).await;
        conformance::check_mount(&ecr, &repository(), &base()).await;
        assert_eq!(fake.seen("AssumeRole").len(), 3, "two repositories, and one from which the other mounts");
        assert!(!fake.seen("BatchCheckLayerAvailability").is_empty());
    });
}

#[test]
fn a_registry_with_ecrs_manners_keeps_the_contract() {
    alone(&KEYS, async || {
        let memory = InMemory::new();
        for repository in [repository(), base()] {
            memory.create(&repository, TagRule::Immutable);
        }
        let options = RegistryOptions { mounts: true, ..RegistryOptions::ecr(PASSWORD) };
        let server = RegistryServer::start(memory, options).await.unwrap();
        let (ecr, fake) = in_front_of(&server.authority()).await;
        conformance::check(&ecr, &repository()).await;
        conformance::check_immutable(&ecr, &repository()).await;
        conformance::check_referrers(&ecr, &repository()).await;
        conformance::check_mount(&ecr, &repository(), &base()).await;

        assert_eq!(ecr.resolve(&repository(), &tag()).await.unwrap(), None);
        let tokens = fake.seen("GetAuthorizationToken").len();
        assert_eq!(tokens, 3, "one for each session");
        server.replace_token("another");
        fake.always("GetAuthorizationToken", token("another", 4_102_444_800));
        assert_eq!(ecr.resolve(&repository(), &tag()).await.unwrap(), None);
        assert_eq!(fake.seen("GetAuthorizationToken").len(), tokens + 1);
    });
}

#[test]
fn a_push_into_a_repository_that_is_not_there_is_told_before_a_byte_moves() {
    alone(&KEYS, async || {
        let server = RegistryServer::start(InMemory::new(), RegistryOptions::ecr(PASSWORD)).await.unwrap();
        let (ecr, fake) = in_front_of(&server.authority()).await;
        fake.always("DescribeImages", refused(400, "RepositoryNotFoundException", "none"));
        let error = ecr.resolve(&repository(), &tag()).await.unwrap_err();
        assert!(matches!(error, RegistryError::NoRepository { .. }), "{error:?}");
    });
}
