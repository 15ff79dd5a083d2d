//! Answers that break HTTP's bounds, or keep to them endlessly.

use super::{
    Bomb, Shop, bombs,
    server::{Fire, answer, head},
    shop::IMAGE,
};

/// Answers the question for the tag.
fn first(shop: &mut Shop, fire: impl Fn() -> Fire + Send + Sync + 'static) {
    shop.at("manifests/1", fire);
}

fn whole(status: &str, headers: &[&str], body: &[u8]) -> Fire {
    Fire::Whole(answer(status, headers, body))
}

/// Asks for a token at every question for the tag, and answers who asks for one.
fn tokens(shop: &mut Shop, fire: impl Fn() -> Fire + Send + Sync + 'static) {
    let challenge = format!("WWW-Authenticate: Bearer realm=\"http://{}/token\",service=\"a\"", shop.authority);
    first(shop, move || whole("401 Unauthorized", &[&challenge], b""));
    shop.at("/token", fire);
}

const JSON: &str = "Content-Type: application/json";

bombs! {
    error_of_a_gigabyte => Bomb::at_source("an error whose text never ends", 1, "400", |shop| {
        first(shop, || Fire::Endless(head("400 Bad Request", &[JSON]), b"sorry ".to_vec()));
    });

    header_lines_without_end => Bomb::at_source("header lines without end", 3, "the connection broke", |shop| {
        first(shop, || Fire::Endless(b"HTTP/1.1 200 OK\r\n".to_vec(), b"X-Next: 1\r\n".to_vec()));
    }).within("1s");

    header_line_without_end => Bomb::at_source("a header line that never ends", 3, "the connection broke", |shop| {
        first(shop, || Fire::Endless(b"HTTP/1.1 200 OK\r\nX: ".to_vec(), b"x".to_vec()));
    }).within("1s");

    header_of_a_mebibyte => Bomb::at_source("a header of 1 MiB", 3, "the connection broke", |shop| {
        first(shop, || whole("200 OK", &[&format!("X: {}", "x".repeat(1 << 20))], b""));
    }).within("1s");

    status_line_without_end => Bomb::at_source("a status line that never ends", 3, "the connection broke", |shop| {
        first(shop, || Fire::Endless(b"HTTP/1.1 200 ".to_vec(), b"fine ".to_vec()));
    }).within("1s");

    no_http_at_all => Bomb::at_source("random bytes instead of HTTP", 3, "the connection broke", |shop| {
        first(shop, || Fire::Endless(vec![0x16, 0x03, 0x01], vec![0xa5; 4096]));
    }).within("1s");

    interim_answers_without_end => Bomb::at_source("100 Continue without end", 3, "", |shop| {
        first(shop, || Fire::Endless(Vec::new(), b"HTTP/1.1 100 Continue\r\n\r\n".to_vec()));
    }).within("4s");

    trailers_without_end => Bomb::at_source("trailers without end", 3, "the connection broke", |shop| {
        first(shop, || {
            let kind = format!("Content-Type: {IMAGE}");
            let start = [&head("200 OK", &["Transfer-Encoding: chunked", &kind])[..], b"2\r\n{}\r\n0\r\n"].concat();
            Fire::Endless(start, b"X-Next: 1\r\n".to_vec())
        });
    }).within("1s");

    chunk_extension_without_end => Bomb::at_source("a chunk's extension never ends", 3, "the connection broke", |shop| {
        first(shop, || {
            let start = head("200 OK", &["Transfer-Encoding: chunked", &format!("Content-Type: {IMAGE}")]);
            Fire::Endless([&start[..], b"2;"].concat(), b"x".to_vec())
        });
    }).within("1s");

    chunk_of_2_to_the_68 => Bomb::at_source("a chunk of 2^68 bytes", 3, "the connection broke", |shop| {
        first(shop, || {
            let start = head("200 OK", &["Transfer-Encoding: chunked", &format!("Content-Type: {IMAGE}")]);
            Fire::Endless([&start[..], b"fffffffffffffffff\r\n"].concat(), b"{}".to_vec())
        });
    }).within("1s");

    gzip_bomb => Bomb::at_source("a manifest as gzip, which nobody asked for", 1, "Content-Encoding", |shop| {
        first(shop, || {
            let kind = format!("Content-Type: {IMAGE}");
            Fire::Endless(head("200 OK", &["Content-Encoding: gzip", &kind]), vec![0; 4096])
        });
    });

    gzip_bomb_as_a_layer => Bomb::at_source("a layer as gzip, which nobody asked for", 1, "Content-Encoding", |shop| {
        shop.image_with_layer(b"a layer", || Fire::Endless(head("200 OK", &["Content-Encoding: gzip"]), vec![0; 4096]));
    });

    manifest_drop_by_drop => Bomb::at_source("a manifest of one byte a second", 3, "stalled for 30 s", |shop| {
        first(shop, || Fire::Drip(head("200 OK", &[&format!("Content-Type: {IMAGE}"), "Content-Length: 1000"])));
    }).within(super::PATIENT);

    layer_drop_by_drop => Bomb::at_source("a layer of one byte a second", 3, "stalled for 30 s", |shop| {
        shop.image_with_layer(&[b'x'; 1_000], || Fire::Drip(head("200 OK", &["Content-Length: 1000"])));
    }).within(super::PATIENT);

    layer_without_end => Bomb::at_source("a layer that never ends", 13, "should have 7 bytes", |shop| {
        shop.image_with_layer(b"a layer", || Fire::Endless(head("200 OK", &[]), vec![0; 4096]));
    });

    layer_of_chunks_without_end => Bomb::at_source("a layer in one-byte chunks without end", 13, "should have 7 bytes", |shop| {
        shop.image_with_layer(b"a layer", || {
            Fire::Endless(head("200 OK", &["Transfer-Encoding: chunked"]), b"1\r\nx\r\n".to_vec())
        });
    });

    layer_that_claims_an_exbibyte => Bomb::at_source("a layer whose Content-Length is 2^60", 13, "should have 7 bytes", |shop| {
        shop.image_with_layer(b"a layer", || {
            Fire::Endless(head("200 OK", &["Content-Length: 1152921504606846976"]), vec![0; 4096])
        });
    });

    come_back_in_300_years => Bomb::at_source("429 with Retry-After: 9999999999", 3, "429", |shop| {
        first(shop, || whole("429 Too Many Requests", &["Retry-After: 9999999999"], b""));
    }).within("3s");

    redirect_to_itself => Bomb::at_source("a layer's GET redirects to itself", 1, "redirect", |shop| {
        shop.image_with_layer(b"a layer", || {
            let to = format!("Location: /v2/a/{}", super::shop::blob_path(&super::shop::layer(b"a layer")));
            whole("307 Temporary Redirect", &[&to], b"")
        });
    });

    redirects_10 => Bomb::at_source("a layer is ten redirects away", 1, "redirect", |shop| {
        shop.image_with_layer(b"a layer", || whole("307 Temporary Redirect", &["Location: /1"], b""));
        for hop in 1..10 {
            let to = format!("Location: /{}", hop + 1);
            shop.at(&format!("/{hop}"), move || whole("307 Temporary Redirect", &[&to], b""));
        }
        shop.at("/10", || whole("200 OK", &[], b"a layer"));
    });

    manifest_that_redirects => Bomb::at_source("a manifest's GET redirects to itself", 1, "redirect", |shop| {
        first(shop, || whole("307 Temporary Redirect", &["Location: /v2/a/manifests/1"], b""));
    });

    token_of_a_gigabyte => Bomb::at_source("a token that never ends", 1, "longer than", |shop| {
        tokens(shop, || Fire::Endless(head("200 OK", &[JSON]), b"{\"token\":[".to_vec()));
    });

    token_for_ever => Bomb::at_source("a token that is good for 10^300 seconds", 1, "credentials", |shop| {
        tokens(shop, || whole("200 OK", &[JSON], br#"{"token":"t","expires_in":1e300}"#));
    });

    token_that_was => Bomb::at_source("a token that expired before it was given", 1, "credentials", |shop| {
        tokens(shop, || {
            let text = br#"{"token":"t","expires_in":-18446744073709551615,"issued_at":"0000-01-01T00:00:00Z"}"#;
            whole("200 OK", &[JSON], text)
        });
    });

    challenges_1_000 => Bomb::at_source("a challenge of 1,000 schemes", 1, "credentials", |shop| {
        first(shop, || {
            let all: String = (0..1_000).map(|number| format!("S{number} realm=\"/token\", ")).collect();
            whole("401 Unauthorized", &[&format!("WWW-Authenticate: {}", all.trim_end_matches(", "))], b"")
        });
    });

    digest_header_of_60_kib => Bomb::at_source("a Docker-Content-Digest of 60 KiB", 1, "Docker-Content-Digest", |shop| {
        first(shop, || {
            let digest = format!("Docker-Content-Digest: sha256:{}", "0".repeat(60 << 10));
            whole("200 OK", &[&digest, &format!("Content-Type: {IMAGE}")], b"{}")
        });
    });
}
