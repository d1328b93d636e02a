//! What is wrong with a YAML file's syntax, in words that lead to the mistake.
//!
//! The parser reports where it could not go on, in terms of the YAML grammar. People know lines, quotes, tabs and colons.

use serde_saphyr::Error;
use serde_saphyr::Location;

/// A finding, worded.
pub(super) struct Words {
    /// From 1; 0 means the whole file.
    pub(super) line: u32,
    /// From 1; 0 means the whole line.
    pub(super) column: u32,
    /// What is wrong.
    pub(super) message: String,
    /// What to do.
    pub(super) hint: String,
}

/// What the parser says, what we say, what to do.
const SCANNER: &[(&str, &str, &str)] = &[
    ("tab", "a tab stands where YAML wants spaces", "indent with spaces; YAML does not allow tabs"),
    ("unclosed bracket", "a bracket is never closed", "close the `[` or `{`, or put the text in quotes"),
    ("mismatched bracket", "a bracket is closed by another kind of bracket", "pair `[` with `]` and `{` with `}`"),
    ("misplaced bracket", "a bracket is closed that was never opened", "remove it, or put the text in quotes"),
    ("flow sequence", "a list in `[ ]` is not complete", "separate its items with commas and close it with `]`"),
    ("flow mapping", "a map in `{ }` is not complete", "separate its entries with commas and close it with `}`"),
    (
        "escape",
        "a text in double quotes has an unknown escape",
        "write `\\\\` for a backslash, or use single quotes, in which nothing is escaped",
    ),
    ("unclosed quote", "a quoted text is never closed", "begin and end the text with the same quote, `\"` or `'`"),
    (
        "quoted scalar",
        "a quoted text is never closed or goes on after its quote",
        "begin and end the text with the same quote, `\"` or `'`",
    ),
    ("simple key", "this line is neither `key: value` nor a list item", "put `: ` after the key, or `- ` before a list item"),
    (
        "mapping values are not allowed",
        "there is a `: ` where no key can be",
        "check the indentation, and put a text that contains `: ` in quotes",
    ),
    (
        "did not find expected key",
        "the indentation of this line fits none of the lines above",
        "align the keys of a map with each other; two spaces per level are the custom",
    ),
    ("block sequence entries are not allowed", "a list item cannot begin here", "put `- ` on a line of its own, indented below its key"),
    (
        "did not find expected '-' indicator",
        "this line stands among list items but does not begin with `- `",
        "begin it with `- `, or align it with the keys of the map it belongs to",
    ),
    (
        "invalid indentation",
        "the indentation of this line fits none of the lines above",
        "align the keys of a map with each other; two spaces per level are the custom",
    ),
    ("unexpected character", "a text cannot begin with this character", "put the text in quotes"),
    (
        "node content",
        "a value is missing or begins with a character that has a meaning in YAML",
        "put the text in quotes if it begins with one of `* & ! % @ [ { > |`",
    ),
    ("alphabetic or numeric", "`*` and `&` begin YAML aliases and anchors", "put the text in quotes"),
    ("block scalar", "a text block after `|` or `>` is indented wrongly", "indent all of its lines alike, deeper than its key"),
    ("plain scalar", "a text continues where YAML does not expect it", "put the text in quotes"),
    ("nesting", "the nesting is too deep", "64 levels are enough for every config"),
    ("recursion limit", "the nesting is too deep", "64 levels are enough for every config"),
];

