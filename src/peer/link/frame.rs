//! What travels on a link: a length of four bytes, a kind of one, and a body. Pure.
//!
//! The length is checked before anything is made room for. A kind that this version does not know is left out: a newer version may say
//! more than this one understands.

use bytes::BufMut;
use bytes::Bytes;
use bytes::BytesMut;
use serde::Deserialize;
use serde::Serialize;

use crate::peer::port::Ask;
use crate::peer::port::FRAME_BYTES_MAX;

/// Changes when two versions could no longer understand each other.
pub const WIRE_VERSION: u32 = 1;

/// Bytes before the body.
pub const HEAD_BYTES: usize = 5;

/// Something that travels.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Frame {
    /// The first one, both ways.
    Hello(Hello),
    /// Are you there, and what time is it?
    Ping {
        /// When it was sent, by the sender's clock, in milliseconds.
        sent: i64,
    },
    /// The answer.
    Pong {
        /// Copied from the ping.
        sent: i64,
        /// The answerer's clock.
        here: i64,
    },
    /// For gossip.
    Datagram(Bytes),
    /// A question.
    Ask {
        /// Names it in its answer.
        id: u32,
        /// What.
        ask: Ask,
    },
    /// A piece of an answer.
    Answer {
        /// To which question.
        id: u32,
        /// Whether another piece comes.
        rest: Rest,
        /// The piece.
        piece: Bytes,
    },
    /// The link ends, and why.
    Close(String),
}

/// Whether another piece of an answer comes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rest {
    /// Yes.
    More,
    /// No; this was the last.
    Last,
    /// There is no answer; the piece says why.
    Refused,
}

/// Who speaks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hello {
    /// [`WIRE_VERSION`].
    pub wire: u32,
    /// The cluster's name.
    pub cluster: String,
    /// The node's name.
    pub node: String,
    /// Which run of the node: grows with each start.
    pub generation: u64,
    /// The program's version.
    pub version: String,
}

/// Why bytes are not a frame.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadFrame {
    /// Longer than allowed, or too short to have a kind.
    #[error("a frame of {0} bytes was announced; at most {FRAME_BYTES_MAX} are allowed")]
    Length(u64),
    /// The body is not what its kind says.
    #[error("a frame of kind {0} cannot be read")]
    Body(u8),
}

const HELLO: u8 = 1;
const PING: u8 = 2;
const PONG: u8 = 3;
const DATAGRAM: u8 = 4;
const ASK: u8 = 5;
const ANSWER: u8 = 6;
const CLOSE: u8 = 7;

/// The frame as bytes.
#[must_use]
pub fn encode(frame: &Frame) -> Bytes {
    let mut body = BytesMut::new();
    let kind = match frame {
        Frame::Hello(hello) => {
            body.put_slice(serde_json::to_string(hello).unwrap_or_default().as_bytes());
            HELLO
        }
        Frame::Ping { sent } => {
            body.put_i64(*sent);
            PING
        }
        Frame::Pong { sent, here } => {
            body.put_i64(*sent);
            body.put_i64(*here);
            PONG
        }
        Frame::Datagram(bytes) => {
            body.put_slice(bytes);
            DATAGRAM
        }
        Frame::Ask { id, ask } => {
            body.put_u32(*id);
            // Words of questions are short; one that is not is cut, and not understood.
            let about = &ask.about.as_bytes()[..ask.about.len().min(255)];
            body.put_u8(u8::try_from(about.len()).unwrap_or(u8::MAX));
            body.put_slice(about);
            body.put_slice(&ask.body);
            ASK
        }
        Frame::Answer { id, rest, piece } => {
            body.put_u32(*id);
            body.put_u8(match rest {
                Rest::More => 0,
                Rest::Last => 1,
                Rest::Refused => 2,
            });
            body.put_slice(piece);
            ANSWER
        }
        Frame::Close(why) => {
            body.put_slice(why.as_bytes());
            CLOSE
        }
    };
    let mut whole = BytesMut::with_capacity(HEAD_BYTES + body.len());
    whole.put_u32(u32::try_from(body.len() + 1).unwrap_or(u32::MAX));
    whole.put_u8(kind);
    whole.put_slice(&body);
    whole.freeze()
}

/// Kind and length of the body that a head announces.
///
/// # Errors
/// [`BadFrame::Length`].
pub fn head(bytes: [u8; HEAD_BYTES]) -> Result<(u8, usize), BadFrame> {
    let [a, b, c, d, kind] = bytes;
    let length = u32::from_be_bytes([a, b, c, d]);
    let n_bytes = usize::try_from(length).unwrap_or(usize::MAX);
    if n_bytes == 0 || FRAME_BYTES_MAX - HEAD_BYTES < n_bytes {
        return Err(BadFrame::Length(u64::from(length)));
    }
    Ok((kind, n_bytes - 1))
}

