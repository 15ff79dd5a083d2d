use std::io::Write as _;

use gix::{
    odb::pack::data::{self, entry::Header},
    zlib::{Compression, stream::deflate},
};
use proptest::prelude::*;
use release::ObjectId;

use super::*;
use crate::objects::{
    Kind, Object,
    tests::{Repository, blob},
};

/// Puts packs together that git would not.
#[derive(Default)]
struct Packer {
    claimed: u32,
    body: Vec<u8>,
}

impl Packer {
    /// Where the next entry will begin.
    fn at(&self) -> u64 {
        (data::header::SIZE + self.body.len()) as u64
    }

    fn add(self, header: Header, bytes: &[u8]) -> Self {
        let claimed = bytes.len() as u64;
        self.add_claiming(header, claimed, &deflated(bytes))
    }

    fn add_claiming(mut self, header: Header, size: u64, compressed: &[u8]) -> Self {
        header.write_to(size, &mut self.body).unwrap();
        self.body.extend_from_slice(compressed);
        self.claimed += 1;
        self
    }

    fn finish(&self) -> Vec<u8> {
        with_checksum([&data::header::encode(data::Version::V2, self.claimed)[..], &self.body].concat()).unwrap()
    }

    fn fault(&self) -> Option<Fault> {
        match read(&self.finish(), &|_| None) {
            Err(PackError::Object { source, .. }) => Some(source),
            _ => None,
        }
    }
}

fn deflated(bytes: &[u8]) -> Vec<u8> {
    let mut stream = deflate::Write::new(Vec::new(), Compression::BEST_SPEED);
    stream.write_all(bytes).unwrap();
    stream.flush().unwrap();
    stream.into_inner()
}

fn on(base: ObjectId) -> Header {
    Header::RefDelta { base_id: gix::ObjectId::Sha1(*base.as_bytes()) }
}

fn behind(base_distance: u64) -> Header {
    Header::OfsDelta { base_distance }
}

fn varint(mut size: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    while size > 0x7f {
        bytes.push(size as u8 | 0x80);
        size >>= 7;
    }
    bytes.push(size as u8);
    bytes
}

/// A delta by its sizes and instructions.
fn raw_delta(base: u64, result: u64, instructions: &[u8]) -> Vec<u8> {
    [&*varint(base), &varint(result), instructions].concat()
}

/// A delta that copies what the two have in common at their beginnings, and inserts the rest.
fn delta(base: &[u8], result: &[u8]) -> Vec<u8> {
    let common = base.iter().zip(result).take(0xffff).take_while(|(a, b)| a == b).count();
    let mut instructions = Vec::new();
    if common > 0 {
        instructions.extend([0xb0, common as u8, (common >> 8) as u8]);
    }
    for chunk in result[common..].chunks(0x7f) {
        instructions.push(chunk.len() as u8);
        instructions.extend_from_slice(chunk);
    }
    raw_delta(base.len() as u64, result.len() as u64, &instructions)
}

fn apply(base: &[u8], delta: &[u8]) -> Result<Vec<u8>, Fault> {
    delta::Delta::parse(delta).and_then(|delta| delta.apply(base))
}

/// A base of one byte and `length` deltas, each of which builds on the one before it.
fn chain(length: u32, by_id: bool) -> Packer {
    let (mut text, mut start) = (b"0".to_vec(), Packer::default().at());
    let mut pack = Packer::default().add(Header::Blob, &text);
    for _ in 0..length {
        let next = [&*text, b"1"].concat();
        let at = pack.at();
        let header = if by_id { on(blob(text.clone()).id()) } else { behind(at - start) };
        pack = pack.add(header, &delta(&text, &next));
        (text, start) = (next, at);
    }
    pack
}

