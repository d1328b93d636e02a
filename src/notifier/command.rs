//! The `command` channel: a program of the operator's, which knows how to reach people.
//!
//! What it is told comes to it as data only: JSON on its input and variables in its environment, never as part of a command line. It does
//! not get vigilmon's own environment, in which the secrets of other channels may be.

use std::io;
use std::time::Duration;

use crate::model::channel::spec::CommandSpec;
use crate::notifier::compose::Message;
use crate::notifier::error::SendError;
use crate::notifier::heard::Heard;
use crate::notifier::mask::HIDDEN;
use crate::notifier::payload::json;
use crate::notifier::shorten::fit;
use crate::store::AnsweredBy;
use crate::supervise::command::Ended;
use crate::supervise::program::Outcome;
use crate::supervise::program::Program;

/// What it gets of vigilmon's own environment: where programs and the user's files are, and how to write texts and times.
const INHERITED: [&str; 4] = ["PATH", "HOME", "LANG", "TZ"];

/// How much of its output is kept for the log and the page of failed attempts.
const TAIL_BYTES: usize = 300;

/// Exit codes that say that it will not work in this way: wrong usage, input, rights or settings by `sysexits.h`, and what shells say
/// of programs that cannot be run.
const REFUSALS: [u8; 6] = [64, 65, 77, 78, 126, 127];

/// Besides the program's own time: to start it and to kill it.
const AROUND: Duration = Duration::from_secs(2);

/// How long one attempt may take in all.
#[must_use]
pub fn patience(spec: &CommandSpec) -> Duration {
    spec.timeout + AROUND
}

/// Runs it.
///
/// # Errors
/// [`SendError`] when it could not be run or did not end with 0.
pub async fn send(spec: &CommandSpec, message: &Message<'_>, heard: &Heard) -> Result<(), SendError> {
    let inherited = INHERITED.iter().filter_map(|name| Some(((*name).to_owned(), std::env::var(name).ok()?)));
    let env = inherited.chain(variables(spec, message)).collect();
    let input = json(message.notification, message.links).into_bytes();
    let program = Program {
        run: spec.run.iter().map(|word| word.reveal_for_use().to_owned()).collect(),
        env,
        input,
        timeout: spec.timeout,
        tail_bytes: tail_bytes(spec),
    };
    heard.note_departure();
    let outcome = program.finished().await;
    match &outcome {
        Ok(Outcome::Ended(ended, tail)) => {
            heard.note(AnsweredBy::Program, ended.shell_code(), whole_words(spec, tail));
            // Whoever was killed may have done its work before.
            if matches!(ended, Ended::Code(_)) {
                heard.note_answered();
            }
        }
        Ok(Outcome::TooLong(_)) => {}
        Err(_) => heard.note_answered(),
    }
    judge(spec, outcome)
}

/// The end of an output without its beginning where that may be the second half of a secret.
fn whole_words<'a>(spec: &CommandSpec, tail: &'a [u8]) -> &'a [u8] {
    if tail.len() < tail_bytes(spec) { tail } else { &tail[longest(spec)..] }
}

/// More than is kept, so that no secret is cut through in what is.
fn tail_bytes(spec: &CommandSpec) -> usize {
    TAIL_BYTES + longest(spec)
}

fn longest(spec: &CommandSpec) -> usize {
    spec.env.iter().map(|(_, secret)| secret.reveal_for_use().len()).max().unwrap_or(0)
}

fn judge(spec: &CommandSpec, outcome: io::Result<Outcome>) -> Result<(), SendError> {
    match outcome {
        Ok(Outcome::Ended(Ended::Code(0), _)) => Ok(()),
        Ok(Outcome::Ended(Ended::Code(code), tail)) if REFUSALS.contains(&code) => {
            Err(SendError::Permanent(format!("the program ended with {code}{}", said(spec, &tail))))
        }
        Ok(Outcome::Ended(Ended::Code(code), tail)) => {
            Err(SendError::Transient(format!("the program ended with {code}{}", said(spec, &tail))))
        }
        Ok(Outcome::Ended(Ended::Signal(number), tail)) => {
            Err(SendError::Transient(format!("the program was ended by signal {number}{}", said(spec, &tail))))
        }
        Ok(Outcome::TooLong(tail)) => {
            let limit = crate::model::time::spoken(spec.timeout);
            Err(SendError::Transient(format!("the program did not end within {limit} and was killed{}", said(spec, &tail))))
        }
        Err(error) if cannot_ever(&error) => Err(SendError::Permanent(format!("the program cannot be run: {error}"))),
        // Out of processes, memory or files: that passes.
        Err(error) => Err(SendError::Transient(format!("the program cannot be run at the moment: {error}"))),
    }
}

/// Whether it is missing, may not be run, or is no program.
fn cannot_ever(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::PermissionDenied | io::ErrorKind::InvalidInput)
        || error.raw_os_error() == Some(rustix::io::Errno::NOEXEC.raw_os_error())
}

/// The end of its output, on one line and without the secrets it was given.
fn said(spec: &CommandSpec, tail: &[u8]) -> String {
    let mut text = String::from_utf8_lossy(whole_words(spec, tail)).trim().to_owned();
    for (_, secret) in &spec.env {
        text = text.replace(secret.reveal_for_use(), HIDDEN);
    }
    if text.is_empty() { text } else { format!(": {}", fit(&text, TAIL_BYTES)) }
}

/// What it is told in its environment.
#[must_use]
pub fn variables(spec: &CommandSpec, message: &Message<'_>) -> Vec<(String, String)> {
    let payload = message.payload();
    let told = [
        ("CHANNEL", message.notification.channel.to_string()),
        ("EVENT", payload.event.to_owned()),
        ("STATUS", payload.status.to_owned()),
        ("TITLE", message.title()),
        ("TEXT", payload.text),
        ("MONITOR_NAME", payload.monitor_name),
        ("MONITOR_ID", payload.monitor_id.unwrap_or_default()),
        ("GROUP", payload.group.unwrap_or_default()),
        ("TARGET", payload.url),
        ("CAUSE", payload.cause),
        ("CAUSE_CODE", payload.cause_code),
        ("EVIDENCE", payload.evidence),
        ("INCIDENT_ID", payload.incident_id.unwrap_or_default()),
        ("STARTED_AT", payload.started_at),
        ("DURATION_SECONDS", payload.duration_seconds.to_string()),
        ("REGIONS_FAILING", payload.regions_failing.join(",")),
        ("LINK", payload.links.incident.unwrap_or_default()),
        ("RUNBOOK", payload.runbook.unwrap_or_default()),
        ("KEY", payload.key),
        ("POSSIBLE_REPEAT", payload.possible_repeat.to_string()),
    ];
    let told = told.into_iter().map(|(name, value)| (format!("VIGILMON_{name}"), value));
    let own = spec.env.iter().map(|(name, value)| (name.clone(), value.reveal_for_use().to_owned()));
    told.chain(own).collect()
}

#[cfg(test)]
mod tests;
