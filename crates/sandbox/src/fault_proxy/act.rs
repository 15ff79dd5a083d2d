use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::{HeaderName, HeaderValue, StatusCode, header};

/// An answer of a server, or in its place.
pub type Answer = http::Response<Bytes>;

/// What becomes of a request.
#[expect(missing_debug_implementations, reason = "it holds closures")]
pub enum Act {
    /// It is passed on.
    Pass,
    /// It is passed on after a while.
    Delay(Duration),
    /// It is answered without the server, which never sees it.
    Answer(Answer),
    /// It is passed on, and the whole answer, of at most 64 MiB, is changed. The closure runs when the server has acted
    /// and the client has not heard of it yet.
    Change(Box<dyn FnOnce(Answer) -> Answer + Send>),
    /// It comes to a bad end at this point.
    Break(Phase, Break),
    /// It is passed on, and the answer's body comes in small pieces from some byte on.
    Drip {
        /// How many bytes come at once before it begins.
        after: u64,
        /// The bytes of a piece, at least 1.
        piece: usize,
        /// The pause before each piece.
        every: Duration,
    },
}

/// Where on its way a request is broken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// The server never sees it.
    Before,
    /// The server got this many bytes of its body, which has to be longer.
    Request(u64),
    /// The server carried it out; the client knows nothing.
    After,
    /// The client got the answer's head and this many bytes of its body, which has to be longer: else it passes whole.
    Answer(u64),
}

/// How a request is broken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Break {
    /// The connection is reset (RST).
    Reset,
    /// The connection is closed (FIN): with a `Content-Length` that is not met, or without the last chunk.
    Close,
    /// Nothing more comes until the rule is set anew; then the connection is closed.
    Hold,
}

impl Act {
    /// An answer of this status and text; the server never sees the request. A status that does not exist is a 500.
    #[must_use]
    pub fn answer(status: u16, body: impl Into<Bytes>) -> Self {
        let mut answer = Answer::new(body.into());
        *answer.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        Self::Answer(answer)
    }

    /// Adds a header to an [`answer`](Self::answer), or to the server's own in the place of what it says. A value that
    /// HTTP does not allow is left out.
    #[must_use]
    pub fn with(self, name: HeaderName, value: &str) -> Self {
        let value = HeaderValue::from_str(value).ok();
        let put = move |mut answer: Answer| {
            value.map(|value| answer.headers_mut().insert(name, value));
            answer
        };
        match self {
            Self::Answer(answer) => Self::Answer(put(answer)),
            Self::Change(change) => Self::change(|answer| put(change(answer))),
            Self::Pass => Self::change(put),
            other => other,
        }
    }

    /// Changes the answer.
    pub fn change(change: impl FnOnce(Answer) -> Answer + Send + 'static) -> Self {
        Self::Change(Box::new(change))
    }

    /// The server acts, and something else is answered in the place of what it says.
    #[must_use]
    pub fn answer_after(status: u16, body: impl Into<Bytes>) -> Self {
        match Self::answer(status, body) {
            Self::Answer(answer) => Self::change(|_| answer),
            other => other,
        }
    }

    /// The server's answer with one bit of its body's byte `at` turned; a body that is shorter stays.
    #[must_use]
    pub fn flip(at: usize) -> Self {
        Self::change(move |answer| {
            answer.map(|body| {
                let mut body = BytesMut::from(body);
                body.get_mut(at).into_iter().for_each(|byte| *byte ^= 1);
                body.freeze()
            })
        })
    }

    /// The server's answer with another body, and with its length as that has it.
    #[must_use]
    pub fn body(body: impl Into<Bytes>) -> Self {
        let body = body.into();
        Self::change(|answer| answer.map(|_| body))
    }

    /// The server's answer without a header.
    #[must_use]
    pub fn without(name: HeaderName) -> Self {
        Self::change(|mut answer| {
            answer.headers_mut().remove(name);
            answer
        })
    }

    /// The connection is reset.
    #[must_use]
    pub fn reset(phase: Phase) -> Self {
        Self::Break(phase, Break::Reset)
    }

    /// The connection is closed too early.
    #[must_use]
    pub fn close(phase: Phase) -> Self {
        Self::Break(phase, Break::Close)
    }

    /// Nothing more comes.
    #[must_use]
    pub fn hold(phase: Phase) -> Self {
        Self::Break(phase, Break::Hold)
    }
}

/// The length is counted again where there is a body, for the body may have changed. An answer to a HEAD keeps its own.
pub(super) fn recounted(mut answer: Answer) -> Answer {
    if !answer.body().is_empty() {
        answer.headers_mut().remove(header::CONTENT_LENGTH);
    }
    answer
}
