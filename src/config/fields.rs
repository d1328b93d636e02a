//! Opens maps of the tree, hands out their keys, and complains about the ones nobody asked for.
//!
//! Reading functions return `None` when something is absent or was wrong; what was wrong is then already reported. So a decoder
//! goes on to the end and finds every mistake, and the caller throws its result away if there was one.

use crate::config::Surroundings;
use crate::config::node::Entry;
use crate::config::node::Node;
use crate::config::node::Pos;
use crate::config::node::Scalar;
use crate::config::node::Value;
use crate::config::reference;
use crate::config::reference::Section;
use crate::config::report::Report;

/// What every decoder needs.
#[derive(Clone, Copy)]
pub(super) struct Ctx<'a> {
    /// Where problems go.
    pub(super) report: &'a Report,
    /// Environment and files.
    pub(super) around: &'a dyn Surroundings,
}

impl Ctx<'_> {
    /// Reports what is wrong with a value. A value that came from a variable is shown as it was written.
    pub(super) fn bad(&self, at: &At<'_>, message: impl Into<String>, hint: impl Into<String>) {
        let (mut message, mut hint) = (message.into(), hint.into());
        if let Some(scalar) = at.node.scalar()
            && scalar.written.is_some()
            && !scalar.text.is_empty()
        {
            message = hidden(&message, scalar);
            hint = hidden(&hint, scalar);
        }
        self.report.add(at.node.pos, &at.path, message, hint);
    }

    /// Reports that a value has another type than it should.
    pub(super) fn wrong_type(&self, at: &At<'_>, wanted: &str) {
        self.bad(at, format!("expected {wanted}, found {}", at.node.described()), "");
    }
}

/// A message about a value that came from a variable, without the value. A very short one is only looked for where values stand,
/// between backticks, because it occurs in every sentence.
fn hidden(message: &str, scalar: &Scalar) -> String {
    let (value, shown) = (scalar.text.as_str(), scalar.shown());
    let message = message.replace(&format!("`{value}`"), &format!("`{shown}`"));
    if value.len() < 4 || shown.contains(value) { message } else { message.replace(value, &shown) }
}

/// A value together with the way to it.
#[derive(Clone)]
pub(super) struct At<'a> {
    /// The value.
    pub(super) node: &'a Node,
    /// Such as `monitors[2].timeout`; empty for the document.
    pub(super) path: String,
}

impl<'a> At<'a> {
    /// The items of a list. A single value is not a list; a null is an empty one.
    pub(super) fn list(&self, ctx: &Ctx<'_>) -> Vec<At<'a>> {
        match &self.node.value {
            Value::Null => Vec::new(),
            Value::Seq(items) => self.indexed(items),
            Value::Scalar(_) | Value::Map(_) => {
                ctx.bad(self, format!("expected a list, found {}", self.node.described()), "begin each item with `- `, or write `[…]`");
                Vec::new()
            }
        }
    }

    /// The items of a list, or the one value that stands for a list of one.
    pub(super) fn one_or_many(&self) -> Vec<At<'a>> {
        match &self.node.value {
            Value::Null => Vec::new(),
            Value::Seq(items) => self.indexed(items),
            Value::Scalar(_) | Value::Map(_) => vec![self.clone()],
        }
    }

    fn indexed(&self, items: &'a [Node]) -> Vec<At<'a>> {
        items.iter().enumerate().map(|(i, node)| At { node, path: format!("{}[{i}]", self.path) }).collect()
    }

    /// The entries of a map with free keys.
    pub(super) fn free_map(&self, ctx: &Ctx<'_>) -> Vec<(&'a Entry, At<'a>)> {
        match &self.node.value {
            Value::Null => Vec::new(),
            Value::Map(entries) => {
                entries.iter().map(|entry| (entry, At { node: &entry.value, path: below(&self.path, &entry.key) })).collect()
            }
            Value::Scalar(_) | Value::Seq(_) => {
                ctx.wrong_type(self, "a map");
                Vec::new()
            }
        }
    }

    /// The value of a key, without any complaint.
    pub(super) fn child(&self, key: &str) -> Option<At<'a>> {
        self.node.get(key).filter(|node| !node.is_null()).map(|node| At { node, path: below(&self.path, key) })
    }
}

/// The path of a key of the map at `path`.
pub(super) fn below(path: &str, key: &str) -> String {
    if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") }
}

/// An open map.
pub(super) struct Fields<'a> {
    ctx: &'a Ctx<'a>,
    at: At<'a>,
    entries: &'a [Entry],
    section: &'static Section,
    asked: Vec<&'static str>,
}