/// The frame of a body; `None` for a kind that this version does not know.
///
/// # Errors
/// [`BadFrame::Body`].
pub fn decode(kind: u8, body: &Bytes) -> Result<Option<Frame>, BadFrame> {
    let bad = || BadFrame::Body(kind);
    let number = |from: usize| -> Option<i64> { Some(i64::from_be_bytes(body.get(from..from + 8)?.try_into().ok()?)) };
    let id = || -> Option<u32> { Some(u32::from_be_bytes(body.get(..4)?.try_into().ok()?)) };
    let frame = match kind {
        HELLO => Frame::Hello(serde_json::from_slice(body).map_err(|_| bad())?),
        PING => Frame::Ping { sent: number(0).ok_or_else(bad)? },
        PONG => Frame::Pong { sent: number(0).ok_or_else(bad)?, here: number(8).ok_or_else(bad)? },
        DATAGRAM => Frame::Datagram(body.clone()),
        ASK => {
            let n_about = usize::from(*body.get(4).ok_or_else(bad)?);
            let about = body.get(5..5 + n_about).ok_or_else(bad)?;
            let about = std::str::from_utf8(about).map_err(|_| bad())?.to_owned();
            Frame::Ask { id: id().ok_or_else(bad)?, ask: Ask { about, body: body.slice(5 + n_about..) } }
        }
        ANSWER => {
            let rest = match body.get(4) {
                Some(0) => Rest::More,
                Some(1) => Rest::Last,
                Some(2) => Rest::Refused,
                Some(_) | None => return Err(bad()),
            };
            Frame::Answer { id: id().ok_or_else(bad)?, rest, piece: body.slice(5..) }
        }
        CLOSE => Frame::Close(String::from_utf8_lossy(body).into_owned()),
        _ => return Ok(None),
    };
    Ok(Some(frame))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frames() -> Vec<Frame> {
        let hello = Hello { wire: 1, cluster: "acme".into(), node: "a".into(), generation: 7, version: "0.1".into() };
        vec![
            Frame::Hello(hello),
            Frame::Ping { sent: -5 },
            Frame::Pong { sent: -5, here: 1_800_000_000_000 },
            Frame::Datagram(Bytes::from_static(b"gossip")),
            Frame::Ask { id: 3, ask: Ask { about: "monitor".into(), body: Bytes::from_static(b"{}") } },
            Frame::Answer { id: 3, rest: Rest::More, piece: Bytes::from_static(b"1") },
            Frame::Answer { id: 3, rest: Rest::Last, piece: Bytes::new() },
            Frame::Answer { id: 3, rest: Rest::Refused, piece: Bytes::from_static(b"no") },
            Frame::Close("bye".into()),
        ]
    }

    fn read(bytes: &Bytes) -> Result<Option<Frame>, BadFrame> {
        let (kind, n_bytes) = head(bytes[..HEAD_BYTES].try_into().expect("five"))?;
        assert_eq!(n_bytes, bytes.len() - HEAD_BYTES);
        decode(kind, &bytes.slice(HEAD_BYTES..))
    }

    #[test]
    fn frames_come_back_as_they_were() {
        for frame in frames() {
            assert_eq!(read(&encode(&frame)), Ok(Some(frame)));
        }
    }

    #[test]
    fn lengths_are_refused_before_anything_is_read() {
        for length in [0_u32, 1 << 30, u32::MAX, 128 * 1024] {
            let [a, b, c, d] = length.to_be_bytes();
            assert_eq!(head([a, b, c, d, PING]), Err(BadFrame::Length(u64::from(length))));
        }
    }

    #[test]
    fn a_cut_or_changed_body_is_an_error_or_another_frame_and_never_worse() {
        for frame in frames() {
            let whole = encode(&frame);
            let body = whole.slice(HEAD_BYTES..);
            for n_bytes in 0..body.len() {
                let _ = decode(whole[4], &body.slice(..n_bytes));
            }
            for i in 0..body.len() {
                for bit in 0..8 {
                    let mut changed = body.to_vec();
                    changed[i] ^= 1 << bit;
                    let _ = decode(whole[4], &Bytes::from(changed));
                }
            }
        }
        assert_eq!(decode(PING, &Bytes::from_static(b"short")), Err(BadFrame::Body(PING)));
        assert_eq!(decode(200, &Bytes::from_static(b"of the future")), Ok(None));
    }
}
