use gix::protocol::transport::packetline::{
    PacketLineRef,
    decode::{Stream, streaming},
};

use super::WireError;
use crate::Said;

/// The longest payload of a line (gitprotocol-common(5)).
const LONGEST: usize = 65516;

/// The lines of an answer that is there as a whole.
pub(super) struct Lines<'a>(&'a [u8]);

impl<'a> Lines<'a> {
    pub(super) fn new(answer: &'a [u8]) -> Self {
        Self(answer)
    }

    /// The next line, of whatever kind.
    pub(super) fn next(&mut self) -> Result<PacketLineRef<'a>, WireError> {
        match streaming(self.0).map_err(|_| WireError::Malformed { expected: "in Git's packet lines" })? {
            Stream::Incomplete { .. } => Err(WireError::Truncated),
            Stream::Complete { line, bytes_consumed } => {
                self.0 = self.0.get(bytes_consumed..).unwrap_or_default();
                Ok(line)
            }
        }
    }

    /// The next line's text without its line end, or none at the end of a section. An error that the server reports
    /// instead is that error.
    pub(super) fn text(&mut self) -> Result<Option<&'a [u8]>, WireError> {
        let line = self.next()?;
        if let Some(error) = line.check_error() {
            return Err(WireError::Refused { said: Said::new(&String::from_utf8_lossy(error.0)) });
        }
        Ok(line.as_slice().map(|text| text.strip_suffix(b"\n").unwrap_or(text)))
    }

    /// What was not read yet.
    pub(super) fn rest(&self) -> &'a [u8] {
        self.0
    }
}

/// A request under construction.
#[derive(Default)]
pub(super) struct Writer(Vec<u8>);

impl Writer {
    /// A line of text. What is longer than a line may be is cut: no id, ref name or command of ours is.
    pub(super) fn line(&mut self, text: &str) -> &mut Self {
        let text = text.as_bytes().get(..LONGEST).unwrap_or(text.as_bytes());
        self.0.extend(format!("{:04x}", text.len() + 4).into_bytes());
        self.0.extend(text);
        self
    }

    pub(super) fn flush(&mut self) -> &mut Self {
        self.0.extend(b"0000");
        self
    }

    pub(super) fn delimiter(&mut self) -> &mut Self {
        self.0.extend(b"0001");
        self
    }

    pub(super) fn raw(&mut self, bytes: &[u8]) -> &mut Self {
        self.0.extend(bytes);
        self
    }

    pub(super) fn take(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.0)
    }
}
