//! What must be seen for a check to be good.

use std::fmt;
use std::ops::RangeInclusive;
use std::time::Duration;

/// The whole expectation of a monitor. Empty lists expect nothing.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Expectation {
    /// Acceptable status codes; empty means 200 to 299.
    pub status: Vec<StatusRange>,
    /// Texts the body must contain.
    pub body_contains: Vec<String>,
    /// Texts the body must not contain.
    pub body_excludes: Vec<String>,
    /// Patterns the body must match.
    pub body_matches: Vec<Pattern>,
    /// Values in a JSON body.
    pub json: Vec<JsonExpect>,
    /// Response headers.
    pub headers: Vec<HeaderExpect>,
    /// How slow is too slow.
    pub response_time: ResponseTime,
    /// How many days a certificate must have left; `None` leaves the defaults to [`CertificateDays::default`].
    pub certificate: Option<CertificateDays>,
    /// At least one of these must hold; empty means nothing is asked.
    pub any: Vec<Expectation>,
}

/// A range of status codes: `200`, `2xx`, `200-299`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StatusRange(pub RangeInclusive<u16>);

impl StatusRange {
    /// Reads `200`, `2xx` or `200-299`, all within 100 to 599.
    #[must_use]
    pub fn parse(text: &str) -> Option<StatusRange> {
        let code = |t: &str| t.parse::<u16>().ok().filter(|c| t.len() == 3 && (100..=599).contains(c));
        if let Some(class) = text.strip_suffix("xx") {
            let base = class.parse::<u16>().ok().filter(|c| class.len() == 1 && (1..=5).contains(c))? * 100;
            return Some(StatusRange(base..=base + 99));
        }
        match text.split_once('-') {
            Some((from, to)) => {
                let (from, to) = (code(from)?, code(to)?);
                (from <= to).then_some(StatusRange(from..=to))
            }
            None => code(text).map(|c| StatusRange(c..=c)),
        }
    }
}

impl fmt::Display for StatusRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (from, to) = (*self.0.start(), *self.0.end());
        if from == to {
            write!(f, "{from}")
        } else if from % 100 == 0 && to == from + 99 {
            write!(f, "{}xx", from / 100)
        } else {
            write!(f, "{from}-{to}")
        }
    }
}

/// A compiled regular expression that compares by its text.
#[derive(Debug, Clone)]
pub struct Pattern(pub regex::bytes::Regex);

impl PartialEq for Pattern {
    fn eq(&self, other: &Pattern) -> bool {
        self.0.as_str() == other.0.as_str()
    }
}

/// A compiled RFC 9535 path that compares by its text.
#[derive(Debug, Clone)]
pub struct JsonPath {
    /// As written.
    pub text: String,
    /// Compiled.
    pub path: serde_json_path::JsonPath,
}

impl PartialEq for JsonPath {
    fn eq(&self, other: &JsonPath) -> bool {
        self.text == other.text
    }
}

/// One demand on a JSON body: every node that `path` selects must satisfy `is`, and there must be one
/// (except for `Exists(false)` and `Length`, which speak of the selection itself).
#[derive(Debug, Clone, PartialEq)]
pub struct JsonExpect {
    /// What is looked at.
    pub path: JsonPath,
    /// What must hold of it.
    pub is: JsonTest,
}

/// What must hold of a JSON value.
#[derive(Debug, Clone, PartialEq)]
pub enum JsonTest {
    /// Equal, numbers by value.
    Equals(serde_json::Value),
    /// Different.
    NotEquals(serde_json::Value),
    /// A text contains this, or an array has this element.
    Contains(String),
    /// A text matches.
    Matches(Pattern),
    /// Something is selected, or nothing is.
    Exists(bool),
    /// A number compares like this.
    Number(Comparison, f64),
    /// Length of a text, array or object; of several selected nodes, their count.
    Length(Comparison, u64),
}

/// How two numbers compare.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Comparison {
    /// `equals`
    Equal,
    /// `gt`
    Greater,
    /// `ge`
    GreaterOrEqual,
    /// `lt`
    Less,
    /// `le`
    LessOrEqual,
}

impl Comparison {
    /// The sign people use for it.
    #[must_use]
    pub fn sign(self) -> &'static str {
        match self {
            Comparison::Equal => "=",
            Comparison::Greater => ">",
            Comparison::GreaterOrEqual => "≥",
            Comparison::Less => "<",
            Comparison::LessOrEqual => "≤",
        }
    }
}

/// One demand on a response header. Several values of the same name are tried one by one; one that fits is enough.
#[derive(Debug, Clone, PartialEq)]
pub struct HeaderExpect {
    /// Lower case.
    pub name: String,
    /// What must hold of its value.
    pub is: HeaderTest,
}

/// What must hold of a header.
#[derive(Debug, Clone, PartialEq)]
pub enum HeaderTest {
    /// Exactly this.
    Equals(String),
    /// This occurs in it, letter case ignored.
    Contains(String),
    /// It matches.
    Matches(Pattern),
    /// It is there, or it is not.
    Exists(bool),
}

/// How slow is too slow; `None` means never.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ResponseTime {
    /// Slower than this is degraded.
    pub degraded: Option<Duration>,
    /// Slower than this is down.
    pub down: Option<Duration>,
}

/// How long a certificate must still be valid.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CertificateDays {
    /// Less left than this is degraded; `None` means that only an invalid certificate matters.
    pub degraded: Option<Duration>,
    /// Less left than this is down; `None` means when it no longer validates.
    pub down: Option<Duration>,
    /// While it is degraded, one more message when less than each of these is left; the longest first, all shorter than `degraded`.
    pub warn: Vec<Duration>,
}

impl Default for CertificateDays {
    fn default() -> CertificateDays {
        let days = |n: u64| Duration::from_secs(n * 86_400);
        CertificateDays { degraded: Some(days(14)), down: None, warn: vec![days(7), days(3), days(1)] }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn status_ranges_round_trip() {
        for text in ["200", "2xx", "200-204", "404"] {
            assert_eq!(StatusRange::parse(text).map(|s| s.to_string()).as_deref(), Some(text));
        }
        for bad in ["", "20", "6xx", "2x", "300-200", "99", "600", "200-", "two", "+20"] {
            assert_eq!(StatusRange::parse(bad), None, "{bad}");
        }
    }
}
