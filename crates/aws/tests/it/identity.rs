//! Who asks is proven before anything is asked.

use aws::{Access, AwsError, Ecr, Endpoints};
use registry_copy::Registry;

use crate::{
    alone::{KEYS, alone},
    fake::{Fake, assumed, caller, refused_by_sts},
    fixture::{ROLE, aws_error, ecr, identity, limits, place, repository, tag, told},
};

#[test]
fn a_session_is_of_the_role_for_one_repository_and_its_account_is_proven_first() {
    alone(&KEYS, async || {
        let fake = Fake::start().await;
        let ecr = ecr(&fake, Access::Read);
        assert_eq!(fake.all().len(), 0, "nothing is asked before the first call");

        ecr.tag_rule(&repository(), &tag()).await.unwrap();
        let actions: Vec<String> = fake.all().into_iter().map(|seen| seen.action).collect();
        assert_eq!(actions, ["AssumeRole", "GetCallerIdentity", "DescribeRepositories"]);
        assert_eq!(ecr.requests(), 3);

        let [assume] = &fake.seen("AssumeRole")[..] else { panic!() };
        assert!(assume.authorization.contains("Credential=AKIACANARYKEYID00000/"), "{assume:?}");
        assert!(assume.authorization.contains("/ap-southeast-2/sts/"), "{assume:?}");
        for part in [
            "RoleArn=arn%3Aaws%3Aiam%3A%3A111111111111%3Arole%2FConveyorDeployRole-prod&",
            "RoleSessionName=conveyor-forge.payments-api&",
            "DurationSeconds=3600",
            "ecr%3Aap-southeast-2%3A111111111111%3Arepository%2Fforge%2Fpayments-api",
        ] {
            assert!(assume.body.contains(part), "{part} in {}", assume.body);
        }
        assert!(!assume.body.contains("PutImage"), "{}", assume.body);
        for action in ["GetCallerIdentity", "DescribeRepositories"] {
            let [seen] = &fake.seen(action)[..] else { panic!() };
            assert!(seen.authorization.contains("Credential=ASIAASSUMED/"), "{seen:?}");
        }
    });
}

#[test]
fn each_repository_has_a_session_and_all_of_its_calls_share_it() {
    alone(&KEYS, async || {
        let fake = Fake::start().await;
        let ecr = ecr(&fake, Access::Write);
        let (one, tag) = (repository(), tag());
        let other = "forge/web".parse().unwrap();
        let calls = (0..8).map(|_| ecr.cautions(&one, &tag));
        for cautions in futures_util::future::join_all(calls).await {
            assert_eq!(cautions.unwrap(), [""; 0]);
        }
        ecr.cautions(&other, &tag).await.unwrap();
        let assumed: Vec<String> = fake.seen("AssumeRole").into_iter().map(|seen| seen.body).collect();
        assert_eq!(assumed.len(), 2);
        assert!(assumed[0].contains("PutImage") && assumed[0].contains("conveyor-forge.payments-api&"), "{assumed:?}");
        assert!(!assumed[1].contains("payments-api") && assumed[1].contains("forge%2Fweb"), "{assumed:?}");
    });
}

#[test]
fn a_mount_reads_the_other_repository_with_a_session_of_its_own() {
    alone(&KEYS, async || {
        let fake = Fake::start().await;
        let ecr = ecr(&fake, Access::Write);
        let (from, digest) = ("forge/base".parse().unwrap(), release::Digest::of(b"x"));
        let media_type = "application/octet-stream".to_owned();
        let blob = registry_copy::Descriptor { media_type, digest, size: 1, artifact_type: None };
        drop(ecr.mount(&repository(), &from, &blob).await);
        let [assume] = &fake.seen("AssumeRole")[..] else { panic!() };
        assert!(assume.body.contains("forge%2Fbase") && assume.body.contains("forge%2Fpayments-api"), "{assume:?}");
    });
}

#[test]
fn credentials_of_another_account_ask_for_nothing() {
    alone(&KEYS, async || {
        for role in [Some(ROLE), None] {
            let fake = Fake::start().await;
            fake.always("GetCallerIdentity", caller("222222222222"));
            let ecr = Ecr::new(identity(&fake, role), place(&fake), Access::Write, limits()).unwrap();
            let error = ecr.tag_rule(&repository(), &tag()).await.unwrap_err();
            assert!(error.is_denied() && !error.is_retryable(), "{error:?}");
            match aws_error(&error) {
                AwsError::WrongAccount { expected, found, arn } => {
                    assert_eq!((expected.as_str(), found.as_str()), ("111111111111", "222222222222"));
                    assert_eq!(arn, "arn:aws:sts::222222222222:assumed-role/Deploy/conveyor");
                }
                other => panic!("{other:?}"),
            }
            ecr.resolve(&repository(), &tag()).await.unwrap_err();
            let asked: Vec<String> = fake.all().into_iter().map(|seen| seen.action).collect();
            assert!(
                asked.iter().all(|action| ["AssumeRole", "GetCallerIdentity"].contains(&action.as_str())),
                "{asked:?}"
            );
        }
    });
}

