//! A monitor as it stands in the files, for its page: the same keys and values in the same order, without comments, and without secrets.
//!
//! What may be shown is decided by the list of keys in [`crate::config::reference`], by what a key takes: a key that is added there as a
//! secret is hidden here at once, and a value of which nothing is known is hidden too. Variables are shown by their names, because they are
//! read from the tree before they are filled in.

use std::collections::BTreeSet;

use crate::config::node::Entry;
use crate::config::node::Node;
use crate::config::node::Scalar;
use crate::config::node::ScalarKind;
use crate::config::node::Value;
use crate::config::reference;
use crate::config::reference::Key;
use crate::config::reference::Kind;
use crate::config::reference::Section;
use crate::model::id::is_deceptive;
use crate::model::monitor::shown_url;

/// Longest text that is kept of a monitor, in bytes: there may be thousands, and one with more keys than this is read in its file.
const BYTES_MAX: usize = 4096;

/// What stands in place of a secret.
const HIDDEN: &str = "\"[hidden]\"";

/// Texts that are sent to what is watched. They are no secrets for the config, but passwords are found in them.
const SENT: [&str; 2] = ["monitors[].http.body", "monitors[].tcp.send"];

/// An item of `monitors`, as YAML.
pub(super) fn monitor(item: &Node) -> String {
    let first = Writer::write(item, BTreeSet::new());
    // A value of the matrix may be shown when it stands in what is shown anyway, and in no secret. Templates, which use it too, are not
    // looked at, so what nothing here says of it is hidden.
    let names = item.get("matrix").and_then(Node::entries).unwrap_or_default().iter().map(|entry| entry.key.clone());
    let second = Writer::write(item, names.filter(|name| first.shows(name)).collect());
    let mut text = String::from("-");
    for line in second.lines {
        if BYTES_MAX < text.len() + line.len() {
            text.push_str("  # …\n");
            break;
        }
        // The first key stands beside the dash.
        text.push_str(if text == "-" { line.strip_prefix(' ').unwrap_or(&line) } else { &line });
        text.push('\n');
    }
    text
}

fn indent(depth: usize) -> String {
    "  ".repeat(depth)
}

/// Writes one monitor, line by line.
#[derive(Debug, Default)]
struct Writer {
    lines: Vec<String>,
    /// What was hidden, and the names that stand in place of secrets.
    hidden: Vec<String>,
    /// The keys of the matrix whose values may be shown.
    plain: BTreeSet<String>,
}

impl Writer {
    fn write(item: &Node, plain: BTreeSet<String>) -> Writer {
        let mut writer = Writer { plain, ..Writer::default() };
        writer.map(item.entries().unwrap_or_default(), Some(reference::section("monitors[]")), 1);
        writer
    }

    /// Whether a key of the matrix was used in what is shown, and in nothing that is not.
    fn shows(&self, name: &str) -> bool {
        let (used, meant) = (format!("${{matrix.{name}}}"), format!("matrix.{name}"));
        self.lines.iter().any(|line| line.contains(&used)) && !self.hidden.iter().any(|text| text.contains(&meant))
    }

