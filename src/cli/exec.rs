//! `vigilmon exec`: runs a command and reports it to a heartbeat, for jobs in crontabs and containers.
//!
//! The command comes first. It starts at once, while the start is still being reported, and nothing about the monitor or its address
//! keeps it from running or changes its exit code. What could not be reported is said in one line at the end.

mod address;
mod reporter;

use std::ffi::OsStr;
use std::io;
use std::os::fd::AsFd;
use std::path::Path;
use std::process::Command;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use rustix::process::Signal;
use tokio::signal::unix::SignalKind;
use tokio::sync::mpsc;
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;

use crate::app::surroundings::plain;
use crate::cli::Exit;
use crate::cli::args::Common;
use crate::cli::args::ExecOptions;
use crate::cli::exec::address::Address;
use crate::cli::exec::reporter::Report;
use crate::cli::exec::reporter::Reporter;
use crate::cli::exec::reporter::client;
use crate::cli::heartbeat;
use crate::cli::output;
use crate::clock::Clock;
use crate::model::secret::Secret;
use crate::supervise::Jobs;
use crate::supervise::command::Ended;
use crate::supervise::command::Output;
use crate::supervise::command::Running;

/// Signals that are passed on to the command.
const PASSED_ON: [Signal; 6] = [Signal::TERM, Signal::INT, Signal::HUP, Signal::QUIT, Signal::USR1, Signal::USR2];

/// Signals that wait to be passed on; the system itself keeps no more than one of each.
const SIGNALS_MAX: usize = 16;

/// Signals that come so soon after the end of the command were meant for it, and it may have ended by them: its end is still reported.
/// Later ones mean ourselves.
const MEANT_FOR_IT: Duration = Duration::from_secs(1);

/// What shells say of a command that is not there.
const NOT_FOUND: u8 = 127;

/// What shells say of a command that cannot be executed.
const NOT_EXECUTABLE: u8 = 126;

/// Where the address of the pings can stand. The command has no use for it, and might print its environment.
const ADDRESS_VARIABLE: &str = "VIGILMON_PING_URL";

/// Where the command finds the id of its run, should it want to send pings of its own.
const RUN_VARIABLE: &str = "VIGILMON_RUN_ID";

pub(super) fn run(common: &Common, options: &ExecOptions) -> ExitCode {
    if let Some(path) = &options.copy_to {
        return copy_to(path).into();
    }
    let Some((program, arguments)) = options.command.split_first() else {
        output::say("there is no command to run; write it after `--`");
        return Exit::Usage.into();
    };
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            output::say(&format!("cannot start: {error}"));
            return Exit::Failed.into();
        }
    };
    let reporter = reporter(common, options);
    let run = reporter.as_ref().ok().and_then(|reporter| reporter.run.clone());
    let mut command = Command::new(program);
    command.args(arguments).env_remove(ADDRESS_VARIABLE);
    if let Some(run) = run {
        command.env(RUN_VARIABLE, run);
    }
    let (code, trouble) = runtime.block_on(async {
        let job = Job { reporter: reporter.clone().ok().map(Arc::new), tail_bytes: options.tail, timeout: options.timeout };
        job.carry_out(program, command).await
    });
    if let Some(line) = line(&reporter, &trouble) {
        output::say(&line);
    }
    ExitCode::from(code)
}

/// Puts this program where the image of a job can use it. Whole or not at all: a job may be starting from there.
fn copy_to(path: &Path) -> Exit {
    let draft = path.with_extension("draft");
    let copied = std::env::current_exe().and_then(|here| std::fs::copy(here, &draft)).and_then(|_| std::fs::rename(&draft, path));
    match copied {
        Ok(()) => Exit::Fine,
        Err(error) => {
            output::say(&format!("cannot copy this program to {}: {}", path.display(), plain(&error)));
            Exit::Failed
        }
    }
}

/// Whoever reports.
///
/// # Errors
/// Why nothing can be reported, in one sentence.
fn reporter(common: &Common, options: &ExecOptions) -> Result<Reporter, String> {
    let ping = options.ping.as_ref().ok_or("there is no ping address")?;
    let address = resolve_ping(common, ping)?;
    let run = if options.no_rid {
        None
    } else {
        // Without randomness there is no id; the receiver takes pings without one.
        address.run().or_else(|| options.rid.clone().flatten()).or_else(random_uuid)
    };
    Ok(Reporter { client: client(options.timeout)?, address, run, n_retries: options.retries })
}