impl<'a> Fields<'a> {
    /// Opens a map whose keys the reference lists under `section`. A null is an empty map.
    pub(super) fn open(ctx: &'a Ctx<'a>, at: &At<'a>, section: &'static str) -> Option<Fields<'a>> {
        let entries: &'a [Entry] = match &at.node.value {
            Value::Null => &[],
            Value::Map(entries) => entries,
            Value::Scalar(_) | Value::Seq(_) => {
                let known = reference::section(section);
                let keys: Vec<String> = known.keys.iter().take(4).map(|key| format!("`{}`", key.name)).collect();
                let more = if known.keys.len() > 4 { ", …" } else { "" };
                let message = format!("expected a map, found {}", at.node.described());
                ctx.bad(at, message, format!("write keys below it: {}{more}", keys.join(", ")));
                return None;
            }
        };
        Some(Fields { ctx, at: at.clone(), entries, section: reference::section(section), asked: Vec::new() })
    }

    /// Where the map is.
    pub(super) fn pos(&self) -> Pos {
        self.at.node.pos
    }

    /// The way to a key.
    pub(super) fn path(&self, key: &str) -> String {
        below(&self.at.path, key)
    }

    /// The value of a key that may be absent; a null is absent.
    pub(super) fn take(&mut self, key: &'static str) -> Option<At<'a>> {
        self.asked.push(key);
        let entry = self.entries.iter().find(|entry| entry.key == key)?;
        (!entry.value.is_null()).then(|| At { node: &entry.value, path: self.path(key) })
    }

    /// The value of a key that must be there.
    pub(super) fn require(&mut self, key: &'static str) -> Option<At<'a>> {
        let found = self.take(key);
        if found.is_none() {
            let entry = self.entries.iter().find(|entry| entry.key == key);
            let example = self.section.keys.iter().find(|known| known.name == key).map_or("", |known| known.example);
            let (pos, message) = match entry {
                Some(entry) => (entry.pos, format!("`{key}` has no value")),
                None => (self.pos(), format!("`{key}` is missing")),
            };
            self.ctx.report.add(pos, &self.path(key), message, format!("add `{key}: {example}`"));
        }
        found
    }

    /// Reads a key that may be absent.
    pub(super) fn read<T>(&mut self, key: &'static str, read: impl FnOnce(&Ctx<'_>, &At<'a>) -> Option<T>) -> Option<T> {
        let at = self.take(key)?;
        read(self.ctx, &at)
    }

    /// Reads a key that must be there.
    pub(super) fn must<T>(&mut self, key: &'static str, read: impl FnOnce(&Ctx<'_>, &At<'a>) -> Option<T>) -> Option<T> {
        let at = self.require(key)?;
        read(self.ctx, &at)
    }

    /// Closes the map: reports every key that nobody asked for.
    pub(super) fn finish(self) {
        #[cfg(debug_assertions)]
        self.compare_with_reference();
        for entry in self.entries.iter().filter(|entry| !self.asked.contains(&entry.key.as_str())) {
            if self.section.path.is_empty() && entry.key.starts_with("x-") {
                continue;
            }
            unknown_key(self.ctx.report, self.section, entry, &self.at.path);
        }
    }

    /// The decoder and the reference must speak of the same keys, or the manual would lie.
    #[cfg(debug_assertions)]
    fn compare_with_reference(&self) {
        let mut asked: Vec<&str> = self.asked.clone();
        let mut listed: Vec<&str> = self.section.keys.iter().map(|key| key.name).collect();
        asked.sort_unstable();
        asked.dedup();
        listed.sort_unstable();
        assert_eq!(asked, listed, "the keys of `{}` in the decoder and in the reference differ", self.section.path);
        reference::coverage::note(self.section.path);
    }
}

/// Reports a key that its map does not have.
pub(super) fn unknown_key(report: &Report, section: &Section, entry: &Entry, path: &str) {
    let here = below(path, &entry.key);
    let place = if section.path.is_empty() { "at the top level".to_owned() } else { format!("in `{}`", section.path) };
    if reference::is_later(section.path, &entry.key) {
        let hint = "remove it; docs/configuration.md lists the keys this version has";
        report.add(entry.pos, &here, format!("`{}` is not supported by this version of vigilmon", entry.key), hint);
        return;
    }
    report.add(entry.pos, &here, format!("there is no key `{}` {place}", entry.key), reference::advice(section, &entry.key));
}
