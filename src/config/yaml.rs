//! YAML text to a [`Node`]: syntax, limits, duplicate keys.
//!
//! The library resolves anchors and merge keys and finds syntax errors; this file puts its findings into words that help, and
//! keeps it within limits, because a config may come from a directory that somebody else can write to.

use std::collections::HashMap;
use std::fmt;

use serde::Deserialize;
use serde::Deserializer;
use serde::de::MapAccess;
use serde::de::SeqAccess;
use serde::de::Visitor;
use serde_saphyr::Location;
use serde_saphyr::Spanned;
use serde_saphyr::options::DuplicateKeyPolicy;
use serde_saphyr::options::NonFiniteFloatPolicy;

use crate::config::node::Entry;
use crate::config::node::Node;
use crate::config::node::Pos;
use crate::config::node::Scalar;
use crate::config::node::Value;
use crate::config::report::Report;
use crate::config::yaml_words::explain;

/// Longest file, in bytes: thousands of monitors fit, and parsing stays below a second.
pub(super) const FILE_BYTES_MAX: usize = 8 << 20;

/// Deepest nesting; ours needs nine levels.
const DEPTH_MAX: usize = 64;

/// How much longer than the file everything may become when aliases are filled in.
const EXPANSION_MAX: usize = 10;

/// Reads one file. `None` when the syntax is wrong, which is then reported; a file of comments only gives a null node.
pub(super) fn parse(file: usize, text: &str, report: &Report) -> Option<Node> {
    let whole = Pos { file, line: 0, column: 0 };
    if text.len() > FILE_BYTES_MAX {
        let hint = "split it into several files and `include` them";
        report.add(whole, "", format!("the file has {} bytes, more than the {FILE_BYTES_MAX} that are read", text.len()), hint);
        return None;
    }
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    if text.lines().all(|line| matches!(line.trim_start().chars().next(), None | Some('#'))) {
        return Some(Node { pos: Pos { file, line: 1, column: 1 }, value: Value::Null });
    }
    match serde_saphyr::from_str_with_options::<Spanned<Raw>>(text, options(text.len())) {
        Ok(raw) => Some(Builder { file, text, report }.node(raw, &Path::Root)),
        Err(error) => {
            let at = error.location().unwrap_or(Location::UNKNOWN);
            let words = explain(error.without_snippet(), text, at);
            report.add(Pos { file, line: words.line, column: words.column }, "", words.message, words.hint);
            None
        }
    }
}

fn options(n_bytes: usize) -> serde_saphyr::Options {
    // No event takes less than two bytes of text, on average.
    let n_events = (n_bytes / 2).max(1000);
    serde_saphyr::options! {
        budget: serde_saphyr::budget! {
            max_depth: DEPTH_MAX,
            max_events: n_events.saturating_mul(EXPANSION_MAX),
            max_nodes: n_events.saturating_mul(EXPANSION_MAX),
            max_documents: 4,
            // Thousands of monitors may share one anchor; what that costs is bounded by the replayed events below.
            enforce_alias_anchor_ratio: false,
            max_merge_keys: 100_000,
            max_total_scalar_bytes: FILE_BYTES_MAX.saturating_mul(EXPANSION_MAX),
        },
        alias_limits: serde_saphyr::alias_limits! {
            max_total_replayed_events: n_events.saturating_mul(EXPANSION_MAX),
            max_alias_expansions_per_anchor: usize::MAX,
        },
        duplicate_keys: DuplicateKeyPolicy::PassThrough,
        non_finite_float_policy: NonFiniteFloatPolicy::PassThrough,
        strict_booleans: true,
        reject_unsupported_tags: true,
        with_snippet: false,
    }
}

/// The tree as the library hands it out.
enum Raw {
    Null,
    /// Not a text for the library: a number or boolean, whose text is in the file.
    Typed,
    Text(String),
    Seq(Vec<Spanned<Raw>>),
    Map(Vec<(Spanned<String>, Spanned<Raw>)>),
}

impl<'de> Deserialize<'de> for Raw {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Raw, D::Error> {
        deserializer.deserialize_any(RawVisitor)
    }
}

struct RawVisitor;

impl<'de> Visitor<'de> for RawVisitor {
    type Value = Raw;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_unit<E>(self) -> Result<Raw, E> {
        Ok(Raw::Null)
    }

