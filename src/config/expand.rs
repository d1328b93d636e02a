//! What one monitor really says: defaults, templates and matrix applied, variables filled in.
//!
//! Works on the tree, before anything has a type, so that every value keeps the place where it was written.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::config::Surroundings;
use crate::config::decode::TEMPLATE_PATH_END;
use crate::config::fields::below;
use crate::config::fields::unknown_key;
use crate::config::interpolate;
use crate::config::interpolate::Matrix;
use crate::config::node::Entry;
use crate::config::node::Node;
use crate::config::node::Pos;
use crate::config::node::Scalar;
use crate::config::node::Value;
use crate::config::reference;
use crate::config::report::Report;
use crate::config::written;

/// Most monitors a config may have, so that a matrix cannot fill the memory.
const MONITORS_MAX: usize = 20_000;

/// A monitor with the way to where it is written.
pub(super) struct Whole {
    /// Everything merged.
    pub(super) node: Node,
    /// Such as `monitors[2]`.
    pub(super) path: String,
    /// As it stands in the file, without secrets; empty for what stands in no list of monitors.
    pub(super) written: Arc<str>,
}

/// All monitors after expansion.
pub(super) struct Expanded {
    /// In the order of the files.
    pub(super) monitors: Vec<Whole>,
    /// Templates that no monitor uses, made into monitors so that their mistakes are found too.
    pub(super) templates: Vec<Whole>,
    /// What `?create=1` makes, when `heartbeats.auto_create` allows it.
    pub(super) created: Option<Whole>,
    /// Nothing was left out because of a mistake.
    pub(super) complete: bool,
}

/// Of `defaults`, what concerns heartbeats: nothing is checked.
const DEFAULTS_OF_HEARTBEATS: [&str; 5] = ["channels", "regions", "quorum", "min_regions", "partial"];

/// What a heartbeat that is made by a ping is, unless a template says otherwise: as in healthchecks.
const CREATED: [(&str, &str); 2] = [("interval", "1d"), ("grace", "1h")];

/// Fills in the variables of everything but monitors and templates, which need the matrix first.
pub(super) fn fill_document(root: Node, around: &dyn Surroundings, report: &Report) -> Node {
    let filler = Filler { around, report, matrix: Matrix::None, matrix_hides: false };
    let pos = root.pos;
    let Value::Map(entries) = root.value else { return root };
    let fill = |entry: Entry| {
        if matches!(entry.key.as_str(), "monitors" | "templates") || entry.key.starts_with("x-") {
            return entry;
        }
        Entry { value: filler.node(entry.value, &entry.key), ..entry }
    };
    Node::map(pos, entries.into_iter().map(fill).collect())
}

/// Makes the monitors of a document.
pub(super) fn expand(root: &Node, around: &dyn Surroundings, report: &Report) -> Expanded {
    let expander = Expander { root, around, report };
    let mut used = BTreeSet::new();
    let mut out = Expanded { monitors: Vec::new(), templates: Vec::new(), created: None, complete: true };
    let none: &[Node] = &[];
    let items = match root.get("monitors").map(|node| (node, &node.value)) {
        None | Some((_, Value::Null)) => none,
        Some((_, Value::Seq(items))) => items,
        Some((node, Value::Scalar(_) | Value::Map(_))) => {
            let message = format!("expected a list of monitors, found {}", node.described());
            report.add(node.pos, "monitors", message, "begin each monitor with `- `");
            out.complete = false;
            none
        }
    };
    for (i, item) in items.iter().enumerate() {
        let before = out.monitors.len();
        expander.monitor(item, &format!("monitors[{i}]"), &mut used, &mut out.monitors);
        out.complete &= out.monitors.len() > before;
        if out.monitors.len() > MONITORS_MAX {
            let hint = "make its `matrix` smaller, or divide the monitors among several instances";
            report.add(item.pos, &format!("monitors[{i}]"), format!("there are more than {MONITORS_MAX} monitors"), hint);
            out.complete = false;
            break;
        }
    }
    out.created = expander.created(&mut used);
    out.templates = expander.unused_templates(&used);
    out
}

struct Expander<'a> {
    root: &'a Node,
    around: &'a dyn Surroundings,
    report: &'a Report,
}