#[test]
fn without_a_role_the_credentials_ask_for_themselves() {
    alone(&KEYS, async || {
        let fake = Fake::start().await;
        let ecr = Ecr::new(identity(&fake, None), place(&fake), Access::Read, limits()).unwrap();
        ecr.tag_rule(&repository(), &tag()).await.unwrap();
        let [seen] = &fake.seen("DescribeRepositories")[..] else { panic!() };
        assert!(seen.authorization.contains("Credential=AKIACANARYKEYID00000/"), "{seen:?}");
        assert_eq!(fake.seen("AssumeRole").len(), 0);
    });
}

#[test]
fn a_registry_of_another_account_is_asked_by_the_identitys_account() {
    alone(&KEYS, async || {
        let fake = Fake::start().await;
        let mut place = place(&fake);
        place.account = "333333333333".parse().unwrap();
        place.region = "us-east-1".parse().unwrap();
        let ecr = Ecr::new(identity(&fake, Some(ROLE)), place, Access::Read, limits()).unwrap();
        ecr.tag_rule(&repository(), &tag()).await.unwrap();
        let [assume] = &fake.seen("AssumeRole")[..] else { panic!() };
        assert!(assume.body.contains("ecr%3Aus-east-1%3A333333333333%3Arepository%2Fforge"), "{assume:?}");
        let [seen] = &fake.seen("DescribeRepositories")[..] else { panic!() };
        assert!(seen.body.contains(r#""registryId":"333333333333""#), "{seen:?}");
        assert!(seen.authorization.contains("/us-east-1/ecr/"), "{seen:?}");
    });
}

#[test]
fn a_role_that_cannot_be_assumed_is_told_in_stss_words() {
    alone(&KEYS, async || {
        for (status, code, is_retryable) in [
            (403, "AccessDenied", false),
            (400, "PackedPolicyTooLarge", false),
            (503, "ServiceUnavailable", true),
            (400, "Throttling", true),
        ] {
            let fake = Fake::start().await;
            fake.always("AssumeRole", refused_by_sts(status, code, "User: arn:aws:iam::1:user/x is not\nauthorized"));
            let error = ecr(&fake, Access::Read).resolve(&repository(), &tag()).await.unwrap_err();
            assert_eq!((error.is_retryable(), error.is_denied()), (is_retryable, !is_retryable), "{error:?}");
            match aws_error(&error) {
                AwsError::AssumeRole { role, code: found, message, retryable } => {
                    assert_eq!((role.as_str(), found.as_str(), *retryable), (ROLE, code, is_retryable));
                    assert_eq!(message, "User: arn:aws:iam::1:user/x is not authorized");
                }
                other => panic!("{other:?}"),
            }
            assert_eq!(fake.all().len(), fake.seen("AssumeRole").len(), "nothing else was asked");
        }
    });
}

#[test]
fn what_sts_does_not_say_is_not_guessed() {
    alone(&KEYS, async || {
        let nobody = (200, caller("111111111111").1.replace("<Account>111111111111</Account>", ""));
        let without = (200, assumed("AssumeRole", "A").1.replace("Credentials>", "Nothing>"));
        for (action, answer) in [
            ("GetCallerIdentity", nobody),
            ("GetCallerIdentity", (200, "<html>".to_owned())),
            ("GetCallerIdentity", (200, String::new())),
            ("AssumeRole", without),
            ("AssumeRole", (200, "{}".to_owned())),
        ] {
            let fake = Fake::start().await;
            fake.always(action, answer.clone());
            let error = ecr(&fake, Access::Read).resolve(&repository(), &tag()).await.unwrap_err();
            assert!(!error.is_retryable(), "{answer:?} {}", told(&error));
            assert_eq!(fake.seen("DescribeRepositories").len() + fake.seen("v2").len(), 0, "{answer:?}");
        }
    });
}

#[test]
fn an_endpoint_in_plain_sight_is_refused() {
    alone(&KEYS, async || {
        let fake = Fake::start().await;
        for (url, is_fine) in [
            ("https://sts.example", true),
            ("http://127.0.0.1:5000", true),
            ("http://localhost:5000/", true),
            ("http://[::1]:5000/", true),
            ("http://sts.example", false),
            ("http://127.0.0.1.evil.example", false),
            ("http://169.254.169.254/", false),
            ("https://user:password@sts.example", false),
            ("https://sts.example/?x=y", false),
            ("ftp://127.0.0.1/", false),
        ] {
            let url: url::Url = url.parse().unwrap();
            for endpoints in
                [Endpoints { sts: Some(url.clone()), ecr: None }, Endpoints { sts: None, ecr: Some(url.clone()) }]
            {
                let identity = aws::Identity { endpoints, ..identity(&fake, None) };
                let made = Ecr::new(identity, place(&fake), Access::Read, limits());
                assert_eq!(made.is_ok(), is_fine, "{url}");
            }
        }
    });
}
