//! Reads what a ping brings along: all of it, because a client that is cut off may not hear the answer, and keeps little of it.

use std::time::Duration;

use bytes::Buf;
use http_body_util::BodyExt;
use hyper::body::Body;

use crate::model::heartbeat::BodyRule;
use crate::model::heartbeat::Keep;

/// So much of a body is read; a longer one counts all the same, and its connection is closed after the answer.
const READ_BYTES_MAX: u64 = 32 << 20;

/// What was read.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ReadBody {
    /// What is kept.
    pub kept: Vec<u8>,
    /// How long it was, as far as it was read.
    pub n_bytes: u64,
    /// There may be more: nothing else can come over this connection.
    pub is_cut: bool,
}

/// Reads a body within a time. `None`: it broke off, and nobody is there to hear an answer.
pub async fn read<B>(body: B, rule: BodyRule, within: Duration) -> Option<ReadBody>
where
    B: Body + Send,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let mut read = ReadBody::default();
    let mut body = std::pin::pin!(body);
    let deadline = tokio::time::Instant::now() + within;
    loop {
        // What drips without end says in its head all that matters.
        let Ok(frame) = tokio::time::timeout_at(deadline, body.frame()).await else {
            read.is_cut = true;
            break;
        };
        let Some(frame) = frame else { break };
        let Ok(mut data) = frame.ok()?.into_data() else { continue };
        while data.has_remaining() {
            let chunk = data.chunk();
            keep(&mut read.kept, chunk, rule);
            let n = chunk.len();
            read.n_bytes += u64::try_from(n).unwrap_or(0);
            data.advance(n);
        }
        if READ_BYTES_MAX < read.n_bytes {
            read.is_cut = true;
            break;
        }
    }
    if rule.keep == Keep::Tail {
        read.kept.drain(..read.kept.len().saturating_sub(rule.bytes_max));
    }
    Some(read)
}

fn keep(kept: &mut Vec<u8>, chunk: &[u8], rule: BodyRule) {
    match rule.keep {
        Keep::Head => {
            let room = rule.bytes_max.saturating_sub(kept.len());
            kept.extend_from_slice(&chunk[..room.min(chunk.len())]);
        }
        Keep::Tail => {
            kept.extend_from_slice(&chunk[chunk.len().saturating_sub(rule.bytes_max)..]);
            // Moved seldom: not with every chunk.
            if kept.len() > rule.bytes_max.saturating_mul(2) {
                kept.drain(..kept.len() - rule.bytes_max);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;
    use http_body_util::Full;

    #[tokio::test]
    async fn either_end_of_a_body_is_kept_and_its_length_is_known() {
        for (rule, expected) in [(Keep::Head, "hello"), (Keep::Tail, "world")] {
            let rule = BodyRule { bytes_max: 5, keep: rule };
            let read = read(Full::new(Bytes::from_static(b"hello world")), rule, Duration::from_secs(1)).await.expect("it is whole");
            assert_eq!((read.kept.as_slice(), read.n_bytes, read.is_cut), (expected.as_bytes(), 11, false));
        }
        let mut kept = Vec::new();
        for n in 0..100_u8 {
            keep(&mut kept, &[n], BodyRule { bytes_max: 3, keep: Keep::Tail });
            assert!(kept.len() <= 6 && kept.ends_with(&[n]));
        }
    }
}
