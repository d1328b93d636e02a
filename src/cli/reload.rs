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
        let text = |key: &str| problem[key].as_str().unwrap_or_default().to_owned();
        output::say(&format!("{}:{}: {}: {}", text("file"), problem["line"], text("path"), text("message")));
        if !text("hint").is_empty() {
            output::say(&format!("  hint: {}", text("hint")));
        }
    }
    output::say("the config is not valid; the active one runs on");
    Exit::Usage
}
