//! The list of keys as a page of the manual.

use std::fmt::Write;

use crate::config::readers::size_text;
use crate::config::reference::Kind;
use crate::config::reference::sections;

/// The whole page, `docs/configuration.md`.
#[must_use]
pub fn reference_markdown() -> String {
    let mut page = String::from(INTRODUCTION);
    for section in sections() {
        let title = if section.path.is_empty() { "Top level".to_owned() } else { format!("`{}`", section.path) };
        // Writing to a text cannot fail, here and below.
        let _ = write!(page, "\n## {title}\n\n{}\n\n", section.doc);
        page.push_str("| Key | Takes | Default | Meaning | Example |\n|---|---|---|---|---|\n");
        for key in section.keys {
            let default = match (key.required, key.default) {
                (true, _) => "*required*".to_owned(),
                (false, "") => "–".to_owned(),
                (false, text) if text.contains(' ') => cell(text),
                (false, text) => code(text),
            };
            let takes = cell(&takes(&key.kind));
            let _ = writeln!(page, "| `{}` | {takes} | {default} | {} | {} |", key.name, cell(key.doc), code(key.example));
        }
    }
    page
}

const INTRODUCTION: &str = "\
# Configuration

<!-- Made from the list of keys in src/config/reference; a test keeps it up to date. -->

vigilmon reads YAML from a file, or from all `*.yaml` and `*.yml` files of a directory in name order.
[config.example.yaml](../config.example.yaml) shows it as a whole; this page lists every key.

- **Durations** are a number with its unit, `500ms`, `30s`, `1h30m`, `7d`; units are `ms`, `s`, `m`, `h`, `d`, `w`, `y`.
- **Sizes** are a number with its unit, `64KiB`, `1MiB`, `2GiB`. **Percentages** end in `%`.
- **Variables**: `${NAME}` and `${NAME:-default}` read the environment, `$$` is a dollar sign. They are filled in after the YAML
  was parsed, so a value cannot add keys or lines. A variable that is not set and has no default is an error.
- **Secrets** can be a text, or `{ file: path }`, `{ env: NAME }`, `{ credential: name }`.
- **Several files**: lists are joined, maps are merged, a scalar may be set only once.
- **Name patterns**: only `*` and `?` are special; brackets are literal.
- Unknown keys, duplicate keys and wrong types are errors, and all of them are reported at once.
  `vigilmon validate` shows them without starting anything.
";

fn takes(kind: &Kind) -> String {
    match kind {
        Kind::Text => "text".to_owned(),
        Kind::Bool => "`true` or `false`".to_owned(),
        Kind::Whole(0, max) if *max == u64::from(u32::MAX) => "whole number".to_owned(),
        Kind::Whole(min, max) => format!("whole number, {min} to {max}"),
        Kind::Duration => "duration".to_owned(),
        Kind::Size => format!("size, such as `{}`", size_text(1 << 20)),
        Kind::Percent => "percentage".to_owned(),
        Kind::Url => "URL".to_owned(),
        Kind::File => "path".to_owned(),
        Kind::Secret => "[secret](#secret)".to_owned(),
        Kind::Word(words) => words.iter().map(|word| format!("`{word}`")).collect::<Vec<_>>().join(", "),
        Kind::Shape(words) => (*words).to_owned(),
        Kind::Json => "any value".to_owned(),
        Kind::Map(path) => format!("[map](#{})", anchor(path)),
        Kind::Free(value) => format!("map of {}", takes(value)),
        Kind::List(item) => format!("list of {}", takes(item)),
        Kind::OneOrMany(item) => format!("{}; one or a list", takes(item)),
        Kind::Either(one, other) => format!("{}, or {}", takes(one), takes(other)),
    }
}

/// The name that a heading gets on a web page.
fn anchor(path: &str) -> String {
    path.chars().filter(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_')).collect()
}

fn cell(text: &str) -> String {
    text.replace('|', "\\|")
}

fn code(text: &str) -> String {
    format!("`{}`", cell(text))
}
