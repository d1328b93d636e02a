//! `vigilmon run`: the monitor itself.

use std::io::IsTerminal;

use tracing_subscriber::EnvFilter;

use crate::app;
use crate::app::StartError;
use crate::cli::Exit;
use crate::cli::args::Common;
use crate::cli::args::LogFormat;
use crate::cli::output;

pub(super) fn run(common: &Common) -> Exit {
    let Ok(filter) = EnvFilter::builder().parse(&common.log) else {
        output::say(&format!("`{}` is not a log filter; write `info`, or `info,vigilmon::notifier=debug`", common.log));
        return Exit::Usage;
    };
    start_log(filter, common.log_format);
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            output::say(&format!("cannot start: {error}"));
            return Exit::Failed;
        }
    };
    let options = app::Options { config: common.config.clone(), state_dir: common.state_dir.clone(), announce: output::say };
    let outcome = runtime.block_on(app::run(options));
    // Reads of files that hang (NFS) must not keep the program from ending.
    runtime.shutdown_timeout(std::time::Duration::from_secs(2));
    match outcome {
        Ok(()) => Exit::Fine,
        Err(StartError::Config(problems)) => {
            output::problems(&problems);
            Exit::Usage
        }
        Err(error) => {
            output::say(&format!("vigilmon: {error}"));
            Exit::Failed
        }
    }
}

fn start_log(filter: EnvFilter, format: LogFormat) {
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).with_target(false);
    let is_journal = std::env::var_os("JOURNAL_STREAM").is_some();
    let no_colour = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    match format {
        LogFormat::Json => builder.json().flatten_event(true).init(),
        LogFormat::Text if is_journal => builder.with_ansi(false).without_time().init(),
        LogFormat::Text => builder.with_ansi(std::io::stderr().is_terminal() && !no_colour).init(),
    }
}
