//! `vigilmon version`.

use crate::cli::Exit;
use crate::cli::output;

pub(super) fn run() -> Exit {
    output::data(&format!("vigilmon {}\n", crate::app::version_text()));
    Exit::Fine
}
