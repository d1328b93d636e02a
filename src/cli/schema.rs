//! `vigilmon schema`: the JSON Schema of the config, or its reference.

use crate::cli::Exit;
use crate::cli::args::SchemaOptions;
use crate::cli::output;

pub(super) fn run(options: &SchemaOptions) -> Exit {
    if options.markdown {
        output::data(&crate::config::reference_markdown());
    } else {
        output::json(&crate::config::json_schema());
    }
    Exit::Fine
}
