//! What AWS's answers come to.

use std::time::Duration;

use aws::{Access, AwsError, Ecr};
use guarded_http::Limits;
use registry_copy::{Descriptor, Registry, RegistryError, TagRule};
use release::Digest;
use serde_json::json;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
    time::Instant,
};

use crate::{
    alone::{KEYS, alone},
    fake::{Fake, described, refused},
    fixture::{aws_error, ecr, identity, place, repository, tag, told},
};

fn blobs(count: u64) -> Vec<Descriptor> {
    (0..count)
        .map(|n| Descriptor {
            media_type: "application/vnd.oci.image.layer.v1.tar+gzip".to_owned(),
            digest: Digest::of(&n.to_le_bytes()),
            size: n,
            artifact_type: None,
        })
        .collect()
}

#[test]
fn refusals_say_whether_to_try_again_or_to_ask_for_rights() {
    alone(&KEYS, async || {
        for (status, code, denied, retryable) in [
            (400, "AccessDeniedException", true, false),
            (400, "UnrecognizedClientException", true, false),
            (400, "ExpiredTokenException", true, false),
            (403, "Whatever", true, false),
            (400, "ThrottlingException", false, true),
            (429, "TooManyRequestsException", false, true),
            (500, "ServerException", false, true),
            (503, "ServiceUnavailable", false, true),
            (400, "InvalidParameterException", false, false),
        ] {
            let fake = Fake::start().await;
            fake.always("DescribeRepositories", refused(status, code, "because"));
            let error = ecr(&fake, Access::Read).tag_rule(&repository(), &tag()).await.unwrap_err();
            assert_eq!((error.is_denied(), error.is_retryable()), (denied, retryable), "{code} {error:?}");
            let shown = told(&error);
            assert!(shown.contains("ecr:DescribeRepositories"), "{shown}");
        }
    });
}

#[test]
fn what_passes_is_passed_over() {
    alone(&KEYS, async || {
        let fake = Fake::start().await;
        fake.next("DescribeRepositories", refused(400, "ThrottlingException", "slow"));
        fake.next("DescribeRepositories", refused(500, "ServerException", "oops"));
        let ecr = ecr(&fake, Access::Read);
        assert_eq!(ecr.tag_rule(&repository(), &tag()).await.unwrap(), TagRule::Immutable);
        assert_eq!(fake.seen("DescribeRepositories").len(), 3);
        assert_eq!(ecr.requests(), 5);
    });
}

#[test]
fn a_repository_that_is_not_there_has_its_own_error() {
    alone(&KEYS, async || {
        let fake = Fake::start().await;
        for action in ["DescribeRepositories", "GetLifecyclePolicy", "BatchCheckLayerAvailability", "DescribeImages"] {
            fake.always(action, refused(400, "RepositoryNotFoundException", "no such thing"));
        }
        let ecr = ecr(&fake, Access::Write);
        let (repository, tag) = (repository(), tag());
        let errors = [
            ecr.tag_rule(&repository, &tag).await.unwrap_err(),
            ecr.cautions(&repository, &tag).await.unwrap_err(),
            ecr.missing(&repository, &blobs(1)).await.unwrap_err(),
            ecr.resolve(&repository, &tag).await.unwrap_err(),
        ];
        for error in errors {
            assert!(matches!(&error, RegistryError::NoRepository { repository: r } if *r == repository), "{error:?}");
        }
    });
}

#[test]
fn answers_that_are_none_are_errors() {
    alone(&KEYS, async || {
        let other = json!({ "repositories": [{ "repositoryName": "forge/web", "imageTagMutability": "IMMUTABLE" }] });
        for answer in [
            (200, other.to_string()),
            (200, json!({ "repositories": [] }).to_string()),
            (200, json!({ "repositories": 3 }).to_string()),
            (200, "<html>sorry</html>".to_owned()),
            (200, String::new()),
        ] {
            let fake = Fake::start().await;
            fake.always("DescribeRepositories", answer.clone());
            let error = ecr(&fake, Access::Read).tag_rule(&repository(), &tag()).await.unwrap_err();
            assert!(matches!(aws_error(&error), AwsError::Protocol { .. }), "{answer:?} {error:?}");
            assert!(!error.is_retryable(), "{answer:?}");
        }
    });
}

