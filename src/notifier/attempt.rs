//! One attempt to deliver a message, and the record of it.

use std::time::Duration;

use crate::clock::Clock;
use crate::model::time::UnixMillis;
use crate::model::time::spoken;
use crate::notifier::backoff::RETRY_AFTER_MAX;
use crate::notifier::backoff::WAIT_MIN;
use crate::notifier::error::SendError;
use crate::notifier::heard::Heard;
use crate::notifier::kind::patience;
use crate::notifier::sink::Envelope;
use crate::notifier::sink::Sink;
use crate::store::Attempt;
use crate::store::AttemptOutcome;
use crate::supervise::caught;

/// What became of an attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tried {
    /// Whether the message was accepted.
    pub outcome: Result<(), SendError>,
    /// The same for the delivery log, with what was answered.
    pub record: Attempt,
    /// Of several recipients those for whom it was not accepted, and may be later.
    pub remaining: Vec<String>,
}

/// Makes one attempt within the [`patience`] of the channel. A panic while a message is written is a bug that would come back with the same
/// message, so it counts as a refusal of that message and stops no other.
pub async fn attempt(sink: &impl Sink, clock: &Clock, envelope: Envelope<'_>) -> Tried {
    let (began, heard) = (clock.now(), Heard::default());
    let spec = &envelope.channel.spec;
    let patience = patience(spec);
    let outcome = match tokio::time::timeout(patience, caught(sink.send(envelope, &heard))).await {
        Ok(Ok(outcome)) => outcome,
        Ok(Err(panic)) => {
            tracing::error!(channel = %envelope.channel.name, error = %panic, "writing a message panicked: {panic}");
            Err(SendError::Permanent("writing the message failed, which is a bug of vigilmon".to_owned()))
        }
        Err(_) => Err(SendError::Transient(format!("no answer within {}", spoken(patience)))),
    };
    // What comes after the arrival is not worth a repeat.
    let outcome = if heard.has_arrived() { Ok(()) } else { outcome };
    let now = clock.now();
    let took = now.mono.since(began.mono);
    let record = record(&outcome, (began.wall, took), now.wall);
    let is_unanswered = outcome.is_err() && heard.is_unanswered();
    let left_out = heard.left_out().filter(|_| outcome.is_ok());
    let reason = left_out.map(|left_out| left_out.said.clone()).or(record.reason);
    let record = Attempt { reason, answer: heard.last(spec), called: heard.called(), is_unanswered, ..record };
    Tried { outcome, record, remaining: left_out.map(|left_out| left_out.remaining.clone()).unwrap_or_default() }
}

fn record(outcome: &Result<(), SendError>, (at, took): (UnixMillis, Duration), now: UnixMillis) -> Attempt {
    let (outcome, reason) = match outcome {
        Ok(()) => (AttemptOutcome::Accepted, None),
        Err(SendError::Permanent(text)) => (AttemptOutcome::Refused, Some(text.clone())),
        Err(SendError::Transient(text)) => (AttemptOutcome::Failed, Some(text.clone())),
        Err(SendError::Later(wait, text)) => (AttemptOutcome::Later(now + (*wait).clamp(WAIT_MIN, RETRY_AFTER_MAX)), Some(text.clone())),
    };
    Attempt { at, took, outcome, reason, answer: None, called: None, is_unanswered: false }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_says_what_the_outcome_was() {
        let (at, now) = (UnixMillis(1_000), UnixMillis(3_000));
        let wait = Duration::from_secs(7);
        for (outcome, word, reason) in [
            (Ok(()), "accepted", None),
            (Err(SendError::Permanent("no".to_owned())), "refused", Some("no")),
            (Err(SendError::Transient("down".to_owned())), "failed", Some("down")),
            (Err(SendError::Later(wait, "slow".to_owned())), "later", Some("slow")),
        ] {
            let found = record(&outcome, (at, Duration::from_secs(2)), now);
            assert_eq!((found.at, found.outcome.word(), found.reason.as_deref()), (at, word, reason));
            if let AttemptOutcome::Later(until) = found.outcome {
                assert_eq!(until, now + wait);
            }
        }
    }
}