/// Puts a syntax error into words. `text` is the whole file.
pub(super) fn explain(error: &Error, text: &str, at: Location) -> Words {
    // What is wrong inside of an alias is wrapped once more; the place is the same.
    if let Error::AliasError { error, .. } = error {
        return explain(error, text, at);
    }
    let line = u32::try_from(at.line()).unwrap_or(0);
    let column = u32::try_from(at.column()).unwrap_or(0);
    let words = |message: &str, hint: &str| Words { line, column, message: message.to_owned(), hint: hint.to_owned() };
    if let Error::ExternalMessage { msg, .. } = error {
        return in_lines(text, line, column).unwrap_or_else(|| scanner(msg, line, column));
    }
    let said = first_line(&error.to_string());
    if let Error::Budget { .. } = error {
        return if said.contains("depth") {
            words("the nesting is too deep", "64 levels are enough for every config")
        } else {
            words("the file is too large once its aliases are filled in", "use fewer anchors, or `templates` instead")
        };
    }
    if said.contains("replay") || said.contains("expan") {
        return words("the file is too large once its aliases are filled in", "use fewer anchors, or `templates` instead");
    }
    if let Error::UnknownAnchor { .. } = error {
        return words(
            "this alias refers to an anchor that does not exist",
            "define it above with `&name`, or put a text that begins with `*` in quotes",
        );
    }
    if let Error::MultipleDocuments { .. } = error {
        return words("a second document begins here", "remove the `---`, or put each document in a file of its own");
    }
    if said.contains("merge value") {
        return words("`<<` wants a map, or a list of maps", "write `<<: *anchor`");
    }
    if said.contains("tag") {
        return words("this YAML tag is not known here", "remove the word that begins with `!`, or put the text in quotes");
    }
    if said.contains("ecursive") {
        return words("an anchor contains itself", "define it outside of its own value");
    }
    words(&format!("not valid YAML: {said}"), "")
}

fn first_line(said: &str) -> String {
    said.lines().next().unwrap_or_default().to_owned()
}

fn scanner(said: &str, line: u32, column: u32) -> Words {
    let known = SCANNER.iter().find(|(part, _, _)| said.contains(part));
    let (message, hint) =
        known.map_or_else(|| (format!("not valid YAML: {said}"), ""), |(_, message, hint)| ((*message).to_owned(), *hint));
    Words { line, column, message, hint: hint.to_owned() }
}

/// The two mistakes whose place the parser often gives one line late: tabs, and a colon without a space or none at all.
fn in_lines(text: &str, line: u32, column: u32) -> Option<Words> {
    let number = usize::try_from(line).ok()?;
    for n in [number, number.checked_sub(1)?] {
        let content = text.lines().nth(n.checked_sub(1)?).unwrap_or_default();
        let indent: String = content.chars().take_while(|c| c.is_whitespace()).collect();
        let line = u32::try_from(n).ok()?;
        if let Some(tab) = indent.find('\t') {
            return Some(Words {
                line,
                column: u32::try_from(tab + 1).ok()?,
                message: "a tab stands where YAML wants spaces".to_owned(),
                hint: "indent with spaces; YAML does not allow tabs".to_owned(),
            });
        }
        let rest = content.trim().trim_start_matches("- ");
        if let Some(text) = bracketed_text(rest) {
            return Some(Words {
                line,
                column: if n == number { column } else { 0 },
                message: "a text that begins with `[` or `{` needs quotes".to_owned(),
                hint: format!("write `\"{text}\"`"),
            });
        }
        let word = rest.split([':', ' ']).next().unwrap_or_default();
        let is_word = !word.is_empty() && word.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
        let after = &rest[word.len().min(rest.len())..];
        if is_word && after.starts_with(':') && after.len() > 1 && !after.starts_with(": ") {
            return Some(Words {
                line,
                column: if n == number { column } else { 0 },
                message: format!("after `{word}:` a space is missing"),
                hint: format!("write `{word}: {}`", &after[1..]),
            });
        }
        if is_word && rest.contains(' ') && !rest.contains(": ") && !rest.ends_with(':') && !rest.contains(['"', '\'']) {
            return Some(Words {
                line,
                column: 0,
                message: "this line has no `: ` between key and value".to_owned(),
                hint: format!("write `{word}: {}`", after.trim_start()),
            });
        }
    }
    None
}

/// The value of a line like `name: [prod] api`: brackets, and more text after them.
fn bracketed_text(line: &str) -> Option<&str> {
    let value = line.split_once(": ").map_or(line, |(_, value)| value).trim();
    let end = match value.chars().next()? {
        '[' => value.find(']')?,
        '{' => value.find('}')?,
        _ => return None,
    };
    let after = value[end + 1..].trim_start();
    let is_text = after.starts_with(|c: char| c.is_alphanumeric() || matches!(c, '/' | '-' | '(')) && !value.contains('"');
    is_text.then_some(value)
}
