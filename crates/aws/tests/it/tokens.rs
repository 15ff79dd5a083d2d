//! The password for the registry.

use aws::{Access, AwsError};
use base64::{Engine, prelude::BASE64_STANDARD};
use registry_copy::Registry;
use serde_json::json;

use crate::{
    alone::{KEYS, alone},
    fake::{Fake, refused, token},
    fixture::{aws_error, ecr, repository, tag, told},
};

const DENIED: &str = r#"{"errors":[{"code":"DENIED","message":"Your authorization token has expired."}]}"#;

fn basic(password: &str) -> String {
    format!("Basic {}", BASE64_STANDARD.encode(format!("AWS:{password}")))
}

fn sent(fake: &Fake) -> Vec<String> {
    fake.seen("v2").into_iter().map(|seen| seen.authorization).collect()
}

#[test]
fn one_token_serves_all_requests() {
    alone(&KEYS, async || {
        for ends in [4_102_444_800, 1_420_070_400] {
            let fake = Fake::start().await;
            fake.always("GetAuthorizationToken", token("password", ends));
            let ecr = ecr(&fake, Access::Read);
            let (repository, tag) = (repository(), tag());
            let calls = (0..16).map(|_| ecr.resolve(&repository, &tag));
            for found in futures_util::future::join_all(calls).await {
                assert_eq!(found.unwrap(), None);
            }
            assert_eq!(fake.seen("GetAuthorizationToken").len(), 1);
            // For the bytes, and whether they are archived, until one of them has found that out.
            let sent = sent(&fake);
            assert_eq!(sent, vec![basic("password"); sent.len()]);
            assert!((17..=32).contains(&sent.len()), "{}", sent.len());
        }
    });
}

#[test]
fn a_refused_token_is_renewed_once() {
    alone(&KEYS, async || {
        for status in [401, 403] {
            let fake = Fake::start().await;
            fake.next("v2", (status, DENIED.to_owned()));
            let ecr = ecr(&fake, Access::Read);
            assert_eq!(ecr.resolve(&repository(), &tag()).await.unwrap(), None);
            assert_eq!(sent(&fake), [basic("password-1"), basic("password-2"), basic("password-2")]);
            ecr.resolve(&repository(), &tag()).await.unwrap();
            assert_eq!(fake.seen("GetAuthorizationToken").len(), 2, "the new one is kept");
        }
    });
}

#[test]
fn who_is_refused_with_a_new_token_too_is_denied() {
    alone(&KEYS, async || {
        for status in [401, 403] {
            let fake = Fake::start().await;
            fake.always("v2", (status, DENIED.to_owned()));
            let error = ecr(&fake, Access::Read).resolve(&repository(), &tag()).await.unwrap_err();
            assert!(error.is_denied() && !error.is_retryable(), "{error:?}");
            assert_eq!(sent(&fake), [basic("password-1"), basic("password-2")]);
        }
    });
}

#[test]
fn a_token_that_cannot_be_had_is_awss_refusal() {
    alone(&KEYS, async || {
        for (answer, denied, retryable) in [
            (
                refused(400, "AccessDeniedException", "not authorized to perform: ecr:GetAuthorizationToken"),
                true,
                false,
            ),
            (refused(400, "ThrottlingException", "Rate exceeded"), false, true),
            (refused(500, "ServerException", "oops"), false, true),
        ] {
            let fake = Fake::start().await;
            fake.always("GetAuthorizationToken", answer);
            let error = ecr(&fake, Access::Read).resolve(&repository(), &tag()).await.unwrap_err();
            assert_eq!((error.is_denied(), error.is_retryable()), (denied, retryable), "{error:?}");
            assert_eq!(sent(&fake), [""; 0]);
        }
    });
}

#[test]
fn a_token_that_is_none_is_refused_and_not_shown() {
    alone(&KEYS, async || {
        let given = |token: &str| (200, json!({ "authorizationData": [{ "authorizationToken": token }] }).to_string());
        for answer in [
            (200, json!({ "authorizationData": [] }).to_string()),
            (200, "{}".to_owned()),
            (200, json!({ "authorizationData": [{}] }).to_string()),
            given("AWS:canary-session-token"),
            given(&BASE64_STANDARD.encode("AWS:")),
            given(&BASE64_STANDARD.encode("root:canary-session-token")),
            given("QVdTOng=\r\nX-Evil: 1"),
        ] {
            let fake = Fake::start().await;
            fake.always("GetAuthorizationToken", answer.clone());
            let error = ecr(&fake, Access::Read).resolve(&repository(), &tag()).await.unwrap_err();
            assert!(matches!(aws_error(&error), AwsError::Protocol { .. }), "{answer:?} {error:?}");
            assert!(!told(&error).contains("canary"), "{}", told(&error));
            assert_eq!(sent(&fake), [""; 0]);
        }
    });
}
