//! What lenient parsers let through, and so ends up in a URL, a file name or a shell.

use std::{fmt::Debug, str::FromStr};

use release::{
    ActorId, App, Authority, BuildId, CommitId, Digest, Environment, ObjectId, ParseError, Reference, Repository,
    RunId, Tag,
};

#[track_caller]
fn refuses<W: FromStr<Err = ParseError> + Debug>(texts: &[&str]) {
    for text in texts {
        let read = text.parse::<W>();
        assert!(read.is_err(), "{text:?} was read as {read:?}");
    }
}

#[track_caller]
fn reads<W: FromStr<Err = ParseError> + ToString>(texts: &[&str]) {
    for text in texts {
        match text.parse::<W>() {
            Ok(word) => assert_eq!(word.to_string(), *text),
            Err(error) => panic!("{error}"),
        }
    }
}

#[test]
fn build_ids() {
    reads::<BuildId>(&["1", "48213", "999999999999999999", "100000000000000000"]);
    refuses::<BuildId>(&[
        "",
        "0",
        "01",
        "048213",
        "+1",
        "-1",
        "1.0",
        "1e3",
        "0x10",
        "1_000",
        " 1",
        "1 ",
        "1\n",
        "1\0",
        "１２",
        "४२",
        "Ⅷ",
        "1000000000000000000",
        "9999999999999999999",
        "99999999999999999999999",
        "latest",
    ]);
}

#[test]
fn tags() {
    reads::<Tag>(&["48213", "v1.2.3", "_", "A", "1-a.b_c", "latest-1", "latestx", &"a".repeat(128)]);
    refuses::<Tag>(&[
        "",
        "latest",
        "LATEST",
        "Latest",
        ".a",
        "-a",
        "-",
        "a:b",
        "a/b",
        "a@b",
        "a b",
        "a\n",
        "a\r\n",
        "１２",
        "a\u{200b}",
        "a%00",
        "..",
        "é",
        &"a".repeat(129),
    ]);
}

#[test]
fn digests() {
    let hex = "0123456789abcdef".repeat(4);
    reads::<Digest>(&[&format!("sha256:{hex}")]);
    refuses::<Digest>(&[
        "",
        &hex,
        "sha256:",
        "md5:d41d8cd98f00b204e9800998ecf8427e",
        "md5:abc",
        &format!("sha512:{hex}{hex}"),
        &format!("sha384:{hex}"),
        &format!("SHA256:{hex}"),
        &format!("sha256:{}", hex.to_uppercase()),
        &format!("sha256:{}", &hex[1..]),
        &format!("sha256:{hex}0"),
        &format!("sha256:{hex}\n"),
        &format!(" sha256:{hex}"),
        &format!("sha256:+{}", &hex[1..]),
        &format!("sha256:{}é", &hex[2..]),
        &format!("sha256:{}１", &hex[3..]),
        "sha256:../../../../../../../../../../../../../../../../../../etc/passwd",
    ]);
}

#[test]
fn repositories() {
    reads::<Repository>(&["a", "forge/payments-api", "a.b/c_d/e__f/g---h", "0", &"a".repeat(255)]);
    refuses::<Repository>(&[
        "",
        "/",
        "/a",
        "a/",
        "a//b",
        "A",
        "a/B",
        ".",
        "..",
        "a/../b",
        "a/./b",
        "a..b",
        "a___b",
        "a._b",
        "a_-b",
        "-a",
        "a-",
        "_a",
        "a.",
        "a:1",
        "a@b",
        "a b",
        "a\n",
        "a%2fb",
        "a\\b",
        "ａ",
        "é",
        "a?b",
        "a#b",
        &"a".repeat(256),
    ]);
}

#[test]
fn apps_and_environments() {
    let good = ["a", "payments-api", "prod-wealth", "0", "a--b", &"a".repeat(63)];
    let bad = [
        "",
        "-",
        "-a",
        "a-",
        "A",
        "a_b",
        "a.b",
        "a/b",
        "..",
        "a b",
        "a\n",
        "a\0",
        "é",
        "ａ",
        "{env}",
        "$x",
        "a=1",
        &"a".repeat(64),
    ];
    reads::<App>(&good);
    refuses::<App>(&bad);
    reads::<Environment>(&good);
    refuses::<Environment>(&bad);
}