#[test]
fn each_bound_holds() {
    assert_eq!(read(&vec![0; LONGEST + 1], &|_| None), Err(PackError::TooLong { bytes: LONGEST + 1 }));
    let largest = vec![0; LARGEST as usize];
    let whole = read(&Packer::default().add(Header::Blob, &largest).finish(), &|_| None).unwrap();
    assert_eq!((whole.len(), whole[0].bytes.len() as u64), (1, LARGEST));
    let claims = |size, bytes: &[u8]| Packer::default().add_claiming(Header::Blob, size, &deflated(bytes)).fault();
    assert_eq!(claims(LARGEST + 1, b""), Some(Fault::TooLarge { bytes: LARGEST + 1 }));
    assert_eq!(claims(u64::MAX >> 4, b""), Some(Fault::TooLarge { bytes: u64::MAX >> 4 }));
    assert_eq!(claims(9, &largest), Some(Fault::Size { claimed: 9 }));
    assert_eq!(claims(LARGEST, b"short"), Some(Fault::Size { claimed: LARGEST }));
    assert_eq!(claims(0, b"x"), Some(Fault::Size { claimed: 0 }));
    for by_id in [true, false] {
        let longest = read(&chain(LONGEST_CHAIN, by_id).finish(), &|_| None).unwrap();
        assert_eq!(longest.len() as u32, LONGEST_CHAIN + 1);
        assert_eq!(longest.last().unwrap().bytes.len() as u32, LONGEST_CHAIN + 1);
        assert_eq!(chain(LONGEST_CHAIN + 1, by_id).fault(), Some(Fault::Chain));
    }
    // One delta more than fit, each of which makes the most that an object may have out of one byte.
    let base = blob("x");
    let pack = (0..MOST / LARGEST).fold(Packer::default().add(Header::Blob, b"x"), |pack, _| {
        pack.add(on(base.id()), &raw_delta(1, LARGEST, b""))
    });
    assert_eq!(read(&pack.finish(), &|_| None), Err(PackError::TooMuch));
    assert_eq!(
        Packer::default().add(Header::Blob, b"x").add(on(base.id()), &raw_delta(1, LARGEST + 1, b"")).fault(),
        Some(Fault::TooLarge { bytes: LARGEST + 1 })
    );
    // Objects of nothing: a ninth of a megabyte of them is a million.
    let (none, million) = (Packer::default().add(Header::Blob, b""), MOST / OVERHEAD + 1);
    let flood = Packer { claimed: million as u32, body: none.body.repeat(million as usize) };
    assert_eq!(read(&flood.finish(), &|_| None), Err(PackError::TooMuch));
}

#[test]
fn a_pack_that_is_not_what_it_claims_is_refused() {
    let one = Packer::default().add(Header::Blob, b"x");
    let pack = one.finish();
    assert_eq!(read(&pack, &|_| None), Ok(vec![blob("x")]));
    for end in 0..pack.len() {
        let error = read(&pack[..end], &|_| None).unwrap_err();
        assert!(matches!(error, PackError::NoPack | PackError::Damaged), "{end}: {error:?}");
    }
    for at in 0..pack.len() {
        let mut flipped = pack.clone();
        flipped[at] ^= 1;
        assert!(read(&flipped, &|_| None).is_err(), "{at}");
    }
    for claimed in [0, 2, u32::MAX] {
        let lies = Packer { claimed, body: one.body.clone() }.finish();
        assert_eq!(read(&lies, &|_| None), Err(PackError::Count { claimed }));
    }
    assert_eq!(read(&with_checksum(b"PACK\0\0\0\x04\0\0\0\0".to_vec()).unwrap(), &|_| None), Err(PackError::NoPack));
    assert_eq!(read(&Packer::default().finish(), &|_| None), Ok(vec![]));
    let cut = |body: &[u8]| Packer { claimed: 1, body: body.to_vec() }.fault();
    assert_eq!(cut(&one.body[..one.body.len() - 1]), Some(Fault::Compression));
    assert_eq!(cut(&one.body[..1]), Some(Fault::Compression));
    assert_eq!(cut(&[0xb1]), Some(Fault::Header));
    assert_eq!(cut(&[0xff; 64]), Some(Fault::Header));
    assert_eq!(cut(&[0x50, 0]), Some(Fault::Header), "5 is no type of object");
}

