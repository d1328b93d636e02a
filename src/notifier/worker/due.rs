//! What a worker tells in one attempt, and what is to be noted of it.

use std::collections::HashMap;

use crate::model::peer::DeliveryStep;
use crate::model::time::UnixMillis;
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
    let is_shared = due.iter().any(|due| due.attempts.is_some());
    let (same, mut later): (Vec<Due>, Vec<Due>) = due.into_iter().partition(|due| due.attempts.is_some() == is_shared);
    let (mut now, mut n_max) = (Vec::new(), PARTS_MAX);
    for due in same {
        let n_refused = n_refused.get(&due.telling.rows[0].id).copied().unwrap_or(0);
        let n_with_it = PARTS_MAX / PORTION_AFTER_REFUSAL.saturating_pow(u32::try_from(n_refused).unwrap_or(u32::MAX));
        n_max = if now.is_empty() { n_with_it.max(1) } else { n_max.min(n_with_it) };
        if now.len() < n_max { now.push(due) } else { later.push(due) }
    }
    (now, later)
}