    /// The lines of a map. Without a section its keys are free and nothing is known of its values.
    fn map(&mut self, entries: &[Entry], section: Option<&'static Section>, depth: usize) {
        for entry in entries {
            let before = format!("{}{}:", indent(depth), text(&entry.key));
            let is_matrix = entry.key == "matrix" && section.is_some_and(|section| section.path == "monitors[]");
            if let Some(values) = entry.value.entries().filter(|values| is_matrix && !values.is_empty()) {
                self.lines.push(before);
                self.matrix(values, depth + 1);
                continue;
            }
            let known = section.and_then(|section| section.keys.iter().find(|key| key.name == entry.key));
            let is_sent = section.is_some_and(|section| SENT.contains(&format!("{}.{}", section.path, entry.key).as_str()));
            let kind = known.filter(|_| !is_sent).map_or(&Kind::Secret, |key: &'static Key| &key.kind);
            self.value(&before, &entry.value, kind, depth);
        }
    }

    fn matrix(&mut self, values: &[Entry], depth: usize) {
        for entry in values {
            let kind = if self.plain.contains(&entry.key) { &Kind::List(&Kind::Text) } else { &Kind::Secret };
            // What is hidden here is no use of it.
            let n_hidden = self.hidden.len();
            self.value(&format!("{}{}:", indent(depth), text(&entry.key)), &entry.value, kind, depth);
            self.hidden.truncate(n_hidden);
        }
    }

    /// What follows `before`, which is a key or the dash of an item.
    fn value(&mut self, before: &str, node: &Node, kind: &Kind, depth: usize) {
        match &node.value {
            Value::Null => self.lines.push(before.to_owned()),
            Value::Scalar(found) => {
                let shown = self.scalar(found, kind);
                self.lines.push(format!("{before} {shown}"));
            }
            Value::Seq(items) if items.is_empty() => self.lines.push(format!("{before} []")),
            Value::Map(entries) if entries.is_empty() => self.lines.push(format!("{before} {{}}")),
            Value::Seq(items) => {
                self.lines.push(before.to_owned());
                for item in items {
                    self.value(&format!("{}-", indent(depth + 1)), item, item_kind(kind), depth + 1);
                }
            }
            Value::Map(entries) => {
                self.lines.push(before.to_owned());
                match map_kind(kind) {
                    MapKind::Section(section) => self.map(entries, Some(section), depth + 1),
                    MapKind::Free(kind) => {
                        for entry in entries {
                            self.value(&format!("{}{}:", indent(depth + 1), text(&entry.key)), &entry.value, kind, depth + 1);
                        }
                    }
                }
            }
        }
    }

    fn scalar(&mut self, found: &Scalar, kind: &Kind) -> String {
        match kind {
            Kind::Secret => {
                self.hidden.push(found.text.clone());
                secret(found)
            }
            Kind::Url => {
                let shown = url(found);
                if shown == HIDDEN {
                    self.hidden.push(found.text.clone());
                }
                shown
            }
            Kind::Either(one, _) | Kind::List(one) | Kind::OneOrMany(one) | Kind::Free(one) => self.scalar(found, one),
            Kind::Shape(_) if found.kind() == ScalarKind::Text => text(&without_defaults(&found.text)),
            Kind::Shape(_)
            | Kind::Text
            | Kind::Bool
            | Kind::Whole(..)
            | Kind::Duration
            | Kind::Size
            | Kind::Percent
            | Kind::File
            | Kind::Word(_)
            | Kind::Json
            | Kind::Map(_) => match found.kind() {
                ScalarKind::Number | ScalarKind::Boolean => found.text.clone(),
                ScalarKind::Text => text(&found.text),
            },
        }
    }
}

enum MapKind<'a> {
    Section(&'static Section),
    Free(&'a Kind),
}

/// What is known of the values of a map.
fn map_kind(kind: &Kind) -> MapKind<'_> {
    match kind {
        Kind::Map(path) => MapKind::Section(reference::section(path)),
        // `{ env: NAME }` says where a secret is, not what it is.
        Kind::Secret => MapKind::Section(reference::section("secret")),
        Kind::Free(of) => MapKind::Free(of),
        Kind::Either(one, other) => match map_kind(one) {
            MapKind::Free(Kind::Secret) => map_kind(other),
            found @ (MapKind::Section(_) | MapKind::Free(_)) => found,
        },
        Kind::List(of) | Kind::OneOrMany(of) => map_kind(of),
        Kind::Json => MapKind::Free(&Kind::Json),
        Kind::Text
        | Kind::Bool
        | Kind::Whole(..)
        | Kind::Duration
        | Kind::Size
        | Kind::Percent
        | Kind::Url
        | Kind::File
        | Kind::Word(_)
        | Kind::Shape(_) => MapKind::Free(&Kind::Secret),
    }
}

/// What the items of a list are.
fn item_kind(kind: &Kind) -> &Kind {
    match kind {
        Kind::List(of) | Kind::OneOrMany(of) => of,
        Kind::Either(one, other) => {
            if matches!(one, Kind::List(_) | Kind::OneOrMany(_)) {
                item_kind(one)
            } else {
                item_kind(other)
            }
        }
        Kind::Json => kind,
        Kind::Text
        | Kind::Bool
        | Kind::Whole(..)
        | Kind::Duration
        | Kind::Size
        | Kind::Percent
        | Kind::Url
        | Kind::File
        | Kind::Secret
        | Kind::Word(_)
        | Kind::Shape(_)
        | Kind::Map(_)
        | Kind::Free(_) => &Kind::Secret,
    }
}

/// A secret that is nothing but the name of a variable says where it comes from; a default within it would be the secret itself.
fn secret(found: &Scalar) -> String {
    let name = found.text.strip_prefix("${").and_then(|rest| rest.strip_suffix('}'));
    let is_name = name.is_some_and(|name| name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '.')));
    if is_name { text(&found.text) } else { HIDDEN.to_owned() }
}