impl Expander<'_> {
    fn monitor(&self, item: &Node, path: &str, used: &mut BTreeSet<String>, out: &mut Vec<Whole>) {
        if item.entries().is_none() {
            let hint = "write `- http: https://example.com`";
            self.report.add(item.pos, path, format!("expected a monitor, found {}", item.described()), hint);
            return;
        }
        let mut whole = Node::map(item.pos, Vec::new());
        for name in self.uses(item, path) {
            if let Some(template) = self.template(&name) {
                whole = merge(whole, in_long_form(template));
                used.insert(name.text.clone());
            }
        }
        let whole = self.below(Node { pos: item.pos, ..merge(whole, in_long_form(item)) });
        let matrix_hides = item.get("matrix").is_some_and(|node| mentions(node, "${"));
        let written: Arc<str> = written::monitor(item).into();
        for values in self.combinations(item, path) {
            if out.len() > MONITORS_MAX {
                return;
            }
            let matrix = if values.is_empty() { Matrix::None } else { Matrix::Values(&values) };
            let filler = Filler { around: self.around, report: self.report, matrix, matrix_hides };
            out.push(Whole { node: filler.monitor(whole.clone(), path), path: path.to_owned(), written: Arc::clone(&written) });
        }
    }

    /// A monitor with what it inherits from `defaults`.
    fn below(&self, monitor: Node) -> Node {
        let Some(mut defaults) = self.root.get("defaults").cloned() else { return monitor };
        if let (Some(_), Value::Map(entries)) = (monitor.get("heartbeat"), &mut defaults.value) {
            entries.retain(|entry| DEFAULTS_OF_HEARTBEATS.contains(&entry.key.as_str()));
        }
        let pos = monitor.pos;
        Node { pos, ..merge(defaults, monitor) }
    }

    /// What a ping may create, made into a monitor so that its mistakes are found too.
    fn created(&self, used: &mut BTreeSet<String>) -> Option<Whole> {
        const PATH: &str = "heartbeats.auto_create";
        let node = self.root.get("heartbeats")?.get("auto_create").filter(|node| !node.is_null())?;
        let pos = node.pos;
        let text = |text: &str| Node { pos, value: Value::Scalar(Scalar { text: text.to_owned(), quoted: true, written: None }) };
        let entry = |key: &str, value: Node| Entry { key: key.to_owned(), pos, value };
        let named = node.get("template").and_then(Node::scalar).map(|scalar| scalar.text.clone());
        let template = named.as_ref().and_then(|name| {
            let place = node.get("template").map_or(pos, |node| node.pos);
            used.insert(name.clone());
            self.template(&Named { text: name.clone(), pos: place, path: format!("{PATH}.template") })
        });
        if named.is_some() && template.is_none() {
            return None;
        }
        let template = template.cloned().unwrap_or_else(|| Node::map(pos, Vec::new()));
        let usual = if says_when(&template) { Vec::new() } else { CREATED.iter().map(|(key, value)| entry(key, text(value))).collect() };
        let own = Node::map(pos, vec![entry("name", text("created")), entry("heartbeat", Node::map(pos, usual))]);
        let filler = Filler { around: self.around, report: self.report, matrix: Matrix::None, matrix_hides: false };
        let whole = self.below(merge(own, in_long_form(&template)));
        Some(Whole { node: filler.monitor(Node { pos, ..whole }, PATH), path: PATH.to_owned(), written: Arc::default() })
    }

    fn uses(&self, item: &Node, path: &str) -> Vec<Named> {
        let Some(node) = item.get("use") else { return Vec::new() };
        let path = below(path, "use");
        let items: Vec<&Node> = match &node.value {
            Value::Null => Vec::new(),
            Value::Seq(items) => items.iter().collect(),
            Value::Scalar(_) | Value::Map(_) => vec![node],
        };
        let mut names = Vec::new();
        for node in items {
            let Some(scalar) = node.scalar() else {
                self.report.add(node.pos, &path, format!("expected the name of a template, found {}", node.described()), "");
                continue;
            };
            names.push(Named { text: scalar.text.clone(), pos: node.pos, path: path.clone() });
        }
        names
    }

    fn template(&self, name: &Named) -> Option<&Node> {
        let templates = self.root.get("templates").and_then(Node::entries).unwrap_or_default();
        if let Some(entry) = templates.iter().find(|entry| entry.key == name.text) {
            return Some(&entry.value);
        }
        let names: Vec<&str> = templates.iter().map(|entry| entry.key.as_str()).collect();
        let hint = match reference::nearest(&name.text, names.iter().copied()) {
            Some(near) => format!("did you mean `{near}`?"),
            None if names.is_empty() => "define it at the top level: `templates: { name: { … } }`".to_owned(),
            None => format!("the templates are {}", names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")),
        };
        self.report.add(name.pos, &name.path, format!("there is no template `{}`", name.text), hint);
        None
    }

    /// The cartesian product of a matrix; one empty combination when there is none.
    fn combinations(&self, item: &Node, path: &str) -> Vec<Vec<(String, String)>> {
        let mut all = vec![Vec::new()];
        let Some(node) = item.get("matrix").filter(|node| !node.is_null()) else { return all };
        let path = below(path, "matrix");
        let Some(entries) = node.entries() else {
            self.report.add(
                node.pos,
                &path,
                format!("expected a map, found {}", node.described()),
                "write `matrix: { cluster: [us, eu] }`",
            );
            return Vec::new();
        };
        for entry in entries {
            let here = below(&path, &entry.key);
            let values = self.matrix_values(entry, &here);
            if all.len().saturating_mul(values.len()) > MONITORS_MAX {
                self.report.add(entry.pos, &here, format!("this matrix makes more than {MONITORS_MAX} monitors"), "make it smaller");
                return Vec::new();
            }
            all = all
                .into_iter()
                .flat_map(|known| {
                    values.iter().map(move |value| known.iter().cloned().chain([(entry.key.clone(), value.clone())]).collect())
                })
                .collect();
        }
        all
    }

    fn matrix_values(&self, entry: &Entry, path: &str) -> Vec<String> {
        let items = match &entry.value.value {
            Value::Seq(items) => items.as_slice(),
            Value::Scalar(_) => std::slice::from_ref(&entry.value),
            Value::Null | Value::Map(_) => &[],
        };
        let mut values: Vec<String> = Vec::new();
        for item in items {
            let filler = Filler { around: self.around, report: self.report, matrix: Matrix::None, matrix_hides: false };
            match filler.node(item.clone(), path).scalar() {
                Some(scalar) if values.contains(&scalar.text) => {
                    self.report.add(item.pos, path, format!("`{}` is listed twice", scalar.shown()), "keep one of the two");
                }
                Some(scalar) => values.push(scalar.text.clone()),
                None => self.report.add(item.pos, path, format!("expected a text, found {}", item.described()), ""),
            }
        }
        if items.is_empty() {
            self.report.add(entry.pos, path, "this matrix key has no values", "list some: `[us, eu]`");
        }
        values
    }

    /// Checks the keys of all templates, and makes monitors of those that no monitor uses.
    fn unused_templates(&self, used: &BTreeSet<String>) -> Vec<Whole> {
        let Some(node) = self.root.get("templates").filter(|node| !node.is_null()) else { return Vec::new() };
        let Some(templates) = node.entries() else {
            let message = format!("expected a map, found {}", node.described());
            self.report.add(node.pos, "templates", message, "write `templates: { name: { interval: 30s } }`");
            return Vec::new();
        };
        let mut unused = Vec::new();
        let section = reference::section("templates.*");
        for template in templates {
            let path = below("templates", &template.key);
            let Some(entries) = template.value.entries() else {
                let message = format!("expected a map, found {}", template.value.described());
                self.report.add(template.value.pos, &path, message, "write keys of monitors below it, such as `interval: 30s`");
                continue;
            };
            for entry in entries.iter().filter(|entry| section.keys.iter().all(|key| key.name != entry.key)) {
                unknown_key(self.report, section, entry, &path);
            }
            // With a matrix the values are not known before a monitor uses the template.
            if !used.contains(&template.key) && !mentions(&template.value, "${matrix.") {
                let filler = Filler { around: self.around, report: self.report, matrix: Matrix::None, matrix_hides: false };
                unused.push(Whole { node: filler.monitor(as_monitor(template, section), &path), path, written: Arc::default() });
            }
        }
        unused
    }
}

