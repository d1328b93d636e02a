//! Texts made fit to be sent: nothing invisible in them, and not longer than there is room.

use crate::model::id::is_deceptive;

/// Says that something was cut off.
pub const MARKER: &str = " … [shortened]";

/// `text` without control and bidirectional characters, at most `bytes_max` long. What a target answered can end up in a message,
/// and must not be able to forge a line of it or turn it around.
#[must_use]
pub fn fit(text: &str, bytes_max: usize) -> String {
    let cut = if text.len() <= bytes_max { text } else { &text[..text.floor_char_boundary(bytes_max.saturating_sub(MARKER.len()))] };
    let mut out: String = cut.chars().map(|c| if is_deceptive(c) { ' ' } else { c }).collect();
    if cut.len() < text.len() {
        out.push_str(MARKER);
    }
    out
}

/// What a service counts when it says how long a text may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// Unicode characters.
    Chars,
    /// 16-bit units, as JavaScript and Java count.
    Utf16,
    /// Bytes of UTF-8.
    Bytes,
}

impl Unit {
    /// How long a text is.
    #[must_use]
    pub fn of(self, text: &str) -> usize {
        match self {
            Unit::Chars => text.chars().count(),
            Unit::Utf16 => text.encode_utf16().count(),
            Unit::Bytes => text.len(),
        }
    }
}

/// How long a text may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limit {
    /// So many.
    pub max: usize,
    /// Of these.
    pub unit: Unit,
}

impl Limit {
    /// So many characters.
    #[must_use]
    pub const fn chars(max: usize) -> Limit {
        Limit { max, unit: Unit::Chars }
    }

    /// So many bytes.
    #[must_use]
    pub const fn bytes(max: usize) -> Limit {
        Limit { max, unit: Unit::Bytes }
    }

    /// So many 16-bit units.
    #[must_use]
    pub const fn utf16(max: usize) -> Limit {
        Limit { max, unit: Unit::Utf16 }
    }

    /// The same unit, fewer of them.
    #[must_use]
    pub fn at_most(self, max: usize) -> Limit {
        Limit { max: self.max.min(max), unit: self.unit }
    }
}

/// Writes one character so that the service shows it and does nothing else with it.
pub type Escape = fn(char, &mut String);

/// The text escaped, and at most as long as `limit` says after that; never cut inside of an escape. A limit that has no room for
/// [`MARKER`] is kept to as well: then nothing says that something is missing.
#[must_use]
pub fn within(text: &str, limit: Limit, escape: Escape) -> String {
    let marker = if limit.unit.of(MARKER) <= limit.max { MARKER } else { "" };
    let room = limit.max - limit.unit.of(marker);
    let mut out = String::new();
    let (mut length, mut fits) = (0, 0);
    for c in text.chars() {
        let start = out.len();
        escape(c, &mut out);
        length += limit.unit.of(&out[start..]);
        if length <= room {
            fits = out.len();
        }
        if length > limit.max {
            out.truncate(fits);
            out.push_str(marker);
            break;
        }
    }
    out
}

/// Lines of which each is taken only when the whole still fits, so that a long text loses its last lines and not the message.
#[derive(Debug, Clone)]
pub struct Lines {
    text: String,
    length: usize,
    limit: Limit,
    separator: &'static str,
}

impl Lines {
    /// None yet.
    #[must_use]
    pub fn new(limit: Limit, separator: &'static str) -> Lines {
        Lines { text: String::new(), length: 0, limit, separator }
    }

    /// Adds a line, when there is one and it fits; says whether nothing was left out.
    pub fn push(&mut self, line: &str) -> bool {
        let separator = if self.text.is_empty() { "" } else { self.separator };
        let more = self.limit.unit.of(separator) + self.limit.unit.of(line);
        let fits = self.length + more <= self.limit.max;
        if !line.is_empty() && fits {
            self.text.push_str(separator);
            self.text.push_str(line);
            self.length += more;
        }
        fits || line.is_empty()
    }

    /// All that fitted.
    #[must_use]
    pub fn done(self) -> String {
        self.text
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::notifier::escape;

    #[test]
    fn each_unit_counts_what_it_says() {
        for (unit, expected) in [(Unit::Chars, 3), (Unit::Utf16, 4), (Unit::Bytes, 7)] {
            assert_eq!(unit.of("aé🚨"), expected, "{unit:?}");
        }
    }

    #[test]
    fn no_limit_is_passed_and_no_escape_is_cut() {
        let text = "<é&🚨>".repeat(300);
        for unit in [Unit::Chars, Unit::Utf16, Unit::Bytes] {
            for max in [0, 1, 13, 15, 16, 17, 18, 100, 101, 102, 103, 104, 1000] {
                let cut = within(&text, Limit { max, unit }, escape::html);
                assert!(unit.of(&cut) <= max, "{unit:?} {max}: {cut}");
                assert!(cut.matches('&').count() == cut.matches(';').count(), "{unit:?} {max}: {cut}");
                assert_eq!(cut.ends_with(MARKER), unit.of(MARKER) <= max, "{unit:?} {max}: {cut}");
            }
        }
        assert_eq!(within("a<b", Limit::chars(20), escape::html), "a&lt;b");
    }

    #[test]
    fn what_does_not_fit_is_left_out_as_a_whole_line() {
        let mut lines = Lines::new(Limit::chars(11), "\n");
        for line in ["first", "", "much too long", "third"] {
            lines.push(line);
        }
        assert_eq!(lines.done(), "first\nthird");
    }

    #[test]
    fn texts_are_cut_on_a_character_and_marked() {
        assert_eq!(fit("short", 5), "short");
        let cut = fit(&"é".repeat(100), 51);
        assert!(cut.len() <= 51, "{}", cut.len());
        assert!(cut.starts_with("ééé") && cut.ends_with(MARKER));
    }

    #[test]
    fn nothing_invisible_stays() {
        assert_eq!(fit("a\r\nBcc: x\u{1b}[31m\u{202e}b", 100), "a  Bcc: x [31m b");
    }
}
