//! The end of a long text, in bounded memory.

use std::collections::VecDeque;

/// Bytes that continue a character of UTF-8; a character has at most this many.
const CONTINUATIONS_MAX: usize = 3;

/// The last bytes of what was pushed.
#[derive(Debug)]
pub struct Tail {
    kept: VecDeque<u8>,
    bytes_max: usize,
    is_cut: bool,
}

impl Tail {
    /// Keeps at most `bytes_max` bytes; the memory for them is taken as they come.
    #[must_use]
    pub fn new(bytes_max: usize) -> Tail {
        Tail { kept: VecDeque::new(), bytes_max, is_cut: false }
    }

    /// Adds to the end, and lets go of the beginning when it becomes too much.
    pub fn push(&mut self, bytes: &[u8]) {
        let fits = &bytes[bytes.len().saturating_sub(self.bytes_max)..];
        let excess = (self.kept.len() + fits.len()).saturating_sub(self.bytes_max);
        self.is_cut |= 0 < excess || fits.len() < bytes.len();
        self.kept.drain(..excess);
        self.kept.extend(fits);
    }

    /// The last bytes, at most `bytes_max` of them. Where something is missing before them they do not begin in the middle of a
    /// character: receivers that look for words in the text stumble over half ones.
    #[must_use]
    pub fn last(&self, bytes_max: usize) -> Vec<u8> {
        let skipped = self.kept.len().saturating_sub(bytes_max);
        let mut last: Vec<u8> = self.kept.iter().skip(skipped).copied().collect();
        if self.is_cut || 0 < skipped {
            let n_half = last.iter().take(CONTINUATIONS_MAX).take_while(|byte| **byte & 0b1100_0000 == 0b1000_0000).count();
            last.drain(..n_half);
        }
        last
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn assert_tail(bytes_max: usize, pushed: &[&[u8]], expected: &[u8]) {
        let mut tail = Tail::new(bytes_max);
        for bytes in pushed {
            tail.push(bytes);
        }
        assert_eq!(tail.last(usize::MAX), expected);
    }

    #[test]
    fn the_end_is_kept_however_it_comes() {
        assert_tail(5, &[], b"");
        assert_tail(5, &[b"hello"], b"hello");
        assert_tail(5, &[b"hello", b" world"], b"world");
        assert_tail(5, &[b"hello", b"!"], b"ello!");
        assert_tail(5, &[b"a much longer text", b""], b" text");
        assert_tail(0, &[b"hello"], b"");
        assert_tail(3, &[b"a", b"b", b"c", b"d", b"e"], b"cde");
    }

    #[test]
    fn half_a_character_is_left_out_only_where_something_was_cut_off() {
        assert_tail(4, &["xäöü".as_bytes()], "öü".as_bytes());
        assert_tail(3, &["äöü".as_bytes()], "ü".as_bytes());
        assert_tail(4, &[&[0x80, 0x81]], &[0x80, 0x81]);
        // Not UTF-8 at all: no more than the continuation of one character is taken away.
        assert_tail(5, &[&[0x80; 9]], &[0x80; 2]);
        let mut tail = Tail::new(100);
        tail.push("ä".as_bytes());
        assert_eq!(tail.last(1), b"");
        assert_eq!(tail.last(2), "ä".as_bytes());
    }
}