/// A name of 253 characters.
fn longest_name() -> String {
    ["a".repeat(61), "b".repeat(63), "c".repeat(63), "d".repeat(63)].join(".")
}

#[test]
fn registries() {
    reads::<Authority>(&[
        "registry.example",
        "registry.example:5000",
        "localhost",
        "localhost:1",
        "127.0.0.1:65535",
        "10.0.0.1",
        "[::1]",
        "[::1]:5000",
        "[2001:db8::1]:443",
        "333333333333.dkr.ecr.ap-southeast-2.amazonaws.com",
        "127.0.0.1.evil.com",
        "3com.example",
        &longest_name(),
    ]);
    refuses::<Authority>(&[
        "",
        ":",
        ":5000",
        "a.example:",
        "a.example:0",
        "a.example:05000",
        "a.example:65536",
        "a.example:99999",
        "a.example:+1",
        "a.example:５０００",
        "a.example::5000",
        "a.example:5000:5000",
        "127.1",
        "0x7f.1",
        "0x7f000001",
        "2130706433",
        "127.0.0.0x1",
        "0177.0.0.1",
        "127.0.0.01",
        "127.0.0.1.",
        "127.0.0",
        "256.0.0.1",
        "1.2.3.4.5",
        "registry.example.",
        ".example",
        "a..example",
        "-a.example",
        "a-.example",
        "a_b.example",
        "user@a.example",
        "user:password@a.example",
        "a.example/b",
        "a.example?b",
        "a.example#b",
        "a.example\\b",
        "a.example%00",
        "a.example\n",
        " a.example",
        "http://a.example",
        "ａ.example",
        "a\u{3002}example",
        "é.example",
        "::1",
        "[::1",
        "::1]",
        "[::1]]",
        "[[::1]]",
        "[::1]5000",
        "[::1%25eth0]",
        "[::1%eth0]:5000",
        "[127.0.0.1]",
        "[localhost]",
        "[]",
        &format!("{}.example", "a".repeat(64)),
        &format!("a{}", longest_name()),
    ]);
}

#[test]
fn loopback_is_what_the_address_says_and_not_what_the_name_looks_like() {
    let is_loopback = |text: &str| text.parse::<Authority>().unwrap().is_loopback();
    for text in
        ["localhost", "LocalHost:5000", "127.0.0.1", "127.0.0.1:5000", "127.255.0.9", "[::1]", "[0:0:0:0:0:0:0:1]:5000"]
    {
        assert!(is_loopback(text), "{text}");
    }
    for text in [
        "127.0.0.1.evil.com",
        "localhost.evil.com",
        "evil.localhost",
        "localhost-1",
        "[2001:db8::1]",
        "[::]",
        "[::ffff:127.0.0.1]",
        "[::127.0.0.1]",
        "0.0.0.0",
        "128.0.0.1",
        "10.0.0.1",
        "169.254.169.254",
        "registry.local",
    ] {
        assert!(!is_loopback(text), "{text}");
    }
}

#[test]
fn one_registry_has_one_spelling() {
    for (text, spelling) in [
        ("Registry.EXAMPLE:5000", "registry.example:5000"),
        ("[0:0:0:0:0:0:0:1]:5000", "[::1]:5000"),
        ("[2001:DB8:0::1]", "[2001:db8::1]"),
        ("[::FFFF:7f00:1]", "[::ffff:127.0.0.1]"),
    ] {
        let registry: Authority = text.parse().unwrap();
        assert_eq!(registry.to_string(), spelling);
        assert_eq!(registry, spelling.parse().unwrap());
    }
}

