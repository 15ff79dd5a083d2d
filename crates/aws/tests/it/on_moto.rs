//! moto as STS and ECR: https://docs.getmoto.org.

use aws::{Access, AwsError, Ecr, EcrPlace, Endpoints, Identity};
use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_credential_types::{Credentials, provider::SharedCredentialsProvider};
use aws_sdk_ecr::types::{
    ImageTagMutability, ImageTagMutabilityExclusionFilter as Filter, ImageTagMutabilityExclusionFilterType as Type,
};
use registry_copy::{Descriptor, Registry, RegistryError, TagRule};
use release::{Digest, Repository};

use crate::{
    alone::{KEYS, alone},
    fixture::{aws_error, limits, tag},
    moto,
    registry::docker_registry,
};

const DEV: &str = "111111111111";
const PROD: &str = "222222222222";

fn in_moto(body: impl AsyncFnOnce()) {
    alone(&[&KEYS[..], &[moto::shared()]].concat(), body);
}

/// An account's registry, of which only AWS's part is there: moto has no other, and looks into the caller's account
/// whatever the request names.
fn ecr(account: &str) -> Ecr {
    with_registry(account, "127.0.0.1:9")
}

fn with_registry(account: &str, authority: &str) -> Ecr {
    let region: aws::Region = "ap-southeast-2".parse().unwrap();
    let identity = Identity {
        role: Some(format!("arn:aws:iam::{account}:role/Deploy").parse().unwrap()),
        account: account.parse().unwrap(),
        region: region.clone(),
        endpoints: Endpoints { sts: Some(moto::url()), ecr: Some(moto::url()) },
    };
    let authority = authority.parse().unwrap();
    Ecr::new(identity, EcrPlace { account: account.parse().unwrap(), region, authority }, Access::Write, limits())
        .unwrap()
}

/// An administrator of an account.
async fn admin(account: &str) -> aws_sdk_ecr::Client {
    let config = |credentials| {
        SdkConfig::builder()
            .behavior_version(BehaviorVersion::latest())
            .http_client(aws_smithy_http_client::Builder::new().build_http())
            .region(Region::new("ap-southeast-2"))
            .endpoint_url(moto::url())
            .credentials_provider(SharedCredentialsProvider::new(credentials))
            .build()
    };
    let sts = aws_sdk_sts::Client::new(&config(Credentials::new("AKIA", "secret", None, None, "test")));
    let role = format!("arn:aws:iam::{account}:role/Admin");
    let given = sts.assume_role().role_arn(role).role_session_name("admin").send().await.unwrap().credentials.unwrap();
    let (key, secret, token) = (given.access_key_id, given.secret_access_key, given.session_token);
    aws_sdk_ecr::Client::new(&config(Credentials::new(key, secret, Some(token), None, "test")))
}

async fn create(ecr: &aws_sdk_ecr::Client, name: &str, mutability: ImageTagMutability, exclude: &[&str]) -> Repository {
    let filters = exclude.iter().map(|f| Filter::builder().filter_type(Type::Wildcard).filter(*f).build().unwrap());
    let filters: Vec<Filter> = filters.collect();
    let call = ecr.create_repository().repository_name(name).image_tag_mutability(mutability);
    let filters = Some(filters).filter(|filters| !filters.is_empty());
    call.set_image_tag_mutability_exclusion_filters(filters).send().await.unwrap();
    name.parse().unwrap()
}

#[test]
fn each_account_has_its_own_repositories() {
    in_moto(async || {
        let only_prod = create(&admin(PROD).await, "forge/only-prod", ImageTagMutability::Immutable, &[]).await;
        let prod = ecr(PROD);
        assert_eq!(prod.tag_rule(&only_prod, &tag()).await.unwrap(), TagRule::Immutable);
        let error = ecr(DEV).tag_rule(&only_prod, &tag()).await.unwrap_err();
        assert!(matches!(error, RegistryError::NoRepository { .. }), "{error:?}");
    });
}

#[test]
fn a_role_of_another_account_is_found_out() {
    in_moto(async || {
        let region: aws::Region = "ap-southeast-2".parse().unwrap();
        let identity = Identity {
            role: Some(format!("arn:aws:iam::{DEV}:role/Deploy").parse().unwrap()),
            account: PROD.parse().unwrap(),
            region: region.clone(),
            endpoints: Endpoints { sts: Some(moto::url()), ecr: Some(moto::url()) },
        };
        let place = EcrPlace { account: PROD.parse().unwrap(), region, authority: "127.0.0.1:9".parse().unwrap() };
        let ecr = Ecr::new(identity, place, Access::Write, limits()).unwrap();
        let error = ecr.tag_rule(&"forge/web".parse().unwrap(), &tag()).await.unwrap_err();
        match aws_error(&error) {
            AwsError::WrongAccount { expected, found, arn } => {
                assert_eq!((expected.as_str(), found.as_str()), (PROD, DEV));
                assert!(arn.contains("assumed-role/Deploy/conveyor-forge.web"), "{arn}");
            }
            other => panic!("{other:?}"),
        }
        assert_eq!(ecr.requests(), 2, "the role was assumed, the caller was asked, and nothing else");
    });
}

