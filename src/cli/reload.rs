//! `vigilmon reload`: the running instance reads its config again, now.

use crate::cli::Exit;
use crate::cli::args::Common;
use crate::cli::control;
use crate::cli::output;

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
        output::say(problem["text"].as_str().unwrap_or_default());
    }
    output::say("the config is not valid; the active one runs on");
    Exit::Usage
}