#[test]
fn a_delta_without_its_base_is_refused() {
    let (base, one) = (blob("base"), Packer::default().add(Header::Blob, b"base"));
    let (start, to) = (one.at() - Packer::default().at(), delta(b"base", b"bases"));
    for distance in [0, 1, start - 1, start + 1, u64::MAX] {
        let odd = Packer::default().add(Header::Blob, b"base").add(behind(distance), &to);
        assert_eq!(odd.fault(), Some(Fault::NoBaseAt), "{distance}");
    }
    let thin = Packer::default().add(on(base.id()), &to).finish();
    assert_eq!(read(&thin, &|_| None), Err(PackError::NoBase { base: base.id() }));
    assert_eq!(read(&thin, &|_| Some(blob("another"))), Err(PackError::NoBase { base: base.id() }));
    assert_eq!(read(&thin, &|id| (*id == base.id()).then(|| base.clone())), Ok(vec![blob("bases")]));
    // Two deltas that build on each other.
    let (a, b) = (blob("a").id(), blob("b").id());
    let ring = Packer::default().add(on(a), &delta(b"a", b"b")).add(on(b), &delta(b"b", b"a"));
    assert_eq!(read(&ring.finish(), &|_| None), Err(PackError::NoBase { base: a.min(b) }));
}

#[test]
fn a_delta_s_instructions_must_fit() {
    let base = b"0123456789";
    for (result, instructions, is) in [
        (3, &[0x91, 2, 3][..], Some(&b"234"[..])),
        (10, &[0x90, 10], Some(base)),
        (2, &[2, b'a', b'b'], Some(b"ab")),
        (0, &[], Some(b"")),
        (4, &[0x91, 8, 2, 2, b'a', b'b'], Some(b"89ab")),
        (3, &[0x91, 8, 3], None),
        (3, &[0x9f, 2, 0, 0, 0x80, 3], None),
        (3, &[0x91, 11, 3], None),
        (1, &[0x80], None),
        (2, &[0x90, 3], None),
        (4, &[0x90, 3], None),
        (3, &[3, b'a', b'b'], None),
        (1, &[1], None),
        (0, &[0], None),
        (3, &[0x91, 2], None),
    ] {
        let made = apply(base, &raw_delta(10, result, instructions));
        assert_eq!(made.as_deref().ok(), is, "{instructions:?}: {made:?}");
    }
    assert_eq!(apply(base, &raw_delta(9, 3, &[0x90, 3])), Err(Fault::Delta));
    assert_eq!(apply(base, &[10]), Err(Fault::Delta));
    assert_eq!(apply(base, &[0xff; 12]), Err(Fault::Delta));
    // No length means 65,536 bytes.
    let long = vec![7; 0x1_0000];
    assert_eq!(apply(&long, &raw_delta(0x1_0000, 0x1_0000, &[0x80])).as_deref(), Ok(&*long));
}

/// Versions of some files, each of which changes a little from commit to commit, as git-fast-import's commands.
fn history(seeds: &[u8], commits: usize) -> String {
    let mut stream = String::new();
    for number in 0..commits {
        stream += &format!("commit refs/heads/main\ncommitter A <a@localhost> {} +0000\ndata 1\nx\n", number + 1);
        for (file, seed) in seeds.iter().enumerate() {
            let line = |at: usize| format!("line {at} of {file}: {}\n", usize::from(*seed) * (at + 7) % 251);
            let changed = number * usize::from(*seed) % 30;
            let text: String =
                (0..30).map(|at| if at == changed { format!("changed {number}\n") } else { line(at) }).collect();
            stream += &format!("M 100644 inline f{file}/values.yaml\ndata {}\n{text}\n", text.len());
        }
    }
    stream
}

