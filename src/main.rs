//! The binary: everything is in the library, so that tests can start an instance too.

use std::process::ExitCode;

fn main() -> ExitCode {
    vigilmon::cli::main()
}
