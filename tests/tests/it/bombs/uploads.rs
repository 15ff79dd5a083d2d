//! What a destination can do to who pushes.

use super::{
    Bomb, Shop, bombs,
    server::{Fire, answer, head},
};

const UPLOADS: &str = "blobs/uploads/";
const SESSION: &str = "blobs/uploads/1";

fn whole(status: &str, headers: &[&str], body: &[u8]) -> Fire {
    Fire::Whole(answer(status, headers, body))
}

/// Opens upload sessions; what is sent to one gets this answer.
fn sessions(shop: &mut Shop, fire: impl Fn() -> Fire + Send + Sync + 'static) {
    shop.at(UPLOADS, || whole("202 Accepted", &["Location: /v2/a/blobs/uploads/1"], b""));
    shop.at(&format!("DELETE {SESSION}"), || whole("204 No Content", &[], b""));
    shop.at(SESSION, fire);
}

bombs! {
    session_without_end => Bomb::at_destination("each upload is answered with another session", 1, "202", |shop| {
        sessions(shop, || whole("202 Accepted", &["Location: /v2/a/blobs/uploads/1", "Range: 0-0"], b""));
    });

    session_elsewhere => Bomb::at_destination("an upload's Location is another server", 1, "another server", |shop| {
        shop.at(UPLOADS, || whole("202 Accepted", &["Location: http://127.0.0.2:1/v2/a/blobs/uploads/1"], b""));
    });

    session_of_60_kib => Bomb::at_destination("an upload's Location of 60 KiB", 3, "begin again", |shop| {
        shop.at(UPLOADS, || whole("202 Accepted", &[&format!("Location: /v2/{}", "a/".repeat(30 << 10))], b""));
    }).within("2s");

    upload_refused_without_end => Bomb::at_destination("an upload's refusal never ends", 1, "400", |shop| {
        sessions(shop, || Fire::Endless(head("400 Bad Request", &[]), b"sorry ".to_vec()));
    });

    upload_answered_in_headers_without_end => Bomb::at_destination(
        "an upload's answer has header lines without end", 3, "the connection broke", |shop| {
        sessions(shop, || Fire::Endless(b"HTTP/1.1 201 Created\r\n".to_vec(), b"X-Next: 1\r\n".to_vec()));
    }).within("1s");

    blob_that_claims_a_zebibyte => Bomb::at_destination("a blob is said to be there, with 2^70 bytes", 1, "404", |shop| {
        let layer = super::shop::blob_path(&super::shop::layer(super::LAYER));
        shop.at(&layer, || Fire::Whole(head("200 OK", &["Content-Length: 1180591620717411303424"])));
    });

    part_missing_for_ever => Bomb::at_destination("a manifest's part is missing, however often it is sent", 3, "no part", |shop| {
        sessions(shop, || whole("201 Created", &[], b""));
        let part = super::shop::layer(super::LAYER)["digest"].to_string();
        shop.at("PUT manifests/1", move || {
            let text = format!(r#"{{"errors":[{{"code":"MANIFEST_BLOB_UNKNOWN","detail":{{"digest":{part}}}}}]}}"#);
            whole("400 Bad Request", &["Content-Type: application/json"], text.as_bytes())
        });
    }).within("2s");
}
