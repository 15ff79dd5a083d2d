//! Servers that can little, and packs that make no sense: rows 19 and 20.

use bytes::Bytes;
use sandbox::Act;

use super::{
    Case,
    Ends::{Failed, Updated},
    cases,
};
use crate::{
    scene::{READ, Scene},
    wire::{pack_of_a_delta, packfile, says},
};

fn unset(scene: &Scene, keys: &[&str]) {
    for key in keys {
        scene.hosted.git(&["config", key, "false"]);
    }
}

/// The server does not say that it can do these.
fn hides(scene: &Scene, words: &'static [&'static str]) {
    scene.script.set(move |seen| {
        if !seen.is("GET", "*/info/refs*") {
            return Act::Pass;
        }
        Act::change(move |answer| {
            answer.map(|body| {
                let text = String::from_utf8(body.to_vec()).unwrap();
                let hidden = words.iter().fold(text, |text, word| text.replace(word, &"x".repeat(word.len())));
                Bytes::from(hidden)
            })
        })
    });
}

/// What the server sends instead of every pack but the lists of refs.
fn sends(scene: &Scene, pack: fn() -> Vec<u8>) {
    scene.on(READ, 2.., move |_| says("upload-pack", packfile(&pack())));
}

cases! {
    no_filter => Case::new(19, "a server without filters", Updated, |scene| unset(scene, &["uploadpack.allowFilter"]));

    no_object_by_its_id => Case::new(19, "a server that hands out no object by its id", Updated, |scene| {
        unset(scene, &["uploadpack.allowAnySHA1InWant"]);
    }).without_v2();

    nothing_but_the_first_protocol => Case::new(19, "a server with the first protocol, and neither of both", Updated, |scene| {
        unset(scene, &["uploadpack.allowAnySHA1InWant", "uploadpack.allowFilter"]);
    }).without_v2();

    no_multi_ack => Case::new(19, "a server with the first protocol and without multi_ack", Updated, |scene| {
        hides(scene, &["multi_ack_detailed", "multi_ack"]);
    }).without_v2();

    no_bands_and_no_offsets => Case::new(19, "a server with the first protocol, without bands and offsets", Updated, |scene| {
        hides(scene, &["side-band-64k", "side-band", "ofs-delta"]);
    }).without_v2();

    no_depth => Case::new(19, "a server with the first protocol, which cannot cut history off", Updated, |scene| {
        hides(scene, &["shallow"]);
    }).without_v2().with_program(Failed(3)).within(4);

    delta_of_an_absent_object => Case::new(20, "a pack with a REF_DELTA against an object that nobody has", Failed(1), |scene| {
        sends(scene, || pack_of_a_delta(7, &[0xab; 20]));
    }).with_program(Failed(3)).within(3);

    delta_before_the_pack => Case::new(20, "a pack with an OFS_DELTA against what would be before the pack", Failed(1), |scene| {
        sends(scene, || pack_of_a_delta(6, &[100]));
    }).with_program(Failed(3)).within(3);
}