#[test]
fn an_answer_without_end_is_given_up() {
    alone(&KEYS, async || {
        let fake = Fake::start().await;
        let policy = json!({ "lifecyclePolicyText": " ".repeat(2 << 20) });
        fake.always("GetLifecyclePolicy", (200, policy.to_string()));
        let error = ecr(&fake, Access::Read).cautions(&repository(), &tag()).await.unwrap_err();
        assert!(matches!(aws_error(&error), AwsError::Protocol { .. }), "{error:?}");
        fake.always("GetLifecyclePolicy", (400, " ".repeat(2 << 20)));
        let error = ecr(&fake, Access::Read).cautions(&repository(), &tag()).await.unwrap_err();
        assert!(matches!(aws_error(&error), AwsError::Protocol { .. }), "{error:?}");
    });
}

#[test]
fn an_answer_that_breaks_off_may_come_whole_later() {
    alone(&KEYS, async || {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let fake = Fake::at(listener.local_addr().unwrap());
        tokio::spawn(async move {
            while let Ok((mut connection, _)) = listener.accept().await {
                drop(connection.read(&mut [0; 65_536]).await);
                let half = "HTTP/1.1 200 OK\r\ncontent-type: text/xml\r\ncontent-length: 1000\r\n\r\n<Assume";
                drop(connection.write_all(half.as_bytes()).await);
            }
        });
        let error = ecr(&fake, Access::Read).tag_rule(&repository(), &tag()).await.unwrap_err();
        assert!(matches!(aws_error(&error), AwsError::NoAnswer { .. }) && error.is_retryable(), "{error:?}");
    });
}

#[test]
fn no_answer_can_be_waited_for_until_the_deadline() {
    alone(&KEYS, async || {
        let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let silent = Fake::at(silent.local_addr().unwrap());
        let limits = Limits {
            connect: Duration::from_secs(1),
            stall: Duration::from_secs(1),
            deadline: Instant::now() + Duration::from_millis(300),
        };
        let ecr = Ecr::new(identity(&silent, None), place(&silent), Access::Read, limits).unwrap();
        let error = ecr.tag_rule(&repository(), &tag()).await.unwrap_err();
        assert!(matches!(aws_error(&error), AwsError::Deadline { .. }), "{error:?}");
        assert!(!error.is_retryable());
    });
}

#[test]
fn a_server_that_is_not_there_may_come_back() {
    alone(&KEYS, async || {
        let gone = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
        let gone = Fake::at(gone);
        let error = ecr(&gone, Access::Read).tag_rule(&repository(), &tag()).await.unwrap_err();
        assert!(matches!(aws_error(&error), AwsError::NoAnswer { .. }), "{error:?}");
        assert!(error.is_retryable());
    });
}

#[test]
fn what_a_server_says_is_shown_without_what_nobody_may_see() {
    alone(&KEYS, async || {
        let token = "c".repeat(400);
        let message = format!(
            "see https://bucket.example/x?X-Amz-Signature=canary-signature and {token} \u{1b}[31m##vso[task] {}",
            "w ".repeat(900)
        );
        let fake = Fake::start().await;
        fake.always("DescribeRepositories", refused(400, "InvalidParameterException", &message));
        let error = ecr(&fake, Access::Read).tag_rule(&repository(), &tag()).await.unwrap_err();
        let shown = told(&error);
        assert!(shown.contains("https://bucket.example/x"), "{shown}");
        for hidden in ["canary-signature", "cccc", "\u{1b}"] {
            assert!(!shown.contains(hidden), "{shown}");
        }
        assert!(shown.len() < 1500, "{shown}");
    });
}

