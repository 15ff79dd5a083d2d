use super::{Fault, LARGEST};

/// How one object is made of another (gitformat-pack(5), "Deltified representation").
#[derive(Debug)]
pub(crate) struct Delta<'a> {
    base_size: u64,
    result_size: u64,
    instructions: &'a [u8],
}

impl<'a> Delta<'a> {
    pub(crate) fn parse(bytes: &'a [u8]) -> Result<Self, Fault> {
        let (base_size, rest) = size(bytes).ok_or(Fault::Delta)?;
        let (result_size, instructions) = size(rest).ok_or(Fault::Delta)?;
        if result_size > LARGEST {
            return Err(Fault::TooLarge { bytes: result_size });
        }
        Ok(Self { base_size, result_size, instructions })
    }

    pub(crate) fn result_size(&self) -> u64 {
        self.result_size
    }

    /// The object. It grows by what the instructions say, and never beyond the size that is claimed.
    pub(crate) fn apply(&self, base: &[u8]) -> Result<Vec<u8>, Fault> {
        if base.len() as u64 != self.base_size {
            return Err(Fault::Delta);
        }
        let mut result = Vec::new();
        let mut rest = self.instructions;
        while let Some((instruction, after)) = rest.split_first() {
            let (bytes, after) = part(*instruction, after, base).ok_or(Fault::Delta)?;
            if (result.len() + bytes.len()) as u64 > self.result_size {
                return Err(Fault::Delta);
            }
            result.extend_from_slice(bytes);
            rest = after;
        }
        if result.len() as u64 == self.result_size { Ok(result) } else { Err(Fault::Delta) }
    }
}

/// What one instruction adds, and the instructions after it.
fn part<'a>(instruction: u8, rest: &'a [u8], base: &'a [u8]) -> Option<(&'a [u8], &'a [u8])> {
    match instruction {
        0 => None,
        length @ 1..0x80 => rest.split_at_checked(length.into()),
        copy => {
            let (offset, rest) = operand(copy & 0xf, rest)?;
            let (length, rest) = operand(copy >> 4 & 0x7, rest)?;
            let length = if length == 0 { 0x1_0000 } else { length };
            Some((base.get(offset..)?.get(..length)?, rest))
        }
    }
}

/// A number in little endian of whose bytes only those are written that `which` has a bit for.
fn operand(which: u8, mut rest: &[u8]) -> Option<(usize, &[u8])> {
    let mut bytes = [0; 8];
    for (index, byte) in bytes.iter_mut().enumerate().take(4) {
        if which >> index & 1 == 1 {
            let (first, after) = rest.split_first()?;
            (*byte, rest) = (*first, after);
        }
    }
    Some((usize::try_from(u64::from_le_bytes(bytes)).ok()?, rest))
}

/// A number of seven bits a byte, the lowest first.
fn size(bytes: &[u8]) -> Option<(u64, &[u8])> {
    let mut size = 0_u64;
    for (index, byte) in bytes.iter().enumerate().take(5) {
        size |= u64::from(byte & 0x7f) << (7 * index);
        if byte & 0x80 == 0 {
            return Some((size, bytes.get(index + 1..)?));
        }
    }
    None
}
