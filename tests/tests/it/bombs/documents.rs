//! Manifests and indexes that are too much, or mean two things.

use serde_json::{Value, json};

use super::{
    Bomb, Shop, bombs,
    server::{Fire, answer, head},
    shop::{IMAGE, INDEX, image, index, invented, layer, served},
};

const MIB: usize = 1 << 20;

/// An image whose one layer's descriptor has another value in one place.
fn altered(shop: &mut Shop, key: &str, value: &str) {
    let config = shop.blob(b"{}");
    let text = image(&config, &[layer(b"a layer")]);
    let (before, after) = text.rsplit_once(&format!("\"{key}\":")).unwrap();
    let rest = after.split_once([',', '}']).unwrap().0.len();
    shop.image(IMAGE, format!("{before}\"{key}\":{value}{}", &after[rest..]));
}

/// An image with an annotation of this many bytes.
fn padded(number: usize, bytes: usize) -> String {
    let config = invented("application/vnd.oci.image.config.v1+json", number);
    let (text, pad) = (image(&config, &[]), "x".repeat(bytes));
    text.replacen('{', &format!("{{\"annotations\":{{\"pad\":\"{pad}\"}},"), 1)
}

bombs! {
    manifest_of_4_mib_and_one_byte => Bomb::at_source("a manifest of 4 MiB and one byte", 1, "more than 4 MiB", |shop| {
        let mut text = padded(0, 4 * MIB);
        text.truncate(4 * MIB + 1);
        shop.at("manifests/1", move || served(IMAGE, text.as_bytes()));
    });

    manifest_without_end => Bomb::at_source("a manifest that never ends, in chunks", 1, "more than 4 MiB", |shop| {
        shop.at("manifests/1", || {
            let start = head("200 OK", &["Transfer-Encoding: chunked", &format!("Content-Type: {IMAGE}")]);
            Fire::Endless(start, format!("10000\r\n{}\r\n", "[".repeat(1 << 16)).into_bytes())
        });
    });

    manifest_that_claims_an_exbibyte => Bomb::at_source(
        "a manifest whose Content-Length is 2^60", 1, "more than 4 MiB", |shop| {
        shop.at("manifests/1", || {
            Fire::Whole(head("200 OK", &[&format!("Content-Type: {IMAGE}"), "Content-Length: 1152921504606846976"]))
        });
    });

    nested_2_million_deep => Bomb::at_source("JSON arrays nested 2 million deep", 1, "not well formed", |shop| {
        shop.image(IMAGE, format!("{{\"config\":{}{}}}", "[".repeat(2 * MIB - 8), "]".repeat(2 * MIB - 8)));
    });

    descriptors_100_000 => Bomb::at_source("100,000 layers in one manifest, 15 MB", 1, "more than 4 MiB", |shop| {
        let layers = vec![layer(b"a layer"); 100_000];
        shop.image(IMAGE, image(&layer(b"{}"), &layers));
    });

    descriptors_20_000 => Bomb::at_source("20,000 layers in one manifest, 3 MB", 1, "more than 1,000", |shop| {
        let layers: Vec<_> = (0..20_000).map(|number| invented("a/b", number)).collect();
        shop.image(IMAGE, image(&layers[0], &layers));
    });

    keys_250_000 => Bomb::at_source("250,000 annotations", 1, "no blob", |shop| {
        let text = image(&shop.blob(b"{}"), &[layer(b"a layer")]);
        let keys: String = (0..250_000).map(|number| format!("\"{number:x}\":\"\",")).collect();
        let keys = format!("{{\"annotations\":{{{}}},", keys.trim_end_matches(','));
        shop.image(IMAGE, text.replacen('{', &keys, 1));
    });

    fan_out_1_000_by_1_000 => Bomb::at_source(
        "an index of 1,000 indexes of 1,000 images each", 1, "more than", |shop| {
        let fan = |number: usize| -> Vec<Value> {
            (0..1_000).map(|other| invented(IMAGE, number * 1_000 + other)).collect()
        };
        let indexes: Vec<_> = (0..1_000).map(|number| shop.manifest(INDEX, index(&fan(number)))).collect();
        shop.image(INDEX, index(&indexes));
    });

    five_indexes_deep => Bomb::at_source("indexes in indexes, five deep", 1, "more than 4 deep", |shop| {
        let config = shop.blob(b"{}");
        let mut inner = shop.manifest(IMAGE, image(&config, &[]));
        for _ in 0..5 {
            inner = shop.image(INDEX, index(&[inner]));
        }
    });

    nodes_10_001 => Bomb::at_source("11 images of 999 layers each", 1, "more than 10,000", |shop| {
        let many = |number: usize| -> Vec<Value> {
            (1..1_000).map(|other| invented("a/b", number * 1_000 + other)).collect()
        };
        let images: Vec<_> = (0..11).map(|number| shop.manifest(IMAGE, image(&layer(b"{}"), &many(number)))).collect();
        shop.image(INDEX, index(&images));
    });

    manifests_of_36_mib => Bomb::at_source("9 manifests of almost 4 MiB each", 1, "more than 32 MiB together", |shop| {
        let images: Vec<_> = (0..9).map(|number| shop.manifest(IMAGE, padded(number, 4 * MIB - 500))).collect();
        shop.image(INDEX, index(&images));
    });

    manifests_of_28_mib => Bomb::at_source("7 manifests of almost 4 MiB each, and no blob of them", 1, "", |shop| {
        let images: Vec<_> = (0..7).map(|number| shop.manifest(IMAGE, padded(number, 4 * MIB - 500))).collect();
        shop.image(INDEX, index(&images));
    });

    size_of_2_to_the_64 => Bomb::at_source("a layer of 2^64 - 1 bytes", 1, "not well formed", |shop| {
        altered(shop, "size", "18446744073709551615");
    });

    size_beyond_all => Bomb::at_source("a layer of 10^400 bytes", 1, "not well formed", |shop| {
        altered(shop, "size", &format!("1{}", "0".repeat(400)));
    });

    negative_size => Bomb::at_source("a layer of -1 bytes", 1, "not well formed", |shop| altered(shop, "size", "-1"));

    size_with_a_fraction => Bomb::at_source("a layer of 7.5 bytes", 1, "not well formed", |shop| {
        altered(shop, "size", "7.5");
    });

    two_sizes => Bomb::at_source("one digest with two sizes", 13, "two sizes", |shop| {
        let config = shop.blob(b"{}");
        let (one, mut other) = (layer(b"a layer"), layer(b"a layer"));
        other["size"] = json!(8);
        shop.image(IMAGE, image(&config, &[one, other]));
    });

    duplicate_keys => Bomb::at_source("two `layers` in one manifest", 13, "stands twice", |shop| {
        let text = image(&shop.blob(b"{}"), &[layer(b"a layer")]);
        shop.image(IMAGE, text.replacen('{', "{\"layers\":[],", 1));
    });

    digest_that_is_a_path => Bomb::at_source("a layer called sha256:../../etc/passwd", 1, "not well formed", |shop| {
        altered(shop, "digest", "\"sha256:../../../../etc/passwd\"");
    });

    names_that_are_no_utf_8 => Bomb::at_source("a media type that is no UTF-8", 1, "not well formed", |shop| {
        let text = image(&shop.blob(b"{}"), &[layer(b"a layer")]);
        let bytes: Vec<u8> = text.into_bytes().into_iter().map(|b| if b == b'd' { 0xff } else { b }).collect();
        shop.image(IMAGE, bytes);
    });

    names_that_command => Bomb::at_source("a media type that is a logging command", 13, "calls itself", |shop| {
        altered(shop, "mediaType", "\"##vso[task.setvariable variable=PATH]/tmp\"");
    });

    web_page => Bomb::at_source("404 with an HTML page", 1, "404 without an error of a registry", |shop| {
        shop.at("manifests/1", || {
            Fire::Whole(answer("404 Not Found", &["Content-Type: text/html"], &b"<html>".repeat(10_000)))
        });
    });
}
