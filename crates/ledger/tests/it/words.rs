//! What is no word of this crate: hostile URLs, paths, branches, identities.

use ledger::{
    Branch, LedgerError, LedgerUrl, Remote, RepoPath,
    git::{Identity, Program},
};

use crate::{script::Script, support::main};

#[tokio::test]
async fn a_hostile_url_is_a_usage_error_and_runs_nothing() {
    let hostile = [
        "",
        "-oProxyCommand=id",
        "--upload-pack=id",
        "ext::sh -c id",
        "ext::https://git.example/x",
        "fd::17",
        "ssh://-oProxyCommand=id/x",
        "ssh://%2doProxyCommand=id/x",
        "ssh://%2DoProxyCommand/x",
        "ssh://-oProxyCommand@git.example/x",
        "ssh://%2doProxyCommand@git.example/x",
        "ssh://git:s3cret@git.example/x",
        "ssh://git%3as3cret@git.example/x",
        "ssh://git%0a@git.example/x",
        "ssh://git@git.example@evil.example/x",
        "ssh://git.example",
        "ssh://git.example/",
        "ssh:///x",
        "ssh:/x",
        "ssh://GIT.example/x",
        "ssh://git.example:0/x",
        "ssh://git.example:-1/x",
        "ssh://git.example/x%0a",
        "ssh://git.example/x\n",
        "ssh://git.example/x?s3cret",
        "ssh://git.example/../x",
        "ssh://$(id)/x",
        "ssh://`id`/x",
        "ssh://a;id/x",
        "ssh://a|id/x",
        "ssh://0x7f.1/x",
        "ssh://[fe80::1%25eth0]/x",
        "git+ssh://git.example/x",
        "ssh+git://git.example/x",
        "git://git.example/x",
        "git://127.0.0.1.evil.example/x",
        "git://127.1/x",
        "git://-127.0.0.1/x",
        "git://s3cret@127.0.0.1/x",
        "git://127.0.0.1/x%0aHost:evil",
        "git@git.example:x",
        "git.example:x",
        "ftp://git.example/x",
        "gopher://git.example/x",
        "git.example/x",
        "/srv/ledger.git",
        "../ledger.git",
        "https:///x",
        "https://",
        "https://git.example",
        "https://git.example/",
        "https:git.example/x",
        "https:/git.example/x",
        "https://-git.example/x",
        "https://user@git.example/x",
        "https://user:s3cret@git.example/x",
        "https://:s3cret@git.example/x",
        "https://git.example@evil.example/x",
        "https://git.example\\@evil.example/x",
        "https://git.example/x?token=s3cret",
        "https://git.example/x#s3cret",
        "https://git.example/x%0a--upload-pack=id",
        "https://git.example/x%0D%0AHost:evil",
        "https://git.example/x%00",
        "https://git.example/x%",
        "https://git.example/x%zz",
        "https://git.example/x\n",
        "https://git.exa\tmple/x",
        " https://git.example/x",
        "https://git.example/a b",
        "https://git.example/../x",
        "https://git.example/a/%2e%2e/x",
        "https://git.example:0/x",
        "https://git.example:443/x",
        "https://git.example:99999/x",
        "HTTPS://git.example/x",
        "https://GIT.example/x",
        "https://0x7f.1/x",
        "https://127.1/x",
        "https://g\u{ff49}t.example/x",
        "http://git.example/x",
        "http://127.0.0.1.evil.example/x",
        "http://0.0.0.0/x",
        "http://[::ffff:127.0.0.1]/x",
        "http://localhost.evil.example/x",
        "file://git.example/x",
        "file://localhost/x",
        "file:///",
        "file:/x",
        "file:///a/../x",
        "file:///x?y",
    ];
    let canary = Script::new("exit 1");
    for text in hostile {
        match text.parse::<LedgerUrl>() {
            Err(error) => assert!(!error.to_string().contains("s3cret"), "{error}"),
            Ok(url) => {
                let ran = Program::new(url, canary.settings()).head(&main()).await;
                panic!("{text:?} was read as a URL: {ran:?}");
            }
        }
    }
    assert_eq!(canary.calls(), "");
    // The canary does sing: an honest URL runs it.
    for honest in [
        "https://git.example/x",
        "http://127.0.0.1:8080/x%20y",
        "http://[::1]/x",
        "file:///x",
        "ssh://git@git.example/x",
        "ssh://git_1.example:2222/~me/x%20y",
        "ssh://[::1]/x",
        "git://127.0.0.1:9418/x",
        "git://localhost/x",
    ] {
        let url: LedgerUrl = honest.parse().unwrap();
        assert_eq!(url.to_string(), honest);
        let failed = Program::new(url, canary.settings()).head(&main()).await;
        assert!(matches!(failed, Err(LedgerError::Git { .. })), "{failed:?}");
    }
    assert_eq!(canary.calls().matches("ARGS init").count(), 9);
}

