//! `vigilmon sign-in-link`: a way in for whoever may read the state directory.

use crate::cli::Exit;
use crate::cli::args::Common;
use crate::cli::control;
use crate::cli::output;

pub(super) fn run(common: &Common) -> Exit {
    match control::ask(common, "POST", "/local/sign-in-link") {
        Ok(answer) => {
            output::data(&format!("{}\n", answer["url"].as_str().unwrap_or_default()));
            output::say("valid for 30 minutes, once");
            Exit::Fine
        }
        Err(exit) => exit,
    }
}
