//! What a YAML file says, as a tree in which everything knows its place.
//!
//! Types are not decided here: a scalar keeps the text as it was written, and the decoder, which knows what is wanted, reads
//! it. That is how `min_version: 1.2`, `name: 0123` and `status: 200` all mean what they look like.

use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;

/// A place in one of the sources.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub(super) struct Pos {
    /// Index into [`Files`].
    pub(super) file: usize,
    /// From 1; 0 means the whole file.
    pub(super) line: u32,
    /// From 1; 0 means the whole line.
    pub(super) column: u32,
}

/// The names of the sources, in their order.
#[derive(Debug, Clone, Default)]
pub(super) struct Files(pub(super) Vec<Arc<PathBuf>>);

impl Files {
    /// The name of the file a place is in; empty when there are no files at all.
    pub(super) fn of(&self, pos: Pos) -> Arc<PathBuf> {
        self.0.get(pos.file).cloned().unwrap_or_default()
    }

    /// `file:line` for messages about a second place; only `line 7` when it is the same file.
    pub(super) fn beside(&self, other: Pos, here: Pos) -> String {
        if other.file == here.file {
            format!("line {}", other.line)
        } else {
            let file = self.of(other);
            let file: &Path = file.as_path();
            format!("{}:{}", file.display(), other.line)
        }
    }
}

/// A value with its place.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Node {
    /// Where it begins.
    pub(super) pos: Pos,
    /// What it is.
    pub(super) value: Value,
}

/// What a node is.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Value {
    /// Nothing, `~` or `null`.
    Null,
    /// A text, number or boolean.
    Scalar(Scalar),
    /// A list.
    Seq(Vec<Node>),
    /// A map, in the order of the file.
    Map(Vec<Entry>),
}

/// A text, number or boolean, as written.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Scalar {
    /// Its text, escapes and variables resolved.
    pub(super) text: String,
    /// In quotes or a block: always a text, whatever it looks like.
    pub(super) quoted: bool,
    /// The text before variables were put in. Messages show this one, because a variable may hold a secret.
    pub(super) written: Option<String>,
}

/// A key of a map with its value.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Entry {
    /// The key.
    pub(super) key: String,
    /// Where the key is.
    pub(super) pos: Pos,
    /// Its value.
    pub(super) value: Node,
}

impl Node {
    /// A map without a place of its own.
    pub(super) fn map(pos: Pos, entries: Vec<Entry>) -> Node {
        Node { pos, value: Value::Map(entries) }
    }

    /// The entries, when it is a map.
    pub(super) fn entries(&self) -> Option<&[Entry]> {
        match &self.value {
            Value::Map(entries) => Some(entries),
            Value::Null | Value::Scalar(_) | Value::Seq(_) => None,
        }
    }

    /// The items, when it is a list.
    pub(super) fn items(&self) -> Option<&[Node]> {
        match &self.value {
            Value::Seq(items) => Some(items),
            Value::Null | Value::Scalar(_) | Value::Map(_) => None,
        }
    }

    /// The scalar, when it is one.
    pub(super) fn scalar(&self) -> Option<&Scalar> {
        match &self.value {
            Value::Scalar(scalar) => Some(scalar),
            Value::Null | Value::Seq(_) | Value::Map(_) => None,
        }
    }

    /// The value of a key, when it is a map that has it.
    pub(super) fn get(&self, key: &str) -> Option<&Node> {
        self.entries()?.iter().find(|entry| entry.key == key).map(|entry| &entry.value)
    }

    /// Whether nothing is written here.
    pub(super) fn is_null(&self) -> bool {
        self.value == Value::Null
    }

    /// What it is, for messages: "a list", "the text `x`".
    pub(super) fn described(&self) -> String {
        match &self.value {
            Value::Null => "nothing".to_owned(),
            Value::Seq(_) => "a list".to_owned(),
            Value::Map(_) => "a map".to_owned(),
            Value::Scalar(scalar) => match scalar.kind() {
                ScalarKind::Text => format!("the text `{}`", scalar.shown()),
                ScalarKind::Number => format!("the number `{}`", scalar.shown()),
                ScalarKind::Boolean => format!("the boolean `{}`", scalar.shown()),
            },
        }
    }
}

/// What a scalar looks like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ScalarKind {
    /// Anything that is neither of the others.
    Text,
    /// Digits, perhaps with sign, point and exponent.
    Number,
    /// `true` or `false`, nothing else.
    Boolean,
}

impl Scalar {
    /// What it looks like.
    pub(super) fn kind(&self) -> ScalarKind {
        if self.quoted {
            return ScalarKind::Text;
        }
        match self.text.as_str() {
            "true" | "false" | "True" | "False" | "TRUE" | "FALSE" => ScalarKind::Boolean,
            text if looks_like_number(text) => ScalarKind::Number,
            _ => ScalarKind::Text,
        }
    }

    /// The text that may stand in a message: cut short, on one line, and without what came from variables.
    pub(super) fn shown(&self) -> String {
        let text = self.written.as_ref().unwrap_or(&self.text);
        let line: String = text.chars().take(80).map(|c| if crate::model::id::is_deceptive(c) { '·' } else { c }).collect();
        if text.chars().count() > 80 { format!("{line}…") } else { line }
    }
}

fn looks_like_number(text: &str) -> bool {
    let digits = text.trim_start_matches(['+', '-']);
    digits.starts_with(|c: char| c.is_ascii_digit()) && digits.parse::<f64>().is_ok()
}
