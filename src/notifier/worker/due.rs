//! What a worker tells in one attempt, and what is to be noted of it.

use std::collections::HashMap;

use crate::model::peer::DeliveryStep;
use crate::model::time::UnixMillis;
use crate::notifier::backoff::History;
use crate::notifier::backoff::Next;
use crate::notifier::backoff::after_failure;
use crate::notifier::bundle::PARTS_MAX;
use crate::notifier::error::SendError;
use crate::notifier::merge::Row;
use crate::notifier::merge::Telling;
use crate::notifier::outbox::Mark;

/// What is told now.
pub(super) struct Due {
    pub(super) telling: Telling,
    /// Of each of its rows the number of the attempt in the cluster; `None` when each node tells it for itself.
    pub(super) attempts: Option<Vec<u32>>,
}

impl Due {
    /// Keys of its rows, with the numbers of their attempts.
    pub(super) fn keys(&self) -> impl Iterator<Item = (&str, u32)> {
        let attempts = self.attempts.iter().flatten();
        self.telling.rows.iter().zip(attempts).map(|(row, attempt)| (row.notification.key.as_str(), *attempt))
    }
}

/// One step of all that is told.
pub(super) fn steps(due: &[Due], step: impl Fn(u32) -> DeliveryStep) -> Vec<(String, DeliveryStep)> {
    due.iter().flat_map(Due::keys).map(|(key, attempt)| (key.to_owned(), step(attempt))).collect()
}

/// What becomes of rows that were told by the message with this key.
pub(super) fn accepted(due: &[Due], key: &str, at: UnixMillis) -> Vec<(i64, Mark)> {
    let rows = due.iter().flat_map(|due| &due.telling.rows);
    let mark = |row: &Row| if row.notification.key == key { Mark::Sent { at } } else { Mark::Together { at, with: key.to_owned() } };
    rows.map(|row| (row.id, mark(row))).collect()
}

/// What becomes of rows that arrived at some of their recipients only: the others are told later, unless there is nothing left to wait for.
pub(super) fn partly(due: &[Due], error: &str, remaining: &[String], (now, chance): (UnixMillis, f64)) -> Vec<(i64, Mark)> {
    let mut marks = Vec::new();
    for Due { telling, .. } in due {
        let first = &telling.rows[0];
        let history = History { owed_since: first.owed_since, n_attempts: first.n_attempts.saturating_add(1), n_refused: 0 };
        let next = after_failure(&SendError::Transient(error.to_owned()), history, now, chance);
        for (place, row) in telling.rows.iter().enumerate() {
            let error = error.to_owned();
            let mark = match next {
                // The others are told what was told, and not apart what was told together.
                _ if place != telling.told => Mark::Together { at: now, with: telling.notification.key.clone() },
                Next::RetryAt(next_at) if !telling.is_overtaken => Mark::Partly { at: now, next_at, error, remaining: remaining.to_vec() },
                Next::RetryAt(_) | Next::GiveUp => Mark::Enough { at: now, error },
            };
            marks.push((row.id, mark));
        }
    }
    marks
}

/// What becomes of rows whose remaining recipients will never be told: the others have them.
pub(super) fn rest_given_up(due: &[Due], error: &SendError, at: UnixMillis) -> Vec<(i64, Mark)> {
    let rows = due.iter().flat_map(|due| due.telling.rows.iter().map(|row| (row.id, due.telling.remaining.join("`, `"))));
    rows.map(|(id, who)| (id, Mark::Enough { at, error: format!("`{who}` is not told, {error}") })).collect()
}

/// Claimed rows that are told under the key of one behind them, with that one.
pub(super) fn under_another_key(due: &[Due]) -> Vec<(i64, i64)> {
    let tellings = due.iter().map(|due| &due.telling).filter(|telling| telling.told != 0);
    tellings.map(|telling| (telling.rows[0].id, telling.rows[telling.told].id)).collect()
}

/// What is noted of a row that is told in another one's message.
pub(super) fn with_another(key: &str, error: &SendError) -> String {
    format!("to be told together with message `{key}`: {error}")
}

/// Of so many that were refused together one is tried again with them.
const PORTION_AFTER_REFUSAL: usize = 16;

/// How many of these go into one message: the first ones, and the others are for later. What is each node's own does not mix with what one
/// node sends for all. A refusal may be about one of many: those that were refused together are tried again by fewer. `n_refused` says how
/// often a row was.
pub(super) fn portion(due: Vec<Due>, n_refused: &HashMap<i64, usize>) -> (Vec<Due>, Vec<Due>) {
    // What holds back news goes first: it is tried for a few recipients, once. Then what all recipients are to be told.
    let order = |due: &&Due| (!due.telling.is_overtaken, !due.telling.remaining.is_empty(), due.attempts.is_none());
    let Some(lead) = due.iter().min_by_key(order) else { return (Vec::new(), Vec::new()) };
    let (is_shared, to) = (lead.attempts.is_some(), lead.telling.remaining.clone());
    let goes = |due: &Due| due.attempts.is_some() == is_shared && due.telling.remaining == to;
    let (same, mut later): (Vec<Due>, Vec<Due>) = due.into_iter().partition(goes);
    let (mut now, mut n_max) = (Vec::new(), PARTS_MAX);
    for due in same {
        let n_refused = n_refused.get(&due.telling.rows[0].id).copied().unwrap_or(0);
        let n_with_it = PARTS_MAX / PORTION_AFTER_REFUSAL.saturating_pow(u32::try_from(n_refused).unwrap_or(u32::MAX));
        n_max = if now.is_empty() { n_with_it.max(1) } else { n_max.min(n_with_it) };
        if now.len() < n_max { now.push(due) } else { later.push(due) }
    }
    (now, later)
}
