//! What holds of each parser whatever bytes come: the bodies of the fuzz targets. The tests run them over `corpus/`.

use crate::{
    objects::{
        Object, commit,
        pack::{self, delta::Delta},
        tree,
    },
    wire::fuzzing as wire,
    yaml::fuzzing as yaml,
};

release::fuzz_targets! {
    "advertisement" => wire::an_advertisement,
    "commit" => a_commit,
    "delta" => a_delta,
    "fetch" => wire::a_fetch,
    "ls-refs" => wire::some_refs,
    "pack" => a_pack,
    "pkt-line" => wire::packet_lines,
    "report-status" => wire::a_report,
    "set-scalar" => yaml::an_edit,
    "side-band" => wire::some_bands,
    "tree" => a_tree,
    "yaml" => yaml::a_read,
    "yaml-words" => yaml::words,
}

/// What is read stands in the bytes, and none of it twice.
fn a_commit(bytes: &[u8]) {
    let Ok(commit) = commit::parse(bytes) else { return };
    let text = String::from_utf8_lossy(bytes);
    assert!(text.ends_with(&commit.message));
    let headers = &text[..text.len() - commit.message.len()];
    let of = |name: &str| headers.split('\n').filter(|line| line.starts_with(name)).count();
    assert!(text.starts_with(&format!("tree {}\n", commit.tree)));
    assert_eq!((of("tree "), of("author "), of("committer ")), (1, 1, 1));
    assert_eq!(of("parent "), commit.parents.len());
}

/// The first byte is the length of the base, which follows it.
fn a_delta(bytes: &[u8]) {
    let Some((length, rest)) = bytes.split_first() else { return };
    let Some((base, delta)) = rest.split_at_checked((*length).into()) else { return };
    let Ok(delta) = Delta::parse(delta) else { return };
    let Ok(result) = delta.apply(base) else { return };
    assert_eq!(result.len() as u64, delta.result_size());
}

/// A pack without its checksum. What is read has the ids of its bytes, and makes a pack again.
fn a_pack(bytes: &[u8]) {
    let Ok(whole) = pack::with_checksum(bytes.to_vec()) else { return };
    let Ok(objects) = pack::read(&whole, &|_| None) else { return };
    for object in &objects {
        let again = Object::new(object.kind, object.bytes.clone());
        assert_eq!(again.as_ref(), Ok(object));
    }
    let written = pack::write(&objects);
    let read = written.and_then(|pack| pack::read(&pack, &|_| None));
    assert_eq!(read, Ok(objects));
}

/// A tree that is read is the one way to write it.
fn a_tree(bytes: &[u8]) {
    let Ok(rows) = tree::parse(bytes) else { return };
    assert_eq!(tree::write(&rows), bytes);
}