/// The address that `--ping` means: a URL, or a heartbeat of the config here.
///
/// # Errors
/// What is wrong with it, without the text itself where it may be a URL.
fn resolve_ping(common: &Common, ping: &Secret) -> Result<Address, String> {
    let text = ping.reveal_for_use().trim();
    if text.is_empty() || text.contains(['/', ':']) {
        return Address::parse(text);
    }
    Address::parse(heartbeat::address_of(common, text)?.reveal_for_use())
}

/// A random UUID, version 4.
fn random_uuid() -> Option<String> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).ok()?;
    bytes[6] = bytes[6] & 0x0f | 0x40;
    bytes[8] = bytes[8] & 0x3f | 0x80;
    let digits = data_encoding::HEXLOWER.encode(&bytes);
    Some([&digits[..8], &digits[8..12], &digits[12..16], &digits[16..20], &digits[20..]].join("-"))
}

/// The one line about what could not be reported; `None` when all was.
fn line(reporter: &Result<Reporter, String>, trouble: &[String]) -> Option<String> {
    match reporter {
        Err(why) => Some(format!("vigilmon exec: nothing was reported: {why}")),
        Ok(_) if trouble.is_empty() => None,
        Ok(reporter) => Some(format!("vigilmon exec: not reported to {}: {}", reporter.address.shown(), trouble.join("; "))),
    }
}

/// What is to be done besides running the command.
struct Job {
    /// `None`: nothing can be reported.
    reporter: Option<Arc<Reporter>>,
    tail_bytes: usize,
    timeout: Duration,
}

/// How it went, as it is reported.
struct Outcome {
    /// Our exit code.
    code: u8,
    /// What the last ping says.
    word: String,
    /// What the command said; `None` when it was not executed.
    output: Option<Output>,
    /// A line at the end of the body.
    note: String,
    took: Duration,
}

impl Job {
    /// Runs the command; returns the exit code, and what could not be reported.
    async fn carry_out(&self, program: &OsStr, command: Command) -> (u8, Vec<String>) {
        let clock = Clock::system();
        let jobs = Jobs::default();
        let mut signals = listen(&jobs);
        let has_ended = CancellationToken::new();
        let started = self.report_start(&jobs, has_ended.clone());
        let began = clock.now().mono;
        let outcome = match Running::start(command, self.tail_bytes) {
            Ok(running) => {
                let (ended, output) = watch(running, &mut signals).await;
                Outcome {
                    code: ended.shell_code(),
                    word: ended.shell_code().to_string(),
                    output: Some(output),
                    note: note(ended),
                    took: clock.now().mono.since(began),
                }
            }
            Err(error) => {
                let why = format!("{}: {}", program.to_string_lossy(), plain(&error));
                output::say(&format!("vigilmon exec: cannot run {why}"));
                let code = if error.kind() == io::ErrorKind::NotFound { NOT_FOUND } else { NOT_EXECUTABLE };
                let note = format!("cannot run {why}\n");
                Outcome { code, word: "fail".to_owned(), output: None, note, took: Duration::ZERO }
            }
        };
        has_ended.cancel();
        let code = outcome.code;
        let trouble = tokio::select! {
            trouble = self.report_end(outcome, started) => trouble,
            () = told_to_stop(&mut signals) => vec!["told to stop before the end was reported".to_owned()],
        };
        (code, trouble)
    }

    /// Begins to report the start. It goes on beside the command: no job is late because of its monitor.
    fn report_start(&self, jobs: &Jobs, has_ended: CancellationToken) -> oneshot::Receiver<Result<Option<usize>, String>> {
        let (done, outcome) = oneshot::channel();
        if let Some(reporter) = self.reporter.clone() {
            let timeout = self.timeout;
            jobs.start(async move {
                let report = Report { word: "start".to_owned(), body: Vec::new(), took: None };
                // Nobody waits for it any more once the program is told to stop.
                let _ = done.send(reporter.send(report, timeout, &has_ended).await);
            });
        }
        outcome
    }

    /// Reports the end, after the start has been or has been given up: a start that came later would open a run that never ends.
    async fn report_end(&self, mut outcome: Outcome, started: oneshot::Receiver<Result<Option<usize>, String>>) -> Vec<String> {
        if let Some(output) = &mut outcome.output {
            output.passed_on().await;
        }
        let Some(reporter) = &self.reporter else { return Vec::new() };
        let mut trouble = Vec::new();
        let limit = match started.await {
            Ok(Ok(limit)) => limit,
            Ok(Err(why)) => {
                trouble.push(format!("the start: {why}"));
                None
            }
            Err(_) => None,
        };
        let body = body(&outcome, limit.unwrap_or(usize::MAX));
        let report = Report { word: outcome.word, body, took: Some(outcome.took) };
        if let Err(why) = reporter.send(report, self.timeout, &CancellationToken::new()).await {
            trouble.push(format!("the end: {why}"));
        }
        trouble
    }
}