#[test]
fn a_clone_url_of_azure_devops_says_what_to_remove() {
    for text in [
        "https://acme@dev.azure.com/acme/forge/_git/ledger",
        "https://acme:s3cret@dev.azure.com/acme/forge/_git/ledger",
        "https://:s3cret@dev.azure.com/acme/forge/_git/ledger",
    ] {
        let error = text.parse::<LedgerUrl>().unwrap_err().to_string();
        assert!(error.contains("remove what stands between // and @, and the @"), "{error}");
        assert!(!error.contains("s3cret"), "{error}");
    }
    for (text, advice) in [
        ("git@ssh.dev.azure.com:v3/acme/forge/ledger", "write ssh://USER@HOST/PATH instead of"),
        ("git.example:ledger", "write ssh://USER@HOST/PATH instead of"),
        ("https://acme@dev.azure.com/acme?x", "write https://HOST/PATH"),
        ("http://a@git.example/x", "write https://HOST/PATH"),
    ] {
        let error = text.parse::<LedgerUrl>().unwrap_err().to_string();
        assert!(error.contains(advice), "{error}");
    }
}

#[test]
fn a_hostile_path_branch_or_identity_is_no_word() {
    for text in [
        "",
        "/a",
        "a/",
        "a//b",
        ".",
        "..",
        "a/../b",
        "./a",
        ".git",
        ".GIT/config",
        "a/.gitmodules",
        ".Gitattributes",
        "-a",
        "a/-b",
        "a b",
        "a\\b",
        "a\nb",
        "a:b",
        "a*",
        "\u{e4}",
        "a\0b",
        "~",
        "git~1?",
    ] {
        assert!(text.parse::<RepoPath>().is_err(), "{text:?}");
    }
    assert!("a".repeat(512).parse::<RepoPath>().is_ok() && "a".repeat(513).parse::<RepoPath>().is_err());
    for text in [
        "",
        "-x",
        "refs/heads/",
        "refs/heads/-x",
        "refs/tags/x",
        "HEAD",
        "head",
        "refs/heads/HEAD",
        "a..b",
        "a.lock",
        "a/b.LOCK",
        ".a",
        "a/.b",
        "a.",
        "a//b",
        "/a",
        "a/",
        "a b",
        "a:b",
        "a~1",
        "a^",
        "a?",
        "a*",
        "a[",
        "a\\b",
        "@",
        "a@{1}",
        "+main",
        "main:main",
        "a\nb",
        "refs/heads/refs/heads/a",
    ] {
        assert!(text.parse::<Branch>().is_err(), "{text:?}");
    }
    assert_eq!("refs/heads/release/1.2".parse::<Branch>().unwrap().short(), "release/1.2");
    for (name, email) in [("", "a@b"), ("a", ""), ("a<b", "c"), ("a", "b>"), ("a\nb", "c"), (" a", "b")] {
        assert!(Identity::new(name, email).is_err(), "{name:?} {email:?}");
    }
    assert_eq!(Identity::new("Forge", "forge@acme.example").unwrap().to_string(), "Forge <forge@acme.example>");
}
