//! Lists of tags, whole and in pages.

use http::Method;
use release::Digest;

use super::{
    Cases,
    client::{Reply, Target, all, holds, manifest},
    manifests::prepare,
    repository, shapes,
};

const TAGS: [&str; 7] = ["0.9", "1.0", "alpha", "beta", "gamma", "v1_2-rc.3", "z"];
/// The longest tag has 128 characters.
const LONGEST: usize = 128;

pub(super) async fn run(target: &Target, cases: &mut Cases) {
    names(target, cases).await;
    let shape = shapes::image("tagged", |_| {});
    prepare(target, repository::TAGS, &shape).await;
    for tag in ["z", "alpha", "gamma", "0.9", "v1_2-rc.3", "beta", "1.0"] {
        target.put(repository::TAGS, tag, shape.media_type, &shape.bytes).await;
    }
    cases.begin("tags/list".to_owned());
    let path = format!("/v2/{}/tags/list", repository::TAGS);
    let list = target.get(&path).await;
    cases.check("all in order", all([list.is(200), holds(tags(&list) == TAGS, "not they")]));
    cases.check("under the repository's name", holds(list.json()["name"] == repository::TAGS, "another name"));
    cases.check("without a next page", holds(list.has("link").is_err(), "a Link"));
    for limit in 0..=TAGS.len() + 1 {
        let list = target.get(&format!("{path}?n={limit}")).await;
        let due = &TAGS[..limit.min(TAGS.len())];
        cases.check(&format!("the first {limit}"), all([list.is(200), holds(tags(&list) == due, "not they")]));
        let goes_on = limit > 0 && limit < TAGS.len();
        cases.check(
            &format!("the first {limit}: a Link only to more"),
            holds(list.has("link").is_ok() == goes_on, "not so"),
        );
    }
    for (at, last) in TAGS.iter().enumerate() {
        let list = target.get(&format!("{path}?n=2&last={last}")).await;
        let due = &TAGS[at + 1..(at + 3).min(TAGS.len())];
        cases.check(&format!("two after {last}"), all([list.is(200), holds(tags(&list) == due, "not they")]));
        let list = target.get(&format!("{path}?last={last}")).await;
        cases
            .check(&format!("all after {last}"), all([list.is(200), holds(tags(&list) == TAGS[at + 1..], "not they")]));
    }
    let list = target.get(&format!("{path}?n=2&last=h-is-no-tag")).await;
    cases.check("two after a name that is no tag", holds(tags(&list) == TAGS[5..], "not they"));
    for limit in [1, 2, 3, 6] {
        cases.check(&format!("in pages of {limit}"), holds(in_pages(target, &path, limit).await == TAGS, "not they"));
    }
    let list = target.get(&format!("/v2/{}/tags/list", repository::NAMES)).await;
    cases.check(
        "in an order without regard to case",
        holds(tags(&list).is_sorted_by_key(|tag| tag.to_lowercase()), "not so"),
    );
    let nowhere = target.get("/v2/conformance/never/tags/list").await;
    cases.check("of a repository that is not there", nowhere.refuses(&[404]));
}

async fn in_pages(target: &Target, path: &str, limit: usize) -> Vec<String> {
    let (mut all, mut page) = (Vec::new(), format!("{path}?n={limit}"));
    for _ in 0..=TAGS.len() {
        let list = target.get(&page).await;
        all.extend(tags(&list));
        let link = list.header("link");
        match link.split_once('<').and_then(|(_, rest)| rest.split_once('>')) {
            Some((next, rel)) if rel.contains("rel=\"next\"") => page = next.to_owned(),
            _ => break,
        }
    }
    all
}

fn tags(list: &Reply) -> Vec<String> {
    let list = list.json();
    list["tags"].as_array().into_iter().flatten().filter_map(|tag| tag.as_str()).map(str::to_owned).collect()
}

/// What a tag may be called.
async fn names(target: &Target, cases: &mut Cases) {
    cases.begin("tags/names".to_owned());
    let shape = shapes::image("named", |_| {});
    prepare(target, repository::NAMES, &shape).await;
    let longest = "l".repeat(LONGEST);
    let names = [
        ("of one letter", "a"),
        ("with an underscore first", "_a"),
        ("of lower case", "b"),
        ("of upper case", "C"),
        ("with all its signs", "A.b-c_9.."),
        ("the longest", &longest),
    ];
    for (name, tag) in names {
        let stored = target.put(repository::NAMES, tag, shape.media_type, &shape.bytes).await;
        cases.check(&format!("PUT: {name}"), stored.is(201));
        let accept = [("accept", shape.media_type)];
        let got = target.call(Method::GET, &manifest(repository::NAMES, tag), &accept, "").await;
        cases.check(
            &format!("GET: {name}"),
            all([got.is(200), got.says("docker-content-digest", &Digest::of(&shape.bytes))]),
        );
    }
    let too_long = "l".repeat(LONGEST + 1);
    for (name, tag) in [
        ("with a dot first", ".a"),
        ("with a hyphen first", "-a"),
        ("with another sign", "a+b"),
        ("too long", &too_long),
    ] {
        let stored = target.put(repository::NAMES, tag, shape.media_type, &shape.bytes).await;
        cases.check(&format!("PUT: {name}"), stored.is_one_of(&[400, 404]));
        cases
            .check(&format!("GET: {name}"), target.get(&manifest(repository::NAMES, tag)).await.is_one_of(&[400, 404]));
    }
}
