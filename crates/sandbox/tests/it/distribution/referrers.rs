//! What refers to a subject.

use serde_json::{Value, json};

use super::{
    Cases,
    client::{Reply, Target, Verdict, all, holds, manifest},
    manifests::prepare,
    repository,
    shapes::{self, Shape},
};

const NOTE: &str = "application/vnd.forge.note";
const SIGNATURE: &str = "application/vnd.forge.signature";

pub(super) async fn run(target: &Target, cases: &mut Cases) {
    for (name, is_there) in [("a subject that is there", true), ("a subject that is not there", false)] {
        let subject =
            if is_there { shapes::image("referred to", |_| {}) } else { shapes::image("never there", |_| {}) };
        if is_there {
            prepare(target, repository::REFERRERS, &subject).await;
            let digest = subject.digest().to_string();
            target.put(repository::REFERRERS, &digest, subject.media_type, &subject.bytes).await;
        }
        cases.begin(format!("referrers/{name}"));
        of(target, cases, &subject).await;
    }
    cases.begin("referrers/refused".to_owned());
    let path = format!("/v2/{}/referrers/sha256:short", repository::REFERRERS);
    cases.check("of what is no digest", target.get(&path).await.refuses(&[400]));
}

/// The referrers that a subject gets, in the order in which they come.
fn referrers(subject: &Shape) -> [(Shape, &'static str); 5] {
    let about = json!({ "mediaType": subject.media_type, "digest": subject.digest(), "size": subject.bytes.len() });
    let with = |change: fn(&mut Value)| {
        let about = about.clone();
        move |document: &mut Value| {
            document["subject"] = about;
            change(document);
        }
    };
    let one = shapes::image("a referrer's part", |_| {});
    [
        (shapes::artifact("note", with(|_| {})), NOTE),
        (
            shapes::artifact("second-note", with(|document| document["annotations"]["org.forge.by"] = json!("ana"))),
            NOTE,
        ),
        (shapes::artifact("signature", with(|document| document["artifactType"] = json!(SIGNATURE))), SIGNATURE),
        (shapes::image("image", with(|_| {})), "application/vnd.oci.image.config.v1+json"),
        (
            shapes::index(
                "index",
                vec![one],
                with(|document| document["artifactType"] = json!("application/vnd.forge.set")),
            ),
            "application/vnd.forge.set",
        ),
    ]
}

async fn of(target: &Target, cases: &mut Cases, subject: &Shape) {
    let path = format!("/v2/{}/referrers/{}", repository::REFERRERS, subject.digest());
    let list = target.get(&path).await;
    cases.check("an empty list", all([is_list(&list), holds(digests(&list).is_empty(), "it is not empty")]));
    let all_of_them = referrers(subject);
    let mut put = Vec::new();
    for (referrer, artifact_type) in &all_of_them {
        prepare(target, repository::REFERRERS, referrer).await;
        let digest = referrer.digest().to_string();
        let stored = target.put(repository::REFERRERS, &digest, referrer.media_type, &referrer.bytes).await;
        let name = referrer.name;
        let told = stored.says("oci-subject", &subject.digest());
        cases.check(&format!("PUT of a referrer: {name}"), all([stored.is(201), told]));
        put.push(digest.clone());
        let list = target.get(&path).await;
        cases.check(&format!("all are listed after {name}"), holds(is_the_set(&digests(&list), &put), "not they"));
        let described = manifests(&list).into_iter().find(|entry| entry["digest"] == *digest).unwrap_or_default();
        let annotations: Value = serde_json::from_slice::<Value>(&referrer.bytes).unwrap()["annotations"].clone();
        let fields = [
            ("mediaType", json!(referrer.media_type)),
            ("size", json!(referrer.bytes.len())),
            ("artifactType", json!(artifact_type)),
            ("annotations", annotations),
        ];
        for (field, due) in fields {
            let is = described.get(field).cloned().unwrap_or_default();
            cases.check(&format!("{name} is listed with its {field}"), holds(is == due, "it is not"));
        }
    }
    filters(target, cases, &path, &all_of_them).await;
    delete(target, cases, &path, put).await;
}

async fn filters(target: &Target, cases: &mut Cases, path: &str, all_of_them: &[(Shape, &str)]) {
    for (name, wanted) in [("note", NOTE), ("signature", SIGNATURE), ("nothing", "application/vnd.forge.none")] {
        let list = target.get(&format!("{path}?artifactType={wanted}")).await;
        let these = all_of_them.iter().filter(|(_, artifact_type)| *artifact_type == wanted);
        let due: Vec<String> = these.map(|(referrer, _)| referrer.digest().to_string()).collect();
        let all_due: Vec<String> = all_of_them.iter().map(|(referrer, _)| referrer.digest().to_string()).collect();
        // Who does not filter lists all and does not say that he filtered.
        let filtered = list.has("oci-filters-applied").is_ok();
        let verdict = holds(is_the_set(&digests(&list), if filtered { &due } else { &all_due }), "not they");
        cases.check(&format!("filtered by {name}"), all([is_list(&list), verdict]));
        cases.check(&format!("filtered by {name} says so"), list.says("oci-filters-applied", &"artifactType"));
    }
}

async fn delete(target: &Target, cases: &mut Cases, path: &str, mut left: Vec<String>) {
    while let Some(last) = left.pop() {
        let count = left.len();
        let deleted = target.delete(&manifest(repository::REFERRERS, &last)).await;
        cases.check(&format!("DELETE of one of {}", count + 1), deleted.is(202));
        let list = target.get(path).await;
        cases.check(
            &format!("{count} are left"),
            all([is_list(&list), holds(is_the_set(&digests(&list), &left), "not they")]),
        );
    }
}

fn is_list(reply: &Reply) -> Verdict {
    let document = reply.json();
    let shape =
        document["schemaVersion"] == 2 && document["mediaType"] == shapes::INDEX && document["manifests"].is_array();
    all([reply.is(200), reply.says("content-type", &shapes::INDEX), holds(shape, "no index")])
}

fn manifests(reply: &Reply) -> Vec<Value> {
    reply.json()["manifests"].as_array().cloned().unwrap_or_default()
}

fn digests(reply: &Reply) -> Vec<String> {
    manifests(reply).iter().filter_map(|entry| entry["digest"].as_str()).map(str::to_owned).collect()
}

fn is_the_set(one: &[String], other: &[String]) -> bool {
    one.len() == other.len() && other.iter().all(|digest| one.contains(digest))
}