struct Named {
    text: String,
    pos: Pos,
    path: String,
}

fn mentions(node: &Node, part: &str) -> bool {
    match &node.value {
        Value::Null => false,
        Value::Scalar(scalar) => scalar.text.contains(part),
        Value::Seq(items) => items.iter().any(|item| mentions(item, part)),
        Value::Map(entries) => entries.iter().any(|entry| mentions(&entry.value, part)),
    }
}

/// Whether a heartbeat says when it is expected.
fn says_when(monitor: &Node) -> bool {
    let beat = monitor.get("heartbeat");
    beat.is_some_and(|beat| ["interval", "cron", "calendar"].iter().any(|key| beat.get(key).is_some()))
}

/// A template with what it lacks to be a monitor.
fn as_monitor(template: &Entry, section: &reference::Section) -> Node {
    let pos = template.value.pos;
    let text = |text: &str| Node { pos, value: Value::Scalar(Scalar { text: text.to_owned(), quoted: true, written: None }) };
    let entry = |key: &str, value: Node| Entry { key: key.to_owned(), pos, value };
    let mut known = in_long_form(&template.value);
    if let Value::Map(entries) = &mut known.value {
        entries.retain(|entry| section.keys.iter().any(|key| key.name == entry.key));
    }
    let lacking = match (known.get("http"), known.get("tcp")) {
        (None, None) if known.get("heartbeat").is_some() => {
            let usual = if says_when(&known) { Vec::new() } else { vec![entry("interval", text("1d"))] };
            entry("heartbeat", Node::map(pos, usual))
        }
        (_, Some(_)) => entry("tcp", Node::map(pos, vec![entry("address", text("example.com:1"))])),
        (Some(_), None) | (None, None) => entry("http", Node::map(pos, vec![entry("url", text("https://example.com"))])),
    };
    merge(Node::map(pos, vec![entry("name", text("template")), lacking]), known)
}

