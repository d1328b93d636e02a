//! `vigilmon init`: a small config to begin with.

use std::fs;
use std::io::ErrorKind;
use std::io::Write;

use crate::app::surroundings::plain;
use crate::cli::Exit;
use crate::cli::args::InitOptions;
use crate::cli::output;

pub(super) fn run(options: &InitOptions) -> Exit {
    let path = options.path.display();
    // `create_new`: somebody's config is never overwritten.
    let written = fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .open(&options.path)
        .and_then(|mut file| file.write_all(crate::config::starter_config().as_bytes()));
    match written {
        Ok(()) => {
            output::data(&format!("wrote {path}\n"));
            output::say(&format!("next: edit it, then run `vigilmon --config {path}`"));
            Exit::Fine
        }
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {
            output::say(&format!("{path} exists already and was left as it is; name another file: `vigilmon init other.yaml`"));
            Exit::Usage
        }
        Err(error) => {
            output::say(&format!("cannot write {path}: {}", plain(&error)));
            Exit::Failed
        }
    }
}