#[test]
fn references() {
    let digest = Digest::of(b"");
    reads::<Reference>(&[
        "registry.example/a:1",
        "localhost/a:1",
        "registry:5000/a:1",
        &format!("registry.example/a/b@{digest}"),
        &format!("[::1]:5000/a:1@{digest}"),
    ]);
    refuses::<Reference>(&[
        "",
        "a",
        "a:1",
        "a/b:1",
        "docker/a:1",
        "registry.example",
        "registry.example/a",
        "registry.example/a:",
        "registry.example/a@",
        "registry.example/a:latest",
        "registry.example/a:LATEST",
        "registry.example/a:１２",
        "registry.example/A:1",
        "registry.example/a:1:2",
        "registry.example//a:1",
        "registry.example/:1",
        "registry.example/../a:1",
        "registry.example:0/a:1",
        "registry.example:99999/a:1",
        "registry.example/a:1\n",
        " registry.example/a:1",
        "127.1/a:1",
        "0x7f.1/a:1",
        "user:pass@registry.example/a:1",
        "https://registry.example/a:1",
        "//registry.example/a:1",
        "registry.example/a@md5:abc",
        &format!("registry.example/a@{}", digest.to_string().to_uppercase()),
        &format!("registry.example/a@{digest}@{digest}"),
        &format!("registry.example/a@{digest}:1"),
        &format!("registry.example@{digest}"),
    ]);
}

#[test]
fn git_objects() {
    let id = "0123456789abcdef0123456789abcdef01234567";
    reads::<ObjectId>(&[id]);
    reads::<CommitId>(&[id]);
    let upper = id.to_uppercase();
    let bad = ["", "HEAD", "main", &id[1..], &format!("{id}0"), &upper, &format!("{id}\n"), &id.repeat(2)[..64], "-n"];
    refuses::<ObjectId>(&bad);
    refuses::<CommitId>(&bad);
}

#[test]
fn runs() {
    reads::<RunId>(&["01ARZ3NDEKTSV4RRFFQ69G5FAV", "00000000000000000000000000", "7ZZZZZZZZZZZZZZZZZZZZZZZZZ"]);
    refuses::<RunId>(&[
        "",
        "01arz3ndektsv4rrffq69g5fav",
        "01ARZ3NDEKTSV4RRFFQ69G5FA",
        "01ARZ3NDEKTSV4RRFFQ69G5FAV0",
        "01ARZ3NDEKTSV4RRFFQ69G5FAI",
        "01ARZ3NDEKTSV4RRFFQ69G5FAL",
        "01ARZ3NDEKTSV4RRFFQ69G5FAO",
        "01ARZ3NDEKTSV4RRFFQ69G5FAU",
        "80000000000000000000000000",
        "ZZZZZZZZZZZZZZZZZZZZZZZZZZ",
        "01ARZ3NDEKTSV4RRFFQ69G5F\n0",
        "0é1RZ3NDEKTSV4RRFFQ69G5FAV",
    ]);
}

#[test]
fn actors() {
    let long = "a".repeat(256);
    reads::<ActorId>(&[
        "azure-devops:0b000001-0000-0000-0000-00000000000f",
        "aws:arn:aws:sts::111111111111:assumed-role/Deploy/ana",
        "claimed:Ana, on call: INC-7",
        "claimed:é",
        &format!("claimed:{long}"),
    ]);
    refuses::<ActorId>(&[
        "",
        "ana",
        "azure-devops:",
        "azure-devops:ana@acme.example",
        "azure-devops:0b0000010000000000000000000000000f",
        "azure-devops:{0b000001-0000-0000-0000-00000000000f}",
        "azure-devops:0b000001-0000-0000-0000-00000000000g",
        "azure-devops:0b000001-0000-0000-0000-00000000000f\n",
        "azure-devops:0b00000-10000-0000-0000-00000000000f",
        "azure-devops:--------0000-0000-0000-000000000000",
        "Azure-DevOps:0b000001-0000-0000-0000-00000000000f",
        "aws:",
        "aws:111111111111",
        "aws:arn:é",
        "aws:arn:a\nb",
        "claimed:",
        "claimed:a\nb",
        "claimed:a\u{1b}[0m",
        "claimed:a\u{85}b",
        &format!("claimed:{long}a"),
        "github:ana",
    ]);
    let upper: ActorId = "azure-devops:0B000001-0000-0000-0000-00000000000F".parse().unwrap();
    assert_eq!(upper, "azure-devops:0b000001-0000-0000-0000-00000000000f".parse().unwrap());
}
