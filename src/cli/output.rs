//! Words on the terminal.

use std::io::IsTerminal;
use std::io::Write;

use crate::config::Problem;

/// Prints data to standard output. A reader that has gone away (`| head`) ends the program quietly, as it does for other tools.
pub(super) fn data(text: &str) {
    if let Err(error) = std::io::stdout().write_all(text.as_bytes()).and_then(|()| std::io::stdout().flush()) {
        if error.kind() == std::io::ErrorKind::BrokenPipe {
            std::process::exit(0);
        }
        say(&format!("cannot write to standard output: {error}"));
        std::process::exit(3);
    }
}

/// Prints a line to standard error.
pub(super) fn say(text: &str) {
    // There is nowhere left to report to when standard error is closed.
    let _ = writeln!(std::io::stderr(), "{text}");
}

/// Prints problems to standard error, then how many there are.
pub(super) fn problems(problems: &[Problem]) {
    for problem in problems {
        say(&problem.to_string());
    }
    let n = problems.len();
    say(&format!("{n} problem{}", if n == 1 { "" } else { "s" }));
}

/// Problems as JSON for editors and CI.
pub(super) fn problems_json(problems: &[Problem]) -> serde_json::Value {
    let one = |problem: &Problem| {
        serde_json::json!({
            "file": problem.file.display().to_string(),
            "line": problem.line,
            "column": problem.column,
            "path": problem.path,
            "message": problem.message,
            "hint": problem.hint,
        })
    };
    serde_json::Value::Array(problems.iter().map(one).collect())
}

/// A JSON value on lines of its own.
pub(super) fn json(value: &serde_json::Value) {
    data(&format!("{value:#}\n"));
}

/// Whether standard output shows colours: it is a terminal, and `NO_COLOR` is not set.
pub(super) fn has_colour() -> bool {
    std::io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
}

/// Colours of the terminal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Colour {
    Green,
    Yellow,
    Red,
    Grey,
}

/// Text in a colour, or plain. Never the only sign of anything: the words say it too.
pub(super) fn coloured(text: &str, colour: Colour, is_on: bool) -> String {
    let code = match colour {
        Colour::Green => 32,
        Colour::Yellow => 33,
        Colour::Red => 31,
        Colour::Grey => 90,
    };
    if is_on { format!("\u{1b}[{code}m{text}\u{1b}[0m") } else { text.to_owned() }
}

/// Rows under headings in columns wide enough for each; the last column is not padded.
pub(super) fn table(headings: &[&str], rows: &[Vec<String>]) -> Vec<Vec<String>> {
    let width = |column: usize| {
        let cells = rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count());
        cells.chain([headings[column].chars().count()]).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..headings.len()).map(width).collect();
    let padded = |cells: Vec<String>| {
        let last = cells.len().saturating_sub(1);
        cells.into_iter().enumerate().map(|(i, cell)| if i == last { cell } else { format!("{cell:<width$}", width = widths[i]) }).collect()
    };
    std::iter::once(headings.iter().map(|heading| (*heading).to_owned()).collect()).chain(rows.iter().cloned()).map(padded).collect()
}