#[test]
fn blobs_are_asked_for_a_hundred_at_a_time() {
    alone(&KEYS, async || {
        let fake = Fake::start().await;
        let blobs = blobs(250);
        let layer = |n: usize, state: &str| json!({ "layerDigest": blobs[n].digest, "layerAvailability": state });
        let failure = json!({ "layerDigest": blobs[7].digest, "failureCode": "MissingLayerDigest" });
        let first: Vec<_> = (0..100).filter(|n| *n != 7).map(|n| layer(n, "AVAILABLE")).collect();
        fake.always("BatchCheckLayerAvailability", (200, json!({ "layers": [] }).to_string()));
        let ecr = ecr(&fake, Access::Write);
        assert!(ecr.answers_in_bulk());
        assert_eq!(ecr.missing(&repository(), &blobs).await.unwrap().len(), 250);
        let sizes: Vec<usize> =
            fake.seen("BatchCheckLayerAvailability").iter().map(|seen| seen.body.matches("sha256:").count()).collect();
        assert_eq!(sizes, [100, 100, 50]);

        // Those that are served, and only those, need not be sent; in the order that was asked for.
        let digests: Vec<Digest> = blobs[..100].iter().map(|blob| blob.digest).collect();
        fake.next("BatchCheckLayerAvailability", (200, json!({ "layers": first, "failures": [failure] }).to_string()));
        assert_eq!(ecr.missing(&repository(), &blobs[..100]).await.unwrap(), [digests[7]]);
        let states = ["UNAVAILABLE", "ARCHIVED", "AVAILABLE", "MOLTEN"];
        let layers: Vec<_> = states.iter().enumerate().map(|(n, state)| layer(n, state)).collect();
        fake.next("BatchCheckLayerAvailability", (200, json!({ "layers": layers }).to_string()));
        let reversed: Vec<Descriptor> = blobs[..4].iter().rev().cloned().collect();
        assert_eq!(ecr.missing(&repository(), &reversed).await.unwrap(), [digests[3], digests[1], digests[0]]);

        assert_eq!(ecr.missing(&repository(), &[]).await.unwrap(), []);
        assert_eq!(fake.seen("BatchCheckLayerAvailability").len(), 5);
    });
}

#[test]
fn who_may_not_ask_for_blobs_in_bulk_asks_one_by_one() {
    alone(&KEYS, async || {
        let fake = Fake::start().await;
        fake.always("BatchCheckLayerAvailability", refused(400, "AccessDeniedException", "no"));
        let blobs = blobs(3);
        let expected: Vec<Digest> = blobs.iter().map(|blob| blob.digest).collect();
        assert_eq!(ecr(&fake, Access::Write).missing(&repository(), &blobs).await.unwrap(), expected);
        assert_eq!(fake.seen("v2").len(), 3);

        let fake = Fake::start().await;
        fake.always("BatchCheckLayerAvailability", refused(400, "ThrottlingException", "no"));
        assert!(ecr(&fake, Access::Write).missing(&repository(), &blobs).await.unwrap_err().is_retryable());
        assert_eq!(fake.seen("v2").len(), 0);
    });
}

#[test]
fn an_archived_image_is_neither_there_nor_absent() {
    alone(&KEYS, async || {
        for status in ["ARCHIVED", "ACTIVATING"] {
            let fake = Fake::start().await;
            let details = json!({ "imageDetails": [{ "imageTags": ["48213"], "imageStatus": status }] });
            fake.always("DescribeImages", (200, details.to_string()));
            let error = ecr(&fake, Access::Write).resolve(&repository(), &tag()).await.unwrap_err();
            match aws_error(&error) {
                AwsError::Archived { image, status: told, .. } => {
                    assert_eq!((image.as_str(), told.as_str()), ("48213", status));
                }
                other => panic!("{other:?}"),
            }
            assert!(!error.is_retryable() && !error.is_denied());

            let digest = Digest::of(b"archived");
            let error = ecr(&fake, Access::Read).manifest(&repository(), &digest).await.unwrap_err();
            assert!(told(&error).contains(&digest.to_string()), "{error:?}");
        }
    });
}