#[test]
fn a_token_of_moto_opens_a_registry_though_it_ended_in_2015() {
    in_moto(async || {
        let server = docker_registry().await;
        let repository = create(&admin(DEV).await, "forge/token", ImageTagMutability::Immutable, &[]).await;
        let ecr = with_registry(DEV, &server.address.to_string());
        let mut costs = Vec::new();
        for _ in 0..2 {
            let before = ecr.requests();
            assert_eq!(ecr.resolve(&repository, &tag()).await.unwrap(), None);
            costs.push(ecr.requests() - before);
        }
        let once = "the role, the caller, the token, and whether the tag is archived are asked for once";
        assert_eq!(costs[0] - costs[1], 4, "{once}: {costs:?}");
    });
}

#[test]
fn each_setting_of_mutability_is_read() {
    in_moto(async || {
        use ImageTagMutability::{Immutable, ImmutableWithExclusion, Mutable, MutableWithExclusion};
        let admin = admin(DEV).await;
        let ecr = ecr(DEV);
        for (name, setting, exclude, expected) in [
            ("forge/immutable", Immutable, &[][..], TagRule::Immutable),
            ("forge/mutable", Mutable, &[], TagRule::Mutable),
            ("forge/immutable-but-dev", ImmutableWithExclusion, &["dev-*"], TagRule::Immutable),
            ("forge/immutable-but-48", ImmutableWithExclusion, &["dev-*", "48*"], TagRule::Mutable),
            ("forge/mutable-but-48", MutableWithExclusion, &["48*3"], TagRule::Immutable),
            ("forge/mutable-but-49", MutableWithExclusion, &["49*"], TagRule::Mutable),
        ] {
            let repository = create(&admin, name, setting, exclude).await;
            assert_eq!(ecr.tag_rule(&repository, &tag()).await.unwrap(), expected, "{name}");
        }
    });
}

#[test]
fn blobs_that_were_pushed_are_there() {
    in_moto(async || {
        let admin = admin(DEV).await;
        let repository = create(&admin, "forge/layers", ImageTagMutability::Immutable, &[]).await;
        let (held, absent) = (b"a layer".to_vec(), b"another".to_vec());
        let upload = admin.initiate_layer_upload().repository_name("forge/layers").send().await.unwrap();
        let upload = upload.upload_id().unwrap();
        let part = admin.upload_layer_part().repository_name("forge/layers").upload_id(upload);
        let part = part.part_first_byte(0).part_last_byte(i64::try_from(held.len()).unwrap() - 1);
        part.layer_part_blob(aws_sdk_ecr::primitives::Blob::new(held.clone())).send().await.unwrap();
        let complete = admin.complete_layer_upload().repository_name("forge/layers").upload_id(upload);
        complete.layer_digests(Digest::of(&held).to_string()).send().await.unwrap();

        let blob = |bytes: &[u8]| Descriptor {
            media_type: "application/vnd.oci.image.layer.v1.tar+gzip".to_owned(),
            digest: Digest::of(bytes),
            size: bytes.len() as u64,
            artifact_type: None,
        };
        let missing = ecr(DEV).missing(&repository, &[blob(&held), blob(&absent)]).await.unwrap();
        assert_eq!(missing, [Digest::of(&absent)]);
    });
}

#[test]
fn a_lifecycle_policy_that_moto_keeps_is_told() {
    in_moto(async || {
        let admin = admin(DEV).await;
        let repository = create(&admin, "forge/expiring", ImageTagMutability::Immutable, &[]).await;
        let ecr = ecr(DEV);
        assert_eq!(ecr.cautions(&repository, &tag()).await.unwrap(), [""; 0]);
        let policy = r#"{"rules":[{"rulePriority":7,"description":"tidy","selection":{"tagStatus":"tagged",
            "tagPrefixList":["48"],"countType":"imageCountMoreThan","countNumber":20},"action":{"type":"expire"}}]}"#;
        admin
            .put_lifecycle_policy()
            .repository_name("forge/expiring")
            .lifecycle_policy_text(policy)
            .send()
            .await
            .unwrap();
        let cautions = ecr.cautions(&repository, &tag()).await.unwrap();
        assert_eq!(cautions.len(), 1);
        assert!(cautions[0].starts_with("rule 7 of") && cautions[0].contains("20 newer"), "{cautions:?}");
    });
}

#[test]
fn a_private_authority_is_trusted_where_ssl_cert_file_names_it() {
    let made = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap();
    let directory = tempfile::tempdir().unwrap();
    let path = |name: &str| directory.path().join(name).display().to_string();
    std::fs::write(path("certificate"), made.cert.pem()).unwrap();
    std::fs::write(path("key"), made.signing_key.serialize_pem()).unwrap();
    let (certificate, key) = (path("certificate"), path("key"));
    let moto = moto::start(&["-c", &certificate, "-k", &key]);

    let trusting = [&KEYS[..], &[moto.variable(), ("SSL_CERT_FILE", &certificate)]].concat();
    for variables in [&trusting[..], &trusting[..trusting.len() - 1]] {
        let is_parent = alone(variables, async || {
            let answer = ecr(DEV).tag_rule(&"forge/web".parse().unwrap(), &tag()).await.unwrap_err();
            match std::env::var("SSL_CERT_FILE") {
                Ok(_) => assert!(matches!(answer, RegistryError::NoRepository { .. }), "{answer:?}"),
                Err(_) => assert!(matches!(aws_error(&answer), AwsError::NoAnswer { .. }), "{answer:?}"),
            }
        });
        if !is_parent {
            return;
        }
    }
}