/// The end of the output with the note below it, in so many bytes.
fn body(outcome: &Outcome, bytes_max: usize) -> Vec<u8> {
    let note = &outcome.note.as_bytes()[..outcome.note.len().min(bytes_max)];
    let mut body = outcome.output.as_ref().map(|output| output.tail(bytes_max - note.len())).unwrap_or_default();
    body.extend(note);
    body
}

/// What the output does not say by itself.
fn note(ended: Ended) -> String {
    match ended {
        Ended::Code(_) => String::new(),
        Ended::Signal(number) => {
            let name = Signal::from_named_raw(i32::from(number)).map(|signal| format!("{signal:?}").replace("Signal::", "SIG"));
            let name = name.map(|name| format!(" ({})", name.trim_matches('"'))).unwrap_or_default();
            format!("\nkilled by signal {number}{name}\n")
        }
    }
}

/// Waits for the end of the command, passing on what it is told.
async fn watch(mut running: Running, signals: &mut mpsc::Receiver<Signal>) -> (Ended, Output) {
    loop {
        tokio::select! {
            ended = running.ended() => return (ended, running.into_output()),
            Some(signal) = signals.recv() => {
                if !has_heard_it_itself(signal) {
                    running.signal(signal);
                }
            }
        }
    }
}

/// Whether the signal came from the keyboard: the terminal sends those to everybody in the foreground, so the command has it already.
fn has_heard_it_itself(signal: Signal) -> bool {
    let own = rustix::process::getpgrp();
    let is_in_front = |fd: &dyn AsFd| rustix::termios::tcgetpgrp(fd.as_fd()).is_ok_and(|group| group == own);
    (signal == Signal::INT || signal == Signal::QUIT) && (is_in_front(&io::stdin()) || is_in_front(&io::stderr()))
}

/// Returns when a signal means this program itself; those meant for the command may still come for a moment.
async fn told_to_stop(signals: &mut mpsc::Receiver<Signal>) {
    let _ = tokio::time::timeout(MEANT_FOR_IT, async { while signals.recv().await.is_some() {} }).await;
    while let Some(signal) = signals.recv().await {
        if signal != Signal::USR1 && signal != Signal::USR2 {
            return;
        }
    }
    std::future::pending().await
}

/// Begins to hear signals. One that is ignored stays so, for the command as well: that is how `nohup` and background jobs work.
fn listen(jobs: &Jobs) -> mpsc::Receiver<Signal> {
    let (heard, signals) = mpsc::channel(SIGNALS_MAX);
    let ignored = ignored_signals();
    for signal in PASSED_ON.into_iter().filter(|signal| ignored >> (signal.as_raw() - 1) & 1 == 0) {
        // A signal that cannot be heard does what it does to every program.
        let Ok(mut stream) = tokio::signal::unix::signal(SignalKind::from_raw(signal.as_raw())) else { continue };
        let heard = heard.clone();
        jobs.start(async move { while stream.recv().await.is_some() && heard.send(signal).await.is_ok() {} });
    }
    // Whoever ignores the ends of its children never learns their exit codes, and that is inherited; hearing of them undoes it.
    let _ = tokio::signal::unix::signal(SignalKind::child());
    signals
}

/// Which signals this program was started to ignore: bit 0 is signal 1. None, where that cannot be known.
fn ignored_signals() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn run_ids_are_uuids_of_version_4_and_never_the_same() {
        let (one, other) = (random_uuid().expect("randomness"), random_uuid().expect("randomness"));
        assert_ne!(one, other);
        assert_eq!(one.len(), 36);
        assert_eq!(one.as_bytes()[14], b'4');
        assert!(b"89ab".contains(&one.as_bytes()[19]), "{one}");
    }

    #[test]
    fn a_note_comes_before_the_output_when_there_is_no_room_for_both() {
        let outcome = |note: &str| Outcome { code: 0, word: String::new(), output: None, note: note.to_owned(), took: Duration::ZERO };
        assert_eq!(body(&outcome("cannot run it"), 6), b"cannot");
        assert_eq!(body(&outcome(""), 6), b"");
        assert_eq!(note(Ended::Signal(9)), "\nkilled by signal 9 (SIGKILL)\n");
        assert_eq!(note(Ended::Signal(64)), "\nkilled by signal 64\n");
        assert_eq!(note(Ended::Code(9)), "");
    }
}
