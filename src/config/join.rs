//! Several files make one config: lists are joined, maps merged, and a scalar may be set only once.

use crate::config::node::Entry;
use crate::config::node::Node;
use crate::config::node::Value;
use crate::config::report::Report;

/// Adds a file's tree to what the files before it said.
pub(super) fn join(base: Node, more: Node, path: &str, report: &Report) -> Node {
    match (base.value, more.value) {
        (Value::Null, value) => Node { pos: more.pos, value },
        (value, Value::Null) => Node { pos: base.pos, value },
        (Value::Seq(mut all), Value::Seq(items)) => {
            all.extend(items);
            Node { pos: base.pos, value: Value::Seq(all) }
        }
        (Value::Map(mut all), Value::Map(entries)) => {
            for entry in entries {
                join_entry(&mut all, entry, path, report);
            }
            Node { pos: base.pos, value: Value::Map(all) }
        }
        (value, _) => {
            let first = report.files.beside(base.pos, more.pos);
            report.add(more.pos, path, format!("this is already set in {first}"), "keep one of the two");
            Node { pos: base.pos, value }
        }
    }
}

fn join_entry(all: &mut Vec<Entry>, entry: Entry, path: &str, report: &Report) {
    let at_top = path.is_empty();
    let Some(same) = all.iter_mut().find(|known| known.key == entry.key) else {
        all.push(entry);
        return;
    };
    let here = if at_top { entry.key.clone() } else { format!("{path}.{}", entry.key) };
    if at_top && entry.key.starts_with("x-") {
        return;
    }
    // A template is a thing with a name, and names are unique.
    if path == "templates" {
        let first = report.files.beside(same.pos, entry.pos);
        report.add(entry.pos, &here, format!("there is already a template `{}` in {first}", entry.key), "give one of them another name");
        return;
    }
    let base = std::mem::replace(&mut same.value, Node { pos: entry.pos, value: Value::Null });
    same.value = join(base, entry.value, &here, report);
}
