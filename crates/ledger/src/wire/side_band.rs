use gix::protocol::transport::packetline::BandRef;

use super::{WireError, pkt_line::Lines};
use crate::Said;

/// The most progress text that is kept, in bytes.
const MOST_WORDS: usize = 16 << 10;

/// What was in the bands of an answer.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Bands {
    /// The first band: the answer itself.
    pub(super) data: Vec<u8>,
    /// The second: words for people.
    pub(super) words: Vec<u8>,
}

/// Takes the bands apart, up to the flush that ends them (gitprotocol-pack(5), "Packfile Data"). A third band is the
/// error that the server ended with.
pub(super) fn bands(lines: &mut Lines<'_>) -> Result<Bands, WireError> {
    let mut bands = Bands::default();
    loop {
        let line = lines.next()?;
        if line.as_slice().is_none() {
            return Ok(bands);
        }
        match line.decode_band().map_err(|_| WireError::Malformed { expected: "in side bands" })? {
            BandRef::Data(data) => bands.data.extend(data),
            BandRef::Progress(words) => {
                let room = MOST_WORDS - bands.words.len();
                bands.words.extend(words.get(..room).unwrap_or(words));
            }
            BandRef::Error(words) => {
                return Err(WireError::Refused { said: Said::new(&String::from_utf8_lossy(words)) });
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bands_are_taken_apart_and_the_third_is_fatal() {
        let read = |answer: &[u8]| bands(&mut Lines::new(answer));
        let whole = b"0007\x01PA0005\x010008\x02%\x1b!0007\x01CK0005\x020000";
        let taken = read(whole).unwrap();
        assert_eq!((&*taken.data, &*taken.words), (&b"PACK"[..], &b"%\x1b!"[..]));
        for end in 0..whole.len() {
            assert_eq!(read(&whole[..end]), Err(WireError::Truncated), "{end}");
        }
        let said = Said::new("no space left");
        assert_eq!(read(b"0012\x03no space left0000"), Err(WireError::Refused { said }));
        for odd in [&b"0005\x040000"[..], b"0005PACK", b"0004"] {
            assert!(matches!(read(odd), Err(WireError::Malformed { .. })), "{odd:?}");
        }
        let flood = [b"03e9\x02", &*vec![b'x'; 0x3e4]].concat().repeat(100);
        assert_eq!(read(&[&*flood, b"0000"].concat()).unwrap().words.len(), MOST_WORDS);
    }
}