    fn visit_none<E>(self) -> Result<Raw, E> {
        Ok(Raw::Null)
    }

    fn visit_bool<E>(self, _: bool) -> Result<Raw, E> {
        Ok(Raw::Typed)
    }

    fn visit_i64<E>(self, _: i64) -> Result<Raw, E> {
        Ok(Raw::Typed)
    }

    fn visit_u64<E>(self, _: u64) -> Result<Raw, E> {
        Ok(Raw::Typed)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Raw, E> {
        Ok(Raw::Typed)
    }

    fn visit_str<E>(self, text: &str) -> Result<Raw, E> {
        Ok(Raw::Text(text.to_owned()))
    }

    fn visit_string<E>(self, text: String) -> Result<Raw, E> {
        Ok(Raw::Text(text))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Raw, A::Error> {
        let mut seq = Vec::new();
        while let Some(item) = items.next_element()? {
            seq.push(item);
        }
        Ok(Raw::Seq(seq))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Raw, A::Error> {
        let mut map = Vec::new();
        while let Some(entry) = entries.next_entry()? {
            map.push(entry);
        }
        Ok(Raw::Map(map))
    }
}

/// The way to a node, for messages; a list so that it costs nothing until there is something to say.
enum Path<'a> {
    Root,
    Key(&'a Path<'a>, &'a str),
    Index(&'a Path<'a>, usize),
}

impl fmt::Display for Path<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Path::Root => Ok(()),
            Path::Key(Path::Root, key) => f.write_str(key),
            Path::Key(parent, key) => write!(f, "{parent}.{key}"),
            Path::Index(parent, index) => write!(f, "{parent}[{index}]"),
        }
    }
}

struct Builder<'a> {
    file: usize,
    text: &'a str,
    report: &'a Report,
}

impl Builder<'_> {
    fn pos(&self, at: Location) -> Pos {
        let number = |n: u64| u32::try_from(n).unwrap_or(u32::MAX);
        Pos { file: self.file, line: number(at.line()), column: number(at.column()) }
    }

    fn source(&self, at: Location) -> &str {
        let span = at.span();
        let range = span.byte_offset().zip(span.byte_len()).and_then(|(from, length)| {
            let from = usize::try_from(from).ok()?;
            Some(from..from.checked_add(usize::try_from(length).ok()?)?)
        });
        range.and_then(|range| self.text.get(range)).unwrap_or_default()
    }

    fn node(&self, raw: Spanned<Raw>, path: &Path<'_>) -> Node {
        let at = raw.defined;
        let value = match raw.value {
            Raw::Null => Value::Null,
            Raw::Typed => Value::Scalar(Scalar { text: self.source(at).trim().to_owned(), quoted: false, written: None }),
            Raw::Text(text) => {
                let is_word = matches!(text.to_ascii_lowercase().as_str(), "true" | "false" | "null" | "~" | "");
                // A plain word that the library still calls a text carries an explicit `!!str`.
                let quoted = is_word || self.source(at).starts_with(['"', '\'', '|', '>']);
                Value::Scalar(Scalar { text, quoted, written: None })
            }
            Raw::Seq(items) => Value::Seq(items.into_iter().enumerate().map(|(i, item)| self.node(item, &Path::Index(path, i))).collect()),
            Raw::Map(entries) => Value::Map(self.entries(entries, path)),
        };
        Node { pos: self.pos(at), value }
    }

    fn entries(&self, raw: Vec<(Spanned<String>, Spanned<Raw>)>, path: &Path<'_>) -> Vec<Entry> {
        let mut seen: HashMap<String, Pos> = HashMap::new();
        let mut entries = Vec::with_capacity(raw.len());
        for (key, value) in raw {
            let pos = self.pos(key.defined);
            let here = Path::Key(path, &key.value);
            let value = self.node(value, &here);
            if let Some(first) = seen.get(&key.value) {
                let message = format!("`{}` is written twice, first in line {}", key.value, first.line);
                self.report.add(pos, &here.to_string(), message, "keep one of the two");
                continue;
            }
            seen.insert(key.value.clone(), pos);
            entries.push(Entry { key: key.value, pos, value });
        }
        entries
    }
}