/// An address without what opens it. Nobody can know which of the values in a query do, so none is shown. An address that cannot be read,
/// because variables stand in it, is shown when nothing in it can be a secret.
fn url(found: &Scalar) -> String {
    match url::Url::parse(&found.text) {
        Ok(url) if !found.text.contains("${") => {
            let mut bare = url.clone();
            bare.set_query(url.query().map(without_values).as_deref());
            let shown = shown_url(&bare);
            // What was not touched stays as it was written.
            if shown == url.as_str() { text(&found.text) } else { text(&shown) }
        }
        Ok(_) | Err(_) if found.text.contains(['@', '?']) => HIDDEN.to_owned(),
        Ok(_) | Err(_) => text(&without_defaults(&found.text)),
    }
}

fn without_values(query: &str) -> String {
    let shown = query.split('&').map(|pair| match pair.split_once('=') {
        Some((name, _)) => format!("{name}=***"),
        None if pair.is_empty() => String::new(),
        // A value that has no name.
        None => "***".to_owned(),
    });
    shown.collect::<Vec<_>>().join("&")
}

/// A text with variables, without what stands for those that are not set: whoever fills in an address that nobody should see writes one.
fn without_defaults(text: &str) -> String {
    let (mut shown, mut rest) = (String::new(), text);
    while let Some((before, variable)) = rest.split_once("${") {
        shown.push_str(before);
        let (variable, after) = variable.split_once('}').unwrap_or((variable, ""));
        match variable.split_once(":-") {
            Some((name, _)) => shown.push_str(&format!("${{{name}:-***}}")),
            None => shown.push_str(&format!("${{{variable}}}")),
        }
        rest = after;
    }
    shown.push_str(rest);
    shown
}

