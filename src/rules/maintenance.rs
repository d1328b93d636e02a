//! When maintenance windows are, on the line of time.
//!
//! A window begins when the clock on the wall shows its time: right after the gap when that is skipped in spring, and the first time when it
//! is shown twice in autumn. How long it lasts is time that passes, whatever the clock does meanwhile.

use std::time::Duration;

use crate::model::maintenance::Span;
use crate::model::maintenance::When;
use crate::model::schedule::recurrence::Recurrence;
use crate::model::time::UnixMillis;
use crate::rules::calendar;

/// A clock on the wall shows no time that is further from where it would be without any zone: how far before a moment its times of a rule
/// are looked for.
const ZONE_MARGIN: Duration = Duration::from_secs(2 * 86_400);

/// The first stretch that is not over at `at`: it holds that moment, or is still to come. `None`: there is none any more.
#[must_use]
pub fn span(when: &When, at: UnixMillis) -> Option<Span> {
    match when {
        When::Once(span, _) => Some(*span).filter(|span| at < span.to),
        When::Cron(timed, lasts) => {
            let from = calendar::next(timed, at.minus(*lasts))?;
            Some(Span { from, to: from + *lasts })
        }
        When::Rule(rule, lasts) => {
            let from = begin(rule, at.minus(*lasts))?;
            Some(Span { from, to: from + *lasts })
        }
    }
}

/// The first beginning strictly after `after`.
fn begin(rule: &Recurrence, after: UnixMillis) -> Option<UnixMillis> {
    let near = rule.zone.shown(after.minus(ZONE_MARGIN)).unwrap_or(rule.start);
    rule.occurrences_near(near).filter_map(|shown| rule.zone.moment(shown)).find(|from| after < *from)
}

/// The stretches that are not over at `from` and begin before `until`, in order, at most `n`.
#[must_use]
pub fn spans(when: &When, from: UnixMillis, until: UnixMillis, n: usize) -> Vec<Span> {
    let first = span(when, from);
    std::iter::successors(first, |before| span(when, before.to)).take_while(|span| span.from < until).take(n).collect()
}

#[cfg(test)]
mod tests;
