//! The one list of every key: its type, default, meaning and an example.
//!
//! It feeds the hints about unknown keys, the JSON Schema ([`schema`]) and the manual ([`manual`]). The decoder is compared with
//! it every time it closes a map (in debug builds), so that none of them can say what the program does not do.

pub(super) mod manual;
pub(super) mod schema;
mod table;
mod table_channel;
mod table_maintenance;
mod table_monitor;
mod table_page;
mod table_policy;

/// One kind of map in the config.
#[derive(Debug)]
pub(super) struct Section {
    /// Where it can stand; empty for the top level.
    pub(super) path: &'static str,
    /// What it is for.
    pub(super) doc: &'static str,
    /// Its keys.
    pub(super) keys: &'static [Key],
}

/// One key.
#[derive(Debug)]
pub(super) struct Key {
    /// As written.
    pub(super) name: &'static str,
    /// What it takes.
    pub(super) kind: Kind,
    /// What holds when it is absent, as it would be written or as a short phrase; empty when nothing does.
    pub(super) default: &'static str,
    /// It cannot be absent.
    pub(super) required: bool,
    /// What it means, in a sentence or two.
    pub(super) doc: &'static str,
    /// A value, as it would be written in flow style.
    pub(super) example: &'static str,
}

/// What a key takes.
#[derive(Debug, Clone, Copy)]
pub(super) enum Kind {
    /// A text.
    Text,
    /// `true` or `false`.
    Bool,
    /// A whole number within these.
    Whole(u64, u64),
    /// A duration.
    Duration,
    /// A size.
    Size,
    /// A percentage.
    Percent,
    /// An `http` or `https` URL.
    Url,
    /// A path of a file.
    File,
    /// A secret.
    Secret,
    /// One of these words.
    Word(&'static [&'static str]),
    /// A text or number with a shape of its own, said in words.
    Shape(&'static str),
    /// Anything that JSON has.
    Json,
    /// A map of this section.
    Map(&'static str),
    /// A map with free keys and such values.
    Free(&'static Kind),
    /// A list of such.
    List(&'static Kind),
    /// One such, or a list.
    OneOrMany(&'static Kind),
    /// One or the other.
    Either(&'static Kind, &'static Kind),
}

const fn key(name: &'static str, kind: Kind, default: &'static str, doc: &'static str, example: &'static str) -> Key {
    Key { name, kind, default, required: false, doc, example }
}

const fn must(name: &'static str, kind: Kind, doc: &'static str, example: &'static str) -> Key {
    Key { name, kind, default: "", required: true, doc, example }
}

/// All sections in the order of the manual.
pub(super) fn sections() -> impl Iterator<Item = &'static Section> {
    let monitors = table::SECTIONS.iter().chain(table_monitor::SECTIONS).chain(table_policy::SECTIONS).chain(table_maintenance::SECTIONS);
    monitors.chain(table_channel::SECTIONS).chain(table_page::SECTIONS)
}

/// The section with this path.
///
/// The paths are written in our own decoders, and a test opens every one of them.
pub(super) fn section(path: &str) -> &'static Section {
    sections().find(|section| section.path == path).unwrap_or(&table::SECTIONS[0])
}

/// Every key with its whole path, such as `monitors[].http.url`.
#[must_use]
pub fn key_paths() -> Vec<String> {
    sections().flat_map(|section| section.keys.iter().map(|key| crate::config::fields::below(section.path, key.name))).collect()
}

/// Whether a later version has this key.
pub(super) fn is_later(path: &str, key: &str) -> bool {
    LATER.iter().any(|(section, keys)| *section == path && keys.contains(&key))
}

/// Keys that are planned but that this version does not have. They are refused by name: a key that is read and then ignored
/// would promise what does not happen.
const LATER: &[(&str, &[&str])] =
    &[("", &["metrics"]), ("templates.*", LATER_MONITOR), ("monitors[]", LATER_MONITOR), ("monitors[].expect", &["records"])];

const LATER_MONITOR: &[&str] = &["dns", "tls", "ping", "grpc", "websocket", "domain", "ssh", "udp", "command"];

/// What other programs call it, and what it is called here.
const FOREIGN: &[(&str, &str)] = &[
    ("alert", "channels"),
    ("alerting", "channels"),
    ("alerts", "channels"),
    ("checks", "monitors"),
    ("conditions", "expect"),
    ("contacts", "channels"),
    ("endpoints", "monitors"),
    ("expected_status", "expect.status"),
    ("frequency", "interval"),
    ("jobs", "monitors"),
    ("keyword", "expect.body_contains"),
    ("notifications", "channels"),
    ("period", "interval"),
    ("receivers", "channels"),
    ("retries", "confirm.failures"),
    ("services", "monitors"),
    ("sms", "twilio"),
    ("status_page", "status_pages"),
    ("tags", "labels"),
    ("target", "http.url"),
    ("targets", "monitors"),
    ("tests", "monitors"),
];

/// What to do about a key that its map does not have: the nearest key, the map it belongs to, or the keys there are.
pub(super) fn advice(section: &Section, unknown: &str) -> String {
    if let Some(near) = nearest(unknown, section.keys.iter().map(|key| key.name)) {
        return format!("did you mean `{near}`?");
    }
    if let Some((_, ours)) = FOREIGN.iter().find(|(theirs, _)| *theirs == unknown) {
        return format!("it is called `{ours}` here");
    }
    let inside = if section.path.is_empty() { String::new() } else { format!("{}.", section.path) };
    let mut homes: Vec<&Section> =
        sections().filter(|home| home.path != "secret" && home.keys.iter().any(|key| key.name == unknown)).collect();
    if section.path == "templates.*" && self::section("monitors[]").keys.iter().any(|key| key.name == unknown) {
        return format!("`{unknown}` stands in monitors, not in templates");
    }
    // The nearest home is the one with the shortest way from here; then the top level.
    homes.sort_by_key(|home| (!home.path.starts_with(&inside), home.path.len()));
    match homes.first() {
        Some(home) if home.path.is_empty() => format!("`{unknown}` belongs to the top level"),
        Some(home) => format!("`{unknown}` belongs into `{}`", home.path.strip_prefix(&inside).unwrap_or(home.path)),
        None => {
            let names: Vec<String> = section.keys.iter().map(|key| format!("`{}`", key.name)).collect();
            format!("the keys here are {}", names.join(", "))
        }
    }
}

/// The candidate that is most probably meant, if any is near enough.
pub(super) fn nearest<'a>(word: &str, candidates: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let word = word.to_lowercase().replace('-', "_");
    let allowed = (word.chars().count() / 3).clamp(1, 4);
    candidates
        .map(|candidate| (strsim::osa_distance(&word, &candidate.to_lowercase().replace('-', "_")), candidate))
        .filter(|(distance, candidate)| *distance <= allowed && *distance < candidate.chars().count())
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// Which sections the decoder has opened; only tests ask.
#[cfg(debug_assertions)]
pub(super) mod coverage {
    use std::cell::RefCell;
    use std::collections::BTreeSet;

    thread_local! {
        static OPENED: RefCell<BTreeSet<&'static str>> = const { RefCell::new(BTreeSet::new()) };
    }

    /// A section was opened.
    pub(in crate::config) fn note(path: &'static str) {
        OPENED.with_borrow_mut(|opened| opened.insert(path));
    }

    /// All that were opened on this thread.
    #[cfg(test)]
    pub(in crate::config) fn opened() -> BTreeSet<&'static str> {
        OPENED.with_borrow(BTreeSet::clone)
    }
}