/// `http: URL` and `tcp: address` written out, so that they can be merged with maps; below `internal` too.
fn in_long_form(node: &Node) -> Node {
    let mut node = node.clone();
    if let Value::Map(entries) = &mut node.value {
        for entry in entries {
            let key = match entry.key.as_str() {
                "http" => "url",
                "tcp" => "address",
                "internal" => {
                    entry.value = in_long_form(&entry.value);
                    continue;
                }
                _ => continue,
            };
            if entry.value.scalar().is_some() {
                let pos = entry.value.pos;
                let value = std::mem::replace(&mut entry.value, Node { pos, value: Value::Null });
                entry.value = Node::map(pos, vec![Entry { key: key.to_owned(), pos, value }]);
            }
        }
    }
    node
}

/// Puts `over` on top of `base`: maps are merged, everything else is replaced. A null replaces too: it takes an inherited value
/// away.
fn merge(base: Node, over: Node) -> Node {
    match (base.value, over.value) {
        (Value::Map(mut all), Value::Map(entries)) => {
            for entry in entries {
                match all.iter_mut().find(|known| known.key == entry.key) {
                    Some(known) => {
                        let below = std::mem::replace(&mut known.value, Node { pos: entry.pos, value: Value::Null });
                        *known = Entry { value: merge(below, entry.value), ..entry };
                    }
                    None => all.push(entry),
                }
            }
            Node { pos: over.pos, value: Value::Map(all) }
        }
        (_, value) => Node { pos: over.pos, value },
    }
}

/// Fills in variables below a node.
struct Filler<'a> {
    around: &'a dyn Surroundings,
    report: &'a Report,
    matrix: Matrix<'a>,
    /// The matrix itself has values from the environment.
    matrix_hides: bool,
}

impl Filler<'_> {
    /// A monitor's `matrix` is where the values come from, and has been read already.
    fn monitor(&self, node: Node, path: &str) -> Node {
        let pos = node.pos;
        let Value::Map(entries) = node.value else { return node };
        let fill = |entry: Entry| {
            if entry.key == "matrix" { entry } else { Entry { value: self.node(entry.value, &below(path, &entry.key)), ..entry } }
        };
        Node::map(pos, entries.into_iter().map(fill).collect())
    }

    fn node(&self, node: Node, path: &str) -> Node {
        let value = match node.value {
            Value::Null => Value::Null,
            Value::Scalar(scalar) if path.ends_with(TEMPLATE_PATH_END) => Value::Scalar(scalar),
            Value::Scalar(scalar) => Value::Scalar(self.scalar(scalar, node.pos, path)),
            Value::Seq(items) => {
                Value::Seq(items.into_iter().enumerate().map(|(i, item)| self.node(item, &format!("{path}[{i}]"))).collect())
            }
            Value::Map(entries) => Value::Map(
                entries
                    .into_iter()
                    .map(|entry| {
                        let value = self.node(entry.value, &below(path, &entry.key));
                        Entry { key: entry.key, pos: entry.pos, value }
                    })
                    .collect(),
            ),
        };
        Node { pos: node.pos, value }
    }

    fn scalar(&self, scalar: Scalar, pos: Pos, path: &str) -> Scalar {
        if !scalar.text.contains('$') {
            return scalar;
        }
        match interpolate::fill(&scalar.text, self.around, self.matrix) {
            Ok(text) if text == scalar.text => scalar,
            Ok(text) => Scalar { written: self.hides(&scalar).then(|| scalar.text.clone()), text, quoted: scalar.quoted },
            Err(trouble) => {
                self.report.settle(pos, path, trouble.message, trouble.hint);
                Scalar { text: scalar.text, quoted: scalar.quoted, written: None }
            }
        }
    }

    /// Values of a matrix stand in the same file and may be shown; those of the environment may be secrets.
    fn hides(&self, scalar: &Scalar) -> bool {
        interpolate::parts(&scalar.text).iter().any(|part| match part {
            interpolate::Part::Variable { name, .. } => self.matrix_hides || !name.starts_with("matrix."),
            interpolate::Part::Text(_) | interpolate::Part::Unclosed => false,
        })
    }
}
