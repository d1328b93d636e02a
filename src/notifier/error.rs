//! What a failed attempt means for the message: never, not now, or not before.
//!
//! Sorted by what happens next and not by where it came from. The texts are stored and shown to operators, so no variant ever
//! carries a webhook's address, a header or what the other side wrote.

use std::time::Duration;

use crate::model::time::UnixMillis;
use crate::notifier::backoff::retry_after;
use crate::notifier::request::Answer;

/// Why a message was not accepted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SendError {
    /// Will most likely fail again in the same way: tried a few times more, then given up.
    #[error("{0}")]
    Permanent(String),
    /// May well work later: tried for at least a day.
    #[error("{0}")]
    Transient(String),
    /// The channel asked to be left alone for so long.
    #[error("{1}")]
    Later(Duration, String),
}

/// Judges the status of an answer. A redirect is not followed: the new place might be one that the operator did not choose.
///
/// # Errors
/// [`SendError`] for everything but 2xx.
pub fn judge_status(status: u16, retry_after_header: Option<&str>, now: UnixMillis) -> Result<(), SendError> {
    let wait = retry_after_header.and_then(|header| retry_after(header, now));
    match status {
        200..=299 => Ok(()),
        300..=399 => Err(SendError::Permanent(format!("answered {status}, a redirect; write the final address into the config"))),
        // Request timeout, a conflict with an attempt that is still being handled, locked, too early, too many.
        408 | 409 | 423 | 425 | 429 => Err(not_now(wait, format!("answered {status}"))),
        400..=499 => Err(SendError::Permanent(format!("answered {status}{}", meaning(status)))),
        _ => Err(not_now(wait, format!("answered {status}"))),
    }
}

/// A transient failure, or a wait when the other side named one.
#[must_use]
pub fn not_now(wait: Option<Duration>, text: String) -> SendError {
    match wait {
        Some(wait) => SendError::Later(wait, text),
        None => SendError::Transient(text),
    }
}

/// What a service said besides the status.
#[derive(Debug, Clone, Copy, Default)]
pub struct Said<'a> {
    /// The service, as people write it.
    pub service: &'a str,
    /// How many seconds it wants to be left alone, said elsewhere than in the header.
    pub wait: Option<f64>,
    /// Its own words for what is wrong; only those of a list are ever repeated.
    pub word: &'a str,
    /// The words that are known, and what to do about each.
    pub known: &'a [(&'a str, &'a str)],
}

/// Judges an answer by its status and by what the service says of its own accord.
///
/// # Errors
/// [`SendError`] for everything but 2xx.
pub fn judge_said(answer: &Answer, said: &Said<'_>, now: UnixMillis) -> Result<(), SendError> {
    let known = said.known.iter().find(|(word, _)| !said.word.is_empty() && said.word.to_ascii_lowercase().contains(word));
    match judge_status(answer.status, answer.retry_after.as_deref(), now) {
        Ok(()) => Ok(()),
        Err(SendError::Permanent(text)) => Err(SendError::Permanent(match known {
            Some((word, meaning)) => format!("{} answered {} ({word}): {meaning}", said.service, answer.status),
            None => text,
        })),
        Err(SendError::Transient(text)) => {
            let wait = said.wait.and_then(|seconds| retry_after(&seconds.to_string(), now));
            Err(not_now(wait, text))
        }
        // Whoever says it twice means the longer one.
        Err(SendError::Later(wait, text)) => {
            let more = said.wait.and_then(|seconds| retry_after(&seconds.to_string(), now));
            Err(SendError::Later(more.map_or(wait, |more| more.max(wait)), text))
        }
    }
}

fn meaning(status: u16) -> &'static str {
    match status {
        400 => ": it does not understand the message",
        401 | 403 => ": it does not accept the credentials",
        404 | 410 => ": there is nothing at this address (any more)",
        _ => "",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: UnixMillis = UnixMillis(1_782_814_980_000);

    fn class(status: u16, header: Option<&str>) -> String {
        match judge_status(status, header, NOW) {
            Ok(()) => "accepted".to_owned(),
            Err(SendError::Permanent(_)) => "permanent".to_owned(),
            Err(SendError::Transient(_)) => "transient".to_owned(),
            Err(SendError::Later(wait, _)) => format!("later {}", wait.as_secs()),
        }
    }

    #[test]
    fn each_status_has_its_class() {
        for (status, header, expected) in [
            (200, None, "accepted"),
            (202, None, "accepted"),
            (204, None, "accepted"),
            (301, None, "permanent"),
            (308, Some("5"), "permanent"),
            (400, None, "permanent"),
            (401, None, "permanent"),
            (403, None, "permanent"),
            (404, None, "permanent"),
            (405, None, "permanent"),
            (408, None, "transient"),
            (409, None, "transient"),
            (410, None, "permanent"),
            (413, None, "permanent"),
            (425, None, "transient"),
            (429, None, "transient"),
            (429, Some("7"), "later 7"),
            (429, Some("nonsense"), "transient"),
            (500, None, "transient"),
            (502, None, "transient"),
            (503, Some("120"), "later 120"),
            (199, None, "transient"),
            (999, None, "transient"),
        ] {
            assert_eq!(class(status, header), expected, "{status} {header:?}");
        }
    }
}
