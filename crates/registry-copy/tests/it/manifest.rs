use bytes::Bytes;
use proptest::prelude::*;
use registry_copy::{Manifest, ManifestError};
use release::Digest;

use crate::corpus::{IMAGE, INDEX, LAYER, describe, json};

const DOCKER_IMAGE: &str = "application/vnd.docker.distribution.manifest.v2+json";

fn parse(content_type: Option<&str>, document: &str) -> Result<Manifest, ManifestError> {
    Manifest::parse(content_type, Bytes::copy_from_slice(document.as_bytes()))
}

fn image_with(fields: &str) -> String {
    let layer = json(&describe(LAYER, b"layer"));
    format!(r#"{{"schemaVersion":2,"config":{layer},"layers":[{layer}]{fields}}}"#)
}

#[test]
fn the_type_comes_from_the_document_the_server_or_the_shape() {
    let typed = image_with(&format!(r#","mediaType":"{IMAGE}""#));
    assert_eq!(parse(None, &typed).unwrap().media_type(), IMAGE);
    assert_eq!(parse(Some(&format!("{IMAGE}; charset=utf-8")), &typed).unwrap().media_type(), IMAGE);
    assert_eq!(parse(Some(DOCKER_IMAGE), &image_with("")).unwrap().media_type(), DOCKER_IMAGE);
    assert_eq!(parse(None, &image_with("")).unwrap().media_type(), IMAGE);
    assert_eq!(parse(None, r#"{"schemaVersion":2,"manifests":[]}"#).unwrap().media_type(), INDEX);
}

#[test]
fn parts_subject_and_descriptor() {
    let subject = describe(IMAGE, b"subject");
    let manifest = parse(None, &image_with(&format!(r#","subject":{}"#, json(&subject)))).unwrap();
    assert_eq!(manifest.blobs(), [describe(LAYER, b"layer"), describe(LAYER, b"layer")]);
    assert_eq!(manifest.children(), []);
    assert_eq!(manifest.subject(), Some(&subject));
    assert_eq!(manifest.descriptor().artifact_type.as_deref(), Some(LAYER));
    let child = describe(IMAGE, b"child");
    let index = parse(None, &format!(r#"{{"schemaVersion":2,"manifests":[{}]}}"#, json(&child))).unwrap();
    assert_eq!((index.blobs(), index.children()), (&[][..], &[child][..]));
}

#[test]
fn what_can_be_read_in_two_ways_is_refused() {
    let child = json(&describe(IMAGE, b"child"));
    let other_size = json(&describe(LAYER, b"layer")).replace(r#""size":5"#, r#""size":6"#);
    let documents = [
        (None, image_with(&format!(r#","manifests":[{child}]"#))),
        (None, image_with(&format!(r#","mediaType":"{INDEX}""#))),
        (Some(INDEX), image_with(&format!(r#","mediaType":"{IMAGE}""#))),
        (None, image_with(r#","layers":[]"#)),
        (None, image_with(r#","Layers":[]"#)),
        (None, image_with(r#","annotations":{"a":"1","a":"2"}"#)),
        (None, image_with(r#","fsLayers":[]"#)),
        (None, image_with(r#","FsLayers":[]"#)),
        (None, image_with(&format!(r#","Manifests":[{child}]"#))),
        (None, image_with(&format!(r#","manife\u017fts":[{child}]"#))),
        (None, image_with(&format!(r#","layerſ":[{child}]"#))),
        (None, image_with(&format!(r#","Subject":{child}"#))),
        (None, image_with(&format!(r#","MediaType":"{INDEX}""#))),
        (None, image_with(r#","ArtifactType":"a/b""#)),
        (None, image_with(r#","Annotations":{"a":"1"}"#)),
        (None, image_with("").replace(r#""digest""#, r#""dige\u017ft":"x","digest""#)),
        (None, image_with("").replace(r#""size""#, r#""SIZE""#)),
        (None, image_with(r#","annotations":{"\u212aey":"1","key":"2"}"#)),
        (None, image_with(&format!(r#","subject":{other_size}"#))),
        (None, format!(r#"{{"schemaVersion":2,"mediaType":"{IMAGE}","manifests":[{child}]}}"#)),
        (None, format!(r#"{{"schemaVersion":2,"config":{child}}}"#)),
        (None, r#"{"schemaVersion":2}"#.to_owned()),
    ];
    for (content_type, document) in documents {
        let error = parse(content_type, &document).expect_err(&document);
        assert!(error.is_integrity(), "{document}: {error:?}");
    }
}

#[test]
fn annotations_have_names_of_their_own() {
    let document = image_with(r#","annotations":{"Size":"9","MANIFESTS":"1","size of it":"x"},"Other":1"#);
    assert_eq!(parse(None, &document).unwrap().blobs().len(), 2);
}

#[test]
fn what_is_not_understood_is_refused() {
    let blob = json(&describe(LAYER, b"blob"));
    let big = json(&describe(LAYER, b"layer")).replace(r#""size":5"#, r#""size":68719476737"#);
    let documents = [
        (None, String::new()),
        (None, "[]".to_owned()),
        (None, "[".repeat(100_000)),
        (None, image_with("") + "{}"),
        (None, image_with("").replace(":2,", ":1,")),
        (None, image_with(r#","mediaType":"application/vnd.oci.artifact.manifest.v1+json""#)),
        (Some("text/html"), image_with("")),
        (None, image_with(&format!(r#","subject":{big}"#))),
        (None, image_with(&format!(r#","subject":{}"#, blob.replace("sha256:", "sha512:")))),
        (None, image_with(&format!(r#","subject":{}"#, blob.replace(LAYER, "\\n")))),
        (None, image_with(&format!(r#","subject":{}"#, blob.replace(r#""size":4"#, r#""size":-4"#)))),
        (None, format!(r#"{{"schemaVersion":2,"manifests":[{blob}]}}"#)),
    ];
    for (content_type, document) in documents {
        let error = parse(content_type, &document).expect_err(&document);
        assert!(!error.is_integrity(), "{document}: {error:?}");
    }
}

#[test]
fn no_error_repeats_much_of_a_document() {
    let big = "A".repeat(1_000_000) + "\u{202e}";
    let documents = [
        (None, image_with("").replace(":2,", &format!(":\"{big}\","))),
        (None, image_with(&format!(r#","mediaType":"{big}""#))),
        (Some(INDEX), image_with(&format!(r#","mediaType":"{big}""#))),
        (None, image_with("").replace("sha256:", &big)),
        (Some("a\u{202e}b"), image_with("")),
        (None, image_with(&format!(r#","subject":{{"{big}":1,"{big}":2}}"#))),
    ];
    for (content_type, document) in documents {
        let error = parse(content_type, &document).unwrap_err();
        let mut cause: Option<&dyn std::error::Error> = Some(&error);
        while let Some(error) = cause {
            let text = format!("{error} {error:?}");
            assert!(text.len() < 1_500 && !text.contains('\u{202e}'), "{} bytes: {text:.1500}", text.len());
            cause = error.source();
        }
    }
    let typed = |kind: &str| image_with(&format!(r#","artifactType":"{kind}""#));
    assert_eq!(parse(None, &typed("a/b")).unwrap().descriptor().artifact_type.as_deref(), Some("a/b"));
    assert_eq!(parse(None, &typed(&big)).unwrap().descriptor().artifact_type.as_deref(), Some(LAYER));
}

#[test]
fn limits() {
    let padded = |size: usize| {
        let document = image_with(r#","annotations":{"a":"PAD"}"#);
        let pad = "x".repeat(size - document.len() + 3);
        document.replace("PAD", &pad)
    };
    assert_eq!(parse(None, &padded(Manifest::MAX_SIZE)).unwrap().bytes().len(), Manifest::MAX_SIZE);
    assert!(matches!(parse(None, &padded(Manifest::MAX_SIZE + 1)), Err(ManifestError::TooLarge)));

    let index = |count: usize| {
        let children: Vec<String> = (0..count).map(|n| json(&describe(IMAGE, &n.to_be_bytes()))).collect();
        format!(r#"{{"schemaVersion":2,"manifests":[{}]}}"#, children.join(","))
    };
    assert_eq!(parse(None, &index(1_000)).unwrap().children().len(), 1_000);
    assert!(matches!(parse(None, &index(1_001)), Err(ManifestError::TooMany)));
}

#[test]
fn foreign_layers_are_recognised() {
    for (media_type, foreign) in [
        ("application/vnd.docker.image.rootfs.foreign.diff.tar.gzip", true),
        ("application/vnd.oci.image.layer.nondistributable.v1.tar+zstd", true),
        (LAYER, false),
    ] {
        assert_eq!(describe(media_type, b"").is_foreign(), foreign, "{media_type}");
    }
}

/// Documents that look enough like manifests to get deep into the parser.
fn nearly_a_manifest() -> impl Strategy<Value = Vec<u8>> {
    let flips = prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..4);
    let start = prop::sample::select(vec![
        image_with(""),
        format!(r#"{{"schemaVersion":2,"mediaType":"{INDEX}","manifests":[{}]}}"#, json(&describe(IMAGE, b"x"))),
    ]);
    (start, flips).prop_map(|(start, flips)| {
        let mut bytes = start.into_bytes();
        for (at, byte) in flips {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        bytes
    })
}

proptest! {
    #[test]
    fn the_digest_is_of_the_bytes(bytes in prop_oneof![nearly_a_manifest(), prop::collection::vec(any::<u8>(), 0..200)]) {
        if let Ok(manifest) = Manifest::parse(None, bytes.clone().into()) {
            prop_assert_eq!(manifest.digest(), Digest::of(&bytes));
            prop_assert_eq!(manifest.bytes().as_ref(), &bytes[..]);
            prop_assert_eq!(manifest.descriptor().size, bytes.len() as u64);
        }
    }
}
