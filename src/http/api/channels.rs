//! Channels and their messages, for programs. A promise like the rest of the API.

use serde::Serialize;

use crate::http::api::ms;
use crate::http::channel_views::Known;
use crate::model::time::UnixMillis;
use crate::notifier::health;
use crate::store::Attempt;
use crate::store::AttemptOutcome;
use crate::store::Delivery;
use crate::store::DeliveryState;

/// All channels.
#[derive(Debug, Serialize)]
pub struct Channels {
    at: String,
    channels: Vec<Channel>,
}

#[derive(Debug, Serialize)]
struct Channel {
    name: String,
    /// `None` for one that left the config.
    kind: Option<&'static str>,
    on: Vec<&'static str>,
    state: &'static str,
    last_success_at: Option<String>,
    /// The last one of another node.
    last_success_elsewhere_at: Option<String>,
    failing_since: Option<String>,
    not_delivering_since: Option<String>,
    resting_until: Option<String>,
    /// Why the last attempt failed.
    error: Option<String>,
    waiting: u64,
    oldest_waiting_since: Option<String>,
    next_attempt_at: Option<String>,
    given_up: u64,
    last_given_up_at: Option<String>,
    /// A message waits for too long, or was given up within a day.
    undeliverable: bool,
}

/// Messages of a channel, newest first.
#[derive(Debug, Serialize)]
pub struct Deliveries {
    channel: String,
    deliveries: Vec<OneDelivery>,
    /// What to give as `before` for the next ones; `None` at the end.
    next_before: Option<i64>,
}

#[derive(Debug, Serialize)]
struct OneDelivery {
    id: i64,
    key: String,
    event: String,
    about: String,
    incident_id: Option<String>,
    decided_at: String,
    /// `waiting`, `sent` or `given_up`.
    state: &'static str,
    next_attempt_at: Option<String>,
    /// The message of the same monitor that goes first.
    waits_behind: Option<i64>,
    ended_at: Option<String>,
    error: Option<String>,
    attempts_made: u32,
    attempts: Vec<OneAttempt>,
}

/// One attempt.
#[derive(Debug, Serialize)]
pub struct OneAttempt {
    #[serde(skip_serializing_if = "Option::is_none")]
    number: Option<u32>,
    at: String,
    took_ms: f64,
    /// `accepted`, `refused` (for good), `failed` or `later`.
    outcome: &'static str,
    error: Option<String>,
    answer: Option<Answer>,
}

#[derive(Debug, Serialize)]
struct Answer {
    /// What `code` is: `http`, `smtp` or `exit`.
    by: &'static str,
    code: i32,
    /// The beginning of what came with it, secrets hidden; `None` for those who may only read.
    text: Option<String>,
}

/// What became of a test message.
#[derive(Debug, Serialize)]
pub struct Tested {
    accepted: bool,
    attempt: OneAttempt,
}

/// How many messages are tried again.
#[derive(Debug, Serialize)]
pub struct Retried {
    /// So many wait again.
    pub waiting: usize,
}

fn time(at: Option<UnixMillis>) -> Option<String> {
    at.map(UnixMillis::rfc3339)
}

/// All channels, those of the config first.
#[must_use]
pub fn channels(known: &[Known], now: UnixMillis) -> Channels {
    Channels { at: now.rfc3339(), channels: known.iter().map(|known| channel(known, now)).collect() }
}

fn channel(Known { facts, channel }: &Known, now: UnixMillis) -> Channel {
    Channel {
        name: facts.name.to_string(),
        kind: channel.as_ref().map(|channel| channel.spec.kind()),
        on: channel.iter().flat_map(|channel| channel.on.iter().map(|event| event.word())).collect(),
        state: health::health(facts, now).word(),
        last_success_at: time(facts.accepted_at),
        last_success_elsewhere_at: time(facts.elsewhere_at),
        failing_since: time(facts.failing_since),
        not_delivering_since: time(facts.broken_since.filter(|_| facts.mended_at.is_none())),
        resting_until: time(facts.rests_until.filter(|until| now < *until)),
        error: facts.reason.clone(),
        waiting: facts.n_waiting,
        oldest_waiting_since: time(facts.oldest.filter(|oldest| *oldest <= now)),
        next_attempt_at: time(facts.next_at),
        given_up: facts.n_dead,
        last_given_up_at: time(facts.dead_at),
        undeliverable: health::is_undeliverable(facts, now),
    }
}

/// A page of a log. What was answered is told to those only who may change things.
#[must_use]
pub fn deliveries(channel: &str, page: &[Delivery], next_before: Option<i64>, may_operate: bool) -> Deliveries {
    let one = |delivery: &Delivery| {
        let (state, next_attempt_at, ended_at) = match delivery.state {
            DeliveryState::Waiting(at) => ("waiting", Some(at), None),
            DeliveryState::Sent(at) => ("sent", None, Some(at)),
            DeliveryState::Dead(at) => ("given_up", None, Some(at)),
        };
        OneDelivery {
            id: delivery.id,
            key: delivery.key.clone(),
            event: delivery.event.clone(),
            about: delivery.about.clone(),
            incident_id: delivery.incident.as_ref().map(ToString::to_string),
            decided_at: delivery.at.rfc3339(),
            state,
            next_attempt_at: time(next_attempt_at),
            waits_behind: delivery.behind,
            ended_at: time(ended_at),
            error: delivery.last_error.clone(),
            attempts_made: delivery.n_attempts,
            attempts: delivery.attempts.iter().map(|(number, attempt)| one_attempt(Some(*number), attempt, may_operate)).collect(),
        }
    };
    Deliveries { channel: channel.to_owned(), deliveries: page.iter().map(one).collect(), next_before }
}

fn one_attempt(number: Option<u32>, attempt: &Attempt, may_operate: bool) -> OneAttempt {
    OneAttempt {
        number,
        at: attempt.at.rfc3339(),
        took_ms: ms(attempt.took),
        outcome: attempt.outcome.word(),
        error: attempt.reason.clone(),
        answer: attempt.answer.as_ref().map(|answered| Answer {
            by: answered.by.word(),
            code: answered.code,
            text: may_operate.then(|| answered.said.clone()),
        }),
    }
}

/// What became of a test message, for whoever may send one.
#[must_use]
pub fn tested(attempt: &Attempt) -> Tested {
    Tested { accepted: attempt.outcome == AttemptOutcome::Accepted, attempt: one_attempt(None, attempt, true) }
}
