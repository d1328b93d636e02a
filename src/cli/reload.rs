//! `vigilmon reload`: the running instance reads its config again, now.

use crate::cli::Exit;
use crate::cli::args::Common;
use crate::cli::control;
use crate::cli::output;
use crate::config::Problem;

pub(super) fn run(common: &Common) -> Exit {
    let answer = match control::ask(common, "POST", "/local/reload") {
        Ok(answer) => answer,
        Err(exit) => return exit,
    };
    let problems = answer["problems"].as_array().cloned().unwrap_or_default();
    if problems.is_empty() {
        output::data(&format!("{}\n", answer["changed"].as_str().unwrap_or("done")));
        return Exit::Fine;
    }
    for problem in &problems {
        output::say(&read(problem).to_string());
    }
    output::say("the config is not valid; the active one runs on");
    Exit::Usage
}

/// A problem as the instance sent it.
fn read(problem: &serde_json::Value) -> Problem {
    let text = |key: &str| problem[key].as_str().unwrap_or_default().to_owned();
    let number = |key: &str| problem[key].as_u64().and_then(|n| u32::try_from(n).ok()).unwrap_or(0);
    Problem {
        file: text("file").into(),
        line: number("line"),
        column: number("column"),
        path: text("path"),
        message: text("message"),
        hint: text("hint"),
    }
}