/// A text as YAML reads it again: bare when it cannot be taken for anything else, otherwise in double quotes.
fn text(of: &str) -> String {
    let is_bare = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.' | '/' | ':' | '%' | ' ' | '$' | '{' | '}');
    // `30s` and `1MiB` are texts; `1e3` and `0x1f` are numbers to somebody.
    let is_numeric = of.parse::<f64>().is_ok() || of.starts_with("0x") || of.starts_with("0o");
    let begins = of.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '/') && !is_numeric;
    let is_plain = begins && !of.ends_with([' ', ':']) && !of.contains(": ") && !of.contains(" #") && of.chars().all(is_bare);
    let lower = of.to_ascii_lowercase();
    let is_word = matches!(lower.as_str(), "true" | "false" | "null" | "yes" | "no" | "on" | "off");
    if is_plain && !is_word {
        return of.to_owned();
    }
    let visible: String = of.chars().map(|c| if is_deceptive(c) && !matches!(c, '\n' | '\r' | '\t') { '·' } else { c }).collect();
    // The escapes of JSON are escapes of YAML; a text always has a form in it.
    serde_json::to_string(&visible).unwrap_or_else(|_| HIDDEN.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::node::Files;
    use crate::config::report::Report;
    use crate::config::yaml;

    fn read(text: &str) -> Node {
        let report = Report::new(Files(Vec::new()));
        let node = yaml::parse(0, text, &report).expect("it is YAML");
        node.items().expect("a list")[0].clone()
    }

    #[track_caller]
    fn assert_written(item: &str, expected: &str) {
        assert_eq!(monitor(&read(item)), expected);
        // What is shown can be read again, and means the same keys.
        let again = read(expected);
        let keys = |node: &Node| node.entries().expect("a map").iter().map(|entry| entry.key.clone()).collect::<Vec<_>>();
        assert_eq!(keys(&again), keys(&read(item)));
    }

    #[test]
    fn a_monitor_is_written_as_it_stands_there() {
        assert_written(
            "- { name: '[prod] api', http: 'https://api.example.com/health', interval: 30s, labels: { team: web, no: '0123' } }",
            "- name: \"[prod] api\"\n  http: https://api.example.com/health\n  interval: 30s\n  labels:\n    team: web\n    \"no\": \"0123\"\n",
        );
        assert_written(
            "- tcp: db:5432\n  channels: [chat, mail]  # why\n  expect: { json: [{ path: $.a, gt: 3 }], status: 200 }\n  enabled: false\n  regions: all\n",
            "- tcp: db:5432\n  channels:\n    - chat\n    - mail\n  expect:\n    json:\n      -\n        path: \"$.a\"\n        gt: 3\n    status: 200\n  enabled: false\n  regions: all\n",
        );
    }

    #[test]
    fn secrets_are_hidden_wherever_they_stand() {
        for item in [
            "- { http: { url: 'https://u:hush@a.example/?token=hush', headers: { X-Key: hush, Accept: hush } } }",
            "- { http: { url: 'https://a.example/', auth: { bearer: hush } } }",
            "- { http: { url: 'https://a.example/', auth: { basic: { user: me, password: hush } }, body: 'pw=hush' } }",
            "- { http: { url: 'https://${HOST}/?token=hush', auth: { bearer: '${TOKEN:-hush}' } } }",
            "- { http: 'https://u:hush@${HOST}/' }",
            "- { tcp: { address: 'db:1', send: \"AUTH hush\" } }",
            "- { internal: { http: { url: 'https://a.example/', headers: { A: hush } } }, http: 'https://a.example/' }",
            "- { http: 'https://a.example/', nobody_knows_it: hush, nor: { this: { one: [hush, { a: hush }] } } }",
            "- { heartbeat: { interval: 1d, token: hush, uuid: hush } }",
            "- { http: 'https://a.example/?p=hush' }",
            "- { http: 'https://a.example/?code=hush&page=hush&hush' }",
            "- { http: 'https://${HOST:-hush.example}/x' }",
            "- { tcp: '${HOST:-hush.example}:1' }",
            "- { tcp: { address: '${HOST:-hush.example}:${PORT:-hush}' } }",
            "- { matrix: { t: [hush, hush2] }, http: { url: 'https://a.example/', auth: { bearer: '${matrix.t}' } } }",
            "- { matrix: { t: [hush] }, name: 'x ${matrix.t}', http: { url: 'https://a.example/', headers: { X: 'k ${matrix.t}' } } }",
            "- { matrix: { t: [hush] }, http: 'https://a.example/?t=${matrix.t}' }",
            "- { matrix: { t: [hush] }, use: sends-it, http: 'https://a.example/' }",
            "- { matrix: { t: [{ a: hush }], u: hush }, http: 'https://a.example/' }",
            "- { http: { url: 'https://a.example/', auth: { bearer: [hush] }, headers: [hush], tls: { client_key: { text: hush } } } }",
        ] {
            let shown = monitor(&read(item));
            assert!(!shown.contains("hush"), "{item}: {shown}");
        }
        let named =
            monitor(&read("- { http: { url: 'https://a.example/', auth: { bearer: '${API_TOKEN}' }, headers: { X: { env: NAME } } } }"));
        assert!(named.contains("bearer: \"${API_TOKEN}\"") && named.contains("env: NAME"), "{named}");
    }

    #[test]
    fn what_tells_where_it_looks_stays() {
        assert_written(
            "- { matrix: { zone: [us, eu], t: [hush] }, name: 'x ${matrix.zone}', http: 'https://${matrix.zone}.example/${PATH:-y}' }",
            "- matrix:\n    zone:\n      - us\n      - eu\n    t:\n      - \"[hidden]\"\n  name: x ${matrix.zone}\n  http: \"https://${matrix.zone}.example/${PATH:-***}\"\n",
        );
        assert_written(
            "- { matrix: { zone: [us, eu] }, name: x, tcp: '${matrix.zone}.example:${PORT:-5432}' }",
            "- matrix:\n    zone:\n      - us\n      - eu\n  name: x\n  tcp: \"${matrix.zone}.example:${PORT:-***}\"\n",
        );
        assert_written("- { http: 'https://a.example/x?page=2&b' }", "- http: \"https://a.example/x?page=***&***\"\n");
    }

    #[test]
    fn it_ends_somewhere() {
        let many: String = (0..1000).map(|i| format!(", key-{i}: value")).collect();
        let shown = monitor(&read(&format!("- {{ name: x, labels: {{ a: b{many} }} }}")));
        assert!(shown.len() < BYTES_MAX + 10 && shown.ends_with("# …\n"), "{}", shown.len());
    }
}
