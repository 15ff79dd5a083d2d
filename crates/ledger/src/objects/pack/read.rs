use std::collections::{BTreeMap, HashMap};

use gix::{
    odb::pack::data::{self, entry::Header},
    zlib::Decompress,
};
use release::ObjectId;

use super::{Fault, LARGEST, LONGEST, LONGEST_CHAIN, MOST, OVERHEAD, PackError, delta::Delta, inflate::inflate};
use crate::objects::{Kind, Object, ours};

/// Unpacks a pack. `base` gives the objects outside of it that a thin pack builds on.
///
/// The objects come in the pack's order. Each bound is checked before the memory is taken.
pub(crate) fn read(pack: &[u8], base: &dyn Fn(&ObjectId) -> Option<Object>) -> Result<Vec<Object>, PackError> {
    let (claimed, body) = open(pack)?;
    Unpacking::new(entries(claimed, body)?)?.finish(base)
}

/// How many objects a pack claims to have, and its bytes up to the checksum, which is right.
fn open(pack: &[u8]) -> Result<(u32, &[u8]), PackError> {
    if pack.len() > LONGEST {
        return Err(PackError::TooLong { bytes: pack.len() });
    }
    let (body, checksum) = pack.split_last_chunk::<20>().ok_or(PackError::NoPack)?;
    let header = body.first_chunk::<{ data::header::SIZE }>().ok_or(PackError::NoPack)?;
    let (_version, claimed) = data::header::decode(header).map_err(|_| PackError::NoPack)?;
    let mut hasher = gix::hash::hasher(gix::hash::Kind::Sha1);
    hasher.update(body);
    match hasher.try_finalize() {
        Ok(found) if found.as_slice() == checksum => Ok((claimed, body)),
        _ => Err(PackError::Damaged),
    }
}

/// An object as the pack has it: whole, or as a delta.
struct Packed {
    at: u64,
    header: Header,
    bytes: Vec<u8>,
}

fn entries(claimed: u32, body: &[u8]) -> Result<Vec<Packed>, PackError> {
    let mut stream = Decompress::new();
    let (mut entries, mut total, mut at) = (Vec::new(), 0_u64, data::header::SIZE);
    for _ in 0..claimed {
        let rest = body.get(at..).filter(|rest| !rest.is_empty()).ok_or(PackError::Count { claimed })?;
        let fault = |source| PackError::Object { at: at as u64, source };
        let entry = data::Entry::from_bytes(rest, 0, gix::hash::Kind::Sha1).map_err(|_| fault(Fault::Header))?;
        let size = entry.decompressed_size;
        if size > LARGEST {
            return Err(fault(Fault::TooLarge { bytes: size }));
        }
        total += size + OVERHEAD;
        if total > MOST {
            return Err(PackError::TooMuch);
        }
        let compressed = rest.get(entry.header_size()..).unwrap_or_default();
        let (bytes, consumed) = inflate(&mut stream, compressed, size as usize).map_err(fault)?;
        if entry.header.is_delta() {
            total += Delta::parse(&bytes).map_err(fault)?.result_size();
        }
        entries.push(Packed { at: at as u64, header: entry.header, bytes });
        at += entry.header_size() + consumed;
    }
    if total > MOST {
        return Err(PackError::TooMuch);
    }
    if at == body.len() { Ok(entries) } else { Err(PackError::Count { claimed }) }
}

/// Entries, and who waits for whom.
struct Unpacking {
    objects: Vec<Option<Object>>,
    /// Objects whose children have not been looked for, with the number of deltas below them and, unless they come from
    /// outside, with their index.
    ready: Vec<(Option<usize>, Object, u32)>,
    by_index: HashMap<usize, Vec<Waiting>>,
    by_id: BTreeMap<ObjectId, Vec<Waiting>>,
}

/// A delta whose base is not known yet.
struct Waiting {
    index: usize,
    at: u64,
    delta: Vec<u8>,
}

impl Unpacking {
    fn new(entries: Vec<Packed>) -> Result<Self, PackError> {
        let starts: HashMap<u64, usize> = entries.iter().enumerate().map(|(index, entry)| (entry.at, index)).collect();
        let mut this = Self {
            objects: vec![None; entries.len()],
            ready: Vec::new(),
            by_index: HashMap::new(),
            by_id: BTreeMap::new(),
        };
        for (index, Packed { at, header, bytes }) in entries.into_iter().enumerate() {
            let fault = |source| PackError::Object { at, source };
            match header {
                Header::OfsDelta { base_distance } => {
                    let base = at.checked_sub(base_distance).filter(|base| *base < at);
                    let base = base.and_then(|base| starts.get(&base)).ok_or_else(|| fault(Fault::NoBaseAt))?;
                    this.by_index.entry(*base).or_default().push(Waiting { index, at, delta: bytes });
                }
                Header::RefDelta { base_id } => {
                    let base = ours(base_id).ok_or_else(|| fault(Fault::Header))?;
                    this.by_id.entry(base).or_default().push(Waiting { index, at, delta: bytes });
                }
                whole => {
                    let kind = whole.as_kind().ok_or_else(|| fault(Fault::Header))?;
                    this.ready.push((Some(index), object(kind, bytes, at)?, 0));
                }
            }
        }
        Ok(this)
    }

    fn finish(mut self, base: &dyn Fn(&ObjectId) -> Option<Object>) -> Result<Vec<Object>, PackError> {
        self.resolve()?;
        let outside: Vec<ObjectId> = self.by_id.keys().copied().collect();
        let known = outside.iter().filter_map(base);
        self.ready.extend(known.map(|object| (None, object, 0)));
        self.resolve()?;
        match self.by_id.pop_first() {
            Some((base, _)) => Err(PackError::NoBase { base }),
            None => Ok(self.objects.into_iter().flatten().collect()),
        }
    }

    fn resolve(&mut self) -> Result<(), PackError> {
        while let Some((index, base, depth)) = self.ready.pop() {
            let by_index = index.and_then(|index| self.by_index.remove(&index)).unwrap_or_default();
            let by_id = self.by_id.remove(&base.id()).unwrap_or_default();
            for Waiting { index, at, delta } in by_index.into_iter().chain(by_id) {
                let fault = |source| PackError::Object { at, source };
                if depth == LONGEST_CHAIN {
                    return Err(fault(Fault::Chain));
                }
                let bytes = Delta::parse(&delta).and_then(|delta| delta.apply(&base.bytes)).map_err(fault)?;
                self.ready.push((Some(index), object(base.kind, bytes, at)?, depth + 1));
            }
            if let Some(object) = index.and_then(|index| self.objects.get_mut(index)) {
                *object = Some(base);
            }
        }
        Ok(())
    }
}

fn object(kind: Kind, bytes: Vec<u8>, at: u64) -> Result<Object, PackError> {
    Object::new(kind, bytes.into()).map_err(|_| PackError::Object { at, source: Fault::Collision })
}