/// How many deltas of each kind a pack has: by id, by offset.
fn deltas(pack: &[u8]) -> (usize, usize) {
    let (mut at, mut found, mut stream) = (data::header::SIZE, (0, 0), gix::zlib::Decompress::new());
    while at < pack.len() - 20 {
        let entry = data::Entry::from_bytes(&pack[at..], 0, gix::hash::Kind::Sha1).unwrap();
        match entry.header {
            Header::RefDelta { .. } => found.0 += 1,
            Header::OfsDelta { .. } => found.1 += 1,
            _ => {}
        }
        at += entry.header_size();
        at += inflate::inflate(&mut stream, &pack[at..], entry.decompressed_size as usize).unwrap().1;
    }
    found
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]

    #[test]
    fn what_git_packs_is_read(seeds in proptest::collection::vec(1_u8.., 1..5), commits in 3..9_usize, depth in 1..64_u32) {
        let git = Repository::new();
        git.git(&["fast-import", "--quiet"], history(&seeds, commits).as_bytes());
        git.git(&["-c", "user.name=A", "-c", "user.email=a@localhost", "tag", "-m", "x", "v1", "main"], b"");
        let all = git.objects();
        let depth = format!("--depth={depth}");
        let common = ["pack-objects", "--quiet", "--stdout", "--window=50", "--no-reuse-delta", "--revs", &depth];
        for (options, revs, is_thin) in [
            (&[][..], "main\nv1\n", false),
            (&["--delta-base-offset"], "main\nv1\n", false),
            (&["--thin"], "main\n^main~1\n", true),
            (&["--thin", "--delta-base-offset"], "main\nv1\n^main~2\n", true),
        ] {
            let pack = git.git(&[&common, options].concat(), revs.as_bytes());
            let (by_id, by_offset) = deltas(&pack);
            let has_offsets = options.contains(&"--delta-base-offset");
            prop_assert!(by_id > 0 || !is_thin && has_offsets, "no REF_DELTA with {options:?}");
            prop_assert!(by_offset > 0 || !has_offsets || is_thin, "no OFS_DELTA with {options:?}");
            let object = |id: &ObjectId| {
                let (kind, bytes) = all.get(&id.to_string())?;
                Some(Object::new(Kind::from_bytes(kind.as_bytes()).ok()?, bytes.clone().into()).unwrap())
            };
            let objects = read(&pack, if is_thin { &object } else { &|_| None }).unwrap();
            prop_assert!(is_thin || objects.len() == all.len(), "{} of {}", objects.len(), all.len());
            prop_assert!(!is_thin || read(&pack, &|_| None).is_err());
            for found in objects {
                prop_assert_eq!(object(&found.id()), Some(found));
            }
        }
    }

    #[test]
    fn deltas_are_read_in_any_order(
        texts in proptest::collection::vec("[ab]{4,200}", 2..12),
        order in any::<proptest::sample::Index>(),
        seed in any::<u64>(),
    ) {
        let whole = order.index(texts.len());
        let mut shuffled: Vec<usize> = (0..texts.len()).collect();
        fastrand::Rng::with_seed(seed).shuffle(&mut shuffled);
        // Each builds on its neighbour towards the one that is whole.
        let entries = shuffled.iter().fold(Packer::default(), |pack, index| match index.cmp(&whole) {
            std::cmp::Ordering::Equal => pack.add(Header::Blob, texts[whole].as_bytes()),
            side => {
                let base = &texts[if side.is_lt() { index + 1 } else { index - 1 }];
                pack.add(on(blob(base.clone()).id()), &delta(base.as_bytes(), texts[*index].as_bytes()))
            }
        });
        let read = read(&entries.finish(), &|_| None);
        let expected: Vec<Object> = shuffled.iter().map(|index| blob(texts[*index].clone())).collect();
        prop_assert_eq!(read, Ok(expected));
        prop_assert!(Repository::new().try_git(&["index-pack", "--stdin"], &entries.finish()).is_some());
    }

    #[test]
    fn git_accepts_what_is_written(texts in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..3000), 0..8)) {
        let objects: Vec<Object> = texts.into_iter().map(blob).collect();
        let pack = write(&objects).unwrap();
        prop_assert_eq!(&read(&pack, &|_| None).unwrap(), &objects);
        let git = Repository::new();
        git.git(&["index-pack", "--strict", "--stdin"], &pack);
        for object in &objects {
            let id = object.id().to_string();
            prop_assert_eq!(git.git(&["cat-file", "blob", &id], b""), object.bytes.to_vec());
        }
    }

    #[test]
    fn a_pack_of_any_bytes_is_read_or_refused(
        texts in proptest::collection::vec("[ab]{0,40}", 1..4),
        changes in proptest::collection::vec((any::<proptest::sample::Index>(), any::<u8>()), 1..6),
    ) {
        let first = blob(texts[0].clone());
        let pack = texts.iter().fold(Packer::default(), |pack, text| {
            pack.add(Header::Blob, text.as_bytes()).add(on(first.id()), &delta(&first.bytes, text.as_bytes()))
        });
        let mut body = pack.finish();
        body.truncate(body.len() - 20);
        for (at, byte) in changes {
            let at = at.index(body.len());
            body[at] = byte;
        }
        for object in read(&with_checksum(body).unwrap(), &|_| None).unwrap_or_default() {
            prop_assert_eq!(Object::new(object.kind, object.bytes.clone()).unwrap(), object);
        }
    }
}
