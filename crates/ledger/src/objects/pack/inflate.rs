use gix::zlib::{Decompress, FlushDecompress, Status};

use super::Fault;

/// How much room there is before anything has arrived.
const FIRST_ROOM: usize = 16 << 10;

/// Inflates a stream at the beginning of `input`, which must come to exactly `claimed` bytes. Also says how long the
/// stream is. The memory that it takes grows with what has come, not with what is claimed.
pub(super) fn inflate(stream: &mut Decompress, input: &[u8], claimed: usize) -> Result<(Vec<u8>, usize), Fault> {
    stream.reset();
    // One byte more than claimed shows a stream that is longer.
    let most = claimed.saturating_add(1);
    let mut bytes = vec![0; most.min(FIRST_ROOM)];
    loop {
        let (consumed, made) = so_far(stream)?;
        if made == bytes.len() {
            bytes.resize(most.min(made * 2), 0);
        }
        let (rest, room) = (input.get(consumed..).unwrap_or_default(), bytes.get_mut(made..).unwrap_or_default());
        let status = stream.decompress(rest, room, FlushDecompress::None).map_err(|_| Fault::Compression)?;
        let now = so_far(stream)?;
        match status {
            Status::StreamEnd if now.1 == claimed => {
                bytes.truncate(claimed);
                return Ok((bytes, now.0));
            }
            Status::StreamEnd => return Err(Fault::Size { claimed: claimed as u64 }),
            _ if now.1 > claimed => return Err(Fault::Size { claimed: claimed as u64 }),
            _ if now == (consumed, made) => return Err(Fault::Compression),
            _ => {}
        }
    }
}

fn so_far(stream: &Decompress) -> Result<(usize, usize), Fault> {
    let size = |bytes: u64| usize::try_from(bytes).map_err(|_| Fault::Compression);
    Ok((size(stream.total_in())?, size(stream.total_out())?))
}
