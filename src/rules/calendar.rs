//! The moments of a schedule on the line of time.
//!
//! Between two changes of the clock a zone is a constant distance from universal time, so the line of time is cut into such stretches
//! ([`stretch`]), and within one, finding a moment is finding what the clock on the wall shows ([`wall`]). What happens at the cuts is
//! decided by [`crate::model::schedule::Daylight`]: times that a stretch skips are caught up with at its beginning or dropped, times that it repeats happen
//! again or not. Moments are whole seconds.
//!
//! Why not a library: croner 4.0.3, the best of them, was tried on the vectors of the contract. It drops lists in the gap of spring and
//! joins days and weekdays by "or" where Debian's cron does not (V04, V24), and knows nothing of the rules of Kubernetes (V01, V02,
//! V16, V19, V28) nor of systemd's calendar events.

use std::time::Duration;

use crate::model::schedule::Schedule;
use crate::model::schedule::Timed;
use crate::model::time::UnixMillis;

pub mod spell;
mod stretch;
#[cfg(test)]
mod tests;
mod wall;
mod words;

use stretch::Found;
use stretch::Stretch;
pub use words::describe;

/// Moments that are listed or counted at most; more say nothing more.
pub const COUNT_MAX: usize = 1000;

/// The first moment strictly after `after`; `None` when the calendar has no more.
#[must_use]
pub fn next(timed: &Timed, after: UnixMillis) -> Option<UnixMillis> {
    let mut from = after.0.div_euclid(1000).checked_add(1)?;
    loop {
        let stretch = Stretch::holding(timed.zone.rules(), from)?;
        match stretch.first(timed, from) {
            Found::At(at) => return Some(UnixMillis(at * 1000)),
            Found::Outside(skip) => from = stretch.end?.max(skip),
            Found::Never => return None,
        }
    }
}

/// The last moment at or before `at`; `None` when the calendar begins later.
#[must_use]
pub fn previous(timed: &Timed, at: UnixMillis) -> Option<UnixMillis> {
    let mut until = at.0.div_euclid(1000);
    loop {
        let stretch = Stretch::holding(timed.zone.rules(), until)?;
        match stretch.last(timed, until) {
            Found::At(at) => return Some(UnixMillis(at * 1000)),
            Found::Outside(skip) => until = (stretch.start? - 1).min(skip),
            Found::Never => return None,
        }
    }
}

/// The next `n` moments of a schedule after `after`, at most [`COUNT_MAX`]; an interval counts from `after`.
#[must_use]
pub fn upcoming(schedule: &Schedule, after: UnixMillis, n: usize) -> Vec<UnixMillis> {
    let step = |at: &UnixMillis| match schedule {
        Schedule::Interval(every) => Some(*at + *every),
        Schedule::Timed(timed) => next(timed, *at),
    };
    std::iter::successors(step(&after), step).take(n.min(COUNT_MAX)).collect()
}

/// The time between the moments around `at`: the one at or before it and the next; `None` where one of them does not exist.
#[must_use]
pub fn gap(timed: &Timed, at: UnixMillis) -> Option<Duration> {
    Some(next(timed, at)?.since(previous(timed, at)?))
}