#[test]
fn only_an_image_that_ecr_does_not_know_is_absent() {
    alone(&KEYS, async || {
        let described = |details| (200, json!({ "imageDetails": details }).to_string());
        let active = || described(json!([{ "imageTags": ["48213"], "imageStatus": "ACTIVE" }]));
        let digest = Digest::of(b"described");
        for (answer, says, retryable, denied) in [
            (active(), "does not serve it", true, false),
            (described(json!([{}])), "does not serve it", true, false),
            (described(json!([])), "it describes no image", false, false),
            (refused(400, "AccessDeniedException", "no"), "ecr:DescribeImages is not allowed", false, true),
            (refused(400, "ThrottlingException", "slow"), "ecr:DescribeImages", true, false),
        ] {
            let fake = Fake::start().await;
            fake.always("DescribeImages", answer.clone());
            let error = ecr(&fake, Access::Write).resolve(&repository(), &tag()).await.unwrap_err();
            assert!(told(&error).contains(says), "{answer:?} {error:?}");
            assert_eq!((error.is_retryable(), error.is_denied()), (retryable, denied), "{answer:?} {error:?}");

            // To read, it is enough to be let at the image.
            let reader = ecr(&fake, Access::Read);
            let found = reader.resolve(&repository(), &tag()).await.map(|found| found.is_none());
            let part = reader.manifest(&repository(), &digest).await.map(|found| found.is_none());
            for found in [found, part] {
                assert_eq!(found.unwrap_or(false), denied, "{answer:?}");
            }
        }
        let fake = Fake::start().await;
        fake.always("DescribeImages", refused(400, "ImageNotFoundException", "none"));
        for access in [Access::Read, Access::Write] {
            assert_eq!(ecr(&fake, access).resolve(&repository(), &tag()).await.unwrap(), None);
        }
        // Who writes asks for parts that are not there yet, at no further cost.
        let fake = Fake::start().await;
        assert!(ecr(&fake, Access::Write).manifest(&repository(), &digest).await.unwrap().is_none());
        assert_eq!(fake.seen("DescribeImages").len(), 0);
    });
}

#[test]
fn a_tags_rule_is_read_with_its_exclusions() {
    alone(&KEYS, async || {
        let filters = json!([{ "filterType": "WILDCARD", "filter": "482*" }]);
        for (setting, expected) in [
            ("IMMUTABLE_WITH_EXCLUSION", TagRule::Mutable),
            ("MUTABLE_WITH_EXCLUSION", TagRule::Immutable),
            ("ON_SUNDAYS", TagRule::Unknown),
        ] {
            let fake = Fake::start().await;
            let settings = json!({ "imageTagMutability": setting, "imageTagMutabilityExclusionFilters": filters });
            fake.always("DescribeRepositories", described(settings));
            assert_eq!(ecr(&fake, Access::Read).tag_rule(&repository(), &tag()).await.unwrap(), expected, "{setting}");
        }
    });
}

#[test]
fn a_lifecycle_policy_is_a_caution_and_so_is_not_knowing_it() {
    alone(&KEYS, async || {
        let rule = json!({ "rulePriority": 4, "action": { "type": "expire" }, "selection": {
            "tagStatus": "any", "countType": "imageCountMoreThan", "countNumber": 30 } });
        let policy = |text: String| (200, json!({ "lifecyclePolicyText": text }).to_string());
        for (answer, part) in [
            (policy(json!({ "rules": [rule] }).to_string()), "rule 4 of"),
            (policy("not json".to_owned()), "cannot be read"),
            (refused(400, "AccessDeniedException", "no"), "ecr:GetLifecyclePolicy"),
        ] {
            let fake = Fake::start().await;
            fake.always("GetLifecyclePolicy", answer);
            let cautions = ecr(&fake, Access::Write).cautions(&repository(), &tag()).await.unwrap();
            assert_eq!(cautions.len(), 1);
            assert!(cautions[0].contains(part) && cautions[0].contains("48213"), "{cautions:?}");
        }
        let fake = Fake::start().await;
        fake.always("GetLifecyclePolicy", refused(500, "ServerException", "oops"));
        assert!(ecr(&fake, Access::Write).cautions(&repository(), &tag()).await.unwrap_err().is_retryable());
    });
}
