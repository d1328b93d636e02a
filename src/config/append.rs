//! One more monitor at the end of a file's list, and every other byte as it was: comments, blanks, order and quotes are the author's.
//!
//! Looks at lines, not at YAML: whoever uses it loads the result and compares it with what was meant, so a file whose lines mislead is
//! refused and never broken.

/// What an item is indented by when there is no other item to follow; also how [`crate::config::draft::Draft::yaml`] writes it.
const INDENT: usize = 2;

/// The file's text with `item` as the last of its `monitors:`.
///
/// # Errors
/// Why there is no place for it, and what to do.
pub fn with_monitor(text: &str, item: &str) -> Result<String, String> {
    let line_end = if text.contains("\r\n") { "\r\n" } else { "\n" };
    let lines: Vec<&str> = text.split_inclusive('\n').collect();
    let Some(key) = lines.iter().position(|line| value_of_key(line).is_some()) else {
        let gap = if text.trim().is_empty() { "" } else { line_end };
        return Ok(inserted(&lines, lines.len(), &format!("{gap}monitors:{line_end}{}", indented(item, INDENT, line_end)), line_end));
    };
    let value = lines.get(key).and_then(|line| value_of_key(line)).unwrap_or_default();
    if !value.is_empty() && !value.starts_with('#') {
        return Err("its `monitors:` are not a list with a line for each; write them below each other, each after a `- `".to_owned());
    }
    let below = lines.get(key + 1..).unwrap_or_default();
    let n_below = below.iter().position(|line| ends_list(line)).unwrap_or(below.len());
    let list = below.get(..n_below).unwrap_or_default();
    let indent = list
        .iter()
        .find(|line| is_item(line.trim_start_matches(' ')))
        .map_or(INDENT, |line| line.len() - line.trim_start_matches(' ').len());
    // Blank lines and comments before the next key are about that key.
    let n_list = list.iter().rposition(|line| is_of_list(line)).map_or(0, |last| last + 1);
    Ok(inserted(&lines, key + 1 + n_list, &indented(item, indent, line_end), line_end))
}

/// What stands after `monitors:` at the left margin.
fn value_of_key(line: &str) -> Option<&str> {
    let rest = line.strip_prefix('\u{feff}').unwrap_or(line).strip_prefix("monitors:")?;
    (rest.is_empty() || rest.starts_with(char::is_whitespace)).then(|| rest.trim())
}

fn is_item(line: &str) -> bool {
    line.strip_prefix('-').is_some_and(|rest| rest.is_empty() || rest.starts_with(char::is_whitespace))
}

/// The next key, or the end of the document: at the left margin there is nothing else but items, comments and blank lines.
fn ends_list(line: &str) -> bool {
    !(line.trim().is_empty() || line.starts_with([' ', '\t', '#']) || is_item(line))
}

fn is_of_list(line: &str) -> bool {
    !line.trim().is_empty() && !line.starts_with('#')
}

/// The item, moved to where the others stand.
fn indented(item: &str, indent: usize, line_end: &str) -> String {
    let moved = |line: &str| format!("{}{}{line_end}", " ".repeat(indent), line.get(INDENT..).unwrap_or_default());
    item.lines().map(moved).collect()
}

fn inserted(lines: &[&str], at: usize, new: &str, line_end: &str) -> String {
    let (before, after) = lines.split_at(at.min(lines.len()));
    let mut out = before.concat();
    if !out.is_empty() && !out.ends_with('\n') {
        out.push_str(line_end);
    }
    out.push_str(new);
    out.push_str(&after.concat());
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    const ITEM: &str = "  - name: New\n    tcp: \"a:1\"\n";

    #[test]
    fn the_item_is_the_last_of_its_list_and_nothing_else_moves() {
        for (before, item, after) in [
            ("monitors:\n  - tcp: b:1\n", "  - name: New\n    tcp: \"a:1\"\n", ""),
            (
                "# head\nmonitors:   # ours\n- tcp: b:1 # first\n- name: x\n  tcp: c:1\n",
                "- name: New\n  tcp: \"a:1\"\n",
                "\n# about channels\nchannels: []\n",
            ),
            (
                "monitors:\n      - tcp: b:1\n        name: x\n      # the last word\n",
                "      - name: New\n        tcp: \"a:1\"\n",
                "# below\nself: {}\n",
            ),
            ("channels: []\nmonitors:\n", "  - name: New\n    tcp: \"a:1\"\n", "\nself: {}"),
            (
                "x-monitors: 1\nmonitors:\n  - http:\n      url: https://a/\n      body: |\n        # not a comment\n\n        monitors:\n",
                "  - name: New\n    tcp: \"a:1\"\n",
                "\n...\n",
            ),
        ] {
            assert_eq!(with_monitor(&format!("{before}{after}"), ITEM), Ok(format!("{before}{item}{after}")));
        }
    }

    #[test]
    fn a_file_without_the_list_gets_one() {
        assert_eq!(with_monitor("", ITEM), Ok(format!("monitors:\n{ITEM}")));
        assert_eq!(with_monitor("# only this", ITEM), Ok(format!("# only this\n\nmonitors:\n{ITEM}")));
        assert_eq!(with_monitor("self: {}\n", ITEM), Ok(format!("self: {{}}\n\nmonitors:\n{ITEM}")));
    }

    #[test]
    fn line_ends_stay_what_they_are() {
        assert_eq!(
            with_monitor("\u{feff}monitors:\r\n- tcp: b:1\r\nself: {}\r\n", ITEM),
            Ok("\u{feff}monitors:\r\n- tcp: b:1\r\n- name: New\r\n  tcp: \"a:1\"\r\nself: {}\r\n".to_owned())
        );
        assert_eq!(with_monitor("monitors:\n  - tcp: b:1", ITEM), Ok(format!("monitors:\n  - tcp: b:1\n{ITEM}")));
    }

    #[test]
    fn what_is_in_brackets_or_elsewhere_is_left_alone() {
        for text in ["monitors: [{ tcp: b:1 }]\n", "monitors: *all\n", "monitors: &x\n  - tcp: b:1\n"] {
            assert!(with_monitor(text, ITEM).is_err(), "{text}");
        }
    }
}
